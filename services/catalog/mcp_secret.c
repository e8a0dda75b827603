/* SPDX-License-Identifier: Apache-2.0 */
/* Values of env_vars and headers: literal ones are secrets and leave the hub
 * neither in replies nor in exports, references to the operator's variables are
 * shown as written. */
#include "catalog.h"

#include <ctype.h>

static const char mask[] = "***";

/* "${env:NAME}" and nothing else. */
static bool is_plain_reference(const char *value)
{
    size_t n;

    if (strncmp(value, "${env:", 6) != 0)
        return false;
    value += 6;
    n = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && strcmp(value + n, "}") == 0;
}

bool secret_is_reference(const char *value)
{
    static const char *const schemes[] = {"Bearer ", "Basic ", "Token "};

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (strncmp(value, schemes[i], strlen(schemes[i])) == 0)
            value += strlen(schemes[i]);
    return is_plain_reference(value);
}

bool secret_is_masked(const char *value)
{
    return strcmp(value, mask) == 0;
}

static void mask_pairs(size_t n, Mal__Pair **pairs)
{
    for (size_t i = 0; i < n; i++)
        if (!secret_is_reference(pairs[i]->value))
            pairs[i]->value = mask;
}

void mcp_mask(Catalog__Mcp *mcp)
{
    mask_pairs(mcp->n_env_vars, mcp->env_vars);
    mask_pairs(mcp->n_headers, mcp->headers);
}

/* "X-Api-Key" becomes "${env:X_API_KEY}". */
static const char *reference_to(struct call *call, const char *key)
{
    char *name = arena_strdup(call->arena, key);

    for (char *p = name; *p; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    return arena_printf(call->arena, "${env:%s}", name);
}

static void export_pairs(struct call *call, size_t n, Mal__Pair **pairs)
{
    for (size_t i = 0; i < n; i++)
        if (!secret_is_reference(pairs[i]->value))
            pairs[i]->value = reference_to(call, pairs[i]->key);
}

void mcp_export(struct call *call, Catalog__Mcp *mcp)
{
    export_pairs(call, mcp->n_env_vars, mcp->env_vars);
    export_pairs(call, mcp->n_headers, mcp->headers);
}

static const char *value_of(size_t n, Mal__Pair *const *pairs, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i]->key, key) == 0)
            return pairs[i]->value;
    return NULL;
}

Mal__Pair **secrets_keep(struct call *call, const char *field, size_t n, Mal__Pair *const *given,
                         size_t n_stored, Mal__Pair *const *stored)
{
    Mal__Pair **pairs = arena_alloc(call->arena, n * sizeof(void *));

    for (size_t i = 0; i < n; i++) {
        const char *known = value_of(n_stored, stored, given[i]->key);

        pairs[i] = new_message(call, given[i]->base.descriptor);
        pairs[i]->key = given[i]->key;
        pairs[i]->value = given[i]->value;
        if (!secret_is_masked(given[i]->value))
            continue;
        if (known)
            pairs[i]->value = known;
        else
            call_field(call, arena_printf(call->arena, "%s.%s", field, given[i]->key),
                       "is *** but no value is stored under this name");
    }
    return pairs;
}
