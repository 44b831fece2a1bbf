/* archive_write.c - a lane's side of the s3 sink: messages gathered into objects, each of one partition, in order. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "archive.h"

#define HELD_AT_MOST ((size_t)64 << 20) /* bytes of open objects that may wait for more; beyond that a commit closes them all */

/* Columns of a raw batch, see pen_schema_raw(). */
enum { COL_VALUE = 1, COL_OFFSET = 4 };

struct open_object {
    struct pen_position first, end;
    int64_t records, since; /* since: pen_now() of its first message */
    struct pen_text bytes;
};

/* A partition that this lane writes. */
struct part {
    uint64_t id;
    struct archive_place place;
    struct open_object now;
    struct pen_position from; /* of what is not staged yet */
    struct pen_text done;     /* objects that are full: struct archive_object and its bytes, one after the other */
    int64_t done_objects, done_records, done_bytes;
    bool idle;                /* nothing in it since the last cut */
};

struct writer {
    struct archive *a;
    struct part **parts;
    size_t n, cap;
};

pen_status archive_writer_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    (void)lane;
    *out = w;
    if (!w)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->a = ctx;
    return PEN_OK;
}

static void part_free(struct part *p)
{
    pen_text_fini(&p->now.bytes);
    pen_text_fini(&p->done);
    free(p);
}

void archive_abandon(void *writer)
{
    struct writer *w = writer;
    while (w->n)
        part_free(w->parts[--w->n]);
}

void archive_writer_close(void *writer)
{
    struct writer *w = writer;
    archive_abandon(w);
    free(w->parts);
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
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += w->parts[i]->now.bytes.n + w->parts[i]->done.n;
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
    w->parts[w->n++] = p;
    *out = p;
    return archive_place_of(w->a, rows->stage, rows->partition, &p->place, err);
}

/* -- objects ---------------------------------------------------------------------------------------------------------------------------------- */

static bool pack_gzip(struct pen_text *to, const struct pen_text *from, int level)
{
    z_stream z = { .next_in = (Bytef *)from->bytes, .avail_in = (uInt)from->n };
    size_t bound;
    char *room;
    bool good;
    if (deflateInit2(&z, level > 9 ? 9 : level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bound = deflateBound(&z, (uLong)from->n);
    if ((room = malloc(bound))) {
        z.next_out = (Bytef *)room;
        z.avail_out = (uInt)bound;
    }
    good = room && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (good)
        pen_text_append(to, room, bound - z.avail_out);
    free(room);
    deflateEnd(&z);
    return good;
}

static bool pack_zstd(struct pen_text *to, const struct pen_text *from, int level)
{
    size_t bound = ZSTD_compressBound(from->n), n;
    char *room = malloc(bound);
    if (!room)
        return false;
    n = ZSTD_compress(room, bound, from->bytes, from->n, level);
    if (!ZSTD_isError(n))
        pen_text_append(to, room, n);
    free(room);
    return !ZSTD_isError(n);
}

/* The open object is complete: it goes behind those that are. */
static pen_status close_object(const struct archive *a, struct part *p, struct pen_error *err)
{
    struct archive_object o = { .end = p->now.end };
    size_t head = p->done.n;
    bool good = true;
    memcpy(o.folder, p->place.folder, sizeof o.folder);
    memcpy(o.incarnation, p->place.incarnation, sizeof o.incarnation);
    archive_name(a, &p->place, &p->now.first, o.name, sizeof o.name);
    pen_text_append(&p->done, &o, sizeof o);
    if (a->compression == ARCHIVE_NONE)
        pen_text_append(&p->done, p->now.bytes.bytes, p->now.bytes.n);
    else
        good = a->compression == ARCHIVE_GZIP ? pack_gzip(&p->done, &p->now.bytes, (int)a->level) : pack_zstd(&p->done, &p->now.bytes, (int)a->level);
    if (!good || pen_text_failed(&p->done) || pen_text_failed(&p->now.bytes))
        return pen_fail(err, PEN_FATAL, "out of memory");
    o.size = p->done.n - head - sizeof o;
    memcpy(p->done.bytes + head, &o, sizeof o);
    p->done_objects++;
    p->done_records += p->now.records;
    p->done_bytes += (int64_t)o.size;
    p->from = p->now.end;
    p->now.records = 0;
    pen_text_clear(&p->now.bytes);
    return PEN_OK;
}

static bool is_full(const struct archive *a, const struct open_object *o)
{
    return (a->records > 0 && o->records >= a->records) || o->bytes.n >= (size_t)a->target_file_size;
}

/* Where the message behind row i begins: that of the next row, or the end of the batch. Without offsets only the end of the batch is known. */
static bool position_behind(const struct pen_column *offsets, int64_t i, int64_t n, const struct pen_rows *rows, struct pen_position *out)
{
    *out = rows->to;
    if (i + 1 == n)
        return true;
    if (rows->from.n != 1 || pen_column_is_null(offsets, i + 1))
        return false;
    *out = pen_position_of((uint64_t)pen_column_int64(offsets, i + 1));
    return true;
}

static void begin_object(const struct writer *w, struct part *p, const struct pen_column *offsets, int64_t i, const struct pen_rows *rows)
{
    bool known = rows->from.n == 1 && !pen_column_is_null(offsets, i);
    p->now.first = known ? pen_position_of((uint64_t)pen_column_int64(offsets, i)) : rows->from;
    p->now.since = pen_now(w->a->host);
}

pen_status archive_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    struct writer *w = writer;
    struct pen_column values = pen_column_at(batch, COL_VALUE), offsets = pen_column_at(batch, COL_OFFSET);
    struct part *p = NULL;
    pen_status st;
    if (!rows->partition)
        return pen_fail(err, PEN_FATAL, "an archive keeps partitions apart, and %s has none: put a transport between", rows->stage);
    st = find_part(w, rows, &p, err);
    if (st >= 0 && p->idle && !p->now.records)
        p->from = rows->from;
    p->idle = false;
    for (int64_t i = 0; i < batch->length && st >= 0; i++) {
        size_t n = 4;
        const char *value = pen_column_is_null(&values, i) ? "null" : pen_column_bytes(&values, i, &n);
        bool splits;
        if (!p->now.records)
            begin_object(w, p, &offsets, i, rows);
        pen_text_append(&p->now.bytes, value, n);
        pen_text_append(&p->now.bytes, "\n", 1);
        p->now.records++;
        splits = position_behind(&offsets, i, batch->length, rows, &p->now.end);
        if (splits && is_full(w->a, &p->now))
            st = close_object(w->a, p, err);
    }
    if (st >= 0 && pen_text_failed(&p->now.bytes))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    return st;
}

/* -- the cut ---------------------------------------------------------------------------------------------------------------------------------- */

/* Whether the open object is to be closed at this cut. */
static bool is_due(const struct writer *w, const struct part *p, bool all)
{
    const struct archive *a = w->a;
    if (!p->now.records)
        return false;
    if (all || (!a->records && !a->rotate))
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
            st = close_object(w->a, p, err);
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
    staged->bytes = out.bytes;
    staged->n = out.n;
    return PEN_OK;
}
