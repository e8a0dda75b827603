/* SPDX-License-Identifier: Apache-2.0 */
/* Normal forms of text: trimmed lines, lower-cased tags. */
#include "wire/internal.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

const char *text_trim(struct arena *arena, const char *text)
{
    const char *end;

    while (is_space(*text))
        text++;
    end = text + strlen(text);
    if (end == text || !is_space(end[-1]))
        return text;
    while (is_space(end[-1]))
        end--;
    return arena_memdup(arena, text, (size_t)(end - text));
}

bool text_has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f))
            return true;
        /* U+2028 and U+2029 break lines as well. */
        if (*p == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
            return true;
    }
    return false;
}

/* Lower case of letters of two bytes: Latin-1, Latin Extended-A, Greek and
 * Cyrillic without their rarer neighbours. The result has two bytes, too. */
static unsigned lower_two(unsigned code)
{
    if ((code >= 0xc0 && code <= 0xde && code != 0xd7) || (code >= 0x391 && code <= 0x3a9) ||
        (code >= 0x410 && code <= 0x42f))
        return code + 0x20;
    if (code >= 0x400 && code <= 0x40f)
        return code + 0x50;
    if ((code >= 0x100 && code <= 0x137 && code != 0x130) || (code >= 0x14a && code <= 0x177))
        return code | 1;
    if ((code >= 0x139 && code <= 0x148) || (code >= 0x179 && code <= 0x17e))
        return code + (code & 1);
    return code == 0x178 ? 0xff : code;
}

const char *text_lower(struct arena *arena, const char *text)
{
    size_t len = strlen(text);
    unsigned char *copy = (unsigned char *)arena_memdup(arena, text, len);

    for (size_t i = 0; i < len; i++) {
        if (copy[i] >= 'A' && copy[i] <= 'Z') {
            copy[i] |= 0x20;
        } else if (copy[i] >= 0xc2 && copy[i] <= 0xdf) {
            unsigned code = lower_two((copy[i] & 0x1fu) << 6 | (copy[i + 1] & 0x3fu));

            copy[i] = (unsigned char)(0xc0 | code >> 6);
            copy[++i] = (unsigned char)(0x80 | (code & 0x3f));
        }
    }
    return memcmp(copy, text, len) == 0 ? text : (const char *)copy;
}
