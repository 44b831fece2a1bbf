/* positions.c - see positions.h. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "positions.h"

/* -- what is kept --------------------------------------------------------------------------------------------------------------------- */

void positions_clear(struct positions *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->v[i].key);
    free(p->v);
    memset(p, 0, sizeof *p);
}

static struct kept *find(const struct positions *p, const char *key, size_t size)
{
    for (size_t i = 0; i < p->n; i++)
        if (strncmp(p->v[i].key, key, size) == 0 && !p->v[i].key[size])
            return &p->v[i];
    return NULL;
}

const struct kept *positions_find(const struct positions *p, const char *key)
{
    return find(p, key, strlen(key));
}

static struct kept *add(struct positions *p, const char *key, size_t size)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 16;
        struct kept *v = realloc(p->v, cap * sizeof *v);
        if (!v)
            return NULL;
        p->v = v;
        p->cap = cap;
    }
    p->v[p->n].key = strndup(key, size);
    return p->v[p->n].key ? &p->v[p->n++] : NULL;
}

pen_status positions_set(struct positions *p, const char *key, size_t key_size, const char *plan, const struct pen_position *at,
                         struct pen_error *err)
{
    struct kept *k = find(p, key, key_size);
    if (!k && !(k = add(p, key, key_size)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    k->at = *at;
    snprintf(k->plan, sizeof k->plan, "%s", plan);
    return PEN_OK;
}

/* -- reading the topic ------------------------------------------------------------------------------------------------------------------- */

struct loading {
    struct positions *p;
    struct client client;
    const char *topic;
    int32_t n;
    int64_t *ends;  /* of each partition, behind open transactions, too */
    int32_t left;   /* partitions that have not been read to their end */
};

static pen_status make_reader(struct loading *l, const struct pen_host *host, const struct options *o, struct pen_error *err)
{
    static const char *const ours[][2] = { { "group.id", "penstock-positions" }, { "enable.auto.commit", "false" },
                                           { "enable.auto.offset.store", "false" }, { "auto.offset.reset", "error" },
                                           { "isolation.level", "read_committed" }, { "enable.partition.eof", "true" },
                                           { "fetch.wait.max.ms", "50" } };
    rd_kafka_conf_t *conf;
    pen_status st;
    client_init(&l->client, host, o, NULL);
    st = client_conf(&l->client, RD_KAFKA_CONSUMER, &conf, err);
    for (size_t i = 0; i < sizeof ours / sizeof *ours && st == PEN_OK; i++)
        st = client_set(conf, ours[i][0], ours[i][1], err);
    if (st == PEN_OK)
        st = client_new(&l->client, RD_KAFKA_CONSUMER, conf, err);
    else if (conf)
        rd_kafka_conf_destroy(conf);
    return st;
}

/* Ends as somebody sees them who reads what is not committed, too: what lies before was there when we asked. */
static pen_status find_ends(struct loading *l, const struct pen_host *host, const struct options *o, struct pen_error *err)
{
    struct client c;
    pen_status st = asker_open(&c, host, o, err);
    if (st != PEN_OK)
        return st;
    st = topic_partitions(&c, l->topic, &l->n, err);
    if (st == PEN_SKIP)
        st = pen_fail(err, PEN_FATAL, "kafka %s: there is no topic %s (positions_topic)", o->brokers, l->topic);
    if (st == PEN_OK && !(l->ends = calloc((size_t)l->n + 1, sizeof *l->ends)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    for (int32_t i = 0; i < l->n && st == PEN_OK; i++) {
        int64_t low;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(c.rk, l->topic, i, &low, &l->ends[i], (int)(o->timeout / 1000));
        if (code)
            st = client_fail(&c, code, l->topic, NULL, err);
        l->left++;
    }
    client_fini(&c);
    return st;
}

static pen_status take(struct loading *l, const rd_kafka_message_t *m, struct pen_error *err)
{
    char plan[PLAN_ID_SIZE];
    struct pen_position at;
    if (m->partition < 0 || m->partition >= l->n)
        return PEN_OK;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (l->ends[m->partition] >= 0 && m->offset >= l->ends[m->partition]) {
            l->ends[m->partition] = -1;
            l->left--;
        }
        return PEN_OK;
    }
    if (m->err)
        return client_fail(&l->client, m->err, l->topic, rd_kafka_message_errstr(m), err);
    if (!m->key || !m->payload)
        return PEN_OK;
    if (!position_read(m->payload, m->len, plan, &at))
        return pen_fail(err, PEN_FATAL, "kafka %s: topic %s, partition %d, offset %" PRId64 ": no position of Penstock's; positions_topic wants a topic of its own",
                        l->client.o->brokers, l->topic, (int)m->partition, m->offset);
    return positions_set(l->p, m->key, m->key_len, plan, &at, err);
}

static pen_status read_all(struct loading *l, struct pen_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(l->n);
    const struct pen_host *host = l->client.host;
    int64_t until = pen_now(host) + l->client.o->timeout;
    rd_kafka_resp_err_t code;
    pen_status st = PEN_OK;
    for (int32_t i = 0; i < l->n; i++)
        rd_kafka_topic_partition_list_add(list, l->topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_poll_set_consumer(l->client.rk);
    code = rd_kafka_assign(l->client.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return client_fail(&l->client, code, l->topic, NULL, err);
    while (l->left > 0 && st == PEN_OK) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(l->client.rk, 100);
        if (m) {
            st = take(l, m, err);
            rd_kafka_message_destroy(m);
        } else if (client_trouble(&l->client, err) == PEN_FATAL) {
            st = PEN_FATAL;
        } else if (pen_now(host) >= until) {
            st = pen_fail(err, PEN_RETRY, "kafka %s: topic %s cannot be read to its end yet", l->client.o->brokers, l->topic);
        }
    }
    return st;
}

pen_status positions_load(struct positions *p, const struct pen_host *host, const struct options *o, const char *topic, struct pen_error *err)
{
    struct loading l = { .p = p, .topic = topic };
    pen_status st;
    positions_clear(p);
    st = find_ends(&l, host, o, err);
    if (st == PEN_OK) {
        st = make_reader(&l, host, o, err);
        if (st == PEN_OK)
            st = read_all(&l, err);
        client_fini(&l.client);
    }
    free(l.ends);
    return st;
}
