/* SPDX-License-Identifier: Apache-2.0 */
/* Values of env_vars and headers: literal ones are secrets, are kept sealed and
 * leave the hub neither in replies nor in exports, references to the operator's
 * variables are shown as written. */
#include "catalog.h"

#include "mcp/secret.h"

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

/* Text that secret_keys_read refused at start is not in use. */
static struct secret_keys keys_now(void)
{
    struct secret_keys keys;
    struct error err = {0};

    if (secret_keys_read(catalog_config.secret_keys, &keys, &err) != ST_OK)
        keys.n = 0;
    return keys;
}

static void seal_pair(struct call *call, const struct secret_keys *keys, const char *field,
                      Mal__Pair *pair)
{
    const char *sealed;

    if (secret_is_reference(pair->value) || secret_is_masked(pair->value))
        return;
    sealed = secret_seal(call->arena, keys, pair->value);
    if (sealed)
        pair->value = sealed;
    else
        call_field(call, arena_printf(call->arena, "%s.%s", field, pair->key),
                   "is a literal value, which is only kept sealed; set MAL_SECRET_KEYS or give "
                   "${env:NAME}");
}

void secrets_seal(struct call *call, const char *field, size_t n, Mal__Pair **pairs)
{
    struct secret_keys keys = keys_now();

    for (size_t i = 0; i < n; i++)
        seal_pair(call, &keys, field, pairs[i]);
}

/* Whether the stored value, opened, is the given one. */
static bool is_same(struct call *call, const struct secret_keys *keys, const char *stored,
                    const char *given)
{
    const char *plain = secret_open(call->arena, keys, stored);

    return plain && strcmp(plain, given) == 0;
}

Mal__Pair **secrets_keep(struct call *call, const char *field, size_t n, Mal__Pair *const *given,
                         size_t n_stored, Mal__Pair *const *stored)
{
    Mal__Pair **pairs = arena_alloc(call->arena, n * sizeof(void *));
    struct secret_keys keys = keys_now();

    for (size_t i = 0; i < n; i++) {
        const char *known = value_of(n_stored, stored, given[i]->key);

        pairs[i] = new_message(call, given[i]->base.descriptor);
        pairs[i]->key = given[i]->key;
        pairs[i]->value = given[i]->value;
        if (known &&
            (secret_is_masked(given[i]->value) || is_same(call, &keys, known, given[i]->value)))
            pairs[i]->value = known;
        else if (!secret_is_masked(given[i]->value))
            seal_pair(call, &keys, field, pairs[i]);
        else
            call_field(call, arena_printf(call->arena, "%s.%s", field, given[i]->key),
                       "is *** but no value is stored under this name");
    }
    return pairs;
}
