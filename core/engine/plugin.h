/* plugin.h (engine) - finding, loading and refusing plugins.
 *
 * The search path is $PENSTOCK_PLUGIN_PATH (folders, colon separated), then the installed folder. A folder may hold NAME.so, NAME.la or
 * NAME/NAME.la. The first folder that has the plugin wins. What was loaded stays so until the process ends: descriptors are constants and
 * live as long. One thread at a time (the main thread, before lanes start).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_PLUGIN_H
#define PENSTOCK_ENGINE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>

#include <penstock/plugin.h>

/* What a section needs of its plugin. */
typedef enum { PEN_KIND_ANY, PEN_KIND_SOURCE, PEN_KIND_TRANSPORT, PEN_KIND_TRANSFORM, PEN_KIND_SINK, PEN_KIND_STORE, PEN_KIND_TABLE } pen_kind;

/* The descriptor, once ABI, name and kind are right; loading the same name again answers the same pointer. PEN_BADCONF: the message names
 * plugin, path and cause (missing and where it was looked for, an unresolved symbol, both ABI numbers, what kind it is); *suggestion (may
 * be NULL) then is NULL or the name of a plugin there is that may have been meant, valid until the process ends. */
pen_status pen_plugin_load(const char *name, pen_kind kind, const struct pen_plugin **out, const char **suggestion, struct pen_error *err);
/* Where a plugin was loaded from, NULL if it is not. */
const char *pen_plugin_path(const struct pen_plugin *plugin);
/* "source, sink, table": what the plugin can be, into buf, which is returned. */
const char *pen_plugin_kinds(const struct pen_plugin *plugin, char *buf, size_t size);

struct pen_plugin_found {
    const char *name, *path;
    const struct pen_plugin *plugin; /* NULL: broken */
    char reason[512];                /* why, or "" */
    const char *shadows;             /* another file of that name further down the path, which is not used; NULL: none */
};
/* Every plugin on the path, sorted by name, each loaded to see whether it can be. *found is the caller's, to free(). Order of n is that of
 * names. */
pen_status pen_plugin_list(struct pen_plugin_found **found, size_t *n, struct pen_error *err);

#endif
