/* diag.c - see diag.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "config/diag.h"
#include "ops/text.h"

#define QUOTE_MAX 120  /* bytes of a line that are quoted at most */
#define QUOTE_BEFORE 60 /* of them before the caret, where the line is longer */

static bool same_place(const struct pen_place *a, const struct pen_place *b)
{
    return a->file == b->file && a->line == b->line && a->column == b->column;
}

void pen_diag_add(struct pen_diags *d, pen_diag_severity severity, struct pen_place place, const char *doc, const char *suggestion,
                  const char *fmt, ...)
{
    char raw[1024], text[1024];
    struct pen_diag diag = { .severity = severity, .place = place };
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    pen_text_escape(text, sizeof text, raw, n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1);
    for (size_t i = 0; i < d->n; i++)
        if (same_place(&d->v[i].place, &place) && strcmp(d->v[i].message, text) == 0)
            return;
    *(severity == PEN_DIAG_ERROR ? &d->errors : &d->warnings) += 1;
    if (d->n == PEN_DIAGS_MAX) {
        d->full = true;
        return;
    }
    diag.message = pen_arena_copy(d->mem, text, strlen(text));
    diag.doc = doc ? pen_arena_copy(d->mem, doc, strlen(doc)) : NULL;
    diag.suggestion = suggestion ? pen_arena_copy(d->mem, suggestion, strlen(suggestion)) : NULL;
    if (!diag.message || (doc && !diag.doc) || (suggestion && !diag.suggestion) ||
        !pen_arena_grow(d->mem, (void **)&d->v, d->n, sizeof *d->v)) {
        d->failed = true;
        return;
    }
    d->v[d->n++] = diag;
}

static int compare_places(const struct pen_place *a, const struct pen_place *b)
{
    unsigned fa = a->file ? a->file->order + 1 : 0, fb = b->file ? b->file->order + 1 : 0;
    if (fa != fb)
        return fa < fb ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->column == b->column ? 0 : a->column < b->column ? -1 : 1;
}

void pen_diags_sort(struct pen_diags *d)
{
    for (size_t i = 1; i < d->n; i++) { /* by insertion: stable, and there are PEN_DIAGS_MAX at most */
        struct pen_diag one = d->v[i];
        size_t at = i;
        for (; at > 0 && compare_places(&one.place, &d->v[at - 1].place) < 0; at--)
            d->v[at] = d->v[at - 1];
        d->v[at] = one;
    }
}

static bool is_continuation_byte(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static size_t count_characters(const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += !is_continuation_byte(text[i]);
    return count;
}

static const struct pen_text_line *line_of(const struct pen_place *p)
{
    return p->file && p->line && p->line <= p->file->n_lines ? &p->file->lines[p->line - 1] : NULL;
}

/* The column as an editor shows it: in characters. 0 where the place has none. */
static size_t shown_column(const struct pen_place *p)
{
    const struct pen_text_line *line = line_of(p);
    if (!p->column)
        return 0;
    if (!line)
        return p->column;
    return count_characters(p->file->bytes + line->offset, p->column - 1 < line->length ? p->column - 1 : line->length) + 1;
}

/* The part [from, to) of a line, escaped, tabs as one space so that the caret stands right; returns how many characters it has. */
static size_t quote_part(char *out, size_t size, const char *text, size_t from, size_t to)
{
    char plain[QUOTE_MAX + 1];
    size_t n = to - from < QUOTE_MAX ? to - from : QUOTE_MAX;
    for (size_t i = 0; i < n; i++)
        plain[i] = text[from + i] == '\t' ? ' ' : text[from + i];
    pen_text_escape(out, size, plain, n);
    return count_characters(out, strlen(out));
}

/* The line with a caret below. What is secret is shown as ***, and no caret stands behind its beginning. */
static void print_quote(const struct pen_place *p, FILE *out)
{
    const struct pen_text_line *line = line_of(p);
    char before[4 * QUOTE_MAX + 4], after[4 * QUOTE_MAX + 4];
    const char *text, *tail = "";
    size_t caret, from = 0, end, to, width;
    if (!line || !p->column)
        return;
    text = p->file->bytes + line->offset;
    end = line->length;
    if (line->hide < end) {
        end = line->hide;
        tail = "***";
    }
    caret = p->column - 1 < end ? p->column - 1 : end;
    if (end > QUOTE_MAX && caret > QUOTE_BEFORE)
        for (from = caret - QUOTE_BEFORE; from < caret && is_continuation_byte(text[from]); from++)
            ;
    to = from + QUOTE_MAX < end ? from + QUOTE_MAX : end;
    if (to < end) {
        for (; to > caret && is_continuation_byte(text[to]); to--)
            ;
        tail = "...";
    }
    width = quote_part(before, sizeof before, text, from, caret) + (from ? 3 : 0);
    quote_part(after, sizeof after, text, caret, to);
    fprintf(out, "    %s%s%s%s\n    %*s^\n", from ? "..." : "", before, after, tail, (int)width, "");
}

static void print_one(const struct pen_diag *diag, FILE *out)
{
    char file[512] = "penstock";
    size_t column = shown_column(&diag->place);
    if (diag->place.file)
        pen_text_escape(file, sizeof file, diag->place.file->name, strlen(diag->place.file->name));
    fputs(file, out);
    if (diag->place.file && diag->place.line)
        fprintf(out, ":%u", (unsigned)diag->place.line);
    if (column)
        fprintf(out, ":%zu", column);
    fprintf(out, ": %s: %s\n", diag->severity == PEN_DIAG_ERROR ? "error" : "warning", diag->message);
    print_quote(&diag->place, out);
    if (diag->doc)
        fprintf(out, "  %s\n", diag->doc);
    if (diag->suggestion)
        fprintf(out, "  did you mean \"%s\"?\n", diag->suggestion);
}

void pen_diags_print(struct pen_diags *d, FILE *out)
{
    pen_diags_sort(d);
    for (size_t i = 0; i < d->n; i++)
        print_one(&d->v[i], out);
    if (d->full)
        fprintf(out, "penstock: error: %zu more problems are left out\n", d->errors + d->warnings - d->n);
    if (d->failed)
        fprintf(out, "penstock: error: out of memory; there may be more problems\n");
}

static cJSON *diag_json(const struct pen_diag *diag)
{
    cJSON *o = cJSON_CreateObject();
    char file[512];
    size_t column = shown_column(&diag->place);
    if (!o)
        return NULL;
    if (diag->place.file) {
        pen_text_escape(file, sizeof file, diag->place.file->name, strlen(diag->place.file->name));
        cJSON_AddStringToObject(o, "file", file);
        if (diag->place.line)
            cJSON_AddNumberToObject(o, "line", diag->place.line);
        if (column)
            cJSON_AddNumberToObject(o, "column", (double)column);
    }
    cJSON_AddStringToObject(o, "severity", diag->severity == PEN_DIAG_ERROR ? "error" : "warning");
    cJSON_AddStringToObject(o, "message", diag->message);
    if (diag->doc)
        cJSON_AddStringToObject(o, "documentation", diag->doc);
    if (diag->suggestion)
        cJSON_AddStringToObject(o, "suggestion", diag->suggestion);
    return o;
}

void pen_diags_print_json(struct pen_diags *d, FILE *out)
{
    pen_diags_sort(d);
    putc('[', out);
    for (size_t i = 0; i < d->n; i++) {
        cJSON *o = diag_json(&d->v[i]);
        char *text = o ? cJSON_PrintUnformatted(o) : NULL;
        fprintf(out, "%s%s", i ? "," : "", text ? text : "null");
        cJSON_free(text);
        cJSON_Delete(o);
    }
    putc(']', out);
}
