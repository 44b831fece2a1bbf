/* help.c - a row of an option table in words: for messages, `describe` and the manual. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/option.h"
#include "config/units.h"

const char *pen_option_type_name(const struct pen_option *o)
{
    switch (o->type) {
    case PEN_OPT_STRING: return "text";
    case PEN_OPT_BOOL: return "yes|no";
    case PEN_OPT_INT: return "whole number";
    case PEN_OPT_COUNT: return "count";
    case PEN_OPT_SIZE: return "size";
    case PEN_OPT_DURATION: return "duration";
    case PEN_OPT_DURATION_RANGE: return "duration or range of two";
    case PEN_OPT_RATE: return "rate";
    case PEN_OPT_FLOAT: return "number";
    case PEN_OPT_ENUM: return o->choices;
    case PEN_OPT_LIST: return "list";
    case PEN_OPT_COMPRESSION: return "none|snappy|zstd[:LEVEL]";
    case PEN_OPT_PAIRS: return "any number of keys";
    }
    return "?";
}

const char *pen_option_bound(const struct pen_option *o, int64_t bound, char *buf, size_t size)
{
    switch (o->type) {
    case PEN_OPT_COUNT:
    case PEN_OPT_SIZE:
    case PEN_OPT_DURATION: return pen_units_print(pen_units_of(o->type), bound, buf, size);
    case PEN_OPT_DURATION_RANGE: return pen_units_print(pen_units_of(PEN_OPT_DURATION), bound, buf, size);
    case PEN_OPT_RATE: snprintf(buf, size, "%" PRId64 "/s", bound); return buf;
    default: snprintf(buf, size, "%" PRId64, bound); return buf;
    }
}

const char *pen_option_help(const struct pen_option *o, struct pen_arena *mem)
{
    char low[48], high[48], range[128] = "";
    bool pairs = o->type == PEN_OPT_PAIRS;
    if ((o->min || o->max) && pen_option_unbounded(o))
        snprintf(range, sizeof range, ", %s or more", pen_option_bound(o, o->min, low, sizeof low));
    else if (o->min || o->max)
        snprintf(range, sizeof range, ", %s to %s", pen_option_bound(o, o->min, low, sizeof low), pen_option_bound(o, o->max, high, sizeof high));
    return pen_arena_printf(mem, "%s%s (%s%s%s%s%s%s): %s", o->name, pairs ? "NAME" : "", pen_option_type_name(o), range,
                            o->flags & PEN_OPTION_REQUIRED ? ", required" : "", o->flags & PEN_OPTION_SECRET ? ", secret" : "",
                            o->def ? ", default " : "", o->def ? o->def : "", o->doc ? o->doc : "");
}
