/* zone.h - local times of a zone of the tz database, whatever zone the process itself is in. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_ZONE_H
#define PEN_S3_ZONE_H

#include <penstock/error.h>
#include <stddef.h>
#include <stdint.h>

struct zone;
/* "Europe/London", out of $TZDIR or /usr/share/zoneinfo; "UTC" or "+05:30" need no file. PEN_BADCONF where there is no such zone. */
pen_status zone_open(struct zone **out, const char *name, struct pen_error *err);
/* The same from the bytes of such a file (RFC 8536); name is for messages. */
pen_status zone_parse(struct zone **out, const char *name, const unsigned char *bytes, size_t n, struct pen_error *err);
void zone_free(struct zone **z);
/* Seconds by which local time is ahead of UTC at `seconds` since 1970. Any thread. */
int64_t zone_offset(const struct zone *z, int64_t seconds);

#endif
