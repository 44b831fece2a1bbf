/* host.h - what stands behind struct pen_host: the engine's side of the functions that plugin.h promises to a stage.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_HOST_H
#define PENSTOCK_ENGINE_HOST_H

#include <stdatomic.h>

#include <penstock/plugin.h>

struct pen_metrics;
struct pen_stores;
struct pen_graph;

/* Time as the engine sees it; tests bring their own. */
struct pen_clock {
    int64_t (*now)(void *arg);  /* monotonic, microseconds */
    int64_t (*wall)(void *arg); /* since 1970, microseconds */
    void *arg;
};
extern const struct pen_clock pen_system_clock;

/* One for each run; outlives every stage. */
struct pen_run_context {
    const char *pipeline;
    const char *state_path;
    const struct pen_clock *clock;
    struct pen_stores *stores;   /* of plugins; may be NULL */
    struct pen_metrics *metrics; /* may be NULL */
    const struct pen_graph *graph; /* what runs, for pen_behind(); may be NULL */
    unsigned lanes;
    int64_t commit_interval;     /* see pen_commit_interval() */
    bool until_end;
    bool checking;
    int wake_fd;                 /* an eventfd that stays readable once the run is to stop */
    atomic_bool stopping;
    atomic_llong dead_total;     /* dead letters of all segments, for max_errors */
    uint64_t run_id[2];          /* random: plan ids begin with it */
};

/* One for each stage. */
struct pen_host {
    struct pen_run_context *run;
    const char *stage;       /* its `id`, or its name */
    const char *reader_name; /* see pen_reader_name() */
    bool stored_wanted;      /* see pen_stored_wanted() */
};

#endif
