/* leases.c - how several processes of a pipeline share a stream: in a folder that all of them reach.
 *
 *     FOLDER/READER/STREAM@CREATED/members/PROCESS           put anew again and again: a sign of life, dated by the store
 *     FOLDER/READER/STREAM@CREATED/shards/SHARD/NUMBER       who has the shard: the highest number counts, put if absent
 *
 * A claim holds as long as its owner gives signs of life. Who finds a shard free, or its owner silent for lease_time by the store's own clock, puts the
 * next number; where two try, one of them is told that it exists. Each process wants its share of the shards that can be read and gives up what it
 * has beyond that. None of this keeps rows from coming twice: two that believe they own a shard both read it, and the sink takes the rows of one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "source.h"

#define URL 1400
#define MEMBERS 256

typedef enum { CLAIM_NONE, CLAIM_FREE, CLAIM_HELD, CLAIM_DONE } claim_state;

struct claim { /* of one shard, as it was read last */
    uint64_t number;
    claim_state state;
    char owner[80];
};

struct member {
    char name[80];
    int64_t seen; /* by the store's clock */
};

struct leases {
    char base[URL], me[80];
    struct claim *claims; /* by index of the shard */
    size_t n;
    struct member members[MEMBERS];
    size_t n_members;
    int64_t now; /* by the store's clock */
    int64_t complain_at;
};

/* -- names ------------------------------------------------------------------------------------------------------------------------------------ */

pen_status leases_open(struct source *s, struct pen_error *err)
{
    struct leases *l = s->leases ? s->leases : calloc(1, sizeof *l);
    char reader[300], stream[300], host[40] = "";
    uint64_t random = 0;
    size_t n;
    if (!l)
        return pen_fail(err, PEN_FATAL, "out of memory");
    s->leases = l;
    (void)gethostname(host, sizeof host - 1);
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint64_t)pen_now(s->host);
    pen_path_escape(l->me, 60, host, strlen(host));
    n = strlen(l->me);
    snprintf(l->me + n, sizeof l->me - n, "-%08x", (unsigned)random);
    pen_path_escape(reader, sizeof reader, pen_reader_name(s->host), strlen(pen_reader_name(s->host)));
    pen_path_escape(stream, sizeof stream, s->o.stream, strlen(s->o.stream));
    if ((size_t)snprintf(l->base, sizeof l->base, "%s/%s/%s@%s", s->o.leases, reader, stream, s->incarnation) >= sizeof l->base - 300)
        return pen_fail(err, PEN_BADCONF, "leases = %s: too long", s->o.leases);
    return pen_store_prove(s->host, s->o.leases, err);
}

static const char *member_url(const struct leases *l, char *url, const char *name)
{
    snprintf(url, URL + 100, "%s/members/%s", l->base, name);
    return url;
}
static const char *claim_url(const struct leases *l, char *url, const char *shard, uint64_t number)
{
    snprintf(url, URL + 200, "%s/shards/%s/%020" PRIu64, l->base, shard, number);
    return url;
}

/* -- members ---------------------------------------------------------------------------------------------------------------------------------- */

static pen_status note_member(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct leases *l = arg;
    (void)err;
    size_t n = strlen(o->name);
    if (l->n_members < MEMBERS && n < sizeof l->members->name) {
        memcpy(l->members[l->n_members].name, o->name, n + 1);
        l->members[l->n_members++].seen = o->modified;
    }
    return PEN_OK;
}

static bool is_alive(const struct source *s, const char *name)
{
    const struct leases *l = s->leases;
    for (size_t i = 0; i < l->n_members; i++)
        if (strcmp(l->members[i].name, name) == 0)
            return l->now - l->members[i].seen <= s->o.lease_time;
    return false;
}

/* Our sign of life, and everybody else's. Those long silent are cleared away. */
static pen_status meet(struct source *s, size_t *alive, struct pen_error *err)
{
    struct leases *l = s->leases;
    char url[URL + 100];
    pen_put_outcome outcome;
    pen_status st = pen_store_put(s->host, member_url(l, url, l->me), "{}\n", 3, PEN_PUT_NO_FSYNC, &outcome, err);
    l->n_members = 0;
    snprintf(url, sizeof url, "%s/members", l->base);
    if (st >= 0)
        st = pen_store_now(s->host, url, &l->now, err);
    if (st >= 0)
        st = pen_store_list(s->host, url, NULL, false, note_member, l, err);
    *alive = 0;
    for (size_t i = 0; i < l->n_members && st >= 0; i++) {
        int64_t silent = l->now - l->members[i].seen;
        *alive += silent <= s->o.lease_time;
        if (silent > 20 * s->o.lease_time)
            st = pen_store_remove(s->host, member_url(l, url, l->members[i].name), err);
    }
    if (!*alive)
        *alive = 1;
    return st < 0 ? st : PEN_OK;
}

/* -- claims ------------------------------------------------------------------------------------------------------------------------------------ */

struct newest { /* of the names that a list gave */
    const struct source *s;
    uint64_t *number; /* by index of the shard */
    size_t n;
    size_t last; /* index of the last name's shard: names come shard by shard */
};

static pen_status note_claim(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct newest *w = arg;
    const char *slash = strchr(o->name, '/');
    unsigned long long number;
    (void)err;
    if (!slash || sscanf(slash + 1, "%20llu", &number) != 1)
        return PEN_OK;
    for (size_t i = 0; i < w->n; i++) {
        size_t at = (w->last + i) % w->n;
        const char *name = w->s->shards[at]->is.name;
        if (strlen(name) == (size_t)(slash - o->name) && strncmp(name, o->name, strlen(name)) == 0) {
            w->last = at;
            w->number[at] = number > w->number[at] ? number : w->number[at];
            break;
        }
    }
    return PEN_OK;
}

static pen_status read_claim(struct source *s, size_t i, uint64_t number, struct pen_error *err)
{
    struct claim *c = &s->leases->claims[i];
    char url[URL + 200], *text;
    const char *state, *owner;
    size_t n;
    cJSON *root;
    pen_status st;
    if (number <= c->number) /* nothing new, or a list that is older than what we know */
        return PEN_OK;
    st = pen_store_get(s->host, claim_url(s->leases, url, s->shards[i]->is.name, number), 4096, &text, &n, err);
    if (st != PEN_OK)
        return st; /* gone again: a later one is there */
    root = cJSON_ParseWithLength(text, n);
    state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "state"));
    owner = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "owner"));
    c->number = number;
    c->state = !state ? CLAIM_FREE : strcmp(state, "held") == 0 ? CLAIM_HELD : strcmp(state, "done") == 0 ? CLAIM_DONE : CLAIM_FREE;
    snprintf(c->owner, sizeof c->owner, "%s", owner ? owner : "");
    cJSON_Delete(root);
    free(text);
    return PEN_OK;
}

static pen_status read_claims(struct source *s, size_t n, struct pen_error *err)
{
    struct leases *l = s->leases;
    struct newest w = { s, calloc(n + 1, sizeof *w.number), n, 0 };
    char url[URL + 100];
    pen_status st;
    if (n > l->n) {
        struct claim *v = realloc(l->claims, n * sizeof *v);
        if (v) {
            memset(v + l->n, 0, (n - l->n) * sizeof *v);
            l->claims = v;
            l->n = n;
        }
    }
    if (!w.number || n > l->n) {
        free(w.number);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    snprintf(url, sizeof url, "%s/shards", l->base);
    st = pen_store_list(s->host, url, NULL, true, note_claim, &w, err);
    for (size_t i = 0; i < n && st >= 0; i++)
        if (w.number[i])
            st = read_claim(s, i, w.number[i], err);
    free(w.number);
    return st < 0 ? st : PEN_OK;
}

/* The next number of a shard, if nobody was quicker. PEN_SKIP: somebody was. */
static pen_status put_claim(struct source *s, size_t i, claim_state state, struct pen_error *err)
{
    struct leases *l = s->leases;
    struct claim *c = &l->claims[i];
    uint64_t number = c->number + 1;
    char url[URL + 200], text[200];
    pen_put_outcome outcome;
    pen_status st;
    int n = snprintf(text, sizeof text, "{\"state\":\"%s\",\"owner\":\"%s\"}\n", state == CLAIM_HELD ? "held" : state == CLAIM_DONE ? "done" : "free",
                     state == CLAIM_HELD ? l->me : "");
    st = pen_store_put(s->host, claim_url(l, url, s->shards[i]->is.name, number), text, (size_t)n, PEN_PUT_IF_ABSENT, &outcome, err);
    if (st < 0 || outcome != PEN_PUT_DONE) /* unknown: the next round reads what it came to */
        return st < 0 ? st : PEN_SKIP;
    if (number > 2) /* one older stays for those who have just listed it */
        (void)pen_store_remove(s->host, claim_url(l, url, s->shards[i]->is.name, number - 2), &(struct pen_error){ 0 });
    c->number = number;
    c->state = state;
    snprintf(c->owner, sizeof c->owner, "%s", state == CLAIM_HELD ? l->me : "");
    return PEN_OK;
}

/* -- a round ----------------------------------------------------------------------------------------------------------------------------------- */

static bool is_ours(const struct source *s, size_t i)
{
    const struct claim *c = &s->leases->claims[i];
    return c->state == CLAIM_HELD && strcmp(c->owner, s->leases->me) == 0;
}

/* What a claim says becomes what the shard is. "done" is a hint, as the sink may be another than then: the shard is looked at, and
 * where it is not at its end after all it is for somebody to take. Returns whether something is to be put. lock held. */
static bool settle_claim(struct source *s, size_t i, claim_state *put)
{
    struct shard *sh = s->shards[i];
    bool ours = is_ours(s, i), done = s->leases->claims[i].state == CLAIM_DONE;
    if (done && !sh->finished && !sh->undone && sh->listed)
        sh->mine = sh->only_look = true;
    else if (!ours && !sh->only_look && sh->mine && sh->assigned)
        sh->lost = true;
    else if (!ours && !sh->assigned)
        sh->mine = sh->only_look = sh->lost = sh->give_up = false;
    *put = sh->finished ? CLAIM_DONE : CLAIM_FREE;
    return (ours && !sh->assigned && (sh->finished || !sh->mine)) || (done && sh->undone && !sh->assigned);
}

static pen_status settle_claims(struct source *s, size_t n, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (size_t i = 0; i < n && st >= 0; i++) {
        struct shard *sh = s->shards[i];
        claim_state put;
        bool wanted;
        pthread_mutex_lock(&s->lock);
        wanted = settle_claim(s, i, &put);
        pthread_mutex_unlock(&s->lock);
        if (!wanted || (st = put_claim(s, i, put, err)) < 0)
            continue;
        pthread_mutex_lock(&s->lock);
        sh->give_up = sh->mine = sh->undone = false;
        pthread_mutex_unlock(&s->lock);
    }
    return st < 0 ? st : PEN_OK;
}

/* Whether a shard is to be shared out: it can be read now. lock held. */
static bool is_wanted(const struct shard *sh)
{
    return sh->listed && !sh->finished && shard_is_open(sh);
}

/* Takes what is free up to our share; gives up what is beyond it. */
static pen_status share_out(struct source *s, size_t n, size_t alive, struct pen_error *err)
{
    size_t wanted = 0, ours = 0, share;
    pen_status st = PEN_OK;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++) {
        wanted += is_wanted(s->shards[i]) && s->leases->claims[i].state != CLAIM_DONE;
        ours += is_ours(s, i) && !s->shards[i]->give_up && !s->shards[i]->finished;
    }
    share = (wanted + alive - 1) / alive;
    for (size_t i = n; i-- > 0 && ours > share;)
        if (is_ours(s, i) && !s->shards[i]->give_up && s->shards[i]->mine && !s->shards[i]->finished) {
            s->shards[i]->give_up = true;
            ours--;
        }
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < n && st >= 0 && ours < share; i++) {
        const struct claim *c = &s->leases->claims[i];
        bool fit;
        pthread_mutex_lock(&s->lock);
        fit = is_wanted(s->shards[i]) && !is_ours(s, i) && !s->shards[i]->assigned;
        pthread_mutex_unlock(&s->lock);
        if (!fit || c->state == CLAIM_DONE || (c->state == CLAIM_HELD && is_alive(s, c->owner)))
            continue;
        st = put_claim(s, i, CLAIM_HELD, err);
        ours += st == PEN_OK;
        pthread_mutex_lock(&s->lock);
        s->shards[i]->mine = s->shards[i]->mine || st == PEN_OK;
        pthread_mutex_unlock(&s->lock);
    }
    return st < 0 ? st : PEN_OK;
}

int64_t leases_round(struct source *s)
{
    struct leases *l = s->leases;
    struct pen_error err = { 0 };
    int64_t now = pen_now(s->host), every = s->o.lease_time / 4;
    size_t n, alive = 1;
    pen_status st;
    pthread_mutex_lock(&s->lock);
    n = s->n_shards; /* grows on this thread only */
    pthread_mutex_unlock(&s->lock);
    st = meet(s, &alive, &err);
    if (st >= 0)
        st = read_claims(s, n, &err);
    if (st >= 0)
        st = settle_claims(s, n, &err);
    if (st >= 0)
        st = share_out(s, n, alive, &err);
    if (st < 0 && now >= l->complain_at) {
        pen_log(s->host, PEN_LOG_WARN, "leases: %s", err.msg);
        l->complain_at = now + 10000000;
    }
    pthread_mutex_lock(&s->lock);
    s->shared_out = s->shared_out || st >= 0;
    pthread_mutex_unlock(&s->lock);
    return now + every;
}

void leases_close(struct source *s)
{
    struct leases *l = s->leases;
    char url[URL + 100];
    if (!l)
        return;
    for (size_t i = 0; i < l->n && s->opened; i++) {
        struct pen_error ignored = { 0 };
        if (is_ours(s, i))
            (void)put_claim(s, i, s->shards[i]->finished ? CLAIM_DONE : CLAIM_FREE, &ignored);
    }
    if (s->opened)
        (void)pen_store_remove(s->host, member_url(l, url, l->me), &(struct pen_error){ 0 });
    free(l->claims);
    free(l);
    s->leases = NULL;
}
