/* verb.c - running a plugin's verb: its options out of text, its stage's context; and what a source asks of the transport behind it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "config/option.h"
#include "engine/graph.h"
#include "engine/verb.h"

const struct pen_verb *pen_verb_of(const struct pen_plugin *p, const char *noun, const char *name)
{
    for (const struct pen_verb *v = p ? p->verbs : NULL; v && v->name; v++)
        if (!strcmp(v->noun, noun) && (!name || !strcmp(v->name, name)))
            return v;
    return NULL;
}

static pen_status set_option(const struct pen_option *o, const char *name, const char *value, void *ctx, struct pen_arena *mem, struct pen_error *err)
{
    struct pen_error why = { 0 };
    if (!value)
        return pen_fail(err, PEN_BADCONF, "--%s needs a value: --%s=%s", name, name, pen_option_type_name(o));
    if (pen_option_parse(o, value, ctx, mem, NULL, &why) < 0)
        return pen_fail(err, why.code, "--%s: %s", name, why.msg);
    return PEN_OK;
}

pen_status pen_options_set(const struct pen_option *table, const struct pen_pairs *given, void *ctx, struct pen_arena *mem, struct pen_error *err)
{
    pen_status st = table ? pen_option_defaults(table, ctx, mem, err) : PEN_OK;
    for (const struct pen_option *o = table; o && o->name && st >= 0; o++) {
        bool found = false;
        for (size_t i = 0; given && i < given->n && st >= 0; i++)
            if (o->type != PEN_OPT_PAIRS && !strcmp(given->names[i], o->name)) {
                st = set_option(o, o->name, given->values[i], ctx, mem, err);
                found = true;
            }
        if (st >= 0 && !found && (o->flags & PEN_OPTION_REQUIRED))
            st = pen_fail(err, PEN_BADCONF, "--%s is missing: %s", o->name, o->doc);
    }
    return st;
}

static bool has_option(const struct pen_option *table, const char *name)
{
    const struct pen_option *o = table ? pen_option_find(table, name) : NULL;
    return o && o->type != PEN_OPT_PAIRS;
}

pen_status pen_verb_run(const struct pen_verb *v, const struct pen_pairs *options, const void *stage, const struct pen_host *host, const char *name,
                        struct ArrowSchema *schema, struct ArrowArray *batch, struct pen_error *err)
{
    void *ctx = calloc(1, v->ctx_size + 1);
    struct pen_arena mem = { 0 };
    pen_status st = ctx ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; options && i < options->n && st >= 0; i++)
        if (!has_option(v->options, options->names[i]))
            st = pen_fail(err, PEN_BADCONF, "%s has no option --%s", v->name, options->names[i]);
    if (st >= 0)
        st = pen_options_set(v->options, options, ctx, &mem, err);
    if (st >= 0)
        st = v->run(ctx, stage, host, name, schema, batch, err);
    pen_arena_fini(&mem);
    free(ctx);
    return st;
}

static const struct pen_stage *stage_by_id(const struct pen_graph *g, const char *id)
{
    for (size_t i = 0; g && i < g->n_stages; i++)
        if (strcmp(g->stages[i].id, id) == 0)
            return &g->stages[i];
    return NULL;
}

pen_status pen_behind(const struct pen_host *host, const char *output, const char *verb, const char *name, const struct pen_pairs *options,
                      struct ArrowSchema *schema, struct ArrowArray *batch, struct pen_error *err)
{
    const struct pen_graph *g = host->run->graph;
    const struct pen_stage *from = stage_by_id(g, host->stage);
    for (size_t i = 0; from && i < g->n_edges; i++) {
        const struct pen_edge *e = &g->edges[i];
        const struct pen_stage *to = &g->stages[e->to];
        const struct pen_verb *v = to->kind == PEN_STAGE_TRANSPORT ? pen_verb_of(to->plugin, "transport", verb) : NULL;
        struct pen_host behind = { host->run, to->id, NULL, false };
        if (&g->stages[e->from] != from || strcmp(from->output_names[e->output], output) != 0 || !v || !v->stage)
            continue;
        return pen_verb_run(v, options, to->source.bytes, &behind, name, schema, batch, err);
    }
    return PEN_SKIP;
}
