/* object.c - single objects: head, ranged read, put, remove; and the service's time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3.h"

static void end(struct aws_call *call, struct aws_answer *a)
{
    aws_request_fini(&call->request);
    aws_answer_fini(a);
}

/* An ETag without its quotes. */
static void set_tag(struct pen_object *o, const char *etag)
{
    size_t n = strlen(etag);
    bool quoted = n >= 2 && etag[0] == '"' && etag[n - 1] == '"';
    snprintf(o->tag, sizeof o->tag, "%.*s", (int)(quoted ? n - 2 : n), quoted ? etag + 1 : etag);
}

static pen_status describe(const struct s3_target *t, const struct aws_answer *a, struct pen_object *out, struct pen_error *err)
{
    char text[200];
    char *stop;
    int64_t seconds;
    const char *slash = strrchr(t->key, '/');
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", slash ? slash + 1 : t->key);
    aws_answer_header(a, "content-length", text, sizeof text);
    errno = 0;
    out->size = strtoll(text, &stop, 10);
    if (!*text || *stop || errno || out->size < 0)
        return pen_fail(err, PEN_RETRY, "s3://%s/%s: the answer names no size", t->bucket, t->key);
    if (!aws_answer_header(a, "last-modified", text, sizeof text) || !aws_parse_date(text, &seconds))
        return pen_fail(err, PEN_RETRY, "s3://%s/%s: the answer has no time of modification", t->bucket, t->key);
    out->modified = seconds * 1000000;
    if (aws_answer_header(a, "etag", text, sizeof text))
        set_tag(out, text);
    return PEN_OK;
}

/* HEAD; PEN_SKIP where there is no such object. */
static pen_status look(struct s3_store *s, const struct s3_target *t, struct aws_answer *a, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "HEAD" } };
    pen_status st = s3_call(s, t, &call, a, err);
    aws_request_fini(&call.request);
    if (st < 0)
        return st;
    return a->status == 200 ? PEN_OK : a->status == 404 ? PEN_SKIP : s3_fail(t, a, "look at", err);
}

pen_status s3_head(void *ctx, const char *path, struct pen_object *out, struct pen_error *err)
{
    struct s3_target t;
    struct aws_answer a = { 0 };
    pen_status st = s3_target_of(&t, path, err);
    if (st < 0)
        return st;
    if (!t.key[0] || t.key[strlen(t.key) - 1] == '/')
        return PEN_SKIP; /* a folder */
    st = look(ctx, &t, &a, err);
    if (st == PEN_OK)
        st = describe(&t, &a, out, err);
    aws_answer_fini(&a);
    return st;
}

pen_status s3_head_field(struct s3_store *s, const struct s3_target *t, const char *header, char *value, size_t size, struct pen_error *err)
{
    struct aws_answer a = { 0 };
    pen_status st = look(s, t, &a, err);
    *value = '\0';
    if (st == PEN_OK)
        aws_answer_header(&a, header, value, size);
    aws_answer_fini(&a);
    return st;
}

pen_status s3_metadata(void *ctx, const char *path, const char *name, char *value, size_t size, struct pen_error *err)
{
    struct s3_target t;
    char header[128], text[4096];
    pen_status st = s3_target_of(&t, path, err);
    snprintf(header, sizeof header, "%s%s", strcmp(name, "content-type") == 0 ? "" : "x-amz-meta-", name);
    if (st >= 0)
        st = s3_head_field(ctx, &t, header, text, sizeof text, err);
    if (st != PEN_OK)
        return st;
    if (strlen(text) >= size)
        return pen_fail(err, PEN_FATAL, "s3://%s: its entry %s is longer than expected", path, name);
    snprintf(value, size, "%s", text);
    return *text ? PEN_OK : PEN_SKIP;
}

/* Whether an error of a read says that there is no such object, as opposed to no such bucket. */
static bool is_missing(const struct aws_answer *a)
{
    char code[64];
    return a->status == 404 && strcmp(aws_answer_code(a, code, sizeof code), "NoSuchBucket") != 0;
}

pen_status s3_read(void *ctx, const char *path, int64_t offset, void *buffer, size_t want, size_t *got, struct pen_error *err)
{
    struct s3_target t;
    struct aws_call call = { .request = { .method = "GET" }, .into = buffer, .room = want };
    struct aws_answer a = { 0 };
    pen_status st = s3_target_of(&t, path, err);
    if (st >= 0)
        st = pen_failpoint("store.read", err);
    if (st < 0)
        return st;
    if (!want) {
        struct pen_object o;
        *got = 0;
        return s3_head(ctx, path, &o, err);
    }
    aws_field_format(&call.request.headers, "range", "bytes=%lld-%lld", (long long)offset, (long long)offset + (long long)want - 1);
    st = s3_call(ctx, &t, &call, &a, err);
    *got = 0;
    if (st < 0)
        ;
    else if (a.status == 206 || (a.status == 200 && offset == 0))
        *got = a.n;
    else if (a.status == 416) /* at its end, or behind it */
        ;
    else if (is_missing(&a))
        st = PEN_SKIP;
    else if (a.status == 200)
        st = pen_fail(err, PEN_FATAL, "s3://%s: the server answers a range with the whole object", path);
    else
        st = s3_fail(&t, &a, "read", err);
    end(&call, &a);
    return st;
}

pen_status s3_put_outcome(const struct s3_target *t, const struct aws_answer *a, pen_status called, unsigned flags, pen_put_outcome *outcome,
                          struct pen_error *err)
{
    bool conditional = flags & PEN_PUT_IF_ABSENT;
    *outcome = PEN_PUT_UNKNOWN;
    if (a->unclear)
        return PEN_OK;
    if (called < 0)
        return called;
    if (a->status == 200) {
        *outcome = PEN_PUT_DONE;
        return PEN_OK;
    }
    if (a->status == 412 && conditional) {
        *outcome = PEN_PUT_EXISTS;
        return PEN_OK;
    }
    if (a->status == 409 && conditional) /* another one was at it at the same moment; which of the two is there must be looked up */
        return PEN_OK;
    return s3_fail(t, a, "put", err);
}

pen_status s3_put(void *ctx, const char *path, const void *bytes, size_t n, unsigned flags, const struct pen_pairs *metadata,
                  pen_put_outcome *outcome, struct pen_error *err)
{
    struct s3_store *s = ctx;
    struct s3_target t;
    struct aws_call call = { .request = { .method = "PUT", .body = bytes, .n = n }, .once = flags & PEN_PUT_IF_ABSENT };
    struct aws_answer a = { 0 };
    struct pen_error why = { 0 };
    pen_status st = s3_target_of(&t, path, err);
    if (st >= 0)
        st = pen_failpoint("store.before-publish", err);
    if (st < 0)
        return st;
    if (flags & PEN_PUT_IF_ABSENT)
        aws_field_add(&call.request.headers, "if-none-match", "*");
    s3_checksum_header(s, &call.request);
    s3_encryption_headers(s, &call.request);
    s3_metadata_headers(&call.request.headers, metadata);
    st = s3_call(s, &t, &call, &a, &why);
    st = s3_put_outcome(&t, &a, st, flags, outcome, &why);
    if (st < 0)
        pen_fail(err, st, "%s", why.msg);
    else if (*outcome == PEN_PUT_DONE && pen_failpoint("store.after-publish", &why) < 0)
        *outcome = PEN_PUT_UNKNOWN;
    end(&call, &a);
    return st;
}

pen_status s3_remove_object(struct s3_store *s, const struct s3_target *t, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "DELETE" } };
    struct aws_answer a = { 0 };
    pen_status st = s3_call(s, t, &call, &a, err);
    if (st >= 0 && a.status != 204 && a.status != 200 && !is_missing(&a))
        st = s3_fail(t, &a, "remove", err);
    end(&call, &a);
    return st;
}

pen_status s3_remove(void *ctx, const char *path, struct pen_error *err)
{
    struct s3_target t;
    pen_status st = s3_target_of(&t, path, err);
    return st < 0 ? st : s3_remove_object(ctx, &t, err);
}

pen_status s3_now(void *ctx, const char *path, int64_t *microseconds, struct pen_error *err)
{
    struct s3_target t;
    struct aws_call call = { .request = { .method = "HEAD" } };
    struct aws_answer a = { 0 };
    int64_t seconds;
    pen_status st = s3_target_of(&t, path, err);
    t.key[0] = '\0';
    if (st >= 0)
        st = s3_call(ctx, &t, &call, &a, err);
    if (st >= 0 && !aws_answer_date(&a, &seconds))
        st = pen_fail(err, PEN_RETRY, "s3://%s: the answer has no Date", t.bucket);
    if (st >= 0 && a.status >= 400)
        st = a.status == 404 ? pen_fail(err, PEN_BADCONF, "s3://%s: there is no such bucket", t.bucket) : s3_fail(&t, &a, "look at", err);
    if (st >= 0)
        *microseconds = seconds * 1000000;
    end(&call, &a);
    return st;
}
