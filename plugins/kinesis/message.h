/* message.h - what goes to the service and comes back: JSON with base64 in it. Everything that comes in is hostile until it is parsed here:
 * each function answers PEN_BADDATA with one line where the text is not what the service documents.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KINESIS_MESSAGE_H
#define PENSTOCK_KINESIS_MESSAGE_H

#include <penstock/plugin.h>

#include "sequence.h"

#define SHARD_NAME 129 /* 128 characters, and a NUL */

struct cJSON;

/* -- GetRecords -------------------------------------------------------------------------------------------------------------------- */

struct kin_record {
    struct seq seq;
    int64_t arrival;  /* microseconds since 1970; INT64_MIN: not told */
    const char *key, *data;
    size_t key_n, data_n;
};
/* The records of one answer; keys and data point into `root`. */
struct kin_records {
    struct cJSON *root;
    struct kin_record *v;
    size_t n;
    size_t bytes;     /* of keys and data */
    const char *next; /* iterator, NULL: the shard is closed and was read to its end */
    int64_t behind;   /* MillisBehindLatest; -1: not told */
};
pen_status kin_parse_records(const char *text, size_t n, struct kin_records *out, struct pen_error *err);
void kin_records_fini(struct kin_records *r);
/* A member that is a text, such as ShardIterator of GetShardIterator's answer; malloc'ed. */
pen_status kin_parse_text(const char *text, size_t n, const char *name, char **out, struct pen_error *err);

/* -- ListShards, DescribeStreamSummary, ListStreams ------------------------------------------------------------------------------------ */

struct kin_shard {
    char name[SHARD_NAME], parents[2][SHARD_NAME]; /* "" where there is none */
    struct seq first, last;                        /* of its sequence numbers; last while it is closed */
    bool closed;
    char low[40], high[40];                        /* hash keys, decimal */
};
struct kin_shards {
    struct kin_shard *v;
    size_t n, room;
};
/* Appends; *next is malloc'ed, NULL where this was the last page. */
pen_status kin_parse_shards(const char *text, size_t n, struct kin_shards *out, char **next, struct pen_error *err);

struct kin_summary {
    char status[32], mode[32], arn[256];
    int64_t created;     /* milliseconds since 1970 */
    int64_t retention;   /* hours */
    int64_t open_shards;
    int64_t record_size; /* largest record, bytes */
};
pen_status kin_parse_summary(const char *text, size_t n, struct kin_summary *out, struct pen_error *err);

/* Calls each name; *more: there is another page, after the last name. */
pen_status kin_parse_streams(const char *text, size_t n, pen_status (*each)(void *arg, const char *name, struct pen_error *err), void *arg,
                             bool *more, struct pen_error *err);

/* -- PutRecords -------------------------------------------------------------------------------------------------------------------- */

struct kin_put {
    bool stored;
    char error[64];       /* code, where it was not */
    char shard[SHARD_NAME];
    struct seq seq;
};
/* Fills out[0 … n), one for each record of the request, and the first message of a failure. */
pen_status kin_parse_put(const char *text, size_t size, struct kin_put *out, size_t n, char *message, size_t message_size, struct pen_error *err);

/* Base64 as RFC 4648, section 4, has it, decoded in place. False where it is none. */
bool kin_base64(char *text, size_t n, size_t *decoded);

#endif
