/* driver.h - one transform alone: its options, the real intake before it, its rows as text behind it.
 * The counters that a transform raises are kept here; so the test that includes this brings pen_count() itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_PINTEREST_DRIVER_H
#define PENSTOCK_TESTS_PINTEREST_DRIVER_H

#include <stdio.h>

#include <penstock/plugin.h>

#include "config/arena.h"
#include "data/intake.h"
#include "engine/rejects.h"

extern const struct pen_plugin pin_LTX_pen_plugin, geo_LTX_pen_plugin, user_LTX_pen_plugin;

struct driver {
    const struct pen_transform *transform;
    void *ctx;
    struct pen_arena memory;
    struct ArrowSchema want, out;
    struct pen_intake *intake; /* NULL: it is given typed columns */
    struct pen_rejects rejects;
};

/* Starts the transform with options ("name", "value", …, NULL; NULL: none) on decoded JSON, or on columns of schema `typed`. Ends the
 * program where that fails: nothing can be tested then. */
void driver_open(struct driver *d, const struct pen_plugin *plugin, const char *const *options, const struct ArrowSchema *typed);
void driver_close(struct driver *d);
/* Lines of JSON through the intake and the transform; *rejected (may be NULL): how many the intake refused. */
pen_status driver_lines(struct driver *d, const char *lines, size_t n, struct ArrowArray *out, size_t *rejected, struct pen_error *err);
pen_status driver_batch(struct driver *d, const struct ArrowArray *in, struct ArrowArray *out, struct pen_error *err);
/* The value of a row of an output column as text: null, a number, text as it is, [a, b], microseconds. Returns buf. */
const char *driver_show(const struct driver *d, const struct ArrowArray *batch, const char *column, int64_t row, char *buf, size_t size);
/* A whole row as a JSON line, as the reference writes it. */
void driver_print_row(const struct driver *d, const struct ArrowArray *batch, int64_t row, FILE *to);
/* What pen_count() was told for this counter and label since the last call. */
int64_t driver_counted(const char *name, const char *label);

#endif
