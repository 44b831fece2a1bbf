/* numbers.c - counts as people write them, whole numbers, and numbers out of typed columns.
 * SPDX-License-Identifier: Apache-2.0 */
#include "clean.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

/* -- counts ----------------------------------------------------------------------------------------------------------------- */

/* Bytes of the white space character (Unicode's White_Space) that text begins with, or 0. */
static size_t space_at(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (n >= 1 && (s[0] == ' ' || (s[0] >= '\t' && s[0] <= '\r')))
        return 1;
    if (n >= 2 && s[0] == 0xc2 && (s[1] == 0x85 || s[1] == 0xa0))
        return 2;
    if (n < 3 || (s[0] != 0xe1 && s[0] != 0xe2 && s[0] != 0xe3))
        return 0;
    unsigned c = (s[0] & 0xfu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    bool space = c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
    return space ? 3 : 0;
}

static void trim(const char **text, size_t *n)
{
    for (size_t k; (k = space_at(*text, *n)) > 0; *n -= k)
        *text += k;
    for (size_t k = 1; k <= 3 && k <= *n; k++)
        if (space_at(*text + *n - k, k) == k) {
            *n -= k;
            k = 0;
        }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool clean_count(const char *text, size_t n, int32_t *out)
{
    uint64_t value = 0;
    size_t i = 0, places = 0, power = 0;
    const char *fraction;
    trim(&text, &n);
    for (; i < n && is_digit(text[i]); i++)
        if (value <= INT32_MAX) /* once beyond, it stays there whatever follows */
            value = value * 10 + (uint64_t)(text[i] - '0');
    if (i == 0 || value > INT32_MAX)
        return false;
    fraction = text + i + 1;
    if (i < n && text[i] == '.') {
        while (i + 1 + places < n && is_digit(fraction[places]))
            places++;
        if (places == 0)
            return false;
        i += 1 + places;
    }
    if (i < n) {
        power = text[i] == 'k' ? 3 : text[i] == 'M' ? 6 : text[i] == 'B' ? 9 : 0;
        if (power == 0 || i + 1 != n)
            return false;
    }
    for (size_t p = 0; p < power; p++)
        value = value * 10 + (p < places ? (uint64_t)(fraction[p] - '0') : 0);
    if (value > INT32_MAX)
        return false;
    *out = (int32_t)value;
    return true;
}

/* -- typed columns ---------------------------------------------------------------------------------------------------------- */

static int128 decimal_at(const struct pen_column *c, int64_t row)
{
    const uint8_t *le = (const uint8_t *)c->data + 16 * (c->offset + row);
    uint128 v = 0;
    for (int i = 15; i >= 0; i--)
        v = v << 8 | le[i];
    return (int128)v;
}

/* The decimal without its fraction: at most 38 digits, so that a scale beyond them leaves nothing. */
static bool decimal_whole(int128 v, int scale, int128 *out, bool *exact)
{
    int128 unit = 1;
    for (int i = 0; i < (scale < 0 ? -scale : scale) && i < 38; i++)
        unit *= 10;
    *exact = scale <= 0 || (scale <= 38 ? v % unit == 0 : v == 0);
    *out = scale > 38 ? 0 : v / unit;
    if (scale < 0 && __builtin_mul_overflow(v, unit, out))
        return false;
    return scale >= -38 || v == 0;
}

bool clean_int32(const struct pen_column *c, const struct clean_field *f, int64_t row, int32_t *out, bool *exact)
{
    int128 v;
    *exact = true;
    switch (f->type) {
    case PEN_TYPE_INT32:
        v = pen_column_int32(c, row);
        break;
    case PEN_TYPE_INT64:
        v = pen_column_int64(c, row);
        break;
    case PEN_TYPE_FLOAT64: {
        double d = pen_column_float64(c, row), whole = trunc(d);
        if (!(whole >= INT32_MIN && whole <= INT32_MAX)) /* NaN is neither */
            return false;
        *exact = whole == d;
        v = (int128)whole;
        break;
    }
    case PEN_TYPE_DECIMAL128:
        if (!decimal_whole(decimal_at(c, row), f->scale, &v, exact))
            return false;
        break;
    default:
        return false;
    }
    if (v < INT32_MIN || v > INT32_MAX)
        return false;
    *out = (int32_t)v;
    return true;
}

/* By its text, which rounds once: a quotient of two doubles would round twice. */
static bool decimal_float64(int128 v, int scale, double *out)
{
    char text[64], *end = text + 48, *p = end;
    uint128 u = v < 0 ? -(uint128)v : (uint128)v;
    do
        *--p = (char)('0' + (int)(u % 10));
    while ((u /= 10) > 0);
    if (v < 0)
        *--p = '-';
    return pen_json_number_to_float64(p, (size_t)(end - p) + (size_t)snprintf(end, sizeof text - 48, "e%d", -scale), out);
}

bool clean_float64(const struct pen_column *c, const struct clean_field *f, int64_t row, double *out)
{
    switch (f->type) {
    case PEN_TYPE_FLOAT64:
        *out = pen_column_float64(c, row);
        return isfinite(*out);
    case PEN_TYPE_INT32:
        *out = pen_column_int32(c, row);
        return true;
    case PEN_TYPE_INT64:
        *out = (double)pen_column_int64(c, row);
        return true;
    case PEN_TYPE_DECIMAL128:
        return decimal_float64(decimal_at(c, row), f->scale, out);
    default:
        return false;
    }
}

pen_status clean_whole(struct pen_builder *b, const struct ArrowArray *batch, const struct clean_field *f, struct ArrowArray *out,
                       int64_t *unfit, struct pen_error *err)
{
    struct pen_column c = pen_column_at(batch, f->index);
    if (f->type == PEN_TYPE_INT32)
        return pen_array_share(out, batch->children[f->index], err);
    for (int64_t i = 0; i < c.length; i++) {
        int32_t v = 0;
        bool exact = false, null = pen_column_is_null(&c, i);
        if (!null && clean_int32(&c, f, i, &v, &exact) && exact) {
            pen_builder_int32(b, v);
            continue;
        }
        *unfit += !null;
        pen_builder_null(b);
    }
    return pen_builder_finish(b, out, err);
}

/* -- keys ------------------------------------------------------------------------------------------------------------------- */

static bool has_nulls(const struct pen_column *c)
{
    for (int64_t i = 0; c->validity && i < c->length; i++)
        if (pen_column_is_null(c, i))
            return true;
    return false;
}

pen_status clean_key(struct pen_builder *b, const struct ArrowSchema *schema, const struct ArrowArray *batch, const struct clean_field *f,
                     struct ArrowArray *out, struct ArrowArray *kept, struct pen_rejects *rejects, struct pen_error *err)
{
    struct pen_column c = pen_column_at(batch, f->index);
    const char *name = schema->children[f->index]->name;
    int64_t *rows, n = 0;
    pen_status st;
    if (f->type == PEN_TYPE_INT32 && !has_nulls(&c))
        return pen_array_share(out, batch->children[f->index], err);
    rows = malloc(sizeof *rows * (size_t)(c.length + 1));
    if (!rows)
        return pen_fail(err, PEN_FATAL, "out of memory for %lld rows", (long long)c.length);
    for (int64_t i = 0; i < c.length; i++) {
        int32_t v = 0;
        bool exact = false;
        if (pen_column_is_null(&c, i)) {
            pen_reject(rejects, i, "\"%s\" is null: expected a whole number", name);
        } else if (!clean_int32(&c, f, i, &v, &exact) || !exact) {
            pen_reject(rejects, i, "\"%s\" is not a whole number of 32 bits", name);
        } else {
            pen_builder_int32(b, v);
            rows[n++] = i;
        }
    }
    st = pen_builder_finish(b, out, err);
    if (st >= 0 && n < c.length) {
        st = pen_array_take(kept, schema, batch, rows, n, err);
        if (st < 0)
            pen_array_release(out);
    }
    free(rows);
    return st;
}
