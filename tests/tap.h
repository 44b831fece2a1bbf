/* tap.h - the little that a C test needs: one line of TAP for each behaviour looked at.
 * A test program calls ok() (or skip()) as often as it likes and ends with `return done_testing();`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_TAP_H
#define PENSTOCK_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_run, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static bool ok(bool good, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("%sok %d - ", good ? "" : "not ", ++tap_run);
    vprintf(fmt, ap);
    putchar('\n');
    fflush(stdout);
    va_end(ap);
    tap_failed += !good;
    return good;
}

__attribute__((unused)) static void skip(const char *what, const char *why)
{
    printf("ok %d - %s # SKIP %s\n", ++tap_run, what, why);
}

__attribute__((unused)) static int done_testing(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed != 0;
}

#endif
