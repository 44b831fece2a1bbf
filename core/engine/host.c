/* host.c - what plugins may ask of the engine. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <time.h>

#include "engine/host.h"
#include "ops/log.h"
#include "ops/metrics.h"

static int64_t microseconds(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
static int64_t system_now(void *arg)
{
    (void)arg;
    return microseconds(CLOCK_MONOTONIC);
}
static int64_t system_wall(void *arg)
{
    (void)arg;
    return microseconds(CLOCK_REALTIME);
}
const struct pen_clock pen_system_clock = { system_now, system_wall, NULL };

int64_t pen_now(const struct pen_host *host)
{
    const struct pen_clock *c = host ? host->run->clock : &pen_system_clock;
    return c->now(c->arg);
}
int64_t pen_wall_clock(const struct pen_host *host)
{
    const struct pen_clock *c = host ? host->run->clock : &pen_system_clock;
    return c->wall(c->arg);
}
int pen_wake_fd(const struct pen_host *host)
{
    return host->run->wake_fd;
}
bool pen_stopping(const struct pen_host *host)
{
    return atomic_load_explicit(&host->run->stopping, memory_order_relaxed);
}
bool pen_until_end(const struct pen_host *host)
{
    return host->run->until_end;
}
bool pen_checking(const struct pen_host *host)
{
    return host->run->checking;
}
const char *pen_reader_name(const struct pen_host *host)
{
    return host->reader_name ? host->reader_name : host->run->pipeline;
}
const char *pen_pipeline_name(const struct pen_host *host)
{
    return host->run->pipeline;
}
const char *pen_stage_name(const struct pen_host *host)
{
    return host->stage;
}
const char *pen_state_path(const struct pen_host *host)
{
    return host->run->state_path;
}
bool pen_stored_wanted(const struct pen_host *host)
{
    return host && host->stored_wanted;
}
int64_t pen_commit_interval(const struct pen_host *host)
{
    return host->run->commit_interval;
}
unsigned pen_lanes(const struct pen_host *host)
{
    return host->run->lanes;
}

void pen_log(const struct pen_host *host, pen_log_level level, const char *fmt, ...)
{
    va_list ap;
    if (!pen_log_wanted(level))
        return;
    va_start(ap, fmt);
    pen_log_vline(level, host ? host->run->pipeline : NULL, host ? host->stage : NULL, fmt, ap);
    va_end(ap);
}
void pen_count(const struct pen_host *host, const char *name, const char *label, int64_t n)
{
    if (host && host->run->metrics)
        pen_metric_add(pen_metrics_get(host->run->metrics, host->stage ? host->stage : "", name, label, false), n);
}
void pen_gauge(const struct pen_host *host, const char *name, const char *label, double value)
{
    if (host && host->run->metrics)
        pen_metric_set(pen_metrics_get(host->run->metrics, host->stage ? host->stage : "", name, label, true), value);
}
