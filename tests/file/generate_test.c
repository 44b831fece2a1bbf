/* generate_test.c - the generate source: the same posts for the same seed, each once, whatever the lanes and restarts. With arguments
 * KIND SEED COUNT DIRTY it prints posts, for generate_test.py to look into.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "driver.h"
#include "plugins/generate/post.h"
#include "tests/tap.h"

extern const struct pen_plugin generate_LTX_pen_plugin;

/* The options as they lie in the context. */
static void set(struct drive *d, const char *name, double value)
{
    for (const struct pen_option *o = d->type->options; o->name; o++)
        if (strcmp(o->name, name) == 0) {
            void *member = (char *)d->ctx + o->offset;
            if (o->type == PEN_OPT_RATE || o->type == PEN_OPT_FLOAT)
                *(double *)member = value;
            else
                *(int64_t *)member = (int64_t)value;
            return;
        }
    printf("Bail out! no option %s\n", name);
}

/* Every index of [first, first + count) must have come `times` times. */
static bool each_once(const struct drive *d, uint64_t first, uint64_t count, unsigned times)
{
    unsigned char *seen = calloc(count, 1);
    bool good = true;
    for (size_t i = 0; i < d->n_fed; i++) {
        uint64_t at = d->fed[i].position;
        good = good && at >= first && at < first + count;
        if (good)
            seen[at - first]++;
    }
    for (uint64_t i = 0; i < count; i++)
        good = good && seen[i] == times;
    free(seen);
    return good;
}

static void test_generate__gives_every_post_once(void)
{
    static const struct { int64_t first, count; unsigned lanes; int64_t rows; } cases[] = {
        { 0, 1, 1, 1000 }, { 0, 10000, 1, 1000 }, { 0, 10000, 4, 777 }, { 5000, 20000, 3, 4096 }, { 1, 2048, 2, 1 }, { 16383, 2, 4, 10 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct drive d = { 0 };
        drive_init(&d, generate_LTX_pen_plugin.source);
        set(&d, "count", (double)cases[c].count);
        set(&d, "first", (double)cases[c].first);
        d.lanes = cases[c].lanes;
        d.max_rows = cases[c].rows;
        d.run.until_end = true;
        ok(drive_start(&d) == PEN_OK && drive_run(&d) == PEN_OK && each_once(&d, (uint64_t)cases[c].first, (uint64_t)cases[c].count, 3),
           "%d posts from %d by %u lanes: each once on three outputs", (int)cases[c].count, (int)cases[c].first, cases[c].lanes);
        bool order = true;
        for (size_t i = 1; cases[c].lanes == 1 && i < d.n_fed; i++)
            order = order && d.fed[i - 1].position <= d.fed[i].position;
        ok(order, "one lane gives them in order");
        drive_stop(&d);
        drive_free(&d);
    }
}

static void test_generate__goes_on_where_it_stood(void)
{
    struct drive d = { 0 }, whole = { 0 };
    drive_init(&whole, generate_LTX_pen_plugin.source);
    set(&whole, "count", 9000);
    drive_start(&whole);
    drive_run(&whole);
    for (int run = 0; run < 9; run++) { /* each run counts further than the one before */
        drive_init(&d, generate_LTX_pen_plugin.source);
        set(&d, "count", (run + 1) * 1000);
        d.lanes = 1 + (unsigned)run % LANES;
        d.n_memory = 0;
        struct memory *memory = d.memory;
        drive_start(&d);
        d.memory = memory;
        struct pen_partition_event e;
        while (d.type->next_event(d.ctx, &e, NULL) == PEN_OK && e.kind == PEN_PARTITION_ASSIGNED) {
            struct pen_position pos = { 0 };
            for (size_t i = 0; i < whole.n_memory; i++)
                if (strcmp(whole.memory[i].name, e.name) == 0)
                    pos = whole.memory[i].pos;
            if (pos.n == 0)
                d.type->beginning(d.ctx, e.id, false, &pos, NULL);
            d.type->start_partition(d.ctx, e.id, &pos, NULL);
            d.type->reader_add(d.readers[e.id % d.lanes], e.id, &pos, NULL);
            d.parts = realloc(d.parts, (d.n_parts + 1) * sizeof *d.parts);
            d.parts[d.n_parts++] = (struct part){ e.id, strdup(e.name), strdup(e.incarnation), pos, false };
        }
        drive_run(&d);
        struct drive keep = whole; /* positions are kept with `whole`, which no longer runs */
        keep.parts = d.parts;
        keep.n_parts = d.n_parts;
        drive_commit(&keep);
        whole.memory = keep.memory;
        whole.n_memory = keep.n_memory;
        d.n_committed = d.n_fed;
        drive_stop(&d);
    }
    ok(each_once(&d, 0, 9000, 3) && d.n_fed == whole.n_fed, "counting on from run to run: each once");
    drive_stop(&whole);
    drive_free(&whole);
    drive_free(&d);
}

/* One read of one shard from a position on. */
static struct pen_read read_from(struct drive *d, uint32_t shard, uint64_t from, uint64_t bound)
{
    struct pen_intake *none[3] = { NULL };
    struct pen_position pos = pen_position_of(from), until = pen_position_of(bound);
    struct pen_read r = { .max_rows = 4096, .max_bytes = 1 << 20, .intakes = none };
    d->type->reader_add(d->readers[0], shard, &pos, NULL);
    d->type->reader_bound(d->readers[0], shard, bound ? &until : &(struct pen_position){ 0 }, NULL);
    if (d->type->read(d->readers[0], &r, NULL) != PEN_OK)
        r.partition = UINT32_MAX;
    d->type->reader_remove(d->readers[0], shard, NULL);
    return r;
}

static void test_generate__positions_move_with_posts_alone(void)
{
    static const struct { const char *what; uint32_t shard; uint64_t from, bound, to; bool end; } cases[] = {
        { "a block to its end", 0, 0, 0, 2048, false },
        { "the only block of another", 1, 0, 0, 4096, true },
        { "nothing is left", 1, 4096, 0, 4096, true },
        { "nothing is left, from the middle of a gap", 7, 16900, 0, 16900, true },
        { "only a gap lies before the bound", 0, 2048, 5000, 5000, false },
        { "the bound is where the gap ends", 0, 2048, 16384, 16384, false },
        { "from the middle of a gap", 0, 5000, 0, 17000, true },
        { "the bound is in a block", 0, 5000, 16390, 16390, false },
    };
    struct drive d = { 0 };
    drive_init(&d, generate_LTX_pen_plugin.source);
    set(&d, "count", 17000);
    drive_start(&d);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pen_read r = read_from(&d, cases[i].shard, cases[i].from, cases[i].bound);
        ok(r.partition == cases[i].shard && r.from.w[0] == cases[i].from && r.to.w[0] == cases[i].to && r.end == cases[i].end, "%s: to %d%s", cases[i].what,
           (int)r.to.w[0], r.end ? ", the end" : "");
    }
    drive_stop(&d);
    drive_free(&d);
}

static void test_generate__keeps_its_rate(void)
{
    static const double rates[] = { 1, 10, 500, 100000 };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct drive d = { 0 };
        drive_init(&d, generate_LTX_pen_plugin.source);
        set(&d, "count", 0);
        set(&d, "rate", rates[i]);
        d.lanes = 2;
        drive_start(&d);
        int64_t begin = d.now;
        pen_status status = drive_until(&d, begin + 3000000);
        double want = 3 * rates[i] * 3;
        ok(status == PEN_SKIP && (double)d.n_fed >= want * 0.97 - 1 && (double)d.n_fed <= want + 9, "%g/s for 3 s: %zu records on three outputs", rates[i],
           d.n_fed);
        drive_stop(&d);
        drive_free(&d);
    }
}

static void test_post__is_a_function_of_seed_and_index(void)
{
    static char a[POST_MAX], b[POST_MAX];
    bool same = true, other = true;
    for (uint64_t i = 0; i < 1000; i++)
        for (int kind = POST_PIN; kind <= POST_USER; kind++) {
            size_t n = post_write(a, (post_kind)kind, 7, i, 0.1), m = post_write(b, (post_kind)kind, 7, i, 0.1);
            same = same && n == m && memcmp(a, b, n) == 0;
            n = post_write(a, (post_kind)kind, 7, i, 0);
            m = post_write(b, (post_kind)kind, 8, i, 0);
            other = other && !(n == m && memcmp(a, b, n) == 0);
        }
    ok(same, "the same seed and index: the same bytes, broken ones too");
    ok(other, "another seed: other posts");
}

static void test_generate__endless_has_no_end(void)
{
    struct drive d = { 0 };
    drive_init(&d, generate_LTX_pen_plugin.source);
    d.run.until_end = true;
    ok(drive_start(&d) == PEN_BADCONF && strstr(d.error.msg, "set count"), "--until-end without a count is refused: %s", d.error.msg);
    free(d.ctx);
}

static int print(char **argv)
{
    static char record[POST_MAX];
    static const char *const kinds[] = { "pin", "geo", "user" };
    struct timespec begin, end;
    uint64_t seed = strtoull(argv[2], NULL, 10), count = strtoull(argv[3], NULL, 10), bytes = 0;
    double dirty = strtod(argv[4], NULL);
    for (int kind = POST_PIN; kind <= POST_USER; kind++)
        if (strcmp(argv[1], kinds[kind]) == 0) {
            clock_gettime(CLOCK_MONOTONIC, &begin);
            for (uint64_t i = 0; i < count; i++) {
                size_t n = post_write(record, (post_kind)kind, seed, i, dirty);
                bytes += n + 1;
                record[n] = '\n';
                if (!argv[5])
                    fwrite(record, 1, n + 1, stdout);
            }
            clock_gettime(CLOCK_MONOTONIC, &end);
            double s = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
            if (argv[5])
                printf("%s: %.0f MB/s\n", argv[1], (double)bytes / s / 1e6);
        }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 5)
        return print(argv);
    test_post__is_a_function_of_seed_and_index();
    test_generate__gives_every_post_once();
    test_generate__goes_on_where_it_stood();
    test_generate__positions_move_with_posts_alone();
    test_generate__keeps_its_rate();
    test_generate__endless_has_no_end();
    return done_testing();
}
