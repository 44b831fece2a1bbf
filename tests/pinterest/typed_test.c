/* typed_test.c - the cleaners' rules on typed columns, as a database sends them: a value is treated as the JSON value it would be sent as.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "driver.h"
#include "../tap.h"

#define N(a) (sizeof(a) / sizeof *(a))

enum { MAX_ROWS = 8 };

/* One column of a case and what is to come of it: values as text in the type's own way, NULL for null, and the end. */
struct column_case {
    const struct pen_plugin *plugin;
    const char *format, *column, *shown; /* shown: the column that comes out */
    const char *sent[MAX_ROWS], *want[MAX_ROWS];
    int unfit;
};

#define NIL "(null)"

static void append_decimal(struct pen_builder *b, const char *digits)
{
    uint8_t le[16];
    bool minus = digits[0] == '-';
    __extension__ unsigned __int128 v = 0;
    for (const char *p = digits + minus; *p; p++)
        v = v * 10 + (unsigned)(*p - '0');
    if (minus)
        v = -v;
    for (int i = 0; i < 16; i++)
        le[i] = (uint8_t)(v >> 8 * i);
    pen_builder_decimal128(b, le);
}

static void append(struct pen_builder *b, pen_type type, const char *text)
{
    if (strcmp(text, NIL) == 0)
        pen_builder_null(b);
    else if (type == PEN_TYPE_INT32 || type == PEN_TYPE_DATE32)
        pen_builder_int32(b, (int32_t)strtol(text, NULL, 10));
    else if (type == PEN_TYPE_INT64 || type == PEN_TYPE_TIMESTAMP)
        pen_builder_int64(b, strtoll(text, NULL, 10));
    else if (type == PEN_TYPE_FLOAT64)
        pen_builder_float64(b, strtod(text, NULL));
    else if (type == PEN_TYPE_BOOL)
        pen_builder_bool(b, text[0] == 't');
    else if (type == PEN_TYPE_DECIMAL128)
        append_decimal(b, text);
    else
        pen_builder_bytes_value(b, text, strlen(text));
}

/* What the transform wants, with one column of the case's type; a column of its own makes every row's key 1, 2, … */
static bool make_schema(struct ArrowSchema *out, const struct driver *d, const struct column_case *c)
{
    struct pen_error err = { 0 };
    if (pen_schema_init_struct(out, "", (size_t)d->want.n_children, &err) < 0)
        return false;
    for (int64_t i = 0; i < d->want.n_children; i++) {
        const struct ArrowSchema *f = d->want.children[i];
        const char *format = strcmp(f->name, c->column) == 0 ? c->format : f->format;
        if (pen_schema_init_field(out->children[i], format, f->name, ARROW_FLAG_NULLABLE, 0, &err) < 0)
            return false;
    }
    return true;
}

static bool make_batch(struct ArrowArray *out, const struct ArrowSchema *schema, const struct column_case *c)
{
    struct pen_builder *b;
    struct pen_error err = { 0 };
    bool good = pen_builder_new(&b, schema, &err) >= 0;
    for (int row = 0; good && row < MAX_ROWS && c->sent[row]; row++)
        for (int64_t i = 0; i < schema->n_children; i++) {
            struct pen_builder *column = pen_builder_child(b, (size_t)i);
            if (strcmp(schema->children[i]->name, c->column) == 0)
                append(column, pen_schema_type(schema->children[i]), c->sent[row]);
            else if (pen_schema_type(schema->children[i]) == PEN_TYPE_INT32)
                pen_builder_int32(column, row + 1);
            else if (pen_schema_type(schema->children[i]) == PEN_TYPE_FLOAT64)
                pen_builder_float64(column, 7);
            else
                pen_builder_null(column);
        }
    good = good && pen_builder_finish(b, out, &err) >= 0;
    if (b)
        pen_builder_free(&b);
    return good;
}

/* Runs one case; the rows of `want` that are "rejected" must be missing and be rejected, in order. */
static void run_case(const struct column_case *c)
{
    struct driver plain, d;
    struct ArrowSchema schema;
    struct ArrowArray in, out;
    struct pen_error err = { 0 };
    char got[512] = "", buf[128], name[64];
    bool good;
    int64_t at = 0, unfit;
    size_t rejected = 0;
    driver_open(&plain, c->plugin, NULL, NULL);
    good = make_schema(&schema, &plain, c);
    driver_close(&plain);
    driver_open(&d, c->plugin, NULL, &schema);
    good = good && make_batch(&in, &schema, c) && driver_batch(&d, &in, &out, &err) >= 0;
    for (int row = 0; good && row < MAX_ROWS && c->want[row]; row++) {
        bool gone = rejected < d.rejects.n && d.rejects.rows[rejected].row == row;
        const char *shown = gone ? "rejected" : at < out.length ? driver_show(&d, &out, c->shown, at, buf, sizeof buf) : "lost";
        rejected += gone;
        at += !gone;
        good = strcmp(shown, c->want[row]) == 0;
        strncat(got, shown, sizeof got - strlen(got) - 2);
        strcat(got, " ");
    }
    good = good && at == out.length && rejected == d.rejects.n;
    unfit = driver_counted("nulled_total", c->column);
    ok(good && unfit == c->unfit, "%s: %s as %s: %s(%lld unfit) %s", c->plugin->name, c->column,
       pen_schema_type_name(schema.children[pen_schema_find(&schema, c->column)], name, sizeof name), got, (long long)unfit, err.msg);
    pen_array_release(&out);
    pen_array_release(&in);
    pen_schema_release(&schema);
    driver_close(&d);
}

#define PIN &pin_LTX_pen_plugin
#define GEO &geo_LTX_pen_plugin
#define USER &user_LTX_pen_plugin

static void test_typed__same_rules(void)
{
    static const struct column_case cases[] = {
        { PIN, "i", "index", "ind", { "7528", "-1" }, { "7528", "-1" }, 0 },
        { PIN, "i", "index", "ind", { "1", NIL, "3" }, { "1", "rejected", "3" }, 0 },
        { PIN, "l", "index", "ind", { "7528", "2147483648", "-2147483648", NIL }, { "7528", "rejected", "-2147483648", "rejected" }, 0 },
        { GEO, "g", "ind", "ind", { "7528", "7528.5", "1e10", "nan", "inf", "-0" }, { "7528", "rejected", "rejected", "rejected", "rejected", "0" }, 0 },
        { USER, "d:20,2", "ind", "ind", { "752800", "752850", "214748364800" }, { "7528", "rejected", "rejected" }, 0 },
        { USER, "d:20,0", "ind", "ind", { "7528", "-7528" }, { "7528", "-7528" }, 0 },
        { USER, "u", "ind", "ind", { "7528" }, { "rejected" }, 0 },
        { USER, "b", "ind", "ind", { "true", "false" }, { "rejected", "rejected" }, 0 },
        { PIN, "u", "follower_count", "follower_count", { "124k", " 1.2k ", "-3", "", NIL, "User Info Error", "3B", "\"1k\"" },
          { "124000", "1200", "null", "null", "null", "null", "null", "null" }, 3 },
        { PIN, "i", "follower_count", "follower_count", { "124000", "-3", NIL }, { "124000", "-3", "null" }, 0 },
        { PIN, "l", "follower_count", "follower_count", { "124000", "2147483648", NIL }, { "124000", "null", "null" }, 1 },
        { PIN, "g", "follower_count", "follower_count", { "1.9", "-3.9", "1e10", "nan", "-0.5" }, { "1", "-3", "null", "null", "0" }, 2 },
        { PIN, "d:38,10", "follower_count", "follower_count", { "19999999999", "-39999999999", "99999999999999999999999999999999999999" },
          { "1", "-3", "null" }, 1 },
        { PIN, "d:38,38", "follower_count", "follower_count", { "99999999999999999999999999999999999999", "0" }, { "0", "0" }, 0 },
        { PIN, "b", "follower_count", "follower_count", { "true" }, { "null" }, 1 },
        { PIN, "u", "title", "title", { "a", "", "No Title Data Available", NIL }, { "a", "null", "null", "null" }, 0 },
        { PIN, "l", "title", "title", { "-9223372036854775808", NIL }, { "-9223372036854775808", "null" }, 0 },
        { PIN, "b", "title", "title", { "true", "false" }, { "true", "false" }, 0 },
        { PIN, "d:10,2", "title", "title", { "150", "-5" }, { "1.50", "-0.05" }, 0 },
        { PIN, "g", "title", "title", { "0.1", "nan" }, { "0.1", "null" }, 0 },
        { PIN, "tsu:UTC", "title", "title", { "1609850096000000" }, { "2021-01-05T12:34:56Z" }, 0 },
        { PIN, "tdD", "save_location", "save_location", { "0", NIL }, { "1970-01-01", "null" }, 0 },
        { PIN, "u", "save_location", "save_location", { "Local save in /data/art", "Local save in ", NIL, "" }, { "/data/art", "null", "null", "null" }, 0 },
        { GEO, "tsu:UTC", "timestamp", "timestamp", { "1609850096123456", NIL }, { "1609850096123456", "null" }, 0 },
        { GEO, "u", "timestamp", "timestamp", { "2021-01-05 12:34:56", "01/05/2021, 12:34:56", "soon", NIL }, { "1609850096000000", "1609850096000000", "null", "null" }, 1 },
        { GEO, "l", "timestamp", "timestamp", { "1609850096", NIL }, { "null", "null" }, 1 },
        { GEO, "tdD", "timestamp", "timestamp", { "18632" }, { "null" }, 1 }, /* a day is none of the forms */
        { GEO, "g", "latitude", "coordinates", { "-89.9787", "nan", "-inf", NIL }, { "[-89.9787, 7]", "null", "null", "null" }, 2 },
        { GEO, "l", "latitude", "coordinates", { "-90", NIL }, { "[-90, 7]", "null" }, 0 },
        { GEO, "d:9,6", "longitude", "coordinates", { "-173293000", "1", NIL }, { "[7, -173.293]", "[7, 1e-06]", "null" }, 0 },
        { GEO, "d:38,0", "longitude", "coordinates", { "99999999999999999999999999999999999999", "9007199254740993" }, { "[7, 1e+38]", "[7, 9007199254740992]" }, 0 },
        { GEO, "u", "latitude", "coordinates", { "1.5", NIL }, { "null", "null" }, 1 },
        { GEO, "i", "country", "country", { "5" }, { "5" }, 0 },
        { USER, "i", "age", "age", { "20", NIL }, { "20", "null" }, 0 },
        { USER, "l", "age", "age", { "20", "2147483648", NIL }, { "20", "null", "null" }, 1 },
        { USER, "g", "age", "age", { "20", "20.5", "nan" }, { "20", "null", "null" }, 2 },
        { USER, "d:5,1", "age", "age", { "200", "205" }, { "20", "null" }, 1 },
        { USER, "u", "age", "age", { "20" }, { "null" }, 1 },
        { USER, "u", "first_name", "user_name", { "Abigail", "", NIL }, { "Abigail", "null", "null" }, 0 },
        { USER, "l", "last_name", "user_name", { "7" }, { "7" }, 0 },
        { USER, "u", "date_joined", "date_joined", { "2015-10-24 11:23:51" }, { "1445685831000000" }, 0 },
    };
    for (size_t i = 0; i < N(cases); i++)
        run_case(&cases[i]);
}

/* A batch cut out of another one has columns that begin in the middle of their buffers. */
static void test_typed__columns_with_an_offset(void)
{
    static const struct column_case c = { PIN, "u", "title", "title", { "a", "", "No Title Data Available", NIL, "e", "", "g", NIL }, { NULL }, 0 };
    static const char *const want[] = { "a", "null", "null", "null", "e", "null", "g", "null" };
    struct driver plain, d;
    struct ArrowSchema schema;
    struct ArrowArray in, slice, out;
    struct pen_error err = { 0 };
    driver_open(&plain, c.plugin, NULL, NULL);
    bool good = make_schema(&schema, &plain, &c);
    driver_close(&plain);
    driver_open(&d, c.plugin, NULL, &schema);
    good = good && make_batch(&in, &schema, &c);
    for (int64_t first = 0; good && first <= MAX_ROWS; first++)
        for (int64_t n = 0; good && n <= MAX_ROWS - first; n++) {
            good = pen_array_slice(&slice, &in, first, n, &err) >= 0 && driver_batch(&d, &slice, &out, &err) >= 0 && out.length == n;
            for (int64_t i = 0; good && i < n; i++) {
                char buf[64], key[16];
                snprintf(key, sizeof key, "%lld", (long long)(first + i + 1));
                good = strcmp(driver_show(&d, &out, "title", i, buf, sizeof buf), want[first + i]) == 0 &&
                       strcmp(driver_show(&d, &out, "ind", i, buf, sizeof buf), key) == 0;
            }
            if (!good)
                printf("# rows %lld to %lld: %s\n", (long long)first, (long long)(first + n), err.msg);
            pen_array_release(&out);
            pen_array_release(&slice);
        }
    ok(good, "every part of a batch gives the same rows as the whole");
    pen_array_release(&in);
    pen_schema_release(&schema);
    driver_close(&d);
}

static void test_typed__missing_column(void)
{
    static const char *const pairs[] = { "i", "ind", NULL };
    struct ArrowSchema in, out = { .release = NULL };
    struct pen_error err = { 0 };
    void *ctx = calloc(1, user_LTX_pen_plugin.transform->ctx_size);
    bool good = ctx && pen_schema_from_pairs(&in, pairs, &err) >= 0;
    if (good)
        good = user_LTX_pen_plugin.transform->prepare(ctx, &in, &out, &err) == PEN_BADCONF && strstr(err.msg, "first_name") && !out.release;
    ok(good, "a column that is not there is named: %s", err.msg);
    pen_schema_release(&in);
    user_LTX_pen_plugin.transform->stop(ctx);
    free(ctx);
}

int main(void)
{
    test_typed__same_rules();
    test_typed__columns_with_an_offset();
    test_typed__missing_column();
    return done_testing();
}
