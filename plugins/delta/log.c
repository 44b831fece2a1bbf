/* log.c - the folder of a log: what lies there, its entries, and states read from it. SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_LIMIT = 1 << 30 };

void delta_entry_name(char buf[32], int64_t version)
{
    snprintf(buf, 32, "%020lld.json", (long long)version);
}

/* -- listing ---------------------------------------------------------------------------------------------------------------------- */

struct listing {
    struct delta_listing *out;
    int64_t at_most, expected; /* the entry that must come next, -1: any */
    int64_t part_version, part_count, parts_seen;
};

/* n digits at p; -1 where there are none. */
static int64_t digits(const char *p, size_t n)
{
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9' || v > INT64_MAX / 10 - 1)
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

static void found_entry(struct listing *l, int64_t version)
{
    struct delta_listing *out = l->out;
    if (out->first < 0)
        out->first = version;
    if (version <= out->checkpoint)
        return;
    if (l->expected >= 0 && version != l->expected && out->hole < 0)
        out->hole = l->expected;
    l->expected = version + 1;
    out->last = version;
}

static void found_checkpoint(struct listing *l, int64_t version, int64_t parts)
{
    struct delta_listing *out = l->out;
    out->checkpoint = version;
    out->parts = parts;
    out->hole = -1;
    out->unknown_checkpoint = false;
    l->expected = version + 1;
}

/* name is what follows VERSION.checkpoint */
static void found_checkpoint_file(struct listing *l, int64_t version, const char *name)
{
    if (strcmp(name, ".parquet") == 0) {
        found_checkpoint(l, version, 0);
    } else if (strlen(name) == 30 && name[0] == '.' && name[11] == '.' && strcmp(name + 22, ".parquet") == 0) {
        int64_t part = digits(name + 1, 10), of = digits(name + 12, 10);
        if (part < 1 || of < 1 || part > of)
            return;
        if (l->part_version != version || l->part_count != of || part == 1) {
            l->part_version = version;
            l->part_count = of;
            l->parts_seen = 0;
        }
        if (part == l->parts_seen + 1 && ++l->parts_seen == of && !(l->out->checkpoint == version && l->out->parts == 0))
            found_checkpoint(l, version, of);
    } else if (l->out->checkpoint < version) {
        l->out->unknown_checkpoint = true;
    }
}

static pen_status listed(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct listing *l = arg;
    int64_t version = strlen(o->name) > 20 ? digits(o->name, 20) : -1;
    (void)err;
    if (version < 0)
        return PEN_OK;
    if (version > l->at_most)
        return PEN_SKIP;
    if (strcmp(o->name + 20, ".json") == 0)
        found_entry(l, version);
    else if (strncmp(o->name + 20, ".checkpoint", 11) == 0 && o->size > 0)
        found_checkpoint_file(l, version, o->name + 31);
    return PEN_OK;
}

pen_status delta_list(struct delta_listing *l, const char *log, const struct pen_host *host, int64_t after, int64_t at_most,
                      struct pen_error *err)
{
    char name[32];
    struct listing w = { .out = l, .at_most = at_most, .expected = after < 0 ? 0 : after + 1, .part_version = -1 };
    *l = (struct delta_listing){ .first = -1, .last = -1, .hole = -1, .checkpoint = -1 };
    delta_entry_name(name, after < 0 ? 0 : after);
    pen_status st = pen_failpoint("delta.list", err);
    return st < 0 ? st : pen_store_list(host, log, after < 0 ? NULL : name, false, listed, &w, err);
}

/* -- entries ----------------------------------------------------------------------------------------------------------------------- */

pen_status delta_entry_read(const char *url, const char *log, const struct pen_host *host, int64_t version, struct delta_arena *arena,
                            pen_status (*each)(void *arg, int64_t version, int64_t index, const struct delta_action *a,
                                               struct pen_error *err),
                            void *arg, struct pen_error *err)
{
    char name[32], path[1200], *text;
    size_t n, line = 0;
    int64_t adds = 0;
    delta_entry_name(name, version);
    pen_status st = pen_url_join(path, sizeof path, log, name, err);
    if (st >= 0)
        st = pen_store_get(host, path, ENTRY_LIMIT, &text, &n, err);
    if (st != PEN_OK)
        return st;
    for (char *p = text, *end = text + n; st >= 0 && p < end;) {
        char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t length = (size_t)((stop ? stop : end) - p);
        struct delta_action a;
        line++;
        if (strspn(p, " \t\r\n") < length) {
            const char *why = delta_action_parse(&a, arena, p, length);
            st = why ? pen_fail(err, PEN_FATAL, "%s: version %lld, line %zu of its log entry: %s", url, (long long)version, line, why)
                     : each(arg, version, a.kind == DELTA_ADD ? adds++ : 0, &a, err);
        }
        p += length + 1;
    }
    free(text);
    return st < 0 ? st : PEN_OK;
}

struct follower {
    struct delta_state *s;
    const struct delta_watch *watch;
};

static pen_status take(void *arg, int64_t version, int64_t index, const struct delta_action *a, struct pen_error *err)
{
    struct follower *f = arg;
    pen_status st = f->watch ? f->watch->action(f->watch->arg, version, a, err) : PEN_OK;
    return st < 0 ? st : delta_state_apply(f->s, version, index, a, err);
}

pen_status delta_state_follow(struct delta_state *s, const struct pen_host *host, int64_t to, const struct delta_watch *watch,
                              struct pen_error *err)
{
    struct follower f = { s, watch };
    pen_status st = PEN_OK;
    while (s->version < to && st == PEN_OK) {
        struct delta_arena arena = { 0 };
        int64_t before = pen_now(host);
        st = pen_failpoint("delta.follow", err);
        if (st >= 0)
            st = delta_entry_read(s->url, s->log, host, s->version + 1, &arena, take, &f, err);
        delta_arena_fini(&arena);
        if (st == PEN_OK)
            s->version++;
        if (st >= 0)
            s->head_seen = before;
    }
    return st < 0 ? st : PEN_OK;
}

/* -- states ------------------------------------------------------------------------------------------------------------------------- */

/* The version that _last_checkpoint points to, or -1: it is only a hint. */
static int64_t last_checkpoint(const struct delta_state *s, const struct pen_host *host)
{
    char path[1200], key[32], *text;
    size_t n;
    int64_t version = -1;
    struct delta_arena arena = { 0 };
    struct delta_json j;
    if (pen_url_join(path, sizeof path, s->log, "_last_checkpoint", NULL) < 0 || pen_store_get(host, path, 1 << 20, &text, &n, NULL) != PEN_OK)
        return -1;
    delta_json_init(&j, &arena, text, n);
    if (delta_json_object(&j))
        while (delta_json_key(&j, key, sizeof key)) {
            if (strcmp(key, "version") == 0)
                version = delta_json_int(&j, -1);
            else
                delta_json_skip(&j);
        }
    if (!delta_json_end(&j))
        version = -1;
    delta_arena_fini(&arena);
    free(text);
    return version;
}

static pen_status no_way(const struct delta_state *s, const struct delta_listing *l, struct pen_error *err)
{
    if (l->unknown_checkpoint)
        return pen_fail(err, PEN_BADCONF, "%s: the log begins with a checkpoint of the feature v2Checkpoint, which is not supported", s->url);
    return pen_fail(err, PEN_FATAL, "%s: version %lld is missing from the log, though there are later ones (up to %lld)", s->url,
                    (long long)l->hole, (long long)l->last);
}

static pen_status check_complete(const struct delta_state *s, struct pen_error *err)
{
    if (!s->has_protocol)
        return pen_fail(err, PEN_FATAL, "%s: the log up to version %lld holds no protocol action", s->url, (long long)s->version);
    if (!s->has_metadata)
        return pen_fail(err, PEN_FATAL, "%s: the log up to version %lld holds no metaData action", s->url, (long long)s->version);
    return PEN_OK;
}

static pen_status list_for(struct delta_state *s, const struct pen_host *host, int64_t at_most, struct delta_listing *l, struct pen_error *err)
{
    int64_t hint = last_checkpoint(s, host);
    if (hint > 0 && hint <= at_most) {
        pen_status st = delta_list(l, s->log, host, hint - 1, at_most, err);
        if (st < 0 || l->checkpoint >= 0)
            return st;
    }
    return delta_list(l, s->log, host, -1, at_most, err);
}

pen_status delta_state_load(struct delta_state *s, const struct pen_host *host, int64_t version, struct pen_error *err)
{
    struct delta_listing l;
    int64_t at_most = version < 0 ? INT64_MAX : version, before = pen_now(host);
    pen_status st = list_for(s, host, at_most, &l, err);
    if (st < 0)
        return st;
    int64_t head = l.last > l.checkpoint ? l.last : l.checkpoint;
    if (l.hole >= 0 || (head < 0 && l.unknown_checkpoint))
        return no_way(s, &l, err);
    if (version >= 0 && head != version)
        return pen_fail(err, PEN_BADCONF, "%s: there is no version %lld", s->url, (long long)version);
    if (head < 0)
        return PEN_OK;
    if (l.checkpoint >= 0) {
        if ((st = delta_checkpoint_read(s, host, l.checkpoint, l.parts, err)) < 0)
            return st;
        s->version = s->checkpoint = l.checkpoint;
    }
    st = delta_state_follow(s, host, head, NULL, err);
    if (st >= 0 && s->version < head)
        st = pen_fail(err, PEN_RETRY, "%s: version %lld went away while it was read", s->url, (long long)s->version + 1);
    s->head_seen = before;
    return st < 0 ? st : check_complete(s, err);
}

pen_status delta_state_refresh(struct delta_state *s, const struct pen_host *host, const struct delta_watch *watch, bool *jumped,
                               struct pen_error *err)
{
    struct delta_listing l;
    int64_t before = pen_now(host);
    *jumped = false;
    /* The entry of our head must still be there: else this may be another table, or one that was cleaned up in between. */
    pen_status st = delta_list(&l, s->log, host, s->version - 1, INT64_MAX, err);
    if (st < 0)
        return st;
    if (s->version >= 0 && l.first == s->version && l.hole < 0) {
        st = delta_state_follow(s, host, INT64_MAX, watch, err);
        s->head_seen = before;
        return st;
    }
    *jumped = s->version >= 0;
    struct delta_state fresh;
    st = delta_state_init(&fresh, s->url, err);
    fresh.want_files = s->want_files;
    if (st >= 0)
        st = delta_state_load(&fresh, host, -1, err);
    if (st < 0) {
        delta_state_fini(&fresh);
        return st;
    }
    delta_state_fini(s);
    *s = fresh;
    return PEN_OK;
}
