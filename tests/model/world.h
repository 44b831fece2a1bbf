/* world.h - what outlives every process of the model: topics, tables, archives and objects, and the faults that happen to them.
 *
 * The engine's real code (control, lanes, plans, chains, dead letters, state) runs between stubs of the same vtables that plugins fill. One thread steps
 * everything in an order drawn from a seed, so a failing seed fails again.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_TESTS_MODEL_WORLD_H
#define PENSTOCK_TESTS_MODEL_WORLD_H

#include <penstock/plugin.h>

#define MAX_PARTS 8
#define MAX_PROCS 2
#define MAX_TABLES 3

/* A partition of a topic. Record i (0 … n-1) lies at offset w_offset(part, i): there are gaps, as compaction and aborted transactions leave them. */
struct topic_part {
    char name[16], incarnation[24];
    unsigned topic;
    int64_t n;       /* records so far */
    int64_t first;   /* records before this one are gone (retention) */
    int owner;       /* process that is to read it, -1: none */
    bool hidden;     /* does not exist yet */
};

struct row {
    int part;       /* -1: no row, but the name of the staged file that the rows behind it lie in */
    int64_t record;
};

struct entry {
    char plan[96];
    struct { char key[200]; struct pen_position to; } moves[64];
    size_t n_moves;
    struct row *rows;
    size_t n_rows;
};

/* A table with a log, or (log false) a folder that shows nothing. */
struct table {
    bool log;
    struct entry *entries;
    size_t n, cap;
    bool gone;
};

struct flight { /* a put that was sent and will arrive later, into the slot it was meant for */
    unsigned table;
    size_t slot;
    struct entry entry;
};

struct object {
    char name[512];
    char *bytes;
    size_t n;
};

struct faults { /* in a thousand */
    unsigned unknown_done, unknown_not, in_flight, crash_before, crash_after, refuse_none, put_unknown, stage_crash, settle_crash, retry_read, jump, retry_stage, retry_event,
        lost; /* of plans for a folder: one of the staged files is lost when they are published */
};

struct posts {
    int64_t sent, read, answered, refused;
};

struct world {
    uint64_t rng;
    int64_t now, wall;
    struct topic_part parts[MAX_PARTS];
    unsigned n_parts, n_topics;
    bool cooperative;   /* a partition's new owner hears of it only once the old one has let go */
    bool holds[MAX_PROCS][MAX_PARTS];
    bool chain;
    bool until_end;     /* sources name their last partition and end */
    bool latest;        /* `start = latest` */
    bool down;          /* tables out of reach */
    bool exact_bad;     /* every seventh record is refused by the transform */
    int64_t gap;        /* every gap-th offset holds nothing a reader sees; 0: none */
    struct table tables[MAX_TABLES];
    struct flight *flights;
    size_t n_flights;
    struct object *objects;
    size_t n_objects, cap_objects;
    struct faults faults;
    enum once { ONCE_NOTHING, ONCE_KILL_BEFORE_PUT, ONCE_KILL_AFTER_PUT, ONCE_LOST_ANSWER, ONCE_LOST_REQUEST, ONCE_IN_FLIGHT, ONCE_KILL_IN_FLIGHT, ONCE_LOST_STAGED, ONCE_KILL_LOST_STAGED } once;
    unsigned once_table; /* what happens to the next put to this table */
    bool shared_files;  /* both processes read every file of the chain */
    bool forgetful;     /* the store takes no notice of "if absent" */
    struct posts posts; /* records that cannot be read again, and those who wait */
    int crash;          /* process that is to die now, -1 */
    int64_t staged;      /* files staged so far: their names */
    int64_t *discarded, *lost; /* names of files that were deleted; that the store has lost */
    size_t n_discarded, n_lost;
    bool down_for_retract; /* nothing can be taken back for now */
    unsigned reads;
    void (*during_apply)(void *arg); /* called once, within the transform's next apply(): what other threads do meanwhile */
    void *during_arg;
    bool trace;
};

uint32_t w_random(struct world *w, uint32_t below);
bool w_chance(struct world *w, unsigned per_thousand);
int64_t w_offset(const struct world *w, int part, int64_t record);
bool w_is_bad(const struct world *w, int part, int64_t record);
void w_land_flights(struct world *w);
void w_fini(struct world *w);
struct entry *w_append(struct table *t, const struct entry *e);
void w_entry_fini(struct entry *e);

/* Templates of the stubs' contexts: what the engine copies for each instance. */
struct stub {
    struct world *w;
    int proc;
    unsigned index; /* of the topic or the table */
    /* of an instance */
    const struct pen_host *host;
    struct pen_output output;
    bool said_no_more;
    unsigned said_leave; /* bit for each partition that is being given up */
};
extern const struct pen_plugin w_posts_plugin, w_topic_plugin, w_chain_plugin, w_latest_plugin, w_check_plugin, w_table_plugin, w_folder_plugin;
extern const struct pen_store w_store; /* "mem://"; ctx is the struct stub */

#endif
