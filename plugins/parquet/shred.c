/* shred.c - from the rows of a batch to the levels and dense values of one leaf.
 * Levels are Dremel's (Melnik et al., 2010): the definition level counts the optional and repeated steps that are there, the repetition
 * level says which list goes on. A flat leaf needs no levels of its own: its validity bitmap is them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "leaf.h"

static bool bit_at(const uint8_t *bits, int64_t i)
{
    return (bits[i >> 3] >> (i & 7)) & 1;
}

/* Room for n elements of this size from the buffer's start. */
static pen_status room(struct pen_buf *b, size_t n, size_t size, struct pen_error *err)
{
    b->n = 0;
    if (n > SIZE_MAX / 16)
        return pen_fail(err, PEN_FATAL, "out of memory");
    return pen_buf_reserve(b, n * size + 8, err);
}

/* Which elements of the leaf's array have a value: those named by index, or, index NULL, first … first+n-1 where validity has them. All
 * counts are from the start of the array's buffers. */
struct picked {
    const int64_t *index;
    const uint8_t *validity;
    int64_t first;
    size_t n;
};

#define FOR_PICKED(p, i, k, keep, body)                                      \
    do {                                                                     \
        size_t k = 0;                                                        \
        if ((p)->index) {                                                    \
            for (; k < (p)->n; k++) {                                        \
                int64_t i = (p)->index[k];                                   \
                body;                                                        \
            }                                                                \
        } else if ((p)->validity) {                                          \
            for (size_t row_ = 0; row_ < (p)->n; row_++) {                   \
                int64_t i = (p)->first + (int64_t)row_;                      \
                body;                                                        \
                k += bit_at((p)->validity, i);                               \
            }                                                                \
        } else {                                                             \
            for (; k < (p)->n; k++) {                                        \
                int64_t i = (p)->first + (int64_t)k;                         \
                body;                                                        \
            }                                                                \
        }                                                                    \
        keep = k;                                                            \
    } while (0)

static pen_status gather_bytes(struct pen_shredder *s, const struct ArrowArray *a, const struct picked *p, struct pen_slice *out,
                               struct pen_error *err)
{
    const int32_t *o = a->buffers[1];
    int32_t *start, *length;
    int64_t total = 0;
    pen_status st = room(&s->start, p->n + 1, sizeof *start, err);
    if (st < 0 || (st = room(&s->length, p->n + 1, sizeof *length, err)) < 0)
        return st;
    start = (int32_t *)(void *)s->start.p;
    length = (int32_t *)(void *)s->length.p;
    FOR_PICKED(p, i, k, out->values, (start[k] = o[i], length[k] = o[i + 1] - o[i]));
    for (size_t i = 0; i < out->values; i++)
        total += length[i];
    out->bytes = a->buffers[2] ? a->buffers[2] : "";
    out->start = start;
    out->length = length;
    out->total = total;
    return PEN_OK;
}

static void reverse16(uint8_t *out, const uint8_t *in, int32_t width)
{
    for (int32_t i = 0; i < width; i++)
        out[i] = in[width - 1 - i];
}

/* Whether a decimal fits its first `width` bytes: what lies above is its sign. */
static bool decimal_fits(const uint8_t *v, int32_t width)
{
    uint8_t sign = v[width - 1] & 0x80 ? 0xff : 0;
    for (int32_t i = width; i < 16; i++)
        if (v[i] != sign)
            return false;
    return true;
}

static pen_status gather_decimal(struct pen_shredder *s, const struct pen_leaf *leaf, const struct ArrowArray *a,
                                 const struct picked *p, struct pen_slice *out, struct pen_error *err)
{
    const uint8_t *v = a->buffers[1];
    int32_t width = leaf->physical == PQ_INT32 ? 4 : leaf->physical == PQ_INT64 ? 8 : leaf->width;
    size_t misfits = 0;
    uint8_t *fixed = s->fixed.p;
    FOR_PICKED(p, i, k, out->values, {
        const uint8_t *d = v + i * 16;
        bool there = !p->validity || p->index || bit_at(p->validity, i);
        misfits += there && !decimal_fits(d, width);
        if (leaf->physical == PQ_FIXED)
            reverse16(fixed + k * (size_t)width, d, width);
        else
            memcpy(fixed + k * (size_t)width, d, (size_t)width);
    });
    if (misfits)
        return pen_fail(err, PEN_BADDATA, "column %s: a value has more than the %d digits of its type", leaf->field->name,
                        leaf->precision);
    return PEN_OK;
}

static pen_status gather(struct pen_shredder *s, const struct pen_leaf *leaf, const struct ArrowArray *a, const struct picked *p,
                         struct pen_slice *out, struct pen_error *err)
{
    const void *v = a->buffers[1];
    size_t size = leaf->physical == PQ_FIXED ? 16 : 8;
    pen_status st;
    if (leaf->physical == PQ_BYTE_ARRAY)
        return gather_bytes(s, a, p, out, err);
    if (!p->index && !p->validity && leaf->type != PEN_TYPE_BOOL && leaf->type != PEN_TYPE_DECIMAL128 && p->n) {
        out->values = p->n;
        size = leaf->physical == PQ_INT32 ? 4 : 8;
        out->fixed = (const char *)v + (size_t)p->first * size;
        out->total = (int64_t)(p->n * size);
        return PEN_OK;
    }
    if ((st = room(&s->fixed, p->n + 1, size, err)) < 0)
        return st;
    out->fixed = s->fixed.p;
    if (leaf->type == PEN_TYPE_DECIMAL128) {
        st = gather_decimal(s, leaf, a, p, out, err);
        size = leaf->physical == PQ_INT32 ? 4 : leaf->physical == PQ_INT64 ? 8 : (size_t)leaf->width;
    } else if (leaf->type == PEN_TYPE_BOOL) {
        uint8_t *to = s->fixed.p;
        FOR_PICKED(p, i, k, out->values, to[k] = bit_at(v, i));
        size = 1;
    } else if (leaf->physical == PQ_INT32) {
        int32_t *to = (int32_t *)(void *)s->fixed.p;
        const int32_t *from = v;
        FOR_PICKED(p, i, k, out->values, to[k] = from[i]);
        size = 4;
    } else {
        int64_t *to = (int64_t *)(void *)s->fixed.p;
        const int64_t *from = v;
        FOR_PICKED(p, i, k, out->values, to[k] = from[i]);
    }
    out->total = (int64_t)(out->values * size);
    return st;
}

static const uint8_t *validity_of(const struct ArrowArray *a)
{
    return a->null_count != 0 && a->n_buffers > 0 ? a->buffers[0] : NULL;
}

static pen_status refuse_null(const struct pen_leaf *leaf, struct pen_error *err)
{
    return pen_fail(err, PEN_BADDATA, "column %s has a null where its type allows none", leaf->names[0]);
}

/* Levels while the walk goes down: parallel arrays of definition, repetition, and index into the array at hand (-1: ended above). */
static pen_status expand_list(struct pen_shredder *s, const struct ArrowArray *a, size_t *n, unsigned rep, struct pen_error *err)
{
    const int32_t *o = a->buffers[1];
    const int64_t *index = (const int64_t *)(const void *)s->index.p;
    struct pen_buf def = { 0 }, reps = { 0 }, next = { 0 };
    size_t total = 0, k = 0;
    pen_status st = PEN_OK;
    for (size_t i = 0; i < *n; i++) {
        int64_t at = index[i] + a->offset;
        total += index[i] < 0 || o[at + 1] <= o[at] ? 1 : (size_t)(o[at + 1] - o[at]);
    }
    if ((st = pen_buf_reserve(&def, total + 1, err)) < 0 || (st = pen_buf_reserve(&reps, total + 1, err)) < 0 ||
        (st = pen_buf_reserve(&next, (total + 1) * sizeof(int64_t), err)) < 0) {
        pen_buf_free(&def);
        pen_buf_free(&reps);
        return st;
    }
    for (size_t i = 0; i < *n; i++) {
        int64_t at = index[i] + a->offset;
        int64_t *to = (int64_t *)(void *)next.p;
        if (index[i] < 0 || o[at + 1] <= o[at]) {
            def.p[k] = s->def.p[i];
            reps.p[k] = s->rep.p[i];
            to[k++] = -1;
            continue;
        }
        for (int32_t j = o[at]; j < o[at + 1]; j++) {
            def.p[k] = (uint8_t)(s->def.p[i] + 1);
            reps.p[k] = j == o[at] ? s->rep.p[i] : (uint8_t)rep;
            to[k++] = j;
        }
    }
    pen_buf_free(&s->def);
    pen_buf_free(&s->rep);
    pen_buf_free(&s->index);
    s->def = def;
    s->rep = reps;
    s->index = next;
    *n = k;
    return PEN_OK;
}

static pen_status shred_nested(struct pen_shredder *s, const struct pen_leaf *leaf, const struct ArrowArray *a, int64_t first,
                               struct pen_slice *out, struct pen_error *err)
{
    size_t n = out->rows, values = 0;
    unsigned rep = 0;
    int64_t *index;
    struct picked p = { 0 };
    pen_status st = room(&s->def, n + 1, 1, err);
    if (st < 0 || (st = room(&s->rep, n + 1, 1, err)) < 0 || (st = room(&s->index, n + 1, sizeof *index, err)) < 0)
        return st;
    memset(s->def.p, 0, n);
    memset(s->rep.p, 0, n);
    index = (int64_t *)(void *)s->index.p;
    for (size_t i = 0; i < n; i++)
        index[i] = first + (int64_t)i;
    for (size_t d = 0; d < leaf->n_nodes; d++) {
        const struct pen_node *node = &leaf->nodes[d];
        const uint8_t *validity = validity_of(a);
        index = (int64_t *)(void *)s->index.p;
        for (size_t i = 0; (validity || node->nullable) && i < n; i++) {
            if (index[i] < 0)
                continue;
            if (!validity || bit_at(validity, index[i] + a->offset))
                s->def.p[i] = (uint8_t)(s->def.p[i] + node->nullable);
            else if (node->nullable)
                index[i] = -1;
            else
                return refuse_null(leaf, err);
        }
        if (node->kind == PEN_NODE_LIST) {
            if ((st = expand_list(s, a, &n, ++rep, err)) < 0)
                return st;
            a = a->children[0];
        } else if (node->kind == PEN_NODE_STRUCT) {
            for (size_t i = 0; i < n; i++)
                index[i] += index[i] < 0 ? 0 : a->offset;
            a = a->children[node->child];
        }
    }
    index = (int64_t *)(void *)s->index.p;
    for (size_t i = 0; i < n; i++)
        if (index[i] >= 0)
            index[values++] = index[i] + a->offset;
    p.index = index;
    p.n = values;
    out->levels = n;
    out->def = s->def.p;
    out->rep = s->rep.p;
    return gather(s, leaf, a, &p, out, err);
}

pen_status pen_shred(struct pen_shredder *s, const struct pen_leaf *leaf, const struct ArrowArray *batch, int64_t first, int64_t n,
                     struct pen_slice *out, struct pen_error *err)
{
    const struct ArrowArray *a = batch->children[leaf->column];
    struct picked p = { 0 };
    pen_status st;
    memset(out, 0, sizeof *out);
    out->rows = out->levels = (size_t)n;
    first += batch->offset;
    if (!leaf->flat)
        return shred_nested(s, leaf, a, first, out, err);
    p.validity = validity_of(a);
    p.first = first + a->offset;
    p.n = (size_t)n;
    if ((st = gather(s, leaf, a, &p, out, err)) < 0)
        return st;
    if (out->values == out->levels)
        return PEN_OK;
    if (!leaf->nodes[0].nullable)
        return refuse_null(leaf, err);
    out->validity = p.validity;
    out->first = p.first;
    return PEN_OK;
}

/* Bytes that rows first … first+n-1 hold in the leaf; rows of nulls count as they lie there. */
static uint64_t leaf_bytes(const struct pen_leaf *leaf, const struct ArrowArray *batch, int64_t first, int64_t n)
{
    const struct ArrowArray *a = batch->children[leaf->column];
    int64_t from = first + batch->offset, to = from + n;
    for (size_t d = 0;; d++) {
        const struct pen_node *node = &leaf->nodes[d];
        from += a->offset;
        to += a->offset;
        if (node->kind == PEN_NODE_LIST) {
            const int32_t *o = a->buffers[1];
            from = o[from];
            to = o[to];
            a = a->children[0];
        } else if (node->kind == PEN_NODE_STRUCT) {
            a = a->children[node->child];
        } else {
            break;
        }
    }
    if (leaf->physical == PQ_BYTE_ARRAY)
        return (uint64_t)(((const int32_t *)a->buffers[1])[to] - ((const int32_t *)a->buffers[1])[from]);
    return (uint64_t)(to - from) * 16;
}

int64_t pen_shred_fit(const struct pen_leaf *leaf, const struct ArrowArray *batch, int64_t first, int64_t max, size_t bytes)
{
    int64_t low = 1, high = max;
    if (max <= 1 || leaf_bytes(leaf, batch, first, max) <= bytes)
        return max;
    while (low < high) { /* the most rows that fit, or one */
        int64_t mid = low + (high - low + 1) / 2;
        if (leaf_bytes(leaf, batch, first, mid) <= bytes)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

void pen_shredder_fini(struct pen_shredder *s)
{
    pen_buf_free(&s->def);
    pen_buf_free(&s->rep);
    pen_buf_free(&s->index);
    pen_buf_free(&s->fixed);
    pen_buf_free(&s->start);
    pen_buf_free(&s->length);
}

size_t pen_shredder_held(const struct pen_shredder *s)
{
    return s->def.cap + s->rep.cap + s->index.cap + s->fixed.cap + s->start.cap + s->length.cap;
}
