/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator decided about a server; what is left out follows the
 * settings of the process that needs it. */
#include "health.h"
#include "mcp/header.h"

#include "policy.sql.h"
#include "server.sql.h"

enum status policy_read(struct call *call, const char *id, McpHealth__Policy *ret)
{
    return fail_missing(call, pg_one(call, &ret->base, sql_policy_get, "s", id), "MCP server", id);
}

enum pin_rule pin_rule(const McpHealth__Policy *policy)
{
    switch (policy->pin_mode) {
    case MCP_HEALTH__PIN_MODE__PIN_MODE_OFF:
        return PIN_OFF;
    case MCP_HEALTH__PIN_MODE__PIN_MODE_WARN:
        return PIN_WARN;
    case MCP_HEALTH__PIN_MODE__PIN_MODE_HOLD:
        return PIN_HOLD;
    default:
        break;
    }
    if (strcmp(health_config.pin_tools, "off") == 0)
        return PIN_OFF;
    return strcmp(health_config.pin_tools, "warn") == 0 ? PIN_WARN : PIN_HOLD;
}

enum status mcp_health_get_mcp_policy(struct call *call, const McpHealth__GetMcpPolicyRequest *req,
                                      McpHealth__GetMcpPolicyResponse *rsp)
{
    rsp->id = req->id;
    rsp->policy = new_message(call, &mcp_health__policy__descriptor);
    return policy_read(call, req->id, rsp->policy);
}

static const char *timeouts_json(struct call *call, const McpHealth__Policy *policy)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    strbuf_char(&out, '{');
    for (size_t i = 0; i < policy->n_tool_timeouts; i++) {
        if (i)
            strbuf_char(&out, ',');
        json_put_string(&out, policy->tool_timeouts[i]->key);
        strbuf_char(&out, ':');
        json_put_string(&out, policy->tool_timeouts[i]->value);
    }
    strbuf_char(&out, '}');
    return take_text(call, &out);
}

static enum status policy_write(struct call *call, const char *id, const McpHealth__Policy *policy)
{
    return pg_exec(call, sql_policy_put, NULL, "sbsSabaiisissi", id, policy->expose,
                   enum_text(&policy->base, "prefix_mode"), policy->prefix,
                   policy->n_forward_headers, policy->forward_headers, policy->per_caller,
                   policy->n_idempotent_tools, policy->idempotent_tools, policy->connect_timeout_ms,
                   policy->call_timeout_ms, timeouts_json(call, policy), policy->max_inflight,
                   enum_text(&policy->base, "pin_mode"),
                   *policy->newest_version ? policy->newest_version : NULL, policy->idle_stop_s);
}

static void check_headers(struct call *call, const McpHealth__UpdateMcpPolicyRequest *req)
{
    for (size_t i = 0; i < req->n_forward_headers; i++)
        if (!mcp_header_may_pass(req->forward_headers[i]))
            call_field(call, "forward_headers",
                       "%s belongs to the connection of the caller and is never passed on",
                       req->forward_headers[i]);
}

enum status mcp_health_update_mcp_policy(struct call *call,
                                         const McpHealth__UpdateMcpPolicyRequest *req,
                                         McpHealth__UpdateMcpPolicyResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct names changed = {0};

    TRY(health_trusted(call));
    TRY(update_check(call, &req->base));
    check_headers(call, req);
    TRY(call_invalid(call));
    rsp->id = req->id;
    rsp->policy = new_message(call, &mcp_health__policy__descriptor);
    TRY(tx_begin(&tx, call));
    TRY(pg_exec(call, sql_server_lock, NULL, "s", req->id));
    TRY(policy_read(call, req->id, rsp->policy));
    update_merge(call, &rsp->policy->base, &req->base, &changed);
    rsp->n_changed = changed.n;
    rsp->changed = changed.items;
    if (changed.n) {
        TRY(policy_write(call, req->id, rsp->policy));
        TRY(pg_exec(call, sql_server_changed, NULL, "s", req->id));
        TRY(pg_exec(call, sql_server_notify, NULL, ""));
    }
    return tx_commit(&tx);
}
