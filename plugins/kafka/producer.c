/* producer.c - see producer.h. A record that librdkafka has taken is stored in the end, however long the brokers are away: message.timeout.ms
 * is endless, and what waits is bounded by the size of its queue. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "producer.h"

#define STAGE_WAIT_MS 3000
#define FULL_WAIT_MS 100

/* -- deliveries ------------------------------------------------------------------------------------------------------------------ */

/* What no repetition mends, whatever becomes of a transaction. */
static bool is_for_good(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

static void note_failure(struct sender *s, struct producer *p, const rd_kafka_message_t *m)
{
    const struct client *c = &p->client;
    struct pen_error e = { 0 };
    const char *topic = m->rkt ? rd_kafka_topic_name(m->rkt) : "";
    char what[300];
    if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return; /* abandoned */
    if (p->transactional && !is_for_good(m->err)) {
        s->doomed = true;
        return;
    }
    if (m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        pen_fail(&e, PEN_FATAL, "kafka %s: topic %s takes no batch with a record of %zu bytes: its max.message.bytes allows less, or less than "
                 "librdkafka.batch.size", c->o->brokers, topic, m->len + m->key_len);
    } else {
        snprintf(what, sizeof what, "topic %s", topic);
        client_fail(c, m->err, what, NULL, &e);
        e.code = PEN_FATAL; /* librdkafka has given it up */
    }
    pthread_mutex_lock(&p->lock);
    if (!s->failed || m->len + m->key_len > s->worst)
        s->error = e; /* a batch fails as one: the largest is at fault */
    s->worst = s->failed && s->worst > m->len + m->key_len ? s->worst : m->len + m->key_len;
    s->failed = true;
    pthread_mutex_unlock(&p->lock);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct slot *slot = m->_private;
    struct sender *s = slot->s;
    struct producer *p = ((struct client *)opaque)->owner; /* the sender may have another by now */
    (void)rk;
    if (m->err) {
        note_failure(s, p, m);
    } else {
        p->client.connected = true;
        if (slot != &s->self) {
            slot->partition = m->partition;
            slot->offset = m->offset;
        }
        if (m->offset >= 0)
            written_note(p->client.o->brokers, rd_kafka_topic_name(m->rkt), m->partition, m->offset + 1);
    }
    atomic_fetch_sub(&s->bytes, (long long)(m->len + m->key_len));
    if (atomic_fetch_sub(&s->records, 1) == 1) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->drained);
        pthread_mutex_unlock(&p->lock);
    }
}

static void *run(void *arg)
{
    struct producer *p = arg;
    while (!p->closing)
        if (rd_kafka_poll(p->client.rk, 100) > 0) { /* there is room in the queue again */
            pthread_mutex_lock(&p->lock);
            pthread_cond_broadcast(&p->drained);
            pthread_mutex_unlock(&p->lock);
        }
    return NULL;
}

/* lock held. */
static void wait_ms(struct producer *p, int ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += (long)ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&p->drained, &p->lock, &t);
}

/* -- opening and closing --------------------------------------------------------------------------------------------------------------- */

static pen_status make_conf(struct producer *p, const char *transactional_id, rd_kafka_conf_t **out, struct pen_error *err)
{
    static const char *const codecs[] = { "none", "gzip", "snappy", "lz4", "zstd" };
    static const char *const partitioners[] = { "murmur2_random", "consistent_random" };
    const struct options *o = p->client.o;
    const struct {
        const char *name, *value;
    } ours[] = {
        { "acks", "all" }, { "message.timeout.ms", transactional_id ? NULL : "0" }, { "compression.type", codecs[o->compression] },
        { "partitioner", partitioners[o->partitioner] }, { "transactional.id", transactional_id },
    }, defaults[] = { { "enable.idempotence", "true" }, { "queue.buffering.max.kbytes", "16384" }, { "linger.ms", "5" } };
    pen_status st = client_conf(&p->client, RD_KAFKA_PRODUCER, out, err);
    for (size_t i = 0; i < sizeof ours / sizeof *ours && st == PEN_OK; i++)
        if (ours[i].value)
            st = client_set(*out, ours[i].name, ours[i].value, err);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults && st == PEN_OK; i++)
        if (!client_is_given(o, defaults[i].name))
            st = client_set(*out, defaults[i].name, defaults[i].value, err);
    if (st == PEN_OK)
        rd_kafka_conf_set_dr_msg_cb(*out, on_delivery);
    else if (*out)
        rd_kafka_conf_destroy(*out);
    return st;
}

pen_status producer_open(struct producer *p, const struct pen_host *host, const struct options *o, const char *transactional_id,
                         struct pen_error *err)
{
    pthread_condattr_t by_monotonic;
    rd_kafka_conf_t *conf;
    pen_status st;
    memset(p, 0, sizeof *p);
    p->transactional = transactional_id;
    client_init(&p->client, host, o, p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&by_monotonic);
    pthread_condattr_setclock(&by_monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->drained, &by_monotonic);
    pthread_condattr_destroy(&by_monotonic);
    st = make_conf(p, transactional_id, &conf, err);
    if (st == PEN_OK)
        st = client_new(&p->client, RD_KAFKA_PRODUCER, conf, err);
    if (st == PEN_OK && pthread_create(&p->thread, NULL, run, p) != 0)
        st = pen_fail(err, PEN_FATAL, "no thread for the producer");
    p->running = st == PEN_OK;
    if (st != PEN_OK)
        producer_close(p);
    return st;
}

void producer_close(struct producer *p)
{
    if (!p->client.o)
        return;
    p->closing = true;
    if (p->running)
        pthread_join(p->thread, NULL);
    if (p->client.rk) { /* what is still under way was abandoned: its reports must not come after its sender */
        rd_kafka_purge(p->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_poll(p->client.rk, 0);
    }
    while (p->topics) {
        struct producer_topic *t = p->topics;
        p->topics = t->next;
        rd_kafka_topic_destroy(t->rkt);
        free(t);
    }
    client_fini(&p->client);
    pthread_cond_destroy(&p->drained);
    pthread_mutex_destroy(&p->lock);
    p->client.o = NULL;
}

bool producer_fenced(const struct producer *p, struct pen_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(p->client.rk, NULL, 0);
    if (code != RD_KAFKA_RESP_ERR__FENCED && code != RD_KAFKA_RESP_ERR_PRODUCER_FENCED && code != RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH)
        return false;
    pen_fail(err, PEN_FATAL, "kafka %s: another process writes as transactional.id %s: this one ends", p->client.o->brokers, p->transactional);
    return true;
}

static struct producer_topic *new_topic(struct producer *p, const char *name)
{
    size_t n = strlen(name) + 1;
    struct producer_topic *t = malloc(sizeof *t + n);
    if (!t)
        return NULL;
    memcpy(t->name, name, n);
    t->rkt = rd_kafka_topic_new(p->client.rk, name, NULL);
    if (!t->rkt) {
        free(t);
        return NULL;
    }
    t->next = p->topics;
    return p->topics = t;
}

pen_status producer_topic(struct producer *p, const char *name, rd_kafka_topic_t **out, struct pen_error *err)
{
    struct producer_topic *t;
    pthread_mutex_lock(&p->lock);
    for (t = p->topics; t && strcmp(t->name, name) != 0; t = t->next)
        ;
    if (!t)
        t = new_topic(p, name);
    pthread_mutex_unlock(&p->lock);
    if (!t)
        return pen_fail(err, PEN_FATAL, "kafka %s: topic %s: %s", p->client.o->brokers, name, rd_kafka_err2str(rd_kafka_last_error()));
    *out = t->rkt;
    return PEN_OK;
}

/* -- sending ----------------------------------------------------------------------------------------------------------------------------- */

static pen_status failure(struct sender *s, struct pen_error *err)
{
    pen_status st = PEN_OK;
    pthread_mutex_lock(&s->p->lock);
    if (s->failed)
        st = pen_fail(err, s->error.code, "%s", s->error.msg);
    pthread_mutex_unlock(&s->p->lock);
    return st;
}

/* Until the queue has room. A broker that will not have us ends it; one that is away does not. */
static pen_status wait_for_room(struct sender *s, struct pen_error *err)
{
    pen_status st = failure(s, err);
    if (st < 0)
        return st;
    st = client_trouble(&s->p->client, err);
    if (st == PEN_FATAL)
        return st;
    if (st == PEN_RETRY) {
        pen_log(s->p->client.host, PEN_LOG_WARN, "%s", err->msg);
        memset(err, 0, sizeof *err);
    }
    pthread_mutex_lock(&s->p->lock);
    wait_ms(s->p, FULL_WAIT_MS);
    pthread_mutex_unlock(&s->p->lock);
    return PEN_OK;
}

static rd_kafka_resp_err_t give(struct sender *s, rd_kafka_topic_t *topic, const struct record *r, struct slot *slot)
{
#define GIVE(...)                                                                                                                            \
    rd_kafka_producev(s->p->client.rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(r->partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),  \
                      RD_KAFKA_V_KEY((void *)(uintptr_t)r->key, r->key_size), RD_KAFKA_V_VALUE((void *)(uintptr_t)r->value, r->value_size),  \
                      RD_KAFKA_V_TIMESTAMP(r->timestamp), RD_KAFKA_V_OPAQUE(slot), __VA_ARGS__)
    return r->headers ? GIVE(RD_KAFKA_V_HEADERS(r->headers), RD_KAFKA_V_END) : GIVE(RD_KAFKA_V_END);
#undef GIVE
}

static pen_status refused(struct sender *s, rd_kafka_topic_t *topic, const struct record *r, rd_kafka_resp_err_t code, struct pen_error *err)
{
    const struct client *c = &s->p->client;
    char what[300];
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return pen_fail(err, PEN_FATAL, "kafka %s: topic %s: a record of %zu bytes is larger than librdkafka.message.max.bytes allows", c->o->brokers,
                        rd_kafka_topic_name(topic), r->key_size + r->value_size);
    if (producer_fenced(s->p, err))
        return PEN_FATAL;
    if (s->p->transactional && !is_for_good(code) && !rd_kafka_fatal_error(c->rk, NULL, 0)) {
        s->doomed = true; /* the client has seen that it can only be aborted */
        return PEN_OK;
    }
    snprintf(what, sizeof what, "topic %s", rd_kafka_topic_name(topic));
    client_fail(c, code, what, NULL, err);
    return PEN_FATAL;
}

void sender_init(struct sender *s, struct producer *p)
{
    memset(s, 0, sizeof *s);
    s->p = p;
    s->self.s = s;
}

pen_status sender_send(struct sender *s, rd_kafka_topic_t *topic, const struct record *r, struct slot *slot, struct pen_error *err)
{
    long long size = (long long)(r->key_size + r->value_size);
    rd_kafka_resp_err_t code;
    pen_status st = PEN_OK;
    atomic_fetch_add(&s->records, 1);
    atomic_fetch_add(&s->bytes, size);
    while ((code = give(s, topic, r, slot ? slot : &s->self)) == RD_KAFKA_RESP_ERR__QUEUE_FULL && st == PEN_OK)
        st = wait_for_room(s, err);
    if (!code)
        return PEN_OK;
    atomic_fetch_sub(&s->records, 1);
    atomic_fetch_sub(&s->bytes, size);
    if (r->headers)
        rd_kafka_headers_destroy(r->headers);
    return st < 0 ? st : refused(s, topic, r, code, err);
}

pen_status sender_wait(struct sender *s, struct pen_error *err)
{
    pen_status st;
    pthread_mutex_lock(&s->p->lock);
    for (int waited = 0; atomic_load(&s->records) > 0 && !s->doomed && waited < STAGE_WAIT_MS; waited += FULL_WAIT_MS)
        wait_ms(s->p, FULL_WAIT_MS);
    pthread_mutex_unlock(&s->p->lock);
    st = failure(s, err);
    if (st < 0 || s->doomed || atomic_load(&s->records) == 0)
        return st;
    st = client_trouble(&s->p->client, err);
    if (st != PEN_OK)
        return st;
    return pen_fail(err, PEN_RETRY, "kafka %s: %lld records are not stored yet", s->p->client.o->brokers, (long long)atomic_load(&s->records));
}

void sender_end(struct sender *s)
{
    if (atomic_load(&s->records) > 0) /* other lanes end, too, by now */
        rd_kafka_purge(s->p->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    pthread_mutex_lock(&s->p->lock);
    while (atomic_load(&s->records) > 0)
        wait_ms(s->p, FULL_WAIT_MS);
    pthread_mutex_unlock(&s->p->lock);
}
