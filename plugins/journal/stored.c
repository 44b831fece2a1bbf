/* stored.c - see stored.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stored.h"

void stored_runs_add(struct stored_runs *r, uint32_t partition, uint32_t n)
{
    if (r->n && r->v[r->n - 1].partition == partition && r->v[r->n - 1].n <= UINT32_MAX - n) {
        r->v[r->n - 1].n += n;
        return;
    }
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct stored_run *v = realloc(r->v, cap * sizeof *v);
        if (!v) {
            r->failed = true;
            return;
        }
        r->v = v;
        r->cap = cap;
    }
    r->v[r->n++] = (struct stored_run){ partition, n };
}

pen_status stored_places(const struct stored_run *runs, size_t n_runs, const uint64_t base[JF_PARTITIONS], int64_t first, int64_t n,
                         struct pen_stored *out)
{
    uint64_t next[JF_PARTITIONS];
    int64_t row = 0, end = first + n;
    memcpy(next, base, sizeof next);
    for (size_t i = 0; i < n_runs && row < end; i++) {
        uint32_t p = runs[i].partition;
        for (uint32_t k = 0; k < runs[i].n && row < end; k++, row++, next[p]++)
            if (row >= first) {
                struct pen_stored *o = &out[row - first];
                snprintf(o->partition, sizeof o->partition, "%u", p);
                o->at = pen_position_of(next[p]);
            }
    }
    return row < end ? PEN_SKIP : PEN_OK;
}
