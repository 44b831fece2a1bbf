/* failpoint.c - named places where a test makes a run exit, fail or wait.
 *
 * PENSTOCK_FAILPOINTS = "NAME=ACTION[@N][;…]": at the Nth time (default 1; 0: every time) that NAME is reached, ACTION is taken: exit (as if
 * killed: no clean-up), error, or delay:MILLISECONDS. PENSTOCK_FAILPOINT_LOG = FILE: each NAME that is reached is added to it, a line each. Compiled in
 * by --enable-failpoints.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <penstock/plugin.h>

#ifdef PEN_FAILPOINTS
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct failpoint {
    char name[64];
    char action[16];
    long milliseconds;
    unsigned long when, seen;
};
static struct failpoint points[32];
static size_t n_points;
static int log_fd = -1;
static pthread_mutex_t points_lock = PTHREAD_MUTEX_INITIALIZER;

static void parse_points(void)
{
    const char *s = getenv("PENSTOCK_FAILPOINTS"), *log = getenv("PENSTOCK_FAILPOINT_LOG");
    if (log)
        log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    while (s && *s && n_points < sizeof points / sizeof *points) {
        struct failpoint *p = &points[n_points];
        size_t name = strcspn(s, "=;"), action;
        if (s[name] == '=' && name < sizeof p->name) {
            memcpy(p->name, s, name);
            p->name[name] = '\0';
            s += name + 1;
            action = strcspn(s, ":@;");
            if (action < sizeof p->action) {
                memcpy(p->action, s, action);
                p->action[action] = '\0';
                s += action;
                p->when = 1;
                if (*s == ':')
                    p->milliseconds = strtol(s + 1, (char **)&s, 10);
                if (*s == '@')
                    p->when = strtoul(s + 1, (char **)&s, 10);
                n_points++;
            }
        }
        s += strcspn(s, ";");
        s += *s == ';';
    }
}
static pthread_once_t points_once = PTHREAD_ONCE_INIT;

static void log_hit(const char *name)
{
    char line[80];
    int n = snprintf(line, sizeof line, "%s\n", name);
    if (write(log_fd, line, (size_t)n) != n)
        abort(); /* a test without its count is none */
}

pen_status pen_failpoint(const char *name, struct pen_error *err)
{
    struct failpoint hit = { .name = "" };
    pthread_once(&points_once, parse_points);
    if (log_fd >= 0)
        log_hit(name);
    if (n_points == 0)
        return PEN_OK;
    pthread_mutex_lock(&points_lock);
    for (size_t i = 0; i < n_points; i++)
        if (strcmp(points[i].name, name) == 0 && (++points[i].seen == points[i].when || points[i].when == 0))
            hit = points[i];
    pthread_mutex_unlock(&points_lock);
    if (!hit.name[0])
        return PEN_OK;
    if (strcmp(hit.action, "exit") == 0) {
        kill(getpid(), SIGKILL);
        pause();
    }
    if (strcmp(hit.action, "delay") == 0) {
        struct timespec t = { hit.milliseconds / 1000, (hit.milliseconds % 1000) * 1000000L };
        nanosleep(&t, NULL);
        return PEN_OK;
    }
    return pen_fail(err, PEN_FATAL, "failpoint %s", name);
}
#else
pen_status pen_failpoint(const char *name, struct pen_error *err)
{
    (void)name, (void)err;
    return PEN_OK;
}
#endif
