/* config_test.c - what a pipeline file means: values exactly as written, interpolation, includes, defaults, --set.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <penstock/plugin.h>

#include "config/config.h"
#include "tap.h"

static struct pen_config *load(const char *text, size_t n, const char *const *sets, size_t n_sets)
{
    struct pen_config *c = NULL;
    struct pen_error err = { 0 };
    if (pen_config_load_text(&c, "test.ini", text, n, sets, n_sets, &err) < 0)
        printf("# %s\n", err.msg);
    return c;
}

static struct pen_config *load_text(const char *text)
{
    return load(text, strlen(text), NULL, 0);
}

/* The value of key k of the only stage, in whose section text stands; NULL where the file has mistakes. Ends with the next call. */
static const char *value_of(const char *text)
{
    static struct pen_config *c;
    char *whole = malloc(strlen(text) + 40);
    const struct pen_setting *s;
    pen_config_free(&c);
    if (!whole)
        return NULL;
    sprintf(whole, "[source s]\n%s\nplugin = p\n", text);
    c = load_text(whole);
    free(whole);
    if (!c || c->diags.errors)
        return NULL;
    s = c->n_stages ? pen_config_setting(c->stages[0].section, "k") : NULL;
    return s ? s->value : NULL;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_ini__values_are_as_written(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "k = v", "v" },
        { "k=v", "v" },
        { "k : v", "v" },
        { "k = http://x:80/?a=b", "http://x:80/?a=b" },
        { "  k = v  \t", "v" },
        { "k = v ; comment", "v" },
        { "k = v\t;comment", "v" },
        { "k = a;b", "a;b" },
        { "k = a # b", "a # b" },
        { "k = ;b", "" },
        { "k =;b", ";b" },
        { "k =", "" },
        { "k", NULL },
        { "; k = v", NULL },
        { "# k = v", NULL },
        { "k = |v|", "|v|" },
        { "k = [v]", "[v]" },
        { "k = a  b\tc", "a  b\tc" },
        { "k = \"v\"", "\"v\"" },
        { "k = v\r\n", "v" },
        { "k = \xC3\xA4", "\xC3\xA4" },
        { "k = a\n  b\n\n  ; no\n  c ; no\nx = y", "a\nb\nc" },
        { "k = a\nx = y\n  b", "a" },
        { "  k = a\n  x = y", "a" },
        { "  k = a\n    [b]\n  x = y", "a\n[b]" },
        { "k =\n  a\n  = b", "\na\n= b" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = value_of(cases[i].text);
        ok(same(got, cases[i].want), "case %zu: %s", i, got ? "a value" : "none");
    }
}

/* inih 55 cuts lines at 200 bytes and takes white space off the ends of each. */
static void test_ini__long_values_are_whole(void)
{
    static const size_t lengths[] = { 190, 191, 192, 193, 194, 195, 196, 197, 198, 199, 200, 201, 399, 400, 4000, 70000 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n = lengths[i], wrong = 0;
        for (unsigned shift = 0; shift < 7; shift++) {
            char *text = malloc(n + 8), *want = text ? text + 4 : NULL;
            if (!text)
                break;
            memcpy(text, "k = ", 4);
            for (size_t k = 0; k < n; k++)
                want[k] = "a  b;|= :[]#\"\t'"[(k + shift) % 15];
            want[0] = 'x';
            want[n - 1] = 'y';
            want[n] = '\0';
            for (size_t k = 1; k < n; k++) /* a blank before a semicolon would begin a comment */
                if (want[k] == ';' && (want[k - 1] == ' ' || want[k - 1] == '\t'))
                    want[k] = '.';
            wrong += !same(value_of(text), want);
            free(text);
        }
        ok(wrong == 0, "%zu bytes come through as written", n);
    }
}

static void test_interpolate__references(void)
{
    char file[] = "/tmp/penstock-config-XXXXXX", text[200];
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "k = ${env:PEN_T_A}", "alpha" },
        { "k = x${env:PEN_T_A}y${env:PEN_T_A}", "xalphayalpha" },
        { "k = ${env:PEN_T_NONE:-else where}", "else where" },
        { "k = ${env:PEN_T_EMPTY:-else}", "else" },
        { "k = ${env:PEN_T_EMPTY}", "" },
        { "k = ${env:PEN_T_NONE:-}", "" },
        { "k = ${env:PEN_T_NONE}", NULL },
        { "k = $${env:PEN_T_A}", "${env:PEN_T_A}" },
        { "k = $$${env:PEN_T_A}", "$${env:PEN_T_A}" },
        { "k = $x $ $$ {}", "$x $ $$ {}" },
        { "k = ${env:}", NULL },
        { "k = ${env:A-B}", NULL },
        { "k = ${}", NULL },
        { "k = ${PEN_T_A}", NULL },
        { "k = a\n   ${env:PEN_T_A}", "a\nalpha" },
        { "k = ${env:PEN_T_NOT_AGAIN}", "${env:PEN_T_A}" }, /* what came in is not looked through again */
    };
    int fd = mkstemp(file);
    setenv("PEN_T_A", "alpha", 1);
    setenv("PEN_T_EMPTY", "", 1);
    setenv("PEN_T_NOT_AGAIN", "${env:PEN_T_A}", 1);
    unsetenv("PEN_T_NONE");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = value_of(cases[i].text);
        ok(same(got, cases[i].want), "%.*s is %s", (int)strcspn(cases[i].text, "\n"), cases[i].text, got ? "a value" : "a mistake");
    }
    snprintf(text, sizeof text, "k = <${file:%s}>", file);
    ok(same(value_of(text), "<>"), "an empty file");
    ok(write(fd, "one\ntwo\r\n", 9) == 9 && same(value_of(text), "<one\ntwo>"), "a file without its last line's end");
    ok(write(fd, "\n", 1) == 1 && same(value_of(text), "<one\ntwo\r\n>"), "one line's end, not two");
    ok(write(fd, "\0", 1) == 1 && !value_of(text), "no NUL byte");
    ok(ftruncate(fd, (1 << 20) + 1) == 0 && !value_of(text), "not more than a megabyte");
    close(fd);
    unlink(file);
    ok(!value_of(text), "no file");
}

static void test_config__settings(void)
{
    struct pen_config *c = load_text("[pipeline]\nlanes = 3\ncommit_interval = 250ms\nmax_errors = 7\n[source s]\nplugin = p\n");
    ok(c && c->pipeline.lanes == 3 && c->pipeline.commit_interval == 250000 && c->pipeline.max_errors == 7, "as given");
    ok(c && c->pipeline.commit_rows == -1 && c->pipeline.commit_bytes == -1 && c->pipeline.memory_limit == -1 && !c->pipeline.log, "none where not");
    ok(c && c->pipeline.shutdown_timeout == 30000000 && c->pipeline.max_record == 16 << 20 && c->pipeline.log_level == PEN_LOG_INFO, "defaults");
    ok(c && same(c->pipeline.name, "test"), "the name is the file's");
    pen_config_free(&c);
    setenv("STATE_DIRECTORY", "/state", 1);
    c = load_text("[pipeline]\nname = x\n[source s]\nplugin = p\n");
    ok(c && same(c->pipeline.state, "/state/x") && same(c->deadletter.path, "/state/x/dead"), "state and dead letters have places");
    ok(c && c->pipeline.lanes >= 1, "as many lanes as cores: %lld", c ? (long long)c->pipeline.lanes : 0);
    unsetenv("STATE_DIRECTORY");
    pen_config_free(&c);
}

static void test_config__inputs(void)
{
    struct pen_config *c = load_text("[sink k]\nplugin = p\ninput = s.a.b, t\n   s.*\n[source s]\nplugin = p\n[transform t]\nplugin = p\ninput = s\nid = old\n");
    const struct pen_stage_config *k = c ? pen_config_stage(c, "k") : NULL;
    ok(c && !c->diags.errors && k && k->n_inputs == 3 && c->n_stages == 3, "three inputs");
    ok(k && same(k->inputs[0].stage->name, "s") && same(k->inputs[0].output, "a.b"), "an output's name may hold dots");
    ok(k && same(k->inputs[1].stage->name, "t") && same(k->inputs[1].output, "") && same(k->inputs[1].stage->id, "old"), "a stage alone");
    ok(k && same(k->inputs[2].stage->name, "s") && !k->inputs[2].output, "all outputs");
    ok(k && k->inputs[2].place.line == 4 && k->inputs[2].place.column == 4 && k->inputs[1].place.column == 16, "each has its place");
    pen_config_free(&c);
}

struct context {
    const char *path;
    int64_t n;
    struct pen_pairs pairs;
};
static const struct pen_option options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct context, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED, "" },
    { "n", PEN_OPT_COUNT, offsetof(struct context, n), "5", 0, 0, NULL, 0, "" },
    { "h.", PEN_OPT_PAIRS, offsetof(struct context, pairs), NULL, 0, 0, NULL, 0, "" },
    { .name = NULL }
};

static void test_config__apply(void)
{
    static const char *const sets[] = { "a.n=3", "b.h.x=from set", "b.path=/set", "pipeline.lanes=2" };
    static const char text[] = "[defaults p]\npath = /d\nh.x = 1\nh.y = 2\n[source a]\nplugin = p\nn = 7\n[source b]\nplugin = p\nh.z = 3\n";
    struct context ctx = { 0 };
    struct pen_config *c = load(text, sizeof text - 1, NULL, 0);
    ok(c && pen_config_apply(c, &c->stages[0], options, &ctx) == PEN_OK && same(ctx.path, "/d") && ctx.n == 7, "defaults, and what the section says");
    ok(ctx.pairs.n == 2 && same(ctx.pairs.names[0], "x") && same(ctx.pairs.values[1], "2"), "pairs from the defaults");
    ok(c && pen_config_apply(c, &c->stages[1], options, &ctx) == PEN_OK && ctx.n == 5 && ctx.pairs.n == 3, "pairs from both");
    pen_config_free(&c);
    c = load(text, sizeof text - 1, sets, 4);
    ok(c && !c->diags.errors && c->pipeline.lanes == 2, "--set for the pipeline, which has no section");
    ok(c && pen_config_apply(c, &c->stages[0], options, &ctx) == PEN_OK && ctx.n == 3, "--set in place of the file");
    ok(c && pen_config_apply(c, &c->stages[1], options, &ctx) == PEN_OK && same(ctx.path, "/set") && same(ctx.pairs.values[1], "from set"),
       "--set beside the file");
    pen_config_free(&c);
}

static void test_config__set_mistakes(void)
{
    static const char *const bad[] = { "n=3", "a.n", "c.n=3", ".n=3", "a.=3", "=", "", "a.n=${env:PEN_T_NONE}", "a.n=1\nx=2" };
    static const char text[] = "[source a]\nplugin = p\npath = x\n";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct context ctx = { 0 };
        struct pen_config *c = load(text, sizeof text - 1, &bad[i], 1);
        size_t at_set = 0;
        if (c)
            pen_config_apply(c, &c->stages[0], options, &ctx);
        for (size_t k = 0; c && k < c->diags.n; k++)
            at_set += c->diags.v[k].severity == PEN_DIAG_ERROR && same(c->diags.v[k].place.file->name, "--set");
        ok(c && c->diags.errors == 1 && at_set == 1, "--set '%.*s' is refused once", (int)strcspn(bad[i], "\n"), bad[i]);
        pen_config_free(&c);
    }
}

static bool put(const char *dir, const char *name, const char *text)
{
    char path[300];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

static void test_include__order_and_depth(void)
{
    char dir[] = "/tmp/penstock-config-XXXXXX", path[300], name[40], text[60];
    struct pen_config *c = NULL;
    struct pen_error err = { 0 };
    bool made = mkdtemp(dir) && put(dir, "main.ini", "include = d*.ini\n[source s]\nplugin = p\n") && put(dir, "d2.ini", "[sink k2]\nplugin = p\ninput = s\n") &&
                put(dir, "d10.ini", "[sink k10]\nplugin = p\ninput = s\n") && put(dir, "d1.ini", "include = sub.ini\n[sink k1]\nplugin = p\ninput = s\n") &&
                put(dir, "sub.ini", "[sink sub]\nplugin = p\ninput = s\n");
    snprintf(path, sizeof path, "%s/main.ini", dir);
    ok(made && pen_config_load(&c, path, NULL, 0, &err) == PEN_OK && !c->diags.errors && c->n_stages == 5, "files are found beside the one that names them");
    ok(c && same(c->stages[0].name, "s") && same(c->stages[1].name, "k1") && same(c->stages[2].name, "sub") && same(c->stages[3].name, "k10") &&
           same(c->stages[4].name, "k2"),
       "in the order of their names, each before what it includes");
    pen_config_free(&c);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "deep%d.ini", i);
        snprintf(text, sizeof text, "include = deep%d.ini\n[source x%d]\nplugin = p\n", i + 1, i);
        made = made && put(dir, name, text);
    }
    snprintf(path, sizeof path, "%s/deep0.ini", dir);
    ok(made && pen_config_load(&c, path, NULL, 0, &err) == PEN_OK && c->diags.errors == 1 && strstr(c->diags.v[0].message, "deep"), "not without end");
    pen_config_free(&c);
    snprintf(path, sizeof path, "rm -r %s", dir);
    ok(system(path) == 0, "cleaned up");
}

static void test_config__bounds(void)
{
    size_t n = 5u << 20;
    char *text = malloc(n);
    struct pen_config *c;
    if (!text)
        return;
    memset(text, 'x', n);
    c = load(text, n, NULL, 0);
    ok(c && c->diags.errors == 1 && strstr(c->diags.v[0].message, "larger than 4 MiB"), "a file of 5 MiB is refused");
    pen_config_free(&c);
    c = load(text, 4u << 20, NULL, 0);
    ok(c && c->diags.errors >= 1, "a line of 4 MiB is no crash");
    pen_config_free(&c);
    for (size_t i = 0; i + 4 <= n; i += 4)
        memcpy(text + i, "[a]\n", 4);
    c = load(text, 4u << 20, NULL, 0);
    ok(c && c->diags.full && c->diags.n == PEN_DIAGS_MAX, "a million sections are not read to the end");
    pen_config_free(&c);
    for (size_t i = 0; i + 4 <= n; i += 4)
        memcpy(text + i, "a=b\n", 4);
    c = load(text, 4u << 20, NULL, 0);
    ok(c && c->diags.full, "nor are a million options");
    pen_config_free(&c);
    free(text);
}

static void test_diag__json(void)
{
    struct pen_config *c = load_text("[source s]\nplugin = p\n\xC3\xA4 = \"\n");
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (c && f) {
        pen_diags_print_json(&c->diags, f);
        fclose(f);
        ok(same(text, "[{\"file\":\"test.ini\",\"line\":3,\"column\":1,\"severity\":\"error\",\"message\":\"the name of an option is made of letters, "
                      "digits, _, - and .\"}]"),
           "problems as JSON: %s", text);
    }
    free(text);
    pen_config_free(&c);
}

int main(void)
{
    test_ini__values_are_as_written();
    test_ini__long_values_are_whole();
    test_interpolate__references();
    test_config__settings();
    test_config__inputs();
    test_config__apply();
    test_config__set_mistakes();
    test_include__order_and_depth();
    test_config__bounds();
    test_diag__json();
    value_of("");
    return done_testing();
}
