/* tree.c - from a file's schema to Arrow's: what is a list (LogicalTypes.md, with the rules for older writers), what a type becomes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "footer.h"

#define MAX_NESTING 24

struct walk {
    const struct pen_footer *footer;
    size_t next;  /* element */
    size_t leaf;
};

/* Levels around an element. */
struct around {
    unsigned def, rep, slot_def, depth;
};

static pen_status damaged(struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "the schema in the footer is damaged");
}

static const char *refuse(struct pen_tree *t, const char *why)
{
    t->refusal = why;
    return "n"; /* a format that no batch has */
}

static const char *decimal_format(const struct pen_element *e, struct pen_tree *t, char *buf, size_t size)
{
    if (e->precision < 1 || e->precision > 38 || e->scale < 0 || e->scale > e->precision)
        return refuse(t, "its decimal has more than 38 digits or an impossible scale");
    if (e->physical != PQ_INT32 && e->physical != PQ_INT64 && e->physical != PQ_FIXED && e->physical != PQ_BYTE_ARRAY)
        return refuse(t, "a decimal of this physical type is not known");
    t->conversion = PEN_FROM_DECIMAL;
    snprintf(buf, size, "d:%d,%d", (int)e->precision, (int)e->scale);
    return buf;
}

static const char *time_format(const struct pen_element *e, struct pen_tree *t)
{
    int unit = e->logical == PQ_LOGICAL_TIMESTAMP ? e->unit : e->converted == PQ_CONVERTED_TIMESTAMP_MILLIS ? 1 : 2;
    if (unit < 1 || unit > 3)
        return refuse(t, "its timestamp's unit is not known");
    t->conversion = unit == 1 ? PEN_FROM_MILLIS : unit == 3 ? PEN_FROM_NANOS : PEN_AS_IS;
    return "tsu:UTC";
}

static const char *int_format(const struct pen_element *e, struct pen_tree *t)
{
    bool wide = e->physical == PQ_INT64, is_signed = true;
    int bits = wide ? 64 : 32;
    if (e->logical == PQ_LOGICAL_TIMESTAMP || e->converted == PQ_CONVERTED_TIMESTAMP_MILLIS ||
        e->converted == PQ_CONVERTED_TIMESTAMP_MICROS)
        return wide ? time_format(e, t) : refuse(t, "a timestamp of 32 bits is not known");
    if (e->logical == PQ_LOGICAL_TIME || e->converted == PQ_CONVERTED_TIME_MILLIS || e->converted == PQ_CONVERTED_TIME_MICROS)
        return refuse(t, "times of day are not supported");
    if (e->logical == PQ_LOGICAL_DATE || e->converted == PQ_CONVERTED_DATE)
        return wide ? refuse(t, "a date of 64 bits is not known") : "tdD";
    if (e->logical == PQ_LOGICAL_INTEGER) {
        bits = e->bits;
        is_signed = e->is_signed;
    } else if (e->converted >= PQ_CONVERTED_UINT8 && e->converted <= PQ_CONVERTED_UINT64) {
        is_signed = false;
        bits = 8 << (e->converted - PQ_CONVERTED_UINT8);
    }
    if (!is_signed && bits == 64)
        return refuse(t, "uint64 does not fit any column type");
    if (!is_signed && bits == 32 && !wide) {
        t->conversion = PEN_FROM_UINT32;
        return "l";
    }
    return wide ? "l" : "i";
}

/* The Arrow format of a leaf, and how its values get there. */
static const char *leaf_format(const struct pen_element *e, struct pen_tree *t, char *buf, size_t size)
{
    t->conversion = PEN_AS_IS;
    if (e->logical == PQ_LOGICAL_DECIMAL || (e->logical <= 0 && e->converted == PQ_CONVERTED_DECIMAL))
        return decimal_format(e, t, buf, size);
    switch (e->physical) {
    case PQ_BOOLEAN:
        return "b";
    case PQ_INT32:
    case PQ_INT64:
        return int_format(e, t);
    case PQ_INT96:
        t->conversion = PEN_FROM_INT96;
        return "tsu:UTC";
    case PQ_FLOAT:
        t->conversion = PEN_FROM_FLOAT;
        return "g";
    case PQ_DOUBLE:
        return "g";
    case PQ_FIXED:
        t->conversion = e->logical == PQ_LOGICAL_FLOAT16 ? PEN_FROM_FLOAT16 : PEN_FROM_FIXED;
        if (e->logical == PQ_LOGICAL_FLOAT16)
            return e->width == 2 ? "g" : refuse(t, "a float16 has two bytes");
        return e->converted == PQ_CONVERTED_INTERVAL ? refuse(t, "intervals are not supported") : "z";
    default:
        return e->logical == PQ_LOGICAL_STRING || e->logical == PQ_LOGICAL_ENUM || e->logical == PQ_LOGICAL_JSON ||
                       (e->logical <= 0 && (e->converted == PQ_CONVERTED_UTF8 || e->converted == PQ_CONVERTED_ENUM ||
                                            e->converted == PQ_CONVERTED_JSON))
                   ? "u" : "z";
    }
}

static pen_status init_field(struct ArrowSchema *field, const char *format, const struct pen_element *e, int64_t flags, size_t n,
                             struct pen_error *err)
{
    char *name = strndup(e->name, e->name_n);
    pen_status st = name ? pen_schema_init_field(field, format, name, flags, n, err)
                         : pen_fail(err, PEN_FATAL, "out of memory");
    free(name);
    return st;
}

static pen_status tree_children(struct pen_tree *t, size_t n, struct pen_error *err)
{
    t->children = calloc(n, sizeof *t->children);
    if (!t->children)
        return pen_fail(err, PEN_FATAL, "out of memory");
    t->n_children = n;
    return PEN_OK;
}

static pen_status walk_element(struct walk *w, struct around a, struct ArrowSchema *field, struct pen_tree *t,
                               struct pen_error *err);

/* What an element is but for its repetition: a leaf or a struct. Its own element is at w->next - 1. */
static pen_status walk_content(struct walk *w, struct around a, bool nullable, struct ArrowSchema *field, struct pen_tree *t,
                               struct pen_error *err)
{
    const struct pen_element *e = &w->footer->elements[w->next - 1];
    char buf[32];
    pen_status st;
    t->nullable = nullable;
    t->def = (uint8_t)a.def;
    t->slot_def = (uint8_t)a.slot_def;
    t->rep = (uint8_t)a.rep;
    t->first_leaf = w->leaf;
    if (e->children == 0) {
        const char *format;
        if (e->physical < 0) /* a group without fields */
            return damaged(err);
        t->kind = PEN_COLUMN_LEAF;
        t->leaf = w->leaf++;
        t->physical = e->physical;
        t->width = e->width;
        t->max_def = (uint8_t)a.def;
        t->max_rep = (uint8_t)a.rep;
        format = leaf_format(e, t, buf, sizeof buf);
        if ((st = init_field(field, format, e, nullable ? ARROW_FLAG_NULLABLE : 0, 0, err)) < 0)
            return st;
        t->type = pen_schema_type(field);
        return PEN_OK;
    }
    t->kind = PEN_COLUMN_STRUCT;
    if ((size_t)e->children > w->footer->n_elements - w->next)
        return damaged(err);
    if ((st = init_field(field, "+s", e, nullable ? ARROW_FLAG_NULLABLE : 0, (size_t)e->children, err)) < 0 || (st = tree_children(t, (size_t)e->children, err)) < 0)
        return st;
    for (size_t i = 0; i < t->n_children && st >= 0; i++)
        st = walk_element(w, a, field->children[i], &t->children[i], err);
    return st;
}

static bool is_named(const struct pen_element *e, const char *name)
{
    return e->name_n == strlen(name) && memcmp(e->name, name, e->name_n) == 0;
}

/* Whether the repeated child of a group that says LIST is the item itself, as older writers have it, and not a level around it. */
static bool child_is_item(const struct pen_footer *f, const struct pen_element *list, const struct pen_element *child, size_t next)
{
    char tuple[256];
    if (child->children != 1 || is_named(child, "array") || next >= f->n_elements || f->elements[next].repetition == PQ_REPEATED)
        return true;
    snprintf(tuple, sizeof tuple, "%.*s_tuple", (int)(list->name_n < 200 ? list->name_n : 200), list->name);
    return is_named(child, tuple);
}

typedef enum {
    LIST_BARE,  /* a repeated element that nothing stands around: it is its own item */
    LIST_GROUP, /* a group that says LIST around a repeated element */
    LIST_MAP    /* the same for MAP: the repeated group is the item */
} list_kind;

/* What kind of list a group is, by its annotation; LIST_BARE: none. */
static list_kind group_kind(const struct pen_footer *f, const struct pen_element *e, size_t next)
{
    if (e->children != 1 || next >= f->n_elements || f->elements[next].repetition != PQ_REPEATED)
        return LIST_BARE;
    if (e->logical == PQ_LOGICAL_LIST || (e->logical <= 0 && e->converted == PQ_CONVERTED_LIST))
        return LIST_GROUP;
    return e->logical == PQ_LOGICAL_MAP ||
                   (e->logical <= 0 && (e->converted == PQ_CONVERTED_MAP || e->converted == PQ_CONVERTED_MAP_KEY_VALUE))
               ? LIST_MAP : LIST_BARE;
}

/* The element at w->next - 1 as a list. */
static pen_status walk_list(struct walk *w, struct around a, bool nullable, list_kind kind, struct ArrowSchema *field, struct pen_tree *t,
                            struct pen_error *err)
{
    const struct pen_element *e = &w->footer->elements[w->next - 1], *child;
    struct around item = a;
    int64_t map = kind == LIST_MAP && w->footer->elements[w->next].children == 2 ? PEN_FIELD_MAP : 0;
    pen_status st;
    t->kind = PEN_COLUMN_LIST;
    t->nullable = nullable;
    t->def = (uint8_t)a.def;
    t->slot_def = (uint8_t)a.slot_def;
    t->rep = (uint8_t)a.rep;
    t->first_leaf = w->leaf;
    if ((st = init_field(field, "+l", e, (nullable ? ARROW_FLAG_NULLABLE : 0) | map, 1, err)) < 0 || (st = tree_children(t, 1, err)) < 0)
        return st;
    item.def++;
    item.rep++;
    item.slot_def = item.def;
    item.depth++;
    if (item.def >= PQ_MAX_LEVEL || item.depth > MAX_NESTING)
        return pen_fail(err, PEN_FATAL, "columns nested deeper than %d are not supported", MAX_NESTING);
    if (kind == LIST_BARE)
        return walk_content(w, item, false, field->children[0], &t->children[0], err);
    child = &w->footer->elements[w->next++];
    if (kind == LIST_GROUP && child_is_item(w->footer, e, child, w->next) && group_kind(w->footer, child, w->next) == LIST_GROUP)
        return walk_list(w, item, false, LIST_GROUP, field->children[0], &t->children[0], err); /* a list of lists in two levels each */
    if (kind == LIST_MAP || child_is_item(w->footer, e, child, w->next))
        return walk_content(w, item, false, field->children[0], &t->children[0], err);
    return walk_element(w, item, field->children[0], &t->children[0], err);
}

static pen_status walk_element(struct walk *w, struct around a, struct ArrowSchema *field, struct pen_tree *t,
                               struct pen_error *err)
{
    const struct pen_element *e;
    bool nullable;
    list_kind kind;
    if (w->next >= w->footer->n_elements)
        return damaged(err);
    e = &w->footer->elements[w->next++];
    if (++a.depth > MAX_NESTING)
        return pen_fail(err, PEN_FATAL, "columns nested deeper than %d are not supported", MAX_NESTING);
    if (e->repetition == PQ_REPEATED)
        return walk_list(w, a, false, LIST_BARE, field, t, err);
    nullable = e->repetition == PQ_OPTIONAL;
    a.def += nullable;
    kind = group_kind(w->footer, e, w->next);
    if (kind != LIST_BARE)
        return walk_list(w, a, nullable, kind, field, t, err);
    return walk_content(w, a, nullable, field, t, err);
}

pen_status pen_tree_new(const struct pen_footer *f, struct ArrowSchema *schema, struct pen_tree *root, struct pen_error *err)
{
    struct walk w = { .footer = f, .next = 1 };
    struct around a = { 0, 0, 0, 0 };
    pen_status st;
    memset(root, 0, sizeof *root);
    memset(schema, 0, sizeof *schema);
    if (f->elements[0].children < 0 || (size_t)f->elements[0].children > f->n_elements - 1)
        return damaged(err);
    if ((st = pen_schema_init_struct(schema, "", (size_t)f->elements[0].children, err)) < 0)
        return st;
    root->kind = PEN_COLUMN_STRUCT;
    if ((st = tree_children(root, (size_t)f->elements[0].children + 1, err)) >= 0)
        root->n_children--;
    for (size_t i = 0; i < root->n_children && st >= 0; i++)
        st = walk_element(&w, a, schema->children[i], &root->children[i], err);
    if (st >= 0 && (w.next != f->n_elements || w.leaf != f->n_leaves))
        st = damaged(err);
    if (st < 0) {
        pen_tree_fini(root);
        pen_schema_release(schema);
    }
    return st;
}

void pen_tree_fini(struct pen_tree *t)
{
    for (size_t i = 0; i < t->n_children; i++)
        pen_tree_fini(&t->children[i]);
    free(t->children);
    memset(t, 0, sizeof *t);
}
