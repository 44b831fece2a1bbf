/* gateway.h - the http source: a server that answers a request once its records are committed.
 *
 * Threads. The server's own thread runs libmicrohttpd and everything about connections; requests that are complete and sound go through `waiting` to the
 * lane, which takes all that wait as one batch with one token. Control answers the token by done(), which formats the replies and hands
 * the batch back through `answered`; the server's thread sends them. A request belongs to one of them at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_HTTP_GATEWAY_H
#define PENSTOCK_HTTP_GATEWAY_H

#include <pthread.h>
#include <stdatomic.h>

#include <microhttpd.h>

#include "api.h"

struct gateway_options {
    const char *listen;
    struct pen_strings topics;
    struct pen_pairs routes;
    bool insecure, admin;
    const char *tls_cert, *tls_key, *tls_client_ca;
    struct pen_strings keys, cors;
    int64_t max_body, max_waiting, connections, connections_per_client;
    double rate;
    int64_t header_timeout, body_timeout, idle_timeout;
};

struct request;
struct requests { /* a queue */
    struct request *first, **last;
};

/* What is known of a connection. The server's thread. */
struct client {
    struct client *prev, *next;
    struct MHD_Connection *mhd;
    int fd;
    uint64_t source;        /* of its address, for limits */
    struct request *request;/* the one at work, NULL between two */
    int64_t since;          /* of the phase that it is in */
    uint64_t received;      /* bytes, when the server last looked */
    bool trickles;          /* since then something of a request's head came, and not all of it */
    bool trusted, looked;   /* its certificate has been looked at, and is good */
    bool over;              /* one connection too many */
};

typedef enum { REQUEST_HEAD, REQUEST_BODY, REQUEST_DROPPED, REQUEST_WAITS, REQUEST_ANSWERED } request_phase;

struct request {
    struct request *next;
    struct client *client;
    request_phase phase;
    struct route route;
    unsigned output;
    body_format format;
    char encoding;          /* of the body: 0, 'g' for gzip, 'z' for zstd */
    char *body;
    size_t n, cap;
    struct posted posted;
    struct refusal why;     /* status 0: none */
    int64_t now;            /* wall clock of its arrival */
    int64_t first_place;    /* of its records among those of its output in the batch */
    size_t counted;         /* bytes that it counts for in `held` */
    const char *origin;     /* CORS: of the configured ones, NULL: none */
    bool asked_keys;
    struct pen_text reply;
};

struct batch { /* a token */
    struct requests requests;
};

struct output_route {
    const char *pattern; /* with '*' and '?' */
    unsigned output;
};

struct api_key {
    unsigned char hash[32];
    const char *name;
};

struct gateway {
    struct gateway_options o; /* first */
    const struct pen_host *host;
    struct pen_output *outputs;
    size_t n_outputs;
    struct output_route *routes;
    size_t n_routes;
    struct api_key *keys;
    size_t n_keys;
    struct limits *limits;
    char *cert, *key, *client_ca; /* PEM */
    int listen_fd;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool running;
    int wake_server, wake_lane; /* eventfds */
    struct client *clients;     /* the server's */
    size_t n_clients;
    struct request *spare;      /* the server's: requests to be used again */
    size_t n_spare;
    struct requests collected;  /* the server's: since it last told the lane */
    pthread_mutex_t lock;
    struct requests waiting;    /* lock: for the lane */
    struct requests answered;   /* lock: for the server */
    struct requests asked;      /* lock: for the thread that asks what lies behind */
    pthread_cond_t asked_changed;
    pthread_t admin_thread;
    bool closing;               /* lock: the lane takes no more */
    bool quit;                  /* lock: the server is to end */
    atomic_size_t held;         /* bytes of bodies that are in memory */
    atomic_size_t max_record;   /* as the pipeline has it */
    int64_t drain_until;        /* the server's; 0: not yet */
    bool quiet;                 /* the server's: it accepts no more connections */
};

/* -- gateway.c: the source's table and what the engine calls -- */
extern const struct pen_source gateway_source;

/* -- server.c: the thread, its loop, connections -- */
pen_status server_start(struct gateway *g, struct pen_error *err);
/* Whether a server could be started with these certificates. */
pen_status server_probe(struct gateway *g, struct pen_error *err);
/* Answers what still waits, and ends. */
void server_stop(struct gateway *g);
void requests_push(struct requests *q, struct request *r);
/* Moves all of `from` behind what is in q. */
void requests_join(struct requests *q, struct requests *from);

/* -- listen.c -- */
/* Whether it is HOST:PORT. */
pen_status listen_check(const char *listen, struct pen_error *err);
/* Opens the socket that `listen` names, which has been checked. */
pen_status listen_open(struct gateway *g, struct pen_error *err);
/* Whether it could be opened; nobody can connect meanwhile. */
pen_status listen_probe(const struct gateway *g, struct pen_error *err);
/* Whether only this machine can reach it. */
bool listen_is_local(const char *listen);

/* -- request.c: from the first byte of a request to its reply, on the server's thread -- */
enum MHD_Result request_step(void *gateway, struct MHD_Connection *c, const char *url, const char *method, const char *version, const char *data,
                             size_t *n, void **state);
struct request *request_new(struct gateway *g, struct client *c);
void request_free(struct gateway *g, struct request *r);
/* What becomes of it in the end: fills r->reply. Any thread that has it. */
void request_stored(struct request *r, const struct pen_stored *places);
void request_failed(struct request *r);

/* -- admin.c -- */
pen_status admin_start(struct gateway *g, struct pen_error *err);
/* A question that what lies behind is to answer; the request comes back through `answered`. */
void admin_ask(struct gateway *g, struct request *r);
/* After the server has stopped. */
void admin_stop(struct gateway *g);

/* -- inflate.c -- */
/* Unpacks the request's body, to max bytes at most. */
bool body_unpack(struct request *r, size_t max);

/* -- access.c: keys, certificates, limits -- */
pen_status access_start(struct gateway *g, struct pen_error *err);
void access_stop(struct gateway *g);
/* Whether a request with these headers may go on; else fills *why. */
bool access_allowed(struct gateway *g, struct client *c, const char *authorization, const char *api_key, struct refusal *why);

#endif
