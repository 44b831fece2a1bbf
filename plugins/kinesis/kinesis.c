/* kinesis.c - the Kinesis transport: records go to a stream's shards and come back from them, over the service's JSON API.
 *
 * writer.c and batcher.c are its sink; source.c, reader.c, fetch.c, shards.c and leases.c its source; admin.c its verbs. Below them client.c makes
 * calls by plugins/aws, message.c knows their JSON, sequence.c the numbers. SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "kinesis.h"

#define OPT(member) offsetof(struct options, member)

const struct pen_option kinesis_options[] = {
    { "stream", PEN_OPT_STRING, OPT(stream), NULL, 0, 0, NULL, 0,
      "Name of the stream, which must be there. Verbs may be given it as NAME, all else needs it. For writing, {output} in it stands for the name of the output that a record comes from (of the stage "
      "where that has only one), {stage} for its stage's." },
    { "start", PEN_OPT_STRING, OPT(start), "stored", 0, 0, NULL, 0,
      "Where reading begins when the sink shows no position of this stream: earliest (stored and trim_horizon are the same here, as Kinesis keeps no "
      "positions), latest, or a time such as 2026-01-31T12:00:00Z." },
    { "trimmed", PEN_OPT_ENUM, OPT(trimmed), "fail", 0, 0, "fail|skip", 0,
      "When the stream may have dropped records before they were read (its retention is over): stop the run, or go on with the oldest that it holds "
      "and say so." },
    { "poll_interval", PEN_OPT_DURATION, OPT(poll_interval), "500ms", 200000, 60000000, NULL, 0,
      "How often a shard that has been read to its end is asked for more. The service takes five calls a second for each shard, of all its readers." },
    { "shard_rate", PEN_OPT_SIZE, OPT(shard_rate), "2MB", 0, INT64_C(1) << 40, NULL, 0,
      "How many bytes a second are read of one shard; 0: no limit. The service's own is 2 MB a second, of all readers that share it." },
    { "leases", PEN_OPT_STRING, OPT(leases), NULL, 0, 0, NULL, 0,
      "Folder or s3:// URL in which several processes agree on who reads which shard. Without it this process reads them all." },
    { "lease_time", PEN_OPT_DURATION, OPT(lease_time), "30s", 1000000, INT64_C(3600000000), NULL, 0,
      "After this long without a sign of life, by the clock of the store, others take over a process's shards." },
    { "key", PEN_OPT_STRING, OPT(key), NULL, 0, 0, NULL, 0,
      "Column whose value becomes the partition key when columns are written. Without it, and for messages without a key, records are spread at random." },
    { "order", PEN_OPT_ENUM, OPT(order), "key", 0, 0, "key|none", 0,
      "key: a record is sent only when those of the same key before it are stored, so that refused records that are sent again do not come behind later "
      "ones. none: faster for few keys, and their order may change when the service refuses some." },
    { "in_flight", PEN_OPT_INT, OPT(in_flight), "4", 1, 64, NULL, 0, "Calls that a lane has under way at once." },
    { "buffer", PEN_OPT_SIZE, OPT(buffer), "16MiB", 1 << 20, INT64_C(1) << 34, NULL, 0,
      "Bytes that a lane holds for writing before it waits; and that are read ahead, in all." },
    AWS_OPTION_ROWS(struct options, aws),
    { .name = NULL }
};

static bool is_name(const char *text)
{
    size_t n = 0;
    for (; text[n]; n++)
        if (!isalnum((unsigned char)text[n]) && !strchr("_.-", text[n]))
            return false;
    return n >= 1 && n < STREAM_NAME;
}

bool kinesis_stream_is_open(const struct options *o)
{
    return strstr(o->stream, "{output}") || strstr(o->stream, "{stage}");
}

pen_status kinesis_stream_name(const struct options *o, const char *stage, const char *output, char *name, size_t size, struct pen_error *err)
{
    size_t n = 0;
    for (const char *p = o->stream; *p && n < size - 1;) {
        bool by_output = strncmp(p, "{output}", 8) == 0, by_stage = strncmp(p, "{stage}", 7) == 0;
        const char *word = by_stage ? stage : output && *output ? output : stage;
        if (by_output || by_stage)
            n += (size_t)snprintf(name + n, size - n, "%s", word);
        else
            name[n++] = *p;
        p += by_output ? 8 : by_stage ? 7 : 1;
        n = n < size ? n : size - 1;
    }
    name[n] = '\0';
    if (n < size - 1 && is_name(name))
        return PEN_OK;
    return pen_fail(err, PEN_BADCONF, "stream = \"%s\": expected 1 to 128 letters, digits, '_', '-', '.'%s%s", o->stream,
                    kinesis_stream_is_open(o) ? ", got " : "", kinesis_stream_is_open(o) ? name : "");
}

pen_status kinesis_check_options(const struct options *o, start_kind *kind, int64_t *at, struct pen_error *err)
{
    char name[STREAM_NAME + 1];
    start_kind k = START_EARLIEST;
    int64_t t = 0;
    if (!o->stream)
        return pen_fail(err, PEN_BADCONF, "stream is missing: expected the name of a stream");
    if (kinesis_stream_name(o, "stage", "", name, sizeof name, err) < 0)
        return PEN_BADCONF;
    if (strcmp(o->start, "latest") == 0)
        k = START_LATEST;
    else if (pen_parse_timestamp(o->start, strlen(o->start), &t) && t >= 0)
        k = START_TIME;
    else if (strcmp(o->start, "earliest") && strcmp(o->start, "stored") && strcmp(o->start, "trim_horizon"))
        return pen_fail(err, PEN_BADCONF, "start = \"%s\": expected stored, earliest, latest or a time such as 2026-01-31T12:00:00Z", o->start);
    if (kind)
        *kind = k;
    if (at)
        *at = t;
    return PEN_OK;
}

extern const struct pen_plugin kinesis_LTX_pen_plugin;
const struct pen_plugin kinesis_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "kinesis",
    .summary = "Amazon Kinesis Data Streams, written and read",
    .licence = "Apache-2.0",
    .doc = "Writing: PutRecords, with as many records a call as the service takes. A commit is done when every record of it has been acknowledged. "
           "Records that the service refuses for the moment are sent again, with growing pauses; with order = key no later record of the same key is "
           "sent before. An answer that is lost, and a run that is killed, leave records in the stream that come again: at least once. A key is text "
           "of 1 to 256 characters; timestamps and headers have no place in Kinesis and are left out.\n\n"
           "Reading: each shard is a partition, and a position four words: the sequence number behind the last record in three, the highest first, "
           "and when that record arrived in seconds. A shard that came of a split or a merge is read when its parents have been read to their end and "
           "that is committed, so that records of one key keep their order. Nothing is stored in DynamoDB or anywhere else: the sink shows where "
           "reading goes on. While a shard is idle its position's last word is committed anew from time to time, so that the next start can tell "
           "whether records were dropped unread.\n\n"
           "Several processes of one pipeline share a stream where leases names a folder that all of them reach. Leases share out the shards; that no row "
           "comes twice is for the sink to see to, and Delta does.\n\n"
           "Credentials come from the options or from where AWS's own tools look for them. What is needed: kinesis:DescribeStreamSummary; for writing "
           "kinesis:PutRecords; for reading kinesis:ListShards, kinesis:GetShardIterator, kinesis:GetRecords.",
    .source = &kinesis_source,
    .sink = &kinesis_sink,
    .transport = true,
    .verbs = kinesis_verbs,
};
