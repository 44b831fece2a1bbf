/* plugins.c - `penstock plugins`: what is there, what it can be, and what is broken. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/cli.h"
#include "engine/plugin.h"

static const char usage[] = "Usage: penstock plugins [--json]\n\n"
                            "Lists every plugin on the search path (the folders in $PENSTOCK_PLUGIN_PATH, then the installed one) with what it\n"
                            "can be and where it lies. One that cannot be loaded is listed with the reason, and the exit status is 1.\n\n"
                            "  --json   an array of objects\n";

static int print_json(const struct pen_plugin_found *found, size_t n)
{
    cJSON *array = cJSON_CreateArray();
    char kinds[100], *text;
    for (size_t i = 0; i < n && array; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddItemToArray(array, o);
        cJSON_AddStringToObject(o, "name", found[i].name);
        cJSON_AddStringToObject(o, "path", found[i].path);
        if (found[i].plugin) {
            cJSON *list = cJSON_AddArrayToObject(o, "kinds");
            char *rest = kinds, *word;
            pen_plugin_kinds(found[i].plugin, kinds, sizeof kinds);
            while ((word = strsep(&rest, ",")))
                cJSON_AddItemToArray(list, cJSON_CreateString(word + strspn(word, " ")));
            cJSON_AddStringToObject(o, "summary", found[i].plugin->summary ? found[i].plugin->summary : "");
            cJSON_AddStringToObject(o, "licence", found[i].plugin->licence ? found[i].plugin->licence : "");
        } else {
            cJSON_AddStringToObject(o, "error", found[i].reason);
        }
        if (found[i].shadows)
            cJSON_AddStringToObject(o, "shadows", found[i].shadows);
    }
    text = array ? cJSON_Print(array) : NULL;
    if (text)
        printf("%s\n", text);
    cJSON_free(text);
    cJSON_Delete(array);
    return text ? PEN_EXIT_DONE : PEN_EXIT_FAILED;
}

static void print_table(const struct pen_plugin_found *found, size_t n)
{
    char kinds[100];
    int name_width = 4, kinds_width = 5;
    for (size_t i = 0; i < n; i++) {
        const char *k = found[i].plugin ? pen_plugin_kinds(found[i].plugin, kinds, sizeof kinds) : "broken";
        name_width = (int)strlen(found[i].name) > name_width ? (int)strlen(found[i].name) : name_width;
        kinds_width = (int)strlen(k) > kinds_width ? (int)strlen(k) : kinds_width;
    }
    for (size_t i = 0; i < n; i++) {
        const struct pen_plugin_found *f = &found[i];
        const char *k = f->plugin ? pen_plugin_kinds(f->plugin, kinds, sizeof kinds) : "broken";
        printf("%-*s  %-*s  %s\n", name_width, f->name, kinds_width, k, f->plugin ? f->plugin->summary ? f->plugin->summary : "" : f->reason);
        if (f->plugin)
            printf("%*s  %*s  %s\n", name_width, "", kinds_width, "", f->path);
        if (f->shadows)
            printf("%*s  %*s  not used: %s\n", name_width, "", kinds_width, "", f->shadows);
    }
}

int pen_cli_plugins(int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
    struct pen_plugin_found *found;
    struct pen_error err = { 0 };
    bool json = false;
    size_t n, broken = 0;
    int got, status = PEN_EXIT_DONE;
    while ((got = pen_cli_option(argc, argv, options)) != -1) {
        if (got == '?')
            return PEN_EXIT_USAGE;
        if (got == 'h')
            return fputs(usage, stdout), pen_cli_flush();
        json = true;
    }
    if (optind < argc)
        return pen_cli_usage(argv[0], "takes no argument: %s", argv[optind]);
    if (pen_plugin_list(&found, &n, &err) < 0)
        return pen_cli_failed(&err);
    for (size_t i = 0; i < n; i++)
        broken += !found[i].plugin;
    if (json)
        status = print_json(found, n);
    else
        print_table(found, n);
    free(found);
    return pen_cli_flush() != PEN_EXIT_DONE || broken ? PEN_EXIT_FAILED : status;
}
