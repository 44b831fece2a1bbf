/* kinesis.h - what the two ends of the transport and its verbs share: the options, and calls of the service.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_KINESIS_H
#define PENSTOCK_KINESIS_H

#include <stdatomic.h>

#include "../aws/aws.h"
#include "message.h"

#define KIN_CALL_RECORDS 500          /* most records of one PutRecords */
#define KIN_CALL_BYTES (5 << 20)      /* and bytes, keys included */
#define KIN_LARGE_CALL_BYTES (10 << 20) /* the same, where the stream takes records of more than 5 MiB */
#define KIN_KEY_CHARACTERS 256

struct options {
    struct aws_options aws;
    const char *stream, *start, *key, *leases;
    int order, trimmed;
    int64_t in_flight, buffer, poll_interval, shard_rate, lease_time;
};
enum { ORDER_KEY, ORDER_NONE };
enum { TRIMMED_FAIL, TRIMMED_SKIP };

extern const struct pen_option kinesis_options[];
extern const struct pen_source kinesis_source;
extern const struct pen_sink kinesis_sink;
extern const struct pen_verb kinesis_verbs[];

/* Where the first run begins. */
typedef enum { START_EARLIEST, START_LATEST, START_TIME } start_kind;
/* What the table of options cannot say; *kind and *at (microseconds since 1970, of START_TIME) may be NULL. */
pen_status kinesis_check_options(const struct options *o, start_kind *kind, int64_t *at, struct pen_error *err);
/* `{output}` in `stream`: stage and output as in pen_rows. PEN_BADCONF where the name is none that Kinesis takes. */
pen_status kinesis_stream_name(const struct options *o, const char *stage, const char *output, char *name, size_t size, struct pen_error *err);
bool kinesis_stream_is_open(const struct options *o); /* `stream` has a `{output}` */
#define STREAM_NAME 129

/* -- calls ------------------------------------------------------------------------------------------------------------------------------ */

struct kin_client {
    struct aws_client *aws;
    const struct pen_host *host;
    atomic_bool give_up; /* calls under way are ended: nobody waits for them any more */
    atomic_llong ahead; /* seconds that the service's clock is ahead of ours, as its answers say */
};
pen_status kin_client_open(struct kin_client *c, const struct pen_host *host, const struct options *o, struct pen_error *err);
void kin_client_close(struct kin_client *c);

typedef enum {
    KIN_ANSWERED,
    KIN_LATER,     /* throttled, out of reach, a fault of the service: *err says which */
    KIN_THROTTLED, /* the same, and the service asks for a slower pace */
    KIN_EXPIRED,   /* the iterator is too old */
    KIN_INVALID,   /* an argument is refused: a sequence number that is not held any more */
    KIN_MISSING,   /* no such stream or shard */
    KIN_FAILED     /* for good: err->code says how */
} kin_outcome;

/* One call. `what` is what messages begin with ("kinesis posts: shardId-0"). The answer is valid, and to be finished, whatever comes of it; *err is
 * filled unless it was answered. limit: most bytes of the answer, 0 for a small one. Any thread; may take long. */
kin_outcome kin_call(struct kin_client *c, const char *operation, struct pen_text *body, size_t limit, const char *what, struct aws_answer *a,
                     struct pen_error *err);
/* The verdict that goes with an outcome. */
pen_status kin_status(kin_outcome outcome, const struct pen_error *err);

/* An answer that could not be read: it may have been cut or garbled on its way, so it is asked for again. */
kin_outcome kin_garbled(const char *what, const struct pen_error *why, struct pen_error *err);

/* {"StreamName":"…"} and more members to be appended, without the brace at the end. */
void kin_body(struct pen_text *t, const char *stream);
pen_status kin_describe(struct kin_client *c, const char *stream, struct kin_summary *out, struct pen_error *err);
/* All pages. */
pen_status kin_list_shards(struct kin_client *c, const char *stream, struct kin_shards *out, struct pen_error *err);
/* The service's time, seconds since 1970. */
int64_t kin_time(struct kin_client *c);

#endif
