/* intake.c - records into batches for every stage that wants them; see intake.h and <penstock/records.h>.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/intake.h"
#include "data/json.h"
#include "ops/text.h"

#define KEPT ((size_t)64 << 10) /* of a record that is too long */
#define REASON_SIZE 400u
#define ROW_OVERHEAD 64u /* about what a row's fixed-size values and offsets take */

struct target {
    struct pen_json_decoder *decoder; /* NULL: raw */
    struct pen_builder *raw;
    uint64_t *positions;
    size_t n_positions, positions_room;
};

struct pen_intake {
    struct target *targets;
    size_t n_targets;
    size_t max_record;
    struct pen_rejected *rejected;
    size_t n_rejected, rejected_room;
    struct pen_position *wide;
    size_t n_wide, wide_room;
    int64_t rows;
    size_t bytes;
    bool out_of_memory;
};

/* -- making ----------------------------------------------------------------------------------------------------------------- */

static void forget_rejected(struct pen_intake *in)
{
    for (size_t i = 0; i < in->n_rejected; i++)
        free((void *)(uintptr_t)in->rejected[i].bytes); /* the reason lies in the same block */
    in->n_rejected = 0;
}

void pen_intake_free(struct pen_intake **in)
{
    if (!*in)
        return;
    for (size_t i = 0; (*in)->targets && i < (*in)->n_targets; i++) {
        pen_json_decoder_free(&(*in)->targets[i].decoder);
        pen_builder_free(&(*in)->targets[i].raw);
        free((*in)->targets[i].positions);
    }
    forget_rejected(*in);
    free((*in)->rejected);
    free((*in)->wide);
    free((*in)->targets);
    free(*in);
    *in = NULL;
}

static pen_status target_init(struct target *t, const struct ArrowSchema *want, struct pen_error *err)
{
    struct ArrowSchema raw;
    pen_status st;
    if (want)
        return pen_json_decoder_new(&t->decoder, want, err);
    if ((st = pen_schema_raw(&raw, err)) < 0)
        return st;
    st = pen_builder_new(&t->raw, &raw, err);
    pen_schema_release(&raw);
    return st;
}

pen_status pen_intake_new(struct pen_intake **out, const struct ArrowSchema *const *wants, size_t n_targets, size_t max_record,
                          struct pen_error *err)
{
    struct pen_intake *in = calloc(1, sizeof *in);
    pen_status st = PEN_OK;
    *out = NULL;
    if (!in)
        return pen_fail(err, PEN_FATAL, "out of memory");
    in->max_record = max_record;
    in->n_targets = n_targets;
    in->targets = calloc(n_targets ? n_targets : 1, sizeof *in->targets);
    if (!in->targets)
        st = pen_fail(err, PEN_FATAL, "out of memory");
    for (size_t i = 0; st >= 0 && i < n_targets; i++)
        st = target_init(&in->targets[i], wants[i], err);
    if (st < 0)
        pen_intake_free(&in);
    *out = in;
    return st;
}

/* -- what is common to all records ----------------------------------------------------------------------------------------------- */

/* Room for one more of n things; *room is doubled where it is full. */
static bool grow(struct pen_intake *in, void **things, size_t n, size_t *room, size_t size)
{
    size_t want = *room ? *room * 2 : 64;
    void *larger;
    if (n < *room)
        return true;
    if (!(larger = realloc(*things, want * size))) {
        in->out_of_memory = true;
        return false;
    }
    *things = larger;
    *room = want;
    return true;
}

static void add_position(struct pen_intake *in, struct target *t, uint64_t position)
{
    void *positions = t->positions;
    if (__builtin_expect(t->n_positions == t->positions_room, 0)) {
        bool good = grow(in, &positions, t->n_positions, &t->positions_room, sizeof *t->positions);
        t->positions = positions;
        if (!good)
            return;
    }
    t->positions[t->n_positions++] = position;
}

static void reject(struct pen_intake *in, uint32_t target, int64_t ordinal, const char *bytes, size_t n, uint64_t length, uint64_t position,
                   const char *reason)
{
    size_t kept = length > in->max_record && n > KEPT ? KEPT : n, reason_n = strlen(reason) + 1;
    void *all = in->rejected;
    char *block;
    if (!grow(in, &all, in->n_rejected, &in->rejected_room, sizeof *in->rejected))
        return;
    in->rejected = all;
    if (!(block = malloc(kept + reason_n))) {
        in->out_of_memory = true;
        return;
    }
    if (kept)
        memcpy(block, bytes, kept);
    memcpy(block + kept, reason, reason_n);
    in->rejected[in->n_rejected++] = (struct pen_rejected){ .target = target, .position = position, .ordinal = ordinal, .bytes = block,
                                                            .n = kept, .length = length, .reason = block + kept };
    in->bytes += kept + reason_n;
}

static void reject_overlong(struct pen_intake *in, uint32_t target, int64_t ordinal, const char *bytes, size_t n, uint64_t length,
                            uint64_t position)
{
    char reason[REASON_SIZE];
    snprintf(reason, sizeof reason, "record of %llu bytes is longer than max_record (%zu)", (unsigned long long)length, in->max_record);
    reject(in, target, ordinal, bytes, n, length, position, reason);
}

static void reject_undecoded(struct pen_intake *in, size_t target, int64_t ordinal, const char *bytes, size_t n, uint64_t position)
{
    char reason[REASON_SIZE];
    pen_json_explain(in->targets[target].decoder, bytes, reason, sizeof reason);
    reject(in, (uint32_t)target, ordinal, bytes, n, n, position, reason);
}

/* One row of raw messages. */
static void add_raw(struct pen_builder *b, const struct pen_message *m)
{
    struct pen_builder *headers = pen_builder_child(b, 5), *item = pen_builder_child(headers, 0);
    if (m->key)
        pen_builder_bytes_value(pen_builder_child(b, 0), m->key, m->key_size);
    else
        pen_builder_null(pen_builder_child(b, 0));
    if (m->value)
        pen_builder_bytes_value(pen_builder_child(b, 1), m->value, m->value_size);
    else
        pen_builder_null(pen_builder_child(b, 1));
    if (m->timestamp != INT64_MIN)
        pen_builder_int64(pen_builder_child(b, 2), m->timestamp);
    else
        pen_builder_null(pen_builder_child(b, 2));
    if (m->partition)
        pen_builder_bytes_value(pen_builder_child(b, 3), m->partition, strlen(m->partition));
    else
        pen_builder_null(pen_builder_child(b, 3));
    if (m->offset >= 0)
        pen_builder_int64(pen_builder_child(b, 4), m->offset);
    else
        pen_builder_null(pen_builder_child(b, 4));
    for (size_t i = 0; i < m->n_headers; i++) {
        const struct pen_header *h = &m->headers[i];
        pen_builder_bytes_value(pen_builder_child(item, 0), h->name, strlen(h->name));
        if (h->value)
            pen_builder_bytes_value(pen_builder_child(item, 1), h->value, h->value_size);
        else
            pen_builder_null(pen_builder_child(item, 1));
        pen_builder_end_struct(item);
    }
    if (m->n_headers)
        pen_builder_end_list(headers);
    else
        pen_builder_null(headers);
}

/* -- messages --------------------------------------------------------------------------------------------------------------- */

static void decode_message(struct pen_intake *in, size_t target, const struct pen_message *m)
{
    struct pen_json_decoder *d = in->targets[target].decoder;
    const char *value = m->value, *next;
    if (!value) {
        reject(in, (uint32_t)target, in->rows, "", 0, 0, m->position, "message without a value (a tombstone)");
        return;
    }
    d->end = value + m->value_size;
    d->lines = false;
    switch (d->kernel->record(d, value, &next)) {
    case PEN_JSON_ROW: add_position(in, &in->targets[target], m->position); break;
    case PEN_JSON_BLANK: reject(in, (uint32_t)target, in->rows, value, m->value_size, m->value_size, m->position, "no JSON object: blank"); break;
    case PEN_JSON_BAD: reject_undecoded(in, target, in->rows, value, m->value_size, m->position); break;
    }
}

/* Keeps a whole position; its index stands for it from then on. */
static uint64_t add_wide(struct pen_intake *in, const struct pen_position *at)
{
    void *wide = in->wide;
    bool good = grow(in, &wide, in->n_wide, &in->wide_room, sizeof *in->wide);
    in->wide = wide;
    if (!good)
        return 0;
    in->wide[in->n_wide] = *at;
    return in->n_wide++;
}

static void take_message(struct pen_intake *in, const struct pen_message *m)
{
    if (m->value && m->value_size > in->max_record) {
        pen_intake_overlong(in, m->value, m->value_size, m->value_size, m->position);
        return;
    }
    for (size_t i = 0; i < in->n_targets; i++) {
        in->bytes += m->value_size + ROW_OVERHEAD;
        if (in->targets[i].decoder) {
            decode_message(in, i, m);
        } else {
            add_raw(in->targets[i].raw, m);
            add_position(in, &in->targets[i], m->position);
            in->bytes += m->key_size;
        }
    }
    in->rows++;
}

bool pen_intake_wants_raw(const struct pen_intake *in)
{
    for (size_t i = 0; i < in->n_targets; i++)
        if (in->targets[i].raw)
            return true;
    return false;
}

void pen_intake_message(struct pen_intake *in, const struct pen_message *m)
{
    struct pen_message by_index;
    if (m->at) {
        by_index = *m;
        by_index.position = add_wide(in, m->at);
        m = &by_index;
    }
    take_message(in, m);
}

/* -- lines ------------------------------------------------------------------------------------------------------------------ */

/* Where the line at p ends: its newline, or end. */
static const char *line_end(const char *p, const char *end)
{
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    return newline ? newline : end;
}

/* Decodes lines for one target until max_rows records were met; returns where it stopped, *rows is how many. */
static const char *decode_lines(struct pen_intake *in, size_t target, const char *bytes, const char *end, uint64_t position, int64_t max_rows,
                                int64_t *rows)
{
    struct target *t = &in->targets[target];
    struct pen_json_decoder *d = t->decoder;
    pen_json_outcome (*record)(struct pen_json_decoder *, const char *, const char **) = d->kernel->record;
    const char *p = bytes, *next;
    d->end = end;
    d->lines = true;
    *rows = 0;
    while (p < end && *rows < max_rows) {
        uint64_t at = position + (uint64_t)(p - bytes);
        pen_json_outcome outcome = record(d, p, &next);
        if (outcome == PEN_JSON_BAD)
            next = line_end(p, end);
        if (__builtin_expect(outcome == PEN_JSON_ROW && (size_t)(next - p) > in->max_record, 0)) {
            size_t n = (size_t)(line_end(p, end) - p);
            if (n > in->max_record) {
                pen_builder_truncate(d->builder, pen_builder_length(d->builder) - 1);
                reject_overlong(in, (uint32_t)target, in->rows + *rows, p, n, n, at);
                outcome = PEN_JSON_BAD;
            }
        } else if (outcome == PEN_JSON_BAD) {
            size_t n = (size_t)(next - p);
            if (n > in->max_record)
                reject_overlong(in, (uint32_t)target, in->rows + *rows, p, n, n, at);
            else
                reject_undecoded(in, target, in->rows + *rows, p, n, at);
            next += next < end;
        }
        if (outcome == PEN_JSON_ROW)
            add_position(in, t, at);
        *rows += outcome != PEN_JSON_BLANK;
        p = next;
    }
    return p;
}

static bool is_blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    return p == end;
}

static const char *raw_lines(struct pen_intake *in, size_t target, const char *bytes, const char *end, uint64_t position, int64_t max_rows,
                             int64_t *rows)
{
    struct target *t = &in->targets[target];
    const char *p = bytes;
    *rows = 0;
    while (p < end && *rows < max_rows) {
        const char *stop = line_end(p, end);
        uint64_t at = position + (uint64_t)(p - bytes);
        struct pen_message m = { .value = p, .value_size = (size_t)(stop - p), .timestamp = INT64_MIN, .offset = -1, .position = at };
        if (m.value_size > in->max_record) {
            reject_overlong(in, (uint32_t)target, in->rows + *rows, p, m.value_size, m.value_size, at);
            ++*rows;
        } else if (!is_blank(p, stop)) {
            add_raw(t->raw, &m);
            add_position(in, t, at);
            ++*rows;
        }
        p = stop < end ? stop + 1 : stop;
    }
    return p;
}

size_t pen_intake_lines(struct pen_intake *in, const char *bytes, size_t n, bool at_end, uint64_t position, int64_t max_rows)
{
    const char *end = bytes + n, *stop = bytes;
    int64_t rows = 0;
    if (!at_end) {
        const char *newline = n ? memrchr(bytes, '\n', n) : NULL;
        if (!newline)
            return 0;
        end = newline + 1;
    }
    for (size_t i = 0; i < in->n_targets; i++) /* each stops at the same line: what a record is does not hang on the target */
        stop = in->targets[i].decoder ? decode_lines(in, i, bytes, end, position, max_rows, &rows)
                                      : raw_lines(in, i, bytes, end, position, max_rows, &rows);
    in->rows += rows;
    in->bytes += in->n_targets * ((size_t)(stop - bytes) + (size_t)rows * ROW_OVERHEAD);
    return in->n_targets ? (size_t)(stop - bytes) : (size_t)(end - bytes);
}

/* -- what the source rejects ---------------------------------------------------------------------------------------------------- */

void pen_intake_overlong(struct pen_intake *in, const char *first, size_t n, uint64_t length, uint64_t position)
{
    reject_overlong(in, UINT32_MAX, in->rows++, first, n < KEPT ? n : KEPT, length, position);
}

void pen_intake_reject(struct pen_intake *in, const void *bytes, size_t n, uint64_t position, const char *fmt, ...)
{
    char raw[REASON_SIZE], reason[REASON_SIZE];
    va_list ap;
    int len;
    va_start(ap, fmt);
    len = vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    pen_text_escape(reason, sizeof reason, raw, len < 0 ? 0 : (size_t)len < sizeof raw ? (size_t)len : sizeof raw - 1);
    reject(in, UINT32_MAX, in->rows++, bytes, n, n, position, reason);
}

/* -- batches out ------------------------------------------------------------------------------------------------------------ */

int64_t pen_intake_rows(const struct pen_intake *in)
{
    return in->rows;
}

size_t pen_intake_bytes(const struct pen_intake *in)
{
    return in->bytes;
}

size_t pen_intake_max_record(const struct pen_intake *in)
{
    return in->max_record;
}

void pen_intake_begin(struct pen_intake *in)
{
    forget_rejected(in);
    for (size_t i = 0; i < in->n_targets; i++) {
        struct target *t = &in->targets[i];
        t->n_positions = 0;
        for (size_t f = 0; t->decoder && f < t->decoder->root.n_fields; f++)
            t->decoder->root.fields[f].nulled = 0;
        pen_builder_truncate(t->decoder ? t->decoder->builder : t->raw, 0);
    }
    in->n_wide = 0;
    in->rows = 0;
    in->bytes = 0;
    in->out_of_memory = false;
}

pen_status pen_intake_finish(struct pen_intake *in, struct ArrowArray *out, struct pen_error *err)
{
    pen_status st = in->out_of_memory ? pen_fail(err, PEN_FATAL, "out of memory") : PEN_OK;
    for (size_t i = 0; i < in->n_targets; i++)
        memset(&out[i], 0, sizeof out[i]);
    for (size_t i = 0; st >= 0 && i < in->n_targets; i++) {
        struct target *t = &in->targets[i];
        st = pen_builder_finish(t->decoder ? t->decoder->builder : t->raw, &out[i], err);
    }
    for (size_t i = 0; st < 0 && i < in->n_targets; i++)
        pen_array_release(&out[i]);
    return st;
}

const struct pen_position *pen_intake_wide(const struct pen_intake *in)
{
    return in->n_wide ? in->wide : NULL;
}

const uint64_t *pen_intake_positions(const struct pen_intake *in, size_t target)
{
    return in->targets[target].positions;
}

const struct pen_rejected *pen_intake_rejected(const struct pen_intake *in, size_t *n)
{
    *n = in->n_rejected;
    return in->rejected;
}

int64_t pen_intake_nulled(const struct pen_intake *in, size_t target, size_t column)
{
    const struct pen_json_decoder *d = in->targets[target].decoder;
    return d ? d->root.fields[column].nulled : 0;
}
