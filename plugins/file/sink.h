/* sink.h - what the parts of the file sink share: sink.c (writers of lanes), rows.c (rows as text), output.c (where a lane's text lies until its
 * plan is published), publish.c (what becomes visible).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_FILE_SINK_H
#define PENSTOCK_FILE_SINK_H

#include <stdatomic.h>

#include "file.h"

struct file_sink {
    const char *path; /* options */
    int format;
    struct pen_compression compression;
    bool fsync, header;
    const char *delimiter;
    const struct pen_host *host;

    bool folder, standard_output; /* else one file */
    bool csv, raw;
    file_codec codec;
    char *near;             /* one file, standard output: temporary files are called this and more */
    char *sidecar;          /* one file: where the length before the last append is kept */
    char *owner;            /* and this, whose it is: locked while it is written to */
    int owner_fd;           /* -1 */
    struct ArrowSchema schema;
    char run[24];           /* this process: part of names */
    atomic_uint_fast64_t next; /* number of the next file */
    bool swept;             /* what earlier processes left behind is gone */
};

/* -- rows.c ------------------------------------------------------------------------------------------------------------------- */

/* Appends row `row` of a batch as one line. scratch is the caller's, for any use. */
pen_status rows_append(struct pen_text *out, const struct file_sink *s, const struct ArrowArray *batch, int64_t row, struct pen_text *scratch,
                       struct pen_error *err);
/* The line of names that a CSV file begins with. */
void rows_header(struct pen_text *out, const struct file_sink *s);

/* -- output.c: text of one lane and plan, compressed, durable before it is visible ------------------------------------------------ */

struct output;
pen_status output_open(struct output **out, struct file_sink *s, unsigned lane, struct pen_error *err);
pen_status output_write(struct output *o, const void *bytes, size_t n, struct pen_error *err);
/* Makes it durable and closes it; *token (malloc'ed) names it. *bytes is its size. */
pen_status output_stage(struct output **o, char **token, int64_t *bytes, struct pen_error *err);
/* Removes it and closes it. */
void output_abandon(struct output **o);
/* n bytes as one whole member, frame, or just so, into *out. */
pen_status output_encode(struct pen_text *out, const struct file_sink *s, const void *bytes, size_t n, struct pen_error *err);
/* Everything, however often write() has to be called. */
pen_status output_write_all(int fd, const void *bytes, size_t n, const char *path, struct pen_error *err);

/* -- publish.c -------------------------------------------------------------------------------------------------------------------- */

pen_status file_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err);
pen_status file_retract(void *ctx, const struct pen_plan *plan, struct pen_error *err);
void file_discard(void *ctx, const struct pen_staged *staged);
pen_status file_maintain(void *ctx, struct pen_error *err);

extern const struct pen_sink file_sink;

#endif
