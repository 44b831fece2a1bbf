/* parts.c - the partitions of a segment's sources: which there are, where each starts, which lane reads it.
 *
 * Another lane takes partitions only while all are busy, so that a trickle makes one file a commit and not one a core.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/chain.h"
#include "engine/segment.h"

#define EVENTS_AT_ONCE 4096
#define SHARE_AFTER 250000 /* microseconds that every lane is busy before another is started by a cut of its own */
#define STARVED 1000000 /* microseconds a partition waits while all lanes are busy, before it shares one */

/* -- from ids to indexes ---------------------------------------------------------------------------------------------------------- */

bool pen_id_map_set(struct id_map *m, uint32_t id, size_t index)
{
    if (id >= m->cap) {
        size_t cap = m->cap ? m->cap : 64;
        uint32_t *at;
        while (cap <= id)
            cap *= 2;
        at = realloc(m->at, cap * sizeof *at);
        if (!at)
            return false;
        memset(at + m->cap, 0, (cap - m->cap) * sizeof *at);
        m->at = at;
        m->cap = cap;
    }
    m->at[id] = (uint32_t)index + 1;
    return true;
}
void pen_id_map_unset(struct id_map *m, uint32_t id)
{
    if (id < m->cap)
        m->at[id] = 0;
}
size_t pen_id_map_get(const struct id_map *m, uint32_t id)
{
    return id < m->cap && m->at[id] ? m->at[id] - 1 : SIZE_MAX;
}

static bool push_index(size_t **v, size_t *n, size_t *cap, size_t index)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 16;
        size_t *grown = realloc(*v, more * sizeof *grown);
        if (!grown)
            return false;
        *v = grown;
        *cap = more;
    }
    (*v)[(*n)++] = index;
    return true;
}

pen_status pen_part_queue(struct pen_segment *seg, size_t index, struct pen_error *err)
{
    pthread_mutex_lock(&seg->lock); /* who stops upstream looks at states */
    seg->parts[index].state = PART_QUEUED;
    pthread_mutex_unlock(&seg->lock);
    return push_index(&seg->queue, &seg->n_queue, &seg->cap_queue, index) ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

/* -- events ----------------------------------------------------------------------------------------------------------------------- */

/* "NAME" or "NAME@INCARNATION", each escaped. */
static char *make_key_part(const char *name, const char *incarnation)
{
    char *a = pen_key_escape(name), *b = pen_key_escape(incarnation), *out = NULL;
    if (a && b && (out = malloc(strlen(a) + strlen(b) + 2)))
        sprintf(out, "%s%s%s", a, b[0] ? "@" : "", b);
    free(a);
    free(b);
    return out;
}

static void free_words(struct seg_part *p)
{
    free(p->name), free(p->incarnation), free(p->key_part), free(p->shown);
    p->name = p->incarnation = p->key_part = NULL;
    p->shown = NULL;
}

/* Where a further partition can be kept: where a released one was, else behind the last. SIZE_MAX: out of memory. */
static size_t pick_slot(struct pen_segment *seg)
{
    if (seg->n_spare)
        return seg->spare[seg->n_spare - 1];
    if (seg->n_parts == seg->cap_parts) {
        size_t cap = seg->cap_parts ? seg->cap_parts * 2 : 16;
        struct seg_part *parts;
        pthread_mutex_lock(&seg->lock); /* lanes look at the array */
        parts = realloc(seg->parts, cap * sizeof *parts);
        if (parts) {
            seg->parts = parts;
            seg->cap_parts = cap;
        }
        pthread_mutex_unlock(&seg->lock);
        if (!parts)
            return SIZE_MAX;
    }
    return seg->n_parts;
}

static pen_status add_part(struct pen_segment *seg, unsigned source, const struct pen_partition_event *ev, size_t *index, struct pen_error *err)
{
    struct seg_part p = { .source = source, .id = ev->id };
    if (pen_id_map_get(&seg->sources[source].by_id, ev->id) != SIZE_MAX)
        return pen_fail(err, PEN_FATAL, "%s: partition %s was assigned twice", seg->graph->stages[seg->sources[source].stage].name, ev->name);
    *index = pick_slot(seg);
    p.name = strdup(ev->name);
    p.incarnation = strdup(ev->incarnation ? ev->incarnation : "");
    p.key_part = p.name && p.incarnation ? make_key_part(p.name, p.incarnation) : NULL;
    p.shown = calloc(seg->n_sinks, sizeof *p.shown);
    if (*index == SIZE_MAX || !p.key_part || !p.shown || !pen_id_map_set(&seg->sources[source].by_id, ev->id, *index)) {
        free_words(&p);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    pthread_mutex_lock(&seg->lock);
    seg->parts[*index] = p;
    if (*index == seg->n_parts)
        seg->n_parts++;
    else
        seg->n_spare--;
    seg->n_new++;
    seg->sources[source].unended++;
    pthread_mutex_unlock(&seg->lock);
    return PEN_OK;
}

static pen_status take_event(struct pen_segment *seg, unsigned source, const struct pen_partition_event *ev, struct pen_error *err)
{
    size_t index = pen_id_map_get(&seg->sources[source].by_id, ev->id);
    switch (ev->kind) {
    case PEN_PARTITION_NO_MORE:
        seg->sources[source].no_more = true;
        return PEN_OK;
    case PEN_PARTITION_ASSIGNED:
        seg->sources[source].assigned_any = true;
        return add_part(seg, source, ev, &index, err);
    case PEN_PARTITION_REVOKING:
    case PEN_PARTITION_LOST:
        if (index == SIZE_MAX)
            return PEN_OK;
        seg->parts[index].revoking = true;
        if (!push_index(&seg->leave, &seg->n_leave, &seg->cap_leave, index))
            return pen_fail(err, PEN_FATAL, "out of memory");
        if (ev->kind == PEN_PARTITION_LOST)
            seg->rewind_wanted = true;
        else
            seg->cut_now = true;
        return PEN_OK;
    }
    return pen_fail(err, PEN_FATAL, "a source gave an event of unknown kind %d", (int)ev->kind);
}

static pen_status source_events(struct pen_segment *seg, unsigned s, struct pen_error *err)
{
    struct seg_source *src = &seg->sources[s];
    pen_status st = PEN_OK;
    for (int i = 0; i < EVENTS_AT_ONCE && seg->n_queue + seg->n_new < EVENTS_AT_ONCE && src->type->next_event && st == PEN_OK; i++) {
        struct pen_partition_event ev = { 0 };
        st = src->type->next_event(src->instance.ctx, &ev, err);
        if (st == PEN_OK)
            st = take_event(seg, s, &ev, err);
        src->named_all = src->assigned_any && (st == PEN_SKIP || src->no_more);
    }
    if (st == PEN_RETRY) {
        pen_starts_wait(seg, &src->instance.host, err);
        return PEN_OK;
    }
    return st < 0 ? st : PEN_OK;
}

pen_status pen_parts_events(struct pen_segment *seg, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (unsigned s = 0; s < seg->n_sources && st >= 0; s++)
        st = source_events(seg, s, err);
    return st;
}

/* -- lanes ------------------------------------------------------------------------------------------------------------------------ */

static pen_status give(struct pen_segment *seg, struct pen_lane *lane, size_t index, struct pen_error *err)
{
    struct seg_part *p = &seg->parts[index];
    struct lane_add *a;
    if (lane->n_adds == lane->cap_adds) {
        size_t cap = lane->cap_adds ? lane->cap_adds * 2 : 4;
        struct lane_add *adds = realloc(lane->adds, cap * sizeof *adds);
        if (!adds)
            return pen_fail(err, PEN_FATAL, "out of memory");
        lane->adds = adds;
        lane->cap_adds = cap;
    }
    a = &lane->adds[lane->n_adds];
    a->part = index, a->source = p->source, a->id = p->id, a->at = p->at;
    a->skip = malloc(seg->n_sinks * sizeof *a->skip);
    if (!a->skip)
        return pen_fail(err, PEN_FATAL, "out of memory");
    memcpy(a->skip, p->shown, seg->n_sinks * sizeof *a->skip);
    lane->n_adds++;
    if (p->ended) { /* its new lane will find the end anew, and say when it is past it */
        p->ended = false;
        seg->sources[p->source].unended++;
    }
    p->state = PART_HELD;
    p->lane = lane->index;
    lane->held_parts++;
    if (seg->sources[p->source].type->chain)
        lane->busy = true; /* a file has something to read; a stream only when it says so */
    pen_lane_signal(lane);
    return PEN_OK;
}

static struct pen_lane *one_more_lane(struct pen_segment *seg)
{
    struct pen_lane *lane;
    if (seg->lanes_running == seg->n_lanes)
        return NULL;
    lane = &seg->lanes[seg->lanes_running++];
    lane->running = true;
    lane->passed = seg->cuts;
    lane->rewound = seg->rewinds;
    lane->ends_seen = seg->ends;
    lane->ends_since = seg->ends_since;
    pen_lane_starter(lane);
    return lane;
}

/* The lane that should take one more partition, or NULL while all are busy: an idle one, else one more. lock held. */
static struct pen_lane *free_lane(struct pen_segment *seg)
{
    struct pen_lane *best = NULL;
    for (unsigned i = 0; i < seg->lanes_running; i++)
        if (!seg->lanes[i].busy && (!best || seg->lanes[i].held_parts < best->held_parts))
            best = &seg->lanes[i];
    return best ? best : one_more_lane(seg);
}

/* Sources without partitions (what was posted) are read by the first lane. lock held. */
static void start_for_posts(struct pen_segment *seg)
{
    for (size_t s = 0; s < seg->n_sources && !seg->lanes_running; s++)
        if (seg->sources[s].type->no_replay)
            one_more_lane(seg);
}

static struct pen_lane *least_loaded(struct pen_segment *seg)
{
    struct pen_lane *best = &seg->lanes[0];
    for (unsigned i = 1; i < seg->lanes_running; i++)
        if (seg->lanes[i].held_parts < best->held_parts)
            best = &seg->lanes[i];
    return best;
}

/* With a long queue (many small files) a lane is given several at a time. */
static size_t many_at_once(const struct pen_segment *seg, size_t queued)
{
    size_t share = queued / (4 * (size_t)seg->n_lanes);
    return share < 1 ? 1 : share > 32 ? 32 : share;
}

pen_status pen_parts_assign(struct pen_segment *seg, struct pen_error *err)
{
    size_t done = 0;
    int64_t now = pen_now(&seg->sources[0].instance.host);
    pen_status st = PEN_OK;
    pthread_mutex_lock(&seg->lock);
    start_for_posts(seg);
    while (done < seg->n_queue && st >= 0) {
        struct pen_lane *lane = free_lane(seg);
        size_t n = many_at_once(seg, seg->n_queue - done);
        if (!lane && seg->queued_since && now - seg->queued_since > STARVED)
            lane = least_loaded(seg);
        if (!lane)
            break;
        for (; n && st >= 0; n--, done++)
            if (seg->parts[seg->queue[done]].state == PART_QUEUED)
                st = give(seg, lane, seg->queue[done], err);
        seg->queued_since = 0;
    }
    pthread_mutex_unlock(&seg->lock);
    if (done)
        memmove(seg->queue, seg->queue + done, (seg->n_queue - done) * sizeof *seg->queue);
    seg->n_queue -= done;
    if (!seg->n_queue)
        seg->queued_since = 0;
    else if (!seg->queued_since)
        seg->queued_since = now;
    if (seg->n_queue && seg->queued_since + STARVED < seg->wake_at)
        seg->wake_at = seg->queued_since + STARVED + 1;
    return st;
}

/* The lane that others should relieve: all that run are busy, there may be one more, and it holds several partitions. NULL: none. */
static struct pen_lane *overloaded(struct pen_segment *seg)
{
    struct pen_lane *most = NULL;
    if (seg->lanes_running >= seg->n_lanes || seg->n_queue || seg->closing)
        return NULL;
    for (unsigned i = 0; i < seg->lanes_running; i++) {
        if (!seg->lanes[i].busy)
            return NULL;
        if (!most || seg->lanes[i].held_parts > most->held_parts)
            most = &seg->lanes[i];
    }
    return most && most->held_parts > 1 ? most : NULL;
}

bool pen_parts_share_soon(struct pen_segment *seg, int64_t now)
{
    if (!overloaded(seg)) {
        seg->share_since = 0;
        return false;
    }
    if (!seg->share_since)
        seg->share_since = now;
    if (now - seg->share_since >= SHARE_AFTER)
        return true;
    if (seg->share_since + SHARE_AFTER < seg->wake_at)
        seg->wake_at = seg->share_since + SHARE_AFTER;
    return false;
}

/* Half of an overloaded lane's partitions are for a further lane. lock held. */
static void choose_to_share(struct pen_segment *seg)
{
    struct pen_lane *most = overloaded(seg);
    size_t wanted = most ? most->held_parts / 2 : 0;
    seg->share_since = 0;
    for (size_t i = 0; i < seg->n_parts && wanted; i++) {
        const struct seg_part *p = &seg->parts[i];
        if (p->state == PART_HELD && p->lane == most->index && !p->ended && push_index(&seg->leave, &seg->n_leave, &seg->cap_leave, i))
            wanted--;
    }
}

void pen_parts_prepare_cut(struct pen_segment *seg)
{
    size_t kept = 0;
    choose_to_share(seg);
    for (size_t i = 0; i < seg->n_leave; i++) {
        struct seg_part *p = &seg->parts[seg->leave[i]];
        struct pen_lane *lane = &seg->lanes[p->lane];
        if (p->state == PART_HELD && push_index(&lane->removes, &lane->n_removes, &lane->cap_removes, seg->leave[i]))
            p->state = PART_LEAVING;
        if (p->state != PART_RELEASED)
            seg->leave[kept++] = seg->leave[i];
    }
    seg->n_leave = kept;
}

/* Its lane has read partition `index` to its end for good, and has let go of it. */
pen_status pen_part_finish(struct pen_segment *seg, size_t index, struct pen_error *err)
{
    seg->parts[index].finished = true;
    seg->parts[index].state = PART_LEAVING;
    return push_index(&seg->leave, &seg->n_leave, &seg->cap_leave, index) ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

/* Nobody holds partition `index` any more, so that its place can be another's. */
static pen_status release(struct pen_segment *seg, size_t index, struct pen_error *err)
{
    struct seg_part *p = &seg->parts[index];
    const struct seg_source *src = &seg->sources[p->source];
    if (!push_index(&seg->spare, &seg->n_spare, &seg->cap_spare, index))
        return pen_fail(err, PEN_FATAL, "out of memory");
    pthread_mutex_lock(&seg->lock);
    seg->n_new -= p->state == PART_NEW;
    p->state = PART_RELEASED;
    if (!p->ended)
        seg->sources[p->source].unended--;
    p->ended = true;
    pthread_mutex_unlock(&seg->lock);
    free_words(p);
    pen_id_map_unset(&seg->sources[p->source].by_id, p->id);
    return src->type->release_partition ? src->type->release_partition(src->instance.ctx, p->id, err) : PEN_OK;
}

pen_status pen_parts_after_commit(struct pen_segment *seg, struct pen_error *err)
{
    size_t kept = 0;
    pen_status st = PEN_OK;
    for (size_t i = 0; i < seg->n_leave && st >= 0; i++) {
        struct seg_part *p = &seg->parts[seg->leave[i]];
        if (p->state == PART_RELEASED)
            continue; /* it was listed twice */
        if (p->state == PART_HELD) { /* came after the cut: at the next */
            seg->leave[kept++] = seg->leave[i];
            seg->cut_now = seg->cut_now || p->revoking;
            continue;
        }
        if (p->state == PART_LEAVING) {
            pthread_mutex_lock(&seg->lock);
            seg->lanes[p->lane].held_parts--;
            pthread_mutex_unlock(&seg->lock);
        }
        if (p->revoking || p->finished)
            st = release(seg, seg->leave[i], err);
        else if (p->state == PART_LEAVING)
            st = pen_part_queue(seg, seg->leave[i], err);
    }
    seg->n_leave = kept;
    return st;
}

pen_status pen_parts_restart(struct pen_segment *seg, struct pen_error *err)
{
    pen_status st = pen_chains_reopen(seg, err);
    if (st != PEN_OK)
        return st;
    seg->n_queue = seg->n_leave = seg->n_new = 0;
    for (unsigned i = 0; i < seg->lanes_running; i++)
        seg->lanes[i].held_parts = 0;
    for (size_t i = 0; i < seg->n_parts && st == PEN_OK; i++) {
        struct seg_part *p = &seg->parts[i];
        if (p->state == PART_RELEASED)
            continue;
        pthread_mutex_lock(&seg->lock);
        if (p->ended)
            seg->sources[p->source].unended++;
        p->ended = p->found = p->finished = false; /* what it ended with may not have been committed */
        p->state = PART_NEW;
        seg->n_new++;
        pthread_mutex_unlock(&seg->lock);
        if (p->revoking)
            st = release(seg, i, err);
    }
    return st;
}
