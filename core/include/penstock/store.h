/* store.h - where bytes lie by URL: a directory of this machine, or what a store plugin's scheme leads to.
 *
 * A URL without "scheme://" is a local path. Every function may block and is safe among threads. Outcomes of conditional calls are
 * told apart because nobody below repeats them: done, exists (not done), unknown (it may have happened: look).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_STORE_H
#define PENSTOCK_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <penstock/error.h>
#include <penstock/option.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pen_host;

typedef enum {
    PEN_PUT_DONE,
    PEN_PUT_EXISTS,
    PEN_PUT_UNKNOWN,
    PEN_PUT_LOST /* of pen_store_publish(): what was staged is lost; pen_store_discard() sees to it that nothing comes under the name any more */
} pen_put_outcome;

#define PEN_PUT_IF_ABSENT 1u /* refuse (PEN_PUT_EXISTS) when the name is taken; without it an object is replaced whole */
#define PEN_PUT_NO_FSYNC 2u  /* do not wait for the disk: `fsync = no` */

struct pen_object {
    char name[1024];    /* relative to the listed folder, with '/' between levels */
    int64_t size;       /* bytes */
    int64_t modified;   /* microseconds since 1970, by the store's own clock */
    char tag[80];       /* changes when the content does: ETag, or inode, size and mtime of a file */
};

/* A large object being written: nothing of it can be seen until it is published. */
struct pen_upload;

/* What a store plugin gives; ctx is its instance, path what follows "scheme://". The functions below call these by scheme. */
struct pen_store {
    const char *scheme; /* of the URLs it serves, without "://" */
    pen_status (*head)(void *ctx, const char *path, struct pen_object *out, struct pen_error *err);
    pen_status (*read)(void *ctx, const char *path, int64_t offset, void *buffer, size_t want, size_t *got, struct pen_error *err);
    /* metadata (may be NULL): what is kept with the object, see pen_store_put_with(). */
    pen_status (*put)(void *ctx, const char *path, const void *bytes, size_t n, unsigned flags, const struct pen_pairs *metadata,
                      pen_put_outcome *outcome, struct pen_error *err);
    /* NULL function: this store keeps none. */
    pen_status (*metadata)(void *ctx, const char *path, const char *name, char *value, size_t size, struct pen_error *err);
    pen_status (*list)(void *ctx, const char *path, const char *after, bool recursive,
                       pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err), void *arg,
                       struct pen_error *err);
    pen_status (*remove)(void *ctx, const char *path, struct pen_error *err);
    pen_status (*now)(void *ctx, const char *path, int64_t *microseconds, struct pen_error *err);
    pen_status (*upload_open)(void *ctx, const char *path, unsigned flags, const struct pen_pairs *metadata, void **upload,
                              struct pen_error *err);
    pen_status (*upload_write)(void *upload, const void *bytes, size_t n, struct pen_error *err);
    pen_status (*upload_stage)(void *upload, char *token, size_t size, struct pen_error *err); /* and closes it */
    pen_status (*upload_close)(void *upload, pen_put_outcome *outcome, struct pen_error *err); /* NULL: staged, then published */
    void (*upload_abandon)(void *upload);                                                       /* and closes it */
    pen_status (*publish)(void *ctx, const char *token, pen_put_outcome *outcome, struct pen_error *err);
    pen_status (*discard)(void *ctx, const char *token, struct pen_error *err);
};

/* PEN_SKIP where there is no such object. */
pen_status pen_store_head(const struct pen_host *host, const char *url, struct pen_object *out, struct pen_error *err);
/* Reads up to want bytes at offset; *got < want only at the end. PEN_SKIP where there is no such object. */
pen_status pen_store_read(const struct pen_host *host, const char *url, int64_t offset, void *buffer, size_t want, size_t *got,
                          struct pen_error *err);
/* The whole of a small object (at most limit bytes, else PEN_FATAL); *bytes is malloc'ed, has a NUL behind, and is yours to free().
 * PEN_SKIP where there is no such object. */
pen_status pen_store_get(const struct pen_host *host, const char *url, size_t limit, char **bytes, size_t *n, struct pen_error *err);
/* A small object whole, durable when this returns PEN_PUT_DONE. PEN_OK with an outcome, or why it certainly did not happen. */
pen_status pen_store_put(const struct pen_host *host, const char *url, const void *bytes, size_t n, unsigned flags,
                         pen_put_outcome *outcome, struct pen_error *err);
/* The same, with short texts that are kept beside the object: names of lower-case letters, digits and '-', values of printable ASCII. The one named
 * `content-type` is the object's own. PEN_BADCONF where the store keeps none. */
pen_status pen_store_put_with(const struct pen_host *host, const char *url, const void *bytes, size_t n, unsigned flags,
                              const struct pen_pairs *metadata, pen_put_outcome *outcome, struct pen_error *err);
/* One of them, as text of less than size bytes. PEN_SKIP where there is no such object, or none of that name with it. */
pen_status pen_store_metadata(const struct pen_host *host, const char *url, const char *name, char *value, size_t size, struct pen_error *err);
/* Calls each object below a folder whose name comes after `after` (NULL: all) in byte order of the names, in that order. recursive
 * false leaves out what lies deeper. A folder that does not exist is empty. each answers PEN_SKIP to stop. Hidden temporary files of
 * this store are left out. */
pen_status pen_store_list(const struct pen_host *host, const char *url, const char *after, bool recursive,
                          pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err), void *arg,
                          struct pen_error *err);
/* Removing what is not there is fine. */
pen_status pen_store_remove(const struct pen_host *host, const char *url, struct pen_error *err);
/* The store's own time, for ages: compare only with `modified` of its objects. */
pen_status pen_store_now(const struct pen_host *host, const char *url, int64_t *microseconds, struct pen_error *err);
/* Whether the store answers for this URL, as far as a listing tells; for connect(). */
pen_status pen_store_reach(const struct pen_host *host, const char *url, struct pen_error *err);
/* What tells this stage's part of `state` from any other, as text: made once, and lost with the positions that lie beside it. */
#define PEN_STATE_ID 33 /* digits, and a NUL */
pen_status pen_state_id(const struct pen_host *host, char id[PEN_STATE_ID], struct pen_error *err);
/* For a sink that shows no positions: from now on the folder is this stage's with this `state` alone, as a marker in it says. PEN_FATAL where it is
 * another's, whose rows this `state` knows nothing of. flags: PEN_PUT_NO_FSYNC. */
pen_status pen_store_claim(const struct pen_host *host, const char *folder, unsigned flags, struct pen_error *err);
/* Proves on a probe name that put-if-absent refuses the second put. PEN_BADCONF naming the URL where it does not. */
pen_status pen_store_prove(const struct pen_host *host, const char *url, struct pen_error *err);

/* Large objects. Local folders on the way are made. */
pen_status pen_upload_open(const struct pen_host *host, struct pen_upload **out, const char *url, unsigned flags, struct pen_error *err);
pen_status pen_upload_open_with(const struct pen_host *host, struct pen_upload **out, const char *url, unsigned flags,
                                const struct pen_pairs *metadata, struct pen_error *err);
pen_status pen_upload_write(struct pen_upload *u, const void *bytes, size_t n, struct pen_error *err);
/* Durable and not visible; *token (malloc'ed text, yours to free) names it for pen_store_publish(), also after a restart. */
pen_status pen_upload_stage(struct pen_upload **u, char **token, struct pen_error *err);
/* Durable and visible under its name at once: for objects that nothing points to yet. */
pen_status pen_upload_close(struct pen_upload **u, pen_put_outcome *outcome, struct pen_error *err);
void pen_upload_abandon(struct pen_upload **u);
/* Makes a staged object visible under its name. Publishing one that is published already is PEN_PUT_DONE. */
pen_status pen_store_publish(const struct pen_host *host, const char *token, pen_put_outcome *outcome, struct pen_error *err);
/* Removes what was staged; in a store whose publish() may answer PEN_PUT_LOST also the object, where it has been published. */
pen_status pen_store_discard(const struct pen_host *host, const char *token, struct pen_error *err);

/* base and name joined by one '/', into buf; PEN_FATAL when it does not fit. Name is used as it is. */
pen_status pen_url_join(char *buf, size_t size, const char *base, const char *name, struct pen_error *err);
/* Percent-escapes of ASCII all but letters, digits, '_', '-', '.' (a leading '.' too), so that a value out of a record or a partition's name
 * can be one level of a path, as Hive names them: '/' is escaped, and '='; what is not ASCII stays. Returns buf; text too long for it ends in '~' and a hash of the rest, and
 * there is no '~' otherwise. */
const char *pen_path_escape(char *buf, size_t size, const char *text, size_t n);

#ifdef __cplusplus
}
#endif
#endif
