/* checkpoint.c - writing classic checkpoints ("Checkpoint Schema", V1) and _last_checkpoint.
 *
 * A checkpoint is made from what the log says up to its version, never from what a writer has in memory, so whoever makes it makes the same one;
 * it is put if absent, so that one that is being read is never replaced.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "parquet.h"

enum { BATCH_ROWS = 4096, WEEK_MS = 7 * 24 * 3600 * 1000 };

/* -- schema -------------------------------------------------------------------------------------------------------------------------- */

/* A field in one line: format ("m": map of text to text, "L": list of text) and name; '!': not nullable. */
static const char *const txn_fields[] = { "!u", "appId", "!l", "version", "l", "lastUpdated", NULL };
static const char *const add_fields[] = { "!u", "path", "m", "partitionValues", "!l", "size", "!l", "modificationTime", "!b", "dataChange", "m", "tags",
                                          "u", "stats", NULL };
static const char *const remove_fields[] = { "!u", "path", "l", "deletionTimestamp", "!b", "dataChange", "b", "extendedFileMetadata", "m", "partitionValues",
                                             "l", "size", NULL };
static const char *const metadata_fields[] = { "!u", "id", "u", "name", "u", "description", "F", "format", "!u", "schemaString", "L", "partitionColumns",
                                               "m", "configuration", "l", "createdTime", NULL };
static const char *const format_fields[] = { "!u", "provider", "m", "options", NULL };
static const char *const protocol_fields[] = { "!i", "minReaderVersion", "!i", "minWriterVersion", "L", "readerFeatures", "L", "writerFeatures", NULL };
enum { TXN, ADD, REMOVE, METADATA, PROTOCOL, N_KINDS };
static const struct { const char *name; const char *const *fields; } kinds[N_KINDS] = {
    [TXN] = { "txn", txn_fields }, [ADD] = { "add", add_fields }, [REMOVE] = { "remove", remove_fields },
    [METADATA] = { "metaData", metadata_fields }, [PROTOCOL] = { "protocol", protocol_fields },
};

static pen_status struct_schema(struct ArrowSchema *out, const char *name, const char *const *fields, struct pen_error *err);

static pen_status text_map(struct ArrowSchema *out, const char *name, struct pen_error *err)
{
    struct ArrowSchema *entry;
    pen_status st = pen_schema_init_field(out, "+l", name, ARROW_FLAG_NULLABLE | PEN_FIELD_MAP, 1, err);
    if (st < 0)
        return st;
    entry = out->children[0];
    st = pen_schema_init_field(entry, "+s", "key_value", 0, 2, err);
    if (st >= 0)
        st = pen_schema_init_field(entry->children[0], "u", "key", 0, 0, err);
    return st < 0 ? st : pen_schema_init_field(entry->children[1], "u", "value", ARROW_FLAG_NULLABLE, 0, err);
}

static pen_status one_field(struct ArrowSchema *out, const char *format, const char *name, struct pen_error *err)
{
    bool required = format[0] == '!';
    pen_status st;
    if (format[0] == 'm')
        return text_map(out, name, err);
    if (format[0] == 'F')
        return struct_schema(out, name, format_fields, err);
    if (format[0] != 'L')
        return pen_schema_init_field(out, format + required, name, required ? 0 : ARROW_FLAG_NULLABLE, 0, err);
    st = pen_schema_init_field(out, "+l", name, ARROW_FLAG_NULLABLE, 1, err);
    return st < 0 ? st : pen_schema_init_field(out->children[0], "u", "element", ARROW_FLAG_NULLABLE, 0, err);
}

static pen_status struct_schema(struct ArrowSchema *out, const char *name, const char *const *fields, struct pen_error *err)
{
    size_t n = 0;
    while (fields[2 * n])
        n++;
    pen_status st = pen_schema_init_field(out, "+s", name, ARROW_FLAG_NULLABLE, n, err);
    for (size_t i = 0; st >= 0 && i < n; i++)
        st = one_field(out->children[i], fields[2 * i], fields[2 * i + 1], err);
    return st;
}

static pen_status checkpoint_schema(struct ArrowSchema *out, struct pen_error *err)
{
    pen_status st = pen_schema_init_struct(out, "", N_KINDS, err);
    for (size_t i = 0; st >= 0 && i < N_KINDS; i++)
        st = struct_schema(out->children[i], kinds[i].name, kinds[i].fields, err);
    if (st < 0)
        pen_schema_release(out);
    return st;
}

/* -- rows ------------------------------------------------------------------------------------------------------------------------------ */

static void put_text(struct pen_builder *b, const char *text)
{
    if (text)
        pen_builder_bytes_value(b, text, strlen(text));
    else
        pen_builder_null(b);
}

static void put_pairs(struct pen_builder *b, const struct delta_pairs *pairs)
{
    struct pen_builder *entry = pen_builder_child(b, 0);
    for (size_t i = 0; i < pairs->n; i++) {
        put_text(pen_builder_child(entry, 0), pairs->v[i].name);
        put_text(pen_builder_child(entry, 1), pairs->v[i].value);
        pen_builder_end_struct(entry);
    }
    pen_builder_end_list(b);
}

static void put_names(struct pen_builder *b, const struct delta_names *names, bool present)
{
    for (size_t i = 0; present && i < names->n; i++)
        put_text(pen_builder_child(b, 0), names->v[i]);
    if (present)
        pen_builder_end_list(b);
    else
        pen_builder_null(b);
}

static void put_long(struct pen_builder *b, int64_t v)
{
    if (v == INT64_MIN)
        pen_builder_null(b);
    else
        pen_builder_int64(b, v);
}

static void put_txn(struct pen_builder *b, const struct delta_txn *t)
{
    put_text(pen_builder_child(b, 0), t->app);
    put_long(pen_builder_child(b, 1), t->version);
    put_long(pen_builder_child(b, 2), t->updated);
}

static void put_add(struct pen_builder *b, const struct delta_file *f)
{
    put_text(pen_builder_child(b, 0), f->path);
    put_pairs(pen_builder_child(b, 1), &f->partition_values);
    put_long(pen_builder_child(b, 2), f->size);
    put_long(pen_builder_child(b, 3), f->modified);
    pen_builder_bool(pen_builder_child(b, 4), false);
    if (f->tags.n)
        put_pairs(pen_builder_child(b, 5), &f->tags);
    else
        pen_builder_null(pen_builder_child(b, 5));
    put_text(pen_builder_child(b, 6), f->stats);
}

static void put_remove(struct pen_builder *b, const struct delta_file *f)
{
    put_text(pen_builder_child(b, 0), f->path);
    put_long(pen_builder_child(b, 1), f->deleted);
    pen_builder_bool(pen_builder_child(b, 2), false);
    pen_builder_bool(pen_builder_child(b, 3), f->extended);
    if (f->extended) {
        put_pairs(pen_builder_child(b, 4), &f->partition_values);
        put_long(pen_builder_child(b, 5), f->size);
    } else {
        pen_builder_null(pen_builder_child(b, 4));
        pen_builder_null(pen_builder_child(b, 5));
    }
}

static void put_metadata(struct pen_builder *b, const struct delta_metadata *m)
{
    struct pen_builder *format = pen_builder_child(b, 3);
    put_text(pen_builder_child(b, 0), m->id);
    put_text(pen_builder_child(b, 1), m->name);
    put_text(pen_builder_child(b, 2), m->description);
    put_text(pen_builder_child(format, 0), m->provider ? m->provider : "parquet");
    put_pairs(pen_builder_child(format, 1), &m->options);
    pen_builder_end_struct(format);
    put_text(pen_builder_child(b, 4), m->schema);
    put_names(pen_builder_child(b, 5), &m->partition_columns, true);
    put_pairs(pen_builder_child(b, 6), &m->configuration);
    put_long(pen_builder_child(b, 7), m->created);
}

static void put_protocol(struct pen_builder *b, const struct delta_protocol *p)
{
    pen_builder_int32(pen_builder_child(b, 0), (int32_t)p->reader);
    pen_builder_int32(pen_builder_child(b, 1), (int32_t)p->writer);
    put_names(pen_builder_child(b, 2), &p->reader_features, p->has_reader_features);
    put_names(pen_builder_child(b, 3), &p->writer_features, p->has_writer_features);
}

/* -- the file ---------------------------------------------------------------------------------------------------------------------------- */

struct writing {
    struct pen_upload *upload;
    struct pen_parquet_writer *parquet;
    struct pen_builder *rows;
    int64_t n;
    struct pen_error *err;
};

static pen_status to_upload(void *arg, const void *bytes, size_t n, struct pen_error *err)
{
    struct writing *w = arg;
    return pen_upload_write(w->upload, bytes, n, err);
}

static pen_status flush_rows(struct writing *w)
{
    struct ArrowArray batch;
    pen_status st = pen_builder_length(w->rows) == 0 ? PEN_SKIP : pen_builder_finish(w->rows, &batch, w->err);
    if (st != PEN_OK)
        return st < 0 ? st : PEN_OK;
    st = pen_parquet_writer_batch(w->parquet, &batch, w->err);
    pen_array_release(&batch);
    return st;
}

/* The builder of this action in the next row is full: the others are null. */
static pen_status end_row(struct writing *w, int kind)
{
    for (int i = 0; i < N_KINDS; i++)
        if (i == kind)
            pen_builder_end_struct(pen_builder_child(w->rows, (size_t)i));
        else
            pen_builder_null(pen_builder_child(w->rows, (size_t)i));
    pen_builder_end_struct(w->rows);
    w->n++;
    return pen_builder_length(w->rows) >= BATCH_ROWS ? flush_rows(w) : PEN_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct delta_file *const *)a)->path, (*(struct delta_file *const *)b)->path);
}

static pen_status write_files(struct writing *w, struct delta_state *s, int64_t oldest_tombstone)
{
    struct delta_file **sorted = malloc((s->n_files + 1) * sizeof *sorted);
    pen_status st = sorted ? PEN_OK : pen_fail(w->err, PEN_FATAL, "%s: out of memory", s->url);
    for (size_t i = 0; sorted && i < s->n_files; i++)
        sorted[i] = &s->files[i];
    if (sorted)
        qsort(sorted, s->n_files, sizeof *sorted, by_path); /* every writer the same bytes */
    for (size_t i = 0; st >= 0 && i < s->n_files; i++) {
        const struct delta_file *f = sorted[i];
        if (f->removed && f->deleted < oldest_tombstone)
            continue;
        if (f->removed)
            put_remove(pen_builder_child(w->rows, REMOVE), f);
        else
            put_add(pen_builder_child(w->rows, ADD), f);
        st = end_row(w, f->removed ? REMOVE : ADD);
    }
    free(sorted);
    return st;
}

static pen_status write_rows(struct writing *w, struct delta_state *s, int64_t oldest_tombstone)
{
    put_protocol(pen_builder_child(w->rows, PROTOCOL), &s->protocol);
    pen_status st = end_row(w, PROTOCOL);
    put_metadata(pen_builder_child(w->rows, METADATA), &s->metadata);
    if (st >= 0)
        st = end_row(w, METADATA);
    for (size_t i = 0; st >= 0 && i < s->n_txns; i++) {
        put_txn(pen_builder_child(w->rows, TXN), &s->txns[i]);
        st = end_row(w, TXN);
    }
    if (st >= 0)
        st = write_files(w, s, oldest_tombstone);
    return st < 0 ? st : flush_rows(w);
}

static pen_status write_to(struct writing *w, struct delta_state *s, const struct pen_host *host, const char *path, unsigned put_flags,
                           int64_t oldest_tombstone, pen_put_outcome *outcome)
{
    const struct pen_parquet_options options = { .compression = { PEN_CODEC_SNAPPY, 0 } };
    struct ArrowSchema schema;
    pen_status st = checkpoint_schema(&schema, w->err);
    if (st < 0)
        return st;
    st = pen_builder_new(&w->rows, &schema, w->err);
    if (st >= 0)
        st = pen_upload_open(host, &w->upload, path, put_flags | PEN_PUT_IF_ABSENT, w->err);
    if (st >= 0)
        st = pen_parquet_writer_new(&w->parquet, &schema, &options, to_upload, w, w->err);
    if (st >= 0)
        st = write_rows(w, s, oldest_tombstone);
    if (st >= 0)
        st = pen_parquet_writer_close(w->parquet, w->err);
    if (st >= 0)
        st = pen_failpoint("delta.checkpoint", w->err);
    if (st >= 0)
        st = pen_upload_close(&w->upload, outcome, w->err);
    else if (w->upload)
        pen_upload_abandon(&w->upload);
    pen_schema_release(&schema);
    return st;
}

static pen_status point_to(const struct delta_state *s, const struct pen_host *host, const struct writing *w, unsigned put_flags, struct pen_error *err)
{
    char path[1200];
    struct delta_text t = { 0 };
    pen_put_outcome outcome;
    pen_status st = pen_url_join(path, sizeof path, s->log, "_last_checkpoint", err);
    delta_text_format(&t, "{\"version\":%lld,\"size\":%lld,\"sizeInBytes\":%lld,\"numOfAddFiles\":%lld}\n", (long long)s->version, (long long)w->n,
                      (long long)pen_parquet_writer_size(w->parquet), (long long)s->live);
    if (st >= 0)
        st = pen_failpoint("delta.last-checkpoint", err);
    if (st >= 0 && t.failed)
        st = pen_fail(err, PEN_FATAL, "%s: out of memory", s->url);
    if (st >= 0)
        st = pen_store_put(host, path, t.p, t.n, put_flags, &outcome, err);
    delta_text_fini(&t);
    return st;
}

pen_status delta_checkpoint_write(const char *url, const struct pen_host *host, int64_t version, unsigned put_flags, int64_t *files,
                                  struct pen_error *err)
{
    struct delta_state s;
    struct writing w = { .err = err };
    char name[64], path[1200];
    int64_t now, keep;
    pen_put_outcome outcome;
    pen_status st = delta_state_init(&s, url, err);
    s.want_files = true;
    if (st >= 0)
        st = delta_state_load(&s, host, version, err);
    if (st >= 0)
        st = delta_check_writer(&s, err); /* a checkpoint must keep all that the table's features have put into the log */
    if (st >= 0)
        st = pen_store_now(host, s.log, &now, err);
    if (st >= 0 && s.checkpoint != s.version) { /* else it is there already */
        keep = delta_interval(delta_pairs_get(&s.metadata.configuration, "delta.deletedFileRetentionDuration"), WEEK_MS);
        snprintf(name, sizeof name, "%020lld.checkpoint.parquet", (long long)s.version);
        st = pen_url_join(path, sizeof path, s.log, name, err);
        if (st >= 0)
            st = write_to(&w, &s, host, path, put_flags, now / 1000 - (keep < 0 ? WEEK_MS : keep), &outcome);
        if (st >= 0)
            st = point_to(&s, host, &w, put_flags, err);
    }
    if (files)
        *files = s.live;
    if (w.parquet)
        pen_parquet_writer_free(&w.parquet);
    pen_builder_free(&w.rows);
    delta_state_fini(&s);
    return st;
}
