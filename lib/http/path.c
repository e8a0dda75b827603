/* SPDX-License-Identifier: Apache-2.0 */
/* Which request paths are served: decoded once, nothing left to normalise. */
#include "http/internal.h"

#include "base/utf8.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* "", "." and ".." are no segments; the last one may be empty. */
static bool segments_plain(const char *path)
{
    const char *segment = path + 1;

    for (;;) {
        size_t len = strcspn(segment, "/");
        bool last = segment[len] == '\0';

        if (len == 0 && !last)
            return false;
        if ((len == 1 && segment[0] == '.') || (len == 2 && memcmp(segment, "..", 2) == 0))
            return false;
        if (last)
            return true;
        segment += len + 1;
    }
}

bool path_decode(const char *raw, size_t len, char *out)
{
    size_t n = 0;

    if (len == 0 || raw[0] != '/')
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)raw[i];

        if (c == '%') {
            int high = i + 2 < len ? hex_digit(raw[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(raw[i + 2]) : -1;

            if (low < 0)
                return false;
            c = (unsigned char)(high * 16 + low);
            if (c == '/')
                return false;
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || c == '\\')
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return utf8_valid(out, n) && segments_plain(out);
}
