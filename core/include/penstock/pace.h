/* pace.h - a steady rate for sources: how much may go now, and when there is more.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PACE_H
#define PENSTOCK_PACE_H

#include <stdint.h>

#include <penstock/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Shared by the readers of a source; any thread. NULL stands for no limit in every function. */
struct pen_pace;

/* per_second: option PEN_OPT_RATE; 0 gives NULL. */
pen_status pen_pace_new(struct pen_pace **out, double per_second, struct pen_error *err);
void pen_pace_free(struct pen_pace **p);
/* How many of `want` may go at `now` (pen_now(), microseconds). They count as gone; give back what did not go. The first may go at once; what
 * was left undone for more than a second is not caught up. */
int64_t pen_pace_take(struct pen_pace *p, int64_t now, int64_t want);
void pen_pace_give_back(struct pen_pace *p, int64_t n);
/* When to ask again: at fast rates not for every single one, but some twenty times a second. */
int64_t pen_pace_at(struct pen_pace *p);

#ifdef __cplusplus
}
#endif
#endif
