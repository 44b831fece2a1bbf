/* format.h - numbers of the Parquet format (parquet.thrift) and the growing buffer, for the files of this folder alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_FORMAT_H
#define PENSTOCK_PARQUET_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <penstock/error.h>

enum { /* Type */
    PQ_BOOLEAN = 0, PQ_INT32 = 1, PQ_INT64 = 2, PQ_INT96 = 3, PQ_FLOAT = 4, PQ_DOUBLE = 5, PQ_BYTE_ARRAY = 6, PQ_FIXED = 7
};
enum { /* ConvertedType */
    PQ_CONVERTED_UTF8 = 0, PQ_CONVERTED_MAP = 1, PQ_CONVERTED_MAP_KEY_VALUE = 2, PQ_CONVERTED_LIST = 3, PQ_CONVERTED_ENUM = 4,
    PQ_CONVERTED_DECIMAL = 5, PQ_CONVERTED_DATE = 6, PQ_CONVERTED_TIME_MILLIS = 7, PQ_CONVERTED_TIME_MICROS = 8,
    PQ_CONVERTED_TIMESTAMP_MILLIS = 9, PQ_CONVERTED_TIMESTAMP_MICROS = 10, PQ_CONVERTED_UINT8 = 11, PQ_CONVERTED_UINT32 = 13,
    PQ_CONVERTED_UINT64 = 14, PQ_CONVERTED_INT8 = 15, PQ_CONVERTED_INT64 = 18, PQ_CONVERTED_JSON = 19, PQ_CONVERTED_BSON = 20,
    PQ_CONVERTED_INTERVAL = 21
};
enum { /* fields of the union LogicalType */
    PQ_LOGICAL_STRING = 1, PQ_LOGICAL_MAP = 2, PQ_LOGICAL_LIST = 3, PQ_LOGICAL_ENUM = 4, PQ_LOGICAL_DECIMAL = 5, PQ_LOGICAL_DATE = 6,
    PQ_LOGICAL_TIME = 7, PQ_LOGICAL_TIMESTAMP = 8, PQ_LOGICAL_INTEGER = 10, PQ_LOGICAL_NULL = 11, PQ_LOGICAL_JSON = 12,
    PQ_LOGICAL_BSON = 13, PQ_LOGICAL_UUID = 14, PQ_LOGICAL_FLOAT16 = 15
};
enum { PQ_REQUIRED = 0, PQ_OPTIONAL = 1, PQ_REPEATED = 2 };
enum { /* Encoding */
    PQ_PLAIN = 0, PQ_PLAIN_DICTIONARY = 2, PQ_RLE = 3, PQ_BIT_PACKED = 4, PQ_DELTA_BINARY_PACKED = 5, PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
    PQ_DELTA_BYTE_ARRAY = 7, PQ_RLE_DICTIONARY = 8, PQ_BYTE_STREAM_SPLIT = 9
};
enum { /* CompressionCodec */
    PQ_UNCOMPRESSED = 0, PQ_SNAPPY = 1, PQ_GZIP = 2, PQ_LZO = 3, PQ_BROTLI = 4, PQ_LZ4 = 5, PQ_ZSTD = 6, PQ_LZ4_RAW = 7
};
enum { PQ_DATA_PAGE = 0, PQ_INDEX_PAGE = 1, PQ_DICTIONARY_PAGE = 2, PQ_DATA_PAGE_V2 = 3 };

#define PQ_MAGIC "PAR1"
#define PQ_BOUND_BYTES 64 /* texts in statistics are shortened to this */
#define PQ_MAX_LEVEL 64   /* definition and repetition levels at most, so nesting at most */

/* Bytes that grow. All zero is empty; release with pen_buf_free(). */
struct pen_buf {
    uint8_t *p;
    size_t n, cap;
};

/* Room for `more` bytes behind the n that are there. */
static inline pen_status pen_buf_reserve(struct pen_buf *b, size_t more, struct pen_error *err)
{
    size_t cap;
    uint8_t *p;
    if (more <= b->cap - b->n)
        return PEN_OK;
    if (more > SIZE_MAX / 4 || b->n > SIZE_MAX / 4)
        return pen_fail(err, PEN_FATAL, "out of memory");
    cap = b->n + more;
    if (cap < b->cap + b->cap / 2)
        cap = b->cap + b->cap / 2;
    if (cap < 64)
        cap = 64;
    p = realloc(b->p, cap);
    if (!p)
        return pen_fail(err, PEN_FATAL, "out of memory: %zu bytes", cap);
    b->p = p;
    b->cap = cap;
    return PEN_OK;
}
static inline pen_status pen_buf_put(struct pen_buf *b, const void *bytes, size_t n, struct pen_error *err)
{
    pen_status st = pen_buf_reserve(b, n, err);
    if (st < 0)
        return st;
    if (n)
        memcpy(b->p + b->n, bytes, n);
    b->n += n;
    return PEN_OK;
}
static inline void pen_buf_free(struct pen_buf *b)
{
    free(b->p);
    memset(b, 0, sizeof *b);
}

/* Little-endian loads and stores at any address; compilers make one instruction of each. */
static inline uint32_t pen_load32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t pen_load64(const void *p)
{
    return (uint64_t)pen_load32(p) | (uint64_t)pen_load32((const uint8_t *)p + 4) << 32;
}
static inline void pen_store32(void *p, uint32_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v, b[1] = (uint8_t)(v >> 8), b[2] = (uint8_t)(v >> 16), b[3] = (uint8_t)(v >> 24);
}
static inline void pen_store64(void *p, uint64_t v)
{
    pen_store32(p, (uint32_t)v);
    pen_store32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}
/* How many bits the values 0 … max need. */
static inline unsigned pen_bits_for(uint64_t max)
{
    return max ? 64u - (unsigned)__builtin_clzll(max) : 0;
}

#endif
