/* sql.c - names, numbers and times in SQL. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "sql.h"

#include <inttypes.h>
#include <string.h>

void rds_sql_name(struct pen_text *t, const char *name, size_t n, char quote)
{
    pen_text_append(t, &quote, 1);
    for (size_t i = 0; i < n; i++) {
        if (name[i] == quote)
            pen_text_append(t, &quote, 1);
        pen_text_append(t, &name[i], 1);
    }
    pen_text_append(t, &quote, 1);
}

void rds_sql_table(struct pen_text *t, const char *name, char quote)
{
    const char *dot = strchr(name, '.');
    if (dot && dot > name && dot[1]) {
        rds_sql_name(t, name, (size_t)(dot - name), quote);
        pen_text_put(t, ".");
        name = dot + 1;
    }
    rds_sql_name(t, name, strlen(name), quote);
}

char *rds_sql_take(struct pen_text *t)
{
    char *out = NULL;
    pen_text_append(t, "", 1);
    if (!pen_text_failed(t)) {
        out = t->bytes;
        t->bytes = NULL;
    }
    pen_text_fini(t);
    return out;
}

void rds_sql_time(struct pen_text *t, int64_t micros, bool zone)
{
    int64_t day = micros / INT64_C(86400000000), us = micros % INT64_C(86400000000), era, y, m, d;
    if (us < 0)
        us += INT64_C(86400000000), day--;
    day += 719468; /* days since 0000-03-01; years of 400 from there on are all alike */
    era = (day >= 0 ? day : day - 146096) / 146097;
    d = day - era * 146097;
    y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    d -= 365 * y + y / 4 - y / 100;
    m = (5 * d + 2) / 153;
    d -= (153 * m + 2) / 5 - 1;
    m = m < 10 ? m + 3 : m - 9;
    y += era * 400 + (m <= 2);
    pen_text_format(t, "'%04" PRId64 "-%02" PRId64 "-%02" PRId64 " %02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%06" PRId64 "%s'", y, m, d,
                    us / INT64_C(3600000000), us / 60000000 % 60, us / 1000000 % 60, us % 1000000, zone ? "+00" : "");
}
