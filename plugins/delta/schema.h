/* schema.h - the schema of a Delta table ("Schema Serialization Format"), to Arrow and back, and what may be appended to it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_DELTA_SCHEMA_H
#define PEN_DELTA_SCHEMA_H

#include "log.h"

/* A field as the log has it; the table itself is a struct. */
struct delta_field {
    const char *name;
    const char *type;      /* "string", "decimal(10,2)" …, or "struct", "array" (one child), "map" (key, value) */
    bool nullable;         /* of an array's child: containsNull; of a map's value: valueContainsNull */
    const char *metadata;  /* JSON text */
    size_t n;
    struct delta_field *children;
};

/* NULL, or what is wrong with the text. */
const char *delta_schema_parse(struct delta_field *out, struct delta_arena *arena, const char *text);
void delta_schema_write(struct delta_text *t, const struct delta_field *f);
/* PEN_BADCONF names a column whose type batches do not hold. url is for the message. */
pen_status delta_schema_to_arrow(const struct delta_field *f, const char *url, struct ArrowSchema *out, struct pen_error *err);
pen_status delta_schema_from_arrow(struct delta_field *out, struct delta_arena *arena, const struct ArrowSchema *in, struct pen_error *err);
/* Whether rows of `in` may be appended to `table`: the same type for each column; columns that `in` lacks must be nullable. Columns that the
 * table lacks are added to it (in the arena; *grew) where evolve is set and they are nullable. Else PEN_BADCONF saying which and why. */
pen_status delta_schema_fit(struct delta_field *table, const struct delta_field *in, bool evolve, bool *grew, struct delta_arena *arena,
                            const char *url, struct pen_error *err);

#endif
