/* apply.c - option tables applied to contexts, problems collected. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "config/ini.h"
#include "config/option.h"
#include "config/stages.h"

static void out_of_memory(struct pen_config *c)
{
    c->diags.failed = true;
}

static void wrong_value(struct pen_config *c, const struct pen_option *o, const struct pen_setting *s, const char *message, size_t at,
                        const char *suggestion)
{
    const char *help = pen_option_help(o, &c->mem);
    pen_diag_add(&c->diags, PEN_DIAG_ERROR, pen_setting_place(s, at), help, suggestion && suggestion[0] ? suggestion : NULL, "%s", message);
}

static bool apply_value(struct pen_config *c, const struct pen_option *o, const struct pen_setting *s, void *ctx)
{
    struct pen_option shown = *o;
    struct pen_option_fault fault;
    struct pen_error err = { 0 };
    pen_status st;
    bool secret = o->flags & PEN_OPTION_SECRET || s->hidden;
    if (s->broken)
        return false;
    if (s->hidden)
        shown.flags |= PEN_OPTION_SECRET; /* what came out of a file is not printed either */
    if ((o->flags & PEN_OPTION_REQUIRED) && !s->value[0] && o->type == PEN_OPT_STRING) {
        wrong_value(c, o, s, pen_arena_printf(&c->mem, "%s needs a value", o->name), 0, NULL);
        return false;
    }
    st = pen_option_parse(&shown, s->value, ctx, &c->mem, &fault, &err);
    if (st == PEN_FATAL && strcmp(err.msg, "out of memory") == 0)
        out_of_memory(c);
    else if (st < 0)
        wrong_value(c, o, s, err.msg, secret ? 0 : fault.at, secret ? NULL : fault.suggestion);
    return st >= 0;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0 && text[strlen(prefix)];
}

/* Every key with the prefix; the section's own win over the defaults'. */
static bool apply_pairs(struct pen_config *c, const struct pen_option *o, const struct pen_section *section, const struct pen_section *defaults,
                        void *ctx)
{
    const struct pen_section *from[2] = { section, defaults };
    const char **names = NULL, **values = NULL;
    size_t n = 0, prefix = strlen(o->name);
    for (size_t f = 0; f < 2; f++)
        for (size_t i = 0; from[f] && i < from[f]->n_settings; i++) {
            const struct pen_setting *s = &from[f]->settings[i];
            if (!starts_with(s->key, o->name) || (f == 1 && pen_config_setting(section, s->key)))
                continue;
            if (!pen_arena_grow(&c->mem, (void **)&names, n, sizeof *names) || !pen_arena_grow(&c->mem, (void **)&values, n, sizeof *values)) {
                out_of_memory(c);
                return false;
            }
            names[n] = s->key + prefix;
            values[n++] = s->value;
        }
    *(struct pen_pairs *)(void *)((char *)ctx + o->offset) = (struct pen_pairs){ n, names, values };
    return true;
}

static void hide_secrets(const struct pen_option *o, const struct pen_section *section)
{
    for (size_t i = 0; section && i < section->n_settings; i++)
        if (o->type == PEN_OPT_PAIRS ? starts_with(section->settings[i].key, o->name) : strcmp(section->settings[i].key, o->name) == 0)
            pen_setting_hide(&section->settings[i]);
}

static bool apply_option(struct pen_config *c, const struct pen_option *o, const struct pen_section *section, const struct pen_section *defaults,
                         const char *what, struct pen_place head, void *ctx)
{
    const struct pen_setting *s = pen_config_setting(section, o->name);
    struct pen_error err = { 0 };
    if (o->flags & PEN_OPTION_SECRET) {
        hide_secrets(o, section);
        hide_secrets(o, defaults);
    }
    if (o->type == PEN_OPT_PAIRS)
        return apply_pairs(c, o, section, defaults, ctx);
    if (!s)
        s = pen_config_setting(defaults, o->name);
    if (s)
        return apply_value(c, o, s, ctx);
    if (o->def) {
        if (pen_option_parse(o, o->def, ctx, &c->mem, NULL, &err) >= 0)
            return true;
        if (strcmp(err.msg, "out of memory") == 0)
            out_of_memory(c);
        else
            pen_config_mistake(c, head, NULL, "the default of this version is wrong: %s", err.msg);
        return false;
    }
    if (o->flags & PEN_OPTION_REQUIRED) {
        pen_diag_add(&c->diags, PEN_DIAG_ERROR, head, pen_option_help(o, &c->mem), NULL, "%s lacks the option %s", what ? what : "the section",
                     o->name);
        return false;
    }
    return true;
}

static size_t count_options(const struct pen_option *table)
{
    size_t n = 0;
    while (table && table[n].name)
        n++;
    return n;
}

/* A key that no table knows. */
static void unknown_key(struct pen_config *c, const struct pen_setting *s, const char *what, const struct pen_option *const *tables, size_t n_tables)
{
    const char **names, *meant;
    size_t n = 0, room = 0;
    if (c->diags.full) { /* nobody would see it */
        c->diags.errors++;
        return;
    }
    for (size_t t = 0; t < n_tables; t++)
        room += count_options(tables[t]);
    if (!(names = calloc(room + 1, sizeof *names))) {
        out_of_memory(c);
        return;
    }
    for (size_t t = 0; t < n_tables; t++)
        for (const struct pen_option *o = tables[t]; o && o->name; o++)
            names[n++] = o->name;
    meant = pen_suggest(s->key, names, n);
    for (size_t t = 0; t < n_tables && meant; t++) {
        const struct pen_option *o = pen_option_find(tables[t], meant);
        if (o && o->flags & PEN_OPTION_SECRET)
            pen_setting_hide((struct pen_setting *)(uintptr_t)s);
    }
    pen_diag_add(&c->diags, PEN_DIAG_ERROR, s->key_place, NULL, meant, "%s has no option %s", what, s->key);
    free(names);
}

static bool known(const struct pen_option *const *tables, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (pen_option_find(tables[i], key))
            return true;
    return false;
}

static bool check_keys(struct pen_config *c, const struct pen_section *section, const char *what, const struct pen_option *const *tables, size_t n)
{
    bool good = true;
    for (size_t i = 0; section && i < section->n_settings; i++)
        if (!known(tables, n, section->settings[i].key)) {
            unknown_key(c, &section->settings[i], what, tables, n);
            good = false;
        }
    return good;
}

pen_status pen_apply_section(struct pen_config *c, const struct pen_section *section, const struct pen_section *defaults, const char *what,
                             const struct pen_option *table, const struct pen_option *core, struct pen_place head, void *ctx)
{
    const struct pen_option *tables[2] = { table, core };
    char name[160];
    bool good = true;
    if (!what) {
        snprintf(name, sizeof name, "[%s]", section ? section->kind : "pipeline");
        what = name;
    }
    for (const struct pen_option *o = table; o && o->name; o++)
        good &= apply_option(c, o, section, defaults, what, head, ctx);
    good &= check_keys(c, section, what, tables, 2);
    return good ? PEN_OK : PEN_BADCONF;
}

pen_status pen_config_apply(struct pen_config *c, const struct pen_stage_config *stage, const struct pen_option *table, void *ctx)
{
    const struct pen_section *defaults = stage->plugin ? pen_config_section(c, "defaults", stage->plugin) : NULL;
    char what[160];
    snprintf(what, sizeof what, "%s %s (plugin %s)", pen_stage_kind_name(stage->kind), stage->name, stage->plugin ? stage->plugin : "?");
    return pen_apply_section(c, stage->section, defaults, what, table, pen_stage_options, stage->section->place, ctx);
}

pen_status pen_config_apply_defaults(struct pen_config *c, const char *plugin, const struct pen_option *table, void *ctx)
{
    struct pen_section *defaults = pen_config_section(c, "defaults", plugin);
    struct pen_place head = defaults ? defaults->place : (struct pen_place){ c->files[0], 0, 0 };
    char what[160];
    bool good = true;
    snprintf(what, sizeof what, "[defaults %s]", plugin);
    for (const struct pen_option *o = table; o && o->name; o++)
        good &= apply_option(c, o, defaults, NULL, what, head, ctx);
    return good ? PEN_OK : PEN_BADCONF;
}

void pen_config_check_defaults(struct pen_config *c, const char *plugin, const struct pen_option *const *tables, size_t n)
{
    char what[160];
    snprintf(what, sizeof what, "plugin %s", plugin);
    check_keys(c, pen_config_section(c, "defaults", plugin), what, tables, n);
}
