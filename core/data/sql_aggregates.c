/* sql_aggregates.c - percentiles by Spark's rules, exact.
 *   percentile_approx(x, p [, accuracy])  an element of the data: the smallest value whose cumulative share reaches p. Spark's own
 *                                         answer lies within count/accuracy of that rank; here it is that rank, so accuracy is only checked
 *   percentile(x, p), median(x)           between the two elements around place p × (n - 1), linearly; always REAL
 * Nulls are passed over; null where nothing is left. x is a number, or (percentile_approx) a date or a timestamp. Also as window functions.
 *
 * A group's values are kept as 8 bytes each, as whole numbers of the same order, of which the k-th is found by radix: linear in every case.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/sql_priv.h"

typedef enum { OF_NOTHING, OF_INT, OF_REAL, OF_DATE, OF_TIMESTAMP } sample_kind;

struct sample {
    sample_kind kind;
    bool failed;     /* and said so */
    double p;
    int64_t *v;      /* OF_REAL: real_key() of each */
    size_t n, room;
};

/* Doubles as whole numbers of the same order, and back: the map is its own inverse. */
static int64_t flip(int64_t bits)
{
    return bits ^ (int64_t)((uint64_t)(bits >> 63) >> 1);
}

static int64_t real_key(double r)
{
    int64_t bits;
    r += 0.0; /* -0.0 becomes 0.0 */
    memcpy(&bits, &r, sizeof bits);
    return flip(bits);
}

static double key_real(int64_t key)
{
    double r;
    key = flip(key);
    memcpy(&r, &key, sizeof r);
    return r;
}

/* The k-th smallest (from 0); reorders v. Byte by byte from the top, those that share the k-th's bytes so far are gathered in front. */
static int64_t select_kth(int64_t *v, size_t n, size_t k)
{
    for (int shift = 56; shift >= 0 && n > 1; shift -= 8) {
        size_t count[256] = { 0 }, before = 0, kept = 0;
        uint64_t sign = shift == 56 ? 0x80 : 0, byte = 0;
        for (size_t i = 0; i < n; i++)
            count[((uint64_t)v[i] >> shift & 0xFF) ^ sign]++;
        while (before + count[byte] <= k)
            before += count[byte++];
        if (count[byte] != n)
            for (size_t i = 0; i < n; i++)
                if ((((uint64_t)v[i] >> shift & 0xFF) ^ sign) == byte) {
                    int64_t swap = v[kept];
                    v[kept++] = v[i];
                    v[i] = swap;
                }
        n = count[byte];
        k -= before;
    }
    return v[0];
}

static void fail(sqlite3_context *ctx, struct sample *s, const char *message)
{
    s->failed = true;
    sqlite3_result_error(ctx, message, -1);
}

/* The values so far as doubles, from now on. */
static void make_real(struct sample *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->v[i] = real_key((double)s->v[i]);
    s->kind = OF_REAL;
}

/* Reads x as a sample's value; false: null, or an error that has been said. */
static bool read_value(sqlite3_context *ctx, struct sample *s, sqlite3_value *x, sample_kind *kind, int64_t *v)
{
    const char *text;
    size_t n;
    switch (sqlite3_value_numeric_type(x)) {
    case SQLITE_INTEGER:
        *kind = OF_INT;
        *v = sqlite3_value_int64(x);
        return true;
    case SQLITE_FLOAT:
        *kind = OF_REAL;
        *v = real_key(sqlite3_value_double(x));
        return true;
    case SQLITE_NULL:
        return false;
    case SQLITE_TEXT:
        text = pen_sql_bytes(x, &n);
        if (pen_timestamp_parse(text, n, v)) {
            *kind = n > 10 ? OF_TIMESTAMP : OF_DATE;
            return true;
        }
    }
    fail(ctx, s, "a percentile is taken of numbers, dates or timestamps");
    return false;
}

/* Brings the sample and a value of `kind` to one kind; false: they have none. */
static bool agree(sqlite3_context *ctx, struct sample *s, sample_kind *kind, int64_t *v)
{
    if (s->kind == OF_NOTHING)
        s->kind = *kind;
    if (s->kind == *kind)
        return true;
    if (s->kind == OF_INT && *kind == OF_REAL) {
        make_real(s);
    } else if (s->kind == OF_REAL && *kind == OF_INT) {
        *v = real_key((double)*v);
    } else if (s->kind == OF_DATE && *kind == OF_TIMESTAMP) {
        s->kind = OF_TIMESTAMP;
    } else if (!(s->kind == OF_TIMESTAMP && *kind == OF_DATE)) {
        fail(ctx, s, "a percentile is taken of numbers, or of dates and timestamps, not of both");
        return false;
    }
    *kind = s->kind;
    return true;
}

static bool read_p(sqlite3_context *ctx, struct sample *s, int argc, sqlite3_value **argv)
{
    int type = argc > 1 ? sqlite3_value_numeric_type(argv[1]) : SQLITE_FLOAT;
    s->p = argc > 1 ? sqlite3_value_double(argv[1]) : 0.5;
    if ((type != SQLITE_INTEGER && type != SQLITE_FLOAT) || !(s->p >= 0 && s->p <= 1))
        fail(ctx, s, "the percentage must be a number from 0 to 1");
    else if (argc > 2 && sqlite3_value_int64(argv[2]) <= 0)
        fail(ctx, s, "the accuracy must be a whole number above 0");
    return !s->failed;
}

static void sample_step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct sample *s = sqlite3_aggregate_context(ctx, sizeof *s);
    sample_kind kind = OF_NOTHING;
    int64_t v = 0;
    if (!s) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    if (s->failed || !read_p(ctx, s, argc, argv) || !read_value(ctx, s, argv[0], &kind, &v) || !agree(ctx, s, &kind, &v))
        return;
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 16;
        int64_t *grown = room > s->room && room <= SIZE_MAX / sizeof *grown ? realloc(s->v, room * sizeof *grown) : NULL;
        if (!grown) {
            s->failed = true;
            sqlite3_result_error_nomem(ctx);
            return;
        }
        s->v = grown;
        s->room = room;
    }
    s->v[s->n++] = v;
}

/* A row leaves the window's frame. */
static void sample_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct sample *s = sqlite3_aggregate_context(ctx, sizeof *s);
    sample_kind kind = OF_NOTHING;
    int64_t v = 0;
    (void)argc;
    if (!s || s->failed || !read_value(ctx, s, argv[0], &kind, &v) || !agree(ctx, s, &kind, &v))
        return;
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i] == v) {
            s->v[i] = s->v[--s->n];
            return;
        }
}

static void result_approx(sqlite3_context *ctx, struct sample *s)
{
    double rank = ceil(s->p * (double)s->n);
    int64_t v = select_kth(s->v, s->n, rank < 1 ? 0 : (size_t)rank - 1);
    char buf[PEN_TIME_TEXT];
    switch (s->kind) {
    case OF_INT:
        sqlite3_result_int64(ctx, v);
        break;
    case OF_REAL:
        sqlite3_result_double(ctx, key_real(v));
        break;
    case OF_DATE:
    case OF_TIMESTAMP:
        if (s->kind == OF_DATE)
            pen_date_text(buf, pen_micros_to_days(v));
        else
            pen_timestamp_text(buf, v);
        sqlite3_result_text(ctx, buf, -1, SQLITE_TRANSIENT);
        break;
    case OF_NOTHING:
        break;
    }
}

static void result_between(sqlite3_context *ctx, struct sample *s)
{
    double place = s->p * (double)(s->n - 1), low = floor(place), high = ceil(place), a, b;
    if (s->kind != OF_INT && s->kind != OF_REAL) {
        fail(ctx, s, "median and percentile are taken of numbers");
        return;
    }
    if (s->kind == OF_INT)
        make_real(s);
    a = key_real(select_kth(s->v, s->n, (size_t)low));
    b = high > low ? key_real(select_kth(s->v, s->n, (size_t)high)) : a;
    sqlite3_result_double(ctx, high > low && b > a ? (high - place) * a + (place - low) * b : a);
}

static void sample_value(sqlite3_context *ctx)
{
    struct sample *s = sqlite3_aggregate_context(ctx, 0);
    if (!s || s->failed || s->n == 0)
        return;
    if (sqlite3_user_data(ctx))
        result_approx(ctx, s);
    else
        result_between(ctx, s);
}

static void sample_final(sqlite3_context *ctx)
{
    struct sample *s = sqlite3_aggregate_context(ctx, 0);
    sample_value(ctx);
    if (s)
        free(s->v);
}

int pen_sql_register_aggregates(sqlite3 *db)
{
    static char approx;
    static const struct {
        const char *name;
        int args;
        void *data;
    } functions[] = {
        { "percentile_approx", 2, &approx }, { "percentile_approx", 3, &approx }, { "approx_percentile", 2, &approx },
        { "approx_percentile", 3, &approx }, { "percentile", 2, NULL },           { "median", 1, NULL },
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        int rc = sqlite3_create_window_function(db, functions[i].name, functions[i].args,
                                                SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, functions[i].data, sample_step,
                                                sample_final, sample_value, sample_inverse, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}
