/* profile.h - AWS's shared configuration files: profiles and what they say. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_AWS_PROFILE_H
#define PEN_AWS_PROFILE_H

#include "aws.h"

enum { AWS_FILE_LIMIT = 1 << 20 };

/* Calls each "key = value" of a file; lines that are indented belong to the key above and are passed over, as is what makes no sense. Names of keys come
 * in lower case. */
void aws_ini_parse(const char *text, size_t n, void (*each)(void *arg, const char *section, const char *key, const char *value), void *arg);

/* The name of the profile to use: the option, AWS_PROFILE, "default". */
const char *aws_profile_name(const struct aws_options *o);
/* What the shared files say of a profile, those of the credentials file last. PEN_SKIP where neither names it. */
pen_status aws_profile_load(struct aws_fields *out, const char *name, struct pen_error *err);
/* The last value of that key, or NULL. */
const char *aws_profile_get(const struct aws_fields *profile, const char *key);
/* Path of a shared file, "" where there is no home. */
void aws_shared_path(char *buf, size_t size, bool credentials);
/* A variable of the environment, NULL where it is empty or not set. */
const char *aws_environment(const char *name);
/* The whole of a small file, malloc'ed; PEN_SKIP where there is none. */
pen_status aws_read_file(const char *path, char **text, size_t *n, struct pen_error *err);

#endif
