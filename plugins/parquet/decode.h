/* decode.h - the encodings of Parquet's pages ("Encodings.md"), the reading half: runs, packed bits, differences.
 * All read from bytes that nobody has checked and never pass `end`; what cannot be makes them answer false.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_DECODE_H
#define PENSTOCK_PARQUET_DECODE_H

#include "format.h"

/* The RLE/bit-packing hybrid. */
struct pen_hybrid {
    const uint8_t *p, *end;
    unsigned width;
    uint64_t repeats;  /* values left of a repeated run */
    uint32_t value;
    uint64_t packed;   /* values left of a packed one, which begins `bit` bits behind p */
    uint64_t bit;
};

/* width at most 32. */
bool pen_hybrid_init(struct pen_hybrid *h, const uint8_t *p, const uint8_t *end, unsigned width);
bool pen_hybrid_get(struct pen_hybrid *h, uint32_t *out, size_t n);
/* Levels: bytes. *full counts those that equal max. */
bool pen_hybrid_levels(struct pen_hybrid *h, uint8_t *out, size_t n, uint8_t max, size_t *full);
/* How many of the next values are `value` for sure, at most n; they are taken. */
size_t pen_hybrid_take_run(struct pen_hybrid *h, uint32_t value, size_t n);

/* DELTA_BINARY_PACKED. */
struct pen_delta {
    const uint8_t *p, *end;
    unsigned bits;            /* 32 or 64: where sums wrap */
    uint64_t block, minis;    /* values of a block, and its parts */
    uint64_t left;            /* values that are still to come */
    int64_t last;             /* the value before the next */
    bool first;               /* the next value is `last` itself */
    int64_t min;
    const uint8_t *widths;
    uint64_t mini, in_mini;   /* part of the block, and values taken of it */
    uint64_t values[32];      /* unpacked ahead */
    unsigned at, n;
};

bool pen_delta_init(struct pen_delta *d, const uint8_t *p, const uint8_t *end, unsigned bits);
bool pen_delta_get(struct pen_delta *d, int64_t *out, size_t n);
/* Where what follows begins, for one just initialised; NULL when it is damaged. */
const uint8_t *pen_delta_end(const struct pen_delta *d);

#endif
