/* memory_table.h - a table of batches in memory behind struct pen_table, which counts what was read of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_MEMORY_TABLE_H
#define PENSTOCK_TESTS_MEMORY_TABLE_H

#include <stdlib.h>
#include <string.h>

#include <penstock/plugin.h>

#define MEMORY_BATCHES_MAX 4096

struct memory_table {
    struct ArrowSchema schema;
    struct ArrowArray batches[MEMORY_BATCHES_MAX];
    size_t n;
    int64_t rows;
    int scans;             /* begun */
    int closed;
    uint64_t columns_read; /* bit i: column i was scanned */
    size_t fail_at;        /* the batch at which a scan fails, from 1; 0: never */
};

struct memory_scan {
    struct memory_table *table;
    int64_t columns[64];
    size_t n, at;
};

static inline pen_status memory_scan_open(void *table, const int64_t *columns, size_t n, void **scan, struct pen_error *err)
{
    struct memory_table *t = table;
    struct memory_scan *s = calloc(1, sizeof *s);
    if (!s)
        return pen_fail(err, PEN_FATAL, "out of memory");
    t->scans++;
    s->table = t;
    s->n = n;
    memcpy(s->columns, columns, n * sizeof *columns);
    for (size_t i = 0; i < n; i++)
        t->columns_read |= UINT64_C(1) << columns[i];
    *scan = s;
    return PEN_OK;
}

static inline pen_status memory_scan_next(void *scan, struct ArrowArray *out, struct pen_error *err)
{
    struct memory_scan *s = scan;
    struct ArrowArray columns[64] = { 0 };
    pen_status st = PEN_OK;
    if (s->at == s->table->n)
        return PEN_SKIP;
    if (s->table->fail_at == s->at + 1)
        return pen_fail(err, PEN_FATAL, "batch %zu is damaged", s->at);
    for (size_t i = 0; i < s->n && st == PEN_OK; i++)
        st = pen_array_share(&columns[i], s->table->batches[s->at].children[s->columns[i]], err);
    s->at++;
    if (st == PEN_OK)
        st = pen_batch_from_columns(out, columns, s->n, err);
    for (size_t i = 0; i < s->n; i++)
        pen_array_release(&columns[i]);
    return st;
}

static inline void memory_scan_close(void *scan)
{
    free(scan);
}

static inline void memory_close(void *table)
{
    ((struct memory_table *)table)->closed++;
}

static const struct pen_table memory_table_ops = {
    .close = memory_close, .scan_open = memory_scan_open, .scan_next = memory_scan_next, .scan_close = memory_scan_close
};

static inline void memory_table_free(struct memory_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        pen_array_release(&t->batches[i]);
    pen_schema_release(&t->schema);
    free(t);
}

/* Moves what a builder of the table's schema holds into its next batch. */
static inline pen_status memory_table_add(struct memory_table *t, struct pen_builder *b, struct pen_error *err)
{
    int64_t rows = pen_builder_length(b);
    pen_status st = pen_builder_finish(b, &t->batches[t->n], err);
    if (st == PEN_OK) {
        t->n++;
        t->rows += rows;
    }
    return st;
}

#endif
