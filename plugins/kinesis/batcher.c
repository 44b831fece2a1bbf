/* batcher.c - see batcher.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "batcher.h"

/* FNV-1a with a final mix; 0 is left for "no key". Who chooses keys so that they meet here slows down only himself: equal hashes are compared by key. */
static uint64_t hash_of(const char *key, size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    return h ? h : 1;
}

/* -- the ring of what is ready; it has room for every record, so that pushing cannot fail ------------------------------------------- */

static bool ring_room(struct batcher *b, size_t wanted)
{
    size_t room = b->ready_room ? b->ready_room : 1024;
    uint32_t *v;
    if (wanted <= b->ready_room)
        return true;
    while (room < wanted)
        room *= 2;
    v = malloc(room * sizeof *v);
    if (!v)
        return false;
    for (size_t i = 0; i < b->ready_n; i++)
        v[i] = b->ready[(b->ready_at + i) & (b->ready_room - 1)];
    free(b->ready);
    b->ready = v;
    b->ready_room = room;
    b->ready_at = 0;
    return true;
}
static void push_back(struct batcher *b, uint32_t i)
{
    b->ready[(b->ready_at + b->ready_n++) & (b->ready_room - 1)] = i;
}

/* -- chains: a table of their last records ------------------------------------------------------------------------------------------ */

static bool same_key(const struct batcher_record *a, const struct batcher_record *b)
{
    return a->hash == b->hash && a->tag == b->tag && a->key_n == b->key_n && memcmp(a->key, b->key, a->key_n) == 0;
}

/* Where the last record of r's chain is kept, or where it would be. */
static size_t slot_of(const struct batcher *b, const struct batcher_record *r)
{
    size_t i = (size_t)r->hash & (b->slots_room - 1);
    while (b->slots[i] != BATCHER_NONE && !same_key(&b->v[b->slots[i]], r))
        i = (i + 1) & (b->slots_room - 1);
    return i;
}

static bool slots_grow(struct batcher *b)
{
    size_t room = b->slots_room ? b->slots_room * 2 : 4096;
    uint32_t *old = b->slots, *v;
    size_t old_room = b->slots_room;
    if (b->slots_used * 2 < b->slots_room)
        return true;
    v = malloc(room * sizeof *v);
    if (!v)
        return false;
    memset(v, 0xff, room * sizeof *v);
    b->slots = v;
    b->slots_room = room;
    for (size_t i = 0; i < old_room; i++)
        if (old[i] != BATCHER_NONE)
            b->slots[slot_of(b, &b->v[old[i]])] = old[i];
    free(old);
    return true;
}

/* Takes an entry out, and moves up those behind it that would not be found any more. */
static void slot_remove(struct batcher *b, size_t hole)
{
    size_t mask = b->slots_room - 1;
    b->slots[hole] = BATCHER_NONE;
    b->slots_used--;
    for (size_t i = (hole + 1) & mask; b->slots[i] != BATCHER_NONE; i = (i + 1) & mask) {
        size_t home = (size_t)b->v[b->slots[i]].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* its home lies behind the hole */
        b->slots[hole] = b->slots[i];
        b->slots[i] = BATCHER_NONE;
        hole = i;
    }
}

/* -- what the writer calls ---------------------------------------------------------------------------------------------------------------- */

bool batcher_add(struct batcher *b, const struct batcher_record *r, bool in_order)
{
    struct batcher_record *p;
    uint32_t i = (uint32_t)b->n;
    size_t slot;
    if (b->n == b->room) {
        size_t room = b->room ? b->room * 2 : 1024;
        if (room >= BATCHER_NONE || !(p = realloc(b->v, room * sizeof *p)))
            return false;
        b->v = p;
        b->room = room;
    }
    if (!ring_room(b, b->n + 1) || !slots_grow(b))
        return false;
    p = &b->v[b->n++];
    *p = *r;
    p->next = BATCHER_NONE;
    p->hash = r->key && in_order ? hash_of(r->key, r->key_n) : 0;
    b->left++;
    if (!p->hash) {
        push_back(b, i);
        return true;
    }
    slot = slot_of(b, p);
    if (b->slots[slot] == BATCHER_NONE) {
        b->slots_used++;
        push_back(b, i);
    } else {
        b->v[b->slots[slot]].next = i;
    }
    b->slots[slot] = i;
    return true;
}

size_t batcher_take(struct batcher *b, uint32_t *out, size_t most, size_t bytes)
{
    size_t n = 0, sum = 0;
    while (n < most && b->ready_n) {
        uint32_t i = b->ready[b->ready_at];
        size_t size = (size_t)b->v[i].key_n + b->v[i].value_n;
        if (n && (b->v[i].tag != b->v[out[0]].tag || sum + size > bytes))
            break;
        sum += size;
        out[n++] = i;
        b->ready_at = (b->ready_at + 1) & (b->ready_room - 1);
        b->ready_n--;
    }
    return n;
}

void batcher_done(struct batcher *b, uint32_t i)
{
    const struct batcher_record *r = &b->v[i];
    b->left--;
    if (r->next != BATCHER_NONE)
        push_back(b, r->next);
    else if (r->hash)
        slot_remove(b, slot_of(b, r));
}

void batcher_again(struct batcher *b, uint32_t i)
{
    push_back(b, i);
}

void batcher_clear(struct batcher *b)
{
    b->n = b->left = b->ready_n = b->ready_at = 0;
    if (b->slots_used)
        memset(b->slots, 0xff, b->slots_room * sizeof *b->slots);
    b->slots_used = 0;
}

void batcher_fini(struct batcher *b)
{
    free(b->v);
    free(b->ready);
    free(b->slots);
    memset(b, 0, sizeof *b);
}
