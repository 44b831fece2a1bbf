/* table.c - Parquet files as a table for `penstock query`.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "plugin.h"

#define SCAN_ROWS 16384

struct table {
    struct dataset dataset;
};

struct scan {
    const struct dataset *dataset;
    struct dataset_scan file;
    bool open;
    size_t next;
    int64_t *columns;
    size_t n;
};

static pen_status note_any(void *arg, const struct pen_object *o, struct pen_error *err)
{
    (void)o, (void)err;
    *(bool *)arg = true;
    return PEN_SKIP;
}

/* A folder with a Delta log is another plugin's. */
static pen_status probe(const struct pen_host *host, const char *url, struct pen_error *err)
{
    struct dataset d;
    char log[4096];
    bool has_log = false;
    pen_status st = pen_url_join(log, sizeof log, url, "_delta_log", err);
    if (st < 0 || (st = pen_store_list(host, log, NULL, false, note_any, &has_log, err)) < 0)
        return st;
    if (has_log)
        return PEN_SKIP;
    st = dataset_open(&d, host, url, err);
    if (st < 0)
        return st;
    dataset_fini(&d);
    return st;
}

static pen_status table_open(const struct pen_host *host, const char *url, void **out, struct ArrowSchema *schema, int64_t *rows,
                             struct pen_error *err)
{
    struct table *t = calloc(1, sizeof *t);
    pen_status st;
    if (!t)
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = dataset_open(&t->dataset, host, url, err);
    if (st == PEN_SKIP) {
        dataset_fini(&t->dataset);
        st = pen_fail(err, PEN_FATAL, "%s: there is no Parquet file", url);
    }
    if (st >= 0 && (st = pen_schema_copy(schema, &t->dataset.schema, err)) < 0)
        dataset_fini(&t->dataset);
    *rows = 0;
    for (size_t i = 0; i < t->dataset.n && st >= 0; i++) {
        struct dataset_scan s;
        if (dataset_scan_open(&s, &t->dataset, i, NULL, 0, NULL) < 0) {
            *rows = -1; /* said when it is read */
            break;
        }
        *rows += pen_parquet_reader_rows(s.reader);
        dataset_scan_close(&s);
    }
    if (st < 0) {
        free(t);
        return st;
    }
    *out = t;
    return PEN_OK;
}

static void table_close(void *table)
{
    struct table *t = table;
    dataset_fini(&t->dataset);
    free(t);
}

static pen_status scan_open(void *table, const int64_t *columns, size_t n, void **out, struct pen_error *err)
{
    struct table *t = table;
    struct scan *s = calloc(1, sizeof *s);
    if (!s || !(s->columns = calloc(n + 1, sizeof *columns))) {
        free(s);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    s->dataset = &t->dataset;
    for (size_t i = 0; i < n; i++)
        s->columns[i] = columns[i];
    s->n = n;
    *out = s;
    return PEN_OK;
}

static pen_status scan_next(void *scan, struct ArrowArray *out, struct pen_error *err)
{
    struct scan *s = scan;
    for (;;) {
        pen_status st;
        if (!s->open) {
            if (s->next == s->dataset->n)
                return PEN_SKIP;
            if ((st = dataset_scan_open(&s->file, s->dataset, s->next++, s->columns, s->n, err)) < 0)
                return st;
            s->open = true;
        }
        st = dataset_scan_next(&s->file, SCAN_ROWS, out, err);
        if (st != PEN_SKIP)
            return st;
        dataset_scan_close(&s->file);
        s->open = false;
    }
}

static void scan_close(void *scan)
{
    struct scan *s = scan;
    if (s->open)
        dataset_scan_close(&s->file);
    free(s->columns);
    free(s);
}

const struct pen_table parquet_table = {
    .probe = probe,
    .open = table_open,
    .close = table_close,
    .scan_open = scan_open,
    .scan_next = scan_next,
    .scan_close = scan_close,
};
