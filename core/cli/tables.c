/* tables.c - see tables.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/tables.h"

pen_status pen_tables_open(struct pen_tables *t, const char *who, const char *const *urls, size_t n, struct pen_error *err)
{
    pen_status st;
    memset(t, 0, sizeof *t);
    t->run.pipeline = who;
    t->run.state_path = "";
    t->run.clock = &pen_system_clock;
    t->run.lanes = 1;
    t->run.wake_fd = -1;
    t->host.run = &t->run;
    t->host.stage = who;
    st = pen_plugin_list(&t->found, &t->n, err);
    return st < 0 ? st : pen_stores_open(&t->stores, &t->run, NULL, urls, n, err);
}

void pen_tables_close(struct pen_tables *t)
{
    pen_stores_close(&t->stores, &t->run);
    free(t->found);
    t->found = NULL;
    t->n = 0;
}

/* The names of plugins that can be asked, for the message. */
static const char *asked(const struct pen_tables *t, char *buf, size_t size)
{
    size_t used = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < t->n && used < size; i++)
        if (t->found[i].plugin && t->found[i].plugin->table)
            used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "", t->found[i].name);
    return buf;
}

pen_status pen_tables_find(struct pen_tables *t, const char *url, const struct pen_plugin **plugin, struct pen_error *err)
{
    char names[256];
    struct pen_error first = { 0 };
    *plugin = NULL;
    for (size_t i = 0; i < t->n; i++) {
        const struct pen_plugin *p = t->found[i].plugin;
        struct pen_error why = { 0 };
        pen_status st = p && p->table ? p->table->probe(&t->host, url, &why) : PEN_SKIP;
        if (st == PEN_OK) {
            *plugin = p;
            return PEN_OK;
        }
        if (st < 0 && !first.msg[0])
            first = why;
    }
    if (first.msg[0])
        return pen_fail(err, PEN_FATAL, "%s", first.msg);
    if (!asked(t, names, sizeof names)[0])
        return pen_fail(err, PEN_BADCONF, "%s: no plugin that reads tables was found; is PENSTOCK_PLUGIN_PATH right?", url);
    if (!strstr(url, "://") && access(url, F_OK) != 0)
        return pen_fail(err, PEN_FATAL, "%s: there is no such file or folder", url);
    return pen_fail(err, PEN_FATAL, "%s is not a table of any plugin that was asked: %s", url, names);
}
