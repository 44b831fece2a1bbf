/* print.h - rows for people and programs: an aligned table, JSON lines, CSV.
 *
 * Table: columns as wide as their cells (by display width, of the first thousand rows), cells beyond 40 columns cut with an ellipsis unless `wide`, numbers to the
 * right, null as NULL, the number of rows below. What a terminal would act on is escaped.
 * JSON lines: an object a row; booleans, lists and structs as what they are, bytes as base64 (elsewhere: hexadecimal digits).
 * CSV (RFC 4180): names first, lines end in CR LF, null is an empty field and the empty text "". Bytes are as they are, but escaped on a terminal.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CLI_PRINT_H
#define PENSTOCK_CLI_PRINT_H

#include <stdio.h>

#include "data/cell.h"

typedef enum { PEN_PRINT_TABLE, PEN_PRINT_JSON, PEN_PRINT_CSV } pen_print_format;

struct pen_printer;

pen_status pen_printer_new(struct pen_printer **out, FILE *file, pen_print_format format, bool wide, struct pen_error *err);
void pen_printer_free(struct pen_printer **p);
/* Begins a result with these columns (names are copied). */
pen_status pen_printer_begin(struct pen_printer *p, const char *const *names, size_t n, struct pen_error *err);
/* One cell for each column; copied or written before it returns. PEN_FATAL where the output cannot be written. */
pen_status pen_printer_row(struct pen_printer *p, const struct pen_cell *cells, struct pen_error *err);
/* Ends the result and flushes; `more`: there were rows that the caller did not ask for. */
pen_status pen_printer_end(struct pen_printer *p, bool more, struct pen_error *err);
/* A whole batch as a result. */
pen_status pen_printer_batch(struct pen_printer *p, const struct ArrowSchema *schema, const struct ArrowArray *batch, struct pen_error *err);

/* Columns of a terminal that the first character of text takes (0, 1 or 2); *bytes: how long it is, at least 1. */
int pen_display_width(const char *text, size_t n, size_t *bytes);

#endif
