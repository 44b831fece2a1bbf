/* builder.c - growing columns value by value; see <penstock/batch.h>. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/builder.h"
#include "data/schema.h"

#define FIRST_ROWS 64
#define FIRST_TEXT 1024u
#define TEXT_LIMIT ((size_t)INT32_MAX)

/* -- making and ending ------------------------------------------------------------------------------------------------------ */

void pen_builder_free(struct pen_builder **b)
{
    struct pen_builder *it = *b;
    *b = NULL;
    if (!it)
        return;
    for (size_t i = 0; it->children && i < it->n_children; i++)
        pen_builder_free(&it->children[i]);
    pen_buffer_free(it->validity);
    pen_buffer_free(it->offsets);
    pen_buffer_free(it->data);
    pen_pool_release(it->pool);
    free(it->children);
    free(it->name);
    free(it);
}

static struct pen_builder *builder_make(const struct ArrowSchema *schema)
{
    struct pen_builder *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->type = pen_schema_type(schema);
    b->value_bits = pen_type_bits(b->type);
    b->has_offsets = b->type == PEN_TYPE_UTF8 || b->type == PEN_TYPE_BINARY || b->type == PEN_TYPE_LIST;
    b->n_children = (size_t)schema->n_children;
    b->name = strdup(schema->name ? schema->name : "");
    b->pool = pen_pool_new();
    b->children = calloc(b->n_children ? b->n_children : 1, sizeof *b->children);
    if (!b->name || !b->pool || !b->children)
        pen_builder_free(&b);
    for (size_t i = 0; b && i < b->n_children; i++)
        if (!(b->children[i] = builder_make(schema->children[i])))
            pen_builder_free(&b);
    return b;
}

pen_status pen_builder_new(struct pen_builder **out, const struct ArrowSchema *schema, struct pen_error *err)
{
    pen_status st;
    *out = NULL;
    if ((st = pen_schema_check(schema, err)) < 0)
        return st;
    if (!(*out = builder_make(schema)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    (*out)->root = (*out)->type == PEN_TYPE_STRUCT && (*out)->n_children > 0;
    return PEN_OK;
}

struct pen_builder *pen_builder_child(struct pen_builder *b, size_t i)
{
    return b->children[i];
}

int64_t pen_builder_length(const struct pen_builder *b)
{
    return b->root ? b->children[0]->length : b->length;
}

size_t pen_builder_bytes(const struct pen_builder *b)
{
    size_t n = (size_t)b->length, bytes = b->used + n * b->value_bits / 8 + (b->nulls ? n / 8 : 0) + (b->has_offsets ? n * 4 : 0);
    for (size_t i = 0; i < b->n_children; i++)
        bytes += pen_builder_bytes(b->children[i]);
    return bytes;
}

/* -- room ------------------------------------------------------------------------------------------------------------------- */

/* Room in one buffer: out of the pool first, then grown. */
static bool reserve(struct pen_builder *b, void **buffer, int kind, size_t used, size_t need)
{
    if (!*buffer)
        *buffer = pen_pool_take(b->pool, kind);
    return pen_buffer_reserve(buffer, used, need);
}

static size_t fixed_bytes(const struct pen_builder *b, int64_t rows)
{
    return ((size_t)rows * b->value_bits + 7) / 8;
}

bool pen_builder_reserve_rows(struct pen_builder *b, int64_t more)
{
    int64_t want = b->length + more, had = b->rows;
    void *validity = b->validity, *offsets = b->offsets;
    bool good;
    if (want <= b->rows && b->validity)
        return true;
    want = want < FIRST_ROWS ? FIRST_ROWS : want;
    want = want < had + had / 2 ? had + had / 2 : want;
    want = want < b->rows_hint ? b->rows_hint : want;
    want = (want + 511) & ~INT64_C(511); /* whole buffers of bits */
    good = reserve(b, &validity, PEN_BUFFER_VALIDITY, (size_t)(had + 7) / 8, (size_t)want / 8);
    b->validity = validity;
    if (good && b->has_offsets) {
        good = reserve(b, &offsets, PEN_BUFFER_OFFSETS, had ? (size_t)(b->length + 1) * sizeof *b->offsets : 0,
                       (size_t)(want + 1) * sizeof *b->offsets);
        b->offsets = offsets;
    }
    if (good && b->value_bits)
        good = reserve(b, &b->data, PEN_BUFFER_DATA, fixed_bytes(b, had), fixed_bytes(b, want));
    if (!good) {
        b->out_of_memory = true;
        return false;
    }
    if (b->has_offsets && had == 0)
        b->offsets[0] = 0;
    memset(b->validity + had / 8, 0xFF, (size_t)(want - had) / 8);
    if (b->value_bits == 1)
        memset((uint8_t *)b->data + had / 8, 0, (size_t)(want - had) / 8);
    b->rows = want;
    return true;
}

bool pen_builder_reserve_text(struct pen_builder *b, size_t begun, size_t more)
{
    size_t want = b->used + begun + more;
    if (want <= b->data_room)
        return true;
    if (more > TEXT_LIMIT || begun > TEXT_LIMIT || want > TEXT_LIMIT) {
        b->too_long = true;
        return false;
    }
    want = want < FIRST_TEXT ? FIRST_TEXT : want;
    want = want < b->data_hint ? b->data_hint : want;
    if (!reserve(b, &b->data, PEN_BUFFER_DATA, b->used + begun, want)) {
        b->out_of_memory = true;
        return false;
    }
    b->data_room = pen_buffer_capacity(b->data);
    b->data_room = b->data_room < TEXT_LIMIT ? b->data_room : TEXT_LIMIT; /* so that no offset overflows */
    return true;
}

/* -- values ----------------------------------------------------------------------------------------------------------------- */

void pen_builder_null(struct pen_builder *b)
{
    int64_t i = b->length;
    if (!pen_builder_room(b))
        return;
    if (b->type == PEN_TYPE_STRUCT)
        for (size_t c = 0; c < b->n_children; c++)
            pen_builder_null(b->children[c]);
    if (b->has_offsets)
        b->offsets[i + 1] = b->offsets[i];
    else if (b->value_bits >= 8)
        memset((uint8_t *)b->data + fixed_bytes(b, i), 0, b->value_bits / 8);
    b->validity[i >> 3] = (uint8_t)(b->validity[i >> 3] & ~(1u << (i & 7)));
    b->nulls++;
    b->length++;
}

void pen_builder_bool(struct pen_builder *b, bool v)
{
    int64_t i = b->length;
    uint8_t *bits;
    if (!pen_builder_room(b))
        return;
    bits = b->data;
    bits[i >> 3] = (uint8_t)(bits[i >> 3] | (unsigned)v << (i & 7));
    b->length++;
}

void pen_builder_int32(struct pen_builder *b, int32_t v)
{
    if (pen_builder_room(b))
        ((int32_t *)b->data)[b->length++] = v;
}

void pen_builder_int64(struct pen_builder *b, int64_t v)
{
    if (pen_builder_room(b))
        ((int64_t *)b->data)[b->length++] = v;
}

void pen_builder_float64(struct pen_builder *b, double v)
{
    if (pen_builder_room(b))
        ((double *)b->data)[b->length++] = v;
}

void pen_builder_decimal128(struct pen_builder *b, const uint8_t le[16])
{
    if (pen_builder_room(b))
        memcpy((uint8_t *)b->data + 16 * (size_t)b->length++, le, 16);
}

void pen_builder_bytes_value(struct pen_builder *b, const void *bytes, size_t n)
{
    if (!pen_builder_room(b) || !pen_builder_reserve_text(b, 0, n))
        return;
    if (n)
        memcpy((char *)b->data + b->used, bytes, n);
    pen_builder_text_done(b, n);
}

void pen_builder_end_list(struct pen_builder *b)
{
    if (!pen_builder_room(b))
        return;
    if (b->children[0]->length > INT32_MAX) {
        b->too_long = true;
        return;
    }
    b->offsets[b->length + 1] = (int32_t)b->children[0]->length;
    b->length++;
}

void pen_builder_end_struct(struct pen_builder *b)
{
    if (pen_builder_room(b))
        b->length++;
}

/* -- dropping and finishing ------------------------------------------------------------------------------------------------- */

void pen_builder_truncate(struct pen_builder *b, int64_t n)
{
    for (int64_t i = n; i < b->length; i++) {
        uint8_t *byte = &b->validity[i >> 3], *value = b->data, mask = (uint8_t)(1u << (i & 7));
        b->nulls -= !(*byte & mask);
        *byte |= mask;
        if (b->value_bits == 1)
            value[i >> 3] = (uint8_t)(value[i >> 3] & ~mask);
    }
    if (b->length > n)
        b->length = n;
    if (b->has_offsets && b->n_children == 0)
        b->used = b->offsets ? (size_t)b->offsets[b->length] : 0;
    for (size_t i = 0; i < b->n_children; i++)
        pen_builder_truncate(b->children[i], b->has_offsets ? b->offsets ? b->offsets[b->length] : 0 : n);
}

static void builder_reset(struct pen_builder *b)
{
    pen_buffer_free(b->validity);
    pen_buffer_free(b->offsets);
    pen_buffer_free(b->data);
    b->validity = NULL;
    b->offsets = NULL;
    b->data = NULL;
    b->length = b->nulls = b->rows = 0;
    b->used = b->data_room = 0;
    b->out_of_memory = b->too_long = false;
    for (size_t i = 0; i < b->n_children; i++)
        builder_reset(b->children[i]);
}

/* What an append could not say. */
static pen_status builder_state(const struct pen_builder *b, struct pen_error *err)
{
    pen_status st = PEN_OK;
    if (b->out_of_memory)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (b->too_long)
        return pen_fail(err, PEN_FATAL, "column \"%s\": more than 2147483647 bytes or items in one batch", b->name);
    for (size_t i = 0; st >= 0 && i < b->n_children; i++) {
        int64_t n = b->children[i]->length, want = pen_builder_length(b);
        st = builder_state(b->children[i], err);
        if (st >= 0 && b->type == PEN_TYPE_STRUCT && n != want)
            st = pen_fail(err, PEN_FATAL, "column \"%s\" has %lld rows where its neighbours have %lld", b->children[i]->name,
                          (long long)n, (long long)want);
    }
    return st;
}

static pen_status builder_move(struct pen_builder *b, struct ArrowArray *out, struct pen_error *err)
{
    struct pen_memory *m;
    int64_t length = pen_builder_length(b), n_buffers = b->type == PEN_TYPE_STRUCT ? 1 : b->has_offsets && !b->n_children ? 3 : 2;
    pen_status st;
    if (!pen_builder_reserve_rows(b, 0) || !(m = pen_memory_new()))
        return pen_fail(err, PEN_FATAL, "out of memory");
    b->rows_hint = length > b->rows_hint ? length : b->rows_hint;
    b->data_hint = b->used > b->data_hint ? b->used + b->used / 8 : b->data_hint;
    m->buffers[PEN_BUFFER_VALIDITY] = b->validity;
    m->buffers[PEN_BUFFER_OFFSETS] = b->offsets;
    m->buffers[PEN_BUFFER_DATA] = b->data;
    m->pool = pen_pool_retain(b->pool);
    b->validity = NULL;
    b->offsets = NULL;
    b->data = NULL;
    if ((st = pen_array_node(out, m, n_buffers, b->n_children, b->value_bits, err)) < 0)
        return st;
    out->length = length;
    out->null_count = b->root ? 0 : b->nulls;
    out->buffers[0] = out->null_count ? m->buffers[PEN_BUFFER_VALIDITY] : NULL;
    if (b->has_offsets)
        out->buffers[1] = m->buffers[PEN_BUFFER_OFFSETS];
    if (n_buffers > 1 && b->n_children == 0)
        out->buffers[n_buffers - 1] = m->buffers[PEN_BUFFER_DATA];
    for (size_t i = 0; st >= 0 && i < b->n_children; i++)
        st = builder_move(b->children[i], out->children[i], err);
    if (st < 0)
        pen_array_release(out);
    return st;
}

pen_status pen_builder_finish(struct pen_builder *b, struct ArrowArray *out, struct pen_error *err)
{
    pen_status st;
    memset(out, 0, sizeof *out);
    if ((st = builder_state(b, err)) >= 0)
        st = builder_move(b, out, err);
    builder_reset(b);
    return st;
}
