/* geo.c - cleans the places of posts: latitude and longitude become one column of coordinates, the time a timestamp.
 * One record in, one row out; a record without a whole-numbered ind is a dead letter.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../pinterest/clean.h"

enum field { IND, COUNTRY, LATITUDE, LONGITUDE, TIMESTAMP, FIELDS };
enum column { OUT_IND, OUT_COUNTRY, OUT_COORDINATES, OUT_TIMESTAMP, COLUMNS };

static const char *const wanted[] = { "!i", "ind", "u", "country", "g", "latitude", "g", "longitude", "tsu:UTC", "timestamp", NULL };

struct geo {
    const struct pen_host *host;
    struct clean_field fields[FIELDS];
    struct ArrowSchema in;
    struct pen_builder *int32s, *coordinates, *times;
};

static const struct pen_option geo_options[] = { { .name = NULL } };

static pen_status geo_start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct geo *g = ctx;
    (void)err;
    g->host = host;
    return PEN_OK;
}

static void geo_stop(void *ctx)
{
    struct geo *g = ctx;
    pen_builder_free(&g->int32s);
    pen_builder_free(&g->coordinates);
    pen_builder_free(&g->times);
    pen_schema_release(&g->in);
}

static pen_status geo_want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err)
{
    (void)ctx, (void)in;
    return pen_schema_from_pairs(want, wanted, err);
}

static pen_status output_schema(struct ArrowSchema *out, struct pen_error *err)
{
    pen_status st = pen_schema_init_struct(out, "", COLUMNS, err);
    if (st < 0)
        return st;
    st = pen_schema_init_field(out->children[OUT_IND], "i", "ind", 0, 0, err);
    if (st >= 0)
        st = pen_schema_init_field(out->children[OUT_COUNTRY], "u", "country", ARROW_FLAG_NULLABLE, 0, err);
    if (st >= 0)
        st = pen_schema_init_field(out->children[OUT_COORDINATES], "+l", "coordinates", ARROW_FLAG_NULLABLE, 1, err);
    if (st >= 0)
        st = pen_schema_init_field(out->children[OUT_COORDINATES]->children[0], "g", "element", ARROW_FLAG_NULLABLE, 0, err);
    if (st >= 0)
        st = pen_schema_init_field(out->children[OUT_TIMESTAMP], "tsu:UTC", "timestamp", ARROW_FLAG_NULLABLE, 0, err);
    if (st < 0)
        pen_schema_release(out);
    return st;
}

static pen_status geo_prepare(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *out, struct pen_error *err)
{
    struct geo *g = ctx;
    pen_status st = PEN_OK;
    geo_stop(g); /* prepared once more: another input */
    for (int i = 0; i < FIELDS && st >= 0; i++)
        st = clean_field_find(&g->fields[i], in, wanted[2 * i + 1], err);
    if (st < 0 || (st = output_schema(out, err)) < 0)
        return st;
    st = pen_schema_copy(&g->in, in, err);
    if (st >= 0)
        st = pen_builder_new(&g->int32s, out->children[OUT_IND], err);
    if (st >= 0)
        st = pen_builder_new(&g->coordinates, out->children[OUT_COORDINATES], err);
    if (st >= 0)
        st = pen_builder_new(&g->times, out->children[OUT_TIMESTAMP], err);
    if (st < 0)
        pen_schema_release(out);
    return st;
}

/* Latitude and longitude as a list of two, null unless both are numbers. What JSON held that is none was counted where it was decoded. */
static pen_status coordinates(struct geo *g, const struct ArrowArray *batch, struct ArrowArray *out, struct pen_error *err)
{
    struct pen_column columns[2] = { pen_column_at(batch, g->fields[LATITUDE].index), pen_column_at(batch, g->fields[LONGITUDE].index) };
    struct pen_builder *numbers = pen_builder_child(g->coordinates, 0);
    int64_t unfit[2] = { 0, 0 };
    pen_status st;
    for (int64_t i = 0; i < batch->length; i++) {
        double v[2];
        bool good = true;
        for (int k = 0; k < 2; k++) {
            bool null = pen_column_is_null(&columns[k], i);
            bool number = !null && clean_float64(&columns[k], &g->fields[LATITUDE + k], i, &v[k]);
            unfit[k] += !null && !number;
            good = good && number;
        }
        if (!good) {
            pen_builder_null(g->coordinates);
            continue;
        }
        pen_builder_float64(numbers, v[0]);
        pen_builder_float64(numbers, v[1]);
        pen_builder_end_list(g->coordinates);
    }
    st = pen_builder_finish(g->coordinates, out, err);
    if (st >= 0) {
        clean_count_unfit(g->host, "latitude", unfit[0]);
        clean_count_unfit(g->host, "longitude", unfit[1]);
    }
    return st;
}

static pen_status geo_apply(void *ctx, const struct ArrowArray *in, struct ArrowArray *out, struct pen_rejects *rejects,
                            struct pen_error *err)
{
    struct geo *g = ctx;
    struct ArrowArray columns[COLUMNS] = { { .release = NULL } }, kept = { .release = NULL };
    int64_t unfit = 0;
    pen_status st = clean_key(g->int32s, &g->in, in, &g->fields[IND], &columns[OUT_IND], &kept, rejects, err);
    if (kept.release)
        in = &kept;
    if (st >= 0)
        st = clean_text(in, &g->in, &g->fields[COUNTRY], &columns[OUT_COUNTRY], err);
    if (st >= 0)
        st = coordinates(g, in, &columns[OUT_COORDINATES], err);
    if (st >= 0)
        st = clean_times(g->times, in, &g->fields[TIMESTAMP], &columns[OUT_TIMESTAMP], &unfit, err);
    if (st >= 0)
        st = pen_batch_from_columns(out, columns, COLUMNS, err);
    if (st >= 0)
        clean_count_unfit(g->host, "timestamp", unfit);
    clean_release(columns, COLUMNS);
    pen_array_release(&kept);
    return st;
}

static const struct pen_transform geo_transform = {
    .ctx_size = sizeof(struct geo),
    .options = geo_options,
    .start = geo_start,
    .stop = geo_stop,
    .want = geo_want,
    .prepare = geo_prepare,
    .apply = geo_apply,
};

const struct pen_plugin geo_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "geo",
    .summary = "Cleans the places of Pinterest posts",
    .licence = "Apache-2.0",
    .doc = "Takes ind, country, latitude, longitude and timestamp; gives ind, country, coordinates (latitude, longitude; null unless both are\n"
           "numbers) and timestamp. Times are taken as 2021-01-05T12:34:56[.f][Z|+hh:mm], the same with a space, and 01/05/2021, 12:34:56\n"
           "(month first), in UTC where no zone is given; anything else is null. A record whose ind is missing or no whole number of 32 bits\n"
           "is a dead letter.\n\n"
           "Counter, by column: nulled_total, values that did not fit.",
    .transform = &geo_transform,
};
