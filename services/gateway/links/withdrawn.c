/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that were withdrawn of late. */
#include "withdrawn.h"

#include "base/clock.h"

#include <sodium.h>
#include <string.h>

void withdrawn_init(struct withdrawn *withdrawn)
{
    *withdrawn = (struct withdrawn){0};
    (void)pthread_mutex_init(&withdrawn->lock, NULL);
}

void withdrawn_done(struct withdrawn *withdrawn)
{
    (void)pthread_mutex_destroy(&withdrawn->lock);
}

static void hash(unsigned char out[16], const char *id, size_t len)
{
    (void)crypto_generichash(out, 16, (const unsigned char *)id, len, NULL, 0);
}

void withdrawn_add(struct withdrawn *withdrawn, const char *key, const char *id, size_t len)
{
    size_t at;

    (void)pthread_mutex_lock(&withdrawn->lock);
    at = withdrawn->next;
    withdrawn->next = (at + 1) % WITHDRAWN_MAX;
    (void)snprintf(withdrawn->items[at].key, SESSION_HASH_SIZE, "%s", key);
    hash(withdrawn->items[at].id, id, len);
    withdrawn->items[at].until_ms = clock_mono_ms() + WITHDRAWN_MS;
    (void)pthread_mutex_unlock(&withdrawn->lock);
}

bool withdrawn_has(struct withdrawn *withdrawn, const char *key, const char *id, size_t len)
{
    int64_t now_ms = clock_mono_ms();
    unsigned char wanted[16];
    bool found = false;

    hash(wanted, id, len);
    (void)pthread_mutex_lock(&withdrawn->lock);
    for (size_t i = 0; i < WITHDRAWN_MAX && !found; i++)
        found = withdrawn->items[i].until_ms > now_ms &&
                memcmp(withdrawn->items[i].id, wanted, sizeof(wanted)) == 0 &&
                strcmp(withdrawn->items[i].key, key) == 0;
    (void)pthread_mutex_unlock(&withdrawn->lock);
    return found;
}

void withdrawn_forget(struct withdrawn *withdrawn, const char *key)
{
    (void)pthread_mutex_lock(&withdrawn->lock);
    for (size_t i = 0; i < WITHDRAWN_MAX; i++)
        if (strcmp(withdrawn->items[i].key, key) == 0)
            withdrawn->items[i].until_ms = 0;
    (void)pthread_mutex_unlock(&withdrawn->lock);
}
