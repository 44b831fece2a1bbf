/* bind.c - see bind.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "engine/bind.h"
#include "engine/plugin.h"

static pen_kind kind_of_stage(pen_stage_kind kind)
{
    switch (kind) {
    case PEN_STAGE_SOURCE: return PEN_KIND_SOURCE;
    case PEN_STAGE_TRANSPORT: return PEN_KIND_TRANSPORT;
    case PEN_STAGE_TRANSFORM: return PEN_KIND_TRANSFORM;
    case PEN_STAGE_SINK: return PEN_KIND_SINK;
    }
    return PEN_KIND_ANY;
}

const struct pen_option *pen_bind_options(pen_stage_kind kind, const struct pen_plugin *plugin)
{
    switch (kind) {
    case PEN_STAGE_TRANSFORM: return plugin->transform ? plugin->transform->options : NULL;
    case PEN_STAGE_SINK: return plugin->sink ? plugin->sink->options : NULL;
    case PEN_STAGE_TRANSPORT:
    case PEN_STAGE_SOURCE: break;
    }
    return plugin->source ? plugin->source->options : NULL;
}

static size_t context_size(pen_stage_kind kind, const struct pen_plugin *plugin)
{
    return kind == PEN_STAGE_TRANSFORM ? plugin->transform->ctx_size : kind == PEN_STAGE_SINK ? plugin->sink->ctx_size : plugin->source->ctx_size;
}

static pen_status bind_stage(struct pen_config *c, const struct pen_stage_config *stage, const struct pen_plugin **plugin, struct pen_error *err)
{
    struct pen_error why = { 0 };
    const char *suggestion;
    void *ctx;
    pen_status st = pen_plugin_load(stage->plugin, kind_of_stage(stage->kind), plugin, &suggestion, &why);
    if (st == PEN_FATAL)
        return pen_fail(err, st, "%s", why.msg);
    if (st < 0) {
        pen_config_mistake(c, stage->plugin_place, suggestion, "%s", why.msg);
        return PEN_OK;
    }
    ctx = calloc(1, context_size(stage->kind, *plugin) + 1);
    if (!ctx)
        return pen_fail(err, PEN_FATAL, "out of memory");
    pen_config_apply(c, stage, pen_bind_options(stage->kind, *plugin), ctx);
    free(ctx);
    return PEN_OK;
}

static pen_status bind_defaults(struct pen_config *c, const struct pen_section *section, struct pen_error *err)
{
    const struct pen_option *tables[4] = { NULL };
    const struct pen_plugin *plugin;
    struct pen_error why = { 0 };
    const char *suggestion;
    size_t n = 0;
    pen_status st = pen_plugin_load(section->name, PEN_KIND_ANY, &plugin, &suggestion, &why);
    if (st == PEN_FATAL)
        return pen_fail(err, st, "%s", why.msg);
    if (st < 0) {
        pen_config_mistake(c, section->name_place, suggestion, "%s", why.msg);
        return PEN_OK;
    }
    if (plugin->source)
        tables[n++] = plugin->source->options;
    if (plugin->transform)
        tables[n++] = plugin->transform->options;
    if (plugin->sink)
        tables[n++] = plugin->sink->options;
    if (plugin->store) {
        void *ctx = calloc(1, plugin->store_ctx_size + 1);
        if (!ctx)
            return pen_fail(err, PEN_FATAL, "out of memory");
        tables[n++] = plugin->store_options;
        pen_config_apply_defaults(c, section->name, plugin->store_options, ctx);
        free(ctx);
    }
    pen_config_check_defaults(c, section->name, tables, n);
    return PEN_OK;
}

pen_status pen_bind(struct pen_config *c, const struct pen_plugin **plugins, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (size_t i = 0; st == PEN_OK && i < c->n_stages; i++) {
        plugins[i] = NULL;
        if (c->stages[i].plugin)
            st = bind_stage(c, &c->stages[i], &plugins[i], err);
    }
    for (size_t i = 0; st == PEN_OK && i < c->n_sections; i++)
        if (strcmp(c->sections[i]->kind, "defaults") == 0 && c->sections[i]->name[0])
            st = bind_defaults(c, c->sections[i], err);
    return st == PEN_OK && c->diags.failed ? pen_fail(err, PEN_FATAL, "out of memory") : st;
}
