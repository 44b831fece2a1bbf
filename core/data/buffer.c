/* buffer.c - struct pen_text: text that grows. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <penstock/records.h>


static bool reserve(struct pen_text *t, size_t more)
{
    size_t cap = t->cap ? t->cap : 256;
    char *bytes;
    if (t->failed || more > SIZE_MAX / 4 - t->n) {
        t->failed = true;
        return false;
    }
    if (t->n + more <= t->cap)
        return true;
    while (cap < t->n + more)
        cap *= 2;
    bytes = realloc(t->bytes, cap);
    if (!bytes) {
        t->failed = true;
        return false;
    }
    t->bytes = bytes;
    t->cap = cap;
    return true;
}

void pen_text_append(struct pen_text *t, const void *bytes, size_t n)
{
    if (n == 0 || !reserve(t, n))
        return;
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
}

void pen_text_put(struct pen_text *t, const char *string)
{
    pen_text_append(t, string, strlen(string));
}

void pen_text_format(struct pen_text *t, const char *fmt, ...)
{
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(t, (size_t)n + 1))
        return;
    va_start(ap, fmt);
    vsnprintf(t->bytes + t->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->n += (size_t)n;
}

static void escape(struct pen_text *t, unsigned c)
{
    static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    for (size_t i = 0; shorts[i]; i += 2)
        if ((unsigned)shorts[i] == c) {
            pen_text_append(t, (const char[]){ '\\', shorts[i + 1] }, 2);
            return;
        }
    pen_text_format(t, "\\u%04x", c);
}

void pen_text_json_string(struct pen_text *t, const void *bytes, size_t n)
{
    const unsigned char *s = bytes;
    size_t from = 0, i = 0;
    pen_text_append(t, "\"", 1);
    while (i < n) {
        size_t len = pen_utf8_length((const char *)s + i, n - i);
        bool c1 = len == 2 && s[i] == 0xC2 && s[i + 1] < 0xA0; /* terminals act on these too */
        if (len && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' && s[i] != 0x7F && !c1) {
            i += len;
            continue;
        }
        pen_text_append(t, s + from, i - from);
        if (len)
            escape(t, c1 ? s[i + 1] : s[i]);
        else
            pen_text_put(t, "\xEF\xBF\xBD");
        i += len ? len : 1;
        from = i;
    }
    pen_text_append(t, s + from, n - from);
    pen_text_append(t, "\"", 1);
}

void pen_text_base64(struct pen_text *t, const void *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = bytes;
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)s[i] << 16 | (i + 1 < n ? (unsigned)s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0u);
        char out[4] = { digits[v >> 18], digits[v >> 12 & 63], i + 1 < n ? digits[v >> 6 & 63] : '=', i + 2 < n ? digits[v & 63] : '=' };
        pen_text_append(t, out, 4);
    }
}

void pen_text_clear(struct pen_text *t)
{
    t->n = 0;
    t->failed = false;
}

void pen_text_fini(struct pen_text *t)
{
    free(t->bytes);
    memset(t, 0, sizeof *t);
}
