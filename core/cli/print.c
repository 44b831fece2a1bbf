/* print.c - see print.h. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/print.h"
#include "ops/text.h"

#define CELL_COLUMNS 40 /* a table's cells are cut beyond */
#define HELD_ROWS 1000  /* of a table, to see how wide its columns are */
#define ELLIPSIS "\xE2\x80\xA6"

struct column {
    char *name;
    size_t width; /* 0 until known */
    bool text;    /* some cell is no number: to the left */
};

struct held_cell {
    size_t at, n; /* in pen_printer.held */
    bool text;
};

struct pen_printer {
    FILE *file;
    pen_print_format format;
    bool wide, terminal;
    struct column *columns;
    size_t n_columns;
    size_t rows, results;
    struct pen_text line;
    struct pen_text held;      /* text of the cells that wait for their columns' widths */
    struct held_cell *cells;
    size_t n_cells, room_cells;
    bool laid_out;
};

pen_status pen_printer_new(struct pen_printer **out, FILE *file, pen_print_format format, bool wide, struct pen_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return pen_fail(err, PEN_FATAL, "out of memory");
    (*out)->file = file;
    (*out)->format = format;
    (*out)->wide = wide;
    (*out)->terminal = isatty(fileno(file));
    return PEN_OK;
}

static void forget_columns(struct pen_printer *p)
{
    for (size_t i = 0; i < p->n_columns; i++)
        free(p->columns[i].name);
    free(p->columns);
    p->columns = NULL;
    p->n_columns = p->n_cells = p->rows = 0;
    p->held.n = 0;
    p->laid_out = false;
}

void pen_printer_free(struct pen_printer **p)
{
    if (!*p)
        return;
    forget_columns(*p);
    free((*p)->cells);
    pen_text_fini(&(*p)->line);
    pen_text_fini(&(*p)->held);
    free(*p);
    *p = NULL;
}

static pen_status write_line(struct pen_printer *p, struct pen_error *err)
{
    if (p->line.failed)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (p->line.n && fwrite(p->line.bytes, 1, p->line.n, p->file) != p->line.n)
        return pen_fail(err, PEN_FATAL, "standard output: %s", strerror(errno));
    p->line.n = 0;
    return PEN_OK;
}

/* -- tables ------------------------------------------------------------------------------------------------------------------ */

static size_t text_width(const char *text, size_t n)
{
    size_t width = 0, bytes;
    for (size_t i = 0; i < n; i += bytes)
        width += (size_t)pen_display_width(text + i, n - i, &bytes);
    return width;
}

/* Adds text as one printable line; where it is wider than `columns` it is cut and ends in an ellipsis. */
static void add_shown(struct pen_text *g, const char *text, size_t n, size_t columns)
{
    size_t width = 0, room_at = g->n, bytes, shown_n;
    size_t most = columns < SIZE_MAX / 16 && n > columns * 16 + 16 ? columns * 16 + 16 : n; /* a huge cell is not escaped whole */
    char *shown = malloc(most * 4 + 1);
    if (!shown) {
        g->failed = true;
        return;
    }
    shown_n = pen_text_escape(shown, most * 4 + 1, text, most);
    for (size_t i = 0; i < shown_n; i += bytes) {
        size_t w = (size_t)pen_display_width(shown + i, shown_n - i, &bytes);
        if (width + w > columns) {
            g->n = room_at;
            pen_text_put(g, ELLIPSIS);
            break;
        }
        pen_text_append(g, shown + i, bytes);
        width += w;
        if (width + 1 <= columns)
            room_at = g->n;
    }
    free(shown);
}

static void add_cell(struct pen_printer *p, struct pen_text *g, const struct pen_cell *cell)
{
    struct pen_text plain = { 0 };
    size_t columns = p->wide ? SIZE_MAX : CELL_COLUMNS;
    if (cell->kind == PEN_CELL_NULL) {
        pen_text_put(g, "NULL");
    } else if (cell->kind == PEN_CELL_TEXT || cell->kind == PEN_CELL_JSON) {
        add_shown(g, cell->text, cell->n, columns);
    } else {
        if (cell->kind == PEN_CELL_BLOB)
            pen_text_hex(&plain, cell->text, cell->n > columns ? columns : cell->n);
        else if (cell->kind == PEN_CELL_REAL)
            pen_text_real(&plain, cell->r);
        else
            pen_text_json_cell(&plain, cell);
        add_shown(g, plain.n ? plain.bytes : "", plain.n, columns);
        g->failed |= plain.failed;
        pen_text_fini(&plain);
    }
}

static void add_spaces(struct pen_text *g, size_t n)
{
    while (n-- > 0)
        pen_text_char(g, ' ');
}

static void add_aligned(struct pen_printer *p, size_t column, const char *text, size_t n, bool left)
{
    const struct column *c = &p->columns[column];
    size_t width = text_width(text, n), gap = c->width > width ? c->width - width : 0;
    pen_text_put(&p->line, column ? " | " : " ");
    if (!left)
        add_spaces(&p->line, gap);
    pen_text_append(&p->line, text, n);
    if (left && column + 1 < p->n_columns)
        add_spaces(&p->line, gap);
}

static pen_status print_held_row(struct pen_printer *p, const struct held_cell *cells, struct pen_error *err)
{
    for (size_t i = 0; i < p->n_columns; i++)
        add_aligned(p, i, p->held.n ? p->held.bytes + cells[i].at : "", cells[i].n, cells[i].text || p->columns[i].text);
    pen_text_char(&p->line, '\n');
    return write_line(p, err);
}

/* Head and held rows, once the widths are known. */
static pen_status lay_out(struct pen_printer *p, struct pen_error *err)
{
    pen_status st;
    if (p->held.failed)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < p->n_cells; i++) {
        struct column *c = &p->columns[i % p->n_columns];
        size_t width = text_width(p->held.bytes + p->cells[i].at, p->cells[i].n);
        c->width = width > c->width ? width : c->width;
        c->text |= p->cells[i].text;
    }
    for (size_t i = 0; i < p->n_columns; i++)
        add_aligned(p, i, p->columns[i].name, strlen(p->columns[i].name), p->columns[i].text);
    pen_text_char(&p->line, '\n');
    for (size_t i = 0; i < p->n_columns; i++) {
        pen_text_put(&p->line, i ? "+" : "");
        for (size_t dash = 0; dash < p->columns[i].width + 2; dash++)
            pen_text_char(&p->line, '-');
    }
    pen_text_char(&p->line, '\n');
    st = write_line(p, err);
    for (size_t i = 0; i < p->n_cells && st == PEN_OK; i += p->n_columns)
        st = print_held_row(p, p->cells + i, err);
    p->laid_out = true;
    p->n_cells = 0;
    p->held.n = 0;
    return st;
}

static pen_status table_row(struct pen_printer *p, const struct pen_cell *cells, struct pen_error *err)
{
    if (p->room_cells - p->n_cells < p->n_columns) {
        size_t room = (p->room_cells + p->n_columns) * 2;
        struct held_cell *grown = realloc(p->cells, room * sizeof *grown);
        if (!grown)
            return pen_fail(err, PEN_FATAL, "out of memory");
        p->cells = grown;
        p->room_cells = room;
    }
    for (size_t i = 0; i < p->n_columns; i++) {
        struct held_cell *c = &p->cells[p->n_cells++];
        c->at = p->held.n;
        add_cell(p, &p->held, &cells[i]);
        c->n = p->held.n - c->at;
        c->text = cells[i].kind != PEN_CELL_INT && cells[i].kind != PEN_CELL_REAL && cells[i].kind != PEN_CELL_NULL;
    }
    if (p->held.failed)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (p->laid_out) {
        pen_status st = print_held_row(p, p->cells, err);
        p->n_cells = 0;
        p->held.n = 0;
        return st;
    }
    return p->rows + 1 == HELD_ROWS ? lay_out(p, err) : PEN_OK;
}

static pen_status table_end(struct pen_printer *p, bool more, struct pen_error *err)
{
    char count[64];
    pen_status st = p->laid_out ? PEN_OK : lay_out(p, err);
    snprintf(count, sizeof count, "(%zu row%s%s)\n", p->rows, p->rows == 1 ? "" : "s", more ? ", and there are more" : "");
    pen_text_put(&p->line, count);
    return st < 0 ? st : write_line(p, err);
}

/* -- JSON lines and CSV ------------------------------------------------------------------------------------------------------- */

static pen_status json_row(struct pen_printer *p, const struct pen_cell *cells, struct pen_error *err)
{
    for (size_t i = 0; i < p->n_columns; i++) {
        pen_text_char(&p->line, i ? ',' : '{');
        pen_text_json_string(&p->line, p->columns[i].name, strlen(p->columns[i].name));
        pen_text_char(&p->line, ':');
        pen_text_json_cell(&p->line, &cells[i]);
    }
    pen_text_put(&p->line, "}\n");
    return write_line(p, err);
}

static void csv_text(struct pen_printer *p, const char *text, size_t n)
{
    char *shown = NULL;
    bool quote = n == 0;
    if (p->terminal && n > 0) {
        if (!(shown = malloc(n * 4 + 1))) {
            p->line.failed = true;
            return;
        }
        n = pen_text_escape(shown, n * 4 + 1, text, n);
        text = shown;
    }
    for (size_t i = 0; i < n && !quote; i++)
        quote = text[i] == ',' || text[i] == '"' || text[i] == '\r' || text[i] == '\n';
    if (quote)
        pen_text_char(&p->line, '"');
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"')
            pen_text_char(&p->line, '"');
        pen_text_char(&p->line, text[i]);
    }
    if (quote)
        pen_text_char(&p->line, '"');
    free(shown);
}

static pen_status csv_row(struct pen_printer *p, const struct pen_cell *cells, struct pen_error *err)
{
    for (size_t i = 0; i < p->n_columns; i++) {
        const struct pen_cell *c = &cells[i];
        if (i)
            pen_text_char(&p->line, ',');
        if (c->kind == PEN_CELL_TEXT || c->kind == PEN_CELL_JSON)
            csv_text(p, c->text, c->n);
        else if (c->kind == PEN_CELL_BLOB)
            pen_text_hex(&p->line, c->text, c->n);
        else if (c->kind == PEN_CELL_REAL)
            pen_text_real(&p->line, c->r);
        else if (c->kind != PEN_CELL_NULL)
            pen_text_json_cell(&p->line, c);
    }
    pen_text_put(&p->line, "\r\n");
    return write_line(p, err);
}

/* -- results ----------------------------------------------------------------------------------------------------------------- */

pen_status pen_printer_begin(struct pen_printer *p, const char *const *names, size_t n, struct pen_error *err)
{
    struct pen_text shown = { 0 };
    forget_columns(p);
    if (p->format == PEN_PRINT_TABLE && p->results > 0)
        pen_text_char(&p->line, '\n');
    p->results++;
    if (!(p->columns = calloc(n + 1, sizeof *p->columns)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (p->n_columns = 0; p->n_columns < n; p->n_columns++) {
        const char *name = names[p->n_columns];
        shown.n = 0;
        if (p->format == PEN_PRINT_TABLE)
            add_shown(&shown, name, strlen(name), p->wide ? SIZE_MAX : CELL_COLUMNS);
        else
            pen_text_put(&shown, name);
        pen_text_char(&shown, '\0');
        if (shown.failed || !(p->columns[p->n_columns].name = strdup(shown.bytes)))
            break;
        p->columns[p->n_columns].width = text_width(shown.bytes, shown.n - 1);
    }
    pen_text_fini(&shown);
    if (p->n_columns < n)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (p->format != PEN_PRINT_CSV)
        return PEN_OK;
    for (size_t i = 0; i < n; i++) {
        if (i)
            pen_text_char(&p->line, ',');
        csv_text(p, p->columns[i].name, strlen(p->columns[i].name));
    }
    pen_text_put(&p->line, "\r\n");
    return write_line(p, err);
}

pen_status pen_printer_row(struct pen_printer *p, const struct pen_cell *cells, struct pen_error *err)
{
    pen_status st;
    switch (p->format) {
    case PEN_PRINT_JSON:
        st = json_row(p, cells, err);
        break;
    case PEN_PRINT_CSV:
        st = csv_row(p, cells, err);
        break;
    default:
        st = table_row(p, cells, err);
    }
    p->rows++;
    return st;
}

pen_status pen_printer_end(struct pen_printer *p, bool more, struct pen_error *err)
{
    pen_status st = p->format == PEN_PRINT_TABLE ? table_end(p, more, err) : PEN_OK;
    if (st == PEN_OK && fflush(p->file) != 0)
        st = pen_fail(err, PEN_FATAL, "standard output: %s", strerror(errno));
    return st;
}

pen_status pen_printer_batch(struct pen_printer *p, const struct ArrowSchema *schema, const struct ArrowArray *batch, struct pen_error *err)
{
    size_t n = (size_t)schema->n_children;
    const char **names = calloc(n + 1, sizeof *names);
    struct pen_cells *columns = calloc(n + 1, sizeof *columns);
    struct pen_cell *cells = calloc(n + 1, sizeof *cells);
    struct pen_text *scratch = calloc(n + 1, sizeof *scratch);
    pen_status st = names && columns && cells && scratch ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < n && st == PEN_OK; i++) {
        names[i] = schema->children[i]->name ? schema->children[i]->name : "";
        pen_cells_init(&columns[i], schema->children[i]);
        pen_cells_point(&columns[i], batch->children[i]);
    }
    if (st == PEN_OK)
        st = pen_printer_begin(p, names, n, err);
    for (int64_t row = 0; st == PEN_OK && row < batch->length; row++) {
        for (size_t i = 0; i < n && st == PEN_OK; i++)
            st = pen_cell_read(&cells[i], &columns[i], row, &scratch[i], err);
        if (st == PEN_OK)
            st = pen_printer_row(p, cells, err);
    }
    if (st == PEN_OK)
        st = pen_printer_end(p, false, err);
    for (size_t i = 0; scratch && i < n; i++)
        pen_text_fini(&scratch[i]);
    free(scratch);
    free(cells);
    free(columns);
    free(names);
    return st;
}
