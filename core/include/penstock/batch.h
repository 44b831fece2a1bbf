/* batch.h - reading and building record batches: struct arrays of the Arrow C Data Interface.
 *
 * Sharing: a batch is lent to a stage for the call and read-only. To keep it (or a column of it) call pen_array_share(), which counts
 * references and copies nothing. Every batch that the engine lends can be shared; one that came from elsewhere (another Arrow library)
 * is made so by pen_array_adopt(), which the engine does with whatever a plugin hands it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_BATCH_H
#define PENSTOCK_BATCH_H

#include <string.h>

#include <penstock/arrow.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A read-only view of one column; valid while its array is. Row i of the column is element `offset + i` of the raw buffers. */
struct pen_column {
    const struct ArrowArray *array;
    const uint8_t *validity; /* bitmap, NULL when nothing is null */
    const void *data;        /* fixed-size values, or the bytes of utf8/binary */
    const int32_t *offsets;  /* utf8, binary, list; else NULL */
    int64_t length;
    int64_t offset;
};

/* View of child `index` of a batch. */
static inline struct pen_column pen_column_of(const struct ArrowArray *array)
{
    struct pen_column c;
    bool has_offsets = array->n_buffers == 3 || (array->n_buffers == 2 && array->n_children == 1);
    memset(&c, 0, sizeof c);
    c.array = array;
    c.validity = array->n_buffers > 0 && array->null_count != 0 ? (const uint8_t *)array->buffers[0] : NULL;
    c.offsets = has_offsets ? (const int32_t *)array->buffers[1] : NULL;
    c.data = array->n_buffers == 3 ? array->buffers[2] : array->n_buffers == 2 && !has_offsets ? array->buffers[1] : NULL;
    c.length = array->length;
    c.offset = array->offset;
    return c;
}
static inline struct pen_column pen_column_at(const struct ArrowArray *batch, int64_t index)
{
    return pen_column_of(batch->children[index]);
}
static inline bool pen_column_is_null(const struct pen_column *c, int64_t row)
{
    uint64_t i = (uint64_t)(c->offset + row);
    return c->validity && !((c->validity[i >> 3] >> (i & 7)) & 1);
}
/* Bytes of row `row` of a utf8 or binary column; *length out. Never NULL for a valid row of length 0. */
static inline const char *pen_column_bytes(const struct pen_column *c, int64_t row, size_t *length)
{
    const int32_t *o = c->offsets + c->offset + row;
    *length = (size_t)(o[1] - o[0]);
    return c->data ? (const char *)c->data + o[0] : "";
}
static inline int32_t pen_column_int32(const struct pen_column *c, int64_t row)
{
    return ((const int32_t *)c->data)[c->offset + row];
}
static inline int64_t pen_column_int64(const struct pen_column *c, int64_t row)
{
    return ((const int64_t *)c->data)[c->offset + row];
}
static inline double pen_column_float64(const struct pen_column *c, int64_t row)
{
    return ((const double *)c->data)[c->offset + row];
}
static inline bool pen_column_bool(const struct pen_column *c, int64_t row)
{
    uint64_t i = (uint64_t)(c->offset + row);
    return (((const uint8_t *)c->data)[i >> 3] >> (i & 7)) & 1;
}

/* Makes *array, which must fit the schema (pen_array_check), one that can be shared and sliced, keeping its buffers; nothing to do for what
 * Penstock built. A batch has offset 0 afterwards. On failure *array is as it was. */
pen_status pen_array_adopt(const struct ArrowSchema *schema, struct ArrowArray *array, struct pen_error *err);
/* A second owner of an array: *out shares in's buffers. in stays as it was. Any thread. */
pen_status pen_array_share(struct ArrowArray *out, const struct ArrowArray *in, struct pen_error *err);
/* Rows first … first+n-1 of a batch (or column) as one of its own; shares buffers. A batch and structs without nulls hand the offset on to
 * their columns and keep 0 themselves; a struct column with nulls keeps it, and its fields' rows then count from it. */
pen_status pen_array_slice(struct ArrowArray *out, const struct ArrowArray *in, int64_t first, int64_t n, struct pen_error *err);
/* The rows named by index (n of them, in that order) of a batch, copied into a new one. */
pen_status pen_array_take(struct ArrowArray *out, const struct ArrowSchema *schema, const struct ArrowArray *in, const int64_t *index,
                          int64_t n, struct pen_error *err);
/* A batch made of columns that exist: children are moved in (their release is cleared), length is their common one. */
pen_status pen_batch_from_columns(struct ArrowArray *out, struct ArrowArray *columns, size_t n, struct pen_error *err);
/* Refuses an array whose buffers, lengths, offsets or validity do not fit the schema. For batches from a plugin. */
pen_status pen_array_check(const struct ArrowSchema *schema, const struct ArrowArray *array, struct pen_error *err);
/* The column `in` with another validity bitmap (bit i, counted from the bitmap's start, is row i; where `in` has an
 * offset the bits are moved to fit it); shares in's values. bitmap is malloc'ed and moves in, NULL: nothing is null. For cleaners that only null. */
pen_status pen_array_masked(struct ArrowArray *out, const struct ArrowArray *in, uint8_t *bitmap, int64_t null_count, struct pen_error *err);
/* Bytes that the rows of this array hold in memory, shared or not. */
size_t pen_array_bytes(const struct ArrowArray *array);

/* -- builders ------------------------------------------------------------------------------------------------------------- */

/* Grows one array column by column and row by row. One thread at a time. Values are appended to the builder of a column; a row is
 * complete when each column has one more value. Running out of memory, and more than 2^31-1 bytes of text in a column, is remembered and
 * answered by pen_builder_finish(), so that appends need no check. */
struct pen_builder;

/* For a field or (a batch) a struct schema; the schema is copied. */
pen_status pen_builder_new(struct pen_builder **out, const struct ArrowSchema *schema, struct pen_error *err);
void pen_builder_free(struct pen_builder **b);
/* The builder of child i: a struct's field, a list's item. Owned by b, valid for b's life. */
struct pen_builder *pen_builder_child(struct pen_builder *b, size_t i);
int64_t pen_builder_length(const struct pen_builder *b);
/* Bytes held so far, children included. */
size_t pen_builder_bytes(const struct pen_builder *b);
void pen_builder_null(struct pen_builder *b);
void pen_builder_bool(struct pen_builder *b, bool v);
void pen_builder_int32(struct pen_builder *b, int32_t v); /* int32, date32 */
void pen_builder_int64(struct pen_builder *b, int64_t v); /* int64, timestamp */
void pen_builder_float64(struct pen_builder *b, double v);
void pen_builder_decimal128(struct pen_builder *b, const uint8_t le[16]); /* little-endian two's complement */
void pen_builder_bytes_value(struct pen_builder *b, const void *bytes, size_t n); /* utf8, binary */
/* List: call after its items were appended to the child. Struct: after every field was; for the batch itself it is not needed. */
void pen_builder_end_list(struct pen_builder *b);
void pen_builder_end_struct(struct pen_builder *b);
/* Moves what was built to *out and leaves the builder empty, ready for the next batch. */
pen_status pen_builder_finish(struct pen_builder *b, struct ArrowArray *out, struct pen_error *err);
/* Drops rows built since length was n (an incomplete row after an error). */
void pen_builder_truncate(struct pen_builder *b, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
