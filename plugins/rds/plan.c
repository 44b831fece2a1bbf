/* plan.c - control's side: which partitions there are, and where they begin.
 *
 * emulate: one, whose positions are ticks. incremental: one a table, whose position is the next key, or a time and a key. snapshot: ranges of keys
 * (ranges.c), whose position is the next key.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rds.h"
#include "sql.h"

void rds_plan_fini(struct rds *s)
{
    for (size_t i = 0; i < s->n_parts; i++)
        free(s->parts[i].name);
    free(s->parts), free(s->incarnation);
    s->parts = NULL, s->incarnation = NULL;
    s->n_parts = s->cap_parts = 0;
}

struct rds_part *rds_add_part(struct rds *s, size_t table, struct pen_error *err)
{
    if (s->n_parts == s->cap_parts) {
        size_t cap = s->cap_parts ? s->cap_parts * 2 : 16;
        struct rds_part *v = realloc(s->parts, cap * sizeof *v);
        if (!v) {
            pen_fail(err, PEN_FATAL, "out of memory");
            return NULL;
        }
        s->parts = v;
        s->cap_parts = cap;
    }
    s->parts[s->n_parts] = (struct rds_part){ .table = table };
    return &s->parts[s->n_parts++];
}

/* -- emulate ---------------------------------------------------------------------------------------------------------------------------- */

/* As many rows as the smallest table has. */
static pen_status count_rows(struct rds *s, struct rds_db *db, struct pen_error *err)
{
    s->n_rows = UINT64_MAX;
    for (size_t i = 0; i < s->n_tables; i++) {
        struct rds_answer a;
        uint64_t n;
        char sql[700];
        pen_status st;
        snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM %.600s", s->tables[i].quoted);
        st = s->driver->ask(db, sql, &a, err);
        if (st < 0)
            return st;
        if (!a.n || !rds_parse_uint64((const uint8_t *)a.text[0], strlen(a.text[0]), &n))
            return pen_fail(err, PEN_FATAL, "%s: \"%s\" rows in table %s", s->login.label, a.text[0], s->tables[i].name);
        if (n == 0)
            return pen_fail(err, PEN_FATAL, "%s: table %s is empty: there is no row to draw", s->login.label, s->tables[i].name);
        s->n_rows = n < s->n_rows ? n : s->n_rows;
    }
    return PEN_OK;
}

static pen_status plan_emulate(struct rds *s, struct rds_db *db, struct pen_error *err)
{
    struct rds_part *p = rds_add_part(s, 0, err);
    if (!p)
        return PEN_FATAL;
    p->first = pen_position_of(0);
    if (s->count)
        p->last = pen_position_of((uint64_t)s->count);
    if (!(p->name = strdup("posts")) || asprintf(&s->incarnation, "seed-%" PRId64, s->seed) < 0)
        return pen_fail(err, PEN_FATAL, "out of memory");
    return s->rows ? PEN_OK : count_rows(s, db, err);
}

/* -- incremental -------------------------------------------------------------------------------------------------------------------------- */

static pen_status plan_incremental(struct rds *s, struct rds_db *db, struct pen_error *err)
{
    for (size_t i = 0; i < s->n_tables; i++) {
        const struct rds_table *t = &s->tables[i];
        struct rds_part *p;
        pen_status st;
        uint64_t word = 0;
        if (!s->outputs[i].read)
            continue;
        if (!(p = rds_add_part(s, i, err)))
            return PEN_FATAL;
        p->first.n = t->updated >= 0 ? 2 : 1;
        if (asprintf(&p->name, "%s.%s%s%s", t->name, t->columns[t->key].name, t->updated >= 0 ? "." : "",
                     t->updated >= 0 ? t->columns[t->updated].name : "") < 0) {
            p->name = NULL;
            return pen_fail(err, PEN_FATAL, "out of memory");
        }
        if (!pen_until_end(s->host))
            continue;
        st = rds_watch_now(s, t, db, &word, err);
        if (st < 0)
            return st;
        p->last = p->first;
        p->last.w[0] = word; /* an empty table: 0, its beginning */
    }
    return PEN_OK;
}

/* -- events ----------------------------------------------------------------------------------------------------------------------------- */

static pen_status make_plan(struct rds *s, struct pen_error *err)
{
    struct rds_db *db = NULL;
    pen_status st;
    if (s->mode == RDS_SNAPSHOT)
        return rds_plan_ranges(s, err);
    st = s->driver->open(&db, &s->login, err);
    if (st >= 0)
        st = s->mode == RDS_EMULATE ? plan_emulate(s, db, err) : plan_incremental(s, db, err);
    s->driver->close(&db);
    return st;
}

pen_status rds_next_event(void *ctx, struct pen_partition_event *event, struct pen_error *err)
{
    struct rds *s = ctx;
    if (!s->planned) {
        pen_status st = make_plan(s, err);
        if (st < 0)
            return st;
        s->planned = true;
    }
    if (s->offered < s->n_parts) {
        uint32_t id = (uint32_t)s->offered++;
        *event = (struct pen_partition_event){ PEN_PARTITION_ASSIGNED, id, s->parts[id].name, s->incarnation ? s->incarnation : "" };
        return PEN_OK;
    }
    if (s->no_more)
        return PEN_SKIP;
    s->no_more = true;
    *event = (struct pen_partition_event){ .kind = PEN_PARTITION_NO_MORE };
    return PEN_OK;
}

pen_status rds_beginning(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err)
{
    const struct rds *s = ctx;
    (void)first_run, (void)err;
    *pos = s->parts[id].first;
    return PEN_SKIP; /* the same whenever asked */
}

pen_status rds_start_partition(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err)
{
    const struct rds *s = ctx;
    if (pos->n != s->parts[id].first.n)
        return pen_fail(err, PEN_FATAL, "partition %s: its position has %" PRIu32 " words, expected %" PRIu32, s->parts[id].name, pos->n, s->parts[id].first.n);
    return PEN_OK;
}
