/* chain.h - positions that are no words: the set of files that a source has read, kept as a chain of small objects beside the table.
 *
 * Version N of the chain is the object URL/N (20 digits), put if absent before the table's log moves to N; a number that is taken is passed over. An
 * entry names the version before it and holds what changed since; every hundredth holds the whole. Lines of JSON; doc/commits.md has the format.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_CHAIN_H
#define PENSTOCK_ENGINE_CHAIN_H

#include <penstock/plugin.h>

struct pen_chain;

/* Opens the chain below URL at the version that the sink shows (0: none yet). fsync false: entries need not survive a power cut. */
pen_status pen_chain_open(struct pen_chain **out, const struct pen_host *host, const char *url, uint64_t version, bool fsync,
                          struct pen_error *err);
void pen_chain_free(struct pen_chain **c);
uint64_t pen_chain_version(const struct pen_chain *c);
typedef pen_status (*pen_chain_each)(void *arg, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err);
/* Everything that version holds. */
pen_status pen_chain_list(const struct pen_chain *c, pen_chain_each each, void *arg, struct pen_error *err);
/* n = 0: not in it. */
pen_status pen_chain_get(struct pen_chain *c, const char *name, const char *incarnation, struct pen_position *out, struct pen_error *err);
/* Says where a partition will be at the next version; nothing is written yet. */
pen_status pen_chain_set(struct pen_chain *c, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err);
/* Puts the next entry with what was set since; *version is its number. */
pen_status pen_chain_put(struct pen_chain *c, const char *plan_id, uint64_t *version, struct pen_error *err);
/* The table has moved to it: it is the chain's version now, and entries nobody needs any more go. Or it has not: forget what was set. */
void pen_chain_settle(struct pen_chain *c, bool published);

#endif
