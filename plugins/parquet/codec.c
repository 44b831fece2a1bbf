/* codec.c - zstd with one reused context, snappy, and the checksum of pages.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <snappy-c.h>
#include <zstd.h>

#include "codec.h"

struct pen_codec {
    struct pen_compression compression;
    ZSTD_CCtx *zstd;
};

pen_status pen_codec_new(struct pen_codec **out, const struct pen_compression *compression, struct pen_error *err)
{
    struct pen_codec *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    c->compression = *compression;
    if (c->compression.codec == PEN_CODEC_ZSTD) {
        c->zstd = ZSTD_createCCtx();
        if (!c->zstd) {
            free(c);
            return pen_fail(err, PEN_FATAL, "out of memory");
        }
    }
    *out = c;
    return PEN_OK;
}

void pen_codec_free(struct pen_codec **c)
{
    if (!*c)
        return;
    ZSTD_freeCCtx((*c)->zstd);
    free(*c);
    *c = NULL;
}

int pen_codec_number(const struct pen_codec *c)
{
    switch (c->compression.codec) {
    case PEN_CODEC_ZSTD:
        return PQ_ZSTD;
    case PEN_CODEC_SNAPPY:
        return PQ_SNAPPY;
    default:
        return PQ_UNCOMPRESSED;
    }
}

size_t pen_codec_held(const struct pen_codec *c)
{
    return ZSTD_sizeof_CCtx(c->zstd);
}

static pen_status compress_zstd(struct pen_codec *c, const struct pen_codec_tuning *t, const void *bytes, size_t n, struct pen_buf *out,
                                struct pen_error *err)
{
    size_t bound = ZSTD_compressBound(n), got;
    pen_status st = pen_buf_reserve(out, bound, err);
    if (st < 0)
        return st;
    ZSTD_CCtx_reset(c->zstd, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, c->compression.level);
    if (t->hash_log) {
        ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_strategy, ZSTD_fast);
        ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_hashLog, t->hash_log);
        ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_minMatch, t->min_match);
        ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_targetLength, t->step);
        if (t->step) /* literals are compressed although steps are wide; where the library does not know it, sizes tell against steps */
            ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_experimentalParam5, 1);
    }
    got = ZSTD_compress2(c->zstd, out->p + out->n, bound, bytes, n);
    if (ZSTD_isError(got))
        return pen_fail(err, PEN_FATAL, "zstd: %s", ZSTD_getErrorName(got));
    out->n += got;
    return PEN_OK;
}

pen_status pen_codec_compress(struct pen_codec *c, const struct pen_codec_tuning *tuning, const void *bytes, size_t n,
                              struct pen_buf *out, struct pen_error *err)
{
    size_t bound;
    pen_status st;
    switch (c->compression.codec) {
    case PEN_CODEC_ZSTD:
        return compress_zstd(c, tuning, bytes, n, out, err);
    case PEN_CODEC_SNAPPY:
        bound = snappy_max_compressed_length(n);
        st = pen_buf_reserve(out, bound, err);
        if (st < 0)
            return st;
        if (snappy_compress(bytes, n, (char *)out->p + out->n, &bound) != SNAPPY_OK)
            return pen_fail(err, PEN_FATAL, "snappy refuses %zu bytes", n);
        out->n += bound;
        return PEN_OK;
    default:
        return pen_buf_put(out, bytes, n, err);
    }
}

#define SAMPLE ((size_t)256 << 10) /* of a page, to try on */
#define WORTH_TRYING ((size_t)16 << 10)

/* Level 1 looks for matches at one price for all columns, most of its time. What a column gains from that differs, so three other searches
 * are tried. The rules go by sizes, not by time, so that the same rows always give the same file; the thresholds come from measured
 * columns of posts (doc/performance.md): entropy coding alone takes a third of level 1's time, and is worth up to a seventh of the input. */
pen_status pen_codec_tune(struct pen_codec *c, const void *bytes, size_t n, struct pen_buf *scratch, struct pen_codec_tuning *tuning,
                          struct pen_error *err)
{
    static const struct pen_codec_tuning as_level = { 0, 0, 0 }, entropy = { 6, 6, 64 }, near = { 6, 5, 4 }, far = { 16, 7, 0 };
    const struct pen_codec_tuning *const tries[] = { &as_level, &entropy, &near, &far };
    size_t size[4], from = scratch->n;
    memset(tuning, 0, sizeof *tuning);
    if (c->compression.codec != PEN_CODEC_ZSTD || c->compression.level != 1 || n < WORTH_TRYING)
        return PEN_SKIP;
    if (n > SAMPLE)
        n = SAMPLE;
    for (size_t i = 0; i < 4; i++) {
        pen_status st = pen_codec_compress(c, tries[i], bytes, n, scratch, err);
        size[i] = scratch->n - from;
        scratch->n = from;
        if (st < 0)
            return st;
    }
    if (size[2] < size[1] && size[2] <= size[0] + size[0] / 32) /* what repeats lies close by */
        *tuning = near;
    else if (size[1] <= size[0] + n / 7) /* little does */
        *tuning = entropy;
    else if (size[0] < n / 3 && size[3] < size[0]) /* much does: look further */
        *tuning = far;
    return PEN_OK;
}

/* -- restoring ---------------------------------------------------------------------------------------------------------------- */

struct pen_restorer {
    ZSTD_DCtx *zstd;
};

pen_status pen_restorer_new(struct pen_restorer **out, struct pen_error *err)
{
    struct pen_restorer *r = calloc(1, sizeof *r);
    *out = r;
    return r ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

void pen_restorer_free(struct pen_restorer **r)
{
    if (!*r)
        return;
    ZSTD_freeDCtx((*r)->zstd);
    free(*r);
    *r = NULL;
}

const char *pen_codec_refusal(int number)
{
    static const char *const names[] = { NULL, NULL, "gzip", "lzo", "brotli", "lz4", NULL, "lz4_raw" };
    return number < 0 || (size_t)number >= sizeof names / sizeof *names ? "unknown" : names[number];
}

pen_status pen_restore_check(int number, const void *bytes, size_t n, size_t size, struct pen_error *err)
{
    size_t got = size;
    if (number == PQ_UNCOMPRESSED) {
        got = n;
    } else if (number == PQ_SNAPPY) {
        if (snappy_uncompressed_length(bytes, n, &got) != SNAPPY_OK)
            return pen_fail(err, PEN_FATAL, "snappy data are damaged");
    } else if (number == PQ_ZSTD) {
        unsigned long long says = ZSTD_getFrameContentSize(bytes, n);
        if (says == ZSTD_CONTENTSIZE_ERROR)
            return pen_fail(err, PEN_FATAL, "zstd data are damaged");
        if (says != ZSTD_CONTENTSIZE_UNKNOWN)
            got = says > SIZE_MAX ? SIZE_MAX : (size_t)says;
    }
    if (got != size)
        return pen_fail(err, PEN_FATAL, "a page holds %zu bytes where its header says %zu", got, size);
    return PEN_OK;
}

pen_status pen_restore(struct pen_restorer *r, int number, const void *bytes, size_t n, void *out, size_t size, struct pen_error *err)
{
    size_t got = size;
    switch (number) {
    case PQ_UNCOMPRESSED:
        if (n) /* n is size, says pen_restore_check() */
            memcpy(out, bytes, n);
        return PEN_OK;
    case PQ_SNAPPY:
        if (snappy_uncompress(bytes, n, out, &got) != SNAPPY_OK || got != size)
            return pen_fail(err, PEN_FATAL, "snappy data are damaged");
        return PEN_OK;
    case PQ_ZSTD:
        if (!r->zstd && !(r->zstd = ZSTD_createDCtx()))
            return pen_fail(err, PEN_FATAL, "out of memory");
        got = ZSTD_decompressDCtx(r->zstd, out, size, bytes, n);
        if (ZSTD_isError(got))
            return pen_fail(err, PEN_FATAL, "zstd data are damaged: %s", ZSTD_getErrorName(got));
        if (got != size)
            return pen_fail(err, PEN_FATAL, "a page holds %zu bytes where its header says %zu", got, size);
        return PEN_OK;
    default:
        return pen_fail(err, PEN_FATAL, "codec %s (%d) is not supported", pen_codec_refusal(number), number);
    }
}

static uint32_t crc_table[8][256];

static void crc_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (0xedb88320u & (0 - (c & 1)));
        crc_table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            crc_table[t][i] = crc_table[t - 1][i] >> 8 ^ crc_table[0][crc_table[t - 1][i] & 255];
}

uint32_t pen_crc32(const void *bytes, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint8_t *p = bytes;
    uint32_t c = ~0u;
    pthread_once(&once, crc_init);
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t a = pen_load32(p) ^ c, b = pen_load32(p + 4);
        c = crc_table[7][a & 255] ^ crc_table[6][a >> 8 & 255] ^ crc_table[5][a >> 16 & 255] ^ crc_table[4][a >> 24] ^
            crc_table[3][b & 255] ^ crc_table[2][b >> 8 & 255] ^ crc_table[1][b >> 16 & 255] ^ crc_table[0][b >> 24];
    }
    for (; n; n--, p++)
        c = c >> 8 ^ crc_table[0][(c ^ *p) & 255];
    return ~c;
}
