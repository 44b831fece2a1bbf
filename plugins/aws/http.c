/* http.c - one HTTP exchange by libcurl.
 *
 * libcurl keeps connections per handle, and a handle serves one thread at a time: exchanges take the handle used last, so that its connection is
 * warm. A request that arrives on a connection which the server has closed meanwhile is sent again by libcurl itself, which cannot know whether
 * it was carried out; hence `fresh` for what must not happen twice. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "http.h"

enum { MAX_HEAD = 65536, MAX_IDLE = 32 };

struct handle {
    struct handle *next;
    CURL *curl;
    char why[CURL_ERROR_SIZE];
};

struct aws_http {
    struct aws_http_options options;
    char *tls_ca;
    pthread_mutex_t lock; /* of idle */
    struct handle *idle;
    int n_idle;
};

/* What the callbacks fill. */
struct incoming {
    CURL *curl;
    const struct aws_exchange *x;
    struct aws_answer *a;
    struct pen_text body;
    size_t sent; /* of the request's body */
    bool too_long;
    size_t filled; /* of `into` */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

pen_status aws_http_new(struct aws_http **out, const struct aws_http_options *o, struct pen_error *err)
{
    struct aws_http *h = calloc(1, sizeof *h);
    *out = NULL;
    pthread_once(&once, init_curl);
    if (!h || (o->tls_ca && !(h->tls_ca = strdup(o->tls_ca)))) {
        free(h);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    h->options = *o;
    h->options.tls_ca = h->tls_ca;
    pthread_mutex_init(&h->lock, NULL);
    *out = h;
    return PEN_OK;
}

static void handle_free(struct handle *c)
{
    curl_easy_cleanup(c->curl);
    free(c);
}

void aws_http_free(struct aws_http **h)
{
    if (!*h)
        return;
    while ((*h)->idle) {
        struct handle *c = (*h)->idle;
        (*h)->idle = c->next;
        handle_free(c);
    }
    pthread_mutex_destroy(&(*h)->lock);
    free((*h)->tls_ca);
    free(*h);
    *h = NULL;
}

static struct handle *take(struct aws_http *h)
{
    pthread_mutex_lock(&h->lock);
    struct handle *c = h->idle;
    if (c) {
        h->idle = c->next;
        h->n_idle--;
    }
    pthread_mutex_unlock(&h->lock);
    if (c)
        return c;
    c = calloc(1, sizeof *c);
    if (c && !(c->curl = curl_easy_init())) {
        free(c);
        c = NULL;
    }
    return c;
}

static void give_back(struct aws_http *h, struct handle *c)
{
    pthread_mutex_lock(&h->lock);
    bool keep = h->n_idle < MAX_IDLE;
    if (keep) {
        c->next = h->idle;
        h->idle = c;
        h->n_idle++;
    }
    pthread_mutex_unlock(&h->lock);
    if (!keep)
        handle_free(c);
}

/* -- callbacks ------------------------------------------------------------------------------------------------------------------------------ */

static size_t on_head(char *bytes, size_t size, size_t n, void *arg)
{
    struct incoming *in = arg;
    n *= size;
    if (n >= 5 && memcmp(bytes, "HTTP/", 5) == 0) /* an answer begins, perhaps after a "100 Continue" */
        pen_text_clear(&in->a->head);
    if (in->a->head.n + n > MAX_HEAD) {
        in->too_long = true;
        return 0;
    }
    pen_text_append(&in->a->head, bytes, n);
    return in->a->head.failed ? 0 : n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct incoming *in = arg;
    long status = 0;
    n *= size;
    curl_easy_getinfo(in->curl, CURLINFO_RESPONSE_CODE, &status);
    bool aside = in->x->into && status >= 200 && status < 300;
    if (n > (aside ? in->x->room - in->filled : in->x->limit - in->body.n)) {
        in->too_long = true;
        return 0;
    }
    if (aside) {
        memcpy((char *)in->x->into + in->filled, bytes, n);
        in->filled += n;
        return n;
    }
    pen_text_append(&in->body, bytes, n);
    return in->body.failed ? 0 : n;
}

static size_t on_send(char *bytes, size_t size, size_t n, void *arg)
{
    struct incoming *in = arg;
    size_t left = in->x->n - in->sent;
    n = n * size < left ? n * size : left;
    memcpy(bytes, (const char *)in->x->body + in->sent, n);
    in->sent += n;
    return n;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct incoming *in = arg;
    if (in->x->fresh || origin != SEEK_SET || offset < 0 || (size_t)offset > in->x->n)
        return CURL_SEEKFUNC_FAIL;
    in->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* -- one exchange ------------------------------------------------------------------------------------------------------------------------------ */

static void set_common(struct aws_http *h, struct handle *c, struct incoming *in)
{
    const struct aws_http_options *o = &h->options;
    curl_easy_reset(c->curl); /* options only: connections stay */
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->why);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "penstock");
    curl_easy_setopt(c->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout / 1000));
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, (long)(o->silence_timeout / 1000000));
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)(o->total_timeout / 1000));
    curl_easy_setopt(c->curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c->curl, CURLOPT_BUFFERSIZE, 131072L);
    curl_easy_setopt(c->curl, CURLOPT_UPLOAD_BUFFERSIZE, 131072L);
    if (o->tls_ca)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, o->tls_ca);
    if (o->direct)
        curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, in);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, in);
}

/* Called at least once a second. */
static int on_progress(void *arg, curl_off_t total_in, curl_off_t in, curl_off_t total_out, curl_off_t out)
{
    const atomic_bool *give_up = arg;
    (void)total_in, (void)in, (void)total_out, (void)out;
    return atomic_load(give_up);
}

static void set_method(struct handle *c, const struct aws_exchange *x, struct incoming *in)
{
    bool put = strcmp(x->method, "PUT") == 0, post = strcmp(x->method, "POST") == 0;
    curl_easy_setopt(c->curl, CURLOPT_URL, x->url);
    curl_easy_setopt(c->curl, CURLOPT_FRESH_CONNECT, (long)x->fresh);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, (long)!x->give_up);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)x->give_up);
    if (put || post) {
        curl_easy_setopt(c->curl, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(c->curl, CURLOPT_READDATA, in);
        curl_easy_setopt(c->curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(c->curl, CURLOPT_SEEKDATA, in);
        curl_easy_setopt(c->curl, put ? CURLOPT_UPLOAD : CURLOPT_POST, 1L);
        curl_easy_setopt(c->curl, put ? CURLOPT_INFILESIZE_LARGE : CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->n);
    } else if (strcmp(x->method, "HEAD") == 0) {
        curl_easy_setopt(c->curl, CURLOPT_NOBODY, 1L);
    } else if (strcmp(x->method, "GET") != 0) {
        curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, x->method);
    }
}

/* The header lines for libcurl; NULL: out of memory. It would add a Content-Type of its own, and wait for leave to send a body. */
static struct curl_slist *header_lines(const struct aws_fields *headers)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    bool typed = false;
    for (size_t i = 0; list && i <= headers->n; i++) {
        struct pen_text line = { 0 };
        if (i < headers->n) {
            const struct aws_field *f = &headers->v[i];
            typed |= strcmp(f->name, "content-type") == 0;
            pen_text_format(&line, "%s%s%s", f->name, *f->value ? ": " : ";", f->value);
        } else if (!typed) {
            pen_text_put(&line, "Content-Type:");
        } else {
            break;
        }
        struct curl_slist *more = aws_text(&line) ? curl_slist_append(list, line.bytes) : NULL;
        pen_text_fini(&line);
        if (!more) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = more;
    }
    return list;
}

/* A TLS library may write to a socket that the server has closed, and commands that end on SIGPIPE must not end by that. */
static CURLcode perform(CURL *curl)
{
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    CURLcode code = curl_easy_perform(curl);
    if (!sigismember(&pending, SIGPIPE) && !sigismember(&before, SIGPIPE))
        while (sigtimedwait(&pipe, NULL, &(struct timespec){ 0 }) > 0)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* Whether a request that failed so cannot have been carried out. */
static bool never_sent(CURLcode code, CURL *curl)
{
    long sent = 0;
    curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
    return sent == 0 || code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
           code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION;
}

/* What libcurl's verdict means. */
static pen_status explain(struct handle *c, CURLcode code, const struct aws_exchange *x, const struct incoming *in, const char *url,
                          struct pen_error *err)
{
    const char *why = c->why[0] ? c->why : curl_easy_strerror(code);
    if (in->too_long)
        return pen_fail(err, PEN_FATAL, "%s %s: the answer is longer than the %zu bytes that are expected at most", x->method, url,
                        x->into ? x->room : x->limit);
    if (code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT || in->body.failed || in->a->head.failed)
        return pen_fail(err, PEN_FATAL, "%s %s: out of memory", x->method, url);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_URL_MALFORMAT ||
        (code == CURLE_UNSUPPORTED_PROTOCOL && never_sent(code, c->curl))) /* sent: an answer that is no HTTP */
        return pen_fail(err, PEN_BADCONF, "%s %s: %s", x->method, url, why);
    return pen_fail(err, PEN_RETRY, "%s %s: %s", x->method, url, why);
}

void aws_answer_clear(struct aws_answer *a)
{
    free(a->body);
    a->body = NULL;
    a->n = 0;
    a->status = 0;
    a->unclear = false;
    pen_text_clear(&a->head);
}

void aws_answer_fini(struct aws_answer *a)
{
    free(a->body);
    pen_text_fini(&a->head);
    memset(a, 0, sizeof *a);
}

pen_status aws_http_exchange(struct aws_http *h, const struct aws_exchange *x, struct aws_answer *a, aws_http_outcome *outcome,
                             struct pen_error *err)
{
    struct handle *c = take(h);
    struct incoming in = { .curl = c ? c->curl : NULL, .x = x, .a = a };
    struct curl_slist *lines = header_lines(x->headers);
    pen_status st = PEN_OK;
    size_t shown = strcspn(x->url, "?");
    *outcome = AWS_HTTP_NOT_SENT;
    aws_answer_clear(a);
    shown = shown < sizeof a->url ? shown : sizeof a->url - 1;
    memcpy(a->url, x->url, shown);
    a->url[shown] = '\0';
    if (!c || !lines) {
        st = pen_fail(err, PEN_FATAL, "out of memory");
    } else {
        set_common(h, c, &in);
        set_method(c, x, &in);
        curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, lines);
        c->why[0] = '\0';
        CURLcode code = perform(c->curl);
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &a->status);
        *outcome = code == CURLE_OK ? AWS_HTTP_ANSWERED : never_sent(code, c->curl) ? AWS_HTTP_NOT_SENT : AWS_HTTP_UNCLEAR;
        if (code != CURLE_OK)
            st = explain(c, code, x, &in, a->url, err);
        else if (!aws_text(&in.body))
            st = pen_fail(err, PEN_FATAL, "out of memory");
        curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
    }
    a->body = in.body.bytes;
    a->n = x->into && a->status >= 200 && a->status < 300 ? in.filled : in.body.n;
    curl_slist_free_all(lines);
    if (c)
        give_back(h, c);
    return st;
}
