/* arena.c - see arena.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"

struct pen_arena_block {
    struct pen_arena_block *next;
    size_t size, used;
    max_align_t bytes[];
};

#ifndef PEN_ARENA_BLOCK
#define PEN_ARENA_BLOCK 8192u /* the torture test has a block for each allocation, so that each can fail */
#endif

void *pen_arena_alloc(struct pen_arena *a, size_t n)
{
    struct pen_arena_block *b = a->blocks;
    void *out;
    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!b || b->size - b->used < n) {
        size_t size = n > PEN_ARENA_BLOCK ? n : PEN_ARENA_BLOCK;
        b = calloc(1, sizeof *b + size);
        if (!b)
            return NULL;
        b->size = size;
        b->next = a->blocks;
        a->blocks = b;
    }
    out = (char *)b->bytes + b->used;
    b->used += n;
    return out;
}

char *pen_arena_copy(struct pen_arena *a, const char *text, size_t n)
{
    char *out = pen_arena_alloc(a, n + 1);
    if (out && n)
        memcpy(out, text, n);
    return out;
}

char *pen_arena_printf(struct pen_arena *a, const char *fmt, ...)
{
    va_list ap;
    char *out;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    out = n < 0 ? NULL : pen_arena_alloc(a, (size_t)n + 1);
    if (!out)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(out, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return out;
}

bool pen_arena_grow(struct pen_arena *a, void **v, size_t n, size_t element)
{
    size_t room = n ? 2 * n : 4;
    void *bigger;
    if (n && (n < 4 || (n & (n - 1)) != 0))
        return true; /* between two capacities */
    if (room > SIZE_MAX / 4 / element || !(bigger = pen_arena_alloc(a, room * element)))
        return false;
    if (n)
        memcpy(bigger, *v, n * element);
    *v = bigger;
    return true;
}

void pen_arena_fini(struct pen_arena *a)
{
    while (a->blocks) {
        struct pen_arena_block *b = a->blocks;
        a->blocks = b->next;
        explicit_bzero(b->bytes, b->used);
        free(b);
    }
}
