/* store_check.c - the s3 store against a server: store_check s3://BUCKET/FOLDER, with S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY (and S3_CA) in the
 * environment. store_test.py starts the servers. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/host.h"
#include "engine/store.h"
#include "s3/s3.h"
#include "tests/tap.h"

extern const struct pen_plugin s3_LTX_pen_plugin;

static const char *root;
static struct s3_store store;
static struct pen_run_context run;
static const struct pen_host host = { .run = &run, .stage = "test" };

static void start(struct s3_store *s, const struct s3_options *o)
{
    struct pen_error err = { 0 };
    memset(s, 0, sizeof *s);
    s->options = *o;
    if (s3_LTX_pen_plugin.store_start(s, &host, &err) < 0) {
        printf("Bail out! %s\n", err.msg);
        exit(1);
    }
}

static struct s3_options options(void)
{
    return (struct s3_options){ .aws = { .endpoint = getenv("S3_ENDPOINT"), .region = "us-east-1", .access_key = getenv("S3_ACCESS_KEY"),
                                         .secret_key = getenv("S3_SECRET_KEY"), .tls_ca = getenv("S3_CA"), .connect_timeout = 5000000,
                                         .silence_timeout = 10000000, .attempts = 3 },
                                .part_size = 5 << 20, .upload_threads = 3, .outage_timeout = 5000000 };
}

static const char *at(const char *name)
{
    static char buf[8][2048];
    static unsigned next;
    char *b = buf[next++ % 8];
    snprintf(b, sizeof *buf, "%s/%s", root, name);
    return b;
}

static bool fine(pen_status st, const struct pen_error *err)
{
    if (st < 0)
        printf("# %d: %s\n", (int)st, err->msg);
    return st == PEN_OK;
}

static pen_put_outcome put(const char *name, const char *text, unsigned flags)
{
    struct pen_error err = { 0 };
    pen_put_outcome outcome = PEN_PUT_UNKNOWN;
    return fine(pen_store_put(&host, at(name), text, strlen(text), flags, &outcome, &err), &err) ? outcome : PEN_PUT_UNKNOWN;
}

static bool holds(const char *name, const char *want, size_t n)
{
    struct pen_error err = { 0 };
    char *bytes;
    size_t got;
    bool same = fine(pen_store_get(&host, at(name), 64 << 20, &bytes, &got, &err), &err) && got == n && memcmp(bytes, want, n) == 0;
    free(bytes);
    return same;
}

/* -- small objects ---------------------------------------------------------------------------------------------------------------------------- */

static void test_put__if_absent_is_refused_the_second_time(void)
{
    struct pen_error err = { 0 };
    struct pen_object o;
    ok(fine(pen_store_prove(&host, root, &err), &err), "the probe of put-if-absent");
    ok(put("a", "one", PEN_PUT_IF_ABSENT) == PEN_PUT_DONE, "the first put is done");
    ok(put("a", "two", PEN_PUT_IF_ABSENT) == PEN_PUT_EXISTS && holds("a", "one", 3), "the second is refused and changed nothing");
    ok(put("a", "three", 0) == PEN_PUT_DONE && holds("a", "three", 5), "without the flag an object is replaced");
    ok(put("empty", "", PEN_PUT_IF_ABSENT) == PEN_PUT_DONE && holds("empty", "", 0), "an empty object");
    bool good = pen_store_head(&host, at("a"), &o, &err) == PEN_OK;
    ok(good && o.size == 5 && o.tag[0] && o.tag[0] != '"' && strcmp(o.name, "a") == 0,
       "head: %lld bytes, tag %s", (long long)o.size, o.tag);
    int64_t now = 0;
    good = fine(pen_store_now(&host, at("nowhere"), &now, &err), &err);
    ok(good && now >= o.modified - 2000000 && now - o.modified < 60000000,
       "the store's own time is not before the object's: %lld us", (long long)(now - o.modified));
    ok(pen_store_head(&host, at("none"), &o, &err) == PEN_SKIP, "head of what is not there");
}

static void test_read__ranges(void)
{
    struct pen_error err = { 0 };
    char buf[16] = "";
    size_t got = 9;
    put("range", "0123456789", 0);
    ok(pen_store_read(&host, at("range"), 3, buf, 4, &got, &err) == PEN_OK && got == 4 && memcmp(buf, "3456", 4) == 0, "in the middle");
    ok(pen_store_read(&host, at("range"), 8, buf, 16, &got, &err) == PEN_OK && got == 2 && memcmp(buf, "89", 2) == 0, "over its end");
    ok(pen_store_read(&host, at("range"), 10, buf, 4, &got, &err) == PEN_OK && got == 0, "at its end");
    ok(pen_store_read(&host, at("range"), 99, buf, 4, &got, &err) == PEN_OK && got == 0, "behind its end");
    ok(pen_store_read(&host, at("empty"), 0, buf, 4, &got, &err) == PEN_OK && got == 0, "of an empty object");
    ok(pen_store_read(&host, at("none"), 0, buf, 4, &got, &err) == PEN_SKIP, "of what is not there");
    ok(fine(pen_store_remove(&host, at("range"), &err), &err) && pen_store_read(&host, at("range"), 0, buf, 4, &got, &err) == PEN_SKIP, "removed");
    ok(fine(pen_store_remove(&host, at("range"), &err), &err), "removing what is not there is fine");
}

static void test_metadata__comes_back(void)
{
    static const char *const names[] = { "content-type", "end", "empty-one" }, *const values[] = { "application/json", "1 2 3/%~", "x y" };
    const struct pen_pairs pairs = { 3, names, values };
    struct pen_error err = { 0 };
    struct pen_upload *u;
    pen_put_outcome outcome;
    char value[64] = "";
    bool good = fine(pen_store_put_with(&host, at("meta"), "x", 1, PEN_PUT_IF_ABSENT, &pairs, &outcome, &err), &err);
    for (int i = 0; i < 3; i++)
        ok(good && fine(pen_store_metadata(&host, at("meta"), names[i], value, sizeof value, &err), &err) && strcmp(value, values[i]) == 0, "%s: %s", names[i],
           values[i]);
    ok(pen_store_metadata(&host, at("meta"), "other", value, sizeof value, &err) == PEN_SKIP, "an entry that is not there");
    ok(pen_store_metadata(&host, at("none"), "end", value, sizeof value, &err) == PEN_SKIP, "an object that is not there");
    good = fine(pen_upload_open_with(&host, &u, at("meta-upload"), 0, &pairs, &err), &err) && fine(pen_upload_close(&u, &outcome, &err), &err);
    ok(good && fine(pen_store_metadata(&host, at("meta-upload"), "end", value, sizeof value, &err), &err) && strcmp(value, "1 2 3/%~") == 0, "of an upload");
}

/* -- lists -------------------------------------------------------------------------------------------------------------------------------------- */

static pen_status gather(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct pen_text *t = arg;
    (void)err;
    pen_text_format(t, "%s ", o->name);
    return strcmp(o->name, "stop") == 0 ? PEN_SKIP : PEN_OK;
}

static void lists(const char *folder, const char *after, bool recursive, const char *want)
{
    struct pen_text t = { 0 };
    struct pen_error err = { 0 };
    bool good = fine(pen_store_list(&host, at(folder), after, recursive, gather, &t, &err), &err);
    const char *got = aws_text(&t);
    ok(good && strcmp(got, want) == 0, "%s%s%s: %s", recursive ? "all of " : "", folder, after ? ", after a name" : "", got);
    pen_text_fini(&t);
}

static pen_status count(void *arg, const struct pen_object *o, struct pen_error *err)
{
    (void)err, (void)o;
    ++*(int *)arg;
    return PEN_OK;
}

static void test_list__in_order_of_names(void)
{
    struct pen_error err = { 0 };
    int n = 0;
    put("l/b", "", 0), put("l/a", "", 0), put("l/c d+e%20&<>", "", 0), put("l/sub/x", "", 0), put("l/\xc3\xa9=\xe2\x82\xac", "", 0), put("lb", "", 0);
    lists("l", NULL, false, "a b c d+e%20&<> \xc3\xa9=\xe2\x82\xac ");
    lists("l", NULL, true, "a b c d+e%20&<> sub/x \xc3\xa9=\xe2\x82\xac ");
    lists("l", "a", false, "b c d+e%20&<> \xc3\xa9=\xe2\x82\xac ");
    lists("l/", "c", true, "c d+e%20&<> sub/x \xc3\xa9=\xe2\x82\xac ");
    lists("nothing", NULL, true, "");
    ok(holds("l/c d+e%20&<>", "", 0) && holds("l/\xc3\xa9=\xe2\x82\xac", "", 0), "names that need encoding are read");
    for (int i = 0; i < 1005; i++) {
        char name[32];
        snprintf(name, sizeof name, "many/%05d", i);
        put(name, "", 0);
    }
    bool good = fine(pen_store_list(&host, at("many"), NULL, true, count, &n, &err), &err);
    ok(good && n == 1005, "more than a page: %d", n);
    n = 0;
    good = fine(pen_store_list(&host, at("many"), "01000", false, count, &n, &err), &err);
    ok(good && n == 4, "after a name: %d", n);
}

/* -- large objects ------------------------------------------------------------------------------------------------------------------------------ */

static char *pattern(size_t n)
{
    char *bytes = malloc(n + 1);
    for (size_t i = 0; bytes && i < n; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    return bytes;
}

static pen_put_outcome upload(const char *name, const char *bytes, size_t n, unsigned flags)
{
    struct pen_error err = { 0 };
    struct pen_upload *u;
    pen_put_outcome outcome = PEN_PUT_UNKNOWN;
    bool good = fine(pen_upload_open(&host, &u, at(name), flags, &err), &err);
    for (size_t i = 0; good && i < n; i += 700001)
        good = fine(pen_upload_write(u, bytes + i, n - i < 700001 ? n - i : 700001, &err), &err);
    if (!good)
        return PEN_PUT_UNKNOWN;
    return fine(pen_upload_close(&u, &outcome, &err), &err) ? outcome : PEN_PUT_UNKNOWN;
}

static void test_upload__in_one_or_in_many_parts(void)
{
    static const size_t sizes[] = { 0, 1, 5 << 20, (5 << 20) + 1, 23456789 };
    char *bytes = pattern(23456789), name[32];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(name, sizeof name, "u/%zu", sizes[i]);
        ok(upload(name, bytes, sizes[i], PEN_PUT_IF_ABSENT) == PEN_PUT_DONE && holds(name, bytes, sizes[i]), "%zu bytes", sizes[i]);
        ok(upload(name, bytes, 7, PEN_PUT_IF_ABSENT) == PEN_PUT_EXISTS && holds(name, bytes, sizes[i]), "and is not replaced by a small one");
    }
    ok(upload("u/1", bytes, 11 << 20, PEN_PUT_IF_ABSENT) == PEN_PUT_EXISTS && holds("u/1", bytes, 1), "nor by a large one");
    ok(upload("u/1", bytes, 11 << 20, 0) == PEN_PUT_DONE && holds("u/1", bytes, 11 << 20), "but without the flag it is");
    free(bytes);
}

static char *staged(const char *name, const char *bytes, size_t n)
{
    struct pen_error err = { 0 };
    struct pen_upload *u;
    char *token = NULL;
    bool good = fine(pen_upload_open(&host, &u, at(name), PEN_PUT_IF_ABSENT, &err), &err) && fine(pen_upload_write(u, bytes, n, &err), &err);
    return good && fine(pen_upload_stage(&u, &token, &err), &err) ? token : NULL;
}

static void test_stage__is_seen_only_once_published(void)
{
    static const size_t sizes[] = { 0, 3, 12345678 };
    char *bytes = pattern(12345678), name[32];
    struct pen_object o;
    struct pen_error err = { 0 };
    pen_put_outcome outcome;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(name, sizeof name, "s/%zu with space", sizes[i]);
        char *token = staged(name, bytes, sizes[i]);
        ok(token && pen_store_head(&host, at(name), &o, &err) == PEN_SKIP, "%zu bytes staged, and not to be seen", sizes[i]);
        ok(token && fine(pen_store_publish(&host, token, &outcome, &err), &err) && outcome == PEN_PUT_DONE && holds(name, bytes, sizes[i]), "published");
        ok(token && fine(pen_store_publish(&host, token, &outcome, &err), &err) && outcome == PEN_PUT_DONE, "once more is no harm");
        free(token);
        token = staged(name, bytes, 5);
        ok(token && fine(pen_store_publish(&host, token, &outcome, &err), &err) && outcome == PEN_PUT_EXISTS && holds(name, bytes, sizes[i]),
           "another one of that name is refused");
        ok(token && fine(pen_store_discard(&host, token, &err), &err) && fine(pen_store_discard(&host, token, &err), &err), "and discarded, twice");
        ok(pen_store_publish(&host, token, &outcome, &err) < 0 || outcome != PEN_PUT_DONE, "what was discarded is not published");
        memset(&err, 0, sizeof err);
        free(token);
    }
    free(bytes);
}

static void test_abandon__leaves_nothing(void)
{
    struct pen_error err = { 0 };
    struct pen_upload *u;
    struct pen_object o;
    char *bytes = pattern(11 << 20);
    bool good = fine(pen_upload_open(&host, &u, at("gone"), 0, &err), &err) && fine(pen_upload_write(u, bytes, 11 << 20, &err), &err);
    pen_upload_abandon(&u);
    ok(good && pen_store_head(&host, at("gone"), &o, &err) == PEN_SKIP, "an upload that is abandoned");
    free(bytes);
}

/* -- mistakes -------------------------------------------------------------------------------------------------------------------------------------- */

static void says(const struct s3_options *o, const char *url, const char *word, const char *what)
{
    struct s3_store other;
    struct pen_error err = { 0 };
    pen_put_outcome outcome;
    start(&other, o);
    pen_status st = s3_LTX_pen_plugin.store->put(&other, url, "x", 1, PEN_PUT_IF_ABSENT, NULL, &outcome, &err);
    ok(st < 0 && strcasestr(err.msg, word) && !strstr(err.msg, "penstock-secret"), "%s: %s", what, err.msg);
    s3_LTX_pen_plugin.store_stop(&other);
}

static void test_mistakes__are_named(void)
{
    struct s3_options o = options();
    const char *path = root + strlen("s3://");
    says(&o, "no-such-bucket-here/x", "NoSuchBucket", "a bucket that is not there");
    says(&o, "x/y", "3 to 63", "a bucket's name");
    o.aws.secret_key = "wrong";
    says(&o, path, "SignatureDoesNotMatch", "a wrong secret");
    o = options();
    o.aws.access_key = "nobody";
    says(&o, path, "ccess key I", "a key that is not known");
    o = options();
    o.aws.endpoint = "http://127.0.0.1:1";
    o.aws.attempts = 1;
    says(&o, path, "127.0.0.1", "nobody there");
    o.aws.endpoint = "http://no-such-host.invalid";
    says(&o, path, "no-such-host.invalid", "an unknown host");
}

int main(int argc, char **argv)
{
    struct s3_options o = options();
    if (argc != 2 || !o.aws.endpoint) {
        fprintf(stderr, "usage: S3_ENDPOINT=… S3_ACCESS_KEY=… S3_SECRET_KEY=… store_check s3://BUCKET/FOLDER\n");
        return 2;
    }
    root = argv[1];
    run.stores = pen_stores_new();
    run.clock = &pen_system_clock;
    run.wake_fd = -1;
    start(&store, &o);
    pen_stores_add(run.stores, s3_LTX_pen_plugin.store, &store, NULL);
    test_put__if_absent_is_refused_the_second_time();
    test_read__ranges();
    test_metadata__comes_back();
    test_list__in_order_of_names();
    test_upload__in_one_or_in_many_parts();
    test_stage__is_seen_only_once_published();
    test_abandon__leaves_nothing();
    test_mistakes__are_named();
    s3_LTX_pen_plugin.store_stop(&store);
    pen_stores_free(&run.stores);
    return done_testing();
}
