/* source.c - a Delta table as a source: its rows as they were at one version, then what each later version adds.
 *
 * It is one partition. A position is (what, file, row): `what` is 2 V for the table as a whole at version V (its files in the order of their
 * paths) and 2 v + 1 for the adds of the entry v alone, so that positions grow as reading goes from the one to the other.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "scan.h"

enum { START_BEGINNING, START_LATEST };

struct source {
    const char *path;
    bool ignore_deletes;
    int start;
    int64_t poll_interval;

    const struct pen_host *host;
    struct delta_view view;     /* the table as it was when the source started */
    bool have_view, announced, no_more;
    struct pen_output output;
};

static pen_status source_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct source *s = ctx;
    (void)err;
    s->host = host;
    return PEN_OK;
}

static void source_stop(void *ctx)
{
    struct source *s = ctx;
    if (s->have_view)
        delta_view_close(&s->view);
    pen_schema_release(&s->output.schema);
}

static pen_status source_outputs(void *ctx, struct pen_output **outputs, size_t *n, struct pen_error *err)
{
    struct source *s = ctx;
    if (!s->have_view) {
        pen_status st = delta_view_open(&s->view, s->host, s->path, -1, err);
        if (st < 0)
            return st;
        s->have_view = true;
        s->output.name = "";
        if ((st = pen_schema_copy(&s->output.schema, &s->view.schema, err)) < 0)
            return st;
    }
    *outputs = &s->output;
    *n = 1;
    return PEN_OK;
}

static pen_status source_next_event(void *ctx, struct pen_partition_event *event, struct pen_error *err)
{
    struct source *s = ctx;
    (void)err;
    if (!s->announced) {
        *event = (struct pen_partition_event){ PEN_PARTITION_ASSIGNED, 0, "table", s->view.state.metadata.id };
        s->announced = true;
        return PEN_OK;
    }
    if (!s->no_more && pen_until_end(s->host)) {
        event->kind = PEN_PARTITION_NO_MORE;
        s->no_more = true;
        return PEN_OK;
    }
    return PEN_SKIP;
}

static struct pen_position position(int64_t version, bool entry, uint64_t file, uint64_t row)
{
    struct pen_position p = { 3, { (uint64_t)version * 2 + entry, file, row, 0 } };
    return p;
}

static pen_status source_beginning(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    int64_t version = s->view.state.version;
    (void)id, (void)first_run, (void)err;
    *pos = s->start == START_LATEST ? position(version + 1, true, 0, 0) : position(version, false, 0, 0);
    return PEN_OK; /* the table grows: a restart would find another head */
}

/* -- a lane's reader -------------------------------------------------------------------------------------------------------------------- */

struct reader {
    struct source *s;
    bool assigned, said_end;
    uint32_t id;
    struct pen_position pos, bound;
    struct delta_arena arena;    /* of the files of an entry */
    struct delta_state log;      /* only for its URLs: how entries are read */
    struct delta_view snapshot;  /* open while reading what a version holds */
    bool have_snapshot, loaded;  /* loaded: `files` are those of pos.w[0] */
    const struct delta_file **files;
    size_t n_files, room;
    int64_t *columns;
    struct delta_scan scan;
    bool scanning;
    int64_t looked_at;           /* pen_now() when there was no further entry */
};

static void close_scan(struct reader *r)
{
    if (r->scanning)
        delta_scan_close(&r->scan);
    r->scanning = false;
}

static void unload(struct reader *r)
{
    close_scan(r);
    if (r->have_snapshot)
        delta_view_close(&r->snapshot);
    r->have_snapshot = r->loaded = false;
    r->n_files = 0;
    delta_arena_fini(&r->arena);
}

static void reader_close(void *reader)
{
    struct reader *r = reader;
    unload(r);
    delta_state_fini(&r->log);
    free(r->files);
    free(r->columns);
    free(r);
}

static pen_status reader_open(void *ctx, unsigned lane, void **reader, struct pen_error *err)
{
    struct source *s = ctx;
    struct reader *r = calloc(1, sizeof *r);
    size_t n = (size_t)s->output.schema.n_children;
    (void)lane;
    if (!r)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", s->path);
    r->s = s;
    r->looked_at = INT64_MIN;
    r->columns = malloc((n + 1) * sizeof *r->columns);
    pen_status st = r->columns ? delta_state_init(&r->log, s->path, err) : pen_fail(err, PEN_FATAL, "%s: out of memory", s->path);
    if (st < 0) {
        reader_close(r);
        return st;
    }
    for (size_t i = 0; i < n; i++)
        r->columns[i] = (int64_t)i;
    *reader = r;
    return PEN_OK;
}

static pen_status reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    if (pos->n != 3)
        return pen_fail(err, PEN_FATAL, "%s: a position of %u words is none of a Delta table's", r->s->path, pos->n);
    unload(r);
    r->assigned = true;
    r->said_end = false;
    r->id = id;
    r->pos = *pos;
    r->bound.n = 0;
    return PEN_OK;
}

static pen_status reader_remove(void *reader, uint32_t id, struct pen_error *err)
{
    struct reader *r = reader;
    (void)id, (void)err;
    unload(r);
    r->assigned = false;
    return PEN_OK;
}

static pen_status reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    (void)id, (void)err;
    r->bound = *pos;
    return PEN_OK;
}

static bool add_file(struct reader *r, const struct delta_file *f)
{
    if (r->n_files == r->room) {
        size_t room = r->room ? r->room * 2 : 16;
        const struct delta_file **v = realloc(r->files, room * sizeof *v);
        if (!v)
            return false;
        r->files = v;
        r->room = room;
    }
    r->files[r->n_files++] = f;
    return true;
}

static pen_status take_action(void *arg, int64_t version, int64_t index, const struct delta_action *a, struct pen_error *err)
{
    struct reader *r = arg;
    const char *url = r->s->path;
    (void)index;
    if (a->kind == DELTA_METADATA && strcmp(a->u.metadata.schema, r->s->view.state.metadata.schema) != 0)
        return pen_fail(err, PEN_FATAL, "%s: version %lld changes the table's schema; start again to read on with it", url, (long long)version);
    if (a->kind == DELTA_PROTOCOL) {
        struct delta_state asked = r->s->view.state;
        asked.protocol = a->u.protocol;
        return delta_check_reader(&asked, err);
    }
    if (a->kind == DELTA_REMOVE && a->u.file.data_change && !r->s->ignore_deletes)
        return pen_fail(err, PEN_FATAL, "%s: version %lld removes rows that were read before; ignore_deletes = yes passes over that", url, (long long)version);
    if (a->kind != DELTA_ADD || !a->u.file.data_change)
        return PEN_OK;
    if (a->u.file.has_vector)
        return pen_fail(err, PEN_FATAL, "%s: version %lld adds a file with a deletion vector (deletionVectors), which is not supported", url, (long long)version);
    struct delta_file *f = delta_arena_new(&r->arena, sizeof *f);
    if (!f)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", url);
    *f = a->u.file; /* its texts lie in the same arena */
    return add_file(r, f) ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: out of memory", url);
}

/* The files of pos.w[0]. PEN_SKIP: that entry is not there yet. */
static pen_status load(struct reader *r, struct pen_error *err)
{
    int64_t version = (int64_t)(r->pos.w[0] / 2);
    pen_status st = PEN_OK;
    unload(r);
    if (r->pos.w[0] & 1) {
        st = delta_entry_read(r->s->path, r->log.log, r->s->host, version, &r->arena, take_action, r, err);
    } else {
        st = delta_view_open(&r->snapshot, r->s->host, r->s->path, version, err);
        r->have_snapshot = st >= 0;
        for (size_t i = 0; st >= 0 && i < r->snapshot.n_live; i++)
            if (!add_file(r, r->snapshot.live[i]))
                st = pen_fail(err, PEN_FATAL, "%s: out of memory", r->s->path);
    }
    r->loaded = st == PEN_OK;
    return st;
}

/* No entry follows: the head, or a hole where the log was cleaned up before we came here. */
static pen_status at_head(struct reader *r, struct pen_read *out, struct pen_error *err)
{
    struct delta_listing l;
    int64_t version = (int64_t)(r->pos.w[0] / 2);
    pen_status st = delta_list(&l, r->log.log, r->s->host, version - 1, INT64_MAX, err);
    if (st >= 0 && (l.first > version || l.checkpoint > version))
        st = pen_fail(err, PEN_FATAL, "%s: version %lld, where reading is to go on, is not in the log any more", r->s->path, (long long)version);
    r->looked_at = pen_now(r->s->host);
    if (st < 0)
        return st;
    if (r->said_end)
        return PEN_SKIP;
    r->said_end = true;
    out->end = true;
    return PEN_OK;
}

/* Where reading goes on after this row of this file. */
static struct pen_position after(const struct reader *r, uint64_t file, uint64_t row, bool file_ends)
{
    int64_t version = (int64_t)(r->pos.w[0] / 2);
    if (!file_ends)
        return position(version, r->pos.w[0] & 1, file, row);
    if (file + 1 < r->n_files)
        return position(version, r->pos.w[0] & 1, file + 1, 0);
    return position(version + 1, true, 0, 0);
}

static pen_status open_file(struct reader *r, struct pen_error *err)
{
    struct source *s = r->s;
    const struct delta_state *table = r->have_snapshot ? &r->snapshot.state : &s->view.state;
    pen_status st = delta_scan_open(&r->scan, s->host, s->path, table, &s->output.schema, r->files[r->pos.w[1]], r->columns,
                                    (size_t)s->output.schema.n_children, err);
    if (st < 0)
        return st;
    r->scanning = true;
    if (r->pos.w[2] > (uint64_t)pen_parquet_reader_rows(r->scan.input.reader))
        return pen_fail(err, PEN_FATAL, "%s: the position is at row %llu, and the file has %lld", r->scan.input.url, (unsigned long long)r->pos.w[2],
                        (long long)pen_parquet_reader_rows(r->scan.input.reader));
    return pen_parquet_reader_seek(r->scan.input.reader, (int64_t)r->pos.w[2], err);
}

static pen_status read_rows(struct reader *r, struct pen_read *out, struct pen_error *err)
{
    int64_t max = out->max_rows > 0 ? out->max_rows : 8192;
    uint64_t file = r->pos.w[1], row = r->pos.w[2];
    pen_status st = r->scanning ? PEN_OK : open_file(r, err);
    if (st < 0)
        return st;
    uint64_t rows = (uint64_t)pen_parquet_reader_rows(r->scan.input.reader);
    if (r->bound.n == 3 && r->bound.w[0] == r->pos.w[0] && r->bound.w[1] == file && r->bound.w[2] > row && r->bound.w[2] - row < (uint64_t)max)
        max = (int64_t)(r->bound.w[2] - row);
    st = row < rows ? delta_scan_next(&r->scan, max, &out->batches[0], err) : PEN_SKIP;
    if (st < 0)
        return st;
    if (st == PEN_OK)
        row += (uint64_t)out->batches[0].length;
    out->to = after(r, file, row, row >= rows || st == PEN_SKIP);
    return PEN_OK;
}

static pen_status source_read(void *reader, struct pen_read *out, struct pen_error *err)
{
    struct reader *r = reader;
    pen_status st = PEN_OK;
    if (!r->assigned || (r->bound.n && pen_position_compare(&r->pos, &r->bound) >= 0))
        return PEN_SKIP;
    out->partition = r->id;
    out->from = out->to = r->pos;
    if (!r->loaded) {
        if (r->looked_at != INT64_MIN && r->said_end && pen_now(r->s->host) - r->looked_at < r->s->poll_interval)
            return PEN_SKIP;
        st = load(r, err);
    }
    if (st == PEN_SKIP)
        return at_head(r, out, err);
    if (st < 0)
        return st;
    r->looked_at = INT64_MIN;
    if (r->pos.w[1] < r->n_files)
        st = read_rows(r, out, err);
    else
        out->to = after(r, r->n_files, 0, true); /* nothing (more) in it */
    if (st < 0)
        return st;
    if (out->to.w[0] != r->pos.w[0])
        unload(r);
    else if (out->to.w[1] != r->pos.w[1])
        close_scan(r);
    r->pos = out->to;
    return PEN_OK;
}

static int source_fd(void *reader)
{
    (void)reader;
    return -1;
}

static int64_t source_wake_at(void *reader)
{
    struct reader *r = reader;
    if (!r->assigned)
        return INT64_MAX;
    return r->looked_at == INT64_MIN ? 0 : r->looked_at + r->s->poll_interval;
}

static const struct pen_option source_options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct source, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED, "The table's folder or URL." },
    { "start", PEN_OPT_ENUM, offsetof(struct source, start), "beginning", 0, 0, "beginning|latest", 0,
      "Where the first run begins: with the rows that are there, or with those that come after it." },
    { "ignore_deletes", PEN_OPT_BOOL, offsetof(struct source, ignore_deletes), "no", 0, 0, NULL, 0,
      "Passes over versions that remove rows, which otherwise end the run." },
    { "poll_interval", PEN_OPT_DURATION, offsetof(struct source, poll_interval), "1s", 1000, INT64_C(86400000000), NULL, 0,
      "How often the log is looked at for new versions." },
    { .name = NULL },
};

const struct pen_source delta_source = {
    .ctx_size = sizeof(struct source), .options = source_options, .start = source_start, .stop = source_stop, .outputs = source_outputs,
    .next_event = source_next_event, .beginning = source_beginning, .reader_open = reader_open, .reader_close = reader_close,
    .reader_add = reader_add, .reader_remove = reader_remove, .reader_bound = reader_bound, .read = source_read, .fd = source_fd,
    .wake_at = source_wake_at,
};
