/* format.c - see format.h. SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "format.h"

static const uint8_t segment_magic[8] = { 'P', 'E', 'N', 'J', 'S', 'E', 'G', '\n' };
#define BLOCK_MAGIC 0x314B4C42u  /* "BLK1" */
#define SEAL_MAGIC 0x4C414553u   /* "SEAL" */
#define RECORD_MAGIC 0x31474F4Cu /* "LOG1" */

void jf_put32(uint8_t *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof v);
}
void jf_put64(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof v);
}
uint32_t jf_get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return le32toh(v);
}
uint64_t jf_get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

void jf_out_free(struct jf_out *o)
{
    free(o->p);
    memset(o, 0, sizeof *o);
}
uint8_t *jf_out_room(struct jf_out *o, size_t n)
{
    if (o->failed)
        return NULL;
    if (n > o->cap - o->n) {
        size_t cap = o->cap < 256 ? 256 : o->cap * 2;
        uint8_t *p;
        while (cap - o->n < n && cap < SIZE_MAX / 4)
            cap *= 2;
        p = cap - o->n < n ? NULL : realloc(o->p, cap);
        if (!p) {
            o->failed = true;
            return NULL;
        }
        o->p = p;
        o->cap = cap;
    }
    o->n += n;
    return o->p + o->n - n;
}
void jf_out32(struct jf_out *o, uint32_t v)
{
    uint8_t *p = jf_out_room(o, 4);
    if (p)
        jf_put32(p, v);
}
void jf_out64(struct jf_out *o, uint64_t v)
{
    uint8_t *p = jf_out_room(o, 8);
    if (p)
        jf_put64(p, v);
}
void jf_out_bytes(struct jf_out *o, const void *bytes, size_t n)
{
    uint8_t *p;
    if (n >= JF_NULL) {
        o->failed = true;
        return;
    }
    jf_out32(o, (uint32_t)n);
    p = jf_out_room(o, n);
    if (p && n)
        memcpy(p, bytes, n);
}
void jf_out_position(struct jf_out *o, const struct pen_position *pos)
{
    jf_out32(o, pos->n);
    for (uint32_t i = 0; i < pos->n; i++)
        jf_out64(o, pos->w[i]);
}

static const uint8_t *take(struct jf_in *in, size_t n)
{
    const uint8_t *p = in->p;
    if (in->bad || n > in->n) {
        in->bad = true;
        return NULL;
    }
    in->p += n;
    in->n -= n;
    return p;
}
uint32_t jf_in32(struct jf_in *in)
{
    const uint8_t *p = take(in, 4);
    return p ? jf_get32(p) : 0;
}
uint64_t jf_in64(struct jf_in *in)
{
    const uint8_t *p = take(in, 8);
    return p ? jf_get64(p) : 0;
}
const uint8_t *jf_in_bytes(struct jf_in *in, size_t *n)
{
    const uint8_t *p;
    *n = jf_in32(in);
    p = take(in, *n);
    if (!p)
        *n = 0;
    return p;
}
const char *jf_in_name(struct jf_in *in, size_t *n)
{
    const uint8_t *p = jf_in_bytes(in, n);
    for (size_t i = 0; i < *n; i++)
        in->bad |= p[i] <= ' ' || p[i] == 0x7F;
    in->bad |= *n == 0;
    return (const char *)p;
}
void jf_in_position(struct jf_in *in, struct pen_position *pos)
{
    memset(pos, 0, sizeof *pos);
    pos->n = jf_in32(in);
    if (pos->n > 4) {
        in->bad = true;
        pos->n = 0;
    }
    for (uint32_t i = 0; i < pos->n; i++)
        pos->w[i] = jf_in64(in);
}

/* -- segment files --------------------------------------------------------------------------------------------------------------- */

void jf_segment_header_put(uint8_t out[JF_FILE_HEADER], const struct jf_segment_header *h)
{
    memset(out, 0, JF_FILE_HEADER);
    memcpy(out, segment_magic, 8);
    jf_put32(out + 12, JF_SEGMENT_VERSION);
    memcpy(out + 16, h->id, JF_ID_SIZE);
    jf_put64(out + 32, h->number);
    jf_put32(out + 40, h->partition);
    jf_put32(out + 8, pen_crc32c(0, out + 12, JF_FILE_HEADER - 12));
}
bool jf_segment_header_get(const uint8_t in[JF_FILE_HEADER], struct jf_segment_header *h)
{
    memcpy(h->id, in + 16, JF_ID_SIZE);
    h->number = jf_get64(in + 32);
    h->partition = jf_get32(in + 40);
    return memcmp(in, segment_magic, 8) == 0 && jf_get32(in + 8) == pen_crc32c(0, in + 12, JF_FILE_HEADER - 12) &&
           jf_get32(in + 12) == JF_SEGMENT_VERSION && h->partition < JF_PARTITIONS;
}

void jf_block_put(uint8_t out[JF_BLOCK_HEADER], const struct jf_block *b)
{
    jf_put32(out, BLOCK_MAGIC);
    jf_put32(out + 8, b->body_crc);
    jf_put32(out + 12, b->flags);
    jf_put32(out + 16, b->records);
    jf_put32(out + 20, 0);
    jf_put64(out + 24, b->body);
    jf_put64(out + 32, b->value_bytes);
    jf_put64(out + 40, b->key_bytes);
    jf_put64(out + 48, b->header_bytes);
    jf_put64(out + 56, b->segment);
    jf_put32(out + 4, pen_crc32c(0, out + 8, JF_BLOCK_HEADER - 8));
}

/* Bytes a record takes in the arrays at the front of a body. */
static uint64_t row_size(uint32_t flags)
{
    return 4 + (flags & JF_BLOCK_TIMESTAMPS ? 8u : 0u) + (flags & JF_BLOCK_KEYS ? 4u : 0u) + (flags & JF_BLOCK_HEADERS ? 4u : 0u);
}

bool jf_block_get(const uint8_t in[JF_BLOCK_HEADER], struct jf_block *b)
{
    const uint64_t limit = UINT64_C(1) << 48; /* keeps the sums below from overflowing */
    b->body_crc = jf_get32(in + 8);
    b->flags = jf_get32(in + 12);
    b->records = jf_get32(in + 16);
    b->body = jf_get64(in + 24);
    b->value_bytes = jf_get64(in + 32);
    b->key_bytes = jf_get64(in + 40);
    b->header_bytes = jf_get64(in + 48);
    b->segment = jf_get64(in + 56);
    return jf_get32(in) == BLOCK_MAGIC && jf_get32(in + 4) == pen_crc32c(0, in + 8, JF_BLOCK_HEADER - 8) &&
           (b->flags & ~(JF_BLOCK_KEYS | JF_BLOCK_TIMESTAMPS | JF_BLOCK_HEADERS)) == 0 && b->records > 0 && jf_get32(in + 20) == 0 &&
           b->value_bytes < limit && b->key_bytes < limit && b->header_bytes < limit &&
           b->body == b->records * row_size(b->flags) + b->value_bytes + b->key_bytes + b->header_bytes;
}

static bool sizes_add_up(const uint8_t *sizes, uint32_t n, uint64_t total)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t size = jf_get32(sizes + 4 * (size_t)i);
        sum += size == JF_NULL ? 0 : size;
    }
    return sum == total;
}

bool jf_block_walk(const struct jf_block *b, const uint8_t *body, struct jf_walk *w)
{
    const uint8_t *p = body;
    memset(w, 0, sizeof *w);
    w->records = b->records;
    if (b->flags & JF_BLOCK_TIMESTAMPS) {
        w->times = p;
        p += 8 * (size_t)b->records;
    }
    w->value_sizes = p;
    p += 4 * (size_t)b->records;
    if (b->flags & JF_BLOCK_KEYS) {
        w->key_sizes = p;
        p += 4 * (size_t)b->records;
    }
    if (b->flags & JF_BLOCK_HEADERS) {
        w->header_sizes = p;
        p += 4 * (size_t)b->records;
    }
    w->value = p;
    w->key = w->value + b->value_bytes;
    w->header = w->key + b->key_bytes;
    return sizes_add_up(w->value_sizes, b->records, b->value_bytes) &&
           (w->key_sizes ? sizes_add_up(w->key_sizes, b->records, b->key_bytes) : b->key_bytes == 0) &&
           (w->header_sizes ? sizes_add_up(w->header_sizes, b->records, b->header_bytes) : b->header_bytes == 0);
}

static void next_of(const uint8_t *sizes, uint32_t i, const uint8_t **at, const uint8_t **p, uint32_t *n)
{
    *p = NULL;
    *n = 0;
    if (!sizes || jf_get32(sizes + 4 * (size_t)i) == JF_NULL)
        return;
    *n = jf_get32(sizes + 4 * (size_t)i);
    *p = *at;
    *at += *n;
}

void jf_walk_next(struct jf_walk *w, struct jf_message *m)
{
    uint32_t i = w->next++;
    next_of(w->value_sizes, i, &w->value, &m->value, &m->value_size);
    next_of(w->key_sizes, i, &w->key, &m->key, &m->key_size);
    next_of(w->header_sizes, i, &w->header, &m->headers, &m->headers_size);
    m->timestamp = w->times ? (int64_t)jf_get64(w->times + 8 * (size_t)i) : INT64_MIN;
}

bool jf_header_next(struct jf_in *in, const char **name, size_t *name_size, const uint8_t **value, size_t *value_size)
{
    uint32_t n;
    if (in->bad || in->n == 0)
        return false;
    *name = (const char *)jf_in_bytes(in, name_size);
    n = jf_in32(in);
    *value_size = n == JF_NULL ? 0 : n;
    *value = n == JF_NULL ? NULL : take(in, n);
    return !in->bad;
}

void jf_seal_put(uint8_t out[JF_SEAL_HEADER], const struct jf_seal *s)
{
    jf_put32(out, SEAL_MAGIC);
    jf_put32(out + 8, s->blocks_crc);
    jf_put32(out + 12, s->record);
    jf_put64(out + 16, s->segment);
    jf_put64(out + 24, s->at);
    jf_put32(out + 4, pen_crc32c(0, out + 8, JF_SEAL_HEADER - 8));
}
bool jf_seal_get(const uint8_t in[JF_SEAL_HEADER], struct jf_seal *s)
{
    s->blocks_crc = jf_get32(in + 8);
    s->record = jf_get32(in + 12);
    s->segment = jf_get64(in + 16);
    s->at = jf_get64(in + 24);
    return jf_get32(in) == SEAL_MAGIC && jf_get32(in + 4) == pen_crc32c(0, in + 8, JF_SEAL_HEADER - 8) && s->record >= JF_RECORD_HEADER &&
           s->record <= JF_SEAL_ROOM - JF_SEAL_HEADER && s->record % 8 == 0;
}

/* -- the commit log ------------------------------------------------------------------------------------------------------------------ */

void jf_record_put(uint8_t out[JF_RECORD_HEADER], const struct jf_record *r)
{
    jf_put32(out, RECORD_MAGIC);
    jf_put32(out + 8, r->body_crc);
    jf_put32(out + 12, (uint32_t)r->type);
    jf_put32(out + 16, r->body);
    jf_put32(out + 20, 0);
    jf_put64(out + 24, r->sequence);
    jf_put32(out + 4, pen_crc32c(0, out + 8, JF_RECORD_HEADER - 8));
}
bool jf_record_get(const uint8_t in[JF_RECORD_HEADER], struct jf_record *r)
{
    uint32_t type = jf_get32(in + 12);
    r->type = (jf_record_type)type;
    r->body_crc = jf_get32(in + 8);
    r->body = jf_get32(in + 16);
    r->sequence = jf_get64(in + 24);
    return jf_get32(in) == RECORD_MAGIC && jf_get32(in + 4) == pen_crc32c(0, in + 8, JF_RECORD_HEADER - 8) &&
           type >= JF_SNAPSHOT && type <= JF_TRIM && jf_get32(in + 20) == 0;
}

void jf_move_put(struct jf_out *o, const struct jf_move *m)
{
    jf_out_bytes(o, m->key, m->key_size);
    jf_out_position(o, &m->from);
    jf_out_position(o, &m->to);
}
void jf_move_next(struct jf_commit *c, struct jf_move *m)
{
    m->key = jf_in_name(&c->moves, &m->key_size);
    jf_in_position(&c->moves, &m->from);
    jf_in_position(&c->moves, &m->to);
}
void jf_piece_put(struct jf_out *o, const struct jf_piece *p)
{
    jf_out32(o, p->partition);
    jf_out64(o, p->segment);
    jf_out64(o, p->from);
    jf_out64(o, p->to);
    jf_out64(o, p->first);
    jf_out64(o, p->records);
}
void jf_piece_next(struct jf_commit *c, struct jf_piece *p)
{
    p->partition = jf_in32(&c->pieces);
    p->segment = jf_in64(&c->pieces);
    p->from = jf_in64(&c->pieces);
    p->to = jf_in64(&c->pieces);
    p->first = jf_in64(&c->pieces);
    p->records = jf_in64(&c->pieces);
}

static bool piece_fits(const struct jf_piece *p)
{
    return p->partition < JF_PARTITIONS && p->from >= JF_FILE_HEADER && p->from < p->to && p->to <= INT64_MAX && p->from % 8 == 0 &&
           p->to % 8 == 0 && p->records > 0 && p->records <= INT64_MAX && p->first <= INT64_MAX - p->records;
}

bool jf_commit_get(const uint8_t *body, size_t n, struct jf_commit *c)
{
    struct jf_in in = { body, n, false };
    struct jf_commit walk;
    memset(c, 0, sizeof *c);
    c->plan = jf_in_name(&in, &c->plan_size);
    c->time = (int64_t)jf_in64(&in);
    c->n_moves = jf_in32(&in);
    c->n_pieces = jf_in32(&in);
    c->moves = in;
    walk = *c;
    for (uint32_t i = 0; i < c->n_moves && !walk.moves.bad; i++) {
        struct jf_move m;
        jf_move_next(&walk, &m);
    }
    if (walk.moves.bad)
        return false;
    c->pieces = walk.pieces = walk.moves;
    for (uint32_t i = 0; i < c->n_pieces && !walk.pieces.bad; i++) {
        struct jf_piece p;
        jf_piece_next(&walk, &p);
        if (!piece_fits(&p))
            return false;
    }
    return !walk.pieces.bad && walk.pieces.n == 0;
}

void jf_segment_put(struct jf_out *o, const struct jf_segment *s)
{
    jf_out64(o, s->number);
    jf_out32(o, s->partition);
    jf_out64(o, s->first);
    jf_out64(o, s->end);
    jf_out64(o, s->committed);
    jf_out64(o, s->records);
}
void jf_segment_next(struct jf_snapshot *s, struct jf_segment *out)
{
    out->number = jf_in64(&s->segments);
    out->partition = jf_in32(&s->segments);
    out->first = jf_in64(&s->segments);
    out->end = jf_in64(&s->segments);
    out->committed = jf_in64(&s->segments);
    out->records = jf_in64(&s->segments);
}

void jf_snapshot_put(struct jf_out *o, const struct jf_snapshot *s)
{
    uint8_t *id = jf_out_room(o, JF_ID_SIZE);
    if (id)
        memcpy(id, s->id, JF_ID_SIZE);
    jf_out32(o, s->version);
    jf_out32(o, s->partitions);
    jf_out64(o, s->next_segment);
    for (uint32_t i = 0; i < s->partitions; i++) {
        jf_out64(o, s->end[i]);
        jf_out64(o, s->oldest[i]);
    }
    jf_out32(o, s->n_positions);
    jf_out32(o, s->n_segments);
    jf_out32(o, s->n_plans);
}

/* Finds where each list of a snapshot begins, and that the last one ends with the body. */
static bool snapshot_lists(struct jf_in in, struct jf_snapshot *s)
{
    struct jf_snapshot walk = *s;
    size_t n;
    s->positions = in;
    for (uint32_t i = 0; i < s->n_positions && !in.bad; i++) {
        struct pen_position pos;
        jf_in_name(&in, &n);
        jf_in_position(&in, &pos);
    }
    s->segments = walk.segments = in;
    for (uint32_t i = 0; i < s->n_segments && !walk.segments.bad; i++) {
        struct jf_segment seg;
        jf_segment_next(&walk, &seg);
        if (seg.partition >= s->partitions || seg.first > seg.end || seg.end > s->end[seg.partition] || seg.committed > INT64_MAX)
            return false;
    }
    in = s->plans = walk.segments;
    for (uint32_t i = 0; i < s->n_plans && !in.bad; i++)
        jf_in_name(&in, &n);
    return !in.bad && in.n == 0;
}

bool jf_snapshot_get(const uint8_t *body, size_t n, struct jf_snapshot *s)
{
    struct jf_in in = { body, n, false };
    const uint8_t *id = take(&in, JF_ID_SIZE);
    memset(s, 0, sizeof *s);
    if (!id)
        return false;
    memcpy(s->id, id, JF_ID_SIZE);
    s->version = jf_in32(&in);
    s->partitions = jf_in32(&in);
    if (s->version < 1 || s->version > JF_VERSION || s->partitions == 0 || s->partitions > JF_PARTITIONS)
        return false;
    s->next_segment = jf_in64(&in);
    for (uint32_t i = 0; i < s->partitions; i++) {
        s->end[i] = jf_in64(&in);
        s->oldest[i] = jf_in64(&in);
        if (s->end[i] > INT64_MAX || s->oldest[i] > s->end[i])
            return false;
    }
    s->n_positions = jf_in32(&in);
    s->n_segments = jf_in32(&in);
    s->n_plans = jf_in32(&in);
    return !in.bad && snapshot_lists(in, s);
}

bool jf_trim_get(const uint8_t *body, size_t n, struct jf_trim *t)
{
    struct jf_in in = { body, n, false };
    memset(t, 0, sizeof *t);
    t->partition = jf_in32(&in);
    t->oldest = jf_in64(&in);
    t->n = jf_in32(&in);
    t->segments = in;
    return !in.bad && t->partition < JF_PARTITIONS && in.n == 8 * (uint64_t)t->n;
}
