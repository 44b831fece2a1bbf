/* text.c - columns as text. SPDX-License-Identifier: Apache-2.0 */
#include "clean.h"

/* The value's JSON text, a string without its quotes (those of times and of base64 hold no escapes). */
static void append_text(struct pen_builder *b, const struct ArrowSchema *field, const struct ArrowArray *column, int64_t row,
                        struct pen_text *t)
{
    pen_text_clear(t);
    pen_json_encode_value(t, field, column, row);
    if (t->n == 4 && memcmp(t->bytes, "null", 4) == 0) /* NaN too */
        pen_builder_null(b);
    else if (t->n >= 2 && t->bytes[0] == '"')
        pen_builder_bytes_value(b, t->bytes + 1, t->n - 2);
    else
        pen_builder_bytes_value(b, t->bytes, t->n);
}

pen_status clean_text(const struct ArrowArray *batch, const struct ArrowSchema *schema, const struct clean_field *f, struct ArrowArray *out,
                      struct pen_error *err)
{
    const struct ArrowArray *column = batch->children[f->index];
    const struct ArrowSchema *field = schema->children[f->index];
    struct ArrowSchema text;
    struct pen_builder *b;
    struct pen_text t = { 0 };
    pen_status st;
    if (f->type == PEN_TYPE_UTF8)
        return pen_array_share(out, column, err);
    if ((st = pen_schema_init_field(&text, "u", field->name, ARROW_FLAG_NULLABLE, 0, err)) < 0)
        return st;
    st = pen_builder_new(&b, &text, err);
    pen_schema_release(&text);
    if (st < 0)
        return st;
    for (int64_t i = 0; i < column->length && !pen_text_failed(&t); i++)
        append_text(b, field, column, i, &t);
    if (pen_text_failed(&t))
        st = pen_fail(err, PEN_FATAL, "out of memory for the text of column \"%s\"", field->name);
    else
        st = pen_builder_finish(b, out, err);
    pen_text_fini(&t);
    pen_builder_free(&b);
    return st;
}
