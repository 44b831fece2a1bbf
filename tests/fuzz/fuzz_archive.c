/* fuzz_archive.c - what the archive reads: fields of messages and the folders made of them, names of objects, entries, files of the tz database, and a
 * bucket's rules. Sources: this file; links plugins/s3/libs3.la. Input: the first byte says which. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "s3/archive.h"
#include "s3/rules.h"
#include "s3/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A message's folder lies where the options say, whatever the message does. */
static void folder(const char *text, size_t n)
{
    static const char *const fields[] = { "a", "b.c" };
    struct layout l = { .fields = { 2, (const char *const *)fields }, .pattern = "year=%Y/hour=%H", .field = "t", .zone_name = "UTC" };
    struct pen_text out = { 0 };
    size_t levels = 0;
    if (layout_start(&l, NULL) < 0)
        abort();
    layout_folder(&l, text, n, layout_time(&l, text, n, 0), &out);
    for (size_t i = 0; i < out.n; i++) {
        unsigned char c = (unsigned char)out.bytes[i];
        levels += c == '/';
        if (c < 0x20 || c == 0x7f)
            abort();
    }
    if (levels != 3 || strncmp(out.bytes, "a=", 2) != 0 || !pen_utf8_valid(out.bytes, out.n))
        abort();
    pen_text_fini(&out);
    layout_stop(&l);
}

static void zone(const char *bytes, size_t n)
{
    static const int64_t at[] = { INT64_MIN / 1000000, -4000000000, -1, 0, 951782400, 1711846800, 4102444800, INT64_MAX / 1000000 };
    struct zone *z;
    if (zone_parse(&z, "fuzz", (const unsigned char *)bytes, n, NULL) < 0)
        return;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        int64_t offset = zone_offset(z, at[i]);
        if (offset < -48 * 3600 || offset > 48 * 3600)
            abort();
    }
    zone_free(&z);
}

static void name(const char *text, size_t n)
{
    char *copy = malloc(n + 1), back[ARCHIVE_POSITION];
    struct pen_position first, again;
    if (!copy)
        return;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (archive_object_name(copy, "t", NULL, &first)) {
        archive_put_position(back, &first);
        if (!archive_get_position(back, &again) || pen_position_compare(&first, &again) != 0)
            abort();
    }
    free(copy);
}

static void entry(const char *text, size_t n)
{
    struct archive_entry e = { .n = 0 };
    if (archive_entry_parse("fuzz", text, n, &e, NULL) >= 0 && !e.end.n)
        abort();
    archive_entry_fini(&e);
}

static void rules(const char *text, size_t n)
{
    struct pen_text out = { 0 };
    size_t kept;
    bool found;
    s3_rules_without(&out, text, n, "mine", &kept, &found, NULL);
    pen_text_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(const char *text, size_t n) = { folder, zone, name, entry, rules };
    size_t n = size - 1;
    char *text;
    if (size == 0 || !(text = malloc(size))) /* at its own end, so that a byte too far is noticed */
        return 0;
    memcpy(text, data + 1, n);
    text = realloc(text, n ? n : 1);
    ways[data[0] % 5](text, n);
    free(text);
    return 0;
}
