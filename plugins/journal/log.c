/* log.c - the commit log's files: reading and following them, appending to the newest, beginning the next.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "io.h"
#include "log.h"

#define LOG_UNSYNCED 256u   /* the most commits that may have to be looked for in segments */
#define LOG_ROLL (1u << 20) /* a log file is followed by another when it has grown by this, and to eight times its snapshot */

struct newest {
    char name[NAME_SIZE];
    uint64_t sequence;
    bool any;
};
static pen_status note_newest(void *arg, const char *name, struct pen_error *err)
{
    struct newest *n = arg;
    uint64_t records, sequence;
    (void)err;
    if (journal_parse_log_name(name, &records, &sequence) && (!n->any || sequence > n->sequence)) {
        snprintf(n->name, sizeof n->name, "%s", name);
        n->sequence = sequence;
        n->any = true;
    }
    return PEN_OK;
}

/* -- reading the log ----------------------------------------------------------------------------------------------------------------- */

pen_status journal_read_record(int fd, uint64_t at, uint64_t size, uint64_t sequence, struct jf_record *r, uint8_t **body,
                               struct pen_error *err)
{
    uint8_t head[JF_RECORD_HEADER], *p;
    ssize_t got;
    *body = NULL;
    if (at > size || size - at < sizeof head)
        return PEN_SKIP;
    got = jio_read(fd, head, sizeof head, at);
    if (got < 0)
        return pen_fail(err, PEN_FATAL, "cannot read the commit log: %s", strerror(errno));
    if (got < (ssize_t)sizeof head || !jf_record_get(head, r) || r->sequence != sequence ||
        jf_padded(r->body) > size - at - sizeof head)
        return PEN_SKIP;
    p = malloc(r->body ? r->body : 1);
    if (!p)
        return pen_fail(err, PEN_FATAL, "out of memory");
    got = jio_read(fd, p, r->body, at + sizeof head);
    if (got != (ssize_t)r->body || pen_crc32c(0, p, r->body) != r->body_crc) {
        free(p);
        return got < 0 ? pen_fail(err, PEN_FATAL, "cannot read the commit log: %s", strerror(errno)) : PEN_SKIP;
    }
    *body = p;
    return PEN_OK;
}

pen_status log_find_record(struct journal *j, uint64_t *at, uint64_t size, struct jf_record *r, uint8_t **body, struct pen_error *err)
{
    uint8_t head[JF_RECORD_HEADER];
    for (; *at + sizeof head <= size; *at += 8) {
        pen_status st;
        if (jio_read(j->log, head, sizeof head, *at) != (ssize_t)sizeof head)
            return PEN_SKIP;
        if (!jf_record_get(head, r) || r->sequence <= j->sequence)
            continue;
        st = journal_read_record(j->log, *at, size, r->sequence, r, body, err);
        if (st != PEN_SKIP)
            return st;
    }
    return PEN_SKIP;
}

pen_status log_damaged(const struct journal *j, uint64_t at, const char *what, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "journal %s: %s is damaged at byte %" PRIu64 ": %s", j->path, j->log_name, at, what);
}

pen_status log_check_tail(struct journal *j, uint64_t torn, struct pen_error *err)
{
    uint64_t at = j->log_at;
    struct jf_record r;
    uint8_t *body;
    pen_status st = torn ? log_find_record(j, &at, j->log_at + torn, &r, &body, err) : PEN_SKIP;
    if (st == PEN_OK) {
        free(body);
        return log_damaged(j, j->log_at, "no commit record, but valid ones follow", err);
    }
    return st < 0 ? st : PEN_OK;
}

/* Applies what lies between log_at and size. *torn: bytes behind that are no record. publishing held. */
static pen_status read_log(struct journal *j, uint64_t size, uint64_t *torn, struct pen_error *err)
{
    *torn = 0;
    while (j->log_at < size) {
        struct jf_record r;
        struct pen_error why = { 0 };
        uint8_t *body;
        pen_status st = journal_read_record(j->log, j->log_at, size, j->sequence + 1, &r, &body, err);
        if (st < 0)
            return st;
        if (st == PEN_SKIP) {
            if (j->log_at == 0)
                return log_damaged(j, 0, "no snapshot", err);
            *torn = size - j->log_at;
            return PEN_OK;
        }
        if ((r.type == JF_SNAPSHOT) != (j->log_at == 0))
            st = pen_fail(&why, PEN_FATAL, "a snapshot belongs at the beginning, and only there");
        pthread_mutex_lock(&j->lock);
        if (st == PEN_OK)
            st = state_apply(j, &r, body, &why);
        pthread_mutex_unlock(&j->lock);
        free(body);
        if (st == PEN_BADCONF)
            return pen_fail(err, PEN_FATAL, "journal %s: %s: %s", j->path, j->log_name, why.msg);
        if (st < 0)
            return log_damaged(j, j->log_at, why.msg, err);
        j->sequence = r.sequence;
        j->log_at += JF_RECORD_HEADER + jf_padded(r.body);
        if (r.type == JF_SNAPSHOT)
            j->log_head = j->log_at;
    }
    return PEN_OK;
}

pen_status log_file_size(const struct journal *j, int fd, const char *name, uint64_t *size, struct pen_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot look at %s: %s", j->path, name, strerror(errno));
    *size = (uint64_t)st.st_size;
    return PEN_OK;
}

/* Makes the log file `name` the one that is read and, by the writer, appended to. */
static pen_status open_log(struct journal *j, const char *name, uint64_t sequence, struct pen_error *err)
{
    int fd = openat(j->dir, name, (j->writers ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? PEN_SKIP : pen_fail(err, PEN_FATAL, "journal %s: cannot open %s: %s", j->path, name, strerror(errno));
    if (j->log >= 0)
        close(j->log);
    j->log = fd;
    snprintf(j->log_name, sizeof j->log_name, "%s", name);
    j->log_at = 0;
    j->sequence = sequence - 1;
    return PEN_OK;
}

pen_status log_open_newest(struct journal *j, struct pen_error *err)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        struct newest n = { .any = false };
        pen_status st = journal_list(j->dir, note_newest, &n, err);
        if (st < 0 || !n.any)
            return st < 0 ? st : PEN_SKIP;
        st = open_log(j, n.name, n.sequence, err);
        if (st != PEN_SKIP)
            return st;
    }
    return pen_fail(err, PEN_FATAL, "journal %s: its log files come and go", j->path);
}

pen_status log_follow(struct journal *j, bool sync, uint64_t *torn, struct pen_error *err)
{
    *torn = 0;
    for (;;) {
        char next[NAME_SIZE];
        struct stat now;
        uint64_t size = 0, before = j->log_at;
        pen_status st = log_file_size(j, j->log, j->log_name, &size, err);
        if (st < 0)
            return st;
        if (size > j->log_at) {
            if (sync && jio_sync(j->log) < 0)
                return pen_fail(err, PEN_FATAL, "journal %s: cannot sync %s: %s", j->path, j->log_name, strerror(errno));
            st = read_log(j, size, torn, err);
            if (st < 0)
                return st;
        }
        if (j->log_at > before)
            continue;
        journal_log_name(next, journal_records(j), j->sequence + 1);
        st = open_log(j, next, j->sequence + 1, err);
        if (st < 0)
            return st;
        if (st == PEN_SKIP && (fstat(j->log, &now) < 0 || now.st_nlink > 0))
            return PEN_OK;
        if (st == PEN_SKIP && log_open_newest(j, err) != PEN_OK) /* we were left behind: the file has been removed */
            return pen_fail(err, PEN_FATAL, "journal %s: its commit log is gone", j->path);
    }
}

pen_status journal_refresh(struct journal *j, const struct pen_host *host, bool sync, struct pen_error *err)
{
    uint64_t torn = 0;
    pen_status st = PEN_OK;
    (void)host;
    pthread_mutex_lock(&j->publishing);
    if (j->writers == 0)
        st = log_follow(j, sync, &torn, err);
    if (st == PEN_OK)
        st = log_check_tail(j, torn, err);
    pthread_mutex_unlock(&j->publishing);
    return st;
}

/* -- writing the log ------------------------------------------------------------------------------------------------------------------ */

static pen_status write_record(int fd, uint64_t at, jf_record_type type, uint64_t sequence, const struct jf_out *body, uint64_t *end)
{
    static const uint8_t zeros[8];
    uint8_t head[JF_RECORD_HEADER];
    uint64_t padded = jf_padded(body->n);
    struct jf_record r = { type, sequence, (uint32_t)body->n, pen_crc32c(0, body->p, body->n) };
    struct iovec v[3] = { { head, sizeof head }, { body->p, body->n }, { (void *)(uintptr_t)zeros, (size_t)(padded - body->n) } };
    jf_record_put(head, &r);
    *end = at + sizeof head + padded;
    return jio_write(fd, v, 3, at) < 0 ? PEN_FATAL : PEN_OK;
}

pen_status journal_is_broken(const struct journal *j, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "journal %s: an earlier write failed; what is on the disk is known after a new start", j->path);
}

pen_status log_sync(struct journal *j, struct pen_error *err)
{
    if (jio_sync(j->log) < 0) {
        j->broken = true;
        return pen_fail(err, PEN_FATAL, "journal %s: cannot sync %s: %s", j->path, j->log_name, strerror(errno));
    }
    j->unsynced = 0;
    j->loose = false;
    return PEN_OK;
}

pen_status log_cut(struct journal *j, struct pen_error *err)
{
    return jio_truncate(j->log, j->log_at) < 0
               ? pen_fail(err, PEN_FATAL, "journal %s: cannot cut %s: %s", j->path, j->log_name, strerror(errno))
               : PEN_OK;
}

pen_status journal_append(struct journal *j, jf_record_type type, const struct jf_out *body, log_safety safety, struct pen_error *err)
{
    struct jf_record r = { type, j->sequence + 1, (uint32_t)body->n, 0 };
    uint64_t end;
    pen_status st;
    if (body->failed || body->n > UINT32_MAX / 2)
        return pen_fail(err, PEN_FATAL, body->failed ? "out of memory" : "a commit of more than 2 GiB of positions");
    if (j->broken)
        return journal_is_broken(j, err);
    if (write_record(j->log, j->log_at, type, r.sequence, body, &end) < 0) {
        st = pen_fail(err, PEN_FATAL, "journal %s: cannot write %s: %s", j->path, j->log_name, strerror(errno));
        j->broken = jio_truncate(j->log, j->log_at) < 0 || safety == LOG_SEALED; /* sealed, it is committed all the same */
        return st;
    }
    j->unsynced++;
    j->loose = j->loose || safety == LOG_LOOSE;
    if (safety == LOG_SYNCED && log_sync(j, err) < 0)
        return PEN_FATAL;
    pthread_mutex_lock(&j->lock);
    st = state_apply(j, &r, body->p, err);
    journal_wake(j);
    pthread_mutex_unlock(&j->lock);
    j->broken = st < 0; /* it is committed, but we do not know all of it any more */
    j->log_at = end;
    j->sequence++;
    return st;
}

pen_status log_begin(struct journal *j, const struct jf_out *body, uint64_t sequence, const char *name, int *out, uint64_t *end,
                     struct pen_error *err)
{
    static const char fresh[] = "commits.new";
    int fd = body->failed ? (errno = ENOMEM, -1) : jio_create(j->dir, fresh, O_TRUNC);
    const char *what = "make";
    if (fd >= 0 && (what = "write", write_record(fd, 0, JF_SNAPSHOT, sequence, body, end) == PEN_OK) &&
        (what = "sync", jio_sync(fd) == 0) && (what = "rename", jio_rename(j->dir, fresh, name) == 0)) {
        *out = fd;
        return PEN_OK;
    }
    pen_fail(err, PEN_FATAL, "journal %s: cannot %s %s: %s", j->path, what, fresh, strerror(errno));
    if (fd >= 0) {
        close(fd);
        jio_unlink(j->dir, fresh);
    }
    return PEN_FATAL;
}

pen_status log_next(struct journal *j, struct pen_error *err)
{
    struct jf_out body = { 0 };
    char name[NAME_SIZE];
    uint64_t end;
    int fd;
    pen_status st;
    if (pen_failpoint("journal.roll", err) < 0)
        return PEN_FATAL;
    state_snapshot(j, &body);
    journal_log_name(name, journal_records(j), j->sequence + 1);
    /* The old file's last record must not be lost while the new one stands: with fsync = no nothing has been synced so far. */
    st = log_sync(j, err);
    if (st == PEN_OK)
        st = log_begin(j, &body, j->sequence + 1, name, &fd, &end, err);
    jf_out_free(&body);
    if (st < 0)
        return st;
    close(j->log);
    j->log = fd;
    snprintf(j->log_name, sizeof j->log_name, "%s", name);
    j->log_at = j->log_head = end;
    j->sequence++;
    j->version = JF_VERSION;
    if (jio_sync(j->dir) < 0) {
        j->broken = true;
        return pen_fail(err, PEN_FATAL, "journal %s: cannot sync the folder: %s", j->path, strerror(errno));
    }
    return pen_failpoint("journal.rolled", err);
}

pen_status journal_tend_log(struct journal *j, bool sync, struct pen_error *err)
{
    if (j->broken)
        return PEN_OK;
    if (j->log_at >= j->log_head + LOG_ROLL && j->log_at / 8 >= j->log_head)
        return log_next(j, err);
    return sync && j->unsynced >= LOG_UNSYNCED ? log_sync(j, err) : PEN_OK;
}
