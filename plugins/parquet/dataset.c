/* dataset.c - a file, or the Parquet files below a folder, with the columns that the folders' names hold.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "partition.h"
#include "plugin.h"

/* -- listing ------------------------------------------------------------------------------------------------------------------ */

static bool ends_in_parquet(const char *name)
{
    size_t n = strlen(name);
    return n > 8 && strcmp(name + n - 8, ".parquet") == 0;
}

/* Whether a level of the path hides what lies there. A level `_x=1` is a partition. */
static bool is_hidden(const char *name)
{
    for (const char *p = name; p; p = strchr(p, '/')) {
        const char *end;
        p += *p == '/';
        end = strchrnul(p, '/');
        if ((*p == '_' || *p == '.') && !memchr(p, '=', (size_t)(end - p)))
            return true;
    }
    return false;
}

static pen_status add_file(struct dataset *d, const char *url, const struct pen_object *o, const char *name, struct pen_error *err)
{
    struct dataset_file *f;
    if (d->n == d->room) {
        size_t room = d->room ? d->room * 2 : 16;
        f = realloc(d->files, room * sizeof *f);
        if (!f)
            return pen_fail(err, PEN_FATAL, "out of memory");
        d->files = f;
        d->room = room;
    }
    f = &d->files[d->n];
    memset(f, 0, sizeof *f);
    f->size = o->size;
    memcpy(f->tag, o->tag, sizeof f->tag);
    f->url = strdup(url);
    f->name = strdup(name);
    d->n++;
    return f->url && f->name ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

static pen_status each(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct dataset *d = arg;
    char url[4096];
    pen_status st;
    if (!ends_in_parquet(o->name) || is_hidden(o->name))
        return PEN_OK;
    if ((st = pen_url_join(url, sizeof url, d->url, o->name, err)) < 0)
        return st;
    return add_file(d, url, o, o->name, err);
}

/* -- Hive levels -------------------------------------------------------------------------------------------------------------- */

/* A piece of a path without its percent escapes; malloc'ed. */
static char *unescape(const char *p, size_t n)
{
    char *out = malloc(n + 1), *to = out;
    for (size_t i = 0; out && i < n; i++) {
        unsigned byte;
        int used = 0;
        if (p[i] == '%' && n - i > 2 && sscanf(p + i + 1, "%2x%n", &byte, &used) == 1 && used == 2 && byte) {
            *to++ = (char)byte;
            i += 2;
        } else {
            *to++ = p[i];
        }
    }
    if (out)
        *to = 0;
    return out;
}

/* Calls for each level NAME=VALUE of a file's name; without `values` counts and names the keys. */
static pen_status read_levels(struct dataset *d, struct dataset_file *f, bool name_keys, struct pen_error *err)
{
    size_t k = 0;
    for (const char *p = f->name, *end; (end = strchr(p, '/')) != NULL; p = end + 1) {
        const char *eq = memchr(p, '=', (size_t)(end - p));
        char *key, *value;
        if (!eq)
            continue;
        key = unescape(p, (size_t)(eq - p));
        value = unescape(eq + 1, (size_t)(end - eq - 1));
        if (key && value && name_keys) {
            d->keys[d->n_keys++] = key;
            key = NULL;
        }
        if (!value || (!name_keys && !key) || (!name_keys && (k >= d->n_keys || strcmp(d->keys[k], key) != 0))) {
            bool memory = value && key;
            free(key);
            free(value);
            return memory ? pen_fail(err, PEN_FATAL, "%s: its folders do not name the same columns as those of %s", f->url, d->files[0].name)
                          : pen_fail(err, PEN_FATAL, "out of memory");
        }
        free(key);
        if (strcmp(value, PEN_NULL_PARTITION) == 0 || !*value || name_keys) {
            free(value);
            value = NULL;
        }
        if (!name_keys)
            f->values[k] = value;
        k++;
    }
    return !name_keys && k < d->n_keys ? pen_fail(err, PEN_FATAL, "%s: its folders do not name the same columns as those of %s", f->url,
                                                  d->files[0].name)
                                       : PEN_OK;
}

static size_t count_levels(const char *name)
{
    size_t n = 0;
    for (; (name = strchr(name, '/')) != NULL; name++)
        n++;
    return n;
}

static pen_status read_keys(struct dataset *d, struct pen_error *err)
{
    pen_status st;
    if (d->single || d->n == 0)
        return PEN_OK;
    d->keys = calloc(count_levels(d->files[0].name) + 1, sizeof *d->keys);
    if (!d->keys)
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = read_levels(d, &d->files[0], true, err);
    for (size_t i = 0; i < d->n && st >= 0; i++) {
        d->files[i].values = calloc(d->n_keys + 1, sizeof *d->files[i].values);
        st = d->files[i].values ? read_levels(d, &d->files[i], false, err) : pen_fail(err, PEN_FATAL, "out of memory");
    }
    return st;
}

/* Whether every value of key k is one of this type. */
static pen_status all_are(const struct dataset *d, size_t k, const char *format, bool *yes, struct pen_error *err)
{
    struct ArrowSchema field = { 0 };
    struct pen_builder *b = NULL;
    pen_status st = pen_schema_init_field(&field, format, d->keys[k], ARROW_FLAG_NULLABLE, 0, err);
    *yes = true;
    if (st >= 0)
        st = pen_builder_new(&b, &field, err);
    for (size_t i = 0; i < d->n && st >= 0 && *yes; i++)
        *yes = !d->files[i].values[k] || pen_partition_parse(&field, d->files[i].values[k], b, NULL) >= 0;
    pen_builder_free(&b);
    pen_schema_release(&field);
    return st;
}

static const char *key_format(const struct dataset *d, size_t k, pen_status *st, struct pen_error *err)
{
    bool yes = false;
    if ((*st = all_are(d, k, "l", &yes, err)) < 0 || yes)
        return "l";
    if ((*st = all_are(d, k, "tdD", &yes, err)) < 0 || yes)
        return "tdD";
    return "u";
}

/* -- schema ------------------------------------------------------------------------------------------------------------------- */

static pen_status read_bytes(void *arg, int64_t offset, void *bytes, size_t n, struct pen_error *err)
{
    const struct dataset_scan *s = arg;
    size_t done = 0;
    while (done < n) {
        size_t got = 0;
        pen_status st = pen_store_read(s->dataset->host, s->file->url, offset + (int64_t)done, (char *)bytes + done, n - done, &got, err);
        if (st < 0)
            return st;
        if (st == PEN_SKIP || got == 0)
            return pen_fail(err, PEN_FATAL, st == PEN_SKIP ? "it is gone" : "it has become shorter while it was read");
        done += got;
    }
    return PEN_OK;
}

static pen_status open_reader(struct dataset_scan *s, const struct dataset *d, size_t file, struct pen_error *err)
{
    struct pen_parquet_input in = { .name = d->files[file].url, .size = d->files[file].size, .read = read_bytes, .arg = s };
    s->dataset = d;
    s->file = &d->files[file];
    return pen_parquet_reader_open(&s->reader, &in, err);
}

/* Levels that name a column of the file's own: that says the same, and in full. */
static void drop_own_keys(struct dataset *d, const struct ArrowSchema *own)
{
    for (size_t k = 0; k < d->n_keys;) {
        if (pen_schema_find(own, d->keys[k]) < 0) {
            k++;
            continue;
        }
        free(d->keys[k]);
        memmove(&d->keys[k], &d->keys[k + 1], (d->n_keys - k - 1) * sizeof *d->keys);
        for (size_t i = 0; i < d->n; i++) {
            free(d->files[i].values[k]);
            memmove(&d->files[i].values[k], &d->files[i].values[k + 1], (d->n_keys - k - 1) * sizeof *d->files[i].values);
        }
        d->n_keys--;
    }
}

static pen_status make_schema(struct dataset *d, struct pen_error *err)
{
    struct dataset_scan s = { 0 };
    const struct ArrowSchema *own;
    pen_status st;
    if (d->n == 0)
        return PEN_OK;
    if ((st = open_reader(&s, d, 0, err)) < 0)
        return st;
    own = pen_parquet_reader_schema(s.reader);
    d->raw = pen_schema_is_raw(own);
    drop_own_keys(d, own);
    st = pen_schema_init_struct(&d->schema, "", (size_t)own->n_children + d->n_keys, err);
    for (int64_t i = 0; i < own->n_children && st >= 0; i++)
        st = pen_schema_copy(d->schema.children[i], own->children[i], err);
    for (size_t k = 0; k < d->n_keys && st >= 0; k++) {
        const char *format = key_format(d, k, &st, err);
        if (st >= 0)
            st = pen_schema_init_field(d->schema.children[(size_t)own->n_children + k], format, d->keys[k], ARROW_FLAG_NULLABLE, 0, err);
    }
    pen_parquet_reader_free(&s.reader);
    return st;
}

pen_status dataset_open(struct dataset *d, const struct pen_host *host, const char *url, struct pen_error *err)
{
    struct pen_object o;
    const char *slash = strrchr(url, '/');
    pen_status st;
    memset(d, 0, sizeof *d);
    d->host = host;
    d->url = strdup(url);
    if (!d->url)
        return pen_fail(err, PEN_FATAL, "out of memory");
    d->single = ends_in_parquet(url);
    if (d->single && (st = pen_store_head(host, url, &o, err)) != PEN_SKIP)
        st = st < 0 ? st : add_file(d, url, &o, slash ? slash + 1 : url, err);
    else {
        d->single = false;
        st = pen_store_list(host, url, NULL, true, each, d, err);
    }
    if (st >= 0 && (st = read_keys(d, err)) >= 0)
        st = make_schema(d, err);
    if (st < 0)
        dataset_fini(d);
    return st < 0 ? st : d->n ? PEN_OK : PEN_SKIP;
}

void dataset_fini(struct dataset *d)
{
    for (size_t i = 0; i < d->n; i++) {
        for (size_t k = 0; d->files[i].values && k < d->n_keys; k++)
            free(d->files[i].values[k]);
        free(d->files[i].values);
        free(d->files[i].url);
        free(d->files[i].name);
    }
    for (size_t k = 0; k < d->n_keys; k++)
        free(d->keys[k]);
    free(d->keys);
    free(d->files);
    free(d->url);
    pen_schema_release(&d->schema);
    memset(d, 0, sizeof *d);
}

/* -- rows --------------------------------------------------------------------------------------------------------------------- */

static pen_status check_columns(const struct dataset_scan *s, int64_t n_own, struct pen_error *err)
{
    const struct ArrowSchema *own = pen_parquet_reader_schema(s->reader);
    struct ArrowSchema expected = s->dataset->schema; /* a view of its first columns */
    expected.n_children = n_own;
    if (pen_schema_equal(own, &expected))
        return PEN_OK;
    return pen_fail(err, PEN_FATAL, "%s: its columns are not those of %s", s->file->url, s->dataset->files[0].url);
}

pen_status dataset_scan_open(struct dataset_scan *s, const struct dataset *d, size_t file, const int64_t *columns, size_t n,
                             struct pen_error *err)
{
    int64_t n_own = d->schema.n_children - (int64_t)d->n_keys;
    pen_status st;
    memset(s, 0, sizeof *s);
    if ((st = open_reader(s, d, file, err)) < 0)
        return st;
    s->columns = calloc(n + 1, sizeof *s->columns);
    s->own = calloc(n + 1, sizeof *s->own);
    if (!s->columns || !s->own)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    else
        st = check_columns(s, n_own, err);
    s->n = n;
    for (size_t i = 0; i < n && st >= 0; i++) {
        s->columns[i] = columns[i];
        if (columns[i] < n_own)
            s->own[s->n_own++] = columns[i];
    }
    if (st >= 0)
        st = pen_parquet_reader_select(s->reader, s->own, s->n_own, err);
    if (st < 0)
        dataset_scan_close(s);
    return st;
}

/* A column that has the folder's value in every row. */
static pen_status key_column(const struct dataset_scan *s, int64_t column, int64_t rows, struct ArrowArray *out, struct pen_error *err)
{
    const struct ArrowSchema *field = s->dataset->schema.children[column];
    size_t k = (size_t)column - (size_t)(s->dataset->schema.n_children - (int64_t)s->dataset->n_keys);
    struct pen_builder *b;
    pen_status st = pen_builder_new(&b, field, err);
    for (int64_t i = 0; i < rows && st >= 0; i++)
        st = pen_partition_parse(field, s->file->values[k], b, err);
    if (st >= 0)
        st = pen_builder_finish(b, out, err);
    pen_builder_free(&b);
    return st;
}

pen_status dataset_scan_next(struct dataset_scan *s, int64_t max_rows, struct ArrowArray *out, struct pen_error *err)
{
    struct ArrowArray own, *columns;
    int64_t n_own = s->dataset->schema.n_children - (int64_t)s->dataset->n_keys;
    size_t next = 0;
    pen_status st = pen_parquet_reader_next(s->reader, max_rows, &own, err);
    if (st != PEN_OK || s->n == s->n_own) {
        *out = own;
        return st;
    }
    columns = calloc(s->n + 1, sizeof *columns);
    if (!columns)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < s->n && st >= 0; i++) {
        if (s->columns[i] >= n_own) {
            st = key_column(s, s->columns[i], own.length, &columns[i], err);
        } else {
            columns[i] = *own.children[next];
            own.children[next++]->release = NULL;
        }
    }
    if (st >= 0)
        st = pen_batch_from_columns(out, columns, s->n, err);
    for (size_t i = 0; columns && i < s->n; i++)
        if (columns[i].release)
            columns[i].release(&columns[i]);
    free(columns);
    own.release(&own);
    return st;
}

void dataset_scan_close(struct dataset_scan *s)
{
    pen_parquet_reader_free(&s->reader);
    free(s->columns);
    free(s->own);
    memset(s, 0, sizeof *s);
}
