/* fuzz_http.c - what the gateway makes of requests: the first line is method and path, the rest the body. Whatever is taken lies within the body, a body
 * that is taken is JSON to the decoder too, and every reply is JSON. Sources: this file, http_api_sources; links libpenstock.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/http/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void lies_within(const struct slice *s, const char *body, size_t n)
{
    must(!s->p || (s->p >= body && s->n <= n && s->p + s->n <= body + n));
}

static void look_at(const struct posted *p, const char *body, size_t n)
{
    must(p->n > 0);
    for (size_t i = 0; i < p->n; i++) {
        const struct record *r = &p->records[i];
        lies_within(&r->key, body, n);
        lies_within(&r->value, body, n);
        must(r->first_header + r->n_headers <= p->n_headers);
        for (size_t h = 0; h < r->n_headers; h++) {
            const struct pen_header *x = &p->headers[r->first_header + h];
            struct slice name = { (char *)(uintptr_t)x->name, strlen(x->name) }, value = { (char *)(uintptr_t)x->value, x->value_size };
            lies_within(&name, body, n);
            lies_within(&value, body, n);
        }
    }
}

static void must_be_json(const struct pen_text *t)
{
    struct slice value;
    struct scan s;
    must(!pen_text_failed(t));
    scan_init(&s, t->bytes, t->n);
    while (!scan_at_end(&s)) /* v3: one behind the other */
        must(scan_value(&s, &value));
}

static void ask(const char *method, const char *path, const uint8_t *bytes, size_t n, body_format format)
{
    struct posted posted = { 0 };
    struct pen_text reply = { 0 };
    struct refusal why = { 0 };
    struct route route;
    char *body = malloc(n ? n : 1); /* of its own, so that a byte too far is seen */
    must(body != NULL);
    if (n)
        memcpy(body, bytes, n);
    if (api_route(method, path, &route, &why) == 0 && (route.action == DO_PRODUCE || route.action == DO_PRODUCE_MANY) &&
        api_parse(&route, format, body, n, &posted, &why)) {
        struct pen_stored *places = calloc(posted.n, sizeof *places);
        must(places != NULL);
        for (size_t i = 0; i < posted.n; i++)
            places[i].at = (struct pen_position){ 3, { i, n, UINT64_MAX, 0 } };
        look_at(&posted, body, n);
        reply_stored(&reply, &route, &posted, n % 2 ? places : NULL, 0);
        free(places);
    } else if (why.status) {
        reply_refused(&reply, route.api, &why);
    }
    must_be_json(&reply);
    pen_text_fini(&reply);
    posted_free(&posted);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = memchr(data, '\n', size), *space;
    char line[512];
    size_t n = newline ? (size_t)(newline - data) : 0;
    if (!newline || n >= sizeof line)
        return 0;
    memcpy(line, data, n);
    line[n] = '\0';
    space = (const uint8_t *)strchr(line, ' ');
    if (!space)
        return 0;
    line[space - (const uint8_t *)line] = '\0';
    ask(line, (const char *)space + 1, newline + 1, size - n - 1, BODY_JSON);
    ask(line, (const char *)space + 1, newline + 1, size - n - 1, BODY_BINARY);
    return 0;
}
