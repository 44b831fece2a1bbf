/* print_width.c - how many columns of a terminal a character takes: Unicode's combining marks none, East Asian wide ones and emoji two.
 * Sources: Unicode 15, DerivedGeneralCategory (Mn, Me, Cf) and EastAsianWidth (W, F), by blocks. SPDX-License-Identifier: Apache-2.0 */
#include <penstock/records.h>

#include "cli/print.h"

struct range {
    uint32_t first, last;
};

static const struct range zero[] = {
    { 0x300, 0x36F },     { 0x483, 0x489 },     { 0x591, 0x5BD },     { 0x610, 0x61A },     { 0x64B, 0x65F },   { 0x6D6, 0x6DC },
    { 0x6DF, 0x6E4 },     { 0x93C, 0x93C },     { 0x941, 0x948 },     { 0x94D, 0x94D },     { 0xE31, 0xE31 },   { 0xE34, 0xE3A },
    { 0xE47, 0xE4E },     { 0x1AB0, 0x1AFF },   { 0x1DC0, 0x1DFF },   { 0x200B, 0x200F },   { 0x2060, 0x2064 }, { 0x20D0, 0x20FF },
    { 0xFE00, 0xFE0F },   { 0xFE20, 0xFE2F },   { 0xFEFF, 0xFEFF },   { 0xE0000, 0xE01EF },
};
static const struct range two[] = {
    { 0x1100, 0x115F },   { 0x231A, 0x231B },   { 0x23E9, 0x23EC },   { 0x25FD, 0x25FE },   { 0x2614, 0x2615 },   { 0x2648, 0x2653 },
    { 0x26AA, 0x26AB },   { 0x26BD, 0x26BE },   { 0x26C4, 0x26C5 },   { 0x2705, 0x2705 },   { 0x270A, 0x270B },   { 0x2728, 0x2728 },
    { 0x274C, 0x274C },   { 0x2753, 0x2755 },   { 0x2795, 0x2797 },   { 0x2B50, 0x2B50 },   { 0x2E80, 0x303E },   { 0x3041, 0x33FF },
    { 0x3400, 0x4DBF },   { 0x4E00, 0xA4CF },   { 0xA960, 0xA97C },   { 0xAC00, 0xD7A3 },   { 0xF900, 0xFAFF },   { 0xFE30, 0xFE6F },
    { 0xFF00, 0xFF60 },   { 0xFFE0, 0xFFE6 },   { 0x17000, 0x18CFF }, { 0x1B000, 0x1B2FF }, { 0x1F18E, 0x1F18E }, { 0x1F191, 0x1F19A },
    { 0x1F200, 0x1F320 }, { 0x1F32D, 0x1F64F }, { 0x1F680, 0x1F6FC }, { 0x1F7E0, 0x1F7EB }, { 0x1F90C, 0x1FAFF }, { 0x20000, 0x3FFFD },
};

static bool within(uint32_t c, const struct range *r, size_t n)
{
    for (size_t i = 0; i < n && r[i].first <= c; i++)
        if (c <= r[i].last)
            return true;
    return false;
}

int pen_display_width(const char *text, size_t n, size_t *bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t c;
    *bytes = pen_utf8_length(text, n);
    if (*bytes < 2) {
        *bytes = 1;
        return 1;
    }
    c = *bytes == 2 ? s[0] & 0x1Fu : *bytes == 3 ? s[0] & 0xFu : s[0] & 7u;
    for (size_t i = 1; i < *bytes; i++)
        c = c << 6 | (s[i] & 0x3Fu);
    return within(c, zero, sizeof zero / sizeof *zero) ? 0 : within(c, two, sizeof two / sizeof *two) ? 2 : 1;
}
