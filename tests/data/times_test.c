/* times_test.c - the forms of times and dates that records have, and numbers out of JSON text. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <penstock/records.h>

#include "../tap.h"

#define NO INT64_MIN
#define DAY INT64_C(86400000000)

static void test_parse_timestamp__forms(void)
{
    static const struct { const char *text; int64_t want; } cases[] = {
        { "1970-01-01T00:00:00", 0 }, { "1970-01-01 00:00:01", 1000000 }, { "1970-01-01T00:00:00Z", 0 }, { "1970-01-01T00:00:00.5", 500000 },
        { "1970-01-01T00:00:00.123456789Z", 123456 }, { "1969-12-31T23:59:59.999999", -1 }, { "1970-01-01T01:00:00+01:00", 0 },
        { "1969-12-31T23:30:00-00:30", 0 }, { "2021-01-05T12:34:56.1+05:30", INT64_C(1609830296100000) }, { "01/05/2021, 12:34:56", INT64_C(1609850096000000) },
        { "2000-02-29T00:00:00", 11016 * DAY }, { "2024-02-29 23:59:59", 19782 * DAY + INT64_C(86399000000) }, { "0001-01-01T00:00:00", -719162 * DAY },
        { "9999-12-31T23:59:59.999999", INT64_C(253402300799999999) }, { "02/29/2020, 00:00:00", 18321 * DAY },
        { "", NO }, { "2021-01-05", NO }, { "2021-01-05T12:34", NO }, { "2021-01-05T12:34:56.", NO }, { "2021-01-05T12:34:56.Z", NO },
        { "2021-01-05T12:34:56z", NO }, { "2021-01-05t12:34:56", NO }, { "2021-01-05  12:34:56", NO }, { "2021-1-05T12:34:56", NO },
        { "2021-02-29T00:00:00", NO }, { "1900-02-29T00:00:00", NO }, { "2021-04-31T00:00:00", NO }, { "2021-13-01T00:00:00", NO },
        { "2021-00-01T00:00:00", NO }, { "2021-01-00T00:00:00", NO }, { "2021-01-05T24:00:00", NO }, { "2021-01-05T12:60:00", NO },
        { "2021-01-05T12:34:60", NO }, { "2021-01-05T12:34:56+0100", NO }, { "2021-01-05T12:34:56+24:00", NO }, { "2021-01-05T12:34:56+01:60", NO },
        { " 2021-01-05T12:34:56", NO }, { "2021-01-05T12:34:56 ", NO }, { "13/01/2021, 00:00:00", NO }, { "01/05/2021 12:34:56", NO },
        { "01/05/2021, 12:34:56Z", NO }, { "02/30/2020, 00:00:00", NO }, { "-021-01-05T12:34:56", NO }, { "20210-01-05T12:34:56", NO },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t got = NO;
        bool good = pen_parse_timestamp(cases[i].text, strlen(cases[i].text), &got);
        ok(good == (cases[i].want != NO) && got == cases[i].want, "time \"%s\"", cases[i].text);
    }
}

static void test_parse_date__forms(void)
{
    static const struct { const char *text; int64_t want; } cases[] = {
        { "1970-01-01", 0 }, { "1969-12-31", -1 }, { "2020-02-29", 18321 }, { "2021-02-29", NO }, { "2021-1-1", NO }, { "2021-01-01T", NO }, { "", NO },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t got = 0;
        bool good = pen_parse_date(cases[i].text, strlen(cases[i].text), &got);
        ok(good == (cases[i].want != NO) && (!good || got == cases[i].want), "date \"%s\"", cases[i].text);
    }
}

static void test_number_to_int64__cuts_towards_zero(void)
{
    static const struct { const char *text; int64_t want; bool exact; } cases[] = {
        { "0", 0, true }, { "-0.0", 0, true }, { "1.9", 1, false }, { "-1.9", -1, false }, { "0.9", 0, false }, { "12e-1", 1, false },
        { "120e-1", 12, true }, { "1.25e1", 12, false }, { "1.25e2", 125, true }, { "9223372036854775807.9", INT64_MAX, false },
        { "-9223372036854775808", NO, true }, { "1e18", INT64_C(1000000000000000000), true }, { "0.0000000000000000000000001e25", 1, true },
        { "100000000000000000000000000e-26", 1, true }, { "1e-99999999999999999999", 0, false }, { "0e99999999999999999999", 0, true },
    };
    static const char *const beyond[] = { "9223372036854775808", "-9223372036854775809", "1e19", "1e99999999999999999999" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t got = 77;
        bool exact = !cases[i].exact, good = pen_json_number_to_int64(cases[i].text, strlen(cases[i].text), &got, &exact);
        ok(good && got == cases[i].want && exact == cases[i].exact, "%s as a whole number", cases[i].text);
    }
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        int64_t got;
        ok(!pen_json_number_to_int64(beyond[i], strlen(beyond[i]), &got, NULL), "%s does not fit", beyond[i]);
    }
}

/* Halfway cases, with the digit that decides far behind. */
static void test_number_to_float64__rounds_correctly(void)
{
    char text[3000];
    double v = 0;
    size_t n = (size_t)snprintf(text, sizeof text, "9007199254740993.");
    memset(text + n, '0', 2000);
    ok(pen_json_number_to_float64(text, n + 2000, &v) && v == 9007199254740992.0, "halfway goes to even");
    text[n + 1999] = '1';
    ok(pen_json_number_to_float64(text, n + 2000, &v) && v == 9007199254740994.0, "a digit 2000 places behind the point decides");
    ok(pen_json_number_to_float64("5e-324", 6, &v) && v == 4.9406564584124654e-324, "the smallest");
    ok(pen_json_number_to_float64("2e-324", 6, &v) && v == 0, "half of it is 0");
    ok(pen_json_number_to_float64("-0", 2, &v) && v == 0 && 1 / v < 0, "minus zero");
    ok(!pen_json_number_to_float64("1e309", 5, &v), "beyond a double");
}

int main(void)
{
    test_parse_timestamp__forms();
    test_parse_date__forms();
    test_number_to_int64__cuts_towards_zero();
    test_number_to_float64__rounds_correctly();
    return done_testing();
}
