/* admin.c - the verbs of `penstock store`: list, create, change, describe, delete. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "admin.h"
#include "rules.h"

#define DAY INT64_C(86400000000)

enum { KEEP, ENCRYPT_NONE, ENCRYPT_S3, ENCRYPT_KMS };
struct verb_options {
    bool unique, objects;
    int64_t expire; /* 0: as it is; -1: never */
    int encryption;
    const char *kms_key;
    struct pen_strings tags;
};

#define OPTION(name) offsetof(struct verb_options, name)
#define CONFIGURATION_ROWS                                                                                                                             \
    { "expire", PEN_OPT_DURATION, OPTION(expire), NULL, DAY, DAY * 36500, "never", 0,                                                                  \
      "Age in whole days at which the bucket removes objects below the URL's folder; other rules stay. Hours: see expire of the sink." },              \
    { "encryption", PEN_OPT_ENUM, OPTION(encryption), "keep", 0, 0, "keep|none|s3|kms", 0,                                                             \
      "How what is put is encrypted unless it says so itself: by S3's own keys or by one of KMS; keep: as it is." },                                  \
    { "kms_key", PEN_OPT_STRING, OPTION(kms_key), NULL, 0, 0, NULL, 0, "Id or ARN of the key for encryption = kms; without it the account's own." },   \
    { "tags", PEN_OPT_LIST, OPTION(tags), NULL, 0, 0, NULL, 0,                                                                                         \
      "Tags of the bucket, KEY=VALUE each; those by other keys stay. none: all are removed." }

static const struct pen_option create_options[] = {
    { "unique", PEN_OPT_BOOL, OPTION(unique), "no", 0, 0, NULL, 0, "Adds '-' and a random UUID to the name; what is printed is the name." },
    CONFIGURATION_ROWS, { .name = NULL }
};
static const struct pen_option change_options[] = { CONFIGURATION_ROWS, { .name = NULL } };
static const struct pen_option delete_options[] = {
    { "objects", PEN_OPT_BOOL, OPTION(objects), "no", 0, 0, NULL, 0, "Deletes what lies in the bucket as well, with all versions; else it has to be empty." },
    { .name = NULL }
};

/* What a verb works with. */
struct job {
    const struct verb_options *o;
    struct s3_store *store;
    const char *url;
    struct s3_target bucket; /* its key is empty */
    char folder[S3_KEY];     /* what stands behind it in the URL, with a '/' at its end; "" */
    struct pen_builder *b;
};
typedef pen_status verb_body(struct job *j, struct pen_error *err);

/* -- what is printed ------------------------------------------------------------------------------------------------------------------------------- */

static void put_text(struct pen_builder *b, size_t column, const char *text)
{
    if (text)
        pen_builder_bytes_value(pen_builder_child(b, column), text, strlen(text));
    else
        pen_builder_null(pen_builder_child(b, column));
}

static const char *const list_columns[] = { "!u", "name", "tsu:UTC", "created", NULL };

static pen_status take_url(struct job *j, struct pen_error *err)
{
    size_t n;
    pen_status st = s3_target_of(&j->bucket, j->url + strlen("s3://"), err);
    if (st < 0)
        return st;
    n = strlen(j->bucket.key);
    while (n && j->bucket.key[n - 1] == '/')
        n--;
    if (n + 2 > sizeof j->folder)
        return pen_fail(err, PEN_BADCONF, "%s: the folder is longer than a key may be", j->url);
    snprintf(j->folder, sizeof j->folder, "%.*s%s", (int)n, j->bucket.key, n ? "/" : "");
    j->bucket.key[0] = '\0';
    return PEN_OK;
}

static pen_status need_bucket(const struct job *j, struct pen_error *err)
{
    return j->folder[0] ? pen_fail(err, PEN_BADCONF, "%s: expected a bucket, such as s3://%s", j->url, j->bucket.bucket) : PEN_OK;
}

static pen_status run(const void *ctx, const void *stage, const char *url, const char *const *columns, verb_body *body, struct ArrowSchema *schema,
                      struct ArrowArray *batch, struct pen_error *err)
{
    struct job j = { .o = ctx, .store = (struct s3_store *)(uintptr_t)stage, .url = url };
    bool all = strcmp(url, "s3://") == 0 && columns == list_columns;
    pen_status st = all ? PEN_OK : take_url(&j, err);
    if (st >= 0)
        st = pen_schema_from_pairs(schema, columns, err);
    if (st < 0)
        return st;
    st = pen_builder_new(&j.b, schema, err);
    if (st >= 0)
        st = body(&j, err);
    if (st >= 0)
        st = pen_builder_finish(j.b, batch, err);
    pen_builder_free(&j.b);
    if (st < 0)
        pen_schema_release(schema);
    return st == PEN_RETRY ? PEN_FATAL : st;
}

/* -- list ------------------------------------------------------------------------------------------------------------------------------------------- */

static pen_status list_row(void *arg, const char *name, int64_t created, struct pen_error *err)
{
    const struct job *j = arg;
    (void)err;
    if (j->bucket.bucket[0] && strcmp(j->bucket.bucket, name) != 0)
        return PEN_OK;
    put_text(j->b, 0, name);
    if (created == INT64_MIN)
        pen_builder_null(pen_builder_child(j->b, 1));
    else
        pen_builder_int64(pen_builder_child(j->b, 1), created);
    pen_builder_end_struct(j->b);
    return PEN_OK;
}

static pen_status list(struct job *j, struct pen_error *err)
{
    pen_status st = need_bucket(j, err);
    return st < 0 ? st : s3_buckets(j->store, list_row, j, err);
}

static pen_status run_list(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema, struct ArrowArray *batch,
                           struct pen_error *err)
{
    (void)host;
    return run(ctx, stage, url, list_columns, list, schema, batch, err);
}

/* -- create and change ------------------------------------------------------------------------------------------------------------------------------ */

/* What cannot be right is said before anything is made. */
static pen_status check_options(const struct job *j, struct pen_error *err)
{
    const struct verb_options *o = j->o;
    bool none = o->tags.n == 1 && strcmp(o->tags.v[0], "none") == 0;
    if (o->expire > 0 && o->expire % DAY)
        return pen_fail(err, PEN_BADCONF, "--expire: a bucket counts whole days, such as 7d; the sink's own expire takes hours");
    if (o->kms_key && o->encryption != ENCRYPT_KMS)
        return pen_fail(err, PEN_BADCONF, "--kms_key=%s: needs --encryption=kms", o->kms_key);
    for (size_t i = 0; i < o->tags.n && !none; i++) {
        const char *equals = strchr(o->tags.v[i], '=');
        if (!equals || equals == o->tags.v[i] || equals - o->tags.v[i] > 128 || strlen(equals + 1) > 256)
            return pen_fail(err, PEN_BADCONF, "--tags: \"%s\": expected KEY=VALUE, of at most 128 and 256 characters", o->tags.v[i]);
    }
    return PEN_OK;
}

static pen_status configure(struct job *j, struct pen_error *err)
{
    const struct verb_options *o = j->o;
    const struct pen_strings no_tags = { 0, NULL };
    bool none = o->tags.n == 1 && strcmp(o->tags.v[0], "none") == 0;
    pen_status st = PEN_OK;
    if (o->encryption != KEEP)
        st = s3_rules_encrypt(j->store, &j->bucket, o->encryption == ENCRYPT_NONE ? NULL : o->encryption == ENCRYPT_S3 ? "AES256" : "aws:kms", o->kms_key, err);
    if (st >= 0 && o->tags.n)
        st = s3_rules_tag(j->store, &j->bucket, none ? &no_tags : &o->tags, err);
    if (st >= 0 && o->expire)
        st = s3_rules_expire(j->store, &j->bucket, j->folder, o->expire < 0 ? 0 : o->expire / DAY, err);
    return st;
}

/* A UUID of version 4. */
static pen_status make_unique(struct job *j, struct pen_error *err)
{
    unsigned char r[16];
    char name[2 * S3_BUCKET];
    size_t n = strlen(j->bucket.bucket);
    int at;
    if (n + 37 >= sizeof j->bucket.bucket)
        return pen_fail(err, PEN_BADCONF, "%s: with '-' and a UUID the name has %zu characters, S3 takes 63", j->url, n + 37);
    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
        return pen_fail(err, PEN_FATAL, "no random numbers to be had");
    r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
    r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
    at = snprintf(name, sizeof name, "%s-", j->bucket.bucket);
    for (size_t i = 0; i < sizeof r; i++)
        at += snprintf(name + at, sizeof name - (size_t)at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
    memcpy(j->bucket.bucket, name, (size_t)at + 1);
    return PEN_OK;
}

static const char *const create_columns[] = { "!u", "name", "!u", "region", NULL };

static pen_status create(struct job *j, struct pen_error *err)
{
    struct pen_error why = { 0 };
    pen_status st = check_options(j, err);
    if (st >= 0 && j->o->unique)
        st = make_unique(j, err);
    if (st >= 0)
        st = s3_bucket_create(j->store, &j->bucket, err);
    if (st < 0)
        return st;
    if ((st = configure(j, &why)) < 0)
        return pen_fail(err, st, "bucket %s was created, but: %s", j->bucket.bucket, why.msg);
    put_text(j->b, 0, j->bucket.bucket);
    put_text(j->b, 1, aws_client_region(j->store->client));
    pen_builder_end_struct(j->b);
    return PEN_OK;
}

static pen_status run_create(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                             struct ArrowArray *batch, struct pen_error *err)
{
    (void)host;
    return run(ctx, stage, url, create_columns, create, schema, batch, err);
}

/* -- describe ---------------------------------------------------------------------------------------------------------------------------------------- */

static const char *const describe_columns[] = { "!u", "what", "u", "name", "u", "value", NULL };

static void describe_row(void *arg, const char *what, const char *name, const char *value)
{
    const struct job *j = arg;
    put_text(j->b, 0, what);
    put_text(j->b, 1, name);
    put_text(j->b, 2, value);
    pen_builder_end_struct(j->b);
}

static pen_status describe(struct job *j, struct pen_error *err)
{
    char region[64];
    pen_status st = s3_bucket_look(j->store, &j->bucket, err);
    if (st == PEN_SKIP)
        return pen_fail(err, PEN_BADCONF, "there is no bucket %s", j->bucket.bucket);
    if (st < 0)
        return st;
    s3_region_of(j->store, j->bucket.bucket, region);
    describe_row(j, "bucket", j->bucket.bucket, region);
    return s3_rules_describe(j->store, &j->bucket, describe_row, j, err);
}

static pen_status describe_bucket(struct job *j, struct pen_error *err)
{
    pen_status st = need_bucket(j, err);
    return st < 0 ? st : describe(j, err);
}

static pen_status run_describe(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                               struct ArrowArray *batch, struct pen_error *err)
{
    (void)host;
    return run(ctx, stage, url, describe_columns, describe_bucket, schema, batch, err);
}

static pen_status change(struct job *j, struct pen_error *err)
{
    pen_status st = check_options(j, err);
    if (st >= 0)
        st = configure(j, err);
    return st < 0 ? st : describe(j, err);
}

static pen_status run_change(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                             struct ArrowArray *batch, struct pen_error *err)
{
    (void)host;
    return run(ctx, stage, url, describe_columns, change, schema, batch, err);
}

/* -- delete ------------------------------------------------------------------------------------------------------------------------------------------- */

static const char *const delete_columns[] = { "!u", "name", "!l", "objects", NULL };

static pen_status delete_bucket(struct job *j, struct pen_error *err)
{
    int64_t gone = 0;
    size_t n = j->o->objects;
    pen_status st = need_bucket(j, err);
    while (st >= 0 && n) {
        st = s3_bucket_empty(j->store, &j->bucket, &n, err);
        gone += (int64_t)n;
    }
    if (st >= 0)
        st = s3_bucket_delete(j->store, &j->bucket, err);
    if (st < 0)
        return st;
    put_text(j->b, 0, j->bucket.bucket);
    pen_builder_int64(pen_builder_child(j->b, 1), gone);
    pen_builder_end_struct(j->b);
    return PEN_OK;
}

static pen_status run_delete(void *ctx, const void *stage, const struct pen_host *host, const char *url, struct ArrowSchema *schema,
                             struct ArrowArray *batch, struct pen_error *err)
{
    (void)host;
    return run(ctx, stage, url, delete_columns, delete_bucket, schema, batch, err);
}

#define SIZE sizeof(struct verb_options)
const struct pen_verb s3_verbs[] = {
    { "store", "list", "the account's buckets, of s3://", SIZE, NULL, run_list, false },
    { "store", "create", "makes a bucket, with the expiry, encryption and tags that are given", SIZE, create_options, run_create, false },
    { "store", "change", "sets expiry, encryption or tags of a bucket", SIZE, change_options, run_change, false },
    { "store", "describe", "a bucket's region, versioning, expiry, encryption and tags", SIZE, NULL, run_describe, false },
    { "store", "delete", "deletes a bucket", SIZE, delete_options, run_delete, false },
    { .name = NULL }
};
