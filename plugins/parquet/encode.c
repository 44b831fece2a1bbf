/* encode.c - bit packing, the RLE/bit-packing hybrid, DELTA_BINARY_PACKED: the writing half.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

#define DELTA_BLOCK 128 /* values of a block, in MINIBLOCKS parts */
#define MINIBLOCKS 4
#define MINIBLOCK (DELTA_BLOCK / MINIBLOCKS)
#define LEAST_RUN 8 /* shorter runs are packed */

uint8_t *pen_encode_varint(uint8_t *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *out++ = (uint8_t)(v | 0x80);
    *out++ = (uint8_t)v;
    return out;
}

/* n * width is a whole number of bytes. */
static uint8_t *pack32(uint8_t *out, const uint32_t *v, size_t n, unsigned width)
{
    uint64_t acc = 0;
    unsigned fill = 0;
    for (size_t i = 0; i < n; i++) {
        acc |= (uint64_t)v[i] << fill;
        fill += width;
        if (fill >= 32) {
            pen_store32(out, (uint32_t)acc);
            out += 4;
            acc >>= 32;
            fill -= 32;
        }
    }
    for (; fill; fill -= 8, acc >>= 8)
        *out++ = (uint8_t)acc;
    return out;
}

static uint8_t *pack64(uint8_t *out, const uint64_t *v, size_t n, unsigned width)
{
    uint64_t acc = 0;
    unsigned fill = 0;
    for (size_t i = 0; i < n; i++) {
        acc |= v[i] << fill;
        fill += width;
        if (fill >= 64) {
            pen_store64(out, acc);
            out += 8;
            fill -= 64;
            acc = fill ? v[i] >> (width - fill) : 0;
        }
    }
    for (; fill; fill -= 8, acc >>= 8)
        *out++ = (uint8_t)acc;
    return out;
}

/* A bit-packed run of n values; behind the last it is filled up with zeros to a group of eight. */
static uint8_t *literal_run(uint8_t *out, const uint32_t *v, size_t n, unsigned width)
{
    size_t whole = n & ~(size_t)7;
    if (!n)
        return out;
    out = pen_encode_varint(out, (uint64_t)((n + 7) / 8) << 1 | 1);
    out = pack32(out, v, whole, width);
    if (n > whole) {
        uint32_t last[8] = { 0 };
        memcpy(last, v + whole, (n - whole) * sizeof *v);
        out = pack32(out, last, 8, width);
    }
    return out;
}

static uint8_t *repeated_run(uint8_t *out, uint32_t v, size_t n, unsigned width)
{
    out = pen_encode_varint(out, (uint64_t)n << 1);
    for (unsigned bit = 0; bit < width; bit += 8)
        *out++ = (uint8_t)(v >> bit);
    return out;
}

uint8_t *pen_encode_hybrid(uint8_t *out, const uint32_t *v, size_t n, unsigned width)
{
    size_t literal = 0; /* first value that is not written yet */
    size_t i = 0;
    while (i < n) {
        size_t run = 1, fill;
        while (i + run < n && v[i + run] == v[i])
            run++;
        fill = (8 - (i - literal) % 8) % 8; /* a literal run ahead of this one ends at a group of eight */
        if (run < LEAST_RUN + fill) {
            i += run;
            continue;
        }
        i += fill;
        out = literal_run(out, v + literal, i - literal, width);
        out = repeated_run(out, v[i], run - fill, width);
        i += run - fill;
        literal = i;
    }
    return literal_run(out, v + literal, n - literal, width);
}

/* One run of bytes 0x00 or 0xff of this many becomes a repeated run. */
#define LEAST_BYTES 8

uint8_t *pen_encode_bitmap(uint8_t *out, const uint8_t *bits, size_t n)
{
    size_t bytes = (n + 7) / 8, literal = 0, i = 0;
    while (i < bytes) {
        size_t run = 1;
        while (i + run < n / 8 && bits[i + run] == bits[i])
            run++;
        if ((bits[i] == 0 || bits[i] == 0xff) && run >= LEAST_BYTES) {
            if (i > literal) {
                out = pen_encode_varint(out, (uint64_t)(i - literal) << 1 | 1);
                memcpy(out, bits + literal, i - literal);
                out += i - literal;
            }
            out = repeated_run(out, bits[i] & 1, run * 8, 1);
            literal = i + run;
        }
        i += run;
    }
    if (bytes > literal) {
        out = pen_encode_varint(out, (uint64_t)(bytes - literal) << 1 | 1);
        memcpy(out, bits + literal, bytes - literal);
        out += bytes - literal;
    }
    return out;
}

static uint8_t *delta_head(uint8_t *out, size_t n, int64_t first)
{
    out = pen_encode_varint(out, DELTA_BLOCK);
    out = pen_encode_varint(out, MINIBLOCKS);
    out = pen_encode_varint(out, n);
    return pen_encode_varint(out, (uint64_t)first << 1 ^ (uint64_t)(first >> 63));
}

uint8_t *pen_encode_delta32(uint8_t *out, const int32_t *v, size_t n)
{
    out = delta_head(out, n, n ? v[0] : 0);
    for (size_t at = 1; at < n; at += DELTA_BLOCK) {
        uint32_t d[DELTA_BLOCK];
        size_t m = n - at < DELTA_BLOCK ? n - at : DELTA_BLOCK;
        int32_t min = INT32_MAX;
        uint8_t *widths;
        for (size_t i = 0; i < m; i++) { /* differences wrap, as the format wants it */
            d[i] = (uint32_t)v[at + i] - (uint32_t)v[at + i - 1];
            min = (int32_t)d[i] < min ? (int32_t)d[i] : min;
        }
        for (size_t i = 0; i < m; i++)
            d[i] -= (uint32_t)min;
        memset(d + m, 0, (DELTA_BLOCK - m) * sizeof *d);
        out = pen_encode_varint(out, (uint64_t)(int64_t)min << 1 ^ (uint64_t)((int64_t)min >> 63));
        widths = out;
        out += MINIBLOCKS;
        for (size_t b = 0; b < MINIBLOCKS; b++) {
            uint32_t all = 0;
            for (size_t i = 0; i < MINIBLOCK; i++)
                all |= d[b * MINIBLOCK + i];
            widths[b] = (uint8_t)pen_bits_for(all);
            if (b * MINIBLOCK < m) /* miniblocks without values have no bytes */
                out = pack32(out, d + b * MINIBLOCK, MINIBLOCK, widths[b]);
        }
    }
    return out;
}

uint8_t *pen_encode_delta64(uint8_t *out, const int64_t *v, size_t n)
{
    out = delta_head(out, n, n ? v[0] : 0);
    for (size_t at = 1; at < n; at += DELTA_BLOCK) {
        uint64_t d[DELTA_BLOCK];
        size_t m = n - at < DELTA_BLOCK ? n - at : DELTA_BLOCK;
        int64_t min = INT64_MAX;
        uint8_t *widths;
        for (size_t i = 0; i < m; i++) {
            d[i] = (uint64_t)v[at + i] - (uint64_t)v[at + i - 1];
            min = (int64_t)d[i] < min ? (int64_t)d[i] : min;
        }
        for (size_t i = 0; i < m; i++)
            d[i] -= (uint64_t)min;
        memset(d + m, 0, (DELTA_BLOCK - m) * sizeof *d);
        out = pen_encode_varint(out, (uint64_t)min << 1 ^ (uint64_t)(min >> 63));
        widths = out;
        out += MINIBLOCKS;
        for (size_t b = 0; b < MINIBLOCKS; b++) {
            uint64_t all = 0;
            for (size_t i = 0; i < MINIBLOCK; i++)
                all |= d[b * MINIBLOCK + i];
            widths[b] = (uint8_t)pen_bits_for(all);
            if (b * MINIBLOCK < m)
                out = pack64(out, d + b * MINIBLOCK, MINIBLOCK, widths[b]);
        }
    }
    return out;
}
