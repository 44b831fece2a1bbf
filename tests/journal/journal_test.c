/* journal_test.c - the journal's promises, one test each: what is committed is read back, and nothing else.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crc32c.h"
#include "harness.h"
#include "tests/tap.h"

#define KEY "p/s/src/0"

static void test_crc__is_castagnolis_by_both_ways(void)
{
    uint8_t bytes[300];
    bool same = true;
    ok(pen_crc32c(0, "123456789", 9) == 0xE3069283u && pen_crc32c_portable(0, "123456789", 9) == 0xE3069283u,
       "crc32c of the check string is as published");
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 7);
    for (unsigned n = 0; n < 200; n++)
        same = same && pen_crc32c(0, bytes + n % 9, n) == pen_crc32c_portable(0, bytes + n % 9, n) &&
               pen_crc32c(pen_crc32c(0, bytes, n), bytes + n, 100) == pen_crc32c(0, bytes, n + 100);
    ok(same, "crc32c by the CPU equals the tables at every length and alignment, and goes on");
}

static void test_rows__come_back_as_they_were(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    uint64_t none = 0;
    ok(out_open(&out, &o, 1, &err) == PEN_OK && in_open(&in, &o, 0, &err) == PEN_OK, "both ends open a journal that was not there");
    ok(in_read(&in, &none, 10, &err) == PEN_OK && in.end && in.rows == 0, "an empty journal is at its end");
    ok(in_read(&in, &none, 10, &err) == PEN_SKIP, "and then has nothing");
    in.told = false;
    ok(in_read(&in, &none, 10, &err) == PEN_OK && in.end, "but says again that this is its end, whenever it is asked");
    ok(out_write(&out, 0, 0, 5000, true, &err) == PEN_OK && in_expect(&in, 0, 0), "rows that are only written cannot be seen");
    ok(journal_sink.written(out.lanes[0]) > 5000, "the writer says what it has written");
    journal_sink.abandon(out.lanes[0]);
    ok(out_rows(&out, 0, 5000) && in_expect(&in, 0, 5000), "committed rows are read with keys, times, headers and nulls");
    ok(out_rows(&out, 5000, 1) && out_rows(&out, 5001, 3000) && in_expect(&in, 5000, 8001), "so are those of later commits");
    ok(out_shown(&out, "p/s/") == 8001, "the position is shown");
    out_close(&out);
    in_close(&in);
    ok(holds(&o, 0, 0, 8001) && holds(&o, 7999, 7999, 8001) && holds(&o, 4321, 4321, 8001), "all is there when opened again, from any offset");
    ok(out_open(&out, &o, 1, &err) == PEN_OK && out_shown(&out, KEY) == 8001 && out_rows(&out, 8001, 10), "and writing goes on");
    out_close(&out);
    ok(holds(&o, 8000, 8000, 8011), "behind what was there");
}

static void test_publish__is_compare_and_set(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct pen_error err = { 0 };
    pen_publish_outcome outcome;
    out_open(&out, &o, 1, &err);
    out_write(&out, 0, 0, 10, true, &err);
    ok(out_commit(&out, "a", KEY, 5, 10, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_REFUSED, "a base where none is shown is refused");
    ok(out_shown(&out, KEY) == UINT64_MAX && holds(&o, 0, 0, 0), "and nothing has happened");
    out_write(&out, 0, 0, 10, true, &err);
    ok(out_commit(&out, "b", KEY, UINT64_MAX, 10, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_DONE, "from none to 10 is done");
    ok(out_commit(&out, "b", KEY, UINT64_MAX, 10, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_DONE, "the same plan again is done");
    out_write(&out, 0, 10, 10, true, &err);
    ok(out_commit(&out, "c", KEY, UINT64_MAX, 20, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_REFUSED, "no base is refused where one is shown");
    out_write(&out, 0, 10, 10, true, &err);
    ok(out_commit(&out, "d", KEY, 9, 20, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_REFUSED, "another base is refused");
    ok(out_commit(&out, "e", KEY, 10, 30, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_DONE && out_shown(&out, KEY) == 30,
       "a commit without rows moves the position");
    out_close(&out);
    ok(holds(&o, 0, 0, 10), "only rows of plans that were done are there");
    out_open(&out, &o, 1, &err);
    ok(out_commit(&out, "b", KEY, UINT64_MAX, 10, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_DONE && out_shown(&out, KEY) == 30,
       "a plan is known after a restart too");
    out_close(&out);
}

static void test_lanes__write_segments_of_their_own(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    pen_publish_outcome outcome;
    uint64_t any = UINT64_MAX;
    o.segment_size = 65536;
    out_open(&out, &o, 3, &err);
    for (unsigned round = 0; round < 20; round++) {
        char plan[16];
        snprintf(plan, sizeof plan, "r%u", round);
        for (unsigned lane = 0; lane < 3; lane++)
            for (unsigned batch = 0; batch < 2; batch++)
                out_write(&out, lane, round * 1000, 100 * (lane + 1), true, &err);
        if (out_commit(&out, plan, KEY, round ? round : UINT64_MAX, round + 1, &outcome, &err) < 0)
            break;
    }
    ok(err.code == PEN_OK && in_open(&in, &o, 0, &err) == PEN_OK, "three lanes commit twenty times, over many segment files");
    while (in_read(&in, &any, 777, &err) == PEN_OK)
        ;
    ok(in.rows == 20 * 2 * 600 && in.at == in.rows && in.end, "every row is read once");
    in_close(&in);
    out_close(&out);
}

static void test_bound__is_not_passed(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    struct pen_position bound = pen_position_of(37);
    uint64_t n = 0;
    out_open(&out, &o, 1, &err);
    out_rows(&out, 0, 100);
    in_open(&in, &o, 0, &err);
    journal_source.reader_bound(in.lane, 0, &bound, &err);
    ok(in_read(&in, &n, 1000, &err) == PEN_OK && in.at == 37 && !in.end && in_read(&in, &n, 1000, &err) == PEN_SKIP, "reading stops at a bound");
    bound.n = 0;
    journal_source.reader_bound(in.lane, 0, &bound, &err);
    ok(in_expect(&in, 37, 100), "and goes on without one");
    bound = pen_position_of(5);
    journal_source.reader_add(in.lane, 0, &bound, &err);
    in.at = 5;
    ok(in_expect(&in, 5, 100), "a reader seeks back");
    in_close(&in);
    out_close(&out);
}

static void test_wake__comes_with_a_commit(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    struct pollfd p;
    out_open(&out, &o, 1, &err);
    in_open(&in, &o, 0, &err);
    in_expect(&in, 0, 0);
    p = (struct pollfd){ .fd = journal_source.fd(in.lane), .events = POLLIN };
    ok(poll(&p, 1, 0) == 0 && journal_source.wake_at(in.lane) == INT64_MAX, "an idle reader sleeps while this process writes");
    out_rows(&out, 0, 10);
    ok(poll(&p, 1, 0) == 1, "a commit wakes it");
    ok(in_expect(&in, 0, 10) && poll(&p, 1, 0) == 0, "once");
    out_close(&out);
    ok(journal_source.wake_at(in.lane) < INT64_MAX, "where another process may write it looks from time to time");
    in_close(&in);
}

static void test_second_writer__is_refused(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    int status, ready[2], go[2];
    char c = 0;
    pid_t child;
    if (pipe(ready) < 0 || pipe(go) < 0)
        abort();
    child = fork();
    if (child == 0) { /* another process: it has its own registry */
        struct out theirs;
        bool good = out_open(&theirs, &o, 1, &err) == PEN_OK && out_rows(&theirs, 0, 100);
        good = good && write(ready[1], &c, 1) == 1 && read(go[0], &c, 1) == 1 && out_rows(&theirs, 100, 50) && write(ready[1], &c, 1) == 1 &&
               read(go[0], &c, 1) == 1;
        _exit(good ? 0 : 1);
    }
    if (read(ready[0], &c, 1) != 1)
        abort();
    ok(out_open(&out, &o, 1, &err) == PEN_FATAL && strstr(err.msg, "process ") && strstr(err.msg, "writes to it already"),
       "a second writing process is refused, and told who writes: %s", err.msg);
    err = (struct pen_error){ 0 };
    ok(in_open(&in, &o, 0, &err) == PEN_OK && in_expect(&in, 0, 100), "a reader of another process is not");
    if (write(go[1], &c, 1) != 1 || read(ready[0], &c, 1) != 1)
        abort();
    ok(in_expect(&in, 100, 150), "and follows what is committed there");
    if (write(go[1], &c, 1) != 1)
        abort();
    waitpid(child, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the other process ends well");
    ok(out_open(&out, &o, 1, &err) == PEN_OK && out_rows(&out, 150, 5) && in_expect(&in, 150, 155), "then we may write, and our reader goes on");
    out_close(&out);
    in_close(&in);
}

static void test_readers__begin_where_they_should(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    struct pen_position pos;
    struct pen_partition_event e;
    out_open(&out, &o, 1, &err);
    out_rows(&out, 0, 100);
    o.start = START_LATEST;
    o.reader = "late";
    in_open(&in, &o, 0, &err);
    out_rows(&out, 100, 100);
    ok(journal_source.beginning(in.ctx, 0, true, &pos, &err) == PEN_OK && pos.n == 1 && pos.w[0] == 100, "start = latest begins where the run found it");
    ok(journal_source.beginning(in.ctx, 0, false, &pos, &err) == PEN_SKIP && pos.w[0] == 0, "but only on a first run");
    ok(journal_source.next_event(in.ctx, &e, &err) == PEN_OK && e.kind == PEN_PARTITION_ASSIGNED && strcmp(e.name, "0") == 0 &&
           strlen(e.incarnation) == 32,
       "its partition is 0, its incarnation the journal's id");
    ok(journal_source.next_event(in.ctx, &e, &err) == PEN_OK && e.kind == PEN_PARTITION_NO_MORE, "and there are no more");
    ok(journal_source.next_event(in.ctx, &e, &err) == PEN_SKIP, "and nothing else happens");
    in_close(&in);
    ok(in_open(&in, &o, 201, &err) == PEN_FATAL && strstr(err.msg, "lies behind its end 200"), "a position behind the end: %s", err.msg);
    err = (struct pen_error){ 0 };
    run_context.until_end = true;
    out_close(&out);
    ok(in_open(&in, &o, 150, &err) == PEN_OK && in_expect(&in, 150, 200), "--until-end reads to what was there at the start");
    in_close(&in);
    run_context.until_end = false;
}

/* Reads partition `id` to its end: rows, and whether each key hashes to it. */
static int64_t read_partition(struct in *in, uint32_t id, uint32_t partitions, bool *right)
{
    struct pen_intake *intakes[1] = { in->intake };
    struct pen_position zero = pen_position_of(0);
    struct pen_error err = { 0 };
    int64_t rows = 0;
    for (uint32_t i = 0; i < partitions; i++)
        journal_source.reader_remove(in->lane, i, &err);
    journal_source.reader_add(in->lane, id, &zero, &err);
    for (pen_status st = PEN_OK; st == PEN_OK;) {
        struct pen_read r = { .max_rows = 100, .max_bytes = 1 << 20, .intakes = intakes };
        struct ArrowArray batch;
        struct pen_column keys;
        pen_intake_begin(in->intake);
        st = journal_source.read(in->lane, &r, &err);
        if (pen_intake_finish(in->intake, &batch, &err) < 0)
            abort();
        keys = pen_column_at(&batch, 0);
        for (int64_t row = 0; row < batch.length; row++) {
            size_t n;
            const char *key = pen_column_is_null(&keys, row) ? NULL : pen_column_bytes(&keys, row, &n);
            *right = *right && (!key || pen_crc32c(0, key, n) % partitions == id) && (st != PEN_OK || r.partition == id);
        }
        rows += batch.length;
        if (batch.length == 0 && r.end)
            st = PEN_SKIP;
        pen_array_release(&batch);
    }
    return rows;
}

static void test_partitions__go_by_key_or_in_turn(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    pen_publish_outcome outcome;
    int64_t rows = 0, each[3];
    bool right = true;
    o.partitions = 3;
    ok(out_open(&out, &o, 1, &err) == PEN_OK, "a journal of three partitions");
    out_write(&out, 0, 0, 3000, true, &err);
    out_commit(&out, "keys", KEY, UINT64_MAX, 1, &outcome, &err);
    for (uint64_t i = 1; i <= 6; i++) {
        char plan[16];
        snprintf(plan, sizeof plan, "t%d", (int)i);
        out_write(&out, 0, 0, 100, false, &err);
        out_commit(&out, plan, KEY, i, i + 1, &outcome, &err);
    }
    out_close(&out);
    o.partitions = 0;
    ok(in_open(&in, &o, 0, &err) == PEN_OK, "is read by what it was made with");
    for (uint32_t p = 0; p < 3; p++)
        rows += each[p] = read_partition(&in, p, 3, &right);
    ok(rows == 3600 && each[0] > 200 && each[1] > 200 && each[2] > 200, "each row is in one partition, each partition has its share");
    ok(right, "rows with a key are where its hash says");
    in_close(&in);
    o.partitions = 2;
    ok(out_open(&out, &o, 1, &err) == PEN_BADCONF && strstr(err.msg, "it was made with 3"), "another number is a mistake in the file");
}

/* One lane of the next test: batches without end, staged when asked. */
struct lane {
    struct out *out;
    unsigned index;
    pthread_barrier_t *turn; /* all lanes and control, twice a round */
    struct pen_staged staged;
    bool failed;
};
#define ROUNDS 30u
static void *run_lane(void *arg)
{
    struct lane *l = arg;
    struct pen_error err = { 0 };
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 5; i++)
            l->failed |= out_write(l->out, l->index, 0, 100, true, &err) < 0;
        pthread_barrier_wait(l->turn); /* the plan before has been published */
        l->failed |= journal_sink.stage(l->out->lanes[l->index], &l->staged, &err) < 0;
        pthread_barrier_wait(l->turn);
    }
    return NULL;
}
static void *run_reader(void *arg)
{
    struct in *in = arg;
    struct pen_error err = { 0 };
    uint64_t any = UINT64_MAX;
    while (in->rows < ROUNDS * 3 * 500) {
        struct pollfd p = { .fd = journal_source.fd(in->lane), .events = POLLIN };
        pen_status st = in_read(in, &any, 1000, &err);
        if (st < 0 || (st == PEN_SKIP && poll(&p, 1, 10000) != 1))
            break;
        if (st == PEN_OK)
            in_settle(in, in->at);
    }
    return NULL;
}

static void test_lanes__write_while_plans_are_published_and_read(void)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct in in;
    struct lane lanes[3];
    struct pen_error err = { 0 };
    pthread_barrier_t turn;
    pthread_t threads[4];
    bool good = true;
    o.segment_size = 1 << 17;
    o.retention_bytes = 1 << 20;
    o.fsync = false;
    if (in_open(&in, &o, 0, &err) < 0 || out_open(&out, &o, 3, &err) < 0)
        abort();
    pthread_barrier_init(&turn, NULL, 4);
    for (unsigned i = 0; i < 3; i++) {
        lanes[i] = (struct lane){ .out = &out, .index = i, .turn = &turn };
        pthread_create(&threads[i], NULL, run_lane, &lanes[i]);
    }
    pthread_create(&threads[3], NULL, run_reader, &in);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct pen_staged staged[3];
        struct pen_move move = { .key = KEY, .to = pen_position_of(round + 1) };
        struct pen_plan plan = { .moves = &move, .n_moves = 1, .staged = staged, .n_staged = 3 };
        pen_publish_outcome outcome = PEN_PUBLISH_UNKNOWN;
        char id[16];
        snprintf(id, sizeof id, "c%u", round);
        plan.id = id;
        if (round)
            move.base = pen_position_of(round);
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
        for (unsigned i = 0; i < 3; i++)
            staged[i] = lanes[i].staged;
        while (good && outcome == PEN_PUBLISH_UNKNOWN)
            good = journal_sink.publish(out.ctx, &plan, &outcome, &err) == PEN_OK;
        good = good && outcome == PEN_PUBLISH_DONE && journal_sink.maintain(out.ctx, &err) == PEN_OK;
        for (unsigned i = 0; i < 3; i++)
            free(staged[i].bytes);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&turn);
    ok(good && !lanes[0].failed && !lanes[1].failed && !lanes[2].failed, "three lanes write while their last plan is published");
    ok(in.rows == ROUNDS * 3 * 500 && in.at == in.rows, "and a reader, woken by commits, gets each row once");
    in_close(&in);
    out_close(&out);
}

/* Rows of two lanes in one commit: those of the second lie behind those of the first, each partition's in the order in which they were written. */
static void told_where(unsigned partitions, bool keys)
{
    struct options o = options_for(fresh_path());
    struct out out;
    struct pen_staged staged[2] = { { 0 }, { 0 } };
    struct pen_move move = { .key = "p/s/src/1", .to = pen_position_of(30) };
    struct pen_plan plan = { .id = "told", .number = 1, .moves = &move, .n_moves = 1, .staged = staged, .n_staged = 2 };
    struct pen_stored at[30];
    uint64_t next[4];
    pen_publish_outcome outcome = PEN_PUBLISH_UNKNOWN;
    struct pen_error err = { 0 };
    bool good;
    o.partitions = (int64_t)partitions;
    host.stored_wanted = true;
    good = out_open(&out, &o, 2, &err) == PEN_OK && out_rows(&out, 0, 7); /* rows of another commit come before */
    for (unsigned p = 0; good && p < partitions; p++)
        next[p] = ((struct journal_of { struct options o; const struct pen_host *host; struct journal *j; } *)out.ctx)->j->end[p];
    good = good && out_write(&out, 1, 20, 10, keys, &err) == PEN_OK && out_write(&out, 0, 0, 12, keys, &err) == PEN_OK &&
           out_write(&out, 0, 12, 8, keys, &err) == PEN_OK;
    for (unsigned l = 0; l < 2; l++)
        good = good && journal_sink.stage(out.lanes[l], &staged[l], &err) == PEN_OK;
    good = good && journal_sink.publish(out.ctx, &plan, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_DONE &&
           journal_sink.stored(out.ctx, &plan, 0, 0, 20, at, &err) == PEN_OK && journal_sink.stored(out.ctx, &plan, 1, 0, 10, at + 20, &err) == PEN_OK;
    for (unsigned i = 0; good && i < 30; i++) {
        unsigned p = (unsigned)atoi(at[i].partition);
        good = p < partitions && at[i].at.n == 1 && at[i].at.w[0] == next[p]++;
    }
    ok(good, "%u partitions, %s keys: offsets follow one another %s", partitions, keys ? "with" : "without", err.msg);
    ok(good && journal_sink.stored(out.ctx, &plan, 0, 5, 3, at, &err) == PEN_OK && (partitions > 1 || at[0].at.w[0] == 12), "some from the middle");
    ok(good && journal_sink.stored(out.ctx, &plan, 1, 8, 3, at, &err) == PEN_SKIP, "no more than were written");
    ok(good && journal_sink.publish(out.ctx, &plan, &outcome, &err) == PEN_OK && outcome == PEN_PUBLISH_DONE &&
           journal_sink.stored(out.ctx, &plan, 0, 0, 1, at, &err) == PEN_SKIP, "not known of a commit that is only recognised");
    free(staged[0].bytes);
    free(staged[1].bytes);
    out_close(&out);
    host.stored_wanted = false;
}
static void test_stored__says_which_offsets_rows_got(void)
{
    told_where(1, true);
    told_where(4, true);
    told_where(4, false);
}

int main(void)
{
    test_stored__says_which_offsets_rows_got();
    test_crc__is_castagnolis_by_both_ways();
    test_rows__come_back_as_they_were();
    test_publish__is_compare_and_set();
    test_lanes__write_segments_of_their_own();
    test_bound__is_not_passed();
    test_wake__comes_with_a_commit();
    test_second_writer__is_refused();
    test_readers__begin_where_they_should();
    test_partitions__go_by_key_or_in_turn();
    test_lanes__write_while_plans_are_published_and_read();
    return done_testing();
}
