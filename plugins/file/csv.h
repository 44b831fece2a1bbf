/* csv.h - rows of CSV as JSON objects, so that they go through the same intake as JSON lines: decoded to whatever columns are wanted, kept raw,
 * or dead letters with their reason.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_FILE_CSV_H
#define PENSTOCK_FILE_CSV_H

#include <penstock/records.h>

struct replay;

struct csv {
    char delimiter;
    struct pen_text keys;  /* `"name":` of each column, one after the other */
    size_t *key_ends;
    size_t n_columns;      /* 0: the first row has not been read yet */
    struct pen_text row;   /* the object being made */
    struct replay *replay; /* NULL: rows are due at once */
};

/* Takes the names from the first row, or (header false) only their number: c1, c2, … *took: its length, 0 where n bytes do not hold it whole. */
pen_status csv_begin(struct csv *c, const char *bytes, size_t n, bool at_end, bool header, size_t *took, struct pen_error *err);
/* Like pen_intake_lines(), with rows that begin before `limit`. *due is set to when the next row may come, where it is not due at `now`. */
size_t csv_feed(struct csv *c, struct pen_intake *in, const char *bytes, size_t n, bool at_end, uint64_t position, uint64_t limit, int64_t max_rows,
                int64_t now, int64_t *due);
void csv_fini(struct csv *c);
/* Whether a cell without quotes is read as a JSON value (number, true, false) and not as text. */
bool csv_is_literal(const char *s, size_t n);

#endif
