/* credentials.c - access keys out of the options and the environment. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"

struct aws_credentials {
    const struct pen_host *host;
    const struct aws_options *options;
    pthread_mutex_t lock; /* of now and the users of each */
    struct aws_held *now; /* what is given out; NULL: none yet */
};

/* Strings of a set of keys and the set itself are one piece of memory. */
static struct aws_held *held_new(const char *access, const char *secret, const char *token)
{
    size_t a = strlen(access) + 1, s = strlen(secret) + 1, t = token ? strlen(token) + 1 : 0;
    struct aws_held *h = malloc(sizeof *h + a + s + t);
    if (!h)
        return NULL;
    char *text = (char *)(h + 1);
    memcpy(text, access, a);
    memcpy(text + a, secret, s);
    if (token)
        memcpy(text + a + s, token, t);
    *h = (struct aws_held){ { text, text + a, token ? text + a + s : NULL }, INT64_MAX, 1 };
    return h;
}

static const char *environment(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

static pen_status find_keys(const struct aws_options *o, struct aws_held **out, struct pen_error *err)
{
    const char *access = o->access_key, *secret = o->secret_key, *token = o->session_token;
    if (!access) {
        access = environment("AWS_ACCESS_KEY_ID");
        secret = environment("AWS_SECRET_ACCESS_KEY");
        token = environment("AWS_SESSION_TOKEN");
    }
    if (!access || !secret)
        return pen_fail(err, PEN_BADCONF, "no AWS credentials: set access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    *out = held_new(access, secret, token);
    return *out ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

pen_status aws_credentials_new(struct aws_credentials **out, const struct pen_host *host, const struct aws_options *o, struct pen_error *err)
{
    *out = NULL;
    if (!o->access_key != !o->secret_key)
        return pen_fail(err, PEN_BADCONF, "access_key and secret_key go together: only %s is given", o->access_key ? "access_key" : "secret_key");
    struct aws_credentials *c = calloc(1, sizeof *c);
    if (!c)
        return pen_fail(err, PEN_FATAL, "out of memory");
    c->host = host;
    c->options = o;
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return PEN_OK;
}

static void drop(struct aws_held *h)
{
    if (h && --h->users == 0) {
        explicit_bzero((void *)(uintptr_t)h->keys.secret, strlen(h->keys.secret));
        free(h);
    }
}

void aws_credentials_free(struct aws_credentials **c)
{
    if (!*c)
        return;
    drop((*c)->now);
    pthread_mutex_destroy(&(*c)->lock);
    free(*c);
    *c = NULL;
}

pen_status aws_credentials_hold(struct aws_credentials *c, struct aws_held **out, struct pen_error *err)
{
    pen_status st = PEN_OK;
    pthread_mutex_lock(&c->lock);
    if (!c->now)
        st = find_keys(c->options, &c->now, err);
    *out = st < 0 ? NULL : c->now;
    if (*out)
        c->now->users++;
    pthread_mutex_unlock(&c->lock);
    return st;
}

void aws_credentials_let_go(struct aws_credentials *c, struct aws_held **h)
{
    pthread_mutex_lock(&c->lock);
    drop(*h);
    pthread_mutex_unlock(&c->lock);
    *h = NULL;
}

bool aws_credentials_expired(struct aws_credentials *c, const struct aws_held *h)
{
    (void)c;
    (void)h;
    return false;
}
