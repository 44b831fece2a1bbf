/* fuzz_ini.c - pipeline files of any bytes: read, applied, printed. Sources: libpenstock.
 * References to files are left out, so that the fuzzer reads none. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

struct context {
    const char *text;
    bool yes;
    int64_t number, count, size, duration;
    struct pen_range range;
    double rate, real;
    int choice;
    struct pen_strings list;
    struct pen_compression compression;
    struct pen_pairs pairs;
};
#define OPT(member) offsetof(struct context, member)
static const struct pen_option options[] = {
    { "t", PEN_OPT_STRING, OPT(text), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED, "" },
    { "s", PEN_OPT_STRING, OPT(text), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "" },
    { "b", PEN_OPT_BOOL, OPT(yes), "yes", 0, 0, NULL, 0, "" },
    { "n", PEN_OPT_INT, OPT(number), "1", -5, 5, NULL, 0, "" },
    { "c", PEN_OPT_COUNT, OPT(count), "none", 0, 0, "none", 0, "" },
    { "z", PEN_OPT_SIZE, OPT(size), "1MiB", 1, INT64_MAX, NULL, 0, "" },
    { "d", PEN_OPT_DURATION, OPT(duration), "1s", 0, 0, NULL, 0, "" },
    { "r", PEN_OPT_DURATION_RANGE, OPT(range), "1s..2s", 0, 0, NULL, 0, "" },
    { "a", PEN_OPT_RATE, OPT(rate), "1/s", 0, 0, NULL, 0, "" },
    { "f", PEN_OPT_FLOAT, OPT(real), "1", 0, 0, NULL, 0, "" },
    { "e", PEN_OPT_ENUM, OPT(choice), "x", 0, 0, "x|y", 0, "" },
    { "l", PEN_OPT_LIST, OPT(list), NULL, 0, 0, NULL, 0, "" },
    { "k", PEN_OPT_COMPRESSION, OPT(compression), "zstd", 0, 0, NULL, 0, "" },
    { "p.", PEN_OPT_PAIRS, OPT(pairs), NULL, 0, 0, NULL, 0, "" },
    { .name = NULL }
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *null;
    struct pen_error err = { 0 };
    struct pen_config *c;
    if (!null && !(null = fopen("/dev/null", "w")))
        return 0;
    if (memmem(data, size, "file:", 5) || memmem(data, size, "include", 7))
        return 0;
    if (pen_config_load_text(&c, "fuzz.ini", (const char *)data, size, NULL, 0, &err) < 0)
        return 0;
    for (size_t i = 0; i < c->n_stages; i++) {
        struct context ctx = { 0 };
        pen_status st = pen_config_apply(c, &c->stages[i], options, &ctx);
        if (st == PEN_OK && !ctx.text)
            abort();
        if (st < 0 && !c->diags.errors)
            abort();
    }
    pen_diags_print(&c->diags, null);
    pen_diags_print_json(&c->diags, null);
    pen_config_free(&c);
    return 0;
}
