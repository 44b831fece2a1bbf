/* listen.c - HOST:PORT to a socket. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway.h"

#define BACKLOG 1024

/* "host:port" or "[v6]:port" taken apart. */
static bool take_apart(const char *listen, char host[256], char port[8])
{
    const char *colon = strrchr(listen, ':');
    size_t n = colon ? (size_t)(colon - listen) : 0;
    char *end;
    long number = colon ? strtol(colon + 1, &end, 10) : -1;
    if (number < 0 || number > 65535 || *end || end == colon + 1)
        return false;
    if (n > 1 && listen[0] == '[' && listen[n - 1] == ']')
        listen++, n -= 2;
    if (n == 0 || n > 255)
        return false;
    memcpy(host, listen, n);
    host[n] = '\0';
    snprintf(port, 8, "%ld", number);
    return true;
}

pen_status listen_check(const char *listen, struct pen_error *err)
{
    char host[256], port[8];
    return take_apart(listen, host, port) ? PEN_OK : pen_fail(err, PEN_BADCONF, "listen = %s: expected HOST:PORT", listen);
}

bool listen_is_local(const char *listen)
{
    char host[256], port[8];
    return take_apart(listen, host, port) && (strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0);
}

/* taken: also waits for connections; else it is only seen that it could. */
static int try_address(const struct addrinfo *a, bool taken)
{
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol), one = 1, why;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
        (!taken || listen(fd, BACKLOG) == 0))
        return fd;
    why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* Where it listens: a port of 0 is one that the system chose. */
static void say_where(struct gateway *g)
{
    struct sockaddr_storage at;
    socklen_t n = sizeof at;
    char host[64], port[8];
    if (getsockname(g->listen_fd, (struct sockaddr *)&at, &n) == 0 &&
        getnameinfo((struct sockaddr *)&at, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        pen_log(g->host, PEN_LOG_INFO, strchr(host, ':') ? "listening on %s://[%s]:%s" : "listening on %s://%s:%s", g->cert ? "https" : "http", host, port);
}

static pen_status open_socket(const struct gateway *g, bool taken, int *fd, struct pen_error *err)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found = NULL;
    char host[256], port[8];
    int e;
    *fd = -1;
    if (!take_apart(g->o.listen, host, port))
        return listen_check(g->o.listen, err);
    if ((e = getaddrinfo(host, port, &hints, &found)) != 0)
        return pen_fail(err, PEN_BADCONF, "listen = %s: %s", g->o.listen, gai_strerror(e));
    errno = EADDRNOTAVAIL;
    for (const struct addrinfo *a = found; a && *fd < 0; a = a->ai_next)
        *fd = try_address(a, taken);
    freeaddrinfo(found);
    return *fd < 0 ? pen_fail(err, PEN_FATAL, "listen = %s: %s", g->o.listen, strerror(errno)) : PEN_OK;
}

pen_status listen_open(struct gateway *g, struct pen_error *err)
{
    pen_status st = pen_checking(g->host) ? PEN_SKIP : open_socket(g, true, &g->listen_fd, err);
    if (st == PEN_OK)
        say_where(g);
    return st < 0 ? st : PEN_OK;
}

pen_status listen_probe(const struct gateway *g, struct pen_error *err)
{
    int fd;
    pen_status st = open_socket(g, false, &fd, err);
    if (fd >= 0)
        close(fd);
    return st;
}
