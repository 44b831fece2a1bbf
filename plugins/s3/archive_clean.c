/* archive_clean.c - what is old is removed: objects of the archive by option `expire`, and entries that have done their work.
 *
 * Only what this archive put itself goes: objects of topics that this process reads, with the names that it gives and the metadata that only it writes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"

#define HOUR INT64_C(3600000000)
#define ENTRY_AGE (24 * HOUR) /* how long a process may be stopped in the middle of a commit, and still find that another has made it */
enum { AT_ONCE = 1000 };      /* names that are held in memory */

struct archive_topic {
    char name[300];
    struct archive_topic *next;
};

pen_status archive_note_topic(struct archive *a, const char *topic, struct pen_error *err)
{
    struct archive_topic **at = &a->topics;
    while (*at && strcmp((*at)->name, topic) != 0)
        at = &(*at)->next;
    if (*at)
        return PEN_OK;
    if (!(*at = calloc(1, sizeof **at)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    snprintf((*at)->name, sizeof (*at)->name, "%s", topic);
    return PEN_OK;
}

void archive_topics_fini(struct archive *a)
{
    while (a->topics) {
        struct archive_topic *t = a->topics;
        a->topics = t->next;
        free(t);
    }
}

/* -- a folder, some names at a time ---------------------------------------------------------------------------------------------------------------- */

struct cleaning {
    const struct archive *a;
    const char *topic;
    int64_t before;
    char *names[AT_ONCE], *after; /* after: where the next list begins */
    size_t n;
    char newest[1024];            /* entries: the last one of the partition at hand that is no candidate yet */
    bool newest_is_old;
};

static pen_status keep_name(struct cleaning *c, const char *name, struct pen_error *err)
{
    return (c->names[c->n] = strdup(name)) ? (c->n++, PEN_OK) : pen_fail(err, PEN_FATAL, "out of memory");
}

static pen_status note_object(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct cleaning *c = arg;
    const char *slash = strrchr(o->name, '/');
    struct pen_position first;
    if (o->modified >= c->before || !slash || !archive_object_name(slash + 1, c->topic, NULL, &first))
        return PEN_OK;
    if (c->n == AT_ONCE)
        return PEN_SKIP;
    return keep_name(c, o->name, err);
}

/* An entry is done with once the next one of its partition is there. */
static pen_status note_entry(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct cleaning *c = arg;
    const char *slash = strrchr(o->name, '/');
    size_t folder = slash ? (size_t)(slash - o->name) + 1 : 0;
    pen_status st = PEN_OK;
    if (!slash || strspn(slash + 1, "0123456789.") != strlen(slash + 1))
        return PEN_OK;
    if (c->n == AT_ONCE)
        return PEN_SKIP;
    if (c->newest_is_old && strncmp(c->newest, o->name, folder) == 0 && strcmp(c->newest, o->name) != 0)
        st = keep_name(c, c->newest, err);
    snprintf(c->newest, sizeof c->newest, "%s", o->name);
    c->newest_is_old = o->modified < c->before;
    return st;
}

/* Whether an object tells that this archive put it. */
static pen_status is_own(const struct archive *a, const char *url, bool *own, struct pen_error *err)
{
    char end[ARCHIVE_POSITION];
    struct pen_position pos;
    pen_status st = pen_store_metadata(a->host, url, ARCHIVE_END, end, sizeof end, err);
    *own = st == PEN_OK && archive_get_position(end, &pos);
    return st < 0 ? st : PEN_OK;
}

static pen_status remove_names(struct cleaning *c, const char *folder, int64_t *gone, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (size_t i = 0; i < c->n && st >= 0; i++) {
        char url[ARCHIVE_URL];
        bool own = false;
        st = pen_url_join(url, sizeof url, folder, c->names[i], err);
        if (st >= 0)
            st = is_own(c->a, url, &own, err);
        if (st >= 0 && own && (st = pen_store_remove(c->a->host, url, err)) >= 0)
            ++*gone;
    }
    return st;
}

static void drop_names(struct cleaning *c)
{
    free(c->after);
    c->after = c->n ? c->names[--c->n] : NULL;
    while (c->n)
        free(c->names[--c->n]);
}

static pen_status clean_folder(const struct archive *a, const char *topic, const char *folder, int64_t before,
                               pen_status (*note)(void *arg, const struct pen_object *o, struct pen_error *err), int64_t *gone, struct pen_error *err)
{
    struct cleaning *c = calloc(1, sizeof *c);
    bool more = true;
    pen_status st = PEN_OK;
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    c->a = a;
    c->topic = topic;
    c->before = before;
    while (more && st >= 0) {
        st = pen_store_list(a->host, folder, c->after, true, note, c, err);
        more = c->n == AT_ONCE;
        if (st >= 0)
            st = remove_names(c, folder, gone, err);
        drop_names(c);
    }
    free(c->after);
    free(c);
    return st < 0 ? st : PEN_OK;
}

/* -- all of them ----------------------------------------------------------------------------------------------------------------------------------- */

static pen_status clean_topic(const struct archive *a, const char *topic, int64_t now, struct pen_error *err)
{
    char url[ARCHIVE_URL];
    int64_t objects = 0, entries = 0;
    pen_status st = PEN_OK;
    if (a->expire) {
        st = pen_url_join(url, sizeof url, a->path, topic, err);
        if (st >= 0)
            st = clean_folder(a, topic, url, now - a->expire, note_object, &objects, err);
    }
    if (st >= 0)
        st = archive_entries_url(a, topic, url, err);
    if (st >= 0)
        st = clean_folder(a, topic, url, now - ENTRY_AGE, note_entry, &entries, err);
    if (objects)
        pen_count(a->host, "expired_total", NULL, objects);
    return st;
}

pen_status archive_maintain(void *ctx, struct pen_error *err)
{
    struct archive *a = ctx;
    int64_t now = pen_now(a->host), store_now;
    pen_status st;
    if (now < a->clean_at || (!a->expire && layout_is_plain(&a->layout)))
        return PEN_OK;
    a->clean_at = now + (a->expire && a->expire < HOUR ? a->expire : HOUR);
    st = pen_store_now(a->host, a->path, &store_now, err);
    for (const struct archive_topic *t = a->topics; t && st >= 0; t = t->next)
        st = clean_topic(a, t->name, store_now, err);
    return st;
}
