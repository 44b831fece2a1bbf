/* pattern.h - Spark's datetime patterns ("yyyy-MM-dd HH:mm:ss"): times to text and back, in UTC.
 * Source: Apache Spark, SQL reference, "Datetime Patterns for Formatting and Parsing". Known are y M L d D Q q E a h H k K m s S (fraction), the zone
 * letters V z O X x Z, 'quoted text' and any character that is no letter.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_DATA_PATTERN_H
#define PENSTOCK_DATA_PATTERN_H

#include "data/cell.h"

/* Adds the text of a time. PEN_BADCONF: the pattern has a letter or a count that is not known. */
pen_status pen_pattern_format(struct pen_text *out, const char *pattern, size_t n, int64_t micros, struct pen_error *err);
/* Reads the whole of text. PEN_SKIP: it does not have this form, or the day does not exist. A letter alone takes any number of digits, several
 * take exactly as many (yyyy: four or more). */
pen_status pen_pattern_parse(const char *pattern, size_t n, const char *text, size_t text_n, int64_t *micros, struct pen_error *err);

#endif
