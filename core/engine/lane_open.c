/* lane_open.c - a lane's readers, transforms and writers, opened and closed, and the answer to those who wait for what it read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "data/conform.h"
#include "data/encode.h"
#include "data/intake.h"
#include "engine/lane.h"

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

void pen_lane_begin_plan(struct pen_lane *lane)
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
        pen_lane_begin_plan(lane);
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
