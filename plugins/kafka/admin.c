/* admin.c - the verbs of `penstock transport`: list, create, describe, delete. Each works with a stage's options, by a client that only asks.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "target.h"

/* The topic that is meant: the name that was given, else the stage's. */
static pen_status topic_of(const struct options *o, const char *name, const char **topic, struct pen_error *err)
{
    char checked[TOPIC_SIZE];
    *topic = name ? name : o->topic;
    if (!*topic || !target_is_fixed(*topic))
        return pen_fail(err, PEN_BADCONF, "which topic? A name is expected");
    return target_name(*topic, "", checked, err);
}

/* -- what is printed ----------------------------------------------------------------------------------------------------------------- */

static pen_status begin(struct ArrowSchema *schema, const char *const *pairs, struct pen_builder **b, struct pen_error *err)
{
    pen_status st = pen_schema_from_pairs(schema, pairs, err);
    *b = NULL;
    if (st == PEN_OK && (st = pen_builder_new(b, schema, err)) < 0)
        pen_schema_release(schema);
    return st;
}
static pen_status end(struct ArrowSchema *schema, struct pen_builder **b, pen_status st, struct ArrowArray *batch, struct pen_error *err)
{
    if (st >= 0)
        st = pen_builder_finish(*b, batch, err);
    pen_builder_free(b);
    if (st < 0)
        pen_schema_release(schema);
    return st;
}
static void put_text(struct pen_builder *b, size_t column, const char *text)
{
    pen_builder_bytes_value(pen_builder_child(b, column), text, strlen(text));
}
static void put_number(struct pen_builder *b, size_t column, int64_t v)
{
    pen_builder_int64(pen_builder_child(b, column), v);
}

static const char *const topic_columns[] = { "!u", "name", "!l", "partitions", NULL };
static void topic_row(struct pen_builder *b, const char *name, int64_t partitions)
{
    put_text(b, 0, name);
    put_number(b, 1, partitions);
    pen_builder_end_struct(b);
}

/* -- list ------------------------------------------------------------------------------------------------------------------------------ */

static pen_status list_all(const struct client *c, struct pen_builder *b, struct pen_error *err)
{
    const rd_kafka_metadata_t *md;
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 1, NULL, &md, (int)(c->o->timeout / 1000));
    if (code)
        return client_fail(c, code, "topics", NULL, err);
    for (int i = 0; i < md->topic_cnt; i++)
        if (strncmp(md->topics[i].topic, "__", 2) != 0) /* the brokers' own */
            topic_row(b, md->topics[i].topic, md->topics[i].partition_cnt);
    rd_kafka_metadata_destroy(md);
    return PEN_OK;
}

static pen_status list_one(const struct client *c, const char *topic, struct pen_builder *b, struct pen_error *err)
{
    int32_t n;
    pen_status st = topic_partitions(c, topic, &n, err);
    if (st == PEN_OK)
        topic_row(b, topic, n);
    return st == PEN_SKIP ? PEN_OK : st;
}

static pen_status run_list(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                           struct ArrowArray *batch, struct pen_error *err)
{
    struct pen_builder *b;
    struct client c;
    pen_status st = asker_open(&c, host, stage, err);
    (void)ctx;
    if (st < 0)
        return st;
    st = topic_reach(&c, err);
    if (st == PEN_OK && (st = begin(schema, topic_columns, &b, err)) == PEN_OK) {
        st = name ? list_one(&c, name, b, err) : list_all(&c, b, err);
        st = end(schema, &b, st, batch, err);
    }
    client_fini(&c);
    return st;
}

/* -- create and delete ------------------------------------------------------------------------------------------------------------------- */

static pen_status create(const struct client *c, const char *topic, int32_t *n, struct pen_error *err)
{
    pen_status st = topic_create(c, topic, c->o->partitions, c->o->replication, &c->o->config, err);
    if (st == PEN_SKIP)
        return pen_fail(err, PEN_BADCONF, "kafka %s: topic %s is there already", c->o->brokers, topic);
    for (int i = 0; i < 50 && st == PEN_OK; i++) { /* other brokers hear of it a little later */
        st = topic_partitions(c, topic, n, err);
        if (st == PEN_OK)
            return PEN_OK;
        st = st == PEN_SKIP ? PEN_OK : st;
        rd_kafka_poll(c->rk, 100);
    }
    *n = c->o->partitions > 0 ? (int32_t)c->o->partitions : 0;
    return st;
}

typedef pen_status (*topic_change)(const struct client *c, const char *topic, int32_t *n, struct pen_error *err);

static pen_status change(const void *stage, const struct pen_host *host, const char *name, topic_change how, struct ArrowSchema *schema,
                         struct ArrowArray *batch, struct pen_error *err)
{
    struct pen_builder *b;
    struct client c;
    const char *topic;
    int32_t n = 0;
    pen_status st = topic_of(stage, name, &topic, err);
    if (st < 0 || (st = asker_open(&c, host, stage, err)) < 0)
        return st;
    st = topic_reach(&c, err);
    if (st == PEN_OK)
        st = how(&c, topic, &n, err);
    if (st == PEN_OK && (st = begin(schema, topic_columns, &b, err)) == PEN_OK) {
        topic_row(b, topic, n);
        st = end(schema, &b, st, batch, err);
    }
    client_fini(&c);
    return st;
}

static pen_status run_create(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                             struct ArrowArray *batch, struct pen_error *err)
{
    (void)ctx;
    return change(stage, host, name, create, schema, batch, err);
}

static pen_status delete(const struct client *c, const char *topic, int32_t *n, struct pen_error *err)
{
    pen_status st = topic_partitions(c, topic, n, err);
    if (st == PEN_SKIP)
        return pen_fail(err, PEN_BADCONF, "kafka %s: there is no topic %s", c->o->brokers, topic);
    return st == PEN_OK ? topic_delete(c, topic, err) : st;
}

static pen_status run_delete(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                             struct ArrowArray *batch, struct pen_error *err)
{
    (void)ctx;
    return change(stage, host, name, delete, schema, batch, err);
}

/* -- describe ---------------------------------------------------------------------------------------------------------------------------- */

static const char *const describe_columns[] = { "!l", "partition", "l", "first", "l", "next", "!l", "leader", "!l", "replicas", "!l", "in_sync", NULL };

static void describe_row(const struct client *c, struct pen_builder *b, const char *topic, const rd_kafka_metadata_partition_t *p)
{
    int64_t low = -1, high = -1;
    bool known = !rd_kafka_query_watermark_offsets(c->rk, topic, p->id, &low, &high, (int)(c->o->timeout / 1000));
    put_number(b, 0, p->id);
    if (known) {
        put_number(b, 1, low);
        put_number(b, 2, high);
    } else {
        pen_builder_null(pen_builder_child(b, 1));
        pen_builder_null(pen_builder_child(b, 2));
    }
    put_number(b, 3, p->leader);
    put_number(b, 4, p->replica_cnt);
    put_number(b, 5, p->isr_cnt);
    pen_builder_end_struct(b);
}

static pen_status describe(const struct client *c, const char *topic, struct pen_builder *b, struct pen_error *err)
{
    rd_kafka_topic_t *t = rd_kafka_topic_new(c->rk, topic, NULL);
    const rd_kafka_metadata_t *md = NULL;
    rd_kafka_resp_err_t code = t ? rd_kafka_metadata(c->rk, 0, t, &md, (int)(c->o->timeout / 1000)) : rd_kafka_last_error();
    pen_status st = PEN_OK;
    if (!code && md->topic_cnt == 1)
        code = md->topics[0].err;
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        st = pen_fail(err, PEN_BADCONF, "kafka %s: there is no topic %s", c->o->brokers, topic);
    else if (code)
        st = client_fail(c, code, topic, NULL, err);
    for (int32_t id = 0; st == PEN_OK && id < md->topics[0].partition_cnt; id++)
        for (int i = 0; i < md->topics[0].partition_cnt; i++)
            if (md->topics[0].partitions[i].id == id)
                describe_row(c, b, topic, &md->topics[0].partitions[i]);
    if (md)
        rd_kafka_metadata_destroy(md);
    if (t)
        rd_kafka_topic_destroy(t);
    return st;
}

static pen_status run_describe(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                               struct ArrowArray *batch, struct pen_error *err)
{
    struct pen_builder *b;
    struct client c;
    const char *topic;
    pen_status st = topic_of(stage, name, &topic, err);
    (void)ctx;
    if (st < 0 || (st = asker_open(&c, host, stage, err)) < 0)
        return st;
    st = topic_reach(&c, err);
    if (st == PEN_OK && (st = begin(schema, describe_columns, &b, err)) == PEN_OK) {
        st = describe(&c, topic, b, err);
        st = end(schema, &b, st, batch, err);
    }
    client_fini(&c);
    return st;
}

const struct pen_verb kafka_verbs[] = {
    { .noun = "transport", .name = "list", .summary = "topics and how many partitions each has", .run = run_list, .stage = true },
    { .noun = "transport", .name = "create", .summary = "creates a topic, as partitions, replication and config.* say", .run = run_create, .stage = true },
    { .noun = "transport", .name = "describe", .summary = "a topic's partitions: first and next offset, leader, copies", .run = run_describe,
      .stage = true },
    { .noun = "transport", .name = "delete", .summary = "deletes a topic and all that is in it", .run = run_delete, .stage = true },
    { .name = NULL }
};
