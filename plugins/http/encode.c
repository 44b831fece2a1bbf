/* encode.c - rows into request bodies, and replies back to the rows. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"

enum { COL_KEY, COL_VALUE, COL_PARTITION = 3 }; /* see pen_schema_raw() */

void post_free(struct post *p)
{
    if (!p)
        return;
    pen_text_fini(&p->text);
    free(p->ends);
    free(p);
}

/* -- rows ------------------------------------------------------------------------------------------------------------------------------ */

static bool is_json(const char *text, size_t n)
{
    struct slice value;
    struct scan s;
    scan_init(&s, (char *)(uintptr_t)text, n); /* it only looks */
    return scan_value(&s, &value) && scan_at_end(&s);
}

static bool column_is_json(const struct ArrowArray *batch, int64_t column, int64_t row)
{
    struct pen_column c = pen_column_at(batch, column);
    size_t n;
    if (pen_column_is_null(&c, row))
        return true;
    const char *bytes = pen_column_bytes(&c, row, &n);
    return is_json(bytes, n);
}

body_format post_format(const struct http_sink *s, const struct ArrowArray *batch, int64_t row)
{
    if (s->o.preset != PRESET_KAFKA_REST || (column_is_json(batch, COL_KEY, row) && column_is_json(batch, COL_VALUE, row)))
        return BODY_JSON;
    return BODY_BINARY;
}

static void put_embedded(struct pen_text *t, const struct pen_column *c, int64_t row, body_format format)
{
    size_t n;
    const char *bytes;
    if (pen_column_is_null(c, row)) {
        pen_text_put(t, "null");
        return;
    }
    bytes = pen_column_bytes(c, row, &n);
    if (format == BODY_JSON) {
        pen_text_append(t, bytes, n);
        return;
    }
    pen_text_put(t, "\"");
    pen_text_base64(t, bytes, n);
    pen_text_put(t, "\"");
}

static void put_kafka(struct pen_text *t, const struct ArrowArray *batch, int64_t row, body_format format)
{
    struct pen_column key = pen_column_at(batch, COL_KEY), value = pen_column_at(batch, COL_VALUE);
    pen_text_put(t, "{");
    if (!pen_column_is_null(&key, row)) {
        pen_text_put(t, "\"key\":");
        put_embedded(t, &key, row, format);
        pen_text_put(t, ",");
    }
    pen_text_put(t, "\"value\":");
    put_embedded(t, &value, row, format);
    pen_text_put(t, "}");
}

/* FNV-1a: rows without a key are spread by their bytes, so that sending one again sends it to the same place. */
static uint64_t spread(const char *bytes, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void put_kinesis(const struct http_sink *s, struct pen_text *t, const struct post *p, const struct ArrowArray *batch, int64_t row)
{
    struct pen_column key = pen_column_at(batch, COL_KEY), value = pen_column_at(batch, COL_VALUE);
    bool alone = s->o.batch_records == 1;
    size_t n;
    const char *bytes = pen_column_bytes(&value, row, &n);
    pen_text_put(t, "{");
    if (alone)
        pen_text_format(t, "\"StreamName\":\"%s\",", p->topic);
    pen_text_put(t, alone ? "\"Data\":" : "\"data\":");
    pen_text_append(t, bytes, n);
    pen_text_put(t, alone ? ",\"PartitionKey\":" : ",\"partition-key\":");
    if (pen_column_is_null(&key, row)) {
        pen_text_format(t, "\"%016" PRIx64 "\"", spread(bytes, n));
    } else {
        bytes = pen_column_bytes(&key, row, &n);
        pen_text_json_string(t, bytes, n);
    }
    pen_text_put(t, "}");
}

/* Line breaks between the tokens of a record are white space as any other. */
static void put_line(struct pen_text *t, const struct ArrowArray *batch, int64_t row)
{
    struct pen_column value = pen_column_at(batch, COL_VALUE);
    size_t n, at = t->n;
    const char *bytes = pen_column_bytes(&value, row, &n);
    pen_text_append(t, bytes, n);
    for (; at < t->n && !pen_text_failed(t); at++)
        if (t->bytes[at] == '\n' || t->bytes[at] == '\r')
            t->bytes[at] = ' ';
    pen_text_put(t, "\n");
}

pen_status post_add(const struct http_sink *s, struct post *p, const struct ArrowArray *batch, int64_t row, struct pen_error *err)
{
    struct pen_column value = pen_column_at(batch, COL_VALUE);
    if (s->o.preset != PRESET_KAFKA_REST && (pen_column_is_null(&value, row) || !column_is_json(batch, COL_VALUE, row)))
        return pen_fail(err, PEN_BADDATA, "%s: a record that is no JSON cannot be sent so (preset = kafka-rest could)", s->o.url);
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        size_t *ends = realloc(p->ends, cap * sizeof *ends);
        if (!ends)
            return pen_fail(err, PEN_FATAL, "out of memory");
        p->ends = ends;
        p->cap = cap;
    }
    switch (s->o.preset) {
    case PRESET_KAFKA_REST: put_kafka(&p->text, batch, row, p->format); break;
    case PRESET_KINESIS: put_kinesis(s, &p->text, p, batch, row); break;
    default: put_line(&p->text, batch, row); break;
    }
    if (pen_text_failed(&p->text))
        return pen_fail(err, PEN_FATAL, "out of memory");
    p->ends[p->n++] = p->text.n;
    return PEN_OK;
}

/* -- requests ---------------------------------------------------------------------------------------------------------------------------- */

void post_body(const struct http_sink *s, const struct post *p, struct pen_text *out)
{
    size_t from = 0;
    bool list = s->o.preset == PRESET_KAFKA_REST || (s->o.preset == PRESET_KINESIS && s->o.batch_records != 1);
    if (list)
        pen_text_put(out, "{\"records\":[");
    for (size_t i = 0; i < p->n; from = p->ends[i++]) {
        if (list && i)
            pen_text_put(out, ",");
        pen_text_append(out, p->text.bytes + from, p->ends[i] - from);
    }
    if (list)
        pen_text_put(out, "]}");
}

pen_status post_url(const struct http_sink *s, const struct post *p, char *url, size_t size, struct pen_error *err)
{
    static const char *const before[] = { "/topics/", "/streams/", "/ingest/" };
    size_t n = strlen(s->o.url);
    int len;
    while (n && s->o.url[n - 1] == '/')
        n--;
    len = snprintf(url, size, "%.*s%s%s%s", (int)n, s->o.url, before[s->o.preset], p->topic,
                   s->o.preset != PRESET_KINESIS ? "" : s->o.batch_records == 1 ? "/record" : "/records");
    return len > 0 && (size_t)len < size ? PEN_OK : pen_fail(err, PEN_BADCONF, "url = %s: too long", s->o.url);
}

/* -- replies ---------------------------------------------------------------------------------------------------------------------------- */

/* Whether the object at hand is a record's error, and which. */
static bool record_failed(struct scan *s, char why[64])
{
    struct slice name, value;
    bool first = true;
    why[0] = '\0';
    if (!scan_enter(s, '{'))
        return false;
    while (scan_key(s, &first, &name)) {
        if (!scan_value(s, &value))
            return false;
        if ((slice_is(&name, "error_code") || slice_is(&name, "ErrorCode")) && !slice_is_null(&value))
            snprintf(why, 64, "%.*s", value.n < 60 ? (int)value.n : 60, value.p);
    }
    return why[0] != '\0';
}

struct verdicts {
    size_t n, left, from; /* records seen; kept to be sent again; where the next one begins in the text */
    char why[64];
    bool hopeless;
};

static void keep(struct post *p, struct verdicts *v)
{
    size_t from = v->n ? v->from : 0, n = p->ends[v->n] - from, to = v->left ? p->ends[v->left - 1] : 0;
    memmove(p->text.bytes + to, p->text.bytes + from, n);
    v->from = p->ends[v->n];
    p->ends[v->left++] = to + n;
}

/* Kafka's code 1 is an error for good, 2 one that passes. */
static void judge(struct post *p, struct scan *s, struct verdicts *v)
{
    char why[64];
    bool failed = record_failed(s, why);
    if (v->n < p->n) {
        if (failed)
            keep(p, v);
        else
            v->from = p->ends[v->n];
    }
    v->n++;
    if (failed && !v->why[0])
        memcpy(v->why, why, sizeof why);
    v->hopeless = v->hopeless || (failed && (strcmp(why, "1") == 0 || strcmp(why, "50002") == 0));
}

/* {"offsets":[…]} or {"Records":[…]}; what stands in no list, as a single Kinesis record, is a verdict itself. */
static bool read_verdicts(struct post *p, char *reply, size_t n, struct verdicts *v)
{
    struct slice name, value;
    struct scan s;
    bool first = true, one = true, list = false;
    scan_init(&s, reply, n);
    if (!scan_enter(&s, '{'))
        return false;
    while (scan_key(&s, &first, &name)) {
        if (slice_is(&name, "offsets") || slice_is(&name, "Records")) {
            list = true;
            one = true;
            if (!scan_enter(&s, '['))
                return false;
            while (scan_item(&s, &one))
                judge(p, &s, v);
        } else if (!scan_value(&s, &value)) {
            return false;
        }
        if (s.why)
            return false;
    }
    if (!list) {
        scan_init(&s, reply, n);
        judge(p, &s, v);
    }
    return !s.why;
}

static pen_status refused(const struct http_sink *s, const struct post *p, long status, const char *reply, size_t n, struct pen_error *err)
{
    bool later = status == 408 || status == 425 || status == 429 || status >= 500;
    return pen_fail(err, later ? PEN_RETRY : status == 401 || status == 403 || status == 404 ? PEN_BADCONF : PEN_FATAL, "%s: %s: answered %ld: %.*s",
                    s->o.url, p->topic, status, n < 200 ? (int)n : 200, n ? reply : "");
}

pen_status post_check(const struct http_sink *s, struct post *p, long status, char *reply, size_t n, struct pen_error *err)
{
    struct verdicts v = { 0 };
    size_t sent = p->n;
    if (status < 200 || status > 299)
        return refused(s, p, status, reply, n, err);
    if (s->o.preset == PRESET_JSON_LINES) {
        p->n = 0;
        return PEN_OK;
    }
    if (!read_verdicts(p, reply, n, &v) || v.n != sent)
        return pen_fail(err, PEN_RETRY, "%s: %s: the reply does not tell of each of the %zu records", s->o.url, p->topic, sent);
    p->n = v.left;
    p->text.n = v.left ? p->ends[v.left - 1] : 0;
    if (v.hopeless)
        return pen_fail(err, PEN_FATAL, "%s: %s: a record was refused for good: %s", s->o.url, p->topic, v.why);
    return v.left ? pen_fail(err, PEN_RETRY, "%s: %s: %zu of %zu records were refused for now: %s", s->o.url, p->topic, v.left, sent, v.why) : PEN_OK;
}
