/* writer.h - a lane's writer: what write() hands to the threads that send. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KINESIS_WRITER_H
#define PENSTOCK_KINESIS_WRITER_H

#include <pthread.h>

#include "batcher.h"
#include "kinesis.h"

#define TARGETS 64 /* streams that one stage writes to */

struct target { /* a stream */
    char name[STREAM_NAME];
    char what[STREAM_NAME + 10];
};

struct sink {
    struct options o; /* first: see kinesis_options */
    const struct pen_host *host;
    struct kin_client client;
    int64_t record_size; /* largest record, key included */
    struct ArrowSchema in; /* columns; release NULL where messages come */
    int64_t key;           /* of them, the one that is the key; -1: none */
};

/* Rows whose bytes records point to. */
struct held {
    struct ArrowArray array; /* either a batch of messages */
    struct pen_text text;    /* or columns as JSON */
    size_t bytes;
    size_t left;             /* records of it that are not done */
};

struct place {
    struct seq seq;
    uint64_t shard; /* its number; UINT64_MAX: it has another kind of name */
};

/* What was written since the last stage(). It outlives abandon() until no call uses it any more. */
struct work {
    struct batcher batcher;
    struct held *held;
    size_t n_held, room_held;
    struct place *places; /* of every row, where somebody asks for them */
    size_t n_places, room_places;
    size_t first;         /* place of the batcher's first record */
    size_t bytes;         /* held now */
    unsigned flying;      /* calls */
    bool abandoned;
};

struct writer {
    struct sink *s;
    bool places; /* somebody will ask */
    pthread_mutex_t lock;
    pthread_cond_t more, done; /* something to send; something was answered */
    pthread_t threads[64];
    unsigned n_threads;
    bool stop;
    struct work *work;
    unsigned abandoned; /* calls of abandoned work under way: nothing new is sent before they have ended */
    struct target targets[TARGETS];
    uint32_t n_targets;
    int64_t rows, bytes; /* since the last stage() */
    int64_t not_before;  /* pen_now: the service asked for a pause */
    unsigned refusals;   /* in a row */
    struct pen_error trouble; /* the last that may pass; code PEN_OK: none */
    struct pen_error failure; /* for good */
    uint64_t random;
};

struct work *work_new(void);
void work_free(struct work **w);
/* Starts the threads that send, where they do not run yet. */
pen_status sender_start(struct writer *w, struct pen_error *err);
void sender_stop(struct writer *w);
/* Waits up to so many microseconds for an answer. lock held. */
void sender_wait(struct writer *w, int64_t microseconds);

#endif
