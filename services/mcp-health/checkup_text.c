/* SPDX-License-Identifier: Apache-2.0 */
/* Markdown of a health check. */
#include "checkup.h"

#include "wire/text.h"

#define DOWN MCP_HEALTH__UP_DOWN__UP_DOWN_DOWN

static void put_services(struct strbuf *out, const McpHealth__HealthCheckResponse *rsp)
{
    strbuf_str(out, "**services**: ");
    for (size_t i = 0; i < rsp->n_services; i++) {
        const McpHealth__ServiceHealth *service = rsp->services[i];

        strbuf_printf(out, "%s%s ", i ? ", " : "", service->name);
        if (service->status == DOWN)
            strbuf_str(out, "down");
        else
            strbuf_printf(out, "up (%d ms)", service->latency_ms);
    }
}

static void put_databases(struct strbuf *out, const McpHealth__HealthCheckResponse *rsp)
{
    bool is_up = true;

    strbuf_str(out, " · **database**: ");
    for (size_t i = 0; i < rsp->n_services; i++) {
        if (rsp->services[i]->database != DOWN)
            continue;
        strbuf_printf(out, "%s%s", is_up ? "down for " : ", ", rsp->services[i]->name);
        is_up = false;
    }
    if (is_up)
        strbuf_str(out, "up");
}

static void put_bus(struct strbuf *out, const McpHealth__BusHealth *bus)
{
    if (bus->status == DOWN)
        strbuf_str(out, " · **bus**: down\n");
    else
        strbuf_printf(out, " · **bus**: up (%d ms)\n", bus->latency_ms);
}

static void put_server(struct strbuf *out, const McpHealth__ServerHealth *server)
{
    const char *sign = !server->checked ? "⏸" : server->ok ? "✅" : "❌";

    strbuf_printf(out, "- %s ", sign);
    wire_text_cell(out, server->name);
    strbuf_printf(out, " (`%s`) · %s · ", server->id, enum_text(&server->base, "transport"));
    wire_text_cell(out, server->endpoint);
    strbuf_printf(out, " · %s", enum_text(&server->base, "status"));
    if (!server->checked)
        strbuf_str(out, ", not probed");
    if (server->has_latency_ms_case)
        strbuf_printf(out, " · %d ms", server->latency_ms);
    if (server->checked && server->ok && server->has_tools_count_case)
        strbuf_printf(out, " · %d tool%s", server->tools_count,
                      server->tools_count == 1 ? "" : "s");
    if (*server->error) {
        strbuf_str(out, " · ");
        wire_text_cell(out, server->error);
    }
    strbuf_char(out, '\n');
}

const char *checkup_text(struct call *call, const McpHealth__HealthCheckResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    strbuf_printf(&out, "## Health: %s\n\n", enum_text(&rsp->base, "status"));
    put_services(&out, rsp);
    put_databases(&out, rsp);
    put_bus(&out, rsp->bus);
    if (rsp->n_mcps)
        strbuf_str(&out, "\n### Downstream servers\n\n");
    for (size_t i = 0; i < rsp->n_mcps; i++)
        put_server(&out, rsp->mcps[i]);
    out.data[--out.len] = '\0';
    return take_text(call, &out);
}
