/* text.h - the one function through which text out of records, servers and files reaches a log line or a message.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_OPS_TEXT_H
#define PENSTOCK_OPS_TEXT_H

#include <stddef.h>

/* Copies n bytes of text into buf as one printable line of valid UTF-8: control characters become \n, \t, \r or \xHH, and so do bytes that
 * are no UTF-8. Cut at a whole character, with "..." , where it does not fit. Always ends buf with a NUL; returns buf's length. */
size_t pen_text_escape(char *buf, size_t size, const char *text, size_t n);

#endif
