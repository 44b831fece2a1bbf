/* folder.c - what the files of a journal are called, listing them, and making the folder. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "log.h"

void journal_log_name(char out[NAME_SIZE], uint64_t records, uint64_t sequence)
{
    snprintf(out, NAME_SIZE, "%020" PRIu64 "-%020" PRIu64 ".commits", records, sequence);
}
void journal_segment_name(char out[NAME_SIZE], uint64_t number)
{
    snprintf(out, NAME_SIZE, "%020" PRIu64 ".segment", number);
}

static bool parse_digits(const char **s, uint64_t *v)
{
    *v = 0;
    for (int i = 0; i < 20; i++) {
        unsigned digit = (unsigned)(**s - '0');
        if (digit > 9 || *v > (UINT64_MAX - digit) / 10)
            return false;
        *v = *v * 10 + digit;
        ++*s;
    }
    return true;
}
bool journal_parse_log_name(const char *name, uint64_t *records, uint64_t *sequence)
{
    return parse_digits(&name, records) && *name++ == '-' && parse_digits(&name, sequence) && strcmp(name, ".commits") == 0;
}
bool journal_parse_segment_name(const char *name, uint64_t *number)
{
    return parse_digits(&name, number) && strcmp(name, ".segment") == 0;
}

pen_status journal_list(int dir, pen_status (*each)(void *arg, const char *name, struct pen_error *err), void *arg, struct pen_error *err)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    pen_status st = PEN_OK;
    if (!d) {
        st = pen_fail(err, PEN_FATAL, "cannot list a folder of the journal: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return st;
    }
    while (st == PEN_OK && (errno = 0, e = readdir(d)))
        if (e->d_name[0] != '.')
            st = each(arg, e->d_name, err);
    if (st == PEN_OK && errno)
        st = pen_fail(err, PEN_FATAL, "cannot list a folder of the journal: %s", strerror(errno));
    closedir(d);
    return st;
}

pen_status journal_make_folders(const struct options *o, struct pen_error *err)
{
    char *path = strdup(o->path);
    pen_status st = PEN_OK;
    if (!path)
        return pen_fail(err, PEN_FATAL, "out of memory");
    for (char *p = path + 1; st == PEN_OK; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (jio_mkdir(AT_FDCWD, path) == 0) {
            char *slash = strrchr(path, '/');
            int up;
            if (slash)
                *slash = '\0';
            up = open(!slash ? "." : *path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (up < 0 || jio_sync(up) < 0)
                st = pen_fail(err, PEN_FATAL, "journal %s: cannot sync the folder above: %s", o->path, strerror(errno));
            if (up >= 0)
                close(up);
            if (slash)
                *slash = '/';
        } else if (errno != EEXIST) {
            st = pen_fail(err, PEN_FATAL, "journal %s: cannot make %s: %s", o->path, path, strerror(errno));
        }
        *p = c;
        if (c == '\0')
            break;
    }
    free(path);
    return st;
}
