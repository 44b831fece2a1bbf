/* client.c - requests to one service: signed anew for each attempt, tried again where that is safe.
 *
 * An attempt that failed before anything was sent, and a request that was refused before it was looked at (clock, expired token), may be repeated
 * whatever it is. After that `once` decides: what must not happen twice is left to the caller, who looks. Pauses are drawn from 0 to a bound
 * that doubles; a budget, shared by all calls of the client, keeps a service that is down from being asked more than it was before.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "answer.h"
#include "credentials.h"
#include "endpoint.h"
#include "http.h"

enum { BUDGET = 500, REPEAT_COST = 5, SILENT_COST = 10, PAUSE_MS = 100, LONGEST_MS = 20000, DEFAULT_LIMIT = 1 << 20 };

struct aws_client {
    const struct pen_host *host;
    const struct aws_options *options;
    char service[32];
    struct aws_endpoint endpoint;
    struct aws_http *http;
    struct aws_credentials *credentials;
    _Atomic int64_t skew; /* seconds that the service's clock is ahead of ours */
    atomic_int budget;
};

pen_status aws_client_new(struct aws_client **out, const struct pen_host *host, const struct aws_options *o, const char *service,
                          struct pen_error *err)
{
    struct aws_client *c = calloc(1, sizeof *c);
    const char *ca = o->tls_ca ? o->tls_ca : getenv("AWS_CA_BUNDLE");
    *out = NULL;
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    c->host = host;
    c->options = o;
    snprintf(c->service, sizeof c->service, "%s", service);
    atomic_init(&c->skew, 0);
    atomic_init(&c->budget, BUDGET);
    pen_status st = aws_endpoint_find(&c->endpoint, o, service, err);
    if (st >= 0)
        st = aws_credentials_new(&c->credentials, host, o, err);
    if (st >= 0)
        st = aws_http_new(&c->http, &(struct aws_http_options){ .tls_ca = ca && *ca ? ca : NULL, .connect_timeout = o->connect_timeout,
                                                               .silence_timeout = o->silence_timeout }, err);
    if (st < 0)
        aws_client_free(&c);
    *out = c;
    return st;
}

void aws_client_free(struct aws_client **c)
{
    if (!*c)
        return;
    aws_http_free(&(*c)->http);
    aws_credentials_free(&(*c)->credentials);
    free(*c);
    *c = NULL;
}

const char *aws_client_region(const struct aws_client *c)
{
    return c->endpoint.region;
}

const char *aws_client_endpoint(const struct aws_client *c)
{
    return c->endpoint.url;
}

bool aws_client_endpoint_given(const struct aws_client *c)
{
    return c->endpoint.given;
}

/* -- the clock ---------------------------------------------------------------------------------------------------------------------------- */

static int64_t service_time(const struct aws_client *c)
{
    return (int64_t)time(NULL) + atomic_load(&c->skew);
}

/* After an answer that finds fault with our clock: takes the service's. False when that changes nothing. */
static bool correct_clock(struct aws_client *c, const struct aws_answer *a)
{
    int64_t theirs, before = atomic_load(&c->skew);
    if (!aws_answer_date(a, &theirs))
        return false;
    int64_t skew = theirs - (int64_t)time(NULL);
    if (skew > before - 60 && skew < before + 60)
        return false;
    atomic_store(&c->skew, skew);
    pen_log(c->host, PEN_LOG_WARN, "this machine's clock is %lld s %s that of %s; requests are signed with the latter's time",
            (long long)(skew < 0 ? -skew : skew), skew < 0 ? "ahead of" : "behind", a->url);
    return true;
}

/* -- pauses and the budget ------------------------------------------------------------------------------------------------------------------ */

static bool spend(struct aws_client *c, int cost)
{
    int have = atomic_load(&c->budget);
    while (have >= cost)
        if (atomic_compare_exchange_weak(&c->budget, &have, have - cost))
            return true;
    return false;
}

static void earn(struct aws_client *c)
{
    int have = atomic_load(&c->budget);
    while (have < BUDGET && !atomic_compare_exchange_weak(&c->budget, &have, have + 1))
        ;
}

static void pause_before(int attempt)
{
    uint64_t bound = PAUSE_MS, random = 0;
    for (int i = 1; i < attempt && bound < LONGEST_MS; i++)
        bound *= 2;
    bound = bound < LONGEST_MS ? bound : LONGEST_MS;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = bound / 2;
    random %= bound + 1;
    nanosleep(&(struct timespec){ (time_t)(random / 1000), (long)(random % 1000) * 1000000 }, NULL);
}

/* -- one attempt ------------------------------------------------------------------------------------------------------------------------------ */

/* Adds `host` and the signature's fields, and makes the URL. */
static pen_status prepare(struct aws_client *c, struct aws_call *call, const struct aws_keys *keys, struct pen_text *url, struct pen_error *err)
{
    struct aws_request *r = &call->request;
    const char *base = call->endpoint ? call->endpoint : c->endpoint.url, *prefix;
    struct aws_scope scope = { call->region ? call->region : c->endpoint.region, c->service, service_time(c) };
    struct aws_request full = *r;
    struct pen_text path = { 0 };
    char host[300];
    pen_status st = aws_url_parts(base, host, sizeof host, &prefix, err);
    if (st < 0)
        return st;
    aws_field_add(&r->headers, "host", host);
    pen_text_format(&path, "%s%s", prefix, r->path);
    full.path = aws_text(&path);
    full.headers = r->headers;
    if (!full.path)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    if (st >= 0) {
        st = aws_sign_headers(&full, keys, &scope, aws_sign_flags(c->service), NULL, err);
        r->headers = full.headers; /* they may have moved */
    }
    if (st >= 0) {
        pen_text_clear(url);
        pen_text_append(url, base, strlen(base) - strlen(prefix));
        aws_encode(url, full.path, strlen(full.path), true);
        if (r->query.n)
            pen_text_put(url, "?");
        st = aws_query_text(url, &r->query, err);
    }
    if (st >= 0 && !aws_text(url))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    pen_text_fini(&path);
    return st;
}

static pen_status attempt(struct aws_client *c, struct aws_call *call, const struct aws_keys *keys, struct aws_answer *a,
                          aws_http_outcome *outcome, struct pen_error *err)
{
    struct aws_request *r = &call->request;
    struct pen_text url = { 0 };
    size_t own = r->headers.n;
    *outcome = AWS_HTTP_NOT_SENT;
    pen_status st = prepare(c, call, keys, &url, err);
    if (st >= 0) {
        struct aws_exchange x = { .method = r->method, .url = url.bytes, .headers = &r->headers, .body = r->body, .n = r->n, .fresh = call->once,
                                  .limit = call->limit ? call->limit : DEFAULT_LIMIT, .into = call->into, .room = call->room,
                                  .give_up = call->give_up };
        st = aws_http_exchange(c->http, &x, a, outcome, err);
    }
    aws_fields_cut(&r->headers, own);
    pen_text_fini(&url);
    a->unclear = *outcome == AWS_HTTP_UNCLEAR || (*outcome == AWS_HTTP_ANSWERED && a->status >= 500);
    return st;
}

typedef enum { ENOUGH, AGAIN_AT_ONCE, AGAIN_LATER } verdict;

/* Whether to try again after this attempt. */
static verdict judge(struct aws_client *c, const struct aws_call *call, const struct aws_answer *a, const struct aws_held *keys, pen_status st,
                     aws_http_outcome outcome)
{
    if (st < 0 && st != PEN_RETRY)
        return ENOUGH;
    if (outcome == AWS_HTTP_ANSWERED) {
        bool mute = a->status == 403 && a->n == 0; /* a HEAD's answer gives no reason */
        if (aws_answer_clock_wrong(a) || mute)
            return correct_clock(c, a) ? AGAIN_AT_ONCE : ENOUGH;
        if (aws_answer_keys_expired(a))
            return aws_credentials_expired(c->credentials, keys) ? AGAIN_AT_ONCE : ENOUGH;
        if (!aws_answer_passing(a)) {
            earn(c);
            return ENOUGH;
        }
    }
    if (call->once && outcome != AWS_HTTP_NOT_SENT)
        return ENOUGH;
    return spend(c, outcome == AWS_HTTP_ANSWERED ? REPEAT_COST : SILENT_COST) ? AGAIN_LATER : ENOUGH;
}

pen_status aws_call(struct aws_client *c, struct aws_call *call, struct aws_answer *a, struct pen_error *err)
{
    for (int tried = 1;; tried++) {
        struct pen_error why = { 0 };
        struct aws_held *held = NULL;
        aws_http_outcome outcome = AWS_HTTP_NOT_SENT;
        pen_status st = aws_credentials_hold(c->credentials, &held, &why);
        if (st >= 0)
            st = attempt(c, call, &held->keys, a, &outcome, &why);
        verdict v = held ? judge(c, call, a, held, st, outcome) : ENOUGH;
        if (held)
            aws_credentials_let_go(c->credentials, &held);
        if (v == ENOUGH || tried >= c->options->attempts || (call->give_up && atomic_load(call->give_up)))
            return st < 0 ? pen_fail(err, st, "%s", why.msg) : st;
        pen_count(c->host, "aws_retries_total", c->service, 1);
        if (st < 0)
            pen_log(c->host, PEN_LOG_DEBUG, "attempt %d: %s", tried, why.msg);
        if (v == AGAIN_LATER)
            pause_before(tried);
    }
}

pen_status aws_presign(struct aws_client *c, const char *service, const char *host, const struct aws_fields *query, int64_t seconds,
                       struct pen_text *out, struct pen_error *err)
{
    struct aws_request r = { .method = "GET", .path = "/" };
    struct aws_scope scope = { c->endpoint.region, service, service_time(c) };
    struct aws_held *held;
    pen_status st = aws_credentials_hold(c->credentials, &held, err);
    if (st < 0)
        return st;
    aws_field_add(&r.headers, "host", host);
    for (size_t i = 0; i < query->n; i++)
        aws_field_add(&r.query, query->v[i].name, query->v[i].value);
    st = aws_sign_query(&r, &held->keys, &scope, seconds, 0, NULL, err);
    pen_text_format(out, "%s/?", host);
    if (st >= 0)
        st = aws_query_text(out, &r.query, err);
    if (st >= 0 && !aws_text(out))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    aws_request_fini(&r);
    aws_credentials_let_go(c->credentials, &held);
    return st;
}
