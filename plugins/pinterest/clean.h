/* clean.h - what the cleaners of posts, places and users share: null markers, counts, whole numbers, times, text of typed columns.
 *
 * The rules are those of the cleaners' section of the design. A field comes either out of JSON, decoded to the type that the cleaner
 * asked for, or as a typed column of another type (a database's); a value of a typed column is treated as the JSON value that it would be
 * sent as: an integer, decimal or double is a number, a VARCHAR or a DATETIME a string, NULL is null. So a row gives the same, whether it
 * went through a topic as JSON or came straight from the table.
 *
 * Nothing here keeps state between calls; functions that make an array leave *out untouched when they fail.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PINTEREST_CLEAN_H
#define PENSTOCK_PINTEREST_CLEAN_H

#include <penstock/plugin.h>

/* -- columns of a batch ----------------------------------------------------------------------------------------------------- */

/* Where a field lies in the batches that come, and what it is there. */
struct clean_field {
    int64_t index;
    pen_type type;
    int scale;      /* of a decimal128 */
    bool json_text; /* utf8 that holds JSON text (PEN_FIELD_JSON_TEXT) */
};

/* Finds a field by name; PEN_BADCONF where there is none. */
pen_status clean_field_find(struct clean_field *f, const struct ArrowSchema *in, const char *name, struct pen_error *err);
/* Releases the n arrays of v that are set. */
void clean_release(struct ArrowArray *v, size_t n);
/* Counts n values of a column that became null, if any: `nulled_total` for those that did not fit. */
void clean_count_unfit(const struct pen_host *host, const char *column, int64_t n);

/* -- null markers (markers.c) ----------------------------------------------------------------------------------------------- */

/* The texts that stand for null in one column: those of all columns and its own. */
struct clean_markers {
    struct pen_strings lists[2];
    uint64_t lengths; /* bit n: some marker has n bytes; bit 63: one has 63 or more */
};

void clean_markers_init(struct clean_markers *m, const struct pen_strings *everywhere, const struct pen_strings *own);
/* Whether these bytes are one of the markers, all but its length looked at: ask clean_may_be_marker() first. */
bool clean_is_marker(const struct clean_markers *m, const char *text, size_t n);

static inline bool clean_may_be_marker(const struct clean_markers *m, size_t n)
{
    return m->lengths >> (n < 63 ? n : 63) & 1;
}

/* A utf8 column with its markers null; shares the values. *hits is raised by how many there were. */
pen_status clean_markers_apply(const struct clean_markers *m, const struct ArrowArray *in, struct ArrowArray *out, int64_t *hits,
                               struct pen_error *err);

/* -- numbers (numbers.c) ---------------------------------------------------------------------------------------------------- */

/* A count as people write it: digits, perhaps a point and digits, perhaps k, M or B right after them, white space around it ignored;
 * what is left of a fraction is cut. False for anything else and beyond int32. */
bool clean_count(const char *text, size_t n, int32_t *out);
/* Row `row` of a column of numbers, its fraction cut; *exact says whether there was none. False where the column holds no numbers, the
 * value is none (NaN), or beyond int32. The row must not be null. */
bool clean_int32(const struct pen_column *c, const struct clean_field *f, int64_t row, int32_t *out, bool *exact);
/* The same as a double, which must be finite. */
bool clean_float64(const struct pen_column *c, const struct clean_field *f, int64_t row, double *out);
/* The rows of a column as whole numbers; what is none becomes null and raises *unfit. An int32 column is shared; else b, an int32
 * builder, makes the new one. */
pen_status clean_whole(struct pen_builder *b, const struct ArrowArray *batch, const struct clean_field *f, struct ArrowArray *out,
                       int64_t *unfit, struct pen_error *err);
/* The key of every row (an index), as a column of int32 without nulls. Rows that have none are rejected; *kept is then the batch
 * without them, else its release stays NULL. `schema` is that of the batch. */
pen_status clean_key(struct pen_builder *b, const struct ArrowSchema *schema, const struct ArrowArray *batch, const struct clean_field *f,
                     struct ArrowArray *out, struct ArrowArray *kept, struct pen_rejects *rejects, struct pen_error *err);

/* -- times (times.c) -------------------------------------------------------------------------------------------------------- */

/* The rows of a column as timestamps; what is none becomes null and raises *unfit. A timestamp column is shared; text is read as
 * pen_parse_timestamp() does by b, a timestamp builder. */
pen_status clean_times(struct pen_builder *b, const struct ArrowArray *batch, const struct clean_field *f, struct ArrowArray *out,
                       int64_t *unfit, struct pen_error *err);

/* -- text (text.c) ---------------------------------------------------------------------------------------------------------- */

/* A batch's column of any type as utf8: text as it is (shared), all else as the text of its JSON value. `schema` is that of the batch. */
pen_status clean_text(const struct ArrowArray *batch, const struct ArrowSchema *schema, const struct clean_field *f, struct ArrowArray *out,
                      struct pen_error *err);

#endif
