/* text.h - text in JSON strings as other things: escapes, UTF-8, base64. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_TEXT_H
#define PENSTOCK_DATA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the escape whose backslash is at p (RFC 8259, section 7) to *out, at most 4 bytes (a pair of surrogates is one escape), and
 * moves *out; returns what follows it, or NULL where it is none. A lone surrogate becomes U+FFFD. */
const char *pen_json_escape(const char *p, const char *end, char **out);
/* Decodes base64 (RFC 4648, section 4, with padding) in place or elsewhere; false where it is none. out has room for n / 4 * 3. */
bool pen_base64_decode(uint8_t *out, size_t *out_n, const char *text, size_t n);

#endif
