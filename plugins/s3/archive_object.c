/* archive_object.c - an object that is being written: messages as lines, compressed as a whole, or a Parquet file. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "archive.h"

void open_object_free(struct open_object *o)
{
    pen_parquet_writer_free(&o->parquet);
    pen_text_fini(&o->bytes);
    free(o->rows);
    free(o->folder);
    free(o);
}

/* -- lines ------------------------------------------------------------------------------------------------------------------------------------------- */

static bool pack_gzip(struct pen_text *to, const struct pen_text *from, int level)
{
    z_stream z = { .next_in = (Bytef *)from->bytes, .avail_in = (uInt)from->n };
    size_t bound;
    char *room;
    bool good;
    if (deflateInit2(&z, level > 9 ? 9 : level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bound = deflateBound(&z, (uLong)from->n);
    if ((room = malloc(bound))) {
        z.next_out = (Bytef *)room;
        z.avail_out = (uInt)bound;
    }
    good = room && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (good)
        pen_text_append(to, room, bound - z.avail_out);
    free(room);
    deflateEnd(&z);
    return good;
}

static bool pack_zstd(struct pen_text *to, const struct pen_text *from, int level)
{
    size_t bound = ZSTD_compressBound(from->n), n;
    char *room = malloc(bound);
    if (!room)
        return false;
    n = ZSTD_compress(room, bound, from->bytes, from->n, level);
    if (!ZSTD_isError(n))
        pen_text_append(to, room, n);
    free(room);
    return !ZSTD_isError(n);
}

static bool pack(const struct archive *a, struct pen_text *to, const struct pen_text *from)
{
    if (a->compression == ARCHIVE_GZIP)
        return pack_gzip(to, from, (int)a->level);
    if (a->compression == ARCHIVE_ZSTD && a->format == ARCHIVE_LINES)
        return pack_zstd(to, from, (int)a->level);
    pen_text_append(to, from->bytes, from->n);
    return true;
}

/* -- Parquet ------------------------------------------------------------------------------------------------------------------------------------------ */

pen_status archive_shared_new(const struct archive *a, struct pen_parquet_shared **out, struct pen_error *err)
{
    const struct pen_compression c = { a->compression == ARCHIVE_ZSTD ? PEN_CODEC_ZSTD : a->compression == ARCHIVE_SNAPPY ? PEN_CODEC_SNAPPY : PEN_CODEC_NONE,
                                       (int)a->level };
    return pen_parquet_shared_new(out, &a->schema, &c, err);
}

static pen_status take_bytes(void *arg, const void *bytes, size_t n, struct pen_error *err)
{
    struct pen_text *to = arg;
    pen_text_append(to, bytes, n);
    return pen_text_failed(to) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

static pen_status add_row(struct open_object *o, int64_t row, struct pen_error *err)
{
    if (o->n_rows == o->cap_rows) {
        size_t cap = o->cap_rows ? o->cap_rows * 2 : 64;
        int64_t *rows = realloc(o->rows, cap * sizeof *rows);
        if (!rows)
            return pen_fail(err, PEN_FATAL, "out of memory");
        o->rows = rows;
        o->cap_rows = cap;
    }
    o->rows[o->n_rows++] = row;
    return PEN_OK;
}

pen_status open_object_flush(const struct archive *a, struct open_object *o, struct pen_parquet_shared *shared, const struct ArrowArray *batch,
                             struct pen_error *err)
{
    const struct pen_parquet_options options = { .shared = shared };
    struct ArrowArray part = { 0 };
    pen_status st = PEN_OK;
    if (!o->n_rows)
        return PEN_OK;
    if (!o->parquet)
        st = pen_parquet_writer_new(&o->parquet, &a->schema, &options, take_bytes, &o->bytes, err);
    if (st >= 0 && (size_t)(o->rows[o->n_rows - 1] - o->rows[0]) == o->n_rows - 1) /* one behind the other */
        st = pen_array_slice(&part, batch, o->rows[0], (int64_t)o->n_rows, err);
    else if (st >= 0)
        st = pen_array_take(&part, &a->schema, batch, o->rows, (int64_t)o->n_rows, err);
    if (st >= 0)
        st = pen_parquet_writer_batch(o->parquet, &part, err);
    pen_array_release(&part);
    o->n_rows = 0;
    return st;
}

/* -- either -------------------------------------------------------------------------------------------------------------------------------------------- */

pen_status open_object_add(const struct archive *a, struct open_object *o, const char *value, size_t n, int64_t row, struct pen_error *err)
{
    if (a->format == ARCHIVE_PARQUET)
        return add_row(o, row, err);
    pen_text_append(&o->bytes, value, n);
    pen_text_append(&o->bytes, "\n", 1);
    return pen_text_failed(&o->bytes) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

size_t open_object_held(const struct open_object *o)
{
    return o->bytes.cap + (o->parquet ? pen_parquet_writer_held(o->parquet) : 0);
}

size_t open_object_size(const struct open_object *o)
{
    return o->parquet ? (size_t)pen_parquet_writer_size(o->parquet) : o->bytes.n;
}

pen_status open_object_close(const struct archive *a, struct open_object *o, struct pen_text *done, struct pen_error *err)
{
    pen_status st = o->parquet ? pen_parquet_writer_close(o->parquet, err) : PEN_OK;
    return st < 0 ? st : pack(a, done, &o->bytes) ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}
