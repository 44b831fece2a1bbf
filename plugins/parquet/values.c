/* values.c - the values of a page, in every encoding that batches can hold the outcome of, and what they are turned into.
 * SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#define PIECE 512 /* values converted at a time */

static pen_status bad(const struct pen_leaf_reader *r, struct pen_error *err)
{
    return pen_leaf_reader_damaged(r, "a page's values are damaged", err);
}

/* Bytes of one value as it is stored; 0: texts. */
static size_t stored_size(const struct pen_tree *leaf)
{
    static const size_t sizes[] = { 1, 4, 8, 12, 4, 8, 0 };
    return leaf->physical == PQ_FIXED ? (size_t)leaf->width : sizes[leaf->physical];
}

static bool stored_text(const struct pen_tree *leaf)
{
    return leaf->physical == PQ_BYTE_ARRAY;
}

size_t pen_leaf_value_size(const struct pen_tree *leaf)
{
    switch (leaf->type) {
    case PEN_TYPE_BOOL:
        return 1;
    case PEN_TYPE_INT32:
    case PEN_TYPE_DATE32:
        return 4;
    case PEN_TYPE_UTF8:
    case PEN_TYPE_BINARY:
        return 0;
    case PEN_TYPE_DECIMAL128:
        return 16;
    default:
        return 8;
    }
}

/* -- preparing ---------------------------------------------------------------------------------------------------------------- */

pen_status pen_leaf_reader_set_dictionary(struct pen_leaf_reader *r, size_t n, struct pen_error *err)
{
    const uint8_t *p = r->dictionary.p, *end = p + r->dictionary.n;
    size_t size = stored_size(r->leaf);
    pen_status st;
    r->n_dictionary = n;
    r->spans.n = 0;
    if (r->leaf->physical == PQ_BOOLEAN)
        return pen_leaf_reader_damaged(r, "a dictionary of booleans is not known", err);
    if (!stored_text(r->leaf))
        return size && n > r->dictionary.n / size ? pen_leaf_reader_damaged(r, "the dictionary is cut off", err) : PEN_OK;
    if (n > r->dictionary.n / 4)
        return pen_leaf_reader_damaged(r, "the dictionary is cut off", err);
    if ((st = pen_buf_reserve(&r->spans, n * 8, err)) < 0)
        return st;
    for (size_t i = 0; i < n; i++) {
        uint32_t length = end - p < 4 ? UINT32_MAX : pen_load32(p);
        if (end - p < 4 || length > (size_t)(end - p) - 4)
            return pen_leaf_reader_damaged(r, "the dictionary is cut off", err);
        ((uint32_t *)(void *)r->spans.p)[2 * i] = (uint32_t)(p + 4 - r->dictionary.p);
        ((uint32_t *)(void *)r->spans.p)[2 * i + 1] = length;
        p += 4 + length;
    }
    return PEN_OK;
}

static pen_status begin_delta_texts(struct pen_leaf_reader *r, struct pen_error *err)
{
    const uint8_t *at = r->p;
    if (r->encoding == PQ_DELTA_BYTE_ARRAY) { /* lengths of what is taken from the value before, then as DELTA_LENGTH_BYTE_ARRAY */
        if (!pen_delta_init(&r->delta, at, r->p_end, 32) || !(at = pen_delta_end(&r->delta)))
            return bad(r, err);
        r->before.n = 0;
    }
    if (!pen_delta_init(&r->suffix, at, r->p_end, 32) || !(r->p = pen_delta_end(&r->suffix)))
        return bad(r, err);
    return PEN_OK;
}

pen_status pen_leaf_reader_begin_values(struct pen_leaf_reader *r, const uint8_t *p, const uint8_t *end, struct pen_error *err)
{
    int physical = r->leaf->physical;
    bool fits = true;
    r->p = p;
    r->p_end = end;
    r->taken = 0;
    memset(&r->delta, 0, sizeof r->delta);
    memset(&r->suffix, 0, sizeof r->suffix);
    memset(&r->index, 0, sizeof r->index);
    if (p == end) /* no values: all is null, or the texts of the encoding's own head are missing, which reading finds */
        return PEN_OK;
    switch (r->encoding) {
    case PQ_PLAIN:
        return PEN_OK;
    case PQ_RLE:
        fits = physical == PQ_BOOLEAN;
        if (fits && (end - p < 4 || pen_load32(p) > (size_t)(end - p) - 4))
            return bad(r, err);
        if (fits)
            pen_hybrid_init(&r->index, p + 4, p + 4 + pen_load32(p), 1);
        break;
    case PQ_PLAIN_DICTIONARY:
    case PQ_RLE_DICTIONARY:
        r->encoding = PQ_RLE_DICTIONARY;
        if (!pen_hybrid_init(&r->index, p + 1, end, *p))
            return bad(r, err);
        break;
    case PQ_DELTA_BINARY_PACKED:
        fits = physical == PQ_INT32 || physical == PQ_INT64;
        if (fits && !pen_delta_init(&r->delta, p, end, physical == PQ_INT32 ? 32 : 64))
            return bad(r, err);
        break;
    case PQ_DELTA_LENGTH_BYTE_ARRAY:
        fits = physical == PQ_BYTE_ARRAY;
        return fits ? begin_delta_texts(r, err) : pen_leaf_reader_damaged(r, "a page's encoding does not fit its type", err);
    case PQ_DELTA_BYTE_ARRAY:
        fits = physical == PQ_BYTE_ARRAY || physical == PQ_FIXED;
        return fits ? begin_delta_texts(r, err) : pen_leaf_reader_damaged(r, "a page's encoding does not fit its type", err);
    case PQ_BYTE_STREAM_SPLIT:
        fits = physical != PQ_BOOLEAN && physical != PQ_BYTE_ARRAY && physical != PQ_INT96;
        break;
    default:
        return pen_fail(err, PEN_FATAL, "column %s: encoding %d is not supported", r->column, r->encoding);
    }
    return fits ? PEN_OK : pen_leaf_reader_damaged(r, "a page's encoding does not fit its type", err);
}

/* -- stored values of one size ------------------------------------------------------------------------------------------------ */

static bool get_bools(struct pen_leaf_reader *r, uint8_t *out, size_t n)
{
    if (r->encoding == PQ_RLE) {
        uint32_t wide[PIECE];
        for (size_t m; n; n -= m, out += m) {
            m = n < PIECE ? n : PIECE;
            if (!pen_hybrid_get(&r->index, wide, m))
                return false;
            for (size_t i = 0; i < m; i++)
                out[i] = (uint8_t)wide[i];
        }
        return true;
    }
    if (n > (uint64_t)(r->p_end - r->p) * 8 - r->taken)
        return false;
    for (size_t i = 0; i < n; i++, r->taken++)
        out[i] = r->p[r->taken / 8] >> r->taken % 8 & 1;
    return true;
}

static bool get_indexed(struct pen_leaf_reader *r, uint8_t *out, size_t n, size_t size)
{
    uint32_t index[PIECE];
    const uint8_t *dictionary = r->dictionary.p;
    for (size_t m; n; n -= m, out += m * size) {
        uint32_t max = 0;
        m = n < PIECE ? n : PIECE;
        if (!pen_hybrid_get(&r->index, index, m))
            return false;
        for (size_t i = 0; i < m; i++)
            max = index[i] > max ? index[i] : max;
        if (max >= r->n_dictionary)
            return false;
        if (size == 4)
            for (size_t i = 0; i < m; i++)
                memcpy(out + i * 4, dictionary + (size_t)index[i] * 4, 4);
        else if (size == 8)
            for (size_t i = 0; i < m; i++)
                memcpy(out + i * 8, dictionary + (size_t)index[i] * 8, 8);
        else
            for (size_t i = 0; i < m; i++)
                memcpy(out + i * size, dictionary + index[i] * size, size);
    }
    return true;
}

static bool get_differences(struct pen_leaf_reader *r, uint8_t *out, size_t n)
{
    int64_t wide[PIECE];
    if (r->leaf->physical == PQ_INT64 && (uintptr_t)out % sizeof(int64_t) == 0)
        return pen_delta_get(&r->delta, (int64_t *)(void *)out, n);
    for (size_t m; n; n -= m) {
        m = n < PIECE ? n : PIECE;
        if (!pen_delta_get(&r->delta, wide, m))
            return false;
        for (size_t i = 0; i < m; i++, out += stored_size(r->leaf)) {
            if (r->leaf->physical == PQ_INT64)
                memcpy(out, &wide[i], 8);
            else
                memcpy(out, &(int32_t){ (int32_t)wide[i] }, 4);
        }
    }
    return true;
}

static bool get_split(struct pen_leaf_reader *r, uint8_t *out, size_t n, size_t size)
{
    size_t all = size ? (size_t)(r->p_end - r->p) / size : 0;
    if (n > all - r->taken)
        return false;
    for (size_t i = 0; i < n; i++, r->taken++)
        for (size_t k = 0; k < size; k++)
            out[i * size + k] = r->p[k * all + r->taken];
    return true;
}

/* The next n values, little-endian as they are stored. */
static bool get_stored(struct pen_leaf_reader *r, uint8_t *out, size_t n)
{
    size_t size = stored_size(r->leaf);
    if (r->leaf->physical == PQ_BOOLEAN)
        return get_bools(r, out, n);
    switch (r->encoding) {
    case PQ_RLE_DICTIONARY:
        return get_indexed(r, out, n, size);
    case PQ_DELTA_BINARY_PACKED:
        return get_differences(r, out, n);
    case PQ_BYTE_STREAM_SPLIT:
        return get_split(r, out, n, size);
    default:
        if (n * size > (size_t)(r->p_end - r->p))
            return false;
        memcpy(out, r->p, n * size);
        r->p += n * size;
        return true;
    }
}

/* -- texts -------------------------------------------------------------------------------------------------------------------- */

static pen_status room_for_text(struct pen_leaf_reader *r, uint64_t more, struct pen_error *err)
{
    if (more > INT32_MAX || r->bytes.n + more > INT32_MAX)
        return pen_leaf_reader_damaged(r, "more than 2 GiB of text in one batch", err);
    return pen_buf_reserve(&r->bytes, (size_t)more, err);
}

static pen_status plain_texts(struct pen_leaf_reader *r, int32_t *lengths, size_t n, struct pen_error *err)
{
    pen_status st = room_for_text(r, (size_t)(r->p_end - r->p) < (1u << 20) ? (size_t)(r->p_end - r->p) : 1u << 20, err);
    for (size_t i = 0; i < n && st >= 0; i++) {
        uint32_t length;
        if (r->p_end - r->p < 4 || (length = pen_load32(r->p)) > (size_t)(r->p_end - r->p) - 4)
            return bad(r, err);
        if (length > r->bytes.cap - r->bytes.n && (st = room_for_text(r, length, err)) < 0)
            return st;
        memcpy(r->bytes.p + r->bytes.n, r->p + 4, length);
        r->bytes.n += length;
        lengths[i] = (int32_t)length;
        r->p += 4 + length;
    }
    return st;
}

/* Copies a short text faster than memcpy does, at the price of bytes behind it on both sides. */
static inline void copy_text(uint8_t *to, const uint8_t *from, size_t n, bool roomy)
{
    if (roomy && n <= 16)
        memcpy(to, from, 16);
    else
        memcpy(to, from, n);
}

static pen_status indexed_texts(struct pen_leaf_reader *r, int32_t *lengths, size_t n, struct pen_error *err)
{
    uint32_t index[PIECE];
    const uint32_t *spans = (const uint32_t *)(const void *)r->spans.p;
    const uint8_t *dictionary = r->dictionary.p;
    pen_status st;
    for (size_t m; n; n -= m, lengths += m) {
        uint64_t total = 0;
        uint8_t *to;
        m = n < PIECE ? n : PIECE;
        if (!pen_hybrid_get(&r->index, index, m))
            return bad(r, err);
        for (size_t i = 0; i < m; i++) {
            if (index[i] >= r->n_dictionary)
                return bad(r, err);
            lengths[i] = (int32_t)spans[2 * index[i] + 1];
            total += spans[2 * index[i] + 1];
        }
        if ((st = room_for_text(r, total, err)) < 0 || (st = pen_buf_reserve(&r->bytes, (size_t)total + 16, err)) < 0)
            return st;
        to = r->bytes.p + r->bytes.n;
        for (size_t i = 0; i < m; i++) {
            uint32_t start = spans[2 * index[i]];
            copy_text(to, dictionary + start, (size_t)lengths[i], r->dictionary.n - start >= 16);
            to += lengths[i];
        }
        r->bytes.n += (size_t)total;
    }
    return PEN_OK;
}

/* Sum of lengths, or -1 where one is negative. */
static int64_t sum_lengths(const int32_t *lengths, size_t n)
{
    int64_t total = 0;
    int32_t all = 0;
    for (size_t i = 0; i < n; i++) {
        total += lengths[i];
        all |= lengths[i];
    }
    return all < 0 ? -1 : total;
}

static bool get_lengths(struct pen_delta *d, int32_t *out, size_t n)
{
    int64_t wide[PIECE];
    for (size_t m; n; n -= m, out += m) {
        m = n < PIECE ? n : PIECE;
        if (!pen_delta_get(d, wide, m))
            return false;
        for (size_t i = 0; i < m; i++)
            out[i] = (int32_t)wide[i];
    }
    return true;
}

static pen_status delta_length_texts(struct pen_leaf_reader *r, int32_t *lengths, size_t n, struct pen_error *err)
{
    int64_t total;
    pen_status st;
    if (!get_lengths(&r->suffix, lengths, n) || (total = sum_lengths(lengths, n)) < 0 || total > r->p_end - r->p)
        return bad(r, err);
    if ((st = room_for_text(r, (uint64_t)total, err)) < 0)
        return st;
    if (total)
        memcpy(r->bytes.p + r->bytes.n, r->p, (size_t)total);
    r->bytes.n += (size_t)total;
    r->p += total;
    return PEN_OK;
}

static pen_status delta_texts(struct pen_leaf_reader *r, int32_t *lengths, size_t n, struct pen_error *err)
{
    pen_status st;
    for (size_t i = 0; i < n; i++) {
        int64_t prefix, suffix;
        if (!pen_delta_get(&r->delta, &prefix, 1) || !pen_delta_get(&r->suffix, &suffix, 1) || prefix < 0 || suffix < 0 ||
            (size_t)prefix > r->before.n || suffix > r->p_end - r->p)
            return bad(r, err);
        r->before.n = (size_t)prefix;
        if ((st = pen_buf_put(&r->before, r->p, (size_t)suffix, err)) < 0 || (st = room_for_text(r, r->before.n, err)) < 0 ||
            (st = pen_buf_put(&r->bytes, r->before.p, r->before.n, err)) < 0)
            return st;
        r->p += suffix;
        lengths[i] = (int32_t)(prefix + suffix);
    }
    return PEN_OK;
}

static pen_status get_texts(struct pen_leaf_reader *r, size_t n, struct pen_error *err)
{
    int32_t *lengths;
    pen_status st = pen_buf_reserve(&r->lengths, n * sizeof *lengths, err);
    if (st < 0)
        return st;
    lengths = (int32_t *)(void *)(r->lengths.p + r->lengths.n);
    r->lengths.n += n * sizeof *lengths;
    switch (r->encoding) {
    case PQ_RLE_DICTIONARY:
        return indexed_texts(r, lengths, n, err);
    case PQ_DELTA_LENGTH_BYTE_ARRAY:
        return delta_length_texts(r, lengths, n, err);
    case PQ_DELTA_BYTE_ARRAY:
        return delta_texts(r, lengths, n, err);
    default:
        return plain_texts(r, lengths, n, err);
    }
}

/* -- conversions -------------------------------------------------------------------------------------------------------------- */

static double half_to_double(unsigned h)
{
    unsigned exponent = h >> 10 & 31, fraction = h & 1023;
    double v = exponent == 31 ? (fraction ? __builtin_nan("") : __builtin_inf())
             : exponent ? __builtin_ldexp(1024 + fraction, (int)exponent - 25) : __builtin_ldexp(fraction, -24);
    return h & 0x8000 ? -v : v;
}

/* Big-endian two's complement of n bytes to decimal128's little-endian ones. */
static bool to_decimal(uint8_t *out, const uint8_t *p, size_t n)
{
    uint8_t sign = n && p[0] & 0x80 ? 0xff : 0;
    for (; n > 16; n--, p++)
        if (*p != sign || (p[1] & 0x80) != (sign & 0x80))
            return false;
    memset(out, sign, 16);
    for (size_t i = 0; i < n; i++)
        out[i] = p[n - 1 - i];
    return true;
}

static bool convert(const struct pen_tree *leaf, uint8_t *out, const uint8_t *in, size_t n)
{
    size_t size = stored_size(leaf), out_size = pen_leaf_value_size(leaf);
    for (size_t i = 0; i < n; i++, in += size, out += out_size) {
        int64_t v = 0;
        double d;
        float f;
        switch (leaf->conversion) {
        case PEN_FROM_UINT32:
            v = pen_load32(in);
            break;
        case PEN_FROM_MILLIS:
            if (__builtin_mul_overflow((int64_t)pen_load64(in), 1000, &v))
                return false;
            break;
        case PEN_FROM_NANOS: /* cut to the microsecond, downwards */
            v = (int64_t)pen_load64(in);
            v = v / 1000 - (v % 1000 < 0);
            break;
        case PEN_FROM_INT96: /* nanoseconds of a day, and the Julian day */
            if (__builtin_mul_overflow((int64_t)(int32_t)pen_load32(in + 8) - 2440588, INT64_C(86400000000), &v) ||
                __builtin_add_overflow(v, (int64_t)pen_load64(in) / 1000, &v))
                return false;
            break;
        case PEN_FROM_FLOAT:
        case PEN_FROM_FLOAT16:
            f = 0;
            if (leaf->conversion == PEN_FROM_FLOAT)
                memcpy(&f, in, sizeof f);
            d = leaf->conversion == PEN_FROM_FLOAT ? (double)f : half_to_double((unsigned)in[0] | (unsigned)in[1] << 8);
            memcpy(&v, &d, 8);
            break;
        default: /* PEN_FROM_DECIMAL */
            if (leaf->physical == PQ_FIXED) {
                if (!to_decimal(out, in, size))
                    return false;
            } else {
                v = leaf->physical == PQ_INT32 ? (int32_t)pen_load32(in) : (int64_t)pen_load64(in);
                pen_store64(out, (uint64_t)v);
                pen_store64(out + 8, (uint64_t)(v >> 63));
            }
            continue;
        }
        memcpy(out, &v, 8);
    }
    return true;
}

/* Values of FIXED type: as texts of one length. */
static pen_status fixed_texts(struct pen_leaf_reader *r, size_t n, struct pen_error *err)
{
    size_t width = (size_t)r->leaf->width;
    int32_t *lengths;
    pen_status st;
    if (r->encoding == PQ_DELTA_BYTE_ARRAY) {
        size_t from = r->lengths.n / sizeof *lengths;
        if ((st = get_texts(r, n, err)) < 0)
            return st;
        lengths = (int32_t *)(void *)r->lengths.p + from;
        for (size_t i = 0; i < n; i++)
            if ((size_t)lengths[i] != width)
                return bad(r, err);
        return PEN_OK;
    }
    if (width && n > INT32_MAX / width)
        return pen_leaf_reader_damaged(r, "more than 2 GiB of text in one batch", err);
    if ((st = room_for_text(r, n * width, err)) < 0 || (st = pen_buf_reserve(&r->lengths, n * sizeof *lengths, err)) < 0)
        return st;
    lengths = (int32_t *)(void *)(r->lengths.p + r->lengths.n);
    for (size_t i = 0; i < n; i++)
        lengths[i] = (int32_t)width;
    r->lengths.n += n * sizeof *lengths;
    if (!get_stored(r, r->bytes.p + r->bytes.n, n))
        return bad(r, err);
    r->bytes.n += n * width;
    return PEN_OK;
}

/* Decimals that lie as texts, or fixed bytes that lie as differences: read as texts, then converted. */
static pen_status decimals_from_texts(struct pen_leaf_reader *r, size_t n, struct pen_error *err)
{
    const int32_t *lengths;
    const uint8_t *p;
    pen_status st;
    r->lengths.n = r->bytes.n = 0;
    st = r->leaf->physical == PQ_FIXED ? fixed_texts(r, n, err) : get_texts(r, n, err);
    if (st < 0)
        return st;
    lengths = (const int32_t *)(const void *)r->lengths.p;
    p = r->bytes.p;
    for (size_t i = 0; i < n; p += lengths[i], i++) {
        if (!to_decimal(r->fixed.p + r->fixed.n, p, (size_t)lengths[i]))
            return bad(r, err);
        r->fixed.n += 16;
    }
    return PEN_OK;
}

static pen_status converted(struct pen_leaf_reader *r, size_t n, struct pen_error *err)
{
    size_t size = stored_size(r->leaf), out_size = pen_leaf_value_size(r->leaf);
    uint8_t stored[PIECE * 16];
    if (size > 16)
        return pen_leaf_reader_damaged(r, "a number wider than 16 bytes is not supported", err);
    for (size_t m; n; n -= m) {
        m = n < PIECE ? n : PIECE;
        if (!get_stored(r, stored, m))
            return bad(r, err);
        if (!convert(r->leaf, r->fixed.p + r->fixed.n, stored, m))
            return pen_leaf_reader_damaged(r, "a value is beyond what its type holds", err);
        r->fixed.n += m * out_size;
    }
    return PEN_OK;
}

pen_status pen_leaf_reader_values(struct pen_leaf_reader *r, size_t n, struct pen_error *err)
{
    const struct pen_tree *leaf = r->leaf;
    size_t size = pen_leaf_value_size(leaf);
    pen_status st;
    if (n == 0)
        return PEN_OK;
    r->values += n;
    if (size == 0)
        return leaf->conversion == PEN_FROM_FIXED ? fixed_texts(r, n, err) : get_texts(r, n, err);
    if ((st = pen_buf_reserve(&r->fixed, n * size, err)) < 0)
        return st;
    if (leaf->conversion == PEN_FROM_DECIMAL &&
        (stored_text(leaf) || (leaf->physical == PQ_FIXED && (r->encoding == PQ_DELTA_BYTE_ARRAY || leaf->width > 16))))
        return decimals_from_texts(r, n, err);
    if (leaf->conversion != PEN_AS_IS)
        return converted(r, n, err);
    if (!get_stored(r, r->fixed.p + r->fixed.n, n))
        return bad(r, err);
    r->fixed.n += n * size;
    return PEN_OK;
}
