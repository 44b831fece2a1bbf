/* fuzz_journal.c - a journal's bytes as nobody wrote them: the log's records applied one after another to one state, and blocks walked to their
 * last header. Checksums are made right, so that what lies behind them is reached.
 * Sources: this file, plugins/journal/format.c, state.c, crc32c.c; links libpenstock. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "../../plugins/journal/crc32c.h"
#include "../../plugins/journal/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern volatile uint32_t seen; /* keeps the reading from being left out */
volatile uint32_t seen;

/* Reads every byte that a message names. */
static uint32_t touch(const struct jf_message *m)
{
    struct jf_in in = { m->headers, m->headers_size, false };
    uint32_t sum = pen_crc32c(0, m->value, m->value_size) ^ pen_crc32c(0, m->key, m->key_size);
    const char *name;
    const uint8_t *value;
    size_t name_size, value_size;
    while (m->headers && jf_header_next(&in, &name, &name_size, &value, &value_size))
        sum ^= pen_crc32c(0, name, name_size) ^ pen_crc32c(0, value, value_size);
    return sum;
}

static uint32_t try_block(const uint8_t *data, size_t size)
{
    uint8_t head[JF_BLOCK_HEADER];
    struct jf_block b;
    struct jf_walk w;
    struct jf_message m;
    uint32_t sum = 0;
    uint8_t *body;
    if (size < sizeof head)
        return 0;
    memcpy(head, data, sizeof head);
    jf_put32(head, 0x314B4C42u);
    jf_put32(head + 4, pen_crc32c(0, head + 8, sizeof head - 8));
    if (!jf_block_get(head, &b) || b.body > size - sizeof head)
        return 0;
    body = malloc(b.body ? b.body : 1); /* of its own, so that a byte too far is seen */
    if (!body)
        return 0;
    memcpy(body, data + sizeof head, b.body);
    if (jf_block_walk(&b, body, &w))
        while (w.next < w.records) {
            jf_walk_next(&w, &m);
            sum ^= touch(&m);
        }
    free(body);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t sum = 0;
    struct journal j = { .partitions = 4, .next_segment = 1 };
    while (size >= 3) {
        size_t n = data[1] | (size_t)data[2] << 8;
        struct jf_record r = { (jf_record_type)(data[0] % 4), 1, 0, 0 };
        uint8_t *body;
        data += 3;
        size -= 3;
        n = n < size ? n : size;
        body = malloc(n ? n : 1);
        if (!body)
            break;
        memcpy(body, data, n);
        r.body = (uint32_t)n;
        if (r.type == 0)
            sum ^= try_block(body, n);
        else if (state_apply(&j, &r, body, NULL) == PEN_OK) {
            struct jf_out out = { 0 };
            struct jf_snapshot s;
            state_snapshot(&j, &out); /* what was applied can be written and read again */
            if (!out.failed && !jf_snapshot_get(out.p, out.n, &s))
                abort();
            jf_out_free(&out);
        }
        free(body);
        data += n;
        size -= n;
    }
    state_clear(&j);
    seen = sum;
    return 0;
}
