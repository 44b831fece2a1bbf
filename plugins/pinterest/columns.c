/* columns.c - where a cleaner's fields lie in the batches that come.
 * SPDX-License-Identifier: Apache-2.0 */
#include "clean.h"

#include <stdlib.h>

pen_status clean_field_find(struct clean_field *f, const struct ArrowSchema *in, const char *name, struct pen_error *err)
{
    const struct ArrowSchema *field;
    const char *comma;
    f->index = pen_schema_find(in, name);
    if (f->index < 0)
        return pen_fail(err, PEN_BADCONF, "the input has no column \"%s\"", name);
    field = in->children[f->index];
    f->type = pen_schema_type(field);
    f->json_text = f->type == PEN_TYPE_UTF8 && (field->flags & PEN_FIELD_JSON_TEXT);
    comma = f->type == PEN_TYPE_DECIMAL128 ? strchr(field->format, ',') : NULL;
    f->scale = comma ? (int)strtol(comma + 1, NULL, 10) : 0;
    return PEN_OK;
}

void clean_release(struct ArrowArray *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pen_array_release(&v[i]);
}

void clean_count_unfit(const struct pen_host *host, const char *column, int64_t n)
{
    if (n > 0)
        pen_count(host, "nulled_total", column, n);
}
