/* text.c - values as MySQL and MariaDB send them in their text protocol, which is the cheaper of the two to read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include <penstock/records.h>

#include "column.h"

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool rds_parse_uint64(const uint8_t *text, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)text[i] - '0';
        if (d > 9 || v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

bool rds_parse_int64(const uint8_t *text, size_t n, int64_t *out)
{
    bool minus = n > 0 && text[0] == '-';
    uint64_t v;
    if (!rds_parse_uint64(text + minus, n - minus, &v) || v > (uint64_t)INT64_MAX + minus)
        return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

rds_fit rds_text_int32(const struct rds_column *c, struct pen_builder *b, const uint8_t *text, size_t n)
{
    int64_t v;
    (void)c;
    if (!rds_parse_int64(text, n, &v) || v < INT32_MIN || v > INT32_MAX)
        return RDS_BROKEN;
    pen_builder_int32(b, (int32_t)v);
    return RDS_FITS;
}

rds_fit rds_text_int64(const struct rds_column *c, struct pen_builder *b, const uint8_t *text, size_t n)
{
    int64_t v;
    (void)c;
    if (!rds_parse_int64(text, n, &v))
        return RDS_BROKEN;
    pen_builder_int64(b, v);
    return RDS_FITS;
}

rds_fit rds_text_uint64(const struct rds_column *c, struct pen_builder *b, const uint8_t *text, size_t n)
{
    uint64_t v;
    (void)c;
    return rds_parse_uint64(text, n, &v) ? rds_append_decimal(b, (rds_int128)v) : RDS_BROKEN;
}

/* [-]digits[.digits], with as many places as the column has at most. */
rds_fit rds_text_decimal(const struct rds_column *c, struct pen_builder *b, const uint8_t *text, size_t n)
{
    bool minus = n > 0 && text[0] == '-';
    rds_uint128 v = 0;
    int digits = 0, places = -1;
    size_t i = minus;
    for (; i < n; i++) {
        if (text[i] == '.' && places < 0) {
            places = 0;
            continue;
        }
        if (!digit(text[i]))
            return RDS_BROKEN;
        v = v * 10 + (unsigned)(text[i] - '0');
        digits += v != 0;
        places += places >= 0;
        if (digits > c->precision || places > c->scale)
            return RDS_BROKEN;
    }
    if (i == minus)
        return RDS_BROKEN;
    for (places = places < 0 ? 0 : places; places < c->scale; places++) {
        v *= 10;
        digits += v != 0;
        if (digits > c->precision)
            return RDS_BROKEN;
    }
    return rds_append_decimal(b, minus ? -(rds_int128)v : (rds_int128)v);
}

static size_t digits_at(const uint8_t *text, size_t n, size_t i)
{
    size_t begin = i;
    while (i < n && digit(text[i]))
        i++;
    return i - begin;
}

/* [-]digits[.digits][e[+-]digits], which is a number of JSON, too. */
static bool is_number(const uint8_t *text, size_t n)
{
    size_t i = n > 0 && text[0] == '-', k = digits_at(text, n, i);
    bool good = k > 0;
    i += k;
    if (good && i < n && text[i] == '.') {
        k = digits_at(text, n, i + 1);
        good = k > 0;
        i += 1 + k;
    }
    if (good && i < n && (text[i] == 'e' || text[i] == 'E')) {
        bool sign = i + 1 < n && (text[i + 1] == '-' || text[i + 1] == '+');
        i += sign ? 2 : 1;
        k = digits_at(text, n, i);
        good = k > 0;
        i += k;
    }
    return good && i == n;
}

rds_fit rds_text_float64(const struct rds_column *c, struct pen_builder *b, const uint8_t *text, size_t n)
{
    double v;
    (void)c;
    if (!is_number(text, n) || !pen_json_number_to_float64((const char *)text, n, &v))
        return RDS_BROKEN;
    pen_builder_float64(b, v);
    return RDS_FITS;
}

/* BIT(n) comes as bytes, the highest first. */
static bool bits(const uint8_t *bytes, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    if (n == 0 || n > 8)
        return false;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | bytes[i];
    *out = v;
    return true;
}

rds_fit rds_text_bool(const struct rds_column *c, struct pen_builder *b, const uint8_t *bytes, size_t n)
{
    uint64_t v;
    (void)c;
    if (!bits(bytes, n, &v) || v > 1)
        return RDS_BROKEN;
    pen_builder_bool(b, v);
    return RDS_FITS;
}

rds_fit rds_text_bits(const struct rds_column *c, struct pen_builder *b, const uint8_t *bytes, size_t n)
{
    uint64_t v;
    (void)c;
    if (!bits(bytes, n, &v) || v > INT64_MAX)
        return RDS_BROKEN;
    pen_builder_int64(b, (int64_t)v);
    return RDS_FITS;
}

rds_fit rds_text_bits64(const struct rds_column *c, struct pen_builder *b, const uint8_t *bytes, size_t n)
{
    uint64_t v;
    (void)c;
    return bits(bytes, n, &v) ? rds_append_decimal(b, (rds_int128)v) : RDS_BROKEN;
}

/* Days and times that do not exist, 0000-00-00 above all, are what MySQL keeps where its mode lets it: null. */
rds_fit rds_text_date(const struct rds_column *c, struct pen_builder *b, const uint8_t *text, size_t n)
{
    int32_t days;
    (void)c;
    if (n != 10 || !digit(text[0]))
        return RDS_BROKEN;
    if (!pen_parse_date((const char *)text, n, &days))
        return RDS_UNFIT;
    pen_builder_int32(b, days);
    return RDS_FITS;
}

rds_fit rds_text_timestamp(const struct rds_column *c, struct pen_builder *b, const uint8_t *text, size_t n)
{
    int64_t micros;
    (void)c;
    if (n < 19 || n > 26 || !digit(text[0]) || text[4] != '-')
        return RDS_BROKEN;
    if (!pen_parse_timestamp((const char *)text, n, &micros))
        return RDS_UNFIT;
    pen_builder_int64(b, micros);
    return RDS_FITS;
}
