/* txn.h - exactly_once = yes: a transaction for each plan, on two producers by turns, so that lanes write the next plan while one is committed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KAFKA_TXN_H
#define PENSTOCK_KAFKA_TXN_H

#include "positions.h"
#include "producer.h"

typedef enum {
    TXN_NONE,   /* no transaction is open */
    TXN_OPEN,
    TXN_DOOMED, /* it will be aborted; what is still written into it is dropped */
    TXN_UNCLEAR /* an answer to its commit has been lost: what the topic shows tells */
} txn_state;

struct txn {
    struct producer producer;
    struct sender sender; /* control's, of positions */
    char *id;        /* PIPELINE/SINK/0 or /1 */
    txn_state state; /* txns.lock */
};

struct txns {
    const struct pen_host *host;
    const struct options *o;
    char *topic;            /* of the positions */
    pthread_mutex_t lock;
    struct txn v[2];
    uint64_t open;          /* number of the newest plan that lanes write into; lock */
    struct positions shown; /* control's */
    bool known;             /* shown is what the topic holds */
};

/* Fences whoever has the same names, and reads what is shown. Waits. */
pen_status txns_open(struct txns *t, const struct pen_host *host, const struct options *o, struct pen_error *err);
void txns_close(struct txns *t);
/* Plan `number` is written from now on: its producer. Lane. */
struct txn *txns_begin(struct txns *t, uint64_t number);
/* Before a record is sent: PEN_OK, or PEN_SKIP where what is written will be dropped. Lane. */
pen_status txn_enter(struct txns *t, struct txn *x, struct pen_error *err);
/* The open transaction must not be committed. Any thread. */
void txn_doom(struct txns *t, struct txn *x);
bool txn_is_doomed(struct txns *t, struct txn *x);
/* Aborts what is doomed, settles what is unclear; afterwards t->shown is what the topic shows. Control. */
pen_status txns_settle(struct txns *t, struct pen_error *err);
/* Control. */
pen_status txns_publish(struct txns *t, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err);

#endif
