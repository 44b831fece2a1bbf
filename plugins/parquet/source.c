/* source.c - Parquet files as a source: each file a partition of a chain, its position the row that comes next. Files of raw messages (an archive) give
 * messages, which stages behind them may have decoded.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "plugin.h"

struct recalled {
    char *name, *incarnation;
    uint64_t row;
};

struct source {
    const char *path;
    const struct pen_host *host;
    struct dataset dataset;
    bool opened, no_more;
    struct pen_output output;
    struct recalled *recalled;
    size_t n_recalled;
    size_t next;            /* file that is offered next */
};

static const struct pen_option source_options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct source, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "A .parquet file, or a folder below which all of them are read; levels NAME=VALUE become columns. A local path or a store's URL. Files whose columns "
      "are those of messages (key, value, timestamp, partition, offset, headers) give messages." },
    { 0 }
};

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct source *s = ctx;
    (void)err;
    s->host = host;
    return PEN_OK;
}

static void stop(void *ctx)
{
    struct source *s = ctx;
    for (size_t i = 0; i < s->n_recalled; i++) {
        free(s->recalled[i].name);
        free(s->recalled[i].incarnation);
    }
    free(s->recalled);
    pen_schema_release(&s->output.schema);
    if (s->opened)
        dataset_fini(&s->dataset);
}

static pen_status outputs(void *ctx, struct pen_output **out, size_t *n, struct pen_error *err)
{
    struct source *s = ctx;
    pen_status st;
    if (!s->opened) {
        if ((st = dataset_open(&s->dataset, s->host, s->path, err)) < 0)
            return st;
        s->opened = true;
        if (st == PEN_SKIP)
            return pen_fail(err, PEN_BADCONF, "path = \"%s\": there is no Parquet file", s->path);
        if (!s->dataset.raw && (st = pen_schema_copy(&s->output.schema, &s->dataset.schema, err)) < 0)
            return st;
        s->output.name = "";
    }
    *out = &s->output;
    *n = 1;
    return PEN_OK;
}

/* -- control ------------------------------------------------------------------------------------------------------------------ */

static pen_status recall(void *ctx, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    struct recalled *more = realloc(s->recalled, (s->n_recalled + 1) * sizeof *more), *r;
    if (!more)
        return pen_fail(err, PEN_FATAL, "out of memory");
    s->recalled = more;
    r = &more[s->n_recalled++];
    r->name = strdup(name);
    r->incarnation = strdup(incarnation);
    r->row = pos->n ? pos->w[0] : 0;
    return r->name && r->incarnation ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

/* A file that was rewritten where it lay is another one; one that was read in part must not have become it. */
static pen_status check_recalled(const struct source *s, const struct dataset_file *f, struct pen_error *err)
{
    bool known = false, same = false;
    uint64_t row = 0;
    for (size_t i = 0; i < s->n_recalled; i++) {
        if (strcmp(s->recalled[i].name, f->name) != 0)
            continue;
        known = true;
        row = s->recalled[i].row;
        same |= strcmp(s->recalled[i].incarnation, f->tag) == 0;
    }
    return !known || same ? PEN_OK
                          : pen_fail(err, PEN_FATAL, "%s has changed since %llu rows of it were read: move it away, or give the pipeline a "
                                     "fresh copy under another name", f->url, (unsigned long long)row);
}

static pen_status next_event(void *ctx, struct pen_partition_event *event, struct pen_error *err)
{
    struct source *s = ctx;
    const struct dataset_file *f;
    pen_status st;
    memset(event, 0, sizeof *event);
    if (s->next < s->dataset.n) {
        f = &s->dataset.files[s->next];
        if ((st = pen_failpoint("parquet.assign", err)) < 0 || (st = check_recalled(s, f, err)) < 0)
            return st;
        event->kind = PEN_PARTITION_ASSIGNED;
        event->id = (uint32_t)s->next++;
        event->name = f->name;
        event->incarnation = f->tag;
        return PEN_OK;
    }
    if (s->no_more)
        return PEN_SKIP;
    s->no_more = true;
    event->kind = PEN_PARTITION_NO_MORE;
    return PEN_OK;
}

/* -- lanes -------------------------------------------------------------------------------------------------------------------- */

struct slot {
    uint32_t id;
    uint64_t row, bound; /* bound 0: none */
    bool ended;
    bool open;
    struct dataset_scan scan;
};

struct reader {
    struct source *source;
    struct slot *slots;
    size_t n, at;           /* at: the slot whose turn it is */
    int64_t *columns;
    size_t n_columns;
};

static pen_status reader_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct source *s = ctx;
    struct reader *r = calloc(1, sizeof *r);
    (void)lane;
    if (r) {
        r->n_columns = (size_t)(s->dataset.schema.n_children - (s->dataset.raw ? (int64_t)s->dataset.n_keys : 0));
        r->columns = calloc(r->n_columns + 1, sizeof *r->columns);
    }
    if (!r || !r->columns) {
        free(r);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    for (size_t i = 0; i < r->n_columns; i++)
        r->columns[i] = (int64_t)i;
    r->source = s;
    *out = r;
    return PEN_OK;
}

static void close_slot(struct slot *slot)
{
    if (slot->open)
        dataset_scan_close(&slot->scan);
    slot->open = false;
}

static void reader_close(void *reader)
{
    struct reader *r = reader;
    for (size_t i = 0; i < r->n; i++)
        close_slot(&r->slots[i]);
    free(r->slots);
    free(r->columns);
    free(r);
}

static struct slot *find_slot(struct reader *r, uint32_t id)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->slots[i].id == id)
            return &r->slots[i];
    return NULL;
}

static pen_status reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    struct slot *slot = find_slot(r, id), *more;
    if (!slot) {
        for (size_t i = 0; i < r->n; i++)
            close_slot(&r->slots[i]); /* their readers point into what may move */
        more = realloc(r->slots, (r->n + 1) * sizeof *more);
        if (!more)
            return pen_fail(err, PEN_FATAL, "out of memory");
        r->slots = more;
        slot = &more[r->n++];
        memset(slot, 0, sizeof *slot);
        slot->id = id;
    }
    close_slot(slot);
    slot->row = pos->n ? pos->w[0] : 0;
    slot->ended = false;
    return PEN_OK;
}

static pen_status reader_remove(void *reader, uint32_t id, struct pen_error *err)
{
    struct reader *r = reader;
    struct slot *slot = find_slot(r, id);
    (void)err;
    if (!slot)
        return PEN_OK;
    for (size_t i = 0; i < r->n; i++)
        close_slot(&r->slots[i]);
    *slot = r->slots[--r->n];
    r->at = 0;
    return PEN_OK;
}

static pen_status reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    struct slot *slot = find_slot(r, id);
    (void)err;
    if (slot)
        slot->bound = pos->n ? pos->w[0] : 0;
    return PEN_OK;
}

static pen_status open_slot(struct reader *r, struct slot *slot, struct pen_error *err)
{
    pen_status st = dataset_scan_open(&slot->scan, &r->source->dataset, slot->id, r->columns, r->n_columns, err);
    if (st < 0)
        return st;
    slot->open = true;
    if (slot->row > (uint64_t)pen_parquet_reader_rows(slot->scan.reader))
        return pen_fail(err, PEN_FATAL, "%s has %lld rows where %llu were read before", slot->scan.file->url,
                        (long long)pen_parquet_reader_rows(slot->scan.reader), (unsigned long long)slot->row);
    return pen_parquet_reader_seek(slot->scan.reader, (int64_t)slot->row, err);
}

/* Reads a file to its end before the next one. */
static pen_status read_batch(void *reader, struct pen_read *r, struct pen_error *err)
{
    struct reader *reading = reader;
    struct slot *slot = NULL;
    struct ArrowArray batch = { 0 };
    int64_t want = r->max_rows > 0 ? r->max_rows : 4096;
    pen_status st;
    for (size_t i = 0; i < reading->n && !slot; i++) {
        struct slot *next = &reading->slots[(reading->at + i) % reading->n];
        if (!next->ended && (!next->bound || next->row < next->bound))
            slot = next;
    }
    if (!slot)
        return PEN_SKIP;
    reading->at = (size_t)(slot - reading->slots);
    if ((st = pen_failpoint("parquet.read", err)) < 0 || (!slot->open && (st = open_slot(reading, slot, err)) < 0))
        return st;
    if (slot->bound && (uint64_t)want > slot->bound - slot->row)
        want = (int64_t)(slot->bound - slot->row);
    r->partition = slot->id;
    r->from = pen_position_of(slot->row);
    st = dataset_scan_next(&slot->scan, want, &batch, err);
    if (st < 0)
        return st;
    if (st == PEN_OK && reading->source->dataset.raw) {
        uint64_t first = slot->row;
        slot->row += (uint64_t)batch.length;
        st = r->intakes[0] ? messages_give(&batch, first, r->intakes[0], err) : PEN_OK;
        pen_array_release(&batch);
        if (st < 0)
            return st;
    } else if (st == PEN_OK) {
        slot->row += (uint64_t)batch.length;
        r->batches[0] = batch;
    }
    r->to = pen_position_of(slot->row);
    r->end = slot->row == (uint64_t)pen_parquet_reader_rows(slot->scan.reader);
    slot->ended = r->end;
    if (r->end)
        close_slot(slot);
    return PEN_OK;
}

static int reader_fd(void *reader)
{
    (void)reader;
    return -1;
}

static int64_t reader_wake_at(void *reader)
{
    const struct reader *r = reader;
    for (size_t i = 0; i < r->n; i++)
        if (!r->slots[i].ended && (!r->slots[i].bound || r->slots[i].row < r->slots[i].bound))
            return 0;
    return INT64_MAX;
}

const struct pen_source parquet_source = {
    .ctx_size = sizeof(struct source),
    .options = source_options,
    .start = start,
    .stop = stop,
    .outputs = outputs,
    .chain = true,
    .recall = recall,
    .next_event = next_event,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .reader_add = reader_add,
    .reader_remove = reader_remove,
    .reader_bound = reader_bound,
    .read = read_batch,
    .fd = reader_fd,
    .wake_at = reader_wake_at,
};
