/* footer.h - a Parquet file's metadata as read, and the tree of its columns.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_FOOTER_H
#define PENSTOCK_PARQUET_FOOTER_H

#include <penstock/arrow.h>

#include "thrift.h"

/* An element of the flattened schema. Texts point into the footer's bytes. */
struct pen_element {
    const char *name;
    size_t name_n;
    int physical;                 /* -1: a group */
    int32_t width, children, scale, precision;
    int repetition;               /* PQ_REQUIRED where not said */
    int converted;                /* -1: none */
    int logical;                  /* PQ_LOGICAL_…, 0: none, -1: one that is not known */
    int unit;                     /* of times: 1 ms, 2 us, 3 ns */
    int bits;                     /* of LOGICAL_INTEGER */
    bool is_signed;
};

struct pen_chunk {
    int physical, codec;
    int64_t values, compressed, uncompressed, data_offset, dictionary_offset;
    const char *refusal;          /* why it cannot be read, or NULL */
};

struct pen_row_group {
    int64_t rows;
    struct pen_chunk *chunks;     /* one a leaf */
};

struct pen_pair {
    char *key, *value;
};

struct pen_footer {
    uint8_t *bytes;
    struct pen_element *elements;
    size_t n_elements, n_leaves;
    struct pen_row_group *groups;
    size_t n_groups;
    struct pen_chunk *chunks;
    struct pen_pair *pairs;
    size_t n_pairs;
    int64_t rows;
};

/* Parses n bytes (a malloc'ed buffer, which the footer takes over in any case). Errors do not name the file. */
pen_status pen_footer_parse(struct pen_footer *f, uint8_t *bytes, size_t n, int64_t file_size, struct pen_error *err);
void pen_footer_fini(struct pen_footer *f);

/* How a leaf's stored values become those of its column. */
typedef enum {
    PEN_AS_IS,            /* bool, int32, int64, double, texts */
    PEN_FROM_UINT32,      /* int32 to int64 */
    PEN_FROM_FLOAT,
    PEN_FROM_FLOAT16,     /* two bytes, little-endian */
    PEN_FROM_MILLIS,
    PEN_FROM_NANOS,
    PEN_FROM_INT96,       /* Impala's and Spark's old timestamps */
    PEN_FROM_DECIMAL,     /* int32, int64, big-endian bytes to decimal128 */
    PEN_FROM_FIXED        /* fixed bytes to binary */
} pen_conversion;

typedef enum { PEN_COLUMN_LEAF, PEN_COLUMN_STRUCT, PEN_COLUMN_LIST } pen_column_kind;

/* A node of the tree that mirrors the Arrow schema. */
struct pen_tree {
    pen_column_kind kind;
    bool nullable;
    uint8_t def;          /* definition level from which on this is not null */
    uint8_t slot_def;     /* from which on it has a slot at all: an item of the list around it is there */
    uint8_t rep;          /* repetition levels above this: entries with more go on within it */
    size_t first_leaf;    /* any leaf below; its levels tell this node's */
    struct pen_tree *children;
    size_t n_children;
    /* leaves */
    size_t leaf;
    int physical;
    int32_t width;
    pen_type type;
    pen_conversion conversion;
    uint8_t max_def, max_rep;
    const char *refusal;  /* why this cannot be read, or NULL */
};

/* Makes the Arrow schema and the tree of its columns (children of *root) out of the footer's elements. */
pen_status pen_tree_new(const struct pen_footer *f, struct ArrowSchema *schema, struct pen_tree *root, struct pen_error *err);
void pen_tree_fini(struct pen_tree *t);

#endif
