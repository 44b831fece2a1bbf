/* memfile.h - a file in memory for the tests of the Parquet library, and whether two arrays hold the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_MEMFILE_H
#define PENSTOCK_TESTS_MEMFILE_H

#include <stdlib.h>

#include "../../plugins/parquet/parquet.h"

struct memfile {
    uint8_t *p;
    size_t n, cap;
};

__attribute__((unused)) static pen_status memfile_write(void *arg, const void *bytes, size_t n, struct pen_error *err)
{
    struct memfile *m = arg;
    if (m->n + n > m->cap) {
        size_t cap = (m->n + n) * 2;
        uint8_t *p = realloc(m->p, cap);
        if (!p)
            return pen_fail(err, PEN_FATAL, "out of memory");
        m->p = p;
        m->cap = cap;
    }
    memcpy(m->p + m->n, bytes, n);
    m->n += n;
    return PEN_OK;
}

__attribute__((unused)) static pen_status memfile_read(void *arg, int64_t offset, void *bytes, size_t n, struct pen_error *err)
{
    struct memfile *m = arg;
    if (offset < 0 || (size_t)offset > m->n || n > m->n - (size_t)offset)
        return pen_fail(err, PEN_FATAL, "read of %zu bytes at %lld beyond the file's %zu", n, (long long)offset, m->n);
    memcpy(bytes, m->p + offset, n);
    return PEN_OK;
}

__attribute__((unused)) static struct pen_parquet_input memfile_input(struct memfile *m)
{
    struct pen_parquet_input in = { .name = "memory", .size = (int64_t)m->n, .read = memfile_read, .arg = m };
    return in;
}

static bool same_value(const struct ArrowSchema *f, const struct ArrowArray *a, int64_t i, const struct ArrowArray *b, int64_t j);

static bool same_range(const struct ArrowSchema *f, const struct ArrowArray *a, int64_t i, const struct ArrowArray *b, int64_t j, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        if (!same_value(f, a, i + k, b, j + k))
            return false;
    return true;
}

/* Whether row i of a and row j of b are alike. */
static bool same_value(const struct ArrowSchema *f, const struct ArrowArray *a, int64_t i, const struct ArrowArray *b, int64_t j)
{
    struct pen_column x = pen_column_of(a), y = pen_column_of(b);
    size_t n, m;
    const char *p, *q;
    if (pen_column_is_null(&x, i) != pen_column_is_null(&y, j))
        return false;
    if (pen_column_is_null(&x, i))
        return true;
    switch (pen_schema_type(f)) {
    case PEN_TYPE_BOOL:
        return pen_column_bool(&x, i) == pen_column_bool(&y, j);
    case PEN_TYPE_INT32:
    case PEN_TYPE_DATE32:
        return pen_column_int32(&x, i) == pen_column_int32(&y, j);
    case PEN_TYPE_UTF8:
    case PEN_TYPE_BINARY:
        p = pen_column_bytes(&x, i, &n);
        q = pen_column_bytes(&y, j, &m);
        return n == m && memcmp(p, q, n) == 0;
    case PEN_TYPE_DECIMAL128:
        return memcmp((const char *)x.data + (x.offset + i) * 16, (const char *)y.data + (y.offset + j) * 16, 16) == 0;
    case PEN_TYPE_LIST: {
        const int32_t *o = x.offsets + x.offset + i, *r = y.offsets + y.offset + j;
        return o[1] - o[0] == r[1] - r[0] && same_range(f->children[0], a->children[0], o[0], b->children[0], r[0], o[1] - o[0]);
    }
    case PEN_TYPE_STRUCT:
        for (int64_t c = 0; c < f->n_children; c++)
            if (!same_value(f->children[c], a->children[c], i + a->offset, b->children[c], j + b->offset))
                return false;
        return true;
    default:
        return pen_column_int64(&x, i) == pen_column_int64(&y, j);
    }
}

/* First column in which rows 0 … of b differ from rows first … of a; -1: none. */
__attribute__((unused)) static int64_t first_difference(const struct ArrowSchema *schema, const struct ArrowArray *a, int64_t first,
                                                        const struct ArrowArray *b)
{
    for (int64_t c = 0; c < schema->n_children; c++)
        if (b->length > a->length - first || !same_range(schema->children[c], a->children[c], first, b->children[c], 0, b->length))
            return c;
    return -1;
}

#endif
