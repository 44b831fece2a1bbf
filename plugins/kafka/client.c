/* client.c - a client of librdkafka from the options: brokers, security, librdkafka.NAME; what it logs, and what its errors mean.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "kafka.h"

/* -- the options that belong together ------------------------------------------------------------------------------------------- */

static const char *const auth_names[] = { "none", "plain", "scram-sha-256", "scram-sha-512", "oauthbearer", "msk-iam" };
static const char *const mechanisms[] = { NULL, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "OAUTHBEARER" };

static bool takes_password(int auth)
{
    return auth == AUTH_PLAIN || auth == AUTH_SCRAM_256 || auth == AUTH_SCRAM_512;
}

static pen_status check_auth(const struct options *o, struct pen_error *err)
{
    if (takes_password(o->auth) && (!o->user || !o->password))
        return pen_fail(err, PEN_BADCONF, "auth = %s: needs user and password; %s is missing", auth_names[o->auth],
                        o->user ? "password" : o->password ? "user" : "each of them");
    if (!takes_password(o->auth) && (o->user || o->password))
        return pen_fail(err, PEN_BADCONF, "%s is given, but auth = %s takes none: expected plain, scram-sha-256 or scram-sha-512",
                        o->user ? "user" : "password", auth_names[o->auth]);
    if (o->auth != AUTH_MSK_IAM && (o->aws.region || o->aws.profile || o->aws.access_key || o->aws.secret_key || o->aws.session_token))
        return pen_fail(err, PEN_BADCONF, "region, profile and access keys are for auth = msk-iam; it is %s", auth_names[o->auth]);
    if (o->auth == AUTH_MSK_IAM && o->tls == TLS_OFF)
        return pen_fail(err, PEN_BADCONF, "auth = msk-iam: tls = off is not possible");
    return PEN_OK;
}

static pen_status check_tls(const struct options *o, struct pen_error *err)
{
    if (!o->tls_cert != !o->tls_key)
        return pen_fail(err, PEN_BADCONF, "%s is given without %s: a client certificate needs both", o->tls_cert ? "tls_cert" : "tls_key",
                        o->tls_cert ? "tls_key" : "tls_cert");
    if (o->tls_key_password && !o->tls_key)
        return pen_fail(err, PEN_BADCONF, "tls_key_password is given without tls_key");
    if (o->tls == TLS_OFF && (o->tls_ca || o->tls_cert))
        return pen_fail(err, PEN_BADCONF, "tls = off, but %s is given", o->tls_ca ? "tls_ca" : "tls_cert");
    return PEN_OK;
}

static const char *security_protocol(const struct options *o)
{
    bool tls = o->tls == TLS_VERIFY || (o->tls == TLS_AUTO && (o->tls_ca || o->tls_cert || o->auth != AUTH_NONE));
    if (o->auth != AUTH_NONE)
        return tls ? "sasl_ssl" : "sasl_plaintext";
    return tls ? "ssl" : "plaintext";
}

/* Properties that are ours to set, and where else they are to be said. */
static const struct owned {
    const char *name, *instead;
} owned[] = {
    { "bootstrap.servers", "brokers" }, { "metadata.broker.list", "brokers" }, { "group.id", "group" }, { "group.instance.id", "member" },
    { "security.protocol", "tls and auth" }, { "sasl.mechanism", "auth" }, { "sasl.mechanisms", "auth" }, { "sasl.username", "user" },
    { "sasl.password", "password" }, { "ssl.ca.location", "tls_ca" }, { "ssl.certificate.location", "tls_cert" },
    { "ssl.key.location", "tls_key" }, { "ssl.key.password", "tls_key_password" }, { "auto.offset.reset", "start and missing" },
    { "enable.ssl.certificate.verification", "tls" }, { "allow.auto.create.topics", "create" }, { "partitioner", "partitioner" },
    { "enable.auto.commit", NULL }, { "auto.commit.enable", NULL }, { "enable.auto.offset.store", NULL }, { "isolation.level", NULL },
    { "enable.partition.eof", NULL }, { "partition.assignment.strategy", NULL }, { "transactional.id", "exactly_once" },
    { "acks", NULL }, { "request.required.acks", NULL }, { "message.timeout.ms", NULL }, { "delivery.timeout.ms", NULL },
    { "plugin.library.paths", NULL }, { "group.protocol", NULL },
};

static pen_status check_pairs(const struct pen_pairs *p, struct pen_error *err)
{
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) {
            if (strcmp(p->names[i], owned[k].name) != 0)
                continue;
            if (owned[k].instead)
                return pen_fail(err, PEN_BADCONF, "librdkafka.%s cannot be set here: it follows from %s", p->names[i], owned[k].instead);
            return pen_fail(err, PEN_BADCONF, "librdkafka.%s cannot be set: what is guaranteed rests on it", p->names[i]);
        }
    return PEN_OK;
}

pen_status kafka_check_options(const struct options *o, struct pen_error *err)
{
    struct start ignored;
    pen_status st = o->topic ? check_auth(o, err) : pen_fail(err, PEN_BADCONF, "topic is missing");
    if (st == PEN_OK)
        st = check_tls(o, err);
    if (st == PEN_OK)
        st = check_pairs(&o->librdkafka, err);
    if (st == PEN_OK)
        st = kafka_start_parse(o->start, &ignored, err);
    return st;
}

/* -- what a client says ----------------------------------------------------------------------------------------------------------- */

static void on_log(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    struct client *c = rd_kafka_opaque(rk);
    if (c && level <= LOG_WARNING && strcmp(fac, "CONFWARN") != 0)
        pen_log(c->host, PEN_LOG_DEBUG, "librdkafka: %s: %s", fac, text); /* what matters comes as an error, too */
}

bool client_error_is_passing(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__RETRY:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
        return true;
    default:
        return false;
    }
}

/* Why a password that is right may be refused: before 2.6.1 librdkafka sends the nonce of SCRAM's last message wrongly, which newer brokers notice. */
static const char *scram_hint(const struct options *o)
{
    bool scram = o->auth == AUTH_SCRAM_256 || o->auth == AUTH_SCRAM_512;
    return scram && (rd_kafka_version() >> 8) < 0x020601 ? "; a wrong password, or a broker that refuses SCRAM as librdkafka before 2.6.1 speaks it" : "";
}

pen_status client_fail(const struct client *c, rd_kafka_resp_err_t code, const char *what, const char *detail, struct pen_error *err)
{
    const char *words = detail && detail[0] ? detail : rd_kafka_err2str(code);
    const char *brokers = c->o->brokers;
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        return pen_fail(err, PEN_FATAL, "kafka %s: %s: not let in as auth = %s, user = %s%s%s (%s)", brokers, what, auth_names[c->o->auth],
                        c->o->user ? c->o->user : "", scram_hint(c->o), c->o->auth == AUTH_NONE ? "; the broker wants a user" : "", words);
    case RD_KAFKA_RESP_ERR__SSL:
        return pen_fail(err, PEN_FATAL, "kafka %s: %s: no TLS connection (tls_ca, tls_cert, tls_key): %s", brokers, what, words);
    case RD_KAFKA_RESP_ERR__RESOLVE:
        return pen_fail(err, PEN_FATAL, "kafka %s: %s: no such host (brokers): %s", brokers, what, words);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return pen_fail(err, PEN_FATAL, "kafka %s: %s: there is no such topic or partition; create = yes, or `penstock transport create`, makes it",
                        brokers, what);
    default:
        return pen_fail(err, client_error_is_passing(code) ? PEN_RETRY : PEN_FATAL, "kafka %s: %s: %s", brokers, what, words);
    }
}

/* The first kind of trouble that is for good stays; of others the newest counts. Any thread. */
static void note_trouble(struct client *c, rd_kafka_resp_err_t code, const char *what, const char *detail)
{
    struct pen_error e = { 0 };
    client_fail(c, code, what, detail, &e);
    pthread_mutex_lock(&c->lock);
    if (c->trouble.code != PEN_FATAL)
        c->trouble = e;
    pthread_mutex_unlock(&c->lock);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct client *c = opaque;
    char text[384];
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_resp_err_t why = rd_kafka_fatal_error(rk, text, sizeof text);
        note_trouble(c, client_error_is_passing(why) ? RD_KAFKA_RESP_ERR__FATAL : why, "the client had to give up", text);
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__RESOLVE && c->connected)
        code = RD_KAFKA_RESP_ERR__TRANSPORT; /* it was there before: names may fail for a while, too */
    note_trouble(c, (rd_kafka_resp_err_t)code, "connection", reason);
}

pen_status client_trouble(struct client *c, struct pen_error *err)
{
    pen_status st;
    pthread_mutex_lock(&c->lock);
    st = c->trouble.code;
    if (st != PEN_OK)
        pen_fail(err, st, "%s", c->trouble.msg);
    if (st != PEN_FATAL)
        c->trouble = (struct pen_error){ 0 };
    pthread_mutex_unlock(&c->lock);
    return st;
}

/* -- making and ending one --------------------------------------------------------------------------------------------------------- */

void client_init(struct client *c, const struct pen_host *host, const struct options *o, void *owner)
{
    memset(c, 0, sizeof *c);
    c->host = host;
    c->o = o;
    c->owner = owner;
    pthread_mutex_init(&c->lock, NULL);
}

bool client_is_given(const struct options *o, const char *name)
{
    for (size_t i = 0; i < o->librdkafka.n; i++)
        if (strcmp(o->librdkafka.names[i], name) == 0)
            return true;
    return false;
}

pen_status client_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct pen_error *err)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        return pen_fail(err, PEN_BADCONF, "librdkafka %s: %s", rd_kafka_version_str(), why);
    return PEN_OK;
}

static pen_status set_pairs(rd_kafka_conf_t *conf, const struct pen_pairs *p, struct pen_error *err)
{
    char why[256];
    for (size_t i = 0; i < p->n; i++) {
        rd_kafka_conf_res_t res = rd_kafka_conf_set(conf, p->names[i], p->values[i], why, sizeof why);
        if (res == RD_KAFKA_CONF_UNKNOWN)
            return pen_fail(err, PEN_BADCONF, "librdkafka.%s: librdkafka %s has no such property", p->names[i], rd_kafka_version_str());
        if (res != RD_KAFKA_CONF_OK) /* librdkafka's words hold the value, which may be a secret */
            return pen_fail(err, PEN_BADCONF, "librdkafka.%s: librdkafka %s does not take this value", p->names[i], rd_kafka_version_str());
    }
    return PEN_OK;
}

static pen_status set_all(struct client *c, rd_kafka_type_t type, rd_kafka_conf_t *conf, struct pen_error *err)
{
    const struct options *o = c->o;
    const struct {
        const char *name, *value;
    } ours[] = {
        { "bootstrap.servers", o->brokers }, { "client.id", pen_pipeline_name(c->host) }, { "security.protocol", security_protocol(o) },
        { "sasl.mechanisms", mechanisms[o->auth] }, { "sasl.username", o->user }, { "sasl.password", o->password },
        { "ssl.ca.location", o->tls_ca }, { "ssl.certificate.location", o->tls_cert }, { "ssl.key.location", o->tls_key },
        { "ssl.key.password", o->tls_key_password }, { "log.connection.close", "false" },
        { "allow.auto.create.topics", type == RD_KAFKA_CONSUMER ? "false" : NULL }, { "reconnect.backoff.max.ms", "2000" },
        { "topic.metadata.refresh.interval.ms", "60000" }, { "socket.keepalive.enable", "true" },
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (ours[i].value && client_set(conf, ours[i].name, ours[i].value, err) < 0)
            return PEN_BADCONF;
    return set_pairs(conf, &o->librdkafka, err);
}

pen_status client_conf(struct client *c, rd_kafka_type_t type, rd_kafka_conf_t **out, struct pen_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    *out = NULL;
    if (set_all(c, type, conf, err) < 0) {
        rd_kafka_conf_destroy(conf);
        return PEN_BADCONF;
    }
    if (c->o->auth == AUTH_MSK_IAM && msk_new(&c->msk, c->host, c->o, conf, err) < 0) {
        rd_kafka_conf_destroy(conf);
        return PEN_BADCONF;
    }
    rd_kafka_conf_enable_sasl_queue(conf, c->o->auth == AUTH_MSK_IAM);
    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    *out = conf;
    return PEN_OK;
}

pen_status client_check(const struct pen_host *host, const struct options *o, struct pen_error *err)
{
    struct client c;
    rd_kafka_conf_t *conf;
    pen_status st;
    client_init(&c, host, o, NULL);
    st = client_conf(&c, RD_KAFKA_CONSUMER, &conf, err);
    if (conf)
        rd_kafka_conf_destroy(conf);
    client_fini(&c);
    return st;
}

pen_status client_new(struct client *c, rd_kafka_type_t type, rd_kafka_conf_t *conf, struct pen_error *err)
{
    char why[384];
    c->rk = rd_kafka_new(type, conf, why, sizeof why);
    if (c->rk) { /* tokens are refreshed whoever polls */
        rd_kafka_error_t *error = c->o->auth == AUTH_MSK_IAM ? rd_kafka_sasl_background_callbacks_enable(c->rk) : NULL;
        if (!error)
            return PEN_OK;
        pen_fail(err, PEN_FATAL, "kafka %s: %s", c->o->brokers, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        return PEN_FATAL;
    }
    rd_kafka_conf_destroy(conf);
    return pen_fail(err, PEN_BADCONF, "kafka %s: no client: %s", c->o->brokers, why);
}

void client_fini(struct client *c)
{
    if (c->rk)
        rd_kafka_destroy(c->rk);
    c->rk = NULL;
    msk_free(&c->msk);
    pthread_mutex_destroy(&c->lock);
}
