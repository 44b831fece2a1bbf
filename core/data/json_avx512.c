/* json_avx512.c - the decoder for x86-64 with AVX-512 (BW, VL): 64 bytes at a time. SPDX-License-Identifier: Apache-2.0 */
#include "data/json.h"

#ifdef PEN_JSON_X86
#include <immintrin.h>
#include <string.h>

#include "data/number.h"
#include "data/text.h"
#include <penstock/records.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,bmi,bmi2,lzcnt,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,bmi,bmi2,lzcnt,popcnt")
#endif

#define BLOCK 64u
typedef uint64_t mask_t;
#define FIRST(m) ((size_t)__builtin_ctzll(m))

static inline __mmask64 quotes(__m512i v)
{
    return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')) | _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\'));
}

/* As signed bytes, control characters and bytes from 0x80 on are all below 0x20. */
static inline mask_t marks(__m512i v)
{
    return quotes(v) | _mm512_cmplt_epi8_mask(v, _mm512_set1_epi8(0x20));
}

static inline mask_t block_marks(const char *from)
{
    return marks(_mm512_loadu_si512(from));
}

static inline mask_t block_copy(char *to, const char *from)
{
    __m512i v = _mm512_loadu_si512(from);
    _mm512_storeu_si512(to, v);
    return marks(v);
}

static inline mask_t block_copy_any(char *to, const char *from)
{
    __m512i v = _mm512_loadu_si512(from);
    _mm512_storeu_si512(to, v);
    return quotes(v) | _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20));
}

static inline bool slot_matches(const struct pen_json_slot *slot, const char *p, const char *end)
{
    if (end - p < 64)
        return (size_t)(end - p) >= slot->n && memcmp(p, slot->bytes, slot->n) == 0;
    return _mm512_mask_cmpneq_epi8_mask(slot->mask, _mm512_loadu_si512(p), _mm512_loadu_si512(slot->bytes)) == 0;
}

#include "data/json_decode.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static bool usable(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2");
}

const struct pen_json_kernel pen_json_avx512 = { "avx512", usable, decode_record };
#endif
