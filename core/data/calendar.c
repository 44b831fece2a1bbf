/* calendar.c - see calendar.h. The day count works in eras of 400 years that begin on 1 March, so that the leap day comes last.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "data/calendar.h"

#define ERA_DAYS 146097
#define EPOCH_FROM_ERA 719468 /* days from 0000-03-01 to 1970-01-01 */

int64_t pen_civil_to_days(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_FROM_ERA;
}

struct pen_civil pen_civil_from_days(int64_t days)
{
    struct pen_civil c = { 0 };
    int64_t z = days + EPOCH_FROM_ERA;
    int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day = z - era * ERA_DAYS;
    int64_t of_era = (day - day / 1460 + day / 36524 - day / (ERA_DAYS - 1)) / 365;
    int64_t of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    int64_t month = (5 * of_year + 2) / 153;
    c.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    c.month = (int)(month < 10 ? month + 3 : month - 9);
    c.year = of_era + era * 400 + (c.month <= 2);
    return c;
}

int64_t pen_micros_to_days(int64_t micros)
{
    return micros / PEN_DAY_MICROS - (micros % PEN_DAY_MICROS < 0);
}

struct pen_civil pen_civil_from_micros(int64_t micros)
{
    struct pen_civil c = pen_civil_from_days(pen_micros_to_days(micros));
    int64_t rest = micros % PEN_DAY_MICROS;
    if (rest < 0)
        rest += PEN_DAY_MICROS;
    c.micro = (int)(rest % 1000000);
    c.second = (int)(rest / 1000000 % 60);
    c.minute = (int)(rest / 60000000 % 60);
    c.hour = (int)(rest / 3600000000);
    return c;
}

bool pen_civil_to_micros(const struct pen_civil *c, int64_t *micros)
{
    int64_t days = pen_civil_to_days(c->year, c->month, c->day);
    int64_t of_day = (((int64_t)c->hour * 60 + c->minute) * 60 + c->second) * 1000000 + c->micro;
    return !__builtin_mul_overflow(days, PEN_DAY_MICROS, micros) && !__builtin_add_overflow(*micros, of_day, micros);
}

int pen_month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static char *two_digits(char *at, int v)
{
    at[0] = (char)('0' + v / 10);
    at[1] = (char)('0' + v % 10);
    return at + 2;
}

static char *year_text(char *at, int64_t year)
{
    if (year >= 0 && year <= 9999)
        return two_digits(two_digits(at, (int)year / 100), (int)year % 100);
    return at + snprintf(at, 24, year < 0 ? "%05lld" : "+%lld", (long long)year);
}

static char *date_text(char *at, const struct pen_civil *c)
{
    at = year_text(at, c->year);
    *at++ = '-';
    at = two_digits(at, c->month);
    *at++ = '-';
    return two_digits(at, c->day);
}

size_t pen_date_text(char *buf, int64_t days)
{
    struct pen_civil c = pen_civil_from_days(days);
    char *at = date_text(buf, &c);
    *at = '\0';
    return (size_t)(at - buf);
}

size_t pen_timestamp_text(char *buf, int64_t micros)
{
    struct pen_civil c = pen_civil_from_micros(micros);
    char *at = date_text(buf, &c);
    *at++ = ' ';
    at = two_digits(at, c.hour);
    *at++ = ':';
    at = two_digits(at, c.minute);
    *at++ = ':';
    at = two_digits(at, c.second);
    if (c.micro) {
        *at++ = '.';
        at = two_digits(two_digits(two_digits(at, c.micro / 10000), c.micro / 100 % 100), c.micro % 100);
        while (at[-1] == '0')
            at--;
    }
    *at = '\0';
    return (size_t)(at - buf);
}

/* -- reading text ----------------------------------------------------------------------------------------------------------- */

struct cursor {
    const char *at, *end;
};

/* A run of min … max digits. */
static bool number(struct cursor *c, int min, int max, int64_t *out)
{
    int n = 0;
    for (*out = 0; n < max && c->at < c->end && *c->at >= '0' && *c->at <= '9'; n++)
        *out = *out * 10 + (*c->at++ - '0');
    return n >= min && !(c->at < c->end && *c->at >= '0' && *c->at <= '9');
}

static bool take(struct cursor *c, char what)
{
    return c->at < c->end && *c->at == what && c->at++;
}

/* `-mm`, `-dd`, `:mm` … a separator and one or two digits from lo to hi. */
static bool part(struct cursor *c, char separator, int lo, int hi, int *out)
{
    int64_t v;
    if (!take(c, separator) || !number(c, 1, 2, &v) || v < lo || v > hi)
        return false;
    *out = (int)v;
    return true;
}

static void fraction(struct cursor *c, int *micros)
{
    int n = 0;
    for (*micros = 0; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        if (n < 6) {
            *micros = *micros * 10 + (*c->at - '0');
            n++;
        }
    for (; n < 6; n++)
        *micros *= 10;
}

/* The zone's offset in seconds east of UTC; all that is left must be the zone. */
static bool zone(struct cursor *c, int64_t *seconds)
{
    static const char *const utc[] = { "Z", "UTC", "GMT", "UT" };
    size_t n = (size_t)(c->end - c->at);
    int64_t hour = 0;
    int minute = 0, second = 0;
    bool minus;
    *seconds = 0;
    for (size_t i = 0; i < sizeof utc / sizeof *utc; i++)
        if (n == strlen(utc[i]) && !memcmp(c->at, utc[i], n))
            return true;
    for (size_t i = 1; i < sizeof utc / sizeof *utc; i++)
        if (n > strlen(utc[i]) && !memcmp(c->at, utc[i], strlen(utc[i]))) {
            c->at += strlen(utc[i]);
            break;
        }
    minus = c->at < c->end && *c->at == '-';
    if (!minus && !(c->at < c->end && *c->at == '+'))
        return false;
    c->at++;
    if (c->end - c->at == 4 && !memchr(c->at, ':', 4)) { /* ±hhmm, as in 000+0000 */
        int64_t v;
        if (!number(c, 4, 4, &v) || v % 100 > 59)
            return false;
        hour = v / 100;
        minute = (int)(v % 100);
    } else if (!number(c, 1, 2, &hour) || (c->at < c->end && !part(c, ':', 0, 59, &minute)) ||
               (c->at < c->end && !part(c, ':', 0, 59, &second)))
        return false;
    if (c->at < c->end || hour > 18 || (hour == 18 && (minute || second)))
        return false;
    *seconds = (hour * 60 + minute) * 60 + second;
    if (minus)
        *seconds = -*seconds;
    return true;
}

static bool time_of_day(struct cursor *c, struct pen_civil *t, int64_t *offset)
{
    int64_t hour;
    if (!number(c, 1, 2, &hour) || hour > 23 || !part(c, ':', 0, 59, &t->minute))
        return false;
    t->hour = (int)hour;
    if (c->at < c->end && *c->at == ':' && !part(c, ':', 0, 59, &t->second))
        return false;
    if (take(c, '.'))
        fraction(c, &t->micro);
    while (c->at < c->end && *c->at == ' ')
        c->at++;
    return c->at == c->end || zone(c, offset);
}

bool pen_timestamp_parse(const char *text, size_t n, int64_t *micros)
{
    struct cursor c = { text, text + n };
    struct pen_civil t = { .month = 1, .day = 1 };
    int64_t offset = 0;
    bool minus = false;
    while (c.at < c.end && (unsigned char)*c.at <= ' ')
        c.at++;
    while (c.end > c.at && (unsigned char)c.end[-1] <= ' ')
        c.end--;
    if (c.at < c.end && (*c.at == '-' || *c.at == '+'))
        minus = *c.at++ == '-';
    if (!number(&c, 4, 6, &t.year))
        return false;
    if (minus)
        t.year = -t.year;
    if (c.at < c.end && !part(&c, '-', 1, 12, &t.month))
        return false;
    if (c.at < c.end && !part(&c, '-', 1, pen_month_days(t.year, t.month), &t.day))
        return false;
    if (c.at < c.end) {
        if (*c.at != ' ' && *c.at != 'T')
            return false;
        c.at++;
        if (!time_of_day(&c, &t, &offset))
            return false;
    }
    return pen_civil_to_micros(&t, micros) && !__builtin_sub_overflow(*micros, offset * 1000000, micros);
}
