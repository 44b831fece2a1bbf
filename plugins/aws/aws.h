/* aws.h - what the plugins that speak to AWS (and to what speaks like it) share: credentials, signed requests, HTTP with retries.
 *
 * A plugin puts struct aws_options into its context and AWS_OPTION_ROWS into its table, opens one client for each service it speaks to, and calls
 * aws_call() from as many threads as it likes. What a call returns: PEN_OK and an answer with whatever status, after retries where these are safe;
 * else no answer that can be relied on. answer.unclear says in both cases whether the request may have been carried out without our knowing.
 *
 *     struct aws_client *c;
 *     aws_client_new(&c, host, &ctx->aws, "kinesis", err);
 *     struct aws_call call = { .request = { .method = "POST", .path = "/", .body = json, .n = length } };
 *     aws_field_add(&call.request.headers, "content-type", "application/x-amz-json-1.1");
 *     aws_field_add(&call.request.headers, "x-amz-target", "Kinesis_20131202.ListShards");
 *     struct aws_answer a = { 0 };
 *     if ((st = aws_call(c, &call, &a, err)) >= 0 && a.status != 200)
 *         st = aws_answer_fail(&a, "stream posts", err);
 *     … a.body, a.n …
 *     aws_answer_fini(&a);
 *     aws_request_fini(&call.request);
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_AWS_H
#define PEN_AWS_H

#include <stdatomic.h>

#include <penstock/plugin.h>

/* -- options -------------------------------------------------------------------------------------------------------------------- */

struct aws_options {
    const char *endpoint, *region, *profile, *access_key, *secret_key, *session_token, *tls_ca;
    int64_t connect_timeout, silence_timeout, attempts;
};

/* Rows for a table of options; `type` is the plugin's context, `member` its struct aws_options. */
#define AWS_ROW(type, member, name, field, kind, def, low, high, flags, doc) \
    { name, kind, offsetof(type, member) + offsetof(struct aws_options, field), def, low, high, NULL, flags, doc }
#define AWS_OPTION_ROWS(type, member)                                                                                                        \
    AWS_ROW(type, member, "endpoint", endpoint, PEN_OPT_STRING, NULL, 0, 0, 0,                                                               \
            "URL of the service, https://HOST[:PORT] or http://…. Without it AWS_ENDPOINT_URL_SERVICE, AWS_ENDPOINT_URL, the profile's "     \
            "endpoint_url, else that of AWS in the region."),                                                                                \
    AWS_ROW(type, member, "region", region, PEN_OPT_STRING, NULL, 0, 0, 0,                                                                   \
            "Region, such as eu-west-1. Without it AWS_REGION, AWS_DEFAULT_REGION, the profile's, else us-east-1 where an endpoint is set."), \
    AWS_ROW(type, member, "profile", profile, PEN_OPT_STRING, NULL, 0, 0, 0,                                                                 \
            "Profile of AWS's shared configuration files to use. Without it AWS_PROFILE, else default."),                                    \
    AWS_ROW(type, member, "access_key", access_key, PEN_OPT_STRING, NULL, 0, 0, 0,                                                           \
            "Id of the access key; needs secret_key. Without both, credentials are looked for where AWS's own tools look."),                 \
    AWS_ROW(type, member, "secret_key", secret_key, PEN_OPT_STRING, NULL, 0, 0, PEN_OPTION_SECRET, "The access key's secret."),              \
    AWS_ROW(type, member, "session_token", session_token, PEN_OPT_STRING, NULL, 0, 0, PEN_OPTION_SECRET,                                     \
            "Token that belongs to temporary access keys."),                                                                                 \
    AWS_ROW(type, member, "tls_ca", tls_ca, PEN_OPT_STRING, NULL, 0, 0, 0,                                                                   \
            "File of the certificates (PEM) that the server's is checked against; without it AWS_CA_BUNDLE, else the system's."),            \
    AWS_ROW(type, member, "connect_timeout", connect_timeout, PEN_OPT_DURATION, "5s", 1000, INT64_C(600000000), 0,                           \
            "How long a connection may take to be made."),                                                                                   \
    AWS_ROW(type, member, "silence_timeout", silence_timeout, PEN_OPT_DURATION, "20s", 1000000, INT64_C(3600000000), 0,                      \
            "How long a server may be silent before a request is given up. Whole seconds."),                                                 \
    AWS_ROW(type, member, "attempts", attempts, PEN_OPT_INT, "5", 1, 20, 0,                                                                  \
            "How often a request that is safe to repeat is tried, with random pauses that grow.")

/* -- lists of names and values --------------------------------------------------------------------------------------------------- */

/* Starts as { 0 }; memory that runs out is remembered in `failed`. Names and values are copies. */
struct aws_field {
    char *name, *value;
};
struct aws_fields {
    struct aws_field *v;
    size_t n, room;
    bool failed;
};
void aws_field_add(struct aws_fields *f, const char *name, const char *value);
__attribute__((format(printf, 3, 4))) void aws_field_format(struct aws_fields *f, const char *name, const char *fmt, ...);
void aws_fields_add_all(struct aws_fields *f, const struct aws_fields *more);
void aws_fields_cut(struct aws_fields *f, size_t n); /* keeps the first n */
void aws_fields_fini(struct aws_fields *f);

/* Percent-encodes all but letters, digits, '-', '.', '_', '~' (and '/' in a path). */
void aws_encode(struct pen_text *t, const char *text, size_t n, bool path);
/* The NUL-terminated text of t; NULL when memory ran out. */
const char *aws_text(struct pen_text *t);

/* -- requests ---------------------------------------------------------------------------------------------------------------------- */

struct aws_request {
    const char *method;
    const char *path;                  /* not encoded; begins with '/' */
    struct aws_fields query, headers;  /* not encoded; header names in lower case */
    const void *body;                  /* lent */
    size_t n;
    const char *payload;               /* what stands for the body's hash: NULL: its hash; AWS_UNSIGNED, or a hash that is known already */
};
#define AWS_UNSIGNED "UNSIGNED-PAYLOAD"
#define AWS_STREAMING "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
void aws_request_fini(struct aws_request *r);

struct aws_call {
    struct aws_request request;
    const char *endpoint, *region; /* NULL: the client's */
    bool once;   /* never sent again once it may have reached the service: conditional calls. It gets a connection of its own, as libcurl
                    would repeat by itself what was sent on a connection that had been closed */
    size_t limit;/* most bytes of the answer's body; 0: 1 MiB. More: PEN_FATAL */
    void *into;  /* where the body of a 2xx answer goes, up to `room` bytes; NULL: answer.body */
    size_t room;
    const atomic_bool *give_up; /* set by another thread: the call ends within about a second, with PEN_RETRY; NULL: never */
};

struct aws_answer {
    long status;
    bool unclear; /* no (whole) answer although the request may have arrived, or 5xx: carried out or not */
    char *body;   /* malloc'ed, with a NUL behind; never NULL after PEN_OK */
    size_t n;     /* bytes in it, or in `into` */
    struct pen_text head;
    char url[256];/* what was asked, without the query: for messages */
};
void aws_answer_fini(struct aws_answer *a);
/* Value of a header into buf (cut where longer); false when there is none. Name in lower case. */
bool aws_answer_header(const struct aws_answer *a, const char *name, char *buf, size_t size);
/* The service's own time, of its Date header; false without one. */
bool aws_answer_date(const struct aws_answer *a, int64_t *seconds);
/* An HTTP date, "Sun, 30 Aug 2015 12:36:00 GMT", as seconds since 1970; false for anything else. */
bool aws_parse_date(const char *text, int64_t *seconds);
/* The service's name of an error, "NoSuchBucket", out of XML, JSON or a header; "" where there is none. Returns buf. */
const char *aws_answer_code(const struct aws_answer *a, char *buf, size_t size);
/* An answer that is an error as one line: what, status, code, the service's message. PEN_RETRY where it may pass (5xx, throttling), PEN_BADCONF for
 * what the configuration must mend (credentials, rights, a name that does not exist), else PEN_FATAL. */
pen_status aws_answer_fail(const struct aws_answer *a, const char *what, struct pen_error *err);
/* True where the service asks for a slower pace. */
bool aws_answer_throttled(const struct aws_answer *a);

/* -- clients ------------------------------------------------------------------------------------------------------------------------ */

struct aws_client;
/* service: "s3", "kinesis", "sts". Looks for region and endpoint, asks nobody yet. The options must outlive it. Any thread. */
pen_status aws_client_new(struct aws_client **out, const struct pen_host *host, const struct aws_options *o, const char *service,
                          struct pen_error *err);
void aws_client_free(struct aws_client **c);
const char *aws_client_region(const struct aws_client *c);
const char *aws_client_endpoint(const struct aws_client *c); /* URL without a '/' at its end */
bool aws_client_endpoint_given(const struct aws_client *c);  /* by option, environment or profile, not AWS's own */
/* The suffix of AWS's names in a region: "amazonaws.com". */
const char *aws_domain(const char *region);
/* One request with its retries. *a must be { 0 } or finished; it is valid (finish it) whatever is returned. Any thread. */
pen_status aws_call(struct aws_client *c, struct aws_call *call, struct aws_answer *a, struct pen_error *err);
/* A presigned URL of the client's credentials and region, without its "https://": the token of services that take one as a password (RDS:
 * service "rds-db", host HOST:PORT, query Action=connect and DBUser; MSK: "kafka-cluster", Action=kafka-cluster:Connect). */
pen_status aws_presign(struct aws_client *c, const char *service, const char *host, const struct aws_fields *query, int64_t seconds,
                       struct pen_text *out, struct pen_error *err);

#endif
