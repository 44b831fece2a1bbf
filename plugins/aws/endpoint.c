/* endpoint.c - region and URL of a service, from the options, the environment, else AWS's own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"

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

static const char *environment(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* AWS_ENDPOINT_URL_SERVICE, AWS_ENDPOINT_URL. */
static const char *from_environment(const char *service)
{
    char name[64] = "AWS_ENDPOINT_URL_";
    const char *ignore = environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), *v;
    size_t n = strlen(name);
    if (ignore && strcasecmp(ignore, "true") == 0)
        return NULL;
    for (; *service && n + 1 < sizeof name; service++)
        name[n++] = *service == '-' || *service == ' ' ? '_' : (char)toupper((unsigned char)*service);
    name[n] = '\0';
    v = environment(name);
    return v ? v : environment("AWS_ENDPOINT_URL");
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

static pen_status find_region(struct aws_endpoint *out, const struct aws_options *o, struct pen_error *err)
{
    const char *r = o->region;
    r = r ? r : environment("AWS_REGION");
    r = r ? r : environment("AWS_DEFAULT_REGION");
    r = r ? r : out->given ? "us-east-1" : NULL;
    if (!r)
        return pen_fail(err, PEN_BADCONF, "no AWS region: set region, or AWS_REGION");
    if (strlen(r) >= sizeof out->region || strspn(r, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(r))
        return pen_fail(err, PEN_BADCONF, "region = %s: expected a name such as eu-west-1", r);
    snprintf(out->region, sizeof out->region, "%s", r);
    return PEN_OK;
}

pen_status aws_endpoint_find(struct aws_endpoint *out, const struct aws_options *o, const char *service, struct pen_error *err)
{
    char host[300];
    const char *url = o->endpoint ? o->endpoint : from_environment(service);
    out->given = url != NULL;
    pen_status st = find_region(out, o, err);
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
