/* state.c - see state.h. Plans and positions lie in an SQLite database (made when first needed), what other sinks were seen to show in a small text
 * file that may be lost.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/state.h"
#include "engine/words.h"

#define FLUSH_EVERY 5000000 /* microseconds between writes of what was seen */

struct seen {
    char *key;
    struct pen_position pos;
};

struct pen_state {
    char *path;
    int lock_fd;
    sqlite3 *db; /* NULL until needed */
    pthread_mutex_t lock;
    struct seen *seen;
    size_t n_seen, cap_seen;
    bool dirty;
    int64_t flushed;
};

/* -- opening ---------------------------------------------------------------------------------------------------------------------- */

static pen_status sync_parent(const char *path, struct pen_error *err)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    pen_status st = PEN_OK;
    if (!parent)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if ((fd < 0 && errno != EACCES) || (fd >= 0 && fsync(fd) < 0 && errno != EINVAL)) /* some file systems sync no folders */
        st = pen_fail(err, PEN_FATAL, "state folder %s: %s", parent, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(parent);
    return st;
}

static pen_status make_folders(const char *path, struct pen_error *err)
{
    char *copy = strdup(path);
    pen_status st = PEN_OK;
    if (!copy)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (char *p = copy + 1; st >= 0; p++) {
        char was = *p;
        if (was != '/' && was != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) == 0)
            st = sync_parent(copy, err); /* plans that a power cut took away would be made twice */
        else if (errno != EEXIST)
            st = pen_fail(err, PEN_FATAL, "state folder %s: %s", copy, strerror(errno));
        *p = was;
        if (!was)
            break;
    }
    free(copy);
    return st;
}

static pen_status take_lock(struct pen_state *s, struct pen_error *err)
{
    char path[4096], text[64] = "";
    ssize_t n;
    snprintf(path, sizeof path, "%s/lock", s->path);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->lock_fd < 0)
        return pen_fail(err, PEN_FATAL, "%s: %s", path, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return pen_fail(err, PEN_FATAL, "%s: %s", path, strerror(errno));
        n = read(s->lock_fd, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return pen_fail(err, PEN_FATAL, "state folder %s is in use by process %s", s->path, text[0] ? text : "(unknown)");
    }
    n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, text, (size_t)n, 0) != n)
        return pen_fail(err, PEN_FATAL, "%s: %s", path, strerror(errno));
    return PEN_OK;
}

static pen_status set_seen(struct pen_state *s, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    for (size_t i = 0; i < s->n_seen; i++)
        if (strcmp(s->seen[i].key, key) == 0) {
            s->seen[i].pos = *pos;
            return PEN_OK;
        }
    if (s->n_seen == s->cap_seen) {
        size_t cap = s->cap_seen ? s->cap_seen * 2 : 16;
        struct seen *v = realloc(s->seen, cap * sizeof *v);
        if (!v)
            return pen_fail(err, PEN_FATAL, "out of memory");
        s->seen = v;
        s->cap_seen = cap;
    }
    s->seen[s->n_seen].key = strdup(key);
    if (!s->seen[s->n_seen].key)
        return pen_fail(err, PEN_FATAL, "out of memory");
    s->seen[s->n_seen++].pos = *pos;
    return PEN_OK;
}

/* A line: the position's words, a blank, the key. What does not read as that is passed over: it is a hint. */
static pen_status read_seen(struct pen_state *s, struct pen_error *err)
{
    char path[4096], *line = NULL;
    size_t cap = 0;
    ssize_t n;
    pen_status st = PEN_OK;
    FILE *f;
    snprintf(path, sizeof path, "%s/seen", s->path);
    f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: %s", path, strerror(errno));
    while (st >= 0 && (n = getline(&line, &cap, f)) > 0) {
        struct pen_position pos;
        char *blank = strchr(line, ' ');
        if (!blank || line[n - 1] != '\n')
            continue;
        *blank = line[n - 1] = '\0';
        if (pen_words_parse(line, &pos))
            st = set_seen(s, blank + 1, &pos, err);
    }
    free(line);
    fclose(f);
    return st;
}

pen_status pen_state_open(struct pen_state **out, const char *path, struct pen_error *err)
{
    struct pen_state *s = calloc(1, sizeof *s);
    pen_status st;
    *out = NULL;
    if (!s)
        return pen_fail(err, PEN_FATAL, "out of memory");
    s->lock_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    s->path = strdup(path);
    st = s->path ? make_folders(path, err) : pen_fail(err, PEN_FATAL, "out of memory");
    if (st >= 0)
        st = take_lock(s, err);
    if (st >= 0)
        st = read_seen(s, err);
    if (st < 0)
        pen_state_close(&s);
    *out = s;
    return st;
}

void pen_state_close(struct pen_state **state)
{
    struct pen_state *s = *state;
    if (!s)
        return;
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    sqlite3_close(s->db);
    for (size_t i = 0; i < s->n_seen; i++)
        free(s->seen[i].key);
    free(s->seen);
    free(s->path);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *state = NULL;
}

/* -- the database ------------------------------------------------------------------------------------------------------------------ */

static pen_status sql_failed(struct pen_state *s, struct pen_error *err)
{
    int e = s->db && (sqlite3_errcode(s->db) & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(s->db) : 0; /* "disk I/O error" alone says too little */
    return pen_fail(err, PEN_FATAL, "%s/state.db: %s%s%s", s->path, s->db ? sqlite3_errmsg(s->db) : "out of memory", e ? ": " : "",
                    e ? strerror(e) : "");
}

/* lock held. make false: PEN_SKIP where there is no database yet. */
static pen_status open_db(struct pen_state *s, bool make, struct pen_error *err)
{
    static const char setup[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN;" /* one fsync for both tables */
                                "CREATE TABLE IF NOT EXISTS position(key TEXT PRIMARY KEY, words TEXT NOT NULL) WITHOUT ROWID;"
                                "CREATE TABLE IF NOT EXISTS plan(sink TEXT PRIMARY KEY, id TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;"
                                "COMMIT;";
    char path[4096];
    if (s->db)
        return PEN_OK;
    snprintf(path, sizeof path, "%s/state.db", s->path);
    if (!make && access(path, F_OK) < 0)
        return PEN_SKIP;
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_exec(s->db, setup, NULL, NULL, NULL) != SQLITE_OK) {
        pen_status st = sql_failed(s, err);
        sqlite3_close(s->db);
        s->db = NULL;
        return st;
    }
    return PEN_OK;
}

static pen_status run_sql(struct pen_state *s, const char *sql, struct pen_error *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? PEN_OK : sql_failed(s, err);
}

static pen_status put_position(struct pen_state *s, sqlite3_stmt *q, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    char words[PEN_WORDS_TEXT];
    pen_words_format(words, pos);
    sqlite3_reset(q);
    if (sqlite3_bind_text(q, 1, key, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
        sqlite3_bind_text(q, 2, words, -1, SQLITE_TRANSIENT) != SQLITE_OK || sqlite3_step(q) != SQLITE_DONE)
        return sql_failed(s, err);
    return PEN_OK;
}

pen_status pen_state_shown(struct pen_state *s, const char *prefix, pen_state_each each, void *arg, struct pen_error *err)
{
    sqlite3_stmt *q = NULL;
    pen_status st;
    int rc = SQLITE_DONE;
    pthread_mutex_lock(&s->lock);
    st = open_db(s, false, err);
    if (st == PEN_OK && sqlite3_prepare_v2(s->db, "SELECT key, words FROM position WHERE substr(key, 1, length(?1)) = ?1", -1, &q, NULL) != SQLITE_OK)
        st = sql_failed(s, err);
    if (st == PEN_OK)
        sqlite3_bind_text(q, 1, prefix, -1, SQLITE_TRANSIENT);
    while (st == PEN_OK && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        struct pen_position pos;
        if (!pen_words_parse((const char *)sqlite3_column_text(q, 1), &pos))
            st = pen_fail(err, PEN_FATAL, "%s/state.db: the position of %s is damaged", s->path, (const char *)sqlite3_column_text(q, 0));
        else
            st = each(arg, (const char *)sqlite3_column_text(q, 0), &pos, err);
    }
    if (st == PEN_OK && rc != SQLITE_DONE)
        st = sql_failed(s, err);
    sqlite3_finalize(q);
    pthread_mutex_unlock(&s->lock);
    return st == PEN_SKIP ? PEN_OK : st;
}

pen_status pen_state_get(struct pen_state *s, const char *key, struct pen_position *pos, struct pen_error *err)
{
    sqlite3_stmt *q = NULL;
    pen_status st;
    int rc;
    pos->n = 0;
    pthread_mutex_lock(&s->lock);
    st = open_db(s, false, err);
    if (st == PEN_OK && sqlite3_prepare_v2(s->db, "SELECT words FROM position WHERE key = ?1", -1, &q, NULL) != SQLITE_OK)
        st = sql_failed(s, err);
    if (st == PEN_OK) {
        sqlite3_bind_text(q, 1, key, -1, SQLITE_TRANSIENT);
        rc = sqlite3_step(q);
        if (rc == SQLITE_ROW && !pen_words_parse((const char *)sqlite3_column_text(q, 0), pos))
            st = pen_fail(err, PEN_FATAL, "%s/state.db: the position of %s is damaged", s->path, key);
        else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            st = sql_failed(s, err);
    }
    sqlite3_finalize(q);
    pthread_mutex_unlock(&s->lock);
    return st == PEN_SKIP ? PEN_OK : st;
}

pen_status pen_state_save_plan(struct pen_state *s, const char *sink, const struct pen_plan *plan, struct pen_error *err)
{
    sqlite3_stmt *q = NULL;
    size_t n;
    void *body;
    pen_status st = pen_plan_pack(plan, &body, &n, err);
    if (st < 0)
        return st;
    pthread_mutex_lock(&s->lock);
    st = open_db(s, true, err);
    if (st >= 0 && (sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO plan VALUES(?1, ?2, ?3)", -1, &q, NULL) != SQLITE_OK ||
                    sqlite3_bind_text(q, 1, sink, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
                    sqlite3_bind_text(q, 2, plan->id, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
                    sqlite3_bind_blob64(q, 3, body, n, SQLITE_STATIC) != SQLITE_OK || sqlite3_step(q) != SQLITE_DONE))
        st = sql_failed(s, err);
    sqlite3_finalize(q);
    pthread_mutex_unlock(&s->lock);
    free(body);
    return st;
}

pen_status pen_state_load_plan(struct pen_state *s, const char *sink, struct pen_plan **out, struct pen_error *err)
{
    sqlite3_stmt *q = NULL;
    pen_status st;
    int rc;
    *out = NULL;
    pthread_mutex_lock(&s->lock);
    st = open_db(s, false, err);
    if (st == PEN_OK && sqlite3_prepare_v2(s->db, "SELECT id, body FROM plan WHERE sink = ?1", -1, &q, NULL) != SQLITE_OK)
        st = sql_failed(s, err);
    if (st == PEN_OK) {
        sqlite3_bind_text(q, 1, sink, -1, SQLITE_TRANSIENT);
        rc = sqlite3_step(q);
        if (rc == SQLITE_ROW)
            st = pen_plan_unpack((const char *)sqlite3_column_text(q, 0), sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1), out, err);
        else
            st = rc == SQLITE_DONE ? PEN_SKIP : sql_failed(s, err);
    }
    sqlite3_finalize(q);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static pen_status change_plan(struct pen_state *s, const char *sql, const char *sink, struct pen_error *err)
{
    sqlite3_stmt *q = NULL;
    pen_status st = PEN_OK;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK ||
        sqlite3_bind_text(q, 1, sink, -1, SQLITE_TRANSIENT) != SQLITE_OK || sqlite3_step(q) != SQLITE_DONE)
        st = sql_failed(s, err);
    sqlite3_finalize(q);
    return st;
}

static pen_status delete_plan(struct pen_state *s, const char *sink, struct pen_error *err)
{
    return change_plan(s, "DELETE FROM plan WHERE sink = ?1", sink, err);
}

pen_status pen_state_refuse_plan(struct pen_state *s, const char *sink, struct pen_error *err)
{
    pen_status st;
    pthread_mutex_lock(&s->lock);
    st = open_db(s, true, err);
    if (st >= 0)
        st = change_plan(s, "UPDATE plan SET id = '' WHERE sink = ?1", sink, err);
    pthread_mutex_unlock(&s->lock);
    return st;
}

pen_status pen_state_finish_plan(struct pen_state *s, const char *sink, const struct pen_plan *plan, struct pen_error *err)
{
    sqlite3_stmt *q = NULL;
    pen_status st;
    pthread_mutex_lock(&s->lock);
    st = open_db(s, true, err);
    if (st >= 0)
        st = run_sql(s, "BEGIN IMMEDIATE", err);
    if (st >= 0) {
        if (sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO position VALUES(?1, ?2)", -1, &q, NULL) != SQLITE_OK)
            st = sql_failed(s, err);
        for (size_t i = 0; st >= 0 && i < plan->n_moves; i++)
            st = put_position(s, q, plan->moves[i].key, &plan->moves[i].to, err);
        sqlite3_finalize(q);
        if (st >= 0)
            st = delete_plan(s, sink, err);
        if (st >= 0)
            st = run_sql(s, "COMMIT", err);
        if (st < 0)
            sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

pen_status pen_state_drop_plan(struct pen_state *s, const char *sink, struct pen_error *err)
{
    pen_status st;
    pthread_mutex_lock(&s->lock);
    st = open_db(s, false, err);
    if (st == PEN_OK)
        st = delete_plan(s, sink, err);
    pthread_mutex_unlock(&s->lock);
    return st == PEN_SKIP ? PEN_OK : st;
}

/* -- hints ------------------------------------------------------------------------------------------------------------------------ */

static pen_status write_seen(struct pen_state *s, struct pen_error *err)
{
    char path[4096], temp[4100];
    FILE *f;
    bool good;
    snprintf(path, sizeof path, "%s/seen", s->path);
    snprintf(temp, sizeof temp, "%s.tmp", path);
    f = fopen(temp, "we");
    if (!f)
        return pen_fail(err, PEN_FATAL, "%s: %s", temp, strerror(errno));
    for (size_t i = 0; i < s->n_seen; i++) {
        char words[PEN_WORDS_TEXT];
        pen_words_format(words, &s->seen[i].pos);
        fprintf(f, "%s %s\n", words, s->seen[i].key);
    }
    good = !ferror(f);
    if (fclose(f) != 0 || !good || rename(temp, path) < 0)
        return pen_fail(err, PEN_FATAL, "%s: %s", path, strerror(errno));
    s->dirty = false;
    return PEN_OK;
}

pen_status pen_state_remember(struct pen_state *s, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    pen_status st;
    int64_t now = pen_now(NULL);
    pthread_mutex_lock(&s->lock);
    st = set_seen(s, key, pos, err);
    s->dirty = true;
    if (st >= 0 && now - s->flushed > FLUSH_EVERY) {
        s->flushed = now;
        st = write_seen(s, err);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

pen_status pen_state_remembered(struct pen_state *s, const char *key, struct pen_position *pos, struct pen_error *err)
{
    (void)err;
    pos->n = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_seen; i++)
        if (strcmp(s->seen[i].key, key) == 0)
            *pos = s->seen[i].pos;
    pthread_mutex_unlock(&s->lock);
    return PEN_OK;
}

pen_status pen_state_flush(struct pen_state *s, struct pen_error *err)
{
    pen_status st;
    pthread_mutex_lock(&s->lock);
    st = s->dirty ? write_seen(s, err) : PEN_OK;
    pthread_mutex_unlock(&s->lock);
    return st;
}
