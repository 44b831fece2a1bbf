/* log.c - see log.h. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ops/log.h"
#include "ops/text.h"

#define MESSAGE_SIZE 2048
#define LINE_SIZE (2 * MESSAGE_SIZE + 512)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all but the atomics */
static int fd = STDERR_FILENO;
static char *path; /* NULL: standard error */
static bool json, torn; /* torn: the last line was cut by a write that did not go through */
static uint64_t lost;
static _Atomic int wanted_level = PEN_LOG_INFO;
static volatile sig_atomic_t reopen;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

const char *pen_log_level_name(pen_log_level level)
{
    return level_names[level];
}

static int open_file(const char *name)
{
    return open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

pen_status pen_log_open(const char *name, bool as_json, pen_log_level level, struct pen_error *err)
{
    char *copy = name ? strdup(name) : NULL;
    int opened = name ? open_file(name) : STDERR_FILENO;
    int why = errno;
    if (name && (!copy || opened < 0)) {
        free(copy);
        if (opened >= 0)
            close(opened);
        return pen_fail(err, opened < 0 ? PEN_BADCONF : PEN_FATAL, "log %s cannot be opened: %s", name, opened < 0 ? strerror(why) : "out of memory");
    }
    pen_log_close();
    pthread_mutex_lock(&lock);
    fd = opened;
    path = copy;
    json = as_json;
    torn = false;
    pthread_mutex_unlock(&lock);
    atomic_store(&wanted_level, level);
    return PEN_OK;
}

void pen_log_close(void)
{
    pthread_mutex_lock(&lock);
    if (path)
        close(fd);
    free(path);
    path = NULL;
    fd = STDERR_FILENO;
    json = false;
    pthread_mutex_unlock(&lock);
    atomic_store(&wanted_level, PEN_LOG_INFO);
}

void pen_log_reopen(void)
{
    reopen = 1;
}

bool pen_log_wanted(pen_log_level level)
{
    return (int)level <= atomic_load_explicit(&wanted_level, memory_order_relaxed);
}

/* Under the lock. Where the new file cannot be had the old one stays. */
static void reopen_if_asked(void)
{
    int opened;
    if (!reopen)
        return;
    reopen = 0;
    if (!path || (opened = open_file(path)) < 0)
        return;
    close(fd);
    fd = opened;
    torn = false;
}

/* Under the lock: one write() for the line; what does not go through is counted. */
static bool write_line(const char *line, size_t n)
{
    ssize_t done;
    if (torn && write(fd, "\n", 1) != 1)
        return false;
    torn = false;
    do {
        done = write(fd, line, n);
    } while (done < 0 && errno == EINTR);
    torn = done > 0 && (size_t)done < n;
    return done >= 0 && (size_t)done == n;
}

static size_t time_text(char *buf, size_t size)
{
    struct timespec now;
    struct tm tm;
    size_t n;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(buf + n, size - n, ".%06ldZ", now.tv_nsec / 1000);
}

/* Text that is one printable line already, inside of a JSON string. */
static size_t json_text(char *buf, const char *text)
{
    size_t n = 0;
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf[n++] = '\\';
        buf[n++] = *text;
    }
    buf[n] = '\0';
    return n;
}

static size_t format_text(char *line, pen_log_level level, const char *pipeline, const char *stage, const char *message)
{
    size_t n = time_text(line, LINE_SIZE);
    n += (size_t)snprintf(line + n, LINE_SIZE - n, " %-5s %s%s%s%s%s\n", level_names[level], pipeline ? pipeline : "", pipeline && stage ? "/" : "",
                          stage ? stage : "", pipeline || stage ? ": " : "", message);
    return n;
}

static size_t format_json(char *line, pen_log_level level, const char *pipeline, const char *stage, const char *message)
{
    char when[40], escaped[2 * MESSAGE_SIZE + 1];
    size_t n;
    time_text(when, sizeof when);
    n = (size_t)snprintf(line, LINE_SIZE, "{\"time\":\"%s\",\"level\":\"%s\"", when, level_names[level]);
    if (pipeline) {
        json_text(escaped, pipeline);
        n += (size_t)snprintf(line + n, LINE_SIZE - n, ",\"pipeline\":\"%s\"", escaped);
    }
    if (stage) {
        json_text(escaped, stage);
        n += (size_t)snprintf(line + n, LINE_SIZE - n, ",\"stage\":\"%s\"", escaped);
    }
    json_text(escaped, message);
    n += (size_t)snprintf(line + n, LINE_SIZE - n, ",\"message\":\"%s\"}\n", escaped);
    return n;
}

/* A name of a pipeline or stage as it is shown; NULL stays NULL. */
static const char *name_text(const char *name, char *buf, size_t size)
{
    if (name)
        pen_text_escape(buf, size, name, strlen(name));
    return name ? buf : NULL;
}

void pen_log_vline(pen_log_level level, const char *pipeline, const char *stage, const char *fmt, va_list ap)
{
    char raw[MESSAGE_SIZE], message[MESSAGE_SIZE], a[100], b[100], line[LINE_SIZE];
    size_t (*format)(char *, pen_log_level, const char *, const char *, const char *);
    int n, saved = errno;
    if (!pen_log_wanted(level))
        return;
    n = vsnprintf(raw, sizeof raw, fmt, ap);
    pen_text_escape(message, sizeof message, raw, n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1);
    pipeline = name_text(pipeline, a, sizeof a);
    stage = name_text(stage, b, sizeof b);
    pthread_mutex_lock(&lock);
    reopen_if_asked();
    format = json ? format_json : format_text;
    if (lost) {
        char what[80];
        snprintf(what, sizeof what, "%llu log lines before this one could not be written", (unsigned long long)lost);
        if (write_line(line, format(line, PEN_LOG_WARN, pipeline, NULL, what)))
            lost = 0;
    }
    if (!write_line(line, format(line, level, pipeline, stage, message)))
        lost++;
    pthread_mutex_unlock(&lock);
    errno = saved;
}

void pen_log_line(pen_log_level level, const char *pipeline, const char *stage, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    pen_log_vline(level, pipeline, stage, fmt, ap);
    va_end(ap);
}
