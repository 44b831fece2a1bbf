/* output.c - the text of one lane and plan on its way to the disk: compressed, into a hidden file beside the one it will be appended to, or
 * into an upload that becomes a file of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define BLOCK 65536

struct output {
    struct file_sink *sink;
    struct pen_upload *upload; /* a folder's file; else */
    int fd;                    /* a hidden file */
    char *path;
    int64_t bytes;
    z_stream gzip;
    ZSTD_CCtx *zstd;
    unsigned char block[BLOCK];
};

pen_status output_write_all(int fd, const void *bytes, size_t n, const char *path, struct pen_error *err)
{
    for (const char *p = bytes; n > 0;) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return pen_fail(err, PEN_FATAL, "%s: cannot write: %s", path, k < 0 ? strerror(errno) : "nothing was taken");
        p += k;
        n -= (size_t)k;
    }
    return PEN_OK;
}

static pen_status put(struct output *o, const void *bytes, size_t n, struct pen_error *err)
{
    if (n == 0)
        return PEN_OK;
    o->bytes += (int64_t)n;
    return o->upload ? pen_upload_write(o->upload, bytes, n, err) : output_write_all(o->fd, bytes, n, o->path, err);
}

static const char *extension(const struct file_sink *s)
{
    static const char *const names[2][3] = { { ".jsonl", ".jsonl.gz", ".jsonl.zst" }, { ".csv", ".csv.gz", ".csv.zst" } };
    return names[s->csv][s->codec];
}

static pen_status begin_codec(struct output *o, struct pen_error *err)
{
    const struct file_sink *s = o->sink;
    if (s->codec == FILE_GZIP && deflateInit2(&o->gzip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (s->codec == FILE_ZSTD) {
        if (!(o->zstd = ZSTD_createCCtx()))
            return pen_fail(err, PEN_FATAL, "out of memory");
        ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_compressionLevel, s->compression.codec == PEN_CODEC_ZSTD ? s->compression.level : 1);
        ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_checksumFlag, 1);
    }
    return PEN_OK;
}

static void output_free(struct output **o)
{
    if ((*o)->gzip.state)
        deflateEnd(&(*o)->gzip);
    ZSTD_freeCCtx((*o)->zstd);
    if ((*o)->fd >= 0)
        close((*o)->fd);
    free((*o)->path);
    free(*o);
    *o = NULL;
}

pen_status output_open(struct output **out, struct file_sink *s, unsigned lane, struct pen_error *err)
{
    struct output *o = calloc(1, sizeof *o);
    uint64_t number = atomic_fetch_add(&s->next, 1);
    pen_status status = PEN_OK;
    *out = NULL;
    if (!o)
        return pen_fail(err, PEN_FATAL, "out of memory");
    o->sink = s;
    o->fd = -1;
    int n = s->folder ? asprintf(&o->path, "%s/%012" PRIu64 "-%s-%02u%s", s->path, number, s->run, lane, extension(s))
                      : asprintf(&o->path, "%s%s-%" PRIu64 "-%u", s->near, s->run, number, lane);
    if (n < 0) {
        o->path = NULL;
        status = pen_fail(err, PEN_FATAL, "out of memory");
    } else if (s->folder) {
        status = pen_upload_open(s->host, &o->upload, o->path, PEN_PUT_IF_ABSENT | (s->fsync ? 0 : PEN_PUT_NO_FSYNC), err);
    } else if ((o->fd = open(o->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0) {
        status = pen_fail(err, PEN_FATAL, "%s: cannot make a file here: %s", o->path, strerror(errno));
    }
    if (status == PEN_OK)
        status = begin_codec(o, err);
    if (status < 0) {
        output_abandon(&o);
        return status;
    }
    *out = o;
    return PEN_OK;
}

/* Bytes through the codec; last: its end too. */
static pen_status encode(struct output *o, const void *bytes, size_t n, bool last, struct pen_error *err)
{
    if (o->sink->codec == FILE_PLAIN)
        return put(o, bytes, n, err);
    ZSTD_inBuffer in = { bytes, n, 0 };
    o->gzip.next_in = (unsigned char *)(uintptr_t)bytes;
    o->gzip.avail_in = (uInt)n; /* callers give less than 1 GiB */
    for (bool more = true; more;) {
        size_t made;
        if (o->sink->codec == FILE_GZIP) {
            o->gzip.next_out = o->block;
            o->gzip.avail_out = BLOCK;
            int rc = deflate(&o->gzip, last ? Z_FINISH : Z_NO_FLUSH);
            made = BLOCK - o->gzip.avail_out;
            more = last ? rc != Z_STREAM_END : o->gzip.avail_in > 0 || o->gzip.avail_out == 0;
        } else {
            ZSTD_outBuffer to = { o->block, BLOCK, 0 };
            size_t left = ZSTD_compressStream2(o->zstd, &to, &in, last ? ZSTD_e_end : ZSTD_e_continue);
            if (ZSTD_isError(left))
                return pen_fail(err, PEN_FATAL, "%s: zstd: %s", o->path, ZSTD_getErrorName(left));
            made = to.pos;
            more = last ? left > 0 : in.pos < in.size;
        }
        pen_status status = put(o, o->block, made, err);
        if (status < 0)
            return status;
    }
    return PEN_OK;
}

pen_status output_write(struct output *o, const void *bytes, size_t n, struct pen_error *err)
{
    for (const char *p = bytes; n > 0;) {
        size_t k = n < (1u << 20) ? n : 1u << 20;
        pen_status status = encode(o, p, k, false, err);
        if (status < 0)
            return status;
        p += k;
        n -= k;
    }
    return PEN_OK;
}

static pen_status sync_folder_of(const char *path, struct pen_error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
    if (!folder)
        return pen_fail(err, PEN_FATAL, "out of memory");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pen_status status = fd < 0 || fsync(fd) != 0 ? pen_fail(err, PEN_FATAL, "%s: cannot sync: %s", folder, strerror(errno)) : PEN_OK;
    if (fd >= 0)
        close(fd);
    free(folder);
    return status;
}

pen_status output_stage(struct output **out, char **token, int64_t *bytes, struct pen_error *err)
{
    struct output *o = *out;
    pen_status status = encode(o, "", 0, true, err);
    *token = NULL;
    *bytes = o->bytes;
    if (status == PEN_OK)
        status = pen_failpoint("file.stage", err);
    if (status == PEN_OK && o->upload)
        status = pen_upload_stage(&o->upload, token, err);
    else if (status == PEN_OK && o->sink->fsync && fsync(o->fd) != 0)
        status = pen_fail(err, PEN_FATAL, "%s: cannot sync: %s", o->path, strerror(errno));
    else if (status == PEN_OK && o->sink->fsync)
        status = sync_folder_of(o->path, err);
    if (status == PEN_OK && !*token && !(*token = strdup(o->path)))
        status = pen_fail(err, PEN_FATAL, "out of memory");
    if (status == PEN_OK)
        output_free(out);
    else
        output_abandon(out);
    return status;
}

void output_abandon(struct output **o)
{
    if (!*o)
        return;
    if ((*o)->upload)
        pen_upload_abandon(&(*o)->upload);
    if ((*o)->fd >= 0)
        unlink((*o)->path);
    output_free(o);
}

pen_status output_encode(struct pen_text *out, const struct file_sink *s, const void *bytes, size_t n, struct pen_error *err)
{
    if (s->codec == FILE_ZSTD) {
        size_t room = ZSTD_compressBound(n);
        void *frame = malloc(room);
        size_t made = frame ? ZSTD_compress(frame, room, bytes, n, 1) : 0;
        pen_text_append(out, frame, ZSTD_isError(made) ? 0 : made);
        free(frame);
        return !frame || ZSTD_isError(made) || pen_text_failed(out) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
    }
    if (s->codec == FILE_GZIP) {
        z_stream z = { 0 };
        unsigned char member[4096];
        int rc = deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
        if (rc != Z_OK)
            return pen_fail(err, PEN_FATAL, "out of memory");
        z.next_in = (unsigned char *)(uintptr_t)bytes;
        z.avail_in = (uInt)n;
        do {
            z.next_out = member;
            z.avail_out = sizeof member;
            rc = deflate(&z, Z_FINISH);
            pen_text_append(out, member, sizeof member - z.avail_out);
        } while (rc == Z_OK);
        deflateEnd(&z);
        return rc != Z_STREAM_END || pen_text_failed(out) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
    }
    pen_text_append(out, bytes, n);
    return pen_text_failed(out) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}
