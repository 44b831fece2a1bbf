/* layout.h - the folder of a message in the archive, out of its fields and its time. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_LAYOUT_H
#define PEN_S3_LAYOUT_H

#include <penstock/plugin.h>

#include "zone.h"

enum { LAYOUT_FIELDS = 8, LAYOUT_NAME = 64, LAYOUT_VALUE = 128 }; /* LAYOUT_VALUE: of a value, escaped, and its NUL */

/* Options, and what was made of them. */
struct layout {
    struct pen_strings fields;            /* partition_by */
    const char *pattern, *field, *zone_name;
    struct zone *zone;
};
pen_status layout_start(struct layout *l, struct pen_error *err);
void layout_stop(struct layout *l);

/* Whether objects are told apart by more than their partition. */
static inline bool layout_is_plain(const struct layout *l)
{
    return !l->fields.n && !l->pattern;
}

/* When a message happened: its field, or what the transport says; INT64_MIN: not known. */
int64_t layout_time(const struct layout *l, const char *value, size_t n, int64_t timestamp);
/* Appends what lies between topic and object: "country=UK/year=2024", each value escaped. `when` as layout_time() says; false: some value is not known, and
 * stands as Hive writes it. */
bool layout_folder(const struct layout *l, const char *value, size_t n, int64_t when, struct pen_text *out);

#endif
