/* credentials.h - who we are: access keys from wherever AWS's own tools look for them, kept fresh.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_AWS_CREDENTIALS_H
#define PEN_AWS_CREDENTIALS_H

#include "sign.h"

struct aws_credentials;

/* Where there are none yet nobody is asked before the first hold. */
pen_status aws_credentials_new(struct aws_credentials **out, const struct pen_host *host, const struct aws_options *o, struct pen_error *err);
void aws_credentials_free(struct aws_credentials **c);

/* Keys that stay valid in memory until they are let go. */
struct aws_held {
    struct aws_keys keys;
    int64_t expires; /* seconds since 1970, INT64_MAX: never */
    unsigned users;  /* the credentials' own */
};
/* The keys to sign with now. PEN_BADCONF: there are none, with the places that were looked at; PEN_RETRY: who gives them does not answer. Any thread. */
pen_status aws_credentials_hold(struct aws_credentials *c, struct aws_held **out, struct pen_error *err);
void aws_credentials_let_go(struct aws_credentials *c, struct aws_held **h);
/* A service refused these as expired: they are not to be given out again. True when there may be others now. Any thread. */
bool aws_credentials_expired(struct aws_credentials *c, const struct aws_held *h);

#endif
