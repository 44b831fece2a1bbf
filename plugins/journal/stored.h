/* stored.h - which offsets the rows of one commit got, for those who posted them and wait. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_JOURNAL_STORED_H
#define PENSTOCK_JOURNAL_STORED_H

#include "log.h"

/* n rows that a lane wrote one after another into one partition. */
struct stored_run {
    uint32_t partition, n;
};

/* Runs in the order in which a lane was given its rows. Starts as { 0 }. */
struct stored_runs {
    struct stored_run *v;
    size_t n, cap;
    bool failed; /* memory ran out: nobody is told */
};
void stored_runs_add(struct stored_runs *r, uint32_t partition, uint32_t n);

/* Places of rows first … first+n-1 of these runs, where the lane's own rows of partition p begin at offset base[p]. */
pen_status stored_places(const struct stored_run *runs, size_t n_runs, const uint64_t base[JF_PARTITIONS], int64_t first, int64_t n,
                         struct pen_stored *out);

#endif
