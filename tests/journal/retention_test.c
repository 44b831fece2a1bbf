/* retention_test.c - what is removed and what waits: registered readers, size, age, the log's own files.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "tests/tap.h"

#define KEY "p/s/src/0"
#define BATCH 2000u /* rows: about 150 kB */

static unsigned count_files(const char *folder, const char *ending)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    unsigned n = 0;
    while (d && (e = readdir(d)))
        n += strlen(e->d_name) > strlen(ending) && strcmp(e->d_name + strlen(e->d_name) - strlen(ending), ending) == 0;
    if (d)
        closedir(d);
    return n;
}

static uint64_t folder_bytes(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    uint64_t sum = 0;
    while (d && (e = readdir(d))) {
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            sum += (uint64_t)st.st_size;
    }
    if (d)
        closedir(d);
    return sum;
}

/* One try to commit BATCH rows from *next on; moves it on when done. */
static pen_publish_outcome try_batch(struct out *out, uint64_t *next, const char *plan, bool write)
{
    struct pen_error err = { 0 };
    pen_publish_outcome outcome = PEN_PUBLISH_GONE;
    if (write)
        out_write(out, 0, *next, BATCH, true, &err);
    if (out_commit(out, plan, KEY, *next ? *next : UINT64_MAX, *next + BATCH, &outcome, &err) < 0)
        printf("# %s\n", err.msg);
    if (outcome == PEN_PUBLISH_DONE)
        *next += BATCH;
    return outcome;
}

/* Staged rows are kept for a publish that is asked for again. */
struct held {
    struct pen_staged staged;
    struct pen_move move;
    struct pen_plan plan;
};
static void stage_batch(struct held *h, struct out *out, uint64_t next, const char *plan)
{
    struct pen_error err = { 0 };
    memset(h, 0, sizeof *h);
    out_write(out, 0, next, BATCH, true, &err);
    journal_sink.stage(out->lanes[0], &h->staged, &err);
    h->move = (struct pen_move){ .key = KEY, .to = pen_position_of(next + BATCH) };
    if (next)
        h->move.base = pen_position_of(next);
    h->plan = (struct pen_plan){ .id = plan, .moves = &h->move, .n_moves = 1, .staged = &h->staged, .n_staged = 1 };
}

static void test_full_wait__waits_for_the_slowest(void)
{
    struct options o = options_for(fresh_path()), fast = o;
    struct out out;
    struct in slow, quick;
    struct held h;
    struct pen_error err = { 0 };
    pen_publish_outcome outcome = PEN_PUBLISH_DONE;
    uint64_t next = 0, rounds = 0;
    char plan[24];
    o.retention_bytes = fast.retention_bytes = 1 << 20;
    o.reader = "slow";
    fast.reader = "quick";
    in_open(&slow, &o, 0, &err);
    in_open(&quick, &fast, 0, &err);
    out_open(&out, &o, 1, &err);
    while (rounds++ < 100) {
        snprintf(plan, sizeof plan, "p%" PRIu64, rounds);
        stage_batch(&h, &out, next, plan);
        if (journal_sink.publish(out.ctx, &h.plan, &outcome, &err) < 0 || outcome != PEN_PUBLISH_DONE)
            break;
        journal_sink.maintain(out.ctx, &err);
        free(h.staged.bytes);
        next += BATCH;
        in_settle(&quick, next);
    }
    ok(outcome == PEN_PUBLISH_UNKNOWN && next > 0 && rounds < 20, "with a slow reader the writer has to wait");
    ok(strstr(last_warning, "reader slow") != NULL, "and says for whom");
    ok(journal_sink.publish(out.ctx, &h.plan, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_UNKNOWN && out_shown(&out, KEY) == next,
       "asked again it still waits, and nothing has happened");
    ok(in_expect(&slow, 0, next), "the slow reader finds everything");
    in_settle(&slow, next);
    ok(journal_sink.publish(out.ctx, &h.plan, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_DONE, "once it has settled the same plan is done");
    free(h.staged.bytes);
    ok(in_expect(&slow, next, next + BATCH), "and read");
    next += BATCH;
    for (rounds = 0; rounds < 60; rounds++) {
        snprintf(plan, sizeof plan, "q%" PRIu64, rounds);
        outcome = try_batch(&out, &next, plan, true);
        if (outcome != PEN_PUBLISH_DONE || !in_expect(&slow, next - BATCH, next))
            break;
        in_settle(&slow, next);
        in_settle(&quick, next);
    }
    ok(rounds == 60 && folder_bytes(o.path) < 2 << 20, "with readers that keep up it goes on and stays small");
    in_close(&slow);
    in_close(&quick);
    err = (struct pen_error){ 0 };
    ok(in_open(&slow, &o, 0, &err) == PEN_FATAL && strstr(err.msg, "is not held any more") && strstr(err.msg, "retention_bytes"),
       "a position that is gone is an error that names the option");
    out_close(&out);
    ok(holds(&fast, next - 10, next - 10, next), "after all the removing the rest is still read");
}

/* A plan that is larger than the limit goes in where it is alone, in several files; none of them may go before the reader has settled it. */
static void test_full_wait__keeps_what_is_beyond_the_limit(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    pen_publish_outcome outcome = PEN_PUBLISH_UNKNOWN;
    bool written = true;
    o.retention_bytes = 1 << 20;
    o.segment_size = 64 << 10;
    o.reader = "slow";
    in_open(&in, &o, 0, &err);
    out_open(&out, &o, 1, &err);
    for (uint64_t i = 0; i < 20 && written; i++)
        written = out_write(&out, 0, i * BATCH, BATCH, true, &err) == PEN_OK;
    out_commit(&out, "large", KEY, UINT64_MAX, 20 * BATCH, &outcome, &err);
    journal_sink.maintain(out.ctx, &err);
    ok(written && outcome == PEN_PUBLISH_DONE && folder_bytes(o.path) > 1 << 20 && count_files(o.path, ".segment") > 1,
       "a plan larger than the limit goes in, %u files", count_files(o.path, ".segment"));
    ok(in_expect(&in, 0, 20 * BATCH), "and stays until its reader has settled it");
    in_close(&in);
    out_close(&out);
}

static void test_full_drop__drops_and_counts(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    uint64_t next = 0, number = 0, any = UINT64_MAX;
    o.retention_bytes = 1 << 20;
    o.full = FULL_DROP;
    in_open(&in, &o, 0, &err);
    out_open(&out, &o, 1, &err);
    try_batch(&out, &next, "first", true);
    in_read(&in, &number, 100, &err);
    dropped = 0;
    for (unsigned i = 0; i < 40; i++) {
        char plan[24];
        snprintf(plan, sizeof plan, "d%u", i);
        if (try_batch(&out, &next, plan, true) != PEN_PUBLISH_DONE)
            break;
    }
    ok(next == 41 * BATCH && folder_bytes(o.path) < 2 << 20, "writers do not wait, the journal stays small");
    while (in_read(&in, &any, 1000, &err) == PEN_OK)
        ;
    ok(in.end && in.at == next && in.rows + (uint64_t)dropped == next && dropped > 0, "a reader goes on behind the gap, which is counted");
    in_close(&in);
    out_close(&out);
}

static void test_forgotten_reader__holds_nothing(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    struct ArrowSchema schema;
    struct ArrowArray batch;
    const struct pen_verb *v = journal_verbs;
    const char *name = "gone";
    uint64_t next = 0;
    o.retention_bytes = 1 << 20;
    o.reader = name;
    in_open(&in, &o, 0, &err);
    in_close(&in);
    out_open(&out, &o, 1, &err);
    for (unsigned i = 0; i < 20; i++) {
        char plan[24];
        snprintf(plan, sizeof plan, "f%u", i);
        if (try_batch(&out, &next, plan, true) != PEN_PUBLISH_DONE)
            break;
    }
    ok(next < 20 * BATCH, "a registered reader that never comes holds the writer up");
    while (strcmp(v->name, "describe") != 0)
        v++;
    ok(v->run(NULL, NULL, &host, o.path, &schema, &batch, &err) == PEN_OK && batch.length == 1, "describe shows it");
    pen_array_release(&batch);
    pen_schema_release(&schema);
    while (strcmp(v->name, "forget") != 0)
        v++;
    ok(v->run(&name, NULL, &host, o.path, &schema, &batch, &err) == PEN_OK, "forget takes it off the list");
    pen_array_release(&batch);
    pen_schema_release(&schema);
    ok(v->run(&name, NULL, &host, o.path, &schema, &batch, &err) == PEN_FATAL, "which it can do once");
    ok(try_batch(&out, &next, "again", true) == PEN_PUBLISH_DONE, "and the writer goes on");
    v = journal_verbs;
    ok(v->run(NULL, NULL, &host, o.path, &schema, &batch, &err) == PEN_OK && batch.length == 1, "list finds the journal");
    pen_array_release(&batch);
    pen_schema_release(&schema);
    out_close(&out);
}

/* Makes every segment file look an hour old. */
static void age_files(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        struct stat st;
        struct timespec t[2];
        if (strstr(e->d_name, ".segment") && fstatat(dirfd(d), e->d_name, &st, 0) == 0) {
            t[0] = t[1] = (struct timespec){ st.st_mtim.tv_sec - 3600, 0 };
            utimensat(dirfd(d), e->d_name, t, 0);
        }
    }
    if (d)
        closedir(d);
}

static int64_t skew;
static int64_t skewed_now(void *arg)
{
    (void)arg;
    return pen_system_clock.now(NULL) + skew;
}
static int64_t skewed_wall(void *arg)
{
    (void)arg;
    return pen_system_clock.wall(NULL) + skew;
}

static void test_retention_time__goes_by_the_files_own_ages(void)
{
    static const struct pen_clock clock = { skewed_now, skewed_wall, NULL };
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    uint64_t next = 0;
    unsigned files;
    run_context.clock = &clock;
    o.segment_size = 65536;
    o.retention_time = INT64_C(1800) * 1000000;
    in_open(&in, &o, 0, &err);
    out_open(&out, &o, 1, &err);
    for (unsigned i = 0; i < 10; i++) {
        char plan[24];
        snprintf(plan, sizeof plan, "t%u", i);
        try_batch(&out, &next, plan, true);
    }
    in_settle(&in, next);
    files = count_files(o.path, ".segment");
    skew = INT64_C(40) * 86400 * 1000000;
    journal_sink.maintain(out.ctx, &err);
    ok(files >= 9 && count_files(o.path, ".segment") == files, "a clock that jumps 40 days ahead removes nothing");
    age_files(o.path);
    in_settle(&in, next / 2);
    skew += 10000000;
    journal_sink.maintain(out.ctx, &err);
    ok(count_files(o.path, ".segment") < files && count_files(o.path, ".segment") >= files / 2 - 1, "old files go as far as the reader has settled");
    in_settle(&in, next);
    skew += 10000000;
    journal_sink.maintain(out.ctx, &err);
    ok(count_files(o.path, ".segment") <= 1, "and all the others when it has settled them");
    ok(try_batch(&out, &next, "last", true) == PEN_PUBLISH_DONE, "writing goes on");
    out_close(&out);
    in_close(&in);
    ok(holds(&o, next - BATCH, next - BATCH, next), "and reading");
    run_context.clock = &pen_system_clock;
}

static void test_log__is_followed_by_another_and_removed(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in, behind;
    struct pen_error err = { 0 };
    char key[6000];
    pen_publish_outcome outcome = PEN_PUBLISH_GONE;
    uint64_t i;
    unsigned logs;
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    o.retention_bytes = 1 << 20;
    o.fsync = false;
    in_open(&in, &o, 0, &err);
    out_open(&out, &o, 1, &err);
    for (i = 0; i < 600; i++) { /* fat commit records */
        char plan[24];
        snprintf(plan, sizeof plan, "l%" PRIu64, i);
        out_write(&out, 0, i, 1, true, &err);
        if (out_commit(&out, plan, key, i ? i : UINT64_MAX, i + 1, &outcome, &err) < 0 || outcome != PEN_PUBLISH_DONE)
            break;
    }
    logs = count_files(o.path, ".commits");
    ok(i == 600 && logs >= 3, "a log that has grown is followed by another");
    in_open(&behind, &o, 0, &err);
    ok(in_expect(&in, 0, 600) && in_expect(&behind, 0, 600), "readers go from one to the next");
    in_close(&behind);
    ok(holds(&o, 300, 300, 600), "and find the one to begin with");
    out_close(&out);
    ok(out_open(&out, &o, 1, &err) == PEN_OK && out_shown(&out, key) == 600, "opening reads the newest only");
    in_settle(&in, 600);
    for (uint64_t next = 600; i < 660; i++) {
        char plan[24];
        snprintf(plan, sizeof plan, "m%" PRIu64, i);
        out_write(&out, 0, next, BATCH, true, &err);
        if (out_commit(&out, plan, KEY, next == 600 ? UINT64_MAX : next, next + BATCH, &outcome, &err) < 0 || outcome != PEN_PUBLISH_DONE)
            break;
        next += BATCH;
        in_settle(&in, next);
    }
    ok(i == 660 && count_files(o.path, ".commits") < logs, "logs of which nothing is held any more are removed");
    in_close(&in);
    out_close(&out);
}

int main(void)
{
    test_full_wait__waits_for_the_slowest();
    test_full_wait__keeps_what_is_beyond_the_limit();
    test_full_drop__drops_and_counts();
    test_forgotten_reader__holds_nothing();
    test_retention_time__goes_by_the_files_own_ages();
    test_log__is_followed_by_another_and_removed();
    return done_testing();
}
