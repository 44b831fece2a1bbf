/* sign.h - Signature Version 4: headers, presigned queries, chunks. Pure functions of what they are given.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_AWS_SIGN_H
#define PEN_AWS_SIGN_H

#include "aws.h"

/* A set of access keys. */
struct aws_keys {
    const char *access, *secret, *token; /* token NULL: none */
};

struct aws_scope {
    const char *region, *service;
    int64_t time; /* seconds since 1970 */
};

enum {
    AWS_PATH_NORMALIZE = 1,    /* "." and ".." and doubled slashes are resolved: every service but s3 */
    AWS_PATH_ENCODE_TWICE = 2, /* likewise every service but s3 */
    AWS_HASH_HEADER = 4,       /* the payload's hash goes along as x-amz-content-sha256 */
    AWS_TOKEN_UNSIGNED = 8     /* the session token is added after signing */
};
unsigned aws_sign_flags(const char *service); /* what a service expects */

enum { AWS_SHA256 = 32, AWS_HEX = 65, AWS_TIME = 17 };

/* What came of signing; the texts are for tests and for error reports. */
struct aws_signature {
    char hex[AWS_HEX];
    struct pen_text canonical, to_sign;
};
void aws_signature_fini(struct aws_signature *s);

/* Adds x-amz-date, x-amz-security-token, x-amz-content-sha256 (as flags say) and authorization to r->headers, which holds `host`. sig may be NULL. */
pen_status aws_sign_headers(struct aws_request *r, const struct aws_keys *k, const struct aws_scope *s, unsigned flags,
                            struct aws_signature *sig, struct pen_error *err);
/* Adds the X-Amz-… parameters to r->query, the signature last; valid for `seconds`. */
pen_status aws_sign_query(struct aws_request *r, const struct aws_keys *k, const struct aws_scope *s, int64_t seconds, unsigned flags,
                          struct aws_signature *sig, struct pen_error *err);
/* The query as it is sent: encoded, sorted. */
pen_status aws_query_text(struct pen_text *out, const struct aws_fields *query, struct pen_error *err);

/* A body that is signed chunk by chunk (payload AWS_STREAMING): each chunk's signature covers the one before, the first the request's. */
struct aws_chunks {
    unsigned char key[AWS_SHA256];
    char time[AWS_TIME], scope[160], last[AWS_HEX];
};
void aws_chunks_begin(struct aws_chunks *c, const struct aws_keys *k, const struct aws_scope *s, const char *request_signature);
/* Appends the frame of the next chunk; n = 0 is the last one. */
void aws_chunk(struct aws_chunks *c, struct pen_text *out, const void *bytes, size_t n);

/* -- hashes (hash.c) ------------------------------------------------------------------------------------------------------------------- */
void aws_sha256(unsigned char out[AWS_SHA256], const void *bytes, size_t n);
void aws_hmac(unsigned char out[AWS_SHA256], const void *key, size_t key_n, const void *bytes, size_t n);
void aws_hex(char out[AWS_HEX], const unsigned char digest[AWS_SHA256]);

#endif
