/* encode.c - columns to JSON text, row by row; see <penstock/records.h> and encode.h. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/calendar.h"
#include "data/encode.h"
#include "data/schema.h"

/* -- scalars ---------------------------------------------------------------------------------------------------------------- */

/* The fewest decimal digits that are read back as v, which is finite and above 0: digits[0] . digits[1] … × 10^exponent. */
static int shortest_digits(double v, char digits[20], int *exponent)
{
    for (int n = v < 2.3e-308 ? 1 : 15;; n++) { /* 15 digits always survive, but a subnormal may need fewer than are shown */
        char text[48], back[48];
        double read;
        int at = 0, length;
        const char *p = text;
        snprintf(text, sizeof text, "%.*e", n - 1, v);
        for (; *p != 'e'; p++) /* whatever the locale's decimal point is */
            if (*p >= '0' && *p <= '9')
                digits[at++] = *p;
        *exponent = atoi(p + 1);
        while (at > 1 && digits[at - 1] == '0')
            at--;
        digits[at] = '\0';
        length = snprintf(back, sizeof back, "%se%d", digits, *exponent - (at - 1));
        if (n >= 17 || (pen_json_number_to_float64(back, (size_t)length, &read) && read == v))
            return at;
    }
}

void pen_json_encode_float(struct pen_text *t, double v)
{
    char digits[20] = "0", text[64];
    int n = 1, exponent = 0, at = 0;
    if (!isfinite(v)) {
        pen_text_put(t, "null");
        return;
    }
    if (signbit(v))
        text[at++] = '-';
    if (v != 0)
        n = shortest_digits(fabs(v), digits, &exponent);
    if (exponent < -5 || exponent > 16) {
        pen_text_append(t, text, (size_t)at);
        pen_text_format(t, "%c%s%se%d", digits[0], n > 1 ? "." : "", digits + 1, exponent);
        return;
    }
    /* Places from the first digit, or from the one before the point, to the last digit, or the one behind the point. */
    for (int place = exponent > 0 ? exponent : 0; place > exponent - n || place >= -1; place--) {
        int i = exponent - place;
        if (place == -1)
            text[at++] = '.';
        text[at++] = i >= 0 && i < n ? digits[i] : '0';
    }
    pen_text_append(t, text, (size_t)at);
}

static void add_decimal(struct pen_text *t, const uint8_t le[16], int scale)
{
    unsigned __int128 v = 0;
    char text[48];
    size_t at = sizeof text;
    bool negative = le[15] & 0x80;
    for (int i = 15; i >= 0; i--)
        v = v << 8 | le[i];
    if (negative)
        v = 0 - v;
    for (int i = 0; v || i <= scale; i++) {
        if (i == scale && i > 0)
            text[--at] = '.';
        text[--at] = (char)('0' + (int)(v % 10));
        v /= 10;
    }
    if (negative)
        text[--at] = '-';
    pen_text_append(t, text + at, sizeof text - at);
}

static void add_date(struct pen_text *t, int64_t days)
{
    char text[PEN_TIME_TEXT];
    pen_text_append(t, text, pen_date_text(text, days));
}

static void add_timestamp(struct pen_text *t, int64_t micros)
{
    struct pen_civil c = pen_civil_from_micros(micros);
    pen_text_put(t, "\"");
    add_date(t, pen_micros_to_days(micros));
    pen_text_format(t, "T%02d:%02d:%02d", c.hour, c.minute, c.second);
    if (c.micro)
        pen_text_format(t, ".%06d", c.micro);
    pen_text_put(t, "Z\"");
}

/* -- lists, structs, rows ------------------------------------------------------------------------------------------------------- */

static void add_list(struct pen_text *t, const struct ArrowSchema *field, const struct pen_column *c, int64_t row)
{
    const int32_t *o = c->offsets + c->offset + row;
    for (int32_t i = o[0]; i < o[1]; i++) {
        pen_text_append(t, i == o[0] ? "[" : ",", 1);
        pen_json_encode_value(t, field->children[0], c->array->children[0], i);
    }
    pen_text_put(t, o[0] == o[1] ? "[]" : "]");
}

/* The fields of a struct at element `row` of its children. */
static void add_struct(struct pen_text *t, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        const char *name = schema->children[i]->name;
        pen_text_append(t, i == 0 ? "{" : ",", 1);
        pen_text_json_string(t, name, strlen(name));
        pen_text_append(t, ":", 1);
        pen_json_encode_value(t, schema->children[i], array->children[i], row);
    }
    pen_text_put(t, array->n_children == 0 ? "{}" : "}");
}

void pen_json_encode_value(struct pen_text *t, const struct ArrowSchema *field, const struct ArrowArray *column, int64_t row)
{
    struct pen_column c = pen_column_of(column);
    pen_type type = pen_column_is_null(&c, row) ? PEN_TYPE_NONE : pen_schema_type(field);
    int precision = 0, scale = 0;
    const char *bytes;
    size_t n;
    switch (type) {
    case PEN_TYPE_BOOL: pen_text_put(t, pen_column_bool(&c, row) ? "true" : "false"); break;
    case PEN_TYPE_INT32: pen_text_format(t, "%d", pen_column_int32(&c, row)); break;
    case PEN_TYPE_INT64: pen_text_format(t, "%lld", (long long)pen_column_int64(&c, row)); break;
    case PEN_TYPE_FLOAT64: pen_json_encode_float(t, pen_column_float64(&c, row)); break;
    case PEN_TYPE_DECIMAL128:
        pen_schema_decimal(field, &precision, &scale);
        add_decimal(t, (const uint8_t *)c.data + 16 * (c.offset + row), scale);
        break;
    case PEN_TYPE_UTF8:
        bytes = pen_column_bytes(&c, row, &n);
        pen_text_json_string(t, bytes, n);
        break;
    case PEN_TYPE_BINARY:
        bytes = pen_column_bytes(&c, row, &n);
        pen_text_put(t, "\"");
        pen_text_base64(t, bytes, n);
        pen_text_put(t, "\"");
        break;
    case PEN_TYPE_DATE32:
        pen_text_put(t, "\"");
        add_date(t, pen_column_int32(&c, row));
        pen_text_put(t, "\"");
        break;
    case PEN_TYPE_TIMESTAMP: add_timestamp(t, pen_column_int64(&c, row)); break;
    case PEN_TYPE_LIST: add_list(t, field, &c, row); break;
    case PEN_TYPE_STRUCT: add_struct(t, field, column, c.offset + row); break;
    default: pen_text_put(t, "null"); break;
    }
}

pen_status pen_json_encode_row(struct pen_text *t, const struct ArrowSchema *schema, const struct ArrowArray *batch, int64_t row,
                               struct pen_error *err)
{
    size_t before = t->n;
    add_struct(t, schema, batch, batch->offset + row);
    if (!pen_text_failed(t))
        return PEN_OK;
    t->n = before;
    return pen_fail(err, PEN_FATAL, "out of memory");
}

/* -- batches ---------------------------------------------------------------------------------------------------------------- */

struct pen_json_encoder {
    struct ArrowSchema schema;
    struct pen_builder *raw;
    struct pen_text text;
};

pen_status pen_json_encoder_new(struct pen_json_encoder **out, const struct ArrowSchema *schema, struct pen_error *err)
{
    struct pen_json_encoder *e = calloc(1, sizeof *e);
    struct ArrowSchema raw = { 0 };
    pen_status st;
    *out = NULL;
    if (!e)
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = pen_schema_copy(&e->schema, schema, err);
    if (st >= 0)
        st = pen_schema_raw(&raw, err);
    if (st >= 0)
        st = pen_builder_new(&e->raw, &raw, err);
    pen_schema_release(&raw);
    if (st < 0)
        pen_json_encoder_free(&e);
    *out = e;
    return st;
}

void pen_json_encoder_free(struct pen_json_encoder **e)
{
    if (!*e)
        return;
    pen_schema_release(&(*e)->schema);
    pen_builder_free(&(*e)->raw);
    pen_text_fini(&(*e)->text);
    free(*e);
    *e = NULL;
}

pen_status pen_json_encoder_batch(struct pen_json_encoder *e, const struct ArrowArray *in, struct ArrowArray *out, struct pen_error *err)
{
    pen_builder_truncate(e->raw, 0);
    memset(out, 0, sizeof *out);
    for (int64_t row = 0; row < in->length; row++) {
        pen_status st;
        pen_text_clear(&e->text);
        if ((st = pen_json_encode_row(&e->text, &e->schema, in, row, err)) < 0)
            return st;
        for (size_t i = 0; i < 6; i++)
            if (i != 1)
                pen_builder_null(pen_builder_child(e->raw, i));
        pen_builder_bytes_value(pen_builder_child(e->raw, 1), e->text.bytes, e->text.n);
    }
    return pen_builder_finish(e->raw, out, err);
}
