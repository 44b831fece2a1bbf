/* reader.c - a lane's reader: which range of which file it reads, and when.
 *
 * One range at a time is open, with one buffer; of it only an unfinished line is ever moved. A range is read to its end before the
 * next; ranges that wait for more (follow) take turns and keep their descriptors, so that a file that is renamed or removed meanwhile is
 * still read to its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TAILS 512 /* descriptors that ranges keep while they wait */

static pen_status no_memory(struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "out of memory");
}

/* -- the ring ------------------------------------------------------------------------------------------------------------------- */

static void ring_drop(struct reader *r, uint32_t i)
{
    struct slot *s = &r->slots[i];
    r->slots[s->before].after = s->after;
    r->slots[s->after].before = s->before;
    s->before = s->after = i;
}

static void ring_last(struct reader *r, uint32_t i)
{
    ring_drop(r, i);
    struct slot *s = &r->slots[i], *head = &r->slots[0];
    s->before = head->before;
    s->after = 0;
    r->slots[s->before].after = i;
    head->before = i;
}

/* -- the open range --------------------------------------------------------------------------------------------------------------- */

static void close_current(struct reader *r)
{
    stream_close(&r->stream);
    r->current = 0;
    r->at = r->len = 0;
    r->eof = false;
    r->passed = 0;
    r->csv.n_columns = 0;
    if (r->cap > 4 * READER_BUFFER) { /* a long line made it grow */
        free(r->buf);
        r->buf = NULL;
        r->cap = 0;
    }
}

/* Opens a range's file wherever it lies now. */
static pen_status open_file(struct reader *r, uint32_t id, int *fd, struct pen_error *err)
{
    struct range_view *v = &r->view;
    for (int attempt = 0;; attempt++) {
        struct stat st;
        bool same = false;
        int saved;
        source_view(r->source, id, v);
        if (v->dev == FILE_OBJECT)
            return object_unchanged(r->source->host, v, err);
        *fd = open(v->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        saved = errno;
        if (*fd >= 0 && fstat(*fd, &st) == 0 && identity_holds(&v->id, *fd, v->path, &same, NULL) == PEN_OK && same)
            return PEN_OK;
        if (*fd >= 0)
            close(*fd);
        if (*fd < 0 && saved != ENOENT)
            return pen_fail(err, PEN_FATAL, "%s: cannot open: %s", v->path, strerror(saved));
        if (attempt || !source_locate(r->source, id))
            return PEN_SKIP;
    }
}

/* PEN_SKIP: it is gone, and that is to be borne. */
static pen_status open_current(struct reader *r, uint32_t i, struct pen_error *err)
{
    struct slot *s = &r->slots[i];
    int fd = s->fd;
    close_current(r);
    source_view(r->source, s->id, &r->view);
    if (fd < 0) {
        pen_status status = open_file(r, s->id, &fd, err);
        if (status == PEN_SKIP && r->source->missing == FILE_MISSING_FAIL)
            return pen_fail(err, PEN_FATAL, "%s: it vanished, or was written anew, before it was read from byte %" PRIu64 " on", r->view.path, s->pos);
        if (status != PEN_OK)
            return status;
    } else {
        r->tails--;
        s->fd = -1;
    }
    uint64_t begin = s->pos;
    if (r->view.format == FILE_CSV)
        begin = 0; /* the names are there */
    else if (r->view.codec == FILE_PLAIN && s->pos > 0 && s->pos == r->view.begin)
        begin--; /* only the byte before tells whether a line begins here */
    pen_status status = stream_open(&r->stream, fd, r->view.dev == FILE_OBJECT ? r->source->host : NULL, r->view.codec, r->view.path, begin, err);
    if (status == PEN_OK)
        r->current = i;
    return status;
}

/* -- waiting for more ---------------------------------------------------------------------------------------------------------------- */

/* The current range has nothing more now: it goes to the end of the ring, and keeps its descriptor where there are not too many. */
static void wait_for_more(struct reader *r)
{
    uint32_t i = r->current;
    struct slot *s = &r->slots[i];
    s->check_at = pen_now(r->source->host) + r->source->poll;
    s->waited = true;
    if (r->tails < MAX_TAILS) {
        s->fd = r->stream.fd;
        r->stream.fd = -1;
        r->tails++;
    }
    ring_last(r, i);
    close_current(r);
}

static void end_range(struct reader *r, uint32_t i)
{
    struct slot *s = &r->slots[i];
    if (r->current == i)
        close_current(r);
    if (s->fd >= 0) {
        close(s->fd);
        s->fd = -1;
        r->tails--;
    }
    s->ended = true;
    ring_drop(r, i);
}

/* PEN_OK: what is open as fd is still the file that was read up to s->pos. PEN_SKIP: it was emptied, and other lines were written since. */
static pen_status still_same(struct reader *r, const struct slot *s, int fd, uint64_t size, struct pen_error *err)
{
    struct range_view v;
    bool same;
    source_view(r->source, s->id, &v);
    pen_status status = identity_holds(&v.id, fd, v.path, &same, err);
    if (status != PEN_OK)
        return status;
    if (!same && (size >= s->pos || !identity_begins(&v.id, fd, v.path)))
        return size ? PEN_SKIP : PEN_OK; /* emptied: what comes will tell */
    if (size < s->pos)
        return pen_fail(err, PEN_FATAL, "%s: read to byte %" PRIu64 ", but %" PRIu64 " bytes long now, and it begins as before: lines were cut off. Put them back, or "
                        "copy the file to another name and remove this one", v.path, s->pos, size);
    return PEN_OK;
}

/* Whether a waiting range has more by now: PEN_OK, or PEN_SKIP. *other: it is to end, for the file holds other lines by now. */
static pen_status has_more(struct reader *r, uint32_t i, bool *other, struct pen_error *err)
{
    struct slot *s = &r->slots[i];
    struct range_view v;
    struct stat st;
    *other = false;
    source_view(r->source, s->id, &v);
    if (s->fd < 0)
        return s->waited && v.codec == FILE_PLAIN && v.size <= s->pos ? PEN_SKIP : PEN_OK; /* no descriptor left for it: as listed last */
    if (fstat(s->fd, &st) != 0)
        return pen_fail(err, PEN_FATAL, "%s: %s", v.path, strerror(errno));
    if ((uint64_t)st.st_size == s->pos && st.st_nlink == 0 && (v.dev != (uint64_t)st.st_dev || v.ino != (uint64_t)st.st_ino)) {
        close(s->fd); /* removed, and another file that begins like it took its place: read on there */
        s->fd = -1;
        s->waited = false;
        r->tails--;
        return PEN_OK;
    }
    if ((uint64_t)st.st_size == s->pos)
        return PEN_SKIP;
    pen_status status = still_same(r, s, s->fd, (uint64_t)st.st_size, err);
    *other = status == PEN_SKIP;
    return status == PEN_OK && (uint64_t)st.st_size < s->pos ? PEN_SKIP : status;
}

/* -- read ------------------------------------------------------------------------------------------------------------------------------ */

static struct pen_position position(const struct slot *s, file_codec codec)
{
    if (codec == FILE_PLAIN)
        return pen_position_of(s->pos);
    return (struct pen_position){ 2, { s->pos0, s->pos, 0, 0 } };
}

/* The file's end was reached before the range's: what that means. PEN_SKIP: it holds other lines by now. */
static pen_status at_eof(struct reader *r, struct slot *s, bool waits, struct pen_error *err)
{
    const struct range_view *v = &r->view;
    uint64_t expected = v->end != UINT64_MAX ? v->end : v->size;
    struct stat st = { .st_size = (off_t)v->size };
    if (v->dev != FILE_OBJECT && fstat(r->stream.fd, &st) != 0)
        return pen_fail(err, PEN_FATAL, "%s: %s", v->path, strerror(errno));
    if (v->codec != FILE_PLAIN)
        s->pos0 = (uint64_t)st.st_size;
    else if (waits && v->end == UINT64_MAX)
        return (uint64_t)st.st_size < s->pos ? still_same(r, s, r->stream.fd, (uint64_t)st.st_size, err) : PEN_OK;
    else if ((uint64_t)st.st_size < expected)
        return pen_fail(err, PEN_FATAL, "%s: read to byte %" PRIu64 ", but it is %" PRId64 " bytes long now and was %" PRIu64 ": it was truncated while read",
                        v->path, s->pos, (int64_t)st.st_size, v->size);
    return PEN_OK;
}

/* The file was emptied and written anew: this range ends where it was read to, and control finds another file. */
static pen_status end_other(struct reader *r, uint32_t i, struct pen_read *read)
{
    struct slot *s = &r->slots[i];
    source_view(r->source, s->id, &r->view);
    pen_log(r->source->host, PEN_LOG_WARN, "%s: it was truncated after byte %" PRIu64 " was read and holds other lines now: they are read from its beginning",
            r->view.path, s->pos);
    source_changed(r->source, s->id);
    read->partition = s->id;
    read->from = read->to = position(s, r->view.codec);
    read->end = true;
    end_range(r, i);
    return PEN_OK;
}

/* Reads on in the current range. PEN_SKIP: it gave nothing, and waits or goes on later. */
static pen_status read_current(struct reader *r, struct pen_read *read, struct pen_error *err)
{
    uint32_t i = r->current;
    struct slot *s = &r->slots[i];
    const struct range_view *v = &r->view;
    struct pen_intake *in = read->intakes[0];
    bool until_end = pen_until_end(r->source->host), plain = v->codec == FILE_PLAIN;
    bool follows = r->source->follow && plain && v->dev != FILE_OBJECT, waits = follows && !until_end;
    uint64_t end = v->end != UINT64_MAX || !plain || waits ? v->end : v->size; /* of the range in this run */
    uint64_t limit = s->bound > s->pos && s->bound < end ? s->bound : end;
    struct pen_position from = position(s, v->codec);
    pen_status status = PEN_OK;

    s->check_at = 0;
    if (v->format == FILE_CSV && r->csv.n_columns == 0)
        status = lines_begin_csv(r, s, !follows, err);
    else if (plain && v->format != FILE_CSV && s->pos > 0 && s->pos == v->begin && r->stream.at == s->pos - 1)
        status = lines_align(r, s, end, err);
    if (status == PEN_OK)
        status = lines_feed(r, s, limit, !follows, in, read, err);
    int64_t rows = pen_intake_rows(in);
    if (status == PEN_RETRY) { /* an object out of reach: what there is of it goes first, the rest is asked for again */
        read->to = position(s, v->codec);
        close_current(r);
        if (rows == 0)
            return status;
        memset(err, 0, sizeof *err);
        read->partition = s->id;
        read->from = from;
        return PEN_OK;
    }
    if (status < 0)
        return status;
    bool ended = s->pos >= end && !r->passed;
    if (status == PEN_SKIP && r->eof && !ended && rows == 0) {
        if ((status = at_eof(r, s, waits, err)) < 0)
            return status;
        if (status == PEN_SKIP)
            return end_other(r, i, read);
        ended = !waits;
        if (ended && !follows && plain && r->stream.at > s->pos)
            s->pos = r->stream.at; /* no line begins in what is left */
    }
    read->partition = s->id;
    read->from = from;
    read->to = position(s, v->codec);
    read->end = ended;
    if (ended) {
        end_range(r, i);
        return PEN_OK;
    }
    if (rows > 0 || pen_position_compare(&from, &read->to) != 0)
        return PEN_OK;
    if (r->eof)
        wait_for_more(r);
    return PEN_SKIP;
}

/* A file that is gone ends where it was read to. */
static pen_status give_up(struct reader *r, uint32_t i, struct pen_read *read)
{
    struct slot *s = &r->slots[i];
    pen_log(r->source->host, PEN_LOG_WARN, "%s: it vanished, or was written anew, before it was read from byte %" PRIu64 " on", r->view.path, s->pos);
    read->partition = s->id;
    read->from = read->to = position(s, r->view.codec);
    read->end = true;
    end_range(r, i);
    return PEN_OK;
}

pen_status file_read(void *reader, struct pen_read *read, struct pen_error *err)
{
    struct reader *r = reader;
    int64_t now = pen_now(r->source->host);
    if (!read->intakes[0])
        return PEN_SKIP;
    for (uint32_t n = 0; n <= r->n_slots; n++) {
        pen_status status;
        uint32_t i = r->current ? r->current : r->slots[0].after;
        if (i == 0 || r->slots[i].check_at > now)
            return PEN_SKIP;
        if (!r->current) {
            bool other;
            status = has_more(r, i, &other, err);
            if (other)
                return end_other(r, i, read);
            if (status == PEN_SKIP) {
                r->slots[i].check_at = now + r->source->poll;
                ring_last(r, i);
                continue;
            }
            if (status < 0 || (status = open_current(r, i, err)) < 0)
                return status; /* PEN_RETRY: nothing is open */
            if (status == PEN_SKIP)
                return give_up(r, i, read);
        }
        status = read_current(r, read, err);
        if (status != PEN_SKIP || r->passed)
            return status;
    }
    return PEN_SKIP;
}

int64_t file_wake_at(void *reader)
{
    struct reader *r = reader;
    uint32_t i = r->current ? r->current : r->slots[0].after;
    return i ? r->slots[i].check_at : INT64_MAX;
}

/* -- ranges come and go ---------------------------------------------------------------------------------------------------------------- */

pen_status file_reader_open(void *ctx, unsigned lane, void **reader, struct pen_error *err)
{
    struct reader *r = calloc(1, sizeof *r);
    (void)lane;
    if (!r || !(r->slots = calloc(16, sizeof *r->slots))) {
        free(r);
        return no_memory(err);
    }
    r->source = ctx;
    r->n_slots = 1;
    r->room_slots = 16;
    r->stream.fd = -1;
    *reader = r;
    return PEN_OK;
}

void file_reader_close(void *reader)
{
    struct reader *r = reader;
    close_current(r);
    for (uint32_t i = 1; i < r->n_slots; i++)
        if (r->slots[i].used && r->slots[i].fd >= 0)
            close(r->slots[i].fd);
    free(r->slots);
    free(r->where);
    free(r->buf);
    free(r->kept);
    csv_fini(&r->csv);
    free(r);
}

static uint32_t slot_of(const struct reader *r, uint32_t id)
{
    return id < r->n_where ? r->where[id] : 0;
}

/* A free slot for partition id; 0: out of memory. */
static uint32_t new_slot(struct reader *r, uint32_t id)
{
    if (id >= r->n_where) {
        uint32_t n = id < 32 ? 64 : id * 2;
        uint32_t *where = realloc(r->where, n * sizeof *where);
        if (!where)
            return 0;
        memset(where + r->n_where, 0, (n - r->n_where) * sizeof *where);
        r->where = where;
        r->n_where = n;
    }
    uint32_t i = r->free_slot;
    if (i) {
        r->free_slot = r->slots[i].after;
    } else {
        if (r->n_slots == r->room_slots) {
            struct slot *slots = realloc(r->slots, 2 * r->room_slots * sizeof *slots);
            if (!slots)
                return 0;
            r->slots = slots;
            r->room_slots *= 2;
        }
        i = r->n_slots++;
    }
    r->slots[i] = (struct slot){ .id = id, .before = i, .after = i, .fd = -1, .used = true };
    r->where[id] = i;
    return i;
}

pen_status file_reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    uint32_t i = slot_of(r, id);
    if (!i && !(i = new_slot(r, id)))
        return no_memory(err);
    if (r->current == i)
        close_current(r);
    struct slot *s = &r->slots[i];
    s->pos = pos->n ? pos->w[pos->n - 1] : 0;
    s->pos0 = pos->n == 2 ? pos->w[0] : 0;
    s->bound = 0;
    s->check_at = 0;
    s->ended = s->waited = false;
    if (s->fd >= 0) { /* read anew: it may be another file by now */
        close(s->fd);
        s->fd = -1;
        r->tails--;
    }
    ring_last(r, i);
    return PEN_OK;
}

pen_status file_reader_remove(void *reader, uint32_t id, struct pen_error *err)
{
    struct reader *r = reader;
    uint32_t i = slot_of(r, id);
    (void)err;
    if (!i)
        return PEN_OK;
    end_range(r, i);
    r->slots[i].used = false;
    r->slots[i].after = r->free_slot;
    r->free_slot = i;
    r->where[id] = 0;
    return PEN_OK;
}

pen_status file_reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    uint32_t i = slot_of(r, id);
    (void)err;
    if (i)
        r->slots[i].bound = pos->n ? pos->w[pos->n - 1] : 0;
    return PEN_OK;
}
