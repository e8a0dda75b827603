/* SPDX-License-Identifier: Apache-2.0 */
/* Tool mal_health_check: services, their databases, the bus. */
#include "checkup.h"

#include "base/clock.h"
#include "bus/bus.h"
#include "packages.h"
#include "svc/svc.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PACKAGES_MAX = 16, THREADS_MAX = 16 };

/* ---- doing many things at once --------------------------------------------- */

struct errands {
    void (*run)(void *arg, size_t i);
    void *arg;
    size_t n;
    atomic_size_t next;
};

static void *errands_run(void *arg)
{
    struct errands *errands = arg;
    size_t i;

    while ((i = atomic_fetch_add(&errands->next, 1)) < errands->n)
        errands->run(errands->arg, i);
    return NULL;
}

void checkup_parallel(size_t n, size_t threads, void (*run)(void *arg, size_t i), void *arg)
{
    struct errands errands = {.run = run, .arg = arg, .n = n};
    pthread_t others[THREADS_MAX];
    size_t started = 0;

    /* This thread is one of them. */
    while (started + 1 < n && started + 1 < threads && started < THREADS_MAX &&
           pthread_create(&others[started], NULL, errands_run, &errands) == 0)
        started++;
    (void)errands_run(&errands);
    while (started > 0)
        (void)pthread_join(others[--started], NULL);
}

/* ---- services ----------------------------------------------------------------- */

/* A question to a service, in an arena of its own. */
struct question {
    const struct rpc *rpc;
    struct call call;
    struct arena arena;
    const ProtobufCMessage *reply;
    enum status status;
    int latency_ms;
};

static const struct rpc *check_rpc(const struct package *package)
{
    for (size_t i = 0; i < package->n; i++)
        if (strcmp(package->rpcs[i]->name, "Check") == 0)
            return package->rpcs[i];
    return NULL;
}

static void ask(void *arg, size_t i)
{
    struct question *question = &((struct question *)arg)[i];
    struct call *call = &question->call;
    int64_t started_ms = clock_mono_ms();
    ProtobufCMessage *reply = NULL;

    if (call->bus)
        question->status = bus_call(call->bus, call, question->rpc,
                                    new_message(call, question->rpc->request->descriptor),
                                    CHECKUP_SERVICE_MS, &reply);
    question->reply = reply;
    question->latency_ms = (int)(clock_mono_ms() - started_ms);
}

static McpHealth__UpDown up_down(bool up)
{
    return up ? MCP_HEALTH__UP_DOWN__UP_DOWN_UP : MCP_HEALTH__UP_DOWN__UP_DOWN_DOWN;
}

/* "mcp-health" */
static const char *service_name(struct call *call, const struct rpc *rpc)
{
    char *name = arena_strdup(call->arena, rpc->package);

    for (char *p = name; *p; p++)
        if (*p == '_')
            *p = '-';
    return name;
}

static McpHealth__ServiceHealth *new_service(struct call *call, const struct rpc *rpc, bool up,
                                             int latency_ms)
{
    McpHealth__ServiceHealth *service = new_message(call, &mcp_health__service_health__descriptor);

    service->name = service_name(call, rpc);
    service->status = up_down(up);
    if (up) {
        service->has_latency_ms_case = MCP_HEALTH__SERVICE_HEALTH__HAS_LATENCY_MS_LATENCY_MS;
        service->latency_ms = latency_ms;
    }
    return service;
}

static McpHealth__ServiceHealth *answer(struct call *call, const struct question *question)
{
    bool up = question->status == ST_OK;
    McpHealth__ServiceHealth *service = new_service(call, question->rpc, up, question->latency_ms);
    const ProtobufCMessage *reply = question->reply;
    const char *error = up ? wire_get_string(reply, "error") : question->call.error.message;

    service->error = arena_strdup(call->arena, error);
    if (up && protobuf_c_message_descriptor_get_field_by_name(reply->descriptor, "database_up"))
        service->database = up_down(wire_get_bool(reply, "database_up"));
    return service;
}

/* This service answers here and now, whoever is busy. */
static McpHealth__ServiceHealth *own_answer(struct call *call, const struct rpc *rpc)
{
    int64_t started_ms = clock_mono_ms();
    protobuf_c_boolean database_up;
    int32_t latency_ms;
    const char *error;
    McpHealth__ServiceHealth *service;

    svc_check(call, &database_up, &latency_ms, &error);
    service = new_service(call, rpc, true, (int)(clock_mono_ms() - started_ms));
    service->database = up_down(database_up);
    service->error = error;
    return service;
}

/* Asks every service, all at once. */
static enum status ask_services(struct call *call, McpHealth__HealthCheckResponse *rsp)
{
    struct package packages[PACKAGES_MAX];
    struct question questions[PACKAGES_MAX];
    size_t n_packages = packages_all(packages, PACKAGES_MAX), n = 0;

    for (size_t i = 0; i < n_packages; i++) {
        const struct rpc *rpc = check_rpc(&packages[i]);

        if (!rpc || strcmp(rpc->package, call->rpc->package) == 0)
            continue;
        questions[n] = (struct question){.rpc = rpc, .call = *call, .status = ST_UNAVAILABLE};
        arena_init(&questions[n].arena);
        questions[n].call.pg = NULL;
        n++;
    }
    for (size_t i = 0; i < n; i++)
        questions[i].call.arena = &questions[i].arena;
    checkup_parallel(n, PACKAGES_MAX, ask, questions);
    rsp->services = arena_alloc(call->arena, (n + 1) * sizeof(void *));
    for (size_t i = 0; i < n; i++) {
        rsp->services[rsp->n_services++] = answer(call, &questions[i]);
        arena_done(&questions[i].arena);
    }
    rsp->services[rsp->n_services++] = own_answer(call, call->rpc);
    return ST_OK;
}

static McpHealth__BusHealth *check_bus(struct call *call)
{
    McpHealth__BusHealth *bus = new_message(call, &mcp_health__bus_health__descriptor);
    int64_t took_us = 0;
    bool up = call->bus && bus_check(call->bus, &took_us) == ST_OK;

    bus->status = up_down(up);
    if (up) {
        bus->has_latency_ms_case = MCP_HEALTH__BUS_HEALTH__HAS_LATENCY_MS_LATENCY_MS;
        bus->latency_ms = (int)(took_us / 1000);
    }
    return bus;
}

/* ---- the whole ------------------------------------------------------------------ */

static bool is_down(const McpHealth__HealthCheckResponse *rsp)
{
    for (size_t i = 0; i < rsp->n_services; i++)
        if (rsp->services[i]->status == MCP_HEALTH__UP_DOWN__UP_DOWN_DOWN ||
            rsp->services[i]->database == MCP_HEALTH__UP_DOWN__UP_DOWN_DOWN)
            return true;
    return rsp->bus->status == MCP_HEALTH__UP_DOWN__UP_DOWN_DOWN;
}

static bool server_fails(const McpHealth__ServerHealth *server)
{
    return server->status == MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ERROR ||
           (server->checked && !server->ok);
}

static McpHealth__HubStatus hub_status(const McpHealth__HealthCheckResponse *rsp)
{
    if (is_down(rsp))
        return MCP_HEALTH__HUB_STATUS__HUB_STATUS_DOWN;
    for (size_t i = 0; i < rsp->n_mcps; i++)
        if (server_fails(rsp->mcps[i]))
            return MCP_HEALTH__HUB_STATUS__HUB_STATUS_DEGRADED;
    return MCP_HEALTH__HUB_STATUS__HUB_STATUS_OK;
}

enum status mcp_health_health_check(struct call *call, const McpHealth__HealthCheckRequest *req,
                                    McpHealth__HealthCheckResponse *rsp)
{
    int64_t until_ms = clock_mono_ms() + CHECKUP_PROBES_MS;
    char now[TIMESTAMP_SIZE];

    clock_format(call->now_ms, now);
    rsp->checked_at = arena_strdup(call->arena, now);
    rsp->bus = check_bus(call);
    TRY(ask_services(call, rsp));
    TRY(checkup_servers(call, req->mcp_id, until_ms, rsp));
    rsp->status = hub_status(rsp);
    if (req->format != MAL__FORMAT__FORMAT_JSON)
        rsp->text = checkup_text(call, rsp);
    return ST_OK;
}
