/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing of secrets at rest, with a key that is named. */
#include "mcp/secret.h"

#include "base/strbuf.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

static const char prefix[] = "sealed:";

/* One "id:hex" of the list. */
static enum status key_read(struct secret_keys *keys, const char *text, size_t len,
                            struct error *err)
{
    struct secret_key *key = &keys->keys[keys->n];
    const char *colon = memchr(text, ':', len);
    size_t id_len = colon ? (size_t)(colon - text) : 0, n_bytes = 0;

    if (keys->n == SECRET_KEYS_MAX)
        return error_set(err, ST_INVALID_ARGUMENT, "MAL_SECRET_KEYS: more than %d keys",
                         SECRET_KEYS_MAX);
    if (id_len == 0 || id_len >= sizeof(key->id))
        return error_set(err, ST_INVALID_ARGUMENT,
                         "MAL_SECRET_KEYS: entry %zu must look like id:64 hexadecimal digits",
                         keys->n + 1);
    for (size_t i = 0; i < id_len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
            return error_set(err, ST_INVALID_ARGUMENT,
                             "MAL_SECRET_KEYS: the id of entry %zu has other signs than letters, "
                             "digits, - and _",
                             keys->n + 1);
    memcpy(key->id, text, id_len);
    key->id[id_len] = '\0';
    for (size_t i = 0; i < keys->n; i++)
        if (strcmp(keys->keys[i].id, key->id) == 0)
            return error_set(err, ST_INVALID_ARGUMENT, "MAL_SECRET_KEYS: the id %s is there twice",
                             key->id);
    if (sodium_hex2bin(key->bytes, sizeof(key->bytes), colon + 1, len - id_len - 1, NULL, &n_bytes,
                       NULL) != 0 ||
        n_bytes != sizeof(key->bytes) || len - id_len - 1 != 2 * sizeof(key->bytes))
        return error_set(err, ST_INVALID_ARGUMENT,
                         "MAL_SECRET_KEYS: the key %s is not 64 hexadecimal digits", key->id);
    keys->n++;
    return ST_OK;
}

enum status secret_keys_read(const char *text, struct secret_keys *ret_keys, struct error *err)
{
    *ret_keys = (struct secret_keys){0};
    while (*text) {
        size_t len = strcspn(text, ",");

        TRY(key_read(ret_keys, text, len, err));
        text += len + (text[len] == ',');
    }
    return ST_OK;
}

bool secret_is_sealed(const char *text)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The key's id in a sealed text is followed by a colon. */
static bool sealed_by(const struct secret_key *key, const char *text)
{
    size_t len = strlen(key->id);

    text += strlen(prefix);
    return strncmp(text, key->id, len) == 0 && text[len] == ':';
}

bool secret_is_current(const struct secret_keys *keys, const char *text)
{
    return keys->n > 0 && secret_is_sealed(text) && sealed_by(&keys->keys[0], text);
}

const char *secret_seal(struct arena *arena, const struct secret_keys *keys, const char *plain)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    if (keys->n == 0)
        return NULL;
    strbuf_printf(&out, "%s%s:", prefix, keys->keys[0].id);
    mcp_seal(&out, keys->keys[0].bytes, plain, strlen(plain));
    return arena_strdup(arena, strbuf_cstr(&out));
}

const char *secret_open(struct arena *arena, const struct secret_keys *keys, const char *text)
{
    const void *plain;
    size_t len;

    if (!secret_is_sealed(text))
        return NULL;
    for (size_t i = 0; i < keys->n; i++)
        if (sealed_by(&keys->keys[i], text) &&
            mcp_unseal(arena, keys->keys[i].bytes,
                       text + strlen(prefix) + strlen(keys->keys[i].id) + 1, &plain, &len))
            return arena_memdup(arena, plain, len);
    return NULL;
}
