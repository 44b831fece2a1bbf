/* functions_test.c - the SQL functions, against values worked out by hand from Spark's documentation of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sql_harness.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct asked percentiles[] = {
    { "SELECT percentile_approx(column1, 0.5) FROM (VALUES (0), (1), (2), (10))", "1" },
    { "SELECT percentile_approx(column1, 0.5, 100) FROM (VALUES (0), (1), (2), (10))", "1" },
    { "SELECT percentile_approx(column1, 0.4, 100) FROM (VALUES (0), (1), (2), (10))", "1" },
    { "SELECT percentile_approx(column1, 0.1, 100) FROM (VALUES (0), (1), (2), (10))", "0" },
    { "SELECT percentile_approx(column1, 0.5, 100) FROM (VALUES (0), (6), (7), (9), (10))", "7" },
    { "SELECT percentile_approx(column1, 0) FROM (VALUES (3), (1), (2))", "1" },
    { "SELECT percentile_approx(column1, 1) FROM (VALUES (3), (1), (2))", "3" },
    { "SELECT percentile_approx(column1, 0.25) FROM (VALUES (4), (3), (2), (1))", "1" },
    { "SELECT percentile_approx(column1, 0.26) FROM (VALUES (4), (3), (2), (1))", "2" },
    { "SELECT percentile_approx(column1, 0.5) FROM (VALUES (NULL), (7), (NULL))", "7" },
    { "SELECT percentile_approx(column1, 0.5) FROM (VALUES (NULL), (NULL))", "NULL" },
    { "SELECT percentile_approx(1, 0.5) WHERE 0", "NULL" },
    { "SELECT percentile_approx(column1, 0.5) FROM (VALUES (-5), (-9223372036854775808), (9223372036854775807))", "-5" },
    { "SELECT percentile_approx(column1, 0.5) FROM (VALUES (-0.5), (-300.25), (1e300), (0.25), (0.5))", "0.25" },
    { "SELECT percentile_approx(column1, 0.5) FROM (VALUES (1), (2.5), (3))", "2.5" },
    { "SELECT typeof(percentile_approx(column1, 0.5)) FROM (VALUES (1), (2))", "integer" },
    { "SELECT percentile_approx(column1, 0.5) FROM (VALUES ('2020-01-03'), ('2018-05-01'), ('2019-12-31'))", "2019-12-31" },
    { "SELECT percentile_approx(column1, 0.5) FROM (VALUES ('2020-01-03 10:00:00'), ('2020-01-03 09:00:00'))", "2020-01-03 09:00:00" },
    { "SELECT percentile_approx(column1, 0.5) FROM (VALUES ('x'))", "E-3:a percentile is taken of numbers, dates or timestamps" },
    { "SELECT percentile_approx(1, 1.5)", "E-3:the percentage must be a number from 0 to 1" },
    { "SELECT percentile_approx(1, 0.5, 0)", "E-3:the accuracy must be a whole number above 0" },
    { "SELECT percentile_approx(1, NULL)", "E-3:the percentage must be a number from 0 to 1" },
    { "SELECT median(column1) FROM (VALUES (0), (10))", "5.0" },
    { "SELECT median(column1) FROM (VALUES (0), (10), (1))", "1.0" },
    { "SELECT median(column1) FROM (VALUES (NULL))", "NULL" },
    { "SELECT percentile(column1, 0.3) FROM (VALUES (0), (10))", "3.0" },
    { "SELECT percentile(column1, 1) FROM (VALUES (0), (10))", "10.0" },
    { "SELECT median('2020-01-01')", "E-3:median and percentile are taken of numbers" },
    { "SELECT column1, percentile_approx(column2, 0.5) FROM (VALUES ('a', 5), ('b', 1), ('a', 4), ('a', 9)) GROUP BY 1 ORDER BY 1",
      "a|5\nb|1" },
    { "SELECT column1, median(column2) OVER (PARTITION BY column1) FROM (VALUES ('a', 5), ('b', 1), ('a', 4)) ORDER BY 1",
      "a|4.5\na|4.5\nb|1.0" },
    { "SELECT percentile_approx(column1, 0.5) OVER (ORDER BY column1 ROWS 1 PRECEDING) FROM (VALUES (1), (3), (2), (9))",
      "1\n1\n2\n3" },
};

static const struct asked parts[] = {
    { "SELECT year('2016-07-30'), month('2016-07-30'), day('2009-07-30'), dayofmonth('2009-07-30')", "2016|7|30|30" },
    { "SELECT hour('2009-07-30 12:58:59'), minute('2009-07-30 12:58:59'), second('2009-07-30 12:58:59')", "12|58|59" },
    { "SELECT quarter('2016-08-31'), quarter('2016-01-01'), quarter('2016-12-31')", "3|1|4" },
    { "SELECT weekofyear('2008-02-20'), weekofyear('2021-01-03'), weekofyear('2020-12-31'), weekofyear('2018-12-31')", "8|53|53|1" },
    { "SELECT dayofweek('2009-07-30'), weekday('2009-07-30'), dayofyear('2016-04-09')", "5|3|100" },
    { "SELECT dayofweek('1969-12-28'), weekday('1969-12-28'), dayofyear('1968-12-31')", "1|6|366" },
    { "SELECT year('2020-02-30'), year('abc'), year(''), year(NULL), year('2021-13-01')", "NULL|NULL|NULL|NULL|NULL" },
    { "SELECT year('2020'), month('2020-3'), day('2020-3-7'), hour('2020-3-7T4:5:6')", "2020|3|7|4" },
    { "SELECT hour('2020-01-01T23:30:00+01:00'), day('2020-01-01 23:30:00-01:00'), hour('2020-01-01T23:30:00.000+0000')", "22|2|23" },
    { "SELECT year(2020)", "E-3:expected a date or a timestamp, got a number or bytes (from_unixtime takes seconds)" },
    { "SELECT datediff('2009-07-31', '2009-07-30'), datediff('2009-07-30', '2009-07-31 23:59:59')", "1|-1" },
    { "SELECT datediff('2000-03-01', '2000-02-01'), datediff('1900-03-01', '1900-02-01'), datediff(NULL, '2000-01-01')", "29|28|NULL" },
    { "SELECT date_add('2016-07-30', 1), date_sub('2016-07-30', 1), date_add('2016-12-31', 60)", "2016-07-31|2016-07-29|2017-03-01" },
    { "SELECT add_months('2016-08-31', 1), add_months('2016-01-31', -2), add_months('2020-11-15', 14)", "2016-09-30|2015-11-30|2022-01-15" },
    { "SELECT last_day('2009-01-12'), last_day('2020-02-01'), last_day('1900-02-01')", "2009-01-31|2020-02-29|1900-02-28" },
};

static const struct asked truncations[] = {
    { "SELECT date_trunc('YEAR', '2015-03-05T09:32:05.359')", "2015-01-01 00:00:00" },
    { "SELECT date_trunc('MM', '2015-03-05T09:32:05.359')", "2015-03-01 00:00:00" },
    { "SELECT date_trunc('DD', '2015-03-05T09:32:05.359')", "2015-03-05 00:00:00" },
    { "SELECT date_trunc('HOUR', '2015-03-05T09:32:05.359')", "2015-03-05 09:00:00" },
    { "SELECT date_trunc('MILLISECOND', '2015-03-05T09:32:05.123456')", "2015-03-05 09:32:05.123" },
    { "SELECT date_trunc('week', '2019-08-04'), date_trunc('quarter', '2019-08-04')", "2019-07-29 00:00:00|2019-07-01 00:00:00" },
    { "SELECT date_trunc('minute', '1969-12-31 23:59:59.5'), date_trunc('eon', '2019-08-04')", "1969-12-31 23:59:00|NULL" },
    { "SELECT trunc('2019-08-04', 'week'), trunc('2019-08-04', 'quarter'), trunc('2009-02-12', 'MM'), trunc('2015-10-27', 'YEAR')",
      "2019-07-29|2019-07-01|2009-02-01|2015-01-01" },
};

static const struct asked formats[] = {
    { "SELECT date_format('2016-04-08', 'y')", "2016" },
    { "SELECT date_format('2016-04-08 15:07:09.012345', 'yyyy/MM/dd HH:mm:ss.SSS')", "2016/04/08 15:07:09.012" },
    { "SELECT date_format('2016-04-08 15:07:09', 'EEEE, d MMMM yy h:mm a')", "Friday, 8 April 16 3:07 PM" },
    { "SELECT date_format('2016-04-08 00:07:09', 'E MMM D Q QQQ kk hh')", "Fri Apr 99 2 Q2 24 12" },
    { "SELECT date_format('2016-04-08', 'yyyy''T''MM''''dd'), date_format('2016-04-08', 'XXX xxx VV')", "2016T04'08|Z +00:00 UTC" },
    { "SELECT date_format(NULL, 'y'), date_format('2016-04-08', NULL)", "NULL|NULL" },
    { "SELECT date_format('2016-04-08', 'YYYY')", "E-3:the datetime pattern holds 4 times the letter Y, which has no meaning here" },
    { "SELECT to_date('2009-07-30 04:17:52'), to_date('2016-12-31', 'yyyy-MM-dd')", "2009-07-30|2016-12-31" },
    { "SELECT to_timestamp('2016-12-31 00:12:00'), to_timestamp('2016-12-31', 'yyyy-MM-dd')", "2016-12-31 00:12:00|2016-12-31 00:00:00" },
    { "SELECT to_timestamp('01/05/2021, 12:34:56', 'MM/dd/yyyy, HH:mm:ss')", "2021-01-05 12:34:56" },
    { "SELECT to_timestamp('5 Jan 21 9.05 pm', 'd MMM yy h.mm a'), to_timestamp('2021.060', 'yyyy.DDD')", "2021-01-05 21:05:00|2021-03-01 00:00:00" },
    { "SELECT to_timestamp('2021-01-05T12:00:00+0200', 'yyyy-MM-dd''T''HH:mm:ssZ')", "2021-01-05 10:00:00" },
    { "SELECT to_timestamp('2021-01-05 1:2:3.25'), to_timestamp('2021-01-05 12:00:00.1234567')",
      "2021-01-05 01:02:03.25|2021-01-05 12:00:00.123456" },
    { "SELECT to_date('2021-1-5', 'yyyy-MM-dd'), to_date('2021-02-29', 'yyyy-MM-dd'), to_date('2021-01-05x', 'yyyy-MM-dd')", "NULL|NULL|NULL" },
    { "SELECT to_timestamp('11111111111111111111111111', 'hhhhhhhhhhhhhhhhhhhhhhhhhh')", "NULL" },
    { "SELECT unix_timestamp('2016-04-08', 'yyyy-MM-dd'), unix_timestamp('1970-01-01 00:00:10'), unix_timestamp('1969-12-31 23:59:59.5')",
      "1460073600|10|-1" },
    { "SELECT from_unixtime(0, 'yyyy-MM-dd HH:mm:ss'), from_unixtime(0), from_unixtime(1460073600, 'E'), from_unixtime(NULL)",
      "1970-01-01 00:00:00|1970-01-01 00:00:00|Fri|NULL" },
    { "SELECT from_unixtime(9223372036854775807)", "E-3:from_unixtime: seconds beyond the range of timestamps" },
};

static const struct asked others[] = {
    { "SELECT if(1 < 2, 'a', 'b'), if(1 > 2, 'a', 'b'), if(NULL, 'a', 'b')", "a|b|b" },
    { "SELECT nvl(NULL, 2), nvl(1, 2), nvl2(NULL, 2, 1), nvl2(3, 2, 1)", "2|1|1|2" },
    { "SELECT greatest(10, 9, 2, 4, 3), least(10, 9, 2, 4, 3)", "10|2" },
    { "SELECT greatest(NULL, 3, 2.5), least(NULL, 3, 2.5), greatest(NULL, NULL), least('b', 'a', 'ab')", "3|2.5|NULL|a" },
    { "SELECT greatest(9007199254740993, 9007199254740992.0), least(-1.5, -1), greatest(1, 1e30)", "9007199254740993|-1.5|1.0e+30" },
    { "SELECT greatest(1)", "E-3:greatest and least take two values or more" },
    { "SELECT concat_ws(' ', 'Spark', 'SQL'), concat_ws('s'), concat_ws('/', 'foo', NULL, 'bar'), concat_ws(NULL, 'a')", "Spark SQL||foo/bar|NULL" },
    { "SELECT concat('Spark', 'SQL'), concat('a', NULL), concat(), concat('n', 1)", "SparkSQL|NULL||n1" },
};

int main(void)
{
    struct pen_error err = { 0 };
    struct pen_sql *sql = NULL;
    if (!ok(pen_sql_new(&sql, &err) == PEN_OK, "a connection opens %s", err.msg))
        return done_testing();
    ask_all(sql, percentiles, COUNT(percentiles));
    ask_all(sql, parts, COUNT(parts));
    ask_all(sql, truncations, COUNT(truncations));
    ask_all(sql, formats, COUNT(formats));
    ask_all(sql, others, COUNT(others));
    pen_sql_free(&sql);
    return done_testing();
}
