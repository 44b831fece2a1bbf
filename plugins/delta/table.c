/* table.c - a Delta table for queries: its newest version, file after file. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "scan.h"

static pen_status found(void *arg, const struct pen_object *o, struct pen_error *err)
{
    (void)o, (void)err;
    *(bool *)arg = true;
    return PEN_SKIP;
}

static pen_status table_probe(const struct pen_host *host, const char *url, struct pen_error *err)
{
    char log[1200];
    bool any = false;
    pen_status st = pen_url_join(log, sizeof log, url, "_delta_log", err);
    if (st >= 0)
        st = pen_store_list(host, log, NULL, false, found, &any, err);
    return st < 0 ? st : any ? PEN_OK : PEN_SKIP;
}

static pen_status table_open(const struct pen_host *host, const char *url, void **table, struct ArrowSchema *schema, int64_t *rows,
                             struct pen_error *err)
{
    struct delta_view *v = malloc(sizeof *v);
    if (!v)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", url);
    pen_status st = delta_view_open(v, host, url, -1, err);
    if (st < 0) {
        free(v);
        return st;
    }
    st = pen_schema_copy(schema, &v->schema, err);
    if (st < 0) {
        delta_view_close(v);
        free(v);
        return st;
    }
    *rows = v->rows;
    *table = v;
    return PEN_OK;
}

static void table_close(void *table)
{
    delta_view_close(table);
    free(table);
}

struct table_scan {
    struct delta_view *v;
    int64_t *columns;
    size_t n, next; /* next: the file after the one that is open */
    bool open;
    struct delta_scan scan;
};

static pen_status scan_open(void *table, const int64_t *columns, size_t n, void **scan, struct pen_error *err)
{
    struct delta_view *v = table;
    struct table_scan *s = calloc(1, sizeof *s);
    int64_t *copy = malloc((n + 1) * sizeof *copy);
    if (!s || !copy) {
        free(s);
        free(copy);
        return pen_fail(err, PEN_FATAL, "%s: out of memory", v->url);
    }
    if (n)
        memcpy(copy, columns, n * sizeof *copy);
    s->v = v;
    s->columns = copy;
    s->n = n;
    *scan = s;
    return PEN_OK;
}

static pen_status scan_next(void *scan, struct ArrowArray *out, struct pen_error *err)
{
    struct table_scan *s = scan;
    for (;;) {
        pen_status st = PEN_SKIP;
        if (s->open)
            st = delta_scan_next(&s->scan, 16384, out, err);
        if (st != PEN_SKIP)
            return st;
        if (s->open)
            delta_scan_close(&s->scan);
        s->open = false;
        if (s->next == s->v->n_live)
            return PEN_SKIP;
        st = delta_scan_open(&s->scan, s->v->host, s->v->url, &s->v->state, &s->v->schema, s->v->live[s->next], s->columns, s->n, err);
        if (st < 0)
            return st;
        s->open = true;
        s->next++;
    }
}

static void scan_close(void *scan)
{
    struct table_scan *s = scan;
    if (s->open)
        delta_scan_close(&s->scan);
    free(s->columns);
    free(s);
}

const struct pen_table delta_table = {
    .probe = table_probe, .open = table_open, .close = table_close, .scan_open = scan_open, .scan_next = scan_next, .scan_close = scan_close,
};
