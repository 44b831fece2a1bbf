/* layout_test.c - fields of messages, folders made of them, and local times. `layout_test zones` reads lines "ZONE SECONDS" and answers with the seconds by
 * which local time is ahead, for a comparison with another reader of the tz database. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "s3/field.h"
#include "s3/layout.h"
#include "tests/tap.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static void fields_are_found(void)
{
    static const struct { const char *json, *path, *want; } cases[] = {
        { "{\"a\":1}", "a", "1" }, { " { \"b\" : [1,{\"a\":2}] , \"a\" : \"x\" } ", "a", "\"x\"" }, { "{\"a\":{\"b\":{\"c\":true}}}", "a.b.c", "true" },
        { "{\"a\":1,\"a\":2}", "a", "2" }, { "{\"\\u0061\":3}", "a", "3" }, { "{\"x\":\"\\\"},{\",\"a\":4}", "a", "4" }, { "{\"a\":\"\"}", "a", "\"\"" },
        { "{\"a\":null}", "a", "null" }, { "{}", "a", NULL }, { "", "a", NULL }, { "[1]", "a", NULL }, { "{\"a\":1", "a", NULL }, { "{\"a\"}", "a", NULL },
        { "{\"a\":}", "a", NULL }, { "{\"a\":1,}", "a", NULL }, { "{\"a\":\"x", "a", NULL }, { "{\"a\":[1", "a", NULL }, { "{a:1}", "a", NULL },
        { "{\"a\":1}", "a.b", NULL }, { "{\"b\":\"\\", "b", NULL }, { "{\"a\":\"b\\\\\"}", "a", "\"b\\\\\"" }, { "no JSON", "a", NULL },
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        size_t n = strlen(cases[i].json), value_n = 0;
        char *exact = malloc(n ? n : 1); /* what is read beyond it is noticed */
        const char *value = NULL;
        memcpy(exact, cases[i].json, n);
        bool found = field_find(exact, n, cases[i].path, &value, &value_n);
        ok(cases[i].want ? found && strlen(cases[i].want) == value_n && memcmp(value, cases[i].want, value_n) == 0 : !found, "%s of %s", cases[i].path,
           cases[i].json);
        free(exact);
    }
}

static void times_are_read(void)
{
    static const struct { const char *value; bool good; int64_t micros; } cases[] = {
        { "1700000000000", true, INT64_C(1700000000000000) }, { "-1", true, -1000 }, { "1.7e12", true, INT64_C(1700000000000000) },
        { "\"2023-11-14T22:13:20Z\"", true, INT64_C(1700000000000000) }, { "\"2023-11-14T23:13:20.5+01:00\"", true, INT64_C(1700000000500000) },
        { "99999999999999999", false, 0 }, { "\"soon\"", false, 0 }, { "null", false, 0 }, { "true", false, 0 }, { "\"\"", false, 0 }, { "0x10", false, 0 },
        { "01", false, 0 }, { "1.", false, 0 }, { "-", false, 0 },
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        int64_t at = 0;
        bool good = field_time(cases[i].value, strlen(cases[i].value), &at);
        ok(good == cases[i].good && (!good || at == cases[i].micros), "%s as a time", cases[i].value);
    }
}

#define NONE "__HIVE_DEFAULT_PARTITION__"
static void folders_are_made(void)
{
    static const char *const by[] = { "country", "user.age" };
    static const struct { size_t fields; const char *pattern, *zone, *json; int64_t when; const char *want; bool known; } cases[] = {
        { 1, NULL, "UTC", "{\"country\":\"UK\"}", 0, "country=UK", true },
        { 2, NULL, "UTC", "{\"country\":\"UK\",\"user\":{\"age\":5}}", 0, "country=UK/user.age=5", true },
        { 1, NULL, "UTC", "{\"country\":\"a/../b=c%\"}", 0, "country=a%2F..%2Fb%3Dc%25", true },
        { 1, NULL, "UTC", "{\"country\":\"..\"}", 0, "country=%2E.", true },
        { 1, NULL, "UTC", "{\"country\":\"\\u00e9\\n\"}", 0, "country=\xc3\xa9%0A", true },
        { 1, NULL, "UTC", "{\"country\":\"\xff\"}", 0, "country=" NONE, false },
        { 1, NULL, "UTC", "{\"country\":\"\\ud800\"}", 0, "country=\xef\xbf\xbd", true },
        { 1, NULL, "UTC", "{\"country\":\"\\x\"}", 0, "country=" NONE, false },
        { 1, NULL, "UTC", "{\"country\":\"\"}", 0, "country=" NONE, false },
        { 1, NULL, "UTC", "{\"country\":null}", 0, "country=" NONE, false },
        { 1, NULL, "UTC", "{\"country\":[1]}", 0, "country=" NONE, false },
        { 1, NULL, "UTC", "{\"country\":1e+3}", 0, "country=1e%2B3", true },
        { 1, NULL, "UTC", "{\"country\":false}", 0, "country=false", true },
        { 1, NULL, "UTC", "what", 0, "country=" NONE, false },
        { 0, "year=%Y/month=%m/day=%d/hour=%H", "UTC", "", INT64_C(1700000000000000), "year=2023/month=11/day=14/hour=22", true },
        { 0, "year=%Y/month=%m/day=%d/hour=%H", "+05:30", "", INT64_C(1700000000000000), "year=2023/month=11/day=15/hour=03", true },
        { 0, "%Y-%m-%d/%M", "UTC", "", -1, "1969-12-31/59", true },
        { 0, "dt=%Y-%m-%d/x/h%H", "UTC", "", INT64_MIN, "dt=" NONE "/x/h" NONE, false },
        { 1, "day=%d", "UTC", "{\"country\":\"UK\"}", 0, "country=UK/day=01", true },
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct layout l = { .fields = { cases[i].fields, by }, .pattern = cases[i].pattern, .zone_name = cases[i].zone };
        struct pen_text out = { 0 };
        struct pen_error err = { 0 };
        bool good = layout_start(&l, &err) >= 0, known = good && layout_folder(&l, cases[i].json, strlen(cases[i].json), cases[i].when, &out);
        pen_text_append(&out, "", 1);
        if (!ok(good && known == cases[i].known && strcmp(out.bytes, cases[i].want) == 0, "%s", cases[i].want))
            printf("# %s %s\n", out.bytes, err.msg);
        pen_text_fini(&out);
        layout_stop(&l);
    }
}

static void long_values_stay_short_and_apart(void)
{
    static const char *const by[] = { "k" };
    struct layout l = { .fields = { 1, by }, .zone_name = "UTC" };
    struct pen_text a = { 0 }, b = { 0 };
    struct pen_error err = { 0 };
    char json[3000];
    ok(layout_start(&l, &err) >= 0, "a layout by one field");
    int n = snprintf(json, sizeof json, "{\"k\":\"%02000d\"}", 1);
    layout_folder(&l, json, (size_t)n, 0, &a);
    n = snprintf(json, sizeof json, "{\"k\":\"%02000d\"}", 2);
    layout_folder(&l, json, (size_t)n, 0, &b);
    ok(a.n < 140 && a.n == b.n && memcmp(a.bytes, b.bytes, a.n) != 0, "values of 2000 bytes make folders of %zu, each its own", a.n);
    pen_text_fini(&a);
    pen_text_fini(&b);
    layout_stop(&l);
}

static void options_are_refused(void)
{
    static const struct { const char *pattern, *zone; } cases[] = {
        { "", "UTC" }, { "year", "UTC" }, { "year=%y", "UTC" }, { "/%Y", "UTC" }, { "%Y/", "UTC" }, { "%Y//%m", "UTC" }, { "../%Y", "UTC" }, { "%Y/.x", "UTC" },
        { "%Y a", "UTC" }, { "%Y%", "UTC" }, { "%Y", "../etc/passwd" }, { "%Y", "/etc/passwd" }, { "%Y", "Nowhere/Town" }, { "%Y", "" }, { "%Y", "+99" },
        { "%Y", "+05:30x" },
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct layout l = { .pattern = cases[i].pattern, .zone_name = cases[i].zone };
        struct pen_error err = { 0 };
        ok(layout_start(&l, &err) == PEN_BADCONF && err.msg[0], "partition_time = %s, zone = %s: %.60s", cases[i].pattern, cases[i].zone, err.msg);
        layout_stop(&l);
    }
}

/* What a file may hold: a header, one type, no change, and the rule. */
static void rules_of_files(void)
{
    static const struct { const char *rule; int64_t at, want; bool good; } cases[] = {
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1700000000, 3600, true },   { "CET-1CEST,M3.5.0,M10.5.0/3", 1690000000, 7200, true },
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1711846800 - 1, 3600, true }, { "CET-1CEST,M3.5.0,M10.5.0/3", 1711846800, 7200, true },
        { "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1700000000, 39600, true }, { "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", 1700000000, -10800, true },
        { "A", 0, 0, false }, { "CET", 0, 0, false }, { "CET-1CEST", 0, 0, false }, { "CET-1CEST,M13.1.0,M1.1.0", 0, 0, false },
        { "CET-1CEST,J0,J1", 0, 0, false }, { "XXX0YYY,J60/0,J366", 0, 0, false }, { "XXX0YYY,J60/0,300", 1709251200, 3600, true },
        { "XXX0YYY,59/0,300", 1709164800, 3600, true }, { "CET-1x", 0, 0, false }, { "", 0, -60, true },
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        unsigned char bytes[300] = "TZif2";
        struct zone *z = NULL;
        struct pen_error err = { 0 };
        size_t n = 44;
        memcpy(bytes + n, "TZif2", 5);
        bytes[n + 39] = 1; /* types */
        n += 44;
        memcpy(bytes + n, "\xff\xff\xff\xc4\0\0", 6); /* a minute behind */
        n += 6;
        n += (size_t)snprintf((char *)bytes + n, sizeof bytes - n, "\n%s\n", cases[i].rule);
        bool good = zone_parse(&z, "test", bytes, n, &err) >= 0;
        ok(good == cases[i].good && (!good || zone_offset(z, cases[i].at) == cases[i].want), "\"%s\" at %" PRId64 "", cases[i].rule, cases[i].at);
        zone_free(&z);
        for (size_t cut = 0; cut < n && i < 2; cut++)
            if (zone_parse(&z, "test", bytes, cut, &(struct pen_error){ 0 }) >= 0) {
                ok(false, "cut to %zu bytes it is refused", cut);
                zone_free(&z);
            }
    }
}

static int compare_zones(void)
{
    char name[100], last[100] = "";
    int64_t at;
    struct zone *z = NULL;
    struct pen_error err = { 0 };
    while (scanf("%99s %" SCNd64, name, &at) == 2) {
        if (strcmp(name, last) != 0) {
            zone_free(&z);
            if (zone_open(&z, name, &err) < 0) {
                fprintf(stderr, "%s\n", err.msg);
                return 1;
            }
            snprintf(last, sizeof last, "%s", name);
        }
        printf("%" PRId64 "\n", zone_offset(z, at));
    }
    zone_free(&z);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "zones") == 0)
        return compare_zones();
    fields_are_found();
    times_are_read();
    folders_are_made();
    long_values_stay_short_and_apart();
    options_are_refused();
    rules_of_files();
    return done_testing();
}
