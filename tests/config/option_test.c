/* option_test.c - every type of option, its units and its edges. SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "config/diag.h"
#include "config/option.h"
#include "config/units.h"
#include "tap.h"

union value {
    int64_t number;
    double real;
    int choice;
    bool yes;
    const char *text;
    struct pen_range range;
    struct pen_strings list;
    struct pen_compression compression;
};

struct number_case {
    const char *text;
    bool good;
    int64_t want;
    const char *suggestion; /* NULL: not looked at */
};

static void numbers(const char *type, struct pen_option o, const struct number_case *cases, size_t n)
{
    struct pen_arena mem = { 0 };
    for (size_t i = 0; i < n; i++) {
        union value v = { .number = 42 };
        struct pen_error err = { 0 };
        struct pen_option_fault fault;
        pen_status st = pen_option_parse(&o, cases[i].text, &v, &mem, &fault, &err);
        bool good = cases[i].good ? st == PEN_OK && v.number == cases[i].want : st == PEN_BADCONF && v.number == 42 && err.msg[0];
        if (cases[i].suggestion)
            good = good && strcmp(fault.suggestion, cases[i].suggestion) == 0;
        ok(good, "%s \"%s\"%s%s", type, cases[i].text, err.msg[0] ? ": " : "", err.msg);
    }
    pen_arena_fini(&mem);
}
#define N(cases) cases, sizeof cases / sizeof *cases

static void test_option__whole_numbers(void)
{
    static const struct number_case plain[] = {
        { "0", true, 0, NULL },
        { "-0", true, 0, NULL },
        { "+7", true, 7, NULL },
        { "007", true, 7, NULL },
        { "-9223372036854775808", true, INT64_MIN, NULL },
        { "9223372036854775807", true, INT64_MAX, NULL },
        { "9223372036854775808", false, 0, NULL },
        { "-9223372036854775809", false, 0, NULL },
        { "99999999999999999999999", false, 0, NULL },
        { "", false, 0, NULL },
        { "-", false, 0, NULL },
        { "1 ", false, 0, NULL },
        { " 1", false, 0, NULL },
        { "1e3", false, 0, NULL },
        { "0x10", false, 0, NULL },
        { "7x", false, 0, NULL },
        { "1.0", false, 0, NULL },
    };
    static const struct number_case bounded[] = {
        { "-5", true, -5, NULL }, { "5", true, 5, NULL }, { "-6", false, 0, NULL }, { "6", false, 0, NULL }, { "cores", true, -1, NULL },
        { "core", false, 0, NULL },
    };
    numbers("number", (struct pen_option){ .name = "o", .type = PEN_OPT_INT }, N(plain));
    numbers("number of -5 to 5", (struct pen_option){ .name = "o", .type = PEN_OPT_INT, .min = -5, .max = 5, .choices = "cores" }, N(bounded));
}

static void test_option__counts(void)
{
    static const struct number_case cases[] = {
        { "0", true, 0, NULL },
        { "100", true, 100, NULL },
        { "100k", true, 100000, NULL },
        { "100K", true, 100000, NULL },
        { "5M", true, 5000000, NULL },
        { "2G", true, 2000000000, NULL },
        { "1.5M", true, 1500000, NULL },
        { "0.001k", true, 1, NULL },
        { "0.0001k", false, 0, NULL },
        { "1.5", false, 0, NULL },
        { "1.50k", true, 1500, NULL },
        { "9223372036G", true, 9223372036000000000, NULL },
        { "9223372037G", false, 0, NULL },
        { "9223372036854775807", true, INT64_MAX, NULL },
        { "9223372036854775808", false, 0, NULL },
        { "-1", false, 0, NULL },
        { "k", false, 0, NULL },
        { ".5k", false, 0, NULL },
        { "1.k", false, 0, NULL },
        { "1,000", false, 0, NULL },
        { "10 k", false, 0, "10k" },
        { "10m", false, 0, "10M" },
        { "3 million", false, 0, "3M" },
        { "none", false, 0, NULL },
    };
    numbers("count", (struct pen_option){ .name = "o", .type = PEN_OPT_COUNT }, N(cases));
}

static void test_option__sizes(void)
{
    static const struct number_case cases[] = {
        { "0", true, 0, NULL },
        { "512", true, 512, NULL },
        { "512B", true, 512, NULL },
        { "1kB", true, 1000, NULL },
        { "1KB", true, 1000, NULL },
        { "1KiB", true, 1024, NULL },
        { "10MB", true, 10000000, NULL },
        { "64MiB", true, 67108864, NULL },
        { "1GB", true, 1000000000, NULL },
        { "1GiB", true, 1073741824, NULL },
        { "1TB", true, 1000000000000, NULL },
        { "1TiB", true, 1099511627776, NULL },
        { "1.5KiB", true, 1536, NULL },
        { "0.5B", false, 0, NULL },
        { "8388607TiB", true, 9223370937343148032, NULL },
        { "8388608TiB", false, 0, NULL },
        { "9223372036854775807.5TiB", false, 0, NULL },
        { "5Gb", false, 0, "5GB" },
        { "5 GB", false, 0, "5GB" },
        { "5k", false, 0, "5KiB" },
        { "5mib", false, 0, "5MiB" },
        { "5 bytes", false, 0, "5B" },
        { "5X", false, 0, "" },
        { "none", true, -1, NULL },
    };
    numbers("size", (struct pen_option){ .name = "o", .type = PEN_OPT_SIZE, .choices = "none" }, N(cases));
}

static void test_option__durations(void)
{
    static const struct number_case cases[] = {
        { "0", true, 0, NULL },
        { "0s", true, 0, NULL },
        { "1us", true, 1, NULL },
        { "250ms", true, 250000, NULL },
        { "10s", true, 10000000, NULL },
        { "5m", true, 300000000, NULL },
        { "1h", true, 3600000000, NULL },
        { "7d", true, 604800000000, NULL },
        { "1.5s", true, 1500000, NULL },
        { "0.000001s", true, 1, NULL },
        { "0.0000001s", false, 0, NULL },
        { "0.5us", false, 0, NULL },
        { "106751991d", true, 9223372022400000000, NULL },
        { "106751992d", false, 0, NULL },
        { "10", false, 0, "10s" },
        { "10 sec", false, 0, "10s" },
        { "10 Minutes", false, 0, "10m" },
        { "3 hours", false, 0, "3h" },
        { "2days", false, 0, "2d" },
        { "10S", false, 0, "10s" },
        { "1h30m", false, 0, NULL },
        { "-1s", false, 0, NULL },
        { "soon", false, 0, "" },
    };
    numbers("duration", (struct pen_option){ .name = "o", .type = PEN_OPT_DURATION }, N(cases));
}

static void test_option__ranges(void)
{
    static const struct {
        const char *text;
        bool good;
        int64_t min, max;
    } cases[] = {
        { "0s..2s", true, 0, 2000000 },    { "1s", true, 1000000, 1000000 }, { "1s..1s", true, 1000000, 1000000 }, { "2s..1s", false, 0, 0 },
        { "1s..", false, 0, 0 },           { "..1s", false, 0, 0 },          { "1s...2s", false, 0, 0 },           { "1s..2", false, 0, 0 },
        { "1s..61s", false, 0, 0 },        { "", false, 0, 0 },              { "250ms..1m", true, 250000, 60000000 },
    };
    struct pen_option o = { .name = "o", .type = PEN_OPT_DURATION_RANGE, .max = 60000000 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pen_arena mem = { 0 };
        struct pen_error err = { 0 };
        union value v = { .range = { 1, 2 } };
        bool good = pen_option_parse(&o, cases[i].text, &v, &mem, NULL, &err) == PEN_OK;
        ok(good == cases[i].good && (good ? v.range.min == cases[i].min && v.range.max == cases[i].max : v.range.min == 1), "range \"%s\"%s%s",
           cases[i].text, err.msg[0] ? ": " : "", err.msg);
        pen_arena_fini(&mem);
    }
}

static void test_option__real_numbers(void)
{
    static const struct {
        pen_option_type type;
        const char *text;
        bool good;
        double want;
    } cases[] = {
        { PEN_OPT_RATE, "500/s", true, 500 },    { PEN_OPT_RATE, "30/m", true, 0.5 },     { PEN_OPT_RATE, "2k/s", true, 2000 },
        { PEN_OPT_RATE, "0.5/s", true, 0.5 },    { PEN_OPT_RATE, "3600/h", true, 1 },     { PEN_OPT_RATE, "86400/d", true, 1 },
        { PEN_OPT_RATE, "500", false, 0 },       { PEN_OPT_RATE, "500/", false, 0 },      { PEN_OPT_RATE, "/s", false, 0 },
        { PEN_OPT_RATE, "5/ms", false, 0 },      { PEN_OPT_RATE, "5/s/s", false, 0 },     { PEN_OPT_RATE, "-5/s", false, 0 },
        { PEN_OPT_RATE, "5 /s", false, 0 },      { PEN_OPT_RATE, "99999999999999999999/s", false, 0 },
        { PEN_OPT_FLOAT, "0.5", true, 0.5 },     { PEN_OPT_FLOAT, "-2", true, -2 },       { PEN_OPT_FLOAT, "1e3", true, 1000 },
        { PEN_OPT_FLOAT, "", false, 0 },         { PEN_OPT_FLOAT, "nan", false, 0 },      { PEN_OPT_FLOAT, "inf", false, 0 },
        { PEN_OPT_FLOAT, "1e999", false, 0 },    { PEN_OPT_FLOAT, "0x1p3", false, 0 },    { PEN_OPT_FLOAT, "1,5", false, 0 },
        { PEN_OPT_FLOAT, " 1", false, 0 },       { PEN_OPT_FLOAT, "1 ", false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pen_option o = { .name = "o", .type = cases[i].type };
        struct pen_arena mem = { 0 };
        struct pen_error err = { 0 };
        union value v = { .real = 42 };
        bool good = pen_option_parse(&o, cases[i].text, &v, &mem, NULL, &err) == PEN_OK;
        ok(good == cases[i].good && fabs(v.real - (good ? cases[i].want : 42)) < 1e-12, "real \"%s\"%s%s", cases[i].text, err.msg[0] ? ": " : "",
           err.msg);
        pen_arena_fini(&mem);
    }
}

static void test_option__words(void)
{
    static const struct {
        const char *text;
        bool good, want;
    } bools[] = { { "yes", true, true }, { "no", true, false }, { "TRUE", true, true },   { "off", true, false }, { "on", true, true },
                  { "false", true, false }, { "1", false, false }, { "", false, false }, { "y", false, false } };
    static const struct {
        const char *text;
        int want; /* -1: refused */
    } enums[] = { { "once", 0 }, { "follow", 1 }, { "repeat", 2 }, { "Once", -1 }, { "", -1 }, { "once|follow", -1 }, { "onc", -1 } };
    static const struct {
        const char *text;
        int codec, level; /* codec -1: refused */
    } codecs[] = { { "none", PEN_CODEC_NONE, 0 }, { "snappy", PEN_CODEC_SNAPPY, 0 }, { "zstd", PEN_CODEC_ZSTD, 1 }, { "zstd:19", PEN_CODEC_ZSTD, 19 },
                   { "zstd:22", PEN_CODEC_ZSTD, 22 }, { "zstd:0", -1, 0 }, { "zstd:23", -1, 0 }, { "zstd:", -1, 0 }, { "zstd: 1", -1, 0 },
                   { "zstd:+1", -1, 0 }, { "zstd1", -1, 0 }, { "gzip", -1, 0 }, { "", -1, 0 } };
    struct pen_arena mem = { 0 };
    for (size_t i = 0; i < sizeof bools / sizeof *bools; i++) {
        struct pen_option o = { .name = "o", .type = PEN_OPT_BOOL };
        union value v = { .number = 0 };
        bool good = pen_option_parse(&o, bools[i].text, &v, &mem, NULL, NULL) == PEN_OK;
        ok(good == bools[i].good && v.yes == bools[i].want, "bool \"%s\"", bools[i].text);
    }
    for (size_t i = 0; i < sizeof enums / sizeof *enums; i++) {
        struct pen_option o = { .name = "o", .type = PEN_OPT_ENUM, .choices = "once|follow|repeat" };
        union value v = { .choice = -1 };
        pen_option_parse(&o, enums[i].text, &v, &mem, NULL, NULL);
        ok(v.choice == enums[i].want, "enum \"%s\"", enums[i].text);
    }
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        struct pen_option o = { .name = "o", .type = PEN_OPT_COMPRESSION };
        union value v = { .number = 0 };
        bool good = pen_option_parse(&o, codecs[i].text, &v, &mem, NULL, NULL) == PEN_OK;
        ok(good == (codecs[i].codec >= 0) && (!good || ((int)v.compression.codec == codecs[i].codec && v.compression.level == codecs[i].level)),
           "compression \"%s\"", codecs[i].text);
    }
    pen_arena_fini(&mem);
}

static void test_option__lists(void)
{
    static const struct {
        const char *text, *want; /* joined by '|'; NULL: refused */
    } cases[] = { { "a b c", "a|b|c" }, { "a,b,, c,", "a|b|c" }, { "", "" }, { " , ", "" }, { "\"a b\" c", "a b|c" }, { "\"\"", "" },
                  { "a \"\" b", "a||b" }, { "a\nb", "a|b" }, { "\"a, b\",\"c\"", "a, b|c" }, { "\"a", NULL }, { "\"a\"b", NULL },
                  { "a\"b c\"", "a\"b|c\"" } };
    static const size_t counts[] = { 3, 3, 0, 0, 2, 1, 3, 2, 2, 0, 0, 2 };
    struct pen_option o = { .name = "o", .type = PEN_OPT_LIST };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pen_arena mem = { 0 };
        union value v = { .list = { 77, NULL } };
        bool good = pen_option_parse(&o, cases[i].text, &v, &mem, NULL, NULL) == PEN_OK;
        char joined[100] = "";
        for (size_t k = 0; good && k < v.list.n; k++) {
            strcat(joined, k ? "|" : "");
            strcat(joined, v.list.v[k]);
        }
        ok(cases[i].want ? good && v.list.n == counts[i] && strcmp(joined, cases[i].want) == 0 : !good && v.list.n == 77, "list '%s'", cases[i].text);
        pen_arena_fini(&mem);
    }
}

static void test_option__bounds_are_printed_in_their_units(void)
{
    static const struct {
        pen_option_type type;
        int64_t value;
        const char *want;
    } cases[] = { { PEN_OPT_DURATION, 0, "0s" }, { PEN_OPT_DURATION, 1500000, "1500ms" }, { PEN_OPT_DURATION, 86400000000, "1d" },
                  { PEN_OPT_DURATION, 7, "7us" }, { PEN_OPT_SIZE, 0, "0B" }, { PEN_OPT_SIZE, 1000, "1kB" }, { PEN_OPT_SIZE, 1024, "1KiB" },
                  { PEN_OPT_SIZE, 67108864, "64MiB" }, { PEN_OPT_SIZE, 1025, "1025B" }, { PEN_OPT_COUNT, 1000000, "1M" }, { PEN_OPT_COUNT, 0, "0" },
                  { PEN_OPT_COUNT, 1001, "1001" }, { PEN_OPT_INT, -5, "-5" }, { PEN_OPT_RATE, 2, "2/s" } };
    char buf[48];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pen_option o = { .name = "o", .type = cases[i].type };
        ok(strcmp(pen_option_bound(&o, cases[i].value, buf, sizeof buf), cases[i].want) == 0, "%lld is %s", (long long)cases[i].value, cases[i].want);
    }
}

static void test_option__secrets_are_not_in_messages(void)
{
    struct pen_option o = { .name = "o", .type = PEN_OPT_INT, .flags = PEN_OPTION_SECRET };
    struct pen_arena mem = { 0 };
    struct pen_error err = { 0 };
    int64_t v = 0;
    ok(pen_option_parse(&o, "hunter2", &v, &mem, NULL, &err) == PEN_BADCONF && !strstr(err.msg, "hunter2"), "a secret is not printed: %s", err.msg);
    err = (struct pen_error){ 0 };
    o.flags = 0;
    pen_option_parse(&o, "a\nb\033[31m", &v, &mem, NULL, &err);
    ok(strstr(err.msg, "a\\nb\\x1B[31m") != NULL, "what would break the line is escaped: %s", err.msg);
    pen_arena_fini(&mem);
}

static void test_option__tables_have_no_wrong_default(void)
{
    static const struct pen_option wrong[] = { { .name = "o", .type = PEN_OPT_INT, .def = "x" }, { .name = NULL } };
    struct pen_arena mem = { 0 };
    struct pen_error err = { 0 };
    int64_t v = 0;
    ok(pen_option_defaults(wrong, &v, &mem, &err) == PEN_FATAL && err.msg[0], "a default that does not parse is said: %s", err.msg);
    pen_arena_fini(&mem);
}

static void test_suggest__finds_what_was_meant(void)
{
    static const char *const words[] = { "path", "plugin", "password", "commit_interval", "commit_rows", "input" };
    static const struct {
        const char *word, *want;
    } cases[] = { { "pth", "path" }, { "Path", "path" }, { "plguin", "plugin" }, { "pasword", "password" }, { "interval", "commit_interval" },
                  { "inputs", "input" }, { "commit_row", "commit_rows" }, { "topic", NULL }, { "x", NULL }, { "", NULL }, { "commit", "commit_interval" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = pen_suggest(cases[i].word, words, sizeof words / sizeof *words);
        ok(got == cases[i].want || (got && cases[i].want && strcmp(got, cases[i].want) == 0), "\"%s\" is %s", cases[i].word, got ? got : "nothing known");
    }
}

int main(void)
{
    test_option__whole_numbers();
    test_option__counts();
    test_option__sizes();
    test_option__durations();
    test_option__ranges();
    test_option__real_numbers();
    test_option__words();
    test_option__lists();
    test_option__bounds_are_printed_in_their_units();
    test_option__secrets_are_not_in_messages();
    test_option__tables_have_no_wrong_default();
    test_suggest__finds_what_was_meant();
    return done_testing();
}
