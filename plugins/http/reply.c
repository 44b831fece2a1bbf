/* reply.c - what the services that the gateway stands for would answer. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api.h"

unsigned partition_number(const char *name)
{
    size_t n = strlen(name);
    unsigned v = 0;
    while (n && name[n - 1] >= '0' && name[n - 1] <= '9')
        n--;
    for (; name[n]; n++)
        v = v < 100000000 ? v * 10 + (unsigned)(name[n] - '0') : v;
    return v;
}

/* The words, the first on top, as one number. */
void sequence_number(char out[80], const struct pen_position *at)
{
    uint32_t limbs[8];
    char digits[80];
    size_t n = 0, len = 0;
    for (uint32_t i = 0; i < at->n; i++) {
        limbs[n++] = (uint32_t)(at->w[i] >> 32);
        limbs[n++] = (uint32_t)at->w[i];
    }
    do { /* as long as there is a digit: divide by ten, 40 bits at a time */
        uint64_t rest = 0;
        bool more = false;
        for (size_t i = 0; i < n; i++) {
            uint64_t v = rest << 32 | limbs[i];
            limbs[i] = (uint32_t)(v / 10);
            rest = v % 10;
            more = more || limbs[i];
        }
        digits[len++] = (char)('0' + rest);
        if (!more)
            break;
    } while (len < sizeof digits - 1);
    for (size_t i = 0; i < len; i++)
        out[i] = digits[len - 1 - i];
    out[len] = '\0';
}

static uint64_t offset_of(const struct pen_stored *p)
{
    return p->at.n ? p->at.w[p->at.n - 1] : 0;
}

static void put_number(struct pen_text *t, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;
    do
        digits[--n] = (char)('0' + v % 10);
    while (v /= 10);
    pen_text_append(t, digits + n, sizeof digits - n);
}

/* -- one for each API ----------------------------------------------------------------------------------------------------------------- */

static void stored_v2(struct pen_text *t, const struct posted *p, const struct pen_stored *places)
{
    pen_text_put(t, "{\"offsets\":[");
    for (size_t i = 0; i < p->n; i++) {
        pen_text_put(t, i ? ",{\"partition\":" : "{\"partition\":");
        if (places) {
            put_number(t, partition_number(places[i].partition));
            pen_text_put(t, ",\"offset\":");
            put_number(t, offset_of(&places[i]));
        } else {
            pen_text_put(t, "null,\"offset\":null");
        }
        pen_text_put(t, ",\"error_code\":null,\"error\":null}");
    }
    pen_text_put(t, "],\"key_schema_id\":null,\"value_schema_id\":null}");
}

static void put_time(struct pen_text *t, int64_t micros)
{
    time_t s = (time_t)(micros / 1000000);
    struct tm tm;
    char text[80];
    if (micros < 0)
        s = 0, micros = 0;
    gmtime_r(&s, &tm);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
             (int)(micros / 1000 % 1000));
    pen_text_put(t, text);
}

static void put_kind(struct pen_text *t, const char *what, char type, const struct slice *bytes)
{
    if (!type)
        return;
    pen_text_format(t, ",\"%s\":{\"type\":\"%s\",\"size\":%zu}", what, type == 'J' ? "JSON" : type == 'S' ? "STRING" : "BINARY", bytes->p ? bytes->n : 0);
}

static void stored_v3(struct pen_text *t, const struct route *r, const struct posted *p, const struct pen_stored *places, int64_t now)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct record *rec = &p->records[i];
        pen_text_format(t, "%s{\"error_code\":200,\"cluster_id\":\"%s\",\"topic_name\":\"%s\"", i ? "\r\n" : "", r->cluster, r->name);
        if (places)
            pen_text_format(t, ",\"partition_id\":%u,\"offset\":%" PRIu64, partition_number(places[i].partition), offset_of(&places[i]));
        else
            pen_text_put(t, ",\"partition_id\":null,\"offset\":null");
        pen_text_put(t, ",\"timestamp\":\"");
        put_time(t, rec->timestamp == INT64_MIN ? now : rec->timestamp);
        pen_text_put(t, "\"");
        put_kind(t, "key", rec->key_type, &rec->key);
        put_kind(t, "value", rec->value_type, &rec->value);
        pen_text_put(t, "}");
    }
}

static void kinesis_place(struct pen_text *t, const struct pen_stored *place)
{
    char number[80];
    if (!place) {
        pen_text_put(t, "{\"ShardId\":null,\"SequenceNumber\":null}");
        return;
    }
    sequence_number(number, &place->at);
    pen_text_format(t, "{\"ShardId\":\"shardId-%012u\",\"SequenceNumber\":\"%s\"}", partition_number(place->partition), number);
}

static void stored_kinesis(struct pen_text *t, const struct route *r, const struct posted *p, const struct pen_stored *places)
{
    if (r->action == DO_PRODUCE) {
        kinesis_place(t, places);
        return;
    }
    pen_text_put(t, "{\"FailedRecordCount\":0,\"Records\":[");
    for (size_t i = 0; i < p->n; i++) {
        if (i)
            pen_text_put(t, ",");
        kinesis_place(t, places ? &places[i] : NULL);
    }
    pen_text_put(t, "]}");
}

static void stored_lines(struct pen_text *t, const struct posted *p, const struct pen_stored *places)
{
    pen_text_format(t, "{\"records\":%zu", p->n);
    for (int i = 0; places && i < 2; i++) {
        const struct pen_stored *place = i ? &places[p->n - 1] : places;
        pen_text_format(t, ",\"%s\":{\"partition\":%u,\"offset\":%" PRIu64 "}", i ? "last" : "first", partition_number(place->partition),
                        offset_of(place));
    }
    pen_text_put(t, "}");
}

void reply_stored(struct pen_text *t, const struct route *r, const struct posted *p, const struct pen_stored *places, int64_t now)
{
    switch (r->api) {
    case API_KAFKA_V2: stored_v2(t, p, places); break;
    case API_KAFKA_V3: stored_v3(t, r, p, places, now); break;
    case API_KINESIS: stored_kinesis(t, r, p, places); break;
    default: stored_lines(t, p, places); break;
    }
}

/* -- refusals ---------------------------------------------------------------------------------------------------------------------------- */

void reply_refused(struct pen_text *t, api_kind api, const struct refusal *why)
{
    if (api == API_KINESIS && why->type)
        pen_text_format(t, "{\"__type\":\"%s\",\"message\":", why->type);
    else if (api == API_KINESIS)
        pen_text_put(t, "{\"message\":");
    else
        pen_text_format(t, "{\"error_code\":%d,\"message\":", why->code ? why->code : why->status);
    pen_text_json_string(t, why->message, strlen(why->message));
    pen_text_put(t, "}");
}

const char *reply_type(api_kind api)
{
    return api == API_KAFKA_V2 ? "application/vnd.kafka.v2+json" : "application/json";
}
