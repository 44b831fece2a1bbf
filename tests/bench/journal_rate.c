/* journal_rate.c - how fast the journal writes and reads posts, beside what `dd conv=fsync` writes in the same folder.
 * usage: journal_rate FOLDER [MB [PAIRS]]: writes by turns, prints each and the median of the pairs' ratios. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data/intake.h"
#include "engine/host.h"
#include "ends.h"

#define POST 740u          /* bytes, as a pin's JSON has on average */
#define BATCH 2000u        /* posts */
#define COMMIT 64u         /* batches */

void pen_log(const struct pen_host *h, pen_log_level level, const char *fmt, ...)
{
    (void)h, (void)level, (void)fmt;
}
void pen_count(const struct pen_host *h, const char *name, const char *label, int64_t n)
{
    (void)h, (void)name, (void)label, (void)n;
}

static struct pen_run_context run = { .pipeline = "bench", .state_path = ".", .clock = &pen_system_clock, .lanes = 1, .wake_fd = -1 };
static struct pen_host host = { .run = &run, .stage = "j", .reader_name = "bench" };
static struct pen_error err;

static double now(void)
{
    return (double)pen_now(&host) / 1e6;
}
static void check(pen_status st)
{
    if (st < 0) {
        fprintf(stderr, "journal_rate: %s\n", err.msg);
        exit(1);
    }
}

static void make_batch(struct ArrowArray *batch)
{
    struct ArrowSchema schema;
    struct pen_builder *b;
    char post[POST];
    check(pen_schema_raw(&schema, &err));
    check(pen_builder_new(&b, &schema, &err));
    for (unsigned i = 0; i < BATCH; i++) {
        for (unsigned k = 0; k < POST; k++)
            post[k] = (char)(' ' + (i * 31 + k * 7) % 94);
        for (size_t c = 0; c < 6; c++)
            if (c == 1)
                pen_builder_bytes_value(pen_builder_child(b, c), post, sizeof post);
            else
                pen_builder_null(pen_builder_child(b, c));
        pen_builder_end_struct(b);
    }
    check(pen_builder_finish(b, batch, &err));
    pen_builder_free(&b);
    pen_schema_release(&schema);
}

static double write_journal(const struct options *o, unsigned batches)
{
    struct ArrowArray batch;
    struct pen_move move = { .key = "bench/j/src/0" };
    void *ctx = calloc(1, journal_sink.ctx_size), *writer;
    double start;
    make_batch(&batch);
    *(struct options *)ctx = *o;
    check(journal_sink.start(ctx, &host, &err));
    check(journal_sink.open(ctx, &err));
    check(journal_sink.writer_open(ctx, 0, &writer, &err));
    start = now();
    for (unsigned i = 0; i < batches; i++) {
        check(journal_sink.write(writer, &batch, NULL, &err));
        if (i + 1 == batches || (i + 1) % COMMIT == 0) {
            struct pen_staged staged;
            char id[24];
            struct pen_plan plan = { .id = id, .moves = &move, .n_moves = 1, .staged = &staged, .n_staged = 1 };
            pen_publish_outcome outcome;
            snprintf(id, sizeof id, "%u", i);
            move.base = move.to;
            move.to = pen_position_of(i + 1);
            check(journal_sink.stage(writer, &staged, &err));
            check(journal_sink.publish(ctx, &plan, &outcome, &err));
            free(staged.bytes);
        }
    }
    start = now() - start;
    journal_sink.writer_close(writer);
    journal_sink.stop(ctx);
    pen_array_release(&batch);
    free(ctx);
    return start;
}

/* Reads everything through an intake of raw messages. */
static double read_journal(const struct options *o, uint64_t rows)
{
    const struct ArrowSchema *raw = NULL;
    struct pen_intake *intake;
    struct pen_position pos = pen_position_of(0);
    void *ctx = calloc(1, journal_source.ctx_size), *reader;
    double start;
    *(struct options *)ctx = *o;
    check(journal_source.start(ctx, &host, &err));
    check(journal_source.reader_open(ctx, 0, &reader, &err));
    check(journal_source.reader_add(reader, 0, &pos, &err));
    check(pen_intake_new(&intake, &raw, 1, 16 << 20, &err));
    start = now();
    for (uint64_t got = 0; got < rows;) {
        struct ArrowArray batch;
        struct pen_read r = { .max_rows = 4096, .max_bytes = 1 << 20, .intakes = &intake };
        pen_intake_begin(intake);
        check(journal_source.read(reader, &r, &err));
        check(pen_intake_finish(intake, &batch, &err));
        got += (uint64_t)batch.length;
        pen_array_release(&batch);
    }
    start = now() - start;
    pen_intake_free(&intake);
    journal_source.reader_close(reader);
    journal_source.stop(ctx);
    free(ctx);
    return start;
}

/* Runs a command line about this run's files. */
static void shell(const char *format, const char *path, unsigned n)
{
    char command[9000];
    int size = snprintf(command, sizeof command, format, path, path, n);
    if (size < 0 || (size_t)size >= sizeof command || system(command) != 0) {
        fprintf(stderr, "journal_rate: cannot run: %s\n", command);
        exit(1);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    double mb = argc > 2 ? atof(argv[2]) : 700, ratio[100];
    int pairs = argc > 3 ? atoi(argv[3]) : 5;
    unsigned batches = (unsigned)(mb * 1e6 / (BATCH * POST)) + 1;
    char path[4096];
    struct options o = { .path = path, .segment_size = 64 << 20, .fsync = true };
    mb = (double)batches * BATCH * POST / 1e6;
    if (argc < 2 || pairs < 1 || pairs > 100) {
        fprintf(stderr, "usage: journal_rate FOLDER [MB [PAIRS]]\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/journal-rate-%ld", argv[1], (long)getpid());
    for (int i = 0; i < pairs; i++) {
        double ours, read, dd;
        sync();
        ours = write_journal(&o, batches);
        read = read_journal(&o, (uint64_t)batches * BATCH);
        shell("rm -rf '%s' '%s.dd'; sync", path, 0);
        dd = now();
        shell("test -n '%s' && dd if=/dev/zero of='%s.dd' bs=1M count=%u conv=fsync 2>/dev/null", path, (unsigned)(mb * 1e6 / (1 << 20)));
        dd = now() - dd;
        shell("rm -rf '%s' '%s.dd'; sync", path, 0);
        ratio[i] = dd / ours;
        printf("write %.0f MB/s, read %.0f MB/s, dd conv=fsync %.0f MB/s\n", mb / ours, mb / read, mb / dd);
    }
    qsort(ratio, (size_t)pairs, sizeof *ratio, by_value);
    printf("write / dd, median of %d pairs: %.2f\n", pairs, ratio[pairs / 2]);
    return 0;
}
