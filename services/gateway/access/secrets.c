/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the shared keys. */
#include "secrets.h"

#include "config.h"

#include <sodium.h>
#include <string.h>

enum { KEY_SIZE = 32 };

_Static_assert((int)APIKEY_PEPPER_SIZE == (int)KEY_SIZE, "size of the pepper");
_Static_assert((int)MCP_SEAL_KEY_SIZE == (int)KEY_SIZE, "size of the key");

/* Whoever comes first makes the entry; everybody then reads what is there. */
static enum status shared(struct bus_kv *kv, const char *entry, unsigned char out[KEY_SIZE],
                          struct error *err)
{
    CLEANUP(arena_done) struct arena arena = {0};
    unsigned char fresh[KEY_SIZE];
    const void *data;
    size_t len;
    uint64_t revision;
    enum status status;

    arena_init(&arena);
    randombytes_buf(fresh, sizeof(fresh));
    status = bus_kv_create(kv, entry, fresh, sizeof(fresh));
    if (status != ST_OK && status != ST_ALREADY_EXISTS)
        return error_set(err, status, "cannot write the bucket " APIKEY_SECRETS_BUCKET);
    status = bus_kv_get(kv, entry, &arena, &data, &len, &revision);
    if (status != ST_OK || len != KEY_SIZE)
        return error_set(err, status != ST_OK ? status : ST_INTERNAL,
                         "the entry %s of the bucket " APIKEY_SECRETS_BUCKET " is no key", entry);
    memcpy(out, data, KEY_SIZE);
    return ST_OK;
}

enum status secrets_load(struct secrets *secrets, struct bus *bus, struct error *err)
{
    struct bus_kv *kv;
    enum status status = ST_OK;

    apikey_pepper(config.key_pepper, secrets->pepper);
    apikey_pepper(config.state_key, secrets->state);
    if (*config.key_pepper != '\0' && *config.state_key != '\0')
        return ST_OK;
    TRY(bus_kv_open(bus, APIKEY_SECRETS_BUCKET, 0, &kv, err));
    if (*config.key_pepper == '\0')
        status = shared(kv, APIKEY_PEPPER_ENTRY, secrets->pepper, err);
    if (status == ST_OK && *config.state_key == '\0')
        status = shared(kv, "state_key", secrets->state, err);
    bus_kv_free(kv);
    return status;
}
