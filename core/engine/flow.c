/* flow.c - see flow.h. The call stack is the pipeline: a batch is lent to a stage, whose output is lent to the next.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "data/array.h"
#include "data/conform.h"
#include "data/encode.h"
#include "data/intake.h"
#include "engine/dead.h"
#include "engine/flow.h"
#include "engine/rejects.h"

/* Positions of a batch's rows: words[i] in the last word, or `from` counted on; with f->wide, indexes into it. */
struct row_words {
    const uint64_t *words;
    int64_t n;
};

static pen_status run_stage(struct pen_flow *f, const struct pen_edge *edge, const struct ArrowArray *batch, struct row_words rows,
                            struct pen_error *err);

static struct pen_position position_of(const struct pen_flow *f, const struct row_words *rows, int64_t row)
{
    const struct pen_rows where = { .from = f->from, .words = rows->words, .wide = f->wide };
    return pen_row_position(&where, row);
}

/* -- dead letters ------------------------------------------------------------------------------------------------------------- */

static pen_status bury(struct pen_flow *f, unsigned stage, const struct pen_position *position, const char *reason, const void *record,
                       size_t size, size_t length, struct pen_error *err)
{
    struct pen_segment *seg = f->lane->seg;
    const struct seg_source *src = &seg->sources[f->source];
    struct pen_dead_letter letter = { .stage = seg->graph->stages[stage].name, .source = seg->graph->stages[src->stage].name,
                                      .partition = "", .key = "", .position = *position, .reason = reason, .record = record,
                                      .record_size = size, .record_length = length };
    char *key = NULL;
    pen_status st;
    int64_t max = seg->graph->max_errors, total;
    if (f->part) {
        const struct pen_position *skip = &f->part->skip[0];
        if (skip->n && pen_position_compare(position, skip) < 0)
            return PEN_OK; /* it lies there already */
        pthread_mutex_lock(&seg->lock);
        letter.partition = seg->parts[f->part->part].name; /* not freed while a lane holds it */
        key = pen_part_key(seg, 0, &seg->parts[f->part->part]);
        pthread_mutex_unlock(&seg->lock);
        if (!key)
            return pen_fail(err, PEN_FATAL, "out of memory");
        letter.key = key;
    }
    st = pen_dead_add(f->lane->writers[0], &letter, err);
    free(key);
    if (st < 0)
        return st;
    f->lane->wrote[0] = true;
    pen_count(&src->instance.host, "dead_letters_total", letter.stage, 1);
    total = atomic_fetch_add(&seg->run->dead_total, 1) + 1;
    if (max >= 0 && total > max)
        return pen_fail(err, PEN_FATAL, "%s: %lld records could not be processed, max_errors allows %lld; the last: %s", letter.stage,
                        (long long)total, (long long)max, reason);
    return PEN_OK;
}

static pen_status bury_rejected(struct pen_flow *f, unsigned stage, const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                const struct pen_rejects *rejects, struct row_words rows, struct pen_error *err)
{
    struct pen_text text = { 0 };
    pen_status st = PEN_OK;
    for (size_t i = 0; i < rejects->n && st >= 0; i++) {
        struct pen_position at = position_of(f, &rows, rejects->rows[i].row);
        pen_text_clear(&text);
        st = pen_json_encode_row(&text, schema, batch, rejects->rows[i].row, err);
        if (st >= 0)
            st = bury(f, stage, &at, rejects->rows[i].reason, text.bytes, text.n, text.n, err);
    }
    pen_text_fini(&text);
    return st;
}

/* What a plugin hands over is looked at before anybody goes by it; what Penstock's own builders made needs no look. */
static pen_status take_over(const struct ArrowSchema *schema, struct ArrowArray *batch, struct pen_error *err)
{
    pen_status st = PEN_OK;
    if (pen_array_all_own(batch) && batch->offset == 0)
        return PEN_OK;
    st = pen_array_check(schema, batch, err);
    return st < 0 ? st : pen_array_adopt(schema, batch, err);
}

/* -- stages ------------------------------------------------------------------------------------------------------------------- */

static pen_status run_outputs(struct pen_flow *f, unsigned stage, unsigned output, const struct ArrowArray *batch, struct row_words rows,
                              struct pen_error *err)
{
    const struct pen_segment *seg = f->lane->seg;
    for (size_t i = 0; i < seg->def->n_edges; i++) {
        const struct pen_edge *e = &seg->graph->edges[seg->def->edges[i]];
        pen_status st;
        if (e->from != stage || e->output != output || seg->edge_target[seg->def->edges[i]] >= 0)
            continue;
        st = run_stage(f, e, batch, rows, err);
        if (st < 0)
            return st;
    }
    return PEN_OK;
}

static pen_status run_sink(struct pen_flow *f, size_t k, const struct ArrowArray *batch, struct row_words rows, struct pen_error *err)
{
    const struct seg_sink *sink = &f->lane->seg->sinks[k];
    const struct pen_position *skip = f->part ? &f->part->skip[k] : NULL;
    pen_status st;
    if (skip && skip->n && pen_position_compare(&f->to, skip) <= 0)
        return PEN_OK; /* it shows these rows */
    if (skip && skip->n && pen_position_compare(&f->from, skip) < 0)
        return pen_fail(err, PEN_FATAL, "%s: a batch goes across the position that it shows; the source read too far", sink->name);
    st = pen_failpoint("lane.before-write", err);
    f->where.words = rows.words;
    f->where.wide = f->wide;
    if (st >= 0)
        st = sink->type->write(f->lane->writers[k], batch, &f->where, err);
    f->lane->wrote[k] = true;
    f->lane->sink_rows[k] += batch->length;
    return st;
}

/* Rows that go from the source straight into a sink: those who posted them can be told where they came to lie. */
static void note_landing(struct pen_flow *f, const struct pen_edge *edge, int64_t n)
{
    const struct pen_segment *seg = f->lane->seg;
    size_t k = seg->stage_sink[edge->to];
    if (f->landings && k != SIZE_MAX && edge->from == seg->sources[f->source].stage && !f->landings[f->output].n)
        f->landings[f->output] = (struct seg_landing){ .sink = k, .first = f->lane->sink_rows[k], .n = n };
}

static pen_status run_transform(struct pen_flow *f, unsigned stage, const struct ArrowArray *batch, struct row_words rows, struct pen_error *err)
{
    const struct pen_stage *g = &f->lane->seg->graph->stages[stage];
    struct pen_rejects rejects = { 0 };
    struct ArrowArray out = { 0 };
    struct row_words next = rows;
    uint64_t *owned = NULL;
    pen_status st = g->plugin->transform->apply(f->lane->transforms[stage].ctx, batch, &out, &rejects, err);
    if (st >= 0)
        st = take_over(&g->outputs[0], &out, err);
    if (st >= 0) {
        next.n = out.length;
        st = pen_rejects_words(&rejects, rows.words, f->from.n && !f->wide ? f->from.w[f->from.n - 1] : 0, batch->length, out.length, &next.words, &owned,
                               err);
    }
    if (st >= 0 && rejects.n)
        st = bury_rejected(f, stage, &g->in, batch, &rejects, rows, err);
    if (st >= 0 && out.length)
        st = run_outputs(f, stage, 0, &out, next, err);
    pen_array_release(&out);
    pen_rejects_fini(&rejects);
    free(owned);
    return st;
}

static pen_status run_stage(struct pen_flow *f, const struct pen_edge *edge, const struct ArrowArray *batch, struct row_words rows,
                            struct pen_error *err)
{
    const struct pen_segment *seg = f->lane->seg;
    struct ArrowArray changed = { 0 };
    pen_status st = PEN_OK;
    size_t e = (size_t)(edge - seg->graph->edges);
    if (edge->pick)
        st = pen_conform_apply(f->lane->conforms[e], batch, &changed, err);
    else if (edge->encode)
        st = pen_json_encoder_batch(f->lane->encoders[e], batch, &changed, err);
    if (st >= 0 && changed.release)
        batch = &changed;
    note_landing(f, edge, batch->length);
    if (st >= 0)
        st = seg->stage_sink[edge->to] != SIZE_MAX ? run_sink(f, seg->stage_sink[edge->to], batch, rows, err)
                                                   : run_transform(f, edge->to, batch, rows, err);
    pen_array_release(&changed);
    return st;
}

/* -- intakes ------------------------------------------------------------------------------------------------------------------ */

static pen_status bury_undecoded(struct pen_flow *f, const struct seg_targets *targets, struct pen_intake *in, struct pen_error *err)
{
    size_t n;
    const struct pen_rejected *r = pen_intake_rejected(in, &n);
    pen_status st = PEN_OK;
    for (size_t i = 0; i < n && st >= 0; i++) {
        struct pen_position at = position_of(f, &(struct row_words){ &r[i].position, 1 }, 0);
        st = bury(f, targets->stages[r[i].target < targets->n ? r[i].target : 0], &at, r[i].reason, r[i].bytes, r[i].n, (size_t)r[i].length, err);
    }
    return st;
}

static pen_status run_target(struct pen_flow *f, unsigned output, size_t target, struct pen_intake *in, const struct ArrowArray *batch,
                             struct pen_error *err)
{
    const struct pen_segment *seg = f->lane->seg;
    struct row_words rows = { pen_intake_positions(in, target), batch->length };
    for (size_t i = 0; i < seg->def->n_edges; i++) {
        const struct pen_edge *e = &seg->graph->edges[seg->def->edges[i]];
        pen_status st;
        if (e->from != seg->sources[f->source].stage || e->output != output || seg->edge_target[seg->def->edges[i]] != (int)target)
            continue;
        st = run_stage(f, e, batch, rows, err);
        if (st < 0)
            return st;
    }
    return PEN_OK;
}

static void count_nulled(struct pen_flow *f, const struct seg_targets *targets, struct pen_intake *in)
{
    for (size_t t = 0; t < targets->n; t++) {
        const struct pen_stage *stage = &f->lane->seg->graph->stages[targets->stages[t]];
        for (int64_t c = 0; targets->wants[t] && c < targets->wants[t]->n_children; c++) {
            int64_t n = pen_intake_nulled(in, t, (size_t)c);
            if (n)
                pen_count(&(struct pen_host){ f->lane->seg->run, stage->id, NULL, false }, "nulled_total", targets->wants[t]->children[c]->name, n);
        }
    }
}

static pen_status run_intake(struct pen_flow *f, unsigned output, struct pen_intake *in, struct pen_error *err)
{
    const struct seg_targets *targets = &f->lane->seg->sources[f->source].targets[output];
    struct ArrowArray *batches;
    pen_status st;
    if (pen_intake_rows(in) == 0)
        return PEN_OK;
    f->rows += pen_intake_rows(in);
    batches = calloc(targets->n, sizeof *batches);
    if (!batches)
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = pen_intake_finish(in, batches, err);
    f->wide = pen_intake_wide(in);
    if (st >= 0)
        st = bury_undecoded(f, targets, in, err);
    if (st >= 0)
        count_nulled(f, targets, in);
    for (size_t t = 0; t < targets->n; t++) {
        if (st >= 0 && batches[t].length) {
            f->bytes += (int64_t)pen_array_bytes(&batches[t]);
            st = run_target(f, output, t, in, &batches[t], err);
        }
        pen_array_release(&batches[t]);
    }
    free(batches);
    return st;
}

/* What the sinks are told about where the rows come from. */
static void tell_where(struct pen_flow *f, unsigned output)
{
    struct pen_segment *seg = f->lane->seg;
    const struct seg_source *src = &seg->sources[f->source];
    f->output = output;
    f->wide = NULL;
    f->where = (struct pen_rows){ .stage = seg->graph->stages[src->stage].name, .output = src->outputs[output].name, .part = UINT64_MAX,
                                  .from = f->from, .to = f->to };
    if (!f->where.output)
        f->where.output = "";
    if (f->part) {
        pthread_mutex_lock(&seg->lock);
        f->where.partition = seg->parts[f->part->part].key_part; /* not freed while a lane holds it */
        pthread_mutex_unlock(&seg->lock);
        f->where.source = src->prefix;
        f->where.part = f->part->part;
    }
}

pen_status pen_flow_run(struct pen_flow *f, struct pen_read *r, struct pen_error *err)
{
    const struct seg_source *src = &f->lane->seg->sources[f->source];
    pen_status st = PEN_OK;
    for (unsigned o = 0; o < src->n_outputs && st >= 0; o++) {
        tell_where(f, o);
        if (r->intakes[o])
            st = run_intake(f, o, r->intakes[o], err);
        if (st >= 0 && r->batches[o].release && r->batches[o].length) {
            struct row_words rows = { NULL, r->batches[o].length };
            st = take_over(&src->outputs[o].schema, &r->batches[o], err);
            if (st < 0)
                break;
            f->wide = r->row_positions;
            f->rows += rows.n;
            f->bytes += (int64_t)pen_array_bytes(&r->batches[o]);
            st = run_outputs(f, src->stage, o, &r->batches[o], rows, err);
        }
    }
    if (st >= 0 && f->rows)
        pen_count(&src->instance.host, "rows_total", NULL, f->rows);
    return st;
}

void pen_flow_drop(struct pen_flow *f, struct pen_read *r)
{
    for (unsigned o = 0; o < f->lane->seg->sources[f->source].n_outputs; o++)
        if (r->intakes[o])
            pen_intake_begin(r->intakes[o]);
}
