/* reader.c - the reading end. Its partitions are the journal's; a position is the count of records before it. Readers see what is
 * committed and on the disk: in the process that writes that is what publish() has said, elsewhere what log.c has followed and synced.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cursor.h"
#include "ends.h"

#define LOOK_EVERY 20000 /* microseconds between looks at what another process commits */

struct source {
    struct options o; /* first: see journal_options */
    const struct pen_host *host;
    struct journal *j;
    struct pen_output output;
    int reader;                        /* file of the registered reader */
    uint64_t settled[JF_PARTITIONS];   /* control's */
    uint64_t run_end[JF_PARTITIONS];   /* what was committed when the run began */
    uint32_t next_event;
    char name[16], incarnation[2 * JF_ID_SIZE + 1];
};

struct part {
    struct cursor cursor;
    uint32_t id;
    uint64_t bound;    /* UINT64_MAX: none */
    uint64_t told_end; /* the end that was last reported; UINT64_MAX: none */
    char name[8];
};

struct reader {
    struct source *s;
    struct waiter waiter;
    struct part parts[JF_PARTITIONS];
    uint32_t n, turn;
    struct pen_header *headers;
    size_t cap_headers;
};

/* -- the instance -------------------------------------------------------------------------------------------------------------------- */

static pen_status source_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct source *s = ctx;
    const char *name = s->o.reader ? s->o.reader : pen_reader_name(host);
    pen_status st;
    s->host = host;
    s->reader = -1;
    if (journal_check_options(&s->o, err) < 0)
        return PEN_BADCONF;
    if (pen_checking(host))
        return PEN_OK;
    st = journal_open(&s->j, &s->o, host, true, err);
    /* Registered before anybody writes, so that nothing can be removed before it has been read. */
    if (st == PEN_OK)
        st = reader_register(s->j, name, s->o.start == START_LATEST, &s->reader, s->settled, err);
    if (st < 0) {
        journal_close(&s->j);
        return st;
    }
    for (uint32_t i = 0; i < s->j->partitions; i++) {
        uint64_t oldest;
        journal_bounds(s->j, i, &oldest, &s->run_end[i]);
    }
    memcpy(s->incarnation, s->j->id_text, sizeof s->incarnation);
    return PEN_OK;
}

static void source_stop(void *ctx)
{
    struct source *s = ctx;
    if (s->reader >= 0)
        close(s->reader);
    journal_close(&s->j);
}

static pen_status source_outputs(void *ctx, struct pen_output **outputs, size_t *n, struct pen_error *err)
{
    struct source *s = ctx;
    (void)err;
    s->output.name = "";
    *outputs = &s->output;
    *n = 1;
    return PEN_OK;
}

static pen_status source_next_event(void *ctx, struct pen_partition_event *event, struct pen_error *err)
{
    struct source *s = ctx;
    (void)err;
    if (s->next_event > s->j->partitions)
        return PEN_SKIP;
    memset(event, 0, sizeof *event);
    if (s->next_event == s->j->partitions) {
        event->kind = PEN_PARTITION_NO_MORE;
    } else {
        event->kind = PEN_PARTITION_ASSIGNED;
        event->id = s->next_event;
        snprintf(s->name, sizeof s->name, "%u", s->next_event);
    }
    event->name = s->name;
    event->incarnation = s->incarnation;
    s->next_event++;
    return PEN_OK;
}

static pen_status source_beginning(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    uint64_t oldest, end;
    (void)err;
    journal_bounds(s->j, id, &oldest, &end);
    if (s->o.start == START_LATEST && first_run) {
        *pos = pen_position_of(s->run_end[id]);
        return PEN_OK;
    }
    *pos = pen_position_of(oldest);
    return oldest ? PEN_OK : PEN_SKIP; /* a registered reader finds the first frame here after a restart too */
}

static pen_status not_held(const struct source *s, uint32_t id, uint64_t at, uint64_t oldest, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL,
                    "journal %s: partition %u: position %" PRIu64 " is not held any more, the oldest is %" PRIu64
                    "; retention_bytes and retention_time decide what is kept for readers that are not registered",
                    s->o.path, id, at, oldest);
}

static pen_status source_start_partition(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    uint64_t oldest, end;
    if (pos->n != 1)
        return pen_fail(err, PEN_FATAL, "journal %s: a position of %u words, where one was expected", s->o.path, pos->n);
    journal_bounds(s->j, id, &oldest, &end);
    if (pos->w[0] > end)
        return pen_fail(err, PEN_FATAL,
                        "journal %s: partition %u: position %" PRIu64 " lies behind its end %" PRIu64
                        ": the journal is not the one that was read before (path), or has been restored",
                        s->o.path, id, pos->w[0], end);
    if (pos->w[0] < oldest && s->o.full != FULL_DROP)
        return not_held(s, id, pos->w[0], oldest, err);
    if (s->settled[id] == pos->w[0])
        return PEN_OK;
    s->settled[id] = pos->w[0];
    return reader_store(s->j, s->reader, s->settled, err);
}

static pen_status source_settle(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    if (pen_failpoint("journal.settle", err) < 0)
        return PEN_FATAL;
    if (pos->n != 1 || s->settled[id] == pos->w[0])
        return PEN_OK;
    s->settled[id] = pos->w[0];
    return reader_store(s->j, s->reader, s->settled, err);
}

/* -- a lane's reader --------------------------------------------------------------------------------------------------------------------- */

static pen_status reader_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct source *s = ctx;
    struct reader *r = calloc(1, sizeof *r);
    (void)lane;
    if (!r)
        return pen_fail(err, PEN_FATAL, "out of memory");
    r->s = s;
    r->waiter.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->waiter.fd < 0) {
        free(r);
        return pen_fail(err, PEN_FATAL, "journal %s: no eventfd: %s", s->o.path, strerror(errno));
    }
    journal_watch(s->j, &r->waiter);
    *out = r;
    return PEN_OK;
}

static void reader_close(void *reader)
{
    struct reader *r = reader;
    if (!r)
        return;
    journal_unwatch(r->s->j, &r->waiter);
    close(r->waiter.fd);
    for (uint32_t i = 0; i < r->n; i++)
        cursor_fini(&r->parts[i].cursor);
    free(r->headers);
    free(r);
}

static struct part *find_part(struct reader *r, uint32_t id)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->parts[i].id == id)
            return &r->parts[i];
    return NULL;
}

static pen_status reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    struct part *p = find_part(r, id);
    if (pos->n != 1 || id >= r->s->j->partitions)
        return pen_fail(err, PEN_FATAL, "journal %s: no such place: partition %u, a position of %u words", r->s->o.path, id, pos->n);
    if (p) {
        cursor_seek(&p->cursor, pos->w[0]);
    } else {
        p = &r->parts[r->n++];
        memset(p, 0, sizeof *p);
        p->id = id;
        p->bound = UINT64_MAX;
        snprintf(p->name, sizeof p->name, "%u", id & 255u);
        cursor_init(&p->cursor, r->s->j, id, pos->w[0]);
    }
    p->told_end = UINT64_MAX;
    return PEN_OK;
}

static pen_status reader_remove(void *reader, uint32_t id, struct pen_error *err)
{
    struct reader *r = reader;
    struct part *p = find_part(r, id);
    (void)err;
    if (p) {
        cursor_fini(&p->cursor);
        memmove(p, p + 1, (size_t)(r->parts + --r->n - p) * sizeof *p);
    }
    return PEN_OK;
}

static pen_status reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct part *p = find_part(reader, id);
    (void)err;
    if (p)
        p->bound = pos->n ? pos->w[0] : UINT64_MAX;
    return PEN_OK;
}

/* Headers as the intake takes them; they point into the block. */
static pen_status find_headers(struct reader *r, const struct jf_message *m, struct pen_message *out, struct pen_error *err)
{
    struct jf_in in = { m->headers, m->headers_size, false };
    struct pen_header h;
    const uint8_t *value;
    size_t size;
    out->n_headers = 0;
    while (jf_header_next(&in, &h.name, &size, &value, &h.value_size)) {
        if (size == 0 || h.name[size - 1] != '\0') {
            in.bad = true;
            break;
        }
        h.value = value;
        if (out->n_headers == r->cap_headers) {
            size_t cap = r->cap_headers ? r->cap_headers * 2 : 16;
            struct pen_header *p = realloc(r->headers, cap * sizeof *p);
            if (!p)
                return pen_fail(err, PEN_FATAL, "out of memory");
            r->headers = p;
            r->cap_headers = cap;
        }
        r->headers[out->n_headers++] = h;
    }
    out->headers = r->headers;
    return in.bad ? pen_fail(err, PEN_FATAL, "journal %s: the headers of record %" PRIu64 " cannot be read", r->s->o.path, out->position)
                  : PEN_OK;
}

static pen_status feed(struct reader *r, struct part *p, uint64_t limit, struct pen_read *read, struct pen_error *err)
{
    struct pen_intake *intake = read->intakes[0];
    struct pen_message out = { .partition = p->name };
    int64_t rows = 0;
    size_t bytes = 0;
    while (p->cursor.at < limit && rows < read->max_rows && bytes < read->max_bytes) {
        struct jf_message m;
        uint64_t at = p->cursor.at;
        pen_status st = cursor_next(&p->cursor, &m, err);
        if (st != PEN_OK)
            return st == PEN_SKIP && rows > 0 ? PEN_OK : st;
        out.key = m.key;
        out.key_size = m.key_size;
        out.value = m.value;
        out.value_size = m.value_size;
        out.timestamp = m.timestamp;
        out.position = at;
        out.offset = (int64_t)at;
        if (m.headers_size > 0 && (st = find_headers(r, &m, &out, err)) < 0)
            return st;
        if (m.headers_size == 0)
            out.n_headers = 0;
        if (intake)
            pen_intake_message(intake, &out);
        rows++;
        bytes += m.value_size + m.key_size + m.headers_size + 16;
    }
    return PEN_OK;
}

/* With full = drop what was taken away is passed over; else it is an error that it is gone. */
static pen_status skip_gap(struct reader *r, struct part *p, uint64_t oldest, struct pen_error *err)
{
    uint64_t gap = oldest - p->cursor.at;
    if (r->s->o.full != FULL_DROP || oldest <= p->cursor.at)
        return not_held(r->s, p->id, p->cursor.at, oldest, err);
    pen_log(r->s->host, PEN_LOG_WARN, "journal %s: partition %u: %" PRIu64 " records were dropped before they were read (full = drop)",
            r->s->o.path, p->id, gap);
    pen_count(r->s->host, "dropped_total", NULL, (int64_t)gap);
    cursor_seek(&p->cursor, oldest);
    return PEN_OK;
}

/* The end that this run reads to, and up to where one read may go. */
static void find_limit(const struct reader *r, const struct part *p, uint64_t *oldest, uint64_t *end, uint64_t *limit)
{
    struct journal *j = r->s->j;
    bool wrote;
    pthread_mutex_lock(&j->lock);
    *oldest = j->oldest[p->id];
    *end = j->end[p->id];
    wrote = j->wrote;
    pthread_mutex_unlock(&j->lock);
    if (!wrote && pen_until_end(r->s->host) && *end > r->s->run_end[p->id])
        *end = r->s->run_end[p->id];
    *limit = *end < p->bound ? *end : p->bound;
}

static pen_status read_part(struct reader *r, struct part *p, struct pen_read *read, struct pen_error *err)
{
    uint64_t from = p->cursor.at, oldest, end, limit;
    pen_status st = PEN_OK;
    find_limit(r, p, &oldest, &end, &limit);
    if (from < oldest && r->s->o.full == FULL_DROP)
        st = skip_gap(r, p, oldest, err);
    if (st == PEN_OK && p->cursor.at < limit)
        st = feed(r, p, limit, read, err);
    if (st == PEN_SKIP) { /* removed while we looked for it */
        find_limit(r, p, &oldest, &end, &limit);
        st = skip_gap(r, p, oldest, err);
    }
    if (st < 0)
        return st;
    read->partition = p->id;
    read->from = pen_position_of(from);
    read->to = pen_position_of(p->cursor.at);
    read->end = p->cursor.at >= end;
    if (p->cursor.at == from && (!read->end || p->told_end == end))
        return PEN_SKIP;
    p->told_end = read->end ? end : UINT64_MAX;
    return PEN_OK;
}

static pen_status read_any(struct reader *r, struct pen_read *read, struct pen_error *err)
{
    for (uint32_t i = 0; i < r->n; i++) {
        struct part *p = &r->parts[r->turn++ % r->n];
        pen_status st = read_part(r, p, read, err);
        if (st != PEN_SKIP)
            return st;
    }
    return PEN_SKIP;
}

/* An end that has been reported before, again: a caller may since have learnt that it is the last. The partitions take turns. */
static pen_status repeat_end(struct reader *r, struct pen_read *read)
{
    for (uint32_t i = 0; i < r->n; i++) {
        struct part *p = &r->parts[r->turn++ % r->n];
        if (p->told_end != p->cursor.at)
            continue;
        read->partition = p->id;
        read->from = read->to = pen_position_of(p->cursor.at);
        read->end = true;
        return PEN_OK;
    }
    return PEN_SKIP;
}

static pen_status reader_read(void *reader, struct pen_read *read, struct pen_error *err)
{
    struct reader *r = reader;
    eventfd_t drained;
    pen_status st;
    if (pen_failpoint("journal.read", err) < 0)
        return PEN_FATAL;
    st = read_any(r, read, err);
    if (st != PEN_SKIP)
        return st;
    (void)eventfd_read(r->waiter.fd, &drained);
    st = journal_refresh(r->s->j, r->s->host, r->s->o.fsync, err);
    st = st < 0 ? st : read_any(r, read, err);
    return st == PEN_SKIP ? repeat_end(r, read) : st;
}

static int reader_fd(void *reader)
{
    struct reader *r = reader;
    return r->waiter.fd;
}

static int64_t reader_wake_at(void *reader)
{
    struct reader *r = reader;
    bool writes;
    pthread_mutex_lock(&r->s->j->lock);
    writes = r->s->j->writes;
    pthread_mutex_unlock(&r->s->j->lock);
    return writes ? INT64_MAX : pen_now(r->s->host) + LOOK_EVERY;
}

const struct pen_source journal_source = {
    .ctx_size = sizeof(struct source),
    .options = journal_options,
    .start = source_start,
    .stop = source_stop,
    .outputs = source_outputs,
    .next_event = source_next_event,
    .beginning = source_beginning,
    .start_partition = source_start_partition,
    .settle = source_settle,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .reader_add = reader_add,
    .reader_remove = reader_remove,
    .reader_bound = reader_bound,
    .read = reader_read,
    .fd = reader_fd,
    .wake_at = reader_wake_at,
};
