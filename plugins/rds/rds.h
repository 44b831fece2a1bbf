/* rds.h - the parts of the rds source and what they share.
 *
 *   rds.c      options, start, outputs: what the tables are
 *   plan.c     control: partitions and where they begin
 *   reader.c   a lane's end: hands out what its worker made
 *   worker.c   a thread for each lane, which waits for the server so that the lane need not
 *   emulate.c, stream.c  what a worker does: posts that arrive; rows in the order of a key
 *   watch.c    how far an incremental read may go
 *   iam.c      passwords that AWS signs
 *   view.c     connections that see the tables as they were at one moment
 *   db.h       the database behind: mysql.c, postgres.c
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_RDS_H
#define PENSTOCK_RDS_H

#include <pthread.h>

#include "../aws/aws.h"
#include "db.h"

typedef enum { RDS_EMULATE, RDS_SNAPSHOT, RDS_INCREMENTAL } rds_mode;

/* What is read in order: all tables tick by tick, one table, or a range of its keys. */
struct rds_part {
    size_t table;             /* emulate: 0 */
    struct pen_position first;/* where it begins */
    struct pen_position last; /* snapshot: its end. incremental with --until-end: where it was when the run began. n = 0: none */
    char *name;               /* malloc'ed */
};

struct rds_view;

struct rds {
    const char *url, *user, *password, *key, *updated, *rows, *tls_ca; /* options */
    struct pen_strings table_names;
    struct pen_pairs keys, updateds;
    int mode, tls, auth;
    struct aws_options aws;
    struct pen_range pause;
    int64_t seed, count, lag, poll, range, connect_timeout, silence_timeout;

    const struct pen_host *host;
    const struct rds_driver *driver;
    struct rds_login login;
    struct aws_client *aws_client; /* auth = iam */
    struct rds_table *tables;
    size_t n_tables;
    struct pen_output *outputs; /* [n_tables] */

    struct rds_part *parts; /* control's, until it names them; then nobody changes them */
    size_t n_parts, cap_parts, offered;
    bool planned, no_more;
    char *incarnation;      /* of all partitions */
    uint64_t first_row, n_rows; /* emulate */
    struct rds_view *view;  /* snapshot */
};

/* -- rds.c -- */
/* Columns of the options that say how the table is read. PEN_BADCONF where there is no fitting one. */
pen_status rds_find_key(const struct rds *s, struct rds_table *t, struct pen_error *err);
/* Tells of columns that came, PEN_FATAL where one that is read is gone or of another type now. */
pen_status rds_compare(const struct rds *s, const struct rds_table *then, struct rds_db *db, char **told, struct pen_error *err);

/* -- iam.c -- */
pen_status rds_iam_start(struct rds *s, struct pen_error *err);
void rds_iam_stop(struct rds *s);

/* -- plan.c -- */
pen_status rds_next_event(void *ctx, struct pen_partition_event *event, struct pen_error *err);
pen_status rds_beginning(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err);
pen_status rds_start_partition(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err);
void rds_plan_fini(struct rds *s);
struct rds_part *rds_add_part(struct rds *s, size_t table, struct pen_error *err);

/* -- ranges.c -- */
/* The ranges of keys that a snapshot reads, and their memory in `state`. */
pen_status rds_plan_ranges(struct rds *s, struct pen_error *err);

/* -- view.c -- */
/* Opens as many connections as lanes, all of which see the tables as of one moment; one alone where the server does not permit more. */
pen_status rds_view_open(struct rds *s, struct pen_error *err);
void rds_view_free(struct rds_view **v);
/* A connection to read one range by; PEN_SKIP: all are in use, ask again. Any lane. */
pen_status rds_view_take(struct rds *s, struct rds_db **db, struct pen_error *err);
/* Back again; NULL: it was lost. */
void rds_view_give(struct rds *s, struct rds_db *db);

/* -- SQL -- */
/* SELECT of all columns FROM the table, malloc'ed text to go on with. */
void rds_select(struct pen_text *t, const struct rds_table *table);
/* A word of a key or a time as it stands in SQL. */
void rds_literal(struct pen_text *t, const struct rds *s, const struct rds_column *c, uint64_t word);

/* -- watch.c -- */
#define RDS_SAMPLES 64
/* What the table's highest key was, or the server's time, at moments past; the newest last. Starts as { 0 }. */
struct rds_watch {
    struct {
        int64_t at;      /* pen_now */
        uint64_t word;   /* next after the highest key, or the time */
        uint64_t fence;  /* every transaction below is to be over; 0: not known yet */
    } samples[RDS_SAMPLES];
    size_t n;
};
/* Asks the server; *until is the word below which nothing can come any more. PEN_SKIP: it cannot be told yet. */
pen_status rds_watch_ask(const struct rds *s, const struct rds_table *t, struct rds_watch *w, struct rds_db *db, uint64_t *until, struct pen_error *err);
/* The words as they are at this moment: next after the highest key, or the time; PEN_SKIP: the table is empty. */
pen_status rds_watch_now(const struct rds *s, const struct rds_table *t, struct rds_db *db, uint64_t *word, struct pen_error *err);

/* -- worker.c and reader.c -- */
/* What one read() hands out. */
struct rds_block {
    uint32_t part;
    uint64_t epoch;
    struct pen_position from, to;
    bool end;
    struct ArrowArray *batches; /* [n_tables] */
    struct pen_position *rows;  /* [rows_cap]: where each row stands, of blocks that fill one output; else n_rows is 0 */
    size_t n_rows, rows_cap;
    pen_status status;          /* PEN_OK, or what is to be answered with `error` */
    struct pen_error error;
};

struct rds_held { /* a partition that the lane has */
    uint32_t id;
    uint64_t epoch;              /* grows when what was prepared is of no use any more */
    struct pen_position at;      /* prepared up to */
    struct pen_position given;   /* handed out up to */
    struct pen_position bound;
    bool ended;
    int64_t due;                 /* pen_now before which there is nothing to do */
    struct rds_watch *watch;     /* incremental; the worker's */
    bool gone;                   /* taken away while the worker was at it, who is to free it */
    struct rds_held *next;
};

struct rds_cursor { /* a query that is being read */
    bool open, pending; /* pending: cells hold a row that was not taken yet */
    bool viewed;        /* its connection is one of the view's */
    uint32_t part;
    uint64_t epoch;
    struct pen_position at, until;
};

struct rds_reader {
    struct rds *source;
    pthread_t thread;
    bool has_thread;
    int event_fd;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* of the worker */
    /* lock: */
    bool stop, has_ready;
    struct rds_held *held, *busy; /* busy: what the worker is at */
    uint64_t epochs;
    int64_t max_rows;
    size_t max_bytes;
    struct rds_block ready;
    struct rds_db *db;       /* the worker's; the lock is for interrupt() */
    /* the worker's: */
    struct rds_block made;
    struct rds_cursor cursor;
    struct rds_cell *cells;         /* room for the widest table */
    struct pen_builder **builders;  /* [n_tables] */
    int64_t *unfit;                 /* [columns of the widest table] */
    int64_t pause;                  /* before the next attempt to connect */
    int64_t look_at;                /* when to look whether the tables are still as they were */
    char **told;                    /* [n_tables]: what was said about that */
    uint64_t random;
};

struct rds_job { /* what a worker is to do next */
    uint32_t part;
    uint64_t epoch;
    struct pen_position at, bound;
    int64_t rows;
    size_t bytes;
    struct rds_watch *watch;
    int64_t due; /* out, where nothing was made */
};

/* Fill r->made; PEN_SKIP: nothing yet, job->due says when to come again. */
pen_status rds_emulate(struct rds_reader *r, struct rds_job *job, struct pen_error *err);
pen_status rds_stream(struct rds_reader *r, struct rds_job *job, struct pen_error *err);
/* How long tick `tick` is waited for after the one before. */
int64_t rds_pause(const struct rds *s, uint64_t tick);
void rds_cursor_close(struct rds_reader *r);
/* A connection of the worker's own. */
pen_status rds_connected(struct rds_reader *r, struct pen_error *err);
void rds_disconnect(struct rds_reader *r);
/* Gives its connection back to the view. */
void rds_let_view_go(struct rds_reader *r);
/* Appends the row in r->cells to the builder of table t. */
pen_status rds_append_row(struct rds_reader *r, size_t table, struct pen_error *err);
/* Moves what was built of table t into r->made, and counts what did not fit. */
pen_status rds_finish_rows(struct rds_reader *r, size_t table, struct pen_error *err);

pen_status rds_worker_start(struct rds_reader *r, struct pen_error *err);
void rds_worker_stop(struct rds_reader *r);
void rds_held_free(struct rds_held *h);
void rds_block_clear(const struct rds *s, struct rds_block *b);

pen_status rds_reader_open(void *ctx, unsigned lane, void **reader, struct pen_error *err);
void rds_reader_close(void *reader);
pen_status rds_reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err);
pen_status rds_reader_remove(void *reader, uint32_t id, struct pen_error *err);
pen_status rds_reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err);
pen_status rds_read(void *reader, struct pen_read *read, struct pen_error *err);
int rds_fd(void *reader);

static inline uint64_t rds_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#endif
