/* xml.c - a cursor over the XML that services answer with. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xml.h"

void aws_xml_init(struct aws_xml *x, const char *text, size_t n)
{
    memset(x, 0, sizeof *x);
    x->p = text;
    x->end = text + n;
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        x->p += 3;
}

void aws_xml_fini(struct aws_xml *x)
{
    pen_text_fini(&x->text);
}

static bool wrong(struct aws_xml *x, const char *why)
{
    if (!x->why)
        x->why = why;
    x->p = x->end;
    return false;
}

static bool starts(const struct aws_xml *x, const char *with)
{
    size_t n = strlen(with);
    return (size_t)(x->end - x->p) >= n && memcmp(x->p, with, n) == 0;
}

/* Moves behind the next `mark`; *from and *n are what lay before it. */
static bool until(struct aws_xml *x, const char *mark, const char **from, size_t *n)
{
    const char *at = memmem(x->p, (size_t)(x->end - x->p), mark, strlen(mark));
    if (!at)
        return wrong(x, "it ends within a tag");
    *from = x->p;
    *n = (size_t)(at - x->p);
    x->p = at + strlen(mark);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == ':' ||
           (unsigned char)c >= 0x80;
}

/* -- text -------------------------------------------------------------------------------------------------------------------------------- */

static void put_utf8(struct pen_text *t, unsigned long c)
{
    if (c < 0x80)
        pen_text_append(t, (const char[]){ (char)c }, 1);
    else if (c < 0x800)
        pen_text_append(t, (const char[]){ (char)(0xC0 | c >> 6), (char)(0x80 | (c & 63)) }, 2);
    else if (c < 0x10000)
        pen_text_append(t, (const char[]){ (char)(0xE0 | c >> 12), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)) }, 3);
    else
        pen_text_append(t, (const char[]){ (char)(0xF0 | c >> 18), (char)(0x80 | (c >> 12 & 63)), (char)(0x80 | (c >> 6 & 63)),
                                           (char)(0x80 | (c & 63)) }, 4);
}

/* What stands between '&' and ';'. */
static bool put_entity(struct aws_xml *x, const char *name, size_t n)
{
    static const struct { const char *name; char is; } known[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' } };
    char digits[12];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == n && memcmp(known[i].name, name, n) == 0) {
            pen_text_append(&x->text, &known[i].is, 1);
            return true;
        }
    if (n < 2 || n >= sizeof digits || name[0] != '#')
        return wrong(x, "an entity that is not known");
    bool hex = name[1] == 'x';
    snprintf(digits, sizeof digits, "%.*s", (int)(n - 1 - hex), name + 1 + hex);
    if (!digits[0] || strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits))
        return wrong(x, "an entity that is no number");
    unsigned long c = strtoul(digits, NULL, hex ? 16 : 10);
    if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return wrong(x, "an entity that is no character");
    put_utf8(&x->text, c);
    return true;
}

static bool put_text(struct aws_xml *x)
{
    while (x->p < x->end && *x->p != '<') {
        const char *from = x->p;
        size_t n;
        while (x->p < x->end && *x->p != '<' && *x->p != '&')
            x->p++;
        pen_text_append(&x->text, from, (size_t)(x->p - from));
        if (x->p == x->end || *x->p == '<')
            return true;
        x->p++;
        if (!until(x, ";", &from, &n) || !put_entity(x, from, n))
            return false;
    }
    return true;
}

/* -- tags ----------------------------------------------------------------------------------------------------------------------------------- */

static void set_name(struct aws_xml *x, const char *name, size_t n)
{
    const char *colon = memchr(name, ':', n);
    if (colon) {
        n -= (size_t)(colon + 1 - name);
        name = colon + 1;
    }
    snprintf(x->name, sizeof x->name, "%.*s", (int)n, name);
}

static bool close_element(struct aws_xml *x)
{
    x->kind = AWS_XML_CLOSE;
    set_name(x, x->open[x->depth - 1].p, x->open[x->depth - 1].n);
    pen_text_append(&x->text, "", 1);
    if (pen_text_failed(&x->text))
        return wrong(x, "out of memory");
    x->text.n--;
    return true;
}

/* A tag's attributes up to its '>'; sets x->empty. */
static bool pass_attributes(struct aws_xml *x)
{
    char quote = 0;
    for (; x->p < x->end; x->p++)
        if (quote) {
            quote = *x->p == quote ? 0 : quote;
        } else if (*x->p == '"' || *x->p == '\'') {
            quote = *x->p;
        } else if (*x->p == '<') {
            break;
        } else if (*x->p == '>') {
            x->empty = x->p[-1] == '/';
            x->p++;
            return true;
        }
    return wrong(x, "it ends within a tag");
}

static bool open_tag(struct aws_xml *x)
{
    const char *from = ++x->p;
    while (x->p < x->end && is_name(*x->p))
        x->p++;
    if (x->p == from)
        return wrong(x, "a tag without a name");
    if (x->depth == AWS_XML_DEPTH)
        return wrong(x, "too many elements within another");
    x->open[x->depth].p = from;
    x->open[x->depth].n = (size_t)(x->p - from);
    x->depth++;
    set_name(x, from, (size_t)(x->p - from));
    x->kind = AWS_XML_OPEN;
    pen_text_clear(&x->text);
    return pass_attributes(x);
}

static bool close_tag(struct aws_xml *x)
{
    const char *from;
    size_t n;
    x->p += 2;
    if (!until(x, ">", &from, &n))
        return false;
    while (n && is_space(from[n - 1]))
        n--;
    if (!x->depth || x->open[x->depth - 1].n != n || memcmp(x->open[x->depth - 1].p, from, n) != 0)
        return wrong(x, "an end tag that does not fit");
    return close_element(x);
}

bool aws_xml_next(struct aws_xml *x)
{
    const char *from;
    size_t n;
    if (x->kind == AWS_XML_CLOSE && x->depth) { /* the element that was told as closed */
        x->depth--;
        x->kind = AWS_XML_OPEN;
        pen_text_clear(&x->text);
    }
    if (x->empty) {
        x->empty = false;
        return close_element(x);
    }
    while (x->p < x->end) {
        if (*x->p != '<') {
            if (!put_text(x))
                return false;
        } else if (starts(x, "<!--")) {
            if (!until(x, "-->", &from, &n))
                return false;
        } else if (starts(x, "<![CDATA[")) {
            x->p += 9;
            if (!until(x, "]]>", &from, &n))
                return false;
            pen_text_append(&x->text, from, n);
        } else if (starts(x, "<?")) {
            if (!until(x, "?>", &from, &n))
                return false;
        } else if (starts(x, "<!")) {
            return wrong(x, "a document type");
        } else {
            return starts(x, "</") ? close_tag(x) : open_tag(x);
        }
    }
    return x->depth ? wrong(x, "it ends within an element") : false;
}

static bool is_named(const struct aws_xml *x, unsigned depth, const char *name)
{
    const char *p = x->open[depth - 1].p, *colon = memchr(p, ':', x->open[depth - 1].n);
    size_t n = x->open[depth - 1].n - (colon ? (size_t)(colon + 1 - p) : 0);
    return strlen(name) == n && memcmp(colon ? colon + 1 : p, name, n) == 0;
}

bool aws_xml_leaf(const struct aws_xml *x, const char *around, const char *name)
{
    if (x->kind != AWS_XML_CLOSE || !x->depth || !is_named(x, x->depth, name))
        return false;
    return !around || (x->depth > 1 && is_named(x, x->depth - 1, around));
}
