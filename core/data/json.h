/* json.h - JSON to columns: the decoder behind the intake.
 *
 * One pass over the bytes, straight into the builders. The keys of an object are foretold from the record before: where the bytes between two
 * values are the same as last time (comma, key, colon and white space in one comparison) nothing is parsed. The decoder is compiled once for
 * each instruction set (json_decode.h) and chosen at run time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_JSON_H
#define PENSTOCK_DATA_JSON_H

#include "data/builder.h"

#if defined __x86_64__ && defined __GNUC__
#define PEN_JSON_X86 1
#endif

#define PEN_JSON_DEPTH 512
#define PEN_JSON_MISSES 64u /* after which a slot makes room for what stands in its place */
#define PEN_JSON_SLOT 64u /* longest run of bytes between two values that is foretold */

/* What became of a value: VALUE and NULL as sent, UNFIT a null in place of what the type cannot hold. */
typedef enum { PEN_JSON_VALUE, PEN_JSON_NULL, PEN_JSON_UNFIT } pen_json_fit;

struct pen_json_field {
    char *name;
    size_t name_n;
    pen_type type;
    bool nullable, json_text;
    int precision, scale;
    struct pen_builder *column;
    struct pen_json_field *item;   /* of a list */
    struct pen_json_object *object;/* of a struct */
    /* Fields of the record itself: */
    uint64_t null_at, unfit_at;    /* serial of the last record whose value was null, or had something nulled */
    const char *unfit;             /* that value's text, for the reason */
    size_t unfit_n;
    int64_t nulled;
};

struct pen_json_slot {
    char bytes[PEN_JSON_SLOT];
    uint64_t mask;                 /* the lowest n bits */
    size_t n;                      /* 0: nothing foretold yet */
    struct pen_json_field *field;  /* NULL: nobody wants it */
    unsigned misses;               /* how often something else stood there */
};

struct pen_json_object {
    struct pen_builder *builder;
    struct pen_json_field *fields;
    size_t n_fields;
    struct pen_json_slot *slots;   /* the first key's, then the others' in the order they come in */
    size_t n_slots;                /* and one more, never taught, so that a walk may look behind them */
};

struct pen_json_decoder {
    struct pen_json_object root;
    struct pen_builder *builder;
    const char *end;               /* of what may be read */
    bool lines;                    /* a newline ends the record */
    uint64_t serial;               /* of the record at hand, from 1 */
    bool something_nulled;         /* in the value at hand */
    pen_json_fit fit;              /* of the value just decoded */
    const char *reason;            /* why decoding stopped, and where */
    const char *reason_at;
    const struct pen_json_kernel *kernel;
};

typedef enum { PEN_JSON_ROW, PEN_JSON_BLANK, PEN_JSON_BAD } pen_json_outcome;

/* One compilation of the decoder. */
struct pen_json_kernel {
    const char *name;
    bool (*usable)(void);
    /* Decodes the record at p into the builders; *next is behind it and its newline, or unset where the outcome is BAD. A bad record
     * leaves the builders as they were before it. */
    pen_json_outcome (*record)(struct pen_json_decoder *d, const char *p, const char **next);
};

extern const struct pen_json_kernel pen_json_portable;
#ifdef PEN_JSON_X86
extern const struct pen_json_kernel pen_json_avx2, pen_json_avx512;
#endif

/* Kernels, best first, the portable one last; n out. */
const struct pen_json_kernel *const *pen_json_kernels(size_t *n);
/* The one to use: the best that this CPU has, or the one that the environment variable PENSTOCK_JSON names (for tests). */
const struct pen_json_kernel *pen_json_kernel(void);

pen_status pen_json_decoder_new(struct pen_json_decoder **out, const struct ArrowSchema *want, struct pen_error *err);
void pen_json_decoder_free(struct pen_json_decoder **d);
/* Why a record was bad, as one line. record: its first byte. */
void pen_json_explain(const struct pen_json_decoder *d, const char *record, char *buf, size_t size);

#endif
