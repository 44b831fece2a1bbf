/* sql_table.c - the module of virtual tables: what SQLite may ask of a table of record batches.
 *
 * A plan (idxStr) is the list of columns that the statement uses, then those that are looked up by equality: "0,3,7;3". idxNum is PLAN_CONSTANT
 * where all values looked for are constants: then the table is streamed the first time, and only a second lookup builds an index.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/sql_priv.h"

#define PLAN_CONSTANT 1
#define ROWS_UNKNOWN 1e6    /* what the planner is told of a table that does not know its rows */
#define LOOKUP_COST 8.0
#define KEYS_MAX 8

struct table_vtab {
    sqlite3_vtab base;
    struct pen_sql_table *table;
};

typedef enum { AT_END, STREAM, STORED, LOOKUP, COUNTING } cursor_mode;

struct table_cursor {
    sqlite3_vtab_cursor base;
    struct pen_sql_table *table;
    struct pen_sql_access *access;
    const char *plan;        /* of access, as SQLite gave it */
    cursor_mode mode;
    void *scan;
    struct ArrowArray batch; /* STREAM */
    const struct ArrowArray *at; /* the batch of this row */
    size_t batch_number;
    int64_t row;             /* in it */
    int64_t rowid;           /* in the table */
    uint64_t hash;           /* LOOKUP */
    size_t n_cells;
    struct pen_cells *cells; /* one for each column of access … */
    const struct ArrowArray **pointed; /* … and the batch that it looks at */
    int *place;              /* of a schema's column in access, -1: not read */
    struct pen_text scratch;
};

/* -- plans ------------------------------------------------------------------------------------------------------------------- */

void pen_sql_access_free(struct pen_sql_access *a)
{
    if (!a)
        return;
    pen_sql_index_free(&a->index);
    pen_sql_store_free(&a->store);
    free(a->plan);
    free(a->columns);
    free(a->keys);
    free(a->key_types);
    free(a);
}

static void plan_columns(sqlite3_str *s, const struct pen_sql_table *t, sqlite3_uint64 used)
{
    bool any = false;
    for (int64_t i = 0; i < t->schema.n_children; i++)
        if (used >> (i < 63 ? i : 63) & 1) {
            sqlite3_str_appendf(s, any ? ",%lld" : "%lld", (long long)i);
            any = true;
        }
}

/* The constraints that a hash index can serve, at most one a column; tells whether all values are constants. */
static int plan_keys(sqlite3_index_info *info, sqlite3_str *s, bool *constant)
{
    int n = 0, taken[KEYS_MAX];
    *constant = true;
    for (int i = 0; i < info->nConstraint && n < KEYS_MAX; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        sqlite3_value *value = NULL;
        bool again = false;
        if (!c->usable || c->op != SQLITE_INDEX_CONSTRAINT_EQ || c->iColumn < 0 || sqlite3_vtab_in(info, i, -1) ||
            sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY"))
            continue;
        for (int k = 0; k < n; k++)
            again |= taken[k] == c->iColumn;
        if (again)
            continue;
        if (sqlite3_vtab_rhs_value(info, i, &value) != SQLITE_OK)
            *constant = false;
        sqlite3_str_appendf(s, n ? ",%d" : "%d", c->iColumn);
        taken[n++] = c->iColumn;
        info->aConstraintUsage[i].argvIndex = n;
    }
    return n;
}

static int table_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    const struct pen_sql_table *t = ((struct table_vtab *)vtab)->table;
    double rows = t->rows >= 0 ? (double)t->rows + 1 : ROWS_UNKNOWN;
    sqlite3_str *s = sqlite3_str_new(t->sql->db);
    bool constant;
    int keys;
    plan_columns(s, t, info->colUsed);
    sqlite3_str_appendchar(s, 1, ';');
    keys = plan_keys(info, s, &constant);
    if (sqlite3_str_errcode(s)) {
        sqlite3_free(sqlite3_str_finish(s));
        return SQLITE_NOMEM;
    }
    info->idxStr = sqlite3_str_finish(s);
    info->needToFreeIdxStr = 1;
    info->idxNum = keys && constant ? PLAN_CONSTANT : 0;
    info->estimatedCost = keys && !constant ? LOOKUP_COST : rows;
    info->estimatedRows = keys && !constant ? 2 : (sqlite3_int64)(keys ? rows / 20 + 1 : rows);
    return SQLITE_OK;
}

/* Reads "0,3,7" up to ';' or the end; out has room for as many numbers as text has characters. */
static const char *parse_numbers(const char *text, int64_t *out, size_t *n)
{
    char *end;
    for (*n = 0; *text && *text != ';'; text = *end == ',' ? end + 1 : end)
        out[(*n)++] = strtoll(text, &end, 10);
    return *text ? text + 1 : text;
}

/* Fills a new access from its plan. A key is always one of the columns used: SQLite compares it once more. */
static bool access_fill(struct pen_sql_access *a, const struct pen_sql_table *t, const char *plan)
{
    size_t room = strlen(plan) + 1, n_keys;
    int64_t *keys = calloc(room, sizeof *keys);
    a->plan = strdup(plan);
    a->columns = calloc(room, sizeof *a->columns);
    a->keys = calloc(room, sizeof *a->keys);
    a->key_types = calloc(room, sizeof *a->key_types);
    if (!keys || !a->plan || !a->columns || !a->keys || !a->key_types) {
        free(keys);
        return false;
    }
    plan = parse_numbers(plan, a->columns, &a->n_columns);
    parse_numbers(plan, keys, &n_keys);
    for (size_t k = 0; k < n_keys; k++)
        for (size_t c = 0; c < a->n_columns; c++)
            if (a->columns[c] == keys[k]) {
                a->keys[a->n_keys] = c;
                a->key_types[a->n_keys++] = pen_schema_type(t->schema.children[keys[k]]);
            }
    free(keys);
    if (a->n_columns == 0 && t->rows < 0 && t->schema.n_children > 0) /* only to count */
        a->n_columns = 1;
    return true;
}

static struct pen_sql_access *access_of(struct pen_sql_table *t, const char *plan)
{
    struct pen_sql_access *a = t->accesses;
    while (a && strcmp(a->plan, plan))
        a = a->next;
    if (a)
        return a;
    if (!(a = calloc(1, sizeof *a)))
        return NULL;
    if (!access_fill(a, t, plan)) {
        pen_sql_access_free(a);
        return NULL;
    }
    a->next = t->accesses;
    t->accesses = a;
    return a;
}

/* -- connecting -------------------------------------------------------------------------------------------------------------- */

/* Declared types: SQLite takes their affinity from them, and the printers know booleans and JSON again by them. Times are text, so "TEXT" must stand in theirs. */
static const char *declared_type(pen_type type)
{
    switch (type) {
    case PEN_TYPE_BOOL:
        return "BOOLEAN";
    case PEN_TYPE_INT32:
    case PEN_TYPE_INT64:
        return "INTEGER";
    case PEN_TYPE_FLOAT64:
        return "REAL";
    case PEN_TYPE_DECIMAL128:
        return "DECIMAL";
    case PEN_TYPE_BINARY:
        return "BLOB";
    case PEN_TYPE_DATE32:
        return "DATE TEXT";
    case PEN_TYPE_TIMESTAMP:
        return "TIMESTAMP TEXT";
    case PEN_TYPE_LIST:
    case PEN_TYPE_STRUCT:
        return "JSON TEXT";
    case PEN_TYPE_UTF8:
    case PEN_TYPE_NONE:
        break;
    }
    return "TEXT";
}

static int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **message)
{
    struct pen_sql_table *t = ((struct pen_sql *)aux)->tables;
    struct table_vtab *v;
    sqlite3_str *s;
    char *sql;
    int rc;
    while (t && argc > 2 && strcmp(t->name, argv[2]))
        t = t->next;
    if (!t) {
        *message = sqlite3_mprintf("there is no table %s", argc > 2 ? argv[2] : "");
        return SQLITE_ERROR;
    }
    s = sqlite3_str_new(db);
    for (int64_t i = 0; i < t->schema.n_children; i++) {
        const struct ArrowSchema *f = t->schema.children[i];
        sqlite3_str_appendf(s, "%s\"%w\" %s", i ? ", " : "CREATE TABLE t(", f->name ? f->name : "", declared_type(pen_schema_type(f)));
    }
    sqlite3_str_appendall(s, ")");
    if (!(sql = sqlite3_str_finish(s)))
        return SQLITE_NOMEM;
    rc = sqlite3_declare_vtab(db, sql);
    sqlite3_free(sql);
    if (rc != SQLITE_OK) {
        *message = sqlite3_mprintf("%s", sqlite3_errmsg(db));
        return rc;
    }
    if (!(v = calloc(1, sizeof *v)))
        return SQLITE_NOMEM;
    v->table = t;
    *out = &v->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *vtab)
{
    free(vtab);
    return SQLITE_OK;
}

/* -- cursors ----------------------------------------------------------------------------------------------------------------- */

static int table_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
    struct table_cursor *c = calloc(1, sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    c->table = ((struct table_vtab *)vtab)->table;
    *out = &c->base;
    return SQLITE_OK;
}

static void cursor_stop(struct table_cursor *c)
{
    if (c->scan)
        c->table->table->scan_close(c->scan);
    c->scan = NULL;
    pen_array_release(&c->batch);
    c->at = NULL;
    c->mode = AT_END;
    if (c->pointed) /* a batch to come may lie where this one lay */
        memset(c->pointed, 0, c->n_cells * sizeof *c->pointed);
}

static void cursor_forget_access(struct table_cursor *c)
{
    free(c->cells);
    free(c->pointed);
    free(c->place);
    c->cells = NULL;
    c->pointed = NULL;
    c->place = NULL;
    c->access = NULL;
    c->n_cells = 0;
}

static int table_close(sqlite3_vtab_cursor *cur)
{
    struct table_cursor *c = (struct table_cursor *)cur;
    cursor_stop(c);
    cursor_forget_access(c);
    pen_text_fini(&c->scratch);
    free(c);
    return SQLITE_OK;
}

static int cursor_fail(struct table_cursor *c, const struct pen_error *err)
{
    struct pen_error *kept = &c->table->sql->table_error;
    cursor_stop(c);
    if (!kept->msg[0])
        *kept = *err;
    sqlite3_free(c->base.pVtab->zErrMsg);
    c->base.pVtab->zErrMsg = sqlite3_mprintf("%s", err->msg);
    return SQLITE_ERROR;
}

static bool cursor_set_access(struct table_cursor *c, const char *plan)
{
    size_t fields = (size_t)c->table->schema.n_children;
    cursor_forget_access(c);
    if (!(c->access = access_of(c->table, plan)))
        return false;
    c->n_cells = c->access->n_columns;
    c->cells = calloc(c->n_cells + 1, sizeof *c->cells);
    c->pointed = calloc(c->n_cells + 1, sizeof *c->pointed);
    c->place = malloc((fields + 1) * sizeof *c->place);
    if (!c->cells || !c->pointed || !c->place)
        return false;
    for (size_t i = 0; i < fields; i++)
        c->place[i] = -1;
    for (size_t i = 0; i < c->n_cells; i++) {
        pen_cells_init(&c->cells[i], c->table->schema.children[c->access->columns[i]]);
        c->place[c->access->columns[i]] = (int)i;
    }
    return true;
}

/* The next batch that has rows, or the end. */
static pen_status stream_batch(struct table_cursor *c, struct pen_error *err)
{
    pen_status st;
    memset(c->pointed, 0, c->n_cells * sizeof *c->pointed);
    do {
        pen_array_release(&c->batch);
        st = c->table->sql->interrupted ? pen_fail(err, PEN_FATAL, "interrupted") : c->table->table->scan_next(c->scan, &c->batch, err);
    } while (st == PEN_OK && c->batch.length == 0);
    c->at = &c->batch;
    c->row = 0;
    if (st == PEN_SKIP)
        c->mode = AT_END;
    return st < 0 ? st : PEN_OK;
}

static void stored_row(struct table_cursor *c, uint32_t row)
{
    const struct pen_sql_store *store = &c->access->store;
    c->batch_number = pen_sql_store_find(store, row, c->batch_number);
    c->at = &store->batches[c->batch_number];
    c->row = row - store->first[c->batch_number];
    c->rowid = row;
}

static pen_status start_stream(struct table_cursor *c, struct pen_error *err)
{
    pen_status st = c->table->table->scan_open(c->table->handle, c->access->columns, c->access->n_columns, &c->scan, err);
    if (st < 0) {
        c->scan = NULL;
        return st;
    }
    c->mode = STREAM;
    return stream_batch(c, err);
}

static void start_stored(struct table_cursor *c)
{
    c->mode = c->access->store.rows ? STORED : AT_END;
    if (c->mode == STORED)
        stored_row(c, 0);
}

static pen_status start_lookup(struct table_cursor *c, sqlite3_value **values, struct pen_error *err)
{
    struct pen_sql_access *a = c->access;
    uint32_t row;
    pen_status st;
    if (!a->indexed) {
        if ((st = pen_sql_index_build(&a->index, c->table, a, err)) < 0)
            return st;
        a->indexed = true;
    }
    st = pen_sql_index_hash(a, values, &c->hash);
    if (st == PEN_RETRY) {
        start_stored(c);
        return PEN_OK;
    }
    row = st == PEN_OK ? pen_sql_index_first(&a->index, c->hash) : 0;
    c->mode = row ? LOOKUP : AT_END;
    if (row)
        stored_row(c, row - 1);
    return PEN_OK;
}

static int table_filter(sqlite3_vtab_cursor *cur, int flags, const char *plan, int argc, sqlite3_value **argv)
{
    struct table_cursor *c = (struct table_cursor *)cur;
    struct pen_error err = { 0 };
    struct pen_sql_access *a;
    bool lookup, stream;
    pen_status st = PEN_OK;
    cursor_stop(c);
    c->rowid = 0;
    if (c->plan != plan || !c->access) {
        if (!cursor_set_access(c, plan))
            return SQLITE_NOMEM;
        c->plan = plan;
    }
    a = c->access;
    a->uses++;
    lookup = a->n_keys > 0 && argc == (int)a->n_keys;
    stream = !a->stored && (lookup ? (flags & PLAN_CONSTANT) && a->uses == 1 : a->uses <= 2);
    if (a->n_columns == 0) {
        c->mode = c->table->rows > 0 ? COUNTING : AT_END;
        return SQLITE_OK;
    }
    if (stream) {
        st = start_stream(c, &err);
    } else {
        if (!a->stored && (st = pen_sql_store_fill(&a->store, c->table, a, &err)) == PEN_OK)
            a->stored = true;
        if (st == PEN_OK && lookup)
            st = start_lookup(c, argv, &err);
        else if (st == PEN_OK)
            start_stored(c);
    }
    return st < 0 ? cursor_fail(c, &err) : SQLITE_OK;
}

static int table_next(sqlite3_vtab_cursor *cur)
{
    struct table_cursor *c = (struct table_cursor *)cur;
    struct pen_error err = { 0 };
    uint32_t row;
    switch (c->mode) {
    case STREAM:
        c->rowid++;
        if (++c->row >= c->batch.length && stream_batch(c, &err) < 0)
            return cursor_fail(c, &err);
        break;
    case STORED:
        if (c->rowid + 1 >= c->access->store.rows)
            c->mode = AT_END;
        else
            stored_row(c, (uint32_t)c->rowid + 1);
        break;
    case LOOKUP:
        row = pen_sql_index_next(&c->access->index, c->hash, (uint32_t)c->rowid + 1);
        if (row)
            stored_row(c, row - 1);
        else
            c->mode = AT_END;
        break;
    case COUNTING:
        if (++c->rowid >= c->table->rows)
            c->mode = AT_END;
        break;
    case AT_END:
        break;
    }
    return SQLITE_OK;
}

static int table_eof(sqlite3_vtab_cursor *cur)
{
    return ((struct table_cursor *)cur)->mode == AT_END;
}

static int table_rowid(sqlite3_vtab_cursor *cur, sqlite3_int64 *rowid)
{
    *rowid = ((struct table_cursor *)cur)->rowid;
    return SQLITE_OK;
}

static int table_column(sqlite3_vtab_cursor *cur, sqlite3_context *ctx, int column)
{
    struct table_cursor *c = (struct table_cursor *)cur;
    int place = c->place[column];
    struct pen_error err = { 0 };
    struct pen_cell cell;
    bool stays;
    if (place < 0 || !c->at) {
        sqlite3_result_error(ctx, "a column that the plan does not name", -1);
        return SQLITE_ERROR;
    }
    if (c->pointed[place] != c->at) {
        pen_cells_point(&c->cells[place], c->at->children[place]);
        c->pointed[place] = c->at;
    }
    if (pen_cell_read(&cell, &c->cells[place], c->row, &c->scratch, &err) < 0)
        return cursor_fail(c, &err);
    /* Bytes of a stored column stay until the statement is finished; those of a streamed batch do not. */
    stays = c->mode != STREAM && c->cells[place].column.offsets && cell.kind != PEN_CELL_JSON;
    switch (cell.kind) {
    case PEN_CELL_NULL:
        break;
    case PEN_CELL_BOOL:
    case PEN_CELL_INT:
        sqlite3_result_int64(ctx, cell.i);
        break;
    case PEN_CELL_REAL:
        sqlite3_result_double(ctx, cell.r);
        break;
    case PEN_CELL_TEXT:
    case PEN_CELL_JSON:
        sqlite3_result_text64(ctx, cell.text, cell.n, stays ? SQLITE_STATIC : SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    case PEN_CELL_BLOB:
        sqlite3_result_blob64(ctx, cell.text, cell.n, stays ? SQLITE_STATIC : SQLITE_TRANSIENT);
        break;
    }
    return SQLITE_OK;
}

int pen_sql_register_module(struct pen_sql *sql)
{
    static const sqlite3_module module = {
        .xCreate = table_connect, .xConnect = table_connect, .xBestIndex = table_best_index,
        .xDisconnect = table_disconnect, .xDestroy = table_disconnect, .xOpen = table_open, .xClose = table_close,
        .xFilter = table_filter, .xNext = table_next, .xEof = table_eof, .xColumn = table_column, .xRowid = table_rowid,
    };
    return sqlite3_create_module_v2(sql->db, "penstock", &module, sql, NULL);
}
