/* text.c - see text.h. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <penstock/records.h>

#include "data/text.h"

/* Value of a hex digit, or 0xFF. */
static const uint8_t hex_values[256] = {
    [0 ... '0' - 1] = 0xFF, ['0'] = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ['9' + 1 ... 'A' - 1] = 0xFF, ['A'] = 10, 11, 12, 13, 14, 15,
    ['F' + 1 ... 'a' - 1] = 0xFF, ['a'] = 10, 11, 12, 13, 14, 15, ['f' + 1 ... 255] = 0xFF,
};

/* The four hex digits at p, or a value above 0xFFFF. */
static uint32_t hex4(const char *p)
{
    const uint8_t *s = (const uint8_t *)p;
    uint32_t a = hex_values[s[0]], b = hex_values[s[1]], c = hex_values[s[2]], d = hex_values[s[3]];
    return (a | b | c | d) > 0xF ? UINT32_MAX : a << 12 | b << 8 | c << 4 | d;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    }
    return out;
}

const char *pen_json_escape(const char *p, const char *end, char **out)
{
    static const char plain[256] = { ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                     ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t' };
    uint32_t c, low;
    if (end - p < 2)
        return NULL;
    if (p[1] != 'u') {
        char one = plain[(uint8_t)p[1]];
        *(*out)++ = one;
        return one ? p + 2 : NULL;
    }
    if (end - p < 6 || (c = hex4(p + 2)) > 0xFFFF)
        return NULL;
    p += 6;
    if (c - 0xD800 < 0x800) {
        if (c < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' && (low = hex4(p + 2)) - 0xDC00 < 0x400) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            p += 6;
        } else {
            c = 0xFFFD;
        }
    }
    *out = put_utf8(*out, c);
    return p;
}

size_t pen_json_unescape(char *out, const char *text, size_t n)
{
    const char *p = text, *end = text + n;
    char *to = out;
    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((escape ? escape : end) - p);
        memmove(to, p, run);
        to += run;
        p += run;
        if (escape && !(p = pen_json_escape(p, end, &to)))
            break;
    }
    return (size_t)(to - out);
}

bool pen_utf8_valid(const char *s, size_t n)
{
    const char *p = s, *end = s + n;
    while (p < end) {
        uint64_t word;
        size_t len;
        if (end - p >= 8 && (memcpy(&word, p, 8), (word & UINT64_C(0x8080808080808080)) == 0)) {
            p += 8;
            continue;
        }
        if (!(len = pen_utf8_length(p, (size_t)(end - p))))
            return false;
        p += len;
    }
    return true;
}

/* -- base64 ----------------------------------------------------------------------------------------------------------------- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool pen_base64_decode(uint8_t *out, size_t *out_n, const char *text, size_t n)
{
    size_t at = 0, padding = 0;
    if (n % 4 != 0)
        return false;
    while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < n; i += 4) {
        bool last = i + 4 == n;
        int v[4];
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            v[k] = last && k >= 4 - padding ? 0 : base64_value(text[i + k]);
            if (v[k] < 0)
                return false;
            bits = bits << 6 | (uint32_t)v[k];
        }
        if (last && padding && (bits & (padding == 1 ? 0xFFu : 0xFFFFu))) /* bits that no byte holds */
            return false;
        for (size_t k = 0; k < 3 - (last ? padding : 0); k++)
            out[at++] = (uint8_t)(bits >> (16 - 8 * k));
    }
    *out_n = at;
    return true;
}
