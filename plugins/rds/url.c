/* url.c - URLs of databases (RFC 3986, as far as they use it). SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EXPECTED "expected mysql://USER@HOST:PORT/DATABASE or postgresql://USER@HOST:PORT/DATABASE"

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The n bytes of text percent-decoded; NULL where that is not possible or gives a NUL. */
static char *decode(const char *text, size_t n)
{
    char *out = malloc(n + 1), *p = out;
    for (size_t i = 0; out && i < n; i++) {
        if (text[i] != '%') {
            *p++ = text[i];
            continue;
        }
        int a = i + 1 < n ? hex(text[i + 1]) : -1, b = i + 2 < n ? hex(text[i + 2]) : -1;
        if (a < 0 || b < 0 || (a == 0 && b == 0)) {
            free(out);
            return NULL;
        }
        *p++ = (char)(a << 4 | b);
        i += 2;
    }
    if (out)
        *p = '\0';
    return out;
}

void rds_url_fini(struct rds_url *u)
{
    if (u->password)
        explicit_bzero(u->password, strlen(u->password));
    free(u->user), free(u->password), free(u->host), free(u->database), free(u->socket);
    memset(u, 0, sizeof *u);
}

/* Sets *part to the decoded text, unless it is empty. */
static pen_status set_part(char **part, const char *text, size_t n, const char *what, struct pen_error *err)
{
    if (n == 0)
        return PEN_OK;
    free(*part);
    *part = decode(text, n);
    return *part ? PEN_OK : pen_fail(err, PEN_BADCONF, "url: its %s is not percent-encoded well", what);
}

static const struct {
    const char *name;
    rds_kind kind;
    int port;
} schemes[] = {
    { "mysql://", RDS_MYSQL, 3306 },
    { "mariadb://", RDS_MYSQL, 3306 },
    { "postgresql://", RDS_POSTGRES, 5432 },
    { "postgres://", RDS_POSTGRES, 5432 },
};

static pen_status parse_port(struct rds_url *u, const char *text, size_t n, struct pen_error *err)
{
    int port = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || (port = port * 10 + (text[i] - '0')) > 65535)
            return pen_fail(err, PEN_BADCONF, "url: port \"%.*s\": expected a number from 1 to 65535", n > 20 ? 20 : (int)n, text);
    }
    if (n && port == 0)
        return pen_fail(err, PEN_BADCONF, "url: port 0: expected a number from 1 to 65535");
    if (n)
        u->port = port;
    return PEN_OK;
}

/* USER:PASSWORD@HOST:PORT, n bytes. */
static pen_status parse_authority(struct rds_url *u, const char *text, size_t n, struct pen_error *err)
{
    const char *at = NULL, *host = text, *end = text + n, *colon;
    pen_status st = PEN_OK;
    for (const char *p = text; p < end; p++)
        if (*p == '@')
            at = p; /* the last: an @ in a password that somebody forgot to encode */
    if (at) {
        colon = memchr(text, ':', (size_t)(at - text));
        st = set_part(&u->user, text, (size_t)((colon ? colon : at) - text), "user", err);
        if (st >= 0 && colon)
            st = set_part(&u->password, colon + 1, (size_t)(at - colon - 1), "password", err);
        host = at + 1;
    }
    if (st < 0)
        return st;
    if (host < end && *host == '[') {
        const char *close = memchr(host, ']', (size_t)(end - host));
        if (!close || (close + 1 < end && close[1] != ':'))
            return pen_fail(err, PEN_BADCONF, "url: an address in brackets does not end");
        st = set_part(&u->host, host + 1, (size_t)(close - host - 1), "host", err);
        colon = close + 1 < end ? close + 1 : NULL;
    } else {
        colon = memchr(host, ':', (size_t)(end - host));
        st = set_part(&u->host, host, (size_t)((colon ? colon : end) - host), "host", err);
    }
    return st < 0 || !colon ? st : parse_port(u, colon + 1, (size_t)(end - colon - 1), err);
}

static pen_status parse_query(struct rds_url *u, const char *text, struct pen_error *err)
{
    static const char socket[] = "socket=";
    size_t n = strlen(text);
    if (strncmp(text, socket, sizeof socket - 1) != 0 || memchr(text, '&', n))
        return pen_fail(err, PEN_BADCONF, "url: the part behind ? may only be socket=PATH; everything else has an option of its own");
    return set_part(&u->socket, text + sizeof socket - 1, n - (sizeof socket - 1), "socket", err);
}

static pen_status parse(struct rds_url *u, const char *text, struct pen_error *err)
{
    size_t scheme = 0, n;
    const char *path, *query;
    pen_status st;
    while (scheme < sizeof schemes / sizeof *schemes && strncmp(text, schemes[scheme].name, strlen(schemes[scheme].name)) != 0)
        scheme++;
    if (scheme == sizeof schemes / sizeof *schemes)
        return pen_fail(err, PEN_BADCONF, "url: " EXPECTED);
    u->kind = schemes[scheme].kind;
    u->port = schemes[scheme].port;
    text += strlen(schemes[scheme].name);
    n = strcspn(text, "/?#");
    path = text + n;
    st = parse_authority(u, text, n, err);
    if (st >= 0 && *path == '/') {
        n = strcspn(++path, "?#");
        if (memchr(path, '/', n))
            return pen_fail(err, PEN_BADCONF, "url: more than a database behind the host; " EXPECTED);
        st = set_part(&u->database, path, n, "database", err);
        path += n;
    }
    query = *path == '?' ? path + 1 : NULL;
    if (st >= 0 && *path == '#')
        return pen_fail(err, PEN_BADCONF, "url: a # in it must be written %%23; " EXPECTED);
    if (st >= 0 && query)
        st = parse_query(u, query, err);
    if (st >= 0 && !u->host && !u->socket)
        return pen_fail(err, PEN_BADCONF, "url: it names no host; " EXPECTED);
    return st;
}

pen_status rds_url_parse(struct rds_url *out, const char *text, struct pen_error *err)
{
    pen_status st;
    memset(out, 0, sizeof *out);
    st = parse(out, text, err);
    if (st < 0)
        rds_url_fini(out);
    return st;
}
