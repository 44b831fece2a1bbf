/* text.c - columns as text. SPDX-License-Identifier: Apache-2.0 */
#include "clean.h"

pen_status clean_text(const struct ArrowArray *batch, const struct ArrowSchema *schema, const struct clean_field *f, struct ArrowArray *out,
                      struct pen_error *err)
{
    char type[64];
    if (f->type == PEN_TYPE_UTF8)
        return pen_array_share(out, batch->children[f->index], err);
    return pen_fail(err, PEN_BADCONF, "column \"%s\" is %s: expected utf8", schema->children[f->index]->name,
                    pen_schema_type_name(schema->children[f->index], type, sizeof type));
}
