/* json_harness.h - one record through the intake, shown as the row's JSON or the reason of its rejection.
 *
 * A want is written as text: fields parted by spaces, each FORMAT:NAME, with '!' before what must not be null; J is utf8 as JSON text, [FORMAT]
 * a list, {FIELD,FIELD} a struct.  "!i:ind [g]:where {i:a,!u:b}:pair"
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_JSON_HARNESS_H
#define PENSTOCK_TESTS_JSON_HARNESS_H

#include <stdlib.h>
#include <string.h>

#include "data/intake.h"
#include "data/json.h"

#include "../tap.h"

static const char *want_field(struct ArrowSchema *out, const char *p);

/* Fields up to `end`, parted by `comma`. */
static const char *want_fields(struct ArrowSchema *out, const char *format, const char *p, char comma, char end)
{
    size_t n = 1;
    int depth = 0;
    const char *q;
    for (q = p; *q && (depth > 0 || *q != end); q++) {
        depth += (*q == '{' || *q == '[') - (*q == '}' || *q == ']');
        n += depth == 0 && *q == comma;
    }
    pen_schema_init_field(out, format, "", 0, n, NULL);
    for (size_t i = 0; i < n; i++)
        p = want_field(out->children[i], p) + (i + 1 < n);
    return p;
}

static void rename_field(struct ArrowSchema *out, const char *name, size_t n, bool required, bool json_text)
{
    struct ArrowSchema with_name;
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)n, name);
    pen_schema_init_field(&with_name, out->format, text, (required ? 0 : ARROW_FLAG_NULLABLE) | (json_text ? PEN_FIELD_JSON_TEXT : 0),
                          (size_t)out->n_children, NULL);
    for (int64_t i = 0; i < out->n_children; i++) {
        *with_name.children[i] = *out->children[i];
        out->children[i]->release = NULL;
    }
    pen_schema_release(out);
    *out = with_name;
}

static const char *want_field(struct ArrowSchema *out, const char *p)
{
    bool required = *p == '!', json_text;
    size_t n;
    p += required;
    json_text = *p == 'J';
    if (*p == '{') {
        p = want_fields(out, "+s", p + 1, ',', '}') + 1;
    } else if (*p == '[') {
        pen_schema_init_field(out, "+l", "", 0, 1, NULL);
        p = want_field(out->children[0], p + 1) + 1;
    } else {
        char format[16];
        const char *colon = p;
        if (strncmp(p, "ts", 2) == 0)
            colon = p + 7;
        else if (*p == 'd')
            for (colon = p + 2; (*colon >= '0' && *colon <= '9') || *colon == ','; colon++)
                ;
        else
            colon = p + (*p == 't' ? 3 : 1);
        snprintf(format, sizeof format, "%.*s", (int)(colon - p), json_text ? "u" : p);
        pen_schema_init_field(out, format, "", 0, 0, NULL);
        p = colon;
    }
    n = *p == ':' ? strcspn(p + 1, " ,}]") : 0;
    rename_field(out, p + 1, n, required, json_text);
    return p + (*p == ':') + n;
}

__attribute__((unused)) static void want_init(struct ArrowSchema *out, const char *text)
{
    want_fields(out, "+s", text, ' ', '\0');
}

/* An intake of one target on the named kernel, which may be NULL: the best. */
__attribute__((unused)) static struct pen_intake *intake_on(const char *kernel, const struct ArrowSchema *want, size_t max_record)
{
    struct pen_intake *in = NULL;
    struct pen_error err = { 0 };
    if (kernel)
        setenv("PENSTOCK_JSON", kernel, 1);
    if (pen_intake_new(&in, &want, 1, max_record, &err) < 0)
        printf("# %s\n", err.msg);
    unsetenv("PENSTOCK_JSON");
    return in;
}

/* What was taken since begin: each row's JSON, each rejection as "! reason", a line each, rows first. `nulled` columns as "# name n". */
__attribute__((unused)) static void taken_text(struct pen_intake *in, const struct ArrowSchema *want, struct pen_text *t)
{
    struct ArrowArray out;
    struct pen_error err = { 0 };
    size_t n;
    const struct pen_rejected *rejected;
    pen_text_clear(t);
    if (pen_intake_finish(in, &out, &err) < 0) {
        pen_text_format(t, "failed: %s\n", err.msg);
        return;
    }
    if (pen_array_check(want, &out, &err) < 0)
        pen_text_format(t, "no good batch: %s\n", err.msg);
    for (int64_t i = 0; i < out.length; i++) {
        pen_json_encode_row(t, want, &out, i, NULL);
        pen_text_put(t, "\n");
    }
    rejected = pen_intake_rejected(in, &n);
    for (size_t i = 0; i < n; i++)
        pen_text_format(t, "! %s\n", rejected[i].reason);
    for (int64_t i = 0; i < want->n_children; i++)
        if (pen_intake_nulled(in, 0, (size_t)i))
            pen_text_format(t, "# %s %d\n", want->children[i]->name, (int)pen_intake_nulled(in, 0, (size_t)i));
    pen_array_release(&out);
}

/* One record as a message. */
__attribute__((unused)) static void message_text(struct pen_intake *in, const struct ArrowSchema *want, const char *record, size_t n, struct pen_text *t)
{
    struct pen_message m = { .value = record, .value_size = n, .timestamp = INT64_MIN, .offset = -1, .position = 7 };
    pen_intake_begin(in);
    pen_intake_message(in, &m);
    taken_text(in, want, t);
}

__attribute__((unused)) static bool text_equals(const struct pen_text *t, const char *want)
{
    return t->n == strlen(want) && memcmp(t->bytes, want, t->n) == 0;
}

#endif
