/* arrow.h - the Arrow C Data Interface and small helpers over its schemas.
 * The two structures are the published ABI (Apache Arrow, "The Arrow C data interface"); see there for ownership: a structure is
 * yours once `release` is set, moving it means copying the bits and clearing the source's `release`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ARROW_H
#define PENSTOCK_ARROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <penstock/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
#endif

/* The types that Penstock's batches hold, with their Arrow format strings. */
typedef enum {
    PEN_TYPE_NONE = 0,   /* any other format string */
    PEN_TYPE_BOOL,       /* "b" */
    PEN_TYPE_INT32,      /* "i" */
    PEN_TYPE_INT64,      /* "l" */
    PEN_TYPE_FLOAT64,    /* "g" */
    PEN_TYPE_DECIMAL128, /* "d:PRECISION,SCALE" */
    PEN_TYPE_UTF8,       /* "u", 32-bit offsets */
    PEN_TYPE_BINARY,     /* "z", 32-bit offsets */
    PEN_TYPE_DATE32,     /* "tdD", days since 1970-01-01 */
    PEN_TYPE_TIMESTAMP,  /* "tsu:UTC", microseconds since 1970-01-01T00:00:00Z */
    PEN_TYPE_LIST,       /* "+l", one child, 32-bit offsets */
    PEN_TYPE_STRUCT      /* "+s" */
} pen_type;

/* Flags above Arrow's own, used only in the schema that a stage wants its input decoded to (see plugin.h, "wants"). */
#define PEN_FIELD_JSON_TEXT (INT64_C(1) << 40) /* utf8: the JSON text of the value as sent, quotes and escapes kept; JSON null is null */

/* A list of struct<key, value> that stands for a map: a file format that knows maps writes and reads it as one (logs of tables need those);
 * everywhere else it is that list. */
#define PEN_FIELD_MAP (INT64_C(1) << 41)

/* Type of a field; PEN_TYPE_NONE for formats that Penstock does not hold. */
pen_type pen_schema_type(const struct ArrowSchema *field);
/* Name for messages: "int32", "list<float64>" …; written into buf (cut at size), which is returned. */
const char *pen_schema_type_name(const struct ArrowSchema *field, char *buf, size_t size);
/* Makes *out a struct schema ("+s") with n children that are still empty (release NULL); fill each by pen_schema_init_field(). */
pen_status pen_schema_init_struct(struct ArrowSchema *out, const char *name, size_t n, struct pen_error *err);
/* Makes *out a field of the given format and name (both copied) and flags (ARROW_FLAG_NULLABLE …). "+l" and "+s" take n children. */
pen_status pen_schema_init_field(struct ArrowSchema *out, const char *format, const char *name, int64_t flags, size_t n,
                                 struct pen_error *err);
/* The short way to a flat schema: every pair is a format and a name; nullable unless the format begins with '!'. NULL ends. */
pen_status pen_schema_from_pairs(struct ArrowSchema *out, const char *const *pairs, struct pen_error *err);
pen_status pen_schema_copy(struct ArrowSchema *out, const struct ArrowSchema *in, struct pen_error *err);
/* Index of the child called name, or -1. */
int64_t pen_schema_find(const struct ArrowSchema *schema, const char *name);
/* Same types and names in the same order, nullability and metadata aside. */
bool pen_schema_equal(const struct ArrowSchema *a, const struct ArrowSchema *b);
/* Refuses NULL pointers, wrong child counts, types that Penstock does not hold. For schemas from a plugin. */
pen_status pen_schema_check(const struct ArrowSchema *schema, struct pen_error *err);
/* Calls release where set; NULL and released ones are fine. */
void pen_schema_release(struct ArrowSchema *schema);
void pen_array_release(struct ArrowArray *array);

#ifdef __cplusplus
}
#endif
#endif
