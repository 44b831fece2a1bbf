/* log_test.c - the log's lines, and the counters. SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/log.h"
#include "ops/metrics.h"
#include "tap.h"

static char path[] = "/tmp/penstock-log-XXXXXX", content[20000];

/* All that the log's file holds; NULL where there is none. */
static const char *read_log(void)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(content, 1, sizeof content - 1, f) : 0;
    content[n] = '\0';
    if (f)
        fclose(f);
    return f ? content : NULL;
}

static void empty_log(void)
{
    FILE *f = fopen(path, "w");
    if (f)
        fclose(f);
}

static void test_log__lines(void)
{
    struct pen_error err = { 0 };
    ok(pen_log_open(path, false, PEN_LOG_WARN, &err) == PEN_OK, "opens a file %s", err.msg);
    pen_log_line(PEN_LOG_INFO, "p", "s", "not wanted");
    pen_log_line(PEN_LOG_WARN, "p", "s", "a\nb %d\033[31m \xFF", 7);
    pen_log_line(PEN_LOG_ERROR, NULL, NULL, "plain");
    read_log();
    ok(!strstr(content, "not wanted") && !pen_log_wanted(PEN_LOG_INFO) && pen_log_wanted(PEN_LOG_ERROR), "levels below are left out");
    ok(strstr(content, " warn  p/s: a\\nb 7\\x1B[31m \\xFF\n") != NULL, "one line, whatever it holds");
    ok(strstr(content, " error plain\n") != NULL && content[4] == '-' && content[26] == 'Z', "a time in UTC: %.27s", content);
    empty_log();
    ok(pen_log_open(path, true, PEN_LOG_DEBUG, &err) == PEN_OK, "opens it as JSON");
    pen_log_line(PEN_LOG_DEBUG, "p\"q", NULL, "say \"\\\" \n");
    read_log();
    ok(strstr(content, ",\"level\":\"debug\",\"pipeline\":\"p\\\"q\",\"message\":\"say \\\"\\\\\\\" \\\\n\"}\n") != NULL, "JSON is escaped: %s", content);
}

static void test_log__long_messages_are_cut(void)
{
    char *longer = malloc(100001);
    size_t n;
    if (!longer)
        return;
    memset(longer, '"', 100000);
    longer[100000] = '\0';
    empty_log();
    pen_log_line(PEN_LOG_ERROR, longer, longer, "%s", longer);
    read_log();
    n = strlen(content);
    ok(n > 2000 && n < 6000 && strcmp(content + n - 3, "\"}\n") == 0 && strchr(content, '\n') == content + n - 1, "a line of %zu bytes, whole", n);
    free(longer);
}

static void test_log__reopens(void)
{
    char moved[60];
    struct stat st;
    snprintf(moved, sizeof moved, "%s.1", path);
    empty_log();
    ok(rename(path, moved) == 0, "the file is rotated away");
    pen_log_line(PEN_LOG_INFO, NULL, NULL, "old");
    ok(!read_log(), "and written on");
    pen_log_reopen();
    pen_log_line(PEN_LOG_INFO, NULL, NULL, "new");
    ok(read_log() && strstr(content, "new") && !strstr(content, "old"), "until asked to open it anew");
    ok(stat(moved, &st) == 0 && st.st_size > 0, "the old one has what came before");
    unlink(moved);
}

static void test_log__counts_what_is_lost(void)
{
    struct pen_error err = { 0 };
    ok(pen_log_open("/nowhere/log", false, PEN_LOG_INFO, &err) == PEN_BADCONF && strstr(err.msg, "/nowhere/log"), "says what cannot be opened: %s",
       err.msg);
    err = (struct pen_error){ 0 };
    if (pen_log_open("/dev/full", false, PEN_LOG_INFO, &err) < 0) {
        skip("lines that cannot be written are counted", "no /dev/full");
        return;
    }
    for (int i = 0; i < 3; i++)
        pen_log_line(PEN_LOG_INFO, NULL, NULL, "lost");
    empty_log();
    pen_log_open(path, false, PEN_LOG_INFO, &err);
    pen_log_line(PEN_LOG_INFO, NULL, NULL, "found");
    read_log();
    ok(strstr(content, "3 log lines before this one could not be written\n") && strstr(content, "found\n"), "lines that cannot be written are counted");
    pen_log_close();
    unlink(path);
}

static void *count_many(void *arg)
{
    for (int i = 0; i < 10000; i++)
        pen_metric_add(pen_metrics_get(arg, "s", "rows_total", i % 2 ? "a" : NULL, false), 1);
    return NULL;
}

static void test_metrics__count(void)
{
    struct pen_metrics *m = NULL;
    struct pen_error err = { 0 };
    struct pen_metric_value *v = NULL;
    pthread_t threads[4];
    size_t n = 0, made = 0;
    char name[40];
    ok(pen_metrics_new(&m, &err) == PEN_OK, "a registry");
    for (int i = 0; i < 4; i++)
        made += pthread_create(&threads[i], NULL, count_many, m) == 0;
    for (size_t i = 0; i < made; i++)
        pthread_join(threads[i], NULL);
    ok(made == 4 && pen_metrics_count(m, "s", "rows_total", NULL) == 20000 && pen_metrics_count(m, "s", "rows_total", "a") == 20000,
       "nothing is lost among four threads");
    pen_metric_set(pen_metrics_get(m, "a", "depth", NULL, true), 1.5);
    ok(pen_metrics_snapshot(m, &v, &n, &err) == PEN_OK && n == 3 && strcmp(v[0].stage, "a") == 0 && v[0].gauge && v[0].value > 1.4 && v[0].value < 1.6 &&
           !v[1].label && strcmp(v[2].label, "a") == 0,
       "all of them, in order");
    free(v);
    ok(pen_metrics_count(m, "s", "rows", NULL) == 0, "none is none");
    for (int i = 0; i < 11000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        pen_metric_add(pen_metrics_get(m, "s", name, NULL, false), 1);
    }
    ok(pen_metrics_count(m, "s", "n10999", NULL) == 0 && pen_metrics_count(m, "s", "n100", NULL) == 1, "their number is bounded");
    pen_metrics_free(&m);
    ok(!m, "and freed");
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return 99;
    close(fd);
    test_log__lines();
    test_log__long_messages_are_cut();
    test_log__reopens();
    test_log__counts_what_is_lost();
    test_metrics__count();
    return done_testing();
}
