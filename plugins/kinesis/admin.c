/* admin.c - the verbs of `penstock transport`: list, create, describe, delete, reshard. What takes the service a while is waited for.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kinesis.h"

struct verb_options {
    int64_t partitions, wait, retention;
};

#define WAIT_ROW { "wait", PEN_OPT_DURATION, offsetof(struct verb_options, wait), "5m", 0, 0, NULL, 0, \
                   "How long to wait until the stream is there; 0s: do not wait." }

static const struct pen_option wait_options[] = { WAIT_ROW, { .name = NULL } };
static const struct pen_option create_options[] = {
    { "partitions", PEN_OPT_INT, offsetof(struct verb_options, partitions), "1", 0, 10000, NULL, 0,
      "Shards of the stream; 0: on demand, the service chooses." },
    { "retention", PEN_OPT_DURATION, offsetof(struct verb_options, retention), NULL, INT64_C(86400000000), INT64_C(31536000000000), NULL, 0,
      "How long records are kept, in whole hours; without it the service's 24." },
    WAIT_ROW, { .name = NULL }
};
static const struct pen_option reshard_options[] = {
    { "partitions", PEN_OPT_INT, offsetof(struct verb_options, partitions), NULL, 1, 10000, NULL, PEN_OPTION_REQUIRED,
      "Shards that the stream is to have; at most twice and at least half of what it has." },
    WAIT_ROW, { .name = NULL }
};

/* -- batches ------------------------------------------------------------------------------------------------------------------------------- */

static void put_text(struct pen_builder *b, size_t column, const char *text)
{
    if (text && *text)
        pen_builder_bytes_value(pen_builder_child(b, column), text, strlen(text));
    else
        pen_builder_null(pen_builder_child(b, column));
}
static void put_number(struct pen_builder *b, size_t column, int64_t v)
{
    pen_builder_int64(pen_builder_child(b, column), v);
}

/* What a verb works with. */
struct job {
    const struct verb_options *o;
    const char *stream;
    struct kin_client client;
    struct pen_builder *b;
};
typedef pen_status verb_body(struct job *j, struct pen_error *err);

static pen_status run(const void *ctx, const void *stage, const struct pen_host *host, const char *name, const char *const *columns,
                      verb_body *body, struct ArrowSchema *schema, struct ArrowArray *batch, struct pen_error *err)
{
    const struct options *o = stage;
    struct job j = { .o = ctx, .stream = name ? name : o->stream };
    pen_status st = pen_schema_from_pairs(schema, columns, err);
    if (st >= 0)
        st = pen_builder_new(&j.b, schema, err);
    if (st >= 0)
        st = kin_client_open(&j.client, host, o, err);
    if (st >= 0)
        st = body(&j, err);
    if (st >= 0)
        st = pen_builder_finish(j.b, batch, err);
    pen_builder_free(&j.b);
    kin_client_close(&j.client);
    if (st < 0)
        pen_schema_release(schema);
    return st == PEN_RETRY ? PEN_FATAL : st;
}

static pen_status need_name(const struct job *j, struct pen_error *err)
{
    struct options o = { .stream = j->stream };
    char name[STREAM_NAME + 1];
    if (!j->stream || kinesis_stream_is_open(&o))
        return pen_fail(err, PEN_BADCONF, "which stream? Give its name");
    return kinesis_stream_name(&o, "", "", name, sizeof name, err);
}

/* -- calls ------------------------------------------------------------------------------------------------------------------------------------ */

/* One operation whose answer says nothing more; `members` follow the stream's name. */
static pen_status ask(struct job *j, const char *operation, const char *members, struct pen_error *err)
{
    struct pen_text body = { 0 };
    struct aws_answer a;
    char what[STREAM_NAME + 40];
    kin_outcome outcome;
    snprintf(what, sizeof what, "stream %s: %s", j->stream, operation);
    kin_body(&body, j->stream);
    pen_text_format(&body, "%s}", members);
    outcome = kin_call(&j->client, operation, &body, 0, what, &a, err);
    aws_answer_fini(&a);
    pen_text_fini(&body);
    return kin_status(outcome, err);
}

/* Until the stream is ACTIVE, or, gone = true, not there any more. */
static pen_status await(struct job *j, bool gone, struct pen_error *err)
{
    int64_t until = pen_now(j->client.host) + j->o->wait;
    for (;;) {
        struct kin_summary s = { .status = "" };
        struct pen_error why = { 0 };
        pen_status st = kin_describe(&j->client, j->stream, &s, &why);
        if (gone && st < 0 && strstr(why.msg, "ResourceNotFoundException"))
            return PEN_OK;
        if (st < 0 && st != PEN_RETRY)
            return pen_fail(err, st, "%s", why.msg);
        if (!gone && st >= 0 && strcmp(s.status, "ACTIVE") == 0)
            return PEN_OK;
        if (j->o->wait <= 0)
            return PEN_OK;
        if (pen_now(j->client.host) >= until)
            return pen_fail(err, PEN_FATAL, "stream %s is still %s after %" PRId64 " s", j->stream, st < 0 ? "out of reach" : s.status,
                            j->o->wait / 1000000);
        usleep(300000);
    }
}

/* -- list ------------------------------------------------------------------------------------------------------------------------------------- */

static const char *const list_columns[] = { "!u", "name", "l", "partitions", "u", "status", NULL };

struct names {
    char (*v)[STREAM_NAME];
    size_t n, room;
};
static pen_status note_name(void *arg, const char *name, struct pen_error *err)
{
    struct names *l = arg;
    if (l->n == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        void *v = realloc(l->v, room * sizeof *l->v);
        if (!v)
            return pen_fail(err, PEN_FATAL, "out of memory");
        l->v = v;
        l->room = room;
    }
    snprintf(l->v[l->n++], sizeof *l->v, "%s", name);
    return PEN_OK;
}

static pen_status list_names(struct job *j, struct names *all, struct pen_error *err)
{
    bool more = true;
    pen_status st = PEN_OK;
    while (st >= 0 && more) {
        struct pen_text body = { 0 };
        struct aws_answer a;
        struct pen_error why = { 0 };
        kin_outcome outcome;
        size_t before = all->n;
        pen_text_put(&body, "{");
        if (all->n) {
            pen_text_put(&body, "\"ExclusiveStartStreamName\":");
            pen_text_json_string(&body, all->v[all->n - 1], strlen(all->v[all->n - 1]));
        }
        pen_text_put(&body, "}");
        outcome = kin_call(&j->client, "ListStreams", &body, 0, "streams", &a, err);
        if (outcome == KIN_ANSWERED && kin_parse_streams(a.body, a.n, note_name, all, &more, &why) < 0)
            outcome = kin_garbled("streams", &why, err);
        st = kin_status(outcome, err);
        more = more && all->n > before;
        aws_answer_fini(&a);
        pen_text_fini(&body);
    }
    return st;
}

static pen_status list(struct job *j, struct pen_error *err)
{
    struct names all = { 0 };
    pen_status st = list_names(j, &all, err);
    for (size_t i = 0; i < all.n && st >= 0; i++) {
        struct kin_summary s = { .open_shards = 0 };
        struct pen_error why = { 0 };
        st = kin_describe(&j->client, all.v[i], &s, &why);
        if (st < 0 && strstr(why.msg, "ResourceNotFoundException")) {
            st = PEN_OK; /* deleted since */
            continue;
        }
        if (st < 0)
            st = pen_fail(err, st, "%s", why.msg);
        put_text(j->b, 0, all.v[i]);
        put_number(j->b, 1, s.open_shards);
        put_text(j->b, 2, s.status);
        pen_builder_end_struct(j->b);
    }
    free(all.v);
    return st;
}

static pen_status run_list(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                           struct ArrowArray *batch, struct pen_error *err)
{
    (void)name;
    return run(ctx, stage, host, NULL, list_columns, list, schema, batch, err);
}

/* -- describe ----------------------------------------------------------------------------------------------------------------------------------- */

static const char *const describe_columns[] = { "!u", "partition", "!u", "state",      "u", "parents", "u", "first",
                                                "u",  "last",      "u",  "first_hash", "u", "last_hash", NULL };

static pen_status describe(struct job *j, struct pen_error *err)
{
    struct kin_shards list = { 0 };
    char digits[SEQ_TEXT], parents[2 * SHARD_NAME + 2];
    pen_status st = need_name(j, err);
    if (st >= 0)
        st = kin_list_shards(&j->client, j->stream, &list, err);
    for (size_t i = 0; i < list.n && st >= 0; i++) {
        const struct kin_shard *s = &list.v[i];
        snprintf(parents, sizeof parents, "%s%s%s", s->parents[0], s->parents[1][0] ? " " : "", s->parents[1]);
        put_text(j->b, 0, s->name);
        put_text(j->b, 1, s->closed ? "closed" : "open");
        put_text(j->b, 2, parents);
        put_text(j->b, 3, seq_format(digits, &s->first));
        put_text(j->b, 4, s->closed ? seq_format(digits, &s->last) : NULL);
        put_text(j->b, 5, s->low);
        put_text(j->b, 6, s->high);
        pen_builder_end_struct(j->b);
    }
    free(list.v);
    return st;
}

static pen_status run_describe(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                               struct ArrowArray *batch, struct pen_error *err)
{
    return run(ctx, stage, host, name, describe_columns, describe, schema, batch, err);
}

/* -- create, delete, reshard ------------------------------------------------------------------------------------------------------------------------ */

static const char *const stream_columns[] = { "!u", "name", "!u", "status", "l", "partitions", "u", "mode", "u", "arn", NULL };

static pen_status say_stream(struct job *j, struct pen_error *err)
{
    struct kin_summary s;
    pen_status st = kin_describe(&j->client, j->stream, &s, err);
    if (st < 0)
        return st;
    put_text(j->b, 0, j->stream);
    put_text(j->b, 1, s.status);
    put_number(j->b, 2, s.open_shards);
    put_text(j->b, 3, s.mode);
    put_text(j->b, 4, s.arn);
    pen_builder_end_struct(j->b);
    return PEN_OK;
}

static pen_status create(struct job *j, struct pen_error *err)
{
    char members[100];
    pen_status st = need_name(j, err);
    if (j->o->partitions > 0)
        snprintf(members, sizeof members, ",\"ShardCount\":%" PRId64, j->o->partitions);
    else
        snprintf(members, sizeof members, ",\"StreamModeDetails\":{\"StreamMode\":\"ON_DEMAND\"}");
    if (st >= 0)
        st = ask(j, "CreateStream", members, err);
    if (st >= 0)
        st = await(j, false, err);
    if (st >= 0 && j->o->retention > INT64_C(86400000000)) {
        snprintf(members, sizeof members, ",\"RetentionPeriodHours\":%" PRId64, j->o->retention / INT64_C(3600000000));
        st = ask(j, "IncreaseStreamRetentionPeriod", members, err);
        st = st < 0 ? st : await(j, false, err);
    }
    return st < 0 ? st : say_stream(j, err);
}

static pen_status run_create(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                             struct ArrowArray *batch, struct pen_error *err)
{
    return run(ctx, stage, host, name, stream_columns, create, schema, batch, err);
}

static pen_status delete_stream(struct job *j, struct pen_error *err)
{
    pen_status st = need_name(j, err);
    if (st >= 0)
        st = ask(j, "DeleteStream", ",\"EnforceConsumerDeletion\":true", err);
    if (st >= 0)
        st = await(j, true, err);
    put_text(j->b, 0, j->stream ? j->stream : "-");
    put_text(j->b, 1, j->o->wait > 0 ? "DELETED" : "DELETING");
    for (size_t i = 2; i < 5; i++)
        pen_builder_null(pen_builder_child(j->b, i));
    pen_builder_end_struct(j->b);
    return st;
}

static pen_status run_delete(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                             struct ArrowArray *batch, struct pen_error *err)
{
    return run(ctx, stage, host, name, stream_columns, delete_stream, schema, batch, err);
}

static pen_status reshard(struct job *j, struct pen_error *err)
{
    char members[100];
    pen_status st = need_name(j, err);
    snprintf(members, sizeof members, ",\"TargetShardCount\":%" PRId64 ",\"ScalingType\":\"UNIFORM_SCALING\"", j->o->partitions);
    if (st >= 0)
        st = ask(j, "UpdateShardCount", members, err);
    if (st >= 0)
        st = await(j, false, err);
    return st < 0 ? st : say_stream(j, err);
}

static pen_status run_reshard(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                              struct ArrowArray *batch, struct pen_error *err)
{
    return run(ctx, stage, host, name, stream_columns, reshard, schema, batch, err);
}

const struct pen_verb kinesis_verbs[] = {
    { "transport", "list", "streams of the account and region", 0, NULL, run_list, true },
    { "transport", "describe", "a stream's shards: state, parents, sequence numbers, hash keys", 0, NULL, run_describe, true },
    { "transport", "create", "makes a stream", sizeof(struct verb_options), create_options, run_create, true },
    { "transport", "delete", "deletes a stream and all that it holds", sizeof(struct verb_options), wait_options, run_delete, true },
    { "transport", "reshard", "gives a stream another number of shards", sizeof(struct verb_options), reshard_options, run_reshard, true },
    { .name = NULL }
};
