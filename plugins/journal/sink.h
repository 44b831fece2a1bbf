/* sink.h - what the two halves of the writing end share: sink.c publishes, writer.c is a lane's. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_JOURNAL_SINK_H
#define PENSTOCK_JOURNAL_SINK_H

#include "log.h"
#include "stored.h"

struct sink {
    struct options o; /* first: see journal_options */
    const struct pen_host *host;
    struct journal *j;
    uint64_t before[JF_PARTITIONS]; /* ends of the partitions before the last commit */
    bool before_known;
};

/* What stage() hands to publish(), in memory only: this, the pieces, and, where somebody waits to be told offsets, runs. */
struct staged_head {
    uint64_t pieces, runs;
    uint64_t seal_at;    /* room for a seal behind the last piece, and nothing of this is synced; 0: all of it is */
    uint32_t blocks_crc; /* as in jf_seal */
};
struct staged_piece {
    uint64_t segment, from, to, records;
    uint32_t partition;
};

/* The pieces are neither open nor staged any more. lock not held. */
void pieces_let_go(struct journal *j, const struct staged_piece *pieces, size_t n);

/* -- writer.c: these stand in the table of the sink -- */
pen_status writer_open(void *ctx, unsigned lane, void **out, struct pen_error *err);
void writer_close(void *writer);
pen_status writer_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err);
size_t writer_held(void *writer);
int64_t writer_written(void *writer);
pen_status writer_stage(void *writer, struct pen_staged *staged, struct pen_error *err);
void writer_abandon(void *writer);

#endif
