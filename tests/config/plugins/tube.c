/* tube.c - a transport with one option. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <penstock/plugin.h>

struct tube {
    const char *topic, *password;
};
static const struct pen_option options[] = {
    { "topic", PEN_OPT_STRING, offsetof(struct tube, topic), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED, "Name of the topic." },
    { "password", PEN_OPT_STRING, offsetof(struct tube, password), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "Opens it." }, { .name = NULL }
};
static pen_status shown(void *ctx, const char *prefix, pen_status (*each)(void *, const char *, const struct pen_position *, struct pen_error *),
                        void *arg, struct pen_error *err)
{
    (void)ctx, (void)prefix, (void)each, (void)arg, (void)err;
    return PEN_OK;
}
static pen_status connect(void *ctx, struct pen_error *err)
{
    const struct tube *t = ctx;
    return strcmp(t->topic, "gone") == 0 ? pen_fail(err, PEN_FATAL, "topic \"gone\" is not there") : PEN_OK;
}
static pen_status outputs(void *ctx, struct pen_output **out, size_t *n, struct pen_error *err)
{
    static struct pen_output output = { .name = "" };
    (void)ctx, (void)err;
    *out = &output;
    *n = 1;
    return PEN_OK;
}

/* What the verb `list` prints: the stage's topic and the name that was asked for. */
static pen_status list(void *ctx, const void *stage, const struct pen_host *host, const char *name, struct ArrowSchema *schema, struct ArrowArray *batch,
                       struct pen_error *err)
{
    static const char *const columns[] = { "!u", "topic", "u", "name", NULL };
    const struct tube *t = stage;
    struct pen_builder *b;
    pen_status st = pen_schema_from_pairs(schema, columns, err);
    (void)ctx, (void)host;
    if (st < 0 || (st = pen_builder_new(&b, schema, err)) < 0)
        return st;
    pen_builder_bytes_value(pen_builder_child(b, 0), t->topic, strlen(t->topic));
    if (name)
        pen_builder_bytes_value(pen_builder_child(b, 1), name, strlen(name));
    else
        pen_builder_null(pen_builder_child(b, 1));
    pen_builder_end_struct(b);
    st = pen_builder_finish(b, batch, err);
    pen_builder_free(&b);
    return st;
}
static const struct pen_verb verbs[] = {
    { .noun = "transport", .name = "list", .summary = "topics", .run = list, .stage = true }, { .name = NULL }
};
static const struct pen_source source = { .ctx_size = sizeof(struct tube), .options = options, .outputs = outputs, .connect = connect };
static const struct pen_sink sink = { .ctx_size = sizeof(struct tube), .options = options, .shown = shown };

extern const struct pen_plugin tube_LTX_pen_plugin;
const struct pen_plugin tube_LTX_pen_plugin = {
    .abi = PEN_ABI, .name = "tube", .summary = "A transport", .licence = "Apache-2.0", .source = &source, .sink = &sink, .transport = true, .verbs = verbs
};
