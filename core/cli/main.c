/* main.c - the penstock command: finds the verb and runs it. SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *use, *summary;
} verbs[] = {
    { "run", pen_cli_run, "FILE", "a pipeline" },
    { "check", pen_cli_check, "FILE", "what is wrong with a pipeline, or what it guarantees" },
    { "graph", pen_cli_graph, "FILE", "a pipeline as a tree, or as a drawing" },
    { "plugins", pen_cli_plugins, "", "the plugins that are there" },
    { "describe", pen_cli_describe, "PLUGIN", "what a plugin is and every option it takes" },
    { "filter", pen_cli_filter, "FILE", "a pipeline's transforms alone, standard input to standard output" },
    { "query", pen_cli_query, "SQL NAME=PATH...", "SQL over tables" },
    { "table", pen_cli_table, "VERB PATH", "what a table is made of, and its upkeep" },
    { "transport", pen_cli_table, "VERB PATH", "what a transport holds, and its upkeep" },
    { "store", pen_cli_table, "VERB URL", "what a store that is named by URL holds, and its upkeep" },
};
#define N_VERBS (sizeof verbs / sizeof *verbs)

static int help(FILE *out)
{
    fprintf(out, "Usage: penstock COMMAND [ARGUMENT...]\n\nCarries records from their sources through cleaning to tables, each once.\n\n");
    for (size_t i = 0; i < N_VERBS; i++) {
        char use[40];
        snprintf(use, sizeof use, "%s %s", verbs[i].name, verbs[i].use);
        fprintf(out, "  %-24s %s\n", use, verbs[i].summary);
    }
    fprintf(out, "\n`penstock COMMAND --help` tells more about each; `penstock --version` the version.\n");
    return out == stdout ? pen_cli_flush() : PEN_EXIT_USAGE;
}

static int unknown(const char *word)
{
    const char *names[N_VERBS], *meant;
    struct pen_error line = { 0 };
    for (size_t i = 0; i < N_VERBS; i++)
        names[i] = verbs[i].name;
    meant = pen_suggest(word, names, N_VERBS);
    pen_fail(&line, PEN_BADCONF, "no such command: %s", word);
    fprintf(stderr, "penstock: %s%s%s%s\nTry `penstock --help`.\n", line.msg, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
    return PEN_EXIT_USAGE;
}

/* The large buffers of a lane (pages, row groups) grow, shrink and last longer than what lies between them. Kept apart from it they can be moved
 * instead of copied, and given back; left alone glibc learns to put them into one heap, where their holes come to a quarter of the memory. */
static void set_memory_apart(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, 512 << 10);
    mallopt(M_TRIM_THRESHOLD, 4 << 20); /* fixed as well by the former: batches come and go in what the heap keeps */
#endif
}

int main(int argc, char **argv)
{
    set_memory_apart();
    if (argc < 2)
        return help(stderr);
    if (strcmp(argv[1], "--version") == 0) {
        printf("penstock %s (plugin ABI %u)\n", PACKAGE_VERSION, PEN_ABI);
        return pen_cli_flush();
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2) {
        argv[1] = argv[2];
        argv[2] = "--help";
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help(stdout);
    for (size_t i = 0; i < N_VERBS; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    return unknown(argv[1]);
}
