/* power.c - preloaded into penstock: notes what a disk holds for certain, so that power.py can take away the rest.
 *
 * Of the files and folders below POWER_ROOT the folder POWER_DISK gets, at each fsync and fdatasync, before the call returns:
 *   data/INODE   a file's bytes
 *   names/INODE  a folder's names, a line each: inode, d or f, the name
 *   keep/INODE   a link to each such file, so that no number comes twice and what was removed can still be had
 * Only this is on the disk; anything else may be, or not, or in part. POWER_AT = N ends the process, as SIGKILL does, before its Nth write, sync, rename,
 * link or removal there. POWER_LOG = FILE gets a line for each sync ("sync INODE PATH"), name given ("name INODE PATH") and removal ("gone PATH"), in
 * their order; the number of all such calls stands in the last line. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload.h"

static const char *root, *disk;
static size_t root_length;
static long at;
static int log_fd = -1;
static atomic_long calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one note at a time */

__attribute__((constructor)) static void begin(void)
{
    const char *n = getenv("POWER_AT"), *log = getenv("POWER_LOG");
    root = getenv("POWER_ROOT");
    disk = getenv("POWER_DISK");
    root_length = root ? strlen(root) : 0;
    at = n ? atol(n) : 0;
    if (log)
        log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
}

__attribute__((destructor)) static void end(void)
{
    if (log_fd >= 0)
        dprintf(log_fd, "calls %ld\n", atomic_load(&calls));
}

/* Whether a path, or what a descriptor has open, lies below the root; *path becomes its whole path. */
static bool below(const char *name, char path[PATH_MAX])
{
    if (!root || !disk)
        return false;
    if (name[0] == '/')
        snprintf(path, PATH_MAX, "%s", name);
    else if (!realpath(name, path))
        return false;
    return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

static bool opened_below(int fd, char path[PATH_MAX])
{
    char link[64];
    ssize_t n;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    return root && disk && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

static bool named_below(int dir, const char *name, char path[PATH_MAX])
{
    char folder[PATH_MAX];
    if (dir == AT_FDCWD || name[0] == '/')
        return below(name, path);
    if (!opened_below(dir, folder))
        return false;
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/* A call that changes something there: perhaps the last. */
static void count(void)
{
    if (atomic_fetch_add(&calls, 1) + 1 == at)
        raise(SIGKILL);
}

static void give_up(const char *what)
{
    fprintf(stderr, "power.c: %s: %s\n", what, strerror(errno));
    abort();
}

/* -- notes; lock held ----------------------------------------------------------------------------------------------------------------- */

static void disk_path(char path[PATH_MAX], const char *kind, unsigned long long inode)
{
    if (snprintf(path, PATH_MAX, "%s/%s/%llu", disk, kind, inode) >= PATH_MAX)
        give_up("POWER_DISK");
}

static void keep(const char *path, unsigned long long inode)
{
    static int (*next)(int, const char *, int, const char *, int);
    char to[PATH_MAX];
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "linkat");
    disk_path(to, "keep", inode);
    if (next(AT_FDCWD, path, AT_FDCWD, to, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST && errno != ENOENT)
        give_up(to);
}

/* Replaces a note at once, as the process may be killed here too. */
static void finish_note(FILE *f, const char *from, const char *to)
{
    static int (*next)(const char *, const char *);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "rename");
    if (fclose(f) != 0 || next(from, to) != 0)
        give_up(to);
}

static void note_data(int fd, const struct stat *st)
{
    char from[PATH_MAX], to[PATH_MAX], name[64], block[65536];
    int in;
    ssize_t n;
    FILE *f;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    disk_path(from, "new", (unsigned long long)st->st_ino);
    disk_path(to, "data", (unsigned long long)st->st_ino);
    if ((in = open(name, O_RDONLY | O_CLOEXEC)) < 0 || !(f = fopen(from, "we")))
        give_up(from);
    while ((n = read(in, block, sizeof block)) > 0)
        if (fwrite(block, 1, (size_t)n, f) != (size_t)n)
            give_up(from);
    close(in);
    finish_note(f, from, to);
    keep(name, (unsigned long long)st->st_ino);
}

static void note_names(const char *path, const struct stat *st)
{
    char from[PATH_MAX], to[PATH_MAX], name[PATH_MAX];
    DIR *d = opendir(path);
    FILE *f;
    disk_path(from, "new", (unsigned long long)st->st_ino);
    disk_path(to, "names", (unsigned long long)st->st_ino);
    if (!d || !(f = fopen(from, "we")))
        give_up(from);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat own;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || fstatat(dirfd(d), e->d_name, &own, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        fprintf(f, "%llu %c %s\n", (unsigned long long)own.st_ino, S_ISDIR(own.st_mode) ? 'd' : 'f', e->d_name);
        if (!S_ISDIR(own.st_mode) && snprintf(name, sizeof name, "%s/%s", path, e->d_name) < (int)sizeof name)
            keep(name, (unsigned long long)own.st_ino);
    }
    closedir(d);
    finish_note(f, from, to);
}

static void log_line(const char *what, const char *path)
{
    struct stat st = { 0 };
    if (log_fd < 0)
        return;
    if (what[0] != 'g' && stat(path, &st) < 0)
        st.st_ino = 0;
    dprintf(log_fd, "%s %llu %s\n", what, (unsigned long long)st.st_ino, path);
}

static int synced(int fd, int (*next)(int))
{
    char path[PATH_MAX];
    struct stat st;
    int got;
    if (!opened_below(fd, path) || fstat(fd, &st) < 0)
        return next(fd);
    count();
    got = next(fd);
    pthread_mutex_lock(&lock);
    if (S_ISDIR(st.st_mode))
        note_names(path, &st);
    else if (S_ISREG(st.st_mode))
        note_data(fd, &st);
    log_line("sync", path);
    pthread_mutex_unlock(&lock);
    return got;
}

static int named(int got, const char *path)
{
    if (got == 0) {
        pthread_mutex_lock(&lock);
        log_line("name", path);
        pthread_mutex_unlock(&lock);
    }
    return got;
}

/* -- the functions ------------------------------------------------------------------------------------------------------------------- */

int fsync(int fd)
{
    NEXT(int, fsync, int);
    return synced(fd, next);
}
int fdatasync(int fd)
{
    NEXT(int, fdatasync, int);
    return synced(fd, next);
}
int rename(const char *from, const char *to)
{
    char path[PATH_MAX];
    NEXT(int, rename, const char *, const char *);
    if (!below(to, path))
        return next(from, to);
    count();
    return named(next(from, to), path);
}
int renameat(int a, const char *from, int b, const char *to)
{
    char path[PATH_MAX];
    NEXT(int, renameat, int, const char *, int, const char *);
    if (!named_below(b, to, path))
        return next(a, from, b, to);
    count();
    return named(next(a, from, b, to), path);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    char path[PATH_MAX];
    NEXT(int, renameat2, int, const char *, int, const char *, unsigned);
    if (!named_below(b, to, path))
        return next(a, from, b, to, flags);
    count();
    return named(next(a, from, b, to, flags), path);
}
int link(const char *from, const char *to)
{
    char path[PATH_MAX];
    NEXT(int, link, const char *, const char *);
    if (!below(to, path))
        return next(from, to);
    count();
    return named(next(from, to), path);
}
int linkat(int a, const char *from, int b, const char *to, int flags)
{
    char path[PATH_MAX];
    NEXT(int, linkat, int, const char *, int, const char *, int);
    if (!named_below(b, to, path))
        return next(a, from, b, to, flags);
    count();
    return named(next(a, from, b, to, flags), path);
}
int unlink(const char *name)
{
    char path[PATH_MAX];
    NEXT(int, unlink, const char *);
    if (below(name, path)) {
        count();
        log_line("gone", path);
    }
    return next(name);
}
int unlinkat(int dir, const char *name, int flags)
{
    char path[PATH_MAX];
    NEXT(int, unlinkat, int, const char *, int);
    if (named_below(dir, name, path)) {
        count();
        log_line("gone", path);
    }
    return next(dir, name, flags);
}

static void written(int fd)
{
    char path[PATH_MAX];
    if (root && opened_below(fd, path))
        count();
}
ssize_t write(int fd, const void *buf, size_t n)
{
    NEXT(ssize_t, write, int, const void *, size_t);
    written(fd);
    return next(fd, buf, n);
}
ssize_t pwrite(int fd, const void *buf, size_t n, off_t to)
{
    NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
    written(fd);
    return next(fd, buf, n, to);
}
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t to)
{
    NEXT(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    written(fd);
    return next(fd, buf, n, to);
}
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t to)
{
    NEXT(ssize_t, pwritev, int, const struct iovec *, int, off_t);
    written(fd);
    return next(fd, v, n, to);
}
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t to)
{
    NEXT(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);
    written(fd);
    return next(fd, v, n, to);
}
int ftruncate(int fd, off_t n)
{
    NEXT(int, ftruncate, int, off_t);
    written(fd);
    return next(fd, n);
}
int ftruncate64(int fd, off64_t n)
{
    NEXT(int, ftruncate64, int, off64_t);
    written(fd);
    return next(fd, n);
}
