/* sign_test.c - Signature Version 4 against the cases of ../shared/data/conformance/sigv4, and what these leave out: chunks, unsigned payloads,
 * paths of s3, dates. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "aws/sign.h"
#include "tests/tap.h"

static char *slurp(const char *folder, const char *name, size_t *n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 65536);
    if (!f || !text) {
        free(text);
        if (f)
            fclose(f);
        return NULL;
    }
    size_t got = fread(text, 1, 65535, f);
    fclose(f);
    if (n)
        *n = got;
    return text;
}

/* -- a case's request.txt ------------------------------------------------------------------------------------------------------------------ */

static void unescape(char *s)
{
    char *to = s;
    for (; *s; s++)
        if (*s == '%' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2])) {
            char hex[3] = { s[1], s[2], '\0' };
            *to++ = (char)strtol(hex, NULL, 16);
            s += 2;
        } else {
            *to++ = *s;
        }
    *to = '\0';
}

static void parse_query(struct aws_fields *query, char *text)
{
    for (char *save, *pair = strtok_r(text, "&", &save); pair; pair = strtok_r(NULL, "&", &save)) {
        char *value = strchr(pair, '=');
        if (value)
            *value++ = '\0';
        unescape(pair);
        if (value)
            unescape(value);
        aws_field_add(query, pair, value ? value : "");
    }
}

/* Parts point into text, which is changed. The path may hold spaces. */
static void parse_request(struct aws_request *r, char *text, size_t n)
{
    char *line = strchr(text, '\n'), *end = text + n;
    *line++ = '\0';
    char *path = strchr(text, ' ');
    *path++ = '\0';
    *strrchr(path, ' ') = '\0';
    char *query = strchr(path, '?');
    if (query) {
        *query++ = '\0';
        parse_query(&r->query, query);
    }
    r->method = text;
    r->path = path;
    while (line < end && *line != '\n') {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        while (stop && (stop[1] == ' ' || stop[1] == '\t')) { /* the value goes on */
            *stop = ' ';
            stop = strchr(stop, '\n');
        }
        if (stop)
            *stop = '\0';
        char *value = strchr(line, ':');
        *value++ = '\0';
        for (char *c = line; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        aws_field_add(&r->headers, line, value);
        line = stop ? stop + 1 : end;
    }
    if (line < end) {
        r->body = line + 1;
        r->n = (size_t)(end - line - 1);
    }
}

/* -- the cases ---------------------------------------------------------------------------------------------------------------------------------- */

struct context {
    struct aws_keys keys;
    struct aws_scope scope;
    int64_t seconds;
    unsigned flags;
};

static const char *text_of(const cJSON *o, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(o, name));
}

static struct context context_of(const cJSON *o)
{
    const cJSON *keys = cJSON_GetObjectItem(o, "credentials");
    struct tm tm = { 0 };
    unsigned flags = cJSON_IsTrue(cJSON_GetObjectItem(o, "normalize")) ? AWS_PATH_NORMALIZE : 0;
    flags |= cJSON_IsTrue(cJSON_GetObjectItem(o, "sign_body")) ? AWS_HASH_HEADER : 0;
    flags |= cJSON_IsTrue(cJSON_GetObjectItem(o, "omit_session_token")) ? AWS_TOKEN_UNSIGNED : 0;
    strptime(text_of(o, "timestamp"), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return (struct context){ { text_of(keys, "access_key_id"), text_of(keys, "secret_access_key"), text_of(keys, "token") },
                             { text_of(o, "region"), text_of(o, "service"), timegm(&tm) },
                             cJSON_GetObjectItem(o, "expiration_in_seconds")->valueint, flags };
}

static bool same(const char *folder, const char *name, const char *got, size_t n)
{
    size_t want_n = 0;
    char *want = slurp(folder, name, &want_n);
    bool good = want && want_n == n && memcmp(want, got, n) == 0;
    if (!good)
        printf("# %s\n# wanted: %s\n# got: %.*s\n", name, want ? want : "(no such file)", (int)n, got);
    free(want);
    return good;
}

/* The authorization header of NAME-signed-request.txt must be ours. */
static bool same_header(const char *folder, const struct aws_request *r)
{
    char *want = slurp(folder, "header-signed-request.txt", NULL);
    const char *line = want ? strstr(want, "Authorization:") : NULL, *ours = r->headers.v[r->headers.n - 1].value;
    if (strcmp(r->headers.v[r->headers.n - 1].name, "authorization") != 0) /* the token comes after signing */
        for (size_t i = 0; i < r->headers.n; i++)
            if (strcmp(r->headers.v[i].name, "authorization") == 0)
                ours = r->headers.v[i].value;
    size_t n = strlen(ours);
    bool good = line && strncmp(line + 14, ours, n) == 0 && line[14 + n] == '\n';
    if (!good)
        printf("# wanted: %s\n# got: %s\n", line, ours);
    free(want);
    return good;
}

static bool one_way(const char *folder, bool in_query)
{
    size_t n = 0, context_n = 0;
    char *text = slurp(folder, "request.txt", &n), *context_text = slurp(folder, "context.json", &context_n), name[64];
    cJSON *json = context_text ? cJSON_ParseWithLength(context_text, context_n) : NULL;
    struct aws_request r = { 0 };
    struct aws_signature sig = { 0 };
    bool good = false;
    if (text && json) {
        struct context c = context_of(json);
        parse_request(&r, text, n);
        pen_status st = in_query ? aws_sign_query(&r, &c.keys, &c.scope, c.seconds, c.flags & ~(unsigned)AWS_HASH_HEADER, &sig, NULL)
                                 : aws_sign_headers(&r, &c.keys, &c.scope, c.flags, &sig, NULL);
        const char *way = in_query ? "query" : "header";
        snprintf(name, sizeof name, "%s-canonical-request.txt", way);
        good = st == PEN_OK && same(folder, name, sig.canonical.bytes, sig.canonical.n);
        snprintf(name, sizeof name, "%s-string-to-sign.txt", way);
        good = good && same(folder, name, sig.to_sign.bytes, sig.to_sign.n);
        snprintf(name, sizeof name, "%s-signature.txt", way);
        good = good && same(folder, name, sig.hex, 64) && (in_query || same_header(folder, &r));
    }
    cJSON_Delete(json);
    free(text);
    free(context_text);
    aws_request_fini(&r);
    aws_signature_fini(&sig);
    return good;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void conformance(void)
{
    const char *top = getenv("top_srcdir");
    char cases[900], folder[1200];
    struct dirent **found;
    int seen = 0;
    snprintf(cases, sizeof cases, "%s/../shared/data/conformance/sigv4/v4", top ? top : ".");
    int n = scandir(cases, &found, NULL, by_name);
    if (n < 0) {
        skip("AWS's cases of Signature Version 4", "../shared/data/conformance/sigv4 is not there");
        return;
    }
    for (int i = 0; i < n; i++) {
        if (found[i]->d_name[0] != '.') {
            snprintf(folder, sizeof folder, "%s/%s", cases, found[i]->d_name);
            ok(one_way(folder, false), "%s: headers", found[i]->d_name);
            ok(one_way(folder, true), "%s: query", found[i]->d_name);
            seen++;
        }
        free(found[i]);
    }
    free(found);
    ok(seen == 38, "%d cases, expected 38", seen);
}

/* -- ours ------------------------------------------------------------------------------------------------------------------------------------------ */

static const struct aws_keys example = { "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL };
static const struct aws_scope scope = { "us-east-1", "s3", 1369353600 }; /* 2013-05-24 */

/* The figures are those of Amazon S3's documentation, "Signature calculations for the authorization header". */
static void test_chunks__are_signed_one_after_the_other(void)
{
    struct aws_request r = { .method = "PUT", .path = "/examplebucket/chunkObject.txt", .payload = AWS_STREAMING };
    struct aws_signature sig = { 0 };
    struct aws_chunks c;
    struct pen_text out = { 0 };
    char *bytes = malloc(65536);
    if (!bytes)
        return;
    memset(bytes, 'a', 65536);
    aws_field_add(&r.headers, "host", "s3.amazonaws.com");
    aws_field_add(&r.headers, "x-amz-storage-class", "REDUCED_REDUNDANCY");
    aws_field_add(&r.headers, "content-encoding", "aws-chunked");
    aws_field_add(&r.headers, "x-amz-decoded-content-length", "66560");
    aws_field_add(&r.headers, "content-length", "66824");
    aws_sign_headers(&r, &example, &scope, aws_sign_flags("s3"), &sig, NULL);
    ok(strcmp(sig.hex, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9") == 0, "the seed's signature: %s", sig.hex);
    aws_chunks_begin(&c, &example, &scope, sig.hex);
    aws_chunk(&c, &out, bytes, 65536);
    ok(strcmp(c.last, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648") == 0, "the first chunk's: %s", c.last);
    aws_chunk(&c, &out, bytes, 1024);
    ok(strcmp(c.last, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497") == 0, "the second's: %s", c.last);
    aws_chunk(&c, &out, bytes, 0);
    ok(strcmp(c.last, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9") == 0, "the last one's: %s", c.last);
    ok(out.n == 66824 && memcmp(out.bytes, "10000;chunk-signature=ad80", 26) == 0, "%zu bytes with the frames", out.n);
    free(bytes);
    pen_text_fini(&out);
    aws_signature_fini(&sig);
    aws_request_fini(&r);
}

static void test_s3__presigned_with_an_unsigned_payload(void)
{
    struct aws_request r = { .method = "GET", .path = "/test.txt", .payload = AWS_UNSIGNED };
    struct aws_signature sig = { 0 };
    aws_field_add(&r.headers, "host", "examplebucket.s3.amazonaws.com");
    aws_sign_query(&r, &example, &scope, 86400, aws_sign_flags("s3"), &sig, NULL);
    ok(strcmp(sig.hex, "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404") == 0, "GET /test.txt: %s", sig.hex);
    aws_signature_fini(&sig);
    aws_request_fini(&r);
}

static void test_paths__s3_keeps_what_others_resolve(void)
{
    static const struct { const char *service, *path, *canonical; } cases[] = {
        { "s3", "/a//b/../c d", "/a//b/../c%20d" },
        { "kinesis", "/a//b/../c d", "/a/c%2520d" },
        { "s3", "/\xc3\xa9=+&?#%41", "/%C3%A9%3D%2B%26%3F%23%2541" },
        { "kinesis", "/..", "/" },
        { "kinesis", "/a/.", "/a" },
        { "kinesis", "/a/./", "/a/" },
        { "s3", "", "/" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct aws_request r = { .method = "GET", .path = cases[i].path };
        struct aws_signature sig = { 0 };
        struct aws_scope s = { "us-east-1", cases[i].service, 0 };
        aws_field_add(&r.headers, "host", "h");
        aws_sign_headers(&r, &example, &s, aws_sign_flags(cases[i].service), &sig, NULL);
        const char *line = strchr(aws_text(&sig.canonical), '\n') + 1;
        size_t n = strlen(cases[i].canonical);
        ok(strncmp(line, cases[i].canonical, n) == 0 && line[n] == '\n', "%s \"%s\" is signed as %s", cases[i].service, cases[i].path,
           cases[i].canonical);
        aws_signature_fini(&sig);
        aws_request_fini(&r);
    }
}

int main(void)
{
    conformance();
    test_chunks__are_signed_one_after_the_other();
    test_s3__presigned_with_an_unsigned_payload();
    test_paths__s3_keeps_what_others_resolve();
    return done_testing();
}
