/* chain.c - see chain.h. An entry is lines of JSON: a head {"version":N,"previous":M,"links":K,"whole":bool,"plan":"…"}, then one line for each
 * partition {"name":"…","incarnation":"…","position":"words"}. Entries are followed back by "previous" until a whole one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/chain.h"
#include "engine/words.h"

#define WHOLE_EVERY 100
#define UNCLEAR_AT_MOST 4 /* puts in a row without a clear answer, before there is a pause */
#define KEYS_BLOCK 65536
#define ENTRY_LIMIT ((size_t)1 << 30)

/* There may be millions of links: small ones, with their keys in blocks. */
struct link {
    const char *key;         /* NAME '\n' INCARNATION */
    struct pen_position pos; /* at the chain's version; n = 0: not yet in it */
    uint32_t change;         /* index + 1 into changes; 0: none */
};
struct change { /* set since */
    uint32_t link;
    struct pen_position to;
};
struct keys {
    struct keys *before;
    size_t used, size;
    char bytes[];
};

struct pen_chain {
    const struct pen_host *host;
    char *url;
    uint64_t version, put_version;
    uint64_t links, whole_at, previous_whole; /* entries since the last whole one, and the versions of the last two whole ones */
    bool put_whole, no_fsync;
    struct link *v;
    size_t n, cap;
    struct keys *keys;
    uint32_t *table; /* open addressing: index + 1 */
    size_t slots;
    struct change *changes;
    size_t n_changes, cap_changes;
};

/* -- the map ----------------------------------------------------------------------------------------------------------------------- */

static uint64_t hash_key(const char *key)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 1099511628211u;
    return h ^ h >> 29;
}

static size_t find_slot(const struct pen_chain *c, const char *key)
{
    size_t i = (size_t)hash_key(key) & (c->slots - 1);
    while (c->table[i] && strcmp(c->v[c->table[i] - 1].key, key) != 0)
        i = (i + 1) & (c->slots - 1);
    return i;
}

static bool grow(struct pen_chain *c)
{
    size_t slots = c->slots ? c->slots * 2 : 64;
    size_t cap = slots / 4 * 3;
    struct link *v = cap < UINT32_MAX ? realloc(c->v, cap * sizeof *v) : NULL;
    uint32_t *table;
    if (!v)
        return false;
    c->v = v;
    table = calloc(slots, sizeof *table);
    if (!table)
        return false;
    c->cap = cap;
    free(c->table);
    c->table = table;
    c->slots = slots;
    for (size_t i = 0; i < c->n; i++)
        c->table[find_slot(c, c->v[i].key)] = (uint32_t)i + 1;
    return true;
}

/* Room for n bytes behind the last key; they count once `used` grows. NULL: out of memory. */
static char *key_room(struct pen_chain *c, size_t n)
{
    if (!c->keys || c->keys->size - c->keys->used < n) {
        size_t size = n > KEYS_BLOCK ? n : KEYS_BLOCK;
        struct keys *k = malloc(sizeof *k + size);
        if (!k)
            return NULL;
        k->before = c->keys;
        k->used = 0;
        k->size = size;
        c->keys = k;
    }
    return c->keys->bytes + c->keys->used;
}

/* The link of this name and incarnation; NULL: there is none, or (make) out of memory. */
static struct link *find_link(struct pen_chain *c, const char *name, const char *incarnation, bool make)
{
    size_t a = strlen(name), n = a + strlen(incarnation) + 2, slot;
    char *key = key_room(c, n);
    if (!key || (make && c->n == c->cap && !grow(c)))
        return NULL;
    memcpy(key, name, a);
    key[a] = '\n';
    memcpy(key + a + 1, incarnation, n - a - 1);
    slot = find_slot(c, key);
    if (c->table[slot])
        return &c->v[c->table[slot] - 1];
    if (!make)
        return NULL;
    c->keys->used += n;
    c->v[c->n] = (struct link){ .key = key };
    c->table[slot] = (uint32_t)++c->n;
    return &c->v[c->n - 1];
}

/* -- reading ----------------------------------------------------------------------------------------------------------------------- */

static pen_status entry_url(const struct pen_chain *c, uint64_t version, char *buf, size_t size, struct pen_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "%020" PRIu64, version);
    return pen_url_join(buf, size, c->url, name, err);
}

static bool json_u64(const cJSON *o, const char *name, uint64_t *out)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble > 9007199254740992.0)
        return false;
    *out = (uint64_t)v->valuedouble;
    return true;
}

/* One partition's line. An older entry does not overrule a newer one: entries are read from the newest back. */
static bool read_line(struct pen_chain *c, const char *line, size_t n)
{
    cJSON *o = cJSON_ParseWithLength(line, n);
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(o, "name"), *inc = cJSON_GetObjectItemCaseSensitive(o, "incarnation");
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(o, "position");
    struct pen_position pos;
    struct link *l = NULL;
    bool good = cJSON_IsString(name) && cJSON_IsString(inc) && cJSON_IsString(words) && pen_words_parse(words->valuestring, &pos);
    if (good)
        l = find_link(c, name->valuestring, inc->valuestring, true);
    if (l && !l->pos.n)
        l->pos = pos;
    cJSON_Delete(o);
    return l != NULL;
}

struct head {
    uint64_t previous, links;
    bool whole;
};

static pen_status read_entry(struct pen_chain *c, uint64_t version, struct head *head, struct pen_error *err)
{
    char url[2048], *text, *line, *end;
    size_t n;
    uint64_t named;
    cJSON *o;
    bool good;
    pen_status st = entry_url(c, version, url, sizeof url, err);
    if (st >= 0)
        st = pen_store_get(c->host, url, ENTRY_LIMIT, &text, &n, err);
    if (st == PEN_SKIP)
        return pen_fail(err, PEN_FATAL, "%s is missing: the table shows that files were read up to this entry", url);
    if (st < 0)
        return st;
    line = text;
    end = memchr(line, '\n', n);
    o = end ? cJSON_ParseWithLength(line, (size_t)(end - line)) : NULL;
    good = o && json_u64(o, "version", &named) && named == version && json_u64(o, "previous", &head->previous) && head->previous < version &&
           json_u64(o, "links", &head->links);
    head->whole = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "whole"));
    cJSON_Delete(o);
    while (good && (line = end + 1) < text + n) {
        end = memchr(line, '\n', (size_t)(text + n - line));
        good = end && read_line(c, line, (size_t)(end - line));
    }
    free(text);
    return good ? PEN_OK : pen_fail(err, PEN_FATAL, "%s is damaged", url);
}

pen_status pen_chain_open(struct pen_chain **out, const struct pen_host *host, const char *url, uint64_t version, bool fsync,
                          struct pen_error *err)
{
    struct pen_chain *c = calloc(1, sizeof *c);
    pen_status st = PEN_OK;
    *out = c;
    if (!c || !(c->url = strdup(url)) || !grow(c)) {
        pen_chain_free(out);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    c->host = host;
    c->no_fsync = !fsync;
    c->version = version;
    for (uint64_t at = version; at && st >= 0;) {
        struct head head = { 0 };
        st = read_entry(c, at, &head, err);
        if (at == version)
            c->links = head.links;
        if (head.whole)
            c->whole_at = at;
        at = head.whole ? 0 : head.previous;
    }
    if (st < 0)
        pen_chain_free(out);
    return st;
}

void pen_chain_free(struct pen_chain **chain)
{
    struct pen_chain *c = *chain;
    if (!c)
        return;
    while (c->keys) {
        struct keys *before = c->keys->before;
        free(c->keys);
        c->keys = before;
    }
    free(c->v), free(c->table), free(c->changes), free(c->url);
    free(c);
    *chain = NULL;
}

uint64_t pen_chain_version(const struct pen_chain *c)
{
    return c->version;
}

pen_status pen_chain_list(const struct pen_chain *c, pen_chain_each each, void *arg, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (size_t i = 0; i < c->n && st >= 0; i++) {
        char *name = c->v[i].pos.n ? strdup(c->v[i].key) : NULL, *nl;
        if (!c->v[i].pos.n)
            continue;
        if (!name)
            return pen_fail(err, PEN_FATAL, "out of memory");
        nl = strrchr(name, '\n');
        *nl = '\0';
        st = each(arg, name, nl + 1, &c->v[i].pos, err);
        free(name);
    }
    return st;
}

pen_status pen_chain_get(struct pen_chain *c, const char *name, const char *incarnation, struct pen_position *out, struct pen_error *err)
{
    const struct link *l;
    out->n = 0;
    if (!key_room(c, strlen(name) + strlen(incarnation) + 2)) /* where the key is put together */
        return pen_fail(err, PEN_FATAL, "out of memory");
    if ((l = find_link(c, name, incarnation, false)))
        *out = l->pos;
    return PEN_OK;
}

/* -- writing ----------------------------------------------------------------------------------------------------------------------- */

pen_status pen_chain_set(struct pen_chain *c, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err)
{
    struct link *l = find_link(c, name, incarnation, true);
    if (!l)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (!l->change) {
        if (c->n_changes == c->cap_changes) {
            size_t cap = c->cap_changes ? c->cap_changes * 2 : 16;
            struct change *v = realloc(c->changes, cap * sizeof *v);
            if (!v)
                return pen_fail(err, PEN_FATAL, "out of memory");
            c->changes = v;
            c->cap_changes = cap;
        }
        c->changes[c->n_changes++].link = (uint32_t)(l - c->v);
        l->change = (uint32_t)c->n_changes;
    }
    c->changes[l->change - 1].to = *pos;
    return PEN_OK;
}

/* cJSON's, not the SDK's JSON: a file's name may be no UTF-8, and has to come back as it was. */
static bool print_string(struct pen_text *t, const char *label, const char *text, size_t n)
{
    char *copy = strndup(text, n), *json = NULL;
    cJSON *s = copy ? cJSON_CreateStringReference(copy) : NULL;
    if (s)
        json = cJSON_PrintUnformatted(s);
    if (json)
        pen_text_format(t, "\"%s\":%s", label, json);
    cJSON_Delete(s);
    free(copy);
    cJSON_free(json);
    return json != NULL;
}

static bool print_link(struct pen_text *t, const struct pen_chain *c, const struct link *l)
{
    const struct pen_position *pos = l->change ? &c->changes[l->change - 1].to : &l->pos;
    const char *nl = strrchr(l->key, '\n');
    char words[PEN_WORDS_TEXT];
    bool good;
    if (!pos->n)
        return true;
    pen_text_put(t, "{");
    good = print_string(t, "name", l->key, (size_t)(nl - l->key));
    pen_text_put(t, ",");
    good = good && print_string(t, "incarnation", nl + 1, strlen(nl + 1));
    pen_text_format(t, ",\"position\":\"%s\"}\n", pen_words_format(words, pos));
    return good;
}

/* False: out of memory. (Not stdio's memory streams: they keep the memory that ran out to themselves, and an entry cut short would be put.) */
static bool print_entry(struct pen_text *t, const struct pen_chain *c, uint64_t version, bool whole, const char *plan_id)
{
    bool good = true;
    pen_text_format(t, "{\"version\":%" PRIu64 ",\"previous\":%" PRIu64 ",\"links\":%" PRIu64 ",\"whole\":%s,\"plan\":\"%s\"}\n", version, c->version,
                    whole ? 0 : c->links + 1, whole ? "true" : "false", plan_id);
    for (size_t i = 0; good && i < (whole ? c->n : c->n_changes); i++)
        good = print_link(t, c, &c->v[whole ? i : c->changes[i].link]);
    return good && !pen_text_failed(t);
}

pen_status pen_chain_put(struct pen_chain *c, const char *plan_id, uint64_t *version, struct pen_error *err)
{
    bool whole = c->links + 1 >= WHOLE_EVERY;
    unsigned unclear = 0;
    for (uint64_t v = c->version + 1;; v++) {
        char url[2048];
        struct pen_text text = { 0 };
        pen_put_outcome outcome = PEN_PUT_UNKNOWN;
        pen_status st = print_entry(&text, c, v, whole, plan_id) ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
        if (st >= 0)
            st = entry_url(c, v, url, sizeof url, err);
        if (st >= 0)
            st = pen_store_put(c->host, url, text.bytes, text.n, PEN_PUT_IF_ABSENT | (c->no_fsync ? PEN_PUT_NO_FSYNC : 0), &outcome, err);
        pen_text_fini(&text);
        if (st < 0)
            return st;
        if (outcome == PEN_PUT_UNKNOWN && ++unclear > UNCLEAR_AT_MOST)
            return pen_fail(err, PEN_RETRY, "%s: it is not known whether it was stored, nor those before it", url);
        if (outcome != PEN_PUT_DONE)
            continue; /* taken, or nobody knows by what: the next number */
        c->put_version = *version = v;
        c->put_whole = whole;
        return PEN_OK;
    }
}

/* What lies before the last whole entry but one is needed by nobody who reads the table's head. */
static pen_status remove_before(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct pen_chain *c = arg;
    char url[2048];
    char *end;
    uint64_t v = strtoull(o->name, &end, 10);
    (void)err;
    if (*end || v >= c->previous_whole)
        return PEN_SKIP;
    if (entry_url(c, v, url, sizeof url, NULL) >= 0)
        pen_store_remove(c->host, url, NULL); /* another time, then */
    return PEN_OK;
}

void pen_chain_settle(struct pen_chain *c, bool published)
{
    for (size_t i = 0; i < c->n_changes; i++) {
        struct link *l = &c->v[c->changes[i].link];
        if (published && c->put_version)
            l->pos = c->changes[i].to;
        l->change = 0;
    }
    c->n_changes = 0;
    if (published && c->put_version) {
        c->version = c->put_version;
        c->links = c->put_whole ? 0 : c->links + 1;
        if (c->put_whole) {
            c->previous_whole = c->whole_at;
            c->whole_at = c->version;
            if (c->previous_whole)
                pen_store_list(c->host, c->url, NULL, false, remove_before, c, NULL);
        }
    }
    c->put_version = 0;
}
