/* field.h - one field of a message, found in its JSON without decoding the rest. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_FIELD_H
#define PEN_S3_FIELD_H

#include <penstock/records.h>

/* The JSON text of the value under a path ("user.country": a dot leads into an object), within json. Of a name given twice the last counts. False where
 * there is none, or the text is no object as far as it is read. */
bool field_find(const char *json, size_t n, const char *path, const char **value, size_t *value_n);
/* That value as text, appended: what a string says, a number or true or false as it is. False for all else, and for strings that are no valid UTF-8. */
bool field_text(const char *value, size_t n, struct pen_text *out);
/* That value as microseconds since 1970: a number counts milliseconds, a text is a time as the cleaners take it. */
bool field_time(const char *value, size_t n, int64_t *micros);

#endif
