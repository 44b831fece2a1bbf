/* state.h - the pipeline's local folder: its lock, what sinks without a log have been given, and what the others were seen to show.
 *
 * Losing it loses nothing of sinks that show positions themselves. Control threads of several segments share it; every function locks.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_STATE_H
#define PENSTOCK_ENGINE_STATE_H

#include <penstock/plugin.h>

struct pen_state;

/* Makes the folder where it is missing and locks it; PEN_FATAL naming the process that holds it. */
pen_status pen_state_open(struct pen_state **out, const char *path, struct pen_error *err);
void pen_state_close(struct pen_state **s);

typedef pen_status (*pen_state_each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err);

/* Positions of sinks that show nothing: all whose key begins with prefix. */
pen_status pen_state_shown(struct pen_state *s, const char *prefix, pen_state_each each, void *arg, struct pen_error *err);
pen_status pen_state_get(struct pen_state *s, const char *key, struct pen_position *pos, struct pen_error *err); /* n = 0: none */
/* Makes a plan durable before it is published to such a sink: at most one a sink is open. */
pen_status pen_state_save_plan(struct pen_state *s, const char *sink, const struct pen_plan *plan, struct pen_error *err);
/* The open plan of a sink, or PEN_SKIP. *out is the caller's, to end with pen_plan_free(). */
pen_status pen_state_load_plan(struct pen_state *s, const char *sink, struct pen_plan **out, struct pen_error *err);
void pen_plan_free(struct pen_plan **p);
/* The plan is published: its moves become the sink's positions. */
pen_status pen_state_finish_plan(struct pen_state *s, const char *sink, const struct pen_plan *plan, struct pen_error *err);
/* The plan can never be whole: from now on it is one that is being taken back; its id is "". */
pen_status pen_state_refuse_plan(struct pen_state *s, const char *sink, struct pen_error *err);
/* The plan was refused: it goes, and moves nothing. */
pen_status pen_state_drop_plan(struct pen_state *s, const char *sink, struct pen_error *err);

/* What a sink that shows positions itself was last seen to show: a hint, to notice a table that went back in time. Written now and then. */
pen_status pen_state_remember(struct pen_state *s, const char *key, const struct pen_position *pos, struct pen_error *err);
pen_status pen_state_remembered(struct pen_state *s, const char *key, struct pen_position *pos, struct pen_error *err);
/* Writes what pen_state_remember() was told. */
pen_status pen_state_flush(struct pen_state *s, struct pen_error *err);

#endif
