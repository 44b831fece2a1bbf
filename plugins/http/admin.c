/* admin.c - questions about what lies behind: what has partitions, what is to be made and deleted. They may take as long as the service behind takes, so a
 * thread of their own asks them one after the other. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "gateway.h"

#define PARTITIONS_MAX 100000

/* -- asking -------------------------------------------------------------------------------------------------------------------------------- */

static bool behind_failed(struct request *r, pen_status st, const struct pen_error *err)
{
    if (st == PEN_RETRY)
        return refuse(&r->why, 503, 503, NULL, "%.150s", err->msg);
    return refuse(&r->why, st == PEN_SKIP ? 501 : 400, st == PEN_SKIP ? 501 : 400, "ValidationException", "%.150s",
                  st == PEN_SKIP ? "what lies behind cannot do that" : err->msg);
}

static int64_t find_column(const struct ArrowSchema *schema, const char *name)
{
    for (int64_t i = 0; i < schema->n_children; i++)
        if (strcmp(schema->children[i]->name, name) == 0)
            return i;
    return -1;
}

/* How many partitions the topic has: what the transport says, one where it says nothing. */
static bool ask_partitions(struct gateway *g, struct request *r, int64_t *out)
{
    struct ArrowSchema schema = { 0 };
    struct ArrowArray batch = { 0 };
    struct pen_error err = { 0 };
    pen_status st = pen_behind(g->host, g->outputs[r->output].name, "describe", r->route.name, NULL, &schema, &batch, &err);
    int64_t column;
    *out = 1;
    if (st == PEN_OK) {
        *out = batch.length;
        column = find_column(&schema, "partitions");
        if (column >= 0 && batch.length == 1) { /* one row that says how many */
            struct pen_column c = pen_column_at(&batch, column);
            *out = pen_column_int64(&c, 0);
        }
        *out = *out < PARTITIONS_MAX ? *out : PARTITIONS_MAX;
    }
    if (batch.release)
        pen_array_release(&batch);
    if (schema.release)
        pen_schema_release(&schema);
    return st >= 0 || behind_failed(r, st, &err);
}

/* -- replies --------------------------------------------------------------------------------------------------------------------------------- */

static void put_partition(struct pen_text *t, int64_t i)
{
    pen_text_format(t, "{\"partition\":%" PRId64 ",\"leader\":-1,\"replicas\":[]}", i);
}

static void put_partitions(struct pen_text *t, int64_t n)
{
    pen_text_put(t, "[");
    for (int64_t i = 0; i < n; i++) {
        pen_text_put(t, i ? "," : "");
        put_partition(t, i);
    }
    pen_text_put(t, "]");
}

static void put_stream(struct pen_text *t, const char *name, int64_t n)
{
    pen_text_format(t, "{\"StreamDescription\":{\"StreamName\":\"%s\",\"StreamARN\":\"arn:aws:kinesis:us-east-1:000000000000:stream/%s\",\"StreamStatus\":\"ACTIVE\","
                       "\"Shards\":[", name, name);
    for (int64_t i = 0; i < n; i++)
        pen_text_format(t, "%s{\"ShardId\":\"shardId-%012" PRId64 "\",\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"0\"}}", i ? "," : "", i);
    pen_text_put(t, "],\"HasMoreShards\":false,\"RetentionPeriodHours\":24,\"EnhancedMonitoring\":[{\"ShardLevelMetrics\":[]}],\"EncryptionType\":\"NONE\"}}");
}

static bool describe(struct gateway *g, struct request *r)
{
    int64_t n;
    if (!ask_partitions(g, r, &n))
        return false;
    if (r->route.action == DO_PARTITION) {
        if (r->route.partition >= n)
            return refuse(&r->why, 404, 40402, NULL, "Partition not found.");
        put_partition(&r->reply, r->route.partition);
    } else if (r->route.action == DO_PARTITIONS) {
        put_partitions(&r->reply, n);
    } else if (r->route.api == API_KINESIS) {
        put_stream(&r->reply, r->route.name, n);
    } else {
        pen_text_format(&r->reply, "{\"name\":\"%s\",\"configs\":{},\"partitions\":", r->route.name);
        put_partitions(&r->reply, n);
        pen_text_put(&r->reply, "}");
    }
    return true;
}

/* {"ShardCount": n}; one where not given. */
static bool shard_count(struct request *r, long long *out)
{
    struct slice name, value;
    struct scan s;
    bool first = true;
    *out = 1;
    scan_init(&s, r->body, r->n);
    if (r->n == 0 || scan_at_end(&s))
        return true;
    if (!scan_enter(&s, '{'))
        return refuse_json(&r->why, &s, "SerializationException");
    while (scan_key(&s, &first, &name)) {
        if (!scan_value(&s, &value))
            break;
        if (slice_is(&name, "ShardCount") && (!slice_to_int(&value, 10000, out) || *out < 1))
            return refuse(&r->why, 400, 0, "ValidationException", "ShardCount: expected a whole number from 1 to 10000");
    }
    return s.why || !scan_at_end(&s) ? refuse_json(&r->why, &s, "SerializationException") : true;
}

static bool change(struct gateway *g, struct request *r)
{
    const char *option = "partitions", *value;
    struct pen_pairs options = { 1, &option, &value };
    struct ArrowSchema schema = { 0 };
    struct ArrowArray batch = { 0 };
    struct pen_error err = { 0 };
    bool create = r->route.action == DO_CREATE;
    char count[24];
    long long n = 1;
    pen_status st;
    if (create && !shard_count(r, &n))
        return false;
    snprintf(count, sizeof count, "%lld", n);
    value = count;
    st = pen_behind(g->host, g->outputs[r->output].name, create ? "create" : "delete", r->route.name, create ? &options : NULL, &schema, &batch, &err);
    if (batch.release)
        pen_array_release(&batch);
    if (schema.release)
        pen_schema_release(&schema);
    return st == PEN_OK || behind_failed(r, st, &err);
}

/* -- the thread -------------------------------------------------------------------------------------------------------------------------------- */

static void answer(struct gateway *g, struct request *r)
{
    bool good;
    pen_text_clear(&r->reply);
    good = r->route.action == DO_CREATE || r->route.action == DO_DELETE ? change(g, r) : describe(g, r);
    if (good)
        return;
    pen_text_clear(&r->reply);
    reply_refused(&r->reply, r->route.api, &r->why);
}

static void *run(void *arg)
{
    struct gateway *g = arg;
    pthread_mutex_lock(&g->lock);
    while (!g->quit || g->asked.first) {
        struct requests one;
        struct request *r = g->asked.first;
        if (!r) {
            pthread_cond_wait(&g->asked_changed, &g->lock);
            continue;
        }
        g->asked.first = r->next;
        r->next = NULL;
        pthread_mutex_unlock(&g->lock);
        answer(g, r);
        one = (struct requests){ r, &r->next };
        pthread_mutex_lock(&g->lock);
        requests_join(&g->answered, &one);
        if (eventfd_write(g->wake_server, 1) < 0)
            continue; /* it is readable already */
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

pen_status admin_start(struct gateway *g, struct pen_error *err)
{
    int failed;
    pthread_cond_init(&g->asked_changed, NULL);
    failed = pthread_create(&g->admin_thread, NULL, run, g);
    return failed ? pen_fail(err, PEN_FATAL, "a thread could not be started: %s", strerror(failed)) : PEN_OK;
}

void admin_ask(struct gateway *g, struct request *r)
{
    pthread_mutex_lock(&g->lock);
    requests_push(&g->asked, r);
    pthread_cond_signal(&g->asked_changed);
    pthread_mutex_unlock(&g->lock);
}

/* g->quit is set. */
void admin_stop(struct gateway *g)
{
    pthread_mutex_lock(&g->lock);
    pthread_cond_signal(&g->asked_changed);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->admin_thread, NULL);
    pthread_cond_destroy(&g->asked_changed);
}
