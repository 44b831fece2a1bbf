/* store.c - the store functions that everybody calls: finds who serves a URL and hands over; what holds for every store alike (whole
 * objects, the proof of put-if-absent, tokens, names) is here.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "engine/host.h"
#include "engine/store.h"

enum { MAX_STORES = 16, TOKEN_MAX = 8192 };

struct served {
    const struct pen_store *store;
    void *ctx;
};

struct pen_stores {
    size_t n;
    struct served v[MAX_STORES];
};

struct pen_stores *pen_stores_new(void)
{
    return calloc(1, sizeof(struct pen_stores));
}

void pen_stores_free(struct pen_stores **s)
{
    free(*s);
    *s = NULL;
}

/* `n` bytes of scheme; none is this machine's. */
static bool find_store(const struct pen_stores *s, const char *scheme, size_t n, struct served *out)
{
    if (n == 0 || (n == 4 && memcmp(scheme, "file", 4) == 0)) {
        *out = (struct served){ &pen_store_dir, NULL };
        return true;
    }
    for (size_t i = 0; s && i < s->n; i++)
        if (strlen(s->v[i].store->scheme) == n && memcmp(s->v[i].store->scheme, scheme, n) == 0) {
            *out = s->v[i];
            return true;
        }
    return false;
}

pen_status pen_stores_add(struct pen_stores *s, const struct pen_store *store, void *ctx, struct pen_error *err)
{
    struct served taken;
    if (find_store(s, store->scheme, strlen(store->scheme), &taken))
        return pen_fail(err, PEN_FATAL, "%s:// is served by two stores", store->scheme);
    if (s->n == MAX_STORES)
        return pen_fail(err, PEN_FATAL, "%s://: more than %d stores", store->scheme, MAX_STORES);
    s->v[s->n++] = (struct served){ store, ctx };
    return PEN_OK;
}

size_t pen_url_scheme(const char *url)
{
    size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return n && strncmp(url + n, "://", 3) == 0 ? n : 0;
}

static const struct pen_stores *stores_of(const struct pen_host *host)
{
    return host && host->run ? host->run->stores : NULL;
}

/* Who serves this URL, and the path to tell it. */
static pen_status resolve(const struct pen_host *host, const char *url, struct served *out, const char **path, struct pen_error *err)
{
    size_t n = pen_url_scheme(url);
    *path = n ? url + n + 3 : url;
    if (!find_store(stores_of(host), url, n, out))
        return pen_fail(err, PEN_BADCONF, "%s: no store serves %.*s://; is the plugin that brings it installed?", url, (int)n, url);
    if (!**path)
        return pen_fail(err, PEN_BADCONF, "\"%s\": expected a path", url);
    return PEN_OK;
}

/* -- objects ------------------------------------------------------------------------------------------------------------------ */

pen_status pen_store_head(const struct pen_host *host, const char *url, struct pen_object *out, struct pen_error *err)
{
    struct served s;
    const char *path;
    pen_status st = resolve(host, url, &s, &path, err);
    return st < 0 ? st : s.store->head(s.ctx, path, out, err);
}

pen_status pen_store_read(const struct pen_host *host, const char *url, int64_t offset, void *buffer, size_t want, size_t *got,
                          struct pen_error *err)
{
    struct served s;
    const char *path;
    pen_status st = resolve(host, url, &s, &path, err);
    *got = 0;
    return st < 0 ? st : s.store->read(s.ctx, path, offset, buffer, want, got, err);
}

pen_status pen_store_get(const struct pen_host *host, const char *url, size_t limit, char **bytes, size_t *n, struct pen_error *err)
{
    size_t room = limit < 32768 ? limit + 1 : 32768, have = 0, got = 0;
    char *buf = NULL;
    pen_status st;
    *bytes = NULL;
    *n = 0;
    for (;;) {
        char *grown = realloc(buf, room + 1);
        if (!grown) {
            free(buf);
            return pen_fail(err, PEN_FATAL, "%s: out of memory", url);
        }
        buf = grown;
        st = pen_store_read(host, url, (int64_t)have, buf + have, room - have, &got, err);
        if (st != PEN_OK) {
            free(buf);
            return have && st == PEN_SKIP ? pen_fail(err, PEN_RETRY, "%s: was removed while it was read", url) : st;
        }
        have += got;
        if (have < room)
            break;
        if (have > limit) {
            free(buf);
            return pen_fail(err, PEN_FATAL, "%s: longer than the %zu bytes that are expected at most", url, limit);
        }
        room = room > limit / 4 ? limit + 1 : room * 4;
    }
    buf[have] = '\0';
    *bytes = buf;
    *n = have;
    return PEN_OK;
}

static pen_status keeps_none(const char *url, struct pen_error *err)
{
    return pen_fail(err, PEN_BADCONF, "%s: this store keeps no metadata with its objects", url);
}

pen_status pen_store_put(const struct pen_host *host, const char *url, const void *bytes, size_t n, unsigned flags,
                         pen_put_outcome *outcome, struct pen_error *err)
{
    return pen_store_put_with(host, url, bytes, n, flags, NULL, outcome, err);
}

pen_status pen_store_put_with(const struct pen_host *host, const char *url, const void *bytes, size_t n, unsigned flags,
                              const struct pen_pairs *metadata, pen_put_outcome *outcome, struct pen_error *err)
{
    struct served s;
    const char *path;
    pen_status st = resolve(host, url, &s, &path, err);
    *outcome = PEN_PUT_UNKNOWN;
    if (st >= 0 && metadata && metadata->n && !s.store->metadata)
        st = keeps_none(url, err);
    return st < 0 ? st : s.store->put(s.ctx, path, bytes, n, flags, metadata, outcome, err);
}

pen_status pen_store_metadata(const struct pen_host *host, const char *url, const char *name, char *value, size_t size, struct pen_error *err)
{
    struct served s;
    const char *path;
    pen_status st = resolve(host, url, &s, &path, err);
    value[0] = '\0';
    if (st >= 0 && !s.store->metadata)
        st = keeps_none(url, err);
    return st < 0 ? st : s.store->metadata(s.ctx, path, name, value, size, err);
}

pen_status pen_store_list(const struct pen_host *host, const char *url, const char *after, bool recursive,
                          pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err), void *arg,
                          struct pen_error *err)
{
    struct served s;
    const char *path;
    pen_status st = resolve(host, url, &s, &path, err);
    return st < 0 ? st : s.store->list(s.ctx, path, after, recursive, each, arg, err);
}

static pen_status see_one(void *arg, const struct pen_object *o, struct pen_error *err)
{
    (void)arg, (void)o, (void)err;
    return PEN_SKIP;
}

pen_status pen_store_reach(const struct pen_host *host, const char *url, struct pen_error *err)
{
    pen_status st = pen_store_list(host, url, NULL, false, see_one, NULL, err);
    return st < 0 ? st : PEN_OK;
}

pen_status pen_store_remove(const struct pen_host *host, const char *url, struct pen_error *err)
{
    struct served s;
    const char *path;
    pen_status st = resolve(host, url, &s, &path, err);
    return st < 0 ? st : s.store->remove(s.ctx, path, err);
}

pen_status pen_store_now(const struct pen_host *host, const char *url, int64_t *microseconds, struct pen_error *err)
{
    struct served s;
    const char *path;
    pen_status st = resolve(host, url, &s, &path, err);
    return st < 0 ? st : s.store->now(s.ctx, path, microseconds, err);
}

/* The second put of a name must be refused and must not have touched what the first one left. PEN_SKIP: an answer was lost. */
static pen_status prove_by(const struct pen_host *host, const char *url, const char *probe, struct pen_error *err)
{
    pen_put_outcome first, second;
    char left[8];
    size_t got;
    pen_status st = pen_store_put(host, probe, "first", 5, PEN_PUT_IF_ABSENT | PEN_PUT_NO_FSYNC, &first, err);
    if (st < 0)
        return st;
    st = pen_store_put(host, probe, "again", 5, PEN_PUT_IF_ABSENT | PEN_PUT_NO_FSYNC, &second, err);
    if (st < 0)
        return st;
    if (first == PEN_PUT_UNKNOWN || second == PEN_PUT_UNKNOWN)
        return PEN_SKIP;
    st = pen_store_read(host, probe, 0, left, sizeof left, &got, err);
    if (st < 0)
        return st;
    if (first != PEN_PUT_DONE || second != PEN_PUT_EXISTS || st == PEN_SKIP || got != 5 || memcmp(left, "first", 5) != 0)
        return pen_fail(err, PEN_BADCONF, "%s: this store does not refuse to put a name that is taken, so two writers would overwrite each other",
                        url);
    return PEN_OK;
}

#define PROBE ".penstock-probe-"
#define PROOFS 5 /* at most, while answers are lost */
#define PROBE_OLD INT64_C(3600000000) /* microseconds: no proof takes as long */

struct probes {
    const struct pen_host *host;
    const char *url;
    int64_t now; /* by the store's clock; 0: not asked yet */
};

static pen_status sweep_probe(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct probes *p = arg;
    char probe[4096];
    pen_status st = PEN_OK;
    if (strncmp(o->name, PROBE, strlen(PROBE)) != 0)
        return PEN_SKIP; /* names are in order: there are no more */
    if (!p->now)
        st = pen_store_now(p->host, p->url, &p->now, err);
    if (st >= 0 && p->now - o->modified > PROBE_OLD && (st = pen_url_join(probe, sizeof probe, p->url, o->name, err)) >= 0)
        st = pen_store_remove(p->host, probe, err);
    return st;
}

/* A proof under a name of its own, which is gone afterwards. */
static pen_status prove_once(const struct pen_host *host, const char *url, struct pen_error *err)
{
    char name[64], probe[4096];
    uint64_t unique;
    if (getrandom(&unique, sizeof unique, 0) != (ssize_t)sizeof unique)
        return pen_fail(err, PEN_FATAL, "no random numbers to be had");
    snprintf(name, sizeof name, PROBE "%016llx", (unsigned long long)unique);
    pen_status st = pen_url_join(probe, sizeof probe, url, name, err);
    if (st < 0)
        return st;
    st = prove_by(host, url, probe, err);
    (void)pen_store_remove(host, probe, NULL);
    return st;
}

pen_status pen_store_prove(const struct pen_host *host, const char *url, struct pen_error *err)
{
    struct served s;
    const char *path;
    pen_status st = resolve(host, url, &s, &path, err);
    if (st < 0)
        return st;
    if (s.store == &pen_store_dir)
        pen_store_dir_reclaim(path);
    else /* what was killed between the proof and its end has left its probe; that this cannot be seen to stops nothing */
        (void)pen_store_list(host, url, PROBE, false, sweep_probe, &(struct probes){ host, url, 0 }, NULL);
    st = PEN_SKIP;
    for (int i = 0; i < PROOFS && st == PEN_SKIP; i++)
        st = prove_once(host, url, err);
    return st == PEN_SKIP ? pen_fail(err, PEN_RETRY, "%s: cannot tell whether a probe object was stored", url) : st;
}

/* -- large objects -------------------------------------------------------------------------------------------------------------- */

struct pen_upload {
    struct served at;
    void *upload;
};

pen_status pen_upload_open(const struct pen_host *host, struct pen_upload **out, const char *url, unsigned flags, struct pen_error *err)
{
    return pen_upload_open_with(host, out, url, flags, NULL, err);
}

pen_status pen_upload_open_with(const struct pen_host *host, struct pen_upload **out, const char *url, unsigned flags,
                                const struct pen_pairs *metadata, struct pen_error *err)
{
    struct served s;
    const char *path;
    pen_status st = resolve(host, url, &s, &path, err);
    *out = NULL;
    if (st >= 0 && metadata && metadata->n && !s.store->metadata)
        st = keeps_none(url, err);
    if (st < 0)
        return st;
    struct pen_upload *u = calloc(1, sizeof *u);
    if (!u)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", url);
    u->at = s;
    st = s.store->upload_open(s.ctx, path, flags, metadata, &u->upload, err);
    if (st < 0) {
        free(u);
        return st;
    }
    *out = u;
    return PEN_OK;
}

pen_status pen_upload_write(struct pen_upload *u, const void *bytes, size_t n, struct pen_error *err)
{
    return u->at.store->upload_write(u->upload, bytes, n, err);
}

/* A token is the scheme, a colon and the store's own token. */
static pen_status stage(struct pen_upload *u, char *token, size_t size, struct pen_error *err)
{
    int n = snprintf(token, size, "%s:", u->at.store->scheme);
    return u->at.store->upload_stage(u->upload, token + n, size - (size_t)n, err);
}

pen_status pen_upload_stage(struct pen_upload **u, char **token, struct pen_error *err)
{
    char text[TOKEN_MAX];
    struct served at = (*u)->at;
    pen_status st = stage(*u, text, sizeof text, err);
    free(*u);
    *u = NULL;
    *token = st < 0 ? NULL : strdup(text);
    if (st >= 0 && !*token) {
        (void)at.store->discard(at.ctx, strchr(text, ':') + 1, NULL);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    return st;
}

pen_status pen_upload_close(struct pen_upload **u, pen_put_outcome *outcome, struct pen_error *err)
{
    char text[TOKEN_MAX];
    struct pen_upload *mine = *u;
    pen_status st;
    *u = NULL;
    *outcome = PEN_PUT_UNKNOWN;
    if (mine->at.store->upload_close) {
        st = mine->at.store->upload_close(mine->upload, outcome, err);
        free(mine);
        return st;
    }
    struct served at = mine->at;
    st = stage(mine, text, sizeof text, err);
    free(mine);
    if (st < 0)
        return st;
    const char *token = strchr(text, ':') + 1;
    st = at.store->publish(at.ctx, token, outcome, err);
    if (st < 0 || *outcome == PEN_PUT_EXISTS)
        (void)at.store->discard(at.ctx, token, NULL);
    return st;
}

void pen_upload_abandon(struct pen_upload **u)
{
    if (!*u)
        return;
    (*u)->at.store->upload_abandon((*u)->upload);
    free(*u);
    *u = NULL;
}

static pen_status resolve_token(const struct pen_host *host, const char *token, struct served *out, const char **rest, struct pen_error *err)
{
    size_t n = strcspn(token, ":");
    if (!token[n])
        return pen_fail(err, PEN_FATAL, "\"%s\" names no staged object", token);
    *rest = token + n + 1;
    if (!find_store(stores_of(host), token, n, out))
        return pen_fail(err, PEN_BADCONF, "%s: no store serves %.*s://; is the plugin that brings it installed?", token, (int)n, token);
    return PEN_OK;
}

pen_status pen_store_publish(const struct pen_host *host, const char *token, pen_put_outcome *outcome, struct pen_error *err)
{
    struct served s;
    const char *rest;
    pen_status st = resolve_token(host, token, &s, &rest, err);
    *outcome = PEN_PUT_UNKNOWN;
    return st < 0 ? st : s.store->publish(s.ctx, rest, outcome, err);
}

pen_status pen_store_discard(const struct pen_host *host, const char *token, struct pen_error *err)
{
    struct served s;
    const char *rest;
    pen_status st = resolve_token(host, token, &s, &rest, err);
    return st < 0 ? st : s.store->discard(s.ctx, rest, err);
}

/* -- names ---------------------------------------------------------------------------------------------------------------------- */

pen_status pen_url_join(char *buf, size_t size, const char *base, const char *name, struct pen_error *err)
{
    size_t n = strlen(base), keep = pen_url_scheme(base) ? pen_url_scheme(base) + 3 : n && base[0] == '/' ? 1 : 0;
    while (n > keep && base[n - 1] == '/')
        n--;
    const char *slash = n && base[n - 1] != '/' ? "/" : "";
    int written = snprintf(buf, size, "%.*s%s%s", (int)n, base, slash, name);
    if (written < 0 || (size_t)written >= size)
        return pen_fail(err, PEN_FATAL, "%s: the name below it is too long for a path: %.100s", base, name);
    return PEN_OK;
}

static bool is_plain(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           (c == '.' && !first) || (unsigned char)c >= 0x80;
}

const char *pen_path_escape(char *buf, size_t size, const char *text, size_t n)
{
    enum { TAIL = 17 }; /* '~' and 16 digits: '~' itself is always escaped, so no other text looks like a cut one */
    size_t full = 0, at = 0, i = 0;
    if (size == 0)
        return buf;
    for (size_t k = 0; k < n; k++)
        full += is_plain(text[k], k == 0) ? 1 : 3;
    size_t room = full < size ? full : size > TAIL ? size - 1 - TAIL : 0;
    for (; i < n; i++) {
        size_t need = is_plain(text[i], i == 0) ? 1 : 3;
        if (at + need > room)
            break;
        if (need == 1)
            buf[at] = text[i];
        else
            memcpy(buf + at, (char[3]){ '%', "0123456789ABCDEF"[(unsigned char)text[i] >> 4], "0123456789ABCDEF"[text[i] & 15] }, 3);
        at += need;
    }
    for (; i < n && at > 0 && ((unsigned char)text[i] & 0xc0) == 0x80; at--) /* not within a character */
        i--;
    buf[at] = '\0';
    if (i < n) { /* FNV-1a of what was cut off */
        uint64_t hash = 0xcbf29ce484222325u;
        for (; i < n; i++)
            hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
        snprintf(buf + at, size - at, "~%016llx", (unsigned long long)hash);
    }
    return buf;
}
