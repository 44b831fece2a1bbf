/* sieve.c - a plugin as somebody out of this tree writes one: a transform that lets the rows pass whose `number` is large enough.
 * Built by tests/build/external.sh from the installed SDK alone. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <penstock/plugin.h>

struct sieve {
    int64_t least;
    struct ArrowSchema schema; /* of what passes */
};

static const struct pen_option options[] = {
    { "least", PEN_OPT_INT, offsetof(struct sieve, least), "0", INT32_MIN, INT32_MAX, NULL, 0, "Smallest number that passes." },
    { .name = NULL }
};

static pen_status sieve_want(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *want, struct pen_error *err)
{
    pen_status st = pen_schema_init_struct(want, "", 2, err);
    (void)ctx, (void)in;
    if (st >= 0)
        st = pen_schema_init_field(want->children[0], "i", "number", 0, 0, err);
    if (st >= 0)
        st = pen_schema_init_field(want->children[1], "u", "name", ARROW_FLAG_NULLABLE, 0, err);
    return st;
}

static pen_status sieve_prepare(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *out, struct pen_error *err)
{
    struct sieve *s = ctx;
    if (in->n_children != 2)
        return pen_fail(err, PEN_BADCONF, "sieve: %lld columns, not two", (long long)in->n_children);
    pen_schema_release(&s->schema);
    if (pen_schema_copy(&s->schema, in, err) < 0)
        return PEN_FATAL;
    return pen_schema_copy(out, in, err);
}

static pen_status sieve_apply(void *ctx, const struct ArrowArray *in, struct ArrowArray *out, struct pen_rejects *rejects, struct pen_error *err)
{
    struct sieve *s = ctx;
    struct pen_column number = pen_column_at(in, 0);
    int64_t *keep = malloc(sizeof *keep * (size_t)(in->length + 1)), n = 0;
    pen_status st;
    if (!keep)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (int64_t row = 0; row < in->length; row++)
        if (pen_column_int32(&number, row) >= s->least)
            keep[n++] = row;
        else
            pen_reject(rejects, row, "%d is less than %lld", (int)pen_column_int32(&number, row), (long long)s->least);
    st = pen_array_take(out, &s->schema, in, keep, n, err);
    free(keep);
    return st;
}

static void sieve_stop(void *ctx)
{
    pen_schema_release(&((struct sieve *)ctx)->schema);
}

static const struct pen_transform transform = { .ctx_size = sizeof(struct sieve),
                                                .options = options,
                                                .stop = sieve_stop,
                                                .want = sieve_want,
                                                .prepare = sieve_prepare,
                                                .apply = sieve_apply };

extern const struct pen_plugin sieve_LTX_pen_plugin;
const struct pen_plugin sieve_LTX_pen_plugin = {
    .abi = PEN_ABI, .name = "sieve", .summary = "Lets large numbers pass", .licence = "Apache-2.0", .transform = &transform
};
