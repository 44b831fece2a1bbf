/* starts.c - where partitions begin: what the sinks show of them, or a first position, which is committed before anything is read.
 *
 * Until then they are PART_NEW. A store that is out of reach makes them wait, not the run fail.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/segment.h"

#define PAUSE 1000000           /* microseconds before what is out of reach is asked again */
#define COMPLAIN_PAUSE 10000000 /* between two lines about that */

void pen_starts_wait(struct pen_segment *seg, const struct pen_host *host, struct pen_error *err)
{
    int64_t now = pen_now(host);
    if (now >= seg->complain_at) {
        pen_log(host, PEN_LOG_WARN, "%s", err->msg);
        seg->complain_at = now + COMPLAIN_PAUSE;
    }
    memset(err, 0, sizeof *err);
    seg->start_at = now + PAUSE;
}

static bool is_new(const struct seg_part *p)
{
    return p->state == PART_NEW && !p->revoking;
}

static pen_status start(struct pen_segment *seg, size_t index, struct pen_error *err)
{
    struct seg_part *p = &seg->parts[index];
    const struct seg_source *src = &seg->sources[p->source];
    pen_status st = src->type->start_partition ? src->type->start_partition(src->instance.ctx, p->id, &p->at, err) : PEN_OK;
    if (st < 0)
        return st;
    seg->n_new--;
    return pen_part_queue(seg, index, err);
}

/* Asks the sinks about every new partition. *adopt: how many are without a position that a restart would find again. */
static pen_status find(struct pen_segment *seg, size_t *adopt, struct pen_error *err)
{
    pen_status st = PEN_OK;
    *adopt = 0;
    for (size_t i = 0; i < seg->n_parts && st >= 0; i++) {
        struct seg_part *p = &seg->parts[i];
        if (!is_new(p))
            continue;
        if (!p->found) {
            st = pen_part_find_shown(seg, p, err);
            p->found = st >= 0;
        }
        *adopt += p->found && p->adopt && !p->shown[seg->anchor].n;
    }
    return st;
}

pen_status pen_starts_go_on(struct pen_segment *seg, struct pen_error *err)
{
    size_t adopt;
    pen_status st;
    if (!seg->n_new || pen_now(&seg->sources[0].instance.host) < seg->start_at) {
        if (seg->n_new && seg->start_at < seg->wake_at)
            seg->wake_at = seg->start_at;
        return PEN_OK;
    }
    st = find(seg, &adopt, err);
    if (st >= 0 && adopt)
        return pen_plan_adopt(seg, adopt, err);
    for (size_t i = 0; i < seg->n_parts && st >= 0; i++)
        if (is_new(&seg->parts[i]))
            st = start(seg, i, err);
    if (st == PEN_RETRY) {
        pen_starts_wait(seg, &(struct pen_host){ seg->run, seg->sinks[seg->anchor].name, NULL, false }, err);
        return PEN_OK;
    }
    if (st < 0)
        return st;
    for (size_t s = 0; s < seg->n_sources; s++) /* who comes later was not there in the first run */
        seg->sources[s].shown_any = seg->sources[s].shown_any || seg->sources[s].named_all;
    return PEN_OK;
}
