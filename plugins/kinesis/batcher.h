/* batcher.h - which records may go into the next PutRecords.
 *
 * PutRecords stores what it can and refuses the rest, so records of one key that were in one call, or in two at once, could end up in another order.
 * Hence at most one record of a key is under way at any time: the others of its key wait behind it in a chain, and a record that was refused goes
 * again before them. Records without a key, and all where order does not matter, are chains of one.
 * No locks and no I/O here. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KINESIS_BATCHER_H
#define PENSTOCK_KINESIS_BATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCHER_NONE UINT32_MAX

struct batcher_record {
    const char *key, *value; /* borrowed until it is done; key NULL: none */
    uint32_t key_n, value_n;
    uint32_t next;           /* of its chain */
    uint32_t tag;            /* the caller's: only records of one tag go together */
    uint32_t owner;          /* the caller's */
    uint64_t hash;
};

/* Starts as { 0 }. */
struct batcher {
    struct batcher_record *v; /* all of this plan, in the order in which they came */
    size_t n, room;
    size_t left;              /* not done yet */
    uint32_t *ready;          /* a ring: heads of chains that may be sent */
    size_t ready_n, ready_at, ready_room;
    uint32_t *slots;          /* by hash of the key: the last record of its chain; open addressing */
    size_t slots_room, slots_used;
};

/* The record to be; false: out of memory. in_order false: it waits for none. */
bool batcher_add(struct batcher *b, const struct batcher_record *r, bool in_order);
/* Takes up to `most` records of at most `bytes` bytes together (the first always) out of what may be sent; answers how many, with their indexes. */
size_t batcher_take(struct batcher *b, uint32_t *out, size_t most, size_t bytes);
/* Record i is stored: the next of its key may go. */
void batcher_done(struct batcher *b, uint32_t i);
/* Record i was refused: it may go again, behind what is ready already, so that a slow shard does not hold up others. */
void batcher_again(struct batcher *b, uint32_t i);
/* Drops all; keeps the memory. */
void batcher_clear(struct batcher *b);
void batcher_fini(struct batcher *b);

#endif
