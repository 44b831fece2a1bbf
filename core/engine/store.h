/* store.h - how the engine makes stores known to pen_store_…(), and the store of local folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_STORE_H
#define PENSTOCK_ENGINE_STORE_H

#include <penstock/store.h>

/* The stores of a run by scheme, what struct pen_run_context points to: filled before stages start, only read from then on. The stores
 * and their ctx must outlive it. */
struct pen_stores;
struct pen_stores *pen_stores_new(void); /* NULL: out of memory */
void pen_stores_free(struct pen_stores **s);
/* URLs of store->scheme go to `store` with this ctx. PEN_FATAL when the scheme is taken. */
pen_status pen_stores_add(struct pen_stores *s, const struct pen_store *store, void *ctx, struct pen_error *err);
/* Length of the scheme of "scheme://...", 0 for a plain path. */
size_t pen_url_scheme(const char *url);

/* Paths of this machine: "file://" and whatever has no scheme; its ctx is NULL. */
extern const struct pen_store pen_store_dir;
/* Removes temporary files below a local folder that a killed writer left: older than an hour by the file system's own clock, not
 * staged, and locked by no living process. Problems are passed over: the files stay. */
void pen_store_dir_reclaim(const char *path);

/* Temporary files of the local store: TEMP_PREFIX, a number and a suffix that tells those still being written from staged ones. */
#define PEN_DIR_TEMP_PREFIX ".pen-"
#define PEN_DIR_TEMP_OPEN ".tmp"
#define PEN_DIR_TEMP_STAGED ".staged"
bool pen_dir_is_temp(const char *name);
pen_status pen_dir_list(void *ctx, const char *path, const char *after, bool recursive,
                        pen_status (*each)(void *arg, const struct pen_object *o, struct pen_error *err), void *arg,
                        struct pen_error *err);
/* What a path's stat says, as an object without its name. */
struct stat;
void pen_dir_describe(struct pen_object *o, const struct stat *st);
/* The folders on the way to the file `path` are on the disk when this returns PEN_OK; most often it has nothing to do. Any thread. */
pen_status pen_dir_settle_folders(const char *path, struct pen_error *err);
/* The verdict and the message for errno `e` at `path`. */
pen_status pen_dir_fail(struct pen_error *err, int e, const char *what, const char *path);

#endif
