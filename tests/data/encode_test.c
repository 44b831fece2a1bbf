/* encode_test.c - columns to JSON, and columns handed over as the next stage wants them. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/conform.h"
#include "data/encode.h"

#include "../tap.h"

static bool text_is(const struct pen_text *t, const char *want)
{
    bool same = t->n == strlen(want) && memcmp(t->bytes, want, t->n) == 0;
    if (!same)
        printf("# got  %.*s\n# want %s\n", (int)t->n, t->bytes ? t->bytes : "", want);
    return same;
}

static void test_encode__doubles_are_shortest_and_come_back(void)
{
    static const struct { double v; const char *want; } cases[] = {
        { 0, "0.0" }, { -0.0, "-0.0" }, { 1, "1.0" }, { -1.5, "-1.5" }, { 0.1, "0.1" }, { 100, "100.0" }, { 123456.75, "123456.75" },
        { 1.0 / 3, "0.3333333333333333" }, { 1e16, "10000000000000000.0" }, { 1e17, "1e17" }, { 1.25e300, "1.25e300" },
        { 5e-324, "5e-324" }, { 2.2250738585072014e-308, "2.2250738585072014e-308" }, { 1.7976931348623157e308, "1.7976931348623157e308" },
        { 0.00001, "0.00001" }, { 0.000001, "1e-6" }, { 9007199254740993.0, "9007199254740992.0" }, { -71.45, "-71.45" },
        { 0.1 + 0.2, "0.30000000000000004" }, { NAN, "null" }, { INFINITY, "null" }, { -INFINITY, "null" },
    };
    static const char *const one[] = { "g", "v", NULL };
    struct ArrowSchema schema;
    struct ArrowArray a;
    struct pen_builder *b = NULL;
    struct pen_text t = { 0 };
    uint64_t seed = 7;
    int64_t lost = 0;
    pen_schema_from_pairs(&schema, one, NULL);
    pen_builder_new(&b, &schema, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        pen_builder_float64(pen_builder_child(b, 0), cases[i].v);
    pen_builder_finish(b, &a, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t.n = 0;
        pen_json_encode_value(&t, schema.children[0], a.children[0], (int64_t)i);
        ok(text_is(&t, cases[i].want), "double %s", cases[i].want);
    }
    pen_array_release(&a);
    for (int i = 0; i < 20000; i++) {
        double v;
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&v, &seed, sizeof v);
        pen_builder_float64(pen_builder_child(b, 0), isfinite(v) ? v : 0);
    }
    pen_builder_finish(b, &a, NULL);
    for (int64_t i = 0; i < a.length; i++) {
        struct pen_column c = pen_column_at(&a, 0);
        double back = 0, v = pen_column_float64(&c, i);
        t.n = 0;
        pen_json_encode_value(&t, schema.children[0], a.children[0], i);
        lost += !pen_json_number_to_float64(t.bytes, t.n, &back) || memcmp(&back, &v, sizeof v) != 0;
    }
    ok(lost == 0, "20000 random doubles come back bit by bit (%lld did not)", (long long)lost);
    pen_array_release(&a);
    pen_text_fini(&t);
    pen_builder_free(&b);
    pen_schema_release(&schema);
}

static void test_encode__strings_are_escaped(void)
{
    static const struct { const char *text; size_t n; const char *want; } cases[] = {
        { "", 0, "\"\"" }, { "plain", 5, "\"plain\"" }, { "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"" }, { "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
        { "\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"" }, { "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"" },
        { "a\xFFz", 3, "\"a\xEF\xBF\xBDz\"" }, { "\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" }, { "\xC3", 1, "\"\xEF\xBF\xBD\"" },
    };
    struct pen_text t = { 0 };
    char controls[3000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t.n = 0;
        pen_text_json_string(&t, cases[i].text, cases[i].n);
        ok(text_is(&t, cases[i].want), "string %zu", i);
    }
    memset(controls, 1, sizeof controls);
    t.n = 0;
    pen_text_json_string(&t, controls, sizeof controls);
    ok(t.n == 6 * sizeof controls + 2, "3000 control characters");
    pen_text_fini(&t);
}

/* A batch with one column of each type and two rows, the second all null. */
static void every_type(struct ArrowSchema *schema, struct ArrowArray *a)
{
    static const char *const pairs[] = { "b", "bool", "i", "int", "l", "long", "g", "double", "d:20,3", "decimal", "u", "text",
                                         "z", "bytes", "tdD", "day", "tsu:UTC", "time", "+l", "list", "+s", "pair", NULL };
    static const uint8_t decimal[16] = { 0x2E, 0xFB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF }; /* -1234 */
    struct pen_builder *b = NULL, *c;
    pen_schema_init_struct(schema, "", 11, NULL);
    for (int i = 0; i < 11; i++)
        pen_schema_init_field(schema->children[i], pairs[2 * i], pairs[2 * i + 1], ARROW_FLAG_NULLABLE, i == 9 ? 1 : i == 10 ? 2 : 0, NULL);
    pen_schema_init_field(schema->children[9]->children[0], "g", "item", ARROW_FLAG_NULLABLE, 0, NULL);
    pen_schema_init_field(schema->children[10]->children[0], "i", "a\"", ARROW_FLAG_NULLABLE, 0, NULL);
    pen_schema_init_field(schema->children[10]->children[1], "u", "b", ARROW_FLAG_NULLABLE, 0, NULL);
    pen_builder_new(&b, schema, NULL);
    pen_builder_bool(pen_builder_child(b, 0), true);
    pen_builder_int32(pen_builder_child(b, 1), INT32_MIN);
    pen_builder_int64(pen_builder_child(b, 2), INT64_MIN);
    pen_builder_float64(pen_builder_child(b, 3), 0.5);
    pen_builder_decimal128(pen_builder_child(b, 4), decimal);
    pen_builder_bytes_value(pen_builder_child(b, 5), "t", 1);
    pen_builder_bytes_value(pen_builder_child(b, 6), "\0\xFF", 2);
    pen_builder_int32(pen_builder_child(b, 7), -1);
    pen_builder_int64(pen_builder_child(b, 8), INT64_C(1609850096000001));
    c = pen_builder_child(b, 9);
    pen_builder_float64(pen_builder_child(c, 0), 1);
    pen_builder_null(pen_builder_child(c, 0));
    pen_builder_end_list(c);
    c = pen_builder_child(b, 10);
    pen_builder_int32(pen_builder_child(c, 0), 7);
    pen_builder_null(pen_builder_child(c, 1));
    pen_builder_end_struct(c);
    for (size_t i = 0; i < 11; i++)
        pen_builder_null(pen_builder_child(b, i));
    pen_builder_finish(b, a, NULL);
    pen_builder_free(&b);
}

static const char first_row[] = "{\"bool\":true,\"int\":-2147483648,\"long\":-9223372036854775808,\"double\":0.5,\"decimal\":-1.234,\"text\":\"t\","
                                "\"bytes\":\"AP8=\",\"day\":\"1969-12-31\",\"time\":\"2021-01-05T12:34:56.000001Z\",\"list\":[1.0,null],"
                                "\"pair\":{\"a\\\"\":7,\"b\":null}}";

static void test_encode__every_type(void)
{
    struct ArrowSchema schema;
    struct ArrowArray a, part, raw;
    struct pen_json_encoder *e = NULL;
    struct pen_text t = { 0 };
    struct pen_column value;
    size_t n;
    const char *bytes;
    every_type(&schema, &a);
    ok(pen_array_check(&schema, &a, NULL) == PEN_OK, "a batch of every type");
    ok(pen_json_encode_row(&t, &schema, &a, 0, NULL) == PEN_OK && text_is(&t, first_row), "a row of values");
    t.n = 0;
    pen_array_slice(&part, &a, 1, 1, NULL);
    ok(pen_json_encode_row(&t, &schema, &part, 0, NULL) == PEN_OK &&
           text_is(&t, "{\"bool\":null,\"int\":null,\"long\":null,\"double\":null,\"decimal\":null,\"text\":null,\"bytes\":null,\"day\":null,"
                       "\"time\":null,\"list\":null,\"pair\":null}"),
       "a row of nulls, in a slice");
    pen_array_release(&part);
    ok(pen_json_encoder_new(&e, &schema, NULL) == PEN_OK && pen_json_encoder_batch(e, &a, &raw, NULL) == PEN_OK && raw.length == 2,
       "the batch as messages");
    value = pen_column_at(&raw, 1);
    bytes = pen_column_bytes(&value, 0, &n);
    ok(n == strlen(first_row) && memcmp(bytes, first_row, n) == 0, "whose value is the row");
    ok(raw.children[0]->null_count == 2 && raw.children[5]->null_count == 2, "and the rest null");
    pen_array_release(&raw);
    pen_json_encoder_free(&e);
    pen_text_fini(&t);
    pen_array_release(&a);
    pen_schema_release(&schema);
}

static void test_conform__picks_orders_and_fills(void)
{
    static const char *const pairs[] = { "u", "text", "g", "new", "u", "long", "!i", "int", NULL }, *const lacking[] = { "!i", "ind", NULL };
    struct ArrowSchema schema, want, result;
    struct ArrowArray a, out;
    struct pen_conform *c = NULL;
    struct pen_error err = { 0 };
    every_type(&schema, &a);
    pen_schema_from_pairs(&want, lacking, NULL);
    ok(pen_conform_new(&c, &schema, &want, &result, &err) == PEN_BADCONF && strstr(err.msg, "no column \"ind\" (int32)"), "%s", err.msg);
    pen_schema_release(&want);
    pen_schema_from_pairs(&want, pairs, NULL);
    ok(pen_conform_new(&c, &schema, &want, &result, NULL) == PEN_OK, "a mapping");
    ok(pen_schema_check(&result, NULL) == PEN_OK && strcmp(result.children[2]->format, "l") == 0, "a type that differs is handed over as it is");
    for (int round = 0; round < 2; round++) {
        ok(pen_conform_apply(c, &a, &out, NULL) == PEN_OK && pen_array_check(&result, &out, NULL) == PEN_OK && out.length == 2, "applied");
        ok(out.children[0]->buffers[2] == a.children[5]->buffers[2] && out.children[1]->null_count == 2, "shares what is there, nulls elsewhere");
        pen_array_release(&out);
    }
    pen_conform_free(&c);
    pen_schema_release(&want);
    pen_schema_release(&result);
    pen_array_release(&a);
    pen_schema_release(&schema);
}

int main(void)
{
    test_encode__doubles_are_shortest_and_come_back();
    test_encode__strings_are_escaped();
    test_encode__every_type();
    test_conform__picks_orders_and_fills();
    return done_testing();
}
