/* table.c - penstock table, penstock transport: the verbs that plugins offer, on the table or transport at a URL. SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/print.h"
#include "cli/tables.h"
#include "config/option.h"

#define OPTIONS_MAX 32

struct verb_call {
    const char *noun, *verb, *url;
    const char *plugin_name;          /* --plugin, or NULL */
    const char *options[OPTIONS_MAX]; /* of the verb: NAME=VALUE */
    size_t n_options;
    pen_print_format format;
    bool wide, help;
};

static pen_status parse(int argc, char **argv, struct verb_call *c, struct pen_error *err)
{
    bool words = false;
    *c = (struct verb_call){ .noun = argv[0] };
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (words || a[0] != '-' || !a[1]) {
            if (c->url)
                return pen_fail(err, PEN_BADCONF, "%s: one %s at a time", a, c->noun);
            *(c->verb ? &c->url : &c->verb) = a;
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
        } else if (strncmp(a, "--", 2) || c->n_options == OPTIONS_MAX) {
            return pen_fail(err, PEN_BADCONF, "%s: there is no such option", a);
        } else {
            c->options[c->n_options++] = a + 2;
        }
    }
    if (!c->help && (!c->verb || !c->url))
        return pen_fail(err, PEN_BADCONF, "expected: penstock %s VERB URL", c->noun);
    return PEN_OK;
}

static const struct pen_verb *verb_of(const struct pen_plugin *p, const char *noun, const char *name)
{
    for (const struct pen_verb *v = p ? p->verbs : NULL; v && v->name; v++)
        if (!strcmp(v->noun, noun) && (!name || !strcmp(v->name, name)))
            return v;
    return NULL;
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
    printf("Usage: penstock %s VERB [OPTION]... URL\n\nAsks the plugin that the %s at URL belongs to.\n\nVerbs, with the plugin that has them:\n",
           c->noun, c->noun);
    for (size_t i = 0; i < t->n; i++)
        for (const struct pen_verb *v = t->found[i].plugin ? t->found[i].plugin->verbs : NULL; v && v->name; v++)
            if (!strcmp(v->noun, c->noun) && (!c->verb || !strcmp(v->name, c->verb)))
                print_verb(t->found[i].plugin, v);
    printf("\nFor all of them:\n  --json, --csv    print JSON lines or CSV\n  --wide           do not cut long values\n"
           "  --plugin=NAME    the plugin to ask, where several could be meant\n"
           "\nExit status: 0 done, 1 it failed, 2 the command line is wrong.\n");
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
    bool any = false, several = false;
    for (size_t i = 0; i < t->n; i++) {
        const struct pen_plugin *p = t->found[i].plugin;
        pen_status st;
        if (!verb_of(p, c->noun, c->verb) || (c->plugin_name && strcmp(p->name, c->plugin_name)))
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
        st = p->table->probe(&t->host, c->url, err);
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
    if (!any)
        return c->plugin_name ? pen_fail(err, PEN_BADCONF, "plugin %s has no verb %s for a %s", c->plugin_name, c->verb, c->noun)
                              : no_such_verb(t, c, err);
    return pen_fail(err, PEN_FATAL, "%s: no plugin with the verb %s takes it for a %s of its own", c->url, c->verb, c->noun);
}

/* -- running ----------------------------------------------------------------------------------------------------------------- */

static pen_status set_option(const struct pen_verb *v, const char *text, void *ctx, struct pen_arena *mem, bool *given, struct pen_error *err)
{
    const char *value = strchr(text, '=');
    char name[64];
    const struct pen_option *o;
    struct pen_error why = { 0 };
    snprintf(name, sizeof name, "%.*s", (int)(value ? value - text : (long)strlen(text)), text);
    o = v->options ? pen_option_find(v->options, name) : NULL;
    if (!o)
        return pen_fail(err, PEN_BADCONF, "%s has no option --%s", v->name, name);
    if (!value)
        return pen_fail(err, PEN_BADCONF, "--%s needs a value: --%s=%s", name, name, pen_option_type_name(o));
    given[o - v->options] = true;
    if (pen_option_parse(o, value + 1, ctx, mem, NULL, &why) < 0)
        return pen_fail(err, why.code, "--%s: %s", name, why.msg);
    return PEN_OK;
}

static pen_status set_options(const struct pen_verb *v, const struct verb_call *c, void *ctx, struct pen_arena *mem, struct pen_error *err)
{
    bool given[256] = { false };
    pen_status st = v->options ? pen_option_defaults(v->options, ctx, mem, err) : PEN_OK;
    for (size_t i = 0; i < c->n_options && st >= 0; i++)
        st = set_option(v, c->options[i], ctx, mem, given, err);
    for (const struct pen_option *o = v->options; o && o->name && st >= 0; o++)
        if ((o->flags & PEN_OPTION_REQUIRED) && o - v->options < 256 && !given[o - v->options])
            st = pen_fail(err, PEN_BADCONF, "--%s is missing: %s", o->name, o->doc);
    return st;
}

static pen_status run_verb(const struct pen_tables *t, const struct pen_verb *v, const struct verb_call *c, struct pen_error *err)
{
    void *ctx = calloc(1, v->ctx_size + 1);
    struct pen_arena mem = { 0 };
    struct ArrowSchema schema = { 0 };
    struct ArrowArray batch = { 0 };
    struct pen_printer *p = NULL;
    pen_status st = ctx ? set_options(v, c, ctx, &mem, err) : pen_fail(err, PEN_FATAL, "out of memory");
    if (st >= 0)
        st = v->run(ctx, NULL, &t->host, c->url, &schema, &batch, err);
    if (st >= 0)
        st = pen_printer_new(&p, stdout, c->format, c->wide, err);
    if (st >= 0)
        st = pen_printer_batch(p, &schema, &batch, err);
    pen_printer_free(&p);
    pen_array_release(&batch);
    pen_schema_release(&schema);
    pen_arena_fini(&mem);
    free(ctx);
    return st;
}

int pen_cli_table(int argc, char **argv)
{
    struct verb_call c;
    struct pen_tables tables = { 0 };
    struct pen_error err = { 0 };
    const struct pen_plugin *plugin = NULL;
    int status;
    pen_status st = parse(argc, argv, &c, &err);
    if (st < 0)
        return pen_cli_usage(argv[0], "%s", err.msg);
    signal(SIGPIPE, SIG_DFL);
    st = pen_tables_open(&tables, argv[0], &err);
    if (st == PEN_OK && c.help) {
        status = print_help(&tables, &c);
    } else {
        if (st == PEN_OK)
            st = find(&tables, &c, &plugin, &err);
        if (st == PEN_OK)
            st = run_verb(&tables, verb_of(plugin, c.noun, c.verb), &c, &err);
        status = st < 0 ? pen_cli_failed(&err) : PEN_EXIT_DONE;
    }
    pen_tables_close(&tables);
    return status;
}
