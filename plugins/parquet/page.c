/* page.c - the pages of a column chunk: fetched, checked, restored; levels decoded until the rows asked for are whole.
 * SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#define FETCH_BYTES ((size_t)256 << 10)
#define HEADER_BYTES ((size_t)1 << 20)      /* a page header is not longer */
#define PAGE_BYTES ((size_t)1 << 30)        /* nor a page, restored */
#define ROW_LEVELS ((size_t)1 << 26)        /* nor the levels of one batch */

struct page_header {
    int32_t type, uncompressed, compressed;
    bool has_crc;
    uint32_t crc;
    int32_t values, encoding, def_encoding, rep_encoding;
    int32_t rows, nulls, def_bytes, rep_bytes;
    bool is_compressed, has_body;
};

void pen_leaf_reader_init(struct pen_leaf_reader *r, const struct pen_tree *leaf, const struct pen_parquet_input *input,
                          struct pen_restorer *restorer, const char *column)
{
    memset(r, 0, sizeof *r);
    r->leaf = leaf;
    r->input = input;
    r->restorer = restorer;
    r->column = column;
}

void pen_leaf_reader_fini(struct pen_leaf_reader *r)
{
    struct pen_buf *const all[] = { &r->window, &r->dictionary, &r->spans,   &r->page,  &r->before, &r->def_out,
                                    &r->rep_out, &r->fixed,     &r->lengths, &r->bytes };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        pen_buf_free(all[i]);
}

size_t pen_leaf_reader_held(const struct pen_leaf_reader *r)
{
    return sizeof *r + r->window.cap + r->dictionary.cap + r->spans.cap + r->page.cap + r->before.cap + r->def_out.cap +
           r->rep_out.cap + r->fixed.cap + r->lengths.cap + r->bytes.cap;
}

pen_status pen_leaf_reader_damaged(const struct pen_leaf_reader *r, const char *what, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "column %s: %s", r->column, what);
}

pen_status pen_leaf_reader_open_chunk(struct pen_leaf_reader *r, const struct pen_chunk *chunk, struct pen_error *err)
{
    if (chunk->refusal)
        return pen_fail(err, PEN_FATAL, "column %s cannot be read: %s", r->column, chunk->refusal);
    if (chunk->physical != r->leaf->physical)
        return pen_leaf_reader_damaged(r, "its type is not the schema's", err);
    r->chunk = chunk;
    r->pos = chunk->dictionary_offset > 0 && chunk->dictionary_offset < chunk->data_offset ? chunk->dictionary_offset
                                                                                           : chunk->data_offset;
    r->end = r->pos + chunk->compressed;
    r->left = chunk->values;
    r->window.n = r->at = 0;
    r->page_left = r->window_at = r->window_n = 0;
    r->n_dictionary = 0;
    return PEN_OK;
}

/* -- bytes -------------------------------------------------------------------------------------------------------------------- */

/* Makes n bytes lie at window.p + at, or as many as the chunk still has; *have says how many. */
static pen_status fetch(struct pen_leaf_reader *r, size_t n, size_t *have, struct pen_error *err)
{
    size_t want;
    pen_status st;
    *have = r->window.n - r->at;
    if (*have >= n || r->pos == r->end)
        return PEN_OK;
    if (*have)
        memmove(r->window.p, r->window.p + r->at, *have);
    r->window.n = *have;
    r->at = 0;
    want = n - *have < FETCH_BYTES ? FETCH_BYTES : n - *have;
    if ((int64_t)want > r->end - r->pos)
        want = (size_t)(r->end - r->pos);
    if ((st = pen_buf_reserve(&r->window, want, err)) < 0 ||
        (st = r->input->read(r->input->arg, r->pos, r->window.p + r->window.n, want, err)) < 0)
        return st;
    r->window.n += want;
    r->pos += (int64_t)want;
    *have = r->window.n;
    return PEN_OK;
}

/* -- headers ------------------------------------------------------------------------------------------------------------------ */

static void read_body_header(struct pen_thrift_in *t, const struct pen_thrift_field *outer, struct page_header *h)
{
    struct pen_thrift_field f = { 0, 0 };
    int version = outer->id == 8 ? 2 : 1;
    if (!pen_thrift_enter(t, outer->type))
        return;
    h->has_body = true;
    h->is_compressed = true;
    h->def_encoding = h->rep_encoding = PQ_RLE;
    while (pen_thrift_next(t, &f)) {
        if (f.id == 1)
            h->values = pen_thrift_get_i32(t, &f);
        else if (f.id == (version == 2 ? 4 : 2))
            h->encoding = pen_thrift_get_i32(t, &f);
        else if (version == 2 && f.id == 2)
            h->nulls = pen_thrift_get_i32(t, &f);
        else if (version == 2 && f.id == 3)
            h->rows = pen_thrift_get_i32(t, &f);
        else if (version == 2 && f.id == 5)
            h->def_bytes = pen_thrift_get_i32(t, &f);
        else if (version == 2 && f.id == 6)
            h->rep_bytes = pen_thrift_get_i32(t, &f);
        else if (version == 2 && f.id == 7)
            h->is_compressed = pen_thrift_get_bool(t, &f);
        else if (outer->id == 5 && f.id == 3)
            h->def_encoding = pen_thrift_get_i32(t, &f);
        else if (outer->id == 5 && f.id == 4)
            h->rep_encoding = pen_thrift_get_i32(t, &f);
        else
            pen_thrift_skip(t, f.type);
    }
    pen_thrift_leave(t);
}

static bool parse_header(const uint8_t *p, size_t n, struct page_header *h, size_t *used)
{
    struct pen_thrift_in t = { .p = p, .end = p + n };
    struct pen_thrift_field f = { 0, 0 };
    memset(h, 0, sizeof *h);
    h->type = -1;
    while (pen_thrift_next(&t, &f)) {
        if (f.id == 1)
            h->type = pen_thrift_get_i32(&t, &f);
        else if (f.id == 2)
            h->uncompressed = pen_thrift_get_i32(&t, &f);
        else if (f.id == 3)
            h->compressed = pen_thrift_get_i32(&t, &f);
        else if (f.id == 4)
            h->crc = (uint32_t)pen_thrift_get_i32(&t, &f), h->has_crc = true;
        else if (f.id == 5 || f.id == 7 || f.id == 8)
            read_body_header(&t, &f, h);
        else
            pen_thrift_skip(&t, f.type);
    }
    *used = (size_t)(t.p - p);
    return !t.bad;
}

static pen_status next_header(struct pen_leaf_reader *r, struct page_header *h, struct pen_error *err)
{
    size_t want = 512, have, used;
    pen_status st;
    for (;;) { /* its length is not known before it is read */
        if ((st = fetch(r, want, &have, err)) < 0)
            return st;
        if (have == 0)
            return pen_leaf_reader_damaged(r, "its pages end before its values", err);
        if (parse_header(r->window.p + r->at, have, h, &used))
            break;
        if (have < want || want >= HEADER_BYTES)
            return pen_leaf_reader_damaged(r, "a page header is damaged", err);
        want *= 8;
    }
    r->at += used;
    if (h->uncompressed < 0 || h->compressed < 0 || h->values < 0 || (size_t)h->uncompressed > PAGE_BYTES ||
        (h->type != PQ_INDEX_PAGE && !h->has_body) ||
        (int64_t)h->compressed > r->end - r->pos + (int64_t)(r->window.n - r->at))
        return pen_leaf_reader_damaged(r, "a page header is damaged", err);
    return PEN_OK;
}

/* -- pages -------------------------------------------------------------------------------------------------------------------- */

/* Restores the bytes of a page of version 1 or a dictionary (plain = 0), or of version 2, whose first `plain` bytes are not compressed. */
static pen_status restore(struct pen_leaf_reader *r, const struct page_header *h, const uint8_t *bytes, size_t plain, struct pen_buf *out,
                          struct pen_error *err)
{
    size_t compressed = (size_t)h->compressed, size = (size_t)h->uncompressed;
    int codec = h->is_compressed ? r->chunk->codec : PQ_UNCOMPRESSED;
    struct pen_error why = { 0 };
    pen_status st;
    if (h->has_crc && pen_crc32(bytes, compressed) != h->crc)
        return pen_leaf_reader_damaged(r, "a page's checksum does not fit its bytes", err);
    if (plain > compressed || plain > size)
        return pen_leaf_reader_damaged(r, "a page's levels are longer than the page", err);
    out->n = 0;
    if (size == plain && compressed == plain)
        codec = PQ_UNCOMPRESSED;
    if ((st = pen_restore_check(codec, bytes + plain, compressed - plain, size - plain, &why)) >= 0) {
        if ((st = pen_buf_reserve(out, size + 8, err)) < 0)
            return st;
        if (plain)
            memcpy(out->p, bytes, plain);
        st = pen_restore(r->restorer, codec, bytes + plain, compressed - plain, out->p + plain, size - plain, &why);
    }
    if (st < 0)
        return pen_leaf_reader_damaged(r, why.msg, err);
    out->n = size;
    return PEN_OK;
}

static pen_status open_dictionary(struct pen_leaf_reader *r, const struct page_header *h, const uint8_t *bytes, struct pen_error *err)
{
    pen_status st;
    if (h->encoding != PQ_PLAIN && h->encoding != PQ_PLAIN_DICTIONARY)
        return pen_leaf_reader_damaged(r, "the dictionary's encoding is not known", err);
    if ((st = restore(r, h, bytes, 0, &r->dictionary, err)) < 0)
        return st;
    return pen_leaf_reader_set_dictionary(r, (size_t)h->values, err);
}

/* The levels of one kind in a page of version 1: a length, then runs. */
static pen_status open_levels(struct pen_leaf_reader *r, struct pen_hybrid *levels, unsigned max, int32_t encoding, const uint8_t **p,
                              const uint8_t *end, struct pen_error *err)
{
    size_t n;
    if (!max)
        return PEN_OK;
    if (encoding != PQ_RLE)
        return pen_leaf_reader_damaged(r, encoding == PQ_BIT_PACKED ? "levels in BIT_PACKED encoding are not supported"
                                                                    : "the levels' encoding is not known", err);
    if (end - *p < 4 || (n = pen_load32(*p)) > (size_t)(end - *p) - 4)
        return pen_leaf_reader_damaged(r, "a page's levels are longer than the page", err);
    pen_hybrid_init(levels, *p + 4, *p + 4 + n, pen_bits_for(max));
    *p += 4 + n;
    return PEN_OK;
}

static pen_status open_page_v1(struct pen_leaf_reader *r, const struct page_header *h, const uint8_t *bytes, struct pen_error *err)
{
    const uint8_t *p, *end;
    pen_status st = restore(r, h, bytes, 0, &r->page, err);
    if (st < 0)
        return st;
    p = r->page.p;
    end = p + r->page.n;
    if ((st = open_levels(r, &r->rep, r->leaf->max_rep, h->rep_encoding, &p, end, err)) < 0 ||
        (st = open_levels(r, &r->def, r->leaf->max_def, h->def_encoding, &p, end, err)) < 0)
        return st;
    return pen_leaf_reader_begin_values(r, p, end, err);
}

static pen_status open_page_v2(struct pen_leaf_reader *r, const struct page_header *h, const uint8_t *bytes, struct pen_error *err)
{
    size_t rep, def;
    pen_status st;
    if (h->def_bytes < 0 || h->rep_bytes < 0)
        return pen_leaf_reader_damaged(r, "a page header is damaged", err);
    rep = (size_t)h->rep_bytes;
    def = (size_t)h->def_bytes;
    if ((st = restore(r, h, bytes, rep + def, &r->page, err)) < 0)
        return st;
    pen_hybrid_init(&r->rep, r->page.p, r->page.p + rep, pen_bits_for(r->leaf->max_rep));
    pen_hybrid_init(&r->def, r->page.p + rep, r->page.p + rep + def, pen_bits_for(r->leaf->max_def));
    return pen_leaf_reader_begin_values(r, r->page.p + rep + def, r->page.p + r->page.n, err);
}

/* Opens the next data page, and the dictionary on the way. */
static pen_status next_page(struct pen_leaf_reader *r, struct pen_error *err)
{
    while (r->page_left == 0) {
        struct page_header h;
        size_t have;
        const uint8_t *bytes;
        pen_status st = next_header(r, &h, err);
        if (st < 0 || (st = fetch(r, (size_t)h.compressed, &have, err)) < 0)
            return st;
        if (have < (size_t)h.compressed)
            return pen_leaf_reader_damaged(r, "its last page is cut off", err);
        bytes = r->window.p + r->at;
        r->at += (size_t)h.compressed;
        if (h.type == PQ_DICTIONARY_PAGE) {
            if ((st = open_dictionary(r, &h, bytes, err)) < 0)
                return st;
            continue;
        }
        if ((h.type != PQ_DATA_PAGE && h.type != PQ_DATA_PAGE_V2) || h.values == 0)
            continue;
        if (h.values > r->left)
            return pen_leaf_reader_damaged(r, "its pages hold more values than the footer says", err);
        r->encoding = h.encoding;
        st = h.type == PQ_DATA_PAGE ? open_page_v1(r, &h, bytes, err) : open_page_v2(r, &h, bytes, err);
        if (st < 0)
            return st;
        r->left -= h.values;
        r->page_left = (size_t)h.values;
    }
    return PEN_OK;
}

/* -- rows --------------------------------------------------------------------------------------------------------------------- */

/* From now on the batch's definition levels are kept one by one. */
static pen_status keep_levels(struct pen_leaf_reader *r, size_t more, struct pen_error *err)
{
    pen_status st = pen_buf_reserve(&r->def_out, r->levels - r->def_out.n + more, err);
    if (st < 0)
        return st;
    if (r->def_out.n < r->levels)
        memset(r->def_out.p + r->def_out.n, r->leaf->max_def, r->levels - r->def_out.n);
    r->def_out.n = r->levels;
    return PEN_OK;
}

static pen_status flat_rows(struct pen_leaf_reader *r, size_t n, struct pen_error *err)
{
    while (r->levels < n) {
        size_t m, full = 0;
        pen_status st = next_page(r, err);
        if (st < 0)
            return st;
        m = n - r->levels < r->page_left ? n - r->levels : r->page_left;
        if (r->leaf->max_def == 0) {
            full = m;
        } else if ((full = pen_hybrid_take_run(&r->def, r->leaf->max_def, m)) > 0) {
            m = full;
            if (r->def_out.n && (st = keep_levels(r, 0, err)) < 0)
                return st;
            if (r->def_out.n && (st = pen_buf_reserve(&r->def_out, m, err)) < 0)
                return st;
            if (r->def_out.n) {
                memset(r->def_out.p + r->def_out.n, r->leaf->max_def, m);
                r->def_out.n += m;
            }
        } else {
            if ((st = keep_levels(r, m, err)) < 0)
                return st;
            if (!pen_hybrid_levels(&r->def, r->def_out.p + r->def_out.n, m, r->leaf->max_def, &full))
                return pen_leaf_reader_damaged(r, "a page's levels are damaged", err);
            r->def_out.n += m;
        }
        r->levels += m;
        r->page_left -= m;
        if ((st = pen_leaf_reader_values(r, full, err)) < 0)
            return st;
    }
    return PEN_OK;
}

/* Fills the window of levels from the page that is open. */
static pen_status fill_window(struct pen_leaf_reader *r, struct pen_error *err)
{
    size_t ignored = 0;
    pen_status st = next_page(r, err);
    if (st < 0)
        return st;
    r->window_at = 0;
    r->window_n = r->page_left < PEN_LEVEL_WINDOW ? r->page_left : PEN_LEVEL_WINDOW;
    r->page_left -= r->window_n;
    if (!pen_hybrid_levels(&r->rep, r->rep_window, r->window_n, r->leaf->max_rep, &ignored))
        return pen_leaf_reader_damaged(r, "a page's levels are damaged", err);
    memset(r->def_window, 0, r->window_n);
    if (r->leaf->max_def && !pen_hybrid_levels(&r->def, r->def_window, r->window_n, r->leaf->max_def, &ignored))
        return pen_leaf_reader_damaged(r, "a page's levels are damaged", err);
    return PEN_OK;
}

static pen_status nested_rows(struct pen_leaf_reader *r, size_t n, struct pen_error *err)
{
    size_t rows = 0;
    for (;;) {
        size_t from, full = 0;
        pen_status st;
        if (r->window_at == r->window_n) {
            if (r->page_left == 0 && r->left == 0 && rows == n)
                return PEN_OK;
            if ((st = fill_window(r, err)) < 0)
                return st;
        }
        for (from = r->window_at; r->window_at < r->window_n; r->window_at++) {
            if (r->rep_window[r->window_at] == 0 && rows++ == n)
                break;
            full += r->def_window[r->window_at] == r->leaf->max_def;
        }
        if (rows == 0 || r->levels > ROW_LEVELS)
            return pen_leaf_reader_damaged(r, rows ? "a list is too long" : "its lists do not begin with a row", err);
        if ((st = pen_buf_put(&r->def_out, r->def_window + from, r->window_at - from, err)) < 0 ||
            (st = pen_buf_put(&r->rep_out, r->rep_window + from, r->window_at - from, err)) < 0)
            return st;
        r->levels += r->window_at - from;
        if ((st = pen_leaf_reader_values(r, full, err)) < 0)
            return st;
        if (rows > n)
            return PEN_OK;
    }
}

pen_status pen_leaf_reader_rows(struct pen_leaf_reader *r, int64_t n, struct pen_error *err)
{
    r->levels = r->values = 0;
    r->def_out.n = r->rep_out.n = r->fixed.n = r->lengths.n = r->bytes.n = 0;
    if (pen_leaf_value_size(r->leaf) == 0 && pen_buf_reserve(&r->bytes, r->bytes_hint, err) < 0)
        return PEN_FATAL;
    return n == 0 ? PEN_OK : r->leaf->max_rep ? nested_rows(r, (size_t)n, err) : flat_rows(r, (size_t)n, err);
}
