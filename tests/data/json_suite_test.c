/* json_suite_test.c - JSONTestSuite (shared/data/conformance/json) through the decoder that records go through.
 *
 * A record must be an object, so the bytes of each file stand as the value of a field: {"v":…}. Where the file is good JSON that is too. Where it is
 * bad (n_), so is the record: nothing that the suite has closes the object around it early and goes on as valid JSON, which the test would show
 * as an n_ file accepted. Each file is decoded as a wanted JSON text, as a wanted utf8, and as a field that nobody asked for, on every kernel; all
 * must agree. i_ files may be either, but must be the same everywhere. Files lie outside of the tree: where they are missing, the test says
 * so and skips. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>

#include "json_harness.h"

#define MAX_FILE 1000000u

/* Reads {"v": the file } into a buffer of exact size; NULL where that fails. */
static char *wrapped(const char *dir, const char *name, size_t *n)
{
    char path[4400], *raw = malloc(MAX_FILE), *text = NULL;
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (raw && (f = fopen(path, "rb"))) {
        size_t size = fread(raw, 1, MAX_FILE, f);
        fclose(f);
        if (size < MAX_FILE && (text = malloc(size + 6))) {
            memcpy(text, "{\"v\":", 5);
            memcpy(text + 5, raw, size);
            text[size + 5] = '}';
            *n = size + 6;
        }
    }
    free(raw);
    return text;
}

/* 1 accepted, 0 refused, -1 where kernels or wants disagree. */
static int accepted(const char *text, size_t n)
{
    static const char *const wants[] = { "J:v", "u:v", "u:other" };
    size_t kernels;
    const struct pen_json_kernel *const *all = pen_json_kernels(&kernels);
    struct pen_text t = { 0 };
    int answer = -2;
    for (size_t k = 0; k < kernels; k++)
        for (size_t w = 0; w < 3 && all[k]->usable(); w++) {
            struct ArrowSchema want;
            struct pen_intake *in;
            int good;
            want_init(&want, wants[w]);
            in = intake_on(all[k]->name, &want, MAX_FILE);
            message_text(in, &want, text, n, &t);
            good = t.n > 0 && t.bytes[0] == '{';
            answer = answer == -2 || answer == good ? good : -1;
            pen_intake_free(&in);
            pen_schema_release(&want);
        }
    pen_text_fini(&t);
    return answer;
}

static DIR *suite(char *path, size_t size)
{
    static const char *const from[] = { "../shared", "../../shared" };
    const char *top = getenv("top_srcdir");
    DIR *dir = NULL;
    for (size_t i = 0; !dir && i < 2; i++) {
        snprintf(path, size, "%s/%s/data/conformance/json/test_parsing", top ? top : ".", from[i]);
        dir = opendir(path);
    }
    return dir;
}

int main(void)
{
    char path[4000];
    DIR *dir = suite(path, sizeof path);
    struct dirent *entry;
    int files = 0;
    if (!dir) {
        skip("JSONTestSuite", "shared/data/conformance/json is not beside the tree");
        return done_testing();
    }
    while ((entry = readdir(dir))) {
        char kind = entry->d_name[0];
        size_t n;
        char *text;
        int good;
        if (entry->d_name[0] == '.' || entry->d_name[1] != '_' || !(text = wrapped(path, entry->d_name, &n)))
            continue;
        files++;
        good = accepted(text, n);
        ok(kind == 'y' ? good == 1 : kind == 'n' ? good == 0 : good >= 0, "%s is %s", entry->d_name,
           good == 1 ? "accepted" : good == 0 ? "refused" : "judged differently");
        free(text);
    }
    closedir(dir);
    ok(files >= 300, "%d files", files);
    return done_testing();
}
