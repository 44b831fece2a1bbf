/* view.c - connections that see the tables as they were at one moment, for a snapshot that several lanes read.
 *
 * PostgreSQL exports a snapshot, which any number of connections take up for as long as the one that exported it lasts. In MySQL each connection
 * takes its own at a moment when the tables are locked against writing, which is over as soon as all have; where the user may not lock, or a writer does
 * not let go in time, one connection serves all lanes in turn.
 * A connection that is lost cannot see the same again in MySQL: what was not read by then is read as of later, and that is said.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rds.h"
#include "sql.h"

#define LOCK_SECONDS 5

struct rds_view {
    const struct rds_driver *driver;
    pthread_mutex_t lock;
    struct rds_db *exporter; /* PostgreSQL */
    char id[80];
    struct rds_db **pool;    /* [most] */
    size_t n_pool, made, most;
    bool late;               /* some of it is of a later moment */
};

void rds_view_free(struct rds_view **out)
{
    struct rds_view *v = *out;
    *out = NULL;
    if (!v)
        return;
    for (size_t i = 0; i < v->n_pool; i++)
        v->driver->close(&v->pool[i]);
    v->driver->close(&v->exporter);
    pthread_mutex_destroy(&v->lock);
    free(v->pool);
    free(v);
}

/* -- PostgreSQL ----------------------------------------------------------------------------------------------------------------------------- */

#define BEGIN_SQL "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

static pen_status export_snapshot(struct rds *s, struct rds_view *v, struct pen_error *err)
{
    struct rds_answer a;
    pen_status st;
    s->driver->close(&v->exporter);
    st = s->driver->open(&v->exporter, &s->login, err);
    if (st >= 0)
        st = s->driver->exec(v->exporter, BEGIN_SQL, err);
    if (st >= 0)
        st = s->driver->ask(v->exporter, "SELECT pg_export_snapshot()", &a, err);
    if (st >= 0 && (!a.n || strspn(a.text[0], "0123456789ABCDEFabcdef-") != strlen(a.text[0])))
        st = pen_fail(err, PEN_FATAL, "%s: \"%s\" is no name of a snapshot", s->login.label, a.n ? a.text[0] : "");
    if (st >= 0)
        snprintf(v->id, sizeof v->id, "%.70s", a.text[0]);
    else
        s->driver->close(&v->exporter);
    return st;
}

static pen_status attach(struct rds *s, const struct rds_view *v, struct rds_db **db, struct pen_error *err)
{
    char sql[128];
    pen_status st = s->driver->open(db, &s->login, err);
    snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%s'", v->id);
    if (st >= 0)
        st = s->driver->exec(*db, BEGIN_SQL, err);
    if (st >= 0)
        st = s->driver->exec(*db, sql, err);
    if (st < 0)
        s->driver->close(db);
    return st;
}

/* -- MySQL ---------------------------------------------------------------------------------------------------------------------------------- */

static pen_status begin(struct rds *s, struct rds_db **db, struct pen_error *err)
{
    pen_status st = s->driver->open(db, &s->login, err);
    if (st >= 0)
        st = s->driver->exec(*db, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", err);
    if (st >= 0)
        st = s->driver->exec(*db, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", err);
    if (st < 0)
        s->driver->close(db);
    return st;
}

/* Locks the tables; PEN_SKIP: it cannot be done, and was logged. */
static pen_status lock_tables(struct rds *s, struct rds_db *db, struct pen_error *err)
{
    struct pen_error why = { 0 };
    struct pen_text sql = { 0 };
    pen_status st;
    char *text;
    pen_text_format(&sql, "SET SESSION lock_wait_timeout = %d", LOCK_SECONDS);
    text = rds_sql_take(&sql);
    st = text ? s->driver->exec(db, text, &why) : PEN_FATAL;
    free(text);
    for (size_t i = 0; i < s->n_tables; i++)
        if (s->outputs[i].read)
            pen_text_format(&sql, "%s %s READ", sql.n ? "," : "LOCK TABLES", s->tables[i].quoted);
    if (!(text = rds_sql_take(&sql)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (st >= 0)
        st = s->driver->exec(db, text, &why);
    free(text);
    if (st >= 0)
        return PEN_OK;
    pen_log(s->host, PEN_LOG_INFO, "the tables cannot be locked for a moment (%s), so one connection reads for all lanes", why.msg);
    return PEN_SKIP;
}

static pen_status begin_all(struct rds *s, struct rds_view *v, struct pen_error *err)
{
    struct rds_db *locker = NULL;
    pen_status st = PEN_OK;
    if (v->most > 1) {
        st = s->driver->open(&locker, &s->login, err);
        if (st >= 0)
            st = lock_tables(s, locker, err);
        if (st == PEN_SKIP)
            v->most = 1;
    }
    while (st >= 0 && v->n_pool < v->most) {
        st = begin(s, &v->pool[v->n_pool], err);
        v->n_pool += st >= 0;
    }
    s->driver->close(&locker); /* and with it the lock */
    v->made = v->n_pool;
    return st < 0 ? st : PEN_OK;
}

/* -- both --------------------------------------------------------------------------------------------------------------------------------- */

pen_status rds_view_open(struct rds *s, struct pen_error *err)
{
    struct rds_view *v = calloc(1, sizeof *v);
    pen_status st;
    if (!v)
        return pen_fail(err, PEN_FATAL, "out of memory");
    v->driver = s->driver;
    v->most = pen_lanes(s->host) ? pen_lanes(s->host) : 1;
    pthread_mutex_init(&v->lock, NULL);
    if (!(v->pool = calloc(v->most, sizeof *v->pool)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    else
        st = s->login.url.kind == RDS_POSTGRES ? export_snapshot(s, v, err) : begin_all(s, v, err);
    if (st < 0)
        rds_view_free(&v);
    s->view = v;
    return st;
}

static void say_late(struct rds *s, struct rds_view *v)
{
    if (!v->late)
        pen_log(s->host, PEN_LOG_WARN, "%s: the view of the snapshot was lost: what was not read yet is read as of now", s->login.label);
    v->late = true;
}

static pen_status make_one(struct rds *s, struct rds_view *v, struct rds_db **db, struct pen_error *err)
{
    struct pen_error first = { 0 };
    pen_status st;
    if (s->login.url.kind == RDS_MYSQL) { /* only after a loss */
        st = begin(s, db, err);
        if (st >= 0)
            say_late(s, v);
        return st;
    }
    st = v->exporter ? attach(s, v, db, &first) : PEN_FATAL;
    if (st == PEN_FATAL) { /* the exported snapshot is gone with its connection */
        st = export_snapshot(s, v, err);
        if (st >= 0)
            say_late(s, v);
        if (st >= 0)
            st = attach(s, v, db, err);
    } else if (st < 0) {
        pen_fail(err, st, "%s", first.msg);
    }
    return st;
}

pen_status rds_view_take(struct rds *s, struct rds_db **db, struct pen_error *err)
{
    struct rds_view *v = s->view;
    pen_status st = PEN_OK;
    *db = NULL;
    pthread_mutex_lock(&v->lock);
    if (v->n_pool) {
        *db = v->pool[--v->n_pool];
    } else if (v->made < v->most) {
        st = make_one(s, v, db, err);
        v->made += st >= 0;
    } else {
        st = PEN_SKIP;
    }
    pthread_mutex_unlock(&v->lock);
    return st;
}

void rds_view_give(struct rds *s, struct rds_db *db)
{
    struct rds_view *v = s->view;
    pthread_mutex_lock(&v->lock);
    if (db)
        v->pool[v->n_pool++] = db;
    else
        v->made--;
    pthread_mutex_unlock(&v->lock);
}
