/* plugin.c - see plugin.h. libltdl opens the modules; because it answers "file not found" also where a file is there and broken, and binds
 * lazily, the file is looked for first and asked of dlopen(), whose reason is the one that helps.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/arena.h"
#include "config/diag.h"
#include "engine/plugin.h"
#include "ops/log.h"

#define PATH_SIZE 4096

/* What was loaded or is known to be there; lives until the process ends, like the modules. */
struct loaded {
    struct loaded *next;
    const char *name, *path;
    const struct pen_plugin *plugin;
};
static struct loaded *all_loaded;
static struct pen_arena names; /* that were handed out */
static bool ltdl_ready;

static const char *const kind_names[] = { "plugin", "source", "transport", "transform", "sink", "store", "table" };

/* -- where plugins are ------------------------------------------------------------------------------------------------------ */

/* The i-th folder of the path, into buf; false behind the last. */
static bool folder_at(size_t i, char *buf, size_t size)
{
    const char *path = getenv("PENSTOCK_PLUGIN_PATH");
    while (path && *path) {
        size_t n = strcspn(path, ":");
        if (n && n < size && i-- == 0) {
            memcpy(buf, path, n);
            buf[n] = '\0';
            return true;
        }
        path += n + (path[n] == ':');
    }
    snprintf(buf, size, "%s", PENSTOCK_PLUGIN_DIR);
    return i == 0;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The module called name in a folder, into path. */
static bool module_in(const char *folder, const char *name, char *path, size_t size)
{
    for (int i = 0; i < 3; i++) {
        int n = i == 0   ? snprintf(path, size, "%s/%s.so", folder, name)
                : i == 1 ? snprintf(path, size, "%s/%s.la", folder, name)
                         : snprintf(path, size, "%s/%s/%s.la", folder, name, name);
        if (n > 0 && (size_t)n < size && is_file(path))
            return true;
    }
    return false;
}

/* The first module of that name at or behind folder *at, which then is its folder. */
static bool module_from(size_t *at, const char *name, char *path, size_t size)
{
    char folder[PATH_SIZE];
    for (; folder_at(*at, folder, sizeof folder); ++*at)
        if (module_in(folder, name, path, size))
            return true;
    return false;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Another module of that name further down the path. */
static bool shadowed(const char *name, size_t folder, const char *first, char *path, size_t size)
{
    for (folder++; module_from(&folder, name, path, size); folder++)
        if (!same_file(first, path))
            return true;
    return false;
}

static bool good_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && n <= 64 && !name[n];
}

/* -- loading ------------------------------------------------------------------------------------------------------------------ */

/* The shared object behind a libtool archive that may not be installed yet; the path itself for others. */
static void shared_object(const char *path, const char *name, char *out, size_t size)
{
    size_t n = strlen(path), slash;
    snprintf(out, size, "%s", path);
    if (n < 3 || strcmp(path + n - 3, ".la") != 0)
        return;
    slash = (size_t)(strrchr(path, '/') - path);
    if (snprintf(out, size, "%.*s/.libs/%s.so", (int)slash, path, name) >= 0 && is_file(out))
        return;
    snprintf(out, size, "%.*s/%s.so", (int)slash, path, name);
}

/* What dlopen() says, without the path that it begins with. */
static const char *dlopen_reason(const char *path)
{
    const char *reason = dlerror();
    size_t n = strlen(path);
    if (!reason)
        return "no reason given";
    return strncmp(reason, path, n) == 0 && reason[n] == ':' ? reason + n + 1 + (reason[n + 1] == ' ') : reason;
}

/* The descriptor in the module at path, once it is sure to be one. */
static pen_status open_module(const char *name, const char *path, const struct pen_plugin **out, struct pen_error *err)
{
    char object[PATH_SIZE], symbol[128];
    const struct pen_plugin *plugin;
    lt_dlhandle handle;
    void *probe;
    if (!ltdl_ready && lt_dlinit() != 0)
        return pen_fail(err, PEN_FATAL, "libltdl cannot be initialised: %s", lt_dlerror());
    ltdl_ready = true;
    shared_object(path, name, object, sizeof object);
    probe = dlopen(object, RTLD_NOW | RTLD_LOCAL); /* all symbols at once: nothing is found missing in the middle of a run */
    if (!probe)
        return pen_fail(err, PEN_BADCONF, "plugin %s: %s cannot be loaded: %s", name, path, dlopen_reason(object));
    handle = lt_dlopen(path);
    if (!handle) {
        dlclose(probe);
        return pen_fail(err, PEN_BADCONF, "plugin %s: %s cannot be loaded: %s", name, path, lt_dlerror());
    }
    dlclose(probe); /* libltdl's own handle keeps it */
    snprintf(symbol, sizeof symbol, "%s_LTX_pen_plugin", name);
    for (char *p = symbol; *p; p++)
        if (*p == '-')
            *p = '_';
    plugin = lt_dlsym(handle, symbol);
    if (!plugin)
        pen_fail(err, PEN_BADCONF, "plugin %s: %s has no symbol %s: it is no plugin of that name", name, path, symbol);
    else if (plugin->abi != PEN_ABI)
        pen_fail(err, PEN_BADCONF, "plugin %s: %s was built for ABI %u, and this is ABI %u", name, path, plugin->abi, PEN_ABI);
    else if (!plugin->name || strcmp(plugin->name, name) != 0)
        pen_fail(err, PEN_BADCONF, "plugin %s: %s calls itself %s", name, path, plugin->name ? plugin->name : "nothing");
    else if (plugin->transform && (!plugin->transform->prepare || !plugin->transform->apply))
        pen_fail(err, PEN_BADCONF, "plugin %s: %s is a transform without prepare() or apply()", name, path);
    else {
        *out = plugin;
        return PEN_OK;
    }
    lt_dlclose(handle);
    return PEN_BADCONF;
}

static struct loaded *find_loaded(const char *name)
{
    for (struct loaded *l = all_loaded; l; l = l->next)
        if (strcmp(l->name, name) == 0)
            return l;
    return NULL;
}

static struct loaded *remember(const char *name, const char *path, const struct pen_plugin *plugin)
{
    struct loaded *l = pen_arena_alloc(&names, sizeof *l);
    if (!l || !(l->name = pen_arena_copy(&names, name, strlen(name))) || !(l->path = pen_arena_copy(&names, path, strlen(path))))
        return NULL;
    l->plugin = plugin;
    l->next = all_loaded;
    all_loaded = l;
    return l;
}

static pen_status load(const char *name, struct loaded **out, struct pen_error *err)
{
    char path[PATH_SIZE], other[PATH_SIZE];
    const struct pen_plugin *plugin = NULL;
    size_t folder = 0;
    struct pen_error why = { 0 };
    pen_status st;
    if ((*out = find_loaded(name)))
        return PEN_OK;
    if (!module_from(&folder, name, path, sizeof path))
        return PEN_SKIP;
    st = open_module(name, path, &plugin, &why);
    if (shadowed(name, folder, path, other, sizeof other)) {
        if (st < 0)
            return pen_fail(err, st, "%s (another stands behind it on the path: %s)", why.msg, other);
        pen_log_line(PEN_LOG_DEBUG, NULL, NULL, "plugin %s: %s is used; %s stands behind it on the path", name, path, other);
    }
    if (st < 0)
        return pen_fail(err, st, "%s", why.msg);
    return (*out = remember(name, path, plugin)) ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

/* -- kinds -------------------------------------------------------------------------------------------------------------------- */

static bool is_kind(const struct pen_plugin *p, pen_kind kind)
{
    switch (kind) {
    case PEN_KIND_ANY: return true;
    case PEN_KIND_SOURCE: return p->source && !p->transport;
    case PEN_KIND_TRANSPORT: return p->transport && p->source && p->sink;
    case PEN_KIND_TRANSFORM: return p->transform != NULL;
    case PEN_KIND_SINK: return p->sink && !p->transport;
    case PEN_KIND_STORE: return p->store != NULL;
    case PEN_KIND_TABLE: return p->table != NULL;
    }
    return false;
}

static const char *list_kinds(const struct pen_plugin *plugin, const char *between, char *buf, size_t size)
{
    size_t used = 0;
    snprintf(buf, size, "nothing");
    for (pen_kind k = PEN_KIND_SOURCE; k <= PEN_KIND_TABLE; k++)
        if (is_kind(plugin, k) && used < size)
            used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? between : "", kind_names[k]);
    return buf;
}

const char *pen_plugin_kinds(const struct pen_plugin *plugin, char *buf, size_t size)
{
    return list_kinds(plugin, ", ", buf, size);
}

const char *pen_plugin_path(const struct pen_plugin *plugin)
{
    for (struct loaded *l = all_loaded; l; l = l->next)
        if (l->plugin == plugin)
            return l->path;
    return NULL;
}

/* -- looking around ------------------------------------------------------------------------------------------------------------- */

struct name_list {
    const char **v;
    size_t n;
    bool oom;
};

/* The name of the plugin that an entry of a folder may be; 0 where it is none. */
static size_t name_in_entry(const char *folder, const char *entry)
{
    char path[PATH_SIZE];
    size_t n = strlen(entry);
    bool file = n > 3 && (strcmp(entry + n - 3, ".so") == 0 || strcmp(entry + n - 3, ".la") == 0);
    char name[80];
    if (file)
        n -= 3;
    if (n == 0 || n >= sizeof name)
        return 0;
    memcpy(name, entry, n);
    name[n] = '\0';
    return good_name(name) && module_in(folder, name, path, sizeof path) ? n : 0;
}

static void add_name(struct name_list *list, const char *name, size_t n)
{
    for (size_t i = 0; i < list->n; i++)
        if (strlen(list->v[i]) == n && memcmp(list->v[i], name, n) == 0)
            return;
    if (!pen_arena_grow(&names, (void **)&list->v, list->n, sizeof *list->v) || !(list->v[list->n] = pen_arena_copy(&names, name, n)))
        list->oom = true;
    else
        list->n++;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct name_list list_names(void)
{
    struct name_list list = { NULL, 0, false };
    char folder[PATH_SIZE];
    for (size_t i = 0; folder_at(i, folder, sizeof folder); i++) {
        DIR *dir = opendir(folder);
        struct dirent *entry;
        while (dir && (entry = readdir(dir))) {
            size_t n = name_in_entry(folder, entry->d_name);
            if (n)
                add_name(&list, entry->d_name, n);
        }
        if (dir)
            closedir(dir);
    }
    if (list.n)
        qsort(list.v, list.n, sizeof *list.v, by_name);
    return list;
}

static pen_status not_found(const char *name, const char **suggestion, struct pen_error *err)
{
    struct name_list list = list_names();
    char folder[PATH_SIZE], where[400] = "";
    size_t used = 0;
    for (size_t i = 0; folder_at(i, folder, sizeof folder) && used + 1 < sizeof where; i++)
        used += (size_t)snprintf(where + used, sizeof where - used, "%s%s", i ? ", " : "", folder);
    if (suggestion)
        *suggestion = pen_suggest(name, list.v, list.n);
    return pen_fail(err, PEN_BADCONF, "plugin %s: not found in %s", name, where);
}

pen_status pen_plugin_load(const char *name, pen_kind kind, const struct pen_plugin **out, const char **suggestion, struct pen_error *err)
{
    struct loaded *l = NULL;
    char kinds[100];
    pen_status st;
    *out = NULL;
    if (suggestion)
        *suggestion = NULL;
    if (!good_name(name))
        return pen_fail(err, PEN_BADCONF, "plugin %s: expected a name of letters, digits, - and _", name);
    if ((st = load(name, &l, err)) < 0)
        return st;
    if (st == PEN_SKIP)
        return not_found(name, suggestion, err);
    if (!is_kind(l->plugin, kind))
        return pen_fail(err, PEN_BADCONF, "plugin %s: %s is a %s, not a %s", name, l->path, list_kinds(l->plugin, " and ", kinds, sizeof kinds),
                        kind_names[kind]);
    *out = l->plugin;
    return PEN_OK;
}

static pen_status describe_found(struct pen_plugin_found *f, const char *name, struct pen_error *err)
{
    char path[PATH_SIZE] = "", other[PATH_SIZE];
    struct pen_error why = { 0 };
    struct loaded *l = NULL;
    size_t folder = 0;
    f->name = name;
    if (load(name, &l, &why) < 0)
        snprintf(f->reason, sizeof f->reason, "%s", why.msg);
    module_from(&folder, name, path, sizeof path);
    f->plugin = l ? l->plugin : NULL;
    f->path = l ? l->path : pen_arena_copy(&names, path, strlen(path));
    if (shadowed(name, folder, path, other, sizeof other) && !(f->shadows = pen_arena_copy(&names, other, strlen(other))))
        return pen_fail(err, PEN_FATAL, "out of memory");
    return f->path ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

pen_status pen_plugin_list(struct pen_plugin_found **found, size_t *n, struct pen_error *err)
{
    struct name_list list = list_names();
    struct pen_plugin_found *v = list.oom ? NULL : calloc(list.n + 1, sizeof *v);
    pen_status st = v ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
    *found = NULL;
    *n = 0;
    for (size_t i = 0; st == PEN_OK && i < list.n; i++)
        st = describe_found(&v[i], list.v[i], err);
    if (st < 0) {
        free(v);
        return st;
    }
    *found = v;
    *n = list.n;
    return PEN_OK;
}
