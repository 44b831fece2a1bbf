/* codec.h - compressing and restoring the bytes of a page, and their checksum.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_CODEC_H
#define PENSTOCK_PARQUET_CODEC_H

#include <penstock/option.h>

#include "format.h"

/* How zstd's fast strategy searches: fewer bits and longer least matches cost less time and find less. All zero: as the level says. */
struct pen_codec_tuning {
    uint8_t hash_log, min_match, step;
};

/* One context for all pages of a file; not for two threads. */
struct pen_codec;

pen_status pen_codec_new(struct pen_codec **out, const struct pen_compression *compression, struct pen_error *err);
void pen_codec_free(struct pen_codec **c);
/* Number of this codec in the format. */
int pen_codec_number(const struct pen_codec *c);
/* Appends n bytes, compressed, to out. */
pen_status pen_codec_compress(struct pen_codec *c, const struct pen_codec_tuning *tuning, const void *bytes, size_t n,
                              struct pen_buf *out, struct pen_error *err);
/* Chooses a search for a column by trying some on these bytes; scratch is room behind its n bytes. PEN_SKIP where there are too few to tell. */
pen_status pen_codec_tune(struct pen_codec *c, const void *bytes, size_t n, struct pen_buf *scratch, struct pen_codec_tuning *tuning,
                          struct pen_error *err);
size_t pen_codec_held(const struct pen_codec *c);

/* Restoring, for any codec number of the format. */
struct pen_restorer;
pen_status pen_restorer_new(struct pen_restorer **out, struct pen_error *err);
void pen_restorer_free(struct pen_restorer **r);
/* Name of a codec number that is known but not built in, "unknown" for others, NULL for those that can be restored. */
const char *pen_codec_refusal(int number);
/* Refuses bytes that say themselves that they do not become `size`, before memory is taken for it. */
pen_status pen_restore_check(int number, const void *bytes, size_t n, size_t size, struct pen_error *err);
/* Restores exactly `size` bytes into out, after pen_restore_check(). */
pen_status pen_restore(struct pen_restorer *r, int number, const void *bytes, size_t n, void *out, size_t size, struct pen_error *err);

/* CRC-32 of ISO 3309, the one of gzip. */
uint32_t pen_crc32(const void *bytes, size_t n);

#endif
