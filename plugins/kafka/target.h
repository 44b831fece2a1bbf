/* target.h - which topic rows go to: `topic`, with {output} for the output that they were read from. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KAFKA_TARGET_H
#define PENSTOCK_KAFKA_TARGET_H

#include "kafka.h"

#define TOPIC_SIZE 250 /* 249 bytes are the most that a topic's name may have */

/* Whether `topic` names one topic, whatever is read. */
bool target_is_fixed(const char *topic);
/* PEN_BADDATA where no topic can have the name that comes out. */
pen_status target_name(const char *topic, const char *output, char out[TOPIC_SIZE], struct pen_error *err);

#endif
