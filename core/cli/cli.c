/* cli.c - see cli.h. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "engine/bind.h"

int pen_cli_usage(const char *verb, const char *fmt, ...)
{
    struct pen_error line = { 0 };
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pen_fail(&line, PEN_BADCONF, "penstock %s: %s", verb, text);
    fprintf(stderr, "%s\nTry `penstock %s --help`.\n", line.msg, verb);
    return PEN_EXIT_USAGE;
}

int pen_cli_failed(const struct pen_error *err)
{
    fprintf(stderr, "penstock: %s\n", err->msg);
    return err->code == PEN_BADCONF ? PEN_EXIT_USAGE : PEN_EXIT_FAILED;
}

int pen_cli_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return PEN_EXIT_DONE;
    fprintf(stderr, "penstock: standard output cannot be written: %s\n", strerror(errno));
    return PEN_EXIT_FAILED;
}

static int refuse_option(const char *verb, const char *written, const struct option *options)
{
    const char *names[33] = { "help" }, *meant;
    char word[64];
    size_t n = 1;
    for (; options[n - 1].name && n < 33; n++)
        names[n] = options[n - 1].name;
    snprintf(word, sizeof word, "%.*s", (int)strcspn(written, "="), written + strspn(written, "-"));
    meant = strncmp(written, "--", 2) == 0 ? pen_suggest(word, names, n) : NULL;
    if (meant)
        pen_cli_usage(verb, "no such option: %s; did you mean --%s?", written, meant);
    else
        pen_cli_usage(verb, "no such option: %s", written);
    return '?';
}

int pen_cli_option(int argc, char **argv, const struct option *options)
{
    struct option all[33];
    size_t n = 0;
    int at = optind ? optind : 1, got;
    for (; options[n].name && n < 31; n++)
        all[n] = options[n];
    all[n++] = (struct option){ "help", no_argument, NULL, 'h' };
    all[n] = (struct option){ 0 };
    opterr = 0;
    got = getopt_long(argc, argv, ":h", all, NULL);
    if (got == ':') {
        pen_cli_usage(argv[0], "%s needs a value", argv[optind - 1]);
        return '?';
    }
    if (got == '?') {
        const char *written = optind > at || !argv[optind] ? argv[optind - 1] : argv[optind];
        return refuse_option(argv[0], written, options);
    }
    return got;
}

bool pen_cli_set(struct pen_cli_pipeline *p, const char *text)
{
    const char **more = realloc(p->sets, (p->n_sets + 1) * sizeof *more);
    if (!more)
        return false;
    p->sets = more;
    p->sets[p->n_sets++] = text;
    return true;
}

pen_status pen_cli_load(struct pen_cli_pipeline *p, const char *path, struct pen_error *err)
{
    pen_status st = pen_config_load(&p->config, path, p->sets, p->n_sets, err);
    if (st < 0)
        return st;
    p->plugins = calloc(p->config->n_stages + 1, sizeof(const struct pen_plugin *));
    return p->plugins ? pen_bind(p->config, p->plugins, err) : pen_fail(err, PEN_FATAL, "out of memory");
}

pen_status pen_cli_build(struct pen_cli_pipeline *p, struct pen_run_context *run, const char *const *only, size_t n_only, struct pen_graph **g,
                         struct pen_error *err)
{
    struct pen_config *c = p->config;
    pen_status st = pen_graph_build(g, c, run, err);
    for (size_t i = 0; st >= 0 && i < n_only; i++)
        if (!pen_config_stage(c, only[i]))
            return pen_fail(err, PEN_BADCONF, "--only %s: there is no such stage", only[i]);
    if (st >= 0 && *g)
        st = pen_graph_cut(*g, only, n_only, err);
    if (st >= 0 && *g && (*g)->n_segments == 0) {
        pen_config_mistake(c, (struct pen_place){ c->files[0], 1, 1 }, NULL, "no stage leads from a source to a sink: there is nothing to run");
        pen_graph_free(g);
    }
    return st;
}

int pen_cli_problems(struct pen_cli_pipeline *p)
{
    struct pen_diags *d = &p->config->diags;
    pen_diags_print(d, stderr);
    if (d->errors)
        fprintf(stderr, "penstock: %s has %zu problem%s\n", p->config->files[0]->name, d->errors, d->errors == 1 ? "" : "s");
    return d->errors ? PEN_EXIT_USAGE : PEN_EXIT_DONE;
}

void pen_cli_pipeline_fini(struct pen_cli_pipeline *p)
{
    pen_config_free(&p->config);
    free(p->plugins);
    free(p->sets);
    p->plugins = NULL;
    p->sets = NULL;
}
