/* archive_group.c - a partition's open objects, and what becomes of them when they are closed. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "archive.h"

struct open_object {
    char *folder;
    size_t folder_n;
    struct pen_position first;
    struct pen_text bytes;
};

static void forget_objects(struct archive_open *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->v[i].folder);
        pen_text_fini(&g->v[i].bytes);
    }
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
    memset(g, 0, sizeof *g);
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
        if (!*s || is_in(&g->v[*s - 1], folder, n))
            return s;
    }
}

static bool grow(struct archive_open *g)
{
    size_t cap = g->cap ? g->cap * 2 : 8;
    struct open_object *v = realloc(g->v, cap * sizeof *v);
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
        *slot_of(g, g->v[i].folder, g->v[i].folder_n) = (uint32_t)i + 1;
    return true;
}

/* The object of a folder, begun at `at` where there is none; NULL: out of memory. */
static struct open_object *object_of(struct archive_open *g, const char *folder, size_t n, const struct pen_position *at)
{
    uint32_t *slot;
    if (g->n && is_in(&g->v[g->last], folder, n))
        return &g->v[g->last];
    if (g->n == g->cap && !grow(g))
        return NULL;
    slot = slot_of(g, folder, n);
    if (!*slot) {
        struct open_object o = { .folder = malloc(n + 1), .folder_n = n, .first = *at };
        if (!o.folder)
            return NULL;
        memcpy(o.folder, folder, n);
        g->v[g->n++] = o;
        *slot = (uint32_t)g->n;
    }
    g->last = *slot - 1;
    return &g->v[g->last];
}

pen_status archive_open_add(const struct archive *a, struct archive_open *g, const char *folder, size_t folder_n, const struct pen_position *at,
                            const char *value, size_t n, bool *full, struct pen_error *err)
{
    struct open_object *o = object_of(g, folder, folder_n, at);
    if (!o)
        return pen_fail(err, PEN_FATAL, "out of memory");
    pen_text_append(&o->bytes, value, n);
    pen_text_append(&o->bytes, "\n", 1);
    g->bytes += n + 1;
    g->records++;
    *full = o->bytes.n >= (size_t)a->target_file_size;
    return pen_text_failed(&o->bytes) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

/* -- closing -------------------------------------------------------------------------------------------------------------------------------------------- */

static bool pack_gzip(struct pen_text *to, const struct pen_text *from, int level)
{
    z_stream z = { .next_in = (Bytef *)from->bytes, .avail_in = (uInt)from->n };
    size_t bound;
    char *room;
    bool good;
    if (deflateInit2(&z, level > 9 ? 9 : level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bound = deflateBound(&z, (uLong)from->n);
    if ((room = malloc(bound))) {
        z.next_out = (Bytef *)room;
        z.avail_out = (uInt)bound;
    }
    good = room && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (good)
        pen_text_append(to, room, bound - z.avail_out);
    free(room);
    deflateEnd(&z);
    return good;
}

static bool pack_zstd(struct pen_text *to, const struct pen_text *from, int level)
{
    size_t bound = ZSTD_compressBound(from->n), n;
    char *room = malloc(bound);
    if (!room)
        return false;
    n = ZSTD_compress(room, bound, from->bytes, from->n, level);
    if (!ZSTD_isError(n))
        pen_text_append(to, room, n);
    free(room);
    return !ZSTD_isError(n);
}

static bool pack(const struct archive *a, struct pen_text *to, const struct pen_text *from)
{
    if (a->compression == ARCHIVE_GZIP)
        return pack_gzip(to, from, (int)a->level);
    if (a->compression == ARCHIVE_ZSTD)
        return pack_zstd(to, from, (int)a->level);
    pen_text_append(to, from->bytes, from->n);
    return true;
}

static pen_status close_object(const struct archive *a, struct open_object *o, const struct archive_place *p, struct pen_text *done, struct pen_error *err)
{
    struct archive_object head = { .size = 0 };
    size_t at = done->n;
    pen_status st = archive_object_path(a, p, o->folder, o->folder_n, &o->first, head.path, err);
    if (st < 0)
        return st;
    pen_text_append(done, &head, sizeof head);
    if (!pack(a, done, &o->bytes) || pen_text_failed(done))
        return pen_fail(err, PEN_FATAL, "out of memory");
    head.size = done->n - at - sizeof head;
    memcpy(done->bytes + at, &head, sizeof head);
    pen_text_fini(&o->bytes);
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
        st = close_object(a, &g->v[i], p, done, err);
    if (st < 0)
        return st;
    head.size = done->n - at - sizeof head;
    memcpy(done->bytes + at, &head, sizeof head);
    *objects += (int64_t)g->n;
    *bytes += (int64_t)(head.size - g->n * sizeof(struct archive_object));
    forget_objects(g);
    return PEN_OK;
}
