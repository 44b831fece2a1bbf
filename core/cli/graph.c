/* graph.c - `penstock graph`: a pipeline as a tree of text, or (graph_svg.c) as a drawing. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const char usage[] = "Usage: penstock graph [--svg] [--set STAGE.KEY=VALUE]... FILE\n\n"
                            "Shows how records flow from stage to stage. A stage that is fed by several is drawn out once and named again where\n"
                            "the others lead to it. No plugin is loaded.\n\n"
                            "  --svg                   a drawing, to standard output; stages of one colour commit together\n"
                            "  --set STAGE.KEY=VALUE   as in `penstock run`\n";

#define DEPTH_MAX 200

struct tree {
    const struct pen_config *c;
    bool *shown;
    char prefix[DEPTH_MAX * 6 + 1]; /* the lines of the branches above: "│  " or three spaces for each */
};

static void print_children(struct tree *t, const struct pen_stage_config *from, unsigned depth, size_t prefix);

static void print_stage(struct tree *t, const struct pen_stage_config *s, unsigned depth, size_t prefix)
{
    bool again = t->shown[s->index];
    printf("%s (%s, %s)%s\n", s->name, pen_stage_kind_name(s->kind), s->plugin ? s->plugin : "?", again ? ", see above" : "");
    t->shown[s->index] = true;
    if (!again)
        print_children(t, s, depth, prefix);
}

/* The reader after `stage`, `input` of what `from` gives; false behind the last. */
static bool next_reader(const struct pen_config *c, const struct pen_stage_config *from, size_t *stage, size_t *input)
{
    for (; *stage < c->n_stages; ++*stage, *input = 0)
        for (; *input < c->stages[*stage].n_inputs; ++*input)
            if (c->stages[*stage].inputs[*input].stage == from)
                return true;
    return false;
}

static void print_children(struct tree *t, const struct pen_stage_config *from, unsigned depth, size_t prefix)
{
    size_t stage = 0, input = 0;
    bool more = next_reader(t->c, from, &stage, &input);
    while (more) {
        const struct pen_stage_config *to = &t->c->stages[stage];
        const char *output = to->inputs[input].output, *line;
        input++;
        more = next_reader(t->c, from, &stage, &input);
        printf("%.*s%s", (int)prefix, t->prefix, more ? "├─ " : "└─ ");
        if (!output || output[0])
            printf("%s → ", output ? output : "*");
        if (depth + 1 >= DEPTH_MAX) {
            printf("%s ...\n", to->name);
            continue;
        }
        line = more ? "│  " : "   ";
        memcpy(t->prefix + prefix, line, strlen(line));
        print_stage(t, to, depth + 1, prefix + strlen(line));
    }
}

static bool print_tree(const struct pen_config *c)
{
    struct tree *t = calloc(1, sizeof *t);
    bool good = t && (t->shown = calloc(c->n_stages + 1, sizeof *t->shown));
    if (good) {
        t->c = c;
        printf("%s\n", c->pipeline.name);
        for (size_t i = 0; i < c->n_stages; i++)
            if (!c->stages[i].n_inputs)
                print_stage(t, &c->stages[i], 0, 0);
        free(t->shown);
    }
    free(t);
    return good;
}

static int graph(struct pen_cli_pipeline *l, const char *path, bool svg)
{
    struct pen_error err = { 0 };
    if (pen_config_load(&l->config, path, l->sets, l->n_sets, &err) < 0)
        return pen_cli_failed(&err);
    if (pen_cli_problems(l) != PEN_EXIT_DONE)
        return PEN_EXIT_USAGE;
    if (!(svg ? pen_cli_graph_svg(l->config) : print_tree(l->config))) {
        pen_fail(&err, PEN_FATAL, "out of memory");
        return pen_cli_failed(&err);
    }
    return pen_cli_flush();
}

int pen_cli_graph(int argc, char **argv)
{
    static const struct option options[] = { { "svg", no_argument, NULL, 'g' }, { "set", required_argument, NULL, 's' }, { 0 } };
    struct pen_cli_pipeline l = { 0 };
    bool svg = false;
    int got, status;
    while ((got = pen_cli_option(argc, argv, options)) != -1) {
        if (got == 'g') {
            svg = true;
        } else if (got == 's') {
            if (!pen_cli_set(&l, optarg))
                return PEN_EXIT_FAILED;
        } else {
            pen_cli_pipeline_fini(&l);
            return got == 'h' ? fputs(usage, stdout), pen_cli_flush() : PEN_EXIT_USAGE;
        }
    }
    status = optind + 1 == argc ? graph(&l, argv[optind], svg) : pen_cli_usage(argv[0], "expected one pipeline file");
    pen_cli_pipeline_fini(&l);
    return status;
}
