/* stages.c - the stages of a pipeline and what each reads; cycles and loose ends. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "config/ini.h"
#include "config/option.h"
#include "config/stages.h"

static const char *const kind_names[] = { "source", "transport", "transform", "sink" };

const char *pen_stage_kind_name(pen_stage_kind kind)
{
    return kind_names[kind];
}

bool pen_stage_kind_of(const char *text, pen_stage_kind *out)
{
    for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++)
        if (strcmp(text, kind_names[i]) == 0) {
            *out = (pen_stage_kind)i;
            return true;
        }
    return false;
}

struct pen_stage_config *pen_config_stage(const struct pen_config *c, const char *name)
{
    for (size_t i = 0; i < c->n_stages; i++)
        if (strcmp(c->stages[i].name, name) == 0)
            return &c->stages[i];
    return NULL;
}

static bool add_stages(struct pen_config *c)
{
    size_t n = 0;
    c->stages = pen_arena_alloc(&c->mem, (c->n_sections + 1) * sizeof *c->stages);
    if (!c->stages)
        return false;
    for (size_t i = 0; i < c->n_sections; i++) {
        struct pen_section *section = c->sections[i];
        struct pen_stage_config *s = &c->stages[n];
        const struct pen_setting *plugin = pen_config_setting(section, "plugin"), *id = pen_config_setting(section, "id");
        if (!pen_stage_kind_of(section->kind, &s->kind) || !section->name[0])
            continue;
        s->name = section->name;
        s->section = section;
        s->id = id && id->value[0] ? id->value : section->name;
        s->index = n++;
        if (plugin && plugin->value[0]) {
            s->plugin = plugin->value;
            s->plugin_place = plugin->value_place;
        } else if (!plugin || !plugin->broken) {
            pen_diag_add(&c->diags, PEN_DIAG_ERROR, plugin ? plugin->value_place : section->place, pen_option_help(&pen_stage_options[0], &c->mem),
                         NULL, "%s %s lacks the option plugin", section->kind, section->name);
        }
        if (id && !id->broken && (!id->value[0] || strpbrk(id->value, "./ \t\n")))
            pen_config_mistake(c, id->value_place, NULL, "id = \"%.60s\": expected a name without dots, slashes and spaces", id->value);
    }
    c->n_stages = n;
    return true;
}

/* Two stages under one id would share positions. */
static void check_ids(struct pen_config *c)
{
    for (size_t i = 0; i < c->n_stages; i++)
        for (size_t k = 0; k < i && strcmp(c->stages[i].id, c->stages[i].name) != 0; k++)
            if (strcmp(c->stages[i].id, c->stages[k].id) == 0)
                pen_config_mistake(c, pen_config_setting(c->stages[i].section, "id")->value_place, NULL, "the id %s is that of %s %s",
                                   c->stages[i].id, kind_names[c->stages[k].kind], c->stages[k].name);
}

/* -- inputs ------------------------------------------------------------------------------------------------------------------ */

static const char *nearest_stage(struct pen_config *c, const char *name)
{
    const char **names = calloc(c->n_stages + 1, sizeof *names), *found;
    size_t n = 0;
    if (!names)
        return NULL;
    for (size_t i = 0; i < c->n_stages; i++)
        if (c->stages[i].kind != PEN_STAGE_SINK)
            names[n++] = c->stages[i].name;
    found = pen_suggest(name, names, n);
    free(names);
    return found;
}

static bool add_input(struct pen_config *c, struct pen_stage_config *stage, const char *text, struct pen_place place)
{
    const char *dot = strchr(text, '.');
    char *name = pen_arena_copy(&c->mem, text, dot ? (size_t)(dot - text) : strlen(text));
    struct pen_input in = { .output = !dot ? "" : strcmp(dot, ".*") == 0 ? NULL : dot + 1, .place = place, .text = text };
    if (!name)
        return false;
    in.stage = pen_config_stage(c, name);
    if (dot && !dot[1])
        pen_config_mistake(c, place, NULL, "input: expected the name of an output behind the dot of \"%s\"", text);
    else if (!in.stage)
        pen_config_mistake(c, place, nearest_stage(c, name), "input: no stage is called %s", name);
    else if (in.stage->kind == PEN_STAGE_SINK)
        pen_config_mistake(c, place, NULL, "input: %s is a sink, and a sink has no output", name);
    else {
        for (size_t i = 0; i < stage->n_inputs; i++)
            if (strcmp(stage->inputs[i].text, text) == 0) {
                pen_config_mistake(c, place, NULL, "input: %s is named twice", text);
                return true;
            }
        if (!pen_arena_grow(&c->mem, (void **)&stage->inputs, stage->n_inputs, sizeof *stage->inputs))
            return false;
        stage->inputs[stage->n_inputs++] = in;
    }
    return true;
}

static bool read_inputs(struct pen_config *c, struct pen_stage_config *stage)
{
    const struct pen_setting *s = pen_config_setting(stage->section, "input");
    struct pen_error err = { 0 };
    size_t at = 0, start, n, words = 0;
    pen_status st;
    if (s && stage->kind == PEN_STAGE_SOURCE) {
        pen_config_mistake(c, s->key_place, NULL, "source %s: a source has no input", stage->name);
        return true;
    }
    if (s && s->broken)
        return true;
    while (s && (st = pen_option_word(s->value, &at, &start, &n, &err)) != PEN_SKIP) {
        char *text;
        if (st < 0) {
            pen_config_mistake(c, pen_setting_place(s, at), NULL, "input: %s", err.msg);
            return true;
        }
        words++;
        if (!(text = pen_arena_copy(&c->mem, s->value + start, n)) || !add_input(c, stage, text, pen_setting_place(s, start)))
            return false;
    }
    if (!words && (stage->kind == PEN_STAGE_TRANSFORM || stage->kind == PEN_STAGE_SINK))
        pen_diag_add(&c->diags, PEN_DIAG_ERROR, s ? s->value_place : stage->section->place, pen_option_help(&pen_stage_options[1], &c->mem), NULL,
                     "%s %s lacks the option input", kind_names[stage->kind], stage->name);
    return true;
}

/* -- cycles ------------------------------------------------------------------------------------------------------------------ */

struct step { /* of a walk against the flow */
    struct pen_stage_config *stage;
    size_t next; /* input */
};

static void report_cycle(struct pen_config *c, const struct step *path, size_t depth, const struct pen_input *closing)
{
    char text[400] = "";
    size_t from = depth, used = 0;
    while (path[from].stage != closing->stage)
        from--;
    /* path goes from reader to what it reads: printed the way the records flow */
    for (size_t i = depth + 1; i-- > from && used + 80 < sizeof text;)
        used += (size_t)snprintf(text + used, sizeof text - used, " -> %s", path[i].stage->name);
    pen_config_mistake(c, closing->place, NULL, "input: the stages go round in a cycle: %s%s%s", closing->stage->name, text,
                       used + 80 < sizeof text ? "" : " -> ...");
}

/* Depth first, without recursion; an input that leads to a stage on the way is reported. */
static bool check_cycles(struct pen_config *c)
{
    enum { NEW, OPEN, DONE };
    unsigned char *seen = calloc(c->n_stages + 1, 1);
    struct step *path = calloc(c->n_stages + 1, sizeof *path);
    bool good = seen && path;
    for (size_t i = 0; good && i < c->n_stages; i++) {
        size_t depth = 0;
        if (seen[i] != NEW)
            continue;
        seen[i] = OPEN;
        path[0] = (struct step){ &c->stages[i], 0 };
        for (;;) {
            struct step *top = &path[depth];
            if (top->next == top->stage->n_inputs) {
                seen[top->stage->index] = DONE;
                if (depth-- == 0)
                    break;
            } else {
                const struct pen_input *in = &top->stage->inputs[top->next++];
                size_t to = in->stage->index;
                if (seen[to] == OPEN)
                    report_cycle(c, path, depth, in);
                if (seen[to] != NEW)
                    continue;
                seen[to] = OPEN;
                path[++depth] = (struct step){ &c->stages[to], 0 };
            }
        }
    }
    free(seen);
    free(path);
    return good;
}

static bool check_ends(struct pen_config *c)
{
    bool *read = calloc(c->n_stages + 1, sizeof *read);
    if (!read)
        return false;
    for (size_t i = 0; i < c->n_stages; i++)
        for (size_t k = 0; k < c->stages[i].n_inputs; k++)
            read[c->stages[i].inputs[k].stage->index] = true;
    for (size_t i = 0; i < c->n_stages; i++) {
        struct pen_stage_config *s = &c->stages[i];
        if (read[i] || s->kind == PEN_STAGE_SINK)
            continue;
        if (s->kind == PEN_STAGE_TRANSPORT && !pen_config_setting(s->section, "input"))
            pen_config_mistake(c, s->section->place, NULL, "transport %s: it has no input, and nobody reads it", s->name);
        else if (s->kind != PEN_STAGE_TRANSPORT && !c->diags.errors) /* a mistake may be why */
            pen_config_warn(c, s->section->place, NULL, "%s %s: nobody reads it", kind_names[s->kind], s->name);
    }
    free(read);
    return true;
}

bool pen_stages_read(struct pen_config *c)
{
    if (!add_stages(c))
        return false;
    for (size_t i = 0; i < c->n_stages; i++)
        if (!read_inputs(c, &c->stages[i]))
            return false;
    check_ids(c);
    if (!c->n_stages && !c->diags.errors)
        pen_config_mistake(c, (struct pen_place){ c->files[0], 1, 1 }, NULL, "there is no stage: expected sections such as [source NAME], [sink NAME]");
    return check_cycles(c) && check_ends(c);
}
