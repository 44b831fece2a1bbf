/* text.c - see text.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <penstock/records.h>

#include "ops/text.h"

/* One character of text as it is to be printed, into out; returns how many bytes of text it stands for. */
static size_t escape_one(char out[8], size_t *out_n, const unsigned char *s, size_t n)
{
    size_t len = pen_utf8_length((const char *)s, n);
    bool acts = s[0] < 0x20 || s[0] == 0x7F || (len == 2 && s[0] == 0xC2 && s[1] < 0xA0); /* C0, DEL, C1: terminals act on them */
    if (len && !acts) {
        memcpy(out, s, len);
        *out_n = len;
        return len;
    }
    if (s[0] == '\n' || s[0] == '\t' || s[0] == '\r')
        *out_n = (size_t)snprintf(out, 8, "\\%c", s[0] == '\n' ? 'n' : s[0] == '\t' ? 't' : 'r');
    else
        *out_n = (size_t)snprintf(out, 8, "\\x%02X", s[0]);
    return 1;
}

size_t pen_text_escape(char *buf, size_t size, const char *text, size_t n)
{
    size_t at = 0, used = 0, room_for_dots = 0;
    if (size == 0)
        return 0;
    while (at < n) {
        char one[8];
        size_t one_n = 0;
        size_t step = escape_one(one, &one_n, (const unsigned char *)text + at, n - at);
        if (used + one_n + 1 > size) {
            used = size >= 4 ? room_for_dots : 0;
            if (size >= 4) {
                memcpy(buf + used, "...", 3);
                used += 3;
            }
            break;
        }
        memcpy(buf + used, one, one_n);
        used += one_n;
        if (used + 4 <= size)
            room_for_dots = used;
        at += step;
    }
    buf[used] = '\0';
    return used;
}
