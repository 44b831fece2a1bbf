/* ini.h - an INI file, its sections and raw `key = value`s with their places, read into a configuration. Internal to core/config.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CONFIG_INI_H
#define PENSTOCK_CONFIG_INI_H

#include "config/config.h"

#define PEN_INI_FILE_MAX (4u << 20)     /* bytes of one file */
#define PEN_INI_TOTAL_MAX (16u << 20)   /* of all files of a configuration */
#define PEN_INI_SECTIONS_MAX 10000u
#define PEN_INI_SETTINGS_MAX 100000u
#define PEN_INI_DEPTH_MAX 8             /* of includes */
#define PEN_INI_SECRET_MAX (1u << 20)   /* bytes of what ${file:} reads */

/* files.c: reads `path` and what it includes; `from` is the place of the include, file NULL for the pipeline's own. What is wrong goes to
 * c->diags. False when memory is short, here and below. */
bool pen_ini_read_file(struct pen_config *c, const char *path, struct pen_place from);
/* The same of text at hand. */
bool pen_ini_read_text(struct pen_config *c, const char *name, const char *text, size_t n);
/* A file whose lines can be quoted; NULL when memory is short. */
struct pen_text_file *pen_text_file_add(struct pen_config *c, const char *name, const char *bytes, size_t n);
/* At most `limit` bytes of a file, malloc'ed, with a NUL behind. False with errno; EFBIG where there are more. */
bool pen_read_whole(const char *path, size_t limit, char **bytes, size_t *n);
/* A path as seen from the folder of the file `relative_to`. NULL when memory is short. */
const char *pen_relative_path(struct pen_arena *mem, const char *relative_to, const char *path, size_t n);

/* ini.c: the sections and settings of one file. */
bool pen_ini_parse(struct pen_config *c, struct pen_text_file *file);

/* interpolate.c. */
/* Puts ${…} into the raw text of a value; s->spans are those of the raw text before, of the value after. `relative_to` is the file that
 * ${file:} is relative to. False when memory is short. */
bool pen_interpolate(struct pen_config *c, struct pen_setting *s, const char *relative_to);
/* Where in a line a secret begins, by the look of it (a key such as `password`, a password in a URL); UINT32_MAX: nowhere. */
uint32_t pen_secret_part(const char *line, size_t n);
/* Keeps the value of a setting out of every quoted line, unless it is nothing but a reference. */
void pen_setting_hide(struct pen_setting *s);

/* config.c. NULL when memory is short. */
struct pen_section *pen_section_add(struct pen_config *c, const char *kind, const char *name, struct pen_place place);
struct pen_setting *pen_setting_add(struct pen_config *c, struct pen_section *section);

#endif
