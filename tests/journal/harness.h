/* harness.h - both ends of a journal in one test program: rows that are known by their number, commits of them, and reading them back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_JOURNAL_HARNESS_H
#define PENSTOCK_TESTS_JOURNAL_HARNESS_H

#include <sys/types.h>

#include <penstock/plugin.h>

#include "data/intake.h"
#include "engine/host.h"
#include "ends.h"

extern struct pen_run_context run_context; /* of host */
extern struct pen_host host;
extern char last_warning[1024]; /* the latest line at warning level; empty: none */
extern int64_t dropped;         /* sum of dropped_total */
extern unsigned mended;         /* how often commits were found in segments that the log had lost */

/* A new folder below the test's own, which is removed at exit; the journal itself is not made. */
const char *fresh_path(void);
struct options options_for(const char *path); /* the defaults */

/* The writing end with some lanes. */
struct out {
    void *ctx;
    void *lanes[8];
    unsigned n;
};
pen_status out_open(struct out *o, const struct options *options, unsigned lanes, struct pen_error *err);
void out_close(struct out *o);
/* Rows [first, first + n): what row_value() etc. say. */
pen_status out_write(struct out *o, unsigned lane, uint64_t first, uint64_t n, bool keys, struct pen_error *err);
/* Stages all lanes and publishes: KEY goes from `from` (UINT64_MAX: none) to `to`. */
pen_status out_commit(struct out *o, const char *plan, const char *key, uint64_t from, uint64_t to, pen_publish_outcome *outcome,
                      struct pen_error *err);
/* out_write() on lane 0 and out_commit() from first to first + n under key "p/s/src/0"; true when all went well. */
bool out_rows(struct out *o, uint64_t first, uint64_t n);
/* What is shown for the key; UINT64_MAX: nothing. */
uint64_t out_shown(struct out *o, const char *key);

struct in {
    void *ctx, *lane;
    struct pen_intake *intake;
    uint64_t rows; /* read so far */
    uint64_t at;   /* of partition 0 */
    bool end;
    bool told; /* the last read() said so */
};
pen_status in_open(struct in *i, const struct options *options, uint64_t at, struct pen_error *err);
void in_close(struct in *i);
/* One read(). Every row is compared with what its number says: values carry it. Rows of one call are numbered on from *number
 * (UINT64_MAX: any), which moves on. PEN_BADDATA where something differs. */
pen_status in_read(struct in *i, uint64_t *number, int64_t max_rows, struct pen_error *err);
/* Reads until there is no more; true when rows [first, end) came, in order, and no other. */
bool in_expect(struct in *i, uint64_t first, uint64_t end);
bool in_settle(struct in *i, uint64_t at);

/* Whether a new reader of another process would find exactly rows [first, end) there, from offset `at` on. */
bool holds(const struct options *options, uint64_t at, uint64_t first, uint64_t end);
/* Copies a journal's folder, all of it. */
void copy_folder(const char *from, const char *to);

/* The newest file of a folder whose name ends so. */
void find_file(char *out, size_t size, const char *folder, const char *ending);
off_t size_of(const char *file);
void flip(const char *file, off_t at, uint8_t mask);
/* A journal with three commits of 20 rows; says where in the log each ends. Those that are not sealed stand in the log only. */
enum { NOT_SEALED, SEALED };
void make_sample(const char *path, bool sealed, off_t ends[3]);
/* Opens for writing, says what is shown, appends, and reads everything back. */
bool goes_on(const char *path, uint64_t *shown);

#endif
