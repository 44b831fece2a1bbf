/* plugin.h - all that a plugin sees of Penstock.
 *
 * A plugin is a shared object NAME.so that exports one symbol, `NAME_LTX_pen_plugin` (a constant struct pen_plugin), and links to libpenstock.
 * For each section of a pipeline that names it the engine allocates a zeroed context of `ctx_size` bytes, sets the options into it from the
 * table, and calls start(). Threads: every function says who calls it. "Control" is the segment's commit thread; "lane" the thread of one lane.
 * Functions of one instance on control never overlap with one another; lane functions of different lanes do.
 * A NULL function pointer means "nothing to do" unless it says otherwise.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_PLUGIN_H
#define PENSTOCK_PLUGIN_H

#include <penstock/arrow.h>
#include <penstock/batch.h>
#include <penstock/error.h>
#include <penstock/option.h>
#include <penstock/records.h>
#include <penstock/store.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PEN_ABI 1u /* changes whenever a structure of this header changes shape */

/* -- positions -------------------------------------------------------------------------------------------------------------- */

/* The next thing to read of a partition: one to four words, compared in order. n = 0: none. */
struct pen_position {
    uint32_t n;
    uint64_t w[4];
};

static inline int pen_position_compare(const struct pen_position *a, const struct pen_position *b)
{
    for (uint32_t i = 0; i < a->n && i < b->n; i++)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return a->n == b->n ? 0 : a->n < b->n ? -1 : 1;
}
static inline struct pen_position pen_position_of(uint64_t word)
{
    struct pen_position p = { 1, { word, 0, 0, 0 } };
    return p;
}

/* -- the host: what a plugin may ask of the engine; any thread unless said otherwise -------------------------------------------- */

struct pen_host;

typedef enum { PEN_LOG_ERROR, PEN_LOG_WARN, PEN_LOG_INFO, PEN_LOG_DEBUG } pen_log_level;
/* One line to the log, with pipeline and stage named; bytes that would break the line are escaped. */
__attribute__((format(printf, 3, 4))) void pen_log(const struct pen_host *host, pen_log_level level, const char *fmt, ...);
/* Adds to a counter of this stage: name in snake_case ("nulled_total"), label NULL or one label value ("follower_count"). */
void pen_count(const struct pen_host *host, const char *name, const char *label, int64_t n);
/* Sets a gauge of this stage. */
void pen_gauge(const struct pen_host *host, const char *name, const char *label, double value);
/* Microseconds of the monotonic clock, for intervals. */
int64_t pen_now(const struct pen_host *host);
/* Microseconds since 1970 of the wall clock, for what people read; never for ages. */
int64_t pen_wall_clock(const struct pen_host *host);
/* A descriptor that turns readable when the run is to stop; poll it beside your own in anything that waits. */
int pen_wake_fd(const struct pen_host *host);
bool pen_stopping(const struct pen_host *host);
/* True with --until-end. */
bool pen_until_end(const struct pen_host *host);
/* True while somebody only looks (`penstock check`, --dry-run): start() and outputs() then make and change nothing outside. */
bool pen_checking(const struct pen_host *host);
/* The name under which this reading end of a transport is known to its service (consumer group, registered reader): the pipeline's, or
 * PIPELINE.SINK where several segments read the same transport. */
const char *pen_reader_name(const struct pen_host *host);
/* True in a sink where somebody upstream waits to be told where its rows came to lie: stored() will be called. After start(). */
bool pen_stored_wanted(const struct pen_host *host);
/* Names: of the pipeline, of the stage (or its `id =`), and the pipeline's local state folder. */
const char *pen_pipeline_name(const struct pen_host *host);
const char *pen_stage_name(const struct pen_host *host);
const char *pen_state_path(const struct pen_host *host);
/* How long rows wait for their commit at most, microseconds; -1: no bound. For a stage that keeps something open meanwhile. */
int64_t pen_commit_interval(const struct pen_host *host);
/* How many lanes at most. */
unsigned pen_lanes(const struct pen_host *host);
/* For a source: asks the transport that reads its output `output` as `penstock transport VERB NAME` would, with that stage's options. The verb's own
 * `options` may be NULL. *schema and *batch are the caller's. It may block. PEN_SKIP where no transport with such a verb reads that output. */
pen_status pen_behind(const struct pen_host *host, const char *output, const char *verb, const char *name, const struct pen_pairs *options,
                      struct ArrowSchema *schema, struct ArrowArray *batch, struct pen_error *err);
/* Test builds: acts as PENSTOCK_FAILPOINTS says for this name (exit, error, delay); elsewhere nothing. Returns PEN_OK, or PEN_FATAL
 * with a message. Names are "kind.step": "table.before-put". */
pen_status pen_failpoint(const char *name, struct pen_error *err);

/* -- sources ---------------------------------------------------------------------------------------------------------------- */

struct pen_output {
    const char *name;          /* "" for the only output of a stage */
    struct ArrowSchema schema; /* release NULL: records of bytes, fed through an intake */
    bool read;                 /* set by the engine before any reader opens: somebody reads it */
};

typedef enum {
    PEN_PARTITION_ASSIGNED, /* answer by start_partition() or, not wanted, release_partition() */
    PEN_PARTITION_REVOKING, /* the engine commits, then calls release_partition() */
    PEN_PARTITION_LOST,     /* open work on it is abandoned, then release_partition() */
    PEN_PARTITION_NO_MORE   /* there will be no further partitions in this run: a counted or --until-end source has found all */
} pen_partition_event_kind;

struct pen_partition_event {
    pen_partition_event_kind kind;
    uint32_t id;            /* the source's own small number for it, unique while the source runs */
    const char *name;       /* stable: the same partition has it after a restart. Valid until the next call */
    const char *incarnation;/* changes when what lies under the name is another thing (the id of a topic or log, the head of a file); may be "" */
};

/* What read() fills. */
struct pen_read {
    int64_t max_rows;       /* in: about how many rows and bytes to give */
    size_t max_bytes;
    uint32_t partition;     /* out: all of one call is of one partition */
    struct pen_position from, to; /* out: what was read lies in [from, to) */
    bool end;               /* out: `to` is the end of this partition as it was at the start of the run; with or without rows. A partition
                               without --until-end may say so more than once as it grows */
    int64_t ends_since;     /* in: an end counts only if it was looked for at this time (pen_now) or later: what feeds the source wrote until then */
    bool urgent;            /* out: somebody waits for the commit; `token` goes to done() */
    void *token;
    struct ArrowArray *batches;        /* out: one for each output with a schema, release NULL where no rows */
    const struct pen_position *row_positions; /* out: of row i of the typed batch, lent until the next call; NULL: `from` with i added to its last
                                                 word. Only for a read that fills one output */
    struct pen_intake *const *intakes; /* in: one for each output without; NULL where nobody reads it */
};

/* Where one row came to lie in the transport behind a source: its partition's name, and its position there (offset, sequence number). */
struct pen_stored {
    char partition[96];
    struct pen_position at;
};
struct pen_stored_rows { /* of the rows that one read gave to one output, in their order */
    const struct pen_stored *rows; /* NULL: not known, as behind a transform, or in a sink that has no stored() */
    int64_t n;
};

/* Positions of rows: row i of a typed batch is at `from` with i added to the last word, unless the read gives row_positions; through an intake each record
 * brings its own. */
struct pen_source {
    size_t ctx_size;
    const struct pen_option *options;
    pen_status (*start)(void *ctx, const struct pen_host *host, struct pen_error *err);
    void (*stop)(void *ctx); /* runs only if start went well */
    /* For `penstock check --connect`, after start(): reaches the server and says whether what the options name is there and may be used. It changes
     * nothing. Main thread. */
    pen_status (*connect)(void *ctx, struct pen_error *err);
    /* Names and schemas, at least one; *outputs is owned by the context and lives as long as it. Before any reader opens; also for
     * `penstock check`, when it should not need a server where the options tell enough. */
    pen_status (*outputs)(void *ctx, struct pen_output **outputs, size_t *n, struct pen_error *err);
    /* True where positions are a set too large for words (files): the engine keeps them as a chain beside the table, tells them by
     * recall() before the first event, and the source says "assigned" with the name and incarnation that were recalled for what it
     * knows again. Where such a partition says that it is at its end, this is for good: the engine lets go of it after the next commit. */
    bool chain;
    /* True where what was read cannot be read again: no positions, every batch is urgent, done() is called with its token. */
    bool no_replay;
    /* Chain sources, before the first next_event(): something read before, up to pos; `ended` when it was read to an end. Control. */
    pen_status (*recall)(void *ctx, const char *name, const char *incarnation, const struct pen_position *pos, struct pen_error *err);
    /* The next event, or PEN_SKIP where nothing has happened: it does not wait. Control. */
    pen_status (*next_event)(void *ctx, struct pen_partition_event *event, struct pen_error *err);
    /* The position from which a partition without a shown one begins (option `start`); `first_run` says that the sink shows none of this
     * source. PEN_OK: that is now, and is committed before anything is read, so that a restart goes on from there; PEN_SKIP: it would be the same
     * whenever asked, and need not be. NULL function: position 0, always. Control. */
    pen_status (*beginning)(void *ctx, uint32_t id, bool first_run, struct pen_position *pos, struct pen_error *err);
    /* Reading of partition id is to go on at pos. PEN_FATAL when the source does not hold that position. Control. */
    pen_status (*start_partition)(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err);
    pen_status (*release_partition)(void *ctx, uint32_t id, struct pen_error *err);
    /* A commit up to pos is known to be done; the source may forget what lies before. A hint: may be repeated, or never come. Control. */
    pen_status (*settle)(void *ctx, uint32_t id, const struct pen_position *pos, struct pen_error *err);
    /* no_replay: what became of the batch with this token; stored[o] is where the rows of output o came to lie, NULL on failure. Control. */
    void (*done)(void *ctx, void *token, pen_status status, const struct pen_stored_rows *stored);
    /* A lane's reader. It reads the partitions handed to it. Lane. */
    pen_status (*reader_open)(void *ctx, unsigned lane, void **reader, struct pen_error *err);
    void (*reader_close)(void *reader);
    pen_status (*reader_add)(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err);
    /* Again for one that it has: the reader seeks there. */
    pen_status (*reader_remove)(void *reader, uint32_t id, struct pen_error *err);
    /* Does not go beyond pos of this partition (n = 0: no bound) in one read, so that batches are cut at positions that sinks show. Where no
     * record lies between its position and the bound (a gap), read() gives an empty batch that ends at it. */
    pen_status (*reader_bound)(void *reader, uint32_t id, const struct pen_position *pos, struct pen_error *err);
    /* Fills *r and answers PEN_OK; PEN_SKIP where there is nothing yet. It does not wait for more than a disk. */
    pen_status (*read)(void *reader, struct pen_read *r, struct pen_error *err);
    /* A descriptor that turns readable when read() has something, or -1; and the time (pen_now) at which to call at the latest,
     * INT64_MAX for never. */
    int (*fd)(void *reader);
    int64_t (*wake_at)(void *reader);
};

/* -- transforms ------------------------------------------------------------------------------------------------------------- */

/* Wants: a stage that is offered raw messages and works on columns fills *want with the fields it asks for (nullable: what does not
 * fit the type is null and counted as `nulled_total`; not nullable: missing or unfit rejects the record). The engine then decodes the JSON
 * before the stage; it hands over columns in the wanted order. With `want` left empty it gets the input as it is. Where the input is columns, the same
 * want makes the engine pick and order the columns by name (nullable ones that are missing become null; types that differ are handed over as
 * they are, so look at the schema that comes to apply through prepare's second call). See doc/plugins.md. */

struct pen_rejects;
/* Leaves input row `row` out, as a dead letter with this reason. During apply(). */
__attribute__((format(printf, 3, 4))) void pen_reject(struct pen_rejects *r, int64_t row, const char *fmt, ...);
/* Where output rows are not the input rows less the rejected ones: output row i comes from input row origin[i]; copied. During apply(). */
pen_status pen_origin(struct pen_rejects *r, const int64_t *origin, int64_t n);

struct pen_transform {
    size_t ctx_size; /* one context for each lane */
    const struct pen_option *options;
    pen_status (*start)(void *ctx, const struct pen_host *host, struct pen_error *err);
    void (*stop)(void *ctx);
    /* Given what comes in: what it wants of it (see above; may stay empty), called first with the schema of the stage before. */
    pen_status (*want)(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err);
    /* Given what apply() will get, what it will give; or PEN_BADCONF and why not. */
    pen_status (*prepare)(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *out, struct pen_error *err);
    /* One batch in, one out (may have no rows). `in` is lent and read-only; *out is the engine's. Lane. */
    pen_status (*apply)(void *ctx, const struct ArrowArray *in, struct ArrowArray *out, struct pen_rejects *rejects, struct pen_error *err);
};

/* -- sinks ------------------------------------------------------------------------------------------------------------------ */

/* How far a plan moves one partition. key = "PIPELINE/SINK/SOURCE/PARTITION", each part escaped: the sink's own name for the position. */
struct pen_move {
    const char *key;
    struct pen_position base; /* n = 0: none shown yet */
    struct pen_position to;
};

/* Where a batch that a sink is given was read. Texts live for as long as the lane holds the partition. */
struct pen_rows {
    const char *stage, *output;    /* as in `input =`: the source or transport, and its output ("" for an only one) */
    const char *source, *partition;/* the last two parts of the partition's key, see pen_move; NULL where the source has no positions */
    uint64_t part;                 /* the engine's number of the partition, unique among those that lanes hold; UINT64_MAX: none */
    struct pen_position from, to;  /* what was read lies in [from, to) */
    const uint64_t *words;         /* where rows lie: pen_row_position() */
    const struct pen_position *wide;
};

/* Position of row i of the batch; n = 0 where the source has none. Those of a batch grow, but for what a transform puts in another order. */
static inline struct pen_position pen_row_position(const struct pen_rows *r, int64_t i)
{
    struct pen_position p = r->from;
    if (r->wide)
        return r->wide[r->words ? r->words[i] : (uint64_t)i];
    if (p.n)
        p.w[p.n - 1] = r->words ? r->words[i] : p.w[p.n - 1] + (uint64_t)i;
    return p;
}

struct pen_reached {
    uint64_t part;                 /* as in pen_rows */
    struct pen_position to;
};

struct pen_staged { /* of one lane */
    char *bytes;    /* malloc'ed by the writer, freed by the engine; means something to the sink alone */
    size_t n;
    bool last;      /* in: the last cut of this run, nothing will follow */
    /* out: where a sink stopped short of what it was given (malloc'ed, freed by the engine). Only that far is committed; the rest stays with the writer and
     * belongs to the next plan. Only for a sink that is alone in its segment, see pen_sink.partial. */
    struct pen_reached *reached;
    size_t n_reached;
    int64_t rows, files, file_bytes; /* for the report */
};

struct pen_plan {
    const char *id;      /* unique for ever */
    uint64_t number;     /* as told to begin(); 0 for first positions, which come without rows */
    const struct pen_move *moves;
    size_t n_moves;
    const struct pen_staged *staged;
    size_t n_staged;
    bool replay;         /* finishing a plan out of `state` after a restart (only sinks without `shown`) */
};

typedef enum {
    PEN_PUBLISH_DONE,
    PEN_PUBLISH_REFUSED, /* a base has moved, or the table has changed under the files: nothing happened */
    PEN_PUBLISH_UNKNOWN, /* cannot be told now (store out of reach): ask again by the same call */
    PEN_PUBLISH_GONE,    /* the table is not there any more */
    PEN_PUBLISH_LOST     /* of sinks without `shown`: some of what was staged is lost, the plan can never be whole. It is taken back, its rows read again */
} pen_publish_outcome;

struct pen_sink {
    size_t ctx_size;
    const struct pen_option *options;
    pen_status (*start)(void *ctx, const struct pen_host *host, struct pen_error *err);
    void (*stop)(void *ctx);
    /* As for transforms. A transport's writer that wants raw messages answers with pen_schema_raw(); columns are then encoded as JSON. */
    pen_status (*want)(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err);
    /* The schema of what write() will get; checks that it can be written, without making anything yet. */
    pen_status (*prepare)(void *ctx, const struct ArrowSchema *in, struct pen_error *err);
    /* Makes or opens what it writes to. After this, shown() and writers. Control. */
    pen_status (*open)(void *ctx, struct pen_error *err);
    /* What the sink itself shows as committed: calls each for every key that begins with `prefix`. NULL function: a sink that shows
     * nothing; the engine then keeps plans and positions in `state`, and calls publish() again after a restart. Control. */
    pen_status (*shown)(void *ctx, const char *prefix,
                        pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                        struct pen_error *err);
    /* Where an option decides whether shown() is to be asked: given a context with its options set, start() not called. NULL function: where there is a
     * shown(). */
    bool (*shows)(const void *ctx);
    /* URL of a folder beside the data where the engine may keep chains; NULL function or PEN_SKIP: in `state`. */
    pen_status (*beside)(void *ctx, char *url, size_t size, struct pen_error *err);
    pen_status (*connect)(void *ctx, struct pen_error *err); /* as for sources */
    /* True: stage() may stop short of what was written. Such a sink gets a segment of its own: two that read the same stages are refused. */
    bool partial;
    /* True: what shows a position may be removed after a while (objects of an archive that expire): the position that `state` remembers then holds. */
    bool expires;
    /* What it guarantees: where shown() is given exactly once, else as the words that `check` prints. */
    const char *guarantee;
    pen_status (*writer_open)(void *ctx, unsigned lane, void **writer, struct pen_error *err);
    void (*writer_close)(void *writer); /* abandons what is open */
    /* What is written from now on belongs to plan `number`: counted up at cuts, the same for all lanes. Before the first write and after each cut,
     * also where nothing was written, and after abandon(). Lane. */
    void (*begin)(void *writer, uint64_t number);
    /* Rows of one partition, already bounded. The batch is lent. Lane. */
    pen_status (*write)(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err);
    /* partial: the partition leaves this lane; what is held of it beyond what stage() reached is dropped, and will be read again. Lane. */
    void (*forget)(void *writer, uint64_t part);
    /* Bytes of memory held, and bytes written (as they will lie there, about) since the last stage(). Lane. */
    size_t (*held)(void *writer);
    int64_t (*written)(void *writer);
    /* Makes what was written durable and not visible and begins anew; staged->bytes NULL where nothing was written. PEN_RETRY: not yet, and nothing
     * was lost by trying: it is called again. Lane. */
    pen_status (*stage)(void *writer, struct pen_staged *staged, struct pen_error *err);
    /* Drops what was written since the last stage(). Lane. */
    void (*abandon)(void *writer);
    /* Compare-and-set; see doc/commits.md. PEN_OK with an outcome, or an error of configuration (stops the run). Control, while
     * lanes write on. */
    pen_status (*publish)(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err);
    /* Where rows first … first+n-1 of plan->staged[staged] came to lie, counted in the order in which that lane wrote them into this plan: fills out[0 … n).
     * After publish() said done, before the staged bytes go. PEN_SKIP: not known. Control. */
    pen_status (*stored)(void *ctx, const struct pen_plan *plan, size_t staged, int64_t first, int64_t n, struct pen_stored *out,
                         struct pen_error *err);
    /* Of a plan of which publish() said LOST: removes all that was staged and all that can be seen of it already, and nothing of it comes later. PEN_RETRY:
     * not now. Called until it is done, also by the next run. NULL function: publish() never says so. Control. */
    pen_status (*retract)(void *ctx, const struct pen_plan *plan, struct pen_error *err);
    /* Deletes what was staged for a plan that was refused. Control. */
    void (*discard)(void *ctx, const struct pen_staged *staged);
    /* After a plan is done, when there is time: checkpoints, clean-up, retention. Control. */
    pen_status (*maintain)(void *ctx, struct pen_error *err);
};

/* -- tables and verbs --------------------------------------------------------------------------------------------------------- */

/* Reading a table by URL, for `penstock query`; one thread a scan. */
struct pen_table {
    /* Whether this URL is a table of this plugin's: PEN_OK yes, PEN_SKIP no. */
    pen_status (*probe)(const struct pen_host *host, const char *url, struct pen_error *err);
    /* Opens it; *schema is the caller's. rows: how many, or -1. */
    pen_status (*open)(const struct pen_host *host, const char *url, void **table, struct ArrowSchema *schema, int64_t *rows,
                       struct pen_error *err);
    void (*close)(void *table);
    /* A scan of the columns named by index into the schema. */
    pen_status (*scan_open)(void *table, const int64_t *columns, size_t n, void **scan, struct pen_error *err);
    /* The next batch, with those columns in that order; PEN_SKIP at the end. */
    pen_status (*scan_next)(void *scan, struct ArrowArray *out, struct pen_error *err);
    void (*scan_close)(void *scan);
};

/* A command that a plugin offers: `penstock table VERB URL`, `penstock transport VERB URL`, `penstock store VERB URL`; or, with `stage`, `penstock transport
 * VERB --in=FILE STAGE [NAME]` and `penstock transport VERB --plugin=PLUGIN --OPTION=VALUE… [NAME]`. */
struct pen_verb {
    const char *noun;    /* "table", "transport" or "store" */
    const char *name;    /* "history" */
    const char *summary; /* one line for help */
    size_t ctx_size;
    const struct pen_option *options; /* as --NAME=VALUE on the command line */
    /* What it prints, as one batch. name: the URL; with `stage` what is meant within the service (a topic), NULL where not given. stage: see below; of
     * noun "store" the context of the plugin's store, started, its options those of [defaults PLUGIN] in --in=FILE or given as --OPTION=VALUE; else NULL. */
    pen_status (*run)(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema,
                      struct ArrowArray *batch, struct pen_error *err);
    /* It asks a service that the options of a stage lead to: run() gets a context of the plugin's source (sink where it has none) with its
     * options set and start() not called. */
    bool stage;
};

/* -- the descriptor ----------------------------------------------------------------------------------------------------------- */

struct pen_plugin {
    unsigned abi;        /* PEN_ABI; first, so that every engine can read it before the rest */
    const char *name;    /* as in `plugin = NAME` and the file's name */
    const char *summary; /* one line */
    const char *licence; /* SPDX */
    const char *doc;     /* paragraphs for the manual page, or NULL */
    const struct pen_source *source;       /* [source] and the reading end of [transport] */
    const struct pen_transform *transform; /* [transform] */
    const struct pen_sink *sink;           /* [sink] and the writing end of [transport] */
    bool transport;                        /* source and sink are the two ends of one [transport] and take one table of options */
    const struct pen_store *store;         /* serves a URL scheme; ctx from [defaults NAME] */
    size_t store_ctx_size;
    const struct pen_option *store_options;
    pen_status (*store_start)(void *ctx, const struct pen_host *host, struct pen_error *err);
    void (*store_stop)(void *ctx);
    const struct pen_table *table;
    const struct pen_verb *verbs;          /* name NULL ends */
};

#ifdef __cplusplus
}
#endif
#endif
