/* archive.h - the s3 sink: raw messages kept as they are, in objects laid out as a Kafka-to-S3 connector lays them out:
 * PATH/TOPIC/partition=P/TOPIC+P+OFFSET.json, OFFSET being that of the first message, ten digits at least.
 *
 * archive_write.c gathers messages into objects for a lane; archive.c puts them, in order and if absent, and says how far what lies there reaches.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_ARCHIVE_H
#define PEN_S3_ARCHIVE_H

#include <penstock/plugin.h>

typedef enum { ARCHIVE_NONE, ARCHIVE_GZIP, ARCHIVE_ZSTD } archive_codec;

struct archive {
    const char *path, *topic;
    int compression;
    int64_t level, records, target_file_size, rotate, expire;
    const struct pen_host *host;
    int64_t clean_at; /* pen_now() of the next look for what has expired */
};

/* Metadata of an object: the position behind its last message, the plan that put it, and what its partition was an incarnation of. */
#define ARCHIVE_END "penstock-end"
#define ARCHIVE_PLAN "penstock-plan"
#define ARCHIVE_OF "penstock-incarnation"

/* Where the objects of a partition lie, from the last part of its key: "TOPIC-3@INCARNATION", escaped. */
struct archive_place {
    char topic[300], number[128], incarnation[200];
    char folder[2048];
};
pen_status archive_place_of(const struct archive *a, const char *stage, const char *partition, struct archive_place *out, struct pen_error *err);
/* The name of an object in its folder, by the position of its first message. */
void archive_name(const struct archive *a, const struct archive_place *p, const struct pen_position *first, char *buf, size_t size);
/* What stands for the end in the metadata, and back; false: that is none. */
void archive_put_position(char buf[100], const struct pen_position *pos);
bool archive_get_position(const char *text, struct pen_position *pos);

/* What a lane stages for one object, followed by its bytes. */
struct archive_object {
    char folder[2048], name[600], incarnation[200];
    struct pen_position end;
    uint64_t size; /* of the bytes that follow, already compressed */
};

/* archive_write.c: the sink's functions for a lane. */
pen_status archive_writer_open(void *ctx, unsigned lane, void **writer, struct pen_error *err);
void archive_writer_close(void *writer);
pen_status archive_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err);
void archive_forget(void *writer, uint64_t part);
size_t archive_held(void *writer);
pen_status archive_stage(void *writer, struct pen_staged *staged, struct pen_error *err);
void archive_abandon(void *writer);

extern const struct pen_sink archive_sink;

#endif
