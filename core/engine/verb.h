/* verb.h - verbs of plugins, run by `penstock table`, `penstock transport` and by a source that asks what lies behind it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_VERB_H
#define PENSTOCK_ENGINE_VERB_H

#include <penstock/plugin.h>

#include "config/arena.h"

/* The plugin's verb of this noun and name (NULL: any), or NULL. */
const struct pen_verb *pen_verb_of(const struct pen_plugin *p, const char *noun, const char *name);
/* Sets a table's options into ctx: those given by name, else the defaults; names of other tables are passed over. PEN_BADCONF speaks of --NAME. */
pen_status pen_options_set(const struct pen_option *table, const struct pen_pairs *given, void *ctx, struct pen_arena *mem, struct pen_error *err);
/* Runs v with its own options; stage as struct pen_verb has it. */
pen_status pen_verb_run(const struct pen_verb *v, const struct pen_pairs *options, const void *stage, const struct pen_host *host, const char *name,
                        struct ArrowSchema *schema, struct ArrowArray *batch, struct pen_error *err);

#endif
