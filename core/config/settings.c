/* settings.c - the core's own options: [pipeline], [deadletter], and what every stage takes. SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#define SECOND INT64_C(1000000)
#define MIB (INT64_C(1) << 20)
#define OPT(member) offsetof(struct pen_settings, member)

const struct pen_option pen_settings_options[] = {
    { "name", PEN_OPT_STRING, OPT(name), NULL, 0, 0, NULL, 0,
      "Name of the pipeline, part of the names under which sinks keep positions: keep it once rows have been written. Default: the file's "
      "name without its ending." },
    { "state", PEN_OPT_STRING, OPT(state), NULL, 0, 0, NULL, 0,
      "Local folder that belongs to this one process: the lock, plans of sinks without a log, dead letters. Default: NAME in "
      "$STATE_DIRECTORY, $XDG_STATE_HOME/penstock or ~/.local/state/penstock." },
    { "lanes", PEN_OPT_INT, OPT(lanes), "cores", 1, 1024, "cores", 0,
      "How many threads at most run a segment, each with its share of the partitions; cores: as many as this process may use." },
    { "commit_interval", PEN_OPT_DURATION, OPT(commit_interval), "10s", 1000, 86400 * SECOND, NULL, 0,
      "Time between two commits, at most: rows and the positions behind them become visible together." },
    { "commit_rows", PEN_OPT_COUNT, OPT(commit_rows), "none", 1, INT64_MAX, "none", 0, "Commit when this many rows were read since the last." },
    { "commit_bytes", PEN_OPT_SIZE, OPT(commit_bytes), "none", 1, INT64_MAX, "none", 0,
      "Commit when rows of about this many bytes, as they lie in memory, were read since the last." },
    { "memory_limit", PEN_OPT_SIZE, OPT(memory_limit), "none", 16 * MIB, INT64_MAX, "none", 0,
      "Lanes cut earlier so that rows held in memory stay below this; it never makes a run fail." },
    { "max_errors", PEN_OPT_COUNT, OPT(max_errors), "none", 0, INT64_MAX, "none", 0,
      "Stop the run, with status 1, once there are more dead letters than this, those of all stages together." },
    { "shutdown_timeout", PEN_OPT_DURATION, OPT(shutdown_timeout), "30s", 0, 86400 * SECOND, NULL, 0,
      "How long SIGTERM waits for the last batch and its commit before the run is given up." },
    { "max_record", PEN_OPT_SIZE, OPT(max_record), "16MiB", 1024, 1024 * MIB, NULL, 0,
      "Longest record; a longer one becomes a dead letter with its first 64 KiB." },
    { "log", PEN_OPT_STRING, OPT(log), NULL, 0, 0, NULL, 0, "File the log is added to; SIGHUP opens it anew. Default: standard error." },
    { "log_format", PEN_OPT_ENUM, OPT(log_format), "text", 0, 0, "text|json", 0, "Lines of text, or a JSON object a line." },
    { "log_level", PEN_OPT_ENUM, OPT(log_level), "info", 0, 0, "error|warn|info|debug", 0, "The least important level that is logged." },
    { "include", PEN_OPT_LIST, OPT(include), NULL, 0, 0, NULL, 0,
      "Files that belong to the configuration, relative to this one; patterns such as conf.d/*.ini are read in order of name." },
    { .name = NULL }
};

const struct pen_option pen_deadletter_options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct pen_deadletter_settings, path), NULL, 0, 0, NULL, 0,
      "Folder, by URL, where records that could not be processed are kept as *.jsonl with the reason. Default: STATE/dead." },
    { .name = NULL }
};

const struct pen_option pen_stage_options[] = {
    { "plugin", PEN_OPT_STRING, 0, NULL, 0, 0, NULL, PEN_OPTION_REQUIRED, "Which plugin does the work: see `penstock plugins`." },
    { "input", PEN_OPT_LIST, 0, NULL, 0, 0, NULL, 0,
      "What the stage reads: names of stages, `stage.output` for one output of several, `stage.*` for all." },
    { "id", PEN_OPT_STRING, 0, NULL, 0, 0, NULL, 0,
      "Name under which positions and metrics are kept; give the old name here when the section is renamed. Default: the section's name." },
    { .name = NULL }
};
