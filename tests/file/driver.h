/* driver.h - a source driven as the engine drives it: recall, events, start, lanes that read, and a memory of what was committed.
 * Time is a number that the test moves. The intake is the test's own, so that what a source feeds can be looked at byte by byte.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_FILE_DRIVER_H
#define PENSTOCK_TESTS_FILE_DRIVER_H

#include <stdint.h>

#include <penstock/plugin.h>

#include "engine/host.h"

#define LANES 4

struct fed { /* a record that came out of the source */
    uint32_t partition;
    uint64_t position;
    char *text;
    uint64_t length; /* of the whole record */
    char kind;       /* 'm' message, 'o' overlong, 'r' rejected */
    int64_t at;      /* when, by the driver's clock */
};
struct memory { /* what was committed: one partition */
    char *name, *incarnation;
    struct pen_position pos;
};
struct drive {
    const struct pen_source *type;
    void *ctx;
    struct pen_run_context run;
    struct pen_host host;
    struct pen_clock clock;
    int64_t now;
    unsigned lanes;
    int64_t max_rows;
    size_t max_bytes, max_record;
    void *readers[LANES];
    struct part {
        uint32_t id;
        char *name, *incarnation;
        struct pen_position at;
        bool ended;
    } *parts;
    size_t n_parts;
    struct fed *fed;         /* everything, in the order of reading */
    size_t n_fed, n_committed;
    struct memory *memory;
    size_t n_memory;
    bool no_more, one_read; /* one_read: drive_run() reads once */
    struct pen_error error;
};

/* Makes a context with the defaults of the table. Set other options in d->ctx, then drive_start(). One drive runs at a time. */
void drive_init(struct drive *d, const struct pen_source *type);
pen_status drive_start(struct drive *d);
/* Events and reading until nothing is to be had at this time. PEN_OK: all ended and no more; PEN_SKIP: waiting. */
pen_status drive_run(struct drive *d);
/* The same, moving the clock to whatever the readers wait for, at most to `until`. */
pen_status drive_until(struct drive *d, int64_t until);
/* Positions are committed, and so is what was read up to here. */
void drive_commit(struct drive *d);
/* The process ends: what was not committed is forgotten. Memory stays; drive_init() keeps it. */
void drive_stop(struct drive *d);
void drive_free(struct drive *d);

#endif
