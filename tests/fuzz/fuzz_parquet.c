/* fuzz_parquet.c - the Parquet reader over arbitrary bytes: footer, page headers, every encoding, assembly.
 * Sources: plugins/parquet/libparquet.la, core/libpenstock.la; libraries zstd, snappy.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "../../plugins/parquet/parquet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct input {
    const uint8_t *p;
    size_t n;
};

static pen_status read_bytes(void *arg, int64_t offset, void *bytes, size_t n, struct pen_error *err)
{
    const struct input *in = arg;
    if (offset < 0 || (size_t)offset > in->n || n > in->n - (size_t)offset)
        abort(); /* the reader never asks beyond the file */
    (void)err;
    memcpy(bytes, in->p + offset, n);
    return PEN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input file = { bytes, n };
    struct pen_parquet_input in = { .name = "fuzz", .size = (int64_t)n, .read = read_bytes, .arg = &file };
    struct pen_parquet_reader *r;
    struct pen_error err = { 0 };
    struct ArrowArray batch;
    int64_t rows = 0;
    if (pen_parquet_reader_open(&r, &in, &err) < 0)
        return 0;
    while (rows < 100000 && pen_parquet_reader_next(r, 1000, &batch, &err) == PEN_OK) {
        struct pen_error why = { 0 };
        if (pen_array_check(pen_parquet_reader_schema(r), &batch, &why) < 0 && !strstr(why.msg, "UTF-8"))
            abort(); /* what it gives is sound */
        rows += batch.length;
        pen_array_release(&batch);
    }
    pen_parquet_reader_free(&r);
    return 0;
}
