/* memory_test.c - every allocation of a batch's life fails once: what fails says so, nothing leaks, nothing crashes.
 * The program puts its own malloc in front of the C library's; under a sanitizer, which does the same, the test skips.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json_harness.h"

#include "data/array.h"
#include "data/conform.h"
#include "data/encode.h"

#ifdef __has_feature
#define HAS(x) __has_feature(x)
#else
#define HAS(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || HAS(address_sanitizer) || HAS(thread_sanitizer) || !defined __GLIBC__
int main(void)
{
    skip("allocation failures", "a sanitizer has the allocator");
    return done_testing();
}
#else
extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size), *__libc_realloc(void *p, size_t n), *__libc_memalign(size_t a, size_t n);
extern void __libc_free(void *p);

static long fail_at = -1, calls, live;
static bool counting;

static bool refused(void)
{
    return counting && calls++ == fail_at;
}
static void *counted(void *p)
{
    live += counting && p;
    return p;
}
void *malloc(size_t n)
{
    return refused() ? NULL : counted(__libc_malloc(n));
}
void *calloc(size_t n, size_t size)
{
    return refused() ? NULL : counted(__libc_calloc(n, size));
}
void *realloc(void *p, size_t n)
{
    if (refused())
        return NULL;
    live -= counting && p;
    return counted(__libc_realloc(p, n));
}
void *aligned_alloc(size_t alignment, size_t n)
{
    return refused() ? NULL : counted(__libc_memalign(alignment, n));
}
void free(void *p)
{
    live -= counting && p;
    __libc_free(p);
}

/* Everything that a batch can meet; the error of the first step that failed, PEN_OK where none did. */
static pen_status life(const struct ArrowSchema *want, const char *lines, size_t n, struct pen_error *err)
{
    static const char *const other[] = { "u", "t", "g", "lacking", NULL };
    const struct ArrowSchema *wants[2] = { want, NULL };
    struct ArrowSchema wanted = { 0 }, result = { 0 };
    struct ArrowArray out[2] = { { 0 }, { 0 } }, part = { 0 }, taken = { 0 }, masked = { 0 }, picked = { 0 }, messages = { 0 };
    struct pen_intake *in = NULL;
    struct pen_conform *conform = NULL;
    struct pen_json_encoder *encoder = NULL;
    int64_t index[] = { 1, 0, 1 };
    uint8_t *bitmap;
    pen_status st = pen_intake_new(&in, wants, 2, 4096, err);
    for (int round = 0; st >= 0 && round < 2; round++) {
        pen_array_release(&out[0]);
        pen_array_release(&out[1]);
        pen_intake_begin(in);
        pen_intake_lines(in, lines, n, true, 0, INT64_MAX);
        st = pen_intake_finish(in, out, err);
    }
    if (st >= 0)
        st = pen_array_slice(&part, &out[0], 1, 2, err);
    if (st >= 0)
        st = pen_array_take(&taken, want, &part, index, 3, err);
    if (st >= 0 && !(bitmap = malloc(1)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    else if (st >= 0) {
        *bitmap = 1;
        st = pen_array_masked(&masked, part.children[0], bitmap, 1, err);
    }
    if (st >= 0)
        st = pen_schema_from_pairs(&wanted, other, err);
    if (st >= 0)
        st = pen_conform_new(&conform, want, &wanted, &result, err);
    if (st >= 0)
        st = pen_conform_apply(conform, &taken, &picked, err);
    if (st >= 0)
        st = pen_json_encoder_new(&encoder, want, err);
    if (st >= 0)
        st = pen_json_encoder_batch(encoder, &taken, &messages, err);
    if (st >= 0 && (messages.length != 3 || picked.children[1]->null_count != 3 || masked.null_count != 1))
        st = pen_fail(err, PEN_BADDATA, "the batches are not what they should be");
    pen_json_encoder_free(&encoder);
    pen_conform_free(&conform);
    pen_intake_free(&in);
    pen_array_release(&messages);
    pen_array_release(&picked);
    pen_array_release(&masked);
    pen_array_release(&taken);
    pen_array_release(&part);
    pen_array_release(&out[0]);
    pen_array_release(&out[1]);
    pen_schema_release(&result);
    pen_schema_release(&wanted);
    return st;
}

int main(void)
{
    static char lines[20000];
    struct ArrowSchema want;
    size_t n = 0;
    long leaks = 0, unsaid = 0;
    pen_status st = PEN_FATAL;
    want_init(&want, "!i:i u:t [u]:l {i:a,u:b}:s");
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(lines + n, sizeof lines - n, "{\"i\":%d,\"t\":\"text \\u20ac %d\",\"l\":[\"a\",\"b\"],\"s\":{\"a\":1,\"b\":\"x\"}}\n%s", i, i,
                              i % 7 ? "" : "{\"i\":\n");
    for (fail_at = 0; st < 0 && fail_at < 100000; fail_at++) {
        struct pen_error err = { 0 };
        calls = live = 0;
        counting = true;
        st = life(&want, lines, n, &err);
        counting = false;
        leaks += live != 0;
        unsaid += st < 0 && (st != PEN_FATAL || strcmp(err.msg, "out of memory") != 0);
        if (live != 0 || (st < 0 && strcmp(err.msg, "out of memory") != 0))
            printf("# allocation %ld: %ld left, %d %s\n", fail_at, live, (int)st, err.msg);
    }
    ok(fail_at > 100, "%ld allocations failed, one at a time", fail_at - 1);
    ok(st == PEN_OK, "without a failure all goes well");
    ok(leaks == 0, "nothing leaks");
    ok(unsaid == 0, "each failure is said");
    pen_schema_release(&want);
    return done_testing();
}
#endif
