/* write_table.c - writes a Delta table through the plugin's sink, for the tests that read it with other programs, and for measuring.
 *
 *   write_table PATH COMMITS ROWS [OPTION=VALUE...]
 * COMMITS commits of ROWS rows each, through write, stage, publish and maintain as the engine calls them; continues a table that is there. Options:
 * partition=COLUMN, fsync=yes, interval=N, columns=flat|all, seconds of each thousandth commit go to standard error with time=yes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "delta.h"

extern const struct pen_plugin delta_LTX_pen_plugin;

static struct delta_sink sink;
static struct pen_error err;
static const char *partition[1];

static void check(pen_status st)
{
    if (st >= 0)
        return;
    fprintf(stderr, "write_table: %s\n", err.msg);
    exit(1);
}

static void make_schema(struct ArrowSchema *out, bool all)
{
    static const char *const flat[] = { "!i", "ind", "u", "text", "g", "number", "tsu:UTC", "at", NULL };
    check(all ? pen_schema_init_struct(out, "", 12, &err) : pen_schema_from_pairs(out, flat, &err));
    if (!all)
        return;
    static const char *const formats[] = { "i", "u", "g", "tsu:UTC", "b", "l", "d:20,3", "z", "tdD", "d:7,2" };
    static const char *const names[] = { "ind", "text", "number", "at", "flag", "long", "money", "bytes", "day", "small" };
    for (size_t i = 0; i < 10; i++)
        check(pen_schema_init_field(out->children[i], formats[i], names[i], i ? ARROW_FLAG_NULLABLE : 0, 0, &err));
    check(pen_schema_init_field(out->children[10], "+l", "list", ARROW_FLAG_NULLABLE, 1, &err));
    check(pen_schema_init_field(out->children[10]->children[0], "g", "item", ARROW_FLAG_NULLABLE, 0, &err));
    check(pen_schema_init_field(out->children[11], "+s", "nested", ARROW_FLAG_NULLABLE, 2, &err));
    check(pen_schema_init_field(out->children[11]->children[0], "i", "x", ARROW_FLAG_NULLABLE, 0, &err));
    check(pen_schema_init_field(out->children[11]->children[1], "u", "y z", ARROW_FLAG_NULLABLE, 0, &err));
}

static struct pen_builder *at(struct pen_builder *b, size_t i)
{
    return pen_builder_child(b, i);
}

/* Row k: each value follows from k, so that a reader can work it out too; every seventh is null. */
static void put_row(struct pen_builder *b, int64_t k, bool all)
{
    char text[64];
    bool null = k % 7 == 3;
    int n = snprintf(text, sizeof text, "text \xc3\xa9 %lld/%%", (long long)(k % 5));
    pen_builder_int32(at(b, 0), (int32_t)k);
    if (null) {
        for (size_t i = 1; i < (all ? 12 : 4); i++)
            pen_builder_null(at(b, i));
        pen_builder_end_struct(b);
        return;
    }
    pen_builder_bytes_value(at(b, 1), text, (size_t)n);
    pen_builder_float64(at(b, 2), (double)k / 4);
    pen_builder_int64(at(b, 3), 1600000000000000 + k * 1001);
    if (all) {
        uint8_t decimal[16] = { 0 };
        memcpy(decimal, &k, sizeof k);
        pen_builder_bool(at(b, 4), k % 2);
        pen_builder_int64(at(b, 5), k << 33);
        pen_builder_decimal128(at(b, 6), decimal);
        pen_builder_bytes_value(at(b, 7), &k, 2);
        pen_builder_int32(at(b, 8), (int32_t)(18000 + k % 100));
        pen_builder_decimal128(at(b, 9), decimal);
        for (int64_t i = 0; i < k % 3; i++)
            pen_builder_float64(at(at(b, 10), 0), (double)i);
        pen_builder_end_list(at(b, 10));
        pen_builder_int32(at(at(b, 11), 0), (int32_t)(k % 11));
        pen_builder_bytes_value(at(at(b, 11), 1), text, (size_t)n);
        pen_builder_end_struct(at(b, 11));
    }
    pen_builder_end_struct(b);
}

static pen_status keep_position(void *arg, const char *key, const struct pen_position *pos, struct pen_error *e)
{
    (void)key, (void)e;
    *(struct pen_position *)arg = *pos;
    return PEN_OK;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    const struct pen_sink *type = delta_LTX_pen_plugin.sink;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    struct pen_builder *b;
    struct pen_position shown = { 0 };
    void *writer;
    bool all = false, timed = false;

    if (argc < 4)
        return 2;
    sink.path = argv[1];
    sink.compression = (struct pen_compression){ PEN_CODEC_ZSTD, 1 };
    sink.target_file_size = 128 << 20;
    sink.checkpoint_interval = 10;
    for (int i = 4; i < argc; i++) {
        if (strncmp(argv[i], "partition=", 10) == 0) {
            partition[0] = argv[i] + 10;
            sink.partition_by = (struct pen_strings){ 1, partition };
        } else if (strncmp(argv[i], "interval=", 9) == 0) {
            sink.checkpoint_interval = atoi(argv[i] + 9);
        }
        sink.fsync |= strcmp(argv[i], "fsync=yes") == 0;
        all |= strcmp(argv[i], "columns=all") == 0;
        timed |= strcmp(argv[i], "time=yes") == 0;
    }
    make_schema(&schema, all);
    check(type->start(&sink, NULL, &err));
    check(type->prepare(&sink, &schema, &err));
    check(type->open(&sink, &err));
    check(type->shown(&sink, "test/sink/src/0", keep_position, &shown, &err));
    check(type->writer_open(&sink, 0, &writer, &err));
    check(pen_builder_new(&b, &schema, &err));
    double start = seconds();
    int64_t rows = atoll(argv[3]), first = shown.n ? (int64_t)shown.w[0] : 0;
    for (int64_t c = 0; c < atoll(argv[2]); c++, first += rows) {
        struct pen_staged staged;
        struct pen_move move = { "test/sink/src/0", shown, pen_position_of((uint64_t)(first + rows)) };
        pen_publish_outcome outcome;
        char id[64];
        for (int64_t k = first; k < first + rows; k++)
            put_row(b, k, all);
        check(pen_builder_finish(b, &batch, &err));
        check(type->write(writer, &batch, NULL, &err));
        pen_array_release(&batch);
        check(type->stage(writer, &staged, &err));
        snprintf(id, sizeof id, "plan-%lld", (long long)first);
        struct pen_plan plan = { id, 1, &move, 1, &staged, 1, false };
        check(type->publish(&sink, &plan, &outcome, &err));
        free(staged.bytes);
        if (outcome != PEN_PUBLISH_DONE) {
            fprintf(stderr, "write_table: commit %lld: outcome %d\n", (long long)c, (int)outcome);
            return 1;
        }
        shown = move.to;
        check(type->maintain(&sink, &err));
        if (timed && c % 1000 == 999) {
            fprintf(stderr, "commits %lld: %.0f/s\n", (long long)c + 1, 1000 / (seconds() - start));
            start = seconds();
        }
    }
    pen_builder_free(&b);
    type->writer_close(writer);
    type->stop(&sink);
    pen_schema_release(&schema);
    return 0;
}
