/* fuzz_csv.c - CSV: rows become the same records however their bytes arrive, and positions tell where each row lies.
 * Sources: this file, plugins/file/csv.c, plugins/file/replay.c; links libpenstock. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/file/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An intake that writes down what it is given. */
struct pen_intake {
    struct pen_text seen;
    uint64_t last;
    int64_t rows;
};

static void note(struct pen_intake *in, char kind, const void *bytes, size_t n, uint64_t position)
{
    if (in->rows++ && position <= in->last)
        abort(); /* rows come in order */
    in->last = position;
    pen_text_format(&in->seen, "%c %llu ", kind, (unsigned long long)position);
    pen_text_append(&in->seen, bytes, n);
    pen_text_put(&in->seen, "\n");
}
size_t pen_intake_max_record(const struct pen_intake *in)
{
    (void)in;
    return 1u << 20;
}
void pen_intake_message(struct pen_intake *in, const struct pen_message *m)
{
    note(in, 'm', m->value, m->value_size, m->position);
}
void pen_intake_reject(struct pen_intake *in, const void *bytes, size_t n, uint64_t position, const char *fmt, ...)
{
    char why[100];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    note(in, 'r', bytes, n, position);
    pen_text_put(&in->seen, why);
}

/* Reads as the plugin does: `step` bytes more each time nothing whole is at hand. */
static void read_all(struct pen_intake *in, const char *bytes, size_t n, size_t step, char delimiter, bool header)
{
    struct csv c = { .delimiter = delimiter };
    size_t at = 0, len = 0, took = 0;
    int64_t due = 0;
    while (!took && len < n) {
        len = n - len < step ? n : len + step;
        char *copy = malloc(len); /* of its own, so that a byte too far is seen */
        if (!copy)
            abort();
        memcpy(copy, bytes, len);
        if (csv_begin(&c, copy, len, len == n, header, &took, NULL) < 0)
            len = n;
        free(copy);
    }
    at = header ? took : 0;
    while (took && at < n) {
        char *copy = malloc(len - at + !(len - at));
        if (!copy)
            abort();
        memcpy(copy, bytes + at, len - at);
        size_t k = csv_feed(&c, in, copy, len - at, len == n, at, UINT64_MAX, 3, 0, &due);
        free(copy);
        at += k;
        if (!k && len == n)
            abort(); /* the last row is never held back */
        if (!k)
            len = n - len < step ? n : len + step;
    }
    csv_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pen_intake whole = { .rows = 0 }, pieces = { .rows = 0 };
    if (size < 2)
        return 0;
    char delimiter = ",;\t|"[data[0] & 3];
    size_t step = (size_t)data[1] % 37 + 1;
    read_all(&whole, (const char *)data + 2, size - 2, size, delimiter, data[0] & 4);
    read_all(&pieces, (const char *)data + 2, size - 2, step, delimiter, data[0] & 4);
    if (whole.rows != pieces.rows || whole.seen.n != pieces.seen.n || (whole.seen.n && memcmp(whole.seen.bytes, pieces.seen.bytes, whole.seen.n) != 0))
        abort();
    pen_text_fini(&whole.seen);
    pen_text_fini(&pieces.seen);
    return 0;
}
