/* test_decode.c - the readers of runs and differences, given too few bytes, none, or bytes that no writer makes: they answer false.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../../plugins/parquet/decode.h"
#include "../tap.h"

static void without_bytes(void)
{
    struct pen_hybrid h = { 0 }; /* as of a page that holds no values */
    struct pen_delta d = { 0 };
    uint32_t value;
    int64_t wide;
    ok(!pen_hybrid_get(&h, &value, 1), "runs that were never begun hold no value");
    ok(pen_hybrid_take_run(&h, 0, 1) == 0, "nor a run");
    ok(pen_hybrid_get(&h, &value, 0), "none were asked for: none are missing");
    ok(!pen_delta_get(&d, &wide, 1), "differences that were never begun hold no value");
}

static void cut_off(void)
{
    /* eight values of 3 bits, 0 to 7 ("Encodings.md", its own example), then 5 twice */
    static const uint8_t bytes[] = { 0x03, 0x88, 0xc6, 0xfa, 0x04, 0x05 };
    uint32_t out[10];
    struct pen_hybrid h;
    bool fits = true;
    pen_hybrid_init(&h, bytes, bytes + sizeof bytes, 3);
    ok(pen_hybrid_get(&h, out, 10) && !pen_hybrid_get(&h, out, 1), "ten values are there, and no eleventh");
    pen_hybrid_init(&h, bytes, bytes + sizeof bytes, 3);
    pen_hybrid_get(&h, out, 10);
    for (uint32_t i = 0; i < 8; i++)
        fits = fits && out[i] == i;
    ok(fits && out[8] == 5 && out[9] == 5, "they are what the specification's example says");
    for (size_t n = 0; n < sizeof bytes; n++) {
        pen_hybrid_init(&h, bytes, bytes + n, 3);
        ok(!pen_hybrid_get(&h, out, 10), "of %zu bytes not all ten can be had", n);
    }
    ok(!pen_hybrid_init(&h, bytes, bytes + sizeof bytes, 33), "values are of 32 bits at most");
}

static void unknown_heads(void)
{
    static const uint8_t no_block[] = { 0x00, 0x04, 0x01, 0x00 }, endless[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80 };
    struct pen_delta d;
    ok(!pen_delta_init(&d, no_block, no_block + sizeof no_block, 32), "a block of no values is refused");
    ok(!pen_delta_init(&d, endless, endless + sizeof endless, 64), "a number without an end is refused");
}

int main(void)
{
    without_bytes();
    cut_off();
    unknown_heads();
    return done_testing();
}
