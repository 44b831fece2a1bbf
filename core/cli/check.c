/* check.c - `penstock check`: every problem of a pipeline, or what it guarantees from each durable end to the next.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/cli.h"
#include "config/option.h"
#include "engine/bind.h"
#include "engine/run.h"
#include "engine/stores.h"

static const char usage[] =
    "Usage: penstock check [--set STAGE.KEY=VALUE]... [--connect] [--json] FILE\n\n"
    "Reads a pipeline without running it and reports everything that is wrong with it: file, line and column, the line itself, what the\n"
    "option is for and what was meant, perhaps. Where nothing is wrong it says what is guaranteed on the way to each sink.\n"
    "Exit status: 0 nothing is wrong, 2 something is; 1 nothing is wrong with the file, but with what it leads to.\n\n"
    "  --connect               reach the servers and stores too, and see that what the options name is there and may be used\n"
    "  --set STAGE.KEY=VALUE   as in `penstock run`; STAGE may be pipeline or deadletter\n"
    "  --json                  one object: ok, problems, stages, guarantees\n";

/* -- guarantees -------------------------------------------------------------------------------------------------------------- */

/* One durable end to the next: a segment as far as a reader of the file sees it. */
struct path {
    const struct pen_stage_config *from, *to;
    const char *words; /* what is guaranteed */
    bool lossy;        /* worth a warning */
};
struct paths {
    struct path *v;
    size_t n;
};

static const char *guarantee(const struct pen_plugin *from, const struct pen_plugin *to, bool to_transport, bool *lossy)
{
    if (from->source->no_replay) {
        *lossy = !to_transport;
        if (to_transport && !to->sink->shown)
            return "each record that was acknowledged, at least once; one that was not is the client's to send again";
        return to_transport ? "each record that was acknowledged, once; one that was not is the client's to send again"
                            : "a record is acknowledged only with its commit; what the client does not send again is lost";
    }
    if (to->sink->guarantee)
        return to->sink->guarantee;
    return to->sink->shown ? "exactly once" : "exactly once, for the one process that holds the state folder";
}

/* Walks from a stage that writes against the flow to the ends that it is fed from. */
static bool add_paths(struct paths *p, const struct pen_cli_pipeline *l, const struct pen_stage_config *to)
{
    size_t n_stages = l->config->n_stages, n = 0;
    const struct pen_stage_config **todo = calloc(n_stages + 1, sizeof *todo);
    bool *seen = calloc(n_stages + 1, sizeof *seen), good = todo && seen;
    if (good)
        todo[n++] = to;
    while (good && n) {
        const struct pen_stage_config *s = todo[--n];
        for (size_t i = 0; good && i < s->n_inputs; i++) {
            const struct pen_stage_config *from = s->inputs[i].stage;
            struct path *more;
            if (seen[from->index])
                continue;
            seen[from->index] = true;
            if (from->kind == PEN_STAGE_TRANSFORM) {
                todo[n++] = from;
            } else if ((good = (more = realloc(p->v, (p->n + 1) * sizeof *more)) != NULL)) {
                p->v = more;
                p->v[p->n] = (struct path){ .from = from, .to = to };
                p->v[p->n].words = guarantee(l->plugins[from->index], l->plugins[to->index], to->kind == PEN_STAGE_TRANSPORT, &p->v[p->n].lossy);
                p->n++;
            }
        }
    }
    free(todo);
    free(seen);
    return good;
}

static bool find_paths(struct paths *p, const struct pen_cli_pipeline *l)
{
    for (size_t i = 0; i < l->config->n_stages; i++) {
        const struct pen_stage_config *s = &l->config->stages[i];
        if ((s->kind == PEN_STAGE_SINK || s->kind == PEN_STAGE_TRANSPORT) && !add_paths(p, l, s))
            return false;
    }
    return true;
}

/* -- what a stage gives up ------------------------------------------------------------------------------------------------------ */

/* A yes/no option of a stage as it is set, or `otherwise` where there is no such option. */
static bool flag(const struct pen_cli_pipeline *l, const struct pen_stage_config *s, const char *name, bool otherwise)
{
    const struct pen_plugin *p = l->plugins[s->index];
    const struct pen_option *table = pen_bind_options(s->kind, p), *o = pen_option_find(table, name);
    size_t size = s->kind == PEN_STAGE_TRANSFORM ? p->transform->ctx_size : s->kind == PEN_STAGE_SINK ? p->sink->ctx_size : p->source->ctx_size;
    char *ctx;
    bool value = otherwise;
    if (!o || o->type != PEN_OPT_BOOL || !(ctx = calloc(1, size + 1)))
        return otherwise;
    if (pen_config_apply(l->config, s, table, ctx) == PEN_OK)
        memcpy(&value, ctx + o->offset, sizeof value);
    free(ctx);
    return value;
}

static const char *given_up(const struct pen_cli_pipeline *l, const struct pen_stage_config *s, size_t i)
{
    if (i == 0 && !flag(l, s, "fsync", true))
        return "fsync = no: after a power loss, what was committed last may be missing or torn";
    if (i == 1 && flag(l, s, "one_writer", false))
        return "one_writer = yes: a second process that writes there can overwrite what the first has committed";
    return NULL;
}

static void warn_of_lossy(struct pen_cli_pipeline *l, const struct paths *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].lossy)
            pen_config_warn(l->config, p->v[i].from->section->place, NULL,
                            "source %s cannot be read again and leads to sink %s: put a transport between them, so that clients need not wait for the "
                            "sink's commits",
                            p->v[i].from->name, p->v[i].to->name);
}

/* -- outputs that nobody reads ------------------------------------------------------------------------------------------------ */

/* stage.output of the i-th of them, into buf; false behind the last. */
static bool not_read(const struct pen_graph *g, size_t i, char *buf, size_t size)
{
    for (size_t s = 0; s < g->n_stages; s++) {
        const struct pen_stage *stage = &g->stages[s];
        for (size_t o = 0; o < stage->n_outputs && stage->n_outputs > 1; o++)
            if (!stage->output_read[o] && i-- == 0) {
                snprintf(buf, size, "%s.%s", stage->name, stage->output_names[o]);
                return true;
            }
    }
    return false;
}

/* -- printing ------------------------------------------------------------------------------------------------------------------ */

static void print_text(const struct pen_cli_pipeline *l, const struct pen_graph *g, const struct paths *p)
{
    const struct pen_config *c = l->config;
    char interval[48], output[200];
    pen_option_bound(pen_option_find(pen_settings_options, "commit_interval"), c->pipeline.commit_interval, interval, sizeof interval);
    printf("%s: nothing is wrong\n", c->files[0]->name);
    printf("pipeline %s: %zu stage%s, at most %lld lane%s, a commit every %s, state in %s\n", c->pipeline.name, c->n_stages,
           c->n_stages == 1 ? "" : "s", (long long)c->pipeline.lanes, c->pipeline.lanes == 1 ? "" : "s", interval, c->pipeline.state);
    for (size_t i = 0; i < p->n; i++)
        printf("  %s (%s) -> %s (%s): %s\n", p->v[i].from->name, p->v[i].from->plugin, p->v[i].to->name, p->v[i].to->plugin, p->v[i].words);
    for (size_t i = 0; i < c->n_stages; i++)
        for (size_t k = 0; k < 2; k++) {
            const char *what = given_up(l, &c->stages[i], k);
            if (what)
                printf("  %s: %s\n", c->stages[i].name, what);
        }
    for (size_t i = 0; not_read(g, i, output, sizeof output); i++)
        printf("  nobody reads %s\n", output);
    printf("  dead letters: %s\n", c->deadletter.path);
}

static void add_stages(cJSON *o, const struct pen_cli_pipeline *l)
{
    cJSON *array = cJSON_AddArrayToObject(o, "stages");
    for (size_t i = 0; i < l->config->n_stages; i++) {
        const struct pen_stage_config *s = &l->config->stages[i];
        cJSON *stage = cJSON_CreateObject(), *inputs;
        cJSON_AddItemToArray(array, stage);
        cJSON_AddStringToObject(stage, "name", s->name);
        cJSON_AddStringToObject(stage, "kind", pen_stage_kind_name(s->kind));
        cJSON_AddStringToObject(stage, "plugin", s->plugin ? s->plugin : "");
        inputs = cJSON_AddArrayToObject(stage, "input");
        for (size_t k = 0; k < s->n_inputs; k++)
            cJSON_AddItemToArray(inputs, cJSON_CreateString(s->inputs[k].text));
        for (size_t k = 0; k < 2 && !l->config->diags.errors; k++)
            if (given_up(l, s, k))
                cJSON_AddStringToObject(stage, k == 0 ? "fsync" : "one_writer", k == 0 ? "no" : "yes");
    }
}

static bool print_json(struct pen_cli_pipeline *l, const struct pen_graph *g, const struct paths *p)
{
    cJSON *o = cJSON_CreateObject(), *array;
    char *text, output[200];
    cJSON_AddStringToObject(o, "file", l->config->files[0]->name);
    cJSON_AddStringToObject(o, "pipeline", l->config->pipeline.name);
    cJSON_AddBoolToObject(o, "ok", l->config->diags.errors == 0);
    add_stages(o, l);
    array = cJSON_AddArrayToObject(o, "guarantees");
    for (size_t i = 0; i < p->n; i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToArray(array, one);
        cJSON_AddStringToObject(one, "from", p->v[i].from->name);
        cJSON_AddStringToObject(one, "to", p->v[i].to->name);
        cJSON_AddStringToObject(one, "guarantee", p->v[i].words);
    }
    array = cJSON_AddArrayToObject(o, "not_read");
    for (size_t i = 0; g && not_read(g, i, output, sizeof output); i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(output));
    text = cJSON_PrintUnformatted(o);
    if (text) {
        printf("%.*s,\"problems\":", (int)strlen(text) - 1, text);
        pen_diags_print_json(&l->config->diags, stdout);
        printf("}\n");
    }
    cJSON_free(text);
    cJSON_Delete(o);
    return text != NULL;
}

/* What is said about a pipeline whose graph could be built; g is NULL where it could not. */
static int report(struct pen_cli_pipeline *l, const struct pen_graph *g, bool json, struct pen_error *err)
{
    struct paths p = { NULL, 0 };
    bool good = !g || find_paths(&p, l);
    int status;
    if (good && g)
        warn_of_lossy(l, &p);
    if (!good)
        pen_fail(err, PEN_FATAL, "out of memory");
    else if (json)
        good = print_json(l, g, &p) || pen_fail(err, PEN_FATAL, "out of memory") == PEN_OK;
    status = !good ? pen_cli_failed(err) : json ? l->config->diags.errors ? PEN_EXIT_USAGE : PEN_EXIT_DONE : pen_cli_problems(l);
    if (status == PEN_EXIT_DONE && !json)
        print_text(l, g, &p);
    free(p.v);
    return status;
}

/* The same steps as those of `run` before it starts anything, so that both refuse the same files. */
static int check(struct pen_cli_pipeline *l, const char *path, bool json, bool connect)
{
    struct pen_error err = { 0 };
    struct pen_run_context run;
    struct pen_graph *g = NULL;
    struct pen_open_stores *stores = NULL;
    const struct pen_settings *s;
    size_t unreached = 0;
    int status, flushed;
    pen_status st = pen_cli_load(l, path, &err);
    if (st < 0)
        return pen_cli_failed(&err);
    s = &l->config->pipeline;
    if ((st = pen_run_context_init(&run, s->name, s->state, (unsigned)s->lanes, &err)) < 0)
        return pen_cli_failed(&err);
    st = pen_stores_open(&stores, &run, l->config, NULL, 0, &err);
    if (st >= 0 && !l->config->diags.errors)
        st = pen_cli_build(l, &run, NULL, 0, &g, &err);
    if (st >= 0 && g && connect)
        unreached = pen_cli_connect(l, g);
    status = st < 0 ? pen_cli_failed(&err) : report(l, g, json, &err);
    if (status == PEN_EXIT_USAGE && unreached && unreached == l->config->diags.errors)
        status = PEN_EXIT_FAILED;
    pen_graph_free(&g);
    pen_stores_close(&stores, &run);
    pen_run_context_fini(&run);
    flushed = pen_cli_flush();
    return status != PEN_EXIT_DONE ? status : flushed;
}

int pen_cli_check(int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "connect", no_argument, NULL, 'c' }, { "set", required_argument, NULL, 's' }, { 0 } };
    struct pen_cli_pipeline l = { 0 };
    bool json = false, connect = false;
    int got, status;
    while ((got = pen_cli_option(argc, argv, options)) != -1) {
        if (got == 'j') {
            json = true;
        } else if (got == 'c') {
            connect = true;
        } else if (got == 's') {
            if (!pen_cli_set(&l, optarg))
                return PEN_EXIT_FAILED;
        } else {
            pen_cli_pipeline_fini(&l);
            return got == 'h' ? fputs(usage, stdout), pen_cli_flush() : PEN_EXIT_USAGE;
        }
    }
    status = optind + 1 == argc ? check(&l, argv[optind], json, connect) : pen_cli_usage(argv[0], "expected one pipeline file");
    pen_cli_pipeline_fini(&l);
    return status;
}
