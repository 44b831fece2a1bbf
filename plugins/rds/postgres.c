/* postgres.c - PostgreSQL by libpq. Rows come by COPY (SELECT …) TO STDOUT (FORMAT binary), which costs both sides least.
 *
 * Waiting is done here, by poll(), so that a server that falls silent is noticed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libpq-fe.h>

#include "db.h"
#include "sql.h"

struct rds_db {
    PGconn *pg;
    const struct rds_login *login;
    size_t n;         /* columns of the query that is read */
    bool headed;      /* its header was seen */
    char *message;    /* of COPY, to be freed */
    const uint8_t *at, *end;
};

/* -- errors --------------------------------------------------------------------------------------------------------------------------- */

/* Whether a new connection, a little later, may do better. */
static bool passes(const PGconn *pg, const char *state)
{
    static const char *const codes[] = { "57P", "40001", "40P01", "55P03", "53", "08", "25P03", "57014", "72000" };
    if (PQstatus(pg) == CONNECTION_BAD && !state)
        return true;
    for (size_t i = 0; state && i < sizeof codes / sizeof *codes; i++)
        if (strncmp(state, codes[i], strlen(codes[i])) == 0)
            return true;
    return false;
}

/* libpq's messages end in a newline, and may have several lines: the first says it. */
static int first_line(const char *text)
{
    return (int)strcspn(text, "\n");
}

/* Says what is wrong with a result (NULL: with the connection), and frees it. */
static pen_status failed(const struct rds_db *db, PGresult *r, struct pen_error *err)
{
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL, *text = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    pen_status st = passes(db->pg, state) || PQstatus(db->pg) == CONNECTION_BAD ? PEN_RETRY : PEN_FATAL;
    if (!text || !*text)
        text = PQerrorMessage(db->pg);
    st = pen_fail(err, st, "%s: %.*s", db->login->label, *text ? first_line(text) : 18, *text ? text : "the connection ended");
    PQclear(r);
    return st;
}

static pen_status silent(const struct rds_db *db, struct pen_error *err)
{
    return pen_fail(err, PEN_RETRY, "%s: the server said nothing for %d seconds", db->login->label, db->login->silence);
}

/* Until there is something to read. */
static pen_status wait_input(struct rds_db *db, struct pen_error *err)
{
    struct pollfd p = { .fd = PQsocket(db->pg), .events = POLLIN };
    int n;
    while ((n = poll(&p, 1, db->login->silence * 1000)) < 0 && errno == EINTR)
        ;
    if (n == 0)
        return silent(db, err);
    return PQconsumeInput(db->pg) ? PEN_OK : failed(db, NULL, err);
}

static pen_status next_result(struct rds_db *db, PGresult **out, struct pen_error *err)
{
    pen_status st = PEN_OK;
    while (st >= 0 && PQisBusy(db->pg))
        st = wait_input(db, err);
    *out = st < 0 ? NULL : PQgetResult(db->pg);
    return st;
}

/* Sends a query and takes its only result; *out is the caller's to clear. */
static pen_status query(struct rds_db *db, const char *sql, PGresult **out, struct pen_error *err)
{
    PGresult *more;
    pen_status st;
    *out = NULL;
    if (!PQsendQuery(db->pg, sql))
        return failed(db, NULL, err);
    st = next_result(db, out, err);
    if (st >= 0 && (!*out || (PQresultStatus(*out) != PGRES_COMMAND_OK && PQresultStatus(*out) != PGRES_TUPLES_OK))) {
        st = failed(db, *out, err);
        *out = NULL;
    }
    do { /* the rest, so that the connection can be used again */
        more = NULL;
        if (PQstatus(db->pg) == CONNECTION_OK && next_result(db, &more, NULL) >= 0)
            PQclear(more);
    } while (more);
    if (st < 0) {
        PQclear(*out);
        *out = NULL;
    }
    return st;
}

/* -- connections --------------------------------------------------------------------------------------------------------------------- */

static void db_close(struct rds_db **out)
{
    struct rds_db *db = *out;
    *out = NULL;
    if (!db)
        return;
    PQfreemem(db->message);
    PQfinish(db->pg);
    free(db);
}

static void interrupt(struct rds_db *db)
{
    shutdown(PQsocket(db->pg), SHUT_RDWR);
}

static PGconn *dial(const struct rds_login *l, const char *password)
{
    char port[12], timeout[12];
    const struct rds_url *u = &l->url;
    const char *const names[] = { "host", "port", "dbname", "user", "password", "sslmode", "sslrootcert", "connect_timeout", "client_encoding",
                                  "application_name", "gssencmode", "keepalives_idle", "keepalives_interval", "keepalives_count", NULL };
    const char *const values[] = { u->socket ? u->socket : u->host, port, u->database, u->user, password, l->tls ? "verify-full" : "disable",
                                   l->tls ? l->tls_ca : "", timeout, "UTF8", "penstock", "disable", "30", "10", "3", NULL };
    snprintf(port, sizeof port, "%d", u->port);
    snprintf(timeout, sizeof timeout, "%d", l->connect_timeout);
    return PQconnectdbParams(names, values, 0);
}

/* What a session must not do: speak of times in another zone, or end by itself. */
static const char settings[] = "SELECT set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO, YMD', false), "
                               "set_config('intervalstyle', 'postgres', false), set_config('extra_float_digits', '3', false), "
                               "set_config('bytea_output', 'hex', false), (SELECT count(set_config(name, '0', false)) FROM pg_settings WHERE name IN "
                               "('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout'))";

static void no_notices(void *arg, const PGresult *r)
{
    (void)arg, (void)r;
}

/* Wrong passwords and names of databases stay wrong; a connection that was not made may be made later. libpq has no codes for these. */
static pen_status why_not(const struct rds_login *l, const PGconn *pg, struct pen_error *err)
{
    static const char *const lasting[] = { "password authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry",
                                           "certificate verify failed", "does not match host name", "server does not support SSL",
                                           "permission denied for database", "is not permitted to log in", "could not read root certificate",
                                           "server certificate for" };
    const char *text = PQerrorMessage(pg);
    pen_status st = PEN_RETRY;
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        st = strstr(text, lasting[i]) && !strstr(text, "socket \"") ? PEN_FATAL : st;
    return pen_fail(err, st, "%s: %.*s", l->label, first_line(text), text);
}

static pen_status db_open(struct rds_db **out, const struct rds_login *l, struct pen_error *err)
{
    struct rds_db *db = calloc(1, sizeof *db);
    const char *password;
    char *made;
    PGresult *r;
    pen_status st = rds_password(l, &made, &password, err);
    *out = NULL;
    if (st >= 0 && (!db || !(db->pg = dial(l, password))))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    rds_password_free(&made);
    if (st < 0) {
        free(db);
        return st;
    }
    db->login = l;
    PQsetNoticeReceiver(db->pg, no_notices, NULL);
    st = PQstatus(db->pg) == CONNECTION_OK ? query(db, settings, &r, err) : why_not(l, db->pg, err);
    if (st < 0) {
        db_close(&db);
        return st;
    }
    PQclear(r);
    *out = db;
    return PEN_OK;
}

/* -- answers -------------------------------------------------------------------------------------------------------------------------- */

static pen_status exec(struct rds_db *db, const char *sql, struct pen_error *err)
{
    PGresult *r;
    pen_status st = query(db, sql, &r, err);
    if (st >= 0)
        PQclear(r);
    return st;
}

static pen_status ask(struct rds_db *db, const char *sql, struct rds_answer *out, struct pen_error *err)
{
    PGresult *r;
    pen_status st = query(db, sql, &r, err);
    memset(out, 0, sizeof *out);
    if (st < 0)
        return st;
    if (PQntuples(r) > 0)
        out->n = PQnfields(r) < RDS_ANSWERS ? (size_t)PQnfields(r) : RDS_ANSWERS;
    for (size_t i = 0; i < out->n; i++) {
        out->null[i] = PQgetisnull(r, 0, (int)i);
        snprintf(out->text[i], sizeof out->text[i], "%s", PQgetvalue(r, 0, (int)i));
    }
    PQclear(r);
    return PEN_OK;
}

static pen_status rows(struct rds_db *db, const char *select, size_t n, struct pen_error *err)
{
    struct pen_text sql = { 0 };
    PGresult *r = NULL;
    pen_status st;
    char *text;
    pen_text_format(&sql, "COPY (%s) TO STDOUT (FORMAT binary)", select);
    if (!(text = rds_sql_take(&sql)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    st = PQsendQuery(db->pg, text) ? next_result(db, &r, err) : failed(db, NULL, err);
    free(text);
    if (st < 0)
        return st;
    if (PQresultStatus(r) != PGRES_COPY_OUT) {
        PGresult *more = NULL;
        st = failed(db, r, err);
        while (PQstatus(db->pg) == CONNECTION_OK && next_result(db, &more, NULL) >= 0 && more)
            PQclear(more);
        return st;
    }
    PQclear(r);
    db->n = n;
    db->headed = false;
    return PEN_OK;
}

/* COPY has come to its end, or broken off. */
static pen_status end_of_rows(struct rds_db *db, int what, struct pen_error *err)
{
    PGresult *r = NULL;
    pen_status st = next_result(db, &r, err);
    if (st >= 0 && (what != -1 || !r || PQresultStatus(r) != PGRES_COMMAND_OK))
        return failed(db, r, err);
    PQclear(r);
    while (st >= 0 && (st = next_result(db, &r, err)) >= 0 && r)
        PQclear(r);
    return st < 0 ? st : PEN_SKIP;
}

/* The next message into at … end; PEN_SKIP: there are no more. */
static pen_status next_message(struct rds_db *db, struct pen_error *err)
{
    int n;
    PQfreemem(db->message);
    db->message = NULL;
    while ((n = PQgetCopyData(db->pg, &db->message, 1)) == 0) {
        pen_status st = wait_input(db, err);
        if (st < 0)
            return st;
    }
    if (n < 0)
        return end_of_rows(db, n, err);
    db->at = (const uint8_t *)db->message;
    db->end = db->at + n;
    return PEN_OK;
}

/* The header of COPY's binary format, before the first tuple. */
static bool skip_header(struct rds_db *db)
{
    static const uint8_t signature[11] = "PGCOPY\n\377\r\n";
    uint32_t extension;
    if (db->end - db->at < 19 || memcmp(db->at, signature, sizeof signature) != 0)
        return false;
    extension = (uint32_t)db->at[15] << 24 | (uint32_t)db->at[16] << 16 | (uint32_t)db->at[17] << 8 | db->at[18];
    if (db->at[11] || db->at[12] || extension > (size_t)(db->end - db->at - 19)) /* flags that would have to be understood */
        return false;
    db->at += 19 + extension;
    db->headed = true;
    return true;
}

static pen_status next(struct rds_db *db, struct rds_cell *cells, struct pen_error *err)
{
    pen_status st = next_message(db, err);
    if (st == PEN_OK && !db->headed) {
        if (!skip_header(db))
            return pen_fail(err, PEN_FATAL, "%s: what COPY sent begins with no header", db->login->label);
        if (db->at == db->end)
            st = next_message(db, err);
    }
    if (st != PEN_OK)
        return st;
    if (db->end - db->at == 2 && db->at[0] == 0xff && db->at[1] == 0xff) { /* the trailer */
        st = next_message(db, err);
        return st == PEN_OK ? pen_fail(err, PEN_FATAL, "%s: COPY went on behind its end", db->login->label) : st;
    }
    if (!rds_binary_tuple(db->at, (size_t)(db->end - db->at), cells, db->n))
        return pen_fail(err, PEN_FATAL, "%s: COPY sent a row that is none of %zu columns", db->login->label, db->n);
    return PEN_OK;
}

static bool leave(struct rds_db *db)
{
    (void)db;
    return false;
}

static bool word(const struct rds_column *c, struct rds_cell cell, uint64_t *out)
{
    uint64_t v = 0;
    if (!cell.bytes || (cell.n != 2 && cell.n != 4 && cell.n != 8))
        return false;
    for (size_t i = 0; i < cell.n; i++)
        v = v << 8 | cell.bytes[i];
    if (c->time) {
        int64_t micros = (int64_t)v;
        if (cell.n != 8 || micros == INT64_MIN || __builtin_add_overflow(micros, INT64_C(946684800000000), &micros))
            return false;
        *out = rds_word_of(micros);
        return true;
    }
    *out = rds_word_of(cell.n == 2 ? (int16_t)v : cell.n == 4 ? (int32_t)v : (int64_t)v);
    return true;
}

/* -- tables --------------------------------------------------------------------------------------------------------------------------- */

static const struct type {
    uint32_t oid;
    const char *format;
    rds_decode *decode;
    uint32_t item_oid;
} types[] = {
    { 16, "b", rds_binary_bool, 0 },        { 21, "i", rds_binary_int2, 0 },       { 23, "i", rds_binary_int4, 0 },
    { 20, "l", rds_binary_int8, 0 },        { 700, "g", rds_binary_float4, 0 },    { 701, "g", rds_binary_float8, 0 },
    { 25, "u", rds_bytes_utf8, 0 },         { 1043, "u", rds_bytes_utf8, 0 },      { 1042, "u", rds_bytes_utf8, 0 },
    { 19, "u", rds_bytes_utf8, 0 },         { 114, "u", rds_bytes_utf8, 0 },       { 17, "z", rds_bytes_binary, 0 },
    { 1082, "tdD", rds_binary_date, 0 },    { 1114, "tsu:UTC", rds_binary_timestamp, 0 }, { 1184, "tsu:UTC", rds_binary_timestamp, 0 },
    { 2950, "u", rds_binary_uuid, 0 },      { 1000, "+lb", NULL, 16 },             { 1005, "+li", NULL, 21 },
    { 1007, "+li", NULL, 23 },              { 1016, "+ll", NULL, 20 },             { 1021, "+lg", NULL, 700 },
    { 1022, "+lg", NULL, 701 },             { 1009, "+lu", NULL, 25 },             { 1015, "+lu", NULL, 1043 },
    { 1115, "+ltsu:UTC", NULL, 1114 },      { 1185, "+ltsu:UTC", NULL, 1184 },     { 1182, "+ltdD", NULL, 1082 },
    { 2951, "+lu", NULL, 2950 },
};

static const struct type *find_type(uint32_t oid)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].oid == oid)
            return &types[i];
    return NULL;
}

/* Whether COPY is to send the value as it is; else it is sent as text. */
static bool set_type(struct rds_column *c, uint32_t oid, int modifier)
{
    const struct type *t = find_type(oid);
    int precision = (modifier - 4) >> 16 & 0xffff, scale = ((modifier - 4) & 0x7ff) ^ 1024;
    scale -= 1024; /* eleven bits with a sign */
    if (oid == 1700 && modifier >= 4 && precision <= 38 && scale >= 0 && scale <= precision) {
        c->decode = rds_binary_numeric;
        c->precision = precision;
        c->scale = scale;
        snprintf(c->format, sizeof c->format, "d:%d,%d", precision, scale);
        return true;
    }
    c->decode = t ? t->item_oid ? rds_binary_list : t->decode : rds_bytes_utf8;
    snprintf(c->format, sizeof c->format, "%s", t ? t->format : "u");
    if (t && t->item_oid) {
        c->item_oid = t->item_oid;
        c->item = find_type(t->item_oid)->decode;
    }
    c->whole = oid == 20 || oid == 21 || oid == 23;
    c->time = oid == 1114 || oid == 1184;
    return t != NULL;
}

static pen_status add_column(struct rds_table *t, const PGresult *r, int i, struct pen_error *err)
{
    const char *name = PQgetvalue(r, i, 0);
    struct rds_column *c = rds_table_add(t, name);
    struct pen_text e = { 0 };
    bool as_is;
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    as_is = set_type(c, (uint32_t)strtoul(PQgetvalue(r, i, 1), NULL, 10), (int)strtol(PQgetvalue(r, i, 2), NULL, 10));
    snprintf(c->type, sizeof c->type, "%s", PQgetvalue(r, i, 3));
    c->primary = PQgetvalue(r, i, 4)[0] == 't';
    rds_sql_name(&e, name, strlen(name), '"');
    if (!as_is)
        pen_text_put(&e, "::text");
    c->expression = rds_sql_take(&e);
    return c->expression ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

/* A domain stands for the type that it is made of. */
static const char columns_sql[] =
    "SELECT a.attname, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END::bigint, "
    "CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, format_type(a.atttypid, a.atttypmod), "
    "EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indnatts = 1 AND i.indkey[0] = a.attnum AND i.indpred IS NULL "
    "AND (i.indisprimary OR (i.indisunique AND i.indisvalid AND a.attnotnull))) "
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = %s::regclass ORDER BY a.attnum";

static pen_status columns_of(struct rds_db *db, struct rds_table *t, struct pen_error *err)
{
    struct pen_text sql = { 0 };
    char *literal = PQescapeLiteral(db->pg, t->quoted, strlen(t->quoted)), *text = NULL;
    PGresult *r = NULL;
    pen_status st;
    if (literal) {
        pen_text_format(&sql, columns_sql, literal);
        text = rds_sql_take(&sql);
    }
    st = text ? query(db, text, &r, err) : pen_fail(err, PEN_FATAL, "out of memory");
    for (int i = 0; st >= 0 && i < PQntuples(r); i++)
        st = add_column(t, r, i, err);
    PQclear(r);
    PQfreemem(literal);
    free(text);
    return st;
}

static pen_status describe(struct rds_db *db, struct rds_table *t, struct pen_error *err)
{
    struct pen_text sql = { 0 };
    pen_status st;
    char *text;
    rds_sql_table(&sql, t->name, '"');
    t->quoted = rds_sql_take(&sql);
    pen_text_format(&sql, "SELECT * FROM %s LIMIT 0", t->quoted ? t->quoted : "");
    text = rds_sql_take(&sql);
    if (!text || !t->quoted)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    else
        st = exec(db, text, err); /* the catalogue shows what may not be read, too */
    free(text);
    return st < 0 ? st : columns_of(db, t, err);
}

const struct rds_driver rds_postgres = {
    .service = "PostgreSQL", .open = db_open, .close = db_close, .interrupt = interrupt, .exec = exec, .ask = ask, .describe = describe, .rows = rows,
    .next = next, .leave = leave, .word = word,
};
