/* watch.c - how far an incremental read may go without missing what commits late.
 *
 * A row gets its key, or its time, before it can be seen: T1 takes key 10, T2 takes 11 and commits, T1 commits. A reader that had passed 11 by then
 * would miss 10. So the highest key is noted now and then, and read up to only when that note is `lag` old. PostgreSQL also tells which transactions
 * are open: a note counts only when every transaction that was open at the next note after it is over, so that not even one longer than `lag` is
 * missed. For times the note is the server's own time, and PostgreSQL does not go beyond the beginning of its oldest transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "rds.h"
#include "sql.h"

#include <stdlib.h>

struct moment { /* what one question brought */
    bool empty;
    uint64_t word, now, open_since; /* server's times, in words; open_since: UINT64_MAX where none is known */
    uint64_t xmin, xmax;
};

#define POSTGRES_NOW "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
#define MYSQL_NOW "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
/* Our own sessions only read. */
#define POSTGRES_OPEN                                                                                                              \
    "(SELECT (extract(epoch FROM min(xact_start)) * 1000000)::bigint FROM pg_stat_activity WHERE datname = current_database() AND "  \
    "pid <> pg_backend_pid() AND backend_type = 'client backend' AND NOT (application_name = 'penstock' AND backend_xid IS NULL))"

static void question(struct pen_text *sql, const struct rds *s, const struct rds_table *t)
{
    bool postgres = s->login.url.kind == RDS_POSTGRES;
    if (t->updated >= 0)
        pen_text_put(sql, postgres ? "SELECT " POSTGRES_NOW : "SELECT " MYSQL_NOW);
    else
        pen_text_format(sql, "SELECT MAX(%s)", t->columns[t->key].expression);
    if (postgres)
        pen_text_format(sql, ", txid_snapshot_xmin(txid_current_snapshot()), txid_snapshot_xmax(txid_current_snapshot()), %s",
                        t->updated >= 0 ? POSTGRES_OPEN : "NULL");
    if (t->updated < 0)
        pen_text_format(sql, " FROM %s", t->quoted);
}

static bool number(const struct rds_answer *a, size_t i, uint64_t *out)
{
    return i < a->n && !a->null[i] && rds_parse_uint64((const uint8_t *)a->text[i], strlen(a->text[i]), out);
}

static bool word_of(const struct rds_column *c, const struct rds_answer *a, size_t i, uint64_t *out)
{
    int64_t v;
    if (c && c->is_unsigned)
        return number(a, i, out);
    if (i >= a->n || a->null[i] || !rds_parse_int64((const uint8_t *)a->text[i], strlen(a->text[i]), &v))
        return false;
    *out = rds_word_of(v);
    return true;
}

static pen_status ask(const struct rds *s, const struct rds_table *t, struct rds_db *db, struct moment *m, struct pen_error *err)
{
    const struct rds_column *key = t->updated >= 0 ? NULL : &t->columns[t->key];
    struct pen_text sql = { 0 };
    struct rds_answer a;
    pen_status st;
    char *text;
    question(&sql, s, t);
    if (!(text = rds_sql_take(&sql)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = s->driver->ask(db, text, &a, err);
    free(text);
    if (st < 0)
        return st;
    memset(m, 0, sizeof *m);
    m->empty = a.n == 0 || a.null[0];
    if (!word_of(NULL, &a, 3, &m->open_since))
        m->open_since = UINT64_MAX;
    if (s->login.url.kind == RDS_POSTGRES && (!number(&a, 1, &m->xmin) || !number(&a, 2, &m->xmax)))
        return pen_fail(err, PEN_FATAL, "%s: the server does not tell which transactions are open", s->login.label);
    if (!m->empty && !word_of(key, &a, 0, &m->word))
        return pen_fail(err, PEN_FATAL, "%s: \"%s\" is no %s of table %s", s->login.label, a.text[0], key ? "key" : "time", t->name);
    if (!m->empty && key && m->word++ == UINT64_MAX)
        return pen_fail(err, PEN_FATAL, "%s: the key of table %s has reached its last value", s->login.label, t->name);
    return PEN_OK;
}

pen_status rds_watch_now(const struct rds *s, const struct rds_table *t, struct rds_db *db, uint64_t *word, struct pen_error *err)
{
    struct moment m;
    pen_status st = ask(s, t, db, &m, err);
    *word = st < 0 || m.empty ? 0 : m.word;
    return st < 0 ? st : m.empty ? PEN_SKIP : PEN_OK;
}

/* Notes a moment: not more often than so that all samples together span the lag. */
static void note(const struct rds *s, struct rds_watch *w, const struct moment *m, int64_t now)
{
    if (w->n && !w->samples[w->n - 1].fence)
        w->samples[w->n - 1].fence = m->xmax ? m->xmax : 1;
    if (m->empty || (w->n && now - w->samples[w->n - 1].at < s->lag / (RDS_SAMPLES / 2)))
        return;
    if (w->n == RDS_SAMPLES)
        memmove(w->samples, w->samples + 1, --w->n * sizeof *w->samples);
    w->samples[w->n].at = now;
    w->samples[w->n].word = m->word;
    w->samples[w->n].fence = s->login.url.kind == RDS_POSTGRES ? 0 : 1;
    w->n++;
}

pen_status rds_watch_ask(const struct rds *s, const struct rds_table *t, struct rds_watch *w, struct rds_db *db, uint64_t *until, struct pen_error *err)
{
    struct moment m;
    int64_t now;
    size_t good = SIZE_MAX;
    pen_status st = ask(s, t, db, &m, err);
    if (st < 0)
        return st;
    now = pen_now(s->host);
    note(s, w, &m, now);
    for (size_t i = 0; i < w->n; i++)
        if (now - w->samples[i].at >= s->lag && w->samples[i].fence && (!m.xmin || m.xmin >= w->samples[i].fence))
            good = i;
    if (good == SIZE_MAX)
        return PEN_SKIP;
    *until = w->samples[good].word;
    if (t->updated >= 0 && m.open_since < *until)
        *until = m.open_since;
    if (good) { /* older ones are of no more use */
        memmove(w->samples, w->samples + good, (w->n - good) * sizeof *w->samples);
        w->n -= good;
    }
    return PEN_OK;
}
