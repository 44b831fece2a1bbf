/* mysql.c - MySQL and MariaDB by libmariadb. Rows come unbuffered in the text protocol (mysql_use_result), which costs the client least.
 *
 * A server is not trusted: it may not ask for files (LOAD DATA LOCAL), nor for a password in clear text but through TLS that was verified or a local
 * socket.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mysql.h>
#include <errmsg.h>
#include <mysqld_error.h>

#include "db.h"
#include "sql.h"

#define LONGEST_PACKET (256ul << 20) /* bytes of one row at most */
#define AUTH "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519"
#define BINARY_CHARSET 63
#define JSON_TYPE 245 /* MySQL's; the client library knows it under a name of its own */

struct rds_db {
    MYSQL *my;
    MYSQL_RES *result;
    size_t n;
    const struct rds_login *login;
};

/* -- errors --------------------------------------------------------------------------------------------------------------------------- */

/* Whether a new connection, a little later, may do better. */
static bool passes(unsigned code)
{
    static const unsigned codes[] = {
        CR_SOCKET_CREATE_ERROR, CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR, CR_IPSOCK_ERROR, CR_UNKNOWN_HOST, CR_SERVER_GONE_ERROR, CR_SERVER_HANDSHAKE_ERR,
        CR_SERVER_LOST, CR_MALFORMED_PACKET, CR_SERVER_LOST_EXTENDED, ER_CON_COUNT_ERROR, ER_SERVER_SHUTDOWN, ER_NORMAL_SHUTDOWN,
        ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, ER_QUERY_INTERRUPTED, ER_TOO_MANY_USER_CONNECTIONS, ER_TABLE_DEF_CHANGED, ER_NET_READ_INTERRUPTED,
        ER_NET_READ_ERROR, ER_NET_ERROR_ON_WRITE, ER_NET_WRITE_INTERRUPTED, ER_OUT_OF_RESOURCES, 1927 /* ER_CONNECTION_KILLED */
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static pen_status failed(const struct rds_db *db, struct pen_error *err)
{
    return pen_fail(err, passes(mysql_errno(db->my)) ? PEN_RETRY : PEN_FATAL, "%s: %s", db->login->label, mysql_error(db->my));
}

/* -- connections --------------------------------------------------------------------------------------------------------------------- */

static void db_close(struct rds_db **out)
{
    struct rds_db *db = *out;
    *out = NULL;
    if (!db)
        return;
    if (db->result) { /* what is left of it need not be read */
        shutdown(mysql_get_socket(db->my), SHUT_RDWR);
        mysql_free_result(db->result);
    }
    if (db->my)
        mysql_close(db->my);
    free(db);
}

static void interrupt(struct rds_db *db)
{
    shutdown(mysql_get_socket(db->my), SHUT_RDWR);
}

static void set_options(MYSQL *my, const struct rds_login *l)
{
    unsigned connect = (unsigned)l->connect_timeout, silence = (unsigned)l->silence, no_files = 0;
    unsigned protocol = l->url.socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    unsigned long longest = LONGEST_PACKET;
    my_bool tls = l->tls;
    mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
    mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &silence);
    mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &silence);
    mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &no_files);
    mysql_options(my, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &longest);
    mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &tls);
    mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &tls);
    mysql_options(my, MARIADB_OPT_RESTRICTED_AUTH,
                  l->tls || l->url.socket ? AUTH ",mysql_clear_password,unix_socket" : AUTH);
    if (l->tls)
        mysql_options(my, MYSQL_OPT_SSL_CA, l->tls_ca);
}

static pen_status exec(struct rds_db *db, const char *sql, struct pen_error *err)
{
    MYSQL_RES *r;
    if (mysql_real_query(db->my, sql, strlen(sql)) != 0)
        return failed(db, err);
    if ((r = mysql_store_result(db->my)))
        mysql_free_result(r);
    return PEN_OK;
}

static pen_status db_open(struct rds_db **out, const struct rds_login *l, struct pen_error *err)
{
    struct rds_db *db = calloc(1, sizeof *db);
    const char *password;
    char *made;
    pen_status st = PEN_OK;
    *out = NULL;
    if (!db || !(db->my = mysql_init(NULL))) {
        free(db);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    db->login = l;
    set_options(db->my, l);
    st = rds_password(l, &made, &password, err);
    if (st >= 0 && !mysql_real_connect(db->my, l->url.host, l->url.user, password, l->url.database, (unsigned)l->url.port, l->url.socket, 0))
        st = failed(db, err);
    if (st >= 0 && l->tls && !mysql_get_ssl_cipher(db->my))
        st = pen_fail(err, PEN_FATAL, "%s: the server does not speak TLS, and tls = verify asks for it", l->label);
    rds_password_free(&made);
    if (st >= 0) /* a sink that is out of reach for long holds up the reading: the server is to wait for us */
        st = exec(db, "SET SESSION time_zone = '+00:00', sql_mode = '', net_write_timeout = 31536000, wait_timeout = 31536000", err);
    if (st < 0) {
        db_close(&db);
        return st;
    }
    /* old servers have no such limit, and refuse this */
    (void)mysql_query(db->my, strstr(mysql_get_server_info(db->my), "MariaDB") ? "SET SESSION max_statement_time = 0" : "SET SESSION max_execution_time = 0");
    *out = db;
    return PEN_OK;
}

/* -- answers -------------------------------------------------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from, size_t n)
{
    n = n < size - 1 ? n : size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

static pen_status ask(struct rds_db *db, const char *sql, struct rds_answer *out, struct pen_error *err)
{
    MYSQL_RES *r;
    MYSQL_ROW row;
    memset(out, 0, sizeof *out);
    if (mysql_real_query(db->my, sql, strlen(sql)) != 0 || !(r = mysql_store_result(db->my)))
        return failed(db, err);
    if ((row = mysql_fetch_row(r))) {
        const unsigned long *lengths = mysql_fetch_lengths(r);
        out->n = mysql_num_fields(r) < RDS_ANSWERS ? mysql_num_fields(r) : RDS_ANSWERS;
        for (size_t i = 0; i < out->n; i++) {
            out->null[i] = !row[i];
            copy_text(out->text[i], sizeof out->text[i], row[i] ? row[i] : "", row[i] ? lengths[i] : 0);
        }
    }
    mysql_free_result(r);
    return PEN_OK;
}

static pen_status rows(struct rds_db *db, const char *select, size_t n, struct pen_error *err)
{
    if (mysql_real_query(db->my, select, strlen(select)) != 0 || !(db->result = mysql_use_result(db->my)))
        return failed(db, err);
    db->n = n;
    if (mysql_num_fields(db->result) != n)
        return pen_fail(err, PEN_FATAL, "%s: %u columns came where %zu were asked for", db->login->label, mysql_num_fields(db->result), n);
    return PEN_OK;
}

static pen_status next(struct rds_db *db, struct rds_cell *cells, struct pen_error *err)
{
    MYSQL_ROW row = mysql_fetch_row(db->result);
    const unsigned long *lengths;
    if (!row) {
        pen_status st = mysql_errno(db->my) ? failed(db, err) : PEN_SKIP;
        mysql_free_result(db->result);
        db->result = NULL;
        return st;
    }
    lengths = mysql_fetch_lengths(db->result);
    for (size_t i = 0; i < db->n; i++)
        cells[i] = (struct rds_cell){ (const uint8_t *)row[i], lengths[i] };
    return PEN_OK;
}

static bool leave(struct rds_db *db)
{
    if (db->result)
        mysql_free_result(db->result); /* reads what is left: a range of keys at most */
    db->result = NULL;
    return true;
}

static bool word(const struct rds_column *c, struct rds_cell cell, uint64_t *out)
{
    int64_t v;
    if (!cell.bytes)
        return false;
    if (c->time)
        return pen_parse_timestamp((const char *)cell.bytes, cell.n, &v) && (*out = rds_word_of(v), true);
    if (c->is_unsigned)
        return rds_parse_uint64(cell.bytes, cell.n, out);
    return rds_parse_int64(cell.bytes, cell.n, &v) && (*out = rds_word_of(v), true);
}

/* -- tables --------------------------------------------------------------------------------------------------------------------------- */

static void set(struct rds_column *c, const char *type, const char *format, rds_decode *decode)
{
    snprintf(c->type, sizeof c->type, "%s", type);
    snprintf(c->format, sizeof c->format, "%s", format);
    c->decode = decode;
}

static void set_decimal(struct rds_column *c, const char *type, int precision, int scale, rds_decode *decode)
{
    c->precision = precision;
    c->scale = scale;
    set(c, type, "", decode);
    snprintf(c->format, sizeof c->format, "d:%d,%d", precision, scale);
}

static void set_number(struct rds_column *c, const MYSQL_FIELD *f)
{
    bool positive = f->flags & UNSIGNED_FLAG;
    int scale = (int)f->decimals, precision = (int)f->length - (scale > 0) - !positive;
    switch ((int)f->type) {
    case MYSQL_TYPE_LONGLONG:
        c->whole = true;
        c->is_unsigned = positive;
        if (positive)
            set_decimal(c, "bigint unsigned", 20, 0, rds_text_uint64);
        else
            set(c, "bigint", "l", rds_text_int64);
        return;
    case MYSQL_TYPE_LONG:
        c->whole = true;
        set(c, positive ? "int unsigned" : "int", positive ? "l" : "i", positive ? rds_text_int64 : rds_text_int32);
        return;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        if (precision > 38 || precision < 1 || scale < 0 || scale > precision)
            set(c, "decimal", "u", rds_bytes_utf8);
        else
            set_decimal(c, "decimal", precision, scale, rds_text_decimal);
        snprintf(c->type, sizeof c->type, "decimal(%d,%d)", precision, scale);
        return;
    case MYSQL_TYPE_BIT:
        if (f->length == 1)
            set(c, "bit(1)", "b", rds_text_bool);
        else if (f->length < 64)
            set(c, "bit", "l", rds_text_bits);
        else
            set_decimal(c, "bit(64)", 20, 0, rds_text_bits64);
        return;
    default:
        c->whole = true;
        set(c, f->type == MYSQL_TYPE_TINY ? "tinyint" : f->type == MYSQL_TYPE_YEAR ? "year" : f->type == MYSQL_TYPE_SHORT ? "smallint" : "mediumint", "i",
            rds_text_int32);
    }
}

/* MariaDB says by a name of its own what is sent as a string but is none. */
static bool is_text(const MYSQL_FIELD *f)
{
    MARIADB_CONST_STRING name = { 0 };
    if (f->charsetnr != BINARY_CHARSET || (int)f->type == JSON_TYPE)
        return true;
    return mariadb_field_attr(&name, f, MARIADB_FIELD_ATTR_DATA_TYPE_NAME) == 0 && name.length > 0;
}

static void set_type(struct rds_column *c, const MYSQL_FIELD *f)
{
    switch ((int)f->type) {
    case MYSQL_TYPE_TINY: case MYSQL_TYPE_SHORT: case MYSQL_TYPE_INT24: case MYSQL_TYPE_LONG: case MYSQL_TYPE_LONGLONG: case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_DECIMAL: case MYSQL_TYPE_NEWDECIMAL: case MYSQL_TYPE_BIT:
        set_number(c, f);
        break;
    case MYSQL_TYPE_FLOAT: case MYSQL_TYPE_DOUBLE:
        set(c, f->type == MYSQL_TYPE_FLOAT ? "float" : "double", "g", rds_text_float64);
        break;
    case MYSQL_TYPE_DATE: case MYSQL_TYPE_NEWDATE:
        set(c, "date", "tdD", rds_text_date);
        break;
    case MYSQL_TYPE_DATETIME: case MYSQL_TYPE_TIMESTAMP:
        c->time = true;
        set(c, f->type == MYSQL_TYPE_DATETIME ? "datetime" : "timestamp", "tsu:UTC", rds_text_timestamp);
        break;
    case MYSQL_TYPE_TIME:
        set(c, "time", "u", rds_bytes_utf8);
        break;
    case MYSQL_TYPE_GEOMETRY:
        set(c, "geometry", "z", rds_bytes_binary);
        break;
    default:
        if (is_text(f))
            set(c, "text", "u", rds_bytes_utf8);
        else
            set(c, "binary", "z", rds_bytes_binary);
    }
}

static pen_status add_column(struct rds_table *t, const MYSQL_FIELD *f, struct pen_error *err)
{
    struct rds_column *c = rds_table_add(t, f->name);
    struct pen_text e = { 0 };
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    set_type(c, f);
    /* a FLOAT alone is printed with six digits, which is fewer than it holds */
    if (f->type == MYSQL_TYPE_FLOAT)
        pen_text_put(&e, "(");
    rds_sql_name(&e, f->name, strlen(f->name), '`');
    if (f->type == MYSQL_TYPE_FLOAT)
        pen_text_put(&e, " + 0e0)");
    c->expression = rds_sql_take(&e);
    return c->expression ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

/* The primary key, where it is one column; else the first that is unique and never null. */
static void note_key(struct rds_table *t, const MYSQL_FIELD *f, unsigned n)
{
    unsigned primary = 0;
    for (unsigned i = 0; i < n; i++)
        primary += (f[i].flags & PRI_KEY_FLAG) != 0;
    for (unsigned i = 0; i < n; i++) {
        if (primary == 1 ? !(f[i].flags & PRI_KEY_FLAG) : (f[i].flags & (UNIQUE_KEY_FLAG | NOT_NULL_FLAG)) != (UNIQUE_KEY_FLAG | NOT_NULL_FLAG))
            continue;
        t->columns[i].primary = true;
        return;
    }
}

static pen_status describe(struct rds_db *db, struct rds_table *t, struct pen_error *err)
{
    struct pen_text sql = { 0 };
    MYSQL_RES *r = NULL;
    pen_status st = PEN_OK;
    char *text;
    rds_sql_table(&sql, t->name, '`');
    t->quoted = rds_sql_take(&sql);
    pen_text_format(&sql, "SELECT * FROM %s LIMIT 0", t->quoted ? t->quoted : "");
    text = rds_sql_take(&sql);
    if (!text || !t->quoted)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    else if (mysql_query(db->my, text) != 0 || !(r = mysql_store_result(db->my)))
        st = failed(db, err);
    for (unsigned i = 0; st >= 0 && i < mysql_num_fields(r); i++)
        st = add_column(t, mysql_fetch_field_direct(r, i), err);
    if (st >= 0)
        note_key(t, mysql_fetch_fields(r), mysql_num_fields(r));
    if (r)
        mysql_free_result(r);
    free(text);
    return st;
}

const struct rds_driver rds_mysql = {
    .service = "MySQL", .open = db_open, .close = db_close, .interrupt = interrupt, .exec = exec, .ask = ask, .describe = describe, .rows = rows,
    .next = next, .leave = leave, .word = word,
};
