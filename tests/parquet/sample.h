/* sample.h - rows of every type, each value a function of row and column, which tests/parquet/readers.py computes alike.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_SAMPLE_H
#define PENSTOCK_TESTS_SAMPLE_H

#include <stdio.h>

#include <penstock/batch.h>

typedef enum { SAMPLE_SOME_NULLS, SAMPLE_NO_NULLS, SAMPLE_ALL_NULL } sample_nulls;

static inline uint32_t sample_hash(int64_t row, unsigned column)
{
    uint32_t h = (uint32_t)((uint64_t)row * 2654435761u + column * 40503u);
    return h ^ h >> 15;
}

/* Columns by number: those below 13 are flat. */
static const char *const sample_pairs[] = { "b", "b", "i", "i", "l", "l", "g", "d", "d:9,2", "dec9", "d:18,4", "dec18", "d:38,10", "dec38",
                                            "u", "few", "u", "text", "z", "bin", "tdD", "day", "tsu:UTC", "at", "!i", "seq", NULL };
#define SAMPLE_FLAT 13
#define SAMPLE_COLUMNS 18

static pen_status sample_schema(struct ArrowSchema *out, struct pen_error *err)
{
    struct ArrowSchema flat;
    struct ArrowSchema *c;
    const int64_t null = ARROW_FLAG_NULLABLE;
    pen_status st = pen_schema_from_pairs(&flat, sample_pairs, err);
    if (st < 0 || (st = pen_schema_init_struct(out, "", SAMPLE_COLUMNS, err)) < 0)
        return st;
    for (int i = 0; i < SAMPLE_FLAT; i++)
        st = st < 0 ? st : pen_schema_copy(out->children[i], flat.children[i], err);
    pen_schema_release(&flat);
    if (st < 0)
        return st;
    c = out->children[13]; /* tags list<utf8> */
    pen_schema_init_field(c, "+l", "tags", null, 1, err);
    pen_schema_init_field(c->children[0], "u", "item", null, 0, err);
    c = out->children[14]; /* place list<float64 not null>, itself not null */
    pen_schema_init_field(c, "+l", "place", 0, 1, err);
    pen_schema_init_field(c->children[0], "g", "item", 0, 0, err);
    c = out->children[15]; /* who struct<a int32, in struct<b utf8>> */
    pen_schema_init_field(c, "+s", "who", null, 2, err);
    pen_schema_init_field(c->children[0], "i", "a", null, 0, err);
    pen_schema_init_field(c->children[1], "+s", "in", null, 1, err);
    pen_schema_init_field(c->children[1]->children[0], "u", "b", null, 0, err);
    c = out->children[16]; /* grid list<list<int32>> */
    pen_schema_init_field(c, "+l", "grid", null, 1, err);
    pen_schema_init_field(c->children[0], "+l", "item", null, 1, err);
    pen_schema_init_field(c->children[0]->children[0], "i", "item", null, 0, err);
    c = out->children[17]; /* pairs list<struct<k utf8 not null, v int64>> */
    pen_schema_init_field(c, "+l", "pairs", null, 1, err);
    pen_schema_init_field(c->children[0], "+s", "item", null, 2, err);
    pen_schema_init_field(c->children[0]->children[0], "u", "k", 0, 0, err);
    return pen_schema_init_field(c->children[0]->children[1], "l", "v", null, 0, err);
}

static void sample_decimal(struct pen_builder *b, uint64_t low, uint64_t high)
{
    uint8_t le[16];
    for (int i = 0; i < 8; i++) {
        le[i] = (uint8_t)(low >> 8 * i);
        le[8 + i] = (uint8_t)(high >> 8 * i);
    }
    pen_builder_decimal128(b, le);
}

static void sample_flat(struct pen_builder *b, int column, int64_t row, uint32_t h)
{
    char text[128];
    int n;
    int64_t v;
    switch (column) {
    case 0:
        pen_builder_bool(b, h >> 8 & 1);
        break;
    case 1:
        pen_builder_int32(b, (int32_t)((h >> 4) % 1000) - 500);
        break;
    case 2:
        pen_builder_int64(b, (int64_t)h * 1000003 - ((int64_t)1 << 40));
        break;
    case 3:
        pen_builder_float64(b, (double)(h % 100000) / 8 - 1000);
        break;
    case 4:
        v = (int64_t)(h % 999999999) - 500000000;
        sample_decimal(b, (uint64_t)v, (uint64_t)(v >> 63));
        break;
    case 5:
        v = (int64_t)h * 100000007 - 300000000000000000;
        sample_decimal(b, (uint64_t)v, (uint64_t)(v >> 63));
        break;
    case 6: /* h * 2^64 + row, less 2^95 */
        sample_decimal(b, (uint64_t)row, (uint64_t)h - ((uint64_t)1 << 31));
        break;
    case 7:
        n = snprintf(text, sizeof text, "%s%u", h % 3 ? "few é" : "", h % 500);
        pen_builder_bytes_value(b, text, h % 7 ? (size_t)n : 0);
        break;
    case 8:
        n = snprintf(text, sizeof text, "%08x a text of row %lld, so that no two are alike: \xe2\x82\xac %u", h, (long long)row, h % 1000);
        pen_builder_bytes_value(b, text, (size_t)n);
        break;
    case 9:
        for (n = 0; n < (int)(h % 20); n++)
            text[n] = (char)(h >> 8 >> n);
        pen_builder_bytes_value(b, text, (size_t)n);
        break;
    case 10:
        pen_builder_int32(b, (int32_t)(h % 20000) - 5000);
        break;
    case 11:
        pen_builder_int64(b, (int64_t)h * 1000003 - 1000000);
        break;
    default:
        pen_builder_int32(b, (int32_t)row * 3);
    }
}

static void sample_text(struct pen_builder *b, uint32_t v)
{
    char text[32];
    pen_builder_bytes_value(b, text, (size_t)snprintf(text, sizeof text, "t%u", v));
}

static void sample_nested(struct pen_builder *b, int column, uint32_t h, sample_nulls nulls)
{
    struct pen_builder *c = pen_builder_child(b, 0);
    bool may = nulls != SAMPLE_NO_NULLS;
    uint32_t n = h / 8 % 4;
    for (uint32_t k = 0; k < n && column != 15; k++) {
        bool null = may && (h / 64 + k) % 6 == 0;
        if (column == 13 && null)
            pen_builder_null(c);
        else if (column == 13)
            sample_text(c, (h + k) % 50);
        else if (column == 14)
            pen_builder_float64(c, (double)(h % 1000 + k) / 4);
        else if (column == 16 && null)
            pen_builder_null(c);
        else if (column == 16) {
            for (uint32_t j = 0; j < (h / 16 + k) % 3; j++)
                pen_builder_int32(pen_builder_child(c, 0), (int32_t)(h % 100 + j));
            pen_builder_end_list(c);
        } else if (null) {
            pen_builder_null(c);
        } else {
            sample_text(pen_builder_child(c, 0), h % 90 + k);
            if (may && (h + k) % 4 == 0)
                pen_builder_null(pen_builder_child(c, 1));
            else
                pen_builder_int64(pen_builder_child(c, 1), (int64_t)h * (k + 1));
            pen_builder_end_struct(c);
        }
    }
    if (column != 15) {
        pen_builder_end_list(b);
        return;
    }
    if (may && h % 6 == 1)
        pen_builder_null(c);
    else
        pen_builder_int32(c, (int32_t)(h % 777));
    c = pen_builder_child(b, 1);
    if (may && h % 7 == 1) {
        pen_builder_null(c);
    } else {
        if (may && h % 11 == 2)
            pen_builder_null(pen_builder_child(c, 0));
        else
            sample_text(pen_builder_child(c, 0), h % 33);
        pen_builder_end_struct(c);
    }
    pen_builder_end_struct(b);
}

/* Appends rows first … first+n-1 to a builder of sample_schema(). */
static void sample_rows(struct pen_builder *b, int64_t first, int64_t n, sample_nulls nulls)
{
    for (int64_t row = first; row < first + n; row++) {
        for (int c = 0; c < SAMPLE_COLUMNS; c++) {
            uint32_t h = sample_hash(row, (unsigned)c);
            struct pen_builder *cb = pen_builder_child(b, (size_t)c);
            if (c != 12 && c != 14 && (nulls == SAMPLE_ALL_NULL || (nulls == SAMPLE_SOME_NULLS && h % 5 == 0)))
                pen_builder_null(cb);
            else if (c < SAMPLE_FLAT)
                sample_flat(cb, c, row, h);
            else
                sample_nested(cb, c, h, nulls);
        }
        pen_builder_end_struct(b);
    }
}

#endif
