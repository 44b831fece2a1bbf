/* fuzz_rds.c - what a database's server sends: values of MySQL's text protocol, tuples and values of PostgreSQL's COPY BINARY; and URLs.
 * Whatever comes, a decoder must append one value or none, and a batch must fit its schema. A decimal must have no more digits than its column.
 * Sources: this file, plugins/rds/librds.la, core/libpenstock.la; include path plugins/rds. Input: the first byte chooses: 0 a URL, 1 a tuple of all
 * types, else the decoder for the rest.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *format;
    rds_decode *decode, *item;
    uint32_t item_oid;
    int precision, scale;
} kinds[] = {
    { "i", rds_text_int32, NULL, 0, 0, 0 },        { "l", rds_text_int64, NULL, 0, 0, 0 },        { "d:20,0", rds_text_uint64, NULL, 0, 20, 0 },
    { "d:38,10", rds_text_decimal, NULL, 0, 38, 10 }, { "d:5,2", rds_text_decimal, NULL, 0, 5, 2 }, { "g", rds_text_float64, NULL, 0, 0, 0 },
    { "b", rds_text_bool, NULL, 0, 0, 0 },         { "l", rds_text_bits, NULL, 0, 0, 0 },         { "d:20,0", rds_text_bits64, NULL, 0, 20, 0 },
    { "tdD", rds_text_date, NULL, 0, 0, 0 },       { "tsu:UTC", rds_text_timestamp, NULL, 0, 0, 0 }, { "u", rds_bytes_utf8, NULL, 0, 0, 0 },
    { "z", rds_bytes_binary, NULL, 0, 0, 0 },      { "b", rds_binary_bool, NULL, 0, 0, 0 },       { "i", rds_binary_int2, NULL, 0, 0, 0 },
    { "i", rds_binary_int4, NULL, 0, 0, 0 },       { "l", rds_binary_int8, NULL, 0, 0, 0 },       { "g", rds_binary_float4, NULL, 0, 0, 0 },
    { "g", rds_binary_float8, NULL, 0, 0, 0 },     { "d:38,10", rds_binary_numeric, NULL, 0, 38, 10 }, { "d:5,2", rds_binary_numeric, NULL, 0, 5, 2 },
    { "tdD", rds_binary_date, NULL, 0, 0, 0 },     { "tsu:UTC", rds_binary_timestamp, NULL, 0, 0, 0 }, { "u", rds_binary_uuid, NULL, 0, 0, 0 },
    { "+li", rds_binary_list, rds_binary_int4, 23, 0, 0 }, { "+lu", rds_binary_list, rds_bytes_utf8, 25, 0, 0 },
    { "+lb", rds_binary_list, rds_binary_bool, 16, 0, 0 },
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void check_digits(const struct ArrowArray *column, int precision)
{
    rds_int128 v = 0, limit = 1;
    const uint8_t *le = column->buffers[1];
    for (int i = 15; i >= 0; i--)
        v = (rds_int128)((rds_uint128)v << 8 | le[i]);
    while (precision-- > 0)
        limit *= 10;
    if (v >= limit || v <= -limit)
        abort();
}

/* One row of the columns first … first+n-1, from cells; it must be whole, and the batch well formed. */
static void build(size_t first, size_t n, const struct rds_cell *cells)
{
    struct rds_table t = { 0 };
    struct ArrowSchema schema = { 0 };
    struct ArrowArray batch = { 0 };
    struct pen_builder *b = NULL;
    bool broken = false;
    for (size_t i = 0; i < n; i++) {
        struct rds_column *c = rds_table_add(&t, "c");
        if (!c)
            abort();
        strcpy(c->format, kinds[first + i].format);
        c->decode = kinds[first + i].decode, c->item = kinds[first + i].item, c->item_oid = kinds[first + i].item_oid;
        c->precision = kinds[first + i].precision, c->scale = kinds[first + i].scale;
    }
    if (rds_table_schema(&t, &schema, NULL) < 0 || pen_builder_new(&b, &schema, NULL) < 0)
        abort();
    for (size_t i = 0; i < n; i++) {
        struct pen_builder *child = pen_builder_child(b, i);
        rds_fit fit = cells[i].bytes ? t.columns[i].decode(&t.columns[i], child, cells[i].bytes, cells[i].n) : RDS_UNFIT;
        if (pen_builder_length(child) != (fit == RDS_FITS))
            abort();
        broken = broken || fit == RDS_BROKEN;
        if (fit != RDS_FITS)
            pen_builder_null(child);
    }
    if (pen_builder_finish(b, &batch, NULL) < 0 || pen_array_check(&schema, &batch, NULL) < 0)
        abort();
    for (size_t i = 0; i < n; i++)
        if (kinds[first + i].precision && batch.children[i]->null_count == 0)
            check_digits(batch.children[i], kinds[first + i].precision);
    pen_array_release(&batch);
    pen_builder_free(&b);
    pen_schema_release(&schema);
    rds_table_fini(&t);
}

static void parse_url(const uint8_t *data, size_t size)
{
    struct rds_url u;
    struct pen_error err = { 0 };
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (rds_url_parse(&u, text, &err) < 0 && (u.host || u.password || !err.msg[0]))
        abort();
    rds_url_fini(&u);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rds_cell cells[KINDS];
    if (size == 0)
        return 0;
    if (data[0] == 0)
        parse_url(data + 1, size - 1);
    else if (data[0] == 1 && rds_binary_tuple(data + 1, size - 1, cells, KINDS))
        build(0, KINDS, cells);
    else if (data[0] >= 2)
        build((size_t)(data[0] - 2) % KINDS, 1, &(struct rds_cell){ data + 1, size - 1 });
    return 0;
}
