/* table_open.c - making a table, and fitting the rows that come to the one that is there. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "delta.h"

enum { ATTEMPTS = 1000 };

unsigned delta_put_flags(const struct delta_sink *d)
{
    return d->fsync ? 0 : PEN_PUT_NO_FSYNC;
}

/* -- actions as text -------------------------------------------------------------------------------------------------------------- */

void delta_write_pairs(struct delta_text *t, const struct delta_pairs *pairs)
{
    delta_text_add(t, "{");
    for (size_t i = 0; i < pairs->n; i++) {
        delta_text_add(t, i ? "," : "");
        delta_text_quote(t, pairs->v[i].name);
        delta_text_add(t, ":");
        delta_text_quote(t, pairs->v[i].value);
    }
    delta_text_add(t, "}");
}

static void write_names(struct delta_text *t, const struct delta_names *names)
{
    delta_text_add(t, "[");
    for (size_t i = 0; i < names->n; i++) {
        delta_text_add(t, i ? "," : "");
        delta_text_quote(t, names->v[i]);
    }
    delta_text_add(t, "]");
}

void delta_write_protocol(struct delta_text *t, const struct delta_protocol *p)
{
    delta_text_format(t, "{\"protocol\":{\"minReaderVersion\":%lld,\"minWriterVersion\":%lld", (long long)p->reader, (long long)p->writer);
    if (p->has_reader_features) {
        delta_text_add(t, ",\"readerFeatures\":");
        write_names(t, &p->reader_features);
    }
    if (p->has_writer_features) {
        delta_text_add(t, ",\"writerFeatures\":");
        write_names(t, &p->writer_features);
    }
    delta_text_add(t, "}}\n");
}

void delta_write_metadata(struct delta_text *t, const struct delta_metadata *m)
{
    delta_text_add(t, "{\"metaData\":{\"id\":");
    delta_text_quote(t, m->id);
    if (m->name) {
        delta_text_add(t, ",\"name\":");
        delta_text_quote(t, m->name);
    }
    if (m->description) {
        delta_text_add(t, ",\"description\":");
        delta_text_quote(t, m->description);
    }
    delta_text_add(t, ",\"format\":{\"provider\":");
    delta_text_quote(t, m->provider ? m->provider : "parquet");
    delta_text_add(t, ",\"options\":");
    delta_write_pairs(t, &m->options);
    delta_text_add(t, "},\"schemaString\":");
    delta_text_quote(t, m->schema);
    delta_text_add(t, ",\"partitionColumns\":");
    write_names(t, &m->partition_columns);
    delta_text_add(t, ",\"configuration\":");
    delta_write_pairs(t, &m->configuration);
    if (m->created != INT64_MIN)
        delta_text_format(t, ",\"createdTime\":%lld", (long long)m->created);
    delta_text_add(t, "}}\n");
}

void delta_write_txn(struct delta_text *t, const char *app, int64_t version, int64_t updated)
{
    delta_text_add(t, "{\"txn\":{\"appId\":");
    delta_text_quote(t, app);
    delta_text_format(t, ",\"version\":%lld,\"lastUpdated\":%lld}}\n", (long long)version, (long long)updated);
}

/* parameters: JSON of operationParameters. plan NULL: not a plan's commit. */
void delta_write_commit_info(struct delta_sink *d, struct delta_text *t, const char *operation, const char *parameters, const char *plan, bool blind)
{
    delta_text_format(t, "{\"commitInfo\":{\"timestamp\":%lld,\"operation\":\"%s\",\"operationParameters\":", (long long)(pen_wall_clock(d->host) / 1000),
                      operation);
    delta_text_add(t, parameters);
    delta_text_format(t, ",\"isBlindAppend\":%s,\"engineInfo\":\"Penstock\"", blind ? "true" : "false");
    if (plan) {
        delta_text_add(t, ",\"penstockPlan\":");
        delta_text_quote(t, plan);
    }
    delta_text_add(t, "}}\n");
}

pen_status delta_put_entry(struct delta_sink *d, int64_t version, const struct delta_text *text, pen_put_outcome *outcome, struct pen_error *err)
{
    char name[32], path[1200];
    pen_status st = text->failed ? pen_fail(err, PEN_FATAL, "%s: out of memory", d->path) : PEN_OK;
    delta_entry_name(name, version);
    if (st >= 0)
        st = pen_url_join(path, sizeof path, d->state.log, name, err);
    if (st >= 0)
        st = pen_failpoint("delta.before-put", err);
    if (st >= 0)
        st = pen_store_put(d->host, path, text->p, text->n, PEN_PUT_IF_ABSENT | delta_put_flags(d), outcome, err);
    if (st >= 0 && pen_failpoint("delta.after-put", NULL) < 0)
        *outcome = PEN_PUT_UNKNOWN; /* the answer was lost */
    return st;
}

/* -- a new table -------------------------------------------------------------------------------------------------------------------- */

static pen_status random_uuid(char out[40], struct pen_error *err)
{
    uint8_t b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return pen_fail(err, PEN_FATAL, "no random numbers to be had");
    b[6] = (uint8_t)((b[6] & 15) | 0x40);
    b[8] = (uint8_t)((b[8] & 63) | 0x80);
    for (int i = 0, at = 0; i < 16; i++)
        at += snprintf(out + at, (size_t)(40 - at), "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    return PEN_OK;
}

static pen_status create(struct delta_sink *d, pen_put_outcome *outcome, struct pen_error *err)
{
    static const struct delta_protocol protocol = { .reader = 1, .writer = 2 };
    struct delta_text t = { 0 }, schema = { 0 };
    struct delta_pair *pairs = calloc(d->properties.n + 1, sizeof *pairs);
    char id[40];
    pen_status st = pairs ? random_uuid(id, err) : pen_fail(err, PEN_FATAL, "%s: out of memory", d->path);
    delta_schema_write(&schema, &d->in_fields);
    for (size_t i = 0; st >= 0 && i < d->properties.n; i++)
        pairs[i] = (struct delta_pair){ d->properties.names[i], d->properties.values[i] };
    if (st >= 0 && schema.failed)
        st = pen_fail(err, PEN_FATAL, "%s: out of memory", d->path);
    if (st >= 0) {
        const struct delta_metadata m = {
            .id = id, .schema = schema.p, .configuration = { d->properties.n, pairs },
            .partition_columns = { d->partition_by.n, (const char **)(uintptr_t)d->partition_by.v }, .created = pen_wall_clock(d->host) / 1000,
        };
        delta_write_commit_info(d, &t, "CREATE TABLE", "{}", NULL, true);
        delta_write_protocol(&t, &protocol);
        delta_write_metadata(&t, &m);
        st = delta_put_entry(d, 0, &t, outcome, err);
    }
    free(pairs);
    delta_text_fini(&t);
    delta_text_fini(&schema);
    return st;
}

/* -- the table that is there ---------------------------------------------------------------------------------------------------------- */

static pen_status check_partitions(const struct delta_sink *d, struct pen_error *err)
{
    const struct delta_names *p = &d->state.metadata.partition_columns;
    bool same = p->n == d->partition_by.n;
    for (size_t i = 0; same && i < p->n; i++)
        same = strcmp(p->v[i], d->partition_by.v[i]) == 0;
    if (same)
        return PEN_OK;
    return pen_fail(err, PEN_BADCONF, "%s: the table is partitioned by %zu column%s (%s%s%s) and partition_by names %zu (%s%s)", d->path, p->n, p->n == 1 ? "" : "s",
                    p->n ? p->v[0] : "none", p->n > 1 ? ", " : "", p->n > 1 ? p->v[1] : "", d->partition_by.n, d->partition_by.n ? d->partition_by.v[0] : "none",
                    d->partition_by.n > 1 ? ", …" : "");
}

/* Whether `in` fits the schema of the table; *grown (malloc'ed) is the schema with the columns that are new, NULL where none is. */
static pen_status check_schema(const struct delta_sink *d, char **grown, struct pen_error *err)
{
    struct delta_arena arena = { 0 };
    struct delta_field table;
    bool grew = false;
    const char *why = delta_schema_parse(&table, &arena, d->state.metadata.schema);
    pen_status st = why ? pen_fail(err, PEN_FATAL, "%s: the table's schemaString cannot be read: %s", d->path, why) : PEN_OK;
    *grown = NULL;
    if (st >= 0)
        st = delta_schema_fit(&table, &d->in_fields, d->schema_mode == DELTA_EVOLVE, &grew, &arena, d->path, err);
    if (st >= 0 && grew) {
        struct delta_text t = { 0 };
        delta_schema_write(&t, &table);
        if (t.failed) {
            delta_text_fini(&t);
            st = pen_fail(err, PEN_FATAL, "%s: out of memory", d->path);
        }
        *grown = t.p;
    }
    delta_arena_fini(&arena);
    return st;
}

static pen_status add_columns(struct delta_sink *d, const char *schema, pen_put_outcome *outcome, struct pen_error *err)
{
    struct delta_metadata m = d->state.metadata;
    struct delta_text t = { 0 };
    m.schema = schema;
    delta_write_commit_info(d, &t, "ADD COLUMNS", "{}", NULL, false);
    delta_write_metadata(&t, &m);
    pen_status st = delta_put_entry(d, d->state.version + 1, &t, outcome, err);
    delta_text_fini(&t);
    if (st >= 0 && *outcome == PEN_PUT_DONE)
        pen_log(d->host, PEN_LOG_INFO, "%s: added columns to the table", d->path);
    return st;
}

bool delta_table_unchanged(struct delta_sink *d)
{
    struct delta_text now = { 0 };
    if (d->state.metadata_version == d->expected_metadata && d->state.protocol_version == d->expected_protocol)
        return true;
    delta_write_protocol(&now, &d->state.protocol);
    delta_write_metadata(&now, &d->state.metadata);
    bool same = !now.failed && now.n == d->expected.n && memcmp(now.p, d->expected.p, now.n) == 0;
    delta_text_fini(&now);
    if (same) { /* said again, or read out of a checkpoint */
        d->expected_metadata = d->state.metadata_version;
        d->expected_protocol = d->state.protocol_version;
    }
    return same;
}

static pen_status adopt(struct delta_sink *d, struct pen_error *err)
{
    const char *columns = delta_pairs_get(&d->state.metadata.configuration, "delta.dataSkippingNumIndexedCols");
    delta_text_fini(&d->expected);
    delta_write_protocol(&d->expected, &d->state.protocol);
    delta_write_metadata(&d->expected, &d->state.metadata);
    if (d->expected.failed)
        return pen_fail(err, PEN_FATAL, "%s: out of memory", d->path);
    snprintf(d->id, sizeof d->id, "%s", d->state.metadata.id);
    d->expected_metadata = d->state.metadata_version;
    d->expected_protocol = d->state.protocol_version;
    d->stats_columns = columns ? strtoll(columns, NULL, 10) : 32;
    d->opened = true;
    return PEN_OK;
}

/* The table that is there: *grown as of check_schema(). */
static pen_status check_table(const struct delta_sink *d, char **grown, struct pen_error *err)
{
    pen_status st = delta_check_writer(&d->state, err);
    *grown = NULL;
    if (st >= 0)
        st = check_partitions(d, err);
    return st < 0 ? st : check_schema(d, grown, err);
}

pen_status delta_table_check(struct delta_sink *d, struct pen_error *err)
{
    char *grown = NULL;
    bool jumped;
    pen_status st = delta_state_refresh(&d->state, d->host, NULL, &jumped, err);
    if (st >= 0 && d->state.version >= 0)
        st = check_table(d, &grown, err);
    free(grown);
    return st;
}

/* One look at the table and one attempt to make it fit: *again where the log has moved and the look must be repeated. */
static pen_status attempt(struct delta_sink *d, bool *again, struct pen_error *err)
{
    char *grown = NULL;
    pen_put_outcome outcome = PEN_PUT_DONE;
    pen_status st = PEN_OK;
    *again = true;
    if (d->state.version < 0) {
        if (d->opened)
            return pen_fail(err, PEN_FATAL, "%s: the table is not there any more", d->path);
        return create(d, &outcome, err);
    }
    if (d->id[0] && strcmp(d->id, d->state.metadata.id) != 0)
        return pen_fail(err, PEN_FATAL, "%s: another table lies here now (id %s, it was %s)", d->path, d->state.metadata.id, d->id);
    if ((st = check_table(d, &grown, err)) < 0)
        return st;
    if (grown)
        st = add_columns(d, grown, &outcome, err);
    else
        *again = false;
    free(grown);
    return st;
}

pen_status delta_table_open(struct delta_sink *d, struct pen_error *err)
{
    bool again = true, jumped;
    for (int i = 0; again && i < ATTEMPTS; i++) {
        pen_status st = delta_state_refresh(&d->state, d->host, NULL, &jumped, err);
        if (st >= 0)
            st = attempt(d, &again, err);
        if (st < 0)
            return st;
    }
    if (again)
        return pen_fail(err, PEN_RETRY, "%s: others changed the table each time it was looked at", d->path);
    return adopt(d, err);
}
