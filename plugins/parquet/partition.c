/* partition.c - text of partition values, in both directions.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "partition.h"

#define DAY INT64_C(86400000000)

pen_status pen_partition_check(const struct ArrowSchema *field, struct pen_error *err)
{
    char type[64];
    switch (pen_schema_type(field)) {
    case PEN_TYPE_BOOL:
    case PEN_TYPE_INT32:
    case PEN_TYPE_INT64:
    case PEN_TYPE_FLOAT64:
    case PEN_TYPE_DECIMAL128:
    case PEN_TYPE_UTF8:
    case PEN_TYPE_DATE32:
    case PEN_TYPE_TIMESTAMP:
        return PEN_OK;
    default:
        return pen_fail(err, PEN_BADCONF, "partition_by: column %s is %s, which makes no folders", field->name,
                        pen_schema_type_name(field, type, sizeof type));
    }
}

/* Days since 1970-01-01 to the proleptic Gregorian calendar and back; eras of 400 years that begin on the first of March. */
static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned of_era = (unsigned)(z - era * 146097);
    unsigned y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int64_t)y + era * 400 + (*month <= 2);
}

static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    unsigned of_era = (unsigned)(y - era * 400), of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

/* A double's shortest text that reads back as it; NaN and infinities as Java spells them. The decimal point is a point in any locale. */
static int float_text(double d, char *buf, size_t size)
{
    int n = 0;
    char *comma;
    if (isnan(d))
        return snprintf(buf, size, "NaN");
    if (isinf(d))
        return snprintf(buf, size, d < 0 ? "-Infinity" : "Infinity");
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(buf, size, "%.*g", digits, d);
        if (strtod(buf, NULL) == d)
            break;
    }
    comma = strpbrk(buf, localeconv()->decimal_point);
    if (comma)
        *comma = '.';
    if (!strpbrk(buf, ".e"))
        n += snprintf(buf + n, size - (size_t)n, ".0");
    return n;
}

static int time_text(int64_t us, char *buf, size_t size)
{
    int64_t days = us / DAY - (us % DAY < 0), year;
    int64_t rest = us - days * DAY;
    unsigned month, day, fraction = (unsigned)(rest % 1000000);
    int n;
    rest /= 1000000;
    date_of(days, &year, &month, &day);
    n = snprintf(buf, size, "%04" PRId64 "-%02u-%02u %02d:%02d:%02d", year, month, day, (int)(rest / 3600), (int)(rest / 60 % 60),
                 (int)(rest % 60));
    if (fraction)
        n += snprintf(buf + n, size - (size_t)n, ".%06u", fraction);
    return n;
}

static int decimal_text(const uint8_t *le, int scale, char *buf, size_t size)
{
    __extension__ typedef unsigned __int128 wide;
    wide v = (wide)pen_load64(le + 8) << 64 | pen_load64(le);
    bool negative = le[15] & 0x80;
    char digits[48];
    int n = 0, at = 0;
    if (negative)
        v = 0 - v;
    for (; v || n <= scale; v /= 10)
        digits[n++] = (char)('0' + (int)(v % 10));
    if (negative)
        buf[at++] = '-';
    while (n > 0 && (size_t)at < size - 2) {
        if (n == scale)
            buf[at++] = '.';
        buf[at++] = digits[--n];
    }
    buf[at] = 0;
    return at;
}

pen_status pen_partition_text(const struct ArrowSchema *field, const struct ArrowArray *array, int64_t row, struct pen_buf *out,
                              bool *null, struct pen_error *err)
{
    struct pen_column c = pen_column_of(array);
    char buf[64];
    const char *text = buf;
    size_t n;
    int64_t year, v;
    unsigned month, day;
    int precision = 0, scale = 0, m = 0;
    *null = pen_column_is_null(&c, row);
    if (*null)
        return PEN_OK;
    switch (pen_schema_type(field)) {
    case PEN_TYPE_UTF8:
        text = pen_column_bytes(&c, row, &n);
        *null = n == 0;
        return pen_buf_put(out, text, n, err);
    case PEN_TYPE_BOOL:
        m = snprintf(buf, sizeof buf, "%s", pen_column_bool(&c, row) ? "true" : "false");
        break;
    case PEN_TYPE_INT32:
        m = snprintf(buf, sizeof buf, "%d", (int)pen_column_int32(&c, row));
        break;
    case PEN_TYPE_DATE32:
        date_of(pen_column_int32(&c, row), &year, &month, &day);
        m = snprintf(buf, sizeof buf, "%04" PRId64 "-%02u-%02u", year, month, day);
        break;
    case PEN_TYPE_FLOAT64:
        m = float_text(pen_column_float64(&c, row), buf, sizeof buf);
        break;
    case PEN_TYPE_TIMESTAMP:
        m = time_text(pen_column_int64(&c, row), buf, sizeof buf);
        break;
    case PEN_TYPE_DECIMAL128:
        sscanf(field->format, "d:%d,%d", &precision, &scale);
        m = decimal_text((const uint8_t *)c.data + (c.offset + row) * 16, scale, buf, sizeof buf);
        break;
    default:
        v = pen_column_int64(&c, row);
        m = snprintf(buf, sizeof buf, "%" PRId64, v);
    }
    return pen_buf_put(out, text, (size_t)m, err);
}

/* -- and back ----------------------------------------------------------------------------------------------------------------- */

static bool parse_date(const char **p, int64_t *days)
{
    char *end;
    long long year;
    unsigned month, day;
    int used = 0;
    errno = 0;
    year = strtoll(*p, &end, 10);
    if (errno || end == *p || year < -9999 || year > 999999 || sscanf(end, "-%2u-%2u%n", &month, &day, &used) != 2 || !used ||
        month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    *days = days_of(year, month, day);
    *p = end + used;
    return true;
}

static bool parse_time(const char *p, int64_t *us)
{
    int64_t days, fraction = 0;
    unsigned h, m, s;
    int used = 0;
    if (!parse_date(&p, &days) || (*p != ' ' && *p != 'T') || sscanf(p + 1, "%2u:%2u:%2u%n", &h, &m, &s, &used) != 3 || !used ||
        h > 23 || m > 59 || s > 59)
        return false;
    p += 1 + used;
    if (*p == '.') {
        int64_t unit = 100000;
        for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
            fraction += (*p - '0') * unit;
    }
    if (*p && strcmp(p, "Z") != 0)
        return false;
    *us = days * DAY + ((int64_t)h * 3600 + m * 60 + s) * 1000000 + fraction;
    return true;
}

static bool parse_decimal(const char *p, int precision, int scale, uint8_t le[16])
{
    __extension__ typedef unsigned __int128 wide;
    wide v = 0;
    bool negative = *p == '-', point = false;
    int digits = 0, after = 0;
    p += negative;
    for (; *p; p++) {
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9' || ++digits > 38)
            return false;
        v = v * 10 + (unsigned)(*p - '0');
        after += point;
    }
    if (after > scale || digits == 0)
        return false;
    for (; after < scale; after++, digits++)
        v *= 10;
    if (digits > 38 || digits - scale > precision - scale + 1)
        return false;
    if (negative)
        v = 0 - v;
    pen_store64(le, (uint64_t)v);
    pen_store64(le + 8, (uint64_t)(v >> 64));
    return true;
}

pen_status pen_partition_parse(const struct ArrowSchema *field, const char *text, struct pen_builder *b, struct pen_error *err)
{
    char type[64], *end = NULL;
    int64_t v = 0;
    uint8_t le[16];
    int precision = 0, scale = 0;
    const char *p = text;
    bool good = true;
    errno = 0;
    if (!text) {
        pen_builder_null(b);
        return PEN_OK;
    }
    switch (pen_schema_type(field)) {
    case PEN_TYPE_UTF8:
        pen_builder_bytes_value(b, text, strlen(text));
        return PEN_OK;
    case PEN_TYPE_BOOL:
        good = strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
        pen_builder_bool(b, *text == 't');
        break;
    case PEN_TYPE_FLOAT64:
        pen_builder_float64(b, strtod(text, &end));
        good = end != text && !*end;
        break;
    case PEN_TYPE_DATE32:
        good = parse_date(&p, &v) && !*p && v >= INT32_MIN && v <= INT32_MAX;
        pen_builder_int32(b, (int32_t)v);
        break;
    case PEN_TYPE_TIMESTAMP:
        good = parse_time(text, &v);
        pen_builder_int64(b, v);
        break;
    case PEN_TYPE_DECIMAL128:
        sscanf(field->format, "d:%d,%d", &precision, &scale);
        memset(le, 0, sizeof le);
        good = parse_decimal(text, precision, scale, le);
        pen_builder_decimal128(b, le);
        break;
    default:
        v = strtoll(text, &end, 10);
        good = !errno && end != text && !*end;
        if (pen_schema_type(field) == PEN_TYPE_INT32) {
            good = good && v >= INT32_MIN && v <= INT32_MAX;
            pen_builder_int32(b, (int32_t)v);
        } else {
            pen_builder_int64(b, v);
        }
    }
    return good ? PEN_OK : pen_fail(err, PEN_BADDATA, "partition column %s: \"%s\" is no %s", field->name, text,
                                    pen_schema_type_name(field, type, sizeof type));
}
