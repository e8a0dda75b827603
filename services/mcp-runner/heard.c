/* SPDX-License-Identifier: Apache-2.0 */
/* What a child says that belongs to no exchange: told to whoever listens, at a rate
 * that a child out of its mind cannot exceed. */
#include "runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "mcp/message.h"
#include "wire/codec.h"

#include <string.h>

enum { TOLD_MAX = 100, SECOND_MS = 1000 };

/* Without a message: something may have been missed, or it is another child now. */
static void publish(struct slot *slot, const struct downstream_message *msg, int32_t generation)
{
    McpRunner__Heard heard = MCP_RUNNER__HEARD__INIT;
    CLEANUP(arena_done) struct arena arena;
    char subject[128];
    size_t len;

    arena_init(&arena);
    heard.server = slot->server;
    heard.caller = slot->caller;
    heard.generation = generation;
    if (msg) {
        heard.method = msg->method ? msg->method : "";
        heard.protocol_version = mcp_version_text(msg->version);
    }
    if (msg && msg->params) {
        const char *raw = json_raw(&msg->json, msg->params, &len);

        heard.params = arena_memdup(&arena, raw, len);
    }
    (void)snprintf(subject, sizeof(subject), "mal.runner_heard.%s", slot->server);
    const void *data = wire_pack(&arena, &heard.base, &len);
    if (bus_publish(slot->runner->bus, subject, NULL, data, len) != ST_OK)
        log_debug("what %s said could not be told", slot->server);
}

static void note_change(struct slot *slot)
{
    pthread_mutex_lock(&slot->runner->lock);
    struct entry *entry = registry_entry(slot->runner, slot->server);
    if (entry) {
        entry->changes++;
        entry->tally.changed = true;
    }
    pthread_mutex_unlock(&slot->runner->lock);
}

/* A request that belongs to no call: nobody can be asked. */
static void refuse(struct downstream_session *session, const struct downstream_message *msg)
{
    size_t len;
    const char *id = json_raw(&msg->json, msg->id, &len);
    bool roots = strcmp(msg->method, "roots/list") == 0;
    struct error err = {0};

    if (downstream_answer(session, id, len, roots ? "{\"roots\":[]}" : NULL,
                          roots ? NULL
                                : "{\"code\":-32601,\"message\":\"this belongs to no call, so "
                                  "nobody can be asked\"}",
                          &err) != ST_OK)
        log_debug("%s", err.message);
}

/* Only the thread that reads the child comes here. */
static bool may_tell(struct slot *slot)
{
    int64_t second = clock_mono_ms() / SECOND_MS;

    if (second != slot->told_second) {
        slot->told_second = second;
        slot->told = 0;
    }
    return slot->told++ < TOLD_MAX;
}

void heard_from(struct downstream_session *session, const struct downstream_message *msg, void *arg)
{
    struct slot *slot = arg;

    if (msg->kind == DOWNSTREAM_REQUEST) {
        refuse(session, msg);
        return;
    }
    bool anew = msg->kind == DOWNSTREAM_STALE; /* on the thread that started it */
    if (anew ? downstream_modern(session) : strstr(msg->method, "list_changed") != NULL)
        note_change(slot);
    if (anew) {
        heard_start(slot);
        return;
    }
    if (may_tell(slot))
        publish(slot, msg, 0);
    else
        slot->missed = true;
}

void heard_settle(struct slot *slot)
{
    if (atomic_exchange(&slot->missed, false))
        publish(slot, NULL, 0);
}

void heard_start(struct slot *slot)
{
    publish(slot, NULL, slot->generation);
}
