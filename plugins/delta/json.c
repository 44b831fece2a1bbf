/* json.c - see json.h. SPDX-License-Identifier: Apache-2.0 */
#include <penstock/records.h>

#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 100, BLOCK = 64 * 1024 };

/* -- arena ---------------------------------------------------------------------------------------------------------------------- */

struct delta_block {
    struct delta_block *next;
    size_t used, size;
    max_align_t bytes[];
};

void *delta_arena_new(struct delta_arena *a, size_t n)
{
    size_t aligned = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct delta_block *b = a->blocks;
    if (!b || b->size - b->used < aligned) {
        size_t size = aligned > BLOCK / 4 ? aligned : BLOCK;
        b = n < SIZE_MAX / 2 ? calloc(1, sizeof *b + size) : NULL;
        if (!b) {
            a->failed = true;
            return NULL;
        }
        b->size = size;
        if (size != BLOCK && a->blocks) { /* a large one of its own leaves the open block in front */
            b->next = a->blocks->next;
            a->blocks->next = b;
        } else {
            b->next = a->blocks;
            a->blocks = b;
        }
    }
    void *p = (char *)b->bytes + b->used;
    b->used += aligned;
    return p;
}

char *delta_arena_copy(struct delta_arena *a, const char *text, size_t n)
{
    char *p = delta_arena_new(a, n + 1);
    if (p && n)
        memcpy(p, text, n);
    return p;
}

void delta_arena_fini(struct delta_arena *a)
{
    while (a->blocks) {
        struct delta_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
}

/* -- reading -------------------------------------------------------------------------------------------------------------------- */

void delta_json_init(struct delta_json *j, struct delta_arena *arena, const char *text, size_t n)
{
    *j = (struct delta_json){ .p = text, .end = text + n, .arena = arena };
}

static void wrong(struct delta_json *j, const char *why)
{
    if (!j->why)
        j->why = why;
    j->p = j->end;
}

static char peek(struct delta_json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
        j->p++;
    return j->p < j->end ? *j->p : '\0';
}

static bool take(struct delta_json *j, const char *word)
{
    size_t n = strlen(word);
    peek(j);
    if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0)
        return false;
    j->p += n;
    return true;
}

bool delta_json_is(const struct delta_json *j, char first)
{
    struct delta_json look = *j;
    return peek(&look) == first;
}

static bool open_with(struct delta_json *j, char bracket, const char *why)
{
    if (j->why)
        return false;
    if (peek(j) != bracket) {
        if (!take(j, "null"))
            wrong(j, why);
        return false;
    }
    if (++j->depth > MAX_DEPTH) {
        wrong(j, "values lie too deep in one another");
        return false;
    }
    j->p++;
    return true;
}

bool delta_json_object(struct delta_json *j)
{
    return open_with(j, '{', "expected an object");
}

bool delta_json_array(struct delta_json *j)
{
    return open_with(j, '[', "expected an array");
}

/* After an opening bracket, or after a value: true when another value follows. The byte before says which of the two it is. */
static bool another(struct delta_json *j, char open, char close)
{
    if (j->why)
        return false;
    const char *before = j->p;
    while (before[-1] == ' ' || before[-1] == '\t' || before[-1] == '\n' || before[-1] == '\r')
        before--;
    bool first = before[-1] == open;
    char c = peek(j);
    if (c == close) {
        j->p++;
        j->depth--;
        return false;
    }
    if (first)
        return true;
    if (c != ',') {
        wrong(j, "expected a comma or the end of an array or object");
        return false;
    }
    j->p++;
    return true;
}

bool delta_json_item(struct delta_json *j)
{
    return another(j, '[', ']');
}

static size_t utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static bool hex4(const char *p, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0)
            return false;
        *out = *out << 4 | (uint32_t)d;
    }
    return true;
}

/* Past the opening quote: the end of the string's inside, or NULL. */
static const char *string_end(struct delta_json *j)
{
    const char *p = j->p;
    for (; p < j->end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20)
            break;
        if (*p == '\\' && ++p == j->end)
            break;
    }
    if (p >= j->end || *p != '"') {
        wrong(j, "a string does not end");
        return NULL;
    }
    return p;
}

/* One escape at p (behind the backslash); answers where it ends, or NULL. */
static const char *unescape(const char *p, const char *end, char *out, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *simple = *p ? strchr(from, *p) : NULL;
    uint32_t c, low;
    if (simple) {
        out[(*n)++] = to[simple - from];
        return p + 1;
    }
    if (*p != 'u' || end - p < 5 || !hex4(p + 1, &c))
        return NULL;
    p += 5;
    if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' && hex4(p + 2, &low) && low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    } else if (c >= 0xd800 && c < 0xe000) {
        c = 0xfffd;
    }
    *n += utf8_put(out + *n, c);
    return p;
}

static char *string_inside(struct delta_json *j)
{
    const char *end = string_end(j);
    if (!end)
        return NULL;
    char *out = delta_arena_new(j->arena, (size_t)(end - j->p) + 1);
    size_t n = 0;
    if (!out) {
        wrong(j, "out of memory");
        return NULL;
    }
    for (const char *p = j->p; p < end;) {
        const char *run = memchr(p, '\\', (size_t)(end - p));
        size_t plain = run ? (size_t)(run - p) : (size_t)(end - p);
        memcpy(out + n, p, plain);
        n += plain;
        p += plain;
        if (run && !(p = unescape(p + 1, end, out, &n))) {
            wrong(j, "a string holds an escape that JSON has not");
            return NULL;
        }
    }
    j->p = end + 1;
    if (memchr(out, '\0', n)) {
        wrong(j, "a string holds U+0000");
        return NULL;
    }
    return out;
}

char *delta_json_string(struct delta_json *j)
{
    if (j->why)
        return NULL;
    if (peek(j) != '"') {
        if (!take(j, "null"))
            wrong(j, "expected a string");
        return NULL;
    }
    j->p++;
    return string_inside(j);
}

char *delta_json_key_string(struct delta_json *j)
{
    if (!another(j, '{', '}'))
        return NULL;
    if (peek(j) != '"') {
        wrong(j, "expected a key");
        return NULL;
    }
    j->p++;
    char *key = string_inside(j);
    if (key && peek(j) != ':')
        wrong(j, "expected a colon after a key");
    if (j->why)
        return NULL;
    j->p++;
    return key;
}

bool delta_json_key(struct delta_json *j, char *key, size_t size)
{
    if (!another(j, '{', '}'))
        return false;
    if (peek(j) != '"') {
        wrong(j, "expected a key");
        return false;
    }
    j->p++;
    const char *end = string_end(j);
    if (!end)
        return false;
    snprintf(key, size, "%.*s", (int)(end - j->p < (long)size ? end - j->p : (long)size), j->p);
    j->p = end + 1;
    if (peek(j) != ':') {
        wrong(j, "expected a colon after a key");
        return false;
    }
    j->p++;
    return true;
}

int64_t delta_json_int(struct delta_json *j, int64_t if_null)
{
    if (j->why || take(j, "null"))
        return if_null;
    peek(j);
    const char *start = j->p;
    bool minus = j->p < j->end && *j->p == '-';
    uint64_t v = 0;
    j->p += minus;
    const char *digits = j->p;
    for (; j->p < j->end && *j->p >= '0' && *j->p <= '9'; j->p++) {
        uint64_t d = (uint64_t)(*j->p - '0');
        if (v > (UINT64_MAX - d) / 10) {
            wrong(j, "a whole number is too large");
            return if_null;
        }
        v = v * 10 + d;
    }
    if (j->p == digits || (j->p < j->end && (*j->p == '.' || *j->p == 'e' || *j->p == 'E')) || v > (uint64_t)INT64_MAX + minus) {
        j->p = start;
        wrong(j, "expected a whole number");
        return if_null;
    }
    return minus ? (int64_t)(0 - v) : (int64_t)v;
}

bool delta_json_bool(struct delta_json *j, bool if_null)
{
    if (j->why || take(j, "null"))
        return if_null;
    if (take(j, "true"))
        return true;
    if (!take(j, "false"))
        wrong(j, "expected true or false");
    return false;
}

static void skip_number(struct delta_json *j)
{
    const char *start = j->p;
    while (j->p < j->end && ((*j->p >= '0' && *j->p <= '9') || *j->p == '.' || *j->p == 'e' || *j->p == 'E' || *j->p == '+' || *j->p == '-'))
        j->p++;
    if (j->p == start)
        wrong(j, "expected a value");
}

struct delta_slice delta_json_skip(struct delta_json *j)
{
    char c = j->why ? '\0' : peek(j), key[8];
    struct delta_slice s = { j->p, 0 };
    if (j->why)
        return s;
    if (c == '{') {
        for (delta_json_object(j); delta_json_key(j, key, sizeof key);)
            delta_json_skip(j);
    } else if (c == '[') {
        for (delta_json_array(j); delta_json_item(j);)
            delta_json_skip(j);
    } else if (c == '"') {
        j->p++;
        const char *end = string_end(j);
        j->p = end ? end + 1 : j->p;
    } else if (!take(j, "null") && !take(j, "true") && !take(j, "false")) {
        skip_number(j);
    }
    s.n = (size_t)(j->p - s.p);
    return j->why ? (struct delta_slice){ s.p, 0 } : s;
}

bool delta_json_end(struct delta_json *j)
{
    if (!j->why && peek(j) != '\0')
        wrong(j, "something follows the value");
    if (!j->why && j->p < j->end)
        wrong(j, "a NUL byte");
    return !j->why;
}

/* -- writing -------------------------------------------------------------------------------------------------------------------- */

void delta_text_bytes(struct delta_text *t, const char *bytes, size_t n)
{
    if (t->failed || n == 0)
        return;
    if (t->room - t->n <= n) {
        size_t room = (t->n + n + 64) * 2;
        char *p = room > t->n ? realloc(t->p, room) : NULL;
        if (!p) {
            t->failed = true;
            return;
        }
        t->p = p;
        t->room = room;
    }
    memcpy(t->p + t->n, bytes, n);
    t->n += n;
    t->p[t->n] = '\0';
}

void delta_text_add(struct delta_text *t, const char *text)
{
    delta_text_bytes(t, text, strlen(text));
}

void delta_text_format(struct delta_text *t, const char *fmt, ...)
{
    char buf[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof buf)
        t->failed = true;
    else
        delta_text_bytes(t, buf, (size_t)n);
}

void delta_text_string(struct delta_text *t, const char *text, size_t n)
{
    if (!text) {
        delta_text_add(t, "null");
        return;
    }
    delta_text_bytes(t, "\"", 1);
    for (size_t i = 0, start = 0; i <= n;) {
        unsigned char c = i < n ? (unsigned char)text[i] : 0;
        size_t length = i < n ? pen_utf8_length(text + i, n - i) : 0;
        if (i < n && c >= 0x20 && c != '"' && c != '\\' && length) {
            i += length;
            continue;
        }
        delta_text_bytes(t, text + start, i - start);
        if (i < n) {
            if (c == '"' || c == '\\')
                delta_text_bytes(t, (char[2]){ '\\', (char)c }, 2);
            else if (c < 0x20)
                delta_text_format(t, "\\u%04x", c);
            else
                delta_text_add(t, "\xef\xbf\xbd");
        }
        start = ++i;
    }
    delta_text_bytes(t, "\"", 1);
}

void delta_text_quote(struct delta_text *t, const char *text)
{
    delta_text_string(t, text, text ? strlen(text) : 0);
}

void delta_text_fini(struct delta_text *t)
{
    free(t->p);
    *t = (struct delta_text){ 0 };
}
