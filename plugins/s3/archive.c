/* archive.c - the s3 sink: its options, and what the engine is told of it. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "archive.h"

#define AT(member) offsetof(struct archive, member)
static const struct pen_option options[] = {
    { "path", PEN_OPT_STRING, AT(path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "URL of the folder that holds the topics' folders, such as s3://lake/topics." },
    { "topic", PEN_OPT_STRING, AT(topic), NULL, 0, 0, NULL, 0,
      "Name of the topic in paths; where not given, what a partition named TOPIC-3 says, else the name of the stage that is read." },
    { "partition_by", PEN_OPT_LIST, AT(layout.fields), NULL, 0, 0, NULL, 0,
      "Fields of the message whose values make folders NAME=VALUE in place of partition=P; a dot leads into an object. Values are escaped; messages "
      "without such a field go to __HIVE_DEFAULT_PARTITION__ and are counted (unplaced_total)." },
    { "partition_time", PEN_OPT_STRING, AT(layout.pattern), NULL, 0, 0, NULL, 0,
      "Folders of the message's time in place of partition=P, behind those of partition_by, such as year=%Y/month=%m/day=%d/hour=%H; %M is the minute." },
    { "time_field", PEN_OPT_STRING, AT(layout.field), NULL, 0, 0, NULL, 0,
      "Field of the message that has its time: milliseconds since 1970, or a text such as 2024-01-31T12:00:00Z. Without it the record's timestamp counts." },
    { "zone", PEN_OPT_STRING, AT(layout.zone_name), "UTC", 0, 0, NULL, 0,
      "Time zone of the folders of partition_time: Europe/London, UTC, +05:30." },
    { "records", PEN_OPT_COUNT, AT(records), "0", 0, INT64_C(1000000000), NULL, 0,
      "Messages an object, exactly; an object that is not full waits for more, unless rotate is given. 0: as many as a commit brings. With partition_by or "
      "partition_time it counts those of a Kafka partition, whose open objects are closed together." },
    { "target_file_size", PEN_OPT_SIZE, AT(target_file_size), "64MiB", 1024, INT64_C(1) << 31, NULL, 0,
      "Size at which an object is closed: before compression, or, of Parquet, of the file." },
    { "rotate_interval", PEN_OPT_DURATION, AT(rotate_interval), "0s", 0, INT64_C(86400000000) * 366, NULL, 0,
      "A message that happened so much later than the first one of an object, by its own time, begins a new object; until then objects wait for more, "
      "unless rotate is given. 0: no such bound." },
    { "rotate", PEN_OPT_DURATION, AT(rotate), "0s", 0, INT64_C(86400000000) * 30, NULL, 0,
      "Age of an object's first message here from which the next commit closes it; 0: objects are closed at each commit, or when they are full." },
    { "format", PEN_OPT_ENUM, AT(format), "jsonl", 0, 0, "jsonl|parquet", 0,
      "jsonl: each message as it came, a line (.json). parquet: key, value, timestamp, partition, offset and headers as columns, the value byte for byte; "
      "behind a stage that gives columns, those." },
    { "compression", PEN_OPT_ENUM, AT(compression), "auto", 0, 0, "auto|none|gzip|zstd|snappy", 0,
      "Lines: gzip and zstd compress each object as a whole, its name then ends in .gz or .zst. Parquet: zstd or snappy. auto: none for lines, zstd for Parquet." },
    { "level", PEN_OPT_INT, AT(level), "3", 1, 19, NULL, 0, "Compression level: 1 to 9 for gzip, 1 to 19 for zstd." },
    { "expire", PEN_OPT_DURATION, AT(expire), "0s", 0, 0, NULL, 0,
      "Age, by the store's own time, from which objects are removed; 0: never. Looked at once an hour. Bucket rules do the same in whole days." },
    { .name = NULL }
};

static void stop(void *ctx)
{
    struct archive *a = ctx;
    layout_stop(&a->layout);
    pen_schema_release(&a->schema);
    archive_unfinished_fini(a);
    archive_topics_fini(a);
    pthread_mutex_destroy(&a->lock);
}

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct archive *a = ctx;
    a->host = host;
    if (!strstr(a->path, "://"))
        return pen_fail(err, PEN_BADCONF, "path = \"%s\": expected the URL of a store, such as s3://lake/topics", a->path);
    if (a->topic && (!a->topic[0] || strspn(a->topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(a->topic) ||
                     strlen(a->topic) > 249))
        return pen_fail(err, PEN_BADCONF, "topic = \"%s\": expected letters, digits, '.', '_' and '-'", a->topic);
    if (a->compression == ARCHIVE_AUTO)
        a->compression = a->format == ARCHIVE_PARQUET ? ARCHIVE_ZSTD : ARCHIVE_NONE;
    if (a->format == ARCHIVE_PARQUET ? a->compression == ARCHIVE_GZIP : a->compression == ARCHIVE_SNAPPY)
        return pen_fail(err, PEN_BADCONF, "compression = %s: %s", a->format == ARCHIVE_PARQUET ? "gzip" : "snappy",
                        a->format == ARCHIVE_PARQUET ? "Parquet is written with zstd, snappy or none" : "lines are compressed by gzip or zstd");
    if (a->layout.field && !a->layout.pattern && !a->rotate_interval)
        return pen_fail(err, PEN_BADCONF, "time_field = %s: needs partition_time or rotate_interval", a->layout.field);
    pen_status st = layout_start(&a->layout, err);
    if (st >= 0)
        pthread_mutex_init(&a->lock, NULL);
    return st;
}

/* Raw messages, unless columns are to be kept as columns. */
static pen_status want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *out, struct pen_error *err)
{
    const struct archive *a = ctx;
    return a->format == ARCHIVE_PARQUET && !pen_schema_is_raw(in) ? PEN_OK : pen_schema_raw(out, err);
}

/* Whether each path begins at a column. */
static pen_status check_columns(const struct archive *a, const struct ArrowSchema *in, struct pen_error *err)
{
    for (size_t i = 0; i <= a->layout.fields.n; i++) {
        const char *path = i < a->layout.fields.n ? a->layout.fields.v[i] : a->layout.field;
        char name[256];
        if (!path)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "."), path);
        if (pen_schema_find(in, name) < 0)
            return pen_fail(err, PEN_BADCONF, "%s = %s: there is no such column", i < a->layout.fields.n ? "partition_by" : "time_field", path);
    }
    if (!a->layout.field && (a->layout.pattern || a->rotate_interval))
        return pen_fail(err, PEN_BADCONF, "columns have no time of their own: time_field is to say which of them is the message's");
    return PEN_OK;
}

static pen_status prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    struct archive *a = ctx;
    pen_status st;
    a->columns = !pen_schema_is_raw(in);
    if (a->columns && a->format != ARCHIVE_PARQUET)
        return pen_fail(err, PEN_BADCONF, "an archive of lines keeps raw messages only");
    if (a->columns && (st = check_columns(a, in, err)) < 0)
        return st;
    pen_schema_release(&a->schema);
    st = pen_schema_copy(&a->schema, in, err);
    if (st >= 0 && a->format == ARCHIVE_PARQUET) { /* whether Parquet can hold it */
        struct pen_parquet_shared *shared = NULL;
        st = archive_shared_new(a, &shared, err);
        pen_parquet_shared_free(&shared);
    }
    return st;
}

static pen_status open_store(void *ctx, struct pen_error *err)
{
    const struct archive *a = ctx;
    return pen_store_prove(a->host, a->path, err);
}

static pen_status reach(void *ctx, struct pen_error *err)
{
    const struct archive *a = ctx;
    return pen_store_reach(a->host, a->path, err);
}

const struct pen_sink archive_sink = {
    .ctx_size = sizeof(struct archive),
    .options = options,
    .start = start,
    .stop = stop,
    .want = want,
    .prepare = prepare,
    .open = open_store,
    .connect = reach,
    .shown = archive_shown,
    .expires = true,
    .partial = true,
    .guarantee = "exactly once: an object is named by its first offset and put only where there is none",
    .writer_open = archive_writer_open,
    .writer_close = archive_writer_close,
    .write = archive_write,
    .forget = archive_forget,
    .held = archive_held,
    .stage = archive_stage,
    .abandon = archive_abandon,
    .publish = archive_publish,
    .maintain = archive_maintain,
};
