/* reader.h - a lane's reader: its ranges (reader.c) and the lines of the one that is open (lines.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_FILE_READER_H
#define PENSTOCK_FILE_READER_H

#include "csv.h"
#include "file.h"

#define READER_BUFFER (256u << 10) /* bytes read at once; a longer line makes it more */

struct slot { /* a range that this reader has */
    uint32_t id, before, after; /* in the ring of those still to be read */
    uint64_t pos, pos0;         /* next byte; of compressed files the word before it */
    uint64_t bound;             /* 0: none */
    int64_t check_at;           /* pen_now() from which on there may be more */
    int fd;                     /* kept while waiting; -1 */
    bool used, ended;
    bool waited;                /* it was read to the end of the file as it was */
};
struct reader {
    struct file_source *source;
    struct slot *slots;         /* [0] heads the ring */
    uint32_t n_slots, room_slots, free_slot, tails;
    uint32_t *where;            /* by partition id */
    uint32_t n_where;

    uint32_t current;           /* slot that is open, 0: none */
    struct range_view view;
    struct stream stream;
    char *buf;
    size_t cap, at, len;        /* buf[at..len) is read and not yet taken; buf[at] is byte `pos` of the current slot */
    bool eof;
    int64_t due;                /* when the next record may come, where it may not yet */
    char *kept;                 /* the line being passed over: its first bytes */
    size_t n_kept;
    uint64_t passed;            /* its bytes so far, 0: none */
    struct csv csv;             /* names of the open range's columns */
};

/* Passes over what is left of a line that began in the range before. The buffer begins one byte before the range. PEN_SKIP: no line begins
 * before `end`, or before the end of the file. */
pen_status lines_align(struct reader *r, struct slot *s, uint64_t end, struct pen_error *err);
/* Reads the names that a CSV file begins with, then goes to where reading is to go on. PEN_SKIP: the file has no more now.
 * last: nor will it have. */
pen_status lines_begin_csv(struct reader *r, struct slot *s, bool last, struct pen_error *err);
/* Feeds whole lines that begin before `limit` until the intake has enough, or none is due. PEN_SKIP: the file has no more now. r->passed: a line that
 * is too long is being passed over, and is to be gone on with. */
pen_status lines_feed(struct reader *r, struct slot *s, uint64_t limit, bool last, struct pen_intake *in, const struct pen_read *read,
                      struct pen_error *err);

#endif
