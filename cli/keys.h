/* SPDX-License-Identifier: Apache-2.0 */
/* API keys in the hub's bucket. */
#pragma once

#include "hub.h"

#include "mal/gateway/v1/state.pb-c.h"

enum { KEY_SCOPES_MAX = 5, KEY_SERVERS_MAX = 100, KEYS_MAX = 10000 };

struct keys {
    struct hub *hub;
    struct bus_kv *kv;
    unsigned char pepper[32];
};

enum status keys_open(struct keys *keys, struct hub *hub, struct error *err) MUST_CHECK;
void keys_done(struct keys *keys);
/* What a new key is to be: comma lists, servers "" = all; expires_at RFC 3339 or "". */
struct key_wish {
    const char *name, *scopes, *servers, *expires_at;
};
/* Makes a key; *ret_secret is in the hub's arena and nowhere else. */
enum status keys_add(struct keys *keys, const struct key_wish *wish, const char **ret_secret,
                     struct error *err) MUST_CHECK;
/* By id or by name; the record in the hub's arena. */
enum status keys_find(struct keys *keys, const char *id, Gateway__ApiKey **ret_key,
                      struct error *err) MUST_CHECK;

/* Every key, oldest first; records in the hub's arena. */
struct keys_list {
    Gateway__ApiKey **keys;
    size_t n;
};
enum status keys_list(struct keys *keys, struct keys_list *ret_list, struct error *err) MUST_CHECK;
/* Writes a changed record. */
enum status keys_store(struct keys *keys, const Gateway__ApiKey *key, struct error *err) MUST_CHECK;
