/* memory_test.c - every allocation of a connection, its tables and statements fails, once and from then on: the failure is said, nothing leaks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../malloc_fails.h"
#include "../tap.h"

#if !MALLOC_IS_OURS
int main(void)
{
    skip("allocation failures", "the allocator is not ours here");
    return done_testing();
}
#else
#include <sqlite3.h>

#include "cli/print.h"
#include "data/sql.h"
#include "memory_table.h"

static const char *const statements[] = {
    "SELECT a.name, sum(b.id), max(a.at) FROM t a JOIN t b ON a.id = b.id GROUP BY a.name ORDER BY a.name",
    "SELECT count(*) FROM t a JOIN t b ON a.name = b.name AND a.id = b.id",
    "SELECT name, percentile_approx(id, 0.5), median(id) FROM t GROUP BY name",
    "SELECT date_format(at, 'yyyy MMM'), concat_ws('-', name, id), numbers, to_date('3 May 2020', 'd MMM yyyy') FROM t WHERE year(at) > 1970",
};

static struct memory_table *table(void)
{
    struct memory_table *t = calloc(1, sizeof *t);
    struct pen_builder *b;
    struct pen_error err = { 0 };
    pen_schema_init_struct(&t->schema, "", 4, &err);
    pen_schema_init_field(t->schema.children[0], "l", "id", ARROW_FLAG_NULLABLE, 0, &err);
    pen_schema_init_field(t->schema.children[1], "u", "name", ARROW_FLAG_NULLABLE, 0, &err);
    pen_schema_init_field(t->schema.children[2], "tsu:UTC", "at", ARROW_FLAG_NULLABLE, 0, &err);
    pen_schema_init_field(t->schema.children[3], "+l", "numbers", ARROW_FLAG_NULLABLE, 1, &err);
    pen_schema_init_field(t->schema.children[3]->children[0], "g", "item", ARROW_FLAG_NULLABLE, 0, &err);
    pen_builder_new(&b, &t->schema, &err);
    for (int64_t i = 0; i < 40; i++) {
        pen_builder_int64(pen_builder_child(b, 0), i);
        pen_builder_bytes_value(pen_builder_child(b, 1), i % 2 ? "odd" : "even", i % 2 ? 3 : 4);
        pen_builder_int64(pen_builder_child(b, 2), i * INT64_C(10000000000000));
        pen_builder_float64(pen_builder_child(pen_builder_child(b, 3), 0), (double)i / 3);
        pen_builder_end_list(pen_builder_child(b, 3));
        pen_builder_end_struct(b);
        if (i % 10 == 9)
            memory_table_add(t, b, &err);
    }
    pen_builder_free(&b);
    return t;
}

static pen_status print(struct pen_sql *sql, sqlite3_stmt *stmt, struct pen_printer *p, struct pen_error *err)
{
    const char *names[8];
    struct pen_cell cells[8];
    int n = sqlite3_column_count(stmt);
    pen_status st;
    for (int i = 0; i < n; i++)
        if (!(names[i] = sqlite3_column_name(stmt, i)))
            return pen_fail(err, PEN_FATAL, "out of memory");
    st = pen_printer_begin(p, names, (size_t)n, err);
    while (st == PEN_OK && (st = pen_sql_step(sql, stmt, err)) == PEN_OK) {
        for (int i = 0; i < n; i++) {
            const char *text = (const char *)sqlite3_column_text(stmt, i);
            cells[i] = (struct pen_cell){ .kind = text ? PEN_CELL_TEXT : PEN_CELL_NULL, .text = text, .n = text ? strlen(text) : 0 };
        }
        st = pen_printer_row(p, cells, err);
    }
    return st < 0 ? st : pen_printer_end(p, false, err);
}

static pen_status life(struct memory_table *t, const char *text, FILE *out, struct pen_error *err)
{
    struct pen_sql *sql = NULL;
    struct pen_printer *p = NULL;
    struct ArrowSchema schema = { 0 };
    sqlite3_stmt *stmt = NULL;
    const char *rest;
    pen_status st = pen_sql_new(&sql, err);
    if (st == PEN_OK)
        st = pen_schema_copy(&schema, &t->schema, err);
    if (st == PEN_OK)
        st = pen_sql_add_table(sql, "t", &memory_table_ops, t, &schema, t->rows, err);
    if (st == PEN_OK)
        st = pen_sql_prepare(sql, text, &stmt, &rest, err);
    if (st == PEN_OK)
        st = pen_printer_new(&p, out, PEN_PRINT_TABLE, false, err);
    if (st == PEN_OK)
        st = print(sql, stmt, p, err);
    pen_printer_free(&p);
    if (sql)
        pen_sql_finish(sql, &stmt);
    pen_sql_free(&sql);
    pen_schema_release(&schema);
    return st;
}

/* The statement with each allocation failing. */
static void torture(struct memory_table *t, const char *text, FILE *out, bool on)
{
    long leaks = 0, unsaid = 0, failures = 0;
    bool reached = true;
    malloc_fail_on = on;
    for (malloc_fail_at = 0; reached && malloc_fail_at < 100000; malloc_fail_at++) {
        struct pen_error err = { 0 };
        pen_status st;
        malloc_calls = malloc_live = 0;
        malloc_counting = true;
        st = life(t, text, out, &err);
        malloc_counting = false;
        reached = malloc_calls > malloc_fail_at;
        failures += st < 0;
        leaks += malloc_live != 0;
        unsaid += st < 0 && !strstr(err.msg, "out of memory");
        if (malloc_live != 0 || (st < 0 && !strstr(err.msg, "out of memory")))
            printf("# allocation %ld: %ld left, %d %s\n", malloc_fail_at, malloc_live, (int)st, err.msg);
    }
    ok(!reached && failures > 50 && leaks == 0 && unsaid == 0, "%ld allocations fail %s, nothing leaks and each is said: %.60s", failures,
       on ? "from one on" : "one at a time", text);
}

int main(void)
{
    struct memory_table *t = table();
    FILE *out = fopen("/dev/null", "w");
    struct pen_error err = { 0 };
    setvbuf(stdout, NULL, _IONBF, 0);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        ok(life(t, statements[i], out, &err) == PEN_OK, "without a failure all goes well: %.60s %s", statements[i], err.msg);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        torture(t, statements[i], out, false);
        torture(t, statements[i], out, true);
    }
    fclose(out);
    memory_table_free(t);
    return done_testing();
}
#endif
