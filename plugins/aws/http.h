/* http.h - one HTTP exchange by libcurl: a pool of handles, each with its connection. No retries, no signatures.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_AWS_HTTP_H
#define PEN_AWS_HTTP_H

#include "aws.h"

struct aws_http;

struct aws_http_options {
    const char *tls_ca; /* NULL: the system's */
    int64_t connect_timeout, silence_timeout; /* microseconds */
    int64_t total_timeout; /* 0: none; of metadata services, which answer at once or never */
    bool direct;           /* past any proxy */
};

struct aws_exchange {
    const char *method, *url; /* encoded already */
    const struct aws_fields *headers;
    const void *body;
    size_t n;
    bool fresh;    /* on a new connection: libcurl never sends it twice */
    size_t limit;  /* of the answer's body */
    void *into;    /* as in struct aws_call */
    size_t room;
    const atomic_bool *give_up;
};

typedef enum {
    AWS_HTTP_ANSWERED, /* a whole answer, of any status */
    AWS_HTTP_NOT_SENT, /* certainly not carried out */
    AWS_HTTP_UNCLEAR   /* sent, at least in part */
} aws_http_outcome;

pen_status aws_http_new(struct aws_http **out, const struct aws_http_options *o, struct pen_error *err);
void aws_http_free(struct aws_http **h);
/* PEN_OK: answered. PEN_RETRY: not, *outcome says more. PEN_BADCONF: the certificate is not trusted, the CA file cannot be read. PEN_FATAL: the
 * answer is longer than allowed, or no memory. Any thread. */
pen_status aws_http_exchange(struct aws_http *h, const struct aws_exchange *x, struct aws_answer *a, aws_http_outcome *outcome,
                             struct pen_error *err);
/* Makes *a ready for another answer, keeping its memory. */
void aws_answer_clear(struct aws_answer *a);

#endif
