/* s3.c - the s3 plugin: serves s3:// URLs to every other plugin. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "admin.h"
#include "archive.h"
#include "s3.h"

#define AT(member) offsetof(struct s3_store, options.member)
static const struct pen_option store_options[] = {
    AWS_OPTION_ROWS(struct s3_store, options.aws),
    { "path_style", PEN_OPT_ENUM, AT(path_style), "auto", 0, 0, "auto|yes|no", 0,
      "Whether a bucket's name goes into the path (yes) or in front of the host (no). auto: into the path wherever an endpoint is set." },
    { "part_size", PEN_OPT_SIZE, AT(part_size), "8MiB", 5 << 20, 512 << 20, NULL, 0,
      "Size of the parts in which large objects are uploaded; an object that is smaller goes in one request. Each open file may hold as much." },
    { "upload_threads", PEN_OPT_INT, AT(upload_threads), "4", 1, 64, NULL, 0, "How many parts are uploaded at the same time." },
    { "outage_timeout", PEN_OPT_DURATION, AT(outage_timeout), "1h", 0, INT64_C(604800000000), NULL, 0,
      "How long an upload waits for a store that is out of reach before the run stops." },
    { "checksum", PEN_OPT_ENUM, AT(checksum), "crc32", 0, 0, "crc32|none", 0,
      "Checksum that goes along with each upload and is kept by the store; none for stores that do not know it. What is sent is covered by a "
      "SHA-256 either way." },
    { "encryption", PEN_OPT_ENUM, AT(encryption), "default", 0, 0, "default|s3|kms", 0,
      "How the store is to encrypt what it keeps: as the bucket says, with S3's own keys (SSE-S3), or with a key of KMS (SSE-KMS)." },
    { "kms_key", PEN_OPT_STRING, AT(kms_key), NULL, 0, 0, NULL, 0, "Id or ARN of the key for encryption = kms; without it the account's own for S3." },
    { .name = NULL }
};

static void store_stop(void *ctx)
{
    struct s3_store *s = ctx;
    s3_pool_free(&s->pool);
    aws_client_free(&s->client);
    pthread_mutex_destroy(&s->lock);
}

static pen_status store_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct s3_store *s = ctx;
    if (s->options.kms_key && s->options.encryption != S3_ENCRYPT_KMS)
        return pen_fail(err, PEN_BADCONF, "kms_key = %s: needs encryption = kms", s->options.kms_key);
    s->host = host;
    pthread_mutex_init(&s->lock, NULL);
    pen_status st = aws_client_new(&s->client, host, &s->options.aws, "s3", err);
    if (st >= 0)
        st = s3_pool_new(&s->pool, s, err);
    if (st < 0)
        store_stop(s);
    return st;
}

static const struct pen_store store = {
    .scheme = "s3",
    .head = s3_head,
    .read = s3_read,
    .put = s3_put,
    .metadata = s3_metadata,
    .list = s3_list,
    .remove = s3_remove,
    .now = s3_now,
    .upload_open = s3_upload_open,
    .upload_write = s3_upload_write,
    .upload_stage = s3_upload_stage,
    .upload_close = s3_upload_close,
    .upload_abandon = s3_upload_abandon,
    .publish = s3_publish,
    .discard = s3_discard,
};

extern const struct pen_plugin s3_LTX_pen_plugin;
const struct pen_plugin s3_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "s3",
    .summary = "Objects of Amazon S3, and of what speaks like it: s3:// URLs, and an archive of messages",
    .licence = "Apache-2.0",
    .doc = "Wherever another plugin takes a path or URL, s3://BUCKET/KEY works once this plugin is installed. Its options stand in [defaults s3]; what is "
           "not said there comes from the environment and from the files that AWS's own tools use.\n\n"
           "As a sink it is an archive: messages byte for byte, one a line, in objects named PATH/TOPIC/partition=P/TOPIC+P+OFFSET.json as Kafka Connect's S3 "
           "sink names them, with the offset of the first message. Each message is in one object, whatever is killed; with records = N each "
           "object has exactly N. partition_by and partition_time make folders of fields and times instead of partition=P; doc/archive.md has the rules, and the "
           "connector's settings beside ours. The file source reads such folders back in the order of the offsets.\n\n"
           "Credentials are looked for in this order: access_key and secret_key; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; a web identity "
           "(AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE); the profile of ~/.aws/config and ~/.aws/credentials, with role_arn by source_profile, "
           "credential_source or web_identity_token_file, credential_process, or its keys; a container's service; the instance's metadata, version 2. A "
           "profile that is named by option goes before the environment. Those that expire are renewed five minutes before.\n\n"
           "Commits. A log entry or another small object that must not replace one is put with If-None-Match and never sent twice: an answer that is lost, "
           "a server error and a conflict all count as unknown, and the table is read to see. Data files carry an id of their own in their metadata, so "
           "that a lost answer is settled by looking at the object. A store that ignores If-None-Match is noticed at the start by a probe.\n\n"
           "Outages. Uploads wait for a store that is out of reach (outage_timeout), with a bounded amount in memory. Uploads that were left behind are "
           "aborted by a later run once they are a day old; a lifecycle rule of the bucket that aborts unfinished uploads does the same.\n\n"
           "Buckets are made and looked after by `penstock store`, see penstock-store(1).\n\n"
           "Other stores. Tested with MinIO and versitygw. A bucket that lies in another region than the one that is set is found by S3's own redirect.",
    .sink = &archive_sink,
    .store = &store,
    .store_ctx_size = sizeof(struct s3_store),
    .store_options = store_options,
    .store_start = store_start,
    .store_stop = store_stop,
    .verbs = s3_verbs,
};
