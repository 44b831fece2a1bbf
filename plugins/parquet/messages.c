/* messages.c - rows of files that hold raw messages, as messages: what an archive kept goes the way it would have gone. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "plugin.h"

struct message_columns {
    struct pen_column key, value, timestamp, partition, offset, headers, names, values;
};

static const char *text_at(const struct pen_column *c, int64_t row, struct pen_text *room)
{
    size_t n;
    const char *bytes = pen_column_bytes(c, row, &n);
    pen_text_clear(room);
    pen_text_append(room, bytes, n);
    pen_text_append(room, "", 1);
    return room->failed ? NULL : room->bytes;
}

/* The headers of a row: texts in `names`, whose memory moves while it grows, so pointers are set at the end. */
static bool take_headers(const struct message_columns *c, int64_t row, struct pen_header *headers, size_t n, struct pen_text *names)
{
    int32_t first = c->headers.offsets[c->headers.offset + row];
    pen_text_clear(names);
    for (size_t i = 0; i < n; i++) {
        int64_t at = first + (int64_t)i;
        size_t length;
        const char *name = pen_column_bytes(&c->names, at, &length);
        pen_text_append(names, name, length);
        pen_text_append(names, "", 1);
        headers[i].value = pen_column_is_null(&c->values, at) ? NULL : pen_column_bytes(&c->values, at, &headers[i].value_size);
    }
    for (size_t i = 0, at = 0, length; i < n && !names->failed; i++, at += length + 1) {
        headers[i].name = names->bytes + at;
        pen_column_bytes(&c->names, first + (int64_t)i, &length);
    }
    return !names->failed;
}

static pen_status give_message(const struct message_columns *c, int64_t row, uint64_t position, struct pen_intake *to, struct pen_text *room,
                               struct pen_text *names, struct pen_error *err)
{
    struct pen_message m = { .timestamp = INT64_MIN, .offset = -1, .position = position };
    struct pen_header *headers = NULL;
    bool good = true;
    if (!pen_column_is_null(&c->key, row))
        m.key = pen_column_bytes(&c->key, row, &m.key_size);
    if (!pen_column_is_null(&c->value, row))
        m.value = pen_column_bytes(&c->value, row, &m.value_size);
    if (!pen_column_is_null(&c->timestamp, row))
        m.timestamp = pen_column_int64(&c->timestamp, row);
    if (!pen_column_is_null(&c->offset, row))
        m.offset = pen_column_int64(&c->offset, row);
    if (!pen_column_is_null(&c->partition, row))
        good = (m.partition = text_at(&c->partition, row, room)) != NULL;
    if (!pen_column_is_null(&c->headers, row)) {
        const int32_t *ends = c->headers.offsets + c->headers.offset + row;
        m.n_headers = (size_t)(ends[1] - ends[0]);
        m.headers = headers = calloc(m.n_headers + 1, sizeof *headers);
        good = good && headers && take_headers(c, row, headers, m.n_headers, names);
    }
    if (good)
        pen_intake_message(to, &m);
    free(headers);
    return good ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
}

pen_status messages_give(const struct ArrowArray *batch, uint64_t first, struct pen_intake *to, struct pen_error *err)
{
    const struct ArrowArray *item = batch->children[5]->children[0];
    const struct message_columns c = { pen_column_at(batch, 0), pen_column_at(batch, 1), pen_column_at(batch, 2), pen_column_at(batch, 3),
                                       pen_column_at(batch, 4), pen_column_at(batch, 5), pen_column_at(item, 0), pen_column_at(item, 1) };
    struct pen_text room = { 0 }, names = { 0 };
    pen_status st = PEN_OK;
    for (int64_t i = 0; i < batch->length && st >= 0; i++)
        st = give_message(&c, i, first + (uint64_t)i, to, &room, &names, err);
    pen_text_fini(&room);
    pen_text_fini(&names);
    return st;
}
