/* csv.c - CSV after RFC 4180: quoted cells may hold delimiters, quotes (doubled) and line breaks.
 *
 * A cell that is not quoted and looks like a JSON number, true or false becomes just that (a utf8 column keeps its bytes as they are), an empty
 * one null; all else is a string. A quote that is never closed would swallow the rest of the file: then the line it stands on is rejected and
 * reading goes on behind it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

typedef enum { CELL_MORE, CELL_LAST, CELL_CUT, CELL_BROKEN } cell_end; /* another follows; row's last; bytes are missing; text behind a quote */

struct cell {
    const char *s;
    size_t n;
    bool quoted, doubled; /* doubled: holds "" for " */
};

/* The cell at *at; *at then stands behind its delimiter or line break. */
static cell_end next_cell(char delimiter, const char *bytes, size_t n, bool at_end, size_t *at, struct cell *cell)
{
    size_t i = *at;
    *cell = (struct cell){ 0 };
    if (i < n && bytes[i] == '"') {
        cell->quoted = true;
        cell->s = bytes + ++i;
        for (;; i += 2) {
            const char *q = memchr(bytes + i, '"', n - i);
            if (!q)
                return CELL_CUT;
            i = (size_t)(q - bytes);
            if (i + 1 == n && !at_end)
                return CELL_CUT; /* another quote may follow */
            if (i + 1 == n || bytes[i + 1] != '"')
                break;
            cell->doubled = true;
        }
        cell->n = (size_t)(bytes + i - cell->s);
        i++;
    } else {
        cell->s = bytes + i;
        while (i < n && bytes[i] != delimiter && bytes[i] != '\n')
            i++;
        cell->n = (size_t)(bytes + i - cell->s);
        if (i < n && bytes[i] == '\n' && cell->n && cell->s[cell->n - 1] == '\r')
            cell->n--;
        else if (i == n && at_end && cell->n && cell->s[cell->n - 1] == '\r')
            cell->n--;
    }
    if (cell->quoted && i < n && bytes[i] == '\r' && (i + 1 < n ? bytes[i + 1] == '\n' : true)) {
        if (i + 1 == n && !at_end)
            return CELL_CUT;
        i++;
    }
    if (i == n) {
        *at = n;
        return at_end ? CELL_LAST : CELL_CUT;
    }
    *at = i + 1;
    return bytes[i] == delimiter ? CELL_MORE : bytes[i] == '\n' ? CELL_LAST : CELL_BROKEN;
}

/* A JSON string. What is no UTF-8 stays, for the decoder to find. */
static void put_string(struct pen_text *t, const struct cell *cell)
{
    const char *s = cell->s, *end = s + cell->n;
    pen_text_append(t, "\"", 1);
    while (s < end) {
        const char *run = s;
        while (s < end && *s != '"' && *s != '\\' && (unsigned char)*s >= 0x20)
            s++;
        pen_text_append(t, run, (size_t)(s - run));
        if (s == end)
            break;
        if (*s == '"' || *s == '\\') {
            pen_text_append(t, "\\", 1);
            pen_text_append(t, s, 1);
            s += *s == '"' && cell->doubled ? 2 : 1;
        } else {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)*s++);
            pen_text_append(t, escape, 6);
        }
    }
    pen_text_append(t, "\"", 1);
}

/* RFC 8259, section 6. */
static bool is_number(const char *s, size_t n)
{
    const char *end = s + n;
    if (s < end && *s == '-')
        s++;
    if (s == end || *s < '0' || *s > '9' || (*s == '0' && s + 1 < end && s[1] >= '0' && s[1] <= '9'))
        return false;
    while (s < end && *s >= '0' && *s <= '9')
        s++;
    if (s < end && *s == '.') {
        if (++s == end || *s < '0' || *s > '9')
            return false;
        while (s < end && *s >= '0' && *s <= '9')
            s++;
    }
    if (s < end && (*s == 'e' || *s == 'E')) {
        s++;
        if (s < end && (*s == '+' || *s == '-'))
            s++;
        if (s == end || *s < '0' || *s > '9')
            return false;
        while (s < end && *s >= '0' && *s <= '9')
            s++;
    }
    return s == end;
}

bool csv_is_literal(const char *s, size_t n)
{
    return (n == 4 && memcmp(s, "true", 4) == 0) || (n == 5 && memcmp(s, "false", 5) == 0) || is_number(s, n);
}

static void put_cell(struct pen_text *t, const struct cell *cell)
{
    if (cell->quoted)
        put_string(t, cell);
    else if (cell->n == 0)
        pen_text_append(t, "null", 4);
    else if (csv_is_literal(cell->s, cell->n))
        pen_text_append(t, cell->s, cell->n);
    else
        put_string(t, cell);
}

pen_status csv_begin(struct csv *c, const char *bytes, size_t n, bool at_end, bool header, size_t *took, struct pen_error *err)
{
    size_t at = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, room = 0; /* a byte order mark is no part of the first name */
    cell_end end;
    c->n_columns = 0;
    pen_text_clear(&c->keys);
    *took = 0;
    if (n == 0)
        return PEN_OK;
    do {
        struct cell cell;
        char name[24];
        end = next_cell(c->delimiter, bytes, n, at_end, &at, &cell);
        if (end == CELL_CUT || end == CELL_BROKEN) {
            c->n_columns = 0;
            return end == CELL_CUT ? PEN_OK : pen_fail(err, PEN_FATAL, "the line of names, column %zu: text behind a closing quote", c->n_columns + 1);
        }
        if (!header || cell.n == 0)
            cell = (struct cell){ name, (size_t)snprintf(name, sizeof name, "c%zu", c->n_columns + 1), false, false };
        put_string(&c->keys, &cell);
        pen_text_append(&c->keys, ":", 1);
        if (c->n_columns == room) {
            size_t *more = realloc(c->key_ends, (room = room ? room * 2 : 16) * sizeof *more);
            if (!more)
                return pen_fail(err, PEN_FATAL, "out of memory");
            c->key_ends = more;
        }
        c->key_ends[c->n_columns++] = c->keys.n;
    } while (end == CELL_MORE);
    *took = at;
    return pen_text_failed(&c->keys) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

/* Makes the row at bytes an object; its length, 0 where bytes are missing. *end tells whether the quotes were well; *cells how many there were. */
static size_t make_object(struct csv *c, const char *bytes, size_t n, bool at_end, cell_end *end, size_t *cells)
{
    size_t at = 0;
    pen_text_clear(&c->row);
    pen_text_append(&c->row, "{", 1);
    *cells = 0;
    do {
        struct cell cell;
        *end = next_cell(c->delimiter, bytes, n, at_end, &at, &cell);
        if (*end == CELL_CUT || *end == CELL_BROKEN)
            return at;
        if (*cells < c->n_columns) {
            size_t begin = *cells ? c->key_ends[*cells - 1] : 0;
            if (*cells)
                pen_text_append(&c->row, ",", 1);
            pen_text_append(&c->row, c->keys.bytes + begin, c->key_ends[*cells] - begin);
            put_cell(&c->row, &cell);
        }
        ++*cells;
    } while (*end == CELL_MORE);
    pen_text_append(&c->row, "}", 1);
    return at;
}

static size_t line_length(const char *bytes, size_t n)
{
    const char *newline = memchr(bytes, '\n', n);
    return newline ? (size_t)(newline - bytes) + 1 : n;
}

static size_t without_break(const char *bytes, size_t n)
{
    if (n && bytes[n - 1] == '\n')
        n--;
    return n && bytes[n - 1] == '\r' ? n - 1 : n;
}

size_t csv_feed(struct csv *c, struct pen_intake *in, const char *bytes, size_t n, bool at_end, uint64_t position, uint64_t limit, int64_t max_rows,
                int64_t now, int64_t *due)
{
    size_t at = 0;
    for (int64_t rows = 0; at < n && rows < max_rows && position + at < limit;) {
        const char *p = bytes + at;
        size_t line = line_length(p, n - at), cells;
        cell_end end;
        if (without_break(p, line) == 0 && (p[line - 1] == '\n' || at_end)) {
            at += line; /* a blank line is no record */
            continue;
        }
        size_t length = make_object(c, p, n - at, at_end, &end, &cells);
        if (end == CELL_CUT && !at_end && n - at <= pen_intake_max_record(in))
            break;
        if (end == CELL_CUT || end == CELL_BROKEN) {
            if (p[line - 1] != '\n' && !at_end)
                break; /* not even the line is whole */
            pen_intake_reject(in, p, without_break(p, line), position + at, end == CELL_CUT ? "CSV: a quote is opened and not closed in column %zu"
                              : "CSV: text behind a closing quote in column %zu", cells + 1);
            at += line;
        } else if (cells != c->n_columns) {
            pen_intake_reject(in, p, without_break(p, length), position + at, "CSV: %zu columns, but the file has %zu", cells, c->n_columns);
            at += length;
        } else if (c->replay && (*due = replay_due(c->replay, c->row.bytes, c->row.n, now)) > now) {
            break;
        } else {
            struct pen_message m = { .value = c->row.bytes, .value_size = c->row.n, .timestamp = INT64_MIN, .offset = -1, .position = position + at };
            if (pen_text_failed(&c->row))
                pen_intake_reject(in, p, without_break(p, length), position + at, "out of memory");
            else
                pen_intake_message(in, &m);
            at += length;
        }
        rows++;
    }
    return at;
}

void csv_fini(struct csv *c)
{
    pen_text_fini(&c->keys);
    pen_text_fini(&c->row);
    free(c->key_ends);
    c->key_ends = NULL;
    c->n_columns = 0;
}
