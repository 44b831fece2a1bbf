/* cursor.c - see cursor.h. A partition's records are found by way of the commit log: the newest log file that begins at or before the offset,
 * the commit in it that holds the offset, the piece, the block. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "cursor.h"
#include "io.h"

void cursor_init(struct cursor *c, struct journal *j, uint32_t partition, uint64_t at)
{
    memset(c, 0, sizeof *c);
    c->j = j;
    c->partition = partition;
    c->at = at;
    c->log = c->segment = -1;
}

static void leave_log(struct cursor *c)
{
    if (c->log >= 0)
        close(c->log);
    c->log = -1;
    free(c->body);
    c->body = NULL;
    c->pieces_left = 0;
}
static void leave_piece(struct cursor *c)
{
    c->piece.records = 0;
    c->walk.next = c->walk.records = 0;
}

void cursor_fini(struct cursor *c)
{
    leave_log(c);
    if (c->segment >= 0)
        close(c->segment);
    c->segment = -1;
    free(c->block);
    c->block = NULL;
    c->block_size = 0;
    leave_piece(c);
}

void cursor_seek(struct cursor *c, uint64_t at)
{
    if (at == c->at)
        return;
    leave_log(c);
    leave_piece(c);
    c->at = at;
}

static pen_status damaged(const struct cursor *c, const char *file, uint64_t at, const char *what, struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "journal %s: %s is damaged at byte %" PRIu64 ": %s", c->j->path, file, at, what);
}

/* -- the commit log -------------------------------------------------------------------------------------------------------------------- */

static pen_status next_record(struct cursor *c, struct jf_record *r, struct pen_error *err)
{
    struct stat st;
    pen_status got;
    free(c->body);
    c->body = NULL;
    if (fstat(c->log, &st) < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot look at %s: %s", c->j->path, c->log_name, strerror(errno));
    if (c->log_at >= (uint64_t)st.st_size)
        return PEN_SKIP;
    got = journal_read_record(c->log, c->log_at, (uint64_t)st.st_size, c->sequence + 1, r, &c->body, err);
    if (got == PEN_SKIP)
        return damaged(c, c->log_name, c->log_at, "no commit record", err);
    if (got == PEN_OK) {
        c->sequence = r->sequence;
        c->log_at += JF_RECORD_HEADER + jf_padded(r->body);
    }
    return got;
}

/* Opens a log file and reads its snapshot; PEN_SKIP where it is not there (any more). */
static pen_status open_log(struct cursor *c, uint64_t records, uint64_t sequence, struct jf_snapshot *s, struct pen_error *err)
{
    struct jf_record r;
    pen_status st;
    int fd;
    journal_log_name(c->log_name, records, sequence);
    fd = openat(c->j->dir, c->log_name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? PEN_SKIP
                               : pen_fail(err, PEN_FATAL, "journal %s: cannot open %s: %s", c->j->path, c->log_name, strerror(errno));
    leave_log(c);
    c->log = fd;
    c->log_at = 0;
    c->sequence = sequence - 1;
    c->records = records;
    st = next_record(c, &r, err);
    if (st < 0)
        return st;
    if (st == PEN_SKIP || r.type != JF_SNAPSHOT || !jf_snapshot_get(c->body, r.body, s) || s->partitions <= c->partition)
        return damaged(c, c->log_name, 0, "no snapshot", err);
    return PEN_OK;
}

struct before {
    uint64_t below;             /* look for a log file with a lower sequence than this */
    uint64_t records, sequence; /* the highest such */
};
static pen_status note_before(void *arg, const char *name, struct pen_error *err)
{
    struct before *b = arg;
    uint64_t records, sequence;
    (void)err;
    if (journal_parse_log_name(name, &records, &sequence) && sequence < b->below && sequence > b->sequence) {
        b->sequence = sequence;
        b->records = records;
    }
    return PEN_OK;
}

/* The log file to begin with. PEN_SKIP where all that are left begin behind the offset. */
static pen_status find_log(struct cursor *c, struct pen_error *err)
{
    struct before b = { UINT64_MAX, 0, 0 };
    for (;;) {
        struct jf_snapshot s;
        pen_status st;
        b.sequence = 0;
        st = journal_list(c->j->dir, note_before, &b, err);
        if (st < 0 || b.sequence == 0)
            return st < 0 ? st : PEN_SKIP;
        st = open_log(c, b.records, b.sequence, &s, err);
        if (st < 0 || (st == PEN_OK && s.end[c->partition] <= c->at))
            return st;
        leave_log(c);
        b.below = b.sequence;
    }
}

/* The next commit of the log, also in the file that follows. PEN_SKIP at its end. */
static pen_status next_commit(struct cursor *c, struct pen_error *err)
{
    for (;;) {
        struct jf_record r;
        struct jf_snapshot s;
        uint64_t before = c->log_at;
        struct jf_commit walk;
        pen_status st = next_record(c, &r, err);
        if (st == PEN_SKIP) {
            st = open_log(c, c->records, c->sequence + 1, &s, err);
            if (st != PEN_OK)
                return st;
            continue;
        }
        if (st < 0)
            return st;
        if (r.type == JF_TRIM)
            continue;
        if (r.type != JF_COMMIT || !jf_commit_get(c->body, r.body, &c->commit))
            return damaged(c, c->log_name, before, "no commit", err);
        c->pieces_left = c->commit.n_pieces;
        walk = c->commit;
        for (uint32_t i = 0; i < walk.n_pieces; i++) {
            struct jf_piece p;
            jf_piece_next(&walk, &p);
            c->records += p.records;
        }
        return PEN_OK;
    }
}

/* -- segment files ----------------------------------------------------------------------------------------------------------------------- */

static pen_status open_segment(struct cursor *c, uint64_t number, struct pen_error *err)
{
    char name[NAME_SIZE];
    uint8_t head[JF_FILE_HEADER];
    struct jf_segment_header h;
    if (c->segment >= 0 && c->segment_number == number)
        return PEN_OK;
    if (c->segment >= 0)
        close(c->segment);
    journal_segment_name(name, number);
    c->segment = openat(c->j->dir, name, O_RDONLY | O_CLOEXEC);
    c->segment_number = number;
    if (c->segment < 0)
        return errno == ENOENT ? PEN_SKIP : pen_fail(err, PEN_FATAL, "journal %s: cannot open %s: %s", c->j->path, name, strerror(errno));
    if (jio_read(c->segment, head, sizeof head, 0) == (ssize_t)sizeof head && jf_segment_header_get(head, &h) && h.number == number &&
        h.partition == c->partition && memcmp(h.id, c->j->id, JF_ID_SIZE) == 0) {
        posix_fadvise(c->segment, 0, 0, POSIX_FADV_SEQUENTIAL);
        return PEN_OK;
    }
    close(c->segment);
    c->segment = -1;
    return damaged(c, name, 0, "no header of this journal's segment", err);
}

/* The piece that holds c->at. */
static pen_status find_piece(struct cursor *c, struct pen_error *err)
{
    bool again = false;
    pen_status st = PEN_OK;
    for (;;) {
        if (c->log < 0 && (st = find_log(c, err)) != PEN_OK)
            return st;
        while (c->pieces_left > 0) {
            jf_piece_next(&c->commit, &c->piece);
            c->pieces_left--;
            if (c->piece.partition != c->partition || c->piece.first + c->piece.records <= c->at)
                continue;
            if (c->piece.first > c->at) {
                c->piece.records = 0;
                return damaged(c, c->log_name, c->log_at, "the commits before this byte leave a gap", err);
            }
            st = open_segment(c, c->piece.segment, err);
            if (st != PEN_OK)
                c->piece.records = 0;
            return st;
        }
        c->piece.records = 0;
        st = next_commit(c, err);
        if (st < 0)
            return st;
        if (st == PEN_SKIP && again)
            return damaged(c, c->log_name, c->log_at, "the log ends before what it has committed", err);
        if (st == PEN_SKIP) /* perhaps the file that follows has been removed meanwhile */
            leave_log(c);
        again = st == PEN_SKIP;
    }
}

static pen_status block_error(struct cursor *c, const char *what, struct pen_error *err)
{
    char name[NAME_SIZE];
    journal_segment_name(name, c->piece.segment);
    return damaged(c, name, c->piece.from, what, err);
}

static pen_status load_body(struct cursor *c, const struct jf_block *b, struct pen_error *err)
{
    ssize_t got;
    if (b->body > c->block_size) {
        struct stat st;
        uint8_t *p;
        if (fstat(c->segment, &st) == 0 && (uint64_t)st.st_size < c->piece.from + JF_BLOCK_HEADER + b->body)
            return block_error(c, "the file ends within a block", err);
        p = realloc(c->block, b->body);
        if (!p)
            return pen_fail(err, PEN_FATAL, "out of memory");
        c->block = p;
        c->block_size = b->body;
    }
    got = jio_read(c->segment, c->block, b->body, c->piece.from + JF_BLOCK_HEADER);
    if (got < 0)
        return pen_fail(err, PEN_FATAL, "journal %s: cannot read segment %" PRIu64 ": %s", c->j->path, c->piece.segment, strerror(errno));
    if ((uint64_t)got < b->body)
        return block_error(c, "the file ends within a block", err);
    if (pen_crc32c(0, c->block, b->body) != b->body_crc)
        return block_error(c, "the checksum of a block does not match", err);
    return jf_block_walk(b, c->block, &c->walk) ? PEN_OK : block_error(c, "the sizes in a block do not add up", err);
}

/* Reads on to the block of the piece that holds c->at, and in it to the record. */
static pen_status load_block(struct cursor *c, struct pen_error *err)
{
    while (c->piece.records > 0) {
        uint8_t head[JF_BLOCK_HEADER];
        struct jf_message skipped;
        struct jf_block b;
        bool here;
        pen_status st = PEN_OK;
        ssize_t got = jio_read(c->segment, head, sizeof head, c->piece.from);
        if (got < 0)
            return pen_fail(err, PEN_FATAL, "journal %s: cannot read segment %" PRIu64 ": %s", c->j->path, c->piece.segment, strerror(errno));
        if (got != (ssize_t)sizeof head || !jf_block_get(head, &b) || b.segment != c->piece.segment || b.records > c->piece.records ||
            b.body > c->piece.to - c->piece.from || c->piece.to - c->piece.from < sizeof head + jf_padded(b.body))
            return block_error(c, "no block where one was committed", err);
        here = c->piece.first + b.records > c->at;
        if (here)
            st = load_body(c, &b, err);
        if (st < 0)
            return st;
        while (here && c->piece.first + c->walk.next < c->at)
            jf_walk_next(&c->walk, &skipped);
        c->piece.from += sizeof head + jf_padded(b.body);
        c->piece.first += b.records;
        c->piece.records -= b.records;
        if (here)
            return PEN_OK;
    }
    return block_error(c, "fewer records than were committed", err);
}

pen_status cursor_next(struct cursor *c, struct jf_message *m, struct pen_error *err)
{
    while (c->walk.next == c->walk.records) {
        pen_status st = c->piece.records > 0 ? PEN_OK : find_piece(c, err);
        if (st == PEN_OK)
            st = load_block(c, err);
        if (st != PEN_OK) {
            leave_piece(c);
            leave_log(c);
            return st;
        }
    }
    jf_walk_next(&c->walk, m);
    c->at++;
    return PEN_OK;
}
