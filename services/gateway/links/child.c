/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of programs that callers have for themselves. */
#include "child.h"

#include <sodium.h>
#include <string.h>

const char *child_key(struct arena *arena, const char *principal, const char *capabilities)
{
    const char *who;
    unsigned char hash[16];
    char *text;

    if (capabilities == NULL || strcmp(capabilities, "{}") == 0)
        capabilities = "";
    who = arena_printf(arena, "%s\n%s", principal, capabilities);
    text = arena_alloc(arena, 2 * sizeof(hash) + 1);
    (void)crypto_generichash(hash, sizeof(hash), (const unsigned char *)who, strlen(who), NULL, 0);
    return sodium_bin2hex(text, 2 * sizeof(hash) + 1, hash, sizeof(hash));
}

const char *child_at(struct arena *arena, const struct server *server, const char *principal,
                     const char *capabilities)
{
    const struct definitions *definitions = server->definitions;

    if (server->upstream != NULL || server->config->policy == NULL ||
        !server->config->policy->per_caller)
        return NULL;
    if (definitions != NULL && definitions->version == MCP_2026_07_28)
        capabilities = NULL;
    return child_key(arena, principal, capabilities);
}
