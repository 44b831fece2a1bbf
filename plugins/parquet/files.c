/* files.c - a lane's files: which rows go to which folder, when a file ends, and what became of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "files.h"
#include "partition.h"

#define DEFAULT_OPEN 64

struct open_file {
    char *key;            /* partition values: one zero byte before and behind each text, or a one for null */
    size_t key_n;
    uint64_t used;        /* when, by the count of writes */
    uint64_t number;      /* order in which files were begun */
    struct pen_upload *upload;
    struct pen_file file; /* path, values and writer; the rest once it is finished */
};

struct finished {
    uint64_t number;
    struct pen_file file;
};

struct pen_files {
    const struct pen_host *host;
    struct pen_files_options options;
    char *url, *prefix;
    struct ArrowSchema schema;      /* all columns */
    struct ArrowSchema data;        /* a view of those that go into files */
    struct ArrowArray *view;        /* the same of a batch */
    int64_t *data_columns, *key_columns;
    size_t n_keys;
    struct open_file *open;
    size_t n_open;
    struct pen_buf finished;        /* struct finished */
    uint64_t number, clock;
    int64_t written;                /* bytes of finished files */
    struct pen_buf key, keys, groups;
};

/* -- one file ----------------------------------------------------------------------------------------------------------------- */

static void file_fini(struct pen_file *f)
{
    pen_parquet_writer_free(&f->writer);
    for (size_t i = 0; f->partition_values && i < f->n_partition_values; i++)
        free(f->partition_values[i]);
    free(f->partition_values);
    free(f->path);
    free(f->token);
    memset(f, 0, sizeof *f);
}

static void open_file_fini(struct open_file *o)
{
    pen_upload_abandon(&o->upload);
    file_fini(&o->file);
    free(o->key);
    memset(o, 0, sizeof *o);
}

static pen_status to_upload(void *arg, const void *bytes, size_t n, struct pen_error *err)
{
    return pen_upload_write(arg, bytes, n, err);
}

/* The next value of a key, or NULL; *key moves behind it. */
static const char *next_value(const char **key)
{
    const char *value = **key ? NULL : *key + 1;
    *key += value ? strlen(value) + 2 : 1;
    return value;
}

static pen_status make_path(struct pen_files *f, struct open_file *o, struct pen_error *err)
{
    char name[128], level[256]; /* together what file systems take as one name */
    struct pen_buf path = { 0 };
    const char *key = o->key;
    pen_status st = PEN_OK;
    o->file.partition_values = calloc(f->n_keys + 1, sizeof *o->file.partition_values);
    if (!o->file.partition_values)
        return pen_fail(err, PEN_FATAL, "out of memory");
    o->file.n_partition_values = f->n_keys;
    for (size_t i = 0; i < f->n_keys && st >= 0; i++) {
        const char *column = f->schema.children[f->key_columns[i]]->name, *value = next_value(&key);
        if (value && !(o->file.partition_values[i] = strdup(value)))
            st = pen_fail(err, PEN_FATAL, "out of memory");
        pen_path_escape(name, sizeof name, column, strlen(column));
        if (value)
            pen_path_escape(level, sizeof level - strlen(name) - 1, value, strlen(value));
        if (value && strchr(level, '~') && f->options.mode == PEN_FILES_TOKEN && st >= 0) /* for these the folder's name is all that says it */
            st = pen_fail(err, PEN_BADDATA, "partition column %s: \"%.40s…\", of %zu bytes, is too long for the name of a folder", column, value,
                          strlen(value));
        if (st < 0 || (st = pen_buf_put(&path, name, strlen(name), err)) < 0 || (st = pen_buf_put(&path, "=", 1, err)) < 0)
            break;
        st = value ? pen_buf_put(&path, level, strlen(level), err) : pen_buf_put(&path, PEN_NULL_PARTITION, strlen(PEN_NULL_PARTITION), err);
        if (st >= 0)
            st = pen_buf_put(&path, "/", 1, err);
    }
    snprintf(level, sizeof level, "%s-%05llu.parquet", f->prefix, (unsigned long long)o->number);
    if (st >= 0)
        st = pen_buf_put(&path, level, strlen(level) + 1, err);
    if (st < 0)
        pen_buf_free(&path);
    o->file.path = (char *)path.p;
    return st;
}

static pen_status begin_file(struct pen_files *f, struct open_file *o, struct pen_error *err)
{
    char url[4096];
    pen_status st;
    o->number = f->number++;
    if ((st = make_path(f, o, err)) < 0 || (st = pen_url_join(url, sizeof url, f->url, o->file.path, err)) < 0 ||
        (st = pen_upload_open(f->host, &o->upload, url, PEN_PUT_IF_ABSENT | (f->options.fsync ? 0 : PEN_PUT_NO_FSYNC), err)) < 0)
        return st;
    return pen_parquet_writer_new(&o->file.writer, &f->data, &f->options.parquet, to_upload, o->upload, err);
}

/* Ends a file; it moves from the open to the finished ones. */
static pen_status end_file(struct pen_files *f, struct open_file *o, struct pen_error *err)
{
    struct finished done = { .number = o->number };
    pen_put_outcome outcome = PEN_PUT_DONE;
    pen_status st = pen_failpoint("files.before-close", err);
    if (st < 0 || (st = pen_parquet_writer_close(o->file.writer, err)) < 0)
        return st;
    o->file.rows = pen_parquet_writer_rows(o->file.writer);
    o->file.size = pen_parquet_writer_size(o->file.writer);
    st = f->options.mode == PEN_FILES_TOKEN ? pen_upload_stage(&o->upload, &o->file.token, err)
                                            : pen_upload_close(&o->upload, &outcome, err);
    if (st >= 0 && outcome != PEN_PUT_DONE)
        st = pen_fail(err, PEN_FATAL, "%s/%s: %s", f->url, o->file.path,
                      outcome == PEN_PUT_EXISTS ? "there is a file of that name already" : "it is not known whether it was written");
    if (st < 0)
        return st;
    f->written += o->file.size;
    done.file = o->file;
    if ((st = pen_buf_reserve(&f->finished, sizeof done, err)) < 0)
        return st;
    memset(&o->file, 0, sizeof o->file);
    open_file_fini(o);
    f->n_open--;
    *o = f->open[f->n_open];
    return pen_buf_put(&f->finished, &done, sizeof done, err);
}

/* -- choosing ----------------------------------------------------------------------------------------------------------------- */

/* The open file for a key; makes room by ending the one that was used least recently. */
static pen_status file_for(struct pen_files *f, const char *key, size_t n, struct open_file **out, struct pen_error *err)
{
    struct open_file *o, *oldest = f->open;
    pen_status st;
    for (size_t i = 0; i < f->n_open; i++) {
        o = &f->open[i];
        if (o->key_n == n && memcmp(o->key, key, n) == 0) {
            o->used = ++f->clock;
            *out = o;
            return PEN_OK;
        }
        if (o->used < oldest->used)
            oldest = o;
    }
    if (f->n_open == f->options.max_open_files && (st = end_file(f, oldest, err)) < 0)
        return st;
    o = &f->open[f->n_open];
    memset(o, 0, sizeof *o);
    o->key = malloc(n + 1);
    if (!o->key)
        return pen_fail(err, PEN_FATAL, "out of memory");
    memcpy(o->key, key, n);
    o->key[n] = 0;
    o->key_n = n;
    o->used = ++f->clock;
    if ((st = begin_file(f, o, err)) < 0) {
        open_file_fini(o);
        return st;
    }
    f->n_open++;
    *out = o;
    return PEN_OK;
}

static pen_status write_rows(struct pen_files *f, const char *key, size_t n, const struct ArrowArray *rows, struct pen_error *err)
{
    struct open_file *o = NULL;
    pen_status st = file_for(f, key, n, &o, err);
    if (st < 0 || (st = pen_parquet_writer_batch(o->file.writer, rows, err)) < 0)
        return st;
    return pen_parquet_writer_size(o->file.writer) >= f->options.target_file_size ? end_file(f, o, err) : PEN_OK;
}

/* Rows of a batch that share a key. */
struct group {
    size_t key, key_n;     /* in f->keys */
    int64_t rows, at;      /* how many; where they begin among the sorted */
};

/* Appends the key of a row to f->key. */
static pen_status row_key(struct pen_files *f, const struct ArrowArray *batch, int64_t row, struct pen_error *err)
{
    f->key.n = 0;
    for (size_t i = 0; i < f->n_keys; i++) {
        int64_t c = f->key_columns[i];
        size_t at = f->key.n;
        bool null;
        pen_status st = pen_buf_put(&f->key, "", 1, err);
        if (st < 0 || (st = pen_partition_text(f->schema.children[c], batch->children[c], row + batch->offset, &f->key, &null, err)) < 0)
            return st;
        if (!null && memchr(f->key.p + at + 1, 0, f->key.n - at - 1))
            return pen_fail(err, PEN_BADDATA, "partition column %s: a value holds a zero byte", f->schema.children[c]->name);
        if (null)
            f->key.n = at;
        if ((st = pen_buf_put(&f->key, null ? "\1" : "", 1, err)) < 0)
            return st;
    }
    return PEN_OK;
}

/* Finds the group of f->key, or adds it; the last one is looked at first. */
static pen_status find_group(struct pen_files *f, size_t *last, struct pen_error *err)
{
    struct group g = { .key = f->keys.n, .key_n = f->key.n }, *all = (struct group *)(void *)f->groups.p;
    size_t n = f->groups.n / sizeof g;
    pen_status st;
    for (size_t i = 0; i < n; i++) {
        size_t k = (*last + i) % n;
        if (all[k].key_n == f->key.n && memcmp(f->keys.p + all[k].key, f->key.p, f->key.n) == 0) {
            *last = k;
            return PEN_OK;
        }
    }
    *last = n;
    if ((st = pen_buf_put(&f->keys, f->key.p, f->key.n, err)) < 0)
        return st;
    return pen_buf_put(&f->groups, &g, sizeof g, err);
}

/* Sorts the rows of a batch by group: *index holds them group after group. The caller frees it. */
static pen_status group_rows(struct pen_files *f, const struct ArrowArray *batch, int64_t **index, struct pen_error *err)
{
    size_t rows = (size_t)batch->length, last = 0;
    int64_t *sorted = malloc((rows * 2 + 1) * sizeof *sorted), *of = sorted ? sorted + rows : NULL, at = 0;
    struct group *g;
    *index = sorted;
    f->keys.n = f->groups.n = 0;
    if (!sorted)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < rows; i++) {
        pen_status st = row_key(f, batch, (int64_t)i, err);
        if (st < 0 || (st = find_group(f, &last, err)) < 0)
            return st;
        of[i] = (int64_t)last;
        ((struct group *)(void *)f->groups.p)[last].rows++;
    }
    g = (struct group *)(void *)f->groups.p;
    for (size_t k = 0; k < f->groups.n / sizeof *g; k++) {
        g[k].at = at;
        at += g[k].rows;
        g[k].rows = 0;
    }
    for (size_t i = 0; i < rows; i++) {
        struct group *to = &g[of[i]];
        sorted[to->at + to->rows++] = (int64_t)i;
    }
    return PEN_OK;
}

static pen_status write_groups(struct pen_files *f, const struct ArrowArray *batch, struct pen_error *err)
{
    int64_t *index;
    pen_status st = group_rows(f, batch, &index, err);
    size_t n = f->groups.n / sizeof(struct group);
    for (size_t k = 0; k < n && st >= 0; k++) {
        const struct group *g = (const struct group *)(const void *)f->groups.p + k;
        const char *key = (const char *)f->keys.p + g->key;
        struct ArrowArray rows;
        if (n == 1) {
            st = write_rows(f, key, g->key_n, f->view, err);
        } else if ((st = pen_array_take(&rows, &f->data, f->view, index + g->at, g->rows, err)) >= 0) {
            st = write_rows(f, key, g->key_n, &rows, err);
            pen_array_release(&rows);
        }
    }
    free(index);
    return st;
}

pen_status pen_files_write(struct pen_files *f, const struct ArrowArray *batch, struct pen_error *err)
{
    pen_status st;
    if (batch->length == 0)
        return PEN_OK;
    f->view->length = batch->length;
    f->view->offset = batch->offset;
    for (int64_t i = 0; i < f->data.n_children; i++)
        f->view->children[i] = batch->children[f->data_columns[i]];
    st = f->n_keys ? write_groups(f, batch, err) : write_rows(f, "", 0, f->view, err);
    if (st < 0)
        pen_files_abandon(f);
    return st;
}

/* -- the end of a plan -------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const struct finished *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

pen_status pen_files_stage(struct pen_files *f, struct pen_file **out, size_t *n, struct pen_error *err)
{
    pen_status st = PEN_OK;
    struct finished *done;
    *out = NULL;
    *n = 0;
    while (f->n_open && st >= 0)
        st = end_file(f, &f->open[f->n_open - 1], err);
    *n = f->finished.n / sizeof *done;
    if (st >= 0 && !(*out = calloc(*n + 1, sizeof **out)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    if (st < 0) {
        *n = 0;
        pen_files_abandon(f);
        if (st == PEN_RETRY && err) /* not from here: the rows are gone */
            err->code = PEN_FATAL;
        return st == PEN_RETRY ? PEN_FATAL : st;
    }
    done = (struct finished *)(void *)f->finished.p;
    if (*n)
        qsort(done, *n, sizeof *done, by_number);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = done[i].file;
    f->finished.n = 0;
    f->written = 0;
    return PEN_OK;
}

static void discard_file(const struct pen_host *host, const char *url, const struct pen_file *file)
{
    char full[4096];
    struct pen_error why = { 0 };
    pen_status st;
    if (file->token)
        st = pen_store_discard(host, file->token, &why);
    else if ((st = pen_url_join(full, sizeof full, url, file->path, &why)) >= 0)
        st = pen_store_remove(host, full, &why);
    if (st < 0)
        pen_log(host, PEN_LOG_WARN, "%s/%s stays behind: %s", url, file->path, why.msg);
}

void pen_files_abandon(struct pen_files *f)
{
    struct finished *done = (struct finished *)(void *)f->finished.p;
    for (size_t i = 0; i < f->n_open; i++)
        open_file_fini(&f->open[i]);
    f->n_open = 0;
    for (size_t i = 0; i < f->finished.n / sizeof *done; i++) {
        discard_file(f->host, f->url, &done[i].file);
        file_fini(&done[i].file);
    }
    f->finished.n = 0;
    f->written = 0;
}

void pen_files_discard(const struct pen_host *host, const char *url, const struct pen_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        discard_file(host, url, &files[i]);
}

void pen_file_list_free(struct pen_file **files, size_t n)
{
    for (size_t i = 0; *files && i < n; i++)
        file_fini(&(*files)[i]);
    free(*files);
    *files = NULL;
}

size_t pen_files_held(const struct pen_files *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_open; i++)
        n += pen_parquet_writer_held(f->open[i].file.writer);
    return n + pen_parquet_shared_held(f->options.parquet.shared) + f->key.cap + f->keys.cap + f->groups.cap + f->finished.cap;
}

int64_t pen_files_written(const struct pen_files *f)
{
    int64_t n = f->written;
    for (size_t i = 0; i < f->n_open; i++)
        n += pen_parquet_writer_size(f->open[i].file.writer);
    return n;
}

/* -- beginning and end -------------------------------------------------------------------------------------------------------- */

void pen_files_free(struct pen_files **out)
{
    struct pen_files *f = *out;
    if (!f)
        return;
    pen_files_abandon(f);
    free(f->open);
    free(f->url);
    free(f->prefix);
    free(f->data_columns);
    free(f->key_columns);
    free(f->data.children);
    if (f->view)
        free(f->view->children);
    free(f->view);
    pen_parquet_shared_free(&f->options.parquet.shared);
    pen_buf_free(&f->finished);
    pen_buf_free(&f->key);
    pen_buf_free(&f->keys);
    pen_buf_free(&f->groups);
    pen_schema_release(&f->schema);
    free(f);
    *out = NULL;
}

/* Parts the columns: those that make folders, those that go into files. */
static pen_status part_columns(struct pen_files *f, const struct pen_files_options *o, struct pen_error *err)
{
    pen_status st;
    for (size_t i = 0; i < o->n_partition_by; i++) {
        int64_t c = pen_schema_find(&f->schema, o->partition_by[i]);
        if (c < 0)
            return pen_fail(err, PEN_BADCONF, "partition_by: there is no column %s", o->partition_by[i]);
        if ((st = pen_partition_check(f->schema.children[c], err)) < 0)
            return st;
        for (size_t k = 0; k < i; k++)
            if (f->key_columns[k] == c)
                return pen_fail(err, PEN_BADCONF, "partition_by names column %s twice", o->partition_by[i]);
        f->key_columns[i] = c;
        f->n_keys++;
    }
    for (int64_t c = 0; c < f->schema.n_children; c++) {
        bool key = false;
        for (size_t k = 0; k < f->n_keys; k++)
            key |= f->key_columns[k] == c;
        if (key)
            continue;
        f->data_columns[f->data.n_children] = c;
        f->data.children[f->data.n_children++] = f->schema.children[c];
    }
    f->view->n_children = f->data.n_children;
    return f->data.n_children ? PEN_OK : pen_fail(err, PEN_BADCONF, "partition_by leaves no column for the files themselves");
}

pen_status pen_files_new(struct pen_files **out, const struct pen_host *host, const struct ArrowSchema *schema,
                         const struct pen_files_options *o, struct pen_error *err)
{
    struct pen_files *f = calloc(1, sizeof *f);
    size_t n = (size_t)schema->n_children;
    static const void *no_validity[1];
    pen_status st = PEN_OK;
    *out = NULL;
    if (!f)
        return pen_fail(err, PEN_FATAL, "out of memory");
    f->host = host;
    f->options = *o;
    f->options.parquet.shared = NULL;
    if (!f->options.max_open_files)
        f->options.max_open_files = DEFAULT_OPEN;
    f->url = strdup(o->url);
    f->prefix = strdup(o->prefix);
    f->view = calloc(1, sizeof *f->view);
    f->open = calloc(f->options.max_open_files, sizeof *f->open);
    f->data_columns = calloc(n + 1, sizeof *f->data_columns);
    f->key_columns = calloc(o->n_partition_by + 1, sizeof *f->key_columns);
    f->data.children = calloc(n + 1, sizeof *f->data.children);
    if (f->view)
        f->view->children = calloc(n + 1, sizeof *f->view->children);
    if (!f->url || !f->prefix || !f->view || !f->view->children || !f->open || !f->data_columns || !f->key_columns || !f->data.children)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    if (st >= 0)
        st = pen_schema_copy(&f->schema, schema, err);
    if (st >= 0) {
        f->data.format = "+s";
        f->data.name = "";
        f->view->n_buffers = 1;
        f->view->buffers = no_validity;
        st = part_columns(f, o, err);
    }
    if (st >= 0) {
        st = pen_parquet_shared_new(&f->options.parquet.shared, &f->data, &o->parquet.compression, err);
    }
    if (st < 0)
        pen_files_free(&f);
    *out = f;
    return st;
}
