/* connect.c - `penstock check --connect`: each end of a pipeline is asked whether what it leads to is there. SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "engine/segment.h"

/* Whether anything leads to this stage, or away from it. */
static bool has_edge(const struct pen_graph *g, unsigned stage, bool to)
{
    for (size_t i = 0; i < g->n_edges; i++)
        if ((to ? g->edges[i].to : g->edges[i].from) == stage)
            return true;
    return false;
}

static pen_status try_end(const struct pen_graph *g, const struct pen_stage *s, bool sink, struct pen_error *err)
{
    const struct pen_sink *k = s->plugin->sink;
    const struct pen_source *f = s->plugin->source;
    struct pen_instance in = { .host = { g->run, s->id, NULL, false } };
    pen_status st = sink ? pen_instance_start(&in, &s->sink, k->start, err) : pen_instance_start(&in, &s->source, f->start, err);
    if (st >= 0)
        st = sink ? k->connect(in.ctx, err) : f->connect(in.ctx, err);
    pen_instance_stop(&in, sink ? k->stop : f->stop);
    return st;
}

size_t pen_cli_connect(struct pen_cli_pipeline *p, const struct pen_graph *g)
{
    size_t failed = 0;
    g->run->checking = true;
    for (unsigned i = 0; i < g->n_stages; i++) {
        const struct pen_stage *s = &g->stages[i];
        const struct pen_plugin *plugin = s->plugin;
        for (int sink = 0; sink < 2; sink++) {
            struct pen_error err = { 0 };
            bool can = sink ? plugin->sink && plugin->sink->connect && has_edge(g, i, true) : plugin->source && plugin->source->connect && has_edge(g, i, false);
            if (!can || try_end(g, s, sink, &err) >= 0)
                continue;
            pen_config_mistake(p->config, s->config->section->place, NULL, "%s: %s", s->name, err.msg);
            failed++;
        }
    }
    g->run->checking = false;
    return failed;
}
