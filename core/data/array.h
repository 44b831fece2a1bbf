/* array.h - how the library's own arrays hold their memory: buffers with a reference count, which go back to the builder that made them.
 *
 * A `pen_memory` owns up to three buffers (validity, offsets, data), or a whole array of foreign make, for as long as any array node
 * refers to it. Nodes (the ArrowArray structures) are cheap and never shared: sharing an array makes new nodes over the same memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_ARRAY_H
#define PENSTOCK_DATA_ARRAY_H

#include <stdatomic.h>

#include <penstock/batch.h>

/* -- buffers: 64-byte aligned, capacity a multiple of 64, and readable up to it ------------------------------------------------ */

enum { PEN_BUFFER_VALIDITY, PEN_BUFFER_OFFSETS, PEN_BUFFER_DATA, PEN_BUFFERS };

void *pen_buffer_new(size_t capacity);
size_t pen_buffer_capacity(const void *buffer); /* 0 for NULL */
void pen_buffer_free(void *buffer);
/* Makes room for `need` bytes, keeping the first `used`; grows by half at least. False (and *buffer as it was) when out of memory. */
bool pen_buffer_reserve(void **buffer, size_t used, size_t need);

/* Where buffers wait for the next batch of the builder that made them, so that a lane's batches lie in the same (cached, mapped) memory
 * again and again. One of each kind waits at most; any thread. */
struct pen_pool;
struct pen_pool *pen_pool_new(void);
struct pen_pool *pen_pool_retain(struct pen_pool *pool); /* returns pool; NULL is fine */
void pen_pool_release(struct pen_pool *pool);
void *pen_pool_take(struct pen_pool *pool, int kind); /* NULL when none waits */

/* -- memory and nodes --------------------------------------------------------------------------------------------------------- */

struct pen_memory {
    atomic_size_t refs;
    void *buffers[PEN_BUFFERS];  /* by pen_buffer_new(), NULL where there is none */
    uint8_t *bitmap;             /* malloc'ed */
    struct pen_pool *pool;       /* where buffers go, or NULL */
    struct pen_memory *parent;   /* lives as long as this */
    struct ArrowArray foreign;   /* release NULL: none */
};

struct pen_memory *pen_memory_new(void); /* one reference, empty; NULL when out of memory */
void pen_memory_retain(struct pen_memory *m);
void pen_memory_release(struct pen_memory *m); /* NULL is fine */

/* Makes *out a node over `memory` (its reference moves in, also on failure; may be NULL for a struct) with n_children empty children.
 * value_bits: width of one value in the data buffer, 1 for bool, 0 where there are offsets or no values. */
pen_status pen_array_node(struct ArrowArray *out, struct pen_memory *memory, int64_t n_buffers, size_t n_children, unsigned value_bits,
                          struct pen_error *err);
/* Width of one value of this type in the data buffer, in bits; 0 for utf8, binary, list and struct. */
unsigned pen_type_bits(pen_type type);
/* Whether this node came out of pen_array_node(). */
bool pen_array_is_own(const struct ArrowArray *array);
/* The same of all its children too: it can be shared as it is. */
bool pen_array_all_own(const struct ArrowArray *array);

/* -- bitmaps ---------------------------------------------------------------------------------------------------------------- */

/* Set bits among n from bit `first` on. */
int64_t pen_bits_count(const uint8_t *bits, int64_t first, int64_t n);
/* Copies n bits from bit `from` of src to the start of dst, whole bytes of which are written (unused bits 0). */
void pen_bits_copy(uint8_t *dst, const uint8_t *src, int64_t from, int64_t n);

#endif
