/* sign.c - Signature Version 4. A request is put into its canonical form, that is hashed, and the hash signed with a key made of the secret, the
 * day, the region and the service. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sign.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

unsigned aws_sign_flags(const char *service)
{
    return strcmp(service, "s3") == 0 ? AWS_HASH_HEADER : AWS_PATH_NORMALIZE | AWS_PATH_ENCODE_TWICE;
}

void aws_signature_fini(struct aws_signature *s)
{
    pen_text_fini(&s->canonical);
    pen_text_fini(&s->to_sign);
}

static void time_text(char out[AWS_TIME], int64_t seconds)
{
    struct tm tm;
    time_t t = (time_t)seconds;
    gmtime_r(&t, &tm);
    strftime(out, AWS_TIME, "%Y%m%dT%H%M%SZ", &tm);
}

/* "20150830/us-east-1/service/aws4_request" */
static void scope_text(char *out, size_t size, const char *time, const struct aws_scope *s)
{
    snprintf(out, size, "%.8s/%s/%s/aws4_request", time, s->region, s->service);
}

/* -- the canonical form ------------------------------------------------------------------------------------------------------------------ */

/* Resolves "." and ".." and empty levels of `path` into out. A '/' at the end stays. */
static void put_normalized(struct pen_text *out, const char *path)
{
    const char *end = path + strlen(path);
    size_t base = out->n;
    while (path < end) {
        size_t n = strcspn(path, "/");
        if (n == 2 && memcmp(path, "..", 2) == 0) {
            while (out->n > base && out->bytes[--out->n] != '/')
                ;
        } else if (n && !(n == 1 && *path == '.')) {
            pen_text_put(out, "/");
            pen_text_append(out, path, n);
        }
        path += n + (path[n] == '/');
    }
    if (out->n == base || (out->n && end[-1] == '/'))
        pen_text_put(out, "/");
}

static void put_path(struct pen_text *out, const char *path, unsigned flags)
{
    struct pen_text plain = { 0 }, once = { 0 };
    if (flags & AWS_PATH_NORMALIZE)
        put_normalized(&plain, path);
    else
        pen_text_put(&plain, *path ? path : "/");
    aws_encode(&once, plain.bytes, plain.n, true);
    if (flags & AWS_PATH_ENCODE_TWICE)
        aws_encode(out, once.bytes, once.n, true);
    else
        pen_text_append(out, once.bytes, once.n);
    out->failed |= plain.failed || once.failed;
    pen_text_fini(&plain);
    pen_text_fini(&once);
}

struct encoded {
    char *name, *value;
};

static int by_name_and_value(const void *a, const void *b)
{
    const struct encoded *x = a, *y = b;
    int names = strcmp(x->name, y->name);
    return names ? names : strcmp(x->value, y->value);
}

static char *encoded(const char *text)
{
    struct pen_text t = { 0 };
    aws_encode(&t, text, strlen(text), false);
    if (!aws_text(&t))
        pen_text_fini(&t);
    return t.bytes;
}

pen_status aws_query_text(struct pen_text *out, const struct aws_fields *query, struct pen_error *err)
{
    struct encoded *v = calloc(query->n + 1, sizeof *v);
    bool failed = !v || query->failed;
    for (size_t i = 0; !failed && i < query->n; i++) {
        v[i] = (struct encoded){ encoded(query->v[i].name), encoded(query->v[i].value) };
        failed = !v[i].name || !v[i].value;
    }
    if (!failed) {
        qsort(v, query->n, sizeof *v, by_name_and_value);
        for (size_t i = 0; i < query->n; i++)
            pen_text_format(out, "%s%s=%s", i ? "&" : "", v[i].name, v[i].value);
    }
    for (size_t i = 0; v && i < query->n; i++) {
        free(v[i].name);
        free(v[i].value);
    }
    free(v);
    return failed || out->failed ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

/* White space at both ends goes, within it becomes one space. */
static void put_value(struct pen_text *out, const char *v)
{
    const char *sep = "";
    for (;;) {
        v += strspn(v, " \t\r\n");
        size_t n = strcspn(v, " \t\r\n");
        if (!n)
            return;
        pen_text_put(out, sep);
        pen_text_append(out, v, n);
        sep = " ";
        v += n;
    }
}

/* Indexes of the headers by name; those of one name keep their order. */
static void sort_headers(const struct aws_fields *h, size_t *order)
{
    for (size_t i = 0; i < h->n; i++) {
        size_t at = i;
        while (at > 0 && strcmp(h->v[order[at - 1]].name, h->v[i].name) > 0) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
}

/* "name:value\n" of each header, and the names joined by ';'. */
static pen_status put_headers(struct pen_text *out, struct pen_text *names, const struct aws_fields *h, struct pen_error *err)
{
    size_t *order = malloc((h->n + 1) * sizeof *order);
    if (!order || h->failed) {
        free(order);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    sort_headers(h, order);
    for (size_t i = 0; i < h->n; i++) {
        const struct aws_field *f = &h->v[order[i]];
        bool again = i && strcmp(h->v[order[i - 1]].name, f->name) == 0;
        bool last = i + 1 == h->n || strcmp(h->v[order[i + 1]].name, f->name) != 0;
        if (!again)
            pen_text_format(names, "%s%s", names->n ? ";" : "", f->name);
        pen_text_format(out, "%s%s", again ? "," : f->name, again ? "" : ":");
        put_value(out, f->value);
        pen_text_put(out, last ? "\n" : "");
    }
    free(order);
    return PEN_OK;
}

static pen_status put_canonical(struct pen_text *out, const struct aws_request *r, struct pen_text *names, const char *payload, unsigned flags,
                                struct pen_error *err)
{
    struct pen_text headers = { 0 };
    pen_text_clear(names);
    pen_status st = put_headers(&headers, names, &r->headers, err);
    pen_text_format(out, "%s\n", r->method);
    put_path(out, r->path, flags);
    pen_text_put(out, "\n");
    if (st >= 0)
        st = aws_query_text(out, &r->query, err);
    pen_text_put(out, "\n");
    pen_text_append(out, headers.bytes, headers.n);
    pen_text_put(out, "\n");
    pen_text_append(out, names->bytes, names->n);
    pen_text_format(out, "\n%s", payload);
    if (st >= 0 && (out->failed || headers.failed || names->failed))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    pen_text_fini(&headers);
    return st;
}

/* -- signing ------------------------------------------------------------------------------------------------------------------------------ */

static void signing_key(unsigned char key[AWS_SHA256], const struct aws_keys *k, const struct aws_scope *s, const char *time)
{
    char secret[512];
    int n = snprintf(secret, sizeof secret, "AWS4%s", k->secret);
    aws_hmac(key, secret, (size_t)n < sizeof secret ? (size_t)n : sizeof secret - 1, time, 8);
    aws_hmac(key, key, AWS_SHA256, s->region, strlen(s->region));
    aws_hmac(key, key, AWS_SHA256, s->service, strlen(s->service));
    aws_hmac(key, key, AWS_SHA256, "aws4_request", 12);
    explicit_bzero(secret, sizeof secret);
}

static void sign_text(char hex[AWS_HEX], const unsigned char key[AWS_SHA256], const char *text, size_t n)
{
    unsigned char digest[AWS_SHA256];
    aws_hmac(digest, key, AWS_SHA256, text, n);
    aws_hex(hex, digest);
}

/* The signature of a request that has all its signed fields. names: the signed headers, out. */
static pen_status sign(const struct aws_request *r, const struct aws_keys *k, const struct aws_scope *s, const char *payload, const char *time,
                       unsigned flags, struct pen_text *names, struct aws_signature *sig, struct pen_error *err)
{
    char scope[160], hex[AWS_HEX];
    unsigned char digest[AWS_SHA256], key[AWS_SHA256];
    scope_text(scope, sizeof scope, time, s);
    pen_status st = put_canonical(&sig->canonical, r, names, payload, flags, err);
    if (st < 0)
        return st;
    aws_sha256(digest, sig->canonical.bytes, sig->canonical.n);
    aws_hex(hex, digest);
    pen_text_format(&sig->to_sign, ALGORITHM "\n%s\n%s\n%s", time, scope, hex);
    if (sig->to_sign.failed)
        return pen_fail(err, PEN_FATAL, "out of memory");
    signing_key(key, k, s, time);
    sign_text(sig->hex, key, sig->to_sign.bytes, sig->to_sign.n);
    explicit_bzero(key, sizeof key);
    return PEN_OK;
}

/* What stands for the payload in the canonical form; buf holds a hash made here. */
static const char *payload_of(const struct aws_request *r, char buf[AWS_HEX])
{
    unsigned char digest[AWS_SHA256];
    if (r->payload)
        return r->payload;
    aws_sha256(digest, r->body, r->n);
    aws_hex(buf, digest);
    return buf;
}

pen_status aws_sign_headers(struct aws_request *r, const struct aws_keys *k, const struct aws_scope *s, unsigned flags,
                            struct aws_signature *sig, struct pen_error *err)
{
    char time[AWS_TIME], scope[160], hash[AWS_HEX];
    struct aws_signature own = { 0 };
    struct pen_text names = { 0 };
    const char *payload = payload_of(r, hash);
    bool late = flags & AWS_TOKEN_UNSIGNED;
    time_text(time, s->time);
    scope_text(scope, sizeof scope, time, s);
    aws_field_add(&r->headers, "x-amz-date", time);
    if (flags & AWS_HASH_HEADER)
        aws_field_add(&r->headers, "x-amz-content-sha256", payload);
    if (k->token && !late)
        aws_field_add(&r->headers, "x-amz-security-token", k->token);
    pen_status st = sign(r, k, s, payload, time, flags, &names, sig ? sig : &own, err);
    if (st >= 0) {
        if (k->token && late)
            aws_field_add(&r->headers, "x-amz-security-token", k->token);
        aws_field_format(&r->headers, "authorization", ALGORITHM " Credential=%s/%s, SignedHeaders=%.*s, Signature=%s", k->access, scope,
                         (int)names.n, names.bytes, sig ? sig->hex : own.hex);
        if (r->headers.failed)
            st = pen_fail(err, PEN_FATAL, "out of memory");
    }
    pen_text_fini(&names);
    aws_signature_fini(&own);
    return st;
}

/* The names of the headers, sorted, joined by ';': a presigned query holds them. */
static pen_status signed_names(struct pen_text *names, const struct aws_fields *headers, struct pen_error *err)
{
    struct pen_text unused = { 0 };
    pen_status st = put_headers(&unused, names, headers, err);
    pen_text_fini(&unused);
    return st >= 0 && !aws_text(names) ? pen_fail(err, PEN_FATAL, "out of memory") : st;
}

pen_status aws_sign_query(struct aws_request *r, const struct aws_keys *k, const struct aws_scope *s, int64_t seconds, unsigned flags,
                          struct aws_signature *sig, struct pen_error *err)
{
    char time[AWS_TIME], scope[160], hash[AWS_HEX];
    struct aws_signature own = { 0 };
    struct pen_text names = { 0 };
    bool late = flags & AWS_TOKEN_UNSIGNED;
    time_text(time, s->time);
    scope_text(scope, sizeof scope, time, s);
    pen_status st = signed_names(&names, &r->headers, err);
    if (st >= 0) {
        aws_field_add(&r->query, "X-Amz-Algorithm", ALGORITHM);
        aws_field_format(&r->query, "X-Amz-Credential", "%s/%s", k->access, scope);
        aws_field_add(&r->query, "X-Amz-Date", time);
        aws_field_add(&r->query, "X-Amz-SignedHeaders", names.bytes);
        aws_field_format(&r->query, "X-Amz-Expires", "%lld", (long long)seconds);
        if (k->token && !late)
            aws_field_add(&r->query, "X-Amz-Security-Token", k->token);
        st = sign(r, k, s, payload_of(r, hash), time, flags, &names, sig ? sig : &own, err);
    }
    if (st >= 0) {
        if (k->token && late)
            aws_field_add(&r->query, "X-Amz-Security-Token", k->token);
        aws_field_add(&r->query, "X-Amz-Signature", sig ? sig->hex : own.hex);
        if (r->query.failed)
            st = pen_fail(err, PEN_FATAL, "out of memory");
    }
    pen_text_fini(&names);
    aws_signature_fini(&own);
    return st;
}

/* -- chunks -------------------------------------------------------------------------------------------------------------------------------- */

void aws_chunks_begin(struct aws_chunks *c, const struct aws_keys *k, const struct aws_scope *s, const char *request_signature)
{
    time_text(c->time, s->time);
    scope_text(c->scope, sizeof c->scope, c->time, s);
    signing_key(c->key, k, s, c->time);
    snprintf(c->last, sizeof c->last, "%s", request_signature);
}

void aws_chunk(struct aws_chunks *c, struct pen_text *out, const void *bytes, size_t n)
{
    char none[AWS_HEX], hash[AWS_HEX], text[512];
    unsigned char digest[AWS_SHA256];
    aws_sha256(digest, "", 0);
    aws_hex(none, digest);
    aws_sha256(digest, bytes, n);
    aws_hex(hash, digest);
    int length = snprintf(text, sizeof text, ALGORITHM "-PAYLOAD\n%s\n%s\n%s\n%s\n%s", c->time, c->scope, c->last, none, hash);
    sign_text(c->last, c->key, text, (size_t)length);
    pen_text_format(out, "%zx;chunk-signature=%s\r\n", n, c->last);
    pen_text_append(out, bytes, n);
    pen_text_put(out, "\r\n");
}
