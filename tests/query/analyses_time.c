/* analyses_time.c - the eight analyses over a million posts in memory, and a join of the three tables. Only where PENSTOCK_BENCH is set: prints
 * what each takes; the join has a bound of ten seconds.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <sys/resource.h>
#include <time.h>

#include "memory_table.h"
#include "sql_harness.h"

#define ROWS 1000000
#define BATCH 4096

static uint64_t state = 7;

static uint64_t draw(uint64_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % below;
}

static struct memory_table *fill(const char *const *pairs, void (*row)(struct pen_builder *b, int32_t ind))
{
    struct memory_table *t = calloc(1, sizeof *t);
    struct pen_error err = { 0 };
    struct pen_builder *b = NULL;
    if (!t || pen_schema_from_pairs(&t->schema, pairs, &err) < 0 || pen_builder_new(&b, &t->schema, &err) < 0) {
        printf("Bail out! %s\n", err.msg);
        exit(1);
    }
    for (int32_t i = 0; i < ROWS; i++) {
        row(b, i);
        pen_builder_end_struct(b);
        if ((i % BATCH == BATCH - 1 || i == ROWS - 1) && memory_table_add(t, b, &err) < 0)
            exit(1);
    }
    pen_builder_free(&b);
    return t;
}

__attribute__((format(printf, 2, 3))) static void text(struct pen_builder *b, const char *fmt, ...)
{
    char buf[64];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    pen_builder_bytes_value(b, buf, (size_t)n);
}

static void pin_row(struct pen_builder *b, int32_t ind)
{
    uint64_t scale = draw(4);
    pen_builder_int32(pen_builder_child(b, 0), ind);
    text(pen_builder_child(b, 1), "category %c and more", 'a' + (int)draw(13));
    pen_builder_int32(pen_builder_child(b, 2), (int32_t)(draw(1000) * (scale < 3 ? 1000 : 1)));
    text(pen_builder_child(b, 3), "Poster number %d", (int)draw(1500));
}

static void geo_row(struct pen_builder *b, int32_t ind)
{
    uint64_t country = draw(237);
    pen_builder_int32(pen_builder_child(b, 0), ind);
    text(pen_builder_child(b, 1), "%c country %d", 'A' + (int)(country % 26), (int)country);
    pen_builder_int64(pen_builder_child(b, 2), (INT64_C(1508457600) + (int64_t)draw(1825 * 86400)) * 1000000);
}

static void user_row(struct pen_builder *b, int32_t ind)
{
    pen_builder_int32(pen_builder_child(b, 0), ind);
    pen_builder_int32(pen_builder_child(b, 1), (int32_t)(20 + draw(41)));
    pen_builder_int64(pen_builder_child(b, 2), (INT64_C(1445385600) + (int64_t)draw(730 * 86400)) * 1000000);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double timed(struct pen_sql *sql, const char *name, const char *text_of)
{
    double from = seconds();
    struct pen_error err = { 0 };
    int64_t rows = 0;
    pen_status st = PEN_OK;
    while (*text_of && st >= 0) {
        sqlite3_stmt *stmt = NULL;
        st = pen_sql_prepare(sql, text_of, &stmt, &text_of, &err);
        while (stmt && st == PEN_OK && (st = pen_sql_step(sql, stmt, &err)) == PEN_OK)
            rows++;
        pen_sql_finish(sql, &stmt);
        st = st == PEN_SKIP ? PEN_OK : st;
    }
    ok(st >= 0, "%-46s %6.2f CPU s, %lld rows %s", name, seconds() - from, (long long)rows, err.msg);
    return seconds() - from;
}

static int is_sql(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 4 && !strcmp(e->d_name + n - 4, ".sql");
}

static double run_file(struct pen_sql *sql, const char *folder, const char *name)
{
    char path[8192], sql_text[8192];
    FILE *f;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!(f = fopen(path, "re"))) {
        ok(false, "%s opens", path);
        return 0;
    }
    n = fread(sql_text, 1, sizeof sql_text - 1, f);
    sql_text[n] = '\0';
    fclose(f);
    return timed(sql, name, sql_text);
}

int main(void)
{
    static const char *const pin[] = { "i", "ind", "u", "category", "i", "follower_count", "u", "poster_name", NULL };
    static const char *const geo[] = { "i", "ind", "u", "country", "tsu:UTC", "timestamp", NULL };
    static const char *const user[] = { "i", "ind", "i", "age", "tsu:UTC", "date_joined", NULL };
    static const char *const names[] = { "pin", "geo", "user" };
    const char *top = getenv("top_srcdir");
    struct memory_table *t[3];
    struct pen_error err = { 0 };
    struct pen_sql *sql;
    struct dirent **files;
    struct rusage usage;
    char folder[4000];
    double all = 0;
    int n;
    if (!getenv("PENSTOCK_BENCH")) {
        skip("the analyses over a million posts", "PENSTOCK_BENCH is not set");
        return done_testing();
    }
    t[0] = fill(pin, pin_row);
    t[1] = fill(geo, geo_row);
    t[2] = fill(user, user_row);
    pen_sql_new(&sql, &err);
    for (int i = 0; i < 3; i++) {
        struct ArrowSchema copy;
        pen_schema_copy(&copy, &t[i]->schema, &err);
        pen_sql_add_table(sql, names[i], &memory_table_ops, t[i], &copy, ROWS, &err);
    }
    ok(timed(sql, "join of three", "SELECT count(*), sum(age), max(country), min(category) FROM pin JOIN geo USING (ind) JOIN user USING (ind)") < 10,
       "three tables of a million rows are joined in less than 10 CPU s");
    snprintf(folder, sizeof folder, "%s/conf/pinterest", top ? top : ".");
    n = scandir(folder, &files, is_sql, alphasort);
    ok(n == 8, "there are eight analyses");
    for (int i = 0; i < n; i++) {
        all += run_file(sql, folder, files[i]->d_name);
        free(files[i]);
    }
    if (n >= 0)
        free(files);
    pen_sql_free(&sql);
    getrusage(RUSAGE_SELF, &usage);
    printf("# all eight: %.2f CPU s; %ld MiB at most, the three tables with it\n", all, usage.ru_maxrss / 1024);
    for (int i = 0; i < 3; i++)
        memory_table_free(t[i]);
    return done_testing();
}
