/* access.c - who may post, and how much: API keys and bearer tokens (kept as hashes), client certificates, limits for each client.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "gateway.h"

#define KEY_MAX 1024 /* bytes of a key that a request may bring */
#define SETS 1024
#define WAYS 4

/* -- limits ---------------------------------------------------------------------------------------------------------------------------- */

struct bucket {
    uint64_t who;
    int64_t at;
    double tokens;
};
struct limits { /* of the clients seen last: who is pushed out begins anew with a full bucket */
    struct bucket sets[SETS][WAYS];
};

static bool take_token(struct gateway *g, uint64_t who)
{
    struct bucket *set = g->limits->sets[(who * UINT64_C(0x9E3779B97F4A7C15)) >> 54], *b = set;
    double most = g->o.rate < 1 ? 1 : g->o.rate; /* a second's worth may come at once */
    int64_t now = pen_now(g->host);
    for (int i = 0; i < WAYS; i++) {
        if (set[i].at && set[i].who == who) {
            b = &set[i];
            break;
        }
        b = set[i].at < b->at ? &set[i] : b;
    }
    if (!b->at || b->who != who)
        *b = (struct bucket){ who, now, most };
    b->tokens += (double)(now - b->at) * g->o.rate / 1e6;
    b->tokens = b->tokens < most ? b->tokens : most;
    b->at = now;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

/* -- keys ------------------------------------------------------------------------------------------------------------------------------ */

static bool same(const unsigned char *a, const unsigned char *b)
{
    unsigned char differs = 0;
    for (int i = 0; i < 32; i++)
        differs |= (unsigned char)(a[i] ^ b[i]);
    return differs == 0;
}

/* The key that this text is, whoever's it is (name NULL) or of one name; every key is looked at, so that time tells nothing. */
static const struct api_key *find_key(const struct gateway *g, const char *text, size_t n, const char *name)
{
    const struct api_key *found = NULL;
    unsigned char hash[32];
    if (n > KEY_MAX || gnutls_hash_fast(GNUTLS_DIG_SHA256, text, n, hash) < 0)
        return NULL;
    for (size_t i = 0; i < g->n_keys; i++)
        if (same(hash, g->keys[i].hash) && (!name || strcmp(name, g->keys[i].name) == 0))
            found = &g->keys[i];
    return found;
}

/* "Basic": NAME and the key as its password. */
static const struct api_key *find_basic(const struct gateway *g, const char *base64)
{
    char text[KEY_MAX * 2];
    struct slice s = { text, strnlen(base64, sizeof text) };
    char *colon;
    if (s.n == sizeof text)
        return NULL;
    memcpy(text, base64, s.n);
    if (!slice_from_base64(&s) || s.n >= sizeof text || !(colon = memchr(text, ':', s.n)))
        return NULL;
    *colon = '\0';
    return find_key(g, colon + 1, (size_t)(text + s.n - colon - 1), text);
}

static const struct api_key *key_of(const struct gateway *g, const char *authorization, const char *api_key)
{
    if (api_key)
        return find_key(g, api_key, strlen(api_key), NULL);
    if (authorization && strncasecmp(authorization, "Bearer ", 7) == 0)
        return find_key(g, authorization + 7, strlen(authorization + 7), NULL);
    if (authorization && strncasecmp(authorization, "Basic ", 6) == 0)
        return find_basic(g, authorization + 6);
    return NULL;
}

/* -- certificates ------------------------------------------------------------------------------------------------------------------------ */

/* Whether the client showed a certificate that one of tls_client_ca has signed; asked once a connection. */
static bool certificate_is_good(struct client *c)
{
    const union MHD_ConnectionInfo *info;
    unsigned verdict = 1;
    if (c->looked)
        return c->trusted;
    c->looked = true;
    info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    c->trusted = info && gnutls_certificate_verify_peers2((gnutls_session_t)info->tls_session, &verdict) == 0 && verdict == 0;
    return c->trusted;
}

bool access_allowed(struct gateway *g, struct client *c, const char *authorization, const char *api_key, struct refusal *why)
{
    const struct api_key *key = NULL;
    if (c->over)
        return refuse(why, 429, 429, NULL, "Too Many Requests: too many connections");
    if (g->client_ca && !certificate_is_good(c))
        return refuse(why, 403, 403, NULL, "Forbidden: a client certificate is needed");
    if (g->n_keys && !(key = key_of(g, authorization, api_key)))
        return authorization || api_key ? refuse(why, 403, 403, NULL, "Forbidden") : refuse(why, 401, 401, NULL, "Unauthorized");
    if (g->limits && !take_token(g, key ? (uint64_t)(key - g->keys) + 1 : c->source))
        return refuse(why, 429, 429, NULL, "Too Many Requests");
    return true;
}

/* -- at the start -------------------------------------------------------------------------------------------------------------------------- */

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* NAME:HASH */
static pen_status take_key(struct gateway *g, const char *text, struct pen_error *err)
{
    const char *colon = strchr(text, ':');
    struct api_key *k = &g->keys[g->n_keys];
    if (!colon || colon == text || strlen(colon + 1) != 64)
        return pen_fail(err, PEN_BADCONF, "keys: entry %zu: expected NAME:HASH, the hash being the key's SHA-256 as 64 hexadecimal digits", g->n_keys + 1);
    for (int i = 0; i < 32; i++) {
        int hi = nibble(colon[1 + 2 * i]), lo = nibble(colon[2 + 2 * i]);
        if (hi < 0 || lo < 0)
            return pen_fail(err, PEN_BADCONF, "keys: entry %zu: the hash is not hexadecimal", g->n_keys + 1);
        k->hash[i] = (unsigned char)(hi << 4 | lo);
    }
    if (!(k->name = strndup(text, (size_t)(colon - text))))
        return pen_fail(err, PEN_FATAL, "out of memory");
    g->n_keys++;
    return PEN_OK;
}

static pen_status read_pem(char **out, const char *option, const char *path, struct pen_error *err)
{
    FILE *f = fopen(path, "re");
    size_t n;
    if (!f)
        return pen_fail(err, PEN_BADCONF, "%s = %s: %s", option, path, strerror(errno));
    *out = calloc(1, (1 << 20) + 1);
    n = *out ? fread(*out, 1, 1 << 20, f) : 0;
    fclose(f);
    if (!*out)
        return pen_fail(err, PEN_FATAL, "out of memory");
    return n && strstr(*out, "-----BEGIN ") ? PEN_OK : pen_fail(err, PEN_BADCONF, "%s = %s: expected PEM", option, path);
}

pen_status access_start(struct gateway *g, struct pen_error *err)
{
    const struct gateway_options *o = &g->o;
    pen_status st = PEN_OK;
    if (!o->tls_cert != !o->tls_key)
        return pen_fail(err, PEN_BADCONF, "tls_cert and tls_key belong together: %s is missing", o->tls_cert ? "tls_key" : "tls_cert");
    if (o->tls_client_ca && !o->tls_cert)
        return pen_fail(err, PEN_BADCONF, "tls_client_ca: client certificates need tls_cert and tls_key");
    if (!o->insecure && !listen_is_local(o->listen) && (!o->tls_cert || (!o->keys.n && !o->tls_client_ca)))
        return pen_fail(err, PEN_BADCONF, "listen = %s: beyond this machine %s; insecure = yes does without", o->listen,
                        o->tls_cert ? "keys or tls_client_ca are to say who may post" : "a certificate (tls_cert, tls_key) is needed");
    if (!(g->keys = calloc(o->keys.n + 1, sizeof *g->keys)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < o->keys.n && st >= 0; i++)
        st = take_key(g, o->keys.v[i], err);
    if (st >= 0 && o->tls_cert)
        st = read_pem(&g->cert, "tls_cert", o->tls_cert, err);
    if (st >= 0 && o->tls_key)
        st = read_pem(&g->key, "tls_key", o->tls_key, err);
    if (st >= 0 && o->tls_client_ca)
        st = read_pem(&g->client_ca, "tls_client_ca", o->tls_client_ca, err);
    if (st >= 0 && o->rate > 0 && !(g->limits = calloc(1, sizeof *g->limits)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    return st;
}

void access_stop(struct gateway *g)
{
    for (size_t i = 0; i < g->n_keys; i++)
        free((char *)(uintptr_t)g->keys[i].name);
    if (g->key)
        memset(g->key, 0, strlen(g->key));
    free(g->keys), free(g->cert), free(g->key), free(g->client_ca), free(g->limits);
}
