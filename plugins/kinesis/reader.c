/* reader.c - a lane's reader: gives what fetchers have put ready, shard by shard, and says where each ends. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "source.h"

#define SETTLING 1000000 /* microseconds until what was stored is certain to be found: an end counts only when looked for after that */
#define MARKS 24         /* so often in the time that records are kept an idle shard's position is committed anew */
#define LOOK_EVERY 30000000

pen_status reader_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct source *s = ctx;
    struct reader *r = calloc(1, sizeof *r);
    (void)lane;
    if (!r)
        return pen_fail(err, PEN_FATAL, "out of memory");
    r->s = s;
    r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->fd < 0) {
        free(r);
        return pen_fail(err, PEN_FATAL, "stream %s: no eventfd: %s", s->o.stream, strerror(errno));
    }
    *out = r;
    return PEN_OK;
}

/* lock held. */
static void leave(struct reader *r, struct shard *sh)
{
    fetch_seek(r->s, sh, &sh->at);
    sh->reader = NULL;
    r->n--;
    r->s->held--;
}

void reader_close(void *reader)
{
    struct reader *r = reader;
    if (!r)
        return;
    pthread_mutex_lock(&r->s->lock);
    for (size_t i = 0; i < r->s->n_shards; i++)
        if (r->s->shards[i]->reader == r)
            leave(r, r->s->shards[i]);
    pthread_mutex_unlock(&r->s->lock);
    close(r->fd);
    free(r);
}

pen_status reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    struct source *s = r->s;
    pen_status st = PEN_OK;
    pthread_mutex_lock(&s->lock);
    if (pos->n != 4 || id >= s->n_shards) {
        st = pen_fail(err, PEN_FATAL, "stream %s: no such place: shard %u, a position of %u words", s->o.stream, id, pos->n);
    } else {
        struct shard *sh = s->shards[id];
        if (!sh->reader) {
            sh->reader = r;
            r->n++;
            s->held++;
        }
        sh->at = *pos;
        sh->bound.n = 0;
        fetch_seek(s, sh, pos);
        if (shard_is_behind(sh, pos))
            sh->exhausted = sh->relisted = true; /* nothing to be asked of it */
        fetch_start(s);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

pen_status reader_remove(void *reader, uint32_t id, struct pen_error *err)
{
    struct reader *r = reader;
    (void)err;
    pthread_mutex_lock(&r->s->lock);
    if (id < r->s->n_shards && r->s->shards[id]->reader == r)
        leave(r, r->s->shards[id]);
    pthread_mutex_unlock(&r->s->lock);
    return PEN_OK;
}

pen_status reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    (void)err;
    pthread_mutex_lock(&r->s->lock);
    if (id < r->s->n_shards && r->s->shards[id]->reader == r)
        r->s->shards[id]->bound = *pos;
    pthread_mutex_unlock(&r->s->lock);
    return PEN_OK;
}

/* -- records ------------------------------------------------------------------------------------------------------------------------------- */

/* The chunk that the lane is at, or the next one; NULL: nothing is ready. */
static struct chunk *current(struct source *s, struct shard *sh)
{
    struct chunk *c = sh->current;
    if (c && c->at < c->records.n)
        return c;
    pthread_mutex_lock(&s->lock);
    if (c) {
        sh->queued -= c->bytes;
        chunk_free(&sh->current);
        pthread_cond_broadcast(&s->more);
    }
    c = sh->current = sh->first;
    if (c) {
        sh->first = c->next;
        sh->last = sh->first ? sh->last : NULL;
        c->next = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return c;
}

static uint64_t arrival_word(const struct kin_record *r, const struct pen_position *at)
{
    return r->arrival > 0 ? (uint64_t)(r->arrival / 1000000) : at->w[3] < RECORD_WORD ? at->w[3] : 0;
}

static void feed_one(struct pen_intake *in, const struct shard *sh, const struct kin_record *r)
{
    struct pen_position at = position_at(&r->seq, RECORD_WORD);
    struct pen_message m = { .key = r->key, .key_size = r->key_n, .value = r->data, .value_size = r->data_n, .timestamp = r->arrival,
                             .partition = sh->is.name, .offset = -1, .position = RECORD_WORD, .at = &at };
    if (in)
        pen_intake_message(in, &m);
}

/* Gives records of one shard up to what is asked for; PEN_SKIP: there are none. */
static pen_status give(struct reader *r, struct shard *sh, struct pen_read *read)
{
    struct chunk *c;
    struct seq bound = position_seq(&sh->bound);
    int64_t rows = 0;
    size_t bytes = 0;
    read->from = sh->at;
    while (rows < read->max_rows && bytes < read->max_bytes && (c = current(r->s, sh))) {
        const struct kin_record *k = &c->records.v[c->at];
        struct seq at = position_seq(&sh->at), next = seq_next(k->seq);
        if (seq_compare(&k->seq, &at) < 0) { /* from before what was asked for */
            c->at++;
            continue;
        }
        if (sh->bound.n && seq_compare(&k->seq, &bound) >= 0) {
            if (!rows && pen_position_compare(&sh->at, &sh->bound) < 0)
                sh->at = sh->bound; /* no record lies between */
            break;
        }
        feed_one(read->intakes[0], sh, k);
        rows++;
        bytes += k->key_n + k->data_n + 64;
        sh->at = position_at(&next, arrival_word(k, &sh->at));
        c->at++;
    }
    read->to = sh->at;
    return pen_position_compare(&read->from, &read->to) != 0 ? PEN_OK : PEN_SKIP;
}

/* -- ends, marks, trouble -------------------------------------------------------------------------------------------------------------------- */

/* A closed shard that has been given whole: its position moves behind its last sequence number, which is committed at once, as its children wait
 * for that. lock held. */
static pen_status end_of_shard(struct source *s, struct shard *sh, struct pen_read *read)
{
    struct seq end = seq_next(sh->is.last), at = position_seq(&sh->at);
    if (!sh->exhausted || !sh->relisted || sh->first)
        return PEN_SKIP;
    read->end = true;
    read->urgent = !sh->read_out;
    if (sh->is.closed && seq_compare(&at, &end) < 0)
        sh->at = position_at(&end, (uint64_t)kin_time(&s->client));
    sh->read_out = true;
    read->to = sh->at;
    return PEN_OK;
}

/* lock held. */
static pen_status end_of_run(struct source *s, struct shard *sh, struct pen_read *read)
{
    int64_t since = read->ends_since > s->opened_at ? read->ends_since : s->opened_at;
    if (!pen_until_end(s->host) || sh->first || sh->looked < since + SETTLING)
        return PEN_SKIP;
    read->end = true;
    return PEN_OK;
}

/* Nothing comes, and nothing was missed until now: that is worth a commit now and then, see source.c. lock held. */
static pen_status mark(struct source *s, struct shard *sh, struct pen_read *read)
{
    int64_t now = kin_time(&s->client), told = sh->at.w[3] < RECORD_WORD ? (int64_t)sh->at.w[3] : 0;
    if (!sh->looked || sh->first || sh->exhausted || now - told < s->retention / MARKS || pen_now(s->host) - sh->looked > LOOK_EVERY)
        return PEN_SKIP;
    sh->at.w[3] = (uint64_t)now;
    read->to = sh->at;
    read->urgent = true;
    return PEN_OK;
}

static pen_status read_shard(struct reader *r, struct shard *sh, struct pen_read *read, struct pen_error *trouble)
{
    struct source *s = r->s;
    pen_status st = give(r, sh, read);
    if (st != PEN_SKIP)
        return st;
    pthread_mutex_lock(&s->lock);
    if (sh->trouble.code < 0 && (trouble->code == PEN_OK || trouble->code == PEN_RETRY))
        *trouble = sh->trouble;
    st = end_of_shard(s, sh, read);
    if (st == PEN_SKIP)
        st = mark(s, sh, read);
    if (st == PEN_SKIP)
        st = end_of_run(s, sh, read);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* The i-th shard from the one whose turn it is; NULL: it is not ours. */
static struct shard *shard_at(struct reader *r, size_t i, size_t *n, uint32_t *id)
{
    struct source *s = r->s;
    struct shard *sh = NULL;
    pthread_mutex_lock(&s->lock);
    *n = s->n_shards;
    if (i < *n) {
        *id = (uint32_t)((r->turn + i) % *n);
        sh = s->shards[*id]->reader == r ? s->shards[*id] : NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return sh;
}

static pen_status steward_trouble(struct source *s, struct pen_error *err)
{
    pen_status st;
    pthread_mutex_lock(&s->lock);
    st = s->trouble.code < 0 ? pen_fail(err, s->trouble.code, "%s", s->trouble.msg) : PEN_OK;
    pthread_mutex_unlock(&s->lock);
    return st;
}

pen_status reader_read(void *reader, struct pen_read *read, struct pen_error *err)
{
    struct reader *r = reader;
    struct pen_error trouble = { 0 };
    eventfd_t drained;
    size_t n = 1;
    pen_status st = pen_failpoint("kinesis.read", err);
    if (st >= 0)
        st = steward_trouble(r->s, err);
    if (st < 0)
        return st;
    (void)eventfd_read(r->fd, &drained);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = 0;
        struct shard *sh = shard_at(r, i, &n, &id);
        if (!sh || read_shard(r, sh, read, &trouble) == PEN_SKIP)
            continue;
        read->partition = id;
        r->turn = id + 1;
        return PEN_OK;
    }
    return trouble.code < 0 ? pen_fail(err, trouble.code, "%s", trouble.msg) : PEN_SKIP;
}

int reader_fd(void *reader)
{
    struct reader *r = reader;
    return r->fd;
}

int64_t reader_wake_at(void *reader)
{
    struct reader *r = reader;
    return r->n ? pen_now(r->s->host) + LOOK_EVERY : INT64_MAX;
}
