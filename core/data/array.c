/* array.c - array nodes over counted memory: sharing, slicing, masking and putting batches together without copying values.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/array.h"

struct array_node {
    struct pen_memory *memory;
    unsigned value_bits;
    const void *buffers[PEN_BUFFERS];
    struct ArrowArray **children;
    struct ArrowArray storage[];
};

static void node_release(struct ArrowArray *a)
{
    struct array_node *node = a->private_data;
    for (int64_t i = 0; i < a->n_children; i++)
        pen_array_release(a->children[i]);
    pen_memory_release(node->memory);
    free(node);
    memset(a, 0, sizeof *a);
}

void pen_array_release(struct ArrowArray *array)
{
    if (array && array->release) {
        array->release(array);
        array->release = NULL;
    }
}

bool pen_array_is_own(const struct ArrowArray *array)
{
    return array->release == node_release;
}

unsigned pen_type_bits(pen_type type)
{
    switch (type) {
    case PEN_TYPE_BOOL: return 1;
    case PEN_TYPE_INT32:
    case PEN_TYPE_DATE32: return 32;
    case PEN_TYPE_INT64:
    case PEN_TYPE_FLOAT64:
    case PEN_TYPE_TIMESTAMP: return 64;
    case PEN_TYPE_DECIMAL128: return 128;
    default: return 0;
    }
}

pen_status pen_array_node(struct ArrowArray *out, struct pen_memory *memory, int64_t n_buffers, size_t n_children, unsigned value_bits,
                          struct pen_error *err)
{
    struct array_node *node = calloc(1, sizeof *node + n_children * (sizeof *node->storage + sizeof *node->children));
    memset(out, 0, sizeof *out);
    if (!node) {
        pen_memory_release(memory);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    node->memory = memory;
    node->value_bits = value_bits;
    node->children = (struct ArrowArray **)(void *)(node->storage + n_children);
    for (size_t i = 0; i < n_children; i++)
        node->children[i] = &node->storage[i];
    out->n_buffers = n_buffers;
    out->n_children = (int64_t)n_children;
    out->buffers = node->buffers;
    out->children = n_children ? node->children : NULL;
    out->release = node_release;
    out->private_data = node;
    return PEN_OK;
}

/* -- bitmaps ---------------------------------------------------------------------------------------------------------------- */

static bool bit(const uint8_t *bits, int64_t i)
{
    return (bits[i >> 3] >> (i & 7)) & 1;
}

int64_t pen_bits_count(const uint8_t *bits, int64_t first, int64_t n)
{
    int64_t count = 0, i = first, end = first + n;
    for (; i < end && (i & 7); i++)
        count += bit(bits, i);
    for (; i + 64 <= end; i += 64) {
        uint64_t word;
        memcpy(&word, bits + (i >> 3), sizeof word);
        count += __builtin_popcountll(word);
    }
    for (; i < end; i++)
        count += bit(bits, i);
    return count;
}

void pen_bits_copy(uint8_t *dst, const uint8_t *src, int64_t from, int64_t n)
{
    const uint8_t *s = src + (from >> 3);
    unsigned shift = (unsigned)(from & 7);
    int64_t bytes = (n + 7) / 8, last = (from + n - 1) >> 3;
    if (n <= 0)
        return;
    for (int64_t i = 0; i < bytes; i++) {
        unsigned low = s[i], high = shift && (from >> 3) + i < last ? s[i + 1] : 0;
        dst[i] = (uint8_t)((low >> shift) | (high << (8 - shift)));
    }
    if (n & 7)
        dst[bytes - 1] &= (uint8_t)((1u << (n & 7)) - 1);
}

/* -- sharing ---------------------------------------------------------------------------------------------------------------- */

/* A node over the same memory as in's, children not yet made. */
static pen_status share_node(struct ArrowArray *out, const struct ArrowArray *in, struct pen_error *err)
{
    const struct array_node *node = in->private_data;
    pen_status st;
    pen_memory_retain(node->memory);
    st = pen_array_node(out, node->memory, in->n_buffers, (size_t)in->n_children, node->value_bits, err);
    if (st < 0)
        return st;
    out->length = in->length;
    out->offset = in->offset;
    out->null_count = in->null_count;
    for (int64_t i = 0; i < in->n_buffers; i++)
        out->buffers[i] = in->buffers[i];
    return PEN_OK;
}

pen_status pen_array_share(struct ArrowArray *out, const struct ArrowArray *in, struct pen_error *err)
{
    pen_status st;
    memset(out, 0, sizeof *out);
    if (!pen_array_is_own(in))
        return pen_fail(err, PEN_FATAL, "an array of foreign make cannot be shared before pen_array_adopt()");
    st = share_node(out, in, err);
    for (int64_t i = 0; st >= 0 && i < in->n_children; i++)
        if ((st = pen_array_share(out->children[i], in->children[i], err)) < 0)
            pen_array_release(out);
    return st;
}

pen_status pen_array_slice(struct ArrowArray *out, const struct ArrowArray *in, int64_t first, int64_t n, struct pen_error *err)
{
    /* A struct that has no nulls of its own passes its offset on, so that a batch always has offset 0. */
    bool pass_on = in->n_buffers == 1 && in->null_count == 0;
    pen_status st;
    memset(out, 0, sizeof *out);
    if (!pen_array_is_own(in))
        return pen_fail(err, PEN_FATAL, "an array of foreign make cannot be sliced before pen_array_adopt()");
    if ((st = share_node(out, in, err)) < 0)
        return st;
    out->length = n;
    out->offset = pass_on ? 0 : in->offset + first;
    if (in->null_count != 0)
        out->null_count = in->n_buffers && in->buffers[0] ? n - pen_bits_count(in->buffers[0], in->offset + first, n) : 0;
    for (int64_t i = 0; st >= 0 && i < in->n_children; i++) {
        st = pass_on ? pen_array_slice(out->children[i], in->children[i], in->offset + first, n, err)
                     : pen_array_share(out->children[i], in->children[i], err);
        if (st < 0)
            pen_array_release(out);
    }
    return st;
}

pen_status pen_batch_from_columns(struct ArrowArray *out, struct ArrowArray *columns, size_t n, struct pen_error *err)
{
    pen_status st = pen_array_node(out, NULL, 1, n, 0, err);
    if (st < 0)
        return st;
    for (size_t i = 1; i < n; i++)
        if (columns[i].length != columns[0].length) {
            pen_array_release(out);
            return pen_fail(err, PEN_FATAL, "column %zu has %lld rows, column 0 has %lld", i, (long long)columns[i].length,
                            (long long)columns[0].length);
        }
    out->length = n ? columns[0].length : 0;
    for (size_t i = 0; i < n; i++) {
        *out->children[i] = columns[i];
        columns[i].release = NULL;
    }
    return PEN_OK;
}

/* The bitmap with `offset` unused bits put before it; frees the one it was given, NULL when out of memory. */
static uint8_t *shifted_bitmap(uint8_t *bitmap, int64_t offset, int64_t length)
{
    uint8_t *wide = calloc(1, (size_t)(offset + length) / 8 + 1);
    for (int64_t i = 0; wide && i < length; i++)
        if (bit(bitmap, i))
            wide[(offset + i) >> 3] = (uint8_t)(wide[(offset + i) >> 3] | 1u << ((offset + i) & 7));
    free(bitmap);
    return wide;
}

pen_status pen_array_masked(struct ArrowArray *out, const struct ArrowArray *in, uint8_t *bitmap, int64_t null_count, struct pen_error *err)
{
    struct pen_memory *memory = NULL;
    struct array_node *node;
    pen_status st = pen_array_share(out, in, err);
    if (st < 0 || !bitmap || null_count == 0) {
        free(bitmap);
        if (st >= 0) {
            out->null_count = 0;
            out->buffers[0] = NULL;
        }
        return st;
    }
    if (in->offset)
        bitmap = shifted_bitmap(bitmap, in->offset, in->length);
    if (bitmap)
        memory = pen_memory_new();
    if (!memory) {
        free(bitmap);
        pen_array_release(out);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    node = out->private_data;
    memory->bitmap = bitmap;
    memory->parent = node->memory;
    node->memory = memory;
    out->buffers[0] = bitmap;
    out->null_count = null_count;
    return PEN_OK;
}

/* -- adopting --------------------------------------------------------------------------------------------------------------- */

bool pen_array_all_own(const struct ArrowArray *a)
{
    bool own = pen_array_is_own(a);
    for (int64_t i = 0; own && i < a->n_children; i++)
        own = pen_array_all_own(a->children[i]);
    return own;
}

static pen_status adopt_node(struct ArrowArray *out, const struct ArrowSchema *schema, const struct ArrowArray *in, struct pen_memory *memory,
                             struct pen_error *err)
{
    pen_status st;
    pen_memory_retain(memory);
    st = pen_array_node(out, memory, in->n_buffers, (size_t)in->n_children, pen_type_bits(pen_schema_type(schema)), err);
    if (st < 0)
        return st;
    out->length = in->length;
    out->offset = in->offset;
    out->null_count = in->n_buffers > 0 && in->buffers[0] ? in->null_count : 0;
    if (out->null_count < 0)
        out->null_count = in->length - pen_bits_count(in->buffers[0], in->offset, in->length);
    for (int64_t i = 0; i < in->n_buffers; i++)
        out->buffers[i] = in->buffers[i];
    for (int64_t i = 0; st >= 0 && i < in->n_children; i++)
        if ((st = adopt_node(out->children[i], schema->children[i], in->children[i], memory, err)) < 0)
            pen_array_release(out);
    return st;
}

pen_status pen_array_adopt(const struct ArrowSchema *schema, struct ArrowArray *array, struct pen_error *err)
{
    struct pen_memory *memory;
    struct ArrowArray nodes, batch;
    pen_status st;
    bool whole = array->offset == 0 || array->n_buffers != 1;
    if (pen_array_all_own(array) && whole)
        return PEN_OK;
    if (!(memory = pen_memory_new()))
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = adopt_node(&nodes, schema, array, memory, err);
    if (st >= 0 && nodes.n_buffers == 1 && nodes.null_count == 0) { /* gives the batch offset 0, and its columns their length */
        st = pen_array_slice(&batch, &nodes, 0, nodes.length, err);
        pen_array_release(&nodes);
        nodes = batch;
    }
    if (st >= 0) {
        memory->foreign = *array;
        *array = nodes;
    }
    pen_memory_release(memory);
    return st;
}

/* -- sizes ------------------------------------------------------------------------------------------------------------------ */

size_t pen_array_bytes(const struct ArrowArray *array)
{
    unsigned bits = pen_array_is_own(array) ? ((const struct array_node *)array->private_data)->value_bits : 64;
    size_t n = (size_t)array->length, bytes = array->null_count != 0 ? n / 8 + 1 : 0;
    struct pen_column c = pen_column_of(array);
    if (c.offsets && n) {
        const int32_t *o = c.offsets + c.offset;
        bytes += (n + 1) * sizeof *o;
        if (array->n_buffers == 3)
            return bytes + (size_t)(o[n] - o[0]);
    } else if (array->n_buffers == 2) {
        bytes += (n * bits + 7) / 8;
    }
    for (int64_t i = 0; i < array->n_children; i++)
        bytes += pen_array_bytes(array->children[i]);
    return bytes;
}
