/* sink.h - the http sink: rows become requests (encode.c), which a thread of each writer sends one after the other (post.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_HTTP_SINK_H
#define PENSTOCK_HTTP_SINK_H

#include <pthread.h>

#include <curl/curl.h>

#include "api.h"

typedef enum { PRESET_KAFKA_REST, PRESET_KINESIS, PRESET_JSON_LINES } sink_preset;

struct sink_options {
    const char *url, *topic, *user, *password, *token, *api_key, *tls_ca, *tls_cert, *tls_key;
    int preset;
    int64_t batch_records, batch_bytes, timeout, connect_timeout;
    struct pen_pairs headers;
};

struct http_sink {
    struct sink_options o; /* first */
    const struct pen_host *host;
    struct curl_slist *common; /* headers of every request */
};

/* One request: records of one topic. */
struct post {
    struct post *next;
    char topic[NAME_MAX_LENGTH + 1];
    body_format format;    /* Kafka REST: how keys and values stand in it */
    struct pen_text text;  /* the records as they stand in the body, one behind the other */
    size_t *ends;          /* of each, in text */
    size_t n, cap;
};

/* Sends in order; a post leaves the queue once each of its records is acknowledged. */
struct poster {
    const struct http_sink *s;
    CURL *curl;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct post *first, **last; /* lock */
    size_t bytes;               /* lock: in the queue */
    bool quit, sending;         /* lock */
    bool waiting;               /* lock: the endpoint is out of reach, and is asked again later */
    unsigned dropped;           /* lock: grows when the queue is dropped: what is being sent belongs to nothing any more */
    struct pen_error why;       /* lock: code PEN_RETRY while waiting, else what ended it */
    struct pen_text reply;      /* the thread's */
};

/* -- encode.c -- */
void post_free(struct post *p);
/* Adds row `row` of a raw batch. PEN_BADDATA where it cannot be written so. */
pen_status post_add(const struct http_sink *s, struct post *p, const struct ArrowArray *batch, int64_t row, struct pen_error *err);
/* How a row wants to be written: BODY_JSON where it can. */
body_format post_format(const struct http_sink *s, const struct ArrowArray *batch, int64_t row);
/* The whole body. */
void post_body(const struct http_sink *s, const struct post *p, struct pen_text *out);
pen_status post_url(const struct http_sink *s, const struct post *p, char *url, size_t size, struct pen_error *err);
/* Checks a reply record by record: those that were not taken stay in *p. PEN_OK: none is left; PEN_RETRY: some are; else what is wrong. */
pen_status post_check(const struct http_sink *s, struct post *p, long status, char *reply, size_t n, struct pen_error *err);

/* -- post.c -- */
pen_status poster_start(struct poster *p, const struct http_sink *s, struct pen_error *err);
void poster_stop(struct poster *p);
/* Takes the post over. */
void poster_push(struct poster *p, struct post *post);
/* Whether all is sent. Waits as long as it goes on; PEN_RETRY while the endpoint is out of reach. */
pen_status poster_flush(struct poster *p, struct pen_error *err);
/* Forgets what is not sent yet. */
void poster_drop(struct poster *p);
size_t poster_bytes(struct poster *p);
/* One request without records, for `check --connect`. */
pen_status poster_probe(const struct http_sink *s, struct pen_error *err);

extern const struct pen_sink http_sink_type;

#endif
