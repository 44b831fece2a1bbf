/* binary.c - values as PostgreSQL sends them by COPY … (FORMAT binary), which is the cheapest way to read from it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "column.h"

#define EPOCH_DAYS 10957                          /* from 1970-01-01 to 2000-01-01, where PostgreSQL counts from */
#define EPOCH_MICROS (INT64_C(86400000000) * EPOCH_DAYS)

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static uint64_t u64(const uint8_t *p)
{
    return (uint64_t)u32(p) << 32 | u32(p + 4);
}

bool rds_binary_tuple(const uint8_t *p, size_t n, struct rds_cell *cells, size_t n_columns)
{
    const uint8_t *end = p + n;
    if (n < 2 || u16(p) != n_columns)
        return false;
    p += 2;
    for (size_t i = 0; i < n_columns; i++) {
        uint32_t size;
        if (end - p < 4)
            return false;
        size = u32(p);
        p += 4;
        if (size == UINT32_MAX) {
            cells[i] = (struct rds_cell){ NULL, 0 };
            continue;
        }
        if (size > (size_t)(end - p))
            return false;
        cells[i] = (struct rds_cell){ p, size };
        p += size;
    }
    return p == end;
}

rds_fit rds_binary_bool(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    (void)c;
    if (n != 1 || p[0] > 1)
        return RDS_BROKEN;
    pen_builder_bool(b, p[0]);
    return RDS_FITS;
}

rds_fit rds_binary_int2(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    (void)c;
    if (n != 2)
        return RDS_BROKEN;
    pen_builder_int32(b, (int16_t)u16(p));
    return RDS_FITS;
}

rds_fit rds_binary_int4(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    (void)c;
    if (n != 4)
        return RDS_BROKEN;
    pen_builder_int32(b, (int32_t)u32(p));
    return RDS_FITS;
}

rds_fit rds_binary_int8(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    (void)c;
    if (n != 8)
        return RDS_BROKEN;
    pen_builder_int64(b, (int64_t)u64(p));
    return RDS_FITS;
}

rds_fit rds_binary_float4(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    uint32_t bits;
    float v;
    (void)c;
    if (n != 4)
        return RDS_BROKEN;
    bits = u32(p);
    memcpy(&v, &bits, sizeof v);
    pen_builder_float64(b, (double)v);
    return RDS_FITS;
}

rds_fit rds_binary_float8(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    uint64_t bits;
    double v;
    (void)c;
    if (n != 8)
        return RDS_BROKEN;
    bits = u64(p);
    memcpy(&v, &bits, sizeof v);
    pen_builder_float64(b, v);
    return RDS_FITS;
}

rds_fit rds_binary_date(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    int32_t days;
    (void)c;
    if (n != 4)
        return RDS_BROKEN;
    days = (int32_t)u32(p);
    if (days == INT32_MAX || days == INT32_MIN || days > INT32_MAX - EPOCH_DAYS) /* infinity, -infinity */
        return RDS_UNFIT;
    pen_builder_int32(b, days + EPOCH_DAYS);
    return RDS_FITS;
}

rds_fit rds_binary_timestamp(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    int64_t micros;
    (void)c;
    if (n != 8)
        return RDS_BROKEN;
    micros = (int64_t)u64(p);
    if (micros == INT64_MIN || micros > INT64_MAX - EPOCH_MICROS) /* -infinity; infinity, and the last days of the year 294276 */
        return RDS_UNFIT;
    pen_builder_int64(b, micros + EPOCH_MICROS);
    return RDS_FITS;
}

rds_fit rds_binary_uuid(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    char text[36], *t = text;
    (void)c;
    if (n != 16)
        return RDS_BROKEN;
    for (int i = 0; i < 16; i++) {
        *t++ = "0123456789abcdef"[p[i] >> 4];
        *t++ = "0123456789abcdef"[p[i] & 15];
        if (i == 3 || i == 5 || i == 7 || i == 9)
            *t++ = '-';
    }
    pen_builder_bytes_value(b, text, sizeof text);
    return RDS_FITS;
}

/* -- numeric: digits to the base of 10,000 ------------------------------------------------------------------------------------------------ */

#define POSITIVE 0x0000
#define NEGATIVE 0x4000

struct number {
    rds_uint128 v;
    int digits, precision;
};

/* One more decimal digit; false where there are more than the column has room for. */
static bool shift_in(struct number *x, unsigned digit)
{
    x->v = x->v * 10 + digit;
    x->digits += x->v != 0;
    return x->digits <= x->precision;
}

/* n digits, the first of which counts 10,000^weight, as a whole number of 10^-scale. */
rds_fit rds_binary_numeric(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    struct number x = { 0, 0, c->precision };
    int weight, digits, place;
    uint16_t sign;
    if (n < 8)
        return RDS_BROKEN;
    digits = u16(p);
    weight = (int16_t)u16(p + 2);
    sign = u16(p + 4);
    if (n != 8 + 2 * (size_t)digits)
        return RDS_BROKEN;
    if (sign != POSITIVE && sign != NEGATIVE) /* NaN, Infinity, -Infinity */
        return sign == 0xc000 || sign == 0xd000 || sign == 0xf000 ? RDS_UNFIT : RDS_BROKEN;
    place = 4 * (weight + 1); /* decimal digits before the point */
    for (int i = 0; i < digits; i++) {
        unsigned d = u16(p + 8 + 2 * i);
        if (d > 9999)
            return RDS_BROKEN;
        if (x.v == 0 && d == 0) {
            place -= 4;
            continue;
        }
        for (unsigned unit = 1000; unit; unit /= 10, place--) {
            if (place > -c->scale && !shift_in(&x, d / unit % 10))
                return RDS_BROKEN;
            if (place <= -c->scale && d / unit % 10)
                return RDS_BROKEN; /* more places than the column has */
        }
    }
    for (; x.v && place > -c->scale; place--)
        if (!shift_in(&x, 0))
            return RDS_BROKEN;
    return rds_append_decimal(b, sign == NEGATIVE ? -(rds_int128)x.v : (rds_int128)x.v);
}

/* -- arrays of one dimension ---------------------------------------------------------------------------------------------------------------- */

#define ITEMS_AT_MOST (1u << 27)

rds_fit rds_binary_list(const struct rds_column *c, struct pen_builder *b, const uint8_t *p, size_t n)
{
    struct pen_builder *items = pen_builder_child(b, 0);
    int64_t before = pen_builder_length(items);
    const uint8_t *end = p + n;
    uint32_t dimensions, count = 0;
    if (n < 12)
        return RDS_BROKEN;
    dimensions = u32(p);
    if (u32(p + 8) != c->item_oid)
        return RDS_BROKEN;
    if (dimensions > 1) /* a list of lists does not fit, nor do indexes that begin elsewhere */
        return dimensions > 6 ? RDS_BROKEN : RDS_UNFIT;
    p += 12;
    if (dimensions == 1) {
        if (end - p < 8)
            return RDS_BROKEN;
        count = u32(p);
        if (u32(p + 4) != 1)
            return RDS_UNFIT;
        p += 8;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = end - p >= 4 ? u32(p) : 0;
        rds_fit fit = RDS_FITS;
        if (end - p < 4 || count > ITEMS_AT_MOST || (size != UINT32_MAX && size > (size_t)(end - p - 4)))
            fit = RDS_BROKEN;
        else if (size == UINT32_MAX)
            pen_builder_null(items);
        else
            fit = c->item(c, items, p + 4, size);
        if (fit == RDS_UNFIT)
            pen_builder_null(items), fit = RDS_FITS;
        if (fit == RDS_BROKEN) {
            pen_builder_truncate(items, before);
            return fit;
        }
        p += size == UINT32_MAX ? 4 : 4 + (size_t)size;
    }
    if (p != end) {
        pen_builder_truncate(items, before);
        return RDS_BROKEN;
    }
    pen_builder_end_list(b);
    return RDS_FITS;
}
