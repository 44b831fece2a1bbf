/* column.h - a table's columns: what they are in the database, what they become, and how one value is decoded.
 *
 * What a server sends is taken for hostile: a decoder looks at its n bytes and nothing else.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_RDS_COLUMN_H
#define PENSTOCK_RDS_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <penstock/arrow.h>
#include <penstock/batch.h>

struct rds_column;

typedef enum {
    RDS_FITS,   /* one value was appended */
    RDS_UNFIT,  /* a value that the type has no room for (0000-00-00, infinity): nothing appended; null, and counted */
    RDS_BROKEN  /* no value of the type that this column had: nothing appended; the run stops */
} rds_fit;

typedef rds_fit rds_decode(const struct rds_column *c, struct pen_builder *b, const uint8_t *bytes, size_t n);

struct rds_column {
    char *name;       /* malloc'ed, as the database has it */
    char *expression; /* malloc'ed: what stands for it in the list of a SELECT */
    char format[32];  /* Arrow's */
    char type[48];    /* the database's own name of the type, for messages and to notice changes */
    rds_decode *decode;
    rds_decode *item; /* of lists: the decoder of an item */
    uint32_t item_oid;
    int precision, scale;
    bool whole, is_unsigned; /* a whole number, so that it may be a key */
    bool time;               /* a timestamp */
    bool primary;            /* alone the primary key, or else alone unique and never null */
};

/* A table as it was at the start. Starts as { 0 }. */
struct rds_table {
    char *name;   /* malloc'ed, as in `tables` */
    char *quoted; /* malloc'ed, as in SQL */
    struct rds_column *columns;
    size_t n_columns;
    int key, updated; /* columns, -1: none */
};

void rds_table_fini(struct rds_table *t);
/* A further column, zeroed but for its name (copied); NULL: out of memory. */
struct rds_column *rds_table_add(struct rds_table *t, const char *name);
pen_status rds_table_schema(const struct rds_table *t, struct ArrowSchema *out, struct pen_error *err);
/* -1: there is none. */
int rds_table_find(const struct rds_table *t, const char *column);

/* -- text.c: values as MySQL's text protocol has them */
rds_decode rds_text_int32, rds_text_int64, rds_text_uint64, rds_text_decimal, rds_text_float64, rds_text_bool, rds_text_bits, rds_text_bits64,
    rds_text_date, rds_text_timestamp;
/* A whole number, all of the text; false where it is none or beyond int64 (uint64). */
bool rds_parse_int64(const uint8_t *text, size_t n, int64_t *out);
bool rds_parse_uint64(const uint8_t *text, size_t n, uint64_t *out);

/* -- binary.c: values as PostgreSQL's COPY BINARY has them */
rds_decode rds_binary_bool, rds_binary_int2, rds_binary_int4, rds_binary_int8, rds_binary_float4, rds_binary_float8, rds_binary_numeric,
    rds_binary_date, rds_binary_timestamp, rds_binary_uuid, rds_binary_list;
/* One tuple of n bytes into cells; false where it is none of n_columns. */
struct rds_cell {
    const uint8_t *bytes; /* NULL: NULL */
    size_t n;
};
bool rds_binary_tuple(const uint8_t *tuple, size_t n, struct rds_cell *cells, size_t n_columns);

/* -- both: bytes as they are */
rds_decode rds_bytes_utf8, rds_bytes_binary;

__extension__ typedef __int128 rds_int128;
__extension__ typedef unsigned __int128 rds_uint128;
/* Appends v, whose digits were counted. */
rds_fit rds_append_decimal(struct pen_builder *b, rds_int128 v);

#endif
