/* process.c - see process.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/dead.h"
#include "engine/run.h"
#include "engine/state.h"
#include "engine/store.h"
#include "process.h"

static int64_t model_now(void *arg)
{
    return ((struct world *)arg)->now;
}
static int64_t model_wall(void *arg)
{
    return ((struct world *)arg)->wall;
}

static void note_lane(struct pen_lane *lane)
{
    (void)lane; /* process_step() looks at lanes_running */
}

/* -- the graph: topics -> [check] -> table, folder ---------------------------------------------------------------------------------- */

static pen_status add_stage(struct process *p, pen_stage_kind kind, const char *name, const struct pen_plugin *plugin, unsigned index,
                            struct pen_error *err)
{
    struct pen_stage *s = &p->graph->stages[p->graph->n_stages++];
    struct pen_template *t = kind == PEN_STAGE_SOURCE ? &s->source : kind == PEN_STAGE_TRANSFORM ? &s->transform : &s->sink;
    struct stub *stub = calloc(1, sizeof *stub);
    if (!stub)
        return pen_fail(err, PEN_FATAL, "out of memory");
    *stub = (struct stub){ .w = p->w, .proc = p->number, .index = index };
    s->kind = kind;
    s->name = s->id = name;
    s->plugin = plugin;
    s->fsync = true;
    t->bytes = stub;
    t->size = sizeof *stub;
    return PEN_OK;
}

static pen_status make_graph(struct process *p, struct pen_error *err)
{
    static const char *const topic_names[] = { "topic0", "topic1" };
    const struct setup *u = &p->setup;
    const struct pen_plugin *source = u->posts ? &w_posts_plugin : p->w->chain ? &w_chain_plugin : u->start_latest ? &w_latest_plugin : &w_topic_plugin;
    struct pen_graph *g = calloc(1, sizeof *g);
    unsigned last[2], n_last = u->topics;
    struct pen_edge *e;
    pen_status st = PEN_OK;
    p->graph = g;
    if (!g || !(g->stages = calloc(8, sizeof *g->stages)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    g->run = &p->run;
    g->commit_interval = u->commit_interval;
    g->commit_rows = u->commit_rows;
    g->commit_bytes = g->memory_limit = g->max_errors = -1;
    g->max_record = 1 << 20;
    for (unsigned i = 0; i < u->topics && st >= 0; i++) {
        last[i] = (unsigned)g->n_stages;
        st = add_stage(p, PEN_STAGE_SOURCE, u->topics == 1 && u->source_name ? u->source_name : topic_names[i], source, i, err);
    }
    if (st >= 0 && u->check) {
        unsigned to = (unsigned)g->n_stages;
        st = add_stage(p, PEN_STAGE_TRANSFORM, "check", &w_check_plugin, 0, err);
        for (unsigned i = 0; i < n_last && st >= 0; i++)
            st = pen_graph_add_edge(g, last[i], 0, to, &e, err);
        last[0] = to;
        n_last = 1;
    }
    for (unsigned k = 0; k < 3 && st >= 0; k++) {
        static const char *const names[] = { "folder", "second", "table" };
        bool there = k == 0 ? u->folder : k == 1 ? u->two_tables : u->table;
        unsigned to = (unsigned)g->n_stages;
        if (!there)
            continue;
        st = add_stage(p, PEN_STAGE_SINK, k == 2 && u->table_name ? u->table_name : names[k], k == 0 ? &w_folder_plugin : &w_table_plugin, k, err);
        for (unsigned i = 0; i < n_last && st >= 0; i++)
            st = pen_graph_add_edge(g, last[i], 0, to, &e, err);
    }
    if (st >= 0)
        st = pen_graph_types(g, NULL, err);
    return st < 0 ? st : pen_graph_cut(g, NULL, 0, err);
}

/* -- life --------------------------------------------------------------------------------------------------------------------------- */

pen_status process_start(struct process *p, struct pen_error *err)
{
    pen_status st;
    pen_lane_starter = note_lane;
    p->clock = (struct pen_clock){ model_now, model_wall, p->w };
    st = pen_run_context_init(&p->run, "model", p->state_path, p->setup.lanes, err);
    p->up = true;
    p->run.clock = &p->clock;
    p->run.until_end = p->w->until_end;
    p->run.run_id[0] = (uint64_t)p->number + 1;
    p->run.run_id[1] = ++p->generation;
    p->store = (struct stub){ .w = p->w, .proc = p->number };
    p->dead_host = (struct pen_host){ &p->run, "deadletter", NULL, false };
    memset(&p->seg, 0, sizeof p->seg);
    memset(p->w->holds[p->number], 0, sizeof p->w->holds[p->number]);
    if (st >= 0 && !(p->run.stores = pen_stores_new()))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    if (st >= 0)
        st = pen_stores_add(p->run.stores, &w_store, &p->store, err);
    if (st >= 0)
        st = make_graph(p, err);
    if (st >= 0)
        st = pen_state_open(&p->state, p->state_path, err);
    if (st >= 0)
        st = pen_dead_new(&p->dead, &p->dead_host, "mem://t/dead", true, err);
    if (st < 0)
        return st;
    p->seg.def = &p->graph->segments[0];
    p->seg.graph = p->graph;
    p->seg.run = &p->run;
    p->seg.state = p->state;
    p->seg.dead = p->dead;
    p->seg.upstream_done = true;
    return pen_segment_open(&p->seg, err);
}

void process_kill(struct process *p)
{
    if (!p->up)
        return;
    p->up = false;
    pen_segment_close(&p->seg);
    pen_dead_free(&p->dead);
    pen_state_close(&p->state);
    pen_graph_free(&p->graph);
    pen_stores_free(&p->run.stores);
    pen_run_context_fini(&p->run);
    memset(p->w->holds[p->number], 0, sizeof p->w->holds[p->number]);
}

bool process_finished(const struct process *p)
{
    return p->up && p->seg.finished;
}

bool process_failed(const struct process *p, const char **why)
{
    if (!p->up || !p->seg.failed)
        return false;
    *why = p->seg.error.msg;
    return true;
}

bool process_step(struct process *p)
{
    unsigned n = p->seg.lanes_running + 1, first = w_random(p->w, n);
    for (unsigned i = 0; i < n; i++) {
        unsigned who = (first + i) % n;
        pen_step step = who == 0 ? pen_control_step(&p->seg) : pen_lane_step(&p->seg.lanes[who - 1]);
        if (step == PEN_STEP_WORKED)
            return true;
        if (step == PEN_STEP_FAILED || p->w->crash == p->number)
            return true;
    }
    return false;
}
