/* process.h - one process of the model: a graph made by hand, its segments, and a step at a time. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_MODEL_PROCESS_H
#define PENSTOCK_TESTS_MODEL_PROCESS_H

#include "engine/segment.h"
#include "world.h"

struct setup {
    bool table, folder;   /* which sinks; a segment's anchor is the table where there is one */
    bool two_tables;
    bool check;           /* the transform that refuses records */
    bool start_latest;
    bool posts;           /* the source cannot be read again */
    unsigned topics;      /* merged into one stage */
    unsigned lanes;
    int64_t commit_rows, commit_interval;
    const char *source_name, *table_name;
};

struct process {
    struct world *w;
    int number;
    bool up;
    struct setup setup;
    struct pen_run_context run;
    struct pen_clock clock;
    struct pen_graph *graph;
    struct pen_state *state;
    struct pen_dead *dead;
    struct pen_host dead_host;
    struct pen_segment seg;
    struct stub store;
    char state_path[200];
    unsigned generation;
};

/* Starts it; PEN_FATAL with why when it could not (killed on the way counts as that). */
pen_status process_start(struct process *p, struct pen_error *err);
/* Dies, with nothing told to anyone. */
void process_kill(struct process *p);
/* One step of control or a lane, whichever the dice say. False when nothing in it can move before time does. */
bool process_step(struct process *p);
bool process_finished(const struct process *p);
bool process_failed(const struct process *p, const char **why);

#endif
