/* column.h - one leaf column of the row group that is being written: pages, dictionary, statistics.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_COLUMN_H
#define PENSTOCK_PARQUET_COLUMN_H

#include "codec.h"
#include "dict.h"

typedef enum { PEN_PAGES_DICTIONARY, PEN_PAGES_DIRECT } pen_pages_mode;

/* A page in the chunk. */
struct pen_page {
    size_t at, size;     /* header and body in `pages` */
    int64_t first_row;   /* of the row group */
    int64_t rows, nulls;
    bool no_values;      /* all is null */
    struct pen_bounds bounds;
};

/* What was learned about a column; kept from file to file. */
struct pen_column_memory {
    struct pen_codec_tuning tuning[2]; /* by pen_pages_mode */
    bool tuned[2];
    unsigned hopeless;                 /* this many more row groups begin without a dictionary */
    unsigned given_up;                 /* how often the dictionary did not pay */
};

struct pen_column_writer {
    const struct pen_leaf *leaf;
    struct pen_codec *codec;
    struct pen_column_memory *memory;
    struct pen_buf *scratch;           /* shared by the columns of a file */
    size_t page_bytes;
    pen_pages_mode mode;
    bool delta;                        /* direct integers as differences; decided by the chunk's first direct page */
    bool delta_known;

    /* the page that is open */
    size_t rows, levels, values;
    size_t raw;              /* bytes of its values, PLAIN */
    struct pen_buf validity; /* flat: a bit a row; else def and rep */
    struct pen_buf def, rep;
    struct pen_buf body;     /* direct: the values, behind room for what comes before them in the page */
    struct pen_buf lengths;  /* direct texts: int32_t each */
    struct pen_buf index;    /* dictionary: uint32_t each */
    struct pen_bounds bounds;

    /* the chunk */
    struct pen_dict dict;
    struct pen_buf pages;    /* data pages, headers before bodies, with gaps between pages */
    struct pen_buf dictionary_page; /* header and body, at [dictionary_at, n) */
    size_t dictionary_at;
    struct pen_buf list;     /* struct pen_page */
    int64_t chunk_rows, chunk_levels, chunk_nulls;
    int64_t uncompressed;    /* bytes of all pages before compression, headers included */
    int32_t pages_of[PQ_BYTE_STREAM_SPLIT + 1]; /* data pages by encoding */
    struct pen_bounds chunk_bounds;
};

void pen_column_init(struct pen_column_writer *c, const struct pen_leaf *leaf, struct pen_codec *codec,
                     struct pen_column_memory *memory, struct pen_buf *scratch, size_t page_bytes);
void pen_column_fini(struct pen_column_writer *c);
pen_status pen_column_append(struct pen_column_writer *c, const struct pen_slice *s, struct pen_error *err);
/* Ends the last page and the dictionary: the chunk can be written. */
pen_status pen_column_end(struct pen_column_writer *c, struct pen_error *err);
/* Forgets the chunk; the next row group begins. */
void pen_column_reset(struct pen_column_writer *c);
/* What the chunk will be in the file, about. */
size_t pen_column_size(const struct pen_column_writer *c);
size_t pen_column_held(const struct pen_column_writer *c);

static inline const struct pen_page *pen_column_pages(const struct pen_column_writer *c, size_t *n)
{
    *n = c->list.n / sizeof(struct pen_page);
    return (const struct pen_page *)(const void *)c->list.p;
}

#endif
