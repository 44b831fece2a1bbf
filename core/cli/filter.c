/* filter.c - penstock filter: the transforms of a pipeline alone, JSON lines in, JSON lines out, dead letters to standard error.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "data/conform.h"
#include "data/intake.h"
#include "engine/dead.h"
#include "engine/rejects.h"
#include "engine/run.h"

#define READ_BYTES ((size_t)256 << 10)
#define BATCH_ROWS 8192
#define KEPT_OF_OVERLONG ((size_t)64 << 10)

static const char usage[] =
    "Usage: penstock filter [--stage NAME] [--set STAGE.KEY=VALUE]... FILE\n\n"
    "Runs the transforms of a pipeline alone: JSON lines from standard input to standard output. Records that cannot be processed\n"
    "go to standard error, an object a line, with the reason and the record. Sources, transports and sinks of the file are checked and not run.\n\n"
    "  --stage NAME            begin at this transform; needed where the file's transforms are not one chain\n"
    "  --set STAGE.KEY=VALUE   instead of what the file says; STAGE may be pipeline\n\n"
    "Exit status: 0 done, 1 failed while running (max_errors too), 2 the file or the command line is wrong.\n";

/* One transform of the chain. */
struct step {
    const struct pen_stage_config *config;
    const struct pen_transform *type;
    struct pen_host host;
    void *ctx;
    bool started;
    struct ArrowSchema want, in, out; /* release NULL: none */
    struct pen_conform *conform;      /* columns picked for it, NULL: none */
};

struct filter {
    struct pen_config *config;
    struct pen_run_context run;
    struct step *steps;
    size_t n;
    struct pen_intake *intake;
    struct pen_text out;
    int64_t dead;
};

/* -- which transforms ---------------------------------------------------------------------------------------------------------- */

static bool reads_transform(const struct pen_stage_config *s)
{
    for (size_t i = 0; i < s->n_inputs; i++)
        if (s->inputs[i].stage && s->inputs[i].stage->kind == PEN_STAGE_TRANSFORM)
            return true;
    return false;
}

/* The transform that reads from s; NULL: none. PEN_BADCONF: there are several. */
static pen_status follower(const struct pen_config *c, const struct pen_stage_config *s, const struct pen_stage_config **next, struct pen_error *err)
{
    *next = NULL;
    for (size_t i = 0; i < c->n_stages; i++)
        for (size_t k = 0; c->stages[i].kind == PEN_STAGE_TRANSFORM && k < c->stages[i].n_inputs; k++)
            if (c->stages[i].inputs[k].stage == s) {
                if (*next)
                    return pen_fail(err, PEN_BADCONF, "%s is read by the transforms %s and %s: filter follows one way only", s->name, (*next)->name,
                                    c->stages[i].name);
                *next = &c->stages[i];
            }
    return PEN_OK;
}

/* The transform to begin at: the one named, or the only one that reads from none. */
static pen_status head_of(const struct pen_config *c, const char *name, const struct pen_stage_config **head, struct pen_error *err)
{
    char names[300] = "";
    size_t used = 0, heads = 0;
    *head = NULL;
    for (size_t i = 0; i < c->n_stages; i++) {
        const struct pen_stage_config *s = &c->stages[i];
        if (s->kind != PEN_STAGE_TRANSFORM || (name ? strcmp(s->name, name) != 0 : reads_transform(s)))
            continue;
        *head = s;
        heads++;
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", s->name);
    }
    if (heads == 1)
        return PEN_OK;
    if (name)
        return pen_fail(err, PEN_BADCONF, "--stage %s: the file has no such transform", name);
    if (heads == 0)
        return pen_fail(err, PEN_BADCONF, "the file has no transform");
    return pen_fail(err, PEN_BADCONF, "several transforms could come first: %s; say which by --stage NAME", names);
}

/* -- making the chain ------------------------------------------------------------------------------------------------------------ */

/* What the step gets of a stage before it that gives `from`. The first one's is decoded out of JSON. */
static pen_status connect(struct filter *f, size_t i, const struct ArrowSchema *from, struct pen_error *err)
{
    struct step *s = &f->steps[i];
    pen_status st = s->type->want ? s->type->want(s->ctx, from, &s->want, err) : PEN_OK;
    if (st < 0)
        return st;
    if (!s->want.release || (pen_schema_is_raw(from) && pen_schema_is_raw(&s->want)))
        return pen_schema_copy(&s->in, from, err);
    if (i == 0)
        return pen_schema_copy(&s->in, &s->want, err);
    if (pen_schema_is_raw(&s->want))
        return pen_fail(err, PEN_BADCONF, "it takes raw messages, and gets columns");
    return pen_conform_new(&s->conform, from, &s->want, &s->in, err);
}

static pen_status start_step(struct filter *f, size_t i, const struct ArrowSchema *from, struct pen_error *err)
{
    struct step *s = &f->steps[i];
    struct pen_error why = { 0 };
    pen_status st = PEN_OK;
    s->host.run = &f->run;
    s->host.stage = s->config->id;
    s->ctx = calloc(1, s->type->ctx_size + 1);
    if (!s->ctx)
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (s->type->options)
        st = pen_config_apply(f->config, s->config, s->type->options, s->ctx);
    if (st >= 0 && s->type->start)
        st = s->type->start(s->ctx, &s->host, &why);
    s->started = st >= 0;
    if (st >= 0)
        st = connect(f, i, from, &why);
    if (st >= 0)
        st = s->type->prepare(s->ctx, &s->in, &s->out, &why);
    return st < 0 ? pen_fail(err, st, "%s: %s", s->config->name, why.msg[0] ? why.msg : "its options are wrong") : PEN_OK;
}

static pen_status make_chain(struct filter *f, const struct pen_cli_pipeline *p, const char *name, struct pen_error *err)
{
    const struct pen_stage_config *at;
    const struct ArrowSchema *want = NULL;
    struct ArrowSchema raw = { 0 };
    pen_status st = head_of(f->config, name, &at, err);
    if (st >= 0)
        st = pen_schema_raw(&raw, err);
    if (st >= 0 && !(f->steps = calloc(f->config->n_stages, sizeof *f->steps)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    while (st >= 0 && at && f->n < f->config->n_stages) {
        f->steps[f->n].config = at;
        f->steps[f->n].type = p->plugins[at->index]->transform;
        f->n++;
        st = start_step(f, f->n - 1, f->n > 1 ? &f->steps[f->n - 2].out : &raw, err);
        if (st >= 0)
            st = follower(f->config, at, &at, err);
    }
    if (st >= 0) {
        if (f->steps[0].want.release && !pen_schema_is_raw(&f->steps[0].want))
            want = &f->steps[0].want;
        st = pen_intake_new(&f->intake, &want, 1, (size_t)f->config->pipeline.max_record, err);
    }
    pen_schema_release(&raw);
    return st;
}

static void filter_fini(struct filter *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct step *s = &f->steps[i];
        if (s->started && s->type->stop)
            s->type->stop(s->ctx);
        free(s->ctx);
        pen_conform_free(&s->conform);
        pen_schema_release(&s->want);
        pen_schema_release(&s->in);
        pen_schema_release(&s->out);
    }
    free(f->steps);
    pen_intake_free(&f->intake);
    pen_text_fini(&f->out);
}

/* -- rows through it ------------------------------------------------------------------------------------------------------------- */

static pen_status bury(struct filter *f, const struct step *s, uint64_t position, const char *reason, const void *record, size_t size, size_t length,
                       struct pen_error *err)
{
    struct pen_dead_letter letter = { .stage = s->config->name, .source = "standard input", .partition = "", .position = pen_position_of(position),
                                      .reason = reason, .record = record, .record_size = size, .record_length = length };
    struct pen_text line = { 0 };
    int64_t max = f->config->pipeline.max_errors;
    pen_dead_line(&line, &letter, &s->host);
    if (pen_text_failed(&line))
        return pen_fail(err, PEN_FATAL, "out of memory");
    fwrite(line.bytes, 1, line.n, stderr);
    pen_text_fini(&line);
    if (max >= 0 && ++f->dead > max)
        return pen_fail(err, PEN_FATAL, "%lld records could not be processed, max_errors allows %lld", (long long)f->dead, (long long)max);
    return PEN_OK;
}

static pen_status print_rows(struct filter *f, const struct ArrowSchema *schema, const struct ArrowArray *batch, struct pen_error *err)
{
    pen_text_clear(&f->out);
    for (int64_t row = 0; row < batch->length; row++) {
        if (pen_json_encode_row(&f->out, schema, batch, row, err) < 0)
            return PEN_FATAL;
        pen_text_append(&f->out, "\n", 1);
    }
    if (pen_text_failed(&f->out))
        return pen_fail(err, PEN_FATAL, "out of memory");
    if (f->out.n == 0 || fwrite(f->out.bytes, 1, f->out.n, stdout) == f->out.n)
        return PEN_OK;
    return pen_fail(err, PEN_FATAL, "standard output: %s", strerror(errno));
}

static pen_status run_steps(struct filter *f, size_t i, const struct ArrowArray *batch, const uint64_t *words, struct pen_error *err);

static pen_status run_step(struct filter *f, size_t i, const struct ArrowArray *batch, const uint64_t *words, struct pen_error *err)
{
    struct step *s = &f->steps[i];
    struct pen_rejects rejects = { 0 };
    struct pen_text record = { 0 };
    struct ArrowArray out = { 0 };
    const uint64_t *out_words = NULL;
    uint64_t *owned = NULL;
    pen_status st = s->type->apply(s->ctx, batch, &out, &rejects, err);
    if (st >= 0)
        st = pen_rejects_words(&rejects, words, 0, batch->length, out.length, &out_words, &owned, err);
    for (size_t r = 0; r < rejects.n && st >= 0; r++) {
        pen_text_clear(&record);
        st = pen_json_encode_row(&record, &s->in, batch, rejects.rows[r].row, err);
        if (st >= 0)
            st = bury(f, s, words[rejects.rows[r].row], rejects.rows[r].reason, record.bytes, record.n, record.n, err);
    }
    if (st >= 0)
        st = run_steps(f, i + 1, &out, out_words, err);
    pen_array_release(&out);
    pen_text_fini(&record);
    pen_rejects_fini(&rejects);
    free(owned);
    return st;
}

/* Hands a batch to step i, or to standard output behind the last. */
static pen_status run_steps(struct filter *f, size_t i, const struct ArrowArray *batch, const uint64_t *words, struct pen_error *err)
{
    struct ArrowArray picked = { 0 };
    pen_status st = PEN_OK;
    if (batch->length == 0)
        return PEN_OK;
    if (i == f->n)
        return print_rows(f, &f->steps[i - 1].out, batch, err);
    if (f->steps[i].conform)
        st = pen_conform_apply(f->steps[i].conform, batch, &picked, err);
    if (st >= 0)
        st = run_step(f, i, picked.release ? &picked : batch, words, err);
    pen_array_release(&picked);
    return st;
}

/* What the intake took in since it began. */
static pen_status run_intake(struct filter *f, struct pen_error *err)
{
    struct ArrowArray batch = { 0 };
    const struct pen_rejected *r;
    size_t n;
    pen_status st = pen_intake_finish(f->intake, &batch, err);
    r = pen_intake_rejected(f->intake, &n);
    for (size_t i = 0; i < n && st >= 0; i++)
        st = bury(f, &f->steps[0], r[i].position, r[i].reason, r[i].bytes, r[i].n, (size_t)r[i].length, err);
    if (st >= 0)
        st = run_steps(f, 0, &batch, pen_intake_positions(f->intake, 0), err);
    pen_array_release(&batch);
    return st;
}

/* -- standard input -------------------------------------------------------------------------------------------------------------- */

struct input {
    char *bytes;
    size_t n, room;
    uint64_t position; /* of bytes[0] in the stream */
    bool end;
};

static pen_status read_more(struct input *in, struct pen_error *err)
{
    ssize_t got;
    if (in->room - in->n < READ_BYTES) {
        size_t room = in->room * 2 > in->n + READ_BYTES ? in->room * 2 : in->n + READ_BYTES;
        char *grown = realloc(in->bytes, room);
        if (!grown)
            return pen_fail(err, PEN_FATAL, "out of memory for a line of %zu bytes", in->n);
        in->bytes = grown;
        in->room = room;
    }
    do
        got = read(STDIN_FILENO, in->bytes + in->n, READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return pen_fail(err, PEN_FATAL, "standard input: %s", strerror(errno));
    in->end = got == 0;
    in->n += (size_t)got;
    return PEN_OK;
}

static void drop(struct input *in, size_t n)
{
    memmove(in->bytes, in->bytes + n, in->n - n);
    in->n -= n;
    in->position += n;
}

/* A line longer than max_record: its first bytes are kept, the rest is passed by until its newline. */
static pen_status pass_overlong(struct filter *f, struct input *in, struct pen_error *err)
{
    char *kept = malloc(KEPT_OF_OVERLONG);
    size_t n = in->n < KEPT_OF_OVERLONG ? in->n : KEPT_OF_OVERLONG;
    uint64_t from = in->position, length = 0;
    const char *newline = NULL;
    pen_status st = PEN_OK;
    if (!kept)
        return pen_fail(err, PEN_FATAL, "out of memory");
    memcpy(kept, in->bytes, n);
    while (st >= 0 && !(newline = memchr(in->bytes, '\n', in->n)) && !(in->end && in->n == 0)) {
        length += in->n;
        drop(in, in->n);
        st = in->end ? PEN_OK : read_more(in, err);
    }
    if (newline) {
        length += (size_t)(newline - in->bytes);
        drop(in, (size_t)(newline - in->bytes) + 1);
    }
    if (st >= 0) {
        pen_intake_begin(f->intake);
        pen_intake_overlong(f->intake, kept, n, length, from);
        st = run_intake(f, err);
    }
    free(kept);
    return st;
}

/* Whole lines of what has been read; what is left of the last one stays. */
static pen_status take_lines(struct filter *f, struct input *in, struct pen_error *err)
{
    size_t done = 0, taken;
    pen_status st = PEN_OK;
    do {
        pen_intake_begin(f->intake);
        taken = pen_intake_lines(f->intake, in->bytes + done, in->n - done, in->end, in->position + done, BATCH_ROWS);
        done += taken;
        st = run_intake(f, err);
    } while (taken > 0 && done < in->n && st >= 0);
    drop(in, done);
    return st;
}

static pen_status filter_input(struct filter *f, struct pen_error *err)
{
    struct input in = { 0 };
    pen_status st = PEN_OK;
    while (st >= 0 && !in.end) {
        st = read_more(&in, err);
        if (st >= 0 && in.n)
            st = take_lines(f, &in, err);
        if (st >= 0 && in.n > pen_intake_max_record(f->intake))
            st = pass_overlong(f, &in, err);
        if (st >= 0 && fflush(stdout) != 0)
            st = pen_fail(err, PEN_FATAL, "standard output: %s", strerror(errno));
    }
    free(in.bytes);
    return st;
}

/* -- the command ----------------------------------------------------------------------------------------------------------------- */

/* -1: go on; else the exit status. */
static int parse(struct pen_cli_pipeline *p, const char **file, const char **stage, int argc, char **argv)
{
    static const struct option options[] = { { "stage", required_argument, NULL, 't' }, { "set", required_argument, NULL, 's' }, { 0 } };
    for (int o; (o = pen_cli_option(argc, argv, options)) != -1;)
        switch (o) {
        case 't':
            *stage = optarg;
            break;
        case 's':
            if (!pen_cli_set(p, optarg))
                return pen_cli_usage("filter", "out of memory");
            break;
        case 'h':
            fputs(usage, stdout);
            return pen_cli_flush();
        default:
            return PEN_EXIT_USAGE;
        }
    if (argc - optind != 1)
        return pen_cli_usage("filter", argc == optind ? "which file?" : "one file at a time");
    *file = argv[optind];
    return -1;
}

static int run(struct pen_cli_pipeline *p, const char *stage)
{
    struct filter f = { .config = p->config };
    struct pen_error err = { 0 };
    int status = PEN_EXIT_DONE;
    pen_status st;
    signal(SIGPIPE, SIG_DFL); /* `penstock filter ... | head` just ends, as filters do */
    st = pen_run_context_init(&f.run, p->config->pipeline.name, p->config->pipeline.state, 1, &err);
    if (st >= 0)
        st = make_chain(&f, p, stage, &err);
    if (st >= 0)
        st = filter_input(&f, &err);
    if (st < 0)
        status = pen_cli_failed(&err);
    filter_fini(&f);
    pen_run_context_fini(&f.run);
    return status;
}

int pen_cli_filter(int argc, char **argv)
{
    struct pen_cli_pipeline p = { 0 };
    struct pen_error err = { 0 };
    const char *file = NULL, *stage = NULL;
    int status = parse(&p, &file, &stage, argc, argv);
    if (status < 0) {
        if (pen_cli_load(&p, file, &err) < 0)
            status = pen_cli_failed(&err);
        else /* warnings are for check: standard error holds dead letters here */
            status = p.config->diags.errors ? pen_cli_problems(&p) : run(&p, stage);
    }
    pen_cli_pipeline_fini(&p);
    return status;
}
