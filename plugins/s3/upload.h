/* upload.h - a large object on its way, and the threads that send its parts. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_UPLOAD_H
#define PEN_S3_UPLOAD_H

#include "parts.h"

struct s3_upload {
    struct s3_store *store;
    struct s3_target target;
    unsigned flags;
    char own_id[S3_OWN_ID];
    struct aws_fields headers; /* of the object: own_id and metadata */
    /* The caller's: */
    char *bytes; /* of the part that is being filled */
    size_t n, room;
    size_t given; /* parts handed to the pool */
    /* Under the pool's lock: */
    struct s3_parts parts;
    char *upload_id;
    bool creating;   /* a thread is asking for it */
    bool abandoned;
    unsigned pending; /* parts that are queued or being sent */
    struct pen_error error; /* the first one */
};

/* How long to wait for a store that is out of reach. Starts as { 0 }. */
struct s3_patience {
    int64_t since, logged;
    unsigned times;
};
/* After a failure that may pass: waits, longer from time to time; false when it is time to give up. */
bool s3_wait(struct s3_store *s, struct s3_patience *p, const bool *abandoned, const struct pen_error *why);

/* -- pool.c ------------------------------------------------------------------------------------------------------------------------------------ */

/* Hands the buffer u->bytes over as the next part; waits while too much is on its way. Fails with what went wrong before. */
pen_status s3_pool_send(struct s3_upload *u, struct pen_error *err);
/* Waits until every part is there. */
pen_status s3_pool_finish(struct s3_upload *u, struct pen_error *err);
/* Aborts what S3 holds of it, in the background, and frees it. */
void s3_pool_abandon(struct s3_upload *u);
/* Sees to what was left behind below this folder, in the background, once a run. */
void s3_pool_reclaim(struct s3_store *s, const struct s3_target *folder);
void s3_upload_free(struct s3_upload *u);

#endif
