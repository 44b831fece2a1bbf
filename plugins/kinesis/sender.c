/* sender.c - the threads that send what a writer holds: PutRecords, its partial failures, pauses. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "writer.h"

#define PAUSE 25000            /* microseconds after a refusal; doubles */
#define LONGEST_PARTLY 400000  /* where some records went through: other shards are not to wait long */
#define LONGEST_PAUSE 5000000

/* What one call carries. */
struct load {
    uint32_t index[KIN_CALL_RECORDS];
    struct batcher_record records[KIN_CALL_RECORDS];
    struct kin_put put[KIN_CALL_RECORDS];
    size_t n;
    struct target target;
    struct pen_text body;
};

/* -- work -------------------------------------------------------------------------------------------------------------------------- */

struct work *work_new(void)
{
    return calloc(1, sizeof(struct work));
}

static void held_fini(struct held *h)
{
    pen_array_release(&h->array);
    pen_text_fini(&h->text);
}

void work_free(struct work **w)
{
    if (!*w)
        return;
    for (size_t i = 0; i < (*w)->n_held; i++)
        held_fini(&(*w)->held[i]);
    batcher_fini(&(*w)->batcher);
    free((*w)->held);
    free((*w)->places);
    free(*w);
    *w = NULL;
}

/* -- the request -------------------------------------------------------------------------------------------------------------------- */

static void put_key(struct writer *w, struct pen_text *t, const struct batcher_record *r, uint64_t *random)
{
    (void)w;
    if (r->key) {
        pen_text_json_string(t, r->key, r->key_n);
        return;
    }
    *random ^= *random << 13, *random ^= *random >> 7, *random ^= *random << 17;
    pen_text_format(t, "\"%016llx\"", (unsigned long long)*random);
}

static void make_body(struct writer *w, struct load *l, uint64_t *random)
{
    kin_body(&l->body, l->target.name);
    pen_text_put(&l->body, ",\"Records\":[");
    for (size_t i = 0; i < l->n; i++) {
        pen_text_put(&l->body, i ? ",{\"Data\":\"" : "{\"Data\":\"");
        pen_text_base64(&l->body, l->records[i].value, l->records[i].value_n);
        pen_text_put(&l->body, "\",\"PartitionKey\":");
        put_key(w, &l->body, &l->records[i], random);
        pen_text_put(&l->body, "}");
    }
    pen_text_put(&l->body, "]}");
}

/* -- the answer ---------------------------------------------------------------------------------------------------------------------- */

static void note_place(struct work *work, uint32_t index, const struct kin_put *put)
{
    unsigned long long shard;
    char name[SHARD_NAME];
    struct place *p = &work->places[work->first + index];
    p->seq = put->seq;
    p->shard = UINT64_MAX;
    if (sscanf(put->shard, "shardId-%llu", &shard) == 1) {
        snprintf(name, sizeof name, "shardId-%012llu", shard);
        if (strcmp(name, put->shard) == 0)
            p->shard = shard;
    }
}

/* lock held. */
static void record_done(struct writer *w, struct work *work, uint32_t index, uint32_t owner)
{
    struct held *h = &work->held[owner];
    batcher_done(&work->batcher, index);
    w->bytes += work->batcher.v[index].value_n;
    if (--h->left == 0) {
        work->bytes -= h->bytes;
        held_fini(h);
        memset(h, 0, sizeof *h);
    }
}

/* Pauses grow with each refusal in a row and are drawn at random below that, so that many writers do not come back at once. lock held. */
static void pause_after(struct writer *w, int64_t longest)
{
    int64_t bound = PAUSE;
    for (unsigned i = 0; i < w->refusals && bound < longest; i++)
        bound *= 2;
    bound = bound < longest ? bound : longest;
    w->random ^= w->random << 13, w->random ^= w->random >> 7, w->random ^= w->random << 17;
    w->not_before = pen_now(w->s->host) + bound / 2 + (int64_t)(w->random % (uint64_t)(bound / 2));
    if (w->refusals < 30)
        w->refusals++;
}

static void note_trouble(struct pen_error *to, const struct pen_error *from)
{
    *to = *from;
    to->code = PEN_RETRY;
}

/* Every record of the call has an answer of its own. lock held. */
static void take_answers(struct writer *w, struct work *work, const struct load *l, const char *message)
{
    size_t refused = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (!l->put[i].stored) {
            batcher_again(&work->batcher, l->index[i]);
            refused++;
            continue;
        }
        if (w->places)
            note_place(work, l->index[i], &l->put[i]);
        record_done(w, work, l->index[i], l->records[i].owner);
    }
    pen_count(w->s->host, "records_sent_total", NULL, (int64_t)(l->n - refused));
    if (!refused) {
        w->refusals = 0;
        w->trouble.code = PEN_OK;
        return;
    }
    pen_count(w->s->host, "records_refused_total", NULL, (int64_t)refused);
    w->trouble = (struct pen_error){ 0 };
    pen_fail(&w->trouble, PEN_RETRY, "%s: %zu of %zu records were refused for now: %s", l->target.what, refused, l->n, message);
    pause_after(w, refused == l->n ? LONGEST_PAUSE : LONGEST_PARTLY);
}

/* lock held. */
static void take_failure(struct writer *w, struct work *work, const struct load *l, kin_outcome outcome, const struct pen_error *err)
{
    bool passing = outcome == KIN_LATER || outcome == KIN_THROTTLED;
    for (size_t i = 0; i < l->n; i++)
        batcher_again(&work->batcher, l->index[i]);
    if (passing) {
        note_trouble(&w->trouble, err);
        pause_after(w, LONGEST_PAUSE);
    } else if (w->failure.code == PEN_OK) {
        w->failure = *err;
        w->failure.code = kin_status(outcome, err);
    }
}

/* -- the thread ---------------------------------------------------------------------------------------------------------------------- */

static void wait_until(struct writer *w, pthread_cond_t *cond, int64_t at)
{
    struct timespec t = { .tv_sec = (time_t)(at / 1000000), .tv_nsec = (long)(at % 1000000) * 1000 };
    pthread_cond_timedwait(cond, &w->lock, &t);
}

void sender_wait(struct writer *w, int64_t microseconds)
{
    wait_until(w, &w->done, pen_now(w->s->host) + microseconds);
}

/* Waits for something to send, and takes it. NULL: to stop. lock held. */
static struct work *next_load(struct writer *w, struct load *l)
{
    size_t most = w->s->record_size > KIN_CALL_BYTES ? KIN_LARGE_CALL_BYTES : KIN_CALL_BYTES;
    while (!w->stop) {
        bool may = w->failure.code == PEN_OK && !w->abandoned;
        int64_t now = pen_now(w->s->host);
        if (may && w->not_before > now && w->work->batcher.ready_n) {
            wait_until(w, &w->more, w->not_before);
            continue;
        }
        l->n = may ? batcher_take(&w->work->batcher, l->index, KIN_CALL_RECORDS, most) : 0;
        if (!l->n) {
            pthread_cond_wait(&w->more, &w->lock);
            continue;
        }
        for (size_t i = 0; i < l->n; i++)
            l->records[i] = w->work->batcher.v[l->index[i]];
        l->target = w->targets[l->records[0].tag];
        w->work->flying++;
        return w->work;
    }
    return NULL;
}

/* The call has ended: what it means for its records, unless they were abandoned meanwhile. lock held. */
static void land(struct writer *w, struct work *work, const struct load *l, kin_outcome outcome, const char *message, const struct pen_error *err)
{
    work->flying--;
    if (work->abandoned) {
        w->abandoned--;
        if (!work->flying)
            work_free(&work);
    } else if (outcome == KIN_ANSWERED) {
        take_answers(w, work, l, message);
    } else {
        take_failure(w, work, l, outcome, err);
    }
    pthread_cond_broadcast(&w->more);
    pthread_cond_broadcast(&w->done);
}

static void *send_all(void *arg)
{
    struct writer *w = arg;
    struct load *l = calloc(1, sizeof *l);
    struct work *work;
    uint64_t random = 1;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random || !random)
        random = (uint64_t)pen_now(w->s->host) | 1;
    pthread_mutex_lock(&w->lock);
    if (!l)
        pen_fail(&w->failure, PEN_FATAL, "out of memory");
    while (l && (work = next_load(w, l))) {
        struct pen_error err = { 0 }, why = { 0 };
        struct aws_answer a;
        char message[300] = "";
        kin_outcome outcome;
        pthread_mutex_unlock(&w->lock);
        make_body(w, l, &random);
        outcome = kin_call(&w->s->client, "PutRecords", &l->body, 4 << 20, l->target.what, &a, &err);
        if (outcome == KIN_ANSWERED && kin_parse_put(a.body, a.n, l->put, l->n, message, sizeof message, &why) < 0)
            outcome = kin_garbled(l->target.what, &why, &err);
        if (a.unclear)
            pen_count(w->s->host, "unclear_calls_total", NULL, 1);
        aws_answer_fini(&a);
        pthread_mutex_lock(&w->lock);
        land(w, work, l, outcome, message, &err);
    }
    pthread_mutex_unlock(&w->lock);
    if (l)
        pen_text_fini(&l->body);
    free(l);
    return NULL;
}

pen_status sender_start(struct writer *w, struct pen_error *err)
{
    while (w->n_threads < (unsigned)w->s->o.in_flight) {
        if (pthread_create(&w->threads[w->n_threads], NULL, send_all, w) != 0)
            return w->n_threads ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: no thread can be started", w->s->o.stream);
        w->n_threads++;
    }
    return PEN_OK;
}

void sender_stop(struct writer *w)
{
    atomic_store(&w->s->client.give_up, true); /* writers are closed together, when all lanes have ended */
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    while (w->n_threads)
        pthread_join(w->threads[--w->n_threads], NULL);
}
