/* SPDX-License-Identifier: Apache-2.0 */
/* Calling operations. */
#include "invoke.h"

#include "audit.h"
#include "base/clock.h"
#include "base/fiber.h"
#include "base/log.h"
#include "proxy_call.h"
#include "ratelimit.h"
#include "svc/metrics.h"
#include "text.h"

#include <string.h>

enum { GRACE_MS = 5000, RESOURCE_MAX = 128 };

static struct metric *calls_total, *call_seconds;

void invoke_metrics(void)
{
    calls_total = metric_new(METRIC_COUNTER, "mal_gateway_calls_total",
                             "Calls of tools and routes by outcome.");
    call_seconds = metric_new(METRIC_HISTOGRAM, "mal_gateway_call_seconds",
                              "Time from a request's arrival to its answer.");
}

void exchange_call(struct exchange *x, struct call *call, const struct rpc *rpc)
{
    *call = (struct call){
        .arena = x->arena,
        .rpc = rpc,
        .request_id = x->request_id,
        .actor = x->who.name,
        .channel = x->channel,
        .traceparent = x->traceparent,
        .trusted = x->who.trusted,
        .scopes = x->who.scopes,
        .deadline_ms = clock_mono_ms() + config.call_timeout_ms,
        .now_ms = x->now_ms,
        .bus = x->gw->bus,
    };
}

void invocation_init(struct invocation *inv, struct exchange *x, const struct tool *tool)
{
    *inv = (struct invocation){.x = x, .tool = tool, .resource = ""};
    exchange_call(x, &inv->call, tool->rpc);
    inv->flight.request_id = x->request_id;
    x->gw->running++;
}

static const char *name_of(const struct tool *tool)
{
    return tool->rpc->tool_name != NULL ? tool->rpc->tool_name : tool->rpc->name;
}

enum status exchange_admit(struct exchange *x, struct call *call)
{
    int wait_s = 1;

    if (limits_call(x->gw->limits, x->who.id, x->now_ms, &wait_s))
        return ST_OK;
    return call_fail(call, ST_RESOURCE_EXHAUSTED,
                     "The API key %s made more than %lld calls within a second.", x->who.name,
                     (long long)config.rate_limit);
}

/* Tools with a timeout of their own may take that long and a little more. */
static void extend_deadline(struct invocation *inv)
{
    int64_t own_ms = wire_get_int(inv->request, "timeout_ms");

    if (own_ms <= 0)
        own_ms = wire_get_int(inv->request, "timeout_s") * 1000;
    if (own_ms > 0)
        inv->call.deadline_ms = clock_mono_ms() + own_ms + GRACE_MS;
}

/* The object without its member confirm, which the gateway added to the schema
 * and the service does not know. */
static enum status take_confirm(struct invocation *inv, const struct json *json,
                                const struct json_node *arguments, struct json *ret_json)
{
    const struct json_node *confirm = json_get(json, arguments, "confirm");
    CLEANUP(strbuf_done) struct strbuf rest = STRBUF_INIT;
    const struct json_node *key, *end = arguments + arguments->span;

    if (confirm->type != JSON_T_TRUE && confirm->type != JSON_T_FALSE &&
        confirm->type != JSON_T_NULL) {
        call_field(&inv->call, "confirm", "must be a boolean");
        return call_invalid(&inv->call);
    }
    inv->confirmed = confirm->type == JSON_T_TRUE;
    strbuf_char(&rest, '{');
    for (key = json_first(arguments); key < end; key = json_next(json_next(key))) {
        const char *raw;
        size_t len;

        if (json_next(key) == confirm)
            continue;
        if (rest.len > 1)
            strbuf_char(&rest, ',');
        raw = json_raw(json, key, &len);
        strbuf_add(&rest, raw, len);
        strbuf_char(&rest, ':');
        raw = json_raw(json, json_next(key), &len);
        strbuf_add(&rest, raw, len);
    }
    strbuf_char(&rest, '}');
    return json_parse(inv->x->arena, arena_memdup(inv->x->arena, rest.data, rest.len), rest.len,
                      &(struct json_limits){.loose = true}, ret_json, &inv->call.error);
}

static const char *const id_fields[] = {"id", "mcp_id", "sprint_id"};

static void note_resource(struct invocation *inv, const char *id)
{
    if (*inv->resource == '\0' && id != NULL)
        inv->resource = text_cut(inv->x->arena, id, RESOURCE_MAX);
}

void invocation_about(struct invocation *inv, const struct wire_param *params, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(id_fields); i++)
        for (size_t j = 0; j < n; j++)
            if (strcmp(params[j].name, id_fields[i]) == 0)
                note_resource(inv, params[j].value);
}

void invocation_about_arguments(struct invocation *inv, const struct json *json,
                                const struct json_node *arguments)
{
    for (size_t i = 0; arguments != NULL && i < ARRAY_SIZE(id_fields); i++)
        note_resource(inv, json_text(inv->x->arena, json, json_get(json, arguments, id_fields[i])));
}

enum status invocation_arguments(struct invocation *inv, const struct json *json,
                                 const struct json_node *arguments)
{
    struct json rest = {0};

    invocation_about_arguments(inv, json, arguments);
    TRY(exchange_admit(inv->x, &inv->call));
    if (inv->tool->guarded && arguments != NULL && json_get(json, arguments, "confirm") != NULL) {
        TRY(take_confirm(inv, json, arguments, &rest));
        json = &rest;
        arguments = rest.nodes;
    }
    TRY(wire_from_json(inv->x->arena, inv->tool->rpc->request, json, arguments, &inv->request,
                       &inv->call.error));
    extend_deadline(inv);
    return ST_OK;
}

enum status invocation_params(struct invocation *inv, struct wire_param *params, size_t n)
{
    invocation_about(inv, params, n);
    TRY(exchange_admit(inv->x, &inv->call));
    for (size_t i = 0; inv->tool->guarded && i < n; i++)
        if (strcmp(params[i].name, "confirm") == 0) {
            inv->confirmed = strcmp(params[i].value, "true") == 0;
            params[i--] = params[--n];
        }
    TRY(wire_from_params(inv->x->arena, inv->tool->rpc->request, params, n, &inv->request,
                         &inv->call.error));
    extend_deadline(inv);
    return ST_OK;
}

enum status invocation_run(struct invocation *inv)
{
    enum status status;

    error_clear(&inv->call.error);
    if (inv->tool->guarded && !inv->confirmed)
        return call_fail_reason(&inv->call, ST_FAILED_PRECONDITION, "CONFIRMATION_REQUIRED",
                                "Calling %s with these arguments changes what the hub stores.",
                                inv->tool->rpc->tool_name);
    if (inv->tool->rpc->gateway)
        return proxy_call(inv);
    inflight_begin(inv->x->gw->inflight, &inv->flight);
    fiber_let_wait(true);
    status = bus_call(inv->x->gw->bus, &inv->call, inv->tool->rpc, inv->request, 0, &inv->reply);
    fiber_let_wait(false);
    inflight_end(inv->x->gw->inflight, &inv->flight);
    return status;
}

void invocation_confirm(struct invocation *inv)
{
    inv->confirmed = true;
    if (inv->tool->own_confirm)
        (void)wire_set_bool(inv->request, "confirm", true);
    inv->call.deadline_ms = clock_mono_ms() + config.call_timeout_ms;
    extend_deadline(inv);
}

bool invocation_needs_confirmation(const struct invocation *inv, enum status status)
{
    const char *reason = inv->call.error.reason;

    return status == ST_FAILED_PRECONDITION && reason != NULL &&
           strcmp(reason, "CONFIRMATION_REQUIRED") == 0;
}

void invocation_done(struct invocation *inv, enum status status)
{
    struct exchange *x = inv->x;
    const char *name = name_of(inv->tool);
    int64_t duration_us = clock_mono_us() - x->started_us;

    x->gw->running--;
    audit_called(x, inv->tool, status,
                 &(struct audit){.resource = inv->resource,
                                 .request = inv->request,
                                 .reply = status == ST_OK ? inv->reply : NULL});
    metric_add(calls_total,
               arena_join(x->arena, "tool=\"", name, "\",status=\"", status_lower_name(status),
                          "\"", NULL),
               1);
    metric_observe_us(call_seconds, arena_join(x->arena, "tool=\"", name, "\"", NULL), duration_us);
    if (status == ST_INTERNAL)
        log_fields(LOG_WARN, arena_printf(x->arena, "req=%s tool=%s", x->request_id, name),
                   "call failed: %s", inv->call.error.message);
}

void invocation_pause(struct invocation *inv)
{
    inv->x->gw->running--;
}
