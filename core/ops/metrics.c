/* metrics.c - see metrics.h. A counter is split into stripes, a cache line each, so that lanes do not pass one line around.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ops/metrics.h"

#define STRIPES 8u
#define BUCKETS 1024u
#define SERIES_MAX 10000u

struct stripe {
    _Alignas(64) _Atomic int64_t n;
};
struct pen_metric {
    struct stripe stripes[STRIPES];
    _Atomic uint64_t value; /* of a gauge: the bits of a double */
    struct pen_metric *next; /* in its bucket */
    bool gauge;
    const char *stage, *name, *label; /* in `text` */
    char text[];
};
struct pen_metrics {
    pthread_rwlock_t lock; /* of the buckets and n */
    struct pen_metric *buckets[BUCKETS];
    size_t n;
};

static unsigned stripe_of_thread(void)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned mine;
    if (!mine)
        mine = atomic_fetch_add(&threads, 1) % STRIPES + 1;
    return mine - 1;
}

pen_status pen_metrics_new(struct pen_metrics **out, struct pen_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out || pthread_rwlock_init(&(*out)->lock, NULL) != 0) {
        free(*out);
        *out = NULL;
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    return PEN_OK;
}

void pen_metrics_free(struct pen_metrics **m)
{
    if (!*m)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while ((*m)->buckets[i]) {
            struct pen_metric *s = (*m)->buckets[i];
            (*m)->buckets[i] = s->next;
            free(s);
        }
    pthread_rwlock_destroy(&(*m)->lock);
    free(*m);
    *m = NULL;
}

static uint64_t hash_text(uint64_t h, const char *text) /* FNV-1a */
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (h ^ 0xFF) * UINT64_C(0x100000001b3);
}

static size_t bucket_of(const char *stage, const char *name, const char *label)
{
    return hash_text(hash_text(hash_text(UINT64_C(0xcbf29ce484222325), stage), name), label ? label : "") % BUCKETS;
}

static bool same_label(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Under the lock. */
static struct pen_metric *find(struct pen_metrics *m, size_t bucket, const char *stage, const char *name, const char *label)
{
    for (struct pen_metric *s = m->buckets[bucket]; s; s = s->next)
        if (strcmp(s->name, name) == 0 && strcmp(s->stage, stage) == 0 && same_label(s->label, label))
            return s;
    return NULL;
}

static struct pen_metric *series_new(const char *stage, const char *name, const char *label, bool gauge)
{
    size_t a = strlen(stage) + 1, b = strlen(name) + 1, c = label ? strlen(label) + 1 : 0;
    size_t size = (sizeof(struct pen_metric) + a + b + c + 63) / 64 * 64;
    struct pen_metric *s = aligned_alloc(64, size);
    if (!s)
        return NULL;
    memset(s, 0, size);
    memcpy(s->text, stage, a);
    memcpy(s->text + a, name, b);
    if (label)
        memcpy(s->text + a + b, label, c);
    s->stage = s->text;
    s->name = s->text + a;
    s->label = label ? s->text + a + b : NULL;
    s->gauge = gauge;
    return s;
}

struct pen_metric *pen_metrics_get(struct pen_metrics *m, const char *stage, const char *name, const char *label, bool gauge)
{
    size_t bucket = bucket_of(stage, name, label);
    struct pen_metric *s;
    pthread_rwlock_rdlock(&m->lock);
    s = find(m, bucket, stage, name, label);
    pthread_rwlock_unlock(&m->lock);
    if (s)
        return s;
    pthread_rwlock_wrlock(&m->lock);
    s = find(m, bucket, stage, name, label); /* another thread may have been faster */
    if (!s && m->n < SERIES_MAX && (s = series_new(stage, name, label, gauge))) {
        s->next = m->buckets[bucket];
        m->buckets[bucket] = s;
        m->n++;
    }
    pthread_rwlock_unlock(&m->lock);
    return s;
}

void pen_metric_add(struct pen_metric *s, int64_t n)
{
    if (s)
        atomic_fetch_add_explicit(&s->stripes[stripe_of_thread()].n, n, memory_order_relaxed);
}

void pen_metric_set(struct pen_metric *s, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (s)
        atomic_store_explicit(&s->value, bits, memory_order_relaxed);
}

static int64_t sum(struct pen_metric *s)
{
    int64_t n = 0;
    for (size_t i = 0; i < STRIPES; i++)
        n += atomic_load_explicit(&s->stripes[i].n, memory_order_relaxed);
    return n;
}

static int by_names(const void *a, const void *b)
{
    const struct pen_metric_value *x = a, *y = b;
    int order = strcmp(x->stage, y->stage);
    if (order == 0)
        order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->label ? x->label : "", y->label ? y->label : "");
}

pen_status pen_metrics_snapshot(struct pen_metrics *m, struct pen_metric_value **out, size_t *n, struct pen_error *err)
{
    struct pen_metric_value *v;
    size_t at = 0;
    pthread_rwlock_rdlock(&m->lock);
    v = calloc(m->n + 1, sizeof *v);
    for (size_t i = 0; v && i < BUCKETS; i++)
        for (struct pen_metric *s = m->buckets[i]; s; s = s->next) {
            uint64_t bits = atomic_load_explicit(&s->value, memory_order_relaxed);
            v[at] = (struct pen_metric_value){ .stage = s->stage, .name = s->name, .label = s->label, .gauge = s->gauge, .count = sum(s) };
            memcpy(&v[at++].value, &bits, sizeof bits);
        }
    pthread_rwlock_unlock(&m->lock);
    if (!v)
        return pen_fail(err, PEN_FATAL, "out of memory");
    qsort(v, at, sizeof *v, by_names);
    *out = v;
    *n = at;
    return PEN_OK;
}

int64_t pen_metrics_count(struct pen_metrics *m, const char *stage, const char *name, const char *label)
{
    struct pen_metric *s;
    pthread_rwlock_rdlock(&m->lock);
    s = find(m, bucket_of(stage, name, label), stage, name, label);
    pthread_rwlock_unlock(&m->lock);
    return s ? sum(s) : 0;
}
