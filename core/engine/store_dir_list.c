/* store_dir_list.c - listing local folders in byte order of the whole names, and removing what killed writers left in them.
 *
 * One folder's names are held at a time on each level; a folder sorts as its name with the '/' behind it, so that going down in that order
 * gives the order of the full names ("a.b" before "a/b"). Names up to `after` are left out before they are kept or looked at. Symbolic
 * links to folders are not followed: they could lead round in a circle.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <penstock/plugin.h>

#include "engine/store.h"

enum { MAX_DEPTH = 64 }; /* folders below one another */

struct names {
    char **v; /* each malloc'ed; a folder's ends in '/' */
    size_t n, room;
};

struct walk {
    const char *after;
    bool recursive;
    pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err);
    void *arg;
    struct pen_error *err;
    struct pen_object o; /* o.name: what of the name is known so far */
    char path[4096];     /* root, '/', o.name */
    size_t base;         /* length of root and '/' in path */
};

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    free(names->v);
}

static bool names_add(struct names *names, const char *name, bool folder)
{
    if (names->n == names->room) {
        size_t room = names->room ? names->room * 2 : 64;
        char **v = realloc(names->v, room * sizeof *v);
        if (!v)
            return false;
        names->v = v;
        names->room = room;
    }
    size_t n = strlen(name);
    char *copy = malloc(n + 2);
    if (!copy)
        return false;
    memcpy(copy, name, n);
    strcpy(copy + n, folder ? "/" : "");
    names->v[names->n++] = copy;
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_folder(int dir, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Whether everything under this name lies at or before `after`. prefix: length of what is known of the name, path its folder. */
static bool is_before(const struct walk *w, size_t prefix, const char *name, bool folder)
{
    char full[sizeof w->o.name + 300];
    if (!w->after)
        return false;
    snprintf(full, sizeof full, "%.*s%s%s", (int)prefix, w->o.name, name, folder ? "/" : "");
    return folder ? strncmp(full, w->after, strlen(full)) < 0 : strcmp(full, w->after) <= 0;
}

static pen_status collect(struct walk *w, size_t prefix, struct names *names)
{
    struct dirent *e;
    pen_status st = pen_failpoint("store.list", w->err);
    DIR *d = st < 0 ? NULL : opendir(w->path);
    if (st < 0)
        return st;
    if (!d)
        return errno == ENOENT || errno == ENOTDIR ? PEN_OK : pen_dir_fail(w->err, errno, "list the folder", w->path);
    for (errno = 0; st >= 0 && (e = readdir(d)); errno = 0) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || pen_dir_is_temp(e->d_name))
            continue;
        bool folder = is_folder(dirfd(d), e);
        if ((folder && !w->recursive) || is_before(w, prefix, e->d_name, folder))
            continue;
        if (!names_add(names, e->d_name, folder))
            st = pen_fail(w->err, PEN_FATAL, "%s: out of memory", w->path);
    }
    if (st >= 0 && errno)
        st = pen_dir_fail(w->err, errno, "list the folder", w->path);
    closedir(d);
    if (st >= 0 && names->n)
        qsort(names->v, names->n, sizeof *names->v, by_bytes);
    return st;
}

/* Gives the object whose path is w->path to the caller; one that has gone since is no object. */
static pen_status give(struct walk *w)
{
    struct stat st;
    if (stat(w->path, &st) != 0)
        return errno == ENOENT ? PEN_OK : pen_dir_fail(w->err, errno, "look at the file", w->path);
    if (!S_ISREG(st.st_mode))
        return PEN_OK;
    pen_dir_describe(&w->o, &st);
    return w->each(w->arg, &w->o, w->err);
}

static pen_status walk(struct walk *w, size_t prefix, int depth)
{
    struct names names = { 0 };
    if (depth > MAX_DEPTH)
        return pen_fail(w->err, PEN_FATAL, "%s: folders lie more than %d deep", w->path, MAX_DEPTH);
    pen_status st = collect(w, prefix, &names);
    for (size_t i = 0; st == PEN_OK && i < names.n; i++) {
        size_t n = strlen(names.v[i]);
        if (prefix + n >= sizeof w->o.name || w->base + prefix + n >= sizeof w->path) {
            st = pen_fail(w->err, PEN_FATAL, "%s: the name below it is too long: %.60s", w->path, names.v[i]);
            break;
        }
        strcpy(w->o.name + prefix, names.v[i]);
        strcpy(w->path + w->base + prefix, names.v[i]);
        st = names.v[i][n - 1] == '/' ? walk(w, prefix + n, depth + 1) : give(w);
    }
    names_fini(&names);
    return st;
}

pen_status pen_dir_list(void *ctx, const char *path, const char *after, bool recursive,
                        pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err), void *arg,
                        struct pen_error *err)
{
    struct walk *w = calloc(1, sizeof *w);
    (void)ctx;
    if (!w)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", path);
    w->after = after;
    w->recursive = recursive;
    w->each = each;
    w->arg = arg;
    w->err = err;
    pen_status st = pen_url_join(w->path, sizeof w->path, path, "", err);
    w->base = strlen(w->path);
    if (st >= 0)
        st = walk(w, 0, 0);
    free(w);
    return st < 0 ? st : PEN_OK;
}

/* -- what killed writers left ----------------------------------------------------------------------------------------------------- */

enum { STALE_AFTER_S = 3600 };

static void reclaim_one(int dir, const char *name, int64_t now)
{
    struct stat st;
    int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && now / 1000000 - (int64_t)st.st_mtim.tv_sec > STALE_AFTER_S &&
        flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(dir, name, 0);
    close(fd);
}

static void reclaim(const char *path, int64_t *now, int depth)
{
    DIR *d = depth > MAX_DEPTH ? NULL : opendir(path);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        size_t n = strlen(e->d_name);
        if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            char below[4096];
            if (pen_url_join(below, sizeof below, path, e->d_name, NULL) == PEN_OK)
                reclaim(below, now, depth + 1);
        } else if (pen_dir_is_temp(e->d_name) && strcmp(e->d_name + n - (sizeof PEN_DIR_TEMP_OPEN - 1), PEN_DIR_TEMP_OPEN) == 0) {
            if (*now == 0 && pen_store_dir.now(NULL, path, now, NULL) < 0)
                break;
            reclaim_one(dirfd(d), e->d_name, *now);
        }
    }
    if (d)
        closedir(d);
}

void pen_store_dir_reclaim(const char *path)
{
    int64_t now = 0;
    reclaim(path, &now, 0);
}
