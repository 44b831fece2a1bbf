/* s3.h - the store of s3:// URLs, piece by piece. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_S3_H
#define PEN_S3_S3_H

#include <pthread.h>

#include "aws/aws.h"

typedef enum { S3_STYLE_AUTO, S3_STYLE_YES, S3_STYLE_NO } s3_style;
typedef enum { S3_CHECKSUM_CRC32, S3_CHECKSUM_NONE } s3_checksum;
typedef enum { S3_ENCRYPT_DEFAULT, S3_ENCRYPT_S3, S3_ENCRYPT_KMS } s3_encryption;

struct s3_options {
    struct aws_options aws;
    int path_style, checksum, encryption;
    const char *kms_key;
    int64_t part_size, upload_threads, outage_timeout;
};

enum { S3_BUCKET = 64, S3_KEY = 1025, S3_REGIONS = 64 };

struct s3_pool; /* upload.c: the threads that send parts */

/* An instance of the store; every function of it is safe among threads. */
struct s3_store {
    struct s3_options options;
    const struct pen_host *host;
    struct aws_client *client;
    pthread_mutex_t lock; /* of the regions */
    struct {
        char bucket[S3_BUCKET], region[64];
    } regions[S3_REGIONS]; /* of buckets that turned out to lie elsewhere */
    size_t n_regions;
    struct s3_pool *pool;
};

/* "bucket/key" taken apart. */
struct s3_target {
    char bucket[S3_BUCKET];
    char key[S3_KEY]; /* "": the bucket itself */
};

/* PEN_BADCONF for what is no bucket's name, PEN_FATAL for a key that is too long. */
pen_status s3_target_of(struct s3_target *out, const char *path, struct pen_error *err);

/* -- requests (request.c) ------------------------------------------------------------------------------------------------------------------- */

/* One call about a bucket or an object; call->request has everything but path, endpoint and region. A bucket that lies in another region is asked
 * there. As aws_call(). */
pen_status s3_call(struct s3_store *s, const struct s3_target *t, struct aws_call *call, struct aws_answer *a, struct pen_error *err);
/* Where a bucket lies, as far as is known. */
void s3_region_of(struct s3_store *s, const char *bucket, char region[64]);
/* An answer that is an error, as a line that names the URL. */
pen_status s3_fail(const struct s3_target *t, const struct aws_answer *a, const char *what, struct pen_error *err);
/* Headers of a body that is sent: checksum; and of an object that is made: encryption, metadata. */
void s3_checksum_header(const struct s3_store *s, struct aws_request *r);
void s3_encryption_headers(const struct s3_store *s, struct aws_request *r);
void s3_metadata_headers(struct aws_fields *headers, const struct pen_pairs *metadata);
/* The CRC-32 of bytes as S3 spells it, 8 characters of base64. */
void s3_crc32(char out[9], const void *bytes, size_t n);

/* -- objects (object.c) ------------------------------------------------------------------------------------------------------------------------ */

pen_status s3_head(void *ctx, const char *path, struct pen_object *out, struct pen_error *err);
pen_status s3_read(void *ctx, const char *path, int64_t offset, void *buffer, size_t want, size_t *got, struct pen_error *err);
pen_status s3_put(void *ctx, const char *path, const void *bytes, size_t n, unsigned flags, const struct pen_pairs *metadata,
                  pen_put_outcome *outcome, struct pen_error *err);
pen_status s3_metadata(void *ctx, const char *path, const char *name, char *value, size_t size, struct pen_error *err);
pen_status s3_remove(void *ctx, const char *path, struct pen_error *err);
pen_status s3_now(void *ctx, const char *path, int64_t *microseconds, struct pen_error *err);
/* What became of a put or of the end of an upload: PEN_OK with an outcome, or the error. */
pen_status s3_put_outcome(const struct s3_target *t, const struct aws_answer *a, pen_status called, unsigned flags, pen_put_outcome *outcome,
                          struct pen_error *err);
pen_status s3_remove_object(struct s3_store *s, const struct s3_target *t, struct pen_error *err);
/* Value of a header of the object's HEAD (lower case), "" where it has none, cut to fit; PEN_SKIP where there is no object. */
pen_status s3_head_field(struct s3_store *s, const struct s3_target *t, const char *header, char *value, size_t size, struct pen_error *err);

/* -- lists (list.c) ------------------------------------------------------------------------------------------------------------------------------ */

pen_status s3_list(void *ctx, const char *path, const char *after, bool recursive,
                   pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err), void *arg, struct pen_error *err);

/* -- large objects (upload.c, parts.c) ---------------------------------------------------------------------------------------------------------- */

pen_status s3_pool_new(struct s3_pool **out, struct s3_store *s, struct pen_error *err);
void s3_pool_free(struct s3_pool **p); /* finishes what was begun, without patience */
pen_status s3_upload_open(void *ctx, const char *path, unsigned flags, const struct pen_pairs *metadata, void **upload, struct pen_error *err);
pen_status s3_upload_write(void *upload, const void *bytes, size_t n, struct pen_error *err);
pen_status s3_upload_stage(void *upload, char *token, size_t size, struct pen_error *err);
pen_status s3_upload_close(void *upload, pen_put_outcome *outcome, struct pen_error *err);
void s3_upload_abandon(void *upload);
pen_status s3_publish(void *ctx, const char *token, pen_put_outcome *outcome, struct pen_error *err);
pen_status s3_discard(void *ctx, const char *token, struct pen_error *err);

#endif
