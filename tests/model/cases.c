/* cases.c - see cases.h. Numbers are those of the list in doc/commits.md. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"
#include "engine/state.h"
#include "engine/store.h"
#include "model.h"

#define SECOND 1000000

/* n partitions of topic 0, `records` in each, all of process 0. */
static void topics(struct model *m, unsigned n, int64_t records)
{
    m->w.n_topics = 1;
    m->w.n_parts = n;
    for (unsigned i = 0; i < n; i++) {
        struct topic_part *p = &m->w.parts[i];
        p->owner = 0;
        p->n = records;
        snprintf(p->name, sizeof p->name, "%u", i);
        snprintf(p->incarnation, sizeof p->incarnation, "id-%u", i);
    }
}

static bool step(struct model *m, unsigned proc, int n)
{
    for (int i = 0; i < n && m->procs[proc].up; i++)
        if (!process_step(&m->procs[proc]))
            m->w.now += 20000;
    return true;
}

/* Lets process i work for this long by the model's clock. */
static bool work(struct model *m, unsigned i, int64_t microseconds)
{
    int64_t until = m->w.now + microseconds;
    for (int s = 0; s < 200000 && m->w.now < until; s++) {
        const char *why;
        if (m->w.crash == (int)i) {
            process_kill(&m->procs[i]);
            m->w.crash = -1;
        }
        if (!m->procs[i].up)
            return true;
        if (process_failed(&m->procs[i], &why))
            return model_fail(m, "process %u failed: %s", i, why);
        if (!process_step(&m->procs[i]))
            m->w.now += 10000;
    }
    return true;
}

static int64_t rows_of(const struct model *m, unsigned table)
{
    int64_t n = 0;
    for (size_t e = 0; e < m->w.tables[table].n; e++)
        for (size_t i = 0; i < m->w.tables[table].entries[e].n_rows; i++)
            n += m->w.tables[table].entries[e].rows[i].part >= 0;
    return n;
}

/* A start that must be refused, with this in its message. */
static bool refused(struct model *m, const char *words)
{
    struct process *p = &m->procs[0];
    struct pen_error err = { 0 };
    const char *why = err.msg;
    bool good;
    p->setup = m->setup;
    if (process_start(p, &err) >= 0) {
        for (int i = 0; i < 2000 && !p->seg.failed; i++)
            if (!process_step(p))
                m->w.now += 20000;
        why = p->seg.failed ? p->seg.error.msg : "it runs";
    }
    good = strstr(why, words) != NULL || model_fail(m, "expected a refusal with \"%s\", got: %s", words, why);
    process_kill(p);
    return good;
}

static bool finish(struct model *m)
{
    return model_calm(m) && model_verify(m);
}

/* -- 1: a process that lost a partition wakes up, wherever it was asleep --------------------------------------------------------------- */

static bool case_1(struct model *m, int asleep_at, bool mirror)
{
    topics(m, 2, 40);
    m->n_procs = 2;
    m->setup.commit_rows = 15;
    if (!model_start(m, 0) || !model_start(m, 1))
        return false;
    step(m, 0, asleep_at);
    m->w.parts[0].owner = 1; /* at once: nobody waits for the sleeper */
    if (!work(m, 1, mirror ? 4 * SECOND : SECOND / 5))
        return false;
    m->w.parts[0].n += 30;
    if (!work(m, 0, SECOND) || !work(m, 1, SECOND) || !work(m, 0, SECOND))
        return false;
    return finish(m);
}

/* -- 2: dead letters long ago, and ahead of the anchor ---------------------------------------------------------------------------------- */

static bool case_2(struct model *m, int ahead)
{
    topics(m, 1, 12);
    m->setup.check = true;
    m->setup.commit_rows = 5;
    if (!model_start(m, 0) || !work(m, 0, SECOND))
        return false;
    m->w.exact_bad = true; /* the first bad record after a long time */
    m->w.wall += 30ll * 86400 * SECOND;
    process_kill(&m->procs[0]);
    m->w.parts[0].n = 12;
    if (!model_start(m, 0))
        return false;
    m->w.parts[0].n = 40;
    m->w.once = ahead ? ONCE_KILL_BEFORE_PUT : ONCE_NOTHING; /* dead letters are put, the anchor is not */
    m->w.once_table = 2;
    if (!work(m, 0, SECOND) || !model_start(m, 0))
        return false;
    m->setup.commit_rows = 7; /* other cuts on the second try */
    process_kill(&m->procs[0]);
    m->w.exact_bad = true;
    /* records 0 to 11 were read while nothing was bad */
    if (!model_calm(m))
        return false;
    for (size_t i = 0; i < m->w.n_objects; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(m->w.objects[i].name, m->w.objects[j].name) == 0)
                return model_fail(m, "object %s twice", m->w.objects[i].name);
    int64_t want = 12;
    for (int64_t r = 12; r < 40; r++)
        want += !w_is_bad(&m->w, 0, r);
    if (rows_of(m, 2) != want)
        return model_fail(m, "%ld rows instead of %ld", (long)rows_of(m, 2), (long)want);
    return true;
}

/* -- 3: the answer to a publish is lost ------------------------------------------------------------------------------------------------- */

static bool case_3(struct model *m, int what)
{
    topics(m, 2, 30);
    m->setup.commit_rows = 20;
    m->w.once = (enum once)what;
    m->w.once_table = 2;
    if (!model_start(m, 0) || !work(m, 0, SECOND))
        return false;
    if (what == ONCE_KILL_IN_FLIGHT) { /* restarted before the put arrives; the clock has gone on for eight days */
        m->w.wall += 8ll * 86400 * SECOND;
        if (!model_start(m, 0))
            return false;
        step(m, 0, 3);
        w_land_flights(&m->w);
        if (!work(m, 0, SECOND))
            return false;
    }
    return finish(m);
}

/* -- 4: who is who ---------------------------------------------------------------------------------------------------------------------- */

static bool case_4_two_topics(struct model *m)
{
    topics(m, 2, 30);
    m->setup.topics = 2;
    m->w.parts[1].topic = 1;
    snprintf(m->w.parts[1].name, sizeof m->w.parts[1].name, "0"); /* both have a partition 0 */
    return model_start(m, 0) && work(m, 0, SECOND / 4) && finish(m);
}

static bool case_4_renamed(struct model *m, bool chain)
{
    topics(m, 1, 30);
    m->w.chain = chain;
    m->setup.source_name = "old";
    if (!model_start(m, 0) || !work(m, 0, SECOND))
        return false;
    process_kill(&m->procs[0]);
    m->setup.source_name = "new";
    if (!refused(m, "id = old"))
        return false;
    m->setup.source_name = "old";
    return finish(m);
}

static bool case_4_made_anew(struct model *m, int64_t records)
{
    topics(m, 1, 30);
    if (!model_start(m, 0) || !work(m, 0, SECOND) || rows_of(m, 2) != 30)
        return model_fail(m, "the first topic was not read");
    process_kill(&m->procs[0]);
    snprintf(m->w.parts[0].incarnation, sizeof m->w.parts[0].incarnation, "another");
    m->w.parts[0].n = records; /* longer, or shorter, than the first */
    if (!model_calm(m))
        return false;
    return rows_of(m, 2) == 30 + records || model_fail(m, "%ld rows instead of %ld", (long)rows_of(m, 2), (long)(30 + records));
}

static bool case_4_restored(struct model *m, bool chain)
{
    topics(m, 1, 30);
    m->w.chain = chain;
    m->setup.commit_rows = 10;
    if (!model_start(m, 0) || !work(m, 0, SECOND))
        return false;
    if (pen_state_flush(m->procs[0].state, NULL) < 0)
        return model_fail(m, "state could not be written");
    process_kill(&m->procs[0]);
    if (m->w.tables[2].n < 2)
        return model_fail(m, "too few commits");
    w_entry_fini(&m->w.tables[2].entries[--m->w.tables[2].n]); /* a backup of before the last commit */
    return refused(m, "restored");
}

/* -- 5: files: two processes with the same chain, `state` lost ---------------------------------------------------------------------------- */

static bool case_5(struct model *m, bool lose_state)
{
    char command[200];
    topics(m, 5, 25);
    m->w.chain = true;
    m->w.shared_files = !lose_state;
    m->n_procs = lose_state ? 1 : 2;
    m->setup.commit_rows = 12;
    for (int round = 0; round < 6; round++) {
        for (unsigned i = 0; i < m->n_procs; i++)
            if (!model_start(m, i) || !work(m, i, SECOND / 10))
                return false;
        if (lose_state) {
            process_kill(&m->procs[0]);
            snprintf(command, sizeof command, "rm -rf '%s'/0", m->folder);
            if (system(command) != 0)
                return model_fail(m, "state could not be removed");
        }
    }
    m->n_procs = 1;
    process_kill(&m->procs[1]);
    m->w.shared_files = false;
    return finish(m);
}

/* -- 8: an end that is known only later --------------------------------------------------------------------------------------------------- */

static bool case_8(struct model *m)
{
    topics(m, 2, 0); /* nothing there at the start */
    m->w.gap = 2;    /* every second offset is a marker that no reader sees: the topic ends in one */
    if (!finish(m))
        return false;
    m->w.until_end = false;
    process_kill(&m->procs[0]);
    m->w.parts[0].n = 7;
    return finish(m);
}

/* -- 9: the table is out of reach for an hour ----------------------------------------------------------------------------------------------- */

static bool case_9(struct model *m, bool stolen)
{
    topics(m, 2, 5000);
    m->n_procs = stolen ? 2 : 1;
    m->setup.commit_rows = 50;
    if (!model_start(m, 0))
        return false;
    step(m, 0, 300); /* in the middle of it */
    if (rows_of(m, 2) == 0 || rows_of(m, 2) > 5000)
        return model_fail(m, "%ld rows are committed when the table goes", (long)rows_of(m, 2));
    m->w.down = true;
    for (int minute = 0; minute < 60; minute++) {
        if (!work(m, 0, 60ll * SECOND))
            return false;
        if (atomic_load(&m->procs[0].seg.open_rows) > 60 || m->procs[0].seg.plan.n_moves > 2)
            return model_fail(m, "%lld rows are held while the table is down", (long long)atomic_load(&m->procs[0].seg.open_rows));
    }
    m->w.down = false;
    if (stolen) { /* plan k is refused while k+1 is full */
        m->w.parts[0].owner = 1;
        if (!model_start(m, 1) || !work(m, 1, SECOND / 5))
            return false;
    }
    return work(m, 0, SECOND) && finish(m);
}

/* The same where commits go by time alone. */
static bool case_9_by_time(struct model *m)
{
    topics(m, 1, 20);
    m->setup.commit_rows = -1;
    m->setup.commit_interval = 5 * SECOND;
    if (!model_start(m, 0))
        return false;
    m->w.down = true;
    for (int minute = 0; minute < 60; minute++) {
        m->w.parts[0].n += 50;
        if (!work(m, 0, 60ll * SECOND))
            return false;
    }
    if (atomic_load(&m->procs[0].seg.open_rows) > 200)
        return model_fail(m, "%lld rows are held after an hour", (long long)atomic_load(&m->procs[0].seg.open_rows));
    m->w.down = false;
    return work(m, 0, 20 * SECOND) && finish(m);
}

/* -- 10: a partition changes lanes at a cut -------------------------------------------------------------------------------------------------- */

static bool case_10(struct model *m)
{
    unsigned before[MAX_PARTS], moved = 0;
    topics(m, 6, 1);
    m->setup.lanes = 3;
    m->setup.commit_rows = 25;
    if (!model_start(m, 0) || !work(m, 0, SECOND))
        return false; /* a trickle: one lane has them all */
    for (unsigned i = 0; i < 6; i++) {
        before[i] = m->procs[0].seg.parts[i].lane;
        m->w.parts[i].n = 400;
    }
    if (!work(m, 0, SECOND / 50) || !work(m, 0, 2 * SECOND))
        return false;
    for (unsigned i = 0; i < 6; i++)
        moved += m->procs[0].seg.parts[i].lane != before[i];
    if (!moved)
        return model_fail(m, "no partition changed lanes though one lane had six busy ones");
    return finish(m);
}

/* -- 11: a partition is taken away at every commit ------------------------------------------------------------------------------------------- */

static bool case_11(struct model *m)
{
    topics(m, 8, 200);
    m->n_procs = 2;
    m->w.cooperative = true;
    m->setup.commit_interval = 10 * SECOND;
    m->setup.commit_rows = -1;
    m->setup.lanes = 2;
    for (unsigned i = 0; i < m->n_procs; i++)
        if (!model_start(m, i))
            return false;
    for (unsigned round = 0; round < 16; round++) {
        int64_t before = rows_of(m, 2);
        for (unsigned i = 0; i < 8; i++)
            m->w.parts[i].n += 10;
        m->w.parts[round % 8].owner ^= 1;
        if (!work(m, 0, 5 * SECOND) || !work(m, 1, 5 * SECOND) || !work(m, 0, 5 * SECOND) || !work(m, 1, 5 * SECOND))
            return false;
        if (rows_of(m, 2) == before)
            return model_fail(m, "no progress in round %u", round);
    }
    return finish(m);
}

/* -- 12: an object's name is the fence: another process put letters there, cut elsewhere, and died -------------------------------------- */

static bool case_12(struct model *m, int asleep_at)
{
    topics(m, 1, 45);
    m->n_procs = 2;
    m->setup.check = m->w.exact_bad = true;
    m->setup.commit_rows = 30;
    if (!model_start(m, 0))
        return false;
    step(m, 0, asleep_at);
    m->w.parts[0].owner = 1;
    m->setup.commit_rows = 8;
    m->w.once = ONCE_KILL_BEFORE_PUT; /* its dead letters are put, its rows are not */
    m->w.once_table = 2;
    if (!model_start(m, 1) || !work(m, 1, SECOND))
        return false;
    m->w.once = ONCE_NOTHING;
    m->w.parts[0].owner = 0; /* before the sleeper has noticed anything */
    return work(m, 0, SECOND) && finish(m);
}

/* -- 13: 64 clients post one record each and wait ---------------------------------------------------------------------------------------------- */

static bool case_13(struct model *m)
{
    topics(m, 1, 64);
    m->setup.posts = true;
    m->setup.commit_interval = 3600ll * SECOND;
    m->setup.commit_rows = -1;
    if (!model_start(m, 0) || !model_settle(m, 0, 10000))
        return false;
    m->w.posts.sent = 64;
    if (!model_settle(m, 0, 10000))
        return false;
    if (m->w.posts.answered != 64 || m->w.tables[2].n > 2)
        return model_fail(m, "%ld of 64 answered by %zu commits, before any interval has passed", (long)m->w.posts.answered, m->w.tables[2].n);
    return model_verify(m);
}

/* -- 14: the clock is set --------------------------------------------------------------------------------------------------------------------- */

static bool case_14(struct model *m)
{
    topics(m, 2, 100);
    m->setup.commit_rows = -1;
    m->setup.commit_interval = SECOND;
    if (!model_start(m, 0))
        return false;
    for (int i = 0; i < 6; i++) {
        size_t before = m->w.tables[2].n;
        m->w.wall += (i % 2 ? -40ll : 40ll) * 86400 * SECOND;
        m->w.parts[0].n += 5;
        if (!work(m, 0, 3 * SECOND))
            return false;
        if (m->w.tables[2].n != before + 1)
            return model_fail(m, "%zu commits in round %d instead of one", m->w.tables[2].n - before, i);
    }
    return finish(m);
}

/* -- 15: start = latest ------------------------------------------------------------------------------------------------------------------------ */

static bool case_15(struct model *m)
{
    topics(m, 2, 100);
    m->w.parts[1].hidden = true;
    m->setup.start_latest = true;
    m->setup.commit_interval = 3600ll * SECOND;
    m->setup.commit_rows = -1;
    if (!model_start(m, 0) || !work(m, 0, SECOND))
        return false;
    process_kill(&m->procs[0]); /* before the first commit with rows */
    m->w.parts[0].n += 500;
    m->w.parts[1].hidden = false; /* made later: read from its beginning */
    if (!model_calm(m))
        return false;
    return rows_of(m, 2) == 600 || model_fail(m, "%ld rows instead of 600", (long)rows_of(m, 2));
}

/* -- 16: a store that takes no notice of If-None-Match ------------------------------------------------------------------------------------------- */

static bool case_16(struct model *m, bool forgetful)
{
    struct pen_error err = { 0 };
    struct pen_run_context run = { .stores = pen_stores_new() };
    struct pen_host host = { &run, "probe", NULL, false };
    struct stub stub = { .w = &m->w };
    pen_status st;
    m->w.forgetful = forgetful;
    if (!run.stores || pen_stores_add(run.stores, &w_store, &stub, &err) < 0)
        return model_fail(m, "%s", err.msg);
    st = pen_store_prove(&host, "mem://t/table", &err);
    pen_stores_free(&run.stores);
    return forgetful ? st == PEN_BADCONF || model_fail(m, "the store passed") : st == PEN_OK || model_fail(m, "%s", err.msg);
}

/* -- 18: a trickle makes one file a commit, not one a lane ----------------------------------------------------------------------------------------- */

static bool case_18(struct model *m)
{
    topics(m, 8, 0);
    m->setup.lanes = 16;
    m->setup.commit_interval = 10 * SECOND;
    m->setup.commit_rows = -1;
    if (!model_start(m, 0))
        return false;
    for (unsigned i = 0; i < 60; i++) {
        m->w.parts[i % 8].n++;
        if (!work(m, 0, SECOND))
            return false;
    }
    if (m->procs[0].seg.lanes_running != 1)
        return model_fail(m, "%u lanes run for one row a second", m->procs[0].seg.lanes_running);
    return finish(m);
}

/* -- 19: one busy and one idle source merged ------------------------------------------------------------------------------------------------------- */

static bool case_19(struct model *m)
{
    topics(m, 2, 0);
    m->setup.topics = 2;
    m->w.parts[0].n = 300;
    m->w.parts[1].topic = 1; /* says nothing, ever */
    if (!model_start(m, 0) || !work(m, 0, 3 * SECOND))
        return false;
    if (rows_of(m, 2) != 300)
        return model_fail(m, "%ld of the busy source's 300 rows while the other is idle", (long)rows_of(m, 2));
    return finish(m);
}

/* -- 13 again: the run fails, and everyone who waits hears of it ----------------------------------------------------------------------- */

static bool posts_of_a_failed_run(struct model *m, int what)
{
    struct posts *posts = &m->w.posts;
    topics(m, 1, 64);
    m->setup.posts = true;
    m->setup.commit_rows = -1;
    if (!model_start(m, 0) || !model_settle(m, 0, 10000))
        return false;
    posts->sent = 10;
    if (what == 0)
        m->w.tables[2].gone = true; /* the plan fails while it is published */
    for (int i = 0; i < (what == 2 ? 1000 : 3); i++)
        process_step(&m->procs[0]);
    if (what == 1)
        pen_segment_fail(&m->procs[0].seg, &(struct pen_error){ PEN_FATAL, "out of disk" }); /* the plan is being gathered */
    for (int i = 0; i < 1000 && what != 2; i++)
        process_step(&m->procs[0]);
    process_kill(&m->procs[0]);
    if (!posts->read || posts->answered + posts->refused != posts->read || (what != 2) != (posts->answered == 0))
        return model_fail(m, "of %ld posts that were read %ld were answered and %ld refused", (long)posts->read, (long)posts->answered, (long)posts->refused);
    return true;
}

/* -- 8 again: what feeds a transport stops while its last end is under way through a transform ---------------------------------------------- */

static void upstream_stops(void *arg)
{
    struct model *m = arg;
    m->w.parts[0].n += 9; /* its last commit */
    pen_segment_upstream_done(&m->procs[0].seg);
}

static bool case_8_race(struct model *m)
{
    topics(m, 1, 1); /* one read brings it, and the end */
    m->w.until_end = true;
    m->setup.check = true;
    if (!model_start(m, 0))
        return false;
    m->procs[0].seg.upstream_done = false;
    m->procs[0].seg.sources[0].fed_from_within = true;
    m->w.during_apply = upstream_stops;
    m->w.during_arg = m;
    if (!model_settle(m, 0, 10000) || !work(m, 0, SECOND))
        return false;
    return rows_of(m, 2) == 10 || model_fail(m, "%ld rows of 10", (long)rows_of(m, 2));
}

/* A reader that has read all there is while what writes its transport is still at work. */
static bool case_8_ahead(struct model *m)
{
    topics(m, 1, 1);
    m->w.until_end = true;
    if (!model_start(m, 0))
        return false;
    m->procs[0].seg.upstream_done = false;
    m->procs[0].seg.sources[0].fed_from_within = true;
    if (!model_settle(m, 0, 10000) || !work(m, 0, SECOND))
        return false;
    if (process_finished(&m->procs[0]))
        return model_fail(m, "it ended before its transport was written");
    upstream_stops(m);
    if (!work(m, 0, SECOND))
        return false;
    if (!process_finished(&m->procs[0]))
        return model_fail(m, "it does not end");
    return rows_of(m, 2) == 10 || model_fail(m, "%ld rows of 10", (long)rows_of(m, 2));
}

/* -- 15 again: there is nothing yet, so the end is where the beginning is --------------------------------------------------------------------- */

static bool case_15_empty(struct model *m)
{
    topics(m, 2, 0);
    m->setup.start_latest = true;
    m->setup.commit_interval = 3600ll * SECOND;
    m->setup.commit_rows = -1;
    if (!model_start(m, 0) || !work(m, 0, SECOND))
        return false;
    process_kill(&m->procs[0]);
    m->w.parts[0].n = 500;
    if (!model_calm(m))
        return false;
    return rows_of(m, 2) == 500 || model_fail(m, "%ld rows instead of 500", (long)rows_of(m, 2));
}

/* A partition that is made while the first run goes on is read from its beginning. */
static bool case_15_later(struct model *m)
{
    topics(m, 2, 100);
    m->w.parts[1].hidden = true;
    m->setup.start_latest = true;
    if (!model_start(m, 0) || !work(m, 0, SECOND))
        return false;
    m->w.parts[1].hidden = false;
    m->w.parts[0].n += 7;
    if (!work(m, 0, SECOND))
        return false;
    return rows_of(m, 2) == 107 || model_fail(m, "%ld rows instead of 107", (long)rows_of(m, 2));
}

/* -- 5 again: another process moves the chain, and this one goes on in the same run ------------------------------------------------------------ */

static bool case_5_alive(struct model *m)
{
    topics(m, 4, 20);
    m->w.chain = m->w.shared_files = true;
    m->n_procs = 2;
    m->setup.commit_rows = 12;
    for (unsigned i = 0; i < 2; i++)
        if (!model_start(m, i))
            return false;
    for (int round = 0; round < 6; round++)
        for (unsigned i = 0; i < 2; i++) {
            m->w.parts[round % 4].n += 5;
            if (!work(m, i, SECOND))
                return false;
        }
    if (rows_of(m, 2) != 140)
        return model_fail(m, "%ld of 140 rows while both were alive", (long)rows_of(m, 2));
    process_kill(&m->procs[1]);
    m->n_procs = 1;
    m->w.shared_files = false;
    return finish(m);
}

/* -- 9 again: everything is out of reach while partitions come and go --------------------------------------------------------------------------- */

static bool case_9_assigned(struct model *m, bool chain)
{
    topics(m, 3, 40);
    m->w.chain = chain;
    m->w.exact_bad = m->setup.check = true;
    m->w.parts[2].hidden = true;
    if (!model_start(m, 0) || !work(m, 0, SECOND / 100))
        return false;
    m->w.down = true;
    m->w.parts[2].hidden = false; /* where it begins cannot be asked */
    if (!work(m, 0, 600ll * SECOND))
        return false;
    m->w.down = false;
    if (!work(m, 0, 20ll * SECOND))
        return false;
    return finish(m);
}

/* -- a table whose name is longer than anything that holds it ---------------------------------------------------------------------------- */

static bool long_name(struct model *m)
{
    topics(m, 1, 60);
    m->setup.table_name = "a_table_of_everything_that_was_ever_posted_by_anybody_with_its_place";
    return model_start(m, 0) && work(m, 0, SECOND) && finish(m);
}

/* -- 21: a store loses what was staged while it is published, and files of that plan can be seen already ------------------------------------- */

static bool case_21(struct model *m, bool table, bool kill)
{
    topics(m, 3, 40);
    m->setup.folder = true;
    m->setup.table = table; /* the anchor; else the folder is */
    m->setup.lanes = 3;
    m->setup.commit_rows = 60;
    m->w.once = kill ? ONCE_KILL_LOST_STAGED : ONCE_LOST_STAGED;
    m->w.down_for_retract = true;
    if (!model_start(m, 0) || !work(m, 0, SECOND))
        return false;
    if (m->w.n_lost != 1 || m->w.n_discarded)
        return model_fail(m, "%zu files lost and %zu deleted", m->w.n_lost, m->w.n_discarded);
    m->w.down_for_retract = false;
    if (kill && !m->procs[0].up) { /* the next run is killed too, when it has taken back the half of it */
        m->w.faults.lost = 300;
        for (int i = 0; i < 20 && !m->procs[0].up; i++)
            if (!model_start(m, 0))
                return false;
        m->w.faults.lost = 0;
    }
    if (!work(m, 0, 10 * SECOND))
        return false;
    if (rows_of(m, 0) != 120)
        return model_fail(m, "%ld of 120 rows", (long)rows_of(m, 0));
    return finish(m);
}

/* ---------------------------------------------------------------------------------------------------------------------------------------- */

#define PLAY(name, ...)                                                                     \
    do {                                                                                    \
        struct model m;                                                                     \
        bool good;                                                                          \
        model_init(&m, ++seed);                                                             \
        good = (__VA_ARGS__);                                                               \
        report(name, good ? "" : m.why);                                                   \
        model_fini(&m);                                                                     \
    } while (0)

static bool case_1_plain(struct model *m, int asleep_at)
{
    return case_1(m, asleep_at, false);
}
static bool case_1_mirrored(struct model *m, int asleep_at)
{
    return case_1(m, asleep_at, true);
}

/* The same at every step at which the sleeper may fall asleep; one line for all. */
static void play_asleep(case_report report, const char *name, bool (*play)(struct model *, int))
{
    char first[700] = "";
    for (int at = 0; at < 160 && !first[0]; at++) {
        struct model m;
        model_init(&m, (uint64_t)at + 500);
        if (!play(&m, at))
            snprintf(first, sizeof first, "asleep at step %d: %s", at, m.why);
        model_fini(&m);
    }
    report(name, first);
}

void play_cases(case_report report)
{
    uint64_t seed = 100;
    play_asleep(report, "case 1: a process that lost a partition commits nothing of it", case_1_plain);
    play_asleep(report, "case 1, mirrored: what it alone has is read again", case_1_mirrored);
    play_asleep(report, "case 12: letters put by another process, cut elsewhere, are not put again nor left out", case_12);
    PLAY("case 2: the first dead letter after a month", case_2(&m, 0));
    PLAY("case 2: dead letters ahead of the anchor, cut elsewhere on the second try", case_2(&m, 1));
    PLAY("case 3: the answer is lost", case_3(&m, ONCE_LOST_ANSWER));
    PLAY("case 3: the request is lost", case_3(&m, ONCE_LOST_REQUEST));
    PLAY("case 3: the request arrives late", case_3(&m, ONCE_IN_FLIGHT));
    PLAY("case 3: killed with the request under way, which arrives after the restart", case_3(&m, ONCE_KILL_IN_FLIGHT));
    PLAY("case 3: killed before the put", case_3(&m, ONCE_KILL_BEFORE_PUT));
    PLAY("case 3: killed after the put", case_3(&m, ONCE_KILL_AFTER_PUT));
    PLAY("case 4: two topics with a partition of the same name", case_4_two_topics(&m));
    PLAY("case 4: a renamed section", case_4_renamed(&m, false));
    PLAY("case 4: a renamed section, of files", case_4_renamed(&m, true));
    PLAY("case 4: a topic made anew, longer", case_4_made_anew(&m, 50));
    PLAY("case 4: a topic made anew, shorter", case_4_made_anew(&m, 10));
    PLAY("case 4: a restored table", case_4_restored(&m, false));
    PLAY("case 4: a restored table, of files", case_4_restored(&m, true));
    PLAY("case 5: two processes with the same chain", case_5(&m, false));
    PLAY("case 5: state lost", case_5(&m, true));
    PLAY("case 8: an end known only later", case_8(&m));
    PLAY("case 9: the table out of reach for an hour", case_9(&m, false));
    PLAY("case 9: the table out of reach, then a plan refused while the next is full", case_9(&m, true));
    PLAY("case 9: the same where commits go by time alone", case_9_by_time(&m));
    PLAY("case 10: a partition changes lanes at a cut", case_10(&m));
    PLAY("case 11: a partition taken away at every commit", case_11(&m));
    PLAY("case 13: 64 clients who wait are answered at once", case_13(&m));
    PLAY("case 14: the clock jumps 40 days ahead, and back", case_14(&m));
    PLAY("case 15: start = latest, killed before the first commit; a partition added later", case_15(&m));
    PLAY("case 16: a store that takes no notice of If-None-Match is refused", case_16(&m, true));
    PLAY("case 16: one that does is not", case_16(&m, false));
    PLAY("case 18: a trickle stays on one lane", case_18(&m));
    PLAY("case 19: one busy and one idle source", case_19(&m));
    PLAY("case 13: the table is gone, and everyone who waits is told", posts_of_a_failed_run(&m, 0));
    PLAY("case 13: the run fails, and everyone who waits is told", posts_of_a_failed_run(&m, 1));
    PLAY("case 13: nobody is told twice", posts_of_a_failed_run(&m, 2));
    PLAY("case 8: a transport's writer stops while its reader is on the way through", case_8_race(&m));
    PLAY("case 8: a transport's reader is ahead of its writer", case_8_ahead(&m));
    PLAY("case 15: start = latest of an empty topic, killed before the first commit", case_15_empty(&m));
    PLAY("case 15: start = latest, a partition made later in the first run", case_15_later(&m));
    PLAY("case 5: two processes with the same chain, both alive", case_5_alive(&m));
    PLAY("case 9: out of reach when a partition is assigned", case_9_assigned(&m, false));
    PLAY("case 9: out of reach when a file is found", case_9_assigned(&m, true));
    PLAY("case 21: files of a plan are lost while it is published", case_21(&m, false, false));
    PLAY("case 21: the same beside a table", case_21(&m, true, false));
    PLAY("case 21: killed meanwhile, and again while it is taken back", case_21(&m, false, true));
    PLAY("case 21: the same beside a table", case_21(&m, true, true));
    PLAY("plans of a table with a long name are told apart", long_name(&m));
}
