/* metrics.h - counters and gauges by stage, name and label. Any thread; adding to one costs an atomic add on a slot of the thread's own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_OPS_METRICS_H
#define PENSTOCK_OPS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <penstock/error.h>

struct pen_metrics; /* one registry for each run */
struct pen_metric;  /* one series; lives as long as its registry */

pen_status pen_metrics_new(struct pen_metrics **out, struct pen_error *err);
void pen_metrics_free(struct pen_metrics **m);
/* The series of stage, name and label (NULL: none), made at first use; keep it where it is used often. Names are snake_case; counters end in
 * "_total". NULL when memory is short or a registry holds its 10,000 series: adding to NULL is fine and lost. */
struct pen_metric *pen_metrics_get(struct pen_metrics *m, const char *stage, const char *name, const char *label, bool gauge);
void pen_metric_add(struct pen_metric *s, int64_t n);
void pen_metric_set(struct pen_metric *s, double value);

struct pen_metric_value {
    const char *stage, *name, *label; /* label NULL: none. Owned by the registry */
    bool gauge;
    int64_t count; /* of a counter */
    double value;  /* of a gauge */
};
/* All of them as they are now, sorted by stage, name, label; *out is the caller's, to free(). */
pen_status pen_metrics_snapshot(struct pen_metrics *m, struct pen_metric_value **out, size_t *n, struct pen_error *err);
/* The value of one counter now, 0 where there is none. */
int64_t pen_metrics_count(struct pen_metrics *m, const char *stage, const char *name, const char *label);

#endif
