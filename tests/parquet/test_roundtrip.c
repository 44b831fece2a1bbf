/* test_roundtrip.c - what the writer wrote, the reader gives back: every type, nullability, nesting, codec, at page and group boundaries.
 * SPDX-License-Identifier: Apache-2.0 */
#include "memfile.h"
#include "sample.h"
#include "../tap.h"

static struct pen_error err;

static bool must(pen_status st)
{
    if (st < 0)
        printf("# %s\n", err.msg);
    return st >= 0;
}

static bool write_sample(struct memfile *m, const struct ArrowSchema *schema, const struct ArrowArray *rows, int64_t step,
                         const struct pen_parquet_options *o)
{
    struct pen_parquet_writer *w = NULL;
    bool good = must(pen_parquet_writer_new(&w, schema, o, memfile_write, m, &err));
    for (int64_t at = 0; good && at < rows->length; at += step) {
        struct ArrowArray slice;
        int64_t n = rows->length - at < step ? rows->length - at : step;
        good = must(pen_array_slice(&slice, rows, at, n, &err)) && must(pen_parquet_writer_batch(w, &slice, &err));
        pen_array_release(&slice);
    }
    good = good && must(pen_parquet_writer_close(w, &err));
    if (good && pen_parquet_writer_size(w) != (int64_t)m->n)
        good = must(pen_fail(&err, PEN_FATAL, "size %lld, written %zu", (long long)pen_parquet_writer_size(w), m->n));
    pen_parquet_writer_free(&w);
    return good;
}

static bool read_back(struct memfile *m, const struct ArrowSchema *schema, const struct ArrowArray *rows, int64_t step)
{
    struct pen_parquet_reader *r = NULL;
    struct pen_parquet_input in = memfile_input(m);
    struct ArrowArray batch;
    int64_t at = 0;
    pen_status st;
    bool good = must(pen_parquet_reader_open(&r, &in, &err)) && pen_schema_equal(schema, pen_parquet_reader_schema(r)) &&
                pen_parquet_reader_rows(r) == rows->length;
    while (good && (st = pen_parquet_reader_next(r, step, &batch, &err)) != PEN_SKIP) {
        int64_t column;
        if (!must(st) || !must(pen_array_check(pen_parquet_reader_schema(r), &batch, &err))) {
            good = false;
            break;
        }
        column = first_difference(schema, rows, at, &batch);
        if (column >= 0)
            printf("# column %s differs in rows %lld…\n", schema->children[column]->name, (long long)at);
        good = column < 0;
        at += batch.length;
        pen_array_release(&batch);
    }
    pen_parquet_reader_free(&r);
    return good && at == rows->length;
}

static void round_trip(int64_t rows, sample_nulls nulls, pen_codec codec, int64_t write_step, int64_t read_step, int64_t group, int64_t page)
{
    static const char *const null_names[] = { "some nulls", "no nulls", "all null" }, *const codec_names[] = { "none", "snappy", "zstd" };
    struct pen_parquet_options o = { .compression = { codec, 1 }, .row_group_bytes = group, .page_bytes = page };
    struct ArrowSchema schema = { 0 };
    struct ArrowArray all = { 0 };
    struct pen_builder *b = NULL;
    struct memfile m = { 0 };
    bool good = must(sample_schema(&schema, &err)) && must(pen_builder_new(&b, &schema, &err));
    memset(&err, 0, sizeof err);
    if (good)
        sample_rows(b, 0, rows, nulls);
    good = good && must(pen_builder_finish(b, &all, &err)) && write_sample(&m, &schema, &all, write_step, &o) &&
           read_back(&m, &schema, &all, read_step);
    ok(good, "%lld rows, %s, %s, batches of %lld and %lld, groups of %lld, pages of %lld bytes", (long long)rows, null_names[nulls],
       codec_names[codec], (long long)write_step, (long long)read_step, (long long)group, (long long)page);
    pen_array_release(&all);
    pen_builder_free(&b);
    pen_schema_release(&schema);
    free(m.p);
}

int main(void)
{
    static const int64_t counts[] = { 0, 1, 7, 8, 9, 127, 128, 129, 1000 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int nulls = SAMPLE_SOME_NULLS; nulls <= SAMPLE_ALL_NULL; nulls++)
            round_trip(counts[i], (sample_nulls)nulls, PEN_CODEC_ZSTD, 1000, 1000, 0, 0);
    for (int codec = PEN_CODEC_NONE; codec <= PEN_CODEC_ZSTD; codec++) {
        round_trip(20000, SAMPLE_SOME_NULLS, (pen_codec)codec, 777, 1313, 100000, 4000);
        round_trip(20000, SAMPLE_NO_NULLS, (pen_codec)codec, 20000, 4096, 0, 0);
        round_trip(3000, SAMPLE_ALL_NULL, (pen_codec)codec, 100, 64, 1000, 100);
    }
    round_trip(500, SAMPLE_SOME_NULLS, PEN_CODEC_NONE, 1, 1, 1, 1); /* every row a row group */
    return done_testing();
}
