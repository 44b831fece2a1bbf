/* crash_test.c - SIGKILL at random moments of a process that writes, while this one reads; and a disk that is full.
 * usage: crash_test [SEED]. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "tests/tap.h"

#define KEY "p/s/src/0"
#define KILLS 40u

static uint64_t seed;
static uint64_t chance(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

/* The driver: goes on from what is shown, for ever. */
static void write_for_ever(const struct options *o)
{
    struct out out;
    struct pen_error err = { 0 };
    uint64_t row;
    if (out_open(&out, o, 1, &err) < 0) {
        fprintf(stderr, "# %s\n", err.msg);
        _exit(3);
    }
    row = out_shown(&out, KEY);
    for (row = row == UINT64_MAX ? 0 : row;;) {
        uint64_t n = 1 + chance(400);
        if (!out_rows(&out, row, n))
            _exit(4);
        row += n;
    }
}

static void test_kills__lose_nothing_and_double_nothing(void)
{
    struct options o = options_for(fresh_path());
    struct in in;
    struct out out;
    struct pen_error err = { 0 };
    uint64_t number = 0, shown;
    unsigned killed = 0;
    pen_status st = PEN_SKIP;
    o.segment_size = 1 << 18;
    /* The children's own registry must be empty, so nothing is open here while they are made: the reader opens the journal each time. */
    for (unsigned i = 0; i < KILLS && st == PEN_SKIP; i++) {
        struct timespec pause = { 0, (long)chance(40) * 1000000 };
        uint64_t until;
        int status;
        pid_t child = fork();
        seed += i;
        if (child == 0)
            write_for_ever(&o);
        if (in_open(&in, &o, number, &err) < 0)
            break;
        until = (uint64_t)pen_now(&host) + 5000 + (uint64_t)pause.tv_nsec / 1000;
        while ((uint64_t)pen_now(&host) < until && (st = in_read(&in, &number, 500, &err)) >= 0)
            ;
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        while ((st = in_read(&in, &number, 500, &err)) == PEN_OK)
            ;
        in_close(&in);
    }
    ok(killed == KILLS && st == PEN_SKIP && number > 0, "a writer is killed %u times, a reader beside it sees each row once, in order", KILLS);
    if (err.msg[0])
        printf("# %s\n", err.msg);
    ok(out_open(&out, &o, 1, &err) == PEN_OK, "the journal opens");
    shown = out_shown(&out, KEY);
    ok(shown != UINT64_MAX && shown >= number && out_rows(&out, shown, 10), "it shows at least what was read, and takes more");
    out_close(&out);
    ok(holds(&o, 0, 0, shown + 10), "each row up to the one shown is there once");
}

/* A file system of this size at path, in a name space of our own; false where we may not. */
static bool small_disk(const char *path, const char *size)
{
    char options[40];
    mkdir(path, 0777);
    snprintf(options, sizeof options, "size=%s", size);
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("tmpfs", path, "tmpfs", 0, options) == 0;
}

/* Commits n rows a time until the disk is full, makes it larger, and goes on. */
static void fill_disk(const char *what, uint64_t n, int64_t segment_size)
{
    char path[320];
    struct options o;
    struct out out;
    struct pen_error err = { 0 };
    uint64_t row = 0, shown;
    pen_status st = PEN_OK;
    snprintf(path, sizeof path, "%s", fresh_path());
    if (!small_disk(path, "1m")) {
        skip(what, "may not mount a small file system");
        return;
    }
    o = options_for(path);
    o.segment_size = segment_size;
    if (out_open(&out, &o, 1, &err) < 0)
        abort();
    while (st == PEN_OK && row < 1000000) {
        pen_publish_outcome outcome = PEN_PUBLISH_GONE;
        char plan[24];
        snprintf(plan, sizeof plan, "%" PRIu64, row);
        st = out_write(&out, 0, row, n, true, &err);
        if (st == PEN_OK)
            st = out_commit(&out, plan, KEY, row ? row : UINT64_MAX, row + n, &outcome, &err);
        row += st == PEN_OK && outcome == PEN_PUBLISH_DONE ? n : 0;
    }
    ok(st == PEN_FATAL && strstr(err.msg, "No space left on device") && row > 0, "%s: a disk that is full is said", what);
    out_close(&out);
    err = (struct pen_error){ 0 };
    if (mount(NULL, path, NULL, MS_REMOUNT, "size=16m") < 0)
        abort();
    st = out_open(&out, &o, 1, &err);
    shown = st == PEN_OK ? out_shown(&out, KEY) : 0;
    ok((shown == row || shown == row + n) && out_rows(&out, shown, 500),
       "%s: with room again all that was done is shown, perhaps also what failed, and it goes on", what);
    out_close(&out);
    ok(holds(&o, 0, 0, shown + 500), "%s: and everything is read back", what);
    umount2(path, MNT_DETACH);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    printf("# seed %" PRIu64 "\n", seed);
    test_kills__lose_nothing_and_double_nothing();
    fill_disk("full while blocks are written", 1000, 1 << 18);
    fill_disk("full while commits are written", 1, 64 << 20);
    return done_testing();
}
