/* stores.c - the stores of plugins that a run or a command needs: found by the schemes that its URLs name, started with the options of
 * [defaults PLUGIN], stopped at its end. A plugin that serves a scheme has its name. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "config/option.h"
#include "engine/plugin.h"
#include "engine/stores.h"

struct open_store {
    const struct pen_plugin *plugin;
    void *ctx;
    struct pen_host host;
    struct open_store *next;
};

struct pen_open_stores {
    struct open_store *first;
    struct pen_arena mem; /* of options that no configuration keeps */
    struct pen_stores *stores;
};

static bool is_open(const struct pen_open_stores *s, const char *scheme)
{
    for (const struct open_store *o = s->first; o; o = o->next)
        if (strcmp(o->plugin->store->scheme, scheme) == 0)
            return true;
    return false;
}

static pen_status set_options(struct pen_open_stores *s, struct pen_config *c, const struct open_store *o, struct pen_error *err)
{
    if (c)
        return pen_config_apply_defaults(c, o->plugin->name, o->plugin->store_options, o->ctx) < 0 ? PEN_SKIP : PEN_OK; /* it is reported */
    return o->plugin->store_options ? pen_option_defaults(o->plugin->store_options, o->ctx, &s->mem, err) : PEN_OK;
}

/* Opens the store of a scheme. One that no plugin serves is left to whoever uses it: it may stand in a text that is no URL of ours. */
static pen_status open_scheme(struct pen_open_stores *s, struct pen_run_context *run, struct pen_config *c, const char *scheme, struct pen_error *err)
{
    struct pen_error why = { 0 };
    const struct pen_plugin *plugin;
    struct open_store *o;
    pen_status st;
    if (is_open(s, scheme))
        return PEN_OK;
    st = pen_plugin_load(scheme, PEN_KIND_STORE, &plugin, NULL, &why);
    if (st < 0)
        return st == PEN_FATAL ? pen_fail(err, st, "%s", why.msg) : PEN_OK;
    o = calloc(1, sizeof *o);
    if (!o || !(o->ctx = calloc(1, plugin->store_ctx_size + 1))) {
        free(o);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    o->plugin = plugin;
    o->host = (struct pen_host){ run, plugin->name, NULL, false };
    st = set_options(s, c, o, err);
    if (st == PEN_OK && plugin->store_start)
        st = plugin->store_start(o->ctx, &o->host, err);
    if (st != PEN_OK) {
        free(o->ctx);
        free(o);
        return st < 0 ? st : PEN_OK;
    }
    o->next = s->first;
    s->first = o;
    return pen_stores_add(s->stores, plugin->store, o->ctx, err);
}

/* Every "scheme://" in a text. */
static pen_status open_named(struct pen_open_stores *s, struct pen_run_context *run, struct pen_config *c, const char *text, struct pen_error *err)
{
    pen_status st = PEN_OK;
    for (const char *at = text; st >= 0 && (at = strstr(at, "://")); at += 3) {
        const char *from = at;
        char scheme[32];
        while (from > text && strchr("abcdefghijklmnopqrstuvwxyz0123456789", from[-1]))
            from--;
        if (from == at || (size_t)(at - from) >= sizeof scheme)
            continue;
        memcpy(scheme, from, (size_t)(at - from));
        scheme[at - from] = '\0';
        if (strcmp(scheme, "file") != 0)
            st = open_scheme(s, run, c, scheme, err);
    }
    return st;
}

pen_status pen_stores_open(struct pen_open_stores **out, struct pen_run_context *run, struct pen_config *c, const char *const *urls, size_t n,
                           struct pen_error *err)
{
    struct pen_open_stores *s = calloc(1, sizeof *s);
    pen_status st = PEN_OK;
    *out = s;
    if (!s || !(s->stores = pen_stores_new()))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; i < n && st >= 0; i++)
        st = open_named(s, run, c, urls[i], err);
    for (size_t i = 0; c && i < c->n_sections && st >= 0; i++)
        for (size_t k = 0; k < c->sections[i]->n_settings && st >= 0; k++)
            st = open_named(s, run, c, c->sections[i]->settings[k].value, err);
    if (st < 0)
        pen_stores_close(out, run);
    else
        run->stores = s->stores;
    return st;
}

void pen_stores_close(struct pen_open_stores **stores, struct pen_run_context *run)
{
    struct pen_open_stores *s = *stores;
    if (!s)
        return;
    run->stores = NULL;
    while (s->first) {
        struct open_store *o = s->first;
        s->first = o->next;
        if (o->plugin->store_stop)
            o->plugin->store_stop(o->ctx);
        free(o->ctx);
        free(o);
    }
    pen_stores_free(&s->stores);
    pen_arena_fini(&s->mem);
    free(s);
    *stores = NULL;
}
