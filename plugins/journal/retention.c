/* retention.c - what registered readers have settled, and what may be removed because of it.
 *
 * readers/NAME: "PENJRDR\n", u32 CRC-32C of what follows, u32 n, u64 settled offset of each of the n partitions. It is rewritten in place
 * at each settle and synced only when it is made: an older file, or one that cannot be understood, merely holds more.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crc32c.h"
#include "io.h"
#include "log.h"

static const char reader_magic[8] = { 'P', 'E', 'N', 'J', 'R', 'D', 'R', '\n' };
#define READER_SIZE(n) (16 + 8 * (size_t)(n))

static size_t encode_reader(uint8_t out[READER_SIZE(JF_PARTITIONS)], const uint64_t settled[JF_PARTITIONS], uint32_t n)
{
    memcpy(out, reader_magic, 8);
    jf_put32(out + 12, n);
    for (uint32_t i = 0; i < n; i++)
        jf_put64(out + READER_SIZE(i), settled[i]);
    jf_put32(out + 8, pen_crc32c(0, out + 12, READER_SIZE(n) - 12));
    return READER_SIZE(n);
}

/* PEN_SKIP where the bytes are no reader's. */
static pen_status decode_reader(const uint8_t *in, size_t got, uint64_t settled[JF_PARTITIONS], uint32_t n)
{
    if (got != READER_SIZE(n) || memcmp(in, reader_magic, 8) != 0 || jf_get32(in + 12) != n ||
        jf_get32(in + 8) != pen_crc32c(0, in + 12, got - 12))
        return PEN_SKIP;
    for (uint32_t i = 0; i < n; i++)
        settled[i] = jf_get64(in + READER_SIZE(i));
    return PEN_OK;
}

static void copy_oldest(struct journal *j, uint64_t out[JF_PARTITIONS])
{
    pthread_mutex_lock(&j->lock);
    memcpy(out, j->oldest, sizeof j->oldest);
    pthread_mutex_unlock(&j->lock);
}

static pen_status read_reader(struct journal *j, int fd, const char *name, uint64_t settled[JF_PARTITIONS], struct pen_error *err)
{
    uint8_t bytes[READER_SIZE(JF_PARTITIONS) + 1];
    ssize_t got = jio_read(fd, bytes, sizeof bytes, 0);
    if (got < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot read readers/%s: %s", j->path, name, strerror(errno));
    copy_oldest(j, settled);
    decode_reader(bytes, (size_t)got, settled, j->partitions);
    return PEN_OK;
}

pen_status reader_store(struct journal *j, int fd, const uint64_t settled[JF_PARTITIONS], struct pen_error *err)
{
    uint8_t bytes[READER_SIZE(JF_PARTITIONS)];
    struct iovec v = { bytes, encode_reader(bytes, settled, j->partitions) };
    if (jio_write(fd, &v, 1, 0) < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot write a reader's position: %s", j->path, strerror(errno));
    pthread_mutex_lock(&j->lock);
    pthread_cond_broadcast(&j->room);
    pthread_mutex_unlock(&j->lock);
    return PEN_OK;
}

/* A new reader's file appears whole, and stays: the name is on the disk before the first write counts on it. */
static pen_status make_reader(struct journal *j, const char *name, const uint64_t settled[JF_PARTITIONS], struct pen_error *err)
{
    char fresh[64];
    int fd;
    pen_status st = PEN_OK;
    snprintf(fresh, sizeof fresh, ".new-%ld-%p", (long)getpid(), (const void *)settled);
    fd = jio_create(j->readers, fresh, O_TRUNC);
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot make readers/%s: %s", j->path, name, strerror(errno));
    st = reader_store(j, fd, settled, err);
    if (st == PEN_OK && (jio_sync(fd) < 0 || (jio_link(j->readers, fresh, name) < 0 && errno != EEXIST)))
        st = pen_fail(err, PEN_FATAL, "journal %s: cannot make readers/%s: %s", j->path, name, strerror(errno));
    jio_unlink(j->readers, fresh);
    close(fd);
    if (st == PEN_OK && (jio_sync(j->readers) < 0 || jio_sync(j->dir) < 0))
        st = pen_fail(err, PEN_FATAL, "journal %s: cannot sync its readers: %s", j->path, strerror(errno));
    return st;
}

pen_status reader_register(struct journal *j, const char *name, bool latest, int *out, uint64_t settled[JF_PARTITIONS], struct pen_error *err)
{
    char file[256];
    pen_status st = PEN_OK;
    int fd;
    pen_path_escape(file, sizeof file, name, strlen(name));
    fd = openat(j->readers, file, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        pthread_mutex_lock(&j->lock);
        memcpy(settled, latest ? j->end : j->oldest, sizeof j->end);
        pthread_mutex_unlock(&j->lock);
        st = make_reader(j, file, settled, err);
        if (st < 0)
            return st;
        fd = openat(j->readers, file, O_RDWR | O_CLOEXEC);
    }
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot open readers/%s: %s", j->path, file, strerror(errno));
    st = read_reader(j, fd, file, settled, err);
    if (st == PEN_OK)
        *out = fd;
    else
        close(fd);
    return st;
}

struct visit {
    struct journal *j;
    pen_status (*each)(void *arg, const char *name, const uint64_t settled[JF_PARTITIONS], struct pen_error *err);
    void *arg;
};
static pen_status visit_reader(void *arg, const char *name, struct pen_error *err)
{
    struct visit *v = arg;
    uint64_t settled[JF_PARTITIONS];
    pen_status st;
    int fd = openat(v->j->readers, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? PEN_OK
                               : pen_fail(err, PEN_FATAL, "journal %s: cannot open readers/%s: %s", v->j->path, name, strerror(errno));
    st = read_reader(v->j, fd, name, settled, err);
    close(fd);
    return st == PEN_OK ? v->each(v->arg, name, settled, err) : st;
}

pen_status reader_each(struct journal *j,
                       pen_status (*each)(void *arg, const char *name, const uint64_t settled[JF_PARTITIONS], struct pen_error *err),
                       void *arg, struct pen_error *err)
{
    struct visit v = { j, each, arg };
    return journal_list(j->readers, visit_reader, &v, err);
}

pen_status reader_forget(struct journal *j, const char *name, struct pen_error *err)
{
    char file[256];
    pen_path_escape(file, sizeof file, name, strlen(name));
    if (jio_unlink(j->readers, file) < 0)
        return errno == ENOENT ? PEN_SKIP
                               : pen_fail(err, PEN_FATAL, "journal %s: cannot remove readers/%s: %s", j->path, file, strerror(errno));
    if (jio_sync(j->readers) < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot sync its readers: %s", j->path, strerror(errno));
    return PEN_OK;
}

/* -- how much is held ------------------------------------------------------------------------------------------------------------------ */

struct floors {
    const struct journal *j;
    uint64_t at[JF_PARTITIONS]; /* the lowest that a reader has settled; UINT64_MAX: no readers */
    char slowest[256];          /* whose is the lowest */
    uint64_t lowest;
};
static pen_status note_floor(void *arg, const char *name, const uint64_t settled[JF_PARTITIONS], struct pen_error *err)
{
    struct floors *f = arg;
    uint64_t sum = 0;
    (void)err;
    for (uint32_t i = 0; i < f->j->partitions; i++) {
        if (settled[i] < f->at[i])
            f->at[i] = settled[i];
        sum += settled[i];
    }
    if (sum < f->lowest) {
        f->lowest = sum;
        snprintf(f->slowest, sizeof f->slowest, "%s", name);
    }
    return PEN_OK;
}
static pen_status find_floors(struct journal *j, struct floors *f, struct pen_error *err)
{
    memset(f, 0, sizeof *f);
    f->j = j;
    f->lowest = UINT64_MAX;
    memset(f->at, 0xff, sizeof f->at);
    return reader_each(j, note_floor, f, err);
}

/* Committed bytes of a segment from the floor on, by the share of its records. */
static uint64_t held_above(const struct segment *s, uint64_t floor)
{
    uint64_t bytes = s->is.committed;
    if (s->is.records == 0 || floor >= s->is.end)
        return 0;
    if (floor <= s->is.first)
        return bytes;
    return (uint64_t)((double)bytes * ((double)(s->is.end - floor) / (double)(s->is.end - s->is.first)));
}

static uint64_t held_bytes(struct journal *j, const struct floors *f)
{
    uint64_t sum = 0;
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < j->n_segments; i++)
        sum += f ? held_above(j->segments[i], f->at[j->segments[i]->is.partition]) : j->segments[i]->is.committed;
    pthread_mutex_unlock(&j->lock);
    return sum;
}

static void wait_for_settle(struct journal *j)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 20000000; /* a reader of another process is seen by looking again */
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&j->lock);
    pthread_cond_timedwait(&j->room, &j->lock, &until);
    pthread_mutex_unlock(&j->lock);
}

pen_status retention_room(struct journal *j, const struct options *o, const struct pen_host *host, uint64_t more, bool *room,
                          struct pen_error *err)
{
    uint64_t limit = (uint64_t)o->retention_bytes;
    *room = true;
    if (limit == 0 || o->full != FULL_WAIT || held_bytes(j, NULL) + more <= limit)
        return PEN_OK;
    for (int attempt = 0; attempt < 5; attempt++) {
        struct floors f;
        uint64_t held;
        if (find_floors(j, &f, err) < 0)
            return PEN_FATAL;
        held = held_bytes(j, &f);
        /* Alone in the journal, a plan larger than the limit goes in: waiting would not help it. */
        *room = held == 0 || held + more <= limit;
        if (*room || pen_stopping(host)) {
            j->said_full = j->said_full && !*room;
            return PEN_OK;
        }
        if (!j->said_full)
            pen_log(host, PEN_LOG_WARN,
                    "journal %s: full (retention_bytes): waiting for reader %s, which has not settled %" PRIu64
                    " bytes; a reader that is gone for good is removed by `penstock transport forget`",
                    j->path, f.slowest, held);
        j->said_full = true;
        wait_for_settle(j);
    }
    return PEN_OK;
}

/* -- trimming ------------------------------------------------------------------------------------------------------------------------- */

/* Seconds since the segment was last written, by the file system's own time. */
static pen_status segment_age(struct journal *j, const struct segment *s, const struct timespec *now, int64_t *age, struct pen_error *err)
{
    char name[NAME_SIZE];
    struct stat st;
    journal_segment_name(name, s->is.number);
    if (fstatat(j->dir, name, &st, 0) < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot look at %s: %s", j->path, name, strerror(errno));
    *age = (int64_t)(now->tv_sec - st.st_mtim.tv_sec);
    return PEN_OK;
}

static pen_status store_time(struct journal *j, struct timespec *now, struct pen_error *err)
{
    struct stat st;
    if (futimens(j->lock_fd, NULL) < 0 || fstat(j->lock_fd, &st) < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot find the file system's time: %s", j->path, strerror(errno));
    *now = st.st_mtim;
    return PEN_OK;
}

static bool at_rest(const struct segment *s)
{
    return !s->owned && s->pending == 0 && s->is.records > 0;
}

/* The segment of a partition that ends first, of those that no lane writes to. lock held. */
static struct segment *oldest_segment(struct journal *j, uint32_t partition)
{
    struct segment *first = NULL;
    for (size_t i = 0; i < j->n_segments; i++) {
        struct segment *s = j->segments[i];
        if (s->is.partition == partition && at_rest(s) && (!first || s->is.end < first->is.end))
            first = s;
    }
    return first;
}

/* Takes one segment away: first from the log, then from the folder. */
static pen_status remove_segment(struct journal *j, const struct options *o, const struct jf_segment *s, struct pen_error *err)
{
    struct jf_out body = { 0 };
    char name[NAME_SIZE];
    pen_status st = pen_failpoint("journal.trim", err);
    if (st < 0)
        return st;
    jf_out32(&body, s->partition);
    jf_out64(&body, s->end);
    jf_out32(&body, 1);
    jf_out64(&body, s->number);
    st = journal_append(j, JF_TRIM, &body, o->fsync ? LOG_SYNCED : LOG_LOOSE, err);
    jf_out_free(&body);
    journal_segment_name(name, s->number);
    if (st == PEN_OK)
        st = pen_failpoint("journal.trimmed", err);
    if (st == PEN_OK && jio_unlink(j->dir, name) < 0 && errno != ENOENT)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot remove %s: %s", j->path, name, strerror(errno));
    return st;
}

struct log_list {
    uint64_t (*at)[2];
    size_t n, cap;
};
static pen_status note_log(void *arg, const char *name, struct pen_error *err)
{
    struct log_list *l = arg;
    uint64_t records, sequence;
    if (!journal_parse_log_name(name, &records, &sequence))
        return PEN_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        void *p = realloc(l->at, cap * sizeof *l->at);
        if (!p)
            return pen_fail(err, PEN_FATAL, "out of memory");
        l->at = p;
        l->cap = cap;
    }
    l->at[l->n][0] = sequence;
    l->at[l->n++][1] = records;
    return PEN_OK;
}
static int by_sequence(const void *a, const void *b)
{
    uint64_t x = ((const uint64_t *)a)[0], y = ((const uint64_t *)b)[0];
    return x < y ? -1 : x > y;
}

/* A log file may go once the one after it begins no later than the oldest offset held of every partition. */
static pen_status may_go(struct journal *j, const uint64_t next[2], bool *yes, struct pen_error *err)
{
    char name[NAME_SIZE];
    struct jf_record r;
    struct jf_snapshot s;
    struct stat info;
    uint8_t *body = NULL;
    pen_status st;
    int fd;
    *yes = false;
    journal_log_name(name, next[1], next[0]);
    fd = openat(j->dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0) {
        st = pen_fail(err, PEN_FATAL, "journal %s: cannot open %s: %s", j->path, name, strerror(errno));
        if (fd >= 0)
            close(fd);
        return st;
    }
    st = journal_read_record(fd, 0, (uint64_t)info.st_size, next[0], &r, &body, err);
    close(fd);
    if (st == PEN_OK && r.type == JF_SNAPSHOT && jf_snapshot_get(body, r.body, &s)) {
        *yes = true;
        for (uint32_t i = 0; i < j->partitions; i++)
            *yes = *yes && s.end[i] <= j->oldest[i];
    }
    free(body);
    return st < 0 ? st : PEN_OK;
}

static pen_status remove_logs(struct journal *j, struct pen_error *err)
{
    struct log_list l = { 0 };
    pen_status st = journal_list(j->dir, note_log, &l, err);
    bool go = true;
    if (l.n)
        qsort(l.at, l.n, sizeof *l.at, by_sequence);
    for (size_t i = 0; i + 1 < l.n && go && st == PEN_OK; i++) {
        char name[NAME_SIZE];
        st = may_go(j, l.at[i + 1], &go, err);
        if (st < 0 || !go)
            break;
        journal_log_name(name, l.at[i][1], l.at[i][0]);
        if (jio_unlink(j->dir, name) < 0 && errno != ENOENT)
            st = pen_fail(err, PEN_FATAL, "journal %s: cannot remove %s: %s", j->path, name, strerror(errno));
    }
    free(l.at);
    return st;
}

/* What may be taken from a partition now, if anything; *forced where a reader had not settled it (`full = drop`). */
static pen_status pick(struct journal *j, const struct options *o, const struct floors *f, const struct timespec *now, uint32_t partition,
                       struct jf_segment *out, bool *forced, struct pen_error *err)
{
    struct segment *s;
    bool over = o->retention_bytes > 0 && held_bytes(j, NULL) > (uint64_t)o->retention_bytes;
    int64_t age = 0;
    pen_status st = PEN_OK;
    pthread_mutex_lock(&j->lock);
    s = oldest_segment(j, partition);
    if (s)
        *out = s->is;
    pthread_mutex_unlock(&j->lock);
    if (!s)
        return PEN_SKIP;
    *forced = out->end > f->at[partition];
    if (over && (!*forced || o->full == FULL_DROP))
        return PEN_OK;
    if (*forced || o->retention_time == 0)
        return PEN_SKIP;
    st = segment_age(j, s, now, &age, err);
    return st < 0 ? st : age > o->retention_time / 1000000 ? PEN_OK : PEN_SKIP;
}

pen_status retention_trim(struct journal *j, const struct options *o, const struct pen_host *host, struct pen_error *err)
{
    struct floors f;
    struct timespec now = { 0, 0 };
    bool removed = false, over = o->retention_bytes > 0 && held_bytes(j, NULL) > (uint64_t)o->retention_bytes;
    pen_status st = PEN_OK;
    if (!over && (o->retention_time == 0 || pen_now(host) < j->trimmed_at + 1000000))
        return PEN_OK;
    j->trimmed_at = pen_now(host);
    if (find_floors(j, &f, err) < 0 || store_time(j, &now, err) < 0)
        return PEN_FATAL;
    for (uint32_t p = 0; p < j->partitions && st >= 0; p++) {
        struct jf_segment s;
        bool forced;
        uint64_t gone = j->oldest[p];
        while ((st = pick(j, o, &f, &now, p, &s, &forced, err)) == PEN_OK && (st = remove_segment(j, o, &s, err)) == PEN_OK) {
            gone = j->oldest[p] - gone; /* also what other segments hold from before */
            removed = true;
            pen_count(host, "removed_total", forced ? "dropped" : "settled", (int64_t)gone);
            if (forced)
                pen_log(host, PEN_LOG_WARN, "journal %s: full: dropped %" PRIu64 " records, not all of which reader %s has settled (full = drop)",
                        j->path, gone, f.slowest);
            gone = j->oldest[p];
        }
    }
    if (st >= 0)
        st = removed ? remove_logs(j, err) : PEN_OK;
    return st;
}
