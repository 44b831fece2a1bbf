/* encode.h - whole batches as JSON, for transports that carry messages. Rows one by one: <penstock/records.h>.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_ENCODE_H
#define PENSTOCK_DATA_ENCODE_H

#include <penstock/batch.h>
#include <penstock/records.h>

struct pen_json_encoder;

/* For batches of this schema, which is copied. One thread at a time. */
pen_status pen_json_encoder_new(struct pen_json_encoder **out, const struct ArrowSchema *schema, struct pen_error *err);
void pen_json_encoder_free(struct pen_json_encoder **e);
/* A batch of raw messages (pen_schema_raw): value is the row as JSON, all else null. */
pen_status pen_json_encoder_batch(struct pen_json_encoder *e, const struct ArrowArray *in, struct ArrowArray *out, struct pen_error *err);

/* A double: the fewest digits that read back the same, with a point or an exponent; null where it is no finite number. */
void pen_json_encode_float(struct pen_text *t, double v);

#endif
