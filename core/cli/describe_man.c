/* describe_man.c - a description as a manual page (groff's man macros). SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/describe.h"
#include "config/option.h"

/* Text as roff takes it: no line of it is a request, a minus is a minus, a paragraph begins where an empty line was. */
static void put_text(const char *text)
{
    bool line_start = true;
    for (; *text; text++) {
        if (text[0] == '\n' && text[1] == '\n') {
            printf("\n.PP\n");
            text++;
            line_start = true;
            continue;
        }
        if (line_start && (*text == '.' || *text == '\''))
            printf("\\&");
        line_start = *text == '\n';
        if (*text == '\\')
            printf("\\e");
        else if (*text == '-')
            printf("\\-");
        else if (*text == '"')
            printf("\\(dq");
        else
            putchar(*text);
    }
}

static void put_options(const struct pen_option *table)
{
    char type[300];
    for (const struct pen_option *o = table; o && o->name; o++) {
        printf(".TP\n\\fB");
        put_text(o->name);
        printf("\\fR%s (", o->type == PEN_OPT_PAIRS ? "\\fINAME\\fR" : "");
        put_text(pen_describe_type(o, type, sizeof type));
        printf(")\n");
        put_text(o->doc ? o->doc : "");
        putchar('\n');
    }
}

static void put_heading(const char *title)
{
    printf(".SH \"");
    for (; *title; title++)
        putchar(*title >= 'a' && *title <= 'z' ? *title - 'a' + 'A' : *title);
    printf("\"\n");
}

static void put_synopsis(const struct pen_described *d)
{
    printf(".SH SYNOPSIS\n.nf\n");
    for (size_t i = 0; i < d->n_parts; i++)
        if (strcmp(d->parts[i].key, "store") == 0)
            printf("[defaults %s]\n", d->name);
        else
            printf("[%s NAME]\nplugin = %s\n", d->parts[i].key, d->name);
    printf(".fi\n");
}

void pen_describe_man(const struct pen_described *d)
{
    bool plugin = d->kinds != NULL;
    printf(".\\\" Made by `penstock describe %s --man` from the tables that also parse the options.\n", d->name);
    printf(".TH PENSTOCK\\-%s %s \"\" \"penstock " PACKAGE_VERSION "\" \"Penstock\"\n", d->name, plugin ? "7" : "5");
    printf(".SH NAME\npenstock\\-%s \\- ", d->name);
    put_text(d->summary ? d->summary : "");
    putchar('\n');
    if (plugin)
        put_synopsis(d);
    if (d->doc) {
        printf(".SH DESCRIPTION\n");
        put_text(d->doc);
        putchar('\n');
    }
    for (size_t i = 0; i < d->n_parts; i++) {
        put_heading(d->parts[i].title);
        put_options(d->parts[i].table);
    }
    for (const struct pen_verb *v = d->verbs; v && v->name; v++) {
        printf(".SH \"PENSTOCK %s %s\"\n", v->noun, v->name);
        put_text(v->summary ? v->summary : "");
        putchar('\n');
        put_options(v->options);
    }
    printf(".SH SEE ALSO\n.BR penstock (1)%s\n", plugin ? ",\n.BR penstock\\-pipeline (5)" : "");
}
