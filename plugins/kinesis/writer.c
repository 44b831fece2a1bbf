/* writer.c - the writing end. A lane hands over rows, threads of its own send them (sender.c); stage() is done when each has been acknowledged.
 *
 * The service has nothing that makes records and positions visible together, so there is no shown(): positions are kept in `state`, and what was
 * sent but not committed before a kill is sent again. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "writer.h"

#define STAGE_WAIT 1000000 /* microseconds that stage() waits for answers before it lets the lane look around */
#define WRITE_WAIT 100000 /* and write() for room, before it looks whether the run is to stop */

enum { COL_KEY, COL_VALUE }; /* of a batch of messages */

/* -- the instance ------------------------------------------------------------------------------------------------------------------------ */

static pen_status sink_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct sink *s = ctx;
    s->host = host;
    s->key = -1;
    s->record_size = 1 << 20;
    return kinesis_check_options(&s->o, NULL, NULL, err);
}

static void sink_stop(void *ctx)
{
    struct sink *s = ctx;
    kin_client_close(&s->client);
    pen_schema_release(&s->in);
}

static pen_status sink_want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err)
{
    struct sink *s = ctx;
    if (s->o.key && in && !pen_schema_is_raw(in))
        return PEN_OK; /* the columns, as the key is one of them */
    return pen_schema_raw(want, err);
}

static pen_status sink_prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    struct sink *s = ctx;
    char type[64];
    pen_schema_release(&s->in);
    s->key = -1;
    if (pen_schema_is_raw(in))
        return s->o.key ? pen_fail(err, PEN_BADCONF, "key = %s: messages come with their own keys; it is for columns", s->o.key) : PEN_OK;
    s->key = s->o.key ? pen_schema_find(in, s->o.key) : -1;
    if (s->key < 0)
        return pen_fail(err, PEN_BADCONF, "key = %s: there is no such column", s->o.key ? s->o.key : "");
    switch (pen_schema_type(in->children[s->key])) {
    case PEN_TYPE_UTF8:
    case PEN_TYPE_INT32:
    case PEN_TYPE_INT64:
        return pen_schema_copy(&s->in, in, err);
    default:
        return pen_fail(err, PEN_BADCONF, "key = %s: it is %s, expected utf8, int32 or int64", s->o.key,
                        pen_schema_type_name(in->children[s->key], type, sizeof type));
    }
}

static pen_status look(struct sink *s, struct pen_error *err)
{
    struct kin_summary summary;
    pen_status st;
    if (kinesis_stream_is_open(&s->o))
        return PEN_OK; /* which streams these are comes with the rows */
    st = kin_describe(&s->client, s->o.stream, &summary, err);
    if (st < 0)
        return st;
    if (strcmp(summary.status, "ACTIVE") != 0 && strcmp(summary.status, "UPDATING") != 0)
        return pen_fail(err, PEN_FATAL, "stream %s is %s: it takes no records", s->o.stream, summary.status);
    s->record_size = summary.record_size;
    return PEN_OK;
}

static pen_status sink_open(void *ctx, struct pen_error *err)
{
    struct sink *s = ctx;
    pen_status st = kin_client_open(&s->client, s->host, &s->o, err);
    return st < 0 ? st : look(s, err);
}

static pen_status sink_connect(void *ctx, struct pen_error *err)
{
    struct sink *s = ctx;
    pen_status st = s->client.aws ? PEN_OK : kin_client_open(&s->client, s->host, &s->o, err);
    return st < 0 ? st : look(s, err);
}

/* -- a lane's writer ------------------------------------------------------------------------------------------------------------------------ */

static void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

static pen_status writer_open(void *ctx, unsigned lane, void **out, struct pen_error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    if (w)
        w->work = work_new();
    if (!w || !w->work) {
        free(w);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    w->s = ctx;
    w->places = pen_stored_wanted(w->s->host);
    w->random = ((uint64_t)pen_now(w->s->host) << 8 | lane) | 1;
    pthread_mutex_init(&w->lock, NULL);
    cond_init(&w->more);
    cond_init(&w->done);
    *out = w;
    return PEN_OK;
}

static void writer_abandon(void *writer)
{
    struct writer *w = writer;
    struct work *fresh = work_new(), *old;
    pthread_mutex_lock(&w->lock);
    old = w->work;
    if (fresh && old->flying) {
        old->abandoned = true;
        w->abandoned += old->flying;
        w->work = fresh;
        fresh = old = NULL;
    } else if (fresh) {
        w->work = fresh;
        fresh = NULL;
    } else {
        pen_fail(&w->failure, PEN_FATAL, "out of memory");
        old = NULL;
    }
    w->rows = w->bytes = 0;
    pthread_mutex_unlock(&w->lock);
    work_free(&old);
}

static void writer_close(void *writer)
{
    struct writer *w = writer;
    if (!w)
        return;
    sender_stop(w);
    work_free(&w->work);
    pthread_cond_destroy(&w->more);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* -- rows to records ----------------------------------------------------------------------------------------------------------------------- */

static pen_status find_target(struct writer *w, const struct pen_rows *rows, uint32_t *tag, struct pen_error *err)
{
    struct target t;
    char name[STREAM_NAME + 1];
    if (kinesis_stream_name(&w->s->o, rows->stage, rows->output, name, sizeof name, err) < 0)
        return PEN_BADCONF;
    memcpy(t.name, name, sizeof t.name);
    snprintf(t.what, sizeof t.what, "stream %s", t.name);
    for (*tag = 0; *tag < w->n_targets; ++*tag)
        if (strcmp(w->targets[*tag].name, t.name) == 0)
            return PEN_OK;
    if (*tag == TARGETS)
        return pen_fail(err, PEN_BADCONF, "stream = %s: it stands for more than %d streams", w->s->o.stream, TARGETS);
    pthread_mutex_lock(&w->lock);
    w->targets[w->n_targets++] = t;
    pthread_mutex_unlock(&w->lock);
    return PEN_OK;
}

/* How many characters of UTF-8 these bytes are; SIZE_MAX where they are none, or have a NUL. */
static size_t characters(const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0, step; i < n; i += step, count++)
        if (!text[i] || !(step = pen_utf8_length(text + i, n - i)))
            return SIZE_MAX;
    return count;
}

static pen_status check_record(const struct writer *w, const struct batcher_record *r, const struct pen_rows *rows, struct pen_error *err)
{
    const char *stream = w->targets[r->tag].name, *from = rows->partition ? rows->partition : rows->stage;
    size_t n = r->key ? characters(r->key, r->key_n) : 1;
    if ((int64_t)r->key_n + r->value_n > w->s->record_size)
        return pen_fail(err, PEN_BADDATA, "stream %s: a record of %zu bytes (with its key) from %s is larger than the %" PRId64
                        " that Kinesis takes; max_record in [pipeline] makes dead letters of such", stream, (size_t)r->key_n + r->value_n, from,
                        w->s->record_size);
    if (n == SIZE_MAX || n > KIN_KEY_CHARACTERS)
        return pen_fail(err, PEN_BADDATA, "stream %s: the key of a record from %s is %s; Kinesis takes 1 to %d characters of text", stream, from,
                        n == SIZE_MAX ? "no text in UTF-8" : "too long", KIN_KEY_CHARACTERS);
    return PEN_OK;
}

/* Row i of messages. A key of no characters is none. */
static void message_at(const struct ArrowArray *batch, int64_t i, struct batcher_record *r)
{
    struct pen_column key = pen_column_at(batch, COL_KEY), value = pen_column_at(batch, COL_VALUE);
    size_t n = 0;
    r->key = pen_column_is_null(&key, i) ? NULL : pen_column_bytes(&key, i, &n);
    r->key = n ? r->key : NULL;
    r->key_n = (uint32_t)n;
    n = 0;
    r->value = pen_column_is_null(&value, i) ? "" : pen_column_bytes(&value, i, &n);
    r->value_n = (uint32_t)n;
}

static void put_key(struct pen_text *t, const struct ArrowSchema *field, const struct pen_column *c, int64_t row)
{
    size_t n;
    const char *bytes;
    if (pen_column_is_null(c, row))
        return;
    if (pen_schema_type(field) == PEN_TYPE_UTF8) {
        bytes = pen_column_bytes(c, row, &n);
        pen_text_append(t, bytes, n);
    } else {
        pen_text_format(t, "%" PRId64, pen_schema_type(field) == PEN_TYPE_INT32 ? pen_column_int32(c, row) : pen_column_int64(c, row));
    }
}

/* Each row as its key and its JSON, one behind the other; ends[2i], ends[2i+1] say where they end. */
static pen_status encode(const struct writer *w, const struct ArrowArray *batch, struct pen_text *t, size_t *ends, struct pen_error *err)
{
    const struct ArrowSchema *in = &w->s->in;
    struct pen_column key = pen_column_at(batch, w->s->key);
    for (int64_t i = 0; i < batch->length; i++) {
        put_key(t, in->children[w->s->key], &key, i);
        ends[2 * i] = t->n;
        if (pen_json_encode_row(t, in, batch, i, err) < 0)
            return PEN_FATAL;
        ends[2 * i + 1] = t->n;
    }
    return t->n > UINT32_MAX || pen_text_failed(t) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

static void encoded_at(const struct pen_text *t, const size_t *ends, int64_t i, struct batcher_record *r)
{
    size_t from = i ? ends[2 * i - 1] : 0;
    r->key = ends[2 * i] > from ? t->bytes + from : NULL;
    r->key_n = (uint32_t)(ends[2 * i] - from);
    r->value = t->bytes + ends[2 * i];
    r->value_n = (uint32_t)(ends[2 * i + 1] - ends[2 * i]);
}

/* lock held. */
static bool make_room(struct writer *w, size_t rows)
{
    struct work *k = w->work;
    if (k->n_held == k->room_held) {
        size_t room = k->room_held ? k->room_held * 2 : 16;
        struct held *p = realloc(k->held, room * sizeof *p);
        if (!p)
            return false;
        k->held = p;
        k->room_held = room;
    }
    if (w->places && k->n_places + rows > k->room_places) {
        size_t room = k->room_places + rows + 1024;
        struct place *p = realloc(k->places, room * sizeof *p);
        if (!p)
            return false;
        k->places = p;
        k->room_places = room;
    }
    return true;
}

/* Everything that was written has been stored: its memory is free. lock held. */
static void forget_done(struct work *k)
{
    if (k->batcher.left || !k->batcher.n)
        return;
    batcher_clear(&k->batcher);
    k->n_held = 0;
    k->first = k->n_places;
}

/* Hands the rows of `h` over; h is taken. lock held. */
static pen_status queue_rows(struct writer *w, struct held *h, const size_t *ends, int64_t n, uint32_t tag, const struct pen_rows *rows,
                             struct pen_error *err)
{
    struct work *k = w->work;
    struct batcher_record r = { .tag = tag };
    pen_status st = PEN_OK;
    forget_done(k);
    if (!make_room(w, (size_t)n))
        return pen_fail(err, PEN_FATAL, "out of memory");
    r.owner = (uint32_t)k->n_held;
    for (int64_t i = 0; i < n && st >= 0; i++) {
        if (ends)
            encoded_at(&h->text, ends, i, &r);
        else
            message_at(&h->array, i, &r);
        st = check_record(w, &r, rows, err);
        if (st >= 0 && !batcher_add(&k->batcher, &r, w->s->o.order == ORDER_KEY))
            st = pen_fail(err, PEN_FATAL, "out of memory");
        h->bytes += st >= 0 ? (size_t)r.key_n + r.value_n : 0;
        h->left += st >= 0;
    }
    k->n_places += w->places ? (size_t)n : 0;
    k->bytes += h->bytes;
    k->held[k->n_held++] = *h; /* also after a failure: records point to it */
    memset(h, 0, sizeof *h);
    w->rows += n;
    pthread_cond_broadcast(&w->more);
    return st;
}

static size_t held_now(const struct work *k)
{
    return k->bytes + k->batcher.n * sizeof(struct batcher_record);
}

/* Back-pressure: waits while more is held than `buffer`. lock held. */
static pen_status wait_for_room(struct writer *w, struct pen_error *err)
{
    while (held_now(w->work) > (size_t)w->s->o.buffer && w->work->batcher.left && w->failure.code == PEN_OK && !pen_stopping(w->s->host))
        sender_wait(w, WRITE_WAIT);
    return w->failure.code < 0 ? pen_fail(err, w->failure.code, "%s", w->failure.msg) : PEN_OK;
}

static pen_status writer_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    struct writer *w = writer;
    struct held h = { .bytes = 0 };
    size_t *ends = NULL;
    uint32_t tag;
    pen_status st;
    if (batch->length == 0)
        return PEN_OK;
    st = find_target(w, rows, &tag, err);
    if (st >= 0)
        st = sender_start(w, err);
    if (st >= 0 && w->s->in.release) {
        ends = calloc((size_t)batch->length, 2 * sizeof *ends);
        st = ends ? encode(w, batch, &h.text, ends, err) : pen_fail(err, PEN_FATAL, "out of memory");
    } else if (st >= 0) {
        st = pen_array_share(&h.array, batch, err);
    }
    if (st >= 0)
        st = pen_failpoint("kinesis.write", err);
    pthread_mutex_lock(&w->lock);
    if (st >= 0)
        st = queue_rows(w, &h, ends, batch->length, tag, rows, err);
    if (st >= 0)
        st = wait_for_room(w, err);
    pthread_mutex_unlock(&w->lock);
    pen_array_release(&h.array);
    pen_text_fini(&h.text);
    free(ends);
    return st;
}

static size_t writer_held(void *writer)
{
    struct writer *w = writer;
    size_t n;
    pthread_mutex_lock(&w->lock);
    n = held_now(w->work) + w->work->n_places * sizeof(struct place);
    pthread_mutex_unlock(&w->lock);
    return n;
}

static int64_t writer_written(void *writer)
{
    struct writer *w = writer;
    int64_t n;
    pthread_mutex_lock(&w->lock);
    n = w->bytes;
    pthread_mutex_unlock(&w->lock);
    return n;
}

/* -- stage and publish ------------------------------------------------------------------------------------------------------------------- */

/* Everything has been acknowledged. lock held. */
static pen_status hand_over(struct writer *w, struct pen_staged *staged, struct pen_error *err)
{
    struct work *k = w->work;
    size_t n = k->n_places * sizeof *k->places;
    staged->bytes = malloc(n + 1); /* something in any case, so that the rows are counted */
    if (!staged->bytes)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (n)
        memcpy(staged->bytes, k->places, n);
    staged->n = n ? n : 1;
    staged->rows = w->rows;
    staged->file_bytes = w->bytes;
    forget_done(k);
    k->first = k->n_places = 0;
    w->rows = w->bytes = 0;
    return PEN_OK;
}

static pen_status writer_stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct writer *w = writer;
    int64_t until = pen_now(w->s->host) + STAGE_WAIT, now;
    pen_status st = PEN_OK;
    staged->bytes = NULL;
    pthread_mutex_lock(&w->lock);
    while (w->work->batcher.left && w->failure.code == PEN_OK && (now = pen_now(w->s->host)) < until)
        sender_wait(w, until - now);
    if (w->failure.code < 0)
        st = pen_fail(err, w->failure.code, "%s", w->failure.msg);
    else if (w->work->batcher.left && w->trouble.code < 0)
        st = pen_fail(err, PEN_RETRY, "%s", w->trouble.msg);
    else if (w->work->batcher.left)
        st = pen_fail(err, PEN_RETRY, "stream %s: %zu records are on their way", w->n_targets == 1 ? w->targets[0].name : w->s->o.stream,
                     w->work->batcher.left);
    else if (w->rows)
        st = hand_over(w, staged, err);
    pthread_mutex_unlock(&w->lock);
    return st < 0 ? st : pen_failpoint("kinesis.staged", err);
}

/* What was staged is in the stream already. */
static pen_status sink_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    (void)ctx, (void)plan, (void)err;
    *outcome = PEN_PUBLISH_DONE;
    return PEN_OK;
}

static pen_status sink_stored(void *ctx, const struct pen_plan *plan, size_t staged, int64_t first, int64_t n, struct pen_stored *out,
                              struct pen_error *err)
{
    const struct pen_staged *s = &plan->staged[staged];
    (void)ctx, (void)err;
    for (int64_t i = 0; i < n; i++) {
        struct place p;
        size_t at = (size_t)(first + i) * sizeof p;
        if (first < 0 || at + sizeof p > s->n)
            return PEN_SKIP;
        memcpy(&p, s->bytes + at, sizeof p);
        if (p.shard == UINT64_MAX)
            return PEN_SKIP;
        snprintf(out[i].partition, sizeof out[i].partition, "shardId-%012" PRIu64, p.shard);
        out[i].at = (struct pen_position){ 3, { p.seq.w[0], p.seq.w[1], p.seq.w[2], 0 } };
    }
    return PEN_OK;
}

const struct pen_sink kinesis_sink = {
    .ctx_size = sizeof(struct sink),
    .options = kinesis_options,
    .start = sink_start,
    .stop = sink_stop,
    .want = sink_want,
    .prepare = sink_prepare,
    .connect = sink_connect,
    .open = sink_open,
    .guarantee = "at least once: records whose answer was lost, and those of a commit that was cut short, may be in the stream twice",
    .writer_open = writer_open,
    .writer_close = writer_close,
    .write = writer_write,
    .held = writer_held,
    .written = writer_written,
    .stage = writer_stage,
    .abandon = writer_abandon,
    .publish = sink_publish,
    .stored = sink_stored,
};
