/* journal.c - the journal transport: a durable local log between two segments of a pipeline, or between pipelines of one machine.
 *
 * sink.c and writer.c are its sink, reader.c its source, admin.c its verbs; below them lies what they share, see log.h, over the bytes of
 * format.c. doc/journal-format.md describes the files. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ends.h"

const struct pen_option journal_options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct options, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "Folder of the journal; made where there is none." },
    { "reader", PEN_OPT_STRING, offsetof(struct options, reader), NULL, 0, 0, NULL, 0,
      "Name under which the reading end is registered, so that nothing is removed before it; the pipeline's name where not given, and "
      "PIPELINE.SINK where several segments read." },
    { "start", PEN_OPT_ENUM, offsetof(struct options, start), "earliest", 0, 0, "earliest|latest", 0,
      "Where a reader begins that has read nothing yet." },
    { "partitions", PEN_OPT_INT, offsetof(struct options, partitions), NULL, 0, JF_PARTITIONS, NULL, 0,
      "Separate logs, so that several lanes can read: records go by the hash of their key, batches without keys in turn. Fixed when the "
      "journal is made; 0: as it was made, 1 for a new one." },
    { "segment_size", PEN_OPT_SIZE, offsetof(struct options, segment_size), "64MiB", 65536, INT64_C(1) << 40, NULL, 0,
      "Size at which a segment file is followed by another; retention removes whole files." },
    { "retention_bytes", PEN_OPT_SIZE, offsetof(struct options, retention_bytes), "0", 0, INT64_C(1) << 60, NULL, 0,
      "Size that the journal is to stay below; 0: no limit. What a registered reader has not settled is kept, see full." },
    { "retention_time", PEN_OPT_DURATION, offsetof(struct options, retention_time), "7d", 0, 0, NULL, 0,
      "Age from which files are removed once every registered reader has settled them; 0: never." },
    { "full", PEN_OPT_ENUM, offsetof(struct options, full), "wait", 0, 0, "wait|drop", 0,
      "At retention_bytes, with readers behind: writers wait for them, or the oldest records are dropped and counted." },
    { "fsync", PEN_OPT_BOOL, offsetof(struct options, fsync), "yes", 0, 0, NULL, 0,
      "Wait for the disk at each commit; without it a power loss may take commits back." },
    { .name = NULL }
};

pen_status journal_check_options(const struct options *o, struct pen_error *err)
{
    const char *colon = strstr(o->path, "://");
    if (!o->path[0] || colon)
        return pen_fail(err, PEN_BADCONF, "path = \"%s\": a journal lies in a local folder", o->path);
    if (o->retention_bytes && o->retention_bytes < 8 * 65536)
        return pen_fail(err, PEN_BADCONF, "retention_bytes = %lld: expected 0, or 512KiB or more", (long long)o->retention_bytes);
    return PEN_OK;
}

const struct pen_plugin journal_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "journal",
    .summary = "A durable local log between the segments of a pipeline",
    .licence = "Apache-2.0",
    .doc = "Records written to a journal are on the disk when their commit is done, and readers see nothing else. One process writes; "
           "any number read, each registered under a name with a position of its own. A reader's position is one word, the count of "
           "records since the journal's beginning.",
    .source = &journal_source,
    .sink = &journal_sink,
    .transport = true,
    .verbs = journal_verbs,
};
