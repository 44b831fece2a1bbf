/* sequence.h - Kinesis' sequence numbers: up to 56 decimal digits, kept as three 64-bit words, the highest first.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KINESIS_SEQUENCE_H
#define PENSTOCK_KINESIS_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEQ_DIGITS 56
#define SEQ_TEXT (58 + 1) /* the most digits that three words make, and a NUL */

struct seq {
    uint64_t w[3];
};

/* The digits alone, no sign, no zero in front of others, at most SEQ_DIGITS of them; else false, and *out stays. */
bool seq_parse(const char *text, struct seq *out);
/* Returns buf. */
const char *seq_format(char buf[SEQ_TEXT], const struct seq *s);
int seq_compare(const struct seq *a, const struct seq *b);
static inline bool seq_is_zero(const struct seq *s)
{
    return !s->w[0] && !s->w[1] && !s->w[2];
}
/* The numbers before and behind; what wraps around does so. */
struct seq seq_next(struct seq s);
struct seq seq_previous(struct seq s);

#endif
