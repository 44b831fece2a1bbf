/* memory.c - buffers, their pools and reference counts; see array.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/array.h"

#define ALIGNMENT 64u
#define POOL_LIMIT ((size_t)16 << 20) /* a larger buffer came of an odd batch: it is given back */

/* In front of every buffer, one alignment unit long. */
struct buffer_head {
    size_t capacity;
};

static struct buffer_head *head_of(const void *buffer)
{
    return (struct buffer_head *)(uintptr_t)((const char *)buffer - ALIGNMENT);
}

void *pen_buffer_new(size_t capacity)
{
    char *block;
    if (capacity > SIZE_MAX / 2)
        return NULL;
    capacity = capacity < ALIGNMENT ? ALIGNMENT : (capacity + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    block = aligned_alloc(ALIGNMENT, capacity + ALIGNMENT);
    if (!block)
        return NULL;
    ((struct buffer_head *)(void *)block)->capacity = capacity;
    return block + ALIGNMENT;
}

size_t pen_buffer_capacity(const void *buffer)
{
    return buffer ? head_of(buffer)->capacity : 0;
}

void pen_buffer_free(void *buffer)
{
    if (buffer)
        free(head_of(buffer));
}

bool pen_buffer_reserve(void **buffer, size_t used, size_t need)
{
    size_t have = pen_buffer_capacity(*buffer);
    void *larger;
    if (need <= have)
        return true;
    larger = pen_buffer_new(need > have + have / 2 ? need : have + have / 2);
    if (!larger)
        return false;
    if (used)
        memcpy(larger, *buffer, used);
    pen_buffer_free(*buffer);
    *buffer = larger;
    return true;
}

/* -- pools ------------------------------------------------------------------------------------------------------------------ */

struct pen_pool {
    atomic_size_t refs;
    _Atomic(void *) waiting[PEN_BUFFERS];
};

struct pen_pool *pen_pool_new(void)
{
    struct pen_pool *pool = calloc(1, sizeof *pool);
    if (pool)
        atomic_init(&pool->refs, 1);
    return pool;
}

void pen_pool_release(struct pen_pool *pool)
{
    if (!pool || atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (int i = 0; i < PEN_BUFFERS; i++)
        pen_buffer_free(atomic_load(&pool->waiting[i]));
    free(pool);
}

void *pen_pool_take(struct pen_pool *pool, int kind)
{
    return pool ? atomic_exchange_explicit(&pool->waiting[kind], NULL, memory_order_acquire) : NULL;
}

static void pool_give(struct pen_pool *pool, int kind, void *buffer)
{
    void *none = NULL;
    if (!pool || !buffer || pen_buffer_capacity(buffer) > POOL_LIMIT ||
        !atomic_compare_exchange_strong_explicit(&pool->waiting[kind], &none, buffer, memory_order_release, memory_order_relaxed))
        pen_buffer_free(buffer);
}

/* -- memory ----------------------------------------------------------------------------------------------------------------- */

struct pen_memory *pen_memory_new(void)
{
    struct pen_memory *m = calloc(1, sizeof *m);
    if (m)
        atomic_init(&m->refs, 1);
    return m;
}

void pen_memory_retain(struct pen_memory *m)
{
    if (m)
        atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
}

struct pen_pool *pen_pool_retain(struct pen_pool *pool)
{
    if (pool)
        atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
    return pool;
}

void pen_memory_release(struct pen_memory *m)
{
    while (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1) {
        struct pen_memory *parent = m->parent;
        for (int i = 0; i < PEN_BUFFERS; i++)
            pool_give(m->pool, i, m->buffers[i]);
        free(m->bitmap);
        pen_pool_release(m->pool);
        pen_array_release(&m->foreign);
        free(m);
        m = parent;
    }
}
