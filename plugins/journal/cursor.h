/* cursor.h - walking the committed records of one partition from an offset on. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_JOURNAL_CURSOR_H
#define PENSTOCK_JOURNAL_CURSOR_H

#include "log.h"

/* One thread's. Start it by cursor_init(); everything else is found when it is first read. */
struct cursor {
    struct journal *j;
    uint32_t partition;
    uint64_t at;              /* offset of the next record */
    /* its place in the commit log */
    int log;
    char log_name[NAME_SIZE];
    uint64_t log_at, sequence;/* behind the last record read, and its number */
    uint64_t records;         /* of all partitions, up to there */
    uint8_t *body;            /* of that record */
    struct jf_commit commit;  /* its pieces that have not been looked at */
    uint32_t pieces_left;
    /* its place in a segment file */
    int segment;
    uint64_t segment_number;
    struct jf_piece piece;    /* from and first move on with each block; records == 0: none */
    uint8_t *block;
    size_t block_size;
    struct jf_walk walk;      /* next == records: none */
};

void cursor_init(struct cursor *c, struct journal *j, uint32_t partition, uint64_t at);
void cursor_fini(struct cursor *c);
void cursor_seek(struct cursor *c, uint64_t at);
/* The record at c->at, which must have been committed; *m is valid until the next call. PEN_SKIP where it is not held any more;
 * PEN_FATAL, naming file and byte, where the journal is damaged. */
pen_status cursor_next(struct cursor *c, struct jf_message *m, struct pen_error *err);

#endif
