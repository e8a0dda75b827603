/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 checks after the table of RFC 3629, section 4. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the valid sequence that begins at p, 0 when there is none. */
static size_t sequence(const uint8_t *p, size_t left)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t n;

    if (p[0] < 0x80)
        return p[0] != 0;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n > left)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0; /* shortest form only */
    else if (p[0] == 0xed)
        high = 0x9f; /* no surrogates */
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f; /* up to U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool utf8_valid(const char *text, size_t len)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t i = 0;

    while (i < len) {
        size_t n;

        /* Eight plain bytes at a time: no high bit and no zero byte. */
        if (len - i >= 8) {
            uint64_t word;

            memcpy(&word, p + i, 8);
            if (!((word | (word - 0x0101010101010101u)) & 0x8080808080808080u)) {
                i += 8;
                continue;
            }
        }
        n = sequence(p + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t utf8_length(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((uint8_t)text[i] & 0xc0) != 0x80;
    return n;
}

size_t utf8_repair(const char *text, size_t len, char *out)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t written = 0;

    for (size_t i = 0; i < len;) {
        size_t n = sequence(p + i, len - i);

        if (n == 0) {
            out[written++] = (char)0xef; /* U+FFFD */
            out[written++] = (char)0xbf;
            out[written++] = (char)0xbd;
            i++;
        } else {
            memcpy(out + written, text + i, n);
            written += n;
            i += n;
        }
    }
    return written;
}

void utf8_mend(char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len;) {
        size_t n = sequence((const uint8_t *)text + i, len - i);

        if (n == 0)
            text[i] = '?';
        i += n > 0 ? n : 1;
    }
}
