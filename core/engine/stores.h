/* stores.h - opening the stores that a pipeline or a command line names by the schemes of its URLs. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_STORES_H
#define PENSTOCK_ENGINE_STORES_H

#include "config/config.h"
#include "engine/host.h"
#include "engine/store.h"

struct pen_open_stores;
/* Stores of every scheme in the values of c (may be NULL) and in the n urls, started, and made known to run->stores. Options come from
 * [defaults PLUGIN] of c; what is wrong with them goes to c->diags. Main thread, before lanes start. */
pen_status pen_stores_open(struct pen_open_stores **out, struct pen_run_context *run, struct pen_config *c, const char *const *urls, size_t n,
                           struct pen_error *err);
/* NULL is fine. After everything that could use one has ended. */
void pen_stores_close(struct pen_open_stores **stores, struct pen_run_context *run);

#endif
