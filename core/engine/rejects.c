/* rejects.c - see rejects.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/rejects.h"

void pen_rejects_reset(struct pen_rejects *r)
{
    r->n = 0;
    r->n_origin = 0;
    r->has_origin = r->failed = false;
}

void pen_rejects_fini(struct pen_rejects *r)
{
    free(r->rows);
    free(r->origin);
    memset(r, 0, sizeof *r);
}

void pen_reject(struct pen_rejects *r, int64_t row, const char *fmt, ...)
{
    va_list ap;
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct pen_rejected_row *rows = realloc(r->rows, cap * sizeof *rows);
        if (!rows) {
            r->failed = true;
            return;
        }
        r->rows = rows;
        r->cap = cap;
    }
    r->rows[r->n].row = row;
    va_start(ap, fmt);
    vsnprintf(r->rows[r->n].reason, sizeof r->rows[r->n].reason, fmt, ap);
    va_end(ap);
    r->n++;
}

pen_status pen_origin(struct pen_rejects *r, const int64_t *origin, int64_t n)
{
    if (n > r->cap_origin) {
        int64_t *o = realloc(r->origin, (size_t)n * sizeof *o);
        if (!o) {
            r->failed = true;
            return PEN_FATAL;
        }
        r->origin = o;
        r->cap_origin = n;
    }
    if (n)
        memcpy(r->origin, origin, (size_t)n * sizeof *origin);
    r->n_origin = n;
    r->has_origin = true;
    return PEN_OK;
}

static uint64_t word_at(const uint64_t *words, uint64_t first, int64_t row)
{
    return words ? words[row] : first + (uint64_t)row;
}

/* Output rows are the input rows less the rejected ones: rejected rows come in any order, each counts once. */
static pen_status words_without_rejected(const struct pen_rejects *r, const uint64_t *in_words, uint64_t first, int64_t n_in, int64_t n_out,
                                         uint64_t *out, struct pen_error *err)
{
    int64_t at = 0;
    bool *gone = calloc((size_t)(n_in ? n_in : 1), sizeof *gone);
    if (!gone)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < r->n; i++)
        gone[r->rows[i].row] = true;
    for (int64_t row = 0; row < n_in; row++)
        if (!gone[row] && at < n_out)
            out[at++] = word_at(in_words, first, row);
        else
            at += !gone[row];
    free(gone);
    return at == n_out ? PEN_OK : pen_fail(err, PEN_FATAL, "a transform gave %lld rows and left out %zu of %lld", (long long)n_out, r->n, (long long)n_in);
}

pen_status pen_rejects_words(const struct pen_rejects *r, const uint64_t *in_words, uint64_t first, int64_t n_in, int64_t n_out,
                             const uint64_t **out_words, uint64_t **owned, struct pen_error *err)
{
    *owned = NULL;
    *out_words = in_words;
    if (r->failed)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < r->n; i++)
        if (r->rows[i].row < 0 || r->rows[i].row >= n_in)
            return pen_fail(err, PEN_FATAL, "a transform rejected row %lld of %lld", (long long)r->rows[i].row, (long long)n_in);
    if (r->n == 0 && !r->has_origin)
        return n_in == n_out ? PEN_OK
                             : pen_fail(err, PEN_FATAL, "a transform gave %lld rows for %lld and did not say where they come from",
                                        (long long)n_out, (long long)n_in);
    if (r->has_origin && r->n_origin != n_out)
        return pen_fail(err, PEN_FATAL, "a transform gave %lld rows and the origin of %lld", (long long)n_out, (long long)r->n_origin);
    *owned = malloc((size_t)(n_out ? n_out : 1) * sizeof **owned);
    if (!*owned)
        return pen_fail(err, PEN_FATAL, "out of memory");
    *out_words = *owned;
    if (!r->has_origin) {
        pen_status st = words_without_rejected(r, in_words, first, n_in, n_out, *owned, err);
        if (st < 0) {
            free(*owned);
            *owned = NULL;
        }
        return st;
    }
    for (int64_t i = 0; i < n_out; i++) {
        if (r->origin[i] < 0 || r->origin[i] >= n_in) {
            free(*owned);
            *owned = NULL;
            return pen_fail(err, PEN_FATAL, "a transform says that a row comes from row %lld of %lld", (long long)r->origin[i], (long long)n_in);
        }
        (*owned)[i] = word_at(in_words, first, r->origin[i]);
    }
    return PEN_OK;
}
