/* reader.c - a Parquet file as batches: the footer, the columns that are wanted, row group by row group.
 * SPDX-License-Identifier: Apache-2.0 */
#include "assemble.h"

#define BATCH_BYTES ((int64_t)8 << 20) /* of a batch, by the row group's average */
#define FOOTER_GUESS ((int64_t)64 << 10)

struct pen_parquet_reader {
    struct pen_parquet_input input;
    char *name;
    struct pen_footer footer;
    struct ArrowSchema schema;
    struct pen_tree root;
    struct pen_restorer *restorer;
    struct pen_leaf_reader *leaves;  /* one a leaf of the file; only those wanted are used */
    size_t n_leaves;
    bool *wanted;                    /* leaf */
    int64_t *columns;
    size_t n_columns;
    size_t group;                    /* open row group, or the next one */
    bool open;
    int64_t row;                     /* in it, of the next batch */
    int64_t batch_rows;              /* in it, at most */
};

/* Puts the file's name before a message. */
static pen_status in_file(const struct pen_parquet_reader *r, pen_status st, const struct pen_error *why, struct pen_error *err)
{
    return st < 0 ? pen_fail(err, st, "%s: %s", r->name, why->msg) : st;
}

/* -- opening ------------------------------------------------------------------------------------------------------------------ */

static pen_status read_footer(struct pen_parquet_reader *r, struct pen_error *err)
{
    int64_t size = r->input.size, guess = size < FOOTER_GUESS ? size : FOOTER_GUESS, length;
    uint8_t *tail, *bytes;
    pen_status st;
    if (size < 12)
        return pen_fail(err, PEN_FATAL, "not a Parquet file: it has %lld bytes", (long long)size);
    if (!(tail = malloc((size_t)guess)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    if ((st = r->input.read(r->input.arg, size - guess, tail, (size_t)guess, err)) < 0) {
        free(tail);
        return st;
    }
    length = pen_load32(tail + guess - 8);
    if (memcmp(tail + guess - 4, PQ_MAGIC, 4) != 0)
        st = pen_fail(err, PEN_FATAL, memcmp(tail + guess - 4, "PARE", 4) ? "not a Parquet file, or cut off: it does not end in PAR1"
                                                                         : "encrypted Parquet files are not supported");
    else if (length > size - 12)
        st = pen_fail(err, PEN_FATAL, "the footer is damaged: %lld bytes in a file of %lld", (long long)length, (long long)size);
    else if (!(bytes = malloc((size_t)length + 1)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    else {
        if (length <= guess - 8)
            memcpy(bytes, tail + guess - 8 - length, (size_t)length);
        else
            st = r->input.read(r->input.arg, size - 8 - length, bytes, (size_t)length, err);
        if (st < 0)
            free(bytes);
        else
            st = pen_footer_parse(&r->footer, bytes, (size_t)length, size, err);
    }
    free(tail);
    return st;
}

static void init_leaves(struct pen_parquet_reader *r, const struct pen_tree *t, const struct ArrowSchema *column)
{
    if (t->kind == PEN_COLUMN_LEAF)
        pen_leaf_reader_init(&r->leaves[t->leaf], t, &r->input, r->restorer, column->name);
    for (size_t i = 0; i < t->n_children; i++)
        init_leaves(r, &t->children[i], column);
}

static pen_status open_all(struct pen_parquet_reader *r, struct pen_error *err)
{
    pen_status st = read_footer(r, err);
    if (st < 0 || (st = pen_tree_new(&r->footer, &r->schema, &r->root, err)) < 0 || (st = pen_restorer_new(&r->restorer, err)) < 0)
        return st;
    r->n_leaves = r->footer.n_leaves;
    r->leaves = calloc(r->n_leaves + 1, sizeof *r->leaves);
    r->wanted = calloc(r->n_leaves + 1, sizeof *r->wanted);
    r->columns = calloc(r->root.n_children + 1, sizeof *r->columns);
    if (!r->leaves || !r->wanted || !r->columns)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < r->root.n_children; i++) {
        init_leaves(r, &r->root.children[i], r->schema.children[i]);
        r->columns[i] = (int64_t)i;
    }
    r->n_columns = r->root.n_children;
    for (size_t i = 0; i < r->n_leaves; i++)
        r->wanted[i] = true;
    return PEN_OK;
}

pen_status pen_parquet_reader_open(struct pen_parquet_reader **out, const struct pen_parquet_input *in, struct pen_error *err)
{
    struct pen_parquet_reader *r = calloc(1, sizeof *r);
    struct pen_error why = { 0 };
    pen_status st;
    *out = NULL;
    if (!r || !(r->name = strdup(in->name))) {
        free(r);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    r->input = *in;
    r->input.name = r->name;
    st = in_file(r, open_all(r, &why), &why, err);
    if (st < 0)
        pen_parquet_reader_free(&r);
    *out = r;
    return st;
}

void pen_parquet_reader_free(struct pen_parquet_reader **out)
{
    struct pen_parquet_reader *r = *out;
    if (!r)
        return;
    for (size_t i = 0; r->leaves && i < r->n_leaves; i++)
        pen_leaf_reader_fini(&r->leaves[i]);
    free(r->leaves);
    free(r->wanted);
    free(r->columns);
    pen_restorer_free(&r->restorer);
    pen_tree_fini(&r->root);
    pen_schema_release(&r->schema);
    pen_footer_fini(&r->footer);
    free(r->name);
    free(r);
    *out = NULL;
}

const struct ArrowSchema *pen_parquet_reader_schema(const struct pen_parquet_reader *r)
{
    return &r->schema;
}

int64_t pen_parquet_reader_rows(const struct pen_parquet_reader *r)
{
    return r->footer.rows;
}

const char *pen_parquet_reader_metadata(const struct pen_parquet_reader *r, const char *key)
{
    for (size_t i = 0; i < r->footer.n_pairs; i++)
        if (r->footer.pairs[i].key && strcmp(r->footer.pairs[i].key, key) == 0)
            return r->footer.pairs[i].value;
    return NULL;
}

size_t pen_parquet_reader_held(const struct pen_parquet_reader *r)
{
    size_t n = sizeof *r + r->footer.n_elements * sizeof *r->footer.elements +
               r->footer.n_groups * r->n_leaves * sizeof *r->footer.chunks;
    for (size_t i = 0; i < r->n_leaves; i++)
        n += pen_leaf_reader_held(&r->leaves[i]);
    return n;
}

/* -- choosing ----------------------------------------------------------------------------------------------------------------- */

static pen_status want(struct pen_parquet_reader *r, const struct pen_tree *t, const char *column, struct pen_error *err)
{
    pen_status st = PEN_OK;
    if (t->refusal)
        return pen_fail(err, PEN_FATAL, "%s: column %s cannot be read: %s", r->name, column, t->refusal);
    if (t->kind == PEN_COLUMN_LEAF)
        r->wanted[t->leaf] = true;
    for (size_t i = 0; i < t->n_children && st >= 0; i++)
        st = want(r, &t->children[i], column, err);
    return st;
}

pen_status pen_parquet_reader_select(struct pen_parquet_reader *r, const int64_t *columns, size_t n, struct pen_error *err)
{
    pen_status st = PEN_OK;
    int64_t *copy = malloc((n + 1) * sizeof *copy);
    if (!copy)
        return pen_fail(err, PEN_FATAL, "out of memory");
    free(r->columns);
    r->columns = copy;
    r->n_columns = 0;
    memset(r->wanted, 0, r->n_leaves * sizeof *r->wanted);
    for (size_t i = 0; i < n && st >= 0; i++) {
        if (columns[i] < 0 || (size_t)columns[i] >= r->root.n_children)
            return pen_fail(err, PEN_FATAL, "%s: there is no column %lld", r->name, (long long)columns[i]);
        for (size_t k = 0; k < i; k++)
            if (copy[k] == columns[i])
                return pen_fail(err, PEN_FATAL, "%s: column %lld is asked for twice", r->name, (long long)columns[i]);
        copy[i] = columns[i];
        st = want(r, &r->root.children[columns[i]], r->schema.children[columns[i]]->name, err);
    }
    if (st < 0)
        return st;
    r->n_columns = n;
    return pen_parquet_reader_seek(r, 0, err);
}

/* -- rows --------------------------------------------------------------------------------------------------------------------- */

static pen_status open_group(struct pen_parquet_reader *r, struct pen_error *err)
{
    const struct pen_row_group *g = &r->footer.groups[r->group];
    int64_t bytes = 0;
    pen_status st;
    for (size_t i = 0; i < r->n_leaves; i++) {
        const struct pen_chunk *chunk = &g->chunks[i];
        if (!r->wanted[i])
            continue;
        if (!r->leaves[i].leaf->max_rep && chunk->values != g->rows && !chunk->refusal)
            return pen_leaf_reader_damaged(&r->leaves[i], "the footer does not say as many values as rows", err);
        if ((st = pen_leaf_reader_open_chunk(&r->leaves[i], chunk, err)) < 0)
            return st;
        if (chunk->uncompressed > 0 && bytes < INT64_MAX / 2)
            bytes += chunk->uncompressed < INT64_MAX / 4 ? chunk->uncompressed : INT64_MAX / 4;
    }
    r->batch_rows = g->rows && bytes / g->rows ? BATCH_BYTES / (bytes / g->rows) + 1 : INT64_MAX;
    r->open = true;
    return PEN_OK;
}

static pen_status read_rows(struct pen_parquet_reader *r, int64_t n, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (size_t i = 0; i < r->n_leaves && st >= 0; i++)
        if (r->wanted[i])
            st = pen_leaf_reader_rows(&r->leaves[i], n, err);
    return st;
}

static pen_status skip_rows(struct pen_parquet_reader *r, int64_t rows, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (int64_t n; rows > 0 && st >= 0; rows -= n) {
        n = rows < 4096 ? rows : 4096;
        n = n < r->batch_rows ? n : r->batch_rows;
        st = read_rows(r, n, err);
    }
    return st;
}

pen_status pen_parquet_reader_seek(struct pen_parquet_reader *r, int64_t row, struct pen_error *err)
{
    struct pen_error why = { 0 };
    pen_status st;
    if (row < 0 || row > r->footer.rows)
        return pen_fail(err, PEN_FATAL, "%s: there is no row %lld, it has %lld", r->name, (long long)row, (long long)r->footer.rows);
    r->open = false;
    for (r->group = 0; r->group < r->footer.n_groups && row >= r->footer.groups[r->group].rows; r->group++)
        row -= r->footer.groups[r->group].rows;
    r->row = row;
    if (row == 0)
        return PEN_OK;
    if ((st = open_group(r, &why)) >= 0)
        st = skip_rows(r, row, &why);
    return in_file(r, st, &why, err);
}

static pen_status next_batch(struct pen_parquet_reader *r, int64_t n, struct ArrowArray *out, struct pen_error *err)
{
    pen_status st = read_rows(r, n, err);
    if (st < 0 || (st = pen_array_new(out, n, 1, r->n_columns, err)) < 0)
        return st;
    for (size_t i = 0; i < r->n_columns && st >= 0; i++) {
        st = pen_assemble(&r->root.children[r->columns[i]], r->leaves, out->children[i], err);
        if (st >= 0 && out->children[i]->length != n)
            st = pen_fail(err, PEN_FATAL, "column %s has another number of rows", r->schema.children[r->columns[i]]->name);
    }
    if (st < 0)
        out->release(out);
    return st;
}

pen_status pen_parquet_reader_next(struct pen_parquet_reader *r, int64_t max_rows, struct ArrowArray *out, struct pen_error *err)
{
    struct pen_error why = { 0 };
    const struct pen_row_group *g;
    int64_t n;
    pen_status st = PEN_OK;
    memset(out, 0, sizeof *out);
    while (r->group < r->footer.n_groups && r->row == r->footer.groups[r->group].rows) {
        r->group++;
        r->row = 0;
        r->open = false;
    }
    if (r->group == r->footer.n_groups)
        return PEN_SKIP;
    g = &r->footer.groups[r->group];
    for (size_t i = 0; !r->open && i < r->n_columns && st >= 0; i++) /* refused ones, where all were asked for */
        st = want(r, &r->root.children[r->columns[i]], r->schema.children[r->columns[i]]->name, err);
    if (st < 0)
        return st;
    if (!r->open && (st = open_group(r, &why)) < 0)
        return in_file(r, st, &why, err);
    n = g->rows - r->row;
    n = n < max_rows ? n : max_rows;
    n = n < r->batch_rows ? n : r->batch_rows;
    if ((st = next_batch(r, n, out, &why)) < 0)
        return in_file(r, st, &why, err);
    r->row += n;
    return PEN_OK;
}
