/* credentials.c - the keys that are given out, and the one thread that renews them before they expire.
 *
 * The first who asks looks for them, the others wait. What never expires needs no thread. What does is renewed five minutes before its time is over,
 * then every ten seconds until that works; meanwhile the old ones are given out as long as they are good.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keys.h"

enum { AHEAD = 300, AGAIN = 10, LOOK = 30 };

struct aws_credentials {
    const struct pen_host *host;
    const struct aws_options *options;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* looked, or something is wanted of the thread */
    struct aws_held *now;   /* what is given out; NULL: none yet */
    struct pen_error error; /* of the last look */
    bool looking;           /* somebody is at it */
    bool wanted;            /* the thread is to look at once */
    bool started, ending;
    uint64_t looks;         /* how many have ended */
    pthread_t thread;
};

pen_status aws_credentials_new(struct aws_credentials **out, const struct pen_host *host, const struct aws_options *o, struct pen_error *err)
{
    pthread_condattr_t attr;
    *out = NULL;
    if (!o->access_key != !o->secret_key)
        return pen_fail(err, PEN_BADCONF, "access_key and secret_key go together: only %s is given", o->access_key ? "access_key" : "secret_key");
    struct aws_credentials *c = calloc(1, sizeof *c);
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    c->host = host;
    c->options = o;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    *out = c;
    return PEN_OK;
}

/* Under the lock. */
static void let_go(struct aws_held *h)
{
    if (h && --h->users == 0)
        aws_held_drop(&h);
}

void aws_credentials_free(struct aws_credentials **cp)
{
    struct aws_credentials *c = *cp;
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->ending = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (c->started)
        pthread_join(c->thread, NULL);
    let_go(c->now);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
    *cp = NULL;
}

/* Looks for keys; the lock is held, but not meanwhile. On failure the old ones stay. */
static void look(struct aws_credentials *c)
{
    struct aws_held *found = NULL;
    struct pen_error err = { 0 };
    c->looking = true;
    c->wanted = false;
    pthread_mutex_unlock(&c->lock);
    pen_status st = aws_find_keys(c->options, &found, &err);
    pthread_mutex_lock(&c->lock);
    c->looking = false;
    c->looks++;
    c->error = err;
    if (st >= 0) {
        let_go(c->now);
        c->now = found;
    } else if (c->now) {
        pen_log(c->host, PEN_LOG_WARN, "AWS credentials cannot be renewed: %s", err.msg);
    }
    pthread_cond_broadcast(&c->changed);
}

static bool is_over(const struct aws_held *h)
{
    return h->expires != INT64_MAX && h->expires <= (int64_t)time(NULL);
}

static void *renew(void *arg)
{
    struct aws_credentials *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->ending) {
        /* The wall clock may jump, so it is looked at every now and then. */
        int64_t left = c->now->expires == INT64_MAX ? LOOK : c->now->expires - (int64_t)time(NULL) - AHEAD;
        if (c->wanted || left <= 0) {
            look(c);
            left = c->error.code < 0 ? AGAIN : 1;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += left < LOOK ? left : LOOK;
        if (!c->ending && !c->wanted)
            pthread_cond_timedwait(&c->changed, &c->lock, &until);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Under the lock, once there are keys. */
static void start_thread(struct aws_credentials *c)
{
    if (!c->started && c->now->expires != INT64_MAX)
        c->started = pthread_create(&c->thread, NULL, renew, c) == 0;
}

/* Waits for a look, with a thread for one that begins after this call. Under the lock. */
static void wait_for_look(struct aws_credentials *c)
{
    uint64_t target = c->looks + 1;
    if (c->started) {
        target += c->looking;
        c->wanted = true;
        pthread_cond_broadcast(&c->changed);
    } else if (!c->looking) {
        look(c);
        return;
    }
    while (c->looks < target && !c->ending)
        pthread_cond_wait(&c->changed, &c->lock);
}

pen_status aws_credentials_hold(struct aws_credentials *c, struct aws_held **out, struct pen_error *err)
{
    pen_status st = PEN_OK;
    *out = NULL;
    pthread_mutex_lock(&c->lock);
    if (!c->now || is_over(c->now))
        wait_for_look(c);
    if (c->now && !is_over(c->now)) {
        start_thread(c);
        c->now->users++;
        *out = c->now;
    } else if (c->error.code < 0) {
        st = pen_fail(err, c->now ? PEN_RETRY : c->error.code, "%s", c->error.msg);
    } else {
        st = pen_fail(err, PEN_RETRY, "the AWS credentials that were got have expired already: is this machine's clock right?");
    }
    pthread_mutex_unlock(&c->lock);
    return st;
}

void aws_credentials_let_go(struct aws_credentials *c, struct aws_held **h)
{
    pthread_mutex_lock(&c->lock);
    let_go(*h);
    pthread_mutex_unlock(&c->lock);
    *h = NULL;
}

bool aws_credentials_expired(struct aws_credentials *c, const struct aws_held *h)
{
    pthread_mutex_lock(&c->lock);
    if (c->now == h)
        wait_for_look(c);
    const struct aws_keys *n = &c->now->keys, *o = &h->keys;
    bool others = strcmp(n->access, o->access) != 0 || strcmp(n->secret, o->secret) != 0 || strcmp(n->token ? n->token : "", o->token ? o->token : "") != 0;
    pthread_mutex_unlock(&c->lock);
    return others;
}
