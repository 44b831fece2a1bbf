/* post.c - the thread of a writer that sends what it has made, in order, again and again until each record is acknowledged.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sink.h"

#define FIRST_PAUSE 100000     /* microseconds; doubles */
#define LONGEST_PAUSE 10000000
#define REPLY_MAX ((size_t)8 << 20)
#define URL_SIZE 2048

/* -- one request ------------------------------------------------------------------------------------------------------------------------ */

static size_t take_reply(char *bytes, size_t size, size_t n, void *text)
{
    struct pen_text *t = text;
    if (t->n + size * n > REPLY_MAX)
        return 0;
    pen_text_append(t, bytes, size * n);
    return pen_text_failed(t) ? 0 : size * n;
}

static void set_access(CURL *c, const struct sink_options *o)
{
    if (o->user) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERNAME, o->user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, o->password ? o->password : "");
    }
    if (o->tls_ca)
        curl_easy_setopt(c, CURLOPT_CAINFO, o->tls_ca);
    if (o->tls_cert)
        curl_easy_setopt(c, CURLOPT_SSLCERT, o->tls_cert);
    if (o->tls_key)
        curl_easy_setopt(c, CURLOPT_SSLKEY, o->tls_key);
}

static CURL *new_handle(const struct http_sink *s, struct pen_text *reply)
{
    CURL *c = curl_easy_init();
    if (!c)
        return NULL;
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "penstock");
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(s->o.timeout / 1000));
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(s->o.connect_timeout / 1000));
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_reply);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, reply);
    set_access(c, &s->o);
    return c;
}

static struct curl_slist *headers_for(const struct http_sink *s, const struct post *p)
{
    static const char *const types[] = { "Content-Type: application/vnd.kafka.json.v2+json", "Content-Type: application/json",
                                         "Content-Type: application/x-ndjson" };
    const char *type = types[s->o.preset];
    struct curl_slist *list;
    if (s->o.preset == PRESET_KAFKA_REST && p->format == BODY_BINARY)
        type = "Content-Type: application/vnd.kafka.binary.v2+json";
    list = curl_slist_append(NULL, type);
    for (const struct curl_slist *h = s->common; h && list; h = h->next) {
        struct curl_slist *longer = curl_slist_append(list, h->data);
        if (!longer) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

/* Sends a post once. */
static pen_status send_once(struct poster *w, struct post *p, struct pen_error *err)
{
    struct curl_slist *headers = headers_for(w->s, p);
    struct pen_text body = { 0 };
    char url[URL_SIZE];
    CURLcode e;
    long status = 0;
    pen_status st = post_url(w->s, p, url, sizeof url, err);
    post_body(w->s, p, &body);
    if (st >= 0 && (!headers || pen_text_failed(&body)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    if (st >= 0) {
        pen_text_clear(&w->reply);
        curl_easy_setopt(w->curl, CURLOPT_URL, url);
        curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, body.bytes);
        curl_easy_setopt(w->curl, CURLOPT_CUSTOMREQUEST, w->s->o.preset == PRESET_KINESIS ? "PUT" : "POST");
        e = curl_easy_perform(w->curl);
        curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &status);
        st = e == CURLE_OK ? post_check(w->s, p, status, w->reply.bytes, w->reply.n, err)
                           : pen_fail(err, PEN_RETRY, "%s: %s", w->s->o.url, curl_easy_strerror(e));
    }
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    pen_text_fini(&body);
    return st;
}

pen_status poster_probe(const struct http_sink *s, struct pen_error *err)
{
    struct pen_text reply = { 0 };
    CURL *c = new_handle(s, &reply);
    CURLcode e;
    long status = 0;
    pen_status st = PEN_OK;
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    curl_easy_setopt(c, CURLOPT_URL, s->o.url);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, s->common);
    e = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (e != CURLE_OK)
        st = pen_fail(err, PEN_FATAL, "%s: %s", s->o.url, curl_easy_strerror(e));
    else if (status == 401 || status == 403)
        st = pen_fail(err, PEN_BADCONF, "%s: answered %ld: user and password, token or api_key are not what it takes", s->o.url, status);
    curl_easy_cleanup(c);
    pen_text_fini(&reply);
    return st;
}

/* -- the thread ---------------------------------------------------------------------------------------------------------------------------- */

/* lock held. */
static void wait_until(struct poster *w, int64_t micros)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += micros / 1000000;
    at.tv_nsec += micros % 1000000 * 1000;
    if (at.tv_nsec >= 1000000000)
        at.tv_sec++, at.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&w->changed, &w->lock, &at);
}

/* Sends what was taken from the queue until it is done with; lock held, and let go of meanwhile. */
static void send_until_done(struct poster *w, struct post *p)
{
    size_t bytes = p->text.n;
    int64_t pause = FIRST_PAUSE;
    unsigned dropped = w->dropped;
    pen_status st = PEN_RETRY;
    while (st == PEN_RETRY && !w->quit) {
        struct pen_error err = { 0 };
        pthread_mutex_unlock(&w->lock);
        st = send_once(w, p, &err);
        pthread_mutex_lock(&w->lock);
        if (w->dropped != dropped)
            break; /* its rows will be read again */
        w->waiting = st == PEN_RETRY;
        w->why = err;
        pthread_cond_broadcast(&w->changed);
        if (st != PEN_RETRY)
            break;
        pen_count(w->s->host, "retries_total", NULL, 1);
        wait_until(w, pause);
        pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
    }
    if (w->dropped == dropped)
        w->bytes -= bytes;
    w->sending = false;
    post_free(p);
    pthread_cond_broadcast(&w->changed);
}

static bool is_broken(const struct poster *w)
{
    return w->why.code < 0 && w->why.code != PEN_RETRY;
}

static void *run(void *arg)
{
    struct poster *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->quit) {
        struct post *p = is_broken(w) ? NULL : w->first;
        if (!p) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        w->first = p->next;
        w->sending = true;
        send_until_done(w, p);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* -- for the lane ---------------------------------------------------------------------------------------------------------------------------- */

pen_status poster_start(struct poster *w, const struct http_sink *s, struct pen_error *err)
{
    int failed;
    w->s = s;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (!(w->curl = new_handle(s, &w->reply)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    failed = pthread_create(&w->thread, NULL, run, w);
    w->running = !failed;
    return failed ? pen_fail(err, PEN_FATAL, "a thread could not be started: %s", strerror(failed)) : PEN_OK;
}

/* lock held. */
static void drop_queue(struct poster *w)
{
    while (w->first) {
        struct post *p = w->first;
        w->first = p->next;
        post_free(p);
    }
    w->bytes = 0;
    w->dropped++;
}

void poster_stop(struct poster *w)
{
    pthread_mutex_lock(&w->lock);
    w->quit = true;
    drop_queue(w);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (w->running)
        pthread_join(w->thread, NULL);
    if (w->curl)
        curl_easy_cleanup(w->curl);
    pen_text_fini(&w->reply);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
}

void poster_push(struct poster *w, struct post *post)
{
    post->next = NULL;
    pthread_mutex_lock(&w->lock);
    if (!w->first)
        w->last = &w->first;
    *w->last = post;
    w->last = &post->next;
    w->bytes += post->text.n;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

pen_status poster_flush(struct poster *w, struct pen_error *err)
{
    pen_status st = PEN_OK;
    pthread_mutex_lock(&w->lock);
    while ((w->first || w->sending) && !w->waiting && !is_broken(w))
        pthread_cond_wait(&w->changed, &w->lock);
    if (is_broken(w) || w->waiting)
        st = pen_fail(err, w->why.code, "%s", w->why.msg);
    pthread_mutex_unlock(&w->lock);
    return st;
}

void poster_drop(struct poster *w)
{
    pthread_mutex_lock(&w->lock);
    drop_queue(w);
    pthread_mutex_unlock(&w->lock);
}

size_t poster_bytes(struct poster *w)
{
    size_t n;
    pthread_mutex_lock(&w->lock);
    n = w->bytes;
    pthread_mutex_unlock(&w->lock);
    return n;
}
