/* dict.h - the dictionary of a column chunk while it is being written.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_DICT_H
#define PENSTOCK_PARQUET_DICT_H

#include "bounds.h"

/* All zero is empty; release with pen_dict_fini(). */
struct pen_dict {
    size_t n;             /* distinct values */
    struct pen_buf page;  /* them, PLAIN: the dictionary page as it will be written */
    struct pen_buf start; /* texts: uint32_t offset of each into page, its length before it */
    struct pen_buf stamp; /* uint32_t of each: the page that used it last */
    struct {
        uint32_t tag, entry; /* entry counts from one; zero: free */
    } *slots;
    size_t n_slots;
};

/* Appends the index of each value of a slice to `index` (uint32_t), adding values that are new. Values that were not yet used with this stamp
 * go into the bounds. */
pen_status pen_dict_add(struct pen_dict *d, const struct pen_leaf *leaf, const struct pen_slice *s, uint32_t stamp, struct pen_bounds *bounds,
                        struct pen_buf *index, struct pen_error *err);
void pen_dict_clear(struct pen_dict *d);
void pen_dict_fini(struct pen_dict *d);
size_t pen_dict_held(const struct pen_dict *d);

#endif
