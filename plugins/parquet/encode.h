/* encode.h - the encodings of Parquet's pages ("Encodings.md"): bit packing, the RLE/bit-packing hybrid, DELTA_BINARY_PACKED.
 * Each writes to memory of the caller's that holds the bound it names, and returns the end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_ENCODE_H
#define PENSTOCK_PARQUET_ENCODE_H

#include "format.h"

uint8_t *pen_encode_varint(uint8_t *out, uint64_t v);

/* Room for n values of `width` bits in the hybrid. */
static inline size_t pen_encode_hybrid_bound(size_t n, unsigned width)
{
    return n / 8 * (width + 1) + width + 32 + n / 64;
}
uint8_t *pen_encode_hybrid(uint8_t *out, const uint32_t *v, size_t n, unsigned width);
/* The hybrid of n levels of one bit each, least significant first; bits behind the last are read as they are. */
uint8_t *pen_encode_bitmap(uint8_t *out, const uint8_t *bits, size_t n);

/* Room for n values in DELTA_BINARY_PACKED. */
static inline size_t pen_encode_delta_bound(size_t n, unsigned value_bits)
{
    return n / 128 * (14 + 128 / 8 * value_bits) + (14 + 128 / 8 * value_bits) + 40;
}
uint8_t *pen_encode_delta32(uint8_t *out, const int32_t *v, size_t n);
uint8_t *pen_encode_delta64(uint8_t *out, const int64_t *v, size_t n);

#endif
