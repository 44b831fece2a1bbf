/* io.c - see io.h. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

int jio_create(int dir, const char *name, int flags)
{
    return openat(dir, name, O_CREAT | O_RDWR | O_CLOEXEC | flags, 0666);
}

int jio_write(int fd, const struct iovec *iov, int n, uint64_t at)
{
    struct iovec v[8];
    int first = 0;
    if (n > 8) {
        errno = EINVAL;
        return -1;
    }
    memcpy(v, iov, (size_t)n * sizeof *v);
    while (first < n) {
        ssize_t done = pwritev(fd, v + first, n - first, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        at += (uint64_t)done;
        while (first < n && (size_t)done >= v[first].iov_len)
            done -= (ssize_t)v[first++].iov_len;
        if (first < n) {
            v[first].iov_base = (char *)v[first].iov_base + done;
            v[first].iov_len -= (size_t)done;
        }
    }
    return 0;
}

int jio_truncate(int fd, uint64_t size)
{
    int r;
    do
        r = ftruncate(fd, (off_t)size);
    while (r < 0 && errno == EINTR);
    return r;
}

int jio_sync(int fd)
{
    int r;
    do
        r = fdatasync(fd);
    while (r < 0 && errno == EINTR);
    return r;
}

int jio_rename(int dir, const char *from, const char *to)
{
    return renameat(dir, from, dir, to);
}

int jio_link(int dir, const char *from, const char *to)
{
    return linkat(dir, from, dir, to, 0);
}

int jio_unlink(int dir, const char *name)
{
    return unlinkat(dir, name, 0);
}

int jio_mkdir(int dir, const char *name)
{
    return mkdirat(dir, name, 0777);
}

ssize_t jio_read(int fd, void *buf, size_t n, uint64_t at)
{
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(fd, (char *)buf + got, n - got, (off_t)(at + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        got += (size_t)r;
    }
    return (ssize_t)got;
}
