/* store_dir.c - the store of local folders.
 *
 * Nothing is seen half written: bytes go into a hidden temporary file in the folder of the final name, which gets its name by a rename
 * (put-if-absent: one that replaces nothing, or a hard link where the file system lacks that). Durable means: the file is fsynced, then
 * takes its name, then its folder is fsynced; PEN_PUT_NO_FSYNC leaves all three to the kernel.
 *
 * Temporary files of writers that were killed are removed by pen_store_dir_reclaim(), which pen_store_prove() calls: only those never
 * staged (".tmp"), older than an hour by the file system's own clock, and whose flock no process holds. Staged ones (".staged") belong to a
 * plan that somebody may yet publish, so they go only by discard().
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <penstock/plugin.h>

#include "engine/store.h"

struct dir_upload {
    int fd;
    unsigned flags;
    size_t folder; /* length of the folder's part of temp and final, '/' included; 0: the working folder */
    char *temp, *final;
};

pen_status pen_dir_fail(struct pen_error *err, int e, const char *what, const char *path)
{
    char text[128];
    bool later = e == EAGAIN || e == ETIMEDOUT || e == ESTALE || e == EBUSY;
    return pen_fail(err, later ? PEN_RETRY : PEN_FATAL, "%s: cannot %s: %s", path, what, strerror_r(e, text, sizeof text));
}

void pen_dir_describe(struct pen_object *o, const struct stat *st)
{
    o->size = (int64_t)st->st_size;
    o->modified = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
    snprintf(o->tag, sizeof o->tag, "%llx-%llx-%llx.%09lx", (unsigned long long)st->st_ino, (unsigned long long)st->st_size,
             (unsigned long long)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec);
}

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* -- folders -------------------------------------------------------------------------------------------------------------------- */

/* Waits until the names in the folder of `path` are on disk. */
static pen_status sync_folder(const char *path, struct pen_error *err)
{
    size_t n = folder_length(path);
    char *folder = n ? strndup(path, n) : strdup(".");
    pen_status st = pen_failpoint("store.sync-folder", err);
    if (!folder)
        st = pen_fail(err, PEN_FATAL, "%s: out of memory", path);
    int fd = st < 0 ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (st >= 0 && fd < 0)
        st = pen_dir_fail(err, errno, "open the folder", folder);
    else if (st >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != EROFS) /* EINVAL: this file system syncs no folders */
        st = pen_dir_fail(err, errno, "sync the folder", folder);
    if (fd >= 0)
        close(fd);
    free(folder);
    return st;
}

/* Makes the folders on the way to the file `path`, which is changed during the call only. */
static pen_status make_folders(char *path, unsigned flags, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (char *p = path + (path[0] == '/'); st >= 0 && (p = strchr(p, '/')); p++) {
        *p = '\0';
        if (mkdir(path, 0777) == 0) {
            if (!(flags & PEN_PUT_NO_FSYNC))
                st = sync_folder(path, err);
        } else if (errno != EEXIST && errno != EISDIR) { /* the rest, "is a file" too, is told by the open that follows */
            int e = errno;
            struct stat s;
            if (stat(path, &s) != 0)
                st = pen_dir_fail(err, e, "make the folder", path);
        }
        *p = '/';
    }
    return st;
}

/* -- writing -------------------------------------------------------------------------------------------------------------------- */

bool pen_dir_is_temp(const char *name)
{
    size_t n = strlen(name), p = sizeof PEN_DIR_TEMP_PREFIX - 1;
    const char *suffix = name + p + 16;
    return n > p + 16 && memcmp(name, PEN_DIR_TEMP_PREFIX, p) == 0 && strspn(name + p, "0123456789abcdef") == 16 &&
           (strcmp(suffix, PEN_DIR_TEMP_OPEN) == 0 || strcmp(suffix, PEN_DIR_TEMP_STAGED) == 0);
}

static void upload_free(struct dir_upload *u)
{
    if (u->fd >= 0)
        close(u->fd);
    free(u->temp);
    free(u->final);
    free(u);
}

static void dir_upload_abandon(void *upload)
{
    struct dir_upload *u = upload;
    unlink(u->temp);
    upload_free(u);
}

/* A new temporary file beside u->final; its lock says that its writer lives. */
static pen_status open_temp(struct dir_upload *u, struct pen_error *err)
{
    bool made = false;
    for (;;) {
        uint64_t unique;
        if (getrandom(&unique, sizeof unique, 0) != (ssize_t)sizeof unique)
            return pen_dir_fail(err, errno, "draw a name for a temporary file", u->final);
        sprintf(u->temp + u->folder, PEN_DIR_TEMP_PREFIX "%016llx" PEN_DIR_TEMP_OPEN, (unsigned long long)unique);
        u->fd = open(u->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (u->fd >= 0) {
            (void)flock(u->fd, LOCK_EX | LOCK_NB);
            return PEN_OK;
        }
        if (errno == ENOENT && !made) {
            pen_status st = make_folders(u->final, u->flags, err);
            if (st < 0)
                return st;
            made = true;
        } else if (errno != EEXIST && errno != EINTR) {
            return pen_dir_fail(err, errno, "create a file", u->final);
        }
    }
}

static pen_status dir_upload_open(void *ctx, const char *path, unsigned flags, const struct pen_pairs *metadata, void **upload,
                                  struct pen_error *err)
{
    struct dir_upload *u = calloc(1, sizeof *u);
    pen_status st = pen_failpoint("store.open", err);
    (void)ctx, (void)metadata; /* a file keeps none */
    if (!u)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", path);
    u->fd = -1;
    u->flags = flags;
    u->folder = folder_length(path);
    u->final = strdup(path);
    u->temp = malloc(u->folder + sizeof PEN_DIR_TEMP_PREFIX PEN_DIR_TEMP_STAGED + 16);
    if (!u->final || !u->temp)
        st = pen_fail(err, PEN_FATAL, "%s: out of memory", path);
    else
        memcpy(u->temp, path, u->folder);
    if (st >= 0)
        st = open_temp(u, err);
    if (st < 0)
        upload_free(u);
    else
        *upload = u;
    return st;
}

static pen_status dir_upload_write(void *upload, const void *bytes, size_t n, struct pen_error *err)
{
    struct dir_upload *u = upload;
    pen_status st = pen_failpoint("store.write", err);
    for (const char *p = bytes; st >= 0 && n;) {
        ssize_t done = write(u->fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return pen_dir_fail(err, done < 0 ? errno : EIO, "write", u->final);
        p += done;
        n -= (size_t)done;
    }
    return st;
}

/* The content is complete: on disk unless the caller does not care. */
static pen_status finish_content(struct dir_upload *u, struct pen_error *err)
{
    pen_status st = pen_failpoint("store.sync-file", err);
    if (st >= 0 && !(u->flags & PEN_PUT_NO_FSYNC) && fsync(u->fd) != 0)
        st = pen_dir_fail(err, errno, "write to disk", u->final);
    return st;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return lstat(a, &x) == 0 && lstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Gives the temporary file its name; 0 or the errno. */
static int place(const char *temp, const char *final, unsigned flags)
{
    if (!(flags & PEN_PUT_IF_ABSENT))
        return rename(temp, final) == 0 ? 0 : errno;
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, final, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EEXIST)
        return errno;
    /* No such rename here. A link that is there already is ours when a kill or a lost answer kept us from removing the other name. */
    if (link(temp, final) != 0 && !(errno == EEXIST && same_file(temp, final)))
        return errno;
    unlink(temp);
    return 0;
}

/* Places temp under its name and tells what became of it; on anything but DONE temp may still be there. */
static pen_status publish_file(const char *temp, const char *final, unsigned flags, pen_put_outcome *outcome, struct pen_error *err)
{
    struct pen_error late = { 0 };
    pen_status st = pen_failpoint("store.before-publish", err);
    if (st >= 0 && !(flags & PEN_PUT_NO_FSYNC))
        st = pen_dir_settle_folders(final, err);
    if (st < 0)
        return st;
    int e = place(temp, final, flags);
    if (e == EEXIST && (flags & PEN_PUT_IF_ABSENT)) { /* whoever goes by what is there may do so: its writer may have been killed before it could sync */
        *outcome = !(flags & PEN_PUT_NO_FSYNC) && sync_folder(final, &late) < 0 ? PEN_PUT_UNKNOWN : PEN_PUT_EXISTS;
        return PEN_OK;
    }
    if (e) {
        if (access(temp, F_OK) == 0)
            return pen_dir_fail(err, e, "name the file", final);
        *outcome = PEN_PUT_UNKNOWN; /* a file system of the network that lost the answer */
        return PEN_OK;
    }
    *outcome = PEN_PUT_DONE;
    if (pen_failpoint("store.after-publish", &late) < 0 || (!(flags & PEN_PUT_NO_FSYNC) && sync_folder(final, &late) < 0))
        *outcome = PEN_PUT_UNKNOWN; /* to be seen, and perhaps not for ever */
    return PEN_OK;
}

static pen_status dir_upload_close(void *upload, pen_put_outcome *outcome, struct pen_error *err)
{
    struct dir_upload *u = upload;
    pen_status st = finish_content(u, err);
    if (st >= 0)
        st = publish_file(u->temp, u->final, u->flags, outcome, err);
    if (st < 0 || *outcome == PEN_PUT_EXISTS)
        unlink(u->temp);
    upload_free(u);
    return st;
}

static pen_status dir_put(void *ctx, const char *path, const void *bytes, size_t n, unsigned flags, const struct pen_pairs *metadata,
                          pen_put_outcome *outcome, struct pen_error *err)
{
    void *u;
    pen_status st = dir_upload_open(ctx, path, flags, metadata, &u, err);
    if (st < 0)
        return st;
    st = dir_upload_write(u, bytes, n, err);
    if (st < 0) {
        dir_upload_abandon(u);
        return st;
    }
    return dir_upload_close(u, outcome, err);
}

/* A token is the flags, the temporary file's own name and the final path, with ':' between. */
static pen_status dir_upload_stage(void *upload, char *token, size_t size, struct pen_error *err)
{
    struct dir_upload *u = upload;
    char staged[64];
    size_t name = strlen(u->temp + u->folder) - (sizeof PEN_DIR_TEMP_OPEN - 1);
    int n = snprintf(token, size, "%u:%.*s" PEN_DIR_TEMP_STAGED ":%s", u->flags, (int)name, u->temp + u->folder, u->final);
    pen_status st = finish_content(u, err);
    if (st >= 0 && !(u->flags & PEN_PUT_NO_FSYNC))
        st = pen_dir_settle_folders(u->final, err);
    if (st >= 0)
        st = pen_failpoint("store.stage", err);
    if (st >= 0 && (n < 0 || (size_t)n >= size))
        st = pen_fail(err, PEN_FATAL, "%s: the path is too long to be staged", u->final);
    if (st >= 0) {
        char *old = strdup(u->temp);
        snprintf(staged, sizeof staged, "%.*s" PEN_DIR_TEMP_STAGED, (int)name, u->temp + u->folder);
        strcpy(u->temp + u->folder, staged);
        if (!old)
            st = pen_fail(err, PEN_FATAL, "%s: out of memory", u->final);
        else if (rename(old, u->temp) != 0) {
            st = pen_dir_fail(err, errno, "stage", u->final);
            unlink(old);
        } else if (!(u->flags & PEN_PUT_NO_FSYNC))
            st = sync_folder(u->temp, err);
        free(old);
    }
    if (st < 0)
        unlink(u->temp);
    upload_free(u);
    return st;
}

/* Takes a token apart: *temp is the path of the temporary file, malloc'ed; *final points into the token. */
static pen_status parse_token(const char *token, unsigned *flags, char **temp, const char **final, struct pen_error *err)
{
    char name[64], *end;
    *flags = (unsigned)strtoul(token, &end, 10);
    size_t n = *end == ':' ? strcspn(end + 1, ":") : 0;
    if (n && n < sizeof name && end[1 + n] == ':') {
        snprintf(name, sizeof name, "%.*s", (int)n, end + 1);
        *final = end + 1 + n + 1;
        if (pen_dir_is_temp(name) && **final) {
            *temp = NULL;
            if (asprintf(temp, "%.*s%s", (int)folder_length(*final), *final, name) < 0 || !*temp)
                return pen_fail(err, PEN_FATAL, "%s: out of memory", *final);
            return PEN_OK;
        }
    }
    return pen_fail(err, PEN_FATAL, "\"%s\" names no staged file", token);
}

static pen_status dir_publish(void *ctx, const char *token, pen_put_outcome *outcome, struct pen_error *err)
{
    unsigned flags;
    char *temp;
    const char *final;
    pen_status st = parse_token(token, &flags, &temp, &final, err);
    (void)ctx;
    if (st < 0)
        return st;
    if (access(temp, F_OK) == 0)
        st = publish_file(temp, final, flags, outcome, err);
    else if (access(final, F_OK) != 0)
        st = pen_fail(err, PEN_FATAL, "%s: its staged content %s is gone", final, temp + folder_length(temp));
    else { /* done before, perhaps by a process that died before it could sync */
        st = flags & PEN_PUT_NO_FSYNC ? PEN_OK : sync_folder(final, err);
        *outcome = PEN_PUT_DONE;
    }
    free(temp);
    return st;
}

static pen_status dir_discard(void *ctx, const char *token, struct pen_error *err)
{
    unsigned flags;
    char *temp;
    const char *final;
    pen_status st = parse_token(token, &flags, &temp, &final, err);
    (void)ctx;
    if (st < 0)
        return st;
    if (unlink(temp) != 0 && errno != ENOENT)
        st = pen_dir_fail(err, errno, "remove", temp);
    free(temp);
    return st;
}

/* -- reading -------------------------------------------------------------------------------------------------------------------- */

static pen_status dir_head(void *ctx, const char *path, struct pen_object *out, struct pen_error *err)
{
    struct stat st;
    (void)ctx;
    if (stat(path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR ? PEN_SKIP : pen_dir_fail(err, errno, "look at the file", path);
    if (!S_ISREG(st.st_mode))
        return PEN_SKIP;
    snprintf(out->name, sizeof out->name, "%s", path + folder_length(path));
    pen_dir_describe(out, &st);
    return PEN_OK;
}

static pen_status dir_read(void *ctx, const char *path, int64_t offset, void *buffer, size_t want, size_t *got, struct pen_error *err)
{
    pen_status st = pen_failpoint("store.read", err);
    int fd = st < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    (void)ctx;
    if (st < 0)
        return st;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? PEN_SKIP : pen_dir_fail(err, errno, "open", path);
    while (*got < want) {
        ssize_t n = pread(fd, (char *)buffer + *got, want - *got, (off_t)offset + (off_t)*got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = pen_dir_fail(err, errno, "read", path);
        if (n <= 0)
            break;
        *got += (size_t)n;
    }
    close(fd);
    return st;
}

static pen_status dir_remove(void *ctx, const char *path, struct pen_error *err)
{
    (void)ctx;
    if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        return pen_dir_fail(err, errno, "remove", path);
    return PEN_OK;
}

/* The time that a file written now would get, from the folder itself or the nearest one above that exists. */
static pen_status dir_now(void *ctx, const char *path, int64_t *microseconds, struct pen_error *err)
{
    char at[4096];
    void *u;
    struct stat st, folder;
    int n = snprintf(at, sizeof at, "%s", path);
    if (n < 0 || (size_t)n >= sizeof at)
        return pen_fail(err, PEN_FATAL, "%s: the path is too long", path);
    while (stat(at, &folder) != 0) {
        size_t up = folder_length(at);
        if (errno != ENOENT)
            return pen_dir_fail(err, errno, "look at", at);
        snprintf(at + (up > 1 ? up - 1 : up), sizeof at - up, "%s", up ? "" : ".");
    }
    strncat(at, "/.clock", sizeof at - strlen(at) - 1);
    pen_status status = dir_upload_open(ctx, at, PEN_PUT_NO_FSYNC, NULL, &u, err);
    if (status < 0)
        return status;
    if (fstat(((struct dir_upload *)u)->fd, &st) == 0)
        *microseconds = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
    else
        status = pen_dir_fail(err, errno, "look at a file", path);
    dir_upload_abandon(u);
    return status;
}

const struct pen_store pen_store_dir = {
    .scheme = "file",
    .head = dir_head,
    .read = dir_read,
    .put = dir_put,
    .list = pen_dir_list,
    .remove = dir_remove,
    .now = dir_now,
    .upload_open = dir_upload_open,
    .upload_write = dir_upload_write,
    .upload_stage = dir_upload_stage,
    .upload_close = dir_upload_close,
    .upload_abandon = dir_upload_abandon,
    .publish = dir_publish,
    .discard = dir_discard,
};
