/* alloc_test.c - a configuration is loaded, applied and printed with each of its allocations failing in turn, once and from then on: no
 * crash, no half result, no leak of what is seen. Interposes glibc's allocator, so not under the sanitizers, which do so themselves.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "tap.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define INTERPOSED 0
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INTERPOSED 0
#endif
#endif
#ifndef INTERPOSED
#define INTERPOSED 1
#endif

static long fail_at = -1, allocations, live;
static bool fail_on;

#if INTERPOSED
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static bool fails(void)
{
    long now = allocations++;
    if (fail_at < 0 || now < fail_at || (now > fail_at && !fail_on))
        return false;
    errno = ENOMEM;
    return true;
}
void *malloc(size_t n)
{
    void *p = fails() ? NULL : __libc_malloc(n);
    live += p != NULL;
    return p;
}
void *calloc(size_t n, size_t size)
{
    void *p = fails() ? NULL : __libc_calloc(n, size);
    live += p != NULL;
    return p;
}
void *realloc(void *old, size_t n)
{
    void *p = fails() ? NULL : __libc_realloc(old, n);
    live += p && !old;
    return p;
}
void free(void *p)
{
    live -= p != NULL;
    __libc_free(p);
}
#endif

struct context {
    const char *path;
    struct pen_strings list;
    struct pen_pairs pairs;
    double ratio;
};
static const struct pen_option options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct context, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED, "A path." },
    { "list", PEN_OPT_LIST, offsetof(struct context, list), "a b c d e", 0, 0, NULL, 0, "A list." },
    { "ratio", PEN_OPT_FLOAT, offsetof(struct context, ratio), "0.5", 0, 1, NULL, 0, "A share." },
    { "h.", PEN_OPT_PAIRS, offsetof(struct context, pairs), NULL, 0, 0, NULL, 0, "Pairs." },
    { .name = NULL }
};

static const char good[] = "[pipeline]\nname = x\nstate = /s\n[defaults p]\nh.a = 1\nh.b = 2\n[source s]\nplugin = p\npath = ${env:PEN_T_A}/x\nlist = a b\n  c d\n"
                           "[transform t]\nplugin = p\ninput = s\npath = y\nh.b = 3\n[sink k]\nplugin = p\ninput = t s.out\npath = $${z\n";
static const char bad[] = "[pipelin]\n[source s]\nplugin = p\npth = x\npath =\nlist = \"a\nratio = 2\nx\n[sink k]\nplugin = p\ninput = ss k\npath = ${file:/nowhere}\n"
                          "[sink k]\ninput = s\n";

/* The whole way of one file; returns what became of it. */
static pen_status once(const char *text, size_t n, size_t *errors)
{
    static const char *const sets[] = { "k.path=/set" };
    struct pen_error err = { 0 };
    struct pen_config *c;
    pen_status st = pen_config_load_text(&c, "test.ini", text, n, sets, 1, &err);
    *errors = 0;
    if (st < 0)
        return c || !err.msg[0] ? PEN_BADDATA : st; /* a failure leaves nothing, and has a message */
    for (size_t i = 0; i < c->n_stages; i++) {
        struct context ctx = { 0 };
        pen_config_apply(c, &c->stages[i], options, &ctx);
    }
    pen_diags_sort(&c->diags);
    *errors = c->diags.errors;
    st = c->diags.failed ? PEN_FATAL : PEN_OK;
    pen_config_free(&c);
    return st;
}

static void each_allocation(const char *what, const char *text, size_t n, bool from_then_on)
{
    size_t want, got;
    long count, before = live, wrong = 0;
    fail_at = -1;
    allocations = 0;
    if (once(text, n, &want) != PEN_OK)
        wrong++;
    count = allocations;
    fail_on = from_then_on;
    for (long i = 0; i < count; i++) {
        pen_status st;
        allocations = 0;
        fail_at = i;
        st = once(text, n, &got);
        fail_at = -1;
        /* a suggestion may be missing where memory was; a mistake may not */
        wrong += st != PEN_FATAL && !(st == PEN_OK && got == want);
        wrong += live != before;
    }
    ok(count > 10 && wrong == 0, "%s: %ld allocations, each failing %s: %ld wrong", what, count, from_then_on ? "from then on" : "once", wrong);
}

int main(void)
{
    if (!INTERPOSED) {
        skip("failing allocations", "a sanitizer has the allocator");
        return done_testing();
    }
    setenv("PEN_T_A", "a", 1);
    for (int i = 0; i < 2; i++) {
        each_allocation("a good file", good, sizeof good - 1, i == 1);
        each_allocation("a bad file", bad, sizeof bad - 1, i == 1);
    }
    return done_testing();
}
