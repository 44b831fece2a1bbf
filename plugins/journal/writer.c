/* writer.c - a lane's half of the writing end: it appends blocks to segment files of its own, and stages them.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "crc32c.h"
#include "io.h"
#include "sink.h"

#define BLOCK_BYTES (256u * 1024) /* about; so that a reader's copy of it stays in the cache */
#define FLUSH_BYTES (4u << 20)    /* so often the kernel is asked to begin writing, so that the sync finds little left */
#define SEALED_MOST (1u << 20)    /* bytes of a plan that are left for publish() to sync, together with the commit itself */
#define AHEAD_LEAST (64u * 1024)  /* zeros that are written ahead, */
#define AHEAD_MOST (1u << 20)     /* a quarter of the file, within these bounds */

struct tail { /* a writer's place in one partition */
    struct segment *segment;
    int fd;
    uint64_t flushed; /* up to where the kernel has been asked to write */
    uint64_t ahead;   /* up to where zeros are written; 0: not yet */
    bool dirty, fresh;/* has unsynced blocks; its name is not on the disk yet */
    uint32_t blocks_crc; /* over the headers of its blocks since the last stage() */
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
    struct scratch scratch;
    int64_t *rows_of;    /* rows of a batch by partition */
    int64_t cap_rows;
};

/* -- segments ------------------------------------------------------------------------------------------------------------------------ */

pen_status writer_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
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
    if (t->ahead > t->segment->append && jio_truncate(t->fd, t->segment->append) < 0)
        t->ahead = 0; /* it only takes room */
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

/* -- blocks ------------------------------------------------------------------------------------------------------------------------- */

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
    struct block b;
    struct tail *t;
    uint64_t at;
    if (room_for_piece(w, err) < 0 || tail_for(w, partition, &t, err) < 0 ||
        block_build(&b, &w->scratch, c, r, t->segment->is.number, err) < 0 || pen_failpoint("journal.write", err) < 0)
        return PEN_FATAL;
    at = t->segment->append;
    t->dirty = true;
    if (jio_write(t->fd, b.v, 6, at) < 0)
        return write_error(w, t->segment, "write", err);
    pthread_mutex_lock(&w->s->j->lock);
    t->segment->append = at + b.size;
    pthread_mutex_unlock(&w->s->j->lock);
    t->blocks_crc = pen_crc32c(t->blocks_crc, b.head, sizeof b.head);
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
        while (r.n < all.n && (r.n == 0 || bytes < BLOCK_BYTES))
            bytes += row_bytes(c, row_at(&all, r.n++));
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

pen_status writer_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    (void)rows;
    struct writer *w = writer;
    struct columns c;
    if (batch->length == 0)
        return PEN_OK;
    columns_find(&c, batch);
    if (c.keys && w->s->j->partitions > 1)
        return append_by_key(w, &c, batch->length, err);
    if (w->keep_runs)
        stored_runs_add(&w->runs, w->turn % w->s->j->partitions, (uint32_t)batch->length);
    return append_rows(w, w->turn % w->s->j->partitions, &c, (struct rows){ NULL, 0, batch->length }, err);
}

size_t writer_held(void *writer)
{
    struct writer *w = writer;
    return w->scratch.size;
}
int64_t writer_written(void *writer)
{
    struct writer *w = writer;
    return w->bytes;
}

/* -- staging ------------------------------------------------------------------------------------------------------------------------- */

static void begin_anew(struct writer *w)
{
    w->n_pieces = w->runs.n = 0;
    w->runs.failed = false;
    w->rows = w->bytes = 0;
    w->turn++;
    for (uint32_t p = 0; p < w->s->j->partitions; p++)
        w->tails[p].blocks_crc = 0;
}

/* Blocks that overwrite zeros leave the file system nothing of its own to write at the next sync, which halves what that costs. */
static void write_ahead(struct writer *w, struct tail *t)
{
    static uint8_t zeros[AHEAD_MOST / 8];
    struct iovec v[8];
    uint64_t at = t->segment->append, from = t->ahead > at ? t->ahead : at, room = at / 4, left;
    int n = 0;
    if (t->ahead >= at + 2 * (uint64_t)w->bytes)
        return;
    room = room < AHEAD_LEAST ? AHEAD_LEAST : room > AHEAD_MOST ? AHEAD_MOST : room;
    for (left = room; left > 0; left -= v[n++].iov_len)
        v[n] = (struct iovec){ zeros, left < sizeof zeros ? left : sizeof zeros };
    t->ahead = jio_write(t->fd, v, n, from) < 0 ? UINT64_MAX : from + room; /* on a full disk never again */
}

/* Leaves room for a seal behind the last piece, with which publish() makes all of it durable. Names of new files are made so here. */
static pen_status leave_room(struct writer *w, struct staged_head *head, struct pen_error *err)
{
    struct tail *t = &w->tails[w->pieces[w->n_pieces - 1].partition];
    for (uint32_t p = 0; p < w->s->j->partitions; p++) {
        if (w->tails[p].fresh && sync_tail(w, &w->tails[p], err) < 0)
            return PEN_FATAL;
        w->tails[p].dirty = false;
    }
    head->seal_at = t->segment->append;
    head->blocks_crc = t->blocks_crc;
    pthread_mutex_lock(&w->s->j->lock);
    t->segment->append += JF_SEAL_ROOM;
    pthread_mutex_unlock(&w->s->j->lock);
    write_ahead(w, t);
    return PEN_OK;
}

static pen_status sync_all(struct writer *w, struct pen_error *err)
{
    for (uint32_t p = 0; p < w->s->j->partitions; p++)
        if (w->tails[p].segment && sync_tail(w, &w->tails[p], err) < 0)
            return PEN_FATAL;
    return PEN_OK;
}

pen_status writer_stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct writer *w = writer;
    struct staged_head head = { .pieces = w->n_pieces, .runs = w->runs.failed ? 0 : w->runs.n };
    size_t pieces = w->n_pieces * sizeof *w->pieces, runs = head.runs * sizeof *w->runs.v;
    if (w->n_pieces == 0)
        return PEN_OK;
    if (pen_failpoint("journal.stage", err) < 0)
        return PEN_FATAL;
    if (w->s->o.fsync && w->bytes <= SEALED_MOST ? leave_room(w, &head, err) < 0 : sync_all(w, err) < 0)
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

void writer_abandon(void *writer)
{
    struct writer *w = writer;
    pieces_let_go(w->s->j, w->pieces, w->n_pieces);
    /* The files go on behind what is abandoned, but for the room at their very end. */
    for (size_t i = w->n_pieces; i-- > 0;) {
        struct tail *t = &w->tails[w->pieces[i].partition];
        if (t->segment && t->segment->is.number == w->pieces[i].segment && t->segment->append == w->pieces[i].to &&
            jio_truncate(t->fd, w->pieces[i].from) == 0) {
            pthread_mutex_lock(&w->s->j->lock);
            t->segment->append = w->pieces[i].from;
            pthread_mutex_unlock(&w->s->j->lock);
            t->flushed = t->flushed < w->pieces[i].from ? t->flushed : w->pieces[i].from;
            t->ahead = t->ahead < w->pieces[i].from ? t->ahead : w->pieces[i].from;
        }
    }
    begin_anew(w);
}

void writer_close(void *writer)
{
    struct writer *w = writer;
    if (!w)
        return;
    writer_abandon(w);
    for (unsigned p = 0; p < JF_PARTITIONS; p++)
        leave_segment(w, &w->tails[p]);
    free(w->pieces);
    free(w->runs.v);
    free(w->scratch.p);
    free(w->rows_of);
    free(w);
}
