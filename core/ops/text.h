/* text.h - the one function through which text out of records, servers and files reaches a log line or a message.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_OPS_TEXT_H
#define PENSTOCK_OPS_TEXT_H

#include <stddef.h>

/* Copies n bytes of text into buf as one printable line of valid UTF-8: control characters become \n, \t, \r or \xHH, and so do bytes that
 * are no UTF-8. Cut at a whole character, with "..." , where it does not fit. Always ends buf with a NUL; returns buf's length. */
size_t pen_text_escape(char *buf, size_t size, const char *text, size_t n);

/* Length of the well-formed UTF-8 sequence at the start of n bytes (Unicode 15, table 3-7); 0 where there is none. */
static inline size_t pen_utf8_length(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (n > 0 && s[0] < 0x80)
        return 1;
    if (n >= 2 && s[0] >= 0xC2 && s[0] <= 0xDF && (s[1] & 0xC0) == 0x80)
        return 2;
    if (n >= 3 && (s[0] & 0xF0) == 0xE0 && (s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80)
        return (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ? 0 : 3;
    if (n >= 4 && s[0] >= 0xF0 && s[0] <= 0xF4 && (s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80 && (s[3] & 0xC0) == 0x80)
        return (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F) ? 0 : 4;
    return 0;
}

#endif
