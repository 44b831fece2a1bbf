/* sql.c - see sql.h: the connection, its tables and statements. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/sql_priv.h"

#define SORT_MEMORY_KIB 65536 /* what a sort or a materialised subquery holds before it goes to a temporary file */

static pen_status sql_fail(struct pen_sql *sql, int rc, struct pen_error *err)
{
    if (sql->table_error.msg[0])
        return pen_fail(err, PEN_FATAL, "%s", sql->table_error.msg);
    if (rc == SQLITE_INTERRUPT || sql->interrupted)
        return pen_fail(err, PEN_FATAL, "interrupted");
    switch (rc & 0xFF) {
    case SQLITE_NOMEM:
        return pen_fail(err, PEN_FATAL, "out of memory");
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return pen_fail(err, PEN_FATAL, "temporary file: %s", sqlite3_errmsg(sql->db));
    default:
        return pen_fail(err, PEN_BADCONF, "%s", sqlite3_errmsg(sql->db));
    }
}

pen_status pen_sql_new(struct pen_sql **out, struct pen_error *err)
{
    struct pen_sql *sql = calloc(1, sizeof *sql);
    char pragma[64];
    int rc;
    *out = NULL;
    if (!sql)
        return pen_fail(err, PEN_FATAL, "out of memory");
    sqlite3_snprintf(sizeof pragma, pragma, "PRAGMA cache_size = -%d; PRAGMA temp_store = file", SORT_MEMORY_KIB);
    rc = sqlite3_open_v2(":memory:", &sql->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = pen_sql_register_module(sql);
    if (rc == SQLITE_OK)
        rc = pen_sql_register_functions(sql->db);
    if (rc == SQLITE_OK)
        rc = pen_sql_register_dates(sql->db);
    if (rc == SQLITE_OK)
        rc = pen_sql_register_aggregates(sql->db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sql->db, pragma, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        pen_status st = sql_fail(sql, rc, err);
        pen_sql_free(&sql);
        return st;
    }
    *out = sql;
    return PEN_OK;
}

static void drop_accesses(struct pen_sql_table *t)
{
    while (t->accesses) {
        struct pen_sql_access *a = t->accesses;
        t->accesses = a->next;
        pen_sql_access_free(a);
    }
}

void pen_sql_free(struct pen_sql **sql)
{
    if (!*sql)
        return;
    sqlite3_close_v2((*sql)->db);
    while ((*sql)->tables) {
        struct pen_sql_table *t = (*sql)->tables;
        (*sql)->tables = t->next;
        drop_accesses(t);
        if (t->table->close)
            t->table->close(t->handle);
        pen_schema_release(&t->schema);
        free(t->name);
        free(t);
    }
    free(*sql);
    *sql = NULL;
}

pen_status pen_sql_add_table(struct pen_sql *sql, const char *name, const struct pen_table *table, void *handle,
                             struct ArrowSchema *schema, int64_t rows, struct pen_error *err)
{
    struct pen_sql_table *t = calloc(1, sizeof *t);
    char *create = sqlite3_mprintf("CREATE VIRTUAL TABLE \"%w\" USING penstock", name);
    pen_status st = PEN_OK;
    int rc;
    if (!t || !create || !(t->name = strdup(name))) {
        st = pen_fail(err, PEN_FATAL, "out of memory");
    } else {
        t->sql = sql;
        t->table = table;
        t->handle = handle;
        t->schema = *schema; /* lent until it is known to be taken */
        t->rows = rows;
        t->next = sql->tables;
        sql->tables = t;
        rc = sqlite3_exec(sql->db, create, NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
            st = sql_fail(sql, rc, err);
            sql->tables = t->next;
        }
    }
    sqlite3_free(create);
    if (st < 0) {
        if (t)
            free(t->name);
        free(t);
        return st;
    }
    schema->release = NULL;
    return PEN_OK;
}

pen_status pen_sql_prepare(struct pen_sql *sql, const char *text, struct sqlite3_stmt **stmt, const char **rest, struct pen_error *err)
{
    int rc = sqlite3_prepare_v2(sql->db, text, -1, stmt, rest);
    return rc == SQLITE_OK ? PEN_OK : sql_fail(sql, rc, err);
}

pen_status pen_sql_step(struct pen_sql *sql, struct sqlite3_stmt *stmt, struct pen_error *err)
{
    int rc = sql->interrupted ? SQLITE_INTERRUPT : sqlite3_step(stmt);
    return rc == SQLITE_ROW ? PEN_OK : rc == SQLITE_DONE ? PEN_SKIP : sql_fail(sql, rc, err);
}

void pen_sql_finish(struct pen_sql *sql, struct sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
    *stmt = NULL;
    sql->table_error = (struct pen_error){ 0 };
    for (struct pen_sql_table *t = sql->tables; t; t = t->next)
        drop_accesses(t);
}

void pen_sql_interrupt(struct pen_sql *sql)
{
    sql->interrupted = 1;
    sqlite3_interrupt(sql->db);
}
