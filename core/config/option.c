/* option.c - see option.h: words, lists, choices; numbers with units are in units.c. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* strtod_l */
#include <assert.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/diag.h"
#include "config/option.h"
#include "config/units.h"
#include "ops/text.h"

/* The text of a value as messages show it: quoted, escaped, not too long. */
static const char *shown(const struct pen_option *o, const char *text, char *buf, size_t size)
{
    char part[64];
    if (o->flags & PEN_OPTION_SECRET) {
        snprintf(buf, size, "(secret)");
        return buf;
    }
    pen_text_escape(part, sizeof part, text, strlen(text));
    snprintf(buf, size, "\"%s\"", part);
    return buf;
}

/* `NAME = "TEXT": ` and the reason. */
static pen_status refuse(const struct pen_option *o, const char *text, struct pen_error *err, const char *reason)
{
    char buf[80];
    return pen_fail(err, PEN_BADCONF, "%s = %s: %s", o->name, shown(o, text, buf, sizeof buf), reason);
}

static bool bounded(const struct pen_option *o)
{
    return o->min || o->max;
}

static pen_status check_bounds(const struct pen_option *o, const char *text, double below, double above, struct pen_error *err)
{
    char low[48], high[48], reason[160];
    if (!bounded(o) || (below >= (double)o->min && above <= (double)o->max))
        return PEN_OK;
    pen_option_bound(o, o->min, low, sizeof low);
    pen_option_bound(o, o->max, high, sizeof high);
    if (pen_option_unbounded(o))
        snprintf(reason, sizeof reason, "expected %s or more", low);
    else
        snprintf(reason, sizeof reason, "expected %s to %s", low, high);
    return refuse(o, text, err, reason);
}

static void suggest(struct pen_option_fault *fault, const char *text)
{
    if (text && strlen(text) < sizeof fault->suggestion)
        strcpy(fault->suggestion, text);
}

static pen_status parse_bool(const struct pen_option *o, const char *text, void *to, struct pen_option_fault *fault, struct pen_error *err)
{
    static const char *const words[] = { "yes", "true", "on", "no", "false", "off" };
    size_t n = sizeof words / sizeof *words;
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *(bool *)to = i < 3;
            return PEN_OK;
        }
    suggest(fault, strcmp(text, "1") == 0 ? "yes" : strcmp(text, "0") == 0 ? "no" : pen_suggest(text, words, n));
    return refuse(o, text, err, "expected yes or no");
}

static pen_status parse_enum(const struct pen_option *o, const char *text, void *to, struct pen_option_fault *fault, struct pen_error *err)
{
    char copy[256], reason[320];
    const char *words[32];
    size_t n = 0;
    assert(o->choices && strlen(o->choices) < sizeof copy);
    strcpy(copy, o->choices);
    for (char *rest = copy, *word; n < 32 && (word = strsep(&rest, "|"));)
        words[n++] = word;
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0) {
            *(int *)to = (int)i;
            return PEN_OK;
        }
    suggest(fault, pen_suggest(text, words, n));
    strcpy(reason, "expected ");
    for (size_t i = 0; i < n; i++) {
        strcat(reason, i == 0 ? "" : i + 1 == n ? " or " : ", ");
        strcat(reason, words[i]);
    }
    return refuse(o, text, err, reason);
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == '\n';
}

pen_status pen_option_word(const char *text, size_t *at, size_t *start, size_t *n, struct pen_error *err)
{
    size_t i = *at, from;
    while (is_separator(text[i]))
        i++;
    *at = from = i;
    if (!text[i])
        return PEN_SKIP;
    if (text[i] == '"') {
        const char *end = strchr(text + i + 1, '"');
        if (!end)
            return pen_fail(err, PEN_BADCONF, "a quote that is not closed");
        if (end[1] && !is_separator(end[1])) {
            *at = (size_t)(end + 1 - text);
            return pen_fail(err, PEN_BADCONF, "expected a space or a comma after the quoted word");
        }
        *start = i + 1;
        *n = (size_t)(end - text) - *start;
        *at = (size_t)(end + 1 - text);
        return PEN_OK;
    }
    while (text[i] && !is_separator(text[i]))
        i++;
    *start = from;
    *n = i - from;
    *at = i;
    return PEN_OK;
}

static pen_status parse_list(const struct pen_option *o, const char *text, void *to, struct pen_arena *mem, struct pen_option_fault *fault,
                             struct pen_error *err)
{
    struct pen_error inner = { 0 };
    const char **v = NULL;
    size_t n = 0, start, len;
    pen_status st;
    while ((st = pen_option_word(text, &fault->at, &start, &len, &inner)) == PEN_OK) {
        if (!pen_arena_grow(mem, (void **)&v, n, sizeof *v) || !(v[n] = pen_arena_copy(mem, text + start, len)))
            return pen_fail(err, PEN_FATAL, "out of memory");
        n++;
    }
    if (st < 0)
        return refuse(o, text, err, inner.msg);
    *(struct pen_strings *)to = (struct pen_strings){ n, v };
    return PEN_OK;
}

static pen_status parse_compression(const struct pen_option *o, const char *text, void *to, struct pen_option_fault *fault,
                                    struct pen_error *err)
{
    static const char *const words[] = { "none", "snappy", "zstd" };
    struct pen_compression c = { PEN_CODEC_NONE, 0 };
    if (strcmp(text, "snappy") == 0) {
        c.codec = PEN_CODEC_SNAPPY;
    } else if (strncmp(text, "zstd", 4) == 0 && (!text[4] || text[4] == ':')) {
        char *end = NULL;
        long level = text[4] ? strtol(text + 5, &end, 10) : 1;
        if (text[4] && (end == text + 5 || *end || text[5] < '0' || text[5] > '9' || level < 1 || level > 22)) {
            fault->at = 5;
            return refuse(o, text, err, "expected a level of 1 to 22 behind zstd:");
        }
        c.codec = PEN_CODEC_ZSTD;
        c.level = (int)level;
    } else if (strcmp(text, "none") != 0) {
        suggest(fault, pen_suggest(text, words, 3));
        return refuse(o, text, err, "expected none, snappy, zstd or zstd:LEVEL");
    }
    *(struct pen_compression *)to = c;
    return PEN_OK;
}

static pen_status parse_float(const struct pen_option *o, const char *text, void *to, struct pen_error *err)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char *end;
    double v;
    pen_status st;
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    v = strtod_l(text, &end, c);
    freelocale(c);
    if (!text[0] || *end || text[0] == ' ' || strpbrk(text, "xXnN") || !isfinite(v))
        return refuse(o, text, err, "expected a number such as 0.5 or 2");
    if ((st = check_bounds(o, text, v, v, err)) == PEN_OK)
        *(double *)to = v;
    return st;
}

static pen_status parse_int(const struct pen_option *o, const char *text, void *to, struct pen_error *err)
{
    const char *digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    int64_t v = 0;
    pen_status st;
    if (!*digits)
        return refuse(o, text, err, "expected a whole number");
    for (const char *p = digits; *p; p++) {
        if (*p < '0' || *p > '9')
            return refuse(o, text, err, "expected a whole number");
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *p - '0', &v)) /* below zero there is one more */
            return refuse(o, text, err, "does not fit 64 bits");
    }
    if (text[0] != '-' && __builtin_sub_overflow(0, v, &v))
        return refuse(o, text, err, "does not fit 64 bits");
    if (bounded(o) && (v < o->min || v > o->max) && (st = check_bounds(o, text, (double)v - 1, (double)v + 1, err)) < 0)
        return st;
    *(int64_t *)to = v;
    return PEN_OK;
}

/* COUNT, SIZE, DURATION: whole units of their kind, exact. */
static pen_status parse_amount(const struct pen_option *o, const char *text, void *to, struct pen_option_fault *fault, struct pen_error *err)
{
    struct pen_unit_fault why = { 0 };
    int64_t v;
    size_t n = strlen(text);
    if (!pen_units_parse(pen_units_of(o->type), text, n, &v, &why)) {
        fault->at = why.at;
        suggest(fault, why.suggestion);
        return refuse(o, text, err, why.reason);
    }
    if (bounded(o) && (v < o->min || v > o->max))
        return check_bounds(o, text, (double)v - 1, (double)v + 1, err);
    *(int64_t *)to = v;
    return PEN_OK;
}

static pen_status parse_duration_range(const struct pen_option *o, const char *text, void *to, struct pen_option_fault *fault,
                                       struct pen_error *err)
{
    const char *dots = strstr(text, "..");
    size_t n = dots ? (size_t)(dots - text) : strlen(text), second = dots ? n + 2 : 0;
    struct pen_unit_fault why = { 0 };
    struct pen_range r;
    pen_status st;
    bool good = pen_units_parse(pen_units_of(PEN_OPT_DURATION), text, n, &r.min, &why);
    if (good && dots) {
        good = pen_units_parse(pen_units_of(PEN_OPT_DURATION), text + second, strlen(text) - second, &r.max, &why);
        why.at += second;
    } else {
        r.max = r.min;
    }
    if (!good) {
        fault->at = why.at;
        return refuse(o, text, err, why.reason);
    }
    if (r.min > r.max)
        return refuse(o, text, err, "the first duration is longer than the second");
    if ((st = check_bounds(o, text, (double)r.min, (double)r.max, err)) == PEN_OK)
        *(struct pen_range *)to = r;
    return st;
}

static pen_status parse_rate(const struct pen_option *o, const char *text, void *to, struct pen_option_fault *fault, struct pen_error *err)
{
    struct pen_unit_fault why = { 0 };
    pen_status st;
    double v;
    if (!pen_units_parse_rate(text, &v, &why)) {
        fault->at = why.at;
        suggest(fault, why.suggestion);
        return refuse(o, text, err, why.reason);
    }
    if ((st = check_bounds(o, text, v, v, err)) == PEN_OK)
        *(double *)to = v;
    return st;
}

static bool is_word_for_none(const struct pen_option *o, const char *text)
{
    return (o->type == PEN_OPT_INT || o->type == PEN_OPT_COUNT || o->type == PEN_OPT_SIZE || o->type == PEN_OPT_DURATION) && o->choices &&
           strcmp(o->choices, text) == 0;
}

static pen_status parse_string(const char *text, void *to, struct pen_arena *mem, struct pen_error *err)
{
    char *copy = pen_arena_copy(mem, text, strlen(text));
    if (!copy)
        return pen_fail(err, PEN_FATAL, "out of memory");
    *(const char **)to = copy;
    return PEN_OK;
}

pen_status pen_option_parse(const struct pen_option *o, const char *text, void *ctx, struct pen_arena *mem, struct pen_option_fault *fault,
                            struct pen_error *err)
{
    struct pen_option_fault unwanted;
    void *to = (char *)ctx + o->offset;
    fault = fault ? fault : &unwanted;
    *fault = (struct pen_option_fault){ 0 };
    if (is_word_for_none(o, text)) {
        *(int64_t *)to = -1;
        return PEN_OK;
    }
    switch (o->type) {
    case PEN_OPT_STRING: return parse_string(text, to, mem, err);
    case PEN_OPT_BOOL: return parse_bool(o, text, to, fault, err);
    case PEN_OPT_INT: return parse_int(o, text, to, err);
    case PEN_OPT_COUNT:
    case PEN_OPT_SIZE:
    case PEN_OPT_DURATION: return parse_amount(o, text, to, fault, err);
    case PEN_OPT_DURATION_RANGE: return parse_duration_range(o, text, to, fault, err);
    case PEN_OPT_RATE: return parse_rate(o, text, to, fault, err);
    case PEN_OPT_FLOAT: return parse_float(o, text, to, err);
    case PEN_OPT_ENUM: return parse_enum(o, text, to, fault, err);
    case PEN_OPT_LIST: return parse_list(o, text, to, mem, fault, err);
    case PEN_OPT_COMPRESSION: return parse_compression(o, text, to, fault, err);
    case PEN_OPT_PAIRS: break;
    }
    return pen_fail(err, PEN_FATAL, "option %s has type %d, which this version does not know", o->name, (int)o->type);
}

pen_status pen_option_defaults(const struct pen_option *table, void *ctx, struct pen_arena *mem, struct pen_error *err)
{
    for (const struct pen_option *o = table; o && o->name; o++) {
        pen_status st = o->def && o->type != PEN_OPT_PAIRS ? pen_option_parse(o, o->def, ctx, mem, NULL, err) : PEN_OK;
        if (st < 0)
            return PEN_FATAL;
    }
    return PEN_OK;
}

const struct pen_option *pen_option_find(const struct pen_option *table, const char *key)
{
    for (const struct pen_option *o = table; o && o->name; o++) {
        size_t n = strlen(o->name);
        if (o->type == PEN_OPT_PAIRS ? strncmp(key, o->name, n) == 0 && key[n] : strcmp(key, o->name) == 0)
            return o;
    }
    return NULL;
}
