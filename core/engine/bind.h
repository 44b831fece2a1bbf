/* bind.h - the plugins that a configuration names: loaded, of the right kind, with every option of every stage checked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_BIND_H
#define PENSTOCK_ENGINE_BIND_H

#include <penstock/plugin.h>

#include "config/config.h"

/* plugins[i] becomes the plugin of c->stages[i], or NULL where it could not be had; what is wrong (no such plugin, wrong kind, options)
 * goes to c->diags, also for the [defaults] of plugins in use. The options are applied to contexts that are thrown away; the engine applies
 * them again to those that live, which then cannot fail but for memory. PEN_FATAL: memory is short. */
pen_status pen_bind(struct pen_config *c, const struct pen_plugin **plugins, struct pen_error *err);
/* The table of options that a stage takes: of its source, transform or sink; both ends of a transport have one. */
const struct pen_option *pen_bind_options(pen_stage_kind kind, const struct pen_plugin *plugin);

#endif
