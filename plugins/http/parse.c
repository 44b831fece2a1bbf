/* parse.c - request bodies to records. A record's bytes are those that were sent: only strings are unescaped and base64 decoded, in place.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api.h"

/* -- what all share ------------------------------------------------------------------------------------------------------------------ */

void posted_clear(struct posted *p)
{
    p->n = p->n_headers = 0;
}

void posted_free(struct posted *p)
{
    free(p->records);
    free(p->headers);
    memset(p, 0, sizeof *p);
}

static bool grow(void **v, size_t n, size_t *cap, size_t size)
{
    size_t want = *cap ? *cap * 2 : 4;
    void *larger;
    if (n < *cap)
        return true;
    if (!(larger = realloc(*v, want * size)))
        return false;
    *v = larger;
    *cap = want;
    return true;
}

struct record *posted_add(struct posted *p, struct refusal *why)
{
    void *v = p->records;
    bool good = grow(&v, p->n, &p->cap, sizeof *p->records);
    struct record *r;
    p->records = v;
    if (!good) {
        refuse(why, 503, 503, NULL, "out of memory");
        return NULL;
    }
    r = &p->records[p->n++];
    memset(r, 0, sizeof *r);
    r->timestamp = INT64_MIN;
    r->partition = -1;
    r->first_header = (uint32_t)p->n_headers;
    return r;
}

bool refuse_json(struct refusal *why, const struct scan *s, const char *type)
{
    return refuse(why, 400, 400, type, "no valid JSON at byte %zu: %s", (size_t)(s->p - s->begin), s->why ? s->why : "more than was expected");
}

bool api_parse(const struct route *r, body_format format, char *body, size_t n, struct posted *out, struct refusal *why)
{
    struct scan s;
    posted_clear(out);
    scan_init(&s, body, n);
    switch (r->api) {
    case API_KAFKA_V2: return api_parse_kafka_v2(r, format, &s, out, why);
    case API_KAFKA_V3: return api_parse_kafka_v3(&s, out, why);
    case API_KINESIS: return api_parse_kinesis(r, &s, out, why);
    case API_INGEST: return api_parse_lines(body, n, out, why);
    case API_NONE: break;
    }
    return refuse(why, 404, 404, NULL, "HTTP 404 Not Found");
}

/* -- JSON lines ------------------------------------------------------------------------------------------------------------------------ */

bool api_parse_lines(char *body, size_t n, struct posted *out, struct refusal *why)
{
    char *p = body, *end = body + n;
    for (size_t line = 1; p < end; line++) {
        char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
        struct scan s;
        scan_init(&s, p, (size_t)(stop - p));
        if (!scan_at_end(&s)) { /* blank lines are no records */
            struct slice value;
            struct record *r;
            if (!scan_value(&s, &value) || !scan_at_end(&s))
                return refuse(why, 400, 400, NULL, "line %zu: no valid JSON at byte %zu: %s", line, (size_t)(s.p - p),
                              s.why ? s.why : "more than one value");
            if (!(r = posted_add(out, why)))
                return false;
            r->value = value;
        }
        p = stop < end ? stop + 1 : end;
    }
    return out->n ? true : refuse(why, 400, 400, NULL, "no records: JSON objects were expected, one a line");
}

/* -- Kinesis behind API Gateway ---------------------------------------------------------------------------------------------------------- */

#define KINESIS_KEY_MAX 256

static bool missing(struct refusal *why, const char *what)
{
    return refuse(why, 400, 0, "ValidationException",
                  "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", what);
}

/* { "Data": any value, "PartitionKey": "…" }; in lists also under the names that AWS's own template has there. */
static bool kinesis_record(struct scan *s, struct record *r, struct refusal *why)
{
    struct slice name, value;
    bool first = true;
    if (!scan_enter(s, '{'))
        return refuse_json(why, s, "SerializationException");
    while (scan_key(s, &first, &name)) {
        if (!scan_value(s, &value))
            break;
        if (slice_is(&name, "Data") || slice_is(&name, "data"))
            r->value = value;
        else if (slice_is(&name, "PartitionKey") || slice_is(&name, "partition-key"))
            r->key = value;
    }
    if (s->why)
        return refuse_json(why, s, "SerializationException");
    if (!r->value.p)
        return missing(why, "data");
    if (!r->key.p || slice_is_null(&r->key))
        return missing(why, "partitionKey");
    if (slice_is_string(&r->key))
        slice_unquote(&r->key);
    else if (r->key.p[0] == '{' || r->key.p[0] == '[')
        return refuse(why, 400, 0, "ValidationException", "PartitionKey: expected a string");
    if (r->key.n < 1 || r->key.n > KINESIS_KEY_MAX)
        return refuse(why, 400, 0, "ValidationException",
                      "1 validation error detected: Value at 'partitionKey' failed to satisfy constraint: Member must have length between 1 and 256");
    return true;
}

static bool kinesis_list(struct scan *s, struct posted *out, struct refusal *why)
{
    bool first = true;
    if (!scan_enter(s, '['))
        return refuse_json(why, s, "SerializationException");
    while (scan_item(s, &first)) {
        struct record *r = posted_add(out, why);
        if (!r || !kinesis_record(s, r, why))
            return false;
    }
    return s->why ? refuse_json(why, s, "SerializationException") : true;
}

static bool kinesis_records(struct scan *s, struct posted *out, struct refusal *why)
{
    struct slice name, value;
    bool first = true;
    if (!scan_enter(s, '{'))
        return refuse_json(why, s, "SerializationException");
    while (scan_key(s, &first, &name)) {
        if (slice_is(&name, "Records") || slice_is(&name, "records")) {
            posted_clear(out);
            if (!kinesis_list(s, out, why))
                return false;
        } else if (!scan_value(s, &value)) {
            break;
        }
    }
    if (s->why)
        return refuse_json(why, s, "SerializationException");
    return out->n ? true : missing(why, "records");
}

bool api_parse_kinesis(const struct route *r, struct scan *s, struct posted *out, struct refusal *why)
{
    struct record *one = NULL;
    if (r->action == DO_PRODUCE_MANY ? !kinesis_records(s, out, why) : !(one = posted_add(out, why)) || !kinesis_record(s, one, why))
        return false;
    return scan_at_end(s) ? true : refuse_json(why, s, "SerializationException");
}
