/* json.h - the JSON of a Delta log: a cursor that reads (whole numbers exactly, which a parser into doubles would not), and texts that grow.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_DELTA_JSON_H
#define PEN_DELTA_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* -- memory of one snapshot: freed at once ------------------------------------------------------------------------------------- */

struct delta_arena {
    struct delta_block *blocks;
    bool failed; /* an allocation failed: what was built is incomplete */
};

/* Zeroed memory, aligned for anything; NULL sets failed. */
void *delta_arena_new(struct delta_arena *a, size_t n);
char *delta_arena_copy(struct delta_arena *a, const char *text, size_t n); /* n bytes and a NUL */
void delta_arena_fini(struct delta_arena *a);

/* -- reading ---------------------------------------------------------------------------------------------------------------------- */

/* A cursor over one JSON text (RFC 8259; numbers that are skipped are not looked at closely). The first mistake sticks in `why`; from then on every function answers nothing. Strings
 * live in the arena. */
struct delta_json {
    const char *p, *end;
    const char *why; /* NULL: all well so far */
    int depth;
    struct delta_arena *arena;
};

struct delta_slice {
    const char *p;
    size_t n;
};

void delta_json_init(struct delta_json *j, struct delta_arena *arena, const char *text, size_t n);
/* if (delta_json_object(j)) while (delta_json_key(j, key, sizeof key)) …: each value must be taken or skipped. False for a null in the
 * object's place. Keys come as they are written, those longer than the buffer cut. */
bool delta_json_object(struct delta_json *j);
bool delta_json_key(struct delta_json *j, char *key, size_t size);
/* The same for arrays: if (delta_json_array(j)) while (delta_json_item(j)). */
bool delta_json_array(struct delta_json *j);
bool delta_json_item(struct delta_json *j);
char *delta_json_string(struct delta_json *j); /* NULL for null */
/* The key that comes next as a string of any length; to be followed by its value. Instead of delta_json_key(). */
char *delta_json_key_string(struct delta_json *j);
int64_t delta_json_int(struct delta_json *j, int64_t if_null);
bool delta_json_bool(struct delta_json *j, bool if_null);
struct delta_slice delta_json_skip(struct delta_json *j); /* the value's text */
bool delta_json_is(const struct delta_json *j, char first);  /* whether the next value begins with this byte */
bool delta_json_end(struct delta_json *j);                /* nothing but white space is left, and nothing was wrong */

/* -- writing ---------------------------------------------------------------------------------------------------------------------- */

/* Bytes that grow; running out of memory sticks in `failed`. { 0 } is empty. */
struct delta_text {
    char *p;
    size_t n, room;
    bool failed;
};

void delta_text_bytes(struct delta_text *t, const char *bytes, size_t n);
void delta_text_add(struct delta_text *t, const char *text);
__attribute__((format(printf, 2, 3))) void delta_text_format(struct delta_text *t, const char *fmt, ...);
/* A JSON string with its quotes; NULL: null. Bytes that are no UTF-8 become U+FFFD. */
void delta_text_string(struct delta_text *t, const char *text, size_t n);
void delta_text_quote(struct delta_text *t, const char *text); /* the same for text that ends in NUL */
void delta_text_fini(struct delta_text *t);

#endif
