/* source.c - the file source as the engine's control thread sees it: files found, and their ranges offered.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "file.h"

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
            status = source_look_for_missing(s, err);
            s->second_pass = true;
            s->resolved = 0;
            continue;
        }
        const struct listed *l = &s->listing.v[s->resolved++];
        status = s->second_pass ? source_known_by_path(s, l, err) : source_known_by_inode(s, l, err);
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

/* The last word of a position is an offset. Compressed files have a word before it: 0, or the size of the file that was read whole. */
static uint64_t offset_of(const struct pen_position *p)
{
    return p->n ? p->w[p->n - 1] : 0;
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
        source_look_through(s, folder, file, NULL);
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
