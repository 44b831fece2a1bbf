/* lane.c - one thread that runs a whole segment on its share of the input: read a batch, apply each transform, write to the sinks.
 *
 * There are no queues between stages. A lane meets the others at cuts only: there it stages what it wrote and reports how far it read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/intake.h"
#include "engine/dead.h"
#include "engine/flow.h"
#include "engine/lane.h"

#define RETRY_PAUSE 200000      /* microseconds before a reader that said PEN_RETRY is asked again */
#define ENDED_AT_MOST 16384     /* partitions read to their end that a lane holds before it asks for a cut, about a KiB each */
#define BATCH_ROWS 4096         /* the most that are read at once */
#define DEAD_AT_MOST 512        /* partitions with dead letters in one plan: each is an object */
#define LATE_AT_LEAST 1000000   /* microseconds that lanes read on, at least, while a commit is not done */
#define COMPLAIN_PAUSE 10000000 /* microseconds between two lines about that */

void pen_lane_signal(struct pen_lane *lane)
{
    uint64_t one = 1;
    if (lane->wake_fd >= 0 && write(lane->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        return; /* an eventfd that is full is readable all the same */
}

void pen_lane_wait(struct pen_lane *lane, const struct pen_host *host, struct pen_error *err)
{
    lane->retry_at = pen_now(host) + RETRY_PAUSE;
    if (lane->retry_at > lane->complain_at) {
        pen_log(host, PEN_LOG_WARN, "%s", err->msg);
        lane->complain_at = lane->retry_at + COMPLAIN_PAUSE;
    }
    memset(err, 0, sizeof *err);
}

/* -- reading ------------------------------------------------------------------------------------------------------------------ */

/* Before a read of posts: whoever waits is to be answered whatever happens, so there must be room to note it. */
static pen_status make_token_room(struct pen_lane *lane, struct pen_error *err)
{
    size_t cap = lane->cap_tokens ? lane->cap_tokens * 2 : 16;
    struct seg_token *t;
    if (lane->n_tokens < lane->cap_tokens)
        return PEN_OK;
    t = realloc(lane->tokens, cap * sizeof *t);
    if (!t)
        return pen_fail(err, PEN_FATAL, "out of memory");
    lane->tokens = t;
    lane->cap_tokens = cap;
    return PEN_OK;
}

/* Notes that a partition is at its end, or, as it grew, no longer. */
static void set_ended(struct pen_lane *lane, struct lane_part *p, bool ended)
{
    struct pen_segment *seg = lane->seg;
    if (p->ended == ended)
        return;
    pthread_mutex_lock(&seg->lock);
    if (ended && lane->ends_seen != seg->ends) { /* seen before what feeds it had stopped */
        pthread_mutex_unlock(&seg->lock);
        return;
    }
    p->ended = ended;
    lane->n_ended += pen_lane_ends_for_good(lane, p);
    if (seg->parts[p->part].ended != ended) {
        seg->parts[p->part].ended = ended;
        if (ended)
            seg->sources[p->source].unended--;
        else
            seg->sources[p->source].unended++;
    }
    pthread_mutex_unlock(&seg->lock);
    if (ended)
        pen_control_signal(seg);
}

/* Control has said that ends seen so far count no more (what feeds them had not stopped). */
static void forget_ends(struct pen_lane *lane, unsigned ends, int64_t since)
{
    if (lane->ends_seen == ends)
        return;
    lane->ends_seen = ends;
    lane->ends_since = since;
    for (size_t i = 0; i < lane->n_parts; i++)
        lane->parts[i].ended = false;
}

/* What a read brought goes through the segment; afterwards the partition stands at r->to. */
static pen_status take_in(struct pen_lane *lane, unsigned s, struct pen_read *r, struct pen_error *err)
{
    struct pen_segment *seg = lane->seg;
    struct seg_source *src = &seg->sources[s];
    struct lane_part *p = src->type->no_replay ? NULL : pen_lane_part(lane, s, r->partition);
    struct pen_flow flow = { .lane = lane, .source = s, .part = p, .from = r->from, .to = r->to };
    pen_status st = PEN_OK;
    if (src->type->no_replay && r->token)
        flow.landings = lane->tokens[lane->n_tokens - 1].landings;
    if (!src->type->no_replay && !p) {
        pen_flow_drop(&flow, r);
        return PEN_OK; /* taken from this lane meanwhile */
    }
    if (p && pen_position_compare(&r->from, &p->at) != 0) {
        pen_flow_drop(&flow, r);
        st = src->type->reader_add(lane->readers[s], p->id, &p->at, err);
        return st < 0 ? st : pen_lane_set_bound(lane, p, err);
    }
    st = pen_flow_run(&flow, r, err);
    if (st == PEN_RETRY) /* a part of the batch may have been written already: once more would double it */
        err->code = st = PEN_FATAL;
    if (st < 0)
        return st;
    if (flow.rows) {
        lane->open_rows += flow.rows;
        lane->open_bytes += flow.bytes;
        atomic_fetch_add(&seg->open_rows, flow.rows);
        atomic_fetch_add(&seg->open_bytes, flow.bytes);
        if (atomic_load(&seg->open_since) == 0 &&
            atomic_compare_exchange_strong(&seg->open_since, &(long long){ 0 }, pen_now(&src->instance.host)))
            pen_control_signal(seg); /* it is to look when the interval is over */
    }
    if (p && pen_position_compare(&p->at, &r->to) != 0) {
        p->at = r->to;
        set_ended(lane, p, r->end);
        return pen_lane_set_bound(lane, p, err);
    }
    if (!p || !r->end)
        return PEN_OK;
    st = p->ended ? PEN_SKIP : PEN_OK; /* an end that is known already is nothing new */
    set_ended(lane, p, true);
    return st;
}

/* Rows to ask for: a batch's, and no more than the open plan still takes, so that a plan of a thousand rows is one of a thousand. */
static int64_t rows_wanted(const struct pen_segment *seg)
{
    int64_t most = seg->graph->commit_rows, left = most - atomic_load(&seg->open_rows);
    left = most <= 0 ? BATCH_ROWS : left > 0 ? left : most;
    return left < BATCH_ROWS ? left : BATCH_ROWS;
}

static pen_status read_one(struct pen_lane *lane, unsigned s, struct pen_error *err)
{
    struct pen_segment *seg = lane->seg;
    struct pen_read r = { .max_rows = rows_wanted(seg), .max_bytes = 2 << 20, .ends_since = lane->ends_since, .batches = lane->batches,
                          .intakes = lane->intakes[s] };
    pen_status st;
    if (seg->sources[s].type->no_replay && (st = make_token_room(lane, err)) < 0)
        return st;
    for (size_t o = 0; o < seg->sources[s].n_outputs; o++) {
        memset(&lane->batches[o], 0, sizeof lane->batches[o]);
        if (lane->intakes[s][o])
            pen_intake_begin(lane->intakes[s][o]);
    }
    st = seg->sources[s].type->read(lane->readers[s], &r, err);
    if (st == PEN_OK && r.token && seg->sources[s].type->no_replay) {
        struct seg_landing *landings = calloc(seg->sources[s].n_outputs, sizeof *landings); /* without memory it is not told the places */
        lane->tokens[lane->n_tokens++] = (struct seg_token){ r.token, s, landings };
    }
    if (st == PEN_OK)
        st = take_in(lane, s, &r, err);
    for (size_t o = 0; o < seg->sources[s].n_outputs; o++)
        pen_array_release(&lane->batches[o]);
    if (st == PEN_OK && r.urgent)
        lane->urgent = true;
    return st;
}

static bool lane_is_full(const struct pen_segment *seg)
{
    const struct pen_graph *g = seg->graph;
    return (g->commit_rows > 0 && atomic_load(&seg->open_rows) >= g->commit_rows) ||
           (g->commit_bytes > 0 && atomic_load(&seg->open_bytes) >= g->commit_bytes);
}

/* More memory than this lane's share: cut earlier. */
static bool lane_is_heavy(const struct pen_lane *lane)
{
    const struct pen_segment *seg = lane->seg;
    size_t held = 0;
    if (seg->graph->memory_limit <= 0)
        return false;
    for (size_t k = 0; k < seg->n_sinks; k++)
        if (seg->sinks[k].type->held)
            held += seg->sinks[k].type->held(lane->writers[k]);
    return held > (size_t)seg->graph->memory_limit / (2 * (size_t)seg->n_lanes);
}

/* Partitions that have ended wait for a cut to be let go. */
static bool lane_is_crowded(const struct pen_lane *lane)
{
    return lane->n_ended >= ENDED_AT_MOST || pen_dead_partitions(lane->writers[0]) >= DEAD_AT_MOST;
}

static void want_cut(struct pen_segment *seg)
{
    bool told;
    pthread_mutex_lock(&seg->lock);
    told = seg->cut_wanted;
    seg->cut_wanted = true;
    pthread_mutex_unlock(&seg->lock);
    if (!told)
        pen_control_signal(seg);
}

static pen_step read_step(struct pen_lane *lane, struct pen_error *err)
{
    struct pen_segment *seg = lane->seg;
    for (size_t i = 0; i < seg->n_sources; i++) {
        unsigned s = (unsigned)((lane->next_source + i) % seg->n_sources);
        pen_status st = pen_failpoint("lane.before-read", err);
        if (st >= 0)
            st = read_one(lane, s, err);
        if (st == PEN_RETRY) {
            pen_lane_wait(lane, &seg->sources[s].instance.host, err);
            continue;
        }
        if (st < 0)
            return PEN_STEP_FAILED;
        if (st == PEN_SKIP)
            continue;
        lane->next_source = (unsigned)((s + 1) % seg->n_sources);
        if (lane_is_full(seg) || lane_is_heavy(lane) || lane_is_crowded(lane))
            want_cut(seg);
        return PEN_STEP_WORKED;
    }
    if (lane->urgent) { /* no more to read: those who wait are to be answered */
        lane->urgent = false;
        want_cut(seg);
    }
    return PEN_STEP_IDLE;
}

/* -- the step ----------------------------------------------------------------------------------------------------------------- */

/* Tells control when this lane begins to have something to read, and when it has nothing more. */
static void set_busy(struct pen_lane *lane, bool busy)
{
    if (lane->was_busy == busy && busy)
        return;
    lane->was_busy = busy;
    pthread_mutex_lock(&lane->seg->lock);
    busy = lane->busy = busy || lane->n_adds; /* what it was given meanwhile is still to be read */
    pthread_mutex_unlock(&lane->seg->lock);
    if (!busy)
        pen_control_signal(lane->seg);
}

/* The plan that lanes write to is long due, and the one before it is still not done: a sink out of reach. Without this a pipeline that commits by
 * time alone would go on to stage rows for as long as the sink is gone. lock held. */
static bool plan_is_late(const struct pen_segment *seg)
{
    int64_t interval = seg->graph->commit_interval > LATE_AT_LEAST ? seg->graph->commit_interval : LATE_AT_LEAST;
    long long since = atomic_load(&seg->open_since);
    return since && pen_now(&seg->sources[0].instance.host) - since > interval;
}

/* What the lane is to do now; lock held. */
typedef enum { DO_END, DO_REWIND, DO_CUT, DO_WAIT, DO_READ } lane_duty;
static lane_duty duty(const struct pen_lane *lane)
{
    const struct pen_segment *seg = lane->seg;
    if (seg->failed || seg->finished)
        return DO_END;
    if (lane->rewound != seg->rewinds)
        return DO_REWIND;
    if (lane->passed != seg->cuts)
        return lane->staged.present ? DO_WAIT : DO_CUT;
    if (seg->frozen || seg->closing)
        return DO_WAIT;
    if (lane_is_full(seg)) /* control cuts, or will when the plan before this one is done */
        return DO_WAIT;
    return seg->in_flight && lane->opened && (lane_is_heavy(lane) || lane_is_crowded(lane) || plan_is_late(seg)) ? DO_WAIT : DO_READ;
}

pen_step pen_lane_step(struct pen_lane *lane)
{
    struct pen_segment *seg = lane->seg;
    struct pen_error *err = &lane->error;
    struct lane_add *adds = NULL;
    size_t n_adds = 0;
    pen_step step = PEN_STEP_WORKED;
    pen_status st = PEN_OK;
    lane_duty what;
    unsigned rewinds, cuts;
    pthread_mutex_lock(&seg->lock);
    what = duty(lane);
    rewinds = seg->rewinds;
    cuts = seg->cuts;
    if (what == DO_READ)
        forget_ends(lane, seg->ends, seg->ends_since);
    if (what == DO_CUT || what == DO_READ) {
        adds = lane->adds, n_adds = lane->n_adds;
        lane->adds = NULL, lane->n_adds = lane->cap_adds = 0;
    }
    pthread_mutex_unlock(&seg->lock);
    if (what == DO_END)
        return PEN_STEP_DONE;
    if (what == DO_WAIT)
        return PEN_STEP_BLOCKED;
    if (!lane->opened)
        st = pen_lane_open(lane, err);
    if (st >= 0 && what == DO_REWIND)
        return pen_lane_rewind(lane, rewinds, cuts);
    st = pen_lane_carry_out(lane, adds, n_adds, st, err);
    if (st >= 0 && what == DO_CUT && (st = pen_lane_pass_cut(lane, err)) == PEN_RETRY && !lane->passing.moves)
        return PEN_STEP_BLOCKED; /* a sink is out of reach */
    if (st >= 0 && what == DO_READ) {
        step = read_step(lane, err);
        set_busy(lane, step == PEN_STEP_WORKED);
    }
    if (st < 0 || step == PEN_STEP_FAILED) {
        pen_segment_fail(seg, err);
        return PEN_STEP_FAILED;
    }
    return step;
}

int64_t pen_lane_retry_at(struct pen_lane *lane)
{
    int64_t at = lane->retry_at ? lane->retry_at : INT64_MAX;
    lane->retry_at = 0;
    return at;
}

int64_t pen_lane_wake_at(struct pen_lane *lane)
{
    int64_t at = pen_lane_retry_at(lane);
    for (size_t s = 0; lane->opened && s < lane->seg->n_sources; s++) {
        const struct pen_source *type = lane->seg->sources[s].type;
        int64_t t = type->wake_at ? type->wake_at(lane->readers[s]) : INT64_MAX;
        at = t < at ? t : at;
    }
    return at;
}

size_t pen_lane_fds(struct pen_lane *lane, int *fds, size_t max)
{
    size_t n = 0;
    if (lane->wake_fd >= 0 && n < max)
        fds[n++] = lane->wake_fd;
    for (size_t s = 0; lane->opened && s < lane->seg->n_sources && n < max; s++) {
        const struct pen_source *type = lane->seg->sources[s].type;
        int fd = type->fd ? type->fd(lane->readers[s]) : -1;
        if (fd >= 0)
            fds[n++] = fd;
    }
    return n;
}
