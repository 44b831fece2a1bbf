/* sample.c - a source and a sink with an option of every type, for the tests of the configuration. SPDX-License-Identifier: Apache-2.0 */
#include <penstock/plugin.h>

struct sample {
    const char *path, *user, *password;
    bool fsync;
    int64_t number, count, size, pause_for;
    struct pen_range pause;
    double rate, ratio;
    int mode;
    struct pen_strings tables;
    struct pen_compression compression;
    struct pen_pairs headers, keys;
};
#define OPT(member) offsetof(struct sample, member)

static const struct pen_option options[] = {
    { "path", PEN_OPT_STRING, OPT(path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED, "Where it lies." },
    { "user", PEN_OPT_STRING, OPT(user), NULL, 0, 0, NULL, 0, "Who asks." },
    { "password", PEN_OPT_STRING, OPT(password), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "What only the user knows." },
    { "pin_code", PEN_OPT_INT, OPT(number), NULL, 1000, 9999, NULL, PEN_OPTION_SECRET, "A number that only the user knows." },
    { "fsync", PEN_OPT_BOOL, OPT(fsync), "yes", 0, 0, NULL, 0, "Whether to wait for the disk." },
    { "number", PEN_OPT_INT, OPT(number), "3", -5, 5, NULL, 0, "A small number." },
    { "count", PEN_OPT_COUNT, OPT(count), "none", 1, 1000000, "none", 0, "How many rows; none: without end." },
    { "size", PEN_OPT_SIZE, OPT(size), "64MiB", 1024, INT64_MAX, NULL, 0, "How large a file becomes." },
    { "wait", PEN_OPT_DURATION, OPT(pause_for), "1s", 1000, 60000000, NULL, 0, "How long to wait." },
    { "pause", PEN_OPT_DURATION_RANGE, OPT(pause), "0s..2s", 0, 60000000, NULL, 0, "A pause of between the two." },
    { "rate", PEN_OPT_RATE, OPT(rate), NULL, 1, 1000000, NULL, 0, "Rows for each second." },
    { "ratio", PEN_OPT_FLOAT, OPT(ratio), "0.5", 0, 1, NULL, 0, "Share of the rows." },
    { "mode", PEN_OPT_ENUM, OPT(mode), "once", 0, 0, "once|follow|repeat", 0, "How to read." },
    { "tables", PEN_OPT_LIST, OPT(tables), NULL, 0, 0, NULL, 0, "Names of tables." },
    { "compression", PEN_OPT_COMPRESSION, OPT(compression), "zstd:1", 0, 0, NULL, 0, "How files are compressed." },
    { "header.", PEN_OPT_PAIRS, OPT(headers), NULL, 0, 0, NULL, 0, "A header of the request." },
    { "key.", PEN_OPT_PAIRS, OPT(keys), NULL, 0, 0, NULL, PEN_OPTION_SECRET, "A key, by name." },
    { .name = NULL }
};

static pen_status outputs(void *ctx, struct pen_output **out, size_t *n, struct pen_error *err)
{
    static struct pen_output one[2] = { { .name = "a" }, { .name = "b" } };
    (void)ctx;
    (void)err;
    *out = one;
    *n = 2;
    return PEN_OK;
}

static const struct pen_source source = { .ctx_size = sizeof(struct sample), .options = options, .outputs = outputs };
static const struct pen_sink sink = { .ctx_size = sizeof(struct sample), .options = options, .guarantee = "at least once" };

extern const struct pen_plugin sample_LTX_pen_plugin;
const struct pen_plugin sample_LTX_pen_plugin = { .abi = PEN_ABI,
                                                  .name = "sample",
                                                  .summary = "An option of every type",
                                                  .licence = "Apache-2.0",
                                                  .doc = "First paragraph.\n\n.Second \\ paragraph.",
                                                  .source = &source,
                                                  .sink = &sink };
