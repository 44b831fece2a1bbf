/* query.c - penstock query: SQL over tables. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "cli/cli.h"
#include "cli/print.h"
#include "cli/tables.h"
#include "data/sql.h"

#define SQL_FILE_MAX (16u << 20)

static const char usage[] =
    "Usage: penstock query [OPTION]... SQL NAME=PATH...\n"
    "       penstock query [OPTION]... --file FILE NAME=PATH...\n"
    "\n"
    "Runs SQL over tables, each known in it by its NAME, and prints the rows.\n"
    "\n"
    "  --file=FILE  read the SQL from a file, `-` for standard input\n"
    "  --json       JSON lines\n"
    "  --csv        CSV (RFC 4180): null is an empty field, the empty text \"\"\n"
    "  --wide       do not cut long values\n"
    "  --limit=N    print at most N rows of each result\n"
    "  --help       this text\n"
    "\n"
    "The SQL is SQLite's, with these functions as Spark has them: percentile_approx percentile median; year quarter month\n"
    "weekofyear day dayofmonth dayofyear dayofweek weekday hour minute second; to_timestamp to_date unix_timestamp from_unixtime\n"
    "date_format datediff date_add date_sub add_months last_day date_trunc trunc; if nvl nvl2 greatest least concat concat_ws.\n"
    "Timestamps and dates are text (2021-01-05 12:34:56, UTC), booleans 0 and 1, decimals numbers, lists and structs JSON.\n"
    "\n"
    "Exit status: 0 done, 1 a table could not be read, 2 the SQL or the command line is wrong.\n";

struct query_options {
    pen_print_format format;
    bool wide;
    int64_t limit; /* -1: none */
    const char *file, *sql;
    char **tables; /* NAME=PATH */
    int n_tables;
};

static struct pen_sql *interruptible;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    pen_sql_interrupt(interruptible);
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct query_options *o)
{
    static const struct option known[] = { { "file", required_argument, NULL, 'f' }, { "json", no_argument, NULL, 'j' },
                                           { "csv", no_argument, NULL, 'c' },        { "wide", no_argument, NULL, 'w' },
                                           { "limit", required_argument, NULL, 'n' }, { 0 } };
    char *end;
    int c;
    *o = (struct query_options){ .limit = -1 };
    while ((c = pen_cli_option(argc, argv, known)) != -1)
        switch (c) {
        case 'f':
            o->file = optarg;
            break;
        case 'j':
        case 'c':
            if (o->format != PEN_PRINT_TABLE)
                return pen_cli_usage("query", "one of --json and --csv, once");
            o->format = c == 'j' ? PEN_PRINT_JSON : PEN_PRINT_CSV;
            break;
        case 'w':
            o->wide = true;
            break;
        case 'n':
            errno = 0;
            o->limit = strtoll(optarg, &end, 10);
            if (errno || end == optarg || *end || o->limit < 0)
                return pen_cli_usage("query", "--limit=%s: expected a whole number of rows", optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            return pen_cli_flush();
        default:
            return PEN_EXIT_USAGE;
        }
    if (!o->file && optind == argc)
        return pen_cli_usage("query", "the SQL is missing");
    if (!o->file)
        o->sql = argv[optind++];
    o->tables = argv + optind;
    o->n_tables = argc - optind;
    for (int i = 0; i < o->n_tables; i++)
        if (!strchr(o->tables[i], '=') || o->tables[i][0] == '=')
            return pen_cli_usage("query", "%s: expected NAME=PATH", o->tables[i]);
    return -1;
}

/* The whole of a text file; *text is the caller's. */
static pen_status read_sql(const char *path, char **text, struct pen_error *err)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
    struct pen_text g = { 0 };
    char piece[8192];
    size_t n;
    pen_status st = PEN_OK;
    if (!f)
        return pen_fail(err, PEN_BADCONF, "%s: %s", path, strerror(errno));
    while (g.n <= SQL_FILE_MAX && (n = fread(piece, 1, sizeof piece, f)) > 0)
        pen_text_append(&g, piece, n);
    if (ferror(f))
        st = pen_fail(err, PEN_BADCONF, "%s: %s", path, strerror(errno));
    else if (g.n > SQL_FILE_MAX)
        st = pen_fail(err, PEN_BADCONF, "%s: more than %u bytes of SQL", path, SQL_FILE_MAX);
    else if (g.n && memchr(g.bytes, 0, g.n))
        st = pen_fail(err, PEN_BADCONF, "%s holds a NUL byte; it is no SQL", path);
    pen_text_char(&g, '\0');
    if (f != stdin)
        fclose(f);
    if (st == PEN_OK && g.failed)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    if (st < 0)
        pen_text_fini(&g);
    *text = g.bytes;
    return st;
}

static pen_status add_table(struct pen_sql *sql, struct pen_tables *tables, char *name_and_path, struct pen_error *err)
{
    char *path = strchr(name_and_path, '=');
    const struct pen_plugin *plugin;
    struct ArrowSchema schema = { 0 };
    void *handle = NULL;
    int64_t rows = -1;
    pen_status st;
    *path++ = '\0';
    st = pen_tables_find(tables, path, &plugin, err);
    if (st == PEN_OK)
        st = plugin->table->open(&tables->host, path, &handle, &schema, &rows, err);
    if (st < 0)
        return st == PEN_BADCONF ? st : PEN_FATAL;
    st = pen_schema_check(&schema, err);
    if (st == PEN_OK)
        st = pen_sql_add_table(sql, name_and_path, plugin->table, handle, &schema, rows, err);
    if (st < 0) {
        plugin->table->close(handle);
        pen_schema_release(&schema);
    }
    return st;
}

/* -- a statement -------------------------------------------------------------------------------------------------------------- */

static void read_cell(sqlite3_stmt *stmt, int i, struct pen_cell *cell)
{
    const char *declared = sqlite3_column_decltype(stmt, i); /* what a table's column was declared as; see sql_table.c */
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        cell->kind = declared && !strcmp(declared, "BOOLEAN") ? PEN_CELL_BOOL : PEN_CELL_INT;
        cell->i = sqlite3_column_int64(stmt, i);
        break;
    case SQLITE_FLOAT:
        cell->kind = PEN_CELL_REAL;
        cell->r = sqlite3_column_double(stmt, i);
        break;
    case SQLITE_TEXT:
        cell->kind = declared && !strcmp(declared, "JSON TEXT") ? PEN_CELL_JSON : PEN_CELL_TEXT;
        cell->text = (const char *)sqlite3_column_text(stmt, i);
        cell->n = (size_t)sqlite3_column_bytes(stmt, i);
        break;
    case SQLITE_BLOB:
        cell->kind = PEN_CELL_BLOB;
        cell->text = sqlite3_column_blob(stmt, i);
        cell->n = (size_t)sqlite3_column_bytes(stmt, i);
        break;
    default:
        cell->kind = PEN_CELL_NULL;
    }
    if ((cell->kind == PEN_CELL_TEXT || cell->kind == PEN_CELL_JSON || cell->kind == PEN_CELL_BLOB) && !cell->text)
        cell->text = "";
}

static pen_status print_rows(struct pen_sql *sql, sqlite3_stmt *stmt, struct pen_printer *p, int64_t limit, struct pen_error *err)
{
    int n = sqlite3_column_count(stmt);
    const char **names = calloc((size_t)n + 1, sizeof *names);
    struct pen_cell *cells = calloc((size_t)n + 1, sizeof *cells);
    pen_status begun = PEN_OK, st = names && cells ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
    for (int i = 0; i < n && st == PEN_OK; i++)
        if (!(names[i] = sqlite3_column_name(stmt, i)))
            st = pen_fail(err, PEN_FATAL, "out of memory");
    if (st == PEN_OK && (st = pen_sql_step(sql, stmt, err)) >= 0 && n > 0)
        begun = pen_printer_begin(p, names, (size_t)n, err); /* not before the first row: most mistakes show by then */
    for (int64_t row = 0; st == PEN_OK && begun == PEN_OK && (limit < 0 || row < limit); row++) {
        for (int i = 0; i < n; i++)
            read_cell(stmt, i, &cells[i]);
        st = n > 0 ? pen_printer_row(p, cells, err) : PEN_OK;
        if (st == PEN_OK)
            st = pen_sql_step(sql, stmt, err);
    }
    if (begun < 0)
        st = begun;
    if (st >= 0 && n > 0)
        st = pen_printer_end(p, st == PEN_OK, err);
    free(cells);
    free(names);
    return st < 0 ? st : PEN_OK;
}

static pen_status run_statements(struct pen_sql *sql, const char *text, const struct query_options *o, struct pen_error *err)
{
    struct pen_printer *p = NULL;
    pen_status st = pen_printer_new(&p, stdout, o->format, o->wide, err);
    while (st == PEN_OK && *text) {
        sqlite3_stmt *stmt = NULL;
        st = pen_sql_prepare(sql, text, &stmt, &text, err);
        if (st == PEN_OK && stmt)
            st = print_rows(sql, stmt, p, o->limit, err);
        pen_sql_finish(sql, &stmt);
    }
    pen_printer_free(&p);
    return st;
}

int pen_cli_query(int argc, char **argv)
{
    struct query_options o;
    struct pen_error err = { 0 };
    struct pen_tables tables = { 0 };
    struct pen_sql *sql = NULL;
    char *text = NULL;
    int status = parse(argc, argv, &o);
    pen_status st = PEN_OK;
    if (status >= 0)
        return status;
    signal(SIGPIPE, SIG_DFL); /* `penstock query ... | head` just ends */
    if (o.file)
        st = read_sql(o.file, &text, &err);
    if (st == PEN_OK)
        st = pen_tables_open(&tables, "query", (const char *const *)o.tables, (size_t)o.n_tables, &err);
    if (st == PEN_OK)
        st = pen_sql_new(&sql, &err);
    for (int i = 0; i < o.n_tables && st == PEN_OK; i++)
        st = add_table(sql, &tables, o.tables[i], &err);
    if (st == PEN_OK) {
        struct sigaction act = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND }; /* the second one kills */
        interruptible = sql;
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGTERM, &act, NULL);
        st = run_statements(sql, text ? text : o.sql, &o, &err);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
    }
    status = st < 0 ? pen_cli_failed(&err) : PEN_EXIT_DONE;
    pen_sql_free(&sql);
    pen_tables_close(&tables);
    free(text);
    return status;
}
