/* stream.c - the bytes of a file from some offset on: as they lie, or out of gzip members (RFC 1952) or zstd frames (RFC 8878).
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define INPUT 131072
#define AHEAD ((size_t)4 << 20) /* of an object, bytes a request */

struct inflater {
    z_stream z;
    ZSTD_DStream *zstd;
    uint64_t in_at;      /* compressed bytes read so far */
    size_t used, filled; /* of in[] */
    bool between;        /* members or frames: the file may end here */
    unsigned char in[INPUT];
};

/* The same of an object: a store is asked for a good deal at a time. */
static pen_status read_object(struct stream *s, void *out, size_t n, uint64_t at, size_t *got, struct pen_error *err)
{
    if (at < s->ahead_at || at >= s->ahead_at + s->n_ahead) {
        pen_status status;
        if (!s->ahead && !(s->ahead = malloc(AHEAD)))
            return pen_fail(err, PEN_FATAL, "out of memory");
        s->ahead_at = at;
        s->n_ahead = 0;
        status = pen_store_read(s->object, s->path, (int64_t)at, s->ahead, AHEAD, &s->n_ahead, err);
        if (status == PEN_SKIP)
            return pen_fail(err, PEN_FATAL, "%s: vanished while it was read, at byte %" PRIu64, s->path, at);
        if (status < 0)
            return status;
    }
    *got = s->n_ahead - (size_t)(at - s->ahead_at);
    *got = *got < n ? *got : n;
    memcpy(out, s->ahead + (at - s->ahead_at), *got);
    return PEN_OK;
}

/* Reads what lies at `at`; 0 at the end. */
static pen_status read_at(struct stream *s, void *out, size_t n, uint64_t at, size_t *got, struct pen_error *err)
{
    if (s->object)
        return read_object(s, out, n, at, got, err);
    for (;;) {
        ssize_t r = pread(s->fd, out, n, (off_t)at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return pen_fail(err, PEN_FATAL, "%s: cannot read at byte %" PRIu64 ": %s", s->path, at, strerror(errno));
        *got = (size_t)r;
        return PEN_OK;
    }
}

static pen_status broken(const struct stream *s, const char *why, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "%s: damaged %s data before compressed byte %" PRIu64 " (decompressed %" PRIu64 "): %s", s->path,
                    s->codec == FILE_GZIP ? "gzip" : "zstd", s->inflater->in_at, s->at, why);
}

static pen_status inflate_gzip(struct stream *s, void *out, size_t n, size_t *got, struct pen_error *err)
{
    struct inflater *f = s->inflater;
    f->z.next_in = f->in + f->used;
    f->z.avail_in = (uInt)(f->filled - f->used);
    f->z.next_out = out;
    f->z.avail_out = (uInt)(n < UINT32_MAX ? n : UINT32_MAX);
    uInt room = f->z.avail_out;
    int rc = inflate(&f->z, Z_NO_FLUSH);
    f->used = f->filled - f->z.avail_in;
    *got = room - f->z.avail_out;
    f->between = rc == Z_STREAM_END;
    if (rc == Z_STREAM_END && inflateReset(&f->z) == Z_OK)
        return PEN_OK;
    if (rc == Z_OK || rc == Z_BUF_ERROR)
        return PEN_OK;
    return rc == Z_MEM_ERROR ? pen_fail(err, PEN_FATAL, "out of memory") : broken(s, f->z.msg ? f->z.msg : "not gzip", err);
}

static pen_status inflate_zstd(struct stream *s, void *out, size_t n, size_t *got, struct pen_error *err)
{
    struct inflater *f = s->inflater;
    ZSTD_inBuffer in = { f->in + f->used, f->filled - f->used, 0 };
    ZSTD_outBuffer o = { out, n, 0 };
    size_t rc = ZSTD_decompressStream(f->zstd, &o, &in);
    f->used += in.pos;
    *got = o.pos;
    if (ZSTD_isError(rc))
        return broken(s, ZSTD_getErrorName(rc), err);
    f->between = rc == 0;
    return PEN_OK;
}

static pen_status read_inflated(struct stream *s, void *out, size_t n, size_t *got, struct pen_error *err)
{
    struct inflater *f = s->inflater;
    bool ended = false;
    for (*got = 0; *got == 0 && n > 0;) {
        if (f->used == f->filled && !ended) {
            size_t filled;
            pen_status status = read_at(s, f->in, sizeof f->in, f->in_at, &filled, err);
            if (status < 0)
                return status;
            f->used = 0;
            f->filled = filled;
            f->in_at += filled;
            ended = filled == 0;
        }
        if (ended && f->between)
            return PEN_OK;
        pen_status status = s->codec == FILE_GZIP ? inflate_gzip(s, out, n, got, err) : inflate_zstd(s, out, n, got, err);
        if (status < 0)
            return status;
        if (ended && *got == 0 && !f->between)
            return broken(s, "the file ends in the middle", err);
    }
    return PEN_OK;
}

pen_status stream_read(struct stream *s, void *out, size_t n, size_t *got, struct pen_error *err)
{
    pen_status status = pen_failpoint("file.read", err);
    if (status == PEN_OK)
        status = s->codec == FILE_PLAIN ? read_at(s, out, n, s->at, got, err) : read_inflated(s, out, n, got, err);
    if (status == PEN_OK)
        s->at += *got;
    return status;
}

static pen_status skip_to(struct stream *s, uint64_t at, struct pen_error *err)
{
    char *waste = malloc(INPUT);
    pen_status status = waste ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
    while (status == PEN_OK && s->at < at) {
        size_t got;
        status = stream_read(s, waste, at - s->at < INPUT ? (size_t)(at - s->at) : INPUT, &got, err);
        if (status == PEN_OK && got == 0)
            status = pen_fail(err, PEN_FATAL, "%s: ends at decompressed byte %" PRIu64 ", but was read to %" PRIu64 " before: it was truncated", s->path,
                              s->at, at);
    }
    free(waste);
    return status;
}

pen_status stream_open(struct stream *s, int fd, const struct pen_host *object, file_codec codec, const char *path, uint64_t at, struct pen_error *err)
{
    pen_status status = PEN_OK;
    *s = (struct stream){ .fd = fd, .object = object, .codec = codec, .path = path };
    if (!object)
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (codec == FILE_PLAIN) {
        s->at = at;
        return PEN_OK;
    }
    if (!(s->inflater = calloc(1, sizeof *s->inflater)))
        status = pen_fail(err, PEN_FATAL, "out of memory");
    else if (codec == FILE_GZIP ? inflateInit2(&s->inflater->z, 15 + 16) != Z_OK : !(s->inflater->zstd = ZSTD_createDStream())) {
        free(s->inflater); /* nothing of zlib's is held yet */
        s->inflater = NULL;
        status = pen_fail(err, PEN_FATAL, "out of memory");
    } else {
        s->inflater->between = true; /* an empty file */
        status = skip_to(s, at, err);
    }
    if (status < 0)
        stream_close(s);
    return status;
}

void stream_close(struct stream *s)
{
    if (s->inflater && s->codec == FILE_GZIP)
        inflateEnd(&s->inflater->z);
    if (s->inflater && s->codec == FILE_ZSTD)
        ZSTD_freeDStream(s->inflater->zstd);
    free(s->inflater);
    s->inflater = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    free(s->ahead);
    s->ahead = NULL;
}
