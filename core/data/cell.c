/* cell.c - see cell.h. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/cell.h"
#include "data/encode.h"

void pen_text_hex(struct pen_text *g, const void *bytes, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        unsigned char c = ((const unsigned char *)bytes)[i];
        pen_text_char(g, digit[c >> 4]);
        pen_text_char(g, digit[c & 15]);
    }
}

void pen_text_real(struct pen_text *t, double v)
{
    if (isfinite(v))
        pen_json_encode_float(t, v);
    else
        pen_text_put(t, isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity");
}

void pen_cells_init(struct pen_cells *cells, const struct ArrowSchema *field)
{
    const char *comma;
    *cells = (struct pen_cells){ .field = field, .type = pen_schema_type(field) };
    if (cells->type == PEN_TYPE_DECIMAL128 && (comma = strchr(field->format, ',')) != NULL)
        cells->scale = atoi(comma + 1);
}

/* The digits of a decimal128 (little-endian two's complement), with its point, into buf of 96 bytes. */
static void decimal_text(char *buf, const uint8_t le[16], int scale)
{
    unsigned __int128 v = 0;
    char rev[48];
    int n = 0;
    bool minus = (le[15] & 0x80) != 0;
    for (int i = 15; i >= 0; i--)
        v = v << 8 | le[i];
    if (minus)
        v = -v;
    do
        rev[n++] = (char)('0' + (int)(v % 10));
    while (v /= 10);
    if (minus)
        *buf++ = '-';
    while (n > 0)
        *buf++ = rev[--n];
    sprintf(buf, "e%d", -scale);
}

static void read_decimal(struct pen_cell *cell, const uint8_t le[16], int scale)
{
    char text[96];
    __int128 v = 0;
    memcpy(&v, le, 16);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = 0;
    for (int i = 15; i >= 0; i--)
        v = (__int128)((unsigned __int128)v << 8 | le[i]);
#endif
    if (scale == 0 && v >= INT64_MIN && v <= INT64_MAX) {
        cell->kind = PEN_CELL_INT;
        cell->i = (int64_t)v;
        return;
    }
    decimal_text(text, le, scale); /* strtod rounds once and rightly */
    cell->kind = PEN_CELL_REAL;
    cell->r = strtod(text, NULL);
}

void pen_text_json_cell(struct pen_text *g, const struct pen_cell *cell)
{
    switch (cell->kind) {
    case PEN_CELL_NULL:
        pen_text_put(g, "null");
        break;
    case PEN_CELL_BOOL:
        pen_text_put(g, cell->i ? "true" : "false");
        break;
    case PEN_CELL_INT:
        pen_text_format(g, "%lld", (long long)cell->i);
        break;
    case PEN_CELL_REAL:
        pen_json_encode_float(g, cell->r);
        break;
    case PEN_CELL_TEXT:
        pen_text_json_string(g, cell->text, cell->n);
        break;
    case PEN_CELL_BLOB:
        pen_text_char(g, '"');
        pen_text_base64(g, cell->text, cell->n);
        pen_text_char(g, '"');
        break;
    case PEN_CELL_JSON:
        pen_text_append(g, cell->text, cell->n);
        break;
    }
}

pen_status pen_cell_read(struct pen_cell *cell, const struct pen_cells *cells, int64_t row, struct pen_text *scratch,
                         struct pen_error *err)
{
    const struct pen_column *c = &cells->column;
    cell->kind = PEN_CELL_NULL;
    if (pen_column_is_null(c, row))
        return PEN_OK;
    switch (cells->type) {
    case PEN_TYPE_BOOL:
        cell->kind = PEN_CELL_BOOL;
        cell->i = pen_column_bool(c, row);
        break;
    case PEN_TYPE_INT32:
        cell->kind = PEN_CELL_INT;
        cell->i = pen_column_int32(c, row);
        break;
    case PEN_TYPE_INT64:
        cell->kind = PEN_CELL_INT;
        cell->i = pen_column_int64(c, row);
        break;
    case PEN_TYPE_FLOAT64:
        cell->kind = PEN_CELL_REAL;
        cell->r = pen_column_float64(c, row);
        break;
    case PEN_TYPE_DECIMAL128:
        read_decimal(cell, (const uint8_t *)c->data + 16 * (c->offset + row), cells->scale);
        break;
    case PEN_TYPE_UTF8:
    case PEN_TYPE_BINARY:
        cell->kind = cells->type == PEN_TYPE_UTF8 ? PEN_CELL_TEXT : PEN_CELL_BLOB;
        cell->text = pen_column_bytes(c, row, &cell->n);
        break;
    case PEN_TYPE_DATE32:
    case PEN_TYPE_TIMESTAMP:
        cell->kind = PEN_CELL_TEXT;
        cell->text = cell->small;
        cell->n = cells->type == PEN_TYPE_DATE32 ? pen_date_text(cell->small, pen_column_int32(c, row))
                                                 : pen_timestamp_text(cell->small, pen_column_int64(c, row));
        break;
    case PEN_TYPE_LIST:
    case PEN_TYPE_STRUCT:
        scratch->n = 0;
        pen_json_encode_value(scratch, cells->field, c->array, row);
        if (scratch->failed)
            return pen_fail(err, PEN_FATAL, "out of memory for a value of column \"%s\"", cells->field->name);
        cell->kind = PEN_CELL_JSON;
        cell->text = scratch->bytes;
        cell->n = scratch->n;
        break;
    case PEN_TYPE_NONE:
        break;
    }
    return PEN_OK;
}
