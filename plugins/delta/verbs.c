/* verbs.c - penstock table show, history and checkpoint. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "scan.h"
#include "schema.h"

struct no_options {
    char none;
};
static const struct pen_option no_options[] = { { .name = NULL } };

static void put(struct pen_builder *row, size_t i, const char *text)
{
    struct pen_builder *b = pen_builder_child(row, i);
    if (text)
        pen_builder_bytes_value(b, text, strlen(text));
    else
        pen_builder_null(b);
}

static void put_int(struct pen_builder *row, size_t i, int64_t v, int64_t none)
{
    struct pen_builder *b = pen_builder_child(row, i);
    if (v == none)
        pen_builder_null(b);
    else
        pen_builder_int64(b, v);
}

static pen_status begin(const char *const *pairs, struct ArrowSchema *schema, struct pen_builder **row, struct pen_error *err)
{
    pen_status st = pen_schema_from_pairs(schema, pairs, err);
    if (st < 0)
        return st;
    if ((st = pen_builder_new(row, schema, err)) < 0)
        pen_schema_release(schema);
    return st;
}

static pen_status end(pen_status st, struct ArrowSchema *schema, struct pen_builder **row, struct ArrowArray *batch, struct pen_error *err)
{
    if (st >= 0)
        st = pen_builder_finish(*row, batch, err);
    pen_builder_free(row);
    if (st < 0)
        pen_schema_release(schema);
    return st;
}

/* -- show ---------------------------------------------------------------------------------------------------------------------------- */

static void line(struct pen_builder *row, const char *what, const char *name, const char *value)
{
    put(row, 0, what);
    put(row, 1, name);
    put(row, 2, value);
    pen_builder_end_struct(row);
}

static void line_int(struct pen_builder *row, const char *what, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    line(row, what, NULL, value < 0 ? NULL : text);
}

static void show_columns(const struct delta_view *v, struct pen_builder *row)
{
    for (int64_t i = 0; i < v->schema.n_children; i++) {
        char type[256], name[128];
        const struct ArrowSchema *c = v->schema.children[i];
        snprintf(type, sizeof type, "%s%s", pen_schema_type_name(c, name, sizeof name), c->flags & ARROW_FLAG_NULLABLE ? "" : " not null");
        line(row, "column", c->name, type);
    }
}

static void show_lines(const struct delta_view *v, struct pen_builder *row)
{
    const struct delta_state *s = &v->state;
    char text[64];
    int64_t bytes = 0;
    for (size_t i = 0; i < v->n_live; i++)
        bytes += v->live[i]->size;
    line(row, "id", NULL, s->metadata.id);
    line_int(row, "version", s->version);
    line_int(row, "checkpoint", s->checkpoint);
    snprintf(text, sizeof text, "reader %lld, writer %lld", (long long)s->protocol.reader, (long long)s->protocol.writer);
    line(row, "protocol", NULL, text);
    line_int(row, "files", (int64_t)v->n_live);
    line_int(row, "rows", v->rows);
    line_int(row, "bytes", bytes);
    show_columns(v, row);
    for (size_t i = 0; i < s->metadata.partition_columns.n; i++)
        line(row, "partition", s->metadata.partition_columns.v[i], NULL);
    for (size_t i = 0; i < s->metadata.configuration.n; i++)
        line(row, "property", s->metadata.configuration.v[i].name, s->metadata.configuration.v[i].value);
    for (size_t i = 0; i < s->n_txns; i++) {
        snprintf(text, sizeof text, "%lld", (long long)s->txns[i].version);
        line(row, "txn", s->txns[i].app, text);
    }
}

static pen_status show_run(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                           struct ArrowArray *batch, struct pen_error *err)
{
    static const char *const pairs[] = { "!u", "what", "u", "name", "u", "value", NULL };
    struct delta_view v;
    struct pen_builder *row;
    (void)ctx, (void)stage;
    pen_status st = delta_view_open(&v, host, url, -1, err);
    if (st < 0)
        return st;
    if ((st = begin(pairs, schema, &row, err)) >= 0) {
        show_lines(&v, row);
        st = end(st, schema, &row, batch, err);
    }
    delta_view_close(&v);
    return st;
}

/* -- history -------------------------------------------------------------------------------------------------------------------------- */

struct entry {
    struct delta_commit_info info;
    int64_t added, removed, bytes;
};

static pen_status count(void *arg, int64_t version, int64_t index, const struct delta_action *a, struct pen_error *err)
{
    struct entry *e = arg;
    (void)version, (void)index, (void)err;
    if (a->kind == DELTA_COMMIT_INFO)
        e->info = a->u.info;
    e->added += a->kind == DELTA_ADD;
    e->removed += a->kind == DELTA_REMOVE;
    if (a->kind == DELTA_ADD)
        e->bytes += a->u.file.size;
    return PEN_OK;
}

static pen_status history_line(struct pen_builder *row, const struct pen_host *host, const char *url, const char *log, int64_t version, struct pen_error *err)
{
    struct delta_arena arena = { 0 };
    struct entry e = { .info = { .timestamp = INT64_MIN } };
    pen_status st = delta_entry_read(url, log, host, version, &arena, count, &e, err);
    if (st == PEN_OK) {
        put_int(row, 0, version, -1);
        put_int(row, 1, e.info.timestamp == INT64_MIN ? INT64_MIN : e.info.timestamp * 1000, INT64_MIN);
        put(row, 2, e.info.operation);
        put_int(row, 3, e.added, -1);
        put_int(row, 4, e.removed, -1);
        put_int(row, 5, e.bytes, -1);
        put(row, 6, e.info.engine);
        put(row, 7, e.info.plan);
        pen_builder_end_struct(row);
    }
    delta_arena_fini(&arena);
    return st;
}

struct history {
    int64_t limit;
};

static pen_status history_run(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                              struct ArrowArray *batch, struct pen_error *err)
{
    static const char *const pairs[] = { "!l", "version", "tsu:UTC", "time", "u", "operation", "l", "files_added", "l", "files_removed", "l", "bytes_added",
                                         "u", "engine", "u", "plan", NULL };
    const struct history *h = ctx;
    struct delta_state s;
    struct pen_builder *row;
    pen_status st = delta_state_init(&s, url, err);
    (void)stage;
    if (st >= 0)
        st = delta_state_load(&s, host, -1, err);
    if (st >= 0 && s.version < 0)
        st = pen_fail(err, PEN_BADCONF, "%s: there is no Delta table", url);
    if (st >= 0 && (st = begin(pairs, schema, &row, err)) >= 0) {
        for (int64_t v = s.version; st == PEN_OK && v >= 0 && s.version - v < h->limit; v--)
            st = history_line(row, host, url, s.log, v, err);
        st = end(st, schema, &row, batch, err);
    }
    delta_state_fini(&s);
    return st;
}

static const struct pen_option history_options[] = {
    { "limit", PEN_OPT_COUNT, offsetof(struct history, limit), "100", 1, INT64_C(1) << 40, NULL, 0, "How many of the newest versions are listed." },
    { .name = NULL },
};

/* -- checkpoint ----------------------------------------------------------------------------------------------------------------------- */

static pen_status checkpoint_run(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                                 struct ArrowArray *batch, struct pen_error *err)
{
    static const char *const pairs[] = { "!l", "version", "!l", "files", NULL };
    struct delta_state s;
    struct pen_builder *row;
    int64_t files = 0;
    (void)ctx, (void)stage;
    pen_status st = delta_state_init(&s, url, err);
    if (st >= 0)
        st = delta_state_load(&s, host, -1, err);
    if (st >= 0 && s.version < 0)
        st = pen_fail(err, PEN_BADCONF, "%s: there is no Delta table", url);
    if (st >= 0)
        st = delta_checkpoint_write(url, host, s.version, 0, &files, err);
    if (st >= 0 && (st = begin(pairs, schema, &row, err)) >= 0) {
        put_int(row, 0, s.version, -1);
        put_int(row, 1, files, -1);
        pen_builder_end_struct(row);
        st = end(st, schema, &row, batch, err);
    }
    delta_state_fini(&s);
    return st;
}

const struct pen_verb delta_verbs[] = {
    { "table", "show", "the table as it is now: version, schema, files, rows, properties, positions", sizeof(struct no_options), no_options, show_run, false },
    { "table", "history", "its newest versions, each with what it did", sizeof(struct history), history_options, history_run, false },
    { "table", "checkpoint", "writes a checkpoint of the newest version", sizeof(struct no_options), no_options, checkpoint_run, false },
    { .noun = NULL, .name = NULL },
};
