/* assemble.c - validity, offsets and values of arrays out of levels: Dremel's assembly, column by column.
 * A node has a slot where the list around it has an item; which those are, and whether they are null, any leaf below it tells.
 * SPDX-License-Identifier: Apache-2.0 */
#include "assemble.h"

struct owned {
    const void *buffers[3];
    struct ArrowArray **children;
};

static void release_array(struct ArrowArray *a)
{
    struct owned *o = a->private_data;
    for (size_t i = 0; i < 3; i++)
        free((void *)(uintptr_t)o->buffers[i]);
    for (int64_t i = 0; i < a->n_children; i++) {
        if (a->children[i]->release)
            a->children[i]->release(a->children[i]);
        free(a->children[i]);
    }
    free(o->children);
    free(o);
    a->release = NULL;
}

pen_status pen_array_new(struct ArrowArray *out, int64_t length, size_t n_buffers, size_t n_children, struct pen_error *err)
{
    struct owned *o = calloc(1, sizeof *o);
    memset(out, 0, sizeof *out);
    if (!o)
        return pen_fail(err, PEN_FATAL, "out of memory");
    out->private_data = o;
    out->release = release_array;
    out->buffers = o->buffers;
    out->n_buffers = (int64_t)n_buffers;
    out->length = length;
    if (!n_children)
        return PEN_OK;
    o->children = calloc(n_children, sizeof *o->children);
    for (size_t i = 0; o->children && i < n_children; i++) {
        o->children[i] = calloc(1, sizeof **o->children);
        if (!o->children[i])
            break;
        out->n_children++;
    }
    out->children = o->children;
    if ((size_t)out->n_children < n_children) {
        release_array(out);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    return PEN_OK;
}

/* -- slots -------------------------------------------------------------------------------------------------------------------- */

/* The levels that tell a node's slots. def NULL: all are full. */
struct levels {
    const uint8_t *def, *rep;
    size_t n;
    uint8_t max_def;
};

static struct levels levels_of(const struct pen_tree *t, const struct pen_leaf_reader *readers)
{
    const struct pen_leaf_reader *r = &readers[t->first_leaf];
    struct levels l = { .n = r->levels, .max_def = r->leaf->max_def };
    l.def = r->def_out.n ? r->def_out.p : NULL;
    l.rep = r->leaf->max_rep ? r->rep_out.p : NULL;
    return l;
}

static inline uint8_t def_at(const struct levels *l, size_t i)
{
    return l->def ? l->def[i] : l->max_def;
}

/* Whether level i opens a slot of t. */
static inline bool opens_slot(const struct pen_tree *t, const struct levels *l, size_t i)
{
    return (!l->rep || l->rep[i] <= t->rep) && def_at(l, i) >= t->slot_def;
}

static size_t count_slots(const struct pen_tree *t, const struct levels *l)
{
    size_t n = 0;
    if (!l->rep && (!l->def || t->slot_def == 0))
        return l->n;
    for (size_t i = 0; i < l->n; i++)
        n += opens_slot(t, l, i);
    return n;
}

/* The validity bitmap of a node with `slots` slots, into buffer 0; none where nothing is null. A node that is not nullable has nulls as well,
 * in slots of a struct that is null itself. */
static pen_status set_validity(const struct pen_tree *t, const struct levels *l, size_t slots, struct ArrowArray *out, struct pen_error *err)
{
    size_t slot = 0, nulls = 0;
    uint8_t *bits;
    if (t->def == t->slot_def || !l->def || slots == 0)
        return PEN_OK;
    bits = calloc(slots / 8 + 1, 1);
    if (!bits)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < l->n; i++) {
        bool there;
        if (!opens_slot(t, l, i))
            continue;
        there = l->def[i] >= t->def;
        bits[slot / 8] = (uint8_t)(bits[slot / 8] | there << slot % 8);
        nulls += !there;
        slot++;
    }
    out->null_count = (int64_t)nulls;
    if (nulls)
        out->buffers[0] = bits;
    else
        free(bits);
    return PEN_OK;
}

/* -- leaves ------------------------------------------------------------------------------------------------------------------- */

static inline bool is_valid(const struct ArrowArray *a, size_t i)
{
    const uint8_t *bits = a->buffers[0];
    return !bits || (bits[i / 8] >> i % 8 & 1);
}

static pen_status text_leaf(struct pen_leaf_reader *r, size_t slots, struct ArrowArray *out, struct pen_error *err)
{
    int32_t *offsets = malloc((slots + 1) * sizeof *offsets), at = 0;
    const int32_t *length = (const int32_t *)(const void *)r->lengths.p;
    if (!offsets)
        return pen_fail(err, PEN_FATAL, "out of memory");
    offsets[0] = 0;
    if (out->buffers[0]) {
        for (size_t i = 0; i < slots; i++) {
            if (is_valid(out, i))
                at += *length++;
            offsets[i + 1] = at;
        }
    } else {
        for (size_t i = 0; i < slots; i++)
            offsets[i + 1] = at += length[i];
    }
    out->buffers[1] = offsets;
    out->buffers[2] = r->bytes.p;
    r->bytes_hint = r->bytes.n + r->bytes.n / 16;
    memset(&r->bytes, 0, sizeof r->bytes);
    return PEN_OK;
}

static pen_status bool_leaf(struct pen_leaf_reader *r, size_t slots, struct ArrowArray *out, struct pen_error *err)
{
    uint8_t *bits = calloc(slots / 8 + 1, 1);
    const uint8_t *v = r->fixed.p;
    if (!bits)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < slots; i++)
        if (is_valid(out, i))
            bits[i / 8] = (uint8_t)(bits[i / 8] | *v++ << i % 8);
    out->buffers[1] = bits;
    return PEN_OK;
}

/* Values move apart, from the last on, to where their rows are. */
static pen_status fixed_leaf(struct pen_leaf_reader *r, size_t slots, size_t size, struct ArrowArray *out, struct pen_error *err)
{
    size_t from = r->values;
    uint8_t *v;
    pen_status st = pen_buf_reserve(&r->fixed, slots * size - r->fixed.n + 1, err);
    if (st < 0)
        return st;
    v = r->fixed.p;
    for (size_t i = slots; out->buffers[0] && i-- > 0;) {
        if (is_valid(out, i))
            memmove(v + i * size, v + --from * size, size);
        else
            memset(v + i * size, 0, size);
    }
    out->buffers[1] = v;
    memset(&r->fixed, 0, sizeof r->fixed);
    return PEN_OK;
}

/* What is not nullable has values, of no meaning, where the struct around it is null. */
static void drop_needless_validity(const struct pen_tree *t, struct ArrowArray *out)
{
    if (t->nullable || !out->buffers[0])
        return;
    free((void *)(uintptr_t)out->buffers[0]);
    out->buffers[0] = NULL;
    out->null_count = 0;
}

static pen_status leaf_array(const struct pen_tree *t, struct pen_leaf_reader *readers, struct ArrowArray *out, struct pen_error *err)
{
    struct pen_leaf_reader *r = &readers[t->leaf];
    struct levels l = levels_of(t, readers);
    size_t size = pen_leaf_value_size(t), slots = count_slots(t, &l);
    pen_status st = pen_array_new(out, (int64_t)slots, size ? 2 : 3, 0, err);
    if (st < 0 || (st = set_validity(t, &l, slots, out, err)) < 0)
        return st;
    if ((size_t)(out->length - out->null_count) != r->values)
        return pen_leaf_reader_damaged(r, "its levels and values do not go together", err);
    if (size == 0)
        st = text_leaf(r, slots, out, err);
    else
        st = t->type == PEN_TYPE_BOOL ? bool_leaf(r, slots, out, err) : fixed_leaf(r, slots, size, out, err);
    drop_needless_validity(t, out);
    return st;
}

/* -- lists and structs -------------------------------------------------------------------------------------------------------- */

static pen_status list_array(const struct pen_tree *t, struct pen_leaf_reader *readers, struct ArrowArray *out, struct pen_error *err)
{
    struct levels l = levels_of(t, readers);
    size_t slots = count_slots(t, &l), slot = 0;
    int32_t items = 0, *offsets;
    pen_status st = pen_array_new(out, (int64_t)slots, 2, 1, err);
    if (st < 0 || (st = set_validity(t, &l, slots, out, err)) < 0)
        return st;
    offsets = calloc(slots + 1, sizeof *offsets);
    if (!offsets)
        return pen_fail(err, PEN_FATAL, "out of memory");
    out->buffers[1] = offsets;
    for (size_t i = 0; i < l.n; i++) {
        bool opens = opens_slot(t, &l, i);
        slot += opens;
        /* an item begins where this list goes on or is opened, and has one */
        if (def_at(&l, i) > t->def && l.rep[i] <= t->rep + 1) {
            if (slot == 0)
                return pen_leaf_reader_damaged(&readers[t->first_leaf], "its lists do not begin with a row", err);
            items++;
        }
        if (slot)
            offsets[slot] = items;
    }
    if ((st = pen_assemble(&t->children[0], readers, out->children[0], err)) < 0)
        return st;
    drop_needless_validity(t, out);
    if (out->children[0]->length != items)
        return pen_leaf_reader_damaged(&readers[t->first_leaf], "its lists and items do not go together", err);
    return PEN_OK;
}

static pen_status struct_array(const struct pen_tree *t, struct pen_leaf_reader *readers, struct ArrowArray *out, struct pen_error *err)
{
    struct levels l = levels_of(t, readers);
    size_t slots = count_slots(t, &l);
    pen_status st = pen_array_new(out, (int64_t)slots, 1, t->n_children, err);
    if (st < 0 || (st = set_validity(t, &l, slots, out, err)) < 0)
        return st;
    drop_needless_validity(t, out);
    for (size_t i = 0; i < t->n_children; i++) {
        if ((st = pen_assemble(&t->children[i], readers, out->children[i], err)) < 0)
            return st;
        if (out->children[i]->length != out->length)
            return pen_leaf_reader_damaged(&readers[t->first_leaf], "the fields of a struct do not go together", err);
    }
    return PEN_OK;
}

pen_status pen_assemble(const struct pen_tree *t, struct pen_leaf_reader *readers, struct ArrowArray *out, struct pen_error *err)
{
    pen_status st = t->kind == PEN_COLUMN_LEAF ? leaf_array(t, readers, out, err)
                  : t->kind == PEN_COLUMN_LIST ? list_array(t, readers, out, err)
                                               : struct_array(t, readers, out, err);
    if (st < 0 && out->release)
        out->release(out);
    return st;
}
