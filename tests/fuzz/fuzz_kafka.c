/* fuzz_kafka.c - records of a positions topic: what is read must come back the same when it is written and read again.
 * Sources: this file, plugins/kafka/position.c. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "position.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char plan[PLAN_ID_SIZE], again[PLAN_ID_SIZE], text[PLAN_ID_SIZE + 128];
    struct pen_position at, back;
    size_t n;
    if (!position_read((const char *)data, size, plan, &at))
        return 0;
    n = position_write(text, sizeof text, plan, &at);
    if (strlen(plan) == strcspn(plan, "\"\\") && (!n || !position_read(text, n, again, &back) || strcmp(plan, again) != 0 || pen_position_compare(&at, &back) != 0))
        abort();
    return 0;
}
