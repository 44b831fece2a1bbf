/* shape.c - a transform without options. SPDX-License-Identifier: Apache-2.0 */
#include <penstock/plugin.h>

static pen_status prepare(void *ctx, const struct ArrowSchema *in, struct ArrowSchema *out, struct pen_error *err)
{
    (void)ctx;
    return pen_schema_copy(out, in, err);
}
static pen_status apply(void *ctx, const struct ArrowArray *in, struct ArrowArray *out, struct pen_rejects *rejects, struct pen_error *err)
{
    (void)ctx, (void)rejects;
    return pen_array_share(out, in, err);
}
static const struct pen_transform transform = { .ctx_size = 1, .prepare = prepare, .apply = apply };

extern const struct pen_plugin shape_LTX_pen_plugin;
const struct pen_plugin shape_LTX_pen_plugin = {
    .abi = PEN_ABI, .name = "shape", .summary = "A transform without options", .licence = "Apache-2.0", .transform = &transform
};
