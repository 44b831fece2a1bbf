/* positions.h - where exactly_once = yes keeps positions: a compacted topic, written inside the transactions. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KAFKA_POSITIONS_H
#define PENSTOCK_KAFKA_POSITIONS_H

#include "kafka.h"
#include "position.h"

struct kept {
    char *key;                /* as in pen_move */
    struct pen_position at;
    char plan[PLAN_ID_SIZE];  /* that moved it there */
};
/* What the topic shows; control's. */
struct positions {
    struct kept *v;
    size_t n, cap;
};

void positions_clear(struct positions *p);
const struct kept *positions_find(const struct positions *p, const char *key);
pen_status positions_set(struct positions *p, const char *key, size_t key_size, const char *plan, const struct pen_position *at,
                         struct pen_error *err);
/* Reads the topic, as committed, to its end: the end that it has when this is called, open transactions included. Waits; PEN_RETRY where the
 * broker is out of reach, or a transaction of somebody else stays open. */
pen_status positions_load(struct positions *p, const struct pen_host *host, const struct options *o, const char *topic, struct pen_error *err);

#endif
