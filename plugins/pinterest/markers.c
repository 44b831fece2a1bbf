/* markers.c - texts that stand for null: found by their length first, so that a column without any costs one look at its offsets.
 * SPDX-License-Identifier: Apache-2.0 */
#include "clean.h"

#include <stdlib.h>

void clean_markers_init(struct clean_markers *m, const struct pen_strings *everywhere, const struct pen_strings *own)
{
    m->lists[0] = *everywhere;
    m->lists[1] = *own;
    m->lengths = 0;
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < m->lists[l].n; i++) {
            size_t n = strlen(m->lists[l].v[i]);
            m->lengths |= UINT64_C(1) << (n < 63 ? n : 63);
        }
}

bool clean_is_marker(const struct clean_markers *m, const char *text, size_t n)
{
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < m->lists[l].n; i++) {
            const char *marker = m->lists[l].v[i];
            if (strlen(marker) == n && memcmp(marker, text, n) == 0)
                return true;
        }
    return false;
}

/* The validity of a column as a bitmap of its own, bit 0 the first row, and how many of its rows are null; NULL out of memory. */
static uint8_t *copy_validity(const struct pen_column *c, int64_t *nulls)
{
    size_t rows = (size_t)c->length;
    uint8_t *bitmap = malloc(rows / 8 + 1);
    *nulls = 0;
    if (!bitmap)
        return NULL;
    memset(bitmap, 0xff, rows / 8 + 1);
    for (int64_t i = 0; c->validity && i < c->length; i++)
        if (pen_column_is_null(c, i)) {
            bitmap[i >> 3] &= (uint8_t)~(1u << (i & 7));
            ++*nulls;
        }
    return bitmap;
}

pen_status clean_markers_apply(const struct clean_markers *m, const struct ArrowArray *in, struct ArrowArray *out, int64_t *hits,
                               struct pen_error *err)
{
    struct pen_column c = pen_column_of(in);
    uint8_t *bitmap = NULL;
    int64_t nulls = 0, found = 0;
    for (int64_t i = 0; m->lengths && i < c.length; i++) {
        size_t n;
        const char *text = pen_column_bytes(&c, i, &n);
        if (!clean_may_be_marker(m, n) || pen_column_is_null(&c, i) || !clean_is_marker(m, text, n))
            continue;
        if (!bitmap && !(bitmap = copy_validity(&c, &nulls)))
            return pen_fail(err, PEN_FATAL, "out of memory for %lld rows", (long long)c.length);
        bitmap[i >> 3] &= (uint8_t)~(1u << (i & 7));
        found++;
    }
    *hits += found;
    return found ? pen_array_masked(out, in, bitmap, nulls + found, err) : pen_array_share(out, in, err);
}
