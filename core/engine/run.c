/* run.c - see run.h. Threads are loops around the step functions of lanes and control. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine/dead.h"
#include "engine/run.h"
#include "engine/segment.h"
#include "engine/state.h"
#include "ops/metrics.h"

struct pen_engine {
    struct pen_graph *graph;
    struct pen_run_context *run;
    struct pen_state *state;
    struct pen_dead *dead;
    struct pen_host dead_host;
    struct pen_segment *segments;
    size_t n_segments;
    int done_fd;
    int64_t started;
    pthread_mutex_t lock;
    size_t running;   /* segments whose control has not ended; lock */
    pen_status worst; /* lock */
    struct pen_error error;
    struct pen_report_sink *report;
};

static struct pen_engine *the_engine; /* lanes are started from control without an argument of their own: one run a process */

pen_status pen_run_context_init(struct pen_run_context *run, const char *pipeline, const char *state_path, unsigned lanes, struct pen_error *err)
{
    memset(run, 0, sizeof *run);
    run->pipeline = pipeline;
    run->state_path = state_path;
    run->clock = &pen_system_clock;
    run->lanes = lanes ? lanes : 1;
    run->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (run->wake_fd < 0)
        return pen_fail(err, PEN_FATAL, "eventfd: %s", strerror(errno));
    if (getrandom(run->run_id, sizeof run->run_id, 0) != (ssize_t)sizeof run->run_id)
        return pen_fail(err, PEN_FATAL, "getrandom: %s", strerror(errno));
    return pen_metrics_new(&run->metrics, err);
}

void pen_run_context_fini(struct pen_run_context *run)
{
    if (run->wake_fd >= 0)
        close(run->wake_fd);
    pen_metrics_free(&run->metrics);
}

void pen_run_context_stop(struct pen_run_context *run)
{
    uint64_t one = 1;
    atomic_store(&run->stopping, true);
    if (write(run->wake_fd, &one, sizeof one) < 0)
        return; /* it is readable already */
}

/* -- threads ----------------------------------------------------------------------------------------------------------------------- */

static void drain(int fd)
{
    uint64_t n;
    if (read(fd, &n, sizeof n) < 0 && errno != EAGAIN)
        return; /* nothing to drain */
}

/* Waits for a descriptor or until `at` (pen_now). fds[0] is an eventfd of ours. */
static void wait_for(const struct pen_run_context *run, const int *fds, size_t n, int64_t at)
{
    struct pollfd p[18];
    int64_t left = at == INT64_MAX ? -1 : at - run->clock->now(run->clock->arg);
    int ms = left < 0 ? (at == INT64_MAX ? -1 : 0) : left > 3600000000 ? 3600000 : (int)((left + 999) / 1000);
    for (size_t i = 0; i < n; i++)
        p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    if (poll(p, n, ms) > 0 && p[0].revents)
        drain(fds[0]);
}

static void *lane_thread(void *arg)
{
    struct pen_lane *lane = arg;
    for (;;) {
        pen_step step = pen_lane_step(lane);
        int fds[17];
        if (step == PEN_STEP_DONE || step == PEN_STEP_FAILED)
            return NULL;
        if (step == PEN_STEP_IDLE)
            wait_for(lane->seg->run, fds, pen_lane_fds(lane, fds, 17), pen_lane_wake_at(lane));
        else if (step == PEN_STEP_BLOCKED)
            wait_for(lane->seg->run, &lane->wake_fd, 1, pen_lane_retry_at(lane));
    }
}

/* seg->lock is held by the caller. */
static void start_lane(struct pen_lane *lane)
{
    int e = pthread_create(&lane->thread, NULL, lane_thread, lane);
    if (!e)
        return;
    lane->running = false;
    lane->seg->lanes_running--;
    if (!lane->seg->failed) {
        lane->seg->failed = true;
        pen_fail(&lane->seg->error, PEN_FATAL, "a thread for a lane could not be started: %s", strerror(e));
    }
}

/* Segments that read what this one wrote now know where that ends. */
static void tell_downstream(struct pen_engine *e, size_t done)
{
    for (size_t i = 0; i < e->n_segments; i++) {
        struct pen_segment *seg = &e->segments[i];
        bool all = true, concerned = false;
        for (size_t u = 0; u < seg->def->n_upstream; u++) {
            concerned = concerned || seg->def->upstream[u] == done;
            all = all && e->segments[seg->def->upstream[u]].control_done;
        }
        if (!concerned || !all)
            continue;
        pen_segment_upstream_done(seg);
    }
}

static void control_ended(struct pen_engine *e, struct pen_segment *seg)
{
    uint64_t one = 1;
    bool failed;
    pthread_mutex_lock(&seg->lock);
    seg->finished = true;
    failed = seg->failed;
    for (unsigned l = 0; l < seg->lanes_running; l++)
        pen_lane_signal(&seg->lanes[l]);
    pthread_mutex_unlock(&seg->lock);
    pthread_mutex_lock(&e->lock);
    seg->control_done = true;
    e->running--;
    if (failed && e->worst == PEN_OK) {
        e->worst = seg->error.code < 0 ? seg->error.code : PEN_FATAL;
        e->error = seg->error;
    }
    if (!failed)
        tell_downstream(e, (size_t)(seg - e->segments));
    pthread_mutex_unlock(&e->lock);
    if (failed)
        pen_engine_stop(e);
    if (write(e->done_fd, &one, sizeof one) < 0)
        return; /* it is readable already */
}

static void *control_thread(void *arg)
{
    struct pen_segment *seg = arg;
    for (;;) {
        pen_step step = pen_control_step(seg);
        if (step == PEN_STEP_DONE || step == PEN_STEP_FAILED)
            break;
        if (step != PEN_STEP_WORKED)
            wait_for(seg->run, &seg->wake_ctl, 1, seg->wake_at);
    }
    control_ended(the_engine, seg);
    return NULL;
}

/* -- the run ------------------------------------------------------------------------------------------------------------------------ */

static pen_status open_dead(struct pen_engine *e, const char *path, struct pen_error *err)
{
    char own[4096];
    e->dead_host = (struct pen_host){ e->run, "deadletter", NULL, false };
    if (path)
        return pen_dead_new(&e->dead, &e->dead_host, path, true, err);
    if (pen_url_join(own, sizeof own, e->run->state_path, "dead", err) < 0)
        return PEN_FATAL;
    return pen_dead_new(&e->dead, &e->dead_host, own, true, err);
}

static pen_status open_segments(struct pen_engine *e, struct pen_error *err)
{
    pen_status st = PEN_OK;
    e->segments = calloc(e->graph->n_segments + 1, sizeof *e->segments);
    if (!e->segments)
        return pen_fail(err, PEN_FATAL, "out of memory");
    e->n_segments = e->graph->n_segments;
    for (size_t i = 0; i < e->n_segments; i++) {
        struct pen_segment *seg = &e->segments[i];
        seg->def = &e->graph->segments[i];
        seg->graph = e->graph;
        seg->run = e->run;
        seg->state = e->state;
        seg->dead = e->dead;
        seg->upstream_done = seg->def->n_upstream == 0;
    }
    for (size_t i = 0; i < e->n_segments && st >= 0; i++)
        if (e->segments[i].def->n_upstream) /* readers make themselves known before the first write */
            st = pen_segment_open(&e->segments[i], err);
    for (size_t i = 0; i < e->n_segments && st >= 0; i++)
        if (!e->segments[i].def->n_upstream)
            st = pen_segment_open(&e->segments[i], err);
    return st;
}

pen_status pen_engine_start(struct pen_engine **out, struct pen_graph *g, const struct pen_engine_options *o, struct pen_error *err)
{
    struct pen_engine *e = calloc(1, sizeof *e);
    pen_status st;
    *out = e;
    if (!e)
        return pen_fail(err, PEN_FATAL, "out of memory");
    e->graph = g;
    e->run = g->run;
    e->run->graph = g;
    e->started = e->run->clock->now(e->run->clock->arg);
    e->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&e->lock, NULL);
    the_engine = e;
    pen_lane_starter = start_lane;
    st = e->done_fd < 0 ? pen_fail(err, PEN_FATAL, "eventfd: %s", strerror(errno)) : pen_state_open(&e->state, e->run->state_path, err);
    if (st >= 0)
        st = open_dead(e, o->dead_path, err);
    if (st >= 0)
        st = open_segments(e, err);
    e->running = st >= 0 ? e->n_segments : 0;
    for (size_t i = 0; st >= 0 && i < e->n_segments; i++) {
        int failed = pthread_create(&e->segments[i].thread, NULL, control_thread, &e->segments[i]);
        e->segments[i].has_thread = !failed;
        if (failed) {
            st = pen_fail(err, PEN_FATAL, "a thread could not be started: %s", strerror(failed));
            pthread_mutex_lock(&e->lock);
            e->running -= e->n_segments - i;
            pthread_mutex_unlock(&e->lock);
            pen_engine_stop(e);
        }
    }
    if (st < 0) {
        struct pen_error later = { 0 };
        pen_engine_finish(out, &later);
    }
    return st;
}

int pen_engine_fd(const struct pen_engine *e)
{
    return e->done_fd;
}

bool pen_engine_done(const struct pen_engine *e)
{
    struct pen_engine *m = (struct pen_engine *)(uintptr_t)e;
    bool done;
    pthread_mutex_lock(&m->lock);
    done = e->running == 0;
    pthread_mutex_unlock(&m->lock);
    return done;
}

void pen_engine_stop(struct pen_engine *e)
{
    pen_run_context_stop(e->run);
    for (size_t i = 0; i < e->n_segments; i++)
        if (e->segments[i].opened)
            pen_control_signal(&e->segments[i]);
}

void pen_engine_report(struct pen_engine *e, struct pen_report *out)
{
    size_t n = 0;
    memset(out, 0, sizeof *out);
    out->seconds = (double)(e->run->clock->now(e->run->clock->arg) - e->started) / 1e6;
    for (size_t i = 0; i < e->n_segments; i++)
        n += e->segments[i].n_sinks;
    if (!e->report)
        e->report = calloc(n + 1, sizeof *e->report);
    for (size_t i = 0; e->report && i < e->n_segments; i++) {
        struct pen_segment *seg = &e->segments[i];
        pthread_mutex_lock(&seg->lock);
        out->dead_letters += seg->sinks[0].rows;
        for (size_t s = 0; s < seg->n_sources; s++)
            if (!seg->sources[s].fed_from_within)
                out->rows_read += pen_metrics_count(e->run->metrics, seg->graph->stages[seg->sources[s].stage].id, "rows_total", NULL);
        for (size_t k = 1; k < seg->n_sinks; k++) {
            const struct seg_sink *s = &seg->sinks[k];
            e->report[out->n_sinks++] = (struct pen_report_sink){ s->name, s->rows, s->files, s->file_bytes, s->commits };
            out->commits += s->commits;
        }
        pthread_mutex_unlock(&seg->lock);
    }
    out->sinks = e->report;
}

pen_status pen_engine_finish(struct pen_engine **engine, struct pen_error *err)
{
    struct pen_engine *e = *engine;
    pen_status st;
    for (size_t i = 0; i < e->n_segments; i++) {
        struct pen_segment *seg = &e->segments[i];
        if (seg->has_thread)
            pthread_join(seg->thread, NULL);
        for (unsigned l = 0; seg->opened && l < seg->lanes_running; l++)
            pthread_join(seg->lanes[l].thread, NULL);
    }
    st = e->worst;
    if (st < 0)
        pen_fail(err, st, "%s", e->error.msg);
    for (size_t i = 0; i < e->n_segments; i++)
        pen_segment_close(&e->segments[i]);
    if (e->state && pen_state_flush(e->state, st < 0 ? NULL : err) < 0 && st >= 0)
        st = PEN_FATAL;
    pen_dead_free(&e->dead);
    pen_state_close(&e->state);
    if (e->done_fd >= 0)
        close(e->done_fd);
    pthread_mutex_destroy(&e->lock);
    free(e->segments);
    free(e->report);
    free(e);
    the_engine = NULL;
    *engine = NULL;
    return st;
}
