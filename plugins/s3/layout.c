/* layout.c - folders as Hive names them: NAME=VALUE. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "field.h"
#include "layout.h"

#define UNKNOWN "__HIVE_DEFAULT_PARTITION__"

/* -- options ---------------------------------------------------------------------------------------------------------------------------------------- */

static pen_status check_pattern(const char *pattern, struct pen_error *err)
{
    bool any = false;
    for (const char *p = pattern; *p; p++) {
        bool begins = p == pattern || p[-1] == '/';
        if (*p == '%' && p[1] && strchr("YmdHM", p[1])) {
            any = true;
            p++;
        } else if (*p == '%' || (*p == '/' && (begins || !p[1])) || (*p == '.' && begins) ||
                   !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-=./", *p)) {
            any = false;
            break;
        }
    }
    return any && strlen(pattern) <= 200 ? PEN_OK
                                         : pen_fail(err, PEN_BADCONF,
                                                    "partition_time = \"%s\": expected folders of letters, digits, '_', '-', '=', '.' and %%Y %%m %%d %%H %%M, "
                                                    "such as year=%%Y/month=%%m/day=%%d",
                                                    pattern);
}

pen_status layout_start(struct layout *l, struct pen_error *err)
{
    if (l->fields.n > LAYOUT_FIELDS)
        return pen_fail(err, PEN_BADCONF, "partition_by: %zu fields; at most %d make folders", l->fields.n, LAYOUT_FIELDS);
    for (size_t i = 0; i < l->fields.n; i++)
        if (!l->fields.v[i][0] || strlen(l->fields.v[i]) > LAYOUT_NAME)
            return pen_fail(err, PEN_BADCONF, "partition_by: \"%s\": expected the name of a field, of at most %d bytes", l->fields.v[i], LAYOUT_NAME);
    pen_status st = l->pattern ? check_pattern(l->pattern, err) : PEN_OK;
    return st < 0 ? st : zone_open(&l->zone, l->zone_name, err);
}

void layout_stop(struct layout *l)
{
    zone_free(&l->zone);
}

/* -- folders ---------------------------------------------------------------------------------------------------------------------------------------- */

int64_t layout_time(const struct layout *l, const char *value, size_t n, int64_t timestamp)
{
    const char *text;
    size_t text_n;
    int64_t when;
    if (!l->field)
        return timestamp;
    return field_find(value, n, l->field, &text, &text_n) && field_time(text, text_n, &when) ? when : INT64_MIN;
}

static bool put_field(const char *name, const char *value, size_t n, struct pen_text *out)
{
    char level[LAYOUT_VALUE], key[3 * LAYOUT_NAME + 1];
    struct pen_text text = { 0 };
    const char *found;
    size_t found_n;
    bool known = field_find(value, n, name, &found, &found_n) && field_text(found, found_n, &text) && text.n && !pen_text_failed(&text);
    pen_text_put(out, pen_path_escape(key, sizeof key, name, strlen(name)));
    pen_text_put(out, "=");
    pen_text_put(out, known ? pen_path_escape(level, sizeof level, text.bytes, text.n) : UNKNOWN);
    pen_text_fini(&text);
    return known;
}

/* The local time of the zone, in the pattern's place. Of a time that is not known each level keeps what stands before its '='. */
static bool put_time(const struct layout *l, int64_t when, struct pen_text *out)
{
    int64_t seconds = when / 1000000 - (when % 1000000 < 0);
    bool known = when != INT64_MIN;
    time_t local = known ? (time_t)(seconds + zone_offset(l->zone, seconds)) : 0;
    struct tm tm;
    known = known && gmtime_r(&local, &tm);
    for (const char *p = l->pattern; *p; p++)
        if (*p != '%') {
            pen_text_append(out, p, 1);
        } else if (!known) {
            pen_text_put(out, UNKNOWN);
            while (p[1] && p[1] != '/')
                p++;
        } else if (*++p == 'Y') {
            pen_text_format(out, "%04d", tm.tm_year + 1900);
        } else {
            pen_text_format(out, "%02d", *p == 'm' ? tm.tm_mon + 1 : *p == 'd' ? tm.tm_mday : *p == 'H' ? tm.tm_hour : tm.tm_min);
        }
    return known;
}

bool layout_folder(const struct layout *l, const char *value, size_t n, int64_t when, struct pen_text *out)
{
    bool known = true;
    for (size_t i = 0; i < l->fields.n; i++) {
        if (i)
            pen_text_put(out, "/");
        known &= put_field(l->fields.v[i], value, n, out);
    }
    if (l->pattern) {
        if (l->fields.n)
            pen_text_put(out, "/");
        known &= put_time(l, when, out);
    }
    return known;
}
