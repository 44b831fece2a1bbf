/* thrift.c - Thrift's compact protocol: variable-length integers, field ids as differences, nested structures.
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "thrift.h"

static void put_bytes(struct pen_thrift_out *t, const void *bytes, size_t n)
{
    if (!t->failed && pen_buf_put(t->buf, bytes, n, NULL) < 0)
        t->failed = true;
}

static void put_varint(struct pen_thrift_out *t, uint64_t v)
{
    uint8_t b[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        b[n++] = (uint8_t)(v | 0x80);
    b[n++] = (uint8_t)v;
    put_bytes(t, b, n);
}

static void put_zigzag(struct pen_thrift_out *t, int64_t v)
{
    put_varint(t, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_field(struct pen_thrift_out *t, int16_t id, unsigned type)
{
    int16_t *last = &t->last[t->depth];
    int delta = id - *last;
    if (delta > 0 && delta <= 15) {
        put_bytes(t, &(uint8_t){ (uint8_t)((unsigned)delta << 4 | type) }, 1);
    } else {
        put_bytes(t, &(uint8_t){ (uint8_t)type }, 1);
        put_zigzag(t, id);
    }
    *last = id;
}

void pen_thrift_start(struct pen_thrift_out *t, struct pen_buf *buf)
{
    memset(t, 0, sizeof *t);
    t->buf = buf;
}

void pen_thrift_put_bool(struct pen_thrift_out *t, int16_t id, bool v)
{
    put_field(t, id, v ? THRIFT_TRUE : THRIFT_FALSE);
}

void pen_thrift_put_i8(struct pen_thrift_out *t, int16_t id, int8_t v)
{
    put_field(t, id, THRIFT_I8);
    put_bytes(t, &v, 1);
}

void pen_thrift_put_i16(struct pen_thrift_out *t, int16_t id, int16_t v)
{
    put_field(t, id, THRIFT_I16);
    put_zigzag(t, v);
}

void pen_thrift_put_i32(struct pen_thrift_out *t, int16_t id, int32_t v)
{
    put_field(t, id, THRIFT_I32);
    put_zigzag(t, v);
}

void pen_thrift_put_i64(struct pen_thrift_out *t, int16_t id, int64_t v)
{
    put_field(t, id, THRIFT_I64);
    put_zigzag(t, v);
}

void pen_thrift_put_binary(struct pen_thrift_out *t, int16_t id, const void *bytes, size_t n)
{
    put_field(t, id, THRIFT_BINARY);
    pen_thrift_add_binary(t, bytes, n);
}

void pen_thrift_put_list(struct pen_thrift_out *t, int16_t id, unsigned element, size_t n)
{
    put_field(t, id, THRIFT_LIST);
    if (n < 15) {
        put_bytes(t, &(uint8_t){ (uint8_t)(n << 4 | element) }, 1);
    } else {
        put_bytes(t, &(uint8_t){ (uint8_t)(0xf0 | element) }, 1);
        put_varint(t, n);
    }
}

void pen_thrift_begin(struct pen_thrift_out *t, int16_t id)
{
    if (id)
        put_field(t, id, THRIFT_STRUCT);
    assert(t->depth + 1 < THRIFT_MAX_DEPTH);
    t->last[++t->depth] = 0;
}

void pen_thrift_end(struct pen_thrift_out *t)
{
    put_bytes(t, "", 1);
    t->depth--;
}

void pen_thrift_add_bool(struct pen_thrift_out *t, bool v)
{
    put_bytes(t, &(uint8_t){ v ? THRIFT_TRUE : THRIFT_FALSE }, 1);
}

void pen_thrift_add_i64(struct pen_thrift_out *t, int64_t v)
{
    put_zigzag(t, v);
}

void pen_thrift_add_binary(struct pen_thrift_out *t, const void *bytes, size_t n)
{
    put_varint(t, n);
    put_bytes(t, bytes, n);
}

pen_status pen_thrift_finish(struct pen_thrift_out *t, struct pen_error *err)
{
    put_bytes(t, "", 1);
    return t->failed ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

/* -- reading ------------------------------------------------------------------------------------------------------------------ */

static uint8_t get_byte(struct pen_thrift_in *t)
{
    if (t->p == t->end || t->bad) {
        t->bad = true;
        return 0;
    }
    return *t->p++;
}

static uint64_t get_varint(struct pen_thrift_in *t)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = get_byte(t);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    t->bad = true;
    return 0;
}

static int64_t get_zigzag(struct pen_thrift_in *t)
{
    uint64_t v = get_varint(t);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

bool pen_thrift_next(struct pen_thrift_in *t, struct pen_thrift_field *f)
{
    uint8_t b = get_byte(t);
    f->type = b & 15;
    if (t->bad || f->type == 0)
        return false;
    if (b >> 4) {
        if (f->id > INT16_MAX - (b >> 4)) {
            t->bad = true;
            return false;
        }
        f->id = (int16_t)(f->id + (b >> 4));
    } else {
        int64_t id = get_zigzag(t);
        if (id < INT16_MIN || id > INT16_MAX)
            t->bad = true;
        f->id = (int16_t)id;
    }
    if (f->type > THRIFT_STRUCT)
        t->bad = true;
    return !t->bad;
}

bool pen_thrift_enter(struct pen_thrift_in *t, unsigned type)
{
    if (type != THRIFT_STRUCT || t->depth >= THRIFT_MAX_DEPTH)
        t->bad = true;
    else if (!t->bad)
        t->depth++;
    return !t->bad;
}

void pen_thrift_leave(struct pen_thrift_in *t)
{
    if (!t->bad)
        t->depth--;
}

static void skip_bytes(struct pen_thrift_in *t, uint64_t n)
{
    if (n > (uint64_t)(t->end - t->p))
        t->bad = true;
    else
        t->p += n;
}

static size_t list_head(struct pen_thrift_in *t, unsigned *element)
{
    uint8_t b = get_byte(t);
    uint64_t n = b >> 4;
    *element = b & 15;
    if (n == 15)
        n = get_varint(t);
    if (n > (uint64_t)(t->end - t->p)) /* each element has a byte at least */
        t->bad = true;
    return t->bad ? 0 : (size_t)n;
}

/* in_list: a boolean is a byte of its own there. Its depth is bounded by THRIFT_MAX_DEPTH. */
static void skip_value(struct pen_thrift_in *t, unsigned type, bool in_list)
{
    unsigned element, key;
    size_t n;
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        skip_bytes(t, in_list);
        return;
    case THRIFT_I8:
        skip_bytes(t, 1);
        return;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        get_varint(t);
        return;
    case THRIFT_DOUBLE:
        skip_bytes(t, 8);
        return;
    case THRIFT_BINARY:
        skip_bytes(t, get_varint(t));
        return;
    default:
        break;
    }
    if (t->depth >= THRIFT_MAX_DEPTH) {
        t->bad = true;
        return;
    }
    t->depth++;
    if (type == THRIFT_STRUCT) {
        struct pen_thrift_field f = { 0, 0 };
        while (pen_thrift_next(t, &f))
            skip_value(t, f.type, false);
    } else if (type == THRIFT_LIST || type == THRIFT_SET) {
        n = list_head(t, &element);
        for (size_t i = 0; i < n && !t->bad; i++)
            skip_value(t, element, true);
    } else if (type == THRIFT_MAP) {
        n = (size_t)get_varint(t);
        key = n ? get_byte(t) : 0;
        for (size_t i = 0; i < n && !t->bad; i++) {
            skip_value(t, key >> 4, true);
            skip_value(t, key & 15, true);
        }
    } else {
        t->bad = true;
    }
    t->depth--;
}

void pen_thrift_skip(struct pen_thrift_in *t, unsigned type)
{
    skip_value(t, type, false);
}

bool pen_thrift_get_bool(struct pen_thrift_in *t, const struct pen_thrift_field *f)
{
    if (f->type != THRIFT_TRUE && f->type != THRIFT_FALSE)
        t->bad = true;
    return f->type == THRIFT_TRUE;
}

int64_t pen_thrift_get_int(struct pen_thrift_in *t, const struct pen_thrift_field *f)
{
    if (f->type == THRIFT_I8)
        return (int8_t)get_byte(t);
    if (f->type < THRIFT_I16 || f->type > THRIFT_I64) {
        t->bad = true;
        return 0;
    }
    return get_zigzag(t);
}

int32_t pen_thrift_get_i32(struct pen_thrift_in *t, const struct pen_thrift_field *f)
{
    int64_t v = pen_thrift_get_int(t, f);
    if (v < INT32_MIN || v > INT32_MAX)
        t->bad = true;
    return t->bad ? 0 : (int32_t)v;
}

const void *pen_thrift_get_binary(struct pen_thrift_in *t, const struct pen_thrift_field *f, size_t *n)
{
    const uint8_t *p;
    uint64_t size = f->type == THRIFT_BINARY ? get_varint(t) : UINT64_MAX;
    p = t->p;
    skip_bytes(t, size);
    *n = t->bad ? 0 : (size_t)size;
    return p;
}

size_t pen_thrift_get_list(struct pen_thrift_in *t, const struct pen_thrift_field *f, unsigned *element)
{
    *element = 0;
    if (f->type != THRIFT_LIST) {
        t->bad = true;
        return 0;
    }
    return list_head(t, element);
}
