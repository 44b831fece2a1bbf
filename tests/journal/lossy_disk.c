/* lossy_disk.c - see lossy_disk.h. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "io.h"
#include "lossy_disk.h"

#define SECTOR 512u

/* -- the disk ------------------------------------------------------------------------------------------------------------------------------ */

struct content { /* a file, with what is on the disk for certain */
    struct content *next;
    dev_t dev;
    ino_t ino;
    bool gone;      /* its last name has been removed; the number may be used again */
    uint8_t *bytes;
    size_t n;
};
struct entry {
    char name[128];
    struct content *content;
};
struct folder { /* names on the disk for certain */
    dev_t dev;
    ino_t ino;
    struct entry names[400];
    size_t n;
};
static struct content *contents;
static struct folder folders[2]; /* the journal's, and readers/ */
bool tracking, killed;
unsigned kill_at_sync;
uint64_t seed = 1;
unsigned losses;
struct loss loss[LOSSES];
struct loss now;
static char live_path[320];

uint64_t chance(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

static struct content *content_of(int fd)
{
    struct stat st;
    struct content *c;
    if (fstat(fd, &st) < 0)
        abort();
    for (c = contents; c; c = c->next)
        if (!c->gone && c->ino == st.st_ino && c->dev == st.st_dev)
            return c;
    c = calloc(1, sizeof *c);
    c->dev = st.st_dev;
    c->ino = st.st_ino;
    c->next = contents;
    contents = c;
    return c;
}

static uint8_t *read_all(int fd, size_t *n)
{
    struct stat st;
    uint8_t *p;
    if (fstat(fd, &st) < 0)
        abort();
    p = malloc((size_t)st.st_size + 1);
    *n = (size_t)pread(fd, p, (size_t)st.st_size, 0);
    return p;
}

static struct folder *folder_of(int dir)
{
    struct stat st;
    if (fstat(dir, &st) < 0)
        abort();
    for (int i = 0; i < 2; i++)
        if (folders[i].dev == st.st_dev && folders[i].ino == st.st_ino)
            return &folders[i];
    return NULL;
}

static void sync_names(int dir)
{
    struct folder *f = folder_of(dir);
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY);
    DIR *d = f ? fdopendir(copy) : NULL;
    struct dirent *e;
    if (!d) {
        close(copy);
        return;
    }
    f->n = 0;
    while ((e = readdir(d))) {
        int fd = e->d_type == DT_REG ? openat(dir, e->d_name, O_RDONLY) : -1;
        if (fd < 0)
            continue;
        snprintf(f->names[f->n].name, sizeof f->names[f->n].name, "%.127s", e->d_name);
        f->names[f->n++].content = content_of(fd);
        close(fd);
    }
    closedir(d);
}

/* -- losing power ---------------------------------------------------------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const uint8_t *bytes, size_t n)
{
    char path[640];
    int fd;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        abort();
    close(fd);
}

/* A file as the disk may hold it: synced bytes for certain, of the others whole sectors by chance. `live` may be NULL. */
static void lose_file(const char *folder, const char *name, const struct content *c, const uint8_t *live, size_t n_live)
{
    size_t low = live && n_live < c->n ? n_live : c->n, high = live && n_live > c->n ? n_live : c->n, n;
    uint64_t mode = chance(3);
    uint8_t *bytes;
    if (!live || mode == 0) {
        write_file(folder, name, c->bytes, c->n);
        return;
    }
    if (mode == 1) {
        write_file(folder, name, live, n_live);
        return;
    }
    n = low + chance(high - low + 1);
    bytes = calloc(1, n + 1);
    for (size_t at = 0; at < n; at += SECTOR) {
        bool take_new = chance(2);
        const uint8_t *from = take_new ? live : c->bytes;
        size_t have = take_new ? n_live : c->n, size = n - at < SECTOR ? n - at : SECTOR;
        if (at < have)
            memcpy(bytes + at, from + at, have - at < size ? have - at : size);
    }
    write_file(folder, name, bytes, n);
    free(bytes);
}

static void lose_folder(const struct folder *f, const char *from, const char *to)
{
    DIR *d = opendir(from);
    struct dirent *e;
    bool kept[400] = { false };
    mkdir(to, 0777);
    while (d && (e = readdir(d))) {
        int fd = e->d_type == DT_REG ? openat(dirfd(d), e->d_name, O_RDONLY) : -1;
        struct content *c;
        uint8_t *live;
        size_t n;
        bool synced = false;
        if (fd < 0)
            continue;
        c = content_of(fd);
        live = read_all(fd, &n);
        close(fd);
        for (size_t i = 0; i < f->n; i++)
            if (strcmp(f->names[i].name, e->d_name) == 0) {
                kept[i] = true;
                synced = f->names[i].content == c;
                if (!synced && chance(2)) { /* renamed over: still the old one */
                    lose_file(to, e->d_name, f->names[i].content, NULL, 0);
                    kept[i] = true;
                    goto next;
                }
                synced = true;
            }
        if (synced || chance(2))
            lose_file(to, e->d_name, c, live, n);
    next:
        free(live);
    }
    if (d)
        closedir(d);
    for (size_t i = 0; i < f->n; i++) /* removed, but perhaps not on the disk */
        if (!kept[i] && chance(2))
            lose_file(to, f->names[i].name, f->names[i].content, NULL, 0);
}

void lose_power(void)
{
    struct loss *l = &loss[losses];
    char from[400], to[400];
    if (!tracking || losses == LOSSES || chance(2))
        return;
    *l = now;
    snprintf(l->path, sizeof l->path, "%s", fresh_path());
    lose_folder(&folders[0], live_path, l->path);
    snprintf(from, sizeof from, "%s/readers", live_path);
    snprintf(to, sizeof to, "%s/readers", l->path);
    lose_folder(&folders[1], from, to);
    losses++;
}

/* A file's bytes reach the disk, because somebody asks for it or because the kernel finds the time. */
static void write_back(int fd)
{
    struct content *c = tracking ? content_of(fd) : NULL;
    if (!c)
        return;
    free(c->bytes);
    c->bytes = read_all(fd, &c->n);
}

/* -- io.h -------------------------------------------------------------------------------------------------------------------------------------- */

int jio_create(int dir, const char *name, int flags)
{
    return openat(dir, name, O_CREAT | O_RDWR | O_CLOEXEC | flags, 0666);
}
int jio_write(int fd, const struct iovec *iov, int n, uint64_t at)
{
    if (killed)
        return 0;
    for (int i = 0; i < n; i++) {
        if (pwrite(fd, iov[i].iov_base, iov[i].iov_len, (off_t)at) != (ssize_t)iov[i].iov_len)
            return -1;
        at += iov[i].iov_len;
    }
    if (chance(8) == 0)
        write_back(fd);
    lose_power();
    return 0;
}
int jio_truncate(int fd, uint64_t size)
{
    int r;
    if (killed)
        return 0;
    r = ftruncate(fd, (off_t)size);
    lose_power();
    return r;
}
int jio_sync(int fd)
{
    struct stat st;
    if (kill_at_sync && --kill_at_sync == 0)
        killed = true;
    if (!tracking || killed)
        return 0;
    lose_power();
    if (fstat(fd, &st) < 0)
        abort();
    if (S_ISDIR(st.st_mode)) {
        sync_names(fd);
    } else {
        write_back(fd);
    }
    lose_power();
    return 0;
}
int jio_rename(int dir, const char *from, const char *to)
{
    int r = renameat(dir, from, dir, to);
    lose_power();
    return r;
}
int jio_link(int dir, const char *from, const char *to)
{
    int r = linkat(dir, from, dir, to, 0);
    lose_power();
    return r;
}
int jio_unlink(int dir, const char *name)
{
    int r, fd = tracking ? openat(dir, name, O_RDONLY) : -1;
    struct stat st;
    struct content *c = fd >= 0 ? content_of(fd) : NULL;
    r = unlinkat(dir, name, 0);
    if (c && fstat(fd, &st) == 0 && st.st_nlink == 0)
        c->gone = true;
    if (fd >= 0)
        close(fd);
    lose_power();
    return r;
}
int jio_mkdir(int dir, const char *name)
{
    return mkdirat(dir, name, 0777);
}
ssize_t jio_read(int fd, void *buf, size_t n, uint64_t at)
{
    return pread(fd, buf, n, (off_t)at);
}

/* -- beginning ----------------------------------------------------------------------------------------------------------------------------- */

static void watch_folder(struct folder *f, const char *path)
{
    struct stat st;
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    if (dir < 0 || fstat(dir, &st) < 0)
        abort();
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    f->n = 0;
    sync_names(dir);
    close(dir);
}

void begin_tracking(const char *path)
{
    char readers[400];
    snprintf(live_path, sizeof live_path, "%s", path);
    snprintf(readers, sizeof readers, "%s/readers", path);
    while (contents) {
        struct content *c = contents;
        contents = c->next;
        free(c->bytes);
        free(c);
    }
    for (unsigned f = 0; f < 2; f++) {
        watch_folder(&folders[f], f ? readers : live_path);
        for (size_t i = 0; i < folders[f].n; i++) {
            char file[600];
            int fd;
            snprintf(file, sizeof file, "%s/%s", f ? readers : live_path, folders[f].names[i].name);
            fd = open(file, O_RDONLY);
            folders[f].names[i].content->bytes = read_all(fd, &folders[f].names[i].content->n);
            close(fd);
        }
    }
    tracking = true;
}
