/* db.h - what the source asks of a database, whichever it is. mysql.c and postgres.c each are one driver.
 *
 * A connection is one thread's at a time, but for interrupt(). Every function may wait for the network. Errors: PEN_RETRY where another attempt, on a
 * new connection, may do better (the connection is lost or of no use any more), PEN_FATAL else.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_RDS_DB_H
#define PENSTOCK_RDS_DB_H

#include <penstock/plugin.h>

#include "column.h"
#include "url.h"

/* Who connects to where, and how. All strings are the owner's. */
struct rds_login {
    struct rds_url url;       /* with the options `user`, `password` and `socket` worked in */
    char label[300];          /* for messages: the URL without the password */
    bool tls;                 /* verify certificate and name; not through a socket */
    const char *tls_ca;       /* file */
    int connect_timeout;      /* seconds */
    int silence;              /* seconds in which a server says nothing before the connection is given up */
    /* auth = iam: makes the password of one connection, malloc'ed, which is sent as it is, through TLS; else NULL */
    pen_status (*token)(const struct rds_login *l, char **out, struct pen_error *err);
    const void *source;
};

/* The password of one connection; *made holds it where it was made for this one, and is to be freed. */
pen_status rds_password(const struct rds_login *l, char **made, const char **password, struct pen_error *err);
void rds_password_free(char **made);

#define RDS_ANSWERS 6
/* The first row of an answer as text. */
struct rds_answer {
    size_t n; /* columns, 0: no row */
    bool null[RDS_ANSWERS];
    char text[RDS_ANSWERS][128]; /* cut to fit */
};

struct rds_db;

struct rds_driver {
    const char *service; /* "MySQL", for messages */
    /* Opens a session: UTC, utf8mb4, no time limits of its own. */
    pen_status (*open)(struct rds_db **out, const struct rds_login *login, struct pen_error *err);
    void (*close)(struct rds_db **db);
    /* Makes whoever waits on this connection fail soon. Any thread, while the connection is not being opened or closed. */
    void (*interrupt)(struct rds_db *db);
    pen_status (*exec)(struct rds_db *db, const char *sql, struct pen_error *err);
    pen_status (*ask)(struct rds_db *db, const char *sql, struct rds_answer *out, struct pen_error *err);
    /* Columns of t->name, into t, which has its name alone. */
    pen_status (*describe)(struct rds_db *db, struct rds_table *t, struct pen_error *err);
    /* Begins to read the rows of a SELECT of n columns. */
    pen_status (*rows)(struct rds_db *db, const char *select, size_t n, struct pen_error *err);
    /* The next row, lent until the next call; PEN_SKIP: there are no more, and the query is over. */
    pen_status (*next)(struct rds_db *db, struct rds_cell *cells, struct pen_error *err);
    /* Ends a query early. False where only closing the connection does that. */
    bool (*leave)(struct rds_db *db);
    /* Value of a whole number's or a timestamp's cell (microseconds since 1970), as a word that is ordered as they are. */
    bool (*word)(const struct rds_column *c, struct rds_cell cell, uint64_t *out);
};

#ifdef RDS_HAVE_MYSQL
extern const struct rds_driver rds_mysql;
#endif
#ifdef RDS_HAVE_POSTGRES
extern const struct rds_driver rds_postgres;
#endif

/* The driver for a URL, or PEN_BADCONF: this build lacks the client library. */
pen_status rds_driver_of(rds_kind kind, const struct rds_driver **out, struct pen_error *err);

/* Order of words and of what they stand for. */
static inline uint64_t rds_word_of(int64_t v)
{
    return (uint64_t)v ^ (UINT64_C(1) << 63);
}
static inline int64_t rds_word_value(uint64_t w)
{
    return (int64_t)(w ^ (UINT64_C(1) << 63));
}

#endif
