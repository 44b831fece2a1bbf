/* conform.c - see conform.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/array.h"
#include "data/conform.h"

struct wanted {
    int64_t from;             /* column of the input, or -1: */
    struct pen_builder *nulls;/* makes the column of nulls that stands in for it */
    struct ArrowArray column; /* the longest one so far; batches share slices of it */
};

struct pen_conform {
    size_t n;
    struct wanted fields[];
};

void pen_conform_free(struct pen_conform **c)
{
    if (!*c)
        return;
    for (size_t i = 0; i < (*c)->n; i++) {
        pen_builder_free(&(*c)->fields[i].nulls);
        pen_array_release(&(*c)->fields[i].column);
    }
    free(*c);
    *c = NULL;
}

static pen_status prepare_field(struct wanted *w, const struct ArrowSchema *in, const struct ArrowSchema *field, struct ArrowSchema *result,
                                struct pen_error *err)
{
    char type[128];
    pen_status st;
    w->from = pen_schema_find(in, field->name);
    if (w->from >= 0)
        return pen_schema_copy(result, in->children[w->from], err);
    if (!(field->flags & ARROW_FLAG_NULLABLE))
        return pen_fail(err, PEN_BADCONF, "the input has no column \"%s\" (%s), which is needed", field->name,
                        pen_schema_type_name(field, type, sizeof type));
    if ((st = pen_schema_copy(result, field, err)) < 0)
        return st;
    result->flags &= ~PEN_FIELD_JSON_TEXT; /* a way of decoding, not a property of columns */
    return pen_builder_new(&w->nulls, field, err);
}

pen_status pen_conform_new(struct pen_conform **out, const struct ArrowSchema *in, const struct ArrowSchema *want, struct ArrowSchema *result,
                           struct pen_error *err)
{
    size_t n = (size_t)want->n_children;
    struct pen_conform *c = calloc(1, sizeof *c + n * sizeof *c->fields);
    pen_status st;
    *out = NULL;
    memset(result, 0, sizeof *result);
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    c->n = n;
    st = pen_schema_init_struct(result, want->name, n, err);
    for (size_t i = 0; st >= 0 && i < n; i++)
        st = prepare_field(&c->fields[i], in, want->children[i], result->children[i], err);
    if (st < 0) {
        pen_schema_release(result);
        pen_conform_free(&c);
    }
    *out = c;
    return st;
}

/* n nulls, shared out of the longest column of them so far. */
static pen_status null_column(struct wanted *w, int64_t n, struct ArrowArray *out, struct pen_error *err)
{
    struct ArrowArray longer;
    pen_status st;
    if (!w->column.release || w->column.length < n) {
        for (int64_t i = 0; i < n; i++)
            pen_builder_null(w->nulls);
        if ((st = pen_builder_finish(w->nulls, &longer, err)) < 0)
            return st;
        pen_array_release(&w->column);
        w->column = longer;
    }
    return pen_array_slice(out, &w->column, 0, n, err);
}

pen_status pen_conform_apply(struct pen_conform *c, const struct ArrowArray *in, struct ArrowArray *out, struct pen_error *err)
{
    pen_status st = pen_array_node(out, NULL, 1, c->n, 0, err);
    if (st < 0)
        return st;
    out->length = in->length;
    for (size_t i = 0; st >= 0 && i < c->n; i++) {
        struct wanted *w = &c->fields[i];
        st = w->from >= 0 ? pen_array_share(out->children[i], in->children[w->from], err) : null_column(w, in->length, out->children[i], err);
    }
    if (st < 0)
        pen_array_release(out);
    return st;
}
