/* SPDX-License-Identifier: Apache-2.0 */
/* A probe of a stdio server: its runner is asked. */
#include "base/clock.h"
#include "mal/mcp_runner/v1/mcp_runner.api.h"
#include "probe_target.h"

/* A child may have to be started, or fetched by npx before. */
enum { DESCRIBE_MS = 30000 };

static enum status describe(const struct probe *probe, bool lists,
                            McpRunner__DescribeResponse **ret_reply, struct error *err)
{
    McpRunner__DescribeRequest request = MCP_RUNNER__DESCRIBE_REQUEST__INIT;
    int64_t own_ms = clock_mono_ms() + DESCRIBE_MS;
    struct call call = {.arena = probe->arena,
                        .actor = "mcp-health",
                        .request_id = "",
                        .bus = probe->bus,
                        .deadline_ms =
                            probe->until_ms && probe->until_ms < own_ms ? probe->until_ms : own_ms,
                        .now_ms = clock_wall_ms()};
    enum status status;

    if (!probe->bus)
        return error_set(err, ST_UNAVAILABLE, "no runner can be asked");
    request.server = probe->row->id;
    request.lists = lists;
    status = mcp_runner_describe_call(probe->bus, &call, &request, 0, ret_reply);
    if (status != ST_OK)
        *err = call.error;
    return status;
}

static void take(struct probe *probe, const McpRunner__DescribeResponse *reply)
{
    probe->reading = (struct reading){.protocol_version = reply->protocol_version,
                                      .server_info = reply->server_info,
                                      .capabilities = reply->capabilities,
                                      .instructions = reply->instructions,
                                      .tools = (const char *const *)reply->tools,
                                      .n_tools = reply->n_tools,
                                      .resources = reply->resources,
                                      .resource_templates = reply->resource_templates,
                                      .prompts = reply->prompts};
    probe->read = true;
}

enum status probe_stdio(struct probe *probe, struct error *err)
{
    struct target *target = probe->target;
    bool lists =
        probe_reads(probe) && (target->list_at_ms == 0 || target->revision != probe->row->revision);
    McpRunner__DescribeResponse *reply = NULL;
    enum status status;

    target->list_at_ms = lists ? 0 : target->list_at_ms;
    status = describe(probe, lists, &reply, err);
    if (status == ST_OK && reply && !probe->ask_only && !lists &&
        reply->changes != target->changes) {
        lists = true;
        status = describe(probe, lists, &reply, err);
    }
    if (status != ST_OK || !reply) {
        target->list_at_ms = 0; /* it may be another one when it is back */
        return status;
    }
    if (lists && !probe->ask_only) {
        take(probe, reply);
        target->changes = reply->changes;
        target->revision = probe->row->revision;
        target->list_at_ms = clock_mono_ms();
    }
    return ST_OK;
}
