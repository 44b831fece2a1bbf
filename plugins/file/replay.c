/* replay.c - see replay.h. The record need not be valid, for it is looked at before it is decoded. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "replay.h"

#include <string.h>

#include <penstock/records.h>

/* Behind the string whose opening quote is at p; end where it is not closed. */
static const char *behind_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && ++p == end)
            return end;
    return p < end ? p + 1 : end;
}

static const char *behind_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p;
}

/* The value of a key of the outermost object; NULL: none. */
static const char *value_of(const char *p, const char *end, const char *key)
{
    size_t n = strlen(key);
    for (int depth = 0; p < end;) {
        if (*p == '"') {
            const char *behind = behind_string(p, end), *colon = behind_space(behind, end);
            if (depth == 1 && colon < end && *colon == ':' && (size_t)(behind - p) == n + 2 && memcmp(p + 1, key, n) == 0)
                return behind_space(colon + 1, end);
            p = behind;
            continue;
        }
        depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
        p++;
    }
    return NULL;
}

static bool time_of(const char *json, size_t n, const char *column, int64_t *micros)
{
    const char *end = json + n, *p = value_of(json, end, column);
    double number;
    if (!p || p == end)
        return false;
    if (*p == '"') {
        const char *behind = behind_string(p, end);
        return behind - p >= 2 && pen_parse_timestamp(p + 1, (size_t)(behind - p) - 2, micros);
    }
    size_t k = 0;
    while (p + k < end && (strchr("+-.eE", p[k]) ? p[k] != '\0' : p[k] >= '0' && p[k] <= '9'))
        k++;
    if (k == 0 || k > 40 || !pen_json_number_to_float64(p, k, &number))
        return false;
    number *= number > 1e11 || number < -1e11 ? 1e3 : 1e6; /* milliseconds or seconds since 1970 */
    if (!(number > -9e18 && number < 9e18))
        return false;
    *micros = (int64_t)number;
    return true;
}

int64_t replay_due(struct replay *r, const char *json, size_t n, int64_t now)
{
    int64_t time, due = now;
    if (!time_of(json, n, r->column, &time))
        return now;
    pthread_mutex_lock(&r->lock);
    if (!r->begun) {
        r->begun = true;
        r->first = time;
        r->at = now;
    }
    double after = ((double)time - (double)r->first) / r->speed;
    if (after > 0)
        due = after < 4e18 ? r->at + (int64_t)after : INT64_MAX;
    pthread_mutex_unlock(&r->lock);
    return due;
}
