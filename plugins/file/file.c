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
    .doc = "As a source it reads files of JSON lines or CSV, each cut into ranges that lanes read side by side; compressed files, CSV, and files that are "
           "replayed by a time are read whole, one lane each. A file is known again after a restart, also when it was renamed or has grown; one that "
           "lost lines stops the run, one that was emptied and written anew is another. With follow it waits for more; without, it ends with the files.\n\n"
           "As a sink it appends to one file, prints to standard output, or writes a file for each commit and lane into a folder. What was committed is kept "
           "in the pipeline's state: rows arrive once as long as that is kept, on standard output at least once. Raw messages are written as they are, a line "
           "each; CSV needs columns.",
    .source = &file_source,
    .sink = &file_sink,
};
