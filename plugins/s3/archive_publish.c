/* archive_publish.c - what lanes staged is put under its names, in order and only where there is none.
 *
 * A partition's own objects follow one another without a gap, whoever wrote them: each is put once the one before it is known to be there, and a name that is
 * taken says that somebody else has been quicker. Where a partition is divided into folders this holds for the entries, and an entry's objects are the same
 * whoever puts them. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "archive.h"

/* One group, out of what was staged. */
struct group {
    const char *plan, *objects; /* struct archive_object, each with its bytes */
    struct archive_group head;
};

static pen_status foreign(const char *url, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "%s is there, and not of this archive: another program's object? Give this sink a folder of its own", url);
}

/* What the metadata of an object that was found in the way says; PEN_SKIP: it is not there, or not yet. */
static pen_status look_at(const struct archive *a, const char *url, const char *name, char *value, size_t size, struct pen_error *err)
{
    struct pen_object o;
    pen_status st = pen_store_metadata(a->host, url, name, value, size, err);
    if (st != PEN_SKIP)
        return st;
    st = pen_store_head(a->host, url, &o, err);
    return st == PEN_OK ? foreign(url, err) : st;
}

static pen_status put(const struct archive *a, const struct group *g, const char *url, const void *bytes, size_t n, const char *type, pen_put_outcome *put,
                      struct pen_error *err)
{
    char end[ARCHIVE_POSITION];
    const char *const names[] = { ARCHIVE_END, ARCHIVE_PLAN, ARCHIVE_OF, "content-type" };
    const char *const values[] = { end, g->plan, g->head.place.incarnation, type };
    const struct pen_pairs metadata = { 4, names, values };
    archive_put_position(end, &g->head.end);
    return pen_store_put_with(a->host, url, bytes, n, PEN_PUT_IF_ABSENT, &metadata, put, err);
}

/* -- objects --------------------------------------------------------------------------------------------------------------------------------------- */

/* A name that is taken, or an answer that was lost: whose object is it? One of an entry may be anybody's who put it for the same commit. */
static pen_status settle_object(const struct archive *a, const struct group *g, const char *url, bool entry, pen_publish_outcome *outcome,
                                struct pen_error *err)
{
    char says[128], end[ARCHIVE_POSITION];
    pen_status st = look_at(a, url, entry ? ARCHIVE_END : ARCHIVE_PLAN, says, sizeof says, err);
    archive_put_position(end, &g->head.end);
    if (st == PEN_SKIP)
        *outcome = PEN_PUBLISH_UNKNOWN; /* the same put again finds out */
    else if (st >= 0 && entry && strcmp(says, end) != 0)
        return foreign(url, err);
    else if (st >= 0)
        *outcome = entry || strcmp(says, g->plan) == 0 ? PEN_PUBLISH_DONE : PEN_PUBLISH_REFUSED;
    return st < 0 ? st : PEN_OK;
}

static pen_status put_object(const struct archive *a, const struct group *g, const char *path, const void *bytes, size_t n, bool entry,
                             pen_publish_outcome *outcome, struct pen_error *err)
{
    const char *type = a->format == ARCHIVE_PARQUET       ? "application/vnd.apache.parquet"
                       : a->compression == ARCHIVE_GZIP ? "application/gzip"
                       : a->compression == ARCHIVE_ZSTD ? "application/zstd"
                                                        : "application/x-ndjson";
    char url[ARCHIVE_URL];
    pen_put_outcome how;
    pen_status st = pen_url_join(url, sizeof url, a->path, path, err);
    if (st >= 0)
        st = pen_failpoint("archive.before-put", err);
    if (st >= 0)
        st = put(a, g, url, bytes, n, type, &how, err);
    if (st >= 0)
        st = pen_failpoint("archive.after-put", err);
    if (st < 0)
        return st;
    *outcome = PEN_PUBLISH_DONE;
    return how == PEN_PUT_DONE ? PEN_OK : settle_object(a, g, url, entry, outcome, err);
}

/* The next object of a group; *at is moved behind it. */
static const void *next_object(const char **at, struct archive_object *o)
{
    const char *bytes = *at + sizeof *o;
    memcpy(o, *at, sizeof *o);
    *at = bytes + o->size;
    return bytes;
}

/* -- entries --------------------------------------------------------------------------------------------------------------------------------------- */

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* What the entry calls the object of the same folder; NULL: it has none. Messages that a topic lost since may have been the first of an object. */
static const char *path_in(const struct archive_entry *e, const char *path)
{
    size_t n = folder_length(path);
    for (size_t i = 0; i < e->n; i++)
        if (folder_length(e->paths[i]) == n && strncmp(e->paths[i], path, n) == 0)
            return e->paths[i];
    return NULL;
}

static pen_status make_entry(const struct group *g, struct archive_entry *e, struct pen_error *err)
{
    const char *at = g->objects;
    pen_status st = PEN_OK;
    *e = (struct archive_entry){ .first = g->head.first, .end = g->head.end };
    memcpy(e->incarnation, g->head.place.incarnation, sizeof e->incarnation);
    strncat(e->plan, g->plan, sizeof e->plan - 1);
    for (size_t i = 0; i < g->head.n && st >= 0; i++) {
        struct archive_object o;
        next_object(&at, &o);
        st = archive_entry_add(e, o.path, err);
    }
    return st;
}

/* An entry that is there already: of this plan, or of one that moves the partition as this one does, or somebody else's. */
static pen_status settle_entry(const struct archive *a, const char *url, struct archive_entry *e, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct archive_entry there = { .n = 0 };
    pen_status st = archive_entry_read(a, url, &there, err);
    if (st == PEN_SKIP) {
        *outcome = PEN_PUBLISH_UNKNOWN;
        return PEN_OK;
    }
    if (st < 0)
        return st;
    *outcome = pen_position_compare(&there.end, &e->end) == 0 && strcmp(there.incarnation, e->incarnation) == 0 ? PEN_PUBLISH_DONE : PEN_PUBLISH_REFUSED;
    if (*outcome == PEN_PUBLISH_DONE)
        for (size_t i = 0; i < e->n && st >= 0; i++)
            if (!path_in(&there, e->paths[i]))
                st = pen_fail(err, PEN_FATAL, "%s: that commit was cut short, and has no object like %s; run once with the options of this sink as they were", url,
                              e->paths[i]);
    archive_entry_fini(e);
    *e = there;
    return st;
}

static pen_status put_entry(const struct archive *a, const struct group *g, struct archive_entry *e, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct pen_text text = { 0 };
    char url[ARCHIVE_URL];
    pen_put_outcome how;
    pen_status st = archive_entry_url(a, &g->head.place, &g->head.first, url, err);
    archive_entry_write(e, &text);
    if (st >= 0 && pen_text_failed(&text))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    if (st >= 0)
        st = pen_failpoint("archive.before-entry", err);
    if (st >= 0)
        st = put(a, g, url, text.bytes, text.n, "application/json", &how, err);
    if (st >= 0)
        st = pen_failpoint("archive.after-entry", err);
    pen_text_fini(&text);
    if (st < 0)
        return st;
    *outcome = PEN_PUBLISH_DONE;
    return how == PEN_PUT_DONE ? PEN_OK : settle_entry(a, url, e, outcome, err);
}

static pen_status put_divided(struct archive *a, const struct group *g, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct archive_entry e;
    const char *at = g->objects;
    pen_status st = make_entry(g, &e, err);
    if (st >= 0)
        st = put_entry(a, g, &e, outcome, err);
    for (size_t i = 0; i < g->head.n && st >= 0 && *outcome == PEN_PUBLISH_DONE; i++) {
        struct archive_object o;
        const void *bytes = next_object(&at, &o);
        st = put_object(a, g, path_in(&e, o.path), bytes, o.size, true, outcome, err);
    }
    archive_entry_fini(&e);
    if (st >= 0 && *outcome == PEN_PUBLISH_DONE)
        st = archive_unfinished_set(a, &g->head.place, NULL, err);
    return st;
}

/* -- the plan -------------------------------------------------------------------------------------------------------------------------------------- */

static pen_status put_group(struct archive *a, const struct group *g, pen_publish_outcome *outcome, struct pen_error *err)
{
    const char *at = g->objects;
    struct archive_object o;
    const void *bytes;
    if (!layout_is_plain(&a->layout))
        return put_divided(a, g, outcome, err);
    bytes = next_object(&at, &o); /* it has one */
    return put_object(a, g, o.path, bytes, o.size, false, outcome, err);
}

pen_status archive_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct archive *a = ctx;
    pen_status st = PEN_OK;
    *outcome = PEN_PUBLISH_DONE;
    for (size_t i = 0; i < plan->n_staged && st >= 0 && *outcome == PEN_PUBLISH_DONE; i++) {
        const char *at = plan->staged[i].bytes, *end = at + plan->staged[i].n;
        while (at < end && st >= 0 && *outcome == PEN_PUBLISH_DONE) { /* a lane's groups of a partition come in order */
            struct group g = { .plan = plan->id, .objects = at + sizeof g.head };
            memcpy(&g.head, at, sizeof g.head);
            at = g.objects + g.head.size;
            st = put_group(a, &g, outcome, err);
        }
    }
    return st;
}
