/* SPDX-License-Identifier: Apache-2.0 */
/* The table of keys, indexed by the keyed hash of their secrets. */
#include "keyring.h"

#include "base/clock.h"
#include "base/log.h"
#include "keylist.h"
#include "mcp/apikey.h"

#include "mal/gateway/v1/state.pb-c.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BUCKETS = 1024, LOAD_MS = 10000, WEAK_SECRET = 16 };

struct entry {
    struct entry *next; /* of the bucket of its hash */
    unsigned char hash[APIKEY_HASH_SIZE];
    char *id, *name; /* owned */
    char **servers;  /* owned, with what is in it */
    size_t n_servers;
    unsigned scopes;
    bool listed, revoked;
    int64_t expires_ms; /* 0 = never */
    unsigned round;     /* of the watch in which it was last seen */
};

struct keyring {
    pthread_rwlock_t lock;
    struct entry *buckets[BUCKETS];
    size_t n;
    unsigned round;
    _Atomic unsigned generation;
    const unsigned char *pepper;
    struct bus_kv *kv;
    struct bus_kv_watch *watch;
    pthread_mutex_t load_lock;
    pthread_cond_t load_cond;
    bool loaded;
};

static size_t bucket_of(const unsigned char *hash)
{
    return (hash[0] | (unsigned)hash[1] << 8) % BUCKETS;
}

static void entry_free(struct entry *entry)
{
    for (size_t i = 0; i < entry->n_servers; i++)
        free(entry->servers[i]);
    free(entry->servers);
    free(entry->id);
    free(entry->name);
    free(entry);
}

/* With the lock held for writing. */
static void add(struct keyring *ring, const struct entry *model)
{
    struct entry *entry = malloc(sizeof(*entry)), **head;

    if (entry == NULL)
        abort();
    *entry = *model;
    entry->id = strdup(model->id);
    entry->name = strdup(model->name);
    entry->servers = calloc(model->n_servers + 1, sizeof(*entry->servers));
    if (entry->id == NULL || entry->name == NULL || entry->servers == NULL)
        abort();
    for (size_t i = 0; i < model->n_servers; i++)
        if ((entry->servers[i] = strdup(model->servers[i])) == NULL)
            abort();
    head = &ring->buckets[bucket_of(entry->hash)];
    entry->next = *head;
    *head = entry;
    ring->n++;
}

/* Removes the entries with that id; with id NULL those of the bucket that were
 * not seen in the round that just ended. */
static void drop(struct keyring *ring, const char *id)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct entry **at = &ring->buckets[i];

        while (*at != NULL) {
            struct entry *entry = *at;
            bool gone = !entry->listed &&
                        (id != NULL ? strcmp(entry->id, id) == 0 : entry->round != ring->round);

            if (gone) {
                *at = entry->next;
                entry_free(entry);
                ring->n--;
            } else {
                at = &entry->next;
            }
        }
    }
}

static int64_t time_or(const char *text, int64_t fallback)
{
    int64_t ms;

    /* A time that cannot be read must not make a key live for ever. */
    if (*text == '\0')
        return fallback;
    return clock_parse(text, &ms) ? ms : 1;
}

static void add_record(struct keyring *ring, const char *key, const Gateway__ApiKey *record)
{
    struct entry entry = {
        .id = (char *)key,
        .name = (char *)record->name,
        .servers = (char **)record->servers,
        .n_servers = record->n_servers,
        .revoked = *record->revoked_at != '\0',
        .expires_ms = time_or(record->expires_at, 0),
        .round = ring->round,
    };
    int64_t until = time_or(record->previous_valid_until, 0);

    for (size_t i = 0; i < record->n_scopes; i++)
        entry.scopes |= scope_bit(record->scopes[i]);
    if (record->hash.len == APIKEY_HASH_SIZE) {
        memcpy(entry.hash, record->hash.data, APIKEY_HASH_SIZE);
        add(ring, &entry);
    }
    if (record->previous_hash.len == APIKEY_HASH_SIZE && until != 0) {
        memcpy(entry.hash, record->previous_hash.data, APIKEY_HASH_SIZE);
        if (entry.expires_ms == 0 || until < entry.expires_ms)
            entry.expires_ms = until;
        add(ring, &entry);
    }
}

static void loaded(struct keyring *ring)
{
    (void)pthread_rwlock_wrlock(&ring->lock);
    drop(ring, NULL);
    ring->round++;
    ring->generation++;
    (void)pthread_rwlock_unlock(&ring->lock);
    (void)pthread_mutex_lock(&ring->load_lock);
    ring->loaded = true;
    (void)pthread_cond_broadcast(&ring->load_cond);
    (void)pthread_mutex_unlock(&ring->load_lock);
}

static void changed(const char *key, const void *data, size_t len, void *arg)
{
    struct keyring *ring = arg;
    Gateway__ApiKey *record = NULL;

    if (key == NULL) {
        loaded(ring);
        return;
    }
    if (data != NULL) {
        record = gateway__api_key__unpack(NULL, len, data);
        if (record == NULL)
            log_warn("the entry of key %s in " APIKEY_BUCKET " is damaged; the key is refused",
                     key);
    }
    (void)pthread_rwlock_wrlock(&ring->lock);
    drop(ring, key);
    if (record != NULL)
        add_record(ring, key, record);
    ring->generation++;
    (void)pthread_rwlock_unlock(&ring->lock);
    if (record != NULL)
        gateway__api_key__free_unpacked(record, NULL);
}

static enum status load_listed(struct keyring *ring, struct error *err)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const struct listed_key *keys;
    size_t n;

    arena_init(&arena);
    TRY(keylist_parse(&arena, config.api_keys, &keys, &n, err));
    for (size_t i = 0; i < n; i++) {
        struct entry entry = {.listed = true, .name = (char *)keys[i].name};

        if (strlen(keys[i].secret) < WEAK_SECRET)
            log_warn("the key %s in MAL_API_KEYS is shorter than %d characters", keys[i].name,
                     WEAK_SECRET);
        entry.id = arena_printf(&arena, "env:%s", keys[i].name);
        entry.scopes = keys[i].scopes;
        entry.expires_ms = keys[i].expires_ms;
        apikey_hash(ring->pepper, keys[i].secret, strlen(keys[i].secret), entry.hash);
        add(ring, &entry);
    }
    return ST_OK;
}

static enum status wait_loaded(struct keyring *ring, struct error *err)
{
    struct timespec until = clock_in_ms(LOAD_MS);
    int rc = 0;
    bool done;

    (void)pthread_mutex_lock(&ring->load_lock);
    while (!ring->loaded && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&ring->load_cond, &ring->load_lock, &until);
    done = ring->loaded;
    (void)pthread_mutex_unlock(&ring->load_lock);
    if (!done)
        return error_set(err, ST_UNAVAILABLE, "the bucket " APIKEY_BUCKET " did not answer");
    return ST_OK;
}

enum status keyring_new(struct keyring **ret_ring, struct bus *bus, const unsigned char *pepper,
                        struct error *err)
{
    struct keyring *ring = calloc(1, sizeof(*ring));
    enum status status;

    if (ring == NULL)
        abort();
    (void)pthread_rwlock_init(&ring->lock, NULL);
    (void)pthread_mutex_init(&ring->load_lock, NULL);
    (void)pthread_cond_init(&ring->load_cond, NULL);
    ring->pepper = pepper;
    status = load_listed(ring, err);
    if (status == ST_OK)
        status = bus_kv_open(bus, APIKEY_BUCKET, 0, &ring->kv, err);
    if (status == ST_OK) {
        status = bus_kv_watch(ring->kv, changed, ring, &ring->watch);
        if (status != ST_OK)
            (void)error_set(err, status, "cannot watch the bucket " APIKEY_BUCKET);
    }
    if (status == ST_OK)
        status = wait_loaded(ring, err);
    if (status != ST_OK)
        keyring_free(TAKE(ring));
    *ret_ring = ring;
    return status;
}

void keyring_free(struct keyring *ring)
{
    if (ring == NULL)
        return;
    if (ring->watch != NULL)
        bus_kv_watch_stop(ring->watch);
    if (ring->kv != NULL)
        bus_kv_free(ring->kv);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (ring->buckets[i] != NULL) {
            struct entry *entry = ring->buckets[i];

            ring->buckets[i] = entry->next;
            entry_free(entry);
        }
    }
    (void)pthread_rwlock_destroy(&ring->lock);
    (void)pthread_mutex_destroy(&ring->load_lock);
    (void)pthread_cond_destroy(&ring->load_cond);
    free(ring);
}

bool keyring_empty(struct keyring *ring)
{
    bool empty;

    (void)pthread_rwlock_rdlock(&ring->lock);
    empty = ring->n == 0;
    (void)pthread_rwlock_unlock(&ring->lock);
    return empty;
}

static bool usable(const struct entry *entry, int64_t now_ms)
{
    return !entry->revoked && (entry->expires_ms == 0 || now_ms < entry->expires_ms);
}

static const char *const *copy_servers(struct arena *arena, const struct entry *entry)
{
    const char **servers = arena_alloc(arena, entry->n_servers * sizeof(*servers));

    for (size_t i = 0; i < entry->n_servers; i++)
        servers[i] = arena_strdup(arena, entry->servers[i]);
    return servers;
}

bool keyring_find(struct keyring *ring, struct arena *arena, const char *secret, int64_t now_ms,
                  struct principal *ret_who)
{
    unsigned char hash[APIKEY_HASH_SIZE];
    const struct entry *entry;

    /* The hash is keyed: which bucket is looked at tells nothing of the secret. */
    apikey_hash(ring->pepper, secret, strlen(secret), hash);
    (void)pthread_rwlock_rdlock(&ring->lock);
    entry = ring->buckets[bucket_of(hash)];
    while (entry != NULL && !(apikey_equal(entry->hash, hash) && usable(entry, now_ms)))
        entry = entry->next;
    if (entry != NULL)
        *ret_who = (struct principal){
            .id = arena_strdup(arena, entry->id),
            .name = arena_strdup(arena, entry->name),
            .scopes = entry->scopes,
            .trusted = config_list_has(config.trusted_keys, entry->name),
            .servers = copy_servers(arena, entry),
            .n_servers = entry->n_servers,
        };
    (void)pthread_rwlock_unlock(&ring->lock);
    return entry != NULL;
}

bool keyring_valid(struct keyring *ring, const char *id, int64_t now_ms)
{
    bool valid = false;

    (void)pthread_rwlock_rdlock(&ring->lock);
    for (size_t i = 0; i < BUCKETS && !valid; i++)
        for (const struct entry *entry = ring->buckets[i]; entry != NULL; entry = entry->next)
            if (strcmp(entry->id, id) == 0 && usable(entry, now_ms)) {
                valid = true;
                break;
            }
    (void)pthread_rwlock_unlock(&ring->lock);
    return valid;
}

unsigned keyring_generation(struct keyring *ring)
{
    return ring->generation;
}
