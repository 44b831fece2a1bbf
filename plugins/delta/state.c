/* state.c - the state of a table: actions added up. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "log.h"

pen_status delta_state_init(struct delta_state *s, const char *url, struct pen_error *err)
{
    memset(s, 0, sizeof *s);
    s->url = url;
    s->version = s->checkpoint = s->metadata_version = s->protocol_version = -1;
    return pen_url_join(s->log, sizeof s->log, url, "_delta_log", err);
}

void delta_state_fini(struct delta_state *s)
{
    delta_index_fini(&s->txn_index);
    delta_index_fini(&s->file_index);
    free(s->txns);
    free(s->files);
    delta_arena_fini(&s->arena);
    memset(s, 0, sizeof *s);
}

/* -- deep copies into the state's memory ------------------------------------------------------------------------------------------ */

static const char *keep(struct delta_state *s, const char *text)
{
    return text ? delta_arena_copy(&s->arena, text, strlen(text)) : NULL;
}

static void keep_names(struct delta_state *s, struct delta_names *names)
{
    const char **v = names->n ? delta_arena_new(&s->arena, names->n * sizeof *v) : NULL;
    for (size_t i = 0; v && i < names->n; i++)
        v[i] = keep(s, names->v[i]);
    names->v = v;
}

static void keep_pairs(struct delta_state *s, struct delta_pairs *pairs)
{
    struct delta_pair *v = pairs->n ? delta_arena_new(&s->arena, pairs->n * sizeof *v) : NULL;
    for (size_t i = 0; v && i < pairs->n; i++)
        v[i] = (struct delta_pair){ keep(s, pairs->v[i].name), keep(s, pairs->v[i].value) };
    pairs->v = v;
}

static void keep_metadata(struct delta_state *s, const struct delta_metadata *m)
{
    s->metadata = *m;
    s->metadata.id = keep(s, m->id);
    s->metadata.name = keep(s, m->name);
    s->metadata.description = keep(s, m->description);
    s->metadata.provider = keep(s, m->provider);
    s->metadata.schema = keep(s, m->schema);
    keep_pairs(s, &s->metadata.options);
    keep_pairs(s, &s->metadata.configuration);
    keep_names(s, &s->metadata.partition_columns);
}

/* Makes *v hold one more than n; false: out of memory. */
static bool reserve(void **v, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return true;
    size_t more = *room ? *room * 2 : 16;
    void *p = realloc(*v, more * size);
    if (!p)
        return false;
    *v = p;
    *room = more;
    return true;
}

static bool apply_txn(struct delta_state *s, const struct delta_txn *t)
{
    size_t *at = delta_index_find(&s->txn_index, t->app);
    if (!at) {
        const char *app = keep(s, t->app);
        if (!app || !reserve((void **)&s->txns, s->n_txns, &s->room_txns, sizeof *s->txns) ||
            !(at = delta_index_add(&s->txn_index, app, s->n_txns)))
            return false;
        s->txns[s->n_txns++].app = app;
    }
    s->txns[*at].version = t->version;
    s->txns[*at].updated = t->updated;
    return true;
}

/* An add or a remove: the last word about its path. */
static bool apply_file(struct delta_state *s, int64_t version, int64_t index, const struct delta_file *f)
{
    if (!s->want_files) {
        s->live += f->removed ? -1 : 1;
        return true;
    }
    const char *key = delta_path_key(&s->arena, f->path, s->url);
    if (!key || !reserve((void **)&s->files, s->n_files, &s->room_files, sizeof *s->files))
        return false;
    size_t *at = delta_index_add(&s->file_index, key, s->n_files);
    if (!at)
        return false;
    bool known = *at < s->n_files, was_live = known && !s->files[*at].removed;
    if (!known)
        s->n_files++;
    struct delta_file *mine = &s->files[*at];
    *mine = *f;
    mine->version = version;
    mine->index = index;
    mine->path = keep(s, f->path);
    mine->stats = keep(s, f->stats);
    keep_pairs(s, &mine->partition_values);
    keep_pairs(s, &mine->tags);
    s->live += (f->removed ? 0 : 1) - (was_live ? 1 : 0);
    return true;
}

pen_status delta_state_apply(struct delta_state *s, int64_t version, int64_t index, const struct delta_action *a, struct pen_error *err)
{
    bool good = true;
    switch (a->kind) {
    case DELTA_PROTOCOL:
        s->protocol = a->u.protocol;
        keep_names(s, &s->protocol.reader_features);
        keep_names(s, &s->protocol.writer_features);
        s->has_protocol = true;
        s->protocol_version = version;
        break;
    case DELTA_METADATA:
        keep_metadata(s, &a->u.metadata);
        s->has_metadata = true;
        s->metadata_version = version;
        break;
    case DELTA_TXN:
        good = apply_txn(s, &a->u.txn);
        break;
    case DELTA_ADD:
    case DELTA_REMOVE:
        good = apply_file(s, version, index, &a->u.file);
        break;
    case DELTA_COMMIT_INFO:
    case DELTA_OTHER:
        break;
    }
    return good && !s->arena.failed ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: out of memory", s->url);
}

/* -- what a table asks for --------------------------------------------------------------------------------------------------------- */

static bool has_property(const struct delta_state *s, const char *prefix)
{
    for (size_t i = 0; i < s->metadata.configuration.n; i++)
        if (strncmp(s->metadata.configuration.v[i].name, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

static bool maps_columns(const struct delta_state *s)
{
    const char *mode = delta_pairs_get(&s->metadata.configuration, "delta.columnMapping.mode");
    return mode && strcmp(mode, "none") != 0;
}

pen_status delta_check_reader(const struct delta_state *s, struct pen_error *err)
{
    static const char *const known[] = { "columnMapping", "vacuumProtocolCheck" }; /* the first as long as it is not switched on */
    const struct delta_protocol *p = &s->protocol;
    if (maps_columns(s))
        return pen_fail(err, PEN_BADCONF, "%s: the table uses columnMapping, which is not supported", s->url);
    if (p->reader < 1 || p->reader > 3)
        return pen_fail(err, PEN_BADCONF, "%s: the table asks for reader version %lld, known are 1 to 3", s->url, (long long)p->reader);
    for (size_t i = 0; p->reader == 3 && i < p->reader_features.n; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            found |= strcmp(p->reader_features.v[i], known[k]) == 0;
        if (!found)
            return pen_fail(err, PEN_BADCONF, "%s: the table asks for the reader feature %s, which is not supported", s->url, p->reader_features.v[i]);
    }
    return PEN_OK;
}

pen_status delta_check_writer(const struct delta_state *s, struct pen_error *err)
{
    /* Features that appends need not mind, as long as the table does not make use of those that follow as properties or in its schema. */
    static const char *const known[] = { "appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns", "columnMapping",
                                         "identityColumns", "vacuumProtocolCheck" };
    static const struct { const char *mark, *feature; } uses[] = {
        { "delta.invariants", "invariants" },
        { "delta.generationExpression", "generatedColumns" },
        { "delta.identity.", "identityColumns" },
        { "CURRENT_DEFAULT", "allowColumnDefaults" },
    };
    const struct delta_protocol *p = &s->protocol;
    pen_status st = delta_check_reader(s, err);
    if (st < 0)
        return st;
    if (p->writer < 1 || p->writer > 7)
        return pen_fail(err, PEN_BADCONF, "%s: the table asks for writer version %lld, known are 1 to 7", s->url, (long long)p->writer);
    for (size_t i = 0; p->writer == 7 && i < p->writer_features.n; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            found |= strcmp(p->writer_features.v[i], known[k]) == 0;
        if (!found)
            return pen_fail(err, PEN_BADCONF, "%s: the table asks for the writer feature %s, which is not supported", s->url, p->writer_features.v[i]);
    }
    if (has_property(s, "delta.constraints."))
        return pen_fail(err, PEN_BADCONF, "%s: the table has check constraints (checkConstraints), which are not supported", s->url);
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (strstr(s->metadata.schema, uses[i].mark))
            return pen_fail(err, PEN_BADCONF, "%s: a column of the table uses %s (%s), which is not supported", s->url, uses[i].mark, uses[i].feature);
    return PEN_OK;
}
