/* request.c - one request from its head to its reply, on the server's thread. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway.h"

#define FIRST_BODY 16384      /* room that a body begins with */
#define KEPT_BODY 65536       /* a larger body's memory is given back at once */
#define KEPT_REQUESTS 1024
#define DROPPED_AT_MOST (4 << 20) /* of a body that nobody wants, so that its sender comes to read the reply; with more to come the connection is closed */

/* -- requests come and go ------------------------------------------------------------------------------------------------------------- */

struct request *request_new(struct gateway *g, struct client *c)
{
    struct request *r = g->spare;
    if (r) {
        g->spare = r->next;
        g->n_spare--;
    } else if (!(r = calloc(1, sizeof *r))) {
        return NULL;
    }
    r->client = c;
    r->phase = REQUEST_HEAD;
    return r;
}

static void count_held(struct gateway *g, struct request *r, size_t n)
{
    atomic_fetch_add(&g->held, n - r->counted);
    r->counted = n;
}

void request_free(struct gateway *g, struct request *r)
{
    struct request kept;
    if (!r)
        return;
    count_held(g, r, 0);
    if (r->cap > KEPT_BODY || r->posted.cap > 64 || r->reply.cap > KEPT_BODY || g->n_spare == KEPT_REQUESTS) {
        free(r->body);
        posted_free(&r->posted);
        pen_text_fini(&r->reply);
        free(r);
        return;
    }
    posted_clear(&r->posted);
    pen_text_clear(&r->reply);
    kept = (struct request){ .next = g->spare, .body = r->body, .cap = r->cap, .posted = r->posted, .reply = r->reply };
    *r = kept;
    g->spare = r;
    g->n_spare++;
}

/* -- the head -------------------------------------------------------------------------------------------------------------------------- */

struct head {
    const char *type, *encoding, *authorization, *api_key, *origin, *expect, *length, *transfer;
    bool twice; /* a header that must come once came again */
};

static void note(struct head *h, const char **to, const char *value)
{
    h->twice = h->twice || *to;
    *to = value ? value : "";
}

static enum MHD_Result look_at(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct head *h = arg;
    (void)kind;
    switch (strlen(name)) {
    case 6: if (!strcasecmp(name, "origin")) h->origin = value; else if (!strcasecmp(name, "expect")) h->expect = value; break;
    case 9: if (!strcasecmp(name, "x-api-key")) h->api_key = value; break;
    case 12: if (!strcasecmp(name, "content-type")) h->type = value; break;
    case 13: if (!strcasecmp(name, "authorization")) h->authorization = value; break;
    case 14: if (!strcasecmp(name, "content-length")) note(h, &h->length, value); break;
    case 16: if (!strcasecmp(name, "content-encoding")) h->encoding = value; break;
    case 17: if (!strcasecmp(name, "transfer-encoding")) note(h, &h->transfer, value); break;
    default: break;
    }
    return MHD_YES;
}

static bool is_produce(const struct route *r)
{
    return r->action == DO_PRODUCE || r->action == DO_PRODUCE_MANY;
}

static bool matches(const char *pattern, const char *name)
{
    const char *star = NULL, *from = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            from = name;
        } else if (*pattern == *name || *pattern == '?') {
            pattern++, name++;
        } else if (star) {
            pattern = star + 1;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

/* The output that a name is routed to, if anybody reads that. */
static bool find_output(const struct gateway *g, struct request *r)
{
    for (size_t i = 0; i < g->n_routes; i++)
        if (g->outputs[g->routes[i].output].read && matches(g->routes[i].pattern, r->route.name)) {
            r->output = g->routes[i].output;
            return true;
        }
    switch (r->route.api) {
    case API_KAFKA_V2: return refuse(&r->why, 404, 40401, NULL, "Topic not found.");
    case API_KAFKA_V3: return refuse(&r->why, 404, 40403, NULL, "This server does not host this topic-partition.");
    case API_KINESIS:
        return refuse(&r->why, 400, 0, "ResourceNotFoundException", "Stream %s under account 000000000000 not found.", r->route.name);
    default: return refuse(&r->why, 404, 404, NULL, "HTTP 404 Not Found");
    }
}

static bool take_encoding(struct request *r, const char *encoding)
{
    if (!encoding || !*encoding || !strcasecmp(encoding, "identity"))
        r->encoding = 0;
    else if (!strcasecmp(encoding, "gzip") || !strcasecmp(encoding, "x-gzip"))
        r->encoding = 'g';
    else if (!strcasecmp(encoding, "zstd"))
        r->encoding = 'z';
    else
        return refuse(&r->why, 415, 415, NULL, "Content-Encoding: gzip and zstd are understood");
    return true;
}

/* Messages are framed in one way only: what two readers could take differently is refused. */
static bool framing_is_plain(struct request *r, const struct head *h)
{
    if (h->twice || (h->length && h->transfer))
        return refuse(&r->why, 400, 400, NULL, "the length of the body is given twice");
    if (h->transfer && strcasecmp(h->transfer, "chunked") != 0)
        return refuse(&r->why, 400, 400, NULL, "Transfer-Encoding: chunked is understood");
    for (const char *p = h->length; p && *p; p++)
        if (*p < '0' || *p > '9')
            return refuse(&r->why, 400, 400, NULL, "Content-Length: digits were expected");
    return true;
}

static bool too_large(struct gateway *g, struct request *r)
{
    return refuse(&r->why, 413, 413, NULL, "%s: the body is longer than %lld bytes", r->route.api == API_KINESIS ? "Request Too Long" : "Request Entity Too Large",
                  (long long)g->o.max_body);
}

/* What can be said before the body comes. */
static bool accept_head(struct gateway *g, struct request *r, const struct head *h)
{
    if (!access_allowed(g, r->client, h->authorization, h->api_key, &r->why))
        return false;
    if (!*r->route.name) /* it is about nothing of ours in particular */
        return true;
    if (!find_output(g, r))
        return false;
    if ((r->route.action == DO_CREATE || r->route.action == DO_DELETE) && !g->o.admin)
        return refuse(&r->why, 403, 403, "AccessDeniedException", "this gateway does not create or delete (admin = yes would)");
    if (!is_produce(&r->route))
        return true;
    if (!api_format(&r->route, h->type, &r->format, &r->why) || !take_encoding(r, h->encoding))
        return false;
    if (h->length && (strlen(h->length) > 18 || atoll(h->length) > g->o.max_body))
        return too_large(g, r);
    if (g->quiet)
        return refuse(&r->why, 503, 503, NULL, "the gateway is being stopped");
    if (atomic_load(&g->held) > (size_t)g->o.max_waiting)
        return refuse(&r->why, 503, 503, NULL, "too much waits to be stored");
    return true;
}

static const char *allowed_origin(const struct gateway *g, const char *origin)
{
    for (size_t i = 0; origin && i < g->o.cors.n; i++)
        if (strcmp(g->o.cors.v[i], "*") == 0 || strcmp(g->o.cors.v[i], origin) == 0)
            return g->o.cors.v[i];
    return NULL;
}

/* -- replies ---------------------------------------------------------------------------------------------------------------------------- */

static void add_cors(struct MHD_Response *response, const struct request *r, bool preflight)
{
    MHD_add_response_header(response, "Access-Control-Allow-Origin", r->origin);
    MHD_add_response_header(response, "Vary", "Origin");
    if (!preflight)
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
    MHD_add_response_header(response, "Access-Control-Allow-Headers", "Authorization, Content-Encoding, Content-Type, X-Api-Key");
    MHD_add_response_header(response, "Access-Control-Max-Age", "600");
}

static enum MHD_Result send_reply(struct gateway *g, struct MHD_Connection *c, struct request *r, unsigned status, bool preflight)
{
    struct MHD_Response *response;
    enum MHD_Result sent;
    r->phase = REQUEST_ANSWERED;
    if (pen_text_failed(&r->reply)) {
        pen_text_clear(&r->reply);
        status = 503;
    }
    response = MHD_create_response_from_buffer(r->reply.n, r->reply.n ? r->reply.bytes : (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    if (r->reply.n)
        MHD_add_response_header(response, "Content-Type", reply_type(r->route.api));
    if (r->origin)
        add_cors(response, r, preflight);
    if (status == 429 || status == 503)
        MHD_add_response_header(response, "Retry-After", "1");
    if (status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"gateway\"");
    if (g->quiet || r->client->over)
        MHD_add_response_header(response, "Connection", "close");
    sent = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);
    return sent;
}

static enum MHD_Result send_refusal(struct gateway *g, struct MHD_Connection *c, struct request *r)
{
    pen_text_clear(&r->reply);
    reply_refused(&r->reply, r->route.api, &r->why);
    pen_count(g->host, "refused_total", NULL, 1);
    return send_reply(g, c, r, (unsigned)r->why.status, false);
}

void request_stored(struct request *r, const struct pen_stored *places)
{
    pen_text_clear(&r->reply);
    reply_stored(&r->reply, &r->route, &r->posted, places, r->now);
}

void request_failed(struct request *r)
{
    refuse(&r->why, 503, 503, NULL, "the records could not be stored now; send them again");
    pen_text_clear(&r->reply);
    reply_refused(&r->reply, r->route.api, &r->why);
}

static void list_names(struct gateway *g, struct request *r)
{
    bool first = true;
    pen_text_put(&r->reply, r->route.api == API_KINESIS ? "{\"HasMoreStreams\":false,\"StreamNames\":[" : "[");
    for (size_t i = 0; i < g->n_routes; i++) {
        if (!g->outputs[g->routes[i].output].read || strpbrk(g->routes[i].pattern, "*?"))
            continue;
        pen_text_put(&r->reply, first ? "" : ",");
        pen_text_json_string(&r->reply, g->routes[i].pattern, strlen(g->routes[i].pattern));
        first = false;
    }
    pen_text_put(&r->reply, r->route.api == API_KINESIS ? "]}" : "]");
}

/* Everything but records. */
static enum MHD_Result answer_question(struct gateway *g, struct MHD_Connection *c, struct request *r)
{
    pen_text_clear(&r->reply);
    switch (r->route.action) {
    case DO_HEALTH: pen_text_put(&r->reply, "{}"); break;
    case DO_LIST: list_names(g, r); break;
    case DO_CLUSTERS:
        pen_text_put(&r->reply, "{\"kind\":\"KafkaClusterList\",\"metadata\":{\"self\":\"/v3/clusters\",\"next\":null},\"data\":[{\"kind\":"
                                "\"KafkaCluster\",\"metadata\":{\"self\":\"/v3/clusters/penstock\",\"resource_name\":\"crn:///kafka=penstock\"},"
                                "\"cluster_id\":\"penstock\"}]}");
        break;
    default:
        r->phase = REQUEST_WAITS;
        MHD_suspend_connection(c);
        admin_ask(g, r);
        return MHD_YES;
    }
    return send_reply(g, c, r, 200, false);
}

/* -- the steps --------------------------------------------------------------------------------------------------------------------------- */

static enum MHD_Result begin(struct gateway *g, struct MHD_Connection *c, struct request *r, const char *url, const char *method)
{
    struct head h = { 0 };
    bool good;
    r->client->since = pen_now(g->host);
    r->now = pen_wall_clock(g->host);
    MHD_get_connection_values(c, MHD_HEADER_KIND, look_at, &h);
    r->origin = allowed_origin(g, h.origin);
    r->phase = REQUEST_BODY;
    good = framing_is_plain(r, &h);
    if (good && r->origin && strcmp(method, "OPTIONS") == 0)
        return send_reply(g, c, r, 204, true);
    good = good && api_route(method, url, &r->route, &r->why) == 0 && accept_head(g, r, &h);
    if (good)
        return MHD_YES;
    r->phase = REQUEST_DROPPED;
    if (h.expect || (h.length && (strlen(h.length) > 9 || atol(h.length) > DROPPED_AT_MOST)))
        return send_refusal(g, c, r); /* and the connection ends */
    return MHD_YES;
}

static bool append(struct gateway *g, struct request *r, const char *data, size_t n)
{
    if (r->n + n > (size_t)g->o.max_body)
        return too_large(g, r);
    if (r->n + n > r->cap) {
        size_t cap = r->cap ? r->cap * 2 : FIRST_BODY;
        char *body;
        while (cap < r->n + n)
            cap *= 2;
        if (!(body = realloc(r->body, cap)))
            return refuse(&r->why, 503, 503, NULL, "out of memory");
        r->body = body;
        r->cap = cap;
    }
    memcpy(r->body + r->n, data, n);
    r->n += n;
    count_held(g, r, r->n);
    return true;
}

static enum MHD_Result take_body(struct gateway *g, struct MHD_Connection *c, struct request *r, const char *data, size_t n)
{
    (void)c;
    if (r->phase == REQUEST_BODY && !append(g, r, data, n))
        r->phase = REQUEST_DROPPED;
    if (r->phase == REQUEST_DROPPED && (r->n += n) > (size_t)g->o.max_body + DROPPED_AT_MOST)
        return MHD_NO; /* enough is enough */
    return MHD_YES;
}

static bool body_is_good(struct gateway *g, struct request *r)
{
    size_t max_record = SIZE_MAX;
    if (r->encoding && !body_unpack(r, (size_t)g->o.max_body))
        return false;
    count_held(g, r, r->n);
    if (!api_parse(&r->route, r->format, r->body, r->n, &r->posted, &r->why))
        return false;
    max_record = atomic_load(&g->max_record);
    for (size_t i = 0; i < r->posted.n; i++)
        if (r->posted.records[i].value.p && r->posted.records[i].value.n > max_record)
            return refuse(&r->why, 413, 413, NULL, "record %zu is longer than max_record (%zu)", i, max_record);
    return true;
}

static enum MHD_Result finish(struct gateway *g, struct MHD_Connection *c, struct request *r)
{
    if (r->phase == REQUEST_DROPPED)
        return send_refusal(g, c, r);
    if (!is_produce(&r->route))
        return answer_question(g, c, r);
    if (!body_is_good(g, r))
        return send_refusal(g, c, r);
    r->phase = REQUEST_WAITS;
    MHD_suspend_connection(c);
    requests_push(&g->collected, r);
    return MHD_YES;
}

enum MHD_Result request_step(void *gateway, struct MHD_Connection *c, const char *url, const char *method, const char *version, const char *data,
                             size_t *n, void **state)
{
    struct gateway *g = gateway;
    struct request *r = *state;
    size_t got = *n;
    (void)version;
    if (!r)
        return MHD_NO; /* there was no memory for it */
    switch (r->phase) {
    case REQUEST_HEAD: return begin(g, c, r, url, method);
    case REQUEST_BODY:
    case REQUEST_DROPPED:
        *n = 0;
        return got ? take_body(g, c, r, data, got) : finish(g, c, r);
    case REQUEST_WAITS: return send_reply(g, c, r, r->why.status ? (unsigned)r->why.status : 200, false); /* it has been resumed */
    case REQUEST_ANSWERED: break;
    }
    *n = 0;
    return MHD_YES;
}
