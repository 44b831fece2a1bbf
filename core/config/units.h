/* units.h - numbers with units: counts, sizes, durations, rates. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CONFIG_UNITS_H
#define PENSTOCK_CONFIG_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <penstock/option.h>

struct pen_unit {
    const char *name; /* "" where no unit is needed; NULL ends a table */
    int64_t factor;
    bool shown;       /* used to print a value */
};
struct pen_units {
    const struct pen_unit *units;
    const char *example; /* "a duration such as 250ms, 10s, 5m, 1h" */
    const char *names;   /* "us, ms, s, m, h or d" */
};
struct pen_unit_fault {
    size_t at;
    char reason[120];
    char suggestion[64]; /* "" or the text that was meant, perhaps */
};

/* The units of COUNT, SIZE and DURATION. */
const struct pen_units *pen_units_of(pen_option_type type);
/* n bytes of text: digits, perhaps a point and up to six more, a unit; exact, or refused. */
bool pen_units_parse(const struct pen_units *u, const char *text, size_t n, int64_t *out, struct pen_unit_fault *why);
/* A count for each unit of time: 500/s, 2k/s, 0.5/m; out is for each second. */
bool pen_units_parse_rate(const char *text, double *out, struct pen_unit_fault *why);
/* v in the largest unit that holds it without a fraction. Returns buf. */
const char *pen_units_print(const struct pen_units *u, int64_t v, char *buf, size_t size);

#endif
