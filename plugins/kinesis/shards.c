/* shards.c - which shards there are, and their lineage: a child is read when its parents have been read to their end and that is committed, so
 * that records of one key keep their order. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "source.h"

#define LIST_EVERY 30000000     /* microseconds; at once where a shard has ended */
#define LIST_AGAIN 1000000      /* after a failure, and while a closed shard is not listed as closed */

struct shard *shard_find(const struct source *s, const char *name)
{
    for (size_t i = 0; i < s->n_shards && *name; i++)
        if (strcmp(s->shards[i]->is.name, name) == 0)
            return s->shards[i];
    return NULL;
}

bool shard_is_behind(const struct shard *sh, const struct pen_position *pos)
{
    struct seq at = position_seq(pos);
    return sh->is.closed && seq_compare(&at, &sh->is.last) > 0;
}

bool shard_is_open(const struct shard *sh)
{
    for (int i = 0; i < 2; i++) {
        const struct shard *parent = sh->parents[i];
        if (parent && !parent->finished && (parent->listed || parent->assigned))
            return false;
    }
    return true;
}

void reader_signal(struct reader *r)
{
    if (r && eventfd_write(r->fd, 1) < 0 && errno != EAGAIN)
        return; /* one that is full is readable all the same */
}

void source_wait(struct source *s, int64_t until)
{
    struct timespec t = { .tv_sec = (time_t)(until / 1000000), .tv_nsec = (long)(until % 1000000) * 1000 };
    pthread_cond_timedwait(&s->more, &s->lock, &t);
}

/* lock held. */
static pen_status add_shard(struct source *s, const struct kin_shard *is, struct pen_error *err)
{
    struct shard *sh = calloc(1, sizeof *sh);
    if (sh && s->n_shards == s->room_shards) {
        size_t room = s->room_shards ? s->room_shards * 2 : 16;
        struct shard **v = realloc(s->shards, room * sizeof *v);
        if (v) {
            s->shards = v;
            s->room_shards = room;
        }
    }
    if (!sh || s->n_shards == s->room_shards) {
        free(sh);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    sh->is = *is;
    sh->listed = true;
    sh->initial = !s->opened;
    sh->mine = !s->leases;
    s->shards[s->n_shards++] = sh;
    return PEN_OK;
}

/* lock held. */
static pen_status take_list(struct source *s, const struct kin_shards *list, const bool *ended, size_t n_ended, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (size_t i = 0; i < s->n_shards; i++)
        s->shards[i]->listed = false;
    for (size_t i = 0; i < list->n && st >= 0; i++) {
        struct shard *sh = shard_find(s, list->v[i].name);
        if (sh) { /* all that can change is that it ends; its name is read without the lock */
            sh->is.closed = list->v[i].closed;
            sh->is.last = list->v[i].last;
            sh->listed = true;
        } else {
            st = add_shard(s, &list->v[i], err);
        }
    }
    for (size_t i = 0; i < s->n_shards; i++)
        for (int k = 0; k < 2; k++)
            if (!s->shards[i]->parents[k])
                s->shards[i]->parents[k] = shard_find(s, s->shards[i]->is.parents[k]);
    for (size_t i = 0; i < n_ended; i++) { /* those that had ended before this was asked */
        struct shard *sh = s->shards[i];
        if (ended[i] && sh->exhausted && (sh->is.closed || !sh->listed)) {
            sh->relisted = true;
            reader_signal(sh->reader);
        }
    }
    return st;
}

pen_status shards_list(struct source *s, struct pen_error *err)
{
    struct kin_shards list = { 0 };
    bool *ended;
    size_t n;
    pen_status st;
    pthread_mutex_lock(&s->lock);
    n = s->n_shards;
    ended = calloc(n + 1, sizeof *ended);
    for (size_t i = 0; ended && i < n; i++)
        ended[i] = s->shards[i]->exhausted;
    s->list_now = false;
    pthread_mutex_unlock(&s->lock);
    st = ended ? kin_list_shards(&s->client, s->o.stream, &list, err) : pen_fail(err, PEN_FATAL, "out of memory");
    pthread_mutex_lock(&s->lock);
    if (st >= 0)
        st = take_list(s, &list, ended, n, err);
    for (size_t i = 0; i < s->n_shards; i++)
        s->list_now = s->list_now || (s->shards[i]->exhausted && !s->shards[i]->relisted);
    s->list_at = pen_now(s->host) + (st < 0 || s->list_now ? LIST_AGAIN : LIST_EVERY);
    s->list_now = false; /* again at list_at */
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
    free(list.v);
    free(ended);
    return st;
}

/* -- the steward ------------------------------------------------------------------------------------------------------------------------- */

static void say_trouble(struct source *s, const struct pen_error *err, int64_t *complain_at)
{
    int64_t now = pen_now(s->host);
    if (err->code == PEN_RETRY || err->code == PEN_BADDATA) {
        if (now >= *complain_at)
            pen_log(s->host, PEN_LOG_WARN, "%s", err->msg);
        *complain_at = now >= *complain_at ? now + 10000000 : *complain_at;
        return;
    }
    pthread_mutex_lock(&s->lock);
    if (s->trouble.code == PEN_OK)
        s->trouble = *err;
    pthread_mutex_unlock(&s->lock);
}

static void *keep(void *arg)
{
    struct source *s = arg;
    int64_t lease_at = 0, complain_at = 0;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        int64_t now = pen_now(s->host), next = s->list_at;
        struct pen_error err = { 0 };
        if (s->list_now || now >= s->list_at) {
            pthread_mutex_unlock(&s->lock);
            if (shards_list(s, &err) < 0)
                say_trouble(s, &err, &complain_at);
            pthread_mutex_lock(&s->lock);
            lease_at = s->leases ? 0 : lease_at; /* what came to light is to be shared out */
            continue;
        }
        if (s->leases && (now >= lease_at || s->share_now)) {
            s->share_now = false;
            pthread_mutex_unlock(&s->lock);
            lease_at = leases_round(s);
            pthread_mutex_lock(&s->lock);
            continue;
        }
        if (s->leases && lease_at < next)
            next = lease_at;
        source_wait(s, next);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

pen_status steward_start(struct source *s, struct pen_error *err)
{
    s->has_steward = pthread_create(&s->steward, NULL, keep, s) == 0;
    return s->has_steward ? PEN_OK : pen_fail(err, PEN_FATAL, "stream %s: no thread can be started", s->o.stream);
}
