/* source.h - the reading end: shards, who reads them, and what has been fetched of them.
 *
 * Threads: control (events, positions), lanes (readers), fetchers (fetch.c) and one steward, which lists shards and keeps leases (shards.c, leases.c).
 * s->lock guards all of a shard but what is said to be a lane's. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KINESIS_SOURCE_H
#define PENSTOCK_KINESIS_SOURCE_H

#include <pthread.h>

#include "kinesis.h"

#define FETCHERS 16
#define RECORD_WORD (UINT64_C(1) << 62) /* last word of a record's own position: behind any time */

struct chunk { /* records that were fetched */
    struct chunk *next;
    struct kin_records records;
    size_t at;    /* the next to give. A lane's once it has taken the chunk */
    size_t bytes; /* of memory */
};

struct reader;
struct leases;

struct shard {
    struct kin_shard is; /* as it was listed last */
    struct shard *parents[2]; /* those that were listed too */
    bool listed;         /* it still is */
    bool initial;        /* it was there when the run began */
    /* who reads it */
    bool mine;           /* this process may; always without leases */
    bool give_up, lost;  /* another is to have it; another has it */
    bool only_look;      /* leases say that it is finished: ask the sink */
    bool undone;         /* it is not */
    bool assigned, revoking; /* what the engine was told */
    bool finished;       /* committed to its end */
    bool read_out;       /* its reader has given its end */
    struct reader *reader;
    /* fetched */
    struct chunk *first, *last;
    size_t queued;       /* bytes of them, and of the one that the lane has */
    bool fetching;       /* a fetcher is at it */
    unsigned epoch;      /* grows when the reader seeks: what was asked for before counts no more */
    int64_t due;         /* pen_now of the next call */
    char *iterator;
    int64_t iterator_at; /* when it came */
    struct pen_position from; /* where the next iterator begins */
    bool horizon;        /* the record before `from` is gone: begin at the oldest, pass over what lies before */
    bool exhausted;      /* closed and fetched to its end */
    bool relisted;       /* and the shards were listed since, so that its children are known */
    int64_t looked;      /* pen_now at the begin of the last call that found it at its tip */
    int64_t average;     /* bytes of a record */
    unsigned troubles;   /* calls in a row that failed */
    struct pen_error trouble;
    /* the lane's */
    struct chunk *current;
    struct pen_position at, bound;
};

struct source {
    struct options o; /* first: see kinesis_options */
    const struct pen_host *host;
    struct kin_client client;
    struct pen_output output;
    start_kind start;
    int64_t start_at;  /* microseconds since 1970 */
    char incarnation[24];
    int64_t retention; /* seconds */
    pthread_mutex_t lock;
    pthread_cond_t more; /* a shard may be due; or the steward is wanted */
    bool stop, opened;
    struct shard **shards;
    size_t n_shards, room_shards;
    int64_t first_at, opened_at; /* when the run began, by the service's time in seconds and by pen_now */
    bool first_run, told_all;
    bool shared_out;   /* leases: a first round is over */
    bool list_now;     /* a shard has ended: its children are wanted */
    bool share_now;    /* a shard has been let go, or others can be read now */
    int64_t list_at;   /* pen_now of the next listing */
    struct pen_error trouble; /* the steward's, for good */
    struct leases *leases;
    pthread_t threads[FETCHERS], steward;
    unsigned n_threads;
    bool has_steward;
    size_t held;       /* shards that lanes read */
    char name[SHARD_NAME]; /* of the last event */
};

struct reader {
    struct source *s;
    int fd;
    size_t turn;
    size_t n; /* shards */
};

/* -- shards.c -------------------------------------------------------------------------------------------------------------------------- */
/* Lists once; shards that are new are added. */
pen_status shards_list(struct source *s, struct pen_error *err);
struct shard *shard_find(const struct source *s, const char *name);
/* Whether everything before it has been read and committed. lock held. */
bool shard_is_open(const struct shard *sh);
/* It lies behind the shard's last record. */
bool shard_is_behind(const struct shard *sh, const struct pen_position *pos);
pen_status steward_start(struct source *s, struct pen_error *err);
void source_wait(struct source *s, int64_t until); /* pen_now; lock held */
void reader_signal(struct reader *r);

static inline struct seq position_seq(const struct pen_position *p)
{
    return (struct seq){ { p->w[0], p->w[1], p->w[2] } };
}
static inline struct pen_position position_at(const struct seq *s, uint64_t word)
{
    return (struct pen_position){ 4, { s->w[0], s->w[1], s->w[2], word } };
}

/* -- fetch.c ------------------------------------------------------------------------------------------------------------------------------ */
/* As many threads as the shards that are held want. lock held. */
void fetch_start(struct source *s);
void chunk_free(struct chunk **c);
/* Drops what was fetched, and begins anew at pos. lock held. */
void fetch_seek(struct source *s, struct shard *sh, const struct pen_position *pos);
/* Most bytes that are to lie ready of one shard. lock held. */
size_t fetch_share(const struct source *s);

/* -- leases.c ------------------------------------------------------------------------------------------------------------------------------ */
pen_status leases_open(struct source *s, struct pen_error *err);
/* A round: signs of life, who holds what, what to take and what to give up. Returns when the next is due (pen_now). Steward, lock not held. */
int64_t leases_round(struct source *s);
/* Gives back what is held, and ends. */
void leases_close(struct source *s);

/* -- reader.c ------------------------------------------------------------------------------------------------------------------------------ */
pen_status reader_open(void *ctx, unsigned lane, void **out, struct pen_error *err);
void reader_close(void *reader);
pen_status reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err);
pen_status reader_remove(void *reader, uint32_t id, struct pen_error *err);
pen_status reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err);
pen_status reader_read(void *reader, struct pen_read *r, struct pen_error *err);
int reader_fd(void *reader);
int64_t reader_wake_at(void *reader);

#endif
