/* sql.h - SQL over tables of record batches: SQLite, to which each table is a virtual one.
 *
 * Only the columns that a statement uses are read, in batches, as the statement asks for them. Where it looks rows up by equality (a join) the
 * columns it needs of that table are kept in memory as they came, with a hash index over them (see sql_index.c); nothing else is. Values are
 * what cell.h says. Besides SQLite's own functions there are those of Spark that analyses use: see sql_functions.c, sql_dates.c.
 * One thread at a time, but for pen_sql_interrupt().
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_SQL_H
#define PENSTOCK_DATA_SQL_H

#include <penstock/plugin.h>

struct pen_sql;
struct sqlite3_stmt;

pen_status pen_sql_new(struct pen_sql **out, struct pen_error *err);
/* Closes the tables too. All statements must have been finished. */
void pen_sql_free(struct pen_sql **sql);
/* Makes an opened table (see struct pen_table, open) known as `name`. On success handle and *schema have moved in (schema->release is
 * cleared); on failure they are still the caller's. rows: how many there are exactly, or -1. */
pen_status pen_sql_add_table(struct pen_sql *sql, const char *name, const struct pen_table *table, void *handle,
                             struct ArrowSchema *schema, int64_t rows, struct pen_error *err);
/* Compiles the first statement of text; *rest is where the next one begins. *stmt is NULL where there is only white space or comments.
 * PEN_BADCONF with SQLite's words where the SQL is wrong. */
pen_status pen_sql_prepare(struct pen_sql *sql, const char *text, struct sqlite3_stmt **stmt, const char **rest, struct pen_error *err);
/* PEN_OK: a row, to be read by sqlite3_column_…(); PEN_SKIP: no more. PEN_BADCONF: the SQL is at fault (a function's argument);
 * PEN_FATAL: a table could not be read, memory ran out, interrupted. */
pen_status pen_sql_step(struct pen_sql *sql, struct sqlite3_stmt *stmt, struct pen_error *err);
/* Also frees what was kept of the tables for it. */
void pen_sql_finish(struct pen_sql *sql, struct sqlite3_stmt **stmt);
/* Makes the step that runs, and every one after it, fail. Any thread; signal handlers too. */
void pen_sql_interrupt(struct pen_sql *sql);

#endif
