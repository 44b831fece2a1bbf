/* cli.h - what the verbs of the command share. A verb is `int pen_cli_NAME(int argc, char **argv)` in NAME.c with a row in main.c; argv[0] is
 * the verb. Exit status: 0 done, 1 failed while running, 2 the file or the command line is wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CLI_H
#define PENSTOCK_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include <penstock/plugin.h>

#include "config/config.h"
#include "engine/graph.h"

enum { PEN_EXIT_DONE = 0, PEN_EXIT_FAILED = 1, PEN_EXIT_USAGE = 2 };

/* getopt_long() with messages of our own: answers its value, -1 at the end, '?' once a mistake has been printed (exit with PEN_EXIT_USAGE),
 * 'h' for --help and -h, which every verb takes and `options` need not name. */
int pen_cli_option(int argc, char **argv, const struct option *options);
/* Prints "penstock VERB: MESSAGE" and where help is; answers PEN_EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int pen_cli_usage(const char *verb, const char *fmt, ...);
/* Prints the error of a call and answers the status that goes with it. */
int pen_cli_failed(const struct pen_error *err);
/* Writes out what standard output holds: PEN_EXIT_DONE, or PEN_EXIT_FAILED with a message where it cannot be written (disk full). */
int pen_cli_flush(void);

/* A pipeline with its plugins, as `run`, `check`, `graph` and `filter` all take it. */
struct pen_cli_pipeline {
    struct pen_config *config;
    const struct pen_plugin **plugins; /* one for each stage, NULL where it could not be had */
    const char **sets;                 /* of --set, as given */
    size_t n_sets;
};
/* Keeps one --set; false when memory is short. */
bool pen_cli_set(struct pen_cli_pipeline *p, const char *text);
/* Reads the file, loads the plugins, checks every option. PEN_OK also with mistakes in the file: see config->diags.errors. */
pen_status pen_cli_load(struct pen_cli_pipeline *p, const char *path, struct pen_error *err);
/* The graph of what was loaded without mistakes, its types checked, cut into the segments of `only` (n_only = 0: all). *g is NULL where that finds
 * mistakes (see config->diags.errors); end it with pen_graph_free(). */
pen_status pen_cli_build(struct pen_cli_pipeline *p, struct pen_run_context *run, const char *const *only, size_t n_only, struct pen_graph **g,
                         struct pen_error *err);
/* Asks every end that can tell whether what its options lead to is there; what is not goes to the file's problems. How many. */
size_t pen_cli_connect(struct pen_cli_pipeline *p, const struct pen_graph *g);
/* Prints problems to standard error and answers PEN_EXIT_USAGE if any is an error, else PEN_EXIT_DONE. */
int pen_cli_problems(struct pen_cli_pipeline *p);
void pen_cli_pipeline_fini(struct pen_cli_pipeline *p);

int pen_cli_check(int argc, char **argv);
int pen_cli_describe(int argc, char **argv);
int pen_cli_filter(int argc, char **argv);
int pen_cli_graph(int argc, char **argv);
int pen_cli_plugins(int argc, char **argv);
int pen_cli_run(int argc, char **argv);
int pen_cli_query(int argc, char **argv);
int pen_cli_table(int argc, char **argv); /* argv[0]: "table", "transport" or "store", the noun of the plugins' verbs */

/* graph_svg.c: the pipeline as a drawing, to standard output. False when memory is short. */
bool pen_cli_graph_svg(const struct pen_config *c);

#endif
