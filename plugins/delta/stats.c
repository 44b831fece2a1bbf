/* stats.c - see stats.h. SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian; eras of 400 years). */
static void civil(int64_t day, int64_t *y, int *m, int *d)
{
    int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = yoe + era * 400 + (*m <= 2);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool put_date(struct delta_text *t, int64_t day)
{
    int64_t y;
    int m, d;
    civil(day, &y, &m, &d);
    if (y < 1 || y > 9999)
        return false;
    delta_text_format(t, "\"%04d-%02d-%02d\"", (int)y, m, d);
    return true;
}

/* Statistics have milliseconds: a smallest time is cut, a largest one rounded up, so that the bounds hold. */
static bool put_timestamp(struct delta_text *t, int64_t us, bool largest)
{
    int64_t ms = floor_div(us, 1000) + (largest && us % 1000 != 0), day = floor_div(ms, 86400000), y;
    int m, d, rest = (int)(ms - day * 86400000);
    civil(day, &y, &m, &d);
    if (y < 1 || y > 9999)
        return false;
    delta_text_format(t, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", (int)y, m, d, rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
    return true;
}

static bool put_double(struct delta_text *t, double v)
{
    char buf[40];
    if (!isfinite(v))
        return false;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, sizeof buf, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    for (char *p = buf; *p; p++)
        if (*p == ',') /* a locale's point */
            *p = '.';
    delta_text_add(t, buf);
    return true;
}

static void put_decimal(struct delta_text *t, const uint8_t le[16], int scale)
{
    unsigned __int128 v = 0;
    char digits[48];
    int n = 0;
    for (int i = 15; i >= 0; i--)
        v = v << 8 | le[i];
    bool minus = v >> 127;
    if (minus)
        v = 0 - v;
    for (; v || n <= scale; v /= 10)
        digits[n++] = (char)('0' + (int)(v % 10));
    if (minus)
        delta_text_bytes(t, "-", 1);
    while (n > 0) {
        if (n == scale)
            delta_text_bytes(t, ".", 1);
        delta_text_bytes(t, &digits[--n], 1);
    }
}

/* False: this bound cannot be said, and nothing was written. */
static bool put_bound(struct delta_text *t, const struct pen_parquet_stats *s, bool largest)
{
    const struct pen_parquet_value *v = largest ? &s->max : &s->min;
    int precision, scale;
    switch (pen_schema_type(s->field)) {
    case PEN_TYPE_BOOL: /* Spark has none, but deltalake takes bounds that are missing for bounds that leave every value out */
        delta_text_add(t, v->u.b ? "true" : "false");
        return true;
    case PEN_TYPE_INT32:
        delta_text_format(t, "%d", (int)v->u.i32);
        return true;
    case PEN_TYPE_INT64:
        delta_text_format(t, "%lld", (long long)v->u.i64);
        return true;
    case PEN_TYPE_FLOAT64:
        return put_double(t, v->u.f64);
    case PEN_TYPE_DATE32:
        return put_date(t, v->u.i32);
    case PEN_TYPE_TIMESTAMP:
        return put_timestamp(t, v->u.i64, largest);
    case PEN_TYPE_DECIMAL128:
        if (sscanf(s->field->format, "d:%d,%d", &precision, &scale) != 2)
            return false;
        put_decimal(t, v->u.decimal, scale);
        return true;
    case PEN_TYPE_UTF8:
        delta_text_string(t, v->bytes ? v->bytes : "", v->n);
        return true;
    default:
        return false;
    }
}

typedef enum { MIN_VALUES, MAX_VALUES, NULL_COUNT } part;

static bool put_part(struct delta_text *t, const struct pen_parquet_stats *s, part what)
{
    if (s->in_list)
        return false;
    if (what == NULL_COUNT) {
        delta_text_format(t, "%lld", (long long)s->nulls);
        return true;
    }
    return s->has_bounds && put_bound(t, s, what == MAX_VALUES);
}

/* One object, nested as the columns are: leaves come in schema order, so those of a struct follow one another. */
static void put_object(struct delta_text *t, const struct pen_parquet_stats *stats, size_t n, part what)
{
    const struct pen_parquet_stats *open = NULL; /* the last leaf that was written: its structs are open */
    delta_text_add(t, "{");
    for (size_t i = 0; i < n; i++) {
        const struct pen_parquet_stats *s = &stats[i];
        struct delta_text value = { 0 };
        size_t common = 0;
        if (!put_part(&value, s, what)) {
            delta_text_fini(&value);
            continue;
        }
        while (open && common + 1 < open->depth && common + 1 < s->depth && strcmp(open->path[common], s->path[common]) == 0)
            common++;
        for (size_t d = open ? open->depth - 1 : 0; d > common; d--)
            delta_text_add(t, "}");
        if (open)
            delta_text_add(t, ",");
        for (size_t d = common; d < s->depth; d++) {
            delta_text_quote(t, s->path[d]);
            delta_text_add(t, d + 1 < s->depth ? ":{" : ":");
        }
        delta_text_bytes(t, value.p, value.n);
        t->failed |= value.failed;
        delta_text_fini(&value);
        open = s;
    }
    for (size_t d = open ? open->depth : 1; d > 0; d--)
        delta_text_add(t, "}");
}

void delta_stats_write(struct delta_text *t, int64_t rows, const struct pen_parquet_stats *stats, size_t n, int64_t columns)
{
    if (columns >= 0 && (int64_t)n > columns)
        n = (size_t)columns;
    delta_text_format(t, "{\"numRecords\":%lld,\"minValues\":", (long long)rows);
    put_object(t, stats, n, MIN_VALUES);
    delta_text_add(t, ",\"maxValues\":");
    put_object(t, stats, n, MAX_VALUES);
    delta_text_add(t, ",\"nullCount\":");
    put_object(t, stats, n, NULL_COUNT);
    delta_text_add(t, "}");
}

int64_t delta_stats_rows(const char *stats)
{
    struct delta_arena arena = { 0 };
    struct delta_json j;
    char key[32];
    int64_t rows = -1;
    if (!stats)
        return -1;
    delta_json_init(&j, &arena, stats, strlen(stats));
    if (delta_json_object(&j))
        while (rows < 0 && delta_json_key(&j, key, sizeof key)) {
            if (strcmp(key, "numRecords") == 0)
                rows = delta_json_int(&j, -1);
            else
                delta_json_skip(&j);
        }
    delta_arena_fini(&arena);
    return rows;
}
