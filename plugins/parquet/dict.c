/* dict.c - values to small numbers: open addressing, the values themselves kept in the form of the page that they become.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dict.h"

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide m = (wide)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

#define K0 UINT64_C(0x9e3779b97f4a7c15)
#define K1 UINT64_C(0xd6e8feb86659fd93)

static inline uint64_t hash_bytes(const uint8_t *p, size_t n)
{
    uint64_t h = K0 ^ n, a, b;
    for (; n > 16; n -= 16, p += 16)
        h = mix(h ^ pen_load64(p), K1 ^ pen_load64(p + 8));
    if (n >= 8) {
        a = pen_load64(p);
        b = pen_load64(p + n - 8);
    } else if (n >= 4) {
        a = pen_load32(p);
        b = pen_load32(p + n - 4);
    } else {
        a = n ? (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1] : 0;
        b = 0;
    }
    return mix(h ^ a, K1 ^ b);
}

static pen_status grow_slots(struct pen_dict *d, struct pen_error *err)
{
    size_t n = d->n_slots ? d->n_slots * 2 : 1024;
    void *fresh = calloc(n, sizeof *d->slots);
    struct pen_dict old = *d;
    if (!fresh)
        return pen_fail(err, PEN_FATAL, "out of memory");
    d->slots = fresh;
    d->n_slots = n;
    for (size_t i = 0; i < old.n_slots; i++) {
        size_t at = old.slots[i].tag & (n - 1);
        if (!old.slots[i].entry)
            continue;
        while (d->slots[at].entry)
            at = (at + 1) & (n - 1);
        d->slots[at].tag = old.slots[i].tag;
        d->slots[at].entry = old.slots[i].entry;
    }
    free(old.slots);
    return PEN_OK;
}

/* Appends a value; its slot is free, and there is room for the stamp. */
static pen_status add_entry(struct pen_dict *d, const struct pen_leaf *leaf, const void *value, size_t n, size_t slot, uint32_t tag,
                            struct pen_error *err)
{
    uint8_t length[4];
    pen_status st;
    if (leaf->physical == PQ_BYTE_ARRAY) {
        uint32_t start = (uint32_t)d->page.n + 4;
        pen_store32(length, (uint32_t)n);
        if ((st = pen_buf_put(&d->page, length, 4, err)) < 0 || (st = pen_buf_put(&d->start, &start, sizeof start, err)) < 0)
            return st;
    }
    if ((st = pen_buf_put(&d->page, value, n, err)) < 0 || (st = pen_buf_put(&d->stamp, &(uint32_t){ 0 }, 4, err)) < 0)
        return st;
    d->slots[slot].tag = tag;
    d->slots[slot].entry = (uint32_t)++d->n;
    return PEN_OK;
}

static inline bool is_entry(const struct pen_dict *d, bool texts, uint32_t entry, const void *value, size_t n)
{
    if (texts) {
        const uint8_t *p = d->page.p + ((const uint32_t *)(const void *)d->start.p)[entry];
        return pen_load32(p - 4) == n && memcmp(p, value, n) == 0;
    }
    return memcmp(d->page.p + (size_t)entry * n, value, n) == 0;
}

static inline pen_status add_all(struct pen_dict *d, const struct pen_leaf *leaf, const struct pen_slice *s, uint32_t stamp,
                                 struct pen_bounds *bounds, uint32_t *to, bool texts, size_t width, struct pen_error *err)
{
    for (size_t i = 0; i < s->values; i++) {
        const uint8_t *value = texts ? (const uint8_t *)s->bytes + s->start[i] : (const uint8_t *)s->fixed + i * width;
        size_t n = texts ? (size_t)s->length[i] : width, slot;
        uint64_t hash = texts || width > 8 ? hash_bytes(value, n) : mix(width == 4 ? pen_load32(value) : pen_load64(value), K0);
        uint32_t tag = (uint32_t)hash, entry;
        uint32_t *used;
        if (d->n * 2 >= d->n_slots) {
            pen_status st = grow_slots(d, err);
            if (st < 0)
                return st;
        }
        for (slot = tag & (d->n_slots - 1); (entry = d->slots[slot].entry) != 0; slot = (slot + 1) & (d->n_slots - 1))
            if (d->slots[slot].tag == tag && is_entry(d, texts, entry - 1, value, n))
                break;
        if (!entry) {
            pen_status st = add_entry(d, leaf, value, n, slot, tag, err);
            if (st < 0)
                return st;
            entry = (uint32_t)d->n;
        }
        used = (uint32_t *)(void *)d->stamp.p + entry - 1;
        if (*used != stamp) {
            *used = stamp;
            pen_bounds_add_value(bounds, leaf, value, n);
        }
        to[i] = entry - 1;
    }
    return PEN_OK;
}

pen_status pen_dict_add(struct pen_dict *d, const struct pen_leaf *leaf, const struct pen_slice *s, uint32_t stamp, struct pen_bounds *bounds,
                        struct pen_buf *index, struct pen_error *err)
{
    uint32_t *to;
    pen_status st;
    if (s->values == 0)
        return PEN_OK;
    if ((st = pen_buf_reserve(index, s->values * sizeof *to, err)) < 0)
        return st;
    to = (uint32_t *)(void *)(index->p + index->n);
    if (leaf->physical == PQ_BYTE_ARRAY)
        st = add_all(d, leaf, s, stamp, bounds, to, true, 0, err);
    else if (leaf->physical == PQ_INT32)
        st = add_all(d, leaf, s, stamp, bounds, to, false, 4, err);
    else if (leaf->physical == PQ_FIXED)
        st = add_all(d, leaf, s, stamp, bounds, to, false, (size_t)leaf->width, err);
    else
        st = add_all(d, leaf, s, stamp, bounds, to, false, 8, err);
    if (st >= 0)
        index->n += s->values * sizeof *to;
    return st;
}

void pen_dict_clear(struct pen_dict *d)
{
    if (d->n)
        memset(d->slots, 0, d->n_slots * sizeof *d->slots);
    d->n = d->page.n = d->start.n = d->stamp.n = 0;
}

void pen_dict_fini(struct pen_dict *d)
{
    free(d->slots);
    pen_buf_free(&d->page);
    pen_buf_free(&d->start);
    pen_buf_free(&d->stamp);
    memset(d, 0, sizeof *d);
}

size_t pen_dict_held(const struct pen_dict *d)
{
    return d->page.cap + d->start.cap + d->stamp.cap + d->n_slots * sizeof *d->slots;
}
