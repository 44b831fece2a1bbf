/* io.h - the few calls by which the journal touches its folder. Everything that it writes, syncs, renames or removes goes through here, so
 * that the power-loss test can stand behind these functions and forget what was not synced. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_JOURNAL_IO_H
#define PENSTOCK_JOURNAL_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* All answer -1 with errno set on failure. Writes are whole or fail; ENOSPC leaves a part of the bytes behind the file's known end. */
int jio_create(int dir, const char *name, int flags); /* O_CREAT | O_RDWR | O_CLOEXEC | flags */
int jio_write(int fd, const struct iovec *iov, int n, uint64_t at);
int jio_truncate(int fd, uint64_t size);
int jio_sync(int fd);                                 /* fdatasync; of a folder: its names */
int jio_rename(int dir, const char *from, const char *to);
int jio_link(int dir, const char *from, const char *to); /* EEXIST where `to` is there */
int jio_unlink(int dir, const char *name);
int jio_mkdir(int dir, const char *name);
/* Reads up to n bytes at `at`; fewer only at the end of the file. */
ssize_t jio_read(int fd, void *buf, size_t n, uint64_t at);

#endif
