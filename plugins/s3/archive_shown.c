/* archive_shown.c - how far what lies in the archive reaches, by its names alone. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "archive.h"

/* -- objects of a partition's own folder ---------------------------------------------------------------------------------------------------------- */

struct latest {
    const struct archive_place *place;
    char name[1024];
    struct pen_position first;
};

/* Offsets grow longer than ten digits, so the last name is not always that of the latest object. */
static pen_status note_latest(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct latest *l = arg;
    struct pen_position first;
    (void)err;
    if (archive_object_name(o->name, l->place->topic, l->place->number, &first) && (!l->name[0] || pen_position_compare(&first, &l->first) > 0)) {
        snprintf(l->name, sizeof l->name, "%s", o->name);
        l->first = first;
    }
    return PEN_OK;
}

/* The end that an object's metadata tell. PEN_SKIP: it is not there. */
static pen_status end_of(const struct archive *a, const char *url, struct pen_position *end, struct pen_error *err)
{
    char text[ARCHIVE_POSITION];
    pen_status st = pen_store_metadata(a->host, url, ARCHIVE_END, text, sizeof text, err);
    if (st != PEN_OK)
        return st;
    return archive_get_position(text, end) ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: \"%s\" is no position; another program's object?", url, text);
}

static pen_status check_incarnation(const char *url, const char *was, const struct archive_place *p, struct pen_error *err)
{
    return strcmp(was, p->incarnation) == 0 ? PEN_OK
                                            : pen_fail(err, PEN_FATAL,
                                                       "%s is of another %s than the one that is read now (deleted and made anew?): give the sink another "
                                                       "path",
                                                       url, p->topic);
}

static pen_status objects_show(const struct archive *a, const struct archive_place *p, struct pen_position *out, struct pen_error *err)
{
    struct latest l = { .place = p };
    char below[800], url[ARCHIVE_URL], object[ARCHIVE_URL], was[200];
    pen_status st;
    snprintf(below, sizeof below, "%s/%s", p->topic, p->folder);
    st = pen_url_join(url, sizeof url, a->path, below, err);
    if (st >= 0)
        st = pen_store_list(a->host, url, NULL, false, note_latest, &l, err);
    if (st < 0 || !l.name[0])
        return st;
    st = pen_url_join(object, sizeof object, url, l.name, err);
    if (st >= 0)
        st = end_of(a, object, out, err);
    if (st == PEN_SKIP)
        return pen_fail(err, PEN_FATAL, "%s tells no end (%s): another program's object? Give this sink a folder of its own", object, ARCHIVE_END);
    if (st < 0 || (st = pen_store_metadata(a->host, object, ARCHIVE_OF, was, sizeof was, err)) < 0)
        return st;
    return check_incarnation(object, was, p, err);
}

/* -- commits of several objects -------------------------------------------------------------------------------------------------------------------- */

/* Whether every object of an entry is there. */
static pen_status is_whole(const struct archive *a, const struct archive_entry *e, bool *whole, struct pen_error *err)
{
    *whole = true;
    for (size_t i = 0; i < e->n && *whole; i++) {
        struct pen_object o;
        char url[ARCHIVE_URL];
        pen_status st = pen_url_join(url, sizeof url, a->path, e->paths[i], err);
        if (st >= 0)
            st = pen_store_head(a->host, url, &o, err);
        if (st < 0)
            return st;
        *whole = st == PEN_OK;
    }
    return PEN_OK;
}

/* Shown is the end of the last entry, or its beginning where it is not whole: then its messages are read again, and the same is made of them. */
static pen_status entries_show(struct archive *a, const struct archive_place *p, struct pen_position *out, struct pen_error *err)
{
    struct archive_entry e;
    char url[ARCHIVE_URL];
    bool whole = true;
    pen_status st = archive_entry_latest(a, p, &e, err);
    if (st != PEN_OK)
        return st < 0 ? st : archive_unfinished_set(a, p, NULL, err);
    st = archive_entry_url(a, p, &e.first, url, err);
    if (st >= 0)
        st = check_incarnation(url, e.incarnation, p, err);
    if (st >= 0)
        st = is_whole(a, &e, &whole, err);
    if (st >= 0)
        st = archive_unfinished_set(a, p, whole ? NULL : &e, err);
    *out = whole ? e.end : e.first;
    archive_entry_fini(&e);
    return st;
}

/* -- either ---------------------------------------------------------------------------------------------------------------------------------------- */

/* Both ways of keeping a partition are looked at, so that options which change the one into the other do not begin anew. */
static pen_status partition_shown(struct archive *a, const char *stage, const char *partition, struct pen_position *out, struct pen_error *err)
{
    struct archive_place p;
    struct pen_position plain = { 0 };
    pen_status st = archive_place_of(a, stage, partition, &p, err);
    out->n = 0;
    if (st >= 0)
        st = archive_note_topic(a, p.topic, err);
    if (st >= 0)
        st = objects_show(a, &p, &plain, err);
    if (st >= 0)
        st = entries_show(a, &p, out, err);
    if (st >= 0 && plain.n && (!out->n || pen_position_compare(&plain, out) > 0))
        *out = plain;
    return st < 0 ? st : PEN_OK;
}

static pen_status any_object(void *arg, const struct pen_object *o, struct pen_error *err)
{
    (void)err;
    *(bool *)arg = strchr(o->name, '+') != NULL || strncmp(o->name, "_penstock/", 10) == 0;
    return *(bool *)arg ? PEN_SKIP : PEN_OK;
}

/* A whole key is answered by the objects of its partition. Of a source as a whole only whether anything lies there; of sources by other names nothing, for
 * objects are named by topics. */
pen_status archive_shown(void *ctx, const char *prefix,
                         pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                         struct pen_error *err)
{
    struct archive *a = ctx;
    const char *sink = strchr(prefix, '/'), *source = sink ? strchr(sink + 1, '/') : NULL, *partition = source ? strchr(source + 1, '/') : NULL;
    struct pen_position pos = pen_position_of(0);
    bool any = false;
    char stage[512];
    pen_status st;
    if (!partition)
        return PEN_OK;
    if (!partition[1]) {
        st = pen_store_list(a->host, a->path, NULL, true, any_object, &any, err);
        return st >= 0 && any ? each(arg, prefix, &pos, err) : st < 0 ? st : PEN_OK;
    }
    if (!archive_unescape(stage, sizeof stage, source + 1, (size_t)(partition - source - 1)))
        return pen_fail(err, PEN_FATAL, "the name of source %.100s is too long for a path", source + 1);
    st = partition_shown(a, stage, partition + 1, &pos, err);
    return st < 0 || !pos.n ? (st < 0 ? st : PEN_OK) : each(arg, prefix, &pos, err);
}
