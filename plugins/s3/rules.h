/* rules.h - what a bucket is told to do by itself: expiry, encryption, tags, as S3's XML. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_RULES_H
#define PEN_S3_RULES_H

#include "bucket.h"

/* Appends to `out` the rules of a lifecycle but the one by this id, as they stand. *n: how many were kept; *found: that one was among them. */
pen_status s3_rules_without(struct pen_text *out, const char *xml, size_t size, const char *id, size_t *n, bool *found, struct pen_error *err);
/* Objects whose keys begin with prefix ("": all) are gone after so many days; 0: never. Other rules stay. */
pen_status s3_rules_expire(struct s3_store *s, const struct s3_target *t, const char *prefix, int64_t days, struct pen_error *err);
/* Of what is put without a word about it. key NULL: the account's own for S3. algorithm NULL: nothing is said any more. */
pen_status s3_rules_encrypt(struct s3_store *s, const struct s3_target *t, const char *algorithm, const char *key, struct pen_error *err);
/* KEY=VALUE each; those by other keys stay. n = 0: all are removed. */
pen_status s3_rules_tag(struct s3_store *s, const struct s3_target *t, const struct pen_strings *tags, struct pen_error *err);
/* Calls each line of what is set: "expiry", prefix, "7 days"; "encryption", NULL, "AES256"; "tag", key, value. */
pen_status s3_rules_describe(struct s3_store *s, const struct s3_target *t, void (*line)(void *arg, const char *what, const char *name, const char *value),
                             void *arg, struct pen_error *err);

#endif
