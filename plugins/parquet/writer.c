/* writer.c - a Parquet file: row groups out of columns, the page index, the footer.
 * The compressed pages of a row group wait in memory until its columns can be written one after another; nothing else waits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "column.h"

#define SLICE_ROWS 8192                 /* rows that go through all columns before the sizes are looked at */
#define ROW_GROUP_ROWS 1048576
#define WRITE_BYTES ((size_t)64 << 10)  /* smaller pieces are gathered */

/* A column chunk that has been written. */
struct chunk {
    int64_t dictionary_offset, data_offset; /* in the file; dictionary 0: none */
    int64_t compressed, uncompressed, levels, nulls;
    int32_t pages_of[PQ_BYTE_STREAM_SPLIT + 1];
    size_t column_index, column_index_n, offset_index, offset_index_n; /* in the writer's buffers; column_index_n 0: none */
    struct pen_bounds bounds;
};

struct pen_parquet_shared {
    struct pen_codec *codec;
    struct pen_shredder shredder;
    struct pen_buf scratch;
    struct pen_column_memory *memory; /* one a leaf */
};

struct pen_parquet_writer {
    struct ArrowSchema schema;
    struct pen_leaf *leaves;
    struct pen_column_writer *columns; /* one a leaf, as are the two below */
    struct pen_parquet_stats *stats;
    uint8_t (*stats_room)[2][PQ_BOUND_BYTES + 1];
    size_t n;
    struct pen_parquet_shared *shared, *own; /* own: the same, where the caller gave none */
    int64_t row_group_bytes;
    size_t page_bytes;
    pen_parquet_write write;
    void *arg;
    struct pen_buf out;          /* not yet handed to write() */
    int64_t offset;              /* in the file, of the next byte */
    int64_t rows, group_rows;    /* of the file, and of the open row group */
    struct pen_buf chunks;       /* struct chunk, n for each row group */
    struct pen_buf groups;       /* int64_t rows of each row group */
    struct pen_buf column_index, offset_index;
    struct pen_buf metadata;     /* the caller's keys and values, as list elements */
    size_t n_metadata;
};

static pen_status copy_metadata(struct pen_parquet_writer *w, const char *const *metadata, struct pen_error *err)
{
    struct pen_thrift_out t;
    pen_thrift_start(&t, &w->metadata);
    for (; metadata && metadata[0] && metadata[1]; metadata += 2, w->n_metadata++) {
        pen_thrift_begin(&t, 0);
        pen_thrift_put_binary(&t, 1, metadata[0], strlen(metadata[0]));
        pen_thrift_put_binary(&t, 2, metadata[1], strlen(metadata[1]));
        pen_thrift_end(&t);
    }
    return t.failed ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

/* -- bytes to the file -------------------------------------------------------------------------------------------------------- */

static pen_status flush_bytes(struct pen_parquet_writer *w, struct pen_error *err)
{
    pen_status st = w->out.n ? w->write(w->arg, w->out.p, w->out.n, err) : PEN_OK;
    w->out.n = 0;
    return st;
}

static pen_status put_bytes(struct pen_parquet_writer *w, const void *bytes, size_t n, struct pen_error *err)
{
    pen_status st = PEN_OK;
    w->offset += (int64_t)n;
    if (w->out.n + n > WRITE_BYTES)
        st = flush_bytes(w, err);
    if (st < 0)
        return st;
    return n >= WRITE_BYTES ? w->write(w->arg, bytes, n, err) : pen_buf_put(&w->out, bytes, n, err);
}

/* -- one row group ------------------------------------------------------------------------------------------------------------ */

/* Appends the column index of a chunk (parquet.thrift, ColumnIndex), unless a page with values has no bounds. */
static pen_status put_column_index(struct pen_parquet_writer *w, const struct pen_column_writer *c, struct chunk *chunk,
                                   struct pen_error *err)
{
    size_t n, size, at = w->column_index.n;
    const struct pen_page *page = pen_column_pages(c, &n);
    uint8_t bound[PQ_BOUND_BYTES + 1];
    struct pen_thrift_out t;
    bool exact;
    pen_status st;
    for (size_t i = 0; i < n; i++)
        for (int max = 0; max < 2; max++)
            if (!page[i].no_values && !pen_bounds_encode(&page[i].bounds, c->leaf, max, bound, &size, &exact))
                return PEN_OK;
    pen_thrift_start(&t, &w->column_index);
    pen_thrift_put_list(&t, 1, THRIFT_TRUE, n);
    for (size_t i = 0; i < n; i++)
        pen_thrift_add_bool(&t, page[i].no_values);
    for (int max = 0; max < 2; max++) {
        pen_thrift_put_list(&t, (int16_t)(2 + max), THRIFT_BINARY, n);
        for (size_t i = 0; i < n; i++) {
            size = 0;
            if (!page[i].no_values)
                pen_bounds_encode(&page[i].bounds, c->leaf, max, bound, &size, &exact);
            pen_thrift_add_binary(&t, bound, size);
        }
    }
    pen_thrift_put_i32(&t, 4, 0); /* in no order */
    pen_thrift_put_list(&t, 5, THRIFT_I64, n);
    for (size_t i = 0; i < n; i++)
        pen_thrift_add_i64(&t, page[i].nulls);
    if ((st = pen_thrift_finish(&t, err)) < 0)
        return st;
    chunk->column_index = at;
    chunk->column_index_n = w->column_index.n - at;
    return PEN_OK;
}

/* Appends the offset index; data_offset is where the chunk's data pages begin in the file. */
static pen_status put_offset_index(struct pen_parquet_writer *w, const struct pen_column_writer *c, struct chunk *chunk,
                                   struct pen_error *err)
{
    size_t n;
    const struct pen_page *page = pen_column_pages(c, &n);
    int64_t offset = chunk->data_offset;
    struct pen_thrift_out t;
    chunk->offset_index = w->offset_index.n;
    pen_thrift_start(&t, &w->offset_index);
    pen_thrift_put_list(&t, 1, THRIFT_STRUCT, n);
    for (size_t i = 0; i < n; i++) {
        pen_thrift_begin(&t, 0);
        pen_thrift_put_i64(&t, 1, offset);
        pen_thrift_put_i32(&t, 2, (int32_t)page[i].size);
        pen_thrift_put_i64(&t, 3, page[i].first_row);
        pen_thrift_end(&t);
        offset += (int64_t)page[i].size;
    }
    chunk->offset_index_n = 0;
    if (pen_thrift_finish(&t, err) < 0)
        return PEN_FATAL;
    chunk->offset_index_n = w->offset_index.n - chunk->offset_index;
    return PEN_OK;
}

static pen_status write_chunk(struct pen_parquet_writer *w, struct pen_column_writer *c, struct pen_error *err)
{
    struct chunk chunk;
    size_t n;
    const struct pen_page *page;
    pen_status st = pen_column_end(c, err);
    if (st < 0)
        return st;
    page = pen_column_pages(c, &n);
    memset(&chunk, 0, sizeof chunk);
    if (c->dictionary_page.n) {
        chunk.dictionary_offset = w->offset;
        if ((st = put_bytes(w, c->dictionary_page.p + c->dictionary_at, c->dictionary_page.n - c->dictionary_at, err)) < 0)
            return st;
    }
    chunk.data_offset = w->offset;
    for (size_t i = 0; i < n; i++)
        if ((st = put_bytes(w, c->pages.p + page[i].at, page[i].size, err)) < 0)
            return st;
    chunk.compressed = w->offset - (chunk.dictionary_offset ? chunk.dictionary_offset : chunk.data_offset);
    chunk.uncompressed = c->uncompressed;
    chunk.levels = c->chunk_levels;
    chunk.nulls = c->chunk_nulls;
    memcpy(chunk.pages_of, c->pages_of, sizeof chunk.pages_of);
    chunk.bounds = c->chunk_bounds;
    if ((st = put_column_index(w, c, &chunk, err)) < 0 || (st = put_offset_index(w, c, &chunk, err)) < 0)
        return st;
    pen_column_reset(c);
    return pen_buf_put(&w->chunks, &chunk, sizeof chunk, err);
}

pen_status pen_parquet_writer_flush(struct pen_parquet_writer *w, struct pen_error *err)
{
    pen_status st;
    if (w->group_rows == 0)
        return PEN_OK;
    for (size_t i = 0; i < w->n; i++)
        if ((st = write_chunk(w, &w->columns[i], err)) < 0)
            return st;
    if ((st = pen_buf_put(&w->groups, &w->group_rows, sizeof w->group_rows, err)) < 0)
        return st;
    w->group_rows = 0;
    return PEN_OK;
}

static int64_t group_size(const struct pen_parquet_writer *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n && w->group_rows; i++)
        n += pen_column_size(&w->columns[i]);
    return (int64_t)n;
}

pen_status pen_parquet_writer_batch(struct pen_parquet_writer *w, const struct ArrowArray *batch, struct pen_error *err)
{
    pen_status st;
    for (int64_t first = 0, n; first < batch->length; first += n) {
        n = batch->length - first < SLICE_ROWS ? batch->length - first : SLICE_ROWS;
        for (size_t i = 0; i < w->n; i++) {
            const struct pen_leaf *leaf = &w->leaves[i];
            for (int64_t at = first, m; at < first + n; at += m) {
                struct pen_slice slice;
                m = pen_shred_fit(leaf, batch, at, first + n - at, w->page_bytes / 4);
                if ((st = pen_shred(&w->shared->shredder, leaf, batch, at, m, &slice, err)) < 0 ||
                    (st = pen_column_append(&w->columns[i], &slice, err)) < 0)
                    return st;
            }
        }
        w->rows += n;
        w->group_rows += n;
        if ((group_size(w) >= w->row_group_bytes || w->group_rows >= ROW_GROUP_ROWS) && (st = pen_parquet_writer_flush(w, err)) < 0)
            return st;
    }
    return PEN_OK;
}

/* -- the footer --------------------------------------------------------------------------------------------------------------- */

static void put_statistics(struct pen_thrift_out *t, const struct chunk *chunk, const struct pen_leaf *leaf)
{
    uint8_t min[PQ_BOUND_BYTES + 1], max[PQ_BOUND_BYTES + 1];
    size_t n_min, n_max;
    bool min_exact, max_exact, has_min, has_max;
    has_min = pen_bounds_encode(&chunk->bounds, leaf, false, min, &n_min, &min_exact);
    has_max = pen_bounds_encode(&chunk->bounds, leaf, true, max, &n_max, &max_exact);
    pen_thrift_begin(t, 12);
    pen_thrift_put_i64(t, 3, chunk->nulls);
    if (has_max)
        pen_thrift_put_binary(t, 5, max, n_max);
    if (has_min)
        pen_thrift_put_binary(t, 6, min, n_min);
    if (has_max)
        pen_thrift_put_bool(t, 7, max_exact);
    if (has_min)
        pen_thrift_put_bool(t, 8, min_exact);
    pen_thrift_end(t);
}

static void put_encodings(struct pen_thrift_out *t, const struct chunk *chunk)
{
    static const uint8_t order[] = { PQ_PLAIN, PQ_DELTA_BINARY_PACKED, PQ_DELTA_LENGTH_BYTE_ARRAY, PQ_RLE_DICTIONARY };
    bool used[sizeof order];
    size_t n = 0;
    for (size_t i = 0; i < sizeof order; i++) {
        used[i] = chunk->pages_of[order[i]] > 0 || (order[i] == PQ_PLAIN && chunk->dictionary_offset);
        n += used[i];
    }
    pen_thrift_put_list(t, 2, THRIFT_I32, n + 1);
    for (size_t i = 0; i < sizeof order; i++)
        if (used[i])
            pen_thrift_add_i64(t, order[i]);
    pen_thrift_add_i64(t, PQ_RLE); /* the levels */
}

static void put_encoding_stats(struct pen_thrift_out *t, const struct chunk *chunk)
{
    size_t n = chunk->dictionary_offset ? 1 : 0;
    for (size_t i = 0; i <= PQ_BYTE_STREAM_SPLIT; i++)
        n += chunk->pages_of[i] > 0;
    pen_thrift_put_list(t, 13, THRIFT_STRUCT, n);
    for (size_t i = 0; i <= PQ_BYTE_STREAM_SPLIT + 1; i++) {
        bool dictionary = i > PQ_BYTE_STREAM_SPLIT;
        if (dictionary ? !chunk->dictionary_offset : !chunk->pages_of[i])
            continue;
        pen_thrift_begin(t, 0);
        pen_thrift_put_i32(t, 1, dictionary ? PQ_DICTIONARY_PAGE : PQ_DATA_PAGE);
        pen_thrift_put_i32(t, 2, dictionary ? PQ_PLAIN : (int32_t)i);
        pen_thrift_put_i32(t, 3, dictionary ? 1 : chunk->pages_of[i]);
        pen_thrift_end(t);
    }
}

static void put_chunk(const struct pen_parquet_writer *w, struct pen_thrift_out *t, const struct chunk *chunk, const struct pen_leaf *leaf,
                      int64_t column_indexes, int64_t offset_indexes)
{
    pen_thrift_begin(t, 0);
    pen_thrift_put_i64(t, 2, 0); /* file_offset: deprecated */
    pen_thrift_begin(t, 3);
    pen_thrift_put_i32(t, 1, leaf->physical);
    put_encodings(t, chunk);
    pen_thrift_put_list(t, 3, THRIFT_BINARY, leaf->n_path);
    for (size_t i = 0; i < leaf->n_path; i++)
        pen_thrift_add_binary(t, leaf->path[i], strlen(leaf->path[i]));
    pen_thrift_put_i32(t, 4, pen_codec_number(w->shared->codec));
    pen_thrift_put_i64(t, 5, chunk->levels);
    pen_thrift_put_i64(t, 6, chunk->uncompressed);
    pen_thrift_put_i64(t, 7, chunk->compressed);
    pen_thrift_put_i64(t, 9, chunk->data_offset);
    if (chunk->dictionary_offset)
        pen_thrift_put_i64(t, 11, chunk->dictionary_offset);
    put_statistics(t, chunk, leaf);
    put_encoding_stats(t, chunk);
    pen_thrift_end(t);
    pen_thrift_put_i64(t, 4, offset_indexes + (int64_t)chunk->offset_index);
    pen_thrift_put_i32(t, 5, (int32_t)chunk->offset_index_n);
    if (chunk->column_index_n) {
        pen_thrift_put_i64(t, 6, column_indexes + (int64_t)chunk->column_index);
        pen_thrift_put_i32(t, 7, (int32_t)chunk->column_index_n);
    }
    pen_thrift_end(t);
}

static void put_group(const struct pen_parquet_writer *w, struct pen_thrift_out *t, size_t group, int64_t column_indexes,
                      int64_t offset_indexes)
{
    const struct chunk *chunk = (const struct chunk *)(const void *)w->chunks.p + group * w->n;
    int64_t compressed = 0, uncompressed = 0;
    pen_thrift_begin(t, 0);
    pen_thrift_put_list(t, 1, THRIFT_STRUCT, w->n);
    for (size_t i = 0; i < w->n; i++) {
        put_chunk(w, t, &chunk[i], &w->leaves[i], column_indexes, offset_indexes);
        compressed += chunk[i].compressed;
        uncompressed += chunk[i].uncompressed;
    }
    pen_thrift_put_i64(t, 2, uncompressed);
    pen_thrift_put_i64(t, 3, ((const int64_t *)(const void *)w->groups.p)[group]);
    pen_thrift_put_i64(t, 5, chunk->dictionary_offset ? chunk->dictionary_offset : chunk->data_offset);
    pen_thrift_put_i64(t, 6, compressed);
    if (group <= INT16_MAX)
        pen_thrift_put_i16(t, 7, (int16_t)group);
    pen_thrift_end(t);
}

static pen_status put_footer(struct pen_parquet_writer *w, int64_t column_indexes, int64_t offset_indexes, struct pen_error *err)
{
    static const char created_by[] = "penstock version " PACKAGE_VERSION " (build " PACKAGE_TARNAME ")";
    struct pen_buf footer = { 0 };
    struct pen_thrift_out t;
    size_t groups = w->groups.n / sizeof(int64_t);
    uint8_t tail[8];
    pen_status st;
    pen_thrift_start(&t, &footer);
    pen_thrift_put_i32(&t, 1, 2);
    pen_leaves_put_schema(&t, &w->schema);
    pen_thrift_put_i64(&t, 3, w->rows);
    pen_thrift_put_list(&t, 4, THRIFT_STRUCT, groups);
    for (size_t g = 0; g < groups; g++)
        put_group(w, &t, g, column_indexes, offset_indexes);
    if (w->n_metadata) {
        pen_thrift_put_list(&t, 5, THRIFT_STRUCT, w->n_metadata);
        t.failed |= pen_buf_put(&footer, w->metadata.p, w->metadata.n, NULL) < 0;
    }
    pen_thrift_put_binary(&t, 6, created_by, strlen(created_by));
    pen_thrift_put_list(&t, 7, THRIFT_STRUCT, w->n);
    for (size_t i = 0; i < w->n; i++) {
        pen_thrift_begin(&t, 0);
        pen_thrift_begin(&t, 1); /* each type in its own order */
        pen_thrift_end(&t);
        pen_thrift_end(&t);
    }
    st = pen_thrift_finish(&t, err);
    if (st >= 0 && footer.n > INT32_MAX)
        st = pen_fail(err, PEN_FATAL, "a Parquet footer of %zu bytes is more than the format allows", footer.n);
    if (st >= 0) {
        pen_store32(tail, (uint32_t)footer.n);
        memcpy(tail + 4, PQ_MAGIC, 4);
        st = put_bytes(w, footer.p, footer.n, err);
    }
    pen_buf_free(&footer);
    return st < 0 ? st : put_bytes(w, tail, sizeof tail, err);
}

/* Statistics of the whole file, from those of its chunks. */
static void sum_stats(struct pen_parquet_writer *w)
{
    const struct chunk *chunk = (const struct chunk *)(const void *)w->chunks.p;
    size_t groups = w->groups.n / sizeof(int64_t);
    for (size_t i = 0; i < w->n; i++) {
        struct pen_parquet_stats *s = &w->stats[i];
        struct pen_bounds all;
        memset(&all, 0, sizeof all);
        for (size_t g = 0; g < groups; g++) {
            s->values += chunk[g * w->n + i].levels - chunk[g * w->n + i].nulls;
            s->nulls += chunk[g * w->n + i].nulls;
            pen_bounds_merge(&all, &w->leaves[i], &chunk[g * w->n + i].bounds);
        }
        s->has_bounds = !s->in_list &&
                        pen_bounds_value(&all, &w->leaves[i], false, &s->min, w->stats_room[i][0], &s->min_exact) &&
                        pen_bounds_value(&all, &w->leaves[i], true, &s->max, w->stats_room[i][1], &s->max_exact);
    }
}

/* What only open row groups need: writers that wait for their statistics to be read stay small. */
static void free_columns(struct pen_parquet_writer *w)
{
    for (size_t i = 0; w->columns && i < w->n; i++)
        pen_column_fini(&w->columns[i]);
    pen_parquet_shared_free(&w->own);
    w->shared = NULL;
    pen_buf_free(&w->out);
    pen_buf_free(&w->column_index);
    pen_buf_free(&w->offset_index);
    pen_buf_free(&w->chunks);
    pen_buf_free(&w->groups);
    pen_buf_free(&w->metadata);
}

pen_status pen_parquet_writer_close(struct pen_parquet_writer *w, struct pen_error *err)
{
    int64_t column_indexes, offset_indexes;
    pen_status st = pen_parquet_writer_flush(w, err);
    if (st < 0)
        return st;
    column_indexes = w->offset;
    if ((st = put_bytes(w, w->column_index.p, w->column_index.n, err)) < 0)
        return st;
    offset_indexes = w->offset;
    if ((st = put_bytes(w, w->offset_index.p, w->offset_index.n, err)) < 0 ||
        (st = put_footer(w, column_indexes, offset_indexes, err)) < 0 || (st = flush_bytes(w, err)) < 0)
        return st;
    sum_stats(w);
    free_columns(w);
    return PEN_OK;
}

/* -- what writers share ------------------------------------------------------------------------------------------------------- */

pen_status pen_parquet_shared_new(struct pen_parquet_shared **out, const struct ArrowSchema *schema,
                                  const struct pen_compression *compression, struct pen_error *err)
{
    struct pen_parquet_shared *s = calloc(1, sizeof *s);
    struct pen_leaf *leaves;
    size_t n;
    pen_status st;
    *out = NULL;
    if (!s)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if ((st = pen_leaves_new(&leaves, &n, schema, err)) >= 0) {
        pen_leaves_free(leaves, n);
        s->memory = calloc(n, sizeof *s->memory);
        st = s->memory ? pen_codec_new(&s->codec, compression, err) : pen_fail(err, PEN_FATAL, "out of memory");
    }
    if (st < 0)
        pen_parquet_shared_free(&s);
    *out = s;
    return st;
}

void pen_parquet_shared_free(struct pen_parquet_shared **s)
{
    if (!*s)
        return;
    pen_codec_free(&(*s)->codec);
    pen_shredder_fini(&(*s)->shredder);
    pen_buf_free(&(*s)->scratch);
    free((*s)->memory);
    free(*s);
    *s = NULL;
}

size_t pen_parquet_shared_held(const struct pen_parquet_shared *s)
{
    return sizeof *s + pen_shredder_held(&s->shredder) + s->scratch.cap + pen_codec_held(s->codec);
}

/* -- beginning and end -------------------------------------------------------------------------------------------------------- */

void pen_parquet_writer_free(struct pen_parquet_writer **out)
{
    struct pen_parquet_writer *w = *out;
    if (!w)
        return;
    free_columns(w);
    free(w->columns);
    free(w->stats);
    free(w->stats_room);
    pen_leaves_free(w->leaves, w->n);
    pen_schema_release(&w->schema);
    free(w);
    *out = NULL;
}

pen_status pen_parquet_writer_new(struct pen_parquet_writer **out, const struct ArrowSchema *schema,
                                  const struct pen_parquet_options *options, pen_parquet_write write, void *arg, struct pen_error *err)
{
    struct pen_parquet_writer *w = calloc(1, sizeof *w);
    pen_status st;
    *out = NULL;
    if (!w)
        return pen_fail(err, PEN_FATAL, "out of memory");
    w->row_group_bytes = options->row_group_bytes > 0 ? options->row_group_bytes : 8 << 20;
    w->page_bytes = options->page_bytes > 0 ? (size_t)options->page_bytes : (size_t)1 << 20;
    w->write = write;
    w->arg = arg;
    if ((st = pen_schema_copy(&w->schema, schema, err)) < 0 || (st = pen_leaves_new(&w->leaves, &w->n, &w->schema, err)) < 0 ||
        (!options->shared && (st = pen_parquet_shared_new(&w->own, schema, &options->compression, err)) < 0) || (st = copy_metadata(w, options->metadata, err)) < 0)
        goto fail;
    w->shared = options->shared ? options->shared : w->own;
    w->columns = calloc(w->n, sizeof *w->columns);
    w->stats = calloc(w->n, sizeof *w->stats);
    w->stats_room = calloc(w->n, sizeof *w->stats_room);
    if (!w->columns || !w->stats || !w->stats_room) {
        st = pen_fail(err, PEN_FATAL, "out of memory");
        goto fail;
    }
    for (size_t i = 0; i < w->n; i++) {
        const struct pen_leaf *leaf = &w->leaves[i];
        pen_column_init(&w->columns[i], leaf, w->shared->codec, &w->shared->memory[i], &w->shared->scratch, w->page_bytes);
        w->stats[i].path = leaf->names;
        w->stats[i].depth = leaf->n_names;
        w->stats[i].field = leaf->field;
        w->stats[i].in_list = leaf->max_rep > 0;
    }
    if ((st = put_bytes(w, PQ_MAGIC, 4, err)) < 0)
        goto fail;
    *out = w;
    return PEN_OK;
fail:
    pen_parquet_writer_free(&w);
    return st;
}

int64_t pen_parquet_writer_rows(const struct pen_parquet_writer *w)
{
    return w->rows;
}

int64_t pen_parquet_writer_size(const struct pen_parquet_writer *w)
{
    return w->offset + (w->shared ? group_size(w) : 0);
}

size_t pen_parquet_writer_held(const struct pen_parquet_writer *w)
{
    size_t n = sizeof *w + w->out.cap + w->chunks.cap + w->column_index.cap +
               w->offset_index.cap;
    for (size_t i = 0; w->shared && i < w->n; i++)
        n += pen_column_held(&w->columns[i]);
    return n + (w->own ? pen_parquet_shared_held(w->own) : 0);
}

const struct pen_parquet_stats *pen_parquet_writer_stats(const struct pen_parquet_writer *w, size_t *n)
{
    *n = w->n;
    return w->stats;
}
