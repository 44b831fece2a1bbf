/* plugin.h - what the parts of the parquet plugin share: options, and the files of a folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_PLUGIN_H
#define PENSTOCK_PARQUET_PLUGIN_H

#include <penstock/plugin.h>

#include "parquet.h"

extern const struct pen_sink parquet_sink;
extern const struct pen_source parquet_source;
extern const struct pen_table parquet_table;

/* -- files of a folder -------------------------------------------------------------------------------------------------------- */

struct dataset_file {
    char *url;
    char *name;     /* relative to the folder */
    int64_t size;
    char tag[80];
    char **values;  /* text of each Hive column, NULL: null */
};

/* One file, or all *.parquet files below a folder; levels NAME=VALUE on the way become columns behind the files' own, but for those that have a name of
 * these. Names that begin with '_' or '.' are left out, as are the levels below them. */
struct dataset {
    const struct pen_host *host;
    char *url;
    bool single;
    struct dataset_file *files;
    size_t n, room;
    char **keys;                /* Hive columns */
    size_t n_keys;
    bool raw;                   /* the files' own columns are those of raw messages */
    struct ArrowSchema schema;  /* of the first file, then the keys: int64, date32 or utf8, whichever all values are */
};

/* Lists, and reads the first file's schema. PEN_SKIP where there is no such file. A folder without one has n = 0 and no schema. */
pen_status dataset_open(struct dataset *d, const struct pen_host *host, const char *url, struct pen_error *err);
void dataset_fini(struct dataset *d);

/* Reads one file's rows with the dataset's columns. */
struct dataset_scan {
    const struct dataset *dataset;
    const struct dataset_file *file;
    struct pen_parquet_reader *reader;
    int64_t *columns;       /* of the dataset */
    size_t n;
    int64_t *own;           /* those that the file has, in their order */
    size_t n_own;
};

/* PEN_FATAL where the file's columns are not those of the first. */
pen_status dataset_scan_open(struct dataset_scan *s, const struct dataset *d, size_t file, const int64_t *columns, size_t n,
                             struct pen_error *err);
pen_status dataset_scan_next(struct dataset_scan *s, int64_t max_rows, struct ArrowArray *out, struct pen_error *err);
void dataset_scan_close(struct dataset_scan *s);

/* Gives the rows of a batch of raw messages to an intake, their positions counted from first. */
pen_status messages_give(const struct ArrowArray *batch, uint64_t first, struct pen_intake *to, struct pen_error *err);

#endif
