/* json.c - preparing a decoder for a wanted schema, choosing its kernel, explaining what it refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/schema.h"
#include "ops/text.h"

#define EXTRA_SLOTS 32u /* keys of a record that nobody wants */

/* -- kernels ---------------------------------------------------------------------------------------------------------------- */

const struct pen_json_kernel *const *pen_json_kernels(size_t *n)
{
    static const struct pen_json_kernel *const all[] = {
#ifdef PEN_JSON_X86
        &pen_json_avx512, &pen_json_avx2,
#endif
        &pen_json_portable,
    };
    *n = sizeof all / sizeof *all;
    return all;
}

const struct pen_json_kernel *pen_json_kernel(void)
{
    const char *name = getenv("PENSTOCK_JSON");
    size_t n;
    const struct pen_json_kernel *const *all = pen_json_kernels(&n);
    for (size_t i = 0; name && i < n; i++)
        if (strcmp(all[i]->name, name) == 0 && all[i]->usable())
            return all[i];
    for (size_t i = 0; i + 1 < n; i++)
        if (all[i]->usable())
            return all[i];
    return all[n - 1];
}

/* -- making ----------------------------------------------------------------------------------------------------------------- */

static void object_fini(struct pen_json_object *o);

static void field_fini(struct pen_json_field *f)
{
    if (f->item)
        field_fini(f->item);
    if (f->object)
        object_fini(f->object);
    free(f->item);
    free(f->object);
    free(f->name);
}

static void object_fini(struct pen_json_object *o)
{
    for (size_t i = 0; o->fields && i < o->n_fields; i++)
        field_fini(&o->fields[i]);
    free(o->fields);
    free(o->slots);
}

static pen_status object_init(struct pen_json_object *o, const struct ArrowSchema *schema, struct pen_builder *b, struct pen_error *err);

static pen_status field_init(struct pen_json_field *f, const struct ArrowSchema *schema, struct pen_builder *b, struct pen_error *err)
{
    const char *name = schema->name ? schema->name : "";
    f->type = pen_schema_type(schema);
    f->nullable = schema->flags & ARROW_FLAG_NULLABLE;
    f->json_text = schema->flags & PEN_FIELD_JSON_TEXT;
    f->column = b;
    f->name_n = strlen(name);
    if (f->json_text && f->type != PEN_TYPE_UTF8)
        return pen_fail(err, PEN_BADCONF, "field \"%s\": JSON text is asked for, which is utf8, not %s", name, schema->format);
    if (!(f->name = strdup(name)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (f->type == PEN_TYPE_DECIMAL128 && !pen_schema_decimal(schema, &f->precision, &f->scale))
        return pen_fail(err, PEN_BADCONF, "field \"%s\": no decimal: %s", name, schema->format);
    if (f->type == PEN_TYPE_LIST) {
        if (!(f->item = calloc(1, sizeof *f->item)))
            return pen_fail(err, PEN_FATAL, "out of memory");
        return field_init(f->item, schema->children[0], pen_builder_child(b, 0), err);
    }
    if (f->type == PEN_TYPE_STRUCT) {
        if (!(f->object = calloc(1, sizeof *f->object)))
            return pen_fail(err, PEN_FATAL, "out of memory");
        return object_init(f->object, schema, b, err);
    }
    return PEN_OK;
}

static pen_status object_init(struct pen_json_object *o, const struct ArrowSchema *schema, struct pen_builder *b, struct pen_error *err)
{
    pen_status st = PEN_OK;
    o->builder = b;
    o->n_fields = (size_t)schema->n_children;
    o->n_slots = o->n_fields + EXTRA_SLOTS;
    o->fields = calloc(o->n_fields ? o->n_fields : 1, sizeof *o->fields);
    o->slots = calloc(o->n_slots + 1, sizeof *o->slots);
    if (!o->fields || !o->slots)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; st >= 0 && i < o->n_fields; i++)
        st = field_init(&o->fields[i], schema->children[i], pen_builder_child(b, i), err);
    return st;
}

pen_status pen_json_decoder_new(struct pen_json_decoder **out, const struct ArrowSchema *want, struct pen_error *err)
{
    struct pen_json_decoder *d = calloc(1, sizeof *d);
    pen_status st;
    *out = NULL;
    if (!d)
        return pen_fail(err, PEN_FATAL, "out of memory");
    d->kernel = pen_json_kernel();
    st = pen_builder_new(&d->builder, want, err);
    if (st >= 0 && (pen_schema_type(want) != PEN_TYPE_STRUCT || want->n_children == 0))
        st = pen_fail(err, PEN_BADCONF, "what is wanted of JSON is no struct with fields");
    if (st >= 0)
        st = object_init(&d->root, want, d->builder, err);
    if (st < 0)
        pen_json_decoder_free(&d);
    *out = d;
    return st;
}

void pen_json_decoder_free(struct pen_json_decoder **d)
{
    if (!*d)
        return;
    object_fini(&(*d)->root);
    pen_builder_free(&(*d)->builder);
    free(*d);
    *d = NULL;
}

/* -- explaining ------------------------------------------------------------------------------------------------------------- */

void pen_json_explain(const struct pen_json_decoder *d, const char *record, char *buf, size_t size)
{
    static const char *const types[] = {
        [PEN_TYPE_BOOL] = "a boolean",      [PEN_TYPE_INT32] = "a whole number from -2147483648 to 2147483647",
        [PEN_TYPE_INT64] = "a whole number of 64 bits", [PEN_TYPE_FLOAT64] = "a number that a double holds",
        [PEN_TYPE_DECIMAL128] = "a number that the decimal holds", [PEN_TYPE_UTF8] = "a text", [PEN_TYPE_BINARY] = "base64 in a string",
        [PEN_TYPE_DATE32] = "a date in a string", [PEN_TYPE_TIMESTAMP] = "a time in a string", [PEN_TYPE_LIST] = "a list of what fits",
        [PEN_TYPE_STRUCT] = "an object of what fits",
    };
    char name[128], value[96];
    if (d->reason) {
        snprintf(buf, size, "not one JSON object in UTF-8: %s at byte %td", d->reason, d->reason_at - record);
        return;
    }
    for (size_t i = 0; i < d->root.n_fields; i++) {
        const struct pen_json_field *f = &d->root.fields[i];
        if (f->nullable || f->null_at != d->serial)
            continue;
        pen_text_escape(name, sizeof name, f->name, f->name_n);
        if (f->unfit_at != d->serial) {
            snprintf(buf, size, "field \"%s\" is missing or null", name);
            return;
        }
        pen_text_escape(value, sizeof value, f->unfit, f->unfit_n < sizeof value ? f->unfit_n : sizeof value);
        snprintf(buf, size, "field \"%s\" is %s, expected %s", name, value, types[f->type]);
        return;
    }
    snprintf(buf, size, "no JSON object");
}
