/* json_test.c - what JSON becomes in columns, rule by rule, on every kernel that this CPU has. SPDX-License-Identifier: Apache-2.0 */
#include "json_harness.h"

#define MAX_RECORD ((size_t)1 << 20)

struct rule {
    const char *want;
    const char *record;
    const char *row; /* the row as JSON and what was nulled, or "! " and the reason's beginning */
};

static const struct rule rules[] = {
    /* whole numbers */
    { "!i:n", "{\"n\":7528}", "{\"n\":7528}\n" },
    { "!i:n", "{\"n\":7528.0}", "{\"n\":7528}\n" },
    { "!i:n", "{\"n\":7.528e3}", "{\"n\":7528}\n" },
    { "!i:n", "{\"n\":75280E-1}", "{\"n\":7528}\n" },
    { "!i:n", "{\"n\":-0}", "{\"n\":0}\n" },
    { "!i:n", "{\"n\":0}", "{\"n\":0}\n" },
    { "!i:n", "{\"n\":123456789 }", "{\"n\":123456789}\n" },
    { "!i:n", "{\"n\":2147483647}", "{\"n\":2147483647}\n" },
    { "!i:n", "{\"n\":-2147483648}", "{\"n\":-2147483648}\n" },
    { "!i:n", "{\"n\":2147483648}", "! field \"n\" is 2147483648, expected a whole number from -2147483648 to 2147483647" },
    { "!i:n", "{\"n\":99999999999999999999}", "! field \"n\" is 99999999999999999999" },
    { "!i:n", "{\"n\":0.00000000000000000001e20}", "{\"n\":1}\n" },
    { "!i:n", "{\"n\":0e999999999999999999999}", "{\"n\":0}\n" },
    { "!i:n", "{\"n\":1e999999999999999999999}", "! field \"n\" is 1e99" },
    { "!i:n", "{\"n\":1e-1}", "! field \"n\" is 1e-1" },
    { "!i:n", "{\"n\":7.5}", "! field \"n\" is 7.5" },
    { "!i:n", "{\"n\":\"7528\"}", "! field \"n\" is \"7528\"" },
    { "!i:n", "{\"n\":null}", "! field \"n\" is missing or null" },
    { "!i:n", "{}", "! field \"n\" is missing or null" },
    { "!i:n", "{\"m\":1}", "! field \"n\" is missing or null" },
    { "i:n u:t", "{\"n\":\"x\",\"t\":\"y\"}", "{\"n\":null,\"t\":\"y\"}\n# n 1\n" },
    { "i:n", "{\"n\":true}", "{\"n\":null}\n# n 1\n" },
    { "i:n", "{\"n\":null}", "{\"n\":null}\n" },
    { "i:n", "{\"n\":[1]}", "{\"n\":null}\n# n 1\n" },
    { "l:n", "{\"n\":9223372036854775807}", "{\"n\":9223372036854775807}\n" },
    { "l:n", "{\"n\":-9223372036854775808}", "{\"n\":-9223372036854775808}\n" },
    { "l:n", "{\"n\":9223372036854775808}", "{\"n\":null}\n# n 1\n" },
    { "l:n", "{\"n\":922337203685477580.7e1}", "{\"n\":9223372036854775807}\n" },
    /* other scalars */
    { "g:x", "{\"x\":0.1}", "{\"x\":0.1}\n" },
    { "g:x", "{\"x\":-71.45}", "{\"x\":-71.45}\n" },
    { "g:x u:pad", "{\"x\":-71.45,\"pad\":\"some more bytes behind\"}", "{\"x\":-71.45,\"pad\":\"some more bytes behind\"}\n" },
    { "g:x u:pad", "{\"x\":123456789012345,\"pad\":\"some more bytes behind\"}", "{\"x\":123456789012345.0,\"pad\":\"some more bytes behind\"}\n" },
    { "g:x u:pad", "{\"x\":0.1234567890123456789,\"pad\":\"some more bytes\"}", "{\"x\":0.12345678901234568,\"pad\":\"some more bytes\"}\n" },
    { "g:x u:pad", "{\"x\":12.5e-3,\"pad\":\"some more bytes behind\"}", "{\"x\":0.0125,\"pad\":\"some more bytes behind\"}\n" },
    { "g:x u:pad", "{\"x\":00.5,\"pad\":\"some more bytes behind\"}", "! not one JSON object in UTF-8: no comma or brace after a value at byte 6" },
    { "g:x u:pad", "{\"x\":1.,\"pad\":\"some more bytes behind\"}", "! not one JSON object in UTF-8: no JSON value at byte 5" },
    { "g:x u:pad", "{\"x\":-,\"pad\":\"some more bytes behind\"}", "! not one JSON object in UTF-8: no JSON value at byte 5" },
    { "g:x", "{\"x\":1e999}", "{\"x\":null}\n# x 1\n" },
    { "g:x", "{\"x\":1e-999}", "{\"x\":0.0}\n" },
    { "g:x", "{\"x\":1.7976931348623158e308}", "{\"x\":1.7976931348623157e308}\n" },
    { "g:x", "{\"x\":1.7976931348623159e308}", "{\"x\":null}\n# x 1\n" },
    { "g:x", "{\"x\":9007199254740993}", "{\"x\":9007199254740992.0}\n" },
    { "g:x", "{\"x\":9007199254740993.0000000000000000000000000000000000000000000001}", "{\"x\":9007199254740994.0}\n" },
    { "g:x", "{\"x\":\"1\"}", "{\"x\":null}\n# x 1\n" },
    { "b:x b:y", "{\"x\":true,\"y\":false}", "{\"x\":true,\"y\":false}\n" },
    { "b:x", "{\"x\":1}", "{\"x\":null}\n# x 1\n" },
    { "b:x", "{\"x\":tru}", "! not one JSON object in UTF-8: no JSON value at byte 5" },
    { "d:10,2:x", "{\"x\":12.34}", "{\"x\":12.34}\n" },
    { "d:10,2:x", "{\"x\":-12.340}", "{\"x\":-12.34}\n" },
    { "d:10,2:x", "{\"x\":1.2e3}", "{\"x\":1200.00}\n" },
    { "d:10,2:x", "{\"x\":12.345}", "{\"x\":null}\n# x 1\n" },
    { "d:10,2:x", "{\"x\":99999999.99}", "{\"x\":99999999.99}\n" },
    { "d:10,2:x", "{\"x\":100000000}", "{\"x\":null}\n# x 1\n" },
    { "d:38,0:x", "{\"x\":-99999999999999999999999999999999999999}", "{\"x\":-99999999999999999999999999999999999999}\n" },
    { "d:38,38:x", "{\"x\":0.00000000000000000000000000000000000001}", "{\"x\":0.00000000000000000000000000000000000001}\n" },
    { "z:x", "{\"x\":\"AP8=\"}", "{\"x\":\"AP8=\"}\n" },
    { "z:x", "{\"x\":\"\"}", "{\"x\":\"\"}\n" },
    { "z:x", "{\"x\":\"AP\\u0038=\"}", "{\"x\":\"AP8=\"}\n" },
    { "z:x", "{\"x\":\"AP8\"}", "{\"x\":null}\n# x 1\n" },
    { "z:x", "{\"x\":\"AP9=\"}", "{\"x\":null}\n# x 1\n" },
    { "z:x", "{\"x\":\"====\"}", "{\"x\":null}\n# x 1\n" },
    { "z:x", "{\"x\":5}", "{\"x\":null}\n# x 1\n" },
    { "tdD:x", "{\"x\":\"2020-02-29\"}", "{\"x\":\"2020-02-29\"}\n" },
    { "tdD:x", "{\"x\":\"2021-02-29\"}", "{\"x\":null}\n# x 1\n" },
    { "tsu:UTC:x", "{\"x\":\"2021-01-05T12:34:56\"}", "{\"x\":\"2021-01-05T12:34:56Z\"}\n" },
    { "tsu:UTC:x", "{\"x\":\"2021-01-05\\u0020\\u0031\\u0032:34:56\"}", "{\"x\":\"2021-01-05T12:34:56Z\"}\n" },
    { "tsu:UTC:x", "{\"x\":1609850096}", "{\"x\":null}\n# x 1\n" },
    /* text */
    { "u:t", "{\"t\":\"\"}", "{\"t\":\"\"}\n" },
    { "u:t", "{\"t\":12.50}", "{\"t\":\"12.50\"}\n" },
    { "u:t", "{\"t\":-1E+5}", "{\"t\":\"-1E+5\"}\n" },
    { "u:t", "{\"t\":true}", "{\"t\":\"true\"}\n" },
    { "u:t", "{\"t\":null}", "{\"t\":null}\n" },
    { "u:t", "{\"t\":[1, \"a\" ]}", "{\"t\":\"[1, \\\"a\\\" ]\"}\n" },
    { "u:t", "{\"t\":{\"a\" :{}}}", "{\"t\":\"{\\\"a\\\" :{}}\"}\n" },
    { "u:t", "{\"t\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"}", "{\"t\":\"\\\"\\\\/\\b\\f\\n\\r\\tA\"}\n" },
    { "u:t", "{\"t\":\"\\u00e9\\u20ac\\ud83d\\uDE00\"}", "{\"t\":\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"}\n" },
    { "u:t", "{\"t\":\"\\ud83d\"}", "{\"t\":\"\xEF\xBF\xBD\"}\n" },
    { "u:t", "{\"t\":\"\\ude00\\ud83d\"}", "{\"t\":\"\xEF\xBF\xBD\xEF\xBF\xBD\"}\n" },
    { "u:t", "{\"t\":\"\\ud83d\\u0041\"}", "{\"t\":\"\xEF\xBF\xBD" "A\"}\n" },
    { "u:t", "{\"t\":\"\\ud83d\\ud83d\\ude00\"}", "{\"t\":\"\xEF\xBF\xBD\xF0\x9F\x98\x80\"}\n" },
    { "u:t", "{\"t\":\"\\u0000\"}", "{\"t\":\"\\u0000\"}\n" },
    { "u:t", "{\"t\":\"\\x41\"}", "! not one JSON object in UTF-8: an escape that JSON does not know at byte 6" },
    { "u:t", "{\"t\":\"\\u12g4\"}", "! not one JSON object in UTF-8: an escape" },
    { "u:t", "{\"t\":\"\\u12", "! not one JSON object in UTF-8: an escape" },
    { "u:t", "{\"t\":\"a\tb\"}", "! not one JSON object in UTF-8: a control character in a string at byte 7" },
    { "u:t", "{\"t\":\"\xC3\xA9\xF0\x9F\x98\x80\"}", "{\"t\":\"\xC3\xA9\xF0\x9F\x98\x80\"}\n" },
    { "u:t", "{\"t\":\"\xC3\"}", "! not one JSON object in UTF-8: bytes that are no UTF-8" },
    { "u:t", "{\"t\":\"\xC3\\u00a9\"}", "! not one JSON object in UTF-8: bytes that are no UTF-8" },
    { "u:t", "{\"t\":\"\xC0\x80\"}", "! not one JSON object in UTF-8: bytes that are no UTF-8" },
    { "u:t", "{\"t\":\"\xED\xA0\x80\"}", "! not one JSON object in UTF-8: bytes that are no UTF-8" },
    { "u:t", "{\"t\":\"\xF4\x90\x80\x80\"}", "! not one JSON object in UTF-8: bytes that are no UTF-8" },
    { "u:t", "{\"t\":\"abc", "! not one JSON object in UTF-8: a string without its end" },
    { "J:t", "{\"t\":\"a\\u0041\"}", "{\"t\":\"\\\"a\\\\u0041\\\"\"}\n" },
    { "J:t", "{\"t\": 1.0 }", "{\"t\":\"1.0\"}\n" },
    { "J:t", "{\"t\":null}", "{\"t\":null}\n" },
    /* fields that nobody asked for */
    { "u:t", "{\"x\":[{\"a\":[[]]},null,1e5,\"\\n\"],\"t\":\"y\",\"z\":{}}", "{\"t\":\"y\"}\n" },
    { "u:t", "{\"x\":01,\"t\":\"y\"}", "! not one JSON object in UTF-8: no comma or brace after a value at byte 6" },
    { "u:t", "{\"x\":[1,],\"t\":\"y\"}", "! not one JSON object in UTF-8: no JSON value at byte 8" },
    { "u:t", "{\"x\":{\"a\":1,},\"t\":\"y\"}", "! not one JSON object in UTF-8: no key at byte 12" },
    { "u:t", "{\"x\":[1}", "! not one JSON object in UTF-8: no comma or bracket after a value" },
    { "u:t", "{\"x\":\"\xFF\",\"t\":\"y\"}", "! not one JSON object in UTF-8: bytes that are no UTF-8" },
    { "u:t", "{\"x\":\"\xC3\\n\",\"t\":\"y\"}", "! not one JSON object in UTF-8: bytes that are no UTF-8" },
    { "u:t", "{\"\xFF\":1,\"t\":\"y\"}", "! not one JSON object in UTF-8: bytes that are no UTF-8" },
    { "u:t", "{\"x\":\"\\q\",\"t\":\"y\"}", "! not one JSON object in UTF-8: an escape" },
    { "u:t", "{\"x\":nul,\"t\":\"y\"}", "! not one JSON object in UTF-8: no JSON value" },
    /* keys */
    { "u:t", "{\"t\":\"a\",\"t\":\"b\"}", "{\"t\":\"b\"}\n" },
    { "u:t", "{\"t\":\"a\",\"\\u0074\":\"b\"}", "{\"t\":\"b\"}\n" },
    { "u:t", "{\"t\":\"a\",\"t\":null}", "{\"t\":null}\n" },
    { "!i:n", "{\"n\":\"x\",\"n\":5}", "{\"n\":5}\n" },
    { "!i:n", "{\"n\":5,\"n\":\"x\"}", "! field \"n\" is \"x\"" },
    { "i:n", "{\"n\":\"x\",\"n\":5}", "{\"n\":5}\n" },
    { "b:n [i]:l", "{\"n\":true,\"l\":[1,2],\"l\":[3],\"n\":false}", "{\"n\":false,\"l\":[3]}\n" },
    { "u:t", "{\"\\u0074x\":\"a\",\"T\":\"b\"}", "{\"t\":null}\n" },
    { "u:\xC3\xA9", "{\"\\u00e9\":\"a\"}", "{\"\xC3\xA9\":\"a\"}\n" },
    { "u:a u:b", "{\"b\":\"1\",\"a\":\"2\"}", "{\"a\":\"2\",\"b\":\"1\"}\n" },
    /* lists and structs */
    { "[g]:c", "{\"c\":[1, 2.5]}", "{\"c\":[1.0,2.5]}\n" },
    { "[g]:c", "{\"c\":[]}", "{\"c\":[]}\n" },
    { "[g]:c", "{\"c\":[1,\"x\",null]}", "{\"c\":[1.0,null,null]}\n# c 1\n" },
    { "[!g]:c", "{\"c\":[1,\"x\"]}", "{\"c\":null}\n# c 1\n" },
    { "![!g]:c", "{\"c\":[1,\"x\"]}", "! field \"c\" is [1,\"x\"], expected a list of what fits" },
    { "[g]:c", "{\"c\":{}}", "{\"c\":null}\n# c 1\n" },
    { "[g]:c", "{\"c\":[1 2]}", "! not one JSON object in UTF-8: no comma or bracket after a value" },
    { "[[i]]:c", "{\"c\":[[1],[],null,[2,3]]}", "{\"c\":[[1],[],null,[2,3]]}\n" },
    { "[[!i]]:c", "{\"c\":[[1],[\"x\"]]}", "{\"c\":[[1],null]}\n# c 1\n" },
    { "{i:a,u:b}:s", "{\"s\":{\"b\":\"x\",\"z\":0,\"a\":1}}", "{\"s\":{\"a\":1,\"b\":\"x\"}}\n" },
    { "{i:a,u:b}:s", "{\"s\":{}}", "{\"s\":{\"a\":null,\"b\":null}}\n" },
    { "{!i:a,u:b}:s i:n", "{\"s\":{\"b\":\"x\"},\"n\":1}", "{\"s\":null,\"n\":1}\n# s 1\n" },
    { "{!i:a,u:b}:s", "{\"s\":{\"a\":\"x\",\"a\":2}}", "{\"s\":{\"a\":2,\"b\":null}}\n# s 1\n" },
    { "{!i:a,u:b}:s", "{\"s\":null}", "{\"s\":null}\n" },
    { "[{!i:a}]:s", "{\"s\":[{\"a\":1},{},{\"a\":3}]}", "{\"s\":[{\"a\":1},null,{\"a\":3}]}\n# s 1\n" },
    { "{i:a}:s", "{\"s\":[]}", "{\"s\":null}\n# s 1\n" },
    /* records */
    { "u:t", " \t\r{ \"t\" : \"a\" } \t\r", "{\"t\":\"a\"}\n" },
    { "u:t", "{ }", "{\"t\":null}\n" },
    { "u:t", "{\"t\":\"a\"}{}", "! not one JSON object in UTF-8: more after the object at byte 9" },
    { "u:t", "{\"t\":\"a\"},", "! not one JSON object in UTF-8: more after the object" },
    { "u:t", "{\"t\":\"a\",}", "! not one JSON object in UTF-8: no key" },
    { "u:t", "{,\"t\":\"a\"}", "! not one JSON object in UTF-8: no key" },
    { "u:t", "{\"t\" \"a\"}", "! not one JSON object in UTF-8: no colon after a key" },
    { "u:t", "{\"t\":}", "! not one JSON object in UTF-8: no JSON value" },
    { "u:t", "{t:1}", "! not one JSON object in UTF-8: no key" },
    { "u:t", "{\"t\":\"a\"", "! not one JSON object in UTF-8: no comma or brace after a value" },
    { "u:t", "{", "! not one JSON object in UTF-8: no key" },
    { "u:t", "null", "! not one JSON object in UTF-8: no JSON object at byte 0" },
    { "u:t", "[]", "! not one JSON object in UTF-8: no JSON object at byte 0" },
    { "u:t", "\"t\"", "! not one JSON object in UTF-8: no JSON object at byte 0" },
    { "u:t", "\xEF\xBB\xBF{}", "! not one JSON object in UTF-8: no JSON object at byte 0" },
};

static void each_kernel(void (*test)(const char *kernel))
{
    size_t n;
    const struct pen_json_kernel *const *all = pen_json_kernels(&n);
    for (size_t i = 0; i < n; i++)
        if (all[i]->usable())
            test(all[i]->name);
        else
            skip(all[i]->name, "this CPU lacks it");
}

/* Whether what came is what the rule says: all of it, or for a rejection its beginning. */
static bool rule_holds(const struct rule *r, const struct pen_text *t)
{
    size_t n = strlen(r->row);
    bool good = r->row[0] == '!' ? t->n >= n && memcmp(t->bytes, r->row, n) == 0 : text_equals(t, r->row);
    if (!good)
        printf("# got  %.*s# want %s\n", (int)t->n, t->bytes ? t->bytes : "", r->row);
    return good;
}

/* Each rule as a message and as a line between two good ones. */
static void test_decode__rules(const char *kernel)
{
    struct pen_text t = { 0 };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        struct ArrowSchema want;
        struct pen_intake *in;
        bool message, line;
        size_t n = strlen(r->record), took;
        char *exact = malloc(n + 1), *lines = malloc(n + 3); /* of exact size, so that reading beyond is seen */
        want_init(&want, r->want);
        in = intake_on(kernel, &want, MAX_RECORD);
        memcpy(exact, r->record, n);
        message_text(in, &want, exact, n, &t);
        message = rule_holds(r, &t);
        memcpy(lines, " \n", 2);
        memcpy(lines + 2, r->record, n);
        lines[n + 2] = '\n';
        pen_intake_begin(in);
        took = pen_intake_lines(in, lines, n + 3, false, 100, 10);
        line = took == n + 3 && pen_intake_rows(in) == 1;
        taken_text(in, &want, &t);
        line = rule_holds(r, &t) && line;
        ok(message && line, "%s: %s into %s", kernel, r->record, r->want);
        free(exact);
        free(lines);
        pen_intake_free(&in);
        pen_schema_release(&want);
    }
    pen_text_fini(&t);
}

/* -- lines ------------------------------------------------------------------------------------------------------------------ */

static void test_lines__positions_ordinals_and_what_is_left(const char *kernel)
{
    static const char text[] = "{\"n\":1}\n\n  \r\n{\"n\":\n{\"n\":3}\r\nnull\n{\"n\":5}\n{\"n\":6}";
    static const uint64_t at[] = { 1000, 1019, 1033 };
    struct ArrowSchema want;
    struct ArrowArray out;
    struct pen_intake *in;
    const struct pen_rejected *r;
    const uint64_t *positions;
    size_t n;
    want_init(&want, "!i:n");
    in = intake_on(kernel, &want, MAX_RECORD);
    pen_intake_begin(in);
    ok(pen_intake_lines(in, text, 4, false, 1000, 100) == 0, "%s: no line ends, none is taken", kernel);
    ok(pen_intake_lines(in, text, sizeof text - 1, false, 1000, 100) == 41, "%s: the last line without its newline is left", kernel);
    ok(pen_intake_rows(in) == 5, "%s: blank lines are no records", kernel);
    ok(pen_intake_finish(in, &out, NULL) == PEN_OK && out.length == 3, "%s: three rows", kernel);
    positions = pen_intake_positions(in, 0);
    ok(memcmp(positions, at, sizeof at) == 0, "%s: at their lines' first bytes", kernel);
    r = pen_intake_rejected(in, &n);
    ok(n == 2 && r[0].position == 1013 && r[0].ordinal == 1 && r[0].n == 5 && memcmp(r[0].bytes, "{\"n\":", 5) == 0 && r[0].length == 5 &&
           r[1].position == 1028 && r[1].ordinal == 3 && r[1].n == 4 && r[1].target == 0,
       "%s: two rejected, with position, ordinal and bytes", kernel);
    pen_array_release(&out);
    pen_intake_begin(in);
    ok(pen_intake_lines(in, text + 41, sizeof text - 1 - 41, true, 1041, 100) == 7, "%s: at the end it is taken", kernel);
    ok(pen_intake_finish(in, &out, NULL) == PEN_OK && out.length == 1 && *pen_intake_positions(in, 0) == 1041, "%s: as a row", kernel);
    pen_array_release(&out);
    pen_intake_begin(in);
    ok(pen_intake_lines(in, text, sizeof text - 1, true, 0, 2) == 19, "%s: no more than max_rows records", kernel);
    ok(pen_intake_finish(in, &out, NULL) == PEN_OK && out.length == 1, "%s: of which one was bad", kernel);
    pen_array_release(&out);
    pen_intake_free(&in);
    pen_schema_release(&want);
}

static void test_lines__longer_than_max_record(const char *kernel)
{
    struct ArrowSchema want;
    struct ArrowArray out[2];
    struct pen_intake *in = NULL;
    const struct ArrowSchema *wants[2] = { NULL, NULL };
    const struct pen_rejected *r;
    size_t n, size = 200000;
    char *text = malloc(size + 32);
    memset(text, 'x', size + 32);
    memcpy(text, "{\"t\":\"", 6);
    memcpy(text + size - 2, "\"}\n{\"t\":\"b\"}\n", 13);
    want_init(&want, "u:t");
    wants[0] = &want;
    setenv("PENSTOCK_JSON", kernel, 1);
    pen_intake_new(&in, wants, 2, 100000, NULL);
    unsetenv("PENSTOCK_JSON");
    pen_intake_begin(in);
    ok(pen_intake_lines(in, text, size + 11, false, 0, 100) == size + 11 && pen_intake_rows(in) == 2, "%s: a long and a short line", kernel);
    pen_intake_overlong(in, text, size, UINT64_C(5000000000), 77);
    pen_intake_reject(in, "a,b", 3, 78, "line %d: %s", 9, "three\ncolumns");
    ok(pen_intake_finish(in, out, NULL) == PEN_OK && out[0].length == 1 && out[1].length == 1, "%s: one row in columns and raw", kernel);
    r = pen_intake_rejected(in, &n);
    ok(n == 4 && r[0].length == size && r[0].n == 65536 && r[0].target == 0 && r[1].target == 1, "%s: the long one kept in part", kernel);
    ok(n == 4 && r[2].length == UINT64_C(5000000000) && r[2].target == UINT32_MAX && r[2].ordinal == 2 && r[2].position == 77,
       "%s: what the source found overlong", kernel);
    ok(n == 4 && strcmp(r[3].reason, "line 9: three\\ncolumns") == 0 && r[3].n == 3 && r[3].ordinal == 3, "%s: what it rejected", kernel);
    pen_array_release(&out[0]);
    pen_array_release(&out[1]);
    pen_intake_free(&in);
    pen_schema_release(&want);
    free(text);
}

static void test_messages__raw_and_tombstones(const char *kernel)
{
    static const struct pen_header headers[] = { { "h", "v", 1 }, { "null", NULL, 0 } };
    struct pen_message m = { .key = "k", .key_size = 1, .value = "{\"n\":1}", .value_size = 7, .timestamp = 0, .partition = "0", .offset = 5,
                             .headers = headers, .n_headers = 2, .position = 5 };
    struct ArrowSchema want, raw;
    struct ArrowArray out[2];
    const struct ArrowSchema *wants[2] = { &want, NULL };
    struct pen_intake *in = NULL;
    const struct pen_rejected *r;
    struct pen_text t = { 0 };
    size_t n;
    want_init(&want, "i:n");
    pen_schema_raw(&raw, NULL);
    pen_intake_new(&in, wants, 2, MAX_RECORD, NULL);
    pen_intake_begin(in);
    pen_intake_message(in, &m);
    m.key = NULL, m.value = NULL, m.value_size = 0, m.timestamp = INT64_MIN, m.partition = NULL, m.offset = -1, m.n_headers = 0, m.position = 6;
    pen_intake_message(in, &m);
    m.value = "", m.position = 7;
    pen_intake_message(in, &m);
    ok(pen_intake_finish(in, out, NULL) == PEN_OK && out[0].length == 1 && out[1].length == 3, "%s: raw takes all, columns what decodes", kernel);
    ok(pen_array_check(&raw, &out[1], NULL) == PEN_OK, "%s: the raw batch passes the check", kernel);
    pen_json_encode_row(&t, &raw, &out[1], 0, NULL);
    ok(text_equals(&t, "{\"key\":\"aw==\",\"value\":\"eyJuIjoxfQ==\",\"timestamp\":\"1970-01-01T00:00:00Z\",\"partition\":\"0\",\"offset\":5,"
                       "\"headers\":[{\"name\":\"h\",\"value\":\"dg==\"},{\"name\":\"null\",\"value\":null}]}"),
       "%s: a message with everything", kernel);
    pen_text_clear(&t);
    pen_json_encode_row(&t, &raw, &out[1], 1, NULL);
    ok(text_equals(&t, "{\"key\":null,\"value\":null,\"timestamp\":null,\"partition\":null,\"offset\":null,\"headers\":null}"),
       "%s: and one with nothing", kernel);
    r = pen_intake_rejected(in, &n);
    ok(n == 2 && r[0].position == 6 && strstr(r[0].reason, "tombstone") && r[1].position == 7, "%s: no value and no JSON are rejected", kernel);
    pen_text_fini(&t);
    pen_array_release(&out[0]);
    pen_array_release(&out[1]);
    pen_intake_free(&in);
    pen_schema_release(&raw);
    pen_schema_release(&want);
}

/* Depth 512 is the deepest; the record itself is 1. */
static void test_decode__nesting(const char *kernel)
{
    static const struct { const char *want; int depth; bool good; } cases[] = {
        { "u:t", 511, true }, { "u:t", 512, false }, { "u:other", 511, true }, { "u:other", 512, false }, { "u:t", 100000, false },
        { "[[[u]]]:t", 511, true }, { "[[[u]]]:t", 512, false },
    };
    struct pen_text t = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t depth = (size_t)cases[i].depth;
        char *text = malloc(2 * depth + 8);
        struct ArrowSchema want;
        struct pen_intake *in;
        memcpy(text, "{\"t\":", 5);
        memset(text + 5, '[', depth);
        memset(text + 5 + depth, ']', depth);
        text[5 + 2 * depth] = '}';
        want_init(&want, cases[i].want);
        in = intake_on(kernel, &want, MAX_RECORD);
        message_text(in, &want, text, 6 + 2 * depth, &t);
        ok((t.n > 0 && t.bytes[0] == '{') == cases[i].good, "%s: %d lists in %s", kernel, cases[i].depth, cases[i].want);
        pen_intake_free(&in);
        pen_schema_release(&want);
        free(text);
    }
    pen_text_fini(&t);
}

int main(void)
{
    each_kernel(test_decode__rules);
    each_kernel(test_lines__positions_ordinals_and_what_is_left);
    each_kernel(test_lines__longer_than_max_record);
    each_kernel(test_messages__raw_and_tombstones);
    each_kernel(test_decode__nesting);
    return done_testing();
}
