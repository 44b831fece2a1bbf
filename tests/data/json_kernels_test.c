/* json_kernels_test.c - every kernel gives the same columns and the same rejections, for records of any length at the end of a mapped page and
 * for damaged and random ones. The portable kernel is the measure. SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sys/mman.h>
#include <unistd.h>

#include "json_harness.h"

#define MAX_RECORD ((size_t)1 << 20)
#define WANT "i:i u:t g:x [u]:l J:j {i:a,u:b}:s tsu:UTC:w z:y b:f"

static uint64_t seed = 1;

static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((seed >> 33) % n);
}

/* Memory whose end is the end of a page with nothing behind it. */
struct edge {
    char *base, *end;
    size_t size;
};

static bool edge_init(struct edge *e, size_t need)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (need + page - 1) / page * page;
    e->size = size + page;
    e->base = mmap(NULL, e->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (e->base == MAP_FAILED)
        return false;
    e->end = e->base + size;
    return mprotect(e->end, page, PROT_NONE) == 0;
}

struct kernels {
    struct ArrowSchema want;
    struct pen_intake *in[4];
    const char *names[4];
    size_t n;
    struct pen_text text, measure;
    struct edge edge;
};

static void kernels_init(struct kernels *k)
{
    size_t n;
    const struct pen_json_kernel *const *all = pen_json_kernels(&n);
    memset(k, 0, sizeof *k);
    want_init(&k->want, WANT);
    for (size_t i = n; i-- > 0;) /* the portable one first */
        if (all[i]->usable()) {
            k->names[k->n] = all[i]->name;
            k->in[k->n++] = intake_on(all[i]->name, &k->want, MAX_RECORD);
        }
    if (!edge_init(&k->edge, 1 << 16))
        exit(1);
}

static void kernels_fini(struct kernels *k)
{
    for (size_t i = 0; i < k->n; i++)
        pen_intake_free(&k->in[i]);
    pen_schema_release(&k->want);
    pen_text_fini(&k->text);
    pen_text_fini(&k->measure);
    munmap(k->edge.base, k->edge.size);
}

/* Feeds the bytes, which are to end at the page's end, to all kernels, as a message or as lines. The name of one that differs, or NULL. */
static const char *differs(struct kernels *k, const char *bytes, size_t n, bool lines)
{
    char *at = k->edge.end - n;
    memcpy(at, bytes, n);
    for (size_t i = 0; i < k->n; i++) {
        struct pen_text *t = i == 0 ? &k->measure : &k->text;
        if (lines) {
            pen_intake_begin(k->in[i]);
            pen_intake_lines(k->in[i], at, n, true, 0, INT64_MAX);
            taken_text(k->in[i], &k->want, t);
        } else {
            message_text(k->in[i], &k->want, at, n, t);
        }
        if (t->n != k->measure.n || memcmp(t->bytes, k->measure.bytes, t->n) != 0) {
            printf("# %.*s\n# %s: %.*s# %s: %.*s", (int)n, bytes, k->names[0], (int)k->measure.n, k->measure.bytes, k->names[i], (int)t->n, t->bytes);
            return k->names[i];
        }
    }
    return NULL;
}

/* Strings of each length with something in them at each place, cut anywhere. */
static void test_kernels__every_length_and_place(struct kernels *k)
{
    static const char *const odd[] = { "x", "\\n", "\\u20ac", "\\ud83d\\ude00", "\xC3\xA9", "\xF0\x9F\x98\x80", "\xFF", "\x01", "\\", "\"" };
    static const char *const keys[] = { "t", "j", "nobody" };
    int different = 0, accepted = 0;
    for (size_t key = 0; key < 3; key++)
        for (size_t o = 0; o < sizeof odd / sizeof *odd; o++)
            for (unsigned length = 0; length <= 200; length++) {
                unsigned place = length ? below(length + 1) : 0;
                char text[600];
                int n = snprintf(text, sizeof text, "{\"%s\":\"%.*s%s%.*s\"}", keys[key], (int)place,
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                 odd[o], (int)(length - place),
                                 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
                                 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc");
                different += differs(k, text, (size_t)n, false) != NULL;
                accepted += k->measure.bytes[0] == '{';
                different += differs(k, text, below((unsigned)n), length & 1) != NULL;
            }
    ok(different == 0, "strings of length 0 to 200 with anything in them");
    ok(accepted == 3 * 201 * 6, "all of those that are JSON are taken (%d)", accepted);
}

static const char *const seeds[] = {
    "{\"i\": 1, \"t\": \"text of some length, so that it takes a block or two of any kernel, and then some more\", \"x\": 1.5e3}",
    "{\"i\":-5,\"t\":\"caf\xC3\xA9 \\u00e9 \\ud83d\\ude00\",\"l\":[\"a\",null,\"bcd\"],\"j\":{\"k\":[1,2,{\"z\":\"\\\"\"}]},\"s\":{\"a\":1,\"b\":\"two\"}}",
    "{\"w\":\"2021-01-05T12:34:56.789Z\",\"y\":\"AAEC\",\"f\":true,\"nobody\":[[],{},\"\",0,-0.0e+0],\"t\":null}",
    "{ \"t\" : \"spaced\" ,\t\"i\" : 2147483648 , \"x\" : 1e400 , \"f\" : 0 , \"w\" : \"2021-02-30T00:00:00\" }",
    "{\"i\": 1, \"t\": \"again\", \"t\": \"and again\", \"\\u0069\": 7}",
};

/* One of the seeds with a few bytes changed, removed, doubled or swapped in from another. */
static size_t damaged(char *out, size_t size)
{
    static const char spice[] = "\"\\{}[]:,0-.eE \n\t\r\x00\x1F\x7F\x80\xBF\xC3\xE2\xED\xF0\xFFtfnu";
    const char *s = seeds[below(sizeof seeds / sizeof *seeds)];
    size_t n = strlen(s);
    memcpy(out, s, n);
    for (unsigned changes = below(4); changes > 0 && n > 2; changes--) {
        size_t at = below((unsigned)n), len = 1 + below(8);
        len = len > n - at ? n - at : len;
        switch (below(4)) {
        case 0: out[at] = spice[below(sizeof spice - 1)]; break;
        case 1: memmove(out + at, out + at + len, n - at - len); n -= len; break;
        case 2:
            if (n + len < size) {
                memmove(out + at + len, out + at, n - at);
                n += len;
            }
            break;
        default: memcpy(out + at, spice + below(20), len); break;
        }
    }
    return n;
}

static void test_kernels__damaged_records(struct kernels *k)
{
    char text[2000];
    int different = 0, rows = 0;
    for (int i = 0; i < 30000; i++) {
        size_t n = damaged(text, sizeof text / 2);
        different += differs(k, text, n, false) != NULL;
        rows += k->measure.bytes[0] == '{';
    }
    ok(different == 0, "30000 damaged records");
    ok(rows > 3000 && rows < 27000, "of which some are still good (%d)", rows);
    different = 0;
    for (int i = 0; i < 3000; i++) { /* what one record teaches about the next one's keys must not show */
        size_t n = 0;
        while (n < 4000) {
            n += damaged(k->edge.base + n, 1000);
            k->edge.base[n++] = '\n';
        }
        memcpy(k->edge.base + 8192, k->edge.base, n);
        different += differs(k, k->edge.base + 8192, n, true) != NULL;
    }
    ok(different == 0, "lines of them");
}

/* The keys of records in turn: none, one, all, in every order; the answer must not hang on the record before. */
static void test_kernels__foretold_keys_change_nothing(struct kernels *k)
{
    static const char *const fields[] = { "\"i\":%s1", "\"t\":%s\"x\"", "\"nobody\":%s[1]", "\"x\" :%s2.5", "\"f\":%strue" };
    int bad = 0;
    for (int i = 0; i < 5000; i++) {
        char text[400] = "{", want[400];
        bool has[5] = { false };
        unsigned n = below(6);
        for (unsigned f = 0; f < n; f++) {
            unsigned which = below(5);
            if (has[which])
                continue;
            strcat(text, text[1] ? below(2) ? "," : " , " : "");
            snprintf(text + strlen(text), 100, fields[which], &"  "[below(3)]);
            strcat(text, below(4) ? "" : " ");
            has[which] = true;
        }
        strcat(text, "}");
        snprintf(want, sizeof want, "{\"i\":%s,\"t\":%s,\"x\":%s,\"l\":null,\"j\":null,\"s\":null,\"w\":null,\"y\":null,\"f\":%s}\n",
                 has[0] ? "1" : "null", has[1] ? "\"x\"" : "null", has[3] ? "2.5" : "null", has[4] ? "true" : "null");
        bad += differs(k, text, strlen(text), i & 1) != NULL || !text_equals(&k->measure, want);
    }
    ok(bad == 0, "5000 records with their keys in any order");
}

/* Bad objects whose parts were all seen in good ones. */
static void test_kernels__foretold_keys_admit_nothing(struct kernels *k)
{
    static const char *const good[] = { "{\"i\":1,\"t\":\"x\",\"f\":true}", "{\"t\":\"x\",\"i\":1}", "{\"f\":true , \"t\": \"x\"}" };
    static const char *const bad[] = {
        "{,\"i\":1}", "{,\"t\":\"x\",\"f\":true}", "{\"i\":1\"t\":\"x\"}", "{\"i\":1\"i\":1}", "{\"i\":1 \"t\":\"x\"}", "{\"i\":1,,\"t\":\"x\"}",
        "{\"i\":1,\"t\":\"x\",}", "{\"i\":,\"t\":\"x\"}", "{\"i\":1,\"t\":,\"f\":true}", "{\"f\":true\"f\":true}", "{\"i\":1,\"t\":\"x\"",
    };
    int wrong = 0;
    for (int round = 0; round < 400; round++)
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
            const char *g = good[below(3)];
            wrong += differs(k, g, strlen(g), true) != NULL || k->measure.bytes[0] != '{';
            wrong += differs(k, bad[b], strlen(bad[b]), round & 1) != NULL || k->measure.bytes[0] != '!';
        }
    ok(wrong == 0, "what good objects taught admits no bad one");
}

/* Text that outgrows its column's buffer while it is copied, with every way of copying in it. */
static void test_kernels__long_text(struct kernels *k)
{
    static const struct { const char *sent, *stands; } parts[] = {
        { "plain text of some length. ", "plain text of some length. " }, { "\\u20ac", "\xE2\x82\xAC" }, { "\xC3\xA9\xC3\xA9", "\xC3\xA9\xC3\xA9" },
        { "\\/\\/", "//" }, { "x", "x" },
    };
    int wrong = 0;
    for (int round = 0; round < 200; round++) {
        static char text[1 << 16], want[1 << 17];
        size_t n = (size_t)snprintf(text, sizeof text, "{\"t\":\""), goal = 500 + below(50000);
        size_t w = (size_t)snprintf(want, sizeof want, "{\"i\":null,\"t\":\"");
        unsigned kinds = 1 + below(5);
        while (n < goal) {
            size_t part = below(kinds);
            n += (size_t)snprintf(text + n, 100, "%s", parts[part].sent);
            w += (size_t)snprintf(want + w, 100, "%s", parts[part].stands);
        }
        n += (size_t)snprintf(text + n, 100, "\"}");
        snprintf(want + w, 200, "\",\"x\":null,\"l\":null,\"j\":null,\"s\":null,\"w\":null,\"y\":null,\"f\":null}\n");
        kernels_fini(k); /* fresh builders, which grow */
        kernels_init(k);
        wrong += differs(k, text, n, round & 1) != NULL || !text_equals(&k->measure, want);
    }
    ok(wrong == 0, "long texts come out whole");
}

int main(void)
{
    struct kernels k;
    kernels_init(&k);
    for (size_t i = 0; i < k.n; i++)
        printf("# kernel %s\n", k.names[i]);
    test_kernels__every_length_and_place(&k);
    test_kernels__damaged_records(&k);
    test_kernels__foretold_keys_change_nothing(&k);
    test_kernels__foretold_keys_admit_nothing(&k);
    test_kernels__long_text(&k);
    kernels_fini(&k);
    return done_testing();
}
