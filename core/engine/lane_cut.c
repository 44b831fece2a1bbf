/* lane_cut.c - what a lane does when control says so: takes partitions and gives them up, passes a cut, rewinds.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/lane.h"

/* -- orders ------------------------------------------------------------------------------------------------------------------- */

struct lane_part *pen_lane_part(struct pen_lane *lane, unsigned source, uint32_t id)
{
    size_t i = pen_id_map_get(&lane->by_id[source], id);
    return i == SIZE_MAX ? NULL : &lane->parts[i];
}

static void forget_part(struct pen_lane *lane, size_t i)
{
    struct lane_part *p = &lane->parts[i];
    free(p->skip);
    pen_id_map_unset(&lane->by_id[p->source], p->id);
    *p = lane->parts[--lane->n_parts];
    if (i < lane->n_parts)
        pen_id_map_set(&lane->by_id[p->source], p->id, i); /* its slot exists: cannot fail */
}

pen_status pen_lane_set_bound(struct pen_lane *lane, const struct lane_part *p, struct pen_error *err)
{
    const struct pen_source *type = lane->seg->sources[p->source].type;
    struct pen_position bound = { 0 };
    if (!type->reader_bound)
        return PEN_OK;
    for (size_t k = 1; k < lane->seg->n_sinks; k++)
        if (p->skip[k].n && pen_position_compare(&p->skip[k], &p->at) > 0 && (!bound.n || pen_position_compare(&p->skip[k], &bound) < 0))
            bound = p->skip[k];
    return type->reader_bound(lane->readers[p->source], p->id, &bound, err);
}

static pen_status carry_out_add(struct pen_lane *lane, struct lane_add *a, struct pen_error *err)
{
    struct lane_part *p = pen_lane_part(lane, a->source, a->id);
    pen_status st;
    if (!p) {
        if (lane->n_parts == lane->cap_parts) {
            size_t cap = lane->cap_parts ? lane->cap_parts * 2 : 8;
            struct lane_part *parts = realloc(lane->parts, cap * sizeof *parts);
            if (!parts)
                return pen_fail(err, PEN_FATAL, "out of memory");
            lane->parts = parts;
            lane->cap_parts = cap;
        }
        if (!pen_id_map_set(&lane->by_id[a->source], a->id, lane->n_parts))
            return pen_fail(err, PEN_FATAL, "out of memory");
        p = &lane->parts[lane->n_parts++];
        memset(p, 0, sizeof *p);
    }
    free(p->skip);
    p->part = a->part, p->source = a->source, p->id = a->id, p->ended = false;
    p->at = p->since = a->at;
    p->skip = a->skip;
    a->skip = NULL;
    st = lane->seg->sources[p->source].type->reader_add(lane->readers[p->source], p->id, &p->at, err);
    return st < 0 ? st : pen_lane_set_bound(lane, p, err);
}

pen_status pen_lane_carry_out(struct pen_lane *lane, struct lane_add *adds, size_t n, pen_status st, struct pen_error *err)
{
    for (size_t i = 0; i < n && st >= 0; i++)
        st = carry_out_add(lane, &adds[i], err);
    for (size_t i = 0; i < n; i++)
        free(adds[i].skip);
    free(adds);
    return st;
}

static pen_status let_go(struct pen_lane *lane, size_t i, struct pen_error *err)
{
    const struct lane_part *p = &lane->parts[i];
    const struct pen_source *type = lane->seg->sources[p->source].type;
    pen_status st = type->reader_remove ? type->reader_remove(lane->readers[p->source], p->id, err) : PEN_OK;
    for (size_t k = 0; k < lane->seg->n_sinks; k++)
        if (lane->seg->sinks[k].type->forget)
            lane->seg->sinks[k].type->forget(lane->writers[k], p->part);
    forget_part(lane, i);
    return st;
}

static pen_status carry_out_removes(struct pen_lane *lane, const size_t *removes, size_t n, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (size_t i = 0; i < n && st >= 0; i++) {
        const struct seg_part *sp;
        struct lane_part *p;
        pthread_mutex_lock(&lane->seg->lock);
        sp = &lane->seg->parts[removes[i]];
        p = pen_lane_part(lane, sp->source, sp->id);
        pthread_mutex_unlock(&lane->seg->lock);
        if (!p)
            continue;
        st = let_go(lane, (size_t)(p - lane->parts), err);
    }
    return st;
}

/* -- cuts --------------------------------------------------------------------------------------------------------------------- */

/* What this lane wrote no longer counts towards the open plan. */
static void leave_plan(struct pen_lane *lane)
{
    atomic_fetch_sub(&lane->seg->open_rows, lane->open_rows);
    atomic_fetch_sub(&lane->seg->open_bytes, lane->open_bytes);
    lane->open_rows = lane->open_bytes = 0;
}

bool pen_lane_ends_for_good(const struct pen_lane *lane, const struct lane_part *p)
{
    return p->ended && lane->seg->sources[p->source].type->chain;
}

/* How far this plan takes a partition: as far as it was read, unless the sink stopped short of that. */
static struct pen_position reached_of(const struct pen_lane *lane, const struct lane_staged *out, const struct lane_part *p)
{
    const struct pen_staged *s = &out->sinks[lane->seg->anchor];
    for (size_t i = 0; lane->seg->sinks[lane->seg->anchor].type->partial && i < s->n_reached; i++)
        if (s->reached[i].part == p->part)
            return s->reached[i].to;
    return p->at;
}

static pen_status report_moves(struct pen_lane *lane, struct lane_staged *out, struct pen_error *err)
{
    lane->short_of = false;
    out->moves = calloc(lane->n_parts + 1, sizeof *out->moves);
    if (!out->moves)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < lane->n_parts;) {
        struct lane_part *p = &lane->parts[i];
        struct pen_position to = reached_of(lane, out, p);
        bool all = pen_position_compare(&to, &p->at) == 0, moved = (all && p->ended) || pen_position_compare(&to, &p->since) != 0;
        pen_status st;
        if (moved)
            out->moves[out->n_moves++] = (struct lane_move){ .part = p->part, .to = to, .ended = all && p->ended };
        p->since = to;
        lane->short_of = lane->short_of || !all;
        if (!all || !pen_lane_ends_for_good(lane, p)) {
            i++;
        } else if ((st = let_go(lane, i, err)) < 0) { /* a million small files are not to stay */
            return st;
        }
    }
    lane->n_ended = 0;
    return PEN_OK;
}

/* Stages sink by sink; what is staged stays in lane->passing, so that after PEN_RETRY the same call goes on with the rest. */
static pen_status stage_writers(struct pen_lane *lane, struct pen_error *err)
{
    struct pen_segment *seg = lane->seg;
    struct lane_staged *out = &lane->passing;
    bool last;
    pthread_mutex_lock(&seg->lock);
    last = seg->last_cut;
    pthread_mutex_unlock(&seg->lock);
    if (!out->sinks)
        out->sinks = calloc(seg->n_sinks, sizeof *out->sinks);
    if (!out->wrote)
        out->wrote = calloc(seg->n_sinks, sizeof *out->wrote);
    if (!out->sinks || !out->wrote)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t k = 0; k < seg->n_sinks; k++) {
        pen_status st;
        if (!lane->wrote[k])
            continue;
        st = pen_failpoint("lane.before-stage", err);
        out->sinks[k].last = last;
        if (st >= 0)
            st = seg->sinks[k].type->stage(lane->writers[k], &out->sinks[k], err);
        if (st >= 0)
            st = pen_failpoint("lane.after-stage", err);
        if (st == PEN_RETRY)
            pen_lane_wait(lane, &(struct pen_host){ seg->run, seg->sinks[k].name, NULL, false }, err);
        if (st < 0)
            return st;
        out->wrote[k] = out->sinks[k].bytes || !seg->sinks[k].type->partial;
        lane->wrote[k] = false;
    }
    return PEN_OK;
}

pen_status pen_lane_pass_cut(struct pen_lane *lane, struct pen_error *err)
{
    struct pen_segment *seg = lane->seg;
    struct lane_staged *out = &lane->passing;
    size_t *removes, n_removes;
    pen_status st = stage_writers(lane, err);
    if (st >= 0)
        st = report_moves(lane, out, err);
    if (st < 0)
        return st;
    pthread_mutex_lock(&seg->lock);
    removes = lane->removes, n_removes = lane->n_removes;
    lane->removes = NULL, lane->n_removes = lane->cap_removes = 0;
    pthread_mutex_unlock(&seg->lock);
    st = carry_out_removes(lane, removes, n_removes, err);
    free(removes);
    if (st < 0)
        return st;
    out->tokens = lane->tokens, out->n_tokens = lane->n_tokens;
    lane->tokens = NULL, lane->n_tokens = lane->cap_tokens = 0;
    out->present = true;
    leave_plan(lane);
    if (lane->short_of) { /* what stayed behind is looked at again at the next cut, also where nothing more is read */
        lane->wrote[seg->anchor] = true;
        lane->open_rows = 1;
        atomic_fetch_add(&seg->open_rows, 1);
    }
    pthread_mutex_lock(&seg->lock);
    lane->staged = *out;
    lane->passed++;
    pthread_mutex_unlock(&seg->lock);
    memset(out, 0, sizeof *out);
    pen_lane_begin_plan(lane);
    pen_control_signal(seg);
    return PEN_OK;
}

pen_step pen_lane_rewind(struct pen_lane *lane, unsigned rewinds, unsigned cuts)
{
    struct pen_segment *seg = lane->seg;
    for (size_t k = 0; k < seg->n_sinks; k++) {
        if (lane->wrote[k] && seg->sinks[k].type->abandon)
            seg->sinks[k].type->abandon(lane->writers[k]);
        lane->wrote[k] = false;
    }
    while (lane->n_parts) {
        const struct lane_part *p = &lane->parts[lane->n_parts - 1];
        struct pen_error ignored = { 0 };
        if (seg->sources[p->source].type->reader_remove)
            seg->sources[p->source].type->reader_remove(lane->readers[p->source], p->id, &ignored);
        forget_part(lane, lane->n_parts - 1);
    }
    leave_plan(lane);
    pthread_mutex_lock(&seg->lock);
    for (size_t i = 0; i < lane->n_adds; i++)
        free(lane->adds[i].skip);
    lane->n_adds = lane->n_removes = 0;
    lane->rewound = rewinds; /* from here on control answers those who wait (pen_lane_refuse) */
    lane->passed = cuts;
    pthread_mutex_unlock(&seg->lock);
    pen_lane_begin_plan(lane);
    pen_control_signal(seg);
    return PEN_STEP_WORKED;
}
