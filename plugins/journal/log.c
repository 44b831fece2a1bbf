/* log.c - the commit log's files, opening and following them, and the registry of what this process has open.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crc32c.h"
#include "io.h"
#include "log.h"

#define LOG_ROLL (1u << 20) /* a log file is followed by another when it has grown by this, and to eight times its snapshot */

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct journal *registry;

/* -- names ----------------------------------------------------------------------------------------------------------------------- */

void journal_log_name(char out[NAME_SIZE], uint64_t records, uint64_t sequence)
{
    snprintf(out, NAME_SIZE, "%020" PRIu64 "-%020" PRIu64 ".commits", records, sequence);
}
void journal_segment_name(char out[NAME_SIZE], uint64_t number)
{
    snprintf(out, NAME_SIZE, "%020" PRIu64 ".segment", number);
}

static bool parse_digits(const char **s, uint64_t *v)
{
    *v = 0;
    for (int i = 0; i < 20; i++) {
        unsigned digit = (unsigned)(**s - '0');
        if (digit > 9 || *v > (UINT64_MAX - digit) / 10)
            return false;
        *v = *v * 10 + digit;
        ++*s;
    }
    return true;
}
bool journal_parse_log_name(const char *name, uint64_t *records, uint64_t *sequence)
{
    return parse_digits(&name, records) && *name++ == '-' && parse_digits(&name, sequence) && strcmp(name, ".commits") == 0;
}
static bool parse_segment_name(const char *name, uint64_t *number)
{
    return parse_digits(&name, number) && strcmp(name, ".segment") == 0;
}

pen_status journal_list(int dir, pen_status (*each)(void *arg, const char *name, struct pen_error *err), void *arg, struct pen_error *err)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    pen_status st = PEN_OK;
    if (!d) {
        st = pen_fail(err, PEN_FATAL, "cannot list a folder of the journal: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return st;
    }
    while (st == PEN_OK && (errno = 0, e = readdir(d)))
        if (e->d_name[0] != '.')
            st = each(arg, e->d_name, err);
    if (st == PEN_OK && errno)
        st = pen_fail(err, PEN_FATAL, "cannot list a folder of the journal: %s", strerror(errno));
    closedir(d);
    return st;
}

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

uint64_t journal_records(const struct journal *j)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < j->partitions; i++)
        sum += j->end[i];
    return sum;
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

/* Whether a valid record lies behind `at`, where there is none: then the log is damaged, not torn. */
static pen_status look_behind(struct journal *j, uint64_t at, uint64_t size, bool *found, struct pen_error *err)
{
    uint8_t head[JF_RECORD_HEADER];
    *found = false;
    for (at = jf_padded(at + 1); at + sizeof head <= size; at += 8) {
        struct jf_record r;
        uint8_t *body;
        pen_status st;
        if (jio_read(j->log, head, sizeof head, at) != (ssize_t)sizeof head)
            return PEN_OK;
        if (!jf_record_get(head, &r) || r.sequence <= j->sequence)
            continue;
        st = journal_read_record(j->log, at, size, r.sequence, &r, &body, err);
        if (st < 0)
            return st;
        free(body);
        if (st == PEN_OK) {
            *found = true;
            return PEN_OK;
        }
    }
    return PEN_OK;
}

static pen_status damaged(const struct journal *j, const char *file, uint64_t at, const char *what, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "journal %s: %s is damaged at byte %" PRIu64 ": %s", j->path, file, at, what);
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
            bool found;
            if (look_behind(j, j->log_at, size, &found, err) < 0)
                return PEN_FATAL;
            if (found || j->log_at == 0)
                return damaged(j, j->log_name, j->log_at, found ? "no commit record, but valid ones follow" : "no snapshot", err);
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
        if (st < 0)
            return damaged(j, j->log_name, j->log_at, why.msg, err);
        j->sequence = r.sequence;
        j->log_at += JF_RECORD_HEADER + jf_padded(r.body);
        if (r.type == JF_SNAPSHOT)
            j->log_head = j->log_at;
    }
    return PEN_OK;
}

static pen_status file_size(const struct journal *j, int fd, const char *name, uint64_t *size, struct pen_error *err)
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

/* Opens the newest log file; PEN_SKIP where there is none. */
static pen_status open_newest(struct journal *j, struct pen_error *err)
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

static void wake_all(struct journal *j)
{
    uint64_t one = 1;
    for (struct waiter *w = j->waiters; w; w = w->next)
        (void)!write(w->fd, &one, sizeof one);
}

/* Reads on in the newest log file, and in those that came after it. sync: what is shown to readers is on the disk first, for a writer's
 * own sync may still be under way. publishing held. */
static pen_status follow(struct journal *j, bool sync, uint64_t *torn, struct pen_error *err)
{
    *torn = 0;
    for (;;) {
        char next[NAME_SIZE];
        struct stat now;
        uint64_t size = 0, before = j->log_at;
        pen_status st = file_size(j, j->log, j->log_name, &size, err);
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
        if (st == PEN_SKIP && open_newest(j, err) != PEN_OK) /* we were left behind: the file has been removed */
            return pen_fail(err, PEN_FATAL, "journal %s: its commit log is gone", j->path);
    }
}

pen_status journal_refresh(struct journal *j, const struct pen_host *host, bool sync, struct pen_error *err)
{
    uint64_t torn;
    pen_status st = PEN_OK;
    (void)host;
    pthread_mutex_lock(&j->publishing);
    if (j->writers == 0)
        st = follow(j, sync, &torn, err);
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

pen_status journal_append(struct journal *j, jf_record_type type, const struct jf_out *body, bool sync, struct pen_error *err)
{
    struct jf_record r = { type, j->sequence + 1, (uint32_t)body->n, 0 };
    uint64_t end;
    pen_status st;
    if (body->failed || body->n > UINT32_MAX / 2)
        return pen_fail(err, PEN_FATAL, body->failed ? "out of memory" : "a commit of more than 2 GiB of positions");
    if (j->broken)
        return pen_fail(err, PEN_FATAL, "journal %s: an earlier write failed; what is on the disk is known after a new start", j->path);
    if (write_record(j->log, j->log_at, type, r.sequence, body, &end) < 0) {
        st = pen_fail(err, PEN_FATAL, "journal %s: cannot write %s: %s", j->path, j->log_name, strerror(errno));
        j->broken = jio_truncate(j->log, j->log_at) < 0;
        return st;
    }
    if (sync && jio_sync(j->log) < 0) {
        j->broken = true;
        return pen_fail(err, PEN_FATAL, "journal %s: cannot sync %s: %s", j->path, j->log_name, strerror(errno));
    }
    pthread_mutex_lock(&j->lock);
    st = state_apply(j, &r, body->p, err);
    wake_all(j);
    pthread_mutex_unlock(&j->lock);
    j->broken = st < 0; /* it is committed, but we do not know all of it any more */
    j->log_at = end;
    j->sequence++;
    return st;
}

/* Writes a log file that holds a snapshot only, and gives it its name. */
static pen_status write_snapshot(struct journal *j, const struct jf_out *body, uint64_t sequence, const char *name, int *out,
                                 uint64_t *end, struct pen_error *err)
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

pen_status journal_roll(struct journal *j, struct pen_error *err)
{
    struct jf_out body = { 0 };
    char name[NAME_SIZE];
    uint64_t end;
    int fd;
    pen_status st;
    if (j->log_at < j->log_head + LOG_ROLL || j->log_at / 8 < j->log_head || j->broken)
        return PEN_OK;
    if (pen_failpoint("journal.roll", err) < 0)
        return PEN_FATAL;
    state_snapshot(j, &body);
    journal_log_name(name, journal_records(j), j->sequence + 1);
    /* The old file's last record must not be lost while the new one stands: with fsync = no nothing has been synced so far. */
    st = jio_sync(j->log) < 0 ? pen_fail(err, PEN_FATAL, "journal %s: cannot sync %s: %s", j->path, j->log_name, strerror(errno))
                              : write_snapshot(j, &body, j->sequence + 1, name, &fd, &end, err);
    jf_out_free(&body);
    if (st < 0)
        return st;
    close(j->log);
    j->log = fd;
    snprintf(j->log_name, sizeof j->log_name, "%s", name);
    j->log_at = j->log_head = end;
    j->sequence++;
    if (jio_sync(j->dir) < 0) {
        j->broken = true;
        return pen_fail(err, PEN_FATAL, "journal %s: cannot sync the folder: %s", j->path, strerror(errno));
    }
    return pen_failpoint("journal.rolled", err);
}

/* -- making and opening --------------------------------------------------------------------------------------------------------------- */

static pen_status make_folders(const struct options *o, struct pen_error *err)
{
    char *path = strdup(o->path);
    pen_status st = PEN_OK;
    if (!path)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (char *p = path + 1; st == PEN_OK; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (jio_mkdir(AT_FDCWD, path) == 0) {
            char *slash = strrchr(path, '/');
            int up;
            if (slash)
                *slash = '\0';
            up = open(!slash ? "." : *path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (up < 0 || jio_sync(up) < 0)
                st = pen_fail(err, PEN_FATAL, "journal %s: cannot sync the folder above: %s", o->path, strerror(errno));
            if (up >= 0)
                close(up);
            if (slash)
                *slash = '/';
        } else if (errno != EEXIST) {
            st = pen_fail(err, PEN_FATAL, "journal %s: cannot make %s: %s", o->path, path, strerror(errno));
        }
        *p = c;
        if (c == '\0')
            break;
    }
    free(path);
    return st;
}

/* Takes the lock file, waiting out those who make a journal, which takes no time. PEN_SKIP: a writer has it. */
static pen_status take_lock(struct journal *j, int *out, struct pen_error *err)
{
    int fd = jio_create(j->dir, "lock", 0);
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot open its lock: %s", j->path, strerror(errno));
    for (int attempt = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; attempt++) {
        struct timespec pause = { 0, 10000000 };
        if (errno != EWOULDBLOCK && errno != EINTR) {
            pen_fail(err, PEN_FATAL, "journal %s: cannot lock it: %s", j->path, strerror(errno));
            close(fd);
            return PEN_FATAL;
        }
        if (attempt == 20) {
            *out = fd;
            return PEN_SKIP;
        }
        nanosleep(&pause, NULL);
    }
    *out = fd;
    return PEN_OK;
}

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
    st = write_snapshot(j, &body, 1, name, &fd, &end, err);
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
    pen_status st = open_newest(j, err);
    int lock;
    if (st != PEN_SKIP || !create)
        return st;
    st = take_lock(j, &lock, err);
    if (st < 0)
        return st;
    if (st == PEN_OK) {
        st = open_newest(j, err);
        if (st == PEN_SKIP)
            st = make_log(j, o, err);
    }
    close(lock);
    return st < 0 ? st : open_newest(j, err);
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

static pen_status load(struct journal *j, const struct options *o, bool create, struct pen_error *err)
{
    uint64_t torn;
    pen_status st = find_log(j, o, create, err);
    if (st != PEN_OK)
        return st;
    st = follow(j, o->fsync, &torn, err);
    for (unsigned i = 0; i < JF_ID_SIZE; i++)
        snprintf(j->id_text + (size_t)2 * i, 3, "%02x", j->id[i]);
    return st;
}

pen_status journal_open(struct journal **out, const struct options *o, const struct pen_host *host, bool create, struct pen_error *err)
{
    struct journal *j, *known;
    pen_status st;
    (void)host;
    *out = NULL;
    if (create && make_folders(o, err) < 0)
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
    } else if (st == PEN_OK && (st = load(j, o, create, err)) == PEN_OK) {
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

/* -- the one that writes --------------------------------------------------------------------------------------------------------------- */

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
    if (!parse_segment_name(name, &number) || state_segment(l->j, number))
        return PEN_OK;
    if (fstatat(l->j->dir, name, &st, 0) == 0 && st.st_size > JF_FILE_HEADER)
        l->bytes += (uint64_t)st.st_size - JF_FILE_HEADER;
    if (jio_unlink(l->j->dir, name) < 0 && errno != ENOENT)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot remove %s: %s", l->j->path, name, strerror(errno));
    return PEN_OK;
}

/* Cuts a known segment file behind its last committed block. */
static pen_status cut_segment(struct leftovers *l, const struct segment *s, struct pen_error *err)
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
    st = file_size(j, fd, name, &size, err);
    if (st == PEN_OK && size < s->is.committed)
        st = pen_fail(err, PEN_FATAL, "journal %s: %s has %" PRIu64 " bytes, but %" PRIu64 " are committed", j->path, name, size,
                      s->is.committed);
    if (st == PEN_OK && size > s->is.committed) {
        l->bytes += size - s->is.committed;
        if (jio_truncate(fd, s->is.committed) < 0)
            st = pen_fail(err, PEN_FATAL, "journal %s: cannot cut %s: %s", j->path, name, strerror(errno));
    }
    close(fd);
    return st;
}

static pen_status clean_up(struct journal *j, const struct pen_host *host, uint64_t torn, struct pen_error *err)
{
    struct leftovers l = { j, 0 };
    pen_status st = journal_list(j->dir, remove_unknown, &l, err);
    for (size_t i = 0; i < j->n_segments && st == PEN_OK; i++)
        st = cut_segment(&l, j->segments[i], err);
    if (st == PEN_OK && torn) {
        if (jio_truncate(j->log, j->log_at) < 0)
            st = pen_fail(err, PEN_FATAL, "journal %s: cannot cut %s: %s", j->path, j->log_name, strerror(errno));
        else
            pen_log(host, PEN_LOG_WARN, "journal %s: %s ended in %" PRIu64 " bytes of a commit that was never finished; cut off", j->path,
                    j->log_name, torn);
    }
    if (st == PEN_OK && l.bytes)
        pen_log(host, PEN_LOG_WARN, "journal %s: %" PRIu64 " bytes that were never committed have been cut off", j->path, l.bytes);
    if (st == PEN_OK && (jio_sync(j->log) < 0 || jio_sync(j->dir) < 0))
        st = pen_fail(err, PEN_FATAL, "journal %s: cannot sync it: %s", j->path, strerror(errno));
    return st;
}

static pen_status held_by_other(struct journal *j, int lock, struct pen_error *err)
{
    char who[200] = "";
    ssize_t n = jio_read(lock, who, sizeof who - 1, 0);
    who[n > 0 ? n : 0] = '\0';
    who[strcspn(who, "\n")] = '\0';
    return pen_fail(err, PEN_FATAL, "journal %s: %s writes to it already; one process at a time can", j->path,
                    who[0] ? who : "another process");
}

static pen_status say_who(struct journal *j, const struct pen_host *host, struct pen_error *err)
{
    char who[200];
    int n = snprintf(who, sizeof who, "process %ld (pipeline %.100s)\n", (long)getpid(), pen_pipeline_name(host));
    struct iovec v = { who, n < (int)sizeof who ? (size_t)n : sizeof who - 1 };
    if (jio_truncate(j->lock_fd, 0) < 0 || jio_write(j->lock_fd, &v, 1, 0) < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot write its lock: %s", j->path, strerror(errno));
    return PEN_OK;
}

static pen_status become_writer(struct journal *j, const struct pen_host *host, struct pen_error *err)
{
    uint64_t torn;
    pen_status st = take_lock(j, &j->lock_fd, err);
    if (st == PEN_SKIP)
        st = held_by_other(j, j->lock_fd, err);
    if (st == PEN_OK)
        st = say_who(j, host, err);
    if (st == PEN_OK && j->broken) /* known only from the disk now */
        st = open_newest(j, err);
    j->broken = false;
    if (st == PEN_OK)
        st = follow(j, true, &torn, err);
    if (st == PEN_OK) {
        int fd = openat(j->dir, j->log_name, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            return pen_fail(err, PEN_FATAL, "journal %s: cannot open %s: %s", j->path, j->log_name, strerror(errno));
        close(j->log);
        j->log = fd;
        st = clean_up(j, host, torn, err);
    }
    return st;
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
        wake_all(j);
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
        close(j->lock_fd);
        j->lock_fd = -1;
        pthread_mutex_lock(&j->lock);
        j->writes = false;
        wake_all(j);
        pthread_mutex_unlock(&j->lock);
    }
    pthread_mutex_unlock(&j->publishing);
}

/* -- readers --------------------------------------------------------------------------------------------------------------------------- */

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
