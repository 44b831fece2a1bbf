/* intake.h - the engine's side of <penstock/records.h>: where the bytes that a source feeds become batches.
 *
 * An intake builds one batch for each of its targets: raw messages, or columns decoded against a wanted schema. It belongs to one lane and
 * is used by one thread at a time:  begin, the source's read() feeding it, finish, the accessors, begin again.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_INTAKE_H
#define PENSTOCK_DATA_INTAKE_H

#include <penstock/batch.h>
#include <penstock/plugin.h>

/* A record that some target could not take. Valid until the next begin. */
struct pen_rejected {
    uint32_t target;      /* index of the target, UINT32_MAX: all of them (the source's own rejections, overlong records) */
    uint64_t position;    /* last word of its position */
    int64_t ordinal;      /* which record since begin, from 0; records are counted alike for all targets */
    const char *bytes;    /* the record; its first 64 KiB where it is longer than max_record */
    size_t n;
    uint64_t length;      /* the whole record's */
    const char *reason;   /* one line */
};

/* wants[i] is the struct schema that target i is decoded against, NULL for raw messages; schemas are copied. PEN_BADCONF for a wanted field of a
 * type that JSON does not give. */
pen_status pen_intake_new(struct pen_intake **out, const struct ArrowSchema *const *wants, size_t n_targets, size_t max_record,
                          struct pen_error *err);
void pen_intake_free(struct pen_intake **in);
/* Forgets what the last finish left. */
void pen_intake_begin(struct pen_intake *in);
/* Fills out[0 … n_targets), one batch each; with no rows length is 0. Out of memory while feeding is answered here, with no batch set. */
pen_status pen_intake_finish(struct pen_intake *in, struct ArrowArray *out, struct pen_error *err);

/* Positions of records whose sources gave them whole; NULL where none did. Where there are some, what is called a last word of a position here is an
 * index into these. */
const struct pen_position *pen_intake_wide(const struct pen_intake *in);
/* After finish: the last position word of each row of target i's batch, in order. */
const uint64_t *pen_intake_positions(const struct pen_intake *in, size_t target);
const struct pen_rejected *pen_intake_rejected(const struct pen_intake *in, size_t *n);
/* Rows of column c of target i's batch where something was nulled because it did not fit the type. 0 for raw targets. */
int64_t pen_intake_nulled(const struct pen_intake *in, size_t target, size_t column);

#endif
