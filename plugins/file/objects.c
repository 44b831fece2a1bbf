/* objects.c - files in a store: objects below a URL, listed in the order of their names. An object is what it was for as long as its key and its tag
 * (ETag) are: it does not grow, so it is one range and is not waited for. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "file.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

bool object_is_url(const char *path)
{
    const char *colon = strstr(path, "://");
    return colon && colon > path && strncmp(path, "file://", 7) != 0;
}

uint64_t object_ino(const char *url, const char *tag)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a, 64 bits, of both with a NUL between */
    for (const char *p = url; *p; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    h *= UINT64_C(0x100000001b3);
    for (const char *p = tag; *p; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return h;
}

struct search {
    struct listing *l;
    const char *folder;
    const char *pattern; /* of names below the folder; NULL: all that has a known extension, or `any` */
    bool any;
};

/* Whether some level of the name begins with '.' or '_', as Hive hides files. */
static bool is_hidden(const char *name)
{
    for (const char *p = name; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (*p == '.' || *p == '_')
            return true;
    }
    return false;
}

static pen_status take(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct search *s = arg;
    char url[4096];
    file_format format;
    file_codec codec;
    bool known;
    pen_status st;
    file_kind(o->name, &format, &codec, &known);
    if (s->pattern ? fnmatch(s->pattern, o->name, FNM_PATHNAME | FNM_PERIOD) != 0 : is_hidden(o->name) || !(s->any || known))
        return PEN_OK;
    if ((st = pen_url_join(url, sizeof url, s->folder, o->name, err)) < 0)
        return st;
    return listing_add(s->l, url, FILE_OBJECT, object_ino(url, o->tag), (uint64_t)o->size, err);
}

pen_status objects_list(struct listing *l, const struct pen_host *host, const char *url, bool any, bool patient, struct pen_error *err)
{
    const char *wild = strpbrk(strstr(url, "://") + 3, "*?[");
    char *folder = strdup(url);
    struct search s = { .l = l, .folder = folder, .any = any };
    size_t before = l->n;
    struct pen_object o;
    pen_status st = folder ? PEN_SKIP : pen_fail(err, PEN_FATAL, "out of memory");
    if (st >= 0 && wild) {
        char *slash = strrchr(strcpy(folder, url), '/');
        while (slash - folder > wild - url) { /* the last one before the first sign of a pattern */
            *slash = '\0';
            slash = strrchr(folder, '/');
        }
        *slash = '\0';
        s.pattern = url + (slash - folder) + 1;
    } else if (st >= 0 && (st = pen_store_head(host, url, &o, err)) == PEN_OK) {
        st = listing_add(l, url, FILE_OBJECT, object_ino(url, o.tag), (uint64_t)o.size, err);
        free(folder);
        return st;
    }
    if (st >= 0)
        st = pen_store_list(host, folder, NULL, true, take, &s, err);
    if (st >= 0 && l->n == before && !wild && !patient)
        st = pen_fail(err, PEN_FATAL, "%s: there is no such object, and none below it that would be read", url);
    free(folder);
    return st < 0 ? st : PEN_OK;
}

pen_status object_unchanged(const struct pen_host *host, const struct range_view *v, struct pen_error *err)
{
    struct pen_object o;
    pen_status st = pen_store_head(host, v->path, &o, err);
    return st != PEN_OK ? st : object_ino(v->path, o.tag) == v->ino ? PEN_OK : PEN_SKIP;
}
