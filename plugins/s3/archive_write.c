/* archive_write.c - a lane's side of the s3 sink: messages gathered into objects, each of one partition, in order.
 *
 * The open objects of a partition (one, unless options divide it into folders) are closed together: what lies in them is committed together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "archive.h"

#define HELD_AT_MOST ((size_t)64 << 20) /* bytes of open objects that may wait for more; beyond that a commit closes them all */
enum { FOLDERS_AT_MOST = 1000, FILES_AT_MOST = 100 }; /* objects of one commit of a partition; of Parquet, which needs memory for each */

/* Columns of a raw batch, see pen_schema_raw(). */
enum { COL_VALUE = 1, COL_TIMESTAMP = 2 };

/* A partition that this lane writes. */
struct part {
    uint64_t id;
    struct archive_place place;
    struct archive_open now;
    struct pen_position from;        /* of what is not staged yet */
    struct pen_position until;       /* n > 0: where the commit ends that was begun before; it is made again as it was */
    struct pen_text done;            /* closed objects: struct archive_group and what it says, one after the other */
    int64_t done_objects, done_records, done_bytes;
    bool idle;                       /* nothing in it since the last cut */
};

struct writer {
    struct archive *a;
    struct part **parts;
    size_t n, cap;
    struct pen_parquet_shared *shared; /* Parquet */
    const struct ArrowArray *batch;  /* at hand; NULL: none */
    struct pen_text folder, row;     /* of the row at hand; row: columns as JSON */
    int64_t unplaced;                /* messages without some value that makes a folder, since the last cut */
};

pen_status archive_writer_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    (void)lane;
    *out = w;
    if (!w)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->a = ctx;
    return w->a->format == ARCHIVE_PARQUET ? archive_shared_new(w->a, &w->shared, err) : PEN_OK;
}

static void part_free(struct part *p)
{
    archive_open_fini(&p->now);
    pen_text_fini(&p->done);
    free(p);
}

void archive_abandon(void *writer)
{
    struct writer *w = writer;
    while (w->n)
        part_free(w->parts[--w->n]);
    w->unplaced = 0;
}

void archive_writer_close(void *writer)
{
    struct writer *w = writer;
    archive_abandon(w);
    free(w->parts);
    pen_parquet_shared_free(&w->shared);
    pen_text_fini(&w->folder);
    pen_text_fini(&w->row);
    free(w);
}

void archive_forget(void *writer, uint64_t part)
{
    struct writer *w = writer;
    for (size_t i = 0; i < w->n; i++)
        if (w->parts[i]->id == part) {
            part_free(w->parts[i]);
            w->parts[i] = w->parts[--w->n];
            return;
        }
}

size_t archive_held(void *writer)
{
    const struct writer *w = writer;
    size_t n = w->shared ? pen_parquet_shared_held(w->shared) : 0;
    for (size_t i = 0; i < w->n; i++)
        n += w->parts[i]->now.bytes + w->parts[i]->done.n;
    return n;
}

static pen_status find_part(struct writer *w, const struct pen_rows *rows, struct part **out, struct pen_error *err)
{
    struct part *p;
    for (size_t i = 0; i < w->n; i++)
        if (w->parts[i]->id == rows->part) {
            *out = w->parts[i];
            return PEN_OK;
        }
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 16;
        struct part **v = realloc(w->parts, cap * sizeof *v);
        if (!v)
            return pen_fail(err, PEN_FATAL, "out of memory");
        w->parts = v;
        w->cap = cap;
    }
    if (!(p = calloc(1, sizeof *p)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    p->id = rows->part;
    p->idle = true;
    p->now.shared = w->shared;
    w->parts[w->n++] = p;
    *out = p;
    return archive_place_of(w->a, rows->stage, rows->partition, &p->place, err);
}

/* -- commits that were begun ------------------------------------------------------------------------------------------------------------------------- */

/* Where reading has come back to the beginning of such a one, it is made again: from the same message to the same end, whatever options say of size. */
static pen_status look_for_begun(struct writer *w, struct part *p, const struct pen_rows *rows, struct pen_error *err)
{
    struct pen_position first, until;
    if (!archive_unfinished_get(w->a, &p->place, &first, &until) || pen_position_compare(&rows->from, &first) > 0)
        return PEN_OK;
    if (layout_is_plain(&w->a->layout))
        return pen_fail(err, PEN_FATAL, "topic %s, partition %s: a commit was cut short while partition_by or partition_time divided it; run once with these "
                                        "options as they were",
                        p->place.topic, p->place.number);
    p->now.first = first;
    p->until = until;
    return PEN_OK;
}

/* -- rows ---------------------------------------------------------------------------------------------------------------------------------------------- */

/* Whether positions never go back within a batch, so that it can be divided. */
static bool positions_grow(const struct pen_rows *rows, int64_t n)
{
    struct pen_position last = n ? pen_row_position(rows, 0) : rows->from;
    for (int64_t i = 1; i < n; i++) {
        struct pen_position at = pen_row_position(rows, i);
        if (pen_position_compare(&at, &last) < 0)
            return false;
        last = at;
    }
    return true;
}

static pen_status close_group(struct writer *w, struct part *p, struct pen_error *err)
{
    int64_t records = p->now.records;
    pen_status st;
    if (!records) {
        p->now.first.n = 0; /* of what was begun nothing is left */
        return PEN_OK;
    }
    st = w->batch ? archive_open_flush(w->a, &p->now, w->batch, err) : PEN_OK;
    if (st >= 0)
        st = archive_open_close(w->a, &p->now, &p->place, &p->done, &p->done_objects, &p->done_bytes, err);
    p->done_records += records;
    p->from = p->now.end;
    return st;
}

/* Whether the message that happened at `when` is too late for the open objects. */
static bool is_beyond(const struct archive *a, const struct archive_open *g, int64_t when)
{
    int64_t span;
    return a->rotate_interval && g->records && g->when != INT64_MIN && when != INT64_MIN && !__builtin_sub_overflow(when, g->when, &span) &&
           span >= a->rotate_interval;
}

static bool is_full(const struct archive *a, const struct archive_open *g, bool full)
{
    return full || (a->records > 0 && g->records >= a->records) || g->n >= (a->format == ARCHIVE_PARQUET ? FILES_AT_MOST : FOLDERS_AT_MOST);
}

struct row {
    const char *value; /* JSON, as far as options ask for fields or lines are written */
    size_t n;
    struct pen_position at;
    int64_t index, when;
};

/* The columns of a batch that are looked at. */
struct columns {
    struct pen_column values, times; /* of raw messages */
};

static pen_status read_row(struct writer *w, const struct columns *c, const struct pen_rows *rows, struct row *r, struct pen_error *err)
{
    const struct archive *a = w->a;
    bool known = !a->columns && !pen_column_is_null(&c->times, r->index);
    pen_status st = PEN_OK;
    r->at = pen_row_position(rows, r->index);
    r->when = INT64_MIN;
    r->value = "null";
    r->n = 4;
    if (a->columns && (a->layout.fields.n || a->layout.field)) {
        pen_text_clear(&w->row);
        st = pen_json_encode_row(&w->row, &a->schema, w->batch, r->index, err);
        r->value = w->row.bytes;
        r->n = w->row.n;
    } else if (!a->columns && !pen_column_is_null(&c->values, r->index)) {
        r->value = pen_column_bytes(&c->values, r->index, &r->n);
    }
    if (st >= 0 && (a->rotate_interval || a->layout.pattern))
        r->when = layout_time(&a->layout, r->value, r->n, known ? pen_column_int64(&c->times, r->index) : INT64_MIN);
    return st;
}

/* Closes what is open where this row belongs to something new. `between`: one commit may end, and the next begin, before it. */
static pen_status close_before(struct writer *w, struct part *p, const struct row *r, bool between, struct pen_error *err)
{
    if (!p->until.n)
        return between && is_beyond(w->a, &p->now, r->when) ? close_group(w, p, err) : PEN_OK;
    if (pen_position_compare(&r->at, &p->until) < 0)
        return PEN_OK;
    p->until.n = 0;
    return close_group(w, p, err);
}

static pen_status add_row(struct writer *w, struct part *p, const struct row *r, bool *full, struct pen_error *err)
{
    const struct layout *l = &w->a->layout;
    if (!p->now.records) {
        p->now.since = pen_now(w->a->host);
        p->now.when = INT64_MIN;
        if (!p->now.first.n)
            p->now.first = r->at;
    }
    if (p->now.when == INT64_MIN)
        p->now.when = r->when;
    if (layout_is_plain(l))
        return archive_open_add(w->a, &p->now, p->place.folder, strlen(p->place.folder), &r->at, r->value, r->n, r->index, full, err);
    pen_text_clear(&w->folder);
    w->unplaced += !layout_folder(l, r->value, r->n, r->when, &w->folder);
    if (pen_text_failed(&w->folder))
        return pen_fail(err, PEN_FATAL, "out of memory");
    return archive_open_add(w->a, &p->now, w->folder.bytes, w->folder.n, &r->at, r->value, r->n, r->index, full, err);
}

static pen_status write_rows(struct writer *w, struct part *p, const struct pen_rows *rows, struct pen_error *err)
{
    struct columns c = { .values = { .length = 0 } };
    int64_t n = w->batch->length;
    bool grow = positions_grow(rows, n), between = grow;
    pen_status st = PEN_OK;
    if (!w->a->columns)
        c = (struct columns){ pen_column_at(w->batch, COL_VALUE), pen_column_at(w->batch, COL_TIMESTAMP) };
    for (int64_t i = 0; i < n && st >= 0; i++) {
        struct row r = { .index = i };
        bool full = false, last = i + 1 == n;
        if ((st = read_row(w, &c, rows, &r, err)) < 0 || (st = close_before(w, p, &r, between, err)) < 0 || (st = add_row(w, p, &r, &full, err)) < 0)
            break;
        p->now.end = last ? rows->to : pen_row_position(rows, i + 1);
        between = last || (grow && pen_position_compare(&p->now.end, &r.at) > 0);
        if (between && !p->until.n && is_full(w->a, &p->now, full))
            st = close_group(w, p, err);
    }
    return st < 0 ? st : archive_open_flush(w->a, &p->now, w->batch, err);
}

pen_status archive_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    struct writer *w = writer;
    struct part *p = NULL;
    pen_status st;
    if (!rows->partition)
        return pen_fail(err, PEN_FATAL, "an archive keeps partitions apart, and %s has none: put a transport between", rows->stage);
    st = find_part(w, rows, &p, err);
    if (st >= 0 && p->idle && !p->now.records) {
        p->from = rows->from;
        st = look_for_begun(w, p, rows, err);
    }
    p->idle = false;
    w->batch = batch;
    if (st >= 0)
        st = write_rows(w, p, rows, err);
    w->batch = NULL;
    if (st >= 0 && p->until.n && pen_position_compare(&rows->to, &p->until) >= 0) {
        p->until.n = 0;
        st = close_group(w, p, err);
    }
    return st;
}

/* -- the cut ------------------------------------------------------------------------------------------------------------------------------------------- */

/* Whether the open objects are to be closed at this cut. */
static bool is_due(const struct writer *w, const struct part *p, bool all)
{
    const struct archive *a = w->a;
    if (!p->now.records || p->until.n)
        return false;
    if (all || (!a->records && !a->rotate && !a->rotate_interval))
        return true;
    return a->rotate && pen_now(a->host) - p->now.since >= a->rotate;
}

static pen_status stage_parts(struct writer *w, struct pen_staged *staged, struct pen_text *out, struct pen_error *err)
{
    bool all = archive_held(w) > HELD_AT_MOST || (staged->last && pen_until_end(w->a->host) && !pen_stopping(w->a->host));
    pen_status st = PEN_OK;
    staged->reached = calloc(w->n + 1, sizeof *staged->reached);
    if (!staged->reached)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < w->n && st >= 0; i++) {
        struct part *p = w->parts[i];
        if (is_due(w, p, all))
            st = close_group(w, p, err);
        pen_text_append(out, p->done.bytes ? p->done.bytes : "", p->done.n);
        staged->files += p->done_objects;
        staged->rows += p->done_records;
        staged->file_bytes += p->done_bytes;
        if (p->now.records)
            staged->reached[staged->n_reached++] = (struct pen_reached){ p->id, p->from };
    }
    return st < 0 ? st : pen_text_failed(out) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

pen_status archive_stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct writer *w = writer;
    struct pen_text out = { 0 };
    pen_status st = stage_parts(w, staged, &out, err);
    if (st < 0) {
        pen_text_fini(&out);
        return st;
    }
    for (size_t i = 0; i < w->n; i++) {
        struct part *p = w->parts[i];
        pen_text_fini(&p->done); /* its memory too: an object may be large */
        p->done_objects = p->done_records = p->done_bytes = 0;
        p->idle = !p->now.records;
    }
    if (w->unplaced)
        pen_count(w->a->host, "unplaced_total", NULL, w->unplaced);
    w->unplaced = 0;
    staged->bytes = out.bytes;
    staged->n = out.n;
    return PEN_OK;
}
