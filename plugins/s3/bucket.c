/* bucket.c - S3's calls about a whole bucket. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "aws/xml.h"
#include "bucket.h"

#define XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

void s3_xml_put(struct pen_text *t, const char *name, const char *text)
{
    pen_text_format(t, "<%s>", name);
    for (const char *c = text; *c; c++)
        if (strchr("<>&\"\r\n\t", *c)) /* white space at an end would be lost */
            pen_text_format(t, "&#%d;", *c);
        else
            pen_text_append(t, c, 1);
    pen_text_format(t, "</%s>", name);
}

/* One call about the bucket. `query` NULL: about itself. The body is sent with a checksum, which S3 asks for here, whatever option checksum says. */
static pen_status ask(struct s3_store *s, const struct s3_target *t, const char *method, const char *query, const struct pen_text *body,
                      struct aws_answer *a, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = method }, .limit = S3_BODY };
    char crc[9];
    pen_status st;
    if (query)
        aws_field_add(&call.request.query, query, "");
    if (body && pen_text_failed(body))
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (body && body->n) {
        call.request.body = body->bytes;
        call.request.n = body->n;
        s3_crc32(crc, body->bytes, body->n);
        aws_field_add(&call.request.headers, "content-type", "application/xml");
        aws_field_add(&call.request.headers, "x-amz-checksum-crc32", crc);
    }
    st = s3_call(s, t, &call, a, err);
    aws_request_fini(&call.request);
    return st;
}

static pen_status no_bucket(const struct s3_target *t, struct pen_error *err)
{
    return pen_fail(err, PEN_BADCONF, "there is no bucket %s", t->bucket);
}

/* An answer other than 2xx as an error; what: "read the lifecycle of". */
static pen_status judge(const struct s3_target *t, const struct aws_answer *a, pen_status st, const char *what, struct pen_error *err)
{
    char code[64];
    if (st < 0 || (a->status >= 200 && a->status < 300))
        return st;
    return strcmp(aws_answer_code(a, code, sizeof code), "NoSuchBucket") == 0 ? no_bucket(t, err) : s3_fail(t, a, what, err);
}

/* -- itself --------------------------------------------------------------------------------------------------------------------------------------- */

pen_status s3_bucket_look(struct s3_store *s, const struct s3_target *t, struct pen_error *err)
{
    struct aws_answer a = { 0 };
    pen_status st = ask(s, t, "HEAD", NULL, NULL, &a, err);
    if (st >= 0)
        st = a.status == 404 ? PEN_SKIP : judge(t, &a, st, "look at", err);
    aws_answer_fini(&a);
    return st;
}

static pen_status create_outcome(const struct s3_target *t, const struct aws_answer *a, struct pen_error *err)
{
    char code[64];
    aws_answer_code(a, code, sizeof code);
    if (a->status == 409 && strcmp(code, "BucketAlreadyExists") == 0)
        return pen_fail(err, PEN_BADCONF, "bucket %s is there already, and is somebody else's", t->bucket);
    if (a->status == 409 && strcmp(code, "BucketAlreadyOwnedByYou") == 0) /* it was not a moment ago: an answer was lost */
        return PEN_OK;
    return judge(t, a, PEN_OK, "create", err);
}

pen_status s3_bucket_create(struct s3_store *s, const struct s3_target *t, struct pen_error *err)
{
    const char *region = aws_client_region(s->client);
    struct aws_answer a = { 0 };
    struct pen_text body = { 0 };
    struct pen_error why = { 0 };
    pen_status st = s3_bucket_look(s, t, &why);
    if (st == PEN_OK)
        return pen_fail(err, PEN_BADCONF, "bucket %s is there already", t->bucket);
    if (st == PEN_RETRY)
        return pen_fail(err, PEN_FATAL, "%s", why.msg);
    if (strcmp(region, "us-east-1") != 0) { /* that one has no name here */
        pen_text_put(&body, "<CreateBucketConfiguration" XMLNS ">");
        s3_xml_put(&body, "LocationConstraint", region);
        pen_text_put(&body, "</CreateBucketConfiguration>");
    }
    st = ask(s, t, "PUT", NULL, &body, &a, err);
    if (st >= 0)
        st = create_outcome(t, &a, err);
    pen_text_fini(&body);
    aws_answer_fini(&a);
    return st;
}

pen_status s3_bucket_delete(struct s3_store *s, const struct s3_target *t, struct pen_error *err)
{
    struct aws_answer a = { 0 };
    char code[64];
    pen_status st = ask(s, t, "DELETE", NULL, NULL, &a, err);
    if (st >= 0 && strcmp(aws_answer_code(&a, code, sizeof code), "BucketNotEmpty") == 0)
        st = pen_fail(err, PEN_BADCONF, "bucket %s is not empty: --objects=yes deletes what lies in it as well", t->bucket);
    st = judge(t, &a, st, "delete", err);
    aws_answer_fini(&a);
    return st;
}

/* -- its configuration --------------------------------------------------------------------------------------------------------------------------- */

/* What S3 says where such a thing was never set; codes differ, and begin alike. */
static bool is_not_set(const struct aws_answer *a)
{
    char code[64];
    aws_answer_code(a, code, sizeof code);
    return a->status == 404 && (strncmp(code, "NoSuchLifecycle", 15) == 0 || strncmp(code, "NoSuchTagSet", 12) == 0 ||
                                strncmp(code, "ServerSideEncryptionConfigurationNotFound", 41) == 0);
}

pen_status s3_bucket_get(struct s3_store *s, const struct s3_target *t, const char *what, struct pen_text *body, struct pen_error *err)
{
    struct aws_answer a = { 0 };
    char doing[64];
    pen_status st = ask(s, t, "GET", what, NULL, &a, err);
    snprintf(doing, sizeof doing, "read the %s of", what);
    if (st >= 0)
        st = is_not_set(&a) ? PEN_SKIP : judge(t, &a, st, doing, err);
    if (st == PEN_OK)
        pen_text_append(body, a.body, a.n);
    aws_answer_fini(&a);
    return st == PEN_OK && pen_text_failed(body) ? pen_fail(err, PEN_FATAL, "out of memory") : st;
}

static pen_status change(struct s3_store *s, const struct s3_target *t, const char *method, const char *what, const struct pen_text *body,
                         struct pen_error *err)
{
    struct aws_answer a = { 0 };
    char doing[64];
    pen_status st = ask(s, t, method, what, body, &a, err);
    snprintf(doing, sizeof doing, "%s the %s of", body ? "set" : "remove", what);
    st = judge(t, &a, st, doing, err);
    aws_answer_fini(&a);
    return st;
}

pen_status s3_bucket_set(struct s3_store *s, const struct s3_target *t, const char *what, struct pen_text *body, struct pen_error *err)
{
    return change(s, t, "PUT", what, body, err);
}

pen_status s3_bucket_unset(struct s3_store *s, const struct s3_target *t, const char *what, struct pen_error *err)
{
    return change(s, t, "DELETE", what, NULL, err);
}

/* -- what lies in it ------------------------------------------------------------------------------------------------------------------------------ */

/* The versions of a page as the body of a call that deletes them; how many. */
static pen_status write_deletions(const struct aws_answer *a, struct pen_text *body, size_t *n, struct pen_error *err)
{
    struct aws_xml x;
    char key[S3_KEY] = "", version[1100] = "";
    *n = 0;
    pen_text_put(body, "<Delete" XMLNS "><Quiet>true</Quiet>");
    aws_xml_init(&x, a->body, a->n);
    while (aws_xml_next(&x)) {
        bool entry = x.depth == 2 && (strcmp(x.name, "Version") == 0 || strcmp(x.name, "DeleteMarker") == 0);
        if (x.kind == AWS_XML_CLOSE && x.depth == 3 && strcmp(x.name, "Key") == 0)
            snprintf(key, sizeof key, "%s", x.text.bytes);
        else if (x.kind == AWS_XML_CLOSE && x.depth == 3 && strcmp(x.name, "VersionId") == 0)
            snprintf(version, sizeof version, "%s", x.text.bytes);
        if (!entry || x.kind != AWS_XML_CLOSE)
            continue;
        pen_text_put(body, "<Object>");
        s3_xml_put(body, "Key", key);
        if (*version)
            s3_xml_put(body, "VersionId", version);
        pen_text_put(body, "</Object>");
        *key = *version = '\0';
        ++*n;
    }
    pen_text_put(body, "</Delete>");
    pen_status st = x.why ? pen_fail(err, PEN_RETRY, "the list of versions is broken: %s", x.why) : PEN_OK;
    aws_xml_fini(&x);
    return st;
}

/* Deleting answers 200 and tells in the body of what it could not. */
static pen_status check_deletions(const struct s3_target *t, const struct aws_answer *a, struct pen_error *err)
{
    struct aws_xml x;
    char key[S3_KEY] = "", code[64] = "";
    pen_status st = PEN_OK;
    aws_xml_init(&x, a->body, a->n);
    while (st >= 0 && aws_xml_next(&x))
        if (aws_xml_leaf(&x, "Error", "Key"))
            snprintf(key, sizeof key, "%s", x.text.bytes);
        else if (aws_xml_leaf(&x, "Error", "Code"))
            snprintf(code, sizeof code, "%s", x.text.bytes);
        else if (aws_xml_leaf(&x, "DeleteResult", "Error"))
            st = pen_fail(err, PEN_FATAL, "delete s3://%s/%.200s: %s", t->bucket, key, code);
    aws_xml_fini(&x);
    return st;
}

pen_status s3_bucket_empty(struct s3_store *s, const struct s3_target *t, size_t *n, struct pen_error *err)
{
    struct aws_answer a = { 0 }, deleted = { 0 };
    struct pen_text body = { 0 };
    pen_status st = ask(s, t, "GET", "versions", NULL, &a, err);
    *n = 0;
    st = judge(t, &a, st, "list the versions in", err);
    if (st >= 0)
        st = write_deletions(&a, &body, n, err);
    if (st >= 0 && *n) {
        st = ask(s, t, "POST", "delete", &body, &deleted, err);
        st = judge(t, &deleted, st, "delete objects of", err);
        if (st >= 0)
            st = check_deletions(t, &deleted, err);
    }
    aws_answer_fini(&a);
    aws_answer_fini(&deleted);
    pen_text_fini(&body);
    return st;
}

/* -- all of them ---------------------------------------------------------------------------------------------------------------------------------- */

static pen_status take_buckets(const struct aws_answer *a, pen_status (*each)(void *arg, const char *name, int64_t created, struct pen_error *err), void *arg,
                               char token[2048], struct pen_error *err)
{
    struct aws_xml x;
    char name[S3_BUCKET] = "";
    int64_t created = INT64_MIN;
    pen_status st = PEN_OK;
    *token = '\0';
    aws_xml_init(&x, a->body, a->n);
    while (st >= 0 && aws_xml_next(&x))
        if (aws_xml_leaf(&x, "Bucket", "Name")) {
            snprintf(name, sizeof name, "%s", x.text.bytes);
        } else if (aws_xml_leaf(&x, "Bucket", "CreationDate")) {
            if (!pen_parse_timestamp(x.text.bytes, strlen(x.text.bytes), &created))
                created = INT64_MIN;
        } else if (aws_xml_leaf(&x, "Buckets", "Bucket")) {
            st = each(arg, name, created, err);
            *name = '\0';
            created = INT64_MIN;
        } else if (aws_xml_leaf(&x, NULL, "ContinuationToken")) {
            snprintf(token, 2048, "%s", x.text.bytes);
        }
    if (st >= 0 && x.why)
        st = pen_fail(err, PEN_RETRY, "the list of buckets is broken: %s", x.why);
    aws_xml_fini(&x);
    return st;
}

pen_status s3_buckets(struct s3_store *s, pen_status (*each)(void *arg, const char *name, int64_t created, struct pen_error *err), void *arg,
                      struct pen_error *err)
{
    char token[2048] = "";
    pen_status st;
    do {
        struct aws_call call = { .request = { .method = "GET", .path = "/" }, .limit = S3_BODY };
        struct aws_answer a = { 0 };
        if (*token)
            aws_field_add(&call.request.query, "continuation-token", token);
        st = aws_call(s->client, &call, &a, err);
        if (st >= 0 && a.status != 200)
            st = aws_answer_fail(&a, "list the buckets", err);
        if (st >= 0)
            st = take_buckets(&a, each, arg, token, err);
        aws_request_fini(&call.request);
        aws_answer_fini(&a);
    } while (st >= 0 && *token);
    return st;
}
