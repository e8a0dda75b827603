/* SPDX-License-Identifier: Apache-2.0 */
/* Which runner holds a child: asked for, and remembered, so that a call need not
 * ask each time. */
#include "remote/internal.h"

#include "base/clock.h"
#include "downstream/fault.h"
#include "mal/mcp_runner/v1/mcp_runner.api.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum status remote_open(struct bus *bus, struct call *call, const char *server, const char *caller,
                        const char *capabilities, struct remote_facts *ret_facts)
{
    McpRunner__OpenRequest request = MCP_RUNNER__OPEN_REQUEST__INIT;
    McpRunner__OpenResponse *reply = NULL;

    request.server = server;
    request.caller = caller ? caller : "";
    request.capabilities = capabilities ? capabilities : "";
    TRY(mcp_runner_open_call(bus, call, &request, 0, &reply));
    *ret_facts = (struct remote_facts){.owner = reply->owner,
                                       .protocol_version = reply->protocol_version,
                                       .capabilities = reply->capabilities,
                                       .server_info = reply->server_info,
                                       .instructions = reply->instructions,
                                       .generation = reply->generation};
    return ST_OK;
}

/* ---- who it was ----------------------------------------------------------------- */

/* A guess is enough: an owner that is not one any more says so, or nobody answers
 * there, and the child is opened anew. So the newest takes the place of another. */
enum { PLACES = 256, KEY_SIZE = 148, FIRST_PAUSE_MS = 100, LAST_PAUSE_MS = 1600 };

static struct {
    pthread_mutex_t lock; /* what follows */
    struct {
        char key[KEY_SIZE], owner[TOKEN_SIZE];
    } places[PLACES];
} owners = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t place_of(const struct remote_request *request, char key[KEY_SIZE])
{
    size_t hash = 5381;

    (void)snprintf(key, KEY_SIZE, "%s.%s", request->server, or_empty(request->caller));
    for (const char *p = key; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
    return hash % PLACES;
}

bool owner_known(const struct remote_request *request, char out[TOKEN_SIZE])
{
    char key[KEY_SIZE];
    size_t place = place_of(request, key);
    bool known;

    pthread_mutex_lock(&owners.lock);
    known = strcmp(owners.places[place].key, key) == 0;
    if (known)
        memcpy(out, owners.places[place].owner, TOKEN_SIZE);
    pthread_mutex_unlock(&owners.lock);
    return known;
}

static void remember(const struct remote_request *request, const char *owner)
{
    char key[KEY_SIZE];
    size_t place = place_of(request, key);

    pthread_mutex_lock(&owners.lock);
    memcpy(owners.places[place].key, key, KEY_SIZE);
    (void)snprintf(owners.places[place].owner, TOKEN_SIZE, "%s", owner);
    pthread_mutex_unlock(&owners.lock);
}

void owner_forget(const struct remote_request *request, const char *owner)
{
    char key[KEY_SIZE];
    size_t place = place_of(request, key);

    pthread_mutex_lock(&owners.lock);
    if (strcmp(owners.places[place].key, key) == 0 &&
        strcmp(owners.places[place].owner, owner) == 0)
        *owners.places[place].key = '\0';
    pthread_mutex_unlock(&owners.lock);
}

/* Opening twice does no harm: it is asked again while copies of the runner stop or
 * start, a read in that sense. */
static enum status open_patiently(struct bus *bus, struct call *call,
                                  const struct remote_request *request,
                                  struct remote_facts *ret_facts)
{
    enum status status;

    for (int pause_ms = FIRST_PAUSE_MS;; pause_ms *= 2) {
        error_clear(&call->error);
        status = remote_open(bus, call, request->server, request->caller, request->capabilities,
                             ret_facts);
        if (status != ST_UNAVAILABLE || !bus_up(bus) || pause_ms > LAST_PAUSE_MS ||
            clock_mono_ms() + pause_ms >= call->deadline_ms ||
            (call->error.reason && strncmp(call->error.reason, "MCP_", 4) == 0))
            return status;
        (void)usleep((useconds_t)pause_ms * 1000);
    }
}

enum status owner_open(struct bus *bus, const struct remote_request *request, int64_t deadline_ms,
                       char out[TOKEN_SIZE], struct error *err)
{
    struct arena arena;
    struct call call = {.arena = &arena, .deadline_ms = deadline_ms};
    struct remote_facts facts = {0};
    enum status status;

    arena_init(&arena);
    call.now_ms = clock_wall_ms();
    call.bus = bus;
    status = open_patiently(bus, &call, request, &facts);
    if (status == ST_OK) {
        (void)snprintf(out, TOKEN_SIZE, "%s", facts.owner);
        remember(request, out);
    } else {
        enum downstream_fault fault = downstream_fault_of(&call.error);

        (void)error_set(err, status, "%s", call.error.message);
        if (fault == DOWNSTREAM_FAULT_CLOSED) /* no runner, or it refuses */
            fault = status == ST_DEADLINE_EXCEEDED ? DOWNSTREAM_FAULT_TIMEOUT
                                                   : DOWNSTREAM_FAULT_CONNECT;
        if (err)
            err->reason = downstream_fault_text(fault);
    }
    arena_done(&arena);
    return status;
}
