/* json_decode.h - the decoder's code, included once by each file that compiles it for an instruction set. Such a file defines, before:
 *
 *   BLOCK                      bytes looked at together
 *   mask_t, FIRST(m)           marks of a block, and the index of the lowest
 *   block_copy(to, from)       copies a block; marks quotes, backslashes, control characters and bytes from 0x80 on
 *   block_marks(from)          the same without the copy
 *   block_copy_any(to, from)   as block_copy(), but lets bytes from 0x80 on pass
 *   slot_matches(slot, p, end) whether the slot's bytes stand at p
 *
 * Reading stays below d->end, and writing within what the builders reserved. SPDX-License-Identifier: Apache-2.0 */
#include "data/json_scan.h"

/* -- values ----------------------------------------------------------------------------------------------------------------- */

static const char *field_value(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth);
static const char *object_fields(struct pen_json_decoder *d, struct pen_json_object *o, const char *p, unsigned depth);

/* A value that the field's type does not hold, or null: checked, and a null in its place. */
COLD const char *null_value(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth)
{
    bool is_null = peek(d, p) == 'n';
    const char *next = value_skip(d, p, depth);
    if (!next)
        return NULL;
    pen_builder_null(f->column);
    d->fit = is_null ? PEN_JSON_NULL : PEN_JSON_UNFIT;
    d->something_nulled |= !is_null;
    return next;
}

/* A value whose text is kept as it was sent. */
COLD const char *text_as_sent(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth)
{
    const char *next;
    if (peek(d, p) == 'n')
        return null_value(d, f, p, depth);
    if (!(next = value_skip(d, p, depth)))
        return NULL;
    pen_builder_bytes_value(f->column, p, (size_t)(next - p));
    return next;
}

/* A short string for the types that are read out of text. */
static const char *parsed_string(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth)
{
    char text[512];
    bool escaped;
    const char *next = string_skip(d, p + 1, &escaped), *from = p + 1;
    size_t n;
    int64_t micros;
    int32_t days;
    if (!next)
        return NULL;
    n = (size_t)(next - 1 - from);
    if (escaped && n <= sizeof text) {
        n = pen_json_unescape(text, from, n);
        from = text;
    }
    if (f->type == PEN_TYPE_TIMESTAMP && pen_parse_timestamp(from, n, &micros))
        pen_builder_int64(f->column, micros);
    else if (f->type == PEN_TYPE_DATE32 && pen_parse_date(from, n, &days))
        pen_builder_int32(f->column, days);
    else
        return null_value(d, f, p, depth);
    return next;
}

static const char *binary_string(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth)
{
    struct pen_builder *b = f->column;
    size_t start = b->used, n;
    const char *next = string_value(d, b, p + 1);
    if (!next)
        return NULL;
    if (!pen_base64_decode((uint8_t *)b->data + start, &n, (char *)b->data + start, b->used - start)) {
        pen_builder_truncate(b, b->length - 1);
        return null_value(d, f, p, depth);
    }
    b->used = start + n;
    b->offsets[b->length] = (int32_t)b->used;
    return next;
}

static const char *list_items(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth)
{
    const char *start = p;
    int64_t before = f->item->column->length;
    bool bad = false;
    if (depth >= PEN_JSON_DEPTH)
        return stop(d, p, "nested deeper than 512");
    p = skip_space(d, p + 1);
    if (peek(d, p) == ']')
        p++;
    else
        for (;;) {
            if (!(p = field_value(d, f->item, p, depth + 1)))
                return NULL;
            bad |= d->fit != PEN_JSON_VALUE && !f->item->nullable;
            p = skip_space(d, p);
            if (peek(d, p) == ']') {
                p++;
                break;
            }
            if (peek(d, p) != ',')
                return stop(d, p, "no comma or bracket after a value");
            p = skip_space(d, p + 1);
        }
    if (bad) {
        pen_builder_truncate(f->item->column, before);
        return null_value(d, f, start, depth);
    }
    pen_builder_end_list(f->column);
    d->fit = PEN_JSON_VALUE;
    return p;
}

/* Fields that the object at hand, whose row is `row`, did not have become null. False where one must not be. */
static bool complete_object(struct pen_json_object *o, int64_t row)
{
    bool good = true;
    for (size_t i = 0; i < o->n_fields; i++) {
        struct pen_builder *b = o->fields[i].column;
        if (b->length == row)
            pen_builder_null(b);
        if (!o->fields[i].nullable && b->nulls > 0 && b->length > row)
            good &= b->validity[row >> 3] >> (row & 7) & 1;
    }
    return good;
}

static const char *struct_value(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth)
{
    const char *start = p;
    int64_t row = f->column->length;
    if (depth >= PEN_JSON_DEPTH)
        return stop(d, p, "nested deeper than 512");
    if (!(p = object_fields(d, f->object, p + 1, depth + 1)))
        return NULL;
    if (!complete_object(f->object, row)) {
        for (size_t i = 0; i < f->object->n_fields; i++)
            pen_builder_truncate(f->object->fields[i].column, row);
        return null_value(d, f, start, depth);
    }
    pen_builder_end_struct(f->column);
    d->fit = PEN_JSON_VALUE;
    return p;
}

static const char *number_value(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth)
{
    const char *next = pen_number_end(p, d->end);
    size_t n = next ? (size_t)(next - p) : 0;
    int64_t whole;
    double real;
    uint8_t decimal[16];
    bool exact, good = false;
    if (!next)
        return null_value(d, f, p, depth);
    if (f->type == PEN_TYPE_FLOAT64) {
        if ((good = pen_json_number_to_float64(p, n, &real)))
            pen_builder_float64(f->column, real);
    } else if (f->type == PEN_TYPE_DECIMAL128) {
        if ((good = pen_number_to_decimal(p, n, f->precision, f->scale, decimal)))
            pen_builder_decimal128(f->column, decimal);
    } else if (pen_json_number_to_int64(p, n, &whole, &exact) && exact) {
        good = f->type == PEN_TYPE_INT64 || (whole >= INT32_MIN && whole <= INT32_MAX);
        if (good && f->type == PEN_TYPE_INT64)
            pen_builder_int64(f->column, whole);
        else if (good)
            pen_builder_int32(f->column, (int32_t)whole);
    }
    return good ? next : null_value(d, f, p, depth);
}

/* Up to nine plain digits, which is what most whole numbers are; NULL for everything else. */
INLINE const char *small_number(const struct pen_json_decoder *d, const char *p, int32_t *out)
{
    int32_t v;
    unsigned digit;
    const char *limit;
    if (d->end - p < 12 || (unsigned char)(*p - '1') > 8)
        return NULL;
    v = *p - '0';
    limit = p + 9;
    while ((digit = (unsigned)(unsigned char)(*++p - '0')) < 10) {
        if (p == limit)
            return NULL;
        v = v * 10 + (int32_t)digit;
    }
    *out = v;
    return *p == '.' || (*p | 0x20) == 'e' ? NULL : p;
}

/* A number of at most 15 digits without an exponent, which one division makes a double, correctly rounded; NULL for everything else. */
static const char *short_decimal(const struct pen_json_decoder *d, const char *p, double *out)
{
    static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    const char *digits, *point, *limit;
    uint64_t v = 0;
    bool negative = peek(d, p) == '-';
    p += negative;
    if (d->end - p < 20 || (*p == '0' && pen_is_digit(p[1])))
        return NULL;
    limit = p + 16;
    for (digits = p; p < limit && pen_is_digit(*p); p++)
        v = v * 10 + (uint64_t)(*p - '0');
    if (p == digits)
        return NULL;
    point = p;
    if (*p == '.') {
        for (point = ++p; p < limit && pen_is_digit(*p); p++)
            v = v * 10 + (uint64_t)(*p - '0');
        if (p == point)
            return NULL;
    }
    if (p >= limit || (*p | 0x20) == 'e')
        return NULL;
    *out = (double)v / powers[p - point];
    if (negative)
        *out = -*out;
    return p;
}

COLD const char *other_value(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth)
{
    char c = peek(d, p);
    const char *next;
    if (f->json_text)
        return text_as_sent(d, f, p, depth);
    switch (f->type) {
    case PEN_TYPE_UTF8: return text_as_sent(d, f, p, depth);
    case PEN_TYPE_BINARY: return c == '"' ? binary_string(d, f, p, depth) : null_value(d, f, p, depth);
    case PEN_TYPE_TIMESTAMP:
    case PEN_TYPE_DATE32: return c == '"' ? parsed_string(d, f, p, depth) : null_value(d, f, p, depth);
    case PEN_TYPE_LIST: return c == '[' ? list_items(d, f, p, depth) : null_value(d, f, p, depth);
    case PEN_TYPE_STRUCT: return c == '{' ? struct_value(d, f, p, depth) : null_value(d, f, p, depth);
    case PEN_TYPE_BOOL:
        if (c != 't' && c != 'f')
            return null_value(d, f, p, depth);
        if ((next = scalar_skip(d, p)))
            pen_builder_bool(f->column, c == 't');
        return next;
    default: return number_value(d, f, p, depth);
    }
}

/* The value at p as one more of the field's column; d->fit says how that went. */
static const char *field_value(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, unsigned depth)
{
    const char *next;
    int32_t small;
    double real;
    d->fit = PEN_JSON_VALUE;
    if (LIKELY(f->type == PEN_TYPE_UTF8 && !f->json_text && peek(d, p) == '"'))
        return string_value(d, f->column, p + 1);
    if (f->type == PEN_TYPE_INT32 && (next = small_number(d, p, &small))) {
        pen_builder_int32(f->column, small);
        return next;
    }
    if (f->type == PEN_TYPE_FLOAT64 && (next = short_decimal(d, p, &real))) {
        pen_builder_float64(f->column, real);
        return next;
    }
    return other_value(d, f, p, depth);
}

/* -- objects ---------------------------------------------------------------------------------------------------------------- */

static struct pen_json_field *field_named(struct pen_json_object *o, const char *name, size_t n)
{
    for (size_t i = 0; i < o->n_fields; i++)
        if (o->fields[i].name_n == n && memcmp(o->fields[i].name, name, n) == 0)
            return &o->fields[i];
    return NULL;
}

/* The field that a key with escapes names: they are undone piece by piece, as a key may be of any length. */
COLD struct pen_json_field *field_escaped(struct pen_json_object *o, const char *key, size_t n)
{
    for (size_t i = 0; i < o->n_fields; i++) {
        const char *p = key, *end = key + n, *name = o->fields[i].name, *name_end = name + o->fields[i].name_n;
        bool same = true;
        while (same && p < end) {
            char one[4] = { *p }, *to = one + 1;
            size_t len;
            if (*p == '\\') {
                to = one;
                p = pen_json_escape(p, end, &to);
            } else {
                p++;
            }
            len = (size_t)(to - one);
            same = p && (size_t)(name_end - name) >= len && memcmp(name, one, len) == 0;
            name += len;
        }
        if (same && name == name_end)
            return &o->fields[i];
    }
    return NULL;
}

/* Remembers n bytes for the next object's key at this place. A place that is taken already is given up only after many misses, and then the slot
 * is put in before it: keys that are there now and then find their slots side by side. True where slot i is what was just read. */
COLD bool learn(struct pen_json_object *o, size_t i, const char *bytes, size_t n, struct pen_json_field *field)
{
    struct pen_json_slot *s = &o->slots[i];
    if (i >= o->n_slots || n > PEN_JSON_SLOT || memchr(bytes, '\n', n)) /* a newline is white space in messages only */
        return false;
    if (s->n && ++s->misses < PEN_JSON_MISSES)
        return false;
    if (s->n && i > 0 && !o->slots[o->n_slots - 1].n)
        memmove(s + 1, s, (o->n_slots - 1 - i) * sizeof *s);
    else if (s->n && i > 0) /* too many kinds: anew from here */
        memset(s, 0, (o->n_slots - i) * sizeof *s);
    memset(s, 0, sizeof *s);
    memcpy(s->bytes, bytes, n);
    s->mask = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
    s->n = n;
    s->field = field;
    return true;
}

/* Reads from behind the brace (slot 0) or the last value to the next value and foretells the same bytes for objects to come. *taught:
 * in slot i. *last: there was no further key, and what is returned is behind the brace. */
COLD const char *next_key(struct pen_json_decoder *d, struct pen_json_object *o, size_t i, const char *p, struct pen_json_field **field,
                          bool *last, bool *taught)
{
    const char *start = p, *key;
    bool escaped;
    size_t n;
    p = skip_space(d, p);
    *last = peek(d, p) == '}';
    if (*last)
        return p + 1;
    if (i > 0) {
        if (peek(d, p) != ',')
            return stop(d, p, "no comma or brace after a value");
        p = skip_space(d, p + 1);
    }
    key = p + 1;
    if (peek(d, p) != '"')
        return stop(d, p, "no key");
    if (!(p = string_skip(d, key, &escaped)))
        return NULL;
    n = (size_t)(p - 1 - key);
    *field = escaped ? field_escaped(o, key, n) : field_named(o, key, n);
    p = skip_space(d, p);
    if (peek(d, p) != ':')
        return stop(d, p, "no colon after a key");
    p = skip_space(d, p + 1);
    *taught = learn(o, i, start, (size_t)(p - start), *field);
    return p;
}

INLINE bool foretold(const struct pen_json_object *o, size_t i, const char *p, const char *end)
{
    return o->slots[i].n && slot_matches(&o->slots[i], p, end);
}

/* The slot close behind slot i that foretells what stands at p, the keys of those between having been left out; i where there is none. */
COLD size_t foretold_later(const struct pen_json_object *o, size_t i, const char *p, const char *end)
{
    for (size_t k = i + 1; i > 0 && k < i + 4 && k < o->n_slots; k++)
        if (foretold(o, k, p, end))
            return k;
    return i;
}

/* A key given twice: what it said before is forgotten. */
COLD void forget_value(struct pen_json_field *f, int64_t row)
{
    pen_builder_truncate(f->column, row);
    f->null_at = f->unfit_at = 0;
}

/* Remembers, for the record's own fields, what was null or unfit. */
COLD void note_value(struct pen_json_decoder *d, struct pen_json_field *f, const char *p, const char *next)
{
    if (d->fit != PEN_JSON_VALUE)
        f->null_at = d->serial;
    if (d->something_nulled) {
        f->unfit_at = d->serial;
        f->unfit = p;
        f->unfit_n = (size_t)(next - p);
    }
}

/* The fields of an object from behind its brace to behind its other one. Each becomes a value of its column, which then has one more row
 * than the object's builder has. */
INLINE const char *object_walk(struct pen_json_decoder *d, struct pen_json_object *o, const char *p, unsigned depth, int64_t row, bool record)
{
    for (size_t i = 0;;) { /* slot 0 is for the first key, which no comma goes before; i is the next slot to look at */
        struct pen_json_field *f = NULL;
        const char *next;
        bool match = foretold(o, i, p, d->end);
        if (UNLIKELY(!match)) {
            size_t later = foretold_later(o, i, p, d->end);
            match = later != i;
            i = later;
        }
        if (LIKELY(match)) {
            p += o->slots[i].n;
            f = o->slots[i++].field;
            if (UNLIKELY((unsigned char)peek(d, p) <= ' ')) /* the object that it was learnt from had less white space there */
                p = skip_space(d, p);
        } else {
            bool last = false, taught = false;
            p = next_key(d, o, i, p, &f, &last, &taught);
            if (!p || last)
                return p;
            i += taught || i == 0;
        }
        if (UNLIKELY(!f)) {
            next = value_skip(d, p, depth);
        } else {
            if (UNLIKELY(f->column->length != row))
                forget_value(f, row);
            if (record)
                d->something_nulled = false;
            next = field_value(d, f, p, depth);
            if (record && UNLIKELY(d->fit != PEN_JSON_VALUE || d->something_nulled) && next)
                note_value(d, f, p, next);
        }
        if (UNLIKELY(!next))
            return NULL;
        p = next;
        if (peek(d, p) == '}')
            return p + 1;
    }
}

static const char *object_fields(struct pen_json_decoder *d, struct pen_json_object *o, const char *p, unsigned depth)
{
    return object_walk(d, o, p, depth, o->builder->length, false);
}

/* -- records ---------------------------------------------------------------------------------------------------------------- */

COLD bool complete_record(struct pen_json_decoder *d, int64_t row)
{
    bool good = true;
    for (size_t i = 0; i < d->root.n_fields; i++) {
        struct pen_json_field *f = &d->root.fields[i];
        if (f->column->length == row) {
            pen_builder_null(f->column);
            f->null_at = d->serial;
        }
        good &= f->nullable || f->null_at != d->serial;
    }
    for (size_t i = 0; good && i < d->root.n_fields; i++)
        d->root.fields[i].nulled += d->root.fields[i].unfit_at == d->serial;
    return good;
}

static pen_json_outcome decode_record(struct pen_json_decoder *d, const char *p, const char **next)
{
    int64_t row = pen_builder_length(d->builder);
    d->serial++;
    d->reason = NULL;
    p = skip_space(d, p);
    if (p >= d->end || *p == '\n') {
        *next = p < d->end ? p + 1 : p;
        return PEN_JSON_BLANK;
    }
    if (*p != '{')
        stop(d, p, "no JSON object");
    else if ((p = object_walk(d, &d->root, p + 1, 1, row, true))) {
        p = skip_space(d, p);
        if (p < d->end && *p != '\n')
            stop(d, p, "more after the object");
        else if (complete_record(d, row)) {
            *next = p < d->end ? p + 1 : p;
            return PEN_JSON_ROW;
        }
    }
    pen_builder_truncate(d->builder, row);
    return PEN_JSON_BAD;
}
