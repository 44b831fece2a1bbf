/* fail.c - preloaded into penstock: makes the Nth call of one kind fail, once or from then on.
 *
 * FAIL = KIND (malloc: malloc, calloc, realloc; read, write, sync, rename: read/pread, write/pwrite, fsync/fdatasync, rename/link, each of regular files
 * and folders alone), FAIL_AT = N (from 1; 0: none), FAIL_ON = 1 (all after it too), FAIL_ERRNO = a number. FAIL_COUNT = FILE gets the number of calls
 * when the program ends. A malloc of the C++ library's (libsnappy has no other way than to abort) never fails. Calls are counted from the program's first; several threads' share one count.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload.h"

enum kind { NOTHING, MALLOC, READ, WRITE, SYNC, RENAME };
static const char *const kind_names[] = { "", "malloc", "read", "write", "sync", "rename" };

static enum kind kind;
static long at;
static bool on;
static int error = EIO;
static const char *count_file;
static atomic_long calls;

extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size), *__libc_realloc(void *p, size_t n);

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("FAIL"), *n = getenv("FAIL_AT"), *e = getenv("FAIL_ERRNO"), *o = getenv("FAIL_ON");
    at = n ? atol(n) : 0;
    on = o && *o == '1';
    error = e ? atoi(e) : EIO;
    count_file = getenv("FAIL_COUNT");
    atomic_store(&calls, 0);
    for (size_t i = 1; name && i < sizeof kind_names / sizeof *kind_names; i++)
        if (strcmp(name, kind_names[i]) == 0)
            kind = (enum kind)i;
}

__attribute__((destructor)) static void end(void)
{
    char text[32];
    int fd = count_file ? open(count_file, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1, n;
    enum kind was = kind;
    kind = NOTHING;
    n = snprintf(text, sizeof text, "%ld\n", was ? atomic_load(&calls) : 0);
    if (fd >= 0 && write(fd, text, (size_t)n) == n)
        close(fd);
}

static bool fails(enum kind of)
{
    long call;
    if (kind != of)
        return false;
    call = atomic_fetch_add(&calls, 1) + 1;
    if (!at || (call != at && !(on && call > at)))
        return false;
    errno = of == MALLOC ? ENOMEM : error;
    return true;
}

/* Of a file or folder, not of a pipe, a terminal or an eventfd. */
static bool fails_at(enum kind of, int fd)
{
    struct stat st;
    return kind == of && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && fails(of);
}

static bool of_cplusplus(const void *caller)
{
    Dl_info info;
    return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "libstdc++");
}

void *malloc(size_t n)
{
    return fails(MALLOC) && !of_cplusplus(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    return fails(MALLOC) ? NULL : __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    return fails(MALLOC) ? NULL : __libc_realloc(p, n);
}

ssize_t read(int fd, void *buf, size_t n)
{
    NEXT(ssize_t, read, int, void *, size_t);
    return fails_at(READ, fd) ? -1 : next(fd, buf, n);
}
ssize_t pread(int fd, void *buf, size_t n, off_t from)
{
    NEXT(ssize_t, pread, int, void *, size_t, off_t);
    return fails_at(READ, fd) ? -1 : next(fd, buf, n, from);
}
ssize_t pread64(int fd, void *buf, size_t n, off64_t from)
{
    NEXT(ssize_t, pread64, int, void *, size_t, off64_t);
    return fails_at(READ, fd) ? -1 : next(fd, buf, n, from);
}
ssize_t write(int fd, const void *buf, size_t n)
{
    NEXT(ssize_t, write, int, const void *, size_t);
    return fails_at(WRITE, fd) ? -1 : next(fd, buf, n);
}
ssize_t pwrite(int fd, const void *buf, size_t n, off_t to)
{
    NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
    return fails_at(WRITE, fd) ? -1 : next(fd, buf, n, to);
}
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t to)
{
    NEXT(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return fails_at(WRITE, fd) ? -1 : next(fd, buf, n, to);
}
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t to)
{
    NEXT(ssize_t, pwritev, int, const struct iovec *, int, off_t);
    return fails_at(WRITE, fd) ? -1 : next(fd, v, n, to);
}
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t to)
{
    NEXT(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);
    return fails_at(WRITE, fd) ? -1 : next(fd, v, n, to);
}
int fsync(int fd)
{
    NEXT(int, fsync, int);
    return fails_at(SYNC, fd) ? -1 : next(fd);
}
int fdatasync(int fd)
{
    NEXT(int, fdatasync, int);
    return fails_at(SYNC, fd) ? -1 : next(fd);
}
int rename(const char *from, const char *to)
{
    NEXT(int, rename, const char *, const char *);
    return fails(RENAME) ? -1 : next(from, to);
}
int renameat(int a, const char *from, int b, const char *to)
{
    NEXT(int, renameat, int, const char *, int, const char *);
    return fails(RENAME) ? -1 : next(a, from, b, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    NEXT(int, renameat2, int, const char *, int, const char *, unsigned);
    return fails(RENAME) ? -1 : next(a, from, b, to, flags);
}
int link(const char *from, const char *to)
{
    NEXT(int, link, const char *, const char *);
    return fails(RENAME) ? -1 : next(from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags)
{
    NEXT(int, linkat, int, const char *, int, const char *, int);
    return fails(RENAME) ? -1 : next(a, from, b, to, flags);
}
