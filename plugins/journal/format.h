/* format.h - the journal's bytes: segment files of blocks, and the commit log of records. doc/journal-format.md describes them.
 * Pure functions over memory; everything read is hostile until it came through here. SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_JOURNAL_FORMAT_H
#define PENSTOCK_JOURNAL_FORMAT_H

#include <penstock/plugin.h>

#define JF_VERSION 2u          /* 1 had no seals; its journals are read, and become 2 when they are written to */
#define JF_SEGMENT_VERSION 1u
#define JF_PARTITIONS 64u      /* at most */
#define JF_ID_SIZE 16u
#define JF_FILE_HEADER 64u     /* of a segment file */
#define JF_BLOCK_HEADER 64u
#define JF_RECORD_HEADER 32u
#define JF_SEAL_HEADER 32u
#define JF_SEAL_ROOM 512u      /* what a seal takes behind the blocks of its commit */
#define JF_NULL 0xFFFFFFFFu    /* a length that says null */

/* The size with the zeros behind it that make it a multiple of eight. */
static inline uint64_t jf_padded(uint64_t n)
{
    return (n + 7) & ~UINT64_C(7);
}

/* -- little-endian fields ------------------------------------------------------------------------------------------------------ */

void jf_put32(uint8_t *p, uint32_t v);
void jf_put64(uint8_t *p, uint64_t v);
uint32_t jf_get32(const uint8_t *p);
uint64_t jf_get64(const uint8_t *p);

/* Grows as it is appended to; running out of memory is remembered in `failed`. */
struct jf_out {
    uint8_t *p;
    size_t n, cap;
    bool failed;
};
void jf_out_free(struct jf_out *o);
/* n more bytes to fill, or NULL. */
uint8_t *jf_out_room(struct jf_out *o, size_t n);
void jf_out32(struct jf_out *o, uint32_t v);
void jf_out64(struct jf_out *o, uint64_t v);
void jf_out_bytes(struct jf_out *o, const void *bytes, size_t n); /* with its length in front, 32 bits */
void jf_out_position(struct jf_out *o, const struct pen_position *pos);

/* A view of bytes that are taken from the front; taking too much gives zeros and sets `bad`. */
struct jf_in {
    const uint8_t *p;
    size_t n;
    bool bad;
};
uint32_t jf_in32(struct jf_in *in);
uint64_t jf_in64(struct jf_in *in);
const uint8_t *jf_in_bytes(struct jf_in *in, size_t *n);
/* Bytes that name a key or a plan: at least one, none of them a blank or a control character, so they can be kept as a C string. */
const char *jf_in_name(struct jf_in *in, size_t *n);
void jf_in_position(struct jf_in *in, struct pen_position *pos);

/* -- segment files --------------------------------------------------------------------------------------------------------------- */

struct jf_segment_header {
    uint8_t id[JF_ID_SIZE];
    uint64_t number;
    uint32_t partition;
};
void jf_segment_header_put(uint8_t out[JF_FILE_HEADER], const struct jf_segment_header *h);
bool jf_segment_header_get(const uint8_t in[JF_FILE_HEADER], struct jf_segment_header *h);

#define JF_BLOCK_KEYS 1u
#define JF_BLOCK_TIMESTAMPS 2u
#define JF_BLOCK_HEADERS 4u

/* A block holds records by columns: i64 timestamps, u32 value lengths, u32 key lengths, u32 header lengths (the last two and the
 * timestamps only where the flag says so), then the bytes of the values, the keys and the headers. */
struct jf_block {
    uint32_t flags, records, body_crc;
    uint64_t body;                               /* bytes behind the header, without padding */
    uint64_t value_bytes, key_bytes, header_bytes;
    uint64_t segment;                            /* its number */
};
void jf_block_put(uint8_t out[JF_BLOCK_HEADER], const struct jf_block *b);
/* False unless it is a header whose sizes fit one another. */
bool jf_block_get(const uint8_t in[JF_BLOCK_HEADER], struct jf_block *b);

/* Walks the records of a body that jf_block_walk() has accepted. */
struct jf_walk {
    const uint8_t *times, *value_sizes, *key_sizes, *header_sizes; /* NULL where there are none */
    const uint8_t *value, *key, *header;                           /* of the next record */
    uint32_t next, records;
};
/* False unless all lengths are within the body and add up to it. Headers are looked at when they are read. */
bool jf_block_walk(const struct jf_block *b, const uint8_t *body, struct jf_walk *w);
struct jf_message {
    const uint8_t *key, *value, *headers; /* NULL: null */
    uint32_t key_size, value_size, headers_size;
    int64_t timestamp; /* INT64_MIN: null */
};
void jf_walk_next(struct jf_walk *w, struct jf_message *m); /* while next < records */
/* One header: a name and a value, NULL for null; false at the end or where the bytes are no headers (then in->bad). */
bool jf_header_next(struct jf_in *in, const char **name, size_t *name_size, const uint8_t **value, size_t *value_size);

/* A seal stands behind the last block that its commit names, so that one sync makes both durable: this header, then the record as the log is to
 * have it. The log's own copy may be lost with the power. */
struct jf_seal {
    uint64_t segment, at; /* number of the file that it is in, and where: nothing else is taken for it */
    uint32_t blocks_crc;  /* over the headers, one after the other, of the blocks of this segment that its commit names */
    uint32_t record;      /* bytes of the record, its header and its padding included */
};
void jf_seal_put(uint8_t out[JF_SEAL_HEADER], const struct jf_seal *s);
bool jf_seal_get(const uint8_t in[JF_SEAL_HEADER], struct jf_seal *s);

/* -- the commit log ------------------------------------------------------------------------------------------------------------------ */

typedef enum { JF_SNAPSHOT = 1, JF_COMMIT = 2, JF_TRIM = 3 } jf_record_type;

struct jf_record {
    jf_record_type type;
    uint64_t sequence;
    uint32_t body, body_crc;
};
void jf_record_put(uint8_t out[JF_RECORD_HEADER], const struct jf_record *r);
bool jf_record_get(const uint8_t in[JF_RECORD_HEADER], struct jf_record *r);

/* A range of one segment file whose blocks a commit has made visible, with the offsets that their records got. */
struct jf_piece {
    uint64_t segment, from, to; /* bytes */
    uint64_t first, records;    /* offsets [first, first + records) */
    uint32_t partition;
};
struct jf_move {
    const char *key;
    size_t key_size;
    struct pen_position from, to;
};
struct jf_commit {
    const char *plan;
    size_t plan_size;
    int64_t time; /* wall clock, microseconds since 1970: for people */
    uint32_t n_moves, n_pieces;
    struct jf_in moves, pieces;
};
/* Checks the whole body. Then jf_move_next() n_moves times, jf_piece_next() n_pieces times. */
bool jf_commit_get(const uint8_t *body, size_t n, struct jf_commit *c);
void jf_move_next(struct jf_commit *c, struct jf_move *m);
void jf_piece_next(struct jf_commit *c, struct jf_piece *p);
void jf_move_put(struct jf_out *o, const struct jf_move *m);
void jf_piece_put(struct jf_out *o, const struct jf_piece *p);

struct jf_segment {
    uint64_t number, first, end, committed, records; /* offsets of its first and behind its last record; bytes; records */
    uint32_t partition;
};
struct jf_snapshot {
    uint8_t id[JF_ID_SIZE];
    uint32_t version, partitions;
    uint64_t next_segment;
    uint64_t end[JF_PARTITIONS], oldest[JF_PARTITIONS];
    uint32_t n_positions, n_segments, n_plans;
    struct jf_in positions, segments, plans;
};
/* Writes all but the three lists, which follow: positions as bytes and position, segments, plan ids as bytes. */
void jf_snapshot_put(struct jf_out *o, const struct jf_snapshot *s);
bool jf_snapshot_get(const uint8_t *body, size_t n, struct jf_snapshot *s);
void jf_segment_put(struct jf_out *o, const struct jf_segment *s);
void jf_segment_next(struct jf_snapshot *s, struct jf_segment *out);

/* A trim: u32 partition, u64 oldest offset held from now on, u32 n, u64 numbers of the segments that are gone. */
struct jf_trim {
    uint32_t partition, n;
    uint64_t oldest;
    struct jf_in segments;
};
bool jf_trim_get(const uint8_t *body, size_t n, struct jf_trim *t);

#endif
