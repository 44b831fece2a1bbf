/* loader_test.c - finding plugins, and refusing what is none, with the reason. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/plugin.h"
#include "tap.h"

static char plugins[600], work[] = "/tmp/penstock-loader-XXXXXX";

static void refused(const char *name, pen_kind kind, const char *const *words, const char *suggestion)
{
    const struct pen_plugin *p = NULL;
    const char *meant = NULL;
    struct pen_error err = { 0 };
    bool good = pen_plugin_load(name, kind, &p, &meant, &err) == PEN_BADCONF && !p;
    for (size_t i = 0; words[i]; i++)
        good = good && strstr(err.msg, words[i]);
    good = good && (suggestion ? meant && strcmp(meant, suggestion) == 0 : !meant);
    ok(good, "%s", err.msg);
}
#define REFUSED(name, kind, suggestion, ...) refused(name, kind, (const char *const[]){ __VA_ARGS__, NULL }, suggestion)

static void test_loader__says_why(void)
{
    REFUSED("oldabi", PEN_KIND_ANY, NULL, "oldabi", "oldabi.la", "ABI 42", "ABI 1");
    REFUSED("misnamed", PEN_KIND_ANY, NULL, "misnamed.la", "calls itself rightname");
    REFUSED("unresolved", PEN_KIND_ANY, NULL, "unresolved.la", "undefined symbol: no_library_has_this");
    REFUSED("nosymbol", PEN_KIND_ANY, NULL, "nosymbol.la", "nosymbol_LTX_pen_plugin");
    REFUSED("sampl", PEN_KIND_ANY, "sample", "sampl", "not found in", plugins);
    REFUSED("shape", PEN_KIND_SINK, NULL, "shape.la", "is a transform", "not a sink");
    REFUSED("sample", PEN_KIND_TRANSPORT, NULL, "is a source and sink", "not a transport");
    REFUSED("../config/plugins/sample", PEN_KIND_ANY, NULL, "expected a name");
    REFUSED("", PEN_KIND_ANY, NULL, "expected a name");
}

static void test_loader__loads_once(void)
{
    const struct pen_plugin *a = NULL, *b = NULL;
    struct pen_error err = { 0 };
    char kinds[100];
    ok(pen_plugin_load("sample", PEN_KIND_SOURCE, &a, NULL, &err) == PEN_OK && strcmp(a->name, "sample") == 0, "sample is loaded %s", err.msg);
    ok(pen_plugin_load("sample", PEN_KIND_SINK, &b, NULL, &err) == PEN_OK && a == b, "and is the same the second time");
    ok(a && strcmp(pen_plugin_kinds(a, kinds, sizeof kinds), "source, sink") == 0, "its kinds are named: %s", kinds);
    ok(a && pen_plugin_path(a) && strstr(pen_plugin_path(a), "sample.la"), "and its path is known");
}

static bool write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

/* A file that is no module, one behind another on the path, a plugin in a folder of its own. */
static void test_loader__search_path(void)
{
    char path[2000];
    bool made;
    struct pen_plugin_found *found = NULL;
    const struct pen_plugin_found *tube = NULL, *shape = NULL, *broken = NULL;
    size_t n = 0;
    struct pen_error err = { 0 };
    snprintf(path, sizeof path, "%s/shape", work);
    made = mkdir(path, 0700) == 0;
    snprintf(path, sizeof path, "%s/tube.so", work);
    made = made && write_file(path, "this is text");
    snprintf(path, sizeof path, "%s/empty.so", work);
    made = made && write_file(path, "");
    snprintf(path, sizeof path, "%s/Read-me", work);
    made = made && write_file(path, "");
    snprintf(path, sizeof path, "::%s:/nowhere/at/all:%s:%s", work, plugins, plugins);
    setenv("PENSTOCK_PLUGIN_PATH", path, 1);
    ok(made, "a folder of broken plugins is made");
    REFUSED("tube", PEN_KIND_ANY, NULL, "tube.so", "cannot be loaded", "another stands behind it", "tube.la");
    REFUSED("empty", PEN_KIND_ANY, NULL, "empty.so", "too short");
    ok(pen_plugin_list(&found, &n, &err) == PEN_OK, "the list can be had %s", err.msg);
    for (size_t i = 0; i < n; i++) {
        tube = strcmp(found[i].name, "tube") == 0 ? &found[i] : tube;
        shape = strcmp(found[i].name, "shape") == 0 ? &found[i] : shape;
        broken = strcmp(found[i].name, "unresolved") == 0 ? &found[i] : broken;
        ok(i == 0 || strcmp(found[i - 1].name, found[i].name) < 0, "%s is in its place", found[i].name);
    }
    ok(n == 8, "%zu plugins, each once", n);
    ok(tube && !tube->plugin && tube->reason[0] && tube->shadows && strstr(tube->shadows, "tube.la"), "a broken one hides another");
    ok(shape && shape->plugin && !shape->shadows && strstr(shape->path, "shape.la"), "an empty folder hides nothing; the same file twice is no other");
    ok(broken && !broken->plugin && strstr(broken->reason, "no_library_has_this"), "a broken one says why: %s", broken ? broken->reason : "");
    free(found);
    snprintf(path, sizeof path, "rm -r %s", work);
    ok(system(path) == 0, "cleaned up");
}

int main(void)
{
    const char *top = getenv("top_builddir");
    snprintf(plugins, sizeof plugins, "%s/tests/config/plugins", top ? top : ".");
    setenv("PENSTOCK_PLUGIN_PATH", plugins, 1);
    if (!mkdtemp(work))
        return 99;
    test_loader__says_why();
    test_loader__loads_once();
    test_loader__search_path();
    return done_testing();
}
