/* rds.c - tables of MySQL, MariaDB and PostgreSQL as a source: options, and what the tables are. rds.h says what lies where.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rds.h"
#include "sql.h"

#define AT(member) offsetof(struct rds, member)
#define HOUR INT64_C(3600000000)

static const struct pen_option options[] = {
    { "url", PEN_OPT_STRING, AT(url), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED | PEN_OPTION_SECRET,
      "Where the database is: mysql:// (or mariadb://) or postgresql:// (or postgres://), then USER:PASSWORD@HOST:PORT/DATABASE; ?socket=PATH for a local "
      "socket (PostgreSQL: its folder)." },
    { "user", PEN_OPT_STRING, AT(user), NULL, 0, 0, NULL, 0, "Who reads, where the url does not say." },
    { "password", PEN_OPT_STRING, AT(password), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "The password, where the url does not say." },
    { "tls", PEN_OPT_ENUM, AT(tls), "verify", 0, 0, "verify|off", 0,
      "verify: only through TLS, with the certificate and the host's name checked (not through a local socket); off: no TLS." },
    { "tls_ca", PEN_OPT_STRING, AT(tls_ca), NULL, 0, 0, NULL, 0, "File of the certificates (PEM) that the server's is checked against; the system's where not given." },
    { "auth", PEN_OPT_ENUM, AT(auth), "password", 0, 0, "password|iam", 0,
      "iam: the password of each connection is a token that AWS's credentials sign (RDS, Aurora); needs tls = verify." },
    { "region", PEN_OPT_STRING, AT(aws.region), NULL, 0, 0, NULL, 0, "auth = iam: the database's region. Without it AWS_REGION, AWS_DEFAULT_REGION, the profile's." },
    { "profile", PEN_OPT_STRING, AT(aws.profile), NULL, 0, 0, NULL, 0, "auth = iam: profile of AWS's shared configuration files. Without it AWS_PROFILE, else default." },
    { "access_key", PEN_OPT_STRING, AT(aws.access_key), NULL, 0, 0, NULL, 0,
      "auth = iam: id of the access key; needs secret_key. Without both, credentials are looked for where AWS's own tools look." },
    { "secret_key", PEN_OPT_STRING, AT(aws.secret_key), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "auth = iam: the access key's secret." },
    { "session_token", PEN_OPT_STRING, AT(aws.session_token), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "auth = iam: token that belongs to temporary access keys." },
    { "tables", PEN_OPT_LIST, AT(table_names), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED, "Which tables, TABLE or SCHEMA.TABLE; each is an output of that name." },
    { "mode", PEN_OPT_ENUM, AT(mode), "snapshot", 0, 0, "emulate|snapshot|incremental", 0,
      "emulate: rows drawn at random, as posts arrive; snapshot: every row once, as of one moment; incremental: rows as they are added, or changed." },
    { "key", PEN_OPT_STRING, AT(key), NULL, 0, 0, NULL, 0,
      "Column of whole numbers by which a table is read; the primary key where not given. incremental: it must grow." },
    { "key.", PEN_OPT_PAIRS, AT(keys), NULL, 0, 0, NULL, 0, "key.TABLE: the same for one table." },
    { "updated", PEN_OPT_STRING, AT(updated), NULL, 0, 0, NULL, 0,
      "incremental: column with the time of a row's last change, which the database sets. Then changed rows come again." },
    { "updated.", PEN_OPT_PAIRS, AT(updateds), NULL, 0, 0, NULL, 0, "updated.TABLE: the same for one table." },
    { "lag", PEN_OPT_DURATION, AT(lag), "5s", 0, 24 * HOUR, NULL, 0,
      "incremental: only what was there this long ago is read, so that a transaction that commits late is not missed. PostgreSQL: no further than below the "
      "oldest transaction, in any case." },
    { "poll", PEN_OPT_DURATION, AT(poll), "1s", 1000, HOUR, NULL, 0, "incremental: how often the table is looked at." },
    { "range", PEN_OPT_COUNT, AT(range), "250k", 1, INT64_C(1) << 40, NULL, 0,
      "snapshot: how many key values are read as one partition; lanes share them out. It must stay the same until the snapshot is complete." },
    { "pause", PEN_OPT_DURATION_RANGE, AT(pause), "0s..2s", 0, 24 * HOUR, NULL, 0, "emulate: how long until the next tick, drawn from this range; one duration for always." },
    { "seed", PEN_OPT_INT, AT(seed), "1", 0, 0, NULL, 0, "emulate: the same seed draws the same rows in the same order." },
    { "count", PEN_OPT_COUNT, AT(count), "0", 0, INT64_C(1) << 60, NULL, 0, "emulate: how many ticks, each of which is a row of every table; 0 goes on for ever." },
    { "rows", PEN_OPT_STRING, AT(rows), NULL, 0, 0, NULL, 0,
      "emulate: FIRST..LAST, which rows are drawn from, counted from 0 in the order of the key; as many as the smallest table has where not given." },
    { "connect_timeout", PEN_OPT_DURATION, AT(connect_timeout), "10s", 1000000, HOUR, NULL, 0, "How long a connection may take to be made. Whole seconds." },
    { "silence_timeout", PEN_OPT_DURATION, AT(silence_timeout), "2m", 1000000, 24 * HOUR, NULL, 0,
      "How long the server may be silent before the connection is given up. Whole seconds." },
    { .name = NULL }
};

/* -- start ----------------------------------------------------------------------------------------------------------------------------- */

pen_status rds_driver_of(rds_kind kind, const struct rds_driver **out, struct pen_error *err)
{
    *out = NULL;
#ifdef RDS_HAVE_MYSQL
    *out = kind == RDS_MYSQL ? &rds_mysql : *out;
#endif
#ifdef RDS_HAVE_POSTGRES
    *out = kind == RDS_POSTGRES ? &rds_postgres : *out;
#endif
    if (*out)
        return PEN_OK;
    return pen_fail(err, PEN_BADCONF, kind == RDS_MYSQL ? "url: this rds plugin was built without libmariadb, so it cannot read from MySQL or MariaDB"
                                                        : "url: this rds plugin was built without libpq, so it cannot read from PostgreSQL");
}

static pen_status find_ca(struct rds *s, struct pen_error *err)
{
    static const char *const places[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };
    s->login.tls_ca = s->tls_ca;
    for (size_t i = 0; i < sizeof places / sizeof *places && !s->login.tls_ca; i++)
        if (access(places[i], R_OK) == 0)
            s->login.tls_ca = places[i];
    if (!s->login.tls_ca)
        return pen_fail(err, PEN_BADCONF, "tls = verify: this system has no certificates that the server's could be checked against: give tls_ca");
    if (access(s->login.tls_ca, R_OK) != 0)
        return pen_fail(err, PEN_BADCONF, "tls_ca = %s: it cannot be read", s->login.tls_ca);
    return PEN_OK;
}

static pen_status take_word(char **to, const char *option, const char *name, struct pen_error *err)
{
    if (!option)
        return PEN_OK;
    if (*to)
        return pen_fail(err, PEN_BADCONF, "%s stands in url and as an option: give it once", name);
    *to = strdup(option);
    return *to ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

static pen_status make_login(struct rds *s, struct pen_error *err)
{
    struct rds_login *l = &s->login;
    pen_status st = rds_url_parse(&l->url, s->url, err);
    if (st >= 0)
        st = rds_driver_of(l->url.kind, &s->driver, err);
    if (st >= 0)
        st = take_word(&l->url.user, s->user, "user", err);
    if (st >= 0)
        st = take_word(&l->url.password, s->password, "password", err);
    if (st < 0)
        return st;
    if (!l->url.database)
        return pen_fail(err, PEN_BADCONF, "url: it names no database: expected …/DATABASE");
    if (!l->url.user)
        return pen_fail(err, PEN_BADCONF, "user: it stands neither in url nor as an option");
    l->tls = s->tls == 0 && !l->url.socket;
    l->connect_timeout = (int)(s->connect_timeout / 1000000);
    l->silence = (int)(s->silence_timeout / 1000000);
    snprintf(l->label, sizeof l->label, "%s://%s@%s:%d/%s", l->url.kind == RDS_MYSQL ? "mysql" : "postgresql", l->url.user,
             l->url.socket ? l->url.socket : l->url.host, l->url.port, l->url.database);
    return l->tls ? find_ca(s, err) : PEN_OK;
}

/* rows = FIRST..LAST */
static pen_status take_rows(struct rds *s, struct pen_error *err)
{
    const char *dots = s->rows ? strstr(s->rows, "..") : NULL;
    uint64_t first, last;
    if (!s->rows)
        return PEN_OK;
    if (!dots || !rds_parse_uint64((const uint8_t *)s->rows, (size_t)(dots - s->rows), &first) ||
        !rds_parse_uint64((const uint8_t *)dots + 2, strlen(dots + 2), &last) || last < first || last >= UINT64_C(1) << 60)
        return pen_fail(err, PEN_BADCONF, "rows = %s: expected FIRST..LAST, two whole numbers", s->rows);
    s->first_row = first;
    s->n_rows = last - first + 1;
    return PEN_OK;
}

/* Options of single tables must name one that is read. */
static pen_status check_pairs(const struct rds *s, const char *prefix, const struct pen_pairs *pairs, struct pen_error *err)
{
    for (size_t i = 0; i < pairs->n; i++) {
        bool found = false;
        for (size_t t = 0; t < s->table_names.n; t++)
            found = found || strcmp(pairs->names[i], s->table_names.v[t]) == 0;
        if (!found)
            return pen_fail(err, PEN_BADCONF, "%s%s: tables names no such table", prefix, pairs->names[i]);
    }
    return PEN_OK;
}

static void stop(void *ctx)
{
    struct rds *s = ctx;
    rds_plan_fini(s);
    rds_view_free(&s->view);
    for (size_t i = 0; i < s->n_tables; i++) {
        rds_table_fini(&s->tables[i]);
        pen_schema_release(&s->outputs[i].schema);
    }
    free(s->tables), free(s->outputs);
    s->tables = NULL, s->outputs = NULL, s->n_tables = 0;
    rds_iam_stop(s);
    rds_url_fini(&s->login.url);
}

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct rds *s = ctx;
    pen_status st = make_login(s, err);
    s->host = host;
    if (st >= 0)
        st = rds_iam_start(s, err);
    if (st >= 0)
        st = take_rows(s, err);
    if (st >= 0)
        st = check_pairs(s, "key.", &s->keys, err);
    if (st >= 0)
        st = check_pairs(s, "updated.", &s->updateds, err);
    for (size_t i = 0; st >= 0 && i < s->table_names.n; i++)
        for (size_t j = 0; st >= 0 && j < i; j++)
            if (strcmp(s->table_names.v[i], s->table_names.v[j]) == 0)
                st = pen_fail(err, PEN_BADCONF, "tables: %s stands there twice", s->table_names.v[i]);
    if (st >= 0 && s->mode != RDS_INCREMENTAL && (s->updated || s->updateds.n))
        st = pen_fail(err, PEN_BADCONF, "updated belongs to mode = incremental");
    if (st >= 0 && s->mode == RDS_EMULATE && s->count == 0 && pen_until_end(host))
        st = pen_fail(err, PEN_BADCONF, "count = 0 goes on for ever, and --until-end asks for an end: set count");
    if (st < 0)
        stop(s);
    return st;
}

/* -- what the tables are ------------------------------------------------------------------------------------------------------------------ */

static const char *option_for(const char *all, const struct pen_pairs *pairs, const char *table)
{
    for (size_t i = 0; i < pairs->n; i++)
        if (strcmp(pairs->names[i], table) == 0)
            return pairs->values[i];
    return all;
}

pen_status rds_find_key(const struct rds *s, struct rds_table *t, struct pen_error *err)
{
    const char *key = option_for(s->key, &s->keys, t->name), *updated = option_for(s->updated, &s->updateds, t->name);
    t->key = key ? rds_table_find(t, key) : -1;
    t->updated = updated ? rds_table_find(t, updated) : -1;
    if (key && t->key < 0)
        return pen_fail(err, PEN_BADCONF, "key = %s: table %s has no such column", key, t->name);
    for (size_t i = 0; !key && i < t->n_columns && t->key < 0; i++)
        if (t->columns[i].primary && t->columns[i].whole)
            t->key = (int)i;
    if (t->key < 0)
        return pen_fail(err, PEN_BADCONF, "table %s has no primary key that is one column of whole numbers: name a column by key.%s", t->name, t->name);
    if (!t->columns[t->key].whole)
        return pen_fail(err, PEN_BADCONF, "key = %s: it is %s, expected a column of whole numbers", key, t->columns[t->key].type);
    if (updated && t->updated < 0)
        return pen_fail(err, PEN_BADCONF, "updated = %s: table %s has no such column", updated, t->name);
    if (updated && !t->columns[t->updated].time)
        return pen_fail(err, PEN_BADCONF, "updated = %s: it is %s, expected a time with its day", updated, t->columns[t->updated].type);
    return PEN_OK;
}

static pen_status find_table(struct rds *s, size_t i, struct rds_db *db, struct pen_error *err)
{
    struct rds_table *t = &s->tables[i];
    pen_status st;
    if (!(t->name = strdup(s->table_names.v[i])))
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = s->driver->describe(db, t, err);
    if (st >= 0 && t->n_columns == 0)
        st = pen_fail(err, PEN_BADCONF, "table %s has no columns", t->name);
    if (st >= 0)
        st = rds_find_key(s, t, err);
    if (st >= 0)
        st = rds_table_schema(t, &s->outputs[i].schema, err);
    s->outputs[i].name = t->name;
    return st;
}

static pen_status outputs(void *ctx, struct pen_output **out, size_t *n, struct pen_error *err)
{
    struct rds *s = ctx;
    struct rds_db *db = NULL;
    pen_status st = PEN_OK;
    if (!s->tables) {
        s->tables = calloc(s->table_names.n, sizeof *s->tables);
        s->outputs = calloc(s->table_names.n, sizeof *s->outputs);
        if (!s->tables || !s->outputs)
            return pen_fail(err, PEN_FATAL, "out of memory");
        s->n_tables = s->table_names.n;
        st = s->driver->open(&db, &s->login, err);
        for (size_t i = 0; st >= 0 && i < s->n_tables; i++)
            st = find_table(s, i, db, err);
        s->driver->close(&db);
    }
    *out = s->outputs;
    *n = s->n_tables;
    return st;
}

/* outputs() has asked for the tables; whether their rows may be read is to be seen. */
static pen_status connect_to(void *ctx, struct pen_error *err)
{
    struct rds *s = ctx;
    struct pen_output *out;
    struct rds_db *db = NULL;
    size_t n;
    pen_status st = outputs(s, &out, &n, err);
    if (st >= 0)
        st = s->driver->open(&db, &s->login, err);
    for (size_t i = 0; i < s->n_tables && st >= 0; i++) {
        struct pen_text sql = { 0 };
        char *text;
        rds_select(&sql, &s->tables[i]);
        pen_text_put(&sql, " LIMIT 0");
        text = rds_sql_take(&sql);
        st = text ? s->driver->exec(db, text, err) : pen_fail(err, PEN_FATAL, "out of memory");
        free(text);
    }
    s->driver->close(&db);
    return st;
}

/* A column that came is worth a line; one that is gone, or of another type now, cannot be read any more. */
pen_status rds_compare(const struct rds *s, const struct rds_table *then, struct rds_db *db, char **told, struct pen_error *err)
{
    struct rds_table now = { 0 };
    struct pen_text added = { 0 };
    pen_status st = (now.name = strdup(then->name)) ? s->driver->describe(db, &now, err) : pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; st >= 0 && i < then->n_columns; i++) {
        const struct rds_column *a = &then->columns[i];
        int found = rds_table_find(&now, a->name);
        if (found < 0)
            st = pen_fail(err, PEN_FATAL, "%s: column %s of table %s is gone: start anew to go on without it", s->login.label, a->name, then->name);
        else if (now.columns[found].decode != a->decode || strcmp(now.columns[found].format, a->format) != 0 || now.columns[found].item_oid != a->item_oid)
            st = pen_fail(err, PEN_FATAL, "%s: column %s of table %s was %s and is %s now: start anew to go on", s->login.label, a->name, then->name, a->type,
                          now.columns[found].type);
    }
    for (size_t i = 0; st >= 0 && i < now.n_columns; i++)
        if (rds_table_find(then, now.columns[i].name) < 0)
            pen_text_format(&added, "%s%s", added.n ? ", " : "", now.columns[i].name);
    rds_table_fini(&now);
    *told = st >= 0 && added.n ? rds_sql_take(&added) : NULL;
    pen_text_fini(&added);
    return st;
}

void rds_select(struct pen_text *t, const struct rds_table *table)
{
    for (size_t i = 0; i < table->n_columns; i++)
        pen_text_format(t, "%s%s", i ? ", " : "SELECT ", table->columns[i].expression);
    pen_text_format(t, " FROM %s", table->quoted);
}

void rds_literal(struct pen_text *t, const struct rds *s, const struct rds_column *c, uint64_t word)
{
    if (c->time)
        rds_sql_time(t, rds_word_value(word), s->login.url.kind == RDS_POSTGRES);
    else if (c->is_unsigned)
        pen_text_format(t, "%llu", (unsigned long long)word);
    else
        pen_text_format(t, "%lld", (long long)rds_word_value(word));
}

static const struct pen_source source = {
    .ctx_size = sizeof(struct rds),
    .options = options,
    .start = start,
    .stop = stop,
    .outputs = outputs,
    .connect = connect_to,
    .next_event = rds_next_event,
    .beginning = rds_beginning,
    .start_partition = rds_start_partition,
    .reader_open = rds_reader_open,
    .reader_close = rds_reader_close,
    .reader_add = rds_reader_add,
    .reader_remove = rds_reader_remove,
    .reader_bound = rds_reader_bound,
    .read = rds_read,
    .fd = rds_fd,
};

extern const struct pen_plugin rds_LTX_pen_plugin;
const struct pen_plugin rds_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "rds",
    .summary = "Tables of MySQL, MariaDB and PostgreSQL: whole, as they grow, or as posts that arrive",
    .licence = "Apache-2.0",
    .doc = "Each table of `tables` is an output of that name, with typed columns; one that nobody reads is not asked for. A table is read by a column of whole "
           "numbers: its primary key, or what `key` names.\n\n"
           "emulate stands for people who post: at each tick one row index is drawn, the row with that index (counted from 0, in the order of the key) is given "
           "of every table, and a pause is made. The same seed draws the same rows in the same order, on every run and from both databases.\n\n"
           "snapshot reads every row once, as the tables were at one moment; ranges of keys are dealt out among the lanes. In MySQL and MariaDB several lanes "
           "need the privilege LOCK TABLES, to lock the tables for some milliseconds at the start; without it one connection reads for all.\n\n"
           "incremental goes on for ever, and gives rows as they are added (by a key that grows), or added and changed (by the time of their last change). It "
           "reads only what was there `lag` ago: a transaction of MySQL or MariaDB that takes longer than that to commit loses its rows to this reader. "
           "PostgreSQL waits for open transactions, however long they are.\n\n"
           "Types are mapped without loss; a value for which the type has no room (0000-00-00, infinity) is null, and counted as nulled_total. A connection that is "
           "lost is made anew, and reading goes on where it stood. doc/rds.md has the table of types, and what each mode guarantees.",
    .source = &source,
};
