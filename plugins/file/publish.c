/* publish.c - how what was staged becomes visible.
 *
 * A folder: each staged file gets its name. One file: what was staged is appended. So that finishing a plan out of `state` after a kill doubles
 * nothing, a sidecar `.NAME.penstock` beside the file says, durably and before the first byte is appended, which plan is being appended and
 * how long the file was: the same plan again cuts the file there and appends anew. Staged files are removed only once all of them lie in the file, so
 * one that is missing says that the plan is done. Standard output cannot be cut: there a plan may be printed twice.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY 262144

static pen_status copy(const char *from, int to, const char *path, char *block, struct pen_error *err)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    pen_status status = PEN_OK;
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "%s: cannot open what was staged: %s", from, strerror(errno));
    for (;;) {
        ssize_t n = read(fd, block, COPY);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = pen_fail(err, PEN_FATAL, "%s: cannot read: %s", from, strerror(errno));
        if (n <= 0 || (status = output_write_all(to, block, (size_t)n, path, err)) < 0)
            break;
    }
    close(fd);
    return status;
}

/* The length before the append of the plan that the sidecar names; PEN_SKIP: it names another, or none. */
static pen_status recorded(const struct file_sink *s, const char *plan, int64_t *length, struct pen_error *err)
{
    char *text, id[200];
    size_t n;
    int end = 0;
    pen_status status = pen_store_get(s->host, s->sidecar, 4096, &text, &n, err);
    if (status != PEN_OK)
        return status;
    if (sscanf(text, "%" SCNd64 " %199s%n", length, id, &end) != 2 || *length < 0)
        status = pen_fail(err, PEN_FATAL, "%s: expected a length and a plan, found \"%s\"", s->sidecar, text);
    else
        status = strcmp(id, plan) == 0 ? PEN_OK : PEN_SKIP;
    free(text);
    return status;
}

static pen_status record(const struct file_sink *s, const char *plan, int64_t length, struct pen_error *err)
{
    char text[300];
    pen_put_outcome outcome;
    int n = snprintf(text, sizeof text, "%" PRId64 " %s\n", length, plan);
    pen_status status = pen_store_put(s->host, s->sidecar, text, (size_t)n, s->fsync ? 0 : PEN_PUT_NO_FSYNC, &outcome, err);
    if (status == PEN_OK && outcome != PEN_PUT_DONE)
        return pen_fail(err, PEN_FATAL, "%s: cannot tell whether it was written", s->sidecar);
    return status;
}

static pen_status append_all(const struct file_sink *s, const struct pen_plan *plan, int fd, const char *path, bool header, struct pen_error *err)
{
    char *block = malloc(COPY);
    pen_status status = block ? PEN_OK : pen_fail(err, PEN_FATAL, "out of memory");
    if (status == PEN_OK && header) {
        struct pen_text names = { 0 }, bytes = { 0 };
        rows_header(&names, s);
        status = pen_text_failed(&names) ? pen_fail(err, PEN_FATAL, "out of memory") : output_encode(&bytes, s, names.bytes, names.n, err);
        if (status == PEN_OK)
            status = output_write_all(fd, bytes.bytes, bytes.n, path, err);
        pen_text_fini(&names);
        pen_text_fini(&bytes);
    }
    for (size_t i = 0; status == PEN_OK && i < plan->n_staged; i++)
        if (plan->staged[i].bytes)
            status = copy(plan->staged[i].bytes, fd, path, block, err);
    free(block);
    return status;
}

static void remove_staged(const struct pen_plan *plan)
{
    for (size_t i = 0; i < plan->n_staged; i++)
        if (plan->staged[i].bytes)
            unlink(plan->staged[i].bytes);
}

static bool all_staged(const struct pen_plan *plan)
{
    for (size_t i = 0; i < plan->n_staged; i++)
        if (plan->staged[i].bytes && access(plan->staged[i].bytes, F_OK) != 0 && errno == ENOENT)
            return false;
    return true;
}

static pen_status append_to_file(const struct file_sink *s, const struct pen_plan *plan, struct pen_error *err)
{
    int64_t length = 0;
    struct stat st;
    pen_status status = recorded(s, plan->id, &length, err);
    if (status < 0)
        return status;
    bool again = status == PEN_OK;
    if (again && !all_staged(plan))
        return PEN_OK; /* it lies there whole: what was staged is being removed */
    int fd = open(s->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return pen_fail(err, PEN_FATAL, "%s: cannot open: %s", s->path, strerror(errno));
    if (fstat(fd, &st) != 0)
        status = pen_fail(err, PEN_FATAL, "%s: %s", s->path, strerror(errno));
    else if (again && st.st_size < length)
        status = pen_fail(err, PEN_FATAL, "%s: %" PRId64 " bytes long, but %" PRId64 " were committed: it was truncated", s->path, (int64_t)st.st_size, length);
    else if (!again)
        status = record(s, plan->id, length = st.st_size, err);
    else
        status = PEN_OK;
    if (status == PEN_OK && (status = pen_failpoint("file.recorded", err)) == PEN_OK && (ftruncate(fd, length) != 0 || lseek(fd, 0, SEEK_END) < 0))
        status = pen_fail(err, PEN_FATAL, "%s: cannot cut it at byte %" PRId64 ": %s", s->path, length, strerror(errno));
    if (status == PEN_OK)
        status = append_all(s, plan, fd, s->path, s->csv && s->header && length == 0, err);
    if (status == PEN_OK)
        status = pen_failpoint("file.appended", err);
    if (status == PEN_OK && s->fsync && fsync(fd) != 0)
        status = pen_fail(err, PEN_FATAL, "%s: cannot sync: %s", s->path, strerror(errno));
    if (close(fd) != 0 && status == PEN_OK)
        status = pen_fail(err, PEN_FATAL, "%s: cannot close: %s", s->path, strerror(errno));
    return status;
}

static pen_status publish_files(const struct file_sink *s, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    *outcome = PEN_PUBLISH_DONE;
    for (size_t i = 0; i < plan->n_staged; i++) {
        pen_put_outcome put;
        if (!plan->staged[i].bytes)
            continue;
        pen_status status = pen_store_publish(s->host, plan->staged[i].bytes, &put, err);
        if (status < 0)
            return status;
        if (put == PEN_PUT_EXISTS)
            return pen_fail(err, PEN_FATAL, "%s: a file's name is taken by somebody else's", s->path);
        if (put != PEN_PUT_DONE)
            *outcome = put == PEN_PUT_LOST ? PEN_PUBLISH_LOST : PEN_PUBLISH_UNKNOWN;
        if (put == PEN_PUT_LOST)
            break;
    }
    return PEN_OK;
}

pen_status file_publish(void *ctx, const struct pen_plan *plan, pen_publish_outcome *outcome, struct pen_error *err)
{
    struct file_sink *s = ctx;
    bool rows = false;
    for (size_t i = 0; i < plan->n_staged; i++)
        rows |= plan->staged[i].bytes != NULL;
    *outcome = PEN_PUBLISH_DONE;
    if (!rows)
        return PEN_OK;
    if (s->folder)
        return publish_files(s, plan, outcome, err);
    pen_status status = s->standard_output ? PEN_OK : append_to_file(s, plan, err);
    if (s->standard_output && (!plan->replay || all_staged(plan))) {
        status = append_all(s, plan, STDOUT_FILENO, "standard output", s->csv && s->header && !s->swept, err);
        s->swept = true; /* the header has been printed */
    }
    if (status == PEN_OK)
        remove_staged(plan);
    return status;
}

pen_status file_retract(void *ctx, const struct pen_plan *plan, struct pen_error *err)
{
    const struct file_sink *s = ctx;
    pen_status status = PEN_OK;
    for (size_t i = 0; i < plan->n_staged && status >= 0; i++)
        if (plan->staged[i].bytes)
            status = pen_store_discard(s->host, plan->staged[i].bytes, err);
    return status;
}

void file_discard(void *ctx, const struct pen_staged *staged)
{
    struct file_sink *s = ctx;
    if (s->folder)
        pen_store_discard(s->host, staged->bytes, NULL);
    else
        unlink(staged->bytes);
}

/* Temporary files of processes that were killed before their plan was made: once this one has published, nobody will ask for them. */
pen_status file_maintain(void *ctx, struct pen_error *err)
{
    struct file_sink *s = ctx;
    (void)err;
    if (s->folder || s->standard_output || s->swept)
        return PEN_OK;
    s->swept = true;
    const char *slash = strrchr(s->near, '/'), *prefix = slash ? slash + 1 : s->near;
    char *folder = slash ? strndup(s->near, (size_t)(slash - s->near) + 1) : strdup("./");
    DIR *d = folder ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && strncmp(e->d_name + strlen(prefix), s->run, strlen(s->run)) != 0)
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    free(folder);
    return PEN_OK;
}
