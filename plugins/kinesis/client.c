/* client.c - calls of the service: one operation, one answer, what it means. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kinesis.h"

#define PAGES 10000 /* of a listing: more is no listing */

pen_status kin_client_open(struct kin_client *c, const struct pen_host *host, const struct options *o, struct pen_error *err)
{
    c->host = host;
    return aws_client_new(&c->aws, host, &o->aws, "kinesis", err);
}

void kin_client_close(struct kin_client *c)
{
    aws_client_free(&c->aws);
}

static kin_outcome meaning(const struct aws_answer *a, const char *what, struct pen_error *err)
{
    char code[100];
    pen_status st;
    if (a->status == 200)
        return KIN_ANSWERED;
    st = aws_answer_fail(a, what, err);
    aws_answer_code(a, code, sizeof code);
    if (aws_answer_throttled(a) || strcmp(code, "LimitExceededException") == 0)
        return KIN_THROTTLED;
    if (strcmp(code, "ExpiredIteratorException") == 0)
        return KIN_EXPIRED;
    if (strcmp(code, "InvalidArgumentException") == 0 || strcmp(code, "ValidationException") == 0)
        return KIN_INVALID;
    if (strcmp(code, "ResourceNotFoundException") == 0)
        return KIN_MISSING;
    return st == PEN_RETRY || strcmp(code, "ResourceInUseException") == 0 ? KIN_LATER : KIN_FAILED;
}

/* Takes the service's time from the `date` header. */
static void note_time(struct kin_client *c, const struct aws_answer *a)
{
    char text[64];
    struct tm tm = { 0 };
    if (aws_answer_header(a, "date", text, sizeof text) && strptime(text, "%a, %d %b %Y %H:%M:%S", &tm))
        atomic_store(&c->ahead, (long long)timegm(&tm) - pen_wall_clock(c->host) / 1000000);
}

int64_t kin_time(struct kin_client *c)
{
    return pen_wall_clock(c->host) / 1000000 + atomic_load(&c->ahead);
}

kin_outcome kin_call(struct kin_client *c, const char *operation, struct pen_text *body, size_t limit, const char *what, struct aws_answer *a,
                     struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "POST", .path = "/", .body = body->bytes, .n = body->n }, .limit = limit,
                             .give_up = &c->give_up };
    kin_outcome outcome;
    pen_status st;
    memset(a, 0, sizeof *a);
    if (pen_text_failed(body)) {
        pen_fail(err, PEN_FATAL, "out of memory");
        return KIN_FAILED;
    }
    aws_field_add(&call.request.headers, "content-type", "application/x-amz-json-1.1");
    aws_field_format(&call.request.headers, "x-amz-target", "Kinesis_20131202.%s", operation);
    st = aws_call(c->aws, &call, a, err);
    if (st >= 0)
        note_time(c, a);
    outcome = st >= 0 ? meaning(a, what, err) : st == PEN_RETRY ? KIN_LATER : KIN_FAILED;
    if (outcome == KIN_THROTTLED)
        pen_count(c->host, "throttled_total", operation, 1);
    aws_request_fini(&call.request);
    return outcome;
}

pen_status kin_status(kin_outcome outcome, const struct pen_error *err)
{
    switch (outcome) {
    case KIN_ANSWERED:
        return PEN_OK;
    case KIN_LATER:
    case KIN_THROTTLED:
    case KIN_EXPIRED:
        return PEN_RETRY;
    default:
        return err->code < 0 && err->code != PEN_RETRY ? err->code : PEN_FATAL;
    }
}

kin_outcome kin_garbled(const char *what, const struct pen_error *why, struct pen_error *err)
{
    if (why->code == PEN_FATAL) {
        pen_fail(err, PEN_FATAL, "%s", why->msg);
        return KIN_FAILED;
    }
    pen_fail(err, PEN_RETRY, "%s: %s", what, why->msg);
    return KIN_LATER;
}

void kin_body(struct pen_text *t, const char *stream)
{
    pen_text_clear(t);
    pen_text_put(t, "{\"StreamName\":");
    pen_text_json_string(t, stream, strlen(stream));
}

pen_status kin_describe(struct kin_client *c, const char *stream, struct kin_summary *out, struct pen_error *err)
{
    struct pen_text body = { 0 };
    struct aws_answer a;
    struct pen_error why = { 0 };
    char what[STREAM_NAME + 20];
    kin_outcome outcome;
    snprintf(what, sizeof what, "stream %s", stream);
    kin_body(&body, stream);
    pen_text_put(&body, "}");
    outcome = kin_call(c, "DescribeStreamSummary", &body, 0, what, &a, err);
    if (outcome == KIN_ANSWERED && kin_parse_summary(a.body, a.n, out, &why) < 0)
        outcome = kin_garbled(what, &why, err);
    aws_answer_fini(&a);
    pen_text_fini(&body);
    return kin_status(outcome, err);
}

static pen_status list_page(struct kin_client *c, const char *stream, char **token, struct kin_shards *out, struct pen_error *err)
{
    struct pen_text body = { 0 };
    struct aws_answer a;
    struct pen_error why = { 0 };
    char what[STREAM_NAME + 40];
    kin_outcome outcome;
    snprintf(what, sizeof what, "shards of stream %s", stream);
    if (*token) { /* the token stands for the stream too, and the service takes only one of them */
        pen_text_put(&body, "{\"NextToken\":");
        pen_text_json_string(&body, *token, strlen(*token));
    } else {
        kin_body(&body, stream);
    }
    pen_text_put(&body, "}");
    free(*token);
    *token = NULL;
    outcome = kin_call(c, "ListShards", &body, 16 << 20, what, &a, err);
    if (outcome == KIN_ANSWERED && kin_parse_shards(a.body, a.n, out, token, &why) < 0)
        outcome = kin_garbled(what, &why, err);
    aws_answer_fini(&a);
    pen_text_fini(&body);
    return kin_status(outcome, err);
}

pen_status kin_list_shards(struct kin_client *c, const char *stream, struct kin_shards *out, struct pen_error *err)
{
    char *token = NULL;
    pen_status st;
    int pages = 0;
    do
        st = list_page(c, stream, &token, out, err);
    while (st >= 0 && token && ++pages < PAGES);
    free(token);
    return st >= 0 && pages == PAGES ? pen_fail(err, PEN_FATAL, "stream %s: the list of its shards has no end", stream) : st;
}
