/* parquet_sample.c - writes the rows of sample.h as a Parquet file, for readers.py to have other programs read it.
 * parquet_sample FILE ROWS none|some|all none|snappy|zstd BATCH_ROWS ROW_GROUP_BYTES PAGE_BYTES
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "../../plugins/parquet/parquet.h"
#include "sample.h"

static pen_status to_file(void *arg, const void *bytes, size_t n, struct pen_error *err)
{
    return fwrite(bytes, 1, n, arg) == n ? PEN_OK : pen_fail(err, PEN_FATAL, "write");
}

static pen_status write_rows(FILE *f, char **argv, struct pen_error *err)
{
    int64_t rows = atoll(argv[2]), step = atoll(argv[5]);
    sample_nulls nulls = argv[3][0] == 'n' ? SAMPLE_NO_NULLS : argv[3][0] == 'a' ? SAMPLE_ALL_NULL : SAMPLE_SOME_NULLS;
    struct pen_parquet_options o = { .row_group_bytes = atoll(argv[6]), .page_bytes = atoll(argv[7]) };
    static const char *const metadata[] = { "made by", "parquet_sample", NULL };
    struct ArrowSchema schema;
    struct pen_builder *b = NULL;
    struct pen_parquet_writer *w = NULL;
    pen_status st;
    o.compression.codec = argv[4][0] == 'n' ? PEN_CODEC_NONE : argv[4][0] == 's' ? PEN_CODEC_SNAPPY : PEN_CODEC_ZSTD;
    o.compression.level = 1;
    o.metadata = metadata;
    if ((st = sample_schema(&schema, err)) < 0 || (st = pen_builder_new(&b, &schema, err)) < 0 ||
        (st = pen_parquet_writer_new(&w, &schema, &o, to_file, f, err)) < 0)
        return st;
    for (int64_t at = 0; st >= 0 && at < rows; at += step) {
        struct ArrowArray batch;
        sample_rows(b, at, rows - at < step ? rows - at : step, nulls);
        if ((st = pen_builder_finish(b, &batch, err)) >= 0) {
            st = pen_parquet_writer_batch(w, &batch, err);
            pen_array_release(&batch);
        }
    }
    if (st >= 0)
        st = pen_parquet_writer_close(w, err);
    pen_parquet_writer_free(&w);
    pen_builder_free(&b);
    pen_schema_release(&schema);
    return st;
}

int main(int argc, char **argv)
{
    struct pen_error err = { 0 };
    FILE *f = argc == 8 ? fopen(argv[1], "wb") : NULL;
    pen_status st;
    if (!f) {
        fprintf(stderr, "usage: parquet_sample FILE ROWS none|some|all none|snappy|zstd BATCH_ROWS ROW_GROUP_BYTES PAGE_BYTES\n");
        return 2;
    }
    st = write_rows(f, argv, &err);
    if (fclose(f) || st < 0) {
        fprintf(stderr, "parquet_sample: %s\n", err.msg);
        return 1;
    }
    return 0;
}
