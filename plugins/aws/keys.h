/* keys.h - the places where access keys come from. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_AWS_KEYS_H
#define PEN_AWS_KEYS_H

#include "credentials.h"
#include "profile.h"

/* secrets are copied; expires: INT64_MAX for never. NULL: out of memory. */
struct aws_held *aws_held_new(const char *access, const char *secret, const char *token, int64_t expires);
void aws_held_drop(struct aws_held **h); /* frees it, whoever uses it */

/* Looks through the places in order. PEN_BADCONF: none has any, or one is set up wrongly; PEN_RETRY: the one that has them does not answer. */
pen_status aws_find_keys(const struct aws_options *o, struct aws_held **out, struct pen_error *err);

/* Each: PEN_SKIP where this machine has no such thing. */
pen_status aws_keys_of_container(struct aws_held **out, struct pen_error *err);
pen_status aws_keys_of_instance(struct aws_held **out, struct pen_error *err);
/* The output of a command. */
pen_status aws_keys_of_process(const char *command, struct aws_held **out, struct pen_error *err);
/* A JSON object with AccessKeyId, SecretAccessKey, Token or SessionToken, and Expiration. where: for messages. */
pen_status aws_keys_of_json(const char *text, size_t n, const char *where, struct aws_held **out, struct pen_error *err);

struct aws_role {
    const char *arn, *session, *external_id, *token_file; /* token_file: of a web identity */
    const char *seconds;                                 /* how long the keys are to be good; NULL: an hour */
};
/* Asks STS for the keys of a role, signed with `with` (NULL: by the token in token_file). */
pen_status aws_keys_of_role(const struct aws_options *o, const struct aws_role *role, const struct aws_keys *with, struct aws_held **out,
                            struct pen_error *err);
/* An answer of STS. */
pen_status aws_keys_of_xml(const char *text, size_t n, const char *where, struct aws_held **out, struct pen_error *err);

#endif
