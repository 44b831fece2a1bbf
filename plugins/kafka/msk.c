/* msk.c - auth = msk-iam: a token is a presigned request kafka-cluster:Connect, in base64url without padding, good for a quarter of an hour.
 * librdkafka asks for the next when four fifths of its life are over. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

#define LIFE 900 /* seconds; the most that brokers take */
#define RETRY_AFTER 10

struct msk {
    const struct pen_host *host;
    struct aws_options options;
    struct aws_client *aws;
};

static pen_status make_token(struct msk *m, struct pen_text *out, struct pen_error *err)
{
    struct pen_text url = { 0 }, whole = { 0 };
    struct aws_fields query = { 0 };
    char host[128];
    pen_status st;
    snprintf(host, sizeof host, "kafka.%s.amazonaws.com", aws_client_region(m->aws));
    aws_field_add(&query, "Action", "kafka-cluster:Connect");
    st = aws_presign(m->aws, "kafka-cluster", host, &query, LIFE, &url, err);
    if (st >= 0) {
        pen_text_put(&whole, "https://");
        pen_text_append(&whole, url.bytes, url.n);
        pen_text_put(&whole, "&User-Agent=penstock"); /* not signed; brokers log it */
        pen_text_base64(out, whole.bytes, whole.n);
        if (pen_text_failed(&whole) || pen_text_failed(out))
            st = pen_fail(err, PEN_FATAL, "out of memory");
    }
    aws_fields_fini(&query);
    pen_text_fini(&url);
    pen_text_fini(&whole);
    return st;
}

/* base64 to base64url, without padding. Ends it with a NUL. */
static void to_url_alphabet(struct pen_text *t)
{
    for (size_t i = 0; i < t->n; i++)
        t->bytes[i] = t->bytes[i] == '+' ? '-' : t->bytes[i] == '/' ? '_' : t->bytes[i];
    while (t->n && t->bytes[t->n - 1] == '=')
        t->n--;
    pen_text_append(t, "", 1);
}

static void refresh(rd_kafka_t *rk, const char *config, void *opaque)
{
    struct client *c = opaque;
    struct msk *m = c->msk;
    struct pen_text token = { 0 };
    struct pen_error err = { 0 };
    char why[256] = "";
    (void)config;
    if (make_token(m, &token, &err) >= 0) {
        to_url_alphabet(&token);
        if (!pen_text_failed(&token) && rd_kafka_oauthbearer_set_token(rk, token.bytes, pen_wall_clock(m->host) / 1000 + LIFE * 1000, "penstock", NULL, 0,
                                                                       why, sizeof why) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            pen_text_fini(&token);
            return;
        }
        pen_fail(&err, PEN_RETRY, "kafka: the signed token was not taken: %s", why);
    }
    pen_text_fini(&token);
    rd_kafka_oauthbearer_set_token_failure(rk, err.msg);
}

pen_status msk_new(struct msk **out, const struct pen_host *host, const struct options *o, rd_kafka_conf_t *conf, struct pen_error *err)
{
    struct msk *m = calloc(1, sizeof *m);
    pen_status st;
    *out = NULL;
    if (!m)
        return pen_fail(err, PEN_FATAL, "out of memory");
    m->host = host;
    m->options = o->aws;
    m->options.connect_timeout = 5000000;
    m->options.silence_timeout = 20000000;
    m->options.attempts = 5;
    st = aws_client_new(&m->aws, host, &m->options, "sts", err);
    if (st < 0) {
        free(m);
        return st;
    }
    rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, refresh);
    *out = m;
    return PEN_OK;
}

void msk_free(struct msk **m)
{
    if (*m)
        aws_client_free(&(*m)->aws);
    free(*m);
    *m = NULL;
}
