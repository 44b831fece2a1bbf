/* input.h - Parquet files of a store, for readers. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_DELTA_INPUT_H
#define PEN_DELTA_INPUT_H

#include <penstock/plugin.h>

#include "parquet.h"

/* A Parquet reader over the object at a URL; ends with delta_input_close(). */
struct delta_input {
    const struct pen_host *host;
    char *url;
    struct pen_parquet_reader *reader;
};

/* size: of the object, -1: not known. PEN_FATAL where there is none. */
pen_status delta_input_open(struct delta_input *in, const struct pen_host *host, const char *url, int64_t size, struct pen_error *err);
void delta_input_close(struct delta_input *in);

#endif
