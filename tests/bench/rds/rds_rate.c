/* rds_rate.c - what it costs to read a table into batches, and nothing else: rds_rate URL TABLE. Prints rows, bytes, seconds, CPU seconds of this process
 * and its peak memory. The batches are looked at by nobody. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/arena.h"
#include "config/option.h"
#include "engine/host.h"

extern const struct pen_plugin rds_LTX_pen_plugin;

static struct pen_error error;

static void must(pen_status st)
{
    if (st < 0) {
        fprintf(stderr, "rds_rate: %s\n", error.msg);
        exit(1);
    }
}

static void set(void *ctx, struct pen_arena *mem, const char *name, const char *text)
{
    must(pen_option_parse(pen_option_find(rds_LTX_pen_plugin.source->options, name), text, ctx, mem, NULL, &error));
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Hands all partitions to one reader; how many. */
static size_t assign(const struct pen_source *type, void *ctx, void *reader)
{
    struct pen_partition_event e;
    struct pen_position at;
    size_t n = 0;
    pen_status st;
    while ((st = type->next_event(ctx, &e, &error)) == PEN_OK && e.kind == PEN_PARTITION_ASSIGNED) {
        must(type->beginning(ctx, e.id, true, &at, &error));
        must(type->reader_add(reader, e.id, &at, &error));
        n++;
    }
    must(st);
    return n;
}

int main(int argc, char **argv)
{
    const struct pen_source *type = rds_LTX_pen_plugin.source;
    char state[] = "/tmp/rds-rate-XXXXXX", note[100];
    struct pen_run_context run = { .pipeline = "bench", .clock = &pen_system_clock, .lanes = 1, .until_end = true, .wake_fd = -1 };
    struct pen_host host = { .run = &run, .stage = "in" };
    struct pen_arena mem = { 0 };
    void *ctx = calloc(1, type->ctx_size), *reader;
    struct pen_output *outputs;
    struct rusage usage;
    size_t n, left;
    int64_t rows = 0, begin;
    double bytes = 0;
    if (argc != 3 || !ctx || !mkdtemp(state))
        return 2;
    run.state_path = state;
    must(pen_option_defaults(type->options, ctx, &mem, &error));
    set(ctx, &mem, "url", argv[1]);
    set(ctx, &mem, "tables", argv[2]);
    set(ctx, &mem, "tls", "off");
    begin = pen_now(&host);
    must(type->start(ctx, &host, &error));
    must(type->outputs(ctx, &outputs, &n, &error));
    outputs[0].read = true;
    must(type->reader_open(ctx, 0, &reader, &error));
    left = assign(type, ctx, reader);
    while (left) {
        struct ArrowArray batch = { 0 };
        struct pen_read r = { .max_rows = 4096, .max_bytes = 2 << 20, .batches = &batch };
        pen_status st = type->read(reader, &r, &error);
        must(st);
        if (st == PEN_SKIP)
            poll(&(struct pollfd){ .fd = type->fd(reader), .events = POLLIN }, 1, -1);
        if (st == PEN_SKIP || !batch.release) {
            left -= st == PEN_OK && r.end;
            continue;
        }
        rows += batch.length;
        bytes += (double)pen_array_bytes(&batch);
        left -= r.end;
        pen_array_release(&batch);
    }
    type->reader_close(reader);
    getrusage(RUSAGE_SELF, &usage);
    printf("%" PRId64 " rows, %.0f MB, %.2f s, %.3f CPU s, %.1f MiB\n", rows, bytes / 1e6, (double)(pen_now(&host) - begin) / 1e6,
           seconds(usage.ru_utime) + seconds(usage.ru_stime), (double)usage.ru_maxrss / 1024);
    type->stop(ctx);
    snprintf(note, sizeof note, "%s/rds.in.ranges", state);
    unlink(note);
    rmdir(state);
    return 0;
}
