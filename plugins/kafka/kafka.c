/* kafka.c - the Kafka transport: topics as a source and as a sink.
 *
 * group.c and reader.c are its source, writer.c its sink; client.c and topic.c are what both stand on, over librdkafka.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kafka.h"

const struct pen_option kafka_options[] = {
    { "brokers", PEN_OPT_STRING, offsetof(struct options, brokers), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "HOST:PORT of some brokers of the cluster, separated by commas; the others are learnt from them." },
    { "topic", PEN_OPT_STRING, offsetof(struct options, topic), NULL, 0, 0, NULL, 0,
      "Topic that is read or written; a section needs it. Where it is written, {output} stands for the output that the rows were read from." },
    { "group", PEN_OPT_STRING, offsetof(struct options, group), NULL, 0, 0, NULL, 0,
      "Consumer group, in which the processes of a pipeline share the partitions; the pipeline's name where not given, and PIPELINE.SINK where "
      "several segments read." },
    { "member", PEN_OPT_STRING, offsetof(struct options, member), NULL, 0, 0, NULL, 0,
      "Name of this process in the group (static membership), another for each: one that comes back within session.timeout.ms keeps its partitions." },
    { "start", PEN_OPT_STRING, offsetof(struct options, start), "stored", 0, 0, NULL, 0,
      "Where a partition begins of which the sink shows no position: stored (where the group stands, else earliest), earliest, latest, or a "
      "time such as 2021-01-05T12:34:56Z. latest and a time hold for the partitions of the first run; one that comes later begins at its beginning." },
    { "missing", PEN_OPT_ENUM, offsetof(struct options, missing), "fail", 0, 0, "fail|skip", 0,
      "Where the broker no longer holds the next record: the run stops, or goes on with the oldest that it holds, and the gap is counted." },
    { "auth", PEN_OPT_ENUM, offsetof(struct options, auth), "none", 0, 0, "none|plain|scram-sha-256|scram-sha-512|oauthbearer|msk-iam", 0,
      "How to log in: by user and password, by a token (librdkafka.sasl.oauthbearer.*), or as Amazon MSK has it, by one that is signed with the credentials of "
      "AWS." },
    { "user", PEN_OPT_STRING, offsetof(struct options, user), NULL, 0, 0, NULL, 0, "User to log in as." },
    { "password", PEN_OPT_STRING, offsetof(struct options, password), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "The user's password." },
    AWS_ROW(struct options, aws, "region", region, PEN_OPT_STRING, NULL, 0, 0, 0, "auth = msk-iam: region of the cluster; without it where AWS's own tools look."),
    AWS_ROW(struct options, aws, "profile", profile, PEN_OPT_STRING, NULL, 0, 0, 0, "auth = msk-iam: profile of AWS's shared configuration files."),
    AWS_ROW(struct options, aws, "access_key", access_key, PEN_OPT_STRING, NULL, 0, 0, 0,
            "auth = msk-iam: id of the access key; needs secret_key. Without both, credentials are looked for where AWS's own tools look."),
    AWS_ROW(struct options, aws, "secret_key", secret_key, PEN_OPT_STRING, NULL, 0, 0, PEN_OPTION_SECRET, "The access key's secret."),
    AWS_ROW(struct options, aws, "session_token", session_token, PEN_OPT_STRING, NULL, 0, 0, PEN_OPTION_SECRET,
            "Token that belongs to temporary access keys."),
    { "tls", PEN_OPT_ENUM, offsetof(struct options, tls), "auto", 0, 0, "auto|verify|off", 0,
      "verify: TLS, and the brokers' certificates must be good; auto: that, where one of the tls_ options is given or auth is not none." },
    { "tls_ca", PEN_OPT_STRING, offsetof(struct options, tls_ca), NULL, 0, 0, NULL, 0,
      "PEM file of the authorities that brokers' certificates are checked against; the system's where not given." },
    { "tls_cert", PEN_OPT_STRING, offsetof(struct options, tls_cert), NULL, 0, 0, NULL, 0, "PEM file of our own certificate, to log in by it." },
    { "tls_key", PEN_OPT_STRING, offsetof(struct options, tls_key), NULL, 0, 0, NULL, 0, "PEM file of its key." },
    { "tls_key_password", PEN_OPT_STRING, offsetof(struct options, tls_key_password), NULL, 0, 0, NULL, PEN_OPTION_SECRET,
      "Password of the key's file." },
    { "timeout", PEN_OPT_DURATION, offsetof(struct options, timeout), "10s", 100000, 600000000, NULL, 0,
      "How long to wait for an answer to a question about topics and offsets." },
    { "create", PEN_OPT_BOOL, offsetof(struct options, create), "no", 0, 0, NULL, 0, "Create the topic where there is none." },
    { "partitions", PEN_OPT_INT, offsetof(struct options, partitions), "default", 1, 100000, "default", 0,
      "Partitions of a topic that is created; default: the broker's own number." },
    { "replication", PEN_OPT_INT, offsetof(struct options, replication), "default", 1, 1000, "default", 0,
      "Copies of a topic that is created; default: the broker's own number." },
    { "config.", PEN_OPT_PAIRS, offsetof(struct options, config), NULL, 0, 0, NULL, 0,
      "Configuration of a topic that is created, such as config.retention.ms = 86400000." },
    { "compression", PEN_OPT_ENUM, offsetof(struct options, compression), "lz4", 0, 0, "none|gzip|snappy|lz4|zstd", 0,
      "Codec of what is written; its level is librdkafka.compression.level." },
    { "partitioner", PEN_OPT_ENUM, offsetof(struct options, partitioner), "murmur2", 0, 0, "murmur2|consistent", 0,
      "Hash by which a key chooses its partition: murmur2 as Java's clients have it, or librdkafka's CRC-32. Records without a key go anywhere." },
    { "keep_partition", PEN_OPT_BOOL, offsetof(struct options, keep_partition), "no", 0, 0, NULL, 0,
      "A record that was read from a topic is written to the partition of the same number." },
    { "exactly_once", PEN_OPT_BOOL, offsetof(struct options, exactly_once), "no", 0, 0, NULL, 0,
      "A transaction for each commit, with the positions in it: readers that take only what is committed see each record once. One process at a time "
      "writes; a second one ends the first." },
    { "positions_topic", PEN_OPT_STRING, offsetof(struct options, positions_topic), NULL, 0, 0, NULL, 0,
      "exactly_once = yes: compacted topic for the positions, created where there is none; PIPELINE.STAGE.positions where not given." },
    { "librdkafka.", PEN_OPT_PAIRS, offsetof(struct options, librdkafka), NULL, 0, 0, NULL, PEN_OPTION_SECRET,
      "Any other property of librdkafka's, by its own name, such as librdkafka.session.timeout.ms = 10000." },
    { .name = NULL }
};

pen_status kafka_start_parse(const char *text, struct start *out, struct pen_error *err)
{
    int64_t micros;
    memset(out, 0, sizeof *out);
    if (strcmp(text, "stored") == 0)
        out->kind = START_STORED;
    else if (strcmp(text, "earliest") == 0)
        out->kind = START_EARLIEST;
    else if (strcmp(text, "latest") == 0)
        out->kind = START_LATEST;
    else if (pen_parse_timestamp(text, strlen(text), &micros) && micros >= 0) {
        out->kind = START_TIME;
        out->time = (micros + 999) / 1000;
    } else
        return pen_fail(err, PEN_BADCONF, "start = \"%s\": expected stored, earliest, latest or a time such as 2021-01-05T12:34:56Z", text);
    return PEN_OK;
}

extern const struct pen_plugin kafka_LTX_pen_plugin;
const struct pen_plugin kafka_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "kafka",
    .summary = "Topics of Apache Kafka",
    .licence = "Apache-2.0",
    .doc = "Reads a topic as a member of a consumer group: processes of one pipeline share its partitions, and what the sink shows decides where each goes on; "
           "the group's offsets are committed too, for other tools to see. Only what is committed is read. A position is one word, the next offset; a "
           "partition is called TOPIC-NUMBER.\n\n"
           "Written records take key, value, timestamp and headers from the columns of raw messages; the producer is idempotent and waits for all copies. "
           "A broker that is away makes a pipeline wait; nothing is lost.\n\n"
           "Memory is bounded by librdkafka.queued.max.messages.kbytes (1024 here) for each partition that is read and librdkafka.queue.buffering.max.kbytes "
           "(16384 here) for what is written.",
    .source = &kafka_source,
    .sink = &kafka_sink,
    .transport = true,
    .verbs = kafka_verbs,
};
