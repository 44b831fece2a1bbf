/* lines.c - from the bytes of the range that is open to records in an intake: whole lines, the names of a CSV file, lines that are too long.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 65536            /* of a line that is too long */
#define SKIP_AT_ONCE (64u << 20)
#define MAX_NAMES (1u << 20)   /* bytes of a CSV file's first line */

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
        size_t most = (max_record > READER_BUFFER ? max_record : READER_BUFFER) + READER_BUFFER;
        size_t cap = r->cap ? r->cap * 2 : READER_BUFFER;
        char *buf = realloc(r->buf, cap < most ? cap : most);
        if (!buf)
            return pen_fail(err, PEN_FATAL, "out of memory");
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

pen_status lines_align(struct reader *r, struct slot *s, uint64_t end, struct pen_error *err)
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

pen_status lines_begin_csv(struct reader *r, struct slot *s, bool last, struct pen_error *err)
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
        return pen_fail(err, PEN_FATAL, "out of memory");
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

pen_status lines_feed(struct reader *r, struct slot *s, uint64_t limit, bool last, struct pen_intake *in, const struct pen_read *read,
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
