/* writer.c - the writing end. Lanes append blocks to segment files of their own; staging syncs those; publishing appends one commit record
 * to the log, which gives the staged ranges their offsets and moves the positions. So every byte is written once, and a commit costs one
 * sync of each file with new rows, on the lanes' threads, and one of the log. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"
#include "ends.h"
#include "io.h"
#include "stored.h"

#define BLOCK_BYTES (256u * 1024) /* about; so that a reader's copy of it stays in the cache */
#define FLUSH_BYTES (4u << 20)    /* so often the kernel is asked to begin writing, so that the sync finds little left */

struct sink {
    struct options o; /* first: see journal_options */
    const struct pen_host *host;
    struct journal *j;
    uint64_t before[JF_PARTITIONS]; /* ends of the partitions before the last commit */
    bool before_known;
};

/* Columns of a raw batch, see pen_schema_raw(). */
enum { COL_KEY, COL_VALUE, COL_TIMESTAMP, COL_HEADERS = 5 };

struct tail { /* a writer's place in one partition */
    struct segment *segment;
    int fd;
    uint64_t flushed; /* up to where the kernel has been asked to write */
    bool dirty, fresh;/* has unsynced blocks; its name is not on the disk yet */
};

/* What stage() hands to publish(), in memory only: this, the pieces, and, where somebody waits to be told offsets, runs. */
struct staged_head {
    uint64_t pieces, runs;
};
struct staged_piece {
    uint64_t segment, from, to, records;
    uint32_t partition;
};

struct writer {
    struct sink *s;
    unsigned turn; /* the partition of batches without keys */
    bool keep_runs;
    struct tail tails[JF_PARTITIONS];
    struct staged_piece *pieces; /* since the last stage() */
    size_t n_pieces, cap_pieces;
    struct stored_runs runs; /* of the same rows; kept where somebody waits to be told */
    int64_t rows, bytes, files;
    uint8_t *scratch; /* a block's arrays, and what has to be gathered */
    size_t scratch_size;
    int64_t *rows_of;    /* rows of a batch by partition */
    int64_t cap_rows;
};

/* -- the instance ------------------------------------------------------------------------------------------------------------------- */

static pen_status sink_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct sink *s = ctx;
    s->host = host;
    if (journal_check_options(&s->o, err) < 0)
        return PEN_BADCONF;
    if (s->o.retention_bytes && s->o.segment_size > s->o.retention_bytes / 8)
        s->o.segment_size = s->o.retention_bytes / 8; /* else whole files could not keep it below the limit */
    return PEN_OK;
}

static void sink_stop(void *ctx)
{
    struct sink *s = ctx;
    if (s->j)
        journal_release(s->j);
    journal_close(&s->j);
}

static pen_status sink_want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err)
{
    (void)ctx, (void)in;
    return pen_schema_raw(want, err);
}

static pen_status sink_prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    struct sink *s = ctx;
    return pen_schema_is_raw(in) ? PEN_OK : pen_fail(err, PEN_BADCONF, "journal %s: takes raw messages only", s->o.path);
}

static pen_status sink_open(void *ctx, struct pen_error *err)
{
    struct sink *s = ctx;
    pen_status st = journal_open(&s->j, &s->o, s->host, true, err);
    if (st == PEN_OK && (st = journal_acquire(s->j, s->host, err)) < 0)
        journal_close(&s->j);
    return st;
}

static pen_status sink_shown(void *ctx, const char *prefix,
                             pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                             struct pen_error *err)
{
    struct sink *s = ctx;
    struct journal *j = s->j;
    size_t n = strlen(prefix);
    pen_status st = PEN_OK;
    pthread_mutex_lock(&j->publishing);
    for (size_t i = 0; i < j->n_positions && st >= 0; i++)
        if (strncmp(j->positions[i].key, prefix, n) == 0)
            st = each(arg, j->positions[i].key, &j->positions[i].at, err);
    pthread_mutex_unlock(&j->publishing);
    return st < 0 ? st : PEN_OK;
}

/* -- a lane's writer: segments ------------------------------------------------------------------------------------------------------- */

static pen_status writer_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    if (!w)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->s = ctx;
    w->turn = lane;
    w->keep_runs = pen_stored_wanted(w->s->host);
    for (unsigned i = 0; i < JF_PARTITIONS; i++)
        w->tails[i].fd = -1;
    *out = w;
    return PEN_OK;
}

static pen_status write_error(const struct writer *w, const struct segment *s, const char *what, struct pen_error *err)
{
    char name[NAME_SIZE];
    int why = errno;
    journal_segment_name(name, s->is.number);
    return pen_fail(err, PEN_FATAL, "journal %s: cannot %s %s: %s", w->s->o.path, what, name, strerror(why));
}

static pen_status sync_tail(struct writer *w, struct tail *t, struct pen_error *err)
{
    if (w->s->o.fsync && t->dirty && jio_sync(t->fd) < 0)
        return write_error(w, t->segment, "sync", err);
    t->dirty = false;
    if (w->s->o.fsync && t->fresh && jio_sync(w->s->j->dir) < 0)
        return write_error(w, t->segment, "sync the folder of", err);
    t->fresh = false;
    return PEN_OK;
}

static void leave_segment(struct writer *w, struct tail *t)
{
    if (!t->segment)
        return;
    pthread_mutex_lock(&w->s->j->lock);
    t->segment->owned = false;
    pthread_mutex_unlock(&w->s->j->lock);
    close(t->fd);
    *t = (struct tail){ .fd = -1 };
}

/* A segment that nobody writes to and that has room, or a new one that has no file yet. */
static pen_status choose_segment(struct writer *w, uint32_t partition, struct segment **out, bool *fresh, struct pen_error *err)
{
    struct journal *j = w->s->j;
    pen_status st = PEN_OK;
    *out = NULL;
    pthread_mutex_lock(&j->lock);
    for (size_t i = j->n_segments; i-- > 0 && !*out;) {
        struct segment *s = j->segments[i];
        if (s->is.partition == partition && !s->owned && !s->full && s->pending == 0 && s->append < (uint64_t)w->s->o.segment_size)
            *out = s;
    }
    *fresh = !*out;
    if (*fresh)
        st = state_add_segment(j, out, j->next_segment, partition, err);
    if (*out) {
        (*out)->owned = true;
        if ((*out)->made == 0)
            (*out)->made = pen_now(w->s->host);
    }
    pthread_mutex_unlock(&j->lock);
    return st;
}

static pen_status take_segment(struct writer *w, uint32_t partition, struct tail *t, struct pen_error *err)
{
    struct journal *j = w->s->j;
    struct jf_segment_header h = { .partition = partition };
    uint8_t head[JF_FILE_HEADER];
    struct iovec v = { head, sizeof head };
    char name[NAME_SIZE];
    struct segment *s;
    bool fresh;
    int fd;
    pen_status st = choose_segment(w, partition, &s, &fresh, err);
    if (st < 0)
        return st;
    journal_segment_name(name, s->is.number);
    fd = fresh ? jio_create(j->dir, name, O_EXCL) : openat(j->dir, name, O_RDWR | O_CLOEXEC);
    memcpy(h.id, j->id, sizeof h.id);
    h.number = s->is.number;
    jf_segment_header_put(head, &h);
    if (fd < 0 || (fresh && jio_write(fd, &v, 1, 0) < 0)) {
        st = write_error(w, s, fresh ? "make" : "open", err);
        if (fd >= 0)
            close(fd);
        if (fd >= 0 && fresh)
            jio_unlink(j->dir, name);
        pthread_mutex_lock(&j->lock);
        s->owned = false;
        if (fresh)
            state_remove_segment(j, s->is.number);
        pthread_mutex_unlock(&j->lock);
        return st;
    }
    *t = (struct tail){ .segment = s, .fd = fd, .flushed = s->append, .dirty = fresh, .fresh = fresh };
    return PEN_OK;
}

/* Where the next block of a partition goes. A full segment is synced before it is left, as stage() does not see it any more. */
static pen_status tail_for(struct writer *w, uint32_t partition, struct tail **out, struct pen_error *err)
{
    struct tail *t = &w->tails[partition];
    const struct options *o = &w->s->o;
    *out = t;
    /* A file that never fills is left too, so that its rows can grow old. */
    if (t->segment && (t->segment->append >= (uint64_t)o->segment_size ||
                       (o->retention_time && pen_now(w->s->host) - t->segment->made > o->retention_time))) {
        if (sync_tail(w, t, err) < 0)
            return PEN_FATAL;
        pthread_mutex_lock(&w->s->j->lock);
        t->segment->full = true;
        pthread_mutex_unlock(&w->s->j->lock);
        leave_segment(w, t);
    }
    return t->segment ? PEN_OK : take_segment(w, partition, t, err);
}

/* -- a lane's writer: blocks ----------------------------------------------------------------------------------------------------------- */

/* The rows of a block: n rows from `first` on, or those named by index. */
struct rows {
    const int64_t *index; /* NULL: contiguous */
    int64_t first, n;
};
static inline int64_t row_at(const struct rows *r, int64_t i)
{
    return r->index ? r->index[i] : r->first + i;
}

struct columns {
    struct pen_column key, value, timestamp, headers, name, header_value;
    bool keys, timestamps, with_headers;
};

static void find_columns(const struct ArrowArray *batch, struct columns *c)
{
    const struct ArrowArray *pair;
    c->key = pen_column_at(batch, COL_KEY);
    c->value = pen_column_at(batch, COL_VALUE);
    c->timestamp = pen_column_at(batch, COL_TIMESTAMP);
    c->headers = pen_column_at(batch, COL_HEADERS);
    pair = batch->children[COL_HEADERS]->children[0];
    c->name = pen_column_at(pair, 0);
    c->header_value = pen_column_at(pair, 1);
    c->name.offset += pair->offset;
    c->header_value.offset += pair->offset;
    c->keys = c->key.array->null_count != c->key.length;
    c->timestamps = c->timestamp.array->null_count != c->timestamp.length;
    c->with_headers = c->headers.array->null_count != c->headers.length;
}

static uint64_t size_of(const struct pen_column *c, int64_t row)
{
    size_t n;
    if (pen_column_is_null(c, row))
        return 0;
    pen_column_bytes(c, row, &n);
    return n;
}

/* Bytes that the headers of one row take. */
static uint64_t headers_size(const struct columns *c, int64_t row)
{
    const int32_t *o = c->headers.offsets + c->headers.offset + row;
    uint64_t sum = 0;
    if (pen_column_is_null(&c->headers, row))
        return 0;
    for (int64_t i = o[0]; i < o[1]; i++)
        sum += 4 + size_of(&c->name, i) + 1 + 4 + size_of(&c->header_value, i);
    return sum;
}

static uint8_t *put_headers(uint8_t *p, const struct columns *c, int64_t row)
{
    const int32_t *o = c->headers.offsets + c->headers.offset + row;
    if (pen_column_is_null(&c->headers, row))
        return p;
    for (int64_t i = o[0]; i < o[1]; i++) {
        size_t n = 0;
        const char *bytes = pen_column_is_null(&c->name, i) ? "" : pen_column_bytes(&c->name, i, &n);
        jf_put32(p, (uint32_t)n + 1);
        memcpy(p + 4, bytes, n);
        p[4 + n] = '\0';
        p += 5 + n;
        bytes = pen_column_is_null(&c->header_value, i) ? NULL : pen_column_bytes(&c->header_value, i, &n);
        jf_put32(p, bytes ? (uint32_t)n : JF_NULL);
        if (bytes)
            memcpy(p + 4, bytes, n);
        p += 4 + (bytes ? n : 0);
    }
    return p;
}

/* The bytes of a column's rows where they lie in one piece already, else NULL. */
static const void *in_place(const struct pen_column *c, const struct rows *r, uint64_t total)
{
    const int32_t *o = c->offsets + c->offset + r->first;
    if (r->index || (uint64_t)(o[r->n] - o[0]) != total)
        return NULL;
    return total ? (const char *)c->data + o[0] : "";
}

static uint8_t *gather(uint8_t *p, const struct pen_column *c, const struct rows *r)
{
    for (int64_t i = 0; i < r->n; i++) {
        size_t n;
        const char *bytes;
        if (pen_column_is_null(c, row_at(r, i)))
            continue;
        bytes = pen_column_bytes(c, row_at(r, i), &n);
        memcpy(p, bytes, n);
        p += n;
    }
    return p;
}

static uint8_t *put_sizes(uint8_t *p, const struct pen_column *c, const struct rows *r)
{
    if (!c->validity && !r->index) {
        const int32_t *o = c->offsets + c->offset + r->first;
        for (int64_t i = 0; i < r->n; i++, p += 4)
            jf_put32(p, (uint32_t)(o[i + 1] - o[i]));
        return p;
    }
    for (int64_t i = 0; i < r->n; i++, p += 4)
        jf_put32(p, pen_column_is_null(c, row_at(r, i)) ? JF_NULL : (uint32_t)size_of(c, row_at(r, i)));
    return p;
}

static pen_status scratch_for(struct writer *w, size_t n, struct pen_error *err)
{
    uint8_t *p;
    if (n <= w->scratch_size)
        return PEN_OK;
    p = realloc(w->scratch, n);
    if (!p)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->scratch = p;
    w->scratch_size = n;
    return PEN_OK;
}

/* A block as it goes to the file: its header and arrays, then three runs of bytes. */
struct built {
    uint8_t head[JF_BLOCK_HEADER];
    struct iovec v[6];
    uint64_t size;
};

static pen_status build_block(struct writer *w, const struct columns *c, const struct rows *r, uint64_t segment, struct built *out,
                              struct pen_error *err)
{
    static const uint8_t zeros[8];
    struct jf_block b = { .records = (uint32_t)r->n, .segment = segment };
    const void *values, *keys;
    uint8_t *p, *gathered;
    size_t arrays;
    for (int64_t i = 0; i < r->n; i++)
        b.value_bytes += size_of(&c->value, row_at(r, i));
    for (int64_t i = 0; i < r->n && c->keys; i++)
        b.key_bytes += size_of(&c->key, row_at(r, i));
    for (int64_t i = 0; i < r->n && c->with_headers; i++)
        b.header_bytes += headers_size(c, row_at(r, i));
    b.flags = (c->keys ? JF_BLOCK_KEYS : 0) | (c->timestamps ? JF_BLOCK_TIMESTAMPS : 0) | (c->with_headers ? JF_BLOCK_HEADERS : 0);
    arrays = (size_t)r->n * (4u + (c->keys ? 4u : 0u) + (c->timestamps ? 8u : 0u) + (c->with_headers ? 4u : 0u));
    b.body = arrays + b.value_bytes + b.key_bytes + b.header_bytes;
    values = in_place(&c->value, r, b.value_bytes);
    keys = c->keys ? in_place(&c->key, r, b.key_bytes) : "";
    if (scratch_for(w, arrays + (values ? 0 : b.value_bytes) + (keys ? 0 : b.key_bytes) + b.header_bytes, err) < 0)
        return PEN_FATAL;
    p = w->scratch;
    for (int64_t i = 0; i < r->n && c->timestamps; i++, p += 8) {
        int64_t row = row_at(r, i);
        jf_put64(p, (uint64_t)(pen_column_is_null(&c->timestamp, row) ? INT64_MIN : pen_column_int64(&c->timestamp, row)));
    }
    p = put_sizes(p, &c->value, r);
    if (c->keys)
        p = put_sizes(p, &c->key, r);
    for (int64_t i = 0; i < r->n && c->with_headers; i++, p += 4)
        jf_put32(p, pen_column_is_null(&c->headers, row_at(r, i)) ? JF_NULL : (uint32_t)headers_size(c, row_at(r, i)));
    out->v[0] = (struct iovec){ out->head, sizeof out->head };
    out->v[1] = (struct iovec){ w->scratch, arrays };
    gathered = p;
    if (!values)
        p = gather(p, &c->value, r);
    out->v[2] = (struct iovec){ (void *)(uintptr_t)(values ? values : gathered), b.value_bytes };
    gathered = p;
    if (!keys)
        p = gather(p, &c->key, r);
    out->v[3] = (struct iovec){ (void *)(uintptr_t)(keys ? keys : gathered), b.key_bytes };
    out->v[4] = (struct iovec){ p, b.header_bytes };
    for (int64_t i = 0; i < r->n && c->with_headers; i++)
        p = put_headers(p, c, row_at(r, i));
    out->v[5] = (struct iovec){ (void *)(uintptr_t)zeros, jf_padded(b.body) - b.body };
    for (int i = 1; i < 5; i++)
        b.body_crc = pen_crc32c(b.body_crc, out->v[i].iov_base, out->v[i].iov_len);
    jf_block_put(out->head, &b);
    out->size = sizeof out->head + jf_padded(b.body);
    return PEN_OK;
}

/* Notes that [from, to) of the tail's segment belongs to the open plan. Room for a piece was made before. */
static void note_piece(struct writer *w, const struct tail *t, uint64_t from, uint64_t to, uint64_t records)
{
    struct staged_piece *last = w->n_pieces ? &w->pieces[w->n_pieces - 1] : NULL;
    if (last && last->segment == t->segment->is.number && last->to == from) {
        last->to = to;
        last->records += records;
        return;
    }
    w->pieces[w->n_pieces++] = (struct staged_piece){ t->segment->is.number, from, to, records, t->segment->is.partition };
    pthread_mutex_lock(&w->s->j->lock);
    t->segment->pending++;
    pthread_mutex_unlock(&w->s->j->lock);
}

static pen_status room_for_piece(struct writer *w, struct pen_error *err)
{
    size_t cap = w->cap_pieces ? w->cap_pieces * 2 : 16;
    struct staged_piece *p;
    if (w->n_pieces < w->cap_pieces)
        return PEN_OK;
    p = realloc(w->pieces, cap * sizeof *p);
    if (!p)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->pieces = p;
    w->cap_pieces = cap;
    return PEN_OK;
}

static pen_status append_block(struct writer *w, uint32_t partition, const struct columns *c, const struct rows *r, struct pen_error *err)
{
    struct built b;
    struct tail *t;
    uint64_t at;
    if (room_for_piece(w, err) < 0 || tail_for(w, partition, &t, err) < 0 ||
        build_block(w, c, r, t->segment->is.number, &b, err) < 0 || pen_failpoint("journal.write", err) < 0)
        return PEN_FATAL;
    at = t->segment->append;
    t->dirty = true;
    if (jio_write(t->fd, b.v, 6, at) < 0)
        return write_error(w, t->segment, "write", err);
    pthread_mutex_lock(&w->s->j->lock);
    t->segment->append = at + b.size;
    pthread_mutex_unlock(&w->s->j->lock);
    note_piece(w, t, at, at + b.size, (uint64_t)r->n);
    w->rows += r->n;
    w->bytes += (int64_t)b.size;
#ifdef SYNC_FILE_RANGE_WRITE
    if (w->s->o.fsync && at + b.size - t->flushed >= FLUSH_BYTES) {
        sync_file_range(t->fd, (off_t)t->flushed, (off_t)(at + b.size - t->flushed), SYNC_FILE_RANGE_WRITE);
        t->flushed = at + b.size;
    }
#endif
    return PEN_OK;
}

/* Cuts rows into blocks by their bytes. */
static pen_status append_rows(struct writer *w, uint32_t partition, const struct columns *c, struct rows all, struct pen_error *err)
{
    while (all.n > 0) {
        struct rows r = { all.index, all.first, 0 };
        uint64_t bytes = 0;
        while (r.n < all.n && (r.n == 0 || bytes < BLOCK_BYTES)) {
            int64_t row = row_at(&all, r.n++);
            bytes += 16 + size_of(&c->value, row) + (c->keys ? size_of(&c->key, row) : 0) + (c->with_headers ? headers_size(c, row) : 0);
        }
        if (append_block(w, partition, c, &r, err) < 0)
            return PEN_FATAL;
        all.index = all.index ? all.index + r.n : NULL;
        all.first += r.n;
        all.n -= r.n;
    }
    return PEN_OK;
}

/* Rows by the hash of their key; those without a key go where the batch's turn is. Order within a partition is kept. */
static pen_status append_by_key(struct writer *w, const struct columns *c, int64_t n, struct pen_error *err)
{
    uint32_t partitions = w->s->j->partitions;
    int64_t start[JF_PARTITIONS + 1] = { 0 }, at[JF_PARTITIONS];
    int64_t *index, *where;
    if (n > w->cap_rows) {
        int64_t *p = realloc(w->rows_of, 2 * (size_t)n * sizeof *p);
        if (!p)
            return pen_fail(err, PEN_FATAL, "out of memory");
        w->rows_of = p;
        w->cap_rows = n;
    }
    index = w->rows_of;
    where = w->rows_of + n;
    for (int64_t i = 0; i < n; i++) {
        size_t size;
        where[i] = w->turn % partitions;
        if (!pen_column_is_null(&c->key, i)) {
            const char *key = pen_column_bytes(&c->key, i, &size);
            where[i] = pen_crc32c(0, key, size) % partitions;
        }
        start[where[i] + 1]++;
    }
    for (uint32_t p = 0; p < partitions; p++) {
        start[p + 1] += start[p];
        at[p] = start[p];
    }
    for (int64_t i = 0; i < n; i++)
        index[at[where[i]]++] = i;
    for (int64_t i = 0; w->keep_runs && i < n; i++)
        stored_runs_add(&w->runs, (uint32_t)where[i], 1);
    for (uint32_t p = 0; p < partitions; p++)
        if (append_rows(w, p, c, (struct rows){ index + start[p], 0, start[p + 1] - start[p] }, err) < 0)
            return PEN_FATAL;
    return PEN_OK;
}

static pen_status writer_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    (void)rows;
    struct writer *w = writer;
    struct columns c;
    if (batch->length == 0)
        return PEN_OK;
    find_columns(batch, &c);
    if (c.keys && w->s->j->partitions > 1)
        return append_by_key(w, &c, batch->length, err);
    if (w->keep_runs)
        stored_runs_add(&w->runs, w->turn % w->s->j->partitions, (uint32_t)batch->length);
    return append_rows(w, w->turn % w->s->j->partitions, &c, (struct rows){ NULL, 0, batch->length }, err);
}

static size_t writer_held(void *writer)
{
    struct writer *w = writer;
    return w->scratch_size;
}
static int64_t writer_written(void *writer)
{
    struct writer *w = writer;
    return w->bytes;
}

/* -- stage and publish -------------------------------------------------------------------------------------------------------------------- */

static void begin_anew(struct writer *w)
{
    w->n_pieces = w->runs.n = 0;
    w->runs.failed = false;
    w->rows = w->bytes = 0;
    w->turn++;
}

static pen_status writer_stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct writer *w = writer;
    struct staged_head head = { w->n_pieces, w->runs.failed ? 0 : w->runs.n };
    size_t pieces = w->n_pieces * sizeof *w->pieces, runs = head.runs * sizeof *w->runs.v;
    if (w->n_pieces == 0)
        return PEN_OK;
    if (pen_failpoint("journal.stage", err) < 0)
        return PEN_FATAL;
    for (uint32_t p = 0; p < w->s->j->partitions; p++)
        if (w->tails[p].segment && sync_tail(w, &w->tails[p], err) < 0)
            return PEN_FATAL;
    staged->n = sizeof head + pieces + runs;
    staged->bytes = malloc(staged->n);
    if (!staged->bytes)
        return pen_fail(err, PEN_FATAL, "out of memory");
    memcpy(staged->bytes, &head, sizeof head);
    memcpy(staged->bytes + sizeof head, w->pieces, pieces);
    if (runs)
        memcpy(staged->bytes + sizeof head + pieces, w->runs.v, runs);
    staged->rows = w->rows;
    staged->file_bytes = w->bytes;
    for (size_t i = 0; i < w->n_pieces; i++)
        staged->files += i == 0 || w->pieces[i].segment != w->pieces[i - 1].segment;
    begin_anew(w);
    return pen_failpoint("journal.staged", err);
}

/* The pieces are neither open nor staged any more. lock not held. */
static void let_go(struct journal *j, const struct staged_piece *pieces, size_t n)
{
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < n; i++) {
        struct segment *s = state_segment(j, pieces[i].segment);
        if (s && s->pending > 0)
            s->pending--;
    }
    pthread_mutex_unlock(&j->lock);
}

static void writer_abandon(void *writer)
{
    struct writer *w = writer;
    let_go(w->s->j, w->pieces, w->n_pieces);
    /* The files go on behind what is abandoned, but for the room at their very end. */
    for (size_t i = w->n_pieces; i-- > 0;) {
        struct tail *t = &w->tails[w->pieces[i].partition];
        if (t->segment && t->segment->is.number == w->pieces[i].segment && t->segment->append == w->pieces[i].to &&
            jio_truncate(t->fd, w->pieces[i].from) == 0) {
            pthread_mutex_lock(&w->s->j->lock);
            t->segment->append = w->pieces[i].from;
            pthread_mutex_unlock(&w->s->j->lock);
            t->flushed = t->flushed < w->pieces[i].from ? t->flushed : w->pieces[i].from;
        }
    }
    begin_anew(w);
}

static void writer_close(void *writer)
{
    struct writer *w = writer;
    if (!w)
        return;
    writer_abandon(w);
    for (unsigned p = 0; p < JF_PARTITIONS; p++)
        leave_segment(w, &w->tails[p]);
    free(w->pieces);
    free(w->runs.v);
    free(w->scratch);
    free(w->rows_of);
    free(w);
}

/* Walks the pieces of one lane. */
static void each_piece(const struct pen_staged *staged, void (*each)(void *arg, const struct staged_piece *p), void *arg)
{
    struct staged_head head = { 0, 0 };
    struct staged_piece p;
    if (staged->bytes)
        memcpy(&head, staged->bytes, sizeof head);
    for (uint64_t k = 0; k < head.pieces; k++) {
        memcpy(&p, staged->bytes + sizeof head + k * sizeof p, sizeof p);
        each(arg, &p);
    }
}

/* Walks the pieces of all lanes. */
static void each_staged(const struct pen_plan *plan, void (*each)(void *arg, const struct staged_piece *p), void *arg)
{
    for (size_t i = 0; i < plan->n_staged; i++)
        each_piece(&plan->staged[i], each, arg);
}

struct pieces {
    struct journal *j;
    struct jf_out *out;
    uint64_t end[JF_PARTITIONS];
    uint64_t bytes;
    uint32_t n;
};
static void count_piece(void *arg, const struct staged_piece *p)
{
    struct pieces *c = arg;
    c->bytes += p->to - p->from;
    c->n++;
}
static void put_piece(void *arg, const struct staged_piece *p)
{
    struct pieces *c = arg;
    struct jf_piece piece = { p->segment, p->from, p->to, c->end[p->partition], p->records, p->partition };
    jf_piece_put(c->out, &piece);
    c->end[p->partition] += p->records;
}

/* Whether every partition of the plan still shows its base. publishing held. */
static bool bases_hold(struct sink *s, const struct pen_plan *plan)
{
    for (size_t i = 0; i < plan->n_moves; i++) {
        const struct pen_move *m = &plan->moves[i];
        const struct pen_position *at = state_position(s->j, m->key);
        if (at ? m->base.n == 0 || pen_position_compare(at, &m->base) != 0 : m->base.n != 0) {
            pen_log(s->host, PEN_LOG_WARN, "journal %s: %s has moved since the plan began", s->o.path, m->key);
            return false;
        }
    }
    return true;
}

static pen_status append_commit(struct sink *s, const struct pen_plan *plan, const struct pieces *counted, struct pen_error *err)
{
    struct jf_out body = { 0 };
    struct pieces put = { .j = s->j, .out = &body };
    pen_status st;
    memcpy(put.end, s->j->end, sizeof put.end);
    jf_out_bytes(&body, plan->id, strlen(plan->id));
    jf_out64(&body, (uint64_t)pen_wall_clock(s->host));
    jf_out32(&body, (uint32_t)plan->n_moves);
    jf_out32(&body, counted->n);
    for (size_t i = 0; i < plan->n_moves; i++) {
        const struct pen_move *m = &plan->moves[i];
        struct jf_move move = { m->key, strlen(m->key), m->base, m->to };
        jf_move_put(&body, &move);
    }
    each_staged(plan, put_piece, &put);
    st = pen_failpoint("journal.before-commit", err);
    if (st == PEN_OK)
        st = journal_append(s->j, JF_COMMIT, &body, s->o.fsync, err);
    jf_out_free(&body);
    return st;
}

static void let_go_staged(void *arg, const struct staged_piece *p)
{
    let_go(arg, p, 1);
}

/* publishing held. */
static pen_status publish(struct sink *s, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct pieces counted = { .j = s->j };
    bool room;
    pen_status st;
    *outcome = PEN_PUBLISH_DONE;
    s->before_known = false;
    if (state_knows_plan(s->j, plan->id))
        return PEN_OK;
    *outcome = PEN_PUBLISH_REFUSED;
    if (!bases_hold(s, plan))
        return PEN_OK;
    *outcome = PEN_PUBLISH_UNKNOWN;
    each_staged(plan, count_piece, &counted);
    st = counted.n ? retention_room(s->j, &s->o, s->host, counted.bytes, &room, err) : PEN_OK;
    if (st < 0 || (counted.n && !room))
        return st;
    memcpy(s->before, s->j->end, sizeof s->before);
    st = append_commit(s, plan, &counted, err);
    if (st < 0)
        return st;
    s->before_known = true;
    each_staged(plan, let_go_staged, s->j);
    *outcome = PEN_PUBLISH_DONE;
    pen_count(s->host, "commits_total", NULL, 1);
    return pen_failpoint("journal.committed", err);
}

/* With a full journal (full = wait) it answers "unknown", about every tenth of a second, so that the engine asks again: nothing has
 * happened, and nothing is lost by waiting. */
static pen_status sink_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct sink *s = ctx;
    pen_status st;
    pthread_mutex_lock(&s->j->publishing);
    st = publish(s, plan, outcome, err);
    pthread_mutex_unlock(&s->j->publishing);
    return st;
}

static void count_records(void *arg, const struct staged_piece *p)
{
    ((uint64_t *)arg)[p->partition] += p->records;
}

static pen_status sink_stored(void *ctx, const struct pen_plan *plan, size_t staged, int64_t first, int64_t n, struct pen_stored *out,
                              struct pen_error *err)
{
    const struct sink *s = ctx;
    const char *bytes = plan->staged[staged].bytes;
    uint64_t base[JF_PARTITIONS];
    struct staged_head head;
    (void)err;
    if (!s->before_known)
        return PEN_SKIP;
    memcpy(base, s->before, sizeof base);
    for (size_t i = 0; i < staged; i++) /* lanes follow one another, see each_staged() */
        each_piece(&plan->staged[i], count_records, base);
    memcpy(&head, bytes, sizeof head);
    return stored_places((const struct stored_run *)(const void *)(bytes + sizeof head + head.pieces * sizeof(struct staged_piece)), (size_t)head.runs,
                         base, first, n, out);
}

static void sink_discard(void *ctx, const struct pen_staged *staged)
{
    struct sink *s = ctx;
    struct pen_plan plan = { .staged = staged, .n_staged = 1 };
    each_staged(&plan, let_go_staged, s->j); /* the bytes go with their file */
}

static pen_status sink_maintain(void *ctx, struct pen_error *err)
{
    struct sink *s = ctx;
    pen_status st;
    pthread_mutex_lock(&s->j->publishing);
    st = retention_trim(s->j, &s->o, s->host, err);
    if (st == PEN_OK)
        st = journal_roll(s->j, err);
    pthread_mutex_unlock(&s->j->publishing);
    return st;
}

const struct pen_sink journal_sink = {
    .ctx_size = sizeof(struct sink),
    .options = journal_options,
    .start = sink_start,
    .stop = sink_stop,
    .want = sink_want,
    .prepare = sink_prepare,
    .open = sink_open,
    .shown = sink_shown,
    .guarantee = "exactly once",
    .writer_open = writer_open,
    .writer_close = writer_close,
    .write = writer_write,
    .held = writer_held,
    .written = writer_written,
    .stage = writer_stage,
    .abandon = writer_abandon,
    .publish = sink_publish,
    .stored = sink_stored,
    .discard = sink_discard,
    .maintain = sink_maintain,
};
