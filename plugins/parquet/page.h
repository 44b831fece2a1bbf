/* page.h - reading one leaf column: pages in, levels and dense values out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_PAGE_H
#define PENSTOCK_PARQUET_PAGE_H

#include "codec.h"
#include "decode.h"
#include "footer.h"
#include "parquet.h"

#define PEN_LEVEL_WINDOW 1024

struct pen_leaf_reader {
    const struct pen_tree *leaf;
    const struct pen_parquet_input *input;
    struct pen_restorer *restorer;
    const char *column;          /* for messages */

    /* the chunk */
    const struct pen_chunk *chunk;
    int64_t pos, end;            /* in the file: next byte to fetch, and the chunk's end */
    int64_t left;                /* levels in pages that have not been opened */
    struct pen_buf window;       /* fetched bytes; those before `at` are done with */
    size_t at;
    struct pen_buf dictionary;
    struct pen_buf spans;        /* texts: uint32_t offset and length in the dictionary of each */
    size_t n_dictionary;

    /* the page */
    struct pen_buf page;
    size_t page_left;            /* levels */
    int encoding;
    struct pen_hybrid rep, def, index;
    struct pen_delta delta, suffix;
    const uint8_t *p, *p_end;    /* values as they are in the page */
    uint64_t taken;              /* of its values, for bits and split bytes */
    struct pen_buf before;       /* DELTA_BYTE_ARRAY: the value before */
    uint8_t def_window[PEN_LEVEL_WINDOW], rep_window[PEN_LEVEL_WINDOW];
    size_t window_at, window_n;

    /* the batch: levels (def empty while all are full) and dense values */
    size_t levels, values;
    struct pen_buf def_out, rep_out;
    struct pen_buf fixed;        /* bool as bytes */
    struct pen_buf lengths, bytes;
    size_t bytes_hint;
};

void pen_leaf_reader_init(struct pen_leaf_reader *r, const struct pen_tree *leaf, const struct pen_parquet_input *input,
                          struct pen_restorer *restorer, const char *column);
void pen_leaf_reader_fini(struct pen_leaf_reader *r);
size_t pen_leaf_reader_held(const struct pen_leaf_reader *r);
pen_status pen_leaf_reader_open_chunk(struct pen_leaf_reader *r, const struct pen_chunk *chunk, struct pen_error *err);
/* Forgets the batch's levels and values, and reads those of the next n rows of the chunk. */
pen_status pen_leaf_reader_rows(struct pen_leaf_reader *r, int64_t n, struct pen_error *err);
/* Bytes of one value in `fixed`; 0: texts. */
size_t pen_leaf_value_size(const struct pen_tree *leaf);

/* values.c: reads the next n values of the page into the batch. False where the page is damaged or holds a value that has no place. */
pen_status pen_leaf_reader_values(struct pen_leaf_reader *r, size_t n, struct pen_error *err);
/* Prepares for a page's values, which are [p, end); n: how many levels it has. */
pen_status pen_leaf_reader_begin_values(struct pen_leaf_reader *r, const uint8_t *p, const uint8_t *end, struct pen_error *err);
pen_status pen_leaf_reader_set_dictionary(struct pen_leaf_reader *r, size_t n, struct pen_error *err);
pen_status pen_leaf_reader_damaged(const struct pen_leaf_reader *r, const char *what, struct pen_error *err);

#endif
