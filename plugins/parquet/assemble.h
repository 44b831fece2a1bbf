/* assemble.h - from the levels and dense values of leaves to arrays.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_ASSEMBLE_H
#define PENSTOCK_PARQUET_ASSEMBLE_H

#include "page.h"

/* Makes the array of a column; readers are by leaf. The leaves' values are moved out of them. *out is the caller's. */
pen_status pen_assemble(const struct pen_tree *column, struct pen_leaf_reader *readers, struct ArrowArray *out, struct pen_error *err);
/* Makes *out an array with memory for its buffers and children; both are NULL or released ones until they are set. */
pen_status pen_array_new(struct ArrowArray *out, int64_t length, size_t n_buffers, size_t n_children, struct pen_error *err);

#endif
