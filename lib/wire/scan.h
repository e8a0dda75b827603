/* SPDX-License-Identifier: Apache-2.0 */
/* What reader and writer of JSON strings share; private to lib/wire. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Length of the run at p that needs no escape: no quote, backslash or control
 * character. *bits gathers the bytes or-ed together, so that bit 7 tells
 * whether any was not ASCII. */
static inline size_t plain_run(const char *p, const char *end, uint8_t *bits)
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
