/* sink.c - Parquet files that appear whole. The plan is made durable in `state` before; publishing gives the staged files their names, and
 * may be said again after a restart.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "files.h"
#include "plugin.h"

struct sink {
    const char *path;
    struct pen_compression compression;
    struct pen_strings partition_by;
    int64_t target_file_size, row_group_size, max_open_files;
    bool fsync;
    const struct pen_host *host;
    struct ArrowSchema schema;
};

struct sink_writer {
    struct sink *sink;
    struct pen_files *files;
};

static const struct pen_option sink_options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct sink, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "The folder that the files go to: a local path or the URL of a store." },
    { "compression", PEN_OPT_COMPRESSION, offsetof(struct sink, compression), "zstd:1", 0, 0, NULL, 0,
      "zstd (with a level, as zstd:3), snappy or none." },
    { "partition_by", PEN_OPT_LIST, offsetof(struct sink, partition_by), NULL, 0, 0, NULL, 0,
      "Columns whose values make folders NAME=VALUE; the files themselves leave them out." },
    { "target_file_size", PEN_OPT_SIZE, offsetof(struct sink, target_file_size), "128MiB", 1, INT64_MAX, NULL, 0,
      "About how large a file gets before the next one begins; a commit ends files as well." },
    { "row_group_size", PEN_OPT_SIZE, offsetof(struct sink, row_group_size), "8MiB", 1, INT64_MAX, NULL, 0,
      "About how large a row group gets, compressed. It is held in memory until it is written." },
    { "max_open_files", PEN_OPT_COUNT, offsetof(struct sink, max_open_files), "64", 1, 100000, NULL, 0,
      "How many files a lane keeps open; with more partitions the one written to least recently is ended." },
    { "fsync", PEN_OPT_BOOL, offsetof(struct sink, fsync), "yes", 0, 0, NULL, 0,
      "Whether a commit waits until the disk has it. Without, a power failure may lose or damage what was committed." },
    { 0 }
};

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct sink *s = ctx;
    (void)err;
    s->host = host;
    return PEN_OK;
}

static void stop(void *ctx)
{
    struct sink *s = ctx;
    pen_schema_release(&s->schema);
}

static struct pen_files_options files_options(const struct sink *s, const char *prefix)
{
    struct pen_files_options o = {
        .mode = PEN_FILES_TOKEN,
        .url = s->path,
        .partition_by = s->partition_by.v,
        .n_partition_by = s->partition_by.n,
        .target_file_size = s->target_file_size,
        .max_open_files = (size_t)s->max_open_files,
        .prefix = prefix,
        .fsync = s->fsync,
        .parquet = { .compression = s->compression, .row_group_bytes = s->row_group_size },
    };
    return o;
}

static pen_status ignore_bytes(void *arg, const void *bytes, size_t n, struct pen_error *err)
{
    (void)arg, (void)bytes, (void)n, (void)err;
    return PEN_OK;
}

static pen_status prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    struct sink *s = ctx;
    struct pen_files_options o = files_options(s, "check");
    struct pen_files *files;
    struct pen_parquet_writer *w;
    pen_status st;
    pen_schema_release(&s->schema);
    if ((st = pen_schema_copy(&s->schema, in, err)) < 0 || (st = pen_files_new(&files, s->host, in, &o, err)) < 0)
        return st;
    pen_files_free(&files);
    st = pen_parquet_writer_new(&w, in, &o.parquet, ignore_bytes, NULL, err); /* says which type it cannot hold */
    pen_parquet_writer_free(&w);
    return st;
}

static pen_status open_sink(void *ctx, struct pen_error *err)
{
    struct sink *s = ctx;
    return pen_store_claim(s->host, s->path, s->fsync ? 0 : PEN_PUT_NO_FSYNC, err);
}

/* -- lanes -------------------------------------------------------------------------------------------------------------------- */

static pen_status writer_open(void *ctx, unsigned lane, void **writer, struct pen_error *err)
{
    struct sink *s = ctx;
    struct sink_writer *w = calloc(1, sizeof *w);
    struct pen_files_options o;
    char prefix[80];
    uint32_t random = 0;
    pen_status st;
    if (!w)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint32_t)pen_now(s->host);
    /* by name in the order of time; the rest makes it nobody else's */
    snprintf(prefix, sizeof prefix, "part-%016llx-%02u-%08x", (unsigned long long)pen_wall_clock(s->host), lane, random);
    o = files_options(s, prefix);
    w->sink = s;
    if ((st = pen_files_new(&w->files, s->host, &s->schema, &o, err)) < 0) {
        free(w);
        return st;
    }
    *writer = w;
    return PEN_OK;
}

static void writer_close(void *writer)
{
    struct sink_writer *w = writer;
    pen_files_free(&w->files);
    free(w);
}

static pen_status sink_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    (void)rows;
    struct sink_writer *w = writer;
    return pen_files_write(w->files, batch, err);
}

static size_t held(void *writer)
{
    struct sink_writer *w = writer;
    return pen_files_held(w->files);
}

static int64_t written(void *writer)
{
    struct sink_writer *w = writer;
    return pen_files_written(w->files);
}

static void sink_abandon(void *writer)
{
    struct sink_writer *w = writer;
    pen_files_abandon(w->files);
}

/* What is staged: the tokens, each with a zero byte behind it. */
static pen_status stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct sink_writer *w = writer;
    struct pen_file *files;
    size_t n, size = 0;
    char *at;
    pen_status st = pen_failpoint("parquet.before-stage", err);
    memset(staged, 0, sizeof *staged);
    if (st < 0 || (st = pen_files_stage(w->files, &files, &n, err)) < 0)
        return st;
    for (size_t i = 0; i < n; i++) {
        size += strlen(files[i].token) + 1;
        staged->rows += files[i].rows;
        staged->file_bytes += files[i].size;
        staged->files++;
    }
    if (n && !(staged->bytes = malloc(size))) {
        pen_files_discard(w->sink->host, w->sink->path, files, n);
        st = pen_fail(err, PEN_FATAL, "out of memory");
    } else if (n) {
        at = staged->bytes;
        for (size_t i = 0; i < n; i++)
            at = stpcpy(at, files[i].token) + 1;
        staged->n = size;
    }
    pen_file_list_free(&files, n);
    return st;
}

/* -- the segment -------------------------------------------------------------------------------------------------------------- */

static pen_status publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct sink *s = ctx;
    *outcome = PEN_PUBLISH_DONE;
    for (size_t i = 0; i < plan->n_staged; i++) {
        const char *token = plan->staged[i].bytes, *end = token + plan->staged[i].n;
        for (; token < end; token += strlen(token) + 1) {
            pen_put_outcome put;
            pen_status st = pen_failpoint("parquet.before-publish", err);
            if (st < 0 || (st = pen_store_publish(s->host, token, &put, err)) < 0)
                return st;
            if (put == PEN_PUT_EXISTS)
                return pen_fail(err, PEN_FATAL, "%s: a file of the name of %s is there already", s->path, token);
            if (put != PEN_PUT_DONE) {
                *outcome = put == PEN_PUT_LOST ? PEN_PUBLISH_LOST : PEN_PUBLISH_UNKNOWN;
                return PEN_OK;
            }
        }
    }
    return PEN_OK;
}

static pen_status retract(void *ctx, const struct pen_plan *plan, struct pen_error *err)
{
    const struct sink *s = ctx;
    pen_status st = PEN_OK;
    for (size_t i = 0; i < plan->n_staged && st >= 0; i++) {
        const char *token = plan->staged[i].bytes, *end = token + plan->staged[i].n;
        for (; token < end && st >= 0; token += strlen(token) + 1)
            st = pen_store_discard(s->host, token, err);
    }
    return st;
}

static void discard(void *ctx, const struct pen_staged *staged)
{
    struct sink *s = ctx;
    const char *token = staged->bytes, *end = token + staged->n;
    for (; token < end; token += strlen(token) + 1) {
        struct pen_error why = { 0 };
        if (pen_store_discard(s->host, token, &why) < 0)
            pen_log(s->host, PEN_LOG_WARN, "a staged file stays behind: %s", why.msg);
    }
}

static pen_status sink_connect(void *ctx, struct pen_error *err)
{
    const struct sink *s = ctx;
    return pen_store_reach(s->host, s->path, err);
}

const struct pen_sink parquet_sink = {
    .ctx_size = sizeof(struct sink),
    .options = sink_options,
    .start = start,
    .stop = stop,
    .prepare = prepare,
    .open = open_sink,
    .guarantee = "exactly once for the process that holds `state`; a second one is refused",
    .writer_open = writer_open,
    .writer_close = writer_close,
    .connect = sink_connect,
    .write = sink_write,
    .held = held,
    .written = written,
    .stage = stage,
    .abandon = sink_abandon,
    .publish = publish,
    .retract = retract,
    .discard = discard,
};
