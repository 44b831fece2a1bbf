/* endpoint.h - region and URL of a service. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_AWS_ENDPOINT_H
#define PEN_AWS_ENDPOINT_H

#include "aws.h"

struct aws_endpoint {
    char url[512];  /* scheme and authority (and a path in front of all others), no '/' at the end */
    char region[64];
    bool given;     /* not AWS's own */
};

pen_status aws_endpoint_find(struct aws_endpoint *out, const struct aws_options *o, const char *service, struct pen_error *err);
/* "host:port" of a URL, without user and path; and the path in front. PEN_BADCONF for what is no http(s) URL. */
pen_status aws_url_parts(const char *url, char *host, size_t host_size, const char **path, struct pen_error *err);

#endif
