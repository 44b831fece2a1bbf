/* column.c - a column chunk: values gathered into pages, the dictionary and when it is given up, levels, page headers.
 * Pages are of version 1 (all readers take them); texts without a dictionary are DELTA_LENGTH_BYTE_ARRAY, which keeps their bytes together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "column.h"

#include "encode.h"
#include "thrift.h"

#define DICTIONARY_BYTES ((size_t)1 << 20) /* a dictionary beyond this is given up */
#define DICTIONARY_VALUE 1024              /* as are values that are longer than this on the average */
#define PAGE_ROWS ((size_t)100000)
#define PAGE_LEVELS ((size_t)1 << 20)
#define HEAD_ROOM ((size_t)128 << 10)      /* before the values of a direct page: levels and lengths come there */
#define HEADER_ROOM ((size_t)64)           /* a page's header is shorter */

void pen_column_init(struct pen_column_writer *c, const struct pen_leaf *leaf, struct pen_codec *codec,
                     struct pen_column_memory *memory, struct pen_buf *scratch, size_t page_bytes)
{
    memset(c, 0, sizeof *c);
    c->leaf = leaf;
    c->codec = codec;
    c->memory = memory;
    c->scratch = scratch;
    c->page_bytes = page_bytes;
    pen_column_reset(c);
}

void pen_column_fini(struct pen_column_writer *c)
{
    pen_buf_free(&c->validity);
    pen_buf_free(&c->def);
    pen_buf_free(&c->rep);
    pen_buf_free(&c->body);
    pen_buf_free(&c->lengths);
    pen_buf_free(&c->index);
    pen_dict_fini(&c->dict);
    pen_buf_free(&c->pages);
    pen_buf_free(&c->dictionary_page);
    pen_buf_free(&c->list);
}

static void page_reset(struct pen_column_writer *c)
{
    c->rows = c->levels = c->values = c->raw = 0;
    c->validity.n = c->def.n = c->rep.n = c->lengths.n = c->index.n = 0;
    c->body.n = c->body.cap ? HEAD_ROOM : 0;
    memset(&c->bounds, 0, sizeof c->bounds);
}

void pen_column_reset(struct pen_column_writer *c)
{
    page_reset(c);
    pen_dict_clear(&c->dict);
    c->pages.n = c->dictionary_page.n = c->list.n = c->dictionary_at = 0;
    c->chunk_rows = c->chunk_levels = c->chunk_nulls = c->uncompressed = 0;
    memset(c->pages_of, 0, sizeof c->pages_of);
    c->delta_known = false;
    memset(&c->chunk_bounds, 0, sizeof c->chunk_bounds);
    c->mode = c->leaf->physical == PQ_BOOLEAN || c->memory->hopeless ? PEN_PAGES_DIRECT : PEN_PAGES_DICTIONARY;
    c->memory->hopeless -= c->memory->hopeless > 0;
}

size_t pen_column_held(const struct pen_column_writer *c)
{
    return c->validity.cap + c->def.cap + c->rep.cap + c->body.cap + c->lengths.cap + c->index.cap + pen_dict_held(&c->dict) +
           c->pages.cap + c->dictionary_page.cap + c->list.cap;
}

size_t pen_column_size(const struct pen_column_writer *c)
{
    size_t open = c->mode == PEN_PAGES_DICTIONARY ? c->values * (pen_bits_for(c->dict.n) + 1) / 8 : c->raw;
    /* what compression will leave of the open page: as much as it left of the chunk's pages so far */
    if (c->uncompressed > 0 && c->pages.n)
        open = (size_t)((double)open * (double)c->pages.n / (double)c->uncompressed);
    else
        open /= pen_codec_number(c->codec) == PQ_UNCOMPRESSED ? 1 : 2;
    return c->pages.n + open + c->dict.page.n / 2 + (c->rows + 7) / 8;
}

/* -- appending ---------------------------------------------------------------------------------------------------------------- */

/* Appends n bits, `from` being the first, to the bits at `to`, of which `at` are there. The byte behind the last is overwritten. */
static void append_bits(uint8_t *to, size_t at, const uint8_t *bits, int64_t from, size_t n)
{
    size_t i = 0;
    to += at / 8;
    at %= 8;
    if (at == 0)
        *to = 0;
    for (; i < n; i += 8) {
        size_t bit = (size_t)from + i, left = n - i < 8 ? n - i : 8;
        unsigned v = 0xff;
        if (bits) {
            v = (unsigned)bits[bit / 8] >> bit % 8;
            if (bit % 8 + left > 8)
                v |= (unsigned)bits[bit / 8 + 1] << (8 - bit % 8);
        }
        v = (v & (0xffu >> (8 - left))) << at;
        *to |= (uint8_t)v;
        *++to = (uint8_t)(v >> 8);
    }
}

/* Memory for direct values, behind the room for what comes before them. */
static pen_status body_reserve(struct pen_column_writer *c, size_t more, struct pen_error *err)
{
    pen_status st;
    if (!c->body.cap) {
        if ((st = pen_buf_reserve(&c->body, HEAD_ROOM + more, err)) < 0)
            return st;
        c->body.n = HEAD_ROOM;
    }
    return pen_buf_reserve(&c->body, more, err);
}

static pen_status append_levels(struct pen_column_writer *c, const struct pen_slice *s, struct pen_error *err)
{
    pen_status st = PEN_OK;
    if (c->leaf->flat && c->leaf->max_def) {
        c->validity.n = (c->levels + 7) / 8;
        if ((st = pen_buf_reserve(&c->validity, s->levels / 8 + 16, err)) < 0)
            return st;
        append_bits(c->validity.p, c->levels, s->validity, s->first, s->levels);
    } else if (!c->leaf->flat) {
        if (c->leaf->max_def && (st = pen_buf_put(&c->def, s->def, s->levels, err)) < 0)
            return st;
        if (c->leaf->max_rep)
            st = pen_buf_put(&c->rep, s->rep, s->levels, err);
    }
    return st;
}

static pen_status append_texts(struct pen_column_writer *c, const struct pen_slice *s, struct pen_error *err)
{
    pen_status st = pen_buf_put(&c->lengths, s->length, s->values * sizeof *s->length, err);
    uint8_t *to;
    if (st < 0 || (st = body_reserve(c, (size_t)s->total, err)) < 0)
        return st;
    to = c->body.p + c->body.n;
    for (size_t i = 0; i < s->values;) {
        size_t k = i + 1, n;
        while (k < s->values && s->start[k] == s->start[k - 1] + s->length[k - 1])
            k++;
        n = (size_t)(s->start[k - 1] + s->length[k - 1] - s->start[i]);
        memcpy(to, s->bytes + s->start[i], n);
        to += n;
        i = k;
    }
    c->body.n += (size_t)s->total;
    return PEN_OK;
}

static pen_status end_page(struct pen_column_writer *c, struct pen_error *err);

static bool page_full(const struct pen_column_writer *c)
{
    return c->raw >= c->page_bytes || c->rows >= PAGE_ROWS || c->levels >= PAGE_LEVELS;
}

pen_status pen_column_append(struct pen_column_writer *c, const struct pen_slice *s, struct pen_error *err)
{
    bool texts = c->leaf->physical == PQ_BYTE_ARRAY;
    pen_status st;
    if (s->total > INT32_MAX / 2)
        return pen_fail(err, PEN_BADDATA, "column %s: %lld bytes in one row are too much for a Parquet page", c->leaf->names[0],
                        (long long)s->total);
    if (c->mode == PEN_PAGES_DICTIONARY &&
        (c->dict.page.n > DICTIONARY_BYTES || (texts && (uint64_t)s->total > (uint64_t)s->values * DICTIONARY_VALUE))) {
        if (c->rows && (st = end_page(c, err)) < 0)
            return st;
        c->mode = PEN_PAGES_DIRECT;
    }
    if ((st = append_levels(c, s, err)) < 0)
        return st;
    if (c->mode == PEN_PAGES_DICTIONARY) {
        uint32_t stamp = (uint32_t)(c->list.n / sizeof(struct pen_page)) + 1;
        st = pen_dict_add(&c->dict, c->leaf, s, stamp, &c->bounds, &c->index, err);
    } else {
        pen_bounds_add(&c->bounds, c->leaf, s, 0, s->values);
        if ((st = body_reserve(c, (size_t)s->total, err)) < 0)
            return st;
        st = texts ? append_texts(c, s, err) : pen_buf_put(&c->body, s->fixed, (size_t)s->total, err);
    }
    if (st < 0)
        return st;
    c->rows += s->rows;
    c->levels += s->levels;
    c->values += s->values;
    c->raw += (size_t)s->total + (texts ? 4 * s->values : 0);
    return page_full(c) ? end_page(c, err) : PEN_OK;
}

/* -- ending a page ------------------------------------------------------------------------------------------------------------ */

/* Turns the open page of indexes into one of values: the dictionary does not pay. */
static pen_status give_up_dictionary(struct pen_column_writer *c, struct pen_error *err)
{
    const uint32_t *index = (const uint32_t *)(const void *)c->index.p;
    const uint32_t *start = (const uint32_t *)(const void *)c->dict.start.p;
    size_t width = c->leaf->physical == PQ_FIXED ? (size_t)c->leaf->width : c->leaf->physical == PQ_INT32 ? 4 : 8;
    pen_status st = body_reserve(c, c->raw, err);
    if (st < 0 || (st = pen_buf_reserve(&c->lengths, c->values * sizeof(int32_t), err)) < 0)
        return st;
    for (size_t i = 0; i < c->values; i++) {
        const uint8_t *value = c->dict.page.p + index[i] * width;
        size_t n = width;
        if (c->leaf->physical == PQ_BYTE_ARRAY) {
            value = c->dict.page.p + start[index[i]];
            n = pen_load32(value - 4);
            memcpy(c->lengths.p + c->lengths.n, &(int32_t){ (int32_t)n }, sizeof(int32_t));
            c->lengths.n += sizeof(int32_t);
        }
        memcpy(c->body.p + c->body.n, value, n);
        c->body.n += n;
    }
    pen_dict_fini(&c->dict); /* it is not tried again for some row groups: a megabyte or more that the column need not hold */
    pen_buf_free(&c->index);
    c->mode = PEN_PAGES_DIRECT;
    c->memory->given_up += c->memory->given_up < 4;
    c->memory->hopeless = 4u << c->memory->given_up;
    return PEN_OK;
}

static bool dictionary_pays(const struct pen_column_writer *c)
{
    size_t cost = c->dict.page.n + c->values * pen_bits_for(c->dict.n) / 8;
    return c->pages_of[PQ_RLE_DICTIONARY] > 0 || c->values == 0 || cost < c->raw / 4 * 3;
}

/* The levels of a page of version 1: each kind with its length before it. */
static pen_status put_levels(struct pen_column_writer *c, struct pen_error *err)
{
    struct pen_buf *out = c->scratch;
    unsigned max[2] = { c->leaf->max_rep, c->leaf->max_def };
    const struct pen_buf *levels[2] = { &c->rep, &c->def };
    pen_status st;
    for (int kind = 0; kind < 2; kind++) {
        unsigned width = pen_bits_for(max[kind]);
        uint8_t *from, *end;
        if (!max[kind])
            continue;
        if ((st = pen_buf_reserve(out, 4 + c->levels * 4 + pen_encode_hybrid_bound(c->levels, width), err)) < 0)
            return st;
        from = out->p + out->n + 4;
        if (c->leaf->flat && c->values == c->levels) {
            end = pen_encode_varint(from, (uint64_t)c->levels << 1);
            *end++ = 1;
        } else if (c->leaf->flat) {
            end = pen_encode_bitmap(from, c->validity.p, c->levels);
        } else {
            size_t bound = pen_encode_hybrid_bound(c->levels, width);
            uint32_t *wide = (uint32_t *)(void *)(out->p + ((out->n + 4 + bound + 7) & ~(size_t)7));
            if ((st = pen_buf_reserve(out, bound + 16 + c->levels * 4, err)) < 0)
                return st;
            from = out->p + out->n + 4;
            wide = (uint32_t *)(void *)(out->p + ((out->n + 4 + bound + 7) & ~(size_t)7));
            for (size_t i = 0; i < c->levels; i++)
                wide[i] = levels[kind]->p[i];
            end = pen_encode_hybrid(from, wide, c->levels, width);
        }
        pen_store32(from - 4, (uint32_t)(end - from));
        out->n = (size_t)(end - out->p);
    }
    return PEN_OK;
}

static pen_status put_bools(struct pen_column_writer *c, struct pen_error *err)
{
    const uint8_t *v = c->body.p + HEAD_ROOM;
    pen_status st = pen_buf_reserve(c->scratch, c->values / 8 + 1, err);
    if (st < 0)
        return st;
    for (size_t i = 0; i < c->values; i += 8) {
        unsigned byte = 0;
        for (size_t k = i; k < i + 8 && k < c->values; k++)
            byte |= (unsigned)v[k] << (k - i);
        c->scratch->p[c->scratch->n++] = (uint8_t)byte;
    }
    return PEN_OK;
}

static pen_status put_indexes(struct pen_column_writer *c, struct pen_error *err)
{
    unsigned width = pen_bits_for(c->dict.n ? c->dict.n - 1 : 0);
    pen_status st = pen_buf_reserve(c->scratch, 1 + pen_encode_hybrid_bound(c->values, width), err);
    uint8_t *end;
    if (st < 0)
        return st;
    c->scratch->p[c->scratch->n++] = (uint8_t)width;
    end = pen_encode_hybrid(c->scratch->p + c->scratch->n, (const uint32_t *)(const void *)c->index.p, c->values, width);
    c->scratch->n = (size_t)(end - c->scratch->p);
    return PEN_OK;
}

/* Integers as differences; the chunk's first page decides whether that is worth it. *done: they are in scratch. */
static pen_status put_differences(struct pen_column_writer *c, bool *done, struct pen_error *err)
{
    bool wide = c->leaf->physical == PQ_INT64;
    const void *v = c->body.p + HEAD_ROOM;
    uint8_t *end;
    pen_status st;
    *done = false;
    if (c->delta_known && !c->delta)
        return PEN_OK;
    if ((st = pen_buf_reserve(c->scratch, pen_encode_delta_bound(c->values, wide ? 64 : 32), err)) < 0)
        return st;
    end = c->scratch->p + c->scratch->n;
    end = wide ? pen_encode_delta64(end, v, c->values) : pen_encode_delta32(end, v, c->values);
    if (!c->delta_known)
        c->delta = (size_t)(end - c->scratch->p) - c->scratch->n < c->values * (wide ? 8 : 4) / 5 * 4;
    c->delta_known = true;
    *done = c->delta;
    if (c->delta)
        c->scratch->n = (size_t)(end - c->scratch->p);
    return PEN_OK;
}

/* Puts the page together; *bytes lies in scratch or in the body. */
static pen_status put_values(struct pen_column_writer *c, int *encoding, const uint8_t **bytes, size_t *n, struct pen_error *err)
{
    struct pen_buf *out = c->scratch;
    int physical = c->leaf->physical;
    pen_status st;
    bool done = physical == PQ_BOOLEAN || c->mode == PEN_PAGES_DICTIONARY;
    *encoding = c->mode == PEN_PAGES_DICTIONARY ? PQ_RLE_DICTIONARY : PQ_PLAIN;
    if (c->values == 0) { /* no value, and no dictionary for the sake of none */
        *encoding = PQ_PLAIN;
        *bytes = out->p;
        *n = out->n;
        return PEN_OK;
    }
    if (c->mode == PEN_PAGES_DICTIONARY) {
        st = put_indexes(c, err);
    } else if (physical == PQ_BOOLEAN) {
        st = put_bools(c, err);
    } else if (physical == PQ_BYTE_ARRAY) {
        *encoding = PQ_DELTA_LENGTH_BYTE_ARRAY;
        st = pen_buf_reserve(out, pen_encode_delta_bound(c->values, 32), err);
        if (st >= 0)
            out->n = (size_t)(pen_encode_delta32(out->p + out->n, (const int32_t *)(const void *)c->lengths.p, c->values) - out->p);
    } else if (physical == PQ_INT32 || physical == PQ_INT64) {
        st = put_differences(c, &done, err);
        if (done)
            *encoding = PQ_DELTA_BINARY_PACKED;
    } else {
        st = PEN_OK;
    }
    if (st < 0)
        return st;
    if (!done && out->n <= HEAD_ROOM) {
        memcpy(c->body.p + HEAD_ROOM - out->n, out->p, out->n);
        *bytes = c->body.p + HEAD_ROOM - out->n;
        *n = c->body.n - HEAD_ROOM + out->n;
        return PEN_OK;
    }
    if (!done && (st = pen_buf_put(out, c->body.p + HEAD_ROOM, c->body.n - HEAD_ROOM, err)) < 0)
        return st;
    *bytes = out->p;
    *n = out->n;
    return PEN_OK;
}

/* Compresses a page's bytes behind room for its header and puts the header right before them. *at: where it begins. */
static pen_status put_page(struct pen_column_writer *c, struct pen_buf *out, const struct pen_codec_tuning *tuning, int encoding,
                           const uint8_t *bytes, size_t n, size_t *at, struct pen_error *err)
{
    size_t body = out->n + HEADER_ROOM;
    struct pen_buf header = { 0 };
    struct pen_thrift_out t;
    pen_status st;
    if (n > INT32_MAX)
        return pen_fail(err, PEN_BADDATA, "column %s: a page of %zu bytes is more than Parquet allows", c->leaf->names[0], n);
    if ((st = pen_buf_reserve(out, HEADER_ROOM, err)) < 0)
        return st;
    out->n = body;
    if ((st = pen_codec_compress(c->codec, tuning, bytes, n, out, err)) < 0)
        return st;
    pen_thrift_start(&t, &header);
    pen_thrift_put_i32(&t, 1, out == &c->pages ? PQ_DATA_PAGE : PQ_DICTIONARY_PAGE);
    pen_thrift_put_i32(&t, 2, (int32_t)n);
    pen_thrift_put_i32(&t, 3, (int32_t)(out->n - body));
    pen_thrift_begin(&t, out == &c->pages ? 5 : 7);
    pen_thrift_put_i32(&t, 1, (int32_t)(out == &c->pages ? c->levels : c->dict.n));
    pen_thrift_put_i32(&t, 2, encoding);
    if (out == &c->pages) {
        pen_thrift_put_i32(&t, 3, PQ_RLE);
        pen_thrift_put_i32(&t, 4, PQ_RLE);
    }
    pen_thrift_end(&t);
    if ((st = pen_thrift_finish(&t, err)) >= 0) {
        *at = body - header.n;
        memcpy(out->p + *at, header.p, header.n);
        c->uncompressed += (int64_t)(header.n + n);
    }
    pen_buf_free(&header);
    return st;
}

static pen_status tune(struct pen_column_writer *c, const uint8_t *bytes, size_t n, struct pen_error *err)
{
    pen_status st;
    if (c->memory->tuned[c->mode])
        return PEN_OK;
    st = pen_codec_tune(c->codec, bytes, n, &c->pages, &c->memory->tuning[c->mode], err);
    c->memory->tuned[c->mode] = st == PEN_OK;
    return st;
}

static pen_status end_page(struct pen_column_writer *c, struct pen_error *err)
{
    struct pen_page page = { .first_row = c->chunk_rows, .rows = (int64_t)c->rows, .nulls = (int64_t)(c->levels - c->values) };
    const uint8_t *bytes;
    size_t n;
    int encoding;
    pen_status st;
    if (c->mode == PEN_PAGES_DICTIONARY && !dictionary_pays(c) && (st = give_up_dictionary(c, err)) < 0)
        return st;
    c->scratch->n = 0;
    if ((st = put_levels(c, err)) < 0 ||
        (st = put_values(c, &encoding, &bytes, &n, err)) < 0 || (st = tune(c, bytes, n, err)) < 0 ||
        (st = put_page(c, &c->pages, &c->memory->tuning[c->mode], encoding, bytes, n, &page.at, err)) < 0)
        return st;
    page.size = c->pages.n - page.at;
    page.no_values = c->values == 0;
    page.bounds = c->bounds;
    if ((st = pen_buf_put(&c->list, &page, sizeof page, err)) < 0)
        return st;
    pen_bounds_merge(&c->chunk_bounds, c->leaf, &c->bounds);
    c->chunk_rows += page.rows;
    c->chunk_levels += (int64_t)c->levels;
    c->chunk_nulls += page.nulls;
    c->pages_of[encoding]++;
    page_reset(c);
    return PEN_OK;
}

pen_status pen_column_end(struct pen_column_writer *c, struct pen_error *err)
{
    static const struct pen_codec_tuning as_level;
    pen_status st = c->rows ? end_page(c, err) : PEN_OK;
    if (st < 0 || !c->pages_of[PQ_RLE_DICTIONARY])
        return st;
    return put_page(c, &c->dictionary_page, &as_level, PQ_PLAIN, c->dict.page.p, c->dict.page.n, &c->dictionary_at, err);
}
