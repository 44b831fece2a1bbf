/* kafka.h - what the ends of the Kafka transport share: options, clients, wording of errors. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KAFKA_H
#define PENSTOCK_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include <penstock/plugin.h>

#include "../aws/aws.h"

typedef enum { AUTH_NONE, AUTH_PLAIN, AUTH_SCRAM_256, AUTH_SCRAM_512, AUTH_OAUTHBEARER, AUTH_MSK_IAM } auth_kind;
typedef enum { TLS_AUTO, TLS_VERIFY, TLS_OFF } tls_kind;
typedef enum { MISSING_FAIL, MISSING_SKIP } missing_kind;
typedef enum { PARTITIONER_MURMUR2, PARTITIONER_CONSISTENT } partitioner_kind;

struct options { /* set from kafka_options */
    const char *brokers, *topic, *group, *member, *start;
    const char *user, *password, *tls_ca, *tls_cert, *tls_key, *tls_key_password;
    const char *positions_topic;
    struct aws_options aws; /* of auth = msk-iam */
    struct pen_pairs librdkafka, config;
    int64_t partitions, replication, timeout;
    int auth, tls, missing, partitioner, compression; /* the kinds above */
    bool create, exactly_once, keep_partition;
};

extern const struct pen_option kafka_options[];
extern const struct pen_source kafka_source;
extern const struct pen_sink kafka_sink;
extern const struct pen_verb kafka_verbs[];

/* What the table of options cannot say. */
pen_status kafka_check_options(const struct options *o, struct pen_error *err);

/* -- where a reader begins (option `start`) ----------------------------------------------------------------------------------- */

typedef enum { START_STORED, START_EARLIEST, START_LATEST, START_TIME } start_kind;
struct start {
    start_kind kind;
    int64_t time; /* milliseconds since 1970 */
};
pen_status kafka_start_parse(const char *text, struct start *out, struct pen_error *err);

/* -- clients ------------------------------------------------------------------------------------------------------------------ */

/* What one rd_kafka_t tells about itself, from threads of librdkafka's; its opaque. */
struct client {
    const struct pen_host *host;
    const struct options *o;
    rd_kafka_t *rk;
    struct msk *msk;         /* NULL: not auth = msk-iam */
    void *owner;             /* for the callbacks of an end */
    atomic_bool connected;   /* the brokers have answered once */
    pthread_mutex_t lock;
    struct pen_error trouble; /* the last one that has not been reported; code PEN_RETRY, or PEN_FATAL for good */
};

void client_init(struct client *c, const struct pen_host *host, const struct options *o, void *owner);
/* A configuration for a client of this kind with brokers, security, librdkafka.NAME and callbacks set; the caller adds what is its own. */
pen_status client_conf(struct client *c, rd_kafka_type_t type, rd_kafka_conf_t **out, struct pen_error *err);
/* Sets a property that we own. */
pen_status client_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct pen_error *err);
/* Whether the file sets librdkafka.NAME, so that a default of ours gives way. */
bool client_is_given(const struct options *o, const char *name);
/* Whether librdkafka takes the options. */
pen_status client_check(const struct pen_host *host, const struct options *o, struct pen_error *err);
/* Makes the client; takes conf over, whatever comes of it. */
pen_status client_new(struct client *c, rd_kafka_type_t type, rd_kafka_conf_t *conf, struct pen_error *err);
void client_fini(struct client *c); /* destroys the client, too */
/* The trouble that was not reported yet: PEN_OK none, else its code with err filled. One for good stays. */
pen_status client_trouble(struct client *c, struct pen_error *err);
/* Verdict and wording for an error of a call about `what` ("topic x"); PEN_RETRY where the broker may come back. */
pen_status client_fail(const struct client *c, rd_kafka_resp_err_t code, const char *what, const char *detail, struct pen_error *err);
bool client_error_is_passing(rd_kafka_resp_err_t code);

/* -- topics ------------------------------------------------------------------------------------------------------------------- */

/* A client that only asks. A producer will not do: brokers create the topics that one asks about. Ended by client_fini(). */
pen_status asker_open(struct client *c, const struct pen_host *host, const struct options *o, struct pen_error *err);
/* Waits until a broker has answered, or will not let us in; PEN_RETRY: none is there. Of an asker only. */
pen_status topic_reach(const struct client *c, struct pen_error *err);
/* How many partitions a topic has. PEN_SKIP: there is no such topic; PEN_RETRY: out of reach. May wait. */
pen_status topic_partitions(const struct client *c, const char *topic, int32_t *n, struct pen_error *err);
/* Creates it; that it is there already is no error. partitions, replication -1: the broker's own. */
pen_status topic_create(const struct client *c, const char *topic, int64_t partitions, int64_t replication, const struct pen_pairs *config,
                        struct pen_error *err);
pen_status topic_delete(const struct client *c, const char *topic, struct pen_error *err);
/* Makes sure that the topic is there, creating it with create = yes. PEN_FATAL where it is not. */
pen_status topic_ensure(const struct pen_host *host, const struct options *o, const char *topic, struct pen_error *err);

/* -- what this process has written ---------------------------------------------------------------------------------------------- */

/* So that a reader of a topic that the same run writes knows where its end is. Any thread. */
void written_note(const char *brokers, const char *topic, int32_t partition, int64_t end);
/* Position behind the last record that this process is known to have written; -1: none. */
int64_t written_end(const char *brokers, const char *topic, int32_t partition);

/* The same for a compacted topic of one partition, which is created in any case. */
pen_status topic_ensure_compacted(const struct pen_host *host, const struct options *o, const char *topic, struct pen_error *err);
/* For `check --connect`: whether the brokers let us in, and the topic (NULL: none) is there or will be created. */
pen_status topic_connect(const struct pen_host *host, const struct options *o, const char *topic, struct pen_error *err);

/* -- tokens --------------------------------------------------------------------------------------------------------------------- */

/* auth = msk-iam: lets the configuration's client ask for tokens that are signed with the credentials of AWS. */
struct msk;
pen_status msk_new(struct msk **out, const struct pen_host *host, const struct options *o, rd_kafka_conf_t *conf, struct pen_error *err);
void msk_free(struct msk **m);

#endif
