/* topic.c - what a topic is asked for and told. These calls wait for the broker. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

static int wait_ms(const struct client *c)
{
    return (int)(c->o->timeout / 1000);
}

/* What a question about a topic came to. */
static pen_status asked(const struct client *c, rd_kafka_resp_err_t code, const char *topic, struct pen_error *err)
{
    char what[300];
    pen_status st = client_trouble((struct client *)(uintptr_t)c, err); /* nearer to the cause than "timed out" */
    if (st == PEN_FATAL || (st != PEN_OK && client_error_is_passing(code)))
        return st;
    snprintf(what, sizeof what, "topic %s", topic);
    return client_fail(c, code, what, NULL, err);
}

pen_status topic_partitions(const struct client *c, const char *topic, int32_t *n, struct pen_error *err)
{
    rd_kafka_topic_t *t = rd_kafka_topic_new(c->rk, topic, NULL);
    const rd_kafka_metadata_t *md = NULL;
    rd_kafka_resp_err_t code = t ? rd_kafka_metadata(c->rk, 0, t, &md, wait_ms(c)) : rd_kafka_last_error();
    pen_status st = PEN_OK;
    *n = 0;
    if (!code && md->topic_cnt == 1)
        code = md->topics[0].err;
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        st = PEN_SKIP;
    else if (code)
        st = asked(c, code, topic, err);
    else
        *n = md->topics[0].partition_cnt;
    if (md)
        rd_kafka_metadata_destroy(md);
    if (t)
        rd_kafka_topic_destroy(t);
    return st;
}

/* Sets replication, configuration and how long to wait. */
static pen_status describe_new(rd_kafka_NewTopic_t *t, const struct pen_pairs *config, const char *topic, struct pen_error *err)
{
    for (size_t i = 0; config && i < config->n; i++)
        if (rd_kafka_NewTopic_set_config(t, config->names[i], config->values[i]))
            return pen_fail(err, PEN_BADCONF, "topic %s: config.%s = %s cannot be set", topic, config->names[i], config->values[i]);
    return PEN_OK;
}

static pen_status create_answer(const struct client *c, rd_kafka_event_t *ev, const char *topic, struct pen_error *err)
{
    const rd_kafka_topic_result_t **results;
    rd_kafka_resp_err_t code;
    size_t n = 0;
    if (!ev)
        return asked(c, RD_KAFKA_RESP_ERR__TIMED_OUT, topic, err);
    code = rd_kafka_event_error(ev);
    if (code)
        return asked(c, code, topic, err);
    results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &n);
    if (n != 1)
        return pen_fail(err, PEN_FATAL, "kafka %s: topic %s: an answer about %zu topics", c->o->brokers, topic, n);
    code = rd_kafka_topic_result_error(results[0]);
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return code ? PEN_SKIP : PEN_OK;
    return pen_fail(err, client_error_is_passing(code) ? PEN_RETRY : PEN_FATAL, "kafka %s: topic %s cannot be created: %s", c->o->brokers, topic,
                    rd_kafka_topic_result_error_string(results[0]));
}

pen_status topic_create(const struct client *c, const char *topic, int64_t partitions, int64_t replication, const struct pen_pairs *config,
                        struct pen_error *err)
{
    char why[256];
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, (int)partitions, (int)replication, why, sizeof why);
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *q;
    rd_kafka_event_t *ev = NULL;
    pen_status st;
    if (!t)
        return pen_fail(err, PEN_BADCONF, "topic %s: %s", topic, why);
    options = rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_operation_timeout(options, wait_ms(c), why, sizeof why);
    rd_kafka_AdminOptions_set_request_timeout(options, wait_ms(c), why, sizeof why);
    q = rd_kafka_queue_new(c->rk);
    st = describe_new(t, config, topic, err);
    if (st == PEN_OK) {
        rd_kafka_CreateTopics(c->rk, &t, 1, options, q);
        ev = rd_kafka_queue_poll(q, wait_ms(c) + 1000);
        st = create_answer(c, ev, topic, err);
    }
    if (ev)
        rd_kafka_event_destroy(ev);
    rd_kafka_queue_destroy(q);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(t);
    return st;
}

pen_status asker_open(struct client *c, const struct pen_host *host, const struct options *o, struct pen_error *err)
{
    rd_kafka_conf_t *conf;
    pen_status st;
    client_init(c, host, o, NULL);
    st = client_conf(c, RD_KAFKA_CONSUMER, &conf, err);
    if (st == PEN_OK)
        st = client_new(c, RD_KAFKA_CONSUMER, conf, err);
    if (st != PEN_OK)
        client_fini(c);
    return st;
}

/* librdkafka tells why a broker cannot be reached only to who polls, so this asks in short turns. */
pen_status topic_reach(const struct client *c, struct pen_error *err)
{
    struct client *mine = (struct client *)(uintptr_t)c;
    int64_t until = pen_now(c->host) + c->o->timeout;
    struct pen_error last = { 0 };
    for (;;) {
        const rd_kafka_metadata_t *md = NULL;
        rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, NULL, &md, 500);
        pen_status st;
        if (!code) {
            rd_kafka_metadata_destroy(md);
            return PEN_OK;
        }
        rd_kafka_poll(c->rk, 50);
        st = client_trouble(mine, err);
        if (st == PEN_FATAL)
            return st;
        if (st == PEN_RETRY) {
            last = *err;
            memset(err, 0, sizeof *err);
        }
        if (pen_now(c->host) >= until)
            return last.code ? pen_fail(err, PEN_RETRY, "%s", last.msg) : client_fail(c, code, "connection", NULL, err);
    }
}

static pen_status delete_answer(const struct client *c, rd_kafka_event_t *ev, const char *topic, struct pen_error *err)
{
    const rd_kafka_topic_result_t **results;
    rd_kafka_resp_err_t code;
    size_t n = 0;
    if (!ev)
        return asked(c, RD_KAFKA_RESP_ERR__TIMED_OUT, topic, err);
    code = rd_kafka_event_error(ev);
    if (code)
        return asked(c, code, topic, err);
    results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(ev), &n);
    code = n == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
    return code ? asked(c, code, topic, err) : PEN_OK;
}

pen_status topic_delete(const struct client *c, const char *topic, struct pen_error *err)
{
    rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->rk);
    rd_kafka_event_t *ev;
    char why[256];
    pen_status st;
    rd_kafka_AdminOptions_set_operation_timeout(options, wait_ms(c), why, sizeof why);
    rd_kafka_AdminOptions_set_request_timeout(options, wait_ms(c), why, sizeof why);
    rd_kafka_DeleteTopics(c->rk, &t, 1, options, q);
    ev = rd_kafka_queue_poll(q, wait_ms(c) + 1000);
    st = delete_answer(c, ev, topic, err);
    if (ev)
        rd_kafka_event_destroy(ev);
    rd_kafka_queue_destroy(q);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteTopic_destroy(t);
    return st;
}

static pen_status absent(const struct client *c, const char *topic, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "kafka %s: there is no topic %s; create = yes, or `penstock transport create`, makes it", c->o->brokers, topic);
}

static pen_status ensure(const struct client *c, const char *topic, struct pen_error *err)
{
    int32_t n;
    pen_status st = topic_reach(c, err);
    if (st == PEN_OK)
        st = topic_partitions(c, topic, &n, err);
    if (st != PEN_SKIP)
        return st;
    if (!c->o->create)
        return absent(c, topic, err);
    st = topic_create(c, topic, c->o->partitions, c->o->replication, &c->o->config, err);
    return st == PEN_SKIP ? PEN_OK : st;
}

static pen_status ensure_compacted(const struct client *c, const char *topic, struct pen_error *err)
{
    static const char *const names[] = { "cleanup.policy" }, *const values[] = { "compact" };
    static const struct pen_pairs compact = { 1, names, values };
    int32_t n;
    pen_status st = topic_reach(c, err);
    if (st == PEN_OK)
        st = topic_partitions(c, topic, &n, err);
    if (st != PEN_SKIP)
        return st;
    st = topic_create(c, topic, 1, c->o->replication, &compact, err);
    return st == PEN_SKIP ? PEN_OK : st;
}

static pen_status with_asker(const struct pen_host *host, const struct options *o, const char *topic,
                             pen_status (*what)(const struct client *c, const char *topic, struct pen_error *err), struct pen_error *err)
{
    struct client c;
    pen_status st = asker_open(&c, host, o, err);
    if (st != PEN_OK)
        return st;
    st = what(&c, topic, err);
    client_fini(&c);
    return st;
}

pen_status topic_ensure(const struct pen_host *host, const struct options *o, const char *topic, struct pen_error *err)
{
    return with_asker(host, o, topic, ensure, err);
}

pen_status topic_ensure_compacted(const struct pen_host *host, const struct options *o, const char *topic, struct pen_error *err)
{
    return with_asker(host, o, topic, ensure_compacted, err);
}

static pen_status look(const struct client *c, const char *topic, struct pen_error *err)
{
    int32_t n;
    pen_status st = topic_reach(c, err);
    if (st == PEN_OK && topic)
        st = topic_partitions(c, topic, &n, err);
    return st == PEN_SKIP && !c->o->create ? absent(c, topic, err) : st == PEN_SKIP ? PEN_OK : st;
}

pen_status topic_connect(const struct pen_host *host, const struct options *o, const char *topic, struct pen_error *err)
{
    pen_status st = with_asker(host, o, topic, look, err);
    return st == PEN_RETRY ? PEN_FATAL : st;
}
