/* describe.h - the parts of which a description is made. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CLI_DESCRIBE_H
#define PENSTOCK_CLI_DESCRIBE_H

#include <penstock/plugin.h>

struct pen_described_part {
    const char *key;   /* in JSON: "source" */
    const char *title; /* "As a source" */
    const struct pen_option *table;
};
struct pen_described {
    const char *name, *summary, *licence, *doc, *path, *kinds; /* any but name may be NULL */
    struct pen_described_part parts[6];
    size_t n_parts;
    const struct pen_verb *verbs;
};

/* `type, 1 to 5, required` of an option, into buf. */
const char *pen_describe_type(const struct pen_option *o, char *buf, size_t size);
/* The manual page, in roff (man macros), to standard output. */
void pen_describe_man(const struct pen_described *d);

#endif
