/* zone.c - what a file of the tz database says (RFC 8536): the changes that are listed, and the rule at its end for all later ones.
 *
 * localtime() knows one zone for the whole process. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "zone.h"

enum { FILE_MAX = 256 << 10, TYPES_MAX = 256, DAY_SECONDS = 86400, OFFSET_MAX = 26 * 3600 };

/* When in a year clocks change: "M3.5.0/1", "J60", "59". */
struct turn {
    char kind;                /* 'M', 'J' or 'n' */
    int month, week, day;     /* day: of the week, or of the year */
    int64_t at;               /* seconds after midnight, local time before the turn */
};

/* "GMT0BST,M3.5.0/1,M10.5.0" */
struct rule {
    bool given, summer;       /* summer: there are two times a year */
    int64_t offset, summer_offset;
    struct turn begins, ends; /* of summer time */
};

struct zone {
    size_t n;                 /* changes */
    int64_t *at;
    unsigned char *type;      /* what holds from then on */
    int64_t offsets[TYPES_MAX];
    struct rule rule;
};

/* -- the rule at a file's end ------------------------------------------------------------------------------------------------------------------- */

static bool take_number(const char **p, int most, int *out)
{
    int v = 0;
    const char *from = *p;
    for (; **p >= '0' && **p <= '9' && *p - from < 5; ++*p)
        v = v * 10 + (**p - '0');
    *out = v;
    return *p > from && v <= most;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **p, int most_hours, int64_t *seconds)
{
    int h, m = 0, s = 0;
    bool minus = **p == '-';
    *p += **p == '-' || **p == '+';
    if (!take_number(p, most_hours, &h))
        return false;
    if (**p == ':' && (++*p, !take_number(p, 59, &m)))
        return false;
    if (**p == ':' && (++*p, !take_number(p, 59, &s)))
        return false;
    *seconds = (int64_t)h * 3600 + m * 60 + s;
    *seconds = minus ? -*seconds : *seconds;
    return true;
}

static bool take_name(const char **p)
{
    const char *from = *p;
    if (**p == '<') {
        const char *end = strchr(*p, '>');
        *p = end ? end + 1 : *p;
        return end != NULL;
    }
    while ((**p >= 'a' && **p <= 'z') || (**p >= 'A' && **p <= 'Z'))
        ++*p;
    return *p - from >= 3;
}

static bool take_turn(const char **p, struct turn *t)
{
    *t = (struct turn){ .kind = 'n', .at = 7200 };
    if (*(*p)++ != ',')
        return false;
    if (**p == 'M' || **p == 'J')
        t->kind = *(*p)++;
    if (t->kind == 'M') {
        if (!take_number(p, 12, &t->month) || *(*p)++ != '.' || !take_number(p, 5, &t->week) || *(*p)++ != '.' || !take_number(p, 6, &t->day) ||
            !t->month || !t->week)
            return false;
    } else if (!take_number(p, 365, &t->day) || (t->kind == 'J' && !t->day)) {
        return false;
    }
    return **p != '/' || (++*p, take_time(p, 167, &t->at));
}

/* Offsets of such texts grow to the west. */
static bool parse_rule(struct rule *r, const char *text)
{
    const char *p = text;
    memset(r, 0, sizeof *r);
    if (!*p)
        return true; /* the last change holds for ever */
    if (!take_name(&p) || !take_time(&p, 24, &r->offset))
        return false;
    r->given = true;
    r->offset = -r->offset;
    if (!*p)
        return true;
    if (!take_name(&p))
        return false;
    r->summer = true;
    r->summer_offset = -r->offset - 3600;
    if (*p != ',' && !take_time(&p, 24, &r->summer_offset))
        return false;
    r->summer_offset = -r->summer_offset;
    return take_turn(&p, &r->begins) && take_turn(&p, &r->ends) && !*p;
}

static int64_t days_to(int64_t year, int month)
{
    struct tm tm = { .tm_year = (int)(year - 1900), .tm_mon = month - 1, .tm_mday = 1 };
    return (int64_t)timegm(&tm) / DAY_SECONDS;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* When the turn is in this year, by the local clock. */
static int64_t turn_in(const struct turn *t, int64_t year)
{
    int64_t first = days_to(year, t->kind == 'M' ? t->month : 1), day;
    if (t->kind == 'M') {
        int64_t next = t->month == 12 ? days_to(year + 1, 1) : days_to(year, t->month + 1);
        day = first + ((t->day - (first + 4)) % 7 + 7) % 7 + (t->week - 1) * 7; /* 1970-01-01 was a Thursday */
        while (day >= next)
            day -= 7;
    } else {
        day = first + t->day - (t->kind == 'J' ? 1 : 0) + (t->kind == 'J' && t->day >= 60 && is_leap(year));
    }
    return day * DAY_SECONDS + t->at;
}

static int64_t rule_offset(const struct rule *r, int64_t seconds)
{
    time_t local = (time_t)(seconds + r->offset);
    struct tm tm;
    if (!r->summer || !gmtime_r(&local, &tm))
        return r->offset;
    int64_t begins = turn_in(&r->begins, tm.tm_year + INT64_C(1900)) - r->offset, ends = turn_in(&r->ends, tm.tm_year + INT64_C(1900)) - r->summer_offset;
    bool summer = begins < ends ? seconds >= begins && seconds < ends : seconds >= begins || seconds < ends; /* the second in the south */
    return summer ? r->summer_offset : r->offset;
}

/* -- the file ------------------------------------------------------------------------------------------------------------------------------------- */

static uint32_t load32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

struct head {
    uint32_t isut, isstd, leaps, changes, types, chars;
};

/* The header at *p; false: it is none, or what it counts does not fit. `size`: of a time. */
static bool take_head(const unsigned char **p, const unsigned char *end, struct head *h, size_t size, size_t *data)
{
    if (end - *p < 44 || memcmp(*p, "TZif", 4) != 0 || (*p)[4] < '2')
        return false;
    *h = (struct head){ load32(*p + 20), load32(*p + 24), load32(*p + 28), load32(*p + 32), load32(*p + 36), load32(*p + 40) };
    *p += 44;
    if (h->isut > FILE_MAX || h->isstd > FILE_MAX || h->leaps > FILE_MAX || h->changes > FILE_MAX || h->types > TYPES_MAX || h->chars > FILE_MAX)
        return false;
    *data = h->changes * (size + 1) + h->types * 6u + h->chars + h->leaps * (size + 4) + h->isstd + h->isut;
    return *data <= (size_t)(end - *p);
}

static bool take_changes(struct zone *z, const unsigned char *p, const struct head *h)
{
    const unsigned char *types = p + h->changes * 8u, *infos = types + h->changes;
    z->at = calloc(h->changes + 1, sizeof *z->at);
    z->type = calloc(h->changes + 1, 1);
    if (!z->at || !z->type)
        return false;
    z->n = h->changes;
    for (size_t i = 0; i < z->n; i++) {
        z->at[i] = (int64_t)((uint64_t)load32(p + i * 8) << 32 | load32(p + i * 8 + 4));
        z->type[i] = types[i];
        if (types[i] >= h->types || (i && z->at[i] <= z->at[i - 1]))
            return false;
    }
    for (size_t i = 0; i < h->types; i++) {
        z->offsets[i] = (int32_t)load32(infos + i * 6);
        if (z->offsets[i] > OFFSET_MAX || z->offsets[i] < -OFFSET_MAX)
            return false;
    }
    return h->types > 0;
}

/* The second half of the file, whose times have 64 bits, and the line behind it. */
static bool take_file(struct zone *z, const unsigned char *bytes, size_t n)
{
    const unsigned char *p = bytes, *end = bytes + n;
    struct head h;
    size_t data;
    char rule[128];
    if (!take_head(&p, end, &h, 4, &data))
        return false;
    p += data;
    if (!take_head(&p, end, &h, 8, &data) || !take_changes(z, p, &h))
        return false;
    p += data;
    size_t left = (size_t)(end - p);
    const unsigned char *stop = left > 1 && *p == '\n' ? memchr(p + 1, '\n', left - 1) : NULL;
    if (!stop || (size_t)(stop - p) > sizeof rule)
        return false;
    memcpy(rule, p + 1, (size_t)(stop - p - 1));
    rule[stop - p - 1] = '\0';
    return parse_rule(&z->rule, rule);
}

pen_status zone_parse(struct zone **out, const char *name, const unsigned char *bytes, size_t n, struct pen_error *err)
{
    struct zone *z = calloc(1, sizeof *z);
    *out = NULL;
    if (!z)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (!take_file(z, bytes, n)) {
        zone_free(&z);
        return pen_fail(err, PEN_BADCONF, "zone = %s: its file is none of the tz database's, or damaged", name);
    }
    *out = z;
    return PEN_OK;
}

/* -- zones by name -------------------------------------------------------------------------------------------------------------------------------- */

static bool is_zone_name(const char *name)
{
    return name[0] && name[0] != '/' && name[0] != '.' && strlen(name) < 100 && !strstr(name, "..") &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_+-") == strlen(name);
}

/* UTC, and "+05:30": no file. */
static bool fixed_zone(struct zone *z, const char *name)
{
    const char *p = name;
    z->rule.given = true;
    if (strcmp(name, "UTC") == 0 || strcmp(name, "Z") == 0)
        return true;
    return (*p == '+' || *p == '-') && take_time(&p, 18, &z->rule.offset) && !*p;
}

pen_status zone_open(struct zone **out, const char *name, struct pen_error *err)
{
    const char *folder = getenv("TZDIR");
    unsigned char *bytes;
    char path[4096];
    size_t n;
    FILE *f;
    struct zone *z = calloc(1, sizeof *z);
    *out = z;
    if (!z)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (fixed_zone(z, name))
        return PEN_OK;
    zone_free(out);
    if (!is_zone_name(name))
        return pen_fail(err, PEN_BADCONF, "zone = \"%s\": expected a zone such as Europe/London, UTC or +05:30", name);
    snprintf(path, sizeof path, "%.3900s/%s", folder && *folder ? folder : "/usr/share/zoneinfo", name);
    if (!(f = fopen(path, "re")))
        return pen_fail(err, PEN_BADCONF, "zone = %s: %s: %s; is the tz database (tzdata) installed?", name, path, strerror(errno));
    bytes = malloc(FILE_MAX);
    n = bytes ? fread(bytes, 1, FILE_MAX, f) : 0;
    fclose(f);
    pen_status st = bytes ? zone_parse(out, name, bytes, n, err) : pen_fail(err, PEN_FATAL, "out of memory");
    free(bytes);
    return st;
}

void zone_free(struct zone **z)
{
    if (!*z)
        return;
    free((*z)->at);
    free((*z)->type);
    free(*z);
    *z = NULL;
}

int64_t zone_offset(const struct zone *z, int64_t seconds)
{
    size_t low = 0, high = z->n; /* the last change that is not after it is at low - 1 */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (z->at[middle] <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == z->n && z->rule.given)
        return rule_offset(&z->rule, seconds);
    return z->offsets[low ? z->type[low - 1] : 0];
}
