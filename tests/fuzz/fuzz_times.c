/* fuzz_times.c - times out of text: what is read must come back the same through the text made of it, and a pattern must stay within its bounds.
 * Sources: this file, core/libpenstock; include path core/. Input: the first byte says how many of the rest are the pattern.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "data/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(int64_t micros)
{
    char text[PEN_TIME_TEXT];
    int64_t again;
    if (micros < INT64_C(-62135596800000000) || micros > INT64_C(253402300799999999)) /* years 1 to 9999 */
        return;
    if (!pen_timestamp_parse(text, pen_timestamp_text(text, micros), &again) || again != micros)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = size ? data[0] : 0;
    struct pen_text out = { 0 };
    int64_t micros = 0;
    if (size == 0 || n > size - 1)
        return 0;
    data++;
    size--;
    if (pen_timestamp_parse((const char *)data, size, &micros))
        same_again(micros);
    if (pen_pattern_parse((const char *)data, n, (const char *)data + n, size - n, &micros, NULL) == PEN_OK)
        same_again(micros);
    pen_pattern_format(&out, (const char *)data, n, micros, NULL);
    pen_text_fini(&out);
    return 0;
}
