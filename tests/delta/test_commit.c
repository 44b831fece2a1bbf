/* test_commit.c - publishing: compare-and-set on the log, answers that are lost, tables that change underneath.
 * The store is the local one behind a scheme of its own that can lose answers or delay what it was told to do.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delta_test.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>

#include "delta.h"
#include "ends.h"
#include "engine/host.h"
#include "engine/store.h"

extern const struct pen_plugin delta_LTX_pen_plugin;

/* -- a store with moods -------------------------------------------------------------------------------------------------------------- */

enum mood { FINE, LOST_ANSWER, SAYS_EXISTS, NOT_DONE, IN_FLIGHT, OUT_OF_REACH };
static enum mood mood; /* of the next put of a log entry */
static struct { char path[600], *bytes; size_t n; } in_flight;
static struct pen_store moody;

static pen_status moody_put(void *ctx, const char *path, const void *bytes, size_t n, unsigned flags, const struct pen_pairs *metadata,
                           pen_put_outcome *outcome, struct pen_error *err)
{
    enum mood now = strstr(path, ".json") ? mood : FINE;
    pen_status st = PEN_OK;
    if (now == FINE)
        return pen_store_dir.put(ctx, path, bytes, n, flags, metadata, outcome, err);
    mood = FINE;
    if (now == OUT_OF_REACH)
        return pen_fail(err, PEN_RETRY, "out of reach");
    if (now == LOST_ANSWER || now == SAYS_EXISTS)
        st = pen_store_dir.put(ctx, path, bytes, n, flags, metadata, outcome, err);
    if (now == IN_FLIGHT) {
        snprintf(in_flight.path, sizeof in_flight.path, "%s", path);
        in_flight.bytes = malloc(n);
        memcpy(in_flight.bytes, bytes, n);
        in_flight.n = n;
    }
    *outcome = now == SAYS_EXISTS ? PEN_PUT_EXISTS : PEN_PUT_UNKNOWN;
    return st;
}

static pen_put_outcome land(void)
{
    pen_put_outcome outcome;
    pen_store_dir.put(NULL, in_flight.path, in_flight.bytes, in_flight.n, PEN_PUT_IF_ABSENT, NULL, &outcome, NULL);
    free(in_flight.bytes);
    in_flight.bytes = NULL;
    return outcome;
}

static int64_t clock_us = 1000000;
static int64_t clock_now(void *arg)
{
    (void)arg;
    return clock_us;
}
/* The store's own time runs as fast. */
static pen_status moody_now(void *ctx, const char *path, int64_t *microseconds, struct pen_error *err)
{
    (void)ctx, (void)path, (void)err;
    *microseconds = INT64_C(1700000000000000) + clock_us;
    return PEN_OK;
}
static const struct pen_clock test_clock = { clock_now, clock_now, NULL };
static struct pen_run_context run = { .pipeline = "pipe", .clock = &test_clock, .lanes = 1, .wake_fd = -1 };
static struct pen_host host = { .run = &run, .stage = "sink", .reader_name = "pipe" };

/* -- a sink ------------------------------------------------------------------------------------------------------------------------------ */

#define SINK (delta_LTX_pen_plugin.sink)

struct sink {
    struct delta_sink d;
    char path[400];
};

static struct pen_pairs properties; /* of tables made from now on */

static void sink_new(struct sink *s, const char *table, const char *const *pairs, int schema_mode)
{
    struct ArrowSchema in;
    struct pen_error err = { 0 };
    memset(s, 0, sizeof *s);
    snprintf(s->path, sizeof s->path, "moody://%s", table);
    s->d.path = s->path;
    s->d.compression = (struct pen_compression){ PEN_CODEC_ZSTD, 1 };
    s->d.target_file_size = 1 << 20;
    s->d.checkpoint_interval = 1000000;
    s->d.schema_mode = schema_mode;
    pen_schema_from_pairs(&in, pairs, NULL);
    s->d.properties = properties;
    if (SINK->start(&s->d, &host, &err) < 0 || SINK->prepare(&s->d, &in, &err) < 0 || SINK->open(&s->d, &err) < 0)
        printf("# open: %s\n", err.msg);
    pen_schema_release(&in);
}

static const char *const one_column[] = { "i", "a", NULL };

static pen_publish_outcome publish(struct sink *s, const char *id, const char *key, int64_t base, uint64_t to)
{
    struct pen_error err = { 0 };
    char add[200];
    int n = snprintf(add, sizeof add, "{\"add\":{\"path\":\"%s.parquet\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true}}\n", id);
    struct pen_staged staged = { .bytes = add, .n = (size_t)n, .files = 1 };
    struct pen_move move = { key, { base >= 0, { base >= 0 ? (uint64_t)base : 0 } }, pen_position_of(to) };
    struct pen_plan plan = { id, 1, &move, 1, &staged, 1, false };
    pen_publish_outcome outcome = (pen_publish_outcome)-1;
    if (SINK->publish(&s->d, &plan, &outcome, &err) < 0) {
        printf("# publish %s: %s\n", id, err.msg);
        return (pen_publish_outcome)-1;
    }
    return outcome;
}

static pen_status one_shown(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    (void)err;
    sprintf((char *)arg + strlen(arg), "%s=%llu/%u ", key, (unsigned long long)pos->w[pos->n - 1], pos->n);
    return PEN_OK;
}

static const char *shown(struct sink *s, const char *prefix)
{
    static char text[2000];
    text[0] = '\0';
    SINK->shown(&s->d, prefix, one_shown, text, NULL);
    return text;
}

static pen_status count_txns(void *arg, int64_t version, int64_t index, const struct delta_action *a, struct pen_error *err)
{
    (void)version, (void)index, (void)err;
    *(int64_t *)arg += a->kind == DELTA_TXN;
    return PEN_OK;
}

/* How many adds the log holds in all. */
static int64_t adds_of(const char *table)
{
    struct delta_state s;
    delta_state_init(&s, table, NULL);
    s.want_files = true;
    pen_status st = delta_state_load(&s, NULL, -1, NULL);
    int64_t n = st < 0 ? -1 : s.live;
    delta_state_fini(&s);
    return n;
}

static void test_commit__moves_positions_with_the_rows(void)
{
    const char *t = new_table();
    struct sink s;
    sink_new(&s, t, one_column, DELTA_STRICT);
    ok(s.d.state.version == 0, "a table is made by its first entry");
    ok(publish(&s, "p1", "pipe/sink/src/0", -1, 100) == PEN_PUBLISH_DONE && publish(&s, "p2", "pipe/sink/src/0", 100, 200) == PEN_PUBLISH_DONE, "two plans");
    ok(strcmp(shown(&s, "pipe/sink/"), "pipe/sink/src/0=200/1 ") == 0, "the sink shows %s", shown(&s, "pipe/sink/"));
    ok(publish(&s, "p3", "pipe/sink/src/0", 100, 300) == PEN_PUBLISH_REFUSED, "a base that has moved is refused");
    ok(publish(&s, "p4", "pipe/sink/src/0", -1, 300) == PEN_PUBLISH_REFUSED, "no base where there is one is refused");
    ok(publish(&s, "p5", "pipe/sink/src/1", 5, 300) == PEN_PUBLISH_REFUSED, "a base where there is none is refused");
    ok(publish(&s, "p6", "pipe/sink/src/1", -1, UINT64_MAX) == PEN_PUBLISH_DONE && publish(&s, "p7", "pipe/sink/src/10", -1, 1) == PEN_PUBLISH_DONE, "other partitions");
    ok(strcmp(shown(&s, "pipe/sink/src/1"), "pipe/sink/src/1=18446744073709551615/1 pipe/sink/src/10=1/1 ") == 0, "by prefix: %s", shown(&s, "pipe/sink/src/1"));
    ok(adds_of(t) == 4, "only what was published is in the table");
    struct sink again;
    sink_new(&again, t, one_column, DELTA_STRICT);
    ok(strcmp(shown(&again, "pipe/sink/src/0"), "pipe/sink/src/0=200/1 ") == 0, "a new process sees the same");
    SINK->stop(&again.d);
    SINK->stop(&s.d);
}

static void test_commit__keeps_positions_of_several_words(void)
{
    const char *t = new_table();
    struct sink s;
    struct pen_move move = { "k", { 0 }, { 3, { 1, UINT64_C(1) << 62, 7, 0 } } };
    struct pen_plan plan = { "p1", 1, &move, 1, NULL, 0, false };
    pen_publish_outcome outcome;
    sink_new(&s, t, one_column, DELTA_STRICT);
    ok(SINK->publish(&s.d, &plan, &outcome, NULL) == PEN_OK && outcome == PEN_PUBLISH_DONE && strcmp(shown(&s, ""), "k=7/3 ") == 0, "three words: %s", shown(&s, ""));
    move.base = move.to;
    move.to.w[2] = 8;
    plan.id = "p2";
    ok(SINK->publish(&s.d, &plan, &outcome, NULL) == PEN_OK && outcome == PEN_PUBLISH_DONE && strcmp(shown(&s, ""), "k=8/3 ") == 0, "and on: %s", shown(&s, ""));
    SINK->stop(&s.d);
}

/* Case 1: P1 stalls; P2 takes the partition and goes on; P1 wakes and finds its slot taken. */
static void test_commit__of_two_owners_one_is_refused(void)
{
    const char *t = new_table();
    struct sink p1, p2;
    sink_new(&p1, t, one_column, DELTA_STRICT);
    sink_new(&p2, t, one_column, DELTA_STRICT);
    ok(publish(&p1, "a", "k/3", -1, 100) == PEN_PUBLISH_DONE && publish(&p2, "b", "k/3", 100, 150) == PEN_PUBLISH_REFUSED, "P2 has not read yet that k/3 is at 100");
    ok(strcmp(shown(&p2, "k"), "k/3=100/1 ") == 0 && publish(&p2, "c", "k/3", 100, 150) == PEN_PUBLISH_DONE, "P2 goes on from there");
    ok(publish(&p1, "d", "k/3", 100, 200) == PEN_PUBLISH_REFUSED, "P1 wakes and is refused");
    ok(publish(&p1, "e", "k/4", -1, 10) == PEN_PUBLISH_DONE && publish(&p2, "f", "k/5", -1, 10) == PEN_PUBLISH_DONE, "other partitions find the next free slot");
    ok(adds_of(t) == 4, "four commits");
    SINK->stop(&p1.d);
    SINK->stop(&p2.d);
}

static void test_commit__settles_lost_answers_by_reading(void)
{
    static const struct { enum mood mood; const char *name; pen_publish_outcome first, second; } cases[] = {
        { LOST_ANSWER, "stored, the answer lost", PEN_PUBLISH_DONE, PEN_PUBLISH_REFUSED },
        { SAYS_EXISTS, "stored, and repeated below", PEN_PUBLISH_DONE, PEN_PUBLISH_REFUSED },
        { NOT_DONE, "not stored, no answer", PEN_PUBLISH_UNKNOWN, PEN_PUBLISH_DONE },
        { OUT_OF_REACH, "the store is out of reach", PEN_PUBLISH_UNKNOWN, PEN_PUBLISH_DONE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *t = new_table();
        struct sink s;
        sink_new(&s, t, one_column, DELTA_STRICT);
        mood = cases[i].mood;
        pen_publish_outcome first = publish(&s, "p1", "k", -1, 100), second = publish(&s, "p1", "k", -1, 100);
        ok(first == cases[i].first && second == cases[i].second && adds_of(t) == 1, "%s: %d, then %d", cases[i].name, (int)first, (int)second);
        SINK->stop(&s.d);
    }
}

/* Case 3: a put is in flight when its answer is given up, and lands later. */
static void test_commit__survives_a_put_that_lands_late(void)
{
    for (int late = 0; late < 3; late++) {
        const char *t = new_table();
        struct sink s, other;
        sink_new(&s, t, one_column, DELTA_STRICT);
        sink_new(&other, t, one_column, DELTA_STRICT);
        mood = IN_FLIGHT;
        ok(publish(&s, "p1", "k", -1, 100) == PEN_PUBLISH_UNKNOWN, "in flight");
        if (late == 0) {
            ok(land() == PEN_PUT_DONE && publish(&s, "p1", "k", -1, 100) == PEN_PUBLISH_DONE && adds_of(t) == 1, "it lands before it is asked for again");
        } else if (late == 1) {
            ok(publish(&s, "p1", "k", -1, 100) == PEN_PUBLISH_DONE && land() == PEN_PUT_EXISTS && adds_of(t) == 1, "it lands after the second attempt: same slot");
        } else {
            ok(publish(&other, "q", "j", -1, 5) == PEN_PUBLISH_DONE && land() == PEN_PUT_EXISTS && publish(&s, "p1", "k", -1, 100) == PEN_PUBLISH_DONE && adds_of(t) == 2,
               "another takes the slot: the plan goes into the next");
        }
        SINK->stop(&s.d);
        SINK->stop(&other.d);
    }
}

static void stage_file(const char *t, struct pen_staged *staged, char add[200], const char *name)
{
    write_file(t, name, "x");
    *staged = (struct pen_staged){ .bytes = add, .files = 1 };
    staged->n = (size_t)snprintf(add, 200, "{\"add\":{\"path\":\"%s\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true}}\n", name);
}

static bool exists(const char *table, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", table, name);
    return access(path, F_OK) == 0;
}

static void test_commit__deletes_only_what_nothing_can_point_to(void)
{
    const char *t = new_table();
    struct sink s, other;
    struct pen_staged staged;
    char add[200];
    sink_new(&s, t, one_column, DELTA_STRICT);
    sink_new(&other, t, one_column, DELTA_STRICT);
    publish(&other, "q", "k", -1, 5);
    stage_file(t, &staged, add, "refused.parquet");
    struct pen_move move = { "k", { 0 }, pen_position_of(7) };
    struct pen_plan plan = { "p", 1, &move, 1, &staged, 1, false };
    pen_publish_outcome outcome;
    SINK->publish(&s.d, &plan, &outcome, NULL);
    SINK->discard(&s.d, &staged);
    ok(outcome == PEN_PUBLISH_REFUSED && !exists(t, "refused.parquet"), "files of a refused plan are deleted");

    /* A put without an answer; while we slept others went on and cleaned the log up to a checkpoint, so its slot can no longer be seen. */
    stage_file(t, &staged, add, "unclear.parquet");
    plan.id = "p2";
    move = (struct pen_move){ "k", pen_position_of(5), pen_position_of(9) };
    mood = IN_FLIGHT;
    SINK->publish(&s.d, &plan, &outcome, NULL);
    ok(outcome == PEN_PUBLISH_UNKNOWN && land() == PEN_PUT_DONE, "a put lands without an answer");
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "r%d", i);
        shown(&other, "");
        publish(&other, id, "other", i - 1, (uint64_t)i);
    }
    struct pen_error err = { 0 };
    ok(delta_checkpoint_write(t, NULL, other.d.state.version, 0, NULL, &err) == PEN_OK, "a checkpoint by another %s", err.msg);
    char command[600];
    snprintf(command, sizeof command, "rm -f '%s'/_delta_log/*[0-3].json", t);
    ok(system(command) == 0, "the log is cleaned up");
    clock_us += 3600 * (int64_t)1000000;
    SINK->publish(&s.d, &plan, &outcome, NULL);
    SINK->discard(&s.d, &staged);
    ok(outcome == PEN_PUBLISH_REFUSED && exists(t, "unclear.parquet"), "what an entry may point to stays");
    SINK->stop(&s.d);
    SINK->stop(&other.d);
}

/* A writer that slept while its slot was taken and then cleaned away must not fill the hole. */
static void test_commit__never_fills_a_hole(void)
{
    const char *t = new_table();
    struct sink s, other;
    sink_new(&s, t, one_column, DELTA_STRICT);
    sink_new(&other, t, one_column, DELTA_STRICT);
    for (int i = 0; i < 4; i++) {
        char id[8];
        snprintf(id, sizeof id, "r%d", i);
        publish(&other, id, "k", i - 1, (uint64_t)i);
    }
    delta_checkpoint_write(t, NULL, other.d.state.version, 0, NULL, NULL);
    char command[600];
    snprintf(command, sizeof command, "rm -f '%s'/_delta_log/*[0-3].json", t);
    ok(system(command) == 0, "the log is cleaned up to a checkpoint");
    clock_us += 61 * (int64_t)1000000;
    ok(publish(&s, "p", "j", -1, 1) == PEN_PUBLISH_DONE && s.d.state.version == 5 && adds_of(t) == 5, "the head is looked for first");
    SINK->stop(&s.d);
    SINK->stop(&other.d);
}

static void test_commit__sees_tables_that_change(void)
{
    static const char *const two_columns[] = { "i", "a", "u", "b", NULL }, *const other_type[] = { "l", "a", NULL };
    const char *t = new_table();
    struct sink s, grower, wrong;
    sink_new(&s, t, one_column, DELTA_STRICT);
    sink_new(&grower, t, two_columns, DELTA_EVOLVE);
    ok(grower.d.state.version == 1 && strstr(grower.d.state.metadata.schema, "\"b\""), "evolve adds the new column");
    ok(publish(&s, "p1", "k", -1, 1) == PEN_PUBLISH_REFUSED, "files written for another metaData are refused");
    ok(publish(&s, "p2", "k", -1, 1) == PEN_PUBLISH_DONE, "and the next plan, of rows that still fit, is not");
    sink_new(&wrong, t, two_columns, DELTA_STRICT);
    ok(wrong.d.opened, "strict takes the table that has the column by now");
    SINK->stop(&wrong.d);
    sink_new(&wrong, t, other_type, DELTA_EVOLVE);
    ok(!wrong.d.opened, "another type is refused");
    SINK->stop(&wrong.d);
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", t);
    ok(system(command) == 0, "the table is deleted");
    clock_us += 61 * (int64_t)1000000;
    ok(publish(&s, "p3", "k", 1, 2) == PEN_PUBLISH_GONE, "a plan for it finds it gone");
    SINK->stop(&s.d);
    SINK->stop(&grower.d);
}

/* Several processes, each with partitions of its own and one that all fight for: every commit is in the log once. */
static void test_commit__of_many_processes_each_counts_once(void)
{
    enum { PROCESSES = 4, PLANS = 40 };
    const char *t = new_table();
    pid_t pid[PROCESSES];
    int done = 0;
    for (int p = 0; p < PROCESSES; p++) {
        fflush(stdout);
        if ((pid[p] = fork()) == 0) {
            struct sink s;
            int mine = 0;
            sink_new(&s, t, one_column, DELTA_STRICT);
            for (int i = 0; i < PLANS; i++) {
                char id[32], key[16];
                snprintf(id, sizeof id, "%d-%d", p, i);
                snprintf(key, sizeof key, "k/%d", i % 2 ? p : 99);
                const char *at = strchr(shown(&s, key), '=');
                int64_t base = at ? strtoll(at + 1, NULL, 10) : -1;
                mine += publish(&s, id, key, base, (uint64_t)(base + 1)) == PEN_PUBLISH_DONE;
                if (i % 10 == 9)
                    delta_checkpoint_write(t, NULL, s.d.state.version, 0, NULL, NULL);
            }
            _exit(mine);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status = 0;
        waitpid(pid[p], &status, 0);
        done += WEXITSTATUS(status);
    }
    struct sink s;
    sink_new(&s, t, one_column, DELTA_STRICT);
    int64_t sum = 0;
    for (const char *p = shown(&s, "k/"); (p = strchr(p, '=')); p++)
        sum += strtoll(p + 1, NULL, 10) + 1;
    ok(adds_of(t) == done && sum == done && done >= PROCESSES * PLANS / 2, "%d plans done, %lld files, positions add up to %lld", done, (long long)adds_of(t), (long long)sum);
    SINK->stop(&s.d);
}

static void test_commit__costs_the_same_in_a_long_log(void)
{
    const char *t = new_table();
    struct sink s;
    sink_new(&s, t, one_column, DELTA_STRICT);
    s.d.checkpoint_interval = 10;
    for (int i = 0; i < 35; i++) {
        char id[32];
        snprintf(id, sizeof id, "p%d", i);
        if (publish(&s, id, "k", i - 1, (uint64_t)i) != PEN_PUBLISH_DONE || SINK->maintain(&s.d, NULL) != PEN_OK)
            ok(false, "commit %d", i);
    }
    ok(s.d.state.checkpoint == 30 && exists(t, "_delta_log/00000000000000000030.checkpoint.parquet") && exists(t, "_delta_log/_last_checkpoint") && adds_of(t) == 35,
       "a checkpoint every ten commits, the last at %lld", (long long)s.d.state.checkpoint);
    struct sink again;
    sink_new(&again, t, one_column, DELTA_STRICT);
    ok(again.d.state.checkpoint == 30 && strcmp(shown(&again, ""), "k=34/1 ") == 0, "opened from the checkpoint: %s", shown(&again, ""));
    SINK->stop(&again.d);
    SINK->stop(&s.d);
}

/* Case 14: positions would expire with the table's retention while their partitions are idle. */
static void test_maintain__renews_positions_half_way_to_their_expiry(void)
{
    static const char *const names[] = { "delta.setTransactionRetentionDuration" }, *const values[] = { "interval 7 days" };
    const int64_t day = INT64_C(86400000000);
    const char *t = new_table();
    struct sink s;
    properties = (struct pen_pairs){ 1, names, values };
    sink_new(&s, t, one_column, DELTA_STRICT);
    properties = (struct pen_pairs){ 0 };
    publish(&s, "p1", "pipe/sink/src/0", -1, 100);
    publish(&s, "p2", "other/sink/src/0", -1, 5);
    clock_us += 3 * day;
    publish(&s, "p3", "pipe/sink/src/1", -1, 7);
    SINK->maintain(&s.d, NULL);
    ok(s.d.state.version == 3, "nothing is due after three days");
    int64_t before = s.d.state.txns[0].updated;
    clock_us += day;
    SINK->maintain(&s.d, NULL);
    ok(s.d.state.version == 4 && s.d.state.txns[0].version == 100 && s.d.state.txns[0].updated - before >= 4 * day / 1000 - 1000 &&
           strcmp(shown(&s, "pipe/sink/src/0"), "pipe/sink/src/0=100/1 ") == 0, "after four the idle partition is written again");
    struct delta_arena arena = { 0 };
    int64_t txns = 0;
    ok(delta_entry_read(t, s.d.state.log, &host, 4, &arena, count_txns, &txns, NULL) == PEN_OK && txns == 1, "and only it: %lld", (long long)txns);
    delta_arena_fini(&arena);
    SINK->maintain(&s.d, NULL);
    ok(s.d.state.version == 4, "once");
    SINK->stop(&s.d);

    t = new_table(); /* a name that is written otherwise in keys than in paths */
    run.pipeline = "p\xc3\xa4=";
    properties = (struct pen_pairs){ 1, names, values };
    sink_new(&s, t, one_column, DELTA_STRICT);
    properties = (struct pen_pairs){ 0 };
    publish(&s, "p4", "p%C3%A4=/sink/src/0", -1, 1);
    clock_us += 4 * day;
    SINK->maintain(&s.d, NULL);
    ok(s.d.state.version == 2, "so is one of a pipeline with an unusual name");
    SINK->stop(&s.d);
    run.pipeline = "pipe";
}

static void make_old(const char *t, const char *name, int days)
{
    char path[600];
    struct timespec times[2];
    snprintf(path, sizeof path, "%s/_delta_log/%s", t, name);
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= days * 86400;
    times[1] = times[0];
    utimensat(AT_FDCWD, path, times, 0);
}

/* A log of `n` entries, all so many days old, with checkpoints. */
static const char *old_log(int n, int days, const int *checkpoints, size_t n_checkpoints)
{
    const char *t = new_table();
    char name[64];
    write_entry_text(t, 0, PROTOCOL METADATA);
    for (int i = 1; i < n; i++)
        write_entry_text(t, i, "{\"txn\":{\"appId\":\"a\",\"version\":1}}\n");
    for (size_t i = 0; i < n_checkpoints; i++)
        delta_checkpoint_write(t, NULL, checkpoints[i], PEN_PUT_NO_FSYNC, NULL, NULL);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%020d.json", i);
        make_old(t, name, days);
        snprintf(name, sizeof name, "%020d.checkpoint.parquet", i);
        make_old(t, name, days);
    }
    return t;
}

static bool has_version(const char *t, int version)
{
    char name[64];
    snprintf(name, sizeof name, "_delta_log/%020d.json", version);
    return exists(t, name);
}

static void test_clean_up__keeps_what_somebody_may_need(void)
{
    static const struct { const char *name; int entries, checkpoints[3]; size_t n; int first_kept; } cases[] = {
        { "below the last checkpoint that may go", 1300, { 100, 250, 1290 }, 3, 250 },
        { "the newest 1,000 entries stay", 1050, { 40, 60, 1040 }, 3, 40 },
        { "nothing without a checkpoint", 1100, { 0 }, 0, 0 },
        { "nothing of a short log", 900, { 100, 800 }, 2, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *t = old_log(cases[i].entries, 40, cases[i].checkpoints, cases[i].n);
        struct delta_state s;
        struct pen_error err = { 0 };
        int64_t deleted = -1;
        delta_state_init(&s, t, NULL);
        bool loaded = delta_state_load(&s, NULL, -1, NULL) == PEN_OK, first = cases[i].first_kept == 0;
        pen_status st = delta_clean_up(&s, NULL, &deleted, &err);
        ok(loaded && st == PEN_OK && has_version(t, cases[i].first_kept) && (first ? deleted == 0 : !has_version(t, cases[i].first_kept - 1) && !has_version(t, 0)),
           "%s: %lld files deleted %s", cases[i].name, (long long)deleted, err.msg);
        delta_state_fini(&s);
        delta_state_init(&s, t, NULL);
        ok(delta_state_load(&s, NULL, -1, NULL) == PEN_OK && s.version == cases[i].entries - 1, "the table can be read");
        delta_state_fini(&s);
    }
    static const int checkpoints[] = { 100, 250, 1290 };
    const char *t = old_log(1300, 40, checkpoints, 3);
    struct delta_state s;
    int64_t deleted;
    make_old(t, "00000000000000000050.json", 1);
    delta_state_init(&s, t, NULL);
    delta_state_load(&s, NULL, -1, NULL);
    ok(delta_clean_up(&s, NULL, &deleted, NULL) == PEN_OK && deleted == 0, "what is younger than the retention stays, and all that follows it");
    delta_state_fini(&s);
}

/* Case 14: our clock jumps. The retention is 30 days of the store's time. */
static void test_clean_up__goes_by_the_time_of_the_store(void)
{
    static const struct { const char *name; int64_t clock; int days; bool deletes; } cases[] = {
        { "our clock in 1970: entries 40 days old go", INT64_C(1000000), 40, true },
        { "our clock in 2100: entries 20 days old stay", INT64_C(4102444800000000), 20, false },
    };
    static const int checkpoints[] = { 100, 250, 1290 };
    int64_t before = clock_us;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *t = old_log(1300, cases[i].days, checkpoints, 3);
        struct delta_state s;
        int64_t deleted = -1;
        clock_us = cases[i].clock;
        delta_state_init(&s, t, NULL);
        bool good = delta_state_load(&s, &host, -1, NULL) == PEN_OK && delta_clean_up(&s, &host, &deleted, NULL) == PEN_OK;
        ok(good && (deleted > 0) == cases[i].deletes, "%s: %lld files", cases[i].name, (long long)deleted);
        delta_state_fini(&s);
    }
    clock_us = before;
}

static void test_options__say_what_is_not_supported(void)
{
    static const struct { const char *name, *value; bool good; } cases[] = {
        { "delta.appendOnly", "true", true }, { "mine", "x", true }, { "delta.logRetentionDuration", "interval 3 days", true },
        { "delta.logRetentionDuration", "3 fortnights", false }, { "delta.columnMapping.mode", "name", false }, { "delta.enableDeletionVectors", "true", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct delta_sink d;
        struct pen_error err = { 0 };
        memset(&d, 0, sizeof d);
        d.path = "/nowhere";
        d.properties = (struct pen_pairs){ 1, &cases[i].name, &cases[i].value };
        pen_status st = SINK->start(&d, &host, &err);
        ok(cases[i].good ? st == PEN_OK : st == PEN_BADCONF && strstr(err.msg, cases[i].name), "%s = %s %s", cases[i].name, cases[i].value, err.msg);
        if (st >= 0)
            SINK->stop(&d);
    }
}

/* `penstock check` looks at the table that is there, and leaves nothing where there is none. */
static void test_prepare__looks_and_changes_nothing(void)
{
    static const char *const other[] = { "l", "a", NULL };
    const char *t = new_table();
    char nothing[600];
    struct delta_sink d;
    struct ArrowSchema in;
    struct pen_error err = { 0 };
    struct sink s;
    sink_new(&s, t, one_column, DELTA_STRICT);
    SINK->stop(&s.d);
    memset(&d, 0, sizeof d);
    d.path = t;
    pen_schema_from_pairs(&in, other, NULL);
    ok(SINK->start(&d, &host, NULL) == PEN_OK && SINK->prepare(&d, &in, &err) == PEN_BADCONF && strstr(err.msg, "column a is integer"), "%s", err.msg);
    SINK->stop(&d);
    snprintf(nothing, sizeof nothing, "%s/below", t);
    memset(&d, 0, sizeof d);
    d.path = nothing;
    ok(SINK->start(&d, &host, NULL) == PEN_OK && SINK->prepare(&d, &in, NULL) == PEN_OK && access(nothing, F_OK) != 0, "no table: nothing is made");
    SINK->stop(&d);
    pen_schema_release(&in);
}

int main(void)
{
    moody = pen_store_dir;
    moody.scheme = "moody";
    moody.put = moody_put;
    moody.now = moody_now;
    run.stores = pen_stores_new();
    if (pen_stores_add(run.stores, &moody, NULL, NULL) < 0)
        return 99;
    test_commit__moves_positions_with_the_rows();
    test_commit__keeps_positions_of_several_words();
    test_commit__of_two_owners_one_is_refused();
    test_commit__settles_lost_answers_by_reading();
    test_commit__survives_a_put_that_lands_late();
    test_commit__deletes_only_what_nothing_can_point_to();
    test_commit__never_fills_a_hole();
    test_commit__sees_tables_that_change();
    test_commit__of_many_processes_each_counts_once();
    test_commit__costs_the_same_in_a_long_log();
    test_maintain__renews_positions_half_way_to_their_expiry();
    test_clean_up__keeps_what_somebody_may_need();
    test_clean_up__goes_by_the_time_of_the_store();
    test_options__say_what_is_not_supported();
    test_prepare__looks_and_changes_nothing();
    pen_stores_free(&run.stores);
    return end_tests();
}
