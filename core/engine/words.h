/* words.h - positions and plans as text and bytes, for what the engine keeps.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_WORDS_H
#define PENSTOCK_ENGINE_WORDS_H

#include <penstock/plugin.h>

#define PEN_WORDS_TEXT 96

/* "12" or "12.0.7": the words of a position, decimal. buf holds PEN_WORDS_TEXT bytes. Returns buf. */
char *pen_words_format(char *buf, const struct pen_position *pos);
/* False for anything else. */
bool pen_words_parse(const char *text, struct pen_position *pos);

/* A plan's moves and staged bytes as one malloc'ed block. The format is this machine's: it never leaves `state`. */
pen_status pen_plan_pack(const struct pen_plan *plan, void **out, size_t *n, struct pen_error *err);
pen_status pen_plan_unpack(const char *id, const void *bytes, size_t n, struct pen_plan **out, struct pen_error *err);

#endif
