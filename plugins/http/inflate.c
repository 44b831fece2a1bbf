/* inflate.c - bodies that were sent as gzip or zstd. What comes out is bounded whatever went in. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "gateway.h"

#define WINDOW_LOG_MAX 23 /* zstd: 8 MiB, so that a few bytes cannot ask for gigabytes */

struct out {
    char *p;
    size_t n, cap, max;
};

static bool make_room(struct out *o)
{
    size_t cap = o->cap ? o->cap * 2 : 65536;
    char *p;
    if (o->n < o->cap)
        return true;
    if (cap > o->max)
        cap = o->max;
    if (o->n == o->max || !(p = realloc(o->p, cap)))
        return false;
    o->p = p;
    o->cap = cap;
    return true;
}

static bool unpack_gzip(const struct request *r, struct out *o)
{
    z_stream z = { .next_in = (Bytef *)r->body, .avail_in = (uInt)r->n };
    int e = inflateInit2(&z, 15 + 16);
    while (e == Z_OK && make_room(o)) {
        z.next_out = (Bytef *)o->p + o->n;
        z.avail_out = (uInt)(o->cap - o->n);
        e = inflate(&z, Z_NO_FLUSH);
        o->n = o->cap - z.avail_out;
        if (e == Z_STREAM_END && z.avail_in) /* another member follows */
            e = inflateReset(&z);
    }
    inflateEnd(&z);
    return e == Z_STREAM_END;
}

static bool unpack_zstd(const struct request *r, struct out *o)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    ZSTD_inBuffer in = { r->body, r->n, 0 };
    size_t left = 1;
    if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        ZSTD_freeDCtx(z);
        return false;
    }
    while ((in.pos < in.size || left) && make_room(o)) {
        ZSTD_outBuffer out = { o->p, o->cap, o->n };
        size_t had = in.pos, was = o->n;
        left = ZSTD_decompressStream(z, &out, &in);
        o->n = out.pos;
        if (ZSTD_isError(left) || (in.pos == had && o->n == was))
            break;
    }
    ZSTD_freeDCtx(z);
    return !ZSTD_isError(left) && left == 0 && in.pos == in.size;
}

bool body_unpack(struct request *r, size_t max)
{
    struct out o = { .max = max + 1 };
    bool good = r->encoding == 'g' ? unpack_gzip(r, &o) : unpack_zstd(r, &o);
    if (o.n > max)
        refuse(&r->why, 413, 413, NULL, "the body is longer than %zu bytes when it is unpacked", max);
    else if (!good)
        refuse(&r->why, 400, 400, NULL, "the body is no valid %s", r->encoding == 'g' ? "gzip" : "zstd");
    if (r->why.status) {
        free(o.p);
        return false;
    }
    free(r->body);
    r->body = o.p;
    r->n = o.n;
    r->cap = o.cap;
    return true;
}
