/* model.h - running a world with its processes: chaos, then calm, then the count. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_MODEL_MODEL_H
#define PENSTOCK_TESTS_MODEL_MODEL_H

#include "process.h"

struct model {
    struct world w;
    struct setup setup;
    struct process procs[MAX_PROCS];
    unsigned n_procs;
    char folder[100];    /* of the processes' state, removed at the end */
    uint64_t seed;
    char why[600];       /* what went wrong first */
    bool no_new_records, no_moves, no_kills; /* what chaos leaves out */
};

void model_init(struct model *m, uint64_t seed);
void model_fini(struct model *m);
/* Starts process i if it is down; what it says, if it may not start, is the model's failure. */
bool model_start(struct model *m, unsigned i);
/* Steps, with faults and events in between. */
bool model_chaos(struct model *m, int steps);
/* No more faults: every process is started to run to the end. */
bool model_calm(struct model *m);
/* Steps of process i until nothing in it moves, `most` at most; time stands still. False when it fails. */
bool model_settle(struct model *m, unsigned i, int most);
/* Each record once in every sink, or once among the dead letters; order within partitions kept. */
bool model_verify(struct model *m);
__attribute__((format(printf, 2, 3))) bool model_fail(struct model *m, const char *fmt, ...);

#endif
