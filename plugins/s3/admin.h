/* admin.h - the verbs of `penstock store`. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_S3_ADMIN_H
#define PEN_S3_ADMIN_H

#include <penstock/plugin.h>

extern const struct pen_verb s3_verbs[];

#endif
