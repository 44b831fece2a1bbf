/* keys_check.c - prints the access keys that are found with these options and this environment: keys_check [NAME=VALUE…], with seconds=N for so long,
 * a line whenever they change. credentials_test.py runs it. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/credentials.h"
#include "engine/host.h"

static const char *argument(int argc, char **argv, const char *name)
{
    size_t n = strlen(name);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
            return argv[i] + n + 1;
    return NULL;
}

int main(int argc, char **argv)
{
    struct pen_run_context run = { .clock = &pen_system_clock, .wake_fd = -1 };
    const struct pen_host host = { .run = &run, .stage = "test" };
    const struct aws_options o = { .profile = argument(argc, argv, "profile"), .access_key = argument(argc, argv, "access_key"),
                                   .secret_key = argument(argc, argv, "secret_key"), .region = "us-east-1" };
    const char *seconds = argument(argc, argv, "seconds");
    time_t until = time(NULL) + (seconds ? atoi(seconds) : 0);
    struct aws_credentials *c = NULL;
    char last[200] = "";
    pen_status st;
    do {
        struct pen_error err = { 0 };
        struct aws_held *h = NULL;
        st = c ? PEN_OK : aws_credentials_new(&c, &host, &o, &err);
        if (st >= 0)
            st = aws_credentials_hold(c, &h, &err);
        if (st < 0) {
            printf("error %d: %s\n", (int)st, err.msg);
            break;
        }
        if (strcmp(last, h->keys.access) != 0)
            printf("%s %s %s %lld\n", h->keys.access, h->keys.secret, h->keys.token ? h->keys.token : "-",
                   h->expires == INT64_MAX ? -1LL : (long long)(h->expires - time(NULL)));
        fflush(stdout);
        snprintf(last, sizeof last, "%s", h->keys.access);
        aws_credentials_let_go(c, &h);
        nanosleep(&(struct timespec){ 0, seconds ? 100000000 : 0 }, NULL);
    } while (time(NULL) < until);
    aws_credentials_free(&c);
    return st < 0;
}
