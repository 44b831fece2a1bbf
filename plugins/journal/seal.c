/* seal.c - sealed commits: a commit that lies in a segment, right behind its blocks, is durable by the one sync that its blocks need. The log gets the
 * same record without a sync, and may lose it with the power; then it is found here again. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"
#include "io.h"
#include "log.h"

/* -- writing ---------------------------------------------------------------------------------------------------------------------------- */

static pen_status segment_error(struct journal *j, uint64_t number, const char *what, struct pen_error *err)
{
    char name[NAME_SIZE];
    int why = errno;
    journal_segment_name(name, number);
    return pen_fail(err, PEN_FATAL, "journal %s: cannot %s %s: %s", j->path, what, name, strerror(why));
}

static int open_segment(struct journal *j, uint64_t number, int flags)
{
    char name[NAME_SIZE];
    journal_segment_name(name, number);
    return openat(j->dir, name, flags | O_CLOEXEC);
}

static pen_status sync_and_close(struct journal *j, uint64_t number, int fd, struct pen_error *err)
{
    pen_status st = PEN_OK;
    if (jio_sync(fd) < 0) {
        j->broken = true;
        st = segment_error(j, number, "sync", err);
    }
    close(fd);
    return st;
}

pen_status segment_sync(struct journal *j, uint64_t number, struct pen_error *err)
{
    int fd = open_segment(j, number, O_RDONLY);
    return fd < 0 ? segment_error(j, number, "open", err) : sync_and_close(j, number, fd, err);
}

bool seal_fits(const struct jf_out *body)
{
    return jf_padded(body->n) <= JF_SEAL_ROOM - JF_SEAL_HEADER - JF_RECORD_HEADER;
}

pen_status seal_write(struct journal *j, struct jf_seal *s, const struct jf_out *body, struct pen_error *err)
{
    uint8_t bytes[JF_SEAL_ROOM] = { 0 }, *record = bytes + JF_SEAL_HEADER;
    struct iovec v = { bytes, sizeof bytes };
    int fd;
    if (j->broken)
        return journal_is_broken(j, err);
    s->record = JF_RECORD_HEADER + (uint32_t)jf_padded(body->n);
    jf_seal_put(bytes, s);
    jf_record_put(record, &(struct jf_record){ JF_COMMIT, j->sequence + 1, (uint32_t)body->n, pen_crc32c(0, body->p, body->n) });
    memcpy(record + JF_RECORD_HEADER, body->p, body->n);
    fd = open_segment(j, s->segment, O_RDWR);
    if (fd < 0)
        return segment_error(j, s->segment, "open", err);
    if (jio_write(fd, &v, 1, s->at) < 0) {
        segment_error(j, s->segment, "write", err);
        close(fd);
        j->broken = true; /* what was written of it may be all that counts */
        return PEN_FATAL;
    }
    return sync_and_close(j, s->segment, fd, err);
}

/* -- walking what lies behind the committed part of a segment ----------------------------------------------------------------------------- */

struct found { /* a record that the log should have */
    struct jf_record r;
    uint8_t *body;
};
struct mending {
    struct journal *j;
    struct found *v;
    size_t n, cap;
};

/* Takes body, also on failure. */
static pen_status add_found(struct mending *m, const struct jf_record *r, uint8_t *body, struct pen_error *err)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 16;
        struct found *v = realloc(m->v, cap * sizeof *v);
        if (!v) {
            free(body);
            return pen_fail(err, PEN_FATAL, "out of memory");
        }
        m->v = v;
        m->cap = cap;
    }
    m->v[m->n++] = (struct found){ *r, body };
    return PEN_OK;
}

/* The header of a block of this segment that lies whole before `end`. */
static bool block_at(int fd, uint64_t number, uint64_t at, uint64_t end, uint8_t head[JF_BLOCK_HEADER], struct jf_block *b)
{
    return at <= end && end - at >= JF_BLOCK_HEADER && jio_read(fd, head, JF_BLOCK_HEADER, at) == JF_BLOCK_HEADER && jf_block_get(head, b) &&
           b->segment == number && jf_padded(b->body) <= end - at - JF_BLOCK_HEADER;
}

static bool body_is_whole(int fd, uint64_t at, const struct jf_block *b)
{
    uint8_t *body = malloc(b->body);
    bool whole = body && jio_read(fd, body, b->body, at + JF_BLOCK_HEADER) == (ssize_t)b->body && pen_crc32c(0, body, b->body) == b->body_crc;
    free(body);
    return whole;
}

/* Whether the blocks of one piece are those that were there when the seal was made; *crc goes on over their headers. */
static bool piece_is_whole(int fd, const struct jf_piece *p, uint32_t *crc)
{
    uint64_t at = p->from, records = 0;
    while (at < p->to) {
        uint8_t head[JF_BLOCK_HEADER];
        struct jf_block b;
        if (!block_at(fd, p->segment, at, p->to, head, &b) || !body_is_whole(fd, at, &b))
            return false;
        *crc = pen_crc32c(*crc, head, sizeof head);
        records += b.records;
        at += sizeof head + jf_padded(b.body);
    }
    return records == p->records;
}

/* A seal counts only with all of its blocks in this segment; those in others were durable before it was written. */
static bool seal_holds(int fd, const struct jf_seal *s, const uint8_t *body, size_t n)
{
    struct jf_commit c;
    uint64_t end = 0;
    uint32_t crc = 0;
    if (!jf_commit_get(body, n, &c))
        return false;
    for (uint32_t i = 0; i < c.n_pieces; i++) {
        struct jf_piece p;
        jf_piece_next(&c, &p);
        if (p.segment == s->segment && !piece_is_whole(fd, &p, &crc))
            return false;
        end = p.segment == s->segment ? p.to : 0;
    }
    return end == s->at && crc == s->blocks_crc;
}

/* Whether a seal stands at `at`; if the log does not have its commit yet, and it holds, that is noted. m may be NULL. */
static pen_status look_for_seal(int fd, uint64_t number, uint64_t at, struct mending *m, bool *found, struct pen_error *err)
{
    uint8_t head[JF_SEAL_HEADER], record[JF_RECORD_HEADER], *body;
    struct jf_seal s;
    struct jf_record r;
    pen_status st;
    *found = jio_read(fd, head, sizeof head, at) == (ssize_t)sizeof head && jf_seal_get(head, &s) && s.segment == number && s.at == at &&
             jio_read(fd, record, sizeof record, at + sizeof head) == (ssize_t)sizeof record && jf_record_get(record, &r) && r.type == JF_COMMIT;
    if (!*found || !m || r.sequence <= m->j->sequence)
        return PEN_OK;
    st = journal_read_record(fd, at + sizeof head, at + sizeof head + s.record, r.sequence, &r, &body, err);
    if (st != PEN_OK)
        return st < 0 ? st : PEN_OK;
    if (seal_holds(fd, &s, body, r.body))
        return add_found(m, &r, body, err);
    free(body);
    return PEN_OK;
}

static bool is_zero(int fd, uint64_t at)
{
    static const uint8_t zeros[8];
    uint8_t bytes[8];
    return jio_read(fd, bytes, sizeof bytes, at) == (ssize_t)sizeof bytes && memcmp(bytes, zeros, sizeof bytes) == 0;
}

/* Goes over blocks, seals and the unused room of seals; what is none of these ends it, as nothing behind it has been answered. *blocks: their bytes. */
static pen_status walk(int fd, uint64_t number, uint64_t at, uint64_t size, struct mending *m, uint64_t *blocks, struct pen_error *err)
{
    uint64_t unused = 0;
    *blocks = 0;
    while (at < size && unused <= JF_SEAL_ROOM) {
        uint8_t head[JF_BLOCK_HEADER];
        struct jf_block b;
        bool sealed;
        if (block_at(fd, number, at, size, head, &b)) {
            at += sizeof head + jf_padded(b.body);
            *blocks += sizeof head + jf_padded(b.body);
            unused = 0;
            continue;
        }
        if (look_for_seal(fd, number, at, m, &sealed, err) < 0)
            return PEN_FATAL;
        if (!sealed && !is_zero(fd, at)) {
            *blocks += size - at;
            break;
        }
        at += sealed ? JF_SEAL_ROOM : 8;
        unused = sealed ? 0 : unused + 8;
    }
    return PEN_OK;
}

uint64_t segment_leftovers(int fd, uint64_t number, uint64_t at, uint64_t size)
{
    uint64_t blocks;
    walk(fd, number, at, size, NULL, &blocks, NULL);
    return blocks;
}

/* -- mending ---------------------------------------------------------------------------------------------------------------------------------- */

/* Sealed commits of one segment file, which the log may not know at all. They may lie in memory only, where a process was killed before its sync. */
static pen_status search_segment(void *arg, const char *name, struct pen_error *err)
{
    struct mending *m = arg;
    const struct segment *known;
    struct jf_segment_header h;
    uint8_t head[JF_FILE_HEADER];
    uint64_t number, size = 0, blocks;
    size_t before = m->n;
    pen_status st = PEN_OK;
    int fd;
    if (!journal_parse_segment_name(name, &number))
        return PEN_OK;
    fd = openat(m->j->dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? PEN_OK : segment_error(m->j, number, "open", err);
    known = state_segment(m->j, number);
    if (log_file_size(m->j, fd, name, &size, err) < 0)
        st = PEN_FATAL;
    else if (jio_read(fd, head, sizeof head, 0) == (ssize_t)sizeof head && jf_segment_header_get(head, &h) && h.number == number &&
             memcmp(h.id, m->j->id, JF_ID_SIZE) == 0)
        st = walk(fd, number, known ? known->is.committed : JF_FILE_HEADER, size, m, &blocks, err);
    if (st == PEN_OK && m->n > before && jio_sync(fd) < 0)
        st = segment_error(m->j, number, "sync", err);
    close(fd);
    return st;
}

/* Records of the log behind a hole that the power loss left in it. */
static pen_status search_tail(struct mending *m, uint64_t size, struct pen_error *err)
{
    struct journal *j = m->j;
    uint64_t at = j->log_at;
    for (;;) {
        struct jf_record r;
        uint8_t *body;
        pen_status st = log_find_record(j, &at, size, &r, &body, err);
        if (st == PEN_OK)
            st = add_found(m, &r, body, err);
        if (st != PEN_OK)
            return st < 0 ? st : PEN_OK;
        at += JF_RECORD_HEADER + jf_padded(r.body);
    }
}

static int by_sequence(const void *a, const void *b)
{
    uint64_t x = ((const struct found *)a)->r.sequence, y = ((const struct found *)b)->r.sequence;
    return x < y ? -1 : x > y;
}

/* Everything that was found goes on from what the log has, one by one; else something is lost that had been answered. */
static bool leaves_no_gap(const struct mending *m)
{
    uint64_t last = m->j->sequence;
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].r.type == JF_SNAPSHOT || m->v[i].r.sequence > last + 1)
            return false;
        last = m->v[i].r.sequence;
    }
    return true;
}

static pen_status append_found(struct mending *m, const struct pen_host *host, struct pen_error *err)
{
    struct journal *j = m->j;
    uint64_t before = j->sequence;
    pen_status st = log_cut(j, err);
    for (size_t i = 0; i < m->n && st == PEN_OK; i++) {
        struct jf_out body = { .p = m->v[i].body, .n = m->v[i].r.body };
        if (m->v[i].r.sequence == j->sequence + 1)
            st = journal_append(j, m->v[i].r.type, &body, LOG_SEALED, err);
    }
    if (st == PEN_OK)
        st = log_sync(j, err);
    if (st == PEN_OK)
        pen_log(host, PEN_LOG_INFO, "journal %s: %" PRIu64 " commits were missing in its log, as a power loss leaves it, and have been found in its segments",
                j->path, j->sequence - before);
    return st;
}

pen_status journal_mend(struct journal *j, const struct pen_host *host, uint64_t *torn, struct pen_error *err)
{
    struct mending m = { .j = j };
    pen_status st = *torn ? search_tail(&m, j->log_at + *torn, err) : PEN_OK;
    if (st == PEN_OK && j->version >= 2)
        st = journal_list(j->dir, search_segment, &m, err);
    if (m.n)
        qsort(m.v, m.n, sizeof *m.v, by_sequence);
    if (st == PEN_OK && !leaves_no_gap(&m))
        st = log_damaged(j, j->log_at, "no commit record, but valid ones follow", err);
    if (st == PEN_OK && m.n && (st = append_found(&m, host, err)) == PEN_OK)
        *torn = 0;
    for (size_t i = 0; i < m.n; i++)
        free(m.v[i].body);
    free(m.v);
    return st;
}
