/* sql.h - pieces of SQL that both databases read: names, numbers, times. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_RDS_SQL_H
#define PENSTOCK_RDS_SQL_H

#include <penstock/records.h>

#include "column.h"

/* A name between quotes, which are doubled inside it: ` for MySQL, " for PostgreSQL. */
void rds_sql_name(struct pen_text *t, const char *name, size_t n, char quote);
/* TABLE or SCHEMA.TABLE. */
void rds_sql_table(struct pen_text *t, const char *name, char quote);
/* The text as a C string, malloc'ed; t is emptied. NULL: out of memory. */
char *rds_sql_take(struct pen_text *t);
/* Microseconds since 1970 as 'YYYY-MM-DD HH:MM:SS.ffffff', with +00 before the last quote where asked. */
void rds_sql_time(struct pen_text *t, int64_t micros, bool zone);

#endif
