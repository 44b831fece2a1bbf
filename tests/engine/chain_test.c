/* chain_test.c - positions kept as a chain of entries: what is put is read again, and an entry is put whole or not at all, whichever allocation fails.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/chain.h"
#include "malloc_fails.h"
#include "tap.h"

#define FILES 300 /* enough for an entry to outgrow its memory several times */

static char folder[64];

static const char *name_of(unsigned i)
{
    static char name[128];
    snprintf(name, sizeof name, "logs/\xff\xfe no UTF-8, \"quoted\" \\ and\ttabbed/%06u.jsonl#0", i);
    return name;
}

static struct pen_chain *opened(uint64_t version)
{
    struct pen_chain *c;
    struct pen_error err = { 0 };
    if (pen_chain_open(&c, NULL, folder, version, false, &err) < 0)
        printf("# %s\n", err.msg);
    return c;
}

static pen_status set_all(struct pen_chain *c, uint64_t at, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (unsigned i = 0; i < FILES && st >= 0; i++) {
        struct pen_position pos = pen_position_of(at + i);
        st = pen_chain_set(c, name_of(i), "of-1", &pos, err);
    }
    return st;
}

static bool holds_all(uint64_t version, uint64_t at)
{
    struct pen_chain *c = opened(version);
    bool good = c != NULL;
    for (unsigned i = 0; good && i < FILES; i++) {
        struct pen_position pos;
        good = pen_chain_get(c, name_of(i), "of-1", &pos, NULL) == PEN_OK && pos.n == 1 && pos.w[0] == at + i;
    }
    pen_chain_free(&c);
    return good;
}

static bool put(struct pen_chain *c, uint64_t at, uint64_t *version)
{
    struct pen_error err = { 0 };
    bool good = set_all(c, at, &err) >= 0 && pen_chain_put(c, "plan", version, &err) >= 0;
    pen_chain_settle(c, good);
    return good;
}

#if MALLOC_IS_OURS
/* Whatever there is of versions up to `last` is whole. */
static bool all_whole(uint64_t from, uint64_t last, uint64_t at)
{
    for (uint64_t v = from; v <= last; v++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%020llu", folder, (unsigned long long)v);
        if (access(path, F_OK) == 0 && !holds_all(v, at)) {
            printf("# %s\n", path);
            return false;
        }
    }
    return true;
}

static void failing(void)
{
    uint64_t version = 0, last = 1;
    long tried = 0, refused = 0;
    for (bool done = false; !done; tried++) {
        struct pen_chain *c = opened(1);
        struct pen_error err = { 0 };
        set_all(c, 5000, &err);
        malloc_calls = 0;
        malloc_fail_at = tried;
        malloc_counting = true;
        done = pen_chain_put(c, "plan", &version, &err) >= 0;
        malloc_counting = false;
        done = done && malloc_calls <= tried;
        last = version > last ? version : last;
        refused += !done;
        pen_chain_free(&c);
        if (!all_whole(2, last + 1, 5000)) {
            ok(false, "allocation %ld of a put fails: the entry is whole or not there", tried);
            return;
        }
    }
    ok(refused > 2 * FILES, "each allocation of a put fails, %ld of them: every entry is whole", tried);
}
#endif

int main(void)
{
    uint64_t version = 0;
    struct pen_chain *c;
    char command[128];
    snprintf(folder, sizeof folder, "/tmp/penstock-chain-XXXXXX");
    if (!mkdtemp(folder) || !(c = opened(0)))
        return 1;
    ok(put(c, 1000, &version) && version == 1 && holds_all(1, 1000), "what is put is read again, also names that are no UTF-8");
    pen_chain_free(&c);
#if MALLOC_IS_OURS
    failing();
#else
    skip("each allocation of a put fails", "a sanitizer has the allocator");
#endif
    snprintf(command, sizeof command, "rm -r %s", folder);
    ok(system(command) == 0, "cleaned up");
    return done_testing();
}
