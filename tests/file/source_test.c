/* source_test.c - the file source: each line once, whatever the ranges, lanes, rotations and restarts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "driver.h"
#include "plugins/file/file.h"
#include "tests/tap.h"

static char dir[] = "/tmp/penstock-file-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[8][300];
    static unsigned n;
    char *p = path[n++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *mode, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), mode);
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
        printf("Bail out! cannot write %s\n", name);
}
static void text(const char *name, const char *mode, const char *s)
{
    put(name, mode, s, strlen(s));
}

static void clean(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && unlink(in_dir(e->d_name)) != 0)
            rmdir(in_dir(e->d_name));
    closedir(d);
}

static struct pen_strings paths_of(const char *path)
{
    static char text_of[8][300];
    static const char *v[8];
    static unsigned n;
    unsigned i = n++ % 8;
    snprintf(text_of[i], sizeof text_of[i], "%s", path);
    v[i] = text_of[i];
    return (struct pen_strings){ 1, &v[i] };
}

static struct file_source *begin(struct drive *d, const char *path, int64_t range_size, bool follow)
{
    drive_init(d, &file_source);
    struct file_source *s = d->ctx;
    s->path = paths_of(path);
    s->range_size = range_size;
    s->poll = 1000;
    s->follow = follow;
    return s;
}

static int by_place(const void *a, const void *b)
{
    const struct fed *x = a, *y = b;
    int c = strcmp(x->text, y->text);
    return c ? c : x->position < y->position ? -1 : x->position > y->position;
}

/* Everything that was fed, sorted, joined by '|'. */
static const char *all(struct drive *d)
{
    static char out[1 << 16];
    size_t n = 0;
    struct fed *v = malloc((d->n_fed + 1) * sizeof *v);
    if (d->n_fed)
        memcpy(v, d->fed, d->n_fed * sizeof *v);
    qsort(v, d->n_fed, sizeof *v, by_place);
    out[0] = '\0';
    for (size_t i = 0; i < d->n_fed && n < sizeof out - 1; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s", i ? "|" : "", v[i].text);
    free(v);
    return out;
}

static bool is(const char *got, const char *want, const char *what)
{
    bool same = ok(strcmp(got, want) == 0, "%s", what);
    if (!same)
        printf("# got  %.2000s\n# want %.2000s\n", got, want);
    return same;
}

/* -- ranges ----------------------------------------------------------------------------------------------------------------------- */

static void test_ranges__give_every_line_once(void)
{
    static const struct { const char *what, *text, *want; } cases[] = {
        { "lines", "a\nbb\nccc\ndddd\neeeee\n", "a|bb|ccc|dddd|eeeee" },
        { "no final newline", "a\nbb\nccc", "a|bb|ccc" },
        { "CRLF", "a\r\nbb\r\nccc\r\n", "a|bb|ccc" },
        { "blank lines", "\n\na\n\n\r\n\nb\n\n", "a|b" },
        { "one long line", "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz" },
        { "one byte", "a", "a" },
        { "one newline", "\n", "" },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t n = strlen(cases[c].text);
        bool good = true;
        for (int64_t range = 1; good && range <= (int64_t)n + 2; range++)
            for (unsigned lanes = 1; good && lanes <= LANES; lanes++)
                for (int64_t rows = 1; good && rows <= 3; rows++) {
                    struct drive d = { 0 };
                    text("x.jsonl", "w", cases[c].text);
                    begin(&d, in_dir("x.jsonl"), range, false);
                    d.lanes = lanes;
                    d.max_rows = rows;
                    good = drive_start(&d) == PEN_OK && drive_run(&d) == PEN_OK && strcmp(all(&d), cases[c].want) == 0;
                    for (size_t i = 0; good && i < d.n_fed; i++)
                        good = strncmp(cases[c].text + d.fed[i].position, d.fed[i].text, strlen(d.fed[i].text)) == 0;
                    if (!good)
                        printf("# range %d, %u lanes, %d rows: \"%s\" %s\n", (int)range, lanes, (int)rows, all(&d), d.error.msg);
                    drive_stop(&d);
                    drive_free(&d);
                }
        ok(good, "ranges of every size, 1 to 4 lanes: each of %s once, with its position", cases[c].what);
    }
    clean();
}

static void test_ranges__go_on_anywhere(void)
{
    /* Killed after every read, the next run with another range size. */
    bool good = true;
    for (int seed = 1; good && seed <= 200; seed++) {
        struct drive d = { 0 };
        bool done = false;
        srandom((unsigned)seed);
        text("x.jsonl", "w", "a\nbb\nccc\n\ndddd\neeeee\r\nffffff\ng");
        for (int run = 0; good && !done && run < 200; run++) {
            begin(&d, in_dir("x.jsonl"), 1 + random() % 40, false);
            d.lanes = 1 + (unsigned)random() % LANES;
            d.max_rows = 1 + random() % 2;
            good = drive_start(&d) == PEN_OK;
            pen_status status = PEN_SKIP;
            /* One read of one partition is committed, then the process ends. */
            struct pen_partition_event e;
            while (good && (status = file_source.next_event(d.ctx, &e, &d.error)) == PEN_OK && e.kind == PEN_PARTITION_ASSIGNED) {
                d.parts = realloc(d.parts, (d.n_parts + 1) * sizeof *d.parts);
                struct pen_position pos = { 0 };
                for (size_t i = 0; i < d.n_memory; i++)
                    if (strcmp(d.memory[i].name, e.name) == 0 && strcmp(d.memory[i].incarnation, e.incarnation) == 0)
                        pos = d.memory[i].pos;
                if (pos.n == 0)
                    file_source.beginning(d.ctx, e.id, d.n_memory == 0, &pos, &d.error);
                d.parts[d.n_parts++] = (struct part){ e.id, strdup(e.name), strdup(e.incarnation), pos, false };
                good = file_source.start_partition(d.ctx, e.id, &pos, &d.error) == PEN_OK;
            }
            done = d.n_parts == 0;
            if (!done && good) {
                struct part *p = &d.parts[(size_t)random() % d.n_parts];
                struct pen_intake *none[1] = { NULL };
                (void)none;
                good = file_source.reader_add(d.readers[0], p->id, &p->at, &d.error) == PEN_OK;
                unsigned lanes = d.lanes;
                d.lanes = 1;
                drive_run(&d);
                d.lanes = lanes;
                good = good && d.error.code == PEN_OK;
                drive_commit(&d);
            }
            drive_stop(&d);
        }
        if (!good || !done || strcmp(all(&d), "a|bb|ccc|dddd|eeeee|ffffff|g") != 0) {
            printf("# seed %d: \"%s\" %s\n", seed, all(&d), d.error.msg);
            good = false;
        }
        drive_free(&d);
    }
    ok(good, "restarts at any position, with other range sizes: each line once (200 seeds)");
    clean();
}

static void test_ranges__are_bounded(void)
{
    struct drive d = { 0 };
    text("x.jsonl", "w", "a\nb\nc\nd\n");
    begin(&d, in_dir("x.jsonl"), 1 << 20, false);
    struct pen_partition_event e;
    struct pen_position zero = pen_position_of(0), bound = pen_position_of(4);
    struct pen_intake *ins[1];
    ok(drive_start(&d) == PEN_OK && file_source.next_event(d.ctx, &e, NULL) == PEN_OK, "one range");
    d.parts = calloc(1, sizeof *d.parts);
    d.n_parts = 1;
    d.parts[0] = (struct part){ e.id, strdup(e.name), strdup(e.incarnation), zero, false };
    file_source.start_partition(d.ctx, e.id, &zero, NULL);
    file_source.reader_add(d.readers[0], e.id, &zero, NULL);
    file_source.reader_bound(d.readers[0], e.id, &bound, NULL);
    (void)ins;
    ok(drive_run(&d) == PEN_OK && d.n_fed == 4, "a bound cuts a read, and the next goes on from there");
    drive_stop(&d);
    drive_free(&d);
    clean();
}

/* -- long lines --------------------------------------------------------------------------------------------------------------------- */

static void test_long_lines__are_passed_over(void)
{
    struct drive d = { 0 };
    char *line = malloc(5 << 20);
    memset(line, 'x', 5 << 20);
    text("x.jsonl", "w", "first\n");
    put("x.jsonl", "a", line, 5 << 20);
    text("x.jsonl", "a", "\nmiddle\n");
    put("x.jsonl", "a", line, 900000);
    text("x.jsonl", "a", "\n");
    put("x.jsonl", "a", line, 3 << 20);
    free(line);
    begin(&d, in_dir("x.jsonl"), 1 << 20, false);
    d.max_record = 1 << 20;
    ok(drive_start(&d) == PEN_OK && drive_run(&d) == PEN_OK && d.n_fed == 5, "lines that are too long: the others come");
    size_t over = 0, whole = 0;
    for (size_t i = 0; i < d.n_fed; i++) {
        over += d.fed[i].kind == 'o' && ((d.fed[i].position == 6 && d.fed[i].length == 5 << 20) || d.fed[i].length == 3 << 20) &&
                strlen(d.fed[i].text) == 65536;
        whole += d.fed[i].kind == 'm' && d.fed[i].length == 900000;
    }
    ok(over == 2 && whole == 1, "their length, position and first 64 KiB are known; a line of less than max_record is whole");
    drive_stop(&d);
    drive_free(&d);
    clean();
}

/* -- compressed ----------------------------------------------------------------------------------------------------------------------- */

static void gzip_text(const char *name, const char *mode, const char *s)
{
    gzFile f = gzopen(in_dir(name), mode);
    gzwrite(f, s, (unsigned)strlen(s));
    gzclose(f);
}
static void zstd_text(const char *name, const char *mode, const char *s)
{
    char out[4096];
    put(name, mode, out, ZSTD_compress(out, sizeof out, s, strlen(s), 1));
}

static void test_compressed__are_read_once(void)
{
    for (int zstd = 0; zstd < 2; zstd++) {
        const char *name = zstd ? "x.jsonl.zst" : "x.jsonl.gz", *kind = zstd ? "zstd" : "gzip";
        void (*write)(const char *, const char *, const char *) = zstd ? zstd_text : gzip_text;
        struct drive d = { 0 };
        write(name, "w", "a\nbb\nc");
        write(name, "a", "cc\ndddd");
        begin(&d, dir, 1, false);
        d.max_rows = 2;
        ok(drive_start(&d) == PEN_OK && drive_run(&d) == PEN_OK && d.n_parts == 1, "%s: one range", kind);
        is(all(&d), "a|bb|ccc|dddd", zstd ? "zstd: two frames are one stream" : "gzip: two members are one stream");
        drive_commit(&d);
        drive_stop(&d);
        begin(&d, dir, 1, false);
        ok(drive_start(&d) == PEN_OK && drive_run(&d) == PEN_OK && d.n_parts == 0, "%s: read to its end, it is not opened again", kind);
        drive_stop(&d);
        write(name, "a", "\ne\n");
        begin(&d, dir, 1, false);
        ok(drive_start(&d) == PEN_OK && drive_run(&d) == PEN_OK, "%s: grown", kind);
        is(all(&d), "a|bb|ccc|dddd|e", "only what is new is read");
        drive_stop(&d);
        drive_free(&d);

        memset(&d, 0, sizeof d);
        begin(&d, dir, 1, false);
        d.max_rows = 1;
        drive_start(&d);
        struct pen_partition_event e;
        struct pen_position at = { 2, { 0, 5, 0, 0 } };
        file_source.next_event(d.ctx, &e, NULL);
        d.parts = calloc(1, sizeof *d.parts);
        d.n_parts = 1;
        d.parts[0] = (struct part){ e.id, strdup(e.name), strdup(e.incarnation), at, false };
        file_source.reader_add(d.readers[0], e.id, &at, NULL);
        drive_run(&d);
        is(all(&d), "ccc|dddd|e", "compressed: goes on at a position");
        drive_stop(&d);
        drive_free(&d);

        struct stat st;
        stat(in_dir(name), &st);
        if (truncate(in_dir(name), st.st_size - 3) != 0)
            printf("Bail out! truncate\n");
        memset(&d, 0, sizeof d);
        begin(&d, dir, 1, false);
        drive_start(&d);
        ok(drive_run(&d) == PEN_FATAL && strstr(d.error.msg, name) && strstr(d.error.msg, "damaged"), "%s: cut off is an error: %s", kind, d.error.msg);
        drive_stop(&d);
        drive_free(&d);
        clean();
    }
}

/* -- follow --------------------------------------------------------------------------------------------------------------------------- */

static void test_follow__waits_for_whole_lines(void)
{
    struct drive d = { 0 };
    text("a.log", "w", "one\ntw");
    begin(&d, in_dir("a.log"), 1 << 20, true);
    ok(drive_start(&d) == PEN_OK && drive_until(&d, d.now + 5000) == PEN_SKIP, "follow goes on");
    is(all(&d), "one", "an unfinished line waits");
    text("a.log", "a", "o\nthree\n");
    drive_until(&d, d.now + 5000);
    is(all(&d), "one|three|two", "and comes once it is whole");
    ok(file_source.wake_at(d.readers[0]) > d.now && file_source.wake_at(d.readers[0]) <= d.now + 1000, "it asks to be woken when to poll");
    drive_stop(&d);
    drive_free(&d);
    clean();
}

static void test_follow__rotation_loses_and_doubles_nothing(void)
{
    static const char *const patterns[] = { "a.log", "a.log*" };
    for (size_t k = 0; k < 2; k++)
        for (int restart = 0; restart < 2; restart++) {
            struct drive d = { 0 };
            text("a.log", "w", "1\n2\n");
            begin(&d, in_dir(patterns[k]), 1 << 20, true);
            drive_start(&d);
            drive_until(&d, d.now + 5000);
            drive_commit(&d);
            FILE *writer = fopen(in_dir("a.log"), "a"); /* keeps writing after the rename, as log writers do */
            if (restart)
                drive_stop(&d);
            rename(in_dir("a.log"), in_dir("a.log.1"));
            fputs("3\n", writer);
            fflush(writer);
            text("a.log", "w", "1\n4\n"); /* begins like the old one */
            if (restart) {
                begin(&d, in_dir(patterns[k]), 1 << 20, true);
                drive_start(&d);
            }
            drive_until(&d, d.now + 5000);
            fputs("5\n", writer);
            fclose(writer);
            text("a.log", "a", "6\n");
            drive_until(&d, d.now + 5000);
            drive_commit(&d);
            rename(in_dir("a.log.1"), in_dir("a.log.2"));
            rename(in_dir("a.log"), in_dir("a.log.1"));
            text("a.log", "w", "7\n");
            drive_until(&d, d.now + 5000);
            if (!is(all(&d), "1|1|2|3|4|5|6|7", restart ? "rotated while away: nothing lost, nothing doubled" : "rotated: nothing lost, nothing doubled"))
                printf("# %s\n", d.error.msg);
            drive_commit(&d);
            drive_stop(&d);
            begin(&d, in_dir(patterns[k]), 1 << 20, true);
            drive_start(&d);
            drive_until(&d, d.now + 5000);
            is(all(&d), "1|1|2|3|4|5|6|7", "and nothing is read again after a restart");
            drive_stop(&d);
            drive_free(&d);
            clean();
        }
}

static void test_follow__tells_cut_off_from_written_anew(void)
{
    for (int grown = 0; grown < 2; grown++)
        for (int restart = 0; restart < 2; restart++) {
            struct drive d = { 0 };
            pen_status status;
            text("a.log", "w", "first line\nsecond line\n");
            begin(&d, in_dir("a.log"), 1 << 20, true);
            drive_start(&d);
            drive_until(&d, d.now + 5000);
            drive_commit(&d);
            if (restart)
                drive_stop(&d);
            text("a.log", "w", grown ? "other line\nsecond line\nthird line\n" : "first");
            if (restart) {
                begin(&d, in_dir("a.log"), 1 << 20, true);
                drive_start(&d);
            }
            status = drive_until(&d, d.now + 5000);
            /* other first bytes: another file; too short for its first bytes: another one too, with nothing whole in it */
            ok(status == PEN_SKIP && d.n_fed == (grown ? 5 : 2), restart ? "written anew while away is a new file" : "written anew while followed is a new file");
            text("a.log", "a", " and more\n");
            drive_until(&d, d.now + 5000);
            ok(d.n_fed == (grown ? 6 : 3) && strcmp(d.fed[d.n_fed - 1].text, grown ? " and more" : "first and more") == 0, "and is followed");
            drive_stop(&d);
            drive_free(&d);
            clean();
        }
    for (int restart = 0; restart < 2; restart++)
        for (int small = 0; small < 2; small++) {
            char line[2][101];
            struct drive d = { 0 };
            for (int i = 0; i < 2; i++)
                snprintf(line[i], sizeof line[i], "%099d\n", i);
            text("a.log", "w", line[0]);
            for (int i = small ? 19 : 199; i > 0; i--)
                text("a.log", "a", line[1]);
            begin(&d, in_dir("a.log"), 1 << 20, true);
            drive_start(&d);
            drive_until(&d, d.now + 5000);
            drive_commit(&d);
            if (restart)
                drive_stop(&d);
            if (truncate(in_dir("a.log"), small ? 700 : 5000) != 0)
                printf("Bail out! truncate\n");
            if (restart) {
                begin(&d, in_dir("a.log"), 1 << 20, true);
                drive_start(&d);
            }
            ok(drive_until(&d, d.now + 5000) == PEN_FATAL && strstr(d.error.msg, small ? "a.log: read to byte 2000" : "a.log: read to byte 20000") &&
                   strstr(d.error.msg, small ? "700 bytes long" : "5000 bytes long") && d.n_fed == (small ? 20 : 200),
               "cut off, and begins as before: %s", d.error.msg);
            drive_stop(&d);
            drive_free(&d);
            clean();
        }
    struct drive d = { 0 };
    char *big = malloc(10000);
    memset(big, 'x', 10000);
    big[5000] = big[9999] = '\n';
    put("a.log", "w", big, 10000);
    begin(&d, in_dir("a.log"), 1 << 20, true);
    drive_start(&d);
    drive_until(&d, d.now + 5000);
    drive_commit(&d);
    drive_stop(&d);
    if (truncate(in_dir("a.log"), 6000) != 0)
        printf("Bail out! truncate\n");
    begin(&d, in_dir("a.log"), 1 << 20, true);
    drive_start(&d);
    ok(drive_run(&d) == PEN_FATAL && strstr(d.error.msg, "read to byte 10000 before, but 6000 bytes long"), "truncated while away: %s", d.error.msg);
    drive_stop(&d);
    put("a.log", "w", big, 10000);
    text("a.log", "a", "mended\n");
    begin(&d, in_dir("a.log"), 1 << 20, true);
    drive_start(&d);
    ok(drive_until(&d, d.now + 5000) == PEN_SKIP && d.n_fed == 3 && strcmp(d.fed[2].text, "mended") == 0, "mended, it goes on where it stood");
    drive_stop(&d);
    drive_free(&d);
    free(big);
    clean();
}

static void test_follow__until_end_stops_at_what_was_there(void)
{
    struct drive d = { 0 };
    text("a.log", "w", "1\n2\n3");
    begin(&d, in_dir("a.log"), 2, true);
    d.run.until_end = true;
    ok(drive_start(&d) == PEN_OK && drive_until(&d, d.now + 100000) == PEN_OK, "follow with --until-end ends");
    is(all(&d), "1|2", "after the last whole line");
    drive_commit(&d);
    drive_stop(&d);
    text("a.log", "a", "3\n4\n");
    begin(&d, in_dir("a.log"), 2, true);
    d.run.until_end = true;
    ok(drive_start(&d) == PEN_OK && drive_until(&d, d.now + 100000) == PEN_OK, "and again");
    is(all(&d), "1|2|33|4", "with what has come since");
    drive_stop(&d);
    drive_free(&d);
    clean();
}

static void test_follow__new_files_come_and_latest_leaves_out_the_old(void)
{
    struct drive d = { 0 };
    text("a.jsonl", "w", "old\nold too\nhalf");
    struct file_source *s = begin(&d, dir, 5, true);
    s->start = 1;
    drive_start(&d);
    drive_until(&d, d.now + 5000);
    is(all(&d), "", "start = latest leaves out what is there");
    text("a.jsonl", "a", " and half\nnew\n");
    text("b.jsonl", "w", "");
    text("_hidden.jsonl", "w", "no\n");
    text("c.txt", "w", "no\n");
    drive_until(&d, d.now + 5000);
    text("b.jsonl", "a", "from the start\n");
    drive_until(&d, d.now + 5000);
    is(all(&d), "from the start|half and half|new", "not what is written after, nor files that come later");
    drive_stop(&d);
    drive_free(&d);
    clean();
}

/* -- CSV, rates, replay ------------------------------------------------------------------------------------------------------------ */

static const char *in_order(const struct drive *d)
{
    static char out[1 << 16];
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < d->n_fed && n < sizeof out - 1; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s%s", i ? "|" : "", d->fed[i].kind == 'r' ? "REJECTED " : "", d->fed[i].text);
    return out;
}

static void test_csv__becomes_json_objects(void)
{
    static const struct { const char *what, *text, *want; } cases[] = {
        { "cells", "a,b\n1,x\n-2.5e3,007\n", "{\"a\":1,\"b\":\"x\"}|{\"a\":-2.5e3,\"b\":\"007\"}" },
        { "CRLF and no final line break", "a,b\r\n1,x\r\n2,y", "{\"a\":1,\"b\":\"x\"}|{\"a\":2,\"b\":\"y\"}" },
        { "quotes", "a,\"b \"\"c\"\"\"\n\"1\",\"x,\ny\"\n", "{\"a\":\"1\",\"b \\\"c\\\"\":\"x,\\u000ay\"}" },
        { "empty and null", "a,b\n,\"\"\n", "{\"a\":null,\"b\":\"\"}" },
        { "words", "a,b\ntrue,null\n", "{\"a\":true,\"b\":\"null\"}" },
        { "backslashes", "a\nx\\y\n\t\n", "{\"a\":\"x\\\\y\"}|{\"a\":\"\\u0009\"}" },
        { "blank lines", "a\n\n1\n\n", "{\"a\":1}" },
        { "a byte order mark", "\xef\xbb\xbf" "a\n1\n", "{\"a\":1}" },
        { "too few and too many", "a,b\n1\n1,2,3\n1,2\n", "REJECTED CSV: 1 columns, but the file has 2|REJECTED CSV: 3 columns, but the file has 2|{\"a\":1,\"b\":2}" },
        { "text behind a quote", "a,b\n\"x\"y,1\n1,2\n", "REJECTED CSV: text behind a closing quote in column 1|{\"a\":1,\"b\":2}" },
        { "a quote that is not closed", "a,b\n1,\"x\n1,2\n", "REJECTED CSV: a quote is opened and not closed in column 2|{\"a\":1,\"b\":2}" },
        { "only names", "a,b\n", "" },
        { "no names but one", "a", "" },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bool good = true;
        for (int gz = 0; gz < 2; gz++)
            for (int64_t rows = 1; good && rows < 4; rows++) {
                struct drive d = { 0 };
                const char *name = gz ? "x.csv.gz" : "x.csv";
                if (gz)
                    gzip_text(name, "w", cases[c].text);
                else
                    text(name, "w", cases[c].text);
                /* Every read is committed, and a new process goes on after it. */
                pen_status status = PEN_SKIP;
                for (int run = 0; status != PEN_OK && run < 20; run++) {
                    begin(&d, in_dir(name), 1, false);
                    d.max_rows = rows;
                    d.one_read = true;
                    drive_start(&d);
                    status = drive_run(&d);
                    drive_commit(&d);
                    drive_stop(&d);
                }
                good = status == PEN_OK && strcmp(in_order(&d), cases[c].want) == 0;
                if (!good)
                    printf("# got  %s %s\n# want %s\n", in_order(&d), d.error.msg, cases[c].want);
                drive_free(&d);
                unlink(in_dir(name));
            }
        ok(good, "CSV: %s", cases[c].what);
    }
    struct drive d = { 0 };
    text("x.csv", "w", "1;2\n3;4\n");
    struct file_source *s = begin(&d, in_dir("x.csv"), 1, false);
    s->header = false;
    s->delimiter = ";";
    drive_start(&d);
    drive_run(&d);
    is(in_order(&d), "{\"c1\":1,\"c2\":2}|{\"c1\":3,\"c2\":4}", "CSV without names, with another delimiter");
    drive_stop(&d);
    drive_free(&d);
    memset(&d, 0, sizeof d);
    text("y.csv", "w", "a,b\n1,\"half");
    begin(&d, in_dir("y.csv"), 1, true);
    drive_start(&d);
    drive_until(&d, d.now + 5000);
    bool none = d.n_fed == 0;
    text("y.csv", "a", "\nway\"\n2,");
    drive_until(&d, d.now + 5000);
    text("y.csv", "a", "z\n");
    drive_until(&d, d.now + 5000);
    ok(none, "CSV followed: an open quote waits");
    is(in_order(&d), "{\"a\":1,\"b\":\"half\\u000away\"}|{\"a\":2,\"b\":\"z\"}", "and comes once it is closed");
    drive_stop(&d);
    drive_free(&d);
    clean();
}

static void test_rate__is_kept(void)
{
    static const double rates[] = { 2, 50, 1000 };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct drive d = { 0 };
        FILE *f = fopen(in_dir("x.jsonl"), "w");
        for (int k = 0; k < 10000; k++)
            fprintf(f, "%d\n", k);
        fclose(f);
        struct file_source *s = begin(&d, in_dir("x.jsonl"), 5000, false);
        s->rate = rates[i];
        d.lanes = 2;
        drive_start(&d);
        drive_until(&d, d.now + 4000000);
        ok((double)d.n_fed >= rates[i] * 4 * 0.97 - 1 && (double)d.n_fed <= rates[i] * 4 + 3, "%g/s for 4 s by two lanes: %zu records", rates[i], d.n_fed);
        drive_stop(&d);
        drive_free(&d);
    }
    clean();
}

static void test_replay__keeps_the_times(void)
{
    struct drive d = { 0 };
    text("x.jsonl", "w", "{\"x\":{\"t\":\"2001-01-01T00:00:00\"},\"t\":\"2020-01-01T00:00:00\"}\n{\"t\":\"2020-01-01 00:00:10\"}\n{}\n"
         "{ \"a\": \"t\", \"t\" : 1577836820 }\n{\"t\":1577836840000}\n{\"t\":\"2020-01-01T00:00:05\"}\n");
    struct file_source *s = begin(&d, in_dir("x.jsonl"), 1, false);
    s->replay.column = "t";
    s->replay.speed = 10;
    drive_start(&d);
    int64_t begun = d.now;
    ok(drive_until(&d, d.now + 60000000) == PEN_OK && d.n_fed == 6, "a replay ends");
    static const int64_t want[] = { 0, 1000, 1000, 2000, 4000, 4000 };
    for (size_t i = 0; i < 6 && i < d.n_fed; i++)
        ok((d.fed[i].at - begun) / 1000 == want[i], "record %zu comes after %d ms", i, (int)want[i]);
    drive_stop(&d);
    drive_free(&d);
    memset(&d, 0, sizeof d);
    text("y.csv", "w", "t,v\n2020-01-01T00:00:00,1\n2020-01-01T00:00:01,2\n");
    s = begin(&d, in_dir("y.csv"), 1, false);
    s->replay.column = "t";
    drive_start(&d);
    begun = d.now;
    ok(drive_until(&d, d.now + 60000000) == PEN_OK && d.n_fed == 2 && d.fed[1].at - begun == 1000000, "CSV is replayed too");
    drive_stop(&d);
    drive_free(&d);
    clean();
}

/* -- trouble -------------------------------------------------------------------------------------------------------------------------- */

static void test_trouble__is_one_clear_line(void)
{
    struct drive d = { 0 };
    begin(&d, in_dir("none.jsonl"), 1 << 20, false);
    drive_start(&d);
    ok(drive_run(&d) == PEN_FATAL && strstr(d.error.msg, "none.jsonl: No such file"), "no such file: %s", d.error.msg);
    drive_stop(&d);

    /* Shrinks while read. */
    text("x.jsonl", "w", "aa\nbb\ncc\ndd\n");
    begin(&d, in_dir("x.jsonl"), 6, false);
    drive_start(&d);
    struct pen_partition_event e;
    for (int i = 0; i < 2; i++) {
        struct pen_position pos;
        file_source.next_event(d.ctx, &e, NULL);
        file_source.beginning(d.ctx, e.id, true, &pos, NULL);
        file_source.start_partition(d.ctx, e.id, &pos, NULL);
        file_source.reader_add(d.readers[0], e.id, &pos, NULL);
        d.parts = realloc(d.parts, 2 * sizeof *d.parts);
        d.parts[d.n_parts++] = (struct part){ e.id, strdup(e.name), strdup(e.incarnation), pos, false };
    }
    if (truncate(in_dir("x.jsonl"), 8) != 0)
        printf("Bail out! truncate\n");
    pen_status status = drive_run(&d);
    ok(status == PEN_FATAL && (strstr(d.error.msg, "truncated") || strstr(d.error.msg, "written anew")), "shrinks while read: %s", d.error.msg);
    drive_stop(&d);
    drive_free(&d);

    /* Vanishes between the listing and the reading. */
    for (int skip_missing = 0; skip_missing < 2; skip_missing++) {
        memset(&d, 0, sizeof d);
        text("x.jsonl", "w", "aa\n");
        text("y.jsonl", "w", "bb\n");
        struct file_source *s = begin(&d, dir, 1 << 20, false);
        s->missing = skip_missing;
        drive_start(&d);
        file_source.next_event(d.ctx, &e, NULL);
        struct pen_position pos = pen_position_of(0);
        d.parts = calloc(1, sizeof *d.parts);
        d.parts[d.n_parts++] = (struct part){ e.id, strdup(e.name), strdup(e.incarnation), pos, false };
        file_source.reader_add(d.readers[0], e.id, &pos, NULL);
        unlink(in_dir("x.jsonl"));
        status = drive_run(&d);
        if (skip_missing)
            ok(status == PEN_OK && strcmp(all(&d), "bb") == 0, "missing = skip goes on with the others");
        else
            ok(status == PEN_FATAL && strstr(d.error.msg, "x.jsonl: it vanished"), "vanishes before it is read: %s", d.error.msg);
        drive_stop(&d);
        drive_free(&d);
        clean();
    }

    /* Vanishes between two runs. */
    for (int skip_missing = 0; skip_missing < 2; skip_missing++) {
        memset(&d, 0, sizeof d);
        text("x.jsonl", "w", "aa\nbb\n");
        begin(&d, dir, 3, false);
        drive_start(&d);
        drive_run(&d);
        drive_commit(&d);
        for (size_t i = 0; i < d.n_memory; i++)
            if (strstr(d.memory[i].name, "#3"))
                d.memory[i].pos = pen_position_of(3);
        drive_stop(&d);
        unlink(in_dir("x.jsonl"));
        struct file_source *s = begin(&d, dir, 3, false);
        s->missing = skip_missing;
        drive_start(&d);
        status = drive_run(&d);
        if (skip_missing)
            ok(status == PEN_OK, "missing = skip goes on");
        else
            ok(status == PEN_FATAL && strstr(d.error.msg, "x.jsonl: it is gone, and was read only to byte 3"), "gone between runs: %s", d.error.msg);
        drive_stop(&d);
        drive_free(&d);
        clean();
    }

    mkdir(in_dir("locked"), 0);
    memset(&d, 0, sizeof d);
    if (geteuid() == 0) {
        skip("a folder that cannot be read", "root may read everything");
    } else {
        begin(&d, dir, 3, false);
        drive_start(&d);
        ok(drive_run(&d) == PEN_FATAL && strstr(d.error.msg, "locked: cannot read the folder"), "a folder that cannot be read: %s", d.error.msg);
        drive_stop(&d);
        drive_free(&d);
    }
    clean();
}

static void test_identity__replaced_is_new_and_copied_is_not(void)
{
    struct drive d = { 0 };
    text("x.jsonl", "w", "a\nb\n");
    begin(&d, dir, 1 << 20, false);
    drive_start(&d);
    drive_run(&d);
    drive_commit(&d);
    drive_stop(&d);
    text("new.tmp", "w", "a\nb\nc\n"); /* an editor's way of adding a line */
    rename(in_dir("new.tmp"), in_dir("x.jsonl"));
    begin(&d, dir, 1 << 20, false);
    drive_start(&d);
    drive_run(&d);
    is(all(&d), "a|b|c", "same path and first bytes: the same file, with one more line");
    drive_commit(&d);
    drive_stop(&d);
    text("new.tmp", "w", "z\n");
    rename(in_dir("new.tmp"), in_dir("x.jsonl"));
    begin(&d, dir, 1 << 20, false);
    drive_start(&d);
    drive_run(&d);
    is(all(&d), "a|b|c|z", "other first bytes: a new file");
    drive_commit(&d);
    drive_stop(&d);
    rename(in_dir("x.jsonl"), in_dir("y.jsonl"));
    begin(&d, dir, 1 << 20, false);
    drive_start(&d);
    drive_run(&d);
    is(all(&d), "a|b|c|z", "renamed: the same file");
    drive_stop(&d);
    drive_free(&d);
    struct file_source *s = begin(&d, dir, 1 << 20, false);
    const char *twice[] = { in_dir("y.jsonl"), dir, in_dir("*.jsonl") };
    s->path = (struct pen_strings){ 3, twice };
    drive_start(&d);
    drive_run(&d);
    is(all(&d), "z", "named by three paths, it is read once");
    drive_stop(&d);
    drive_free(&d);
    clean();
}

int main(void)
{
    if (!mkdtemp(dir))
        return 99;
    test_ranges__give_every_line_once();
    test_ranges__go_on_anywhere();
    test_ranges__are_bounded();
    test_long_lines__are_passed_over();
    test_compressed__are_read_once();
    test_follow__waits_for_whole_lines();
    test_follow__rotation_loses_and_doubles_nothing();
    test_follow__tells_cut_off_from_written_anew();
    test_follow__until_end_stops_at_what_was_there();
    test_follow__new_files_come_and_latest_leaves_out_the_old();
    test_csv__becomes_json_objects();
    test_rate__is_kept();
    test_replay__keeps_the_times();
    test_trouble__is_one_clear_line();
    test_identity__replaced_is_new_and_copied_is_not();
    clean();
    rmdir(dir);
    return done_testing();
}
