/* partition.h - the values of partition columns as text, and the folders they make.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_PARTITION_H
#define PENSTOCK_PARQUET_PARTITION_H

#include <penstock/arrow.h>
#include <penstock/batch.h>

#include "format.h"

#define PEN_NULL_PARTITION "__HIVE_DEFAULT_PARTITION__"

/* Appends the text of row `row` as Hive and Delta write it: true, -5, 0.5, 2021-01-05, 2021-01-05 12:34:56.789 (UTC). *null: there is none;
 * an empty text counts as null too. */
pen_status pen_partition_text(const struct ArrowSchema *field, const struct ArrowArray *array, int64_t row, struct pen_buf *out,
                              bool *null, struct pen_error *err);
/* The way back: appends the value of this text (NULL: null) to a builder of the field. PEN_BADDATA where it is none. */
pen_status pen_partition_parse(const struct ArrowSchema *field, const char *text, struct pen_builder *b, struct pen_error *err);
/* PEN_BADCONF for types that make no folders: lists, structs, binary. */
pen_status pen_partition_check(const struct ArrowSchema *field, struct pen_error *err);

#endif
