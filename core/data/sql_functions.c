/* sql_functions.c - scalar functions that Spark has and SQLite lacks, or has with other rules for null: if, nvl, nvl2, greatest, least,
 * concat, concat_ws. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "data/sql_priv.h"

static void function_if(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sqlite3_result_value(ctx, argv[sqlite3_value_double(argv[0]) != 0.0 ? 1 : 2]); /* null is 0.0: not true */
}

static void function_nvl(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sqlite3_result_value(ctx, argv[sqlite3_value_type(argv[0]) == SQLITE_NULL ? 1 : 0]);
}

static void function_nvl2(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sqlite3_result_value(ctx, argv[sqlite3_value_type(argv[0]) == SQLITE_NULL ? 2 : 1]);
}

static int compare_int_real(int64_t i, double r)
{
    if (r >= 9223372036854775808.0 || r < -9223372036854775808.0)
        return r > 0 ? -1 : 1;
    if (i != (int64_t)r)
        return i < (int64_t)r ? -1 : 1;
    return (double)(int64_t)r < r ? -1 : (double)(int64_t)r > r;
}

static int compare_numbers(sqlite3_value *a, sqlite3_value *b)
{
    bool a_int = sqlite3_value_type(a) == SQLITE_INTEGER, b_int = sqlite3_value_type(b) == SQLITE_INTEGER;
    int64_t i, j;
    double x, y;
    if (a_int && !b_int)
        return compare_int_real(sqlite3_value_int64(a), sqlite3_value_double(b));
    if (b_int && !a_int)
        return -compare_int_real(sqlite3_value_int64(b), sqlite3_value_double(a));
    if (a_int) {
        i = sqlite3_value_int64(a);
        j = sqlite3_value_int64(b);
        return i < j ? -1 : i > j;
    }
    x = sqlite3_value_double(a);
    y = sqlite3_value_double(b);
    return x < y ? -1 : x > y;
}

/* SQLite's order of two values that are not null: numbers, then text, then blobs. */
static int compare_values(sqlite3_value *a, sqlite3_value *b)
{
    int ta = sqlite3_value_type(a), tb = sqlite3_value_type(b), na, nb, order;
    bool a_number = ta == SQLITE_INTEGER || ta == SQLITE_FLOAT, b_number = tb == SQLITE_INTEGER || tb == SQLITE_FLOAT;
    if (a_number && b_number)
        return compare_numbers(a, b);
    if (a_number || b_number)
        return a_number ? -1 : 1;
    if (ta != tb)
        return ta == SQLITE_TEXT ? -1 : 1;
    na = sqlite3_value_bytes(a);
    nb = sqlite3_value_bytes(b);
    order = na && nb ? memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)(na < nb ? na : nb)) : 0;
    return order ? order : na < nb ? -1 : na > nb;
}

/* greatest and least: nulls are passed over; null only where all are. */
static void function_extreme(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int sign = *(const int *)sqlite3_user_data(ctx), best = -1;
    if (argc < 2) {
        sqlite3_result_error(ctx, "greatest and least take two values or more", -1);
        return;
    }
    for (int i = 0; i < argc; i++)
        if (sqlite3_value_type(argv[i]) != SQLITE_NULL && (best < 0 || sign * compare_values(argv[i], argv[best]) > 0))
            best = i;
    if (best >= 0)
        sqlite3_result_value(ctx, argv[best]);
}

static void result_growing(sqlite3_context *ctx, struct pen_text *g)
{
    if (g->failed)
        sqlite3_result_error_nomem(ctx);
    else
        sqlite3_result_text64(ctx, g->n ? g->bytes : "", g->n, SQLITE_TRANSIENT, SQLITE_UTF8);
    pen_text_fini(g);
}

static void add_value(struct pen_text *g, sqlite3_value *v)
{
    const void *text = sqlite3_value_text(v);
    if (!text)
        g->failed = true;
    else
        pen_text_append(g, text, (size_t)sqlite3_value_bytes(v));
}

/* Null where any argument is. */
static void function_concat(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct pen_text g = { 0 };
    for (int i = 0; i < argc; i++)
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
            return;
    for (int i = 0; i < argc; i++)
        add_value(&g, argv[i]);
    result_growing(ctx, &g);
}

/* Null only where the separator is; other nulls are left out, with their separators. */
static void function_concat_ws(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct pen_text g = { 0 };
    bool any = false;
    if (argc < 1) {
        sqlite3_result_error(ctx, "concat_ws takes a separator and values", -1);
        return;
    }
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    for (int i = 1; i < argc; i++) {
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
            continue;
        if (any)
            add_value(&g, argv[0]);
        add_value(&g, argv[i]);
        any = true;
    }
    result_growing(ctx, &g);
}

int pen_sql_register_functions(sqlite3 *db)
{
    static const int up = 1, down = -1;
    static const struct {
        const char *name;
        int args;
        void (*run)(sqlite3_context *, int, sqlite3_value **);
        const int *data;
    } functions[] = {
        { "if", 3, function_if, NULL },           { "nvl", 2, function_nvl, NULL },         { "nvl2", 3, function_nvl2, NULL },
        { "greatest", -1, function_extreme, &up },{ "least", -1, function_extreme, &down }, { "concat", -1, function_concat, NULL },
        { "concat_ws", -1, function_concat_ws, NULL },
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        int rc = sqlite3_create_function_v2(db, functions[i].name, functions[i].args, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                            (void *)(uintptr_t)functions[i].data, functions[i].run, NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}
