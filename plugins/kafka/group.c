/* group.c - see group.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "group.h"

#define POLL_MS 50            /* at most this long until something that was asked of the thread is done */
#define GAUGES_EVERY 5000000  /* microseconds */
#define ASK_AGAIN 1000000     /* microseconds before offsets that could not be had are asked for again */

/* -- partitions; lock held for all of these ------------------------------------------------------------------------------------- */

struct part *group_part(struct group *g, uint32_t id)
{
    for (struct part *p = g->parts; p; p = p->next)
        if (p->id == id)
            return p;
    return NULL;
}

static struct part *part_of_number(struct group *g, int32_t number)
{
    for (struct part *p = g->parts; p; p = p->next)
        if (p->number == number && p->state != PART_GONE)
            return p;
    return NULL;
}

static void part_free(struct part *p)
{
    if (p->queue)
        rd_kafka_queue_destroy(p->queue);
    free(p->name);
    free(p);
}

static void remove_part(struct group *g, struct part *p)
{
    for (struct part **at = &g->parts; *at; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            part_free(p);
            return;
        }
}

static bool push_note(struct group *g, note_kind kind, uint32_t id)
{
    if (g->n_notes == g->cap_notes) {
        size_t cap = g->cap_notes ? 2 * g->cap_notes : 16;
        struct note *v = realloc(g->notes, cap * sizeof *v);
        if (!v)
            return false;
        g->notes = v;
        g->cap_notes = cap;
    }
    g->notes[g->n_notes++] = (struct note){ kind, id };
    return true;
}

static struct part *add_part(struct group *g, int32_t number)
{
    struct part *p = calloc(1, sizeof *p);
    size_t size = strlen(g->o->topic) + 16;
    if (!p || !(p->name = malloc(size))) {
        free(p);
        return NULL;
    }
    snprintf(p->name, size, "%s-%d", g->o->topic, (int)number);
    p->incarnation = g->topic_id ? g->topic_id : "";
    p->number = number;
    p->settle = p->stored = p->by_time = p->eof = -1;
    p->id = g->next_id++;
    p->next = g->parts;
    g->parts = p;
    return p;
}

static void give_up(struct group *g, const char *why)
{
    pthread_mutex_lock(&g->client.lock);
    if (g->client.trouble.code != PEN_FATAL)
        g->client.trouble = (struct pen_error){ 0 };
    pen_fail(&g->client.trouble, PEN_FATAL, "kafka %s: topic %s: %s", g->o->brokers, g->o->topic, why);
    pthread_mutex_unlock(&g->client.lock);
}

/* Removes from librdkafka's assignment what is fetched of the parts for which `which` holds. Without any it still tells the group that we agree. */
static void stop_fetching(struct group *g, bool (*which)(const struct part *))
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    rd_kafka_error_t *error;
    for (struct part *p = g->parts; p; p = p->next)
        if (which(p) && p->fetched) {
            rd_kafka_topic_partition_list_add(list, g->o->topic, p->number);
            p->fetched = false;
        }
    error = rd_kafka_incremental_unassign(g->client.rk, list);
    if (error) {
        pen_log(g->host, PEN_LOG_DEBUG, "incremental_unassign: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static bool is_revoking(const struct part *p)
{
    return p->state == PART_REVOKING;
}
static bool is_gone(const struct part *p)
{
    return p->state == PART_GONE;
}

/* -- the group's decisions --------------------------------------------------------------------------------------------------------- */

static void on_assign(struct group *g, const rd_kafka_topic_partition_list_t *given)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(1);
    rd_kafka_error_t *error = rd_kafka_incremental_assign(g->client.rk, none); /* agreed; what is fetched is the lanes' to say */
    rd_kafka_topic_partition_list_destroy(none);
    if (error)
        rd_kafka_error_destroy(error);
    pthread_mutex_lock(&g->lock);
    for (int i = 0; i < given->cnt; i++)
        if (!part_of_number(g, given->elems[i].partition) && !add_part(g, given->elems[i].partition))
            give_up(g, "out of memory");
    g->assigned_once = true;
    g->ask_at = 0;
    pthread_mutex_unlock(&g->lock);
}

/* Nobody waits for a commit any more. */
static void lose(struct group *g, struct part *p)
{
    p->state = PART_GONE;
    if (!push_note(g, NOTE_LOST, p->id))
        give_up(g, "out of memory");
}
static void lose_revoking(struct group *g)
{
    for (struct part *p = g->parts; p; p = p->next)
        if (p->state == PART_REVOKING)
            lose(g, p);
    g->revoking = false;
}

static void want_back(struct group *g, struct part *p)
{
    p->state = PART_REVOKING;
    g->revoking = true;
    g->revoke_deadline = pen_now(g->host) + g->patience;
    if (!push_note(g, NOTE_REVOKING, p->id))
        give_up(g, "out of memory");
}

/* lost: the group has given them to others already. */
static void on_revoke(struct group *g, const rd_kafka_topic_partition_list_t *taken, bool lost)
{
    pthread_mutex_lock(&g->lock);
    if (lost)
        lose_revoking(g);
    for (int i = 0; i < taken->cnt; i++) {
        struct part *p = part_of_number(g, taken->elems[i].partition);
        if (p && p->state == PART_FRESH)
            remove_part(g, p);
        else if (p && lost)
            lose(g, p);
        else if (p && p->state == PART_HELD)
            want_back(g, p);
    }
    if (!g->revoking)
        stop_fetching(g, is_gone);
    pthread_mutex_unlock(&g->lock);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *parts, void *opaque)
{
    struct client *c = opaque;
    struct group *g = c->owner;
    c->connected = true;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        on_assign(g, parts);
    else
        on_revoke(g, parts, g->closing || rd_kafka_assignment_lost(rk));
}

/* Too slow: better to lose some partitions than the place in the group. lock held. */
static void revoke_late(struct group *g)
{
    lose_revoking(g);
    pen_log(g->host, PEN_LOG_WARN, "topic %s: partitions that the group wants back could not be committed within half of max.poll.interval.ms; they are "
            "given up", g->o->topic);
    stop_fetching(g, is_gone);
}

/* Offsets that the group is to remember. lock held. */
static void commit_settled(struct group *g)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    for (struct part *p = g->parts; p; p = p->next) {
        if (p->settle >= 0 && p->state != PART_GONE) {
            if (!list)
                list = rd_kafka_topic_partition_list_new(16);
            rd_kafka_topic_partition_list_add(list, g->o->topic, p->number)->offset = p->settle;
        }
        p->settle = -1;
    }
    if (!list)
        return;
    rd_kafka_commit(g->client.rk, list, 1); /* a hint: what becomes of it changes nothing */
    rd_kafka_topic_partition_list_destroy(list);
}

static bool all_revoking_released(const struct group *g)
{
    for (const struct part *p = g->parts; p; p = p->next)
        if (p->state == PART_REVOKING && !p->released)
            return false;
    return true;
}

void group_release(struct group *g, uint32_t id)
{
    struct part *p, *next;
    pthread_mutex_lock(&g->lock);
    p = group_part(g, id);
    if (p) {
        p->released = true;
        if (p->state == PART_HELD) {
            p->state = PART_GONE;
            if (p->fetched)
                stop_fetching(g, is_gone);
        }
    }
    /* They leave librdkafka's assignment together: the first such call tells the group that all are free. */
    if (g->revoking && all_revoking_released(g)) {
        commit_settled(g);
        stop_fetching(g, is_revoking);
        g->revoking = false;
    }
    for (p = g->parts; p; p = next) {
        next = p->next;
        if (p->released && (p->state == PART_GONE || !g->revoking))
            remove_part(g, p);
    }
    pthread_mutex_unlock(&g->lock);
}

/* -- offsets ---------------------------------------------------------------------------------------------------------------------------- */

pen_status group_bounds(struct group *g, int32_t number, int64_t *low, int64_t *high, struct pen_error *err)
{
    char what[320];
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(g->client.rk, g->o->topic, number, low, high, (int)(g->o->timeout / 1000));
    if (!code)
        return PEN_OK;
    snprintf(what, sizeof what, "topic %s, partition %d", g->o->topic, (int)number);
    return client_fail(&g->client, code, what, NULL, err);
}

/* What the option `start` needs to know, of all fresh partitions at once. */
static rd_kafka_resp_err_t ask_start(struct group *g, rd_kafka_topic_partition_list_t *list)
{
    int wait = (int)(g->o->timeout / 1000);
    if (g->start.kind == START_STORED)
        return rd_kafka_committed(g->client.rk, list, wait);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = g->start.time;
    return rd_kafka_offsets_for_times(g->client.rk, list, wait);
}

static pen_status ask_offsets(struct group *g, rd_kafka_topic_partition_list_t *list, int64_t *bounds, struct pen_error *err)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    pen_status st = PEN_OK;
    for (int i = 0; i < list->cnt && st == PEN_OK; i++)
        st = group_bounds(g, list->elems[i].partition, &bounds[2 * i], &bounds[2 * i + 1], err);
    if (st != PEN_OK)
        return st;
    if (g->start.kind == START_STORED || g->start.kind == START_TIME)
        code = ask_start(g, list);
    for (int i = 0; i < list->cnt && !code; i++)
        code = list->elems[i].err;
    return code ? client_fail(&g->client, code, "offsets of the group or of a time", NULL, err) : PEN_OK;
}

/* lock held. */
static void take_offsets(struct group *g, const rd_kafka_topic_partition_list_t *list, const int64_t *bounds)
{
    for (int i = 0; i < list->cnt; i++) {
        struct part *p = part_of_number(g, list->elems[i].partition);
        int64_t offset = list->elems[i].offset;
        if (!p || p->state != PART_FRESH)
            continue;
        p->low = bounds[2 * i];
        p->high = bounds[2 * i + 1];
        if (g->start.kind == START_STORED)
            p->stored = offset >= 0 ? offset : -1;
        else if (g->start.kind == START_TIME)
            p->by_time = offset >= 0 ? offset : p->high; /* nothing as late as that */
        p->state = PART_HELD;
        if (!push_note(g, NOTE_ASSIGNED, p->id))
            give_up(g, "out of memory");
    }
}

/* Fresh partitions become known to the engine when their offsets are known here. */
static void settle_in(struct group *g)
{
    rd_kafka_topic_partition_list_t *list;
    struct pen_error err = { 0 };
    int64_t *bounds;
    pthread_mutex_lock(&g->lock);
    list = rd_kafka_topic_partition_list_new(16);
    for (const struct part *p = g->parts; p && pen_now(g->host) >= g->ask_at; p = p->next)
        if (p->state == PART_FRESH)
            rd_kafka_topic_partition_list_add(list, g->o->topic, p->number);
    pthread_mutex_unlock(&g->lock);
    bounds = calloc((size_t)list->cnt + 1, 2 * sizeof *bounds);
    if (!bounds) {
        give_up(g, "out of memory");
    } else if (list->cnt > 0 && ask_offsets(g, list, bounds, &err) != PEN_OK) {
        pthread_mutex_lock(&g->client.lock);
        if (g->client.trouble.code != PEN_FATAL)
            g->client.trouble = err;
        pthread_mutex_unlock(&g->client.lock);
        g->ask_at = pen_now(g->host) + ASK_AGAIN;
    } else if (list->cnt > 0) {
        pthread_mutex_lock(&g->lock);
        take_offsets(g, list, bounds);
        pthread_mutex_unlock(&g->lock);
    }
    free(bounds);
    rd_kafka_topic_partition_list_destroy(list);
}

/* -- the thread ---------------------------------------------------------------------------------------------------------------------------- */

static void show_lag(struct group *g)
{
    int64_t now = pen_now(g->host);
    if (now < g->gauges_at)
        return;
    g->gauges_at = now + GAUGES_EVERY;
    pthread_mutex_lock(&g->lock);
    for (struct part *p = g->parts; p; p = p->next) {
        int64_t low, high;
        if (!p->fetched || rd_kafka_get_watermark_offsets(g->client.rk, g->o->topic, p->number, &low, &high) || high < 0)
            continue;
        pen_gauge(g->host, "lag_records", p->name, high > p->at ? (double)(high - p->at) : 0);
    }
    pthread_mutex_unlock(&g->lock);
}

static void take_message(struct group *g, rd_kafka_message_t *m)
{
    struct pen_error err = { 0 };
    if (m->err && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        char what[300];
        snprintf(what, sizeof what, "topic %s, group %s", g->o->topic, g->o->group ? g->o->group : pen_reader_name(g->host));
        client_fail(&g->client, m->err, what, rd_kafka_message_errstr(m), &err);
        if (m->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && g->o->create)
            err.code = PEN_RETRY; /* its writer is about to make it */
        pthread_mutex_lock(&g->client.lock);
        if (g->client.trouble.code != PEN_FATAL)
            g->client.trouble = err;
        pthread_mutex_unlock(&g->client.lock);
    }
    rd_kafka_message_destroy(m);
}

static void *run(void *arg)
{
    struct group *g = arg;
    while (!g->closing) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(g->client.rk, POLL_MS);
        if (m)
            take_message(g, m);
        settle_in(g);
        show_lag(g);
        pthread_mutex_lock(&g->lock);
        commit_settled(g);
        if (g->revoking && pen_now(g->host) >= g->revoke_deadline)
            revoke_late(g);
        pthread_mutex_unlock(&g->lock);
    }
    pthread_mutex_lock(&g->lock);
    commit_settled(g);
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* -- opening and closing ----------------------------------------------------------------------------------------------------------------------- */

static pen_status make_conf(struct group *g, rd_kafka_conf_t **out, struct pen_error *err)
{
    char text[32];
    size_t size = sizeof text;
    const struct {
        const char *name, *value;
    } ours[] = {
        { "group.id", g->o->group ? g->o->group : pen_reader_name(g->host) }, { "group.instance.id", g->o->member },
        { "enable.auto.commit", "false" }, { "enable.auto.offset.store", "false" }, { "auto.offset.reset", "error" },
        { "isolation.level", "read_committed" }, { "enable.partition.eof", "true" }, { "partition.assignment.strategy", "cooperative-sticky" },
    };
    pen_status st = client_conf(&g->client, RD_KAFKA_CONSUMER, out, err);
    for (size_t i = 0; i < sizeof ours / sizeof *ours && st == PEN_OK; i++)
        if (ours[i].value)
            st = client_set(*out, ours[i].name, ours[i].value, err);
    if (st == PEN_OK)
        st = fetch_configure(g, *out, err);
    if (st == PEN_OK && rd_kafka_conf_get(*out, "max.poll.interval.ms", text, &size) == RD_KAFKA_CONF_OK)
        g->patience = strtoll(text, NULL, 10) * 1000 / 2;
    if (st == PEN_OK)
        rd_kafka_conf_set_rebalance_cb(*out, on_rebalance);
    else if (*out)
        rd_kafka_conf_destroy(*out);
    return st;
}

static pen_status subscribe(struct group *g, struct pen_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t code;
    rd_kafka_topic_partition_list_add(list, g->o->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_poll_set_consumer(g->client.rk);
    code = rd_kafka_subscribe(g->client.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? pen_fail(err, PEN_BADCONF, "topic = %s: %s", g->o->topic, rd_kafka_err2str(code)) : PEN_OK;
}

pen_status group_open(struct group *g, const struct options *o, const struct pen_host *host, struct pen_error *err)
{
    rd_kafka_conf_t *conf;
    pen_status st;
    memset(g, 0, sizeof *g);
    g->o = o;
    g->host = host;
    client_init(&g->client, host, o, g);
    pthread_mutex_init(&g->lock, NULL);
    st = kafka_start_parse(o->start, &g->start, err);
    if (st == PEN_OK)
        st = make_conf(g, &conf, err);
    if (st == PEN_OK)
        st = client_new(&g->client, RD_KAFKA_CONSUMER, conf, err);
    if (st == PEN_OK)
        st = subscribe(g, err);
    if (st == PEN_OK && pthread_create(&g->thread, NULL, run, g) != 0)
        st = pen_fail(err, PEN_FATAL, "no thread for the consumer group");
    g->running = st == PEN_OK;
    if (st != PEN_OK)
        group_close(g);
    return st;
}

void group_close(struct group *g)
{
    if (!g->o)
        return;
    g->closing = true;
    if (g->running) {
        pthread_join(g->thread, NULL);
        rd_kafka_consumer_close(g->client.rk);
    }
    while (g->parts)
        remove_part(g, g->parts);
    free(g->notes);
    free(g->topic_id);
    client_fini(&g->client);
    pthread_mutex_destroy(&g->lock);
    g->o = NULL;
}
