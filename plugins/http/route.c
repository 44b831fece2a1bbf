/* route.c - from method and path to what is asked for. Names are checked here, so that nothing else of a path goes any further.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api.h"

#define SEGMENTS 8

bool refuse(struct refusal *why, int status, int code, const char *type, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why->message, sizeof why->message, fmt, ap);
    va_end(ap);
    why->status = status;
    why->code = code;
    why->type = type;
    return false;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One segment of a path, unescaped, as a name: letters, digits, '.', '_' and '-', as topics and streams have them. */
static bool take_name(char out[NAME_MAX_LENGTH + 1], const char *p, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)p[i];
        if (c == '%') {
            if (n - i < 3 || hex(p[i + 1]) < 0 || hex(p[i + 2]) < 0)
                return false;
            c = hex(p[i + 1]) << 4 | hex(p[i + 2]);
            i += 2;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-') ||
            len == NAME_MAX_LENGTH)
            return false;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return len > 0 && strcmp(out, ".") != 0 && strcmp(out, "..") != 0;
}

struct path {
    const char *at[SEGMENTS];
    size_t size[SEGMENTS], n;
};

/* "/a/b" to "a", "b". A slash at the end is as good as none; empty segments within are not. */
static bool split(struct path *out, const char *path)
{
    out->n = 0;
    if (*path != '/')
        return false;
    while (*path == '/' && path[1]) {
        size_t n = strcspn(++path, "/");
        if (n == 0 || out->n == SEGMENTS)
            return false;
        out->at[out->n] = path;
        out->size[out->n++] = n;
        path += n;
    }
    return true;
}

static bool is(const struct path *p, size_t i, const char *word)
{
    return i < p->n && p->size[i] == strlen(word) && memcmp(p->at[i], word, p->size[i]) == 0;
}

static bool take_partition(const struct path *p, size_t i, int32_t *out)
{
    struct slice s = { (char *)(uintptr_t)p->at[i], p->size[i] };
    long long v;
    if (!slice_to_int(&s, INT32_MAX, &v))
        return false;
    *out = (int32_t)v;
    return true;
}

/* What a path can do, by method. */
struct way {
    const char *method;
    api_action action;
};

static int choose(const char *method, const struct way *ways, size_t n, struct route *out, struct refusal *why)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(method, ways[i].method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(ways[i].method, "GET") == 0)) {
            out->action = ways[i].action;
            return 0;
        }
    refuse(why, 405, 405, NULL, "HTTP 405 Method Not Allowed");
    return 405;
}
#define CHOOSE(...) choose(method, (const struct way[]){ __VA_ARGS__ }, sizeof((const struct way[]){ __VA_ARGS__ }) / sizeof(struct way), out, why)

static int not_found(struct refusal *why)
{
    refuse(why, 404, 404, NULL, "HTTP 404 Not Found");
    return 404;
}

static int route_topics(const char *method, const struct path *p, struct route *out, struct refusal *why)
{
    out->api = API_KAFKA_V2;
    if (p->n == 1)
        return CHOOSE({ "GET", DO_LIST });
    if (!take_name(out->name, p->at[1], p->size[1])) {
        refuse(why, 404, 40401, NULL, "Topic not found.");
        return 404;
    }
    if (p->n == 2)
        return CHOOSE({ "POST", DO_PRODUCE }, { "GET", DO_DESCRIBE });
    if (!is(p, 2, "partitions") || p->n > 4)
        return not_found(why);
    if (p->n == 3)
        return CHOOSE({ "GET", DO_PARTITIONS });
    if (!take_partition(p, 3, &out->partition))
        return not_found(why);
    return CHOOSE({ "POST", DO_PRODUCE }, { "GET", DO_PARTITION });
}

static int route_v3(const char *method, const struct path *p, struct route *out, struct refusal *why)
{
    out->api = API_KAFKA_V3;
    if (!is(p, 1, "clusters"))
        return not_found(why);
    if (p->n == 2)
        return CHOOSE({ "GET", DO_CLUSTERS });
    if (p->n != 6 || !is(p, 3, "topics") || !is(p, 5, "records") || !take_name(out->cluster, p->at[2], p->size[2]))
        return not_found(why);
    if (!take_name(out->name, p->at[4], p->size[4])) {
        refuse(why, 404, 40403, NULL, "This server does not host this topic-partition.");
        return 404;
    }
    return CHOOSE({ "POST", DO_PRODUCE });
}

static int route_streams(const char *method, const struct path *p, struct route *out, struct refusal *why)
{
    out->api = API_KINESIS;
    if (p->n == 1)
        return CHOOSE({ "GET", DO_LIST });
    if (p->n > 3)
        return not_found(why);
    if (!take_name(out->name, p->at[1], p->size[1])) {
        refuse(why, 400, 0, "ValidationException", "The name of a stream is made of letters, digits, '.', '_' and '-'.");
        return 400;
    }
    if (p->n == 2)
        return CHOOSE({ "GET", DO_DESCRIBE }, { "POST", DO_CREATE }, { "DELETE", DO_DELETE });
    if (is(p, 2, "record"))
        return CHOOSE({ "PUT", DO_PRODUCE });
    if (is(p, 2, "records"))
        return CHOOSE({ "PUT", DO_PRODUCE_MANY });
    return not_found(why);
}

int api_route(const char *method, const char *path, struct route *out, struct refusal *why)
{
    struct path p;
    memset(out, 0, sizeof *out);
    out->partition = -1;
    if (!split(&p, path))
        return not_found(why);
    if (p.n == 0)
        return CHOOSE({ "GET", DO_HEALTH });
    if (is(&p, 0, "topics"))
        return route_topics(method, &p, out, why);
    if (is(&p, 0, "v3"))
        return route_v3(method, &p, out, why);
    if (is(&p, 0, "streams"))
        return route_streams(method, &p, out, why);
    if (!is(&p, 0, "ingest") || p.n != 2)
        return not_found(why);
    out->api = API_INGEST;
    if (!take_name(out->name, p.at[1], p.size[1]))
        return not_found(why);
    return CHOOSE({ "POST", DO_PRODUCE });
}

/* -- content types -------------------------------------------------------------------------------------------------------------------- */

/* Whether a content type, its parameters left aside, is `name`. */
static bool is_type(const char *type, const char *name)
{
    size_t n = strcspn(type, "; \t");
    return n == strlen(name) && strncasecmp(type, name, n) == 0;
}

bool api_format(const struct route *r, const char *type, body_format *out, struct refusal *why)
{
    static const struct {
        const char *type;
        body_format format;
    } v2[] = { { "application/vnd.kafka.json.v2+json", BODY_JSON },   { "application/vnd.kafka.binary.v2+json", BODY_BINARY },
               { "application/vnd.kafka.json.v1+json", BODY_JSON },   { "application/vnd.kafka.binary.v1+json", BODY_BINARY },
               { "application/vnd.kafka.v2+json", BODY_BINARY },      { "application/vnd.kafka.v1+json", BODY_BINARY },
               { "application/vnd.kafka+json", BODY_BINARY } };
    *out = BODY_JSON;
    if (r->api != API_KAFKA_V2)
        return true; /* JSON is all that there is */
    for (size_t i = 0; type && i < sizeof v2 / sizeof *v2; i++)
        if (is_type(type, v2[i].type)) {
            *out = v2[i].format;
            return true;
        }
    return refuse(why, 415, 415, NULL, "HTTP 415 Unsupported Media Type");
}
