/* sql_dates.c - Spark's functions over dates and timestamps, in UTC, as SQL functions. Arguments are text as Spark's cast takes it, which is
 * what columns of these types give; null, and text that is no time, give null. A number where a time is wanted is an error, as in Spark.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "data/pattern.h"
#include "data/sql_priv.h"

typedef enum { YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND, MILLISECOND, MICROSECOND, DAY_OF_YEAR, DAY_OF_WEEK, WEEKDAY } time_part;

/* The argument as a time; false: null or an error, and the result is set. */
static bool time_argument(sqlite3_context *ctx, sqlite3_value *value, int64_t *micros)
{
    const char *text;
    size_t n;
    switch (sqlite3_value_type(value)) {
    case SQLITE_NULL:
        return false;
    case SQLITE_TEXT:
        text = pen_sql_bytes(value, &n);
        return pen_timestamp_parse(text, n, micros);
    default:
        sqlite3_result_error(ctx, "expected a date or a timestamp, got a number or bytes (from_unixtime takes seconds)", -1);
        return false;
    }
}

/* A whole number that a day count may move by, or null. */
static bool count_argument(sqlite3_value *value, int64_t *n)
{
    if (sqlite3_value_type(value) == SQLITE_NULL)
        return false;
    *n = sqlite3_value_int64(value);
    return *n >= -4000000 && *n <= 4000000;
}

static void result_date(sqlite3_context *ctx, int64_t days)
{
    char buf[PEN_TIME_TEXT];
    sqlite3_result_text(ctx, buf, (int)pen_date_text(buf, days), SQLITE_TRANSIENT);
}

static void result_timestamp(sqlite3_context *ctx, int64_t micros)
{
    char buf[PEN_TIME_TEXT];
    sqlite3_result_text(ctx, buf, (int)pen_timestamp_text(buf, micros), SQLITE_TRANSIENT);
}

static int64_t modulo(int64_t a, int64_t b)
{
    return (a % b + b) % b;
}

/* ISO 8601: the week of the year in which its Thursday lies. */
static int64_t week_of_year(int64_t day)
{
    int64_t thursday = day - modulo(day + 3, 7) + 3;
    return (thursday - pen_civil_to_days(pen_civil_from_days(thursday).year, 1, 1)) / 7 + 1;
}

static void function_part(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t micros, day;
    struct pen_civil c;
    (void)argc;
    if (!time_argument(ctx, argv[0], &micros))
        return;
    c = pen_civil_from_micros(micros);
    day = pen_micros_to_days(micros);
    switch (*(const time_part *)sqlite3_user_data(ctx)) {
    case YEAR:
        sqlite3_result_int64(ctx, c.year);
        break;
    case QUARTER:
        sqlite3_result_int(ctx, (c.month + 2) / 3);
        break;
    case MONTH:
        sqlite3_result_int(ctx, c.month);
        break;
    case WEEK:
        sqlite3_result_int64(ctx, week_of_year(day));
        break;
    case DAY:
        sqlite3_result_int(ctx, c.day);
        break;
    case HOUR:
        sqlite3_result_int(ctx, c.hour);
        break;
    case MINUTE:
        sqlite3_result_int(ctx, c.minute);
        break;
    case SECOND:
        sqlite3_result_int(ctx, c.second);
        break;
    case DAY_OF_YEAR:
        sqlite3_result_int64(ctx, day - pen_civil_to_days(c.year, 1, 1) + 1);
        break;
    case DAY_OF_WEEK: /* 1: Sunday */
        sqlite3_result_int64(ctx, modulo(day + 4, 7) + 1);
        break;
    case WEEKDAY: /* 0: Monday */
        sqlite3_result_int64(ctx, modulo(day + 3, 7));
        break;
    case MILLISECOND:
    case MICROSECOND:
        break;
    }
}

/* -- text and numbers to times, and back --------------------------------------------------------------------------------------- */

/* A time out of the first argument, by the pattern of the second where there is one. */
static bool parsed_argument(sqlite3_context *ctx, int argc, sqlite3_value **argv, int64_t *micros)
{
    struct pen_error err = { 0 };
    pen_status st;
    if (argc < 2)
        return time_argument(ctx, argv[0], micros);
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
        return false;
    if (!sqlite3_value_text(argv[0]) || !sqlite3_value_text(argv[1])) {
        sqlite3_result_error_nomem(ctx);
        return false;
    }
    st = pen_pattern_parse((const char *)sqlite3_value_text(argv[1]), (size_t)sqlite3_value_bytes(argv[1]),
                           (const char *)sqlite3_value_text(argv[0]), (size_t)sqlite3_value_bytes(argv[0]), micros, &err);
    if (st < 0)
        sqlite3_result_error(ctx, err.msg, -1);
    return st == PEN_OK;
}

static void function_to_timestamp(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t micros;
    if (parsed_argument(ctx, argc, argv, &micros))
        result_timestamp(ctx, micros);
}

static void function_to_date(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t micros;
    if (parsed_argument(ctx, argc, argv, &micros))
        result_date(ctx, pen_micros_to_days(micros));
}

/* Spark's unix_timestamp(text) reads by the pattern yyyy-MM-dd HH:mm:ss; a date or a timestamp column comes as text here, so any time is taken. */
static void function_unix_timestamp(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t micros;
    if (parsed_argument(ctx, argc, argv, &micros))
        sqlite3_result_int64(ctx, micros / 1000000 - (micros % 1000000 < 0));
}

static void result_formatted(sqlite3_context *ctx, int64_t micros, sqlite3_value *pattern)
{
    struct pen_text g = { 0 };
    struct pen_error err = { 0 };
    const char *text = (const char *)sqlite3_value_text(pattern);
    if (sqlite3_value_type(pattern) == SQLITE_NULL)
        return;
    if (!text)
        sqlite3_result_error_nomem(ctx);
    else if (pen_pattern_format(&g, text, (size_t)sqlite3_value_bytes(pattern), micros, &err) < 0)
        sqlite3_result_error(ctx, err.msg, -1);
    else if (g.failed)
        sqlite3_result_error_nomem(ctx);
    else
        sqlite3_result_text64(ctx, g.n ? g.bytes : "", g.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    pen_text_fini(&g);
}

static void function_date_format(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t micros;
    (void)argc;
    if (time_argument(ctx, argv[0], &micros))
        result_formatted(ctx, micros, argv[1]);
}

static void function_from_unixtime(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t micros;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    if (__builtin_mul_overflow(sqlite3_value_int64(argv[0]), INT64_C(1000000), &micros))
        sqlite3_result_error(ctx, "from_unixtime: seconds beyond the range of timestamps", -1);
    else if (argc > 1)
        result_formatted(ctx, micros, argv[1]);
    else
        result_timestamp(ctx, micros);
}

/* -- reckoning with days and months --------------------------------------------------------------------------------------------- */

static void function_datediff(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t end, start;
    (void)argc;
    if (time_argument(ctx, argv[0], &end) && time_argument(ctx, argv[1], &start))
        sqlite3_result_int64(ctx, pen_micros_to_days(end) - pen_micros_to_days(start));
}

/* date_add and date_sub: the user data is the sign. */
static void function_date_add(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t micros, n;
    (void)argc;
    if (time_argument(ctx, argv[0], &micros) && count_argument(argv[1], &n))
        result_date(ctx, pen_micros_to_days(micros) + n * *(const int *)sqlite3_user_data(ctx));
}

/* The same day of the month, or the month's last. */
static void function_add_months(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t micros, n, month, year;
    struct pen_civil c;
    int last;
    (void)argc;
    if (!time_argument(ctx, argv[0], &micros) || !count_argument(argv[1], &n))
        return;
    c = pen_civil_from_micros(micros);
    month = c.month - 1 + n;
    year = c.year + (month - modulo(month, 12)) / 12;
    month = modulo(month, 12) + 1;
    last = pen_month_days(year, (int)month);
    result_date(ctx, pen_civil_to_days(year, (int)month, c.day < last ? c.day : last));
}

static void function_last_day(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    int64_t micros;
    struct pen_civil c;
    (void)argc;
    if (!time_argument(ctx, argv[0], &micros))
        return;
    c = pen_civil_from_micros(micros);
    result_date(ctx, pen_civil_to_days(c.year, c.month, pen_month_days(c.year, c.month)));
}

static bool unit_of(sqlite3_value *value, time_part *unit)
{
    static const struct {
        const char *name;
        time_part unit;
    } units[] = {
        { "year", YEAR },     { "yyyy", YEAR },     { "yy", YEAR },         { "quarter", QUARTER },         { "month", MONTH },
        { "mon", MONTH },     { "mm", MONTH },      { "week", WEEK },       { "day", DAY },                 { "dd", DAY },
        { "hour", HOUR },     { "minute", MINUTE }, { "second", SECOND },   { "millisecond", MILLISECOND }, { "microsecond", MICROSECOND },
    };
    const char *text = sqlite3_value_type(value) == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
    for (size_t i = 0; text && i < sizeof units / sizeof *units; i++)
        if (!strcasecmp(text, units[i].name)) {
            *unit = units[i].unit;
            return true;
        }
    return false;
}

/* First day of the year, quarter, month or week (Monday) of a day. */
static int64_t truncate_day(int64_t day, time_part unit)
{
    struct pen_civil c = pen_civil_from_days(day);
    switch (unit) {
    case YEAR:
        return pen_civil_to_days(c.year, 1, 1);
    case QUARTER:
        return pen_civil_to_days(c.year, (c.month - 1) / 3 * 3 + 1, 1);
    case MONTH:
        return pen_civil_to_days(c.year, c.month, 1);
    case WEEK:
        return day - modulo(day + 3, 7);
    default:
        return day;
    }
}

/* date_trunc(unit, timestamp); null for a unit that is not known. */
static void function_date_trunc(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    static const int64_t length[] = { [HOUR] = 3600000000, [MINUTE] = 60000000, [SECOND] = 1000000, [MILLISECOND] = 1000, [MICROSECOND] = 1 };
    time_part unit;
    int64_t micros;
    (void)argc;
    if (!unit_of(argv[0], &unit) || !time_argument(ctx, argv[1], &micros))
        return;
    if (unit < HOUR)
        result_timestamp(ctx, truncate_day(pen_micros_to_days(micros), unit) * PEN_DAY_MICROS);
    else
        result_timestamp(ctx, micros - modulo(micros, length[unit]));
}

/* trunc(date, unit): as date_trunc, from the week up. */
static void function_trunc(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    time_part unit;
    int64_t micros;
    (void)argc;
    if (unit_of(argv[1], &unit) && unit < DAY && time_argument(ctx, argv[0], &micros))
        result_date(ctx, truncate_day(pen_micros_to_days(micros), unit));
}

int pen_sql_register_dates(sqlite3 *db)
{
    static const int forward = 1, backward = -1;
    static const time_part year = YEAR, quarter = QUARTER, month = MONTH, week = WEEK, day = DAY, hour = HOUR, minute = MINUTE,
                           second = SECOND, day_of_year = DAY_OF_YEAR, day_of_week = DAY_OF_WEEK, weekday = WEEKDAY;
    static const struct {
        const char *name;
        int args;
        void (*run)(sqlite3_context *, int, sqlite3_value **);
        const void *data;
    } functions[] = {
        { "year", 1, function_part, &year },
        { "quarter", 1, function_part, &quarter },
        { "month", 1, function_part, &month },
        { "weekofyear", 1, function_part, &week },
        { "day", 1, function_part, &day },
        { "dayofmonth", 1, function_part, &day },
        { "dayofyear", 1, function_part, &day_of_year },
        { "dayofweek", 1, function_part, &day_of_week },
        { "weekday", 1, function_part, &weekday },
        { "hour", 1, function_part, &hour },
        { "minute", 1, function_part, &minute },
        { "second", 1, function_part, &second },
        { "to_timestamp", 1, function_to_timestamp, NULL },
        { "to_timestamp", 2, function_to_timestamp, NULL },
        { "to_date", 1, function_to_date, NULL },
        { "to_date", 2, function_to_date, NULL },
        { "unix_timestamp", 1, function_unix_timestamp, NULL },
        { "unix_timestamp", 2, function_unix_timestamp, NULL },
        { "from_unixtime", 1, function_from_unixtime, NULL },
        { "from_unixtime", 2, function_from_unixtime, NULL },
        { "date_format", 2, function_date_format, NULL },
        { "datediff", 2, function_datediff, NULL },
        { "date_diff", 2, function_datediff, NULL },
        { "date_add", 2, function_date_add, &forward },
        { "date_sub", 2, function_date_add, &backward },
        { "add_months", 2, function_add_months, NULL },
        { "last_day", 1, function_last_day, NULL },
        { "date_trunc", 2, function_date_trunc, NULL },
        { "trunc", 2, function_trunc, NULL },
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        int rc = sqlite3_create_function_v2(db, functions[i].name, functions[i].args, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                            (void *)(uintptr_t)functions[i].data, functions[i].run, NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}
