/* stream.c - rows of one table in the order of a key, or of a time and a key, read as the server sends them.
 *
 * A position is what comes next: a key, or a time and a key, as words in their order. Rows of the same key are never parted, so a key need not be
 * unique. Batches end where the engine wants them to; the query goes on with the next, and is begun anew at the position after a loss.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "rds.h"
#include "sql.h"

/* -- the query -------------------------------------------------------------------------------------------------------------------------- */

static void compare(struct pen_text *sql, const char *before, const struct rds *s, const struct rds_column *c, const char *op, uint64_t word)
{
    pen_text_format(sql, "%s%s %s ", before, c->expression, op);
    rds_literal(sql, s, c, word);
}

#define YEAR_ONE INT64_C(-62135596800000000) /* before which databases keep what is no time */

/* The first words of positions are times: rows with the same one go on by their keys. */
static void where_time(struct pen_text *sql, const struct rds *s, const struct rds_table *t, const struct pen_position *at, const struct pen_position *until)
{
    const struct rds_column *key = &t->columns[t->key], *time = &t->columns[t->updated];
    uint64_t least = rds_word_of(YEAR_ONE);
    compare(sql, "", s, time, ">=", at->w[0] > least ? at->w[0] : least);
    if (at->w[0] > least) {
        compare(sql, " AND (", s, time, ">", at->w[0]);
        compare(sql, " OR ", s, key, ">=", at->w[1]);
        pen_text_put(sql, ")");
    }
    compare(sql, " AND ", s, time, until->w[1] ? "<=" : "<", until->w[0]);
    if (until->w[1]) {
        compare(sql, " AND (", s, time, "<", until->w[0]);
        compare(sql, " OR ", s, key, "<", until->w[1]);
        pen_text_put(sql, ")");
    }
    pen_text_format(sql, " ORDER BY %s, %s", time->expression, key->expression);
}

static void where_key(struct pen_text *sql, const struct rds *s, const struct rds_table *t, const struct pen_position *at, const struct pen_position *until)
{
    const struct rds_column *key = &t->columns[t->key];
    if (at->w[0])
        compare(sql, "", s, key, ">=", at->w[0]);
    compare(sql, at->w[0] ? " AND " : "", s, key, "<", until->w[0]);
    pen_text_format(sql, " ORDER BY %s", key->expression);
}

static pen_status send_query(struct rds_reader *r, const struct rds_job *job, const struct pen_position *until, struct pen_error *err)
{
    const struct rds *s = r->source;
    const struct rds_table *t = &s->tables[s->parts[job->part].table];
    struct pen_text sql = { 0 };
    pen_status st;
    char *text;
    rds_select(&sql, t);
    pen_text_put(&sql, " WHERE ");
    if (job->at.n == 2)
        where_time(&sql, s, t, &job->at, until);
    else
        where_key(&sql, s, t, &job->at, until);
    if (!(text = rds_sql_take(&sql)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = s->driver->rows(r->db, text, t->n_columns, err);
    free(text);
    return st;
}

void rds_cursor_close(struct rds_reader *r)
{
    struct rds_cursor *c = &r->cursor;
    if (!c->open)
        return;
    if (!c->viewed || !r->source->driver->leave(r->db)) {
        rds_disconnect(r);
        return;
    }
    rds_let_view_go(r);
}

/* Up to where the partition may be read now; PEN_SKIP: there is nothing to read yet. */
static pen_status find_until(struct rds_reader *r, struct rds_job *job, struct pen_position *until, struct pen_error *err)
{
    const struct rds *s = r->source;
    const struct rds_part *p = &s->parts[job->part];
    pen_status st = PEN_OK;
    *until = p->last;
    if (s->mode == RDS_INCREMENTAL) {
        *until = (struct pen_position){ .n = job->at.n };
        job->due = pen_now(s->host) + s->poll;
        st = rds_watch_ask(s, &s->tables[p->table], job->watch, r->db, &until->w[0], err);
        if (st == PEN_OK && p->last.n && pen_position_compare(until, &p->last) > 0)
            *until = p->last;
    }
    if (st == PEN_OK && job->bound.n && pen_position_compare(&job->bound, &job->at) > 0 && pen_position_compare(&job->bound, until) < 0)
        *until = job->bound;
    return st != PEN_OK ? st : pen_position_compare(until, &job->at) > 0 ? PEN_OK : PEN_SKIP;
}

static pen_status open_query(struct rds_reader *r, struct rds_job *job, struct pen_error *err)
{
    struct rds_cursor *c = &r->cursor;
    struct pen_position until;
    pen_status st = rds_connected(r, err);
    if (st == PEN_SKIP)
        job->due = pen_now(r->source->host) + 20000; /* all connections of the view are in use */
    if (st == PEN_OK)
        st = find_until(r, job, &until, err);
    if (st == PEN_OK)
        st = send_query(r, job, &until, err);
    if (st != PEN_OK)
        return st;
    c->open = true;
    c->pending = false;
    c->part = job->part, c->epoch = job->epoch;
    c->at = job->at, c->until = until;
    return PEN_OK;
}

/* -- rows -------------------------------------------------------------------------------------------------------------------------------- */

/* Where the row in r->cells stands. */
static pen_status position_of(const struct rds_reader *r, const struct rds_table *t, struct pen_position *out, struct pen_error *err)
{
    const struct rds *s = r->source;
    const struct rds_cursor *c = &r->cursor;
    bool good = true;
    *out = (struct pen_position){ .n = c->at.n };
    if (out->n == 2)
        good = s->driver->word(&t->columns[t->updated], r->cells[t->updated], &out->w[0]);
    good = good && s->driver->word(&t->columns[t->key], r->cells[t->key], &out->w[out->n - 1]);
    if (good && out->w[out->n - 1] == UINT64_MAX)
        return pen_fail(err, PEN_FATAL, "%s: a key of table %s is the last of its type, behind which there is no position", s->login.label, t->name);
    if (!good || pen_position_compare(out, &c->at) < 0 || pen_position_compare(out, &c->until) >= 0)
        return pen_fail(err, PEN_FATAL, "%s: a row of table %s came that was not asked for", s->login.label, t->name);
    return PEN_OK;
}

static pen_status note_position(struct rds_block *b, const struct pen_position *at, struct pen_error *err)
{
    if (b->n_rows == b->rows_cap) {
        size_t cap = b->rows_cap ? b->rows_cap * 2 : 4096;
        struct pen_position *v = realloc(b->rows, cap * sizeof *v);
        if (!v)
            return pen_fail(err, PEN_FATAL, "out of memory");
        b->rows = v;
        b->rows_cap = cap;
    }
    b->rows[b->n_rows++] = *at;
    return PEN_OK;
}

/* Takes rows until the batch is full or the query over (PEN_SKIP); *to: behind the last one. */
static pen_status take_rows(struct rds_reader *r, const struct rds_job *job, size_t table, struct pen_position *to, struct pen_error *err)
{
    const struct rds *s = r->source;
    const struct rds_table *t = &s->tables[table];
    struct rds_cursor *c = &r->cursor;
    size_t bytes = 0;
    for (int64_t rows = 0;; rows++) {
        struct pen_position at;
        pen_status st = c->pending ? PEN_OK : s->driver->next(r->db, r->cells, err);
        if (st == PEN_OK)
            st = position_of(r, t, &at, err);
        if (st != PEN_OK)
            return st;
        c->pending = rows && (rows >= job->rows || bytes >= job->bytes) && pen_position_compare(&at, to) >= 0;
        if (c->pending)
            return PEN_OK;
        st = rds_append_row(r, table, err);
        if (st >= 0)
            st = note_position(&r->made, &at, err);
        if (st < 0)
            return st;
        for (size_t i = 0; i < t->n_columns; i++)
            bytes += r->cells[i].n + 8;
        c->at = *to = at;
        to->w[to->n - 1]++;
    }
}

/* The query is over: everything up to its bound was read. */
static void reach_end(struct rds_reader *r, struct rds_job *job)
{
    const struct rds *s = r->source;
    const struct rds_part *p = &s->parts[job->part];
    struct rds_cursor *c = &r->cursor;
    bool bounded = job->bound.n && pen_position_compare(&c->until, &job->bound) == 0;
    c->open = false;
    if (s->mode == RDS_SNAPSHOT || bounded) /* else what came late below the last row is still to be found */
        r->made.to = c->until;
    r->made.end = p->last.n && pen_position_compare(&c->until, &p->last) >= 0;
    job->due = s->mode == RDS_INCREMENTAL ? pen_now(s->host) + s->poll : 0;
    if (c->viewed)
        rds_let_view_go(r);
}

pen_status rds_stream(struct rds_reader *r, struct rds_job *job, struct pen_error *err)
{
    const struct rds_part *p = &r->source->parts[job->part];
    struct rds_cursor *c = &r->cursor;
    pen_status st = PEN_OK;
    if (c->open && (c->part != job->part || c->epoch != job->epoch))
        rds_cursor_close(r);
    if (p->last.n && pen_position_compare(&job->at, &p->last) >= 0) {
        r->made.end = true;
        return PEN_OK;
    }
    if (!c->open)
        st = open_query(r, job, err);
    if (st != PEN_OK)
        return st;
    st = take_rows(r, job, p->table, &r->made.to, err);
    if (st == PEN_SKIP)
        reach_end(r, job);
    if (st >= 0 && rds_finish_rows(r, p->table, err) < 0)
        return PEN_FATAL;
    if (st == PEN_SKIP && !r->made.end && pen_position_compare(&r->made.from, &r->made.to) == 0)
        return PEN_SKIP;
    return st < 0 ? st : PEN_OK;
}
