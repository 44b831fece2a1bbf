/* table.c - penstock table, transport, store: the verbs that plugins offer, on the table, transport or store at a URL. SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/print.h"
#include "cli/tables.h"
#include "config/option.h"
#include "engine/verb.h"

#define OPTIONS_MAX 32

struct verb_call {
    const char *noun, *verb;
    const char *word[2];              /* behind it: URL; or STAGE and NAME; or NAME */
    const char *plugin_name, *in;     /* --plugin, --in, or NULL */
    struct pen_pairs given, own, rest;/* --NAME=VALUE; those of them that the verb itself has; the others */
    const char *names[OPTIONS_MAX], *values[OPTIONS_MAX], *verb_names[OPTIONS_MAX], *verb_values[OPTIONS_MAX], *rest_names[OPTIONS_MAX],
        *rest_values[OPTIONS_MAX];
    char text[OPTIONS_MAX][64];       /* of names */
    pen_print_format format;
    bool wide, help;
};

/* A store is asked by its URL; the file then says how to reach it. */
static bool is_store(const struct verb_call *c)
{
    return strcmp(c->noun, "store") == 0;
}

static pen_status take_word(struct verb_call *c, const char *word, struct pen_error *err)
{
    if (!c->verb)
        c->verb = word;
    else if (!c->word[0])
        c->word[0] = word;
    else if (!c->word[1] && c->in && !is_store(c))
        c->word[1] = word;
    else
        return pen_fail(err, PEN_BADCONF, "%s: one %s at a time", word, c->noun);
    return PEN_OK;
}

static pen_status take_option(struct verb_call *c, const char *text, struct pen_error *err)
{
    const char *value = strchr(text, '=');
    size_t i = c->given.n, n = value ? (size_t)(value - text) : strlen(text);
    if (i == OPTIONS_MAX || n >= sizeof c->text[0])
        return pen_fail(err, PEN_BADCONF, "--%s: there is no such option", text);
    memcpy(c->text[i], text, n);
    c->text[i][n] = '\0';
    c->names[i] = c->text[i];
    c->values[i] = value ? value + 1 : NULL;
    c->given = (struct pen_pairs){ i + 1, c->names, c->values };
    return PEN_OK;
}

static pen_status parse(int argc, char **argv, struct verb_call *c, struct pen_error *err)
{
    bool words = false;
    pen_status st = PEN_OK;
    *c = (struct verb_call){ .noun = argv[0] };
    for (int i = 1; i < argc; i++) /* it says how many words there may be */
        if (!strncmp(argv[i], "--in=", 5))
            c->in = argv[i] + 5;
    for (int i = 1; i < argc && st >= 0; i++) {
        const char *a = argv[i];
        if (words || a[0] != '-' || !a[1]) {
            st = take_word(c, a, err);
        } else if (!strcmp(a, "--")) {
            words = true;
        } else if (!strcmp(a, "--help") || !strcmp(a, "-h")) {
            c->help = true;
        } else if (!strcmp(a, "--json") || !strcmp(a, "--csv")) {
            c->format = a[2] == 'j' ? PEN_PRINT_JSON : PEN_PRINT_CSV;
        } else if (!strcmp(a, "--wide")) {
            c->wide = true;
        } else if (!strncmp(a, "--plugin=", 9)) {
            c->plugin_name = a + 9;
        } else if (strncmp(a, "--", 2)) {
            return pen_fail(err, PEN_BADCONF, "%s: there is no such option", a);
        } else if (strncmp(a, "--in=", 5)) {
            st = take_option(c, a + 2, err);
        }
    }
    if (st >= 0 && !c->help && (!c->verb || (!c->word[0] && (is_store(c) || (!c->in && !c->plugin_name)))))
        return pen_fail(err, PEN_BADCONF, "expected: penstock %s VERB URL", c->noun);
    return st;
}

/* -- help -------------------------------------------------------------------------------------------------------------------- */

static void print_verb(const struct pen_plugin *p, const struct pen_verb *v)
{
    char what[64];
    printf("  %-12s %s (%s)\n", v->name, v->summary, p->name);
    for (const struct pen_option *o = v->options; o && o->name; o++) {
        snprintf(what, sizeof what, "--%s=%s", o->name, pen_option_type_name(o));
        printf("      %-28s %s%s%s%s\n", what, o->doc, o->def ? " Default: " : "", o->def ? o->def : "",
               o->flags & PEN_OPTION_REQUIRED ? " Required." : "");
    }
}

static int print_help(const struct pen_tables *t, const struct verb_call *c)
{
    bool transport = !strcmp(c->noun, "transport");
    printf("Usage: penstock %s VERB [OPTION]... URL\n", c->noun);
    if (transport)
        printf("       penstock transport VERB [OPTION]... --in=FILE STAGE [NAME]\n"
               "       penstock transport VERB [OPTION]... --plugin=PLUGIN [NAME]\n");
    printf("\nAsks the plugin that the %s at URL belongs to%s\n\nVerbs, with the plugin that has them:\n", c->noun,
           transport ? "; or the service that a stage of a pipeline file leads to, or that options of the\nplugin given here (--NAME=VALUE) lead to."
           : is_store(c) ? ", reached as its section [defaults PLUGIN] of a pipeline file says, or its options given\nhere (--NAME=VALUE)."
                         : ".");
    for (size_t i = 0; i < t->n; i++)
        for (const struct pen_verb *v = t->found[i].plugin ? t->found[i].plugin->verbs : NULL; v && v->name; v++)
            if (!strcmp(v->noun, c->noun) && (!c->verb || !strcmp(v->name, c->verb)))
                print_verb(t->found[i].plugin, v);
    printf("\nFor all of them:\n  --json, --csv    print JSON lines or CSV\n  --wide           do not cut long values\n"
           "%s", is_store(c) ? "" : "  --plugin=NAME    the plugin to ask, where several could be meant\n");
    if (transport || is_store(c))
        printf("  --in=FILE        the pipeline file that has the %s\n", transport ? "stage" : "section");
    printf("\nExit status: 0 done, 1 it failed, 2 the command line is wrong.\n");
    return pen_cli_flush();
}

/* -- finding the plugin ------------------------------------------------------------------------------------------------------- */

static pen_status no_such_verb(const struct pen_tables *t, const struct verb_call *c, struct pen_error *err)
{
    const char *names[64], *meant;
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        for (const struct pen_verb *v = t->found[i].plugin ? t->found[i].plugin->verbs : NULL; v && v->name; v++)
            if (!strcmp(v->noun, c->noun) && n < 64)
                names[n++] = v->name;
    if (n == 0)
        return pen_fail(err, PEN_BADCONF, "no plugin with verbs for a %s was found; is PENSTOCK_PLUGIN_PATH right?", c->noun);
    meant = pen_suggest(c->verb, names, n);
    return pen_fail(err, PEN_BADCONF, "there is no penstock %s %s%s%s%s", c->noun, c->verb, meant ? "; did you mean " : "", meant ? meant : "",
                    meant ? "?" : "");
}

/* A plugin that reads tables says itself whether the URL is its own; of others there must be one alone that has the verb. */
static pen_status find(struct pen_tables *t, const struct verb_call *c, const struct pen_plugin **plugin, struct pen_error *err)
{
    const struct pen_plugin *other = NULL;
    bool any = false, several = false, services = false;
    for (size_t i = 0; i < t->n; i++) {
        const struct pen_plugin *p = t->found[i].plugin;
        const struct pen_verb *v = pen_verb_of(p, c->noun, c->verb);
        pen_status st;
        services |= v && v->stage;
        if (!v || (v->stage && !c->plugin_name) || (c->plugin_name && strcmp(p->name, c->plugin_name)))
            continue;
        any = true;
        if (c->plugin_name) {
            *plugin = p;
            return PEN_OK;
        }
        if (!p->table || strcmp(c->noun, "table")) {
            several |= other != NULL;
            other = p;
            continue;
        }
        st = p->table->probe(&t->host, c->word[0], err);
        if (st != PEN_SKIP) {
            *plugin = p;
            return st < 0 ? PEN_FATAL : PEN_OK;
        }
    }
    if (several)
        return pen_fail(err, PEN_BADCONF, "several plugins have %s; say which by --plugin=NAME", c->verb);
    if (other) {
        *plugin = other;
        return PEN_OK;
    }
    if (!any && services && !c->plugin_name)
        return pen_fail(err, PEN_BADCONF, "%s: services are asked by --in=FILE STAGE, or --plugin=PLUGIN and its options", c->verb);
    if (!any)
        return c->plugin_name ? pen_fail(err, PEN_BADCONF, "plugin %s has no verb %s for a %s", c->plugin_name, c->verb, c->noun)
                              : no_such_verb(t, c, err);
    return pen_fail(err, PEN_FATAL, "%s: no plugin with the verb %s takes it for a %s of its own", c->word[0], c->verb, c->noun);
}

/* A store has one scheme, and its plugin that scheme's name. */
static pen_status find_store(const struct pen_tables *t, const struct verb_call *c, const struct pen_plugin **plugin, struct pen_error *err)
{
    const char *url = c->word[0], *end = strstr(url, "://");
    bool any = false;
    for (size_t i = 0; i < t->n; i++) {
        const struct pen_plugin *p = t->found[i].plugin;
        any |= pen_verb_of(p, c->noun, c->verb) != NULL;
        if (p && p->store && end && strlen(p->store->scheme) == (size_t)(end - url) && strncmp(p->store->scheme, url, (size_t)(end - url)) == 0)
            *plugin = p;
    }
    if (*plugin || !any)
        return *plugin ? PEN_OK : no_such_verb(t, c, err);
    return end ? pen_fail(err, PEN_BADCONF, "%s: no plugin serves such URLs", url)
               : pen_fail(err, PEN_BADCONF, "%s: expected the URL of a store, SCHEME://…", url);
}

/* -- running ----------------------------------------------------------------------------------------------------------------- */

/* The context of a stage or store that a verb works with: from the file's section, or from the command line. */
struct stage_context {
    void *ctx;
    const struct pen_plugin *started; /* whose store it is, to be stopped */
    struct pen_cli_pipeline pipeline;
    struct pen_arena mem;
};

static void stage_context_fini(struct stage_context *s)
{
    if (s->started && s->started->store_stop)
        s->started->store_stop(s->ctx);
    free(s->ctx);
    pen_cli_pipeline_fini(&s->pipeline);
    pen_arena_fini(&s->mem);
}

static size_t context_size(const struct pen_plugin *p)
{
    return p->source ? p->source->ctx_size : p->sink->ctx_size;
}

static const struct pen_option *context_options(const struct pen_plugin *p)
{
    return p->source ? p->source->options : p->sink->options;
}

/* Of the command line: those of the stage or the store, where no file has them. */
static const struct pen_option *options_here(const struct pen_verb *v, const struct pen_plugin *p, const struct verb_call *c)
{
    return c->in ? NULL : is_store(c) ? p->store_options : v->stage ? context_options(p) : NULL;
}

static bool knows(const struct pen_option *table, const char *name)
{
    const struct pen_option *o = table ? pen_option_find(table, name) : NULL;
    return o && o->type != PEN_OPT_PAIRS;
}

/* The options of the command line that are the verb's own; the others must be the stage's or store's, and no secrets: everybody sees a command line. */
static pen_status split_options(const struct pen_verb *v, const struct pen_plugin *p, struct verb_call *c, struct pen_error *err)
{
    const struct pen_option *others = options_here(v, p, c);
    for (size_t i = 0; i < c->given.n; i++) {
        const char *name = c->names[i];
        const struct pen_option *o = others ? pen_option_find(others, name) : NULL;
        if (knows(v->options, name))
            c->verb_names[c->own.n] = name, c->verb_values[c->own.n++] = c->values[i];
        else if (!o)
            return pen_fail(err, PEN_BADCONF, "%s has no option --%s", v->name, name);
        else if (o->type == PEN_OPT_PAIRS || o->flags & PEN_OPTION_SECRET)
            return pen_fail(err, PEN_BADCONF, "--%s: %s; write it into a pipeline file and name that by --in=FILE", name,
                            o->type == PEN_OPT_PAIRS ? "cannot be given here" : "a command line is no place for a secret");
        else
            c->rest_names[c->rest.n] = name, c->rest_values[c->rest.n++] = c->values[i];
    }
    c->own.names = c->verb_names;
    c->own.values = c->verb_values;
    c->rest.names = c->rest_names;
    c->rest.values = c->rest_values;
    return PEN_OK;
}

/* The file of --in. */
static pen_status load_file(const struct verb_call *c, struct stage_context *s, struct pen_error *err)
{
    pen_status st = pen_cli_load(&s->pipeline, c->in, err);
    if (st < 0 || !s->pipeline.config->diags.errors)
        return st;
    pen_cli_problems(&s->pipeline);
    return pen_fail(err, PEN_BADCONF, "%s is not to be gone by before that is mended", c->in);
}

/* The stage of --in=FILE, with its plugin. */
static pen_status stage_of_file(const struct verb_call *c, struct stage_context *s, const struct pen_plugin **plugin, struct pen_error *err)
{
    const struct pen_stage_config *stage;
    pen_status st = load_file(c, s, err);
    if (st < 0)
        return st;
    if (!c->word[0])
        return pen_fail(err, PEN_BADCONF, "expected: penstock %s %s --in=%s STAGE [NAME]", c->noun, c->verb, c->in);
    if (!(stage = pen_config_stage(s->pipeline.config, c->word[0])))
        return pen_fail(err, PEN_BADCONF, "%s has no stage %s", c->in, c->word[0]);
    *plugin = s->pipeline.plugins[stage->index];
    if (!(*plugin)->source && !(*plugin)->sink)
        return pen_fail(err, PEN_BADCONF, "stage %s leads to no service", c->word[0]);
    if (!(s->ctx = calloc(1, context_size(*plugin) + 1)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    return pen_config_apply(s->pipeline.config, stage, context_options(*plugin), s->ctx);
}

/* The plugin's store, started. */
static pen_status start_store(const struct pen_tables *t, const struct pen_plugin *p, const struct verb_call *c, struct stage_context *s, struct pen_error *err)
{
    pen_status st = PEN_OK;
    if (!(s->ctx = calloc(1, p->store_ctx_size + 1)))
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (!c->in)
        st = pen_options_set(p->store_options, &c->rest, s->ctx, &s->mem, err);
    else if ((st = load_file(c, s, err)) >= 0 && pen_config_apply_defaults(s->pipeline.config, p->name, p->store_options, s->ctx) < 0) {
        pen_cli_problems(&s->pipeline);
        st = pen_fail(err, PEN_BADCONF, "%s is not to be gone by before that is mended", c->in);
    }
    if (st >= 0 && p->store_start)
        st = p->store_start(s->ctx, &t->host, err);
    s->started = st >= 0 ? p : NULL;
    return st;
}

static pen_status run_verb(const struct pen_tables *t, const struct pen_plugin *plugin, struct verb_call *c, struct stage_context *s,
                           struct pen_error *err)
{
    const struct pen_verb *v = pen_verb_of(plugin, c->noun, c->verb);
    const char *name = c->word[v->stage && c->in && !is_store(c) ? 1 : 0];
    struct ArrowSchema schema = { 0 };
    struct ArrowArray batch = { 0 };
    struct pen_printer *p = NULL;
    pen_status st = split_options(v, plugin, c, err);
    if (st >= 0 && !v->stage && !name)
        st = pen_fail(err, PEN_BADCONF, "expected: penstock %s %s URL", c->noun, c->verb);
    if (st >= 0 && v->stage && !c->in) {
        s->ctx = calloc(1, context_size(plugin) + 1);
        st = s->ctx ? pen_options_set(context_options(plugin), &c->rest, s->ctx, &s->mem, err) : pen_fail(err, PEN_FATAL, "out of memory");
    }
    if (st >= 0 && is_store(c))
        st = start_store(t, plugin, c, s, err);
    if (st >= 0)
        st = pen_verb_run(v, &c->own, s->ctx, &t->host, name, &schema, &batch, err);
    if (st >= 0)
        st = pen_printer_new(&p, stdout, c->format, c->wide, err);
    if (st >= 0)
        st = pen_printer_batch(p, &schema, &batch, err);
    pen_printer_free(&p);
    pen_array_release(&batch);
    pen_schema_release(&schema);
    return st;
}

static pen_status find_and_run(struct pen_tables *t, struct verb_call *c, struct pen_error *err)
{
    const struct pen_plugin *plugin = NULL;
    struct stage_context s = { 0 };
    pen_status st = is_store(c) ? find_store(t, c, &plugin, err) : c->in ? stage_of_file(c, &s, &plugin, err) : find(t, c, &plugin, err);
    if (st == PEN_OK && !pen_verb_of(plugin, c->noun, c->verb))
        st = pen_fail(err, PEN_BADCONF, "plugin %s has no verb %s for a %s", plugin->name, c->verb, c->noun);
    if (st == PEN_OK)
        st = run_verb(t, plugin, c, &s, err);
    stage_context_fini(&s);
    return st;
}

int pen_cli_table(int argc, char **argv)
{
    struct verb_call c;
    struct pen_tables tables = { 0 };
    struct pen_error err = { 0 };
    int status;
    pen_status st = parse(argc, argv, &c, &err);
    if (st < 0)
        return pen_cli_usage(argv[0], "%s", err.msg);
    signal(SIGPIPE, SIG_DFL);
    st = pen_tables_open(&tables, argv[0], c.word, c.word[0] && !is_store(&c) ? 1 : 0, &err); /* the store itself is started with its options later */
    if (st == PEN_OK && c.help) {
        status = print_help(&tables, &c);
    } else {
        if (st == PEN_OK)
            st = find_and_run(&tables, &c, &err);
        status = st < 0 ? pen_cli_failed(&err) : PEN_EXIT_DONE;
    }
    pen_tables_close(&tables);
    return status;
}
