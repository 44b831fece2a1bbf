/* ini.c - sections and settings out of INI text.
 *
 * inih decides what is a section, a key and a value. The reader that feeds it sees the text first, because inih (55, as Debian 12 has it)
 * cuts lines at 200 bytes, cuts names at 50, tells no line number and does not speak of empty sections: so the reader takes lines apart only
 * so far as it must to know places, takes comments off, and hands over sections by number and values in short pieces, each between two bars
 * (their white space stays as it is), all but the first as continuation lines, which inih adds to the key before.
 * A line that is indented deeper than its key's continues the value; otherwise indentation means nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ini.h>

#include <penstock/records.h>
#include <stdlib.h>
#include <string.h>

#include "config/ini.h"
#include "ops/text.h"

#define NAME_MAX_BYTES 64u /* of a key or a section's name */

struct reader {
    struct pen_config *c;
    struct pen_text_file *file;
    size_t next_line;
    struct pen_section *section;
    size_t section_number;
    /* the piece of text that is to be handed over next */
    bool pending;
    enum { FIRST, MORE, CONTINUED } piece;
    char key[NAME_MAX_BYTES + 1];
    const char *rest;
    size_t rest_n;
    struct pen_place key_place, rest_place;
    /* the setting that is being put together */
    struct pen_setting *open;
    size_t open_indent;
    bool open_secret;
    char *raw;
    size_t raw_n, raw_room;
    size_t handed, taken; /* pieces */
    bool oom;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static struct pen_place place_at(const struct reader *r, size_t offset)
{
    return (struct pen_place){ r->file, (uint32_t)r->next_line, (uint32_t)offset + 1 };
}

static bool add_span(struct reader *r)
{
    struct pen_setting *s = r->open;
    if (!pen_arena_grow(&r->c->mem, (void **)&s->spans, s->n_spans, sizeof *s->spans))
        return false;
    ((struct pen_span *)s->spans)[s->n_spans++] = (struct pen_span){ r->raw_n, r->rest_place, false };
    return true;
}

static bool append(struct reader *r, const char *text, size_t n)
{
    if (r->raw_room - r->raw_n < n + 1) {
        size_t room = 2 * r->raw_room + n + 256;
        char *bigger = realloc(r->raw, room);
        if (!bigger)
            return false;
        r->raw = bigger;
        r->raw_room = room;
    }
    memcpy(r->raw + r->raw_n, text, n);
    r->raw_n += n;
    return true;
}

/* The setting is complete: its text leaves the buffer and ${…} is put in. */
static bool close_setting(struct reader *r)
{
    struct pen_setting *s = r->open;
    r->open = NULL;
    if (!s)
        return true;
    s->value = pen_arena_copy(&r->c->mem, r->raw, r->raw_n);
    return s->value && pen_interpolate(r->c, s, r->file->name);
}

/* inih's handler: one piece of a value. */
static int take_piece(void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;
    size_t n = value ? strlen(value) : 0;
    (void)section;
    r->taken++;
    if (r->oom || n < 2 || value[0] != '|' || value[n - 1] != '|')
        return 0;
    if (r->piece == FIRST) {
        if (!r->section || !close_setting(r) || !(r->open = pen_setting_add(r->c, r->section)) ||
            !(r->open->key = pen_arena_copy(&r->c->mem, name, strlen(name)))) {
            r->open = NULL;
            r->oom = true;
            return 0;
        }
        r->raw_n = 0;
        r->open->key_place = r->key_place;
        r->open->value_place = r->rest_place;
    } else if (r->piece == CONTINUED && !append(r, "\n", 1)) {
        r->oom = true;
    }
    if (!r->oom && r->open && ((r->piece != MORE && !add_span(r)) || !append(r, value + 1, n - 2)))
        r->oom = true;
    return !r->oom;
}

/* Hands over as much of the pending piece as fits. */
static char *hand_over(struct reader *r, char *buf, size_t size)
{
    int head = r->piece == FIRST ? snprintf(buf, size, "%s=|", r->key) : snprintf(buf, size, " |");
    size_t at = (size_t)head, n = r->rest_n;
    if (at + 4 >= size)
        return NULL;
    if (n > size - at - 4)
        n = size - at - 4;
    if (n)
        memcpy(buf + at, r->rest, n);
    memcpy(buf + at + n, "|\n", 3);
    r->rest += n;
    r->rest_n -= n;
    r->handed++;
    return buf;
}

static size_t value_end(const char *line, size_t from, size_t n)
{
    for (size_t i = from; i < n; i++)
        if (line[i] == ';' && i > 0 && is_blank(line[i - 1])) {
            n = i;
            break;
        }
    while (n > from && is_blank(line[n - 1]))
        n--;
    return n;
}

static void set_piece(struct reader *r, int piece, const char *line, size_t from, size_t to)
{
    r->pending = true;
    r->piece = piece == FIRST ? FIRST : CONTINUED;
    r->rest = line + from;
    r->rest_n = to - from;
    r->rest_place = place_at(r, from);
}

static const char *const section_kinds[] = { "pipeline", "source", "transport", "transform", "sink", "deadletter", "defaults" };

/* The words of a section's head, [kind name]. Answers false where it is none; *end is then the column at fault. */
static bool split_head(const char *line, size_t from, size_t n, size_t kind[2], size_t name[2], size_t *at)
{
    size_t i = from + 1;
    while (i < n && is_blank(line[i]))
        i++;
    kind[0] = i;
    while (i < n && is_key_char(line[i]))
        i++;
    kind[1] = i;
    while (i < n && is_blank(line[i]))
        i++;
    name[0] = i;
    while (i < n && is_key_char(line[i]))
        i++;
    name[1] = i;
    while (i < n && is_blank(line[i]))
        i++;
    *at = i;
    if (i == n || line[i] != ']' || kind[0] == kind[1])
        return false;
    for (i++; i < n && is_blank(line[i]); i++)
        ;
    *at = i;
    return i == n || line[i] == ';' || line[i] == '#';
}

static void check_head(struct reader *r, const char *kind, const char *name, const size_t kind_at[2], const size_t name_at[2])
{
    size_t known = sizeof section_kinds / sizeof *section_kinds, i = 0;
    while (i < known && strcmp(kind, section_kinds[i]) != 0)
        i++;
    if (i == known) {
        pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, kind_at[0]),
                     "a section is one of [pipeline], [source NAME], [transport NAME], [transform NAME], [sink NAME], [deadletter], "
                     "[defaults PLUGIN]",
                     pen_suggest(kind, section_kinds, known), "no such kind of section: %s", kind);
        return;
    }
    if ((i == 0 || i == 5) && name[0])
        pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, name_at[0]), NULL, NULL, "[%s] takes no name", kind);
    else if (i != 0 && i != 5 && !name[0])
        pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, kind_at[1]), NULL, NULL, "[%s] lacks a name: expected [%s %s]", kind, kind,
                     i == 6 ? "PLUGIN" : "NAME");
    else if (strchr(name, '.'))
        pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, name_at[0] + (size_t)(strchr(name, '.') - name)), NULL, NULL,
                     "the name of a %s holds no dot: what is behind a dot is an output", i == 6 ? "plugin" : "stage");
    else if (name_at[1] - name_at[0] > NAME_MAX_BYTES)
        pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, name_at[0]), NULL, NULL, "a name is at most %u characters long", NAME_MAX_BYTES);
    else if (i != 6 && (strcmp(name, "pipeline") == 0 || strcmp(name, "deadletter") == 0))
        pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, name_at[0]), NULL, NULL, "no stage may be called %s: that is a section of its own",
                     name);
}

static char *take_section(struct reader *r, const char *line, size_t from, size_t n, char *buf, size_t size)
{
    size_t kind_at[2], name_at[2], at;
    const char *kind, *name;
    if (!close_setting(r)) {
        r->oom = true;
        return NULL;
    }
    if (split_head(line, from, n, kind_at, name_at, &at)) {
        kind = pen_arena_copy(&r->c->mem, line + kind_at[0], kind_at[1] - kind_at[0]);
        name = pen_arena_copy(&r->c->mem, line + name_at[0], name_at[1] - name_at[0]);
        if (kind && name)
            check_head(r, kind, name, kind_at, name_at);
    } else {
        pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, at < n ? at : n), NULL, NULL,
                     "no section: expected [kind name], names of letters, digits, - and _");
        kind = "?"; /* of which nothing more is said */
        name = "";
        kind_at[0] = name_at[0] = from;
    }
    r->section = kind && name ? pen_section_add(r->c, kind, name, place_at(r, kind_at[0])) : NULL;
    if (!r->section) {
        r->oom = true;
        return NULL;
    }
    r->section->name_place = place_at(r, name_at[0]);
    snprintf(buf, size, "[%zu]\n", ++r->section_number);
    return buf;
}

/* A line `key = value`; false where it is none, which is reported. */
static bool take_key(struct reader *r, const char *line, size_t from, size_t n)
{
    size_t end = from, at;
    while (end < n && is_key_char(line[end]))
        end++;
    for (at = end; at < n && is_blank(line[at]); at++)
        ;
    if (at == n || (line[at] != '=' && line[at] != ':') || end == from) {
        bool has_sign = memchr(line + from, '=', n - from) != NULL;
        pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, has_sign ? end : from), NULL, NULL, "%s",
                     has_sign ? "the name of an option is made of letters, digits, _, - and ." : "expected key = value, [kind name] or a comment");
        return false;
    }
    if (end - from > NAME_MAX_BYTES) {
        pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, from), NULL, NULL, "a name is at most %u characters long", NAME_MAX_BYTES);
        return false;
    }
    memcpy(r->key, line + from, end - from);
    r->key[end - from] = '\0';
    r->key_place = place_at(r, from);
    for (at++; at < n && is_blank(line[at]); at++)
        ;
    end = value_end(line, at, n);
    set_piece(r, FIRST, line, at <= end ? at : end, end);
    return true;
}

/* Bytes that no line of text holds. They are reported and the line is taken as it is. */
static void check_bytes(struct reader *r, const char *line, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)line[i];
        size_t len = c >= 0x80 ? pen_utf8_length(line + i, n - i) : c >= 0x20 || c == '\t';
        if (!len) {
            pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, i), NULL, NULL, c >= 0x80 ? "no UTF-8: byte 0x%02X" : "control character 0x%02X",
                         c);
            return;
        }
        i += len;
    }
}

static void note_secret(struct reader *r, struct pen_text_line *where, const char *line, size_t indent, bool continued)
{
    where->hide = pen_secret_part(line, where->length);
    if (continued && r->open_secret)
        where->hide = (uint32_t)indent;
    else if (!continued)
        r->open_secret = where->hide != UINT32_MAX;
}

/* A continuation that looks like an option of its own is said: the author may have meant one. */
static void warn_of_key(struct reader *r, const char *line, size_t from, size_t n)
{
    size_t end = from;
    while (end < n && is_key_char(line[end]))
        end++;
    if (end > from && end + 2 < n && line[end] == ' ' && line[end + 1] == '=' && line[end + 2] == ' ')
        pen_diag_add(&r->c->diags, PEN_DIAG_WARNING, place_at(r, from), NULL, NULL,
                     "taken as more of the value of %s, because it is indented deeper than that", r->key);
}

/* inih's reader, like fgets(): the next piece, section or nothing more. */
static char *next_line(char *buf, int num, void *stream)
{
    struct reader *r = stream;
    size_t size = num > 0 ? (size_t)num : 0;
    if (r->pending && r->rest_n) {
        r->piece = MORE;
        return hand_over(r, buf, size);
    }
    r->pending = false;
    while (!r->oom && r->next_line < r->file->n_lines) {
        struct pen_text_line *where = &r->file->lines[r->next_line++];
        const char *line = r->file->bytes + where->offset;
        size_t n = where->length, indent = 0;
        bool continued;
        while (indent < n && is_blank(line[indent]))
            indent++;
        check_bytes(r, line, n);
        if (indent == n || line[indent] == ';' || line[indent] == '#')
            continue;
        continued = r->open && indent > r->open_indent;
        note_secret(r, where, line, indent, continued);
        if (continued) {
            warn_of_key(r, line, indent, n);
            set_piece(r, CONTINUED, line, indent, value_end(line, indent, n));
            return hand_over(r, buf, size);
        }
        if (r->c->n_sections > PEN_INI_SECTIONS_MAX || r->c->n_settings > PEN_INI_SETTINGS_MAX) {
            pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, indent), NULL, NULL, "more than %u sections or %u options: the rest is not read",
                         PEN_INI_SECTIONS_MAX, PEN_INI_SETTINGS_MAX);
            return NULL;
        }
        if (line[indent] == '[')
            return take_section(r, line, indent, n, buf, size);
        if (take_key(r, line, indent, n)) {
            r->open_indent = indent;
            return hand_over(r, buf, size);
        }
        if (!close_setting(r)) /* what is indented below a line that is none belongs to nothing */
            r->oom = true;
    }
    return NULL;
}

/* A file with a NUL byte is not read at all. */
static bool report_nul(struct reader *r)
{
    for (r->next_line = 1; r->next_line <= r->file->n_lines; r->next_line++) {
        const struct pen_text_line *line = &r->file->lines[r->next_line - 1];
        const char *nul = memchr(r->file->bytes + line->offset, '\0', line->length);
        if (nul) {
            pen_diag_add(&r->c->diags, PEN_DIAG_ERROR, place_at(r, (size_t)(nul - r->file->bytes) - line->offset), NULL, NULL,
                         "NUL byte: this is no text file");
            return true;
        }
    }
    r->next_line = 0;
    return false;
}

bool pen_ini_parse(struct pen_config *c, struct pen_text_file *file)
{
    struct reader r = { .c = c, .file = file };
    int st;
    bool good;
    if (report_nul(&r))
        return true;
    r.section = pen_section_add(c, "", "", (struct pen_place){ file, 1, 1 }); /* what stands before the first section */
    if (!r.section)
        return false;
    st = ini_parse_stream(next_line, &r, take_piece, &r);
    good = close_setting(&r) && !r.oom;
    if (good && (st != 0 || r.handed != r.taken))
        pen_diag_add(&c->diags, PEN_DIAG_ERROR, (struct pen_place){ file, 0, 0 }, NULL, NULL, "inih did not take the file whole (%zu of %zu pieces)",
                     r.taken, r.handed);
    if (r.raw)
        explicit_bzero(r.raw, r.raw_room);
    free(r.raw);
    return good;
}
