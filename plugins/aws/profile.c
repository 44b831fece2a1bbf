/* profile.c - AWS's shared configuration files. The one called config has [default] and [profile NAME], the one called credentials [NAME].
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"

enum { SECTION_MAX = 256, VALUE_MAX = 8192 };

const char *aws_environment(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

pen_status aws_read_file(const char *path, char **text, size_t *n, struct pen_error *err)
{
    FILE *f = fopen(path, "re");
    *text = NULL;
    *n = 0;
    if (!f)
        return errno == ENOENT || errno == ENOTDIR ? PEN_SKIP : pen_fail(err, PEN_BADCONF, "%s: cannot be read: %s", path, strerror(errno));
    char *bytes = malloc(AWS_FILE_LIMIT + 1);
    size_t got = bytes ? fread(bytes, 1, AWS_FILE_LIMIT + 1, f) : 0;
    pen_status st = !bytes ? pen_fail(err, PEN_FATAL, "out of memory")
                  : ferror(f) ? pen_fail(err, PEN_BADCONF, "%s: cannot be read: %s", path, strerror(errno))
                  : got > AWS_FILE_LIMIT ? pen_fail(err, PEN_BADCONF, "%s: longer than %d bytes", path, AWS_FILE_LIMIT)
                                         : PEN_OK;
    fclose(f);
    if (st < 0) {
        free(bytes);
        return st;
    }
    bytes[got] = '\0';
    *text = bytes;
    *n = got;
    return PEN_OK;
}

/* -- the format ------------------------------------------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **p, const char **end)
{
    while (*p < *end && is_blank(**p))
        ++*p;
    while (*end > *p && is_blank((*end)[-1]))
        --*end;
}

/* "[profile name]", perhaps with a comment behind: what is between the brackets, with one space between words and no quotes. */
static void take_section(char section[SECTION_MAX], const char *p, const char *end)
{
    const char *close = memchr(p, ']', (size_t)(end - p));
    size_t n = 0;
    if (close)
        end = close;
    trim(&p, &end);
    for (; p < end && n + 1 < SECTION_MAX; p++) {
        if (*p == '"' || *p == '\'' || *p == '\0' || (is_blank(*p) && p + 1 < end && is_blank(p[1])))
            continue;
        section[n++] = is_blank(*p) ? ' ' : *p;
    }
    section[close ? n : 0] = '\0';
}

/* A value ends where white space and a comment's sign follow. */
static const char *value_end(const char *p, const char *end)
{
    for (const char *c = p; c + 1 < end; c++)
        if (is_blank(*c) && (c[1] == '#' || c[1] == ';'))
            return c;
    return end;
}

void aws_ini_parse(const char *text, size_t n, void (*each)(void *arg, const char *section, const char *key, const char *value), void *arg)
{
    char section[SECTION_MAX] = "", key[128], value[VALUE_MAX];
    const char *end = text + n;
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        text += 3;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text)), *p = text, *last = stop ? stop : end;
        text = stop ? stop + 1 : end;
        if (p == last || *p == '#' || *p == ';' || is_blank(*p))
            continue;
        if (*p == '[') {
            take_section(section, p + 1, last);
            continue;
        }
        const char *eq = memchr(p, '=', (size_t)(last - p));
        if (!eq)
            continue;
        const char *key_end = eq, *from = eq + 1, *to = value_end(from, last);
        trim(&p, &key_end);
        trim(&from, &to);
        size_t kn = (size_t)(key_end - p), vn = (size_t)(to - from);
        if (!kn || kn >= sizeof key || vn >= sizeof value || memchr(p, '\0', kn) || memchr(from, '\0', vn))
            continue;
        for (size_t i = 0; i < kn; i++)
            key[i] = (char)tolower((unsigned char)p[i]);
        key[kn] = '\0';
        memcpy(value, from, vn);
        value[vn] = '\0';
        each(arg, section, key, value);
    }
}

/* -- profiles ---------------------------------------------------------------------------------------------------------------------------------- */

const char *aws_profile_name(const struct aws_options *o)
{
    const char *name = o->profile ? o->profile : aws_environment("AWS_PROFILE");
    return name ? name : "default";
}

void aws_shared_path(char *buf, size_t size, bool credentials)
{
    const char *given = aws_environment(credentials ? "AWS_SHARED_CREDENTIALS_FILE" : "AWS_CONFIG_FILE"), *home = aws_environment("HOME");
    if (given)
        snprintf(buf, size, "%s", given);
    else if (home)
        snprintf(buf, size, "%s/.aws/%s", home, credentials ? "credentials" : "config");
    else
        *buf = '\0';
}

struct looking {
    const char *name;
    bool credentials, found;
    struct aws_fields *out;
};

static void take(void *arg, const char *section, const char *key, const char *value)
{
    struct looking *l = arg;
    bool whole = l->credentials || strcmp(l->name, "default") == 0;
    bool ours = (whole && strcmp(section, l->name) == 0) ||
                (!l->credentials && strncmp(section, "profile ", 8) == 0 && strcmp(section + 8, l->name) == 0);
    if (!ours)
        return;
    l->found = true;
    aws_field_add(l->out, key, value);
}

pen_status aws_profile_load(struct aws_fields *out, const char *name, struct pen_error *err)
{
    struct looking l = { .name = name, .out = out };
    for (int credentials = 0; credentials < 2; credentials++) {
        char path[4096], *text;
        size_t n;
        aws_shared_path(path, sizeof path, credentials);
        pen_status st = *path ? aws_read_file(path, &text, &n, err) : PEN_SKIP;
        if (st < 0)
            return st;
        if (st == PEN_SKIP)
            continue;
        l.credentials = credentials;
        aws_ini_parse(text, n, take, &l);
        explicit_bzero(text, n);
        free(text);
    }
    return out->failed ? pen_fail(err, PEN_FATAL, "out of memory") : l.found ? PEN_OK : PEN_SKIP;
}

const char *aws_profile_get(const struct aws_fields *profile, const char *key)
{
    for (size_t i = profile->n; i-- > 0;)
        if (strcmp(profile->v[i].name, key) == 0 && *profile->v[i].value)
            return profile->v[i].value;
    return NULL;
}
