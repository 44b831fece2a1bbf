/* commit.c - plans: gathered at a cut, published sink by sink in a fixed order, settled. The rules are in doc/commits.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/chain.h"
#include "engine/dead.h"
#include "engine/segment.h"
#include "engine/state.h"

/* -- keys and positions ------------------------------------------------------------------------------------------------------------- */

char *pen_part_key(const struct pen_segment *seg, size_t sink, const struct seg_part *p)
{
    const char *part = seg->sinks[sink].chains && seg->sinks[sink].chains[p->source] ? "*" : p->key_part;
    const char *a = seg->sinks[sink].prefix, *b = seg->sources[p->source].prefix;
    size_t n = strlen(a) + strlen(b) + strlen(part) + 2;
    char *key = malloc(n);
    if (key)
        snprintf(key, n, "%s%s/%s", a, b, part);
    return key;
}

struct find_key {
    const char *key;
    struct pen_position *out;
};
static pen_status match_key(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    struct find_key *f = arg;
    (void)err;
    if (strcmp(key, f->key) == 0)
        *f->out = *pos;
    return PEN_OK;
}

/* What one sink shows of one partition. */
static pen_status sink_shows(struct pen_segment *seg, size_t k, const struct seg_part *p, const char *key, struct pen_position *out,
                             struct pen_error *err)
{
    const struct seg_sink *sink = &seg->sinks[k];
    struct find_key f = { key, out };
    struct pen_chain *chain = sink->chains ? sink->chains[p->source] : NULL;
    out->n = 0;
    if (chain)
        return pen_chain_get(chain, p->name, p->incarnation, out, err);
    return sink->shows ? sink->type->shown(sink->ctx, key, match_key, &f, err) : pen_state_get(seg->state, key, out, err);
}

/* A table that shows less than it did has gone back in time: what lies between would come twice, or never. */
static pen_status check_memory(struct pen_segment *seg, size_t k, const char *key, struct pen_position *shown, struct pen_error *err)
{
    struct pen_position then = { 0 };
    pen_status st = pen_state_remembered(seg->state, key, &then, err);
    if (st < 0 || !then.n || (shown->n && pen_position_compare(shown, &then) >= 0))
        return st;
    if (seg->sinks[k].type->expires) {
        *shown = then;
        return PEN_OK;
    }
    return pen_fail(err, PEN_FATAL, "%s shows %s at position %llu, but it was at %llu before: it has been restored or replaced. Delete %s/seen to go "
                    "on from what it shows",
                    seg->sinks[k].name, key, (unsigned long long)(shown->n ? shown->w[0] : 0), (unsigned long long)then.w[0],
                    seg->run->state_path);
}

/* -- a renamed section: its partitions are there under another source's name ------------------------------------------------------- */

static bool is_configured(const struct pen_segment *seg, const char *name, size_t n)
{
    for (size_t i = 0; i < seg->n_sources; i++)
        if (strlen(seg->sources[i].prefix) == n && memcmp(seg->sources[i].prefix, name, n) == 0)
            return true;
    return false;
}

static pen_status note_stranger(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    struct pen_segment *seg = arg;
    const char *name = key + strlen(seg->sinks[seg->anchor].prefix), *slash = strchr(name, '/');
    (void)pos;
    if (!slash || is_configured(seg, name, (size_t)(slash - name)))
        return PEN_OK;
    if (seg->n_strangers == seg->cap_strangers) {
        size_t cap = seg->cap_strangers ? seg->cap_strangers * 2 : 16;
        struct seg_stranger *v = realloc(seg->strangers, cap * sizeof *v);
        if (!v)
            return pen_fail(err, PEN_FATAL, "out of memory");
        seg->strangers = v;
        seg->cap_strangers = cap;
    }
    char *copy = strdup(name);
    if (!copy)
        return pen_fail(err, PEN_FATAL, "out of memory");
    copy[slash - name] = '\0';
    seg->strangers[seg->n_strangers++] = (struct seg_stranger){ copy, copy + (slash - name) + 1 };
    return PEN_OK;
}

static int by_part(const void *a, const void *b)
{
    return strcmp(((const struct seg_stranger *)a)->part, ((const struct seg_stranger *)b)->part);
}

pen_status pen_names_note(struct pen_segment *seg, struct pen_error *err)
{
    const struct seg_sink *anchor = &seg->sinks[seg->anchor];
    pen_status st = anchor->shows ? anchor->type->shown(anchor->ctx, anchor->prefix, note_stranger, seg, err)
                                  : pen_state_shown(seg->state, anchor->prefix, note_stranger, seg, err);
    if (seg->n_strangers)
        qsort(seg->strangers, seg->n_strangers, sizeof *seg->strangers, by_part);
    return st;
}

/* Reading everything again because a section was given a new name is nobody's wish. */
static pen_status check_name(struct pen_segment *seg, const struct seg_part *p, struct pen_error *err)
{
    const struct seg_sink *anchor = &seg->sinks[seg->anchor];
    const struct seg_source *src = &seg->sources[p->source];
    bool chain = anchor->chains && anchor->chains[p->source];
    const struct seg_stranger key = { NULL, chain ? "*" : p->key_part }, *found;
    if (src->shown_any || !seg->n_strangers || (!chain && !p->incarnation[0]))
        return PEN_OK;
    found = bsearch(&key, seg->strangers, seg->n_strangers, sizeof key, by_part);
    if (!found)
        return PEN_OK;
    return pen_fail(err, PEN_FATAL, "%s shows nothing for source %s, but partition %s under the name %s: a section that was renamed? Give it `id = %s` to go on "
                    "there; to read everything again, give the sink another `id`",
                    anchor->name, seg->graph->stages[src->stage].name, p->name, found->name, found->name);
}

pen_status pen_part_find_shown(struct pen_segment *seg, struct seg_part *p, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (size_t i = 0; i < seg->n_sinks && st == PEN_OK; i++) {
        size_t k = seg->n_sinks - 1 - i; /* the anchor first: dead letters are looked for from there on */
        char *key = k || seg->n_sinks == 1 ? pen_part_key(seg, k, p) : NULL;
        if (k && !key)
            return pen_fail(err, PEN_FATAL, "out of memory");
        if (k) {
            st = sink_shows(seg, k, p, key, &p->shown[k], err);
            if (st == PEN_OK && seg->sinks[k].shows && !(seg->sinks[k].chains && seg->sinks[k].chains[p->source]))
                st = check_memory(seg, k, key, &p->shown[k], err);
        }
        free(key);
    }
    if (st != PEN_OK)
        return st;
    p->at = p->shown[seg->anchor];
    p->adopt = false;
    if (!p->at.n && (st = check_name(seg, p, err)) < 0)
        return st;
    if (!p->at.n) {
        const struct seg_source *src = &seg->sources[p->source];
        p->at = pen_position_of(0);
        if (src->type->beginning)
            st = src->type->beginning(src->instance.ctx, p->id, !src->shown_any, &p->at, err);
        p->adopt = src->type->beginning && st == PEN_OK;
        st = st == PEN_SKIP ? PEN_OK : st; /* a restart would find the same */
    }
    if (st == PEN_OK && !seg->sources[p->source].type->no_replay) {
        char *key = pen_part_key(seg, 0, p);
        if (!key)
            return pen_fail(err, PEN_FATAL, "out of memory");
        st = pen_dead_shown(seg->dead, key, &p->at, &p->shown[0], err);
        free(key);
    }
    return st;
}

/* -- gathering ---------------------------------------------------------------------------------------------------------------------- */

static pen_status add_move(struct seg_plan *plan, const struct lane_move *m, struct pen_error *err)
{
    if (plan->n_moves == plan->cap_moves) {
        size_t cap = plan->cap_moves ? plan->cap_moves * 2 : 16;
        struct lane_move *moves = realloc(plan->moves, cap * sizeof *moves);
        if (!moves)
            return pen_fail(err, PEN_FATAL, "out of memory");
        plan->moves = moves;
        plan->cap_moves = cap;
    }
    plan->moves[plan->n_moves++] = *m;
    return PEN_OK;
}

/* Unique for ever: the run's random number, the segment, and which of its cuts ('c') or first positions ('a') this is. No name is part of it: a long
 * one would push the number out of what fits, and two plans of one id are one plan to a sink. */
static void make_id(const struct pen_segment *seg, char id[PEN_PLAN_ID], char kind, unsigned long long number)
{
    snprintf(id, PEN_PLAN_ID, "%016llx%016llx-%u-%c%llu", (unsigned long long)seg->run->run_id[0], (unsigned long long)seg->run->run_id[1],
             (unsigned)(seg->def - seg->graph->segments), kind, number);
}

pen_status pen_plan_gather(struct pen_segment *seg, struct pen_error *err)
{
    struct seg_plan *plan = &seg->plan;
    pen_status st = PEN_OK;
    plan->lanes = calloc(seg->n_lanes, sizeof *plan->lanes);
    if (!plan->lanes)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (unsigned i = 0; i < seg->lanes_running; i++) {
        plan->lanes[i] = seg->lanes[i].staged;
        memset(&seg->lanes[i].staged, 0, sizeof seg->lanes[i].staged);
        for (size_t m = 0; m < plan->lanes[i].n_moves && st >= 0; m++) {
            const struct lane_move *move = &plan->lanes[i].moves[m];
            struct seg_part *p = &seg->parts[move->part];
            const struct seg_source *src = &seg->sources[p->source];
            if (move->ended && src->type->chain)
                st = pen_part_finish(seg, move->part, err);
            if (st >= 0 && pen_position_compare(&move->to, &p->at) != 0)
                st = add_move(plan, move, err);
        }
    }
    make_id(seg, plan->id, 'c', seg->cuts);
    plan->number = seg->cuts;
    plan->open = true;
    plan->sink = 0;
    return st;
}

static void sent_clear(struct pen_plan *sent)
{
    for (size_t i = 0; i < sent->n_moves; i++)
        free((char *)(uintptr_t)sent->moves[i].key);
    free((void *)(uintptr_t)sent->moves);
    free((void *)(uintptr_t)sent->staged); /* the bytes belong to the lanes' reports */
    memset(sent, 0, sizeof *sent);
}

void pen_plan_clear(struct pen_segment *seg)
{
    for (unsigned i = 0; seg->plan.lanes && i < seg->n_lanes; i++)
        pen_lane_staged_clear(seg, &seg->plan.lanes[i]);
    free(seg->plan.lanes);
    free(seg->plan.moves);
    sent_clear(&seg->plan.sent);
    memset(&seg->plan, 0, sizeof seg->plan);
}

/* -- what a sink is sent ------------------------------------------------------------------------------------------------------------ */

static bool plan_has_rows_for(const struct pen_segment *seg, size_t k)
{
    for (unsigned i = 0; i < seg->n_lanes; i++)
        if (seg->plan.lanes[i].present && seg->plan.lanes[i].wrote[k])
            return true;
    return false;
}

static bool has_chain(const struct pen_segment *seg, size_t k, unsigned source)
{
    return seg->sinks[k].chains && seg->sinks[k].chains[source];
}

static pen_status push_move(struct pen_move *moves, size_t *n, char *key, const struct pen_position *base, const struct pen_position *to,
                            struct pen_error *err)
{
    if (!key)
        return pen_fail(err, PEN_FATAL, "out of memory");
    moves[*n].key = key;
    moves[*n].base = *base;
    moves[(*n)++].to = *to;
    return PEN_OK;
}

/* Sources whose positions are a chain move as one: the next entry is put, then its number is what the sink is to show. */
static pen_status chain_moves(struct pen_segment *seg, size_t k, struct pen_move *moves, size_t *n, struct pen_error *err)
{
    const struct seg_plan *plan = &seg->plan;
    for (unsigned s = 0; s < seg->n_sources; s++) {
        struct pen_chain *chain = has_chain(seg, k, s) ? seg->sinks[k].chains[s] : NULL;
        struct seg_part any = { .source = s };
        struct pen_position base, to;
        uint64_t version;
        bool changed = false;
        pen_status st = PEN_OK;
        for (size_t i = 0; chain && i < plan->n_moves && st >= 0; i++) {
            const struct seg_part *p = &seg->parts[plan->moves[i].part];
            if (p->source != s || (p->shown[k].n && pen_position_compare(&plan->moves[i].to, &p->shown[k]) <= 0))
                continue;
            st = pen_chain_set(chain, p->name, p->incarnation, &plan->moves[i].to, err);
            changed = true;
        }
        if (!changed || st < 0) {
            if (st < 0)
                return st;
            continue;
        }
        base = pen_position_of(pen_chain_version(chain));
        if (!base.w[0])
            base.n = 0;
        st = pen_failpoint("chain.before-put", err);
        if (st >= 0)
            st = pen_chain_put(chain, plan->id, &version, err);
        if (st >= 0)
            st = pen_failpoint("chain.after-put", err);
        if (st < 0)
            return st;
        to = pen_position_of(version);
        st = push_move(moves, n, pen_part_key(seg, k, &any), &base, &to, err);
        if (st < 0)
            return st;
    }
    return PEN_OK;
}

static pen_status make_sent(struct pen_segment *seg, size_t k, struct pen_error *err)
{
    const struct seg_plan *plan = &seg->plan;
    struct pen_move *moves = calloc(plan->n_moves + seg->n_sources + 1, sizeof *moves);
    struct pen_staged *staged = calloc(seg->n_lanes + 1, sizeof *staged);
    size_t n = 0;
    pen_status st = moves && staged ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; st >= 0 && i < plan->n_moves; i++) {
        const struct seg_part *p = &seg->parts[plan->moves[i].part];
        if (has_chain(seg, k, p->source) || (k && p->shown[k].n && pen_position_compare(&plan->moves[i].to, &p->shown[k]) <= 0))
            continue; /* dead letters (k = 0) are asked about by name: a move of each partition tells them how far the plan goes */
        st = push_move(moves, &n, pen_part_key(seg, k, p), &p->shown[k], &plan->moves[i].to, err);
    }
    if (st >= 0 && seg->sinks[k].chains)
        st = chain_moves(seg, k, moves, &n, err);
    seg->plan.sent.id = plan->id;
    seg->plan.sent.number = plan->number;
    seg->plan.sent.moves = moves;
    seg->plan.sent.n_moves = n;
    seg->plan.sent.staged = staged;
    for (unsigned i = 0; st >= 0 && i < seg->n_lanes; i++)
        if (plan->lanes[i].present && plan->lanes[i].wrote[k] && plan->lanes[i].sinks[k].bytes)
            staged[seg->plan.sent.n_staged++] = plan->lanes[i].sinks[k];
    return st;
}

/* -- publishing --------------------------------------------------------------------------------------------------------------------- */

static void settle_chains(struct pen_segment *seg, size_t k, bool published)
{
    for (size_t s = 0; seg->sinks[k].chains && s < seg->n_sources; s++)
        if (seg->sinks[k].chains[s])
            pen_chain_settle(seg->sinks[k].chains[s], published);
}

static void note_published(struct pen_segment *seg, size_t k)
{
    struct seg_sink *sink = &seg->sinks[k];
    const struct pen_plan *sent = &seg->plan.sent;
    for (size_t i = 0; i < seg->plan.n_moves; i++) {
        struct seg_part *p = &seg->parts[seg->plan.moves[i].part];
        if (!p->shown[k].n || pen_position_compare(&seg->plan.moves[i].to, &p->shown[k]) > 0)
            p->shown[k] = seg->plan.moves[i].to;
    }
    settle_chains(seg, k, true);
    pthread_mutex_lock(&seg->lock);
    for (size_t i = 0; i < sent->n_staged; i++) {
        sink->rows += sent->staged[i].rows;
        sink->files += sent->staged[i].files;
        sink->file_bytes += sent->staged[i].file_bytes;
    }
    sink->commits++;
    pthread_mutex_unlock(&seg->lock);
    if (sink->shows) { /* a hint: that it cannot be kept stops nothing */
        struct pen_error ignored = { 0 };
        for (size_t i = 0; i < sent->n_moves; i++)
            pen_state_remember(seg->state, sent->moves[i].key, &sent->moves[i].to, &ignored);
    }
}

/* Where the rows of one who waits came to lie in sink k. That it cannot be told stops nothing: the rows are stored. */
static void note_landings(const struct pen_segment *seg, size_t k, size_t staged, const struct seg_token *t)
{
    const struct seg_sink *sink = &seg->sinks[k];
    for (size_t o = 0; t->landings && o < seg->sources[t->source].n_outputs; o++) {
        struct seg_landing *l = &t->landings[o];
        struct pen_error ignored = { 0 };
        if (l->sink != k || !l->n || !(l->places = calloc((size_t)l->n, sizeof *l->places)))
            continue;
        if (sink->type->stored(sink->ctx, &seg->plan.sent, staged, l->first, l->n, l->places, &ignored) == PEN_OK)
            continue;
        free(l->places);
        l->places = NULL;
    }
}

static void note_stored(const struct pen_segment *seg, size_t k)
{
    size_t staged = 0;
    for (unsigned i = 0; seg->sinks[k].type->stored && i < seg->n_lanes; i++) {
        const struct lane_staged *l = &seg->plan.lanes[i];
        if (!l->present || !l->wrote[k] || !l->sinks[k].bytes)
            continue;
        for (size_t t = 0; t < l->n_tokens; t++)
            note_landings(seg, k, staged, &l->tokens[t]);
        staged++;
    }
}

static void say_it_waits(const struct pen_segment *seg, size_t k, struct pen_error *err)
{
    if (!seg->plan.attempts)
        pen_log(&(struct pen_host){ seg->run, seg->sinks[k].name, NULL, false }, PEN_LOG_WARN, "commit waits: %s", err->msg);
    memset(err, 0, sizeof *err);
}

static void wait_before_next(struct pen_segment *seg)
{
    int64_t pause = PEN_FIRST_PAUSE;
    for (int i = 0; i < seg->plan.attempts && pause < PEN_LONGEST_PAUSE; i++)
        pause *= 2;
    seg->plan.attempts++;
    seg->plan.not_before = seg->run->clock->now(seg->run->clock->arg) + (pause < PEN_LONGEST_PAUSE ? pause : PEN_LONGEST_PAUSE);
}

/* One call of retract(); PEN_SKIP not yet, PEN_RETRY done, and the plan counts as refused. */
static pen_status retract_once(struct pen_segment *seg, size_t k, struct pen_error *err)
{
    const struct seg_sink *sink = &seg->sinks[k];
    pen_status st = pen_failpoint("commit.before-retract", err);
    if (st >= 0)
        st = sink->type->retract(sink->ctx, &seg->plan.sent, err);
    if (st >= 0)
        st = pen_failpoint("commit.after-retract", err);
    if (st != PEN_RETRY)
        return st < 0 ? st : PEN_RETRY;
    say_it_waits(seg, k, err);
    if (atomic_load(&seg->run->stopping) && seg->plan.attempts > 8)
        return pen_fail(err, PEN_FATAL, "%s: stopped while the last commit was taken back; the next start goes on with that", sink->name);
    wait_before_next(seg);
    return PEN_SKIP;
}

/* One call of publish(); PEN_OK done, PEN_SKIP unknown yet, PEN_RETRY refused. */
static pen_status publish_once(struct pen_segment *seg, size_t k, struct pen_error *err)
{
    struct seg_sink *sink = &seg->sinks[k];
    pen_publish_outcome outcome = PEN_PUBLISH_UNKNOWN;
    pen_status st = pen_failpoint("commit.before-publish", err);
    if (st >= 0)
        st = sink->type->publish(sink->ctx, &seg->plan.sent, &outcome, err);
    if (st >= 0)
        st = pen_failpoint("commit.after-publish", err);
    if (st == PEN_RETRY) {
        say_it_waits(seg, k, err);
        outcome = PEN_PUBLISH_UNKNOWN;
    } else if (st < 0) {
        return st;
    }
    switch (outcome) {
    case PEN_PUBLISH_DONE:
        return PEN_OK;
    case PEN_PUBLISH_REFUSED:
        pen_log(&(struct pen_host){ seg->run, sink->name, NULL, false }, PEN_LOG_INFO, "commit refused, another was quicker: reading again from what it shows");
        return PEN_RETRY;
    case PEN_PUBLISH_GONE:
        return pen_fail(err, PEN_FATAL, "%s: the table is not there any more", sink->name);
    case PEN_PUBLISH_LOST:
        st = pen_plan_lost(seg, sink, err);
        seg->plan.lost = st >= 0;
        seg->plan.attempts = 0;
        return st < 0 ? st : retract_once(seg, k, err);
    case PEN_PUBLISH_UNKNOWN:
        break;
    }
    if (atomic_load(&seg->run->stopping) && seg->plan.attempts > 8)
        return pen_fail(err, PEN_FATAL, "%s: stopped while it was unclear whether the last commit happened; the next start finds out", sink->name);
    wait_before_next(seg);
    return PEN_SKIP;
}

/* What was staged for sinks from k on will never be published. */
static void discard_from(struct pen_segment *seg, size_t k)
{
    for (; k < seg->n_sinks; k++) {
        const struct seg_sink *sink = &seg->sinks[k];
        for (unsigned i = 0; sink->type->discard && i < seg->n_lanes; i++)
            if (seg->plan.lanes[i].present && seg->plan.lanes[i].wrote[k] && seg->plan.lanes[i].sinks[k].bytes)
                sink->type->discard(sink->ctx, &seg->plan.lanes[i].sinks[k]);
        settle_chains(seg, k, false);
    }
}

/* Makes what sink k is sent, and keeps it in `state` where the sink itself shows nothing. */
static pen_status begin_sink(struct pen_segment *seg, size_t k, bool kept, struct pen_error *err)
{
    pen_status st = make_sent(seg, k, err);
    if (st >= 0 && kept && !seg->plan.adoption)
        st = pen_state_save_plan(seg->state, seg->sinks[k].name, &seg->plan.sent, err);
    if (st >= 0)
        st = pen_failpoint("commit.planned", err);
    if (st < 0) { /* nobody has seen it: it is made anew */
        sent_clear(&seg->plan.sent);
        settle_chains(seg, k, false);
    }
    seg->plan.begun = st >= 0;
    return st;
}

static pen_status publish_sink(struct pen_segment *seg, size_t k, struct pen_error *err)
{
    struct seg_sink *sink = &seg->sinks[k];
    bool kept = !sink->shows && k; /* dead letters find out by the names of their objects */
    pen_status st = PEN_OK;
    if (!seg->plan.begun) {
        if (k != seg->anchor && !plan_has_rows_for(seg, k))
            return PEN_OK;
        st = begin_sink(seg, k, kept, err);
        if (st == PEN_RETRY) {
            say_it_waits(seg, k, err);
            wait_before_next(seg);
            return PEN_SKIP;
        }
        if (st < 0)
            return st;
    }
    if (seg->plan.lost)
        st = retract_once(seg, k, err);
    else if (!kept || !seg->plan.adoption) /* first positions of what shows nothing go into `state` alone */
        st = publish_once(seg, k, err);
    if (st == PEN_SKIP || (st < 0 && st != PEN_RETRY))
        return st;
    if (kept) {
        pen_status kept_st = st == PEN_OK ? pen_state_finish_plan(seg->state, sink->name, &seg->plan.sent, err)
                                          : pen_state_drop_plan(seg->state, sink->name, err);
        if (kept_st < 0)
            return kept_st;
    }
    if (st == PEN_OK) {
        note_stored(seg, k);
        note_published(seg, k);
    } else {
        discard_from(seg, k);
    }
    sent_clear(&seg->plan.sent);
    seg->plan.begun = seg->plan.lost = false;
    seg->plan.attempts = 0;
    return st;
}

pen_status pen_plan_publish(struct pen_segment *seg, struct pen_error *err)
{
    if (!seg->plan.n_moves && !seg->plan.begun) {
        bool rows = false;
        for (size_t k = 0; k < seg->n_sinks; k++)
            rows = rows || plan_has_rows_for(seg, k);
        if (!rows)
            return PEN_OK; /* nothing was read: no empty commits */
    }
    while (seg->plan.sink < seg->n_sinks) {
        pen_status st = publish_sink(seg, seg->plan.sink, err);
        if (st != PEN_OK)
            return st;
        seg->plan.sink++;
    }
    return PEN_OK;
}

/* -- afterwards --------------------------------------------------------------------------------------------------------------------- */

pen_status pen_plan_settle(struct pen_segment *seg, struct pen_error *err)
{
    pen_status st = pen_failpoint("commit.before-settle", err);
    for (size_t i = 0; i < seg->plan.n_moves && st >= 0; i++) {
        struct seg_part *p = &seg->parts[seg->plan.moves[i].part];
        const struct seg_source *src = &seg->sources[p->source];
        p->at = seg->plan.moves[i].to;
        if (src->type->settle && !seg->plan.adoption)
            st = src->type->settle(src->instance.ctx, p->id, &p->at, err);
        if (st == PEN_RETRY) { /* a hint: the next one says more */
            pen_starts_wait(seg, &src->instance.host, err);
            st = PEN_OK;
        }
    }
    for (unsigned i = 0; seg->plan.lanes && i < seg->n_lanes; i++) {
        struct lane_staged *l = &seg->plan.lanes[i];
        pen_answer_tokens(seg, l->tokens, &l->n_tokens, PEN_OK);
    }
    return st < 0 ? st : pen_failpoint("commit.after-settle", err);
}

pen_status pen_plan_adopt(struct pen_segment *seg, size_t n, struct pen_error *err)
{
    struct seg_plan *plan = &seg->plan;
    plan->lanes = calloc(seg->n_lanes, sizeof *plan->lanes);
    plan->moves = calloc(n, sizeof *plan->moves);
    if (!plan->lanes || !plan->moves)
        return pen_fail(err, PEN_FATAL, "out of memory");
    plan->cap_moves = n;
    for (size_t i = 0; i < seg->n_parts && plan->n_moves < n; i++) {
        struct seg_part *p = &seg->parts[i];
        if (p->state == PART_NEW && p->found && p->adopt && !p->revoking)
            plan->moves[plan->n_moves++] = (struct lane_move){ .part = i, .to = p->at };
    }
    make_id(seg, plan->id, 'a', seg->adoptions++);
    plan->open = plan->adoption = true;
    plan->sink = seg->anchor;
    return PEN_SKIP;
}
