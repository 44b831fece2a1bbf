/* archive.h - the s3 sink: raw messages kept as they are, in objects laid out as a Kafka-to-S3 connector lays them out:
 * PATH/TOPIC/partition=P/TOPIC+P+OFFSET.json, OFFSET being that of the first message, ten digits at least; or with folders of a message's fields and
 * time in place of partition=P.
 *
 * archive_write.c and archive_group.c gather messages into objects for a lane (archive_object.c: lines or Parquet); archive_publish.c puts them,
 * archive_shown.c says how far what lies there reaches, archive_clean.c removes what is old. archive_names.c has the names of all of it, and archive_entry.c the entries that tell of objects that
 * belong together. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_ARCHIVE_H
#define PEN_S3_ARCHIVE_H

#include <pthread.h>

#include <penstock/plugin.h>

#include "layout.h"
#include "parquet.h"

typedef enum { ARCHIVE_LINES, ARCHIVE_PARQUET } archive_format;
typedef enum { ARCHIVE_AUTO, ARCHIVE_NONE, ARCHIVE_GZIP, ARCHIVE_ZSTD, ARCHIVE_SNAPPY } archive_codec;

enum { ARCHIVE_POSITION = 100, ARCHIVE_PATH = 2048, ARCHIVE_URL = 4096 };

struct archive_unfinished;

struct archive {
    const char *path, *topic;
    int format, compression; /* compression: not ARCHIVE_AUTO once started */
    int64_t level, records, target_file_size, rotate, rotate_interval, expire;
    struct layout layout;
    struct ArrowSchema schema; /* of what is written */
    bool columns;              /* Parquet, and no raw messages but columns */
    const struct pen_host *host;
    pthread_mutex_t lock;
    struct archive_unfinished *unfinished; /* lock: commits that were begun, by partition */
    struct archive_topic *topics;          /* control: those whose partitions this process has asked about */
    int64_t clean_at;                      /* pen_now() of the next look for what is old */
};

/* -- names (archive_names.c) ------------------------------------------------------------------------------------------------------------------------ */

/* What the last part of a partition's key, "TOPIC-3@INCARNATION", says, escaped for paths. */
struct archive_place {
    char topic[300], number[128], incarnation[200];
    char folder[144]; /* of its objects where it is not divided further: "partition=3" */
};
pen_status archive_place_of(const struct archive *a, const char *stage, const char *partition, struct archive_place *out, struct pen_error *err);
/* Undoes a key's escapes; false where it does not fit. */
bool archive_unescape(char *out, size_t size, const char *text, size_t n);
/* Path of an object below the archive's, by its folder within the topic's and the position of its first message. */
pen_status archive_object_path(const struct archive *a, const struct archive_place *p, const char *folder, size_t folder_n, const struct pen_position *first,
                               char path[ARCHIVE_PATH], struct pen_error *err);
/* Whether a name is that of an object of this topic; where it is, the position in it. Any partition's where number is NULL. */
bool archive_object_name(const char *name, const char *topic, const char *number, struct pen_position *first);
/* A position as text, and back; false: that is none. */
void archive_put_position(char buf[ARCHIVE_POSITION], const struct pen_position *pos);
bool archive_get_position(const char *text, struct pen_position *pos);

/* Metadata of an object: the position behind the last message of its commit, the plan that put it, and what its partition was an incarnation of. */
#define ARCHIVE_END "penstock-end"
#define ARCHIVE_PLAN "penstock-plan"
#define ARCHIVE_OF "penstock-incarnation"

/* -- commits of several objects (archive_entry.c) -------------------------------------------------------------------------------------------------- */

/* Where a partition is divided into folders, what one commit moves it by is several objects. They are listed in an entry that is put first, if absent, under
 * the position of the first message: PATH/_penstock/TOPIC/partition=P/FIRST. From then on the commit is what the entry says, whoever puts the objects. */
struct archive_entry {
    struct pen_position first, end;
    char plan[128], incarnation[200];
    char **paths; /* of its objects, below the archive's path */
    size_t n;
};
void archive_entry_fini(struct archive_entry *e);
pen_status archive_entry_add(struct archive_entry *e, const char *path, struct pen_error *err);
pen_status archive_entry_url(const struct archive *a, const struct archive_place *p, const struct pen_position *first, char url[ARCHIVE_URL],
                             struct pen_error *err);
/* Folder of the entries of a topic. */
pen_status archive_entries_url(const struct archive *a, const char *topic, char url[ARCHIVE_URL], struct pen_error *err);
void archive_entry_write(const struct archive_entry *e, struct pen_text *out);
/* What one says, into an empty one; url is for messages. */
pen_status archive_entry_parse(const char *url, const char *bytes, size_t n, struct archive_entry *out, struct pen_error *err);
/* PEN_SKIP: there is none. first is not part of it. */
pen_status archive_entry_read(const struct archive *a, const char *url, struct archive_entry *out, struct pen_error *err);
/* The last one of a partition; PEN_SKIP: there is none. */
pen_status archive_entry_latest(const struct archive *a, const struct archive_place *p, struct archive_entry *out, struct pen_error *err);

/* The commit of a partition that was begun and is not whole: a lane that reads its messages again makes the same of them. Any thread. */
pen_status archive_unfinished_set(struct archive *a, const struct archive_place *p, const struct archive_entry *e, struct pen_error *err); /* NULL: none */
bool archive_unfinished_get(struct archive *a, const struct archive_place *p, struct pen_position *first, struct pen_position *end);
void archive_unfinished_fini(struct archive *a);

/* -- what lanes stage (archive_group.c) -------------------------------------------------------------------------------------------------------------- */

/* Objects of one partition that are committed together, one behind the other, each with its bytes behind it. */
struct archive_group {
    struct archive_place place;
    struct pen_position first, end;
    size_t n, size; /* objects; bytes of all that follows */
};
struct archive_object {
    char path[ARCHIVE_PATH];
    size_t size; /* of the bytes that follow, already compressed */
};

/* What the Parquet files of a lane share. */
pen_status archive_shared_new(const struct archive *a, struct pen_parquet_shared **out, struct pen_error *err);
/* An object that is being written (archive_object.c). */
struct open_object {
    char *folder;
    size_t folder_n;
    struct pen_position first;
    struct pen_text bytes;              /* lines; or of a Parquet file what is finished */
    struct pen_parquet_writer *parquet; /* NULL: lines, or not begun */
    int64_t *rows;                      /* of the batch at hand, which go into it by open_object_flush() */
    size_t n_rows, cap_rows;
};
void open_object_free(struct open_object *o);
/* A message, or row `row` of the batch at hand. */
pen_status open_object_add(const struct archive *a, struct open_object *o, const char *value, size_t n, int64_t row, struct pen_error *err);
pen_status open_object_flush(const struct archive *a, struct open_object *o, struct pen_parquet_shared *shared, const struct ArrowArray *batch,
                             struct pen_error *err);
/* Bytes of memory held; size of what it has come to, before compression by the whole. */
size_t open_object_held(const struct open_object *o);
size_t open_object_size(const struct open_object *o);
/* Appends all of it to `done`, compressed. Only open_object_free() may follow. */
pen_status open_object_close(const struct archive *a, struct open_object *o, struct pen_text *done, struct pen_error *err);

/* The open objects of a partition, one for each folder. Starts as { 0 } but for `shared`. */
struct archive_open {
    struct pen_parquet_shared *shared; /* the lane's; NULL: lines */
    struct open_object **v;
    size_t n, cap, last; /* last: the one that was written to last */
    uint32_t *slots;     /* by the hash of their folder: index + 1 */
    size_t n_slots, bytes;
    int64_t records;
    struct pen_position first, end;
    int64_t since, when; /* pen_now() of the first message; when it happened, INT64_MIN: not known */
};
void archive_open_fini(struct archive_open *g);
/* A message at `at`, row `row` of the batch at hand, goes into the object of its folder. *full: that has reached the size at which it is to be closed. */
pen_status archive_open_add(const struct archive *a, struct archive_open *g, const char *folder, size_t folder_n, const struct pen_position *at,
                            const char *value, size_t n, int64_t row, bool *full, struct pen_error *err);
/* Before the batch goes. */
pen_status archive_open_flush(const struct archive *a, struct archive_open *g, const struct ArrowArray *batch, struct pen_error *err);
/* Appends them as a group to `done`, and leaves none open. *objects and *bytes grow by what was appended. */
pen_status archive_open_close(const struct archive *a, struct archive_open *g, const struct archive_place *p, struct pen_text *done, int64_t *objects,
                              int64_t *bytes, struct pen_error *err);

/* -- a lane (archive_write.c) ------------------------------------------------------------------------------------------------------------------------- */

pen_status archive_writer_open(void *ctx, unsigned lane, void **writer, struct pen_error *err);
void archive_writer_close(void *writer);
pen_status archive_write(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err);
void archive_forget(void *writer, uint64_t part);
size_t archive_held(void *writer);
pen_status archive_stage(void *writer, struct pen_staged *staged, struct pen_error *err);
void archive_abandon(void *writer);

/* -- the commit's thread ------------------------------------------------------------------------------------------------------------------------------- */

/* archive_shown.c */
pen_status archive_shown(void *ctx, const char *prefix,
                         pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                         struct pen_error *err);
/* archive_publish.c */
pen_status archive_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err);
/* archive_clean.c */
pen_status archive_maintain(void *ctx, struct pen_error *err);
pen_status archive_note_topic(struct archive *a, const char *topic, struct pen_error *err);
void archive_topics_fini(struct archive *a);

extern const struct pen_sink archive_sink;

#endif
