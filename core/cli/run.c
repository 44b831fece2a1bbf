/* run.c - `penstock run`: the pipeline, until it has read everything, or is told to stop, or fails.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "cli/cli.h"
#include "engine/run.h"
#include "engine/stores.h"
#include "ops/log.h"

static const char usage[] =
    "Usage: penstock run [--until-end] [--only STAGE,...] [--set STAGE.KEY=VALUE]... [--dry-run] [--json] FILE\n\n"
    "Runs a pipeline. SIGTERM or SIGINT: finish the batch, commit, exit. SIGHUP: open the log anew.\n"
    "Exit status: 0 done or stopped, 1 failed while running, 2 the file or the command line is wrong (nothing was written).\n\n"
    "  --until-end             stop once every source has been read to what was there at the start, and commit\n"
    "  --only STAGE,...        run the segments that these stages belong to, and no others\n"
    "  --set STAGE.KEY=VALUE   instead of what the file says; STAGE may be pipeline or deadletter\n"
    "  --dry-run               do everything up to the first read: plugins, options, types; then exit\n"
    "  --json                  at the end, one JSON object on standard output: rows, dead_letters, commits, seconds, sinks\n";

struct request {
    const char *file;
    bool until_end, dry_run, json;
    char *only_text;
    const char *only[64];
    size_t n_only;
};

static bool split_only(struct request *r, const char *text)
{
    free(r->only_text);
    r->only_text = strdup(text);
    r->n_only = 0;
    for (char *save = NULL, *word = r->only_text ? strtok_r(r->only_text, ", ", &save) : NULL; word; word = strtok_r(NULL, ", ", &save)) {
        if (r->n_only == sizeof r->only / sizeof *r->only)
            return false;
        r->only[r->n_only++] = word;
    }
    return r->n_only > 0;
}

/* PEN_EXIT_DONE to go on, -1 when help was printed, else the status to exit with. */
static int parse(struct request *r, struct pen_cli_pipeline *p, int argc, char **argv)
{
    static const struct option options[] = { { "until-end", no_argument, NULL, 'e' }, { "only", required_argument, NULL, 'o' },
                                             { "set", required_argument, NULL, 's' }, { "dry-run", no_argument, NULL, 'd' },
                                             { "json", no_argument, NULL, 'j' },      { NULL, 0, NULL, 0 } };
    for (int o; (o = pen_cli_option(argc, argv, options)) != -1;)
        switch (o) {
        case 'e': r->until_end = true; break;
        case 'd': r->dry_run = true; break;
        case 'j': r->json = true; break;
        case 'o':
            if (!split_only(r, optarg))
                return pen_cli_usage("run", "--only takes names of stages, separated by commas, 64 at most");
            break;
        case 's':
            if (!pen_cli_set(p, optarg))
                return pen_cli_usage("run", "out of memory");
            break;
        case 'h': fputs(usage, stdout); return -1;
        default: return PEN_EXIT_USAGE;
        }
    if (argc - optind != 1)
        return pen_cli_usage("run", argc == optind ? "which file?" : "one file at a time");
    r->file = argv[optind];
    return PEN_EXIT_DONE;
}

/* -- while it runs ------------------------------------------------------------------------------------------------------------------ */

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before any thread: they inherit it */
    signal(SIGPIPE, SIG_IGN);           /* whoever writes to what was closed is told so by write() */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Who listens to signals: a thread of its own while the engine starts, which can take as long as a server is away; then the main thread. */
struct watch {
    struct pen_run_context *run;
    struct pen_engine *engine; /* NULL while it starts */
    int signals, started;      /* descriptors; started: readable once it has, or could not */
    int64_t timeout, stop_at;  /* stop_at: when it is given up, INT64_MAX where nobody asked it to stop */
    bool progress;
};

static void show_progress(struct pen_engine *e, bool last)
{
    struct pen_report r;
    pen_engine_report(e, &r);
    fprintf(stderr, "\r%lld rows, %lld dead letters, %lld commits, %.0f rows/s\033[K%s", (long long)r.rows_read, (long long)r.dead_letters,
            (long long)r.commits, r.seconds > 0 ? (double)r.rows_read / r.seconds : 0.0, last ? "\n" : "");
}

/* False when it is asked to stop for the second time. */
static bool take_signals(struct watch *w)
{
    struct signalfd_siginfo info;
    while (read(w->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            pen_log_reopen();
            continue;
        }
        if (w->stop_at != INT64_MAX)
            return false;
        pen_log_line(PEN_LOG_INFO, NULL, NULL, w->engine ? "stopping: the batch is finished and committed" : "stopping: it has not started yet");
        w->stop_at = pen_now(NULL) + w->timeout;
        if (w->engine)
            pen_engine_stop(w->engine);
        else
            pen_run_context_stop(w->run);
    }
    return true;
}

/* Until the run is over, or has started. False when it has to be given up. */
static bool watch_on(struct watch *w)
{
    struct pollfd fds[2] = { { .fd = w->engine ? pen_engine_fd(w->engine) : w->started, .events = POLLIN }, { .fd = w->signals, .events = POLLIN } };
    while (!w->engine || !pen_engine_done(w->engine)) {
        uint64_t n;
        int64_t now = pen_now(NULL);
        int wait = w->stop_at != INT64_MAX ? (int)((w->stop_at - now) / 1000 + 1) : -1;
        if (now >= w->stop_at)
            return false;
        if (w->progress && w->engine && (wait < 0 || wait > 500))
            wait = 500;
        fds[0].revents = fds[1].revents = 0;
        poll(fds, 2, wait);
        if (fds[0].revents && !w->engine)
            return true;
        if (fds[0].revents && read(fds[0].fd, &n, sizeof n) < 0 && errno != EAGAIN)
            return false;
        if (fds[1].revents && !take_signals(w))
            return false;
        if (w->progress && w->engine)
            show_progress(w->engine, false);
    }
    return true;
}

static void watch_or_give_up(struct watch *w)
{
    if (watch_on(w))
        return;
    pen_log_line(PEN_LOG_ERROR, NULL, NULL, w->engine ? "given up before the last commit was made; the next start reads those rows again"
                                                      : "given up before it had started");
    _exit(PEN_EXIT_FAILED);
}

static void *watch_the_start(void *arg)
{
    watch_or_give_up(arg);
    return NULL;
}

/* PEN_SKIP: it was asked to stop before it had started, and could not start for now anyway. */
static pen_status start_watched(struct watch *w, struct pen_graph *g, const struct pen_engine_options *options, struct pen_error *err)
{
    struct pen_engine *e = NULL;
    uint64_t one = 1;
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, watch_the_start, w);
    if (failed)
        return pen_fail(err, PEN_FATAL, "a thread could not be started: %s", strerror(failed));
    pen_status st = pen_engine_start(&e, g, options, err);
    if (write(w->started, &one, sizeof one) < 0) /* never: its counter is 0 */
        pen_fail(err, PEN_FATAL, "eventfd: %s", strerror(errno));
    pthread_join(thread, NULL);
    if (st == PEN_RETRY && w->stop_at != INT64_MAX) {
        pen_log_line(PEN_LOG_WARN, NULL, NULL, "stopped before it had started: %s", err->msg);
        return PEN_SKIP;
    }
    if (st < 0)
        return st;
    w->engine = e;
    if (w->stop_at != INT64_MAX)
        pen_engine_stop(e);
    return PEN_OK;
}

static void print_report(const struct pen_report *r)
{
    cJSON *o = cJSON_CreateObject(), *sinks = cJSON_AddArrayToObject(o, "sinks");
    char *text;
    cJSON_AddNumberToObject(o, "rows", (double)r->rows_read);
    cJSON_AddNumberToObject(o, "dead_letters", (double)r->dead_letters);
    cJSON_AddNumberToObject(o, "commits", (double)r->commits);
    cJSON_AddNumberToObject(o, "seconds", r->seconds);
    for (size_t i = 0; i < r->n_sinks; i++) {
        cJSON *s = cJSON_CreateObject();
        cJSON_AddStringToObject(s, "name", r->sinks[i].name);
        cJSON_AddNumberToObject(s, "rows", (double)r->sinks[i].rows);
        cJSON_AddNumberToObject(s, "files", (double)r->sinks[i].files);
        cJSON_AddNumberToObject(s, "bytes", (double)r->sinks[i].bytes);
        cJSON_AddNumberToObject(s, "commits", (double)r->sinks[i].commits);
        cJSON_AddItemToArray(sinks, s);
    }
    text = cJSON_PrintUnformatted(o);
    puts(text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(o);
}

static pen_status run_watched(const struct request *r, const struct pen_config *c, struct pen_graph *g, struct watch *w, struct pen_error *err)
{
    struct pen_engine_options options = { c->deadletter.path, c->pipeline.shutdown_timeout };
    struct pen_report report;
    pen_status st = start_watched(w, g, &options, err);
    if (st != PEN_OK)
        return st;
    watch_or_give_up(w);
    if (w->progress)
        show_progress(w->engine, true);
    pen_engine_report(w->engine, &report);
    if (!w->progress)
        pen_log_line(PEN_LOG_INFO, c->pipeline.name, NULL, "%lld rows, %lld dead letters, %lld commits in %.3f s", (long long)report.rows_read,
                     (long long)report.dead_letters, (long long)report.commits, report.seconds);
    if (r->json)
        print_report(&report);
    return pen_engine_finish(&w->engine, err);
}

static pen_status run_graph(const struct request *r, const struct pen_config *c, struct pen_graph *g, struct pen_error *err)
{
    struct watch w = { .run = g->run, .signals = open_signals(), .started = eventfd(0, EFD_CLOEXEC), .timeout = c->pipeline.shutdown_timeout,
                       .stop_at = INT64_MAX, .progress = isatty(STDERR_FILENO) && !c->pipeline.log };
    pen_status st = w.signals < 0 || w.started < 0 ? pen_fail(err, PEN_FATAL, "signalfd, eventfd: %s", strerror(errno)) : run_watched(r, c, g, &w, err);
    if (w.signals >= 0)
        close(w.signals);
    if (w.started >= 0)
        close(w.started);
    return st;
}

/* -- before ------------------------------------------------------------------------------------------------------------------------- */

static int run_config(const struct request *r, struct pen_cli_pipeline *p, struct pen_error *err)
{
    struct pen_config *c = p->config;
    struct pen_run_context run;
    struct pen_graph *g = NULL;
    struct pen_open_stores *stores = NULL;
    int status = PEN_EXIT_DONE;
    pen_status st = pen_run_context_init(&run, c->pipeline.name, c->pipeline.state, (unsigned)c->pipeline.lanes, err);
    if (st >= 0)
        st = pen_stores_open(&stores, &run, c, NULL, 0, err);
    if (st >= 0) {
        run.until_end = r->until_end;
        st = pen_cli_build(p, &run, r->only, r->n_only, &g, err);
    }
    if (st >= 0 && (status = pen_cli_problems(p)) == PEN_EXIT_DONE && g) {
        if (!r->dry_run)
            st = pen_log_open(c->pipeline.log, c->pipeline.log_format == PEN_LOG_JSON, (pen_log_level)c->pipeline.log_level, err);
        if (st >= 0 && !r->dry_run && (st = run_graph(r, c, g, err)) < 0)
            err->code = PEN_FATAL; /* the file was found to be right, and something may have been written */
    }
    pen_graph_free(&g);
    pen_stores_close(&stores, &run);
    pen_run_context_fini(&run);
    if (st < 0)
        return pen_cli_failed(err);
    return status != PEN_EXIT_DONE ? status : pen_cli_flush();
}

int pen_cli_run(int argc, char **argv)
{
    struct request r = { 0 };
    struct pen_cli_pipeline p = { 0 };
    struct pen_error err = { 0 };
    int status = parse(&r, &p, argc, argv);
    if (status == PEN_EXIT_DONE) {
        if (pen_cli_load(&p, r.file, &err) < 0)
            status = pen_cli_failed(&err);
        else if (p.config->diags.errors)
            status = pen_cli_problems(&p);
        else
            status = run_config(&r, &p, &err);
    }
    pen_cli_pipeline_fini(&p);
    free(r.only_text);
    return status < 0 ? pen_cli_flush() : status;
}
