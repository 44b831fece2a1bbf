/* server.c - the gateway's thread: it runs libmicrohttpd, hands what is complete to the lane and sends what is answered.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway.h"

#define SWEEP_EVERY 500000    /* microseconds between looks for clients that are too slow */
#define DRAIN_AT_MOST 3000000 /* microseconds that replies may take at the end */
#define MEMORY_PER_CLIENT 12288 /* for the head of a request and what is read at once; libmicrohttpd clears it after each request */
#define BYTES_RECEIVED 16 /* of the kernel's tcp_info, in words of 64 bits; not every C library names it */
#define SPARE_CONNECTIONS 32  /* beyond the limit, to be told so */

void requests_push(struct requests *q, struct request *r)
{
    r->next = NULL;
    if (!q->first)
        q->last = &q->first;
    *q->last = r;
    q->last = &r->next;
}

void requests_join(struct requests *q, struct requests *from)
{
    if (!from->first)
        return;
    if (!q->first)
        q->last = &q->first;
    *q->last = from->first;
    q->last = from->last;
    *from = (struct requests){ NULL, NULL };
}

/* -- connections ----------------------------------------------------------------------------------------------------------------------- */

static uint64_t address_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    uint64_t v = 0;
    if (info && info->client_addr && info->client_addr->sa_family == AF_INET)
        v = ((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr.s_addr;
    else if (info && info->client_addr && info->client_addr->sa_family == AF_INET6) /* a network of 64 bits is one client */
        memcpy(&v, &((const struct sockaddr_in6 *)(const void *)info->client_addr)->sin6_addr, sizeof v);
    return v;
}

static void client_opened(struct gateway *g, struct MHD_Connection *mhd, void **context)
{
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct client *c = calloc(1, sizeof *c);
    size_t same = 1;
    *context = c;
    if (!c)
        return;
    c->mhd = mhd;
    c->fd = fd ? fd->connect_fd : -1;
    c->source = address_of(mhd);
    c->since = pen_now(g->host);
    for (const struct client *o = g->o.connections_per_client ? g->clients : NULL; o; o = o->next)
        same += o->source == c->source;
    g->n_clients++;
    c->over = g->n_clients > (size_t)g->o.connections || (g->o.connections_per_client && same > (size_t)g->o.connections_per_client);
    c->next = g->clients;
    if (c->next)
        c->next->prev = c;
    g->clients = c;
}

static void client_closed(struct gateway *g, struct client *c)
{
    if (!c)
        return;
    request_free(g, c->request);
    *(c->prev ? &c->prev->next : &g->clients) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    g->n_clients--;
    free(c);
}

static void on_connection(void *gateway, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        client_opened(gateway, mhd, context);
    else
        client_closed(gateway, *context);
}

/* The first line of a request is there. */
static void *on_request_line(void *gateway, const char *uri, struct MHD_Connection *mhd)
{
    struct gateway *g = gateway;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct client *c = info ? info->socket_context : NULL;
    (void)uri;
    if (!c)
        return NULL;
    request_free(g, c->request);
    c->request = request_new(g, c);
    c->trickles = false;
    c->since = 0; /* the sweep puts the time there */
    return c->request;
}

static void on_completed(void *gateway, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode why)
{
    struct request *r = *state;
    struct client *c;
    (void)mhd, (void)why;
    if (!r)
        return;
    c = r->client;
    c->request = NULL;
    c->trickles = false;
    c->since = 0;
    *state = NULL;
    request_free(gateway, r);
}

static size_t as_it_is(void *gateway, struct MHD_Connection *mhd, char *text)
{
    (void)gateway, (void)mhd;
    return strlen(text); /* paths are unescaped where they are taken apart */
}

/* -- slow clients ------------------------------------------------------------------------------------------------------------------------- */

/* Whether bytes come in between two requests without making one: a head, or a TLS greeting, that trickles. */
static bool trickles(struct client *c)
{
    uint64_t info[BYTES_RECEIVED + 1];
    socklen_t n = sizeof info;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, info, &n) < 0 || n < sizeof info)
        return false;
    if (info[BYTES_RECEIVED] + 1 != c->received && c->received)
        c->trickles = true;
    c->received = info[BYTES_RECEIVED] + 1;
    return c->trickles;
}

static bool too_slow(const struct gateway *g, struct client *c, int64_t now)
{
    bool was = c->trickles;
    if (!c->request) {
        if (c->since == 0)
            c->since = now, c->received = 0;
        if (trickles(c) && !was)
            c->since = now;
        return now - c->since > (c->trickles ? g->o.header_timeout : g->o.idle_timeout);
    }
    if (c->since == 0)
        c->since = now;
    switch (c->request->phase) {
    case REQUEST_HEAD: return now - c->since > g->o.header_timeout;
    case REQUEST_BODY:
    case REQUEST_DROPPED: return now - c->since > g->o.body_timeout;
    default: return false; /* we are at work on it, or libmicrohttpd sends */
    }
}

static void sweep(struct gateway *g, int64_t now)
{
    int64_t cut = 0;
    for (struct client *c = g->clients; c; c = c->next)
        if (c->fd >= 0 && too_slow(g, c, now)) {
            cut += c->request != NULL || c->trickles;
            shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd finds it at its end, and closes it */
            c->since = now;
        }
    if (cut)
        pen_count(g->host, "slow_clients_total", NULL, cut);
    pen_gauge(g->host, "connections", NULL, (double)g->n_clients);
}

/* -- the loop ------------------------------------------------------------------------------------------------------------------------------ */

static void signal_fd(int fd)
{
    if (eventfd_write(fd, 1) < 0)
        return; /* it is readable already */
}

/* What became complete goes to the lane. */
static void hand_over(struct gateway *g)
{
    bool closing;
    if (!g->collected.first)
        return;
    pthread_mutex_lock(&g->lock);
    closing = g->closing;
    for (struct request *r = closing ? g->collected.first : NULL; r; r = r->next)
        request_failed(r);
    requests_join(closing ? &g->answered : &g->waiting, &g->collected);
    pthread_mutex_unlock(&g->lock);
    signal_fd(closing ? g->wake_server : g->wake_lane);
}

static void resume_answered(struct gateway *g)
{
    struct requests done = { NULL, NULL };
    pthread_mutex_lock(&g->lock);
    requests_join(&done, &g->answered);
    pthread_mutex_unlock(&g->lock);
    for (struct request *r = done.first, *next; r; r = next) {
        next = r->next;
        MHD_resume_connection(r->client->mhd);
    }
}

/* Nobody waits for a reply any more, or has been given the time for it. */
static bool drained(struct gateway *g, int64_t now)
{
    bool quit, busy = false;
    pthread_mutex_lock(&g->lock);
    quit = g->quit;
    pthread_mutex_unlock(&g->lock);
    if (!quit)
        return false;
    if (!g->drain_until)
        g->drain_until = now + DRAIN_AT_MOST;
    for (const struct client *c = g->clients; c && !busy; c = c->next)
        busy = c->request != NULL;
    if (!busy)
        return true;
    for (const struct client *c = g->clients; c; c = c->next)
        if (c->request && c->request->phase == REQUEST_WAITS)
            return false; /* suspended: its answer is on its way */
    return now > g->drain_until;
}

static void become_quiet(struct gateway *g)
{
    int fd = MHD_quiesce_daemon(g->daemon);
    g->quiet = true;
    if (fd >= 0)
        close(fd);
    g->listen_fd = -1;
}

static int wait_time(struct gateway *g)
{
    MHD_UNSIGNED_LONG_LONG ms;
    int most = g->quiet ? 20 : (int)(SWEEP_EVERY / 1000);
    return MHD_get_timeout(g->daemon, &ms) == MHD_YES && ms < (unsigned)most ? (int)ms : most;
}

static void *serve(void *arg)
{
    struct gateway *g = arg;
    int epoll = MHD_get_daemon_info(g->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int64_t swept = 0, now;
    do {
        struct pollfd p[] = { { epoll, POLLIN, 0 }, { g->wake_server, POLLIN, 0 }, { g->quiet ? -1 : pen_wake_fd(g->host), POLLIN, 0 } };
        eventfd_t n;
        poll(p, 3, wait_time(g));
        if (p[1].revents && eventfd_read(g->wake_server, &n) == 0)
            resume_answered(g);
        if (p[2].revents)
            become_quiet(g);
        MHD_run(g->daemon);
        hand_over(g);
        now = pen_now(g->host);
        if (now - swept > SWEEP_EVERY) {
            swept = now;
            sweep(g, now);
        }
    } while (!drained(g, now));
    MHD_stop_daemon(g->daemon);
    return NULL;
}

/* Without a socket where none has been opened. */
static pen_status start_daemon(struct gateway *g, struct MHD_Daemon **out, struct pen_error *err)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | (g->cert ? (unsigned)MHD_USE_TLS : 0) |
                     (g->listen_fd < 0 ? (unsigned)MHD_USE_NO_LISTEN_SOCKET : 0);
    struct MHD_OptionItem more[6], *at = more;
    if (g->listen_fd >= 0)
        *at++ = (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET, g->listen_fd, NULL };
    if (g->cert) {
        *at++ = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, g->cert };
        *at++ = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, g->key };
        *at++ = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)"NORMAL:-VERS-TLS1.0:-VERS-TLS1.1" };
    }
    if (g->client_ca)
        *at++ = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_TRUST, 0, g->client_ca };
    *at = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
    *out = MHD_start_daemon(flags, 0, NULL, NULL, request_step, g, MHD_OPTION_ARRAY, more, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)(g->o.connections + SPARE_CONNECTIONS), MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CLIENT,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(g->o.idle_timeout / 1000000 + 1), MHD_OPTION_NOTIFY_COMPLETED, on_completed, g,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, g, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, g,
                            MHD_OPTION_UNESCAPE_CALLBACK, as_it_is, g, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                            MHD_OPTION_END);
    return *out ? PEN_OK : pen_fail(err, PEN_FATAL, "listen = %s: the server could not be started%s", g->o.listen,
                                    g->cert ? ": are tls_cert and tls_key a certificate and its key, in PEM?" : "");
}

pen_status server_probe(struct gateway *g, struct pen_error *err)
{
    struct MHD_Daemon *daemon;
    if (start_daemon(g, &daemon, err) < 0)
        return PEN_FATAL;
    MHD_stop_daemon(daemon);
    return PEN_OK;
}

pen_status server_start(struct gateway *g, struct pen_error *err)
{
    int failed;
    if (start_daemon(g, &g->daemon, err) < 0)
        return PEN_FATAL;
    if (admin_start(g, err) < 0) {
        MHD_stop_daemon(g->daemon);
        return PEN_FATAL;
    }
    failed = pthread_create(&g->thread, NULL, serve, g);
    if (failed) {
        g->quit = true;
        admin_stop(g);
        MHD_stop_daemon(g->daemon);
        g->daemon = NULL;
        return pen_fail(err, PEN_FATAL, "a thread could not be started: %s", strerror(failed));
    }
    g->running = true;
    return PEN_OK;
}

void server_stop(struct gateway *g)
{
    if (!g->running)
        return;
    pthread_mutex_lock(&g->lock);
    g->quit = true;
    pthread_mutex_unlock(&g->lock);
    signal_fd(g->wake_server);
    pthread_join(g->thread, NULL);
    admin_stop(g);
    g->running = false;
    while (g->spare) {
        struct request *r = g->spare;
        g->spare = r->next;
        free(r->body);
        posted_free(&r->posted);
        pen_text_fini(&r->reply);
        free(r);
    }
}
