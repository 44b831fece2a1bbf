/* file.c - the file plugin: reads and writes JSON lines and CSV in local files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "sink.h"

extern const struct pen_plugin file_LTX_pen_plugin;
const struct pen_plugin file_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "file",
    .summary = "JSON lines and CSV in files, followed and replayed; and written",
    .licence = "Apache-2.0",
    .source = &file_source,
    .sink = &file_sink,
};
