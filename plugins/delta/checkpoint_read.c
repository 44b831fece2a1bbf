/* checkpoint_read.c - a state out of a classic checkpoint ("Checkpoint Schema"): each row holds one action in one of the top-level columns.
 * Only the columns that the state keeps are read: a state without files never looks at them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "input.h"
#include "log.h"

/* A column of a batch, or a field of a struct column, with its type; row numbers count from the batch's first row. */
struct view {
    const struct ArrowSchema *schema; /* NULL: there is no such field */
    struct pen_column c;
    int64_t shift; /* what the structs around it add to a row */
};

static struct view field_of(const struct view *v, const char *name)
{
    struct view f = { 0 };
    int64_t i = v->schema ? pen_schema_find(v->schema, name) : -1;
    if (i < 0)
        return f;
    f.schema = v->schema->children[i];
    f.c = pen_column_of(v->c.array->children[i]);
    f.shift = v->shift + v->c.offset;
    return f;
}

static bool has(const struct view *v, int64_t row)
{
    return v->schema && !pen_column_is_null(&v->c, row + v->shift);
}

static const char *text_at(const struct view *v, int64_t row, struct delta_arena *arena)
{
    size_t n;
    if (!has(v, row) || (pen_schema_type(v->schema) != PEN_TYPE_UTF8 && pen_schema_type(v->schema) != PEN_TYPE_BINARY))
        return NULL;
    const char *bytes = pen_column_bytes(&v->c, row + v->shift, &n);
    return delta_arena_copy(arena, bytes, n);
}

static int64_t int_at(const struct view *v, int64_t row, int64_t if_null)
{
    if (!has(v, row))
        return if_null;
    if (pen_schema_type(v->schema) == PEN_TYPE_INT64)
        return pen_column_int64(&v->c, row + v->shift);
    return pen_schema_type(v->schema) == PEN_TYPE_INT32 ? pen_column_int32(&v->c, row + v->shift) : if_null;
}

static bool bool_at(const struct view *v, int64_t row, bool if_null)
{
    return has(v, row) && pen_schema_type(v->schema) == PEN_TYPE_BOOL ? pen_column_bool(&v->c, row + v->shift) : if_null;
}

/* The items of a list in a row: *first and the view of the items; how many. */
static int64_t items(const struct view *v, int64_t row, struct view *item, int64_t *first)
{
    if (!has(v, row) || pen_schema_type(v->schema) != PEN_TYPE_LIST)
        return 0;
    int64_t at = v->c.offset + row + v->shift;
    *first = v->c.offsets[at];
    *item = (struct view){ .schema = v->schema->children[0], .c = pen_column_of(v->c.array->children[0]) };
    return v->c.offsets[at + 1] - *first;
}

static struct delta_names names_at(const struct view *v, int64_t row, struct delta_arena *arena)
{
    struct view item;
    int64_t first = 0, n = items(v, row, &item, &first);
    struct delta_names out = { 0, n > 0 ? delta_arena_new(arena, (size_t)n * sizeof *out.v) : NULL };
    for (; out.v && (int64_t)out.n < n; out.n++) {
        const char *name = text_at(&item, first + (int64_t)out.n, arena);
        out.v[out.n] = name ? name : "";
    }
    return out;
}

static struct delta_pairs pairs_at(const struct view *v, int64_t row, struct delta_arena *arena)
{
    struct view entry;
    int64_t first = 0, n = items(v, row, &entry, &first);
    struct delta_pairs out = { 0, n > 0 ? delta_arena_new(arena, (size_t)n * sizeof *out.v) : NULL };
    if (n <= 0 || pen_schema_type(entry.schema) != PEN_TYPE_STRUCT)
        return (struct delta_pairs){ 0 };
    struct view key = field_of(&entry, "key"), value = field_of(&entry, "value");
    for (; out.v && (int64_t)out.n < n; out.n++) {
        const char *name = text_at(&key, first + (int64_t)out.n, arena);
        out.v[out.n] = (struct delta_pair){ name ? name : "", text_at(&value, first + (int64_t)out.n, arena) };
    }
    return out;
}

/* -- rows to actions -------------------------------------------------------------------------------------------------------------- */

/* Fields of a row by name. */
static const char *text_in(const struct view *v, const char *name, int64_t row, struct delta_arena *arena)
{
    struct view f = field_of(v, name);
    return text_at(&f, row, arena);
}
static int64_t int_in(const struct view *v, const char *name, int64_t row, int64_t if_null)
{
    struct view f = field_of(v, name);
    return int_at(&f, row, if_null);
}
static bool bool_in(const struct view *v, const char *name, int64_t row)
{
    struct view f = field_of(v, name);
    return bool_at(&f, row, false);
}
static struct delta_names names_in(const struct view *v, const char *name, int64_t row, struct delta_arena *arena)
{
    struct view f = field_of(v, name);
    return names_at(&f, row, arena);
}
static struct delta_pairs pairs_in(const struct view *v, const char *name, int64_t row, struct delta_arena *arena)
{
    struct view f = field_of(v, name);
    return pairs_at(&f, row, arena);
}

static void read_protocol(const struct view *v, int64_t row, struct delta_arena *arena, struct delta_action *a)
{
    struct delta_protocol *p = &a->u.protocol;
    p->reader = int_in(v, "minReaderVersion", row, 0);
    p->writer = int_in(v, "minWriterVersion", row, 0);
    struct view features = field_of(v, "readerFeatures");
    p->has_reader_features = has(&features, row);
    p->reader_features = names_at(&features, row, arena);
    features = field_of(v, "writerFeatures");
    p->has_writer_features = has(&features, row);
    p->writer_features = names_at(&features, row, arena);
}

static void read_metadata(const struct view *v, int64_t row, struct delta_arena *arena, struct delta_action *a)
{
    struct view format = field_of(v, "format");
    a->u.metadata = (struct delta_metadata){
        .id = text_in(v, "id", row, arena), .name = text_in(v, "name", row, arena), .description = text_in(v, "description", row, arena), .schema = text_in(v, "schemaString", row, arena),
        .provider = text_in(&format, "provider", row, arena), .options = pairs_in(&format, "options", row, arena), .configuration = pairs_in(v, "configuration", row, arena),
        .partition_columns = names_in(v, "partitionColumns", row, arena), .created = int_in(v, "createdTime", row, INT64_MIN),
    };
}

static void read_txn(const struct view *v, int64_t row, struct delta_arena *arena, struct delta_action *a)
{
    a->u.txn = (struct delta_txn){ text_in(v, "appId", row, arena), int_in(v, "version", row, 0), int_in(v, "lastUpdated", row, INT64_MIN) };
}

static void read_file(const struct view *v, int64_t row, struct delta_arena *arena, struct delta_action *a)
{
    struct view vector = field_of(v, "deletionVector");
    a->u.file = (struct delta_file){
        .path = text_in(v, "path", row, arena), .partition_values = pairs_in(v, "partitionValues", row, arena), .size = int_in(v, "size", row, 0),
        .modified = int_in(v, "modificationTime", row, 0), .deleted = int_in(v, "deletionTimestamp", row, 0), .data_change = bool_in(v, "dataChange", row),
        .removed = a->kind == DELTA_REMOVE, .extended = bool_in(v, "extendedFileMetadata", row), .has_vector = has(&vector, row),
        .stats = text_in(v, "stats", row, arena), .tags = pairs_in(v, "tags", row, arena), .version = -1, .index = -1,
    };
}

static const struct column {
    const char *name;
    delta_kind kind;
    bool files;
    void (*read)(const struct view *v, int64_t row, struct delta_arena *arena, struct delta_action *a);
} columns[] = {
    { "protocol", DELTA_PROTOCOL, false, read_protocol }, { "metaData", DELTA_METADATA, false, read_metadata },
    { "txn", DELTA_TXN, false, read_txn },                { "add", DELTA_ADD, true, read_file },
    { "remove", DELTA_REMOVE, true, read_file },
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static pen_status take_batch(struct delta_state *s, const char *url, int64_t version, const struct ArrowSchema *schema,
                             const struct ArrowArray *batch, const struct column *const *chosen, const int64_t *at, size_t n,
                             struct pen_error *err)
{
    pen_status st = PEN_OK;
    struct delta_arena arena = { 0 };
    for (size_t k = 0; st >= 0 && k < n; k++) {
        struct view v = { .schema = schema->children[at[k]], .c = pen_column_at(batch, (int64_t)k), .shift = batch->offset };
        for (int64_t row = 0; st >= 0 && row < batch->length; row++) {
            struct delta_action a = { .kind = chosen[k]->kind };
            if (!has(&v, row))
                continue;
            chosen[k]->read(&v, row, &arena, &a);
            if (arena.failed)
                st = pen_fail(err, PEN_FATAL, "%s: out of memory", s->url);
            else if (delta_action_lacks(&a))
                st = pen_fail(err, PEN_FATAL, "%s: it holds %s", url, delta_action_lacks(&a));
            else
                st = delta_state_apply(s, version, -1, &a, err);
        }
    }
    delta_arena_fini(&arena);
    return st;
}

static pen_status read_part(struct delta_state *s, const struct pen_host *host, const char *name, int64_t version, struct pen_error *err)
{
    char url[1200];
    struct delta_input in;
    struct ArrowArray batch;
    int64_t at[N_COLUMNS];
    const struct column *chosen[N_COLUMNS];
    size_t n = 0;
    pen_status st = pen_url_join(url, sizeof url, s->log, name, err);
    if (st >= 0)
        st = delta_input_open(&in, host, url, -1, err);
    if (st < 0)
        return st;
    const struct ArrowSchema *schema = pen_parquet_reader_schema(in.reader);
    for (size_t i = 0; i < N_COLUMNS; i++) {
        int64_t found = columns[i].files && !s->want_files ? -1 : pen_schema_find(schema, columns[i].name);
        if (found >= 0 && pen_schema_type(schema->children[found]) == PEN_TYPE_STRUCT) {
            chosen[n] = &columns[i];
            at[n++] = found;
        }
    }
    st = pen_parquet_reader_select(in.reader, at, n, err);
    while (st >= 0 && (st = pen_parquet_reader_next(in.reader, 4096, &batch, err)) == PEN_OK) {
        st = take_batch(s, url, version, schema, &batch, chosen, at, n, err);
        pen_array_release(&batch);
    }
    if (!s->want_files)
        s->live += pen_parquet_reader_rows(in.reader) - (int64_t)s->n_txns; /* about */
    delta_input_close(&in);
    return st < 0 ? st : PEN_OK;
}

pen_status delta_checkpoint_read(struct delta_state *s, const struct pen_host *host, int64_t version, int64_t parts, struct pen_error *err)
{
    char name[96];
    pen_status st = pen_failpoint("delta.read-checkpoint", err);
    if (parts == 0) {
        snprintf(name, sizeof name, "%020lld.checkpoint.parquet", (long long)version);
        return st < 0 ? st : read_part(s, host, name, version, err);
    }
    for (int64_t i = 1; st >= 0 && i <= parts; i++) {
        snprintf(name, sizeof name, "%020lld.checkpoint.%010lld.%010lld.parquet", (long long)version, (long long)i, (long long)parts);
        st = read_part(s, host, name, version, err);
    }
    return st;
}
