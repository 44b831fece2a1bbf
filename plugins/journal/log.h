/* log.h - one journal as this process sees it, shared by all the ends that are open on it here.
 *
 * The folder holds segment files (NUMBER.segment: blocks of records, each file of one partition, appended to by one lane at a time), the
 * commit log (RECORDS-SEQUENCE.commits: a snapshot of the journal's state, then commits), `readers/NAME` (what registered readers have
 * settled) and `lock`. One process writes; the others follow its commit log. log.c reads and writes that, state.c holds what it adds up to,
 * seal.c knows the commits that it may have lost; open.c knows what this process has open, acquire.c makes it the one that writes, retention.c
 * says what may be removed. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_JOURNAL_LOG_H
#define PENSTOCK_JOURNAL_LOG_H

#include <pthread.h>
#include <sys/types.h>

#include "format.h"

/* The options of both ends; their contexts begin with it. */
struct options {
    const char *path, *reader;
    int64_t segment_size, retention_bytes, retention_time, partitions;
    int full, start;
    bool fsync;
};
enum { FULL_WAIT, FULL_DROP };
enum { START_EARLIEST, START_LATEST };

#define NAME_SIZE 64
#define PLANS_KEPT 64u

struct segment {
    struct jf_segment is;  /* what commits say of it */
    uint64_t append;       /* where the next block goes */
    unsigned pending;      /* pieces of it that are written and neither committed nor given up */
    bool owned;            /* a writer appends to it */
    bool full;
    int64_t made;          /* pen_now */
};

struct position {
    char *key;
    struct pen_position at;
};

/* Somebody to wake when a commit has come. */
struct waiter {
    struct waiter *next;
    int fd; /* an eventfd */
};

struct journal {
    struct journal *next; /* in the registry */
    unsigned refs;
    dev_t dev;
    ino_t ino;
    char *path;
    int dir, readers;     /* folders */
    /* publishing: held through a commit, a trim, a roll, a look for what another process has written. Taken before `lock`. */
    pthread_mutex_t publishing;
    unsigned writers;     /* ends of this process that write; the lock file is held while > 0 */
    int lock_fd;
    bool broken;          /* a sync has failed: what is on the disk is known only after opening anew */
    int log;              /* the newest log file */
    char log_name[NAME_SIZE];
    uint64_t log_at;      /* behind its last valid record */
    uint64_t log_head;    /* size of its snapshot */
    uint64_t sequence;    /* of its last record */
    unsigned unsynced;    /* records of it that may not be on the disk, */
    bool loose;           /* some of which lie nowhere else: no seal may follow them */
    struct position *positions; /* in order of their keys */
    size_t n_positions, cap_positions;
    char *plans[PLANS_KEPT];
    size_t next_plan;
    int64_t trimmed_at;   /* pen_now of the last look at ages */
    bool said_full;
    /* lock: the rest */
    pthread_mutex_t lock;
    pthread_cond_t room;  /* a reader of this process has settled */
    uint8_t id[JF_ID_SIZE];
    char id_text[2 * JF_ID_SIZE + 1];
    uint32_t version;     /* of the newest snapshot */
    uint32_t partitions;
    uint64_t end[JF_PARTITIONS], oldest[JF_PARTITIONS];
    struct segment **segments; /* in order of their numbers */
    size_t n_segments, cap_segments;
    uint64_t next_segment;
    bool writes, wrote;   /* this process writes; or has written */
    struct waiter *waiters;
};

/* -- folder.c -- */

void journal_log_name(char out[NAME_SIZE], uint64_t records, uint64_t sequence);
bool journal_parse_log_name(const char *name, uint64_t *records, uint64_t *sequence);
void journal_segment_name(char out[NAME_SIZE], uint64_t number);
bool journal_parse_segment_name(const char *name, uint64_t *number);
/* Calls each name in a folder, in no order; each answers other than PEN_OK to stop. */
pen_status journal_list(int dir, pen_status (*each)(void *arg, const char *name, struct pen_error *err), void *arg, struct pen_error *err);
/* Makes o->path and what is missing above it. */
pen_status journal_make_folders(const struct options *o, struct pen_error *err);

/* -- open.c -- */

/* The journal at o->path, opened and its log read, or another reference to the one that this process has open. create: makes it where
 * there is none; else PEN_SKIP. */
pen_status journal_open(struct journal **out, const struct options *o, const struct pen_host *host, bool create, struct pen_error *err);
void journal_close(struct journal **j);
void journal_watch(struct journal *j, struct waiter *w);
void journal_unwatch(struct journal *j, struct waiter *w);
/* lock held. */
void journal_wake(struct journal *j);
/* One partition's bounds, as readers may see them. */
void journal_bounds(struct journal *j, uint32_t partition, uint64_t *oldest, uint64_t *end);
/* All records ever committed, all partitions together. */
uint64_t journal_records(const struct journal *j);

/* -- acquire.c -- */

/* Makes this process the one that writes; cuts what a killed one left behind. journal_release() gives that up again. */
pen_status journal_acquire(struct journal *j, const struct pen_host *host, struct pen_error *err);
void journal_release(struct journal *j);
/* Takes the lock file, waiting out those who make or mend a journal, which takes no time. PEN_SKIP: a writer has it. *out is open either way. */
pen_status journal_take_lock(struct journal *j, int *out, struct pen_error *err);
/* Where nobody writes, mends the log that a power loss may have set back, so that nothing is missing that somebody has seen. */
pen_status journal_mend_if_idle(struct journal *j, const struct pen_host *host, bool sync, uint64_t *torn, struct pen_error *err);

/* -- log.c: publishing held, unless said otherwise -- */

/* Looks at what another process has committed; does nothing where this one writes. publishing not held. */
pen_status journal_refresh(struct journal *j, const struct pen_host *host, bool sync, struct pen_error *err);
/* Appends one record and applies it. */
typedef enum { LOG_LOOSE, LOG_SYNCED, LOG_SEALED } log_safety; /* may be lost; is on the disk when this returns; is there already, in a seal */
pen_status journal_append(struct journal *j, jf_record_type type, const struct jf_out *body, log_safety safety, struct pen_error *err);
pen_status log_sync(struct journal *j, struct pen_error *err);
/* Cuts what lies behind the last valid record. */
pen_status log_cut(struct journal *j, struct pen_error *err);
/* After a commit: begins a new log file when the newest has grown, syncs it when many of its records are not. */
pen_status journal_tend_log(struct journal *j, bool sync, struct pen_error *err);
/* Begins a new log file. */
pen_status log_next(struct journal *j, struct pen_error *err);
/* Says that nothing can be written any more. */
pen_status journal_is_broken(const struct journal *j, struct pen_error *err);
/* Reads one record at `at` of a log of `size` bytes: PEN_OK, or PEN_SKIP where there is no valid record of that number. *body is
 * malloc'ed. Any thread. */
pen_status journal_read_record(int fd, uint64_t at, uint64_t size, uint64_t sequence, struct jf_record *r, uint8_t **body,
                               struct pen_error *err);
/* Opens the newest log file; PEN_SKIP where there is none. */
pen_status log_open_newest(struct journal *j, struct pen_error *err);
/* Reads on in the newest log file, and in those that came after it. sync: what is shown to readers is on the disk first, for a writer's
 * own sync may still be under way. *torn: bytes at the end that are no record. */
pen_status log_follow(struct journal *j, bool sync, uint64_t *torn, struct pen_error *err);
/* Writes a log file that holds a snapshot only, and gives it its name. */
pen_status log_begin(struct journal *j, const struct jf_out *body, uint64_t sequence, const char *name, int *out, uint64_t *end,
                     struct pen_error *err);
/* The next valid record from *at on whose sequence lies behind the last; PEN_SKIP: none. *body is malloc'ed. */
pen_status log_find_record(struct journal *j, uint64_t *at, uint64_t size, struct jf_record *r, uint8_t **body, struct pen_error *err);
/* Bytes that are no record may be at the end only; valid ones behind them are damage. */
pen_status log_check_tail(struct journal *j, uint64_t torn, struct pen_error *err);
pen_status log_damaged(const struct journal *j, uint64_t at, const char *what, struct pen_error *err);
pen_status log_file_size(const struct journal *j, int fd, const char *name, uint64_t *size, struct pen_error *err);

/* -- seal.c: publishing held -- */

/* Syncs one segment file. */
pen_status segment_sync(struct journal *j, uint64_t number, struct pen_error *err);
/* Whether a commit of this body can be sealed. */
bool seal_fits(const struct jf_out *body);
/* Writes the seal of the next commit behind its blocks, where s says, and syncs that segment: this commits it. All that it names in other segments has been
 * synced. */
pen_status seal_write(struct journal *j, struct jf_seal *s, const struct jf_out *body, struct pen_error *err);
/* Appends to the log what it has lost; this process has the lock file. *torn as from log_follow(). */
pen_status journal_mend(struct journal *j, const struct pen_host *host, uint64_t *torn, struct pen_error *err);
/* Bytes of blocks from `at` on. */
uint64_t segment_leftovers(int fd, uint64_t number, uint64_t at, uint64_t size);

/* -- state.c: publishing held, for what `lock` guards that too, unless said otherwise -- */

pen_status state_apply(struct journal *j, const struct jf_record *r, const uint8_t *body, struct pen_error *err);
void state_clear(struct journal *j);
/* Everything, as the body of a snapshot. */
void state_snapshot(const struct journal *j, struct jf_out *out);
const struct pen_position *state_position(const struct journal *j, const char *key);
bool state_knows_plan(const struct journal *j, const char *plan);
/* lock held. */
struct segment *state_segment(const struct journal *j, uint64_t number);
pen_status state_add_segment(struct journal *j, struct segment **out, uint64_t number, uint32_t partition, struct pen_error *err);
void state_remove_segment(struct journal *j, uint64_t number);

/* -- retention.c -- */

/* Puts reader `name` on the list; an existing one keeps its positions. *fd is its file. */
pen_status reader_register(struct journal *j, const char *name, bool latest, int *fd, uint64_t settled[JF_PARTITIONS], struct pen_error *err);
pen_status reader_store(struct journal *j, int fd, const uint64_t settled[JF_PARTITIONS], struct pen_error *err);
/* Each registered reader; settled[] is the oldest held where its file cannot be understood. */
pen_status reader_each(struct journal *j,
                       pen_status (*each)(void *arg, const char *name, const uint64_t settled[JF_PARTITIONS], struct pen_error *err),
                       void *arg, struct pen_error *err);
/* PEN_SKIP where there is no such reader. */
pen_status reader_forget(struct journal *j, const char *name, struct pen_error *err);
/* Whether `more` bytes may be committed, or writers have to wait for readers. publishing held. */
pen_status retention_room(struct journal *j, const struct options *o, const struct pen_host *host, uint64_t more, bool *room,
                          struct pen_error *err);
/* Removes what is too old or too much. publishing held. */
pen_status retention_trim(struct journal *j, const struct options *o, const struct pen_host *host, struct pen_error *err);

#endif
