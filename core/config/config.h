/* config.h - a pipeline file, read: settings, stages with their inputs, and options ready to be applied to a plugin's context.
 *
 * Everything that is wrong with the file is collected in `diags` and none of it stops the reading, so that all is reported at once: load,
 * apply each table, add what the stage graph finds, then look at diags.errors. `check` and `run` do the same calls in the same order, so
 * they refuse the same files. All that the structures point to lives until pen_config_free(). One thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_CONFIG_CONFIG_H
#define PENSTOCK_CONFIG_CONFIG_H

#include <penstock/option.h>

#include "config/arena.h"
#include "config/diag.h"

typedef enum { PEN_STAGE_SOURCE, PEN_STAGE_TRANSPORT, PEN_STAGE_TRANSFORM, PEN_STAGE_SINK } pen_stage_kind;
/* "source", "transport" … */
const char *pen_stage_kind_name(pen_stage_kind kind);

/* Bytes of a value from `at` on come from this place, one column each; or, `fixed`, all from this one (what a ${…} gave). */
struct pen_span {
    size_t at;
    struct pen_place place;
    bool fixed;
};

/* One `key = value`, as given. */
struct pen_setting {
    const char *key, *value;  /* value: interpolated, continuation lines joined by '\n' */
    struct pen_place key_place, value_place;
    const struct pen_span *spans; /* where the bytes of value come from: see pen_setting_place() */
    size_t n_spans;
    bool hidden;              /* parts came from ${file:}: not to be printed */
    bool broken;              /* a ${…} in it led nowhere, which is reported: its value says nothing */
};
/* The place in the file of byte `at` of the value. */
struct pen_place pen_setting_place(const struct pen_setting *s, size_t at);

/* A section; for the file's parts that have no stage too ([pipeline], [deadletter], [defaults NAME]). */
struct pen_section {
    const char *kind, *name; /* name "" where the section has none */
    struct pen_place place;  /* of its kind */
    struct pen_place name_place;
    struct pen_setting *settings;
    size_t n_settings;
};

struct pen_input {
    const struct pen_stage_config *stage;
    const char *output; /* NULL: `stage.*`, all of them; "": written as the stage alone, which must have one output */
    struct pen_place place;
    const char *text;   /* as written */
};

struct pen_stage_config {
    pen_stage_kind kind;
    const char *name;    /* of the section */
    const char *id;      /* `id =`, or the name: for positions and metrics */
    const char *plugin;  /* NULL where the section lacks it (which is reported) */
    struct pen_place plugin_place;
    struct pen_section *section;
    struct pen_input *inputs; /* in the order written; the same one twice is reported */
    size_t n_inputs;
    size_t index;        /* in pen_config.stages */
};

typedef enum { PEN_LOG_TEXT, PEN_LOG_JSON } pen_log_format;

struct pen_settings { /* [pipeline]; -1: none */
    const char *name, *state;
    int64_t lanes; /* resolved: at least 1 */
    int64_t commit_interval, commit_rows, commit_bytes; /* microseconds, rows, bytes */
    int64_t memory_limit, max_errors, shutdown_timeout, max_record;
    int log_format, log_level; /* pen_log_format; pen_log_level */
    const char *log;           /* path, NULL: standard error */
    struct pen_strings include;
};
extern const struct pen_option pen_settings_options[];

struct pen_deadletter_settings { /* [deadletter] */
    const char *path; /* URL of a folder; STATE/dead where not given */
};
extern const struct pen_option pen_deadletter_options[];

/* Keys that the core itself takes in each stage's section: plugin, input, id. For describe; offsets mean nothing. */
extern const struct pen_option pen_stage_options[];

struct pen_config {
    struct pen_arena mem;
    struct pen_diags diags;
    struct pen_settings pipeline;
    struct pen_deadletter_settings deadletter;
    struct pen_stage_config *stages; /* in the order of the file */
    size_t n_stages;
    struct pen_section **sections;
    size_t n_sections;
    struct pen_text_file **files; /* the pipeline's own, then includes, then --set */
    size_t n_files;
    size_t n_settings, bytes;     /* read so far, and how deep in includes: for the bounds */
    unsigned depth;
};

/* Reads the file (and what it includes) with overrides "stage.key=value" (stage may be pipeline, deadletter). PEN_OK with *out set
 * whatever is wrong with the file: see (*out)->diags. PEN_FATAL only when memory is short; *out is NULL then. */
pen_status pen_config_load(struct pen_config **out, const char *path, const char *const *overrides, size_t n_overrides,
                           struct pen_error *err);
/* The same of text at hand; `name` stands for the file in messages, includes are relative to it. */
pen_status pen_config_load_text(struct pen_config **out, const char *name, const char *text, size_t n, const char *const *overrides,
                                size_t n_overrides, struct pen_error *err);
void pen_config_free(struct pen_config **c);

/* Sets every option of the table into ctx: the section's value, else that of [defaults PLUGIN], else the default. Whatever is wrong goes to
 * diags: unknown keys with a suggestion, missing required ones at the section's head, faults of a value at their column. May be done for
 * several contexts (each end of a transport, each lane): a problem is reported once. PEN_OK, or PEN_BADCONF if anything was wrong. */
pen_status pen_config_apply(struct pen_config *c, const struct pen_stage_config *stage, const struct pen_option *table, void *ctx);
/* The same from [defaults PLUGIN] alone, for stores. Unknown keys are left to pen_config_check_defaults(). */
pen_status pen_config_apply_defaults(struct pen_config *c, const char *plugin, const struct pen_option *table, void *ctx);
/* Reports keys of [defaults PLUGIN] that none of the plugin's n tables knows. */
void pen_config_check_defaults(struct pen_config *c, const char *plugin, const struct pen_option *const *tables, size_t n);

/* For what only the stage graph can know: adds a problem at a place. */
__attribute__((format(printf, 4, 5))) void pen_config_mistake(struct pen_config *c, struct pen_place place, const char *suggestion,
                                                              const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void pen_config_warn(struct pen_config *c, struct pen_place place, const char *suggestion,
                                                           const char *fmt, ...);
/* The setting of a stage's key, or NULL where the section does not have it (defaults are not looked at). */
const struct pen_setting *pen_config_setting(const struct pen_section *s, const char *key);
/* The stage called name, or NULL. */
struct pen_stage_config *pen_config_stage(const struct pen_config *c, const char *name);

#endif
