/* commit.c - publishing a plan: compare-and-set on the log (guide: Commits).
 *
 * An entry goes into the slot after the head as long as the table still shows every base and the metaData and protocol that the files were
 * written for. A slot that is taken is read, and the comparison made again. A put whose outcome is not known is settled by reading: where
 * its slot holds the plan's id it is ours; where the slot is still free only that same slot may be tried again, since whatever lands there first
 * keeps the other out.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta.h"

enum { FRESH_US = 60 * 1000000, CLOCK_US = 600 * 1000000 };

pen_status delta_store_time(struct delta_sink *d, int64_t *ms, struct pen_error *err)
{
    int64_t now = pen_now(d->host), store;
    if (d->clock_at == INT64_MIN || now - d->clock_at > CLOCK_US) {
        pen_status st = pen_store_now(d->host, d->state.log, &store, err);
        if (st < 0)
            return st;
        d->clock_offset = store - now;
        d->clock_at = now;
    }
    *ms = (now + d->clock_offset) / 1000;
    return PEN_OK;
}

pen_status delta_catch_up(struct delta_sink *d, const struct delta_watch *watch, bool *jumped, bool *gone, struct pen_error *err)
{
    pen_status st;
    *jumped = *gone = false;
    if (pen_now(d->host) - d->state.head_seen < FRESH_US)
        return PEN_OK;
    st = delta_state_refresh(&d->state, d->host, watch, jumped, err);
    *gone = st >= 0 && (d->state.version < 0 || strcmp(d->state.metadata.id, d->id) != 0);
    return st;
}

/* -- positions ---------------------------------------------------------------------------------------------------------------------- */

/* The appId of a word: the key, and "#N" from the second on. */
static bool app_id(char *buf, size_t size, const char *key, uint32_t word)
{
    int n = word ? snprintf(buf, size, "%s#%u", key, word) : snprintf(buf, size, "%s", key);
    return n > 0 && (size_t)n < size;
}

static struct pen_position shown_at(const struct delta_state *s, const char *key)
{
    struct pen_position pos = { 0, { 0 } };
    char app[2048];
    while (pos.n < 4 && app_id(app, sizeof app, key, pos.n)) {
        const size_t *at = delta_index_find(&s->txn_index, app);
        if (!at)
            break;
        pos.w[pos.n++] = (uint64_t)s->txns[*at].version;
    }
    return pos;
}

pen_status delta_shown(struct delta_sink *d, const char *prefix,
                       pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                       struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (size_t i = 0; st >= 0 && i < d->state.n_txns; i++) {
        const char *app = d->state.txns[i].app;
        if (strncmp(app, prefix, strlen(prefix)) != 0 || strchr(app, '#'))
            continue;
        struct pen_position pos = shown_at(&d->state, app);
        st = each(arg, app, &pos, err);
    }
    return st < 0 ? st : PEN_OK;
}

void delta_note_own(struct delta_sink *d, const char *key)
{
    const char *first = strchr(key, '/'), *second = first ? strchr(first + 1, '/') : NULL;
    size_t n = second ? (size_t)(second - key) + 1 : 0;
    if (d->own[0] || !n || n >= sizeof d->own)
        return;
    memcpy(d->own, key, n);
    d->own[n] = '\0';
}

static bool bases_hold(const struct delta_sink *d, const struct pen_plan *plan)
{
    for (size_t i = 0; i < plan->n_moves; i++) {
        struct pen_position shown = shown_at(&d->state, plan->moves[i].key);
        if (pen_position_compare(&shown, &plan->moves[i].base) != 0)
            return false;
    }
    return true;
}

/* -- the entry ------------------------------------------------------------------------------------------------------------------------ */

static void write_entry(struct delta_sink *d, const struct pen_plan *plan, int64_t updated, struct delta_text *t)
{
    char app[2048];
    delta_write_commit_info(d, t, "WRITE", "{\"mode\":\"Append\"}", plan->id, true);
    for (size_t i = 0; i < plan->n_moves; i++)
        for (uint32_t w = 0; w < plan->moves[i].to.n; w++) {
            t->failed |= !app_id(app, sizeof app, plan->moves[i].key, w);
            delta_write_txn(t, app, (int64_t)plan->moves[i].to.w[w], updated);
        }
    for (size_t i = 0; i < plan->n_staged; i++)
        delta_text_bytes(t, plan->staged[i].bytes, plan->staged[i].n);
}

/* Our own entry is in: what reading it would do to the state. */
static pen_status take_own(struct delta_sink *d, const struct pen_plan *plan, int64_t updated, struct pen_error *err)
{
    char app[2048];
    pen_status st = PEN_OK;
    d->state.version++;
    d->state.head_seen = pen_now(d->host);
    for (size_t i = 0; st >= 0 && i < plan->n_moves; i++)
        for (uint32_t w = 0; st >= 0 && w < plan->moves[i].to.n; w++) {
            app_id(app, sizeof app, plan->moves[i].key, w);
            const struct delta_action a = { .kind = DELTA_TXN, .u.txn = { app, (int64_t)plan->moves[i].to.w[w], updated } };
            st = delta_state_apply(&d->state, d->state.version, 0, &a, err);
        }
    for (size_t i = 0; i < plan->n_staged; i++)
        d->state.live += plan->staged[i].files;
    return st;
}

/* -- publish -------------------------------------------------------------------------------------------------------------------------- */

struct looking {
    const char *plan;
    bool found;
};

static pen_status look(void *arg, int64_t version, const struct delta_action *a, struct pen_error *err)
{
    struct looking *l = arg;
    (void)version, (void)err;
    l->found |= a->kind == DELTA_COMMIT_INFO && a->u.info.plan && strcmp(a->u.info.plan, l->plan) == 0;
    return PEN_OK;
}

/* Reads what others have put. The entries up to the head that could not be looked into, because they have been cleaned up, leave it open
 * whether one of them was ours. */
static pen_status read_on(struct delta_sink *d, const struct delta_watch *watch, bool *gone, struct pen_error *err)
{
    bool jumped;
    pen_status st = delta_catch_up(d, watch, &jumped, gone, err);
    if (st >= 0 && !*gone && !jumped)
        st = delta_state_follow(&d->state, d->host, INT64_MAX, watch, err);
    if (jumped && d->open_plan[0])
        d->unclear = true;
    else if (st >= 0 && d->state.version >= d->open_slot)
        d->open_plan[0] = '\0'; /* the slot of the put without an answer is taken: by us, which `watch` has seen, or by another */
    return st;
}

/* The table is not what the files were written for: whether rows still fit is looked at once, and then the plan begins anew. */
static pen_status refuse(struct delta_sink *d, pen_publish_outcome *outcome, struct pen_error *err)
{
    *outcome = PEN_PUBLISH_REFUSED;
    d->unclear |= d->open_plan[0] != '\0';
    return delta_table_unchanged(d) ? PEN_OK : delta_table_open(d, err);
}

/* A put was tried and not answered with "done". PEN_OK: look again; PEN_SKIP: it cannot be told now. */
static pen_status settle(struct delta_sink *d, const struct pen_plan *plan, pen_put_outcome put, struct looking *l, bool *gone, struct pen_error *err)
{
    int64_t slot = d->state.version + 1;
    const struct delta_watch watch = { look, l };
    pen_status st = pen_failpoint("delta.settle", err);
    if (put == PEN_PUT_UNKNOWN) {
        snprintf(d->open_plan, sizeof d->open_plan, "%s", plan->id);
        d->open_slot = slot;
    }
    if (st >= 0)
        st = read_on(d, &watch, gone, err);
    if (st < 0 || *gone || l->found)
        return st;
    return d->state.version >= slot ? PEN_OK : PEN_SKIP;
}

pen_status delta_publish(struct delta_sink *d, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct looking l = { .plan = plan->id };
    const struct delta_watch watch = { look, &l };
    bool gone = false, jumped = false, again = strcmp(d->open_plan, plan->id) == 0;
    if (plan->n_moves)
        delta_note_own(d, plan->moves[0].key);
    int64_t updated;
    struct delta_text entry = { 0 };
    pen_status st = delta_store_time(d, &updated, err);
    if (!again) {
        d->open_plan[0] = '\0';
        d->unclear = false;
    }
    if (st >= 0)
        st = again ? read_on(d, &watch, &gone, err) : delta_catch_up(d, &watch, &jumped, &gone, err);
    if (st >= 0)
        write_entry(d, plan, updated, &entry);
    *outcome = PEN_PUBLISH_UNKNOWN;
    while (st == PEN_OK && *outcome == PEN_PUBLISH_UNKNOWN) {
        pen_put_outcome put;
        if (l.found)
            *outcome = PEN_PUBLISH_DONE;
        else if (gone)
            *outcome = PEN_PUBLISH_GONE;
        else if (!delta_table_unchanged(d) || !bases_hold(d, plan))
            st = refuse(d, outcome, err);
        else if ((st = delta_put_entry(d, d->state.version + 1, &entry, &put, err)) >= 0) {
            if (put == PEN_PUT_DONE && (st = take_own(d, plan, updated, err)) >= 0)
                *outcome = PEN_PUBLISH_DONE;
            else if (put != PEN_PUT_DONE)
                st = settle(d, plan, put, &l, &gone, err);
        }
    }
    delta_text_fini(&entry);
    if (*outcome == PEN_PUBLISH_DONE)
        d->open_plan[0] = '\0';
    if (st == PEN_RETRY) { /* the store is out of reach: the same call again later */
        *outcome = PEN_PUBLISH_UNKNOWN;
        pen_log(d->host, PEN_LOG_WARN, "%s", err ? err->msg : "");
        if (err)
            *err = (struct pen_error){ 0 };
        return PEN_OK;
    }
    return st < 0 ? st : PEN_OK;
}
