/* index.c - maps of texts to small numbers: open addressing, never more than half full. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "log.h"

static size_t hash(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

static struct delta_slot *slot_of(const struct delta_index *x, const char *key)
{
    size_t i = hash(key) & (x->room - 1);
    while (x->slots[i].key && strcmp(x->slots[i].key, key) != 0)
        i = (i + 1) & (x->room - 1);
    return &x->slots[i];
}

size_t *delta_index_find(const struct delta_index *x, const char *key)
{
    struct delta_slot *s = x->room ? slot_of(x, key) : NULL;
    return s && s->key ? &s->value : NULL;
}

static bool grow(struct delta_index *x)
{
    struct delta_index bigger = { .room = x->room ? x->room * 2 : 64 };
    bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < x->room; i++)
        if (x->slots[i].key)
            *slot_of(&bigger, x->slots[i].key) = x->slots[i];
    bigger.n = x->n;
    free(x->slots);
    *x = bigger;
    return true;
}

size_t *delta_index_add(struct delta_index *x, const char *key, size_t value)
{
    if (x->n * 2 >= x->room && !grow(x))
        return NULL;
    struct delta_slot *s = slot_of(x, key);
    if (!s->key) {
        *s = (struct delta_slot){ key, value };
        x->n++;
    }
    return &s->value;
}

void delta_index_fini(struct delta_index *x)
{
    free(x->slots);
    *x = (struct delta_index){ 0 };
}
