/* calendar.h - days and microseconds since 1970 as dates and times of the proleptic Gregorian calendar, in UTC, and their text.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_CALENDAR_H
#define PENSTOCK_DATA_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEN_DAY_MICROS INT64_C(86400000000)
#define PEN_TIME_TEXT 40 /* holds any timestamp's text and its NUL */

struct pen_civil {
    int64_t year;
    int month, day;                     /* from 1 */
    int hour, minute, second, micro;    /* from 0 */
};

int64_t pen_civil_to_days(int64_t year, int month, int day);
/* The date of a day; the time of day is left 0. */
struct pen_civil pen_civil_from_days(int64_t days);
struct pen_civil pen_civil_from_micros(int64_t micros);
/* Fields must be in range; false where the result is beyond int64. */
bool pen_civil_to_micros(const struct pen_civil *c, int64_t *micros);
int pen_month_days(int64_t year, int month);
/* Whole days since 1970 of a time, towards the past. */
int64_t pen_micros_to_days(int64_t micros);

/* "2018-03-09", and "2018-03-09 14:05:07" with ".ffffff" (zeros at the end cut) where there is a fraction. Years beyond 9999 have a '+'
 * before them, those before 0 a '-'. Answers the length; buf holds PEN_TIME_TEXT. */
size_t pen_date_text(char *buf, int64_t days);
size_t pen_timestamp_text(char *buf, int64_t micros);

/* What Spark's cast from text to timestamp takes: `[+-]y…y`, `…-[m]m`, `…-[d]d`, then `T` or a space and `[h]h:[m]m:[s]s[.f…]` and a zone
 * (Z, UTC, GMT, ±hh, ±hh:mm, ±hh:mm:ss), white space around; a fraction is cut to microseconds; UTC where no zone is given. False: no such text, or
 * a day that does not exist. */
bool pen_timestamp_parse(const char *text, size_t n, int64_t *micros);

#endif
