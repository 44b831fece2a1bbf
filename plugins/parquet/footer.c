/* footer.c - FileMetaData (parquet.thrift) from bytes that nobody has checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "footer.h"

#include "codec.h"

/* -- schema elements ---------------------------------------------------------------------------------------------------------- */

static void read_unit(struct pen_thrift_in *t, unsigned type, struct pen_element *e)
{
    struct pen_thrift_field f = { 0, 0 };
    if (!pen_thrift_enter(t, type))
        return;
    while (pen_thrift_next(t, &f)) {
        e->unit = f.id;
        pen_thrift_skip(t, f.type);
    }
    pen_thrift_leave(t);
}

/* What lies within the member of the union: DecimalType, TimeType, TimestampType, IntType have fields. */
static void read_logical_member(struct pen_thrift_in *t, unsigned type, struct pen_element *e)
{
    struct pen_thrift_field f = { 0, 0 };
    if (!pen_thrift_enter(t, type))
        return;
    while (pen_thrift_next(t, &f)) {
        if (e->logical == PQ_LOGICAL_DECIMAL && f.id == 1)
            e->scale = pen_thrift_get_i32(t, &f);
        else if (e->logical == PQ_LOGICAL_DECIMAL && f.id == 2)
            e->precision = pen_thrift_get_i32(t, &f);
        else if (e->logical == PQ_LOGICAL_INTEGER && f.id == 1)
            e->bits = (int)pen_thrift_get_i32(t, &f);
        else if (e->logical == PQ_LOGICAL_INTEGER && f.id == 2)
            e->is_signed = pen_thrift_get_bool(t, &f);
        else if ((e->logical == PQ_LOGICAL_TIMESTAMP || e->logical == PQ_LOGICAL_TIME) && f.id == 2)
            read_unit(t, f.type, e);
        else
            pen_thrift_skip(t, f.type);
    }
    pen_thrift_leave(t);
}

static void read_logical(struct pen_thrift_in *t, unsigned type, struct pen_element *e)
{
    struct pen_thrift_field f = { 0, 0 };
    if (!pen_thrift_enter(t, type))
        return;
    while (pen_thrift_next(t, &f)) {
        e->logical = f.id >= PQ_LOGICAL_STRING && f.id <= PQ_LOGICAL_FLOAT16 ? f.id : -1;
        read_logical_member(t, f.type, e);
    }
    pen_thrift_leave(t);
}

static void read_element(struct pen_thrift_in *t, unsigned type, struct pen_element *e)
{
    struct pen_thrift_field f = { 0, 0 };
    memset(e, 0, sizeof *e);
    e->physical = e->converted = -1;
    e->name = "";
    if (!pen_thrift_enter(t, type))
        return;
    while (pen_thrift_next(t, &f)) {
        switch (f.id) {
        case 1:
            e->physical = (int)pen_thrift_get_i32(t, &f);
            break;
        case 2:
            e->width = pen_thrift_get_i32(t, &f);
            break;
        case 3:
            e->repetition = (int)pen_thrift_get_i32(t, &f);
            break;
        case 4:
            e->name = pen_thrift_get_binary(t, &f, &e->name_n);
            break;
        case 5:
            e->children = pen_thrift_get_i32(t, &f);
            break;
        case 6:
            e->converted = (int)pen_thrift_get_i32(t, &f);
            break;
        case 7:
            e->scale = pen_thrift_get_i32(t, &f);
            break;
        case 8:
            e->precision = pen_thrift_get_i32(t, &f);
            break;
        case 10:
            read_logical(t, f.type, e);
            break;
        default:
            pen_thrift_skip(t, f.type);
        }
    }
    pen_thrift_leave(t);
    if (e->children > 0)
        e->physical = -1;
    if (e->repetition < PQ_REQUIRED || e->repetition > PQ_REPEATED || e->physical < -1 || e->physical > PQ_FIXED || e->children < 0 ||
        (e->physical == PQ_FIXED && (e->width < 0 || e->width > INT32_MAX / 2)))
        t->bad = true;
}

static pen_status read_schema(struct pen_footer *m, struct pen_thrift_in *t, const struct pen_thrift_field *f, struct pen_error *err)
{
    unsigned type;
    size_t n = pen_thrift_get_list(t, f, &type);
    if (m->elements || n == 0)
        t->bad = true;
    if (t->bad)
        return PEN_OK;
    m->elements = calloc(n, sizeof *m->elements);
    if (!m->elements)
        return pen_fail(err, PEN_FATAL, "out of memory");
    m->n_elements = n;
    for (size_t i = 0; i < n && !t->bad; i++) {
        read_element(t, type, &m->elements[i]);
        m->n_leaves += i > 0 && m->elements[i].children == 0;
    }
    return PEN_OK;
}

/* -- row groups --------------------------------------------------------------------------------------------------------------- */

static void read_chunk_metadata(struct pen_thrift_in *t, unsigned type, struct pen_chunk *c)
{
    struct pen_thrift_field f = { 0, 0 };
    if (!pen_thrift_enter(t, type))
        return;
    while (pen_thrift_next(t, &f)) {
        switch (f.id) {
        case 1:
            c->physical = (int)pen_thrift_get_i32(t, &f);
            break;
        case 4:
            c->codec = (int)pen_thrift_get_i32(t, &f);
            break;
        case 5:
            c->values = pen_thrift_get_int(t, &f);
            break;
        case 6:
            c->uncompressed = pen_thrift_get_int(t, &f);
            break;
        case 7:
            c->compressed = pen_thrift_get_int(t, &f);
            break;
        case 9:
            c->data_offset = pen_thrift_get_int(t, &f);
            break;
        case 11:
            c->dictionary_offset = pen_thrift_get_int(t, &f);
            break;
        default:
            pen_thrift_skip(t, f.type);
        }
    }
    pen_thrift_leave(t);
}

static void read_chunk(struct pen_thrift_in *t, unsigned type, struct pen_chunk *c)
{
    struct pen_thrift_field f = { 0, 0 };
    memset(c, 0, sizeof *c);
    c->physical = -1;
    if (!pen_thrift_enter(t, type))
        return;
    while (pen_thrift_next(t, &f)) {
        if (f.id == 3)
            read_chunk_metadata(t, f.type, c);
        else
            pen_thrift_skip(t, f.type);
        if (f.id == 1)
            c->refusal = "its data lie in another file";
        else if (f.id == 8 || f.id == 9)
            c->refusal = "it is encrypted";
    }
    pen_thrift_leave(t);
    if (c->physical < 0 && !c->refusal)
        c->refusal = "it has no metadata";
    if (!c->refusal && pen_codec_refusal(c->codec))
        c->refusal = pen_codec_refusal(c->codec);
}

static pen_status check_chunk(const struct pen_chunk *c, int64_t file_size, struct pen_error *err)
{
    int64_t start = c->dictionary_offset > 0 && c->dictionary_offset < c->data_offset ? c->dictionary_offset : c->data_offset;
    if (c->refusal || c->values == 0)
        return PEN_OK;
    if (c->values < 0 || c->compressed < 0 || start < 4 || start > file_size || c->compressed > file_size - start)
        return pen_fail(err, PEN_FATAL, "the footer is damaged: %lld bytes of a column at %lld in a file of %lld",
                        (long long)c->compressed, (long long)start, (long long)file_size);
    return PEN_OK;
}

static pen_status read_group(struct pen_footer *m, struct pen_thrift_in *t, unsigned type, struct pen_row_group *g, int64_t file_size,
                             struct pen_error *err)
{
    struct pen_thrift_field f = { 0, 0 };
    size_t seen = 0;
    unsigned element;
    pen_status st = PEN_OK;
    if (!pen_thrift_enter(t, type))
        return PEN_OK;
    while (st >= 0 && pen_thrift_next(t, &f)) {
        if (f.id == 1) {
            seen = pen_thrift_get_list(t, &f, &element);
            if (seen != m->n_leaves)
                t->bad = true;
            for (size_t i = 0; i < seen && !t->bad && st >= 0; i++) {
                read_chunk(t, element, &g->chunks[i]);
                if (!t->bad)
                    st = check_chunk(&g->chunks[i], file_size, err);
            }
        } else if (f.id == 3) {
            g->rows = pen_thrift_get_int(t, &f);
        } else {
            pen_thrift_skip(t, f.type);
        }
    }
    pen_thrift_leave(t);
    if (g->rows < 0 || seen != m->n_leaves)
        t->bad = true;
    return st;
}

static pen_status read_groups(struct pen_footer *m, struct pen_thrift_in *t, const struct pen_thrift_field *f, int64_t file_size,
                              struct pen_error *err)
{
    unsigned type;
    size_t n = pen_thrift_get_list(t, f, &type);
    pen_status st = PEN_OK;
    if (!m->elements || m->groups) /* the schema comes first */
        t->bad = true;
    if (m->n_leaves && n > (size_t)(t->end - t->p) / m->n_leaves) /* a chunk has a byte at least */
        t->bad = true;
    if (t->bad || n == 0)
        return PEN_OK;
    m->groups = calloc(n, sizeof *m->groups);
    m->chunks = calloc(n * m->n_leaves + 1, sizeof *m->chunks);
    if (!m->groups || !m->chunks)
        return pen_fail(err, PEN_FATAL, "out of memory");
    m->n_groups = n;
    for (size_t i = 0; i < n && !t->bad && st >= 0; i++) {
        m->groups[i].chunks = m->chunks + i * m->n_leaves;
        st = read_group(m, t, type, &m->groups[i], file_size, err);
    }
    return st;
}

static pen_status read_pairs(struct pen_footer *m, struct pen_thrift_in *t, const struct pen_thrift_field *f, struct pen_error *err)
{
    unsigned type;
    size_t n = pen_thrift_get_list(t, f, &type);
    if (m->pairs)
        t->bad = true;
    if (t->bad || n == 0)
        return PEN_OK;
    m->pairs = calloc(n, sizeof *m->pairs);
    if (!m->pairs)
        return pen_fail(err, PEN_FATAL, "out of memory");
    m->n_pairs = n;
    for (size_t i = 0; i < n && !t->bad; i++) {
        struct pen_thrift_field g = { 0, 0 };
        if (!pen_thrift_enter(t, type))
            break;
        while (pen_thrift_next(t, &g)) {
            size_t size;
            const char *text = g.id == 1 || g.id == 2 ? pen_thrift_get_binary(t, &g, &size) : NULL;
            char **to = g.id == 1 ? &m->pairs[i].key : &m->pairs[i].value;
            if (!text) {
                pen_thrift_skip(t, g.type);
                continue;
            }
            free(*to);
            if (!(*to = strndup(text, size)))
                return pen_fail(err, PEN_FATAL, "out of memory");
        }
        pen_thrift_leave(t);
    }
    return PEN_OK;
}

pen_status pen_footer_parse(struct pen_footer *m, uint8_t *bytes, size_t n, int64_t file_size, struct pen_error *err)
{
    struct pen_thrift_in t = { .p = bytes, .end = bytes + n };
    struct pen_thrift_field f = { 0, 0 };
    pen_status st = PEN_OK;
    int64_t rows = 0;
    memset(m, 0, sizeof *m);
    m->bytes = bytes;
    while (st >= 0 && pen_thrift_next(&t, &f)) {
        switch (f.id) {
        case 2:
            st = read_schema(m, &t, &f, err);
            break;
        case 4:
            st = read_groups(m, &t, &f, file_size, err);
            break;
        case 5:
            st = read_pairs(m, &t, &f, err);
            break;
        default:
            pen_thrift_skip(&t, f.type);
        }
    }
    for (size_t i = 0; i < m->n_groups && !t.bad; i++)
        t.bad = __builtin_add_overflow(rows, m->groups[i].rows, &rows);
    if (st >= 0 && (t.bad || !m->elements))
        st = pen_fail(err, PEN_FATAL, "the footer is damaged");
    m->rows = rows; /* its own count has been wrong in files of other writers */
    if (st < 0)
        pen_footer_fini(m);
    return st;
}

void pen_footer_fini(struct pen_footer *m)
{
    for (size_t i = 0; i < m->n_pairs; i++) {
        free(m->pairs[i].key);
        free(m->pairs[i].value);
    }
    free(m->pairs);
    free(m->elements);
    free(m->groups);
    free(m->chunks);
    free(m->bytes);
    memset(m, 0, sizeof *m);
}
