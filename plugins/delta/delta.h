/* delta.h - a Delta table as a sink: its options, its state in memory, what its parts share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_DELTA_DELTA_H
#define PEN_DELTA_DELTA_H

#include "files.h"
#include "log.h"
#include "schema.h"

enum { DELTA_STRICT, DELTA_EVOLVE };

/* One table that is written to. Control, except for what writer_open() reads: `in`, the options, columns. */
struct delta_sink {
    /* options */
    const char *path;
    struct pen_strings partition_by;
    struct pen_compression compression;
    int64_t target_file_size, checkpoint_interval;
    int schema_mode;
    bool fsync;
    struct pen_pairs properties;

    const struct pen_host *host;
    struct ArrowSchema in;       /* of the batches */
    struct delta_arena arena;    /* of in_fields */
    struct delta_field in_fields;
    struct delta_state state;
    bool opened;
    char id[64];                 /* metaData.id of the table, once it is known */
    struct delta_text expected;  /* protocol and metaData that the files are written for */
    int64_t expected_metadata, expected_protocol; /* entries that they were last found in */
    int64_t stats_columns;       /* delta.dataSkippingNumIndexedCols */
    int64_t clock_offset;        /* the store's time less the monotonic clock, microseconds */
    int64_t clock_at;            /* when that was looked at; INT64_MIN: never */
    int64_t cleaned_at;          /* when old entries were looked for */
    char own[512];               /* PIPELINE/SINK/, as the engine writes it in keys; empty until it has asked or published */
    char open_plan[128];         /* a plan whose put has no known outcome, and the slot that it was for */
    int64_t open_slot;
    bool unclear;                /* staged files may be pointed to by an entry that we could not see: nothing is deleted */
};

/* Notes with which beginning the engine's keys are this sink's. */
void delta_note_own(struct delta_sink *d, const char *key);
/* Makes the table where there is none, adds columns where it may, and checks that rows of `in` fit. Again after a change by others. */
pen_status delta_table_open(struct delta_sink *d, struct pen_error *err);
/* Looks whether rows of `in` fit the table that is there, where there is one, and changes nothing. */
pen_status delta_table_check(struct delta_sink *d, struct pen_error *err);
/* Whether protocol and metaData are still what the files are written for. */
bool delta_table_unchanged(struct delta_sink *d);
/* Puts one entry at the head, `text` its lines; *outcome as from the store. */
pen_status delta_put_entry(struct delta_sink *d, int64_t version, const struct delta_text *text, pen_put_outcome *outcome, struct pen_error *err);
void delta_write_commit_info(struct delta_sink *d, struct delta_text *t, const char *operation, const char *parameters, const char *plan, bool blind);
void delta_write_protocol(struct delta_text *t, const struct delta_protocol *p);
void delta_write_metadata(struct delta_text *t, const struct delta_metadata *m);
void delta_write_pairs(struct delta_text *t, const struct delta_pairs *pairs);
void delta_write_txn(struct delta_text *t, const char *app, int64_t version, int64_t updated);

pen_status delta_publish(struct delta_sink *d, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err);
pen_status delta_shown(struct delta_sink *d, const char *prefix,
                       pen_status (*each)(void *arg, const char *key, const struct pen_position *pos, struct pen_error *err), void *arg,
                       struct pen_error *err);
pen_status delta_maintain(struct delta_sink *d, struct pen_error *err);
/* Reads on to the head of the log, by a listing where the state is older than a minute. *gone: the table is not there any more. */
pen_status delta_catch_up(struct delta_sink *d, const struct delta_watch *watch, bool *jumped, bool *gone, struct pen_error *err);
/* Milliseconds since 1970 by the store's clock, looked at every ten minutes. */
pen_status delta_store_time(struct delta_sink *d, int64_t *ms, struct pen_error *err);
unsigned delta_put_flags(const struct delta_sink *d);

#endif
