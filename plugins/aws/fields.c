/* fields.c - lists of names and values, and percent-encoding. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws.h"

void aws_field_add(struct aws_fields *f, const char *name, const char *value)
{
    struct aws_field one;
    if (f->failed)
        return;
    if (f->n == f->room) {
        size_t room = f->room ? f->room * 2 : 8;
        struct aws_field *v = realloc(f->v, room * sizeof *v);
        if (!v) {
            f->failed = true;
            return;
        }
        f->v = v;
        f->room = room;
    }
    one = (struct aws_field){ strdup(name), strdup(value) };
    if (!one.name || !one.value) {
        free(one.name);
        free(one.value);
        f->failed = true;
        return;
    }
    f->v[f->n++] = one;
}

void aws_field_format(struct aws_fields *f, const char *name, const char *fmt, ...)
{
    char *value;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&value, fmt, ap) < 0)
        value = NULL;
    va_end(ap);
    if (value)
        aws_field_add(f, name, value);
    else
        f->failed = true;
    free(value);
}

void aws_fields_add_all(struct aws_fields *f, const struct aws_fields *more)
{
    for (size_t i = 0; i < more->n; i++)
        aws_field_add(f, more->v[i].name, more->v[i].value);
    f->failed |= more->failed;
}

void aws_fields_cut(struct aws_fields *f, size_t n)
{
    while (f->n > n) {
        f->n--;
        free(f->v[f->n].name);
        free(f->v[f->n].value);
    }
}

void aws_fields_fini(struct aws_fields *f)
{
    aws_fields_cut(f, 0);
    free(f->v);
    memset(f, 0, sizeof *f);
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

void aws_encode(struct pen_text *t, const char *text, size_t n, bool path)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (is_unreserved(c) || (path && c == '/'))
            continue;
        pen_text_append(t, text + from, i - from);
        pen_text_append(t, (const char[]){ '%', digits[c >> 4], digits[c & 15] }, 3);
        from = i + 1;
    }
    pen_text_append(t, text + from, n - from);
}

const char *aws_text(struct pen_text *t)
{
    pen_text_append(t, "", 1);
    if (pen_text_failed(t))
        return NULL;
    t->n--;
    return t->bytes;
}

void aws_request_fini(struct aws_request *r)
{
    aws_fields_fini(&r->query);
    aws_fields_fini(&r->headers);
}
