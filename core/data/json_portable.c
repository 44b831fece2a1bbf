/* json_portable.c - the decoder for any CPU: eight bytes at a time in a 64-bit word. SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include "data/json.h"

#define BLOCK 8u
typedef uint64_t mask_t; /* bit 7 of every byte that is marked; above the lowest mark others may be wrong */

#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define TO_LITTLE(w) __builtin_bswap64(w)
#else
#define TO_LITTLE(w) (w)
#endif
#define FIRST(m) ((size_t)__builtin_ctzll(m) >> 3)
#define EACH(c) (UINT64_C(0x0101010101010101) * (c))

static inline uint64_t load(const char *from)
{
    uint64_t w;
    memcpy(&w, from, sizeof w);
    return TO_LITTLE(w);
}

/* Marks bytes that are zero. */
static inline uint64_t zeros(uint64_t w)
{
    return (w - EACH(1)) & ~w & EACH(0x80);
}

static inline mask_t marks(uint64_t w)
{
    uint64_t controls = (w - EACH(0x20)) & ~w & EACH(0x80);
    return zeros(w ^ EACH('"')) | zeros(w ^ EACH('\\')) | controls;
}

static inline mask_t block_marks(const char *from)
{
    uint64_t w = load(from);
    return marks(w) | (w & EACH(0x80));
}

static inline mask_t block_copy(char *to, const char *from)
{
    memcpy(to, from, BLOCK);
    return block_marks(from);
}

static inline mask_t block_copy_any(char *to, const char *from)
{
    memcpy(to, from, BLOCK);
    return marks(load(from));
}

static inline bool slot_matches(const struct pen_json_slot *slot, const char *p, const char *end)
{
    return (size_t)(end - p) >= slot->n && memcmp(p, slot->bytes, slot->n) == 0;
}

#include "data/json_decode.h"

static bool usable(void)
{
    return true;
}

const struct pen_json_kernel pen_json_portable = { "portable", usable, decode_record };
