/* source.c - the reading end as control sees it: shards come and go, begin somewhere, are committed.
 *
 * A position has four words. Three are the sequence number of the next record that may come, or, with the first two 0, a time in milliseconds at
 * which to begin (0: at the oldest record). The fourth says when, by the service's clock in seconds, nothing was known to be missed: the arrival of the
 * last record, or a later look that found no more. A stream forgets what is older than its retention; so a position whose fourth word is older than
 * that may have lost records behind it, and otherwise has not. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"

#define GRACE 60 /* seconds that a position may be older than what is kept */

/* -- the instance -------------------------------------------------------------------------------------------------------------------------- */

static pen_status source_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct source *s = ctx;
    s->host = host;
    if (kinesis_check_options(&s->o, &s->start, &s->start_at, err) < 0)
        return PEN_BADCONF;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->more, &attr);
    pthread_condattr_destroy(&attr);
    return PEN_OK;
}

static void source_stop(void *ctx)
{
    struct source *s = ctx;
    atomic_store(&s->client.give_up, true);
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
    while (s->n_threads)
        pthread_join(s->threads[--s->n_threads], NULL);
    if (s->has_steward)
        pthread_join(s->steward, NULL);
    leases_close(s);
    kin_client_close(&s->client);
    for (size_t i = 0; i < s->n_shards; i++) {
        fetch_seek(s, s->shards[i], &s->shards[i]->at);
        free(s->shards[i]);
    }
    free(s->shards);
    pthread_cond_destroy(&s->more);
    pthread_mutex_destroy(&s->lock);
}

static pen_status look(struct source *s, struct pen_error *err)
{
    struct kin_summary summary;
    pen_status st = s->client.aws ? PEN_OK : kin_client_open(&s->client, s->host, &s->o, err);
    if (kinesis_stream_is_open(&s->o))
        return pen_fail(err, PEN_BADCONF, "stream = \"%s\": {output} and {stage} are for writing; reading needs the name of one stream", s->o.stream);
    if (st >= 0)
        st = kin_describe(&s->client, s->o.stream, &summary, err);
    if (st < 0)
        return st;
    if (strcmp(summary.status, "CREATING") == 0 || strcmp(summary.status, "DELETING") == 0)
        return pen_fail(err, PEN_FATAL, "stream %s is %s: it cannot be read", s->o.stream, summary.status);
    s->retention = summary.retention * 3600;
    snprintf(s->incarnation, sizeof s->incarnation, "%" PRId64, summary.created);
    return PEN_OK;
}

/* Which shards there are; then the steward follows them. Before the first event. */
static pen_status begin(struct source *s, struct pen_error *err)
{
    pen_status st = look(s, err);
    if (st >= 0 && s->o.leases)
        st = leases_open(s, err);
    if (st >= 0)
        st = shards_list(s, err);
    if (st < 0)
        return st == PEN_RETRY ? PEN_FATAL : st; /* so that a wrong address is seen at once */
    s->first_at = kin_time(&s->client);
    s->opened_at = pen_now(s->host);
    s->opened = true;
    return steward_start(s, err);
}

static pen_status source_connect(void *ctx, struct pen_error *err)
{
    struct source *s = ctx;
    struct kin_shards list = { 0 };
    pen_status st = look(s, err);
    if (st >= 0)
        st = kin_list_shards(&s->client, s->o.stream, &list, err);
    free(list.v);
    return st;
}

static pen_status source_outputs(void *ctx, struct pen_output **outputs, size_t *n, struct pen_error *err)
{
    struct source *s = ctx;
    (void)err;
    s->output.name = "";
    *outputs = &s->output;
    *n = 1;
    return PEN_OK;
}

/* -- events ----------------------------------------------------------------------------------------------------------------------------------- */

/* What there is to tell of shard sh, lock held. */
static bool event_of(struct source *s, struct shard *sh, struct pen_partition_event *event)
{
    if (sh->assigned && !sh->revoking && sh->lost)
        event->kind = PEN_PARTITION_LOST;
    else if (sh->assigned && !sh->revoking && (sh->read_out || sh->give_up))
        event->kind = PEN_PARTITION_REVOKING;
    else if (!sh->assigned && sh->listed && sh->mine && !sh->finished && !sh->give_up && !sh->lost)
        event->kind = PEN_PARTITION_ASSIGNED;
    else
        return false;
    sh->assigned = true;
    sh->revoking = event->kind != PEN_PARTITION_ASSIGNED;
    snprintf(s->name, sizeof s->name, "%s", sh->is.name);
    event->name = s->name;
    event->incarnation = s->incarnation;
    return true;
}

static pen_status source_next_event(void *ctx, struct pen_partition_event *event, struct pen_error *err)
{
    struct source *s = ctx;
    pen_status st = s->opened ? PEN_OK : begin(s, err);
    if (st < 0)
        return st;
    st = PEN_SKIP;
    memset(event, 0, sizeof *event);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_shards && st == PEN_SKIP; i++) {
        event->id = (uint32_t)i;
        st = event_of(s, s->shards[i], event) ? PEN_OK : PEN_SKIP;
    }
    if (st == PEN_SKIP && pen_until_end(s->host) && !s->told_all && (!s->leases || s->shared_out)) {
        event->kind = PEN_PARTITION_NO_MORE; /* children of those that end are told before their parents' end is */
        s->told_all = true;
        st = PEN_OK;
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* -- positions -------------------------------------------------------------------------------------------------------------------------------- */

/* Records may have gone unread. */
static pen_status trimmed(struct source *s, const struct shard *sh, const char *since, struct pen_error *err)
{
    if (s->o.trimmed == TRIMMED_FAIL)
        return pen_fail(err, PEN_FATAL, "stream %s: %s: %s, and the stream keeps records for %" PRId64 " hours: some may have gone unread. trimmed = skip goes on "
                        "with the oldest that it holds", s->o.stream, sh->is.name, since, s->retention / 3600);
    pen_log(s->host, PEN_LOG_WARN, "stream %s: %s: %s: records may have gone unread (trimmed = skip)", s->o.stream, sh->is.name, since);
    pen_count(s->host, "trimmed_total", NULL, 1);
    return PEN_OK;
}

static struct pen_position beginning_of_run(const struct source *s, const struct shard *sh)
{
    struct seq at = { { 0, 0, 0 } };
    if (s->start == START_LATEST && sh->is.closed)
        at = seq_next(sh->is.last);
    else if (s->start == START_LATEST)
        at.w[2] = (uint64_t)s->first_at * 1000;
    else if (s->start == START_TIME)
        at.w[2] = (uint64_t)(s->start_at / 1000);
    return position_at(&at, (uint64_t)s->first_at);
}

/* A shard that came later begins at its first record. Where its parent is not listed any more, nobody has read that to its end: who reads a parent to
 * its end gives the children their positions right then. */
static pen_status source_beginning(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    struct shard *sh;
    bool orphan;
    pthread_mutex_lock(&s->lock);
    sh = s->shards[id];
    s->first_run = s->first_run || first_run;
    orphan = (sh->is.parents[0][0] && !sh->parents[0]) || (sh->is.parents[1][0] && !sh->parents[1]);
    *pos = sh->initial && s->first_run ? beginning_of_run(s, sh)
                                       : position_at(orphan || !sh->is.parents[0][0] ? &(struct seq){ { 0, 0, 0 } } : &sh->is.first,
                                                     (uint64_t)kin_time(&s->client));
    first_run = sh->initial && s->first_run;
    pthread_mutex_unlock(&s->lock);
    return orphan && !first_run ? trimmed(s, sh, "the shard before it is not listed any more and was not read to its end", err) : PEN_OK;
}

static pen_status source_start_partition(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    struct shard *sh;
    bool behind;
    char since[100];
    int64_t age;
    if (pos->n != 4)
        return pen_fail(err, PEN_FATAL, "stream %s: a position of %u words, where four were expected", s->o.stream, pos->n);
    pthread_mutex_lock(&s->lock);
    sh = s->shards[id];
    behind = shard_is_behind(sh, pos);
    sh->finished = sh->finished || behind;
    sh->read_out = false;
    if (sh->only_look && !behind)
        sh->give_up = sh->undone = true;
    age = kin_time(&s->client) - (int64_t)(pos->w[3] < RECORD_WORD ? pos->w[3] : 0);
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
    if (behind || age <= s->retention + GRACE)
        return PEN_OK;
    snprintf(since, sizeof since, "it was read to a position of %" PRId64 " hours ago", age / 3600);
    return trimmed(s, sh, since, err);
}

static pen_status source_settle(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    (void)err;
    pthread_mutex_lock(&s->lock);
    if (pos->n == 4 && shard_is_behind(s->shards[id], pos)) {
        s->shards[id]->finished = s->share_now = true;
        pthread_cond_broadcast(&s->more);
    }
    pthread_mutex_unlock(&s->lock);
    return PEN_OK;
}

static pen_status source_release_partition(void *ctx, uint32_t id, struct pen_error *err)
{
    struct source *s = ctx;
    struct shard *sh = s->shards[id];
    (void)err;
    pthread_mutex_lock(&s->lock);
    /* One that was read to its end, and was not committed there (somebody else moved it), is read again. */
    if (sh->read_out && !sh->listed)
        sh->finished = true; /* its records have been dropped since */
    sh->assigned = sh->revoking = sh->read_out = false;
    if (sh->give_up || sh->lost || sh->only_look)
        sh->mine = sh->only_look = false;
    s->share_now = true;
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
    return PEN_OK;
}

const struct pen_source kinesis_source = {
    .ctx_size = sizeof(struct source),
    .options = kinesis_options,
    .start = source_start,
    .stop = source_stop,
    .connect = source_connect,
    .outputs = source_outputs,
    .next_event = source_next_event,
    .beginning = source_beginning,
    .start_partition = source_start_partition,
    .release_partition = source_release_partition,
    .settle = source_settle,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .reader_add = reader_add,
    .reader_remove = reader_remove,
    .reader_bound = reader_bound,
    .read = reader_read,
    .fd = reader_fd,
    .wake_at = reader_wake_at,
};
