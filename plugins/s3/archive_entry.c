/* archive_entry.c - entries: what a commit of several objects consists of, fixed before the first of them is put. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"

enum { ENTRY_MAX = 16 << 20 };

void archive_entry_fini(struct archive_entry *e)
{
    for (size_t i = 0; i < e->n; i++)
        free(e->paths[i]);
    free(e->paths);
    *e = (struct archive_entry){ .n = 0 };
}

pen_status archive_entry_add(struct archive_entry *e, const char *path, struct pen_error *err)
{
    char **paths = realloc(e->paths, (e->n + 1) * sizeof *paths);
    if (paths)
        e->paths = paths;
    if (!paths || !(paths[e->n] = strdup(path)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    e->n++;
    return PEN_OK;
}

/* -- where they lie -------------------------------------------------------------------------------------------------------------------------------- */

pen_status archive_entries_url(const struct archive *a, const char *topic, char url[ARCHIVE_URL], struct pen_error *err)
{
    char below[400];
    snprintf(below, sizeof below, "_penstock/%s", topic);
    return pen_url_join(url, ARCHIVE_URL, a->path, below, err);
}

static pen_status partition_url(const struct archive *a, const struct archive_place *p, const char *name, char url[ARCHIVE_URL], struct pen_error *err)
{
    char below[800];
    snprintf(below, sizeof below, "_penstock/%s/partition=%s%s%s", p->topic, p->number, *name ? "/" : "", name);
    return pen_url_join(url, ARCHIVE_URL, a->path, below, err);
}

pen_status archive_entry_url(const struct archive *a, const struct archive_place *p, const struct pen_position *first, char url[ARCHIVE_URL],
                             struct pen_error *err)
{
    char name[ARCHIVE_POSITION];
    size_t at = 0;
    for (uint32_t i = 0; i < first->n; i++)
        at += (size_t)snprintf(name + at, sizeof name - at, "%s%020" PRIu64, i ? "." : "", first->w[i]);
    return partition_url(a, p, name, url, err);
}

/* -- what they say ----------------------------------------------------------------------------------------------------------------------------------- */

static void put_member(struct pen_text *out, const char *name, const char *value)
{
    pen_text_format(out, "%s\"%s\":", out->n > 1 ? "," : "", name);
    pen_text_json_string(out, value, strlen(value));
}

void archive_entry_write(const struct archive_entry *e, struct pen_text *out)
{
    char end[ARCHIVE_POSITION];
    archive_put_position(end, &e->end);
    pen_text_put(out, "{");
    put_member(out, "end", end);
    put_member(out, "plan", e->plan);
    put_member(out, "incarnation", e->incarnation);
    pen_text_put(out, ",\"objects\":[");
    for (size_t i = 0; i < e->n; i++) {
        pen_text_put(out, i ? "," : "");
        pen_text_json_string(out, e->paths[i], strlen(e->paths[i]));
    }
    pen_text_put(out, "]}\n");
}

static bool take_text(const cJSON *o, const char *name, char *buf, size_t size)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    if (!cJSON_IsString(v) || strlen(v->valuestring) >= size)
        return false;
    snprintf(buf, size, "%s", v->valuestring);
    return true;
}

static pen_status take_entry(const char *url, const cJSON *o, struct archive_entry *out, struct pen_error *err)
{
    const cJSON *objects = cJSON_GetObjectItemCaseSensitive(o, "objects"), *one;
    char end[ARCHIVE_POSITION];
    pen_status st = PEN_OK;
    if (!take_text(o, "end", end, sizeof end) || !archive_get_position(end, &out->end) || !take_text(o, "plan", out->plan, sizeof out->plan) ||
        !take_text(o, "incarnation", out->incarnation, sizeof out->incarnation) || !cJSON_IsArray(objects))
        return pen_fail(err, PEN_FATAL, "%s: no entry of an archive, or a damaged one", url);
    cJSON_ArrayForEach(one, objects)
        if (st >= 0)
            st = cJSON_IsString(one) ? archive_entry_add(out, one->valuestring, err) : pen_fail(err, PEN_FATAL, "%s: a damaged entry of an archive", url);
    return st;
}

pen_status archive_entry_parse(const char *url, const char *bytes, size_t n, struct archive_entry *out, struct pen_error *err)
{
    cJSON *o = cJSON_ParseWithLength(bytes, n);
    pen_status st = take_entry(url, o, out, err);
    cJSON_Delete(o);
    if (st < 0)
        archive_entry_fini(out);
    return st;
}

pen_status archive_entry_read(const struct archive *a, const char *url, struct archive_entry *out, struct pen_error *err)
{
    struct pen_position first = out->first;
    char *bytes;
    size_t n;
    pen_status st = pen_store_get(a->host, url, ENTRY_MAX, &bytes, &n, err);
    *out = (struct archive_entry){ .first = first };
    if (st != PEN_OK)
        return st;
    st = archive_entry_parse(url, bytes, n, out, err);
    free(bytes);
    return st;
}

static pen_status note_last(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct pen_position *last = arg, pos;
    (void)err;
    if (archive_get_position(o->name, &pos) && (!last->n || pen_position_compare(&pos, last) > 0))
        *last = pos;
    return PEN_OK;
}

pen_status archive_entry_latest(const struct archive *a, const struct archive_place *p, struct archive_entry *out, struct pen_error *err)
{
    char url[ARCHIVE_URL];
    pen_status st = partition_url(a, p, "", url, err);
    *out = (struct archive_entry){ .n = 0 };
    if (st >= 0)
        st = pen_store_list(a->host, url, NULL, false, note_last, &out->first, err);
    if (st < 0 || !out->first.n)
        return st < 0 ? st : PEN_SKIP;
    st = archive_entry_url(a, p, &out->first, url, err);
    return st < 0 ? st : archive_entry_read(a, url, out, err);
}

/* -- those that were begun --------------------------------------------------------------------------------------------------------------------------- */

struct archive_unfinished {
    struct archive_place place;
    struct pen_position first, end;
    struct archive_unfinished *next;
};

static struct archive_unfinished **find(struct archive *a, const struct archive_place *p)
{
    struct archive_unfinished **at = &a->unfinished;
    while (*at && (strcmp((*at)->place.topic, p->topic) != 0 || strcmp((*at)->place.number, p->number) != 0))
        at = &(*at)->next;
    return at;
}

pen_status archive_unfinished_set(struct archive *a, const struct archive_place *p, const struct archive_entry *e, struct pen_error *err)
{
    struct archive_unfinished **at, *u;
    pen_status st = PEN_OK;
    pthread_mutex_lock(&a->lock);
    at = find(a, p);
    u = *at;
    if (u && !e) {
        *at = u->next;
        free(u);
    } else if (e && !u) {
        u = *at = calloc(1, sizeof *u);
        if (u)
            u->place = *p;
        else
            st = pen_fail(err, PEN_FATAL, "out of memory");
    }
    if (u && e) {
        u->first = e->first;
        u->end = e->end;
    }
    pthread_mutex_unlock(&a->lock);
    return st;
}

bool archive_unfinished_get(struct archive *a, const struct archive_place *p, struct pen_position *first, struct pen_position *end)
{
    const struct archive_unfinished *u;
    pthread_mutex_lock(&a->lock);
    u = *find(a, p);
    if (u) {
        *first = u->first;
        *end = u->end;
    }
    pthread_mutex_unlock(&a->lock);
    return u != NULL;
}

void archive_unfinished_fini(struct archive *a)
{
    while (a->unfinished) {
        struct archive_unfinished *u = a->unfinished;
        a->unfinished = u->next;
        free(u);
    }
}
