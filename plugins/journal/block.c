/* block.c - see block.h. Values and keys that lie in one piece in the batch are written from there. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "crc32c.h"

/* Columns of a raw batch, see pen_schema_raw(). */
enum { COL_KEY, COL_VALUE, COL_TIMESTAMP, COL_HEADERS = 5 };

void columns_find(struct columns *c, const struct ArrowArray *batch)
{
    const struct ArrowArray *pair;
    c->key = pen_column_at(batch, COL_KEY);
    c->value = pen_column_at(batch, COL_VALUE);
    c->timestamp = pen_column_at(batch, COL_TIMESTAMP);
    c->headers = pen_column_at(batch, COL_HEADERS);
    pair = batch->children[COL_HEADERS]->children[0];
    c->name = pen_column_at(pair, 0);
    c->header_value = pen_column_at(pair, 1);
    c->name.offset += pair->offset;
    c->header_value.offset += pair->offset;
    c->keys = c->key.array->null_count != c->key.length;
    c->timestamps = c->timestamp.array->null_count != c->timestamp.length;
    c->with_headers = c->headers.array->null_count != c->headers.length;
}

static uint64_t size_of(const struct pen_column *c, int64_t row)
{
    size_t n;
    if (pen_column_is_null(c, row))
        return 0;
    pen_column_bytes(c, row, &n);
    return n;
}

/* Bytes that the headers of one row take. */
static uint64_t headers_size(const struct columns *c, int64_t row)
{
    const int32_t *o = c->headers.offsets + c->headers.offset + row;
    uint64_t sum = 0;
    if (pen_column_is_null(&c->headers, row))
        return 0;
    for (int64_t i = o[0]; i < o[1]; i++)
        sum += 4 + size_of(&c->name, i) + 1 + 4 + size_of(&c->header_value, i);
    return sum;
}

uint64_t row_bytes(const struct columns *c, int64_t row)
{
    return 16 + size_of(&c->value, row) + (c->keys ? size_of(&c->key, row) : 0) + (c->with_headers ? headers_size(c, row) : 0);
}

static uint8_t *put_headers(uint8_t *p, const struct columns *c, int64_t row)
{
    const int32_t *o = c->headers.offsets + c->headers.offset + row;
    if (pen_column_is_null(&c->headers, row))
        return p;
    for (int64_t i = o[0]; i < o[1]; i++) {
        size_t n = 0;
        const char *bytes = pen_column_is_null(&c->name, i) ? "" : pen_column_bytes(&c->name, i, &n);
        jf_put32(p, (uint32_t)n + 1);
        memcpy(p + 4, bytes, n);
        p[4 + n] = '\0';
        p += 5 + n;
        bytes = pen_column_is_null(&c->header_value, i) ? NULL : pen_column_bytes(&c->header_value, i, &n);
        jf_put32(p, bytes ? (uint32_t)n : JF_NULL);
        if (bytes)
            memcpy(p + 4, bytes, n);
        p += 4 + (bytes ? n : 0);
    }
    return p;
}

/* The bytes of a column's rows where they lie in one piece already, else NULL. */
static const void *in_place(const struct pen_column *c, const struct rows *r, uint64_t total)
{
    const int32_t *o = c->offsets + c->offset + r->first;
    if (r->index || (uint64_t)(o[r->n] - o[0]) != total)
        return NULL;
    return total ? (const char *)c->data + o[0] : "";
}

static uint8_t *gather(uint8_t *p, const struct pen_column *c, const struct rows *r)
{
    for (int64_t i = 0; i < r->n; i++) {
        size_t n;
        const char *bytes;
        if (pen_column_is_null(c, row_at(r, i)))
            continue;
        bytes = pen_column_bytes(c, row_at(r, i), &n);
        memcpy(p, bytes, n);
        p += n;
    }
    return p;
}

static uint8_t *put_sizes(uint8_t *p, const struct pen_column *c, const struct rows *r)
{
    if (!c->validity && !r->index) {
        const int32_t *o = c->offsets + c->offset + r->first;
        for (int64_t i = 0; i < r->n; i++, p += 4)
            jf_put32(p, (uint32_t)(o[i + 1] - o[i]));
        return p;
    }
    for (int64_t i = 0; i < r->n; i++, p += 4)
        jf_put32(p, pen_column_is_null(c, row_at(r, i)) ? JF_NULL : (uint32_t)size_of(c, row_at(r, i)));
    return p;
}

static pen_status scratch_for(struct scratch *s, size_t n, struct pen_error *err)
{
    uint8_t *p;
    if (n <= s->size)
        return PEN_OK;
    p = realloc(s->p, n);
    if (!p)
        return pen_fail(err, PEN_FATAL, "out of memory");
    s->p = p;
    s->size = n;
    return PEN_OK;
}

pen_status block_build(struct block *out, struct scratch *scratch, const struct columns *c, const struct rows *r, uint64_t segment,
                       struct pen_error *err)
{
    static const uint8_t zeros[8];
    struct jf_block b = { .records = (uint32_t)r->n, .segment = segment };
    const void *values, *keys;
    uint8_t *p, *gathered;
    size_t arrays;
    for (int64_t i = 0; i < r->n; i++)
        b.value_bytes += size_of(&c->value, row_at(r, i));
    for (int64_t i = 0; i < r->n && c->keys; i++)
        b.key_bytes += size_of(&c->key, row_at(r, i));
    for (int64_t i = 0; i < r->n && c->with_headers; i++)
        b.header_bytes += headers_size(c, row_at(r, i));
    b.flags = (c->keys ? JF_BLOCK_KEYS : 0) | (c->timestamps ? JF_BLOCK_TIMESTAMPS : 0) | (c->with_headers ? JF_BLOCK_HEADERS : 0);
    arrays = (size_t)r->n * (4u + (c->keys ? 4u : 0u) + (c->timestamps ? 8u : 0u) + (c->with_headers ? 4u : 0u));
    b.body = arrays + b.value_bytes + b.key_bytes + b.header_bytes;
    values = in_place(&c->value, r, b.value_bytes);
    keys = c->keys ? in_place(&c->key, r, b.key_bytes) : "";
    if (scratch_for(scratch, arrays + (values ? 0 : b.value_bytes) + (keys ? 0 : b.key_bytes) + b.header_bytes, err) < 0)
        return PEN_FATAL;
    p = scratch->p;
    for (int64_t i = 0; i < r->n && c->timestamps; i++, p += 8) {
        int64_t row = row_at(r, i);
        jf_put64(p, (uint64_t)(pen_column_is_null(&c->timestamp, row) ? INT64_MIN : pen_column_int64(&c->timestamp, row)));
    }
    p = put_sizes(p, &c->value, r);
    if (c->keys)
        p = put_sizes(p, &c->key, r);
    for (int64_t i = 0; i < r->n && c->with_headers; i++, p += 4)
        jf_put32(p, pen_column_is_null(&c->headers, row_at(r, i)) ? JF_NULL : (uint32_t)headers_size(c, row_at(r, i)));
    out->v[0] = (struct iovec){ out->head, sizeof out->head };
    out->v[1] = (struct iovec){ scratch->p, arrays };
    gathered = p;
    if (!values)
        p = gather(p, &c->value, r);
    out->v[2] = (struct iovec){ (void *)(uintptr_t)(values ? values : gathered), b.value_bytes };
    gathered = p;
    if (!keys)
        p = gather(p, &c->key, r);
    out->v[3] = (struct iovec){ (void *)(uintptr_t)(keys ? keys : gathered), b.key_bytes };
    out->v[4] = (struct iovec){ p, b.header_bytes };
    for (int64_t i = 0; i < r->n && c->with_headers; i++)
        p = put_headers(p, c, row_at(r, i));
    out->v[5] = (struct iovec){ (void *)(uintptr_t)zeros, jf_padded(b.body) - b.body };
    for (int i = 1; i < 5; i++)
        b.body_crc = pen_crc32c(b.body_crc, out->v[i].iov_base, out->v[i].iov_len);
    jf_block_put(out->head, &b);
    out->size = sizeof out->head + jf_padded(b.body);
    return PEN_OK;
}
