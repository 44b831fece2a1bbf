/* harness.c - see harness.h. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

struct pen_run_context run_context = { .pipeline = "p", .state_path = ".", .clock = &pen_system_clock, .lanes = 2, .wake_fd = -1 };
struct pen_host host = { .run = &run_context, .stage = "j", .reader_name = "p" };
char last_warning[1024];
int64_t dropped;
unsigned mended;

/* These stand in for the host's own. */
void pen_log(const struct pen_host *h, pen_log_level level, const char *fmt, ...)
{
    va_list ap;
    (void)h;
    mended += strstr(fmt, "have been found in its segments") != NULL;
    if (level > PEN_LOG_WARN)
        return;
    va_start(ap, fmt);
    vsnprintf(last_warning, sizeof last_warning, fmt, ap);
    va_end(ap);
}
void pen_count(const struct pen_host *h, const char *name, const char *label, int64_t n)
{
    (void)h, (void)label;
    if (strcmp(name, "dropped_total") == 0)
        dropped += n;
}

static char base[256];
static unsigned fresh_count;

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char below[1024];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        if (unlink(below) < 0)
            remove_tree(below);
    }
    if (d)
        closedir(d);
    rmdir(path);
}
static pid_t owner;
static void remove_base(void)
{
    if (getpid() == owner)
        remove_tree(base);
}

const char *fresh_path(void)
{
    static char path[300];
    if (!base[0]) {
        const char *tmp = getenv("TMPDIR");
        snprintf(base, sizeof base, "%s/journal-test-XXXXXX", tmp ? tmp : "/tmp");
        if (!mkdtemp(base))
            abort();
        owner = getpid();
        atexit(remove_base);
    }
    snprintf(path, sizeof path, "%s/%u", base, fresh_count++);
    return path;
}

struct options options_for(const char *path)
{
    return (struct options){ .path = path, .segment_size = 64 << 20, .full = FULL_WAIT, .start = START_EARLIEST, .fsync = true };
}

/* -- rows -------------------------------------------------------------------------------------------------------------------------------- */

/* Value, key, timestamp and headers of a row follow from its number, and every kind of null occurs. */
static size_t row_value(char *out, uint64_t number)
{
    size_t n = (size_t)sprintf(out, "%" PRIu64 ":", number), fill = number * 7919 % 97;
    memset(out + n, 'a' + (int)(number % 26), fill);
    return n + fill;
}
static bool row_tombstone(uint64_t number)
{
    return number % 1000 == 999;
}
static bool row_has_key(uint64_t number)
{
    return number % 3 != 0;
}
static int64_t row_time(uint64_t number)
{
    return number % 5 == 0 ? INT64_MIN : (int64_t)number * 1000;
}
static unsigned row_headers(uint64_t number)
{
    return number % 11 == 0 ? 2 : 0;
}

static void append_row(struct pen_builder *b, uint64_t number, bool keys)
{
    char value[256], key[32];
    struct pen_builder *headers = pen_builder_child(b, 5), *pair = pen_builder_child(headers, 0);
    int key_size = snprintf(key, sizeof key, "k%" PRIu64, number % 50);
    if (keys && row_has_key(number))
        pen_builder_bytes_value(pen_builder_child(b, 0), key, (size_t)key_size);
    else
        pen_builder_null(pen_builder_child(b, 0));
    if (row_tombstone(number))
        pen_builder_null(pen_builder_child(b, 1));
    else
        pen_builder_bytes_value(pen_builder_child(b, 1), value, row_value(value, number));
    if (row_time(number) == INT64_MIN)
        pen_builder_null(pen_builder_child(b, 2));
    else
        pen_builder_int64(pen_builder_child(b, 2), row_time(number));
    pen_builder_null(pen_builder_child(b, 3));
    pen_builder_null(pen_builder_child(b, 4));
    for (unsigned i = 0; i < row_headers(number); i++) {
        pen_builder_bytes_value(pen_builder_child(pair, 0), i ? "null" : "name", 4);
        if (i)
            pen_builder_null(pen_builder_child(pair, 1));
        else
            pen_builder_bytes_value(pen_builder_child(pair, 1), key, (size_t)key_size);
        pen_builder_end_struct(pair);
    }
    if (row_headers(number))
        pen_builder_end_list(headers);
    else
        pen_builder_null(headers);
    pen_builder_end_struct(b);
}

static bool same_bytes(const struct pen_column *c, int64_t row, const char *want, size_t want_size)
{
    size_t n;
    const char *bytes = pen_column_bytes(c, row, &n);
    return n == want_size && memcmp(bytes, want, n) == 0;
}

/* Row `row` of a raw batch is the one with this number. */
static bool row_is(const struct ArrowArray *batch, int64_t row, uint64_t number, bool keys)
{
    struct pen_column c[6], pair;
    char value[256], key[32];
    size_t key_size = (size_t)snprintf(key, sizeof key, "k%" PRIu64, number % 50);
    const int32_t *o;
    for (int i = 0; i < 6; i++)
        c[i] = pen_column_at(batch, i);
    if (pen_column_is_null(&c[0], row) != !(keys && row_has_key(number)) ||
        (keys && row_has_key(number) && !same_bytes(&c[0], row, key, key_size)))
        return false;
    if (pen_column_is_null(&c[1], row) != row_tombstone(number) ||
        (!row_tombstone(number) && !same_bytes(&c[1], row, value, row_value(value, number))))
        return false;
    if (pen_column_is_null(&c[2], row) != (row_time(number) == INT64_MIN) ||
        (row_time(number) != INT64_MIN && pen_column_int64(&c[2], row) != row_time(number)))
        return false;
    o = c[5].offsets + c[5].offset + row;
    if (o[1] - o[0] != (int32_t)row_headers(number))
        return false;
    pair = pen_column_at(batch->children[5]->children[0], 1);
    return row_headers(number) == 0 || (same_bytes(&pair, o[0], key, key_size) && pen_column_is_null(&pair, o[0] + 1));
}

/* -- the writing end ------------------------------------------------------------------------------------------------------------------------ */

pen_status out_open(struct out *o, const struct options *options, unsigned lanes, struct pen_error *err)
{
    pen_status st;
    memset(o, 0, sizeof *o);
    o->ctx = calloc(1, journal_sink.ctx_size);
    memcpy(o->ctx, options, sizeof *options);
    st = journal_sink.start(o->ctx, &host, err);
    if (st == PEN_OK && (st = journal_sink.open(o->ctx, err)) < 0)
        journal_sink.stop(o->ctx);
    if (st < 0) {
        free(o->ctx);
        o->ctx = NULL;
        return st;
    }
    for (o->n = 0; o->n < lanes; o->n++)
        if (journal_sink.writer_open(o->ctx, o->n, &o->lanes[o->n], err) < 0)
            abort();
    return PEN_OK;
}

void out_close(struct out *o)
{
    if (!o->ctx)
        return;
    for (unsigned i = 0; i < o->n; i++)
        journal_sink.writer_close(o->lanes[i]);
    journal_sink.stop(o->ctx);
    free(o->ctx);
    o->ctx = NULL;
}

pen_status out_write(struct out *o, unsigned lane, uint64_t first, uint64_t n, bool keys, struct pen_error *err)
{
    struct ArrowSchema schema;
    struct ArrowArray batch;
    struct pen_builder *b;
    pen_status st;
    if (pen_schema_raw(&schema, err) < 0 || pen_builder_new(&b, &schema, err) < 0)
        abort();
    for (uint64_t i = 0; i < n; i++)
        append_row(b, first + i, keys);
    if (pen_builder_finish(b, &batch, err) < 0)
        abort();
    st = journal_sink.write(o->lanes[lane], &batch, NULL, err);
    pen_array_release(&batch);
    pen_builder_free(&b);
    pen_schema_release(&schema);
    return st;
}

pen_status out_commit(struct out *o, const char *plan, const char *key, uint64_t from, uint64_t to, pen_publish_outcome *outcome,
                      struct pen_error *err)
{
    struct pen_staged staged[8];
    struct pen_move move = { .key = key, .to = pen_position_of(to) };
    struct pen_plan p = { .id = plan, .moves = &move, .n_moves = 1, .staged = staged, .n_staged = o->n };
    pen_status st = PEN_OK;
    memset(staged, 0, sizeof staged);
    if (from != UINT64_MAX)
        move.base = pen_position_of(from);
    for (unsigned i = 0; i < o->n && st == PEN_OK; i++)
        st = journal_sink.stage(o->lanes[i], &staged[i], err);
    if (st == PEN_OK)
        st = journal_sink.publish(o->ctx, &p, outcome, err);
    if (st == PEN_OK && *outcome == PEN_PUBLISH_REFUSED)
        for (unsigned i = 0; i < o->n; i++)
            journal_sink.discard(o->ctx, &staged[i]);
    if (st == PEN_OK && *outcome == PEN_PUBLISH_DONE)
        st = journal_sink.maintain(o->ctx, err);
    for (unsigned i = 0; i < o->n; i++)
        free(staged[i].bytes);
    return st;
}

bool out_rows(struct out *o, uint64_t first, uint64_t n)
{
    static unsigned count;
    struct pen_error err = { 0 };
    pen_publish_outcome outcome = PEN_PUBLISH_UNKNOWN;
    char plan[40];
    snprintf(plan, sizeof plan, "plan-%ld-%u", (long)getpid(), count++);
    if (out_write(o, 0, first, n, true, &err) < 0 ||
        out_commit(o, plan, "p/s/src/0", first ? first : UINT64_MAX, first + n, &outcome, &err) < 0)
        printf("# %s\n", err.msg);
    return err.code == PEN_OK && outcome == PEN_PUBLISH_DONE;
}

static pen_status note_shown(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err)
{
    (void)key, (void)err;
    *(uint64_t *)arg = pos->w[0];
    return PEN_OK;
}
uint64_t out_shown(struct out *o, const char *key)
{
    struct pen_error err = { 0 };
    uint64_t at = UINT64_MAX;
    journal_sink.shown(o->ctx, key, note_shown, &at, &err);
    return at;
}

/* -- the reading end ------------------------------------------------------------------------------------------------------------------------ */

pen_status in_open(struct in *i, const struct options *options, uint64_t at, struct pen_error *err)
{
    struct pen_position pos = pen_position_of(at);
    const struct ArrowSchema *raw = NULL;
    pen_status st;
    memset(i, 0, sizeof *i);
    i->ctx = calloc(1, journal_source.ctx_size);
    memcpy(i->ctx, options, sizeof *options);
    st = journal_source.start(i->ctx, &host, err);
    if (st < 0) {
        free(i->ctx);
        i->ctx = NULL;
        return st;
    }
    if (pen_intake_new(&i->intake, &raw, 1, 16 << 20, err) < 0 || journal_source.reader_open(i->ctx, 0, &i->lane, err) < 0)
        abort();
    st = journal_source.start_partition(i->ctx, 0, &pos, err);
    if (st == PEN_OK)
        st = journal_source.reader_add(i->lane, 0, &pos, err);
    i->at = at;
    if (st < 0)
        in_close(i);
    return st;
}

void in_close(struct in *i)
{
    if (!i->ctx)
        return;
    journal_source.reader_close(i->lane);
    journal_source.stop(i->ctx);
    pen_intake_free(&i->intake);
    free(i->ctx);
    i->ctx = NULL;
}

pen_status in_read(struct in *i, uint64_t *number, int64_t max_rows, struct pen_error *err)
{
    struct pen_intake *intakes[1] = { i->intake };
    struct pen_read r = { .max_rows = max_rows, .max_bytes = 1 << 20, .intakes = intakes };
    struct ArrowArray batch;
    const uint64_t *positions;
    pen_status st;
    pen_intake_begin(i->intake);
    st = journal_source.read(i->lane, &r, err);
    if (pen_intake_finish(i->intake, &batch, err) < 0)
        abort();
    positions = pen_intake_positions(i->intake, 0);
    for (int64_t row = 0; st == PEN_OK && row < batch.length; row++) {
        if (positions[row] < i->at || (*number != UINT64_MAX && !row_is(&batch, row, *number, true)))
            st = pen_fail(err, PEN_BADDATA, "the row at offset %" PRIu64 " is not number %" PRIu64, positions[row], *number);
        *number += *number != UINT64_MAX;
        i->rows++;
    }
    if (st == PEN_OK && (r.from.w[0] != i->at || r.to.w[0] < i->at))
        st = pen_fail(err, PEN_BADDATA, "read from %" PRIu64 ", asked for %" PRIu64, r.from.w[0], i->at);
    if (st == PEN_OK && r.end && i->told && r.to.w[0] == i->at)
        st = PEN_SKIP; /* an end that is known */
    if (st == PEN_OK) {
        i->told = r.end;
        i->at = r.to.w[0];
        i->end = r.end;
    }
    pen_array_release(&batch);
    return st;
}

bool in_expect(struct in *i, uint64_t first, uint64_t end)
{
    struct pen_error err = { 0 };
    uint64_t number = first;
    pen_status st;
    while ((st = in_read(i, &number, 1000, &err)) == PEN_OK)
        ;
    if (st < 0 || number != end)
        printf("# expected rows %" PRIu64 " to %" PRIu64 ", came to %" PRIu64 ": %s\n", first, end, number, err.msg);
    return st == PEN_SKIP && number == end && i->end;
}

bool in_settle(struct in *i, uint64_t at)
{
    struct pen_error err = { 0 };
    struct pen_position pos = pen_position_of(at);
    return journal_source.settle(i->ctx, 0, &pos, &err) == PEN_OK;
}

bool holds(const struct options *options, uint64_t at, uint64_t first, uint64_t end)
{
    struct pen_error err = { 0 };
    struct in i;
    bool good = in_open(&i, options, at, &err) == PEN_OK;
    if (!good) {
        printf("# %s\n", err.msg);
        return false;
    }
    good = in_expect(&i, first, end);
    in_close(&i);
    return good;
}

static void copy_file(const char *from, const char *to)
{
    char buf[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    ssize_t n;
    while ((n = read(in, buf, sizeof buf)) > 0)
        if (write(out, buf, (size_t)n) != n)
            abort();
    close(in);
    close(out);
}

void copy_folder(const char *from, const char *to)
{
    DIR *d = opendir(from);
    struct dirent *e;
    mkdir(to, 0777);
    while (d && (e = readdir(d))) {
        char a[1024], b[1024];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        snprintf(b, sizeof b, "%s/%s", to, e->d_name);
        if (stat(a, &st) == 0 && S_ISDIR(st.st_mode))
            copy_folder(a, b);
        else
            copy_file(a, b);
    }
    if (d)
        closedir(d);
}

/* -- files that are tampered with ------------------------------------------------------------------------------------------------------------ */

void find_file(char *out, size_t size, const char *folder, const char *ending)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    char best[256] = "";
    while (d && (e = readdir(d)))
        if (strlen(e->d_name) > strlen(ending) && strcmp(e->d_name + strlen(e->d_name) - strlen(ending), ending) == 0 &&
            strcmp(e->d_name, best) > 0)
            snprintf(best, sizeof best, "%.255s", e->d_name);
    if (d)
        closedir(d);
    snprintf(out, size, "%s/%s", folder, best);
}

off_t size_of(const char *file)
{
    struct stat st;
    return stat(file, &st) < 0 ? -1 : st.st_size;
}

void flip(const char *file, off_t at, uint8_t mask)
{
    uint8_t byte;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0 || pread(fd, &byte, 1, at) != 1)
        abort();
    byte ^= mask;
    if (pwrite(fd, &byte, 1, at) != 1)
        abort();
    close(fd);
}

void make_sample(const char *path, bool sealed, off_t ends[3])
{
    struct options o = options_for(path);
    struct out out;
    struct pen_error err = { 0 };
    o.fsync = sealed;
    if (out_open(&out, &o, 1, &err) < 0)
        abort();
    for (unsigned i = 0; i < 3; i++) {
        char log[512];
        out_rows(&out, i * 20u, 20);
        find_file(log, sizeof log, path, ".commits");
        ends[i] = size_of(log);
    }
    out_close(&out);
}

bool goes_on(const char *path, uint64_t *shown)
{
    struct options o = options_for(path);
    struct out out;
    struct pen_error err = { 0 };
    bool good;
    if (out_open(&out, &o, 1, &err) < 0) {
        printf("# %s\n", err.msg);
        return false;
    }
    *shown = out_shown(&out, "p/s/src/0");
    if (*shown == UINT64_MAX)
        *shown = 0;
    good = out_rows(&out, *shown, 7);
    out_close(&out);
    return good && holds(&o, 0, 0, *shown + 7);
}
