/* malloc_fails.h - a malloc in front of the C library's, of which one call can be made to fail. Include it in one file of a program.
 * MALLOC_IS_OURS is 0 under a sanitizer, which does the same, and where the C library is not glibc: such a test skips.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_MALLOC_FAILS_H
#define PENSTOCK_TESTS_MALLOC_FAILS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#ifdef __has_feature
#define MALLOC_FAILS_HAS(x) __has_feature(x)
#else
#define MALLOC_FAILS_HAS(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || MALLOC_FAILS_HAS(address_sanitizer) || MALLOC_FAILS_HAS(thread_sanitizer) || \
    !defined __GLIBC__
#define MALLOC_IS_OURS 0
#else
#define MALLOC_IS_OURS 1

extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size), *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);
extern void __libc_free(void *p);

static long malloc_fail_at = -1; /* this call fails, counted from 0 */
static bool malloc_fail_on;      /* and so do all after it */
static long malloc_calls, malloc_live;
static bool malloc_counting;     /* nothing is counted, and nothing fails, while false */

static bool malloc_refused(void)
{
    long call = malloc_calls;
    if (!malloc_counting)
        return false;
    malloc_calls++;
    return call == malloc_fail_at || (malloc_fail_on && malloc_fail_at >= 0 && call > malloc_fail_at);
}
static void *malloc_counted(void *p)
{
    malloc_live += malloc_counting && p;
    return p;
}
void *malloc(size_t n)
{
    return malloc_refused() ? NULL : malloc_counted(__libc_malloc(n));
}
void *calloc(size_t n, size_t size)
{
    return malloc_refused() ? NULL : malloc_counted(__libc_calloc(n, size));
}
void *realloc(void *p, size_t n)
{
    if (malloc_refused())
        return NULL;
    malloc_live -= malloc_counting && p;
    return malloc_counted(__libc_realloc(p, n));
}
void *aligned_alloc(size_t alignment, size_t n)
{
    return malloc_refused() ? NULL : malloc_counted(__libc_memalign(alignment, n));
}
void free(void *p)
{
    malloc_live -= malloc_counting && p;
    __libc_free(p);
}
#endif

#endif
