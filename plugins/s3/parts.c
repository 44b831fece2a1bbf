/* parts.c - S3's calls about multipart uploads. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/xml.h"
#include "parts.h"

#define DAY INT64_C(86400000000)

pen_status s3_parts_set(struct s3_parts *p, size_t number, const struct s3_part *part, struct pen_error *err)
{
    if (number < 1 || number > S3_MAX_PARTS)
        return pen_fail(err, PEN_FATAL, "part %zu: S3 takes parts 1 to %d", number, S3_MAX_PARTS);
    if (number > p->room) {
        size_t room = number > p->room * 2 ? number + 7 : p->room * 2;
        struct s3_part *v = realloc(p->v, room * sizeof *v);
        if (!v)
            return pen_fail(err, PEN_FATAL, "out of memory");
        p->v = v;
        p->room = room;
    }
    for (; p->n < number; p->n++)
        memset(&p->v[p->n], 0, sizeof *p->v);
    p->v[number - 1] = *part;
    return PEN_OK;
}

static void end(struct aws_call *call, struct aws_answer *a)
{
    aws_request_fini(&call->request);
    aws_answer_fini(a);
}

static bool no_such_upload(const struct aws_answer *a)
{
    char code[64];
    return a->status == 404 && strcmp(aws_answer_code(a, code, sizeof code), "NoSuchUpload") == 0;
}

/* The text of <around><name> in an answer, malloc'ed; NULL where it is missing. */
static char *leaf_of(const struct aws_answer *a, const char *around, const char *name)
{
    struct aws_xml x;
    char *found = NULL;
    aws_xml_init(&x, a->body, a->n);
    while (!found && aws_xml_next(&x))
        if (aws_xml_leaf(&x, around, name))
            found = strdup(x.text.bytes);
    aws_xml_fini(&x);
    return found;
}

pen_status s3_create_upload(struct s3_store *s, const struct s3_target *t, const struct aws_fields *headers, char **upload_id, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "POST" } };
    struct aws_answer a = { 0 };
    aws_field_add(&call.request.query, "uploads", "");
    aws_fields_add_all(&call.request.headers, headers);
    s3_encryption_headers(s, &call.request);
    if (s->options.checksum == S3_CHECKSUM_CRC32)
        aws_field_add(&call.request.headers, "x-amz-checksum-algorithm", "CRC32");
    pen_status st = s3_call(s, t, &call, &a, err);
    *upload_id = NULL;
    if (st >= 0 && a.status != 200)
        st = s3_fail(t, &a, "begin an upload of", err);
    if (st >= 0 && (!(*upload_id = leaf_of(&a, "InitiateMultipartUploadResult", "UploadId")) || !**upload_id))
        st = pen_fail(err, PEN_RETRY, "s3://%s/%s: the answer to the begin of an upload names none", t->bucket, t->key);
    if (st < 0) {
        free(*upload_id);
        *upload_id = NULL;
    }
    end(&call, &a);
    return st;
}

pen_status s3_send_part(struct s3_store *s, const struct s3_target *t, const char *upload_id, size_t number, const void *bytes, size_t n,
                        struct s3_part *out, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "PUT", .body = bytes, .n = n } };
    struct aws_answer a = { 0 };
    memset(out, 0, sizeof *out);
    aws_field_format(&call.request.query, "partNumber", "%zu", number);
    aws_field_add(&call.request.query, "uploadId", upload_id);
    s3_checksum_header(s, &call.request);
    if (s->options.checksum == S3_CHECKSUM_CRC32)
        s3_crc32(out->crc, bytes, n);
    pen_status st = s3_call(s, t, &call, &a, err);
    if (st >= 0 && a.status != 200)
        st = s3_fail(t, &a, "upload a part of", err);
    if (st >= 0 && !aws_answer_header(&a, "etag", out->etag, sizeof out->etag))
        st = pen_fail(err, PEN_RETRY, "s3://%s/%s: the answer to part %zu has no ETag", t->bucket, t->key, number);
    end(&call, &a);
    return st;
}

/* -- parts that are there --------------------------------------------------------------------------------------------------------------------- */

static pen_status take_parts(const struct aws_answer *a, struct s3_parts *out, bool *more, char marker[16], struct pen_error *err)
{
    struct aws_xml x;
    struct s3_part part = { 0 };
    size_t number = 0;
    pen_status st = PEN_OK;
    *more = false;
    aws_xml_init(&x, a->body, a->n);
    while (st >= 0 && aws_xml_next(&x))
        if (x.kind == AWS_XML_OPEN) {
            if (x.depth == 2 && strcmp(x.name, "Part") == 0) {
                memset(&part, 0, sizeof part);
                number = 0;
            }
        } else if (aws_xml_leaf(&x, "Part", "PartNumber")) {
            number = strtoul(x.text.bytes, NULL, 10);
        } else if (aws_xml_leaf(&x, "Part", "ETag")) {
            snprintf(part.etag, sizeof part.etag, "%s", x.text.bytes);
        } else if (aws_xml_leaf(&x, "Part", "ChecksumCRC32")) {
            snprintf(part.crc, sizeof part.crc, "%s", x.text.bytes);
        } else if (aws_xml_leaf(&x, "ListPartsResult", "Part")) {
            st = s3_parts_set(out, number, &part, err);
        } else if (aws_xml_leaf(&x, "ListPartsResult", "IsTruncated")) {
            *more = strcmp(x.text.bytes, "true") == 0;
        } else if (aws_xml_leaf(&x, "ListPartsResult", "NextPartNumberMarker")) {
            snprintf(marker, 16, "%s", x.text.bytes);
        }
    if (st >= 0 && x.why)
        st = pen_fail(err, PEN_RETRY, "the list of parts is broken: %s", x.why);
    aws_xml_fini(&x);
    return st;
}

pen_status s3_list_parts(struct s3_store *s, const struct s3_target *t, const char *upload_id, struct s3_parts *out, struct pen_error *err)
{
    char marker[16] = "";
    bool more = true;
    pen_status st = PEN_OK;
    while (st == PEN_OK && more) {
        struct aws_call call = { .request = { .method = "GET" }, .limit = 4 << 20 };
        struct aws_answer a = { 0 };
        char before[16];
        aws_field_add(&call.request.query, "uploadId", upload_id);
        if (*marker)
            aws_field_add(&call.request.query, "part-number-marker", marker);
        snprintf(before, sizeof before, "%s", marker);
        st = s3_call(s, t, &call, &a, err);
        if (st >= 0)
            st = no_such_upload(&a) ? PEN_SKIP : a.status != 200 ? s3_fail(t, &a, "list the parts of", err) : take_parts(&a, out, &more, marker, err);
        if (st == PEN_OK && more && strcmp(before, marker) == 0)
            st = pen_fail(err, PEN_RETRY, "s3://%s/%s: the list of parts does not end", t->bucket, t->key);
        end(&call, &a);
    }
    return st;
}

/* -- ends -------------------------------------------------------------------------------------------------------------------------------------- */

pen_status s3_abort_upload(struct s3_store *s, const struct s3_target *t, const char *upload_id, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "DELETE" } };
    struct aws_answer a = { 0 };
    aws_field_add(&call.request.query, "uploadId", upload_id);
    pen_status st = s3_call(s, t, &call, &a, err);
    if (st >= 0 && a.status != 204 && a.status != 200 && a.status != 404)
        st = s3_fail(t, &a, "abort an upload of", err);
    end(&call, &a);
    return st;
}

static void write_parts(struct pen_text *body, const struct s3_parts *parts)
{
    pen_text_put(body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < parts->n; i++) {
        pen_text_format(body, "<Part><PartNumber>%zu</PartNumber><ETag>", i + 1);
        for (const char *c = parts->v[i].etag; *c; c++)
            if (*c == '"')
                pen_text_put(body, "&quot;");
            else if (*c != '<' && *c != '&')
                pen_text_append(body, c, 1);
        pen_text_put(body, "</ETag>");
        if (parts->v[i].crc[0])
            pen_text_format(body, "<ChecksumCRC32>%.8s</ChecksumCRC32>", parts->v[i].crc);
        pen_text_put(body, "</Part>");
    }
    pen_text_put(body, "</CompleteMultipartUpload>");
}

static bool misses_parts(const struct aws_answer *a)
{
    char code[64];
    return a->status == 400 && strcmp(aws_answer_code(a, code, sizeof code), "InvalidPart") == 0;
}

/* S3 begins to answer 200 before it knows, and may then tell of an error in the body. */
static bool is_done(const struct aws_answer *a)
{
    char *key = leaf_of(a, "CompleteMultipartUploadResult", "ETag");
    bool done = a->status == 200 && key;
    free(key);
    return done;
}

pen_status s3_complete_upload(struct s3_store *s, const struct s3_target *t, const char *upload_id, const struct s3_parts *parts, unsigned flags,
                              pen_put_outcome *outcome, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "POST" }, .once = flags & PEN_PUT_IF_ABSENT };
    struct aws_answer a = { 0 };
    struct pen_text body = { 0 };
    struct pen_error why = { 0 };
    *outcome = PEN_PUT_UNKNOWN;
    write_parts(&body, parts);
    if (pen_text_failed(&body)) {
        pen_text_fini(&body);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    call.request.body = body.bytes;
    call.request.n = body.n;
    aws_field_add(&call.request.query, "uploadId", upload_id);
    aws_field_add(&call.request.headers, "content-type", "application/xml");
    if (flags & PEN_PUT_IF_ABSENT)
        aws_field_add(&call.request.headers, "if-none-match", "*");
    pen_status st = s3_call(s, t, &call, &a, &why);
    if (st >= 0 && no_such_upload(&a))
        st = PEN_SKIP;
    else if (st >= 0 && misses_parts(&a))
        *outcome = PEN_PUT_LOST;
    else if (st < 0 || a.status != 200 || is_done(&a)) /* else it stays unknown */
        st = s3_put_outcome(t, &a, st, flags, outcome, &why);
    if (st < 0)
        pen_fail(err, st, "%s", why.msg);
    pen_text_fini(&body);
    end(&call, &a);
    return st;
}

/* -- what was left behind ------------------------------------------------------------------------------------------------------------------------ */

static pen_status abort_listed(struct s3_store *s, const struct s3_target *below, const struct aws_answer *a, int64_t now, struct pen_error *err)
{
    struct aws_xml x;
    struct s3_target t = *below;
    char *upload_id = NULL;
    int64_t begun = INT64_MAX;
    pen_status st = PEN_OK;
    t.key[0] = '\0';
    aws_xml_init(&x, a->body, a->n);
    while (st >= 0 && aws_xml_next(&x))
        if (aws_xml_leaf(&x, "Upload", "Key")) {
            snprintf(t.key, sizeof t.key, "%s", x.text.bytes);
        } else if (aws_xml_leaf(&x, "Upload", "UploadId")) {
            free(upload_id);
            upload_id = strdup(x.text.bytes);
        } else if (aws_xml_leaf(&x, "Upload", "Initiated")) {
            if (!pen_parse_timestamp(x.text.bytes, x.text.n, &begun))
                begun = INT64_MAX;
        } else if (aws_xml_leaf(&x, "ListMultipartUploadsResult", "Upload")) {
            bool old = begun != INT64_MAX && now - begun > DAY;
            if (old && upload_id && t.key[0] && strncmp(t.key, below->key, strlen(below->key)) == 0) {
                st = s3_abort_upload(s, &t, upload_id, err);
                if (st >= 0)
                    pen_log(s->host, PEN_LOG_INFO, "s3://%s/%s: aborted an upload that was left behind more than a day ago", t.bucket, t.key);
            }
            free(upload_id);
            upload_id = NULL;
            t.key[0] = '\0';
            begun = INT64_MAX;
        }
    free(upload_id);
    aws_xml_fini(&x);
    return st;
}

pen_status s3_abort_old_uploads(struct s3_store *s, const struct s3_target *t, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "GET" }, .limit = 8 << 20 };
    struct aws_answer a = { 0 };
    struct s3_target bucket = *t;
    int64_t seconds;
    bucket.key[0] = '\0';
    aws_field_add(&call.request.query, "uploads", "");
    if (t->key[0])
        aws_field_add(&call.request.query, "prefix", t->key);
    /* One page (1000) a run: what is older than a day comes again at the next start. */
    pen_status st = s3_call(s, &bucket, &call, &a, err);
    if (st >= 0 && a.status != 200)
        st = s3_fail(t, &a, "list the uploads below", err);
    if (st >= 0 && aws_answer_date(&a, &seconds))
        st = abort_listed(s, t, &a, seconds * 1000000, err);
    end(&call, &a);
    return st;
}
