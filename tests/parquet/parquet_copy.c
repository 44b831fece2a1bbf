/* parquet_copy.c - reads a Parquet file with our reader and writes it with our writer, for readers.py to compare the two.
 * parquet_copy FROM TO [BATCH_ROWS]; status 1 and the message where the reader refuses.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfile.h"

static pen_status read_fd(void *arg, int64_t offset, void *bytes, size_t n, struct pen_error *err)
{
    return pread(*(int *)arg, bytes, n, offset) == (ssize_t)n ? PEN_OK : pen_fail(err, PEN_FATAL, "read");
}

static pen_status to_file(void *arg, const void *bytes, size_t n, struct pen_error *err)
{
    return fwrite(bytes, 1, n, arg) == n ? PEN_OK : pen_fail(err, PEN_FATAL, "write");
}

static pen_status copy(const struct pen_parquet_input *in, FILE *to, int64_t step, struct pen_error *err)
{
    struct pen_parquet_options o = { .compression = { PEN_CODEC_ZSTD, 1 } };
    struct pen_parquet_reader *r = NULL;
    struct pen_parquet_writer *w = NULL;
    struct ArrowArray batch;
    pen_status st = pen_parquet_reader_open(&r, in, err);
    if (st >= 0)
        st = pen_parquet_writer_new(&w, pen_parquet_reader_schema(r), &o, to_file, to, err);
    while (st >= 0 && (st = pen_parquet_reader_next(r, step, &batch, err)) == PEN_OK) {
        if ((st = pen_array_check(pen_parquet_reader_schema(r), &batch, err)) >= 0)
            st = pen_parquet_writer_batch(w, &batch, err);
        pen_array_release(&batch);
    }
    if (st >= 0)
        st = pen_parquet_writer_close(w, err);
    pen_parquet_writer_free(&w);
    pen_parquet_reader_free(&r);
    return st;
}

int main(int argc, char **argv)
{
    struct pen_error err = { 0 };
    struct stat s;
    int fd = argc > 2 ? open(argv[1], O_RDONLY) : -1;
    FILE *to = argc > 2 ? fopen(argv[2], "wb") : NULL;
    struct pen_parquet_input in = { .name = argc > 1 ? argv[1] : "", .read = read_fd, .arg = &fd };
    pen_status st;
    if (fd < 0 || fstat(fd, &s) != 0 || !to) {
        fprintf(stderr, "usage: parquet_copy FROM TO [BATCH_ROWS]\n");
        return 2;
    }
    in.size = s.st_size;
    st = copy(&in, to, argc > 3 ? atoll(argv[3]) : 1000, &err);
    if (fclose(to) || st < 0)
        fprintf(stderr, "%s\n", err.msg);
    close(fd);
    return st < 0;
}
