/* lane.c - one thread that runs a whole segment on its share of the input: read a batch, apply each transform, write to the sinks.
 *
 * There are no queues between stages. A lane meets the others at cuts only: there it stages what it wrote and reports how far it read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "data/conform.h"
#include "data/encode.h"
#include "data/intake.h"
#include "engine/dead.h"
#include "engine/flow.h"
#include "engine/segment.h"

#define RETRY_PAUSE 200000      /* microseconds before a reader that said PEN_RETRY is asked again */
#define ENDED_AT_MOST 16384     /* partitions read to their end that a lane holds before it asks for a cut, about a KiB each */
#define BATCH_ROWS 4096         /* the most that are read at once */
#define DEAD_AT_MOST 512        /* partitions with dead letters in one plan: each is an object */
#define LATE_AT_LEAST 1000000   /* microseconds that lanes read on, at least, while a commit is not done */
#define COMPLAIN_PAUSE 10000000 /* microseconds between two lines about that */

/* -- opening and closing ------------------------------------------------------------------------------------------------------ */

static pen_status open_intakes(struct pen_lane *lane, size_t s, struct pen_error *err)
{
    const struct pen_segment *seg = lane->seg;
    const struct seg_source *src = &seg->sources[s];
    lane->intakes[s] = calloc(src->n_outputs, sizeof **lane->intakes);
    if (!lane->intakes[s])
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t o = 0; o < src->n_outputs; o++) {
        pen_status st;
        if (src->outputs[o].schema.release || src->targets[o].n == 0)
            continue;
        st = pen_intake_new(&lane->intakes[s][o], src->targets[o].wants, src->targets[o].n, (size_t)seg->graph->max_record, err);
        if (st < 0)
            return st;
    }
    return PEN_OK;
}

static pen_status open_transform(struct pen_lane *lane, unsigned stage, struct pen_error *err)
{
    struct pen_instance *in = &lane->transforms[stage];
    const struct pen_stage *g = &lane->seg->graph->stages[stage];
    const struct pen_transform *t = g->plugin->transform;
    struct ArrowSchema out = { 0 };
    pen_status st;
    in->host.run = lane->seg->run;
    in->host.stage = g->id;
    st = pen_instance_start(in, &g->transform, t->start, err);
    if (st >= 0)
        st = t->prepare(in->ctx, &g->in, &out, err);
    pen_schema_release(&out);
    return st;
}

static pen_status open_edge(struct pen_lane *lane, unsigned edge, struct pen_error *err)
{
    const struct pen_edge *e = &lane->seg->graph->edges[edge];
    const struct ArrowSchema *in = &lane->seg->graph->stages[e->from].outputs[e->output];
    struct ArrowSchema result = { 0 };
    pen_status st = PEN_OK;
    if (e->pick)
        st = pen_conform_new(&lane->conforms[edge], in, &e->want, &result, err);
    else if (e->encode)
        st = pen_json_encoder_new(&lane->encoders[edge], in, err);
    pen_schema_release(&result);
    return st;
}

/* What the lane writes from now on belongs to the plan that its next cut ends. */
static void begin_plan(struct pen_lane *lane)
{
    const struct pen_segment *seg = lane->seg;
    memset(lane->sink_rows, 0, seg->n_sinks * sizeof *lane->sink_rows);
    for (size_t k = 0; k < seg->n_sinks; k++)
        if (seg->sinks[k].type->begin)
            seg->sinks[k].type->begin(lane->writers[k], (uint64_t)lane->passed + 1);
}

pen_status pen_lane_open(struct pen_lane *lane, struct pen_error *err)
{
    struct pen_segment *seg = lane->seg;
    size_t widest = 1;
    pen_status st = PEN_OK;
    lane->readers = calloc(seg->n_sources, sizeof *lane->readers);
    lane->intakes = calloc(seg->n_sources, sizeof *lane->intakes);
    lane->transforms = calloc(seg->graph->n_stages, sizeof *lane->transforms);
    lane->conforms = calloc(seg->graph->n_edges, sizeof *lane->conforms);
    lane->encoders = calloc(seg->graph->n_edges, sizeof *lane->encoders);
    lane->writers = calloc(seg->n_sinks, sizeof *lane->writers);
    lane->wrote = calloc(seg->n_sinks, sizeof *lane->wrote);
    lane->sink_rows = calloc(seg->n_sinks, sizeof *lane->sink_rows);
    for (size_t s = 0; s < seg->n_sources; s++)
        widest = seg->sources[s].n_outputs > widest ? seg->sources[s].n_outputs : widest;
    lane->by_id = calloc(seg->n_sources, sizeof *lane->by_id);
    lane->batches = calloc(widest, sizeof *lane->batches);
    lane->opened = true;
    if (!lane->readers || !lane->intakes || !lane->transforms || !lane->writers || !lane->wrote || !lane->sink_rows || !lane->batches || !lane->by_id ||
        !lane->conforms || !lane->encoders)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t t = 0; st >= 0 && t < seg->def->n_transforms; t++)
        st = open_transform(lane, seg->def->transforms[t], err);
    for (size_t e = 0; st >= 0 && e < seg->def->n_edges; e++)
        st = open_edge(lane, seg->def->edges[e], err);
    for (size_t k = 0; st >= 0 && k < seg->n_sinks; k++)
        st = seg->sinks[k].type->writer_open(seg->sinks[k].ctx, lane->index, &lane->writers[k], err);
    if (st >= 0)
        begin_plan(lane);
    for (size_t s = 0; st >= 0 && s < seg->n_sources; s++) {
        st = open_intakes(lane, s, err);
        if (st >= 0)
            st = seg->sources[s].type->reader_open(seg->sources[s].instance.ctx, lane->index, &lane->readers[s], err);
    }
    return st;
}

void pen_lane_close(struct pen_lane *lane)
{
    struct pen_segment *seg = lane->seg;
    pen_lane_refuse(lane);
    for (size_t s = 0; lane->readers && s < seg->n_sources; s++)
        if (lane->readers[s] && seg->sources[s].type->reader_close)
            seg->sources[s].type->reader_close(lane->readers[s]);
    for (size_t s = 0; lane->intakes && s < seg->n_sources; s++) {
        for (size_t o = 0; lane->intakes[s] && o < seg->sources[s].n_outputs; o++)
            pen_intake_free(&lane->intakes[s][o]);
        free(lane->intakes[s]);
    }
    for (size_t k = 0; lane->writers && k < seg->n_sinks; k++)
        if (lane->writers[k] && seg->sinks[k].type->writer_close)
            seg->sinks[k].type->writer_close(lane->writers[k]);
    for (size_t i = 0; lane->transforms && i < seg->graph->n_stages; i++)
        if (lane->transforms[i].ctx)
            pen_instance_stop(&lane->transforms[i], seg->graph->stages[i].plugin->transform->stop);
    for (size_t i = 0; lane->conforms && lane->encoders && i < seg->graph->n_edges; i++) {
        pen_conform_free(&lane->conforms[i]);
        pen_json_encoder_free(&lane->encoders[i]);
    }
    for (size_t i = 0; i < lane->n_parts; i++)
        free(lane->parts[i].skip);
    for (size_t i = 0; i < lane->n_adds; i++)
        free(lane->adds[i].skip);
    for (size_t s = 0; lane->by_id && s < seg->n_sources; s++)
        free(lane->by_id[s].at);
    free(lane->readers), free(lane->intakes), free(lane->transforms), free(lane->writers), free(lane->wrote), free(lane->batches);
    free(lane->conforms), free(lane->encoders), free(lane->by_id), free(lane->parts), free(lane->sink_rows), free(lane->tokens), free(lane->adds), free(lane->removes);
    if (lane->wake_fd >= 0)
        close(lane->wake_fd);
}

static void answer_token(const struct seg_source *src, struct seg_token *t, pen_status status)
{
    struct pen_stored_rows *stored = status == PEN_OK && t->landings ? calloc(src->n_outputs, sizeof *stored) : NULL;
    for (size_t o = 0; stored && o < src->n_outputs; o++)
        stored[o] = (struct pen_stored_rows){ t->landings[o].places, t->landings[o].places ? t->landings[o].n : 0 };
    if (src->type->done)
        src->type->done(src->instance.ctx, t->token, status, stored);
    for (size_t o = 0; t->landings && o < src->n_outputs; o++)
        free(t->landings[o].places);
    free(t->landings);
    free(stored);
}

void pen_answer_tokens(const struct pen_segment *seg, struct seg_token *tokens, size_t *n, pen_status status)
{
    for (size_t i = 0; i < *n; i++)
        answer_token(&seg->sources[tokens[i].source], &tokens[i], status);
    *n = 0;
}

void pen_lane_refuse(struct pen_lane *lane)
{
    pen_lane_staged_clear(lane->seg, &lane->passing);
    pen_lane_staged_clear(lane->seg, &lane->staged);
    pen_answer_tokens(lane->seg, lane->tokens, &lane->n_tokens, PEN_RETRY);
}

void pen_lane_staged_clear(const struct pen_segment *seg, struct lane_staged *s)
{
    pen_answer_tokens(seg, s->tokens, &s->n_tokens, PEN_RETRY);
    for (size_t k = 0; s->sinks && k < seg->n_sinks; k++)
        free(s->sinks[k].bytes), free(s->sinks[k].reached);
    free(s->sinks), free(s->wrote), free(s->moves), free(s->tokens);
    memset(s, 0, sizeof *s);
}

void pen_lane_signal(struct pen_lane *lane)
{
    uint64_t one = 1;
    if (lane->wake_fd >= 0 && write(lane->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        return; /* an eventfd that is full is readable all the same */
}

/* -- orders ------------------------------------------------------------------------------------------------------------------- */

static struct lane_part *find_part(struct pen_lane *lane, unsigned source, uint32_t id)
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

/* The reader is not to read past the next position that a sink shows, so that a batch lies on one side of it. Dead letters (sink 0) need no
 * bound: each has a position of its own. */
static pen_status set_bound(struct pen_lane *lane, const struct lane_part *p, struct pen_error *err)
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
    struct lane_part *p = find_part(lane, a->source, a->id);
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
    return st < 0 ? st : set_bound(lane, p, err);
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
        p = find_part(lane, sp->source, sp->id);
        pthread_mutex_unlock(&lane->seg->lock);
        if (!p)
            continue;
        st = let_go(lane, (size_t)(p - lane->parts), err);
    }
    return st;
}

/* -- cuts --------------------------------------------------------------------------------------------------------------------- */

/* Something is out of reach: the lane is to try again a little later, and the operator to hear of it now and then. */
static void wait_and_say(struct pen_lane *lane, const struct pen_host *host, struct pen_error *err)
{
    lane->retry_at = pen_now(host) + RETRY_PAUSE;
    if (lane->retry_at > lane->complain_at) {
        pen_log(host, PEN_LOG_WARN, "%s", err->msg);
        lane->complain_at = lane->retry_at + COMPLAIN_PAUSE;
    }
    memset(err, 0, sizeof *err);
}

/* What this lane wrote no longer counts towards the open plan. */
static void leave_plan(struct pen_lane *lane)
{
    atomic_fetch_sub(&lane->seg->open_rows, lane->open_rows);
    atomic_fetch_sub(&lane->seg->open_bytes, lane->open_bytes);
    lane->open_rows = lane->open_bytes = 0;
}

static bool ends_for_good(const struct pen_lane *lane, const struct lane_part *p)
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
        if (!all || !ends_for_good(lane, p)) {
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
            wait_and_say(lane, &(struct pen_host){ seg->run, seg->sinks[k].name, NULL, false }, err);
        if (st < 0)
            return st;
        out->wrote[k] = out->sinks[k].bytes || !seg->sinks[k].type->partial;
        lane->wrote[k] = false;
    }
    return PEN_OK;
}

/* Passes one cut: everything written so far belongs to the plan that it ends. A lane that cannot stage reports nothing: its plan is never published. */
static pen_status pass_cut(struct pen_lane *lane, struct pen_error *err)
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
    begin_plan(lane);
    pen_control_signal(seg);
    return PEN_OK;
}

static pen_step rewind_lane(struct pen_lane *lane, unsigned rewinds, unsigned cuts)
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
    begin_plan(lane);
    pen_control_signal(seg);
    return PEN_STEP_WORKED;
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
    lane->n_ended += ends_for_good(lane, p);
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
    struct lane_part *p = src->type->no_replay ? NULL : find_part(lane, s, r->partition);
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
        return st < 0 ? st : set_bound(lane, p, err);
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
        return set_bound(lane, p, err);
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
            wait_and_say(lane, &seg->sources[s].instance.host, err);
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

/* Ends the orders either way; st < 0: the lane could not be opened. */
static pen_status carry_out_adds(struct pen_lane *lane, struct lane_add *adds, size_t n, pen_status st, struct pen_error *err)
{
    for (size_t i = 0; i < n && st >= 0; i++)
        st = carry_out_add(lane, &adds[i], err);
    for (size_t i = 0; i < n; i++)
        free(adds[i].skip);
    free(adds);
    return st;
}

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
        return rewind_lane(lane, rewinds, cuts);
    st = carry_out_adds(lane, adds, n_adds, st, err);
    if (st >= 0 && what == DO_CUT && (st = pass_cut(lane, err)) == PEN_RETRY && !lane->passing.moves)
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
