/* option.h - the table of options: parser, default, range check, help and manual page of every stage.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_OPTION_H
#define PENSTOCK_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {             /* member of the context at `offset`: */
    PEN_OPT_STRING = 1,    /* const char * (NULL where not given and no default) */
    PEN_OPT_BOOL,          /* bool; yes, no, true, false, on, off */
    PEN_OPT_INT,           /* int64_t; a whole number */
    PEN_OPT_COUNT,         /* int64_t; 100, 100k, 5M */
    PEN_OPT_SIZE,          /* int64_t bytes; 64MiB, 10MB, 512 */
    PEN_OPT_DURATION,      /* int64_t microseconds; 250ms, 10s, 5m, 1h, 7d */
    PEN_OPT_DURATION_RANGE,/* struct pen_range, microseconds; 0s..2s, or one duration for both ends */
    PEN_OPT_RATE,          /* double a second; 500/s, 30/m, 2k/s */
    PEN_OPT_FLOAT,         /* double */
    PEN_OPT_ENUM,          /* int, index into `choices` */
    PEN_OPT_LIST,          /* struct pen_strings; separated by spaces or commas; "quoted words" may hold both */
    PEN_OPT_COMPRESSION,   /* struct pen_compression; none, snappy, zstd, zstd:1 */
    PEN_OPT_PAIRS          /* struct pen_pairs: every key that begins with `name` (which ends in a dot) */
} pen_option_type;

struct pen_range {
    int64_t min, max;
};
struct pen_strings {
    size_t n;
    const char *const *v;
};
typedef enum { PEN_CODEC_NONE = 0, PEN_CODEC_SNAPPY, PEN_CODEC_ZSTD } pen_codec;
struct pen_compression {
    pen_codec codec;
    int level;
};
struct pen_pairs {
    size_t n;
    const char *const *names; /* without the prefix */
    const char *const *values;
};

#define PEN_OPTION_REQUIRED 1u
#define PEN_OPTION_SECRET 2u /* its value is never printed */

/* A row; a row whose name is NULL ends the table. Strings that options point to live as long as the stage. */
struct pen_option {
    const char *name;
    pen_option_type type;
    size_t offset;       /* of the member in the plugin's context */
    const char *def;     /* default, spelled as in the file; NULL: zero, NULL, empty */
    int64_t min, max;    /* of numbers, sizes (bytes), durations (microseconds); both 0: no bound */
    const char *choices; /* PEN_OPT_ENUM: "strict|evolve". INT, COUNT, SIZE, DURATION: one word that may stand in place of the number and
                            is stored as -1 ("none", "cores"), or NULL */
    unsigned flags;      /* PEN_OPTION_… */
    const char *doc;     /* one or two sentences: what it does, printed by describe, check and the manual page */
};

#ifdef __cplusplus
}
#endif
#endif
