/* bounds.c - smallest and largest values: order, NaN, negative zero, and how long texts are shortened.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "bounds.h"

/* The first eight bytes as a number that orders as they do; short texts are filled up with zeros, so equal keys say nothing. */
static inline uint64_t key_of(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    if (n >= 8) {
        v = pen_load64(p);
    } else if (n >= 4) {
        v = pen_load32(p) | (uint64_t)pen_load32(p + n - 4) << (8 * (n - 4));
    } else if (n) {
        v = p[0] | (uint64_t)p[n / 2] << (8 * (n / 2)) | (uint64_t)p[n - 1] << (8 * (n - 1));
    }
    return __builtin_bswap64(v);
}

static int compare(const uint8_t *p, size_t n, bool cut, const struct pen_bound_bytes *b)
{
    size_t common = n < b->n ? n : b->n;
    int c = memcmp(p, b->bytes, common);
    if (c || n != b->n)
        return c ? c : n < b->n ? -1 : 1;
    return (int)cut - (int)b->cut;
}

static void keep(struct pen_bound_bytes *b, const uint8_t *p, size_t n, bool cut)
{
    memcpy(b->bytes, p, n);
    memset(b->bytes + n, 0, sizeof b->bytes - n);
    b->n = (uint8_t)n;
    b->cut = cut;
}

static void add_bytes(struct pen_bounds *b, const uint8_t *p, size_t n, bool cut)
{
    if (n > PQ_BOUND_BYTES) {
        n = PQ_BOUND_BYTES;
        cut = true;
    }
    if (!b->set || compare(p, n, cut, &b->min_bytes) < 0)
        keep(&b->min_bytes, p, n, cut);
    if (!b->set || compare(p, n, cut, &b->max_bytes) > 0)
        keep(&b->max_bytes, p, n, cut);
    b->set = true;
}

static void add_texts(struct pen_bounds *b, const struct pen_slice *s, size_t from, size_t n)
{
    const uint8_t *bytes = (const uint8_t *)s->bytes;
    uint64_t min, max;
    if (!b->set && n) {
        add_bytes(b, bytes + s->start[from], (size_t)s->length[from], false);
        from++, n--;
    }
    min = key_of(b->min_bytes.bytes, 8);
    max = key_of(b->max_bytes.bytes, 8);
    for (size_t i = from; i < from + n; i++) {
        uint64_t key = key_of(bytes + s->start[i], (size_t)s->length[i]);
        if (key > min && key < max)
            continue;
        add_bytes(b, bytes + s->start[i], (size_t)s->length[i], false);
        min = key_of(b->min_bytes.bytes, 8);
        max = key_of(b->max_bytes.bytes, 8);
    }
}

/* Big-endian two's complement in an order that memcmp knows: the sign turned over. */
static void add_fixed(struct pen_bounds *b, const uint8_t *p, size_t width)
{
    uint8_t v[16];
    memcpy(v, p, width);
    v[0] ^= 0x80;
    add_bytes(b, v, width, false);
}

static void add_int(struct pen_bounds *b, int64_t min, int64_t max)
{
    b->min.i = b->set && b->min.i < min ? b->min.i : min;
    b->max.i = b->set && b->max.i > max ? b->max.i : max;
    b->set = true;
}

static void add_double(struct pen_bounds *b, double d)
{
    if (isnan(d)) {
        b->nan = true;
        return;
    }
    b->min.d = b->set && b->min.d < d ? b->min.d : d;
    b->max.d = b->set && b->max.d > d ? b->max.d : d;
    b->set = true;
}

void pen_bounds_add(struct pen_bounds *b, const struct pen_leaf *leaf, const struct pen_slice *s, size_t from, size_t n)
{
    size_t end = from + n;
    if (!n)
        return;
    if (leaf->physical == PQ_BYTE_ARRAY) {
        add_texts(b, s, from, n);
    } else if (leaf->physical == PQ_FIXED) {
        for (size_t i = from; i < end; i++)
            add_fixed(b, (const uint8_t *)s->fixed + i * (size_t)leaf->width, (size_t)leaf->width);
    } else if (leaf->physical == PQ_INT32) {
        const int32_t *v = s->fixed;
        int32_t min = v[from], max = v[from];
        for (size_t i = from; i < end; i++) {
            min = v[i] < min ? v[i] : min;
            max = v[i] > max ? v[i] : max;
        }
        add_int(b, min, max);
    } else if (leaf->physical == PQ_INT64) {
        const int64_t *v = s->fixed;
        int64_t min = v[from], max = v[from];
        for (size_t i = from; i < end; i++) {
            min = v[i] < min ? v[i] : min;
            max = v[i] > max ? v[i] : max;
        }
        add_int(b, min, max);
    } else if (leaf->physical == PQ_DOUBLE) {
        const double *v = s->fixed;
        for (size_t i = from; i < end; i++)
            add_double(b, v[i]);
    } else {
        const uint8_t *v = s->fixed;
        for (size_t i = from; i < end; i++)
            add_int(b, v[i], v[i]);
    }
}

void pen_bounds_add_value(struct pen_bounds *b, const struct pen_leaf *leaf, const void *value, size_t n)
{
    int32_t i32;
    int64_t i64;
    double d;
    switch (leaf->physical) {
    case PQ_BYTE_ARRAY:
        add_bytes(b, value, n, false);
        break;
    case PQ_FIXED:
        add_fixed(b, value, n);
        break;
    case PQ_INT32:
        memcpy(&i32, value, sizeof i32);
        add_int(b, i32, i32);
        break;
    case PQ_INT64:
        memcpy(&i64, value, sizeof i64);
        add_int(b, i64, i64);
        break;
    default:
        memcpy(&d, value, sizeof d);
        add_double(b, d);
    }
}

void pen_bounds_merge(struct pen_bounds *b, const struct pen_leaf *leaf, const struct pen_bounds *other)
{
    b->nan |= other->nan;
    if (!other->set)
        return;
    if (leaf->physical == PQ_BYTE_ARRAY || leaf->physical == PQ_FIXED) {
        add_bytes(b, other->min_bytes.bytes, other->min_bytes.n, other->min_bytes.cut);
        add_bytes(b, other->max_bytes.bytes, other->max_bytes.n, other->max_bytes.cut);
    } else if (leaf->physical == PQ_DOUBLE) {
        add_double(b, other->min.d);
        add_double(b, other->max.d);
    } else {
        add_int(b, other->min.i, other->max.i);
    }
}

/* Length of the longest beginning of a text that ends between two characters. */
static size_t whole_characters(const uint8_t *p, size_t n)
{
    size_t i = n;
    unsigned need;
    while (i > 0 && n - i < 4 && (p[i - 1] & 0xc0) == 0x80)
        i--;
    if (i == 0)
        return n; /* no UTF-8 */
    need = p[i - 1] < 0x80 ? 1 : p[i - 1] < 0xe0 ? 2 : p[i - 1] < 0xf0 ? 3 : 4;
    return i - 1 + need <= n ? n : i - 1;
}

/* Makes a shortened text larger than all that begin with it: its last character that can grow does, what follows is dropped. */
static bool grow_text(uint8_t *p, size_t *n)
{
    static const uint8_t lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 }; /* by length */
    static const uint32_t last[] = { 0, 0x7f, 0x7ff, 0xffff, 0x10ffff };
    while (*n) {
        size_t i = *n - 1, length;
        uint32_t c;
        while (i > 0 && *n - i < 4 && (p[i] & 0xc0) == 0x80)
            i--;
        length = *n - i;
        c = p[i] ^ lead[length];
        for (size_t k = 1; k < length; k++)
            c = c << 6 | (p[i + k] & 0x3fu);
        if (c < last[length]) {
            c = c == 0xd7ff ? 0xe000 : c + 1; /* between them are no characters */
            for (size_t k = length; --k > 0; c >>= 6)
                p[i + k] = (uint8_t)(0x80 | (c & 0x3f));
            p[i] = (uint8_t)(lead[length] | c);
            return true;
        }
        *n = i;
    }
    return false;
}

static bool grow_bytes(uint8_t *p, size_t *n)
{
    for (; *n; --*n)
        if (p[*n - 1] != 0xff) {
            p[*n - 1]++;
            return true;
        }
    return false;
}

static bool encode_bytes(const struct pen_bound_bytes *v, const struct pen_leaf *leaf, bool max, uint8_t *out, size_t *n, bool *exact)
{
    bool text = leaf->type == PEN_TYPE_UTF8;
    memcpy(out, v->bytes, v->n);
    *n = v->n;
    *exact = !v->cut;
    if (leaf->physical == PQ_FIXED)
        out[0] ^= 0x80;
    if (!v->cut)
        return true;
    if (text)
        *n = whole_characters(out, *n);
    return !max || (text ? grow_text(out, n) : grow_bytes(out, n));
}

bool pen_bounds_encode(const struct pen_bounds *b, const struct pen_leaf *leaf, bool max, uint8_t *out, size_t *n, bool *exact)
{
    int64_t i = max ? b->max.i : b->min.i;
    double d = max ? b->max.d : b->min.d;
    *exact = true;
    if (!b->set || b->nan) /* readers do not agree on where NaN stands */
        return false;
    switch (leaf->physical) {
    case PQ_BYTE_ARRAY:
    case PQ_FIXED:
        return encode_bytes(max ? &b->max_bytes : &b->min_bytes, leaf, max, out, n, exact);
    case PQ_BOOLEAN:
        out[0] = (uint8_t)i;
        *n = 1;
        return true;
    case PQ_INT32:
        pen_store32(out, (uint32_t)i);
        *n = 4;
        return true;
    case PQ_DOUBLE:
        if (d == 0)
            d = max ? 0.0 : -0.0; /* zeros of either sign lie between */
        memcpy(&i, &d, sizeof i);
        pen_store64(out, (uint64_t)i);
        *n = 8;
        return true;
    default:
        pen_store64(out, (uint64_t)i);
        *n = 8;
        return true;
    }
}

bool pen_bounds_value(const struct pen_bounds *b, const struct pen_leaf *leaf, bool max, struct pen_parquet_value *value, uint8_t *room,
                      bool *exact)
{
    int64_t i;
    size_t n;
    memset(value, 0, sizeof *value);
    if (!pen_bounds_encode(b, leaf, max, room, &n, exact))
        return false;
    i = max ? b->max.i : b->min.i;
    switch (leaf->type) {
    case PEN_TYPE_BOOL:
        value->u.b = i != 0;
        break;
    case PEN_TYPE_INT32:
    case PEN_TYPE_DATE32:
        value->u.i32 = (int32_t)i;
        break;
    case PEN_TYPE_FLOAT64:
        memcpy(&value->u.f64, room, sizeof value->u.f64);
        break;
    case PEN_TYPE_DECIMAL128:
        if (leaf->physical == PQ_FIXED) {
            memset(value->u.decimal, room[0] & 0x80 ? 0xff : 0, 16);
            for (size_t k = 0; k < n; k++)
                value->u.decimal[k] = room[n - 1 - k];
        } else {
            pen_store64(value->u.decimal, (uint64_t)i);
            pen_store64(value->u.decimal + 8, (uint64_t)(i >> 63));
        }
        break;
    case PEN_TYPE_UTF8:
    case PEN_TYPE_BINARY:
        value->bytes = (const char *)room;
        value->n = n;
        break;
    default:
        value->u.i64 = i;
    }
    return true;
}
