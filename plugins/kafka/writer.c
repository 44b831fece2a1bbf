/* writer.c - the writing end: rows of raw messages become records, and a plan is staged once the brokers have stored all of its own. With
 * exactly_once = yes they lie in a transaction until the plan is published (txn.c); else they are seen at once, and the engine keeps the
 * positions. SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "txn.h"

#define SLOTS 1024
#define AGAIN_MS 1000

struct sink {
    struct options o; /* first: see kafka_options */
    const struct pen_host *host;
    struct producer producer; /* without exactly_once */
    struct txns txns;         /* with it */
    pthread_mutex_t lock;
    char **ensured;           /* topics that are known to be there; lock */
    size_t n_ensured;
};

/* Columns of a raw batch, see pen_schema_raw(). */
enum { COL_KEY, COL_VALUE, COL_TIMESTAMP, COL_PARTITION, COL_OFFSET, COL_HEADERS };

/* Where rows come to lie, in the order of writing, while somebody wants to know. Reports write into them, so they stay where they are. */
struct slots {
    struct slots *next;
    int64_t n;
    struct slot v[SLOTS];
};
/* What is staged of a row: where it lies. */
struct lies {
    const char *topic; /* sink.ensured's */
    int32_t partition;
    int64_t offset;
};

struct writer {
    struct sink *s;
    struct txn *txn;
    struct sender sender;
    struct slots *first, *last, *old; /* of the open plan; of what was abandoned */
    bool keep_slots;
    const char *topic;                /* of the rows that are being written; sink.ensured's */
    int64_t rows, bytes;              /* since the last stage() */
};

/* -- the instance ----------------------------------------------------------------------------------------------------------------- */

static pen_status check_interval(const struct sink *s, struct pen_error *err)
{
    int64_t timeout = 60000, interval = pen_commit_interval(s->host) / 1000;
    for (size_t i = 0; i < s->o.librdkafka.n; i++)
        if (strcmp(s->o.librdkafka.names[i], "transaction.timeout.ms") == 0)
            timeout = strtoll(s->o.librdkafka.values[i], NULL, 10);
    if (interval < 0 || interval > timeout / 3)
        return pen_fail(err, PEN_BADCONF, "exactly_once = yes: commit_interval may be a third of librdkafka.transaction.timeout.ms = %lld at most, that is %lldms",
                        (long long)timeout, (long long)timeout / 3);
    return PEN_OK;
}

static pen_status sink_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct sink *s = ctx;
    s->host = host;
    if (kafka_check_options(&s->o, err) < 0 || client_check(host, &s->o, err) < 0 || (s->o.exactly_once && check_interval(s, err) < 0))
        return PEN_BADCONF;
    pthread_mutex_init(&s->lock, NULL);
    return PEN_OK;
}

static void sink_stop(void *ctx)
{
    struct sink *s = ctx;
    producer_close(&s->producer);
    txns_close(&s->txns);
    for (size_t i = 0; i < s->n_ensured; i++)
        free(s->ensured[i]);
    free(s->ensured);
    pthread_mutex_destroy(&s->lock);
}

static pen_status sink_want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err)
{
    (void)ctx, (void)in;
    return pen_schema_raw(want, err);
}

static pen_status sink_prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    (void)ctx;
    return pen_schema_is_raw(in) ? PEN_OK : pen_fail(err, PEN_BADCONF, "a topic takes raw messages only");
}

static const char *add_ensured(struct sink *s, const char *topic)
{
    char **v = realloc(s->ensured, (s->n_ensured + 1) * sizeof *v);
    if (!v)
        return NULL;
    s->ensured = v;
    if ((v[s->n_ensured] = strdup(topic)))
        s->n_ensured++;
    return v[s->n_ensured - 1];
}

static pen_status ensure_once(struct sink *s, const char *topic, const char **out, struct pen_error *err)
{
    pen_status st = PEN_OK;
    *out = NULL;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_ensured && !*out; i++)
        if (strcmp(s->ensured[i], topic) == 0)
            *out = s->ensured[i];
    if (!*out && (st = topic_ensure(s->host, &s->o, topic, err)) == PEN_OK && !(*out = add_ensured(s, topic)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* After a call that ended with `st`: true where brokers that are away were waited for a while, false where there is nothing to wait for or the run stops. */
static bool wait_for_brokers(struct sink *s, pen_status st, struct pen_error *err)
{
    struct pollfd wake = { pen_wake_fd(s->host), POLLIN, 0 };
    if (st != PEN_RETRY || pen_stopping(s->host))
        return false;
    pen_log(s->host, PEN_LOG_WARN, "%s", err->msg);
    memset(err, 0, sizeof *err);
    poll(&wake, 1, AGAIN_MS);
    return true;
}

/* The topic is there; asked once of each. *out: its name, for the sink's life. */
static pen_status ensure(struct sink *s, const char *topic, const char **out, struct pen_error *err)
{
    pen_status st;
    do
        st = ensure_once(s, topic, out, err);
    while (wait_for_brokers(s, st, err));
    return st;
}

static pen_status open_once(struct sink *s, struct pen_error *err)
{
    const char *topic;
    pen_status st = target_is_fixed(s->o.topic) ? ensure(s, s->o.topic, &topic, err) : PEN_OK;
    if (st < 0)
        return st;
    return s->o.exactly_once ? txns_open(&s->txns, s->host, &s->o, err) : producer_open(&s->producer, s->host, &s->o, NULL, err);
}

/* Brokers that are away at the start are waited for, as they are later. */
static pen_status sink_open(void *ctx, struct pen_error *err)
{
    struct sink *s = ctx;
    pen_status st;
    do
        st = open_once(s, err);
    while (wait_for_brokers(s, st, err));
    return st;
}

static bool sink_shows(const void *options)
{
    return ((const struct options *)options)->exactly_once;
}

static pen_status sink_shown(void *ctx, const char *prefix,
                             pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                             struct pen_error *err)
{
    struct sink *s = ctx;
    size_t n = strlen(prefix);
    pen_status st = txns_settle(&s->txns, err);
    for (size_t i = 0; i < s->txns.shown.n && st >= 0; i++)
        if (s->txns.shown.v[i].at.n && strncmp(s->txns.shown.v[i].key, prefix, n) == 0)
            st = each(arg, s->txns.shown.v[i].key, &s->txns.shown.v[i].at, err);
    return st < 0 ? st : PEN_OK;
}

/* -- a lane's writer ---------------------------------------------------------------------------------------------------------------- */

static pen_status writer_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    (void)lane;
    if (!w)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->s = ctx;
    w->keep_slots = pen_stored_wanted(w->s->host);
    if (w->s->o.exactly_once)
        w->txn = txns_begin(&w->s->txns, 0);
    sender_init(&w->sender, w->txn ? &w->txn->producer : &w->s->producer);
    *out = w;
    return PEN_OK;
}

static void writer_begin(void *writer, uint64_t number)
{
    struct writer *w = writer;
    if (!w->s->o.exactly_once)
        return;
    w->txn = txns_begin(&w->s->txns, number);
    w->sender.p = &w->txn->producer;
    w->sender.doomed = false;
}

static void free_slots(struct slots **list)
{
    while (*list) {
        struct slots *s = *list;
        *list = s->next;
        free(s);
    }
}

static struct slot *next_slot(struct writer *w)
{
    struct slot *slot;
    if (!w->last || w->last->n == SLOTS) {
        struct slots *s = malloc(sizeof *s);
        if (!s)
            return NULL;
        s->next = NULL;
        s->n = 0;
        if (w->last)
            w->last->next = s;
        else
            w->first = s;
        w->last = s;
    }
    slot = &w->last->v[w->last->n++];
    *slot = (struct slot){ .s = &w->sender, .topic = w->topic, .partition = -1, .offset = -1 };
    return slot;
}

struct columns {
    struct pen_column key, value, timestamp, partition, headers, name, header_value;
};

static void find_columns(const struct ArrowArray *batch, struct columns *c)
{
    const struct ArrowArray *pair = batch->children[COL_HEADERS]->children[0];
    c->key = pen_column_at(batch, COL_KEY);
    c->value = pen_column_at(batch, COL_VALUE);
    c->timestamp = pen_column_at(batch, COL_TIMESTAMP);
    c->partition = pen_column_at(batch, COL_PARTITION);
    c->headers = pen_column_at(batch, COL_HEADERS);
    c->name = pen_column_at(pair, 0);
    c->header_value = pen_column_at(pair, 1);
    c->name.offset += pair->offset;
    c->header_value.offset += pair->offset;
}

static const void *bytes_or_null(const struct pen_column *c, int64_t row, size_t *size)
{
    *size = 0;
    return pen_column_is_null(c, row) ? NULL : pen_column_bytes(c, row, size);
}

/* NULL: the row has none. */
static rd_kafka_headers_t *make_headers(const struct columns *c, int64_t row)
{
    const int32_t *o = c->headers.offsets + c->headers.offset + row;
    rd_kafka_headers_t *headers;
    if (pen_column_is_null(&c->headers, row) || o[0] == o[1])
        return NULL;
    headers = rd_kafka_headers_new((size_t)(o[1] - o[0]));
    for (int64_t i = o[0]; i < o[1]; i++) {
        size_t name_size, size;
        const char *name = bytes_or_null(&c->name, i, &name_size);
        const void *value = bytes_or_null(&c->header_value, i, &size);
        rd_kafka_header_add(headers, name ? name : "", (ssize_t)name_size, value, (ssize_t)size);
    }
    return headers;
}

/* keep_partition: the number at the end of the name of the partition that it was read from. */
static int32_t partition_of(const struct writer *w, const struct columns *c, int64_t row)
{
    size_t n;
    const char *name = bytes_or_null(&c->partition, row, &n);
    int64_t number = 0, unit = 1;
    if (!w->s->o.keep_partition || !name)
        return RD_KAFKA_PARTITION_UA;
    for (; n > 0 && name[n - 1] >= '0' && name[n - 1] <= '9' && unit <= 100000000; n--, unit *= 10)
        number += (name[n - 1] - '0') * unit;
    return unit > 1 ? (int32_t)number : RD_KAFKA_PARTITION_UA;
}

static pen_status send_row(struct writer *w, rd_kafka_topic_t *topic, const struct columns *c, int64_t row, struct pen_error *err)
{
    struct record r = { .partition = partition_of(w, c, row) };
    struct slot *slot = w->keep_slots ? next_slot(w) : NULL;
    if (w->keep_slots && !slot)
        return pen_fail(err, PEN_FATAL, "out of memory");
    r.key = bytes_or_null(&c->key, row, &r.key_size);
    r.value = bytes_or_null(&c->value, row, &r.value_size);
    if (!pen_column_is_null(&c->timestamp, row))
        r.timestamp = pen_column_int64(&c->timestamp, row) / 1000;
    r.headers = make_headers(c, row);
    w->rows++;
    w->bytes += (int64_t)(r.key_size + r.value_size);
    return sender_send(&w->sender, topic, &r, slot, err);
}

/* Before rows are sent; PEN_SKIP: they will be dropped with their transaction. */
static pen_status enter(struct writer *w, struct pen_error *err)
{
    if (!w->txn)
        return PEN_OK;
    if (w->sender.doomed)
        txn_doom(&w->s->txns, w->txn);
    return txn_enter(&w->s->txns, w->txn, err);
}

static pen_status writer_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    struct writer *w = writer;
    struct columns c;
    char name[TOPIC_SIZE];
    rd_kafka_topic_t *topic = NULL;
    pen_status st = pen_failpoint("kafka.write", err);
    if (st < 0 || batch->length == 0)
        return st;
    st = target_name(w->s->o.topic, rows->output[0] ? rows->output : rows->stage, name, err);
    if (st == PEN_OK)
        st = ensure(w->s, name, &w->topic, err);
    if (st == PEN_OK)
        st = enter(w, err);
    if (st == PEN_OK)
        st = producer_topic(w->sender.p, w->topic, &topic, err);
    find_columns(batch, &c);
    for (int64_t i = 0; i < batch->length && st == PEN_OK; i++)
        st = send_row(w, topic, &c, i, err);
    return st == PEN_SKIP ? PEN_OK : st;
}

static size_t writer_held(void *writer)
{
    struct writer *w = writer;
    return (size_t)atomic_load(&w->sender.bytes);
}
static int64_t writer_written(void *writer)
{
    return ((struct writer *)writer)->bytes;
}

/* -- stage and publish ----------------------------------------------------------------------------------------------------------------- */

/* Notes where the rows lie, for stored(). */
static pen_status put_slots(struct writer *w, struct pen_staged *staged, struct pen_error *err)
{
    int64_t n = 0, i = 0;
    struct lies *v;
    for (const struct slots *s = w->first; s; s = s->next)
        n += s->n;
    v = calloc((size_t)n + 1, sizeof *v);
    if (!v)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (const struct slots *s = w->first; s; s = s->next)
        for (int64_t k = 0; k < s->n; k++, i++) {
            const struct slot *slot = &s->v[k];
            v[i] = (struct lies){ slot->topic, slot->partition, slot->offset };
        }
    staged->bytes = (char *)v;
    staged->n = (size_t)n * sizeof *v + 1;
    free_slots(&w->first);
    w->last = NULL;
    return PEN_OK;
}

static pen_status writer_stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct writer *w = writer;
    pen_status st = pen_failpoint("kafka.stage", err);
    if (st == PEN_OK)
        st = sender_wait(&w->sender, err);
    if (st < 0)
        return st;
    if (w->txn && w->sender.doomed)
        txn_doom(&w->s->txns, w->txn); /* publish() will refuse it */
    else
        free_slots(&w->old);
    if (put_slots(w, staged, err) < 0)
        return PEN_FATAL;
    staged->rows = w->rows;
    staged->file_bytes = w->bytes;
    w->rows = w->bytes = 0;
    return pen_failpoint("kafka.staged", err);
}

/* What was sent outside of a transaction stays sent: at least once. */
static void writer_abandon(void *writer)
{
    struct writer *w = writer;
    if (w->txn)
        txn_doom(&w->s->txns, w->txn);
    w->rows = w->bytes = 0;
    if (w->last) { /* reports may still come */
        w->last->next = w->old;
        w->old = w->first;
        w->first = w->last = NULL;
    }
}

static void writer_close(void *writer)
{
    struct writer *w = writer;
    if (!w)
        return;
    if (w->sender.p->client.rk)
        sender_end(&w->sender);
    free_slots(&w->first);
    free_slots(&w->old);
    free(w);
}

static pen_status sink_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct sink *s = ctx;
    if (s->o.exactly_once)
        return txns_publish(&s->txns, plan, outcome, err);
    *outcome = PEN_PUBLISH_DONE; /* staged is stored, and stored is seen */
    return pen_failpoint("kafka.published", err);
}

static pen_status sink_stored(void *ctx, const struct pen_plan *plan, size_t staged, int64_t first, int64_t n, struct pen_stored *out,
                              struct pen_error *err)
{
    const struct pen_staged *s = &plan->staged[staged];
    (void)ctx, (void)err;
    if (first < 0 || n < 0 || (uint64_t)(first + n) > s->n / sizeof(struct lies))
        return PEN_SKIP;
    for (int64_t i = 0; i < n; i++) {
        struct lies l;
        memcpy(&l, s->bytes + (size_t)(first + i) * sizeof l, sizeof l);
        if (l.offset < 0)
            return PEN_SKIP;
        snprintf(out[i].partition, sizeof out[i].partition, "%.80s-%d", l.topic, (int)l.partition);
        out[i].at = pen_position_of((uint64_t)l.offset);
    }
    return PEN_OK;
}

static pen_status sink_connect(void *ctx, struct pen_error *err)
{
    struct sink *s = ctx;
    return topic_connect(s->host, &s->o, target_is_fixed(s->o.topic) ? s->o.topic : NULL, err);
}

const struct pen_sink kafka_sink = {
    .ctx_size = sizeof(struct sink),
    .options = kafka_options,
    .start = sink_start,
    .stop = sink_stop,
    .want = sink_want,
    .prepare = sink_prepare,
    .open = sink_open,
    .shows = sink_shows,
    .shown = sink_shown,
    .connect = sink_connect,
    .guarantee = "exactly_once = yes: exactly once, a transaction for each commit; else at least once: what a kill left uncommitted is written again",
    .writer_open = writer_open,
    .writer_close = writer_close,
    .begin = writer_begin,
    .write = writer_write,
    .held = writer_held,
    .written = writer_written,
    .stage = writer_stage,
    .abandon = writer_abandon,
    .publish = sink_publish,
    .stored = sink_stored,
};
