/* times.c - the forms of timestamps and dates that records have. SPDX-License-Identifier: Apache-2.0 */
#include <penstock/records.h>

#include "data/calendar.h"
#include "data/number.h"

struct cursor {
    const char *p, *end;
    bool bad;
};

/* Exactly n digits. */
static unsigned digits(struct cursor *c, int n)
{
    unsigned v = 0;
    for (int i = 0; i < n; i++) {
        if (c->p >= c->end || !pen_is_digit(*c->p)) {
            c->bad = true;
            return 0;
        }
        v = v * 10 + (unsigned)(*c->p++ - '0');
    }
    return v;
}

static bool accept(struct cursor *c, char one)
{
    if (c->p >= c->end || *c->p != one)
        return false;
    c->p++;
    return true;
}

static void expect(struct cursor *c, char one)
{
    if (!accept(c, one))
        c->bad = true;
}

static int64_t day_of(struct cursor *c, unsigned year, unsigned month, unsigned day)
{
    if (c->bad || month < 1 || month > 12 || day < 1 || day > (unsigned)pen_month_days(year, (int)month)) {
        c->bad = true;
        return 0;
    }
    return pen_civil_to_days(year, (int)month, (int)day);
}

/* hh:mm:ss as seconds. */
static int64_t time_of_day(struct cursor *c)
{
    unsigned h, m, s;
    h = digits(c, 2);
    expect(c, ':');
    m = digits(c, 2);
    expect(c, ':');
    s = digits(c, 2);
    if (h > 23 || m > 59 || s > 59)
        c->bad = true;
    return (int64_t)(h * 3600 + m * 60 + s);
}

static int64_t fraction(struct cursor *c)
{
    int64_t micros = 0, unit = 100000;
    if (!accept(c, '.'))
        return 0;
    if (c->p >= c->end || !pen_is_digit(*c->p))
        c->bad = true;
    for (; c->p < c->end && pen_is_digit(*c->p); c->p++, unit /= 10)
        micros += (*c->p - '0') * unit;
    return micros;
}

/* What is to be added to reach UTC, in seconds. */
static int64_t zone(struct cursor *c)
{
    bool behind;
    unsigned h, m;
    if (c->p == c->end || accept(c, 'Z'))
        return 0;
    behind = accept(c, '-');
    if (!behind)
        expect(c, '+');
    h = digits(c, 2);
    expect(c, ':');
    m = digits(c, 2);
    if (h > 23 || m > 59)
        c->bad = true;
    return (behind ? 1 : -1) * (int64_t)(h * 3600 + m * 60);
}

bool pen_parse_timestamp(const char *text, size_t n, int64_t *micros)
{
    struct cursor c = { text, text + n, false };
    unsigned year, month, day;
    int64_t days, seconds, part = 0;
    if (n > 2 && text[2] == '/') {
        month = digits(&c, 2);
        expect(&c, '/');
        day = digits(&c, 2);
        expect(&c, '/');
        year = digits(&c, 4);
        days = day_of(&c, year, month, day);
        expect(&c, ',');
        expect(&c, ' ');
        seconds = time_of_day(&c);
    } else {
        year = digits(&c, 4);
        expect(&c, '-');
        month = digits(&c, 2);
        expect(&c, '-');
        day = digits(&c, 2);
        days = day_of(&c, year, month, day);
        if (!accept(&c, 'T'))
            expect(&c, ' ');
        seconds = time_of_day(&c);
        part = fraction(&c);
        seconds += zone(&c);
    }
    if (c.bad || c.p != c.end)
        return false;
    *micros = (days * 86400 + seconds) * 1000000 + part;
    return true;
}

bool pen_parse_date(const char *text, size_t n, int32_t *days)
{
    struct cursor c = { text, text + n, false };
    unsigned year, month, day;
    int64_t value;
    year = digits(&c, 4);
    expect(&c, '-');
    month = digits(&c, 2);
    expect(&c, '-');
    day = digits(&c, 2);
    value = day_of(&c, year, month, day);
    if (c.bad || c.p != c.end)
        return false;
    *days = (int32_t)value;
    return true;
}
