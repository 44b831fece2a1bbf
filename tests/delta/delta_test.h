/* delta_test.h - folders with hand-written logs, for the tests of the delta plugin. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_DELTA_TEST_H
#define PENSTOCK_TESTS_DELTA_TEST_H

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "tap.h"

#define PROTOCOL "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define METADATA                                                                                                                                          \
    "{\"metaData\":{\"id\":\"t1\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\","                    \
    "\\\"fields\\\":[{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"integer\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}]}\",\"partitionColumns\":[],"         \
    "\"configuration\":{},\"createdTime\":1}}\n"

static char test_root[256];

/* A new folder for one table; its path is overwritten by the sixteenth call after it. */
__attribute__((unused)) static const char *new_table(void)
{
    static char path[16][320];
    static unsigned n;
    char log[400];
    if (!test_root[0]) {
        snprintf(test_root, sizeof test_root, "%s/test_delta.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        if (!mkdtemp(test_root))
            exit(99);
    }
    char *p = path[n % 16];
    snprintf(p, sizeof *path, "%s/t%u", test_root, n++);
    snprintf(log, sizeof log, "%s/_delta_log", p);
    if (mkdir(p, 0777) != 0 || mkdir(log, 0777) != 0)
        exit(99);
    return p;
}

__attribute__((unused)) static void write_file(const char *table, const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", table, name);
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        exit(99);
}

__attribute__((unused)) static void write_entry_text(const char *table, int64_t version, const char *text)
{
    char name[64];
    snprintf(name, sizeof name, "_delta_log/%020lld.json", (long long)version);
    write_file(table, name, text);
}

__attribute__((unused)) static int end_tests(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", test_root);
    return (test_root[0] && system(command) != 0) || done_testing();
}

#endif
