/* torture_test.c - the cleaners with their Nth allocation failing, for every N, once and from then on: they say so and leave nothing behind.
 * Skipped where a sanitizer brings its own allocator.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "driver.h"
#include "../tap.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define OWN_ALLOCATOR 0
#else
#define OWN_ALLOCATOR 1
#endif
#else
#define OWN_ALLOCATOR 1
#endif

static long countdown = -1; /* allocations until one fails; < 0: none does */
static bool ever_after;     /* and all that follow */
static long live;           /* allocations not yet freed */

#if OWN_ALLOCATOR
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *p);

static bool fails(void)
{
    if (countdown < 0)
        return false;
    if (countdown > 0) {
        countdown--;
        return false;
    }
    if (!ever_after)
        countdown = -1;
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
    live += p != NULL && old == NULL;
    return p;
}
void *aligned_alloc(size_t alignment, size_t n)
{
    void *p = fails() ? NULL : __libc_memalign(alignment, n);
    live += p != NULL;
    return p;
}
void free(void *p)
{
    live -= p != NULL;
    __libc_free(p);
}
#endif

struct outcome {
    pen_status status;
    bool good;
};

/* Prepares the transform and applies it to a batch, twice, with allocations failing as asked. */
static struct outcome prepare_and_apply(struct driver *d, const struct ArrowSchema *schema, const struct ArrowArray *in, long nth, bool after)
{
    struct ArrowSchema out = { .release = NULL };
    struct ArrowArray batch;
    struct pen_error err = { 0 };
    struct outcome o = { PEN_OK, true };
    countdown = nth;
    ever_after = after;
    o.status = d->transform->prepare(d->ctx, schema, &out, &err);
    if (o.status < 0)
        o.good = !out.release;
    for (int i = 0; i < 2 && o.status >= 0; i++) {
        batch.release = NULL;
        pen_rejects_reset(&d->rejects);
        o.status = d->transform->apply(d->ctx, in, &batch, &d->rejects, &err);
        o.good = o.good && (o.status >= 0) == (batch.release != NULL);
        pen_array_release(&batch);
        if (d->rejects.failed) /* is for the engine to see */
            o.status = pen_fail(&err, PEN_FATAL, "out of memory");
    }
    o.good = o.good && (o.status >= 0 || (o.status == PEN_FATAL && err.msg[0]));
    countdown = -1;
    pen_schema_release(&out);
    return o;
}

/* One transform on one batch: every allocation in turn. */
static void torture(const char *what, const struct pen_plugin *plugin, const struct ArrowSchema *typed, const struct ArrowArray *in, bool after)
{
    long n = 0;
    bool good = true, through = false;
    for (; good && !through && n < 10000; n++) {
        struct driver d;
        long before = live;
        struct outcome o;
        driver_open(&d, plugin, NULL, typed);
        o = prepare_and_apply(&d, typed ? typed : &d.want, in, n, after);
        through = o.status >= 0;
        good = o.good;
        driver_close(&d);
        good = good && live == before;
        if (!good)
            printf("# allocation %ld: status %d, %ld not freed\n", n, (int)o.status, live - before);
    }
    ok(good && through && n > 5, "%s, %s: %ld allocations fail in turn%s", plugin->name, what, n - 1, after ? ", and all after" : "");
}

static void on_json(const struct pen_plugin *plugin, const char *lines)
{
    struct driver d;
    struct ArrowArray in;
    struct pen_error err = { 0 };
    driver_open(&d, plugin, NULL, NULL);
    pen_intake_begin(d.intake);
    pen_intake_lines(d.intake, lines, strlen(lines), true, 0, INT64_MAX);
    if (ok(pen_intake_finish(d.intake, &in, &err) >= 0 && in.length == 3, "%s: three rows to begin with", plugin->name)) {
        torture("JSON", plugin, NULL, &in, false);
        torture("JSON", plugin, NULL, &in, true);
        pen_array_release(&in);
    }
    driver_close(&d);
}

/* Columns that all have to be converted, and a row that has no key. */
static void on_columns(const struct pen_plugin *plugin, const char *const *pairs)
{
    struct ArrowSchema schema;
    struct pen_builder *b;
    struct ArrowArray in;
    struct pen_error err = { 0 };
    if (!ok(pen_schema_from_pairs(&schema, pairs, &err) >= 0 && pen_builder_new(&b, &schema, &err) >= 0, "%s: typed columns", plugin->name))
        return;
    for (int row = 0; row < 3; row++)
        for (int64_t i = 0; i < schema.n_children; i++)
            if (row == 1 && i == 0)
                pen_builder_null(pen_builder_child(b, (size_t)i));
            else if (pen_schema_type(schema.children[i]) == PEN_TYPE_INT64)
                pen_builder_int64(pen_builder_child(b, (size_t)i), row);
            else
                pen_builder_bytes_value(pen_builder_child(b, (size_t)i), "2021-01-05 12:34:56", 19);
    if (ok(pen_builder_finish(b, &in, &err) >= 0, "%s: three rows of them", plugin->name)) {
        torture("typed columns", plugin, &schema, &in, false);
        torture("typed columns", plugin, &schema, &in, true);
        pen_array_release(&in);
    }
    pen_builder_free(&b);
    pen_schema_release(&schema);
}

int main(void)
{
    static const char *const pin[] = { "l", "index", "l", "unique_id", "l", "title", "l", "description", "l", "follower_count", "l", "poster_name",
                                       "l", "tag_list", "l", "is_image_or_video", "l", "image_src", "l", "save_location", "l", "category", NULL };
    static const char *const geo[] = { "l", "ind", "l", "country", "l", "latitude", "l", "longitude", "u", "timestamp", NULL };
    static const char *const user[] = { "l", "ind", "u", "first_name", "u", "last_name", "l", "age", "u", "date_joined", NULL };
    if (!OWN_ALLOCATOR) {
        skip("allocations that fail", "a sanitizer brings its own allocator");
        return done_testing();
    }
    on_json(&pin_LTX_pen_plugin, "{\"index\":1,\"title\":\"\",\"follower_count\":\"1\\u006b\",\"save_location\":\"Local save in x\"}\n"
                                 "{\"index\":2,\"title\":\"No Title Data Available\",\"image_src\":\"Image src error.\"}\n{\"index\":3,\"category\":null}\n");
    on_json(&geo_LTX_pen_plugin, "{\"ind\":1,\"latitude\":1,\"longitude\":2,\"timestamp\":\"2021-01-05 12:34:56\"}\n{\"ind\":2}\n{\"ind\":3}\n");
    on_json(&user_LTX_pen_plugin, "{\"ind\":1,\"first_name\":\"a\",\"last_name\":\"b\",\"age\":3}\n{\"ind\":2}\n{\"ind\":3}\n");
    on_columns(&pin_LTX_pen_plugin, pin);
    on_columns(&geo_LTX_pen_plugin, geo);
    on_columns(&user_LTX_pen_plugin, user);
    return done_testing();
}
