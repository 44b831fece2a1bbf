/* open.c - a segment's making and ending: instances of its sources and sinks, what is shown, chains, lanes. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "data/intake.h"
#include "engine/chain.h"
#include "engine/dead.h"
#include "engine/segment.h"
#include "engine/state.h"

/* -- keys -------------------------------------------------------------------------------------------------------------------------- */

char *pen_key_escape(const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = malloc(strlen(text) * 3 + 1), *at = out;
    if (!out)
        return NULL;
    for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
        bool plain = (*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') || *s == '_' || *s == '-' ||
                     (*s == '.' && at != out) || *s == '=';
        if (plain) {
            *at++ = (char)*s;
            continue;
        }
        *at++ = '%';
        *at++ = hex[*s >> 4];
        *at++ = hex[*s & 15];
    }
    *at = '\0';
    return out;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The inverse, in place. */
static void key_unescape(char *text)
{
    char *to = text;
    for (const char *s = text; *s; s++) {
        if (*s == '%' && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
            *to++ = (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
            s += 2;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

static char *sink_prefix(const struct pen_segment *seg, const char *sink_id)
{
    char *a = pen_key_escape(seg->run->pipeline), *b = pen_key_escape(sink_id), *out = NULL;
    if (a && b && (out = malloc(strlen(a) + strlen(b) + 3)))
        sprintf(out, "%s/%s/", a, b);
    free(a);
    free(b);
    return out;
}

/* -- sources ----------------------------------------------------------------------------------------------------------------------- */

static bool same_want(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    if (!a || !b)
        return a == b;
    if (!pen_schema_equal(a, b))
        return false;
    for (int64_t i = 0; i < a->n_children; i++)
        if (a->children[i]->flags != b->children[i]->flags)
            return false;
    return true;
}

/* Which target of an intake serves this edge; makes one if none does. */
static pen_status add_target(struct pen_segment *seg, struct seg_source *src, unsigned edge, struct pen_error *err)
{
    const struct pen_edge *e = &seg->graph->edges[edge];
    const struct ArrowSchema *want = e->decode ? &e->want : NULL;
    struct seg_targets *t = &src->targets[e->output];
    const struct ArrowSchema **wants;
    unsigned *stages;
    for (size_t i = 0; i < t->n; i++)
        if (same_want(t->wants[i], want)) {
            seg->edge_target[edge] = (int)i;
            return PEN_OK;
        }
    wants = realloc(t->wants, (t->n + 1) * sizeof *wants);
    if (wants)
        t->wants = wants;
    stages = realloc(t->stages, (t->n + 1) * sizeof *stages);
    if (stages)
        t->stages = stages;
    if (!wants || !stages)
        return pen_fail(err, PEN_FATAL, "out of memory");
    t->wants[t->n] = want;
    t->stages[t->n] = e->to;
    seg->edge_target[edge] = (int)t->n++;
    return PEN_OK;
}

static bool fed_from_within(const struct pen_graph *g, unsigned stage)
{
    for (size_t i = 0; i < g->n_edges; i++)
        if (g->edges[i].to == stage)
            return true;
    return false;
}

static pen_status open_source(struct pen_segment *seg, size_t s, struct pen_error *err)
{
    struct seg_source *src = &seg->sources[s];
    const struct pen_stage *g;
    pen_status st;
    src->stage = seg->def->sources[s];
    g = &seg->graph->stages[src->stage];
    src->type = g->plugin->source;
    src->fed_from_within = fed_from_within(seg->graph, src->stage);
    src->prefix = pen_key_escape(g->id);
    src->instance.host = (struct pen_host){ seg->run, g->id, seg->def->reader_name, false };
    if (!src->prefix)
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = pen_instance_start(&src->instance, &g->source, src->type->start, err);
    if (st >= 0)
        st = src->type->outputs(src->instance.ctx, &src->outputs, &src->n_outputs, err);
    if (st >= 0 && src->n_outputs != g->n_outputs)
        st = pen_fail(err, PEN_FATAL, "%s: it has %zu outputs now and had %zu", g->name, src->n_outputs, g->n_outputs);
    if (st < 0)
        return st;
    src->targets = calloc(src->n_outputs, sizeof *src->targets);
    if (!src->targets)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < seg->def->n_edges && st >= 0; i++) {
        const struct pen_edge *e = &seg->graph->edges[seg->def->edges[i]];
        if (e->from != src->stage)
            continue;
        src->outputs[e->output].read = true;
        if (g->output_intake[e->output])
            st = add_target(seg, src, seg->def->edges[i], err);
    }
    return st;
}

/* -- sinks ------------------------------------------------------------------------------------------------------------------------- */

/* Files go from one lane to another whole and are kept as a chain; what stays behind in a writer could not be told apart. */
static const char *chain_source_of(const struct pen_segment *seg)
{
    for (size_t s = 0; s < seg->n_sources; s++)
        if (seg->sources[s].type->chain)
            return seg->graph->stages[seg->sources[s].stage].name;
    return NULL;
}

/* A source of this segment answers those who post to it. */
static bool somebody_waits(const struct pen_segment *seg)
{
    for (size_t s = 0; s < seg->n_sources; s++)
        if (seg->sources[s].type->no_replay && seg->sources[s].type->done)
            return true;
    return false;
}

static pen_status open_sink(struct pen_segment *seg, size_t k, struct pen_error *err)
{
    struct seg_sink *sink = &seg->sinks[k];
    const struct pen_stage *g;
    pen_status st;
    sink->stage = seg->def->sinks[k - 1];
    g = &seg->graph->stages[sink->stage];
    sink->type = g->plugin->sink;
    sink->name = g->id;
    sink->shows = pen_stage_shows(g);
    sink->prefix = sink_prefix(seg, g->id);
    sink->instance = calloc(1, sizeof *sink->instance);
    if (!sink->prefix || !sink->instance)
        return pen_fail(err, PEN_FATAL, "out of memory");
    sink->instance->host = (struct pen_host){ seg->run, g->id, NULL, somebody_waits(seg) };
    seg->stage_sink[sink->stage] = k;
    st = pen_instance_start(sink->instance, &g->sink, sink->type->start, err);
    sink->ctx = sink->instance->ctx;
    if (st >= 0 && sink->type->partial && seg->def->n_sinks > 1)
        st = pen_fail(err, PEN_FATAL, "%s keeps rows for later commits, so it cannot share what it reads with %s: put a transport before them", g->name,
                      seg->graph->stages[seg->def->sinks[k == 1 ? 1 : 0]].name);
    if (st >= 0 && sink->type->partial && chain_source_of(seg))
        st = pen_fail(err, PEN_FATAL, "%s keeps the order of a transport's partitions, and %s gives files: put a transport between them", g->name,
                      chain_source_of(seg));
    if (st >= 0 && sink->type->prepare)
        st = sink->type->prepare(sink->ctx, &g->in, err);
    if (st >= 0 && sink->type->open)
        st = sink->type->open(sink->ctx, err);
    return st;
}

static pen_status note_version(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    struct { const char *key; uint64_t version; } *want = arg;
    (void)err;
    if (strcmp(want->key, key) == 0 && pos->n)
        want->version = pos->w[0];
    return PEN_OK;
}

static pen_status recall(void *arg, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err)
{
    const struct seg_source *src = arg;
    return src->type->recall ? src->type->recall(src->instance.ctx, name, incarnation, pos, err) : PEN_OK;
}

/* The chain of source s in sink k, at the version that the sink shows. */
static pen_status open_chain(struct pen_segment *seg, size_t k, size_t s, struct pen_error *err)
{
    struct seg_sink *sink = &seg->sinks[k];
    const struct seg_source *src = &seg->sources[s];
    struct { const char *key; uint64_t version; } want = { NULL, 0 };
    char beside[2048], name[1024], url[3200], *key = malloc(strlen(sink->prefix) + strlen(src->prefix) + 4);
    pen_status st = sink->type->beside ? sink->type->beside(sink->ctx, beside, sizeof beside, err) : PEN_SKIP;
    if (st == PEN_SKIP)
        st = pen_url_join(beside, sizeof beside, seg->run->state_path, "chain", err);
    if (!key)
        return pen_fail(err, PEN_FATAL, "out of memory");
    sprintf(key, "%s%s/*", sink->prefix, src->prefix);
    want.key = key;
    if (st >= 0)
        st = sink->type->shown(sink->ctx, key, note_version, &want, err);
    if (st >= 0) {
        struct pen_position shown = pen_position_of(want.version), then = { 0 };
        pen_state_remembered(seg->state, key, &then, err);
        if (then.n && pen_position_compare(&shown, &then) < 0)
            st = pen_fail(err, PEN_FATAL, "%s shows entry %llu of the files read from %s, but it was at %llu before: it has been restored or replaced. Delete "
                          "%s/seen to go on from what it shows",
                          sink->name, (unsigned long long)want.version, src->prefix, (unsigned long long)then.w[0], seg->run->state_path);
    }
    free(key);
    if (st < 0)
        return st;
    snprintf(name, sizeof name, "%s", sink->prefix);
    for (char *p = name; *p; p++)
        if (*p == '/')
            *p = p[1] ? '.' : '\0';
    st = pen_url_join(url, sizeof url, beside, name, err);
    if (st >= 0)
        st = pen_url_join(beside, sizeof beside, url, src->prefix, err);
    return st < 0 ? st : pen_chain_open(&sink->chains[s], &sink->instance->host, beside, want.version, seg->graph->stages[sink->stage].fsync, err);
}

pen_status pen_chains_reopen(struct pen_segment *seg, struct pen_error *err)
{
    for (size_t k = 1; k < seg->n_sinks; k++) {
        struct seg_sink *sink = &seg->sinks[k];
        if (sink->shows && !sink->chains && !(sink->chains = calloc(seg->n_sources, sizeof *sink->chains)))
            return pen_fail(err, PEN_FATAL, "out of memory");
        for (size_t s = 0; s < seg->n_sources && sink->shows; s++) {
            pen_status st = PEN_OK;
            pen_chain_free(&sink->chains[s]);
            if (seg->sources[s].type->chain && (st = open_chain(seg, k, s, err)) < 0)
                return st;
        }
    }
    return PEN_OK;
}

/* Positions of a chain source in a sink that shows nothing are kept in `state`, a row each. */
struct recall_state {
    const struct seg_source *src;
    size_t skip;
};
static pen_status recall_row(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    const struct recall_state *r = arg;
    char *name = strdup(key + r->skip), *at;
    pen_status st;
    if (!name)
        return pen_fail(err, PEN_FATAL, "out of memory");
    at = strchr(name, '@');
    if (at)
        *at = '\0';
    key_unescape(name);
    if (at)
        key_unescape(at + 1);
    st = recall((void *)(uintptr_t)r->src, name, at ? at + 1 : "", pos, err);
    free(name);
    return st;
}

struct any_key {
    bool any;
};
static pen_status note_any(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    (void)key, (void)pos, (void)err;
    ((struct any_key *)arg)->any = true;
    return PEN_OK;
}

/* What the anchor holds of source s is told to it, so that it knows its files again. */
static pen_status recall_source(struct pen_segment *seg, size_t s, struct pen_error *err)
{
    struct seg_source *src = &seg->sources[s];
    const struct seg_sink *anchor = &seg->sinks[seg->anchor];
    struct recall_state r = { src, 0 };
    struct any_key any = { false };
    char *prefix = malloc(strlen(anchor->prefix) + strlen(src->prefix) + 2);
    pen_status st;
    if (!prefix)
        return pen_fail(err, PEN_FATAL, "out of memory");
    sprintf(prefix, "%s%s/", anchor->prefix, src->prefix);
    r.skip = strlen(prefix);
    st = anchor->shows ? anchor->type->shown(anchor->ctx, prefix, note_any, &any, err) : pen_state_shown(seg->state, prefix, note_any, &any, err);
    src->shown_any = any.any;
    if (st >= 0 && src->type->chain)
        st = anchor->chains && anchor->chains[s] ? pen_chain_list(anchor->chains[s], recall, src, err)
                                                 : pen_state_shown(seg->state, prefix, recall_row, &r, err);
    free(prefix);
    return st;
}

/* -- the whole ---------------------------------------------------------------------------------------------------------------------- */

static pen_status allocate(struct pen_segment *seg, struct pen_error *err)
{
    seg->n_sources = seg->def->n_sources;
    seg->n_sinks = seg->def->n_sinks + 1;
    seg->anchor = seg->n_sinks - 1;
    seg->n_lanes = seg->run->lanes;
    seg->sources = calloc(seg->n_sources, sizeof *seg->sources);
    seg->sinks = calloc(seg->n_sinks, sizeof *seg->sinks);
    seg->lanes = calloc(seg->n_lanes, sizeof *seg->lanes);
    seg->edge_target = malloc((seg->graph->n_edges + 1) * sizeof *seg->edge_target);
    seg->stage_sink = malloc((seg->graph->n_stages + 1) * sizeof *seg->stage_sink);
    if (!seg->sources || !seg->sinks || !seg->lanes || !seg->edge_target || !seg->stage_sink)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < seg->graph->n_edges; i++)
        seg->edge_target[i] = -1;
    for (size_t i = 0; i < seg->graph->n_stages; i++)
        seg->stage_sink[i] = SIZE_MAX;
    for (unsigned i = 0; i < seg->n_lanes; i++)
        seg->lanes[i].wake_fd = -1;
    for (unsigned i = 0; i < seg->n_lanes; i++) {
        seg->lanes[i].seg = seg;
        seg->lanes[i].index = i;
        seg->lanes[i].wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (seg->lanes[i].wake_fd < 0)
            return pen_fail(err, PEN_FATAL, "eventfd: %s", strerror(errno));
    }
    seg->wake_ctl = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return seg->wake_ctl < 0 ? pen_fail(err, PEN_FATAL, "eventfd: %s", strerror(errno)) : PEN_OK;
}

pen_status pen_segment_open(struct pen_segment *seg, struct pen_error *err)
{
    pen_status st;
    pthread_mutex_init(&seg->lock, NULL);
    seg->wake_ctl = -1;
    seg->opened = true;
    st = allocate(seg, err);
    for (size_t s = 0; s < seg->n_sources && st >= 0; s++)
        st = open_source(seg, s, err);
    for (size_t k = 1; k < seg->n_sinks && st >= 0; k++)
        st = open_sink(seg, k, err);
    if (st < 0)
        return st;
    seg->sinks[0] = (struct seg_sink){ .stage = UINT_MAX, .type = &pen_dead_sink, .ctx = seg->dead, .name = "dead letters",
                                       .prefix = strdup(seg->sinks[seg->anchor].prefix) };
    if (!seg->sinks[0].prefix)
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = pen_plan_recover(seg, err);
    if (st >= 0)
        st = pen_chains_reopen(seg, err);
    for (size_t s = 0; s < seg->n_sources && st >= 0; s++)
        st = recall_source(seg, s, err);
    return st < 0 ? st : pen_names_note(seg, err);
}

static void close_sources(struct pen_segment *seg)
{
    for (size_t s = 0; seg->sources && s < seg->n_sources; s++) {
        struct seg_source *src = &seg->sources[s];
        for (size_t o = 0; src->targets && o < src->n_outputs; o++)
            free(src->targets[o].wants), free(src->targets[o].stages);
        if (src->type)
            pen_instance_stop(&src->instance, src->type->stop);
        free(src->targets), free(src->prefix), free(src->by_id.at);
    }
    free(seg->sources);
}

static void close_sinks(struct pen_segment *seg)
{
    for (size_t k = 0; seg->sinks && k < seg->n_sinks; k++) {
        struct seg_sink *sink = &seg->sinks[k];
        for (size_t s = 0; sink->chains && s < seg->n_sources; s++)
            pen_chain_free(&sink->chains[s]);
        if (sink->instance)
            pen_instance_stop(sink->instance, sink->type->stop);
        free(sink->instance), free(sink->chains), free(sink->prefix);
    }
    free(seg->sinks);
}

void pen_segment_close(struct pen_segment *seg)
{
    if (!seg->opened)
        return;
    pen_plan_clear(seg);
    for (unsigned i = 0; seg->lanes && i < seg->n_lanes; i++)
        pen_lane_close(&seg->lanes[i]);
    free(seg->lanes);
    close_sinks(seg);
    close_sources(seg);
    for (size_t i = 0; i < seg->n_parts; i++)
        free(seg->parts[i].name), free(seg->parts[i].incarnation), free(seg->parts[i].key_part), free(seg->parts[i].shown);
    for (size_t i = 0; i < seg->n_strangers; i++)
        free(seg->strangers[i].name);
    free(seg->strangers), free(seg->parts), free(seg->edge_target), free(seg->stage_sink), free(seg->queue), free(seg->leave), free(seg->spare);
    if (seg->wake_ctl >= 0)
        close(seg->wake_ctl);
    pthread_mutex_destroy(&seg->lock);
    seg->opened = false;
}
