/* partition.c - texts of partition values to values. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1, doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static bool parse_date(const char **text, int64_t *day)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int y, m, d, used = 0;
    if (sscanf(*text, "%4d-%2d-%2d%n", &y, &m, &d, &used) != 3 || used == 0 || m < 1 || m > 12 || d < 1)
        return false;
    bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    if (d > lengths[m - 1] + (m == 2 && leap))
        return false;
    *text += used;
    *day = days_from_civil(y, m, d);
    return true;
}

/* "2021-01-02 03:04:05[.f…]" or with T and a zone; UTC where none is given. */
static bool parse_timestamp(const char *text, int64_t *us)
{
    int64_t day, fraction = 0, scale = 100000;
    int h = 0, m = 0, s = 0, used = 0, zh, zm;
    if (!parse_date(&text, &day))
        return false;
    if (*text == ' ' || *text == 'T') {
        if (sscanf(text + 1, "%2d:%2d:%2d%n", &h, &m, &s, &used) != 3 || used == 0 || h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59)
            return false;
        text += 1 + used;
    }
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++, scale /= 10)
            fraction += (*text - '0') * scale;
    *us = ((day * 24 + h) * 60 + m) * 60 * 1000000 + (int64_t)s * 1000000 + fraction;
    if (strcmp(text, "Z") == 0 || *text == '\0')
        return true;
    used = 0;
    if ((*text != '+' && *text != '-') || sscanf(text + 1, "%2d:%2d%n", &zh, &zm, &used) != 2 || text[1 + used] != '\0')
        return false;
    *us -= (*text == '-' ? -1 : 1) * ((int64_t)zh * 60 + zm) * 60 * 1000000;
    return true;
}

static bool parse_decimal(const char *text, const struct ArrowSchema *field, uint8_t le[16])
{
    int precision, scale, digits = 0, after = -1;
    bool minus = *text == '-';
    unsigned __int128 v = 0;
    if (sscanf(field->format, "d:%d,%d", &precision, &scale) != 2)
        return false;
    for (text += minus || *text == '+'; *text; text++) {
        if (*text == '.' && after < 0) {
            after = 0;
            continue;
        }
        if (*text < '0' || *text > '9' || ++digits > 38 + scale)
            return false;
        if (after >= 0 && after == scale) {
            if (*text != '0')
                return false;
            continue;
        }
        v = v * 10 + (unsigned)(*text - '0');
        after += after >= 0;
    }
    for (int i = after < 0 ? 0 : after; i < scale; i++)
        v *= 10;
    if (minus)
        v = 0 - v;
    for (int i = 0; i < 16; i++, v >>= 8)
        le[i] = (uint8_t)v;
    return digits > 0;
}

static bool parse_long(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return !errno && end != text && *end == '\0' && *out >= min && *out <= max;
}

bool delta_partition_value(struct pen_builder *b, const struct ArrowSchema *field, const char *text)
{
    int64_t v;
    uint8_t decimal[16];
    char *end;
    if (!text || !*text) {
        pen_builder_null(b);
        return true;
    }
    switch (pen_schema_type(field)) {
    case PEN_TYPE_BOOL:
        pen_builder_bool(b, strcmp(text, "true") == 0);
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    case PEN_TYPE_INT32:
        pen_builder_int32(b, parse_long(text, INT32_MIN, INT32_MAX, &v) ? (int32_t)v : 0);
        return parse_long(text, INT32_MIN, INT32_MAX, &v);
    case PEN_TYPE_INT64:
        pen_builder_int64(b, parse_long(text, INT64_MIN, INT64_MAX, &v) ? v : 0);
        return parse_long(text, INT64_MIN, INT64_MAX, &v);
    case PEN_TYPE_FLOAT64:
        pen_builder_float64(b, strtod(text, &end));
        return end != text && *end == '\0';
    case PEN_TYPE_DECIMAL128:
        if (!parse_decimal(text, field, decimal))
            return false;
        pen_builder_decimal128(b, decimal);
        return true;
    case PEN_TYPE_DATE32:
        if (!parse_date(&text, &v) || *text)
            return false;
        pen_builder_int32(b, (int32_t)v);
        return true;
    case PEN_TYPE_TIMESTAMP:
        if (!parse_timestamp(text, &v))
            return false;
        pen_builder_int64(b, v);
        return true;
    case PEN_TYPE_UTF8:
    case PEN_TYPE_BINARY:
        pen_builder_bytes_value(b, text, strlen(text));
        return true;
    default:
        return false;
    }
}
