/* sink.c - the http sink as the engine sees it: rows are sent while they come, and a plan is staged once each of its rows is acknowledged.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "sink.h"

struct writer {
    struct http_sink *s;
    struct poster poster;
    struct post *open; /* the request that rows are added to */
    size_t queued;     /* rows since the last stage() */
    int64_t bytes;
};

static const struct pen_option options[] = {
    { "url", PEN_OPT_STRING, offsetof(struct http_sink, o.url), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "Where the endpoint is, without what the preset adds: http://HOST:PORT for a REST proxy, https://…/STAGE for an API Gateway." },
    { "preset", PEN_OPT_ENUM, offsetof(struct http_sink, o.preset), "kafka-rest", 0, 0, "kafka-rest|kinesis|json-lines", 0,
      "What it speaks: POST /topics/TOPIC of the Kafka REST API (v2), PUT /streams/TOPIC/records of a Kinesis stream behind API Gateway (/record where "
      "batch_records = 1), or POST /ingest/TOPIC of JSON lines." },
    { "topic", PEN_OPT_STRING, offsetof(struct http_sink, o.topic), "{output}", 0, 0, NULL, 0,
      "Topic or stream; {output} is the output that a row was read from, {stage} its stage." },
    { "batch_records", PEN_OPT_COUNT, offsetof(struct http_sink, o.batch_records), "500", 1, 100000, NULL, 0, "Records in one request at most." },
    { "batch_bytes", PEN_OPT_SIZE, offsetof(struct http_sink, o.batch_bytes), "1MiB", 1024, INT64_C(1) << 30, NULL, 0, "Size of a request, about." },
    { "timeout", PEN_OPT_DURATION, offsetof(struct http_sink, o.timeout), "30s", 1000, INT64_C(3600000000), NULL, 0, "Time for a request and its reply." },
    { "connect_timeout", PEN_OPT_DURATION, offsetof(struct http_sink, o.connect_timeout), "10s", 1000, INT64_C(3600000000), NULL, 0, "Time to connect." },
    { "user", PEN_OPT_STRING, offsetof(struct http_sink, o.user), NULL, 0, 0, NULL, 0, "User for basic authentication." },
    { "password", PEN_OPT_STRING, offsetof(struct http_sink, o.password), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "That user's password." },
    { "token", PEN_OPT_STRING, offsetof(struct http_sink, o.token), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "Bearer token." },
    { "api_key", PEN_OPT_STRING, offsetof(struct http_sink, o.api_key), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "Sent as X-Api-Key." },
    { "header.", PEN_OPT_PAIRS, offsetof(struct http_sink, o.headers), NULL, 0, 0, NULL, 0, "header.NAME = VALUE: further headers." },
    { "tls_ca", PEN_OPT_STRING, offsetof(struct http_sink, o.tls_ca), NULL, 0, 0, NULL, 0,
      "File with the authorities that the server's certificate may come from, in PEM; the system's where not given." },
    { "tls_cert", PEN_OPT_STRING, offsetof(struct http_sink, o.tls_cert), NULL, 0, 0, NULL, 0, "File with a client certificate, in PEM." },
    { "tls_key", PEN_OPT_STRING, offsetof(struct http_sink, o.tls_key), NULL, 0, 0, NULL, 0, "File with its key, in PEM." },
    { .name = NULL }
};

/* -- the instance -------------------------------------------------------------------------------------------------------------------------- */

static pen_status add_header(struct http_sink *s, const char *name, const char *value, struct pen_error *err)
{
    struct pen_text t = { 0 };
    struct curl_slist *list = NULL;
    if (strpbrk(value, "\r\n"))
        return pen_fail(err, PEN_BADCONF, "header %s: a value is one line", name);
    pen_text_format(&t, "%s: %s", name, value);
    pen_text_append(&t, "", 1);
    if (!pen_text_failed(&t))
        list = curl_slist_append(s->common, t.bytes);
    pen_text_fini(&t);
    if (!list)
        return pen_fail(err, PEN_FATAL, "out of memory");
    s->common = list;
    return PEN_OK;
}

static void sink_stop(void *ctx)
{
    struct http_sink *s = ctx;
    curl_slist_free_all(s->common);
}

static pen_status make_headers(struct http_sink *s, struct pen_error *err)
{
    pen_status st = PEN_OK;
    struct pen_text bearer = { 0 };
    if (s->o.api_key)
        st = add_header(s, "X-Api-Key", s->o.api_key, err);
    if (st >= 0 && s->o.token) {
        pen_text_format(&bearer, "Bearer %s", s->o.token);
        pen_text_append(&bearer, "", 1);
        st = pen_text_failed(&bearer) ? pen_fail(err, PEN_FATAL, "out of memory") : add_header(s, "Authorization", bearer.bytes, err);
        pen_text_fini(&bearer);
    }
    if (st >= 0)
        st = add_header(s, "Expect", "", err); /* no waiting for "100 Continue" */
    for (size_t i = 0; i < s->o.headers.n && st >= 0; i++)
        st = add_header(s, s->o.headers.names[i], s->o.headers.values[i], err);
    return st;
}

static pen_status sink_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct http_sink *s = ctx;
    pen_status st;
    s->host = host;
    if (strncmp(s->o.url, "http://", 7) != 0 && strncmp(s->o.url, "https://", 8) != 0)
        return pen_fail(err, PEN_BADCONF, "url: expected http:// or https://");
    if (strpbrk(s->o.url, "@?# \r\n"))
        return pen_fail(err, PEN_BADCONF, "url: expected no user, query or fragment; there are the options user and password");
    if (!s->o.user != !s->o.password)
        return pen_fail(err, PEN_BADCONF, "user and password belong together");
    if (s->o.user && s->o.token)
        return pen_fail(err, PEN_BADCONF, "user and token exclude each other");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    st = make_headers(s, err);
    if (st < 0)
        sink_stop(s);
    return st;
}

static pen_status sink_connect(void *ctx, struct pen_error *err)
{
    return poster_probe(ctx, err);
}

static pen_status sink_want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err)
{
    (void)ctx, (void)in;
    return pen_schema_raw(want, err);
}

static pen_status sink_prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    struct http_sink *s = ctx;
    return pen_schema_is_raw(in) ? PEN_OK : pen_fail(err, PEN_BADCONF, "%s: takes raw messages only", s->o.url);
}

static pen_status sink_open(void *ctx, struct pen_error *err)
{
    (void)ctx, (void)err;
    return PEN_OK;
}

/* -- a lane's writer ------------------------------------------------------------------------------------------------------------------------- */

static void writer_close(void *writer)
{
    struct writer *w = writer;
    if (!w)
        return;
    poster_stop(&w->poster);
    post_free(w->open);
    free(w);
}

static pen_status writer_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    pen_status st;
    (void)lane;
    if (!w)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->s = ctx;
    st = poster_start(&w->poster, w->s, err);
    if (st < 0)
        writer_close(w);
    *out = st < 0 ? NULL : w;
    return st;
}

/* The topic of what was read from `rows`. */
static pen_status topic_of(const struct http_sink *s, const struct pen_rows *rows, char out[NAME_MAX_LENGTH + 1], struct pen_error *err)
{
    const char *output = rows->output && *rows->output ? rows->output : rows->stage, *p = s->o.topic;
    size_t n = 0;
    while (*p) {
        const char *part = NULL;
        size_t take = 1, len;
        if (strncmp(p, "{output}", 8) == 0)
            part = output, take = 8;
        else if (strncmp(p, "{stage}", 7) == 0)
            part = rows->stage, take = 7;
        len = part ? strlen(part) : 1;
        if (n + len > NAME_MAX_LENGTH)
            return pen_fail(err, PEN_BADCONF, "topic = %s: longer than %d bytes", s->o.topic, NAME_MAX_LENGTH);
        memcpy(out + n, part ? part : p, len);
        n += len;
        p += take;
    }
    out[n] = '\0';
    if (!n || strspn(out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != n)
        return pen_fail(err, PEN_BADCONF, "topic = %s: \"%s\": a name is made of letters, digits, '.', '_' and '-'", s->o.topic, out);
    return PEN_OK;
}

static void close_post(struct writer *w)
{
    if (w->open)
        poster_push(&w->poster, w->open);
    w->open = NULL;
}

static pen_status open_post(struct writer *w, const char *topic, body_format format, struct pen_error *err)
{
    const struct sink_options *o = &w->s->o;
    if (w->open && strcmp(w->open->topic, topic) == 0 && w->open->format == format && w->open->n < (size_t)o->batch_records &&
        w->open->text.n < (size_t)o->batch_bytes)
        return PEN_OK;
    close_post(w);
    if (!(w->open = calloc(1, sizeof *w->open)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    strcpy(w->open->topic, topic);
    w->open->format = format;
    return PEN_OK;
}

static pen_status writer_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    struct writer *w = writer;
    char topic[NAME_MAX_LENGTH + 1];
    pen_status st = topic_of(w->s, rows, topic, err);
    for (int64_t i = 0; i < batch->length && st >= 0; i++) {
        size_t before;
        st = open_post(w, topic, post_format(w->s, batch, i), err);
        if (st < 0)
            break;
        before = w->open->text.n;
        st = post_add(w->s, w->open, batch, i, err);
        w->bytes += (int64_t)(w->open->text.n - before);
    }
    w->queued += (size_t)batch->length;
    return st;
}

static size_t writer_held(void *writer)
{
    struct writer *w = writer;
    return poster_bytes(&w->poster) + (w->open ? w->open->text.cap : 0);
}

static int64_t writer_written(void *writer)
{
    return ((struct writer *)writer)->bytes;
}

static pen_status writer_stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct writer *w = writer;
    pen_status st;
    close_post(w);
    st = poster_flush(&w->poster, err);
    if (st < 0)
        return st;
    staged->rows = (int64_t)w->queued;
    staged->file_bytes = w->bytes;
    w->queued = 0;
    w->bytes = 0;
    return PEN_OK;
}

static void writer_abandon(void *writer)
{
    struct writer *w = writer;
    poster_drop(&w->poster);
    post_free(w->open);
    w->open = NULL;
    w->queued = 0;
    w->bytes = 0;
}

/* All of it is acknowledged already. */
static pen_status sink_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    (void)ctx, (void)plan, (void)err;
    *outcome = PEN_PUBLISH_DONE;
    return PEN_OK;
}

const struct pen_sink http_sink_type = {
    .ctx_size = sizeof(struct http_sink),
    .options = options,
    .start = sink_start,
    .stop = sink_stop,
    .connect = sink_connect,
    .want = sink_want,
    .prepare = sink_prepare,
    .open = sink_open,
    .guarantee = "at least once: what was sent when a run ended, and not committed, is sent again",
    .writer_open = writer_open,
    .writer_close = writer_close,
    .write = writer_write,
    .held = writer_held,
    .written = writer_written,
    .stage = writer_stage,
    .abandon = writer_abandon,
    .publish = sink_publish,
};
