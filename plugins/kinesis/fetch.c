/* fetch.c - the threads that read ahead: each takes the shard that has waited longest, asks for its next records, and puts them where its lane finds
 * them. What lies ready is bounded; the service's limits (calls and bytes a second for each shard) are kept. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"

#define CALL_EVERY 210000          /* microseconds between two calls for a shard: five a second */
#define ITERATOR_AGE 240000000     /* an iterator is good for five minutes */
#define ANSWER_LIMIT (32u << 20)   /* 10 MiB of data in base64, with what is around it */
#define FIRST_LIMIT 200            /* records of the first call, when their size is not known */
#define SHARD_MOST (1u << 20)      /* bytes that lie ready of one shard */
#define SHARD_LEAST 65536u
#define LONGEST_PAUSE 10000000

struct task { /* one call, out of a shard */
    struct shard *sh;
    struct kin_shard is; /* a copy, as the list may change meanwhile */
    unsigned epoch;
    char *iterator;
    int64_t iterator_at;
    struct pen_position from;
    bool horizon;
    int64_t limit, began;
    char what[STREAM_NAME + SHARD_NAME + 20];
};

void chunk_free(struct chunk **c)
{
    if (*c)
        kin_records_fini(&(*c)->records);
    free(*c);
    *c = NULL;
}

void fetch_seek(struct source *s, struct shard *sh, const struct pen_position *pos)
{
    while (sh->first) {
        struct chunk *c = sh->first;
        sh->first = c->next;
        chunk_free(&c);
    }
    chunk_free(&sh->current);
    free(sh->iterator);
    sh->iterator = NULL;
    sh->last = NULL;
    sh->queued = 0;
    sh->epoch++;
    sh->due = 0;
    sh->from = *pos;
    sh->horizon = sh->exhausted = sh->relisted = sh->read_out = false;
    sh->looked = 0;
    sh->troubles = 0;
    sh->trouble.code = PEN_OK;
    pthread_cond_broadcast(&s->more);
}

size_t fetch_share(const struct source *s)
{
    size_t share = (size_t)s->o.buffer / 2 / (s->held ? s->held : 1);
    return share > SHARD_MOST ? SHARD_MOST : share < SHARD_LEAST ? SHARD_LEAST : share;
}

/* -- requests -------------------------------------------------------------------------------------------------------------------------------- */

/* Where an iterator is to begin, as members of the request. */
static void put_begin(struct pen_text *t, const struct task *k)
{
    struct seq at = position_seq(&k->from);
    char digits[SEQ_TEXT];
    if (k->horizon || seq_is_zero(&at)) {
        pen_text_put(t, ",\"ShardIteratorType\":\"TRIM_HORIZON\"");
    } else if (!at.w[0] && !at.w[1]) { /* a time in milliseconds: no sequence number is that small */
        pen_text_format(t, ",\"ShardIteratorType\":\"AT_TIMESTAMP\",\"Timestamp\":%" PRIu64 ".%03" PRIu64, at.w[2] / 1000, at.w[2] % 1000);
    } else if (seq_compare(&at, &k->is.first) <= 0) {
        pen_text_format(t, ",\"ShardIteratorType\":\"AT_SEQUENCE_NUMBER\",\"StartingSequenceNumber\":\"%s\"",
                        seq_format(digits, &k->is.first));
    } else {
        at = seq_previous(at);
        pen_text_format(t, ",\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\",\"StartingSequenceNumber\":\"%s\"", seq_format(digits, &at));
    }
}

static kin_outcome get_iterator(struct source *s, struct task *k, struct pen_text *body, struct pen_error *err)
{
    struct aws_answer a;
    struct pen_error why = { 0 };
    kin_outcome outcome;
    kin_body(body, s->o.stream);
    pen_text_put(body, ",\"ShardId\":");
    pen_text_json_string(body, k->is.name, strlen(k->is.name));
    put_begin(body, k);
    pen_text_put(body, "}");
    outcome = kin_call(&s->client, "GetShardIterator", body, 0, k->what, &a, err);
    if (outcome == KIN_ANSWERED && kin_parse_text(a.body, a.n, "ShardIterator", &k->iterator, &why) < 0)
        outcome = kin_garbled(k->what, &why, err);
    k->iterator_at = pen_now(s->host);
    aws_answer_fini(&a);
    return outcome;
}

static kin_outcome get_records(struct source *s, struct task *k, struct pen_text *body, struct chunk *c, struct pen_error *err)
{
    struct aws_answer a;
    struct pen_error why = { 0 };
    kin_outcome outcome;
    pen_text_clear(body);
    pen_text_put(body, "{\"ShardIterator\":");
    pen_text_json_string(body, k->iterator, strlen(k->iterator));
    pen_text_format(body, ",\"Limit\":%" PRId64 "}", k->limit);
    k->began = pen_now(s->host);
    outcome = kin_call(&s->client, "GetRecords", body, ANSWER_LIMIT, k->what, &a, err);
    c->bytes = a.n;
    if (outcome == KIN_ANSWERED && kin_parse_records(a.body, a.n, &c->records, &why) < 0)
        outcome = kin_garbled(k->what, &why, err);
    aws_answer_fini(&a);
    return outcome;
}

/* -- what came of it; lock held -------------------------------------------------------------------------------------------------------------- */

/* An empty answer from before what the service keeps: its iterator would crawl through hours without records. */
static bool is_stuck(const struct source *s, const struct task *k, const struct kin_records *r)
{
    struct seq at = position_seq(&k->from);
    return r->n == 0 && r->behind / 1000 >= s->retention - 60 && !k->horizon && (at.w[0] || at.w[1]);
}

static void take_records(struct source *s, struct shard *sh, struct task *k, struct chunk **c)
{
    struct kin_records *r = &(*c)->records;
    int64_t pause = r->n ? CALL_EVERY : s->o.poll_interval, by_rate;
    free(sh->iterator);
    sh->iterator = r->next ? strdup(r->next) : NULL;
    sh->iterator_at = pen_now(s->host);
    if (is_stuck(s, k, r)) {
        free(sh->iterator);
        sh->iterator = NULL;
        sh->horizon = true;
    }
    sh->exhausted = !r->next;
    s->list_now = s->list_now || sh->exhausted;
    if (r->behind > 0 && !r->n)
        pause = CALL_EVERY; /* a stretch without records */
    if (r->behind == 0 && !r->n)
        sh->looked = k->began;
    if (r->behind >= 0)
        pen_gauge(s->host, "lag_seconds", sh->is.name, (double)r->behind / 1000);
    by_rate = s->o.shard_rate > 0 ? (int64_t)((double)r->bytes * 1e6 / (double)s->o.shard_rate) : 0;
    sh->due = k->began + (by_rate > pause ? by_rate : pause);
    if (r->n) {
        struct seq next = seq_next(r->v[r->n - 1].seq);
        sh->from = position_at(&next, 0);
        sh->horizon = false;
        sh->average = ((int64_t)(r->bytes / r->n) + 3 * (sh->average ? sh->average : (int64_t)(r->bytes / r->n))) / 4 + 1;
        if (sh->last)
            sh->last->next = *c;
        else
            sh->first = *c;
        sh->last = *c;
        sh->queued += (*c)->bytes;
        *c = NULL;
    }
    if (sh->exhausted)
        pthread_cond_broadcast(&s->more); /* the steward is to list its children */
}

static int64_t pause_after(const struct source *s, struct shard *sh)
{
    int64_t pause = CALL_EVERY;
    for (unsigned i = 0; i < sh->troubles && pause < LONGEST_PAUSE; i++)
        pause *= 2;
    sh->troubles++;
    pause = pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
    return pen_now(s->host) + pause / 2 + (int64_t)(((uint64_t)pen_now(s->host) * 2654435761u) % (uint64_t)(pause / 2));
}

static void take_failure(struct source *s, struct shard *sh, struct task *k, kin_outcome outcome, const struct pen_error *err)
{
    struct seq from = position_seq(&k->from);
    sh->due = sh->troubles || (outcome != KIN_EXPIRED && outcome != KIN_INVALID) ? pause_after(s, sh) : 0;
    if (outcome == KIN_EXPIRED) {
        pen_count(s->host, "iterators_expired_total", NULL, 1);
        sh->troubles = sh->troubles ? sh->troubles : 1;
        return;
    }
    if (outcome == KIN_INVALID && !k->horizon && !seq_is_zero(&from)) {
        sh->horizon = true; /* that record is not held any more; that none behind it was lost has been seen to (source.c) */
        return;
    }
    if (outcome == KIN_THROTTLED || outcome == KIN_LATER) {
        sh->iterator = k->iterator; /* still good */
        sh->iterator_at = k->iterator_at;
        k->iterator = NULL;
    }
    if (outcome == KIN_THROTTLED && sh->troubles < 4)
        return; /* nothing to speak of */
    sh->trouble = *err;
    sh->trouble.code = kin_status(outcome, err);
}

static void finish(struct source *s, struct task *k, kin_outcome outcome, struct chunk **c, const struct pen_error *err)
{
    struct shard *sh = k->sh;
    sh->fetching = false;
    if (sh->epoch != k->epoch || !sh->reader)
        return;
    if (outcome == KIN_ANSWERED) {
        sh->troubles = 0;
        sh->trouble.code = PEN_OK;
        take_records(s, sh, k, c);
    } else {
        take_failure(s, sh, k, outcome, err);
    }
    reader_signal(sh->reader);
}

/* -- the threads --------------------------------------------------------------------------------------------------------------------------------- */

/* Whether something is to be asked of it; *when: at the earliest. */
static bool wants(const struct source *s, const struct shard *sh)
{
    return sh->reader && !sh->fetching && !sh->exhausted && sh->queued < fetch_share(s) && sh->trouble.code != PEN_FATAL &&
           sh->trouble.code != PEN_BADCONF && shard_is_open(sh);
}

/* The shard that is due first; NULL: to stop. */
static struct shard *next_shard(struct source *s)
{
    while (!s->stop) {
        struct shard *best = NULL;
        int64_t now = pen_now(s->host);
        for (size_t i = 0; i < s->n_shards; i++)
            if (wants(s, s->shards[i]) && (!best || s->shards[i]->due < best->due))
                best = s->shards[i];
        if (best && best->due <= now)
            return best;
        source_wait(s, best ? best->due : now + 60000000);
    }
    return NULL;
}

static void take_task(struct source *s, struct shard *sh, struct task *k)
{
    int64_t limit = sh->average ? (int64_t)fetch_share(s) / sh->average : FIRST_LIMIT;
    *k = (struct task){ .sh = sh, .is = sh->is, .epoch = sh->epoch, .from = sh->from, .horizon = sh->horizon };
    k->limit = limit < 1 ? 1 : limit > 10000 ? 10000 : limit;
    snprintf(k->what, sizeof k->what, "stream %s: %s", s->o.stream, sh->is.name);
    sh->fetching = true;
    if (sh->iterator && pen_now(s->host) - sh->iterator_at < ITERATOR_AGE) {
        k->iterator = sh->iterator;
        k->iterator_at = sh->iterator_at;
        sh->iterator = NULL;
    }
    free(sh->iterator);
    sh->iterator = NULL;
}

static void *fetch(void *arg)
{
    struct source *s = arg;
    struct shard *sh;
    struct pen_text body = { 0 };
    pthread_mutex_lock(&s->lock);
    while ((sh = next_shard(s))) {
        struct pen_error err = { 0 };
        struct chunk *c = calloc(1, sizeof *c);
        kin_outcome outcome = KIN_ANSWERED;
        struct task k;
        take_task(s, sh, &k);
        pthread_mutex_unlock(&s->lock);
        if (!c) {
            pen_fail(&err, PEN_FATAL, "out of memory");
            outcome = KIN_FAILED;
        }
        if (outcome == KIN_ANSWERED && !k.iterator)
            outcome = get_iterator(s, &k, &body, &err);
        if (outcome == KIN_ANSWERED)
            outcome = get_records(s, &k, &body, c, &err);
        pthread_mutex_lock(&s->lock);
        finish(s, &k, outcome, &c, &err);
        chunk_free(&c);
        free(k.iterator);
    }
    pthread_mutex_unlock(&s->lock);
    pen_text_fini(&body);
    return NULL;
}

void fetch_start(struct source *s)
{
    size_t wanted = 1 + s->held / 4;
    while (s->n_threads < FETCHERS && s->n_threads < wanted && pthread_create(&s->threads[s->n_threads], NULL, fetch, s) == 0)
        s->n_threads++;
}
