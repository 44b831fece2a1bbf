/* seal_test.c - what the log has lost is found in segments, if it is whole there; and which versions of the format are known.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "crc32c.h"
#include "format.h"
#include "harness.h"
#include "tests/tap.h"

/* The last commit of a log: where its blocks begin, and where its seal stands. */
static struct jf_piece last_piece(const char *log)
{
    uint8_t head[JF_RECORD_HEADER];
    struct jf_record r;
    struct jf_piece piece = { .to = 0 };
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    for (off_t at = 0; pread(fd, head, sizeof head, at) == (ssize_t)sizeof head && jf_record_get(head, &r); at += (off_t)(sizeof head + jf_padded(r.body))) {
        uint8_t *body = malloc(r.body);
        struct jf_commit c;
        if (pread(fd, body, r.body, at + (off_t)sizeof head) == (ssize_t)r.body && r.type == JF_COMMIT && jf_commit_get(body, r.body, &c))
            jf_piece_next(&c, &piece);
        free(body);
    }
    close(fd);
    return piece;
}

static void test_lost_log__is_found_in_segments(void)
{
    char sample[320], copy[320], log[512];
    off_t ends[3];
    uint64_t shown;
    bool read = true, written = true, flipped = true;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, SEALED, ends);
    find_file(log, sizeof log, sample, ".commits");
    for (off_t cut = ends[0]; cut < ends[2]; cut += 3) {
        struct options o;
        snprintf(copy, sizeof copy, "%s", fresh_path());
        copy_folder(sample, copy);
        find_file(log, sizeof log, copy, ".commits");
        if (truncate(log, cut) < 0)
            abort();
        o = options_for(copy);
        if (cut % 2)
            read = read && holds(&o, 0, 0, 60);
        written = written && goes_on(copy, &shown) && shown == 60;
    }
    ok(read, "a log that lost its end, at every byte, is mended before anything is read");
    ok(written, "and before anything is written");
    for (off_t at = ends[0]; at < ends[2]; at += 3) {
        snprintf(copy, sizeof copy, "%s", fresh_path());
        copy_folder(sample, copy);
        find_file(log, sizeof log, copy, ".commits");
        flip(log, at, (uint8_t)(1u << at % 8));
        flipped = flipped && goes_on(copy, &shown) && shown == 60;
    }
    ok(flipped, "so is one with a hole: the sealed commits in it, and those behind it, are there");
}

static void test_seal__counts_only_whole(void)
{
    char sample[320], copy[320], log[512], segment[512];
    struct jf_piece last;
    off_t ends[3];
    unsigned wrong = 0, believed = 0;
    uint8_t head[JF_SEAL_HEADER];
    struct jf_seal seal;
    int fd;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, SEALED, ends);
    find_file(log, sizeof log, sample, ".commits");
    last = last_piece(log);
    find_file(segment, sizeof segment, sample, ".segment");
    fd = open(segment, O_RDONLY | O_CLOEXEC);
    if (pread(fd, head, sizeof head, (off_t)last.to) != (ssize_t)sizeof head || !jf_seal_get(head, &seal))
        abort();
    close(fd);
    for (off_t at = (off_t)last.from; at < (off_t)(last.to + sizeof head + seal.record); at += 3) {
        uint64_t shown;
        snprintf(copy, sizeof copy, "%s", fresh_path());
        copy_folder(sample, copy);
        find_file(log, sizeof log, copy, ".commits");
        find_file(segment, sizeof segment, copy, ".segment");
        if (truncate(log, ends[1]) < 0)
            abort();
        flip(segment, at, (uint8_t)(1u << at % 8));
        wrong += !goes_on(copy, &shown) || (shown != 40 && shown != 60);
        believed += shown == 60;
    }
    ok(wrong == 0, "a commit with a flipped bit, which the log has lost, is there whole or not at all");
    ok(believed < 16, "it is not there but where the bit means nothing, in the padding of a block and of a record: %u", believed);
}

/* Blocks that are valid, as large, of as many rows, and not those that were sealed: what lay there before. */
static void test_other_blocks__are_not_taken_for_those_of_a_seal(void)
{
    char sample[320], log[512], segment[512];
    uint8_t head[JF_BLOCK_HEADER], *body;
    struct jf_piece last;
    struct jf_block b;
    off_t ends[3];
    uint64_t shown;
    int fd;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, SEALED, ends);
    find_file(log, sizeof log, sample, ".commits");
    find_file(segment, sizeof segment, sample, ".segment");
    last = last_piece(log);
    fd = open(segment, O_RDWR | O_CLOEXEC);
    if (truncate(log, ends[1]) < 0 || pread(fd, head, sizeof head, (off_t)last.from) != (ssize_t)sizeof head || !jf_block_get(head, &b))
        abort();
    body = malloc(b.body);
    if (pread(fd, body, b.body, (off_t)(last.from + sizeof head)) != (ssize_t)b.body)
        abort();
    body[b.body - 1] ^= 1;
    b.body_crc = pen_crc32c(0, body, b.body);
    jf_block_put(head, &b);
    if (pwrite(fd, head, sizeof head, (off_t)last.from) != (ssize_t)sizeof head ||
        pwrite(fd, body, b.body, (off_t)(last.from + sizeof head)) != (ssize_t)b.body)
        abort();
    free(body);
    close(fd);
    ok(goes_on(sample, &shown) && shown == 40, "a seal does not count with other blocks before it, whole as they are");
}

static void test_gap__is_damage(void)
{
    char sample[320], log[512], segment[512];
    struct options o;
    struct out out;
    struct pen_error err = { 0 };
    struct jf_piece last;
    off_t ends[3];
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, SEALED, ends);
    find_file(log, sizeof log, sample, ".commits");
    find_file(segment, sizeof segment, sample, ".segment");
    last = last_piece(log);
    if (truncate(log, ends[0]) < 0)
        abort();
    flip(segment, (off_t)(last.from - JF_SEAL_ROOM) - 16, 1); /* in the rows of the commit before the last */
    o = options_for(sample);
    ok(out_open(&out, &o, 1, &err) == PEN_FATAL && strstr(err.msg, ".commits is damaged at byte ") && size_of(log) == ends[0],
       "a commit that is found nowhere, with one behind it that is, is an error, and nothing is changed");
}

/* Gives the log's snapshot another version. */
static void set_version(const char *log, uint32_t version)
{
    uint8_t head[JF_RECORD_HEADER], *body;
    struct jf_record r;
    int fd = open(log, O_RDWR | O_CLOEXEC);
    if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head || !jf_record_get(head, &r))
        abort();
    body = malloc(r.body);
    if (pread(fd, body, r.body, (off_t)sizeof head) != (ssize_t)r.body)
        abort();
    jf_put32(body + JF_ID_SIZE, version);
    r.body_crc = pen_crc32c(0, body, r.body);
    jf_record_put(head, &r);
    if (pwrite(fd, head, sizeof head, 0) != (ssize_t)sizeof head || pwrite(fd, body, r.body, (off_t)sizeof head) != (ssize_t)r.body)
        abort();
    free(body);
    close(fd);
}

static void test_versions__are_known_or_refused(void)
{
    char sample[320], log[512], newest[512];
    struct options o;
    struct out out;
    struct pen_error err = { 0 };
    off_t ends[3];
    uint64_t shown;
    snprintf(sample, sizeof sample, "%s", fresh_path());
    make_sample(sample, NOT_SEALED, ends);
    find_file(log, sizeof log, sample, ".commits");
    set_version(log, 1);
    o = options_for(sample);
    ok(holds(&o, 0, 0, 60) && size_of(log) == ends[2], "a journal of version 1 is read, and stays as it is");
    ok(goes_on(sample, &shown) && shown == 60, "and written to");
    find_file(newest, sizeof newest, sample, ".commits");
    ok(strcmp(newest, log) != 0 && size_of(log) == ends[2], "in a log file of its own, of the version of now, before anything is sealed");
    set_version(newest, 3);
    ok(out_open(&out, &o, 1, &err) == PEN_FATAL && strstr(err.msg, "its format is version 3") && !strstr(err.msg, "damaged"), "a later version is refused: %s",
       err.msg);
}

int main(void)
{
    test_lost_log__is_found_in_segments();
    test_seal__counts_only_whole();
    test_other_blocks__are_not_taken_for_those_of_a_seal();
    test_gap__is_damage();
    test_versions__are_known_or_refused();
    return done_testing();
}
