/* SPDX-License-Identifier: Apache-2.0 */
/* Who the client is behind proxies we know: X-Forwarded-For is believed from
 * the right, as far as trusted proxies wrote it. */
#include "http/internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ADDRESS_BYTES = 16, ADDRESS_TEXT = 64, BLOCKS_MAX = 64, HOPS_MAX = 32 };

/* IPv4 as ::ffff:a.b.c.d, so that one comparison serves both. */
struct block {
    unsigned char address[ADDRESS_BYTES];
    int bits;
};

struct trusted {
    size_t n;
    struct block blocks[BLOCKS_MAX];
};

/* Copies text without blanks around, an IPv6 address' brackets and an IPv4
 * address' port, as proxies add them. */
static bool address_clean(const char *text, size_t len, char out[ADDRESS_TEXT])
{
    const char *colon;

    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    if (len > 0 && *text == '[') {
        const char *end = memchr(text, ']', len);

        if (!end)
            return false;
        len = (size_t)(end - text) - 1;
        text++;
    } else {
        colon = memchr(text, ':', len);
        if (colon && !memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)))
            len = (size_t)(colon - text);
    }
    if (len == 0 || len >= ADDRESS_TEXT)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

static bool address_parse(const char *text, unsigned char out[ADDRESS_BYTES], bool *ret_v4)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    memcpy(out, mapped, sizeof mapped);
    *ret_v4 = inet_pton(AF_INET, text, out + sizeof mapped) == 1;
    return *ret_v4 || inet_pton(AF_INET6, text, out) == 1;
}

static bool block_parse(const char *text, size_t len, struct block *block)
{
    const char *slash = memchr(text, '/', len);
    char address[ADDRESS_TEXT];
    bool v4;
    long bits = -1;
    char *end;

    if (!address_clean(text, slash ? (size_t)(slash - text) : len, address) ||
        !address_parse(address, block->address, &v4))
        return false;
    if (slash) {
        bits = strtol(slash + 1, &end, 10);
        while (*end == ' ')
            end++;
        if (slash[1] < '0' || slash[1] > '9' || end != text + len || bits > (v4 ? 32 : 128))
            return false;
    }
    block->bits = bits < 0 ? 128 : (int)bits + (v4 ? 96 : 0);
    return true;
}

enum status trusted_parse(const char *list, struct trusted **ret_trusted, struct error *err)
{
    struct trusted *trusted;

    *ret_trusted = NULL;
    if (!list || !*list)
        return ST_OK;
    trusted = calloc(1, sizeof *trusted);
    if (!trusted)
        return error_set(err, ST_INTERNAL, "out of memory");
    for (;;) {
        size_t len = strcspn(list, ",");

        if (trusted->n == BLOCKS_MAX || !block_parse(list, len, &trusted->blocks[trusted->n])) {
            free(trusted);
            return error_set(err, ST_INVALID_ARGUMENT,
                             "MAL_TRUSTED_PROXIES: '%.*s' is no address or CIDR block (at most %d)",
                             (int)len, list, BLOCKS_MAX);
        }
        trusted->n++;
        if (!list[len])
            break;
        list += len + 1;
    }
    *ret_trusted = trusted;
    return ST_OK;
}

void trusted_free(struct trusted *trusted)
{
    free(trusted);
}

static bool block_has(const struct block *block, const unsigned char address[ADDRESS_BYTES])
{
    int whole = block->bits / 8, rest = block->bits % 8;
    unsigned mask = 0xffu << (8 - rest) & 0xffu;

    return memcmp(block->address, address, (size_t)whole) == 0 &&
           (!rest || ((block->address[whole] ^ address[whole]) & mask) == 0);
}

static bool is_trusted(const struct trusted *trusted, const char *text)
{
    unsigned char address[ADDRESS_BYTES];
    bool v4;

    if (!address_parse(text, address, &v4))
        return false;
    for (size_t i = 0; i < trusted->n; i++)
        if (block_has(&trusted->blocks[i], address))
            return true;
    return false;
}

const char *trusted_client(const struct trusted *trusted, const char *peer,
                           const struct mg_request_info *info, struct arena *arena)
{
    char address[ADDRESS_TEXT];
    unsigned char bytes[ADDRESS_BYTES];
    int hops = 0;
    bool v4;

    if (!trusted || !is_trusted(trusted, peer))
        return peer;
    for (int i = info->num_headers - 1; i >= 0; i--) {
        const char *value = info->http_headers[i].value;
        const char *end = value + strlen(value);

        if (strcasecmp(info->http_headers[i].name, "X-Forwarded-For") != 0)
            continue;
        while (end > value && hops++ < HOPS_MAX) {
            const char *start = end;

            while (start > value && start[-1] != ',')
                start--;
            /* What is no address was not written by a proxy of ours. */
            if (!address_clean(start, (size_t)(end - start), address) ||
                !address_parse(address, bytes, &v4))
                return peer;
            peer = arena_strdup(arena, address);
            if (!is_trusted(trusted, address))
                return peer;
            end = start > value ? start - 1 : value;
        }
    }
    return peer;
}
