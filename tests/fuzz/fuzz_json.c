/* fuzz_json.c - JSON records: every kernel gives what the portable one gives, as a message and as lines; and cJSON's judgement where its rules
 * are ours. Sources: this file, core/libpenstock, cJSON; include path core/.
 *
 * cJSON 1.7 is no strict judge: it takes numbers and control characters that RFC 8259 does not know, bytes that are no UTF-8, and stops at a
 * NUL and at depth 1000. So only one direction holds: what we take, it takes too (unless it is nested deeper than it goes, holds a NUL,
 * or a surrogate that stands alone, which it refuses). SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "data/intake.h"
#include "data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_KERNELS 4

static struct ArrowSchema want;
static struct pen_intake *intakes[MAX_KERNELS];
static size_t n_intakes;

static void fill_want(void)
{
    static const char *const flat[] = { "!i", "i", "u", "t", "l", "n", "g", "x", "b", "f", "tsu:UTC", "w", "tdD", "d", "z", "y",
                                        "d:20,4", "p", "u", "j", "+l", "l", "+s", "s", NULL };
    pen_schema_init_struct(&want, "", 12, NULL);
    for (size_t i = 0; flat[2 * i]; i++) {
        bool required = flat[2 * i][0] == '!';
        pen_schema_init_field(want.children[i], flat[2 * i] + required, flat[2 * i + 1], required ? 0 : ARROW_FLAG_NULLABLE,
                              i == 10 ? 1 : i == 11 ? 2 : 0, NULL);
    }
    want.children[9]->flags |= PEN_FIELD_JSON_TEXT;
    pen_schema_init_field(want.children[10]->children[0], "g", "item", 0, 0, NULL);
    pen_schema_init_field(want.children[11]->children[0], "i", "a", 0, 0, NULL);
    pen_schema_init_field(want.children[11]->children[1], "u", "b", ARROW_FLAG_NULLABLE, 0, NULL);
}

static void prepare(void)
{
    size_t n;
    const struct pen_json_kernel *const *all = pen_json_kernels(&n);
    const struct ArrowSchema *wants[1] = { &want };
    if (n_intakes)
        return;
    fill_want();
    for (size_t i = n; i-- > 0;)
        if (all[i]->usable() && n_intakes < MAX_KERNELS) {
            setenv("PENSTOCK_JSON", all[i]->name, 1);
            if (pen_intake_new(&intakes[n_intakes++], wants, 1, 1 << 16, NULL) < 0)
                abort();
        }
}

/* All that was taken, as text. */
static void show(struct pen_intake *in, struct pen_text *t)
{
    struct ArrowArray out;
    size_t n;
    const struct pen_rejected *r;
    if (pen_intake_finish(in, &out, NULL) < 0 || pen_array_check(&want, &out, NULL) < 0)
        abort();
    for (int64_t i = 0; i < out.length; i++) {
        pen_json_encode_row(t, &want, &out, i, NULL);
        pen_text_format(t, " at %llu\n", (unsigned long long)pen_intake_positions(in, 0)[i]);
    }
    r = pen_intake_rejected(in, &n);
    for (size_t i = 0; i < n; i++)
        pen_text_format(t, "! %s at %llu, %zu bytes\n", r[i].reason, (unsigned long long)r[i].position, r[i].n);
    for (size_t i = 0; i < 12; i++)
        pen_text_format(t, "%d ", (int)pen_intake_nulled(in, 0, i));
    pen_array_release(&out);
}

/* Feeds all kernels and compares; whether the first took a row. */
static bool compare(const char *bytes, size_t n, bool lines)
{
    struct pen_text first = { 0 }, t = { 0 };
    bool row = false;
    for (size_t i = 0; i < n_intakes; i++) {
        struct pen_message m = { .value = bytes, .value_size = n, .timestamp = INT64_MIN, .offset = -1 };
        struct pen_text *to = i == 0 ? &first : &t;
        pen_text_clear(to);
        pen_intake_begin(intakes[i]);
        if (lines)
            pen_intake_lines(intakes[i], bytes, n, true, 0, 1000);
        else
            pen_intake_message(intakes[i], &m);
        show(intakes[i], to);
        if (i > 0 && (t.n != first.n || memcmp(t.bytes, first.bytes, t.n) != 0)) {
            fprintf(stderr, "%.*s\n---\n%.*s\n", (int)first.n, first.bytes, (int)t.n, t.bytes);
            abort();
        }
    }
    row = first.n && first.bytes[0] == '{';
    pen_text_fini(&first);
    pen_text_fini(&t);
    return row;
}

static bool has_surrogate(const char *p, size_t n)
{
    for (size_t i = 0; i + 3 < n; i++)
        if (p[i] == '\\' && p[i + 1] == 'u' && (p[i + 2] | 0x20) == 'd')
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;
    prepare();
    if (!(text = malloc(size ? size : 1))) /* of exact size, so that reading beyond is seen */
        return 0;
    if (size)
        memcpy(text, data, size);
    compare(text, size, true);
    if (compare(text, size, false) && !memchr(text, '\0', size) && !has_surrogate(text, size)) {
        cJSON *tree = cJSON_ParseWithLength(text, size);
        if (!tree)
            abort();
        cJSON_Delete(tree);
    }
    free(text);
    return 0;
}
