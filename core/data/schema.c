/* schema.c - making, copying, comparing and checking Arrow schemas. Every schema made here owns its strings and the structures of its
 * children, one block a node; a child may be moved out of it, as the C Data Interface allows.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <penstock/arrow.h>
#include <penstock/records.h>

#include "data/schema.h"

struct schema_node {
    char *text; /* format, name and metadata, one after another */
    struct ArrowSchema **children;
    struct ArrowSchema *storage;
};

static void schema_release(struct ArrowSchema *s)
{
    struct schema_node *node = s->private_data;
    for (int64_t i = 0; i < s->n_children; i++)
        pen_schema_release(s->children[i]);
    free(node->storage);
    free(node->children);
    free(node->text);
    free(node);
    memset(s, 0, sizeof *s);
}

void pen_schema_release(struct ArrowSchema *schema)
{
    if (schema && schema->release) {
        schema->release(schema);
        schema->release = NULL;
    }
}

/* Bytes of Arrow's encoding of metadata: int32 count, then for each key and value an int32 length and the bytes. */
static size_t metadata_size(const char *m)
{
    int32_t pairs, len;
    size_t at = sizeof pairs;
    if (!m)
        return 0;
    memcpy(&pairs, m, sizeof pairs);
    for (int64_t i = 0; i < 2 * (int64_t)pairs; i++) {
        memcpy(&len, m + at, sizeof len);
        at += sizeof len + (size_t)(len > 0 ? len : 0);
    }
    return at;
}

static pen_status schema_init(struct ArrowSchema *out, const char *format, const char *name, const char *metadata, int64_t flags, size_t n,
                              struct pen_error *err)
{
    size_t format_n = strlen(format) + 1, name_n = name ? strlen(name) + 1 : 1, metadata_n = metadata_size(metadata);
    struct schema_node *node = calloc(1, sizeof *node);
    memset(out, 0, sizeof *out);
    if (!node)
        return pen_fail(err, PEN_FATAL, "out of memory");
    node->text = malloc(format_n + name_n + metadata_n);
    node->children = calloc(n ? n : 1, sizeof *node->children);
    node->storage = calloc(n ? n : 1, sizeof *node->storage);
    if (!node->text || !node->children || !node->storage) {
        free(node->text);
        free(node->children);
        free(node->storage);
        free(node);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    memcpy(node->text, format, format_n);
    memcpy(node->text + format_n, name ? name : "", name_n);
    if (metadata)
        memcpy(node->text + format_n + name_n, metadata, metadata_n);
    for (size_t i = 0; i < n; i++)
        node->children[i] = &node->storage[i];
    out->format = node->text;
    out->name = node->text + format_n;
    out->metadata = metadata ? node->text + format_n + name_n : NULL;
    out->flags = flags;
    out->n_children = (int64_t)n;
    out->children = n ? node->children : NULL;
    out->release = schema_release;
    out->private_data = node;
    return PEN_OK;
}

pen_status pen_schema_init_struct(struct ArrowSchema *out, const char *name, size_t n, struct pen_error *err)
{
    return schema_init(out, "+s", name, NULL, 0, n, err);
}

pen_status pen_schema_init_field(struct ArrowSchema *out, const char *format, const char *name, int64_t flags, size_t n,
                                 struct pen_error *err)
{
    return schema_init(out, format, name, NULL, flags, n, err);
}

pen_status pen_schema_from_pairs(struct ArrowSchema *out, const char *const *pairs, struct pen_error *err)
{
    size_t n = 0;
    pen_status st;
    while (pairs[2 * n])
        n++;
    if ((st = pen_schema_init_struct(out, "", n, err)) < 0)
        return st;
    for (size_t i = 0; i < n; i++) {
        const char *format = pairs[2 * i], *name = pairs[2 * i + 1];
        bool required = format[0] == '!';
        st = pen_schema_init_field(out->children[i], format + required, name, required ? 0 : ARROW_FLAG_NULLABLE, 0, err);
        if (st < 0) {
            pen_schema_release(out);
            return st;
        }
    }
    return PEN_OK;
}

pen_status pen_schema_copy(struct ArrowSchema *out, const struct ArrowSchema *in, struct pen_error *err)
{
    pen_status st = schema_init(out, in->format, in->name, in->metadata, in->flags, (size_t)in->n_children, err);
    for (int64_t i = 0; st >= 0 && i < in->n_children; i++)
        if ((st = pen_schema_copy(out->children[i], in->children[i], err)) < 0)
            pen_schema_release(out);
    return st;
}

/* -- types ------------------------------------------------------------------------------------------------------------------ */

bool pen_schema_decimal(const struct ArrowSchema *field, int *precision, int *scale)
{
    int used = 0;
    const char *f = field->format;
    if (f[0] != 'd' || f[1] != ':' || sscanf(f + 2, "%3d,%3d%n", precision, scale, &used) != 2)
        return false;
    if (f[2 + used] != '\0' && strcmp(f + 2 + used, ",128") != 0)
        return false;
    return *precision >= 1 && *precision <= 38 && *scale >= 0 && *scale <= *precision;
}

pen_type pen_schema_type(const struct ArrowSchema *field)
{
    static const struct { const char *format; pen_type type; } types[] = {
        { "b", PEN_TYPE_BOOL },       { "i", PEN_TYPE_INT32 },      { "l", PEN_TYPE_INT64 },
        { "g", PEN_TYPE_FLOAT64 },    { "u", PEN_TYPE_UTF8 },       { "z", PEN_TYPE_BINARY },
        { "tdD", PEN_TYPE_DATE32 },   { "tsu:UTC", PEN_TYPE_TIMESTAMP }, { "+l", PEN_TYPE_LIST },
        { "+s", PEN_TYPE_STRUCT },
    };
    int precision, scale;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(field->format, types[i].format) == 0)
            return types[i].type;
    return pen_schema_decimal(field, &precision, &scale) ? PEN_TYPE_DECIMAL128 : PEN_TYPE_NONE;
}

/* Appends to buf at *used, cut at size. */
__attribute__((format(printf, 4, 5))) static void put(char *buf, size_t size, size_t *used, const char *fmt, ...)
{
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(*used < size ? buf + *used : NULL, *used < size ? size - *used : 0, fmt, ap);
    va_end(ap);
    *used += n > 0 ? (size_t)n : 0;
}

static void type_name(const struct ArrowSchema *field, char *buf, size_t size, size_t *used, int depth)
{
    static const char *const names[] = {
        [PEN_TYPE_NONE] = "",         [PEN_TYPE_BOOL] = "bool",     [PEN_TYPE_DECIMAL128] = "decimal128",
        [PEN_TYPE_INT32] = "int32",   [PEN_TYPE_INT64] = "int64",
        [PEN_TYPE_FLOAT64] = "float64", [PEN_TYPE_UTF8] = "utf8",   [PEN_TYPE_BINARY] = "binary",
        [PEN_TYPE_DATE32] = "date32", [PEN_TYPE_TIMESTAMP] = "timestamp", [PEN_TYPE_LIST] = "list",
        [PEN_TYPE_STRUCT] = "struct",
    };
    pen_type type = pen_schema_type(field);
    int precision = 0, scale = 0;
    if (type == PEN_TYPE_NONE)
        put(buf, size, used, "Arrow format \"%s\"", field->format);
    else if (type == PEN_TYPE_DECIMAL128 && pen_schema_decimal(field, &precision, &scale))
        put(buf, size, used, "decimal128(%d, %d)", precision, scale);
    else
        put(buf, size, used, "%s", names[type]);
    if ((type != PEN_TYPE_LIST && type != PEN_TYPE_STRUCT) || depth >= PEN_SCHEMA_DEPTH)
        return;
    put(buf, size, used, "<");
    for (int64_t i = 0; i < field->n_children && *used < size; i++) {
        if (type == PEN_TYPE_STRUCT)
            put(buf, size, used, "%s%s ", i ? ", " : "", field->children[i]->name);
        type_name(field->children[i], buf, size, used, depth + 1);
    }
    put(buf, size, used, ">");
}

const char *pen_schema_type_name(const struct ArrowSchema *field, char *buf, size_t size)
{
    size_t used = 0;
    if (size)
        buf[0] = '\0';
    type_name(field, buf, size, &used, 0);
    return buf;
}

int64_t pen_schema_find(const struct ArrowSchema *schema, const char *name)
{
    for (int64_t i = 0; i < schema->n_children; i++)
        if (schema->children[i]->name && strcmp(schema->children[i]->name, name) == 0)
            return i;
    return -1;
}

bool pen_schema_equal(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    int ap, as, bp, bs;
    pen_type type = pen_schema_type(a);
    if (type != pen_schema_type(b) || a->n_children != b->n_children)
        return false;
    if (type == PEN_TYPE_NONE && strcmp(a->format, b->format) != 0)
        return false;
    if (type == PEN_TYPE_DECIMAL128 &&
        !(pen_schema_decimal(a, &ap, &as) && pen_schema_decimal(b, &bp, &bs) && ap == bp && as == bs))
        return false;
    for (int64_t i = 0; i < a->n_children; i++) {
        const char *an = a->children[i]->name, *bn = b->children[i]->name;
        bool same_name = type == PEN_TYPE_LIST || strcmp(an ? an : "", bn ? bn : "") == 0; /* a list item's name means nothing */
        if (!same_name || !pen_schema_equal(a->children[i], b->children[i]))
            return false;
    }
    return true;
}

static pen_status check(const struct ArrowSchema *s, int depth, struct pen_error *err)
{
    pen_type type;
    const char *name = s && s->name ? s->name : "";
    if (!s || !s->release)
        return pen_fail(err, PEN_FATAL, "schema: a field is missing or was released");
    if (!s->format)
        return pen_fail(err, PEN_FATAL, "schema: field \"%s\" has no format", name);
    if (s->dictionary)
        return pen_fail(err, PEN_FATAL, "schema: field \"%s\" is dictionary-encoded; expected plain values", name);
    if (depth > PEN_SCHEMA_DEPTH)
        return pen_fail(err, PEN_FATAL, "schema: field \"%s\" is nested deeper than %d", name, PEN_SCHEMA_DEPTH);
    type = pen_schema_type(s);
    if (type == PEN_TYPE_NONE)
        return pen_fail(err, PEN_FATAL, "schema: field \"%s\" has Arrow format \"%s\", which is not one of b i l g d:P,S u z tdD tsu:UTC +l +s",
                        name, s->format);
    if (s->n_children < 0 || (type == PEN_TYPE_LIST && s->n_children != 1) ||
        (type != PEN_TYPE_LIST && type != PEN_TYPE_STRUCT && s->n_children != 0) || (s->n_children > 0 && !s->children))
        return pen_fail(err, PEN_FATAL, "schema: field \"%s\" (%s) has %lld children", name, s->format, (long long)s->n_children);
    for (int64_t i = 0; i < s->n_children; i++) {
        pen_status st = check(s->children[i], depth + 1, err);
        if (st < 0)
            return st;
        if (type == PEN_TYPE_STRUCT && !s->children[i]->name)
            return pen_fail(err, PEN_FATAL, "schema: field %lld of \"%s\" has no name", (long long)i, name);
    }
    return PEN_OK;
}

pen_status pen_schema_check(const struct ArrowSchema *schema, struct pen_error *err)
{
    return check(schema, 0, err);
}

/* -- raw messages ----------------------------------------------------------------------------------------------------------- */

pen_status pen_schema_raw(struct ArrowSchema *out, struct pen_error *err)
{
    static const char *const pairs[] = { "z", "key", "!z", "value", "tsu:UTC", "timestamp", "u", "partition", "l", "offset", NULL };
    struct ArrowSchema flat, *headers, *item;
    pen_status st = pen_schema_init_struct(out, "", 6, err);
    if (st < 0 || (st = pen_schema_from_pairs(&flat, pairs, err)) < 0) {
        pen_schema_release(out);
        return st;
    }
    for (int i = 0; i < 5; i++) {
        *out->children[i] = *flat.children[i];
        flat.children[i]->release = NULL;
    }
    pen_schema_release(&flat);
    headers = out->children[5];
    st = pen_schema_init_field(headers, "+l", "headers", ARROW_FLAG_NULLABLE, 1, err);
    if (st >= 0) {
        item = headers->children[0];
        st = pen_schema_init_field(item, "+s", "item", 0, 2, err);
    }
    if (st >= 0)
        st = pen_schema_init_field(item->children[0], "u", "name", 0, 0, err);
    if (st >= 0)
        st = pen_schema_init_field(item->children[1], "z", "value", ARROW_FLAG_NULLABLE, 0, err);
    if (st < 0)
        pen_schema_release(out);
    return st;
}

bool pen_schema_is_raw(const struct ArrowSchema *schema)
{
    static const struct { const char *name, *format; } columns[] = {
        { "key", "z" }, { "value", "z" }, { "timestamp", "tsu:UTC" }, { "partition", "u" }, { "offset", "l" }, { "headers", "+l" },
    };
    if (pen_schema_type(schema) != PEN_TYPE_STRUCT || schema->n_children != 6)
        return false;
    for (int i = 0; i < 6; i++) {
        const struct ArrowSchema *c = schema->children[i];
        if (!c->name || strcmp(c->name, columns[i].name) != 0 || strcmp(c->format, columns[i].format) != 0)
            return false;
    }
    return pen_schema_type(schema->children[5]->children[0]) == PEN_TYPE_STRUCT;
}
