/* arena.h - memory that lives as long as its owner: strings and small structures of one configuration, freed (and wiped, for there are
 * passwords among them) all at once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CONFIG_ARENA_H
#define PENSTOCK_CONFIG_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct pen_arena_block;
struct pen_arena { /* starts as { 0 }; one thread at a time */
    struct pen_arena_block *blocks;
};

/* Zeroed and aligned for anything; NULL when memory is short. */
void *pen_arena_alloc(struct pen_arena *a, size_t n);
/* A copy of n bytes with a NUL behind. */
char *pen_arena_copy(struct pen_arena *a, const char *text, size_t n);
__attribute__((format(printf, 2, 3))) char *pen_arena_printf(struct pen_arena *a, const char *fmt, ...);
/* Room for one more element in an array of n that the arena holds: grows *v (capacities are powers of two) where it is full. Returns false
 * when memory is short; *v is as it was then. */
bool pen_arena_grow(struct pen_arena *a, void **v, size_t n, size_t element);
void pen_arena_fini(struct pen_arena *a);

#endif
