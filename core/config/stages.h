/* stages.h - between config.c, stages.c and apply.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CONFIG_STAGES_H
#define PENSTOCK_CONFIG_STAGES_H

#include "config/config.h"

bool pen_stage_kind_of(const char *text, pen_stage_kind *out);
/* Stages, inputs and their mistakes, out of the sections. False when memory is short. */
bool pen_stages_read(struct pen_config *c);
/* The first section of this kind (and name, where not NULL). */
struct pen_section *pen_config_section(const struct pen_config *c, const char *kind, const char *name);
/* Applies a table: values of `section`, else of `defaults`, else the table's; either may be NULL. Keys of `core` are left alone. `head` is where
 * missing options are reported, `what` names the section there. */
pen_status pen_apply_section(struct pen_config *c, const struct pen_section *section, const struct pen_section *defaults, const char *what,
                             const struct pen_option *table, const struct pen_option *core, struct pen_place head, void *ctx);

#endif
