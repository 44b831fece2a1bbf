/* run.h - a run: every segment of a graph with its threads, from opening to the last commit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_RUN_H
#define PENSTOCK_ENGINE_RUN_H

#include "engine/graph.h"

struct pen_metrics;
struct pen_engine;

struct pen_engine_options {
    const char *dead_path;     /* NULL: STATE/dead */
    int64_t shutdown_timeout;  /* microseconds */
};

struct pen_report_sink {
    const char *name;
    int64_t rows, files, bytes, commits;
};
struct pen_report {
    int64_t rows_read, dead_letters, commits;
    double seconds;
    size_t n_sinks;
    const struct pen_report_sink *sinks; /* valid until the next call, or the engine's end */
};

/* Makes the run's context: names, clock, the wake-up descriptor, a random run id. Ends with pen_run_context_fini(). */
pen_status pen_run_context_init(struct pen_run_context *run, const char *pipeline, const char *state_path, unsigned lanes, struct pen_error *err);
void pen_run_context_fini(struct pen_run_context *run);
/* Plugins are told that the run is to stop, also those that an engine is just opening. Any thread. */
void pen_run_context_stop(struct pen_run_context *run);

/* Opens state and every segment (readers before writers), and starts the threads. */
pen_status pen_engine_start(struct pen_engine **out, struct pen_graph *g, const struct pen_engine_options *o, struct pen_error *err);
/* A descriptor that turns readable when the run is over. */
int pen_engine_fd(const struct pen_engine *e);
bool pen_engine_done(const struct pen_engine *e);
/* Finish the batch, commit, end. Any thread. */
void pen_engine_stop(struct pen_engine *e);
/* How it stands. Main thread. */
void pen_engine_report(struct pen_engine *e, struct pen_report *out);
/* Waits for the threads and closes everything; what went wrong, if anything did. */
pen_status pen_engine_finish(struct pen_engine **e, struct pen_error *err);

#endif
