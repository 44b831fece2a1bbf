/* lane.h - what the files of a lane share: its opening (lane_open.c), its orders and cuts (lane_cut.c), its reading and its step (lane.c). All of it is
 * called on the lane's thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_LANE_H
#define PENSTOCK_ENGINE_LANE_H

#include "engine/segment.h"

/* What the lane writes from now on belongs to the plan that its next cut ends. */
void pen_lane_begin_plan(struct pen_lane *lane);
/* The partition of a source that the lane holds; NULL: it holds none of that id. */
struct lane_part *pen_lane_part(struct pen_lane *lane, unsigned source, uint32_t id);
/* Read to its end, and of a source where that is for good: it is let go at the next cut. */
bool pen_lane_ends_for_good(const struct pen_lane *lane, const struct lane_part *p);
/* The reader is not to read past the next position that a sink shows, so that a batch lies on one side of it. Dead letters (sink 0) need no
 * bound: each has a position of its own. */
pen_status pen_lane_set_bound(struct pen_lane *lane, const struct lane_part *p, struct pen_error *err);
/* Takes the n partitions that control gave; frees adds either way. st < 0: the lane could not be opened, nothing is taken. */
pen_status pen_lane_carry_out(struct pen_lane *lane, struct lane_add *adds, size_t n, pen_status st, struct pen_error *err);
/* Passes one cut: everything written so far belongs to the plan that it ends. A lane that cannot stage reports nothing: its plan is never published.
 * PEN_RETRY: a sink is out of reach, the same call goes on with the rest. */
pen_status pen_lane_pass_cut(struct pen_lane *lane, struct pen_error *err);
/* Forgets what was written since the last cut and lets go of all partitions: control gives them again, with positions that the sinks show. */
pen_step pen_lane_rewind(struct pen_lane *lane, unsigned rewinds, unsigned cuts);
/* Something is out of reach: the lane is to try again a little later, and the operator to hear of it now and then. Clears err. */
void pen_lane_wait(struct pen_lane *lane, const struct pen_host *host, struct pen_error *err);

#endif
