/* test_log.c - reading Delta logs: actions, states, and what is said about logs that are wrong. SPDX-License-Identifier: Apache-2.0 */
#include "delta_test.h"

#include "stats.h"

static pen_status load(struct delta_state *s, const char *table, int64_t version, struct pen_error *err)
{
    pen_status st = delta_state_init(s, table, err);
    s->want_files = true;
    return st < 0 ? st : delta_state_load(s, NULL, version, err);
}

static void test_log__adds_up_actions(void)
{
    const char *t = new_table();
    struct delta_state s;
    struct pen_error err = { 0 };
    write_entry_text(t, 0, PROTOCOL METADATA "{\"add\":{\"path\":\"x%20y.parquet\",\"partitionValues\":{\"p\":null,\"q\":\"1\"},\"size\":10,"
                           "\"modificationTime\":5,\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":7}\",\"tags\":{\"k\":\"v\"}}}\n");
    write_entry_text(t, 1, "{\"txn\":{\"appId\":\"a\",\"version\":4611686018427387905,\"lastUpdated\":9}}\r\n\n  \n{\"commitInfo\":{\"timestamp\":\"odd\",\"x\":[1,{}]}}"
                           "\n{\"cdc\":{\"path\":\"c\"}}\n{\"never heard of\":[1,[2]]}\n{\"add\":null}\n{\"add\":{\"path\":\"b.parquet\",\"size\":2}}");
    write_entry_text(t, 2, "{\"remove\":{\"path\":\"x y.parquet\",\"deletionTimestamp\":77,\"dataChange\":true}}\n{\"txn\":{\"appId\":\"a\",\"version\":-3}}\n");
    ok(load(&s, t, -1, &err) == PEN_OK && s.version == 2, "a log of three entries: %s", err.msg);
    ok(s.has_protocol && s.protocol.reader == 1 && s.protocol.writer == 2 && s.metadata_version == 0 && strcmp(s.metadata.id, "t1") == 0, "protocol and metaData");
    ok(s.n_txns == 1 && s.txns[0].version == -3, "the last txn of an application counts");
    ok(s.live == 1 && s.n_files == 2, "a path that is encoded otherwise is the same file");
    size_t *at = delta_index_find(&s.file_index, "x y.parquet");
    ok(at && s.files[*at].removed && s.files[*at].deleted == 77, "a removed file is a tombstone");
    delta_state_fini(&s);
    ok(load(&s, t, 1, NULL) == PEN_OK && s.version == 1 && s.live == 2 && s.txns[0].version == 4611686018427387905 && s.txns[0].updated == 9,
       "an older version; 64-bit numbers are exact");
    at = delta_index_find(&s.file_index, "x y.parquet");
    ok(at && s.files[*at].partition_values.n == 2 && !s.files[*at].partition_values.v[0].value &&
           strcmp(delta_pairs_get(&s.files[*at].partition_values, "q"), "1") == 0 && s.files[*at].tags.n == 1 && delta_stats_rows(s.files[*at].stats) == 7,
       "partition values, tags, stats");
    delta_state_fini(&s);
    memset(&err, 0, sizeof err);
    ok(load(&s, t, 3, &err) == PEN_BADCONF && strstr(err.msg, "no version 3"), "%s", err.msg);
    delta_state_fini(&s);
}

static void test_log__knows_a_file_by_any_spelling(void)
{
    static const struct { const char *url, *path, *want; } cases[] = {
        { "/t", "a%20b", "a b" },           { "/t", "/t/a", "a" },        { "/t/", "file:///t/a", "a" }, { "/t", "file:/t/a", "a" },
        { "/t", "/other/a", "/other/a" },   { "t", "t/a", "t/a" },        { "s3://b/t", "s3://b/t/a", "a" }, { "/t", "a%2", "a%2" },
        { "/t", "a%00b", "a%00b" },         { "/t", "%25", "%" },         { "/t", "/tt/a", "/tt/a" },
    };
    struct delta_arena arena = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = delta_path_key(&arena, cases[i].path, cases[i].url);
        ok(strcmp(got, cases[i].want) == 0, "%s in %s is %s", cases[i].path, cases[i].url, got);
    }
    delta_arena_fini(&arena);
}

static void test_log__says_what_is_wrong(void)
{
    static const struct { const char *name, *entry0, *entry1; int64_t at; const char *want; } cases[] = {
        { "no protocol", METADATA, NULL, 1, "no protocol" },
        { "no metaData", PROTOCOL, NULL, 1, "no metaData" },
        { "garbage", PROTOCOL METADATA, "what\n", 1, "version 1, line 1" },
        { "cut off", PROTOCOL METADATA, "{}\n{\"add\":{\"path\":\"x", 1, "version 1, line 2" },
        { "deep", PROTOCOL METADATA, "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 1, "too deep" },
        { "a NUL", PROTOCOL METADATA, "{\"add\":{\"path\":\"a\\u0000b\"}}", 1, "U+0000" },
        { "no path", PROTOCOL METADATA, "{\"add\":{\"size\":1}}", 1, "without a path" },
        { "no appId", PROTOCOL METADATA, "{\"txn\":{\"version\":1}}", 1, "without an appId" },
        { "a fraction", PROTOCOL METADATA, "{\"txn\":{\"appId\":\"a\",\"version\":1.5}}", 1, "whole number" },
        { "too large", PROTOCOL METADATA, "{\"txn\":{\"appId\":\"a\",\"version\":9223372036854775808}}", 1, "whole number" },
        { "two values", PROTOCOL METADATA, "{} {}", 1, "follows" },
        { "a hole", PROTOCOL METADATA, "{}", 2, "version 1 is missing" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *t = new_table();
        struct delta_state s;
        struct pen_error err = { 0 };
        write_entry_text(t, 0, cases[i].entry0);
        if (cases[i].entry1)
            write_entry_text(t, cases[i].at, cases[i].entry1);
        ok(load(&s, t, -1, &err) == PEN_FATAL && strstr(err.msg, cases[i].want) && strstr(err.msg, t), "%s: %s", cases[i].name, err.msg);
        delta_state_fini(&s);
    }
}

static void test_log__names_what_is_not_supported(void)
{
    static const struct { const char *protocol, *configuration, *reads, *writes; } cases[] = {
        { "\"minReaderVersion\":1,\"minWriterVersion\":2", "", NULL, NULL },
        { "\"minReaderVersion\":1,\"minWriterVersion\":4", "\"delta.enableChangeDataFeed\":\"true\"", NULL, NULL },
        { "\"minReaderVersion\":4,\"minWriterVersion\":2", "", "reader version 4", "reader version 4" },
        { "\"minReaderVersion\":1,\"minWriterVersion\":8", "", NULL, "writer version 8" },
        { "\"minReaderVersion\":2,\"minWriterVersion\":5", "\"delta.columnMapping.mode\":\"name\"", "columnMapping", "columnMapping" },
        { "\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],\"writerFeatures\":[\"deletionVectors\"]", "", "deletionVectors", "deletionVectors" },
        { "\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"vacuumProtocolCheck\"],\"writerFeatures\":[\"vacuumProtocolCheck\",\"appendOnly\"]", "", NULL, NULL },
        { "\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"appendOnly\",\"rowTracking\"]", "", NULL, "rowTracking" },
        { "\"minReaderVersion\":1,\"minWriterVersion\":3", "\"delta.constraints.c\":\"a > 0\"", NULL, "checkConstraints" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *t = new_table();
        char text[2000];
        struct delta_state s;
        struct pen_error r = { 0 }, w = { 0 };
        snprintf(text, sizeof text, "{\"protocol\":{%s}}\n{\"metaData\":{\"id\":\"t\",\"schemaString\":\"{}\",\"configuration\":{%s}}}\n", cases[i].protocol, cases[i].configuration);
        write_entry_text(t, 0, text);
        load(&s, t, -1, NULL);
        pen_status reads = delta_check_reader(&s, &r), writes = delta_check_writer(&s, &w);
        ok(cases[i].reads ? reads == PEN_BADCONF && strstr(r.msg, cases[i].reads) : reads == PEN_OK, "reading %s: %s", cases[i].protocol, r.msg);
        ok(cases[i].writes ? writes == PEN_BADCONF && strstr(w.msg, cases[i].writes) : writes == PEN_OK, "appending to %s: %s", cases[i].protocol, w.msg);
        delta_state_fini(&s);
    }
}

static void test_log__follows_and_refreshes(void)
{
    const char *t = new_table();
    struct delta_state s;
    bool jumped;
    write_entry_text(t, 0, PROTOCOL METADATA);
    load(&s, t, -1, NULL);
    write_entry_text(t, 1, "{\"txn\":{\"appId\":\"a\",\"version\":1}}");
    write_entry_text(t, 2, "{\"txn\":{\"appId\":\"a\",\"version\":2}}");
    ok(delta_state_follow(&s, NULL, 1, NULL, NULL) == PEN_OK && s.version == 1, "follows to a version");
    ok(delta_state_follow(&s, NULL, INT64_MAX, NULL, NULL) == PEN_OK && s.version == 2 && s.txns[0].version == 2, "and to the head");
    ok(delta_state_refresh(&s, NULL, NULL, &jumped, NULL) == PEN_OK && !jumped && s.version == 2, "nothing new");
    write_entry_text(t, 3, "{\"txn\":{\"appId\":\"a\",\"version\":3}}");
    ok(delta_state_refresh(&s, NULL, NULL, &jumped, NULL) == PEN_OK && !jumped && s.version == 3, "a new entry");
    char command[600];
    snprintf(command, sizeof command, "rm -f '%s'/_delta_log/*", t);
    ok(system(command) == 0 && delta_state_refresh(&s, NULL, NULL, &jumped, NULL) == PEN_OK && jumped && s.version == -1, "the table is gone");
    delta_state_fini(&s);
    ok(load(&s, "/nowhere/at/all", -1, NULL) == PEN_OK && s.version == -1, "no table at all");
    delta_state_fini(&s);
}

static void test_log__ignores_a_broken_hint(void)
{
    static const char *const hints[] = { "", "{", "{\"version\":7}", "{\"version\":-1}", "[]", "{\"version\":\"x\"}" };
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        const char *t = new_table();
        struct delta_state s;
        write_entry_text(t, 0, PROTOCOL METADATA);
        write_file(t, "_delta_log/_last_checkpoint", hints[i]);
        ok(load(&s, t, -1, NULL) == PEN_OK && s.version == 0, "_last_checkpoint %s", hints[i]);
        delta_state_fini(&s);
    }
}

static void test_log__reads_intervals(void)
{
    static const struct { const char *text; int64_t want; } cases[] = {
        { NULL, 42 }, { "interval 30 days", 2592000000 }, { "interval 1 week", 604800000 }, { "interval 1 day 2 hours", 93600000 }, { "5 minutes", 300000 },
        { "interval 1 month", -1 }, { "interval", -1 }, { "x", -1 }, { "interval -1 days", -1 }, { "interval 0 seconds", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(delta_interval(cases[i].text, 42) == cases[i].want, "%s is %lld ms", cases[i].text ? cases[i].text : "none", (long long)delta_interval(cases[i].text, 42));
}

static void test_json__strings_come_back(void)
{
    static const char *const texts[] = { "", "plain", "\"\\/\b\f\n\r\t\x01", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "{\"a\":1}" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct delta_text t = { 0 };
        struct delta_arena arena = { 0 };
        struct delta_json j;
        delta_text_quote(&t, texts[i]);
        delta_json_init(&j, &arena, t.p, t.n);
        const char *back = delta_json_string(&j);
        ok(back && strcmp(back, texts[i]) == 0 && delta_json_end(&j), "%s", t.p);
        delta_text_fini(&t);
        delta_arena_fini(&arena);
    }
    struct delta_text t = { 0 };
    delta_text_string(&t, "a\xff\xed\xa0\x80z", 6);
    ok(strcmp(t.p, "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"") == 0, "bytes that are no UTF-8 are replaced");
    delta_text_fini(&t);
    struct delta_arena arena = { 0 };
    struct delta_json j;
    delta_json_init(&j, &arena, "\"\\ud83d\\ude00\\ud800\\u00e9\"", 26);
    const char *back = delta_json_string(&j);
    ok(back && strcmp(back, "\xf0\x9f\x98\x80\xef\xbf\xbd\xc3\xa9") == 0, "pairs of surrogates, and a lone one");
    delta_arena_fini(&arena);
}

int main(void)
{
    test_log__adds_up_actions();
    test_log__knows_a_file_by_any_spelling();
    test_log__says_what_is_wrong();
    test_log__names_what_is_not_supported();
    test_log__follows_and_refreshes();
    test_log__ignores_a_broken_hint();
    test_log__reads_intervals();
    test_json__strings_come_back();
    return end_tests();
}
