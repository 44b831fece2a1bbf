/* log.h - what a Delta log says: its actions, and the state of a table that they add up to (Delta Transaction Log Protocol, "Actions",
 * "Action Reconciliation").
 *
 * A state is replayed from a checkpoint and the entries after it, and then carried on entry by entry. A sink keeps one without files,
 * whose size follows from the number of partitions it reads from, not from the table's; scans and checkpoints load the files for themselves.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_DELTA_LOG_H
#define PEN_DELTA_LOG_H

#include <penstock/plugin.h>

#include "json.h"

/* A map of text to text in the order of the log; a value may be NULL (null). */
struct delta_pairs {
    size_t n;
    struct delta_pair {
        const char *name, *value;
    } *v;
};
const char *delta_pairs_get(const struct delta_pairs *pairs, const char *name); /* NULL: none, or null */

struct delta_names {
    size_t n;
    const char **v;
};
bool delta_names_have(const struct delta_names *names, const char *name);

struct delta_protocol {
    int64_t reader, writer; /* minReaderVersion, minWriterVersion */
    bool has_reader_features, has_writer_features;
    struct delta_names reader_features, writer_features;
};

struct delta_metadata {
    const char *id, *name, *description, *provider, *schema; /* schema: the text of the schema, JSON */
    struct delta_pairs options, configuration;
    struct delta_names partition_columns;
    int64_t created; /* milliseconds since 1970; INT64_MIN: not said */
};

struct delta_txn {
    const char *app;
    int64_t version;
    int64_t updated; /* milliseconds since 1970; INT64_MIN: not said */
};

/* An add, or the remove of a file (tombstone). */
struct delta_file {
    const char *path; /* as in the log: percent-encoded, relative to the table or a whole URL */
    struct delta_pairs partition_values;
    int64_t size, modified; /* bytes; milliseconds since 1970 */
    int64_t deleted;        /* milliseconds since 1970, of a tombstone */
    bool data_change, removed, extended;
    bool has_vector;        /* a deletion vector */
    const char *stats;      /* JSON text, or NULL */
    struct delta_pairs tags;
    int64_t version, index; /* the entry that it came from, and its place among that entry's adds; -1 from a checkpoint */
};

typedef enum {
    DELTA_OTHER = 0, /* an action that adds nothing to the state: commitInfo, cdc, or one that is not known */
    DELTA_PROTOCOL,
    DELTA_METADATA,
    DELTA_TXN,
    DELTA_ADD,
    DELTA_REMOVE,
    DELTA_COMMIT_INFO
} delta_kind;

struct delta_commit_info {
    int64_t timestamp; /* milliseconds since 1970; INT64_MIN: not said */
    const char *operation, *engine, *plan; /* plan: the id of the Penstock plan, NULL: somebody else's */
    const char *parameters, *metrics;      /* JSON text, or NULL */
};

struct delta_action {
    delta_kind kind;
    union {
        struct delta_protocol protocol;
        struct delta_metadata metadata;
        struct delta_txn txn;
        struct delta_file file; /* DELTA_ADD, DELTA_REMOVE */
        struct delta_commit_info info;
    } u;
};

/* One line of a log entry. NULL, or what is wrong with it. */
const char *delta_action_parse(struct delta_action *a, struct delta_arena *arena, const char *line, size_t n);
/* NULL, or what of the things that every action of its kind has this one lacks. */
const char *delta_action_lacks(const struct delta_action *a);
/* The key under which files are the same file: percent-decoded, "file:" and doubled slashes at its head aside, without the table's own URL before
 * it; in the arena. */
const char *delta_path_key(struct delta_arena *arena, const char *path, const char *url);
/* The URL of a file of the table. */
pen_status delta_file_url(char *buf, size_t size, const char *url, const struct delta_file *f, struct pen_error *err);

/* -- maps of texts to small numbers ------------------------------------------------------------------------------------------------ */

struct delta_index {
    size_t n, room; /* room: a power of two, or 0 */
    struct delta_slot {
        const char *key; /* the caller's, NULL: free */
        size_t value;
    } *slots;
};
/* Where the key's number is, NULL: none. */
size_t *delta_index_find(const struct delta_index *x, const char *key);
/* The same, made with `value` if there is none. NULL: out of memory. */
size_t *delta_index_add(struct delta_index *x, const char *key, size_t value);
void delta_index_fini(struct delta_index *x);

/* -- states ------------------------------------------------------------------------------------------------------------------------- */

struct delta_state {
    const char *url;      /* of the table; the owner's */
    char log[1024];       /* URL of its _delta_log */
    int64_t version;      /* the last entry taken in; -1: there is no table */
    int64_t checkpoint;   /* version of the newest checkpoint known, -1 */
    int64_t head_seen;    /* pen_now() when `version` was known to be the log's head */
    bool has_protocol, has_metadata;
    struct delta_protocol protocol;
    struct delta_metadata metadata;
    int64_t metadata_version, protocol_version; /* the entry that each came from */
    struct delta_index txn_index;
    struct delta_txn *txns;
    size_t n_txns, room_txns;
    bool want_files;      /* set before the load: keep files and tombstones too */
    struct delta_index file_index;
    struct delta_file *files; /* dead ones have path NULL */
    size_t n_files, room_files;
    int64_t live;         /* files of the table now; without want_files as far as known, for rough use */
    struct delta_arena arena;
};

/* Gives every entry read to somebody, before it is applied; action by action. */
struct delta_watch {
    pen_status (*action)(void *arg, int64_t version, const struct delta_action *a, struct pen_error *err);
    void *arg;
};

pen_status delta_state_init(struct delta_state *s, const char *url, struct pen_error *err);
void delta_state_fini(struct delta_state *s);
pen_status delta_state_apply(struct delta_state *s, int64_t version, int64_t index, const struct delta_action *a, struct pen_error *err);
/* Reads the table as it is at `version` (-1: now). No table: PEN_OK with version -1. Names what is wrong with a log: holes, garbage, a
 * table without metaData. */
pen_status delta_state_load(struct delta_state *s, const struct pen_host *host, int64_t version, struct pen_error *err);
/* Takes in the entries after s->version, as they follow one another, up to `to` (INT64_MAX: all). */
pen_status delta_state_follow(struct delta_state *s, const struct pen_host *host, int64_t to, const struct delta_watch *watch,
                              struct pen_error *err);
/* The same by a listing of the folder, for a state that may be old: where entries have been cleaned up in between, or the table is another
 * one, it is loaded anew and *jumped says so. */
pen_status delta_state_refresh(struct delta_state *s, const struct pen_host *host, const struct delta_watch *watch, bool *jumped,
                               struct pen_error *err);
/* The actions of one entry. PEN_SKIP where there is none. */
pen_status delta_entry_read(const char *url, const char *log, const struct pen_host *host, int64_t version, struct delta_arena *arena,
                            pen_status (*each)(void *arg, int64_t version, int64_t index, const struct delta_action *a,
                                               struct pen_error *err),
                            void *arg, struct pen_error *err);

/* PEN_BADCONF naming what the table asks for that is not known here, for readers and for writers that append. */
pen_status delta_check_reader(const struct delta_state *s, struct pen_error *err);
pen_status delta_check_writer(const struct delta_state *s, struct pen_error *err);

/* -- checkpoints --------------------------------------------------------------------------------------------------------------------- */

/* What the folder of a log holds from a point on. */
struct delta_listing {
    int64_t first, last;              /* versions of the entries; -1: none */
    int64_t hole;                     /* the first version that is missing, counted from `after` or the newest checkpoint on; -1 */
    int64_t checkpoint, parts;        /* newest complete checkpoint, -1; parts 0: a single file */
    bool unknown_checkpoint;          /* there is a checkpoint of a form that is not known here (V2), at a version as high */
};
/* Lists what comes after the entry `after` (-1: all) up to the version at_most. */
pen_status delta_list(struct delta_listing *l, const char *log, const struct pen_host *host, int64_t after, int64_t at_most,
                      struct pen_error *err);
/* Applies the checkpoint of `version` to an empty state. */
pen_status delta_checkpoint_read(struct delta_state *s, const struct pen_host *host, int64_t version, int64_t parts, struct pen_error *err);
/* Writes the checkpoint of `version` and points _last_checkpoint to it. Several writers may do so at once. */
pen_status delta_checkpoint_write(const char *url, const struct pen_host *host, int64_t version, unsigned put_flags, int64_t *files,
                                  struct pen_error *err);
/* Deletes entries and checkpoints older than delta.logRetentionDuration, none of the newest 1,000 entries, nothing above the newest checkpoint;
 * does nothing where delta.enableExpiredLogCleanup is false. */
pen_status delta_clean_up(const struct delta_state *s, const struct pen_host *host, int64_t *deleted, struct pen_error *err);
/* A duration as table properties spell it ("interval 30 days"), in milliseconds; if_absent where text is NULL, -1 where it is none. */
int64_t delta_interval(const char *text, int64_t if_absent);

void delta_entry_name(char buf[32], int64_t version);

#endif
