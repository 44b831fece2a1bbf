/* api.h - what the gateway speaks, apart from the server: paths, request bodies and replies of the Kafka REST API (v2 and v3), of a Kinesis stream behind
 * API Gateway, and of plain JSON lines. Nothing here waits, locks or keeps anything, so that a fuzzer can call it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_HTTP_API_H
#define PENSTOCK_HTTP_API_H

#include <penstock/plugin.h>

#include "scan.h"

#define NAME_MAX_LENGTH 249 /* of a topic, as Kafka has it */

typedef enum { API_NONE, API_KAFKA_V2, API_KAFKA_V3, API_KINESIS, API_INGEST } api_kind;

typedef enum {
    DO_PRODUCE,   /* POST /topics/T, /topics/T/partitions/P, /v3/…/records, /ingest/NAME; PUT /streams/S/record */
    DO_PRODUCE_MANY, /* PUT /streams/S/records */
    DO_LIST,      /* GET /topics, /streams */
    DO_DESCRIBE,  /* GET /topics/T, /streams/S */
    DO_PARTITIONS,/* GET /topics/T/partitions */
    DO_PARTITION, /* GET /topics/T/partitions/P */
    DO_CREATE,    /* POST /streams/S */
    DO_DELETE,    /* DELETE /streams/S */
    DO_CLUSTERS,  /* GET /v3/clusters */
    DO_HEALTH     /* GET / */
} api_action;

struct route {
    api_kind api;
    api_action action;
    char name[NAME_MAX_LENGTH + 1];    /* of the topic or stream */
    char cluster[NAME_MAX_LENGTH + 1]; /* v3: as in the path, repeated in replies */
    int32_t partition;                 /* -1: none */
};

/* Why a request is refused. */
struct refusal {
    int status; /* HTTP's; 0: it is not */
    int code;   /* Kafka's error_code */
    const char *type; /* Kinesis's __type, or NULL */
    char message[200];
};

typedef enum { BODY_JSON, BODY_BINARY } body_format; /* Kafka v2: what is embedded */

struct record {
    struct slice key, value; /* p NULL: null */
    int64_t timestamp;       /* microseconds, INT64_MIN: none */
    int32_t partition;       /* -1: none */
    uint32_t first_header, n_headers;
    char key_type, value_type; /* v3, for the reply: 'B', 'J', 'S'; 0: not given */
};

/* What one body holds. The slices point into the body, which was changed in places. */
struct posted {
    struct record *records;
    struct pen_header *headers;
    size_t n, cap, n_headers, cap_headers;
};

/* Where a request goes: 0, or the status with which it is refused (in *why). `path` as it was sent, still escaped. */
int api_route(const char *method, const char *path, struct route *out, struct refusal *why);
/* Which of its formats a Kafka v2 body is, by its content type; false: none of them. For the other APIs it checks what they ask for. */
bool api_format(const struct route *r, const char *content_type, body_format *out, struct refusal *why);
/* Takes a body apart. False with *why, where nothing of it is to be kept. */
bool api_parse(const struct route *r, body_format format, char *body, size_t n, struct posted *out, struct refusal *why);
void posted_clear(struct posted *p);
void posted_free(struct posted *p);

bool api_parse_kafka_v2(const struct route *r, body_format format, struct scan *s, struct posted *out, struct refusal *why);
bool api_parse_kafka_v3(struct scan *s, struct posted *out, struct refusal *why);
bool api_parse_kinesis(const struct route *r, struct scan *s, struct posted *out, struct refusal *why);
bool api_parse_lines(char *body, size_t n, struct posted *out, struct refusal *why);

/* One more record, or NULL with *why. */
struct record *posted_add(struct posted *p, struct refusal *why);
/* Fills *why; answers false. */
__attribute__((format(printf, 5, 6))) bool refuse(struct refusal *why, int status, int code, const char *type, const char *fmt, ...);
/* What is wrong with the JSON at hand, and where. */
bool refuse_json(struct refusal *why, const struct scan *s, const char *type);

/* Replies. places: of the records, in their order, or NULL where they are not known. */
void reply_stored(struct pen_text *t, const struct route *r, const struct posted *p, const struct pen_stored *places, int64_t now);
void reply_refused(struct pen_text *t, api_kind api, const struct refusal *why);
/* The content type of an API's replies. */
const char *reply_type(api_kind api);
/* The number of a partition out of its name, "pins-3" or "shardId-000000000003": 3. */
unsigned partition_number(const char *name);
/* A Kinesis sequence number out of the words of a position: decimal. */
void sequence_number(char out[80], const struct pen_position *at);

#endif
