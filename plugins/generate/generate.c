/* generate.c - posts out of nothing: a source for trying things out, demonstrations, tests and benchmarks.
 *
 * Every post is a function of seed and index (post.c), so a position is an index and anything can be read again. Indexes are dealt out in
 * blocks to a fixed number of partitions, whatever the lanes; a lane takes the lowest block first, so that one lane gives them in order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <penstock/pace.h>
#include <penstock/plugin.h>

#include "post.h"

#define SHARDS 8
#define BLOCK 2048 /* posts */

struct generate {
    int64_t count, seed, first; /* options */
    double rate, dirty;
    const struct pen_host *host;
    struct pen_output outputs[3];
    struct pen_pace *pace;
    uint32_t offered; /* shards, by control */
    bool no_more;
    char name[16], incarnation[32];
};
struct shard {
    bool held, ended;
    uint64_t at;    /* next index */
    uint64_t bound; /* 0: none */
};
struct reader {
    struct generate *source;
    struct shard shards[SHARDS];
    int64_t wake_at;
    char record[POST_MAX];
};

static const struct pen_option options[] = {
    { "count", PEN_OPT_COUNT, offsetof(struct generate, count), "0", 0, INT64_C(1) << 60, NULL, 0, "How many posts; 0 goes on for ever." },
    { "seed", PEN_OPT_INT, offsetof(struct generate, seed), "1", 0, 0, NULL, 0, "The same seed gives the same posts." },
    { "first", PEN_OPT_COUNT, offsetof(struct generate, first), "0", 0, INT64_C(1) << 60, NULL, 0, "Index of the first post." },
    { "rate", PEN_OPT_RATE, offsetof(struct generate, rate), NULL, 0, 0, NULL, 0, "Posts a second, steadily; as many as there can be where not given." },
    { "dirty", PEN_OPT_FLOAT, offsetof(struct generate, dirty), "0", 0, 1, NULL, 0,
      "Share of records that are broken on purpose: cut off, no UTF-8, without an index, too deep." },
    { 0 }
};

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct generate *g = ctx;
    if (!(g->dirty >= 0 && g->dirty <= 1))
        return pen_fail(err, PEN_BADCONF, "dirty = %g: expected a share from 0 to 1", g->dirty);
    if (g->count == 0 && pen_until_end(host))
        return pen_fail(err, PEN_BADCONF, "count = 0 goes on for ever, and --until-end asks for an end: set count");
    g->host = host;
    g->outputs[POST_PIN].name = "pin";
    g->outputs[POST_GEO].name = "geo";
    g->outputs[POST_USER].name = "user";
    snprintf(g->incarnation, sizeof g->incarnation, "seed-%" PRId64, g->seed);
    return pen_pace_new(&g->pace, g->rate, err);
}

static void stop(void *ctx)
{
    struct generate *g = ctx;
    pen_pace_free(&g->pace);
}

static pen_status outputs(void *ctx, struct pen_output **out, size_t *n, struct pen_error *err)
{
    struct generate *g = ctx;
    (void)err;
    *out = g->outputs;
    *n = 3;
    return PEN_OK;
}

/* -- which index belongs to whom ------------------------------------------------------------------------------------------------------ */

static uint64_t end_of(const struct generate *g)
{
    return g->count ? (uint64_t)g->first + (uint64_t)g->count : UINT64_MAX;
}

/* The first index from `at` on that is the shard's. */
static uint64_t next_of(uint32_t shard, uint64_t at)
{
    uint64_t block = at / BLOCK, off = (shard + SHARDS - block % SHARDS) % SHARDS;
    return off ? (block + off) * BLOCK : at;
}

static pen_status next_event(void *ctx, struct pen_partition_event *event, struct pen_error *err)
{
    struct generate *g = ctx;
    (void)err;
    while (g->offered < SHARDS) {
        uint32_t shard = g->offered++;
        if (next_of(shard, (uint64_t)g->first) >= end_of(g))
            continue;
        snprintf(g->name, sizeof g->name, "%" PRIu32, shard);
        *event = (struct pen_partition_event){ PEN_PARTITION_ASSIGNED, shard, g->name, g->incarnation };
        return PEN_OK;
    }
    if (g->no_more)
        return PEN_SKIP;
    g->no_more = true;
    *event = (struct pen_partition_event){ .kind = PEN_PARTITION_NO_MORE };
    return PEN_OK;
}

static pen_status beginning(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err)
{
    const struct generate *g = ctx;
    (void)id, (void)first_run, (void)err;
    *pos = pen_position_of((uint64_t)g->first);
    return PEN_SKIP; /* the same whenever asked */
}

static pen_status start_partition(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    (void)ctx;
    if (pos->n != 1 || id >= SHARDS)
        return pen_fail(err, PEN_FATAL, "partition %" PRIu32 ": expected the index of a post as its position", id);
    return PEN_OK;
}

/* -- a lane's reader -------------------------------------------------------------------------------------------------------------------- */

static pen_status reader_open(void *ctx, unsigned lane, void **reader, struct pen_error *err)
{
    struct reader *r = calloc(1, sizeof *r);
    (void)lane;
    if (!r)
        return pen_fail(err, PEN_FATAL, "out of memory");
    r->source = ctx;
    *reader = r;
    return PEN_OK;
}

static pen_status reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    (void)err;
    r->shards[id] = (struct shard){ .held = true, .at = pos->w[0] };
    r->wake_at = 0;
    return PEN_OK;
}

static pen_status reader_remove(void *reader, uint32_t id, struct pen_error *err)
{
    struct reader *r = reader;
    (void)err;
    r->shards[id].held = false;
    return PEN_OK;
}

static pen_status reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    (void)err;
    r->shards[id].bound = pos->n ? pos->w[0] : 0;
    return PEN_OK;
}

/* Feeds the post to whoever reads it; whether there is room for another one. */
static bool feed(struct reader *r, const struct pen_read *read, uint64_t index)
{
    const struct generate *g = r->source;
    bool room = true;
    for (int kind = POST_PIN; kind <= POST_USER; kind++) {
        struct pen_intake *in = read->intakes[kind];
        if (!in)
            continue;
        struct pen_message m = { .value = r->record, .timestamp = INT64_MIN, .offset = -1, .position = index };
        m.value_size = post_write(r->record, (post_kind)kind, (uint64_t)g->seed, index, g->dirty);
        pen_intake_message(in, &m);
        room = room && pen_intake_bytes(in) < read->max_bytes;
    }
    return room;
}

static pen_status read_posts(void *reader, struct pen_read *read, struct pen_error *err)
{
    struct reader *r = reader;
    struct generate *g = r->source;
    uint32_t id = SHARDS;
    for (uint32_t i = 0; i < SHARDS; i++)
        if (r->shards[i].held && !r->shards[i].ended && (id == SHARDS || next_of(i, r->shards[i].at) < next_of(id, r->shards[id].at)))
            id = i;
    r->wake_at = INT64_MAX;
    if (id == SHARDS)
        return PEN_SKIP;
    struct shard *s = &r->shards[id];
    uint64_t end = end_of(g), begin = next_of(id, s->at), at = begin, limit = (begin / BLOCK + 1) * BLOCK;
    limit = limit < end ? limit : end;
    if (s->bound > begin && s->bound < limit)
        limit = s->bound;
    read->partition = id;
    read->from = pen_position_of(s->at);
    if (begin >= end || (s->bound > s->at && s->bound <= begin)) { /* no post lies before the end, or before the bound */
        s->at = begin >= end ? s->at : s->bound;
        read->to = pen_position_of(s->at);
        read->end = s->ended = begin >= end;
        r->wake_at = 0;
        return PEN_OK;
    }
    int64_t room = (int64_t)(limit - begin), may;
    room = room < read->max_rows ? room : read->max_rows;
    may = pen_pace_take(g->pace, pen_now(g->host), room);
    if (may == 0) {
        r->wake_at = pen_pace_at(g->pace);
        return PEN_SKIP;
    }
    if (pen_failpoint("generate.read", err) < 0)
        return PEN_FATAL;
    for (bool more = true; more && at < begin + (uint64_t)may; at++)
        more = feed(r, read, at);
    pen_pace_give_back(g->pace, may - (int64_t)(at - begin));
    r->wake_at = 0;
    s->at = at;
    read->to = pen_position_of(at);
    read->end = s->ended = next_of(id, at) >= end;
    return PEN_OK;
}

static int64_t wake_at(void *reader)
{
    return ((struct reader *)reader)->wake_at;
}

static const struct pen_source source = {
    .ctx_size = sizeof(struct generate),
    .options = options,
    .start = start,
    .stop = stop,
    .outputs = outputs,
    .next_event = next_event,
    .beginning = beginning,
    .start_partition = start_partition,
    .reader_open = reader_open,
    .reader_close = free,
    .reader_add = reader_add,
    .reader_remove = reader_remove,
    .reader_bound = reader_bound,
    .read = read_posts,
    .wake_at = wake_at,
};

extern const struct pen_plugin generate_LTX_pen_plugin;
const struct pen_plugin generate_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "generate",
    .summary = "Pinterest-shaped posts, their places and their users, made up from a seed",
    .licence = "Apache-2.0",
    .doc = "Gives three outputs, pin, geo and user, of one post with the same index, as JSON records like those that producers send, with the odd values "
           "that real ones hold: No Title Data Available, User Info Error, follower counts such as 124k, times with T and with a space.\n\n"
           "An output that nobody reads is not made. The same seed gives the same posts, and any post can be made again by its index, so that a run that "
           "was killed goes on where it stood. With another seed it begins anew.",
    .source = &source,
};
