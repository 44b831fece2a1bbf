/* emulate.c - posts that arrive: at each tick one row index, drawn by seed and tick alone, and that row of every table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rds.h"
#include "sql.h"

static uint64_t draw(const struct rds *s, uint64_t tick, uint64_t what)
{
    return rds_mix(rds_mix((uint64_t)s->seed ^ UINT64_C(0x6a09e667f3bcc909)) + tick * 2 + what);
}

/* The draws' upper bits times n: as good as even, for any n that tables have. */
static uint64_t below(uint64_t random, uint64_t n)
{
    return (uint64_t)(((rds_uint128)random * n) >> 64);
}

int64_t rds_pause(const struct rds *s, uint64_t tick)
{
    return s->pause.min + (int64_t)below(draw(s, tick, 1), (uint64_t)(s->pause.max - s->pause.min) + 1);
}

/* The row of one table that stands at this index in the order of its key. *found: there is one. */
static pen_status read_row(struct rds_reader *r, size_t table, uint64_t index, bool *found, struct pen_error *err)
{
    const struct rds *s = r->source;
    const struct rds_table *t = &s->tables[table];
    struct pen_text sql = { 0 };
    pen_status st;
    char *text;
    rds_select(&sql, t);
    pen_text_format(&sql, " ORDER BY %s LIMIT 1 OFFSET %" PRIu64, t->columns[t->key].expression, index);
    if (!(text = rds_sql_take(&sql)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    *found = false;
    st = s->driver->rows(r->db, text, t->n_columns, err);
    free(text);
    while (st >= 0 && (st = s->driver->next(r->db, r->cells, err)) == PEN_OK) {
        if (*found)
            return pen_fail(err, PEN_FATAL, "%s: more than the one row that was asked for", s->login.label);
        *found = true;
        st = rds_append_row(r, table, err);
    }
    return st < 0 ? st : PEN_OK;
}

/* One tick; *whole: every table had its row, so that row i of the batch is tick from + i. */
static pen_status read_tick(struct rds_reader *r, uint64_t tick, bool *whole, struct pen_error *err)
{
    const struct rds *s = r->source;
    uint64_t index = s->first_row + below(draw(s, tick, 0), s->n_rows);
    pen_status st = PEN_OK;
    *whole = true;
    for (size_t i = 0; i < s->n_tables && st >= 0; i++) {
        bool found = true;
        if (s->outputs[i].read)
            st = read_row(r, i, index, &found, err);
        *whole = *whole && found;
    }
    return st;
}

pen_status rds_emulate(struct rds_reader *r, struct rds_job *job, struct pen_error *err)
{
    struct rds *s = r->source;
    uint64_t tick = job->at.w[0], end = s->count ? (uint64_t)s->count : UINT64_MAX, begin = tick;
    pen_status st = rds_connected(r, err);
    bool whole = true;
    if (job->bound.n && job->bound.w[0] > tick && job->bound.w[0] < end)
        end = job->bound.w[0];
    if (s->pause.max > 0 && tick < end)
        end = tick + 1;
    while (st >= 0 && whole && tick < end && tick - begin < (uint64_t)job->rows)
        st = read_tick(r, tick++, &whole, err);
    for (size_t i = 0; i < s->n_tables && st >= 0; i++)
        if (s->outputs[i].read)
            st = rds_finish_rows(r, i, err);
    if (st < 0)
        return st;
    r->made.to = pen_position_of(tick);
    r->made.end = s->count && tick >= (uint64_t)s->count;
    job->due = pen_now(s->host) + (s->pause.max > 0 ? rds_pause(s, tick) : 0);
    return PEN_OK;
}
