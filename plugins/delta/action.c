/* action.c - one line of a log entry to one action. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum { KEY = 64 };

const char *delta_pairs_get(const struct delta_pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->n; i++)
        if (strcmp(pairs->v[i].name, name) == 0)
            return pairs->v[i].value;
    return NULL;
}

bool delta_names_have(const struct delta_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->v[i], name) == 0)
            return true;
    return false;
}

/* Room for one more of n elements in the arena: it doubles at powers of two. */
static void *room_for(struct delta_arena *a, void *v, size_t n, size_t size)
{
    if (n & (n - 1))
        return v;
    void *p = delta_arena_new(a, (n ? 2 * n : 1) * size);
    if (p && n)
        memcpy(p, v, n * size);
    return p;
}

static void parse_pairs(struct delta_json *j, struct delta_pairs *out)
{
    const char *key;
    *out = (struct delta_pairs){ 0 };
    if (!delta_json_object(j))
        return;
    while ((key = delta_json_key_string(j))) {
        struct delta_pair *v = room_for(j->arena, out->v, out->n, sizeof *v);
        const char *value = delta_json_string(j);
        if (!v)
            return;
        out->v = v;
        out->v[out->n++] = (struct delta_pair){ key, value };
    }
}

static bool parse_names(struct delta_json *j, struct delta_names *out)
{
    *out = (struct delta_names){ 0 };
    if (!delta_json_array(j))
        return false;
    while (delta_json_item(j)) {
        const char **v = room_for(j->arena, out->v, out->n, sizeof *v);
        const char *name = delta_json_string(j);
        if (!v || !name)
            break;
        out->v = v;
        out->v[out->n++] = name;
    }
    return true;
}

static const char *raw_text(struct delta_json *j)
{
    struct delta_slice s = delta_json_skip(j);
    return s.n && strncmp(s.p, "null", 4) != 0 ? delta_arena_copy(j->arena, s.p, s.n) : NULL;
}

static void parse_protocol(struct delta_json *j, struct delta_protocol *p)
{
    char key[KEY];
    while (delta_json_key(j, key, sizeof key)) {
        if (strcmp(key, "minReaderVersion") == 0)
            p->reader = delta_json_int(j, 0);
        else if (strcmp(key, "minWriterVersion") == 0)
            p->writer = delta_json_int(j, 0);
        else if (strcmp(key, "readerFeatures") == 0)
            p->has_reader_features = parse_names(j, &p->reader_features);
        else if (strcmp(key, "writerFeatures") == 0)
            p->has_writer_features = parse_names(j, &p->writer_features);
        else
            delta_json_skip(j);
    }
}

static void parse_format(struct delta_json *j, struct delta_metadata *m)
{
    char key[KEY];
    if (!delta_json_object(j))
        return;
    while (delta_json_key(j, key, sizeof key)) {
        if (strcmp(key, "provider") == 0)
            m->provider = delta_json_string(j);
        else if (strcmp(key, "options") == 0)
            parse_pairs(j, &m->options);
        else
            delta_json_skip(j);
    }
}

static void parse_metadata(struct delta_json *j, struct delta_metadata *m)
{
    char key[KEY];
    m->created = INT64_MIN;
    while (delta_json_key(j, key, sizeof key)) {
        if (strcmp(key, "id") == 0)
            m->id = delta_json_string(j);
        else if (strcmp(key, "name") == 0)
            m->name = delta_json_string(j);
        else if (strcmp(key, "description") == 0)
            m->description = delta_json_string(j);
        else if (strcmp(key, "format") == 0)
            parse_format(j, m);
        else if (strcmp(key, "schemaString") == 0)
            m->schema = delta_json_string(j);
        else if (strcmp(key, "partitionColumns") == 0)
            parse_names(j, &m->partition_columns);
        else if (strcmp(key, "configuration") == 0)
            parse_pairs(j, &m->configuration);
        else if (strcmp(key, "createdTime") == 0)
            m->created = delta_json_int(j, INT64_MIN);
        else
            delta_json_skip(j);
    }
}

static void parse_txn(struct delta_json *j, struct delta_txn *t)
{
    char key[KEY];
    t->updated = INT64_MIN;
    while (delta_json_key(j, key, sizeof key)) {
        if (strcmp(key, "appId") == 0)
            t->app = delta_json_string(j);
        else if (strcmp(key, "version") == 0)
            t->version = delta_json_int(j, 0);
        else if (strcmp(key, "lastUpdated") == 0)
            t->updated = delta_json_int(j, INT64_MIN);
        else
            delta_json_skip(j);
    }
}

static void parse_file(struct delta_json *j, struct delta_file *f)
{
    char key[KEY];
    f->data_change = true;
    f->version = f->index = -1;
    while (delta_json_key(j, key, sizeof key)) {
        if (strcmp(key, "path") == 0)
            f->path = delta_json_string(j);
        else if (strcmp(key, "partitionValues") == 0)
            parse_pairs(j, &f->partition_values);
        else if (strcmp(key, "size") == 0)
            f->size = delta_json_int(j, 0);
        else if (strcmp(key, "modificationTime") == 0)
            f->modified = delta_json_int(j, 0);
        else if (strcmp(key, "deletionTimestamp") == 0)
            f->deleted = delta_json_int(j, 0);
        else if (strcmp(key, "dataChange") == 0)
            f->data_change = delta_json_bool(j, true);
        else if (strcmp(key, "extendedFileMetadata") == 0)
            f->extended = delta_json_bool(j, false);
        else if (strcmp(key, "stats") == 0)
            f->stats = delta_json_string(j);
        else if (strcmp(key, "tags") == 0)
            parse_pairs(j, &f->tags);
        else if (strcmp(key, "deletionVector") == 0)
            f->has_vector = raw_text(j) != NULL;
        else
            delta_json_skip(j);
    }
}

static void parse_commit_info(struct delta_json *j, struct delta_commit_info *c)
{
    char key[KEY];
    c->timestamp = INT64_MIN;
    while (delta_json_key(j, key, sizeof key)) {
        bool text = delta_json_is(j, '"');
        if (strcmp(key, "timestamp") == 0 && !text && !delta_json_is(j, '{'))
            c->timestamp = delta_json_int(j, INT64_MIN);
        else if (strcmp(key, "operation") == 0 && text)
            c->operation = delta_json_string(j);
        else if (strcmp(key, "engineInfo") == 0 && text)
            c->engine = delta_json_string(j);
        else if (strcmp(key, "penstockPlan") == 0 && text)
            c->plan = delta_json_string(j);
        else if (strcmp(key, "operationParameters") == 0)
            c->parameters = raw_text(j);
        else if (strcmp(key, "operationMetrics") == 0)
            c->metrics = raw_text(j);
        else
            delta_json_skip(j);
    }
}

static void parse_action(struct delta_json *j, const char *key, struct delta_action *a)
{
    static const struct { const char *key; delta_kind kind; } kinds[] = {
        { "add", DELTA_ADD }, { "remove", DELTA_REMOVE },         { "txn", DELTA_TXN },
        { "metaData", DELTA_METADATA }, { "protocol", DELTA_PROTOCOL }, { "commitInfo", DELTA_COMMIT_INFO },
    };
    delta_kind kind = DELTA_OTHER;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(key, kinds[i].key) == 0)
            kind = kinds[i].kind;
    if (kind == DELTA_OTHER) {
        delta_json_skip(j);
        return;
    }
    if (!delta_json_object(j))
        return; /* {"add":null}: nothing */
    a->kind = kind;
    memset(&a->u, 0, sizeof a->u);
    if (kind == DELTA_PROTOCOL)
        parse_protocol(j, &a->u.protocol);
    else if (kind == DELTA_METADATA)
        parse_metadata(j, &a->u.metadata);
    else if (kind == DELTA_TXN)
        parse_txn(j, &a->u.txn);
    else if (kind == DELTA_COMMIT_INFO)
        parse_commit_info(j, &a->u.info);
    else
        parse_file(j, &a->u.file);
    if (kind == DELTA_REMOVE)
        a->u.file.removed = true;
}

const char *delta_action_lacks(const struct delta_action *a)
{
    if ((a->kind == DELTA_ADD || a->kind == DELTA_REMOVE) && (!a->u.file.path || !a->u.file.path[0]))
        return "a file without a path";
    if (a->kind == DELTA_TXN && !a->u.txn.app)
        return "a txn without an appId";
    if (a->kind == DELTA_METADATA && (!a->u.metadata.id || !a->u.metadata.schema))
        return "a metaData without an id or a schemaString";
    return NULL;
}

const char *delta_action_parse(struct delta_action *a, struct delta_arena *arena, const char *line, size_t n)
{
    struct delta_json j;
    char key[KEY];
    delta_json_init(&j, arena, line, n);
    memset(a, 0, sizeof *a);
    if (!delta_json_is(&j, '{'))
        return "expected an object";
    delta_json_object(&j);
    while (delta_json_key(&j, key, sizeof key)) {
        if (a->kind != DELTA_OTHER)
            delta_json_skip(&j);
        else
            parse_action(&j, key, a);
    }
    if (!delta_json_end(&j))
        return j.why;
    if (arena->failed)
        return "out of memory";
    return delta_action_lacks(a);
}

/* -- paths ---------------------------------------------------------------------------------------------------------------------- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decodes in place. */
static void decode(char *text)
{
    char *out = text;
    for (char *p = text; *p; p++, out++) {
        *out = *p;
        if (*p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0 && (hex(p[1]) || hex(p[2]))) {
            *out = (char)(hex(p[1]) << 4 | hex(p[2]));
            p += 2;
        }
    }
    *out = '\0';
}

const char *delta_path_key(struct delta_arena *arena, const char *path, const char *url)
{
    char *key = delta_arena_copy(arena, path, strlen(path));
    size_t n = strlen(url);
    if (!key)
        return NULL;
    decode(key);
    if (strncmp(key, "file:", 5) == 0)
        key += 5;
    while (key[0] == '/' && key[1] == '/')
        key++;
    while (n > 1 && url[n - 1] == '/')
        n--;
    if (strncmp(key, url, n) == 0 && key[n] == '/' && (url[0] == '/' || strstr(url, "://")))
        key += n + 1;
    return key;
}

pen_status delta_file_url(char *buf, size_t size, const char *url, const struct delta_file *f, struct pen_error *err)
{
    struct delta_arena arena = { 0 };
    const char *key = delta_path_key(&arena, f->path, url);
    pen_status st;
    if (!key)
        st = pen_fail(err, PEN_FATAL, "%s: out of memory", url);
    else if (key[0] == '/' || strstr(f->path, "://"))
        st = (size_t)snprintf(buf, size, "%s", key) < size ? PEN_OK : pen_fail(err, PEN_FATAL, "%s: the path is too long", key);
    else
        st = pen_url_join(buf, size, url, key, err);
    delta_arena_fini(&arena);
    return st;
}
