/* segment.h - a segment at run time: sources, lanes, sinks, and the plans that move rows and positions together.
 *
 * Two kinds of actor work on a segment: its lanes (lane.c, lane_cut.c) and its control (control.c, commit.c). Each is a step function that does one
 * bounded piece of work and says what it waits for; threads (run.c) and the tests' model are loops around these. `lock` guards what both see; a
 * field says below whose it is. Rules: doc/commits.md.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_ENGINE_SEGMENT_H
#define PENSTOCK_ENGINE_SEGMENT_H

#include <pthread.h>
#include <stdatomic.h>

#include <penstock/plugin.h>

#include "engine/graph.h"
#include "engine/host.h"

struct pen_chain;
struct pen_conform;
struct pen_dead;
struct pen_dead_writer;
struct pen_intake;
struct pen_json_encoder;
struct pen_state;

#define PEN_PLAN_ID 80 /* bytes of a plan's id, its NUL included */

typedef enum {
    PEN_STEP_WORKED,  /* call again at once */
    PEN_STEP_IDLE,    /* nothing to do until a descriptor, `wake_at` or a signal */
    PEN_STEP_BLOCKED, /* nothing to do until the other side signals */
    PEN_STEP_DONE,    /* never again */
    PEN_STEP_FAILED   /* seg->error says why */
} pen_step;

typedef enum {
    PART_NEW,      /* assigned, and where it starts is not known yet */
    PART_QUEUED,   /* waiting for a lane */
    PART_HELD,     /* a lane reads it */
    PART_LEAVING,  /* its lane gives it up at the next cut */
    PART_RELEASED
} part_state;

/* A partition of one of the segment's sources. Control's, but for what the comment says. */
struct seg_part {
    unsigned source;
    uint32_t id; /* the source's */
    char *name, *incarnation;
    char *key_part; /* "PARTITION" or "PARTITION@INCARNATION", escaped: last part of its key in a sink */
    part_state state;
    unsigned lane;
    struct pen_position *shown; /* [n_sinks]; n = 0: none */
    struct pen_position at;     /* up to where the last staged plan took it */
    bool ended;                 /* lock: its lane has read it to its end */
    bool found;                 /* while PART_NEW: `at` and `shown` are known */
    bool adopt;                 /* `at` is to be committed before anything is read */
    bool revoking;              /* to be released after the next commit */
    bool finished;              /* read to its end for good, and no longer with a lane: to be released after the commit */
};

/* What a lane knows of a partition that it holds. The lane's. */
struct lane_part {
    size_t part; /* index into seg->parts */
    unsigned source;
    uint32_t id;
    struct pen_position at;     /* read so far */
    struct pen_position since;  /* at the last cut */
    struct pen_position *skip;  /* [n_sinks]: a sink is given nothing before this */
    bool ended;
};

/* From a source's number of a partition to an index; ids are small and dense. */
struct id_map {
    uint32_t *at; /* index + 1; 0: none */
    size_t cap;
};

struct lane_move { /* a lane's report at a cut */
    size_t part;
    struct pen_position to;
    bool ended;
};

struct lane_add { /* an order to a lane */
    size_t part;
    unsigned source;
    uint32_t id;
    struct pen_position at;
    struct pen_position *skip;
};

struct pen_instance { /* a plugin's context */
    void *ctx;
    bool started;
    struct pen_host host;
};

/* Where in a sink the rows of one output of a batch go, and once that is known, where they came to lie. */
struct seg_landing {
    size_t sink;             /* index into seg->sinks */
    int64_t first, n;        /* rows of what the lane wrote to that sink for this plan; n = 0: none that could be told */
    struct pen_stored *places;/* [n], or NULL */
};

/* Somebody who waits for the commit of a batch. */
struct seg_token {
    void *token;                  /* the source's */
    unsigned source;
    struct seg_landing *landings; /* [outputs of the source] */
};

/* What one lane hands over at a cut. */
struct lane_staged {
    struct pen_staged *sinks; /* [n_sinks] */
    bool *wrote;              /* [n_sinks] */
    struct lane_move *moves;
    size_t n_moves;
    struct seg_token *tokens; /* of urgent batches */
    size_t n_tokens;
    bool present;
};

struct pen_lane {
    struct pen_segment *seg;
    unsigned index;
    pthread_t thread;
    bool running;                   /* lock: has been started (thread, or by the model) */
    bool opened;
    int wake_fd;                    /* eventfd: orders have come */
    void **readers;                 /* [n_sources] */
    struct pen_intake ***intakes;   /* [n_sources][outputs], NULL where the output is typed or unread */
    struct ArrowArray *batches;     /* room for the widest source's outputs */
    struct pen_instance *transforms;/* [n_stages of the graph], those of this segment in use */
    struct pen_conform **conforms;  /* [edges of the graph], of those that pick columns */
    struct pen_json_encoder **encoders; /* [edges of the graph], of those that encode */
    void **writers;                 /* [n_sinks] */
    bool *wrote;                    /* [n_sinks] since the last cut */
    struct lane_part *parts;
    size_t n_parts, cap_parts;
    struct id_map *by_id;           /* [n_sources], into parts */
    size_t n_ended;                 /* of them, those of chain sources that have ended */
    unsigned ends_seen;
    int64_t ends_since;             /* when that was */
    unsigned next_source;
    int64_t *sink_rows;             /* [n_sinks] written since the last cut */
    struct seg_token *tokens;
    size_t n_tokens, cap_tokens;
    int64_t open_rows, open_bytes;
    bool short_of;                  /* at the last cut a sink stopped short of what it was given */
    bool urgent;                    /* somebody waits for a commit of what was read */
    bool was_busy;                  /* what it told control last */
    struct lane_staged passing;     /* of the cut being passed: kept while a sink is out of reach */
    int64_t retry_at, complain_at;
    struct pen_error error;
    /* lock: */
    unsigned passed;    /* cuts it has staged for */
    unsigned rewound;   /* rewinds it has acknowledged */
    bool busy;          /* its last step read rows */
    size_t held_parts;  /* partitions that control has given it and not taken back */
    struct lane_add *adds;
    size_t n_adds, cap_adds;
    size_t *removes;    /* partitions to give up at the next cut */
    size_t n_removes, cap_removes;
    struct lane_staged staged;
};

/* A plan on its way from the cut to the settle. Control's. */
struct seg_plan {
    char id[PEN_PLAN_ID];
    uint64_t number;           /* of the cut that ended it; 0: no cut */
    struct lane_staged *lanes; /* [n_lanes] */
    struct lane_move *moves;   /* of all lanes */
    size_t n_moves, cap_moves;
    size_t sink;               /* the next to publish */
    bool open;                 /* cut, and not yet done */
    bool adoption;             /* no cut: first positions for the anchor */
    bool begun;                /* saved or published for `sink`, answer unknown so far */
    bool lost;                 /* some of what was staged for `sink` is lost: all of it is being taken back */
    int attempts;
    int64_t not_before;
    struct pen_plan sent;      /* what is being published, kept for repeats */
};

struct seg_source {
    unsigned stage;
    struct pen_instance instance;
    const struct pen_source *type;
    struct pen_output *outputs;
    size_t n_outputs;
    bool no_more;        /* control: the source has named its last partition */
    bool assigned_any, named_all; /* control: it has named one; and all that it had to name at the start */
    bool fed_from_within;/* a transport that this pipeline itself writes */
    size_t unended;      /* lock: partitions not at their end */
    struct id_map by_id; /* control: into seg->parts */
    bool shown_any;      /* the anchor shows something of it: this is not its first run */
    char *prefix;        /* its part of keys: escaped id */
    struct seg_targets *targets; /* [n_outputs]: what an intake of that output is to build */
};

struct seg_stranger { /* what the anchor shows of a source that is none of ours */
    char *name;       /* malloc'ed, with the part behind */
    const char *part; /* last part of the key */
};

struct seg_targets {
    const struct ArrowSchema **wants; /* NULL entry: raw messages */
    unsigned *stages;                 /* the first stage that asked, to name in dead letters */
    size_t n;
};

struct seg_sink {
    unsigned stage;      /* index in the graph; UINT_MAX: dead letters */
    const struct pen_sink *type;
    void *ctx;
    struct pen_instance *instance;
    bool shows;
    char *prefix;        /* "PIPELINE/SINK/" */
    struct pen_chain **chains; /* [n_sources], where the source is a chain and the sink shows */
    const char *name;
    int64_t rows, files, file_bytes, commits; /* lock: for the report */
};

struct pen_segment {
    const struct pen_segment_def *def;
    const struct pen_graph *graph;
    struct pen_run_context *run;
    struct pen_state *state;
    struct pen_dead *dead;
    pthread_mutex_t lock;
    struct seg_source *sources;
    size_t n_sources;
    struct seg_sink *sinks;  /* in the order of publishing: dead letters, …, the anchor */
    size_t n_sinks;
    size_t anchor;
    int *edge_target;        /* [edges of the graph]: intake target, -1 */
    size_t *stage_sink;      /* [stages of the graph]: index into sinks, SIZE_MAX: none */
    struct pen_lane *lanes;
    unsigned n_lanes;
    struct seg_part *parts;
    size_t n_parts, cap_parts;
    struct seg_stranger *strangers; /* by part; noted at the start */
    size_t n_strangers, cap_strangers;
    size_t *spare;           /* control: released partitions, whose places in parts can be used again */
    size_t n_spare, cap_spare;
    struct seg_plan plan;
    unsigned long long adoptions; /* first positions given so far: numbers of their plans */
    /* lock: */
    unsigned lanes_running;
    unsigned cuts;           /* asked for so far */
    unsigned rewinds;
    bool frozen;             /* lanes wait: positions are being found out */
    bool closing;            /* no more reading: the last cut has been asked for, or the run fails */
    bool finished, failed;
    bool cut_wanted;         /* a lane, or somebody who waits for a reply, wants a cut now */
    bool in_flight;          /* a plan is between its cut and its settle */
    bool upstream_done;      /* every segment that writes one of our transports is done */
    unsigned ends;           /* grows when ends that were seen count no more */
    int64_t ends_since;      /* when it last grew */
    struct pen_error error;
    int64_t rows_read;       /* for the report */
    int64_t bytes_read;
    /* any thread: */
    atomic_llong open_rows, open_bytes; /* of the plan that lanes write to */
    atomic_llong open_since;            /* pen_now of its first row; 0: none */
    /* control: */
    int phase;
    bool last_cut;
    bool cut_now;            /* a partition is to be let go: cut at once */
    bool rewind_wanted;
    size_t n_new;            /* partitions that are PART_NEW */
    int64_t start_at, complain_at; /* when to ask again about them; when to say again that something is out of reach */
    size_t *queue;           /* partitions without a lane, first come first served */
    size_t n_queue, cap_queue;
    size_t *leave;           /* partitions to take from their lane at the next cut */
    size_t n_leave, cap_leave;
    int64_t share_since;     /* since when a lane is overloaded; 0: not so */
    int64_t queued_since;    /* when all lanes were found busy with some waiting; 0: not so */
    int64_t wake_at;
    int wake_ctl;            /* eventfd: control has something to do */
    pthread_t thread;
    bool has_thread, opened;
    bool control_done;       /* the engine's lock */
};

/* -- lane.c, lane_open.c -- */
pen_status pen_lane_open(struct pen_lane *lane, struct pen_error *err);
void pen_lane_close(struct pen_lane *lane);
/* One batch, or one order. Lane's thread. */
pen_step pen_lane_step(struct pen_lane *lane);
/* When an idle lane is to be called at the latest; and descriptors to poll (n at most max). Lane's thread. */
int64_t pen_lane_wake_at(struct pen_lane *lane);
/* When a blocked lane is to be called although nobody signals; INT64_MAX: never. Lane's thread. */
int64_t pen_lane_retry_at(struct pen_lane *lane);
size_t pen_lane_fds(struct pen_lane *lane, int *fds, size_t max);
void pen_lane_signal(struct pen_lane *lane);
/* Frees a report; those who still wait for it are told to come again. Control. */
void pen_lane_staged_clear(const struct pen_segment *seg, struct lane_staged *s);
/* Tells n who wait what became of their rows, and that there is none left to tell. Control. */
void pen_answer_tokens(const struct pen_segment *seg, struct seg_token *tokens, size_t *n, pen_status status);
/* Everyone who waits for a lane that has rewound, or ended, is told to come again. Control, while the lane stands still. */
void pen_lane_refuse(struct pen_lane *lane);

/* -- control.c -- */
/* Opens sinks, finishes what `state` holds unfinished, finds what is shown. */
pen_status pen_segment_open(struct pen_segment *seg, struct pen_error *err);
void pen_segment_close(struct pen_segment *seg);
pen_step pen_control_step(struct pen_segment *seg);
void pen_control_signal(struct pen_segment *seg);
/* Starts a lane; run.c makes a thread of it, the model just notes it. */
extern void (*pen_lane_starter)(struct pen_lane *lane);
/* First error wins; ends reading. lock not held. */
void pen_segment_fail(struct pen_segment *seg, const struct pen_error *err);
/* Every segment that writes one of its transports has made its last commit: ends seen so far count no more. Any thread, lock not held. */
void pen_segment_upstream_done(struct pen_segment *seg);

/* -- parts.c: partitions, on control -- */
/* Takes the sources' events; new partitions are queued. */
pen_status pen_parts_events(struct pen_segment *seg, struct pen_error *err);
/* Hands queued partitions to lanes, starting lanes where all are busy. */
pen_status pen_parts_assign(struct pen_segment *seg, struct pen_error *err);
/* Chooses what changes lanes or is let go at the cut about to begin, and orders it; lock held. */
void pen_parts_prepare_cut(struct pen_segment *seg);
/* Whether a cut is due for no other reason than that a further lane should relieve one that is overloaded. lock held. */
bool pen_parts_share_soon(struct pen_segment *seg, int64_t now);
/* After a commit: partitions that left are released or queued again. */
pen_status pen_parts_after_commit(struct pen_segment *seg, struct pen_error *err);
/* After a rewind: every partition is found and queued anew at what is shown. */
pen_status pen_parts_restart(struct pen_segment *seg, struct pen_error *err);
pen_status pen_part_finish(struct pen_segment *seg, size_t index, struct pen_error *err);
bool pen_id_map_set(struct id_map *m, uint32_t id, size_t index);
void pen_id_map_unset(struct id_map *m, uint32_t id);
/* SIZE_MAX: none. */
size_t pen_id_map_get(const struct id_map *m, uint32_t id);

/* Waits for a lane, to be read from p->at on. */
pen_status pen_part_queue(struct pen_segment *seg, size_t index, struct pen_error *err);

/* -- starts.c: where partitions begin, on control -- */
/* Brings new partitions forward; PEN_SKIP when a plan of first positions is to be published before that can go on. */
pen_status pen_starts_go_on(struct pen_segment *seg, struct pen_error *err);
/* Something that `host` stands for is out of reach: says so now and then, clears *err, and has it asked again later. */
void pen_starts_wait(struct pen_segment *seg, const struct pen_host *host, struct pen_error *err);

/* -- open.c -- */
/* Chains as the sinks show them now: another process may have moved them. */
pen_status pen_chains_reopen(struct pen_segment *seg, struct pen_error *err);

/* -- commit.c -- */
#define PEN_FIRST_PAUSE 50000 /* microseconds before an unclear publish is asked about again; doubles */
#define PEN_LONGEST_PAUSE 5000000

/* After all lanes have passed the cut: gathers the plan. lock held. */
pen_status pen_plan_gather(struct pen_segment *seg, struct pen_error *err);
/* One attempt to bring the plan forward: PEN_OK when it is done, PEN_SKIP to be called again (after plan.not_before), PEN_RETRY when it was
 * refused and positions must be found out anew. */
pen_status pen_plan_publish(struct pen_segment *seg, struct pen_error *err);
void pen_plan_clear(struct pen_segment *seg);
/* At the start: what the anchor shows of sources that are not configured, to notice a section that was renamed. */
pen_status pen_names_note(struct pen_segment *seg, struct pen_error *err);
/* What each sink shows of partition p, into p->shown, and where reading starts, into p->at. */
pen_status pen_part_find_shown(struct pen_segment *seg, struct seg_part *p, struct pen_error *err);
/* One part of a key: what is no letter, digit, '_', '-', '=' or inner '.' as %XX. malloc'ed. */
char *pen_key_escape(const char *text);
/* Full key of a partition in a sink: malloc'ed. */
char *pen_part_key(const struct pen_segment *seg, size_t sink, const struct seg_part *p);
/* Makes the plan of a commit without rows that gives the n new partitions with `adopt` set their first position in the anchor. PEN_SKIP: it is to be
 * published; PEN_OK: done already. */
pen_status pen_plan_adopt(struct pen_segment *seg, size_t n, struct pen_error *err);
/* Tells sources what is known to be committed. */
pen_status pen_plan_settle(struct pen_segment *seg, struct pen_error *err);

/* -- recover.c -- */
/* Finishes plans that `state` holds for sinks that show nothing, or takes them back. */
pen_status pen_plan_recover(struct pen_segment *seg, struct pen_error *err);
/* The sink's open plan can never be whole: notes in `state` that it is to be taken back, and says so. */
pen_status pen_plan_lost(const struct pen_segment *seg, const struct seg_sink *sink, struct pen_error *err);

#endif
