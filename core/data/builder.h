/* builder.h - a builder's insides, for the decoder that writes into columns directly. Everyone else: <penstock/batch.h>.
 *
 * Room is reserved by rows (validity, offsets, fixed-size values) and by bytes (text). The validity bitmap starts as all ones, so a valid
 * value costs nothing and a null clears its bit; it is left out of an array without nulls.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_BUILDER_H
#define PENSTOCK_DATA_BUILDER_H

#include "data/array.h"

struct pen_builder {
    pen_type type;
    unsigned value_bits;  /* of fixed-size values, else 0 */
    bool has_offsets;
    bool root;            /* a batch's length is that of its columns */
    bool out_of_memory, too_long;
    int64_t length;
    int64_t nulls;
    int64_t rows;         /* room: rows for which every buffer but the text reaches */
    size_t used;          /* bytes of text */
    uint8_t *validity;
    int32_t *offsets;     /* rows + 1 of them */
    void *data;
    size_t data_room;     /* capacity of data, bytes */
    int64_t rows_hint;    /* what the last batch came to */
    size_t data_hint;
    struct pen_pool *pool;
    char *name;
    size_t n_children;
    struct pen_builder **children;
};

/* Makes room for `more` rows / bytes of text beyond what is there, to which `begun` bytes of a value not yet done belong. False: out of
 * memory (remembered too), or the text would pass 2^31-1. */
bool pen_builder_reserve_rows(struct pen_builder *b, int64_t more);
bool pen_builder_reserve_text(struct pen_builder *b, size_t begun, size_t more);

/* Room for one more row, and where it goes. */
static inline bool pen_builder_room(struct pen_builder *b)
{
    return __builtin_expect(b->length < b->rows, 1) || pen_builder_reserve_rows(b, 1);
}

/* Ends a value of text whose bytes were written at data + used. The caller saw to pen_builder_room() and the text's own. */
static inline void pen_builder_text_done(struct pen_builder *b, size_t n)
{
    b->used += n;
    b->offsets[++b->length] = (int32_t)b->used;
}

#endif
