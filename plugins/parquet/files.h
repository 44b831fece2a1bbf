/* files.h - the files of a table written by one lane: Hive partitions, rolling by size, staging.
 *
 * What the parquet and the delta sink share. Batches go in, are split by the values of the partition columns, and become Parquet files below
 * one folder of a store. A lane has one of these; one thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_FILES_H
#define PENSTOCK_PARQUET_FILES_H

#include <penstock/plugin.h>

#include "parquet.h"

typedef enum {
    PEN_FILES_FINAL, /* a file comes to lie under its name when it is whole: for tables whose log points to files */
    PEN_FILES_TOKEN  /* a file is staged unseen, and published later by its token */
} pen_files_mode;

struct pen_files_options {
    pen_files_mode mode;
    const char *url;                    /* the table's folder; copied */
    const char *const *partition_by;    /* names of top-level columns that make the folders NAME=VALUE; copied */
    size_t n_partition_by;
    int64_t target_file_size;           /* bytes at which the next file begins, about */
    size_t max_open_files;              /* 0: 64; one more ends the file that was written to least recently */
    const char *prefix;                 /* begins every file's name, so that names of different writers differ; copied */
    bool fsync;
    struct pen_parquet_options parquet;
};

/* A finished file. */
struct pen_file {
    char *path;               /* relative to url, its levels escaped as they lie there: "year=2021/PREFIX-00000.parquet" */
    char *token;              /* PEN_FILES_TOKEN: for pen_store_publish(); else NULL */
    size_t n_partition_values;
    char **partition_values;  /* text of each partition column, in the order of partition_by; NULL: null */
    int64_t rows, size;
    struct pen_parquet_writer *writer; /* closed; ask it for its stats */
};

struct pen_files;

/* schema: of the batches, partition columns included. PEN_BADCONF names a partition column that is missing, nested, binary or the only one. */
pen_status pen_files_new(struct pen_files **out, const struct pen_host *host, const struct ArrowSchema *schema,
                         const struct pen_files_options *options, struct pen_error *err);
/* Abandons what is open; files that a stage() handed out stay. */
void pen_files_free(struct pen_files **f);
pen_status pen_files_write(struct pen_files *f, const struct ArrowArray *batch, struct pen_error *err);
/* Ends all open files; *out (n of them, in the order in which they were begun) is the caller's, to end with pen_file_list_free(). Nothing
 * written: n = 0. After a failure what was written since the last stage is abandoned. */
pen_status pen_files_stage(struct pen_files *f, struct pen_file **out, size_t *n, struct pen_error *err);
/* Drops what was written since the last stage(): open uploads are abandoned, finished files deleted. */
void pen_files_abandon(struct pen_files *f);
/* Deletes files that were staged and will not be used. Any thread. */
void pen_files_discard(const struct pen_host *host, const char *url, const struct pen_file *files, size_t n);
void pen_file_list_free(struct pen_file **files, size_t n);
size_t pen_files_held(const struct pen_files *f);
/* Bytes written since the last stage(), about. */
int64_t pen_files_written(const struct pen_files *f);

#endif
