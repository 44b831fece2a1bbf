/* ends.h - the parts of the plugin that delta.c puts into its descriptor. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_DELTA_ENDS_H
#define PEN_DELTA_ENDS_H

#include <penstock/plugin.h>

extern const struct pen_source delta_source;
extern const struct pen_table delta_table;
extern const struct pen_verb delta_verbs[];

#endif
