/* file.h - what the parts of the file plugin share.
 *
 * Source: listing.c finds files, objects.c those in a store; catalog.c keeps them and their ranges, known.c tells which of them a file is; source.c answers
 * the engine's control thread. reader.c reads for a lane, lines.c makes records of the bytes that come through stream.c (plain, gzip, zstd), csv.c turns rows
 * into JSON objects, replay.c gives records their pace.
 * Sink: sink.c for the lanes, publish.c for what becomes visible.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_FILE_H
#define PENSTOCK_FILE_H

#include <pthread.h>
#include <sys/types.h>

#include <penstock/pace.h>
#include <penstock/plugin.h>

#include "replay.h"

typedef enum { FILE_AUTO, FILE_JSONL, FILE_CSV } file_format;
typedef enum { FILE_PLAIN, FILE_GZIP, FILE_ZSTD } file_codec;

/* By a path's extensions: `.csv`, `.csv.gz`, … is CSV, all else JSON lines; `.gz`, `.zst` are compressed. known: whether the
 * extension is one that a folder is searched for. */
void file_kind(const char *path, file_format *format, file_codec *codec, bool *known);

/* -- listing ---------------------------------------------------------------------------------------------------------------- */

struct listed {
    const char *path;
    uint64_t dev, ino, size;
};
struct listing {
    struct listed *v;
    size_t n, room;
    struct arena *names;
};
/* Every file that the paths lead to (files, globs, folders and what lies below them), each once, sorted within one path. Folders give
 * what has a known extension (any: all of it), and nothing whose name begins with '.' or '_'. PEN_FATAL for what cannot be read, and, unless
 * `patient`, for a path that is not there. */
pen_status listing_make(struct listing *out, const struct pen_host *host, const struct pen_strings *paths, bool any, bool patient,
                        struct pen_error *err);
pen_status listing_add(struct listing *l, const char *path, uint64_t dev, uint64_t ino, uint64_t size, struct pen_error *err);
void listing_fini(struct listing *l);

/* An object of a store stands under this device; its inode is made of URL and tag. */
#define FILE_OBJECT UINT64_MAX
bool object_is_url(const char *path);
uint64_t object_ino(const char *url, const char *tag);
/* What a URL leads to: one object, those that a pattern takes in, or what lies below it. PEN_RETRY where the store is out of reach. */
pen_status objects_list(struct listing *l, const struct pen_host *host, const char *url, bool any, bool patient, struct pen_error *err);

/* Strings that never move and are freed all at once. */
struct arena;
const char *arena_string(struct arena **a, const char *text, size_t n); /* NULL: out of memory */
void arena_free(struct arena **a);

/* -- catalog ---------------------------------------------------------------------------------------------------------------- */

#define FILE_NONE UINT32_MAX
#define FILE_HEAD 4096 /* bytes by which a file is known again */
#define FILE_START 64  /* and by which one that was cut off is told from one that was written anew */

/* Who a file is: its first bytes, and where it lay when it was first seen. */
struct identity {
    uint64_t dev, ino, head_hash;
    uint64_t start_hash;    /* of the first FILE_START bytes; 0 where there were less */
    uint32_t head_size;
};
struct known_file {
    struct identity id;     /* as in its incarnation, for ever */
    const char *name;       /* the path in the partition's name, for ever */
    const char *path;       /* where it lies now */
    uint64_t dev, ino;      /* now */
    uint64_t size;          /* when last listed, bytes */
    uint32_t first, last;   /* its ranges in order, FILE_NONE */
    uint32_t seen;          /* the listing that it was last seen in */
    uint8_t format, codec;
    bool changed;           /* a reader has found other lines in it: not known by its inode any more */
    bool resolved;          /* seen by this process, its ranges are offered */
    bool gone;              /* neither its path nor its folder holds it any more */
};
/* A range of a file: the lines that begin in [begin, end), end being where the next range begins. Its index is the partition's id. */
struct known_range {
    uint64_t begin;
    uint64_t at, size;   /* position recalled or started: offset of the next byte; of a compressed file that was read whole, its size */
    uint32_t file, next;
    uint8_t words;       /* of that position: 2 of compressed files, 1 of others, 0: none yet */
};
struct table {
    uint32_t *v;
    size_t n, room;
};
struct catalog {
    struct known_file *files;
    struct known_range *ranges;
    uint32_t n_files, room_files, n_ranges, room_ranges;
    struct table by_inode, by_path;
    struct arena *names;
};

void catalog_fini(struct catalog *c);
/* Takes in a range that was read before, as its partition's name and incarnation tell. */
pen_status catalog_recall(struct catalog *c, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err);
/* Files that were last known by this device and inode, or at this path: several, for inodes and paths are used again. The highest one below
 * `below` (FILE_NONE: of all); FILE_NONE. */
uint32_t catalog_by_inode(const struct catalog *c, uint64_t dev, uint64_t ino, uint32_t below);
uint32_t catalog_by_path(const struct catalog *c, const char *path, uint32_t below);
/* A new file or range; FILE_NONE: out of memory. Ranges of a file are kept in order. */
uint32_t catalog_add_file(struct catalog *c, const char *path, const struct identity *id);
uint32_t catalog_add_range(struct catalog *c, uint32_t file, uint64_t begin);
/* Adds ranges, at multiples of step, between and behind those that are known. The file has a range. */
pen_status catalog_cut(struct catalog *c, uint32_t file, uint64_t step, struct pen_error *err);
/* Range i was read up to pos. */
void catalog_set(struct catalog *c, uint32_t i, const struct pen_position *pos);
/* The file lies at path (NULL: where it was) with this device and inode. False: out of memory. */
bool catalog_move(struct catalog *c, uint32_t file, const char *path, uint64_t dev, uint64_t ino);
/* Where range i ends: where the next one begins, or UINT64_MAX for the last of its file. */
uint64_t catalog_end(const struct catalog *c, uint32_t i);

/* Reads the head of an open file. *whole: whether it holds a whole line, or as much as is looked at. */
pen_status identity_of(struct identity *id, int fd, const char *path, bool *whole, struct pen_error *err);
/* Whether a file that does not hold id's bytes any more begins as it did: it was cut off. */
bool identity_begins(const struct identity *id, int fd, const char *path);
/* Whether the file begins with the bytes that id was made of. */
pen_status identity_holds(const struct identity *id, int fd, const char *path, bool *same, struct pen_error *err);

/* -- reading ---------------------------------------------------------------------------------------------------------------- */

/* Bytes of a file, decompressed. */
struct stream {
    int fd; /* -1: closed, or an object */
    const struct pen_host *object; /* for its store; NULL: a file */
    char *ahead;                   /* of an object: bytes from ahead_at on */
    uint64_t ahead_at;
    size_t n_ahead;
    file_codec codec;
    uint64_t at; /* offset of the next byte, of the decompressed bytes */
    const char *path;
    struct inflater *inflater;
};
/* Takes the descriptor over, also on failure; with `object` (the source's host) the path is a URL, and there is none. Decompressed bytes before `at` are
 * thrown away. */
pen_status stream_open(struct stream *s, int fd, const struct pen_host *object, file_codec codec, const char *path, uint64_t at, struct pen_error *err);
/* *got = 0 at the end of the file as it is now. PEN_RETRY where a store is out of reach: open it again then. */
pen_status stream_read(struct stream *s, void *out, size_t n, size_t *got, struct pen_error *err);
void stream_close(struct stream *s); /* and the descriptor */

enum { FILE_MISSING_FAIL, FILE_MISSING_SKIP };

/* The source's context: options first. */
struct file_source {
    struct pen_strings path;
    int format, start, missing;
    bool follow;
    int64_t poll, range_size;
    double rate;
    const char *delimiter;
    bool header;
    struct replay replay; /* column and speed are options */
    const struct pen_host *host;
    struct pen_pace *pace;

    pthread_mutex_t lock; /* of what follows: control and lanes use it */
    struct catalog catalog;

    struct pen_output output; /* control alone, from here on */
    struct listing listing;
    size_t resolved;          /* files of the listing that were looked at */
    uint32_t listings;        /* so far */
    bool listing_open, second_pass; /* first files known by inode, then the others */
    bool no_more;
    int64_t list_at;          /* when to list again, pen_now */
    uint32_t *offers;         /* ranges to be offered, in order */
    size_t n_offers, room_offers, offered;
    char *event_name;
    size_t event_room;
    char event_incarnation[96];
};

/* Each file of a listing goes through two passes; those that are known, or new, get their ranges offered. With the lock held. */
/* First pass: files that lie where they lay, or that were renamed. */
pen_status source_known_by_inode(struct file_source *s, const struct listed *l, struct pen_error *err);
/* Between the passes: files that the listing does not hold. They may lie in the folder under another name; what is
 * gone stops the run, or is said, as `missing` has it. */
pen_status source_look_for_missing(struct file_source *s, struct pen_error *err);
/* Second pass: a known file that was copied over itself, or a new one. */
pen_status source_known_by_path(struct file_source *s, const struct listed *l, struct pen_error *err);
/* Looks through a folder for files that have left their paths: for all that this listing has not seen, or for `only` one, which is then
 * moved and no more. */
pen_status source_look_through(struct file_source *s, const char *folder, uint32_t only, struct pen_error *err);

/* What a reader has to know of a range. Strings live as long as the source. */
struct range_view {
    const char *path, *name;
    struct identity id;
    uint64_t dev, ino;
    uint64_t begin, end, size;
    file_format format;
    file_codec codec;
};
void source_view(struct file_source *s, uint32_t range, struct range_view *out);
/* Whether the object is there as it was listed; PEN_SKIP: not so. */
pen_status object_unchanged(const struct pen_host *host, const struct range_view *v, struct pen_error *err);
/* Looks for a file that has left its path in the path's folder; its new path, or NULL. Any thread, without the lock. */
const char *source_locate(struct file_source *s, uint32_t range);

/* The range's file holds other lines by now: the next listing finds another file. Any thread, without the lock. */
void source_changed(struct file_source *s, uint32_t range);

extern const struct pen_source file_source;
pen_status file_reader_open(void *ctx, unsigned lane, void **reader, struct pen_error *err);
void file_reader_close(void *reader);
pen_status file_reader_add(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err);
pen_status file_reader_remove(void *reader, uint32_t id, struct pen_error *err);
pen_status file_reader_bound(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err);
pen_status file_read(void *reader, struct pen_read *r, struct pen_error *err);
int64_t file_wake_at(void *reader);

#endif
