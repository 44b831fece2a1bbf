/* list.c - objects below a prefix, page by page, in the order of their names. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/xml.h"
#include "list.h"
#include "s3.h"

enum { PAGE_LIMIT = 32 << 20 };

/* Undoes percent-encoding ('+' is a space) in place. False where it is none. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *p = text; *p; p++) {
        unsigned c = (unsigned char)*p;
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            char hex[3] = { p[1], p[1] ? p[2] : '\0', '\0' }, *stop;
            c = (unsigned)strtoul(hex, &stop, 16);
            if (stop != hex + 2 || hex[0] == '+' || hex[0] == '-' || hex[0] == ' ' || c == 0)
                return false;
            p += 2;
        }
        *to++ = (char)c;
    }
    *to = '\0';
    return true;
}

static bool set_size(struct pen_object *o, const char *text)
{
    char *stop;
    errno = 0;
    o->size = strtoll(text, &stop, 10);
    return *text && !*stop && !errno && o->size >= 0;
}

/* One element of <Contents>; false where its value is none. */
static bool take_field(struct s3_entry *e, const struct aws_xml *x, bool encoded)
{
    char *text = x->text.bytes;
    size_t n = x->text.n;
    if (aws_xml_leaf(x, "Contents", "Key")) {
        if ((encoded && !decode(text)) || strlen(text) >= sizeof e->key)
            return false;
        snprintf(e->key, sizeof e->key, "%s", text);
    } else if (aws_xml_leaf(x, "Contents", "Size")) {
        return set_size(&e->object, text);
    } else if (aws_xml_leaf(x, "Contents", "LastModified")) {
        return pen_parse_timestamp(text, n, &e->object.modified);
    } else if (aws_xml_leaf(x, "Contents", "ETag")) {
        bool quoted = n >= 2 && text[0] == '"' && text[n - 1] == '"';
        snprintf(e->object.tag, sizeof e->object.tag, "%.*s", (int)(quoted ? n - 2 : n), quoted ? text + 1 : text);
    }
    return true;
}

pen_status s3_page_parse(const char *text, size_t n, struct s3_page *page, pen_status (*each)(void *arg, const struct s3_entry *e, struct pen_error *err),
                         void *arg, struct pen_error *err)
{
    struct aws_xml x;
    struct s3_entry e = { 0 };
    pen_status st = PEN_OK;
    /* Some servers do not encode although they are asked to; those that do say so, at the end perhaps. Within text there is no '<'. */
    bool listing = false, encoded = memmem(text, n, "<EncodingType>url<", 18) != NULL;
    const char *why = NULL;
    page->more = false;
    page->token[0] = '\0';
    aws_xml_init(&x, text, n);
    while (st == PEN_OK && !why && aws_xml_next(&x)) {
        listing |= x.depth == 1 && strcmp(x.name, "ListBucketResult") == 0;
        if (x.kind == AWS_XML_OPEN) {
            if (x.depth == 2 && strcmp(x.name, "Contents") == 0)
                memset(&e, 0, sizeof e);
        } else if (aws_xml_leaf(&x, "ListBucketResult", "IsTruncated")) {
            page->more = strcmp(x.text.bytes, "true") == 0;
        } else if (aws_xml_leaf(&x, "ListBucketResult", "NextContinuationToken")) {
            if (x.text.n >= sizeof page->token)
                why = "its continuation token is too long";
            snprintf(page->token, sizeof page->token, "%s", x.text.bytes);
        } else if (aws_xml_leaf(&x, "ListBucketResult", "Contents")) {
            st = each(arg, &e, err);
        } else if (!take_field(&e, &x, encoded)) {
            why = "an entry of it cannot be read";
        }
    }
    why = why ? why : x.why ? x.why : !listing && st == PEN_OK ? "it is no list" : NULL;
    if (why && st >= 0)
        st = pen_fail(err, PEN_RETRY, "the list of objects is broken: %s", why);
    aws_xml_fini(&x);
    return st;
}

/* -- listing ---------------------------------------------------------------------------------------------------------------------------------- */

struct listing {
    size_t prefix; /* length of what all keys begin with */
    pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err);
    void *arg;
    char last[S3_KEY];
};

static pen_status hand_over(void *arg, const struct s3_entry *e, struct pen_error *err)
{
    struct listing *l = arg;
    struct pen_object o = e->object;
    size_t n = strlen(e->key);
    if (n < l->prefix || strcmp(e->key, l->last) <= 0)
        return n < l->prefix ? pen_fail(err, PEN_RETRY, "the list of objects holds \"%s\", which was not asked for", e->key) : PEN_OK;
    snprintf(l->last, sizeof l->last, "%s", e->key);
    if (n == l->prefix || e->key[n - 1] == '/') /* what consoles make to show a folder */
        return PEN_OK;
    if (n - l->prefix >= sizeof o.name)
        return pen_fail(err, PEN_FATAL, "\"%s\": the name is too long", e->key);
    snprintf(o.name, sizeof o.name, "%s", e->key + l->prefix);
    return l->each(l->arg, &o, err);
}

static pen_status get_page(struct s3_store *s, const struct s3_target *bucket, const char *prefix, const char *after, bool recursive,
                           struct s3_page *page, struct listing *l, struct pen_error *err)
{
    struct aws_call call = { .request = { .method = "GET" }, .limit = PAGE_LIMIT };
    struct aws_answer a = { 0 };
    struct aws_fields *q = &call.request.query;
    aws_field_add(q, "list-type", "2");
    aws_field_add(q, "encoding-type", "url");
    if (*prefix)
        aws_field_add(q, "prefix", prefix);
    if (!recursive)
        aws_field_add(q, "delimiter", "/");
    if (page->token[0])
        aws_field_add(q, "continuation-token", page->token);
    else if (after)
        aws_field_format(q, "start-after", "%s%s", prefix, after);
    pen_status st = s3_call(s, bucket, &call, &a, err);
    if (st >= 0 && a.status != 200)
        st = s3_fail(bucket, &a, "list", err);
    if (st >= 0)
        st = s3_page_parse(a.body, a.n, page, hand_over, l, err);
    aws_request_fini(&call.request);
    aws_answer_fini(&a);
    return st;
}

pen_status s3_list(void *ctx, const char *path, const char *after, bool recursive,
                   pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err), void *arg, struct pen_error *err)
{
    struct s3_target t;
    struct listing l = { .each = each, .arg = arg };
    struct s3_page page = { .more = true };
    char prefix[S3_KEY];
    pen_status st = s3_target_of(&t, path, err);
    size_t n = st < 0 ? 0 : strlen(t.key);
    if (st < 0)
        return st;
    while (n && t.key[n - 1] == '/')
        n--;
    if (n + 2 > sizeof prefix)
        return pen_fail(err, PEN_FATAL, "s3://%s: the key is longer than S3's 1024 bytes", path);
    snprintf(prefix, sizeof prefix, "%.*s%s", (int)n, t.key, n ? "/" : "");
    l.prefix = strlen(prefix);
    t.key[0] = '\0';
    while (st == PEN_OK && page.more) {
        st = get_page(ctx, &t, prefix, after, recursive, &page, &l, err);
        if (st == PEN_OK && page.more && !page.token[0])
            st = pen_fail(err, PEN_RETRY, "s3://%s: the list goes on, but without a token for its next page", path);
    }
    return st < 0 ? st : PEN_OK;
}
