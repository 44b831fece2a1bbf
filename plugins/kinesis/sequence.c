/* sequence.c - see sequence.h. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sequence.h"

/* s * 10 + digit, by halves of words so that nothing overflows. False where it is too large for three words. */
static bool push_digit(struct seq *s, uint64_t digit)
{
    for (int i = 2; i >= 0; i--) {
        uint64_t low = (s->w[i] & UINT32_MAX) * 10 + digit, high = (s->w[i] >> 32) * 10 + (low >> 32);
        s->w[i] = high << 32 | (low & UINT32_MAX);
        digit = high >> 32;
    }
    return digit == 0;
}

/* Divides by ten; returns the rest. */
static unsigned pop_digit(struct seq *s)
{
    uint64_t rest = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t high = rest << 32 | s->w[i] >> 32, low;
        rest = high % 10;
        low = rest << 32 | (s->w[i] & UINT32_MAX);
        rest = low % 10;
        s->w[i] = (high / 10) << 32 | low / 10;
    }
    return (unsigned)rest;
}

bool seq_parse(const char *text, struct seq *out)
{
    struct seq s = { { 0, 0, 0 } };
    size_t n = 0;
    for (; text[n]; n++)
        if (text[n] < '0' || text[n] > '9' || n == SEQ_DIGITS || !push_digit(&s, (uint64_t)(text[n] - '0')))
            return false;
    if (n == 0 || (n > 1 && text[0] == '0'))
        return false;
    *out = s;
    return true;
}

const char *seq_format(char buf[SEQ_TEXT], const struct seq *s)
{
    struct seq left = *s;
    char digits[SEQ_TEXT];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + pop_digit(&left));
    while (!seq_is_zero(&left));
    for (size_t i = 0; i < n; i++)
        buf[i] = digits[n - 1 - i];
    buf[n] = '\0';
    return buf;
}

int seq_compare(const struct seq *a, const struct seq *b)
{
    for (int i = 0; i < 3; i++)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

struct seq seq_next(struct seq s)
{
    for (int i = 2; i >= 0 && ++s.w[i] == 0; i--)
        ;
    return s;
}

struct seq seq_previous(struct seq s)
{
    for (int i = 2; i >= 0 && s.w[i]-- == 0; i--)
        ;
    return s;
}
