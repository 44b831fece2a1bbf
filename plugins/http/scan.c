/* scan.c - see scan.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include <penstock/plugin.h>
#include <penstock/records.h>

#include "scan.h"

#define DEPTH 512 /* of nesting, as everywhere in Penstock */

void scan_init(struct scan *s, char *text, size_t n)
{
    static char nothing[1];
    text = text ? text : nothing;
    *s = (struct scan){ .p = text, .end = text + n, .begin = text };
}

static bool wrong(struct scan *s, const char *why)
{
    if (!s->why)
        s->why = why;
    return false;
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

char scan_peek(struct scan *s)
{
    skip_space(s);
    return s->p < s->end ? *s->p : '\0';
}

bool scan_at_end(struct scan *s)
{
    skip_space(s);
    return s->p == s->end;
}

/* -- strings ------------------------------------------------------------------------------------------------------------------- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool scan_escape(struct scan *s)
{
    char c = s->end - s->p > 1 ? s->p[1] : '\0';
    if (c == 'u') {
        for (int i = 2; i < 6; i++)
            if (s->end - s->p <= i || hex(s->p[i]) < 0)
                return wrong(s, "a \\u escape without four hexadecimal digits");
        s->p += 6;
        return true;
    }
    if (!c || !strchr("\"\\/bfnrt", c))
        return wrong(s, "an escape that JSON does not have");
    s->p += 2;
    return true;
}

/* Eight bytes at a time while none of them is a quote, a backslash, a control character or beyond ASCII. */
static char *plain_run(char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    while (end - p >= 8) {
        uint64_t w, quote, slash;
        memcpy(&w, p, 8);
        quote = w ^ (ones * '"');
        slash = w ^ (ones * '\\');
        if (((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & high)
            break; /* perhaps: the bytes are looked at one by one */
        p += 8;
    }
    return p;
}

static bool scan_string(struct scan *s)
{
    s->p++;
    for (;;) {
        unsigned char c;
        size_t n;
        s->p = plain_run(s->p, s->end);
        if (s->p == s->end)
            return wrong(s, "a string that does not end");
        c = (unsigned char)*s->p;
        if (c == '"') {
            s->p++;
            return true;
        }
        if (c == '\\') {
            if (!scan_escape(s))
                return false;
        } else if (c < 0x20) {
            return wrong(s, "a control character in a string");
        } else if (c < 0x80) {
            s->p++;
        } else if ((n = pen_utf8_length(s->p, (size_t)(s->end - s->p))) > 0) {
            s->p += n;
        } else {
            return wrong(s, "a string that is not UTF-8");
        }
    }
}

/* -- other values ----------------------------------------------------------------------------------------------------------------- */

static bool digits(struct scan *s)
{
    char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from;
}

static bool scan_number(struct scan *s)
{
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!digits(s))
        return wrong(s, "a number without digits");
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!digits(s))
            return wrong(s, "a number that ends in its point");
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (!digits(s))
            return wrong(s, "a number without an exponent");
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return wrong(s, "no JSON value");
    s->p += n;
    return true;
}

/* A value that holds no others. */
static bool scan_leaf(struct scan *s)
{
    switch (scan_peek(s)) {
    case '"': return scan_string(s);
    case 't': return scan_word(s, "true");
    case 'f': return scan_word(s, "false");
    case 'n': return scan_word(s, "null");
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': return scan_number(s);
    case '\0': return wrong(s, s->p == s->end ? "a value that is missing" : "no JSON value");
    default: return wrong(s, "no JSON value");
    }
}

static bool scan_colon(struct scan *s)
{
    if (scan_peek(s) != '"')
        return wrong(s, "a key is missing");
    if (!scan_string(s))
        return false;
    if (scan_peek(s) != ':')
        return wrong(s, "a colon is missing");
    s->p++;
    return true;
}

/* The inside of lists and objects without a call for each level: bit i of `objects` says what level i is. */
static bool scan_nested(struct scan *s)
{
    uint64_t objects[DEPTH / 64] = { 0 };
    unsigned depth = 0;
    for (;;) {
        char c = scan_peek(s);
        if (c == '{' || c == '[') {
            if (depth == DEPTH)
                return wrong(s, "nesting deeper than 512");
            objects[depth / 64] &= ~(UINT64_C(1) << depth % 64);
            objects[depth / 64] |= (uint64_t)(c == '{') << depth % 64;
            depth++;
            s->p++;
            if (scan_peek(s) == (c == '{' ? '}' : ']')) {
                depth--;
                s->p++;
            } else if (c == '[' || scan_colon(s)) {
                continue;
            } else {
                return false;
            }
        } else if (!scan_leaf(s)) {
            return false;
        }
        for (;; depth--, s->p++) { /* behind a value: how many levels end here? */
            bool object;
            if (depth == 0)
                return true;
            object = objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
            c = scan_peek(s);
            if (c == ',') {
                s->p++;
                if (object && !scan_colon(s))
                    return false;
                break;
            }
            if (c != (object ? '}' : ']'))
                return wrong(s, "a comma or an end is missing");
        }
    }
}

bool scan_value(struct scan *s, struct slice *out)
{
    skip_space(s);
    out->p = s->p;
    if (!scan_nested(s))
        return false;
    out->n = (size_t)(s->p - out->p);
    return true;
}

/* -- walking ------------------------------------------------------------------------------------------------------------------------ */

bool scan_enter(struct scan *s, char open)
{
    if (scan_peek(s) != open)
        return wrong(s, open == '{' ? "an object was expected" : "an array was expected");
    s->p++;
    return true;
}

/* Behind the last member, or before the next. */
static bool another(struct scan *s, bool *first, char close)
{
    char c = scan_peek(s);
    if (c == close && c) {
        s->p++;
        return false;
    }
    if (!*first) {
        if (c != ',')
            return wrong(s, "a comma or an end is missing");
        s->p++;
    }
    *first = false;
    return true;
}

bool scan_key(struct scan *s, bool *first, struct slice *key)
{
    if (!another(s, first, '}'))
        return false;
    skip_space(s);
    key->p = s->p + 1;
    if (!scan_colon(s))
        return false;
    key->n = 0;
    while (key->p[key->n] != '"')
        key->n += key->p[key->n] == '\\' ? 2 : 1;
    return true;
}

bool scan_item(struct scan *s, bool *first)
{
    return another(s, first, ']');
}

/* -- slices ------------------------------------------------------------------------------------------------------------------------- */

bool slice_is(const struct slice *key, const char *name)
{
    char plain[64];
    size_t n = strlen(name);
    if (!memchr(key->p, '\\', key->n))
        return key->n == n && memcmp(key->p, name, n) == 0;
    return key->n <= sizeof plain && pen_json_unescape(plain, key->p, key->n) == n && memcmp(plain, name, n) == 0;
}

bool slice_is_string(const struct slice *value)
{
    return value->n > 1 && value->p[0] == '"';
}

bool slice_is_null(const struct slice *value)
{
    return value->n == 4 && value->p[0] == 'n';
}

void slice_unquote(struct slice *value)
{
    value->p++;
    value->n -= 2;
    if (memchr(value->p, '\\', value->n))
        value->n = pen_json_unescape(value->p, value->p, value->n);
}

bool slice_to_int(const struct slice *value, long long max, long long *out)
{
    long long v = 0;
    for (size_t i = 0; i < value->n; i++) {
        if (value->p[i] < '0' || value->p[i] > '9' || v > max / 10)
            return false;
        v = v * 10 + (value->p[i] - '0');
    }
    *out = v;
    return value->n > 0 && v <= max;
}

static int sextet(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool slice_from_base64(struct slice *text)
{
    size_t n = text->n, out = 0;
    unsigned bits = 0, acc = 0;
    if (n % 4 == 0 && n && text->p[n - 1] == '=')
        n -= text->p[n - 2] == '=' ? 2 : 1;
    if (n % 4 == 1)
        return false;
    for (size_t i = 0; i < n; i++) {
        int v = sextet(text->p[i]);
        if (v < 0)
            return false;
        acc = acc << 6 | (unsigned)v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            text->p[out++] = (char)(acc >> bits);
        }
    }
    text->n = out;
    return (acc & ((1u << bits) - 1)) == 0;
}
