/* tube.c - a transport with one option. SPDX-License-Identifier: Apache-2.0 */
#include <penstock/plugin.h>

struct tube {
    const char *topic;
};
static const struct pen_option options[] = {
    { "topic", PEN_OPT_STRING, offsetof(struct tube, topic), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED, "Name of the topic." }, { .name = NULL }
};
static pen_status shown(void *ctx, const char *prefix, pen_status (*each)(void *, const char *, const struct pen_position *, struct pen_error *),
                        void *arg, struct pen_error *err)
{
    (void)ctx, (void)prefix, (void)each, (void)arg, (void)err;
    return PEN_OK;
}
static const struct pen_source source = { .ctx_size = sizeof(struct tube), .options = options };
static const struct pen_sink sink = { .ctx_size = sizeof(struct tube), .options = options, .shown = shown };

extern const struct pen_plugin tube_LTX_pen_plugin;
const struct pen_plugin tube_LTX_pen_plugin = {
    .abi = PEN_ABI, .name = "tube", .summary = "A transport", .licence = "Apache-2.0", .source = &source, .sink = &sink, .transport = true
};
