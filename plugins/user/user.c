/* user.c - cleans the users behind posts: one name out of two, the age a whole number, the day they joined a timestamp.
 * One record in, one row out; a record without a whole-numbered ind is a dead letter.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../pinterest/clean.h"

#include <stdlib.h>

enum field { IND, FIRST_NAME, LAST_NAME, AGE, DATE_JOINED, FIELDS };
enum column { OUT_IND, OUT_USER_NAME, OUT_AGE, OUT_DATE_JOINED, COLUMNS };

static const char *const wanted[] = { "!i", "ind", "u", "first_name", "u", "last_name", "i", "age", "tsu:UTC", "date_joined", NULL };
static const char *const given[] = { "!i", "ind", "u", "user_name", "i", "age", "tsu:UTC", "date_joined", NULL };

struct user {
    const struct pen_host *host;
    struct clean_field fields[FIELDS];
    struct ArrowSchema in;
    struct pen_builder *int32s, *names, *times;
    char *scratch; /* a name being joined */
    size_t scratch_size;
};

static const struct pen_option user_options[] = { { .name = NULL } };

static pen_status user_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct user *u = ctx;
    (void)err;
    u->host = host;
    return PEN_OK;
}

static void user_stop(void *ctx)
{
    struct user *u = ctx;
    pen_builder_free(&u->int32s);
    pen_builder_free(&u->names);
    pen_builder_free(&u->times);
    pen_schema_release(&u->in);
    free(u->scratch);
}

static pen_status user_want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err)
{
    (void)ctx, (void)in;
    return pen_schema_from_pairs(want, wanted, err);
}

static pen_status user_prepare(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *out, struct pen_error *err)
{
    struct user *u = ctx;
    pen_status st = PEN_OK;
    user_stop(u); /* prepared once more: another input */
    u->scratch = NULL;
    u->scratch_size = 0;
    for (int i = 0; i < FIELDS && st >= 0; i++)
        st = clean_field_find(&u->fields[i], in, wanted[2 * i + 1], err);
    if (st < 0 || (st = pen_schema_from_pairs(out, given, err)) < 0)
        return st;
    st = pen_schema_copy(&u->in, in, err);
    if (st >= 0)
        st = pen_builder_new(&u->int32s, out->children[OUT_AGE], err);
    if (st >= 0)
        st = pen_builder_new(&u->names, out->children[OUT_USER_NAME], err);
    if (st >= 0)
        st = pen_builder_new(&u->times, out->children[OUT_DATE_JOINED], err);
    if (st < 0)
        pen_schema_release(out);
    return st;
}

/* first, a space, last into the builder. */
static pen_status append_both(struct user *u, const char *first, size_t n, const char *last, size_t k, struct pen_error *err)
{
    if (n + 1 + k > u->scratch_size) {
        char *bigger = realloc(u->scratch, n + 1 + k);
        if (!bigger)
            return pen_fail(err, PEN_FATAL, "out of memory for a name of %zu bytes", n + 1 + k);
        u->scratch = bigger;
        u->scratch_size = n + 1 + k;
    }
    memcpy(u->scratch, first, n);
    u->scratch[n] = ' ';
    memcpy(u->scratch + n + 1, last, k);
    pen_builder_bytes_value(u->names, u->scratch, n + 1 + k);
    return PEN_OK;
}

/* Two columns of text as one; a part that is null or empty leaves the other alone. */
static pen_status join_names(struct user *u, const struct ArrowArray *firsts, const struct ArrowArray *lasts, struct ArrowArray *out,
                             struct pen_error *err)
{
    struct pen_column f = pen_column_of(firsts), l = pen_column_of(lasts);
    pen_status st = PEN_OK;
    for (int64_t i = 0; i < f.length && st >= 0; i++) {
        size_t n = 0, k = 0;
        const char *first = pen_column_is_null(&f, i) ? "" : pen_column_bytes(&f, i, &n);
        const char *last = pen_column_is_null(&l, i) ? "" : pen_column_bytes(&l, i, &k);
        if (n > 0 && k > 0)
            st = append_both(u, first, n, last, k, err);
        else if (n + k > 0)
            pen_builder_bytes_value(u->names, n > 0 ? first : last, n + k);
        else
            pen_builder_null(u->names);
    }
    if (st < 0) { /* the builder holds no part of this batch afterwards */
        pen_builder_truncate(u->names, 0);
        return st;
    }
    return pen_builder_finish(u->names, out, err);
}

static pen_status user_names(struct user *u, const struct ArrowArray *batch, struct ArrowArray *out, struct pen_error *err)
{
    struct ArrowArray parts[2] = { { .release = NULL } };
    pen_status st = PEN_OK;
    for (int i = 0; i < 2 && st >= 0; i++)
        st = clean_text(batch, &u->in, &u->fields[FIRST_NAME + i], &parts[i], err);
    if (st >= 0)
        st = join_names(u, &parts[0], &parts[1], out, err);
    clean_release(parts, 2);
    return st;
}

static pen_status user_apply(void *ctx, const struct ArrowArray *in, struct ArrowArray *out, struct pen_rejects *rejects,
                             struct pen_error *err)
{
    struct user *u = ctx;
    struct ArrowArray columns[COLUMNS] = { { .release = NULL } }, kept = { .release = NULL };
    int64_t unfit_age = 0, unfit_time = 0;
    pen_status st = clean_key(u->int32s, &u->in, in, &u->fields[IND], &columns[OUT_IND], &kept, rejects, err);
    if (kept.release)
        in = &kept;
    if (st >= 0)
        st = user_names(u, in, &columns[OUT_USER_NAME], err);
    if (st >= 0)
        st = clean_whole(u->int32s, in, &u->fields[AGE], &columns[OUT_AGE], &unfit_age, err);
    if (st >= 0)
        st = clean_times(u->times, in, &u->fields[DATE_JOINED], &columns[OUT_DATE_JOINED], &unfit_time, err);
    if (st >= 0)
        st = pen_batch_from_columns(out, columns, COLUMNS, err);
    if (st >= 0) {
        clean_count_unfit(u->host, "age", unfit_age);
        clean_count_unfit(u->host, "date_joined", unfit_time);
    }
    clean_release(columns, COLUMNS);
    pen_array_release(&kept);
    return st;
}

static const struct pen_transform user_transform = {
    .ctx_size = sizeof(struct user),
    .options = user_options,
    .start = user_start,
    .stop = user_stop,
    .want = user_want,
    .prepare = user_prepare,
    .apply = user_apply,
};

const struct pen_plugin user_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "user",
    .summary = "Cleans the users behind Pinterest posts",
    .licence = "Apache-2.0",
    .doc = "Takes ind, first_name, last_name, age and date_joined; gives ind, user_name (both names with a space between; one alone where the\n"
           "other is null or empty), age (a whole number, else null) and date_joined. Times are taken as 2021-01-05T12:34:56[.f][Z|+hh:mm],\n"
           "the same with a space, and 01/05/2021, 12:34:56 (month first), in UTC where no zone is given; anything else is null. A record\n"
           "whose ind is missing or no whole number of 32 bits is a dead letter.\n\n"
           "Counter, by column: nulled_total, values that did not fit.",
    .transform = &user_transform,
};
