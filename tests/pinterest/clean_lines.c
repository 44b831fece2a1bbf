/* clean_lines.c - a file of JSON lines through the real decoder and one cleaner, without an engine around them.
 * clean_lines pin|geo|user INPUT ROWS REJECTED BATCH: writes the rows that come out as JSON lines, and for each record that the decoder
 * refused the offset of its first byte, a line each. BATCH: how many rows a batch has.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "driver.h"

static char *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *bytes = NULL;
    long size;
    if (f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0 && (bytes = malloc((size_t)size + 1)) &&
        fread(bytes, 1, (size_t)size, f) != (size_t)size) {
        free(bytes);
        bytes = NULL;
    }
    *n = bytes ? (size_t)size : 0;
    if (f)
        fclose(f);
    return bytes;
}

/* One batch: returns how many bytes it took, 0 on failure. */
static size_t one_batch(struct driver *d, const char *bytes, size_t n, uint64_t position, int64_t rows, FILE *to, FILE *refused)
{
    struct ArrowArray in = { .release = NULL }, out = { .release = NULL };
    struct pen_error err = { 0 };
    const struct pen_rejected *rejected;
    size_t n_rejected, taken;
    pen_intake_begin(d->intake);
    taken = pen_intake_lines(d->intake, bytes, n, true, position, rows);
    if (pen_intake_finish(d->intake, &in, &err) < 0 || driver_batch(d, &in, &out, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        taken = 0;
    }
    rejected = pen_intake_rejected(d->intake, &n_rejected);
    for (size_t i = 0; i < n_rejected; i++)
        fprintf(refused, "%llu\n", (unsigned long long)rejected[i].position);
    for (int64_t i = 0; taken && i < out.length; i++)
        driver_print_row(d, &out, i, to);
    pen_array_release(&out);
    pen_array_release(&in);
    return taken;
}

int main(int argc, char **argv)
{
    static const struct pen_plugin *const plugins[] = { &pin_LTX_pen_plugin, &geo_LTX_pen_plugin, &user_LTX_pen_plugin };
    const struct pen_plugin *plugin = NULL;
    struct driver d;
    size_t n, at = 0, taken = 1;
    char *bytes;
    FILE *rows, *rejected;
    for (size_t i = 0; argc == 6 && i < sizeof plugins / sizeof *plugins; i++)
        if (strcmp(argv[1], plugins[i]->name) == 0)
            plugin = plugins[i];
    if (!plugin) {
        fputs("usage: clean_lines pin|geo|user INPUT ROWS REJECTED BATCH\n", stderr);
        return 2;
    }
    bytes = slurp(argv[2], &n);
    rows = fopen(argv[3], "w");
    rejected = fopen(argv[4], "w");
    driver_open(&d, plugin, NULL, NULL);
    while (bytes && rows && rejected && at < n && taken) {
        taken = one_batch(&d, bytes + at, n - at, at, strtol(argv[5], NULL, 10), rows, rejected);
        at += taken;
    }
    driver_close(&d);
    taken = bytes && rows && rejected && at == n;
    taken = (!rows || fclose(rows) == 0) && taken;
    taken = (!rejected || fclose(rejected) == 0) && taken;
    free(bytes);
    return taken ? 0 : 1;
}
