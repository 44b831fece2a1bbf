/* parse_kafka.c - bodies of the Kafka REST API, v2 and v3. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api.h"

static bool unrecognized(struct refusal *why, const struct slice *name)
{
    char shown[64];
    size_t n = 0; /* of the key only what can do no harm in a line of text */
    for (; n < name->n && n < sizeof shown - 1; n++)
        shown[n] = name->p[n] > 0x20 && name->p[n] < 0x7f && name->p[n] != '"' && name->p[n] != '\\' ? name->p[n] : '?';
    shown[n] = '\0';
    return refuse(why, 422, 422, NULL, "Unrecognized field: %s", shown);
}

/* -- v2 -------------------------------------------------------------------------------------------------------------------------------- */

/* A key or value: JSON text as it is, or base64 in a string. JSON's null is Kafka's. */
static bool embedded(struct slice *v, body_format format, const char *what, struct refusal *why)
{
    if (!v->p || slice_is_null(v)) {
        v->p = NULL;
        return true;
    }
    if (format == BODY_JSON)
        return true;
    if (!slice_is_string(v))
        return refuse(why, 422, 42205, NULL, "%s: expected base64 in a string", what);
    slice_unquote(v);
    return slice_from_base64(v) ? true : refuse(why, 422, 42205, NULL, "%s: no valid base64", what);
}

static bool v2_record(struct scan *s, body_format format, struct record *r, struct refusal *why)
{
    struct slice name, value;
    bool first = true;
    if (!scan_enter(s, '{'))
        return refuse_json(why, s, NULL);
    while (scan_key(s, &first, &name)) {
        long long partition;
        if (!scan_value(s, &value))
            break;
        if (slice_is(&name, "value")) {
            r->value = value;
        } else if (slice_is(&name, "key")) {
            r->key = value;
        } else if (!slice_is(&name, "partition")) {
            return unrecognized(why, &name);
        } else if (slice_to_int(&value, INT32_MAX, &partition)) {
            r->partition = (int32_t)partition;
        } else if (!slice_is_null(&value)) {
            return refuse(why, 422, 422, NULL, "partition: expected a whole number, 0 or more");
        }
    }
    if (s->why)
        return refuse_json(why, s, NULL);
    return embedded(&r->key, format, "key", why) && embedded(&r->value, format, "value", why);
}

static bool v2_records(const struct route *route, body_format format, struct scan *s, struct posted *out, struct refusal *why)
{
    bool first = true;
    posted_clear(out); /* of a key given twice the last counts */
    if (!scan_enter(s, '['))
        return refuse(why, 422, 422, NULL, "records: expected an array");
    while (scan_item(s, &first)) {
        struct record *r = posted_add(out, why);
        if (!r)
            return false;
        r->partition = route->partition;
        if (!v2_record(s, format, r, why))
            return false;
    }
    return s->why ? refuse_json(why, s, NULL) : true;
}

/* Schemas mean nothing to these formats, and are taken without a word. */
static bool is_schema(const struct slice *name)
{
    return slice_is(name, "key_schema") || slice_is(name, "value_schema") || slice_is(name, "key_schema_id") || slice_is(name, "value_schema_id");
}

bool api_parse_kafka_v2(const struct route *r, body_format format, struct scan *s, struct posted *out, struct refusal *why)
{
    struct slice name, value;
    bool first = true;
    if (!scan_enter(s, '{'))
        return refuse_json(why, s, NULL);
    while (scan_key(s, &first, &name)) {
        if (slice_is(&name, "records")) {
            if (!v2_records(r, format, s, out, why))
                return false;
        } else if (!is_schema(&name)) {
            return unrecognized(why, &name);
        } else if (!scan_value(s, &value)) {
            break;
        }
    }
    if (s->why || !scan_at_end(s))
        return refuse_json(why, s, NULL);
    return out->n ? true : refuse(why, 422, 422, NULL, "records may not be empty");
}

/* -- v3 -------------------------------------------------------------------------------------------------------------------------------- */

static bool v3_bytes(struct slice *data, char type, const char *what, struct refusal *why)
{
    if (!data->p || slice_is_null(data)) {
        data->p = NULL;
        return true;
    }
    if (type == 'J')
        return true;
    if (!slice_is_string(data))
        return refuse(why, 400, 400, NULL, "%s: expected a string", what);
    slice_unquote(data);
    if (type == 'S' || slice_from_base64(data))
        return true;
    return refuse(why, 400, 400, NULL, "%s: no valid base64", what);
}

/* { "type": "BINARY" | "JSON" | "STRING", "data": … } */
static bool v3_data(struct scan *s, struct slice *out, char *type, const char *what, struct refusal *why)
{
    struct slice name, value, kind = { NULL, 0 };
    bool first = true;
    *out = (struct slice){ NULL, 0 };
    if (scan_peek(s) == 'n')
        return scan_value(s, &value) ? true : refuse_json(why, s, NULL);
    if (!scan_enter(s, '{'))
        return refuse_json(why, s, NULL);
    while (scan_key(s, &first, &name)) {
        if (!scan_value(s, &value))
            break;
        if (slice_is(&name, "data"))
            *out = value;
        else if (slice_is(&name, "type"))
            kind = value;
        else
            return refuse(why, 422, 422, NULL, "%s: only type and data are taken here, schemas are not", what);
    }
    if (s->why)
        return refuse_json(why, s, NULL);
    *type = 'B';
    if (kind.p) {
        if (slice_is_string(&kind))
            slice_unquote(&kind);
        *type = slice_is(&kind, "BINARY") ? 'B' : slice_is(&kind, "JSON") ? 'J' : slice_is(&kind, "STRING") ? 'S' : '\0';
    }
    if (!*type)
        return refuse(why, 400, 400, NULL, "%s: type is BINARY, JSON or STRING", what);
    return v3_bytes(out, *type, what, why);
}

/* { "name": "…", "value": "base64" } */
static bool v3_header(struct scan *s, struct posted *out, struct refusal *why)
{
    struct slice name, value, header = { NULL, 0 }, bytes = { NULL, 0 };
    bool first = true;
    if (!scan_enter(s, '{'))
        return refuse_json(why, s, NULL);
    while (scan_key(s, &first, &name)) {
        if (!scan_value(s, &value))
            break;
        if (slice_is(&name, "name"))
            header = value;
        else if (slice_is(&name, "value"))
            bytes = value;
        else
            return unrecognized(why, &name);
    }
    if (s->why)
        return refuse_json(why, s, NULL);
    if (!header.p || !slice_is_string(&header))
        return refuse(why, 400, 400, NULL, "headers: name: expected a string");
    slice_unquote(&header);
    header.p[header.n] = '\0'; /* where the quote was, or before it */
    if (strlen(header.p) != header.n)
        return refuse(why, 400, 400, NULL, "headers: a name holds a NUL");
    if (!v3_bytes(&bytes, 'B', "headers: value", why))
        return false;
    out->headers[out->n_headers++] = (struct pen_header){ header.p, bytes.p, bytes.n };
    return true;
}

static bool v3_headers(struct scan *s, struct posted *out, struct refusal *why)
{
    struct record *r = &out->records[out->n - 1];
    bool first = true;
    out->n_headers = r->first_header;
    if (!scan_enter(s, '['))
        return refuse_json(why, s, NULL);
    while (scan_item(s, &first)) {
        if (out->n_headers == out->cap_headers) {
            size_t cap = out->cap_headers ? out->cap_headers * 2 : 8;
            struct pen_header *v = realloc(out->headers, cap * sizeof *v);
            if (!v)
                return refuse(why, 503, 503, NULL, "out of memory");
            out->headers = v;
            out->cap_headers = cap;
        }
        if (!v3_header(s, out, why))
            return false;
    }
    r->n_headers = (uint32_t)(out->n_headers - r->first_header);
    return s->why ? refuse_json(why, s, NULL) : true;
}

static bool v3_timestamp(struct slice *v, struct record *r, struct refusal *why)
{
    if (slice_is_null(v))
        return true;
    if (slice_is_string(v)) {
        slice_unquote(v);
        if (pen_parse_timestamp(v->p, v->n, &r->timestamp))
            return true;
    }
    return refuse(why, 400, 400, NULL, "timestamp: expected a time such as 2021-01-05T12:34:56Z");
}

static bool v3_member(struct scan *s, const struct slice *name, struct posted *out, struct refusal *why)
{
    struct record *r = &out->records[out->n - 1];
    struct slice value;
    long long partition;
    if (slice_is(name, "value"))
        return v3_data(s, &r->value, &r->value_type, "value", why);
    if (slice_is(name, "key"))
        return v3_data(s, &r->key, &r->key_type, "key", why);
    if (slice_is(name, "headers") && scan_peek(s) == '[')
        return v3_headers(s, out, why);
    if (!scan_value(s, &value))
        return refuse_json(why, s, NULL);
    if (slice_is(name, "timestamp"))
        return v3_timestamp(&value, r, why);
    if (slice_is(name, "headers") && slice_is_null(&value))
        return true;
    if (!slice_is(name, "partition_id"))
        return unrecognized(why, name);
    if (slice_is_null(&value))
        return true;
    if (!slice_to_int(&value, INT32_MAX, &partition))
        return refuse(why, 400, 400, NULL, "partition_id: expected a whole number, 0 or more");
    r->partition = (int32_t)partition;
    return true;
}

/* Records one behind the other, as a client that streams sends them. */
bool api_parse_kafka_v3(struct scan *s, struct posted *out, struct refusal *why)
{
    while (!scan_at_end(s)) {
        struct slice name;
        bool first = true;
        if (!posted_add(out, why))
            return false;
        if (!scan_enter(s, '{'))
            return refuse_json(why, s, NULL);
        while (scan_key(s, &first, &name))
            if (!v3_member(s, &name, out, why))
                return false;
        if (s->why)
            return refuse_json(why, s, NULL);
    }
    return out->n ? true : refuse(why, 400, 400, NULL, "no records");
}
