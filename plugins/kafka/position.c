/* position.c - a position as the record of a topic. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "position.h"

size_t position_write(char *out, size_t size, const char *plan, const struct pen_position *at)
{
    int n = snprintf(out, size, "{\"plan\":\"%s\",\"position\":\"", plan);
    for (uint32_t i = 0; i < at->n && n > 0 && (size_t)n < size; i++)
        n += snprintf(out + n, size - (size_t)n, "%s%" PRIu64, i ? "." : "", at->w[i]);
    if (n > 0 && (size_t)n < size)
        n += snprintf(out + n, size - (size_t)n, "\"}");
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* Moves past `text` at *at; false where something else stands there. */
static bool pass(const char **at, const char *end, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(end - *at) < n || memcmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

static bool pass_number(const char **at, const char *end, uint64_t *v)
{
    const char *first = *at;
    *v = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (*v > (UINT64_MAX - digit) / 10)
            return false;
        *v = *v * 10 + digit;
    }
    return *at > first;
}

bool position_read(const char *text, size_t n, char plan[PLAN_ID_SIZE], struct pen_position *at)
{
    const char *end = text + n, *first;
    struct pen_position p = { 0 };
    if (!pass(&text, end, "{\"plan\":\""))
        return false;
    for (first = text; text < end && *text != '"' && *text != '\\'; text++)
        ;
    if (text - first >= PLAN_ID_SIZE)
        return false;
    memcpy(plan, first, (size_t)(text - first));
    plan[text - first] = '\0';
    if (!pass(&text, end, "\",\"position\":\""))
        return false;
    while (p.n < 4 && pass_number(&text, end, &p.w[p.n])) {
        p.n++;
        if (!pass(&text, end, "."))
            break;
    }
    *at = p;
    return pass(&text, end, "\"}") && text == end;
}
