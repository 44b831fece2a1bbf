/* archive_group.c - a partition's open objects, and what becomes of them when they are closed. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "archive.h"

static void forget_objects(struct archive_open *g)
{
    for (size_t i = 0; i < g->n; i++)
        open_object_free(g->v[i]);
    if (g->n_slots)
        memset(g->slots, 0, g->n_slots * sizeof *g->slots);
    g->n = g->last = g->bytes = 0;
    g->records = 0;
    g->first.n = 0;
}

void archive_open_fini(struct archive_open *g)
{
    forget_objects(g);
    free(g->v);
    free(g->slots);
}

/* -- by folder ---------------------------------------------------------------------------------------------------------------------------------------- */

static bool is_in(const struct open_object *o, const char *folder, size_t n)
{
    return o->folder_n == n && memcmp(o->folder, folder, n) == 0;
}

/* The slot of a folder, or the empty one where it would go. There is always one. */
static uint32_t *slot_of(const struct archive_open *g, const char *folder, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)folder[i]) * 0x100000001b3u;
    for (size_t i = (size_t)(hash ^ hash >> 32);; i++) {
        uint32_t *s = &g->slots[i & (g->n_slots - 1)];
        if (!*s || is_in(g->v[*s - 1], folder, n))
            return s;
    }
}

static bool grow(struct archive_open *g)
{
    size_t cap = g->cap ? g->cap * 2 : 8;
    struct open_object **v = realloc(g->v, cap * sizeof *v);
    uint32_t *slots = v ? calloc(cap * 2, sizeof *slots) : NULL;
    if (v)
        g->v = v;
    if (!slots)
        return false;
    free(g->slots);
    g->slots = slots;
    g->n_slots = cap * 2;
    g->cap = cap;
    for (size_t i = 0; i < g->n; i++)
        *slot_of(g, g->v[i]->folder, g->v[i]->folder_n) = (uint32_t)i + 1;
    return true;
}

/* The object of a folder, begun at `at` where there is none; NULL: out of memory. */
static struct open_object *object_of(struct archive_open *g, const char *folder, size_t n, const struct pen_position *at)
{
    uint32_t *slot;
    if (g->n && is_in(g->v[g->last], folder, n))
        return g->v[g->last];
    if (g->n == g->cap && !grow(g))
        return NULL;
    slot = slot_of(g, folder, n);
    if (!*slot) {
        struct open_object *o = calloc(1, sizeof *o);
        if (!o || !(o->folder = malloc(n + 1))) {
            free(o);
            return NULL;
        }
        memcpy(o->folder, folder, n);
        o->folder_n = n;
        o->first = *at;
        g->v[g->n++] = o;
        *slot = (uint32_t)g->n;
    }
    g->last = *slot - 1;
    return g->v[g->last];
}

pen_status archive_open_add(const struct archive *a, struct archive_open *g, const char *folder, size_t folder_n, const struct pen_position *at,
                            const char *value, size_t n, int64_t row, bool *full, struct pen_error *err)
{
    struct open_object *o = object_of(g, folder, folder_n, at);
    pen_status st = o ? open_object_add(a, o, value, n, row, err) : pen_fail(err, PEN_FATAL, "out of memory");
    if (st < 0)
        return st;
    g->records++;
    g->bytes += g->shared ? 0 : n + 1;
    *full = open_object_size(o) >= (size_t)a->target_file_size;
    return PEN_OK;
}

pen_status archive_open_flush(const struct archive *a, struct archive_open *g, const struct ArrowArray *batch, struct pen_error *err)
{
    pen_status st = PEN_OK;
    if (!g->shared)
        return PEN_OK;
    g->bytes = 0;
    for (size_t i = 0; i < g->n && st >= 0; i++) {
        st = open_object_flush(a, g->v[i], g->shared, batch, err);
        g->bytes += open_object_held(g->v[i]);
    }
    return st;
}

/* -- closing -------------------------------------------------------------------------------------------------------------------------------------------- */

static pen_status close_object(const struct archive *a, struct open_object *o, const struct archive_place *p, struct pen_text *done, struct pen_error *err)
{
    struct archive_object head = { .size = 0 };
    size_t at = done->n;
    pen_status st = archive_object_path(a, p, o->folder, o->folder_n, &o->first, head.path, err);
    if (st < 0)
        return st;
    pen_text_append(done, &head, sizeof head);
    st = open_object_close(a, o, done, err);
    if (st >= 0 && pen_text_failed(done))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    if (st < 0)
        return st;
    head.size = done->n - at - sizeof head;
    memcpy(done->bytes + at, &head, sizeof head);
    return PEN_OK;
}

pen_status archive_open_close(const struct archive *a, struct archive_open *g, const struct archive_place *p, struct pen_text *done, int64_t *objects,
                              int64_t *bytes, struct pen_error *err)
{
    struct archive_group head = { .place = *p, .first = g->first, .end = g->end, .n = g->n };
    size_t at = done->n;
    pen_status st = PEN_OK;
    pen_text_append(done, &head, sizeof head);
    for (size_t i = 0; i < g->n && st >= 0; i++)
        st = close_object(a, g->v[i], p, done, err);
    if (st < 0)
        return st;
    head.size = done->n - at - sizeof head;
    memcpy(done->bytes + at, &head, sizeof head);
    *objects += (int64_t)g->n;
    *bytes += (int64_t)(head.size - g->n * sizeof(struct archive_object));
    forget_objects(g);
    return PEN_OK;
}
