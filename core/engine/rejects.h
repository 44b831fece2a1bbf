/* rejects.h - what a transform says during apply(): rows left out, and where output rows come from.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_REJECTS_H
#define PENSTOCK_ENGINE_REJECTS_H

#include <penstock/plugin.h>

struct pen_rejected_row {
    int64_t row; /* of the input */
    char reason[200];
};

/* Start it as { 0 }; reused from batch to batch. Memory that runs out is remembered in `failed`. */
struct pen_rejects {
    struct pen_rejected_row *rows;
    size_t n, cap;
    int64_t *origin;
    int64_t n_origin, cap_origin;
    bool has_origin, failed;
};

void pen_rejects_reset(struct pen_rejects *r);
void pen_rejects_fini(struct pen_rejects *r);
/* Position words of the output rows, given those of the n input rows (in_words NULL: first, first+1, …). With nothing rejected and no origin it
 * answers in_words itself. *owned is malloc'ed where it had to be made (free() it), else NULL. PEN_FATAL when the row numbers or the number of output rows
 * do not fit what the transform said. */
pen_status pen_rejects_words(const struct pen_rejects *r, const uint64_t *in_words, uint64_t first, int64_t n_in, int64_t n_out,
                             const uint64_t **out_words, uint64_t **owned, struct pen_error *err);

#endif
