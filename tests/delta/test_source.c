/* test_source.c - a Delta table followed as a source. SPDX-License-Identifier: Apache-2.0 */
#include "delta_test.h"

#include "delta.h"
#include "ends.h"
#include "engine/host.h"

extern const struct pen_plugin delta_LTX_pen_plugin;
#define SINK (delta_LTX_pen_plugin.sink)

static int64_t clock_us = 1000000;
static int64_t clock_now(void *arg)
{
    (void)arg;
    return clock_us;
}
static const struct pen_clock test_clock = { clock_now, clock_now, NULL };
static struct pen_run_context run = { .pipeline = "pipe", .clock = &test_clock, .lanes = 1, .wake_fd = -1 };
static struct pen_host host = { .run = &run, .stage = "sink", .reader_name = "pipe" };

/* -- a table that grows ----------------------------------------------------------------------------------------------------------------- */

static struct delta_sink sink;
static void *writer;
static uint64_t committed;

static void table_begin(const char *path)
{
    static const char *const pairs[] = { "l", "n", NULL };
    struct ArrowSchema in;
    memset(&sink, 0, sizeof sink);
    sink.path = path;
    sink.target_file_size = 1 << 20;
    sink.checkpoint_interval = 1000000;
    committed = 0;
    pen_schema_from_pairs(&in, pairs, NULL);
    if (SINK->start(&sink, &host, NULL) < 0 || SINK->prepare(&sink, &in, NULL) < 0 || SINK->open(&sink, NULL) < 0 || SINK->writer_open(&sink, 0, &writer, NULL) < 0)
        exit(99);
    pen_schema_release(&in);
}

/* One commit of one file with the next `rows` numbers. */
static void table_append(int rows)
{
    struct pen_builder *b;
    struct ArrowArray batch;
    struct pen_staged staged;
    struct pen_move move = { "k", committed ? pen_position_of(committed) : (struct pen_position){ 0 }, pen_position_of(committed + (uint64_t)rows) };
    struct pen_plan plan = { "p", 1, &move, 1, &staged, 1, false };
    pen_publish_outcome outcome;
    pen_builder_new(&b, &sink.in, NULL);
    for (int i = 0; i < rows; i++) {
        pen_builder_int64(pen_builder_child(b, 0), (int64_t)committed + i);
        pen_builder_end_struct(b);
    }
    pen_builder_finish(b, &batch, NULL);
    if (SINK->write(writer, &batch, NULL, NULL) < 0 || SINK->stage(writer, &staged, NULL) < 0 || SINK->publish(&sink, &plan, &outcome, NULL) < 0 ||
        outcome != PEN_PUBLISH_DONE)
        exit(99);
    pen_array_release(&batch);
    pen_builder_free(&b);
    free(staged.bytes);
    committed += (uint64_t)rows;
}

static void table_end(void)
{
    SINK->writer_close(writer);
    SINK->stop(&sink);
}

/* -- a source ---------------------------------------------------------------------------------------------------------------------------- */

struct reading {
    char *ctx;
    void *reader;
    struct pen_output *outputs;
    struct pen_position pos;
    char text[400]; /* the numbers that were read */
    bool end;
    struct pen_error err;
};

/* Sets an option of the source by its table. */
static void set(struct reading *r, const char *name, const void *value, size_t n)
{
    for (const struct pen_option *o = delta_source.options; o->name; o++)
        if (strcmp(o->name, name) == 0)
            memcpy(r->ctx + o->offset, value, n);
}

static void begin(struct reading *r, const char *path, bool ignore_deletes, int start, const struct pen_position *from)
{
    struct pen_partition_event e;
    int64_t second = 1000000;
    size_t n;
    memset(r, 0, sizeof *r);
    r->ctx = calloc(1, delta_source.ctx_size);
    set(r, "path", &path, sizeof path);
    set(r, "ignore_deletes", &ignore_deletes, sizeof ignore_deletes);
    set(r, "start", &start, sizeof start);
    set(r, "poll_interval", &second, sizeof second);
    if (delta_source.start(r->ctx, &host, NULL) < 0 || delta_source.outputs(r->ctx, &r->outputs, &n, NULL) < 0 ||
        delta_source.next_event(r->ctx, &e, NULL) != PEN_OK || e.kind != PEN_PARTITION_ASSIGNED ||
        delta_source.beginning(r->ctx, e.id, true, &r->pos, NULL) < 0 || delta_source.reader_open(r->ctx, 0, &r->reader, NULL) < 0)
        exit(99);
    if (from)
        r->pos = *from;
    delta_source.reader_add(r->reader, e.id, &r->pos, NULL);
}

/* Reads until there is nothing more; positions must join. */
static const char *all(struct reading *r, int64_t max_rows)
{
    r->text[0] = '\0';
    r->end = false;
    for (;;) {
        struct ArrowArray batch = { 0 };
        struct pen_read in = { .max_rows = max_rows, .batches = &batch };
        pen_status st = delta_source.read(r->reader, &in, &r->err);
        if (st != PEN_OK)
            return st < 0 ? r->err.msg : r->text;
        if (pen_position_compare(&in.from, &r->pos) != 0 || pen_position_compare(&in.to, &in.from) < 0)
            return "positions do not join";
        r->pos = in.to;
        r->end |= in.end;
        struct pen_column c = batch.release ? pen_column_at(&batch, 0) : (struct pen_column){ 0 };
        for (int64_t i = 0; batch.release && i < batch.length; i++)
            sprintf(r->text + strlen(r->text), "%lld ", (long long)pen_column_int64(&c, i));
        pen_array_release(&batch);
    }
}

static void finish(struct reading *r)
{
    delta_source.reader_close(r->reader);
    delta_source.stop(r->ctx);
    free(r->ctx);
}

static void test_source__reads_the_table_and_then_what_is_added(void)
{
    const char *t = new_table();
    struct reading r;
    table_begin(t);
    table_append(3);
    begin(&r, t, false, 0, NULL);
    const char *got = all(&r, 2);
    ok(strcmp(got, "0 1 2 ") == 0 && r.end, "what is there, and the end: %s", got);
    table_append(2);
    table_append(1);
    got = all(&r, 100);
    ok(strcmp(got, "") == 0, "not before the poll interval has passed");
    clock_us += 2000000;
    got = all(&r, 100);
    ok(strcmp(got, "3 4 5 ") == 0, "two commits later: %s", got);
    finish(&r);
    begin(&r, t, false, 1, NULL);
    got = all(&r, 100);
    ok(strcmp(got, "") == 0 && r.end, "start = latest begins behind them");
    table_append(1);
    clock_us += 2000000;
    got = all(&r, 100);
    ok(strcmp(got, "6 ") == 0, "and reads what follows: %s", got);
    finish(&r);
    table_end();
}

static void test_source__goes_on_at_any_position(void)
{
    const char *t = new_table();
    struct reading r;
    struct pen_position at[64];
    char rest[64][64];
    int n = 0;
    table_begin(t);
    table_append(3);
    begin(&r, t, false, 0, NULL);
    table_append(2);
    table_append(1);
    for (int read = 0; read < 6 && n < 64;) { /* row by row, noting each position and what is still to come */
        struct ArrowArray batch = { 0 };
        struct pen_read in = { .max_rows = 1, .batches = &batch };
        at[n] = r.pos;
        rest[n][0] = '\0';
        for (int i = read; i < 6; i++)
            sprintf(rest[n] + strlen(rest[n]), "%d ", i);
        n++;
        if (delta_source.read(r.reader, &in, NULL) != PEN_OK)
            break;
        read += batch.release ? (int)batch.length : 0;
        r.pos = in.to;
        pen_array_release(&batch);
    }
    finish(&r);
    ok(n >= 6, "%d positions", n);
    for (int i = 0; i < n; i++) {
        begin(&r, t, false, 0, &at[i]);
        const char *got = all(&r, 100);
        ok(strcmp(got, rest[i]) == 0, "from (%llu, %llu, %llu): %s", (unsigned long long)at[i].w[0], (unsigned long long)at[i].w[1], (unsigned long long)at[i].w[2], got);
        finish(&r);
    }
    table_end();
}

static void test_source__stops_at_what_it_cannot_follow(void)
{
    const char *t = new_table();
    struct reading r;
    table_begin(t);
    table_append(2);
    begin(&r, t, false, 0, NULL);
    all(&r, 100);
    write_entry_text(t, 2, "{\"remove\":{\"path\":\"x\",\"dataChange\":false}}\n");
    write_entry_text(t, 3, "{\"remove\":{\"path\":\"x\",\"dataChange\":true}}\n");
    clock_us += 2000000;
    const char *got = all(&r, 100);
    ok(strstr(got, "version 3 removes rows") != NULL, "%s", got);
    struct pen_position there = r.pos;
    finish(&r);
    begin(&r, t, true, 0, &there);
    got = all(&r, 100);
    ok(strcmp(got, "") == 0 && r.end, "ignore_deletes = yes passes over it");
    write_entry_text(t, 5, "{}");
    clock_us += 2000000;
    there = r.pos;
    got = all(&r, 100);
    ok(strstr(got, "version 4, where reading is to go on, is not in the log") != NULL, "a hole: %s", got);
    finish(&r);
    table_end();
}

int main(void)
{
    test_source__reads_the_table_and_then_what_is_added();
    test_source__goes_on_at_any_position();
    test_source__stops_at_what_it_cannot_follow();
    return end_tests();
}
