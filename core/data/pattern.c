/* pattern.c - see pattern.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "data/pattern.h"

static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December" };
static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

/* One piece of a pattern: `count` times a letter, or a literal character (letter 0). */
struct piece {
    char letter, literal;
    size_t count;
};

struct pattern {
    const char *at, *end;
    bool quoted;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The next piece; false at the end. */
static bool next_piece(struct pattern *p, struct piece *out)
{
    for (; p->at < p->end && *p->at == '\''; p->at++) {
        if (p->end - p->at >= 2 && p->at[1] == '\'') {
            p->at++;
            break; /* two quotes stand for one */
        }
        p->quoted = !p->quoted;
    }
    if (p->at == p->end)
        return false;
    *out = (struct piece){ .literal = *p->at, .count = 1 };
    if (p->quoted || !is_letter(*p->at)) {
        p->at++;
        return true;
    }
    out->letter = *p->at++;
    for (; p->at < p->end && *p->at == out->letter; p->at++)
        out->count++;
    return true;
}

/* -- formatting -------------------------------------------------------------------------------------------------------------- */

struct moment {
    struct pen_civil c;
    int64_t day; /* since 1970 */
};

static void add_number(struct pen_text *out, int64_t v, size_t width)
{
    char buf[32];
    pen_text_append(out, buf, (size_t)snprintf(buf, sizeof buf, "%0*lld", (int)(width < 20 ? width : 20), (long long)v));
}

static bool format_name(struct pen_text *out, const char *name, size_t count)
{
    pen_text_append(out, name, count < 4 ? 3 : strlen(name));
    return count <= 4;
}

static bool format_quarter(struct pen_text *out, int quarter, size_t count)
{
    static const char *const ordinal[] = { "1st", "2nd", "3rd", "4th" };
    if (count == 3)
        pen_text_char(out, 'Q');
    if (count < 4) {
        add_number(out, quarter, count == 2 ? 2 : 1);
        return true;
    }
    pen_text_put(out, ordinal[quarter - 1]);
    pen_text_put(out, " quarter");
    return count == 4;
}

static bool format_zone(struct pen_text *out, char letter, size_t count)
{
    static const char *const offset[] = { "+00", "+0000", "+00:00", "+0000", "+00:00" };
    if (letter == 'x' && count <= 5)
        pen_text_put(out, offset[count - 1]);
    else if (letter == 'Z' && count <= 3)
        pen_text_put(out, "+0000");
    else if (letter == 'O' || letter == 'Z')
        pen_text_put(out, letter == 'Z' && count == 5 ? "Z" : "GMT");
    else
        pen_text_put(out, letter == 'X' ? "Z" : letter == 'z' && count == 4 ? "Coordinated Universal Time" : "UTC");
    return count <= 5;
}

static bool format_fraction(struct pen_text *out, int micro, size_t count)
{
    char buf[16];
    snprintf(buf, sizeof buf, "%06d000", micro);
    pen_text_append(out, buf, count < 9 ? count : 9);
    return count <= 9;
}

/* A number in `count` digits, at most two. */
static bool format_two(struct pen_text *out, int v, size_t count)
{
    add_number(out, v, count);
    return count <= 2;
}

static bool format_piece(struct pen_text *out, const struct piece *p, const struct moment *t)
{
    const struct pen_civil *c = &t->c;
    switch (p->letter) {
    case 'y':
        add_number(out, p->count == 2 ? ((c->year % 100) + 100) % 100 : c->year, p->count);
        return p->count <= 6;
    case 'M':
    case 'L':
        return p->count < 3 ? format_two(out, c->month, p->count) : format_name(out, months[c->month - 1], p->count);
    case 'E':
        return format_name(out, days[((t->day + 4) % 7 + 7) % 7], p->count);
    case 'D':
        add_number(out, t->day - pen_civil_to_days(c->year, 1, 1) + 1, p->count);
        return p->count <= 3;
    case 'Q':
    case 'q':
        return format_quarter(out, (c->month + 2) / 3, p->count);
    case 'd':
        return format_two(out, c->day, p->count);
    case 'H':
        return format_two(out, c->hour, p->count);
    case 'k':
        return format_two(out, c->hour ? c->hour : 24, p->count);
    case 'h':
        return format_two(out, c->hour % 12 ? c->hour % 12 : 12, p->count);
    case 'K':
        return format_two(out, c->hour % 12, p->count);
    case 'm':
        return format_two(out, c->minute, p->count);
    case 's':
        return format_two(out, c->second, p->count);
    case 'a':
        pen_text_put(out, c->hour < 12 ? "AM" : "PM");
        return p->count == 1;
    case 'S':
        return format_fraction(out, c->micro, p->count);
    default:
        return strchr("VzOXxZ", p->letter) && format_zone(out, p->letter, p->count);
    }
}

static pen_status unknown(const struct piece *p, struct pen_error *err)
{
    return pen_fail(err, PEN_BADCONF, "the datetime pattern holds %zu times the letter %c, which has no meaning here", p->count, p->letter);
}

pen_status pen_pattern_format(struct pen_text *out, const char *pattern, size_t n, int64_t micros, struct pen_error *err)
{
    struct pattern p = { pattern, pattern + n, false };
    struct moment t = { pen_civil_from_micros(micros), pen_micros_to_days(micros) };
    struct piece piece;
    while (next_piece(&p, &piece)) {
        if (!piece.letter)
            pen_text_char(out, piece.literal);
        else if (!format_piece(out, &piece, &t))
            return unknown(&piece, err);
    }
    return PEN_OK;
}

/* -- parsing ----------------------------------------------------------------------------------------------------------------- */

struct reading {
    const char *at, *end;
    struct pen_civil c;
    int half;            /* 0: before noon, 1: after, -1: not said */
    int hour12;          /* -1: not given */
    int64_t day_of_year; /* 0: not given */
    int64_t offset;      /* seconds east */
};

/* width 1: any number of digits up to nine; else exactly as many (yyyy and more: or more). */
static bool read_number(struct reading *r, size_t width, bool more, int64_t lo, int64_t hi, int64_t *out)
{
    size_t n = 0, most = width == 1 || more ? 9 : width;
    if (width > 9)
        return false; /* no such number fits */
    for (*out = 0; n < most && r->at < r->end && *r->at >= '0' && *r->at <= '9'; n++)
        *out = *out * 10 + (*r->at++ - '0');
    return n >= width && *out >= lo && *out <= hi;
}

static bool read_two(struct reading *r, size_t count, int lo, int hi, int *out)
{
    int64_t v;
    if (!read_number(r, count, false, lo, hi, &v))
        return false;
    *out = (int)v;
    return true;
}

/* One of n names, whole or its first three letters. */
static bool read_name(struct reading *r, const char *const *names, int n, size_t count, int *out)
{
    for (int i = 0; i < n; i++) {
        size_t length = count < 4 ? 3 : strlen(names[i]);
        if ((size_t)(r->end - r->at) >= length && !strncasecmp(r->at, names[i], length)) {
            r->at += length;
            *out = i + 1;
            return true;
        }
    }
    return false;
}

static bool read_zone(struct reading *r)
{
    int64_t hour, minute = 0;
    int sign;
    for (const char *const *z = (const char *const[]){ "UTC", "GMT", "Z", NULL }; *z; z++)
        if ((size_t)(r->end - r->at) >= strlen(*z) && !memcmp(r->at, *z, strlen(*z))) {
            r->at += strlen(*z);
            return true;
        }
    if (r->at == r->end || (*r->at != '+' && *r->at != '-'))
        return false;
    sign = *r->at++ == '-' ? -1 : 1;
    if (!read_number(r, 2, false, 0, 18, &hour))
        return false;
    if (r->at < r->end && *r->at == ':')
        r->at++;
    if (r->at < r->end && *r->at >= '0' && *r->at <= '9' && !read_number(r, 2, false, 0, 59, &minute))
        return false;
    r->offset = sign * (hour * 3600 + minute * 60);
    return true;
}

static bool read_fraction(struct reading *r, size_t count)
{
    size_t n = 0;
    for (r->c.micro = 0; n < count && r->at < r->end && *r->at >= '0' && *r->at <= '9'; n++, r->at++)
        if (n < 6)
            r->c.micro = r->c.micro * 10 + (*r->at - '0');
    for (size_t i = n; i < 6; i++)
        r->c.micro *= 10;
    return n > 0;
}

static bool read_year(struct reading *r, size_t count)
{
    bool minus = r->at < r->end && *r->at == '-' && count != 2 && r->at++;
    if (!read_number(r, count, count >= 4, 0, 999999, &r->c.year))
        return false;
    if (count == 2)
        r->c.year += 2000;
    if (minus)
        r->c.year = -r->c.year;
    return true;
}

/* PEN_BADCONF: the letter cannot be read. */
static pen_status read_piece(struct reading *r, const struct piece *p)
{
    int ignored;
    bool good;
    switch (p->letter) {
    case 'y':
        good = read_year(r, p->count);
        break;
    case 'M':
    case 'L':
        good = p->count < 3 ? read_two(r, p->count, 1, 12, &r->c.month) : read_name(r, months, 12, p->count, &r->c.month);
        break;
    case 'E':
        good = read_name(r, days, 7, p->count, &ignored);
        break;
    case 'D':
        good = read_number(r, p->count, false, 1, 366, &r->day_of_year);
        break;
    case 'd':
        good = read_two(r, p->count, 1, 31, &r->c.day);
        break;
    case 'H':
        good = read_two(r, p->count, 0, 23, &r->c.hour);
        break;
    case 'k':
        good = read_two(r, p->count, 1, 24, &r->c.hour);
        r->c.hour %= 24;
        break;
    case 'h':
        good = read_two(r, p->count, 1, 12, &r->hour12);
        break;
    case 'K':
        good = read_two(r, p->count, 0, 11, &r->hour12);
        break;
    case 'm':
        good = read_two(r, p->count, 0, 59, &r->c.minute);
        break;
    case 's':
        good = read_two(r, p->count, 0, 59, &r->c.second);
        break;
    case 'S':
        good = read_fraction(r, p->count);
        break;
    case 'a':
        good = r->end - r->at >= 2 && (!strncasecmp(r->at, "AM", 2) || !strncasecmp(r->at, "PM", 2));
        if (good)
            r->half = *r->at == 'p' || *r->at == 'P';
        r->at += good ? 2 : 0;
        break;
    default:
        if (!strchr("VzOXxZ", p->letter))
            return PEN_BADCONF;
        good = read_zone(r);
    }
    return good ? PEN_OK : PEN_SKIP;
}

static bool finish(struct reading *r, int64_t *micros)
{
    if (r->at != r->end)
        return false;
    if (r->day_of_year) {
        int64_t day = pen_civil_to_days(r->c.year, 1, 1) + r->day_of_year - 1;
        struct pen_civil d = pen_civil_from_days(day);
        if (d.year != r->c.year)
            return false;
        r->c.month = d.month;
        r->c.day = d.day;
    }
    if (r->hour12 >= 0)
        r->c.hour = r->hour12 % 12 + (r->half == 1 ? 12 : 0);
    return r->c.day <= pen_month_days(r->c.year, r->c.month) && pen_civil_to_micros(&r->c, micros) &&
           !__builtin_sub_overflow(*micros, r->offset * 1000000, micros);
}

pen_status pen_pattern_parse(const char *pattern, size_t n, const char *text, size_t text_n, int64_t *micros, struct pen_error *err)
{
    struct pattern p = { pattern, pattern + n, false };
    struct reading r = { text, text + text_n, { .year = 1970, .month = 1, .day = 1 }, -1, -1, 0, 0 };
    struct piece piece;
    while (next_piece(&p, &piece)) {
        pen_status st = PEN_SKIP;
        if (piece.letter)
            st = read_piece(&r, &piece);
        else if (r.at < r.end && *r.at == piece.literal && r.at++)
            st = PEN_OK;
        if (st == PEN_BADCONF)
            return unknown(&piece, err);
        if (st != PEN_OK)
            return PEN_SKIP;
    }
    return finish(&r, micros) ? PEN_OK : PEN_SKIP;
}
