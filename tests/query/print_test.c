/* print_test.c - rows as a table, JSON lines and CSV, byte for byte. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "../tap.h"
#include "cli/print.h"

static char printed[65536];

static struct pen_cell text(const char *s)
{
    return (struct pen_cell){ .kind = s ? PEN_CELL_TEXT : PEN_CELL_NULL, .text = s, .n = s ? strlen(s) : 0 };
}
static struct pen_cell whole(int64_t v)
{
    return (struct pen_cell){ .kind = PEN_CELL_INT, .i = v };
}
static struct pen_cell real(double v)
{
    return (struct pen_cell){ .kind = PEN_CELL_REAL, .r = v };
}
static struct pen_cell as(struct pen_cell c, pen_cell_kind kind)
{
    c.kind = kind;
    return c;
}

/* Prints rows of n cells each; the outcome is in `printed`. */
static const char *print(pen_print_format format, bool wide, const char *const *names, size_t n, const struct pen_cell *cells, size_t rows)
{
    FILE *f = tmpfile();
    struct pen_printer *p = NULL;
    struct pen_error err = { 0 };
    pen_status st = pen_printer_new(&p, f, format, wide, &err);
    size_t got;
    if (st == PEN_OK)
        st = pen_printer_begin(p, names, n, &err);
    for (size_t i = 0; i < rows && st == PEN_OK; i++)
        st = pen_printer_row(p, cells + i * n, &err);
    if (st == PEN_OK)
        st = pen_printer_end(p, false, &err);
    rewind(f);
    got = fread(printed, 1, sizeof printed - 1, f);
    printed[st < 0 ? 0 : got] = '\0';
    fclose(f);
    pen_printer_free(&p);
    return printed;
}

static void same(const char *got, const char *want, const char *what)
{
    if (!ok(!strcmp(got, want), "%s", what))
        printf("# got  <<%s>>\n# want <<%s>>\n", got, want);
}

int main(void)
{
    static const char *const two[] = { "name", "n" };
    static const char *const odd[] = { "a,b", "say \"x\"", "" };
    const struct pen_cell people[] = { text("Ann"), whole(7), text(NULL), whole(-1200), text("Z\xC3\xBCrich"), as(whole(0), PEN_CELL_NULL) };
    const struct pen_cell strange[] = { text("a\nb"), text(""), text(NULL), text("1,5"), text("q\"q"), real(0.1), text("caf\xC3\xA9"), text(" x "),
                                        as(text("\x01\xFF"), PEN_CELL_BLOB) };
    const struct pen_cell json[] = { text("\x1b[31m\x7f\xC2\x9B\xFF\\\"\n"), as(whole(1), PEN_CELL_BOOL), as(text("[1,null]"), PEN_CELL_JSON),
                                     real(1e300), real(5), text(NULL) };
    const struct pen_cell wide[] = { text("\xE6\x97\xA5\xE6\x9C\xAC"), whole(1), text("e\xCC\x81x"), whole(22),
                                     text("0123456789012345678901234567890123456789!"), whole(3), text("\x1b[31mred\n"), whole(4) };
    same(print(PEN_PRINT_TABLE, false, two, 2, people, 3),
         " name   |     n\n--------+-------\n Ann    |     7\n NULL   | -1200\n Z\xC3\xBCrich |  NULL\n(3 rows)\n", "a table is aligned, numbers to the right");
    same(print(PEN_PRINT_TABLE, false, two, 2, people, 1), " name | n\n------+---\n Ann  | 7\n(1 row)\n", "one row is one row");
    same(print(PEN_PRINT_TABLE, false, two, 2, NULL, 0), " name | n\n------+---\n(0 rows)\n", "no rows have a head too");
    same(print(PEN_PRINT_TABLE, false, two, 2, wide, 4),
         " name                                     |  n\n------------------------------------------+----\n"
         " \xE6\x97\xA5\xE6\x9C\xAC                                     |  1\n e\xCC\x81x                                       | 22\n"
         " 012345678901234567890123456789012345678\xE2\x80\xA6 |  3\n \\x1B[31mred\\n                            |  4\n(4 rows)\n",
         "columns count what a terminal shows, long cells are cut, control characters escaped");
    ok(strstr(print(PEN_PRINT_TABLE, true, two, 2, wide, 4), "90123456789! |") != NULL, "nothing is cut where --wide says so");
    same(print(PEN_PRINT_CSV, false, odd, 3, strange, 3),
         "\"a,b\",\"say \"\"x\"\"\",\"\"\r\n\"a\nb\",\"\",\r\n\"1,5\",\"q\"\"q\",0.1\r\ncaf\xC3\xA9, x ,01ff\r\n",
         "CSV quotes what must be, and tells null from the empty text");
    same(print(PEN_PRINT_JSON, false, odd, 3, json, 2),
         "{\"a,b\":\"\\u001b[31m\\u007f\\u009b\xEF\xBF\xBD\\\\\\\"\\n\",\"say \\\"x\\\"\":true,\"\":[1,null]}\n{\"a,b\":1e300,\"say \\\"x\\\"\":5.0,\"\":null}\n",
         "JSON lines are valid whatever the bytes");
    {
        FILE *full = fopen("/dev/full", "w");
        struct pen_printer *p = NULL;
        struct pen_error err = { 0 };
        pen_printer_new(&p, full, PEN_PRINT_JSON, false, &err);
        pen_printer_begin(p, two, 2, &err);
        pen_printer_row(p, people, &err);
        ok(pen_printer_end(p, false, &err) == PEN_FATAL && strstr(err.msg, "No space left"), "an output that is full is an error: %s", err.msg);
        pen_printer_free(&p);
        fclose(full);
    }
    return done_testing();
}
