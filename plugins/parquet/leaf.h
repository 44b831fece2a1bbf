/* leaf.h - the leaf columns of a schema: how Parquet stores each, and how a batch's rows become its levels and values.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_LEAF_H
#define PENSTOCK_PARQUET_LEAF_H

#include <penstock/arrow.h>
#include <penstock/batch.h>

#include "thrift.h"

typedef enum { PEN_NODE_STRUCT, PEN_NODE_LIST, PEN_NODE_LEAF } pen_node_kind;

/* One step from a column down to a leaf. */
struct pen_node {
    pen_node_kind kind;
    bool nullable;
    int64_t child; /* which child of this node comes next */
};

struct pen_leaf {
    const struct ArrowSchema *field;
    pen_type type;
    int physical;      /* PQ_… */
    int32_t width;     /* bytes of a PQ_FIXED value */
    int precision, scale;
    unsigned max_def, max_rep;
    int64_t column;    /* top-level column it belongs to */
    struct pen_node *nodes; /* from that column to the leaf */
    size_t n_nodes;
    const char **path; /* names as the file has them, with a list's own levels */
    size_t n_path;
    const char **names;/* without them */
    size_t n_names;
    bool flat;         /* neither below a list nor below a struct */
};

/* The leaves of a schema that outlives them. */
pen_status pen_leaves_new(struct pen_leaf **out, size_t *n, const struct ArrowSchema *schema, struct pen_error *err);
void pen_leaves_free(struct pen_leaf *leaves, size_t n);
/* Writes the list of SchemaElements as field 2 of the file's metadata. */
void pen_leaves_put_schema(struct pen_thrift_out *t, const struct ArrowSchema *schema);

/* Rows of one leaf, ready to be encoded. Values are dense: those of null rows are left out. */
struct pen_slice {
    size_t rows, levels, values;
    const uint8_t *validity;  /* flat leaf: bit first + i says whether row i has a value; NULL: all have */
    int64_t first;
    const uint8_t *def, *rep; /* leaf below others: levels, one byte each */
    const void *fixed;        /* bool as bytes; int32; int64; double; PQ_FIXED big-endian */
    const char *bytes;        /* PQ_BYTE_ARRAY: value i is bytes[start[i] … start[i] + length[i]) */
    const int32_t *start, *length;
    int64_t total;            /* bytes of all values */
};

/* Memory that slices live in; reused from one to the next. */
struct pen_shredder {
    struct pen_buf def, rep, index, fixed, start, length;
};

/* Rows first … first+n-1 of the leaf. The slice is valid until the next call, and while the batch is. */
pen_status pen_shred(struct pen_shredder *s, const struct pen_leaf *leaf, const struct ArrowArray *batch, int64_t first, int64_t n,
                     struct pen_slice *out, struct pen_error *err);
/* How many rows from first on, at most max and at least one, have about this many bytes in the leaf. */
int64_t pen_shred_fit(const struct pen_leaf *leaf, const struct ArrowArray *batch, int64_t first, int64_t max, size_t bytes);
void pen_shredder_fini(struct pen_shredder *s);
size_t pen_shredder_held(const struct pen_shredder *s);

#endif
