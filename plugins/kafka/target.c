/* target.c - see target.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "target.h"

#define OUTPUT "{output}"

bool target_is_fixed(const char *topic)
{
    return !strstr(topic, OUTPUT);
}

static bool is_legal(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return n > 0 && !name[n] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

pen_status target_name(const char *topic, const char *output, char out[TOPIC_SIZE], struct pen_error *err)
{
    const char *at = strstr(topic, OUTPUT);
    int n = at ? snprintf(out, TOPIC_SIZE, "%.*s%s%s", (int)(at - topic), topic, output, at + strlen(OUTPUT)) : snprintf(out, TOPIC_SIZE, "%s", topic);
    if (n < 0 || n >= TOPIC_SIZE || !is_legal(out))
        return pen_fail(err, PEN_BADDATA, "topic = %s: \"%.300s\" cannot be a topic's name: expected 1 to 249 letters, digits, dots, - and _", topic, out);
    return PEN_OK;
}
