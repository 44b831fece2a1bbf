/* build.c - from a configuration to a graph: contexts, edges, and the types that flow along them. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "data/conform.h"
#include "engine/bind.h"
#include "engine/graph.h"
#include "engine/segment.h"

/* -- types ------------------------------------------------------------------------------------------------------------------------- */

struct typing {
    struct pen_graph *g;
    struct pen_config *c; /* NULL: mistakes go to err */
    struct pen_instance *source, *transform, *sink; /* by stage */
};

/* A mistake of a stage, at its section or at the input it comes from. */
static pen_status mistake(const struct typing *t, const struct pen_stage *s, const struct pen_edge *e, const struct pen_error *why,
                          struct pen_error *err)
{
    if (!t->c || why->code == PEN_FATAL) /* no mistake of the file's: nothing after it makes sense */
        return pen_fail(err, why->code == PEN_FATAL ? PEN_FATAL : PEN_BADCONF, "%s: %s", s->name, why->msg);
    pen_config_mistake(t->c, e ? e->place : s->config->section->place, NULL, "%s: %s", s->name, why->msg);
    return PEN_BADCONF;
}

static void drop_outputs(struct pen_stage *s)
{
    while (s->n_outputs) {
        pen_schema_release(&s->outputs[--s->n_outputs]);
        free(s->output_names[s->n_outputs]);
    }
}

static pen_status note_outputs(struct pen_stage *s, const struct pen_output *outputs, size_t n, struct pen_error *err)
{
    s->outputs = calloc(n, sizeof *s->outputs);
    s->output_names = calloc(n, sizeof *s->output_names);
    s->output_intake = calloc(n, sizeof *s->output_intake);
    s->output_read = calloc(n, sizeof *s->output_read);
    if (!s->outputs || !s->output_names || !s->output_intake || !s->output_read)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < n; i++) {
        bool intake = outputs[i].schema.release == NULL;
        pen_status st = intake ? pen_schema_raw(&s->outputs[i], err) : pen_schema_check(&outputs[i].schema, err);
        if (st >= 0 && !intake)
            st = pen_schema_copy(&s->outputs[i], &outputs[i].schema, err);
        s->output_intake[i] = intake;
        s->output_names[i] = strdup(outputs[i].name ? outputs[i].name : "");
        s->n_outputs = i + 1;
        if (st >= 0 && !s->output_names[i])
            st = pen_fail(err, PEN_FATAL, "out of memory");
        if (st < 0) { /* half of them are no use to what reads them */
            drop_outputs(s);
            return st;
        }
    }
    return PEN_OK;
}

static pen_status type_source(struct typing *t, unsigned i, struct pen_error *err)
{
    struct pen_stage *s = &t->g->stages[i];
    struct pen_output *outputs = NULL;
    size_t n = 0;
    pen_status st = pen_instance_start(&t->source[i], &s->source, s->plugin->source->start, err);
    if (st >= 0)
        st = s->plugin->source->outputs(t->source[i].ctx, &outputs, &n, err);
    if (st >= 0 && n == 0)
        st = pen_fail(err, PEN_BADCONF, "it has no output");
    return st < 0 ? st : note_outputs(s, outputs, n, err);
}

static bool same_fields(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    for (int64_t i = 0; i < a->n_children; i++)
        if ((a->children[i]->flags & PEN_FIELD_JSON_TEXT) != (b->children[i]->flags & PEN_FIELD_JSON_TEXT))
            return false;
    return true;
}

/* What one edge hands over, given what the stage wants; sets up how. */
static pen_status type_edge(struct pen_graph *g, struct pen_edge *e, struct ArrowSchema *given, struct pen_error *err)
{
    const struct pen_stage *from = &g->stages[e->from];
    const struct ArrowSchema *in = &from->outputs[e->output];
    struct pen_conform *conform = NULL;
    pen_status st;
    bool raw = pen_schema_is_raw(in), want_raw = e->want.release && pen_schema_is_raw(&e->want);
    if (!e->want.release || (raw && want_raw))
        return pen_schema_copy(given, in, err);
    if (raw && from->output_intake[e->output]) {
        e->decode = true;
        return pen_schema_copy(given, &e->want, err);
    }
    if (raw)
        return pen_fail(err, PEN_BADCONF, "%s gives raw messages that are decoded only where they come in; read them from its source", from->name);
    if (want_raw) {
        e->encode = true;
        return pen_schema_copy(given, &e->want, err);
    }
    e->pick = true;
    st = pen_conform_new(&conform, in, &e->want, given, err);
    pen_conform_free(&conform);
    return st;
}

static pen_status type_input(struct typing *t, struct pen_stage *s, unsigned i, void *ctx,
                             pen_status (*want)(void *, const struct ArrowSchema *, struct ArrowSchema *, struct pen_error *), struct pen_error *err)
{
    for (size_t k = 0; k < t->g->n_edges; k++) {
        struct pen_edge *e = &t->g->edges[k];
        struct ArrowSchema given = { 0 };
        struct pen_error why = { 0 };
        pen_status st = PEN_OK;
        if (e->to != i)
            continue;
        if (!t->g->stages[e->from].n_outputs)
            return PEN_SKIP; /* what feeds it is wrong already */
        if (want)
            st = want(ctx, &t->g->stages[e->from].outputs[e->output], &e->want, &why);
        if (st >= 0)
            st = type_edge(t->g, e, &given, &why);
        if (st >= 0 && s->in.release && !(pen_schema_equal(&s->in, &given) && same_fields(&s->in, &given)))
            st = pen_fail(&why, PEN_BADCONF, "its inputs differ: %s.%s has other columns than the input before it",
                          t->g->stages[e->from].name, t->g->stages[e->from].output_names[e->output]);
        if (st >= 0 && !s->in.release) {
            s->in = given;
            given.release = NULL;
        }
        pen_schema_release(&given);
        if (st < 0)
            return mistake(t, s, e, &why, err);
        t->g->stages[e->from].output_read[e->output] = true;
    }
    return PEN_OK;
}

static pen_status type_transform(struct typing *t, unsigned i, struct pen_error *err)
{
    struct pen_stage *s = &t->g->stages[i];
    const struct pen_transform *type = s->plugin->transform;
    struct pen_output output = { .name = "" };
    struct pen_error why = { 0 };
    pen_status st = pen_instance_start(&t->transform[i], &s->transform, type->start, &why);
    if (st < 0)
        return mistake(t, s, NULL, &why, err);
    st = type_input(t, s, i, t->transform[i].ctx, type->want, err);
    if (st != PEN_OK)
        return st;
    st = type->prepare(t->transform[i].ctx, &s->in, &output.schema, &why);
    if (st >= 0)
        st = note_outputs(s, &output, 1, &why);
    pen_schema_release(&output.schema);
    return st < 0 ? mistake(t, s, NULL, &why, err) : PEN_OK;
}

static pen_status type_sink(struct typing *t, unsigned i, struct pen_error *err)
{
    struct pen_stage *s = &t->g->stages[i];
    const struct pen_sink *type = s->plugin->sink;
    struct pen_error why = { 0 };
    pen_status st = pen_instance_start(&t->sink[i], &s->sink, type->start, &why);
    if (st < 0)
        return mistake(t, s, NULL, &why, err);
    st = type_input(t, s, i, t->sink[i].ctx, type->want, err);
    if (st != PEN_OK)
        return st;
    if (s->in.release && type->prepare)
        st = type->prepare(t->sink[i].ctx, &s->in, &why);
    return st < 0 ? mistake(t, s, NULL, &why, err) : PEN_OK;
}

static bool is_fed(const struct pen_graph *g, unsigned stage)
{
    for (size_t i = 0; i < g->n_edges; i++)
        if (g->edges[i].to == stage)
            return true;
    return false;
}

static pen_status type_stage(struct typing *t, unsigned i, struct pen_error *err)
{
    const struct pen_stage *s = &t->g->stages[i];
    if (s->kind == PEN_STAGE_TRANSFORM)
        return type_transform(t, i, err);
    return s->kind == PEN_STAGE_SINK || is_fed(t->g, i) ? type_sink(t, i, err) : PEN_OK;
}

/* Stages after those they read (Kahn); the configuration has seen to it that there is no cycle. */
static pen_status order_stages(struct pen_graph *g, struct pen_error *err)
{
    unsigned *waits = calloc(g->n_stages + 1, sizeof *waits);
    size_t n = 0;
    g->order = calloc(g->n_stages + 1, sizeof *g->order);
    if (!waits || !g->order) {
        free(waits);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    for (size_t i = 0; i < g->n_edges; i++)
        waits[g->edges[i].to]++;
    for (unsigned i = 0; i < g->n_stages; i++)
        if (!waits[i])
            g->order[n++] = i;
    for (size_t at = 0; at < n; at++)
        for (size_t i = 0; i < g->n_edges; i++)
            if (g->edges[i].from == g->order[at] && --waits[g->edges[i].to] == 0)
                g->order[n++] = g->edges[i].to;
    free(waits);
    return n == g->n_stages ? PEN_OK : pen_fail(err, PEN_BADCONF, "the stages form a cycle");
}

static void typing_fini(struct typing *t)
{
    for (size_t i = 0; i < t->g->n_stages; i++) {
        const struct pen_plugin *p = t->g->stages[i].plugin;
        if (t->source && p->source)
            pen_instance_stop(&t->source[i], p->source->stop);
        if (t->transform && p->transform)
            pen_instance_stop(&t->transform[i], p->transform->stop);
        if (t->sink && p->sink)
            pen_instance_stop(&t->sink[i], p->sink->stop);
    }
    free(t->source), free(t->transform), free(t->sink);
}

static pen_status typing_init(struct typing *t, struct pen_error *err)
{
    size_t n = t->g->n_stages;
    t->source = calloc(n + 1, sizeof *t->source);
    t->transform = calloc(n + 1, sizeof *t->transform);
    t->sink = calloc(n + 1, sizeof *t->sink);
    if (!t->source || !t->transform || !t->sink)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < n; i++)
        t->source[i].host = t->transform[i].host = t->sink[i].host = (struct pen_host){ t->g->run, t->g->stages[i].id, NULL, false };
    return PEN_OK;
}

/* Sources first: edges are drawn to outputs by name, so these must be known. */
static pen_status type_sources(struct typing *t, struct pen_error *err)
{
    pen_status worst = PEN_OK;
    for (unsigned i = 0; i < t->g->n_stages; i++) {
        struct pen_stage *s = &t->g->stages[i];
        struct pen_error why = { 0 };
        if ((s->kind == PEN_STAGE_SOURCE || s->kind == PEN_STAGE_TRANSPORT) && type_source(t, i, &why) < 0)
            worst = mistake(t, s, NULL, &why, err);
        if (worst == PEN_FATAL)
            return worst;
    }
    return worst;
}

static pen_status type_rest(struct typing *t, struct pen_error *err)
{
    pen_status worst = order_stages(t->g, err);
    for (size_t i = 0; worst >= 0 && i < t->g->n_stages; i++) {
        pen_status st = type_stage(t, t->g->order[i], err);
        if (st == PEN_FATAL || (st < 0 && !t->c))
            return st;
        worst = st < 0 ? PEN_OK : worst; /* the rest is looked at all the same: every problem at once */
    }
    return worst;
}

pen_status pen_graph_types(struct pen_graph *g, struct pen_config *c, struct pen_error *err)
{
    struct typing t = { .g = g, .c = c };
    bool was = g->run->checking;
    pen_status st = typing_init(&t, err);
    g->run->checking = true;
    if (st >= 0)
        st = type_sources(&t, err);
    if (st >= 0)
        st = type_rest(&t, err);
    typing_fini(&t);
    g->run->checking = was;
    return st;
}

/* -- from the configuration ---------------------------------------------------------------------------------------------------------- */

static pen_status make_template(struct pen_config *c, const struct pen_stage_config *sc, const struct pen_option *table, size_t size,
                                struct pen_template *out, struct pen_error *err)
{
    out->size = size;
    out->bytes = calloc(1, size + 1);
    if (!out->bytes)
        return pen_fail(err, PEN_FATAL, "out of memory");
    pen_config_apply(c, sc, table, out->bytes);
    return PEN_OK;
}

static pen_status make_stage(struct pen_config *c, const struct pen_plugin *plugin, const struct pen_stage_config *sc, struct pen_stage *s,
                             struct pen_error *err)
{
    const struct pen_setting *fsync_setting = pen_config_setting(sc->section, "fsync");
    pen_status st = PEN_OK;
    s->kind = sc->kind;
    s->name = sc->name;
    s->id = sc->id;
    s->plugin = plugin;
    s->config = sc;
    s->fsync = !fsync_setting || (strcmp(fsync_setting->value, "no") != 0 && strcmp(fsync_setting->value, "false") != 0 &&
                                  strcmp(fsync_setting->value, "off") != 0);
    if (sc->kind == PEN_STAGE_SOURCE || sc->kind == PEN_STAGE_TRANSPORT)
        st = make_template(c, sc, plugin->source->options, plugin->source->ctx_size, &s->source, err);
    if (st >= 0 && sc->kind == PEN_STAGE_TRANSFORM)
        st = make_template(c, sc, plugin->transform->options, plugin->transform->ctx_size, &s->transform, err);
    if (st >= 0 && (sc->kind == PEN_STAGE_SINK || sc->kind == PEN_STAGE_TRANSPORT))
        st = make_template(c, sc, plugin->sink->options, plugin->sink->ctx_size, &s->sink, err);
    return st;
}

static void outputs_as_text(const struct pen_stage *s, char *buf, size_t size)
{
    size_t at = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < s->n_outputs && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%s.%s", i ? ", " : "", s->name, s->output_names[i]);
}

/* The edges of one word of an `input` line. */
static pen_status draw_input(struct pen_graph *g, struct pen_config *c, unsigned to, const struct pen_input *in, struct pen_error *err)
{
    unsigned from = (unsigned)in->stage->index;
    const struct pen_stage *s = &g->stages[from];
    bool transform = s->kind == PEN_STAGE_TRANSFORM;
    size_t n = transform ? 1 : s->n_outputs, drawn = 0;
    char text[400];
    if (n == 0)
        return PEN_OK; /* the stage is wrong, and reported */
    outputs_as_text(s, text, sizeof text);
    if (in->output && !in->output[0] && n > 1) {
        pen_config_mistake(c, in->place, NULL, "%s has %zu outputs: name one (%s) or all (%s.*)", s->name, n, text, s->name);
        return PEN_OK;
    }
    for (unsigned o = 0; o < n; o++) {
        struct pen_edge *e;
        pen_status st;
        if (in->output && in->output[0] && (transform || strcmp(in->output, s->output_names[o]) != 0))
            continue;
        st = pen_graph_add_edge(g, from, o, to, &e, err);
        if (st < 0)
            return st;
        e->place = in->place;
        drawn++;
    }
    if (!drawn) {
        const char *const *names = transform ? NULL : (const char *const *)s->output_names;
        pen_config_mistake(c, in->place, names ? pen_suggest(in->output, names, n) : NULL, "%s has no output \"%s\"; it has %s", s->name, in->output,
                           transform ? s->name : text);
    }
    return PEN_OK;
}

static pen_status draw_edges(struct pen_graph *g, struct pen_config *c, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (unsigned i = 0; i < c->n_stages && st >= 0; i++)
        for (size_t k = 0; k < c->stages[i].n_inputs && st >= 0; k++)
            if (c->stages[i].inputs[k].stage)
                st = draw_input(g, c, i, &c->stages[i].inputs[k], err);
    return st;
}

static void take_settings(struct pen_graph *g, const struct pen_settings *s)
{
    g->commit_interval = g->run->commit_interval = s->commit_interval;
    g->commit_rows = s->commit_rows;
    g->commit_bytes = s->commit_bytes;
    g->memory_limit = s->memory_limit;
    g->max_errors = s->max_errors;
    g->max_record = s->max_record;
}

static pen_status fill_graph(struct pen_graph *g, struct pen_config *c, const struct pen_plugin *const *plugins, struct pen_error *err)
{
    struct typing t = { .g = g, .c = c };
    pen_status st = PEN_OK;
    g->stages = calloc(c->n_stages + 1, sizeof *g->stages);
    if (!g->stages)
        return pen_fail(err, PEN_FATAL, "out of memory");
    take_settings(g, &c->pipeline);
    for (size_t i = 0; i < c->n_stages && st >= 0; i++) {
        st = make_stage(c, plugins[i], &c->stages[i], &g->stages[i], err);
        g->n_stages = i + 1;
    }
    if (st < 0 || c->diags.errors)
        return st;
    st = typing_init(&t, err);
    if (st >= 0 && type_sources(&t, err) == PEN_FATAL)
        st = PEN_FATAL;
    if (st >= 0)
        st = draw_edges(g, c, err);
    if (st >= 0 && !c->diags.errors)
        st = type_rest(&t, err);
    typing_fini(&t);
    return st == PEN_BADCONF && c->diags.errors ? PEN_OK : st;
}

pen_status pen_graph_build(struct pen_graph **out, struct pen_config *c, struct pen_run_context *run, struct pen_error *err)
{
    const struct pen_plugin **plugins = calloc(c->n_stages + 1, sizeof *plugins);
    struct pen_graph *g = calloc(1, sizeof *g);
    bool was = run->checking;
    pen_status st = plugins && g ? pen_bind(c, plugins, err) : pen_fail(err, PEN_FATAL, "out of memory");
    *out = NULL;
    if (g)
        g->run = run;
    run->checking = true;
    if (st >= 0 && !c->diags.errors)
        st = fill_graph(g, c, plugins, err);
    run->checking = was;
    free(plugins);
    if (st >= 0 && !c->diags.errors)
        *out = g;
    else
        pen_graph_free(&g);
    return st;
}
