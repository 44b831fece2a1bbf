/* reader.c - a lane's end of the source: hands out what its worker has made ready, and tells it where to go on.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rds.h"

static pen_status make_builders(struct rds_reader *r, struct pen_error *err)
{
    const struct rds *s = r->source;
    size_t widest = 1;
    pen_status st = PEN_OK;
    for (size_t i = 0; i < s->n_tables; i++)
        widest = s->tables[i].n_columns > widest ? s->tables[i].n_columns : widest;
    r->cells = calloc(widest, sizeof *r->cells);
    r->unfit = calloc(widest, sizeof *r->unfit);
    r->told = calloc(s->n_tables, sizeof *r->told);
    r->builders = calloc(s->n_tables, sizeof *r->builders);
    r->ready.batches = calloc(s->n_tables, sizeof *r->ready.batches);
    r->made.batches = calloc(s->n_tables, sizeof *r->made.batches);
    if (!r->cells || !r->unfit || !r->told || !r->builders || !r->ready.batches || !r->made.batches)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < s->n_tables && st >= 0; i++)
        if (s->outputs[i].read)
            st = pen_builder_new(&r->builders[i], &s->outputs[i].schema, err);
    return st;
}

void rds_held_free(struct rds_held *h)
{
    free(h->watch);
    free(h);
}

/* Takes it out of the list. */
static void let_go(struct rds_reader *r, struct rds_held **at)
{
    struct rds_held *h = *at;
    *at = h->next;
    if (h == r->busy)
        h->gone = true;
    else
        rds_held_free(h);
}

void rds_reader_close(void *reader)
{
    struct rds_reader *r = reader;
    rds_worker_stop(r);
    while (r->held)
        let_go(r, &r->held);
    rds_block_clear(r->source, &r->ready);
    rds_block_clear(r->source, &r->made);
    for (size_t i = 0; i < r->source->n_tables; i++) {
        if (r->builders)
            pen_builder_free(&r->builders[i]);
        if (r->told)
            free(r->told[i]);
    }
    free(r->cells), free(r->unfit), free(r->told), free(r->builders);
    free(r->ready.batches), free(r->ready.rows), free(r->made.batches), free(r->made.rows);
    if (r->event_fd >= 0)
        close(r->event_fd);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

pen_status rds_reader_open(void *ctx, unsigned lane, void **reader, struct pen_error *err)
{
    struct rds_reader *r = calloc(1, sizeof *r);
    pthread_condattr_t attr;
    pen_status st;
    if (!r)
        return pen_fail(err, PEN_FATAL, "out of memory");
    r->source = ctx;
    r->random = rds_mix((uint64_t)pen_now(r->source->host) + lane);
    r->max_rows = 4096;
    r->max_bytes = 2 << 20;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attr);
    pthread_condattr_destroy(&attr);
    r->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    st = r->event_fd < 0 ? pen_fail(err, PEN_FATAL, "eventfd: %s", strerror(errno)) : make_builders(r, err);
    if (st >= 0)
        st = rds_worker_start(r, err);
    if (st < 0) {
        rds_reader_close(r);
        return st;
    }
    *reader = r;
    return PEN_OK;
}

/* -- partitions: the lane's calls, under the lock that the worker shares ------------------------------------------------------------------ */

static struct rds_held **find(struct rds_reader *r, uint32_t id)
{
    struct rds_held **at = &r->held;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

/* What was prepared is of no use: go on at pos. */
static void seek(struct rds_reader *r, struct rds_held *h, const struct pen_position *pos)
{
    h->epoch = ++r->epochs;
    h->at = h->given = *pos;
    h->ended = false;
    h->due = 0;
    pthread_cond_signal(&r->wake);
}

static pen_status add(struct rds_reader *r, uint32_t id, const struct pen_position *pos)
{
    struct rds_held **at = find(r, id), *h = *at;
    if (!h) {
        if (!(h = calloc(1, sizeof *h)))
            return PEN_FATAL;
        h->id = id;
        if (r->source->mode == RDS_INCREMENTAL && !(h->watch = calloc(1, sizeof *h->watch))) {
            free(h);
            return PEN_FATAL;
        }
        *at = h; /* behind the others, so that ranges are read in their order */
    }
    memset(&h->bound, 0, sizeof h->bound);
    seek(r, h, pos);
    return PEN_OK;
}

pen_status rds_reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct rds_reader *r = reader;
    pen_status st;
    pthread_mutex_lock(&r->lock);
    st = add(r, id, pos);
    pthread_mutex_unlock(&r->lock);
    return st < 0 ? pen_fail(err, st, "out of memory") : st;
}

pen_status rds_reader_remove(void *reader, uint32_t id, struct pen_error *err)
{
    struct rds_reader *r = reader;
    struct rds_held **at;
    (void)err;
    pthread_mutex_lock(&r->lock);
    at = find(r, id);
    if (*at)
        let_go(r, at);
    pthread_mutex_unlock(&r->lock);
    return PEN_OK;
}

pen_status rds_reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct rds_reader *r = reader;
    struct rds_held *h;
    (void)err;
    pthread_mutex_lock(&r->lock);
    h = *find(r, id);
    if (h && (h->bound.n != pos->n || pen_position_compare(&h->bound, pos) != 0)) {
        struct pen_position given = h->given;
        h->bound = *pos;
        seek(r, h, &given); /* what was prepared may go beyond it */
    }
    pthread_mutex_unlock(&r->lock);
    return PEN_OK;
}

/* -- reading ----------------------------------------------------------------------------------------------------------------------------- */

static pen_status hand_out(struct rds_reader *r, struct pen_read *read, struct pen_error *err)
{
    struct rds_block *b = &r->ready;
    struct rds_held *h = *find(r, b->part);
    pen_status st = b->status;
    if (!h || h->epoch != b->epoch)
        return PEN_SKIP;
    if (st < 0) {
        if (err)
            *err = b->error;
        return st;
    }
    for (size_t i = 0; i < r->source->n_tables; i++) {
        read->batches[i] = b->batches[i];
        b->batches[i].release = NULL;
    }
    read->partition = b->part;
    read->from = b->from;
    read->to = h->given = b->to;
    read->end = b->end;
    read->row_positions = b->n_rows ? b->rows : NULL; /* the worker does not touch them before the next read() */
    return PEN_OK;
}

pen_status rds_read(void *reader, struct pen_read *read, struct pen_error *err)
{
    struct rds_reader *r = reader;
    pen_status st = PEN_SKIP;
    eventfd_t n;
    pthread_mutex_lock(&r->lock);
    r->max_rows = read->max_rows;
    r->max_bytes = read->max_bytes;
    if (r->has_ready) {
        (void)eventfd_read(r->event_fd, &n);
        st = hand_out(r, read, err);
        rds_block_clear(r->source, &r->ready);
        r->has_ready = false;
        pthread_cond_signal(&r->wake);
    }
    pthread_mutex_unlock(&r->lock);
    return st;
}

int rds_fd(void *reader)
{
    return ((struct rds_reader *)reader)->event_fd;
}
