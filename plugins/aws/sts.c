/* sts.c - the keys of a role, from AWS's Security Token Service. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "endpoint.h"
#include "http.h"
#include "keys.h"
#include "xml.h"

pen_status aws_keys_of_xml(const char *text, size_t n, const char *where, struct aws_held **out, struct pen_error *err)
{
    struct aws_xml x;
    char access[256] = "", secret[256] = "", *token = NULL;
    int64_t expires = INT64_MAX;
    pen_status st = PEN_OK;
    *out = NULL;
    aws_xml_init(&x, text, n);
    while (aws_xml_next(&x))
        if (aws_xml_leaf(&x, "Credentials", "AccessKeyId")) {
            snprintf(access, sizeof access, "%s", x.text.bytes);
        } else if (aws_xml_leaf(&x, "Credentials", "SecretAccessKey")) {
            snprintf(secret, sizeof secret, "%s", x.text.bytes);
        } else if (aws_xml_leaf(&x, "Credentials", "SessionToken")) {
            free(token);
            token = strdup(x.text.bytes);
        } else if (aws_xml_leaf(&x, "Credentials", "Expiration") && !pen_parse_timestamp(x.text.bytes, x.text.n, &expires)) {
            st = pen_fail(err, PEN_RETRY, "%s: Expiration is \"%.40s\", expected a time", where, x.text.bytes);
        }
    if (st >= 0 && (x.why || !*access || !*secret || !token || !*token))
        st = pen_fail(err, PEN_RETRY, "%s: the answer holds no credentials%s%s", where, x.why ? ": " : "", x.why ? x.why : "");
    if (st >= 0 && !(*out = aws_held_new(access, secret, token, expires == INT64_MAX ? expires : expires / 1000000)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    explicit_bzero(secret, sizeof secret);
    aws_xml_fini(&x);
    free(token);
    return st;
}

static void put_field(struct pen_text *body, const char *name, const char *value)
{
    pen_text_format(body, "&%s=", name);
    aws_encode(body, value, strlen(value), false);
}

static pen_status make_body(struct pen_text *body, const struct aws_role *role, struct pen_error *err)
{
    char session[64], *token = NULL;
    size_t n = 0;
    pen_text_format(body, "Action=%s&Version=2011-06-15", role->token_file ? "AssumeRoleWithWebIdentity" : "AssumeRole");
    put_field(body, "RoleArn", role->arn);
    snprintf(session, sizeof session, "penstock-%lld", (long long)time(NULL));
    put_field(body, "RoleSessionName", role->session ? role->session : session);
    if (role->seconds)
        put_field(body, "DurationSeconds", role->seconds);
    if (role->external_id)
        put_field(body, "ExternalId", role->external_id);
    if (role->token_file) {
        pen_status st = aws_read_file(role->token_file, &token, &n, err);
        if (st == PEN_SKIP)
            st = pen_fail(err, PEN_BADCONF, "%s: there is no such file (web_identity_token_file)", role->token_file);
        if (st < 0)
            return st;
        while (n && (token[n - 1] == '\n' || token[n - 1] == '\r'))
            token[--n] = '\0';
        put_field(body, "WebIdentityToken", token);
        explicit_bzero(token, n);
        free(token);
    }
    return pen_text_failed(body) ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
}

static pen_status send(const struct aws_options *o, const struct aws_endpoint *at, struct aws_request *r, const struct aws_keys *with,
                       struct aws_answer *a, struct pen_error *err)
{
    struct aws_http *http;
    char host[300], url[600];
    aws_http_outcome outcome;
    const struct aws_scope scope = { at->region, "sts", (int64_t)time(NULL) };
    const char *ca = o->tls_ca ? o->tls_ca : aws_environment("AWS_CA_BUNDLE");
    pen_status st = aws_url_parts(at->url, host, sizeof host, NULL, err);
    aws_field_add(&r->headers, "host", host);
    aws_field_add(&r->headers, "content-type", "application/x-www-form-urlencoded");
    if (st >= 0 && with)
        st = aws_sign_headers(r, with, &scope, aws_sign_flags("sts"), NULL, err);
    if (st < 0)
        return st;
    st = aws_http_new(&http, &(struct aws_http_options){ .tls_ca = ca, .connect_timeout = 5000000, .silence_timeout = 10000000,
                                                         .total_timeout = 20000000 }, err);
    if (st < 0)
        return st;
    snprintf(url, sizeof url, "%s/", at->url);
    const struct aws_exchange x = { .method = "POST", .url = url, .headers = &r->headers, .body = r->body, .n = r->n, .limit = 65536 };
    st = aws_http_exchange(http, &x, a, &outcome, err);
    aws_http_free(&http);
    return st;
}

pen_status aws_keys_of_role(const struct aws_options *o, const struct aws_role *role, const struct aws_keys *with, struct aws_held **out,
                            struct pen_error *err)
{
    struct aws_endpoint at;
    struct pen_text body = { 0 };
    struct aws_request r = { .method = "POST", .path = "/" };
    struct aws_answer a = { 0 };
    struct aws_options elsewhere = *o;
    char what[300];
    elsewhere.endpoint = NULL; /* it is that of another service */
    *out = NULL;
    snprintf(what, sizeof what, "role %s", role->arn);
    pen_status st = aws_endpoint_find(&at, &elsewhere, "sts", err);
    if (st >= 0)
        st = make_body(&body, role, err);
    r.body = body.bytes;
    r.n = body.n;
    if (st >= 0)
        st = send(o, &at, &r, role->token_file ? NULL : with, &a, err);
    if (st >= 0)
        st = a.status == 200 ? aws_keys_of_xml(a.body, a.n, what, out, err) : aws_answer_fail(&a, what, err);
    if (body.n)
        explicit_bzero(body.bytes, body.n);
    pen_text_fini(&body);
    aws_request_fini(&r);
    aws_answer_fini(&a);
    return st;
}
