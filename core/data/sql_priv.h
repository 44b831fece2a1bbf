/* sql_priv.h - between the files of SQL over batches. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_SQL_PRIV_H
#define PENSTOCK_DATA_SQL_PRIV_H

#include <signal.h>

#include <sqlite3.h>

#include "data/cell.h"
#include "data/sql.h"

/* A table as pen_sql_add_table() got it. */
struct pen_sql_table {
    struct pen_sql *sql;
    char *name;
    const struct pen_table *table;
    void *handle;
    struct ArrowSchema schema;
    int64_t rows;
    struct pen_sql_access *accesses; /* of the running statement */
    struct pen_sql_table *next;
};

struct pen_sql {
    sqlite3 *db;
    struct pen_sql_table *tables;
    struct pen_error table_error;       /* why a table could not be read, while a statement fails over it */
    volatile sig_atomic_t interrupted;
};

/* Columns of a table in memory. */
struct pen_sql_store {
    struct ArrowArray *batches;
    uint32_t *first;     /* of each batch: number of its first row; one more at the end */
    size_t n, room;
    uint32_t rows;
};

/* Which rows of a store have given values in some columns: rows chained by the hash of those values. It may name a row too many, never one
 * too few. */
struct pen_sql_index {
    uint64_t *hash;      /* of each row */
    uint32_t *bucket;    /* row + 1 of the first of each chain, 0: none */
    uint32_t *next;      /* row + 1 of the next in the chain, 0: none */
    uint64_t mask;
    int64_t base;        /* dense: the bucket of key k is k - base */
    bool dense;          /* one column of whole numbers that lie close: the key is its own hash and place */
};

/* How statements read a table: a set of columns and the columns among them that are looked up by equality. One for each plan that
 * xBestIndex gave out and that was used. */
struct pen_sql_access {
    char *plan;          /* the text that tells it from others */
    int64_t *columns;    /* of the schema, ascending */
    size_t n_columns;
    size_t *keys;        /* places in columns */
    pen_type *key_types;
    size_t n_keys;
    bool constant;       /* all keys were constants of the statement: one lookup is not worth an index */
    uint64_t uses;
    bool stored, indexed;
    struct pen_sql_store store;
    struct pen_sql_index index;
    struct pen_sql_access *next;
};

/* Reads the columns of an access whole; stops with PEN_FATAL when interrupted. */
pen_status pen_sql_store_fill(struct pen_sql_store *store, struct pen_sql_table *t, const struct pen_sql_access *a, struct pen_error *err);
void pen_sql_store_free(struct pen_sql_store *store);
/* Number of the batch that row lies in; `near` is a guess. */
size_t pen_sql_store_find(const struct pen_sql_store *store, uint32_t row, size_t near);

pen_status pen_sql_index_build(struct pen_sql_index *index, const struct pen_sql_table *t, const struct pen_sql_access *a,
                               struct pen_error *err);
void pen_sql_index_free(struct pen_sql_index *index);
/* The hash of the values looked for. PEN_OK, PEN_SKIP: no row has them; PEN_RETRY: it cannot be told by a hash (text against a number),
 * look at all rows. */
pen_status pen_sql_index_hash(const struct pen_sql_access *a, sqlite3_value **values, uint64_t *hash);
/* Row + 1 of the first row with that hash, or of the next one after row `after` (row + 1); 0: none. */
uint32_t pen_sql_index_first(const struct pen_sql_index *index, uint64_t hash);
uint32_t pen_sql_index_next(const struct pen_sql_index *index, uint64_t hash, uint32_t after);

/* The bytes of a text or blob value as they lie: unlike sqlite3_value_text(), which puts a NUL behind and may copy the text, or fail, for it. */
static inline const char *pen_sql_bytes(sqlite3_value *value, size_t *n)
{
    const char *bytes = sqlite3_value_blob(value);
    *n = bytes ? (size_t)sqlite3_value_bytes(value) : 0;
    return bytes ? bytes : "";
}

/* Registers the module of virtual tables; CREATE VIRTUAL TABLE "name" USING penstock finds its table by that name. */
int pen_sql_register_module(struct pen_sql *sql);
void pen_sql_access_free(struct pen_sql_access *a);
int pen_sql_register_functions(sqlite3 *db);
int pen_sql_register_dates(sqlite3 *db);
int pen_sql_register_aggregates(sqlite3 *db);

#endif
