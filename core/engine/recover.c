/* recover.c - the plan that the last run left in `state`: published again, or, where what was staged for it is lost, taken back.
 * SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "engine/segment.h"
#include "engine/state.h"

/* From here on the plan is taken back, also by runs to come: what is removed of it must not make it look like one that was published. */
pen_status pen_plan_lost(const struct pen_segment *seg, const struct seg_sink *sink, struct pen_error *err)
{
    if (sink->shows || !sink->type->retract)
        return pen_fail(err, PEN_FATAL, "%s: what was staged for a commit is lost, and the sink cannot take the commit back", sink->name);
    pen_log(&(struct pen_host){ seg->run, sink->name, NULL, false }, PEN_LOG_WARN,
            "the store has lost a part of a commit: what can be seen of it is removed, and its rows are read again");
    pen_status st = pen_state_refuse_plan(seg->state, sink->name, err);
    return st < 0 ? st : pen_failpoint("commit.lost", err);
}

/* One try; PEN_SKIP: unclear, with the reason in *why. */
static pen_status try_once(const struct pen_segment *seg, const struct seg_sink *sink, const struct pen_plan *plan, bool *back, struct pen_error *why)
{
    pen_publish_outcome outcome = PEN_PUBLISH_DONE;
    pen_status st = PEN_OK;
    if (!*back)
        st = sink->type->publish(sink->ctx, plan, &outcome, why);
    if (st == PEN_OK && outcome == PEN_PUBLISH_LOST) {
        st = pen_plan_lost(seg, sink, why);
        *back = st >= 0;
        outcome = PEN_PUBLISH_DONE;
    }
    if (st >= 0 && *back)
        st = pen_failpoint("commit.before-retract", why);
    if (st >= 0 && *back)
        st = sink->type->retract(sink->ctx, plan, why);
    if (st >= 0 && *back)
        st = pen_failpoint("commit.after-retract", why);
    if (st < 0)
        return st == PEN_RETRY ? PEN_SKIP : st;
    if (outcome == PEN_PUBLISH_DONE)
        return PEN_OK;
    pen_fail(why, PEN_FATAL, "%s: the commit that the last run left unfinished could not be finished", sink->name);
    return outcome == PEN_PUBLISH_UNKNOWN ? PEN_SKIP : PEN_FATAL;
}

/* What the last run was about when it was killed may still be on its way, so an unclear answer is asked for some seconds more. */
static pen_status settle_left(const struct pen_segment *seg, const struct seg_sink *sink, const struct pen_plan *plan, bool *back, struct pen_error *err)
{
    for (int64_t pause = PEN_FIRST_PAUSE;; pause *= 2) {
        struct pen_error why = { 0 };
        pen_status st = try_once(seg, sink, plan, back, &why);
        if (st == PEN_OK)
            return PEN_OK;
        if (st < 0 || pause > PEN_LONGEST_PAUSE || atomic_load(&seg->run->stopping))
            return pen_fail(err, st < 0 ? st : PEN_FATAL, "%s", why.msg);
        poll(&(struct pollfd){ .fd = seg->run->wake_fd, .events = POLLIN }, 1, (int)(pause / 1000));
    }
}

pen_status pen_plan_recover(struct pen_segment *seg, struct pen_error *err)
{
    for (size_t k = 1; k < seg->n_sinks; k++) {
        const struct seg_sink *sink = &seg->sinks[k];
        struct pen_plan *plan = NULL;
        bool back;
        pen_status st;
        if (sink->shows)
            continue;
        st = pen_state_load_plan(seg->state, sink->name, &plan, err);
        if (st == PEN_SKIP)
            continue;
        if (st == PEN_OK) {
            plan->replay = true;
            back = !plan->id[0];
            st = settle_left(seg, sink, plan, &back, err);
        }
        if (st == PEN_OK)
            st = back ? pen_state_drop_plan(seg->state, sink->name, err) : pen_state_finish_plan(seg->state, sink->name, plan, err);
        pen_plan_free(&plan);
        if (st < 0)
            return st;
    }
    return PEN_OK;
}
