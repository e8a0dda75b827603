/* SPDX-License-Identifier: Apache-2.0 */
/* Matching paths, decoding queries. */
#include "rest_match.h"

#include <ctype.h>
#include <string.h>

bool rest_match(struct arena *arena, const char *template, const char *path,
                struct wire_param *vars, size_t *ret_n)
{
    *ret_n = 0;
    while (*template != '\0') {
        size_t len;

        if (*template != '{') {
            if (*template ++ != *path++)
                return false;
            continue;
        }
        len = strcspn(path, "/");
        if (len == 0 || *ret_n == REST_VARS_MAX)
            return false;
        vars[*ret_n].name = arena_memdup(arena, template + 1, strcspn(template + 1, "}"));
        vars[(*ret_n)++].value = arena_memdup(arena, path, len);
        template += strcspn(template, "}") + 1;
        path += len;
    }
    return *path == '\0';
}

static int hex(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *decode(struct arena *arena, const char *text, size_t len)
{
    char *out = arena_alloc(arena, len + 1), *at = out;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%') {
            int high = len - i > 2 ? hex(text[i + 1]) : -1;
            int low = len - i > 2 ? hex(text[i + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0)
                return NULL;
            *at++ = (char)((unsigned)high * 16u + (unsigned)low);
            i += 2;
        } else if (text[i] == '+') {
            *at++ = ' ';
        } else {
            *at++ = text[i];
        }
    }
    *at = '\0';
    return out;
}

bool rest_query(struct arena *arena, const char *query, struct wire_param *params, size_t max,
                size_t *n)
{
    while (*query != '\0') {
        size_t len = strcspn(query, "&"), name_len = strcspn(query, "&=");

        if (len > 0) {
            if (*n == max)
                return false;
            params[*n].name = decode(arena, query, name_len);
            params[*n].value =
                name_len < len ? decode(arena, query + name_len + 1, len - name_len - 1) : "";
            if (params[*n].name == NULL || params[*n].value == NULL)
                return false;
            ++*n;
        }
        query += len + (query[len] == '&');
    }
    return true;
}
