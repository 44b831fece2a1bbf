/* producer.h - a producer with a thread that hears what became of each record. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KAFKA_PRODUCER_H
#define PENSTOCK_KAFKA_PRODUCER_H

#include "kafka.h"

/* A topic as one producer has it. */
struct producer_topic {
    struct producer_topic *next;
    rd_kafka_topic_t *rkt;
    char name[];
};

struct producer {
    struct client client;
    pthread_t thread;
    bool running;
    const char *transactional; /* its transactional.id; NULL: none */
    atomic_bool closing;
    pthread_mutex_t lock; /* of the topics and, with `drained`, of who waits for deliveries */
    pthread_cond_t drained;
    struct producer_topic *topics;
};

struct sender;
/* Where a record came to lie; also what its delivery report finds its sender by. */
struct slot {
    struct sender *s;
    const char *topic;
    int32_t partition;
    int64_t offset; /* -1: not known */
};

/* Who sends and counts what is under way; a lane's, or control's. */
struct sender {
    struct producer *p;
    struct slot self;
    atomic_llong records, bytes; /* under way */
    atomic_bool doomed;          /* in a transaction: it can only be aborted */
    bool failed;                 /* p->lock, as the two that follow */
    size_t worst;                /* bytes of the record that error is about */
    struct pen_error error;
};

/* transactional_id NULL: none. */
pen_status producer_open(struct producer *p, const struct pen_host *host, const struct options *o, const char *transactional_id,
                         struct pen_error *err);
void producer_close(struct producer *p);
/* Another has begun to write under this one's transactional.id: says so, and that this one ends. False where that is not so. */
bool producer_fenced(const struct producer *p, struct pen_error *err);
/* The topic's handle, made at first; any thread. */
pen_status producer_topic(struct producer *p, const char *name, rd_kafka_topic_t **out, struct pen_error *err);

struct record {
    const void *key, *value; /* NULL: null */
    size_t key_size, value_size;
    int64_t timestamp;       /* milliseconds; 0: now */
    int32_t partition;       /* RD_KAFKA_PARTITION_UA: by the key */
    rd_kafka_headers_t *headers; /* taken over, also on failure; NULL: none */
};
void sender_init(struct sender *s, struct producer *p);
/* Copies the record into the producer's queue; waits while that is full. slot: told where it came to lie, or NULL. */
pen_status sender_send(struct sender *s, rd_kafka_topic_t *topic, const struct record *r, struct slot *slot, struct pen_error *err);
/* PEN_OK: every record that was sent has been stored, or the transaction is doomed. PEN_RETRY: not yet, after a wait of some seconds. */
pen_status sender_wait(struct sender *s, struct pen_error *err);
/* Before a sender goes away: nothing of it is reported afterwards. What has not been sent yet is dropped. */
void sender_end(struct sender *s);

#endif
