/* stub_source.c - topics of the model, and the transform that refuses some records. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/host.h"
#include "world.h"

struct stub_reader {
    struct stub *s;
    bool has[MAX_PARTS];
    int64_t record[MAX_PARTS];          /* the next to read */
    struct pen_position at[MAX_PARTS], bound[MAX_PARTS];
};

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    static const char *const columns[] = { "!l", "part", "!l", "record", NULL };
    struct stub *s = ctx;
    s->host = host;
    s->output.name = "";
    return pen_schema_from_pairs(&s->output.schema, columns, err);
}
static void stop(void *ctx)
{
    pen_schema_release(&((struct stub *)ctx)->output.schema);
}
static pen_status outputs(void *ctx, struct pen_output **out, size_t *n, struct pen_error *err)
{
    (void)err;
    *out = &((struct stub *)ctx)->output;
    *n = 1;
    return PEN_OK;
}

static bool mine(const struct stub *s, unsigned part)
{
    return s->w->parts[part].topic == s->index && !s->w->parts[part].hidden;
}

static pen_status next_event(void *ctx, struct pen_partition_event *ev, struct pen_error *err)
{
    struct stub *s = ctx;
    struct world *w = s->w;
    if (w_chance(w, w->faults.retry_event))
        return pen_fail(err, PEN_RETRY, "the topic is out of reach");
    for (unsigned i = 0; i < w->n_parts; i++) {
        bool *held = &w->holds[s->proc][i];
        bool elsewhere = w->cooperative && w->holds[1 - s->proc][i];
        if (!mine(s, i))
            continue;
        *ev = (struct pen_partition_event){ .id = i, .name = w->parts[i].name, .incarnation = w->parts[i].incarnation };
        if ((w->parts[i].owner == s->proc || w->shared_files) && !*held && !elsewhere) {
            *held = true;
            ev->kind = PEN_PARTITION_ASSIGNED;
            return PEN_OK;
        }
        if (w->parts[i].owner != s->proc && !w->shared_files && *held && !(s->said_leave & 1u << i)) {
            s->said_leave |= 1u << i;
            ev->kind = w->cooperative || w_chance(w, 500) ? PEN_PARTITION_REVOKING : PEN_PARTITION_LOST;
            return PEN_OK;
        }
    }
    if (w->until_end && !s->said_no_more) {
        s->said_no_more = true;
        *ev = (struct pen_partition_event){ .kind = PEN_PARTITION_NO_MORE };
        return PEN_OK;
    }
    return PEN_SKIP;
}

static pen_status start_partition(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct stub *s = ctx;
    (void)id, (void)pos;
    return w_chance(s->w, s->w->faults.retry_event) ? pen_fail(err, PEN_RETRY, "the topic is out of reach") : PEN_OK;
}

static pen_status release_partition(void *ctx, uint32_t id, struct pen_error *err)
{
    struct stub *s = ctx;
    (void)err;
    if (s->w->parts[id].owner != s->proc)
        s->w->holds[s->proc][id] = false;
    s->said_leave &= ~(1u << id);
    return PEN_OK;
}

/* `start = latest` holds for partitions that are there in the first run; later ones begin at their beginning. */
static pen_status beginning(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err)
{
    const struct stub *s = ctx;
    (void)err;
    *pos = pen_position_of((uint64_t)w_offset(s->w, (int)id, first_run ? s->w->parts[id].n : s->w->parts[id].first));
    return PEN_OK;
}

/* Whether some sink shows this partition at pos or beyond: what is settled may be forgotten, so it must have been. */
static bool is_shown(const struct stub *s, uint32_t id, const struct pen_position *pos)
{
    char last[64];
    snprintf(last, sizeof last, "/topic%u/%s@%s", s->index, s->w->parts[id].name, s->w->parts[id].incarnation);
    for (unsigned t = 0; t < MAX_TABLES; t++)
        for (size_t e = 0; e < s->w->tables[t].n; e++)
            for (size_t i = 0; i < s->w->tables[t].entries[e].n_moves; i++) {
                const char *key = s->w->tables[t].entries[e].moves[i].key;
                size_t n = strlen(key), m = strlen(last);
                if (n >= m && strcmp(key + n - m, last) == 0 && pen_position_compare(&s->w->tables[t].entries[e].moves[i].to, pos) >= 0)
                    return true;
            }
    return false;
}

static pen_status settle(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct stub *s = ctx;
    if (!s->w->chain && strncmp(s->host->stage, "topic", 5) == 0 && !is_shown(s, id, pos))
        return pen_fail(err, PEN_FATAL, "partition %u was settled at %llu, which no sink shows", id, (unsigned long long)pos->w[0]);
    if (w_chance(s->w, s->w->faults.settle_crash)) {
        s->w->crash = s->proc;
        return pen_fail(err, PEN_FATAL, "killed");
    }
    return w_chance(s->w, s->w->faults.retry_event) ? pen_fail(err, PEN_RETRY, "the topic is out of reach") : PEN_OK;
}

static pen_status recall(void *ctx, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err)
{
    const struct stub *s = ctx;
    for (unsigned i = 0; i < s->w->n_parts; i++)
        if (strcmp(s->w->parts[i].name, name) == 0 && strcmp(s->w->parts[i].incarnation, incarnation) == 0)
            return pos->n == 1 ? PEN_OK : pen_fail(err, PEN_FATAL, "a position of %u words", pos->n);
    return pen_fail(err, PEN_FATAL, "recalled what was never told: %s", name);
}

/* -- readers ------------------------------------------------------------------------------------------------------------------------ */

static pen_status reader_open(void *ctx, unsigned lane, void **reader, struct pen_error *err)
{
    struct stub_reader *r = calloc(1, sizeof *r);
    (void)lane;
    *reader = r;
    if (!r)
        return pen_fail(err, PEN_FATAL, "out of memory");
    r->s = ctx;
    return PEN_OK;
}
static pen_status reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    struct stub_reader *r = reader;
    int64_t record = 0;
    if (pos->n != 1)
        return pen_fail(err, PEN_FATAL, "a start at %u words", pos->n);
    while (w_offset(r->s->w, (int)id, record) < (int64_t)pos->w[0])
        record++;
    if (record < r->s->w->parts[id].first)
        return pen_fail(err, PEN_FATAL, "position %llu is not held any more", (unsigned long long)pos->w[0]);
    r->has[id] = true;
    r->record[id] = record;
    r->at[id] = *pos;
    r->bound[id].n = 0;
    return PEN_OK;
}
static pen_status reader_remove(void *reader, uint32_t id, struct pen_error *err)
{
    (void)err;
    ((struct stub_reader *)reader)->has[id] = false;
    return PEN_OK;
}
static pen_status reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    (void)err;
    ((struct stub_reader *)reader)->bound[id] = *pos;
    return PEN_OK;
}

/* How many records from here on lie before the bound, at most want. */
static int64_t within_bound(const struct stub_reader *r, unsigned id, int64_t want)
{
    const struct world *w = r->s->w;
    int64_t n = 0;
    while (n < want && r->record[id] + n < w->parts[id].n &&
           (!r->bound[id].n || w_offset(w, (int)id, r->record[id] + n) < (int64_t)r->bound[id].w[0]))
        n++;
    return n;
}

static pen_status make_batch(struct stub_reader *r, unsigned id, int64_t n, struct ArrowArray *out, struct pen_error *err)
{
    struct pen_builder *b;
    pen_status st = pen_builder_new(&b, &r->s->output.schema, err);
    for (int64_t i = 0; st >= 0 && i < n; i++) {
        pen_builder_int64(pen_builder_child(b, 0), id);
        pen_builder_int64(pen_builder_child(b, 1), r->record[id] + i);
        pen_builder_end_struct(b);
    }
    if (st >= 0)
        st = pen_builder_finish(b, out, err);
    pen_builder_free(&b);
    return st;
}

/* A typed batch's rows lie at consecutive positions, so a batch stops before a gap; the gap itself is passed by the next one's `from` … `to`. */
static int64_t without_gap(const struct world *w, unsigned id, int64_t record, int64_t n)
{
    int64_t k = 1;
    while (k < n && w_offset(w, (int)id, record + k) == w_offset(w, (int)id, record) + k)
        k++;
    return n ? k : 0;
}

static pen_status read_some(void *reader, struct pen_read *out, struct pen_error *err)
{
    struct stub_reader *r = reader;
    struct world *w = r->s->w;
    unsigned start_at = w_random(w, w->n_parts);
    if (w_chance(w, w->faults.retry_read))
        return pen_fail(err, PEN_RETRY, "the topic is out of reach");
    for (unsigned k = 0; k < w->n_parts; k++) {
        unsigned id = (start_at + k) % w->n_parts;
        int64_t n;
        pen_status st;
        if (!r->has[id])
            continue;
        if (r->record[id] + 3 < w->parts[id].n && w_chance(w, w->faults.jump)) { /* a client library that lost its place */
            r->record[id] += 1 + w_random(w, 2);
            r->at[id] = pen_position_of((uint64_t)w_offset(w, (int)id, r->record[id]));
        }
        n = without_gap(w, id, r->record[id], within_bound(r, id, 1 + w_random(w, 5)));
        out->partition = id;
        out->from = r->at[id];
        if (!n && r->bound[id].n && pen_position_compare(&r->at[id], &r->bound[id]) < 0 && r->record[id] < w->parts[id].n) {
            r->at[id] = out->to = r->bound[id]; /* only a gap lies before the bound */
            return PEN_OK;
        }
        if (!n && !(w->until_end && r->record[id] == w->parts[id].n))
            continue;
        if (n && (int64_t)out->from.w[0] < w_offset(w, (int)id, r->record[id])) { /* a gap comes first: nothing in it */
            n = 0;
            out->to = pen_position_of((uint64_t)w_offset(w, (int)id, r->record[id]));
        } else {
            out->to = n ? pen_position_of((uint64_t)w_offset(w, (int)id, r->record[id] + n - 1) + 1) : out->from;
        }
        out->end = w->until_end && r->record[id] + n == w->parts[id].n && (n || pen_position_compare(&out->from, &out->to) == 0);
        st = n ? make_batch(r, id, n, &out->batches[0], err) : PEN_OK;
        r->record[id] += n;
        r->at[id] = out->to;
        w->reads++;
        return st;
    }
    return PEN_SKIP;
}

#define TOPIC_FUNCTIONS                                                                                                                        \
    .ctx_size = sizeof(struct stub), .start = start, .stop = stop, .outputs = outputs, .next_event = next_event, .start_partition = start_partition,                              \
    .release_partition = release_partition, .settle = settle, .reader_open = reader_open, .reader_close = free, .reader_add = reader_add,      \
    .reader_remove = reader_remove, .reader_bound = reader_bound, .read = read_some

static const struct pen_source topic_source = { TOPIC_FUNCTIONS };
static const struct pen_source chain_source = { TOPIC_FUNCTIONS, .chain = true, .recall = recall };
static const struct pen_source latest_source = { TOPIC_FUNCTIONS, .beginning = beginning };
const struct pen_plugin w_topic_plugin = { .abi = PEN_ABI, .name = "topic", .source = &topic_source };
const struct pen_plugin w_chain_plugin = { .abi = PEN_ABI, .name = "files", .source = &chain_source };
const struct pen_plugin w_latest_plugin = { .abi = PEN_ABI, .name = "latest", .source = &latest_source };

/* -- posts: records that cannot be read again ------------------------------------------------------------------------------------------- */

static pen_status read_posts(void *reader, struct pen_read *out, struct pen_error *err)
{
    struct stub_reader *r = reader;
    struct posts *posts = &r->s->w->posts;
    pen_status st;
    if (posts->read == posts->sent)
        return PEN_SKIP;
    r->record[0] = posts->read++;
    st = make_batch(r, 0, 1, &out->batches[0], err);
    out->urgent = true;
    out->token = posts;
    return st;
}
static void posts_done(void *ctx, void *token, pen_status status, const struct pen_stored_rows *places)
{
    struct posts *posts = token;
    (void)ctx, (void)places;
    if (status == PEN_OK)
        posts->answered++;
    else
        posts->refused++;
}
static pen_status no_events(void *ctx, struct pen_partition_event *ev, struct pen_error *err)
{
    struct stub *s = ctx;
    (void)err;
    if (!s->w->until_end || s->w->posts.read < s->w->posts.sent || s->said_no_more)
        return PEN_SKIP;
    s->said_no_more = true;
    ev->kind = PEN_PARTITION_NO_MORE;
    return PEN_OK;
}
static pen_status no_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    (void)reader, (void)id, (void)pos;
    return pen_fail(err, PEN_FATAL, "posts have no partitions");
}
static const struct pen_source posts_source = { .ctx_size = sizeof(struct stub), .no_replay = true, .start = start, .stop = stop, .outputs = outputs,
                                                .next_event = no_events, .done = posts_done, .reader_open = reader_open, .reader_close = free,
                                                .reader_add = no_add, .read = read_posts };
const struct pen_plugin w_posts_plugin = { .abi = PEN_ABI, .name = "posts", .source = &posts_source };

/* -- the transform ------------------------------------------------------------------------------------------------------------------ */

static pen_status check_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    (void)err;
    ((struct stub *)ctx)->host = host;
    return PEN_OK;
}
static pen_status check_prepare(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *out, struct pen_error *err)
{
    (void)ctx;
    return pen_schema_copy(out, in, err);
}
static pen_status check_apply(void *ctx, const struct ArrowArray *in, struct ArrowArray *out, struct pen_rejects *rejects, struct pen_error *err)
{
    const struct stub *s = ctx;
    struct pen_column part = pen_column_at(in, 0), record = pen_column_at(in, 1);
    static const char *const columns[] = { "!l", "part", "!l", "record", NULL };
    struct ArrowSchema schema;
    int64_t *keep = malloc((size_t)(in->length + 1) * sizeof *keep), n = 0;
    pen_status st = keep ? pen_schema_from_pairs(&schema, columns, err) : pen_fail(err, PEN_FATAL, "out of memory");
    if (s->w->during_apply) {
        void (*meanwhile)(void *) = s->w->during_apply;
        s->w->during_apply = NULL;
        meanwhile(s->w->during_arg);
    }
    if (st < 0) {
        free(keep);
        return st;
    }
    for (int64_t i = 0; i < in->length; i++)
        if (!w_is_bad(s->w, (int)pen_column_int64(&part, i), pen_column_int64(&record, i)))
            keep[n++] = i;
    for (int64_t i = in->length; i-- > 0;) /* in no order that anybody could go by */
        if (w_is_bad(s->w, (int)pen_column_int64(&part, i), pen_column_int64(&record, i)))
            pen_reject(rejects, i, "bad");
    st = pen_array_take(out, &schema, in, keep, n, err);
    pen_schema_release(&schema);
    free(keep);
    return st;
}
static const struct pen_transform check_transform = { .ctx_size = sizeof(struct stub), .start = check_start, .prepare = check_prepare, .apply = check_apply };
const struct pen_plugin w_check_plugin = { .abi = PEN_ABI, .name = "check", .transform = &check_transform };
