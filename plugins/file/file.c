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
    .doc = "Ranges. A file of JSON lines is cut into ranges of range_size bytes, which lanes read side by side; a line belongs to the range that it begins in. "
           "Compressed files, CSV, and files that are replayed by time_column are read whole, one lane each. Order is kept within a range. Where the run "
           "begins, files are listed once; without follow that is all it reads.\n\n"
           "Identity. How far each file was read is kept beside what was written, so that the same command reads on where it stood. A file is the one known "
           "before if it begins with the same bytes (up to 4096, as it was when first seen) and lies at the same path, or has the same device and inode: it may "
           "have grown, and it may have been renamed. Anything else is a new file, a copy under another name too, and so is a known file once it was "
           "compressed: let path lead to one of them, not to both (app.log, or *.gz, not app.log*, where old logs are compressed or copied). A compressed file "
           "that became larger is read on from where it ended.\n\n"
           "Follow. The run waits for further lines and files, and a line counts once its line break is there. Rotation by rename: a file is read to its end under "
           "its new name, which needs to lie in the same folder but not within path; only a file that is renamed before it was ever listed (every poll) is missed. "
           "Rotation by copying and truncating: the file that holds other lines now is read from its beginning, with a warning; what was written between the last "
           "look and the truncation lies in the copy alone. A file that was cut off but begins as before (by its first 64 bytes) stops the run: which lines are "
           "missing is not for a program to guess. A file that is removed while it is read is read to its end.\n\n"
           "Missing files. One of which lines were not read yet stops the run, naming the byte; with missing = skip it is a warning.\n\n"
           "CSV. RFC 4180, with any one-byte delimiter. Rows become JSON objects of the names in the first line: an empty cell that is not quoted is null, a cell "
           "that is not quoted and is a JSON number, true or false is just that, all else is text. A row with too few or too many cells, a quote that is never closed "
           "and text behind a closing quote are dead letters, a line each.\n\n"
           "As a sink it appends to one file, prints to standard output, or writes a file for each commit and lane into a folder; only whole commits can be seen "
           "there. Rows arrive exactly once as long as the pipeline's state is kept, for the one process that holds it: an append that was cut off by a kill is "
           "cut away and made anew, by the help of a hidden file beside it that names the commit and the length before it. Two pipelines that append to one file "
           "are refused. On standard output rows arrive at least once. Raw messages are written as they are, a line each; CSV needs columns, quotes what needs "
           "it, and writes null as an empty cell.",
    .source = &file_source,
    .sink = &file_sink,
};
