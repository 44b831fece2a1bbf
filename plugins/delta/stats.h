/* stats.h - the statistics of a file in its add action ("Per-file Statistics"), and texts of values.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_DELTA_STATS_H
#define PEN_DELTA_STATS_H

#include "json.h"
#include "parquet.h"

/* The JSON of {numRecords, minValues, maxValues, nullCount}, of the first `columns` leaves at most (-1: all). */
void delta_stats_write(struct delta_text *t, int64_t rows, const struct pen_parquet_stats *stats, size_t n, int64_t columns);
/* numRecords of a stats text, -1 where it does not say. */
int64_t delta_stats_rows(const char *stats);

#endif
