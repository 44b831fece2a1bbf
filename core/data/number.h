/* number.h - the text of JSON numbers (RFC 8259, section 6) as values. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_NUMBER_H
#define PENSTOCK_DATA_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool pen_is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Behind the number that begins at p, or NULL where none does. What follows it is the caller's to look at. */
static inline const char *pen_number_end(const char *p, const char *end)
{
    p += p < end && *p == '-';
    if (p >= end || !pen_is_digit(*p))
        return NULL;
    if (*p++ != '0')
        while (p < end && pen_is_digit(*p))
            p++;
    if (p < end && *p == '.') {
        if (++p >= end || !pen_is_digit(*p))
            return NULL;
        while (p < end && pen_is_digit(*p))
            p++;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        if (p >= end || !pen_is_digit(*p))
            return NULL;
        while (p < end && pen_is_digit(*p))
            p++;
    }
    return p;
}

/* The number's value times 10^scale as a decimal of at most `precision` digits, little-endian two's complement; false where it is none exactly. */
bool pen_number_to_decimal(const char *text, size_t n, int precision, int scale, uint8_t le[16]);

#endif
