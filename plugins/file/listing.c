/* listing.c - from the option `path` to files: globs, folders, single files, each file once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 64 /* of folders in folders */

struct arena {
    struct arena *before;
    size_t used, size;
    char bytes[];
};

const char *arena_string(struct arena **a, const char *text, size_t n)
{
    if (!*a || (*a)->size - (*a)->used <= n) {
        size_t size = n + 1 > 65536 - sizeof **a ? n + 1 : 65536 - sizeof **a;
        struct arena *more = malloc(sizeof *more + size);
        if (!more)
            return NULL;
        more->before = *a;
        more->used = 0;
        more->size = size;
        *a = more;
    }
    char *s = (*a)->bytes + (*a)->used;
    memcpy(s, text, n);
    s[n] = '\0';
    (*a)->used += n + 1;
    return s;
}

void arena_free(struct arena **a)
{
    while (*a) {
        struct arena *before = (*a)->before;
        free(*a);
        *a = before;
    }
}

static bool ends_in(const char *s, size_t n, const char *tail)
{
    size_t t = strlen(tail);
    return n > t && memcmp(s + n - t, tail, t) == 0;
}

void file_kind(const char *path, file_format *format, file_codec *codec, bool *known)
{
    size_t n = strlen(path);
    *codec = ends_in(path, n, ".gz") ? FILE_GZIP : ends_in(path, n, ".zst") ? FILE_ZSTD : FILE_PLAIN;
    n -= *codec == FILE_GZIP ? 3 : *codec == FILE_ZSTD ? 4 : 0;
    *format = ends_in(path, n, ".csv") ? FILE_CSV : FILE_JSONL;
    *known = *format == FILE_CSV || ends_in(path, n, ".jsonl") || ends_in(path, n, ".json");
}

pen_status listing_add(struct listing *l, const char *path, uint64_t dev, uint64_t ino, uint64_t size, struct pen_error *err)
{
    if (l->n == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        struct listed *v = realloc(l->v, room * sizeof *v);
        if (!v)
            return pen_fail(err, PEN_FATAL, "out of memory");
        l->v = v;
        l->room = room;
    }
    const char *name = arena_string(&l->names, path, strlen(path));
    if (!name)
        return pen_fail(err, PEN_FATAL, "out of memory");
    l->v[l->n++] = (struct listed){ name, dev, ino, size };
    return PEN_OK;
}

static pen_status add(struct listing *l, const char *path, const struct stat *st, struct pen_error *err)
{
    return listing_add(l, path, (uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size, err);
}

/* What lies below a folder. Links to folders are not followed, so that there is no way round in a circle. */
static pen_status walk(struct listing *l, const char *folder, bool any, int depth, struct pen_error *err)
{
    if (depth > MAX_DEPTH)
        return pen_fail(err, PEN_FATAL, "%s: more than %d folders deep", folder, MAX_DEPTH);
    DIR *d = opendir(folder);
    if (!d)
        return depth && errno == ENOENT ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: cannot read the folder: %s", folder, strerror(errno));
    pen_status status = PEN_OK;
    char *path = NULL;
    while (status == PEN_OK) {
        struct stat st;
        file_format format;
        file_codec codec;
        bool known;
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            if (errno)
                status = pen_fail(err, PEN_FATAL, "%s: cannot read the folder: %s", folder, strerror(errno));
            break;
        }
        if (e->d_name[0] == '.' || e->d_name[0] == '_')
            continue;
        free(path);
        path = NULL;
        if (asprintf(&path, "%s%s%s", folder, ends_in(folder, strlen(folder), "/") ? "" : "/", e->d_name) < 0) {
            path = NULL;
            status = pen_fail(err, PEN_FATAL, "out of memory");
            break;
        }
        file_kind(e->d_name, &format, &codec, &known);
        if (lstat(path, &st) != 0) {
            if (errno != ENOENT)
                status = pen_fail(err, PEN_FATAL, "%s: %s", path, strerror(errno));
        } else if (S_ISDIR(st.st_mode)) {
            status = walk(l, path, any, depth + 1, err);
        } else if ((any || known) && (S_ISREG(st.st_mode) || (S_ISLNK(st.st_mode) && stat(path, &st) == 0 && S_ISREG(st.st_mode)))) {
            status = add(l, path, &st, err);
        }
    }
    free(path);
    closedir(d);
    return status;
}

static pen_status add_path(struct listing *l, const char *path, bool any, bool patient, struct pen_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        if (errno == ENOENT && patient)
            return PEN_OK;
        return pen_fail(err, PEN_FATAL, "%s: %s", path, strerror(errno));
    }
    if (S_ISDIR(st.st_mode))
        return walk(l, path, any, 0, err);
    if (!S_ISREG(st.st_mode))
        return pen_fail(err, PEN_FATAL, "%s: neither a file nor a folder", path);
    return add(l, path, &st, err);
}

static _Thread_local struct {
    char path[256];
    int error;
} glob_failed; /* glob() gives its callback no argument */

static int glob_error(const char *path, int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return 0;
    snprintf(glob_failed.path, sizeof glob_failed.path, "%s", path);
    glob_failed.error = error;
    return 1;
}

static pen_status add_glob(struct listing *l, const char *pattern, bool any, struct pen_error *err)
{
    glob_t g = { 0 };
    pen_status status = PEN_OK;
    int rc = glob(pattern, GLOB_NOSORT, glob_error, &g);
    if (rc == GLOB_NOSPACE)
        status = pen_fail(err, PEN_FATAL, "out of memory");
    else if (rc == GLOB_ABORTED)
        status = pen_fail(err, PEN_FATAL, "%s: cannot read the folder: %s", glob_failed.path, strerror(glob_failed.error));
    for (size_t i = 0; rc == 0 && status == PEN_OK && i < g.gl_pathc; i++)
        status = add_path(l, g.gl_pathv[i], any, true, err);
    globfree(&g);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->path, ((const struct listed *)b)->path);
}

pen_status listing_make(struct listing *out, const struct pen_host *host, const struct pen_strings *paths, bool any, bool patient,
                        struct pen_error *err)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < paths->n; i++) {
        struct stat st;
        size_t first = out->n;
        bool pattern = strpbrk(paths->v[i], "*?[") && lstat(paths->v[i], &st) != 0;
        pen_status status = object_is_url(paths->v[i]) ? objects_list(out, host, paths->v[i], any, patient, err) : pattern ? add_glob(out, paths->v[i], any, err) : add_path(out, paths->v[i], any, patient, err);
        if (status < 0) {
            listing_fini(out);
            return status;
        }
        if (out->n > first)
            qsort(out->v + first, out->n - first, sizeof *out->v, by_path);
    }
    return PEN_OK;
}

void listing_fini(struct listing *l)
{
    free(l->v);
    arena_free(&l->names);
    memset(l, 0, sizeof *l);
}
