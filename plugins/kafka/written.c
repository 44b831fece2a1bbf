/* written.c - ends of the partitions that writers of this process have written, for its readers.
 * They are kept for the life of the process: a run may read on after its writers are gone. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

struct written {
    struct written *next;
    int64_t *ends;
    int32_t n;
    char key[]; /* brokers, NUL, topic */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct written *all;

static struct written *find(const char *brokers, const char *topic)
{
    for (struct written *w = all; w; w = w->next)
        if (strcmp(w->key, brokers) == 0 && strcmp(w->key + strlen(w->key) + 1, topic) == 0)
            return w;
    return NULL;
}

static struct written *add(const char *brokers, const char *topic)
{
    size_t a = strlen(brokers) + 1, b = strlen(topic) + 1;
    struct written *w = calloc(1, sizeof *w + a + b);
    if (!w)
        return NULL;
    memcpy(w->key, brokers, a);
    memcpy(w->key + a, topic, b);
    w->next = all;
    all = w;
    return w;
}

static bool make_room(struct written *w, int32_t partition)
{
    int64_t *ends;
    if (partition < w->n)
        return true;
    ends = realloc(w->ends, ((size_t)partition + 1) * sizeof *ends);
    if (!ends)
        return false;
    for (int32_t i = w->n; i <= partition; i++)
        ends[i] = -1;
    w->ends = ends;
    w->n = partition + 1;
    return true;
}

void written_note(const char *brokers, const char *topic, int32_t partition, int64_t end)
{
    struct written *w;
    if (partition < 0)
        return;
    pthread_mutex_lock(&lock);
    w = find(brokers, topic);
    if (!w)
        w = add(brokers, topic);
    if (w && make_room(w, partition) && end > w->ends[partition])
        w->ends[partition] = end;
    pthread_mutex_unlock(&lock);
}

int64_t written_end(const char *brokers, const char *topic, int32_t partition)
{
    int64_t end = -1;
    pthread_mutex_lock(&lock);
    const struct written *w = find(brokers, topic);
    if (w && partition >= 0 && partition < w->n)
        end = w->ends[partition];
    pthread_mutex_unlock(&lock);
    return end;
}
