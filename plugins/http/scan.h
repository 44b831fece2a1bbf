/* scan.h - a strict scanner of JSON text (RFC 8259) for what comes over the network: it builds nothing, and hands out the bytes of values as they
 * were sent. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_HTTP_SCAN_H
#define PENSTOCK_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct slice {
    char *p; /* NULL: not there */
    size_t n;
};

struct scan {
    char *p, *end;
    const char *begin;
    const char *why; /* NULL, or what is wrong at p */
};

void scan_init(struct scan *s, char *text, size_t n);
/* The next value, with everything in it checked: its bytes. */
bool scan_value(struct scan *s, struct slice *out);
/* Steps into an object or array: `open` is its brace or bracket. */
bool scan_enter(struct scan *s, char open);
/* The next key of the object that was entered (the inside of its literal, escaped); the scanner stands before the value. False at the end, or
 * where s->why says what is wrong. *first starts as true. */
bool scan_key(struct scan *s, bool *first, struct slice *key);
/* Whether the array that was entered has another item; the scanner stands before it. */
bool scan_item(struct scan *s, bool *first);
/* Nothing but white space is left. */
bool scan_at_end(struct scan *s);
/* The first byte of the next value, '\0' at the end. */
char scan_peek(struct scan *s);

/* Of texts that a scan has checked: */
/* Whether a key, unescaped, is `name`. */
bool slice_is(const struct slice *key, const char *name);
bool slice_is_string(const struct slice *value);
bool slice_is_null(const struct slice *value);
/* A string literal to its text, in place. */
void slice_unquote(struct slice *value);
/* A whole number from 0 to max. */
bool slice_to_int(const struct slice *value, long long max, long long *out);
/* Base64 text (without quotes; RFC 4648, section 4) to its bytes, in place. */
bool slice_from_base64(struct slice *text);

#endif
