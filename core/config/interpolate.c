/* interpolate.c - ${env:NAME}, ${env:NAME:-default}, ${file:/path} and $${ in values; and what of a line is not to be shown.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/ini.h"

static const char syntax[] = "in a value, ${env:NAME}, ${env:NAME:-default} and ${file:/path} stand for what lies there; $${ is a plain ${";

static struct pen_place place_in(const struct pen_span *spans, size_t n, size_t at)
{
    struct pen_place p = { NULL, 0, 0 };
    for (size_t i = 0; i < n && spans[i].at <= at; i++) {
        p = spans[i].place;
        if (!spans[i].fixed)
            p.column += (uint32_t)(at - spans[i].at);
    }
    return p;
}

struct pen_place pen_setting_place(const struct pen_setting *s, size_t at)
{
    return s->n_spans ? place_in(s->spans, s->n_spans, at) : s->value_place;
}

/* A value while it is put together. */
struct value {
    struct pen_config *c;
    const struct pen_setting *raw;
    char *text;
    size_t n, room;
    struct pen_span *spans;
    size_t n_spans;
    bool oom;
};

static void put(struct value *v, const char *text, size_t n, struct pen_place place, bool fixed)
{
    if (v->room - v->n < n + 1) {
        size_t room = 2 * v->room + n + 64;
        char *bigger = realloc(v->text, room);
        if (!bigger) {
            v->oom = true;
            return;
        }
        v->text = bigger;
        v->room = room;
    }
    if (!pen_arena_grow(&v->c->mem, (void **)&v->spans, v->n_spans, sizeof *v->spans)) {
        v->oom = true;
        return;
    }
    v->spans[v->n_spans++] = (struct pen_span){ v->n, place, fixed };
    if (n)
        memcpy(v->text + v->n, text, n);
    v->n += n;
}

/* Raw text from..to as it is: a span for each of the raw ones that it meets. */
static void put_literal(struct value *v, size_t from, size_t to)
{
    const struct pen_setting *raw = v->raw;
    while (from < to) {
        size_t end = to;
        for (size_t i = 0; i < raw->n_spans; i++)
            if (raw->spans[i].at > from && raw->spans[i].at < end)
                end = raw->spans[i].at;
        put(v, raw->value + from, end - from, place_in(raw->spans, raw->n_spans, from), false);
        from = end;
    }
}

static bool is_variable(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') || text[i] == '_' ||
              (i && text[i] >= '0' && text[i] <= '9')))
            return false;
    return n > 0;
}

static void put_variable(struct value *v, const char *text, size_t n, struct pen_place place)
{
    const char *dash = memmem(text, n, ":-", 2), *found;
    size_t name_n = dash ? (size_t)(dash - text) : n;
    char *name = pen_arena_copy(&v->c->mem, text, name_n);
    if (!name) {
        v->oom = true;
        return;
    }
    if (!is_variable(name, name_n)) {
        pen_diag_add(&v->c->diags, PEN_DIAG_ERROR, place, syntax, NULL, "%s: no name of an environment variable: \"%s\"", v->raw->key, name);
        return;
    }
    found = getenv(name);
    if (dash && (!found || !found[0]))
        put(v, dash + 2, n - name_n - 2, place, true);
    else if (found)
        put(v, found, strlen(found), place, true);
    else
        pen_diag_add(&v->c->diags, PEN_DIAG_ERROR, place, syntax, NULL, "%s: the environment variable %s is not set and there is no default",
                     v->raw->key, name);
}

static void put_file(struct value *v, const char *text, size_t n, struct pen_place place, const char *relative_to)
{
    const char *path = pen_relative_path(&v->c->mem, relative_to, text, n);
    char *bytes = NULL;
    size_t size = 0;
    if (!path) {
        v->oom = true;
        return;
    }
    if (!pen_read_whole(path, PEN_INI_SECRET_MAX, &bytes, &size)) {
        if (errno == ENOMEM)
            v->oom = true;
        else
            pen_diag_add(&v->c->diags, PEN_DIAG_ERROR, place, syntax, NULL, "%s: %s cannot be read: %s", v->raw->key, path, strerror(errno));
        return;
    }
    if (memchr(bytes, '\0', size)) {
        pen_diag_add(&v->c->diags, PEN_DIAG_ERROR, place, NULL, NULL, "%s: %s holds NUL bytes", v->raw->key, path);
    } else {
        size_t keep = size;
        if (keep && bytes[keep - 1] == '\n')
            keep--;
        if (keep && keep < size && bytes[keep - 1] == '\r')
            keep--;
        put(v, bytes, keep, place, true);
    }
    explicit_bzero(bytes, size);
    free(bytes);
}

/* One ${…} whose inside is text[0..n). */
static void put_reference(struct value *v, struct pen_setting *s, const char *text, size_t n, struct pen_place place, const char *relative_to)
{
    if (n > 4 && memcmp(text, "env:", 4) == 0) {
        put_variable(v, text + 4, n - 4, place);
    } else if (n > 5 && memcmp(text, "file:", 5) == 0) {
        s->hidden = true;
        put_file(v, text + 5, n - 5, place, relative_to);
    } else {
        pen_diag_add(&v->c->diags, PEN_DIAG_ERROR, place, syntax, NULL, "%s: expected ${env:NAME} or ${file:/path}", s->key);
    }
}

static void put_all(struct value *v, struct pen_setting *s, const char *relative_to)
{
    const char *raw = s->value;
    size_t done = 0, at = 0, n = strlen(raw);
    while (at < n) {
        const char *dollar = memchr(raw + at, '$', n - at), *end;
        if (!dollar)
            break;
        at = (size_t)(dollar - raw);
        if (strncmp(dollar, "$${", 3) == 0) {
            put_literal(v, done, at + 1);
            done = at + 2;
            at += 3;
            continue;
        }
        if (dollar[1] != '{') {
            at++;
            continue;
        }
        put_literal(v, done, at);
        if (!(end = strchr(dollar, '}'))) {
            pen_diag_add(&v->c->diags, PEN_DIAG_ERROR, place_in(s->spans, s->n_spans, at), syntax, NULL, "%s: ${ that is not closed by }", s->key);
            return;
        }
        put_reference(v, s, dollar + 2, (size_t)(end - dollar) - 2, place_in(s->spans, s->n_spans, at), relative_to);
        done = at = (size_t)(end - raw) + 1;
    }
    put_literal(v, done, n);
}

bool pen_interpolate(struct pen_config *c, struct pen_setting *s, const char *relative_to)
{
    struct value v = { .c = c, .raw = s };
    size_t errors = c->diags.errors;
    if (!strstr(s->value, "${"))
        return true;
    put_all(&v, s, relative_to);
    s->broken = c->diags.errors != errors;
    if (!v.oom && (s->value = pen_arena_copy(&c->mem, v.text ? v.text : "", v.n))) {
        s->spans = v.spans;
        s->n_spans = v.n_spans;
    } else {
        v.oom = true;
    }
    if (v.text)
        explicit_bzero(v.text, v.room);
    free(v.text);
    return !v.oom;
}

/* -- what is not to be shown ------------------------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A value that is one reference, without a default in the file, gives nothing away. */
static bool is_reference(const char *value, size_t n)
{
    while (n && is_blank(value[n - 1]))
        n--;
    return n > 3 && (memcmp(value, "${e", 3) == 0 || memcmp(value, "${f", 3) == 0) && memchr(value, '}', n) == value + n - 1 &&
           !memmem(value, n, ":-", 2);
}

static bool sounds_secret(const char *key, size_t n)
{
    static const char *const words[] = { "password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "apikey", "api_key",
                                         "access_key", "private_key", "authorization" };
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (size_t i = 0; i + strlen(words[w]) <= n; i++)
            if (strncasecmp(key + i, words[w], strlen(words[w])) == 0)
                return true;
    return false;
}

/* Where the password in scheme://user:password@host begins. */
static uint32_t url_password(const char *line, size_t from, size_t n)
{
    const char *scheme;
    while (from < n && (scheme = memmem(line + from, n - from, "://", 3))) {
        size_t at = (size_t)(scheme - line) + 3, colon = 0;
        for (from = at; at < n && !is_blank(line[at]) && line[at] != '/'; at++) {
            if (line[at] == ':' && !colon)
                colon = at + 1;
            if (line[at] == '@' && colon)
                return (uint32_t)colon;
        }
    }
    return UINT32_MAX;
}

uint32_t pen_secret_part(const char *line, size_t n)
{
    size_t key = 0, end, value;
    while (key < n && is_blank(line[key]))
        key++;
    for (end = key; end < n && line[end] != '=' && line[end] != ':' && !is_blank(line[end]); end++)
        ;
    for (value = end; value < n && is_blank(line[value]); value++)
        ;
    if (value < n && (line[value] == '=' || line[value] == ':'))
        for (value++; value < n && is_blank(line[value]); value++)
            ;
    if (key < n && line[key] != '[' && sounds_secret(line + key, end - key) && !is_reference(line + value, n - value))
        return (uint32_t)value;
    return url_password(line, value, n);
}

void pen_setting_hide(struct pen_setting *s)
{
    for (size_t i = 0; i < s->n_spans; i++) {
        const struct pen_place *p = &s->spans[i].place;
        struct pen_text_line *line = p->line && p->line <= p->file->n_lines ? &p->file->lines[p->line - 1] : NULL;
        const struct pen_place *from = p->line == s->value_place.line ? &s->value_place : NULL;
        uint32_t column = 0;
        const char *text = line ? p->file->bytes + line->offset : "";
        if (!line)
            continue;
        column = from ? from->column - 1 : 0;
        while (!from && column < line->length && is_blank(text[column]))
            column++;
        if (column < line->hide && !is_reference(text + column, line->length - column))
            line->hide = column;
    }
}
