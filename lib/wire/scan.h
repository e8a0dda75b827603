/* SPDX-License-Identifier: Apache-2.0 */
/* What reader and writer of JSON strings share; private to lib/wire. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Eight bytes at a time, and what is left one by one. */
static inline size_t plain_words(const char *p, const char *end, uint8_t *bits)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    const char *start = p;
    uint64_t seen = 0;

    while (end - p >= 8) {
        uint64_t word, quote, slash;

        memcpy(&word, p, sizeof word);
        quote = word ^ (ones * '"');
        slash = word ^ (ones * '\\');
        if ((((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
             ((slash - ones) & ~slash)) &
            tops)
            break;
        seen |= word;
        p += 8;
    }
    *bits |= (seen & tops) ? 0x80 : 0;
    for (; p < end && (uint8_t)*p >= 0x20 && *p != '"' && *p != '\\'; p++)
        *bits |= (uint8_t)*p;
    return (size_t)(p - start);
}

/* Length of the run at p that needs no escape: no quote, backslash or control
 * character. *bits gathers the bytes or-ed together, so that bit 7 tells
 * whether any was not ASCII. */
static inline size_t plain_run(const char *p, const char *end, uint8_t *bits)
{
#ifdef __SSE2__
    const char *from = p;

    for (; end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)p);
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        unsigned stops = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, marks));
        unsigned tops = (unsigned)_mm_movemask_epi8(bytes);

        if (stops != 0) {
            unsigned n = (unsigned)__builtin_ctz(stops);

            *bits |= (tops & ((1U << n) - 1)) != 0 ? 0x80 : 0;
            return (size_t)(p - from) + n;
        }
        *bits |= tops != 0 ? 0x80 : 0;
    }
    return (size_t)(p - from) + plain_words(p, end, bits);
#else
    return plain_words(p, end, bits);
#endif
}
