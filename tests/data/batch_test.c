/* batch_test.c - schemas, builders, and arrays shared, sliced, masked, taken, adopted and checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <penstock/batch.h>
#include <penstock/records.h>

#include "../tap.h"

static const char *const pairs[] = { "!i", "n", "u", "text", "b", "flag", "g", "x", "tsu:UTC", "at", "d:10,2", "price", NULL };

static void add_row(struct pen_builder *b, int i)
{
    uint8_t decimal[16] = { (uint8_t)i };
    char text[32];
    pen_builder_int32(pen_builder_child(b, 0), i);
    if (i % 3 == 2)
        pen_builder_null(pen_builder_child(b, 1));
    else
        pen_builder_bytes_value(pen_builder_child(b, 1), text, (size_t)snprintf(text, sizeof text, "row %d", i));
    pen_builder_bool(pen_builder_child(b, 2), i % 2 == 0);
    pen_builder_float64(pen_builder_child(b, 3), i / 4.0);
    pen_builder_int64(pen_builder_child(b, 4), i * INT64_C(1000000007));
    pen_builder_decimal128(pen_builder_child(b, 5), decimal);
}

/* Whether the rows first … first+n-1 of those that add_row() makes stand in `a`. */
static bool rows_are(const struct ArrowArray *a, int first, int n)
{
    struct pen_column c[6];
    bool good = a->length == n && a->offset == 0 && a->n_children == 6;
    for (int i = 0; good && i < 6; i++)
        c[i] = pen_column_at(a, i);
    for (int r = 0; good && r < n; r++) {
        int i = first + r;
        char text[32];
        size_t len = 0, want = (size_t)snprintf(text, sizeof text, "row %d", i);
        const char *bytes = pen_column_bytes(&c[1], r, &len);
        good = pen_column_int32(&c[0], r) == i && pen_column_bool(&c[2], r) == (i % 2 == 0) && pen_column_float64(&c[3], r) == i / 4.0 &&
               pen_column_int64(&c[4], r) == i * INT64_C(1000000007) && ((const uint8_t *)c[5].data)[16 * (c[5].offset + r)] == (uint8_t)i &&
               pen_column_is_null(&c[1], r) == (i % 3 == 2) && (i % 3 == 2 ? len == 0 : len == want && memcmp(bytes, text, len) == 0);
    }
    return good;
}

static void test_builder__gives_back_what_was_appended(void)
{
    struct ArrowSchema schema;
    struct ArrowArray a, again, part, taken, deep;
    struct pen_builder *b = NULL;
    int64_t index[] = { 7, 8, 9, 10, 11, 12, 13 };
    ok(pen_schema_from_pairs(&schema, pairs, NULL) == PEN_OK && pen_builder_new(&b, &schema, NULL) == PEN_OK, "a builder of six columns");
    for (int i = 0; i < 5000; i++)
        add_row(b, i);
    ok(pen_builder_length(b) == 5000, "its length is that of its columns");
    pen_builder_int32(pen_builder_child(b, 0), 1); /* an incomplete row */
    pen_builder_truncate(b, 4000);
    ok(pen_builder_length(b) == 4000, "truncated to 4000 rows");
    for (int i = 4000; i < 4100; i++)
        add_row(b, i);
    ok(pen_builder_finish(b, &a, NULL) == PEN_OK && rows_are(&a, 0, 4100), "rows after a truncation are right");
    ok(pen_array_check(&schema, &a, NULL) == PEN_OK, "the batch passes the check");
    ok(pen_array_slice(&part, &a, 1001, 77, NULL) == PEN_OK && rows_are(&part, 1001, 77), "a slice");
    ok(pen_array_slice(&deep, &part, 13, 7, NULL) == PEN_OK && rows_are(&deep, 1014, 7), "a slice of a slice");
    ok(pen_array_check(&schema, &deep, NULL) == PEN_OK, "which passes the check");
    ok(pen_array_take(&taken, &schema, &part, index, 7, NULL) == PEN_OK && rows_are(&taken, 1008, 7), "rows taken from a slice");
    ok(pen_array_share(&again, &a, NULL) == PEN_OK, "shared");
    ok(again.children[1]->buffers[2] == a.children[1]->buffers[2], "sharing copies nothing");
    pen_array_release(&a);
    ok(rows_are(&again, 0, 4100) && rows_are(&part, 1001, 77), "what was shared outlives the original");
    pen_array_release(&again);
    pen_array_release(&part);
    add_row(b, 0);
    ok(pen_builder_finish(b, &a, NULL) == PEN_OK && rows_are(&a, 0, 1), "the builder starts anew, with memory that came back");
    pen_builder_free(&b);
    ok(rows_are(&a, 0, 1) && rows_are(&deep, 1014, 7) && rows_are(&taken, 1008, 7), "batches outlive their builder");
    pen_array_release(&a);
    pen_array_release(&deep);
    pen_array_release(&taken);
    pen_schema_release(&schema);
}

static void test_builder__uneven_columns_are_refused(void)
{
    struct ArrowSchema schema;
    struct ArrowArray a;
    struct pen_builder *b = NULL;
    struct pen_error err = { 0 };
    pen_schema_from_pairs(&schema, pairs, NULL);
    pen_builder_new(&b, &schema, NULL);
    add_row(b, 0);
    pen_builder_int32(pen_builder_child(b, 0), 1);
    ok(pen_builder_finish(b, &a, &err) == PEN_FATAL && strstr(err.msg, "\"text\" has 1 rows where its neighbours have 2"), "%s", err.msg);
    ok(pen_builder_finish(b, &a, NULL) == PEN_OK && a.length == 0 && pen_array_check(&schema, &a, NULL) == PEN_OK, "then it is empty");
    pen_array_release(&a);
    pen_builder_free(&b);
    pen_schema_release(&schema);
}

static void test_raw__lists_of_structs_build_slice_and_take(void)
{
    struct ArrowSchema schema;
    struct ArrowArray a, part, taken;
    struct pen_builder *b = NULL, *headers, *item;
    struct pen_column list, name;
    int64_t index[] = { 1, 0 };
    size_t n;
    ok(pen_schema_raw(&schema, NULL) == PEN_OK && pen_schema_is_raw(&schema), "the schema of raw messages");
    ok(pen_schema_check(&schema, NULL) == PEN_OK && pen_builder_new(&b, &schema, NULL) == PEN_OK, "builds");
    headers = pen_builder_child(b, 5);
    item = pen_builder_child(headers, 0);
    for (int row = 0; row < 5; row++) {
        pen_builder_null(pen_builder_child(b, 0));
        pen_builder_bytes_value(pen_builder_child(b, 1), "value", 5);
        pen_builder_int64(pen_builder_child(b, 2), row);
        pen_builder_bytes_value(pen_builder_child(b, 3), "p", 1);
        pen_builder_int64(pen_builder_child(b, 4), row);
        for (int h = 0; row != 1 && h < row; h++) {
            pen_builder_bytes_value(pen_builder_child(item, 0), &"abcde"[row], 1);
            pen_builder_null(pen_builder_child(item, 1));
            pen_builder_end_struct(item);
        }
        if (row == 1)
            pen_builder_null(headers);
        else
            pen_builder_end_list(headers);
    }
    pen_builder_truncate(b, 4);
    ok(pen_builder_finish(b, &a, NULL) == PEN_OK && pen_array_check(&schema, &a, NULL) == PEN_OK && a.length == 4, "four messages");
    ok(pen_array_slice(&part, &a, 2, 2, NULL) == PEN_OK && pen_array_check(&schema, &part, NULL) == PEN_OK, "two of them sliced");
    ok(pen_array_take(&taken, &schema, &part, index, 2, NULL) == PEN_OK && pen_array_check(&schema, &taken, NULL) == PEN_OK,
       "and taken the other way round");
    list = pen_column_at(&taken, 5);
    name = pen_column_of(taken.children[5]->children[0]->children[0]);
    ok(list.offsets[1] - list.offsets[0] == 3 && list.offsets[2] - list.offsets[1] == 2 && name.length == 5, "list lengths follow");
    ok(*pen_column_bytes(&name, 0, &n) == 'd' && *pen_column_bytes(&name, 4, &n) == 'c', "and the items");
    pen_array_release(&a);
    pen_array_release(&part);
    pen_array_release(&taken);
    pen_builder_free(&b);
    pen_schema_release(&schema);
}

static void test_masked__replaces_the_bitmap_only(void)
{
    struct ArrowSchema schema;
    struct ArrowArray a, part, masked;
    struct pen_builder *b = NULL;
    struct pen_column c;
    uint8_t *bitmap = malloc(2);
    bool good = true;
    pen_schema_from_pairs(&schema, pairs, NULL);
    pen_builder_new(&b, &schema, NULL);
    for (int i = 0; i < 20; i++)
        add_row(b, i);
    pen_builder_finish(b, &a, NULL);
    pen_array_slice(&part, &a, 5, 10, NULL);
    bitmap[0] = 0xF0;
    bitmap[1] = 0x03;
    ok(pen_array_masked(&masked, part.children[0], bitmap, 4, NULL) == PEN_OK && masked.buffers[1] == a.children[0]->buffers[1],
       "a column with an offset under another bitmap shares its values");
    ok(pen_array_check(schema.children[0], &masked, NULL) == PEN_OK, "and passes the check");
    pen_array_release(&a);
    pen_array_release(&part);
    c = pen_column_of(&masked);
    for (int i = 0; i < 10; i++)
        good = good && pen_column_is_null(&c, i) == (i < 4) && pen_column_int32(&c, i) == 5 + i;
    ok(good, "its rows are null where the bitmap says so");
    pen_array_release(&masked);
    pen_builder_free(&b);
    pen_schema_release(&schema);
}

/* An array of somebody else's making: one int64 column in a struct with an offset. */
static int foreign_released;
static void foreign_release(struct ArrowArray *a)
{
    foreign_released++;
    a->release = NULL;
}

static void test_adopt__makes_foreign_arrays_shareable(void)
{
    static const char *const one[] = { "l", "v", NULL };
    static const int64_t values[] = { 10, 11, 12, 13, 14 };
    static const void *none[1], *buffers[2] = { NULL, values };
    struct ArrowSchema schema;
    struct ArrowArray column = { .length = 5, .n_buffers = 2, .buffers = buffers, .release = foreign_release };
    struct ArrowArray *children[] = { &column };
    struct ArrowArray batch = { .length = 3, .offset = 2, .null_count = 0, .n_buffers = 1, .buffers = none, .n_children = 1,
                                .children = children, .release = foreign_release };
    struct ArrowArray shared;
    struct pen_column c;
    foreign_released = 0;
    pen_schema_from_pairs(&schema, one, NULL);
    ok(pen_array_check(&schema, &batch, NULL) == PEN_OK, "a foreign batch passes the check");
    ok(pen_array_share(&shared, &batch, NULL) == PEN_FATAL, "it cannot be shared as it is");
    ok(pen_array_adopt(&schema, &batch, NULL) == PEN_OK && batch.offset == 0 && batch.length == 3, "adopted");
    ok(pen_array_share(&shared, &batch, NULL) == PEN_OK, "then it can");
    pen_array_release(&batch);
    c = pen_column_at(&shared, 0);
    ok(foreign_released == 0 && pen_column_int64(&c, 0) == 12 && pen_column_int64(&c, 2) == 14, "and lives on, its offset in the column");
    ok(pen_array_bytes(&shared) == 24, "its bytes are known");
    pen_array_release(&shared);
    ok(foreign_released == 1, "the last owner releases it once");
    pen_schema_release(&schema);
}

static void test_check__refuses_what_does_not_fit(void)
{
    static const char *const text[] = { "u", "t", NULL };
    static const int32_t down[] = { 0, 4, 2 }, negative[] = { -1, 0, 1 }, good[] = { 0, 1, 2 };
    static const uint8_t bits[1] = { 1 };
    static const struct { const int32_t *offsets; const void *data; const uint8_t *validity; int64_t nulls, length; const char *what; } cases[] = {
        { good, "ab", NULL, 0, 2, NULL },           { down, "abcd", NULL, 0, 2, "offset 2 after 4" }, { negative, "ab", NULL, 0, 2, "offset -1" },
        { good, NULL, NULL, 0, 2, "no bytes" },     { NULL, "ab", NULL, 0, 2, "no offsets" },         { good, "ab", NULL, 1, 2, "without a validity" },
        { good, "ab", bits, 2, 2, "null count 2" }, { good, "ab", bits, 1, 2, NULL },                 { good, "ab", bits, 3, 2, "null count 3" },
        { good, "ab", NULL, 0, -1, "length -1" },
    };
    struct ArrowSchema schema;
    pen_schema_from_pairs(&schema, text, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const void *buffers[3] = { cases[i].validity, cases[i].offsets, cases[i].data };
        struct ArrowArray a = { .length = cases[i].length, .null_count = cases[i].nulls, .n_buffers = 3, .buffers = buffers, .release = foreign_release };
        struct pen_error err = { 0 };
        pen_status st = pen_array_check(schema.children[0], &a, &err);
        ok(cases[i].what ? st == PEN_FATAL && strstr(err.msg, cases[i].what) : st == PEN_OK, "check %zu: %s", i, st < 0 ? err.msg : "good");
    }
    pen_schema_release(&schema);
}

static void test_schema__types_names_and_copies(void)
{
    static const struct { const char *format; pen_type type; const char *name; } cases[] = {
        { "b", PEN_TYPE_BOOL, "bool" }, { "i", PEN_TYPE_INT32, "int32" }, { "d:38,0", PEN_TYPE_DECIMAL128, "decimal128(38, 0)" },
        { "d:39,0", PEN_TYPE_NONE, "Arrow format \"d:39,0\"" }, { "d:4,5", PEN_TYPE_NONE, NULL }, { "d:10,2,256", PEN_TYPE_NONE, NULL },
        { "tsu:", PEN_TYPE_NONE, NULL }, { "tsu:UTC", PEN_TYPE_TIMESTAMP, "timestamp" }, { "U", PEN_TYPE_NONE, NULL },
    };
    struct ArrowSchema raw, copy, field;
    char buf[200];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pen_schema_init_field(&field, cases[i].format, "f", 0, 0, NULL);
        ok(pen_schema_type(&field) == cases[i].type &&
               (!cases[i].name || strcmp(pen_schema_type_name(&field, buf, sizeof buf), cases[i].name) == 0),
           "type of \"%s\"", cases[i].format);
        pen_schema_release(&field);
    }
    pen_schema_raw(&raw, NULL);
    ok(pen_schema_copy(&copy, &raw, NULL) == PEN_OK && pen_schema_equal(&raw, &copy), "a copy equals its original");
    ok(strcmp(pen_schema_type_name(raw.children[5], buf, sizeof buf), "list<struct<name utf8, value binary>>") == 0, "%s", buf);
    ok(strlen(pen_schema_type_name(raw.children[5], buf, 10)) == 9, "a type's name is cut at the buffer");
    pen_schema_release(&raw);
    ok(pen_schema_find(&copy, "offset") == 4 && pen_schema_find(&copy, "Offset") == -1, "found by name");
    copy.children[1]->format = "x";
    ok(pen_schema_check(&copy, NULL) == PEN_FATAL, "an unknown type is refused");
    pen_schema_release(&copy);
}

/* Shares, reads and releases one batch again and again. */
static void *share_often(void *arg)
{
    const struct ArrowArray *a = arg;
    size_t bad = 0;
    for (int i = 0; i < 2000; i++) {
        struct ArrowArray shared, part;
        if (pen_array_share(&shared, a, NULL) < 0)
            return arg;
        if (pen_array_slice(&part, &shared, i % 50, 10, NULL) < 0)
            return arg;
        pen_array_release(&shared);
        bad += !rows_are(&part, i % 50, 10);
        pen_array_release(&part);
    }
    return bad ? arg : NULL;
}

static void test_share__from_many_threads(void)
{
    struct ArrowSchema schema;
    struct ArrowArray a[4];
    struct pen_builder *b = NULL;
    pthread_t threads[4];
    void *bad = NULL;
    pen_schema_from_pairs(&schema, pairs, NULL);
    pen_builder_new(&b, &schema, NULL);
    for (int i = 0; i < 100; i++)
        add_row(b, i);
    pen_builder_finish(b, &a[0], NULL);
    for (int i = 1; i < 4; i++)
        pen_array_share(&a[i], &a[0], NULL);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, share_often, &a[i]);
    for (int round = 0; round < 200; round++) { /* the builder goes on, while its buffers come back from elsewhere */
        struct ArrowArray next;
        for (int i = 0; i < 20; i++)
            add_row(b, i);
        pen_builder_finish(b, &next, NULL);
        pen_array_release(&next);
    }
    for (int i = 0; i < 4; i++) {
        void *one = NULL;
        pthread_join(threads[i], &one);
        pen_array_release(&a[i]);
        bad = one ? one : bad;
    }
    ok(!bad, "four threads share and release one batch");
    pen_builder_free(&b);
    pen_schema_release(&schema);
}

int main(void)
{
    test_schema__types_names_and_copies();
    test_builder__gives_back_what_was_appended();
    test_builder__uneven_columns_are_refused();
    test_raw__lists_of_structs_build_slice_and_take();
    test_masked__replaces_the_bitmap_only();
    test_adopt__makes_foreign_arrays_shareable();
    test_share__from_many_threads();
    test_check__refuses_what_does_not_fit();
    return done_testing();
}
