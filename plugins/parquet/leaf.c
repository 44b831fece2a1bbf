/* leaf.c - from an Arrow schema to Parquet's: leaves, their levels, and the elements of the footer.
 * Types are annotated as pyarrow and Spark do it (LogicalTypes.md): lists in three levels, decimals as int32, int64 or the fewest bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "leaf.h"

#define MAX_NESTING 24 /* of lists and structs */

/* Bytes that hold every decimal of this precision. */
static int32_t decimal_width(int precision)
{
    static const uint8_t width[39] = { 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9,
                                       9, 9, 10, 10, 11, 11, 11, 12, 12, 13, 13, 13, 14, 14, 15, 15, 16, 16, 16 };
    return width[precision];
}

static pen_status leaf_type(struct pen_leaf *leaf, struct pen_error *err)
{
    leaf->type = pen_schema_type(leaf->field);
    switch (leaf->type) {
    case PEN_TYPE_BOOL:
        leaf->physical = PQ_BOOLEAN;
        break;
    case PEN_TYPE_INT32:
    case PEN_TYPE_DATE32:
        leaf->physical = PQ_INT32;
        break;
    case PEN_TYPE_INT64:
    case PEN_TYPE_TIMESTAMP:
        leaf->physical = PQ_INT64;
        break;
    case PEN_TYPE_FLOAT64:
        leaf->physical = PQ_DOUBLE;
        break;
    case PEN_TYPE_UTF8:
    case PEN_TYPE_BINARY:
        leaf->physical = PQ_BYTE_ARRAY;
        break;
    case PEN_TYPE_DECIMAL128:
        if (sscanf(leaf->field->format, "d:%d,%d", &leaf->precision, &leaf->scale) != 2 || leaf->precision < 1 ||
            leaf->precision > 38 || leaf->scale < 0 || leaf->scale > leaf->precision)
            return pen_fail(err, PEN_BADCONF, "column %s: decimal \"%s\": expected a precision of 1 to 38 and a scale of 0 to that",
                            leaf->field->name, leaf->field->format);
        leaf->width = decimal_width(leaf->precision);
        leaf->physical = leaf->precision <= 9 ? PQ_INT32 : leaf->precision <= 18 ? PQ_INT64 : PQ_FIXED;
        break;
    default:
        return pen_fail(err, PEN_BADCONF, "column %s: type \"%s\" cannot be written to Parquet", leaf->field->name,
                        leaf->field->format ? leaf->field->format : "");
    }
    return PEN_OK;
}

/* The way from a column to where the walk stands. */
struct walk {
    struct pen_node nodes[MAX_NESTING];
    const char *path[2 * MAX_NESTING + 1], *names[MAX_NESTING];
    size_t n_nodes, n_path, n_names;
    unsigned def, rep;
    int64_t column;
    struct pen_leaf *leaves;
    size_t n, cap;
};

static pen_status add_leaf(struct walk *w, const struct ArrowSchema *field, struct pen_error *err)
{
    struct pen_leaf *leaf;
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 16;
        struct pen_leaf *more = realloc(w->leaves, cap * sizeof *more);
        if (!more)
            return pen_fail(err, PEN_FATAL, "out of memory");
        w->leaves = more;
        w->cap = cap;
    }
    leaf = &w->leaves[w->n++];
    memset(leaf, 0, sizeof *leaf);
    leaf->field = field;
    leaf->max_def = w->def;
    leaf->max_rep = w->rep;
    leaf->column = w->column;
    leaf->n_nodes = w->n_nodes;
    leaf->n_path = w->n_path;
    leaf->n_names = w->n_names;
    leaf->flat = w->n_nodes == 1;
    leaf->nodes = malloc(w->n_nodes * sizeof *leaf->nodes);
    leaf->path = malloc(w->n_path * sizeof *leaf->path);
    leaf->names = malloc(w->n_names * sizeof *leaf->names);
    if (!leaf->nodes || !leaf->path || !leaf->names)
        return pen_fail(err, PEN_FATAL, "out of memory");
    memcpy(leaf->nodes, w->nodes, w->n_nodes * sizeof *leaf->nodes);
    memcpy(leaf->path, w->path, w->n_path * sizeof *leaf->path);
    memcpy(leaf->names, w->names, w->n_names * sizeof *leaf->names);
    return leaf_type(leaf, err);
}

/* A map is a list of structs whose repeated group is the struct itself. */
static bool is_map(const struct ArrowSchema *field)
{
    return (field->flags & PEN_FIELD_MAP) && pen_schema_type(field) == PEN_TYPE_LIST && pen_schema_type(field->children[0]) == PEN_TYPE_STRUCT &&
           field->children[0]->n_children == 2 && !(field->children[0]->flags & ARROW_FLAG_NULLABLE);
}

static pen_status walk_field(struct walk *w, const struct ArrowSchema *field, const char *name, struct pen_error *err)
{
    struct walk before = *w;
    pen_type type = pen_schema_type(field);
    struct pen_node *node;
    pen_status st = PEN_OK;
    if (w->n_nodes == MAX_NESTING)
        return pen_fail(err, PEN_BADCONF, "column %s is nested deeper than %d", w->path[0], MAX_NESTING);
    node = &w->nodes[w->n_nodes++];
    node->nullable = field->flags & ARROW_FLAG_NULLABLE;
    node->child = 0;
    w->def += node->nullable;
    if (!name || name[0])
        w->path[w->n_path++] = name ? name : field->name;
    if (!name)
        w->names[w->n_names++] = field->name;
    if (type == PEN_TYPE_LIST) {
        node->kind = PEN_NODE_LIST;
        w->def++;
        w->rep++;
        w->path[w->n_path++] = is_map(field) ? "key_value" : "list";
        st = walk_field(w, field->children[0], is_map(field) ? "" : "element", err);
    } else if (type == PEN_TYPE_STRUCT) {
        node->kind = PEN_NODE_STRUCT;
        if (field->n_children == 0)
            st = pen_fail(err, PEN_BADCONF, "column %s: Parquet holds no struct without fields", field->name);
        for (; st >= 0 && node->child < field->n_children; node->child++)
            st = walk_field(w, field->children[node->child], NULL, err);
    } else {
        node->kind = PEN_NODE_LEAF;
        st = add_leaf(w, field, err);
    }
    w->n_nodes = before.n_nodes;
    w->n_path = before.n_path;
    w->n_names = before.n_names;
    w->def = before.def;
    w->rep = before.rep;
    return st;
}

pen_status pen_leaves_new(struct pen_leaf **out, size_t *n, const struct ArrowSchema *schema, struct pen_error *err)
{
    struct walk w;
    pen_status st = PEN_OK;
    memset(&w, 0, sizeof w);
    *out = NULL;
    *n = 0;
    if (schema->n_children == 0)
        return pen_fail(err, PEN_BADCONF, "a Parquet file needs a column");
    for (w.column = 0; st >= 0 && w.column < schema->n_children; w.column++)
        st = walk_field(&w, schema->children[w.column], NULL, err);
    if (st < 0) {
        pen_leaves_free(w.leaves, w.n);
        return st;
    }
    *out = w.leaves;
    *n = w.n;
    return PEN_OK;
}

void pen_leaves_free(struct pen_leaf *leaves, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(leaves[i].nodes);
        free(leaves[i].path);
        free(leaves[i].names);
    }
    free(leaves);
}

/* -- the footer's schema ------------------------------------------------------------------------------------------------------ */

static size_t count_elements(const struct ArrowSchema *field)
{
    size_t n = pen_schema_type(field) == PEN_TYPE_LIST && !is_map(field) ? 2 : 1; /* a map's struct is its repeated group */
    for (int64_t i = 0; i < field->n_children; i++)
        n += count_elements(field->children[i]);
    return n;
}

/* The annotations of a type: the older ConvertedType and the LogicalType beside it, as readers of either kind expect. */
static void put_annotation(struct pen_thrift_out *t, const struct pen_leaf *leaf)
{
    switch (leaf->type) {
    case PEN_TYPE_UTF8:
        pen_thrift_put_i32(t, 6, PQ_CONVERTED_UTF8);
        pen_thrift_begin(t, 10);
        pen_thrift_begin(t, PQ_LOGICAL_STRING);
        break;
    case PEN_TYPE_DATE32:
        pen_thrift_put_i32(t, 6, PQ_CONVERTED_DATE);
        pen_thrift_begin(t, 10);
        pen_thrift_begin(t, PQ_LOGICAL_DATE);
        break;
    case PEN_TYPE_TIMESTAMP:
        pen_thrift_put_i32(t, 6, PQ_CONVERTED_TIMESTAMP_MICROS);
        pen_thrift_begin(t, 10);
        pen_thrift_begin(t, PQ_LOGICAL_TIMESTAMP);
        pen_thrift_put_bool(t, 1, true); /* adjusted to UTC */
        pen_thrift_begin(t, 2);
        pen_thrift_begin(t, 2); /* MICROS */
        pen_thrift_end(t);
        pen_thrift_end(t);
        break;
    case PEN_TYPE_DECIMAL128:
        pen_thrift_put_i32(t, 6, PQ_CONVERTED_DECIMAL);
        pen_thrift_put_i32(t, 7, leaf->scale);
        pen_thrift_put_i32(t, 8, leaf->precision);
        pen_thrift_begin(t, 10);
        pen_thrift_begin(t, PQ_LOGICAL_DECIMAL);
        pen_thrift_put_i32(t, 1, leaf->scale);
        pen_thrift_put_i32(t, 2, leaf->precision);
        break;
    default:
        return;
    }
    pen_thrift_end(t);
    pen_thrift_end(t);
}

static void put_element(struct pen_thrift_out *t, const struct ArrowSchema *field, const char *name)
{
    pen_type type = pen_schema_type(field);
    bool map = is_map(field);
    struct pen_leaf leaf = { .field = field };
    if (type != PEN_TYPE_LIST && type != PEN_TYPE_STRUCT)
        leaf_type(&leaf, NULL); /* it was accepted before */
    pen_thrift_begin(t, 0);
    if (leaf.type) {
        pen_thrift_put_i32(t, 1, leaf.physical);
        if (leaf.physical == PQ_FIXED)
            pen_thrift_put_i32(t, 2, leaf.width);
    }
    pen_thrift_put_i32(t, 3, field->flags & ARROW_FLAG_NULLABLE ? PQ_OPTIONAL : PQ_REQUIRED);
    pen_thrift_put_binary(t, 4, name, strlen(name));
    if (type == PEN_TYPE_LIST) {
        pen_thrift_put_i32(t, 5, 1);
        pen_thrift_put_i32(t, 6, map ? PQ_CONVERTED_MAP : PQ_CONVERTED_LIST);
        pen_thrift_begin(t, 10);
        pen_thrift_begin(t, map ? PQ_LOGICAL_MAP : PQ_LOGICAL_LIST);
        pen_thrift_end(t);
        pen_thrift_end(t);
        pen_thrift_end(t);
        pen_thrift_begin(t, 0);
        pen_thrift_put_i32(t, 3, PQ_REPEATED);
        pen_thrift_put_binary(t, 4, map ? "key_value" : "list", map ? 9 : 4);
        pen_thrift_put_i32(t, 5, map ? 2 : 1);
    } else if (type == PEN_TYPE_STRUCT) {
        pen_thrift_put_i32(t, 5, (int32_t)field->n_children);
    } else {
        put_annotation(t, &leaf);
    }
    pen_thrift_end(t);
    const struct ArrowSchema *below = map ? field->children[0] : field;
    for (int64_t i = 0; i < below->n_children; i++)
        put_element(t, below->children[i], type == PEN_TYPE_LIST && !map ? "element" : below->children[i]->name);
}

void pen_leaves_put_schema(struct pen_thrift_out *t, const struct ArrowSchema *schema)
{
    pen_thrift_put_list(t, 2, THRIFT_STRUCT, count_elements(schema));
    pen_thrift_begin(t, 0);
    pen_thrift_put_binary(t, 4, "schema", 6);
    pen_thrift_put_i32(t, 5, (int32_t)schema->n_children);
    pen_thrift_end(t);
    for (int64_t i = 0; i < schema->n_children; i++)
        put_element(t, schema->children[i], schema->children[i]->name);
}
