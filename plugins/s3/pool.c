/* pool.c - the threads that send parts, so that a lane that writes does not wait for the network.
 *
 * Bounds: two parts of an upload and two for each thread are on their way; s3_pool_send() waits beyond that. A store that is out of reach is
 * asked again and again for as long as `outage_timeout` says. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "upload.h"

enum { MAX_THREADS = 64, MAX_FOLDERS = 256, PER_UPLOAD = 2, PER_THREAD = 2 };

typedef enum { SEND_PART, ABORT_UPLOAD, RECLAIM } job_kind;

struct job {
    struct job *next;
    job_kind kind;
    struct s3_upload *upload;
    size_t number;  /* SEND_PART */
    char *bytes;
    size_t n;
    struct s3_target folder; /* RECLAIM */
};

struct s3_pool {
    struct s3_store *store;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something was queued, sent, created, or is to end */
    struct job *first, *last;
    size_t parts; /* queued or being sent */
    pthread_t threads[MAX_THREADS];
    size_t n_threads, idle;
    bool ending;
    struct s3_target *folders; /* seen to in this run */
    size_t n_folders;
};

void s3_upload_free(struct s3_upload *u)
{
    free(u->bytes);
    free(u->parts.v);
    free(u->upload_id);
    aws_fields_fini(&u->headers);
    free(u);
}

bool s3_wait(struct s3_store *s, struct s3_patience *p, const bool *abandoned, const struct pen_error *why)
{
    int64_t now = pen_now(s->host), pause = INT64_C(500000) << (p->times < 5 ? p->times : 5);
    if (!p->since)
        p->since = now;
    if (now - p->since > s->options.outage_timeout)
        return false;
    if (!p->logged || now - p->logged > 10000000) {
        pen_log(s->host, PEN_LOG_WARN, "%s; trying again", why->msg);
        p->logged = now;
    }
    p->times++;
    for (int64_t until = now + pause; now < until; now = pen_now(s->host)) {
        if ((abandoned && __atomic_load_n(abandoned, __ATOMIC_RELAXED)) || (pen_stopping(s->host) && now - p->since > 10000000))
            return false;
        poll(NULL, 0, 100);
    }
    return true;
}

/* -- jobs ------------------------------------------------------------------------------------------------------------------------------------- */

/* The upload's id, asked for by the first thread that needs it. */
static pen_status need_upload_id(struct s3_pool *p, struct s3_upload *u, struct pen_error *err)
{
    char *id = NULL;
    pthread_mutex_lock(&p->lock);
    while (u->creating)
        pthread_cond_wait(&p->changed, &p->lock);
    bool mine = !u->upload_id;
    u->creating = mine;
    pthread_mutex_unlock(&p->lock);
    if (!mine)
        return PEN_OK;
    pen_status st = s3_create_upload(p->store, &u->target, &u->headers, &id, err);
    pthread_mutex_lock(&p->lock);
    u->upload_id = id;
    u->creating = false;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return st;
}

static void send_part(struct s3_pool *p, struct job *j)
{
    struct s3_upload *u = j->upload;
    struct s3_patience patience = { 0 };
    struct pen_error err;
    struct s3_part part;
    pen_status st;
    do {
        err = (struct pen_error){ 0 };
        st = need_upload_id(p, u, &err);
        if (st >= 0)
            st = s3_send_part(p->store, &u->target, u->upload_id, j->number, j->bytes, j->n, &part, &err);
    } while (st == PEN_RETRY && s3_wait(p->store, &patience, &u->abandoned, &err));
    pthread_mutex_lock(&p->lock);
    if (st >= 0)
        st = s3_parts_set(&u->parts, j->number, &part, &err);
    if (st < 0 && u->error.code >= 0)
        u->error = err;
    u->pending--;
    p->parts--;
    pthread_mutex_unlock(&p->lock);
}

static void abort_upload(struct s3_pool *p, struct s3_upload *u)
{
    struct pen_error err = { 0 };
    if (u->upload_id && s3_abort_upload(p->store, &u->target, u->upload_id, &err) < 0)
        pen_log(p->store->host, PEN_LOG_INFO, "%s; a later run will abort it", err.msg);
    s3_upload_free(u);
}

/* An abort must come after the parts of that upload: the caller holds the lock. */
static struct job *take(struct s3_pool *p)
{
    struct job **at = &p->first, *before = NULL;
    while (*at && (*at)->kind == ABORT_UPLOAD && (*at)->upload->pending) {
        before = *at;
        at = &(*at)->next;
    }
    struct job *j = *at;
    if (!j)
        return NULL;
    *at = j->next;
    if (p->last == j)
        p->last = before;
    return j;
}

static void do_job(struct s3_pool *p, struct job *j)
{
    struct pen_error err = { 0 };
    if (j->kind == SEND_PART)
        send_part(p, j);
    else if (j->kind == ABORT_UPLOAD)
        abort_upload(p, j->upload);
    else if (s3_abort_old_uploads(p->store, &j->folder, &err) < 0)
        pen_log(p->store->host, PEN_LOG_DEBUG, "%s", err.msg);
    free(j->bytes);
    free(j);
}

static void *work(void *arg)
{
    struct s3_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct job *j = take(p);
        if (j) {
            pthread_mutex_unlock(&p->lock);
            do_job(p, j);
            pthread_mutex_lock(&p->lock);
            pthread_cond_broadcast(&p->changed);
        } else if (p->ending && !p->first) {
            break;
        } else {
            p->idle++;
            pthread_cond_wait(&p->changed, &p->lock);
            p->idle--;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Queues a job, and starts a thread where all are busy. Under the lock. */
static pen_status queue(struct s3_pool *p, const struct job *job, struct pen_error *err)
{
    struct job *j = malloc(sizeof *j);
    if (!j)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (!p->idle && p->n_threads < (size_t)p->store->options.upload_threads) {
        int e = pthread_create(&p->threads[p->n_threads], NULL, work, p);
        if (e && !p->n_threads) {
            free(j);
            return pen_fail(err, PEN_FATAL, "no thread for uploads: %s", strerror(e));
        }
        p->n_threads += !e;
    }
    *j = *job;
    j->next = NULL;
    if (p->last)
        p->last->next = j;
    else
        p->first = j;
    p->last = j;
    pthread_cond_broadcast(&p->changed);
    return PEN_OK;
}

/* -- what uploads call -------------------------------------------------------------------------------------------------------------------------- */

pen_status s3_pool_send(struct s3_upload *u, struct pen_error *err)
{
    struct s3_pool *p = u->store->pool;
    pen_status st = PEN_OK;
    pthread_mutex_lock(&p->lock);
    while (u->error.code >= 0 && (u->pending >= PER_UPLOAD || p->parts >= PER_THREAD * (size_t)u->store->options.upload_threads))
        pthread_cond_wait(&p->changed, &p->lock);
    if (u->error.code < 0)
        st = pen_fail(err, u->error.code, "%s", u->error.msg);
    if (st >= 0)
        st = queue(p, &(struct job){ .kind = SEND_PART, .upload = u, .number = u->given + 1, .bytes = u->bytes, .n = u->n }, err);
    if (st >= 0) {
        u->bytes = NULL;
        u->n = u->room = 0;
        u->given++;
        u->pending++;
        p->parts++;
    }
    pthread_mutex_unlock(&p->lock);
    return st;
}

pen_status s3_pool_finish(struct s3_upload *u, struct pen_error *err)
{
    struct s3_pool *p = u->store->pool;
    pthread_mutex_lock(&p->lock);
    while (u->pending)
        pthread_cond_wait(&p->changed, &p->lock);
    pen_status st = u->error.code < 0 ? pen_fail(err, u->error.code, "%s", u->error.msg) : PEN_OK;
    pthread_mutex_unlock(&p->lock);
    return st;
}

void s3_pool_abandon(struct s3_upload *u)
{
    struct s3_pool *p = u->store->pool;
    struct pen_error err = { 0 };
    free(u->bytes);
    u->bytes = NULL;
    pthread_mutex_lock(&p->lock);
    __atomic_store_n(&u->abandoned, true, __ATOMIC_RELAXED);
    bool nothing = !u->pending && !u->upload_id;
    if (!nothing && queue(p, &(struct job){ .kind = ABORT_UPLOAD, .upload = u }, &err) < 0) {
        while (u->pending)
            pthread_cond_wait(&p->changed, &p->lock);
        nothing = true; /* a later run aborts it */
    }
    pthread_mutex_unlock(&p->lock);
    if (nothing)
        s3_upload_free(u);
}

void s3_pool_reclaim(struct s3_store *s, const struct s3_target *folder)
{
    struct s3_pool *p = s->pool;
    pthread_mutex_lock(&p->lock);
    bool known = p->n_folders == MAX_FOLDERS;
    for (size_t i = 0; i < p->n_folders && !known; i++)
        known = strcmp(p->folders[i].bucket, folder->bucket) == 0 && strcmp(p->folders[i].key, folder->key) == 0;
    struct s3_target *v = known ? NULL : realloc(p->folders, (p->n_folders + 1) * sizeof *v);
    if (v) {
        p->folders = v;
        p->folders[p->n_folders++] = *folder;
        (void)queue(p, &(struct job){ .kind = RECLAIM, .folder = *folder }, NULL);
    }
    pthread_mutex_unlock(&p->lock);
}

pen_status s3_pool_new(struct s3_pool **out, struct s3_store *s, struct pen_error *err)
{
    struct s3_pool *p = calloc(1, sizeof *p);
    *out = p;
    if (!p)
        return pen_fail(err, PEN_FATAL, "out of memory");
    p->store = s;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    return PEN_OK;
}

void s3_pool_free(struct s3_pool **pool)
{
    struct s3_pool *p = *pool;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p->folders);
    free(p);
    *pool = NULL;
}
