/* config.c - from sections to a pipeline: loading, the core's own settings, --set. Stages are in stages.c, options in apply.c.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/ini.h"
#include "config/stages.h"

struct pen_section *pen_section_add(struct pen_config *c, const char *kind, const char *name, struct pen_place place)
{
    struct pen_section *s = pen_arena_alloc(&c->mem, sizeof *s);
    if (!s || !pen_arena_grow(&c->mem, (void **)&c->sections, c->n_sections, sizeof(struct pen_section *)))
        return NULL;
    *s = (struct pen_section){ .kind = kind, .name = name, .place = place, .name_place = place };
    c->sections[c->n_sections++] = s;
    return s;
}

struct pen_setting *pen_setting_add(struct pen_config *c, struct pen_section *section)
{
    if (!pen_arena_grow(&c->mem, (void **)&section->settings, section->n_settings, sizeof *section->settings))
        return NULL;
    c->n_settings++;
    section->settings[section->n_settings] = (struct pen_setting){ .key = "", .value = "" };
    return &section->settings[section->n_settings++];
}

const struct pen_setting *pen_config_setting(const struct pen_section *s, const char *key)
{
    for (size_t i = 0; s && i < s->n_settings; i++)
        if (strcmp(s->settings[i].key, key) == 0)
            return &s->settings[i];
    return NULL;
}

struct pen_section *pen_config_section(const struct pen_config *c, const char *kind, const char *name)
{
    for (size_t i = 0; i < c->n_sections; i++)
        if (strcmp(c->sections[i]->kind, kind) == 0 && (!name || strcmp(c->sections[i]->name, name) == 0))
            return c->sections[i];
    return NULL;
}

static void add(struct pen_config *c, pen_diag_severity severity, struct pen_place place, const char *suggestion, const char *fmt, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    pen_diag_add(&c->diags, severity, place, NULL, suggestion, "%s", text);
}

void pen_config_mistake(struct pen_config *c, struct pen_place place, const char *suggestion, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(c, PEN_DIAG_ERROR, place, suggestion, fmt, ap);
    va_end(ap);
}

void pen_config_warn(struct pen_config *c, struct pen_place place, const char *suggestion, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(c, PEN_DIAG_WARNING, place, suggestion, fmt, ap);
    va_end(ap);
}

/* -- given twice ------------------------------------------------------------------------------------------------------------ */

static const char *place_text(const struct pen_place *p, const struct pen_place *seen_from, char *buf, size_t size)
{
    if (p->file == seen_from->file)
        snprintf(buf, size, "line %u", (unsigned)p->line);
    else
        snprintf(buf, size, "%s:%u", p->file->name, (unsigned)p->line);
    return buf;
}

static int by_key(const void *a, const void *b)
{
    const struct pen_setting *const *x = a, *const *y = b;
    int order = strcmp((*x)->key, (*y)->key);
    return order ? order : *x < *y ? -1 : *x > *y;
}

/* Sorted by key, so that many settings cost no square of their number. */
static bool check_settings_twice(struct pen_config *c, struct pen_section *section)
{
    const struct pen_setting **v = calloc(section->n_settings + 1, sizeof *v);
    char where[300];
    if (!v)
        return false;
    for (size_t i = 0; i < section->n_settings; i++)
        v[i] = &section->settings[i];
    qsort(v, section->n_settings, sizeof *v, by_key);
    for (size_t i = 1, first = 0; i < section->n_settings; i++) {
        if (strcmp(v[i]->key, v[first]->key) == 0)
            pen_config_mistake(c, v[i]->key_place, NULL, "%s is given twice: it stands in %s already", v[i]->key,
                               place_text(&v[first]->key_place, &v[i]->key_place, where, sizeof where));
        else
            first = i;
    }
    free(v);
    return true;
}

static bool is_stage(const struct pen_section *s)
{
    pen_stage_kind kind;
    return pen_stage_kind_of(s->kind, &kind);
}

/* Sections that would meet: the same kind and name, or two stages of one name. */
static int compare_sections(const struct pen_section *a, const struct pen_section *b)
{
    bool stage = is_stage(a);
    int order = (int)stage - (int)is_stage(b);
    if (order == 0 && !stage)
        order = strcmp(a->kind, b->kind);
    return order ? order : strcmp(a->name, b->name);
}

struct numbered { /* for a stable order */
    struct pen_section *section;
    size_t i;
};

static int by_name(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    int order = compare_sections(x->section, y->section);
    return order ? order : x->i < y->i ? -1 : x->i > y->i;
}

static bool check_sections_twice(struct pen_config *c)
{
    struct numbered *v = calloc(c->n_sections + 1, sizeof *v);
    char where[300];
    if (!v)
        return false;
    for (size_t i = 0; i < c->n_sections; i++)
        v[i] = (struct numbered){ c->sections[i], i };
    qsort(v, c->n_sections, sizeof *v, by_name);
    for (size_t i = 1, first = 0; i < c->n_sections; i++) {
        const struct pen_section *a = v[first].section, *b = v[i].section;
        if (compare_sections(a, b) != 0)
            first = i;
        else if (b->kind[0] && b->kind[0] != '?' && (b->name[0] || !is_stage(b)))
            pen_config_mistake(c, b->name[0] ? b->name_place : b->place, NULL, "[%s%s%s] is given twice: [%s%s%s] stands in %s already", b->kind,
                               b->name[0] ? " " : "", b->name, a->kind, a->name[0] ? " " : "", a->name,
                               place_text(&a->place, &b->place, where, sizeof where));
    }
    free(v);
    for (size_t i = 0; i < c->n_sections; i++)
        if (!check_settings_twice(c, c->sections[i]))
            return false;
    return true;
}

/* -- --set stage.key=value --------------------------------------------------------------------------------------------------- */

static void no_such_stage(struct pen_config *c, struct pen_place place, const char *name)
{
    const char **names = calloc(c->n_sections + 2, sizeof *names);
    size_t n = 0;
    if (names) {
        for (size_t i = 0; i < c->n_sections; i++)
            if (is_stage(c->sections[i]))
                names[n++] = c->sections[i]->name;
        names[n++] = "pipeline";
        names[n++] = "deadletter";
    }
    pen_config_mistake(c, place, names ? pen_suggest(name, names, n) : NULL, "--set: no stage is called %s", name);
    free(names);
}

static struct pen_section *section_to_set(struct pen_config *c, const char *name, struct pen_place place)
{
    if (strcmp(name, "pipeline") == 0 || strcmp(name, "deadletter") == 0) {
        struct pen_section *s = pen_config_section(c, name, NULL);
        return s ? s : pen_section_add(c, name, "", place);
    }
    for (size_t i = 0; i < c->n_sections; i++)
        if (is_stage(c->sections[i]) && strcmp(c->sections[i]->name, name) == 0)
            return c->sections[i];
    no_such_stage(c, place, name);
    return NULL;
}

static bool override_one(struct pen_config *c, struct pen_text_file *file, uint32_t line, const char *text)
{
    struct pen_place place = { file, line, 1 }, key_place, value_place;
    const char *sign = strchr(text, '='), *dot = strchr(text, '.');
    char *name, *key;
    struct pen_section *section;
    struct pen_setting *s = NULL;
    struct pen_span *span;
    if (!sign || !dot || dot > sign || dot == text || dot + 1 == sign) {
        pen_config_mistake(c, place, NULL, "--set: expected stage.key=value");
        return true;
    }
    key_place = value_place = place;
    key_place.column = (uint32_t)(dot + 1 - text) + 1;
    value_place.column = (uint32_t)(sign + 1 - text) + 1;
    name = pen_arena_copy(&c->mem, text, (size_t)(dot - text));
    key = pen_arena_copy(&c->mem, dot + 1, (size_t)(sign - dot) - 1);
    span = pen_arena_alloc(&c->mem, sizeof *span);
    if (!name || !key || !span)
        return false;
    if (!(section = section_to_set(c, name, place)))
        return !c->diags.failed;
    for (size_t i = 0; i < section->n_settings && !s; i++)
        if (strcmp(section->settings[i].key, key) == 0)
            s = &section->settings[i];
    if (!s && !(s = pen_setting_add(c, section)))
        return false;
    *span = (struct pen_span){ 0, value_place, false };
    *s = (struct pen_setting){ .key = key, .value = sign + 1, .key_place = key_place, .value_place = value_place, .spans = span, .n_spans = 1 };
    return pen_interpolate(c, s, "--set");
}

static bool override_all(struct pen_config *c, const char *const *overrides, size_t n)
{
    struct pen_text_file *file;
    size_t size = 0, at = 0;
    char *text;
    if (n == 0)
        return true;
    for (size_t i = 0; i < n; i++)
        size += strlen(overrides[i]) + 1;
    if (!(text = pen_arena_alloc(&c->mem, size + 1)))
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(overrides[i]);
        for (size_t k = 0; k < len; k++)
            text[at + k] = overrides[i][k] == '\n' ? ' ' : overrides[i][k]; /* one line for each in what is quoted */
        at += len;
        text[at++] = '\n';
    }
    if (!(file = pen_text_file_add(c, "--set", text, size)))
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *dot = strchr(overrides[i], '.'), *copy = pen_arena_copy(&c->mem, overrides[i], strlen(overrides[i]));
        uint32_t from = dot ? (uint32_t)(dot + 1 - overrides[i]) : 0, hide;
        hide = pen_secret_part(overrides[i] + from, strlen(overrides[i] + from));
        file->lines[i].hide = hide == UINT32_MAX ? hide : from + hide;
        if (!copy || !override_one(c, file, (uint32_t)i + 1, copy))
            return false;
    }
    return true;
}

/* -- settings ---------------------------------------------------------------------------------------------------------------- */

static int64_t cores(void)
{
    cpu_set_t set;
    long n;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? n : 1;
}

static const char *name_of_file(struct pen_config *c)
{
    const char *path = c->files[0]->name, *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    size_t n = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    return n ? pen_arena_copy(&c->mem, base, n) : "pipeline";
}

static const char *default_state(struct pen_config *c)
{
    const char *of_service = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (of_service && of_service[0] == '/')
        return pen_arena_printf(&c->mem, "%.*s/%s", (int)strcspn(of_service, ":"), of_service, c->pipeline.name);
    if (xdg && xdg[0] == '/')
        return pen_arena_printf(&c->mem, "%s/penstock/%s", xdg, c->pipeline.name);
    if (home && home[0] == '/')
        return pen_arena_printf(&c->mem, "%s/.local/state/penstock/%s", home, c->pipeline.name);
    return pen_arena_printf(&c->mem, "/var/lib/penstock/%s", c->pipeline.name);
}

static bool good_name(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == '/' || name[i] == 0x7F)
            return false;
    return n > 0 && n <= 100 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool read_settings(struct pen_config *c)
{
    struct pen_section *pipeline = pen_config_section(c, "pipeline", NULL), *dead = pen_config_section(c, "deadletter", NULL);
    const struct pen_setting *name = pen_config_setting(pipeline, "name");
    struct pen_place none = { c->files[0], 0, 0 };
    pen_apply_section(c, pipeline, NULL, NULL, pen_settings_options, NULL, pipeline ? pipeline->place : none, &c->pipeline);
    pen_apply_section(c, dead, NULL, NULL, pen_deadletter_options, NULL, dead ? dead->place : none, &c->deadletter);
    if (c->pipeline.lanes < 1)
        c->pipeline.lanes = cores();
    if (!c->pipeline.name && !(c->pipeline.name = name_of_file(c)))
        return false;
    if (name && !good_name(name->value))
        pen_config_mistake(c, name->value_place, NULL, "name: expected 1 to 100 characters without a slash");
    if ((!c->pipeline.state || !c->pipeline.state[0]) && !(c->pipeline.state = default_state(c)))
        return false;
    if ((!c->deadletter.path || !c->deadletter.path[0]) && !(c->deadletter.path = pen_arena_printf(&c->mem, "%s/dead", c->pipeline.state)))
        return false;
    return true;
}

/* What stands before the first section: includes, and nothing else. */
static void check_top(struct pen_config *c)
{
    static const char *const include = "include";
    for (size_t i = 0; i < c->n_sections; i++)
        for (size_t k = 0; !c->sections[i]->kind[0] && k < c->sections[i]->n_settings; k++) {
            const struct pen_setting *s = &c->sections[i]->settings[k];
            if (strcmp(s->key, "include") != 0)
                pen_config_mistake(c, s->key_place, pen_suggest(s->key, &include, 1),
                                   "%s stands before the first section, where only `include` may", s->key);
        }
}

static pen_status finish(struct pen_config **out, struct pen_config *c, bool read, const char *const *overrides, size_t n_overrides,
                         struct pen_error *err)
{
    if (read && check_sections_twice(c) && override_all(c, overrides, n_overrides) && read_settings(c) && pen_stages_read(c) &&
        !c->diags.failed) {
        check_top(c);
        if (!c->diags.failed) {
            *out = c;
            return PEN_OK;
        }
    }
    pen_config_free(&c);
    return pen_fail(err, PEN_FATAL, "out of memory while the configuration was read");
}

static struct pen_config *config_new(struct pen_error *err)
{
    struct pen_config *c = calloc(1, sizeof *c);
    if (!c)
        pen_fail(err, PEN_FATAL, "out of memory");
    else
        c->diags.mem = &c->mem;
    return c;
}

pen_status pen_config_load(struct pen_config **out, const char *path, const char *const *overrides, size_t n_overrides,
                           struct pen_error *err)
{
    struct pen_config *c = config_new(err);
    *out = NULL;
    return c ? finish(out, c, pen_ini_read_file(c, path, (struct pen_place){ NULL, 0, 0 }), overrides, n_overrides, err) : PEN_FATAL;
}

pen_status pen_config_load_text(struct pen_config **out, const char *name, const char *text, size_t n, const char *const *overrides,
                                size_t n_overrides, struct pen_error *err)
{
    struct pen_config *c = config_new(err);
    *out = NULL;
    return c ? finish(out, c, pen_ini_read_text(c, name, text, n), overrides, n_overrides, err) : PEN_FATAL;
}

void pen_config_free(struct pen_config **c)
{
    if (!*c)
        return;
    pen_arena_fini(&(*c)->mem);
    free(*c);
    *c = NULL;
}
