/* list.h - one page of a list of objects, parsed. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_LIST_H
#define PEN_S3_LIST_H

#include <penstock/plugin.h>

#include "s3.h"

struct s3_entry {
    char key[S3_KEY];
    struct pen_object object; /* but for its name */
};

struct s3_page {
    bool more;
    char token[2048]; /* of the next page */
};

/* Calls each object of an answer to ListObjectsV2 with encoding-type=url; each answers PEN_SKIP to stop, which is then the answer. */
pen_status s3_page_parse(const char *text, size_t n, struct s3_page *page, pen_status (*each)(void *arg, const struct s3_entry *e, struct pen_error *err),
                         void *arg, struct pen_error *err);

#endif
