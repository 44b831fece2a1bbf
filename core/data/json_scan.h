/* json_scan.h - the part of the decoder that walks over bytes: white space, strings, and values that are only checked. Included by
 * json_decode.h, which says what it stands on. Functions that walk return the byte behind what they took, or NULL with d->reason set.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <penstock/records.h>

#include "data/json.h"
#include "data/number.h"
#include "data/text.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define INLINE static inline __attribute__((always_inline))
#define COLD static __attribute__((noinline))

COLD const char *stop(struct pen_json_decoder *d, const char *at, const char *reason)
{
    d->reason = reason;
    d->reason_at = at;
    return NULL;
}

INLINE const char *skip_space(const struct pen_json_decoder *d, const char *p)
{
    while (p < d->end && (*p == ' ' || *p == '\t' || *p == '\r' || (*p == '\n' && !d->lines)))
        p++;
    return p;
}

/* The byte at p, or NUL at the end, which is no JSON outside of strings either. */
INLINE char peek(const struct pen_json_decoder *d, const char *p)
{
    return LIKELY(p < d->end) ? *p : '\0';
}

/* -- strings ---------------------------------------------------------------------------------------------------------------- */

/* Marks of the block at p, of which only the bytes below end are looked at: what lies behind counts as control characters. */
COLD mask_t tail_marks(char *to, const char *p, const char *end, bool any)
{
    char block[BLOCK], copy[BLOCK];
    mask_t m;
    memset(block, 0, sizeof block);
    memcpy(block, p, (size_t)(end - p));
    m = any ? block_copy_any(copy, block) : block_copy(copy, block);
    if (to)
        memcpy(to, block, (size_t)(end - p));
    return m;
}

COLD const char *string_stop(struct pen_json_decoder *d, const char *p)
{
    if (p >= d->end || (*p == '\n' && d->lines))
        return stop(d, p, "a string without its end");
    return stop(d, p, (unsigned char)*p < 0x20 ? "a control character in a string" : "bytes that are no UTF-8");
}

/* The rest of a string from p on, unescaped to the end of the column's text; `done` bytes of it are there already and are plain ASCII. */
COLD const char *string_rest(struct pen_json_decoder *d, struct pen_builder *b, const char *p, size_t done)
{
    bool any = false;
    for (;;) {
        size_t left = (size_t)(d->end - p), room;
        char *to;
        if (!pen_builder_reserve_text(b, done, 4 * BLOCK + 1024))
            return stop(d, p, "out of memory");
        room = b->data_room - b->used - done;
        to = (char *)b->data + b->used + done;
        while (room >= 2 * BLOCK) {
            mask_t m = left < BLOCK ? tail_marks(to, p, d->end, any) : any ? block_copy_any(to, p) : block_copy(to, p);
            char *from = to;
            size_t i = m ? FIRST(m) : BLOCK;
            if (i > left)
                i = left;
            p += i, to += i, left -= i;
            if (m && left == 0)
                return string_stop(d, p);
            if (m && *p == '"') {
                done = (size_t)(to - (char *)b->data) - b->used;
                if (any && !pen_utf8_valid((char *)b->data + b->used, done))
                    return stop(d, p, "bytes that are no UTF-8");
                pen_builder_text_done(b, done);
                return p + 1;
            }
            if (m && *p == '\\') {
                const char *next = pen_json_escape(p, d->end, &to);
                if (!next)
                    return stop(d, p, "an escape that JSON does not know");
                left -= (size_t)(next - p);
                p = next;
            } else if (m && (unsigned char)*p < 0x80) {
                return string_stop(d, p);
            } else if (m) {
                any = true; /* is checked as a whole at its end: an escape cannot repair a broken sequence */
            }
            room -= (size_t)(to - from);
        }
        done = (size_t)(to - (char *)b->data) - b->used;
    }
}

/* The string whose first byte (behind the quote) is p, as one value of b. */
INLINE const char *string_value(struct pen_json_decoder *d, struct pen_builder *b, const char *p)
{
    char *to;
    const char *last;
    size_t room;
    if (UNLIKELY(!pen_builder_room(b)))
        return stop(d, p, "out of memory");
    room = b->data_room - b->used;
    if (UNLIKELY(room < 4 * BLOCK || (size_t)(d->end - p) < BLOCK))
        return string_rest(d, b, p, 0);
    to = (char *)b->data + b->used;
    /* Text shrinks on its way, so that one limit holds for both ends. */
    room -= 2 * BLOCK;
    last = (size_t)(d->end - p) - BLOCK < room ? d->end - BLOCK : p + room;
    while (LIKELY(p <= last)) {
        mask_t m = block_copy(to, p);
        if (LIKELY(m != 0)) {
            size_t i = FIRST(m);
            p += i, to += i;
            if (LIKELY(*p == '"')) {
                pen_builder_text_done(b, (size_t)(to - (char *)b->data) - b->used);
                return p + 1;
            }
            if (*p != '\\')
                break;
            do { /* escapes come in runs */
                const char *next = pen_json_escape(p, d->end, &to);
                if (!next)
                    return stop(d, p, "an escape that JSON does not know");
                p = next;
            } while (p <= last && *p == '\\');
        } else {
            p += BLOCK, to += BLOCK;
        }
    }
    return string_rest(d, b, p, (size_t)(to - (char *)b->data) - b->used);
}

/* Checks a string without keeping it; *escaped says whether it holds a backslash. */
static const char *string_skip(struct pen_json_decoder *d, const char *p, bool *escaped)
{
    const char *high = NULL; /* where the bytes begin that want looking at as UTF-8 */
    char scratch[BLOCK];
    *escaped = false;
    for (;;) {
        size_t left = (size_t)(d->end - p);
        mask_t m = left < BLOCK ? tail_marks(NULL, p, d->end, high != NULL) : high ? block_copy_any(scratch, p) : block_marks(p);
        size_t i = m ? FIRST(m) : BLOCK;
        if (m && i >= left)
            return string_stop(d, d->end);
        p += i;
        if (!m)
            continue;
        if (*p == '"') {
            if (high && !pen_utf8_valid(high, (size_t)(p - high)))
                return stop(d, p, "bytes that are no UTF-8");
            return p + 1;
        }
        if (*p == '\\') {
            char four[4], *to = four;
            const char *next = pen_json_escape(p, d->end, &to);
            if (!next)
                return stop(d, p, "an escape that JSON does not know");
            *escaped = true;
            p = next;
        } else if ((unsigned char)*p < 0x80) {
            return string_stop(d, p);
        } else {
            high = p;
        }
    }
}

/* -- values that nobody wants --------------------------------------------------------------------------------------------------- */

INLINE const char *literal(struct pen_json_decoder *d, const char *p, const char *word, size_t n)
{
    if ((size_t)(d->end - p) < n || memcmp(p, word, n) != 0)
        return stop(d, p, "no JSON value");
    return p + n;
}

static const char *scalar_skip(struct pen_json_decoder *d, const char *p)
{
    bool escaped;
    const char *next;
    switch (peek(d, p)) {
    case '"': return string_skip(d, p + 1, &escaped);
    case 't': return literal(d, p, "true", 4);
    case 'f': return literal(d, p, "false", 5);
    case 'n': return literal(d, p, "null", 4);
    default: next = pen_number_end(p, d->end); return next ? next : stop(d, p, "no JSON value");
    }
}

/* "key" : of an object that is skipped. */
static const char *key_skip(struct pen_json_decoder *d, const char *p)
{
    bool escaped;
    p = skip_space(d, p);
    if (peek(d, p) != '"')
        return stop(d, p, "no key");
    if (!(p = string_skip(d, p + 1, &escaped)))
        return NULL;
    p = skip_space(d, p);
    return peek(d, p) == ':' ? skip_space(d, p + 1) : stop(d, p, "no colon after a key");
}

/* Checks any value; depth: of lists and objects around it. Does not recurse: a bit for each open one says whether it is an object. */
static const char *value_skip(struct pen_json_decoder *d, const char *p, unsigned depth)
{
    uint64_t objects[PEN_JSON_DEPTH / 64 + 1];
    unsigned outer = depth;
    for (;;) {
        char c = peek(d, p);
        if (c == '{' || c == '[') {
            uint64_t one = UINT64_C(1) << (depth % 64);
            if (depth >= PEN_JSON_DEPTH)
                return stop(d, p, "nested deeper than 512");
            objects[depth / 64] = c == '{' ? objects[depth / 64] | one : objects[depth / 64] & ~one;
            depth++;
            p = skip_space(d, p + 1);
            if (peek(d, p) != (c == '{' ? '}' : ']')) {
                if (c == '{' && !(p = key_skip(d, p)))
                    return NULL;
                continue;
            }
            p++;
            depth--;
        } else if (!(p = scalar_skip(d, p))) {
            return NULL;
        }
        for (;;) { /* behind a value: the end of what holds it, or the next one */
            bool object;
            if (depth == outer)
                return p;
            object = objects[(depth - 1) / 64] >> ((depth - 1) % 64) & 1;
            p = skip_space(d, p);
            if (peek(d, p) == ',') {
                p = object ? key_skip(d, p + 1) : skip_space(d, p + 1);
                if (!p)
                    return NULL;
                break;
            }
            if (peek(d, p) != (object ? '}' : ']'))
                return stop(d, p, object ? "no comma or brace after a value" : "no comma or bracket after a value");
            p++;
            depth--;
        }
    }
}
