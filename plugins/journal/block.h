/* block.h - rows of a raw batch as one block of a segment file. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_JOURNAL_BLOCK_H
#define PENSTOCK_JOURNAL_BLOCK_H

#include <sys/uio.h>

#include "format.h"

/* The rows of a block: n rows from `first` on, or those named by index. */
struct rows {
    const int64_t *index; /* NULL: contiguous */
    int64_t first, n;
};
static inline int64_t row_at(const struct rows *r, int64_t i)
{
    return r->index ? r->index[i] : r->first + i;
}

struct columns { /* of a raw batch */
    struct pen_column key, value, timestamp, headers, name, header_value;
    bool keys, timestamps, with_headers; /* some row has one */
};
void columns_find(struct columns *c, const struct ArrowArray *batch);
/* About the bytes that a row takes in a block. */
uint64_t row_bytes(const struct columns *c, int64_t row);

struct scratch { /* a block's arrays, and what has to be gathered. Starts as { 0 } */
    uint8_t *p;
    size_t size;
};

/* A block as it goes to the file: its header and arrays, three runs of bytes, padding. They lie in the scratch and in the batch. */
struct block {
    uint8_t head[JF_BLOCK_HEADER];
    struct iovec v[6];
    uint64_t size;
};
pen_status block_build(struct block *out, struct scratch *scratch, const struct columns *c, const struct rows *r, uint64_t segment,
                       struct pen_error *err);

#endif
