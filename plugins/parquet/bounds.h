/* bounds.h - smallest and largest values of pages, column chunks and files (parquet.thrift, Statistics and ColumnOrder).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_BOUNDS_H
#define PENSTOCK_PARQUET_BOUNDS_H

#include "leaf.h"
#include "parquet.h"

/* A text or a big-endian number; `cut`: the value is longer than what is kept of it. The bytes behind the last are zero. */
struct pen_bound_bytes {
    uint8_t bytes[PQ_BOUND_BYTES];
    uint8_t n;
    bool cut;
};

/* All zero: nothing seen. NaNs are left out and noted. */
struct pen_bounds {
    bool set, nan;
    union {
        int64_t i; /* bool, int32, int64 */
        double d;
    } min, max;
    struct pen_bound_bytes min_bytes, max_bytes; /* PQ_BYTE_ARRAY, PQ_FIXED */
};

/* Takes in values from … from+n-1 of a slice. */
void pen_bounds_add(struct pen_bounds *b, const struct pen_leaf *leaf, const struct pen_slice *s, size_t from, size_t n);
/* Takes in one value: 4 or 8 little-endian bytes of a number, else the bytes. */
void pen_bounds_add_value(struct pen_bounds *b, const struct pen_leaf *leaf, const void *value, size_t n);
void pen_bounds_merge(struct pen_bounds *b, const struct pen_leaf *leaf, const struct pen_bounds *other);
/* A bound as the file holds it: *n bytes at out (PQ_BOUND_BYTES + 1 of room). False where there is none. */
bool pen_bounds_encode(const struct pen_bounds *b, const struct pen_leaf *leaf, bool max, uint8_t *out, size_t *n, bool *exact);
/* The same for a caller of this library; bytes of texts are written to `room` (PQ_BOUND_BYTES + 1), which value->bytes then points to. */
bool pen_bounds_value(const struct pen_bounds *b, const struct pen_leaf *leaf, bool max, struct pen_parquet_value *value, uint8_t *room,
                      bool *exact);

#endif
