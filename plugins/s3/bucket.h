/* bucket.h - S3's calls about a whole bucket: made, configured, described, deleted. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_BUCKET_H
#define PEN_S3_BUCKET_H

#include "s3.h"

enum { S3_BODY = 4 << 20 }; /* the most that an answer may hold */

/* Of these calls t->key is empty. PEN_SKIP: there is no such bucket, or nothing is set. */
pen_status s3_bucket_look(struct s3_store *s, const struct s3_target *t, struct pen_error *err);
/* In the client's region. PEN_BADCONF where it is there already, or somebody else's. */
pen_status s3_bucket_create(struct s3_store *s, const struct s3_target *t, struct pen_error *err);
pen_status s3_bucket_delete(struct s3_store *s, const struct s3_target *t, struct pen_error *err);
/* One page of what lies in it is removed, versions too. *n: how many; 0: there was nothing. */
pen_status s3_bucket_empty(struct s3_store *s, const struct s3_target *t, size_t *n, struct pen_error *err);
/* A part of its configuration ("lifecycle", "tagging", …) as XML: read, replaced whole, removed. The body is the caller's to finish. */
pen_status s3_bucket_get(struct s3_store *s, const struct s3_target *t, const char *what, struct pen_text *body, struct pen_error *err);
pen_status s3_bucket_set(struct s3_store *s, const struct s3_target *t, const char *what, struct pen_text *body, struct pen_error *err);
pen_status s3_bucket_unset(struct s3_store *s, const struct s3_target *t, const char *what, struct pen_error *err);
/* Every bucket of the account. */
pen_status s3_buckets(struct s3_store *s, pen_status (*each)(void *arg, const char *name, int64_t created, struct pen_error *err), void *arg,
                      struct pen_error *err);

/* "<name>text</name>", escaped. */
void s3_xml_put(struct pen_text *t, const char *name, const char *text);

#endif
