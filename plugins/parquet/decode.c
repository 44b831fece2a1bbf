/* decode.c - runs, packed bits and differences, read with every bound checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "decode.h"

static bool get_varint(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;
        *v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return true;
    }
    return false;
}

/* Up to 57 bits, `bit` bits behind p; bytes from end on count as zero. */
static inline uint64_t bits_at(const uint8_t *p, const uint8_t *end, uint64_t bit)
{
    uint64_t v = 0;
    p += bit / 8;
    if (end - p >= 8)
        return pen_load64(p) >> bit % 8;
    for (unsigned i = 0; p + i < end; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v >> bit % 8;
}

/* -- the hybrid --------------------------------------------------------------------------------------------------------------- */

bool pen_hybrid_init(struct pen_hybrid *h, const uint8_t *p, const uint8_t *end, unsigned width)
{
    memset(h, 0, sizeof *h);
    h->p = p;
    h->end = end;
    h->width = width;
    return width <= 32;
}

static bool next_run(struct pen_hybrid *h)
{
    uint64_t head, bytes;
    if (!h->p) /* a page without values */
        return false;
    h->p += (h->bit + 7) / 8;
    h->bit = 0;
    if (!get_varint(&h->p, h->end, &head) || head >> 1 > INT32_MAX)
        return false;
    if (head & 1) {
        bytes = (head >> 1) * h->width;
        if (bytes > (uint64_t)(h->end - h->p)) /* some writers leave out what fills the last group up */
            h->packed = (uint64_t)(h->end - h->p) * 8 / h->width;
        else
            h->packed = (head >> 1) * 8;
        return h->packed > 0;
    }
    h->repeats = head >> 1;
    h->value = 0;
    for (unsigned i = 0; i < (h->width + 7) / 8; i++) {
        if (h->p == h->end)
            return false;
        h->value |= (uint32_t)*h->p++ << 8 * i;
    }
    return h->repeats > 0;
}

bool pen_hybrid_get(struct pen_hybrid *h, uint32_t *out, size_t n)
{
    uint32_t mask = h->width >= 32 ? UINT32_MAX : ((uint32_t)1 << h->width) - 1;
    while (n) {
        size_t m;
        if (!h->repeats && !h->packed && !next_run(h))
            return false;
        if (h->repeats) {
            m = h->repeats < n ? (size_t)h->repeats : n;
            for (size_t i = 0; i < m; i++)
                out[i] = h->value;
            h->repeats -= m;
        } else {
            m = h->packed < n ? (size_t)h->packed : n;
            for (size_t i = 0; i < m; i++, h->bit += h->width)
                out[i] = (uint32_t)bits_at(h->p, h->end, h->bit) & mask;
            h->packed -= m;
        }
        out += m;
        n -= m;
    }
    return true;
}

bool pen_hybrid_levels(struct pen_hybrid *h, uint8_t *out, size_t n, uint8_t max, size_t *full)
{
    uint32_t wide[256];
    size_t count = 0;
    while (n) {
        size_t m = n < 256 ? n : 256;
        if (!pen_hybrid_get(h, wide, m))
            return false;
        for (size_t i = 0; i < m; i++) {
            if (wide[i] > max)
                return false;
            out[i] = (uint8_t)wide[i];
            count += wide[i] == max;
        }
        out += m;
        n -= m;
    }
    *full += count;
    return true;
}

size_t pen_hybrid_take_run(struct pen_hybrid *h, uint32_t value, size_t n)
{
    if (!h->repeats && !h->packed && !next_run(h))
        return 0;
    if (!h->repeats || h->value != value)
        return 0;
    if (n > h->repeats)
        n = (size_t)h->repeats;
    h->repeats -= n;
    return n;
}

/* -- differences -------------------------------------------------------------------------------------------------------------- */

static int64_t zigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

bool pen_delta_init(struct pen_delta *d, const uint8_t *p, const uint8_t *end, unsigned bits)
{
    uint64_t first;
    memset(d, 0, sizeof *d);
    d->p = p;
    d->end = end;
    d->bits = bits;
    if (!get_varint(&d->p, end, &d->block) || !get_varint(&d->p, end, &d->minis) || !get_varint(&d->p, end, &d->left) ||
        !get_varint(&d->p, end, &first))
        return false;
    d->last = zigzag(first);
    d->first = true;
    d->mini = d->minis; /* a block comes next */
    return d->block && d->block <= 1 << 20 && d->minis && d->minis <= d->block && d->block % d->minis == 0 &&
           d->block / d->minis % 8 == 0 && d->left <= INT32_MAX;
}

/* The head of a block: smallest difference and the widths of its parts. */
static bool next_block(struct pen_delta *d)
{
    uint64_t min;
    if (!get_varint(&d->p, d->end, &min) || d->minis > (uint64_t)(d->end - d->p))
        return false;
    d->min = zigzag(min);
    d->widths = d->p;
    d->p += d->minis;
    d->mini = 0;
    d->in_mini = 0;
    return true;
}

/* Unpacks the next values, at most 32, never beyond a part. */
static bool unpack(struct pen_delta *d)
{
    uint64_t per = d->block / d->minis, width;
    const uint8_t *p;
    if (d->mini == d->minis && !next_block(d))
        return false;
    width = d->widths[d->mini]; /* beyond 32 for values of 32 bits too: DuckDB's differences do not wrap */
    if (width > 64 || (d->in_mini == 0 && per * width / 8 > (uint64_t)(d->end - d->p)))
        return false;
    d->n = per - d->in_mini < 32 ? (unsigned)(per - d->in_mini) : 32;
    d->at = 0;
    p = d->p;
    for (unsigned i = 0; i < d->n; i++) {
        uint64_t bit = (d->in_mini + i) * width, v = bits_at(p, d->end, bit);
        if (width > 56)
            v = (v & (((uint64_t)1 << 32) - 1)) | bits_at(p, d->end, bit + 32) << 32;
        d->values[i] = width == 64 ? v : v & (((uint64_t)1 << width) - 1);
    }
    d->in_mini += d->n;
    if (d->in_mini == per) {
        d->p += per * width / 8;
        d->in_mini = 0;
        d->mini++;
    }
    return true;
}

bool pen_delta_get(struct pen_delta *d, int64_t *out, size_t n)
{
    if (n > d->left)
        return false;
    d->left -= n;
    if (n && d->first) {
        d->first = false;
        *out++ = d->last;
        n--;
    }
    while (n) {
        size_t m;
        if (d->at == d->n && !unpack(d))
            return false;
        m = d->n - d->at < n ? d->n - d->at : n;
        for (size_t i = 0; i < m; i++) {
            uint64_t v = (uint64_t)d->last + (uint64_t)d->min + d->values[d->at + i];
            d->last = d->bits == 32 ? (int32_t)(uint32_t)v : (int64_t)v;
            out[i] = d->last;
        }
        d->at += (unsigned)m;
        out += m;
        n -= m;
    }
    return true;
}

const uint8_t *pen_delta_end(const struct pen_delta *from)
{
    struct pen_delta d = *from;
    uint64_t per = d.block / d.minis, left = d.left ? d.left - 1 : 0;
    while (left) {
        if (!next_block(&d))
            return NULL;
        for (uint64_t i = 0; i < d.minis && left; i++) {
            uint64_t bytes = per * d.widths[i] / 8;
            if (bytes > (uint64_t)(d.end - d.p))
                return NULL;
            d.p += bytes;
            left -= left < per ? left : per;
        }
    }
    return d.p;
}
