/* graph.h - a pipeline as stages and edges, its types checked, cut into segments. What runs is made from it (segment.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_GRAPH_H
#define PENSTOCK_ENGINE_GRAPH_H

#include <penstock/plugin.h>

#include "config/config.h"
#include "engine/host.h"

/* How an end of a plugin is configured: a context with its options set, before start(); copied for every instance. */
struct pen_template {
    void *bytes;
    size_t size;
};

struct pen_stage {
    pen_stage_kind kind;
    const char *name; /* as in the file */
    const char *id;   /* as in keys */
    const struct pen_plugin *plugin;
    struct pen_template source, transform, sink;
    struct ArrowSchema *outputs; /* schema of each output; raw ones too */
    char **output_names;
    bool *output_intake;         /* records of bytes, fed through an intake */
    bool *output_read;
    size_t n_outputs;
    struct ArrowSchema in;       /* what apply() or write() gets */
    bool fsync;                  /* its option `fsync` is not `no` */
    const struct pen_stage_config *config;
};

/* An arrow of the pipeline. */
struct pen_edge {
    unsigned from, output, to;
    struct ArrowSchema want;     /* empty: as it is */
    bool pick;                   /* columns picked by name, as `want` says */
    bool decode;                 /* by the intake, to `want` */
    bool encode;                 /* columns to raw messages of JSON */
    struct pen_place place;      /* of its word in the `input` line, for messages */
};

/* The parts of one segment, as indexes into the graph. */
struct pen_segment_def {
    unsigned *sources;
    size_t n_sources;
    unsigned *transforms; /* in topological order */
    size_t n_transforms;
    unsigned *sinks;      /* in the order of publishing, without dead letters; the anchor is the last */
    size_t n_sinks;
    unsigned *edges;
    size_t n_edges;
    unsigned *upstream;   /* segments that write a transport which this one reads */
    size_t n_upstream;
    bool shared_reading;  /* its transport is read by other segments too */
    char *reader_name;
};

struct pen_graph {
    struct pen_run_context *run;
    struct pen_stage *stages;
    size_t n_stages;
    struct pen_edge *edges;
    size_t n_edges, cap_edges;
    unsigned *order;             /* stages so that each comes after those it reads */
    struct pen_segment_def *segments;
    size_t n_segments;
    int64_t commit_interval, commit_rows, commit_bytes, memory_limit, max_errors, max_record; /* 0: no bound */
};

/* Whether its writing end shows positions itself. */
bool pen_stage_shows(const struct pen_stage *s);
/* A context of one end of a stage, from its template; started. type_start and type_stop are the descriptor's. */
struct pen_instance;
pen_status pen_instance_start(struct pen_instance *in, const struct pen_template *t,
                              pen_status (*start)(void *, const struct pen_host *, struct pen_error *), struct pen_error *err);
void pen_instance_stop(struct pen_instance *in, void (*stop)(void *));

/* Makes the graph of a configuration: plugins are loaded, contexts filled, edges drawn, and every stage is asked for its schemas with instances
 * that are gone afterwards (run->checking is true meanwhile: they make nothing). What is wrong goes to c->diags; *out is set whenever memory
 * sufficed and no mistake stands in the way of drawing it, else NULL: look at c->diags.errors. */
pen_status pen_graph_build(struct pen_graph **out, struct pen_config *c, struct pen_run_context *run, struct pen_error *err);
/* The part of pen_graph_build() that asks the stages, for graphs that were made by hand (tests). Mistakes go to c->diags, or where c is NULL to
 * err. */
pen_status pen_graph_types(struct pen_graph *g, struct pen_config *c, struct pen_error *err);
/* Cuts the graph into segments. After the types. only: names of stages to run (n = 0: all); segments without any of them are left out. */
pen_status pen_graph_cut(struct pen_graph *g, const char *const *only, size_t n_only, struct pen_error *err);
void pen_graph_free(struct pen_graph **g);
/* One more edge; *edge is valid until the next. */
pen_status pen_graph_add_edge(struct pen_graph *g, unsigned from, unsigned output, unsigned to, struct pen_edge **edge, struct pen_error *err);

#endif
