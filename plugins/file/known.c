/* known.c - which file of a listing is one that was read before, under whatever name it lies now, and which of its ranges are still to be read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- ranges ------------------------------------------------------------------------------------------------------------------ */

/* Compressed files can only be read from their beginning, rows of CSV may hold line breaks, objects are many and small, and times are replayed in order. */
static bool in_one_range(const struct file_source *s, const struct known_file *f)
{
    return f->codec != FILE_PLAIN || f->format == FILE_CSV || f->dev == FILE_OBJECT || s->replay.column;
}

static bool is_done(const struct file_source *s, uint32_t range)
{
    const struct known_range *r = &s->catalog.ranges[range];
    const struct known_file *f = &s->catalog.files[r->file];
    if (r->words == 0)
        return false;
    if (f->codec != FILE_PLAIN)
        return r->size != 0 && r->size >= f->size;
    uint64_t end = catalog_end(&s->catalog, range);
    return r->at >= (end != UINT64_MAX ? end : s->follow && f->dev != FILE_OBJECT ? end : f->size);
}

static pen_status offer(struct file_source *s, uint32_t range, struct pen_error *err)
{
    if (s->n_offers == s->room_offers) {
        size_t room = s->room_offers ? s->room_offers * 2 : 64;
        uint32_t *v = realloc(s->offers, room * sizeof *v);
        if (!v)
            return pen_fail(err, PEN_FATAL, "out of memory");
        s->offers = v;
        s->room_offers = room;
    }
    s->offers[s->n_offers++] = range;
    return PEN_OK;
}

/* Cuts a file that was not looked at in this run into ranges, where none is known, and offers all that are not read. */
static pen_status cut(struct file_source *s, uint32_t file, struct pen_error *err)
{
    struct catalog *c = &s->catalog;
    pen_status status = PEN_OK;
    if (catalog_add_range(c, file, 0) == FILE_NONE)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (!in_one_range(s, &c->files[file]) && (status = catalog_cut(c, file, (uint64_t)s->range_size, err)) < 0)
        return status;
    c->files[file].resolved = true;
    for (uint32_t i = c->files[file].first; i != FILE_NONE; i = c->ranges[i].next)
        if (!is_done(s, i) && offer(s, i, err) < 0)
            return PEN_FATAL;
    return PEN_OK;
}

static bool is_plain(const char *path)
{
    file_format format;
    file_codec codec;
    bool known;
    file_kind(path, &format, &codec, &known);
    return codec == FILE_PLAIN;
}

static void set_kind(const struct file_source *s, struct known_file *f)
{
    file_format format;
    file_codec codec;
    bool known;
    file_kind(f->name, &format, &codec, &known);
    f->format = (uint8_t)(s->format != FILE_AUTO ? (file_format)s->format : format);
    f->codec = (uint8_t)codec;
}

/* -- files known again ------------------------------------------------------------------------------------------------------- */

static uint64_t furthest(const struct catalog *c, uint32_t file)
{
    uint64_t at = 0;
    for (uint32_t i = c->files[file].first; i != FILE_NONE; i = c->ranges[i].next)
        if (c->ranges[i].at > at)
            at = c->ranges[i].at;
    return at;
}

static pen_status cut_off(const char *path, uint64_t at, uint64_t size, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "%s: read to byte %" PRIu64 " before, but %" PRIu64 " bytes long now: it was truncated; put the lines back, or copy the file to "
                    "another name and remove this one", path, at, size);
}

/* `file` was found at path. */
static pen_status found(struct file_source *s, uint32_t file, const char *path, uint64_t dev, uint64_t ino, uint64_t size,
                        struct pen_error *err)
{
    struct catalog *c = &s->catalog;
    if (!catalog_move(c, file, path, dev, ino))
        return pen_fail(err, PEN_FATAL, "out of memory");
    struct known_file *f = &c->files[file];
    f->seen = s->listings;
    f->size = size;
    f->gone = false;
    if (f->resolved)
        return PEN_OK;
    set_kind(s, f);
    if (f->codec == FILE_PLAIN && size < furthest(c, file))
        return cut_off(path, furthest(c, file), size, err);
    return cut(s, file, err);
}

/* Whether what lies at path is this file; takes its present inode and size along. PEN_SKIP: nothing there. PEN_FATAL when it is, but lines that
 * were read before this run are missing. */
static pen_status is_same(const struct catalog *c, uint32_t file, const char *path, bool *same, struct stat *st, struct pen_error *err)
{
    const struct known_file *f = &c->files[file];
    if (f->dev == FILE_OBJECT) { /* key and tag are its inode */
        *same = false;
        return PEN_SKIP;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *same = false;
    if (fd < 0)
        return errno == ENOENT ? PEN_SKIP : pen_fail(err, PEN_FATAL, "%s: cannot open: %s", path, strerror(errno));
    pen_status status = fstat(fd, st) != 0 ? pen_fail(err, PEN_FATAL, "%s: %s", path, strerror(errno)) : identity_holds(&f->id, fd, path, same, err);
    if (status == PEN_OK && !*same && !f->resolved && is_plain(path) && (uint64_t)st->st_size < furthest(c, file) && identity_begins(&f->id, fd, path))
        status = cut_off(path, furthest(c, file), (uint64_t)st->st_size, err);
    close(fd);
    return status;
}

pen_status source_known_by_inode(struct file_source *s, const struct listed *l, struct pen_error *err)
{
    struct catalog *c = &s->catalog;
    for (uint32_t file = catalog_by_inode(c, l->dev, l->ino, FILE_NONE); file != FILE_NONE; file = catalog_by_inode(c, l->dev, l->ino, file)) {
        struct known_file *f = &c->files[file];
        struct stat st;
        bool same;
        if (f->seen == s->listings)
            return PEN_OK;
        if (f->resolved && !f->gone && !f->changed && l->size >= f->size && strcmp(f->path, l->path) == 0) {
            f->seen = s->listings;
            f->size = l->size;
            return PEN_OK;
        }
        if (l->dev == FILE_OBJECT && strcmp(f->path, l->path) == 0)
            return found(s, file, l->path, l->dev, l->ino, l->size, err);
        pen_status status = is_same(c, file, l->path, &same, &st, err);
        if (status != PEN_OK)
            return status == PEN_SKIP ? PEN_OK : status;
        if (same)
            return found(s, file, l->path, l->dev, l->ino, l->size, err);
    }
    return PEN_OK;
}

static bool was_seen(const struct file_source *s, const struct listed *l)
{
    const struct catalog *c = &s->catalog;
    for (uint32_t file = catalog_by_inode(c, l->dev, l->ino, FILE_NONE); file != FILE_NONE; file = catalog_by_inode(c, l->dev, l->ino, file))
        if (c->files[file].seen == s->listings)
            return true;
    return false;
}

static pen_status add_new(struct file_source *s, const struct listed *l, const struct identity *id, struct pen_error *err)
{
    uint32_t file = catalog_add_file(&s->catalog, l->path, id);
    return file == FILE_NONE ? pen_fail(err, PEN_FATAL, "out of memory") : found(s, file, l->path, l->dev, l->ino, l->size, err);
}

pen_status source_known_by_path(struct file_source *s, const struct listed *l, struct pen_error *err)
{
    struct catalog *c = &s->catalog;
    if (l->size == 0 || was_seen(s, l))
        return PEN_OK; /* an empty file has nothing to be known by, nor to be read */
    if (l->dev == FILE_OBJECT)
        return add_new(s, l, &(struct identity){ .dev = l->dev, .ino = l->ino }, err);
    uint32_t file = catalog_by_path(c, l->path, FILE_NONE);
    for (; file != FILE_NONE; file = catalog_by_path(c, l->path, file)) {
        struct stat st;
        bool same;
        if (c->files[file].seen == s->listings)
            continue;
        pen_status status = is_same(c, file, l->path, &same, &st, err);
        if (status != PEN_OK)
            return status < 0 ? status : PEN_OK;
        if (same && (uint64_t)st.st_size >= furthest(c, file))
            return found(s, file, l->path, l->dev, l->ino, l->size, err);
    }
    struct identity id = { .dev = l->dev, .ino = l->ino };
    int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && (s->follow || s->missing == FILE_MISSING_SKIP))
        return PEN_OK;
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "%s: cannot open at byte 0: %s", l->path, strerror(errno));
    bool whole;
    pen_status status = identity_of(&id, fd, l->path, &whole, err);
    close(fd);
    if (status < 0 || id.head_size == 0 || (s->follow && !whole && is_plain(l->path)))
        return status; /* half a line is little to be known by, and nothing to be read */
    return add_new(s, l, &id, err);
}

/* Whether folder/name is this file; then it has been found (move_only: it lies there, and no more). */
static pen_status look_at(struct file_source *s, const char *folder, const char *name, uint32_t file, bool move_only, struct pen_error *err)
{
    struct stat st;
    char *path;
    bool same;
    pen_status status = PEN_OK;
    if (asprintf(&path, "%s%s", folder, name) < 0)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (is_same(&s->catalog, file, path, &same, &st, NULL) == PEN_OK && same) {
        if (!move_only)
            status = found(s, file, path, (uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size, err);
        else if (!catalog_move(&s->catalog, file, path, (uint64_t)st.st_dev, (uint64_t)st.st_ino))
            status = pen_fail(err, PEN_FATAL, "out of memory");
    }
    free(path);
    return status;
}

pen_status source_look_through(struct file_source *s, const char *folder, uint32_t only, struct pen_error *err)
{
    const struct catalog *c = &s->catalog;
    DIR *d = opendir(*folder ? folder : ".");
    struct stat st;
    pen_status status = PEN_OK;
    if (!d)
        return PEN_OK; /* gone as well */
    uint64_t dev = fstat(dirfd(d), &st) == 0 ? (uint64_t)st.st_dev : 0;
    for (struct dirent *e; status == PEN_OK && (e = readdir(d));) {
        uint32_t file = catalog_by_inode(c, dev, (uint64_t)e->d_ino, FILE_NONE);
        for (; file != FILE_NONE && status == PEN_OK; file = catalog_by_inode(c, dev, (uint64_t)e->d_ino, file))
            if (only != FILE_NONE ? file == only : c->files[file].seen != s->listings && !c->files[file].gone)
                status = look_at(s, folder, e->d_name, file, only != FILE_NONE, err);
    }
    closedir(d);
    return status;
}

/* What a file that is gone still had, as far as that can be told; -1: nothing. */
static int64_t unread(const struct catalog *c, uint32_t file)
{
    for (uint32_t i = c->files[file].first; i != FILE_NONE; i = c->ranges[i].next) {
        const struct known_range *r = &c->ranges[i];
        if (r->words == 2 ? r->size == 0 : r->next == FILE_NONE ? r->at == r->begin : r->at < catalog_end(c, i))
            return (int64_t)r->at;
    }
    return -1;
}

pen_status source_look_for_missing(struct file_source *s, struct pen_error *err)
{
    struct catalog *c = &s->catalog;
    char *folder = NULL;
    size_t length = 0;
    pen_status status = PEN_OK;
    uint32_t n = c->n_files;
    for (uint32_t i = 0; i < n && status == PEN_OK; i++) {
        if (c->files[i].seen == s->listings || c->files[i].gone)
            continue;
        const char *slash = strrchr(c->files[i].path, '/');
        size_t k = slash ? (size_t)(slash - c->files[i].path) + 1 : 0;
        if (folder && k == length && memcmp(folder, c->files[i].path, k) == 0)
            continue; /* looked through just now */
        free(folder);
        folder = strndup(c->files[i].path, k);
        length = k;
        status = folder ? source_look_through(s, folder, FILE_NONE, err) : pen_fail(err, PEN_FATAL, "out of memory");
    }
    free(folder);
    for (uint32_t i = 0; i < n && status == PEN_OK; i++) {
        struct known_file *f = &c->files[i];
        if (f->seen == s->listings || f->gone)
            continue;
        struct stat st;
        bool there = false;
        if (!f->resolved && is_same(c, i, f->path, &there, &st, err) < 0)
            return PEN_FATAL;
        if (there)
            continue; /* copied over itself: the second pass finds it */
        f->gone = true;
        int64_t at = f->resolved ? -1 : unread(c, i);
        if (at >= 0 && s->missing == FILE_MISSING_FAIL)
            status = pen_fail(err, PEN_FATAL, "%s: it is gone, and was read only to byte %" PRId64 "; put it back, or set missing = skip", f->path, at);
        else if (at >= 0)
            pen_log(s->host, PEN_LOG_WARN, "%s: it is gone, and was read only to byte %" PRId64, f->path, at);
    }
    return status;
}
