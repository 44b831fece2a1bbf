/* files.c - the files of a configuration: read within bounds, cut into lines, includes followed. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/ini.h"
#include "config/option.h"

static bool read_descriptor(int fd, size_t limit, char **bytes, size_t *n)
{
    size_t room = 0, used = 0;
    char *buf = NULL;
    for (;;) {
        ssize_t got;
        if (room - used < 2) {
            char *bigger = realloc(buf, room = room ? 2 * room : 4096);
            if (!bigger)
                break;
            buf = bigger;
        }
        got = read(fd, buf + used, room - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        used += (size_t)got;
        if (used > limit) {
            errno = EFBIG;
            break;
        }
        if (got == 0) {
            buf[used] = '\0';
            *bytes = buf;
            *n = used;
            return true;
        }
    }
    free(buf);
    return false;
}

bool pen_read_whole(const char *path, size_t limit, char **bytes, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
    bool good;
    if (fd < 0)
        return false;
    good = read_descriptor(fd, limit, bytes, n);
    saved = errno;
    close(fd);
    errno = saved;
    return good;
}

const char *pen_relative_path(struct pen_arena *mem, const char *relative_to, const char *path, size_t n)
{
    const char *slash = strrchr(relative_to, '/');
    if (path[0] == '/' || !slash)
        return pen_arena_copy(mem, path, n);
    return pen_arena_printf(mem, "%.*s/%.*s", (int)(slash - relative_to), relative_to, (int)n, path);
}

static bool split_lines(struct pen_config *c, struct pen_text_file *f)
{
    size_t n = 1, at = f->size >= 3 && memcmp(f->bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; /* a byte order mark is no text */
    for (const char *p = f->bytes; (p = memchr(p, '\n', f->size - (size_t)(p - f->bytes))); p++)
        n++;
    f->lines = pen_arena_alloc(&c->mem, n * sizeof *f->lines);
    if (!f->lines)
        return false;
    while (at < f->size) {
        const char *end = memchr(f->bytes + at, '\n', f->size - at);
        size_t stop = end ? (size_t)(end - f->bytes) : f->size, length = stop - at;
        if (length && f->bytes[stop - 1] == '\r')
            length--;
        f->lines[f->n_lines++] = (struct pen_text_line){ (uint32_t)at, (uint32_t)length, UINT32_MAX };
        at = stop + 1;
    }
    return true;
}

struct pen_text_file *pen_text_file_add(struct pen_config *c, const char *name, const char *bytes, size_t n)
{
    struct pen_text_file *f = pen_arena_alloc(&c->mem, sizeof *f);
    if (!f || !(f->name = pen_arena_copy(&c->mem, name, strlen(name))) || !(f->bytes = pen_arena_copy(&c->mem, bytes, n)) ||
        !pen_arena_grow(&c->mem, (void **)&c->files, c->n_files, sizeof(struct pen_text_file *)))
        return NULL;
    f->size = n;
    f->order = (unsigned)c->n_files;
    c->files[c->n_files++] = f;
    return split_lines(c, f) ? f : NULL;
}

static bool read_includes(struct pen_config *c, struct pen_text_file *file, size_t first_section, size_t last_section);

static bool read_parsed(struct pen_config *c, struct pen_text_file *file)
{
    size_t first = c->n_sections;
    return pen_ini_parse(c, file) && read_includes(c, file, first, c->n_sections);
}

bool pen_ini_read_text(struct pen_config *c, const char *name, const char *text, size_t n)
{
    struct pen_text_file *file;
    if (n > PEN_INI_FILE_MAX) {
        file = pen_text_file_add(c, name, "", 0);
        if (file)
            pen_diag_add(&c->diags, PEN_DIAG_ERROR, (struct pen_place){ file, 0, 0 }, NULL, NULL, "is larger than %u MiB", PEN_INI_FILE_MAX >> 20);
        return file != NULL;
    }
    c->bytes += n;
    file = pen_text_file_add(c, name, text, n);
    return file && read_parsed(c, file);
}

/* Whether this very file was read before; says so at the include. */
static bool is_repeated(struct pen_config *c, const char *path, struct pen_place from)
{
    struct stat st, other;
    if (!from.file || stat(path, &st) < 0)
        return false;
    for (size_t i = 0; i < c->n_files; i++)
        if (stat(c->files[i]->name, &other) == 0 && other.st_dev == st.st_dev && other.st_ino == st.st_ino && S_ISREG(st.st_mode)) {
            pen_diag_add(&c->diags, PEN_DIAG_ERROR, from, NULL, NULL, "includes %s, which is a part of this configuration already", path);
            return true;
        }
    return false;
}

bool pen_ini_read_file(struct pen_config *c, const char *path, struct pen_place from)
{
    struct pen_text_file *file;
    char *bytes = NULL;
    size_t n = 0;
    bool good;
    if (is_repeated(c, path, from))
        return true;
    if (!pen_read_whole(path, PEN_INI_FILE_MAX, &bytes, &n)) {
        int why = errno;
        if (why == ENOMEM)
            return false;
        if (!from.file) {
            if (!(file = pen_text_file_add(c, path, "", 0)))
                return false;
            pen_diag_add(&c->diags, PEN_DIAG_ERROR, (struct pen_place){ file, 0, 0 }, NULL, NULL, "cannot be read: %s", strerror(why));
        } else {
            pen_diag_add(&c->diags, PEN_DIAG_ERROR, from, NULL, NULL, "%s cannot be read: %s", path, strerror(why));
        }
        return true;
    }
    if (c->bytes + n > PEN_INI_TOTAL_MAX) {
        pen_diag_add(&c->diags, PEN_DIAG_ERROR, from, NULL, NULL, "with %s the configuration is larger than %u MiB", path, PEN_INI_TOTAL_MAX >> 20);
        free(bytes);
        return true;
    }
    c->bytes += n;
    file = pen_text_file_add(c, path, bytes, n);
    explicit_bzero(bytes, n);
    free(bytes);
    c->depth++;
    good = file && read_parsed(c, file);
    c->depth--;
    return good;
}

static bool include_pattern(struct pen_config *c, const char *pattern, struct pen_place from)
{
    glob_t found = { 0 };
    int st = glob(pattern, 0, NULL, &found);
    bool good = true;
    if (st == GLOB_NOMATCH && !strpbrk(pattern, "*?["))
        good = pen_ini_read_file(c, pattern, from); /* which says why not */
    else if (st == GLOB_NOMATCH)
        pen_diag_add(&c->diags, PEN_DIAG_WARNING, from, NULL, NULL, "no file is called %s", pattern);
    else if (st == GLOB_NOSPACE)
        good = false;
    else if (st != 0)
        pen_diag_add(&c->diags, PEN_DIAG_ERROR, from, NULL, NULL, "%s cannot be read: %s", pattern, strerror(errno));
    for (size_t i = 0; st == 0 && good && i < found.gl_pathc; i++)
        good = pen_ini_read_file(c, found.gl_pathv[i], from);
    if (st == 0)
        globfree(&found);
    return good;
}

static bool include_all(struct pen_config *c, struct pen_text_file *file, struct pen_setting *s)
{
    size_t at = 0, start, n;
    struct pen_error err = { 0 };
    pen_status st;
    if (c->depth >= PEN_INI_DEPTH_MAX) {
        pen_diag_add(&c->diags, PEN_DIAG_ERROR, s->key_place, NULL, NULL, "includes are more than %d deep", PEN_INI_DEPTH_MAX);
        return true;
    }
    while ((st = pen_option_word(s->value, &at, &start, &n, &err)) == PEN_OK) {
        const char *word = pen_arena_copy(&c->mem, s->value + start, n);
        const char *path = word ? pen_relative_path(&c->mem, file->name, word, n) : NULL;
        if (!path || !include_pattern(c, path, pen_setting_place(s, start)))
            return false;
    }
    if (st < 0)
        pen_diag_add(&c->diags, PEN_DIAG_ERROR, pen_setting_place(s, at), NULL, NULL, "include: %s", err.msg);
    return true;
}

/* After the file itself, so that what it says comes first; its sections are those from first to last. */
static bool read_includes(struct pen_config *c, struct pen_text_file *file, size_t first_section, size_t last_section)
{
    for (size_t i = first_section; i < last_section; i++) {
        struct pen_section *section = c->sections[i];
        if (section->kind[0] && strcmp(section->kind, "pipeline") != 0)
            continue;
        for (size_t k = 0; k < section->n_settings; k++)
            if (strcmp(section->settings[k].key, "include") == 0 && !include_all(c, file, &section->settings[k]))
                return false;
    }
    return true;
}
