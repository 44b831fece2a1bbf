/* fuzz_kinesis.c - answers of Kinesis: the first byte chooses whose, the rest is the text.
 * Sources: this file; links libkinesis, libpenstock. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "../../plugins/kinesis/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sum; /* so that every byte that is pointed to is looked at */

static void look(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)bytes[i];
}

static void records(const char *text, size_t n)
{
    struct kin_records r;
    if (kin_parse_records(text, n, &r, NULL) < 0)
        return;
    for (size_t i = 0; i < r.n; i++) {
        char digits[SEQ_TEXT];
        struct seq back;
        look(r.v[i].key, r.v[i].key_n);
        look(r.v[i].data, r.v[i].data_n);
        if (!seq_parse(seq_format(digits, &r.v[i].seq), &back) || seq_compare(&back, &r.v[i].seq) != 0)
            abort();
        if (i && seq_compare(&r.v[i - 1].seq, &r.v[i].seq) >= 0)
            abort();
    }
    kin_records_fini(&r);
}

static void shards(const char *text, size_t n)
{
    struct kin_shards list = { 0 };
    char *next = NULL;
    if (kin_parse_shards(text, n, &list, &next, NULL) >= 0)
        for (size_t i = 0; i < list.n; i++)
            if (!list.v[i].name[0] || strpbrk(list.v[i].name, "\"\\\n"))
                abort();
    free(next);
    free(list.v);
}

static pen_status each(void *arg, const char *name, struct pen_error *err)
{
    (void)arg, (void)err;
    look(name, strlen(name));
    return PEN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kin_summary summary;
    struct kin_put put[4];
    char message[64], *text;
    bool more;
    if (size < 1)
        return 0;
    text = malloc(size); /* of its own, so that a byte too far is seen */
    if (!text)
        abort();
    memcpy(text, data + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
        records(text, size - 1);
        break;
    case 1:
        shards(text, size - 1);
        break;
    case 2:
        (void)kin_parse_summary(text, size - 1, &summary, NULL);
        break;
    case 3:
        if (kin_parse_put(text, size - 1, put, 1 + data[0] / 6 % 4, message, sizeof message, NULL) >= 0)
            look(message, strlen(message));
        break;
    case 4:
        (void)kin_parse_streams(text, size - 1, each, NULL, &more, NULL);
        break;
    default: {
        char *found;
        if (kin_parse_text(text, size - 1, "ShardIterator", &found, NULL) >= 0)
            look(found, strlen(found));
        free(found);
        break;
    }
    }
    free(text);
    return 0;
}
