/* check.c - whether an array that a plugin made can be trusted: every buffer that its schema calls for, offsets that rise and stay inside.
 * The lengths of foreign buffers cannot be known (the C Data Interface does not say them); all else is looked at.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/array.h"
#include "data/schema.h"

static pen_status check_offsets(const struct ArrowSchema *schema, const struct ArrowArray *a, struct pen_error *err)
{
    const int32_t *o = a->buffers[1];
    if (!o)
        return a->length == 0 ? PEN_OK : pen_fail(err, PEN_FATAL, "column \"%s\": no offsets", schema->name);
    o += a->offset;
    if (a->length && o[0] < 0)
        return pen_fail(err, PEN_FATAL, "column \"%s\": offset %d of row 0", schema->name, o[0]);
    for (int64_t i = 0; i < a->length; i++)
        if (o[i + 1] < o[i])
            return pen_fail(err, PEN_FATAL, "column \"%s\": offset %d after %d in row %lld", schema->name, o[i + 1], o[i], (long long)i);
    return PEN_OK;
}

static pen_status check_children(const struct ArrowSchema *schema, const struct ArrowArray *a, pen_type type, struct pen_error *err)
{
    for (int64_t i = 0; i < a->n_children; i++) {
        int64_t need = a->offset + a->length;
        const struct ArrowArray *child = a->children[i];
        pen_status st = pen_array_check(schema->children[i], child, err);
        if (st < 0)
            return st;
        if (type == PEN_TYPE_LIST)
            need = a->length ? ((const int32_t *)a->buffers[1])[a->offset + a->length] : 0;
        if (child->length < need)
            return pen_fail(err, PEN_FATAL, "column \"%s\": %lld values where \"%s\" calls for %lld", schema->children[i]->name,
                            (long long)child->length, schema->name, (long long)need);
    }
    return PEN_OK;
}

static pen_status check_validity(const struct ArrowSchema *schema, const struct ArrowArray *a, struct pen_error *err)
{
    const uint8_t *validity = a->buffers[0];
    if (a->null_count > 0 && !validity)
        return pen_fail(err, PEN_FATAL, "column \"%s\": %lld nulls without a validity bitmap", schema->name, (long long)a->null_count);
    if (a->null_count > 0 && validity && a->length - pen_bits_count(validity, a->offset, a->length) != a->null_count)
        return pen_fail(err, PEN_FATAL, "column \"%s\": null count %lld is not that of its validity bitmap", schema->name,
                        (long long)a->null_count);
    return PEN_OK;
}

pen_status pen_array_check(const struct ArrowSchema *schema, const struct ArrowArray *array, struct pen_error *err)
{
    pen_type type = pen_schema_type(schema);
    int64_t buffers = type == PEN_TYPE_UTF8 || type == PEN_TYPE_BINARY ? 3 : type == PEN_TYPE_STRUCT ? 1 : 2;
    pen_status st;
    if (!array || !array->release)
        return pen_fail(err, PEN_FATAL, "column \"%s\": missing or released", schema->name);
    if (type == PEN_TYPE_NONE || array->dictionary)
        return pen_fail(err, PEN_FATAL, "column \"%s\": %s", schema->name, array->dictionary ? "dictionary-encoded" : "unknown type");
    if (array->length < 0 || array->offset < 0 || array->length > INT64_MAX / 32 || array->offset > INT64_MAX / 32)
        return pen_fail(err, PEN_FATAL, "column \"%s\": length %lld, offset %lld", schema->name, (long long)array->length,
                        (long long)array->offset);
    if (array->null_count < -1 || array->null_count > array->length)
        return pen_fail(err, PEN_FATAL, "column \"%s\": null count %lld of %lld rows", schema->name, (long long)array->null_count,
                        (long long)array->length);
    if (array->n_buffers != buffers || !array->buffers)
        return pen_fail(err, PEN_FATAL, "column \"%s\" (%s): %lld buffers, expected %lld", schema->name, schema->format,
                        (long long)array->n_buffers, (long long)buffers);
    if (array->n_children != schema->n_children || (array->n_children && !array->children))
        return pen_fail(err, PEN_FATAL, "column \"%s\" (%s): %lld children, expected %lld", schema->name, schema->format,
                        (long long)array->n_children, (long long)schema->n_children);
    if ((st = check_validity(schema, array, err)) < 0)
        return st;
    if ((buffers == 3 || type == PEN_TYPE_LIST) && (st = check_offsets(schema, array, err)) < 0)
        return st;
    if (buffers == 3 && array->length) {
        const int32_t *o = (const int32_t *)array->buffers[1] + array->offset;
        if (o[array->length] > o[0] && !array->buffers[2])
            return pen_fail(err, PEN_FATAL, "column \"%s\": no bytes", schema->name);
    }
    if (buffers == 2 && type != PEN_TYPE_LIST && array->length && !array->buffers[1])
        return pen_fail(err, PEN_FATAL, "column \"%s\": no values", schema->name);
    return check_children(schema, array, type, err);
}
