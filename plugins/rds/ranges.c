/* ranges.c - the ranges of keys that a snapshot reads as partitions.
 *
 * They lie on a grid of `range` keys that does not depend on the rows, so that a restart finds them again under the same names, whatever was added
 * meanwhile. Which of the grid's ranges belong to the snapshot is noted in `state`: rows that come later in further ranges are none of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rds.h"
#include "sql.h"

#define RANGES_AT_MOST 100000

/* -- what was noted ------------------------------------------------------------------------------------------------------------------------ */

static pen_status note_path(const struct rds *s, char *path, size_t size, struct pen_error *err)
{
    char name[300];
    int n;
    pen_path_escape(name, sizeof name, pen_stage_name(s->host), strlen(pen_stage_name(s->host)));
    n = snprintf(path, size, "%s/rds.%s.ranges", pen_state_path(s->host), name);
    return n > 0 && (size_t)n < size ? PEN_OK : pen_fail(err, PEN_FATAL, "state: its path is too long");
}

static pen_status name_part(const struct rds *s, struct rds_part *p, struct pen_error *err)
{
    const struct rds_table *t = &s->tables[p->table];
    struct pen_text name = { 0 };
    pen_text_format(&name, "%s/", t->name);
    rds_literal(&name, s, &t->columns[t->key], p->first.w[0]);
    p->name = rds_sql_take(&name);
    return p->name ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

static pen_status add_range(struct rds *s, size_t table, uint64_t first, uint64_t last, struct pen_error *err)
{
    struct rds_part *p = rds_add_part(s, table, err);
    if (!p)
        return PEN_FATAL;
    p->first = pen_position_of(first);
    p->last = pen_position_of(last);
    return name_part(s, p, err);
}

/* One line of the note: TABLE, then FIRST and LAST as words; the table may hold spaces. */
static pen_status recall_line(struct rds *s, char *line, const char *path, struct pen_error *err)
{
    char *table = line + strcspn(line, " "), *end;
    uint64_t first, last = 0;
    bool good;
    errno = 0;
    first = strtoull(line, &end, 10);
    good = *table && end == table;
    if (good)
        last = strtoull(table + 1, &table, 10);
    if (!good || errno || *table != ' ' || last <= first)
        return pen_fail(err, PEN_FATAL, "%s: \"%.100s\" is no line of it: delete it to have the ranges found anew", path, line);
    for (size_t i = 0; i < s->n_tables; i++)
        if (strcmp(s->tables[i].name, table + 1) == 0)
            return s->outputs[i].read ? add_range(s, i, first, last, err) : PEN_OK;
    return PEN_OK; /* no longer read */
}

/* PEN_SKIP: nothing was noted. */
static pen_status recall(struct rds *s, const char *path, struct pen_error *err)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    int64_t range = 0;
    pen_status st = PEN_OK;
    if (!f)
        return errno == ENOENT ? PEN_SKIP : pen_fail(err, PEN_FATAL, "%s: %s", path, strerror(errno));
    if (getline(&line, &cap, f) < 0 || sscanf(line, "range %" SCNd64, &range) != 1)
        st = pen_fail(err, PEN_FATAL, "%s: it begins with no range: delete it to have the ranges found anew", path);
    else if (range != s->range)
        st = pen_fail(err, PEN_BADCONF, "range = %" PRId64 ": this snapshot was begun with %" PRId64 ", and goes on with that only", s->range, range);
    while (st >= 0 && getline(&line, &cap, f) > 0) {
        line[strcspn(line, "\n")] = '\0';
        st = recall_line(s, line, path, err);
    }
    free(line);
    fclose(f);
    return st;
}

/* Written beside and renamed, and durable before anything is read. */
static pen_status keep(const struct rds *s, const char *path, struct pen_error *err)
{
    char beside[4200];
    FILE *f;
    bool good;
    snprintf(beside, sizeof beside, "%s.new", path);
    if (!(f = fopen(beside, "we")))
        return pen_fail(err, PEN_FATAL, "%s: %s", beside, strerror(errno));
    fprintf(f, "range %" PRId64 "\n", s->range);
    for (size_t i = 0; i < s->n_parts; i++)
        fprintf(f, "%" PRIu64 " %" PRIu64 " %s\n", s->parts[i].first.w[0], s->parts[i].last.w[0], s->tables[s->parts[i].table].name);
    good = fflush(f) == 0 && !ferror(f) && fsync(fileno(f)) == 0;
    good = fclose(f) == 0 && good;
    if (!good || rename(beside, path) != 0)
        return pen_fail(err, PEN_FATAL, "%s: %s", beside, strerror(errno));
    return PEN_OK;
}

/* -- what is there ------------------------------------------------------------------------------------------------------------------------- */

/* The word that a question about the key answers; PEN_SKIP: NULL. */
static pen_status ask_word(struct rds *s, struct rds_db *db, const struct rds_column *key, struct pen_text *sql, uint64_t *out, struct pen_error *err)
{
    struct rds_answer a;
    char *text = rds_sql_take(sql);
    int64_t v = 0;
    pen_status st = text ? s->driver->ask(db, text, &a, err) : pen_fail(err, PEN_FATAL, "out of memory");
    const uint8_t *answer = (const uint8_t *)a.text[0];
    free(text);
    if (st < 0)
        return st;
    if (!a.n || a.null[0])
        return PEN_SKIP;
    if (key->is_unsigned ? !rds_parse_uint64(answer, strlen(a.text[0]), out) : !rds_parse_int64(answer, strlen(a.text[0]), &v))
        return pen_fail(err, PEN_FATAL, "%s: \"%s\" is no key", s->login.label, a.text[0]);
    if (!key->is_unsigned)
        *out = rds_word_of(v);
    return PEN_OK;
}

/* The grid's range that this word is in. */
static void grid(const struct rds *s, const struct rds_column *key, uint64_t word, uint64_t *first, uint64_t *last)
{
    rds_int128 zero = key->is_unsigned ? 0 : (rds_int128)rds_word_of(0), range = s->range, off = (rds_int128)word - zero, rest = off % range, end;
    if (rest < 0)
        rest += range;
    end = (rds_int128)word - rest + range;
    *first = rest > (rds_int128)word ? 0 : word - (uint64_t)rest;
    *last = end > (rds_int128)UINT64_MAX ? UINT64_MAX : (uint64_t)end;
}

static pen_status find_ranges(struct rds *s, size_t table, struct rds_db *db, struct pen_error *err)
{
    const struct rds_table *t = &s->tables[table];
    const struct rds_column *key = &t->columns[t->key];
    struct pen_text sql = { 0 };
    uint64_t word, first, last = 0;
    pen_status st;
    pen_text_format(&sql, "SELECT 1 FROM %s WHERE %s IS NULL LIMIT 1", t->quoted, key->expression);
    st = ask_word(s, db, key, &sql, &word, err);
    if (st == PEN_OK)
        return pen_fail(err, PEN_FATAL, "%s: column %s of table %s is null somewhere, so it is no key to read by", s->login.label, key->name, t->name);
    while (st == PEN_SKIP) {
        pen_text_format(&sql, "SELECT MIN(%s) FROM %s", key->expression, t->quoted);
        if (last) {
            pen_text_format(&sql, " WHERE %s >= ", key->expression);
            rds_literal(&sql, s, key, last);
        }
        st = ask_word(s, db, key, &sql, &word, err);
        if (st != PEN_OK)
            break;
        grid(s, key, word, &first, &last);
        if (s->n_parts >= RANGES_AT_MOST)
            return pen_fail(err, PEN_BADCONF, "range = %" PRId64 ": the keys of table %s fall into more than %d ranges: give a larger one", s->range, t->name,
                            RANGES_AT_MOST);
        st = add_range(s, table, first, last, err);
        st = st < 0 ? st : last == UINT64_MAX ? PEN_OK : PEN_SKIP;
    }
    return st < 0 ? st : PEN_OK;
}

pen_status rds_plan_ranges(struct rds *s, struct pen_error *err)
{
    char path[4100];
    struct rds_db *db = NULL;
    pen_status st = note_path(s, path, sizeof path, err);
    if (st >= 0)
        st = rds_view_open(s, err);
    if (st >= 0)
        st = recall(s, path, err);
    if (st == PEN_SKIP && (st = rds_view_take(s, &db, err)) == PEN_OK) {
        for (size_t i = 0; i < s->n_tables && st >= 0; i++)
            if (s->outputs[i].read)
                st = find_ranges(s, i, db, err);
        if (st < 0)
            s->driver->close(&db);
        rds_view_give(s, db);
        if (st >= 0)
            st = keep(s, path, err);
    }
    return st < 0 ? st : PEN_OK;
}
