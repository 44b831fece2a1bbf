/* catalog.c - the files and ranges that the source knows, from this run and from before.
 *
 * A partition is named PATH#BEGIN: the lines that begin at byte BEGIN of the file or later, up to where the next range begins. Ranges are
 * named by bytes and not counted, so that another `range_size` on the next run cuts only what has no range yet. The incarnation is
 * HEADSIZE-HEADHASH-STARTHASH-DEVICE-INODE, in hexadecimal: the file as it was when first seen; a file that has only grown holds it still.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t hash_bytes(const void *bytes, size_t n)
{
    const unsigned char *p = bytes; /* FNV-1a, 64 bits */
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ n;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t hash_inode(uint64_t dev, uint64_t ino)
{
    uint64_t h = (ino + dev * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    return h ^ (h >> 32);
}

/* -- two tables from a hash to files; which one a slot belongs to is for the caller to compare ------------------------------------- */

static bool table_reserve(struct table *t, uint64_t (*hash)(const struct catalog *, uint32_t), const struct catalog *c)
{
    if (t->n * 2 < t->room)
        return true;
    size_t room = t->room ? t->room * 2 : 64;
    uint32_t *v = malloc(room * sizeof *v);
    if (!v)
        return false;
    memset(v, 0xff, room * sizeof *v);
    for (size_t i = 0; i < t->room; i++)
        if (t->v[i] != FILE_NONE) {
            size_t at = hash(c, t->v[i]) & (room - 1);
            while (v[at] != FILE_NONE)
                at = (at + 1) & (room - 1);
            v[at] = t->v[i];
        }
    free(t->v);
    t->v = v;
    t->room = room;
    return true;
}

static bool table_put(struct table *t, uint64_t (*hash)(const struct catalog *, uint32_t), const struct catalog *c, uint32_t file)
{
    if (!table_reserve(t, hash, c))
        return false;
    size_t at = hash(c, file) & (t->room - 1);
    while (t->v[at] != FILE_NONE)
        at = (at + 1) & (t->room - 1);
    t->v[at] = file;
    t->n++;
    return true;
}

static void table_drop(struct table *t, uint64_t (*hash)(const struct catalog *, uint32_t), const struct catalog *c, uint32_t file)
{
    size_t mask = t->room - 1;
    if (!t->room)
        return;
    size_t at = hash(c, file) & mask;
    while (t->v[at] != file) {
        if (t->v[at] == FILE_NONE)
            return;
        at = (at + 1) & mask;
    }
    t->n--;
    for (size_t from = (at + 1) & mask; t->v[from] != FILE_NONE; from = (from + 1) & mask) {
        size_t home = hash(c, t->v[from]) & mask;
        if (((from - home) & mask) >= ((from - at) & mask)) { /* it may move back into the hole */
            t->v[at] = t->v[from];
            at = from;
        }
    }
    t->v[at] = FILE_NONE;
}

static uint64_t inode_hash(const struct catalog *c, uint32_t file)
{
    return hash_inode(c->files[file].dev, c->files[file].ino);
}
static uint64_t path_hash(const struct catalog *c, uint32_t file)
{
    return hash_bytes(c->files[file].path, strlen(c->files[file].path));
}

uint32_t catalog_by_inode(const struct catalog *c, uint64_t dev, uint64_t ino, uint32_t below)
{
    const struct table *t = &c->by_inode;
    uint32_t found = FILE_NONE;
    if (!t->room)
        return FILE_NONE;
    for (size_t at = hash_inode(dev, ino) & (t->room - 1); t->v[at] != FILE_NONE; at = (at + 1) & (t->room - 1)) {
        const struct known_file *f = &c->files[t->v[at]];
        if (f->dev == dev && f->ino == ino && t->v[at] < below && (found == FILE_NONE || t->v[at] > found))
            found = t->v[at];
    }
    return found;
}

uint32_t catalog_by_path(const struct catalog *c, const char *path, uint32_t below)
{
    const struct table *t = &c->by_path;
    uint32_t found = FILE_NONE;
    if (!t->room)
        return FILE_NONE;
    for (size_t at = hash_bytes(path, strlen(path)) & (t->room - 1); t->v[at] != FILE_NONE; at = (at + 1) & (t->room - 1))
        if (t->v[at] < below && strcmp(c->files[t->v[at]].path, path) == 0 && (found == FILE_NONE || t->v[at] > found))
            found = t->v[at];
    return found;
}

/* -- files and ranges ------------------------------------------------------------------------------------------------------------ */

/* Room for one more, by doubling. */
static bool reserve(void **v, uint32_t n, uint32_t *room, size_t size)
{
    if (n < *room)
        return true;
    uint32_t more = *room ? *room * 2 : 16;
    void *grown = more < FILE_NONE / 2 ? realloc(*v, more * size) : NULL;
    if (!grown)
        return false;
    *v = grown;
    *room = more;
    return true;
}

uint32_t catalog_add_file(struct catalog *c, const char *path, const struct identity *id)
{
    void *files = c->files;
    bool room = reserve(&files, c->n_files, &c->room_files, sizeof *c->files);
    c->files = files;
    if (!room)
        return FILE_NONE;
    struct known_file *f = &c->files[c->n_files];
    memset(f, 0, sizeof *f);
    f->id = *id;
    f->dev = id->dev;
    f->ino = id->ino;
    f->first = f->last = FILE_NONE;
    f->name = f->path = arena_string(&c->names, path, strlen(path));
    if (!f->name || !table_put(&c->by_inode, inode_hash, c, c->n_files))
        return FILE_NONE;
    if (!table_put(&c->by_path, path_hash, c, c->n_files)) {
        table_drop(&c->by_inode, inode_hash, c, c->n_files);
        return FILE_NONE;
    }
    return c->n_files++;
}

uint32_t catalog_add_range(struct catalog *c, uint32_t file, uint64_t begin)
{
    void *ranges = c->ranges;
    bool room = reserve(&ranges, c->n_ranges, &c->room_ranges, sizeof *c->ranges);
    c->ranges = ranges;
    if (!room)
        return FILE_NONE;
    struct known_file *f = &c->files[file];
    uint32_t *link = f->last != FILE_NONE && begin > c->ranges[f->last].begin ? &c->ranges[f->last].next : &f->first;
    while (*link != FILE_NONE && c->ranges[*link].begin < begin)
        link = &c->ranges[*link].next;
    if (*link != FILE_NONE && c->ranges[*link].begin == begin)
        return *link;
    c->ranges[c->n_ranges] = (struct known_range){ .begin = begin, .file = file, .next = *link };
    if (*link == FILE_NONE)
        f->last = c->n_ranges;
    *link = c->n_ranges;
    return c->n_ranges++;
}

void catalog_set(struct catalog *c, uint32_t i, const struct pen_position *pos)
{
    struct known_range *r = &c->ranges[i];
    r->words = (uint8_t)pos->n;
    r->at = pos->n ? pos->w[pos->n - 1] : 0;
    r->size = pos->n == 2 ? pos->w[0] : 0;
}

bool catalog_move(struct catalog *c, uint32_t file, const char *path, uint64_t dev, uint64_t ino)
{
    struct known_file *f = &c->files[file];
    if (path && strcmp(path, f->path) != 0) {
        const char *copy = arena_string(&c->names, path, strlen(path));
        if (!copy)
            return false;
        table_drop(&c->by_path, path_hash, c, file);
        f->path = copy;
        if (!table_put(&c->by_path, path_hash, c, file))
            return false;
    }
    if (f->dev != dev || f->ino != ino) {
        table_drop(&c->by_inode, inode_hash, c, file);
        f->dev = dev;
        f->ino = ino;
        if (!table_put(&c->by_inode, inode_hash, c, file))
            return false;
    }
    return true;
}

uint64_t catalog_end(const struct catalog *c, uint32_t i)
{
    uint32_t next = c->ranges[i].next;
    return next == FILE_NONE ? UINT64_MAX : c->ranges[next].begin;
}

/* Whether the first line that begins at byte `boundary` or behind it begins at `at`. */
static pen_status line_begins(const char *path, uint64_t boundary, uint64_t at, bool *yes, struct pen_error *err)
{
    char block[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    pen_status status = fd < 0 ? pen_fail(err, PEN_FATAL, "%s: cannot open: %s", path, strerror(errno)) : PEN_OK;
    *yes = false;
    for (uint64_t from = boundary - 1; status == PEN_OK && from < at;) {
        ssize_t n = pread(fd, block, at - from < sizeof block ? (size_t)(at - from) : sizeof block, (off_t)from);
        const char *newline = n > 0 ? memchr(block, '\n', (size_t)n) : NULL;
        if (newline)
            *yes = from + (uint64_t)(newline - block) + 1 == at;
        if (newline || n == 0)
            break;
        if (n < 0 && errno != EINTR)
            status = pen_fail(err, PEN_FATAL, "%s: cannot read at byte %" PRIu64 ": %s", path, from, strerror(errno));
        from += n > 0 ? (uint64_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    return status;
}

/* Where the range behind i is to begin. A range that another run read to its end stands at the first line behind the boundary, and the range that began there
 * need not be known: it gets the same name again, for what was kept of it under that name (dead letters) is to be found. */
static pen_status next_boundary(const struct catalog *c, uint32_t i, uint64_t step, uint64_t *next, struct pen_error *err)
{
    const struct known_range *r = &c->ranges[i];
    uint64_t below = r->at / step * step;
    bool there = false;
    pen_status status = PEN_OK;
    if (below > r->begin && below < r->at)
        status = line_begins(c->files[r->file].path, below, r->at, &there, err);
    *next = r->at <= r->begin ? r->begin / step * step + step : there || below == r->at ? below : below + step;
    return status;
}

pen_status catalog_cut(struct catalog *c, uint32_t file, uint64_t step, struct pen_error *err)
{
    for (uint32_t i = c->files[file].first; i != FILE_NONE; i = c->ranges[i].next) { /* those added behind i come next */
        uint64_t next;
        pen_status status = next_boundary(c, i, step, &next, err);
        if (status < 0)
            return status;
        if (next < catalog_end(c, i) && next < c->files[file].size && catalog_add_range(c, file, next) == FILE_NONE)
            return pen_fail(err, PEN_FATAL, "out of memory");
    }
    return PEN_OK;
}

pen_status catalog_recall(struct catalog *c, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err)
{
    struct identity id;
    uint64_t begin;
    int end = 0, end2 = 0;
    const char *hash = strrchr(name, '#');
    if (!hash || hash[1] < '0' || hash[1] > '9' || sscanf(hash + 1, "%" SCNu64 "%n", &begin, &end) != 1 || hash[1 + end])
        return pen_fail(err, PEN_FATAL, "partition \"%s\": expected PATH#BYTE; the positions kept for this stage are not a file source's", name);
    if (sscanf(incarnation, "%" SCNx32 "-%" SCNx64 "-%" SCNx64 "-%" SCNx64 "-%" SCNx64 "%n", &id.head_size, &id.head_hash, &id.start_hash, &id.dev, &id.ino,
               &end2) != 5 || incarnation[end2] || id.head_size > FILE_HEAD)
        return pen_fail(err, PEN_FATAL, "partition \"%s\": incarnation \"%s\" is not a file's", name, incarnation);
    char *path = strndup(name, (size_t)(hash - name));
    if (!path)
        return pen_fail(err, PEN_FATAL, "out of memory");
    uint32_t file = catalog_by_inode(c, id.dev, id.ino, FILE_NONE);
    for (; file != FILE_NONE; file = catalog_by_inode(c, id.dev, id.ino, file)) {
        const struct known_file *f = &c->files[file];
        if (f->id.head_size == id.head_size && f->id.head_hash == id.head_hash && strcmp(f->name, path) == 0)
            break;
    }
    if (file == FILE_NONE)
        file = catalog_add_file(c, path, &id);
    free(path);
    uint32_t range = file == FILE_NONE ? FILE_NONE : catalog_add_range(c, file, begin);
    if (range == FILE_NONE)
        return pen_fail(err, PEN_FATAL, "out of memory");
    catalog_set(c, range, pos);
    return PEN_OK;
}

void catalog_fini(struct catalog *c)
{
    free(c->files);
    free(c->ranges);
    free(c->by_inode.v);
    free(c->by_path.v);
    arena_free(&c->names);
    memset(c, 0, sizeof *c);
}

/* -- identity ---------------------------------------------------------------------------------------------------------------------- */

static pen_status read_head(int fd, const char *path, char *head, size_t want, size_t *got, struct pen_error *err)
{
    *got = 0;
    while (*got < want) {
        ssize_t n = pread(fd, head + *got, want - *got, (off_t)*got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pen_fail(err, PEN_FATAL, "%s: cannot read at byte %zu: %s", path, *got, strerror(errno));
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return PEN_OK;
}

pen_status identity_of(struct identity *id, int fd, const char *path, bool *whole, struct pen_error *err)
{
    char head[FILE_HEAD];
    size_t got;
    pen_status status = read_head(fd, path, head, sizeof head, &got, err);
    if (status == PEN_OK) {
        id->head_size = (uint32_t)got;
        id->head_hash = hash_bytes(head, got);
        id->start_hash = got >= FILE_START ? hash_bytes(head, FILE_START) : 0;
        *whole = got == sizeof head || memchr(head, '\n', got);
    }
    return status;
}

bool identity_begins(const struct identity *id, int fd, const char *path)
{
    char start[FILE_START];
    size_t got;
    return id->head_size >= FILE_START && read_head(fd, path, start, sizeof start, &got, NULL) == PEN_OK && got == sizeof start &&
           hash_bytes(start, got) == id->start_hash;
}

pen_status identity_holds(const struct identity *id, int fd, const char *path, bool *same, struct pen_error *err)
{
    char head[FILE_HEAD];
    size_t got;
    pen_status status = read_head(fd, path, head, id->head_size, &got, err);
    *same = status == PEN_OK && got == id->head_size && hash_bytes(head, got) == id->head_hash;
    return status;
}
