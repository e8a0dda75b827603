/* SPDX-License-Identifier: Apache-2.0 */
/* The stdio servers, as mcp-health tells them through MAL_MCPS. */
#include "runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/codec.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLICE_MS = 1000 };

struct config *config_ref(struct config *config)
{
    (void)atomic_fetch_add(&config->refs, 1);
    return config;
}

void config_unref(struct config *config)
{
    if (!config || atomic_fetch_sub(&config->refs, 1) > 1)
        return;
    arena_done(&config->arena);
    free(config);
}

/* NULL when the bytes are no stdio server. */
static struct config *config_new(const void *data, size_t len)
{
    struct config *config = calloc(1, sizeof(*config));
    ProtobufCMessage *message = NULL;
    struct error err = {0};

    if (!config)
        abort();
    config->refs = 1;
    arena_init(&config->arena);
    if (wire_unpack(&config->arena, &mcp_health__server__descriptor, data, len, &message, &err) ==
        ST_OK)
        config->server = (const McpHealth__Server *)message;
    if (config->server &&
        config->server->transport == MCP_HEALTH__SERVER_TRANSPORT__SERVER_TRANSPORT_STDIO)
        return config;
    config_unref(config);
    return NULL;
}

static bool same_pairs(size_t n, Mal__Pair *const *a, size_t m, Mal__Pair *const *b)
{
    for (size_t i = 0; n == m && i < n; i++)
        if (strcmp(a[i]->key, b[i]->key) != 0 || strcmp(a[i]->value, b[i]->value) != 0)
            return false;
    return n == m;
}

/* Whether a child of one is also a child of the other. */
static bool same_child(const McpHealth__Server *a, const McpHealth__Server *b)
{
    static const McpHealth__Policy none = MCP_HEALTH__POLICY__INIT;
    const McpHealth__Policy *p = a->policy ? a->policy : &none, *q = b->policy ? b->policy : &none;

    return a->revision == b->revision && p->per_caller == q->per_caller &&
           strcmp(p->newest_version, q->newest_version) == 0 &&
           same_pairs(a->n_secrets, a->secrets, b->n_secrets, b->secrets) &&
           same_pairs(a->n_env_vars, a->env_vars, b->n_env_vars, b->env_vars);
}

static bool inactive(const McpHealth__Server *server)
{
    return server->status == MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_INACTIVE;
}

struct entry *registry_entry(struct runner *runner, const char *id)
{
    struct entry *entry = runner->entries;

    while (entry && strcmp(entry->id, id) != 0)
        entry = entry->next;
    return entry;
}

/* With the lock held. */
static void retire_all(struct runner *runner, const char *server)
{
    for (struct slot *slot = runner->slots, *next; slot; slot = next) {
        next = slot->next;
        if (strcmp(slot->server, server) == 0)
            slot_retire(slot);
    }
}

static void put(struct runner *runner, const char *id, struct config *config)
{
    struct entry *entry = registry_entry(runner, id);

    if (!entry) {
        entry = calloc(1, sizeof(*entry));
        if (!entry)
            abort();
        (void)snprintf(entry->id, sizeof(entry->id), "%s", id);
        entry->next = runner->entries;
        runner->entries = entry;
    } else if (!same_child(entry->config->server, config->server) || inactive(config->server)) {
        entry->well = false;
        retire_all(runner, id);
    }
    config_unref(entry->config);
    entry->config = config;
}

static void drop(struct runner *runner, const char *id)
{
    for (struct entry **p = &runner->entries; *p; p = &(*p)->next) {
        struct entry *entry = *p;

        if (strcmp(entry->id, id) != 0)
            continue;
        *p = entry->next;
        retire_all(runner, id);
        config_unref(entry->config);
        free(entry);
        return;
    }
}

static void told(const char *key, const void *data, size_t len, void *arg)
{
    struct runner *runner = arg;
    struct config *config;

    if (key && strncmp(key, "s.", 2) != 0)
        return;
    config = data ? config_new(data, len) : NULL;
    pthread_mutex_lock(&runner->lock);
    if (!key)
        runner->shown = true;
    else if (config)
        put(runner, key + 2, config);
    else
        drop(runner, key + 2);
    pthread_cond_broadcast(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
}

/* With the lock held. Who asks may have heard of it a moment before us. */
static struct entry *await_entry(struct runner *runner, const char *id, int wait_ms)
{
    int64_t until = clock_mono_ms() + wait_ms;
    struct entry *entry = registry_entry(runner, id);

    while (!entry && !runner->stopping && clock_mono_ms() < until) {
        struct timespec slice = clock_in_ms(SLICE_MS);

        (void)pthread_cond_timedwait(&runner->changed, &runner->lock, &slice);
        entry = registry_entry(runner, id);
    }
    return entry;
}

enum status registry_get(struct runner *runner, const char *id, int wait_ms,
                         struct config **ret_config, struct error *err)
{
    struct config *config = NULL;

    pthread_mutex_lock(&runner->lock);
    struct entry *entry = await_entry(runner, id, wait_ms);
    if (entry)
        config = config_ref(entry->config);
    pthread_mutex_unlock(&runner->lock);
    if (!config)
        return error_set(err, ST_NOT_FOUND, "There is no stdio server '%s'.", id);
    if (inactive(config->server)) {
        config_unref(config);
        return error_set(err, ST_FAILED_PRECONDITION, "Server '%s' is switched off.", id);
    }
    *ret_config = config;
    return ST_OK;
}

enum status registry_open(struct runner *runner, struct error *err)
{
    TRY(bus_kv_open(runner->bus, "MAL_MCPS", 0, &runner->servers, err));
    if (bus_kv_watch(runner->servers, told, runner, &runner->watch) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot watch the bucket MAL_MCPS");
    return ST_OK;
}

void registry_close(struct runner *runner)
{
    bus_kv_watch_stop(TAKE(runner->watch));
    bus_kv_free(TAKE(runner->servers));
}
