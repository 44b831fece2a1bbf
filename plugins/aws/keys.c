/* keys.c - the places where access keys come from, in the order in which AWS's own SDKs look: the options, the environment, a web identity that the
 * environment names, the profile of the shared files (roles, web identities, commands, keys), the container's service, the instance's.
 * A profile that the options name goes before the environment. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

enum { MAX_CHAIN = 8 }; /* of source_profile */

struct aws_held *aws_held_new(const char *access, const char *secret, const char *token, int64_t expires)
{
    size_t a = strlen(access) + 1, s = strlen(secret) + 1, t = token ? strlen(token) + 1 : 0;
    struct aws_held *h = malloc(sizeof *h + a + s + t);
    if (!h)
        return NULL;
    char *text = (char *)(h + 1); /* one piece of memory with its strings */
    memcpy(text, access, a);
    memcpy(text + a, secret, s);
    if (token)
        memcpy(text + a + s, token, t);
    *h = (struct aws_held){ { text, text + a, token ? text + a + s : NULL }, expires, 1 };
    return h;
}

void aws_held_drop(struct aws_held **h)
{
    if (*h)
        explicit_bzero((char *)(*h + 1) + strlen((*h)->keys.access) + 1, strlen((*h)->keys.secret));
    free(*h);
    *h = NULL;
}

static pen_status give(struct aws_held **out, const char *access, const char *secret, const char *token, struct pen_error *err)
{
    *out = aws_held_new(access, secret, token, INT64_MAX);
    return *out ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

static pen_status from_environment(struct aws_held **out, struct pen_error *err)
{
    const char *access = aws_environment("AWS_ACCESS_KEY_ID"), *secret = aws_environment("AWS_SECRET_ACCESS_KEY");
    if (!access && !secret)
        return PEN_SKIP;
    if (!access || !secret)
        return pen_fail(err, PEN_BADCONF, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: only one is set");
    return give(out, access, secret, aws_environment("AWS_SESSION_TOKEN"), err);
}

/* What Kubernetes sets for a service account with a role. */
static pen_status from_web_identity(const struct aws_options *o, struct aws_held **out, struct pen_error *err)
{
    const struct aws_role role = { .arn = aws_environment("AWS_ROLE_ARN"), .session = aws_environment("AWS_ROLE_SESSION_NAME"),
                                   .token_file = aws_environment("AWS_WEB_IDENTITY_TOKEN_FILE") };
    return role.arn && role.token_file ? aws_keys_of_role(o, &role, NULL, out, err) : PEN_SKIP;
}

/* -- profiles ---------------------------------------------------------------------------------------------------------------------------------- */

static pen_status from_profile(const struct aws_options *o, const char *name, int depth, struct aws_held **out, struct pen_error *err);

/* Keys of the profile itself. */
static pen_status own_keys(const struct aws_fields *p, const char *name, struct aws_held **out, struct pen_error *err)
{
    const char *access = aws_profile_get(p, "aws_access_key_id"), *secret = aws_profile_get(p, "aws_secret_access_key");
    const char *command = aws_profile_get(p, "credential_process");
    if (access && secret)
        return give(out, access, secret, aws_profile_get(p, "aws_session_token"), err);
    if (access || secret)
        return pen_fail(err, PEN_BADCONF, "profile %s: aws_access_key_id and aws_secret_access_key go together: only one is set", name);
    if (command)
        return aws_keys_of_process(command, out, err);
    if (aws_profile_get(p, "sso_session") || aws_profile_get(p, "sso_start_url"))
        return pen_fail(err, PEN_BADCONF, "profile %s: signs in by SSO, which only AWS's own tools do; set credential_process = aws configure "
                                          "export-credentials --profile %s", name, name);
    return PEN_SKIP;
}

static pen_status keys_of_source(const struct aws_options *o, const char *source, struct aws_held **out, struct pen_error *err)
{
    if (strcasecmp(source, "Environment") == 0)
        return from_environment(out, err);
    if (strcasecmp(source, "EcsContainer") == 0)
        return aws_keys_of_container(out, err);
    if (strcasecmp(source, "Ec2InstanceMetadata") == 0)
        return aws_keys_of_instance(out, err);
    (void)o;
    return pen_fail(err, PEN_BADCONF, "credential_source = %s: expected Environment, EcsContainer or Ec2InstanceMetadata", source);
}

static pen_status from_role(const struct aws_options *o, const struct aws_fields *p, const char *name, const char *arn, int depth,
                            struct aws_held **out, struct pen_error *err)
{
    const char *from = aws_profile_get(p, "source_profile"), *source = aws_profile_get(p, "credential_source");
    const struct aws_role role = { .arn = arn, .session = aws_profile_get(p, "role_session_name"), .external_id = aws_profile_get(p, "external_id"),
                                   .token_file = aws_profile_get(p, "web_identity_token_file"), .seconds = aws_profile_get(p, "duration_seconds") };
    struct aws_held *with = NULL;
    pen_status st;
    if (role.token_file)
        return aws_keys_of_role(o, &role, NULL, out, err);
    if (aws_profile_get(p, "mfa_serial"))
        return pen_fail(err, PEN_BADCONF, "profile %s: mfa_serial asks for a code at each start, which nobody can give here", name);
    if (from && strcmp(from, name) == 0)
        st = own_keys(p, name, &with, err);
    else if (from)
        st = from_profile(o, from, depth + 1, &with, err);
    else if (source)
        st = keys_of_source(o, source, &with, err);
    else
        st = pen_fail(err, PEN_BADCONF, "profile %s: role_arn needs source_profile, credential_source or web_identity_token_file", name);
    if (st == PEN_SKIP)
        st = pen_fail(err, PEN_BADCONF, "profile %s: %s has no keys", name, from ? from : source);
    if (st >= 0)
        st = aws_keys_of_role(o, &role, &with->keys, out, err);
    aws_held_drop(&with);
    return st;
}

/* PEN_SKIP: there is no such profile, or it names no keys. */
static pen_status from_profile(const struct aws_options *o, const char *name, int depth, struct aws_held **out, struct pen_error *err)
{
    struct aws_fields p = { 0 };
    if (depth > MAX_CHAIN)
        return pen_fail(err, PEN_BADCONF, "profile %s: source_profile leads in a circle", name);
    pen_status st = aws_profile_load(&p, name, err);
    const char *arn = aws_profile_get(&p, "role_arn");
    if (st == PEN_OK)
        st = arn ? from_role(o, &p, name, arn, depth, out, err) : own_keys(&p, name, out, err);
    else if (st == PEN_SKIP && depth)
        st = pen_fail(err, PEN_BADCONF, "profile %s: there is no such profile (source_profile)", name);
    for (size_t i = 0; i < p.n; i++)
        explicit_bzero(p.v[i].value, strlen(p.v[i].value));
    aws_fields_fini(&p);
    return st;
}

/* -- all of it ---------------------------------------------------------------------------------------------------------------------------------- */

static pen_status nothing_found(const struct aws_options *o, const char *instance, struct pen_error *err)
{
    char shared[300];
    aws_shared_path(shared, sizeof shared, true);
    return pen_fail(err, PEN_BADCONF, "no AWS credentials: neither access_key and secret_key, nor AWS_ACCESS_KEY_ID, nor profile %s in %s, nor a container's "
                                      "service (AWS_CONTAINER_CREDENTIALS_…), nor this machine's (%.120s)", aws_profile_name(o), shared, instance);
}

pen_status aws_find_keys(const struct aws_options *o, struct aws_held **out, struct pen_error *err)
{
    struct pen_error why = { 0 };
    pen_status st = PEN_SKIP;
    *out = NULL;
    if (o->access_key)
        return give(out, o->access_key, o->secret_key, o->session_token, err);
    if (!o->profile)
        st = from_environment(out, err);
    if (st == PEN_SKIP && !o->profile)
        st = from_web_identity(o, out, err);
    if (st == PEN_SKIP)
        st = from_profile(o, aws_profile_name(o), 0, out, err);
    if (st == PEN_SKIP && o->profile)
        st = pen_fail(err, PEN_BADCONF, "profile = %s: AWS's shared files name no keys of it", o->profile);
    if (st == PEN_SKIP)
        st = aws_keys_of_container(out, err);
    if (st != PEN_SKIP)
        return st;
    st = aws_keys_of_instance(out, &why);
    if (st == PEN_OK)
        return st;
    /* Nobody there: this is no such machine. A service that answers, but not well, is worth another try. */
    bool silent = st == PEN_SKIP || !strstr(why.msg, " answered ");
    return silent ? nothing_found(o, st == PEN_SKIP ? "switched off, or without a role" : why.msg, err) : pen_fail(err, st, "%s", why.msg);
}
