/* reader.c - a lane's reader: from ranges of files to whole lines in an intake.
 *
 * One range at a time is open, with one buffer; of it only an unfinished line is ever moved. A range is read to its end before the
 * next; ranges that wait for more (follow) take turns and keep their descriptors, so that a file that is renamed or removed meanwhile is
 * still read to its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "csv.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER (256u << 10)
#define KEPT 65536            /* of a line that is too long */
#define SKIP_AT_ONCE (64u << 20)
#define MAX_NAMES (1u << 20)   /* bytes of a CSV file's first line */
#define MAX_TAILS 512         /* descriptors that ranges keep while they wait */

struct slot { /* a range that this reader has */
    uint32_t id, before, after; /* in the ring of those still to be read */
    uint64_t pos, pos0;         /* next byte; of compressed files the word before it */
    uint64_t bound;             /* 0: none */
    int64_t check_at;           /* pen_now() from which on there may be more */
    int fd;                     /* kept while waiting; -1 */
    bool used, ended;
    bool waited;                /* it was read to the end of the file as it was */
};
struct reader {
    struct file_source *source;
    struct slot *slots;         /* [0] heads the ring */
    uint32_t n_slots, room_slots, free_slot, tails;
    uint32_t *where;            /* by partition id */
    uint32_t n_where;

    uint32_t current;           /* slot that is open, 0: none */
    struct range_view view;
    struct stream stream;
    char *buf;
    size_t cap, at, len;        /* buf[at..len) is read and not yet taken; buf[at] is byte `pos` of the current slot */
    bool eof;
    int64_t due;                /* when the next record may come, where it may not yet */
    char *kept;                 /* the line being passed over: its first bytes */
    size_t n_kept;
    uint64_t passed;            /* its bytes so far, 0: none */
    struct csv csv;             /* names of the open range's columns */
};

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
    if (r->cap > 4 * BUFFER) { /* a long line made it grow */
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

/* More bytes behind those in the buffer. */
static pen_status fill(struct reader *r, size_t max_record, struct pen_error *err)
{
    size_t got;
    if (r->at > 0) {
        memmove(r->buf, r->buf + r->at, r->len - r->at);
        r->len -= r->at;
        r->at = 0;
    }
    if (r->len == r->cap) {
        size_t most = (max_record > BUFFER ? max_record : BUFFER) + BUFFER;
        size_t cap = r->cap ? r->cap * 2 : BUFFER;
        char *buf = realloc(r->buf, cap < most ? cap : most);
        if (!buf)
            return no_memory(err);
        r->buf = buf;
        r->cap = cap < most ? cap : most;
    }
    pen_status status = stream_read(&r->stream, r->buf + r->len, r->cap - r->len, &got, err);
    if (status == PEN_OK) {
        r->len += got;
        r->eof = got == 0;
    }
    return status;
}

/* Passes over what is left of a line that began in the range before. The buffer begins one byte before the range. PEN_SKIP: no line begins
 * before `end`, or before the end of the file. */
static pen_status align(struct reader *r, struct slot *s, uint64_t end, struct pen_error *err)
{
    for (uint64_t at = s->pos - 1;;) { /* offset of buf[r->at] */
        if (r->len == r->at) {
            pen_status status = fill(r, 0, err);
            if (status < 0)
                return status;
            if (r->eof)
                return PEN_SKIP;
        }
        const char *newline = memchr(r->buf + r->at, '\n', r->len - r->at);
        size_t n = newline ? (size_t)(newline - r->buf) + 1 - r->at : r->len - r->at;
        r->at += n;
        at += n;
        if (newline && at < end) {
            s->pos = at;
            return PEN_OK;
        }
        if (at >= end) {
            s->pos = end;
            return PEN_SKIP;
        }
    }
}

/* Reads the names that a CSV file begins with, then goes to where reading is to go on. PEN_SKIP: the file has no more now. */
static pen_status begin_csv(struct reader *r, struct slot *s, bool last, struct pen_error *err)
{
    struct file_source *source = r->source;
    r->csv.delimiter = source->delimiter[0];
    r->csv.replay = source->replay.column ? &source->replay : NULL;
    for (;;) {
        size_t took;
        struct pen_error why = { 0 };
        if (csv_begin(&r->csv, r->len ? r->buf + r->at : "", r->len - r->at, r->eof && last, source->header, &took, &why) < 0)
            return pen_fail(err, PEN_FATAL, "%s: %s", r->view.path, why.msg);
        if (took && s->pos < took)
            s->pos = source->header ? took : s->pos;
        if (took)
            break;
        if (r->eof)
            return PEN_SKIP;
        if (r->len - r->at > MAX_NAMES)
            return pen_fail(err, PEN_FATAL, "%s: no line of names ends within %u bytes", r->view.path, MAX_NAMES);
        pen_status status = fill(r, MAX_NAMES, err);
        if (status < 0)
            return status;
    }
    for (uint64_t at = r->at; at < s->pos;) { /* offset of buf[r->at] */
        size_t n = s->pos - at < r->len - r->at ? (size_t)(s->pos - at) : r->len - r->at;
        r->at += n;
        at += n;
        if (at == s->pos)
            break;
        if (r->view.codec == FILE_PLAIN)
            r->stream.at = at = s->pos;
        pen_status status = fill(r, 0, err);
        if (status < 0)
            return status;
        if (r->eof && at < s->pos)
            return pen_fail(err, PEN_FATAL, "%s: ends at byte %" PRIu64 ", but was read to %" PRIu64 ": it was truncated", r->view.path, at, s->pos);
    }
    return PEN_OK;
}

/* Goes on passing over a line that is too long. PEN_SKIP: it goes on. */
static pen_status pass_over(struct reader *r, struct slot *s, struct pen_intake *in, bool last, struct pen_error *err)
{
    for (uint64_t so_far = 0; so_far < SKIP_AT_ONCE;) {
        const char *newline = memchr(r->buf + r->at, '\n', r->len - r->at);
        size_t n = newline ? (size_t)(newline - r->buf) - r->at : r->len - r->at;
        r->passed += n;
        r->at += n;
        so_far += n;
        if (newline || (r->eof && last)) {
            pen_intake_overlong(in, r->kept, r->n_kept, r->passed, s->pos);
            r->at += newline != NULL;
            s->pos += r->passed + (newline != NULL);
            r->passed = 0;
            return PEN_OK;
        }
        if (r->eof)
            return PEN_SKIP;
        pen_status status = fill(r, 0, err);
        if (status < 0)
            return status;
    }
    return PEN_SKIP;
}

static pen_status begin_passing(struct reader *r, struct pen_error *err)
{
    if (!r->kept && !(r->kept = malloc(KEPT)))
        return no_memory(err);
    r->n_kept = r->len - r->at < KEPT ? r->len - r->at : KEPT;
    memcpy(r->kept, r->buf + r->at, r->n_kept);
    r->passed = r->len - r->at;
    r->at = r->len;
    return PEN_OK;
}

/* Whole lines that are due by now: up to which byte. */
static size_t due_lines(struct reader *r, const char *bytes, size_t n, bool at_end, int64_t now, int64_t *due)
{
    size_t at = 0;
    while (at < n) {
        const char *newline = memchr(bytes + at, '\n', n - at);
        size_t line = newline ? (size_t)(newline - bytes) + 1 - at : n - at;
        if (!newline && !at_end)
            break;
        if ((*due = replay_due(&r->source->replay, bytes + at, line, now)) > now)
            break;
        at += line;
    }
    return at;
}

/* Gives the intake records out of n bytes; how many bytes were taken. r->due says when the next one may come. */
static size_t take(struct reader *r, struct slot *s, struct pen_intake *in, size_t n, bool at_end, uint64_t limit, int64_t room)
{
    const char *bytes = r->buf + r->at;
    int64_t now = pen_now(r->source->host), may = pen_pace_take(r->source->pace, now, room), before = pen_intake_rows(in);
    size_t took = 0;
    r->due = may ? now : pen_pace_at(r->source->pace);
    if (may && r->view.format == FILE_CSV) {
        took = csv_feed(&r->csv, in, bytes, n, at_end, s->pos, limit, may, now, &r->due);
    } else if (may) {
        if (r->source->replay.column)
            n = due_lines(r, bytes, n, at_end, now, &r->due);
        took = n ? pen_intake_lines(in, bytes, n, at_end, s->pos, may) : 0;
    }
    pen_pace_give_back(r->source->pace, may - (pen_intake_rows(in) - before));
    return took;
}

/* How many of the bytes at hand lines hold that begin before the limit: up to the end of the last such line. */
static size_t within(const struct reader *r, const struct slot *s, uint64_t limit)
{
    size_t n = r->len - r->at;
    if (r->view.format == FILE_CSV || n <= limit - s->pos)
        return n;
    size_t inside = (size_t)(limit - s->pos) - 1;
    const char *newline = memchr(r->buf + r->at + inside, '\n', n - inside);
    return newline ? (size_t)(newline - r->buf) + 1 - r->at : n;
}

/* Feeds whole lines that begin before `limit` until the intake has enough, or none is due. PEN_SKIP: the file has no more now. */
static pen_status feed(struct reader *r, struct slot *s, uint64_t limit, bool last, struct pen_intake *in, const struct pen_read *read,
                       struct pen_error *err)
{
    size_t max_record = pen_intake_max_record(in);
    while (r->passed || s->pos < limit) {
        int64_t room = read->max_rows - pen_intake_rows(in);
        size_t bytes = pen_intake_bytes(in), n, first, took = 0;
        pen_status status = PEN_OK;
        if (room <= 0 || (bytes >= read->max_bytes && pen_intake_rows(in) > 0))
            return PEN_OK;
        if (r->passed) {
            if ((status = pass_over(r, s, in, last, err)) != PEN_OK)
                return status;
            continue;
        }
        n = within(r, s, limit);
        first = bytes < read->max_bytes && n > read->max_bytes - bytes ? read->max_bytes - bytes : n;
        r->due = 0;
        if (n > 0)
            took = take(r, s, in, first, first == n && r->eof && last, limit, room);
        if (n > 0 && took == 0 && first < n)
            took = take(r, s, in, n, r->eof && last, limit, room);
        r->at += took;
        s->pos += took;
        if (r->due > pen_now(r->source->host)) {
            s->check_at = r->due;
            return PEN_OK;
        }
        if (took)
            continue;
        if (r->eof)
            return PEN_SKIP;
        if (r->len - r->at > max_record)
            status = begin_passing(r, err);
        else
            status = fill(r, max_record, err);
        if (status < 0)
            return status;
    }
    return PEN_OK;
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
        status = begin_csv(r, s, !follows, err);
    else if (plain && v->format != FILE_CSV && s->pos > 0 && s->pos == v->begin && r->stream.at == s->pos - 1)
        status = align(r, s, end, err);
    if (status == PEN_OK)
        status = feed(r, s, limit, !follows, in, read, err);
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
