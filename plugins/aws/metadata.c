/* metadata.c - keys from outside: the machine's or the container's metadata service, and a command's output.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "http.h"
#include "keys.h"

enum { ANSWER_LIMIT = 65536, PROCESS_SECONDS = 60 };

/* -- JSON ------------------------------------------------------------------------------------------------------------------------------------- */

static const char *text_of(const cJSON *o, const char *name)
{
    const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
    return v && *v ? v : NULL;
}

pen_status aws_keys_of_json(const char *text, size_t n, const char *where, struct aws_held **out, struct pen_error *err)
{
    cJSON *o = cJSON_ParseWithLength(text, n);
    const char *access = text_of(o, "AccessKeyId"), *secret = text_of(o, "SecretAccessKey"), *token = text_of(o, "SessionToken");
    const char *until = text_of(o, "Expiration"), *message = text_of(o, "message");
    int64_t expires = INT64_MAX;
    pen_status st = PEN_OK;
    *out = NULL;
    token = token ? token : text_of(o, "Token");
    message = message ? message : text_of(o, "Message");
    if (!access || !secret)
        st = pen_fail(err, PEN_BADCONF, "%s: gave no AccessKeyId and SecretAccessKey%s%.100s", where, message ? ", but says: " : "", message ? message : "");
    else if (until && !pen_parse_timestamp(until, strlen(until), &expires))
        st = pen_fail(err, PEN_BADCONF, "%s: Expiration is \"%.40s\", expected a time such as 2021-01-05T12:34:56Z", where, until);
    else if (!(*out = aws_held_new(access, secret, token, expires == INT64_MAX ? expires : expires / 1000000)))
        st = pen_fail(err, PEN_FATAL, "out of memory");
    cJSON_Delete(o);
    return st;
}

/* -- metadata services -------------------------------------------------------------------------------------------------------------------------- */

/* One request, which such a service answers at once. *a is to be finished. PEN_RETRY: no answer, or one of 5xx. */
static pen_status ask(const char *method, const char *url, const char *header, const char *value, struct aws_answer *a, struct pen_error *err)
{
    struct aws_http *http;
    struct aws_fields headers = { 0 };
    aws_http_outcome outcome;
    const struct aws_http_options o = { .connect_timeout = 1000000, .silence_timeout = 5000000, .total_timeout = 5000000, .direct = true };
    pen_status st = aws_http_new(&http, &o, err);
    if (st < 0)
        return st;
    if (header)
        aws_field_add(&headers, header, value);
    const struct aws_exchange x = { .method = method, .url = url, .headers = &headers, .limit = ANSWER_LIMIT };
    st = headers.failed ? pen_fail(err, PEN_FATAL, "out of memory") : aws_http_exchange(http, &x, a, &outcome, err);
    if (st >= 0 && a->status >= 500)
        st = pen_fail(err, PEN_RETRY, "%s answered %ld", url, a->status);
    aws_fields_fini(&headers);
    aws_http_free(&http);
    return st;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Where a token may be sent: over TLS, to this machine, or to the addresses that AWS gives such services. */
static bool may_ask(const char *url)
{
    static const char *const hosts[] = { "127.", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]" };
    if (starts(url, "https://"))
        return true;
    for (size_t i = 0; starts(url, "http://") && i < sizeof hosts / sizeof *hosts; i++) {
        size_t n = strlen(hosts[i]);
        if (starts(url + 7, hosts[i]) && (hosts[i][n - 1] == '.' || strchr("/:?", url[7 + n])))
            return !memchr(url + 7, '@', strcspn(url + 7, "/?"));
    }
    return false;
}

/* The authorization of a container's service: a variable, or a file that is renewed. "" where there is none. */
static pen_status container_token(char *buf, size_t size, struct pen_error *err)
{
    const char *file = aws_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), *token = aws_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    char *text = NULL;
    size_t n;
    if (file) {
        pen_status st = aws_read_file(file, &text, &n, err);
        if (st == PEN_SKIP)
            st = pen_fail(err, PEN_BADCONF, "%s: there is no such file (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)", file);
        if (st < 0)
            return st;
        text[strcspn(text, "\r\n")] = '\0';
        token = text;
    }
    int length = snprintf(buf, size, "%s", token ? token : "");
    free(text);
    return (size_t)length < size ? PEN_OK : pen_fail(err, PEN_BADCONF, "the container's authorization token is longer than %zu bytes", size);
}

pen_status aws_keys_of_container(struct aws_held **out, struct pen_error *err)
{
    const char *relative = aws_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), *full = aws_environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char url[2048], token[8192];
    struct aws_answer a = { 0 };
    *out = NULL;
    if (!relative && !full)
        return PEN_SKIP;
    snprintf(url, sizeof url, "%s%s", relative ? "http://169.254.170.2" : "", relative ? relative : full);
    if (!may_ask(url))
        return pen_fail(err, PEN_BADCONF, "AWS_CONTAINER_CREDENTIALS_FULL_URI = %s: expected https, or an address of this machine or of AWS's services", url);
    pen_status st = container_token(token, sizeof token, err);
    if (st >= 0)
        st = ask("GET", url, *token ? "authorization" : NULL, token, &a, err);
    if (st >= 0 && a.status != 200)
        st = pen_fail(err, PEN_BADCONF, "%s answered %ld", url, a.status);
    if (st >= 0)
        st = aws_keys_of_json(a.body, a.n, url, out, err);
    explicit_bzero(token, sizeof token);
    aws_answer_fini(&a);
    return st;
}

/* GET of a path below the instance's metadata, with the session's token. */
static pen_status instance_get(const char *base, const char *path, const char *token, struct aws_answer *a, struct pen_error *err)
{
    char url[1024];
    snprintf(url, sizeof url, "%s/latest/meta-data/iam/security-credentials/%s", base, path);
    return ask("GET", url, "x-aws-ec2-metadata-token", token, a, err);
}

static bool copy_line(char *buf, size_t size, const struct aws_answer *a)
{
    size_t n = a->n ? strcspn(a->body, "\r\n") : 0;
    if (a->status != 200 || !n || n >= size)
        return false;
    memcpy(buf, a->body, n);
    buf[n] = '\0';
    return true;
}

pen_status aws_keys_of_instance(struct aws_held **out, struct pen_error *err)
{
    const char *off = aws_environment("AWS_EC2_METADATA_DISABLED"), *base = aws_environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    char url[1024], token[512], role[256];
    struct aws_answer a = { 0 };
    *out = NULL;
    if (off && strcasecmp(off, "true") == 0)
        return PEN_SKIP;
    base = base ? base : mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    snprintf(url, sizeof url, "%.*s/latest/api/token", (int)(strlen(base) - (base[strlen(base) - 1] == '/')), base);
    pen_status st = ask("PUT", url, "x-aws-ec2-metadata-token-ttl-seconds", "21600", &a, err);
    if (st >= 0 && !copy_line(token, sizeof token, &a))
        st = pen_fail(err, PEN_RETRY, "%s answered %ld, and no token", url, a.status);
    url[strlen(url) - strlen("/latest/api/token")] = '\0';
    if (st >= 0)
        st = instance_get(url, "", token, &a, err);
    if (st >= 0 && a.status == 404)
        st = PEN_SKIP; /* an instance without a role */
    if (st == PEN_OK && !copy_line(role, sizeof role, &a))
        st = pen_fail(err, PEN_RETRY, "%s answered %ld, and no role", a.url, a.status);
    if (st == PEN_OK)
        st = instance_get(url, role, token, &a, err);
    if (st == PEN_OK)
        st = aws_keys_of_json(a.body, a.n, a.url, out, err);
    aws_answer_fini(&a);
    return st;
}

/* -- a command ---------------------------------------------------------------------------------------------------------------------------------- */

static int64_t seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec;
}

/* All that the command writes, until it closes its output; false when that takes too long or is too much. */
static bool gather(int fd, char *buf, size_t size, size_t *n)
{
    int64_t until = seconds_now() + PROCESS_SECONDS;
    *n = 0;
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left = until - seconds_now();
        if (left <= 0 || *n == size)
            return false;
        int ready = poll(&p, 1, (int)left * 1000);
        ssize_t got = ready > 0 ? read(fd, buf + *n, size - *n) : -1;
        if (ready > 0 && got == 0)
            return true;
        if (ready < 0 ? errno != EINTR : ready > 0 && got < 0 && errno != EINTR)
            return false;
        *n += got > 0 ? (size_t)got : 0;
    }
}

static pen_status spawn_shell(const char *command, int out, pid_t *pid, struct pen_error *err)
{
    extern char **environ;
    const char *const argv[] = { "sh", "-c", command, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int e = posix_spawn(pid, "/bin/sh", &actions, &attr, (char *const *)(uintptr_t)argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return e ? pen_fail(err, PEN_BADCONF, "credential_process = %.60s: cannot be started: %s", command, strerror(e)) : PEN_OK;
}

pen_status aws_keys_of_process(const char *command, struct aws_held **out, struct pen_error *err)
{
    char *buf = malloc(ANSWER_LIMIT);
    int pipes[2], status = -1;
    size_t n = 0;
    pid_t pid;
    *out = NULL;
    if (!buf || pipe2(pipes, O_CLOEXEC) != 0) {
        free(buf);
        return pen_fail(err, PEN_FATAL, "out of memory");
    }
    pen_status st = spawn_shell(command, pipes[1], &pid, err);
    close(pipes[1]);
    if (st >= 0) {
        bool whole = gather(pipes[0], buf, ANSWER_LIMIT, &n);
        if (!whole)
            kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (!whole)
            st = pen_fail(err, PEN_RETRY, "credential_process = %.60s: did not end within %d s with at most %d bytes", command, PROCESS_SECONDS, ANSWER_LIMIT);
        else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            st = pen_fail(err, PEN_RETRY, "credential_process = %.60s: failed with status %d", command, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
        else
            st = aws_keys_of_json(buf, n, "credential_process", out, err);
    }
    close(pipes[0]);
    explicit_bzero(buf, n);
    free(buf);
    return st;
}
