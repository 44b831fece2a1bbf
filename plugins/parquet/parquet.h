/* parquet.h - Parquet files from record batches and back (the Apache Parquet format, "File Format" and parquet.thrift).
 *
 * A library that the parquet and the delta plugin link; it knows no store and no options table. Bytes leave through a callback in order,
 * and come by ranged reads. A writer or reader is used by one thread at a time; several may live beside each other.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_H
#define PENSTOCK_PARQUET_H

#include <penstock/arrow.h>
#include <penstock/batch.h>
#include <penstock/option.h>

/* -- writing ------------------------------------------------------------------------------------------------------------------ */

struct pen_parquet_writer;

/* Takes the next n bytes of the file. */
typedef pen_status (*pen_parquet_write)(void *arg, const void *bytes, size_t n, struct pen_error *err);

/* What the writers of one thread and one schema share, side by side or one after another: the compressor, working memory, and what was
 * learned about the columns. It makes small files cheap. It must outlive the writers. */
struct pen_parquet_shared;
pen_status pen_parquet_shared_new(struct pen_parquet_shared **out, const struct ArrowSchema *schema,
                                  const struct pen_compression *compression, struct pen_error *err);
void pen_parquet_shared_free(struct pen_parquet_shared **s);
size_t pen_parquet_shared_held(const struct pen_parquet_shared *s);

struct pen_parquet_options {
    struct pen_compression compression; /* level 1 of zstd may be tuned to each column; other levels are taken as they are */
    int64_t row_group_bytes;            /* encoded size at which a row group ends, about; it is held in memory until then. 0: 8 MiB */
    int64_t page_bytes;                 /* uncompressed size at which a page ends, about. 0: 1 MiB */
    struct pen_parquet_shared *shared;  /* or NULL: the writer has one of its own */
    const char *const *metadata;        /* key, value, key, value … of the footer, NULL ends; or NULL */
};

/* A smallest or largest value; which member counts follows from the column's type. */
struct pen_parquet_value {
    union {
        bool b;             /* bool */
        int32_t i32;        /* int32, date32 */
        int64_t i64;        /* int64, timestamp */
        double f64;         /* float64 */
        uint8_t decimal[16];/* decimal128, little-endian two's complement */
    } u;
    const char *bytes;      /* utf8, binary: at most 64 bytes; utf8 stays valid UTF-8 */
    size_t n;
};

/* What a whole file holds of one leaf column. Bounds are absent (has_bounds false) where all is null, for NaN, for texts whose bound
 * cannot be shortened, and for leaves inside lists. */
struct pen_parquet_stats {
    const char *const *path;         /* names from the top-level column down to this leaf, without a list's own levels */
    size_t depth;                    /* of path, at least 1 */
    const struct ArrowSchema *field; /* of the leaf */
    bool in_list;                    /* the leaf lies below a list: counts are of its own values, not of rows */
    int64_t values, nulls;           /* nulls counts rows without a value, be it the leaf or a struct around it */
    bool has_bounds;
    bool min_exact, max_exact;       /* the bound is a value of the column; false: a shortened text */
    struct pen_parquet_value min, max;
};

/* schema is a struct schema ("+s"), one child a column; it is copied. arg must live as long as the writer. PEN_BADCONF names a column whose
 * type Parquet cannot hold. */
pen_status pen_parquet_writer_new(struct pen_parquet_writer **out, const struct ArrowSchema *schema,
                                  const struct pen_parquet_options *options, pen_parquet_write write, void *arg, struct pen_error *err);
/* Appends the rows of a batch; it is lent. After a failure the file is lost: only _free() may follow. */
pen_status pen_parquet_writer_batch(struct pen_parquet_writer *w, const struct ArrowArray *batch, struct pen_error *err);
/* Ends the row group, where it has rows. */
pen_status pen_parquet_writer_flush(struct pen_parquet_writer *w, struct pen_error *err);
/* Ends the file: the last row group, page index, footer. Then only _rows, _size, _stats and _free may follow. */
pen_status pen_parquet_writer_close(struct pen_parquet_writer *w, struct pen_error *err);
int64_t pen_parquet_writer_rows(const struct pen_parquet_writer *w);
/* Bytes handed to write() so far, and what the open row group will add, about. After _close() exactly the file's size. */
int64_t pen_parquet_writer_size(const struct pen_parquet_writer *w);
/* Bytes of memory held, without what is shared. */
size_t pen_parquet_writer_held(const struct pen_parquet_writer *w);
/* After _close(): one entry a leaf, in schema order; valid while the writer is. */
const struct pen_parquet_stats *pen_parquet_writer_stats(const struct pen_parquet_writer *w, size_t *n);
void pen_parquet_writer_free(struct pen_parquet_writer **w);

/* -- reading ------------------------------------------------------------------------------------------------------------------ */

struct pen_parquet_reader;

/* Where a file's bytes come from. read() fills all n bytes or fails; offset + n never passes size. */
struct pen_parquet_input {
    const char *name; /* for messages; copied */
    int64_t size;
    pen_status (*read)(void *arg, int64_t offset, void *bytes, size_t n, struct pen_error *err);
    void *arg;
};

/* Reads the footer. PEN_FATAL with the file's name where it is damaged or holds what is not known here (the message names it). */
pen_status pen_parquet_reader_open(struct pen_parquet_reader **out, const struct pen_parquet_input *in, struct pen_error *err);
void pen_parquet_reader_free(struct pen_parquet_reader **r);
/* All columns of the file as a struct schema; the reader's. Types that batches do not hold come as the nearest that holds every value
 * (int16 as int32, uint32 as int64, float as float64, milliseconds as microseconds); columns that have none come with a format that is no
 * pen_type, and are refused by name when they are selected. */
const struct ArrowSchema *pen_parquet_reader_schema(const struct pen_parquet_reader *r);
int64_t pen_parquet_reader_rows(const struct pen_parquet_reader *r);
/* Value of a key of the footer's metadata, or NULL. */
const char *pen_parquet_reader_metadata(const struct pen_parquet_reader *r, const char *key);
/* The top-level columns that _next() gives, in that order (n = 0: batches without columns, of the right length). Before the first _next(),
 * or again at any row; reading then goes on at row 0. Without a call all columns are read. */
pen_status pen_parquet_reader_select(struct pen_parquet_reader *r, const int64_t *columns, size_t n, struct pen_error *err);
/* Reading goes on at this row (0 … rows). */
pen_status pen_parquet_reader_seek(struct pen_parquet_reader *r, int64_t row, struct pen_error *err);
/* The next rows, at most max_rows (a batch does not cross the end of a row group); *out is the caller's. PEN_SKIP at the end. */
pen_status pen_parquet_reader_next(struct pen_parquet_reader *r, int64_t max_rows, struct ArrowArray *out, struct pen_error *err);
/* Bytes of memory held. */
size_t pen_parquet_reader_held(const struct pen_parquet_reader *r);

#endif
