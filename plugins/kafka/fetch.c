/* fetch.c - what librdkafka fetches ahead of the lanes: how much of it, from where, and that it goes on in time. SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <stdlib.h>

#include "group.h"

#define LARGE_BUFFER (1088 << 10)

/* Memory: what waits in a partition's queue, by bytes and by number, what one answer may hold, and one answer's share of a partition.
 * `librdkafka.NAME` overrules. */
static const struct {
    const char *name, *value;
} bounded[] = {
    { "queued.max.messages.kbytes", "1024" }, { "queued.min.messages", "10000" }, { "fetch.max.bytes", "4194304" },
    { "max.partition.fetch.bytes", "1048576" }, { "fetch.wait.max.ms", "100" },
};

/* A producer's batch holds up to 1 MB, and is unpacked into a buffer that lives as long as its messages. Where malloc asks the kernel for each of them,
 * as it is told to for the buffers of lanes (core/cli/main.c), every page is cleared and mapped anew: a tenth of all that reading a topic costs. */
static void keep_buffers(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER);
#endif
}

static int64_t number(const rd_kafka_conf_t *conf, const char *name)
{
    char text[32];
    size_t size = sizeof text;
    return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK ? strtoll(text, NULL, 10) : 0;
}

/* A queue that is full is looked at again after this time, where librdkafka (since 2.2) has the property; before that it takes up to a second, in
 * which a lane takes all that waits a hundred times over, so the lanes say when there is room (fetch_go_on()). */
static bool looks_again(const struct group *g, rd_kafka_conf_t *conf)
{
    static const char name[] = "fetch.queue.backoff.ms";
    return client_is_given(g->o, name) || rd_kafka_conf_set(conf, name, "2", NULL, 0) == RD_KAFKA_CONF_OK;
}

pen_status fetch_configure(struct group *g, rd_kafka_conf_t *conf, struct pen_error *err)
{
    int64_t bytes, messages;
    for (size_t i = 0; i < sizeof bounded / sizeof *bounded; i++)
        if (!client_is_given(g->o, bounded[i].name) && client_set(conf, bounded[i].name, bounded[i].value, err) < 0)
            return PEN_BADCONF;
    keep_buffers();
    bytes = number(conf, "queued.max.messages.kbytes") * 1000;
    messages = number(conf, "queued.min.messages");
    g->each_weighs = messages > 0 ? bytes / messages : 0;
    g->wake_after = looks_again(g, conf) ? INT64_MAX : bytes / 2;
    return PEN_OK;
}

void fetch_go_on(struct group *g, struct part *p, size_t messages, size_t bytes)
{
    const struct options *o = g->o;
    rd_kafka_error_t *error;
    p->taken += (int64_t)bytes + (int64_t)messages * g->each_weighs;
    if (p->taken < g->wake_after)
        return;
    p->taken = 0;
    /* The one call that has librdkafka's threads look at their queues and is no more than that: the credentials are those that it has. */
    error = rd_kafka_sasl_set_credentials(g->client.rk, o->user ? o->user : "", o->password ? o->password : "");
    if (error)
        rd_kafka_error_destroy(error);
}

pen_status fetch_from(struct group *g, struct part *p, int64_t offset, struct pen_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_error_t *error = NULL;
    pen_status st = PEN_OK;
    rd_kafka_topic_partition_list_add(list, g->o->topic, p->number)->offset = offset;
    pthread_mutex_lock(&g->lock);
    if (p->state != PART_GONE) {
        /* Out and in again, as a seek that comes too early is lost without a word. */
        if (p->fetched)
            error = rd_kafka_incremental_unassign(g->client.rk, list);
        if (!error)
            error = rd_kafka_incremental_assign(g->client.rk, list);
        p->fetched = !error;
        p->at = offset;
        p->eof = -1;
        p->taken = 0;
    }
    if (error && !g->closing && !rd_kafka_fatal_error(g->client.rk, NULL, 0))
        st = pen_fail(err, PEN_FATAL, "kafka %s: topic %s, partition %d cannot be read from %lld: %s", g->o->brokers, g->o->topic, (int)p->number,
                      (long long)offset, rd_kafka_error_string(error));
    pthread_mutex_unlock(&g->lock);
    if (error)
        rd_kafka_error_destroy(error);
    rd_kafka_topic_partition_list_destroy(list);
    return st;
}
