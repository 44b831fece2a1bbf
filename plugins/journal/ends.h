/* ends.h - the two ends of the transport, put together in journal.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_JOURNAL_ENDS_H
#define PENSTOCK_JOURNAL_ENDS_H

#include "log.h"

extern const struct pen_option journal_options[];
extern const struct pen_source journal_source;
extern const struct pen_sink journal_sink;
extern const struct pen_verb journal_verbs[];
/* What the table of options cannot say. */
pen_status journal_check_options(const struct options *o, struct pen_error *err);

#endif
