/* parts.h - S3's calls about multipart uploads. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_PARTS_H
#define PEN_S3_PARTS_H

#include "s3.h"

enum { S3_MAX_PARTS = 10000, S3_OWN_ID = 33, S3_ETAG = 80 };
#define S3_OWN_HEADER "penstock-upload" /* metadata by which an object of ours is known again */

struct s3_part {
    char etag[S3_ETAG], crc[9]; /* crc "": without a checksum */
};
struct s3_parts {
    struct s3_part *v; /* in order; v[0] is part 1 */
    size_t n, room;
};
pen_status s3_parts_set(struct s3_parts *p, size_t number, const struct s3_part *part, struct pen_error *err);

/* *upload_id is malloc'ed. headers: of the object that is made, its metadata. */
pen_status s3_create_upload(struct s3_store *s, const struct s3_target *t, const struct aws_fields *headers, char **upload_id, struct pen_error *err);
pen_status s3_send_part(struct s3_store *s, const struct s3_target *t, const char *upload_id, size_t number, const void *bytes, size_t n,
                        struct s3_part *out, struct pen_error *err);
/* PEN_SKIP: there is no such upload (any more). */
pen_status s3_list_parts(struct s3_store *s, const struct s3_target *t, const char *upload_id, struct s3_parts *out, struct pen_error *err);
pen_status s3_abort_upload(struct s3_store *s, const struct s3_target *t, const char *upload_id, struct pen_error *err);
/* PEN_OK with an outcome, PEN_SKIP: no such upload; or why it certainly did not happen. PEN_PUT_LOST: the upload is there and parts are missing, because an
 * earlier request is just making the object of them, or was cut off while it did: MinIO then leaves an upload that can never be ended. */
pen_status s3_complete_upload(struct s3_store *s, const struct s3_target *t, const char *upload_id, const struct s3_parts *parts, unsigned flags,
                              pen_put_outcome *outcome, struct pen_error *err);
/* Aborts uploads of keys that begin with t->key, as far as they were begun more than a day ago by the service's own time. */
pen_status s3_abort_old_uploads(struct s3_store *s, const struct s3_target *t, struct pen_error *err);

#endif
