/* acquire.c - the one process that writes: its lock, and what it clears away of those before it. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "log.h"

#define LOOK_PAUSE 10000000 /* nanoseconds between two looks at a lock that is held, */
#define LOOKS 20            /* how often at one that says whose it is, */
#define LOOKS_QUICK 500     /* and at one whose holder only makes or mends the journal */

/* Who says that he writes; nothing while the journal is made or mended. */
static void read_who(int lock, char who[200])
{
    ssize_t n = jio_read(lock, who, 199, 0);
    who[n > 0 ? n : 0] = '\0';
    who[strcspn(who, "\n")] = '\0';
}

static void look_pause(void)
{
    struct timespec pause = { 0, LOOK_PAUSE };
    nanosleep(&pause, NULL);
}

pen_status journal_take_lock(struct journal *j, int *out, struct pen_error *err)
{
    char who[200];
    int fd = jio_create(j->dir, "lock", 0);
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot open its lock: %s", j->path, strerror(errno));
    for (int attempt = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; attempt++) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            pen_fail(err, PEN_FATAL, "journal %s: cannot lock it: %s", j->path, strerror(errno));
            close(fd);
            return PEN_FATAL;
        }
        read_who(fd, who);
        if (attempt >= (who[0] ? LOOKS : LOOKS_QUICK)) {
            *out = fd;
            return PEN_SKIP;
        }
        look_pause();
    }
    *out = fd;
    return PEN_OK;
}

struct leftovers {
    struct journal *j;
    uint64_t bytes;
};
/* A segment file that no commit knows is what an unfinished plan left. */
static pen_status remove_unknown(void *arg, const char *name, struct pen_error *err)
{
    struct leftovers *l = arg;
    uint64_t number;
    struct stat st;
    int fd;
    if (!journal_parse_segment_name(name, &number) || state_segment(l->j, number))
        return PEN_OK;
    fd = openat(l->j->dir, name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > JF_FILE_HEADER)
        l->bytes += segment_leftovers(fd, number, JF_FILE_HEADER, (uint64_t)st.st_size);
    if (fd >= 0)
        close(fd);
    if (jio_unlink(l->j->dir, name) < 0 && errno != ENOENT)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot remove %s: %s", l->j->path, name, strerror(errno));
    return PEN_OK;
}

/* Cuts a known segment file behind its last committed block. What follows will begin right there: a seal is not looked for behind a hole. */
static pen_status cut_segment(struct leftovers *l, struct segment *s, struct pen_error *err)
{
    struct journal *j = l->j;
    char name[NAME_SIZE];
    uint64_t size = 0;
    pen_status st = PEN_OK;
    int fd;
    journal_segment_name(name, s->is.number);
    fd = openat(j->dir, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot open %s, which commits name: %s", j->path, name, strerror(errno));
    st = log_file_size(j, fd, name, &size, err);
    if (st == PEN_OK && size < s->is.committed)
        st = pen_fail(err, PEN_FATAL, "journal %s: %s has %" PRIu64 " bytes, but %" PRIu64 " are committed", j->path, name, size,
                      s->is.committed);
    if (st == PEN_OK && size > s->is.committed) {
        l->bytes += segment_leftovers(fd, s->is.number, s->is.committed, size);
        if (jio_truncate(fd, s->is.committed) < 0)
            st = pen_fail(err, PEN_FATAL, "journal %s: cannot cut %s: %s", j->path, name, strerror(errno));
    }
    pthread_mutex_lock(&j->lock);
    s->append = s->is.committed;
    pthread_mutex_unlock(&j->lock);
    close(fd);
    return st;
}

static pen_status clean_up(struct journal *j, const struct pen_host *host, uint64_t torn, struct pen_error *err)
{
    struct leftovers l = { j, 0 };
    pen_status st = torn ? log_cut(j, err) : PEN_OK;
    if (st == PEN_OK && torn)
        pen_log(host, PEN_LOG_WARN, "journal %s: %s ended in %" PRIu64 " bytes of a commit that was never finished; cut off", j->path, j->log_name,
                torn);
    if (st == PEN_OK)
        st = log_sync(j, err); /* before the seals go: a process killed in between may not have */
    if (st == PEN_OK)
        st = journal_list(j->dir, remove_unknown, &l, err);
    for (size_t i = 0; i < j->n_segments && st == PEN_OK; i++)
        st = cut_segment(&l, j->segments[i], err);
    if (st == PEN_OK && l.bytes)
        pen_log(host, PEN_LOG_WARN, "journal %s: %" PRIu64 " bytes that were never committed have been cut off", j->path, l.bytes);
    if (st == PEN_OK && jio_sync(j->dir) < 0)
        st = pen_fail(err, PEN_FATAL, "journal %s: cannot sync it: %s", j->path, strerror(errno));
    return st;
}

/* Opens the log that is read for writing too. */
static pen_status reopen_log(struct journal *j, struct pen_error *err)
{
    int fd = openat(j->dir, j->log_name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot open %s: %s", j->path, j->log_name, strerror(errno));
    close(j->log);
    j->log = fd;
    return PEN_OK;
}

/* Reads the log to its end, and what it has lost. The lock is held, and says nothing yet. */
static pen_status follow_and_mend(struct journal *j, const struct pen_host *host, uint64_t *torn, struct pen_error *err)
{
    pen_status st = log_follow(j, true, torn, err);
    if (st == PEN_OK)
        st = reopen_log(j, err);
    return st == PEN_OK ? journal_mend(j, host, torn, err) : st;
}

pen_status journal_mend_if_idle(struct journal *j, const struct pen_host *host, bool sync, uint64_t *torn, struct pen_error *err)
{
    int fd = j->version < 2 ? -1 : openat(j->dir, "lock", O_RDWR | O_CLOEXEC);
    pen_status st = PEN_OK;
    if (fd < 0)
        return PEN_OK; /* nothing has been written, or we may not */
    for (int looks = 0; looks < LOOKS_QUICK; looks++) {
        char who[200];
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            st = jio_truncate(fd, 0) < 0 ? PEN_OK : follow_and_mend(j, host, torn, err);
            break;
        }
        read_who(fd, who);
        if (who[0]) { /* he has mended it */
            st = log_follow(j, sync, torn, err);
            break;
        }
        look_pause();
    }
    close(fd);
    return st;
}

static pen_status held_by_other(struct journal *j, int lock, struct pen_error *err)
{
    char who[200];
    read_who(lock, who);
    return pen_fail(err, PEN_FATAL, "journal %s: %s writes to it already; one process at a time can", j->path,
                    who[0] ? who : "another process");
}

static pen_status say_who(struct journal *j, const struct pen_host *host, struct pen_error *err)
{
    char who[200];
    int n = snprintf(who, sizeof who, "process %ld (pipeline %.100s)\n", (long)getpid(), pen_pipeline_name(host));
    struct iovec v = { who, n < (int)sizeof who ? (size_t)n : sizeof who - 1 };
    if (jio_write(j->lock_fd, &v, 1, 0) < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot write its lock: %s", j->path, strerror(errno));
    return PEN_OK;
}

static pen_status become_writer(struct journal *j, const struct pen_host *host, struct pen_error *err)
{
    uint64_t torn = 0;
    pen_status st = journal_take_lock(j, &j->lock_fd, err);
    if (st == PEN_SKIP)
        st = held_by_other(j, j->lock_fd, err);
    if (st == PEN_OK && jio_truncate(j->lock_fd, 0) < 0)
        st = pen_fail(err, PEN_FATAL, "journal %s: cannot write its lock: %s", j->path, strerror(errno));
    if (st == PEN_OK && j->broken) /* known only from the disk now */
        st = log_open_newest(j, err);
    j->broken = false;
    if (st == PEN_OK)
        st = follow_and_mend(j, host, &torn, err);
    if (st == PEN_OK)
        st = clean_up(j, host, torn, err);
    if (st == PEN_OK && j->version < JF_VERSION)
        st = log_next(j, err);
    return st == PEN_OK ? say_who(j, host, err) : st;
}

pen_status journal_acquire(struct journal *j, const struct pen_host *host, struct pen_error *err)
{
    pen_status st = PEN_OK;
    pthread_mutex_lock(&j->publishing);
    if (j->writers == 0)
        st = become_writer(j, host, err);
    if (st == PEN_OK) {
        j->writers++;
        pthread_mutex_lock(&j->lock);
        j->writes = j->wrote = true;
        journal_wake(j);
        pthread_mutex_unlock(&j->lock);
    } else if (j->lock_fd >= 0) {
        close(j->lock_fd);
        j->lock_fd = -1;
    }
    pthread_mutex_unlock(&j->publishing);
    return st;
}

void journal_release(struct journal *j)
{
    pthread_mutex_lock(&j->publishing);
    if (--j->writers == 0) {
        struct pen_error ignored = { 0 };
        if (j->unsynced && !j->loose && !j->broken)
            log_sync(j, &ignored); /* else the next start finds out */
        close(j->lock_fd);
        j->lock_fd = -1;
        pthread_mutex_lock(&j->lock);
        j->writes = false;
        journal_wake(j);
        pthread_mutex_unlock(&j->lock);
    }
    pthread_mutex_unlock(&j->publishing);
}
