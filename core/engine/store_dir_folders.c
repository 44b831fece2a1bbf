/* store_dir_folders.c - folders on the way to a file are on the disk before the file counts as durable.
 *
 * Whoever makes a folder syncs the one above it. But a process that was killed between the two leaves a folder that is seen and not yet durable, and the next
 * process finds it there. So each process looks once at the way to each folder that it writes to, and syncs what was changed lately above it; what is
 * older than an hour the kernel has written long since. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/store.h"

enum { KNOWN = 4096, LATELY = 3600 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t known[KNOWN]; /* hashes of folders that are durable; a slot is simply taken over by another */

static uint64_t hash_of(const char *path, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)path[i]) * UINT64_C(0x100000001b3);
    return h ? h : 1;
}

static bool is_known(const char *path, size_t n)
{
    uint64_t h = hash_of(path, n);
    bool yes;
    pthread_mutex_lock(&lock);
    yes = known[h % KNOWN] == h;
    pthread_mutex_unlock(&lock);
    return yes;
}

static void set_known(const char *path, size_t n)
{
    uint64_t h = hash_of(path, n);
    pthread_mutex_lock(&lock);
    known[h % KNOWN] = h;
    pthread_mutex_unlock(&lock);
}

/* Syncs a folder that was changed lately. One that may not be opened is not ours, nor what lies above it. */
static pen_status sync_above(const char *folder, bool *further, struct pen_error *err)
{
    struct stat s;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pen_status st = PEN_OK;
    *further = fd >= 0;
    if (fd < 0)
        return PEN_OK;
    if (fstat(fd, &s) == 0 && time(NULL) - s.st_mtim.tv_sec < LATELY && fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        st = pen_dir_fail(err, errno, "sync the folder", folder);
    close(fd);
    return st;
}

/* Length of the folder in which path[0..n) lies, without a '/' behind it; 0: the working folder. "/" is one long. */
static size_t above(const char *path, size_t n)
{
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n;
}

pen_status pen_dir_settle_folders(const char *path, struct pen_error *err)
{
    size_t n = above(path, strlen(path));
    while (n > 1 && !is_known(path, n)) {
        char folder[4096];
        bool further;
        size_t up = above(path, n);
        if (up >= sizeof folder)
            return PEN_OK;
        snprintf(folder, sizeof folder, "%.*s", up ? (int)up : 1, up ? path : ".");
        if (sync_above(folder, &further, err) < 0)
            return PEN_FATAL;
        set_known(path, n);
        n = further ? up : 0;
    }
    return PEN_OK;
}
