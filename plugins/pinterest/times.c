/* times.c - the three ways in which producers write a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "clean.h"

/* The number of n digits, or -1 where one is none. */
static int digits(const char *s, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = v * 10 + (s[i] - '0');
    }
    return v;
}

/* Days from 1970-01-01 to a day of the proleptic Gregorian calendar, years from 0; false where it does not exist. */
static bool days_since_1970(int year, int month, int day, int64_t *out)
{
    static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    int past = year - 1; /* leap days come from whole years only */
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1] + (leap && month == 2))
        return false;
    *out = year * INT64_C(365) + (past >= 0 ? past / 4 - past / 100 + past / 400 + 1 : 0) /* year 0 is leap */
           + before[month - 1] + (leap && month > 2) + day - 1 - 719528;
    return true;
}

/* "12:34:56" at s as seconds of the day, or -1. */
static int time_of_day(const char *s)
{
    int hour = digits(s, 2), minute = digits(s + 3, 2), second = digits(s + 6, 2);
    if (s[2] != ':' || s[5] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return -1;
    return hour * 3600 + minute * 60 + second;
}

/* What may follow the seconds: a fraction, cut to microseconds, and a zone, as seconds to the east. */
static bool fraction_and_zone(const char *s, size_t n, int *microseconds, int *east)
{
    size_t i = 0;
    *microseconds = *east = 0;
    if (n > 0 && s[0] == '.') {
        int unit = 100000;
        for (i = 1; i < n && s[i] >= '0' && s[i] <= '9'; i++, unit /= 10)
            *microseconds += (s[i] - '0') * unit;
        if (i == 1)
            return false;
    }
    if (i == n || (s[i] == 'Z' && i + 1 == n))
        return true;
    if (n - i != 6 || (s[i] != '+' && s[i] != '-') || s[i + 3] != ':')
        return false;
    int hours = digits(s + i + 1, 2), minutes = digits(s + i + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *east = (hours * 3600 + minutes * 60) * (s[i] == '-' ? -1 : 1);
    return true;
}

bool clean_time(const char *text, size_t n, int64_t *out)
{
    int64_t day;
    int second, microseconds = 0, east = 0;
    if (n < 19)
        return false;
    if (text[4] == '-') {
        second = time_of_day(text + 11);
        if (text[7] != '-' || (text[10] != 'T' && text[10] != ' ') || second < 0 ||
            !days_since_1970(digits(text, 4), digits(text + 5, 2), digits(text + 8, 2), &day) ||
            !fraction_and_zone(text + 19, n - 19, &microseconds, &east))
            return false;
    } else {
        if (n != 20 || text[2] != '/' || text[5] != '/' || text[10] != ',' || text[11] != ' ')
            return false;
        second = time_of_day(text + 12);
        if (second < 0 || !days_since_1970(digits(text + 6, 4), digits(text, 2), digits(text + 3, 2), &day))
            return false;
    }
    *out = (day * 86400 + second - east) * 1000000 + microseconds;
    return true;
}

pen_status clean_times(struct pen_builder *b, const struct ArrowArray *batch, const struct clean_field *f, struct ArrowArray *out, int64_t *unfit,
                       struct pen_error *err)
{
    struct pen_column c = pen_column_at(batch, f->index);
    if (f->type == PEN_TYPE_TIMESTAMP)
        return pen_array_share(out, batch->children[f->index], err);
    for (int64_t i = 0; i < c.length; i++) {
        bool null = pen_column_is_null(&c, i);
        int64_t time = 0;
        size_t n = 0;
        const char *text = !null && f->type == PEN_TYPE_UTF8 ? pen_column_bytes(&c, i, &n) : "";
        if (!null && clean_time(text, n, &time)) {
            pen_builder_int64(b, time);
            continue;
        }
        *unfit += !null;
        pen_builder_null(b);
    }
    return pen_builder_finish(b, out, err);
}
