/* records.h - from messages to batches: what sources feed, and JSON for stages that meet it.
 *
 * A source whose records are bytes (lines of a file, messages of a topic) does not decide what becomes of them: it feeds them to the
 * intake of its output, and the host builds what the stages behind it want: raw batches, decoded columns, or both, in one pass over the
 * bytes. A record that cannot be decoded becomes a dead letter with its position; the source need not know.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PENSTOCK_RECORDS_H
#define PENSTOCK_RECORDS_H

#include <penstock/arrow.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Columns of a batch of raw messages, in this order: key binary, value binary, timestamp timestamp, partition utf8, offset int64,
 * headers list<struct<name utf8, value binary>>; all nullable but value. Makes *out that schema. */
pen_status pen_schema_raw(struct ArrowSchema *out, struct pen_error *err);
bool pen_schema_is_raw(const struct ArrowSchema *schema);

struct pen_intake;
struct pen_position;

struct pen_header {
    const char *name;
    const void *value; /* NULL: null */
    size_t value_size;
};
struct pen_message {
    const void *key;   /* NULL: null */
    size_t key_size;
    const void *value; /* NULL: null, a tombstone: kept in raw batches, a dead letter where it is to be decoded */
    size_t value_size;
    int64_t timestamp; /* microseconds, INT64_MIN: null */
    const char *partition; /* the transport's own name of it, NULL: null */
    int64_t offset;    /* by the transport's count, -1: null */
    const struct pen_header *headers;
    size_t n_headers;
    uint64_t position; /* last word of the record's position */
    const struct pen_position *at; /* the whole of it, for sources whose records differ in more than that; NULL: the read's `from` with `position` last */
};

/* Whether somebody wants raw messages. Where nobody does, key, timestamp, partition, offset and headers are looked at by no one, and may be left out. */
bool pen_intake_wants_raw(const struct pen_intake *in);
/* One message. Any source thread that was handed the intake, during read(). */
void pen_intake_message(struct pen_intake *in, const struct pen_message *m);
/* JSON lines: takes whole lines from bytes[0..n) until `max_rows` rows were made; answers how many bytes were taken. The position of a line
 * is `position` + the offset of its first byte. Blank lines are no records. at_end: the last line may lack its newline. Answers 0 where no
 * line ends within n bytes (give more, or call pen_intake_overlong). */
size_t pen_intake_lines(struct pen_intake *in, const char *bytes, size_t n, bool at_end, uint64_t position, int64_t max_rows);
/* A record that is longer than max_record, of which only the first n bytes are at hand: a dead letter of that length. */
void pen_intake_overlong(struct pen_intake *in, const char *first, size_t n, uint64_t length, uint64_t position);
/* A record that the source itself cannot take (a broken CSV line): a dead letter. */
__attribute__((format(printf, 5, 6))) void pen_intake_reject(struct pen_intake *in, const void *bytes, size_t n, uint64_t position,
                                                            const char *fmt, ...);
/* Rows taken since the read() began, rejected ones included, and the bytes they hold in memory. */
int64_t pen_intake_rows(const struct pen_intake *in);
size_t pen_intake_bytes(const struct pen_intake *in);
/* Longest record, bytes: option max_record. */
size_t pen_intake_max_record(const struct pen_intake *in);

/* -- UTF-8 ------------------------------------------------------------------------------------------------------------------ */

/* Length of the well-formed UTF-8 sequence at the start of n bytes (Unicode 15, table 3-7); 0 where there is none. */
static inline size_t pen_utf8_length(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (n > 0 && s[0] < 0x80)
        return 1;
    if (n >= 2 && s[0] >= 0xC2 && s[0] <= 0xDF && (s[1] & 0xC0) == 0x80)
        return 2;
    if (n >= 3 && (s[0] & 0xF0) == 0xE0 && (s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80)
        return (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ? 0 : 3;
    if (n >= 4 && s[0] >= 0xF0 && s[0] <= 0xF4 && (s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80 && (s[3] & 0xC0) == 0x80)
        return (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F) ? 0 : 4;
    return 0;
}
/* Whether n bytes are UTF-8: no overlong forms, surrogates, or code points beyond U+10FFFF (Unicode, table 3-7). */
bool pen_utf8_valid(const char *text, size_t n);

/* -- JSON text, for transforms that were given PEN_FIELD_JSON_TEXT ------------------------------------------------------------ */

/* Unescapes the inside of a JSON string literal (without its quotes) into out, which holds n bytes at least; returns the length.
 * The text must come out of a decoder, which has checked it. Lone surrogates become U+FFFD. */
size_t pen_json_unescape(char *out, const char *text, size_t n);
/* A JSON number's text as a whole number, its fraction cut towards zero: exact, also with an exponent. False when it does not fit
 * int64. *exact (may be NULL) says whether nothing was cut. */
bool pen_json_number_to_int64(const char *text, size_t n, int64_t *out, bool *exact);
/* A JSON number's text as a double; false when it is beyond a double's range. Locale plays no part. */
bool pen_json_number_to_float64(const char *text, size_t n, double *out);

/* -- times ------------------------------------------------------------------------------------------------------------------ */

/* `2021-01-05T12:34:56[.f…][Z|±hh:mm]`, the same with a space for the T, and `01/05/2021, 12:34:56` (month first), all of text, as
 * microseconds since 1970-01-01T00:00:00Z. A fraction is cut to microseconds; UTC where no zone is given. False for anything else and for
 * days that do not exist. */
bool pen_parse_timestamp(const char *text, size_t n, int64_t *micros);
/* `2021-01-05` as days since 1970-01-01. */
bool pen_parse_date(const char *text, size_t n, int32_t *days);

/* -- text that grows: JSON and the like being written --------------------------------------------------------------------------- */

/* Starts as { 0 }. Memory that runs out is remembered (pen_text_failed), so that appends need no check. Not NUL-terminated. */
struct pen_text {
    char *bytes; /* malloc'ed */
    size_t n, cap;
    bool failed;
};
static inline bool pen_text_failed(const struct pen_text *t)
{
    return t->failed;
}
void pen_text_append(struct pen_text *t, const void *bytes, size_t n);
void pen_text_put(struct pen_text *t, const char *string);
__attribute__((format(printf, 2, 3))) void pen_text_format(struct pen_text *t, const char *fmt, ...);
/* A JSON string literal with its quotes. The bytes are UTF-8; what is none becomes U+FFFD. */
void pen_text_json_string(struct pen_text *t, const void *bytes, size_t n);
/* RFC 4648, section 4, without quotes. */
void pen_text_base64(struct pen_text *t, const void *bytes, size_t n);
/* Empties it and keeps its memory; forgets a failure. */
void pen_text_clear(struct pen_text *t);
void pen_text_fini(struct pen_text *t);

/* Appends row `row` of a batch as one JSON object (RFC 8259) on one line, without a newline: every column under its name, null where it is
 * null. binary: base64; timestamp: "2021-01-05T12:34:56Z", with ".ffffff" where there is a fraction; date32: "2021-01-05"; decimal128: the
 * exact number; float64: the fewest digits that read back the same, null where it is no number; a list: an array; a struct: an object.
 * PEN_FATAL where t has failed; what was added of the row is then taken back. */
pen_status pen_json_encode_row(struct pen_text *t, const struct ArrowSchema *schema, const struct ArrowArray *batch, int64_t row,
                               struct pen_error *err);
/* Appends one value of a column, of any type; memory that ran out is for pen_text_failed() to tell. */
void pen_json_encode_value(struct pen_text *t, const struct ArrowSchema *field, const struct ArrowArray *column, int64_t row);

#ifdef __cplusplus
}
#endif
#endif
