/* control.c - a segment's control: it takes events, cuts, publishes, settles, and begins anew where another has been quicker.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/segment.h"

enum { PHASE_RUN, PHASE_CUTTING, PHASE_PUBLISHING, PHASE_REWINDING, PHASE_DONE };

#define EVENT_PAUSE 100000 /* microseconds between looks for events while nothing else happens */

void (*pen_lane_starter)(struct pen_lane *lane);

void pen_control_signal(struct pen_segment *seg)
{
    uint64_t one = 1;
    if (seg->wake_ctl >= 0 && write(seg->wake_ctl, &one, sizeof one) < 0 && errno != EAGAIN)
        return; /* a full eventfd is readable all the same */
}

static void wake_lanes(struct pen_segment *seg)
{
    for (unsigned i = 0; i < seg->lanes_running; i++)
        pen_lane_signal(&seg->lanes[i]);
}

void pen_segment_fail(struct pen_segment *seg, const struct pen_error *err)
{
    pthread_mutex_lock(&seg->lock);
    if (!seg->failed) {
        seg->failed = true;
        seg->error = *err;
        if (!seg->error.msg[0])
            pen_fail(&seg->error, PEN_FATAL, "failed without a reason");
    }
    wake_lanes(seg);
    pthread_mutex_unlock(&seg->lock);
    pen_control_signal(seg);
}

static int64_t seg_now(const struct pen_segment *seg)
{
    return seg->run->clock->now(seg->run->clock->arg);
}

void pen_segment_upstream_done(struct pen_segment *seg)
{
    pthread_mutex_lock(&seg->lock);
    seg->upstream_done = true;
    seg->ends++;
    seg->ends_since = seg_now(seg);
    for (size_t p = 0; p < seg->n_parts; p++)
        if (seg->parts[p].ended && seg->parts[p].state != PART_RELEASED && seg->sources[seg->parts[p].source].fed_from_within) {
            seg->parts[p].ended = false;
            seg->sources[seg->parts[p].source].unended++;
        }
    wake_lanes(seg);
    pthread_mutex_unlock(&seg->lock);
    pen_control_signal(seg);
}

/* -- when to cut ------------------------------------------------------------------------------------------------------------------ */

/* Everything has been read: every source has named its last partition and each stands at its end. lock held. */
static bool read_to_the_end(const struct pen_segment *seg)
{
    if (seg->n_queue || seg->n_new)
        return false;
    for (size_t s = 0; s < seg->n_sources; s++)
        if (!seg->sources[s].no_more || seg->sources[s].unended || (seg->sources[s].fed_from_within && !seg->upstream_done))
            return false;
    return true;
}

static bool cut_is_due(struct pen_segment *seg)
{
    const struct pen_graph *g = seg->graph;
    long long since = atomic_load(&seg->open_since);
    int64_t now = seg_now(seg);
    if (seg->cut_wanted || seg->cut_now || pen_parts_share_soon(seg, now))
        return true;
    if ((g->commit_rows > 0 && atomic_load(&seg->open_rows) >= g->commit_rows) ||
        (g->commit_bytes > 0 && atomic_load(&seg->open_bytes) >= g->commit_bytes))
        return true;
    if (!since || g->commit_interval < 0)
        return false;
    if (now - since >= g->commit_interval)
        return true;
    if (since + g->commit_interval < seg->wake_at)
        seg->wake_at = since + g->commit_interval;
    return false;
}

static void begin_cut(struct pen_segment *seg)
{
    pen_parts_prepare_cut(seg);
    seg->cuts++;
    seg->cut_wanted = false;
    seg->cut_now = false;
    seg->in_flight = true;
    seg->phase = PHASE_CUTTING;
    wake_lanes(seg);
}

static bool all_passed(const struct pen_segment *seg)
{
    for (unsigned i = 0; i < seg->lanes_running; i++)
        if (seg->lanes[i].passed != seg->cuts)
            return false;
    return true;
}

/* -- phases ----------------------------------------------------------------------------------------------------------------------- */

static pen_step begin_rewind(struct pen_segment *seg)
{
    pthread_mutex_lock(&seg->lock);
    seg->rewinds++;
    seg->frozen = true;
    seg->in_flight = false;
    seg->rewind_wanted = false;
    seg->phase = PHASE_REWINDING;
    wake_lanes(seg);
    pthread_mutex_unlock(&seg->lock);
    return PEN_STEP_WORKED;
}

/* First positions are published like any other plan; meanwhile lanes write on, and there is no cut. */
static pen_step begin_adoption(struct pen_segment *seg)
{
    pthread_mutex_lock(&seg->lock);
    seg->in_flight = true;
    seg->phase = PHASE_PUBLISHING;
    pthread_mutex_unlock(&seg->lock);
    return PEN_STEP_WORKED;
}

static pen_step run(struct pen_segment *seg, struct pen_error *err)
{
    bool stop = atomic_load(&seg->run->stopping), cut;
    pen_status st = PEN_OK;
    seg->wake_at = seg_now(seg) + EVENT_PAUSE;
    if (!stop) {
        st = pen_parts_events(seg, err);
        if (st >= 0 && seg->rewind_wanted)
            return begin_rewind(seg);
        if (st >= 0 && (st = pen_starts_go_on(seg, err)) == PEN_SKIP)
            return begin_adoption(seg);
        if (st >= 0)
            st = pen_parts_assign(seg, err);
    }
    if (st < 0)
        return PEN_STEP_FAILED;
    pthread_mutex_lock(&seg->lock);
    if (stop || read_to_the_end(seg)) {
        seg->closing = true;
        seg->last_cut = true;
        begin_cut(seg);
        cut = true;
    } else if ((cut = cut_is_due(seg))) {
        begin_cut(seg);
    }
    pthread_mutex_unlock(&seg->lock);
    return cut ? PEN_STEP_WORKED : PEN_STEP_IDLE;
}

/* The next plan's interval begins, where it has rows already. A lane adds rows before it looks whether the interval runs; here it is the other way
 * round, so that one of the two sees the other. */
static void restart_interval(struct pen_segment *seg)
{
    atomic_store(&seg->open_since, 0);
    if (atomic_load(&seg->open_rows) > 0)
        atomic_compare_exchange_strong(&seg->open_since, &(long long){ 0 }, seg_now(seg));
}

static pen_step cutting(struct pen_segment *seg, struct pen_error *err)
{
    pen_status st;
    pthread_mutex_lock(&seg->lock);
    if (!all_passed(seg)) {
        pthread_mutex_unlock(&seg->lock);
        seg->wake_at = INT64_MAX;
        return PEN_STEP_BLOCKED;
    }
    st = pen_plan_gather(seg, err);
    restart_interval(seg);
    wake_lanes(seg); /* what the last to pass took with it is room for those before it */
    pthread_mutex_unlock(&seg->lock);
    if (st < 0)
        return PEN_STEP_FAILED;
    seg->phase = PHASE_PUBLISHING;
    return PEN_STEP_WORKED;
}

static pen_step plan_is_done(struct pen_segment *seg, struct pen_error *err)
{
    pen_status st = pen_plan_settle(seg, err);
    pen_plan_clear(seg);
    if (st >= 0)
        st = pen_parts_after_commit(seg, err);
    for (size_t k = 0; k < seg->n_sinks && st >= 0; k++) {
        if (seg->sinks[k].type->maintain)
            st = seg->sinks[k].type->maintain(seg->sinks[k].ctx, err);
        if (st == PEN_RETRY) { /* the rows are committed: another time, then */
            pen_starts_wait(seg, &(struct pen_host){ seg->run, seg->sinks[k].name, NULL, false }, err);
            st = PEN_OK;
        }
    }
    if (st < 0)
        return PEN_STEP_FAILED;
    pthread_mutex_lock(&seg->lock);
    seg->in_flight = false;
    seg->phase = PHASE_RUN;
    if (seg->last_cut && !atomic_load(&seg->run->stopping) && !read_to_the_end(seg)) {
        seg->last_cut = seg->closing = false; /* it grew meanwhile */
    } else if (seg->last_cut) {
        seg->phase = PHASE_DONE;
        seg->finished = true;
    }
    wake_lanes(seg);
    pthread_mutex_unlock(&seg->lock);
    return PEN_STEP_WORKED;
}

static pen_step publishing(struct pen_segment *seg, struct pen_error *err)
{
    pen_status st;
    int64_t now = seg_now(seg);
    if (!atomic_load(&seg->run->stopping) && !seg->closing) {
        if (pen_parts_assign(seg, err) < 0)
            return PEN_STEP_FAILED;
    }
    if (seg->plan.not_before > now) {
        seg->wake_at = seg->plan.not_before;
        return PEN_STEP_IDLE;
    }
    st = pen_plan_publish(seg, err);
    if (st == PEN_OK)
        return plan_is_done(seg, err);
    if (st == PEN_SKIP)
        return PEN_STEP_WORKED;
    if (st != PEN_RETRY)
        return PEN_STEP_FAILED;
    memset(err, 0, sizeof *err);
    pen_plan_clear(seg);
    return begin_rewind(seg);
}

static pen_step rewinding(struct pen_segment *seg, struct pen_error *err)
{
    bool all = true;
    pen_status st;
    if (seg->plan.not_before > seg_now(seg)) {
        seg->wake_at = seg->plan.not_before;
        return PEN_STEP_IDLE;
    }
    pthread_mutex_lock(&seg->lock);
    for (unsigned i = 0; i < seg->lanes_running; i++)
        all = all && seg->lanes[i].rewound == seg->rewinds;
    pthread_mutex_unlock(&seg->lock);
    if (!all) {
        seg->wake_at = INT64_MAX;
        return PEN_STEP_BLOCKED;
    }
    for (unsigned i = 0; i < seg->lanes_running; i++)
        pen_lane_refuse(&seg->lanes[i]);
    st = pen_parts_restart(seg, err);
    if (st == PEN_RETRY) {
        pen_starts_wait(seg, &(struct pen_host){ seg->run, seg->sinks[seg->anchor].name, NULL, false }, err);
        seg->plan.not_before = seg->start_at;
        return atomic_load(&seg->run->stopping) ? PEN_STEP_DONE : PEN_STEP_WORKED;
    }
    if (st < 0)
        return PEN_STEP_FAILED;
    atomic_store(&seg->open_since, 0);
    pthread_mutex_lock(&seg->lock);
    seg->frozen = seg->closing = seg->last_cut = false;
    seg->phase = PHASE_RUN;
    wake_lanes(seg);
    pthread_mutex_unlock(&seg->lock);
    return PEN_STEP_WORKED;
}

pen_step pen_control_step(struct pen_segment *seg)
{
    struct pen_error err = { 0 };
    pen_step step = PEN_STEP_DONE;
    bool failed;
    pthread_mutex_lock(&seg->lock);
    failed = seg->failed;
    pthread_mutex_unlock(&seg->lock);
    if (failed)
        return PEN_STEP_FAILED;
    switch (seg->phase) {
    case PHASE_RUN:
        step = run(seg, &err);
        break;
    case PHASE_CUTTING:
        step = cutting(seg, &err);
        break;
    case PHASE_PUBLISHING:
        step = publishing(seg, &err);
        break;
    case PHASE_REWINDING:
        step = rewinding(seg, &err);
        break;
    default:
        break;
    }
    if (step == PEN_STEP_FAILED)
        pen_segment_fail(seg, &err);
    return step;
}
