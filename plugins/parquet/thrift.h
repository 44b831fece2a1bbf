/* thrift.h - Apache Thrift's compact protocol, as far as Parquet's metadata needs it ("Thrift compact protocol encoding").
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PARQUET_THRIFT_H
#define PENSTOCK_PARQUET_THRIFT_H

#include "format.h"

#define THRIFT_MAX_DEPTH 24

enum {
    THRIFT_TRUE = 1, THRIFT_FALSE = 2, THRIFT_I8 = 3, THRIFT_I16 = 4, THRIFT_I32 = 5, THRIFT_I64 = 6, THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8, THRIFT_LIST = 9, THRIFT_SET = 10, THRIFT_MAP = 11, THRIFT_STRUCT = 12
};

/* Writes one structure and those within it. Running out of memory is remembered in `failed`, so that calls need no check. */
struct pen_thrift_out {
    struct pen_buf *buf;
    bool failed;
    unsigned depth;
    int16_t last[THRIFT_MAX_DEPTH]; /* last field id of each open structure */
};

void pen_thrift_start(struct pen_thrift_out *t, struct pen_buf *buf);
/* Fields of the open structure, in ascending order of id. */
void pen_thrift_put_bool(struct pen_thrift_out *t, int16_t id, bool v);
void pen_thrift_put_i8(struct pen_thrift_out *t, int16_t id, int8_t v);
void pen_thrift_put_i16(struct pen_thrift_out *t, int16_t id, int16_t v);
void pen_thrift_put_i32(struct pen_thrift_out *t, int16_t id, int32_t v);
void pen_thrift_put_i64(struct pen_thrift_out *t, int16_t id, int64_t v);
void pen_thrift_put_binary(struct pen_thrift_out *t, int16_t id, const void *bytes, size_t n);
void pen_thrift_put_list(struct pen_thrift_out *t, int16_t id, unsigned element, size_t n);
/* Opens a structure as field id, or, id 0, as the next element of a list. */
void pen_thrift_begin(struct pen_thrift_out *t, int16_t id);
void pen_thrift_end(struct pen_thrift_out *t);
/* Elements of a list. */
void pen_thrift_add_bool(struct pen_thrift_out *t, bool v);
void pen_thrift_add_i64(struct pen_thrift_out *t, int64_t v); /* i32 as well */
void pen_thrift_add_binary(struct pen_thrift_out *t, const void *bytes, size_t n);
/* Ends the outermost structure. */
pen_status pen_thrift_finish(struct pen_thrift_out *t, struct pen_error *err);

/* Reads from bytes that nobody has checked: every read past the end, every impossible number sets `bad`, after which all reads answer zero. */
struct pen_thrift_in {
    const uint8_t *p, *end;
    unsigned depth;
    bool bad;
};
struct pen_thrift_field {
    int16_t id;
    unsigned type;
};

/* The next field of a structure (start with a zeroed field), false at its end. The caller reads its value, or skips it. */
bool pen_thrift_next(struct pen_thrift_in *t, struct pen_thrift_field *f);
void pen_thrift_skip(struct pen_thrift_in *t, unsigned type);
/* Values; each checks that the field has the type. */
bool pen_thrift_get_bool(struct pen_thrift_in *t, const struct pen_thrift_field *f);
int64_t pen_thrift_get_int(struct pen_thrift_in *t, const struct pen_thrift_field *f); /* i8 to i64 */
int32_t pen_thrift_get_i32(struct pen_thrift_in *t, const struct pen_thrift_field *f); /* bad beyond int32 */
const void *pen_thrift_get_binary(struct pen_thrift_in *t, const struct pen_thrift_field *f, size_t *n);
/* Count and type of a list's elements; the count never exceeds the bytes that are left. */
size_t pen_thrift_get_list(struct pen_thrift_in *t, const struct pen_thrift_field *f, unsigned *element);
/* Before and after the fields of a structure within: bounds the depth. */
bool pen_thrift_enter(struct pen_thrift_in *t, unsigned type);
void pen_thrift_leave(struct pen_thrift_in *t);

#endif
