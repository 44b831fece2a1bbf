/* admin.c - the verbs of `penstock transport`: list, describe, forget. They look; only forget changes something.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"

struct forget {
    const char *reader;
};

static pen_status open_url(struct journal **j, const char *url, const struct pen_host *host, struct pen_error *err)
{
    struct options o = { .path = url };
    return journal_open(j, &o, host, false, err);
}

static pen_status open_known(struct journal **j, const char *url, const struct pen_host *host, struct pen_error *err)
{
    pen_status st = open_url(j, url, host, err);
    return st == PEN_SKIP ? pen_fail(err, PEN_FATAL, "journal %s: there is none", url) : st;
}

static void put_text(struct pen_builder *b, size_t column, const char *text)
{
    pen_builder_bytes_value(pen_builder_child(b, column), text, strlen(text));
}
static void put_number(struct pen_builder *b, size_t column, uint64_t v)
{
    pen_builder_int64(pen_builder_child(b, column), (int64_t)v);
}

static pen_status begin(struct ArrowSchema *schema, const char *const *pairs, struct pen_builder **b, struct pen_error *err)
{
    pen_status st = pen_schema_from_pairs(schema, pairs, err);
    *b = NULL;
    if (st == PEN_OK && (st = pen_builder_new(b, schema, err)) < 0)
        pen_schema_release(schema);
    return st;
}
static pen_status end(struct ArrowSchema *schema, struct pen_builder **b, pen_status st, struct ArrowArray *batch, struct pen_error *err)
{
    if (st >= 0)
        st = pen_builder_finish(*b, batch, err);
    pen_builder_free(b);
    if (st < 0)
        pen_schema_release(schema);
    return st;
}

static uint64_t bytes_held(const struct journal *j, uint32_t partition, uint64_t *files)
{
    uint64_t sum = 0;
    *files = 0;
    for (size_t i = 0; i < j->n_segments; i++)
        if (j->segments[i]->is.partition == partition) {
            sum += j->segments[i]->is.committed;
            ++*files;
        }
    return sum;
}

/* -- list -------------------------------------------------------------------------------------------------------------------------------- */

static const char *const list_columns[] = { "!u", "path", "!u", "id", "!l", "partitions", "!l", "records", "!l", "bytes", NULL };

static void list_row(struct pen_builder *b, const struct journal *j)
{
    uint64_t bytes = 0, files;
    for (uint32_t p = 0; p < j->partitions; p++)
        bytes += bytes_held(j, p, &files);
    put_text(b, 0, j->path);
    put_text(b, 1, j->id_text);
    put_number(b, 2, j->partitions);
    put_number(b, 3, journal_records(j));
    put_number(b, 4, bytes);
    pen_builder_end_struct(b);
}

static pen_status list_one(const char *path, const struct pen_host *host, struct pen_builder *b, struct pen_error *err)
{
    struct journal *j;
    pen_status st = open_url(&j, path, host, err);
    if (st == PEN_OK) {
        list_row(b, j);
        journal_close(&j);
    }
    return st;
}

static pen_status list_below(const char *url, const struct pen_host *host, struct pen_builder *b, struct pen_error *err)
{
    struct dirent **names;
    pen_status st = PEN_OK;
    int n = scandir(url, &names, NULL, alphasort);
    if (n < 0)
        return pen_fail(err, PEN_FATAL, "cannot list %s: %s", url, strerror(errno));
    for (int i = 0; i < n; i++) {
        char path[4096];
        if (st >= 0 && names[i]->d_name[0] != '.' && (names[i]->d_type == DT_DIR || names[i]->d_type == DT_UNKNOWN) &&
            (st = pen_url_join(path, sizeof path, url, names[i]->d_name, err)) == PEN_OK)
            st = list_one(path, host, b, err);
        free(names[i]);
    }
    free(names);
    return st;
}

static pen_status run_list(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                           struct ArrowArray *batch, struct pen_error *err)
{
    struct pen_builder *b;
    pen_status st = begin(schema, list_columns, &b, err);
    (void)ctx, (void)stage;
    if (st < 0)
        return st;
    st = list_one(url, host, b, err);
    if (st == PEN_SKIP)
        st = list_below(url, host, b, err);
    return end(schema, &b, st, batch, err);
}

/* -- describe ------------------------------------------------------------------------------------------------------------------------------ */

static const char *const describe_columns[] = { "!l", "partition", "u", "reader", "!l", "oldest", "!l", "end", "l", "settled", "l", "behind",
                                                "!l", "files", "!l", "bytes", NULL };
struct describe {
    struct journal *j;
    struct pen_builder *b;
    bool any;
};
static void describe_row(struct describe *d, uint32_t p, const char *reader, uint64_t settled)
{
    uint64_t files, bytes = bytes_held(d->j, p, &files), end_of = d->j->end[p];
    put_number(d->b, 0, p);
    if (reader)
        put_text(d->b, 1, reader);
    else
        pen_builder_null(pen_builder_child(d->b, 1));
    put_number(d->b, 2, d->j->oldest[p]);
    put_number(d->b, 3, end_of);
    if (reader) {
        put_number(d->b, 4, settled);
        put_number(d->b, 5, settled < end_of ? end_of - settled : 0);
    } else {
        pen_builder_null(pen_builder_child(d->b, 4));
        pen_builder_null(pen_builder_child(d->b, 5));
    }
    put_number(d->b, 6, files);
    put_number(d->b, 7, bytes);
    pen_builder_end_struct(d->b);
}
static pen_status describe_reader(void *arg, const char *name, const uint64_t settled[JF_PARTITIONS], struct pen_error *err)
{
    struct describe *d = arg;
    (void)err;
    d->any = true;
    for (uint32_t p = 0; p < d->j->partitions; p++)
        describe_row(d, p, name, settled[p]);
    return PEN_OK;
}

static pen_status run_describe(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                               struct ArrowArray *batch, struct pen_error *err)
{
    struct describe d = { .any = false };
    pen_status st = open_known(&d.j, url, host, err);
    (void)ctx, (void)stage;
    if (st != PEN_OK)
        return st;
    st = begin(schema, describe_columns, &d.b, err);
    if (st == PEN_OK) {
        st = reader_each(d.j, describe_reader, &d, err);
        for (uint32_t p = 0; p < d.j->partitions && !d.any && st >= 0; p++)
            describe_row(&d, p, NULL, 0);
        st = end(schema, &d.b, st, batch, err);
    }
    journal_close(&d.j);
    return st;
}

/* -- forget ---------------------------------------------------------------------------------------------------------------------------------- */

static const struct pen_option forget_options[] = {
    { "reader", PEN_OPT_STRING, offsetof(struct forget, reader), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "The reader that will not come back; what only it has not settled may then be removed." },
    { .name = NULL }
};
static const char *const forget_columns[] = { "!u", "path", "!u", "forgotten", NULL };

static pen_status run_forget(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                             struct ArrowArray *batch, struct pen_error *err)
{
    struct forget *f = ctx;
    struct journal *j;
    struct pen_builder *b;
    pen_status st = open_known(&j, url, host, err);
    (void)stage;
    if (st != PEN_OK)
        return st;
    st = reader_forget(j, f->reader, err);
    if (st == PEN_SKIP)
        st = pen_fail(err, PEN_FATAL, "journal %s: no reader %s is registered", url, f->reader);
    journal_close(&j);
    if (st == PEN_OK && (st = begin(schema, forget_columns, &b, err)) == PEN_OK) {
        put_text(b, 0, url);
        put_text(b, 1, f->reader);
        pen_builder_end_struct(b);
        st = end(schema, &b, st, batch, err);
    }
    return st;
}

const struct pen_verb journal_verbs[] = {
    { "transport", "list", "journals in a folder: id, partitions, records, bytes", 0, NULL, run_list, false },
    { "transport", "describe", "a journal's partitions and how far each registered reader is", 0, NULL, run_describe, false },
    { "transport", "forget", "takes a reader that is gone for good off the list", sizeof(struct forget), forget_options, run_forget, false },
    { .name = NULL }
};
