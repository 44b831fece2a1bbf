/* delta.c - the delta plugin: Delta tables as a sink, as a source, and for queries.
 *
 * A commit of the sink is one put-if-absent of the next log entry, with the files' adds and the positions behind them. See commit.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ends.h"
#include "stats.h"

/* -- the sink's life ------------------------------------------------------------------------------------------------------------------ */

/* A property that switches something on must be one that we honour: a table may not say more than its writer does. */
static pen_status check_properties(const struct delta_sink *d, struct pen_error *err)
{
    static const char *const known[] = { "appendOnly", "autoOptimize.autoCompact", "autoOptimize.optimizeWrite", "checkpoint.writeStatsAsJson",
                                         "checkpointInterval", "dataSkippingNumIndexedCols", "deletedFileRetentionDuration",
                                         "enableExpiredLogCleanup", "logRetentionDuration", "setTransactionRetentionDuration", "targetFileSize" };
    for (size_t i = 0; i < d->properties.n; i++) {
        const char *name = d->properties.names[i], *value = d->properties.values[i];
        bool found = strncmp(name, "delta.", 6) != 0;
        for (size_t k = 0; !found && k < sizeof known / sizeof *known; k++)
            found = strcmp(name + 6, known[k]) == 0;
        if (!found)
            return pen_fail(err, PEN_BADCONF, "properties.%s: this table property is not supported", name);
        if (strstr(name, "RetentionDuration") && strncmp(name, "delta.", 6) == 0 && delta_interval(value, -1) < 0)
            return pen_fail(err, PEN_BADCONF, "properties.%s = \"%s\": expected a duration like \"interval 30 days\"", name, value);
    }
    return PEN_OK;
}

static pen_status sink_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct delta_sink *d = ctx;
    d->host = host;
    d->clock_at = INT64_MIN;
    pen_status st = check_properties(d, err);
    return st < 0 ? st : delta_state_init(&d->state, d->path, err);
}

static void sink_stop(void *ctx)
{
    struct delta_sink *d = ctx;
    pen_schema_release(&d->in);
    delta_arena_fini(&d->arena);
    delta_text_fini(&d->expected);
    delta_state_fini(&d->state);
}

static pen_status sink_prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    struct delta_sink *d = ctx;
    pen_schema_release(&d->in);
    delta_arena_fini(&d->arena);
    pen_status st = pen_schema_copy(&d->in, in, err);
    for (size_t i = 0; st >= 0 && i < d->partition_by.n; i++)
        if (pen_schema_find(in, d->partition_by.v[i]) < 0)
            return pen_fail(err, PEN_BADCONF, "partition_by = %s: there is no such column", d->partition_by.v[i]);
    if (st >= 0)
        st = delta_schema_from_arrow(&d->in_fields, &d->arena, &d->in, err);
    return st < 0 ? st : delta_table_check(d, err);
}

static pen_status sink_open(void *ctx, struct pen_error *err)
{
    struct delta_sink *d = ctx;
    pen_status st = pen_store_prove(d->host, d->path, err);
    return st < 0 ? st : delta_table_open(d, err);
}

static pen_status sink_shown(void *ctx, const char *prefix,
                             pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                             struct pen_error *err)
{
    struct delta_sink *d = ctx;
    bool jumped;
    delta_note_own(d, prefix);
    pen_status st = delta_state_refresh(&d->state, d->host, NULL, &jumped, err);
    if (st >= 0 && (d->state.version < 0 || !delta_table_unchanged(d)))
        st = delta_table_open(d, err);
    return st < 0 ? st : delta_shown(d, prefix, each, arg, err);
}

static pen_status sink_beside(void *ctx, char *url, size_t size, struct pen_error *err)
{
    struct delta_sink *d = ctx;
    return pen_url_join(url, size, d->path, "_penstock", err);
}

static pen_status sink_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    return delta_publish(ctx, plan, outcome, err);
}

static pen_status sink_maintain(void *ctx, struct pen_error *err)
{
    return delta_maintain(ctx, err);
}

/* -- a lane's writer ---------------------------------------------------------------------------------------------------------------------- */

struct writer {
    struct delta_sink *d;
    struct pen_files *files;
};

static pen_status writer_open(void *ctx, unsigned lane, void **writer, struct pen_error *err)
{
    struct delta_sink *d = ctx;
    char prefix[64];
    uint64_t unique[2];
    struct writer *w = calloc(1, sizeof *w);
    if (!w)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", d->path);
    if (getrandom(unique, sizeof unique, 0) != (ssize_t)sizeof unique) {
        free(w);
        return pen_fail(err, PEN_FATAL, "no random numbers to be had");
    }
    snprintf(prefix, sizeof prefix, "part-%u-%016llx%016llx", lane, (unsigned long long)unique[0], (unsigned long long)unique[1]);
    const struct pen_files_options options = {
        .mode = PEN_FILES_FINAL, .url = d->path, .partition_by = d->partition_by.v, .n_partition_by = d->partition_by.n,
        .target_file_size = d->target_file_size, .prefix = prefix, .fsync = d->fsync, .parquet = { .compression = d->compression },
    };
    w->d = d;
    pen_status st = pen_files_new(&w->files, d->host, &d->in, &options, err);
    if (st < 0)
        free(w);
    else
        *writer = w;
    return st;
}

static void writer_close(void *writer)
{
    struct writer *w = writer;
    pen_files_free(&w->files);
    free(w);
}

static pen_status writer_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    (void)rows;
    return pen_files_write(((struct writer *)writer)->files, batch, err);
}

static size_t writer_held(void *writer)
{
    return pen_files_held(((struct writer *)writer)->files);
}

static int64_t writer_written(void *writer)
{
    return pen_files_written(((struct writer *)writer)->files);
}

static void writer_abandon(void *writer)
{
    pen_files_abandon(((struct writer *)writer)->files);
}

/* Paths in the log are percent-encoded; those of files.h hold only characters that stay, '%', and what is not ASCII. */
static void put_path(struct delta_text *t, const char *path)
{
    struct delta_text encoded = { 0 };
    for (const char *p = path; *p; p++)
        if (*p == '%' || (unsigned char)*p >= 0x80)
            delta_text_format(&encoded, "%%%02X", (unsigned)(unsigned char)*p);
        else
            delta_text_bytes(&encoded, p, 1);
    delta_text_string(t, encoded.p ? encoded.p : "", encoded.n);
    t->failed |= encoded.failed;
    delta_text_fini(&encoded);
}

/* Times come from files.h without a zone, which readers take for their own; the log has a form that says UTC. */
static void put_partition_value(const struct delta_sink *d, struct delta_text *t, const char *column, const char *value)
{
    const struct ArrowSchema *field = d->in.children[pen_schema_find(&d->in, column)];
    const char *space = value ? strchr(value, ' ') : NULL;
    char time[64];
    if (pen_schema_type(field) == PEN_TYPE_TIMESTAMP && space) {
        snprintf(time, sizeof time, "%.*sT%.30sZ", (int)(space - value < 20 ? space - value : 20), value, space + 1);
        value = time;
    }
    delta_text_quote(t, value);
}

static void put_add(const struct delta_sink *d, struct delta_text *t, const struct pen_file *f)
{
    struct delta_text stats = { 0 };
    size_t n = 0;
    const struct pen_parquet_stats *leaves = pen_parquet_writer_stats(f->writer, &n);
    delta_text_add(t, "{\"add\":{\"path\":");
    put_path(t, f->path);
    delta_text_add(t, ",\"partitionValues\":{");
    for (size_t i = 0; i < d->partition_by.n; i++) {
        delta_text_add(t, i ? "," : "");
        delta_text_quote(t, d->partition_by.v[i]);
        delta_text_add(t, ":");
        put_partition_value(d, t, d->partition_by.v[i], f->partition_values[i]);
    }
    delta_text_format(t, "},\"size\":%lld,\"modificationTime\":%lld,\"dataChange\":true,\"stats\":", (long long)f->size,
                      (long long)(pen_wall_clock(d->host) / 1000));
    delta_stats_write(&stats, f->rows, leaves, n, d->stats_columns);
    delta_text_string(t, stats.p ? stats.p : "", stats.n);
    delta_text_add(t, "}}\n");
    t->failed |= stats.failed;
    delta_text_fini(&stats);
}

/* What is staged is the lines that the log entry is to have. */
static pen_status writer_stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct writer *w = writer;
    struct pen_file *files;
    struct delta_text t = { 0 };
    size_t n;
    pen_status st = pen_files_stage(w->files, &files, &n, err);
    *staged = (struct pen_staged){ 0 };
    if (st < 0)
        return st;
    for (size_t i = 0; i < n; i++) {
        put_add(w->d, &t, &files[i]);
        staged->rows += files[i].rows;
        staged->file_bytes += files[i].size;
    }
    if (t.failed) {
        pen_files_discard(w->d->host, w->d->path, files, n);
        delta_text_fini(&t);
        st = pen_fail(err, PEN_FATAL, "%s: out of memory", w->d->path);
    }
    staged->bytes = t.p;
    staged->n = t.n;
    staged->files = (int64_t)n;
    pen_file_list_free(&files, n);
    return st;
}

static void sink_discard(void *ctx, const struct pen_staged *staged)
{
    struct delta_sink *d = ctx;
    struct delta_arena arena = { 0 };
    if (d->unclear) /* an entry that could not be seen may point to them: vacuum decides */
        return;
    for (const char *p = staged->bytes, *end = p + staged->n; p && p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        struct delta_action a;
        char url[2048];
        if (!stop)
            stop = end;
        if (!delta_action_parse(&a, &arena, p, (size_t)(stop - p)) && a.kind == DELTA_ADD &&
            delta_file_url(url, sizeof url, d->path, &a.u.file, NULL) == PEN_OK)
            (void)pen_store_remove(d->host, url, NULL);
        p = stop + 1;
    }
    delta_arena_fini(&arena);
}

/* -- descriptor ------------------------------------------------------------------------------------------------------------------------- */

static const struct pen_option sink_options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct delta_sink, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "The table's folder or URL. It is made where there is none." },
    { "partition_by", PEN_OPT_LIST, offsetof(struct delta_sink, partition_by), NULL, 0, 0, NULL, 0,
      "Columns by whose values the files are kept apart." },
    { "schema", PEN_OPT_ENUM, offsetof(struct delta_sink, schema_mode), "strict", 0, 0, "strict|evolve", 0,
      "What becomes of columns that the table lacks: strict refuses them, evolve adds them, nullable, to the table." },
    { "compression", PEN_OPT_COMPRESSION, offsetof(struct delta_sink, compression), "zstd:1", 0, 0, NULL, 0,
      "How the files are compressed: none, snappy, zstd or zstd:LEVEL." },
    { "target_file_size", PEN_OPT_SIZE, offsetof(struct delta_sink, target_file_size), "128MiB", 64 << 10, INT64_C(16) << 30, NULL, 0,
      "Size at which the next file begins. A commit ends its files whatever their size." },
    { "checkpoint_interval", PEN_OPT_COUNT, offsetof(struct delta_sink, checkpoint_interval), "10", 1, 1000000, NULL, 0,
      "Commits between two checkpoints of the log. In tables of very many files they lie further apart, so that a commit costs the same however "
      "large the table is." },
    { "fsync", PEN_OPT_BOOL, offsetof(struct delta_sink, fsync), "yes", 0, 0, NULL, 0,
      "Whether a commit waits until it is on disk. Without it a power loss may take commits back, or damage the table." },
    { "properties.", PEN_OPT_PAIRS, offsetof(struct delta_sink, properties), NULL, 0, 0, NULL, 0,
      "Table properties (properties.delta.appendOnly = true) that a new table gets." },
    { .name = NULL },
};

static pen_status sink_connect(void *ctx, struct pen_error *err)
{
    const struct delta_sink *d = ctx;
    return pen_store_reach(d->host, d->path, err);
}

static const struct pen_sink delta_sink = {
    .ctx_size = sizeof(struct delta_sink), .options = sink_options, .start = sink_start, .stop = sink_stop, .prepare = sink_prepare, .open = sink_open,
    .shown = sink_shown, .beside = sink_beside,
    .guarantee = "exactly once: rows and positions become visible in one entry of the table's log",
    .connect = sink_connect, .writer_open = writer_open, .writer_close = writer_close, .write = writer_write, .held = writer_held, .written = writer_written,
    .stage = writer_stage, .abandon = writer_abandon, .publish = sink_publish, .discard = sink_discard, .maintain = sink_maintain,
};

const struct pen_plugin delta_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "delta",
    .summary = "Delta tables: written exactly once, followed as a source, and queried",
    .licence = "Apache-2.0",
    .doc = "As a sink it makes the table where there is none and appends to it: each commit is one entry of the table's log, with the files and the positions "
           "behind them, so rows arrive exactly once, whatever is killed, and several writers may share the table. It writes checkpoints and cleans up the "
           "log after the table's own retention. A table that asks for a feature that is not known is refused by its name.\n\n"
           "As a source it gives the rows that are there and then what each version adds. A version that removes rows or changes the schema stops the run.",
    .source = &delta_source,
    .sink = &delta_sink,
    .table = &delta_table,
    .verbs = delta_verbs,
};
