/* gateway.c - the http source as the engine sees it: outputs by topic, one batch for all that waits, replies once it is committed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway.h"

static const struct pen_option options[] = {
    { "listen", PEN_OPT_STRING, offsetof(struct gateway, o.listen), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "HOST:PORT to listen on; [ADDRESS]:PORT for IPv6. Port 0 is one that the system chooses, and the log tells." },
    { "topics", PEN_OPT_LIST, offsetof(struct gateway, o.topics), NULL, 0, 0, NULL, 0,
      "Names of topics and streams that are taken. Each is an output of the same name." },
    { "route.", PEN_OPT_PAIRS, offsetof(struct gateway, o.routes), NULL, 0, 0, NULL, 0,
      "route.OUTPUT = PATTERN…: names that go to one output, with * and ? as in file names; `route.rest = *` takes what no other rule does." },
    { "admin", PEN_OPT_BOOL, offsetof(struct gateway, o.admin), "no", 0, 0, NULL, 0,
      "Let clients create and delete what lies behind: POST and DELETE on /streams/NAME." },
    { "tls_cert", PEN_OPT_STRING, offsetof(struct gateway, o.tls_cert), NULL, 0, 0, NULL, 0,
      "File with the server's certificate and those that lead to its authority, in PEM; plain HTTP where not given." },
    { "tls_key", PEN_OPT_STRING, offsetof(struct gateway, o.tls_key), NULL, 0, 0, NULL, 0, "File with the certificate's private key, in PEM." },
    { "tls_client_ca", PEN_OPT_STRING, offsetof(struct gateway, o.tls_client_ca), NULL, 0, 0, NULL, 0,
      "File with authorities, in PEM: clients must then show a certificate that one of them has signed." },
    { "keys", PEN_OPT_LIST, offsetof(struct gateway, o.keys), NULL, 0, 0, NULL, 0,
      "NAME:HASH…, the hash being the SHA-256 of a key in hexadecimal: requests must then bring one of the keys, as X-Api-Key, as Bearer token or as the "
      "password of user NAME. Open to all where not given." },
    { "insecure", PEN_OPT_BOOL, offsetof(struct gateway, o.insecure), "no", 0, 0, NULL, 0,
      "Listen beyond this machine without certificate, or without keys." },
    { "cors", PEN_OPT_LIST, offsetof(struct gateway, o.cors), NULL, 0, 0, NULL, 0,
      "Origins whose pages may post, such as https://app.example; * for all." },
    { "max_body", PEN_OPT_SIZE, offsetof(struct gateway, o.max_body), "16MiB", 1024, INT64_C(1) << 30, NULL, 0,
      "Longest body of a request, also when it is unpacked; longer ones are answered with 413." },
    { "max_waiting", PEN_OPT_SIZE, offsetof(struct gateway, o.max_waiting), "64MiB", 1024, INT64_C(1) << 40, NULL, 0,
      "Bytes of bodies that may wait to be stored; beyond that requests are answered with 503 and Retry-After." },
    { "connections", PEN_OPT_COUNT, offsetof(struct gateway, o.connections), "1000", 1, 1000000, NULL, 0,
      "Connections at once; beyond that requests are answered with 429." },
    { "connections_per_client", PEN_OPT_COUNT, offsetof(struct gateway, o.connections_per_client), "0", 0, 1000000, NULL, 0,
      "Connections at once of one address (of IPv6, one network of 64 bits); 0: no limit of its own." },
    { "rate", PEN_OPT_RATE, offsetof(struct gateway, o.rate), NULL, 0, 0, NULL, 0,
      "Requests a second that one client may make, by its key or else by its address; beyond that they are answered with 429 and Retry-After." },
    { "header_timeout", PEN_OPT_DURATION, offsetof(struct gateway, o.header_timeout), "10s", 100000, INT64_C(3600000000), NULL, 0,
      "Time for the head of a request, from its first byte." },
    { "body_timeout", PEN_OPT_DURATION, offsetof(struct gateway, o.body_timeout), "30s", 100000, INT64_C(3600000000), NULL, 0,
      "Time for the body of a request." },
    { "idle_timeout", PEN_OPT_DURATION, offsetof(struct gateway, o.idle_timeout), "60s", 1000000, INT64_C(3600000000), NULL, 0,
      "Time after which a connection without a request is closed." },
    { .name = NULL }
};

/* -- names and outputs ----------------------------------------------------------------------------------------------------------------- */

static pen_status add_output(struct gateway *g, const char *name, unsigned *index, struct pen_error *err)
{
    for (size_t i = 0; i < g->n_outputs; i++)
        if (strcmp(g->outputs[i].name, name) == 0) {
            *index = (unsigned)i;
            return PEN_OK;
        }
    if (!*name || strlen(name) > NAME_MAX_LENGTH || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(name))
        return pen_fail(err, PEN_BADCONF, "topics: \"%s\": a name is made of letters, digits, '.', '_' and '-'", name);
    *index = (unsigned)g->n_outputs;
    g->outputs[g->n_outputs++].name = name;
    return PEN_OK;
}

/* Adds the patterns of one `route.OUTPUT`, which are words; they are kept with the routes. */
static pen_status add_patterns(struct gateway *g, const char *name, const char *patterns, struct pen_error *err)
{
    char *words = strdup(patterns), *rest = NULL;
    unsigned output = 0;
    if (!words)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (char *w = strtok_r(words, " ,\t", &rest); w; w = strtok_r(NULL, " ,\t", &rest)) {
        struct output_route *v = realloc(g->routes, (g->n_routes + 1) * sizeof *v);
        char *copy = strdup(w);
        if (v)
            g->routes = v;
        if (!v || !copy || add_output(g, name, &output, err) < 0) {
            free(words), free(copy);
            return err && err->code < 0 ? err->code : pen_fail(err, PEN_FATAL, "out of memory");
        }
        g->routes[g->n_routes++] = (struct output_route){ copy, output };
    }
    free(words);
    return PEN_OK;
}

/* Patterns that are names come before those that take several, whatever their order. */
static int by_plainness(const void *a, const void *b)
{
    const struct output_route *x = a, *y = b;
    bool wide_x = strpbrk(x->pattern, "*?"), wide_y = strpbrk(y->pattern, "*?");
    size_t n_x = strlen(x->pattern), n_y = strlen(y->pattern);
    if (wide_x != wide_y)
        return wide_x ? 1 : -1;
    return n_x > n_y ? -1 : n_x < n_y ? 1 : strcmp(x->pattern, y->pattern);
}

static pen_status make_routes(struct gateway *g, struct pen_error *err)
{
    pen_status st = PEN_OK;
    if (!(g->outputs = calloc(g->o.topics.n + g->o.routes.n + 1, sizeof *g->outputs)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < g->o.topics.n && st >= 0; i++)
        st = add_patterns(g, g->o.topics.v[i], g->o.topics.v[i], err);
    for (size_t i = 0; i < g->o.routes.n && st >= 0; i++)
        st = add_patterns(g, g->o.routes.names[i], g->o.routes.values[i], err);
    if (st >= 0 && !g->n_routes)
        return pen_fail(err, PEN_BADCONF, "topics: the names that are to be taken are missing");
    if (st >= 0)
        qsort(g->routes, g->n_routes, sizeof *g->routes, by_plainness);
    return st;
}

/* -- the instance -------------------------------------------------------------------------------------------------------------------------- */

static void gateway_stop(void *ctx)
{
    struct gateway *g = ctx;
    server_stop(g);
    if (g->listen_fd >= 0)
        close(g->listen_fd);
    if (g->wake_server >= 0)
        close(g->wake_server);
    if (g->wake_lane >= 0)
        close(g->wake_lane);
    access_stop(g);
    for (size_t i = 0; i < g->n_routes; i++)
        free((char *)(uintptr_t)g->routes[i].pattern);
    free(g->routes);
    free(g->outputs);
    pthread_mutex_destroy(&g->lock);
}

static pen_status gateway_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct gateway *g = ctx;
    pen_status st;
    g->host = host;
    g->listen_fd = g->wake_server = g->wake_lane = -1;
    atomic_store(&g->max_record, SIZE_MAX);
    pthread_mutex_init(&g->lock, NULL);
    st = listen_check(g->o.listen, err);
    if (st >= 0)
        st = make_routes(g, err);
    if (st >= 0)
        st = access_start(g, err);
    if (st >= 0) {
        g->wake_server = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        g->wake_lane = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (g->wake_server < 0 || g->wake_lane < 0)
            st = pen_fail(err, PEN_FATAL, "eventfd: %s", strerror(errno));
    }
    if (st >= 0)
        st = listen_open(g, err);
    if (st < 0)
        gateway_stop(g);
    return st;
}

static pen_status gateway_connect(void *ctx, struct pen_error *err)
{
    struct gateway *g = ctx;
    pen_status st = listen_probe(g, err);
    return st == PEN_OK ? server_probe(g, err) : st;
}

static pen_status gateway_outputs(void *ctx, struct pen_output **out, size_t *n, struct pen_error *err)
{
    struct gateway *g = ctx;
    (void)err;
    *out = g->outputs;
    *n = g->n_outputs;
    return PEN_OK;
}

static pen_status no_events(void *ctx, struct pen_partition_event *event, struct pen_error *err)
{
    (void)ctx, (void)event, (void)err;
    return PEN_SKIP;
}

/* -- the lane ------------------------------------------------------------------------------------------------------------------------------ */

/* Here the server begins: whatever comes in from now on can go through. */
static pen_status reader_open(void *ctx, unsigned lane, void **reader, struct pen_error *err)
{
    struct gateway *g = ctx;
    *reader = g;
    return lane == 0 && !g->running ? server_start(g, err) : PEN_OK;
}

/* Nothing more will be read: what still waits is told so. */
static void reader_close(void *reader)
{
    struct gateway *g = reader;
    pthread_mutex_lock(&g->lock);
    g->closing = true;
    for (struct request *r = g->waiting.first; r; r = r->next)
        request_failed(r);
    requests_join(&g->answered, &g->waiting);
    pthread_mutex_unlock(&g->lock);
    if (eventfd_write(g->wake_server, 1) < 0)
        return; /* it is readable already */
}

/* As many of those that wait as one read is to give; at least one. */
static void take_waiting(struct gateway *g, const struct pen_read *read, struct requests *out)
{
    struct request *r, *last = NULL;
    size_t bytes = 0;
    int64_t rows = 0;
    pthread_mutex_lock(&g->lock);
    for (r = g->waiting.first; r && rows < read->max_rows && bytes < read->max_bytes; last = r, r = r->next) {
        rows += (int64_t)r->posted.n;
        bytes += r->n;
    }
    if (last) {
        out->first = g->waiting.first;
        out->last = &last->next;
        g->waiting.first = r;
        last->next = NULL;
    }
    pthread_mutex_unlock(&g->lock);
}

static void feed(const struct request *r, struct pen_intake *in)
{
    for (size_t i = 0; i < r->posted.n; i++) {
        const struct record *rec = &r->posted.records[i];
        char partition[12];
        struct pen_message m = { .key = rec->key.p, .key_size = rec->key.n, .value = rec->value.p, .value_size = rec->value.n, .offset = -1,
                                 .timestamp = rec->timestamp == INT64_MIN ? r->now : rec->timestamp, .headers = rec->n_headers ? r->posted.headers + rec->first_header : NULL,
                                 .n_headers = rec->n_headers };
        if (rec->partition >= 0) {
            snprintf(partition, sizeof partition, "%d", rec->partition);
            m.partition = partition;
        }
        pen_intake_message(in, &m);
    }
}

static pen_status gateway_read(void *reader, struct pen_read *read, struct pen_error *err)
{
    struct gateway *g = reader;
    struct requests taken = { NULL, NULL };
    struct batch *batch;
    eventfd_t n;
    (void)eventfd_read(g->wake_lane, &n);
    if (atomic_load(&g->max_record) == SIZE_MAX)
        for (size_t i = 0; i < g->n_outputs; i++)
            if (read->intakes[i])
                atomic_store(&g->max_record, pen_intake_max_record(read->intakes[i]));
    take_waiting(g, read, &taken);
    if (!taken.first)
        return PEN_SKIP;
    if (!(batch = malloc(sizeof *batch))) {
        pthread_mutex_lock(&g->lock);
        for (struct request *r = taken.first; r; r = r->next)
            request_failed(r);
        requests_join(&g->answered, &taken);
        pthread_mutex_unlock(&g->lock);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    for (struct request *r = taken.first; r; r = r->next) {
        r->first_place = pen_intake_rows(read->intakes[r->output]);
        feed(r, read->intakes[r->output]);
    }
    batch->requests = taken;
    read->urgent = true;
    read->token = batch;
    return PEN_OK;
}

static int gateway_fd(void *reader)
{
    return ((struct gateway *)reader)->wake_lane;
}

static void gateway_done(void *ctx, void *token, pen_status status, const struct pen_stored_rows *stored)
{
    struct gateway *g = ctx;
    struct batch *batch = token;
    for (struct request *r = batch->requests.first; r; r = r->next) {
        const struct pen_stored *rows = status == PEN_OK && stored ? stored[r->output].rows : NULL;
        if (status == PEN_OK)
            request_stored(r, rows ? rows + r->first_place : NULL);
        else
            request_failed(r);
    }
    pthread_mutex_lock(&g->lock);
    requests_join(&g->answered, &batch->requests);
    pthread_mutex_unlock(&g->lock);
    free(batch);
    if (eventfd_write(g->wake_server, 1) < 0)
        return; /* it is readable already */
}

const struct pen_source gateway_source = {
    .ctx_size = sizeof(struct gateway),
    .options = options,
    .start = gateway_start,
    .stop = gateway_stop,
    .connect = gateway_connect,
    .outputs = gateway_outputs,
    .no_replay = true,
    .next_event = no_events,
    .done = gateway_done,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .read = gateway_read,
    .fd = gateway_fd,
};
