/* test_schema.c - Delta schemas to Arrow and back, what may be appended, statistics and partition values. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "schema.h"
#include "scan.h"
#include "stats.h"
#include "tap.h"

#define F(name, type) "{\"name\":\"" name "\",\"type\":" type ",\"nullable\":true,\"metadata\":{}}"
#define S(fields) "{\"type\":\"struct\",\"fields\":[" fields "]}"
#define LIST(type) "{\"type\":\"array\",\"elementType\":" type ",\"containsNull\":true}"
#define MAP(k, v) "{\"type\":\"map\",\"keyType\":" k ",\"valueType\":" v ",\"valueContainsNull\":true}"

static void test_schema__goes_to_arrow_and_back(void)
{
    static const char *const texts[] = {
        S(), S(F("a", "\"integer\"") "," F("b", "\"long\"") "," F("c", "\"double\"") "," F("d", "\"boolean\"") "," F("e", "\"string\"") "," F("f", "\"binary\"")),
        S(F("a", "\"date\"") "," F("b", "\"timestamp\"") "," F("c", "\"decimal(38,10)\"")),
        S(F("a", LIST("\"double\"")) "," F("b", S(F("c", LIST(S(F("d", "\"string\"")))))) "," F("m", MAP("\"string\"", "\"long\""))),
        S("{\"name\":\"\\\"odd\\\\ \xc3\xa9\",\"type\":\"string\",\"nullable\":false,\"metadata\":{}}"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct delta_arena arena = { 0 };
        struct delta_field f, back;
        struct ArrowSchema arrow;
        struct pen_error err = { 0 };
        struct delta_text t = { 0 };
        const char *why = delta_schema_parse(&f, &arena, texts[i]);
        bool good = !why && delta_schema_to_arrow(&f, "t", &arrow, &err) == PEN_OK;
        good = good && delta_schema_from_arrow(&back, &arena, &arrow, &err) == PEN_OK;
        if (good)
            delta_schema_write(&t, &back);
        ok(good && strcmp(t.p, texts[i]) == 0, "%s %s%s", texts[i], why ? why : "", err.msg);
        delta_text_fini(&t);
        pen_schema_release(&arrow);
        delta_arena_fini(&arena);
    }
}

static void test_schema__refuses_what_it_cannot_hold(void)
{
    static const struct { const char *text, *why; } cases[] = {
        { "", "expected" }, { "{}", "without" }, { "\"string\"", "struct" }, { S("{\"name\":\"a\"}"), "without" }, { S("{\"type\":\"string\"}"), "without" },
        { S(F("a", LIST("5"))), "expected a string" }, { S(F("a", "\"array\"")), "without" }, { S(F("a", "\"map\"")), "without" }, { "{\"type\":\"struct\",\"fields\":7}", "array" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct delta_arena arena = { 0 };
        struct delta_field f;
        const char *why = delta_schema_parse(&f, &arena, cases[i].text);
        ok(why && strstr(why, cases[i].why), "%s: %s", cases[i].text, why ? why : "taken");
        delta_arena_fini(&arena);
    }
    static const char *const types[] = { "\"variant\"", "\"decimal(39,1)\"", "\"decimal(5,6)\"", "\"timestamp_ntz\"", "\"void\"" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char text[200];
        struct delta_arena arena = { 0 };
        struct delta_field f;
        struct ArrowSchema arrow;
        struct pen_error err = { 0 };
        snprintf(text, sizeof text, S("{\"name\":\"col\",\"type\":%s}"), types[i]);
        delta_schema_parse(&f, &arena, text);
        ok(delta_schema_to_arrow(&f, "t", &arrow, &err) == PEN_BADCONF && strstr(err.msg, "col") && !arrow.release, "%s", err.msg);
        delta_arena_fini(&arena);
    }
}

static void test_schema__says_what_may_be_appended(void)
{
    static const struct { const char *table, *in; bool evolve; const char *want; const char *wrong; } cases[] = {
        { S(F("a", "\"integer\"")), S(F("a", "\"integer\"")), false, NULL, NULL },
        { S(F("a", "\"integer\"") "," F("b", "\"string\"")), S(F("b", "\"string\"")), false, NULL, NULL },
        { S(F("a", "\"integer\"")), S(F("a", "\"long\"")), true, NULL, "column a is integer in the table, and the rows bring long" },
        { S(F("a", "\"integer\"")), S(F("a", "\"integer\"") "," F("b", "\"string\"")), false, NULL, "no column b; schema = evolve" },
        { S(F("a", "\"integer\"")), S(F("a", "\"integer\"") "," F("b", "\"string\"")), true, S(F("a", "\"integer\"") "," F("b", "\"string\"")), NULL },
        { S(F("a", "\"integer\"")), S("{\"name\":\"b\",\"type\":\"long\",\"nullable\":false,\"metadata\":{}}"), true, NULL, "new column b is not nullable" },
        { S("{\"name\":\"a\",\"type\":\"long\",\"nullable\":false,\"metadata\":{}}"), S(F("a", "\"long\"")), true, NULL, "column a may not be null" },
        { S("{\"name\":\"a\",\"type\":\"long\",\"nullable\":false,\"metadata\":{}}"), S(), true, NULL, "column a may not be null, and the rows have none" },
        { S(F("a", "\"integer\"")), S(F("A", "\"integer\"")), true, NULL, "column A is called a in the table" },
        { S(F("s", S(F("x", "\"long\"")))), S(F("s", S(F("x", "\"long\"") "," F("y", "\"long\"")))), true, S(F("s", S(F("x", "\"long\"") "," F("y", "\"long\"")))), NULL },
        { S(F("l", LIST("\"long\""))), S(F("l", LIST("\"double\""))), true, NULL, "column l is long in the table" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct delta_arena arena = { 0 };
        struct delta_field table, in;
        struct delta_text t = { 0 };
        struct pen_error err = { 0 };
        bool grew;
        delta_schema_parse(&table, &arena, cases[i].table);
        delta_schema_parse(&in, &arena, cases[i].in);
        pen_status st = delta_schema_fit(&table, &in, cases[i].evolve, &grew, &arena, "t", &err);
        delta_schema_write(&t, &table);
        ok(cases[i].wrong ? st == PEN_BADCONF && strstr(err.msg, cases[i].wrong) : st == PEN_OK && grew == (cases[i].want != NULL), "case %zu: %s", i, err.msg);
        if (cases[i].want)
            ok(strcmp(t.p, cases[i].want) == 0, "the table becomes %s", t.p);
        delta_text_fini(&t);
        delta_arena_fini(&arena);
    }
}

static void test_stats__are_nested_as_the_columns_are(void)
{
    struct ArrowSchema i32, str, ts, dec, dbl, day, flag;
    pen_schema_init_field(&i32, "i", "a", 2, 0, NULL), pen_schema_init_field(&str, "u", "b", 2, 0, NULL), pen_schema_init_field(&ts, "tsu:UTC", "t", 2, 0, NULL);
    pen_schema_init_field(&dec, "d:5,2", "d", 2, 0, NULL), pen_schema_init_field(&dbl, "g", "g", 2, 0, NULL), pen_schema_init_field(&day, "tdD", "y", 2, 0, NULL);
    pen_schema_init_field(&flag, "b", "f", 2, 0, NULL);
    const char *a[] = { "a" }, *sx[] = { "s", "x" }, *sty[] = { "s", "t", "y" }, *sz[] = { "s", "z" }, *l[] = { "l" }, *d[] = { "d" }, *g[] = { "g" }, *y[] = { "y" }, *f[] = { "f" };
    struct pen_parquet_stats stats[] = {
        { .path = a, .depth = 1, .field = &i32, .values = 3, .nulls = 1, .has_bounds = true, .min.u.i32 = -5, .max.u.i32 = 7 },
        { .path = sx, .depth = 2, .field = &str, .has_bounds = true, .min = { .bytes = "a\"", .n = 2 }, .max = { .bytes = "z", .n = 1 } },
        { .path = sty, .depth = 3, .field = &ts, .has_bounds = true, .min.u.i64 = -1, .max.u.i64 = 1609459200000001 },
        { .path = sz, .depth = 2, .field = &i32, .nulls = 2 },
        { .path = l, .depth = 1, .field = &i32, .in_list = true, .has_bounds = true },
        { .path = d, .depth = 1, .field = &dec, .has_bounds = true, .min.u.decimal = { 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
          .max.u.decimal = { 0x39, 0x30 } },
        { .path = g, .depth = 1, .field = &dbl, .has_bounds = true, .min.u.f64 = 0.1, .max.u.f64 = INFINITY },
        { .path = y, .depth = 1, .field = &day, .has_bounds = true, .min.u.i32 = -1, .max.u.i32 = 18628 },
        { .path = f, .depth = 1, .field = &flag, .has_bounds = true, .min.u.b = false, .max.u.b = true },
    };
    struct delta_text t = { 0 };
    delta_stats_write(&t, 3, stats, 9, 32);
    ok(strcmp(t.p, "{\"numRecords\":3,"
                   "\"minValues\":{\"a\":-5,\"s\":{\"x\":\"a\\\"\",\"t\":{\"y\":\"1969-12-31T23:59:59.999Z\"}},\"d\":-0.05,\"g\":0.1,\"y\":\"1969-12-31\",\"f\":false},"
                   "\"maxValues\":{\"a\":7,\"s\":{\"x\":\"z\",\"t\":{\"y\":\"2021-01-01T00:00:00.001Z\"}},\"d\":123.45,\"y\":\"2021-01-01\",\"f\":true},"
                   "\"nullCount\":{\"a\":1,\"s\":{\"x\":0,\"t\":{\"y\":0},\"z\":2},\"d\":0,\"g\":0,\"y\":0,\"f\":0}}") == 0, "%s", t.p);
    ok(delta_stats_rows(t.p) == 3 && delta_stats_rows("{}") == -1 && delta_stats_rows("x") == -1 && delta_stats_rows(NULL) == -1, "numRecords is read back");
    t.n = 0;
    delta_stats_write(&t, 0, stats, 9, 1);
    ok(strcmp(t.p, "{\"numRecords\":0,\"minValues\":{\"a\":-5},\"maxValues\":{\"a\":7},\"nullCount\":{\"a\":1}}") == 0, "only the first columns: %s", t.p);
    delta_text_fini(&t);
    struct ArrowSchema *all[] = { &i32, &str, &ts, &dec, &dbl, &day, &flag };
    for (size_t i = 0; i < 7; i++)
        pen_schema_release(all[i]);
}

static void test_partition__values_are_read(void)
{
    static const struct { const char *format, *text; bool good; int64_t want; } cases[] = {
        { "i", "5", true, 5 },   { "i", "2147483648", false, 0 }, { "i", "x", false, 0 }, { "l", "-9223372036854775808", true, INT64_MIN },
        { "b", "true", true, 1 }, { "b", "1", false, 0 },           { "tdD", "1970-01-02", true, 1 }, { "tdD", "2021-02-29", false, 0 }, { "tdD", "2020-02-29", true, 18321 },
        { "tsu:UTC", "1970-01-01 00:00:01", true, 1000000 }, { "tsu:UTC", "1970-01-01T00:00:00.000001Z", true, 1 }, { "tsu:UTC", "1970-01-01 01:00:00.5+01:00", true, 500000 },
        { "tsu:UTC", "1970-01-01", true, 0 }, { "tsu:UTC", "1970-01-01 25:00:00", false, 0 },
        { "d:5,2", "1.5", true, 150 }, { "d:5,2", "-1", true, -100 }, { "d:5,2", "1.234", false, 0 }, { "d:5,2", "", true, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ArrowSchema field;
        struct pen_builder *b;
        struct ArrowArray array;
        int64_t v = 0;
        pen_schema_init_field(&field, cases[i].format, "p", ARROW_FLAG_NULLABLE, 0, NULL);
        pen_builder_new(&b, &field, NULL);
        bool good = delta_partition_value(b, &field, cases[i].text);
        if (good) {
            pen_builder_finish(b, &array, NULL);
            struct pen_column c = pen_column_of(&array);
            pen_type type = pen_schema_type(&field);
            v = pen_column_is_null(&c, 0) ? 0 : type == PEN_TYPE_BOOL ? pen_column_bool(&c, 0) : type == PEN_TYPE_INT32 || type == PEN_TYPE_DATE32 ? pen_column_int32(&c, 0)
              : type == PEN_TYPE_DECIMAL128 ? ((const int64_t *)c.data)[0] : pen_column_int64(&c, 0);
            pen_array_release(&array);
        }
        ok(good == cases[i].good && v == cases[i].want, "\"%s\" as %s is %lld", cases[i].text, cases[i].format, (long long)v);
        pen_builder_free(&b);
        pen_schema_release(&field);
    }
}

int main(void)
{
    test_schema__goes_to_arrow_and_back();
    test_schema__refuses_what_it_cannot_hold();
    test_schema__says_what_may_be_appended();
    test_stats__are_nested_as_the_columns_are();
    test_partition__values_are_read();
    return done_testing();
}
