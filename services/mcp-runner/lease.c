/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: which runner owns a child. An entry of the bucket names its runner and
 * ends by itself when nobody renews it. */
#include "runner.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>
#include <time.h>

enum { LEASE_S = 10, RENEW_MS = 3000, TRIES = 5 };

void lease_key(const struct config *config, const char *caller, char out[KEY_SIZE])
{
    const McpHealth__Server *server = config->server;

    if (*caller && server->policy && server->policy->per_caller)
        (void)snprintf(out, KEY_SIZE, "%s.%s", server->id, caller);
    else
        (void)snprintf(out, KEY_SIZE, "%s", server->id);
}

/* Who has it; NOT_FOUND. */
static enum status look(struct runner *runner, const char *key, char out[TOKEN_SIZE],
                        uint64_t *ret_revision)
{
    CLEANUP(arena_done) struct arena arena;
    const void *data;
    size_t len;

    arena_init(&arena);
    TRY(bus_kv_get(runner->leases, key, &arena, &data, &len, ret_revision));
    (void)snprintf(out, TOKEN_SIZE, "%.*s", (int)len, (const char *)data);
    return ST_OK;
}

enum status lease_take(struct runner *runner, const char *key, char out[TOKEN_SIZE],
                       struct error *err)
{
    enum status status = ST_UNAVAILABLE;
    uint64_t revision;

    /* It may lapse between the two. */
    for (int i = 0; i < TRIES; i++) {
        status = bus_kv_create(runner->leases, key, runner->id, strlen(runner->id));
        if (status == ST_OK) {
            (void)snprintf(out, TOKEN_SIZE, "%s", runner->id);
            return ST_OK;
        }
        if (status == ST_ALREADY_EXISTS)
            status = look(runner, key, out, &revision);
        if (status != ST_NOT_FOUND)
            break;
    }
    if (status == ST_OK)
        return ST_OK;
    return error_set(err, ST_UNAVAILABLE, "The owner of '%s' cannot be found now.", key);
}

void lease_seize(struct runner *runner, const char *key, const char *owner)
{
    char now[TOKEN_SIZE];
    uint64_t revision;

    if (look(runner, key, now, &revision) == ST_OK && strcmp(now, owner) == 0 &&
        bus_kv_update(runner->leases, key, runner->id, strlen(runner->id), revision) == ST_OK)
        log_warn("the runner %.8s does not answer; taking over %s", owner, key);
}

/* False when it is another's for sure. */
static bool renew(struct runner *runner, const char *key)
{
    char owner[TOKEN_SIZE];
    uint64_t revision;
    enum status status = look(runner, key, owner, &revision);

    if (status == ST_NOT_FOUND)
        return bus_kv_create(runner->leases, key, runner->id, strlen(runner->id)) !=
               ST_ALREADY_EXISTS;
    if (status != ST_OK)
        return true;
    if (strcmp(owner, runner->id) != 0)
        return false;
    return bus_kv_update(runner->leases, key, runner->id, strlen(runner->id), revision) !=
           ST_FAILED_PRECONDITION;
}

/* The slot after that one, by key, so that the lock is not held while the bus is asked. */
static bool next_key(struct runner *runner, char key[KEY_SIZE])
{
    const struct slot *next = NULL;

    pthread_mutex_lock(&runner->lock);
    for (const struct slot *slot = runner->slots; slot; slot = slot->next)
        if (strcmp(slot->key, key) > 0 && (!next || strcmp(slot->key, next->key) < 0))
            next = slot;
    if (next)
        (void)snprintf(key, KEY_SIZE, "%s", next->key);
    pthread_mutex_unlock(&runner->lock);
    return next != NULL;
}

static void lose(struct runner *runner, const char *key)
{
    pthread_mutex_lock(&runner->lock);
    for (struct slot *slot = runner->slots; slot; slot = slot->next)
        if (strcmp(slot->key, key) == 0) {
            log_warn("another runner owns %s now", key);
            slot_retire(slot);
            break;
        }
    pthread_mutex_unlock(&runner->lock);
}

/* False when the process stops and holds no child any more. */
static bool wait_turn(struct runner *runner)
{
    struct timespec until = clock_in_ms(RENEW_MS);
    bool over;

    pthread_mutex_lock(&runner->lock);
    while (!(runner->stopping && runner->n_children == 0) &&
           pthread_cond_timedwait(&runner->changed, &runner->lock, &until) == 0)
        ;
    over = runner->stopping && runner->n_children == 0;
    pthread_mutex_unlock(&runner->lock);
    return !over;
}

void *lease_run(void *arg)
{
    struct runner *runner = arg;

    while (wait_turn(runner)) {
        char key[KEY_SIZE] = "";

        while (next_key(runner, key))
            if (!renew(runner, key))
                lose(runner, key);
    }
    return NULL;
}
