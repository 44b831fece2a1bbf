/* sink.c - the file sink: rows of lanes as JSON lines or CSV, into one file, standard output, or a folder with a file for each plan and lane.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLUSH (256u << 10) /* bytes of text */

struct writer {
    struct file_sink *sink;
    unsigned lane;
    struct output *output; /* NULL: nothing was written since the last stage() */
    struct pen_text text, scratch;
    int64_t rows, written;
};

static const struct pen_option options[] = {
    { "path", PEN_OPT_STRING, offsetof(struct file_sink, path), NULL, 0, 0, NULL, PEN_OPTION_REQUIRED,
      "A path that ends in .jsonl, .json or .csv (perhaps with .gz or .zst behind) is that one file, which is appended to; - is standard output; any other path is "
      "a folder." },
    { "format", PEN_OPT_ENUM, offsetof(struct file_sink, format), "auto", 0, 0, "auto|jsonl|csv", 0,
      "auto goes by the path's extension, and is JSON lines for folders and standard output." },
    { "compression", PEN_OPT_COMPRESSION, offsetof(struct file_sink, compression), "none", 0, 0, NULL, 0,
      "Of the files of a folder: none or zstd:LEVEL. One file is compressed as its extension says." },
    { "fsync", PEN_OPT_BOOL, offsetof(struct file_sink, fsync), "yes", 0, 0, NULL, 0,
      "Whether each commit waits for the disk; without, a power loss may take what was committed last." },
    { "header", PEN_OPT_BOOL, offsetof(struct file_sink, header), "yes", 0, 0, NULL, 0, "CSV: whether files begin with a line of names." },
    { "delimiter", PEN_OPT_STRING, offsetof(struct file_sink, delimiter), ",", 0, 0, NULL, 0, "CSV: the one byte between columns." },
    { 0 }
};

static pen_status no_memory(struct pen_error *err)
{
    return pen_fail(err, PEN_FATAL, "out of memory");
}

/* Where temporary files lie, and the sidecar: hidden beside the file. */
static pen_status name_companions(struct file_sink *s, struct pen_error *err)
{
    const char *slash = strrchr(s->path, '/');
    int folder = slash ? (int)(slash - s->path) + 1 : 0;
    int n = s->standard_output ? asprintf(&s->near, "%s/%s.", pen_state_path(s->host), pen_stage_name(s->host))
                               : asprintf(&s->near, "%.*s.%s.penstock-", folder, s->path, s->path + folder);
    if (n < 0) {
        s->near = NULL;
        return no_memory(err);
    }
    if (!s->standard_output && asprintf(&s->sidecar, "%.*s.%s.penstock", folder, s->path, s->path + folder) < 0) {
        s->sidecar = NULL;
        return no_memory(err);
    }
    if (!s->standard_output && asprintf(&s->owner, "%s.owner", s->sidecar) < 0) {
        s->owner = NULL;
        return no_memory(err);
    }
    return PEN_OK;
}

static pen_status start(void *ctx, const struct pen_host *host, struct pen_error *err)
{
    struct file_sink *s = ctx;
    file_format format;
    bool one_file;
    s->host = host;
    s->owner_fd = -1;
    file_kind(s->path, &format, &s->codec, &one_file);
    s->standard_output = strcmp(s->path, "-") == 0;
    s->folder = !one_file && !s->standard_output;
    if (s->folder)
        s->codec = FILE_PLAIN;
    s->csv = s->format == FILE_CSV || (s->format == FILE_AUTO && one_file && format == FILE_CSV);
    if (s->compression.codec == PEN_CODEC_SNAPPY)
        return pen_fail(err, PEN_BADCONF, "compression = snappy: text files are compressed by zstd, or by gzip where the path ends in .gz");
    if (s->compression.codec == PEN_CODEC_ZSTD && s->codec == FILE_GZIP)
        return pen_fail(err, PEN_BADCONF, "compression = zstd, but path = %s ends in .gz: leave one out", s->path);
    if (s->compression.codec == PEN_CODEC_ZSTD && !s->folder && s->codec != FILE_ZSTD)
        return pen_fail(err, PEN_BADCONF, "compression = zstd, but path = %s does not end in .zst", s->path);
    if (s->compression.codec == PEN_CODEC_ZSTD)
        s->codec = FILE_ZSTD;
    if (strlen(s->delimiter) != 1 || strchr("\"\r\n", s->delimiter[0]))
        return pen_fail(err, PEN_BADCONF, "delimiter = \"%s\": expected one byte that is no quote and no line break", s->delimiter);
    snprintf(s->run, sizeof s->run, "%" PRIx64 "%x", (uint64_t)pen_wall_clock(host), (unsigned)getpid());
    pen_status status = s->folder ? PEN_OK : name_companions(s, err);
    if (status < 0) {
        free(s->near);
        free(s->sidecar);
        free(s->owner);
    }
    return status;
}

static void stop(void *ctx)
{
    struct file_sink *s = ctx;
    if (s->owner_fd >= 0)
        close(s->owner_fd);
    free(s->near);
    free(s->sidecar);
    free(s->owner);
    pen_schema_release(&s->schema);
}

static pen_status prepare(void *ctx, const struct ArrowSchema *in, struct pen_error *err)
{
    struct file_sink *s = ctx;
    s->raw = pen_schema_is_raw(in);
    if (s->raw && s->csv)
        return pen_fail(err, PEN_BADCONF, "CSV needs columns, and what comes in are raw messages: put a transform in between, or write .jsonl");
    pen_schema_release(&s->schema);
    return pen_schema_copy(&s->schema, in, err);
}

static pen_status last_number(void *arg, const struct pen_object *o, struct pen_error *err)
{
    struct file_sink *s = arg;
    uint64_t n = strtoull(o->name, NULL, 10);
    (void)err;
    if (n >= s->next)
        s->next = n + 1;
    return PEN_OK;
}

/* Without the state's id at the end. */
static int name_length(const char *whose)
{
    const char *blank = strrchr(whose, ' ');
    return (int)(blank ? blank - whose : (ptrdiff_t)strlen(whose));
}

static pen_status refuse(const struct file_sink *s, const char *whose, const char *stage, struct pen_error *err)
{
    if (strncmp(whose, stage, strlen(stage)) == 0)
        return pen_fail(err, PEN_FATAL, "path = %s: was written with a state that is not %s: from here every row would come again. Start with that one, or with "
                        "another file; removing %s gives the file to this one", s->path, pen_state_path(s->host), s->owner);
    return pen_fail(err, PEN_FATAL, "path = %s: pipeline %.*s appends to it; two must not: give each a file of its own, or both a folder, or remove %s", s->path,
                    name_length(whose), whose, s->owner);
}

/* One sink with one `state` alone appends to a file, for it cuts away what another run of it may have left half done: not even one after the other. */
static pen_status take_ownership(struct file_sink *s, struct pen_error *err)
{
    char id[PEN_STATE_ID], stage[600], ours[640], whose[640] = "";
    pen_status status = pen_state_id(s->host, id, err);
    snprintf(stage, sizeof stage, "%.255s, sink %.255s ", pen_pipeline_name(s->host), pen_stage_name(s->host));
    int n = snprintf(ours, sizeof ours, "%s%s\n", stage, id);
    if (status < 0)
        return status;
    s->owner_fd = open(s->owner, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (s->owner_fd < 0)
        return pen_fail(err, PEN_FATAL, "%s: cannot make a file here: %s", s->owner, strerror(errno));
    bool locked = flock(s->owner_fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK)
        return pen_fail(err, PEN_FATAL, "%s: cannot lock: %s", s->owner, strerror(errno));
    ssize_t got = pread(s->owner_fd, whose, sizeof whose - 1, 0);
    whose[got > 0 ? got : 0] = '\0';
    bool whole = got > 0 && strlen(whose) == (size_t)got && whose[got - 1] == '\n'; /* not torn by a power loss */
    if (!locked)
        return pen_fail(err, PEN_FATAL, "path = %s: pipeline %.*s is appending to it; two must not: give each a file of its own, or both a folder", s->path,
                        name_length(whose), whose);
    if (whole && strcmp(whose, ours) == 0)
        return PEN_OK;
    if (whole && access(s->path, F_OK) == 0)
        return refuse(s, whose, stage, err);
    if (ftruncate(s->owner_fd, 0) != 0 || pwrite(s->owner_fd, ours, (size_t)n, 0) != n || (s->fsync && fsync(s->owner_fd) != 0))
        return pen_fail(err, PEN_FATAL, "%s: cannot write: %s", s->owner, strerror(errno));
    return PEN_OK;
}

static pen_status open_sink(void *ctx, struct pen_error *err)
{
    struct file_sink *s = ctx;
    struct stat st;
    if (s->folder) {
        pen_status status = pen_store_claim(s->host, s->path, s->fsync ? 0 : PEN_PUT_NO_FSYNC, err);
        return status < 0 ? status : pen_store_list(s->host, s->path, NULL, false, last_number, s, err); /* names go on where they stood */
    }
    if (!s->standard_output && stat(s->path, &st) == 0 && !S_ISREG(st.st_mode))
        return pen_fail(err, PEN_BADCONF, "path = %s: not a file", s->path);
    return s->standard_output ? PEN_OK : take_ownership(s, err);
}

/* -- a lane's writer ------------------------------------------------------------------------------------------------------------ */

static pen_status writer_open(void *ctx, unsigned lane, void **writer, struct pen_error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    if (!w)
        return no_memory(err);
    w->sink = ctx;
    w->lane = lane;
    *writer = w;
    return PEN_OK;
}

static void abandon(void *writer)
{
    struct writer *w = writer;
    output_abandon(&w->output);
    pen_text_clear(&w->text);
    w->rows = w->written = 0;
}

static void writer_close(void *writer)
{
    struct writer *w = writer;
    abandon(w);
    pen_text_fini(&w->text);
    pen_text_fini(&w->scratch);
    free(w);
}

static pen_status flush(struct writer *w, struct pen_error *err)
{
    pen_status status = output_write(w->output, w->text.bytes, w->text.n, err);
    w->written += (int64_t)w->text.n;
    pen_text_clear(&w->text);
    return status;
}

static pen_status write_batch(void *writer, const struct ArrowArray *batch, const struct pen_rows *rows, struct pen_error *err)
{
    (void)rows;
    struct writer *w = writer;
    pen_status status = pen_failpoint("file.write", err);
    if (status == PEN_OK && !w->output && batch->length > 0) {
        status = output_open(&w->output, w->sink, w->lane, err);
        if (status == PEN_OK && w->sink->folder && w->sink->csv && w->sink->header)
            rows_header(&w->text, w->sink);
    }
    for (int64_t i = 0; status == PEN_OK && i < batch->length; i++) {
        status = rows_append(&w->text, w->sink, batch, i, &w->scratch, err);
        if (status == PEN_OK && w->text.n >= FLUSH)
            status = flush(w, err);
    }
    w->rows += batch->length;
    return status;
}

static size_t held(void *writer)
{
    const struct writer *w = writer;
    return w->text.cap + w->scratch.cap;
}

static int64_t written(void *writer)
{
    const struct writer *w = writer;
    return w->written + (int64_t)w->text.n;
}

static pen_status stage(void *writer, struct pen_staged *staged, struct pen_error *err)
{
    struct writer *w = writer;
    memset(staged, 0, sizeof *staged);
    if (!w->output)
        return PEN_OK;
    pen_status status = flush(w, err);
    if (status == PEN_OK)
        status = output_stage(&w->output, &staged->bytes, &staged->file_bytes, err);
    if (status == PEN_OK) {
        staged->n = strlen(staged->bytes) + 1; /* with its NUL, which publish() counts on */
        staged->rows = w->rows;
        staged->files = w->sink->folder;
    }
    w->rows = w->written = 0;
    return status;
}

const struct pen_sink file_sink = {
    .ctx_size = sizeof(struct file_sink),
    .options = options,
    .start = start,
    .stop = stop,
    .prepare = prepare,
    .open = open_sink,
    .guarantee = "files and folders: exactly once, for the one process that holds the state, and a second one is refused; standard output: at least once",
    .writer_open = writer_open,
    .writer_close = writer_close,
    .write = write_batch,
    .held = held,
    .written = written,
    .stage = stage,
    .abandon = abandon,
    .publish = file_publish,
    .retract = file_retract,
    .discard = file_discard,
    .maintain = file_maintain,
};
