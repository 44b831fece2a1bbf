/* worker.c - one thread for each lane, which waits for the server and builds the next batch while the lane is busy with the one before.
 *
 * It keeps one batch ready, and makes the next only when that one was taken: memory is two batches and what the client library holds of one row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "rds.h"

#define FIRST_PAUSE 200000     /* microseconds until a lost connection is made anew; doubles */
#define LONGEST_PAUSE 10000000
#define LOOK_EVERY 10000000    /* microseconds between two looks at what the tables are */

void rds_block_clear(const struct rds *s, struct rds_block *b)
{
    for (size_t i = 0; b->batches && i < s->n_tables; i++)
        pen_array_release(&b->batches[i]);
    memset(&b->error, 0, sizeof b->error);
    b->status = PEN_OK;
    b->end = false;
    b->n_rows = 0; /* their memory stays: it may be lent */
}

/* -- connections ------------------------------------------------------------------------------------------------------------------------ */

static void set_db(struct rds_reader *r, struct rds_db *db)
{
    pthread_mutex_lock(&r->lock);
    r->db = db;
    if (r->stop && db)
        r->source->driver->interrupt(db);
    pthread_mutex_unlock(&r->lock);
}

void rds_let_view_go(struct rds_reader *r)
{
    struct rds_db *db = r->db;
    set_db(r, NULL);
    r->cursor.open = r->cursor.pending = r->cursor.viewed = false;
    rds_view_give(r->source, db);
}

void rds_disconnect(struct rds_reader *r)
{
    struct rds_db *db = r->db;
    set_db(r, NULL);
    r->cursor.open = r->cursor.pending = false;
    r->source->driver->close(&db);
    if (r->cursor.viewed)
        rds_view_give(r->source, NULL);
    r->cursor.viewed = false;
}

/* Whether the tables are still what they were. */
static pen_status look(struct rds_reader *r, struct pen_error *err)
{
    struct rds *s = r->source;
    pen_status st = PEN_OK;
    if (pen_now(s->host) < r->look_at)
        return PEN_OK;
    for (size_t i = 0; i < s->n_tables && st >= 0; i++) {
        char *added = NULL;
        if (s->outputs[i].read)
            st = rds_compare(s, &s->tables[i], r->db, &added, err);
        if (added && (!r->told[i] || strcmp(added, r->told[i]) != 0)) {
            pen_log(s->host, PEN_LOG_WARN, "table %s has a new column (%s), which is read after the next start", s->tables[i].name, added);
            free(r->told[i]);
            r->told[i] = added;
            continue;
        }
        free(added);
    }
    r->look_at = pen_now(s->host) + LOOK_EVERY;
    return st;
}

pen_status rds_connected(struct rds_reader *r, struct pen_error *err)
{
    struct rds *s = r->source;
    struct rds_db *db = r->db;
    pen_status st = PEN_OK;
    if (!db) {
        st = s->mode == RDS_SNAPSHOT ? rds_view_take(s, &db, err) : s->driver->open(&db, &s->login, err);
        if (st != PEN_OK)
            return st;
        r->cursor.viewed = s->mode == RDS_SNAPSHOT;
        r->pause = 0;
        r->look_at = 0;
        set_db(r, db);
    }
    return s->mode == RDS_SNAPSHOT ? st : look(r, err);
}

/* -- rows -------------------------------------------------------------------------------------------------------------------------------- */

pen_status rds_append_row(struct rds_reader *r, size_t table, struct pen_error *err)
{
    const struct rds_table *t = &r->source->tables[table];
    struct pen_builder *b = r->builders[table];
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct rds_column *c = &t->columns[i];
        const struct rds_cell *cell = &r->cells[i];
        struct pen_builder *child = pen_builder_child(b, i);
        rds_fit fit = RDS_FITS;
        if (cell->bytes)
            fit = c->decode(c, child, cell->bytes, cell->n);
        if (!cell->bytes || fit == RDS_UNFIT)
            pen_builder_null(child);
        r->unfit[i] += fit == RDS_UNFIT;
        if (fit == RDS_BROKEN)
            return pen_fail(err, PEN_FATAL, "%s: what came as %s.%s is no %s", r->source->login.label, t->name, c->name, c->type);
    }
    return PEN_OK;
}

pen_status rds_finish_rows(struct rds_reader *r, size_t table, struct pen_error *err)
{
    const struct rds_table *t = &r->source->tables[table];
    for (size_t i = 0; i < t->n_columns; i++) {
        if (r->unfit[i])
            pen_count(r->source->host, "nulled_total", t->columns[i].name, r->unfit[i]);
        r->unfit[i] = 0;
    }
    if (pen_builder_length(pen_builder_child(r->builders[table], 0)) == 0)
        return PEN_OK;
    return pen_builder_finish(r->builders[table], &r->made.batches[table], err);
}

static void drop_rows(struct rds_reader *r)
{
    for (size_t i = 0; i < r->source->n_tables; i++)
        if (r->builders[i])
            pen_builder_truncate(r->builders[i], 0);
}

/* -- the thread -------------------------------------------------------------------------------------------------------------------------- */

static void signal_lane(struct rds_reader *r)
{
    uint64_t one = 1;
    if (write(r->event_fd, &one, sizeof one) < 0)
        return; /* full is readable all the same */
}

/* The partition to go on with: the one whose query is open, else the one that has been due longest. *due: when there is one, if there is none now.
 * lock held. */
static struct rds_held *pick(struct rds_reader *r, int64_t now, int64_t *due)
{
    struct rds_held *best = NULL;
    *due = INT64_MAX;
    for (struct rds_held *h = r->held; h; h = h->next) {
        if (h->ended)
            continue;
        if (r->cursor.open && h->id == r->cursor.part && h->epoch == r->cursor.epoch && h->due <= now)
            return h;
        if (h->due > now)
            *due = h->due < *due ? h->due : *due;
        else if (!best || h->due < best->due)
            best = h;
    }
    return best;
}

static void wait_until(struct rds_reader *r, int64_t now, int64_t due)
{
    struct timespec t;
    if (due == INT64_MAX) {
        pthread_cond_wait(&r->wake, &r->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)((due - now) / 1000000);
    t.tv_nsec += (long)((due - now) % 1000000 * 1000);
    if (t.tv_nsec >= 1000000000)
        t.tv_sec++, t.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&r->wake, &r->lock, &t);
}

/* A connection that was lost is made anew after a pause, which grows and differs from lane to lane. */
static int64_t back_off(struct rds_reader *r)
{
    r->pause = r->pause ? r->pause * 2 : FIRST_PAUSE;
    r->pause = r->pause < LONGEST_PAUSE ? r->pause : LONGEST_PAUSE;
    r->random = rds_mix(r->random);
    return pen_now(r->source->host) + r->pause / 2 + (int64_t)(r->random % (uint64_t)(r->pause / 2));
}

/* Makes one block, without the lock. */
static void make(struct rds_reader *r, struct rds_job *job)
{
    struct rds_block *b = &r->made;
    pen_status st;
    rds_block_clear(r->source, b);
    b->part = job->part, b->epoch = job->epoch, b->from = b->to = job->at;
    st = pen_failpoint("rds.read", &b->error);
    if (st >= 0)
        st = r->source->mode == RDS_EMULATE ? rds_emulate(r, job, &b->error) : rds_stream(r, job, &b->error);
    if (st < 0) {
        drop_rows(r);
        rds_disconnect(r);
        b->to = b->from;
        b->end = false;
        job->due = st == PEN_RETRY ? back_off(r) : INT64_MAX;
    }
    b->status = st;
}

/* What was made becomes ready, unless the partition was taken away or sought meanwhile. lock held. */
static void publish(struct rds_reader *r, const struct rds_job *job)
{
    struct rds_held *h = r->busy;
    struct rds_block t;
    r->busy = NULL;
    if (h->gone) {
        rds_held_free(h);
        return;
    }
    if (h->epoch != job->epoch)
        return;
    h->due = job->due;
    if (r->made.status == PEN_SKIP)
        return;
    if (r->made.status == PEN_OK) {
        h->at = r->made.to;
        h->ended = r->made.end;
    }
    t = r->ready, r->ready = r->made, r->made = t;
    r->has_ready = true;
    signal_lane(r);
}

static void *work(void *arg)
{
    struct rds_reader *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        int64_t now = pen_now(r->source->host), due = INT64_MAX;
        struct rds_held *h = r->has_ready ? NULL : pick(r, now, &due);
        if (!h) {
            wait_until(r, now, due);
            continue;
        }
        struct rds_job job = { .part = h->id, .epoch = h->epoch, .at = h->at, .bound = h->bound, .rows = r->max_rows, .bytes = r->max_bytes,
                               .watch = h->watch };
        r->busy = h;
        pthread_mutex_unlock(&r->lock);
        make(r, &job);
        pthread_mutex_lock(&r->lock);
        publish(r, &job);
    }
    pthread_mutex_unlock(&r->lock);
    rds_disconnect(r);
    return NULL;
}

pen_status rds_worker_start(struct rds_reader *r, struct pen_error *err)
{
    sigset_t all, before;
    int e;
    sigfillset(&all); /* signals are the engine's; SIGPIPE of a client library is nobody's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    e = pthread_create(&r->thread, NULL, work, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e)
        return pen_fail(err, PEN_FATAL, "a thread for the database: %s", strerror(e));
    r->has_thread = true;
    return PEN_OK;
}

void rds_worker_stop(struct rds_reader *r)
{
    if (!r->has_thread)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    if (r->db)
        r->source->driver->interrupt(r->db);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    r->has_thread = false;
}
