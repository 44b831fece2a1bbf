/* rows.c - rows as lines of JSON or CSV (RFC 4180), and raw messages as they are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "csv.h"
#include "sink.h"

#include <string.h>

#define RAW_VALUE 1 /* column of a raw batch */

/* Quotes where it is needed to read the same back: an empty text, so that it is not taken for null, and text that looks like a number. */
static void csv_text(struct pen_text *out, const char *s, size_t n, char delimiter, bool literal)
{
    bool quote = n == 0 || (!literal && csv_is_literal(s, n)) || s[0] == ' ' || s[n - 1] == ' ';
    for (size_t i = 0; !quote && i < n; i++)
        quote = s[i] == delimiter || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
    if (!quote) {
        pen_text_append(out, s, n);
        return;
    }
    pen_text_put(out, "\"");
    for (const char *end = s + n; s < end;) {
        const char *q = memchr(s, '"', (size_t)(end - s));
        size_t k = q ? (size_t)(q - s) + 1 : (size_t)(end - s);
        pen_text_append(out, s, k);
        if (q)
            pen_text_put(out, "\"");
        s += k;
    }
    pen_text_put(out, "\"");
}

static void csv_value(struct pen_text *out, const struct ArrowSchema *field, const struct ArrowArray *array, int64_t row, char delimiter,
                      struct pen_text *scratch)
{
    struct pen_column c = pen_column_of(array);
    if (pen_column_is_null(&c, row))
        return;
    if (pen_schema_type(field) == PEN_TYPE_UTF8) {
        size_t n;
        const char *s = pen_column_bytes(&c, row, &n);
        csv_text(out, s, n, delimiter, false);
        return;
    }
    pen_text_clear(scratch);
    pen_json_encode_value(scratch, field, array, row);
    if (scratch->n >= 2 && scratch->bytes[0] == '"')
        csv_text(out, scratch->bytes + 1, scratch->n - 2, delimiter, false); /* times, bytes: no escapes in them */
    else if (scratch->n != 4 || memcmp(scratch->bytes, "null", 4) != 0)
        csv_text(out, scratch->bytes, scratch->n, delimiter, true);
    out->failed |= scratch->failed;
}

/* A message as it is, but for line breaks, which would make two of it: a space is the same in JSON. */
static void raw_value(struct pen_text *out, const struct ArrowArray *batch, int64_t row)
{
    struct pen_column c = pen_column_at(batch, RAW_VALUE);
    size_t n, at = out->n;
    const char *s = pen_column_bytes(&c, row, &n);
    if (pen_column_is_null(&c, row))
        return;
    pen_text_append(out, s, n);
    if (out->failed)
        return;
    for (char *p = out->bytes + at, *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))) != NULL;)
        *p++ = ' ';
}

pen_status rows_append(struct pen_text *out, const struct file_sink *s, const struct ArrowArray *batch, int64_t row, struct pen_text *scratch,
                       struct pen_error *err)
{
    if (s->raw) {
        raw_value(out, batch, row);
    } else if (!s->csv) {
        pen_status status = pen_json_encode_row(out, &s->schema, batch, row, err);
        if (status < 0)
            return status;
    } else {
        for (int64_t i = 0; i < s->schema.n_children; i++) {
            if (i)
                pen_text_append(out, s->delimiter, 1);
            csv_value(out, s->schema.children[i], batch->children[i], row, s->delimiter[0], scratch);
        }
    }
    pen_text_put(out, "\n");
    return pen_text_failed(out) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

void rows_header(struct pen_text *out, const struct file_sink *s)
{
    for (int64_t i = 0; i < s->schema.n_children; i++) {
        if (i)
            pen_text_append(out, s->delimiter, 1);
        const char *name = s->schema.children[i]->name;
        csv_text(out, name, strlen(name), s->delimiter[0], true);
    }
    pen_text_put(out, "\n");
}
