/* field.c - one field of a message. Messages are anything; what is no JSON has no fields. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "field.h"

enum { KEY_MAX = 512 };

struct span {
    const char *p, *end;
};

static void skip_space(struct span *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool take_char(struct span *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* From a quote to behind the one that ends it. */
static bool skip_string(struct span *s)
{
    for (s->p++; s->p < s->end; s->p++)
        if (*s->p == '\\' && s->p + 1 < s->end)
            s->p++;
        else if (*s->p == '"')
            return s->p++, true;
    return false;
}

static bool skip_nested(struct span *s)
{
    size_t depth = 0;
    while (s->p < s->end) {
        if (*s->p == '"') {
            if (!skip_string(s))
                return false;
            continue;
        }
        depth += *s->p == '{' || *s->p == '[';
        depth -= *s->p == '}' || *s->p == ']';
        s->p++;
        if (!depth)
            return true;
    }
    return false;
}

static bool skip_value(struct span *s)
{
    const char *from = s->p;
    if (s->p == s->end)
        return false;
    if (*s->p == '"')
        return skip_string(s);
    if (*s->p == '{' || *s->p == '[')
        return skip_nested(s);
    while (s->p < s->end && !strchr(",}] \t\r\n", *s->p))
        s->p++;
    return s->p > from;
}

/* -- strings --------------------------------------------------------------------------------------------------------------------------------------- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Whether each escape is one, so that the text can be unescaped. */
static bool escapes_are_good(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\\')
            continue;
        if (++i == n || !p[i] || !strchr("\"\\/bfnrtu", p[i]))
            return false;
        for (size_t k = 1; p[i] == 'u' && k <= 4; k++)
            if (i + k >= n || !is_hex(p[i + k]))
                return false;
    }
    return true;
}

/* The inside of a string literal, unescaped. */
static bool put_string(struct pen_text *out, const char *inside, size_t n)
{
    char *room;
    bool good;
    if (!escapes_are_good(inside, n) || !(room = malloc(n + 1)))
        return false;
    n = pen_json_unescape(room, inside, n);
    good = pen_utf8_valid(room, n);
    if (good)
        pen_text_append(out, room, n);
    free(room);
    return good;
}

/* -- fields ---------------------------------------------------------------------------------------------------------------------------------------- */

/* Whether the string literal [key, key+n), with its quotes, says this. */
static bool key_is(const char *key, size_t n, const char *name, size_t name_n)
{
    char room[KEY_MAX];
    if (!memchr(key, '\\', n))
        return n - 2 == name_n && memcmp(key + 1, name, name_n) == 0;
    return n - 2 < sizeof room && escapes_are_good(key + 1, n - 2) && pen_json_unescape(room, key + 1, n - 2) == name_n && memcmp(room, name, name_n) == 0;
}

static bool find_in(struct span s, const char *name, size_t name_n, struct span *found)
{
    bool any = false;
    if (!take_char(&s, '{'))
        return false;
    if (take_char(&s, '}'))
        return false;
    do {
        struct span value;
        const char *key;
        size_t key_n;
        skip_space(&s);
        key = s.p;
        if (s.p == s.end || *s.p != '"' || !skip_string(&s))
            return false;
        key_n = (size_t)(s.p - key);
        if (!take_char(&s, ':'))
            return false;
        skip_space(&s);
        value.p = s.p;
        if (!skip_value(&s))
            return false;
        value.end = s.p;
        if (key_is(key, key_n, name, name_n)) {
            *found = value;
            any = true;
        }
    } while (take_char(&s, ','));
    return any && take_char(&s, '}');
}

bool field_find(const char *json, size_t n, const char *path, const char **value, size_t *value_n)
{
    struct span s = { json, json + n };
    for (;;) {
        size_t name = strcspn(path, ".");
        if (!find_in(s, path, name, &s))
            return false;
        path += name;
        if (!*path)
            break;
        path++;
    }
    *value = s.p;
    *value_n = (size_t)(s.end - s.p);
    return true;
}

/* RFC 8259's number. */
static bool is_number(const char *p, size_t n)
{
    const char *end = p + n, *digits;
    p += p < end && *p == '-';
    for (digits = p; p < end && *p >= '0' && *p <= '9';)
        p++;
    if (p == digits || (*digits == '0' && p - digits > 1))
        return false;
    if (p < end && *p == '.') {
        for (digits = ++p; p < end && *p >= '0' && *p <= '9';)
            p++;
        if (p == digits)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        for (digits = p; p < end && *p >= '0' && *p <= '9';)
            p++;
        if (p == digits)
            return false;
    }
    return p == end;
}

bool field_text(const char *value, size_t n, struct pen_text *out)
{
    bool plain = is_number(value, n) || (n == 4 && memcmp(value, "true", 4) == 0) || (n == 5 && memcmp(value, "false", 5) == 0);
    if (n >= 2 && *value == '"')
        return put_string(out, value + 1, n - 2);
    if (plain)
        pen_text_append(out, value, n);
    return plain;
}

bool field_time(const char *value, size_t n, int64_t *micros)
{
    struct pen_text text = { 0 };
    int64_t ms;
    bool good;
    if (is_number(value, n))
        return pen_json_number_to_int64(value, n, &ms, NULL) && !__builtin_mul_overflow(ms, INT64_C(1000), micros);
    good = n >= 2 && *value == '"' && put_string(&text, value + 1, n - 2) && text.n && pen_parse_timestamp(text.bytes, text.n, micros);
    pen_text_fini(&text);
    return good;
}
