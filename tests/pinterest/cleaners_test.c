/* cleaners_test.c - the cleaners' rules on JSON records, one case a line: what was sent, what comes out, what was counted.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "driver.h"
#include "../tap.h"

#define N(a) (sizeof(a) / sizeof *(a))

/* One record in; shows one column of the row that comes out, "rejected" where there is none. */
static const char *show(struct driver *d, const char *record, const char *column, char *buf, size_t size)
{
    struct ArrowArray out;
    struct pen_error err = { 0 };
    size_t rejected = 0;
    const char *shown;
    if (driver_lines(d, record, strlen(record), &out, &rejected, &err) < 0)
        return "failed";
    shown = out.length == 1 ? driver_show(d, &out, column, 0, buf, size) : rejected == 1 && out.length == 0 ? "rejected" : "lost";
    pen_array_release(&out);
    return shown;
}

static void test_pin__follower_count(void)
{
    static const struct {
        const char *sent, *want;
        int marked, unfit;
    } cases[] = {
        { "\"124k\"", "124000", 0, 0 },
        { "\"1.2k\"", "1200", 0, 0 },
        { "\"0\"", "0", 0, 0 },
        { "\"970\"", "970", 0, 0 },
        { "\"15M\"", "15000000", 0, 0 },
        { "\"1.9\"", "1", 0, 0 },
        { "\"0.9\"", "0", 0, 0 },
        { "\"1.0005k\"", "1000", 0, 0 },
        { "\"1.0009999k\"", "1000", 0, 0 },
        { "\"0.000000001B\"", "1", 0, 0 },
        { "\"0.0000000009B\"", "0", 0, 0 },
        { "\"2B\"", "2000000000", 0, 0 },
        { "\"2.147483647B\"", "2147483647", 0, 0 },
        { "\"2.1474836479B\"", "2147483647", 0, 0 },
        { "\"2.147483648B\"", "null", 0, 1 },
        { "\"3B\"", "null", 0, 1 },
        { "\"2147483647\"", "2147483647", 0, 0 },
        { "\"2147483647.9\"", "2147483647", 0, 0 },
        { "\"2147483648\"", "null", 0, 1 },
        { "\"99999999999999999999999999999999999999\"", "null", 0, 1 },
        { "\"99999999999999999999999999999999999999.5M\"", "null", 0, 1 },
        { "\"000000000000000000000000000012k\"", "12000", 0, 0 },
        { "\" 12k \"", "12000", 0, 0 },
        { "\"\\t12k\\r\\n\"", "12000", 0, 0 },
        { "\"\\u00a012k\\u3000\"", "12000", 0, 0 },
        { "\"\u00a0 \u200712k\u2028 \u1680\"", "12000", 0, 0 },
        { "\"\\u200b12k\"", "null", 0, 1 }, /* no white space, by Unicode */
        { "\"12 k\"", "null", 0, 1 },
        { "\"1 2\"", "null", 0, 1 },
        { "\"1.\"", "null", 0, 1 },
        { "\"1.k\"", "null", 0, 1 },
        { "\".5k\"", "null", 0, 1 },
        { "\"1.2.3\"", "null", 0, 1 },
        { "\"1,200\"", "null", 0, 1 },
        { "\"1K\"", "null", 0, 1 },
        { "\"1m\"", "null", 0, 1 },
        { "\"1b\"", "null", 0, 1 },
        { "\"1kk\"", "null", 0, 1 },
        { "\"k\"", "null", 0, 1 },
        { "\"-3\"", "null", 0, 1 },
        { "\"+3\"", "null", 0, 1 },
        { "\"1e3\"", "null", 0, 1 },
        { "\"0x10\"", "null", 0, 1 },
        { "\"\\uff11\\uff12\"", "null", 0, 1 }, /* full-width digits */
        { "\"\\u0031\\u006b\"", "1000", 0, 0 },
        { "\"1\\u0000\"", "null", 0, 1 },
        { "\"\\ud83d\"", "null", 0, 1 },
        { "\" \"", "null", 0, 1 },
        { "\"\"", "null", 1, 0 },
        { "\"User Info Error\"", "null", 1, 0 },
        { "\"User\\u0020Info Error\"", "null", 1, 0 },
        { "\"User Info Error \"", "null", 0, 1 },
        { "124000", "124000", 0, 0 },
        { "-3", "-3", 0, 0 },
        { "-3.9", "-3", 0, 0 },
        { "3.9", "3", 0, 0 },
        { "-0.5", "0", 0, 0 },
        { "1e3", "1000", 0, 0 },
        { "1.5e3", "1500", 0, 0 },
        { "1.2345e2", "123", 0, 0 },
        { "15E-1", "1", 0, 0 },
        { "0e999999999999", "0", 0, 0 },
        { "1e-999999999999", "0", 0, 0 },
        { "1e999", "null", 0, 1 },
        { "2147483647.9", "2147483647", 0, 0 },
        { "2147483648", "null", 0, 1 },
        { "-2147483648.9", "-2147483648", 0, 0 },
        { "-2147483649", "null", 0, 1 },
        { "18446744073709551617", "null", 0, 1 },
        { "true", "null", 0, 1 },
        { "[1]", "null", 0, 1 },
        { "{\"a\":1}", "null", 0, 1 },
        { "null", "null", 0, 0 },
    };
    struct driver d;
    driver_open(&d, &pin_LTX_pen_plugin, NULL, NULL);
    for (size_t i = 0; i < N(cases); i++) {
        char record[256], buf[64];
        const char *got;
        int64_t marked, unfit;
        snprintf(record, sizeof record, "{\"index\": 1, \"follower_count\": %s}\n", cases[i].sent);
        got = show(&d, record, "follower_count", buf, sizeof buf);
        marked = driver_counted("marker_nulled_total", "follower_count");
        unfit = driver_counted("nulled_total", "follower_count");
        ok(strcmp(got, cases[i].want) == 0 && marked == cases[i].marked && unfit == cases[i].unfit,
           "follower_count %s is %s (%s, %lld marked, %lld unfit)", cases[i].sent, cases[i].want, got, (long long)marked, (long long)unfit);
    }
    driver_close(&d);
}

static void test_pin__text(void)
{
    static const struct {
        const char *column, *sent, *want;
        int marked;
    } cases[] = {
        { "unique_id", "\"fbe53c66\"", "fbe53c66", 0 },
        { "unique_id", "\"\"", "null", 1 },
        { "title", "\"\"", "null", 1 },
        { "title", "\"No Title Data Available\"", "null", 1 },
        { "title", "\"No Title Data Available \"", "No Title Data Available ", 0 },
        { "title", "\"no title data available\"", "no title data available", 0 },
        { "title", "\"No description available\"", "No description available", 0 },
        { "title", "\" \"", " ", 0 },
        { "title", "12.50", "12.50", 0 },
        { "title", "-0.0E+1", "-0.0E+1", 0 },
        { "title", "true", "true", 0 },
        { "title", "[1, \"\\u0041\" ]", "[1, \"\\u0041\" ]", 0 },
        { "title", "{ \"a\" : null }", "{ \"a\" : null }", 0 },
        { "title", "null", "null", 0 },
        { "title", "\"\\ud83d\"", "\uFFFD", 0 },
        { "title", "\"a\\ud83d\\ud83d\\ude00\"", "a\uFFFD\U0001F600", 0 },
        { "description", "\"No description available Story format\"", "null", 1 },
        { "description", "\"No description available\"", "null", 1 },
        { "description", "\"No description\"", "No description", 0 },
        { "poster_name", "\"User Info Error\"", "null", 1 },
        { "poster_name", "\"967\"", "967", 0 },
        { "poster_name", "\" outer \"", " outer ", 0 },
        { "tag_list", "\"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e\"", "null", 1 },
        { "tag_list", "\"a,b\"", "a,b", 0 },
        { "is_image_or_video", "\"\"", "null", 1 },
        { "is_image_or_video", "\"multi-video(story page format)\"", "multi-video(story page format)", 0 },
        { "image_src", "\"Image src error.\"", "null", 1 },
        { "image_src", "\"Image src error\"", "Image src error", 0 },
        { "category", "\"User Info Error\"", "User Info Error", 0 },
        { "category", "\"\"", "null", 1 },
        { "save_location", "\"Local save in /data/art\"", "/data/art", 0 },
        { "save_location", "\"/data/art\"", "/data/art", 0 },
        { "save_location", "\"Local save in \"", "null", 1 },
        { "save_location", "\"Local save in\"", "Local save in", 0 },
        { "save_location", "\"Local save in Local save in x\"", "Local save in x", 0 },
        { "save_location", "\" Local save in x\"", " Local save in x", 0 },
        { "save_location", "\"local save in x\"", "local save in x", 0 },
        { "save_location", "\"\"", "null", 1 },
        { "save_location", "null", "null", 0 },
        { "save_location", "7", "7", 0 },
    };
    struct driver d;
    driver_open(&d, &pin_LTX_pen_plugin, NULL, NULL);
    for (size_t i = 0; i < N(cases); i++) {
        char record[256], buf[128];
        const char *got;
        int64_t marked;
        snprintf(record, sizeof record, "{\"%s\":%s,\"index\":1}", cases[i].column, cases[i].sent);
        got = show(&d, record, cases[i].column, buf, sizeof buf);
        marked = driver_counted("marker_nulled_total", cases[i].column);
        ok(strcmp(got, cases[i].want) == 0 && marked == cases[i].marked, "%s %s is %s (%s, %lld marked)", cases[i].column, cases[i].sent,
           cases[i].want, got, (long long)marked);
    }
    driver_close(&d);
}

static void test_key__whole_number_or_dead_letter(void)
{
    static const struct {
        const char *sent, *want;
    } cases[] = {
        { "%s: 7528", "7528" },
        { "%s: 7528.0", "7528" },
        { "%s: 7.528e3", "7528" },
        { "%s: 75280E-1", "7528" },
        { "%s: -0", "0" },
        { "%s: -2147483648", "-2147483648" },
        { "%s: 2147483647.000", "2147483647" },
        { "%s: 2147483648", "rejected" },
        { "%s: -2147483649", "rejected" },
        { "%s: 1e10", "rejected" },
        { "%s: 1e999999999999999999999", "rejected" },
        { "%s: 7.5", "rejected" },
        { "%s: 1e-1", "rejected" },
        { "%s: \"7528\"", "rejected" },
        { "%s: null", "rejected" },
        { "%s: true", "rejected" },
        { "%s: [1]", "rejected" },
        { "\"other\": 1", "rejected" },
        { "%s: 1, \"x\": NaN", "rejected" },
        { "%s: 1, \"x\": 01", "rejected" },
        { "%s: 1,", "rejected" },
        { "%s: 1, \"x\": \"\\x\"", "rejected" },
        { "%s: 1, \"x\": \"\xff\"", "rejected" },
        { "%s: \"first\", %s: 2", "2" },
        { "%s: 1, %s: \"last\"", "rejected" },
    };
    static const struct pen_plugin *const plugins[] = { &pin_LTX_pen_plugin, &geo_LTX_pen_plugin, &user_LTX_pen_plugin };
    static const char *const keys[] = { "\"index\"", "\"ind\"", "\"\\u0069nd\"" };
    for (size_t p = 0; p < N(plugins); p++) {
        struct driver d;
        driver_open(&d, plugins[p], NULL, NULL);
        for (size_t i = 0; i < N(cases); i++) {
            char inside[128], record[160], buf[64];
            const char *got;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(inside, sizeof inside, cases[i].sent, keys[p], keys[p]);
#pragma GCC diagnostic pop
            snprintf(record, sizeof record, "{%s}", inside);
            got = show(&d, record, "ind", buf, sizeof buf);
            ok(strcmp(got, cases[i].want) == 0, "%s: {%s} has ind %s (%s)", plugins[p]->name, i == 22 ? "no UTF-8" : inside, cases[i].want, got);
        }
        driver_close(&d);
    }
}

static void test_time__three_forms(void)
{
    static const struct {
        const char *sent, *want;
    } cases[] = {
        { "\"1970-01-01T00:00:00\"", "0" },
        { "\"2021-01-05T12:34:56\"", "1609850096000000" },
        { "\"2021-01-05 12:34:56\"", "1609850096000000" },
        { "\"01/05/2021, 12:34:56\"", "1609850096000000" },
        { "\"2021-01-05T12:34:56Z\"", "1609850096000000" },
        { "\"2021-01-05 12:34:56.5Z\"", "1609850096500000" },
        { "\"2021-01-05T12:34:56.123456789\"", "1609850096123456" },
        { "\"2021-01-05T12:34:56.9999999+00:00\"", "1609850096999999" },
        { "\"2021-01-05T12:34:56+01:30\"", "1609844696000000" },
        { "\"2021-01-05T12:34:56-23:59\"", "1609936436000000" },
        { "\"2021-01-05T12:34:56\\u002b01:30\"", "1609844696000000" },
        { "\"1969-12-31T23:59:59.9\"", "-100000" },
        { "\"2020-02-29T00:00:00\"", "1582934400000000" },
        { "\"2000-02-29T00:00:00\"", "951782400000000" },
        { "\"1900-02-29T00:00:00\"", "null" },
        { "\"2021-02-29T00:00:00\"", "null" },
        { "\"2021-04-31T00:00:00\"", "null" },
        { "\"2021-00-05T00:00:00\"", "null" },
        { "\"2021-13-05T00:00:00\"", "null" },
        { "\"2021-01-00T00:00:00\"", "null" },
        { "\"2021-01-32T00:00:00\"", "null" },
        { "\"13/05/2021, 12:34:56\"", "null" },
        { "\"02/29/2021, 12:34:56\"", "null" },
        { "\"02/29/2020, 23:59:59\"", "1583020799000000" },
        { "\"0000-01-01T00:00:00\"", "-62167219200000000" },
        { "\"0000-00-00 00:00:00\"", "null" },
        { "\"0001-01-01T00:00:00\"", "-62135596800000000" },
        { "\"9999-12-31T23:59:59.999999\"", "253402300799999999" },
        { "\"10000-01-01T00:00:00\"", "null" },
        { "\"2021-01-05T24:00:00\"", "null" },
        { "\"2021-01-05T23:60:00\"", "null" },
        { "\"2021-01-05T23:59:60\"", "null" },
        { "\"2021-01-05t12:34:56\"", "null" },
        { "\"2021-01-05T12:34:56z\"", "null" },
        { "\"2021-01-05T12:34:56 Z\"", "null" },
        { "\"2021-01-05T12:34:56.\"", "null" },
        { "\"2021-01-05T12:34:56.Z\"", "null" },
        { "\"2021-01-05T12:34:56,5\"", "null" },
        { "\"2021-01-05T12:34:56+0130\"", "null" },
        { "\"2021-01-05T12:34:56+01\"", "null" },
        { "\"2021-01-05T12:34:56+24:00\"", "null" },
        { "\"2021-01-05T12:34:56+01:60\"", "null" },
        { "\"2021-01-05T12:34:56.000+0000\"", "null" },
        { "\"2021-01-05T12:34:56Zx\"", "null" },
        { "\" 2021-01-05T12:34:56\"", "null" },
        { "\"2021-01-05T12:34:56 \"", "null" },
        { "\"2021-01-05  12:34:56\"", "null" },
        { "\"2021-01-05T12:34\"", "null" },
        { "\"2021-01-05\"", "null" },
        { "\"2021-1-5T12:34:56\"", "null" },
        { "\"2021/01/05 12:34:56\"", "null" },
        { "\"01/05/2021 12:34:56\"", "null" },
        { "\"01/05/2021,  12:34:56\"", "null" },
        { "\"01/05/2021, 12:34:56Z\"", "null" },
        { "\"01/05/2021, 12:34:56.5\"", "null" },
        { "\"+021-01-05T12:34:56\"", "null" },
        { "\"2021-01-05T+2:34:56\"", "null" },
        { "\"\"", "null" },
        { "1609850096", "null" },
        { "true", "null" },
        { "null", "null" },
    };
    struct driver geo, user;
    driver_open(&geo, &geo_LTX_pen_plugin, NULL, NULL);
    driver_open(&user, &user_LTX_pen_plugin, NULL, NULL);
    for (size_t i = 0; i < N(cases); i++) {
        char record[128], a[64], b[64];
        const char *place, *person;
        snprintf(record, sizeof record, "{\"ind\":1,\"timestamp\":%s,\"date_joined\":%s}", cases[i].sent, cases[i].sent);
        place = show(&geo, record, "timestamp", a, sizeof a);
        person = show(&user, record, "date_joined", b, sizeof b);
        ok(strcmp(place, cases[i].want) == 0 && strcmp(person, cases[i].want) == 0, "the time %s is %s (%s, %s)", cases[i].sent,
           cases[i].want, place, person);
    }
    driver_close(&geo);
    driver_close(&user);
}

static void test_geo__coordinates(void)
{
    static const struct {
        const char *sent, *want;
    } cases[] = {
        { "\"latitude\":-89.9787,\"longitude\":-173.293", "[-89.9787, -173.293]" },
        { "\"longitude\":2,\"latitude\":1", "[1, 2]" },
        { "\"latitude\":1e2,\"longitude\":-0.0", "[100, -0]" },
        { "\"latitude\":1.7976931348623157e308,\"longitude\":5e-324", "[1.7976931348623157e+308, 4.94065645841247e-324]" },
        { "\"latitude\":0.1000000000000000055511151231257827021181583404541015625,\"longitude\":0.30000000000000004", "[0.1, 0.30000000000000004]" },
        { "\"latitude\":1e999,\"longitude\":1", "null" },
        { "\"latitude\":1,\"longitude\":-1e400", "null" },
        { "\"latitude\":\"1.5\",\"longitude\":1", "null" },
        { "\"latitude\":1,\"longitude\":null", "null" },
        { "\"latitude\":1", "null" },
        { "\"latitude\":[1],\"longitude\":1", "null" },
        { "\"latitude\":true,\"longitude\":1", "null" },
        { "\"country\":\"x\"", "null" },
    };
    struct driver d;
    char buf[64];
    driver_open(&d, &geo_LTX_pen_plugin, NULL, NULL);
    for (size_t i = 0; i < N(cases); i++) {
        char record[256];
        const char *got;
        snprintf(record, sizeof record, "{\"ind\":1,%s}", cases[i].sent);
        got = show(&d, record, "coordinates", buf, sizeof buf);
        ok(strcmp(got, cases[i].want) == 0, "the place {%s} is %s (%s)", cases[i].sent, cases[i].want, got);
    }
    ok(strcmp(show(&d, "{\"ind\":1,\"country\":\"\"}", "country", buf, sizeof buf), "") == 0, "an empty country stays empty");
    ok(strcmp(show(&d, "{\"ind\":1,\"country\":12}", "country", buf, sizeof buf), "12") == 0, "a country that is a number keeps its bytes");
    driver_close(&d);
}

static void test_user__names_and_age(void)
{
    static const struct {
        const char *sent, *column, *want;
    } cases[] = {
        { "\"first_name\":\"Abigail\",\"last_name\":\"Ali\"", "user_name", "Abigail Ali" },
        { "\"first_name\":\"Abigail\",\"last_name\":null", "user_name", "Abigail" },
        { "\"first_name\":\"Abigail\",\"last_name\":\"\"", "user_name", "Abigail" },
        { "\"first_name\":\"Abigail\"", "user_name", "Abigail" },
        { "\"last_name\":\"Ali\"", "user_name", "Ali" },
        { "\"first_name\":\"\",\"last_name\":\"Ali\"", "user_name", "Ali" },
        { "\"first_name\":\"\",\"last_name\":null", "user_name", "null" },
        { "\"first_name\":\"\",\"last_name\":\"\"", "user_name", "null" },
        { "\"age\":1", "user_name", "null" },
        { "\"first_name\":\" \",\"last_name\":\" \"", "user_name", "   " },
        { "\"first_name\":1,\"last_name\":{\"a\":[]}", "user_name", "1 {\"a\":[]}" },
        { "\"age\":20", "age", "20" },
        { "\"age\":20.0", "age", "20" },
        { "\"age\":2e1", "age", "20" },
        { "\"age\":-5", "age", "-5" },
        { "\"age\":20.5", "age", "null" },
        { "\"age\":\"20\"", "age", "null" },
        { "\"age\":2147483648", "age", "null" },
        { "\"age\":1e999", "age", "null" },
        { "\"age\":false", "age", "null" },
        { "\"age\":null", "age", "null" },
        { "\"first_name\":\"x\"", "age", "null" },
    };
    struct driver d;
    driver_open(&d, &user_LTX_pen_plugin, NULL, NULL);
    for (size_t i = 0; i < N(cases); i++) {
        char record[256], buf[64];
        const char *got;
        snprintf(record, sizeof record, "{\"ind\":1,%s}", cases[i].sent);
        got = show(&d, record, cases[i].column, buf, sizeof buf);
        ok(strcmp(got, cases[i].want) == 0, "{%s} has %s %s (%s)", cases[i].sent, cases[i].column, cases[i].want, got);
    }
    driver_close(&d);
}

static void test_pin__markers_are_options(void)
{
    static const char *const options[] = { "null_values", "", "null_title", "nil, \"not, here\"", "null_poster_name", "",
                                           "null_category", "none", "prefix", "\"in \" at", NULL };
    static const struct {
        const char *column, *sent, *want;
    } cases[] = {
        { "title", "nil", "null" },
        { "title", "not, here", "null" },
        { "title", "", "" },
        { "title", "No Title Data Available", "No Title Data Available" },
        { "poster_name", "User Info Error", "User Info Error" },
        { "description", "No description available", "null" },
        { "category", "none", "null" },
        { "save_location", "in x", "x" },
        { "save_location", "at", "null" },
        { "save_location", "Local save in x", "Local save in x" },
    };
    struct driver d;
    driver_open(&d, &pin_LTX_pen_plugin, options, NULL);
    for (size_t i = 0; i < N(cases); i++) {
        char record[256], buf[64];
        const char *got;
        snprintf(record, sizeof record, "{\"index\":1,\"%s\":\"%s\"}", cases[i].column, cases[i].sent);
        got = show(&d, record, cases[i].column, buf, sizeof buf);
        ok(strcmp(got, cases[i].want) == 0, "with other markers %s \"%s\" is %s (%s)", cases[i].column, cases[i].sent, cases[i].want, got);
    }
    driver_close(&d);
}

static void test_pin__many_rows_and_none(void)
{
    enum { ROWS = 3001 };
    struct driver d;
    struct ArrowArray out;
    struct pen_error err = { 0 };
    int64_t before = driver_counted("marker_nulled_total", "title");
    size_t size = (size_t)ROWS * 128, n = 0, rejected;
    char *lines = malloc(size), buf[64], want[64];
    bool good = lines != NULL && before >= 0;
    driver_open(&d, &pin_LTX_pen_plugin, NULL, NULL);
    for (int i = 0; good && i < ROWS; i++)
        n += (size_t)snprintf(lines + n, size - n, "{\"index\":%d,\"title\":%s,\"follower_count\":\"%dk\",\"save_location\":\"Local save in %d\"}\n", i,
                              i % 7 == 0 ? "\"No Title Data Available\"" : i % 7 == 1 ? "null" : "\"t\"", i, i);
    for (int round = 0; good && round < 3; round++) { /* what a batch left behind would show in the next */
        good = driver_lines(&d, lines, n, &out, &rejected, &err) >= 0 && out.length == ROWS && rejected == 0;
        for (int i = 0; good && i < ROWS; i++) {
            snprintf(want, sizeof want, "%d", i * 1000);
            good = strcmp(driver_show(&d, &out, "follower_count", i, buf, sizeof buf), want) == 0;
            snprintf(want, sizeof want, "%d", i);
            good = good && strcmp(driver_show(&d, &out, "save_location", i, buf, sizeof buf), want) == 0;
            good = good && strcmp(driver_show(&d, &out, "title", i, buf, sizeof buf), i % 7 < 2 ? "null" : "t") == 0;
        }
        good = good && driver_counted("marker_nulled_total", "title") == (ROWS + 6) / 7;
        pen_array_release(&out);
    }
    ok(good, "%d rows, three times: %s", ROWS, err.msg);
    good = driver_lines(&d, "\n \r\n", 4, &out, &rejected, &err) >= 0 && out.length == 0 && rejected == 0;
    pen_array_release(&out);
    ok(good, "no rows give no rows: %s", err.msg);
    free(lines);
    driver_close(&d);
}

int main(void)
{
    test_pin__follower_count();
    test_pin__text();
    test_pin__markers_are_options();
    test_pin__many_rows_and_none();
    test_key__whole_number_or_dead_letter();
    test_time__three_forms();
    test_geo__coordinates();
    test_user__names_and_age();
    return done_testing();
}
