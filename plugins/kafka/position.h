/* position.h - a position as the record of a topic: {"plan":"…","position":"1.2"}. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KAFKA_POSITION_H
#define PENSTOCK_KAFKA_POSITION_H

#include <penstock/plugin.h>

#define PLAN_ID_SIZE 160

/* How long it is; 0 where it does not fit. */
size_t position_write(char *out, size_t size, const char *plan, const struct pen_position *at);
/* False for anything else. */
bool position_read(const char *text, size_t n, char plan[PLAN_ID_SIZE], struct pen_position *at);

#endif
