/* table_test.c - tables of record batches under SQL: types, what is read of them, joins, and what happens when a batch cannot be read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "memory_table.h"
#include "sql_harness.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct memory_table *table_new(const char *const *pairs, struct pen_builder **b)
{
    struct memory_table *t = calloc(1, sizeof *t);
    struct pen_error err = { 0 };
    if (!t || pen_schema_from_pairs(&t->schema, pairs, &err) < 0 || pen_builder_new(b, &t->schema, &err) < 0) {
        printf("Bail out! %s\n", err.msg);
        exit(1);
    }
    return t;
}

static void flush(struct memory_table *t, struct pen_builder *b)
{
    struct pen_error err = { 0 };
    if (memory_table_add(t, b, &err) < 0) {
        printf("Bail out! %s\n", err.msg);
        exit(1);
    }
}

static void add(struct pen_sql *sql, const char *name, struct memory_table *t, int64_t rows)
{
    struct pen_error err = { 0 };
    struct ArrowSchema copy;
    ok(pen_schema_copy(&copy, &t->schema, &err) == PEN_OK && pen_sql_add_table(sql, name, &memory_table_ops, t, &copy, rows, &err) == PEN_OK &&
       !copy.release, "table %s is taken %s", name, err.msg);
}

static void text(struct pen_builder *b, const char *s)
{
    if (s)
        pen_builder_bytes_value(b, s, strlen(s));
    else
        pen_builder_null(b);
}

/* -- types ------------------------------------------------------------------------------------------------------------------- */

static struct memory_table *types_table(void)
{
    struct memory_table *t = calloc(1, sizeof *t);
    struct pen_builder *b;
    struct pen_error err = { 0 };
    static const struct {
        const char *format, *name;
    } fields[] = { { "b", "flag" }, { "i", "small" }, { "l", "large" }, { "g", "real" }, { "d:10,2", "price" }, { "d:20,0", "whole" },
                   { "u", "text" }, { "z", "bytes" }, { "tdD", "day" }, { "tsu:UTC", "at" } };
    pen_schema_init_struct(&t->schema, "", 12, &err);
    for (size_t i = 0; i < 10; i++)
        pen_schema_init_field(t->schema.children[i], fields[i].format, fields[i].name, ARROW_FLAG_NULLABLE, 0, &err);
    pen_schema_init_field(t->schema.children[10], "+l", "numbers", ARROW_FLAG_NULLABLE, 1, &err);
    pen_schema_init_field(t->schema.children[10]->children[0], "g", "item", ARROW_FLAG_NULLABLE, 0, &err);
    pen_schema_init_field(t->schema.children[11], "+s", "pair", ARROW_FLAG_NULLABLE, 2, &err);
    pen_schema_init_field(t->schema.children[11]->children[0], "u", "a\"b", ARROW_FLAG_NULLABLE, 0, &err);
    pen_schema_init_field(t->schema.children[11]->children[1], "tdD", "d", ARROW_FLAG_NULLABLE, 0, &err);
    pen_builder_new(&b, &t->schema, &err);
    pen_builder_bool(pen_builder_child(b, 0), true);
    pen_builder_int32(pen_builder_child(b, 1), -7);
    pen_builder_int64(pen_builder_child(b, 2), INT64_MIN);
    pen_builder_float64(pen_builder_child(b, 3), 0.1);
    pen_builder_decimal128(pen_builder_child(b, 4), (const uint8_t[16]){ 0xCE, 0x04 });                   /* 1230 → 12.30 */
    pen_builder_decimal128(pen_builder_child(b, 5), (const uint8_t[16]){ 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                                                         0xFF, 0xFF, 0xFF, 0xFF, 0xFF }); /* -2 */
    text(pen_builder_child(b, 6), "caf\xC3\xA9");
    pen_builder_bytes_value(pen_builder_child(b, 7), "\0\xFF", 2);
    pen_builder_int32(pen_builder_child(b, 8), -1);
    pen_builder_int64(pen_builder_child(b, 9), INT64_C(1520604307500000));
    pen_builder_float64(pen_builder_child(pen_builder_child(b, 10), 0), 1);
    pen_builder_null(pen_builder_child(pen_builder_child(b, 10), 0));
    pen_builder_float64(pen_builder_child(pen_builder_child(b, 10), 0), -2.5);
    pen_builder_end_list(pen_builder_child(b, 10));
    text(pen_builder_child(pen_builder_child(b, 11), 0), "x\ny");
    pen_builder_int32(pen_builder_child(pen_builder_child(b, 11), 1), 0);
    pen_builder_end_struct(pen_builder_child(b, 11));
    pen_builder_end_struct(b);
    for (size_t i = 0; i < 12; i++)
        pen_builder_null(pen_builder_child(b, i));
    pen_builder_end_struct(b);
    flush(t, b);
    pen_builder_free(&b);
    return t;
}

static const struct asked types[] = {
    { "SELECT flag, small, large, real, price, whole, text FROM t", "1|-7|-9223372036854775808|0.1|12.3|-2|caf\xC3\xA9\nNULL|NULL|NULL|NULL|NULL|NULL|NULL" },
    { "SELECT hex(bytes), day, at, numbers, pair FROM t WHERE flag",
      "00FF|1969-12-31|2018-03-09 14:05:07.5|[1.0,null,-2.5]|{\"a\\\"b\":\"x\\ny\",\"d\":\"1970-01-01\"}" },
    { "SELECT typeof(flag), typeof(price), typeof(whole), typeof(at), typeof(bytes) FROM t LIMIT 1", "integer|real|integer|text|blob" },
    { "SELECT count(*) FROM t WHERE at > '2018-03-09 14:05:07' AND at < '2018-03-09 14:05:08' AND day < '1970'", "1" },
    { "SELECT date(at), strftime('%Y', at), year(at), json_extract(numbers, '$[2]'), pair ->> 'd' FROM t LIMIT 1",
      "2018-03-09|2018|2018|-2.5|1970-01-01" },
    { "SELECT count(*), count(flag), count(pair) FROM t", "2|1|1" },
    { "SELECT count(*) FROM t WHERE price > '12' AND price = '12.30'", "1" },
};

static void test_types(void)
{
    struct memory_table *t = types_table();
    struct pen_error err = { 0 };
    struct pen_sql *sql;
    pen_sql_new(&sql, &err);
    add(sql, "t", t, t->rows);
    ask_all(sql, types, COUNT(types));
    t->columns_read = 0;
    t->scans = 0;
    ask(sql, "SELECT text FROM t WHERE small = -7 ORDER BY at");
    ok(t->columns_read == (1u << 6 | 1u << 1 | 1u << 9), "only the columns that a statement uses are read");
    ok(t->scans == 1, "and once");
    t->scans = 0;
    ok(!strcmp(ask(sql, "SELECT count(*) FROM t"), "2") && t->scans == 0, "rows that the table knows are counted without reading it");
    pen_sql_free(&sql);
    ok(t->closed == 1, "a table is closed with the connection");
    memory_table_free(t);
}

/* -- joins ------------------------------------------------------------------------------------------------------------------- */

/* n rows: id = i * step + first, name "nI" (null each 7th), in batches of 10 with an empty one among them. */
static struct memory_table *numbered(int64_t n, int64_t step, int64_t first)
{
    static const char *const pairs[] = { "l", "id", "u", "name", "g", "real", NULL };
    struct pen_builder *b;
    struct memory_table *t = table_new(pairs, &b);
    char name[32];
    for (int64_t i = 0; i < n; i++) {
        pen_builder_int64(pen_builder_child(b, 0), i * step + first);
        snprintf(name, sizeof name, "n%lld", (long long)i);
        text(pen_builder_child(b, 1), i % 7 ? name : NULL);
        pen_builder_float64(pen_builder_child(b, 2), (double)i);
        pen_builder_end_struct(b);
        if (i % 10 == 9)
            flush(t, b);
        if (i == n / 2) {
            flush(t, b);
            flush(t, b);
        }
    }
    flush(t, b);
    pen_builder_free(&b);
    return t;
}

static const struct asked joins[] = {
    { "SELECT count(*), sum(a.id), sum(b.real) FROM a JOIN b ON a.id = b.id", "34|1683|561.0" },
    { "SELECT count(*) FROM a JOIN c ON a.id = c.id", "1" },
    { "SELECT count(*) FROM a JOIN b USING (id) JOIN c USING (id)", "1" },
    { "SELECT count(*), count(b.id) FROM a LEFT JOIN b ON a.id = b.id", "100|34" },
    { "SELECT count(*) FROM a JOIN b ON a.name = b.name", "85" },
    { "SELECT a.name, b.name FROM a JOIN b ON a.name = b.name AND a.id = b.id + 0 WHERE a.id < 3 ORDER BY 1", "" },
    { "SELECT count(*) FROM a JOIN b ON a.name = b.name AND a.real = b.real", "85" },
    { "SELECT count(*) FROM a JOIN b ON a.real = b.id", "34" },
    { "SELECT count(*) FROM a x JOIN a y ON x.id = y.real", "100" },
    { "SELECT count(*) FROM a WHERE id = 40", "1" },
    { "SELECT count(*) FROM a WHERE id = '40' AND real = 40", "1" },
    { "SELECT count(*) FROM a WHERE id = (SELECT max(id) FROM b WHERE id < 50)", "1" },
    { "SELECT count(*) FROM a WHERE id IN (1, 2, 500)", "2" },
    { "SELECT count(*) FROM a WHERE id IN (SELECT id FROM b)", "34" },
    { "SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.id = a.id)", "34" },
    { "SELECT count(*) FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.id = a.id)", "66" },
    { "SELECT count(*) FROM a, b", "10000" },
    { "SELECT count(*) FROM a JOIN b ON a.id < b.id", "8283" },
    { "SELECT count(*) FROM a JOIN b ON a.name = b.name COLLATE NOCASE", "85" },
    { "SELECT count(*) FROM (SELECT 'N1' AS name) x JOIN a ON a.name = x.name COLLATE NOCASE", "1" },
    { "SELECT count(*) FROM a RIGHT JOIN b ON a.id = b.id WHERE a.id IS NULL", "66" },
    { "SELECT count(*) FROM (SELECT '7' AS v UNION ALL SELECT 7.0 UNION ALL SELECT 'x' UNION ALL SELECT NULL UNION ALL SELECT 7.5) x JOIN a ON a.id = x.v", "2" },
    { "SELECT count(*) FROM (SELECT 1 AS v UNION ALL SELECT '01') x JOIN texts ON texts.name = x.v", "2" },
    { "SELECT (SELECT count(*) FROM a WHERE a.id = b.id) FROM b WHERE b.id BETWEEN 96 AND 103 ORDER BY b.id", "1\n1\n0" },
    { "SELECT count(*) FROM wide x JOIN wide y ON x.id = y.id", "50" },
    { "SELECT count(*), count(name) FROM a WHERE rowid BETWEEN 10 AND 19", "10|9" },
    { "WITH m AS (SELECT max(real) AS top FROM a) SELECT id FROM a JOIN m ON a.real = m.top", "99" },
    { "SELECT count(*) FROM a JOIN none USING (id)", "0" },
    { "SELECT count(*) FROM none LEFT JOIN a USING (id)", "0" },
};

static void test_joins(void)
{
    static const char *const text_pairs[] = { "u", "name", NULL };
    struct pen_builder *b;
    struct memory_table *t[6] = { numbered(100, 1, 0), numbered(100, 3, 0), numbered(100, 1000, -961), numbered(50, INT64_C(1) << 40, 5),
                                  numbered(0, 1, 0), table_new(text_pairs, &b) };
    static const char *const names[] = { "a", "b", "c", "wide", "none", "texts" };
    struct pen_error err = { 0 };
    struct pen_sql *sql;
    /* texts of which a number equals two by value, one by its bytes */
    for (const char *const *s = (const char *const[]){ "01", "1", "one", NULL }; *s; s++) {
        text(pen_builder_child(b, 0), *s);
        pen_builder_end_struct(b);
    }
    flush(t[5], b);
    pen_builder_free(&b);
    pen_sql_new(&sql, &err);
    for (size_t i = 0; i < 6; i++)
        add(sql, names[i], t[i], i == 1 ? -1 : t[i]->rows);
    ask_all(sql, joins, COUNT(joins));
    t[0]->scans = t[1]->scans = 0;
    ask(sql, "SELECT count(*) FROM a JOIN b ON a.id = b.id");
    ok(t[0]->scans == 1 && t[1]->scans == 1, "a join reads each table once");
    t[0]->scans = t[1]->scans = 0;
    ask(sql, "SELECT count(a.name) FROM b JOIN a ON a.id < b.id");
    ok(t[0]->scans <= 3 && t[1]->scans <= 3, "a join without an equality reads no table again for each row");
    pen_sql_free(&sql);
    for (size_t i = 0; i < 6; i++)
        memory_table_free(t[i]);
}

/* -- faults ------------------------------------------------------------------------------------------------------------------ */

static void test_faults(void)
{
    static const char *const twice[] = { "l", "id", "u", "ID", NULL };
    struct memory_table *t = numbered(40, 1, 0);
    struct pen_error err = { 0 };
    struct ArrowSchema schema;
    struct pen_sql *sql;
    pen_sql_new(&sql, &err);
    add(sql, "select", t, t->rows);
    ok(!strcmp(ask(sql, "SELECT count(id) FROM \"select\""), "40"), "a table may be called as a keyword is");
    t->fail_at = 3;
    ok(!strcmp(ask(sql, "SELECT sum(id) FROM \"select\""), "E-4:batch 2 is damaged"), "a batch that cannot be read ends the statement: %s", answer);
    ok(!strcmp(ask(sql, "SELECT count(*) FROM \"select\" a JOIN \"select\" b ON a.id = b.id"), "E-4:batch 2 is damaged"), "in a join too: %s", answer);
    t->fail_at = 0;
    ok(!strcmp(ask(sql, "SELECT sum(id) FROM \"select\""), "780"), "and the next statement reads again");
    ok(!strcmp(ask(sql, "SELECT nowhere FROM \"select\""), "E-3:no such column: nowhere"), "SQLite's own words: %s", answer);
    ok(!strcmp(ask(sql, "SELEC"), "E-3:near \"SELEC\": syntax error"), "and for syntax: %s", answer);
    pen_schema_from_pairs(&schema, twice, &err);
    err.msg[0] = '\0';
    ok(pen_sql_add_table(sql, "twice", &memory_table_ops, t, &schema, 0, &err) == PEN_BADCONF && strstr(err.msg, "duplicate column"),
       "names that SQLite cannot tell apart are refused: %s", err.msg);
    ok(schema.release != NULL, "and the schema stays the caller's");
    pen_schema_release(&schema);
    pen_sql_interrupt(sql);
    ok(!strcmp(ask(sql, "SELECT sum(id) FROM \"select\""), "E-4:interrupted"), "an interrupt ends statements: %s", answer);
    pen_sql_free(&sql);
    memory_table_free(t);
}

int main(void)
{
    test_types();
    test_joins();
    test_faults();
    return done_testing();
}
