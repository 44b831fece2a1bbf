/* take.c - chosen rows of a batch, copied into a new one. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/array.h"
#include "data/schema.h"

static pen_status take(struct ArrowArray *out, const struct ArrowSchema *schema, const struct ArrowArray *in, const int64_t *index, int64_t n,
                       struct pen_error *err);

static bool bit_at(const uint8_t *bits, int64_t i)
{
    return (bits[i >> 3] >> (i & 7)) & 1;
}

/* Bits of the named rows, or false when out of memory; *zeros counts those that are not set. */
static bool take_bits(void **out, const uint8_t *bits, int64_t offset, const int64_t *index, int64_t n, int64_t *zeros)
{
    uint8_t *to = *out = pen_buffer_new((size_t)n / 8 + 1);
    if (!to)
        return false;
    memset(to, 0, pen_buffer_capacity(to));
    *zeros = 0;
    for (int64_t i = 0; i < n; i++) {
        bool set = bit_at(bits, offset + index[i]);
        to[i >> 3] = (uint8_t)(to[i >> 3] | (unsigned)set << (i & 7));
        *zeros += !set;
    }
    return true;
}

static bool take_fixed(void **out, const struct pen_column *c, unsigned bits, const int64_t *index, int64_t n)
{
    size_t width = bits / 8;
    const char *from = c->data;
    int64_t zeros;
    if (bits == 1)
        return take_bits(out, c->data, c->offset, index, n, &zeros);
    if (!(*out = pen_buffer_new((size_t)n * width)))
        return false;
    for (int64_t i = 0; i < n; i++) {
        const char *value = from + (size_t)(c->offset + index[i]) * width;
        if (width == 4)
            memcpy((char *)*out + 4 * (size_t)i, value, 4);
        else if (width == 8)
            memcpy((char *)*out + 8 * (size_t)i, value, 8);
        else
            memcpy((char *)*out + 16 * (size_t)i, value, 16);
    }
    return true;
}

/* New offsets of the named rows; *total is what they add up to. False when out of memory; *total beyond int32 is the caller's to refuse. */
static bool take_offsets(void **out, const struct pen_column *c, const int64_t *index, int64_t n, int64_t *total)
{
    int32_t *to = *out = pen_buffer_new((size_t)(n + 1) * sizeof *to);
    int64_t sum = 0;
    if (!to)
        return false;
    to[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        const int32_t *o = c->offsets + c->offset + index[i];
        sum += o[1] - o[0];
        to[i + 1] = sum <= INT32_MAX ? (int32_t)sum : INT32_MAX;
    }
    *total = sum;
    return true;
}

static bool take_text(void **out, const struct pen_column *c, const int64_t *index, int64_t n, int64_t total)
{
    char *to = *out = pen_buffer_new((size_t)total);
    if (!to)
        return false;
    for (int64_t i = 0; i < n; i++) {
        size_t len;
        const char *from = pen_column_bytes(c, index[i], &len);
        if (len)
            memcpy(to, from, len);
        to += len;
    }
    return true;
}

/* The items of the named lists, as rows of the child; malloc'ed. */
static int64_t *list_items(const struct pen_column *c, const int64_t *index, int64_t n, int64_t total)
{
    int64_t *items = malloc((size_t)(total ? total : 1) * sizeof *items), at = 0;
    for (int64_t i = 0; items && i < n; i++) {
        const int32_t *o = c->offsets + c->offset + index[i];
        for (int32_t k = o[0]; k < o[1]; k++)
            items[at++] = k;
    }
    return items;
}

/* The children of a list or struct column. A struct's own offset counts in its children too. */
static pen_status take_children(struct ArrowArray *out, const struct ArrowSchema *schema, const struct pen_column *c, const int64_t *index,
                                int64_t n, int64_t total, struct pen_error *err)
{
    bool list = c->offsets != NULL;
    int64_t *rows;
    pen_status st = PEN_OK;
    if (!list && c->offset == 0) {
        for (int64_t i = 0; st >= 0 && i < out->n_children; i++)
            st = take(out->children[i], schema->children[i], c->array->children[i], index, n, err);
        return st;
    }
    if (list) {
        rows = list_items(c, index, n, total);
    } else if ((rows = malloc((size_t)(n ? n : 1) * sizeof *rows))) {
        for (int64_t i = 0; i < n; i++)
            rows[i] = c->offset + index[i];
    }
    if (!rows)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (int64_t i = 0; st >= 0 && i < out->n_children; i++)
        st = take(out->children[i], schema->children[i], c->array->children[i], rows, list ? total : n, err);
    free(rows);
    return st;
}

static pen_status take(struct ArrowArray *out, const struct ArrowSchema *schema, const struct ArrowArray *in, const int64_t *index, int64_t n,
                       struct pen_error *err)
{
    struct pen_column c = pen_column_of(in);
    unsigned bits = pen_type_bits(pen_schema_type(schema));
    int64_t nulls = 0, total = 0;
    struct pen_memory *m = pen_memory_new();
    pen_status st;
    bool good = m;
    if (good && c.validity)
        good = take_bits(&m->buffers[PEN_BUFFER_VALIDITY], c.validity, c.offset, index, n, &nulls);
    if (good && bits)
        good = take_fixed(&m->buffers[PEN_BUFFER_DATA], &c, bits, index, n);
    else if (good && in->n_buffers >= 2)
        good = take_offsets(&m->buffers[PEN_BUFFER_OFFSETS], &c, index, n, &total);
    if (good && total <= INT32_MAX && in->n_buffers == 3)
        good = take_text(&m->buffers[PEN_BUFFER_DATA], &c, index, n, total);
    if (!good || total > INT32_MAX) {
        pen_memory_release(m);
        return good ? pen_fail(err, PEN_FATAL, "column \"%s\": more than 2147483647 bytes or items in one batch", schema->name)
                    : pen_fail(err, PEN_FATAL, "out of memory");
    }
    if ((st = pen_array_node(out, m, in->n_buffers, (size_t)in->n_children, bits, err)) < 0)
        return st;
    out->length = n;
    out->null_count = nulls;
    out->buffers[0] = nulls ? m->buffers[PEN_BUFFER_VALIDITY] : NULL;
    if (in->n_buffers >= 2)
        out->buffers[1] = m->buffers[bits ? PEN_BUFFER_DATA : PEN_BUFFER_OFFSETS];
    if (in->n_buffers == 3)
        out->buffers[2] = m->buffers[PEN_BUFFER_DATA];
    if ((st = take_children(out, schema, &c, index, n, total, err)) < 0)
        pen_array_release(out);
    return st;
}

pen_status pen_array_take(struct ArrowArray *out, const struct ArrowSchema *schema, const struct ArrowArray *in, const int64_t *index,
                          int64_t n, struct pen_error *err)
{
    memset(out, 0, sizeof *out);
    return take(out, schema, in, index, n, err);
}
