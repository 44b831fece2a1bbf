/* pace.c - see <penstock/pace.h>. The next one's due time is the whole state. SPDX-License-Identifier: Apache-2.0 */
#include <penstock/pace.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct pen_pace {
    pthread_mutex_t lock;
    double per_us;
    double due; /* when the next may go, microseconds */
    bool begun;
};

pen_status pen_pace_new(struct pen_pace **out, double per_second, struct pen_error *err)
{
    *out = NULL;
    if (per_second <= 0)
        return PEN_OK;
    struct pen_pace *p = calloc(1, sizeof *p);
    if (!p)
        return pen_fail(err, PEN_FATAL, "out of memory");
    pthread_mutex_init(&p->lock, NULL);
    p->per_us = per_second / 1e6;
    *out = p;
    return PEN_OK;
}

void pen_pace_free(struct pen_pace **p)
{
    if (*p) {
        pthread_mutex_destroy(&(*p)->lock);
        free(*p);
        *p = NULL;
    }
}

int64_t pen_pace_take(struct pen_pace *p, int64_t now, int64_t want)
{
    if (!p || want <= 0)
        return want;
    pthread_mutex_lock(&p->lock);
    int64_t n = 0;
    if (!p->begun || p->due < (double)now - 1e6) {
        p->due = p->begun ? (double)now - 1e6 : (double)now;
        p->begun = true;
    }
    if (p->due <= (double)now) {
        double may = ((double)now - p->due) * p->per_us + 1;
        n = may < (double)want ? (int64_t)may : want;
        p->due += (double)n / p->per_us;
    }
    pthread_mutex_unlock(&p->lock);
    return n;
}

void pen_pace_give_back(struct pen_pace *p, int64_t n)
{
    if (!p || n <= 0)
        return;
    pthread_mutex_lock(&p->lock);
    p->due -= (double)n / p->per_us;
    pthread_mutex_unlock(&p->lock);
}

int64_t pen_pace_at(struct pen_pace *p)
{
    if (!p)
        return 0;
    pthread_mutex_lock(&p->lock);
    double at = p->due + (p->per_us > 20e-6 ? 50e3 : 0);
    pthread_mutex_unlock(&p->lock);
    return at < 9e18 ? (int64_t)at + 1 : INT64_MAX;
}
