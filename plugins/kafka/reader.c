/* reader.c - the reading end. A position is one word, the next offset; a partition's name is TOPIC-NUMBER. group.c holds the consumer; a
 * lane takes messages from the queues of its partitions and copies them once, into the intake. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "group.h"
#include "target.h"

#define AT_ONCE 512 /* messages taken from a queue by one call */

struct source {
    struct options o; /* first: see kafka_options */
    const struct pen_host *host;
    struct group group;
    struct pen_output output;
    bool told_no_more;
};

/* A partition with a lane. */
struct place {
    struct part *part;
    uint32_t id;
    int64_t next;      /* offset to hand over next */
    int64_t bound;     /* not beyond this offset in one read; INT64_MAX: none */
    int64_t told;      /* the end that was last reported; -1: none */
    rd_kafka_message_t *messages[AT_ONCE]; /* taken and not handed over: [first, n) */
    size_t first, n;
};

struct reader {
    struct source *s;
    int fd;
    struct place **places;
    size_t n, cap, turn;
    struct pen_header *headers;
    size_t cap_headers;
};

/* -- the instance ------------------------------------------------------------------------------------------------------------- */

static pen_status source_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct source *s = ctx;
    s->host = host;
    if (kafka_check_options(&s->o, err) < 0 || client_check(host, &s->o, err) < 0)
        return PEN_BADCONF;
    if (!pen_checking(host) && !target_is_fixed(s->o.topic)) /* one that is only written is looked at, too */
        return pen_fail(err, PEN_BADCONF, "topic = %s: {output} is for topics that are only written", s->o.topic);
    return pen_checking(host) ? PEN_OK : group_open(&s->group, &s->o, host, err);
}

static void source_stop(void *ctx)
{
    struct source *s = ctx;
    group_close(&s->group);
}

static pen_status source_connect(void *ctx, struct pen_error *err)
{
    struct source *s = ctx;
    return topic_connect(s->host, &s->o, s->o.topic, err);
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

/* With --until-end: what the group gives first is all. lock held. */
static bool no_more(const struct group *g)
{
    for (const struct part *p = g->parts; p; p = p->next)
        if (p->state == PART_FRESH)
            return false;
    return g->assigned_once;
}

static pen_status take_note(struct source *s, struct pen_partition_event *event)
{
    static const pen_partition_event_kind kinds[] = { PEN_PARTITION_ASSIGNED, PEN_PARTITION_REVOKING, PEN_PARTITION_LOST };
    struct group *g = &s->group;
    memset(event, 0, sizeof *event);
    event->name = event->incarnation = "";
    while (g->n_notes) {
        struct note n = g->notes[0];
        const struct part *p = group_part(g, n.id);
        memmove(g->notes, g->notes + 1, --g->n_notes * sizeof *g->notes);
        if (!p)
            continue; /* released meanwhile */
        event->kind = kinds[n.kind];
        event->id = p->id;
        event->name = p->name;
        event->incarnation = p->incarnation;
        return PEN_OK;
    }
    if (s->told_no_more || !pen_until_end(s->host) || !no_more(g))
        return PEN_SKIP;
    s->told_no_more = true;
    event->kind = PEN_PARTITION_NO_MORE;
    return PEN_OK;
}

static pen_status source_next_event(void *ctx, struct pen_partition_event *event, struct pen_error *err)
{
    struct source *s = ctx;
    pen_status st;
    pthread_mutex_lock(&s->group.lock);
    st = take_note(s, event);
    pthread_mutex_unlock(&s->group.lock);
    if (st == PEN_SKIP) {
        pen_status trouble = client_trouble(&s->group.client, err);
        return trouble == PEN_OK ? PEN_SKIP : trouble;
    }
    return st;
}

/* -- where to begin ------------------------------------------------------------------------------------------------------------- */

static pen_status find(struct source *s, uint32_t id, struct part *out, struct pen_error *err)
{
    const struct part *p;
    pthread_mutex_lock(&s->group.lock);
    p = group_part(&s->group, id);
    if (p)
        *out = *p;
    pthread_mutex_unlock(&s->group.lock);
    return p ? PEN_OK : pen_fail(err, PEN_FATAL, "kafka %s: no partition of number %u", s->o.brokers, id);
}

static pen_status source_beginning(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    struct part p;
    int64_t at;
    if (find(s, id, &p, err) < 0)
        return PEN_FATAL;
    at = p.low;
    if (first_run && s->group.start.kind == START_LATEST)
        at = p.high;
    else if (first_run && s->group.start.kind == START_TIME)
        at = p.by_time;
    else if (s->group.start.kind == START_STORED && p.stored >= 0)
        at = p.stored;
    *pos = pen_position_of((uint64_t)at);
    return PEN_OK; /* what is kept changes with time, so it is committed before anything is read */
}

static pen_status not_held(const struct source *s, const char *name, int64_t at, int64_t low, int64_t high, struct pen_error *err)
{
    if (at > high)
        return pen_fail(err, PEN_FATAL, "kafka %s: %s: position %" PRId64 " lies behind its end %" PRId64 ": the topic was deleted and made anew, or "
                        "lost records. Another `id` for this section begins anew, where `start` says", s->o.brokers, name, at, high);
    return pen_fail(err, PEN_FATAL, "kafka %s: %s: position %" PRId64 " is not held any more, the broker has %" PRId64 " to %" PRId64 ": retention.ms "
                    "and retention.bytes of the topic decide what is kept; missing = skip goes on behind the gap", s->o.brokers, name, at, low, high);
}

/* What is held may have changed since the partition was given to us: others write and commit. */
static pen_status check_held(struct source *s, struct part *p, int64_t at, struct pen_error *err)
{
    pen_status st;
    if (at >= p->low && at <= p->high)
        return PEN_OK;
    st = group_bounds(&s->group, p->number, &p->low, &p->high, err);
    if (st < 0)
        return st;
    return at > p->high || (at < p->low && s->o.missing == MISSING_FAIL) ? not_held(s, p->name, at, p->low, p->high, err) : PEN_OK;
}

static pen_status source_start_partition(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    struct part p, *live;
    pen_status st;
    if (pos->n != 1 || pos->w[0] > INT64_MAX)
        return pen_fail(err, PEN_FATAL, "kafka %s: topic %s: a position of %u words, where one was expected", s->o.brokers, s->o.topic, pos->n);
    if (find(s, id, &p, err) < 0)
        return PEN_FATAL;
    if (p.state == PART_GONE)
        return PEN_OK; /* it is about to be told so */
    st = check_held(s, &p, (int64_t)pos->w[0], err);
    if (st < 0)
        return st;
    pthread_mutex_lock(&s->group.lock);
    live = group_part(&s->group, id);
    if (live)
        live->low = p.low;
    pthread_mutex_unlock(&s->group.lock);
    return PEN_OK;
}

static pen_status source_release(void *ctx, uint32_t id, struct pen_error *err)
{
    struct source *s = ctx;
    (void)err;
    group_release(&s->group, id);
    return PEN_OK;
}

static pen_status source_settle(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct source *s = ctx;
    struct part *p;
    (void)err;
    pthread_mutex_lock(&s->group.lock);
    p = group_part(&s->group, id);
    if (p && pos->n == 1)
        p->settle = (int64_t)pos->w[0];
    pthread_mutex_unlock(&s->group.lock);
    return PEN_OK;
}

/* -- a lane's reader --------------------------------------------------------------------------------------------------------------- */

static pen_status reader_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct reader *r = calloc(1, sizeof *r);
    (void)lane;
    if (!r)
        return pen_fail(err, PEN_FATAL, "out of memory");
    r->s = ctx;
    r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->fd < 0) {
        free(r);
        return pen_fail(err, PEN_FATAL, "kafka: no eventfd: %s", strerror(errno));
    }
    *out = r;
    return PEN_OK;
}

static void drop_messages(struct place *p)
{
    for (; p->first < p->n; p->first++)
        rd_kafka_message_destroy(p->messages[p->first]);
    p->first = p->n = 0;
}

static void leave(struct place *p)
{
    if (p->part->queue)
        rd_kafka_queue_io_event_enable(p->part->queue, -1, NULL, 0);
    drop_messages(p);
    free(p);
}

static void reader_close(void *reader)
{
    struct reader *r = reader;
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        leave(r->places[i]);
    free(r->places);
    free(r->headers);
    close(r->fd);
    free(r);
}

static struct place *find_place(struct reader *r, uint32_t id, size_t *index)
{
    for (*index = 0; *index < r->n; ++*index)
        if (r->places[*index]->id == id)
            return r->places[*index];
    return NULL;
}

static struct place *add_place(struct reader *r, struct part *part)
{
    struct place *p;
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 8;
        struct place **v = realloc(r->places, cap * sizeof *v);
        if (!v)
            return NULL;
        r->places = v;
        r->cap = cap;
    }
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->part = part;
    p->id = part->id;
    p->bound = INT64_MAX;
    p->next = part->fetched ? part->at : -1;
    p->told = -1;
    return r->places[r->n++] = p;
}

/* The partition's queue, apart from the group's, with something to wake this lane. */
static pen_status take_queue(struct reader *r, struct part *part, struct pen_error *err)
{
    static const uint64_t one = 1;
    if (!part->queue) {
        part->queue = rd_kafka_queue_get_partition(r->s->group.client.rk, r->s->o.topic, part->number);
        if (!part->queue)
            return pen_fail(err, PEN_FATAL, "kafka %s: %s: no queue", r->s->o.brokers, part->name);
        rd_kafka_queue_forward(part->queue, NULL);
    }
    rd_kafka_queue_io_event_enable(part->queue, r->fd, &one, sizeof one);
    return PEN_OK;
}

static pen_status reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct reader *r = reader;
    struct group *g = &r->s->group;
    size_t index;
    struct place *p = find_place(r, id, &index);
    int64_t at = (int64_t)pos->w[0], low;
    pen_status st = PEN_OK;
    if (!p) {
        struct part *part;
        pthread_mutex_lock(&g->lock);
        part = group_part(g, id);
        pthread_mutex_unlock(&g->lock);
        if (!part || !(p = add_place(r, part)))
            return pen_fail(err, PEN_FATAL, part ? "out of memory" : "kafka: a partition that is not held");
        st = take_queue(r, part, err);
    }
    /* From another lane it comes as that one left it; what librdkafka has fetched meanwhile waits in its queue. */
    if (st < 0 || (p->part->fetched && p->next == at))
        return st;
    drop_messages(p);
    p->next = at;
    low = p->part->low;
    return fetch_from(g, p->part, at < low ? low : at, err);
}

static pen_status reader_remove(void *reader, uint32_t id, struct pen_error *err)
{
    struct reader *r = reader;
    size_t index;
    struct place *p = find_place(r, id, &index);
    bool loose = p && p->first < p->n; /* taken from the queue and not handed over: the next lane needs them anew */
    (void)err;
    if (!p)
        return PEN_OK;
    p->part->at = loose ? -1 : p->next;
    leave(p);
    r->places[index] = r->places[--r->n];
    return PEN_OK;
}

static pen_status reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    size_t index;
    struct place *p = find_place(reader, id, &index);
    (void)err;
    if (p)
        p->bound = pos->n ? (int64_t)pos->w[0] : INT64_MAX;
    return PEN_OK;
}

/* -- reading -------------------------------------------------------------------------------------------------------------------------- */

static pen_status find_headers(struct reader *r, const rd_kafka_message_t *m, struct pen_message *out, struct pen_error *err)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;
    out->n_headers = 0;
    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return PEN_OK;
    for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
        if (i == r->cap_headers) {
            size_t cap = r->cap_headers ? 2 * r->cap_headers : 16;
            struct pen_header *v = realloc(r->headers, cap * sizeof *v);
            if (!v)
                return pen_fail(err, PEN_FATAL, "out of memory");
            r->headers = v;
            r->cap_headers = cap;
        }
        r->headers[i] = (struct pen_header){ name, value, size };
        out->n_headers = i + 1;
    }
    out->headers = r->headers;
    return PEN_OK;
}

/* What only raw messages show. librdkafka takes a message's headers apart when they are first asked for, which costs as much as all else of it. */
static pen_status describe(struct reader *r, const struct place *p, const rd_kafka_message_t *m, struct pen_message *out, struct pen_error *err)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(m, &type);
    out->partition = p->part->name;
    out->key = m->key;
    out->key_size = m->key_len;
    out->offset = m->offset;
    out->timestamp = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < INT64_MIN / 1000 || ms > INT64_MAX / 1000 ? INT64_MIN : ms * 1000;
    return find_headers(r, m, out, err);
}

static pen_status feed(struct reader *r, struct place *p, const rd_kafka_message_t *m, struct pen_read *read, size_t *bytes, struct pen_error *err)
{
    struct pen_message out = { .value = m->payload, .value_size = m->len, .position = (uint64_t)m->offset };
    *bytes += m->key_len + m->len + 16;
    if (!read->intakes[0])
        return PEN_OK;
    if (pen_intake_wants_raw(read->intakes[0]) && describe(r, p, m, &out, err) < 0)
        return PEN_FATAL;
    pen_intake_message(read->intakes[0], &out);
    return PEN_OK;
}

/* The broker holds what lay here no more (auto.offset.reset = error). */
static pen_status lost_place(struct reader *r, struct place *p, struct pen_error *err)
{
    struct part *part = p->part;
    int64_t low = -1, high = -1;
    pen_status st = group_bounds(&r->s->group, part->number, &low, &high, err);
    if (st < 0)
        return st;
    if (p->next > high || r->s->o.missing == MISSING_FAIL)
        return not_held(r->s, part->name, p->next, low, high, err);
    pen_log(r->s->host, PEN_LOG_WARN, "%s: %" PRId64 " offsets were removed before they were read (missing = skip)", part->name, low - p->next);
    pen_count(r->s->host, "missing_total", NULL, low > p->next ? low - p->next : 0);
    drop_messages(p);
    return fetch_from(&r->s->group, part, low > p->next ? low : p->next, err);
}

static pen_status take_error(struct reader *r, struct place *p, const rd_kafka_message_t *m, struct pen_error *err)
{
    char what[300];
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        p->part->eof = m->offset;
        return PEN_OK;
    }
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        return lost_place(r, p, err);
    if (client_error_is_passing(m->err))
        return PEN_OK; /* it is tried again down there, and the client says so */
    snprintf(what, sizeof what, "topic %s, partition %d", r->s->o.topic, (int)p->part->number);
    return client_fail(&r->s->group.client, m->err, what, rd_kafka_message_errstr(m), err);
}

/* Takes from the partition's queue what waits there, so much at once. False: nothing does. */
static bool take(struct reader *r, struct place *p)
{
    ssize_t n = rd_kafka_queue_length(p->part->queue) ? rd_kafka_consume_batch_queue(p->part->queue, 0, p->messages, AT_ONCE) : 0;
    size_t bytes = 0;
    p->first = 0;
    p->n = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < p->n; i++)
        bytes += p->messages[i]->len + p->messages[i]->key_len;
    fetch_go_on(&r->s->group, p->part, p->n, bytes);
    return p->n > 0;
}

/* The next message that is for now, or NULL: none is there, or it lies at `limit` or behind it. An end that was announced is noted. */
static pen_status next_message(struct reader *r, struct place *p, int64_t limit, rd_kafka_message_t **out, struct pen_error *err)
{
    *out = NULL;
    for (;;) {
        rd_kafka_message_t *m;
        pen_status st = PEN_OK;
        if (p->first == p->n && !take(r, p))
            return PEN_OK;
        m = p->messages[p->first];
        if (!m->err && m->offset >= limit) {
            *out = m; /* stays where it is */
            return PEN_SKIP;
        }
        p->first++;
        if (!m->err && m->offset >= p->next) {
            *out = m;
            return PEN_OK;
        }
        if (m->err)
            st = take_error(r, p, m, err);
        rd_kafka_message_destroy(m);
        if (st < 0)
            return st;
    }
}

static pen_status fill(struct reader *r, struct place *p, int64_t limit, struct pen_read *read, struct pen_error *err)
{
    int64_t rows = 0;
    size_t bytes = 0;
    while (rows < read->max_rows && bytes < read->max_bytes && p->next < limit) {
        rd_kafka_message_t *m;
        pen_status st = next_message(r, p, limit, &m, err);
        if (st < 0)
            return st;
        if (st == PEN_SKIP) { /* a gap up to the limit */
            p->next = limit;
            break;
        }
        if (!m) {
            if (p->part->eof > p->next) /* what lies there nobody will ever be shown */
                p->next = p->part->eof < limit ? p->part->eof : limit;
            break;
        }
        st = feed(r, p, m, read, &bytes, err);
        p->next = m->offset + 1;
        rd_kafka_message_destroy(m);
        rows++;
        if (st < 0)
            return st;
    }
    return PEN_OK;
}

/* Where this run ends: with --until-end, and nobody in this process writing, where the partition did when it was given to us. */
static int64_t run_end(const struct reader *r, const struct place *p, int64_t written)
{
    return pen_until_end(r->s->host) && written < 0 ? p->part->high : INT64_MAX;
}

static pen_status read_place(struct reader *r, struct place *p, struct pen_read *read, bool again, struct pen_error *err)
{
    int64_t from = p->next, written = written_end(r->s->o.brokers, r->s->o.topic, p->part->number);
    int64_t end = run_end(r, p, written), limit = end < p->bound ? end : p->bound;
    pen_status st = fill(r, p, limit, read, err);
    if (st < 0)
        return st;
    p->part->at = p->next;
    read->partition = p->id;
    read->from = pen_position_of((uint64_t)from);
    read->to = pen_position_of((uint64_t)p->next);
    read->end = p->next >= end || (p->part->eof == p->next && p->next >= written);
    if (p->next == from && (!read->end || (p->told == p->next && !again)))
        return PEN_SKIP;
    p->told = read->end ? p->next : -1;
    return PEN_OK;
}

/* again: ends that were reported before count, as a caller may since have learnt that they are the last. */
static pen_status read_any(struct reader *r, struct pen_read *read, bool again, struct pen_error *err)
{
    for (size_t i = 0; i < r->n; i++) {
        pen_status st = read_place(r, r->places[r->turn++ % r->n], read, again, err);
        if (st != PEN_SKIP)
            return st;
    }
    return PEN_SKIP;
}

static pen_status reader_read(void *reader, struct pen_read *read, struct pen_error *err)
{
    struct reader *r = reader;
    eventfd_t drained;
    pen_status st = pen_failpoint("kafka.read", err);
    if (st < 0)
        return st;
    st = read_any(r, read, false, err);
    if (st != PEN_SKIP)
        return st;
    (void)eventfd_read(r->fd, &drained);
    return read_any(r, read, true, err);
}

static int reader_fd(void *reader)
{
    return ((struct reader *)reader)->fd;
}

const struct pen_source kafka_source = {
    .ctx_size = sizeof(struct source),
    .options = kafka_options,
    .start = source_start,
    .stop = source_stop,
    .connect = source_connect,
    .outputs = source_outputs,
    .next_event = source_next_event,
    .beginning = source_beginning,
    .start_partition = source_start_partition,
    .release_partition = source_release,
    .settle = source_settle,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .reader_add = reader_add,
    .reader_remove = reader_remove,
    .reader_bound = reader_bound,
    .read = reader_read,
    .fd = reader_fd,
};
