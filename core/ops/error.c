/* error.c - one-line messages that no byte of their arguments can break.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <penstock/error.h>

#include "ops/text.h"

pen_status pen_fail(struct pen_error *err, pen_status code, const char *fmt, ...)
{
    char raw[sizeof err->msg];
    va_list ap;
    int n;
    if (!err || err->msg[0])
        return code;
    va_start(ap, fmt);
    n = vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    if (n < 0)
        n = 0;
    if ((size_t)n >= sizeof raw)
        n = (int)sizeof raw - 1;
    err->code = code;
    pen_text_escape(err->msg, sizeof err->msg, raw, (size_t)n);
    return code;
}
