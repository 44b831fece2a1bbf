/* decode_test.c - URLs, names in SQL, and values as both servers send them, at their edges. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "sql.h"
#include "url.h"

#include "tests/tap.h"

/* -- URLs ----------------------------------------------------------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_url(void)
{
    static const struct {
        const char *text;
        rds_kind kind;
        const char *user, *password, *host, *database, *socket;
        int port;
    } good[] = {
        { "mysql://reader@db.example:3306/pinterest", RDS_MYSQL, "reader", NULL, "db.example", "pinterest", NULL, 3306 },
        { "mariadb://h/d", RDS_MYSQL, NULL, NULL, "h", "d", NULL, 3306 },
        { "postgres://u:p%40ss%2Fword@[::1]:6000/my%20db", RDS_POSTGRES, "u", "p@ss/word", "::1", "my db", NULL, 6000 },
        { "postgresql://u:a:b@h/d", RDS_POSTGRES, "u", "a:b", "h", "d", NULL, 5432 },
        { "mysql://u:p@ss@h/d", RDS_MYSQL, "u", "p@ss", "h", "d", NULL, 3306 },
        { "mysql://u@/d?socket=/run/mysqld/mysqld.sock", RDS_MYSQL, "u", NULL, NULL, "d", "/run/mysqld/mysqld.sock", 3306 },
        { "postgres://h", RDS_POSTGRES, NULL, NULL, "h", NULL, NULL, 5432 },
    };
    static const char *const bad[] = {
        "", "mysql:", "mysql://", "mysql://u:secret@/d", "http://u:secret@h/d", "mysql://u:secret@h:0/d", "mysql://u:secret@h:65536/d", "mysql://u:secret@h:x/d",
        "mysql://u:secret%@h/d", "mysql://u:secret%0@h/d", "mysql://u:secret%00@h/d", "mysql://u:secret@[::1/d", "mysql://u:secret@[::1]x/d",
        "mysql://u:secret@h/d/e", "mysql://u:secret@h/d?ssl=no", "mysql://u:secret@h/d?socket=/a&x=y", "mysql://u:secret@h/d#e", "mysql://u:secret@h:99999999999999/d",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct rds_url u;
        struct pen_error err = { 0 };
        bool fine = rds_url_parse(&u, good[i].text, &err) == PEN_OK && u.kind == good[i].kind && same(u.user, good[i].user) && same(u.password, good[i].password) &&
                    same(u.host, good[i].host) && same(u.database, good[i].database) && same(u.socket, good[i].socket) && u.port == good[i].port;
        ok(fine, "url %s %s", good[i].text, err.msg);
        rds_url_fini(&u);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rds_url u;
        struct pen_error err = { 0 };
        ok(rds_url_parse(&u, bad[i], &err) == PEN_BADCONF && !u.password && err.msg[0] && !strstr(err.msg, "secret"), "url %s: refused: %s", bad[i], err.msg);
    }
}

static void test_sql(void)
{
    struct pen_text t = { 0 };
    char *text;
    rds_sql_table(&t, "pub`lic.a\"b`c.d", '`');
    text = rds_sql_take(&t);
    ok(same(text, "`pub``lic`.`a\"b``c.d`"), "names are quoted: %s", text);
    free(text);
    rds_sql_table(&t, "\"; DROP TABLE x; --", '"');
    text = rds_sql_take(&t);
    ok(same(text, "\"\"\"; DROP TABLE x; --\""), "whatever they hold: %s", text);
    free(text);
    rds_sql_time(&t, INT64_C(1795910399999999), true);
    rds_sql_time(&t, -1, false);
    rds_sql_time(&t, INT64_C(-62135596800000000), false);
    rds_sql_time(&t, INT64_C(951782400000000), false);
    text = rds_sql_take(&t);
    ok(same(text, "'2026-11-28 23:59:59.999999+00''1969-12-31 23:59:59.999999''0001-01-01 00:00:00.000000''2000-02-29 00:00:00.000000'"), "times in SQL: %s", text);
    free(text);
}

/* -- values ---------------------------------------------------------------------------------------------------------------------------------- */

#define FIT RDS_FITS
#define UNFIT RDS_UNFIT
#define BAD RDS_BROKEN

struct value {
    rds_decode *decode;
    const char *format, *bytes;
    int n, precision, scale;
    rds_fit fit;
    const char *json; /* of what fits */
};

static const struct value values[] = {
    { rds_text_int32, "i", "-2147483648", -1, 0, 0, FIT, "-2147483648" },
    { rds_text_int32, "i", "2147483648", -1, 0, 0, BAD, NULL },
    { rds_text_int32, "i", "", -1, 0, 0, BAD, NULL },
    { rds_text_int32, "i", "-", -1, 0, 0, BAD, NULL },
    { rds_text_int32, "i", "00042", -1, 0, 0, FIT, "42" },
    { rds_text_int32, "i", "4 ", -1, 0, 0, BAD, NULL },
    { rds_text_int64, "l", "-9223372036854775808", -1, 0, 0, FIT, "-9223372036854775808" },
    { rds_text_int64, "l", "9223372036854775808", -1, 0, 0, BAD, NULL },
    { rds_text_int64, "l", "-9223372036854775809", -1, 0, 0, BAD, NULL },
    { rds_text_uint64, "d:20,0", "18446744073709551615", -1, 20, 0, FIT, "18446744073709551615" },
    { rds_text_uint64, "d:20,0", "18446744073709551616", -1, 20, 0, BAD, NULL },
    { rds_text_decimal, "d:38,0", "99999999999999999999999999999999999999", -1, 38, 0, FIT, "99999999999999999999999999999999999999" },
    { rds_text_decimal, "d:38,0", "100000000000000000000000000000000000000", -1, 38, 0, BAD, NULL },
    { rds_text_decimal, "d:5,2", "-999.99", -1, 5, 2, FIT, "-999.99" },
    { rds_text_decimal, "d:5,2", "1000", -1, 5, 2, BAD, NULL },
    { rds_text_decimal, "d:5,2", "0.001", -1, 5, 2, BAD, NULL },
    { rds_text_decimal, "d:5,2", "1..2", -1, 5, 2, BAD, NULL },
    { rds_text_decimal, "d:5,2", "-", -1, 5, 2, BAD, NULL },
    { rds_text_decimal, "d:5,2", "000001", -1, 5, 2, FIT, "1.00" },
    { rds_text_float64, "g", "1.7976931348623157e308", -1, 0, 0, FIT, "1.7976931348623157e308" },
    { rds_text_float64, "g", "1.", -1, 0, 0, BAD, NULL },
    { rds_text_float64, "g", "1e", -1, 0, 0, BAD, NULL },
    { rds_text_float64, "g", "-", -1, 0, 0, BAD, NULL },
    { rds_text_float64, "g", "1e999", -1, 0, 0, BAD, NULL },
    { rds_text_float64, "g", "-0.5E-3", -1, 0, 0, FIT, "-0.0005" },
    { rds_text_float64, "g", "nan", -1, 0, 0, BAD, NULL },
    { rds_text_bool, "b", "\1", 1, 0, 0, FIT, "true" },
    { rds_text_bool, "b", "\2", 1, 0, 0, BAD, NULL },
    { rds_text_bool, "b", "", 0, 0, 0, BAD, NULL },
    { rds_text_bits, "l", "\x0a\xaa", 2, 0, 0, FIT, "2730" },
    { rds_text_bits64, "d:20,0", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 20, 0, FIT, "18446744073709551615" },
    { rds_text_bits64, "d:20,0", "123456789", 9, 20, 0, BAD, NULL },
    { rds_text_date, "tdD", "2024-02-29", -1, 0, 0, FIT, "\"2024-02-29\"" },
    { rds_text_date, "tdD", "2023-02-29", -1, 0, 0, UNFIT, NULL },
    { rds_text_date, "tdD", "0000-00-00", -1, 0, 0, UNFIT, NULL },
    { rds_text_date, "tdD", "x", -1, 0, 0, BAD, NULL },
    { rds_text_timestamp, "tsu:UTC", "2024-02-29 01:02:03.5", -1, 0, 0, FIT, "\"2024-02-29T01:02:03.500000Z\"" },
    { rds_text_timestamp, "tsu:UTC", "0000-00-00 00:00:00", -1, 0, 0, UNFIT, NULL },
    { rds_text_timestamp, "tsu:UTC", "2024-02-29", -1, 0, 0, BAD, NULL },
    { rds_bytes_utf8, "u", "caf\xc3\xa9", -1, 0, 0, FIT, "\"caf\xc3\xa9\"" },
    { rds_bytes_utf8, "u", "caf\xe9", -1, 0, 0, UNFIT, NULL },
    { rds_bytes_utf8, "u", "12345678\xed\xa0\x80", -1, 0, 0, UNFIT, NULL },
    { rds_bytes_utf8, "u", "\xf0\x9f\x98", -1, 0, 0, UNFIT, NULL },
    { rds_bytes_utf8, "u", "\xc0\x80", -1, 0, 0, UNFIT, NULL },
    { rds_binary_bool, "b", "\1", 1, 0, 0, FIT, "true" },
    { rds_binary_int2, "i", "\x80\0", 2, 0, 0, FIT, "-32768" },
    { rds_binary_int4, "i", "\x80\0\0\0", 4, 0, 0, FIT, "-2147483648" },
    { rds_binary_int4, "i", "\x80\0\0\0\0\0\0\0", 8, 0, 0, BAD, NULL },
    { rds_binary_int8, "l", "\x80\0\0\0\0\0\0\0", 8, 0, 0, FIT, "-9223372036854775808" },
    { rds_binary_float4, "g", "\x3f\xc0\0\0", 4, 0, 0, FIT, "1.5" },
    { rds_binary_date, "tdD", "\0\0\0\0", 4, 0, 0, FIT, "\"2000-01-01\"" },
    { rds_binary_date, "tdD", "\x7f\xff\xff\xff", 4, 0, 0, UNFIT, NULL },
    { rds_binary_timestamp, "tsu:UTC", "\0\0\0\0\0\0\0\1", 8, 0, 0, FIT, "\"2000-01-01T00:00:00.000001Z\"" },
    { rds_binary_timestamp, "tsu:UTC", "\x80\0\0\0\0\0\0\0", 8, 0, 0, UNFIT, NULL },
    { rds_binary_timestamp, "tsu:UTC", "\x7f\xff\xff\xff\xff\xff\xff\xff", 8, 0, 0, UNFIT, NULL },
    { rds_binary_uuid, "u", "\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\0", 16, 0, 0, FIT, "\"123e4567-e89b-12d3-a456-426614174000\"" },
    { rds_binary_uuid, "u", "short", 5, 0, 0, BAD, NULL },
    { rds_binary_numeric, "d:5,2", "\0\2\0\0\0\0\0\2\3\xe7\x26\xac", 12, 5, 2, FIT, "999.99" },
    { rds_binary_numeric, "d:5,2", "\0\2\0\0\x40\0\0\2\0\1\x13\x88", 12, 5, 2, FIT, "-1.50" },
    { rds_binary_numeric, "d:5,2", "\0\1\0\1\0\0\0\2\0\1", 10, 5, 2, BAD, NULL },          /* 10000 */
    { rds_binary_numeric, "d:5,2", "\0\1\xff\xff\0\0\0\2\0\1", 10, 5, 2, BAD, NULL },       /* 0.0001 */
    { rds_binary_numeric, "d:5,2", "\0\0\0\0\0\0\0\2", 8, 5, 2, FIT, "0.00" },
    { rds_binary_numeric, "d:5,2", "\0\0\0\0\xc0\0\0\0", 8, 5, 2, UNFIT, NULL },            /* NaN */
    { rds_binary_numeric, "d:5,2", "\0\0\0\0\x12\x34\0\0", 8, 5, 2, BAD, NULL },
    { rds_binary_numeric, "d:5,2", "\0\1\x7f\xff\0\0\0\2\0\1", 10, 5, 2, BAD, NULL },
    { rds_binary_numeric, "d:5,2", "\0\1\0\0\0\0\0\2\x27\x10", 10, 5, 2, BAD, NULL },       /* a digit of 10000 */
    { rds_binary_numeric, "d:5,2", "\xff\xff\0\0\0\0\0\2\0\1", 10, 5, 2, BAD, NULL },
    { rds_binary_list, "+li", "\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\7\xff\xff\xff\xff", 32, 0, 0, FIT, "[7,null]" },
    { rds_binary_list, "+li", "\0\0\0\0\0\0\0\0\0\0\0\x17", 12, 0, 0, FIT, "[]" },
    { rds_binary_list, "+li", "\0\0\0\0\0\0\0\0\0\0\0\x19", 12, 0, 0, BAD, NULL },
    { rds_binary_list, "+li", "\0\0\0\2\0\0\0\0\0\0\0\x17", 12, 0, 0, UNFIT, NULL },
    { rds_binary_list, "+li", "\0\0\0\1\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\1", 20, 0, 0, BAD, NULL },
    { rds_binary_list, "+li", "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\0\0", 26, 0, 0, BAD, NULL },
    { rds_binary_list, "+li", "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\7x", 29, 0, 0, BAD, NULL },
};

static void test_value(const struct value *v)
{
    struct rds_table t = { 0 };
    struct rds_column *c = rds_table_add(&t, "c");
    struct ArrowSchema schema = { 0 };
    struct ArrowArray batch = { 0 };
    struct pen_builder *b = NULL;
    struct pen_text json = { 0 };
    size_t n = v->n < 0 ? strlen(v->bytes) : (size_t)v->n;
    uint8_t *copy = malloc(n + 1); /* so that a step too far is seen */
    rds_fit fit;
    memcpy(copy, v->bytes, n);
    snprintf(c->format, sizeof c->format, "%s", v->format);
    c->precision = v->precision, c->scale = v->scale, c->item = rds_binary_int4, c->item_oid = 23;
    rds_table_schema(&t, &schema, NULL);
    pen_builder_new(&b, &schema, NULL);
    fit = v->decode(c, pen_builder_child(b, 0), copy, n);
    if (fit != RDS_FITS)
        pen_builder_null(pen_builder_child(b, 0));
    pen_builder_finish(b, &batch, NULL);
    pen_json_encode_value(&json, schema.children[0], batch.children[0], 0);
    pen_text_append(&json, "", 1);
    ok(fit == v->fit && strcmp(json.bytes, v->json ? v->json : "null") == 0 && pen_array_check(&schema, &batch, NULL) == PEN_OK, "%s, value %d: %s", v->format,
       (int)(v - values), json.bytes);
    pen_text_fini(&json);
    pen_array_release(&batch);
    pen_builder_free(&b);
    pen_schema_release(&schema);
    rds_table_fini(&t);
    free(copy);
}

static void test_tuples(void)
{
    struct rds_cell cells[2];
    ok(rds_binary_tuple((const uint8_t *)"\0\2\0\0\0\1x\xff\xff\xff\xff", 11, cells, 2) && cells[0].n == 1 && !cells[1].bytes, "a tuple");
    ok(!rds_binary_tuple((const uint8_t *)"\0\1\0\0\0\1x", 7, cells, 2), "of too few columns");
    ok(!rds_binary_tuple((const uint8_t *)"\0\2\0\0\0\2x\xff\xff\xff\xff", 11, cells, 2), "a value that leaves no room for the next length");
    ok(!rds_binary_tuple((const uint8_t *)"\0\2\x7f\xff\xff\xffx\xff\xff\xff\xff", 11, cells, 2), "a value longer than the tuple");
    ok(!rds_binary_tuple((const uint8_t *)"\0\2\xff\xff\xff\xff\xff\xff\xff\xffx", 11, cells, 2), "bytes behind the last value");
    ok(!rds_binary_tuple((const uint8_t *)"\0", 1, cells, 2), "half a count");
}

int main(void)
{
    test_url();
    test_sql();
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        test_value(&values[i]);
    test_tuples();
    return done_testing();
}
