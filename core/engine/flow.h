/* flow.h - one read's batches on their way from a source through the transforms to the sinks of a segment.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_FLOW_H
#define PENSTOCK_ENGINE_FLOW_H

#include "engine/segment.h"

struct pen_flow {
    struct pen_lane *lane;
    unsigned source;              /* index into seg->sources */
    const struct lane_part *part; /* NULL: the source has no positions */
    struct pen_position from, to;
    struct seg_landing *landings; /* [outputs], or NULL: where the rows of each output go in a sink, for those who wait to be told */
    const struct pen_position *wide; /* while an output is run: positions of its rows by index, NULL: last words */
    unsigned output;              /* that is being run */
    struct pen_rows where;        /* of it, as sinks are told */
    int64_t rows;                 /* out: taken in, rejected ones included */
    int64_t bytes;                /* out: that they hold in memory */
};

/* Runs everything that read() left in r->batches and the intakes. Lane's thread. */
pen_status pen_flow_run(struct pen_flow *f, struct pen_read *r, struct pen_error *err);
/* Drops it instead. */
void pen_flow_drop(struct pen_flow *f, struct pen_read *r);

#endif
