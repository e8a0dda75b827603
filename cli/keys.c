/* SPDX-License-Identifier: Apache-2.0 */
/* API keys in the bucket MAL_KEYS: made, found, changed. */
#include "keys.h"

#include "base/clock.h"
#include "base/ids.h"
#include "mcp/apikey.h"
#include "wire/codec.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIST_MS = 10000 };

static const char *const scope_names[KEY_SCOPES_MAX] = {"read", "write", "destructive", "execute",
                                                        "admin"};

/* The pepper is made by whoever needs it first; the bucket decides a race. */
static enum status pepper_load(struct keys *keys, struct error *err)
{
    struct bus_kv *secrets = NULL;
    unsigned char fresh[APIKEY_PEPPER_SIZE];
    const void *data;
    size_t len;
    enum status st;

    TRY(bus_kv_open(keys->hub->bus, APIKEY_SECRETS_BUCKET, 0, &secrets, err));
    random_bytes(fresh, sizeof fresh);
    st = bus_kv_create(secrets, APIKEY_PEPPER_ENTRY, fresh, sizeof fresh);
    if (st == ST_OK || st == ST_ALREADY_EXISTS)
        st = bus_kv_get(secrets, APIKEY_PEPPER_ENTRY, &keys->hub->arena, &data, &len, NULL);
    bus_kv_free(secrets);
    if (st != ST_OK || len != sizeof keys->pepper)
        return error_set(err, st == ST_OK ? ST_INTERNAL : st, "cannot read the key pepper");
    memcpy(keys->pepper, data, len);
    return ST_OK;
}

enum status keys_open(struct keys *keys, struct hub *hub, struct error *err)
{
    const char *pepper = getenv("MAL_KEY_PEPPER");

    *keys = (struct keys){.hub = hub};
    TRY(bus_kv_open(hub->bus, APIKEY_BUCKET, 0, &keys->kv, err));
    if (pepper && *pepper) {
        apikey_pepper(pepper, keys->pepper);
        return ST_OK;
    }
    return pepper_load(keys, err);
}

void keys_done(struct keys *keys)
{
    bus_kv_free(keys->kv);
    keys->kv = NULL;
}

static enum status name_check(const char *name, struct error *err)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    if (len == 0 || len > 64 || name[len] != '\0')
        return error_set(err, ST_INVALID_ARGUMENT,
                         "name: 1 to 64 letters, digits, dots, hyphens or underscores");
    return ST_OK;
}

static enum status scopes_parse(struct arena *arena, const char *text, Gateway__ApiKey *key,
                                struct error *err)
{
    char *copy = arena_strdup(arena, text);
    char *save = NULL;
    const char **scopes = arena_alloc(arena, KEY_SCOPES_MAX * sizeof *scopes);

    key->scopes = (void *)scopes;
    for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
        bool all = strcmp(word, "all") == 0, known = all;

        for (size_t i = 0; i < KEY_SCOPES_MAX; i++) {
            bool there = false;

            if (!all && strcmp(word, scope_names[i]) != 0)
                continue;
            known = true;
            for (size_t j = 0; j < key->n_scopes; j++)
                there = there || strcmp(scopes[j], scope_names[i]) == 0;
            if (!there)
                scopes[key->n_scopes++] = scope_names[i];
        }
        if (!known)
            return error_set(err, ST_INVALID_ARGUMENT,
                             "scopes: '%s' is none; take read, write, destructive, execute, admin "
                             "or all",
                             word);
    }
    if (key->n_scopes == 0)
        return error_set(err, ST_INVALID_ARGUMENT, "scopes: at least one is needed");
    return ST_OK;
}

static enum status servers_parse(struct arena *arena, const char *text, Gateway__ApiKey *key,
                                 struct error *err)
{
    char *copy = arena_strdup(arena, text);
    char *save = NULL;
    const char **servers = arena_alloc(arena, KEY_SERVERS_MAX * sizeof *servers);

    key->servers = (void *)servers;
    for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
        if (key->n_servers == KEY_SERVERS_MAX)
            return error_set(err, ST_INVALID_ARGUMENT, "servers: at most %d", KEY_SERVERS_MAX);
        servers[key->n_servers++] = word;
    }
    return ST_OK;
}

enum status keys_add(struct keys *keys, const struct key_wish *wish, const char **ret_secret,
                     struct error *err)
{
    struct arena *arena = &keys->hub->arena;
    Gateway__ApiKey key = GATEWAY__API_KEY__INIT, *taken = NULL;
    char *secret = arena_alloc(arena, APIKEY_SECRET_SIZE);
    char prefix[APIKEY_PREFIX_SIZE], token[TOKEN_SIZE], now[TIMESTAMP_SIZE];
    unsigned char hash[APIKEY_HASH_SIZE];
    struct error ignored = {0};
    const void *data;
    size_t len;
    enum status st;

    TRY(name_check(wish->name, err));
    TRY(scopes_parse(arena, wish->scopes, &key, err));
    TRY(servers_parse(arena, wish->servers, &key, err));
    if (keys_find(keys, wish->name, &taken, &ignored) == ST_OK && taken && !*taken->revoked_at) {
        error_hint(err, "another name, or mal keys rotate %s.", taken->id);
        return error_set(err, ST_ALREADY_EXISTS, "a key named '%s' exists", wish->name);
    }
    apikey_make(secret);
    apikey_prefix(secret, prefix);
    apikey_hash(keys->pepper, secret, strlen(secret), hash);
    token_hex(token);
    token[12] = '\0';
    clock_format(clock_wall_ms(), now);
    key.id = token;
    key.name = wish->name;
    key.prefix = prefix;
    key.hash = (ProtobufCBinaryData){.len = sizeof hash, .data = hash};
    key.created_at = now;
    key.expires_at = wish->expires_at;
    data = wire_pack(arena, &key.base, &len);
    st = bus_kv_create(keys->kv, key.id, data, len);
    if (st != ST_OK)
        return error_set(err, st, "cannot store the key");
    *ret_secret = secret;
    return ST_OK;
}

enum status keys_find(struct keys *keys, const char *id, Gateway__ApiKey **ret_key,
                      struct error *err)
{
    struct keys_list list;

    TRY(keys_list(keys, &list, err));
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < list.n; i++) {
            if (strcmp(pass == 0 ? list.keys[i]->id : list.keys[i]->name, id) == 0 &&
                (pass == 0 || !*list.keys[i]->revoked_at)) {
                *ret_key = list.keys[i];
                return ST_OK;
            }
        }
    }
    error_hint(err, "mal keys list.");
    return error_set(err, ST_NOT_FOUND, "there is no key '%s'", id);
}

/* Collects the entries that a watch replays first. */
struct collector {
    struct keys *keys;
    struct keys_list *list;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool complete;
};

static void collect(const char *entry, const void *data, size_t len, void *arg)
{
    struct collector *collector = arg;
    ProtobufCMessage *message;
    struct error ignored = {0};

    (void)pthread_mutex_lock(&collector->lock);
    if (!entry) {
        collector->complete = true;
        (void)pthread_cond_signal(&collector->changed);
    } else if (!collector->complete && data && collector->list->n < KEYS_MAX &&
               wire_unpack(&collector->keys->hub->arena, &gateway__api_key__descriptor,
                           arena_memdup(&collector->keys->hub->arena, data, len), len, &message,
                           &ignored) == ST_OK) {
        collector->list->keys[collector->list->n++] = (Gateway__ApiKey *)message;
    }
    (void)pthread_mutex_unlock(&collector->lock);
}

static int by_creation(const void *a, const void *b)
{
    const Gateway__ApiKey *const *x = a, *const *y = b;

    return strcmp((*x)->created_at, (*y)->created_at);
}

enum status keys_list(struct keys *keys, struct keys_list *ret_list, struct error *err)
{
    struct collector collector = {.keys = keys, .list = ret_list};
    struct bus_kv_watch *watch = NULL;
    struct timespec deadline;
    int waited = 0;

    ret_list->n = 0;
    ret_list->keys = arena_alloc(&keys->hub->arena, KEYS_MAX * sizeof(void *));
    (void)pthread_mutex_init(&collector.lock, NULL);
    (void)pthread_cond_init(&collector.changed, NULL);
    TRY(bus_kv_watch(keys->kv, collect, &collector, &watch));
    deadline = clock_in_ms(LIST_MS);
    (void)pthread_mutex_lock(&collector.lock);
    while (!collector.complete && waited == 0)
        waited = pthread_cond_timedwait(&collector.changed, &collector.lock, &deadline);
    collector.complete = true;
    (void)pthread_mutex_unlock(&collector.lock);
    bus_kv_watch_stop(watch);
    (void)pthread_cond_destroy(&collector.changed);
    (void)pthread_mutex_destroy(&collector.lock);
    if (waited != 0)
        return error_set(err, ST_DEADLINE_EXCEEDED, "the bus did not list the keys in time");
    if (ret_list->n > 1)
        qsort(ret_list->keys, ret_list->n, sizeof(void *), by_creation);
    return ST_OK;
}

enum status keys_store(struct keys *keys, const Gateway__ApiKey *key, struct error *err)
{
    size_t len;
    const void *data = wire_pack(&keys->hub->arena, &key->base, &len);
    enum status st = bus_kv_put(keys->kv, key->id, data, len);

    return st == ST_OK ? ST_OK : error_set(err, st, "cannot store the key");
}

enum status hub_own_key(struct hub *hub, const char *dir, struct arena *arena,
                        const char **ret_secret, struct error *err)
{
    const char *path = arena_printf(arena, "%s/key", dir);
    const char *stored = cli_read_file(arena, path, NULL);
    const char *secret = NULL;
    struct keys keys;
    enum status st;

    if (stored) {
        *ret_secret = stored;
        return ST_OK;
    }
    st = keys_open(&keys, hub, err);
    if (st == ST_OK)
        st = keys_add(&keys, &(struct key_wish){"default", "all", "", ""}, &secret, err);
    keys_done(&keys);
    if (st != ST_OK || !secret)
        return st;
    *ret_secret = arena_strdup(arena, secret);
    return cli_write_file(path, secret, strlen(secret), err);
}
