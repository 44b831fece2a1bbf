/* request.c - where a bucket is asked, and what goes along with every request about an object.
 *
 * A bucket's region is known only to S3. Asked in the wrong one it answers 301, 307 or 400 and names the right one; nothing was carried out then,
 * so that the same request may go there, conditional ones too. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "s3.h"

pen_status s3_target_of(struct s3_target *out, const char *path, struct pen_error *err)
{
    size_t n = strcspn(path, "/");
    const char *key = path[n] ? path + n + 1 : "";
    if (n < 3 || n >= sizeof out->bucket)
        return pen_fail(err, PEN_BADCONF, "s3://%s: a bucket's name has 3 to 63 characters", path);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)path[i]) && !strchr("-._", path[i]))
            return pen_fail(err, PEN_BADCONF, "s3://%s: a bucket's name has letters, digits, '-' and '.' only", path);
    if (strlen(key) >= sizeof out->key)
        return pen_fail(err, PEN_FATAL, "s3://%s: the key is longer than S3's 1024 bytes", path);
    snprintf(out->bucket, sizeof out->bucket, "%.*s", (int)n, path);
    snprintf(out->key, sizeof out->key, "%s", key);
    return PEN_OK;
}

pen_status s3_fail(const struct s3_target *t, const struct aws_answer *a, const char *what, struct pen_error *err)
{
    char where[S3_BUCKET + S3_KEY + 64];
    snprintf(where, sizeof where, "%s s3://%s/%s", what, t->bucket, t->key);
    return aws_answer_fail(a, where, err);
}

/* -- regions -------------------------------------------------------------------------------------------------------------------------------- */

void s3_region_of(struct s3_store *s, const char *bucket, char region[64])
{
    snprintf(region, 64, "%s", aws_client_region(s->client));
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_regions; i++)
        if (strcmp(s->regions[i].bucket, bucket) == 0)
            snprintf(region, 64, "%s", s->regions[i].region);
    pthread_mutex_unlock(&s->lock);
}

static void remember_region(struct s3_store *s, const char *bucket, const char *region)
{
    size_t i = 0;
    pthread_mutex_lock(&s->lock);
    while (i < s->n_regions && strcmp(s->regions[i].bucket, bucket) != 0)
        i++;
    if (i < S3_REGIONS) {
        s->n_regions = i == s->n_regions ? i + 1 : s->n_regions;
        snprintf(s->regions[i].bucket, sizeof s->regions[i].bucket, "%s", bucket);
        snprintf(s->regions[i].region, sizeof s->regions[i].region, "%s", region);
    }
    pthread_mutex_unlock(&s->lock);
}

/* Whether the answer sends us to another region than `asked`; it is put into region. */
static bool elsewhere(const struct aws_answer *a, const char *asked, char region[64])
{
    if (a->status != 301 && a->status != 307 && a->status != 400)
        return false;
    if (!aws_answer_header(a, "x-amz-bucket-region", region, 64)) {
        const char *from = a->body && a->n ? memmem(a->body, a->n, "<Region>", 8) : NULL;
        const char *to = from ? strstr(from, "</Region>") : NULL;
        snprintf(region, 64, "%.*s", to ? (int)(to - from - 8) : 0, to ? from + 8 : "");
    }
    return *region && strlen(region) < 63 && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(region) && strcmp(region, asked) != 0;
}

/* -- where ------------------------------------------------------------------------------------------------------------------------------------- */

/* The endpoint of a region, AWS's own names changed to it, and the bucket put in front of the host unless it goes into the path. */
static pen_status place(const struct s3_store *s, const struct s3_target *t, const char *region, struct pen_text *endpoint, struct pen_text *path,
                        struct pen_error *err)
{
    const char *url = aws_client_endpoint(s->client), *host = strstr(url, "://") + 3;
    bool given = aws_client_endpoint_given(s->client);
    bool dotted = strchr(t->bucket, '.') && strncmp(url, "https", 5) == 0; /* no certificate covers that */
    bool in_path = s->options.path_style == S3_STYLE_YES || (s->options.path_style == S3_STYLE_AUTO && (given || dotted));
    pen_text_clear(endpoint);
    pen_text_clear(path);
    pen_text_append(endpoint, url, (size_t)(host - url));
    if (!in_path)
        pen_text_format(endpoint, "%s.", t->bucket);
    if (given)
        pen_text_put(endpoint, host);
    else
        pen_text_format(endpoint, "s3.%s.%s", region, aws_domain(region));
    pen_text_format(path, "%s%s/%s", in_path ? "/" : "", in_path ? t->bucket : "", t->key);
    return aws_text(endpoint) && aws_text(path) ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

pen_status s3_call(struct s3_store *s, const struct s3_target *t, struct aws_call *call, struct aws_answer *a, struct pen_error *err)
{
    char region[64], other[64];
    struct pen_text endpoint = { 0 }, path = { 0 };
    pen_status st = PEN_OK;
    s3_region_of(s, t->bucket, region);
    for (int moves = 0; moves < 3; moves++) {
        st = place(s, t, region, &endpoint, &path, err);
        if (st < 0)
            break;
        call->endpoint = endpoint.bytes;
        call->region = region;
        call->request.path = path.bytes;
        st = aws_call(s->client, call, a, err);
        if (st < 0 || !elsewhere(a, region, other))
            break;
        remember_region(s, t->bucket, other);
        snprintf(region, sizeof region, "%s", other);
    }
    call->endpoint = call->region = call->request.path = NULL;
    pen_text_fini(&endpoint);
    pen_text_fini(&path);
    return st;
}

/* -- headers ---------------------------------------------------------------------------------------------------------------------------------------- */

void s3_crc32(char out[9], const void *bytes, size_t n)
{
    struct pen_text t = { 0 };
    unsigned long crc = crc32_z(crc32_z(0, NULL, 0), bytes, n);
    pen_text_base64(&t, (const unsigned char[]){ (unsigned char)(crc >> 24), (unsigned char)(crc >> 16), (unsigned char)(crc >> 8), (unsigned char)crc }, 4);
    snprintf(out, 9, "%.*s", (int)t.n, t.n ? t.bytes : "");
    pen_text_fini(&t);
}

void s3_checksum_header(const struct s3_store *s, struct aws_request *r)
{
    char crc[9];
    if (s->options.checksum != S3_CHECKSUM_CRC32)
        return;
    s3_crc32(crc, r->body, r->n);
    aws_field_add(&r->headers, "x-amz-checksum-crc32", crc);
}

void s3_encryption_headers(const struct s3_store *s, struct aws_request *r)
{
    if (s->options.encryption == S3_ENCRYPT_DEFAULT)
        return;
    aws_field_add(&r->headers, "x-amz-server-side-encryption", s->options.encryption == S3_ENCRYPT_S3 ? "AES256" : "aws:kms");
    if (s->options.encryption == S3_ENCRYPT_KMS && s->options.kms_key)
        aws_field_add(&r->headers, "x-amz-server-side-encryption-aws-kms-key-id", s->options.kms_key);
}

void s3_metadata_headers(struct aws_fields *headers, const struct pen_pairs *metadata)
{
    char name[128];
    for (size_t i = 0; metadata && i < metadata->n; i++) {
        bool own = strcmp(metadata->names[i], "content-type") == 0;
        snprintf(name, sizeof name, "%s%s", own ? "" : "x-amz-meta-", metadata->names[i]);
        aws_field_add(headers, name, metadata->values[i]);
    }
}
