/* parts_test.c - what needs no service: sequence numbers, the order of a key under refusals, answers as documented and not.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "batcher.h"
#include "message.h"
#include "tests/tap.h"

/* -- sequence numbers ------------------------------------------------------------------------------------------------------------------ */

static void test_sequence__is_decimal_and_three_words(void)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t w[3];
    } cases[] = {
        { "0", true, { 0, 0, 0 } },
        { "18446744073709551615", true, { 0, 0, UINT64_MAX } },
        { "18446744073709551616", true, { 0, 1, 0 } },
        { "340282366920938463463374607431768211456", true, { 1, 0, 0 } },
        { "49590338271490256608559692538361571095921575989136588898", true, { 0x205bf4e5c260000u, 0x67648a170005u, 0xc181eea000000062u } },
        { "99999999999999999999999999999999999999999999999999999999", true, { 0x4140c78940f6a24u, 0xfdffc78873d4490du, 0x20ffffffffffffffu } },
        { "100000000000000000000000000000000000000000000000000000000", false, { 0, 0, 0 } },
        { "", false, { 0, 0, 0 } },
        { "007", false, { 0, 0, 0 } },
        { "-1", false, { 0, 0, 0 } },
        { "1e5", false, { 0, 0, 0 } },
        { " 1", false, { 0, 0, 0 } },
        { "1 ", false, { 0, 0, 0 } },
        { "LATEST", false, { 0, 0, 0 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seq s = { { 7, 7, 7 } };
        char back[SEQ_TEXT] = "";
        bool good = seq_parse(cases[i].text, &s);
        bool right = good == cases[i].good && (!good || strcmp(seq_format(back, &s), cases[i].text) == 0) && (good || s.w[1] == 7);
        ok(right && (!good || memcmp(s.w, cases[i].w, sizeof s.w) == 0), "sequence number \"%s\" is %s", cases[i].text,
           good ? "taken, and written as it was" : "refused");
    }
}

static void test_sequence__neighbours_and_order(void)
{
    struct seq a = { { 0, UINT64_MAX, UINT64_MAX } }, b = seq_next(a);
    ok(b.w[0] == 1 && b.w[1] == 0 && b.w[2] == 0 && seq_compare(&a, &b) < 0, "the next number carries over words, and is greater");
    b = seq_previous(b);
    ok(seq_compare(&a, &b) == 0, "and the previous one borrows");
}

/* -- batches -------------------------------------------------------------------------------------------------------------------------------- */

struct world {
    struct batcher b;
    unsigned random;
    uint32_t stored[5000], n_stored;
    uint32_t flying[4][500];
    size_t n_flying[4];
};

static unsigned draw(struct world *w, unsigned below)
{
    w->random = w->random * 1103515245u + 12345u;
    return (w->random >> 8) % below;
}

static const char *const keys[] = { "a", "b", "c", "d", "e", "f", "g", "h", "aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh" };

static void add(struct world *w, uint32_t number, bool in_order)
{
    struct batcher_record r = { .value = "x", .value_n = 1, .owner = number };
    unsigned k = draw(w, 17);
    if (k < 16) {
        r.key = keys[k];
        r.key_n = (uint32_t)strlen(keys[k]);
    }
    if (!batcher_add(&w->b, &r, in_order))
        abort();
}

/* One answer comes: each record of that call is stored, or refused with the given odds. */
static void answer(struct world *w, unsigned call, unsigned odds)
{
    for (size_t i = 0; i < w->n_flying[call]; i++) {
        uint32_t at = w->flying[call][i];
        if (draw(w, 100) < odds) {
            batcher_again(&w->b, at);
        } else {
            w->stored[w->n_stored++] = w->b.v[at].owner;
            batcher_done(&w->b, at);
        }
    }
    w->n_flying[call] = 0;
}

static bool order_of_keys_held(const struct world *w)
{
    uint32_t last[16];
    bool held = true;
    memset(last, 0, sizeof last);
    for (uint32_t i = 0; i < w->n_stored; i++) {
        const struct batcher_record *r = &w->b.v[w->stored[i]];
        for (unsigned k = 0; r->key && k < 16; k++)
            if (r->key == keys[k]) {
                held = held && w->stored[i] + 1 > last[k];
                last[k] = w->stored[i] + 1;
            }
    }
    return held;
}

static void run(struct world *w, bool in_order, unsigned odds)
{
    uint32_t made = 0;
    while (made < 5000 || w->b.left) {
        unsigned call = draw(w, 4);
        for (unsigned n = draw(w, 200); n && made < 5000; n--)
            add(w, made++, in_order);
        if (w->n_flying[call])
            answer(w, call, odds);
        else
            w->n_flying[call] = batcher_take(&w->b, w->flying[call], 1 + draw(w, 500), 1u << 20);
    }
}

static void test_batcher__keeps_the_order_of_each_key(void)
{
    for (unsigned odds = 0; odds <= 90; odds += 30) {
        struct world *w = calloc(1, sizeof *w);
        if (!w)
            abort();
        w->random = odds + 1;
        run(w, true, odds);
        ok(w->n_stored == 5000 && order_of_keys_held(w), "each record is stored once, and those of a key in order, with %u %% refused", odds);
        ok(w->b.slots_used == 0, "and no chain is left");
        batcher_clear(&w->b);
        w->n_stored = 0;
        run(w, false, odds);
        ok(w->n_stored == 5000, "without an order each is stored once too");
        batcher_fini(&w->b);
        free(w);
    }
}

static void test_batcher__keeps_calls_small(void)
{
    struct batcher b = { 0 };
    uint32_t out[10];
    struct batcher_record r = { .value = "x", .value_n = 600 };
    for (int i = 0; i < 5; i++) {
        r.tag = i >= 4;
        if (!batcher_add(&b, &r, true))
            abort();
    }
    ok(batcher_take(&b, out, 10, 100) == 1, "a record larger than all that a call is to hold goes alone");
    ok(batcher_take(&b, out, 10, 1200) == 2 && batcher_take(&b, out, 10, 100000) == 1 && batcher_take(&b, out, 10, 100000) == 1,
       "bytes and the stream end a call");
    ok(batcher_take(&b, out, 10, 100000) == 0 && b.left == 5, "what is under way is not taken again");
    batcher_fini(&b);
}

/* -- answers ---------------------------------------------------------------------------------------------------------------------------------- */

#define RECORD(seq, data) "{\"SequenceNumber\":\"" seq "\",\"Data\":\"" data "\",\"PartitionKey\":\"k\",\"ApproximateArrivalTimestamp\":1.5e9}"

static void test_answers__of_get_records(void)
{
    static const struct {
        const char *text;
        int rows; /* -1: refused */
    } cases[] = {
        { "{\"Records\":[],\"NextShardIterator\":\"x\",\"MillisBehindLatest\":0}", 0 },
        { "{\"Records\":[" RECORD("5", "aGk=") "," RECORD("6", "") "],\"NextShardIterator\":null}", 2 },
        { "{\"Records\":[" RECORD("6", "aGk=") "," RECORD("5", "aGk=") "]}", -1 },
        { "{\"Records\":[" RECORD("5", "aGk=") "," RECORD("5", "aGk=") "]}", -1 },
        { "{\"Records\":[" RECORD("0", "aGk=") "]}", -1 },
        { "{\"Records\":[" RECORD("05", "aGk=") "]}", -1 },
        { "{\"Records\":[" RECORD("5", "aGk") "]}", -1 },
        { "{\"Records\":[" RECORD("5", "a*k=") "]}", -1 },
        { "{\"Records\":[" RECORD("5", "aGl=") "]}", -1 },
        { "{\"Records\":[" RECORD("5", "====") "]}", -1 },
        { "{\"Records\":[{\"SequenceNumber\":5,\"Data\":\"\"}]}", -1 },
        { "{\"Records\":[7]}", -1 },
        { "{\"Records\":{}}", -1 },
        { "{\"Records\":[],\"MillisBehindLatest\":-1}", -1 },
        { "{\"Records\":[],\"MillisBehindLatest\":1e300}", -1 },
        { "{\"Records\":[]", -1 },
        { "[]", -1 },
        { "", -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kin_records r;
        struct pen_error err = { 0 };
        pen_status st = kin_parse_records(cases[i].text, strlen(cases[i].text), &r, &err);
        ok(cases[i].rows < 0 ? st == PEN_BADDATA && err.msg[0] : st == PEN_OK && r.n == (size_t)cases[i].rows, "GetRecords %s %s", cases[i].text,
           cases[i].rows < 0 ? "is refused" : "is taken");
        kin_records_fini(&r);
    }
}

static void test_answers__bytes_are_exact(void)
{
    const char text[] = "{\"Records\":[{\"SequenceNumber\":\"1\",\"Data\":\"AP/+AQo=\",\"PartitionKey\":\"\\u00e9\\\"\\n\",\"ApproximateArrivalTimestamp\":"
                        "1700000000.123}],\"NextShardIterator\":\"i\",\"MillisBehindLatest\":12}";
    struct kin_records r;
    struct pen_error err = { 0 };
    ok(kin_parse_records(text, sizeof text - 1, &r, &err) == PEN_OK && r.n == 1 && r.v[0].data_n == 5 && !memcmp(r.v[0].data, "\0\xff\xfe\1\n", 5),
       "data is decoded");
    ok(r.v[0].key_n == 4 && !memcmp(r.v[0].key, "\xc3\xa9\"\n", 4), "so is the key");
    ok(r.v[0].arrival == INT64_C(1700000000123000) && r.behind == 12 && !strcmp(r.next, "i"), "and the numbers around it");
    kin_records_fini(&r);
}

static void test_answers__of_the_others(void)
{
    struct pen_error err = { 0 };
    struct kin_shards list = { 0 };
    struct kin_summary summary;
    struct kin_put put[2];
    char *next, message[100];
    const char shards[] = "{\"Shards\":[{\"ShardId\":\"shardId-000000000002\",\"ParentShardId\":\"shardId-000000000000\",\"HashKeyRange\":{"
                          "\"StartingHashKey\":\"0\",\"EndingHashKey\":\"9\"},\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"7\","
                          "\"EndingSequenceNumber\":\"9\"}}],\"NextToken\":\"t\"}";
    const char bad_shards[] = "{\"Shards\":[{\"ShardId\":\"a\\\"b\",\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"7\"}}]}";
    const char described[] = "{\"StreamDescriptionSummary\":{\"StreamStatus\":\"ACTIVE\",\"StreamCreationTimestamp\":1.7e9,\"RetentionPeriodHours\":48}}";
    const char puts[] = "{\"FailedRecordCount\":1,\"Records\":[{\"SequenceNumber\":\"12\",\"ShardId\":\"shardId-000000000001\"},"
                        "{\"ErrorCode\":\"InternalFailure\",\"ErrorMessage\":\"no\"}]}";
    ok(kin_parse_shards(shards, sizeof shards - 1, &list, &next, &err) == PEN_OK && list.n == 1 && list.v[0].closed && list.v[0].last.w[2] == 9 &&
           !strcmp(list.v[0].parents[0], "shardId-000000000000") && next && !strcmp(next, "t"),
       "shards have parents and ranges");
    free(next);
    ok(kin_parse_shards(bad_shards, sizeof bad_shards - 1, &list, &next, &err) == PEN_BADDATA && !next, "a name that would break a request is refused");
    free(list.v);
    ok(kin_parse_summary(described, sizeof described - 1, &summary, &err) == PEN_OK && summary.retention == 48 && summary.record_size == 1 << 20 &&
           summary.created == INT64_C(1700000000000),
       "a summary has what it has, and defaults");
    ok(kin_parse_put(puts, sizeof puts - 1, put, 2, message, sizeof message, &err) == PEN_OK && put[0].stored && put[0].seq.w[2] == 12 &&
           !put[1].stored && !strcmp(put[1].error, "InternalFailure") && !strcmp(message, "InternalFailure: no"),
       "each record that was put has its own answer");
    err = (struct pen_error){ 0 };
    ok(kin_parse_put(puts, sizeof puts - 1, put, 1, message, sizeof message, &err) == PEN_BADDATA, "another number of answers than of records is refused");
}

int main(void)
{
    test_sequence__is_decimal_and_three_words();
    test_sequence__neighbours_and_order();
    test_batcher__keeps_the_order_of_each_key();
    test_batcher__keeps_calls_small();
    test_answers__of_get_records();
    test_answers__bytes_are_exact();
    test_answers__of_the_others();
    return done_testing();
}
