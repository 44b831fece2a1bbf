/* parquet_columns.c - how fast columns become Parquet and Parquet columns: the batches of a Parquet file, held in memory, written again and
 * again, and read again and again.
 * parquet_columns FILE [none|snappy|zstd[:LEVEL]] [ROWS] - ROWS (default 100000) of the file are held.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../parquet/memfile.h"

#define MAX_BATCHES 4096

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pen_status read_fd(void *arg, int64_t offset, void *bytes, size_t n, struct pen_error *err)
{
    return pread(*(int *)arg, bytes, n, offset) == (ssize_t)n ? PEN_OK : pen_fail(err, PEN_FATAL, "read");
}

static pen_status count_bytes(void *arg, const void *bytes, size_t n, struct pen_error *err)
{
    (void)bytes, (void)err;
    *(int64_t *)arg += (int64_t)n;
    return PEN_OK;
}

static pen_status hold(const struct pen_parquet_input *in, int64_t rows, struct ArrowSchema *schema, struct ArrowArray *batches, size_t *n,
                       struct pen_error *err)
{
    struct pen_parquet_reader *r = NULL;
    pen_status st = pen_parquet_reader_open(&r, in, err);
    if (st >= 0)
        st = pen_schema_copy(schema, pen_parquet_reader_schema(r), err);
    for (*n = 0; st >= 0 && rows > 0 && *n < MAX_BATCHES; rows -= batches[(*n)++].length)
        if ((st = pen_parquet_reader_next(r, 2700, &batches[*n], err)) != PEN_OK) /* as a lane's batches are, a megabyte or two */
            break;
    pen_parquet_reader_free(&r);
    return st;
}

static pen_status write_all(const struct ArrowSchema *schema, const struct ArrowArray *batches, size_t n, const struct pen_compression *c,
                            struct pen_error *err)
{
    for (int run = 0; run < 4; run++) {
        struct pen_parquet_options o = { .compression = *c };
        struct pen_parquet_writer *w = NULL;
        int64_t bytes = 0, rows;
        size_t held = 0;
        double from = cpu_seconds(), took;
        pen_status st = pen_parquet_writer_new(&w, schema, &o, count_bytes, &bytes, err);
        for (int turn = 0; turn < 3; turn++)
            for (size_t i = 0; i < n && st >= 0; i++) {
                st = pen_parquet_writer_batch(w, &batches[i], err);
                if (i % 16 == 0 && pen_parquet_writer_held(w) > held)
                    held = pen_parquet_writer_held(w);
            }
        if (st < 0 || (st = pen_parquet_writer_close(w, err)) < 0)
            return st;
        took = cpu_seconds() - from;
        rows = pen_parquet_writer_rows(w);
        printf("write: %.3f CPU s a million rows, %.1f MB a million rows, %.1f MB held\n", took * 1e6 / (double)rows,
               (double)bytes / (double)rows, (double)held / 1e6);
        pen_parquet_writer_free(&w);
    }
    return PEN_OK;
}

static pen_status read_all(const struct pen_parquet_input *in, struct pen_error *err)
{
    for (int run = 0; run < 3; run++) {
        struct pen_parquet_reader *r = NULL;
        struct ArrowArray batch;
        double from = cpu_seconds();
        int64_t rows = 0;
        pen_status st = pen_parquet_reader_open(&r, in, err);
        size_t held = 0;
        while (st == PEN_OK && (st = pen_parquet_reader_next(r, 8192, &batch, err)) == PEN_OK) {
            rows += batch.length;
            if (pen_parquet_reader_held(r) > held)
                held = pen_parquet_reader_held(r);
            pen_array_release(&batch);
        }
        pen_parquet_reader_free(&r);
        if (st < 0)
            return st;
        printf("read: %.3f CPU s a million rows, %.1f MB held\n", (cpu_seconds() - from) * 1e6 / (double)rows, (double)held / 1e6);
    }
    return PEN_OK;
}

int main(int argc, char **argv)
{
    static struct ArrowArray batches[MAX_BATCHES];
    struct pen_compression c = { PEN_CODEC_ZSTD, 1 };
    struct pen_error err = { 0 };
    struct ArrowSchema schema = { 0 };
    struct stat s;
    size_t n = 0;
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    struct pen_parquet_input in = { .name = argc > 1 ? argv[1] : "", .read = read_fd, .arg = &fd };
    pen_status st;
    if (fd < 0 || fstat(fd, &s) != 0) {
        fprintf(stderr, "usage: parquet_columns FILE [none|snappy|zstd[:LEVEL]] [ROWS]\n");
        return 2;
    }
    in.size = s.st_size;
    if (argc > 2) {
        c.codec = argv[2][0] == 'n' ? PEN_CODEC_NONE : argv[2][0] == 's' ? PEN_CODEC_SNAPPY : PEN_CODEC_ZSTD;
        c.level = strchr(argv[2], ':') ? atoi(strchr(argv[2], ':') + 1) : 1;
    }
    st = hold(&in, argc > 3 ? atoll(argv[3]) : 100000, &schema, batches, &n, &err);
    if (st >= 0)
        st = write_all(&schema, batches, n, &c, &err);
    if (st >= 0)
        st = read_all(&in, &err);
    for (size_t i = 0; i < n; i++)
        pen_array_release(&batches[i]);
    pen_schema_release(&schema);
    close(fd);
    if (st < 0)
        fprintf(stderr, "parquet_columns: %s\n", err.msg);
    return st < 0;
}
