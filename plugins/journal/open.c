/* open.c - making and opening a journal, and the registry of those that this process has open. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "log.h"

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct journal *registry;

static pen_status make_log(struct journal *j, const struct options *o, struct pen_error *err)
{
    struct jf_out body = { 0 };
    struct jf_snapshot s = { .version = JF_VERSION, .partitions = o->partitions ? (uint32_t)o->partitions : 1, .next_segment = 1 };
    char name[NAME_SIZE];
    uint64_t end;
    int fd = -1;
    pen_status st = PEN_OK;
    if (getrandom(s.id, sizeof s.id, 0) != (ssize_t)sizeof s.id)
        return pen_fail(err, PEN_FATAL, "journal %s: no random bytes for its id: %s", j->path, strerror(errno));
    jf_snapshot_put(&body, &s);
    journal_log_name(name, 0, 1);
    st = log_begin(j, &body, 1, name, &fd, &end, err);
    if (st == PEN_OK && jio_sync(j->dir) < 0)
        st = pen_fail(err, PEN_FATAL, "journal %s: cannot sync the folder: %s", j->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    jf_out_free(&body);
    return st;
}

/* Opens the newest log, and makes the first where there is none. */
static pen_status find_log(struct journal *j, const struct options *o, bool create, struct pen_error *err)
{
    pen_status st = log_open_newest(j, err);
    int lock;
    if (st != PEN_SKIP || !create)
        return st;
    st = journal_take_lock(j, &lock, err);
    if (st < 0)
        return st;
    if (st == PEN_OK) {
        st = log_open_newest(j, err);
        if (st == PEN_SKIP)
            st = make_log(j, o, err);
    }
    close(lock);
    return st < 0 ? st : log_open_newest(j, err);
}

static void journal_free(struct journal *j)
{
    if (j->log >= 0)
        close(j->log);
    if (j->dir >= 0)
        close(j->dir);
    if (j->readers >= 0)
        close(j->readers);
    state_clear(j);
    pthread_mutex_destroy(&j->lock);
    pthread_mutex_destroy(&j->publishing);
    pthread_cond_destroy(&j->room);
    free(j->path);
    free(j);
}

static pen_status open_folders(struct journal *j, bool create, struct pen_error *err)
{
    struct stat st;
    j->dir = open(j->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->dir < 0)
        return !create && errno == ENOENT ? PEN_SKIP
                                          : pen_fail(err, PEN_FATAL, "journal %s: cannot open it: %s", j->path, strerror(errno));
    if (create && jio_mkdir(j->dir, "readers") < 0 && errno != EEXIST)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot make readers: %s", j->path, strerror(errno));
    j->readers = openat(j->dir, "readers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->readers < 0)
        return !create && errno == ENOENT
                   ? PEN_SKIP
                   : pen_fail(err, PEN_FATAL, "journal %s: cannot open readers: %s", j->path, strerror(errno));
    if (fstat(j->dir, &st) < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot look at it: %s", j->path, strerror(errno));
    j->dev = st.st_dev;
    j->ino = st.st_ino;
    return PEN_OK;
}

static struct journal *journal_alloc(const char *path)
{
    pthread_condattr_t attr;
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->dir = j->readers = j->log = j->lock_fd = -1;
    j->refs = 1;
    j->next_segment = 1;
    pthread_mutex_init(&j->lock, NULL);
    pthread_mutex_init(&j->publishing, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->room, &attr);
    pthread_condattr_destroy(&attr);
    j->path = strdup(path);
    if (!j->path) {
        journal_free(j);
        return NULL;
    }
    return j;
}

static struct journal *find_open(const struct journal *same)
{
    for (struct journal *j = registry; j; j = j->next)
        if (j->dev == same->dev && j->ino == same->ino)
            return j;
    return NULL;
}

static pen_status load(struct journal *j, const struct options *o, const struct pen_host *host, bool create, struct pen_error *err)
{
    uint64_t torn = 0;
    pen_status st = find_log(j, o, create, err);
    if (st != PEN_OK)
        return st;
    st = log_follow(j, o->fsync, &torn, err);
    if (st == PEN_OK)
        st = journal_mend_if_idle(j, host, o->fsync, &torn, err);
    if (st == PEN_OK)
        st = log_check_tail(j, torn, err);
    for (unsigned i = 0; i < JF_ID_SIZE; i++)
        snprintf(j->id_text + (size_t)2 * i, 3, "%02x", j->id[i]);
    return st;
}

pen_status journal_open(struct journal **out, const struct options *o, const struct pen_host *host, bool create, struct pen_error *err)
{
    struct journal *j, *known;
    pen_status st;
    *out = NULL;
    if (create && journal_make_folders(o, err) < 0)
        return PEN_FATAL;
    j = journal_alloc(o->path);
    if (!j)
        return pen_fail(err, PEN_FATAL, "out of memory");
    pthread_mutex_lock(&registry_lock);
    st = open_folders(j, create, err);
    known = st == PEN_OK ? find_open(j) : NULL;
    if (known) {
        journal_free(j);
        j = known;
        j->refs++;
    } else if (st == PEN_OK && (st = load(j, o, host, create, err)) == PEN_OK) {
        j->next = registry;
        registry = j;
    }
    pthread_mutex_unlock(&registry_lock);
    if (st == PEN_OK && o->partitions && (uint32_t)o->partitions != j->partitions) {
        st = pen_fail(err, PEN_BADCONF, "journal %s: partitions = %" PRId64 ", but it was made with %u", o->path, o->partitions,
                      j->partitions);
        journal_close(&j);
    } else if (st != PEN_OK) {
        journal_free(j);
    } else {
        *out = j;
    }
    return st;
}

void journal_close(struct journal **pj)
{
    struct journal *j = *pj, **at;
    *pj = NULL;
    if (!j)
        return;
    pthread_mutex_lock(&registry_lock);
    if (--j->refs > 0) {
        pthread_mutex_unlock(&registry_lock);
        return;
    }
    for (at = &registry; *at != j; at = &(*at)->next)
        ;
    *at = j->next;
    pthread_mutex_unlock(&registry_lock);
    journal_free(j);
}

/* -- what the ends ask -------------------------------------------------------------------------------------------------------------- */

uint64_t journal_records(const struct journal *j)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < j->partitions; i++)
        sum += j->end[i];
    return sum;
}
void journal_wake(struct journal *j)
{
    uint64_t one = 1;
    for (struct waiter *w = j->waiters; w; w = w->next)
        (void)!write(w->fd, &one, sizeof one);
}
void journal_watch(struct journal *j, struct waiter *w)
{
    pthread_mutex_lock(&j->lock);
    w->next = j->waiters;
    j->waiters = w;
    pthread_mutex_unlock(&j->lock);
}
void journal_unwatch(struct journal *j, struct waiter *w)
{
    struct waiter **at;
    pthread_mutex_lock(&j->lock);
    for (at = &j->waiters; *at && *at != w; at = &(*at)->next)
        ;
    if (*at)
        *at = w->next;
    pthread_mutex_unlock(&j->lock);
}
void journal_bounds(struct journal *j, uint32_t partition, uint64_t *oldest, uint64_t *end)
{
    pthread_mutex_lock(&j->lock);
    *oldest = j->oldest[partition];
    *end = j->end[partition];
    pthread_mutex_unlock(&j->lock);
}
