/* damage_test.c - opening what a crash or a bad disk left: a torn tail is cut, a damaged middle is named, and no bit goes unnoticed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "format.h"
#include "harness.h"
#include "tests/tap.h"

static void test_torn_tail__is_cut_at_every_byte(void)
{
    char sample[320], copy[320], log[512];
    off_t ends[3];
    bool good = true, said = true;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, NOT_SEALED, ends);
    for (off_t cut = ends[0]; cut <= ends[2] && good; cut++) {
        uint64_t shown, want = cut == ends[2] ? 60 : cut >= ends[1] ? 40 : 20;
        struct options o;
        snprintf(copy, sizeof copy, "%s", fresh_path());
        copy_folder(sample, copy);
        find_file(log, sizeof log, copy, ".commits");
        if (truncate(log, cut) < 0)
            abort();
        o = options_for(copy);
        good = holds(&o, 0, 0, want); /* a reader that cannot mend anything passes the torn tail over */
        last_warning[0] = '\0';
        good = good && goes_on(copy, &shown) && shown == want;
        said = said && (last_warning[0] != '\0') == (cut != ends[2]);
    }
    ok(good, "a log that ends within its last two commits, at every byte, shows the commits before and goes on");
    ok(said, "and what was cut off is said");
}

static void test_zeros__behind_the_log_are_a_torn_tail(void)
{
    char sample[320], log[512];
    off_t ends[3];
    uint64_t shown;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, NOT_SEALED, ends);
    find_file(log, sizeof log, sample, ".commits");
    if (truncate(log, ends[2] + 100) < 0)
        abort();
    ok(goes_on(sample, &shown) && shown == 60, "zeros behind the last commit are cut off");
}

static void test_log_flips__are_noticed(void)
{
    char sample[320], copy[320], log[512];
    off_t ends[3];
    unsigned wrong = 0, silent = 0;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, NOT_SEALED, ends);
    for (off_t at = 0; at < ends[1]; at++) {
        struct options o;
        struct out out;
        struct pen_error err = { 0 };
        snprintf(copy, sizeof copy, "%s", fresh_path());
        copy_folder(sample, copy);
        find_file(log, sizeof log, copy, ".commits");
        flip(log, at, (uint8_t)(1u << at % 8));
        o = options_for(copy);
        if (out_open(&out, &o, 1, &err) != PEN_FATAL) {
            bool same = out_shown(&out, "p/s/src/0") == 60;
            out_close(&out);
            /* Padding is no part of the checksum: nothing depends on it. */
            silent += !(same && holds(&o, 0, 0, 60));
        } else {
            wrong += strstr(err.msg, " is damaged at byte ") == NULL || strstr(err.msg, ".commits") == NULL;
        }
    }
    ok(silent == 0, "no flipped bit before the last commit of the log passes");
    ok(wrong == 0, "each is an error that names the file and the byte");
}

static void test_last_commit_flips__lose_only_it(void)
{
    char sample[320], copy[320], log[512];
    off_t ends[3];
    bool good = true;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, NOT_SEALED, ends);
    for (off_t at = ends[1]; at < ends[2] && good; at++) {
        uint64_t shown;
        snprintf(copy, sizeof copy, "%s", fresh_path());
        copy_folder(sample, copy);
        find_file(log, sizeof log, copy, ".commits");
        flip(log, at, (uint8_t)(1u << at % 8));
        good = goes_on(copy, &shown) && (shown == 40 || shown == 60);
    }
    ok(good, "a flipped bit in the last commit makes it one that was never finished");
}

static void test_segment_flips__are_noticed(void)
{
    char sample[320], copy[320], segment[512];
    off_t ends[3], size;
    unsigned wrong = 0, silent = 0;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, NOT_SEALED, ends);
    find_file(segment, sizeof segment, sample, ".segment");
    size = size_of(segment);
    for (off_t at = 0; at < size; at++) {
        struct options o;
        struct in in;
        struct pen_error err = { 0 };
        uint64_t n = 0;
        pen_status st;
        snprintf(copy, sizeof copy, "%s", fresh_path());
        copy_folder(sample, copy);
        find_file(segment, sizeof segment, copy, ".segment");
        flip(segment, at, (uint8_t)(1u << at % 8));
        o = options_for(copy);
        if (in_open(&in, &o, 0, &err) < 0)
            abort();
        while ((st = in_read(&in, &n, 1000, &err)) == PEN_OK)
            ;
        in_close(&in);
        if (st == PEN_FATAL)
            wrong += strstr(err.msg, " is damaged at byte ") == NULL || strstr(err.msg, ".segment") == NULL;
        else
            silent += st != PEN_SKIP || n != 60;
    }
    ok(silent == 0, "no flipped bit in a segment changes what is read");
    ok(wrong == 0, "each is an error that names the file and the byte");
}

static void test_missing_files__are_named(void)
{
    char sample[320], file[512];
    off_t ends[3];
    struct options o;
    struct out out;
    struct in in;
    struct pen_error err = { 0 };
    uint64_t n = 0;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, NOT_SEALED, ends);
    o = options_for(sample);
    find_file(file, sizeof file, sample, ".segment");
    if (truncate(file, 200) < 0)
        abort();
    ok(out_open(&out, &o, 1, &err) == PEN_FATAL && strstr(err.msg, "has 200 bytes, but"), "a segment that shrank");
    err = (struct pen_error){ 0 };
    ok(in_open(&in, &o, 0, &err) == PEN_OK && in_read(&in, &n, 1000, &err) == PEN_FATAL && strstr(err.msg, ".segment is damaged at byte"),
       "also while it is read");
    in_close(&in);
    unlink(file);
    err = (struct pen_error){ 0 };
    ok(out_open(&out, &o, 1, &err) == PEN_FATAL && strstr(err.msg, ".segment, which commits name"), "a segment that is gone");
}

static uint64_t sequence_behind(const char *log)
{
    uint8_t head[JF_RECORD_HEADER];
    struct jf_record r = { .sequence = 0 };
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    for (off_t at = 0; pread(fd, head, sizeof head, at) == (ssize_t)sizeof head && jf_record_get(head, &r);)
        at += (off_t)(sizeof head + jf_padded(r.body));
    close(fd);
    return r.sequence + 1;
}

/* Appends a commit record without pieces, whose checksums are right, behind what the log has. */
static void forge_commit(const char *log, uint64_t sequence, const char *plan, size_t plan_size, const char *key, size_t key_size)
{
    uint8_t head[JF_RECORD_HEADER];
    struct jf_out body = { 0 };
    struct jf_move move = { .key = key, .key_size = key_size, .to = pen_position_of(99) };
    int fd = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
    jf_out_bytes(&body, plan, plan_size);
    jf_out64(&body, 0);
    jf_out32(&body, 1);
    jf_out32(&body, 0);
    jf_move_put(&body, &move);
    jf_record_put(head, &(struct jf_record){ JF_COMMIT, sequence, (uint32_t)body.n, pen_crc32c(0, body.p, body.n) });
    memset(jf_out_room(&body, 8), 0, 8); /* padding */
    if (write(fd, head, sizeof head) != (ssize_t)sizeof head || write(fd, body.p, jf_padded(body.n - 8)) < 0)
        abort();
    close(fd);
    jf_out_free(&body);
}

static void test_hostile_names__are_refused(void)
{
    static const struct {
        const char *what, *plan, *key;
        size_t plan_size, key_size;
        bool good;
    } cases[] = {
        { "a key of a source", "plan-4", "p/s/src/1", 6, 9, true },
        { "a NUL where a known key ends, and more behind it", "plan-4", "p/s/src/0\0\0\0\0\0\0\0\0\0\0", 6, 19, false },
        { "a key with a NUL in it", "plan-4", "p/s\0src/0", 6, 9, false },
        { "a key that is empty", "plan-4", "", 6, 0, false },
        { "a key of two lines", "plan-4", "p/s/\n/0", 6, 7, false },
        { "a plan with a NUL in it", "plan\0004", "p/s/src/1", 6, 9, false },
        { "a plan that is empty", "", "p/s/src/1", 0, 9, false },
    };
    char sample[320], copy[320], log[512];
    off_t ends[3];
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, NOT_SEALED, ends);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct options o;
        struct out out;
        struct pen_error err = { 0 };
        pen_status st;
        snprintf(copy, sizeof copy, "%s", fresh_path());
        copy_folder(sample, copy);
        find_file(log, sizeof log, copy, ".commits");
        forge_commit(log, sequence_behind(log), cases[i].plan, cases[i].plan_size, cases[i].key, cases[i].key_size);
        o = options_for(copy);
        st = out_open(&out, &o, 1, &err);
        if (st == PEN_OK)
            out_close(&out);
        ok(cases[i].good ? st == PEN_OK : st == PEN_FATAL && strstr(err.msg, ".commits is damaged at byte ") != NULL, "%s in the log%s", cases[i].what,
           cases[i].good ? "" : ": damage, which is named");
    }
}

static void test_leftovers__of_a_killed_writer_go(void)
{
    char sample[320], copy[320], segment[512];
    struct options o;
    struct out out;
    struct pen_error err = { 0 };
    uint64_t shown;
    off_t size;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    snprintf(copy, sizeof copy, "%s", fresh_path());
    o = options_for(sample);
    out_open(&out, &o, 2, &err);
    out_rows(&out, 0, 20);
    find_file(segment, sizeof segment, sample, ".segment");
    size = size_of(segment);
    out_write(&out, 0, 20, 500, true, &err);
    out_write(&out, 1, 20, 500, true, &err);
    copy_folder(sample, copy); /* as if killed here */
    out_close(&out);
    last_warning[0] = '\0';
    o = options_for(copy);
    out_open(&out, &o, 1, &err);
    find_file(segment, sizeof segment, copy, ".segment");
    ok(size_of(segment) <= size && strstr(last_warning, "never committed"), "uncommitted blocks and files are cut off, and it is said");
    out_close(&out);
    ok(goes_on(copy, &shown) && shown == 20, "and writing goes on in the same file");
}

int main(void)
{
    test_torn_tail__is_cut_at_every_byte();
    test_zeros__behind_the_log_are_a_torn_tail();
    test_log_flips__are_noticed();
    test_last_commit_flips__lose_only_it();
    test_segment_flips__are_noticed();
    test_missing_files__are_named();
    test_hostile_names__are_refused();
    test_leftovers__of_a_killed_writer_go();
    return done_testing();
}
