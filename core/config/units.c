/* units.c - see units.h. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/units.h"

#define SECOND INT64_C(1000000)

static const struct pen_unit count_units[] = {
    { "", 1, true }, { "k", 1000, true }, { "K", 1000, false }, { "M", 1000000, true }, { "G", 1000000000, true }, { NULL, 0, false }
};
static const struct pen_unit size_units[] = {
    { "", 1, false }, { "B", 1, true }, { "kB", 1000, true }, { "KB", 1000, false }, { "KiB", INT64_C(1) << 10, true },
    { "MB", 1000000, true }, { "MiB", INT64_C(1) << 20, true }, { "GB", 1000000000, true }, { "GiB", INT64_C(1) << 30, true },
    { "TB", INT64_C(1000000000000), true }, { "TiB", INT64_C(1) << 40, true }, { NULL, 0, false }
};
static const struct pen_unit duration_units[] = {
    { "us", 1, true }, { "ms", 1000, true }, { "s", SECOND, true }, { "m", 60 * SECOND, true }, { "h", 3600 * SECOND, true },
    { "d", 86400 * SECOND, true }, { NULL, 0, false }
};
static const struct pen_units counts = { count_units, "a count such as 100, 100k, 5M", "k, M or G" };
static const struct pen_units sizes = { size_units, "a size such as 512, 64KiB, 10MB, 1GiB", "B, kB, MB, GB, TB, KiB, MiB, GiB or TiB" };
static const struct pen_units durations = { duration_units, "a duration such as 250ms, 10s, 5m, 1h", "us, ms, s, m, h or d" };

/* What people write for a unit, and the unit. */
static const struct {
    const char *written, *meant;
} synonyms[] = {
    { "sec", "s" },     { "secs", "s" },         { "second", "s" }, { "seconds", "s" }, { "min", "m" },   { "mins", "m" },  { "minute", "m" },
    { "minutes", "m" }, { "hr", "h" },           { "hrs", "h" },    { "hour", "h" },    { "hours", "h" }, { "day", "d" },   { "days", "d" },
    { "msec", "ms" },   { "milliseconds", "ms" },{ "usec", "us" },  { "µs", "us" },     { "ki", "KiB" },  { "mi", "MiB" },  { "gi", "GiB" },
    { "ti", "TiB" },    { "kb", "kB" },          { "bytes", "B" },  { "b", "B" },       { "k", "KiB" },   { "m", "MiB" },   { "g", "GiB" },
    { "t", "TiB" },     { "thousand", "k" },     { "million", "M" },
};

const struct pen_units *pen_units_of(pen_option_type type)
{
    return type == PEN_OPT_COUNT ? &counts : type == PEN_OPT_SIZE ? &sizes : &durations;
}

static const struct pen_unit *find_unit(const struct pen_units *u, const char *text, size_t n)
{
    for (const struct pen_unit *unit = u->units; unit->name; unit++)
        if (strlen(unit->name) == n && memcmp(unit->name, text, n) == 0)
            return unit;
    return NULL;
}

/* The unit that `text` was meant to be: the same in another case, or a word for it. */
static const struct pen_unit *meant_unit(const struct pen_units *u, const char *text, size_t n)
{
    for (const struct pen_unit *unit = u->units; unit->name; unit++)
        if (n && unit->shown && strlen(unit->name) == n && strncasecmp(unit->name, text, n) == 0)
            return unit;
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (strlen(synonyms[i].written) == n && strncasecmp(synonyms[i].written, text, n) == 0) {
            const struct pen_unit *unit = find_unit(u, synonyms[i].meant, strlen(synonyms[i].meant));
            if (unit)
                return unit;
        }
    return NULL;
}

struct number {
    int64_t whole, part, scale; /* whole + part / scale */
    size_t n;                   /* bytes it took */
    bool overflow, fine;        /* fine: more than six digits behind the point */
};

static bool read_number(const char *text, size_t n, struct number *out)
{
    size_t i = 0;
    *out = (struct number){ .scale = 1 };
    for (; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        out->overflow |= __builtin_mul_overflow(out->whole, 10, &out->whole) || __builtin_add_overflow(out->whole, text[i] - '0', &out->whole);
    if (i == 0)
        return false;
    if (i + 1 < n && text[i] == '.' && text[i + 1] >= '0' && text[i + 1] <= '9')
        for (i++; i < n && text[i] >= '0' && text[i] <= '9'; i++) {
            if (out->scale == 1000000) {
                out->fine |= text[i] != '0';
                continue;
            }
            out->part = out->part * 10 + (text[i] - '0');
            out->scale *= 10;
        }
    out->n = i;
    return true;
}

static bool refuse_unit(const struct pen_units *u, const char *text, const struct number *number, size_t n, struct pen_unit_fault *why)
{
    size_t from = number->n;
    const struct pen_unit *meant;
    while (from < n && text[from] == ' ')
        from++;
    why->at = from;
    if (from < n)
        snprintf(why->reason, sizeof why->reason, "expected a unit of %s right behind the number", u->names);
    else
        snprintf(why->reason, sizeof why->reason, "lacks a unit: expected %s", u->example);
    meant = from < n ? meant_unit(u, text + from, n - from) : find_unit(u, "s", 1);
    if (meant && number->n + strlen(meant->name) < sizeof why->suggestion)
        snprintf(why->suggestion, sizeof why->suggestion, "%.*s%s", (int)number->n, text, meant->name);
    return false;
}

bool pen_units_parse(const struct pen_units *u, const char *text, size_t n, int64_t *out, struct pen_unit_fault *why)
{
    const struct pen_unit *unit;
    struct number number;
    int64_t v;
    if (!read_number(text, n, &number)) {
        snprintf(why->reason, sizeof why->reason, "expected %s", u->example);
        return false;
    }
    unit = find_unit(u, text + number.n, n - number.n);
    if (!unit && number.n == n && number.whole == 0 && number.part == 0 && !number.overflow)
        unit = &u->units[0]; /* nothing is nothing in every unit */
    if (!unit)
        return refuse_unit(u, text, &number, n, why);
    if (number.overflow || __builtin_mul_overflow(number.whole, unit->factor, &v) ||
        __builtin_add_overflow(v, number.part * unit->factor / number.scale, &v)) {
        snprintf(why->reason, sizeof why->reason, "is too large");
        return false;
    }
    if (number.fine || number.part * unit->factor % number.scale) {
        snprintf(why->reason, sizeof why->reason, "is no whole number of %s", u == &durations ? "microseconds" : u == &sizes ? "bytes" : "units");
        return false;
    }
    *out = v;
    return true;
}

bool pen_units_parse_rate(const char *text, double *out, struct pen_unit_fault *why)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    const struct pen_unit *count, *time = slash ? find_unit(&durations, slash + 1, strlen(slash + 1)) : NULL;
    struct number number;
    if (!read_number(text, n, &number) || number.overflow || !(count = find_unit(&counts, text + number.n, n - number.n))) {
        snprintf(why->reason, sizeof why->reason, "expected a rate such as 500/s, 30/m, 2k/s");
        return false;
    }
    if (!time || time->factor < SECOND) {
        why->at = slash ? n + 1 : n;
        snprintf(why->reason, sizeof why->reason, "expected a rate such as 500/s, 30/m, 2k/s: for each s, m, h or d");
        if (!slash && n + 2 < sizeof why->suggestion)
            snprintf(why->suggestion, sizeof why->suggestion, "%s/s", text);
        return false;
    }
    *out = ((double)number.whole + (double)number.part / (double)number.scale) * (double)count->factor / ((double)time->factor / (double)SECOND);
    return true;
}

const char *pen_units_print(const struct pen_units *u, int64_t v, char *buf, size_t size)
{
    const struct pen_unit *best = NULL;
    for (const struct pen_unit *unit = u->units; unit->name; unit++)
        if (unit->shown && v % unit->factor == 0 && (!best || unit->factor > best->factor))
            best = unit;
    if (v == 0 && u == &durations)
        best = &duration_units[2];
    else if (v == 0 || !best)
        best = &u->units[u == &sizes ? 1 : 0];
    snprintf(buf, size, "%" PRId64 "%s", v / best->factor, best->name);
    return buf;
}
