/* shape.c - a transform without options. SPDX-License-Identifier: Apache-2.0 */
#include <penstock/plugin.h>

static const struct pen_transform transform = { .ctx_size = 1 };

extern const struct pen_plugin shape_LTX_pen_plugin;
const struct pen_plugin shape_LTX_pen_plugin = {
    .abi = PEN_ABI, .name = "shape", .summary = "A transform without options", .licence = "Apache-2.0", .transform = &transform
};
