/* cell.h - one value of a column as SQL and the printers take it.
 *   bool BOOL · int32, int64 INT · float64 REAL · utf8 TEXT · binary BLOB
 *   date32, timestamp  TEXT, "2018-03-09", "2018-03-09 14:05:07[.f…]": SQLite's date functions take it and its order is the order of time
 *   decimal128         INT where it is whole by its type and fits, else the nearest REAL
 *   list, struct       JSON, its text: lists as arrays, structs as objects in the schema's order
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_CELL_H
#define PENSTOCK_DATA_CELL_H

#include <penstock/batch.h>
#include <penstock/records.h>

#include "data/calendar.h"

typedef enum {
    PEN_CELL_NULL,
    PEN_CELL_BOOL, /* in i */
    PEN_CELL_INT,
    PEN_CELL_REAL,
    PEN_CELL_TEXT,
    PEN_CELL_BLOB,
    PEN_CELL_JSON
} pen_cell_kind;

struct pen_cell {
    pen_cell_kind kind;
    int64_t i;
    double r;
    const char *text; /* TEXT, BLOB, JSON: bytes of the column, of `small`, or of the cell's text; until the next read */
    size_t n;
    char small[PEN_TIME_TEXT];
};

/* A column of a batch, with what reading its cells needs. */
struct pen_cells {
    const struct ArrowSchema *field;
    pen_type type;
    struct pen_column column;
    int scale; /* of a decimal */
};

/* field must be one that pen_schema_check() lets pass; both are borrowed. */
void pen_cells_init(struct pen_cells *cells, const struct ArrowSchema *field);
static inline void pen_cells_point(struct pen_cells *cells, const struct ArrowArray *column)
{
    cells->column = pen_column_of(column);
}
/* Reads row `row` of the column; scratch holds the text of lists and structs. PEN_FATAL: out of memory. */
pen_status pen_cell_read(struct pen_cell *cell, const struct pen_cells *cells, int64_t row, struct pen_text *scratch,
                         struct pen_error *err);

/* The shortest text that reads back as v, with a point or an exponent: "0.1", "5.0", "1e300"; "Infinity", "-Infinity", "NaN". */
void pen_text_real(struct pen_text *t, double v);
static inline void pen_text_char(struct pen_text *g, char c)
{
    pen_text_append(g, &c, 1);
}
/* The value as JSON: bytes as base64, what is no number as null. */
void pen_text_json_cell(struct pen_text *g, const struct pen_cell *cell);
/* Lower-case hexadecimal digits, as tables and CSV show bytes. */
void pen_text_hex(struct pen_text *g, const void *bytes, size_t n);

#endif
