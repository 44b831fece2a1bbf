/* test_store.c - the store functions over local folders, and that a registered store gets its URLs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <penstock/plugin.h>

#include "engine/host.h"
#include "engine/store.h"
#include "tap.h"

static char root[256];

static const char *at(const char *name)
{
    static char buf[8][512];
    static unsigned next;
    char *b = buf[next++ % 8];
    snprintf(b, sizeof *buf, "%s/%s", root, name);
    return b;
}

static pen_put_outcome put(const char *name, const char *text, unsigned flags)
{
    struct pen_error err = { 0 };
    pen_put_outcome outcome;
    if (pen_store_put(NULL, at(name), text, strlen(text), flags, &outcome, &err) != PEN_OK) {
        printf("# put %s: %s\n", name, err.msg);
        return PEN_PUT_UNKNOWN;
    }
    return outcome;
}

static bool holds(const char *name, const char *text)
{
    char *bytes;
    size_t n;
    bool same = pen_store_get(NULL, at(name), 1 << 20, &bytes, &n, NULL) == PEN_OK && n == strlen(text) && memcmp(bytes, text, n) == 0;
    free(bytes);
    return same;
}

static pen_status gather(void *arg, const struct pen_object *o, struct pen_error *err)
{
    char *text = arg;
    (void)err;
    strcat(strcat(text, o->name), " ");
    return strcmp(o->name, "stop") == 0 ? PEN_SKIP : PEN_OK;
}

static const char *listed(const char *name, const char *after, bool recursive)
{
    static char text[4096];
    struct pen_error err = { 0 };
    text[0] = '\0';
    if (pen_store_list(NULL, at(name), after, recursive, gather, text, &err) != PEN_OK)
        return err.msg[0] ? strcpy(text, err.msg) : "?";
    return text;
}

static void test_store__put_if_absent_refuses_a_taken_name(void)
{
    ok(put("a/b/one", "first", PEN_PUT_IF_ABSENT) == PEN_PUT_DONE, "a first put makes its folders and is done");
    ok(put("a/b/one", "second", PEN_PUT_IF_ABSENT) == PEN_PUT_EXISTS && holds("a/b/one", "first"), "a second if absent is refused");
    ok(put("a/b/one", "third", 0) == PEN_PUT_DONE && holds("a/b/one", "third"), "a plain put replaces");
    ok(put("a/b/two", "", PEN_PUT_NO_FSYNC) == PEN_PUT_DONE && holds("a/b/two", ""), "an empty object");
    ok(strcmp(listed("a/b", NULL, false), "one two ") == 0, "no temporary file is left");
    ok(pen_store_prove(NULL, root, NULL) == PEN_OK && access(at(".penstock-probe"), F_OK) != 0, "the proof holds for a folder");
    ok(put("plain/x", "1", 0) == PEN_PUT_DONE && put("plain/x/y", "1", 0) == PEN_PUT_UNKNOWN, "a file on the way is an error");
}

static void test_store__of_many_writers_one_wins(void)
{
    enum { WRITERS = 8, SLOTS = 20 };
    int won = 0;
    pid_t pid[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        fflush(stdout);
        pid[w] = fork();
        if (pid[w] == 0) {
            int mine = 0;
            for (int s = 0; s < SLOTS; s++) {
                char name[32];
                snprintf(name, sizeof name, "race/%02d", s);
                mine += put(name, "x", PEN_PUT_IF_ABSENT | PEN_PUT_NO_FSYNC) == PEN_PUT_DONE;
            }
            _exit(mine);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = 0;
        waitpid(pid[w], &status, 0);
        won += WEXITSTATUS(status);
    }
    ok(won == SLOTS, "%d slots are won %d times by eight processes", SLOTS, won);
}

static void test_store__lists_in_byte_order(void)
{
    static const char *const names[] = { "l/b/1", "l/b/2", "l/b.x", "l/b-x", "l/a", "l/c/d/e", "l/z", "l/.pen-0123456789abcdef.tmp",
                                         "l/.pen-0123456789abcdef.staged", "l/.hidden" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put(names[i], "x", PEN_PUT_NO_FSYNC);
    static const struct {
        const char *after;
        bool recursive;
        const char *want;
    } cases[] = {
        { NULL, true, ".hidden a b-x b.x b/1 b/2 c/d/e z " },
        { NULL, false, ".hidden a b-x b.x z " },
        { "b.x", true, "b/1 b/2 c/d/e z " },
        { "b/1", true, "b/2 c/d/e z " },
        { "b/3", true, "c/d/e z " },
        { "a", false, "b-x b.x z " },
        { "z", true, "" },
        { "c/d", true, "c/d/e z " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = listed("l", cases[i].after, cases[i].recursive);
        ok(strcmp(got, cases[i].want) == 0, "after %s: %s", cases[i].after ? cases[i].after : "nothing", got);
    }
    put("s/a", "", 0), put("s/stop", "", 0), put("s/z", "", 0);
    ok(strcmp(listed("s", NULL, false), "a stop ") == 0, "each may stop the listing");
    ok(strcmp(listed("not/there", NULL, true), "") == 0, "a folder that does not exist is empty");
    if (symlink("..", at("s/circle")) == 0)
        ok(strcmp(listed("s", NULL, true), "a stop ") == 0 && strcmp(listed("s", "b", true), "stop ") == 0, "a link to a folder is not followed");
    unlink(at("s/circle"));
}

static void test_store__uploads_show_nothing_before_their_time(void)
{
    struct pen_error err = { 0 };
    struct pen_upload *u;
    char *token = NULL;
    pen_put_outcome outcome;
    ok(pen_upload_open(NULL, &u, at("up/x:y"), PEN_PUT_IF_ABSENT, &err) == PEN_OK && pen_upload_write(u, "he", 2, &err) == PEN_OK &&
           pen_upload_write(u, "llo", 3, &err) == PEN_OK && pen_upload_stage(&u, &token, &err) == PEN_OK && !u,
       "an upload is staged");
    ok(strcmp(listed("up", NULL, true), "") == 0, "and not to be seen");
    ok(pen_store_publish(NULL, token, &outcome, &err) == PEN_OK && outcome == PEN_PUT_DONE && holds("up/x:y", "hello"), "until it is published");
    ok(pen_store_publish(NULL, token, &outcome, &err) == PEN_OK && outcome == PEN_PUT_DONE, "publishing again is fine");
    ok(pen_store_discard(NULL, token, &err) == PEN_OK && holds("up/x:y", "hello"), "discarding what is published leaves it");
    free(token);

    pen_upload_open(NULL, &u, at("up/x:y"), PEN_PUT_IF_ABSENT, &err);
    pen_upload_stage(&u, &token, &err);
    ok(pen_store_publish(NULL, token, &outcome, &err) == PEN_OK && outcome == PEN_PUT_EXISTS && holds("up/x:y", "hello"),
       "a taken name refuses what is published if absent");
    ok(pen_store_discard(NULL, token, &err) == PEN_OK, "which can then be discarded");
    free(token);

    pen_upload_open(NULL, &u, at("up/gone"), 0, &err);
    pen_upload_stage(&u, &token, &err);
    pen_store_discard(NULL, token, &err);
    ok(pen_store_publish(NULL, token, &outcome, &err) == PEN_FATAL && strstr(err.msg, "is gone"), "no content to publish: %s", err.msg);
    free(token);

    pen_upload_open(NULL, &u, at("up/closed"), PEN_PUT_NO_FSYNC, NULL);
    pen_upload_write(u, "now", 3, NULL);
    ok(pen_upload_close(&u, &outcome, NULL) == PEN_OK && outcome == PEN_PUT_DONE && holds("up/closed", "now"), "close shows it at once");
    pen_upload_open(NULL, &u, at("up/never"), 0, NULL);
    pen_upload_abandon(&u);
    ok(!u && strcmp(listed("up", NULL, true), "closed x:y ") == 0, "an abandoned one leaves nothing");
    static const char *const bad[] = { "", "file", "file:", "file:0:", "file:0:x:/y", "file:0:../.pen-0123456789abcdef.tmp:/y", "nope:0:a:b" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(pen_store_publish(NULL, bad[i], &outcome, NULL) < 0, "token \"%s\" is refused", bad[i]);
}

static void test_store__reads_ranges_and_whole_objects(void)
{
    char buf[16], *bytes;
    size_t got, n;
    struct pen_object o = { 0 };
    struct pen_error err = { 0 };
    put("r/x", "0123456789", 0);
    ok(pen_store_read(NULL, at("r/x"), 3, buf, 4, &got, NULL) == PEN_OK && got == 4 && memcmp(buf, "3456", 4) == 0, "a range");
    ok(pen_store_read(NULL, at("r/x"), 8, buf, 4, &got, NULL) == PEN_OK && got == 2, "a range beyond the end is short");
    ok(pen_store_read(NULL, at("r/none"), 0, buf, 4, &got, NULL) == PEN_SKIP && got == 0, "no such object");
    ok(pen_store_head(NULL, at("r/x"), &o, NULL) == PEN_OK && o.size == 10 && strcmp(o.name, "x") == 0 && o.modified > 0 && o.tag[0], "head");
    ok(pen_store_head(NULL, at("r/none"), &o, NULL) == PEN_SKIP && pen_store_head(NULL, at("r"), &o, NULL) == PEN_SKIP, "head of nothing, of a folder");
    ok(pen_store_get(NULL, at("r/x"), 9, &bytes, &n, &err) == PEN_FATAL && !bytes, "longer than the limit: %s", err.msg);
    ok(pen_store_get(NULL, at("r/x"), 10, &bytes, &n, NULL) == PEN_OK && n == 10 && bytes[10] == '\0', "exactly the limit");
    free(bytes);
    char *big = malloc(300001);
    memset(big, 'x', 300000);
    big[300000] = '\0';
    put("r/big", big, PEN_PUT_NO_FSYNC);
    ok(holds("r/big", big), "an object of several reads");
    free(big);
    ok(pen_store_remove(NULL, at("r/x"), NULL) == PEN_OK && pen_store_remove(NULL, at("r/x"), NULL) == PEN_OK, "removing twice is fine");
    char url[600];
    snprintf(url, sizeof url, "file://%s", at("r/big"));
    ok(pen_store_head(NULL, url, &o, NULL) == PEN_OK && o.size == 300000, "file:// is a local path");
}

static void test_store__time_is_the_stores(void)
{
    int64_t before, after;
    struct pen_object o = { 0 };
    ok(pen_store_now(NULL, at("t/not/there"), &before, NULL) == PEN_OK, "time of a folder that is not there yet");
    put("t/x", "x", PEN_PUT_NO_FSYNC);
    pen_store_head(NULL, at("t/x"), &o, NULL);
    ok(pen_store_now(NULL, at("t"), &after, NULL) == PEN_OK && before <= o.modified && o.modified <= after, "it is the one files get");
    ok(strcmp(listed("t", NULL, true), "x ") == 0, "asking leaves nothing behind");
}

/* A file as a writer leaves it that was killed `age` seconds ago. */
static int left(const char *name, long age)
{
    int fd = open(at(name), O_WRONLY | O_CREAT, 0666);
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age;
    times[1] = times[0];
    futimens(fd, times);
    return fd;
}

static void test_store__reclaims_what_killed_writers_left(void)
{
    put("k/p/x", "x", 0);
    close(left("k/.pen-0000000000000001.tmp", 7200));
    close(left("k/p/.pen-0000000000000002.tmp", 7200));
    close(left("k/.pen-0000000000000003.tmp", 60));
    close(left("k/.pen-0000000000000004.staged", 7200));
    int alive = left("k/.pen-0000000000000005.tmp", 7200);
    flock(alive, LOCK_EX);
    close(left("k/.pen-x.tmp", 7200));
    ok(pen_store_prove(NULL, at("k"), NULL) == PEN_OK, "a folder is proved");
    ok(access(at("k/.pen-0000000000000001.tmp"), F_OK) && access(at("k/p/.pen-0000000000000002.tmp"), F_OK), "old ones of nobody are gone");
    ok(!access(at("k/.pen-0000000000000003.tmp"), F_OK), "a young one stays");
    ok(!access(at("k/.pen-0000000000000004.staged"), F_OK), "a staged one stays");
    ok(!access(at("k/.pen-0000000000000005.tmp"), F_OK), "one whose writer lives stays");
    ok(!access(at("k/.pen-x.tmp"), F_OK), "a file with another name is not ours");
    close(alive);
}

static void test_store__names(void)
{
    char buf[256];
    static const struct { const char *base, *name, *want; } joins[] = {
        { "a", "b", "a/b" },       { "a/", "b", "a/b" },           { "a//", "b", "a/b" }, { "/", "b", "/b" },
        { "s3://x", "b", "s3://x/b" }, { "s3://x/y/", "b/c", "s3://x/y/b/c" }, { "", "b", "b" },
    };
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++)
        ok(pen_url_join(buf, sizeof buf, joins[i].base, joins[i].name, NULL) == PEN_OK && strcmp(buf, joins[i].want) == 0, "\"%s\" and \"%s\" join to %s",
           joins[i].base, joins[i].name, buf);
    ok(pen_url_join(buf, 5, "ab", "c", NULL) == PEN_OK && pen_url_join(buf, 5, "ab", "cd", NULL) == PEN_FATAL, "what does not fit is refused");
    static const struct { const char *text, *want; } escapes[] = {
        { "aZ9_-.", "aZ9_-." }, { "a=b", "a%3Db" }, { ".x", "%2Ex" }, { "..", "%2E." }, { "a/b", "a%2Fb" }, { "\xc3\xa9 %~", "\xc3\xa9%20%25%7E" }, { "", "" },
    };
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        ok(strcmp(pen_path_escape(buf, sizeof buf, escapes[i].text, strlen(escapes[i].text)), escapes[i].want) == 0, "\"%s\" escapes to %s",
           escapes[i].text, buf);
    char other[32];
    pen_path_escape(buf, 32, "0123456789012345678901234567890123456789a", 41);
    pen_path_escape(other, 32, "0123456789012345678901234567890123456789b", 41);
    ok(strlen(buf) == 31 && strncmp(buf, other, 14) == 0 && strcmp(buf, other) != 0, "long texts end in a hash: %s", buf);
    pen_path_escape(buf, 21, "a\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 21);
    ok(strncmp(buf, "a\xc3\xa9~", 4) == 0 && strlen(buf) == 20, "and are not cut within a character");
    pen_path_escape(buf, 32, "0123456789012345678901234567890", 31);
    ok(strcmp(buf, "0123456789012345678901234567890") == 0, "a text that just fits stays whole");
}

static pen_status stub_head(void *ctx, const char *path, struct pen_object *out, struct pen_error *err)
{
    (void)err;
    snprintf(out->name, sizeof out->name, "%s/%s", (const char *)ctx, path);
    return PEN_OK;
}

static pen_status stub_put(void *ctx, const char *path, const void *bytes, size_t n, unsigned flags, const struct pen_pairs *metadata,
                           pen_put_outcome *outcome, struct pen_error *err)
{
    (void)ctx, (void)path, (void)bytes, (void)n, (void)flags, (void)err;
    *outcome = metadata && metadata->n == 1 && !strcmp(metadata->names[0], "end") ? PEN_PUT_DONE : PEN_PUT_EXISTS;
    return PEN_OK;
}

static pen_status stub_metadata(void *ctx, const char *path, const char *name, char *value, size_t size, struct pen_error *err)
{
    (void)ctx, (void)path, (void)err;
    snprintf(value, size, "of %s", name);
    return PEN_OK;
}

static void test_store__keeps_metadata_where_it_can(void)
{
    static const struct pen_store stub = { .scheme = "stub", .put = stub_put, .metadata = stub_metadata };
    const struct pen_pairs pairs = { 1, (const char *const[]){ "end" }, (const char *const[]){ "7" } };
    struct pen_run_context run = { .stores = pen_stores_new() };
    struct pen_host host = { .run = &run };
    pen_put_outcome outcome;
    char value[16];
    struct pen_error err = { 0 };
    pen_stores_add(run.stores, &stub, NULL, NULL);
    ok(pen_store_put_with(&host, "stub://x", "", 0, 0, &pairs, &outcome, NULL) == PEN_OK && outcome == PEN_PUT_DONE &&
           pen_store_metadata(&host, "stub://x", "end", value, sizeof value, NULL) == PEN_OK && !strcmp(value, "of end"), "it goes with the object");
    ok(pen_store_put_with(NULL, at("meta"), "", 0, 0, &pairs, &outcome, &err) == PEN_BADCONF, "not with a file: %s", err.msg);
    pen_stores_free(&run.stores);
}

static void test_store__schemes_go_to_their_store(void)
{
    static const struct pen_store stub = { .scheme = "stub", .head = stub_head };
    struct pen_object o = { 0 };
    struct pen_error err = { 0 };
    ok(pen_store_head(NULL, "stub://x", &o, &err) == PEN_BADCONF, "nobody: %s", err.msg);
    struct pen_run_context run = { .stores = pen_stores_new() };
    struct pen_host host = { .run = &run };
    ok(pen_stores_add(run.stores, &stub, "one", NULL) == PEN_OK && pen_store_head(&host, "stub://x/y", &o, NULL) == PEN_OK &&
           strcmp(o.name, "one/x/y") == 0, "the store's ctx and path");
    memset(&err, 0, sizeof err);
    ok(pen_stores_add(run.stores, &stub, "two", &err) == PEN_FATAL, "%s", err.msg);
    ok(pen_store_head(&host, at("r/big"), &o, NULL) == PEN_OK, "plain paths are this machine's as before");
    pen_stores_free(&run.stores);
}

static void test_store__says_what_is_wrong(void)
{
    struct pen_error err = { 0 };
    pen_put_outcome outcome;
    put("ro/x", "x", 0);
    if (geteuid() == 0)
        skip("a folder that may not be written", "root may write everywhere");
    else {
        chmod(at("ro"), 0555);
        ok(pen_store_put(NULL, at("ro/y"), "y", 1, 0, &outcome, &err) == PEN_FATAL && strstr(err.msg, "Permission denied"), "%s", err.msg);
        chmod(at("ro"), 0755);
    }
    memset(&err, 0, sizeof err);
    if (access("/dev/full", W_OK) == 0) {
        struct pen_upload *u;
        ok(pen_upload_open(NULL, &u, "/proc/self/nothing/here", 0, &err) < 0 && !u && err.msg[0], "%s", err.msg);
    }
    memset(&err, 0, sizeof err);
    ok(pen_store_put(NULL, at("ro"), "y", 1, 0, &outcome, &err) == PEN_FATAL && strstr(err.msg, root), "a folder in the place of the file: %s", err.msg);
}

int main(void)
{
    snprintf(root, sizeof root, "%s/test_store.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(root))
        return 99;
    test_store__put_if_absent_refuses_a_taken_name();
    test_store__of_many_writers_one_wins();
    test_store__lists_in_byte_order();
    test_store__uploads_show_nothing_before_their_time();
    test_store__reads_ranges_and_whole_objects();
    test_store__time_is_the_stores();
    test_store__reclaims_what_killed_writers_left();
    test_store__names();
    test_store__keeps_metadata_where_it_can();
    test_store__schemes_go_to_their_store();
    test_store__says_what_is_wrong();
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command) != 0 || done_testing();
}
