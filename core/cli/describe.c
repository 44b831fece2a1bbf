/* describe.c - `penstock describe`: a plugin, or the core's own options, out of the tables that also parse them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/cli.h"
#include "cli/describe.h"
#include "config/option.h"
#include "engine/plugin.h"

static const char usage[] = "Usage: penstock describe PLUGIN [--json | --man]\n"
                            "       penstock describe pipeline [--json | --man]\n\n"
                            "Prints what a plugin is and every option it takes: type, range, default and what it does. `pipeline` stands for the\n"
                            "options of the core itself: [pipeline], [deadletter] and those that every stage takes.\n\n"
                            "  --json   one object\n"
                            "  --man    a manual page (roff)\n";

static void add_part(struct pen_described *d, const char *key, const char *title, const struct pen_option *table)
{
    if (table)
        d->parts[d->n_parts++] = (struct pen_described_part){ key, title, table };
}

static void describe_core(struct pen_described *d)
{
    *d = (struct pen_described){ .name = "pipeline", .summary = "the sections of a pipeline file and the options of the core" };
    add_part(d, "pipeline", "[pipeline]", pen_settings_options);
    add_part(d, "stage", "Every stage: [source NAME], [transport NAME], [transform NAME], [sink NAME]", pen_stage_options);
    add_part(d, "deadletter", "[deadletter]", pen_deadletter_options);
}

static void describe_plugin(struct pen_described *d, const struct pen_plugin *p, char *kinds, size_t size)
{
    *d = (struct pen_described){ .name = p->name, .summary = p->summary, .licence = p->licence, .doc = p->doc, .path = pen_plugin_path(p),
                                 .kinds = pen_plugin_kinds(p, kinds, size), .verbs = p->verbs };
    if (p->transport && p->source) {
        add_part(d, "transport", "As a transport", p->source->options);
    } else {
        add_part(d, "source", "As a source", p->source ? p->source->options : NULL);
        add_part(d, "sink", "As a sink", p->sink ? p->sink->options : NULL);
    }
    add_part(d, "transform", "As a transform", p->transform ? p->transform->options : NULL);
    add_part(d, "store", "As a store, in [defaults]", p->store ? p->store_options : NULL);
}

/* -- text -------------------------------------------------------------------------------------------------------------------- */

const char *pen_describe_type(const struct pen_option *o, char *buf, size_t size)
{
    char low[48], high[48];
    size_t n = (size_t)snprintf(buf, size, "%s", pen_option_type_name(o));
    if ((o->min || o->max) && n < size) {
        pen_option_bound(o, o->min, low, sizeof low);
        pen_option_bound(o, o->max, high, sizeof high);
        n += (size_t)(pen_option_unbounded(o) ? snprintf(buf + n, size - n, ", %s or more", low) : snprintf(buf + n, size - n, ", %s to %s", low, high));
    }
    if (o->type != PEN_OPT_ENUM && o->choices && n < size)
        n += (size_t)snprintf(buf + n, size - n, ", or %s", o->choices);
    if (o->def && n < size)
        n += (size_t)snprintf(buf + n, size - n, ", default %s", o->def);
    if (o->flags & PEN_OPTION_REQUIRED && n < size)
        n += (size_t)snprintf(buf + n, size - n, ", required");
    if (o->flags & PEN_OPTION_SECRET && n < size)
        snprintf(buf + n, size - n, ", secret");
    return buf;
}

/* Text in lines of at most `width` characters behind `indent` spaces. */
static void print_wrapped(const char *text, size_t indent, size_t width)
{
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " \n");
        if (n && column && column + 1 + n > width)
            column = 0, putchar('\n');
        if (n) {
            printf("%*s%.*s", column ? 1 : (int)indent, "", (int)n, text);
            column += n + (column ? 1 : 0);
        }
        text += n;
        if (text[0] == '\n' && text[1] == '\n') { /* a paragraph */
            printf("\n\n");
            column = 0;
        }
        text += *text != '\0';
    }
    putchar('\n');
}

static void print_options(const struct pen_option *table)
{
    char type[300];
    if (!table->name)
        printf("  it takes no options\n");
    for (const struct pen_option *o = table; o && o->name; o++) {
        printf("  %s%s (%s)\n", o->name, o->type == PEN_OPT_PAIRS ? "NAME" : "", pen_describe_type(o, type, sizeof type));
        print_wrapped(o->doc ? o->doc : "", 6, 88);
    }
}

static void print_text(const struct pen_described *d)
{
    printf("%s - %s\n", d->name, d->summary ? d->summary : "");
    if (d->kinds)
        printf("%s; %s; %s\n", d->kinds, d->licence ? d->licence : "no licence named", d->path ? d->path : "");
    if (d->doc) {
        putchar('\n');
        print_wrapped(d->doc, 0, 94);
    }
    for (size_t i = 0; i < d->n_parts; i++) {
        printf("\n%s:\n", d->parts[i].title);
        print_options(d->parts[i].table);
    }
    for (const struct pen_verb *v = d->verbs; v && v->name; v++) {
        printf("\npenstock %s %s: %s\n", v->noun, v->name, v->summary ? v->summary : "");
        if (v->options && v->options->name)
            print_options(v->options);
    }
}

/* -- JSON -------------------------------------------------------------------------------------------------------------------- */

static void add_text(cJSON *o, const char *key, const char *text)
{
    if (text)
        cJSON_AddStringToObject(o, key, text);
}

static cJSON *options_json(const struct pen_option *table)
{
    cJSON *array = cJSON_CreateArray();
    char bound[48];
    for (const struct pen_option *o = table; o && o->name; o++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToArray(array, one);
        cJSON_AddStringToObject(one, "name", o->name);
        cJSON_AddStringToObject(one, "type", o->type == PEN_OPT_ENUM ? "one of" : pen_option_type_name(o));
        add_text(one, "default", o->def);
        if (o->min || o->max) {
            cJSON_AddStringToObject(one, "min", pen_option_bound(o, o->min, bound, sizeof bound));
            if (!pen_option_unbounded(o))
                cJSON_AddStringToObject(one, "max", pen_option_bound(o, o->max, bound, sizeof bound));
        }
        add_text(one, "choices", o->choices);
        cJSON_AddBoolToObject(one, "required", (o->flags & PEN_OPTION_REQUIRED) != 0);
        cJSON_AddBoolToObject(one, "secret", (o->flags & PEN_OPTION_SECRET) != 0);
        add_text(one, "documentation", o->doc);
    }
    return array;
}

static bool print_json(const struct pen_described *d)
{
    cJSON *o = cJSON_CreateObject(), *options, *verbs;
    char *text;
    add_text(o, "name", d->name);
    add_text(o, "summary", d->summary);
    add_text(o, "kinds", d->kinds);
    add_text(o, "licence", d->licence);
    add_text(o, "path", d->path);
    add_text(o, "documentation", d->doc);
    options = cJSON_AddObjectToObject(o, "options");
    for (size_t i = 0; i < d->n_parts; i++)
        cJSON_AddItemToObject(options, d->parts[i].key, options_json(d->parts[i].table));
    verbs = d->verbs ? cJSON_AddArrayToObject(o, "verbs") : NULL;
    for (const struct pen_verb *v = d->verbs; v && v->name; v++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToArray(verbs, one);
        add_text(one, "noun", v->noun);
        add_text(one, "name", v->name);
        add_text(one, "summary", v->summary);
        cJSON_AddItemToObject(one, "options", options_json(v->options));
    }
    text = cJSON_Print(o);
    if (text)
        printf("%s\n", text);
    cJSON_free(text);
    cJSON_Delete(o);
    return text != NULL;
}

static int print(const struct pen_described *d, int as)
{
    bool good = true;
    if (as == 'j')
        good = print_json(d);
    else if (as == 'm')
        pen_describe_man(d);
    else
        print_text(d);
    return good ? pen_cli_flush() : PEN_EXIT_FAILED;
}

int pen_cli_describe(int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "man", no_argument, NULL, 'm' }, { 0 } };
    const struct pen_plugin *plugin;
    const char *suggestion;
    struct pen_described d;
    struct pen_error err = { 0 };
    char kinds[100];
    int got, as = 't';
    while ((got = pen_cli_option(argc, argv, options)) != -1) {
        if (got == '?')
            return PEN_EXIT_USAGE;
        if (got == 'h')
            return fputs(usage, stdout), pen_cli_flush();
        as = got;
    }
    if (optind + 1 != argc)
        return pen_cli_usage(argv[0], "expected the name of one plugin, or pipeline");
    if (strcmp(argv[optind], "pipeline") == 0) {
        describe_core(&d);
        return print(&d, as);
    }
    if (pen_plugin_load(argv[optind], PEN_KIND_ANY, &plugin, &suggestion, &err) < 0) {
        int status = pen_cli_failed(&err);
        if (suggestion)
            fprintf(stderr, "  did you mean \"%s\"?\n", suggestion);
        return status;
    }
    describe_plugin(&d, plugin, kinds, sizeof kinds);
    return print(&d, as);
}
