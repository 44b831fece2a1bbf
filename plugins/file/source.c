/* source.c - the file source as the engine's control thread sees it: files found, known again, and offered as ranges.
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

enum { START_EARLIEST, START_LATEST };

static const struct pen_option options[] = {
    { "path", PEN_OPT_LIST, offsetof(struct file_source, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "Files, patterns such as logs/*.jsonl, and folders, of which all that lies below them is read; also in a store: s3://lake/topics/pin/partition=*/*.json. "
      ".gz and .zst are decompressed." },
    { "format", PEN_OPT_ENUM, offsetof(struct file_source, format), "auto", 0, 0, "auto|jsonl|csv", 0,
      "auto goes by the extension: .csv is CSV, all else JSON lines, and of a folder only .jsonl, .json and .csv are read." },
    { "follow", PEN_OPT_BOOL, offsetof(struct file_source, follow), "no", 0, 0, NULL, 0,
      "Whether to wait for more lines and more files, also when a file is renamed (log rotation)." },
    { "poll", PEN_OPT_DURATION, offsetof(struct file_source, poll), "250ms", 1000, INT64_C(3600000000), NULL, 0,
      "How often to look for more, with follow." },
    { "range_size", PEN_OPT_SIZE, offsetof(struct file_source, range_size), "16MiB", 1, INT64_MAX / 2, NULL, 0,
      "Files are cut into ranges of this size, which lanes read side by side." },
    { "start", PEN_OPT_ENUM, offsetof(struct file_source, start), "earliest", 0, 0, "earliest|latest", 0,
      "Where the very first run begins: latest leaves out what is there already." },
    { "missing", PEN_OPT_ENUM, offsetof(struct file_source, missing), "fail", 0, 0, "fail|skip", 0,
      "What to do when a file is gone of which lines were not read yet: stop the run, or go on with a warning." },
    { "rate", PEN_OPT_RATE, offsetof(struct file_source, rate), NULL, 0, 0, NULL, 0,
      "Records a second, steadily, as if they were arriving; as fast as can be where not given." },
    { "time_column", PEN_OPT_STRING, offsetof(struct file_source, replay.column), NULL, 0, 0, NULL, 0,
      "Field of each record with its time (text, or seconds or milliseconds since 1970): records come at the pace of these times, files one after the other." },
    { "speed", PEN_OPT_FLOAT, offsetof(struct file_source, replay.speed), "1", 0, 0, NULL, 0, "How many times faster than the times in time_column." },
    { "delimiter", PEN_OPT_STRING, offsetof(struct file_source, delimiter), ",", 0, 0, NULL, 0, "CSV: the one byte between columns." },
    { "header", PEN_OPT_BOOL, offsetof(struct file_source, header), "yes", 0, 0, NULL, 0,
      "CSV: whether the first line holds the names; without, columns are c1, c2, ..." },
    { 0 }
};

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct file_source *s = ctx;
    if (s->path.n == 0)
        return pen_fail(err, PEN_BADCONF, "path is empty: expected files, patterns or folders");
    if (strlen(s->delimiter) != 1 || strchr("\"\r\n", s->delimiter[0]))
        return pen_fail(err, PEN_BADCONF, "delimiter = \"%s\": expected one byte that is no quote and no line break", s->delimiter);
    if (s->replay.column && !(s->replay.speed > 0))
        return pen_fail(err, PEN_BADCONF, "speed = %g: expected more than 0", s->replay.speed);
    s->host = host;
    s->output.name = "";
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->replay.lock, NULL);
    return pen_pace_new(&s->pace, s->rate, err);
}

static void stop(void *ctx)
{
    struct file_source *s = ctx;
    listing_fini(&s->listing);
    catalog_fini(&s->catalog);
    free(s->offers);
    free(s->event_name);
    pen_pace_free(&s->pace);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->replay.lock);
}

static pen_status outputs(void *ctx, struct pen_output **out, size_t *n, struct pen_error *err)
{
    struct file_source *s = ctx;
    (void)err;
    *out = &s->output;
    *n = 1;
    return PEN_OK;
}

static pen_status recall(void *ctx, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err)
{
    struct file_source *s = ctx;
    return catalog_recall(&s->catalog, name, incarnation, pos, err);
}

/* -- ranges ------------------------------------------------------------------------------------------------------------------ */

/* The last word of a position is an offset. Compressed files have a word before it: 0, or the size of the file that was read whole. */
static uint64_t offset_of(const struct pen_position *p)
{
    return p->n ? p->w[p->n - 1] : 0;
}

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

/* First pass: files that lie where they lay, or that were renamed. */
static pen_status known_by_inode(struct file_source *s, const struct listed *l, struct pen_error *err)
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

/* Second pass: a known file that was copied over itself, or a new one. */
static pen_status known_by_path(struct file_source *s, const struct listed *l, struct pen_error *err)
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

/* Looks through a folder for files that have left their paths: for all that this listing has not seen, or for `only` one, which is then
 * moved and no more. */
static pen_status look_through(struct file_source *s, const char *folder, uint32_t only, struct pen_error *err)
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

/* Between the passes: files that the listing does not hold. They may lie in the folder under another name. */
static pen_status look_for_missing(struct file_source *s, struct pen_error *err)
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
        status = folder ? look_through(s, folder, FILE_NONE, err) : pen_fail(err, PEN_FATAL, "out of memory");
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

/* -- events ------------------------------------------------------------------------------------------------------------------- */

static pen_status list(struct file_source *s, struct pen_error *err)
{
    int64_t began = pen_now(s->host);
    pen_status status = listing_make(&s->listing, s->host, &s->path, s->format != FILE_AUTO, s->follow, err);
    if (status < 0)
        return status;
    if (s->listings == 0 && s->listing.n == 0)
        pen_log(s->host, PEN_LOG_WARN, "path leads to no file yet");
    s->listings++;
    s->listing_open = true;
    s->resolved = 0;
    s->second_pass = false;
    int64_t took = pen_now(s->host) - began;
    s->list_at = began + took + (s->poll > 4 * took ? s->poll : 4 * took); /* a huge folder is not listed all the time */
    return PEN_OK;
}

/* Goes through the listing until there is something to offer. */
static pen_status resolve(struct file_source *s, struct pen_error *err)
{
    pen_status status = PEN_OK;
    pthread_mutex_lock(&s->lock);
    while (status == PEN_OK && s->n_offers == 0) {
        if (s->resolved == s->listing.n) {
            if (s->second_pass) {
                listing_fini(&s->listing);
                s->listing_open = false;
                break;
            }
            status = look_for_missing(s, err);
            s->second_pass = true;
            s->resolved = 0;
            continue;
        }
        const struct listed *l = &s->listing.v[s->resolved++];
        status = s->second_pass ? known_by_path(s, l, err) : known_by_inode(s, l, err);
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

static pen_status tell(struct file_source *s, uint32_t range, struct pen_partition_event *event, struct pen_error *err)
{
    const struct known_range *r = &s->catalog.ranges[range];
    const struct known_file *f = &s->catalog.files[r->file];
    size_t room = strlen(f->name) + 24;
    if (room > s->event_room) {
        char *name = realloc(s->event_name, room);
        if (!name)
            return pen_fail(err, PEN_FATAL, "out of memory");
        s->event_name = name;
        s->event_room = room;
    }
    snprintf(s->event_name, s->event_room, "%s#%" PRIu64, f->name, r->begin);
    snprintf(s->event_incarnation, sizeof s->event_incarnation, "%" PRIx32 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64, f->id.head_size, f->id.head_hash,
             f->id.start_hash, f->id.dev, f->id.ino);
    event->kind = PEN_PARTITION_ASSIGNED;
    event->id = range;
    event->name = s->event_name;
    event->incarnation = s->event_incarnation;
    return PEN_OK;
}

static pen_status next_event(void *ctx, struct pen_partition_event *event, struct pen_error *err)
{
    struct file_source *s = ctx;
    bool once = !s->follow || pen_until_end(s->host);
    pen_status status;
    if (s->listings == 0 || (!once && !s->listing_open && s->offered == s->n_offers && pen_now(s->host) >= s->list_at))
        if ((status = pen_failpoint("file.list", err)) < 0 || (status = list(s, err)) < 0)
            return status;
    if (s->offered == s->n_offers) {
        s->offered = s->n_offers = 0;
        if (s->listing_open && (status = resolve(s, err)) < 0)
            return status;
    }
    if (s->offered < s->n_offers)
        return tell(s, s->offers[s->offered++], event, err);
    if (!once || s->no_more)
        return PEN_SKIP;
    s->no_more = true;
    memset(event, 0, sizeof *event);
    event->kind = PEN_PARTITION_NO_MORE;
    return PEN_OK;
}

/* Where the last whole line of a file ends. */
static pen_status last_line(const struct known_file *f, uint64_t *at, struct pen_error *err)
{
    char block[65536];
    *at = f->size;
    if (f->dev == FILE_OBJECT)
        return PEN_OK;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "%s: cannot open: %s", f->path, strerror(errno));
    pen_status status = PEN_OK;
    for (*at = f->size; *at > 0;) {
        size_t want = *at < sizeof block ? (size_t)*at : sizeof block;
        ssize_t n = pread(fd, block, want, (off_t)(*at - want));
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)want) {
            status = pen_fail(err, PEN_FATAL, "%s: cannot read at byte %" PRIu64 ": %s", f->path, *at - want, n < 0 ? strerror(errno) : "truncated");
            break;
        }
        const char *newline = memrchr(block, '\n', want);
        if (newline) {
            *at = *at - want + (uint64_t)(newline - block) + 1;
            break;
        }
        *at -= want;
    }
    close(fd);
    return status;
}

static pen_status beginning(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err)
{
    struct file_source *s = ctx;
    pen_status status = PEN_OK;
    pthread_mutex_lock(&s->lock);
    const struct known_range *r = &s->catalog.ranges[id];
    const struct known_file *f = &s->catalog.files[r->file];
    bool latest = first_run && s->start == START_LATEST && s->listings == 1;
    uint64_t end = catalog_end(&s->catalog, id), at = r->begin;
    if (f->codec != FILE_PLAIN) {
        *pos = (struct pen_position){ 2, { latest ? f->size : 0, 0, 0, 0 } };
    } else {
        if (latest)
            status = last_line(f, &at, err);
        *pos = pen_position_of(at < r->begin ? r->begin : at > end ? end : at);
    }
    pthread_mutex_unlock(&s->lock);
    return status < 0 || latest ? status : PEN_SKIP;
}

static pen_status start_partition(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct file_source *s = ctx;
    struct range_view v;
    source_view(s, id, &v);
    if (pos->n != (v.codec == FILE_PLAIN ? 1 : 2) || offset_of(pos) < v.begin || (v.codec == FILE_PLAIN && offset_of(pos) > v.size))
        return pen_fail(err, PEN_FATAL, "%s: cannot go on at byte %" PRIu64 " of %" PRIu64 " (range from %" PRIu64 ")", v.path, offset_of(pos), v.size,
                        v.begin);
    pthread_mutex_lock(&s->lock);
    catalog_set(&s->catalog, id, pos);
    pthread_mutex_unlock(&s->lock);
    return pen_failpoint("file.start", err);
}

/* -- for readers ---------------------------------------------------------------------------------------------------------------- */

void source_view(struct file_source *s, uint32_t range, struct range_view *out)
{
    pthread_mutex_lock(&s->lock);
    const struct known_range *r = &s->catalog.ranges[range];
    const struct known_file *f = &s->catalog.files[r->file];
    *out = (struct range_view){ f->path, f->name, f->id, f->dev, f->ino, r->begin, catalog_end(&s->catalog, range), f->size,
                                (file_format)f->format, (file_codec)f->codec };
    pthread_mutex_unlock(&s->lock);
}

void source_changed(struct file_source *s, uint32_t range)
{
    pthread_mutex_lock(&s->lock);
    s->catalog.files[s->catalog.ranges[range].file].changed = true;
    pthread_mutex_unlock(&s->lock);
}

const char *source_locate(struct file_source *s, uint32_t range)
{
    pthread_mutex_lock(&s->lock);
    uint32_t file = s->catalog.ranges[range].file;
    const char *before = s->catalog.files[file].path, *slash = strrchr(before, '/');
    char *folder = strndup(before, slash ? (size_t)(slash - before) + 1 : 0);
    if (folder)
        look_through(s, folder, file, NULL);
    free(folder);
    const char *path = s->catalog.files[file].path;
    pthread_mutex_unlock(&s->lock);
    return path != before ? path : NULL;
}

const struct pen_source file_source = {
    .ctx_size = sizeof(struct file_source),
    .options = options,
    .start = start,
    .stop = stop,
    .outputs = outputs,
    .chain = true,
    .recall = recall,
    .next_event = next_event,
    .beginning = beginning,
    .start_partition = start_partition,
    .reader_open = file_reader_open,
    .reader_close = file_reader_close,
    .reader_add = file_reader_add,
    .reader_remove = file_reader_remove,
    .reader_bound = file_reader_bound,
    .read = file_read,
    .wake_at = file_wake_at,
};
