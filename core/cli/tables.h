/* tables.h - which plugin a table's or a transport's URL belongs to, for the commands that work without a pipeline.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CLI_TABLES_H
#define PENSTOCK_CLI_TABLES_H

#include "engine/host.h"
#include "engine/plugin.h"
#include "engine/stores.h"

struct pen_tables {
    struct pen_plugin_found *found; /* every plugin on the path */
    size_t n;
    struct pen_run_context run;
    struct pen_host host;           /* for the plugins that are asked */
    struct pen_open_stores *stores;
};

/* who: what the host says to plugins that ask for the stage's name: the command. Stores of the schemes that the n urls name are opened. */
pen_status pen_tables_open(struct pen_tables *t, const char *who, const char *const *urls, size_t n, struct pen_error *err);
void pen_tables_close(struct pen_tables *t);
/* The plugin that knows the URL as a table, by name the first. PEN_BADCONF where no plugin can be asked; PEN_FATAL where none knows it, or
 * it cannot be looked at. */
pen_status pen_tables_find(struct pen_tables *t, const char *url, const struct pen_plugin **plugin, struct pen_error *err);

#endif
