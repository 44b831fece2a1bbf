/* state.c - what the commit log adds up to: positions, ends, segments, the latest plans. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "log.h"

static pen_status no_memory(struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "out of memory");
}

/* -- positions ------------------------------------------------------------------------------------------------------------------- */

/* Index of the key, or where it belongs. */
static size_t find_key(const struct journal *j, const char *key, size_t n, bool *found)
{
    size_t low = 0, high = j->n_positions;
    *found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const char *k = j->positions[mid].key;
        int c = strncmp(k, key, n);
        if (c == 0 && k[n] != '\0')
            c = 1;
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct pen_position *state_position(const struct journal *j, const char *key)
{
    bool found;
    size_t i = find_key(j, key, strlen(key), &found);
    return found ? &j->positions[i].at : NULL;
}

static pen_status set_position(struct journal *j, const char *key, size_t n, const struct pen_position *at, struct pen_error *err)
{
    bool found;
    size_t i = find_key(j, key, n, &found);
    char *copy;
    if (found) {
        j->positions[i].at = *at;
        return PEN_OK;
    }
    if (j->n_positions == j->cap_positions) {
        size_t cap = j->cap_positions ? j->cap_positions * 2 : 16;
        struct position *p = realloc(j->positions, cap * sizeof *p);
        if (!p)
            return no_memory(err);
        j->positions = p;
        j->cap_positions = cap;
    }
    copy = strndup(key, n);
    if (!copy)
        return no_memory(err);
    memmove(j->positions + i + 1, j->positions + i, (j->n_positions - i) * sizeof *j->positions);
    j->positions[i] = (struct position){ copy, *at };
    j->n_positions++;
    return PEN_OK;
}

/* -- plans ----------------------------------------------------------------------------------------------------------------------- */

bool state_knows_plan(const struct journal *j, const char *plan)
{
    for (size_t i = 0; i < PLANS_KEPT; i++)
        if (j->plans[i] && strcmp(j->plans[i], plan) == 0)
            return true;
    return false;
}

static pen_status add_plan(struct journal *j, const char *plan, size_t n, struct pen_error *err)
{
    char *copy = strndup(plan, n);
    if (!copy)
        return no_memory(err);
    free(j->plans[j->next_plan]);
    j->plans[j->next_plan] = copy;
    j->next_plan = (j->next_plan + 1) % PLANS_KEPT;
    return PEN_OK;
}

/* -- segments -------------------------------------------------------------------------------------------------------------------- */

static size_t segment_index(const struct journal *j, uint64_t number)
{
    size_t low = 0, high = j->n_segments;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (j->segments[mid]->is.number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct segment *state_segment(const struct journal *j, uint64_t number)
{
    size_t i = segment_index(j, number);
    return i < j->n_segments && j->segments[i]->is.number == number ? j->segments[i] : NULL;
}

pen_status state_add_segment(struct journal *j, struct segment **out, uint64_t number, uint32_t partition, struct pen_error *err)
{
    size_t i = segment_index(j, number);
    struct segment *s;
    if (j->n_segments == j->cap_segments) {
        size_t cap = j->cap_segments ? j->cap_segments * 2 : 16;
        struct segment **p = realloc(j->segments, cap * sizeof *p);
        if (!p)
            return no_memory(err);
        j->segments = p;
        j->cap_segments = cap;
    }
    s = calloc(1, sizeof *s);
    if (!s)
        return no_memory(err);
    s->is.number = number;
    s->is.partition = partition;
    s->is.committed = s->append = JF_FILE_HEADER;
    memmove(j->segments + i + 1, j->segments + i, (j->n_segments - i) * sizeof *j->segments);
    j->segments[i] = s;
    j->n_segments++;
    if (number >= j->next_segment)
        j->next_segment = number + 1;
    *out = s;
    return PEN_OK;
}

void state_remove_segment(struct journal *j, uint64_t number)
{
    size_t i = segment_index(j, number);
    if (i == j->n_segments || j->segments[i]->is.number != number)
        return;
    free(j->segments[i]);
    memmove(j->segments + i, j->segments + i + 1, (j->n_segments - i - 1) * sizeof *j->segments);
    j->n_segments--;
}

/* -- records ----------------------------------------------------------------------------------------------------------------------- */

static pen_status apply_piece(struct journal *j, const struct jf_piece *p, struct pen_error *err)
{
    struct segment *s = state_segment(j, p->segment);
    if (p->partition >= j->partitions || p->first != j->end[p->partition])
        return pen_fail(err, PEN_FATAL, "a commit goes on at offset %llu of partition %u, where %llu was expected",
                        (unsigned long long)p->first, p->partition,
                        (unsigned long long)(p->partition < j->partitions ? j->end[p->partition] : 0));
    if (!s && state_add_segment(j, &s, p->segment, p->partition, err) < 0)
        return PEN_FATAL;
    if (s->is.partition != p->partition || p->from < s->is.committed)
        return pen_fail(err, PEN_FATAL, "a commit names bytes %llu to %llu of segment %llu, which others have had",
                        (unsigned long long)p->from, (unsigned long long)p->to, (unsigned long long)p->segment);
    if (s->is.records == 0)
        s->is.first = p->first;
    s->is.records += p->records;
    s->is.end = p->first + p->records;
    s->is.committed = p->to;
    if (s->append < p->to)
        s->append = p->to;
    j->end[p->partition] = s->is.end;
    return PEN_OK;
}

static pen_status apply_commit(struct journal *j, struct jf_commit *c, struct pen_error *err)
{
    for (uint32_t i = 0; i < c->n_moves; i++) {
        struct jf_move m;
        jf_move_next(c, &m);
        if (set_position(j, m.key, m.key_size, &m.to, err) < 0)
            return PEN_FATAL;
    }
    for (uint32_t i = 0; i < c->n_pieces; i++) {
        struct jf_piece p;
        jf_piece_next(c, &p);
        if (apply_piece(j, &p, err) < 0)
            return PEN_FATAL;
    }
    return add_plan(j, c->plan, c->plan_size, err);
}

static pen_status apply_snapshot(struct journal *j, struct jf_snapshot *s, struct pen_error *err)
{
    state_clear(j);
    memcpy(j->id, s->id, sizeof j->id);
    j->version = s->version;
    j->partitions = s->partitions;
    memcpy(j->end, s->end, sizeof j->end);
    memcpy(j->oldest, s->oldest, sizeof j->oldest);
    for (uint32_t i = 0; i < s->n_positions; i++) {
        size_t n;
        const char *key = jf_in_name(&s->positions, &n);
        struct pen_position at;
        jf_in_position(&s->positions, &at);
        if (set_position(j, key, n, &at, err) < 0)
            return PEN_FATAL;
    }
    for (uint32_t i = 0; i < s->n_segments; i++) {
        struct jf_segment is;
        struct segment *seg;
        jf_segment_next(s, &is);
        if (state_segment(j, is.number))
            return pen_fail(err, PEN_FATAL, "a snapshot names segment %llu twice", (unsigned long long)is.number);
        if (state_add_segment(j, &seg, is.number, is.partition, err) < 0)
            return PEN_FATAL;
        seg->is = is;
        seg->append = is.committed;
    }
    for (uint32_t i = 0; i < s->n_plans; i++) {
        size_t n;
        const char *plan = jf_in_name(&s->plans, &n);
        if (add_plan(j, plan, n, err) < 0)
            return PEN_FATAL;
    }
    j->next_segment = s->next_segment > j->next_segment ? s->next_segment : j->next_segment;
    return PEN_OK;
}

static void apply_trim(struct journal *j, struct jf_trim *t)
{
    if (t->partition < j->partitions && t->oldest > j->oldest[t->partition] && t->oldest <= j->end[t->partition])
        j->oldest[t->partition] = t->oldest;
    for (uint32_t i = 0; i < t->n; i++)
        state_remove_segment(j, jf_in64(&t->segments));
}

pen_status state_apply(struct journal *j, const struct jf_record *r, const uint8_t *body, struct pen_error *err)
{
    struct jf_snapshot s;
    struct jf_commit c;
    struct jf_trim t;
    switch (r->type) {
    case JF_SNAPSHOT:
        if (jf_snapshot_get(body, r->body, &s))
            return apply_snapshot(j, &s, err);
        return s.version > JF_VERSION ? pen_fail(err, PEN_BADCONF, "its format is version %u, and %u is the last that is known here", s.version, JF_VERSION)
                                      : pen_fail(err, PEN_FATAL, "a snapshot that is none");
    case JF_COMMIT:
        return jf_commit_get(body, r->body, &c) ? apply_commit(j, &c, err) : pen_fail(err, PEN_FATAL, "a commit that is none");
    case JF_TRIM:
        if (!jf_trim_get(body, r->body, &t))
            return pen_fail(err, PEN_FATAL, "a trim that is none");
        apply_trim(j, &t);
        return PEN_OK;
    }
    return PEN_OK;
}

void state_clear(struct journal *j)
{
    for (size_t i = 0; i < j->n_positions; i++)
        free(j->positions[i].key);
    free(j->positions);
    j->positions = NULL;
    j->n_positions = j->cap_positions = 0;
    for (size_t i = 0; i < j->n_segments; i++)
        free(j->segments[i]);
    free(j->segments);
    j->segments = NULL;
    j->n_segments = j->cap_segments = 0;
    for (size_t i = 0; i < PLANS_KEPT; i++) {
        free(j->plans[i]);
        j->plans[i] = NULL;
    }
    j->next_plan = 0;
    j->next_segment = 1;
    memset(j->end, 0, sizeof j->end);
    memset(j->oldest, 0, sizeof j->oldest);
}

void state_snapshot(const struct journal *j, struct jf_out *out)
{
    struct jf_snapshot s = { .version = JF_VERSION, .partitions = j->partitions, .next_segment = j->next_segment };
    memcpy(s.id, j->id, sizeof s.id);
    memcpy(s.end, j->end, sizeof s.end);
    memcpy(s.oldest, j->oldest, sizeof s.oldest);
    s.n_positions = (uint32_t)j->n_positions;
    for (size_t i = 0; i < j->n_segments; i++)
        s.n_segments += j->segments[i]->is.records > 0;
    for (size_t i = 0; i < PLANS_KEPT; i++)
        s.n_plans += j->plans[i] != NULL;
    jf_snapshot_put(out, &s);
    for (size_t i = 0; i < j->n_positions; i++) {
        jf_out_bytes(out, j->positions[i].key, strlen(j->positions[i].key));
        jf_out_position(out, &j->positions[i].at);
    }
    for (size_t i = 0; i < j->n_segments; i++)
        if (j->segments[i]->is.records > 0)
            jf_segment_put(out, &j->segments[i]->is);
    for (size_t i = 0; i < PLANS_KEPT; i++) {
        const char *plan = j->plans[(j->next_plan + i) % PLANS_KEPT];
        if (plan)
            jf_out_bytes(out, plan, strlen(plan));
    }
}
