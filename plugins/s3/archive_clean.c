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
#define SPELL INT64_C(1000000) /* how long commits may wait for it at a time; it then goes on after a later one */
enum { AT_ONCE = 50, NAME = 1025 };

enum folder { OBJECTS, ENTRIES, FOLDERS };
struct archive_topic {
    char name[300], after[FOLDERS][NAME]; /* after: where the next look goes on; "" at the beginning */
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
    int64_t before, until;  /* age; pen_now() at which it stops for now */
    char *names[AT_ONCE];   /* to be removed, if they are the archive's own */
    size_t n;
    char *seen;             /* the last name that was looked at */
    bool more;              /* there are others behind it */
    char newest[NAME];      /* entries: the last one of the partition at hand that is no candidate yet */
    bool newest_is_old;
};

static pen_status keep_name(struct cleaning *c, const char *name, struct pen_error *err)
{
    return (c->names[c->n] = strdup(name)) ? (c->n++, PEN_OK) : pen_fail(err, PEN_FATAL, "out of memory");
}

static bool is_enough(struct cleaning *c, const struct pen_object *o)
{
    c->more = c->n == AT_ONCE || pen_now(c->a->host) >= c->until;
    if (!c->more)
        snprintf(c->seen, NAME, "%s", o->name);
    return c->more;
}

static pen_status note_object(struct cleaning *c, const struct pen_object *o, struct pen_error *err)
{
    const char *slash = strrchr(o->name, '/');
    struct pen_position first;
    if (o->modified >= c->before || !slash || !archive_object_name(slash + 1, c->topic, NULL, &first))
        return PEN_OK;
    return keep_name(c, o->name, err);
}

/* An entry is done with once the next one of its partition is there. */
static pen_status note_entry(struct cleaning *c, const struct pen_object *o, struct pen_error *err)
{
    const char *slash = strrchr(o->name, '/');
    size_t folder = slash ? (size_t)(slash - o->name) + 1 : 0;
    pen_status st = PEN_OK;
    if (!slash || strspn(slash + 1, "0123456789.") != strlen(slash + 1))
        return PEN_OK;
    if (c->newest_is_old && strncmp(c->newest, o->name, folder) == 0)
        st = keep_name(c, c->newest, err);
    snprintf(c->newest, sizeof c->newest, "%s", o->name);
    c->newest_is_old = o->modified < c->before;
    return st;
}

static pen_status each_object(void *arg, const struct pen_object *o, struct pen_error *err)
{
    return is_enough(arg, o) ? PEN_SKIP : note_object(arg, o, err);
}

static pen_status each_entry(void *arg, const struct pen_object *o, struct pen_error *err)
{
    return is_enough(arg, o) ? PEN_SKIP : note_entry(arg, o, err);
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
    while (c->n)
        free(c->names[--c->n]);
}

/* A folder from where the last look at it ended. */
static pen_status clean_folder(struct cleaning *c, struct archive_topic *t, enum folder which, int64_t *gone, struct pen_error *err)
{
    char url[ARCHIVE_URL];
    pen_status st = which == OBJECTS ? pen_url_join(url, sizeof url, c->a->path, t->name, err) : archive_entries_url(c->a, t->name, url, err);
    c->seen = t->after[which];
    c->newest_is_old = false;
    do {
        char after[NAME];
        memcpy(after, c->seen, sizeof after);
        c->more = false;
        if (st >= 0)
            st = pen_store_list(c->a->host, url, *after ? after : NULL, true, which == OBJECTS ? each_object : each_entry, c, err);
        if (st >= 0)
            st = remove_names(c, url, gone, err);
        drop_names(c);
    } while (st >= 0 && c->more && pen_now(c->a->host) < c->until);
    if (st >= 0 && !c->more)
        *c->seen = '\0';
    return st < 0 ? st : PEN_OK;
}

/* -- all of them ----------------------------------------------------------------------------------------------------------------------------------- */

/* *more: the time was up before all had been looked at. */
static pen_status clean_topic(const struct archive *a, struct archive_topic *t, int64_t now, int64_t until, bool *more, struct pen_error *err)
{
    struct cleaning c = { .a = a, .topic = t->name, .until = until, .before = now - a->expire };
    int64_t objects = 0, entries = 0;
    pen_status st = a->expire ? clean_folder(&c, t, OBJECTS, &objects, err) : PEN_OK;
    *more |= c.more;
    c.before = now - ENTRY_AGE;
    if (st >= 0)
        st = clean_folder(&c, t, ENTRIES, &entries, err);
    *more |= c.more;
    if (objects)
        pen_count(a->host, "expired_total", NULL, objects);
    return st;
}

pen_status archive_maintain(void *ctx, struct pen_error *err)
{
    struct archive *a = ctx;
    int64_t now = pen_now(a->host), store_now;
    bool more = false;
    pen_status st;
    if (now < a->clean_at || (!a->expire && layout_is_plain(&a->layout)))
        return PEN_OK;
    a->clean_at = now + (a->expire && a->expire < HOUR ? a->expire : HOUR);
    st = pen_store_now(a->host, a->path, &store_now, err);
    for (struct archive_topic *t = a->topics; t && st >= 0; t = t->next)
        st = clean_topic(a, t, store_now, now + SPELL, &more, err);
    if (more)
        a->clean_at = pen_now(a->host) + 9 * SPELL;
    return st;
}
