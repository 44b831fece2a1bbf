/* scan.h - the rows of one file of a table, as the table's schema has them. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_DELTA_SCAN_H
#define PEN_DELTA_SCAN_H

#include "input.h"
#include "log.h"

/* A table as a reader sees it: one version, its schema, its files. */
struct delta_view {
    char *url;
    const struct pen_host *host;
    struct delta_state state;   /* with files */
    struct ArrowSchema schema;  /* of the table, partition columns included */
    struct delta_file **live;   /* the files, by path */
    size_t n_live;
    int64_t rows;               /* of all files; -1 where the log does not say */
};

/* The table as it is at `version`, -1: now. PEN_BADCONF where there is none, or it asks for what is not known here. On failure *v is empty. */
pen_status delta_view_open(struct delta_view *v, const struct pen_host *host, const char *url, int64_t version, struct pen_error *err);
void delta_view_close(struct delta_view *v);

/* Reads the top-level columns `columns` (n indices into the table's schema) of one file, in that order. Columns that the file lacks are null. */
struct delta_scan {
    const struct ArrowSchema *schema; /* of the table; the caller's */
    const struct delta_file *file;    /* the caller's */
    const int64_t *columns;           /* the caller's */
    size_t n;
    int64_t *from;                    /* of each: which selected column of the file it is, -1 none */
    const struct ArrowSchema **have;  /* its type in the file */
    bool *partition;                  /* whether it is a partition column */
    struct delta_input input;
};

pen_status delta_scan_open(struct delta_scan *s, const struct pen_host *host, const char *url, const struct delta_state *table,
                           const struct ArrowSchema *schema, const struct delta_file *file, const int64_t *columns, size_t n,
                           struct pen_error *err);
/* PEN_SKIP at the end. */
pen_status delta_scan_next(struct delta_scan *s, int64_t max_rows, struct ArrowArray *out, struct pen_error *err);
void delta_scan_close(struct delta_scan *s);

/* Appends the text of a partition value ("Partition Value Serialization") to a builder of that type; NULL and "" are null. False: the text is no such value. */
bool delta_partition_value(struct pen_builder *b, const struct ArrowSchema *field, const char *text);

#endif
