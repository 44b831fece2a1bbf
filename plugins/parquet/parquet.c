/* parquet.c - the parquet plugin: Parquet files as a sink, a source, and a table for queries.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin.h"

const struct pen_plugin parquet_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "parquet",
    .summary = "Parquet files in a folder",
    .licence = "Apache-2.0",
    .doc = "As a sink it writes Parquet files below a folder, in Hive partitions where partition_by says so. Files appear whole or not at all: "
           "they are staged unseen, noted in `state`, and then given their names. A folder belongs to one stage of one pipeline; a second is "
           "refused.\n\n"
           "As a source it reads a file or all *.parquet files below a folder, whose columns must agree; levels NAME=VALUE become columns.",
    .source = &parquet_source,
    .sink = &parquet_sink,
    .table = &parquet_table,
};
