/* txn.c - see txn.h. There is one process that writes under a name: init_transactions() fences any other, so what the positions topic showed
 * at the start, and what was committed since, is all there is. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "group.h"
#include "txn.h"

static int wait_ms(const struct txns *t)
{
    return (int)(t->o->timeout / 1000);
}

/* Verdict about an error of a transaction's call; destroys it. *doomed: the transaction has to be aborted. */
static pen_status fail(const struct txns *t, const struct txn *x, rd_kafka_error_t *error, const char *what, bool *doomed, struct pen_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    pen_status st = PEN_FATAL;
    *doomed = rd_kafka_error_txn_requires_abort(error);
    if (producer_fenced(&x->producer, err))
        st = PEN_FATAL;
    else if (rd_kafka_error_is_fatal(error))
        pen_fail(err, st, "kafka %s: %s of %s: %s", t->o->brokers, what, x->id, rd_kafka_error_string(error));
    else
        st = pen_fail(err, *doomed || rd_kafka_error_is_retriable(error) || client_error_is_passing(code) ? PEN_RETRY : PEN_FATAL,
                      "kafka %s: %s of %s: %s", t->o->brokers, what, x->id, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return st;
}

/* -- opening and closing --------------------------------------------------------------------------------------------------------------- */

/* A producer under the transaction's name: whatever it had open before has been committed or aborted afterwards. */
static pen_status open_one(struct txns *t, struct txn *x, struct pen_error *err)
{
    bool doomed;
    rd_kafka_error_t *error;
    pen_status st = producer_open(&x->producer, t->host, t->o, x->id, err);
    if (st != PEN_OK)
        return st;
    error = rd_kafka_init_transactions(x->producer.client.rk, 3 * wait_ms(t));
    if (error) {
        struct pen_error cause = { 0 };
        st = client_trouble(&x->producer.client, &cause);
        if (st == PEN_FATAL)
            pen_fail(err, st, "%s", cause.msg);
        st = fail(t, x, error, "init_transactions", &doomed, err);
        producer_close(&x->producer);
    }
    return st;
}

pen_status txns_open(struct txns *t, const struct pen_host *host, const struct options *o, struct pen_error *err)
{
    const char *pipeline = pen_pipeline_name(host), *stage = pen_stage_name(host);
    size_t size = strlen(pipeline) + strlen(stage) + 32;
    pen_status st = PEN_OK;
    memset(t, 0, sizeof *t);
    t->host = host;
    t->o = o;
    pthread_mutex_init(&t->lock, NULL);
    t->topic = malloc(size + (o->positions_topic ? strlen(o->positions_topic) : 0));
    if (!t->topic)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    else if (o->positions_topic)
        strcpy(t->topic, o->positions_topic);
    else
        snprintf(t->topic, size, "%s.%s.positions", pipeline, stage);
    for (int i = 0; i < 2 && st == PEN_OK; i++) {
        t->v[i].id = malloc(size);
        if (!t->v[i].id)
            st = pen_fail(err, PEN_FATAL, "out of memory");
        else
            snprintf(t->v[i].id, size, "%s/%s/%d", pipeline, stage, i);
    }
    if (st == PEN_OK)
        st = topic_ensure_compacted(host, o, t->topic, err);
    for (int i = 0; i < 2 && st == PEN_OK; i++)
        st = open_one(t, &t->v[i], err);
    if (st == PEN_OK)
        st = positions_load(&t->shown, host, o, t->topic, err);
    t->known = st == PEN_OK;
    if (st != PEN_OK)
        txns_close(t);
    return st;
}

void txns_close(struct txns *t)
{
    if (!t->o)
        return;
    for (int i = 0; i < 2; i++) {
        if (t->v[i].producer.client.rk && t->v[i].state != TXN_NONE) { /* else the next start has to wait for its timeout */
            rd_kafka_error_t *error = rd_kafka_abort_transaction(t->v[i].producer.client.rk, wait_ms(t));
            if (error)
                rd_kafka_error_destroy(error);
        }
        if (t->v[i].producer.client.rk && t->v[i].sender.p)
            sender_end(&t->v[i].sender);
        producer_close(&t->v[i].producer);
        free(t->v[i].id);
    }
    positions_clear(&t->shown);
    free(t->topic);
    pthread_mutex_destroy(&t->lock);
    t->o = NULL;
}

/* -- lanes -------------------------------------------------------------------------------------------------------------------------------- */

struct txn *txns_begin(struct txns *t, uint64_t number)
{
    pthread_mutex_lock(&t->lock);
    if (number > t->open)
        t->open = number;
    pthread_mutex_unlock(&t->lock);
    return &t->v[number & 1];
}

pen_status txn_enter(struct txns *t, struct txn *x, struct pen_error *err)
{
    rd_kafka_error_t *error;
    pen_status st = PEN_OK;
    bool doomed;
    pthread_mutex_lock(&t->lock);
    if (x->state == TXN_NONE) {
        error = rd_kafka_begin_transaction(x->producer.client.rk);
        if (error)
            st = fail(t, x, error, "begin_transaction", &doomed, err) == PEN_RETRY ? PEN_FATAL : PEN_FATAL;
        else
            x->state = TXN_OPEN;
    } else if (x->state != TXN_OPEN) {
        st = PEN_SKIP;
    }
    pthread_mutex_unlock(&t->lock);
    return st;
}

void txn_doom(struct txns *t, struct txn *x)
{
    pthread_mutex_lock(&t->lock);
    if (x->state == TXN_OPEN)
        x->state = TXN_DOOMED;
    pthread_mutex_unlock(&t->lock);
}

bool txn_is_doomed(struct txns *t, struct txn *x)
{
    bool doomed;
    pthread_mutex_lock(&t->lock);
    doomed = x->state == TXN_DOOMED || x->state == TXN_UNCLEAR;
    pthread_mutex_unlock(&t->lock);
    return doomed;
}

static txn_state state_of(struct txns *t, const struct txn *x)
{
    txn_state state;
    pthread_mutex_lock(&t->lock);
    state = x->state;
    pthread_mutex_unlock(&t->lock);
    return state;
}
static void set_state(struct txns *t, struct txn *x, txn_state state)
{
    pthread_mutex_lock(&t->lock);
    x->state = state;
    pthread_mutex_unlock(&t->lock);
}

/* -- control ------------------------------------------------------------------------------------------------------------------------------ */

static pen_status abort_one(struct txns *t, struct txn *x, struct pen_error *err)
{
    bool doomed;
    rd_kafka_error_t *error = rd_kafka_abort_transaction(x->producer.client.rk, wait_ms(t));
    if (error)
        return fail(t, x, error, "abort_transaction", &doomed, err);
    set_state(t, x, TXN_NONE);
    return PEN_OK;
}

/* A commit whose answer was lost: a new producer of the name waits until the broker has carried it out or not; then the topic tells. */
static pen_status clear_up(struct txns *t, struct txn *x, struct pen_error *err)
{
    pen_status st;
    if (x->sender.p && x->producer.client.rk)
        sender_end(&x->sender);
    producer_close(&x->producer);
    st = open_one(t, x, err);
    if (st != PEN_OK)
        return st;
    set_state(t, x, TXN_NONE);
    t->known = false;
    return PEN_OK;
}

static pen_status load(struct txns *t, struct pen_error *err)
{
    pen_status st = t->known ? PEN_OK : positions_load(&t->shown, t->host, t->o, t->topic, err);
    t->known = st == PEN_OK;
    return st;
}

static pen_status settle_one(struct txns *t, struct txn *x, struct pen_error *err)
{
    txn_state state = state_of(t, x);
    if (!x->producer.client.o || state == TXN_UNCLEAR)
        return clear_up(t, x, err);
    return state == TXN_DOOMED ? abort_one(t, x, err) : PEN_OK;
}

pen_status txns_settle(struct txns *t, struct pen_error *err)
{
    pen_status st = settle_one(t, &t->v[0], err);
    if (st == PEN_OK)
        st = settle_one(t, &t->v[1], err);
    return st == PEN_OK ? load(t, err) : st;
}

static bool bases_hold(const struct txns *t, const struct pen_plan *plan)
{
    for (size_t i = 0; i < plan->n_moves; i++) {
        const struct kept *k = positions_find(&t->shown, plan->moves[i].key);
        if (k ? !plan->moves[i].base.n || pen_position_compare(&k->at, &plan->moves[i].base) != 0 : plan->moves[i].base.n != 0)
            return false;
    }
    return true;
}

static bool is_shown(const struct txns *t, const struct txn *x, const struct pen_plan *plan)
{
    const struct kept *k = positions_find(&t->shown, x->id);
    return k && strcmp(k->plan, plan->id) == 0;
}

/* One record into the positions topic; the transaction's own name stands for the plan as a whole. */
static pen_status send_position(const struct txns *t, struct sender *s, rd_kafka_topic_t *topic, const char *key, const char *plan,
                                const struct pen_position *at, struct pen_error *err)
{
    char value[PLAN_ID_SIZE + 128];
    struct record r = { .key = key, .key_size = strlen(key), .value = value, .partition = RD_KAFKA_PARTITION_UA };
    r.value_size = position_write(value, sizeof value, plan, at);
    if (!r.value_size)
        return pen_fail(err, PEN_FATAL, "kafka %s: a plan's id of %zu bytes", t->o->brokers, strlen(plan));
    return sender_send(s, topic, &r, NULL, err);
}

/* May be repeated: the last record of a key counts. */
static pen_status send_positions(struct txns *t, struct txn *x, const struct pen_plan *plan, struct pen_error *err)
{
    rd_kafka_topic_t *topic;
    pen_status st = producer_topic(&x->producer, t->topic, &topic, err);
    if (!atomic_load(&x->sender.records))
        sender_init(&x->sender, &x->producer);
    for (size_t i = 0; i < plan->n_moves && st == PEN_OK; i++)
        st = send_position(t, &x->sender, topic, plan->moves[i].key, plan->id, &plan->moves[i].to, err);
    if (st == PEN_OK)
        st = send_position(t, &x->sender, topic, x->id, plan->id, &(struct pen_position){ 0 }, err);
    if (st == PEN_OK)
        st = sender_wait(&x->sender, err);
    if (st == PEN_OK && x->sender.doomed) {
        txn_doom(t, x);
        st = pen_fail(err, PEN_RETRY, "kafka %s: the positions of a commit could not be written", t->o->brokers);
    }
    return st;
}

static void take_over(struct txns *t, const struct txn *x, const struct pen_plan *plan)
{
    struct pen_error err = { 0 };
    pen_status st = positions_set(&t->shown, x->id, strlen(x->id), plan->id, &(struct pen_position){ 0 }, &err);
    for (size_t i = 0; i < plan->n_moves && st == PEN_OK; i++)
        st = positions_set(&t->shown, plan->moves[i].key, strlen(plan->moves[i].key), plan->id, &plan->moves[i].to, &err);
    t->known = st == PEN_OK;
}

/* commit_transaction(), once. */
static pen_status commit(struct txns *t, struct txn *x, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    rd_kafka_error_t *error;
    bool doomed;
    pen_status st = pen_failpoint("kafka.before-commit", err);
    if (st < 0)
        return st;
    error = rd_kafka_commit_transaction(x->producer.client.rk, wait_ms(t));
    if (!error) {
        set_state(t, x, TXN_NONE);
        take_over(t, x, plan);
        *outcome = PEN_PUBLISH_DONE;
        return pen_failpoint("kafka.after-commit", err);
    }
    st = fail(t, x, error, "commit_transaction", &doomed, err);
    if (st == PEN_FATAL)
        return st;
    set_state(t, x, doomed ? TXN_DOOMED : TXN_UNCLEAR);
    return st; /* asked again: then it is looked up */
}

/* The transaction that takes a plan without rows of its own: the one that lanes do not write into. */
static struct txn *txn_of(struct txns *t, const struct pen_plan *plan)
{
    uint64_t number;
    pthread_mutex_lock(&t->lock);
    number = plan->number ? plan->number : t->open + 1;
    pthread_mutex_unlock(&t->lock);
    return &t->v[number & 1];
}

pen_status txns_publish(struct txns *t, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct txn *x = txn_of(t, plan);
    bool lost = txn_is_doomed(t, x) || !x->producer.client.o;
    pen_status st;
    *outcome = PEN_PUBLISH_UNKNOWN;
    if (lost) { /* its rows are gone, unless it was carried out after all */
        st = settle_one(t, x, err);
        if (st == PEN_OK)
            st = load(t, err);
        if (st != PEN_OK)
            return st;
        *outcome = is_shown(t, x, plan) ? PEN_PUBLISH_DONE : PEN_PUBLISH_REFUSED;
        return PEN_OK;
    }
    if (!bases_hold(t, plan)) {
        txn_doom(t, x);
        *outcome = PEN_PUBLISH_REFUSED;
        return PEN_OK;
    }
    st = txn_enter(t, x, err);
    if (st == PEN_OK)
        st = send_positions(t, x, plan, err);
    return st == PEN_OK ? commit(t, x, plan, outcome, err) : st;
}
