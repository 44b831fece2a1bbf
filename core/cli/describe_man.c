/* describe_man.c - a description as a manual page (groff's man macros). SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/describe.h"
#include "config/option.h"

#define LINE 72 /* characters after which a line of the source ends */

static void put_char(char c)
{
    if (c == '\\')
        printf("\\e");
    else if (c == '-')
        printf("\\-");
    else if (c == '"')
        printf("\\(dq");
    else
        putchar(c);
}

/* Text as roff takes it: no line of it is a request, a minus is a minus, a paragraph begins where an empty line was. */
static void put_text(const char *text)
{
    bool line_start = true;
    int column = 0;
    for (; *text; text++) {
        if (text[0] == '\n' && text[1] == '\n') {
            printf("\n.PP\n");
            text++;
            line_start = true;
            column = 0;
            continue;
        }
        if (line_start && (*text == '.' || *text == '\''))
            printf("\\&");
        line_start = *text == '\n' || (*text == ' ' && column > LINE && text[1]);
        column = line_start ? 0 : column + 1;
        put_char(line_start ? '\n' : *text);
    }
}

/* The same on one line, as a tag must be. */
static void put_line(const char *text)
{
    for (; *text; text++)
        put_char(*text);
}

static void put_capitals(const char *text)
{
    for (; *text; text++)
        put_char(*text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text);
}

static void put_options(const struct pen_option *table)
{
    char type[300];
    for (const struct pen_option *o = table; o && o->name; o++) {
        printf(".TP\n\\fB");
        put_line(o->name);
        printf("\\fR%s (", o->type == PEN_OPT_PAIRS ? "\\fINAME\\fR" : "");
        put_line(pen_describe_type(o, type, sizeof type));
        printf(")\n");
        put_text(o->doc ? o->doc : "");
        putchar('\n');
    }
}

static void put_heading(const char *title)
{
    printf(".SH \"");
    put_capitals(title);
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
    printf(".TH PENSTOCK\\-");
    put_capitals(d->name);
    printf(" %s \"" PACKAGE_DATE "\" \"penstock " PACKAGE_VERSION "\" \"Penstock\"\n", plugin ? "7" : "5");
    printf(".SH NAME\npenstock\\-%s \\- ", d->name);
    put_line(d->summary ? d->summary : "");
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
        if (!d->parts[i].table->name)
            printf("It takes no options.\n");
        put_options(d->parts[i].table);
    }
    for (const struct pen_verb *v = d->verbs; v && v->name; v++) {
        printf(".SH \"PENSTOCK %s %s\"\n", v->noun, v->name);
        put_text(v->summary ? v->summary : "");
        putchar('\n');
        put_options(v->options);
    }
    printf(".SH SEE ALSO\n.BR penstock (1),\n.BR penstock.ini (5)%s\n", plugin ? ",\n.BR penstock\\-pipeline (5)" : "");
}
