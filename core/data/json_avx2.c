/* json_avx2.c - the decoder for x86-64 with AVX2: 32 bytes at a time. SPDX-License-Identifier: Apache-2.0 */
#include "data/json.h"

#ifdef PEN_JSON_X86
#include <immintrin.h>
#include <string.h>

#include "data/number.h"
#include "data/text.h"
#include <penstock/records.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#endif

#define BLOCK 32u
typedef uint32_t mask_t;
#define FIRST(m) ((size_t)__builtin_ctz(m))

static inline __m256i load(const char *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

static inline __m256i quotes(__m256i v)
{
    return _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')), _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
}

/* As signed bytes, control characters and bytes from 0x80 on are all below 0x20. */
static inline mask_t marks(__m256i v)
{
    return (mask_t)_mm256_movemask_epi8(_mm256_or_si256(quotes(v), _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v)));
}

static inline mask_t block_marks(const char *from)
{
    return marks(load(from));
}

static inline mask_t block_copy(char *to, const char *from)
{
    __m256i v = load(from);
    _mm256_storeu_si256((__m256i *)(void *)to, v);
    return marks(v);
}

static inline mask_t block_copy_any(char *to, const char *from)
{
    __m256i v = load(from), controls = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1F)), v);
    _mm256_storeu_si256((__m256i *)(void *)to, v);
    return (mask_t)_mm256_movemask_epi8(_mm256_or_si256(quotes(v), controls));
}

static inline bool slot_matches(const struct pen_json_slot *slot, const char *p, const char *end)
{
    uint32_t same;
    if (end - p < 64)
        return (size_t)(end - p) >= slot->n && memcmp(p, slot->bytes, slot->n) == 0;
    same = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(p), load(slot->bytes)));
    if (~same & (uint32_t)slot->mask)
        return false;
    if (__builtin_expect(slot->n <= 32, 1))
        return true;
    same = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(p + 32), load(slot->bytes + 32)));
    return (~same & (uint32_t)(slot->mask >> 32)) == 0;
}

#include "data/json_decode.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static bool usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

const struct pen_json_kernel pen_json_avx2 = { "avx2", usable, decode_record };
#endif
