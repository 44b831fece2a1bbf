/* sql_index.c - columns of a table kept in memory, and hash indexes over them.
 *
 * SQLite joins by nested loops and builds no index over a virtual table by itself, so the table that is looked up by equality gets one here,
 * at the first lookup. Batches are kept as the table gave them, so nothing is copied; the index costs 16 bytes a row. Hashes decide alone:
 * SQLite compares the values of every row it is given once more, so a collision costs time and nothing else, but what SQLite holds equal
 * must have one hash: 1 and 1.0, and the text '1' where the column is a number.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/sql_priv.h"

#define ROWS_MAX (UINT32_MAX - 1)

void pen_sql_store_free(struct pen_sql_store *store)
{
    for (size_t i = 0; i < store->n; i++)
        pen_array_release(&store->batches[i]);
    free(store->batches);
    free(store->first);
    *store = (struct pen_sql_store){ 0 };
}

static pen_status store_room(struct pen_sql_store *store, struct pen_error *err)
{
    size_t room = store->room ? store->room * 2 : 64;
    struct ArrowArray *batches;
    uint32_t *first;
    if (store->n < store->room)
        return PEN_OK;
    if (!(batches = realloc(store->batches, room * sizeof *batches)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    store->batches = batches;
    if (!(first = realloc(store->first, (room + 1) * sizeof *first)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    store->first = first;
    store->room = room;
    return PEN_OK;
}

static pen_status store_add(struct pen_sql_store *store, const struct pen_sql_table *t, struct ArrowArray *batch, struct pen_error *err)
{
    if (batch->length == 0 || batch->length > ROWS_MAX - store->rows || store_room(store, err) < 0) {
        bool many = batch->length > ROWS_MAX - store->rows, empty = batch->length == 0;
        pen_array_release(batch);
        if (many)
            return pen_fail(err, PEN_FATAL, "table %s: more than %u rows cannot be joined", t->name, ROWS_MAX);
        return empty ? PEN_OK : PEN_FATAL;
    }
    store->first[store->n] = store->rows;
    store->batches[store->n++] = *batch;
    batch->release = NULL;
    store->rows += (uint32_t)store->batches[store->n - 1].length;
    store->first[store->n] = store->rows;
    return PEN_OK;
}

pen_status pen_sql_store_fill(struct pen_sql_store *store, struct pen_sql_table *t, const struct pen_sql_access *a, struct pen_error *err)
{
    void *scan = NULL;
    pen_status st = t->table->scan_open(t->handle, a->columns, a->n_columns, &scan, err);
    if (st < 0)
        return st;
    while (st == PEN_OK) {
        struct ArrowArray batch = { 0 };
        st = t->sql->interrupted ? pen_fail(err, PEN_FATAL, "interrupted") : t->table->scan_next(scan, &batch, err);
        if (st == PEN_OK)
            st = store_add(store, t, &batch, err);
    }
    t->table->scan_close(scan);
    if (st < 0) {
        pen_sql_store_free(store);
        return st;
    }
    return PEN_OK;
}

size_t pen_sql_store_find(const struct pen_sql_store *store, uint32_t row, size_t near)
{
    size_t lo = 0, hi = store->n;
    if (near < store->n && row >= store->first[near]) {
        if (row < store->first[near + 1])
            return near;
        lo = near + 1;
        if (lo < store->n && row < store->first[lo + 1])
            return lo;
    }
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (store->first[mid] <= row)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* -- hashing ----------------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static uint64_t hash_bytes(const char *bytes, size_t n)
{
    uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15), word;
    for (; n >= 8; bytes += 8, n -= 8) {
        memcpy(&word, bytes, 8);
        h = mix(h ^ word);
    }
    word = 0;
    memcpy(&word, bytes, n);
    return mix(h ^ word);
}

/* Whole numbers that fit hash alike as int64 and as double. */
static uint64_t hash_real(double v)
{
    uint64_t bits;
    if (v >= -9223372036854775808.0 && v < 9223372036854775808.0 && (double)(int64_t)v == v)
        return (uint64_t)(int64_t)v;
    memcpy(&bits, &v, sizeof bits);
    return mix(bits);
}

/* False: null. NaN is null to SQLite. */
static bool hash_cell(const struct pen_cell *cell, uint64_t *h)
{
    if (cell->kind == PEN_CELL_NULL || (cell->kind == PEN_CELL_REAL && cell->r != cell->r))
        return false;
    if (cell->kind == PEN_CELL_INT || cell->kind == PEN_CELL_BOOL)
        *h = (uint64_t)cell->i;
    else if (cell->kind == PEN_CELL_REAL)
        *h = hash_real(cell->r);
    else
        *h = hash_bytes(cell->text, cell->n);
    return true;
}

/* The hash of a key out of those of its columns, the first one given. One column of whole numbers keeps its value as it is. */
static uint64_t join_hashes(uint64_t h, uint64_t more)
{
    return mix(mix(h) + more);
}

static uint64_t place(const struct pen_sql_index *index, uint64_t hash)
{
    return index->dense ? hash - (uint64_t)index->base : mix(hash) & index->mask;
}

/* -- building ---------------------------------------------------------------------------------------------------------------- */

void pen_sql_index_free(struct pen_sql_index *index)
{
    free(index->hash);
    free(index->bucket);
    free(index->next);
    *index = (struct pen_sql_index){ 0 };
}

static bool is_whole(pen_type type)
{
    return type == PEN_TYPE_INT32 || type == PEN_TYPE_INT64 || type == PEN_TYPE_BOOL;
}

/* Hashes of all rows of one key column; null[row] is set where the key is null (any of its columns). */
static pen_status hash_column(struct pen_sql_index *index, uint8_t *null, const struct pen_sql_table *t, const struct pen_sql_access *a,
                              size_t key, struct pen_error *err)
{
    struct pen_text scratch = { 0 };
    struct pen_cells cells;
    size_t row = 0;
    pen_status st = PEN_OK;
    pen_cells_init(&cells, t->schema.children[a->columns[a->keys[key]]]);
    for (size_t b = 0; b < a->store.n && st == PEN_OK; b++) {
        pen_cells_point(&cells, a->store.batches[b].children[a->keys[key]]);
        for (int64_t i = 0; i < a->store.batches[b].length && st == PEN_OK; i++, row++) {
            struct pen_cell cell;
            uint64_t h = 0;
            st = pen_cell_read(&cell, &cells, i, &scratch, err);
            if (st < 0 || !hash_cell(&cell, &h))
                null[row] = 1;
            index->hash[row] = key == 0 ? h : join_hashes(index->hash[row], h);
        }
    }
    pen_text_fini(&scratch);
    return st;
}

/* Whether one column of whole numbers lies so close that it can be its own place. */
static void find_dense(struct pen_sql_index *index, const uint8_t *null, const struct pen_sql_access *a, uint64_t *buckets)
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    if (a->n_keys != 1 || !is_whole(a->key_types[0]))
        return;
    for (uint32_t i = 0; i < a->store.rows; i++)
        if (!null[i]) {
            int64_t v = (int64_t)index->hash[i];
            lo = v < lo ? v : lo;
            hi = v > hi ? v : hi;
        }
    if (lo <= hi && (uint64_t)hi - (uint64_t)lo < 4 * (uint64_t)a->store.rows + 64) {
        index->dense = true;
        index->base = lo;
        *buckets = (uint64_t)hi - (uint64_t)lo + 1;
        index->mask = *buckets - 1;
    }
}

pen_status pen_sql_index_build(struct pen_sql_index *index, const struct pen_sql_table *t, const struct pen_sql_access *a,
                               struct pen_error *err)
{
    uint32_t rows = a->store.rows;
    uint64_t buckets = 64;
    uint8_t *null = calloc((size_t)rows + 1, 1);
    pen_status st = PEN_OK;
    index->hash = malloc(((size_t)rows + 1) * sizeof *index->hash);
    index->next = malloc(((size_t)rows + 1) * sizeof *index->next);
    if (!null || !index->hash || !index->next)
        st = pen_fail(err, PEN_FATAL, "out of memory for an index over %u rows of table %s", rows, t->name);
    for (size_t k = 0; k < a->n_keys && st == PEN_OK; k++)
        st = hash_column(index, null, t, a, k, err);
    while (buckets < rows)
        buckets *= 2;
    index->mask = buckets - 1;
    if (st == PEN_OK) {
        find_dense(index, null, a, &buckets);
        if (!(index->bucket = calloc(buckets, sizeof *index->bucket)))
            st = pen_fail(err, PEN_FATAL, "out of memory for an index over %u rows of table %s", rows, t->name);
    }
    for (uint32_t i = rows; st == PEN_OK && i-- > 0;) /* backwards, so that a chain is in the table's order */
        if (!null[i]) {
            uint32_t *head = &index->bucket[place(index, index->hash[i])];
            index->next[i] = *head;
            *head = i + 1;
        }
    free(null);
    if (st < 0)
        pen_sql_index_free(index);
    return st;
}

/* -- looking up -------------------------------------------------------------------------------------------------------------- */

/* What SQLite would compare a column of this type with when it is compared with value. */
static pen_status hash_value(pen_type type, sqlite3_value *value, uint64_t *h)
{
    bool number = type == PEN_TYPE_BOOL || type == PEN_TYPE_INT32 || type == PEN_TYPE_INT64 || type == PEN_TYPE_FLOAT64 ||
                  type == PEN_TYPE_DECIMAL128;
    const char *bytes;
    size_t n;
    switch (number ? sqlite3_value_numeric_type(value) : sqlite3_value_type(value)) {
    case SQLITE_NULL:
        return PEN_SKIP;
    case SQLITE_INTEGER:
        *h = (uint64_t)sqlite3_value_int64(value);
        return number ? PEN_OK : PEN_RETRY;
    case SQLITE_FLOAT:
        *h = hash_real(sqlite3_value_double(value));
        return number ? PEN_OK : PEN_RETRY;
    case SQLITE_TEXT:
        if (number || type == PEN_TYPE_BINARY)
            return number ? PEN_SKIP : PEN_RETRY;
        bytes = pen_sql_bytes(value, &n);
        *h = hash_bytes(bytes, n);
        return PEN_OK;
    default:
        if (type != PEN_TYPE_BINARY)
            return PEN_SKIP;
        bytes = pen_sql_bytes(value, &n);
        *h = hash_bytes(bytes, n);
        return PEN_OK;
    }
}

pen_status pen_sql_index_hash(const struct pen_sql_access *a, sqlite3_value **values, uint64_t *hash)
{
    for (size_t k = 0; k < a->n_keys; k++) {
        uint64_t h = 0;
        pen_status st = hash_value(a->key_types[k], values[k], &h);
        if (st != PEN_OK)
            return st;
        *hash = k == 0 ? h : join_hashes(*hash, h);
    }
    return PEN_OK;
}

static uint32_t along(const struct pen_sql_index *index, uint64_t hash, uint32_t at)
{
    while (at && index->hash[at - 1] != hash)
        at = index->next[at - 1];
    return at;
}

uint32_t pen_sql_index_first(const struct pen_sql_index *index, uint64_t hash)
{
    uint64_t at = place(index, hash);
    return at > index->mask ? 0 : along(index, hash, index->bucket[at]);
}

uint32_t pen_sql_index_next(const struct pen_sql_index *index, uint64_t hash, uint32_t after)
{
    return along(index, hash, index->next[after - 1]);
}
