/* graph.c - a pipeline's stages and edges, and the segments they fall into. SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/graph.h"
#include "engine/segment.h"

pen_status pen_instance_start(struct pen_instance *in, const struct pen_template *t,
                              pen_status (*start)(void *, const struct pen_host *, struct pen_error *), struct pen_error *err)
{
    pen_status st;
    in->ctx = calloc(1, t->size + 1);
    if (!in->ctx)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (t->size)
        memcpy(in->ctx, t->bytes, t->size);
    st = start ? start(in->ctx, &in->host, err) : PEN_OK;
    in->started = st >= 0;
    return st;
}

void pen_instance_stop(struct pen_instance *in, void (*stop)(void *))
{
    if (in->started && stop)
        stop(in->ctx);
    free(in->ctx);
    in->ctx = NULL;
    in->started = false;
}

pen_status pen_graph_add_edge(struct pen_graph *g, unsigned from, unsigned output, unsigned to, struct pen_edge **edge, struct pen_error *err)
{
    if (g->n_edges == g->cap_edges) {
        size_t cap = g->cap_edges ? g->cap_edges * 2 : 16;
        struct pen_edge *edges = realloc(g->edges, cap * sizeof *edges);
        if (!edges)
            return pen_fail(err, PEN_FATAL, "out of memory");
        g->edges = edges;
        g->cap_edges = cap;
    }
    *edge = &g->edges[g->n_edges++];
    memset(*edge, 0, sizeof **edge);
    (*edge)->from = from;
    (*edge)->output = output;
    (*edge)->to = to;
    return PEN_OK;
}

static void segment_def_fini(struct pen_segment_def *d)
{
    free(d->sources), free(d->transforms), free(d->sinks), free(d->edges), free(d->upstream), free(d->reader_name);
}

void pen_graph_free(struct pen_graph **graph)
{
    struct pen_graph *g = *graph;
    if (!g)
        return;
    for (size_t i = 0; i < g->n_stages; i++) {
        struct pen_stage *s = &g->stages[i];
        for (size_t o = 0; o < s->n_outputs; o++) {
            pen_schema_release(&s->outputs[o]);
            free(s->output_names[o]);
        }
        pen_schema_release(&s->in);
        free(s->outputs), free(s->output_names), free(s->output_intake), free(s->output_read);
        free(s->source.bytes), free(s->transform.bytes), free(s->sink.bytes);
    }
    for (size_t i = 0; i < g->n_edges; i++)
        pen_schema_release(&g->edges[i].want);
    for (size_t i = 0; i < g->n_segments; i++)
        segment_def_fini(&g->segments[i]);
    free(g->stages), free(g->edges), free(g->segments), free(g->order);
    free(g);
    *graph = NULL;
}

/* -- segments: sinks that share a stage which is no transport being read ------------------------------------------------------------ */

/* Where a stage stands as the writing end of something. */
static bool is_end(const struct pen_graph *g, unsigned stage)
{
    bool fed = false;
    for (size_t i = 0; i < g->n_edges; i++)
        fed = fed || g->edges[i].to == stage;
    return fed && (g->stages[stage].kind == PEN_STAGE_SINK || g->stages[stage].kind == PEN_STAGE_TRANSPORT);
}

static unsigned root_of(unsigned *parent, unsigned i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* Groups: a stage and every stage it feeds belong together, but a transport's reading end belongs to each of its readers. */
static unsigned *group_stages(const struct pen_graph *g)
{
    unsigned *parent = malloc((g->n_stages + 1) * sizeof *parent);
    for (unsigned i = 0; parent && i < g->n_stages; i++)
        parent[i] = i;
    for (size_t i = 0; parent && i < g->n_edges; i++)
        if (g->stages[g->edges[i].from].kind != PEN_STAGE_TRANSPORT)
            parent[root_of(parent, g->edges[i].from)] = root_of(parent, g->edges[i].to);
    return parent;
}

static void add_unique(unsigned *v, size_t *n, unsigned x)
{
    for (size_t i = 0; i < *n; i++)
        if (v[i] == x)
            return;
    v[(*n)++] = x;
}

/* For each stage whether anything leads from it to a sink or a transport; NULL: out of memory. */
static bool *find_leading(const struct pen_graph *g)
{
    bool *reach = calloc(g->n_stages + 1, sizeof *reach);
    for (size_t i = g->n_stages; reach && i-- > 0;) {
        unsigned s = g->order[i];
        for (size_t e = 0; e < g->n_edges; e++)
            if (g->edges[e].from == s && (is_end(g, g->edges[e].to) || reach[g->edges[e].to]))
                reach[s] = true;
    }
    return reach;
}

bool pen_stage_shows(const struct pen_stage *s)
{
    const struct pen_sink *type = s->plugin->sink;
    return type->shown && (!type->shows || !s->sink.bytes || type->shows(s->sink.bytes));
}

/* Puts the anchor last: the last sink that shows positions itself, else the last. */
static void order_sinks(const struct pen_graph *g, struct pen_segment_def *d)
{
    size_t anchor = d->n_sinks - 1;
    unsigned stage;
    for (size_t i = 0; i < d->n_sinks; i++)
        if (pen_stage_shows(&g->stages[d->sinks[i]]))
            anchor = i;
    stage = d->sinks[anchor];
    memmove(d->sinks + anchor, d->sinks + anchor + 1, (d->n_sinks - anchor - 1) * sizeof *d->sinks);
    d->sinks[d->n_sinks - 1] = stage;
}

static pen_status fill_segment(const struct pen_graph *g, struct pen_segment_def *d, unsigned *parent, const bool *leads, unsigned root,
                               struct pen_error *err)
{
    d->sources = calloc(g->n_stages + 1, sizeof *d->sources);
    d->transforms = calloc(g->n_stages + 1, sizeof *d->transforms);
    d->sinks = calloc(g->n_stages + 1, sizeof *d->sinks);
    d->edges = calloc(g->n_edges + 1, sizeof *d->edges);
    d->upstream = calloc(g->n_stages + 1, sizeof *d->upstream);
    if (!d->sources || !d->transforms || !d->sinks || !d->edges || !d->upstream)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < g->n_stages; i++) {
        unsigned s = g->order[i];
        if (root_of(parent, s) != root)
            continue;
        if (g->stages[s].kind == PEN_STAGE_TRANSFORM && leads[s])
            d->transforms[d->n_transforms++] = s;
    }
    for (unsigned s = 0; s < g->n_stages; s++)
        if (root_of(parent, s) == root && is_end(g, s))
            d->sinks[d->n_sinks++] = s;
    for (unsigned e = 0; e < g->n_edges; e++) {
        const struct pen_edge *edge = &g->edges[e];
        if (root_of(parent, edge->to) != root || !(is_end(g, edge->to) || leads[edge->to]))
            continue;
        d->edges[d->n_edges++] = e;
        if (g->stages[edge->from].kind == PEN_STAGE_SOURCE || g->stages[edge->from].kind == PEN_STAGE_TRANSPORT)
            add_unique(d->sources, &d->n_sources, edge->from);
    }
    if (d->n_sinks)
        order_sinks(g, d);
    return PEN_OK;
}

static bool writes(const struct pen_segment_def *d, unsigned stage)
{
    for (size_t i = 0; i < d->n_sinks; i++)
        if (d->sinks[i] == stage)
            return true;
    return false;
}

static bool wanted(const struct pen_graph *g, const struct pen_segment_def *d, const char *const *only, size_t n_only)
{
    bool any = n_only == 0;
    for (size_t k = 0; k < n_only; k++) {
        for (size_t i = 0; i < d->n_sources; i++)
            any = any || strcmp(g->stages[d->sources[i]].name, only[k]) == 0;
        for (size_t i = 0; i < d->n_transforms; i++)
            any = any || strcmp(g->stages[d->transforms[i]].name, only[k]) == 0;
        for (size_t i = 0; i < d->n_sinks; i++)
            any = any || strcmp(g->stages[d->sinks[i]].name, only[k]) == 0;
    }
    return any;
}

/* Under the same name however much of the pipeline runs: --only must not make a second reader, for which a transport keeps what nobody fetches. */
static pen_status name_readers(struct pen_graph *g, struct pen_error *err)
{
    for (size_t i = 0; i < g->n_segments; i++) {
        struct pen_segment_def *d = &g->segments[i];
        const char *anchor = g->stages[d->sinks[d->n_sinks - 1]].id;
        size_t n = strlen(g->run->pipeline) + strlen(anchor) + 2;
        for (size_t s = 0; s < d->n_sources; s++)
            for (size_t j = 0; j < g->n_segments; j++)
                for (size_t t = 0; j != i && t < g->segments[j].n_sources; t++)
                    d->shared_reading = d->shared_reading || g->segments[j].sources[t] == d->sources[s];
        d->reader_name = malloc(n);
        if (!d->reader_name)
            return pen_fail(err, PEN_FATAL, "out of memory");
        if (d->shared_reading)
            snprintf(d->reader_name, n, "%s.%s", g->run->pipeline, anchor);
        else
            snprintf(d->reader_name, n, "%s", g->run->pipeline);
    }
    return PEN_OK;
}

static void keep_wanted(struct pen_graph *g, const char *const *only, size_t n_only)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->n_segments; i++) {
        struct pen_segment_def d = g->segments[i];
        memset(&g->segments[i], 0, sizeof d);
        if (wanted(g, &d, only, n_only))
            g->segments[kept++] = d;
        else
            segment_def_fini(&d);
    }
    g->n_segments = kept;
}

static void link_segments(struct pen_graph *g)
{
    for (size_t i = 0; i < g->n_segments; i++)
        for (size_t s = 0; s < g->segments[i].n_sources; s++)
            for (size_t j = 0; j < g->n_segments; j++)
                if (writes(&g->segments[j], g->segments[i].sources[s]))
                    add_unique(g->segments[i].upstream, &g->segments[i].n_upstream, (unsigned)j);
}

pen_status pen_graph_cut(struct pen_graph *g, const char *const *only, size_t n_only, struct pen_error *err)
{
    unsigned *parent = group_stages(g);
    bool *leads = find_leading(g);
    pen_status st = PEN_OK;
    g->segments = calloc(g->n_stages + 1, sizeof *g->segments);
    if (!parent || !leads || !g->segments)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    for (unsigned i = 0; st >= 0 && i < g->n_stages; i++) {
        struct pen_segment_def *d = &g->segments[g->n_segments];
        if (root_of(parent, i) != i)
            continue;
        st = fill_segment(g, d, parent, leads, i, err);
        if (st >= 0 && d->n_sinks && d->n_sources) {
            g->n_segments++;
            continue;
        }
        segment_def_fini(d);
        memset(d, 0, sizeof *d);
    }
    free(parent);
    free(leads);
    if (st >= 0)
        st = name_readers(g, err);
    if (st < 0)
        return st;
    keep_wanted(g, only, n_only);
    link_segments(g);
    return PEN_OK;
}
