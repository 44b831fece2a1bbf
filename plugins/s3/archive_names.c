/* archive_names.c - what objects of the archive are called, and what their names say. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"

/* What comes behind the offset. */
static const char *ending_of(const struct archive *a)
{
    return a->format == ARCHIVE_PARQUET ? ".parquet" : a->compression == ARCHIVE_GZIP ? ".json.gz" : a->compression == ARCHIVE_ZSTD ? ".json.zst" : ".json";
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool archive_unescape(char *out, size_t size, const char *text, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '%' && i + 2 < n && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
            i += 2;
        }
        if (at + 1 >= size)
            return false;
        out[at++] = c;
    }
    out[at] = '\0';
    return true;
}

/* "TOPIC-3" taken apart at the last '-'; false: that is no such name. */
static bool split_name(const char *name, size_t *topic)
{
    const char *dash = strrchr(name, '-');
    if (!dash || dash == name || !dash[1] || strspn(dash + 1, "0123456789") != strlen(dash + 1))
        return false;
    *topic = (size_t)(dash - name);
    return true;
}

pen_status archive_place_of(const struct archive *a, const char *stage, const char *partition, struct archive_place *out, struct pen_error *err)
{
    const char *at = strchr(partition, '@');
    char name[512];
    size_t n = at ? (size_t)(at - partition) : strlen(partition), topic = 0;
    bool split;
    memset(out, 0, sizeof *out);
    if (!archive_unescape(name, sizeof name, partition, n) || (at && !archive_unescape(out->incarnation, sizeof out->incarnation, at + 1, strlen(at + 1))))
        return pen_fail(err, PEN_FATAL, "partition %.100s: its name is too long for a path", partition);
    split = split_name(name, &topic);
    if (a->topic)
        snprintf(out->topic, sizeof out->topic, "%s", a->topic);
    else
        pen_path_escape(out->topic, sizeof out->topic, split ? name : stage, split ? topic : strlen(stage));
    pen_path_escape(out->number, sizeof out->number, split ? name + topic + 1 : name, strlen(split ? name + topic + 1 : name));
    snprintf(out->folder, sizeof out->folder, "partition=%s", out->number);
    return PEN_OK;
}

pen_status archive_object_path(const struct archive *a, const struct archive_place *p, const char *folder, size_t folder_n, const struct pen_position *first,
                               char path[ARCHIVE_PATH], struct pen_error *err)
{
    char offset[ARCHIVE_POSITION];
    size_t at = 0;
    int n;
    if (first->n <= 1)
        snprintf(offset, sizeof offset, "%010" PRIu64, first->w[0]);
    for (uint32_t i = 0; first->n > 1 && i < first->n; i++) /* so many digits that names sort as positions do */
        at += (size_t)snprintf(offset + at, sizeof offset - at, "%s%020" PRIu64, i ? "." : "", first->w[i]);
    n = snprintf(path, ARCHIVE_PATH, "%s/%.*s/%s+%s+%s%s", p->topic, (int)folder_n, folder, p->topic, p->number, offset, ending_of(a));
    return n < ARCHIVE_PATH ? PEN_OK : pen_fail(err, PEN_FATAL, "a message's folder is too long for a path: %.100s…", path);
}

bool archive_object_name(const char *name, const char *topic, const char *number, struct pen_position *first)
{
    const char *plus = strchr(name, '+'), *second = plus ? strchr(plus + 1, '+') : NULL;
    char text[ARCHIVE_POSITION];
    size_t n = second ? strspn(second + 1, "0123456789.") : 0;
    if (!second || strlen(topic) != (size_t)(plus - name) || strncmp(name, topic, (size_t)(plus - name)) != 0)
        return false;
    if (number && (strlen(number) != (size_t)(second - plus - 1) || strncmp(plus + 1, number, (size_t)(second - plus - 1)) != 0))
        return false;
    while (n && second[n] == '.') /* that of ".json" */
        n--;
    if (!n || n >= sizeof text || (strncmp(second + 1 + n, ".json", 5) != 0 && strncmp(second + 1 + n, ".parquet", 8) != 0))
        return false;
    memcpy(text, second + 1, n);
    text[n] = '\0';
    return archive_get_position(text, first);
}

void archive_put_position(char buf[ARCHIVE_POSITION], const struct pen_position *pos)
{
    size_t at = 0;
    buf[0] = '\0';
    for (uint32_t i = 0; i < pos->n && i < 4; i++)
        at += (size_t)snprintf(buf + at, ARCHIVE_POSITION - at, "%s%" PRIu64, i ? "." : "", pos->w[i]);
}

bool archive_get_position(const char *text, struct pen_position *pos)
{
    pos->n = 0;
    for (const char *p = text; pos->n < 4; p++) {
        char *end;
        if (*p < '0' || *p > '9')
            return false;
        pos->w[pos->n++] = strtoull(p, &end, 10);
        p = end;
        if (!*p)
            return true;
        if (*p != '.')
            return false;
    }
    return false;
}
