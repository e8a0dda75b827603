/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets and failure counters in fixed tables: an attacker with many
 * addresses costs no memory, the oldest entry of a neighbourhood makes room. */
#include "ratelimit.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4096, NEIGHBOURS = 8, MINUTE_MS = 60000, KNOWN_MS = 3600000 };

struct slot {
    uint64_t hash; /* 0 = free */
    int64_t at_ms; /* last change; start of the minute for failures */
    double amount; /* tokens left, or failures */
};

struct table {
    pthread_mutex_t lock;
    struct slot slots[SLOTS];
};

struct limits {
    int64_t rate, failures;
    unsigned char key[crypto_shorthash_KEYBYTES];
    struct table buckets, wrong, known;
};

struct limits *limits_new(int64_t calls_per_second, int64_t failures_per_minute)
{
    struct limits *limits = calloc(1, sizeof(*limits));

    if (limits == NULL)
        abort();
    limits->rate = calls_per_second;
    limits->failures = failures_per_minute;
    crypto_shorthash_keygen(limits->key);
    (void)pthread_mutex_init(&limits->buckets.lock, NULL);
    (void)pthread_mutex_init(&limits->wrong.lock, NULL);
    (void)pthread_mutex_init(&limits->known.lock, NULL);
    return limits;
}

void limits_free(struct limits *limits)
{
    free(limits);
}

static uint64_t hash_of(const struct limits *limits, const char *text)
{
    uint64_t hash;

    _Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "size of the short hash");
    (void)crypto_shorthash((unsigned char *)&hash, (const unsigned char *)text, strlen(text),
                           limits->key);
    return hash != 0 ? hash : 1;
}

/* The entry's slot, or NULL; with make the oldest neighbour gives way. */
static struct slot *find(struct table *table, uint64_t hash, bool make)
{
    struct slot *oldest = NULL;

    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        struct slot *slot = &table->slots[(hash + i) % SLOTS];

        if (slot->hash == hash)
            return slot;
        if (oldest == NULL || slot->at_ms < oldest->at_ms)
            oldest = slot;
    }
    if (!make)
        return NULL;
    *oldest = (struct slot){.hash = hash, .at_ms = -1};
    return oldest;
}

bool limits_call(struct limits *limits, const char *principal, int64_t now_ms, int *ret_wait_s)
{
    double rate = (double)limits->rate;
    struct slot *slot;
    bool allowed;

    *ret_wait_s = 1;
    if (limits->rate == 0)
        return true;
    (void)pthread_mutex_lock(&limits->buckets.lock);
    slot = find(&limits->buckets, hash_of(limits, principal), true);
    if (slot->at_ms < 0)
        slot->amount = rate;
    else if (now_ms > slot->at_ms)
        slot->amount += (double)(now_ms - slot->at_ms) * rate / 1000;
    if (slot->amount > rate)
        slot->amount = rate;
    slot->at_ms = now_ms;
    allowed = slot->amount >= 1;
    if (allowed)
        slot->amount -= 1;
    (void)pthread_mutex_unlock(&limits->buckets.lock);
    return allowed;
}

void limits_failed(struct limits *limits, const char *address, int64_t now_ms)
{
    struct slot *slot;

    (void)pthread_mutex_lock(&limits->wrong.lock);
    slot = find(&limits->wrong, hash_of(limits, address), true);
    if (slot->at_ms < 0 || now_ms - slot->at_ms >= MINUTE_MS) {
        slot->at_ms = now_ms;
        slot->amount = 0;
    }
    slot->amount += 1;
    (void)pthread_mutex_unlock(&limits->wrong.lock);
}

bool limits_blocked(struct limits *limits, const char *address, int64_t now_ms, int *ret_wait_s)
{
    struct slot *slot;
    bool blocked = false;

    (void)pthread_mutex_lock(&limits->wrong.lock);
    slot = find(&limits->wrong, hash_of(limits, address), false);
    if (slot != NULL && now_ms - slot->at_ms < MINUTE_MS &&
        slot->amount >= (double)limits->failures) {
        blocked = true;
        *ret_wait_s = (int)((slot->at_ms + MINUTE_MS - now_ms + 999) / 1000);
    }
    (void)pthread_mutex_unlock(&limits->wrong.lock);
    return blocked;
}

static uint64_t hash_pair(const struct limits *limits, const char *address, const char *principal)
{
    return hash_of(limits, address) ^ (hash_of(limits, principal) << 1 | 1);
}

void limits_succeeded(struct limits *limits, const char *address, const char *principal,
                      int64_t now_ms)
{
    struct slot *slot;

    (void)pthread_mutex_lock(&limits->known.lock);
    slot = find(&limits->known, hash_pair(limits, address, principal), true);
    slot->at_ms = now_ms;
    (void)pthread_mutex_unlock(&limits->known.lock);
}

bool limits_known(struct limits *limits, const char *address, const char *principal, int64_t now_ms)
{
    struct slot *slot;
    bool known;

    (void)pthread_mutex_lock(&limits->known.lock);
    slot = find(&limits->known, hash_pair(limits, address, principal), false);
    known = slot != NULL && now_ms - slot->at_ms < KNOWN_MS;
    (void)pthread_mutex_unlock(&limits->known.lock);
    return known;
}
