/* world.c - see world.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "world.h"

uint32_t w_random(struct world *w, uint32_t below)
{
    w->rng ^= w->rng << 13; /* xorshift64 */
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return below ? (uint32_t)((w->rng >> 16) % below) : 0;
}

bool w_chance(struct world *w, unsigned per_thousand)
{
    return per_thousand && w_random(w, 1000) < per_thousand;
}

int64_t w_offset(const struct world *w, int part, int64_t record)
{
    (void)part;
    return w->gap ? record + record / (w->gap - 1) : record;
}

bool w_is_bad(const struct world *w, int part, int64_t record)
{
    return w->exact_bad && ((record + part) % 7 == 3 || (record + part) % 11 == 4); /* now and then two in one batch */
}

void w_entry_fini(struct entry *e)
{
    free(e->rows);
    e->rows = NULL;
}

struct entry *w_append(struct table *t, const struct entry *e)
{
    struct entry *copy;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->entries = realloc(t->entries, t->cap * sizeof *t->entries);
    }
    copy = &t->entries[t->n++];
    *copy = *e;
    copy->rows = malloc((e->n_rows + 1) * sizeof *e->rows);
    if (e->n_rows)
        memcpy(copy->rows, e->rows, e->n_rows * sizeof *e->rows);
    return copy;
}

/* Puts that were under way arrive: a slot that has been taken refuses them. */
void w_land_flights(struct world *w)
{
    for (size_t i = 0; i < w->n_flights; i++) {
        struct table *t = &w->tables[w->flights[i].table];
        if (t->n == w->flights[i].slot)
            w_append(t, &w->flights[i].entry);
        w_entry_fini(&w->flights[i].entry);
    }
    w->n_flights = 0;
}

void w_fini(struct world *w)
{
    for (size_t i = 0; i < MAX_TABLES; i++) {
        for (size_t e = 0; e < w->tables[i].n; e++)
            w_entry_fini(&w->tables[i].entries[e]);
        free(w->tables[i].entries);
    }
    for (size_t i = 0; i < w->n_flights; i++)
        w_entry_fini(&w->flights[i].entry);
    for (size_t i = 0; i < w->n_objects; i++)
        free(w->objects[i].bytes);
    free(w->flights);
    free(w->objects);
    free(w->discarded);
    free(w->lost);
}
