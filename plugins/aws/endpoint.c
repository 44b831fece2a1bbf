/* endpoint.c - region and URL of a service, from the options, the environment, else AWS's own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "profile.h"

const char *aws_domain(const char *region)
{
    static const struct { const char *prefix, *domain; } known[] = {
        { "cn-", "amazonaws.com.cn" }, { "us-iso-", "c2s.ic.gov" },          { "us-isob-", "sc2s.sgov.gov" },
        { "eu-isoe-", "cloud.adc-e.uk" }, { "us-isof-", "csp.hci.ic.gov" }, { "eusc-", "amazonaws.eu" },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(region, known[i].prefix, strlen(known[i].prefix)) == 0)
            return known[i].domain;
    return "amazonaws.com";
}

/* AWS_ENDPOINT_URL_SERVICE, AWS_ENDPOINT_URL, the profile's endpoint_url. */
static const char *configured_url(const char *service, const struct aws_fields *profile)
{
    char name[64] = "AWS_ENDPOINT_URL_";
    const char *ignore = aws_environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), *v;
    size_t n = strlen(name);
    if (ignore && strcasecmp(ignore, "true") == 0)
        return NULL;
    for (; *service && n + 1 < sizeof name; service++)
        name[n++] = *service == '-' || *service == ' ' ? '_' : (char)toupper((unsigned char)*service);
    name[n] = '\0';
    v = aws_environment(name);
    v = v ? v : aws_environment("AWS_ENDPOINT_URL");
    return v ? v : aws_profile_get(profile, "endpoint_url");
}

pen_status aws_url_parts(const char *url, char *host, size_t host_size, const char **path, struct pen_error *err)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    size_t n = strcspn(url + scheme, "/?#");
    if (!scheme || !n || n >= host_size || memchr(url + scheme, '@', n) || url[scheme + n] == '?' || url[scheme + n] == '#' ||
        strpbrk(url, " \t\r\n\"\\"))
        return pen_fail(err, PEN_BADCONF, "endpoint = %s: expected http://HOST[:PORT] or https://HOST[:PORT]", url);
    memcpy(host, url + scheme, n);
    host[n] = '\0';
    if (path)
        *path = url + scheme + n;
    return PEN_OK;
}

static pen_status find_region(struct aws_endpoint *out, const struct aws_options *o, const struct aws_fields *profile, struct pen_error *err)
{
    const char *r = o->region;
    r = r ? r : aws_environment("AWS_REGION");
    r = r ? r : aws_environment("AWS_DEFAULT_REGION");
    r = r ? r : aws_profile_get(profile, "region");
    r = r ? r : out->given ? "us-east-1" : NULL;
    if (!r)
        return pen_fail(err, PEN_BADCONF, "no AWS region: set region, AWS_REGION, or that of the profile");
    if (strlen(r) >= sizeof out->region || strspn(r, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(r))
        return pen_fail(err, PEN_BADCONF, "region = %s: expected a name such as eu-west-1", r);
    snprintf(out->region, sizeof out->region, "%s", r);
    return PEN_OK;
}

static pen_status find(struct aws_endpoint *out, const struct aws_options *o, const char *service, const struct aws_fields *profile,
                       struct pen_error *err)
{
    char host[300];
    const char *url = o->endpoint ? o->endpoint : configured_url(service, profile);
    out->given = url != NULL;
    pen_status st = find_region(out, o, profile, err);
    if (st < 0)
        return st;
    if (!url) {
        snprintf(out->url, sizeof out->url, "https://%s.%s.%s", service, out->region, aws_domain(out->region));
        return PEN_OK;
    }
    st = aws_url_parts(url, host, sizeof host, NULL, err);
    if (st < 0)
        return st;
    size_t n = strlen(url);
    while (url[n - 1] == '/')
        n--;
    if (n >= sizeof out->url)
        return pen_fail(err, PEN_BADCONF, "endpoint = %s: too long", url);
    snprintf(out->url, sizeof out->url, "%.*s", (int)n, url);
    return PEN_OK;
}

pen_status aws_endpoint_find(struct aws_endpoint *out, const struct aws_options *o, const char *service, struct pen_error *err)
{
    struct aws_fields profile = { 0 };
    pen_status st = aws_profile_load(&profile, aws_profile_name(o), err);
    if (st >= 0)
        st = find(out, o, service, &profile, err);
    aws_fields_fini(&profile);
    return st;
}
