/* run_model.c - see model.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "model.h"

bool model_fail(struct model *m, const char *fmt, ...)
{
    va_list ap;
    if (m->why[0])
        return false;
    va_start(ap, fmt);
    vsnprintf(m->why, sizeof m->why, fmt, ap);
    va_end(ap);
    return false;
}

void model_init(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    m->seed = seed;
    m->w.rng = seed * 0x9E3779B97F4A7C15u + 88172645463325252u;
    m->w.crash = -1;
    m->w.now = m->w.wall = 1000000000;
    for (int i = 0; i < MAX_PARTS; i++)
        m->w.parts[i].owner = -1;
    snprintf(m->folder, sizeof m->folder, "%s/penstock-model-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(m->folder))
        abort();
    m->n_procs = 1;
    m->setup = (struct setup){ .table = true, .topics = 1, .lanes = 1, .commit_rows = 10, .commit_interval = 100000 };
    for (int i = 0; i < MAX_PROCS; i++) {
        m->procs[i].w = &m->w;
        m->procs[i].number = i;
        snprintf(m->procs[i].state_path, sizeof m->procs[i].state_path, "%s/%d", m->folder, i);
    }
}

void model_fini(struct model *m)
{
    char command[200];
    for (unsigned i = 0; i < MAX_PROCS; i++)
        process_kill(&m->procs[i]);
    w_fini(&m->w);
    snprintf(command, sizeof command, "rm -rf '%s'", m->folder);
    if (system(command) != 0)
        fprintf(stderr, "%s was left behind\n", m->folder);
}

bool model_start(struct model *m, unsigned i)
{
    struct process *p = &m->procs[i];
    struct pen_error err = { 0 };
    if (p->up)
        return true;
    p->setup = m->setup;
    if (process_start(p, &err) >= 0)
        return true;
    process_kill(p);
    if (m->w.crash == (int)i) {
        m->w.crash = -1; /* killed while it started: another time */
        return true;
    }
    if (m->w.down)
        return true; /* whoever started it will again */
    return model_fail(m, "process %u does not start: %s", i, err.msg);
}

/* Kills those that are to die; an end that is none of ours is the model's failure. */
static bool bury(struct model *m)
{
    for (unsigned i = 0; i < m->n_procs; i++) {
        const char *why;
        if (m->w.crash == (int)i) {
            process_kill(&m->procs[i]);
            m->w.crash = -1;
        } else if (process_failed(&m->procs[i], &why)) {
            return model_fail(m, "process %u failed: %s", i, why);
        }
    }
    return true;
}

static void random_event(struct model *m)
{
    struct world *w = &m->w;
    unsigned part = w_random(w, w->n_parts);
    switch (w_random(w, 40)) {
    case 0: case 1: case 2:
        if (!m->no_new_records && !w->parts[part].hidden)
            w->parts[part].n += w_random(w, 20);
        break;
    case 3:
        if (!m->no_moves)
            w->parts[part].owner = w->chain ? 0 : (int)w_random(w, m->n_procs + 1) - 1;
        break;
    case 4:
        if (!m->no_kills && w_random(w, 4) == 0)
            process_kill(&m->procs[w_random(w, m->n_procs)]);
        break;
    case 5:
        w->down = w_random(w, 6) == 0;
        break;
    case 6:
        w_land_flights(w);
        break;
    case 7:
        w->wall += (int64_t)w_random(w, 80) * 86400 * 1000000 - 40ll * 86400 * 1000000; /* the clock is set */
        break;
    default:
        break;
    }
}

bool model_chaos(struct model *m, int steps)
{
    struct world *w = &m->w;
    for (unsigned i = 0; i < w->n_parts; i++)
        if (w->parts[i].owner < 0)
            w->parts[i].owner = (int)w_random(w, m->n_procs);
    for (int s = 0; s < steps; s++) {
        unsigned i = w_random(w, m->n_procs);
        if (!m->procs[i].up && w_random(w, 3) == 0 && !model_start(m, i))
            return false;
        if (!bury(m))
            return false;
        if (m->procs[i].up && !process_step(&m->procs[i]))
            w->now += 1000 + w_random(w, 100000);
        w->now += w_random(w, 1000);
        if (w_random(w, 5) == 0)
            random_event(m);
        if (!bury(m))
            return false;
    }
    return true;
}

bool model_settle(struct model *m, unsigned i, int most)
{
    for (int s = 0; s < most && m->procs[i].up; s++) {
        if (!process_step(&m->procs[i]))
            return bury(m);
        if (!bury(m))
            return false;
    }
    return m->procs[i].up || model_fail(m, "process %u is down", i);
}

bool model_calm(struct model *m)
{
    struct world *w = &m->w;
    memset(&w->faults, 0, sizeof w->faults);
    w_land_flights(w);
    w->down = false;
    for (unsigned i = 0; i < m->n_procs; i++)
        process_kill(&m->procs[i]);
    w->crash = -1;
    w->until_end = true;
    w->cooperative = true;
    for (unsigned i = 0; i < w->n_parts; i++)
        w->parts[i].owner = (int)(i % m->n_procs);
    for (unsigned i = 0; i < m->n_procs; i++) {
        if (!model_start(m, i))
            return false;
        for (int s = 0; s < 400000 && !process_finished(&m->procs[i]); s++) {
            if (!process_step(&m->procs[i]))
                w->now += 50000;
            if (!bury(m))
                return false;
        }
        if (!process_finished(&m->procs[i]) && getenv("MODEL_TRACE")) {
            const struct pen_segment *g = &m->procs[i].seg;
            for (size_t s = 0; s < g->n_sources; s++)
                printf("# source %zu: no_more %d unended %zu\n", s, g->sources[s].no_more, g->sources[s].unended);
            for (size_t k = 0; k < g->n_parts; k++)
                printf("# part %zu id %u: state %d lane %u ended %d at %lu, w n %ld\n", k, g->parts[k].id, g->parts[k].state, g->parts[k].lane,
                       g->parts[k].ended, g->parts[k].at.w[0], w->parts[g->parts[k].id].n);
        }
        if (!process_finished(&m->procs[i]))
            return model_fail(m, "process %u does not come to its end (phase %d, in flight %d, queue %zu, lanes %u)", i, m->procs[i].seg.phase,
                              m->procs[i].seg.in_flight, m->procs[i].seg.n_queue, m->procs[i].seg.lanes_running);
    }
    return true;
}

/* -- the count ---------------------------------------------------------------------------------------------------------------------- */

static bool count_table(struct model *m, unsigned index, const char *name)
{
    struct world *w = &m->w;
    const struct table *t = &w->tables[index];
    int *seen[MAX_PARTS];
    bool good = true;
    for (unsigned p = 0; p < w->n_parts; p++)
        seen[p] = calloc((size_t)w->parts[p].n + 1, sizeof *seen[p]);
    for (size_t e = 0; e < t->n && good; e++) {
        int64_t last[MAX_PARTS];
        memset(last, 0xFF, sizeof last);
        for (size_t i = 0; i < t->entries[e].n_rows && good; i++) {
            const struct row *r = &t->entries[e].rows[i];
            if (r->part < 0) {
                for (size_t d = 0; d < w->n_discarded && good; d++)
                    if (w->discarded[d] == r->record)
                        good = model_fail(m, "%s: entry %zu points to a file that was deleted", name, e);
                continue;
            }
            if (r->record <= last[r->part])
                good = model_fail(m, "%s: entry %zu has record %ld of partition %d behind %ld", name, e, (long)r->record, r->part, (long)last[r->part]);
            last[r->part] = r->record;
            if (r->record < 0 || r->record >= w->parts[r->part].n || seen[r->part][r->record]++)
                good = model_fail(m, "%s: record %ld of partition %d came twice (entry %zu)", name, (long)r->record, r->part, e);
        }
    }
    for (unsigned p = 0; p < w->n_parts && good; p++)
        for (int64_t i = w->parts[p].first; i < w->parts[p].n && good; i++)
            if (seen[p][i] != !(m->setup.check && w_is_bad(w, (int)p, i)))
                good = model_fail(m, "%s: record %ld of partition %u is %s", name, (long)i, p, seen[p][i] ? "there, though it is bad" : "lost");
    for (unsigned p = 0; p < w->n_parts; p++)
        free(seen[p]);
    return good;
}

static size_t count_text(const char *bytes, size_t n, const char *what)
{
    size_t found = 0, len = strlen(what);
    for (size_t i = 0; i + len <= n; i++)
        found += memcmp(bytes + i, what, len) == 0;
    return found;
}

static bool count_dead(struct model *m)
{
    struct world *w = &m->w;
    for (unsigned p = 0; p < w->n_parts; p++)
        for (int64_t r = 0; r < w->parts[p].n; r++) {
            char what[120];
            size_t found = 0, want = m->setup.check && w_is_bad(w, (int)p, r);
            snprintf(what, sizeof what, "\"record\":\"{\\\"part\\\":%u,\\\"record\\\":%ld}\"", p, (long)r);
            for (size_t o = 0; o < w->n_objects; o++)
                if (strstr(w->objects[o].name, "t/dead"))
                    found += count_text(w->objects[o].bytes, w->objects[o].n, what);
            for (size_t o = 0; o < w->n_objects && found != want && getenv("MODEL_TRACE"); o++)
                if (strstr(w->objects[o].name, "t/dead"))
                    printf("# %s: %.*s", w->objects[o].name, (int)w->objects[o].n, w->objects[o].bytes);
            if (found != want)
                return model_fail(m, "record %ld of partition %u is a dead letter %zu times instead of %zu", (long)r, p, found, want);
        }
    return true;
}

bool model_verify(struct model *m)
{
    if (m->setup.table && !count_table(m, 2, "table"))
        return false;
    if (m->setup.two_tables && !count_table(m, 1, "second"))
        return false;
    if (m->setup.folder && !count_table(m, 0, "folder"))
        return false;
    return count_dead(m);
}
