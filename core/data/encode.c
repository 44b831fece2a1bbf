/* encode.c - columns to JSON text, row by row; see <penstock/records.h> and encode.h. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/calendar.h"
#include "data/encode.h"
#include "data/schema.h"
#include "data/text.h"

/* -- text that grows -------------------------------------------------------------------------------------------------------- */

void pen_json_text_fini(struct pen_json_text *t)
{
    free(t->bytes);
    memset(t, 0, sizeof *t);
}

/* Room for n more bytes, or NULL when out of memory. The caller adds to t->n what it wrote there. */
static char *text_room(struct pen_json_text *t, size_t n, struct pen_error *err)
{
    size_t want = t->room + t->room / 2;
    char *larger;
    if (t->room - t->n >= n)
        return t->bytes + t->n;
    want = want < t->n + n ? t->n + n : want;
    want = want < 256 ? 256 : want;
    if (n > SIZE_MAX / 4 || !(larger = realloc(t->bytes, want))) {
        pen_fail(err, PEN_FATAL, "out of memory");
        return NULL;
    }
    t->bytes = larger;
    t->room = want;
    return t->bytes + t->n;
}

pen_status pen_json_text_add(struct pen_json_text *t, const void *bytes, size_t n, struct pen_error *err)
{
    char *to = text_room(t, n, err);
    if (!to)
        return PEN_FATAL;
    if (n)
        memcpy(to, bytes, n);
    t->n += n;
    return PEN_OK;
}

/* Bytes of the well-formed UTF-8 sequence at s, 0 where there is none. */
static size_t sequence(const char *s, size_t n)
{
    for (size_t len = 1; len <= 4 && len <= n; len++)
        if (pen_utf8_valid(s, len))
            return len;
    return 0;
}

/* One character as it stands in a JSON string, at most 6 bytes; returns how many bytes of text it stands for. */
static size_t escape_one(char **to, const char *s, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[256] = { ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };
    unsigned char c = (unsigned char)*s;
    size_t len = 1;
    if (shorts[c]) {
        *(*to)++ = '\\';
        *(*to)++ = shorts[c];
    } else if (c < 0x20) {
        memcpy(*to, "\\u00", 4);
        (*to)[4] = hex[c >> 4];
        (*to)[5] = hex[c & 15];
        *to += 6;
    } else if (c < 0x80) {
        *(*to)++ = *s;
    } else if ((len = sequence(s, n))) {
        memcpy(*to, s, len);
        *to += len;
    } else {
        memcpy(*to, "\xEF\xBF\xBD", 3);
        *to += 3;
        len = 1;
    }
    return len;
}

pen_status pen_json_text_string(struct pen_json_text *t, const char *text, size_t n, struct pen_error *err)
{
    static const bool plain[256] = { [' '] = true, [0x21] = true, ['#' ... '['] = true, [']' ... 0x7F] = true };
    size_t at = 0;
    char *to = text_room(t, n + 2, err), *limit;
    if (!to)
        return PEN_FATAL;
    *to++ = '"';
    limit = t->bytes + t->room - 8;
    while (at < n) {
        if (to > limit) { /* escapes made it longer */
            t->n = (size_t)(to - t->bytes);
            if (!(to = text_room(t, n - at + 64, err)))
                return PEN_FATAL;
            limit = t->bytes + t->room - 8;
        }
        if (plain[(unsigned char)text[at]])
            *to++ = text[at++];
        else
            at += escape_one(&to, text + at, n - at);
    }
    t->n = (size_t)(to - t->bytes);
    return pen_json_text_add(t, "\"", 1, err);
}

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

static pen_status add_float(struct pen_json_text *t, double v, struct pen_error *err)
{
    char digits[20] = "0", text[64];
    int n = 1, exponent = 0, at = 0;
    if (!isfinite(v))
        return pen_json_text_add(t, "null", 4, err);
    if (signbit(v))
        text[at++] = '-';
    if (v != 0)
        n = shortest_digits(fabs(v), digits, &exponent);
    if (exponent < -5 || exponent > 16) {
        at += snprintf(text + at, sizeof text - (size_t)at, "%c%s%se%d", digits[0], n > 1 ? "." : "", digits + 1, exponent);
        return pen_json_text_add(t, text, (size_t)at, err);
    }
    /* Places from the first digit, or from the one before the point, to the last digit, or the one behind the point. */
    for (int place = exponent > 0 ? exponent : 0; place > exponent - n || place >= -1; place--) {
        int i = exponent - place;
        if (place == -1)
            text[at++] = '.';
        text[at++] = i >= 0 && i < n ? digits[i] : '0';
    }
    return pen_json_text_add(t, text, (size_t)at, err);
}

static pen_status add_decimal(struct pen_json_text *t, const uint8_t le[16], int scale, struct pen_error *err)
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
    return pen_json_text_add(t, text + at, sizeof text - at, err);
}

static pen_status add_timestamp(struct pen_json_text *t, int64_t micros, struct pen_error *err)
{
    char text[PEN_TIME_TEXT + 24];
    struct pen_civil c = pen_civil_from_micros(micros);
    size_t n;
    text[0] = '"';
    n = 1 + pen_date_text(text + 1, pen_micros_to_days(micros));
    n += (size_t)snprintf(text + n, sizeof text - n, "T%02d:%02d:%02d.%06dZ\"", c.hour % 24, c.minute % 60, c.second % 60, c.micro % 1000000);
    return pen_json_text_add(t, text, n, err);
}

static pen_status add_date(struct pen_json_text *t, int32_t days, struct pen_error *err)
{
    char text[PEN_TIME_TEXT + 2];
    size_t n;
    text[0] = '"';
    n = 1 + pen_date_text(text + 1, days);
    text[n++] = '"';
    return pen_json_text_add(t, text, n, err);
}

static pen_status add_binary(struct pen_json_text *t, const char *bytes, size_t n, struct pen_error *err)
{
    char *to = text_room(t, (n + 2) / 3 * 4 + 2, err);
    if (!to)
        return PEN_FATAL;
    to[0] = '"';
    t->n += 2 + pen_base64_encode(to + 1, bytes, n);
    t->bytes[t->n - 1] = '"';
    return PEN_OK;
}

/* -- lists, structs, rows ------------------------------------------------------------------------------------------------------- */

static pen_status add_list(struct pen_json_text *t, const struct ArrowSchema *field, const struct pen_column *c, int64_t row, struct pen_error *err)
{
    const int32_t *o = c->offsets + c->offset + row;
    pen_status st = pen_json_text_add(t, "[", 1, err);
    for (int32_t i = o[0]; st >= 0 && i < o[1]; i++) {
        if (i > o[0])
            st = pen_json_text_add(t, ",", 1, err);
        if (st >= 0)
            st = pen_json_encode_value(t, field->children[0], c->array->children[0], i, err);
    }
    return st < 0 ? st : pen_json_text_add(t, "]", 1, err);
}

/* The fields of a struct at element `row` of its children. */
static pen_status add_struct(struct pen_json_text *t, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
                             struct pen_error *err)
{
    pen_status st = pen_json_text_add(t, "{", 1, err);
    for (int64_t i = 0; st >= 0 && i < array->n_children; i++) {
        const char *name = schema->children[i]->name;
        if (i > 0)
            st = pen_json_text_add(t, ",", 1, err);
        if (st >= 0)
            st = pen_json_text_string(t, name, strlen(name), err);
        if (st >= 0)
            st = pen_json_text_add(t, ":", 1, err);
        if (st >= 0)
            st = pen_json_encode_value(t, schema->children[i], array->children[i], row, err);
    }
    return st < 0 ? st : pen_json_text_add(t, "}", 1, err);
}

pen_status pen_json_encode_value(struct pen_json_text *t, const struct ArrowSchema *field, const struct ArrowArray *column, int64_t row,
                                 struct pen_error *err)
{
    struct pen_column c = pen_column_of(column);
    int precision = 0, scale = 0;
    char number[24];
    const char *bytes;
    size_t n;
    if (pen_column_is_null(&c, row))
        return pen_json_text_add(t, "null", 4, err);
    switch (pen_schema_type(field)) {
    case PEN_TYPE_BOOL: return pen_column_bool(&c, row) ? pen_json_text_add(t, "true", 4, err) : pen_json_text_add(t, "false", 5, err);
    case PEN_TYPE_INT32: n = (size_t)snprintf(number, sizeof number, "%d", pen_column_int32(&c, row)); break;
    case PEN_TYPE_INT64: n = (size_t)snprintf(number, sizeof number, "%lld", (long long)pen_column_int64(&c, row)); break;
    case PEN_TYPE_FLOAT64: return add_float(t, pen_column_float64(&c, row), err);
    case PEN_TYPE_DECIMAL128:
        pen_schema_decimal(field, &precision, &scale);
        return add_decimal(t, (const uint8_t *)c.data + 16 * (c.offset + row), scale, err);
    case PEN_TYPE_UTF8: bytes = pen_column_bytes(&c, row, &n); return pen_json_text_string(t, bytes, n, err);
    case PEN_TYPE_BINARY: bytes = pen_column_bytes(&c, row, &n); return add_binary(t, bytes, n, err);
    case PEN_TYPE_DATE32: return add_date(t, pen_column_int32(&c, row), err);
    case PEN_TYPE_TIMESTAMP: return add_timestamp(t, pen_column_int64(&c, row), err);
    case PEN_TYPE_LIST: return add_list(t, field, &c, row, err);
    case PEN_TYPE_STRUCT: return add_struct(t, field, column, c.offset + row, err);
    default: return pen_fail(err, PEN_FATAL, "column \"%s\": JSON has no form for Arrow format \"%s\"", field->name, field->format);
    }
    return pen_json_text_add(t, number, n, err);
}

pen_status pen_json_encode_row(struct pen_json_text *t, const struct ArrowSchema *schema, const struct ArrowArray *batch, int64_t row,
                               struct pen_error *err)
{
    size_t before = t->n;
    pen_status st = add_struct(t, schema, batch, batch->offset + row, err);
    if (st < 0)
        t->n = before;
    return st;
}

/* -- batches ---------------------------------------------------------------------------------------------------------------- */

struct pen_json_encoder {
    struct ArrowSchema schema;
    struct pen_builder *raw;
    struct pen_json_text text;
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
    pen_json_text_fini(&(*e)->text);
    free(*e);
    *e = NULL;
}

pen_status pen_json_encoder_batch(struct pen_json_encoder *e, const struct ArrowArray *in, struct ArrowArray *out, struct pen_error *err)
{
    pen_builder_truncate(e->raw, 0);
    memset(out, 0, sizeof *out);
    for (int64_t row = 0; row < in->length; row++) {
        pen_status st;
        e->text.n = 0;
        if ((st = pen_json_encode_row(&e->text, &e->schema, in, row, err)) < 0)
            return st;
        for (size_t i = 0; i < 6; i++)
            if (i != 1)
                pen_builder_null(pen_builder_child(e->raw, i));
        pen_builder_bytes_value(pen_builder_child(e->raw, 1), e->text.bytes, e->text.n);
    }
    return pen_builder_finish(e->raw, out, err);
}
