/* group.h - the reading end's consumer: one for the stage, with a thread that keeps it in its group whatever the lanes wait for.
 *
 * librdkafka knows of a partition twice: as one that the group has given to us, and as one that is fetched. Here they are apart. What the
 * group gives is acknowledged at once, and fetched only when a lane has been handed it with a position; what it takes away is let go of when
 * the engine has committed, or when half of max.poll.interval.ms is over. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KAFKA_GROUP_H
#define PENSTOCK_KAFKA_GROUP_H

#include "kafka.h"

typedef enum {
    PART_FRESH,    /* the group gave it; its offsets are being asked for */
    PART_HELD,     /* the engine knows of it */
    PART_REVOKING, /* the group wants it back; the engine is to commit and release it */
    PART_GONE      /* given back (or lost) before the engine released it */
} part_state;

struct part {
    struct part *next;
    part_state state;
    bool released;          /* by the engine */
    uint32_t id;
    int32_t number;
    char *name;             /* TOPIC-NUMBER */
    const char *incarnation;
    /* Offsets when it was given to us. */
    int64_t low, high, stored, by_time; /* stored, by_time: -1 where there is none */
    /* What is fetched; written by the lane that holds it, under the group's lock. */
    bool fetched;           /* it is in librdkafka's assignment */
    rd_kafka_queue_t *queue;
    _Atomic int64_t at;     /* the next offset to hand over */
    int64_t eof;            /* offset at which librdkafka said that there is no more; -1: none */
    int64_t taken;          /* bytes from the queue since fetch_go_on() last woke anybody; the lane's */
    int64_t settle;         /* offset to commit to the group, -1: none */
};

typedef enum { NOTE_ASSIGNED, NOTE_REVOKING, NOTE_LOST } note_kind;
struct note {
    note_kind kind;
    uint32_t id;
};

struct group {
    struct client client;
    const struct options *o;
    const struct pen_host *host;
    struct start start;
    char *topic_id;
    pthread_t thread;
    atomic_bool closing;
    bool running;
    int64_t patience;       /* microseconds that a revoked partition may take: half of max.poll.interval.ms */
    pthread_mutex_t lock;
    struct part *parts;
    uint32_t next_id;
    struct note *notes;     /* events that the engine has not taken */
    size_t n_notes, cap_notes;
    bool assigned_once;     /* the group has answered */
    bool revoking;          /* librdkafka waits for our incremental_unassign() */
    int64_t revoke_deadline;
    int64_t gauges_at, ask_at;
    int64_t wake_after, each_weighs; /* of fetch_go_on(): bytes; what a message counts besides its own */
};

pen_status group_open(struct group *g, const struct options *o, const struct pen_host *host, struct pen_error *err);
void group_close(struct group *g);
/* lock held. */
struct part *group_part(struct group *g, uint32_t id);
/* The engine has no more to do with it. lock not held. */
void group_release(struct group *g, uint32_t id);
/* Asks the broker for the offsets that it holds. May wait. */
pen_status group_bounds(struct group *g, int32_t number, int64_t *low, int64_t *high, struct pen_error *err);

/* -- fetching -------------------------------------------------------------------------------------------------------------------- */

/* Sets how much may be fetched ahead. */
pen_status fetch_configure(struct group *g, rd_kafka_conf_t *conf, struct pen_error *err);
/* Makes librdkafka fetch the partition from this offset on, and nothing else of it come out of its queue. lock not held. */
pen_status fetch_from(struct group *g, struct part *p, int64_t offset, struct pen_error *err);
/* A lane has taken these from the partition's queue: there may be room in it. Lane. */
void fetch_go_on(struct group *g, struct part *p, size_t messages, size_t bytes);

#endif
