/* conform.h - columns as the next stage wants them: picked and ordered by name, sharing what is there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_CONFORM_H
#define PENSTOCK_DATA_CONFORM_H

#include <penstock/batch.h>

struct pen_conform;

/* Prepares to hand batches of schema `in` to a stage that wants `want`; *result (the caller's) is the schema of what it will get: the wanted
 * fields in their order, each with the type that `in` has, or the wanted one where it is missing. PEN_BADCONF where a field that must not be
 * null is missing. One thread at a time may use it. */
pen_status pen_conform_new(struct pen_conform **out, const struct ArrowSchema *in, const struct ArrowSchema *want, struct ArrowSchema *result,
                           struct pen_error *err);
void pen_conform_free(struct pen_conform **c);
pen_status pen_conform_apply(struct pen_conform *c, const struct ArrowArray *in, struct ArrowArray *out, struct pen_error *err);

#endif
