/* scan.c - see scan.h. SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "schema.h"
#include "stats.h"

/* -- a version of a table ----------------------------------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct delta_file *const *)a)->path, (*(struct delta_file *const *)b)->path);
}

static pen_status list_live(struct delta_view *v, struct pen_error *err)
{
    v->live = malloc((v->state.n_files + 1) * sizeof *v->live);
    if (!v->live)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", v->url);
    for (size_t i = 0; i < v->state.n_files; i++) {
        struct delta_file *f = &v->state.files[i];
        if (f->removed)
            continue;
        if (f->has_vector)
            return pen_fail(err, PEN_BADCONF, "%s: the file %s has a deletion vector (deletionVectors), which is not supported", v->url, f->path);
        v->live[v->n_live++] = f;
        int64_t rows = delta_stats_rows(f->stats);
        v->rows = rows < 0 || v->rows < 0 ? -1 : v->rows + rows;
    }
    qsort(v->live, v->n_live, sizeof *v->live, by_path);
    return PEN_OK;
}

static pen_status read_schema(struct delta_view *v, struct pen_error *err)
{
    struct delta_arena arena = { 0 };
    struct delta_field table;
    const char *why = delta_schema_parse(&table, &arena, v->state.metadata.schema);
    pen_status st = why ? pen_fail(err, PEN_FATAL, "%s: the table's schemaString cannot be read: %s", v->url, why)
                        : delta_schema_to_arrow(&table, v->url, &v->schema, err);
    delta_arena_fini(&arena);
    return st;
}

pen_status delta_view_open(struct delta_view *v, const struct pen_host *host, const char *url, int64_t version, struct pen_error *err)
{
    *v = (struct delta_view){ .url = strdup(url), .host = host };
    pen_status st = v->url ? delta_state_init(&v->state, v->url, err) : pen_fail(err, PEN_FATAL, "%s: out of memory", url);
    v->state.want_files = true;
    if (st >= 0)
        st = delta_state_load(&v->state, host, version, err);
    if (st >= 0 && v->state.version < 0)
        st = pen_fail(err, PEN_BADCONF, "%s: there is no Delta table", url);
    if (st >= 0)
        st = delta_check_reader(&v->state, err);
    if (st >= 0)
        st = read_schema(v, err);
    if (st >= 0)
        st = list_live(v, err);
    if (st < 0)
        delta_view_close(v);
    return st;
}

void delta_view_close(struct delta_view *v)
{
    pen_schema_release(&v->schema);
    delta_state_fini(&v->state);
    free(v->live);
    free(v->url);
    *v = (struct delta_view){ 0 };
}

/* -- columns of a file to columns of the table ------------------------------------------------------------------------------------------ */

/* The child of that name; regardless of its case where none has it exactly. */
static int64_t find(const struct ArrowSchema *s, const char *name)
{
    int64_t i = pen_schema_find(s, name);
    for (int64_t k = 0; i < 0 && k < s->n_children; k++)
        if (strcasecmp(s->children[k]->name, name) == 0)
            i = k;
    return i;
}

/* Whether the arrays of one can stand for those of the other as they are; a list's item may have any name. */
static bool same(const struct ArrowSchema *want, const struct ArrowSchema *have, bool named)
{
    bool text = (want->format[0] == 'u' || want->format[0] == 'z') && (have->format[0] == 'u' || have->format[0] == 'z');
    if (named && strcmp(want->name, have->name) != 0)
        return false;
    if ((!text && strcmp(want->format, have->format) != 0) || want->n_children != have->n_children)
        return false;
    for (int64_t i = 0; i < want->n_children; i++)
        if (!same(want->children[i], have->children[i], strcmp(want->format, "+s") == 0))
            return false;
    return true;
}

static pen_status nulls(const struct ArrowSchema *want, int64_t n, struct ArrowArray *out, struct pen_error *err)
{
    struct pen_builder *b;
    pen_status st = pen_builder_new(&b, want, err);
    if (st < 0)
        return st;
    for (int64_t i = 0; i < n; i++)
        pen_builder_null(b);
    st = pen_builder_finish(b, out, err);
    pen_builder_free(&b);
    return st;
}

/* Moves `in`, or what is wanted of it, to *out. */
static pen_status conform(const struct ArrowSchema *want, const struct ArrowSchema *have, struct ArrowArray *in, const char *file,
                          struct ArrowArray *out, struct pen_error *err);

/* A struct that has other fields in the file: those that are wanted, and nulls for those it lacks. */
static pen_status conform_struct(const struct ArrowSchema *want, const struct ArrowSchema *have, struct ArrowArray *in, const char *file,
                                 struct ArrowArray *out, struct pen_error *err)
{
    size_t n = (size_t)want->n_children;
    struct ArrowArray *columns = calloc(n + 1, sizeof *columns), whole = { 0 };
    pen_status st = columns ? pen_array_adopt(have, in, err) : pen_fail(err, PEN_FATAL, "%s: out of memory", file);
    for (size_t i = 0; st >= 0 && i < n; i++) {
        int64_t k = find(have, want->children[i]->name);
        st = k < 0 ? nulls(want->children[i], in->length, &columns[i], err) : conform(want->children[i], have->children[k], in->children[k], file, &columns[i], err);
    }
    if (st >= 0)
        st = pen_batch_from_columns(&whole, columns, n, err);
    for (size_t i = 0; columns && i < n; i++)
        pen_array_release(&columns[i]);
    free(columns);
    if (st < 0)
        return st;
    struct pen_column c = pen_column_of(in);
    size_t bytes = ((size_t)in->length + 7) / 8;
    uint8_t *bitmap = c.validity ? malloc(bytes + 1) : NULL;
    if (!c.validity) {
        *out = whole;
        return PEN_OK;
    }
    if (bitmap)
        memcpy(bitmap, c.validity, bytes);
    st = bitmap ? pen_array_masked(out, &whole, bitmap, in->null_count, err) : pen_fail(err, PEN_FATAL, "%s: out of memory", file);
    pen_array_release(&whole);
    return st;
}

static pen_status conform(const struct ArrowSchema *want, const struct ArrowSchema *have, struct ArrowArray *in, const char *file,
                          struct ArrowArray *out, struct pen_error *err)
{
    char a[64], b[64];
    if (same(want, have, false)) {
        *out = *in;
        in->release = NULL;
        return out->release ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: column %s stands for two of the table", file, have->name);
    }
    if (strcmp(want->format, "+s") == 0 && strcmp(have->format, "+s") == 0 && in->offset == 0)
        return conform_struct(want, have, in, file, out, err);
    return pen_fail(err, PEN_FATAL, "%s: column %s is %s in the file and %s in the table", file, want->name, pen_schema_type_name(have, a, sizeof a),
                    pen_schema_type_name(want, b, sizeof b));
}

/* -- one file ------------------------------------------------------------------------------------------------------------------------------ */

static pen_status constant(const struct delta_scan *s, const struct ArrowSchema *field, int64_t n, struct ArrowArray *out, struct pen_error *err)
{
    struct pen_builder *b;
    const char *text = delta_pairs_get(&s->file->partition_values, field->name);
    bool good = true;
    pen_status st = pen_builder_new(&b, field, err);
    if (st < 0)
        return st;
    for (int64_t i = 0; good && i < n; i++)
        good = delta_partition_value(b, field, text);
    if (good)
        st = pen_builder_finish(b, out, err);
    else
        st = pen_fail(err, PEN_FATAL, "%s: its partition value %s = \"%s\" is of another type than the column", s->input.url, field->name, text);
    pen_builder_free(&b);
    return st;
}

static pen_status select_columns(struct delta_scan *s, const struct delta_state *table, struct pen_error *err)
{
    const struct ArrowSchema *file = pen_parquet_reader_schema(s->input.reader);
    int64_t *selected = malloc((s->n + 1) * sizeof *selected);
    size_t n = 0;
    if (!selected)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", s->input.url);
    for (size_t i = 0; i < s->n; i++) {
        const struct ArrowSchema *field = s->schema->children[s->columns[i]];
        int64_t k = find(file, field->name);
        s->partition[i] = delta_names_have(&table->metadata.partition_columns, field->name);
        s->from[i] = -1;
        if (s->partition[i] || k < 0)
            continue;
        s->have[i] = file->children[k];
        s->from[i] = (int64_t)n;
        selected[n++] = k;
    }
    pen_status st = pen_parquet_reader_select(s->input.reader, selected, n, err);
    free(selected);
    return st;
}

pen_status delta_scan_open(struct delta_scan *s, const struct pen_host *host, const char *url, const struct delta_state *table,
                           const struct ArrowSchema *schema, const struct delta_file *file, const int64_t *columns, size_t n,
                           struct pen_error *err)
{
    char path[2048];
    *s = (struct delta_scan){ .schema = schema, .file = file, .columns = columns, .n = n };
    s->from = calloc(n + 1, sizeof *s->from);
    s->have = calloc(n + 1, sizeof *s->have);
    s->partition = calloc(n + 1, sizeof *s->partition);
    pen_status st = s->from && s->have && s->partition ? delta_file_url(path, sizeof path, url, file, err)
                                                       : pen_fail(err, PEN_FATAL, "%s: out of memory", url);
    if (st >= 0)
        st = delta_input_open(&s->input, host, path, -1, err);
    if (st >= 0)
        st = select_columns(s, table, err);
    if (st < 0)
        delta_scan_close(s);
    return st;
}

pen_status delta_scan_next(struct delta_scan *s, int64_t max_rows, struct ArrowArray *out, struct pen_error *err)
{
    struct ArrowArray batch;
    pen_status st = pen_parquet_reader_next(s->input.reader, max_rows, &batch, err);
    if (st != PEN_OK)
        return st;
    struct ArrowArray *columns = calloc(s->n + 1, sizeof *columns);
    if (!columns)
        st = pen_fail(err, PEN_FATAL, "%s: out of memory", s->input.url);
    for (size_t i = 0; st >= 0 && i < s->n; i++) {
        const struct ArrowSchema *field = s->schema->children[s->columns[i]];
        if (!s->partition[i] && s->from[i] >= 0)
            st = pen_array_adopt(s->have[i], batch.children[s->from[i]], err); /* so that it can be shared */
        if (st < 0)
            break;
        if (s->partition[i])
            st = constant(s, field, batch.length, &columns[i], err);
        else if (s->from[i] < 0)
            st = nulls(field, batch.length, &columns[i], err);
        else
            st = conform(field, s->have[i], batch.children[s->from[i]], s->input.url, &columns[i], err);
    }
    if (st >= 0 && s->n) {
        st = pen_batch_from_columns(out, columns, s->n, err);
    } else if (st >= 0) { /* no columns: only the number of rows counts */
        *out = batch;
        batch.release = NULL;
    }
    for (size_t i = 0; columns && i < s->n; i++)
        pen_array_release(&columns[i]);
    free(columns);
    pen_array_release(&batch);
    return st;
}

void delta_scan_close(struct delta_scan *s)
{
    delta_input_close(&s->input);
    free(s->from);
    free(s->have);
    free(s->partition);
    *s = (struct delta_scan){ 0 };
}
