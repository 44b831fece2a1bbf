/* number.c - JSON numbers as whole numbers, doubles and decimals, exactly. The text is trusted to be a number (pen_number_end).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <penstock/records.h>

#include "data/number.h"

/* A number taken apart: digits × 10^exponent, digits without leading and trailing zeros; n_digits 0 is zero. */
struct parts {
    bool negative;
    const char *digits; /* the first that counts; a point may lie among them */
    int64_t n_digits;
    int64_t exponent;
};

#define EXPONENT_LIMIT INT64_C(1000000000000) /* beyond any count of digits, far from overflow */

static struct parts take_apart(const char *text, size_t n)
{
    struct parts v = { 0 };
    const char *p = text, *end = text + n;
    int64_t point = 0, seen = 0, last = 0, written = 0; /* digits before the point; from the first that counts; to the last non-zero */
    bool after_point = false, negative_exponent = false;
    v.negative = *p == '-';
    p += v.negative;
    for (; p < end && (pen_is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            after_point = true;
            continue;
        }
        if (*p != '0' && !v.digits)
            v.digits = p;
        seen += v.digits != NULL;
        if (*p != '0')
            last = seen;
        point -= after_point;
    }
    if (p < end) { /* e or E */
        p++;
        negative_exponent = *p == '-';
        p += *p == '-' || *p == '+';
        for (; p < end; p++)
            written = written < EXPONENT_LIMIT ? written * 10 + (*p - '0') : EXPONENT_LIMIT;
    }
    v.n_digits = last;
    v.exponent = point + (seen - last) + (negative_exponent ? -written : written);
    if (last == 0)
        v.exponent = 0;
    return v;
}

/* The next digit, '0' behind the last one. */
static unsigned next_digit(const char **p, int64_t *left)
{
    unsigned d;
    if (*left == 0)
        return 0;
    if (**p == '.')
        ++*p;
    d = (unsigned)(**p - '0');
    ++*p;
    --*left;
    return d;
}

bool pen_json_number_to_int64(const char *text, size_t n, int64_t *out, bool *exact)
{
    struct parts v = take_apart(text, n);
    int64_t whole = v.n_digits + v.exponent, left = v.n_digits;
    const char *p = v.digits;
    uint64_t sum = 0;
    if (exact)
        *exact = v.exponent >= 0;
    if (v.n_digits == 0 || whole <= 0) {
        *out = 0;
        return true;
    }
    if (whole > 19)
        return false;
    for (int64_t i = 0; i < whole; i++)
        sum = sum * 10 + next_digit(&p, &left); /* 19 digits fit uint64 */
    if (sum > (uint64_t)INT64_MAX + v.negative)
        return false;
    *out = v.negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

/* The correctly rounded double of digits × 10^exponent by the C library. 770 digits decide any rounding; a further 1 stands for all that
 * were left out. No decimal point is written, so the locale plays no part. */
static double by_strtod(const struct parts *v)
{
    char buf[832];
    const char *p = v->digits;
    int64_t left = v->n_digits, exponent = v->exponent;
    size_t at = 0;
    while (left > 0 && at < 770)
        buf[at++] = (char)('0' + next_digit(&p, &left));
    if (left > 0) {
        buf[at++] = '1';
        exponent += left - 1;
    }
    if (exponent > 100000 || exponent < -100000) /* beyond what 771 digits bring back; keeps the text short */
        exponent = exponent > 0 ? 100000 : -100000;
    buf[at++] = 'e';
    if (exponent < 0)
        buf[at++] = '-';
    exponent = exponent < 0 ? -exponent : exponent;
    for (int64_t power = 100000; power > 0; power /= 10)
        buf[at++] = (char)('0' + exponent / power % 10);
    buf[at] = '\0';
    return strtod(buf, NULL);
}

bool pen_json_number_to_float64(const char *text, size_t n, double *out)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    struct parts v = take_apart(text, n);
    int64_t left = v.n_digits;
    const char *p = v.digits;
    double value = 0;
    if (v.n_digits <= 15 && v.exponent >= -22 && v.exponent <= 22) {
        /* Both are exact in a double, so that one operation rounds once (Clinger). */
        uint64_t digits = 0;
        while (left > 0)
            digits = digits * 10 + next_digit(&p, &left);
        value = v.exponent < 0 ? (double)digits / powers[-v.exponent] : (double)digits * powers[v.exponent];
    } else {
        value = by_strtod(&v);
    }
    *out = v.negative ? -value : value;
    return isfinite(value);
}

bool pen_number_to_decimal(const char *text, size_t n, int precision, int scale, uint8_t le[16])
{
    struct parts v = take_apart(text, n);
    int64_t zeros = v.exponent + scale, left = v.n_digits;
    const char *p = v.digits;
    unsigned __int128 sum = 0;
    if (v.n_digits && (zeros < 0 || v.n_digits + zeros > precision))
        return false;
    for (int64_t i = 0; v.n_digits && i < v.n_digits + zeros; i++)
        sum = sum * 10 + next_digit(&p, &left);
    if (v.negative)
        sum = 0 - sum;
    for (int i = 0; i < 16; i++)
        le[i] = (uint8_t)(sum >> (8 * i));
    return true;
}
