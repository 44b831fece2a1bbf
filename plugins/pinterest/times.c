/* times.c - times out of columns that hold them as text. SPDX-License-Identifier: Apache-2.0 */
#include "clean.h"

pen_status clean_times(struct pen_builder *b, const struct ArrowArray *batch, const struct clean_field *f, struct ArrowArray *out,
                       int64_t *unfit, struct pen_error *err)
{
    struct pen_column c = pen_column_at(batch, f->index);
    if (f->type == PEN_TYPE_TIMESTAMP)
        return pen_array_share(out, batch->children[f->index], err);
    for (int64_t i = 0; i < c.length; i++) {
        bool null = pen_column_is_null(&c, i);
        int64_t time = 0;
        size_t n = 0;
        const char *text = !null && f->type == PEN_TYPE_UTF8 ? pen_column_bytes(&c, i, &n) : "";
        if (!null && pen_parse_timestamp(text, n, &time)) {
            pen_builder_int64(b, time);
            continue;
        }
        *unfit += !null;
        pen_builder_null(b);
    }
    return pen_builder_finish(b, out, err);
}
