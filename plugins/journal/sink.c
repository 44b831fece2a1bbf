/* sink.c - the writing end. Lanes append blocks to segment files of their own (writer.c); publishing makes one record of a commit, which gives the
 * staged ranges their offsets and moves the positions. So every byte is written once. A small commit is sealed: its record stands behind its last
 * block, and one sync of that file makes both durable (seal.c). Of a larger one the lanes sync their files while they stage, and publishing syncs
 * the log. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "sink.h"

/* -- the instance ------------------------------------------------------------------------------------------------------------------- */

static pen_status sink_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct sink *s = ctx;
    s->host = host;
    if (journal_check_options(&s->o, err) < 0)
        return PEN_BADCONF;
    if (s->o.retention_bytes && s->o.segment_size > s->o.retention_bytes / 8)
        s->o.segment_size = s->o.retention_bytes / 8; /* else whole files could not keep it below the limit */
    return PEN_OK;
}

static void sink_stop(void *ctx)
{
    struct sink *s = ctx;
    if (s->j)
        journal_release(s->j);
    journal_close(&s->j);
}

static pen_status sink_want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err)
{
    (void)ctx, (void)in;
    return pen_schema_raw(want, err);
}

static pen_status sink_prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    struct sink *s = ctx;
    return pen_schema_is_raw(in) ? PEN_OK : pen_fail(err, PEN_BADCONF, "journal %s: takes raw messages only", s->o.path);
}

static pen_status sink_open(void *ctx, struct pen_error *err)
{
    struct sink *s = ctx;
    pen_status st = journal_open(&s->j, &s->o, s->host, true, err);
    if (st == PEN_OK && (st = journal_acquire(s->j, s->host, err)) < 0)
        journal_close(&s->j);
    return st;
}

static pen_status sink_shown(void *ctx, const char *prefix,
                             pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                             struct pen_error *err)
{
    struct sink *s = ctx;
    struct journal *j = s->j;
    size_t n = strlen(prefix);
    pen_status st = PEN_OK;
    pthread_mutex_lock(&j->publishing);
    for (size_t i = 0; i < j->n_positions && st >= 0; i++)
        if (strncmp(j->positions[i].key, prefix, n) == 0)
            st = each(arg, j->positions[i].key, &j->positions[i].at, err);
    pthread_mutex_unlock(&j->publishing);
    return st < 0 ? st : PEN_OK;
}

/* -- publishing ------------------------------------------------------------------------------------------------------------------------ */

void pieces_let_go(struct journal *j, const struct staged_piece *pieces, size_t n)
{
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < n; i++) {
        struct segment *s = state_segment(j, pieces[i].segment);
        if (s && s->pending > 0)
            s->pending--;
    }
    pthread_mutex_unlock(&j->lock);
}

static struct staged_head head_of(const struct pen_staged *staged)
{
    struct staged_head head = { 0 };
    if (staged->bytes)
        memcpy(&head, staged->bytes, sizeof head);
    return head;
}

static struct staged_piece piece_of(const struct pen_staged *staged, uint64_t k)
{
    struct staged_piece p;
    memcpy(&p, staged->bytes + sizeof(struct staged_head) + k * sizeof p, sizeof p);
    return p;
}

/* Walks the pieces of one lane. */
static void each_piece(const struct pen_staged *staged, void (*each)(void *arg, const struct staged_piece *p), void *arg)
{
    struct staged_head head = head_of(staged);
    for (uint64_t k = 0; k < head.pieces; k++) {
        struct staged_piece p = piece_of(staged, k);
        each(arg, &p);
    }
}

/* Walks the pieces of all lanes. */
static void each_staged(const struct pen_plan *plan, void (*each)(void *arg, const struct staged_piece *p), void *arg)
{
    for (size_t i = 0; i < plan->n_staged; i++)
        each_piece(&plan->staged[i], each, arg);
}

struct pieces {
    struct journal *j;
    struct jf_out *out;
    uint64_t end[JF_PARTITIONS];
    uint64_t bytes;
    uint32_t n;
};
static void count_piece(void *arg, const struct staged_piece *p)
{
    struct pieces *c = arg;
    c->bytes += p->to - p->from;
    c->n++;
}
static void put_piece(void *arg, const struct staged_piece *p)
{
    struct pieces *c = arg;
    struct jf_piece piece = { p->segment, p->from, p->to, c->end[p->partition], p->records, p->partition };
    jf_piece_put(c->out, &piece);
    c->end[p->partition] += p->records;
}

/* Whether every partition of the plan still shows its base. publishing held. */
static bool bases_hold(struct sink *s, const struct pen_plan *plan)
{
    for (size_t i = 0; i < plan->n_moves; i++) {
        const struct pen_move *m = &plan->moves[i];
        const struct pen_position *at = state_position(s->j, m->key);
        if (at ? m->base.n == 0 || pen_position_compare(at, &m->base) != 0 : m->base.n != 0) {
            pen_log(s->host, PEN_LOG_WARN, "journal %s: %s has moved since the plan began", s->o.path, m->key);
            return false;
        }
    }
    return true;
}

/* Where the commit may be sealed: behind the last piece of the plan. False where that has no room. */
static bool find_room(const struct pen_plan *plan, struct jf_seal *out)
{
    for (size_t i = plan->n_staged; i-- > 0;) {
        struct staged_head head = head_of(&plan->staged[i]);
        if (head.pieces == 0)
            continue;
        *out = (struct jf_seal){ .segment = piece_of(&plan->staged[i], head.pieces - 1).segment, .at = head.seal_at, .blocks_crc = head.blocks_crc };
        return head.seal_at != 0;
    }
    return false;
}

/* Syncs what stage() has left unsynced, but for one segment; 0: for none. */
static pen_status sync_staged(struct sink *s, const struct pen_plan *plan, uint64_t except, struct pen_error *err)
{
    for (size_t i = 0; i < plan->n_staged; i++) {
        struct staged_head head = head_of(&plan->staged[i]);
        uint64_t last = except;
        for (uint64_t k = 0; head.seal_at && k < head.pieces; k++) {
            struct staged_piece p = piece_of(&plan->staged[i], k);
            if (p.segment != except && p.segment != last && segment_sync(s->j, p.segment, err) < 0)
                return PEN_FATAL;
            last = p.segment;
        }
    }
    return PEN_OK;
}

static pen_status make_durable(struct sink *s, const struct pen_plan *plan, const struct jf_out *body, struct pen_error *err)
{
    struct jf_seal seal;
    bool sealed = s->o.fsync && !s->j->loose && !body->failed && seal_fits(body) && find_room(plan, &seal);
    pen_status st = sync_staged(s, plan, sealed ? seal.segment : 0, err);
    if (st == PEN_OK && sealed)
        st = seal_write(s->j, &seal, body, err);
    if (st == PEN_OK && sealed && (st = pen_failpoint("journal.sealed", err)) < 0)
        s->j->broken = true; /* committed, and the log does not say so */
    return st < 0 ? st : journal_append(s->j, JF_COMMIT, body, sealed ? LOG_SEALED : s->o.fsync ? LOG_SYNCED : LOG_LOOSE, err);
}

static pen_status append_commit(struct sink *s, const struct pen_plan *plan, const struct pieces *counted, struct pen_error *err)
{
    struct jf_out body = { 0 };
    struct pieces put = { .j = s->j, .out = &body };
    pen_status st;
    memcpy(put.end, s->j->end, sizeof put.end);
    jf_out_bytes(&body, plan->id, strlen(plan->id));
    jf_out64(&body, (uint64_t)pen_wall_clock(s->host));
    jf_out32(&body, (uint32_t)plan->n_moves);
    jf_out32(&body, counted->n);
    for (size_t i = 0; i < plan->n_moves; i++) {
        const struct pen_move *m = &plan->moves[i];
        struct jf_move move = { m->key, strlen(m->key), m->base, m->to };
        jf_move_put(&body, &move);
    }
    each_staged(plan, put_piece, &put);
    st = pen_failpoint("journal.before-commit", err);
    if (st == PEN_OK)
        st = make_durable(s, plan, &body, err);
    jf_out_free(&body);
    return st;
}

static void let_go_staged(void *arg, const struct staged_piece *p)
{
    pieces_let_go(arg, p, 1);
}

/* publishing held. */
static pen_status publish(struct sink *s, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct pieces counted = { .j = s->j };
    bool room;
    pen_status st;
    *outcome = PEN_PUBLISH_DONE;
    s->before_known = false;
    if (state_knows_plan(s->j, plan->id))
        return PEN_OK;
    *outcome = PEN_PUBLISH_REFUSED;
    if (!bases_hold(s, plan))
        return PEN_OK;
    *outcome = PEN_PUBLISH_UNKNOWN;
    each_staged(plan, count_piece, &counted);
    st = counted.n ? retention_room(s->j, &s->o, s->host, counted.bytes, &room, err) : PEN_OK;
    if (st < 0 || (counted.n && !room))
        return st;
    memcpy(s->before, s->j->end, sizeof s->before);
    st = append_commit(s, plan, &counted, err);
    if (st < 0)
        return st;
    s->before_known = true;
    each_staged(plan, let_go_staged, s->j);
    *outcome = PEN_PUBLISH_DONE;
    pen_count(s->host, "commits_total", NULL, 1);
    return pen_failpoint("journal.committed", err);
}

/* With a full journal (full = wait) it answers "unknown", about every tenth of a second, so that the engine asks again: nothing has
 * happened, and nothing is lost by waiting. */
static pen_status sink_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct sink *s = ctx;
    pen_status st;
    pthread_mutex_lock(&s->j->publishing);
    st = publish(s, plan, outcome, err);
    pthread_mutex_unlock(&s->j->publishing);
    return st;
}

static void count_records(void *arg, const struct staged_piece *p)
{
    ((uint64_t *)arg)[p->partition] += p->records;
}

static pen_status sink_stored(void *ctx, const struct pen_plan *plan, size_t staged, int64_t first, int64_t n, struct pen_stored *out,
                              struct pen_error *err)
{
    const struct sink *s = ctx;
    const char *bytes = plan->staged[staged].bytes;
    struct staged_head head = head_of(&plan->staged[staged]);
    uint64_t base[JF_PARTITIONS];
    (void)err;
    if (!s->before_known)
        return PEN_SKIP;
    memcpy(base, s->before, sizeof base);
    for (size_t i = 0; i < staged; i++) /* lanes follow one another, see each_staged() */
        each_piece(&plan->staged[i], count_records, base);
    return stored_places((const struct stored_run *)(const void *)(bytes + sizeof head + head.pieces * sizeof(struct staged_piece)), (size_t)head.runs,
                         base, first, n, out);
}

static void sink_discard(void *ctx, const struct pen_staged *staged)
{
    struct sink *s = ctx;
    struct pen_plan plan = { .staged = staged, .n_staged = 1 };
    each_staged(&plan, let_go_staged, s->j); /* the bytes go with their file */
}

static pen_status sink_maintain(void *ctx, struct pen_error *err)
{
    struct sink *s = ctx;
    pen_status st;
    pthread_mutex_lock(&s->j->publishing);
    st = retention_trim(s->j, &s->o, s->host, err);
    if (st == PEN_OK)
        st = journal_tend_log(s->j, s->o.fsync, err);
    pthread_mutex_unlock(&s->j->publishing);
    return st;
}

const struct pen_sink journal_sink = {
    .ctx_size = sizeof(struct sink),
    .options = journal_options,
    .start = sink_start,
    .stop = sink_stop,
    .want = sink_want,
    .prepare = sink_prepare,
    .open = sink_open,
    .shown = sink_shown,
    .guarantee = "exactly once",
    .writer_open = writer_open,
    .writer_close = writer_close,
    .write = writer_write,
    .held = writer_held,
    .written = writer_written,
    .stage = writer_stage,
    .abandon = writer_abandon,
    .publish = sink_publish,
    .stored = sink_stored,
    .discard = sink_discard,
    .maintain = sink_maintain,
};
