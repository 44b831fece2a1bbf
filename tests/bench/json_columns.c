/* json_columns.c - how fast JSON lines become columns:  json_columns FILE [pin|geo|user|raw|none] [ROUNDS] [ROWS A BATCH]
 * Reads FILE through a buffer of 2 MiB as a source would, feeds an intake with one target and prints MB (10^6 bytes) of JSON per CPU second,
 * the best of ROUNDS rounds. Needs the library's private headers, so it is linked with its objects.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "data/intake.h"

#define BUFFER ((size_t)2 << 20)

static const char *const pin[] = { "!i", "index", "u", "unique_id", "u", "title", "u", "description", "u", "follower_count",
                                   "u", "poster_name", "u", "tag_list", "u", "is_image_or_video", "u", "image_src", "u", "save_location",
                                   "u", "category", NULL };
static const char *const geo[] = { "!i", "ind", "u", "country", "g", "latitude", "g", "longitude", "tsu:UTC", "timestamp", NULL };
static const char *const user[] = { "!i", "ind", "u", "first_name", "u", "last_name", "i", "age", "tsu:UTC", "date_joined", NULL };
static const char *const none[] = { "u", "no such field", NULL };

struct totals {
    int64_t rows, rejected;
    size_t bytes, columns;
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Takes what the buffer holds and leaves the broken line at its end. */
static bool drain(struct pen_intake *in, char *buffer, size_t *held, bool at_end, int64_t batch_rows, struct totals *t)
{
    size_t from = 0, took, n_rejected;
    do {
        struct ArrowArray out;
        pen_intake_begin(in);
        took = pen_intake_lines(in, buffer + from, *held - from, at_end, 0, batch_rows);
        if (pen_intake_finish(in, &out, NULL) < 0)
            return false;
        t->rows += out.length;
        t->columns += pen_array_bytes(&out);
        pen_intake_rejected(in, &n_rejected);
        t->rejected += (int64_t)n_rejected;
        pen_array_release(&out);
        from += took;
    } while (took && from < *held);
    memmove(buffer, buffer + from, *held - from);
    *held -= from;
    return true;
}

static bool one_round(struct pen_intake *in, const char *path, char *buffer, int64_t batch_rows, struct totals *t)
{
    int fd = open(path, O_RDONLY);
    size_t held = 0;
    ssize_t n = -1;
    memset(t, 0, sizeof *t);
    while (fd >= 0 && (n = read(fd, buffer + held, BUFFER - held)) >= 0) {
        held += (size_t)n;
        t->bytes += (size_t)n;
        if (!drain(in, buffer, &held, n == 0, batch_rows, t) || n == 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    return fd >= 0 && n == 0;
}

int main(int argc, char **argv)
{
    const char *shape = argc > 2 ? argv[2] : "pin";
    const char *const *pairs = strcmp(shape, "geo") == 0 ? geo : strcmp(shape, "user") == 0 ? user : strcmp(shape, "none") == 0 ? none : pin;
    int rounds = argc > 3 ? atoi(argv[3]) : 5;
    int64_t batch_rows = argc > 4 ? atoll(argv[4]) : 2048;
    char *buffer = malloc(BUFFER);
    struct ArrowSchema want;
    const struct ArrowSchema *wants[1] = { &want };
    struct pen_intake *in;
    struct pen_error err = { 0 };
    struct totals t;
    double best = 1e9;
    if (argc < 2 || !buffer) {
        fprintf(stderr, "usage: json_columns FILE [pin|geo|user|raw|none] [ROUNDS] [ROWS A BATCH]\n");
        return 2;
    }
    if (pen_schema_from_pairs(&want, pairs, &err) < 0)
        return 1;
    if (pairs == pin)
        want.children[4]->flags |= PEN_FIELD_JSON_TEXT; /* follower_count, as the cleaner asks for it */
    if (strcmp(shape, "raw") == 0)
        wants[0] = NULL;
    if (pen_intake_new(&in, wants, 1, (size_t)16 << 20, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    for (int i = 0; i < rounds; i++) {
        double start = cpu_seconds(), took;
        if (!one_round(in, argv[1], buffer, batch_rows, &t)) {
            perror(argv[1]);
            return 1;
        }
        took = cpu_seconds() - start;
        best = took < best ? took : best;
    }
    printf("%lld rows, %lld rejected, %zu bytes of JSON, %zu of columns: %.3f s, %.0f MB/s\n", (long long)t.rows, (long long)t.rejected,
           t.bytes, t.columns, best, (double)t.bytes / best / 1e6);
    pen_intake_free(&in);
    pen_schema_release(&want);
    free(buffer);
    return 0;
}
