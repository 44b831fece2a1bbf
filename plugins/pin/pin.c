/* pin.c - cleans posts: null markers become null, the follower count a number, the place where the image was kept a path.
 *
 * One record in, one row out; a record without a whole-numbered index is a dead letter. Columns of text are handed on by reference, with
 * another validity bitmap where a marker was found, so that what a post costs here is a look at the lengths of its texts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../pinterest/clean.h"

#include <stdlib.h>

enum field {
    IND, UNIQUE_ID, TITLE, DESCRIPTION, FOLLOWER_COUNT, POSTER_NAME, TAG_LIST, IS_IMAGE_OR_VIDEO, IMAGE_SRC, SAVE_LOCATION, CATEGORY,
    FIELDS
};

/* As they come, in the order in which they leave; only the first has another name then. */
static const char *const names[FIELDS] = { "index",    "unique_id",         "title",     "description",   "follower_count", "poster_name",
                                           "tag_list", "is_image_or_video", "image_src", "save_location", "category" };

struct pin {
    const struct pen_host *host;
    struct pen_strings everywhere, prefixes; /* options */
    struct pen_strings marked[FIELDS];
    struct clean_markers markers[FIELDS];
    struct clean_field fields[FIELDS];
    struct ArrowSchema in;
    struct pen_builder *int32s, *texts;
    char *scratch; /* for text that is unescaped */
    size_t scratch_size;
};

#define MARKED(field, column, def)                                                                                                       \
    { "null_" column, PEN_OPT_LIST, offsetof(struct pin, marked) + (field) * sizeof(struct pen_strings), def, 0, 0, NULL, 0,             \
      "Texts that stand for null in " column "; quote those that hold spaces or commas." }

static const struct pen_option pin_options[] = {
    { "null_values", PEN_OPT_LIST, offsetof(struct pin, everywhere), "\"\"", 0, 0, NULL, 0,
      "Texts that stand for null in every column of text; \"\" is the empty one." },
    MARKED(UNIQUE_ID, "unique_id", NULL),
    MARKED(TITLE, "title", "\"No Title Data Available\""),
    MARKED(DESCRIPTION, "description", "\"No description available Story format\" \"No description available\""),
    MARKED(FOLLOWER_COUNT, "follower_count", "\"User Info Error\""),
    MARKED(POSTER_NAME, "poster_name", "\"User Info Error\""),
    MARKED(TAG_LIST, "tag_list", "\"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e\""),
    MARKED(IS_IMAGE_OR_VIDEO, "is_image_or_video", NULL),
    MARKED(IMAGE_SRC, "image_src", "\"Image src error.\""),
    MARKED(SAVE_LOCATION, "save_location", NULL),
    MARKED(CATEGORY, "category", NULL),
    { "prefix", PEN_OPT_LIST, offsetof(struct pin, prefixes), "\"Local save in \"", 0, 0, NULL, 0,
      "What save_location loses at its beginning, once: the first of these that it begins with." },
    { .name = NULL }
};

static pen_status pin_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct pin *p = ctx;
    (void)err;
    p->host = host;
    for (int i = 0; i < FIELDS; i++)
        clean_markers_init(&p->markers[i], &p->everywhere, &p->marked[i]);
    return PEN_OK;
}

static void pin_stop(void *ctx)
{
    struct pin *p = ctx;
    pen_builder_free(&p->int32s);
    pen_builder_free(&p->texts);
    pen_schema_release(&p->in);
    free(p->scratch);
}

static pen_status pin_want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err)
{
    const char *pairs[2 * FIELDS + 1] = { NULL };
    pen_status st;
    (void)ctx, (void)in;
    for (int i = 0; i < FIELDS; i++) {
        pairs[2 * i] = i == IND ? "!i" : "u";
        pairs[2 * i + 1] = names[i];
    }
    st = pen_schema_from_pairs(want, pairs, err);
    if (st >= 0) /* a number and a text follow different rules */
        want->children[FOLLOWER_COUNT]->flags |= PEN_FIELD_JSON_TEXT;
    return st;
}

static pen_status pin_prepare(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *out, struct pen_error *err)
{
    struct pin *p = ctx;
    const char *pairs[2 * FIELDS + 1] = { NULL };
    pen_status st = PEN_OK;
    pin_stop(p); /* prepared once more: another input */
    p->scratch = NULL;
    p->scratch_size = 0;
    for (int i = 0; i < FIELDS && st >= 0; i++) {
        st = clean_field_find(&p->fields[i], in, names[i], err);
        pairs[2 * i] = i == IND ? "!i" : i == FOLLOWER_COUNT ? "i" : "u";
        pairs[2 * i + 1] = i == IND ? "ind" : names[i];
    }
    if (st < 0 || (st = pen_schema_from_pairs(out, pairs, err)) < 0)
        return st;
    st = pen_schema_copy(&p->in, in, err);
    if (st >= 0)
        st = pen_builder_new(&p->int32s, out->children[FOLLOWER_COUNT], err);
    if (st >= 0)
        st = pen_builder_new(&p->texts, out->children[SAVE_LOCATION], err);
    if (st < 0)
        pen_schema_release(out);
    return st;
}

static pen_status grow_scratch(struct pin *p, size_t n, struct pen_error *err)
{
    char *bigger;
    if (n <= p->scratch_size)
        return PEN_OK;
    bigger = realloc(p->scratch, n);
    if (!bigger)
        return pen_fail(err, PEN_FATAL, "out of memory for %zu bytes of text", n);
    p->scratch = bigger;
    p->scratch_size = n;
    return PEN_OK;
}

struct tally {
    int64_t marked, unfit;
};

/* One follower count that came as text. */
static void follower_text(struct pin *p, const char *text, size_t n, struct tally *t)
{
    const struct clean_markers *m = &p->markers[FOLLOWER_COUNT];
    int32_t v;
    if (clean_may_be_marker(m, n) && clean_is_marker(m, text, n)) {
        t->marked++;
    } else if (clean_count(text, n, &v)) {
        pen_builder_int32(p->int32s, v);
        return;
    } else {
        t->unfit++;
    }
    pen_builder_null(p->int32s);
}

/* One follower count as its JSON text: a string, a number, or anything else. */
static pen_status follower_json(struct pin *p, const char *text, size_t n, struct tally *t, struct pen_error *err)
{
    int64_t v;
    if (n >= 2 && text[0] == '"') {
        text++, n -= 2;
        if (memchr(text, '\\', n)) {
            pen_status st = grow_scratch(p, n, err);
            if (st < 0)
                return st;
            n = pen_json_unescape(p->scratch, text, n);
            text = p->scratch;
        }
        follower_text(p, text, n, t);
    } else if (n > 0 && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) && pen_json_number_to_int64(text, n, &v, NULL) &&
               v >= INT32_MIN && v <= INT32_MAX) {
        pen_builder_int32(p->int32s, (int32_t)v);
    } else {
        t->unfit++;
        pen_builder_null(p->int32s);
    }
    return PEN_OK;
}

static pen_status followers(struct pin *p, const struct ArrowArray *in, struct ArrowArray *out, struct tally *t, struct pen_error *err)
{
    const struct clean_field *f = &p->fields[FOLLOWER_COUNT];
    struct pen_column c = pen_column_of(in);
    pen_status st = PEN_OK;
    for (int64_t i = 0; i < c.length && st >= 0; i++) {
        size_t n;
        const char *text;
        int32_t v;
        bool exact;
        if (pen_column_is_null(&c, i)) {
            pen_builder_null(p->int32s);
        } else if (f->type == PEN_TYPE_UTF8) {
            text = pen_column_bytes(&c, i, &n);
            if (f->json_text)
                st = follower_json(p, text, n, t, err);
            else
                follower_text(p, text, n, t);
        } else if (clean_int32(&c, f, i, &v, &exact)) {
            pen_builder_int32(p->int32s, v);
        } else {
            t->unfit++;
            pen_builder_null(p->int32s);
        }
    }
    if (st < 0) { /* the builder holds no part of this batch afterwards */
        pen_builder_truncate(p->int32s, 0);
        return st;
    }
    return pen_builder_finish(p->int32s, out, err);
}

/* save_location without its prefix: the one column of text whose bytes move. */
static pen_status locations(struct pin *p, const struct ArrowArray *in, struct ArrowArray *out, struct tally *t, struct pen_error *err)
{
    const struct clean_markers *m = &p->markers[SAVE_LOCATION];
    struct pen_column c = pen_column_of(in);
    for (int64_t i = 0; i < c.length; i++) {
        size_t n, cut = 0;
        const char *text = pen_column_bytes(&c, i, &n);
        bool null = pen_column_is_null(&c, i);
        bool marker = !null && clean_may_be_marker(m, n) && clean_is_marker(m, text, n);
        for (size_t k = 0; k < p->prefixes.n && cut == 0; k++) {
            size_t length = strlen(p->prefixes.v[k]);
            if (length <= n && memcmp(text, p->prefixes.v[k], length) == 0)
                cut = length;
        }
        if (!null && !marker && (n > cut || cut == 0)) {
            pen_builder_bytes_value(p->texts, text + cut, n - cut);
            continue;
        }
        t->marked += !null;
        pen_builder_null(p->texts);
    }
    return pen_builder_finish(p->texts, out, err);
}

static pen_status clean_field(struct pin *p, enum field field, const struct ArrowArray *batch, struct ArrowArray *out,
                              struct pen_error *err)
{
    const struct clean_field *f = &p->fields[field];
    const struct ArrowArray *in = batch->children[f->index];
    struct ArrowArray text = { .release = NULL };
    struct tally t = { 0, 0 };
    pen_status st = PEN_OK;
    if (field == FOLLOWER_COUNT) {
        st = followers(p, in, out, &t, err);
    } else {
        if (f->type != PEN_TYPE_UTF8) {
            st = clean_text(batch, &p->in, f, &text, err);
            in = &text;
        }
        if (st >= 0)
            st = field == SAVE_LOCATION ? locations(p, in, out, &t, err)
                                        : clean_markers_apply(&p->markers[field], in, out, &t.marked, err);
        pen_array_release(&text);
    }
    if (st >= 0 && t.marked > 0)
        pen_count(p->host, "marker_nulled_total", names[field], t.marked);
    if (st >= 0)
        clean_count_unfit(p->host, names[field], t.unfit);
    return st;
}

static pen_status pin_apply(void *ctx, const struct ArrowArray *in, struct ArrowArray *out, struct pen_rejects *rejects,
                            struct pen_error *err)
{
    struct pin *p = ctx;
    struct ArrowArray columns[FIELDS] = { { .release = NULL } }, kept = { .release = NULL };
    pen_status st = clean_key(p->int32s, &p->in, in, &p->fields[IND], &columns[IND], &kept, rejects, err);
    for (enum field i = IND + 1; i < FIELDS && st >= 0; i++)
        st = clean_field(p, i, kept.release ? &kept : in, &columns[i], err);
    if (st >= 0)
        st = pen_batch_from_columns(out, columns, FIELDS, err);
    clean_release(columns, FIELDS);
    pen_array_release(&kept);
    return st;
}

static const struct pen_transform pin_transform = {
    .ctx_size = sizeof(struct pin),
    .options = pin_options,
    .start = pin_start,
    .stop = pin_stop,
    .want = pin_want,
    .prepare = pin_prepare,
    .apply = pin_apply,
};

const struct pen_plugin pin_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "pin",
    .summary = "Cleans Pinterest posts",
    .licence = "Apache-2.0",
    .doc = "Takes posts (index, unique_id, title, description, follower_count, poster_name, tag_list, is_image_or_video, image_src,\n"
           "save_location, category) and gives them in that order, index as ind. Texts that stand for null become null (options null_...).\n"
           "follower_count becomes a whole number: 124k is 124000, 1.2k is 1200, what is left of a fraction is cut; anything else is null.\n"
           "save_location loses its prefix. A post whose index is missing or no whole number of 32 bits is a dead letter.\n\n"
           "Counters, by column: nulled_total, values that did not fit; marker_nulled_total, texts that stood for null.",
    .transform = &pin_transform,
};
