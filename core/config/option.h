/* option.h - typed values out of text, by a row of an option table. Also for the options of verbs on the command line.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CONFIG_OPTION_H
#define PENSTOCK_CONFIG_OPTION_H

#include <penstock/error.h>
#include <penstock/option.h>

#include "config/arena.h"

struct pen_option_fault {
    size_t at;           /* offset in the text where it lies */
    char suggestion[80]; /* the text that was meant, perhaps; or "" */
};

/* Parses text and stores the value at o->offset of ctx, which changes only on success; strings and lists are copied into mem. On
 * PEN_BADCONF the message is `NAME = "TEXT": what was expected`, without the text where the option is secret; fault may be NULL.
 * PEN_OPT_PAIRS is not for this function. */
pen_status pen_option_parse(const struct pen_option *o, const char *text, void *ctx, struct pen_arena *mem, struct pen_option_fault *fault,
                            struct pen_error *err);
/* Sets every option of the table that has a default; a default that does not parse is the table's mistake: PEN_FATAL. */
pen_status pen_option_defaults(const struct pen_option *table, void *ctx, struct pen_arena *mem, struct pen_error *err);
/* The row that `key` belongs to (PEN_OPT_PAIRS: by prefix), or NULL. */
const struct pen_option *pen_option_find(const struct pen_option *table, const char *key);
/* "duration", "size", "strict|evolve" …: the type as describe and messages name it. */
const char *pen_option_type_name(const struct pen_option *o);
/* The next word of a list (see PEN_OPT_LIST) from *at on: *start and *n are its bytes without quotes, *at moves behind it. PEN_SKIP at the end,
 * PEN_BADCONF with *at at the fault. */
pen_status pen_option_word(const char *text, size_t *at, size_t *start, size_t *n, struct pen_error *err);
/* NAME (type, default 10s, 1s to 1d): documentation. As messages show it. NULL when memory is short. */
const char *pen_option_help(const struct pen_option *o, struct pen_arena *mem);
/* Whether its max is no bound to speak of. */
static inline bool pen_option_unbounded(const struct pen_option *o)
{
    return o->max >= INT64_C(1) << 60;
}
/* A bound (min or max) of o as text in the option's own unit. Returns buf. */
const char *pen_option_bound(const struct pen_option *o, int64_t bound, char *buf, size_t size);

#endif
