/* SPDX-License-Identifier: Apache-2.0 */
/* The rpcs. Any runner may be asked; who does not own the child asks the owner. */
#include "runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/codec.h"

#include <string.h>

enum {
    ROUTES_MAX = 4,
    MOVES_MAX = 4,
    LIST_MS = 20000,
    CHECK_MS = 5000,
    TOLD_MS = 2000,
    MUTE_MAX = 2
};

/* The slot was taken away meanwhile, and that is why it failed, not the child: what is
 * asked for is the one that its server has now, which another runner may hold. A child
 * that did not answer in time said something of itself. */
static enum status judge(struct call *call, const struct slot *slot, enum status status)
{
    if (status != ST_UNAVAILABLE || !slot->closing)
        return status;
    error_clear(&call->error);
    return call_fail_reason(call, ST_UNAVAILABLE, REASON_MOVED, "This runner does not hold '%s'.",
                            slot->server);
}

/* ---- rpcs, where the child is -------------------------------------------------------- */

static int64_t deadline_of(const struct call *call)
{
    return call->deadline_ms ? call->deadline_ms : clock_mono_ms() + 1000 * runner_config.start_s;
}

static enum status open_here(struct call *call, const char *key, const ProtobufCMessage *request,
                             ProtobufCMessage *reply)
{
    const McpRunner__OpenRequest *req = (const McpRunner__OpenRequest *)request;
    McpRunner__OpenResponse *rsp = (McpRunner__OpenResponse *)reply;
    struct runner *runner = call->service;
    struct downstream_session *session = NULL;
    struct downstream_facts facts = {0};
    struct config *config = NULL;
    struct slot *slot = NULL;
    enum status status;

    TRY(registry_get(runner, req->server, 0, &config, &call->error));
    status = slot_get(runner, &(struct wanted){config, key, req->caller, req->capabilities}, &slot,
                      &call->error);
    config_unref(config);
    TRY(status);
    slot->used_ms = clock_mono_ms();
    status = judge(call, slot, slot_session(slot, deadline_of(call), &session, &call->error));
    if (status == ST_OK) {
        downstream_describe(session, call->arena, &facts);
        rsp->owner = runner->id;
        rsp->protocol_version = mcp_version_text(facts.version);
        rsp->capabilities = facts.capabilities ? facts.capabilities : "";
        rsp->server_info = facts.server_info ? facts.server_info : "";
        rsp->instructions = facts.instructions ? facts.instructions : "";
        rsp->generation = slot->generation;
    } else {
        tally_count(runner, req->server, &call->error);
    }
    slot_unref(slot);
    return status;
}

static enum status read_lists(struct call *call, struct downstream_session *session,
                              McpRunner__DescribeResponse *rsp)
{
    struct downstream_list tools = {0};

    TRY(downstream_list(session, "tools/list", clock_mono_ms() + LIST_MS, call->arena, &tools,
                        &call->error));
    rsp->tools = (const char **)(uintptr_t)tools.items;
    rsp->n_tools = tools.n_items;
    TRY(downstream_list_array(session, "resources/list", clock_mono_ms() + LIST_MS, call->arena,
                              &rsp->resources, &call->error));
    TRY(downstream_list_array(session, "resources/templates/list", clock_mono_ms() + LIST_MS,
                              call->arena, &rsp->resource_templates, &call->error));
    return downstream_list_array(session, "prompts/list", clock_mono_ms() + LIST_MS, call->arena,
                                 &rsp->prompts, &call->error);
}

/* A child that has nothing to do and does not answer is stuck: the next call gets
 * a new one. What is busy may be left alone. */
static void note_mute(struct slot *slot)
{
    struct runner *runner = slot->runner;

    if (atomic_fetch_add(&slot->mute, 1) + 1 < MUTE_MAX)
        return;
    pthread_mutex_lock(&runner->lock);
    if (!slot->gone && slot->refs <= 2) {
        log_warn("the child of %s does not answer; ending it", slot->server);
        slot_retire(slot);
    }
    pthread_mutex_unlock(&runner->lock);
}

static enum status check(struct call *call, struct slot *slot, struct downstream_session *session,
                         int64_t *ret_us)
{
    enum status status =
        downstream_check(session, clock_mono_ms() + CHECK_MS, ret_us, &call->error);

    if (status == ST_DEADLINE_EXCEEDED)
        note_mute(slot);
    else
        slot->mute = 0;
    return status;
}

static enum status describe_slot(struct call *call, struct slot *slot, bool lists,
                                 McpRunner__DescribeResponse *rsp)
{
    struct downstream_session *session = NULL;
    struct downstream_facts facts = {0};
    int64_t us = 0;

    TRY(slot_session(slot, deadline_of(call), &session, &call->error));
    TRY(check(call, slot, session, &us));
    downstream_describe(session, call->arena, &facts);
    rsp->running = true;
    rsp->latency_us = (int32_t)us;
    rsp->protocol_version = mcp_version_text(facts.version);
    rsp->capabilities = facts.capabilities ? facts.capabilities : "";
    rsp->server_info = facts.server_info ? facts.server_info : "";
    rsp->instructions = facts.instructions ? facts.instructions : "";
    return lists ? read_lists(call, session, rsp) : ST_OK;
}

/* Whether the server is known to start; also how often its lists changed. */
static bool is_well(struct runner *runner, const char *server, int32_t *ret_changes)
{
    bool well;

    pthread_mutex_lock(&runner->lock);
    const struct entry *entry = registry_entry(runner, server);
    well = entry && entry->well;
    *ret_changes = entry ? entry->changes : 0;
    pthread_mutex_unlock(&runner->lock);
    return well;
}

static enum status describe_here(struct call *call, const char *key,
                                 const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const McpRunner__DescribeRequest *req = (const McpRunner__DescribeRequest *)request;
    McpRunner__DescribeResponse *rsp = (McpRunner__DescribeResponse *)reply;
    struct runner *runner = call->service;
    struct config *config = NULL;
    struct slot *slot = slot_find(runner, key);
    enum status status = ST_OK;

    if (!slot && !req->lists && is_well(runner, req->server, &rsp->changes))
        return ST_OK;
    if (!slot) {
        TRY(registry_get(runner, req->server, 0, &config, &call->error));
        status = slot_get(runner, &(struct wanted){config, key, "", ""}, &slot, &call->error);
        config_unref(config);
        TRY(status);
    }
    (void)is_well(runner, req->server, &rsp->changes);
    status = judge(call, slot, describe_slot(call, slot, req->lists, rsp));
    slot_unref(slot);
    return status;
}

/* ---- rpcs, anywhere -------------------------------------------------------------------- */

typedef enum status here_fn(struct call *call, const char *key, const ProtobufCMessage *request,
                            ProtobufCMessage *reply);

static enum status key_of(struct call *call, const char *server, const char *caller,
                          char key[KEY_SIZE])
{
    struct config *config = NULL;

    TRY(registry_get(call->service, server, TOLD_MS, &config, &call->error));
    lease_key(config, caller, key);
    config_unref(config);
    return ST_OK;
}

/* Nobody answered there; a server's own failure has a reason. */
static bool unheard(const struct call *call, enum status status)
{
    return status == ST_UNAVAILABLE &&
           (!call->error.reason || strncmp(call->error.reason, "MCP_", 4) != 0);
}

static enum status ask_owner(struct call *call, const struct rpc *rpc, const char *owner,
                             const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const struct runner *runner = call->service;
    struct rpc there = *rpc;
    ProtobufCMessage *answer = NULL;

    there.subject =
        arena_printf(call->arena, "mal.runner.%s.rpc.%s", owner, strrchr(rpc->subject, '.') + 1);
    TRY(bus_call(runner->bus, call, &there, request, 0, &answer));
    memcpy(reply, answer, rpc->response->descriptor->sizeof_message);
    return ST_OK;
}

static enum status route(struct call *call, const struct rpc *rpc, const char *key,
                         const ProtobufCMessage *request, ProtobufCMessage *reply, here_fn *here)
{
    struct runner *runner = call->service;
    enum status status = ST_UNAVAILABLE;
    char owner[TOKEN_SIZE];

    for (int i = 0; i < ROUTES_MAX; i++) {
        error_clear(&call->error);
        TRY(lease_take(runner, key, owner, &call->error));
        if (strcmp(owner, runner->id) == 0)
            return here(call, key, request, reply);
        status = exchanges_ping(runner, owner)
                     ? ask_owner(call, rpc, owner, request, reply)
                     : call_fail(call, ST_UNAVAILABLE, "Nobody holds '%s' now.", key);
        if (!unheard(call, status) || !bus_up(runner->bus))
            break;
        lease_seize(runner, key, owner);
    }
    return status;
}

/* What to ask for, and where. */
struct question {
    const struct rpc *rpc;
    const char *server, *caller;
    here_fn *here;
};

/* A registration that changes meanwhile may mean another child, of another owner. */
static enum status find(struct call *call, const struct question *question,
                        const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    enum status status = ST_UNAVAILABLE;
    char key[KEY_SIZE];

    for (int i = 0; i < MOVES_MAX; i++) {
        error_clear(&call->error);
        TRY(key_of(call, question->server, question->caller, key));
        status = route(call, question->rpc, key, request, reply, question->here);
        if (status == ST_OK || !call->error.reason ||
            strcmp(call->error.reason, REASON_MOVED) != 0 || deadline_of(call) <= clock_mono_ms())
            break;
    }
    return status;
}

enum status mcp_runner_open(struct call *call, const McpRunner__OpenRequest *req,
                            McpRunner__OpenResponse *rsp)
{
    return find(call, &(struct question){&mcp_runner_open_rpc, req->server, req->caller, open_here},
                &req->base, &rsp->base);
}

enum status mcp_runner_describe(struct call *call, const McpRunner__DescribeRequest *req,
                                McpRunner__DescribeResponse *rsp)
{
    return find(call, &(struct question){&mcp_runner_describe_rpc, req->server, "", describe_here},
                &req->base, &rsp->base);
}

enum status mcp_runner_check(struct call *call, const McpRunner__CheckRequest *req,
                             McpRunner__CheckResponse *rsp)
{
    struct runner *runner = call->service;

    (void)req;
    rsp->up = true;
    rsp->runner = runner->id;
    pthread_mutex_lock(&runner->lock);
    rsp->children = runner->n_children;
    rsp->exchanges = runner->n_exchanges;
    pthread_mutex_unlock(&runner->lock);
    return ST_OK;
}

/* Whoever asks one that stops takes over, but not while the child still lives. */
static enum status stay(struct call *call, const char *key)
{
    struct runner *runner = call->service;
    bool stopping;

    pthread_mutex_lock(&runner->lock);
    stopping = runner->stopping;
    pthread_mutex_unlock(&runner->lock);
    if (!stopping)
        return ST_OK;
    slot_await_end(runner, key, deadline_of(call));
    return call_fail(call, ST_UNAVAILABLE, "This runner stops; another takes over.");
}

/* What another runner asks of the owner. */
enum status runner_own_open(struct call *call, const ProtobufCMessage *request,
                            ProtobufCMessage *reply)
{
    const McpRunner__OpenRequest *req = (const McpRunner__OpenRequest *)request;
    char key[KEY_SIZE];

    TRY(key_of(call, req->server, req->caller, key));
    TRY(stay(call, key));
    return open_here(call, key, request, reply);
}

enum status runner_own_describe(struct call *call, const ProtobufCMessage *request,
                                ProtobufCMessage *reply)
{
    const McpRunner__DescribeRequest *req = (const McpRunner__DescribeRequest *)request;
    char key[KEY_SIZE];

    TRY(key_of(call, req->server, "", key));
    TRY(stay(call, key));
    return describe_here(call, key, request, reply);
}
